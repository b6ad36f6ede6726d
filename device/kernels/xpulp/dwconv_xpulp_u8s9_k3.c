/* Depthwise 3x3 convolution of unsigned 8-bit activations with weights of 9 bits, few of which need them
 * (excess.h): all channels are one part. */
#include "kernels/xpulp/excess.h"

/* A program may have no other use for it, and then kernels.h does not declare it. */
void dwconv_xpulp_u8s8_k3(const struct ts_conv_tile *tile);

void dwconv_xpulp_u8s9_k3(const struct ts_conv_tile *tile) {
    excess_run(tile, dwconv_xpulp_u8s8_k3, UINT16_MAX, true);
}
