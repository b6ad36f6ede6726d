/* A function of one element, by table: the weights are one byte for every bit pattern of an element of x. */
#include "kernels/kernels.h"
#include "kernels/ref/ref.h"

static int32_t lut_channel(const struct ts_conv_tile *t, uint32_t oy, uint32_t ox, uint32_t oc) {
    uint32_t bits = (uint32_t)ref_get(ref_pixel(t, oy, ox, 0, 0), oc, t->x_type);
    return ((const uint8_t *)t->w)[bits & ((1u << ref_bits(t->x_type)) - 1u)];
}

void lut_ref(const struct ts_conv_tile *tile) {
    uint32_t row = (uint32_t)tile->y_w * tile->y_c;
    if (ref_bits(tile->x_type) < 8u || ref_bits(tile->y_type) < 8u || tile->x_row_bytes != row ||
        tile->y_row_bytes != row) {
        ref_each_output(tile, lut_channel);
        return;
    }
    const uint8_t *x = (const uint8_t *)tile->x, *table = (const uint8_t *)tile->w;
    uint8_t *y = (uint8_t *)tile->y;
    struct ref_share share = ref_share(row * tile->y_h);
    for (uint32_t i = share.begin; i < share.end; i++) {
        y[i] = table[x[i]];
    }
}
