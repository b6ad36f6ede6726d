/* TensorFlow Lite files, as integer networks and as float ones; an integer network is computed once where
 * that is cheap. */
#include "compute.h"
#include "fuzz.h"
#include "model/tflite.h"

static void read(ts_bytes file, ts_diags *diags) {
    const ts_model_options options = {.allow_float = file.size % 8 >= 4, .input_signed = -1};
    ts_graph *graph;
    ts_fgraph *real;
    ts_diags other = {.arena = diags->arena};
    ts_status status = ts__tflite_import(diags->arena, file, "fuzz", &options, &graph, diags);
    ts_fuzz_check(status, diags);
    if (status == TS_OK) {
        ts_fuzz_compute(graph, diags);
    }
    ts_fuzz_check(ts__tflite_float_import(diags->arena, file, "fuzz", &real, &other), &other);
}

TS_FUZZ_TARGET(read)
