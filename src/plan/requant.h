/* Narrowing of requantisations: from the graph's 64-bit staircase to 32 bits, by proof
 * (docs/requantisation.md). */
#ifndef TS_PLAN_REQUANT_H
#define TS_PLAN_REQUANT_H

#include "plan/layer.h"

/* Values that a channel's accumulator can reach on the target, bias not included; both ends included. */
typedef struct ts_acc_range {
    int64_t low, high;
} ts_acc_range;

/* Plans the requantisation of a layer with `channels` output channels: `out` is the narrowest class that is
 * proved equal to `requant` for every accumulator of acc[c], c < channels; `own` the graph's arithmetic as it
 * stands (NONE, S64 or TFLITE), for kernels that do not know the narrow class. `bias` holds one value a
 * channel or is NULL; it is folded into the result. `offset`, one value a channel, is what kernels have more
 * in their accumulators that do not subtract the input's zero point; NULL where there is none. Arrays belong
 * to `arena`. TS_BAD_INPUT (diagnostic VALUE naming `node` and `op`) where even 64 bits do not hold the
 * products. */
ts_status ts__requant_plan(ts_arena *arena, const ts_requant *requant, uint32_t channels, const int64_t *bias,
                           const ts_acc_range *acc, const int64_t *offset, ts_rq_plan *out, ts_rq_plan *own,
                           const char *node, const char *op, ts_diags *diags);

/* The result that the target computes from accumulator `acc` (bias not included) of `channel`: what the
 * kernels do, for tests and proofs. NONE gives acc + bias. */
int64_t ts__rq_plan_apply(const ts_rq_plan *plan, const ts_requant *requant, uint32_t channel, int64_t acc);

/* Name of a class: "none", "s32", "s32c", "s64", "tflite", "s32d", "s32dc", "s32r", "s32rc". */
const char *ts_rq_class_name(ts_rq_class class_);

#endif
