/* What stands for oneDNN where the build has none: ts_trainer_new() refuses before anything here is called.
 */
#include "train/internal.h"

bool ts_train_available(void) { return false; }

void ts_train_threads(uint32_t count) { (void)count; }

struct ts__backend *ts__backend_new(ts_arena *arena) {
    (void)arena;
    return NULL;
}

void ts__backend_free(struct ts__backend *backend) { (void)backend; }

ts_status ts__conv_new(struct ts__backend *backend, ts_arena *arena, const ts__conv_shape *shape,
                       struct ts__conv **out, const ts_fnode *node, ts_diags *diags) {
    (void)backend, (void)arena, (void)shape, (void)out;
    return ts_error(diags, TS_DIAG_UNSUPPORTED, node->name, ts_fop_name(node->op),
                    "this build has no oneDNN");
}

void ts__conv_forward(struct ts__conv *conv, const float *x, const float *weights, const float *bias,
                      float *y) {
    (void)conv, (void)x, (void)weights, (void)bias, (void)y;
}

void ts__conv_backward(struct ts__conv *conv, const float *x, const float *weights, const float *dy,
                       float *dx, float *dw, float *db) {
    (void)conv, (void)x, (void)weights, (void)dy, (void)dx, (void)dw, (void)db;
}

void ts__product(bool trans_a, bool trans_b, uint64_t m, uint64_t n, uint64_t k, float alpha, const float *a,
                 const float *b, float beta, float *c) {
    (void)trans_a, (void)trans_b, (void)m, (void)n, (void)k, (void)alpha, (void)a, (void)b, (void)beta,
        (void)c;
}
