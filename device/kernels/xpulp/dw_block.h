/* Depthwise 3x3 convolution with stride 1 or 2: groups of 4 channels are transposed into byte planes, one a
 * channel (dw_transpose.S), and each plane is convolved in strips 4 outputs wide that slide down
 * (dw_k3s1.S, dw_k3s2.S). Cores share (channel group, part of the rows) items; nobody waits for another.
 *
 * A plane row is the tile's columns rounded up to words and one word more, whose first byte is the padding
 * right of the row and whose last is the padding left of the next. Rows of padding stand above and below.
 *
 * Packed weights, a record a channel: [w00 w01 w02 0], [w10 w11 w12 0], [w20 w21 w22 0], then the parameters
 * of tile.h, but k - 1 in place of k for 32-bit kinds; x_zero is folded into them. */
#ifndef TS_KERNELS_XPULP_DW_BLOCK_H
#define TS_KERNELS_XPULP_DW_BLOCK_H

#include "kernels/xpulp/xpulp.h"

enum { DW_CHANNELS = 4, DW_STRIP = 4, DW_KERNEL = 3, DW_WEIGHT_BYTES = 12, DW_SLACK = 16, DW_PARTS = 4 };

/* Read and written by the routines: order and sizes are theirs (dw_block.inc). */
struct dw_planes {
    const uint8_t *x;
    uint32_t pixel_bytes;
    int32_t skip; /* from behind a row's last group of 4 pixels to the next row */
    uint32_t rows, quads;
    uint8_t *planes; /* first data byte of plane 0 */
    uint32_t plane_bytes;
    int32_t edge; /* from behind a row's words to the byte of its right padding */
    uint32_t zero;
    uint32_t saved[16];
};

struct dw_strips {
    const uint8_t *x;
    uint32_t pitch;
    const uint8_t *w;
    uint8_t *y;
    uint32_t pixel_bytes;
    int32_t row_bytes; /* from the last pixel of a strip's row to its next row */
    uint32_t strips;
    int32_t x_rest, y_rest;   /* back to where the last, overlapping strip begins */
    int32_t x_strip, y_strip; /* from the end of a strip to the next one */
    int32_t x_next, y_next;   /* from behind the strips to the next channel */
    uint32_t passes, entry;   /* of the unrolled row loop: rounds, and the step that the first begins with */
    uint32_t shift;
    int32_t low, high, acc_high;
    uint32_t split;
    uint32_t channels;
    uint32_t rest, rest_due; /* is there an overlapping strip? */
    uint32_t saved[16];
};

void dw_transpose(struct dw_planes *planes);

/* Stores `word` at `at` and `count` - 1 times `step` bytes on, in each of the four planes; count >= 1. */
void dw_fill_planes(uint8_t *at, uint32_t plane_bytes, uint32_t count, uint32_t step, uint32_t word);

typedef void dw_routine(struct dw_strips *strips);

struct dw_run {
    const struct ts_conv_tile *t;
    dw_routine *routine;
    uint32_t stride;
    uint32_t part_rows, parts; /* rows of outputs of an item, items a channel group */
    uint32_t pitch, plane_bytes, plane_rows;
    uint8_t *scratch;       /* this core's planes */
    const uint8_t *windows; /* first window of plane 0 */
    const uint8_t *x;       /* first row of x that the rows of outputs need */
    uint32_t first, rows;   /* outputs that the planes are for */
    int32_t *raw;           /* this core's accumulators of one plane; NULL where a routine requantises */
    uint32_t zeros, record_bytes;
    struct dw_planes planes;
    struct dw_strips strips;
};

static inline uint32_t dw_mode_of(const struct ts_conv_tile *t) {
    uint32_t mode = xpulp_mode_of(t);
    return t->y_w < DW_STRIP || mode > XPULP_RAW ? XPULP_RAW : mode;
}

/* Sizes of the planes and of one core's scratch. src/plan/kernel_xpulp.c reckons with the same function of
 * the whole tile: parts only make planes lower. */
static inline uint32_t dw_plane_rows(uint32_t outputs, uint32_t stride) {
    return (outputs - 1u) * stride + DW_KERNEL;
}
static inline uint32_t dw_pitch(uint32_t x_w) { return (x_w + 3u) / 4u * 4u + 4u; }

/* Cuts the rows where channel groups alone do not keep the cores equally busy. A part costs its rows, and
 * about three rows for what its planes share with its neighbours. */
