#include "xpulp.inc"

#include "conv_block.inc"

conv_routines conv_u8s8_4x4, pv.dotusp.b, pv.sdotusp.b
