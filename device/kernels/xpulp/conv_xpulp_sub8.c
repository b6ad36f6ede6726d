/* Dense convolution and linear layers where x or y has 4 or 2 bits: the tile's x is unpacked to bytes once,
 * its padding filled in, the 4x4 block computes bytes (conv_block.h), and those are packed. The team waits
 * between the three. Scratch: x in bytes, y in bytes, then what the convolution gathers. */
#include "kernels/xpulp/conv_block.h"
#include "kernels/xpulp/sub8.h"

CONV_DECLARE(conv_u8s8_4x4);
CONV_DECLARE(conv_s8s8_4x4);

static const struct conv_routines u8 = CONV_ROUTINES(conv_u8s8_4x4), s8 = CONV_ROUTINES(conv_s8s8_4x4);

/* src/plan/kernel_xpulp.c reckons with the same sizes. */
void conv_xpulp_sub8(const struct ts_conv_tile *tile) {
    const struct ts_conv_tile *t = tile;
    struct ts_conv_tile bytes = *t;
    uint8_t *scratch = t->scratch;
    if (ref_bits(t->x_type) < 8u) {
        bytes.x_h = (uint16_t)((t->y_h - 1u) * t->stride_h + (t->k_h - 1u) * t->dilation_h + 1u);
        bytes.x_w = (uint16_t)((t->y_w - 1u) * t->stride_w + (t->k_w - 1u) * t->dilation_w + 1u);
        bytes.x_row_bytes = sub8_words_up((uint32_t)bytes.x_w * t->x_c + 16u);
        bytes.x_type = sub8_byte_type(t->x_type);
        bytes.x = scratch;
        bytes.pad_top = bytes.pad_left = bytes.pad_bottom = bytes.pad_right = 0;
        sub8_unpack_rows(t, &bytes, scratch, t->pad_top, t->pad_left);
        scratch += bytes.x_h * bytes.x_row_bytes;
    }
    bytes.scratch = sub8_place_y(t, &bytes, scratch);
    ts_barrier();
    conv_blocks(&bytes, bytes.x_type == TS_ELEM_S8 ? &s8 : &u8, 0, false);
    ts_barrier();
    if (ref_bits(t->y_type) < 8u) {
        sub8_pack_rows(t, &bytes);
    }
}
