/* Mean of floats over what of a window lies in the map, in single precision: summed row by row, column by
 * column, then divided by their number. */
#include "kernels/kernels.h"
#include "kernels/ref/real.h"
#include "kernels/ref/ref.h"

static int32_t mean_channel(const struct ts_conv_tile *t, uint32_t oy, uint32_t ox, uint32_t oc) {
    float sum = 0.0f;
    uint32_t count = 0;
    for (uint32_t ky = 0; ky < t->k_h; ky++) {
        for (uint32_t kx = 0; kx < t->k_w; kx++) {
            const uint8_t *x = ref_pixel(t, oy, ox, ky, kx);
            if (x != 0) {
                sum = sum + ref_real_at(x, oc);
                count++;
            }
        }
    }
    return ref_map_bits(sum / (float)count);
}

void avg_pool_f32_ref(const struct ts_conv_tile *tile) { ref_each_output(tile, mean_channel); }
