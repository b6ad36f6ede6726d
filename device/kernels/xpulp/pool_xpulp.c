/* Pooling of 8-bit activations, four channels in a word.
 *
 * Maximum: a load and a pv.max for each word and window position; the window of an output is clipped to x, so
 * positions outside never win. Average: one load and four dot products with one-hot lanes for each word and
 * position, which sum four channels; the requantisation holds the division.
 * Output pixels are dealt to the cores; where there are fewer pixels than cores, words of channels. No
 * division in what is done for each pixel: the core takes up to 35 cycles for one. */
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

/* This core's pixels and words of channels. */
struct part {
    struct ref_share pixels, words;
};

static struct part part_of(const struct ts_conv_tile *t) {
    uint32_t pixels = (uint32_t)t->y_h * t->y_w, words = (t->y_c + 3u) / 4u;
    if (pixels >= ts_cores()) {
        return (struct part){ref_share(pixels), {0, words}};
    }
    return (struct part){{0, pixels}, ref_share(words)};
}

static inline uint32_t larger(uint32_t a, uint32_t b, bool is_signed) {
    return is_signed ? pv_max_b(a, b) : pv_maxu_b(a, b);
}

/* Maxima of one word of channels over a window that is not empty. */
static inline uint32_t max_word(const struct window *w, uint32_t offset, bool is_signed) {
    const uint8_t *row = w->first + offset;
    uint32_t max = xpulp_load(row);
    for (uint32_t rows = w->rows; rows > 0; rows--, row += w->row_step) {
        const uint8_t *x = row;
        for (uint32_t columns = w->columns; columns > 0; columns--) {
            max = larger(max, p_lw_pr(x, w->column_step), is_signed);
        }
    }
    return max;
}

/* max_2x2.S */
typedef void max_2x2(const uint8_t *a, const uint8_t *b, const uint8_t *c, const uint8_t *d, uint8_t *y,
                     uint32_t words);

max_2x2 max_2x2_u8, max_2x2_s8;

static ALWAYS_INLINE void max_pixel(const struct ts_conv_tile *t, const struct window *w, uint8_t *y,
                                    struct ref_share words, bool is_signed) {
    uint32_t whole = t->y_c / 4u, end = words.end < whole ? words.end : whole;
    if (w->rows == 2 && w->columns == 2 && end > words.begin) {
        const uint8_t *upper = w->first + words.begin * 4u, *lower = upper + w->row_step;
        (is_signed ? max_2x2_s8 : max_2x2_u8)(upper, upper + w->column_step, lower, lower + w->column_step,
                                              y + words.begin * 4u, end - words.begin);
    } else {
        for (uint32_t i = words.begin; i < end; i++) {
            xpulp_store(y + i * 4u, max_word(w, i * 4u, is_signed));
        }
    }
    if (words.begin <= whole && words.end > whole) {
        uint32_t max = max_word(w, whole * 4u, is_signed);
        for (uint32_t c = whole * 4u; c < t->y_c; c++, max >>= 8) {
            y[c] = (uint8_t)max;
        }
    }
}

/* Outputs of a row whose window lies between the left and right border of x. */
static struct ref_share inner_columns(const struct ts_conv_tile *t) {
    uint32_t reach = (t->k_w - 1u) * t->dilation_w + 1u, stride = t->stride_w, after = t->x_w + t->pad_left;
    uint32_t begin = (t->pad_left + stride - 1u) / stride;
    return (struct ref_share){begin, after < reach ? 0 : (after - reach) / stride + 1u};
}

