/* What the pooling kernels share: the windows of a core's outputs, and maxima. Four channels in a word: a
 * load and a maximum for each word and window position; the window of an output is clipped to x, so positions
 * outside never win.
 * Output pixels are dealt to the cores; where there are fewer pixels than cores, words of channels. No
 * division in what is done for each pixel: the core takes up to 35 cycles for one. */
#ifndef TS_KERNELS_XPULP_POOL_H
#define TS_KERNELS_XPULP_POOL_H

#include "kernels/xpulp/xpulp.h"
#include "kernels/xpulp/xpulp_insn.h"

/* Or the compiler would keep one copy for both signs and branch in the inner loops. */
#define ALWAYS_INLINE inline __attribute__((always_inline))

/* The positions of a window along one axis that lie inside x. */
struct span {
    int32_t first; /* in x */
    uint32_t count;
};

/* The part of an output's window that lies inside x. */
struct window {
    const uint8_t *first;
    uint32_t rows, columns;
    uint32_t row_step, column_step; /* bytes */
};

/* The part of a window of `kernel` positions `dilation` apart that begins at `start`. */
static inline struct span inside(int32_t start, uint32_t kernel, uint32_t dilation, uint32_t size) {
    uint32_t skip = 0, fit;
    if (start < 0) {
        skip = (uint32_t)-start;
        skip = dilation == 1 ? skip : (skip + dilation - 1u) / dilation;
        if (skip >= kernel) {
            return (struct span){0, 0};
        }
    }
    int32_t first = start + (int32_t)(skip * dilation);
    if (first >= (int32_t)size) {
        return (struct span){0, 0};
    }
    fit = size - (uint32_t)first;
    fit = dilation == 1 ? fit : (fit - 1u) / dilation + 1u;
    return (struct span){first, fit < kernel - skip ? fit : kernel - skip};
}

static inline struct span rows_of(const struct ts_conv_tile *t, uint32_t oy) {
    return inside((int32_t)(oy * t->stride_h) - t->pad_top, t->k_h, t->dilation_h, t->x_h);
}

/* Rows that follow each other without a gap are one. */
static inline struct window window_of(const struct ts_conv_tile *t, const struct span *rows, uint32_t ox) {
    const struct span columns =
        inside((int32_t)(ox * t->stride_w) - t->pad_left, t->k_w, t->dilation_w, t->x_w);
    struct window w = {.rows = columns.count == 0 ? 0 : rows->count,
                       .columns = rows->count == 0 ? 0 : columns.count,
                       .row_step = t->dilation_h * t->x_row_bytes,
                       .column_step = (uint32_t)t->dilation_w * t->x_c};
    w.first = (const uint8_t *)t->x + rows->first * (int32_t)t->x_row_bytes + columns.first * t->x_c;
    if (w.columns * w.column_step == w.row_step) {
        w.columns *= w.rows;
        w.rows = w.columns == 0 ? 0 : 1;
    }
    return w;
}

/* This core's pixels and words of channels, so many in one. */
struct part {
    struct ref_share pixels, words;
};

static inline struct part part_of(const struct ts_conv_tile *t, uint32_t channels) {
    uint32_t pixels = (uint32_t)t->y_h * t->y_w, words = (t->y_c + channels - 1u) / channels;
    if (pixels >= ts_cores()) {
        return (struct part){ref_share(pixels), {0, words}};
    }
    return (struct part){{0, pixels}, ref_share(words)};
}

/* Turns `count` sums that hold `zeros` more into outputs; the requantisations that pools mostly have without
 * a branch for each. */
