/* void dw_taps_k<n>s<stride>(struct dw_taps *): rows of outputs of a depthwise convolution of unsigned
 * bytes, windows 3, 5 or 7 columns wide, stride 1 or 2 along the row, as sums of 32 bits, whole fours a row.
 *
 * Windows begin on words of x, and a kernel row's taps are there shifted by every byte that an output's window
 * stands behind its word: no load crosses a word, and a word of x or of taps serves two to four outputs. Eight
 * outputs of a kernel row of 5: 3 loads of x, 8 of taps, 16 products of 4 bytes. A row of fours of outputs
 * that are odd in number ends in four. Registers are kept in the struct: routines have no stack. */
#include "xpulp.inc"

.option norvc
.option norelax

/* Offsets in struct dw_taps (dwconv_xpulp_u8s8_k357.c). */
#define DT_X      0
#define DT_PITCH  4
#define DT_TAPS   8
#define DT_ROWS   12
#define DT_PAIRS  16
#define DT_SINGLE 20
#define DT_SUMS   24
#define DT_LINES  28
#define DT_STEP   32
#define DT_SAVED  36

/* a0 .. a7: sums; t0 .. t5: words of x. */
#define WA   t6
#define WB   s0
#define XP   s1
#define WP   s2
#define PIT  s3
#define X0   s4 /* of the block */
#define TAPS s5
#define SUMS s6
#define ROWS s7
#define SINGLE s8
#define BLOCK  s9  /* the arguments */
#define LINES  s10
#define LINE   s11 /* x of the row of outputs */

.macro pair a, b, i, j, w
    pv.sdotusp.b a\a, t\i, \w
    pv.sdotusp.b a\b, t\j, \w
.endm
.macro next w
    p.lw_pi \w, WP, 4
.endm

/* Taps in `w` for the outputs `a` of fours that begin in word i of x and the one behind it, j. */
.macro s1_8 w, a, i, j, more:vararg
    .if \a == 0
    pair 0, 4, \i, \j, \w
    .elseif \a == 1
    pair 1, 5, \i, \j, \w
    .elseif \a == 2
    pair 2, 6, \i, \j, \w
    .else
    pair 3, 7, \i, \j, \w
    .endif
.endm
.macro s1_4 w, a, i, more:vararg
    pv.sdotusp.b a\a, t\i, \w
.endm
/* For every second output, from a = 0 or 1 on, each a word behind the one before. */
.macro s2_4 w, a, i, j, more:vararg
    .if \a == 0
    pair 0, 2, \i, \j, \w
    .else
    pair 1, 3, \i, \j, \w
    .endif
.endm
.macro s2_8 w, a, i, j, k, l
    s2_4 \w, \a, \i, \j
    .if \a == 0
    pair 4, 6, \k, \l, \w
    .else
    pair 5, 7, \k, \l, \w
    .endif
.endm

/* A kernel row: the first words of taps are in WA and WB. Operands: taps, outputs, word of x and those behind
 * it. */
.macro k3s1 dot
    \dot WA, 0, 0, 1, 2, 3
    next WA
    \dot WB, 1, 0, 1, 2, 3
    next WB
    \dot WA, 2, 0, 1, 2, 3
    next WA
    \dot WB, 2, 1, 2, 3, 4
    next WB
    \dot WA, 3, 0, 1, 2, 3
    \dot WB, 3, 1, 2, 3, 4
.endm
.macro k5s1 dot
    \dot WA, 0, 0, 1, 2, 3
    next WA
    \dot WB, 0, 1, 2, 3, 4
    next WB
    \dot WA, 1, 0, 1, 2, 3
    next WA
    \dot WB, 1, 1, 2, 3, 4
    next WB
    \dot WA, 2, 0, 1, 2, 3
    next WA
    \dot WB, 2, 1, 2, 3, 4
    next WB
    \dot WA, 3, 0, 1, 2, 3
    \dot WB, 3, 1, 2, 3, 4
