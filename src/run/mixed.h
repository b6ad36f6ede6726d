/* Bits by what they cost on a target and what they are good for: fewer where they save time and lose nothing,
 * more where they take no more time.
 *
 * The second stage of Free Bits (Rutishauser et al. 2023, "Free Bits: Latency Optimization of Mixed-Precision
 * Quantized Neural Networks on the Edge", section III-B) raises an assignment of bits wherever the target
 * gains nothing by the fewer ones. Before it, bits go down where the simulator says that this saves cycles
 * and calibration samples say that it costs nothing. */
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

/* Changes `widths` (in place: one a layer of `net`). First down, layer by layer, what saves most first: a
 * step from 8 to 4 bits or from 4 to 2 stays where on 96 calibration samples no more of them than before
 * leave the class that the float network gives them, and the error of the outputs is at most twice what it
 * was. Then up to 4 and 8 bits where the network takes no more cycles on `target`. Networks are measured as
 * they would be deployed, with the first calibration sample. Progress counts runs. An error where the target
 * has no cycles (host) or a network does not fit. */
ts_status ts_mixed_choose(ts_arena *arena, ts_qnet *net, const ts_data *calibration, const ts_target *target,
                          ts_widths *widths, const ts_progress *progress, ts_mixed *out, ts_diags *diags);

/* Cycles of a layer with these widths of its weights and of the values around it. */
typedef uint64_t (*ts_mixed_cost)(void *object, uint32_t layer, ts_widths widths);

/* The way down of ts_mixed_choose() alone, with cycles that the caller knows. */
ts_status ts_mixed_lower(ts_arena *arena, ts_qnet *net, const ts_data *calibration, ts_mixed_cost cost,
                         void *object, ts_widths *widths, ts_diags *diags);

#endif
