/* Time in which cores wait for their instructions, as far as the cost model knows it (docs/cost-model.md):
 * code that runs for the first time comes from L2, and where each core has a small cache of its own the
 * requantisation of each output is fetched again. */
#include <string.h>

#include "plan/planner.h"

/* A shared cache at least so large keeps a kernel's code while layers of other kernels run. */
enum { KEEPS_BYTES = 8192 };

/* Depthwise layers of stride 1 between maps in quads: rows of one long routine. */
static bool runs_long_rows(const ts_layer *l) {
    return l->kind == TS_LAYER_DWCONV && l->x.quads && l->window.stride_w == 1;
}

/* Lines of code that a kernel's first call runs through. */
static double first_lines(const ts_layer *l) {
    switch (l->kind) {
        case TS_LAYER_CONV:
            return 190;
        case TS_LAYER_DWCONV:
            return runs_long_rows(l) ? 240 : 120;
        case TS_LAYER_ADD:
        case TS_LAYER_MUL:
            return 50;
        case TS_LAYER_MOVE:
            return 0;
        default:
            return 25;
    }
}

/* What is new of it where another routine of the same file has run; what a small cache has lost of it since
 * it ran. */
static const double OTHER_ROUTINE = 0.35, AGAIN = 0.65;

static bool same_file(const ts_kernel *a, const ts_kernel *b) {
    size_t length = strcspn(a->sources, " ");
    return length == strcspn(b->sources, " ") && strncmp(a->sources, b->sources, length) == 0;
}

static bool same_routine(const ts_layer_plan *a, const ts_layer_plan *b) {
    return a->kernel == b->kernel && a->layer->rq.class_ == b->layer->rq.class_ &&
           runs_long_rows(a->layer) == runs_long_rows(b->layer);
}

double ts__cold_cycles(const ts_plan *plan, uint32_t layer) {
    const ts_icache *cache = &plan->target->cluster_icache;
    const ts_layer_plan *lp = &plan->layer_plans[layer];
    double again = cache->l1_bytes >= KEEPS_BYTES ? 0 : AGAIN, share = 1;
    for (uint32_t i = 0; i < layer && share > again; i++) {
        const ts_layer_plan *other = &plan->layer_plans[i];
        if (same_routine(other, lp)) {
            share = again;
        } else if (same_file(other->kernel, lp->kernel)) {
            share = OTHER_ROUTINE > again ? OTHER_ROUTINE : again;
        }
    }
    return share * first_lines(lp->layer) * cache->l1_miss_cycles;
}

/* Lines of requantisation an output. */
static double output_lines(const ts_layer *l) {
    static const double lines[TS_RQ_CLASS_COUNT] = {
        [TS_RQC_NONE] = 0.3,  [TS_RQC_S32] = 0.8,    [TS_RQC_S32C] = 1.2,
        [TS_RQC_S64] = 1.6,   [TS_RQC_TFLITE] = 1.6, [TS_RQC_S32D] = 1.6,
        [TS_RQC_S32DC] = 1.7, [TS_RQC_S32R] = 2.2,   [TS_RQC_S32RC] = 2.4};
    return l->kind == TS_LAYER_CONV || runs_long_rows(l) ? lines[l->rq.class_] : 0;
}

double ts__refill_cycles(const ts_target *target, const ts_layer *layer, const ts_tile *tile,
                         uint32_t cores) {
    const ts_icache *cache = &target->cluster_icache;
    double outputs = (double)tile->y_h * tile->y_w * tile->y_c / cores;
    return cache->l0_bytes == 0 ? 0 : outputs * output_lines(layer) * cache->l0_miss_cycles;
}
