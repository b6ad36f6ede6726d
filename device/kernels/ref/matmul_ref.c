/* Rows of x with rows of x2. Outputs are dealt to the cores in fours of channels. */
#include "kernels/kernels.h"
#include "kernels/ref/ref.h"

static int32_t dot(const struct ts_matmul_tile *t, const uint8_t *x, const uint8_t *x2) {
    int32_t acc = 0;
    for (uint32_t k = 0; k < t->x_c; k++) {
        acc += (ref_get(x, k, t->x_type) - t->x_zero) * (ref_get(x2, k, t->x2_type) - t->x2_zero);
    }
    return acc;
}

static int32_t output(const struct ts_matmul_tile *t, const uint8_t *x, const uint8_t *x2, uint32_t n) {
    int32_t acc = dot(t, x, x2 + n * t->x_c);
    if (t->rq.kind == TS_RQ_NONE) {
        return acc;
    }
    const uint8_t *params = (const uint8_t *)t->w + n * ref_params_bytes(t->rq.kind);
    return ref_requant(&t->rq, (const int32_t *)(const void *)params, acc);
}

void matmul_ref(const struct ts_matmul_tile *tile) {
    uint32_t blocks = (tile->y_c + REF_CHANNELS - 1u) / REF_CHANNELS;
    struct ref_share share = ref_share((uint32_t)tile->y_h * tile->y_w * blocks);
    for (uint32_t at = share.begin; at < share.end; at++) {
        uint32_t pixel = at / blocks, n = at % blocks * REF_CHANNELS;
        uint32_t i = pixel / tile->y_w, m = pixel % tile->y_w;
        const uint8_t *x = (const uint8_t *)tile->x + i * tile->x_row_bytes + m * tile->x_c;
        const uint8_t *x2 = (const uint8_t *)tile->x2 + i * tile->x2_row_bytes;
        uint8_t *y = (uint8_t *)tile->y + i * tile->y_row_bytes + m * tile->y_pixel_bytes;
        for (uint32_t end = n + REF_CHANNELS; n < end && n < tile->y_c; n++) {
            ref_put(y, n, tile->y_type, output(tile, x, x2, n));
        }
    }
}
