/* Shared by the float interpreter's files. */
#ifndef TS_NUM_FLOAT_INTERNAL_H
#define TS_NUM_FLOAT_INTERNAL_H

#include "ir/float_graph.h"

/* Wider vectors where the processor has them; without fused multiply-adds the sums are the same bits. */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__)
#define TS__WIDE __attribute__((target_clones("avx2", "default")))
#else
#define TS__WIDE
#endif

/* Index in the input of tap `k` of output `o`, or -1 in the padding. */
static inline int64_t ts__tap(uint32_t o, uint32_t stride, uint32_t k, uint32_t dilation, uint32_t pad,
                              uint32_t size) {
    int64_t i = (int64_t)o * stride + (int64_t)k * dilation - pad;
    return i < 0 || i >= size ? -1 : i;
}

/* A convolution or pooling over {1, h, w, c}; 1-D networks have h = 1. */
typedef struct ts__plane {
    uint32_t h, w, c;
    uint32_t out_h, out_w, out_c;
    uint32_t groups;
    ts_window window;
} ts__plane;

/* out {out_h, out_w, out_c} = convolution of x {h, w, c} with `weights` {kh * kw * c / groups, out_c} (the
 * output channel fastest), plus bias (may be NULL). `patch` has room for 4 * kh * kw * c / groups. */
void ts__conv_f32(const ts__plane *plane, const float *x, const float *weights, const float *bias,
                  float *patch, float *out);

/* c {rows, columns} += a {rows, inner} times b {inner, columns}. */
void ts__gemm_f32(const float *a, const float *b, float *c, uint32_t rows, uint32_t inner, uint32_t columns);

/* `count_pad`: the divisor is the window's size, else the number of elements inside the input (at least 1).
 */
void ts__max_pool_f32(const ts__plane *plane, const float *x, float *out);
void ts__avg_pool_f32(const ts__plane *plane, const float *x, bool count_pad, float *out);

#endif
