/* What the depthwise kernels of any window share: planes of bytes (dw_transpose.S), and the requantisation of
 * a plane's accumulators in C. */
#ifndef TS_KERNELS_XPULP_DW_PLANE_H
#define TS_KERNELS_XPULP_DW_PLANE_H

#include "kernels/xpulp/dw_block.h"
#include "kernels/xpulp/xpulp_insn.h"

#define ALWAYS static inline __attribute__((always_inline))

/* The kinds that the loops contain; S32R with a clip of the accumulator, which serves S32RC, too. */
enum plane_kind { PLANE_S32, PLANE_S32D, PLANE_S32R, PLANE_OTHER };

#define PLANE_USES(kind) ((TS_RQ_USED >> (kind)) & 1)

/* What holds for a plane, in registers: stores of bytes could alias what lies in memory. */
struct plane_rq {
    int32_t k, l, k2, l2, shift, low, high;
    int32_t middle, split, acc_high;
    enum plane_kind kind;
    const struct xpulp_requant *other; /* and its parameters */
    const int32_t *params;
};

ALWAYS struct plane_rq plane_rq_of(const struct ts_rq_args *rq, const int32_t *params, enum plane_kind kind,
                                   const struct xpulp_requant *other) {
    bool is_rounded = kind == PLANE_S32R, is_double = kind == PLANE_S32D || is_rounded;
    return (struct plane_rq){.k = params[0],
                             .l = params[1],
                             .k2 = is_double ? params[2] : 0,
                             .l2 = is_double ? params[3] : 0,
                             .middle = is_rounded ? params[4] : 0,
                             .acc_high = rq->kind == TS_RQ_S32RC ? rq->acc_high : INT32_MAX,
                             .split = rq->split,
                             .shift = rq->shift,
                             .low = rq->low,
                             .high = rq->high,
                             .kind = kind,
                             .other = other,
                             .params = params};
}

ALWAYS int32_t plane_requantised(const struct plane_rq *p, int32_t acc) {
    if (p->kind == PLANE_S32) {
        acc = p_addNr(p_mac(acc, acc, p->k), p->l, p->shift);
    } else if (p->kind == PLANE_S32D) {
        int32_t part = p_addNr((int32_t)((uint32_t)acc * (uint32_t)p->k2), p->l2, p->split);
        acc = p_addNr(p_mac(part, acc, p->k), p->l, p->l2);
    } else if (p->kind == PLANE_S32R) {
        acc = p_clipr(acc, p->acc_high);
        int32_t part = p_addNr((int32_t)((uint32_t)acc * (uint32_t)p->k2), p->l2, p->split);
        part = p_addNr(p_mac(part, acc, p->k), p->l, p->shift);
        acc = p_subNr(part, part < p->middle, p->l2);
    } else {
        return xpulp_requant(p->other, p->params, acc);
    }
    return p_min(p_max(acc, p->low), p->high);
}

/* Bytes of padding behind the first, where rows do not end on words: the transposition stores one. */
static inline void plane_fill_ends(const struct dw_planes *planes, uint32_t pitch, uint32_t x_w) {
    uint32_t end = (x_w + 3u) & ~3u;
    for (uint32_t p = 0; p < DW_CHANNELS; p++) {
        uint8_t *row = planes->planes + p * planes->plane_bytes;
        for (uint32_t i = 0; i < planes->rows; i++, row += pitch) {
            for (uint32_t at = x_w + 1u; at < end; at++) {
                row[at] = (uint8_t)planes->zero;
            }
        }
    }
}

/* The planes of four channels from `channel` on, as far as the rows of outputs [first, first + rows) need
 * them. A plane is the word before its first row, then rows of x with a word behind each; `to` is where the
 * first plane begins. src/plan/kernel_xpulp.c reckons with the same sizes. */
static inline void plane_fill(const struct ts_conv_tile *t, uint8_t *to, uint32_t pitch, uint32_t plane_bytes,
                              uint32_t channel, uint32_t first, uint32_t rows) {
    uint32_t needed = (rows - 1u) * t->stride_h + t->k_h;
    int32_t top = (int32_t)(first * t->stride_h) - t->pad_top;
    uint32_t above = top < 0 ? (uint32_t)-top : 0, start = top < 0 ? 0 : (uint32_t)top;
    above = above < needed ? above : needed;
    uint32_t left = start < t->x_h ? t->x_h - start : 0, quads = (t->x_w + 3u) / 4u;
    uint32_t inside = needed - above < left ? needed - above : left;
    uint32_t zeros = (uint32_t)(uint8_t)t->x_zero * 0x01010101u;
    dw_fill_planes(to, plane_bytes, needed + 1u, pitch, zeros);
    for (uint32_t row = 0; row < needed; row++) {
        if (row < above || row >= above + inside) {
            dw_fill_planes(to + 4u + row * pitch, plane_bytes, quads, 4u, zeros);
        }
    }
    struct dw_planes planes = {.x = (const uint8_t *)t->x + start * t->x_row_bytes + channel,
                               .pixel_bytes = t->x_c,
                               .skip = (int32_t)(t->x_row_bytes - quads * 4u * t->x_c),
                               .rows = inside,
                               .quads = quads,
                               .planes = to + 4u + above * pitch,
                               .plane_bytes = plane_bytes,
                               .edge = (int32_t)t->x_w - (int32_t)(quads * 4u),
                               .zero = zeros};
    if (inside > 0) {
        dw_transpose(&planes);
        if (t->x_w % 4u != 0 && t->pad_right > 1u) {
            plane_fill_ends(&planes, pitch, t->x_w);
        }
    }
}

#endif
