/* Makes a kernel's tile from a ts_case_call: shared by the tests on the host and the program that runs on the
 * simulator. */
#ifndef TS_TESTS_DEVICE_CALL_H
#define TS_TESTS_DEVICE_CALL_H

#include "case_call.h"
#include "kernels/kernels.h"

static inline int64_t call_pair(const int32_t *words) {
    return (int64_t)((uint64_t)(uint32_t)words[0] | (uint64_t)(uint32_t)words[1] << 32);
}

static inline struct ts_rq_args call_rq(const ts_case_call *c) {
    return (struct ts_rq_args){.kind = (uint8_t)c->rq_kind,
                               .shift = (uint8_t)c->rq_shift,
                               .split = (uint8_t)c->rq_split,
                               .div_is_pow2 = (uint8_t)c->rq_div_is_pow2,
                               .low = c->rq_low,
                               .high = c->rq_high,
                               .acc_low = c->rq_acc_low,
                               .acc_high = c->rq_acc_high,
                               .div = call_pair(c->rq_div),
                               .zero = c->rq_zero};
}

static inline struct ts_conv_tile call_conv(const ts_case_call *c, uint8_t *area) {
    return (struct ts_conv_tile){.x = area + c->x_at,
                                 .w = area + c->w_at,
                                 .y = area + c->y_at,
                                 .scratch = area + c->scratch_at,
                                 .x_row_bytes = c->x_row_bytes,
                                 .y_row_bytes = c->y_row_bytes,
                                 .y_pixel_bytes = c->y_pixel_bytes,
                                 .x_h = (uint16_t)c->x_h,
                                 .x_w = (uint16_t)c->x_w,
                                 .x_c = (uint16_t)c->x_c,
                                 .y_h = (uint16_t)c->y_h,
                                 .y_w = (uint16_t)c->y_w,
                                 .y_c = (uint16_t)c->y_c,
                                 .k_h = (uint16_t)c->k_h,
                                 .k_w = (uint16_t)c->k_w,
                                 .stride_h = (uint8_t)c->stride_h,
                                 .stride_w = (uint8_t)c->stride_w,
                                 .dilation_h = (uint16_t)c->dilation_h,
                                 .dilation_w = (uint16_t)c->dilation_w,
                                 .pad_top = (uint16_t)c->pad_top,
                                 .pad_left = (uint16_t)c->pad_left,
                                 .pad_bottom = (uint16_t)c->pad_bottom,
                                 .pad_right = (uint16_t)c->pad_right,
                                 .groups = (uint16_t)c->groups,
                                 .x_type = (uint8_t)c->x_type,
                                 .w_type = (uint8_t)c->w_type,
                                 .y_type = (uint8_t)c->y_type,
                                 .x_is_new = 1,
                                 .x_zero = c->x_zero,
                                 .w_zero = c->w_zero,
                                 .rq = call_rq(c)};
}

static inline struct ts_matmul_tile call_matmul(const ts_case_call *c, uint8_t *area) {
    return (struct ts_matmul_tile){.x = area + c->x_at,
                                   .x2 = area + c->x2_at,
                                   .w = area + c->w_at,
                                   .y = area + c->y_at,
                                   .scratch = area + c->scratch_at,
                                   .x_row_bytes = c->x_row_bytes,
                                   .x2_row_bytes = c->x2_row_bytes,
                                   .y_row_bytes = c->y_row_bytes,
                                   .y_pixel_bytes = c->y_pixel_bytes,
                                   .x_h = (uint16_t)c->x_h,
                                   .x_w = (uint16_t)c->x_w,
                                   .x_c = (uint16_t)c->x_c,
                                   .y_h = (uint16_t)c->y_h,
                                   .y_w = (uint16_t)c->y_w,
                                   .y_c = (uint16_t)c->y_c,
                                   .x_type = (uint8_t)c->x_type,
                                   .x2_type = (uint8_t)c->x2_type,
                                   .y_type = (uint8_t)c->y_type,
                                   .x_zero = c->x_zero,
                                   .x2_zero = c->x2_zero,
                                   .rq = call_rq(c)};
}

static inline struct ts_add_step_args call_step(const int32_t *words) {
    return (struct ts_add_step_args){call_pair(words), call_pair(words + 2), call_pair(words + 4), words[6],
                                     words[7]};
}

static inline struct ts_add_tile call_add(const ts_case_call *c, uint8_t *area) {
    return (struct ts_add_tile){.a = area + c->x_at,
                                .b = c->x2_at != 0 ? area + c->x2_at : 0,
                                .y = area + c->y_at,
                                .count = c->count,
                                .channels = c->channels,
                                .a_type = (uint8_t)c->x_type,
                                .b_type = (uint8_t)c->x2_type,
                                .y_type = (uint8_t)c->y_type,
                                .in1 = call_step(c->steps[0]),
                                .in2 = call_step(c->steps[1]),
                                .sum = call_step(c->steps[2]),
                                .rq = call_rq(c),
                                .rq_params = area + c->w_at,
                                .rq_channels = c->rq_channels};
}

#endif
