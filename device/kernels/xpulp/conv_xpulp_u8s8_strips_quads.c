/* Dense convolution of unsigned 8-bit activations in strips, whose outputs lie in quads (conv_strips.h,
 * kernels/tile.h). */
#include "kernels/xpulp/conv_strips.h"

CONV_DECLARE(conv_u8s8_4x4_quads);

static const struct conv_routines all = CONV_ROUTINES_QUADS(conv_u8s8_4x4_quads);

void conv_xpulp_u8s8_strips_quads(const struct ts_conv_tile *tile) { conv_strips(tile, &all); }
