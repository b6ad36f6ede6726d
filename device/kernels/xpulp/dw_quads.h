/* Depthwise 3x3 convolution, stride 1 or 2, of a map that lies in quads (kernels/tile.h): a word holds four
 * neighbouring columns of one channel, so nothing has to be transposed. Each channel is convolved in strips 4
 * outputs wide that slide down (dw_quads_s1.S, dw_quads_s2.S). Cores share (channel group, part of the rows)
 * items, or single channels instead of groups of 4; nobody waits for another, and there is no scratch.
 *
 * Packed weights are those of dw_block.h. */
#ifndef TS_KERNELS_XPULP_DW_QUADS_H
#define TS_KERNELS_XPULP_DW_QUADS_H

#include "kernels/xpulp/xpulp.h"

enum { QUAD = 4, DW_QUADS_WEIGHT_BYTES = 12, DW_QUADS_PARTS = 4 };

/* Read and written by the routines: order and sizes are theirs (dw_quads.inc). */
struct dw_quads {
    const uint8_t *x; /* word of the channel's first quad in the first row that exists */
    uint8_t *y;
    const uint8_t *w;
    uint32_t quad, pitch;    /* bytes from a quad to the one beside and to the one below it */
    uint32_t pixel;          /* of y */
    int32_t row;             /* from the last pixel of a strip's row to its next row */
    int32_t middles;         /* strips with a neighbour on either side; -1: one strip that has none */
    uint32_t passes, entry;  /* of the unrolled row loop: rounds, and the step that the first begins with */
    uint32_t top, bottom;    /* is there padding above and below? */
    int32_t x_back, y_strip; /* from the end of a strip: x to its first row, y to the next strip */
    uint32_t x_pixel, channels; /* channels left of the unit */
    uint32_t units;             /* that the call computes: groups of `unit` channels, 4 or 1 */
    int32_t x_unit, y_unit;     /* from the last channel of a unit to the next unit */
    uint32_t w_unit;
    uint32_t shift, split;
    int32_t acc_high;
    uint32_t unit;
    uint32_t saved[16];
};

typedef void dw_quads_routine(struct dw_quads *arguments);

/* A family's routines by requantisation: bytes of all of u8 or s8. */
#define DW_QUADS_NAMES(prefix) \
    prefix##_s32_u8, prefix##_s32_s8, prefix##_s32c_u8, prefix##_s32c_s8, prefix##_s32d_u8, prefix##_s32d_s8
#define DW_QUADS_ENTRY(kind, end, routine) \
    [(kind) > 2 ? 4 + (end) : 2 * ((kind)-1) + (end)] = XPULP_USED(kind, end) != 0 ? routine : 0
