#include "base/fixed_point.h"

int32_t ts_rounding_doubling_high_mul(int32_t a, int32_t b) {
    if (a == INT32_MIN && b == INT32_MIN) {
        return INT32_MAX;
    }
    int64_t product = (int64_t)a * b;
    int64_t nudge = product >= 0 ? INT64_C(1) << 30 : 1 - (INT64_C(1) << 30);
    return (int32_t)((product + nudge) / (INT64_C(1) << 31));
}

int32_t ts_rounding_divide_by_pot(int32_t x, int32_t exponent) {
    int64_t half = exponent > 0 ? INT64_C(1) << (exponent - 1) : 0;
    int64_t magnitude = (x < 0 ? -(int64_t)x : x) + half;
    return (int32_t)(x < 0 ? -(magnitude >> exponent) : magnitude >> exponent);
}

static int32_t saturate(int64_t value) {
    return value < INT32_MIN ? INT32_MIN : value > INT32_MAX ? INT32_MAX : (int32_t)value;
}

static int32_t shift_left(int32_t x, int32_t bits) { return saturate((int64_t)x * (INT64_C(1) << bits)); }

int32_t ts_multiply_by_quantized(int32_t x, int32_t multiplier, int32_t shift) {
    int32_t high = ts_rounding_doubling_high_mul(shift > 0 ? shift_left(x, shift) : x, multiplier);
    return shift < 0 ? ts_rounding_divide_by_pot(high, -shift) : high;
}

static int32_t wrapping_sum(int32_t a, int32_t b) { return (int32_t)((uint32_t)a + (uint32_t)b); }

static int32_t times(int32_t a, int32_t b) { return ts_rounding_doubling_high_mul(a, b); }

/* e^a for -1/4 <= a < 0: a Taylor series around -1/8. */
static int32_t exp_of_quarter(int32_t a) {
    static const int32_t exp_of_eighth = 1895147668, third = 715827883;
    int32_t x = a + (1 << 28);
    int32_t x2 = times(x, x), x3 = times(x2, x), x4 = times(x2, x2);
    int32_t sum = times(ts_rounding_divide_by_pot(x4, 2) + x3, third) + x2;
    return exp_of_eighth + times(exp_of_eighth, x + ts_rounding_divide_by_pot(sum, 1));
}

int32_t ts_fixed_exp(int32_t a, int32_t integer_bits) {
    /* e^-2^i for i = -2, -1, ...: the rest of a is a sum of such powers. */
    static const int32_t factors[] = {1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242};
    int32_t fraction_bits = 31 - integer_bits, quarter = 1 << (fraction_bits - 2);
    if (a == 0) {
        return INT32_MAX;
    }
    int32_t low = (a & (quarter - 1)) - quarter;
    int32_t result = exp_of_quarter(shift_left(low, integer_bits));
    int32_t rest = wrapping_sum(low, (int32_t)(0u - (uint32_t)a));
    for (int32_t i = 0; i < integer_bits + 2; i++) {
        if ((rest & (quarter << i)) != 0) {
            result = times(result, factors[i]);
        }
    }
    return result;
}

/* Newton's iteration for 1 / d, d = (1 + a) / 2; two integer bits in the result. */
static int32_t half_denominator_reciprocal(int32_t a) {
    int32_t d = (int32_t)(((int64_t)a + INT32_MAX + 1) / 2); /* a >= 0 */
    int32_t x = 1515870810 + times(d, -1010580540);          /* 48/17 - 32/17 d */
    for (int i = 0; i < 3; i++) {
        x += shift_left(times(x, (1 << 29) - times(d, x)), 2);
    }
    return x;
}

int32_t ts_fixed_one_over_one_plus(int32_t a) { return shift_left(half_denominator_reciprocal(a), 1); }

int32_t ts_fixed_one_minus_over_one_plus(int32_t a) {
    return shift_left(half_denominator_reciprocal(a) - (1 << 29), 2);
}

int32_t ts_fixed_logistic(int32_t a) {
    if (a == 0) {
        return 1 << 30;
    }
    int32_t minus = a > 0 ? -a : a;
    int32_t of_positive = ts_fixed_one_over_one_plus(ts_fixed_exp(minus, 4));
    return a > 0 ? of_positive : INT32_MAX - of_positive;
}

int32_t ts_fixed_tanh(int32_t a) {
    if (a == 0) {
        return 0;
    }
    /* e^2a: the same bits with one more before the point. */
    int32_t t = ts_fixed_one_minus_over_one_plus(ts_fixed_exp(a < 0 ? a : -a, 5));
    return a < 0 ? -t : t;
}

int32_t ts_fixed_reciprocal(int32_t x, int32_t *bits) {
    uint32_t shifted = (uint32_t)x;
    int32_t zeros = 0;
    while (shifted < UINT32_C(1) << 31) {
        shifted <<= 1;
        zeros++;
    }
    *bits = 12 - zeros;
    return ts_fixed_one_over_one_plus((int32_t)(shifted - (UINT32_C(1) << 31)));
}

static int32_t exp_of_difference(int32_t difference, int32_t multiplier, int32_t shift) {
    return ts_fixed_exp(times(shift_left(difference, shift), multiplier), 5);
}

void ts_fixed_softmax(const int32_t *x, int32_t *y, uint32_t count, int32_t multiplier, int32_t shift,
                      int32_t diff_min) {
    int32_t most = x[0], sum = 0, bits;
    for (uint32_t i = 1; i < count; i++) {
        most = x[i] > most ? x[i] : most;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (x[i] - most >= diff_min) {
            sum += ts_rounding_divide_by_pot(exp_of_difference(x[i] - most, multiplier, shift), 12);
        }
    }
    int32_t scale = ts_fixed_reciprocal(sum, &bits);
    for (uint32_t i = 0; i < count; i++) {
        int32_t value = 0;
        if (x[i] - most >= diff_min) {
            int32_t share = times(scale, exp_of_difference(x[i] - most, multiplier, shift));
            value = ts_rounding_divide_by_pot(share, bits + 23);
        }
        y[i] = value > 255 ? 255 : value;
    }
}
