/* Depthwise convolution where x or y has 4 or 2 bits: the tile's x is unpacked to bytes once, the kernels of
 * bytes compute bytes, and those are packed. The team waits between the three. Scratch: x in bytes, y in
 * bytes, then what the kernel of bytes needs. */
#include "kernels/xpulp/sub8.h"

/* An application has the declarations of the kernels that its layers call, and no others. */
void dwconv_xpulp_u8s8_k3(const struct ts_conv_tile *tile);
void dwconv_xpulp_b8s8(const struct ts_conv_tile *tile);

/* Does the faster kernel serve it? src/plan/kernel_xpulp.c asks the same; weights are packed alike. */
static bool is_k3(const struct ts_conv_tile *t) {
    return t->x_type == TS_ELEM_U8 && t->k_h == 3 && t->k_w == 3 && t->stride_h == t->stride_w &&
           t->stride_h <= 2 && t->pad_top <= 1 && t->pad_left <= 1 && t->pad_bottom <= 1 && t->pad_right <= 1;
}

void dwconv_xpulp_sub8(const struct ts_conv_tile *tile) {
    const struct ts_conv_tile *t = tile;
    struct ts_conv_tile bytes = *t;
    uint8_t *scratch = t->scratch;
    if (ref_bits(t->x_type) < 8u) {
        bytes.x_row_bytes = sub8_words_up((uint32_t)t->x_w * t->x_c + 16u);
        bytes.x_type = sub8_byte_type(t->x_type);
        bytes.x = scratch;
        sub8_unpack_rows(t, &bytes, scratch, 0, 0);
        scratch += t->x_h * bytes.x_row_bytes;
    }
    bytes.scratch = sub8_place_y(t, &bytes, scratch);
    ts_barrier();
    if (is_k3(&bytes)) { /* calls by name: what calls by pointer has no bound of its stack */
        dwconv_xpulp_u8s8_k3(&bytes);
    } else {
        dwconv_xpulp_b8s8(&bytes);
    }
    ts_barrier();
    if (ref_bits(t->y_type) < 8u) {
        sub8_pack_rows(t, &bytes);
    }
}
