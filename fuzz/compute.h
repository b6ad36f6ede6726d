/* Computing a network that a fuzz target read, where that is cheap. */
#ifndef TS_FUZZ_COMPUTE_H
#define TS_FUZZ_COMPUTE_H

#include "num/integer.h"

/* What takes longer is left out, or one input would cost the time of a thousand others. */
enum { TS_FUZZ_MOST_WORK = 20000 };

/* One run of a network that the file made up must not pass its types or its arrays. */
static inline void ts_fuzz_compute(const ts_graph *graph, ts_diags *diags) {
    uint64_t work = 0;
    for (ts_node_id i = 0; i < graph->nodes.count; i++) {
        const ts_node *node = &graph->nodes.data[i];
        uint64_t out = ts_tensor_elements(&graph->tensors.data[node->output]);
        work += ts_node_macs(graph, node) + out * node->window.kernel_h * node->window.kernel_w + out;
    }
    if (work > TS_FUZZ_MOST_WORK) {
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
    TS_ASSERT(ts_integer_run(graph, diags->arena, inputs, &values, diags) == TS_OK, "fuzz compute");
}

#endif
