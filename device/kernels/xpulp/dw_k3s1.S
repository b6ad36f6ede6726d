/* void dw_k3s1_<requantisation>(struct dw_strips *): depthwise 3x3, stride 1, on byte planes.
 *
 * A strip is 4 outputs wide and slides down; a new row is two words, at the strip's first and third column,
 * which meet the weights [w0 w1 w2 0] and [0 w0 w1 w2]: 30 instructions for 4 outputs of 9
 * multiply-accumulates. Three rows stand in registers, so the loop is unrolled three times, and a strip whose
 * height is no multiple of three enters it in the middle. */
#include "xpulp.inc"

#define WA0 ra
#define WA1 gp
#define WA2 tp
#define WB0 t0
#define WB1 t1
#define WB2 t2
#define K   s0
#define L   s1
#define SFT a0
#define A0  a1
#define A1  a2
#define A2  a3
#define A3  a4
#define P0A a5
#define P0B a6
#define P1A a7
#define P1B s2
#define P2A s3
#define P2B s4
#define XP  s5
#define PIT s6
#define YP  s7
#define PIX s8
#define ROW s9
#define LO  s10
#define HI  s11
#define K2  t3 /* s32c: the accumulator's bound */
#define L2  t4
#define T   t5
#define WP  t6

#include "dw_block.inc"

.macro load_row a, b
    lw \b, 2(XP)
    p.lw_pr \a, XP, PIT
.endm

.macro dots op, a, b, wa, wb
    \op A0, \a, \wa
    \op A1, \a, \wb
    \op A2, \b, \wa
    \op A3, \b, \wb
.endm

/* One output row from rows p, q and the new row n. */
.macro output_row requant, end, pa, pb, qa, qb, na, nb
    load_row \na, \nb
    dots pv.dotusp.b, \pa, \pb, WA0, WB0
    dots pv.sdotusp.b, \qa, \qb, WA1, WB1
    dots pv.sdotusp.b, \na, \nb, WA2, WB2
    dw_requant \requant, \end, A0, A1, A2, A3
.endm

.macro routine requantisation, requant, end, name
    dw_enter \name\()_\requantisation, DS_SAVED
    dw_constants \requant, \end
    lp.starti 0, .L\requantisation\()_rows
    lp.endi 0, .L\requantisation\()_rows_end
    lp.starti 1, .L\requantisation\()_strip
    lp.endi 1, .L\requantisation\()_strip_end
.L\requantisation\()_channel:
    dw_channel \requant
    lw T, DS_STRIPS(sp)
    slli WB0, WA0, 8
    slli WB1, WA1, 8
    slli WB2, WA2, 8
    lp.count 1, T
.L\requantisation\()_strip:
    lw T, DS_PASSES(sp)
    lw A0, DS_ENTRY(sp)
    lp.count 0, T
    beqz A0, .L\requantisation\()_enter0
    addi A0, A0, -1
    beqz A0, .L\requantisation\()_enter1
    load_row P2A, P2B
    load_row P0A, P0B
    j .L\requantisation\()_row2
.L\requantisation\()_enter1:
    load_row P1A, P1B
    load_row P2A, P2B
    j .L\requantisation\()_row1
.L\requantisation\()_enter0:
    load_row P0A, P0B
    load_row P1A, P1B
.L\requantisation\()_rows:
    output_row \requant, \end, P0A, P0B, P1A, P1B, P2A, P2B
.L\requantisation\()_row1:
    output_row \requant, \end, P1A, P1B, P2A, P2B, P0A, P0B
.L\requantisation\()_row2:
    output_row \requant, \end, P2A, P2B, P0A, P0B, P1A, P1B
.L\requantisation\()_rows_end:
    dw_strip_step
.L\requantisation\()_strip_end:
    dw_next .L\requantisation
    dw_leave \name\()_\requantisation, DS_SAVED
.endm

dw_routines dw_k3s1