static inline void requantise_sums(const struct ts_rq_args *rq, const int32_t *params, int32_t *sums,
                                   int32_t zeros, uint32_t count) {
    uint32_t words = ref_params_bytes(rq->kind) / 4u;
    uint32_t kind = rq->kind, shift = rq->shift, split = rq->split;
    int32_t low = rq->low, high = rq->high;
    for (; count > 0 && kind == TS_RQ_S32; count--, params += 2) {
        int32_t value = p_mac(params[1], *sums - zeros, params[0]) >> shift;
        *sums++ = p_min(p_max(value, low), high);
    }
    for (; count > 0 && kind == TS_RQ_S32D; count--, params += 4) {
        int32_t a = *sums - zeros, lower = p_mac(params[3], a, params[2]) >> split;
        int32_t value = p_mac(ref_wrap_mac(lower, params[1], 1), a, params[0]) >> (params[3] & 31);
        *sums++ = p_min(p_max(value, low), high);
    }
    for (; count > 0; count--, params += words, sums++) {
        *sums = ref_requant(rq, params, *sums - zeros);
    }
}

/* Stores `count` outputs that begin on a byte. */
static inline void put_outputs(uint8_t *y, uint8_t type, const int32_t *values, uint32_t count) {
    uint32_t bits = ref_bits(type);
    for (; bits == 8 && count > 0; count--) {
        *y++ = (uint8_t)*values++;
    }
    for (; bits == 4 && count >= 2; count -= 2, values += 2) {
        *y++ = (uint8_t)((values[0] & 15) | (values[1] & 15) << 4);
    }
    for (; bits == 2 && count >= 4; count -= 4, values += 4) {
        int32_t lower = (values[0] & 3) | (values[1] & 3) << 2, upper = (values[2] & 3) | (values[3] & 3)
                                                                                              << 2;
        *y++ = (uint8_t)(lower | upper << 4);
    }
    for (uint32_t i = 0; i < count; i++) {
        ref_put(y, i, type, values[i]);
    }
}

/* Requantises and stores channels [c, end) of sums that hold `zeros` more. */
static inline void put_averages(const struct ts_conv_tile *t, uint8_t *y, uint32_t c, uint32_t end,
                                int32_t *sums, int32_t zeros) {
    const uint8_t *record = (const uint8_t *)t->w + c * ref_params_bytes(t->rq.kind);
    if (t->rq.kind == TS_RQ_S32 && ref_bits(t->y_type) == 8) {
        const int32_t *params = (const int32_t *)(const void *)record;
        for (; c < end; c++, params += 2) {
            int32_t value = p_mac(params[1], *sums++ - zeros, params[0]) >> t->rq.shift;
            y[c] = (uint8_t)p_min(p_max(value, t->rq.low), t->rq.high);
        }
        return;
    }
    requantise_sums(&t->rq, (const int32_t *)(const void *)record, sums, zeros, end - c);
    put_outputs(y + c * ref_bits(t->y_type) / 8u, t->y_type, sums, end - c);
}

/* The larger of each lane of `mask`, whose bits others do not share: bytes compare as it does. */
static ALWAYS_INLINE uint32_t larger_lanes(uint32_t a, uint32_t b, uint32_t mask) {
    return pv_maxu_b(a & mask, b & mask);
}

/* The larger of each element of two words. */
static ALWAYS_INLINE uint32_t larger(uint32_t a, uint32_t b, uint8_t type) {
    uint32_t signs = type == TS_ELEM_S4 ? 0x88888888u : type == TS_ELEM_S2 ? 0xAAAAAAAAu : 0;
    a ^= signs; /* then they compare as unsigned ones do */
    b ^= signs;
    switch (type) {
        case TS_ELEM_U8:
            return pv_maxu_b(a, b);
        case TS_ELEM_S8:
            return pv_max_b(a, b);
        case TS_ELEM_S16:
            return pv_max_h(a, b);
        case TS_ELEM_U4:
        case TS_ELEM_S4:
            return signs ^ (larger_lanes(a, b, 0x0F0F0F0Fu) | larger_lanes(a, b, 0xF0F0F0F0u));
        default:
            return signs ^ (larger_lanes(a, b, 0x03030303u) | larger_lanes(a, b, 0x0C0C0C0Cu) |
                            larger_lanes(a, b, 0x30303030u) | larger_lanes(a, b, 0xC0C0C0C0u));
    }
}

