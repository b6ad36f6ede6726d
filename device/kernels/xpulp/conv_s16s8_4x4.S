/* x of 16 bits as conv_split leaves it; weights are bytes. */
#include "xpulp.inc"

#include "conv_block.inc"

xpulp_modes conv_wide_routines_of, conv_s16s8_4x4
xpulp_rounded conv_wide_routines_of, conv_s16s8_4x4
conv_wide_routine conv_s16s8_4x4_raw, requant_raw, raw, raw
