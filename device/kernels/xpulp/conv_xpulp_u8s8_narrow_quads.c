/* Pointwise convolution of 8 or 16 channels of unsigned 8-bit activations whose outputs lie in quads: what
 * the routines of conv_narrow.inc leave, parts of a line, is computed 4 pixels x 4 channels at a time. */
#include "kernels/xpulp/conv_block.h"

CONV_DECLARE(conv_u8s8_4x4_quads);
CONV_DECLARE_NARROW(conv_u8s8);

static conv_narrow_routines narrow = CONV_NARROW_TABLE(conv_u8s8);
static const struct conv_routines all = CONV_ROUTINES_NARROW(conv_u8s8_4x4_quads, &narrow);

void conv_xpulp_u8s8_narrow_quads(const struct ts_conv_tile *tile) { conv_u8s8_4x4(tile, &all); }
