/* Sums of products in a float graph that lose nothing: the emulation of integer layers of any width.
 *
 * A CONV, GEMM, ADD or AVG_POOL of a float graph whose `unit` is above 0 has operands of which all products
 * (ADD, AVG_POOL: the elements) are whole multiples of the unit. Its result is
 *
 *     y = scale * floor((alpha * sum / unit + offset) / divisor)        alpha of AVG_POOL alone, else 1
 *
 * Units, divisors and scales are powers of two; sum / unit is the whole number that it is, up to 2^53, before
 * it is rounded down: what an integer accumulator holds and float32 does not. */
#ifndef TS_NUM_EXACT_H
#define TS_NUM_EXACT_H

#include "ir/float_graph.h"

/* Whether the node's sums are to be exact. */
bool ts_exact(const ts_fnode *node);

/* What becomes of an exact sum. */
float ts_exact_round(const ts_fnode *node, double sum);

/* A convolution or pool; a matrix product is a convolution of 1x1 pixels. */
typedef struct ts_exact_shape {
    uint32_t h, w, c, out_h, out_w, out_c, groups;
    ts_window window;
} ts_exact_shape;

/* Of a CONV, GEMM (rows of activations) or AVG_POOL over planes. */
ts_exact_shape ts_exact_shape_of(const ts_fgraph *graph, const ts_fnode *node);

/* Doubles that ts_exact_conv() works with. */
uint64_t ts_exact_room(const ts_exact_shape *shape);

/* y {samples, out_h, out_w, out_c} from x {samples, h, w, c}, weights {out_c, kh, kw, c / groups} and bias
 * {out_c} or NULL. */
void ts_exact_conv(const ts_fnode *node, const ts_exact_shape *shape, uint32_t samples, const float *x,
                   const float *weights, const float *bias, double *room, float *y);

/* y {samples, out_h, out_w, c} from the sums of the windows over x {samples, h, w, c}. */
void ts_exact_pool(const ts_fnode *node, const ts_exact_shape *shape, uint32_t samples, const float *x,
                   float *y);

/* Whether float32 holds every partial sum of such a convolution whatever its order: `count` elements of x,
 * `rows` weights of `inner` and their biases (may be NULL) keep all of them below 2^24 units. */
bool ts_exact_in_float(double unit, const float *x, uint64_t count, const float *weights, const float *bias,
                       uint64_t rows, uint64_t inner);

#endif
