/* A requantisation in two steps (S32D) with a 16-bit product: for kernels that add a constant of their own to
 * a channel's accumulators (docs/requantisation.md). */
#ifndef TS_PLAN_REQUANT_SHORT_H
#define TS_PLAN_REQUANT_SHORT_H

#include "plan/requant.h"

/* What device/kernels/xpulp/conv_k3c3.inc has as immediates; the byte whose product with `bias` is added. */
enum { TS_SHORT_SPLIT = 8, TS_SHORT_SHIFT = 19, TS_SHORT_BYTE = 255 };

/* With a' = a + TS_SHORT_BYTE * bias and low(a') its low 16 bits, signed:
 *   y = clip((a' * k + ((low(a') * k2 + 2^(TS_SHORT_SPLIT - 1)) >> TS_SHORT_SPLIT) + l) >> TS_SHORT_SHIFT) */
typedef struct ts_short_rq {
    int32_t k, k2, l;
    int32_t bias; /* of 8 bits */
} ts_short_rq;

/* Finds the short form of a channel of an S32D plan whose outputs are all of u8. False unless it is proved to
 * give what the plan gives for every accumulator in `acc`, and nothing in it to leave 32 bits. */
bool ts__short_rq(const ts_rq_plan *rq, uint32_t channel, ts_acc_range acc, ts_short_rq *out);

/* What the kernel computes from accumulator `acc` (the bias not added yet). */
int64_t ts__short_rq_apply(const ts_short_rq *rq, int64_t acc);

#endif
