/* How good an integer network is on labelled data, computed by the program for a target. */
#ifndef TS_RUN_EVALUATE_TARGET_H
#define TS_RUN_EVALUATE_TARGET_H

#include "quant/evaluate.h"
#include "run/run.h"

/* What the samples took there. */
typedef struct ts_target_use {
    uint32_t samples;
    uint64_t cycles, least_cycles, most_cycles; /* of all samples, and of one; 0 where none are counted */
} ts_target_use;

/* Compiles and builds the network once for the target of `options`, runs every sample, and compares every
 * layer with the reference; `input_scale` is a step of the input (0: the quantum that the graph knows). One
 * network input. TS_MISMATCH where a layer differs. */
ts_status ts_evaluate_target(ts_arena *arena, const ts_graph *graph, const ts_run_options *options,
                             double input_scale, const ts_data *data, const ts_progress *progress,
                             ts_score *score, ts_target_use *use, ts_diags *diags);

#endif
