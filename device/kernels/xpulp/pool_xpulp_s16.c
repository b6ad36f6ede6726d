/* Pooling of 16-bit activations, two channels in a word (pool.h). Average: one load and two dot products with
 * one-hot lanes for each word and position; the requantisation holds the division. */
#include "kernels/xpulp/pool.h"

void max_pool_xpulp_s16(const struct ts_conv_tile *tile) {
    struct ts_conv_tile t = *tile; /* channels are bytes of a pixel from here on */
    t.x_c = t.y_c = (uint16_t)(2u * tile->x_c);
    maximum(&t, TS_ELEM_S16, 0);
}

/* Sums of the two channels of a word over the window. */
static inline void sum_word(const struct window *w, uint32_t offset, int32_t sums[2]) {
    const uint8_t *row = w->first + offset;
    int32_t a = 0, b = 0;
    for (uint32_t rows = w->rows; rows > 0; rows--, row += w->row_step) {
        const uint8_t *x = row;
        uint32_t columns = w->columns;
        for (; columns >= 2u; columns -= 2u) {
            uint32_t first = p_lw_pr(x, w->column_step), second = p_lw_pr(x, w->column_step);
            a = pv_sdotsp_h(a, first, 1u);
            b = pv_sdotsp_h(b, first, 1u << 16);
            a = pv_sdotsp_h(a, second, 1u);
            b = pv_sdotsp_h(b, second, 1u << 16);
        }
        if (columns > 0) {
            uint32_t last = xpulp_load(x);
            a = pv_sdotsp_h(a, last, 1u);
            b = pv_sdotsp_h(b, last, 1u << 16);
        }
    }
    sums[0] = a;
    sums[1] = b;
}

void avg_pool_xpulp_s16(const struct ts_conv_tile *t) {
    const struct part part = part_of(t, 4);
    struct ts_conv_tile bytes = *t;
    bytes.x_c = (uint16_t)(2u * t->x_c);
    for (uint32_t pixel = part.pixels.begin; pixel < part.pixels.end; pixel++) {
        uint32_t oy = pixel / t->y_w, ox = pixel % t->y_w;
        uint8_t *y = (uint8_t *)t->y + oy * t->y_row_bytes + ox * t->y_pixel_bytes;
        const struct span rows = rows_of(t, oy);
        const struct window w = window_of(&bytes, &rows, ox);
        int32_t zeros = (int32_t)(w.rows * w.columns) * t->x_zero;
        for (uint32_t four = part.words.begin; four < part.words.end; four++) {
            uint32_t c = four * 4u, end = c + 4u < t->y_c ? c + 4u : t->y_c;
            int32_t sums[4];
            sum_word(&w, c * 2u, sums);
            sum_word(&w, c * 2u + 4u, sums + 2);
            put_averages(t, y, c, end, sums, zeros);
        }
    }
}
