/* Dense convolution of unsigned 8-bit activations: 4 pixels x 4 channels at a time (conv_block.h). */
#include "kernels/xpulp/conv_block.h"

CONV_DECLARE(conv_u8s8_4x4);

static const struct conv_routines all = CONV_ROUTINES(conv_u8s8_4x4);

void conv_u8s8_4x4(const struct ts_conv_tile *tile, const struct conv_routines *routines) {
    conv_blocks(tile, routines, 0, true);
}

void conv_xpulp_u8s8_4x4(const struct ts_conv_tile *tile) { conv_u8s8_4x4(tile, &all); }

/* The same where tiles hold their padding: no window leaves x. */
void conv_xpulp_u8s8_4x4_padded(const struct ts_conv_tile *tile) { conv_u8s8_4x4(tile, &all); }
