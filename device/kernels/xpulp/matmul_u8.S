#include "xpulp.inc"

#include "conv_block.inc"

#include "matmul.inc"

matmul_routines matmul_u8, pv.sdotusp.b
