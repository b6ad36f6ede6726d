/* void max_2x2_<type>(a, b, c, d, y, words): the largest of four pixels, a word of channels at a time; words >= 1.
 * 8 instructions and cycles a word. */
#include "xpulp.inc"

.option norvc
.option norelax

.macro max_routine type, max
    .section .text.max_2x2_\type, "ax"
    .balign 16
    .globl max_2x2_\type
    .type max_2x2_\type, @function
max_2x2_\type:
    lp.setup 0, a5, .Lend_\type
    p.lw_pi t0, a0, 4
    p.lw_pi t1, a1, 4
    p.lw_pi t2, a2, 4
    p.lw_pi t3, a3, 4
    \max t0, t0, t1
    \max t2, t2, t3
    \max t0, t0, t2
    p.sw_pi t0, a4, 4
.Lend_\type:
    ret
    .size max_2x2_\type, . - max_2x2_\type
.endm

max_routine u8, pv.maxu.b
max_routine s8, pv.max.b
