/* void conv_gather_<n>(const struct conv_windows *): windows side by side in x into consecutive patches, rows of at
 * most n bytes each, n = 4, 5, 8, 9, 12, 13, 16: words, and a byte where a word more would be for it alone. The
 * last word of a row may reach beyond it: the next row's first word, or the next window's, covers that. */
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

/* What lies behind a row's first word. */
.macro gather_rest bytes, word, byte, pointer
    .if \bytes >= 8
    \word t1, 4(\pointer)
    .elseif \bytes == 5
    \byte t1, 4(\pointer)
    .endif
    .if \bytes >= 12
    \word t2, 8(\pointer)
    .elseif \bytes == 9
    \byte t2, 8(\pointer)
    .endif
    .if \bytes >= 16
    \word t3, 12(\pointer)
    .elseif \bytes == 13
    \byte t3, 12(\pointer)
    .endif
.endm

.macro gather bytes
    .section .text.conv_gather_\bytes, "ax"
    .balign 16
    .globl conv_gather_\bytes
    .type conv_gather_\bytes, @function
conv_gather_\bytes:
    lw t5, CW_PIXELS(a0)
    lw t6, CW_ROWS(a0)
    lw XP, CW_X(a0)
    lw TO, CW_TO(a0)
    lw XR, CW_X_ROW(a0)
    lw XN, CW_X_NEXT(a0)
    lw RB, CW_ROW(a0)
    lw NB, CW_NEXT(a0)
    lp.setup 1, t5, .Lwindow_end_\bytes
    lp.setup 0, t6, .Lrow_end_\bytes
    gather_rest \bytes, lw, lbu, XP
    p.lw_pr t0, XP, XR
    gather_rest \bytes, sw, sb, TO
    p.sw_pr t0, TO, RB
.Lrow_end_\bytes:
    add XP, XP, XN
    add TO, TO, NB
.Lwindow_end_\bytes:
    ret
    .size conv_gather_\bytes, . - conv_gather_\bytes
.endm

.irp bytes, 4, 5, 8, 9, 12, 13, 16
gather \bytes
.endr
