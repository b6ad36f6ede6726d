/* What kernels of 16-bit values and weights share. Zero points are 0. */
#ifndef TS_KERNELS_ARMV7EM_HALVES_H
#define TS_KERNELS_ARMV7EM_HALVES_H

#include "kernels/armv7em/armv7em.h"

/* Words of a channel's parameters of a sum of 64 bits: y = clip((sum k + l) >> 32 >> r), {uint32 k, int64 l,
 * r}; nothing passes 64 bits (src/plan/kernel_armv7em_s16.c). */
enum { ARMV7EM_WIDE_WORDS = 4 };

static inline int32_t armv7em_wide_requant(const struct ts_rq_args *rq, const int32_t *p, int64_t sum) {
    uint64_t l = (uint32_t)p[1] | (uint64_t)(uint32_t)p[2] << 32;
    int64_t t = (int64_t)((uint64_t)sum * (uint32_t)p[0] + l);
    return armv7em_clip((int32_t)(t >> 32) >> p[3], rq);
}

/* sum + both products of halves. */
static inline int64_t armv7em_smlald(uint32_t a, uint32_t b, int64_t sum) {
    uint32_t low = (uint32_t)sum, high = (uint32_t)((uint64_t)sum >> 32);
    __asm__("smlald %0, %1, %2, %3" : "+r"(low), "+r"(high) : "r"(a), "r"(b));
    return (int64_t)((uint64_t)high << 32 | low);
}

static inline int32_t armv7em_low_half(uint32_t word) { return (int16_t)word; }
static inline int32_t armv7em_high_half(uint32_t word) { return (int32_t)word >> 16; }

static inline uint32_t armv7em_halves(int32_t low, int32_t high) {
    return (uint16_t)low | (uint32_t)high << 16;
}

static inline void armv7em_store(void *to, uint32_t word) { __builtin_memcpy(to, &word, sizeof word); }

/* The part of an output's window that lies on the map: taps of rows [row, row + rows), columns likewise; x is
 * the first of them. Steps are in halves. */
struct armv7em_part {
    const int16_t *x;
    int32_t row, column, rows, columns;
    uint32_t row_step, column_step;
};

static inline struct armv7em_part armv7em_part_of(const struct ts_conv_tile *t, uint32_t oy, uint32_t ox) {
    int32_t top = (int32_t)(oy * t->stride_h) - t->pad_top, left = (int32_t)(ox * t->stride_w) - t->pad_left;
    int32_t end_row = t->x_h - top < t->k_h ? t->x_h - top : t->k_h;
    int32_t end_column = t->x_w - left < t->k_w ? t->x_w - left : t->k_w;
    struct armv7em_part p = {.row = top < 0 ? -top : 0, .column = left < 0 ? -left : 0};
    p.rows = end_row > p.row ? end_row - p.row : 0;
    p.columns = end_column > p.column ? end_column - p.column : 0;
    p.row_step = t->x_row_bytes / 2u;
    p.column_step = t->x_c;
    p.x = (const int16_t *)t->x + (top + p.row) * (int32_t)p.row_step + (left + p.column) * (int32_t)t->x_c;
    return p;
}

#endif
