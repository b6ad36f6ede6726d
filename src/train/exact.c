/* Forward passes of sums that stay exact (num/exact.h): by oneDNN in float32 where that holds every partial
 * sum of this batch with these weights, else in doubles. */
#include "train/internal.h"

void ts__exact_prepare(ts_trainer *t, ts_node_id id) {
    const ts_fnode *n = &t->graph->nodes.data[id];
    ts__memory *m = &t->memories[id];
    if (n->op != TS_FOP_ADD) {
        m->exact = ts_exact_shape_of(t->graph, n);
    }
    if (n->op == TS_FOP_CONV || n->op == TS_FOP_GEMM) {
        m->room = TS_NEW_ARRAY(t->arena, double, ts_exact_room(&m->exact));
    }
}

static bool fits_float(const ts__step *s, const float *bias) {
    uint64_t rows = s->memory->exact.out_c;
    return ts_exact_in_float(s->node->unit, s->x[0]->data, s->x[0]->elements * s->t->batch, s->x[1]->data,
                             bias, rows, s->x[1]->elements / rows);
}

bool ts__exact_forward(const ts__step *s) {
    const ts_exact_shape *shape = &s->memory->exact;
    const float *bias = s->node->input_count == 3 ? s->x[2]->data : NULL;
    if (!ts_exact(s->node)) {
        return false;
    }
    switch (s->node->op) {
        case TS_FOP_ADD:
            for (uint64_t i = 0; i < s->y->elements * s->t->batch; i++) {
                s->y->data[i] = ts_exact_round(s->node, (double)s->x[0]->data[i] + (double)s->x[1]->data[i]);
            }
            return true;
        case TS_FOP_AVG_POOL:
            ts_exact_pool(s->node, shape, s->t->batch, s->x[0]->data, s->y->data);
            return true;
        default:
            if (fits_float(s, bias)) {
                return false;
            }
            ts_exact_conv(s->node, shape, s->t->batch, s->x[0]->data, s->x[1]->data, bias, s->memory->room,
                          s->y->data);
            return true;
    }
}
