/* Maximum pooling of elements of 4 and 2 bits, eight or sixteen in a word, as they lie (pool.h). */
#include "kernels/xpulp/pool.h"

void max_pool_xpulp_sub8(const struct ts_conv_tile *tile) {
    struct ts_conv_tile t = *tile; /* channels are bytes of a pixel from here on */
    uint32_t bits = tile->x_c * ref_bits(tile->x_type), keep = bits % 8u == 0 ? 0 : 255u & 255u << bits % 8u;
    t.x_c = t.y_c = (uint16_t)((bits + 7u) / 8u);
    switch (tile->x_type) {
        case TS_ELEM_U4:
            maximum(&t, TS_ELEM_U4, keep);
            break;
        case TS_ELEM_S4:
            maximum(&t, TS_ELEM_S4, keep);
            break;
        case TS_ELEM_U2:
            maximum(&t, TS_ELEM_U2, keep);
            break;
        default:
            maximum(&t, TS_ELEM_S2, keep);
            break;
    }
}
