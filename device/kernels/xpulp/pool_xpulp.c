/* Pooling of 8-bit activations, four channels in a word.
 *
 * Maximum: a load and a pv.max for each word and window position; the window of an output is clipped to x, so
 * positions outside never win. Average: one load and four dot products with one-hot lanes for each word and
 * position, which sum four channels; the requantisation holds the division.
 * Output pixels are dealt to the cores; where there are fewer pixels than cores, words of channels. */
#include "kernels/xpulp/xpulp.h"
#include "kernels/xpulp/xpulp_insn.h"

/* The part of an output's window that lies inside x. */
struct window {
    const uint8_t *first;
    uint32_t rows, columns;
    uint32_t row_step, column_step; /* bytes */
};

static inline uint32_t inside(int32_t start, uint32_t kernel, uint32_t dilation, uint32_t size,
                              uint32_t *skipped) {
    uint32_t skip = start < 0 ? ((uint32_t)-start + dilation - 1u) / dilation : 0;
    *skipped = skip;
    if (skip >= kernel) {
        return 0;
    }
    int32_t first = start + (int32_t)(skip * dilation);
    if (first >= (int32_t)size) {
        return 0;
    }
    uint32_t fit = (size - 1u - (uint32_t)first) / dilation + 1u;
    return fit < kernel - skip ? fit : kernel - skip;
}

static inline struct window window_of(const struct ts_conv_tile *t, uint32_t oy, uint32_t ox) {
    int32_t row = (int32_t)(oy * t->stride_h) - t->pad_top,
            column = (int32_t)(ox * t->stride_w) - t->pad_left;
    uint32_t skip_rows, skip_columns;
    struct window w = {.row_step = t->dilation_h * t->x_row_bytes,
                       .column_step = (uint32_t)t->dilation_w * t->x_c};
    w.rows = inside(row, t->k_h, t->dilation_h, t->x_h, &skip_rows);
    w.columns = inside(column, t->k_w, t->dilation_w, t->x_w, &skip_columns);
    w.first = (const uint8_t *)t->x + (row + (int32_t)(skip_rows * t->dilation_h)) * (int32_t)t->x_row_bytes +
              (column + (int32_t)(skip_columns * t->dilation_w)) * (int32_t)t->x_c;
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
    for (uint32_t ky = 0; ky < w->rows; ky++, row += w->row_step) {
        const uint8_t *x = row;
        for (uint32_t kx = 0; kx < w->columns; kx++, x += w->column_step) {
            max = larger(max, xpulp_load(x), is_signed);
        }
    }
    return max;
}

/* Words [begin, end) of a 2 x 2 window: no inner loops. */
static inline void max_2x2(const struct window *w, uint8_t *y, uint32_t begin, uint32_t end, bool is_signed) {
    const uint8_t *a = w->first + begin * 4u, *b = a + w->column_step;
    const uint8_t *c = a + w->row_step, *d = b + w->row_step;
    y += begin * 4u;
    for (uint32_t i = begin; i < end; i++) {
        uint32_t upper_left = p_lw_pi(a, 4), upper_right = p_lw_pi(b, 4);
        uint32_t lower_left = p_lw_pi(c, 4), lower_right = p_lw_pi(d, 4);
        uint32_t upper = larger(upper_left, upper_right, is_signed);
        uint32_t max = larger(upper, larger(lower_left, lower_right, is_signed), is_signed);
        p_sw_pi(max, y, 4);
    }
}

static inline void max_pixel(const struct ts_conv_tile *t, uint32_t pixel, struct ref_share words,
                             bool is_signed) {
    uint32_t oy = pixel / t->y_w, ox = pixel % t->y_w, whole = t->y_c / 4u;
    uint8_t *y = (uint8_t *)t->y + oy * t->y_row_bytes + ox * t->y_pixel_bytes;
    struct window w = window_of(t, oy, ox);
    uint32_t end = words.end < whole ? words.end : whole;
    if (w.rows == 2 && w.columns == 2) {
        max_2x2(&w, y, words.begin, end, is_signed);
    } else {
        for (uint32_t i = words.begin; i < end; i++) {
            xpulp_store(y + i * 4u, max_word(&w, i * 4u, is_signed));
        }
    }
    if (words.end > whole) {
        uint32_t max = max_word(&w, whole * 4u, is_signed);
        for (uint32_t c = whole * 4u; c < t->y_c; c++, max >>= 8) {
            y[c] = (uint8_t)max;
        }
    }
}

void max_pool_xpulp(const struct ts_conv_tile *t) {
    struct part part = part_of(t);
    for (uint32_t pixel = part.pixels.begin; pixel < part.pixels.end; pixel++) {
        if (t->x_type == TS_ELEM_S8) {
            max_pixel(t, pixel, part.words, true);
        } else {
            max_pixel(t, pixel, part.words, false);
        }
    }
}

/* Sums of four channels over the window; a one-hot lane picks a channel. */
static inline void sum_window(const struct window *w, uint32_t c, bool is_signed, int32_t sums[4]) {
    const uint8_t *row = w->first + c;
    uint32_t a = 0, b = 0, d = 0, e = 0;
    for (uint32_t rows = w->rows; rows > 0; rows--, row += w->row_step) {
        const uint8_t *x = row;
        for (uint32_t columns = w->columns; columns > 0; columns--, x += w->column_step) {
            uint32_t word = xpulp_load(x);
            if (is_signed) {
                a = (uint32_t)pv_sdotsp_b(a, word, 1u);
                b = (uint32_t)pv_sdotsp_b(b, word, 1u << 8);
                d = (uint32_t)pv_sdotsp_b(d, word, 1u << 16);
                e = (uint32_t)pv_sdotsp_b(e, word, 1u << 24);
            } else {
                a = pv_sdotup_b(a, word, 1u);
                b = pv_sdotup_b(b, word, 1u << 8);
                d = pv_sdotup_b(d, word, 1u << 16);
                e = pv_sdotup_b(e, word, 1u << 24);
            }
        }
    }
    sums[0] = (int32_t)a;
    sums[1] = (int32_t)b;
    sums[2] = (int32_t)d;
    sums[3] = (int32_t)e;
}

static inline void average(const struct ts_conv_tile *t, bool is_signed) {
    struct part part = part_of(t);
    uint32_t bytes = ref_params_bytes(t->rq.kind);
    for (uint32_t pixel = part.pixels.begin; pixel < part.pixels.end; pixel++) {
        uint32_t oy = pixel / t->y_w, ox = pixel % t->y_w;
        uint8_t *y = (uint8_t *)t->y + oy * t->y_row_bytes + ox * t->y_pixel_bytes;
        struct window w = window_of(t, oy, ox);
        for (uint32_t word = part.words.begin; word < part.words.end; word++) {
            int32_t sums[4];
            uint32_t c = word * 4u, end = c + 4u < t->y_c ? c + 4u : t->y_c;
            sum_window(&w, c, is_signed, sums);
            const uint8_t *record = (const uint8_t *)t->w + c * bytes;
            for (const int32_t *sum = sums; c < end; c++, record += bytes) {
                int32_t value = ref_requant(&t->rq, (const int32_t *)(const void *)record, *sum++);
                ref_put(y, c, t->y_type, value);
            }
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
