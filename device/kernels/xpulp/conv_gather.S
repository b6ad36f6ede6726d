/* void conv_gather_<n>(const struct conv_windows *), n = 1 .. 4: windows side by side in x into consecutive
 * patches, rows of at most n words each. A row's last word may reach beyond it: the next row's first word, or the
 * next window's, covers that. 2 n instructions a row. */
#include "xpulp.inc"

/* Offsets in struct conv_windows (conv_block.h). */
#define CW_X      0
#define CW_TO     4
#define CW_PIXELS 8
#define CW_ROWS   12
#define CW_X_ROW  16
#define CW_X_NEXT 20
#define CW_ROW    24
#define CW_NEXT   28

.option norvc
.option norelax

#define XP a1
#define TO a2
#define XR a3
#define XN a4
#define RB a5
#define NB a6

.macro gather words
    .section .text.conv_gather_\words, "ax"
    .balign 16
    .globl conv_gather_\words
    .type conv_gather_\words, @function
conv_gather_\words:
    lw t5, CW_PIXELS(a0)
    lw t6, CW_ROWS(a0)
    lw XP, CW_X(a0)
    lw TO, CW_TO(a0)
    lw XR, CW_X_ROW(a0)
    lw XN, CW_X_NEXT(a0)
    lw RB, CW_ROW(a0)
    lw NB, CW_NEXT(a0)
    lp.setup 1, t5, .Lwindow_end_\words
    lp.setup 0, t6, .Lrow_end_\words
    .if \words > 1
    lw t1, 4(XP)
    .endif
    .if \words > 2
    lw t2, 8(XP)
    .endif
    .if \words > 3
    lw t3, 12(XP)
    .endif
    p.lw_pr t0, XP, XR
    .if \words > 1
    sw t1, 4(TO)
    .endif
    .if \words > 2
    sw t2, 8(TO)
    .endif
    .if \words > 3
    sw t3, 12(TO)
    .endif
    p.sw_pr t0, TO, RB
.Lrow_end_\words:
    add XP, XP, XN
    add TO, TO, NB
.Lwindow_end_\words:
    ret
    .size conv_gather_\words, . - conv_gather_\words
.endm

gather 1
gather 2
gather 3
gather 4
