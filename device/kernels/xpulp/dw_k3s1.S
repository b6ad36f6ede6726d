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
#define XS  t3
#define YS  t4
#define T   t5
#define WP  t6

#include "dw_block.inc"

.macro load_row a, b
    lw \b, 2(XP)
    p.lw_pr \a, XP, PIT
.endm

.macro each instruction, operand:vararg
    .irp a, A0, A1, A2, A3
    \instruction \a, \a, \operand
    .endr
.endm

.macro finish_u8
    each p.clipu, 9
.endm
.macro finish_bound
    each p.max, LO
    each p.min, HI
.endm

.macro scale
    each p.mac, K
    .irp a, A0, A1, A2, A3
    p.addNr \a, L, SFT
    .endr
.endm

.macro store_bytes
    p.sb_pr A0, YP, PIX
    p.sb_pr A1, YP, PIX
    p.sb_pr A2, YP, PIX
    p.sb_pr A3, YP, ROW
.endm

.macro requant_u8
    scale
    finish_u8
    store_bytes
.endm
.macro requant_bound
    scale
    finish_bound
    store_bytes
.endm
/* LO and HI bound the accumulator. */
.macro requant_s32c
    each p.max, LO
    each p.min, HI
    scale
    finish_u8
    store_bytes
.endm
/* Accumulators, 4 words an output row. */
.macro requant_raw
    p.sw_pi A0, YP, 4
    p.sw_pi A1, YP, 4
    p.sw_pi A2, YP, 4
    p.sw_pi A3, YP, 4
.endm

.macro dots op, a, b, wa, wb
    \op A0, \a, \wa
    \op A1, \a, \wb
    \op A2, \b, \wa
    \op A3, \b, \wb
.endm

/* One output row from rows p, q and the new row r. */
.macro output_row requant, pa, pb, qa, qb, na, nb
    load_row \na, \nb
    dots pv.dotusp.b, \pa, \pb, WA0, WB0
    dots pv.sdotusp.b, \qa, \qb, WA1, WB1
    dots pv.sdotusp.b, \na, \nb, WA2, WB2
    requant_\requant
.endm

.macro routine requant, low, high
    dw_enter dw_k3s1_\requant, DS_SAVED
    lw PIT, DS_PITCH(sp)
    lw WP, DS_W(sp)
    lw PIX, DS_PIXEL(sp)
    lw ROW, DS_ROW(sp)
    lw SFT, DS_SHIFT(sp)
    lw LO, \low(sp)
    lw HI, \high(sp)
    lw XS, DS_X_STRIP(sp)
    lw YS, DS_Y_STRIP(sp)
.L\requant\()_channel:
    lw XP, DS_X(sp)
    lw YP, DS_Y(sp)
    p.lw_pi WA0, WP, 4
    p.lw_pi WA1, WP, 4
    p.lw_pi WA2, WP, 4
    p.lw_pi K, WP, 4
    p.lw_pi L, WP, 4
    slli WB0, WA0, 8
    slli WB1, WA1, 8
    slli WB2, WA2, 8
    lw T, DS_STRIPS(sp)
    lp.starti 0, .L\requant\()_rows
    lp.endi 0, .L\requant\()_rows_end
    lp.setup 1, T, .L\requant\()_strip_end
.L\requant\()_strip:
    lw T, DS_PASSES(sp)
    lw A0, DS_ENTRY(sp)
    lp.count 0, T
    beqz A0, .L\requant\()_enter0
    addi A0, A0, -1
    beqz A0, .L\requant\()_enter1
    load_row P2A, P2B
    load_row P0A, P0B
    j .L\requant\()_row2
.L\requant\()_enter1:
    load_row P1A, P1B
    load_row P2A, P2B
    j .L\requant\()_row1
.L\requant\()_enter0:
    load_row P0A, P0B
    load_row P1A, P1B
.L\requant\()_rows:
    output_row \requant, P0A, P0B, P1A, P1B, P2A, P2B
.L\requant\()_row1:
    output_row \requant, P1A, P1B, P2A, P2B, P0A, P0B
.L\requant\()_row2:
    output_row \requant, P2A, P2B, P0A, P0B, P1A, P1B
.L\requant\()_rows_end:
    add XP, XP, XS
    add YP, YP, YS
.L\requant\()_strip_end:
    dw_next \requant
    dw_leave dw_k3s1_\requant, DS_SAVED
.endm

routine u8, DS_LOW, DS_HIGH
routine bound, DS_LOW, DS_HIGH
routine s32c, DS_ACC_LOW, DS_ACC_HIGH
routine raw, DS_LOW, DS_HIGH
