/* What a block of one or two output pixels and all pairs of output channels is told. */
#ifndef TS_KERNELS_ARMV7EM_CONV_PAIR_H
#define TS_KERNELS_ARMV7EM_CONV_PAIR_H

#include <stddef.h>
#include <stdint.h>

/* As conv_pair.inc reads it. */
struct armv7em_pair {
    const uint32_t *x, *x_rest, *x_end;
    const void *w;
    uint8_t *y_a, *y_b;
    uint32_t pairs;
    void (*tail)(void);
    int32_t low, high;
    int32_t start[2]; /* of the sums of each pixel */
};
_Static_assert(offsetof(struct armv7em_pair, start) == 40, "conv_pair.inc knows the offsets");

#endif
