/* What the C parts of the xpulp kernels share. */
#ifndef TS_KERNELS_XPULP_H
#define TS_KERNELS_XPULP_H

#include <stdbool.h>

#include "kernels/kernels.h"
#include "kernels/ref/ref.h"
#include "kernels/xpulp/used.h"

/* A table of a family's routines by requantisation, those left out that the program does not use. */
#define XPULP_TABLE(prefix)                                                                        \
    {                                                                                              \
        XPULP_USES_U8 ? prefix##_u8 : 0, XPULP_USES_BOUND ? prefix##_bound : 0,                    \
            XPULP_USES_S32C ? prefix##_s32c : 0, XPULP_USES_S32D ? prefix##_s32d : 0, prefix##_raw \
    }

/* As ref_requant(), for parameters packed for these kernels: k - 1 stands for k in S32 and S32C. */
static inline int32_t xpulp_requant(const struct ts_rq_args *rq, const int32_t *params, int32_t acc) {
    if (rq->kind != TS_RQ_S32 && rq->kind != TS_RQ_S32C) {
        return ref_requant(rq, params, acc);
    }
    const int32_t pair[2] = {(int32_t)((uint32_t)params[0] + 1u), params[1]};
    return ref_requant(rq, pair, acc);
}

/* Lets core n start n times `passes` passes of four or five cycles behind core 0: cores in step would read
 * the same bank at once, since pixels often lie a multiple of the banks' round apart. 7 is about one step of
 * the 4x4 loop. */
static inline void xpulp_stagger(uint32_t passes) {
    for (uint32_t left = passes * ts_core(); left > 0; left--) {
        __asm__ volatile("nop");
    }
}

/* Word accesses at any address: the core splits those that cross a word. */
static inline uint32_t xpulp_load(const uint8_t *from) { return *(const uint32_t *)(const void *)from; }
static inline void xpulp_store(uint8_t *to, uint32_t value) { *(uint32_t *)(void *)to = value; }

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
