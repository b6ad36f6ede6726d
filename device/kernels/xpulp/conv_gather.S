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

/* void conv_gather_3x9(const struct conv_windows *): windows of three rows of 9 bytes, 3x3 of 3 channels, into 28
 * bytes each: whole words are put together in registers, since most would cross words in the patch. One byte in
 * front of the second row and one behind the last are read, and the 28th byte of a window is anything. */
    .section .text.conv_gather_3x9, "ax"
    .balign 16
    .globl conv_gather_3x9
    .type conv_gather_3x9, @function
conv_gather_3x9:
    lw t5, CW_PIXELS(a0)
    lw a1, CW_X(a0)
    lw XR, CW_X_ROW(a0)
    lw XN, CW_X_NEXT(a0)
    lw TO, CW_TO(a0)
    add a5, a1, XR
    add a6, a5, XR
    add a7, a6, XR
    sub a7, a7, a1
    add XN, XN, a7 /* from one window to the next */
    lp.setup 0, t5, .Lwindow_end_3x9
    lbu t2, 8(a1)
    lw t1, 4(a1)
    p.lw_pr t0, a1, XN
    lw t3, -1(a5)
    lw t4, 3(a5)
    lhu a7, 0(a6)
    p.insert t3, t2, 7, 0
    lhu t6, 7(a5)
    lw t2, 2(a6)
    add a5, a5, XN
    p.sw_pi t0, TO, 4
    pv.pack.h t6, a7, t6
    p.sw_pi t1, TO, 4
    lw t0, 6(a6)
    p.sw_pi t3, TO, 4
    p.sw_pi t4, TO, 4
    p.sw_pi t6, TO, 4
    p.sw_pi t2, TO, 4
    add a6, a6, XN
    p.sw_pi t0, TO, 4
.Lwindow_end_3x9:
    ret
    .size conv_gather_3x9, . - conv_gather_3x9
