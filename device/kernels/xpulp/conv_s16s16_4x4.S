/* x of 16 bits as conv_split leaves it, weights of 16 bits in words of high bytes (signed) and of low ones
 * (unsigned): the sums of one half of x with one of the weights. */
#include "xpulp.inc"

#include "conv_block.inc"

/* Bytes of x with signs, bytes of weights without. */
.macro dot_signed_x sum, x, w
    pv.dotusp.b \sum, \w, \x
.endm

.macro sdot_signed_x sum, x, w
    pv.sdotusp.b \sum, \w, \x
.endm

conv_routine_window conv_s16s16_high_high, pv.dotsp.b, pv.sdotsp.b, requant_raw, raw, raw, 8
conv_routine_window conv_s16s16_high_low, dot_signed_x, sdot_signed_x, requant_raw, raw, raw, 8
conv_routine_window conv_s16s16_low_high, pv.dotusp.b, pv.sdotusp.b, requant_raw, raw, raw, 8
conv_routine_window conv_s16s16_low_low, pv.dotup.b, pv.sdotup.b, requant_raw, raw, raw, 8
