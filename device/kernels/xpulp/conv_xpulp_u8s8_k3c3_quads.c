/* Dense convolution of unsigned 8-bit activations of three channels, 3x3, whose outputs lie in quads
 * (conv_k3c3.h). */
#include "kernels/xpulp/conv_k3c3.h"

void conv_xpulp_u8s8_k3c3_quads(const struct ts_conv_tile *tile) {
    conv_k3c3(tile, conv_u8s8_k3c3_quads, true);
}
