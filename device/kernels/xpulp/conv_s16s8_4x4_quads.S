/* x of 16 bits as conv_split leaves it; weights are bytes. */
#include "xpulp.inc"

#include "conv_block.inc"

.set conv_quads, 1
xpulp_modes conv_wide_routines_of, conv_s16s8_4x4_quads
