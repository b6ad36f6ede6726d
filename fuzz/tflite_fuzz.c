/* TensorFlow Lite files. */
#include "fuzz.h"
#include "model/tflite.h"

static void read(ts_bytes file, ts_diags *diags) {
    ts_graph *graph;
    ts_fuzz_check(ts__tflite_import(diags->arena, file, "fuzz", &graph, diags), diags);
}

TS_FUZZ_TARGET(read)
