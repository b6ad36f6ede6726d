/* One row of features, output channels in quads.
 *
 *   void armv7em_quads(struct armv7em_quads *p)      linear_armv7em.c has the struct, and why it is right
 *   void armv7em_half_quad(struct armv7em_quads *p)
 *
 * x: two words for each four values: {a1 a3}, and {256 a0 - a1, 256 a2 - a3} and a constant.
 * w: of each quad four starts of sums, groups of {256 w1 + w0, 256 w3 + w2} of its four channels, their
 * parameters. A word of weights and its sign-extended low bytes are multiplied by one word of x each, which
 * leaves 256 times the sum: 14 instructions for 16 products. */
    .syntax unified
    .thumb
    .text

#include "conv_pair.inc"

    .set Q_X, 0
    .set Q_X_REST, 4    /* end of the groups that are left over from fours of groups */
    .set Q_X_END, 8
    .set Q_W, 12
    .set Q_Y, 16
    .set Q_QUADS, 20
    .set Q_TAIL, 24
    .set Q_LOW, 28
    .set Q_HIGH, 32

    .macro channel acc, w
    smlad \acc, \w, r7, \acc
    sxtb16 \w, \w
    smlad \acc, \w, r8, \acc
    .endm

    .macro group
    ldrd r7, r8, [r0], #8
    ldmia r1!, {r9, r10, r11, r12}
    channel r3, r9
    channel r4, r10
    channel r5, r11
    channel r6, r12
    .endm

/* The first two channels of a quad. */
    .macro half_group
    ldrd r7, r8, [r0], #8
    ldrd r9, r10, [r1], #16
    channel r3, r9
    channel r4, r10
    .endm

/* Sums over x; starts are in r3 to r6. */
    .macro sum_over group
    ldrd r0, r2, [lr, #Q_X]
    cmp r0, r2
    beq 2f
1:  \group
    cmp r0, r2
    bne 1b
2:  ldr r2, [lr, #Q_X_END]
    cmp r0, r2
    beq 4f
3:  \group
    \group
    \group
    \group
    cmp r0, r2
    bne 3b
4:
    .endm

    .section .text.armv7em_quads, "ax", %progbits
    .balign 4
    .globl armv7em_quads
    .type armv7em_quads, %function
    .thumb_func
armv7em_quads:
    push {r4-r11, lr}
    mov lr, r0
    ldr r1, [lr, #Q_W]
armv7em_quads_next:
    ldmia r1!, {r3, r4, r5, r6}
    sum_over group
armv7em_quads_sums:
    asr r3, r3, #8
    asr r4, r4, #8
    asr r5, r5, #8
    asr r6, r6, #8
    ldr pc, [lr, #Q_TAIL]
armv7em_quads_end:
    pop {r4-r11, pc}
    .size armv7em_quads, . - armv7em_quads

/* One quad, of whose channels the first two count. */
    .section .text.armv7em_half_quad, "ax", %progbits
    .balign 4
    .globl armv7em_half_quad
    .type armv7em_half_quad, %function
    .thumb_func
armv7em_half_quad:
    push {r4-r11, lr}
    mov lr, r0
    ldr r1, [lr, #Q_W]
    ldmia r1!, {r3, r4, r5, r6}
    sum_over half_group
    b armv7em_quads_sums
    .size armv7em_half_quad, . - armv7em_half_quad

/* The end of a quad: requantises, stores, goes on. */
    .macro begin_tail name
    .section .text.armv7em_quads_\name, "ax", %progbits
    .balign 4
    .globl armv7em_quads_\name
    .type armv7em_quads_\name, %function
    .thumb_func
armv7em_quads_\name:
    .endm

    .macro end_tail
    subs r8, r8, #1
    strd r7, r8, [lr, #Q_Y]
    bne armv7em_quads_next
    b armv7em_quads_end
    .endm

    .macro tail name, requant, clip, any
    begin_tail \name
    \requant\()_single \clip, r3
    \requant\()_single \clip, r4
    \requant\()_single \clip, r5
    \requant\()_single \clip, r6
    .if \any
    ldrd r10, r11, [lr, #Q_LOW]
    clip_between r3
    clip_between r4
    clip_between r5
    clip_between r6
    .endif
    ldrd r7, r8, [lr, #Q_Y]
    bfi r3, r4, #8, #8
    bfi r5, r6, #8, #8
    bfi r3, r5, #16, #16
    str r3, [r7], #4
    end_tail
    .endm

    tail line_u8, line, u8, 0
    tail line_s8, line, s8, 0
    tail line_any, line, any, 1
    tail tflite_u8, tflite, u8, 0
    tail tflite_s8, tflite, s8, 0
    tail tflite_any, tflite, any, 1

/* Sums of 32 bits as they are, and the bias of each channel. */
    begin_tail raw
    ldmia r1!, {r9, r10, r11, r12}
    ldrd r7, r8, [lr, #Q_Y]
    add r3, r3, r9
    add r4, r4, r10
    add r5, r5, r11
    add r6, r6, r12
    stmia r7!, {r3, r4, r5, r6}
    end_tail
