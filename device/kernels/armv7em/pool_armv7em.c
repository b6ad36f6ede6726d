/* Pooling of bytes, four channels at a time: a maximum takes a load, a comparison of four bytes and a
 * selection; a sum a load and two additions of halves. */
#include "kernels/armv7em/armv7em.h"
#include "kernels/kernels.h"

/* The part of an output's window that lies on the map. */
struct part {
    const uint8_t *x;
    uint32_t rows, columns;
    uint32_t row_step, column_step; /* bytes */
};

static struct part part_of(const struct ts_conv_tile *t, uint32_t oy, uint32_t ox) {
    int32_t row = (int32_t)(oy * t->stride_h) - t->pad_top,
            column = (int32_t)(ox * t->stride_w) - t->pad_left;
    int32_t end_row = row + t->k_h < t->x_h ? row + t->k_h : t->x_h;
    int32_t end_column = column + t->k_w < t->x_w ? column + t->k_w : t->x_w;
    row = row < 0 ? 0 : row;
    column = column < 0 ? 0 : column;
    return (struct part){(const uint8_t *)t->x + (uint32_t)row * t->x_row_bytes + (uint32_t)column * t->x_c,
                         end_row > row ? (uint32_t)(end_row - row) : 0,
                         end_column > column ? (uint32_t)(end_column - column) : 0, t->x_row_bytes, t->x_c};
}

static inline uint32_t greater(uint32_t a, uint32_t b, int is_signed) {
    uint32_t out;
    if (is_signed) {
        __asm__("ssub8 %0, %1, %2 \n sel %0, %1, %2" : "=&r"(out) : "r"(a), "r"(b) : "cc");
    } else {
        __asm__("usub8 %0, %1, %2 \n sel %0, %1, %2" : "=&r"(out) : "r"(a), "r"(b) : "cc");
    }
    return out;
}

/* Four channels, or fewer whose bytes are read one by one. */
static inline uint32_t load_some(const uint8_t *at, uint32_t n) {
    return n >= 4   ? armv7em_load(at)
           : n == 3 ? at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16
           : n == 2 ? at[0] | (uint32_t)at[1] << 8
                    : at[0];
}

static inline __attribute__((always_inline)) uint32_t maximum(const struct part *p, uint32_t c, uint32_t n,
                                                              int is_signed) {
    uint32_t most = is_signed ? 0x80808080u : 0;
    const uint8_t *row = p->x + c;
    for (uint32_t r = 0; r < p->rows; r++, row += p->row_step) {
        const uint8_t *at = row;
        for (uint32_t i = 0; i < p->columns; i++, at += p->column_step) {
            most = greater(most, n >= 4 ? armv7em_load(at) : load_some(at, n), is_signed);
        }
    }
    return most;
}

static void store_some(uint8_t *to, uint32_t word, uint32_t n) {
    for (uint32_t i = 0; i < n && i < 4; i++, word >>= 8) {
        to[i] = (uint8_t)word;
    }
}

static inline __attribute__((always_inline)) void max_pixel(const struct part *p, uint8_t *y,
                                                            uint32_t channels, int is_signed) {
    uint32_t c = 0;
    for (; c + 4 <= channels; c += 4) {
        uint32_t word = maximum(p, c, 4, is_signed);
        __builtin_memcpy(y + c, &word, sizeof word);
    }
    if (c < channels) {
        store_some(y + c, maximum(p, c, channels - c, is_signed), channels - c);
    }
}

void max_pool_armv7em(const struct ts_conv_tile *t) {
    for (uint32_t oy = 0; oy < t->y_h; oy++) {
        for (uint32_t ox = 0; ox < t->y_w; ox++) {
            const struct part p = part_of(t, oy, ox);
            uint8_t *y = (uint8_t *)t->y + oy * t->y_row_bytes + ox * t->y_pixel_bytes;
            if (t->x_type == TS_ELEM_S8) {
                max_pixel(&p, y, t->y_c, 1);
            } else {
                max_pixel(&p, y, t->y_c, 0);
            }
        }
    }
}

