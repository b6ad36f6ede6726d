/* Dense convolution of signed 8-bit activations whose outputs lie in quads (conv_block.h, kernels/tile.h). */
#include "kernels/xpulp/conv_block.h"

CONV_DECLARE(conv_s8s8_4x4_quads);

static const struct conv_routines all = CONV_ROUTINES_QUADS(conv_s8s8_4x4_quads);

void conv_xpulp_s8s8_4x4_quads(const struct ts_conv_tile *tile) { conv_s8s8_4x4(tile, &all); }

/* The same where tiles hold their padding: no window leaves x. */
void conv_xpulp_s8s8_4x4_padded_quads(const struct ts_conv_tile *tile) { conv_s8s8_4x4(tile, &all); }
