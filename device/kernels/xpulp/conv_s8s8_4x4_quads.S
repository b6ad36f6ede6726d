#include "xpulp.inc"

#include "conv_block.inc"

conv_quads_routines conv_s8s8_4x4_quads, pv.dotsp.b, pv.sdotsp.b
