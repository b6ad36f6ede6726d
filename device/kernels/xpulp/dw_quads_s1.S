/* void dw_quads_s1_<requantisation>(struct dw_quads *): depthwise 3x3, stride 1, padding 1, on quads.
 *
 * A strip is the 4 outputs of a quad and slides down. Of a row it takes the quad's word [x0 x1 x2 x3], and
 * with the quads beside it [x-2 x-1 x0 x1] and [x2 x3 x4 x5], in which zeros stand for the padding; they meet
 * the weights [w0 w1 w2 0] and [0 w0 w1 w2]. Three rows stand in registers, so the loop is unrolled three
 * times, and a strip whose height is no multiple of three enters it in the middle. One accumulator will do:
 * an output is complete when its three words are. 41 instructions for 4 outputs of 9 multiply-accumulates in
 * the middle, 40 at the sides, 39 in a map of one quad (two-step requantisation; 33, 32, 31 in one). */
#include "xpulp.inc"

#define WA0  ra
#define WA1  gp
#define WA2  tp
#define WB0  t0
#define WB1  t1
#define WB2  t2
#define K    s0
#define L    s1
#define K2   t3
#define L2   t4
#define SFT  a0
#define ACC  a1
#define T    t5
#define P0   a2, a3, a4 /* three words of a row: left, middle, right */
#define P1   a5, a6, a7
#define P2   s2, s3, s4
#define XP   s5
#define QS   s6
#define BK   s7
#define YP   s8
#define PIX  s9
#define ROW  s10
#define SELL s11
#define SELR t6

#include "dw_quads.inc"

/* XP runs over the quads that the strip reads and by BK to the next row. */
.macro load_words side, l, x, r
    .ifc \side, first
    p.lw_pr \x, XP, QS
    p.lw_pr \r, XP, BK
    .endif
    .ifc \side, middle
    p.lw_pr \l, XP, QS
    p.lw_pr \x, XP, QS
    p.lw_pr \r, XP, BK
    .endif
    .ifc \side, last
    p.lw_pr \l, XP, QS
    p.lw_pr \x, XP, BK
    .endif
    .ifc \side, only
    p.lw_pr \x, XP, BK
    .endif
.endm

.macro merge_words side, l, x, r
    .ifc \side, first
    slli \l, \x, 16
    pv.shuffle2.h \r, \x, SELR
    .endif
    .ifc \side, middle
    pv.shuffle2.h \l, \x, SELL
    pv.shuffle2.h \r, \x, SELR
    .endif
    .ifc \side, last
    pv.shuffle2.h \l, \x, SELL
    srli \r, \x, 16
    .endif
    .ifc \side, only
    slli \l, \x, 16
    srli \r, \x, 16
    .endif
.endm

.macro output kind, end, p, q, n, w0, w1, w2, step
    pv.dotusp.b ACC, \p, \w0
    pv.sdotusp.b ACC, \q, \w1
    pv.sdotusp.b ACC, \n, \w2
    dq_put \kind, \end, ACC, \step
.endm

/* One output row from rows p, q and the new row n. */
.macro output_row side, kind, end, pl, px, pr, ql, qx, qr, nl, nx, nr
    load_words \side, \nl, \nx, \nr
    pv.dotusp.b ACC, \pl, WB0
    pv.sdotusp.b ACC, \ql, WB1
    merge_words \side, \nl, \nx, \nr
    pv.sdotusp.b ACC, \nl, WB2
    dq_put \kind, \end, ACC, PIX
    output \kind, \end, \px, \qx, \nx, WA0, WA1, WA2, PIX
    output \kind, \end, \px, \qx, \nx, WB0, WB1, WB2, PIX
    output \kind, \end, \pr, \qr, \nr, WA0, WA1, WA2, ROW
.endm

.macro output_above kind, end, p, q, w0, w1, step
    pv.dotusp.b ACC, \p, \w0
    pv.sdotusp.b ACC, \q, \w1
    dq_put \kind, \end, ACC, \step
.endm

/* The last row of a map, below which there is padding. */
.macro bottom_row kind, end, pl, px, pr, ql, qx, qr
    output_above \kind, \end, \pl, \ql, WB0, WB1, PIX
    output_above \kind, \end, \px, \qx, WA0, WA1, PIX
    output_above \kind, \end, \px, \qx, WB0, WB1, PIX
    output_above \kind, \end, \pr, \qr, WA0, WA1, ROW
