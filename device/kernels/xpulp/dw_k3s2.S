/* void dw_k3s2_<requantisation>(struct dw_strips *) and dw_k3s2p_<...>: depthwise 3x3, stride 2, on byte planes;
 * p: the windows begin one column left of a word (left padding of 1).
 *
 * A strip is 4 outputs wide and slides down. A row is three aligned words A, B, C; of the four windows two lie
 * in one word, two in the halves of neighbours, merged by a shuffle. No row is kept: an even row adds its part to
 * the output above it (w2) and begins the one below it (w0), so two sets of accumulators take turns and the loop
 * is unrolled twice; an odd height enters it in the middle. 38 instructions for 4 outputs of 9
 * multiply-accumulates. */
#include "xpulp.inc"

#define WA0 ra
#define WA1 gp
#define WA2 tp
#define K   s0
#define L   s1
#define SFT a0
#define A0  a1
#define A1  a2
#define A2  a3
#define A3  a4
#define B0  a5
#define B1  a6
#define B2  a7
#define B3  s2
#define RA  s3
#define RB  s4
#define RC  t0
#define SEL t1
#define XP  s5
#define PIT s6
#define YP  s7
#define PIX s8
#define ROW s9
#define LO  s10
#define HI  s11
#define K2  t3
#define L2  t4
#define T   t5
#define WP  t6

#include "dw_block.inc"

.macro load_row
    lw RB, 4(XP)
    lw RC, 8(XP)
    p.lw_pr RA, XP, PIT
.endm

.macro merge
    pv.shuffle2.h RA, RB, SEL
    pv.shuffle2.h RB, RC, SEL
.endm

/* One row into one set of accumulators. */
.macro row_one pad, op, a, b, c, d, w
    load_row
    .if \pad
    \op \b, RB, \w
    \op \d, RC, \w
    merge
    \op \a, RA, \w
    \op \c, RB, \w
    .else
    \op \c, RB, \w
    \op \a, RA, \w
    merge
    \op \b, RA, \w
    \op \d, RB, \w
    .endif
.endm

/* An even row: w2 of one output row, w0 of the next. */
.macro row_two pad, a, b, c, d, e, f, g, h
    load_row
    .if \pad
    pv.sdotusp.b \b, RB, WA2
    pv.dotusp.b \f, RB, WA0
    pv.sdotusp.b \d, RC, WA2
    pv.dotusp.b \h, RC, WA0
    merge
    pv.sdotusp.b \a, RA, WA2
    pv.dotusp.b \e, RA, WA0
    pv.sdotusp.b \c, RB, WA2
    pv.dotusp.b \g, RB, WA0
    .else
    pv.sdotusp.b \c, RB, WA2
    pv.dotusp.b \g, RB, WA0
    pv.sdotusp.b \a, RA, WA2
    pv.dotusp.b \e, RA, WA0
    merge
    pv.sdotusp.b \b, RA, WA2
    pv.dotusp.b \f, RA, WA0
    pv.sdotusp.b \d, RB, WA2
    pv.dotusp.b \h, RB, WA0
    .endif
.endm

.macro routine requantisation, requant, end, name, pad
    dw_enter \name\()_\requantisation, DS_SAVED
    dw_constants \requant, \end
    lp.starti 0, .L\name\()\requantisation\()_rows
    lp.endi 0, .L\name\()\requantisation\()_rows_end
    lp.starti 1, .L\name\()\requantisation\()_strip
    lp.endi 1, .L\name\()\requantisation\()_strip_end
    li SEL, 0x00020001
.L\name\()\requantisation\()_channel:
    dw_channel \requant
    lw T, DS_STRIPS(sp)
    .if \pad
    slli WA0, WA0, 8
    slli WA1, WA1, 8
    slli WA2, WA2, 8
    .endif
    lp.count 1, T
.L\name\()\requantisation\()_strip:
    lw T, DS_PASSES(sp)
    lw RA, DS_ENTRY(sp)
    lp.count 0, T
    beqz RA, .L\name\()\requantisation\()_enter0
    row_one \pad, pv.dotusp.b, B0, B1, B2, B3, WA0
    j .L\name\()\requantisation\()_middle
.L\name\()\requantisation\()_enter0:
    row_one \pad, pv.dotusp.b, A0, A1, A2, A3, WA0
.L\name\()\requantisation\()_rows:
    row_one \pad, pv.sdotusp.b, A0, A1, A2, A3, WA1
    row_two \pad, A0, A1, A2, A3, B0, B1, B2, B3
    dw_requant \requant, \end, A0, A1, A2, A3
.L\name\()\requantisation\()_middle:
    row_one \pad, pv.sdotusp.b, B0, B1, B2, B3, WA1
    row_two \pad, B0, B1, B2, B3, A0, A1, A2, A3
    dw_requant \requant, \end, B0, B1, B2, B3
.L\name\()\requantisation\()_rows_end:
    lw T, DS_X_STRIP(sp)
    lw RA, DS_Y_STRIP(sp)
    add XP, XP, T
    add YP, YP, RA
.L\name\()\requantisation\()_strip_end:
    dw_next .L\name\()\requantisation
    dw_leave \name\()_\requantisation, DS_SAVED
.endm

dw_routines dw_k3s2, 0
dw_routines dw_k3s2p, 1
