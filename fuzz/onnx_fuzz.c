/* ONNX, integer dialects; what is read is computed once where that is cheap. */
#include "compute.h"
#include "fuzz.h"
#include "model/onnx.h"

static void read(ts_bytes file, ts_diags *diags) {
    const ts_model_options options = {.allow_float = file.size % 2 == 1, .input_signed = -1};
    ts_graph *graph;
    ts_status status = ts__onnx_import(diags->arena, file, "fuzz", &options, &graph, diags);
    ts_fuzz_check(status, diags);
    if (status == TS_OK) {
        ts_fuzz_compute(graph, diags);
    }
}

TS_FUZZ_TARGET(read)
