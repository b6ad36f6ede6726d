/* Sum of x - x_zero over a window, positions outside x adding nothing, and its requantisation, which holds
 * the division. The packed weights are one record of requantisation parameters a channel. */
#include "kernels/kernels.h"
#include "kernels/ref/ref.h"

static int32_t avg_channel(const struct ts_conv_tile *t, uint32_t oy, uint32_t ox, uint32_t oc) {
    int32_t acc = 0;
    for (uint32_t ky = 0; ky < t->k_h; ky++) {
        for (uint32_t kx = 0; kx < t->k_w; kx++) {
            const uint8_t *x = ref_pixel(t, oy, ox, ky, kx);
            acc += x != 0 ? ref_get(x, oc, t->x_type) - t->x_zero : 0;
        }
    }
    const uint8_t *record = (const uint8_t *)t->w + oc * ref_params_bytes(t->rq.kind);
    return ref_requant(&t->rq, (const int32_t *)(const void *)record, acc);
}

void avg_pool_ref(const struct ts_conv_tile *tile) { ref_each_output(tile, avg_channel); }