.endm

/* The two rows before the first new one; where ACC is not 0 the upper one is padding. */
.macro first_rows side, name, pl, px, pr, ql, qx, qr
    bnez ACC, .L\name\()_top
    load_words \side, \pl, \px, \pr
    load_words \side, \ql, \qx, \qr
    merge_words \side, \pl, \px, \pr
    j .L\name\()_merge
.L\name\()_top:
    li \pl, 0
    load_words \side, \ql, \qx, \qr
    li \px, 0
    li \pr, 0
.L\name\()_merge:
    merge_words \side, \ql, \qx, \qr
.endm

/* What is the same for all strips of a side. */
.macro aim name, side
    lw BK, DQ_PITCH(sp)
    lp.starti 0, .L\name\()_\side\()_rows
    lp.endi 0, .L\name\()_\side\()_rows_end
    .ifnc \side, only
    sub BK, BK, QS
    .endif
    .ifc \side, middle
    sub BK, BK, QS
    .endif
.endm

.macro strip name, side, kind, end
    lw ACC, DQ_PASSES(sp)
    lw T, DQ_ENTRY(sp)
    lp.count 0, ACC
    lw ACC, DQ_TOP(sp)
    beqz T, .L\name\()_\side\()_enter0
    addi T, T, -1
    beqz T, .L\name\()_\side\()_enter1
    addi T, T, -1
    beqz T, .L\name\()_\side\()_enter2
    first_rows \side, \name\()_\side\()_none, P0, P1
    j .L\name\()_\side\()_bottom
.L\name\()_\side\()_enter2:
    first_rows \side, \name\()_\side\()_first2, P2, P0
    j .L\name\()_\side\()_row2
.L\name\()_\side\()_enter1:
    first_rows \side, \name\()_\side\()_first1, P1, P2
    j .L\name\()_\side\()_row1
.L\name\()_\side\()_enter0:
    first_rows \side, \name\()_\side\()_first0, P0, P1
.L\name\()_\side\()_rows:
    output_row \side, \kind, \end, P0, P1, P2
.L\name\()_\side\()_row1:
    output_row \side, \kind, \end, P1, P2, P0
.L\name\()_\side\()_row2:
    output_row \side, \kind, \end, P2, P0, P1
.L\name\()_\side\()_rows_end:
    lw T, DQ_BOTTOM(sp)
    beqz T, .L\name\()_\side\()_end
.L\name\()_\side\()_bottom:
    bottom_row \kind, \end, P0, P1
.L\name\()_\side\()_end:
.endm

.macro dq_routine requantisation, kind, end, name
    dw_enter \name\()_\requantisation, DQ_SAVED
    dq_constants \kind
    li SELL, 0x00020001
    li SELR, 0x00000003
.L\name\()_\requantisation\()_channel:
    dq_channel \kind, WA0, WA1, WA2
    lw T, DQ_MIDDLES(sp)
    slli WB0, WA0, 8
    slli WB1, WA1, 8
    slli WB2, WA2, 8
    bltz T, .L\name\()_\requantisation\()_one
    aim \name\()_\requantisation, first
    strip \name\()_\requantisation, first, \kind, \end
    dq_strip_step ACC, 0
    lw T, DQ_MIDDLES(sp)
    beqz T, .L\name\()_\requantisation\()_right
    lp.starti 1, .L\name\()_\requantisation\()_middles
    lp.endi 1, .L\name\()_\requantisation\()_middles_end
    aim \name\()_\requantisation, middle
    lp.count 1, T
.L\name\()_\requantisation\()_middles:
    strip \name\()_\requantisation, middle, \kind, \end
    dq_strip_step ACC, 1
.L\name\()_\requantisation\()_middles_end:
.L\name\()_\requantisation\()_right:
    aim \name\()_\requantisation, last
    strip \name\()_\requantisation, last, \kind, \end
    j .L\name\()_\requantisation\()_done
.L\name\()_\requantisation\()_one:
    aim \name\()_\requantisation, only
    strip \name\()_\requantisation, only, \kind, \end
.L\name\()_\requantisation\()_done:
    dq_next .L\name\()_\requantisation, ACC, a2, a3
    dw_leave \name\()_\requantisation, DQ_SAVED
.endm

xpulp_modes dq_served, dw_quads_s1
