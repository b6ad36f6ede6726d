/* void linear_pair_<types>(x, w0, w1, words, acc[8]) and linear_one_<types>(x, w0, -, words, acc[4]): dot products
 * of one input vector with two groups, or one, of 4 channels packed as for the 4x4 convolution. 17 instructions
 * and cycles for 32 multiply-accumulates, 9 for 16. With inputs of 16 bits there is linear_one alone: the low
 * and the high bytes of four inputs in turn, 17 instructions for 16.
 * linear_sums_<types>: as linear_pair, but the sums begin with the biases, which lie behind the groups' weights. */
#include "xpulp.inc"

#define XP  a0
#define WP0 a1
#define WP1 a2
#define N   a3
#define ACC a4
#define X   a5
#define A0  t0
#define A1  t1
#define A2  t2
#define A3  t3
#define A4  t4
#define A5  t5
#define A6  t6
#define A7  a6
#define W0  a7
#define W1  s0
#define W2  s1
#define W3  ra

.option norvc
.option norelax

.macro enter name
    .section .text.\name, "ax"
    .balign 16
    .globl \name
    .type \name, @function
\name:
    addi sp, sp, -16
    sw s0, 0(sp)
    sw s1, 4(sp)
    sw ra, 8(sp)
.endm

.macro leave name
    lw s0, 0(sp)
    lw s1, 4(sp)
    lw ra, 8(sp)
    addi sp, sp, 16
    ret
    .size \name, . - \name
.endm

.macro zero accumulators:vararg
    .irp a, \accumulators
    mv \a, zero
    .endr
.endm

/* Eight sums that begin with what the accumulators hold. */
.macro pair_loop name, sdot
    lp.setup 0, N, .L\name\()_end
    p.lw_pi X, XP, 4
    p.lw_pi W0, WP0, 4
    p.lw_pi W1, WP0, 4
    p.lw_pi W2, WP0, 4
    p.lw_pi W3, WP0, 4
    \sdot A0, X, W0
    p.lw_pi W0, WP1, 4
    \sdot A1, X, W1
    p.lw_pi W1, WP1, 4
    \sdot A2, X, W2
    p.lw_pi W2, WP1, 4
    \sdot A3, X, W3
    p.lw_pi W3, WP1, 4
    \sdot A4, X, W0
    \sdot A5, X, W1
    \sdot A6, X, W2
    \sdot A7, X, W3
.L\name\()_end:
    .irp a, A0, A1, A2, A3, A4, A5, A6, A7
    p.sw_pi \a, ACC, 4
    .endr
    leave \name
.endm

.macro linear_routines types, sdot
    enter linear_pair_\types
    zero A0, A1, A2, A3, A4, A5, A6, A7
    pair_loop linear_pair_\types, \sdot

    enter linear_sums_\types
    slli X, N, 4
    p.lw_rr A0, WP0, X
    p.lw_rr A4, WP1, X
    addi X, X, 4
    p.lw_rr A1, WP0, X
    p.lw_rr A5, WP1, X
    addi X, X, 4
    p.lw_rr A2, WP0, X
    p.lw_rr A6, WP1, X
    addi X, X, 4
    p.lw_rr A3, WP0, X
    p.lw_rr A7, WP1, X
    pair_loop linear_sums_\types, \sdot

    enter linear_one_\types
    zero A0, A1, A2, A3
    lp.setup 0, N, .Lone_\types
    p.lw_pi X, XP, 4
    p.lw_pi W0, WP0, 4
    p.lw_pi W1, WP0, 4
    p.lw_pi W2, WP0, 4
    p.lw_pi W3, WP0, 4
    \sdot A0, X, W0
    \sdot A1, X, W1
    \sdot A2, X, W2
    \sdot A3, X, W3
.Lone_\types:
    .irp a, A0, A1, A2, A3
    p.sw_pi \a, ACC, 4
    .endr
    leave linear_one_\types
.endm

linear_routines u8, pv.sdotusp.b
linear_routines s8, pv.sdotsp.b

    enter linear_one_s16
    sw s2, 12(sp)
    zero A0, A1, A2, A3, A4, A5, A6, A7
    li s2, 0x06040200
    li WP1, 0x07050301
    lp.setup 0, N, .Lone_s16
    p.lw_pi X, XP, 4
    p.lw_pi W3, XP, 4
    p.lw_pi W0, WP0, 4
    mv W1, X
    pv.shuffle2.b X, W3, s2
    pv.shuffle2.b W1, W3, WP1
    p.lw_pi W2, WP0, 4
    pv.sdotusp.b A0, X, W0
    pv.sdotsp.b A4, W1, W0
    p.lw_pi W0, WP0, 4
    pv.sdotusp.b A1, X, W2
    pv.sdotsp.b A5, W1, W2
    p.lw_pi W2, WP0, 4
    pv.sdotusp.b A2, X, W0
    pv.sdotsp.b A6, W1, W0
    pv.sdotusp.b A3, X, W2
    pv.sdotsp.b A7, W1, W2
.Lone_s16:
    slli A4, A4, 8
    slli A5, A5, 8
    slli A6, A6, 8
    slli A7, A7, 8
    add A0, A0, A4
    add A1, A1, A5
    add A2, A2, A6
    add A3, A3, A7
    .irp a, A0, A1, A2, A3
    p.sw_pi \a, ACC, 4
    .endr
    lw s2, 12(sp)
    leave linear_one_s16
