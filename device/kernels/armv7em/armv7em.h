/* What the kernels for Armv7E-M share: expansion of bytes to 16 bits and requantisation.
 *
 * A channel's accumulator `a` (bias and zero point left out) becomes an output in one of two ways; the
 * parameters lie behind its weights: LINE    y = clip((k a + l) >> 32)                        {int32 k, int64
 * l} a line of 64 bits that the planner took from the requantisation: exact for every accumulator TFLITE  y =
 * clip(rdbypot(srdhm(a + b, m), r) + zero)     {int32 2b, m, c, r}, c = 2^(r-1) + zero 2^r |a + b| < 2^30 and
 * r >= 1 (src/plan/kernel_armv7em.c): then srdhm is SMMULR of the doubled sum, and the rounding shift is one
 * of half a unit less one where the value is negative */
#ifndef TS_KERNELS_ARMV7EM_H
#define TS_KERNELS_ARMV7EM_H

#include <stddef.h>
#include <stdint.h>

#include "kernels/tile.h"

enum armv7em_rq { ARMV7EM_LINE, ARMV7EM_TFLITE };

/* Lines of averages and of values alone, of 16 bits, take these times this: k then has room for slopes up
 * to 8. */
enum { ARMV7EM_GRAIN = 16 };

/* How the tile's requantisation is packed: TFLite's where the layer kept it, else a line. */
static inline enum armv7em_rq armv7em_rq_of(const struct ts_rq_args *rq) {
    return rq->kind == TS_RQ_TFLITE ? ARMV7EM_TFLITE : ARMV7EM_LINE;
}

/* Words of a channel's parameters. */
static inline uint32_t armv7em_rq_words(const struct ts_rq_args *rq) {
    return rq->kind == TS_RQ_TFLITE ? 4u : 3u;
}

static inline int32_t armv7em_clip(int32_t v, const struct ts_rq_args *rq) {
    return v < rq->low ? rq->low : v > rq->high ? rq->high : v;
}

/* The output of one accumulator, where no assembly does it. */
static inline int32_t armv7em_requant(const struct ts_rq_args *rq, const int32_t *p, int32_t acc) {
    if (rq->kind != TS_RQ_TFLITE) {
        uint64_t l = (uint32_t)p[1] | (uint64_t)(uint32_t)p[2] << 32;
        return armv7em_clip((int32_t)((l + (uint64_t)((int64_t)p[0] * acc)) >> 32), rq);
    }
    int32_t doubled = (int32_t)((uint32_t)p[0] + 2u * (uint32_t)acc);
    int32_t high = (int32_t)(((int64_t)doubled * p[1] + INT64_C(0x80000000)) >> 32);
    return armv7em_clip((high + (high >> 31) + p[2]) >> p[3], rq);
}

typedef uint32_t __attribute__((may_alias)) armv7em_word;

/* Four bytes from any address. */
static inline uint32_t armv7em_load(const uint8_t *at) {
    uint32_t word;
    __builtin_memcpy(&word, at, sizeof word);
    return word;
}

/* Bytes 0 and 2, and bytes 1 and 3, as halves of a word. */
static inline uint32_t armv7em_even(uint32_t word, int is_signed) {
    uint32_t out;
    if (is_signed) {
        __asm__("sxtb16 %0, %1" : "=r"(out) : "r"(word));
    } else {
        __asm__("uxtb16 %0, %1" : "=r"(out) : "r"(word));
    }
    return out;
}

static inline uint32_t armv7em_odd(uint32_t word, int is_signed) {
    uint32_t out;
    if (is_signed) {
        __asm__("sxtb16 %0, %1, ror #8" : "=r"(out) : "r"(word));
    } else {
        __asm__("uxtb16 %0, %1, ror #8" : "=r"(out) : "r"(word));
    }
    return out;
}

static inline int32_t armv7em_smlad(uint32_t a, uint32_t b, int32_t acc) {
    __asm__("smlad %0, %1, %2, %0" : "+r"(acc) : "r"(a), "r"(b));
    return acc;
}

#endif
