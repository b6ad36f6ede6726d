/* void dw_quads_s2_<requantisation>(struct dw_quads *): depthwise 3x3, stride 2, padding 1 above and to the
 * left, on quads.
 *
 * A strip is 4 outputs wide, below two quads A and B, and slides down. Its windows end at the second and the
 * last column of a quad: two of them lie in A and B, one in the halves of both, and the first in the halves
 * of A and the quad Z to its left, or in A alone where there is padding instead. No row is kept: an odd row
 * finishes one output row and begins the next, in two sets of accumulators that take turns, so the loop is
 * unrolled twice; an odd height enters it in the middle. 46 instructions for 4 outputs of 9
 * multiply-accumulates, 42 at the left side (two-step requantisation; 38 and 34 in one). */
#include "xpulp.inc"

#define W0  ra
#define W1  gp
#define W2  tp
#define V0  t0 /* [w1 w2 0 0]: of the windows that begin in the padding */
#define V1  t1
#define V2  t2
#define K   s0
#define L   s1
#define K2  t3
#define L2  t4
#define SFT a0
#define A0  a1
#define A1  a2
#define A2  a3
#define A3  a4
#define B0  a5
#define B1  a6
#define B2  a7
#define B3  s2
#define RZ  s3
#define RA  s4
#define RB  s11
#define XP  s5
#define QS  s6
#define BK  s7
#define YP  s8
#define PIX s9
#define ROW s10
#define T   t5
#define SEL t6

#include "dw_quads.inc"

.macro load_row side
    .ifc \side, middle
    p.lw_pr RZ, XP, QS
    .endif
    p.lw_pr RA, XP, QS
    p.lw_pr RB, XP, BK
.endm

/* One row into one set of accumulators; v: the weights of the first window at the left side. */
.macro row_one side, op, a, b, c, d, w, v
    load_row \side
    \op \b, RA, \w
    .ifc \side, middle
    pv.shuffle2.h RZ, RA, SEL
    \op \d, RB, \w
    \op \a, RZ, \w
    .else
    \op \a, RA, \v
    \op \d, RB, \w
    .endif
    pv.shuffle2.h RA, RB, SEL
    \op \c, RA, \w
.endm

/* An odd row: w2 of one output row, w0 of the next. */
.macro row_two side, a, b, c, d, e, f, g, h
    load_row \side
    pv.sdotusp.b \b, RA, W2
    pv.dotusp.b \f, RA, W0
    .ifc \side, middle
    pv.shuffle2.h RZ, RA, SEL
    .else
    pv.sdotusp.b \a, RA, V2
    pv.dotusp.b \e, RA, V0
    .endif
    pv.sdotusp.b \d, RB, W2
    pv.dotusp.b \h, RB, W0
    pv.shuffle2.h RA, RB, SEL
    .ifc \side, middle
    pv.sdotusp.b \a, RZ, W2
    pv.dotusp.b \e, RZ, W0
    .endif
    pv.sdotusp.b \c, RA, W2
    pv.dotusp.b \g, RA, W0
.endm

.macro put_row kind, end, a, b, c, d
    dq_put \kind, \end, \a, PIX
    dq_put \kind, \end, \b, PIX
    dq_put \kind, \end, \c, PIX
    dq_put \kind, \end, \d, ROW
.endm

/* The row above the first output's middle one; where T is not 0 it is padding. */
.macro first_row side, a, b, c, d, name
    bnez T, .L\name\()_top
    row_one \side, pv.dotusp.b, \a, \b, \c, \d, W0, V0
    j .L\name\()_begun
.L\name\()_top:
    li \a, 0
    li \b, 0
    li \c, 0
    li \d, 0
.L\name\()_begun:
.endm

/* What is the same for all strips of a side. */
.macro aim name, side
    lw BK, DQ_PITCH(sp)
    lp.starti 0, .L\name\()_\side\()_rows
    lp.endi 0, .L\name\()_\side\()_rows_end
    sub BK, BK, QS
    .ifc \side, middle
    sub BK, BK, QS
    .endif
.endm

.macro strip name, side, kind, end
    lw T, DQ_PASSES(sp)
    lw RA, DQ_ENTRY(sp)
    lp.count 0, T
    lw T, DQ_TOP(sp)
    beqz RA, .L\name\()_\side\()_enter0
    first_row \side, B0, B1, B2, B3, \name\()_\side\()_first1
    j .L\name\()_\side\()_row1
.L\name\()_\side\()_enter0:
    first_row \side, A0, A1, A2, A3, \name\()_\side\()_first0
.L\name\()_\side\()_rows:
    row_one \side, pv.sdotusp.b, A0, A1, A2, A3, W1, V1
    row_two \side, A0, A1, A2, A3, B0, B1, B2, B3
    put_row \kind, \end, A0, A1, A2, A3
.L\name\()_\side\()_row1:
    row_one \side, pv.sdotusp.b, B0, B1, B2, B3, W1, V1
    row_two \side, B0, B1, B2, B3, A0, A1, A2, A3
    put_row \kind, \end, B0, B1, B2, B3
.L\name\()_\side\()_rows_end:
.endm

.macro dq_routine requantisation, kind, end, name
    dw_enter \name\()_\requantisation, DQ_SAVED
    dq_constants \kind
    li SEL, 0x00020001
.L\name\()_\requantisation\()_channel:
    dq_channel \kind, W0, W1, W2
    srli V0, W0, 8
    srli V1, W1, 8
    srli V2, W2, 8
    slli W0, W0, 8
    slli W1, W1, 8
    slli W2, W2, 8
    aim \name\()_\requantisation, first
    strip \name\()_\requantisation, first, \kind, \end
    dq_strip_step RA, 1
    lw T, DQ_MIDDLES(sp)
    beqz T, .L\name\()_\requantisation\()_done
    lp.starti 1, .L\name\()_\requantisation\()_middles
    lp.endi 1, .L\name\()_\requantisation\()_middles_end
    aim \name\()_\requantisation, middle
    lp.count 1, T
.L\name\()_\requantisation\()_middles:
    strip \name\()_\requantisation, middle, \kind, \end
    dq_strip_step RA, 1
    add XP, XP, QS
.L\name\()_\requantisation\()_middles_end:
.L\name\()_\requantisation\()_done:
    dq_next .L\name\()_\requantisation, RA, RB, RZ
    dw_leave \name\()_\requantisation, DQ_SAVED
.endm

xpulp_modes dq_served, dw_quads_s2
