/* What kernels of 16-bit weights share: sums of 64 bits. */
#ifndef TS_KERNELS_XPULP_HALVES_H
#define TS_KERNELS_XPULP_HALVES_H

#include "kernels/xpulp/xpulp.h"

/* The output that a sum becomes: S64 takes it whole, the others are proved to need its low word alone. */
static inline int32_t halves_requant(const struct xpulp_requant *r, const int32_t *params, int64_t sum) {
    return r->rq->kind == TS_RQ_S64 ? ref_requant_wide(r->rq, params, sum)
                                    : xpulp_requant(r, params, (int32_t)sum);
}

static inline void halves_put(uint8_t *y, uint32_t channel, uint8_t type, int32_t value) {
    if (type == TS_ELEM_S16) {
        ((int16_t *)(void *)y)[channel] = (int16_t)value;
    } else {
        ref_put(y, channel, type, value);
    }
}

#endif
