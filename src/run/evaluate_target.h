/* How good a network is on labelled data, computed here or by the program for a target. */
#ifndef TS_RUN_EVALUATE_TARGET_H
#define TS_RUN_EVALUATE_TARGET_H

#include "model/model.h"
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

typedef struct ts_evaluation {
    bool integer; /* else a float network */
    ts_score score;
    ts_target_use use; /* 0 samples: nothing ran on a target */
} ts_evaluation;

/* Reads the model file `path` and runs it on every sample: on a target with `run` (only its fields target,
 * plan and jobs are needed), else here, as an integer network where the integer importer reads it and as a
 * float one where it does not. `input_scale` as above; 0: what the JSON beside the file says, or the graph.
 */
ts_status ts_evaluate_file(ts_arena *arena, const char *path, const ts_model_options *reading,
                           const ts_run_options *run, double input_scale, const ts_data *data,
                           const ts_progress *progress, ts_evaluation *out, ts_diags *diags);

#endif
