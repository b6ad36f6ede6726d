/* Convolution and linear layer of floats, in single precision: products are summed row by row, column by
 * column, channel by channel, the bias last, and no product is joined with a sum, so that every machine
 * computes the same bits. A record of the packed weights is the bias and then the weights of a channel. */
#include "kernels/kernels.h"
#include "kernels/ref/real.h"
#include "kernels/ref/ref.h"

static int32_t sum_channel(const struct ts_conv_tile *t, uint32_t oy, uint32_t ox, uint32_t oc) {
    uint32_t in = t->x_c / t->groups, first = oc / (t->y_c / t->groups) * in;
    const int32_t *record = (const int32_t *)t->w + oc * (1u + t->k_h * t->k_w * in), *w = record + 1;
    float sum = 0.0f;
    for (uint32_t ky = 0; ky < t->k_h; ky++) {
        for (uint32_t kx = 0; kx < t->k_w; kx++, w += in) {
            const uint8_t *x = ref_pixel(t, oy, ox, ky, kx);
            for (uint32_t i = 0; x != 0 && i < in; i++) {
                float product = ref_real_at(x, first + i) * ref_real_at(w, i);
                sum = sum + product;
            }
        }
    }
    return ref_map_bits(sum + ref_real_of(record[0]));
}

void conv_f32_ref(const struct ts_conv_tile *tile) { ref_each_output(tile, sum_channel); }