/* Maxima of one word of elements over a window that is not empty. */
static ALWAYS_INLINE uint32_t max_word(const struct window *w, uint32_t offset, uint8_t type) {
    const uint8_t *row = w->first + offset;
    uint32_t max = xpulp_load(row);
    for (uint32_t rows = w->rows; rows > 0; rows--, row += w->row_step) {
        const uint8_t *x = row;
        for (uint32_t columns = w->columns; columns > 0; columns--) {
            max = larger(max, p_lw_pr(x, w->column_step), type);
        }
    }
    return max;
}

/* max_2x2.S */
typedef void max_2x2(const uint8_t *a, const uint8_t *b, const uint8_t *c, const uint8_t *d, uint8_t *y,
                     uint32_t words);

max_2x2 max_2x2_u8, max_2x2_s8;

/* Bits `keep` of a pixel's last byte are no elements and stay. */
static ALWAYS_INLINE void max_pixel(const struct ts_conv_tile *t, const struct window *w, uint8_t *y,
                                    struct ref_share words, uint8_t type, uint32_t keep) {
    uint32_t whole = (keep == 0 ? t->y_c : t->y_c - 1u) / 4u, end = words.end < whole ? words.end : whole;
    bool bytes = type == TS_ELEM_U8 || type == TS_ELEM_S8;
    if (bytes && w->rows == 2 && w->columns == 2 && end > words.begin) {
        const uint8_t *upper = w->first + words.begin * 4u, *lower = upper + w->row_step;
        (type == TS_ELEM_S8 ? max_2x2_s8 : max_2x2_u8)(upper, upper + w->column_step, lower,
                                                       lower + w->column_step, y + words.begin * 4u,
                                                       end - words.begin);
    } else {
        for (uint32_t i = words.begin; i < end; i++) {
            xpulp_store(y + i * 4u, max_word(w, i * 4u, type));
        }
    }
    if (words.begin <= whole && words.end > whole) {
        uint32_t max = max_word(w, whole * 4u, type);
        uint32_t last = y[t->y_c - 1u] & keep, c = whole * 4u;
        for (; c + 1u < t->y_c; c++, max >>= 8) {
            y[c] = (uint8_t)max;
        }
        y[c] = (uint8_t)((max & ~keep) | last);
    }
}

/* Outputs of a row whose window lies between the left and right border of x. */
static struct ref_share inner_columns(const struct ts_conv_tile *t) {
    uint32_t reach = (t->k_w - 1u) * t->dilation_w + 1u, stride = t->stride_w, after = t->x_w + t->pad_left;
    uint32_t begin = (t->pad_left + stride - 1u) / stride;
    return (struct ref_share){begin, after < reach ? 0 : (after - reach) / stride + 1u};
}

static ALWAYS_INLINE void maximum(const struct ts_conv_tile *t, uint8_t type, uint32_t keep) {
    const struct part part = part_of(t, 4);
    const struct ref_share inner = inner_columns(t);
    uint32_t oy = part.pixels.begin / t->y_w, ox = part.pixels.begin % t->y_w;
    struct span rows = rows_of(t, oy);
    struct window w = window_of(t, &rows, ox);
    uint8_t *y = (uint8_t *)t->y + oy * t->y_row_bytes + ox * t->y_pixel_bytes;
    for (uint32_t left = part.pixels.end - part.pixels.begin; left > 0; left--) {
        max_pixel(t, &w, y, part.words, type, keep);
        y += t->y_pixel_bytes;
        if (++ox == t->y_w) {
            ox = 0;
            rows = rows_of(t, ++oy);
            y = (uint8_t *)t->y + oy * t->y_row_bytes;
        }
        if (ox > inner.begin && ox < inner.end) {
            w.first += (uint32_t)t->stride_w * t->x_c;
        } else {
            w = window_of(t, &rows, ox);
        }
    }
}

#endif
