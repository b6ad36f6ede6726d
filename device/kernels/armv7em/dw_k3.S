/* Rows of a depthwise convolution of 3x3 of one channel, two outputs a turn.
 *
 *   void armv7em_dw_STRIDE_REQUANT_CLIP(const struct armv7em_dw *d, const void *record)
 *
 * dwconv_armv7em.c has the struct; record: the channel's weights and parameters.
 *
 * x is the channel's plane in 16 bits with its padding. A row of the window is two words of weights, {w0 w1} and
 * {w1 w2}; two outputs of a row of the window take 4 multiplications for 6 products. A turn at stride 1 takes 3
 * loads, 3 additions for the rows, 12 multiplications, 10 instructions for both requantisations and stores, 3 for
 * the loop: 31 for 18 products. */
    .syntax unified
    .thumb

    .set D_X, 0
    .set D_PITCH, 4
    .set D_Y, 8
    .set D_Y_PIXEL, 12
    .set D_Y_ROW, 16
    .set D_ROWS, 20
    .set D_PAIRS, 24    /* bytes of x under the pairs of a row */
    .set D_ODD, 28
    .set D_LOW, 32
    .set D_HIGH, 36
    .set D_X_ROW, 40
    .set D_COPIED, 44
    .set D_END, 44      /* of the frame alone: where the pairs of a row end */
    .set D_RQ, 48       /* line: l    tflite: 2b, c, r */
    .set D_BYTES, 60

/* r0 x, r1 pitch, r2-r7 weights, r8 r9 accumulators, r10 r11 x, r12 y, lr k or m. */

    .macro row_s1 both, a, b
    smlad r8, r10, \a, r8
    smlabt r8, r11, \b, r8
    .if \both
    smlatb r9, r10, \a, r9
    smlad r9, r11, \b, r9
    .endif
    .endm

    .macro turn_s1 both
    ldrd r10, r11, [r0], #4
    smuad r8, r10, r2
    smlabt r8, r11, r3, r8
    .if \both
    smultb r9, r10, r2
    smlad r9, r11, r3, r9
    .endif
    add r0, r0, r1
    ldrd r10, r11, [r0, #-4]
    row_s1 \both, r4, r5
    add r0, r0, r1
    ldrd r10, r11, [r0, #-4]
    row_s1 \both, r6, r7
    sub r0, r0, r1, lsl #1
    .endm

    .macro row_s2 both, a, b
    smlad r8, r10, \a, r8
    smlabt r8, r11, \b, r8
    .if \both
    ldr r10, [r0]
    smlad r9, r11, \a, r9
    smlabt r9, r10, \b, r9
    .endif
    .endm

    .macro turn_s2 both
    ldrd r10, r11, [r0], #8
    smuad r8, r10, r2
    smlabt r8, r11, r3, r8
    .if \both
    ldr r10, [r0]
    smuad r9, r11, r2
    smlabt r9, r10, r3, r9
    .endif
    add r0, r0, r1
    ldrd r10, r11, [r0, #-8]
    row_s2 \both, r4, r5
    add r0, r0, r1
    ldrd r10, r11, [r0, #-8]
    row_s2 \both, r6, r7
    sub r0, r0, r1, lsl #1
    .endm

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
    ldrd r10, r11, [sp, #D_LOW]
    cmp \to, r10
    it lt
    movlt \to, r10
    cmp \to, r11
    it gt
    movgt \to, r11
    .endm

    .macro line_1 clip, a
    ldrd r10, r11, [sp, #D_RQ]
    smlal r10, r11, lr, \a
    clip_\clip \a, r11
    .endm
    .macro line_2 clip
    line_1 \clip, r8
    line_1 \clip, r9
    .endm

    .macro rounded a
    add \a, r10, \a, lsl #1
    smmulr \a, \a, lr
    add \a, \a, \a, asr #31
    add \a, \a, r11
    .endm
    .macro tflite_1 clip, a
    ldrd r10, r11, [sp, #D_RQ]
    rounded \a
    ldr r10, [sp, #D_RQ + 8]
    asr \a, \a, r10
    clip_\clip \a, \a
    .endm
    .macro tflite_2 clip
    ldrd r10, r11, [sp, #D_RQ]
    rounded r8
    rounded r9
    ldr r10, [sp, #D_RQ + 8]
    asr r8, r8, r10
    asr r9, r9, r10
    clip_\clip r8, r8
    clip_\clip r9, r9
    .endm

/* The parameters behind the weights, at r1: what stays in lr, the rest into the frame. */
    .macro line_load
    ldmia r1, {r10, r11, r12}
    mov lr, r10
    strd r11, r12, [sp, #D_RQ]
    .endm
    .macro tflite_load
    ldmia r1, {r9, r10, r11, r12}
    mov lr, r10
    strd r9, r11, [sp, #D_RQ]
    str r12, [sp, #D_RQ + 8]
    .endm

    .macro dw stride, requant, clip
    .section .text.armv7em_dw_\stride\()_\requant\()_\clip, "ax", %progbits
    .balign 4
    .globl armv7em_dw_\stride\()_\requant\()_\clip
    .type armv7em_dw_\stride\()_\requant\()_\clip, %function
    .thumb_func
armv7em_dw_\stride\()_\requant\()_\clip:
    push {r4-r11, lr}
    sub sp, sp, #D_BYTES
    ldmia r0, {r2-r12}
    stmia sp, {r2-r12}
    ldmia r1!, {r2-r7}
    \requant\()_load
    ldr r1, [sp, #D_PITCH]
1:  ldr r0, [sp, #D_X]
    ldr r12, [sp, #D_Y]
    ldr r10, [sp, #D_PAIRS]
    add r11, r0, r10
    str r11, [sp, #D_END]
    cmp r10, #0
    beq 3f
2:  turn_\stride 1
    \requant\()_2 \clip
    ldr r10, [sp, #D_Y_PIXEL]
    ldr r11, [sp, #D_END]
    strb r8, [r12]
    strb r9, [r12, r10]
    add r12, r12, r10, lsl #1
    cmp r0, r11
    bne 2b
3:  ldr r10, [sp, #D_ODD]
    cmp r10, #0
    beq 4f
    turn_\stride 0
    \requant\()_1 \clip, r8
    strb r8, [r12]
4:  ldr r10, [sp, #D_X]
    ldr r11, [sp, #D_X_ROW]
    add r10, r10, r11
    str r10, [sp, #D_X]
    ldr r10, [sp, #D_Y]
    ldr r11, [sp, #D_Y_ROW]
    add r10, r10, r11
    str r10, [sp, #D_Y]
    ldr r10, [sp, #D_ROWS]
    subs r10, r10, #1
    str r10, [sp, #D_ROWS]
    bne 1b
    add sp, sp, #D_BYTES
    pop {r4-r11, pc}
    .size armv7em_dw_\stride\()_\requant\()_\clip, . - armv7em_dw_\stride\()_\requant\()_\clip
    .endm

    dw s1, line, u8
    dw s1, line, s8
    dw s1, line, any
    dw s1, tflite, u8
    dw s1, tflite, s8
    dw s1, tflite, any
    dw s2, line, u8
    dw s2, line, s8
    dw s2, line, any
    dw s2, tflite, u8
    dw s2, tflite, s8
    dw s2, tflite, any
