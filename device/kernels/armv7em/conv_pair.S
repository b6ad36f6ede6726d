/* One or two output pixels of a convolution, all pairs of output channels.
 *
 *   void armv7em_pair(struct armv7em_pair *p)      conv_armv7em.c has the struct
 *
 * x: groups of four values of both pixels, expanded to 16 bits: {a0 a2} {a1 a3} {b0 b2} {b1 b3}.
 * w: groups of four weights of both channels, then the parameters of both.
 * A block of 2 x 2 outputs takes 14 instructions for 16 products: both operands are loaded once, weights are
 * expanded once for two pixels. All 14 registers are used; pointers of the outputs live in the struct. */
    .syntax unified
    .thumb
    .text

    .set P_X, 0
    .set P_X_REST, 4    /* end of the groups that are left over from fours of groups */
    .set P_X_END, 8
    .set P_W, 12
    .set P_Y_A, 16
    .set P_Y_B, 20
    .set P_PAIRS, 24
    .set P_TAIL, 28
    .set P_LOW, 32
    .set P_HIGH, 36

    .macro pair_group
    ldmia r0!, {r9, r10, r11, r12}
    ldrd r7, r8, [r1], #8
    sxtb16 lr, r7
    smlad r3, lr, r9, r3
    smlad r4, lr, r11, r4
    sxtb16 r7, r7, ror #8
    smlad r3, r7, r10, r3
    smlad r4, r7, r12, r4
    sxtb16 lr, r8
    smlad r5, lr, r9, r5
    smlad r6, lr, r11, r6
    sxtb16 r8, r8, ror #8
    smlad r5, r8, r10, r5
    smlad r6, r8, r12, r6
    .endm

    .macro single_group
    ldrd r9, r10, [r0], #16
    ldrd r7, r8, [r1], #8
    sxtb16 lr, r7
    smlad r3, lr, r9, r3
    sxtb16 r7, r7, ror #8
    smlad r3, r7, r10, r3
    sxtb16 lr, r8
    smlad r5, lr, r9, r5
    sxtb16 r8, r8, ror #8
    smlad r5, r8, r10, r5
    .endm

/* The loops over groups; tail: where each pair of channels ends. */
    .macro dot name, group
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
1:  mov r3, #0
    mov r4, #0
    mov r5, #0
    mov r6, #0
    ldr r2, [r0, #P_X_REST]
    ldr r0, [r0, #P_X]
    cmp r0, r2
    beq 3f
2:  \group
    cmp r0, r2
    bne 2b
3:  ldr r2, [sp]
    ldr r2, [r2, #P_X_END]
    cmp r0, r2
    beq 5f
4:  \group
    \group
    \group
    \group
    cmp r0, r2
    bne 4b
5:  ldr r0, [sp]
    ldr pc, [r0, #P_TAIL]
\name\()_end:
    pop {r0, r4-r11, pc}
    .size \name, . - \name
    .endm

/* To the outputs' range; `any` is clipped behind all, when two registers are free for the bounds. */
    .macro clip_u8 to, from
    usat \to, #8, \from
    .endm
    .macro clip_s8 to, from
    ssat \to, #8, \from
    .endm
    .macro clip_any to, from
    .ifnc \to, \from
    mov \to, \from
    .endif
    .endm
    .macro clip_between r
    cmp \r, r10
    it lt
    movlt \r, r10
    cmp \r, r11
    it gt
    movgt \r, r11
    .endm

/* The accumulators of one channel through its line: r3, r4 or r5, r6. */
    .macro line_pair clip, a, b
    ldmia r1!, {r7, r8, r9}
    mov r10, r8
    mov r11, r9
    smlal r8, r9, r7, \a
    smlal r10, r11, r7, \b
    clip_\clip \a, r9
    clip_\clip \b, r11
    .endm
    .macro line_single clip, a
    ldmia r1!, {r7, r8, r9}
    smlal r8, r9, r7, \a
    clip_\clip \a, r9
    .endm

/* TFLite's two roundings. */
    .macro tflite_one clip, a
    add \a, r7, \a, lsl #1
    smmulr \a, \a, r8
    add \a, \a, \a, asr #31
    add \a, \a, r9
    asr \a, \a, r10
    clip_\clip \a, \a
    .endm
    .macro tflite_pair clip, a, b
    ldmia r1!, {r7, r8, r9, r10}
    tflite_one \clip, \a
    tflite_one \clip, \b
    .endm
    .macro tflite_single clip, a
    ldmia r1!, {r7, r8, r9, r10}
    tflite_one \clip, \a
    .endm

/* The end of a pair of channels: requantises, stores, goes on. r0: the struct. */
    .macro tail_pair name, requant, clip, any
    .section .text.armv7em_pair_\name, "ax", %progbits
    .balign 4
    .globl armv7em_pair_\name
    .type armv7em_pair_\name, %function
    .thumb_func
armv7em_pair_\name:
    \requant\()_pair \clip, r3, r4
    \requant\()_pair \clip, r5, r6
    .if \any
    ldrd r10, r11, [r0, #P_LOW]
    clip_between r3
    clip_between r4
    clip_between r5
    clip_between r6
    .endif
    bfi r3, r5, #8, #8
    bfi r4, r6, #8, #8
    ldrd r5, r6, [r0, #P_Y_A]
    ldr r7, [r0, #P_PAIRS]
    strh r3, [r5], #2
    strh r4, [r6], #2
    strd r5, r6, [r0, #P_Y_A]
    subs r7, r7, #1
    str r7, [r0, #P_PAIRS]
    bne armv7em_pair_next
    b armv7em_pair_end
    .endm

    .macro tail_single name, requant, clip, any
    .section .text.armv7em_single_\name, "ax", %progbits
    .balign 4
    .globl armv7em_single_\name
    .type armv7em_single_\name, %function
    .thumb_func
armv7em_single_\name:
    \requant\()_single \clip, r3
    \requant\()_single \clip, r5
    .if \any
    ldrd r10, r11, [r0, #P_LOW]
    clip_between r3
    clip_between r5
    .endif
    bfi r3, r5, #8, #8
    ldr r5, [r0, #P_Y_A]
    ldr r7, [r0, #P_PAIRS]
    strh r3, [r5], #2
    str r5, [r0, #P_Y_A]
    subs r7, r7, #1
    str r7, [r0, #P_PAIRS]
    bne armv7em_single_next
    b armv7em_single_end
    .endm

    dot armv7em_pair, pair_group
    dot armv7em_single, single_group

    tail_pair line_u8, line, u8, 0
    tail_pair line_s8, line, s8, 0
    tail_pair line_any, line, any, 1
    tail_pair tflite_u8, tflite, u8, 0
    tail_pair tflite_s8, tflite, s8, 0
    tail_pair tflite_any, tflite, any, 1
    tail_single line_u8, line, u8, 0
    tail_single line_s8, line, s8, 0
    tail_single line_any, line, any, 1
    tail_single tflite_u8, tflite, u8, 0
    tail_single tflite_s8, tflite, s8, 0
    tail_single tflite_any, tflite, any, 1