static inline uint32_t dw_parts(const struct ts_conv_tile *t) {
    uint32_t groups = (t->y_c + DW_CHANNELS - 1u) / DW_CHANNELS, best = 1, least = UINT32_MAX;
    if (groups % ts_cores() == 0) {
        return 1;
    }
    for (uint32_t parts = 1; parts <= DW_PARTS && parts <= t->y_h; parts++) {
        uint32_t rows = (t->y_h + parts - 1u) / parts;
        uint32_t cost = (groups * parts + ts_cores() - 1u) / ts_cores() * (rows + 3u);
        if (cost < least) {
            least = cost;
            best = parts;
        }
    }
    return best;
}

/* Stores `count` words of padding, `step` bytes apart, into each of the four planes. */
static inline void dw_fill(const struct dw_run *run, uint32_t offset, uint32_t count, uint32_t step) {
    dw_fill_planes(run->scratch + offset, run->plane_bytes, count, step, run->zeros);
}

/* The words before and between the rows of all planes, which the transposition leaves alone. */
static inline void dw_fill_sides(const struct dw_run *run) {
    dw_fill(run, 0, run->plane_rows + 1u, run->pitch);
}

static inline void dw_fill_row(const struct dw_run *run, uint32_t row) {
    dw_fill(run, 4u + row * run->pitch, run->pitch / 4u, 4u);
}

/* Turns to outputs of rows [first, first + rows): what depends on them alone, rows of padding included, which
 * the transposition of the channel groups then leaves alone. */
static inline void dw_aim(struct dw_run *run, uint32_t first, uint32_t rows) {
    const struct ts_conv_tile *t = run->t;
    struct dw_strips *s = &run->strips;
    uint32_t needed = dw_plane_rows(rows, run->stride), steps = run->stride == 1 ? 3u : 2u;
    int32_t top = (int32_t)(first * run->stride) - t->pad_top; /* x row of plane row 0 */
    uint32_t above = top < 0 ? (uint32_t)-top : 0, start = top < 0 ? 0 : (uint32_t)top;
    uint32_t inside = needed - above < t->x_h - start ? needed - above : t->x_h - start;
    for (uint32_t row = 0; row < above; row++) {
        dw_fill_row(run, row);
    }
    for (uint32_t row = above + inside; row < needed; row++) {
        dw_fill_row(run, row);
    }
    run->first = first;
    run->rows = rows;
    run->x = (const uint8_t *)t->x + start * t->x_row_bytes;
    run->planes.rows = inside;
    run->planes.planes = run->scratch + 4u + above * run->pitch;
    s->passes = steps == 3u ? (rows + 2u) / 3u : (rows + 1u) / 2u;
    s->entry = s->passes * steps - rows;
    s->x_strip = (int32_t)(DW_STRIP * run->stride) - (int32_t)(needed * run->pitch);
    s->y_strip =
        run->raw != 0 ? 0 : (int32_t)(DW_STRIP * t->y_pixel_bytes) - (int32_t)(rows * t->y_row_bytes);
}

/* What the routines left in run->raw becomes outputs of channel `channel`. */
static inline void dw_finish_raw(const struct dw_run *run, uint32_t channel, uint32_t first, uint32_t rows) {
    const struct ts_conv_tile *t = run->t;
    const int32_t *params = (const int32_t *)(const void *)((const uint8_t *)t->w +
                                                            channel * run->record_bytes + DW_WEIGHT_BYTES);
    const int32_t *acc = run->raw;
    const struct xpulp_requant requant = xpulp_requant_of(&t->rq);
    for (uint32_t column = 0; column < t->y_w; column += DW_STRIP) {
        bool overlaps = t->y_w >= DW_STRIP && column + DW_STRIP > t->y_w;
        uint32_t left = overlaps ? (uint32_t)t->y_w - DW_STRIP : column;
        for (uint32_t row = 0; row < rows; row++, acc += DW_STRIP) {
            uint8_t *y = (uint8_t *)t->y + (first + row) * t->y_row_bytes + left * t->y_pixel_bytes;
            for (uint32_t i = 0; i < DW_STRIP && left + i < t->y_w; i++, y += t->y_pixel_bytes) {
                ref_put(y, channel, t->y_type, xpulp_requant(&requant, params, acc[i]));
            }
        }
    }
}

/* The outputs that run is aimed at, of one channel group. */
static inline void dw_group(struct dw_run *run, uint32_t group) {
    const struct ts_conv_tile *t = run->t;
    struct dw_strips *s = &run->strips;
    uint32_t channel = group * DW_CHANNELS, left = t->y_c - channel;
    uint32_t channels = left < DW_CHANNELS ? left : DW_CHANNELS;
    run->planes.x = run->x + channel;
    dw_transpose(&run->planes);
    s->x = run->windows;
    s->w = (const uint8_t *)t->w + channel * run->record_bytes;
    if (run->raw == 0) {
        s->y = (uint8_t *)t->y + run->first * t->y_row_bytes + channel;
        s->channels = channels;
        run->routine(s);
        return;
    }
    for (uint32_t c = 0; c < channels; c++) {
        s->y = (uint8_t *)run->raw;
        s->channels = 1;
        run->routine(s);
        dw_finish_raw(run, channel + c, run->first, run->rows);
        s->x += run->plane_bytes;
        s->w += run->record_bytes;
    }
}

