/* Depthwise convolution with any window and stride, of unsigned or signed bytes: groups of 4 channels are
 * transposed into byte planes (dw_transpose.S), in which a kernel row is one word for every 4 taps. Cores
 * share (channel group, part of the rows) items. Four outputs a step: 9 instructions for up to 16
 * multiply-accumulates.
 *
 * Packed weights, a record a channel: for each kernel row its taps, filled up with zeros to words; then the
 * parameters of tile.h, but k - 1 in place of k for 32-bit kinds; x_zero is folded into them. */
#include "kernels/xpulp/dw_plane.h"

struct plane_run {
    const struct ts_conv_tile *t;
    uint32_t pitch, plane_bytes, words; /* words: of a kernel row */
    struct xpulp_requant requant;
};

static inline int32_t dot(int32_t acc, uint32_t x, uint32_t w, bool is_signed) {
    return is_signed ? pv_sdotsp_b(acc, x, w) : pv_sdotusp_b(acc, x, w);
}

/* What holds for a plane, in registers: stores of bytes could alias what lies in memory. */
struct plane_constants {
    struct plane_rq rq;
    uint32_t k_h, words, rest, s1, s2, s3, pixel;
    bool is_signed;
};

ALWAYS void put(const struct plane_run *r, const struct plane_constants *p, uint8_t *y, int32_t acc) {
    int32_t value = plane_requantised(&p->rq, acc);
    if (p->rq.kind == PLANE_OTHER && r->t->y_type == TS_ELEM_S16) {
        *(int16_t *)(void *)y = (int16_t)value;
    } else if (p->rq.kind == PLANE_OTHER && r->t->y_type == TS_ELEM_S32) {
        *(int32_t *)(void *)y = value;
    } else {
        *y = (uint8_t)value;
    }
}

/* Four outputs whose windows begin at x, a stride apart. */
ALWAYS void four(const struct plane_run *r, const struct plane_constants *p, const uint8_t *x,
                 const uint8_t *w, uint8_t *y) {
    int32_t a = 0, b = 0, c = 0, d = 0;
    for (uint32_t ky = p->k_h; ky > 0; ky--, x += p->rest) {
        for (uint32_t j = p->words; j > 0; j--) {
            uint32_t taps = p_lw_pi(w, 4), xb = p_lw_rr(x, p->s1), xc = p_lw_rr(x, p->s2),
                     xd = p_lw_rr(x, p->s3), xa = p_lw_pi(x, 4);
            b = dot(b, xb, taps, p->is_signed);
            c = dot(c, xc, taps, p->is_signed);
            d = dot(d, xd, taps, p->is_signed);
            a = dot(a, xa, taps, p->is_signed);
        }
    }
    put(r, p, y, a);
    put(r, p, y + p->pixel, b);
    put(r, p, y + 2u * p->pixel, c);
    put(r, p, y + 3u * p->pixel, d);
}

ALWAYS void one(const struct plane_run *r, const struct plane_constants *p, const uint8_t *x,
                const uint8_t *w, uint8_t *y) {
    int32_t acc = 0;
    for (uint32_t ky = p->k_h; ky > 0; ky--, x += p->rest) {
        for (uint32_t j = p->words; j > 0; j--) {
            uint32_t taps = p_lw_pi(w, 4), xa = p_lw_pi(x, 4);
            acc = dot(acc, xa, taps, p->is_signed);
        }
    }
    put(r, p, y, acc);
}

/* `rows` rows of outputs of one channel; x: the window of the first. Columns that are no multiple of four end
 * in four that overlap those before. */
ALWAYS void plane(const struct plane_run *r, const uint8_t *x, const uint8_t *w, uint8_t *y, uint32_t rows,
                  enum plane_kind kind, bool is_signed, uint32_t words) {
    const struct ts_conv_tile *t = r->t;
    const int32_t *params = (const int32_t *)(const void *)(w + t->k_h * words * 4u);
    const struct plane_constants constants = {.rq = plane_rq_of(&t->rq, params, kind, &r->requant),
                                              .k_h = t->k_h,
                                              .words = words,
                                              .rest = r->pitch - words * 4u,
                                              .s1 = t->stride_w,
                                              .s2 = 2u * t->stride_w,
                                              .s3 = 3u * t->stride_w,
                                              .pixel = t->y_pixel_bytes,
                                              .is_signed = is_signed},
                                 *p = &constants;
    uint32_t y_w = t->y_w, x_row = t->stride_h * r->pitch, y_row = t->y_row_bytes, step = 4u * p->s1;
    for (; rows > 0; rows--, x += x_row, y += y_row) {
        const uint8_t *from = x;
        uint8_t *to = y;
        uint32_t left = y_w;
        for (; left >= DW_STRIP; left -= DW_STRIP, from += step, to += 4u * p->pixel) {
            four(r, p, from, w, to);
        }
        if (left > 0 && y_w >= DW_STRIP) {
            four(r, p, x + (y_w - DW_STRIP) * p->s1, w, y + (y_w - DW_STRIP) * p->pixel);
            continue;
        }
        for (; left > 0; left--, from += p->s1, to += p->pixel) {
            one(r, p, from, w, to);
        }
    }
}

