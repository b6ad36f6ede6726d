/* Depthwise 3x3 convolution of unsigned 8-bit activations in quads, padding 1, stride 1 or 2 (dw_quads.h). */
#include "kernels/xpulp/dw_quads.h"

dw_quads_routine DW_QUADS_NAMES(dw_quads_s1), DW_QUADS_NAMES(dw_quads_s2);

static dw_quads_routine *const s1[DW_QUADS_MODES] = DW_QUADS_TABLE(dw_quads_s1);
static dw_quads_routine *const s2[DW_QUADS_MODES] = DW_QUADS_TABLE(dw_quads_s2);

void dwconv_xpulp_u8s8_k3_quads(const struct ts_conv_tile *tile) {
    dw_quads_run(tile, (tile->stride_h == 1 ? s1 : s2)[dw_quads_mode(tile)]);
}
