/* Convolutions of 16-bit values and weights, pointwise ones and linear layers included, two pixels at a time:
 * their windows are copied once, then conv_halves.S goes through all channels with 11 instructions for 16
 * products where sums have 32 bits, 12 where they have 64. */
#include "kernels/armv7em/conv_pair.h"
#include "kernels/armv7em/halves.h"
#include "kernels/kernels.h"

typedef void block_fn(struct armv7em_pair *p);
block_fn armv7em_half_pair, armv7em_half_single, armv7em_wide_pair, armv7em_wide_single;

/* Not functions: places in the code of these. */
typedef void tail_fn(void);
tail_fn armv7em_half_pair_line_s16, armv7em_half_pair_line_u15, armv7em_half_pair_line_any;
tail_fn armv7em_half_pair_tflite_s16, armv7em_half_pair_tflite_any;
tail_fn armv7em_half_single_line_s16, armv7em_half_single_line_u15, armv7em_half_single_line_any;
tail_fn armv7em_half_single_tflite_s16, armv7em_half_single_tflite_any;
tail_fn armv7em_wide_pair_s16, armv7em_wide_pair_u15, armv7em_wide_pair_any;
tail_fn armv7em_wide_single_s16, armv7em_wide_single_u15, armv7em_wide_single_any;

/* How a layer's sums are made: the blocks of two pixels and of one, their ends by clip, and the sum of the
 * last of an odd number of channels. */
struct way {
    block_fn *block[2];
    tail_fn *tail[2][3];
    int32_t (*last)(const struct ts_rq_args *rq, const uint32_t *x, const uint32_t *w, uint32_t groups);
    uint32_t words; /* of a channel's parameters */
};

/* The window of a pixel: `runs` stretches of `run` consecutive values of x, each filled up to whole groups.
 */
struct window {
    const struct ts_conv_tile *t;
    uint32_t run, run_groups;  /* values, groups of four */
    uint32_t runs_a_row, step; /* runs of a row, and columns from one to the next */
    uint32_t groups;           /* of the whole window */
    int16_t *line;             /* room for a run with padding in it */
};

static uint32_t *copy_run(uint32_t *to, const uint8_t *from, uint32_t n) {
    for (; n >= 8; n -= 8, from += 16, to += 8) {
        to[0] = armv7em_load(from);
        to[2] = armv7em_load(from + 4);
        to[4] = armv7em_load(from + 8);
        to[6] = armv7em_load(from + 12);
    }
    for (; n >= 4; n -= 4, from += 8, to += 4) {
        to[0] = armv7em_load(from);
        to[2] = armv7em_load(from + 4);
    }
    if (n > 0) { /* weights behind the end are 0 */
        uint32_t last[2] = {0, 0};
        __builtin_memcpy(last, from, 2u * n);
        to[0] = last[0];
        to[2] = last[1];
        to += 4;
    }
    return to;
}

static uint32_t *fill_run(const struct window *v, uint32_t *to) {
    for (uint32_t i = 0; i < v->run_groups; i++, to += 4) {
        to[0] = to[2] = 0;
    }
    return to;
}

/* A run whose columns [column, column + width) leave the map on one side or both. */
static uint32_t *copy_border(const struct window *v, uint32_t *to, const uint8_t *row, int32_t column,
                             int32_t width) {
    const struct ts_conv_tile *t = v->t;
    int32_t first = column < 0 ? -column : 0, end = t->x_w - column < width ? t->x_w - column : width;
    int32_t pixel = 2 * t->x_c;
    if (end <= first) {
        return fill_run(v, to);
    }
    __builtin_memset(v->line, 0, (uint32_t)(width * pixel));
    __builtin_memcpy((uint8_t *)v->line + first * pixel, row + (column + first) * pixel,
                     (uint32_t)((end - first) * pixel));
    return copy_run(to, (const uint8_t *)v->line, v->run);
}

static void copy_window(const struct window *v, uint32_t *to, uint32_t oy, uint32_t ox) {
    const struct ts_conv_tile *t = v->t;
    int32_t width = v->runs_a_row == 1 ? t->k_w : 1, pixel = 2 * t->x_c;
    int32_t begin = (int32_t)(ox * t->stride_w) - t->pad_left;
    int32_t line = (int32_t)(oy * t->stride_h) - t->pad_top;
    for (uint32_t ky = 0; ky < t->k_h; ky++, line += t->dilation_h) {
        int32_t column = begin;
        const uint8_t *row = (const uint8_t *)t->x + line * (int32_t)t->x_row_bytes;
        for (uint32_t r = 0; r < v->runs_a_row; r++, column += (int32_t)v->step) {
            if (line < 0 || line >= t->x_h) {
                to = fill_run(v, to);
            } else if (column < 0 || column + width > t->x_w) {
                to = copy_border(v, to, row, column, width);
            } else {
                to = copy_run(to, row + column * pixel, v->run);
            }
        }
    }
}

