/* Maximum over a window, where positions outside x never win. Without a requantisation (rq.kind NONE) the
 * packed weights are empty; with one they are one record of its parameters a channel. */
#include "kernels/kernels.h"
#include "kernels/ref/ref.h"

static int32_t max_channel(const struct ts_conv_tile *t, uint32_t oy, uint32_t ox, uint32_t oc) {
    int32_t max = ref_low(t->x_type);
    for (uint32_t ky = 0; ky < t->k_h; ky++) {
        for (uint32_t kx = 0; kx < t->k_w; kx++) {
            const uint8_t *x = ref_pixel(t, oy, ox, ky, kx);
            int32_t value = x != 0 ? ref_get(x, oc, t->x_type) : max;
            max = value > max ? value : max;
        }
    }
    if (t->rq.kind == TS_RQ_NONE) {
        return max;
    }
    const uint8_t *record = (const uint8_t *)t->w + oc * ref_params_bytes(t->rq.kind);
    return ref_requant(&t->rq, (const int32_t *)(const void *)record, max);
}

void max_pool_ref(const struct ts_conv_tile *tile) { ref_each_output(tile, max_channel); }
