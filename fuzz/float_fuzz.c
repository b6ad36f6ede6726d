/* ONNX, float networks: import, folding of constants, and the quantiser's normal form. */
#include "compute.h"
#include "fuzz.h"
#include "model/float_model.h"
#include "num/float.h"
#include "quant/net.h"

/* Work that folding would take; a file may ask for much by multiplying its own constants. */
static uint64_t work_of(const ts_fgraph *graph) {
    uint64_t work = 0;
    for (uint32_t i = 0; i < graph->nodes.count; i++) {
        const ts_fnode *n = &graph->nodes.data[i];
        uint64_t out = ts_ftensor_elements(&graph->tensors.data[n->output]);
        work += ts_fnode_macs(graph, n) + out * (1 + (uint64_t)n->window.kernel_h * n->window.kernel_w);
    }
    return work;
}

static void read(ts_bytes file, ts_diags *diags) {
    ts_fgraph *graph;
    ts_qnet *net;
    ts_status status = ts_float_model_parse(diags->arena, file, "fuzz", NULL, &graph, diags);
    ts_fuzz_check(status, diags);
    if (status != TS_OK || work_of(graph) > TS_FUZZ_MOST_WORK) {
        return;
    }
    ts_fgraph_fold(graph);
    status = ts_qnet_read(diags->arena, graph, &net, diags);
    ts_fuzz_check(status, diags);
    if (status == TS_OK) {
        ts_qnet_equalise(net);
    }
}

TS_FUZZ_TARGET(read)
