/* The weights are widened to 16 bits where they are packed. */
#include "xpulp.inc"

#include "conv_block.inc"

conv_routines conv_s16s8_4x4, pv.dotsp.h, pv.sdotsp.h
