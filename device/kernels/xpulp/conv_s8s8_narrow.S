#include "xpulp.inc"

#include "conv_block.inc"

#include "conv_narrow.inc"

conv_narrow_routines conv_s8s8, pv.dotsp.b, pv.sdotsp.b
