/* Depthwise 3x3 convolution of unsigned 8-bit activations, stride 1 or 2, padding of at most 1 (dw_block.h).
 */
#include "kernels/xpulp/dw_block.h"

dw_routine XPULP_NAMES(dw_k3s1), XPULP_NAMES(dw_k3s2), XPULP_NAMES(dw_k3s2p);

static dw_routine *const s1[XPULP_MODE_COUNT] = XPULP_TABLE(dw_k3s1);
static dw_routine *const s2[XPULP_MODE_COUNT] = XPULP_TABLE(dw_k3s2);
static dw_routine *const s2p[XPULP_MODE_COUNT] = XPULP_TABLE(dw_k3s2p);

void dwconv_xpulp_u8s8_k3(const struct ts_conv_tile *tile) {
    dw_run(tile, tile->stride_h == 1 ? s1 : tile->pad_left == 0 ? s2 : s2p);
}