/* Sums of channels 0 and 2 and of 1 and 3, as halves. */
static inline __attribute__((always_inline)) void add_up(const struct part *p, uint32_t c, uint32_t n,
                                                         int is_signed, uint32_t sums[2]) {
    uint32_t even = 0, odd = 0;
    const uint8_t *row = p->x + c;
    for (uint32_t r = 0; r < p->rows; r++, row += p->row_step) {
        const uint8_t *at = row;
        for (uint32_t i = 0; i < p->columns; i++, at += p->column_step) {
            uint32_t word = n >= 4 ? armv7em_load(at) : load_some(at, n);
            if (is_signed) {
                __asm__("sxtab16 %0, %0, %1" : "+r"(even) : "r"(word));
                __asm__("sxtab16 %0, %0, %1, ror #8" : "+r"(odd) : "r"(word));
            } else {
                __asm__("uxtab16 %0, %0, %1" : "+r"(even) : "r"(word));
                __asm__("uxtab16 %0, %0, %1, ror #8" : "+r"(odd) : "r"(word));
            }
        }
    }
    sums[0] = even;
    sums[1] = odd;
}

static inline __attribute__((always_inline)) int32_t value_of(uint32_t sums, uint32_t half, int is_signed) {
    uint32_t bits = half == 0 ? sums & 0xffffu : sums >> 16;
    return is_signed ? (int16_t)bits : (int32_t)bits;
}

static inline __attribute__((always_inline)) uint32_t output(const struct ts_rq_args *rq, const int32_t *p,
                                                             int32_t acc, int line) {
    if (line) {
        uint64_t l = (uint32_t)p[1] | (uint64_t)(uint32_t)p[2] << 32;
        return (uint8_t)armv7em_clip((int32_t)((l + (uint64_t)((int64_t)p[0] * acc)) >> 32), rq);
    }
    return (uint8_t)armv7em_requant(rq, p, acc);
}

/* The outputs of a pixel's four channels; n: fewer, at the end. */
static inline __attribute__((always_inline)) void average(const struct ts_conv_tile *t, const struct part *p,
                                                          uint8_t *y, uint32_t c, uint32_t n, int is_signed,
                                                          int line) {
    uint32_t sums[2], words = line ? 3 : 4;
    const int32_t *w = (const int32_t *)t->w + c * words;
    add_up(p, c, n, is_signed, sums);
    if (n == 4) {
        uint32_t a = output(&t->rq, w, value_of(sums[0], 0, is_signed), line);
        a |= output(&t->rq, w + words, value_of(sums[1], 0, is_signed), line) << 8;
        a |= output(&t->rq, w + 2 * words, value_of(sums[0], 1, is_signed), line) << 16;
        a |= output(&t->rq, w + 3 * words, value_of(sums[1], 1, is_signed), line) << 24;
        __builtin_memcpy(y + c, &a, sizeof a);
        return;
    }
    for (uint32_t i = 0; i < n; i++) {
        y[c + i] = (uint8_t)output(&t->rq, w + i * words, value_of(sums[i % 2], i / 2, is_signed), line);
    }
}

static inline __attribute__((always_inline)) void average_pixel(const struct ts_conv_tile *t,
                                                                const struct part *p, uint8_t *y,
                                                                int is_signed, int line) {
    uint32_t c = 0;
    for (; c + 4 <= t->y_c; c += 4) {
        average(t, p, y, c, 4, is_signed, line);
    }
    if (c < t->y_c) {
        average(t, p, y, c, t->y_c - c, is_signed, line);
    }
}

void avg_pool_armv7em(const struct ts_conv_tile *t) {
    int line = armv7em_rq_of(&t->rq) == ARMV7EM_LINE, is_signed = t->x_type == TS_ELEM_S8;
    for (uint32_t oy = 0; oy < t->y_h; oy++) {
        for (uint32_t ox = 0; ox < t->y_w; ox++) {
            const struct part p = part_of(t, oy, ox);
            uint8_t *y = (uint8_t *)t->y + oy * t->y_row_bytes + ox * t->y_pixel_bytes;
            if (line && !is_signed) {
                average_pixel(t, &p, y, 0, 1);
            } else {
                average_pixel(t, &p, y, is_signed, line);
            }
        }
    }
}
