/* What a kernel is told: one call computes one tile in L1, and every core of the team makes the same
 * call; each does its share (hal/team.h). A kernel neither moves data between memories nor waits, except
 * in a ts_barrier() between phases of its own: DMA and the barriers around a call belong to the caller. */
#ifndef TS_KERNELS_TILE_H
#define TS_KERNELS_TILE_H

#include <stdint.h>

/* Types of elements; sub-byte elements share bytes, the first in the low bits. Floats are single precision,
 * moved as their bits. */
enum ts_elem {
    TS_ELEM_U8,
    TS_ELEM_S8,
    TS_ELEM_U4,
    TS_ELEM_S4,
    TS_ELEM_U2,
    TS_ELEM_S2,
    TS_ELEM_S16,
    TS_ELEM_S32,
    TS_ELEM_F32
};

/* Maps lie in memory row by row, pixel by pixel, channel by channel. A map *in quads* lies there with the 16
 * bytes of each quad, 4 neighbouring columns (from a multiple of 4 on) of 4 neighbouring channels (likewise),
 * transposed in place:
 *
 *     the word at column 4i + p, channels 4j .. 4j + 3, holds columns 4i .. 4i + 3 of channel 4j + p.
 *
 * So the map has the same bytes, rows and strides, and tiles are moved as ever where columns and channels are
 * cut at multiples of 4. Elements are of 8 bits, columns and channels multiples of 4. A kernel whose name
 * ends in _quads reads (dwconv) or writes (conv) such a map; all others, and all other operands, know nothing
 * of it. */

/* How an accumulator becomes an output. The parameters of each channel lie in the tile's weights,
 * where the kernel variant wants them (src/plan/kernel.h packs them).
 *   NONE   y = acc + b                                 {int32 b}         32-bit output
 *   S32    y = clip((acc * k + l) >> shift)            {int32 k, l}      wraps nowhere: proved by the planner
 *   S32C   y = clip((clip(acc, acc_low, acc_high) * k + l) >> shift)  {int32 k, l}
 *          acc_low = -acc_high - 1, here, for S32DC and S32RC
 *   S32D   y = clip((acc * k + l + ((acc * k2 + l2) >> split)) >> (l2 & 31))  {int32 k, l, k2, l2}
 *          neither acc * k2 + l2 nor the sum wraps; -2^split <= 2 k2 < 2^split, 0 <= l2 < 2^split;
 *          the shift is the channel's own
 *   S32DC  the same of clip(acc, acc_low, acc_high)
 *   S32R   y = clip((h - (h < z)) >> (l2 & 31)), h = (acc * k + l + ((acc * k2 + l2) >> split)) >> shift
 *          {int32 k, l, k2, l2, z}: as S32D, rounded twice, halves away from where h is z
 *   S32RC  the same of clip(acc, acc_low, acc_high)
 *   S64    y = clip(floor((acc * k + l) / div))        {int64 k, l}      div >= 1; a power of two is a shift
 *   TFLITE y = clip(rdbypot(srdhm((acc + b) << left, m), right) + zero)  {int32 b, m, shift}
 * Biases are folded into l (or b). */
enum ts_rq {
    TS_RQ_NONE,
    TS_RQ_S32,
    TS_RQ_S32C,
    TS_RQ_S64,
    TS_RQ_TFLITE,
    TS_RQ_S32D,
    TS_RQ_S32DC,
    TS_RQ_S32R,
    TS_RQ_S32RC
};

struct ts_rq_args {
    uint8_t kind;              /* enum ts_rq */
    uint8_t split;             /* S32D, S32DC, S32R, S32RC */
    uint8_t shift;             /* S32, S32C, S32R, S32RC: bits; S64: log2(div) where div is a power of two */
    uint8_t div_is_pow2;       /* S64 */
    int32_t low, high;         /* clip bounds of the result */
    int32_t acc_low, acc_high; /* S32C, S32DC, S32RC */
    int64_t div;               /* S64 */
    int32_t zero;              /* TFLITE */
};

/* Convolution, depthwise convolution, linear and pooling.
 * x: [x_h][x_w][x_c] elements, rows x_row_bytes apart; y likewise. Sub-byte rows begin on a byte, and so
 * does every pixel. The window of output (0, 0) begins pad_top rows above and pad_left columns left of x
 * row 0, column 0; positions outside x count as x_zero. The pads of an inner tile are 0. */
struct ts_conv_tile {
    const void *x;
    const void *w; /* this tile's output channels, packed as the variant wants them, 4-byte aligned */
    void *y;
    void *scratch; /* of the whole team; bytes by the variant's scratch function */
    uint32_t x_row_bytes, y_row_bytes;
    uint32_t y_pixel_bytes; /* from one output pixel to the next: more than y_c elements where a tile
                               of channels is written into wider pixels */
    uint16_t x_h, x_w, x_c;
    uint16_t y_h, y_w, y_c; /* of this tile */
    uint16_t k_h, k_w;
    uint8_t stride_h, stride_w;
    uint16_t dilation_h, dilation_w;
    uint16_t pad_top, pad_left, pad_bottom, pad_right;
    uint16_t groups; /* of this tile: depthwise: x_c */
    uint8_t x_type, w_type, y_type;
    uint8_t x_is_new; /* x has been loaded since the last call: kernels that rewrite it in place do so now */
    int32_t x_zero;
    int32_t w_zero; /* of the weights; the ref kernels know others than 0 */
    struct ts_rq_args rq;
};

/* Product of matrices: y[i][m][n] = rq(sum over k of (x[i][m][k] - x_zero) (x2[i][n][k] - x2_zero)), i below
 * y_h, m below y_w, n below y_c, k below x_c. Operands are u8 or s8, pixels of x_c bytes without gaps. */
struct ts_matmul_tile {
    const void *x, *x2;
    const void *w; /* this tile's parameters of the requantisation, channel by channel; NONE: not read */
    void *y;
    void *scratch;                         /* as of a ts_conv_tile */
    uint32_t x_row_bytes, x2_row_bytes;    /* from one i to the next; x2: 0 where one matrix serves all */
    uint32_t y_row_bytes, y_pixel_bytes;   /* as of a ts_conv_tile */
    uint16_t x_h, x_w, x_c, y_h, y_w, y_c; /* x_h and x_w are y_h and y_w */
    uint8_t x_type, x2_type, y_type;
    int32_t x_zero, x2_zero;
    struct ts_rq_args rq;
};

/* One step of an addition: clip(floor((v * mul + add) / div), low, high). */
struct ts_add_step_args {
    int64_t mul, add, div;
    int32_t low, high;
};

/* Element-wise addition of `count` elements, pixels of `channels` elements that begin on a byte, and the
 * requantisation alone (b = NULL). Where the steps are plain the variant may use narrower arithmetic. */
struct ts_add_tile {
    const void *a, *b;
    void *y;
    uint32_t count;
    uint32_t channels; /* of a pixel; count is a multiple of it */
    uint8_t a_type, b_type, y_type;
    struct ts_add_step_args in1, in2, sum;
    struct ts_rq_args rq;  /* kind NONE: no requantisation after the sum */
    const void *rq_params; /* per channel parameters of rq, or one where rq_channels is 1 */
    uint32_t rq_channels;
};

#endif
