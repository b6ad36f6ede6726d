/* Depthwise convolution of unsigned bytes, windows of up to 7 columns, stride 1 or 2 along the row: groups of
 * 4 channels are transposed into byte planes, as in dwconv_xpulp_b8s8.c, whose weights these are, too. Here
 * planes lie so that windows begin on words, the taps of a channel are written out for every place of a
 * window in its word, and a row of outputs is computed by dw_taps.S; its sums are requantised in C. */
#include "kernels/xpulp/dw_plane.h"

/* As dw_taps.S reads it. */
struct dw_taps {
    const uint8_t *x; /* the first window of the row, on a word */
    uint32_t pitch;
    const uint32_t *taps;
    uint32_t rows;          /* of the window */
    uint32_t pairs, single; /* eights of outputs; is there a four behind them? */
    int32_t *sums;          /* of whole fours */
    uint32_t lines, step;   /* rows of outputs, and bytes of x from one to the next */
    uint32_t saved[12];
};

enum { MOST_LINES = 4 };

typedef void dw_taps_routine(struct dw_taps *);
dw_taps_routine dw_taps_k3s1, dw_taps_k5s1, dw_taps_k7s1, dw_taps_k3s2, dw_taps_k5s2, dw_taps_k7s2;

static dw_taps_routine *const routines[2][3] = {{dw_taps_k3s1, dw_taps_k5s1, dw_taps_k7s1},
                                                {dw_taps_k3s2, dw_taps_k5s2, dw_taps_k7s2}};

struct row_run {
    const struct ts_conv_tile *t;
    uint32_t pitch, plane_bytes, words; /* words: of a packed kernel row */
    uint32_t width;                     /* of the window, filled up: 3, 5 or 7 */
    uint8_t *planes;
    uint32_t *taps;
    dw_taps_routine *routine;
    struct dw_taps call;
    struct xpulp_requant requant;
};

/* A kernel row `n` bytes behind its word: as many words as it then reaches into. */
ALWAYS uint32_t *put_taps(uint32_t *to, uint32_t low, uint32_t high, uint32_t n, uint32_t width) {
    *to++ = low << 8u * n;
    if (n + width > 4u) {
        *to++ = n == 0 ? high : high << 8u * n | low >> (32u - 8u * n) % 32u;
    }
    if (n + width > 8u) {
        *to++ = high >> (32u - 8u * n);
    }
    return to;
}

ALWAYS void put_rows(const struct row_run *r, const uint32_t *w, uint32_t width, uint32_t step) {
    uint32_t *to = r->taps;
    for (uint32_t ky = r->t->k_h; ky > 0; ky--, w += r->words) {
        uint32_t low = w[0], high = width > 3u && r->words > 1 ? w[1] : 0;
        to = put_taps(to, low, high, 0, width);
        to = step == 1 ? put_taps(to, low, high, 1, width) : to;
        to = put_taps(to, low, high, 2, width);
        to = step == 1 ? put_taps(to, low, high, 3, width) : to;
    }
}

static void put_channel(const struct row_run *r, const uint32_t *w) {
    uint32_t width = r->width, step = r->t->stride_w;
    if (width == 3u && step == 1u) {
        put_rows(r, w, 3, 1);
    } else if (width == 3u) {
        put_rows(r, w, 3, 2);
    } else if (width == 5u && step == 1u) {
        put_rows(r, w, 5, 1);
    } else if (width == 5u) {
        put_rows(r, w, 5, 2);
    } else if (step == 1u) {
        put_rows(r, w, 7, 1);
    } else {
        put_rows(r, w, 7, 2);
    }
}

ALWAYS void finish(const struct plane_rq *rq, const int32_t *sums, uint8_t *y, uint32_t count,
                   uint32_t pixel) {
    for (; count >= 4; count -= 4) {
        int32_t a = p_lw_pi(sums, 4), b = p_lw_pi(sums, 4), c = p_lw_pi(sums, 4), d = p_lw_pi(sums, 4);
        uint8_t *y1 = y + pixel, *y2 = y1 + pixel, *y3 = y2 + pixel;
        *y = (uint8_t)plane_requantised(rq, a);
        *y1 = (uint8_t)plane_requantised(rq, b);
        *y2 = (uint8_t)plane_requantised(rq, c);
        *y3 = (uint8_t)plane_requantised(rq, d);
        y = y3 + pixel;
    }
    for (; count > 0; count--, y += pixel) {
        int32_t a = p_lw_pi(sums, 4);
        *y = (uint8_t)plane_requantised(rq, a);
    }
}

/* `rows` rows of outputs of one channel; x: the window of the first. */
ALWAYS void plane(const struct row_run *r, const uint8_t *x, const int32_t *params, uint8_t *y, uint32_t rows,
                  enum plane_kind kind) {
    const struct ts_conv_tile *t = r->t;
    const struct plane_rq rq = plane_rq_of(&t->rq, params, kind, &r->requant);
    uint32_t pixel = t->y_pixel_bytes;
    struct dw_taps call = r->call;
    for (call.x = x; rows > 0; rows -= call.lines, call.x += call.lines * call.step) {
        const int32_t *sums = call.sums;
        call.lines = rows < MOST_LINES ? rows : MOST_LINES;
        r->routine(&call);
        for (uint32_t i = 0; i < call.lines; i++, y += t->y_row_bytes, sums += (t->y_w + 3u) & ~3u) {
            finish(&rq, sums, y, t->y_w, pixel);
        }
    }
}

