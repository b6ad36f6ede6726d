/* Convolutions of bytes or values of 16 bits, pointwise ones and linear layers included: two pixels at a
 * time. Their windows are expanded to 16 bits once (about 1.2 instructions a value and pixel), then
 * conv_pair.S goes through all channels with 14 instructions for 16 products. */

#include "kernels/armv7em/armv7em.h"
#include "kernels/armv7em/conv_pair.h"
#include "kernels/kernels.h"

void armv7em_pair(struct armv7em_pair *p);
void armv7em_single(struct armv7em_pair *p);

/* Not functions: places in the code of the two. */
void armv7em_pair_line_u8(void), armv7em_pair_line_s8(void), armv7em_pair_line_any(void);
void armv7em_pair_tflite_u8(void), armv7em_pair_tflite_s8(void), armv7em_pair_tflite_any(void);
void armv7em_single_line_u8(void), armv7em_single_line_s8(void), armv7em_single_line_any(void);
void armv7em_single_tflite_u8(void), armv7em_single_tflite_s8(void), armv7em_single_tflite_any(void);

void armv7em_pair_raw(void), armv7em_single_raw(void);

static void (*const tails[2][2][3])(void) = {
    {{armv7em_pair_line_u8, armv7em_pair_line_s8, armv7em_pair_line_any},
     {armv7em_pair_tflite_u8, armv7em_pair_tflite_s8, armv7em_pair_tflite_any}},
    {{armv7em_single_line_u8, armv7em_single_line_s8, armv7em_single_line_any},
     {armv7em_single_tflite_u8, armv7em_single_tflite_s8, armv7em_single_tflite_any}}};

/* The window of a pixel: `runs` stretches of `run` consecutive values of x, each filled up to whole groups.
 */
struct window {
    const struct ts_conv_tile *t;
    uint32_t run, run_groups; /* values, groups of four */
    uint32_t step;            /* columns from one run to the next of a row: 0 where a row is one run */
    uint32_t runs_a_row;
    uint32_t groups; /* of the whole window */
    uint8_t *line;   /* room for a run with padding in it */
    uint32_t pixel;  /* bytes of a pixel of x */
};

static inline void put_group(uint32_t *to, uint32_t word, int is_signed) {
    to[0] = armv7em_even(word, is_signed);
    to[1] = armv7em_odd(word, is_signed);
}

static inline __attribute__((always_inline)) uint32_t *expand_as(uint32_t *to, const uint8_t *from,
                                                                 uint32_t n, int is_signed) {
    for (; n >= 16; n -= 16, from += 16, to += 16) {
        put_group(to, armv7em_load(from), is_signed);
        put_group(to + 4, armv7em_load(from + 4), is_signed);
        put_group(to + 8, armv7em_load(from + 8), is_signed);
        put_group(to + 12, armv7em_load(from + 12), is_signed);
    }
    for (; n >= 4; n -= 4, from += 4, to += 4) {
        put_group(to, armv7em_load(from), is_signed);
    }
    if (n > 0) { /* weights behind the end are 0 */
        uint32_t word =
            from[0] | (n > 1 ? (uint32_t)from[1] << 8 : 0) | (n > 2 ? (uint32_t)from[2] << 16 : 0);
        put_group(to, word, is_signed);
        to += 4;
    }
    return to;
}

/* Values of 16 bits are as wide as they must be; their weights lie in the order that SXTB16 then gives. */
static uint32_t *copy_halves(uint32_t *to, const uint8_t *from, uint32_t n) {
    for (; n >= 4; n -= 4, from += 8, to += 4) {
        to[0] = armv7em_load(from);
        to[1] = armv7em_load(from + 4);
    }
    if (n > 0) {
        uint32_t last[2] = {0, 0};
        __builtin_memcpy(last, from, 2u * n);
        to[0] = last[0];
        to[1] = last[1];
        to += 4;
    }
    return to;
}

static uint32_t *expand(uint32_t *to, const uint8_t *from, uint32_t n, uint8_t type) {
    return type == TS_ELEM_S16  ? copy_halves(to, from, n)
           : type == TS_ELEM_S8 ? expand_as(to, from, n, 1)
                                : expand_as(to, from, n, 0);
}

static uint32_t *fill_run(const struct window *v, uint32_t *to) {
    uint32_t zero = (uint16_t)v->t->x_zero, both = zero | zero << 16;
    for (uint32_t i = 0; i < v->run_groups; i++, to += 4) {
        to[0] = to[1] = both;
    }
    return to;
}

/* A run whose columns [column, column + width) leave the map on one side or both. */
static uint32_t *expand_border(const struct window *v, uint32_t *to, const uint8_t *row, int32_t column,
                               int32_t width) {
    const struct ts_conv_tile *t = v->t;
    int32_t first = column < 0 ? -column : 0, end = t->x_w - column < width ? t->x_w - column : width;
    if (end <= first) {
        return fill_run(v, to);
    }
    int32_t pixel = (int32_t)v->pixel; /* a zero point other than 0 is of bytes */
    __builtin_memset(v->line, (uint8_t)t->x_zero, (uint32_t)(width * pixel));
    __builtin_memcpy(v->line + first * pixel, row + (column + first) * pixel,
                     (uint32_t)((end - first) * pixel));
    return expand(to, v->line, v->run, t->x_type);
}

