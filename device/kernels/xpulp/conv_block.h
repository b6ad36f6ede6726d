/* Convolution by 4x4 blocks (conv_block.inc): the work of one core is a run of (pixel block, channel group)
 * items, so that the cores of a team differ by one item at most.
 *
 * A window that lies inside x is read in place: K is one segment of kernel_w * x_c elements a kernel row,
 * rounded up to words that meet zero weights. Windows that leave x are gathered into scratch first, and so
 * are all windows where rows of x_c elements would waste words (x_c no multiple of 4) or do not follow each
 * other at one distance (dilation along both axes): then K is one dense segment.
 *
 * Packed weights: for each group of 4 channels, for each word of K, a word a channel; then the parameters of
 * the 4 channels as tile.h states them, but k - 1 in place of k for S32 and S32C. x_zero is folded into the
 * parameters. Where y_c is no multiple of 4 the last group holds the last 4 channels, of which the first are
 * the group's before it, too: both store the same bytes. In front of fewer than 4 channels are zeros. */
#ifndef TS_KERNELS_XPULP_CONV_BLOCK_H
#define TS_KERNELS_XPULP_CONV_BLOCK_H

#include "kernels/xpulp/xpulp.h"

/* 1 in files whose weights have 16 bits, in two halves (conv_xpulp_s16s16.c): these have a conv_groups_raw()
 * of their own, which computes everything. */
#ifndef CONV_HALVES
#define CONV_HALVES 0
#endif

/* Windows of up to CONV_RUN_BYTES are gathered many at a time, up to CONV_PATCH_BYTES of them. */
enum { CONV_RUN_BYTES = 64, CONV_PATCH_BYTES = 896 };
enum {
    CONV_PIXELS = 4,
    CONV_CHANNELS = 4,
    CONV_RAW_GROUPS = 1,
    CONV_TAIL_BLOCKS = 4,
    CONV_SCRATCH_SLACK = 16
};

/* Read and written by the routines of conv_block.inc: order and sizes are theirs. */
struct conv_block {
    const uint8_t *x;
    int32_t d[3]; /* from pixel 0 to pixels 1, 2, 3 */
    const uint8_t *w;
    uint8_t *y;
    int32_t e[3];
    uint32_t groups;
    uint32_t words_first, words, segments;
    int32_t segment_step;
    uint32_t shift;
    int32_t low, high, acc_high;
    uint32_t params_bytes;
    uint32_t blocks;
    int32_t x_step, y_step;
    uint32_t count;
    uint32_t split;
    uint32_t wide;         /* x of 16 bits: may high bytes other than 0 occur? */
    uint32_t upper;        /* of this block; the routine's own */
    uint32_t weight_bytes; /* of a group */
    uint32_t saved[16];
    const int32_t *rows; /* products of matrices: what the accumulators of each pixel begin with */
};

typedef void conv_routine(struct conv_block *block);

/* Splits elements of 16 bits, `words` times four, each four into a word of low and one of high bytes in the
 * same place. Returns the OR of the high bytes. */
typedef uint32_t conv_split_routine(uint8_t *x, uint32_t words);

/* Those that keep the weights of two channels in registers (conv_narrow.inc): K of 2 and of 4 words. */
enum { CONV_NARROW_BLOCKS = 4 /* at least, to be worth it */ };
typedef conv_routine *const conv_narrow_routines[2][XPULP_RAW];

/* The routines of one pair of types: K in one segment, and in several. */
struct conv_routines {
    conv_routine *line[XPULP_ALL_MODES], *window[XPULP_ALL_MODES];
    conv_narrow_routines *narrow; /* NULL: none */
};

/* What every kernel of a pair of types calls: conv_blocks() with other routines. */
void conv_u8s8_4x4(const struct ts_conv_tile *tile, const struct conv_routines *routines);
void conv_s8s8_4x4(const struct ts_conv_tile *tile, const struct conv_routines *routines);
void conv_s16s8_4x4(const struct ts_conv_tile *tile, const struct conv_routines *routines);

