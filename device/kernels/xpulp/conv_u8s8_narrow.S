#include "xpulp.inc"

#include "conv_block.inc"

#include "conv_narrow.inc"

conv_narrow_routines conv_u8s8, pv.dotusp.b, pv.sdotusp.b
