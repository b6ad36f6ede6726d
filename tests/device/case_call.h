#ifndef TS_TESTS_DEVICE_CASE_CALL_H
#define TS_TESTS_DEVICE_CASE_CALL_H

#include <stdint.h>

/* One call of a kernel in plain 32-bit numbers, as the program on the simulator reads it. Offsets and sizes
 * are in bytes of the case's own L1 area. */
typedef struct ts_case_call {
    uint32_t is_add;
    uint32_t x_at, x2_at, w_at, y_at, scratch_at; /* x2_at: 0 where there is no second input */
    uint32_t x_row_bytes, x2_row_bytes, y_row_bytes, y_pixel_bytes;
    uint32_t x_h, x_w, x_c, y_h, y_w, y_c, k_h, k_w;
    uint32_t stride_h, stride_w, dilation_h, dilation_w;
    uint32_t pad_top, pad_left, pad_bottom, pad_right, groups;
    uint32_t x_type, x2_type, w_type, y_type;
    int32_t x_zero, x2_zero, w_zero;
    uint32_t count, channels, rq_channels;
    int32_t steps[3][8]; /* mul, add, div as word pairs, low, high */
    uint32_t rq_kind, rq_shift, rq_split, rq_div_is_pow2;
    int32_t rq_low, rq_high, rq_acc_low, rq_acc_high;
    int32_t rq_div[2];
    int32_t rq_zero;
} ts_case_call;

#endif
