/* x of 16 bits into bytes. */
#include "xpulp.inc"

/* uint32_t conv_split(x, words): each 8 bytes of x, which are four elements, become their low bytes and their
 * high bytes. Returns the OR of the high ones. 8 cycles for four elements. */
    .section .text.conv_split, "ax"
    .balign 16
    .globl conv_split
    .type conv_split, @function
conv_split:
    li a2, 0x06040200
    li a3, 0x07050301
    mv a4, a0
    mv a5, zero
    lp.setup 0, a1, .Lsplit
    p.lw_pi t0, a0, 4
    p.lw_pi t1, a0, 4
    mv t2, t0
    pv.shuffle2.b t0, t1, a2
    pv.shuffle2.b t2, t1, a3
    p.sw_pi t0, a4, 4
    p.sw_pi t2, a4, 4
    or a5, a5, t2
.Lsplit:
    mv a0, a5
    ret
    .size conv_split, . - conv_split
