#include "xpulp.inc"

#include "conv_block.inc"

conv_routines conv_s8s8_4x4, pv.dotsp.b, pv.sdotsp.b