/* The loops for one and two words a kernel row, and for any number. */
#define PLANE(kind)                                                                                     \
    static void kind##_plane(const struct plane_run *r, const uint8_t *x, const uint8_t *w, uint8_t *y, \
                             uint32_t rows) {                                                           \
        bool is_signed = r->t->x_type == TS_ELEM_S8;                                                    \
        if (r->words == 1 && !is_signed) {                                                              \
            plane(r, x, w, y, rows, kind, false, 1);                                                    \
        } else if (r->words == 2 && !is_signed) {                                                       \
            plane(r, x, w, y, rows, kind, false, 2);                                                    \
        } else if (!is_signed) {                                                                        \
            plane(r, x, w, y, rows, kind, false, r->words);                                             \
        } else if (r->words == 1) {                                                                     \
            plane(r, x, w, y, rows, kind, true, 1);                                                     \
        } else if (r->words == 2) {                                                                     \
            plane(r, x, w, y, rows, kind, true, 2);                                                     \
        } else {                                                                                        \
            plane(r, x, w, y, rows, kind, true, r->words);                                              \
        }                                                                                               \
    }

PLANE(PLANE_S32)
PLANE(PLANE_S32D)
PLANE(PLANE_S32R)

/* Requantised in C, beside which the loop hardly counts. */
static void other_plane(const struct plane_run *r, const uint8_t *x, const uint8_t *w, uint8_t *y,
                        uint32_t rows) {
    plane(r, x, w, y, rows, PLANE_OTHER, r->t->x_type == TS_ELEM_S8, r->words);
}

static void any_plane(const struct plane_run *r, const uint8_t *x, const uint8_t *w, uint8_t *y,
                      uint32_t rows) {
    bool byte = ref_bits(r->t->y_type) == 8u;
    uint32_t kind = r->t->rq.kind;
    if (PLANE_USES(TS_RQ_S32) && byte && kind == TS_RQ_S32) {
        PLANE_S32_plane(r, x, w, y, rows);
    } else if (PLANE_USES(TS_RQ_S32D) && byte && kind == TS_RQ_S32D) {
        PLANE_S32D_plane(r, x, w, y, rows);
    } else if ((PLANE_USES(TS_RQ_S32R) || PLANE_USES(TS_RQ_S32RC)) && byte &&
               (kind == TS_RQ_S32R || kind == TS_RQ_S32RC)) {
        PLANE_S32R_plane(r, x, w, y, rows);
    } else {
        other_plane(r, x, w, y, rows);
    }
}

/* Outputs of rows [first, first + rows) of one channel group. */
static void item(const struct plane_run *r, uint8_t *scratch, uint32_t group, uint32_t first, uint32_t rows) {
    const struct ts_conv_tile *t = r->t;
    uint32_t channel = group * DW_CHANNELS;
    plane_fill(t, scratch, r->pitch, r->plane_bytes, channel, first, rows);
    uint32_t record = t->k_h * r->words * 4u + ref_params_bytes(t->rq.kind), size = ref_bits(t->y_type) / 8u;
    for (uint32_t c = 0; c < DW_CHANNELS && channel + c < t->y_c; c++) {
        any_plane(r, scratch + 4u - t->pad_left + c * r->plane_bytes,
                  (const uint8_t *)t->w + (channel + c) * record,
                  (uint8_t *)t->y + first * t->y_row_bytes + (channel + c) * size, rows);
    }
}

void dwconv_xpulp_b8s8(const struct ts_conv_tile *tile) {
    const struct ts_conv_tile *t = tile;
    uint32_t rows = (t->y_h - 1u) * t->stride_h + t->k_h, pitch = dw_pitch(t->x_w);
    struct plane_run run = {.t = t,
                            .pitch = pitch,
                            .plane_bytes = 4u + rows * pitch,
                            .words = (t->k_w + 3u) / 4u,
                            .requant = xpulp_requant_of(&t->rq)};
    uint32_t core_bytes = (DW_CHANNELS * run.plane_bytes + DW_SLACK + 63u) / 64u * 64u + 8u;
    uint8_t *scratch = (uint8_t *)t->scratch + ts_core() * core_bytes;
    uint32_t groups = (t->y_c + DW_CHANNELS - 1u) / DW_CHANNELS, parts = dw_parts(t);
    uint32_t part_rows = (t->y_h + parts - 1u) / parts;
    for (uint32_t i = ts_core(); i < groups * parts; i += ts_cores()) {
        uint32_t part = i / groups, first = part * part_rows;
        if (first < t->y_h) {
            item(&run, scratch, i - part * groups, first,
                 t->y_h - first < part_rows ? t->y_h - first : part_rows);
        }
    }
}