static void any_plane(const struct row_run *r, const uint8_t *x, const int32_t *params, uint8_t *y,
                      uint32_t rows) {
    uint32_t kind = r->t->rq.kind;
    if (PLANE_USES(TS_RQ_S32) && kind == TS_RQ_S32) {
        plane(r, x, params, y, rows, PLANE_S32);
    } else if (PLANE_USES(TS_RQ_S32D) && kind == TS_RQ_S32D) {
        plane(r, x, params, y, rows, PLANE_S32D);
    } else if ((PLANE_USES(TS_RQ_S32R) || PLANE_USES(TS_RQ_S32RC)) &&
               (kind == TS_RQ_S32R || kind == TS_RQ_S32RC)) {
        plane(r, x, params, y, rows, PLANE_S32R);
    } else {
        plane(r, x, params, y, rows, PLANE_OTHER);
    }
}

/* Outputs of rows [first, first + rows) of one channel group. */
static void item(const struct row_run *r, uint32_t group, uint32_t first, uint32_t rows) {
    const struct ts_conv_tile *t = r->t;
    uint32_t channel = group * DW_CHANNELS, weights = t->k_h * r->words;
    uint32_t record = weights * 4u + ref_params_bytes(t->rq.kind);
    plane_fill(t, r->planes, r->pitch, r->plane_bytes, channel, first, rows);
    for (uint32_t c = 0; c < DW_CHANNELS && channel + c < t->y_c; c++) {
        const uint32_t *w = (const uint32_t *)(const void *)((const uint8_t *)t->w + (channel + c) * record);
        put_channel(r, w);
        any_plane(r, r->planes + 4u - t->pad_left + c * r->plane_bytes, (const int32_t *)(w + weights),
                  (uint8_t *)t->y + first * t->y_row_bytes + channel + c, rows);
    }
}

/* Words of all the taps of a kernel row: of 4 places in a word, or 2. */
static inline uint32_t taps_words(uint32_t width, uint32_t stride) {
    static const uint8_t words[2][3] = {{6, 8, 10}, {3, 4, 5}};
    return words[stride - 1u][width / 2u - 1u];
}

/* A core's scratch: taps, sums of some rows, planes, which begin as far behind a word as padding stands in
 * front of it, and behind them what the last words of a row may reach into (src/plan/kernel_xpulp.c). */
void dwconv_xpulp_u8s8_k357(const struct ts_conv_tile *tile) {
    const struct ts_conv_tile *t = tile;
    uint32_t rows = (t->y_h - 1u) * t->stride_h + t->k_h, pitch = dw_pitch(t->x_w), stride = t->stride_w;
    uint32_t width = t->k_w <= 3u ? 3u : t->k_w <= 5u ? 5u : 7u, fours = (t->y_w + 3u) / 4u;
    struct row_run run = {.t = t,
                          .pitch = pitch,
                          .plane_bytes = 4u + rows * pitch,
                          .words = (t->k_w + 3u) / 4u,
                          .width = width,
                          .routine = routines[stride - 1u][width / 2u - 1u],
                          .requant = xpulp_requant_of(&t->rq)};
    uint32_t tap_bytes = t->k_h * taps_words(width, stride) * 4u, sum_bytes = MOST_LINES * fours * 16u;
    uint32_t behind = 4u + 4u * (fours * stride + width / 7u + 1u);
    uint32_t core_bytes =
        (tap_bytes + sum_bytes + DW_CHANNELS * run.plane_bytes + behind + 63u) / 64u * 64u + 8u;
    uint8_t *scratch = (uint8_t *)t->scratch + ts_core() * core_bytes;
    run.taps = (uint32_t *)(void *)scratch;
    run.planes = scratch + tap_bytes + sum_bytes + (t->pad_left & 3u);
    run.call = (struct dw_taps){.pitch = pitch,
                                .taps = run.taps,
                                .rows = t->k_h,
                                .pairs = fours / 2u,
                                .single = fours % 2u,
                                .sums = (int32_t *)(void *)(scratch + tap_bytes),
                                .step = t->stride_h * pitch};
    uint32_t groups = (t->y_c + DW_CHANNELS - 1u) / DW_CHANNELS, parts = dw_parts(t);
    uint32_t part_rows = (t->y_h + parts - 1u) / parts;
    for (uint32_t i = ts_core(); i < groups * parts; i += ts_cores()) {
        uint32_t part = i / groups, first = part * part_rows;
        if (first < t->y_h) {
            item(&run, i - part * groups, first, t->y_h - first < part_rows ? t->y_h - first : part_rows);
        }
    }
}
