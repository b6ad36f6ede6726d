/* One or two output pixels of a convolution, all pairs of output channels.
 *
 *   void armv7em_pair(struct armv7em_pair *p)      conv_pair.h has the struct
 *
 * x: groups of four values of both pixels, expanded to 16 bits: {a0 a2} {a1 a3} {b0 b2} {b1 b3}.
 * w: groups of four weights of both channels, then the parameters of both.
 * A block of 2 x 2 outputs takes 14 instructions for 16 products: both operands are loaded once, weights are
 * expanded once for two pixels. All 14 registers are used; pointers of the outputs live in the struct. */
    .syntax unified
    .thumb
    .text

#include "conv_pair.inc"

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

/* Sums of 32 bits as they are, and the bias of each channel. */
    .macro tail_raw kind, one
    .section .text.armv7em_\kind\()_raw, "ax", %progbits
    .balign 4
    .globl armv7em_\kind\()_raw
    .type armv7em_\kind\()_raw, %function
    .thumb_func
armv7em_\kind\()_raw:
    ldrd r7, r8, [r1], #8
    ldrd r9, r10, [r0, #P_Y_A]
    add r3, r3, r7
    add r5, r5, r8
    strd r3, r5, [r9], #8
    .if !\one
    add r4, r4, r7
    add r6, r6, r8
    strd r4, r6, [r10], #8
    .endif
    strd r9, r10, [r0, #P_Y_A]
    ldr r7, [r0, #P_PAIRS]
    subs r7, r7, #1
    str r7, [r0, #P_PAIRS]
    bne armv7em_\kind\()_next
    b armv7em_\kind\()_end
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
    tail_raw pair, 0
    tail_raw single, 1
