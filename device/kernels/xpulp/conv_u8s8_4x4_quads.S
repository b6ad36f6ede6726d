#include "xpulp.inc"

#include "conv_block.inc"

conv_quads_routines conv_u8s8_4x4_quads, pv.dotusp.b, pv.sdotusp.b
