#include "xpulp.inc"

#include "conv_k3c3.inc"

k3c3_routine conv_u8s8_k3c3, k3c3_pixels, pv.dotusp.b, pv.sdotusp.b
k3c3_routine conv_u8s8_k3c3_quads, k3c3_quads, pv.dotusp.b, pv.sdotusp.b

/* Offsets in struct conv_k3c3_windows (conv_k3c3.h). */
#define KW_ROW    0
#define KW_STEP   12
#define KW_TO     24
#define KW_COUNT  28
#define KW_BEFORE 32

.macro k3c3_function name
    .section .text.\name, "ax"
    .balign 16
    .globl \name
    .type \name, @function
\name:
.endm

.macro k3c3_rows
    lw a1, KW_ROW(a0)
    lw a2, KW_ROW+4(a0)
    lw a3, KW_ROW+8(a0)
    lw a4, KW_STEP(a0)
    lw a5, KW_STEP+4(a0)
    lw a6, KW_STEP+8(a0)
    lw a7, KW_TO(a0)
.endm

/* void conv_k3c3_windows(const struct conv_k3c3_windows *): windows one by one. */
k3c3_function conv_k3c3_windows
    lw t6, KW_COUNT(a0)
    k3c3_rows
    li t5, 255
    lp.setup 0, t6, .Lwindows_end
    lw t0, 1(a1)
    lw t1, 5(a1)
    p.lbu_pr t2, a1, a4
    p.sw_pi t0, a7, 4
    p.sw_pi t1, a7, 4
    lw t0, 1(a2)
    lw t1, 5(a2)
    p.lbu_pr t3, a2, a5
    p.sw_pi t0, a7, 4
    p.sw_pi t1, a7, 4
    lw t0, 1(a3)
    lw t1, 5(a3)
    p.lbu_pr t4, a3, a6
    p.sw_pi t0, a7, 4
    p.sw_pi t1, a7, 4
    pv.packlo.b t2, t3, t2
    pv.packhi.b t2, t5, t4
    p.sw_pi t2, a7, 4
.Lwindows_end:
    ret
    .size conv_k3c3_windows, . - conv_k3c3_windows

/* One row of two windows, the second 6 bytes behind the first, which begins at byte 1 of a word: `before` is
 * that word, and then the one of the next two windows. */
.macro k3c3_pair_row row, step, before, at
    lw t3, -8(\row)
    lw t4, -4(\row)
    .if \at == 0
    mv t5, \before
    mv t6, t3
    .elseif \at == 8
    pv.shuffle2.b t5, \before, s0
    pv.shuffle2.b t6, t3, s2
    .else
    pv.shuffle2.b t5, \before, s1
    pv.shuffle2.b t6, t3, s3
    .endif
    pv.shuffle2.h \before, t3, a0
    pv.shuffle2.h t3, t4, a0
    sw \before, \at(a7)
    p.lw_pr \before, \row, \step
    sw t3, \at+4(a7)
    sw t4, \at+28(a7)
    sw \before, \at+32(a7)
.endm

/* void conv_k3c3_window_pairs(const struct conv_k3c3_windows *): the same, two windows at a time from words. */
k3c3_function conv_k3c3_window_pairs
    addi sp, sp, -16
    sw s0, 0(sp)
    sw s1, 4(sp)
    sw s2, 8(sp)
    sw s3, 12(sp)
    k3c3_rows
    lw t6, KW_COUNT(a0)
    lw t0, KW_BEFORE(a0)
    lw t1, KW_BEFORE+4(a0)
    lw t2, KW_BEFORE+8(a0)
    li a0, 0x00020001 /* the upper half of one, the lower of the other */
    li s0, 0x00000501 /* byte 1 of each of three, one after the other */
    li s1, 0x00050100
    li s2, 0x00000703 /* byte 3 */
    li s3, 0x00070100
    addi a1, a1, 11
    addi a2, a2, 11
    addi a3, a3, 11
    lp.setup 0, t6, .Lpairs_end
    k3c3_pair_row a1, a4, t0, 0
    k3c3_pair_row a2, a5, t1, 8
    k3c3_pair_row a3, a6, t2, 16
    p.bset t5, t5, 7, 24
    p.bset t6, t6, 7, 24
    sw t5, 24(a7)
    sw t6, 52(a7)
    addi a7, a7, 56
.Lpairs_end:
    lw s0, 0(sp)
    lw s1, 4(sp)
    lw s2, 8(sp)
    lw s3, 12(sp)
    addi sp, sp, 16
    ret
    .size conv_k3c3_window_pairs, . - conv_k3c3_window_pairs
