/* ONNX, integer dialects; what is read is computed once where that is cheap. */
#include "fuzz.h"
#include "model/onnx.h"
#include "num/integer.h"

/* One run of a network that the file made up must not pass its types or its arrays. */
static void compute(const ts_graph *graph, ts_diags *diags) {
    uint64_t work = 0;
    for (ts_node_id i = 0; i < graph->nodes.count; i++) {
        const ts_node *node = &graph->nodes.data[i];
        uint64_t out = ts_tensor_elements(&graph->tensors.data[node->output]);
        work += ts_node_macs(graph, node) + out * node->window.kernel_h * node->window.kernel_w + out;
    }
    if (work > 1000000) {
        return;
    }
    const int32_t **inputs = TS_NEW_ARRAY(diags->arena, const int32_t *, graph->inputs.count);
    for (uint32_t i = 0; i < graph->inputs.count; i++) {
        const ts_tensor *in = &graph->tensors.data[graph->inputs.data[i]];
        uint64_t count = ts_tensor_elements(in);
        int32_t *x = TS_NEW_ARRAY(diags->arena, int32_t, count);
        for (uint64_t k = 0; k < count; k++) {
            x[k] = (int32_t)(k % 2 == 0 ? ts_type_low(in->type) : ts_type_high(in->type));
        }
        inputs[i] = x;
    }
    int32_t **values;
    TS_ASSERT(ts_integer_run(graph, diags->arena, inputs, &values, diags) == TS_OK, "fuzz onnx");
}

static void read(ts_bytes file, ts_diags *diags) {
    ts_model_options options = {.input_signed = -1};
    ts_graph *graph;
    ts_status status = ts__onnx_import(diags->arena, file, "fuzz", &options, &graph, diags);
    ts_fuzz_check(status, diags);
    if (status == TS_OK) {
        compute(graph, diags);
    }
}

TS_FUZZ_TARGET(read)
