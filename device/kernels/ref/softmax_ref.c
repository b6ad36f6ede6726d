/* Softmax over the channels of each pixel, in the fixed-point arithmetic of gemmlowp that TensorFlow Lite's
 * reference kernel rests on. Numbers with n integer bits are raw 2^(n - 31). The weights are three words:
 * multiplier, shift and least difference. A pixel is one core's. */
#include "kernels/kernels.h"
#include "kernels/ref/ref.h"

struct softmax_args {
    int32_t multiplier, shift, diff_min;
};

/* High half of the doubled product, halves upward. Not for two times INT32_MIN, which does not occur. */
static int32_t high_mul(int32_t a, int32_t b) {
    int64_t product = (int64_t)a * b;
    return (int32_t)((product + ((int64_t)1 << 30)) >> 31);
}

/* x / 2^bits, halves away from zero. */
static int32_t rounded(int32_t x, int32_t bits) {
    if (bits > 31) {
        return 0; /* of shares below a half, which x, less than 2^31, then is */
    }
    int64_t magnitude = (x < 0 ? -(int64_t)x : x) + (bits > 0 ? (int64_t)1 << (bits - 1) : 0);
    return (int32_t)(x < 0 ? -(magnitude >> bits) : magnitude >> bits);
}

/* e^a for -1/4 <= a < 0, no integer bits: a Taylor series around -1/8. */
static int32_t exp_of_quarter(int32_t a) {
    const int32_t exp_of_eighth = 1895147668, third = 715827883;
    int32_t x = a + (1 << 28), x2 = high_mul(x, x), x3 = high_mul(x2, x), x4 = high_mul(x2, x2);
    int32_t sum = high_mul(rounded(x4, 2) + x3, third) + x2;
    return exp_of_eighth + high_mul(exp_of_eighth, x + rounded(sum, 1));
}

/* e^a for a <= 0 with five integer bits. */
static int32_t fixed_exp(int32_t a) {
    static const int32_t factors[] = {1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242};
    const int32_t quarter = 1 << 24;
    if (a == 0) {
        return INT32_MAX;
    }
    int32_t low = (a & (quarter - 1)) - quarter;
    int32_t result = exp_of_quarter(low * 32);
    uint32_t rest = (uint32_t)low - (uint32_t)a;
    for (int32_t i = 0; i < 7; i++) {
        if ((rest >> (24 + i) & 1u) != 0) {
            result = high_mul(result, factors[i]);
        }
    }
    return result;
}

static int32_t saturated_shift(int32_t x, int32_t bits) {
    return ref_clip64((int64_t)x * ((int64_t)1 << bits), INT32_MIN, INT32_MAX);
}

/* 1 / sum, sum > 0 with twelve integer bits: the result times 2^-bits. */
static int32_t reciprocal(int32_t sum, int32_t *bits) {
    uint32_t shifted = (uint32_t)sum;
    *bits = 12;
    for (; shifted < (uint32_t)1 << 31; shifted <<= 1) {
        --*bits;
    }
    int32_t d = (int32_t)(((int64_t)(int32_t)(shifted - ((uint32_t)1 << 31)) + INT32_MAX + 1) / 2);
    int32_t x = 1515870810 + high_mul(d, -1010580540);
    for (int i = 0; i < 3; i++) {
        x += saturated_shift(high_mul(x, (1 << 29) - high_mul(d, x)), 2);
    }
    return saturated_shift(x, 1);
}

static int32_t exp_of(const struct softmax_args *a, int32_t difference) {
    return fixed_exp(high_mul(saturated_shift(difference, a->shift), a->multiplier));
}

static void softmax_pixel(const struct softmax_args *a, const uint8_t *x, uint8_t *y, uint32_t count,
                          uint8_t type, int32_t low) {
    int32_t most = ref_get(x, 0, type), sum = 0, bits;
    for (uint32_t i = 1; i < count; i++) {
        int32_t value = ref_get(x, i, type);
        most = value > most ? value : most;
    }
    for (uint32_t i = 0; i < count; i++) {
        int32_t difference = ref_get(x, i, type) - most;
        sum += difference >= a->diff_min ? rounded(exp_of(a, difference), 12) : 0;
    }
    int32_t scale = reciprocal(sum, &bits);
    for (uint32_t i = 0; i < count; i++) {
        int32_t difference = ref_get(x, i, type) - most, value = 0;
        if (difference >= a->diff_min) {
            value = rounded(high_mul(scale, exp_of(a, difference)), bits + 23);
        }
        y[i] = (uint8_t)((value > 255 ? 255 : value) + low);
    }
}

void softmax_ref(const struct ts_conv_tile *tile) {
    const struct softmax_args *args = (const struct softmax_args *)tile->w;
    struct ref_share share = ref_share((uint32_t)tile->y_h * tile->y_w);
    for (uint32_t i = share.begin; i < share.end; i++) {
        const uint8_t *x = ref_pixel(tile, i / tile->y_w, i % tile->y_w, 0, 0);
        uint8_t *y =
            (uint8_t *)tile->y + i / tile->y_w * tile->y_row_bytes + i % tile->y_w * tile->y_pixel_bytes;
        softmax_pixel(args, x, y, tile->y_c, tile->x_type, ref_low(tile->y_type));
    }
}