static void expand_window(const struct window *v, uint32_t *to, uint32_t oy, uint32_t ox) {
    const struct ts_conv_tile *t = v->t;
    int32_t width = v->runs_a_row == 1 ? t->k_w : 1;
    int32_t begin = (int32_t)(ox * t->stride_w) - t->pad_left,
            line = (int32_t)(oy * t->stride_h) - t->pad_top;
    for (uint32_t ky = 0; ky < t->k_h; ky++, line += t->dilation_h) {
        int32_t column = begin;
        const uint8_t *row = (const uint8_t *)t->x + line * (int32_t)t->x_row_bytes;
        for (uint32_t r = 0; r < v->runs_a_row; r++, column += (int32_t)v->step) {
            if (line < 0 || line >= t->x_h) {
                to = fill_run(v, to);
            } else if (column < 0 || column + width > t->x_w) {
                to = expand_border(v, to, row, column, width);
            } else {
                to = expand(to, row + column * (int32_t)v->pixel, v->run, t->x_type);
            }
        }
    }
}

/* What a zero point of the weights w adds to the sums of a pixel: sum((w - zero) x) = sum(w x) - zero sum(x).
 * The weights that fill up a run are the zero point, so all of its values count. */
static int32_t start_of(const struct window *v, const uint32_t *x) {
    int32_t sum = 0;
    if (v->t->w_zero == 0) {
        return 0;
    }
    for (uint32_t g = 0; g < v->groups; g++, x += 4) {
        sum = armv7em_smlad(x[0], 0x10001u, sum);
        sum = armv7em_smlad(x[1], 0x10001u, sum);
    }
    return -v->t->w_zero * sum;
}

/* The last of an odd number of channels, of one pixel. */
static void last_channel(const struct window *v, const uint32_t *x, int32_t start, void *y) {
    const struct ts_conv_tile *t = v->t;
    int raw = t->rq.kind == TS_RQ_NONE;
    uint32_t words = 2 * v->groups + 2 * (raw ? 1 : armv7em_rq_words(&t->rq));
    const uint32_t *w = (const uint32_t *)t->w + t->y_c / 2u * words;
    int32_t acc = start;
    for (uint32_t g = 0; g < v->groups; g++) {
        acc = armv7em_smlad(armv7em_even(w[2 * g], 1), x[4 * g], acc);
        acc = armv7em_smlad(armv7em_odd(w[2 * g], 1), x[4 * g + 1], acc);
    }
    const int32_t *params = (const int32_t *)(w + 2 * v->groups);
    if (raw) {
        ((int32_t *)y)[t->y_c - 1u] = acc + params[0];
    } else {
        ((uint8_t *)y)[t->y_c - 1u] = (uint8_t)armv7em_requant(&t->rq, params, acc);
    }
}

static void set_window(struct window *v, const struct ts_conv_tile *t) {
    *v = (struct window){.t = t, .pixel = t->x_type == TS_ELEM_S16 ? 2u * t->x_c : t->x_c};
    int joined = t->dilation_w == 1 || t->k_w == 1;
    v->runs_a_row = joined ? 1 : t->k_w;
    v->step = t->dilation_w;
    v->run = joined ? (uint32_t)t->k_w * t->x_c : t->x_c;
    v->run_groups = (v->run + 3u) / 4u;
    v->groups = v->run_groups * v->runs_a_row * t->k_h;
    v->line = (uint8_t *)t->scratch + 16u * v->groups;
}

/* `tails`: of two pixels and of one. */
static void conv(const struct ts_conv_tile *t, void (*const tails[2])(void)) {
    struct window v;
    set_window(&v, t);
    uint32_t *x = (uint32_t *)t->scratch;
    struct armv7em_pair p = {.x = x, .x_end = x + 4u * v.groups, .low = t->rq.low, .high = t->rq.high};
    p.x_rest = x + 4u * (v.groups % 4u);
    uint32_t pixels = (uint32_t)t->y_h * t->y_w, oy = 0, ox = 0;
    for (uint32_t i = 0; i < pixels; i += 2) {
        uint8_t *y[2] = {0, 0};
        uint32_t count = i + 1 < pixels ? 2 : 1;
        for (uint32_t n = 0; n < count; n++) {
            expand_window(&v, x + 2 * n, oy, ox);
            p.start[n] = start_of(&v, x + 2 * n);
            y[n] = (uint8_t *)t->y + oy * t->y_row_bytes + ox * t->y_pixel_bytes;
            ox = ox + 1 == t->y_w ? 0 : ox + 1;
            oy += ox == 0;
        }
        p.w = t->w;
        p.y_a = y[0];
        p.y_b = y[1];
        p.pairs = t->y_c / 2u;
        p.tail = tails[2 - count];
        if (p.pairs > 0) {
            (count == 2 ? armv7em_pair : armv7em_single)(&p);
        }
        for (uint32_t n = 0; n < count && t->y_c % 2u != 0; n++) {
            last_channel(&v, x + 2 * n, p.start[n], y[n]);
        }
    }
}

void conv_armv7em(const struct ts_conv_tile *t) {
    uint32_t clip = t->rq.low == 0 && t->rq.high == 255 ? 0 : t->rq.low == -128 && t->rq.high == 127 ? 1 : 2;
    uint32_t rq = armv7em_rq_of(&t->rq);
    conv(t, (void (*const[2])(void)){tails[0][rq][clip], tails[1][rq][clip]});
}

void conv_armv7em_raw(const struct ts_conv_tile *t) {
    conv(t, (void (*const[2])(void)){armv7em_pair_raw, armv7em_single_raw});
}
