/* Tiles of x in strips: how transfers lay out the windows of a convolution with few input channels, so that
 * no core gathers them.
 *
 * A strip serves one column of outputs. It holds one *line* of x row by row: the k_w pixels that the column's
 * windows cover, k_w * x_c bytes. So a window is k_h lines, K consecutive bytes, and the next window of the
 * column begins stride_h lines behind it. Where that is no multiple of 4 bytes a column has 2 or 4 strips,
 * `copies`, each shifted by so many bytes that the windows of every `copies`-th row of outputs begin on
 * words: output (y, x) is read in strip x * copies + y % copies. One two-dimensional transfer loads a strip.
 *
 *     | front | shift | line 0 | line 1 | ... | line (y_h - 1) * stride_h + k_h - 1 | slack |
 *
 * Lines that lie in the padding are lines of a strip too, filled by the kernel, as are pixels in the padding:
 * a column that leaves x is loaded from as far as x reaches and lies that much later (earlier) in its strip,
 * so that its pixels are where they belong and what surrounds them is overwritten. `front` and the slack are
 * for that, and for the bytes behind a window which the last word of K meets with zero weights.
 *
 * t->x_row_bytes is not looked at; x_h and x_w are, as ever, what of the tile's x lies inside x. */
#ifndef TS_KERNELS_XPULP_STRIPS_H
#define TS_KERNELS_XPULP_STRIPS_H

#include "kernels/tile.h"

struct ts_strips {
    uint32_t line_bytes, step_bytes; /* of a line; from one window to the one below it */
    uint32_t copies, copies_log2;
    uint32_t lines;
    uint32_t front_bytes, strip_bytes; /* in front of the shift; from one strip to the next */
};

/* src/plan/strips.c reckons with the same sizes. */
static inline struct ts_strips ts_strips_of(const struct ts_conv_tile *t) {
    struct ts_strips s = {.line_bytes = (uint32_t)t->k_w * t->x_c};
    s.step_bytes = t->stride_h * s.line_bytes;
    s.copies_log2 = s.step_bytes % 4u == 0 ? 0u : s.step_bytes % 2u == 0 ? 1u : 2u;
    s.copies = 1u << s.copies_log2;
    s.lines = (t->y_h - 1u) * t->stride_h + t->k_h;
    s.front_bytes = (s.line_bytes + 3u) & ~3u;
    s.strip_bytes = 2u * s.front_bytes + ((s.lines * s.line_bytes + 3u) & ~3u) + 8u;
    return s;
}

/* First byte of line 0 of strip `copy` of output column `column`, from the beginning of the strips. */
static inline uint32_t ts_strip_at(const struct ts_strips *s, uint32_t column, uint32_t copy) {
    uint32_t shift = (0u - copy * s->step_bytes) & 3u;
    return (column * s->copies + copy) * s->strip_bytes + s->front_bytes + shift;
}

/* Called by every core of the team, each of which starts the loads of its share of a tile's strips to `to`,
 * and waits for them: x is the tile's first row and column inside x, in L2, rows x_row_bytes apart. The map
 * has at least k_w columns. Returns the core's ticket (hal/dma.h). */
uint32_t ts_load_strips(const struct ts_conv_tile *t, uint8_t *to, const uint8_t *x, uint32_t x_row_bytes);

#endif
