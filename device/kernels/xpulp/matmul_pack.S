/* Rows of a second matrix as weights of the 4x4 block, and sums of rows (matmul_block.h). 8 instructions for 16
 * bytes, 16 with their sums; loads that cross words take a cycle more. */
#include "xpulp.inc"

#define MP_TO    16
#define MP_WORDS 20
#define MP_MASK  24
#define MP_FLIP  28
#define MP_SUMS  32

#define R0   t0
#define R1   t1
#define R2   t2
#define R3   t3
#define TO   t4
#define N    t5
#define MASK t6
#define FLIP a1
#define ONES a2
#define W0   a3
#define W1   a4
#define W2   a5
#define W3   a6
#define S0   a7
#define S1   s0
#define S2   s1
#define S3   s2

.option norvc
.option norelax

/* A word of each row. */
.macro pack_step sums, masked
    p.lw_pi W0, R0, 4
    p.lw_pi W1, R1, 4
    p.lw_pi W2, R2, 4
    p.lw_pi W3, R3, 4
    .if \sums
    .irp w, W0, W1, W2, W3
    xor \w, \w, FLIP
    .endr
    .endif
    .if \masked
    .irp w, W0, W1, W2, W3
    and \w, \w, MASK
    .endr
    .endif
    .if \sums
    pv.sdotsp.b S0, W0, ONES
    pv.sdotsp.b S1, W1, ONES
    pv.sdotsp.b S2, W2, ONES
    pv.sdotsp.b S3, W3, ONES
    .endif
    p.sw_pi W0, TO, 4
    p.sw_pi W1, TO, 4
    p.sw_pi W2, TO, 4
    p.sw_pi W3, TO, 4
.endm

.macro pack name, sums
    .section .text.\name, "ax"
    .balign 16
    .globl \name
    .type \name, @function
\name:
    lw R0, 0(a0)
    lw R1, 4(a0)
    lw R2, 8(a0)
    lw R3, 12(a0)
    lw TO, MP_TO(a0)
    lw N, MP_WORDS(a0)
    lw MASK, MP_MASK(a0)
    .if \sums
    addi sp, sp, -16
    sw s0, 0(sp)
    sw s1, 4(sp)
    sw s2, 8(sp)
    lw FLIP, MP_FLIP(a0)
    li ONES, 0x01010101
    .irp s, S0, S1, S2, S3
    mv \s, zero
    .endr
    .endif
    beqz N, .L\name\()_last
    lp.setup 0, N, .L\name\()_end
    pack_step \sums, 0
.L\name\()_end:
.L\name\()_last:
    beqz MASK, .L\name\()_done
    pack_step \sums, 1
.L\name\()_done:
    sw TO, MP_TO(a0)
    .if \sums
    sw S0, MP_SUMS(a0)
    sw S1, MP_SUMS+4(a0)
    sw S2, MP_SUMS+8(a0)
    sw S3, MP_SUMS+12(a0)
    lw s0, 0(sp)
    lw s1, 4(sp)
    lw s2, 8(sp)
    addi sp, sp, 16
    .endif
    ret
    .size \name, . - \name
.endm

pack matmul_pack, 0
pack matmul_pack_sums, 1

/* int32_t matmul_sum_<type>(row, words, mask). */
.macro sum name, sdot
    .section .text.\name, "ax"
    .balign 16
    .globl \name
    .type \name, @function
\name:
    li a4, 0x01010101
    mv a5, zero
    beqz a1, .L\name\()_last
    lp.setup 0, a1, .L\name\()_end
    p.lw_pi a3, a0, 4
    \sdot a5, a3, a4
.L\name\()_end:
.L\name\()_last:
    lw a3, 0(a0)
    and a3, a3, a2
    \sdot a5, a3, a4
    mv a0, a5
    ret
    .size \name, . - \name
.endm

sum matmul_sum_u8, pv.sdotusp.b
sum matmul_sum_s8, pv.sdotsp.b
