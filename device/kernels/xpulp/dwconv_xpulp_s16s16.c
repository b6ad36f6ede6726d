/* Depthwise convolution of 16-bit activations, weights of up to 16, two channels at a time, with any window:
 * a word of x holds a position of both. w = 256 v + u with signed v and unsigned u, bytes that lie in halves
 * of words, so that products have 23 bits and the sums of v and of u stay within 32, which make one of 64.
 *
 * Packed weights: for each two channels, for each tap a word of v and one of u, then the parameters of both.
 * Output pixels are dealt to the cores; where there are fewer pixels than cores, pairs of channels, by two
 * where these share a byte of y. */
#include "kernels/xpulp/halves.h"
#include "kernels/xpulp/pool.h"

/* The part of an output's window that lies inside x, and the first of its weights. */
struct taps {
    const uint8_t *x;
    uint32_t rows, columns;
    uint32_t row_step, column_step; /* bytes */
    uint32_t first, row_taps;
};

static inline uint32_t taps_before(const struct span *s, int32_t start, uint32_t dilation) {
    uint32_t skip = (uint32_t)(s->first - start);
    return s->count == 0 ? 0 : dilation == 1 ? skip : skip / dilation;
}

static inline struct taps taps_of(const struct ts_conv_tile *t, uint32_t oy, uint32_t ox) {
    int32_t top = (int32_t)(oy * t->stride_h) - t->pad_top, left = (int32_t)(ox * t->stride_w) - t->pad_left;
    const struct span rows = inside(top, t->k_h, t->dilation_h, t->x_h);
    const struct span columns = inside(left, t->k_w, t->dilation_w, t->x_w);
    struct taps k = {.rows = columns.count == 0 ? 0 : rows.count,
                     .columns = columns.count,
                     .row_step = t->dilation_h * t->x_row_bytes,
                     .column_step = t->dilation_w * t->x_c * 2u,
                     .row_taps = t->k_w};
    k.first = taps_before(&rows, top, t->dilation_h) * t->k_w + taps_before(&columns, left, t->dilation_w);
    k.x = (const uint8_t *)t->x + rows.first * (int32_t)t->x_row_bytes + columns.first * t->x_c * 2;
    return k;
}

/* `columns` is a constant where it is usual, so that the taps of a row are unrolled. */
static ALWAYS_INLINE void sum_columns(const struct taps *k, uint32_t channel, const uint32_t *w,
                                      uint32_t columns, int64_t sums[2]) {
    const uint8_t *row = k->x + channel * 2u;
    int32_t high_a = 0, high_b = 0, low_a = 0, low_b = 0;
    w += 2u * k->first;
    for (uint32_t rows = k->rows; rows > 0; rows--, row += k->row_step, w += 2u * k->row_taps) {
        const uint8_t *x = row;
        const uint32_t *tap = w;
#pragma GCC unroll 3
        for (uint32_t i = 0; i < columns; i++, tap += 2) {
            uint32_t values = p_lw_pr(x, k->column_step), high = tap[0], low = tap[1];
            high_a = p_macsN(high_a, values, high, 0);
            high_b = p_machhsN(high_b, values, high, 0);
            low_a = p_macsN(low_a, values, low, 0);
            low_b = p_machhsN(low_b, values, low, 0);
        }
    }
    sums[0] = (int64_t)high_a * 256 + low_a;
    sums[1] = (int64_t)high_b * 256 + low_b;
}

static inline void sum_pair(const struct taps *k, uint32_t channel, const uint32_t *w, int64_t sums[2]) {
    if (k->columns == 3) {
        sum_columns(k, channel, w, 3, sums);
    } else {
        sum_columns(k, channel, w, k->columns, sums);
    }
}

void dwconv_xpulp_s16s16(const struct ts_conv_tile *t) {
    const uint32_t each = ref_bits(t->y_type) == 2u ? 2 : 1, all = (t->y_c + 1u) / 2u; /* pairs */
    const struct part part = part_of(t, 2u * each);
    const uint32_t begin = part.words.begin * each, last = part.words.end * each,
                   end = last < all ? last : all;
    const struct xpulp_requant requant = xpulp_requant_of(&t->rq);
    uint32_t params_bytes = ref_params_bytes(t->rq.kind), taps_bytes = (uint32_t)t->k_h * t->k_w * 8u;
    uint32_t record_bytes = taps_bytes + 2u * params_bytes;
    for (uint32_t pixel = part.pixels.begin; pixel < part.pixels.end; pixel++) {
        uint32_t oy = pixel / t->y_w, ox = pixel % t->y_w;
        uint8_t *y = (uint8_t *)t->y + oy * t->y_row_bytes + ox * t->y_pixel_bytes;
        const struct taps k = taps_of(t, oy, ox);
        const uint8_t *record = (const uint8_t *)t->w + begin * record_bytes;
        for (uint32_t pair = begin; pair < end; pair++, record += record_bytes) {
            const uint8_t *params = record + taps_bytes;
            uint32_t channel = 2u * pair, count = channel + 1u < t->y_c ? 2u : 1u;
            int64_t sums[2];
            sum_pair(&k, channel, (const uint32_t *)(const void *)record, sums);
            for (uint32_t i = 0; i < count; i++, params += params_bytes) {
                int32_t value = halves_requant(&requant, (const int32_t *)(const void *)params, sums[i]);
                halves_put(y, channel + i, t->y_type, value);
            }
        }
    }
}
