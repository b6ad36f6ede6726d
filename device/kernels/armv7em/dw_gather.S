/* One row of four neighbouring channels into four planes of 16 bits, two pixels a turn: 17 instructions for 8 values.
 *
 *   void armv7em_gather_u8(uint16_t *to, const uint8_t *from, uint32_t pairs, uint32_t x_c, uint32_t plane_bytes)
 *   void armv7em_gather_s8(the same)
 *
 * from: bytes, x_c from one pixel to the next; to: any even address. */
    .syntax unified
    .thumb

    .macro gather name, extend
    .section .text.\name, "ax", %progbits
    .balign 4
    .globl \name
    .type \name, %function
    .thumb_func
\name:
    push {r4-r11, lr}
    ldr r4, [sp, #36]
    lsl r5, r4, #1
    add r6, r4, r5
1:  ldr r7, [r1]
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
    bne 1b
    pop {r4-r11, pc}
    .size \name, . - \name
    .endm

    gather armv7em_gather_u8, uxtb16
    gather armv7em_gather_s8, sxtb16
