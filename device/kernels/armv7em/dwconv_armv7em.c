/* Depthwise convolutions of 3x3, stride 1 or 2: a strip of rows of four channels is gathered into planes of
 * 16 bits with their padding (dw_gather.S, 2.1 instructions a value), from which dw_k3.S computes channel by
 * channel. */
#include "kernels/armv7em/armv7em.h"
#include "kernels/kernels.h"

/* As dw_k3.S reads it. */
struct armv7em_dw {
    const uint16_t *x;
    uint32_t pitch; /* bytes */
    uint8_t *y;
    uint32_t y_pixel, y_row, rows, pairs, odd;
    int32_t low, high;
    uint32_t x_row;
};
_Static_assert(sizeof(struct armv7em_dw) == 44, "dw_k3.S knows the offsets");

typedef void dw_fn(const struct armv7em_dw *d, const void *record);
dw_fn armv7em_dw_s1_line_u8, armv7em_dw_s1_line_s8, armv7em_dw_s1_line_any;
dw_fn armv7em_dw_s1_tflite_u8, armv7em_dw_s1_tflite_s8, armv7em_dw_s1_tflite_any;
dw_fn armv7em_dw_s2_line_u8, armv7em_dw_s2_line_s8, armv7em_dw_s2_line_any;
dw_fn armv7em_dw_s2_tflite_u8, armv7em_dw_s2_tflite_s8, armv7em_dw_s2_tflite_any;

static dw_fn *const table[2][2][3] = {
    {{armv7em_dw_s1_line_u8, armv7em_dw_s1_line_s8, armv7em_dw_s1_line_any},
     {armv7em_dw_s1_tflite_u8, armv7em_dw_s1_tflite_s8, armv7em_dw_s1_tflite_any}},
    {{armv7em_dw_s2_line_u8, armv7em_dw_s2_line_s8, armv7em_dw_s2_line_any},
     {armv7em_dw_s2_tflite_u8, armv7em_dw_s2_tflite_s8, armv7em_dw_s2_tflite_any}}};

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

static void fill(uint16_t *to, int32_t value, uint32_t n) {
    for (uint32_t i = 0; i < n; i++) {
        to[i] = (uint16_t)value;
    }
}

/* Sets up the strip of `rows` rows from row `first` of the map on; those outside of it hold the zero point,
 * in the planes of all channels. */
static void begin_strip(struct strip *s, int32_t first, uint32_t rows) {
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
static void gather_one(const struct strip *s, uint16_t *to, const uint8_t *from) {
    const struct ts_conv_tile *t = s->t;
    for (uint32_t r = s->begin; r < s->end; r++, to += s->pitch, from += t->x_row_bytes) {
        for (uint32_t i = 0; i < s->columns; i++) {
            uint8_t value = from[i * t->x_c];
            to[i] = t->x_type == TS_ELEM_S8 ? (uint16_t)(int8_t)value : value;
        }
    }
}

static void gather(const struct strip *s, uint32_t c, uint32_t channels) {
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

/* Output rows of a strip: four planes in a share of x's bytes, within 1 and 4 KiB. */
static uint32_t strip_rows(const struct ts_conv_tile *t, uint32_t pitch) {
    uint32_t stride = t->stride_w, room = (uint32_t)t->x_h * t->x_w * t->y_c / (stride == 2 ? 6u : 8u);
    room = room < 1024u ? 1024u : room > 4096u ? 4096u : room;
    uint32_t most = room / (AT_ONCE * 2u * pitch), rows = most < 3u + stride ? 1u : (most - 3u) / stride + 1u;
    return rows < t->y_h ? rows : t->y_h;
}

void dwconv_armv7em_k3(const struct ts_conv_tile *t) {
    uint32_t stride = t->stride_w, pitch = stride * 2u * ((t->y_w + 1u) / 2u) + 2u,
             strip = strip_rows(t, pitch);
    uint32_t clip = t->rq.low == 0 && t->rq.high == 255 ? 0 : t->rq.low == -128 && t->rq.high == 127 ? 1 : 2;
    uint32_t record = 24u + 4u * armv7em_rq_words(&t->rq);
    dw_fn *compute = table[stride - 1u][armv7em_rq_of(&t->rq)][clip];
    struct strip s = {.t = t, .planes = (uint16_t *)t->scratch, .pitch = pitch};
    s.plane = pitch * ((strip - 1u) * stride + 3u);
    s.columns = pitch - t->pad_left < t->x_w ? pitch - t->pad_left : t->x_w;
    struct armv7em_dw d = {.pitch = 2u * pitch,
                           .y_pixel = t->y_pixel_bytes,
                           .y_row = t->y_row_bytes,
                           .pairs = t->y_w / 2u * 4u * stride,
                           .odd = t->y_w % 2u,
                           .low = t->rq.low,
                           .high = t->rq.high,
                           .x_row = 2u * pitch * stride};
    fill(s.planes, t->x_zero, AT_ONCE * s.plane);
    for (uint32_t oy = 0; oy < t->y_h; oy += strip) {
        const uint8_t *w = (const uint8_t *)t->w;
        d.rows = t->y_h - oy < strip ? t->y_h - oy : strip;
        begin_strip(&s, (int32_t)(oy * stride) - t->pad_top, (d.rows - 1u) * stride + 3u);
        for (uint32_t c = 0, channels; c < t->y_c; c += channels) {
            channels = t->y_c - c < AT_ONCE ? 1u : AT_ONCE;
            gather(&s, c, channels);
            for (uint32_t i = 0; i < channels; i++, w += record) {
                d.x = s.planes + i * s.plane;
                d.y = (uint8_t *)t->y + oy * t->y_row_bytes + c + i;
                compute(&d, w);
            }
        }
    }
}