static void set_window(struct window *v, const struct ts_conv_tile *t) {
    int joined = t->dilation_w == 1 || t->k_w == 1;
    *v = (struct window){.t = t, .runs_a_row = joined ? 1 : t->k_w, .step = t->dilation_w};
    v->run = joined ? (uint32_t)t->k_w * t->x_c : t->x_c;
    v->run_groups = (v->run + 3u) / 4u;
    v->groups = v->run_groups * v->runs_a_row * t->k_h;
    v->line = (int16_t *)((uint8_t *)t->scratch + 16u * v->groups);
}

static int32_t last_half(const struct ts_rq_args *rq, const uint32_t *x, const uint32_t *w, uint32_t groups) {
    int32_t sum = 0;
    for (uint32_t i = 0; i < groups; i++) {
        sum = armv7em_smlad(w[4 * i], x[4 * i], sum);
        sum = armv7em_smlad(w[4 * i + 2], x[4 * i + 2], sum);
    }
    return armv7em_requant(rq, (const int32_t *)(w + 4 * groups), sum);
}

static int32_t last_wide(const struct ts_rq_args *rq, const uint32_t *x, const uint32_t *w, uint32_t groups) {
    int64_t sum = 0;
    for (uint32_t i = 0; i < groups; i++) {
        sum = armv7em_smlald(w[4 * i], x[4 * i], sum);
        sum = armv7em_smlald(w[4 * i + 2], x[4 * i + 2], sum);
    }
    return armv7em_wide_requant(rq, (const int32_t *)(w + 4 * groups), sum);
}

static void conv(const struct ts_conv_tile *t, const struct way *way) {
    struct window v;
    set_window(&v, t);
    uint32_t *x = (uint32_t *)t->scratch;
    uint32_t clip = t->rq.high != INT16_MAX ? 2 : t->rq.low == INT16_MIN ? 0 : t->rq.low == 0 ? 1 : 2;
    struct armv7em_pair p = {.x = x, .x_end = x + 4u * v.groups, .low = t->rq.low, .high = t->rq.high};
    p.x_rest = x + 4u * (v.groups % 4u);
    const uint32_t *last = (const uint32_t *)t->w + t->y_c / 2u * (4u * v.groups + 2u * way->words);
    uint32_t pixels = (uint32_t)t->y_h * t->y_w, oy = 0, ox = 0;
    for (uint32_t i = 0; i < pixels; i += 2) {
        uint8_t *y[2] = {0, 0};
        uint32_t count = i + 1 < pixels ? 2 : 1;
        for (uint32_t n = 0; n < count; n++) {
            copy_window(&v, x + n, oy, ox);
            y[n] = (uint8_t *)t->y + oy * t->y_row_bytes + ox * t->y_pixel_bytes;
            ox = ox + 1 == t->y_w ? 0 : ox + 1;
            oy += ox == 0;
        }
        p.w = t->w;
        p.y_a = y[0];
        p.y_b = y[1];
        p.pairs = t->y_c / 2u;
        p.tail = way->tail[2 - count][clip];
        if (p.pairs > 0) {
            way->block[2 - count](&p);
        }
        for (uint32_t n = 0; n < count && t->y_c % 2u != 0; n++) {
            ((int16_t *)y[n])[t->y_c - 1u] = (int16_t)way->last(&t->rq, x + n, last, v.groups);
        }
    }
}

void conv_armv7em_s16(const struct ts_conv_tile *t) {
    static const struct way line = {
        {armv7em_half_pair, armv7em_half_single},
        {{armv7em_half_pair_line_s16, armv7em_half_pair_line_u15, armv7em_half_pair_line_any},
         {armv7em_half_single_line_s16, armv7em_half_single_line_u15, armv7em_half_single_line_any}},
        last_half,
        3};
    static const struct way tflite = {
        {armv7em_half_pair, armv7em_half_single},
        {{armv7em_half_pair_tflite_s16, armv7em_half_pair_tflite_any, armv7em_half_pair_tflite_any},
         {armv7em_half_single_tflite_s16, armv7em_half_single_tflite_any, armv7em_half_single_tflite_any}},
        last_half,
        4};
    conv(t, armv7em_rq_of(&t->rq) == ARMV7EM_TFLITE ? &tflite : &line);
}

void conv_armv7em_s16_wide(const struct ts_conv_tile *t) {
    static const struct way wide = {
        {armv7em_wide_pair, armv7em_wide_single},
        {{armv7em_wide_pair_s16, armv7em_wide_pair_u15, armv7em_wide_pair_any},
         {armv7em_wide_single_s16, armv7em_wide_single_u15, armv7em_wide_single_any}},
        last_wide,
        ARMV7EM_WIDE_WORDS};
    conv(t, &wide);
}
