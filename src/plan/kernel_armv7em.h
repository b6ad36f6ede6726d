/* What the rows of the kernels for Armv7E-M share: kernel_armv7em.c has those of bytes, kernel_armv7em_s16.c
 * those of 16-bit values. */
#ifndef TS_PLAN_KERNEL_ARMV7EM_H
#define TS_PLAN_KERNEL_ARMV7EM_H

#include "plan/kernel.h"

__extension__ typedef __int128 ts__wide;

/* The most that a value of x differs from its zero point. */
int64_t ts__armv7em_most(const ts_layer *layer);

/* Weights of a channel, as runs of consecutive values (device/kernels/armv7em/conv_armv7em.c): how many, how
 * long. */
typedef struct ts__armv7em_runs_of_weights {
    uint32_t count, length, groups; /* groups of four, of all runs */
} ts__armv7em_runs_of_weights;
ts__armv7em_runs_of_weights ts__armv7em_runs(const ts_layer *layer);

/* Sums of a channel's weights, or of their magnitudes: of a convolution or linear layer, of a depthwise
 * window, and of an average, of which every position counts (outside of the map there is nothing, or 0). */
typedef int64_t ts__armv7em_sum_fn(const ts_layer *layer, uint32_t channel, bool magnitudes);
ts__armv7em_sum_fn ts__armv7em_sum, ts__armv7em_window_sum, ts__armv7em_taps;

/* Can the requantisation of every channel be packed, sums being of 32 bits? */
bool ts__armv7em_rq_serves(const ts_layer *layer, ts__armv7em_sum_fn *sum);

/* Bytes of a channel's parameters, and these: `reach` is the most that the sum of products can be, `offset`
 * what the kernel's sums have more than the layer's. */
uint32_t ts__armv7em_rq_bytes(const ts_layer *layer);
void ts__armv7em_pack_rq(const ts_layer *layer, uint32_t channel, int64_t reach, int64_t offset,
                         uint8_t *out);

#endif
