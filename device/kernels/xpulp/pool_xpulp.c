/* Pooling of 8-bit activations, four channels in a word (pool.h). Average: one load and four dot products
 * with one-hot lanes for each word and position, which sum four channels; the requantisation holds the
 * division. */
#include "kernels/xpulp/pool.h"

void max_pool_xpulp(const struct ts_conv_tile *t) {
    if (t->x_type == TS_ELEM_S8) {
        maximum(t, TS_ELEM_S8, 0);
    } else {
        maximum(t, TS_ELEM_U8, 0);
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

static inline void average(const struct ts_conv_tile *t, bool is_signed) {
    const struct part part = part_of(t, 4);
    for (uint32_t pixel = part.pixels.begin; pixel < part.pixels.end; pixel++) {
        uint32_t oy = pixel / t->y_w, ox = pixel % t->y_w;
        uint8_t *y = (uint8_t *)t->y + oy * t->y_row_bytes + ox * t->y_pixel_bytes;
        const struct span rows = rows_of(t, oy);
        const struct window w = window_of(t, &rows, ox);
        int32_t zeros = (int32_t)(w.rows * w.columns) * t->x_zero;
        for (uint32_t word = part.words.begin; word < part.words.end; word++) {
            int32_t sums[4];
            uint32_t c = word * 4u, end = c + 4u < t->y_c ? c + 4u : t->y_c;
            if (is_signed) {
                sum_signed(&w, c, sums);
            } else {
                sum_unsigned(&w, c, sums);
            }
            put_averages(t, y, c, end, sums, zeros);
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