.endm
.macro k7s1 dot
    \dot WA, 0, 0, 1, 2, 3
    next WA
    \dot WB, 0, 1, 2, 3, 4
    next WB
    \dot WA, 1, 0, 1, 2, 3
    next WA
    \dot WB, 1, 1, 2, 3, 4
    next WB
    \dot WA, 2, 0, 1, 2, 3
    next WA
    \dot WB, 2, 1, 2, 3, 4
    next WB
    \dot WA, 2, 2, 3, 4, 5
    next WA
    \dot WB, 3, 0, 1, 2, 3
    next WB
    \dot WA, 3, 1, 2, 3, 4
    \dot WB, 3, 2, 3, 4, 5
.endm
.macro k3s2 dot
    \dot WA, 0, 0, 1, 2, 3
    next WA
    \dot WB, 1, 0, 1, 2, 3
    \dot WA, 1, 1, 2, 3, 4
.endm
.macro k5s2 dot
    \dot WA, 0, 0, 1, 2, 3
    next WA
    \dot WB, 0, 1, 2, 3, 4
    next WB
    \dot WA, 1, 0, 1, 2, 3
    \dot WB, 1, 1, 2, 3, 4
.endm
.macro k7s2 dot
    \dot WA, 0, 0, 1, 2, 3
    next WA
    \dot WB, 0, 1, 2, 3, 4
    next WB
    \dot WA, 1, 0, 1, 2, 3
    next WA
    \dot WB, 1, 1, 2, 3, 4
    \dot WA, 1, 2, 3, 4, 5
.endm

/* The sums of one block, whose kernel rows take words t0 .. t<last> of x. */
.macro block name, row, dot, last, sums:vararg
    .irp n, \sums
    li a\n, 0
    .endr
    mv XP, X0
    mv WP, TAPS
    lp.setup 0, ROWS, .L\name\()_end
    .irp n, 1, 2, 3, 4, 5
    .if \n <= \last
    lw t\n, 4 * \n(XP)
    .endif
    .endr
    p.lw_pr t0, XP, PIT
    next WA
    next WB
    \row \dot
.L\name\()_end:
    .irp n, \sums
    p.sw_pi a\n, SUMS, 4
    .endr
.endm

/* last8, last4: the last word of x that a block of 8 or of 4 outputs takes. */
.macro routine name, stride, last8, last4
    .section .text.dw_taps_\name, "ax"
    .balign 16
    .globl dw_taps_\name
    .type dw_taps_\name, @function
dw_taps_\name:
    .set at, DT_SAVED
    .irp r, s0, s1, s2, s3, s4, s5, s6, s7, s8, s9, s10, s11
    sw \r, at(a0)
    .set at, at + 4
    .endr
    mv BLOCK, a0
    lw LINE, DT_X(a0)
    lw PIT, DT_PITCH(a0)
    lw TAPS, DT_TAPS(a0)
    lw ROWS, DT_ROWS(a0)
    lw SINGLE, DT_SINGLE(a0)
    lw SUMS, DT_SUMS(a0)
    lw LINES, DT_LINES(a0)
.L\name\()_line:
    lw t0, DT_PAIRS(BLOCK)
    mv X0, LINE
    beqz t0, .L\name\()_single
    lp.setup 1, t0, .L\name\()_pairs_end
    block \name\()_8, \name, s\stride\()_8, \last8, 0, 1, 2, 3, 4, 5, 6, 7
    addi X0, X0, 8 * \stride
.L\name\()_pairs_end:
.L\name\()_single:
    beqz SINGLE, .L\name\()_leave
    block \name\()_4, \name, s\stride\()_4, \last4, 0, 1, 2, 3
.L\name\()_leave:
    lw t0, DT_STEP(BLOCK)
    addi LINES, LINES, -1
    add LINE, LINE, t0
    bnez LINES, .L\name\()_line
    mv t0, BLOCK
    .set at, DT_SAVED
    .irp r, s0, s1, s2, s3, s4, s5, s6, s7, s8, s9, s10, s11
    lw \r, at(t0)
    .set at, at + 4
    .endr
    ret
    .size dw_taps_\name, . - dw_taps_\name
.endm

    routine k3s1, 1, 2, 1
    routine k5s1, 1, 2, 1
    routine k7s1, 1, 3, 2
    routine k3s2, 2, 4, 2
    routine k5s2, 2, 4, 2
    routine k7s2, 2, 5, 3
