/* One or two output pixels of a convolution of 16-bit values and weights, all pairs of output channels, with
 * sums of 32 bits (half) or 64 (wide).
 *
 *   void armv7em_half_pair(struct armv7em_pair *p)      conv_pair.h has the struct; so do ..._half_single,
 *   armv7em_wide_pair and armv7em_wide_single
 *
 * x: groups of four values of both pixels, {a0 a1} {b0 b1} {a2 a3} {b2 b3}; w: groups of four weights of both
 * channels likewise, then the parameters of both. 16 products take 11 instructions in 32 bits and 12 in 64,
 * where the sums fill eight registers and the operands four: the struct is reached by way of the stack. */
    .syntax unified
    .thumb
    .text

#include "conv_pair.inc"

    .macro half_pair_group
    ldmia r0!, {r9, r10, r11, r12}
    ldrd r7, r8, [r1], #8
    smlad r3, r7, r9, r3
    smlad r4, r7, r10, r4
    smlad r5, r8, r9, r5
    smlad r6, r8, r10, r6
    ldrd r7, r8, [r1], #8
    smlad r3, r7, r11, r3
    smlad r4, r7, r12, r4
    smlad r5, r8, r11, r5
    smlad r6, r8, r12, r6
    .endm

    .macro half_single_group
    ldr r11, [r0, #8]
    ldr r9, [r0], #16
    ldrd r7, r8, [r1], #8
    smlad r3, r7, r9, r3
    smlad r5, r8, r9, r5
    ldrd r7, r8, [r1], #8
    smlad r3, r7, r11, r3
    smlad r5, r8, r11, r5
    .endm

    .macro wide_pair_group
    .rept 2
    ldrd r10, r11, [r0], #8
    ldrd r12, lr, [r1], #8
    smlald r2, r3, r12, r10
    smlald r4, r5, r12, r11
    smlald r6, r7, lr, r10
    smlald r8, r9, lr, r11
    .endr
    .endm

    .macro wide_single_group
    .rept 2
    ldr r10, [r0], #8
    ldrd r12, lr, [r1], #8
    smlald r2, r3, r12, r10
    smlald r6, r7, lr, r10
    .endr
    .endm

/* As `dot`, with eight sums and no register for the end of the loops. */
    .macro wide_dot name, group
    .section .text.\name, "ax", %progbits
    .balign 4
    .globl \name
    .type \name, %function
    .thumb_func
\name:
    push {r0, r4-r11, lr}
    ldr r1, [r0, #P_W]
    b 1f
\name\()_next:
    ldr r0, [sp]
1:  ldr r10, [r0, #P_X_REST]
    ldr r0, [r0, #P_X]
    .irp sum, r2, r3, r4, r5, r6, r7, r8, r9
    mov \sum, #0
    .endr
    cmp r0, r10
    beq 3f
2:  \group
    ldr r10, [sp]
    ldr r10, [r10, #P_X_REST]
    cmp r0, r10
    bne 2b
3:  ldr r10, [sp]
    ldr r10, [r10, #P_X_END]
    cmp r0, r10
    beq 5f
4:  \group
    \group
    \group
    \group
    ldr r10, [sp]
    ldr r10, [r10, #P_X_END]
    cmp r0, r10
    bne 4b
5:  ldr r0, [sp]
    ldr pc, [r0, #P_TAIL]
\name\()_end:
    pop {r0, r4-r11, pc}
    .size \name, . - \name
    .endm

/* To the outputs' range: all of 16 bits, 0 to 32767, or any. */
    .macro clip_s16 to, from
    ssat \to, #16, \from
    .endm
    .macro clip_u15 to, from
    usat \to, #15, \from
    .endm

/* clip((sum k + l) >> 32 >> r) of 64 bits: parameters r10 to lr, r0 is spent; the result lies in \high. */
    .macro wide_one clip, low, high
    mul \high, \high, r10
    umull \low, r0, \low, r10
    add \high, \high, r0
    adds \low, \low, r11
    adc \high, \high, r12
    asr \high, \high, lr
    clip_\clip \high, \high
    .endm

/* Stores what is in \a and \b, of pixel a, and in \c and \d, of pixel b, by way of \at. r0: the struct. */
    .macro put_pixel offset, a, b, at
    pkhbt \a, \a, \b, lsl #16
    ldr \at, [r0, #\offset]
    str \a, [\at], #4
    str \at, [r0, #\offset]
    .endm

    .macro go_on name, at
    ldr \at, [r0, #P_PAIRS]
    subs \at, \at, #1
    str \at, [r0, #P_PAIRS]
    bne \name\()_next
    b \name\()_end
    .endm

    .macro begin_tail name
    .section .text.\name, "ax", %progbits
    .balign 4
    .globl \name
    .type \name, %function
    .thumb_func
\name:
    .endm

    .macro half_pair_tail requant, clip, any
    begin_tail armv7em_half_pair_\requant\()_\clip
    \requant\()_pair \clip, r3, r4
    \requant\()_pair \clip, r5, r6
    .if \any
    ldrd r10, r11, [r0, #P_LOW]
    clip_between r3
    clip_between r4
    clip_between r5
    clip_between r6
    .endif
    put_pixel P_Y_A, r3, r5, r7
    put_pixel P_Y_B, r4, r6, r7
    go_on armv7em_half_pair, r7
    .endm

    .macro half_single_tail requant, clip, any
    begin_tail armv7em_half_single_\requant\()_\clip
    \requant\()_single \clip, r3
    \requant\()_single \clip, r5
    .if \any
    ldrd r10, r11, [r0, #P_LOW]
    clip_between r3
    clip_between r5
    .endif
    put_pixel P_Y_A, r3, r5, r7
    go_on armv7em_half_single, r7
    .endm

    .macro wide_pair_tail clip, any
    begin_tail armv7em_wide_pair_\clip
    ldmia r1!, {r10, r11, r12, lr}
    wide_one \clip, r2, r3
    wide_one \clip, r4, r5
    ldmia r1!, {r10, r11, r12, lr}
    wide_one \clip, r6, r7
    wide_one \clip, r8, r9
    ldr r0, [sp]
    .if \any
    ldrd r10, r11, [r0, #P_LOW]
    clip_between r3
    clip_between r5
    clip_between r7
    clip_between r9
    .endif
    put_pixel P_Y_A, r3, r7, r10
    put_pixel P_Y_B, r5, r9, r10
    go_on armv7em_wide_pair, r10
    .endm

    .macro wide_single_tail clip, any
    begin_tail armv7em_wide_single_\clip
    ldmia r1!, {r10, r11, r12, lr}
    wide_one \clip, r2, r3
    ldmia r1!, {r10, r11, r12, lr}
    wide_one \clip, r6, r7
    ldr r0, [sp]
    .if \any
    ldrd r10, r11, [r0, #P_LOW]
    clip_between r3
    clip_between r7
    .endif
    put_pixel P_Y_A, r3, r7, r10
    go_on armv7em_wide_single, r10
    .endm

    dot armv7em_half_pair, half_pair_group
    dot armv7em_half_single, half_single_group
    wide_dot armv7em_wide_pair, wide_pair_group
    wide_dot armv7em_wide_single, wide_single_group

    half_pair_tail line, s16, 0
    half_pair_tail line, u15, 0
    half_pair_tail line, any, 1
    half_pair_tail tflite, s16, 0
    half_pair_tail tflite, any, 1
    half_single_tail line, s16, 0
    half_single_tail line, u15, 0
    half_single_tail line, any, 1
    half_single_tail tflite, s16, 0
    half_single_tail tflite, any, 1
    wide_pair_tail s16, 0
    wide_pair_tail u15, 0
    wide_pair_tail any, 1
    wide_single_tail s16, 0
    wide_single_tail u15, 0
    wide_single_tail any, 1
