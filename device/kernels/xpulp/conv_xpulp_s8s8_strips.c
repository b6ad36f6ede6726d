/* Dense convolution of signed 8-bit activations in strips (conv_strips.h). */
#include "kernels/xpulp/conv_strips.h"

CONV_DECLARE(conv_s8s8_4x4);

static const struct conv_routines all = CONV_ROUTINES(conv_s8s8_4x4);

void conv_xpulp_s8s8_strips(const struct ts_conv_tile *tile) { conv_strips(tile, &all); }