#define CONV_ROUTINES(prefix) \
    { XPULP_TABLE_ROUNDED(prefix##_line), XPULP_TABLE_ROUNDED(prefix##_window), 0 }
#define CONV_DECLARE(prefix) \
    conv_routine XPULP_NAMES_ROUNDED(prefix##_line), XPULP_NAMES_ROUNDED(prefix##_window)

/* Those whose outputs lie in quads (kernels/tile.h) have no `raw`. Tiles must then be cut so that every block
 * of 4 pixels is a quad: columns of y a multiple of 4, all windows inside x or all of them gathered. */
#define CONV_ROUTINES_QUADS(prefix) \
    { XPULP_TABLE_IN_LINE(prefix##_line), XPULP_TABLE_IN_LINE(prefix##_window), 0 }
#define CONV_ROUTINES_NARROW(prefix, narrow) \
    { XPULP_TABLE_IN_LINE(prefix##_line), XPULP_TABLE_IN_LINE(prefix##_window), narrow }
#define CONV_NARROW_ENTRY(prefix, kind, end, name) \
    XPULP_USED(kind, end) != 0 && (kind) != TS_RQ_S32DC && (end) != 2 ? prefix##_##name : 0,
#define CONV_NARROW_TABLE(prefix)                             \
    {                                                         \
        {XPULP_MODES(CONV_NARROW_ENTRY, prefix##_narrow2)}, { \
            XPULP_MODES(CONV_NARROW_ENTRY, prefix##_narrow4)  \
        }                                                     \
    }
#define CONV_DECLARE_NARROW(prefix) conv_routine XPULP_NAMES(prefix##_narrow2), XPULP_NAMES(prefix##_narrow4)

/* Read by the routines of conv_gather.S: order and sizes are theirs. */
struct conv_windows {
    const uint8_t *x;
    uint8_t *to;
    uint32_t pixels, rows;
    uint32_t x_row;
    int32_t x_next; /* from behind the rows of a window to the next one's first */
    uint32_t row_bytes;
    uint32_t next; /* from behind a window's rows in the patch to the next window */
};

typedef void conv_gather_routine(const struct conv_windows *windows);

conv_gather_routine conv_gather_4, conv_gather_5, conv_gather_8, conv_gather_9, conv_gather_12,
    conv_gather_13, conv_gather_16, conv_gather_3x9;

enum { CONV_GATHER_BYTES = 16 };

struct conv_run {
    const struct ts_conv_tile *t;
    conv_routine *const *line, *const *window;
    uint32_t mode;             /* xpulp_mode_of() */
    conv_split_routine *split; /* x of 16 bits */
    const struct conv_routines *routines;
    const uint8_t *x; /* the tile's, or what it was spread to */
    uint32_t x_row_bytes, x_c;
    uint32_t words, segments;           /* of a window read in place */
    uint32_t segment_bytes;             /* of x that the words of a segment meet */
    uint32_t group_bytes, weight_bytes; /* of a channel group: all, and without the parameters */
    uint32_t groups;
    uint32_t pixel_bytes;
    uint32_t top, bottom, left, right; /* outputs whose window lies inside x: [top, bottom) x [left, right) */
    uint32_t inner;                    /* number of those that are read in place */
    bool dense;
    uint8_t *patch; /* this core's gathered windows */
    uint32_t patch_pixels;
    struct conv_block block;
};

/* Are pixels spread to words, each filled up by bytes that meet zero weights? In one-dimensional layers of
 * many taps, where most loads of x would cross words; rows are copied by 12 bytes or by multiples of 8.
 * src/plan/kernel_xpulp.c packs by the same rule. */
static inline bool conv_is_spread(const struct ts_conv_tile *t) {
    uint32_t pitch = (t->x_c + 3u) & ~3u;
    return t->k_h == 1 && t->k_w >= 5u && t->x_c % 4u != 0 && pitch * 8u <= t->x_c * 9u &&
           (pitch == 12u || pitch % 8u == 0);
}

/* Is a whole K gathered into consecutive words? Where its rows do not end on words, unless that costs an
 * eighth of the words at most; where its taps do not follow each other at one distance; and where x is split
 * (`wide`) and pixels do not end on words. src/plan/kernel_xpulp.c packs by the same rule. */
static inline bool conv_is_dense(const struct ts_conv_tile *t, uint32_t x_c, bool wide) {
    uint32_t pixel = x_c;
    if (wide && pixel % 4u != 0) {
        return true;
    }
    if (t->k_h * t->k_w == 1) {
        return false;
    }
    if (t->k_h > 1 && t->dilation_w > 1) {
        return true;
    }
    bool strung = t->k_h == 1 && t->dilation_w > 1;
    uint32_t segments = strung ? t->k_w : t->k_h, bytes = strung ? pixel : t->k_w * pixel;
    uint32_t words = (bytes + 3u) / 4u;
    return (words < 2u ? 2u : words) * segments * 8u > (segments * bytes + 3u) / 4u * 9u;
}

/* n / stride, without a division for the strides that occur. */
static inline uint32_t conv_over(uint32_t n, uint32_t stride) {
    return stride == 1 ? n : stride == 2 ? n >> 1 : n / stride;
}

/* Outputs along one axis whose window lies inside [0, in): [*begin, *end). */
static inline void conv_inner(uint32_t in, uint32_t out, uint32_t span, uint32_t stride, uint32_t pad,
                              uint32_t *begin, uint32_t *end) {
    uint32_t first = conv_over(pad + stride - 1u, stride);
    uint32_t after = in + pad < span ? 0 : conv_over(in + pad - span, stride) + 1u;
    *begin = first < out ? first : out;
    *end = after < *begin ? *begin : after < out ? after : out;
}

/* Pixels of a core's patch: no more than its share of the tile. src/plan/kernel_xpulp.c reckons with the
 * same.
 */
static inline uint32_t conv_patch_pixels(const struct ts_conv_tile *t, uint32_t k_bytes) {
    if (k_bytes > CONV_RUN_BYTES) {
        return CONV_PIXELS;
    }
    uint32_t round = CONV_PIXELS * ts_cores(), share = ((uint32_t)t->y_h * t->y_w + round - 1u) / round;
    uint32_t most = CONV_PATCH_BYTES / k_bytes / CONV_PIXELS;
    return CONV_PIXELS * (share < most ? share : most);
}

static inline void conv_geometry(struct conv_run *run) {
    const struct ts_conv_tile *t = run->t;
    uint32_t size_shift = run->split != 0, row = run->x_c << size_shift, elements;
    bool strung = t->k_h == 1 && t->dilation_w > 1; /* pixels of a 1-D dilated kernel */
    run->pixel_bytes = row;
    run->dense = conv_is_dense(t, run->x_c, run->split != 0);
    if (run->dense) {
        run->segments = 1;
        elements = t->k_h * t->k_w * run->x_c;
    } else {
        run->segments = strung ? t->k_w : t->k_h;
        elements = strung ? run->x_c : t->k_w * run->x_c;
    }
    run->words = (elements + 3u) / 4u;
    run->words = run->words < 2u ? 2u : run->words;
    run->segment_bytes = run->words * 4u << size_shift;
    run->weight_bytes = run->words * run->segments * 4u * CONV_CHANNELS << CONV_HALVES;
    run->groups = (t->y_c + CONV_CHANNELS - 1u) / CONV_CHANNELS;
    run->block.params_bytes = ref_params_bytes(t->rq.kind) * CONV_CHANNELS;
    run->group_bytes = run->weight_bytes + run->block.params_bytes;
    uint32_t apart = strung ? t->dilation_w * row : t->dilation_h * run->x_row_bytes;
    run->block.segment_step = (int32_t)(apart - run->segment_bytes);
    conv_inner(t->x_h, t->y_h, (t->k_h - 1u) * t->dilation_h + 1u, t->stride_h, t->pad_top, &run->top,
               &run->bottom);
    conv_inner(t->x_w, t->y_w, (t->k_w - 1u) * t->dilation_w + 1u, t->stride_w, t->pad_left, &run->left,
               &run->right);
    run->inner = run->dense ? 0 : (run->bottom - run->top) * (run->right - run->left);
    if (!run->dense && run->inner == 0) {
        run->top = run->bottom = run->left = run->right = 0;
    }
}

/* Rows of a window that lies inside x. Short rows take two or three words, whatever their length. */
static inline void conv_copy_rows(uint8_t *to, const uint8_t *x, uint32_t rows, uint32_t bytes,
                                  uint32_t to_step, uint32_t x_step) {
    if (bytes > 12u) {
        for (; rows > 0; rows--, to += to_step, x += x_step) {
            xpulp_copy(to, x, bytes);
        }
        return;
    }
    if (bytes <= 8u) {
        for (; rows > 0; rows--, to += to_step, x += x_step) {
            uint32_t a = xpulp_load(x), b = xpulp_load(x + 4);
            xpulp_store(to, a);
            xpulp_store(to + 4, b);
        }
        return;
    }
    for (; rows > 0; rows--, to += to_step, x += x_step) {
        uint32_t a = xpulp_load(x), b = xpulp_load(x + 4), c = xpulp_load(x + 8);
        xpulp_store(to, a);
        xpulp_store(to + 4, b);
        xpulp_store(to + 8, c);
    }
}

/* One kernel row of a window, its taps side by side in x; `column` is its leftmost. */
static inline void conv_gather_row(const struct conv_run *run, uint8_t *to, const uint8_t *row,
                                   int32_t column, uint32_t zeros) {
    const struct ts_conv_tile *t = run->t;
    int32_t end = column + t->k_w, left = column < 0 ? -column : 0, right = end > t->x_w ? end - t->x_w : 0;
    if (left + right >= (int32_t)t->k_w) {
        xpulp_fill(to, zeros, t->k_w * run->pixel_bytes);
        return;
    }
    uint32_t inside = t->k_w - (uint32_t)left - (uint32_t)right;
    to = xpulp_fill(to, zeros, (uint32_t)left * run->pixel_bytes);
    to = xpulp_copy(to, row + (column + left) * (int32_t)run->pixel_bytes, inside * run->pixel_bytes);
    xpulp_fill(to, zeros, (uint32_t)right * run->pixel_bytes);
}

/* The same with taps apart in x, laid `tap_bytes` apart. */
static inline void conv_gather_taps(const struct conv_run *run, uint8_t *to, const uint8_t *row,
                                    int32_t column, uint32_t tap_bytes, uint32_t zeros) {
    const struct ts_conv_tile *t = run->t;
    for (uint32_t kx = 0; kx < t->k_w; kx++, column += t->dilation_w, to += tap_bytes) {
        if (column < 0 || column >= t->x_w) {
            xpulp_fill(to, zeros, run->pixel_bytes);
        } else {
            xpulp_copy(to, row + column * (int32_t)run->pixel_bytes, run->pixel_bytes);
        }
    }
}

/* Kernel rows [0, rows) of a window: rows of x from `row` on, columns from `column` on. */
static inline void conv_gather_rows(const struct conv_run *run, uint8_t *to, int32_t row, int32_t column,
                                    uint32_t rows, uint32_t row_bytes) {
    const struct ts_conv_tile *t = run->t;
    uint32_t zeros = (uint32_t)(uint8_t)t->x_zero * 0x01010101u, x_step = t->dilation_h * run->x_row_bytes;
    uint32_t tap_bytes = run->dense ? run->pixel_bytes : run->segment_bytes;
    const uint8_t *x = run->x + (uint32_t)row * run->x_row_bytes;
    if (t->dilation_w == 1 && column >= 0 && column + t->k_w <= t->x_w) {
        conv_copy_rows(to, x + (uint32_t)column * run->pixel_bytes, rows, t->k_w * run->pixel_bytes,
                       row_bytes, x_step);
        return;
    }
    for (; rows > 0; rows--, to += row_bytes, x += x_step) {
        if (t->dilation_w > 1) {
            conv_gather_taps(run, to, x, column, tap_bytes, zeros);
        } else {
            conv_gather_row(run, to, x, column, zeros);
        }
    }
}

/* Gathers the window of output (oy, ox) in the order of the packed weights. */
static inline void conv_gather(const struct conv_run *run, uint8_t *to, uint32_t oy, uint32_t ox) {
    const struct ts_conv_tile *t = run->t;
    uint32_t row_bytes = run->dense ? t->k_w * run->pixel_bytes : run->segment_bytes;
    uint32_t fill_bytes = run->dense || t->dilation_w == 1 ? row_bytes : t->k_w * row_bytes;
    uint32_t zeros = (uint32_t)(uint8_t)t->x_zero * 0x01010101u, ky = 0, end;
    int32_t row = (int32_t)(oy * t->stride_h) - t->pad_top,
            column = (int32_t)(ox * t->stride_w) - t->pad_left;
    for (; ky < t->k_h && row < 0; ky++, row += t->dilation_h, to += row_bytes) {
        xpulp_fill(to, zeros, fill_bytes);
    }
    int32_t first = row;
    for (end = ky; end < t->k_h && row < t->x_h; row += t->dilation_h) {
        end++;
    }
    conv_gather_rows(run, to, first, column, end - ky, row_bytes);
    for (to += (end - ky) * row_bytes; end < t->k_h; end++, to += row_bytes) {
        xpulp_fill(to, zeros, fill_bytes);
    }
}

/* An output position; inner ones come first, row by row, then the others. */
struct conv_place {
    uint32_t y, x;
};

static inline struct conv_place conv_place_inner(const struct conv_run *run, uint32_t index) {
    uint32_t width = run->right - run->left, row = index / width;
    return (struct conv_place){run->top + row, run->left + index - row * width};
}

static inline struct conv_place conv_place_outer(const struct conv_run *run, uint32_t index) {
    uint32_t width = run->t->y_w, sides = width - (run->right - run->left);
    if (run->inner == 0) {
        return (struct conv_place){index / width, index % width};
    }
    uint32_t above = run->top * width, beside = sides * (run->bottom - run->top);
    if (index >= above && index < above + beside) {
        uint32_t row = (index - above) / sides, column = index - above - row * sides;
        return (struct conv_place){run->top + row,
                                   column < run->left ? column : column + (run->right - run->left)};
    }
    uint32_t first = index < above ? 0 : run->bottom, rest = index < above ? index : index - above - beside;
    return (struct conv_place){first + rest / width, rest % width};
}

/* The place behind this one. */
static inline void conv_step_inner(const struct conv_run *run, struct conv_place *place) {
    if (++place->x == run->right) {
        place->x = run->left;
        place->y++;
    }
}

static inline void conv_step_outer(const struct conv_run *run, struct conv_place *place) {
    bool beside = run->inner > 0 && place->y >= run->top && place->y < run->bottom;
    if (++place->x == run->left && beside) {
        place->x = run->right;
    }
    if (place->x == run->t->y_w) {
        place->y++;
        beside = run->inner > 0 && place->y >= run->top && place->y < run->bottom;
        place->x = beside && run->left == 0 ? run->right : 0;
        if (place->x == run->t->y_w) {
            *place = (struct conv_place){run->bottom, 0};
        }
    }
}

static inline uint8_t *conv_y(const struct conv_run *run, struct conv_place place) {
    return (uint8_t *)run->t->y + place.y * run->t->y_row_bytes + place.x * run->t->y_pixel_bytes;
}

/* Exactly `bytes` bytes, which other windows surround: the last word may lie over the one before. */
static inline void conv_fill(uint8_t *to, uint32_t value, uint32_t bytes) {
    if (bytes < 4u) {
        for (; bytes > 0; bytes--) {
            *to++ = (uint8_t)value;
        }
        return;
    }
    uint8_t *last = to + bytes - 4u;
    for (; to < last; to += 4) {
        xpulp_store(to, value);
    }
    xpulp_store(last, value);
}

/* The same in each of `count` windows side by side. */
static inline void conv_fill_rows(const struct conv_run *run, uint8_t *to, uint32_t value, uint32_t bytes,
                                  uint32_t count) {
    for (; count > 0; count--, to += run->segment_bytes) {
        conv_fill(to, value, bytes);
    }
}

/* How the windows of a tile are gathered side by side: what the routines of conv_gather.S are told, and the
 * routines for all rows of a window and for some; 0: rows are too long for them. */
struct conv_gathering {
    struct conv_windows windows;
    conv_gather_routine *all, *some;
    uint32_t bytes; /* of a row */
    uint32_t zeros;
};

static inline void conv_gather_rows_of(const struct conv_run *run, struct conv_gathering *g, uint32_t rows) {
    g->windows.rows = rows;
    g->windows.x_next = (int32_t)(run->t->stride_w * run->pixel_bytes - rows * g->windows.x_row);
    g->windows.next = run->segment_bytes - rows * g->bytes;
}

static inline void conv_gather_begin(const struct conv_run *run, struct conv_gathering *g) {
    static conv_gather_routine *const words[] = {conv_gather_4, conv_gather_8, conv_gather_12,
                                                 conv_gather_16};
    static conv_gather_routine *const and_byte[] = {conv_gather_4, conv_gather_5, conv_gather_9,
                                                    conv_gather_13};
    const struct ts_conv_tile *t = run->t;
    g->bytes = t->k_w * run->pixel_bytes;
    g->zeros = (uint32_t)(uint8_t)t->x_zero * 0x01010101u;
    g->windows.x_row = t->dilation_h * run->x_row_bytes;
    g->windows.row_bytes = g->bytes;
    conv_gather_rows_of(run, g, t->k_h);
    g->all = g->some = 0;
    if (g->bytes <= CONV_GATHER_BYTES) {
        g->some = (g->bytes % 4u == 1u ? and_byte : words)[(g->bytes - 1u) / 4u];
        g->all = g->bytes == 9u && t->k_h == 3u && run->segment_bytes == 28u ? conv_gather_3x9 : g->some;
    }
}

/* Kernel rows [0, rows) of `count` windows side by side, the first at `x`. */
static inline void conv_gather_inside(const struct conv_run *run, struct conv_gathering *g, uint8_t *to,
                                      const uint8_t *x, uint32_t rows, uint32_t count) {
    uint32_t all = run->t->k_h;
    if (g->some == 0) {
        for (; count > 0; count--, to += run->segment_bytes, x += run->t->stride_w * run->pixel_bytes) {
            conv_copy_rows(to, x, rows, g->bytes, g->bytes, g->windows.x_row);
        }
        return;
    }
    g->windows.x = x;
    g->windows.to = to;
    g->windows.pixels = count;
    if (rows == all) {
        g->all(&g->windows);
        return;
    }
    conv_gather_rows_of(run, g, rows);
    g->some(&g->windows);
    conv_gather_rows_of(run, g, all);
}

/* The windows of `count` outputs of one row from `place` on, rows of which may leave x. Columns lie inside,
 * or what lies in front of x is taken for them. */
static inline void conv_gather_columns(const struct conv_run *run, struct conv_gathering *g, uint8_t *to,
                                       struct conv_place place, uint32_t count) {
    const struct ts_conv_tile *t = run->t;
    int32_t row = (int32_t)(place.y * t->stride_h) - t->pad_top;
    int32_t column = (int32_t)(place.x * t->stride_w) - t->pad_left;
    uint32_t first = 0, end = t->k_h;
    if (place.y < run->top || place.y >= run->bottom) {
        while (first < end && row + (int32_t)(first * t->dilation_h) < 0) {
            first++;
        }
        while (end > first && row + (int32_t)((end - 1u) * t->dilation_h) >= t->x_h) {
            end--;
        }
    }
    if (first < end) {
        const uint8_t *line = run->x + (uint32_t)(row + (int32_t)(first * t->dilation_h)) * run->x_row_bytes;
        conv_gather_inside(run, g, to + first * g->bytes, line + column * (int32_t)run->pixel_bytes,
                           end - first, count);
    }
    if (first > 0) {
        conv_fill_rows(run, to, g->zeros, first * g->bytes, count);
    }
    if (end < t->k_h) {
        conv_fill_rows(run, to + end * g->bytes, g->zeros, (t->k_h - end) * g->bytes, count);
    }
}

/* What lies in front of x is zeros: of the windows of the outputs [x, left) of a row. */
static inline void conv_gather_margin(const struct conv_run *run, const struct conv_gathering *g, uint8_t *to,
                                      uint32_t x) {
    const struct ts_conv_tile *t = run->t;
    for (; x < run->left; x++, to += run->segment_bytes) {
        uint32_t columns = t->pad_left - x * t->stride_w;
        for (uint32_t k = 0; k < t->k_h; k++) {
            conv_fill(to + k * g->bytes, g->zeros, columns * run->pixel_bytes);
        }
    }
}

/* The windows of `count` outputs of one row. Each spoils up to 7 bytes behind it, so they are in order. Those
 * on the left are gathered as if they lay inside where there is a row of x above them to read. */
static inline void conv_gather_row_of_windows(const struct conv_run *run, struct conv_gathering *g,
                                              uint8_t *to, struct conv_place place, uint32_t count) {
    const struct ts_conv_tile *t = run->t;
    uint32_t k_bytes = run->segment_bytes, x = place.x, end = x + count;
    uint32_t left = run->left > x ? run->left : x, right = run->right < end ? run->right : end;
    if (t->dilation_w > 1 || left >= right) {
        left = right = end;
    } else if (left > x && place.y * t->stride_h > t->pad_top && t->pad_left < t->k_w &&
               t->pad_left <= t->x_w) {
        left = x;
    }
    for (; x < left && x < end; x++, to += k_bytes) {
        conv_gather(run, to, place.y, x);
    }
    if (left < right) {
        conv_gather_columns(run, g, to, (struct conv_place){place.y, left}, right - left);
        conv_gather_margin(run, g, to, left);
        to += (right - left) * k_bytes;
        x = right;
    }
    for (; x < end; x++, to += k_bytes) {
        conv_gather(run, to, place.y, x);
    }
}

/* Dense windows of `count` outputs from `place` on, which moves behind them, into the patch. */
static inline void conv_gather_run(struct conv_run *run, struct conv_place *place, uint32_t count) {
    const struct ts_conv_tile *t = run->t;
    struct conv_gathering gathering;
    uint8_t *to = run->patch;
    conv_gather_begin(run, &gathering);
    while (count > 0) {
        uint32_t left = t->y_w - place->x, piece = count < left ? count : left;
        conv_gather_row_of_windows(run, &gathering, to, *place, piece);
        to += piece * run->segment_bytes;
        count -= piece;
        *place = piece < left ? (struct conv_place){place->y, place->x + piece}
                              : (struct conv_place){place->y + 1u, 0};
    }
    if (run->split != 0) {
        run->block.wide = run->split(run->patch, (uint32_t)(to - run->patch) / 8u);
    }
}

/* Points the block at `count` pixels, 1 .. 4, from `place` on, of the inner or the outer places, and moves
 * `place` behind them; pixels beyond count repeat pixel 0. */
static inline void conv_aim(struct conv_run *run, struct conv_place *place, uint32_t count, bool outer) {
    const struct ts_conv_tile *t = run->t;
    struct conv_block *block = &run->block;
    uint32_t k_bytes = run->segment_bytes * run->segments;
    if (outer && run->dense) {
        struct conv_place first = *place;
        conv_gather_run(run, &first, count);
    }
    for (uint32_t p = 0; p < CONV_PIXELS; p++) {
        const uint8_t *x;
        if (p >= count) {
            block->d[p - 1] = block->e[p - 1] = 0;
            continue;
        }
        if (outer) {
            uint8_t *window = run->patch + p * k_bytes;
            if (!run->dense) {
                conv_gather(run, window, place->y, place->x);
            }
            x = window;
        } else {
            x = run->x + (place->y * t->stride_h - t->pad_top) * run->x_row_bytes +
                (place->x * t->stride_w - t->pad_left) * run->pixel_bytes;
        }
        uint8_t *y = conv_y(run, *place);
        if (p == 0) {
            block->x = x;
            block->y = y;
        } else {
            block->d[p - 1] = (int32_t)(x - block->x);
            block->e[p - 1] = (int32_t)(y - block->y);
        }
        if (outer) {
            conv_step_outer(run, place);
        } else {
            conv_step_inner(run, place);
        }
    }
}

/* TFLite's arithmetic as the graph has it, for one channel of bytes: what no form of 32 bits serves. The
 * shift is never to the left here. */
static inline void conv_finish_tflite(const struct ts_rq_args *rq, const int32_t *words, const int32_t *acc,
                                      uint32_t count, uint8_t *const *y, uint32_t channel) {
    const int32_t bias = words[0], multiplier = words[1], right = -words[2];
    const int32_t low = rq->low, high = rq->high, zero = rq->zero;
    const int32_t mask = (int32_t)((1u << right) - 1u), half = mask >> 1;
    for (uint32_t p = 0; p < count; p++, acc += CONV_CHANNELS) {
        int64_t product = (int64_t)ref_wrap_mac(*acc, bias, 1) * multiplier + (1 << 30);
        int32_t h = (int32_t)(product >> 31);
        int32_t value = (h >> right) + ((h & mask) > half + (h < 0)) + zero;
        y[p][channel] = (uint8_t)ref_clip(value, low, high);
    }
}

/* The first channels of the last group are no outputs of it where y_c is no multiple of 4. */
static inline uint32_t conv_lanes_before(const struct conv_run *run, uint32_t group) {
    return group == run->t->y_c / CONV_CHANNELS ? CONV_CHANNELS - run->t->y_c % CONV_CHANNELS : 0;
}

static inline conv_routine *conv_routine_of(const struct conv_run *run) {
    return (run->segments == 1 ? run->line : run->window)[run->mode];
}

/* Groups [begin, end) of the block's pixels, whose accumulators C code requantises. Not inline: its frame is
 * large, and stacks take L1 from tiles. */
static __attribute__((noinline)) void conv_groups_raw(struct conv_run *run, conv_routine *routine,
                                                      uint32_t begin, uint32_t end, uint32_t count);

#if !CONV_HALVES
/* Requantises and stores what conv_raw left: `groups` groups from `group` on, of `count` pixels. */
static inline void conv_finish_raw(const struct conv_run *run, const int32_t *acc, uint32_t group,
                                   uint32_t groups, uint32_t count, uint8_t *const *y) {
    const struct ts_conv_tile *t = run->t;
    const struct xpulp_requant requant = xpulp_requant_of(&t->rq);
    uint32_t params_bytes = ref_params_bytes(t->rq.kind), channel = group * CONV_CHANNELS;
    bool byte = ref_bits(t->y_type) == 8u, tflite = byte && t->rq.kind == TS_RQ_TFLITE;
    for (uint32_t g = group; g < group + groups; g++, acc += CONV_PIXELS * CONV_CHANNELS) {
        uint32_t c = conv_lanes_before(run, g);
        const uint8_t *params =
            (const uint8_t *)t->w + g * run->group_bytes + run->weight_bytes + c * params_bytes;
        for (; c < CONV_CHANNELS; c++, channel++, params += params_bytes) {
            const int32_t *words = (const int32_t *)(const void *)params;
            if (tflite && words[2] <= 0) {
                conv_finish_tflite(&t->rq, words, &acc[c], count, y, channel);
                continue;
            }
            for (uint32_t p = 0; p < count; p++) {
                int32_t value = xpulp_requant(&requant, words, acc[p * CONV_CHANNELS + c]);
                if (byte) {
                    y[p][channel] = (uint8_t)value;
                } else {
                    ref_put(y[p], channel, t->y_type, value);
                }
            }
        }
    }
}

static __attribute__((noinline)) void conv_groups_raw(struct conv_run *run, conv_routine *routine,
                                                      uint32_t begin, uint32_t end, uint32_t count) {
    struct conv_block *block = &run->block;
    int32_t acc[CONV_RAW_GROUPS * CONV_PIXELS * CONV_CHANNELS];
    uint8_t *y[CONV_PIXELS] = {block->y, block->y + block->e[0], block->y + block->e[1],
                               block->y + block->e[2]};
    for (uint32_t g = begin; g < end; g += CONV_RAW_GROUPS) {
        block->groups = end - g < CONV_RAW_GROUPS ? end - g : CONV_RAW_GROUPS;
        block->w = (const uint8_t *)run->t->w + g * run->group_bytes;
        block->y = (uint8_t *)acc;
        block->blocks = 1;
        routine(block);
        conv_finish_raw(run, acc, g, block->groups, count, y);
    }
    block->y = y[0];
}
#endif

/* The last 1 .. 3 bytes of a word. */
static inline void conv_put_last(uint8_t *y, uint32_t word, uint32_t channels) {
    switch (channels) {
        case 3:
            *y++ = (uint8_t)(word >> 8);
            __attribute__((fallthrough));
        case 2:
            *y++ = (uint8_t)(word >> 16);
            __attribute__((fallthrough));
        default:
            *y = (uint8_t)(word >> 24);
    }
}

/* The last group, where y_c is no multiple of 4, of `blocks` blocks of pixels: through a buffer, so that
 * nothing but its own channels is written. */
static inline void conv_group_tail(struct conv_run *run, conv_routine *routine, uint32_t blocks,
                                   uint32_t count) {
    struct conv_block *block = &run->block;
    uint32_t words[CONV_TAIL_BLOCKS * CONV_PIXELS], first = run->t->y_c & ~3u;
    const int32_t e[CONV_PIXELS] = {0, block->e[0], block->e[1], block->e[2]}, y_step = block->y_step;
    uint8_t *y = block->y + first;
    for (uint32_t p = 1; p < CONV_PIXELS; p++) {
        block->e[p - 1] = (int32_t)(p * 4u);
    }
    block->y_step = CONV_PIXELS * 4;
    block->groups = 1;
    block->w = (const uint8_t *)run->t->w + (run->groups - 1u) * run->group_bytes;
    while (blocks > 0) {
        uint32_t some = blocks < CONV_TAIL_BLOCKS ? blocks : CONV_TAIL_BLOCKS;
        const uint32_t *word = words;
        block->y = (uint8_t *)words;
        block->blocks = some;
        routine(block);
        for (blocks -= some; some > 0; some--, y += y_step, word += CONV_PIXELS) {
            for (uint32_t p = 0; p < count; p++) {
                conv_put_last(y + e[p], word[p], run->t->y_c - first);
            }
        }
    }
    for (uint32_t p = 1; p < CONV_PIXELS; p++) {
        block->e[p - 1] = e[p];
    }
    block->y_step = y_step;
}

/* Groups [begin, end), all of 4 channels, of `blocks` blocks of pixels, at whose first the block is aimed. */
static inline void conv_whole_groups(struct conv_run *run, conv_routine *routine, uint32_t begin,
                                     uint32_t end, uint32_t blocks) {
    struct conv_block *block = &run->block;
    block->groups = end - begin;
    block->w = (const uint8_t *)run->t->w + begin * run->group_bytes;
    block->y += begin * CONV_CHANNELS;
    block->blocks = blocks;
    routine(block);
}

/* The same where the last group may have fewer channels; blocks of `count` pixels. */
static __attribute__((noinline)) void conv_groups(struct conv_run *run, conv_routine *routine, uint32_t begin,
                                                  uint32_t end, uint32_t blocks, uint32_t count) {
    struct conv_block *block = &run->block;
    uint32_t whole = run->t->y_c / CONV_CHANNELS, last = end < whole ? end : whole;
    const uint8_t *x = block->x;
    const int32_t *rows = block->rows;
    uint8_t *y = block->y;
    if (begin < last) {
        conv_whole_groups(run, routine, begin, last, blocks);
    }
    if (end <= whole) {
        return;
    }
    block->x = x;
    block->y = y;
    block->rows = rows;
    if (begin == whole) { /* the channels in front are another core's, or there are none */
        conv_group_tail(run, routine, blocks, count);
        return;
    }
    block->y = y + run->t->y_c % CONV_CHANNELS - CONV_CHANNELS;
    conv_whole_groups(run, routine, whole, end, blocks);
}

/* `blocks` blocks from `place` on, all groups, in one call: pixels at one distance from each other. */
static inline void conv_call_run(struct conv_run *run, conv_routine *routine, struct conv_place place,
                                 uint32_t blocks, const uint8_t *x, uint32_t pixel_step) {
    const struct ts_conv_tile *t = run->t;
    struct conv_block *block = &run->block;
    for (uint32_t p = 1; p < CONV_PIXELS; p++) {
        block->d[p - 1] = (int32_t)(p * pixel_step);
        block->e[p - 1] = (int32_t)(p * t->y_pixel_bytes);
    }
    block->x = x;
    block->y = conv_y(run, place);
    block->x_step = (int32_t)(CONV_PIXELS * pixel_step);
    block->y_step = (int32_t)(CONV_PIXELS * t->y_pixel_bytes);
    if (t->y_c % CONV_CHANNELS == 0) {
        conv_whole_groups(run, routine, 0, run->groups, blocks);
    } else {
        conv_groups(run, routine, 0, run->groups, blocks, CONV_PIXELS);
    }
    block->x_step = block->y_step = 0;
}

/* All groups of as many pixels as the patch holds, gathered together, in one call, as far as `items` reach.
 * Returns the blocks of pixels done: 0 where they cannot be gathered so. */
static inline uint32_t conv_run_of_blocks(struct conv_run *run, struct conv_place *place, uint32_t items,
                                          conv_routine *routine) {
    const struct ts_conv_tile *t = run->t;
    bool rows_touch = t->y_row_bytes == t->y_w * t->y_pixel_bytes;
    uint32_t outputs = rows_touch ? (t->y_h - place->y) * t->y_w - place->x : t->y_w - place->x;
    uint32_t blocks = outputs / CONV_PIXELS, most = run->patch_pixels / CONV_PIXELS;
    blocks = blocks < most ? blocks : most;
    if (blocks * run->groups > items) {
        blocks = items / run->groups;
    }
    if (!run->dense || blocks == 0 || run->mode == XPULP_RAW || run->segment_bytes > CONV_RUN_BYTES) {
        return 0;
    }
    struct conv_place first = *place;
    conv_gather_run(run, place, blocks * CONV_PIXELS);
    conv_call_run(run, routine, first, blocks, run->patch, run->segment_bytes);
    return blocks;
}

/* All groups of the pixels of one row that are read in place, as far as `items` reach. Returns the blocks of
 * pixels done: 0 where the next four do not lie in one row. */
static inline uint32_t conv_run_in_place(struct conv_run *run, struct conv_place *place, uint32_t items,
                                         conv_routine *routine) {
    const struct ts_conv_tile *t = run->t;
    uint32_t blocks = (run->right - place->x) / CONV_PIXELS;
    if (run->mode == XPULP_RAW || items < run->groups) {
        return 0;
    }
    if (blocks * run->groups > items) {
        blocks = items / run->groups;
    }
    if (blocks > 0) {
        const uint8_t *x = run->x + (place->y * t->stride_h - t->pad_top) * run->x_row_bytes +
                           (place->x * t->stride_w - t->pad_left) * run->pixel_bytes;
        conv_call_run(run, routine, *place, blocks, x, t->stride_w * run->pixel_bytes);
        place->x += blocks * CONV_PIXELS;
        if (place->x == run->right) {
            *place = (struct conv_place){place->y + 1u, run->left};
        }
    }
    return blocks;
}

/* Items [begin, end) of the inner (or outer) pixels: item i is group i % groups of block i / groups. */
static inline void conv_items(struct conv_run *run, uint32_t begin, uint32_t end, uint32_t pixels,
                              bool outer) {
    uint32_t block = begin / run->groups, group = begin - block * run->groups;
    conv_routine *routine = conv_routine_of(run);
    struct conv_place place =
        outer ? conv_place_outer(run, block * CONV_PIXELS) : conv_place_inner(run, block * CONV_PIXELS);
    uint32_t left = end - begin;
    int32_t step = run->block.segment_step;
    run->block.segment_step = outer ? 0 : step;
    while (left > 0) {
        uint32_t done = group > 0 ? 0
                        : outer   ? conv_run_of_blocks(run, &place, left, routine)
                                  : conv_run_in_place(run, &place, left, routine);
        if (done > 0) {
            left -= done * run->groups;
            block += done;
            continue;
        }
        uint32_t groups = run->groups - group < left ? run->groups - group : left;
        uint32_t count = pixels - block * CONV_PIXELS;
        count = count < CONV_PIXELS ? count : CONV_PIXELS;
        conv_aim(run, &place, count, outer);
        if (run->mode == XPULP_RAW) {
            conv_groups_raw(run, routine, group, group + groups, count);
        } else if (run->t->y_c % CONV_CHANNELS == 0) {
            conv_whole_groups(run, routine, group, group + groups, 1);
        } else {
            conv_groups(run, routine, group, group + groups, 1, count);
        }
        left -= groups;
        block++;
        group = 0;
    }
    run->block.segment_step = step;
}

/* Pixels that follow each other at one distance in x and in y: whole blocks in one call. */
static inline bool conv_is_line(const struct conv_run *run) {
    const struct ts_conv_tile *t = run->t;
    return run->mode != XPULP_RAW && t->k_h == 1 && run->inner == (uint32_t)t->y_h * t->y_w &&
           (t->y_h == 1 || (t->y_row_bytes == t->y_w * t->y_pixel_bytes && t->stride_h == 1 &&
                            run->x_row_bytes == t->y_w * t->stride_w * run->pixel_bytes));
}

/* The routine for `blocks` whole blocks of a line. The table lies in L2: it is looked at where it may help.
 */
static inline conv_routine *conv_line_routine(const struct conv_run *run, uint32_t blocks) {
    bool few = (run->words == 2u || run->words == 4u) && blocks >= CONV_NARROW_BLOCKS &&
               run->t->stride_w * run->pixel_bytes == 4u * run->words;
    conv_narrow_routines *narrow = few ? run->routines->narrow : 0;
    conv_routine *routine = narrow != 0 ? (*narrow)[run->words / 4u][run->mode] : 0;
    return routine != 0 ? routine : conv_routine_of(run);
}

/* Points the block at block `index` of a line. */
static inline void conv_line_aim(struct conv_run *run, uint32_t index) {
    const struct ts_conv_tile *t = run->t;
    struct conv_block *block = &run->block;
    uint32_t pixel = index * CONV_PIXELS, left = run->inner - pixel;
    uint32_t x_step = t->stride_w * run->pixel_bytes;
    for (uint32_t p = 1; p < CONV_PIXELS; p++) {
        block->d[p - 1] = p < left ? (int32_t)(p * x_step) : 0;
        block->e[p - 1] = p < left ? (int32_t)(p * t->y_pixel_bytes) : 0;
    }
    block->x = run->x + pixel * x_step;
    block->y = (uint8_t *)t->y + pixel * t->y_pixel_bytes;
    block->x_step = (int32_t)(CONV_PIXELS * x_step);
    block->y_step = (int32_t)(CONV_PIXELS * t->y_pixel_bytes);
}

/* Groups [group, group + groups) of `blocks` blocks from `index` on. */
static inline void conv_line_part(struct conv_run *run, uint32_t index, uint32_t blocks, uint32_t group,
                                  uint32_t groups) {
    const struct ts_conv_tile *t = run->t;
    uint32_t left = run->inner - index * CONV_PIXELS;
    conv_line_aim(run, index);
    conv_routine *routine = conv_line_routine(run, blocks);
    if (group + groups <= t->y_c / CONV_CHANNELS) {
        conv_whole_groups(run, routine, group, group + groups, blocks);
    } else {
        conv_groups(run, routine, group, group + groups, blocks, left < CONV_PIXELS ? left : CONV_PIXELS);
    }
}

/* Items [begin, end) of a line, as conv_items() numbers them. */
static inline void conv_line_share(struct conv_run *run, uint32_t begin, uint32_t end) {
    uint32_t index = begin / run->groups, group = begin - index * run->groups;
    uint32_t last = end / run->groups, whole = run->inner / CONV_PIXELS;
    last = last < whole ? last : whole;
    if (group != 0) {
        uint32_t groups = run->groups - group < end - begin ? run->groups - group : end - begin;
        conv_line_part(run, index++, 1, group, groups);
        begin += groups;
    }
    if (index < last) {
        conv_line_part(run, index, last - index, 0, run->groups);
        begin = last * run->groups;
        index = last;
    }
    if (begin < end) {
        conv_line_part(run, index, 1, 0, end - begin);
    }
}

/* This core's share of a line. Where blocks divide evenly among the cores, no division is needed: those of
 * the core take some 30 cycles each. */
static inline void conv_line(struct conv_run *run) {
    if (run->inner % (CONV_PIXELS * ts_cores()) == 0) {
        uint32_t blocks = run->inner / (CONV_PIXELS * ts_cores());
        conv_line_part(run, ts_core() * blocks, blocks, 0, run->groups);
        return;
    }
    struct ref_share share = ref_share((run->inner + CONV_PIXELS - 1u) / CONV_PIXELS * run->groups);
    if (share.begin < share.end) {
        conv_line_share(run, share.begin, share.end);
    }
}

static inline void conv_setup(struct conv_run *run) {
    const struct ts_rq_args *rq = &run->t->rq;
    struct conv_block *block = &run->block;
    block->words = run->words;
    block->words_first = run->words - 1u;
    block->segments = run->segments;
    block->x_step = block->y_step = 0;
    block->shift = rq->shift;
    block->low = rq->low;
    block->high = rq->high;
    block->acc_high = rq->acc_high;
    block->split = rq->split;
    block->wide = 0;
    block->weight_bytes = run->weight_bytes;
}

/* x of 16 bits that is read in place: where it has been loaded since the last call, the team splits it in
 * place. What of high bytes each core found stays at the beginning of the scratch, of which this returns the
 * rest, for the calls that follow on the same x. */
static inline uint8_t *conv_split_x(struct conv_run *run) {
    const struct ts_conv_tile *t = run->t;
    uint32_t *found = (uint32_t *)t->scratch, cores = ts_cores();
    uint32_t row_words = (uint32_t)t->x_w * t->x_c / 4u, rows = t->x_h;
    if (t->x_is_new) {
        if (t->x_row_bytes == row_words * 8u) {
            row_words *= rows;
            rows = 1;
        }
        struct ref_share share = ref_share(row_words);
        uint8_t *x = (uint8_t *)(uintptr_t)t->x + share.begin * 8u;
        uint32_t upper = 0;
        for (; share.begin < share.end && rows > 0; rows--, x += t->x_row_bytes) {
            upper |= run->split(x, share.end - share.begin);
        }
        found[ts_core()] = upper;
        ts_barrier();
    }
    for (uint32_t core = 0; core < cores; core++) {
        run->block.wide |= found[core];
    }
    return (uint8_t *)(found + cores);
}

/* Spreads the pixels of x in scratch, of which this returns the rest. */
static inline uint8_t *conv_spread_x(struct conv_run *run) {
    const struct ts_conv_tile *t = run->t;
    uint8_t *scratch = t->scratch;
    struct ref_share share = ref_share(t->x_w);
    uint32_t from = share.begin * t->x_c, to = share.begin * run->x_c;
    for (uint32_t row = 0; row < t->x_h; row++) {
        conv_copy_rows(scratch + row * run->x_row_bytes + to,
                       (const uint8_t *)t->x + row * t->x_row_bytes + from, share.end - share.begin, t->x_c,
                       run->x_c, t->x_c);
    }
    ts_barrier();
    return scratch + t->x_h * run->x_row_bytes;
}

/* The whole of a tile: this core's share. Gathered windows cost more, so they are shared by themselves, from
 * the last core on. `split`: x has 16 bits; `spreads`: x may be spread. Both are constants of the kernels. */
static inline void conv_blocks(const struct ts_conv_tile *t, const struct conv_routines *routines,
                               conv_split_routine *split, bool spreads) {
    struct conv_run run;
    run.t = t;
    run.line = routines->line;
    run.window = routines->window;
    run.mode = CONV_HALVES ? XPULP_RAW : xpulp_mode_of(t);
    run.split = split;
    run.routines = routines;
    run.x = t->x;
    run.x_c = t->x_c;
    run.x_row_bytes = t->x_row_bytes;
    bool spread = spreads && conv_is_spread(t);
    if (spread) {
        run.x = t->scratch;
        run.x_c = (t->x_c + 3u) & ~3u;
        run.x_row_bytes = t->x_w * run.x_c;
    }
    conv_geometry(&run);
    conv_setup(&run);
    uint8_t *scratch = spread                     ? conv_spread_x(&run)
                       : split != 0 && !run.dense ? conv_split_x(&run)
                                                  : t->scratch;
    uint32_t outer = (uint32_t)t->y_h * t->y_w - run.inner;
    xpulp_stagger(run.words < 8u ? 3u : 7u);
    if (run.inner > 0 && conv_is_line(&run)) {
        conv_line(&run);
    } else if (run.inner > 0) {
        struct ref_share share = ref_share((run.inner + CONV_PIXELS - 1u) / CONV_PIXELS * run.groups);
        if (share.begin < share.end) {
            conv_items(&run, share.begin, share.end, run.inner, false);
        }
    }
    if (outer > 0) {
        uint32_t k_bytes = run.segment_bytes * run.segments,
                 items = (outer + CONV_PIXELS - 1u) / CONV_PIXELS * run.groups;
        struct ref_share mirror = ref_share(items), share = {items - mirror.end, items - mirror.begin};
        run.block.x_step = run.block.y_step = 0;
        run.patch_pixels = conv_patch_pixels(t, k_bytes);
        run.patch = scratch + ts_core() * (run.patch_pixels * k_bytes + CONV_SCRATCH_SLACK);
        if (share.begin < share.end) {
            conv_items(&run, share.begin, share.end, outer, true);
        }
    }
}

#endif
