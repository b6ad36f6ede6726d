/* Strips of rows of four channels, gathered into planes of 16 bits with their padding: what depthwise
 * convolutions compute from. */
#ifndef TS_KERNELS_ARMV7EM_DW_STRIP_H
#define TS_KERNELS_ARMV7EM_DW_STRIP_H

#include "kernels/armv7em/armv7em.h"

/* As dw_gather.S reads it. */
struct armv7em_gather {
    uint32_t rows, pairs, odd, x_c, plane_bytes;
    int32_t from_step, to_step;
};

void armv7em_gather_u8(uint16_t *to, const uint8_t *from, struct armv7em_gather *g);
void armv7em_gather_s8(uint16_t *to, const uint8_t *from, struct armv7em_gather *g);

enum { AT_ONCE = 4 };

/* The planes of a strip of rows. Their border columns hold the zero point from the beginning on. */
struct strip {
    const struct ts_conv_tile *t;
    uint16_t *planes;
    uint32_t pitch, plane; /* of a row and of a plane, in values */
    uint32_t columns;      /* of the map, behind pad_left */
    int32_t first;         /* row of the map at the planes' first; may lie above it */
    uint32_t begin, end;   /* the planes' rows that lie on the map */
};

static inline void fill(uint16_t *to, int32_t value, uint32_t n) {
    for (uint32_t i = 0; i < n; i++) {
        to[i] = (uint16_t)value;
    }
}

/* Sets up the strip of `rows` rows from row `first` of the map on; those outside of it hold the zero point,
 * in the planes of all channels. */
static inline void begin_strip(struct strip *s, int32_t first, uint32_t rows) {
    const struct ts_conv_tile *t = s->t;
    int32_t end = t->x_h - first < (int32_t)rows ? t->x_h - first : (int32_t)rows;
    s->first = first;
    s->begin = first < 0 ? (uint32_t)-first : 0;
    s->begin = s->begin < rows ? s->begin : rows;
    s->end = end > (int32_t)s->begin ? (uint32_t)end : s->begin;
    for (uint32_t i = 0; i < AT_ONCE; i++) {
        uint16_t *plane = s->planes + i * s->plane;
        fill(plane, t->x_zero, s->begin * s->pitch);
        fill(plane + s->end * s->pitch, t->x_zero, (rows - s->end) * s->pitch);
    }
}

/* Channel c alone: where fewer than four are left. */
static inline void gather_one(const struct strip *s, uint16_t *to, const uint8_t *from) {
    const struct ts_conv_tile *t = s->t;
    for (uint32_t r = s->begin; r < s->end; r++, to += s->pitch, from += t->x_row_bytes) {
        for (uint32_t i = 0; i < s->columns; i++) {
            uint8_t value = from[i * t->x_c];
            to[i] = t->x_type == TS_ELEM_S8 ? (uint16_t)(int8_t)value : value;
        }
    }
}

static inline void gather(const struct strip *s, uint32_t c, uint32_t channels) {
    const struct ts_conv_tile *t = s->t;
    uint16_t *to = s->planes + s->begin * s->pitch + t->pad_left;
    const uint8_t *from =
        (const uint8_t *)t->x + (uint32_t)(s->first + (int32_t)s->begin) * t->x_row_bytes + c;
    if (s->begin == s->end) {
        return;
    }
    if (channels < AT_ONCE) {
        gather_one(s, to, from);
        return;
    }
    uint32_t even = s->columns / 2u * 2u;
    struct armv7em_gather g = {s->end - s->begin,
                               even / 2u,
                               s->columns % 2u,
                               t->x_c,
                               2u * s->plane,
                               (int32_t)(t->x_row_bytes - even * t->x_c),
                               (int32_t)(2u * (s->pitch - even))};
    (t->x_type == TS_ELEM_S8 ? armv7em_gather_s8 : armv7em_gather_u8)(to, from, &g);
}

/* Output rows of a strip: four planes in a share of x's bytes, within 1 and 4 KiB. The planner counts the
 * same (src/plan/kernel_armv7em.c). */
static inline uint32_t strip_rows(const struct ts_conv_tile *t, uint32_t pitch) {
    uint32_t stride = t->stride_h, room = (uint32_t)t->x_h * t->x_w * t->y_c / (stride == 2 ? 6u : 8u);
    room = room < 1024u ? 1024u : room > 4096u ? 4096u : room;
    uint32_t most = room / (AT_ONCE * 2u * pitch), k = t->k_h;
    uint32_t rows = most < k + stride ? 1u : (most - k) / stride + 1u;
    return rows < t->y_h ? rows : t->y_h;
}

/* The planes, full of the zero point. */
static inline struct strip new_strip(const struct ts_conv_tile *t, uint32_t pitch, uint32_t rows) {
    struct strip s = {.t = t, .planes = (uint16_t *)t->scratch, .pitch = pitch};
    s.plane = pitch * ((rows - 1u) * t->stride_h + t->k_h);
    s.columns = pitch - t->pad_left < t->x_w ? pitch - t->pad_left : t->x_w;
    fill(s.planes, t->x_zero, AT_ONCE * s.plane);
    return s;
}

#endif
