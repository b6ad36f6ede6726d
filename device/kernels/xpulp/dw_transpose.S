/* void dw_transpose(struct dw_planes *): four channels of a tile into byte planes, 4 pixels a step: 4 loads, 9
 * shuffles, 4 stores. Where a row does not end on a word, the byte behind it, at `edge`, takes the padding's
 * value; otherwise it lies in the word between the rows, which is not touched. */
#include "xpulp.inc"

#include "dw_block.inc"

#define R0  a0
#define R1  a1
#define R2  a2
#define R3  a3
#define C0  a4
#define C1  a5
#define C2  a6
#define PP  a7
#define XP  t0
#define SC  t1
#define CS  t2
#define PS  t3
#define BK  t4
#define SO  t5
#define SH  t6
#define SHH s0
#define ZV  s1
#define E0  s2
#define E1  s3
#define E2  s4
#define E3  s5
#define SKP s6
#define NQ  s7
#define NR  s8

/* A row, 4 pixels at a time. */
.macro transpose_quads name
    lp.setup 0, NQ, .Ltranspose_\name\()_quad_end
    p.lw_pr R0, XP, CS
    p.lw_pr R1, XP, CS
    p.lw_pr R2, XP, CS
    p.lw_pr R3, XP, CS
    pv.pack.h C1, R1, R0
    pv.packlo.b C0, R1, R0
    pv.pack.h PP, R3, R2
    pv.packhi.b C0, R3, R2
    pv.shuffle2.b C1, PP, SO
    pv.shuffle2.b R0, R1, SH
    pv.shuffle2.b R2, R3, SH
    pv.pack.h C2, R2, R0
    pv.shuffle2.h R0, R2, SHH
    p.sw_pr C0, SC, PS
    p.sw_pr C1, SC, PS
    p.sw_pr C2, SC, PS
    p.sw_pr R0, SC, BK
.Ltranspose_\name\()_quad_end:
.endm

    dw_enter dw_transpose, DP_SAVED
    lw XP, DP_X(sp)
    lw CS, DP_PIXEL(sp)
    lw SKP, DP_SKIP(sp)
    lw NR, DP_ROWS(sp)
    lw NQ, DP_QUADS(sp)
    lw SC, DP_PLANES(sp)
    lw PS, DP_PLANE(sp)
    lw E0, DP_EDGE(sp)
    lw ZV, DP_ZERO(sp)
    li SO, 0x07050301
    li SH, 0x07030602
    li SHH, 0x00030001
    li BK, 4
    slli R0, PS, 1
    add R0, R0, PS
    sub BK, BK, R0
    add E1, E0, PS
    add E2, E1, PS
    add E3, E2, PS
    beqz E0, .Ltranspose_whole
    lp.setup 1, NR, .Ltranspose_row_end
    transpose_quads row
    add XP, XP, SKP
    p.sb_rr ZV, SC, E0
    p.sb_rr ZV, SC, E1
    p.sb_rr ZV, SC, E2
    p.sb_rr ZV, SC, E3
    addi SC, SC, 4
.Ltranspose_row_end:
    j .Ltranspose_end
.Ltranspose_whole:
    lp.setup 1, NR, .Ltranspose_whole_end
    transpose_quads whole
    add XP, XP, SKP
    addi SC, SC, 4
.Ltranspose_whole_end:
.Ltranspose_end:
    dw_leave dw_transpose, DP_SAVED

/* void dw_fill_planes(uint8_t *at, uint32_t plane_bytes, uint32_t count, uint32_t step, uint32_t word) */
    .section .text.dw_fill_planes, "ax"
    .balign 16
    .globl dw_fill_planes
    .type dw_fill_planes, @function
dw_fill_planes:
    add t0, a0, a1
    add t1, t0, a1
    add t2, t1, a1
    lp.setup 0, a2, .Lfill_end
    p.sw_pr a4, a0, a3
    p.sw_pr a4, t0, a3
    p.sw_pr a4, t1, a3
    p.sw_pr a4, t2, a3
.Lfill_end:
    ret
    .size dw_fill_planes, . - dw_fill_planes
