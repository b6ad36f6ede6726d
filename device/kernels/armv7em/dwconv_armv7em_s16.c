/* Depthwise convolutions of 16-bit values and weights, two channels at a time: a word of x and one of weights
 * are a tap of both, so that two loads serve two products. Taps outside of the map are left out. */
#include "kernels/armv7em/halves.h"
#include "kernels/kernels.h"

/* The taps that count, and the first of their weights: words of two channels, or halves of the last one. */
struct taps {
    struct armv7em_part part;
    uint32_t first, row; /* weights: of the first tap, from one row to the next */
};

static struct taps taps_of(const struct ts_conv_tile *t, uint32_t oy, uint32_t ox) {
    struct taps k = {.part = armv7em_part_of(t, oy, ox), .row = t->k_w};
    k.first = (uint32_t)k.part.row * t->k_w + (uint32_t)k.part.column;
    return k;
}

/* Sums of two channels: `columns` is a constant where it is usual, so that taps of a row are unrolled. */
static inline __attribute__((always_inline)) void narrow_taps(const struct taps *k, uint32_t c,
                                                              const uint32_t *w, int32_t columns,
                                                              int32_t sums[2]) {
    const struct armv7em_part *p = &k->part;
    const int16_t *row = p->x + c;
    int32_t low = 0, high = 0;
    w += k->first;
    for (int32_t r = 0; r < p->rows; r++, w += k->row, row += p->row_step) {
        const int16_t *x = row;
#pragma GCC unroll 3
        for (int32_t i = 0; i < columns; i++, x += p->column_step) {
            uint32_t values = armv7em_load((const uint8_t *)x);
            __asm__("smlabb %0, %1, %2, %0" : "+r"(low) : "r"(values), "r"(w[i]));
            __asm__("smlatt %0, %1, %2, %0" : "+r"(high) : "r"(values), "r"(w[i]));
        }
    }
    sums[0] = low;
    sums[1] = high;
}

static inline __attribute__((always_inline)) void wide_taps(const struct taps *k, uint32_t c,
                                                            const uint32_t *w, int32_t columns,
                                                            int64_t sums[2]) {
    const struct armv7em_part *p = &k->part;
    const int16_t *row = p->x + c;
    uint32_t a = 0, a_high = 0, b = 0, b_high = 0;
    w += k->first;
    for (int32_t r = 0; r < p->rows; r++, w += k->row, row += p->row_step) {
        const int16_t *x = row;
#pragma GCC unroll 3
        for (int32_t i = 0; i < columns; i++, x += p->column_step) {
            uint32_t values = armv7em_load((const uint8_t *)x);
            __asm__("smlalbb %0, %1, %2, %3" : "+r"(a), "+r"(a_high) : "r"(values), "r"(w[i]));
            __asm__("smlaltt %0, %1, %2, %3" : "+r"(b), "+r"(b_high) : "r"(values), "r"(w[i]));
        }
    }
    sums[0] = (int64_t)((uint64_t)a_high << 32 | a);
    sums[1] = (int64_t)((uint64_t)b_high << 32 | b);
}

static inline void narrow_pair(const struct taps *k, uint32_t c, const uint32_t *w, int32_t sums[2]) {
    if (k->part.columns == 3) {
        narrow_taps(k, c, w, 3, sums);
    } else {
        narrow_taps(k, c, w, k->part.columns, sums);
    }
}

static inline void wide_pair(const struct taps *k, uint32_t c, const uint32_t *w, int64_t sums[2]) {
    if (k->part.columns == 3) {
        wide_taps(k, c, w, 3, sums);
    } else {
        wide_taps(k, c, w, k->part.columns, sums);
    }
}

/* The last of an odd number of channels; its weights are words of which the high half is 0. */
static inline int64_t single(const struct taps *k, uint32_t c, const uint32_t *w) {
    const struct armv7em_part *p = &k->part;
    int64_t sum = 0;
    w += k->first;
    for (int32_t r = 0; r < p->rows; r++, w += k->row) {
        const int16_t *x = p->x + c + (uint32_t)r * p->row_step;
        for (int32_t i = 0; i < p->columns; i++, x += p->column_step) {
            sum += (int64_t)*x * armv7em_low_half(w[i]);
        }
    }
    return sum;
}

/* All channels of a pixel. Records of two channels: the taps' weights, then the parameters of both. The copy
 * of the requantisation stays in registers: what is stored could be the tile's own, for all that C knows. */
static inline __attribute__((always_inline)) void pixel(const struct ts_conv_tile *t, const struct taps *k,
                                                        int16_t *y, int is_wide) {
    const struct ts_rq_args rq = t->rq;
    const uint32_t count = (uint32_t)t->k_h * t->k_w, channels = t->y_c;
    const uint32_t words = is_wide ? ARMV7EM_WIDE_WORDS : armv7em_rq_words(&rq);
    const uint32_t *w = (const uint32_t *)t->w;
    uint32_t c = 0;
    for (; c + 2 <= channels; c += 2, w += count + 2 * words) {
        const int32_t *params = (const int32_t *)(w + count);
        int32_t out[2];
        if (is_wide) {
            int64_t sums[2];
            wide_pair(k, c, w, sums);
            out[0] = armv7em_wide_requant(&rq, params, sums[0]);
            out[1] = armv7em_wide_requant(&rq, params + words, sums[1]);
        } else {
            int32_t sums[2];
            narrow_pair(k, c, w, sums);
            out[0] = armv7em_requant(&rq, params, sums[0]);
            out[1] = armv7em_requant(&rq, params + words, sums[1]);
        }
        armv7em_store(y + c, armv7em_halves(out[0], out[1]));
    }
    if (c < channels) {
        const int32_t *params = (const int32_t *)(w + count);
        int64_t sum = single(k, c, w);
        y[c] = (int16_t)(is_wide ? armv7em_wide_requant(&rq, params, sum)
                                 : armv7em_requant(&rq, params, (int32_t)sum));
    }
}

static inline __attribute__((always_inline)) void dwconv(const struct ts_conv_tile *t, int is_wide) {
    for (uint32_t oy = 0; oy < t->y_h; oy++) {
        for (uint32_t ox = 0; ox < t->y_w; ox++) {
            const struct taps k = taps_of(t, oy, ox);
            uint8_t *y = (uint8_t *)t->y + oy * t->y_row_bytes + ox * t->y_pixel_bytes;
            pixel(t, &k, (int16_t *)y, is_wide);
        }
    }
}

void dwconv_armv7em_s16(const struct ts_conv_tile *t) { dwconv(t, 0); }

void dwconv_armv7em_s16_wide(const struct ts_conv_tile *t) { dwconv(t, 1); }