static ALWAYS_INLINE void maximum(const struct ts_conv_tile *t, bool is_signed) {
    const struct part part = part_of(t);
    const struct ref_share inner = inner_columns(t);
    uint32_t oy = part.pixels.begin / t->y_w, ox = part.pixels.begin % t->y_w;
    struct span rows = rows_of(t, oy);
    struct window w = window_of(t, &rows, ox);
    uint8_t *y = (uint8_t *)t->y + oy * t->y_row_bytes + ox * t->y_pixel_bytes;
    for (uint32_t left = part.pixels.end - part.pixels.begin; left > 0; left--) {
        max_pixel(t, &w, y, part.words, is_signed);
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

void max_pool_xpulp(const struct ts_conv_tile *t) {
    if (t->x_type == TS_ELEM_S8) {
        maximum(t, true);
    } else {
        maximum(t, false);
    }
}

/* Adds the four channels of a word to sums; a one-hot lane picks a channel. */
#define ADD_WORD(sdot, type, word)         \
    do {                                   \
        a = (type)sdot(a, word, 1u);       \
        b = (type)sdot(b, word, 1u << 8);  \
        d = (type)sdot(d, word, 1u << 16); \
        e = (type)sdot(e, word, 1u << 24); \
    } while (0)

/* Sums of four channels over the window. */
#define SUM_WINDOW(name, sdot, type)                                                              \
    static inline void name(const struct window *w, uint32_t channel, int32_t sums[4]) {          \
        const uint8_t *row = w->first + channel;                                                  \
        type a = 0, b = 0, d = 0, e = 0;                                                          \
        for (uint32_t rows = w->rows; rows > 0; rows--, row += w->row_step) {                     \
            const uint8_t *x = row;                                                               \
            uint32_t columns = w->columns;                                                        \
            for (; columns >= 2u; columns -= 2u) {                                                \
                uint32_t first = p_lw_pr(x, w->column_step), second = p_lw_pr(x, w->column_step); \
                ADD_WORD(sdot, type, first);                                                      \
                ADD_WORD(sdot, type, second);                                                     \
            }                                                                                     \
            if (columns > 0) {                                                                    \
                uint32_t last = xpulp_load(x);                                                    \
                ADD_WORD(sdot, type, last);                                                       \
            }                                                                                     \
        }                                                                                         \
        sums[0] = (int32_t)a;                                                                     \
        sums[1] = (int32_t)b;                                                                     \
        sums[2] = (int32_t)d;                                                                     \
        sums[3] = (int32_t)e;                                                                     \
    }

SUM_WINDOW(sum_unsigned, pv_sdotup_b, uint32_t)
SUM_WINDOW(sum_signed, pv_sdotsp_b, int32_t)

/* Requantises and stores channels [c, end), four at most. */
static inline void put_averages(const struct ts_conv_tile *t, uint8_t *y, uint32_t c, uint32_t end,
                                const int32_t sums[4]) {
    uint32_t bytes = ref_params_bytes(t->rq.kind);
    const uint8_t *record = (const uint8_t *)t->w + c * bytes;
    bool byte = t->y_type == TS_ELEM_U8 || t->y_type == TS_ELEM_S8;
    if (t->rq.kind == TS_RQ_S32 && byte) {
        const int32_t *params = (const int32_t *)(const void *)record;
        for (; c < end; c++, params += 2) {
            int32_t value = p_mac(params[1], *sums++, params[0]) >> t->rq.shift;
            y[c] = (uint8_t)p_min(p_max(value, t->rq.low), t->rq.high);
        }
        return;
    }
    for (; c < end; c++, record += bytes) {
        ref_put(y, c, t->y_type, ref_requant(&t->rq, (const int32_t *)(const void *)record, *sums++));
    }
}

static inline void average(const struct ts_conv_tile *t, bool is_signed) {
    const struct part part = part_of(t);
    for (uint32_t pixel = part.pixels.begin; pixel < part.pixels.end; pixel++) {
        uint32_t oy = pixel / t->y_w, ox = pixel % t->y_w;
        uint8_t *y = (uint8_t *)t->y + oy * t->y_row_bytes + ox * t->y_pixel_bytes;
        const struct span rows = rows_of(t, oy);
        const struct window w = window_of(t, &rows, ox);
        for (uint32_t word = part.words.begin; word < part.words.end; word++) {
            int32_t sums[4];
            uint32_t c = word * 4u, end = c + 4u < t->y_c ? c + 4u : t->y_c;
            if (is_signed) {
                sum_signed(&w, c, sums);
            } else {
                sum_unsigned(&w, c, sums);
            }
            put_averages(t, y, c, end, sums);
        }
    }
}

void avg_pool_xpulp(const struct ts_conv_tile *tile) {
    if (tile->x_type == TS_ELEM_S8) {
        average(tile, true);
    } else {
        average(tile, false);
    }
}
