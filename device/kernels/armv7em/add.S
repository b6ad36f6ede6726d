/* Element-wise additions and requantisations of bytes, four elements a turn, by tables.
 *
 *   void armv7em_add_tflite(const uint8_t *a, const uint8_t *b, uint8_t *y, uint32_t words, const void *params)
 *   void armv7em_add_s32   (the same)
 *   void armv7em_table     (const uint8_t *a, const uint8_t *table, uint8_t *y, uint32_t words)
 *
 * params: 256 words of what each byte of a gives, 256 of b, then three words of the requantisation:
 *   tflite  m, c, r: doubled sums (armv7em.h)      s32  k, l, shift
 * 12.25 and 9.25 instructions an element, 3.25 of a table alone. Outputs are 8 bits unsigned or signed by `clip`. */
    .syntax unified
    .thumb

/* Byte `i` of a word. */
    .macro byte_of to, from, i
    .if \i == 3
    lsr \to, \from, #24
    .else
    ubfx \to, \from, #8 * \i, #8
    .endif
    .endm

    .macro put_byte to, from, i
    .if \i == 0
    mov \to, \from
    .else
    bfi \to, \from, #8 * \i, #8
    .endif
    .endm

    .macro sum i
    byte_of r11, r9, \i
    byte_of r12, r10, \i
    ldr r11, [r4, r11, lsl #2]
    ldr r12, [r5, r12, lsl #2]
    add r11, r11, r12
    .endm

    .macro requant_tflite
    smmulr r11, r11, r6
    add r11, r11, r11, asr #31
    add r11, r11, r7
    asr r11, r11, r8
    .endm

    .macro requant_s32
    mla r11, r11, r6, r7
    asr r11, r11, r8
    .endm

    .macro add_kernel name, requant, clip
    .section .text.\name, "ax", %progbits
    .balign 4
    .globl \name
    .type \name, %function
    .thumb_func
\name:
    push {r4-r11, lr}
    ldr r4, [sp, #36]
    add r5, r4, #1024
    add r6, r5, #1024
    ldmia r6, {r6, r7, r8}
1:  ldr r9, [r0], #4
    ldr r10, [r1], #4
    .irp i, 0, 1, 2, 3
    sum \i
    requant_\requant
    .if \i == 0
    \clip lr, #8, r11
    .else
    \clip r11, #8, r11
    put_byte lr, r11, \i
    .endif
    .endr
    str lr, [r2], #4
    subs r3, r3, #1
    bne 1b
    pop {r4-r11, pc}
    .size \name, . - \name
    .endm

    add_kernel armv7em_add_tflite_u8, tflite, usat
    add_kernel armv7em_add_tflite_s8, tflite, ssat
    add_kernel armv7em_add_s32_u8, s32, usat
    add_kernel armv7em_add_s32_s8, s32, ssat

    .section .text.armv7em_table, "ax", %progbits
    .balign 4
    .globl armv7em_table
    .type armv7em_table, %function
    .thumb_func
armv7em_table:
    push {r4, r5, lr}
1:  ldr r4, [r0], #4
    uxtb r12, r4
    ldrb lr, [r1, r12]
    .irp i, 1, 2, 3
    byte_of r5, r4, \i
    ldrb r12, [r1, r5]
    put_byte lr, r12, \i
    .endr
    str lr, [r2], #4
    subs r3, r3, #1
    bne 1b
    pop {r4, r5, pc}
    .size armv7em_table, . - armv7em_table
