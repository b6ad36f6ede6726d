/* Bits by what they cost on a target: where more of them take no more time, they are free.
 *
 * The second stage of Free Bits (Rutishauser et al. 2023, "Free Bits: Latency Optimization of Mixed-Precision
 * Quantized Neural Networks on the Edge", section III-B): an assignment of bits is raised wherever the target
 * gains nothing by the fewer ones. */
#ifndef TS_RUN_MIXED_H
#define TS_RUN_MIXED_H

#include "quant/quantize.h"
#include "run/run.h"

typedef struct ts_mixed {
    const ts_widths *before, *after;              /* one a layer */
    const uint64_t *cycles_before, *cycles_after; /* one a layer */
    uint64_t total_before, total_after;           /* never more after than before */
    uint32_t runs;                                /* of the whole network on the simulator */
} ts_mixed;

/* Raises `widths` (in place: one a layer of `net`) to 4 and 8 bits where the network takes no more cycles on
 * `target` for it. Networks are measured as they would be deployed, with the first calibration sample.
 * Progress counts runs. An error where the target has no cycles (host) or a network does not fit. */
ts_status ts_mixed_raise(ts_arena *arena, ts_qnet *net, const ts_data *calibration, const ts_target *target,
                         ts_widths *widths, const ts_progress *progress, ts_mixed *out, ts_diags *diags);

#endif
