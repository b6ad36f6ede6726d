/* 32-bit fixed-point functions as gemmlowp defines them (fixedpoint/fixedpoint.h), on which TensorFlow Lite's
 * integer softmax, logistic and tanh rest: the roundings are part of the result. A number with n integer bits
 * is raw 2^(n - 31). */
#ifndef TS_BASE_FIXED_POINT_H
#define TS_BASE_FIXED_POINT_H

#include <stdint.h>

/* High half of the doubled product, halves rounded upward; saturates where both are INT32_MIN. */
int32_t ts_rounding_doubling_high_mul(int32_t a, int32_t b);

/* x / 2^exponent, 0 <= exponent <= 62, halves rounded away from zero. */
int32_t ts_rounding_divide_by_pot(int32_t x, int32_t exponent);

/* x times multiplier 2^(shift - 31), with the two roundings of MultiplyByQuantizedMultiplier; x 2^shift must
 * fit 32 bits where shift is positive, and saturates. */
int32_t ts_multiply_by_quantized(int32_t x, int32_t multiplier, int32_t shift);

/* e^a for a <= 0 with `integer_bits` (4 or 5) integer bits; 0 integer bits of the result. */
int32_t ts_fixed_exp(int32_t a, int32_t integer_bits);

/* 1 / (1 + a) and (1 - a) / (1 + a) for 0 <= a <= 1, no integer bits in and out. */
int32_t ts_fixed_one_over_one_plus(int32_t a);
int32_t ts_fixed_one_minus_over_one_plus(int32_t a);

/* Logistic function and tanh of a number with 4 integer bits; none in the result. */
int32_t ts_fixed_logistic(int32_t a);
int32_t ts_fixed_tanh(int32_t a);

/* 1 / x of a positive x with 12 integer bits: the result times 2^-bits, bits >= 0. */
int32_t ts_fixed_reciprocal(int32_t x, int32_t *bits);

/* Softmax of one row of 8-bit logits: y[i], 0 to 255, of x[i]; differences to the largest, times multiplier
 * 2^(shift - 31), are numbers with 5 integer bits; below diff_min they count as nothing. 255 stands for 1. */
void ts_fixed_softmax(const int32_t *x, int32_t *y, uint32_t count, int32_t multiplier, int32_t shift,
                      int32_t diff_min);

#endif
