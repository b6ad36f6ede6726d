/* Rows of four neighbouring channels into four planes of 16 bits, two pixels a turn: 17 instructions for 8 values.
 *
 *   void armv7em_gather_u8(uint16_t *to, const uint8_t *from, const struct armv7em_gather *g)
 *   void armv7em_gather_s8(the same)
 *
 * dwconv_armv7em.c has the struct. to: any even address. */
    .syntax unified
    .thumb

    .set G_ROWS, 0      /* counted down here */
    .set G_PAIRS, 4
    .set G_ODD, 8
    .set G_X_C, 12
    .set G_PLANE, 16
    .set G_FROM_STEP, 20 /* from the end of a row's pairs to the next row */
    .set G_TO_STEP, 24

    .macro gather name, extend
    .section .text.\name, "ax", %progbits
    .balign 4
    .globl \name
    .type \name, %function
    .thumb_func
\name:
    push {r4-r11, lr}
    mov lr, r2
    ldrd r3, r4, [lr, #G_X_C]
    lsl r5, r4, #1
    add r6, r4, r5
1:  ldr r2, [lr, #G_PAIRS]
    cmp r2, #0
    beq 3f
2:  ldr r7, [r1]
    ldr r8, [r1, r3]
    add r1, r1, r3, lsl #1
    \extend r9, r7
    \extend r10, r8
    \extend r7, r7, ror #8
    \extend r8, r8, ror #8
    pkhbt r11, r9, r10, lsl #16
    pkhtb r12, r10, r9, asr #16
    pkhbt r9, r7, r8, lsl #16
    pkhtb r10, r8, r7, asr #16
    str r9, [r0, r4]
    str r12, [r0, r5]
    str r10, [r0, r6]
    str r11, [r0], #4
    subs r2, r2, #1
    bne 2b
3:  ldr r2, [lr, #G_ODD]
    cmp r2, #0
    beq 4f
    ldr r7, [r1]
    \extend r9, r7
    \extend r7, r7, ror #8
    strh r9, [r0]
    strh r7, [r0, r4]
    lsr r9, r9, #16
    lsr r7, r7, #16
    strh r9, [r0, r5]
    strh r7, [r0, r6]
4:  ldrd r7, r8, [lr, #G_FROM_STEP]
    ldr r9, [lr, #G_ROWS]
    add r1, r1, r7
    add r0, r0, r8
    subs r9, r9, #1
    str r9, [lr, #G_ROWS]
    bne 1b
    pop {r4-r11, pc}
    .size \name, . - \name
    .endm

    gather armv7em_gather_u8, uxtb16
    gather armv7em_gather_s8, sxtb16