#define DW_QUADS_TABLE(prefix)                                                              \
    {                                                                                       \
        DW_QUADS_ENTRY(1, 0, prefix##_s32_u8), DW_QUADS_ENTRY(1, 1, prefix##_s32_s8),       \
            DW_QUADS_ENTRY(2, 0, prefix##_s32c_u8), DW_QUADS_ENTRY(2, 1, prefix##_s32c_s8), \
            DW_QUADS_ENTRY(5, 0, prefix##_s32d_u8), DW_QUADS_ENTRY(5, 1, prefix##_s32d_s8)  \
    }
enum { DW_QUADS_MODES = 6 };

static inline uint32_t dw_quads_mode(const struct ts_conv_tile *t) {
    uint32_t kind = t->rq.kind == TS_RQ_S32 ? 0 : t->rq.kind == TS_RQ_S32C ? 2 : 4;
    return kind + (t->y_type == TS_ELEM_S8 ? 1u : 0u);
}

/* n / parts, without a division. */
static inline uint32_t dw_quads_share(uint32_t n, uint32_t parts) {
    switch (parts) {
        case 1:
            return n;
        case 2:
            return n / 2u;
        case 3:
            return n / 3u;
        default:
            return n / 4u;
    }
}

/* Channels that a core takes at a time. Groups of 4 meet no other core's banks; single channels are shared
 * more evenly. src/plan/kernel_xpulp.c reckons with the same. */
static inline uint32_t dw_quads_unit(uint32_t channels) {
    return channels % (ts_cores() * QUAD) == 0 || ts_cores() % QUAD != 0 ? QUAD : 1u;
}

/* Into how many parts the rows are cut where units alone do not keep the cores equally busy; a part costs its
 * rows and about one more. */
static inline uint32_t dw_quads_parts(uint32_t units, uint32_t rows) {
    uint32_t best = 1, least = UINT32_MAX, cores = ts_cores();
    if (units % cores == 0) {
        return 1;
    }
    for (uint32_t parts = 1; parts <= DW_QUADS_PARTS && parts <= rows; parts++) {
        uint32_t part_rows = dw_quads_share(rows + parts - 1u, parts);
        uint32_t cost = (units * parts + cores - 1u) / cores * (part_rows + 1u);
        if (cost < least) {
            least = cost;
            best = parts;
        }
    }
    return best;
}

/* What depends on the rows [first, first + rows) of outputs alone. */
static inline const uint8_t *dw_quads_aim(struct dw_quads *a, const struct ts_conv_tile *t, uint32_t first,
                                          uint32_t rows) {
    uint32_t steps, loaded, looped = rows, stride = t->stride_h;
    a->top = first == 0 && t->pad_top != 0;
    a->bottom = 0;
    if (stride == 1) {
        a->bottom = first + rows == t->y_h && t->pad_bottom != 0;
        looped -= a->bottom;
        loaded = looped + 2u - a->top;
        steps = 3;
    } else {
        loaded = 2u * rows + 1u - a->top;
        steps = 2;
    }
    a->passes = stride == 1 ? (looped + 2u) / 3u : (looped + 1u) / 2u;
    a->entry = looped == 0 ? 3u : a->passes * steps - looped;
    a->x_back = -(int32_t)(loaded * a->pitch);
    a->y_strip = (int32_t)(QUAD * t->y_pixel_bytes) - (int32_t)(rows * t->y_row_bytes);
    uint32_t above = a->top ? 0 : first * stride - t->pad_top;
    return (const uint8_t *)t->x + above * t->x_row_bytes;
}

static inline void dw_quads_setup(struct dw_quads *a, const struct ts_conv_tile *t, uint32_t record) {
    uint32_t others = ts_cores() - 1u;
    int32_t strips = t->y_w / QUAD;
    a->quad = QUAD * (uint32_t)t->x_c;
    a->pitch = t->x_row_bytes;
    a->pixel = t->y_pixel_bytes;
    a->row = (int32_t)t->y_row_bytes - (int32_t)((QUAD - 1u) * t->y_pixel_bytes);
    a->middles = t->stride_h == 1 ? (strips == 1 ? -1 : strips - 2) : strips - 1;
    a->x_pixel = t->x_c;
    a->unit = dw_quads_unit(t->y_c);
    a->x_unit = (int32_t)(ts_cores() * a->unit) - (int32_t)((a->unit - 1u) * t->x_c);
    a->y_unit = (int32_t)(others * a->unit + 1u);
    a->w_unit = others * a->unit * record;
    a->shift = t->rq.shift;
    a->split = t->rq.split;
    a->acc_high = t->rq.acc_high;
}

/* A core takes every n-th unit: neighbouring ones go to neighbouring cores, whose words lie in different
 * banks. */
static inline void dw_quads_run(const struct ts_conv_tile *t, dw_quads_routine *routine) {
    struct dw_quads a;
    uint32_t record = DW_QUADS_WEIGHT_BYTES + ref_params_bytes(t->rq.kind), cores = ts_cores();
    dw_quads_setup(&a, t, record);
    uint32_t units = a.unit == QUAD ? t->y_c / QUAD : t->y_c, parts = dw_quads_parts(units, t->y_h);
    uint32_t part_rows = dw_quads_share(t->y_h + parts - 1u, parts), unit = ts_core();
    for (uint32_t first = 0; first < t->y_h; first += part_rows, unit -= units) {
        if (unit >= units) {
            continue;
        }
        uint32_t left = t->y_h - first, channel = unit * a.unit;
        const uint8_t *x = dw_quads_aim(&a, t, first, left < part_rows ? left : part_rows);
        a.x = x + channel / QUAD * QUAD + channel % QUAD * t->x_c;
        a.y = (uint8_t *)t->y + first * t->y_row_bytes + channel;
        a.w = (const uint8_t *)t->w + channel * record;
        a.channels = a.unit;
        a.units = 0;
        for (; unit < units; unit += cores) {
            a.units++;
        }
        routine(&a);
    }
}

#endif
