/* Depthwise 3x3 convolution of unsigned 8-bit activations, stride 1 or 2, padding of at most 1 (dw_block.h).
 */
#include "kernels/xpulp/dw_block.h"

#define DECLARE(prefix) dw_routine prefix##_u8, prefix##_bound, prefix##_s32c, prefix##_s32d, prefix##_raw

DECLARE(dw_k3s1);
DECLARE(dw_k3s2);
DECLARE(dw_k3s2p);

static dw_routine *const s1[DW_MODES] = XPULP_TABLE(dw_k3s1);
static dw_routine *const s2[DW_MODES] = XPULP_TABLE(dw_k3s2);
static dw_routine *const s2p[DW_MODES] = XPULP_TABLE(dw_k3s2p);

void dwconv_xpulp_u8s8_k3(const struct ts_conv_tile *tile) {
    dw_run(tile, tile->stride_h == 1 ? s1 : tile->pad_left == 0 ? s2 : s2p);
}
