#include "run/evaluate_target.h"

#include "model/float_model.h"
#include "num/float.h"

/* The program, and what it took so far. */
typedef struct chip {
    ts_deployed *deployed;
    ts_tensor_id output;
    ts_target_use use;
} chip;

static ts_status run_on_chip(void *object, ts_arena *scratch, const int32_t *input, const int32_t **output,
                             ts_diags *diags) {
    chip *c = object;
    int32_t **values;
    uint64_t cycles;
    TS_TRY(ts_deployed_run(c->deployed, scratch, &input, &values, &cycles, diags));
    c->use.least_cycles = c->use.samples == 0 || cycles < c->use.least_cycles ? cycles : c->use.least_cycles;
    c->use.most_cycles = cycles > c->use.most_cycles ? cycles : c->use.most_cycles;
    c->use.cycles += cycles;
    c->use.samples++;
    *output = values[c->output];
    return TS_OK;
}

ts_status ts_evaluate_target(ts_arena *arena, const ts_graph *graph, const ts_run_options *options,
                             double input_scale, const ts_data *data, const ts_progress *progress,
                             ts_score *score, ts_target_use *use, ts_diags *diags) {
    chip c = {0};
    if (graph->inputs.count != 1) {
        return ts_error(diags, TS_DIAG_UNSUPPORTED, NULL, NULL, "the network has %u inputs; one is evaluated",
                        graph->inputs.count);
    }
    c.output = graph->outputs.data[0];
    ts_machine machine = {run_on_chip, &c};
    TS_TRY(ts_deploy(arena, graph, options, &c.deployed, diags));
    ts_status status = ts_evaluate_integer(arena, graph, input_scale, data, &machine, progress, score, diags);
    ts_status removed = ts_deployed_free(c.deployed, diags);
    *use = c.use;
    return status != TS_OK ? status : removed;
}

ts_status ts_evaluate_file(ts_arena *arena, const char *path, const ts_model_options *reading,
                           const ts_run_options *run, double input_scale, const ts_data *data,
                           const ts_progress *progress, ts_evaluation *out, ts_diags *diags) {
    ts_graph *integer;
    ts_fgraph *real;
    ts_diags quiet = {.arena = arena, .file = path};
    double scale = input_scale > 0 ? input_scale : ts_model_input_scale(arena, path);
    *out = (ts_evaluation){.integer = true};
    if (run != NULL) {
        TS_TRY(ts_model_read(arena, path, reading, &integer, diags));
        return ts_evaluate_target(arena, integer, run, scale, data, progress, &out->score, &out->use, diags);
    }
    if (ts_model_read(arena, path, reading, &integer, &quiet) == TS_OK) {
        return ts_evaluate_integer(arena, integer, scale, data, NULL, progress, &out->score, diags);
    }
    out->integer = false;
    TS_TRY(ts_float_model_read(arena, path, NULL, &real, diags));
    ts_fgraph_fold(real);
    return ts_evaluate_float(arena, real, data, progress, &out->score, diags);
}
