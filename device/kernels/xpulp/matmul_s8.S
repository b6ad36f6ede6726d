#include "xpulp.inc"

#include "conv_block.inc"

#include "matmul.inc"

matmul_routines matmul_s8, pv.sdotsp.b
