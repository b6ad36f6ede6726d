/* What the C parts of the xpulp kernels share. */
#ifndef TS_KERNELS_XPULP_H
#define TS_KERNELS_XPULP_H

#include <stdbool.h>

#include "kernels/kernels.h"
#include "kernels/ref/ref.h"
#include "kernels/xpulp/used.h"

/* The requantisations that routines of a family contain, `raw` excepted (32-bit accumulators, for all
 * others): M(argument, kind of enum ts_rq, end, name), in the order of xpulp_mode_of(); xpulp.inc has the
 * same list. */
#define XPULP_MODES(M, argument)  \
    M(argument, 1, 0, s32_u8)     \
    M(argument, 1, 1, s32_s8)     \
    M(argument, 1, 2, s32_bound)  \
    M(argument, 2, 0, s32c_u8)    \
    M(argument, 2, 1, s32c_s8)    \
    M(argument, 2, 2, s32c_bound) \
    M(argument, 5, 0, s32d_u8)    \
    M(argument, 5, 1, s32d_s8)    \
    M(argument, 5, 2, s32d_bound) \
    M(argument, 6, 0, s32dc_u8)   \
    M(argument, 6, 1, s32dc_s8)

/* Those that dense convolutions alone have beside them, behind `raw`. */
#define XPULP_ROUNDED_MODES(M, argument) \
    M(argument, 7, 0, s32r_u8)           \
    M(argument, 7, 1, s32r_s8)           \
    M(argument, 8, 0, s32rc_u8)          \
    M(argument, 8, 1, s32rc_s8)

enum {
    XPULP_RAW = 11,
    XPULP_MODE_COUNT,
    XPULP_ROUNDED = XPULP_MODE_COUNT,
    XPULP_ALL_MODES = XPULP_ROUNDED + 4
};
_Static_assert(TS_RQ_S32 == 1 && TS_RQ_S32C == 2 && TS_RQ_S32D == 5 && TS_RQ_S32DC == 6 && TS_RQ_S32R == 7 &&
                   TS_RQ_S32RC == 8,
               "XPULP_MODES");