static inline void dw_geometry(struct dw_run *run) {
    const struct ts_conv_tile *t = run->t;
    uint32_t quads = (t->x_w + 3u) / 4u, rest = t->y_w % DW_STRIP;
    run->stride = t->stride_h;
    run->parts = dw_parts(t);
    run->part_rows = (t->y_h + run->parts - 1u) / run->parts;
    run->pitch = dw_pitch(t->x_w);
    run->plane_rows = dw_plane_rows(run->part_rows, run->stride);
    run->plane_bytes = 4u + run->plane_rows * run->pitch;
    run->zeros = (uint32_t)(uint8_t)t->x_zero * 0x01010101u;
    struct dw_planes *p = &run->planes;
    p->pixel_bytes = t->x_c;
    p->skip = (int32_t)(t->x_row_bytes - quads * 4u * t->x_c);
    p->quads = quads;
    p->plane_bytes = run->plane_bytes;
    p->edge = (int32_t)t->x_w - (int32_t)(quads * 4u);
    p->zero = run->zeros;
    struct dw_strips *s = &run->strips;
    s->pitch = run->pitch;
    s->pixel_bytes = t->y_pixel_bytes;
    s->row_bytes = (int32_t)t->y_row_bytes - (int32_t)((DW_STRIP - 1u) * t->y_pixel_bytes);
    s->strips = t->y_w < DW_STRIP ? 1u : t->y_w / DW_STRIP;
    s->rest = t->y_w < DW_STRIP ? 0 : rest;
    s->rest_due = s->rest;
    s->x_rest = -(int32_t)((DW_STRIP - rest) * run->stride);
    s->y_rest = run->raw != 0 ? 0 : -(int32_t)((DW_STRIP - rest) * t->y_pixel_bytes);
    s->shift = t->rq.shift;
    s->low = t->rq.low;
    s->high = t->rq.high;
    s->acc_high = t->rq.acc_high;
    s->split = t->rq.split;
    uint32_t columns = s->strips * DW_STRIP + s->rest;
    s->x_next = (int32_t)(run->plane_bytes - columns * run->stride);
    s->y_next = 1 - (int32_t)(columns * t->y_pixel_bytes);
    run->record_bytes = DW_WEIGHT_BYTES + ref_params_bytes(t->rq.kind);
}

/* Bytes of one core's scratch for a tile. Two words more than whole rounds of the banks: cores in step then
 * meet different banks. */
static inline uint32_t dw_scratch_core_bytes(const struct ts_conv_tile *t, bool raw) {
    uint32_t bytes = DW_CHANNELS * (4u + dw_plane_rows(t->y_h, t->stride_h) * dw_pitch(t->x_w)) + DW_SLACK;
    bytes += raw ? (t->y_w + 3u) / 4u * DW_STRIP * 4u * t->y_h : 0;
    return (bytes + 63u) / 64u * 64u + 8u;
}

static inline void dw_run(const struct ts_conv_tile *t, dw_routine *const *routines) {
    struct dw_run run;
    uint32_t mode = dw_mode_of(t);
    bool raw = mode == XPULP_RAW;
    run.t = t;
    run.routine = routines[mode];
    run.scratch = (uint8_t *)t->scratch + ts_core() * dw_scratch_core_bytes(t, raw);
    run.raw = raw ? (int32_t *)(void *)run.scratch : 0;
    run.scratch += raw ? (t->y_w + 3u) / 4u * DW_STRIP * 4u * t->y_h : 0;
    dw_geometry(&run);
    run.windows = run.scratch + 4u - (run.stride == 2 ? t->pad_left * 4u : t->pad_left);
    if ((t->pad_left | t->pad_right) != 0) {
        dw_fill_sides(&run);
    }
    /* Neighbouring groups go to neighbouring cores: their words lie in different banks. */
    uint32_t groups = (t->y_c + DW_CHANNELS - 1u) / DW_CHANNELS, first = 0, aimed = UINT32_MAX;
    for (uint32_t group = ts_core();; group += ts_cores()) {
        for (; group >= groups; group -= groups) {
            first += run.part_rows;
        }
        if (first >= t->y_h) {
            break;
        }
        if (first != aimed) {
            dw_aim(&run, first, t->y_h - first < run.part_rows ? t->y_h - first : run.part_rows);
            aimed = first;
        }
        dw_group(&run, group);
    }
}

#endif
