/* Softmax over the channels of each pixel, in the fixed-point arithmetic of gemmlowp that TensorFlow Lite's
 * reference kernel rests on. Numbers with n integer bits are raw 2^(n - 31). The weights are a table of 256
 * words: entry d is e to the power of what d steps below the largest logit stand for, 0 where that counts as
 * nothing. Cores share pixels, or where these are fewer the channels of each. */
#include <stdbool.h>

#include "kernels/kernels.h"
#include "kernels/ref/ref.h"

/* High half of the doubled product, halves upward. Not for two times INT32_MIN, which does not occur. */
static int32_t high_mul(int32_t a, int32_t b) {
    int64_t product = (int64_t)a * b;
    return (int32_t)((product + ((int64_t)1 << 30)) >> 31);
}

/* x / 2^bits, halves upward, x >= 0. */
static uint32_t rounded(int32_t x, uint32_t bits) {
    return bits > 31 ? 0 : ((uint32_t)x + ((uint32_t)1 << (bits - 1))) >> bits; /* 0: less than a half */
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

struct softmax_row {
    const uint8_t *x;
    uint8_t *y;
    uint32_t count, begin, end; /* channels, and those of this core */
    uint32_t flip;              /* 128 where logits are signed: then bytes are in their order */
    int32_t low;
};

static void softmax_row(const int32_t *exps, const struct softmax_row *r) {
    const uint8_t *x = r->x;
    uint32_t most = 0, sum = 0, flip = r->flip;
    for (uint32_t i = 0; i < r->count; i++) {
        uint32_t value = x[i] ^ flip;
        most = value > most ? value : most;
    }
    for (uint32_t i = 0; i < r->count; i++) {
        sum += rounded(exps[most - (x[i] ^ flip)], 12);
    }
    int32_t bits, scale = reciprocal((int32_t)sum, &bits);
    for (uint32_t i = r->begin; i < r->end; i++) {
        uint32_t value = rounded(high_mul(scale, exps[most - (x[i] ^ flip)]), (uint32_t)(bits + 23));
        r->y[i] = (uint8_t)((value > 255 ? 255 : (int32_t)value) + r->low);
    }
}

void softmax_ref(const struct ts_conv_tile *t) {
    uint32_t pixels = (uint32_t)t->y_h * t->y_w;
    bool by_pixel = pixels >= ts_cores();
    struct ref_share rows = by_pixel ? ref_share(pixels) : (struct ref_share){0, pixels};
    struct ref_share channels = by_pixel ? (struct ref_share){0, t->y_c} : ref_share(t->y_c);
    for (uint32_t i = rows.begin; i < rows.end; i++) {
        const struct softmax_row row = {
            .x = ref_pixel(t, i / t->y_w, i % t->y_w, 0, 0),
            .y = (uint8_t *)t->y + i / t->y_w * t->y_row_bytes + i % t->y_w * t->y_pixel_bytes,
            .count = t->y_c,
            .begin = channels.begin,
            .end = channels.end,
            .flip = t->x_type == TS_ELEM_S8 ? 128u : 0,
            .low = ref_low(t->y_type)};
        softmax_row((const int32_t *)t->w, &row);
    }
}