/* A table of a family's routines by requantisation, those left out that the program does not use. */
#define XPULP_ENTRY(prefix, kind, end, name) XPULP_USED(kind, end) != 0 ? prefix##_##name : 0,
#define XPULP_TABLE(prefix) \
    { XPULP_MODES(XPULP_ENTRY, prefix) prefix##_raw }
#define XPULP_TABLE_ROUNDED(prefix) \
    { XPULP_MODES(XPULP_ENTRY, prefix) prefix##_raw, XPULP_ROUNDED_MODES(XPULP_ENTRY, prefix) }
#define XPULP_NAME(prefix, kind, end, name) prefix##_##name,
#define XPULP_NAMES(prefix)                 XPULP_MODES(XPULP_NAME, prefix) prefix##_raw
#define XPULP_NAMES_ROUNDED(prefix)         XPULP_ROUNDED_MODES(XPULP_NAME, prefix) XPULP_NAMES(prefix)

/* The table of a family without `raw`. */
#define XPULP_TABLE_IN_LINE(prefix) \
    { XPULP_MODES(XPULP_ENTRY, prefix) 0 }

/* Index of the routine for a tile's requantisation. */
static inline uint32_t xpulp_mode_of(const struct ts_conv_tile *t) {
    const struct ts_rq_args *rq = &t->rq;
    bool bytes = t->y_type == TS_ELEM_U8 || t->y_type == TS_ELEM_S8;
    uint32_t end = t->y_type == TS_ELEM_U8 && rq->low == 0 && rq->high == 255      ? 0
                   : t->y_type == TS_ELEM_S8 && rq->low == -128 && rq->high == 127 ? 1
                                                                                   : 2;
    uint32_t first = rq->kind == TS_RQ_S32 ? 0 : rq->kind == TS_RQ_S32C ? 3 : rq->kind == TS_RQ_S32D ? 6 : 9;
    if (rq->kind == TS_RQ_S32R || rq->kind == TS_RQ_S32RC) {
        return bytes && end < 2u ? XPULP_ROUNDED + (rq->kind == TS_RQ_S32RC ? 2u : 0u) + end : XPULP_RAW;
    }
    bool known = rq->kind == TS_RQ_S32 || rq->kind == TS_RQ_S32C || rq->kind == TS_RQ_S32D ||
                 (rq->kind == TS_RQ_S32DC && end < 2u);
    return bytes && known ? first + end : XPULP_RAW;
}

/* A requantisation made ready for many accumulators: S64 with div = 2^n or 2^n - 1 takes nothing but
 * multiplications and shifts. */
struct xpulp_requant {
    const struct ts_rq_args *rq;
    uint32_t n;  /* 0: as ref_requant() */
    bool exact;  /* div = 2^n */
    bool packed; /* k - 1 stands for k: S32 and S32C */
    int32_t low, high;
};

static inline struct xpulp_requant xpulp_requant_of(const struct ts_rq_args *rq) {
    struct xpulp_requant r = {
        rq, 0, rq->div_is_pow2 != 0, rq->kind == TS_RQ_S32 || rq->kind == TS_RQ_S32C, rq->low, rq->high};
    if (rq->kind == TS_RQ_S64) {
        uint32_t n = r.exact ? rq->shift : 64u - (uint32_t)__builtin_clzll((uint64_t)rq->div);
        bool near = n > 16 && rq->div == ((int64_t)1 << n) - 1 && rq->low >= 0 && rq->high < 65536;
        r.n = n > 0 && n < 32u && (r.exact || near) ? n : 0;
    }
    return r;
}

/* floor(t / (2^n - 1)) = (t + (t >> n) + 1) >> n for 0 <= t < 2^2n - 1; larger t pass `high`, which is below
 * 2^16, anyway. */
static inline int32_t xpulp_requant64(const struct xpulp_requant *r, const int32_t *params, int32_t acc) {
    int64_t t = (int64_t)params[0] * acc + ref_word_pair(params + 2);
    int32_t top = (int32_t)(t >> 32), sign = top >> (r->n - 1u);
    if (sign != 0 && sign != -1) { /* t >> n leaves 32 bits */
        return top < 0 ? r->low : r->high;
    }
    int32_t quotient = (int32_t)((uint32_t)top << (32u - r->n) | (uint32_t)t >> r->n);
    if (!r->exact && quotient >= 0 && quotient < r->high) {
        t += quotient + 1;
        quotient = (int32_t)((uint32_t)(t >> 32) << (32u - r->n) | (uint32_t)t >> r->n);
    }
    return ref_clip(quotient, r->low, r->high);
}

static inline int32_t xpulp_requant(const struct xpulp_requant *r, const int32_t *params, int32_t acc) {
    if (r->n != 0 && params[1] == params[0] >> 31) {
        return xpulp_requant64(r, params, acc);
    }
    if (!r->packed) {
        return ref_requant(r->rq, params, acc);
    }
    const int32_t pair[2] = {(int32_t)((uint32_t)params[0] + 1u), params[1]};
    return ref_requant(r->rq, pair, acc);
}

/* Lets core n start n times `passes` passes of four or five cycles behind core 0: cores in step would read
 * the same bank at once, since pixels often lie a multiple of the banks' round apart. 7 is about one step of
 * the 4x4 loop. */
static inline void xpulp_stagger(uint32_t passes) {
    for (uint32_t left = passes * ts_core(); left > 0; left--) {
        __asm__ volatile("nop");
    }
}

/* Word accesses at any address: the core splits those that cross a word. Builds of the host that look for
 * undefined behaviour are told that this is meant. */
#define XPULP_ANY_ADDRESS __attribute__((no_sanitize("alignment")))
XPULP_ANY_ADDRESS static inline uint32_t xpulp_load(const uint8_t *from) {
    return *(const uint32_t *)(const void *)from;
}
XPULP_ANY_ADDRESS static inline void xpulp_store(uint8_t *to, uint32_t value) {
    *(uint32_t *)(void *)to = value;
}

/* Both write whole words: up to 7 bytes behind the end are spoilt. */
static inline uint8_t *xpulp_copy(uint8_t *to, const uint8_t *from, uint32_t bytes) {
    for (uint32_t i = 0; i < bytes; i += 8) {
        uint32_t a = xpulp_load(from + i), b = xpulp_load(from + i + 4);
        xpulp_store(to + i, a);
        xpulp_store(to + i + 4, b);
    }
    return to + bytes;
}

static inline uint8_t *xpulp_fill(uint8_t *to, uint32_t value, uint32_t bytes) {
    for (uint32_t i = 0; i < bytes; i += 4) {
        xpulp_store(to + i, value);
    }
    return to + bytes;
}

#endif
