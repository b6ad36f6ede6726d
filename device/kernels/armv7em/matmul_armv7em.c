/* Products of matrices: pointwise convolutions (conv_armv7em.c) whose weights are the rows of x2, packed into
 * scratch. A u8 second operand is packed less 128, which is taken from its zero point. Sums are those of x as
 * it is,
 *
 *     sum (a - za) (b - zb) = sum a (b - zb) - za sum (b - zb),
 *
 * and the last term goes into the channel's parameters. */
#include "kernels/armv7em/armv7em.h"
#include "kernels/kernels.h"

typedef void conv_kernel(const struct ts_conv_tile *tile);
conv_kernel conv_armv7em, conv_armv7em_raw; /* a program's kernels.h declares what its layers call */

/* Words of a channel's parameters, as the convolution reads them. */
static inline uint32_t params_words(const struct ts_matmul_tile *t) {
    return t->rq.kind == TS_RQ_NONE ? 1u : armv7em_rq_words(&t->rq);
}

/* Packs a row into every other word, and returns the sum of its bytes. src/plan/kernel_armv7em.c reckons with
 * the same sizes. */
static int32_t pack_row(uint32_t *to, const uint8_t *row, uint32_t n, uint32_t flip) {
    int32_t sum = 0;
    for (; n > 0; to += 2) {
        uint32_t word = 0, bytes = n < 4u ? n : 4u;
        if (bytes == 4u) {
            word = armv7em_load(row) ^ flip;
        } else {
            __builtin_memcpy(&word, row, bytes);
            word ^= flip & ((1u << 8u * bytes) - 1u);
        }
        *to = word;
        sum = armv7em_smlad(armv7em_even(word, 1), 0x10001u, sum);
        sum = armv7em_smlad(armv7em_odd(word, 1), 0x10001u, sum);
        n -= bytes;
        row += bytes;
    }
    return sum;
}

/* The parameters of a channel whose sums are `more` less than the layer's. */
static void put_params(const struct ts_matmul_tile *t, uint32_t channel, int32_t more, uint32_t *to) {
    uint32_t words = params_words(t);
    const uint32_t *from = (const uint32_t *)t->w + channel * words;
    if (t->rq.kind == TS_RQ_NONE) {
        to[0] = (uint32_t)more;
        return;
    }
    __builtin_memcpy(to, from, 4u * words);
    if (t->rq.kind == TS_RQ_TFLITE) {
        to[0] += 2u * (uint32_t)more;
        return;
    }
    uint64_t l = from[1] | (uint64_t)from[2] << 32;
    l += (uint64_t)((int64_t)(int32_t)from[0] * more);
    to[1] = (uint32_t)l;
    to[2] = (uint32_t)(l >> 32);
}

/* Pairs of channels: words of four weights of one and of the other, then the parameters of both. */
static void pack(const struct ts_matmul_tile *t, const uint8_t *x2, int32_t x2_zero, uint32_t flip) {
    uint32_t groups = (t->x_c + 3u) / 4u, words = params_words(t);
    for (uint32_t n = 0; n < t->y_c; n++) {
        uint32_t *pair = (uint32_t *)t->scratch + n / 2u * 2u * (groups + words), second = n & 1u;
        int32_t sum = pack_row(pair + second, x2 + n * t->x_c, t->x_c, flip) - (int32_t)t->x_c * x2_zero;
        put_params(t, n, -t->x_zero * sum, pair + 2u * groups + second * words);
    }
}

static void matmul(const struct ts_matmul_tile *t, conv_kernel *conv) {
    int shared = t->x2_row_bytes == 0, is_signed = t->x2_type == TS_ELEM_S8;
    int32_t x2_zero = is_signed ? t->x2_zero : t->x2_zero - 128;
    uint32_t pairs = (t->y_c + 1u) / 2u, groups = (t->x_c + 3u) / 4u;
    struct ts_conv_tile tile = {.w = t->scratch,
                                .scratch = (uint32_t *)t->scratch + pairs * 2u * (groups + params_words(t)),
                                .x_row_bytes = t->x_row_bytes,
                                .y_row_bytes = t->y_row_bytes,
                                .y_pixel_bytes = t->y_pixel_bytes,
                                .x_h = shared ? t->y_h : 1,
                                .x_w = t->y_w,
                                .x_c = t->x_c,
                                .y_h = shared ? t->y_h : 1,
                                .y_w = t->y_w,
                                .y_c = t->y_c,
                                .k_h = 1,
                                .k_w = 1,
                                .stride_h = 1,
                                .stride_w = 1,
                                .dilation_h = 1,
                                .dilation_w = 1,
                                .groups = 1,
                                .x_type = t->x_type,
                                .w_type = TS_ELEM_S8,
                                .y_type = t->y_type,
                                .w_zero = x2_zero,
                                .rq = t->rq};
    for (uint32_t i = 0; i < t->y_h; i += tile.y_h) {
        pack(t, (const uint8_t *)t->x2 + i * t->x2_row_bytes, x2_zero, is_signed ? 0 : 0x80808080u);
        tile.x = (const uint8_t *)t->x + i * t->x_row_bytes;
        tile.y = (uint8_t *)t->y + i * t->y_row_bytes;
        conv(&tile);
    }
}

void matmul_armv7em(const struct ts_matmul_tile *tile) { matmul(tile, conv_armv7em); }

void matmul_armv7em_raw(const struct ts_matmul_tile *tile) { matmul(tile, conv_armv7em_raw); }
