/* Largest float of a window, where positions outside x never win: minus infinity where there is none. */
#include "kernels/kernels.h"
#include "kernels/ref/real.h"
#include "kernels/ref/ref.h"

static int32_t most_channel(const struct ts_conv_tile *t, uint32_t oy, uint32_t ox, uint32_t oc) {
    const int32_t least = -8388608; /* the bits of minus infinity */
    float most = ref_real_of(least);
    for (uint32_t ky = 0; ky < t->k_h; ky++) {
        for (uint32_t kx = 0; kx < t->k_w; kx++) {
            const uint8_t *x = ref_pixel(t, oy, ox, ky, kx);
            float value = x != 0 ? ref_real_at(x, oc) : most;
            most = value > most ? value : most;
        }
    }
    return ref_bits_of(most);
}

void max_pool_f32_ref(const struct ts_conv_tile *tile) { ref_each_output(tile, most_channel); }
