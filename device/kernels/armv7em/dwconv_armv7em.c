/* Depthwise convolutions of 3x3, stride 1 or 2: channel by channel. A strip of the channel's rows is gathered
 * into a plane of 16 bits with its padding (about 3.5 instructions a value), from which dw_k3.S computes. */
#include "kernels/armv7em/armv7em.h"
#include "kernels/kernels.h"

/* As dw_k3.S reads it. */
struct armv7em_dw {
    const uint16_t *x;
    uint32_t pitch; /* bytes */
    uint8_t *y;
    uint32_t y_pixel, y_row, rows, pairs, odd;
    int32_t rq[4];
    int32_t low, high;
    uint32_t x_row;
    uint32_t w[6];
};
_Static_assert(sizeof(struct armv7em_dw) == 84, "dw_k3.S knows the offsets");

typedef void dw_fn(const struct armv7em_dw *d);
dw_fn armv7em_dw_s1_line_u8, armv7em_dw_s1_line_s8, armv7em_dw_s1_line_any;
dw_fn armv7em_dw_s1_tflite_u8, armv7em_dw_s1_tflite_s8, armv7em_dw_s1_tflite_any;
dw_fn armv7em_dw_s2_line_u8, armv7em_dw_s2_line_s8, armv7em_dw_s2_line_any;
dw_fn armv7em_dw_s2_tflite_u8, armv7em_dw_s2_tflite_s8, armv7em_dw_s2_tflite_any;

static dw_fn *const table[2][2][3] = {
    {{armv7em_dw_s1_line_u8, armv7em_dw_s1_line_s8, armv7em_dw_s1_line_any},
     {armv7em_dw_s1_tflite_u8, armv7em_dw_s1_tflite_s8, armv7em_dw_s1_tflite_any}},
    {{armv7em_dw_s2_line_u8, armv7em_dw_s2_line_s8, armv7em_dw_s2_line_any},
     {armv7em_dw_s2_tflite_u8, armv7em_dw_s2_tflite_s8, armv7em_dw_s2_tflite_any}}};

void armv7em_gather_u8(uint16_t *to, const uint8_t *from, uint32_t pairs, uint32_t x_c, uint32_t plane_bytes);
void armv7em_gather_s8(uint16_t *to, const uint8_t *from, uint32_t pairs, uint32_t x_c, uint32_t plane_bytes);

enum { AT_ONCE = 4 };

/* The planes of a strip of rows. */
struct strip {
    const struct ts_conv_tile *t;
    uint16_t *planes;
    uint32_t pitch, plane; /* of a row and of a plane, in values */
    uint32_t left, columns;
};

static void fill(uint16_t *to, uint16_t value, uint32_t n) {
    for (uint32_t i = 0; i < n; i++) {
        to[i] = value;
    }
}

/* Columns from `first` on, one by one: the last of an odd number, or channels that are fewer than four. */
static void gather_values(const struct strip *s, uint16_t *to, const uint8_t *from, uint32_t first,
                          uint32_t channels) {
    int is_signed = s->t->x_type == TS_ELEM_S8;
    for (uint32_t i = first; i < s->columns; i++) {
        const uint8_t *pixel = from + i * s->t->x_c;
        for (uint32_t c = 0; c < channels; c++) {
            to[c * s->plane + i] = is_signed ? (uint16_t)(int8_t)pixel[c] : pixel[c];
        }
    }
}

static void gather_row(const struct strip *s, uint16_t *to, const uint8_t *from, uint32_t channels) {
    uint32_t pairs = channels == AT_ONCE ? s->columns / 2u : 0;
    if (pairs > 0) {
        (s->t->x_type == TS_ELEM_S8 ? armv7em_gather_s8 : armv7em_gather_u8)(to, from, pairs, s->t->x_c,
                                                                             2u * s->plane);
    }
    gather_values(s, to, from, 2u * pairs, channels);
}

/* `rows` rows of `channels` channels from c on, from row `first` of the padded map on; what lies outside of
 * the map holds the zero point. */
static void gather_strip(const struct strip *s, int32_t first, uint32_t rows, uint32_t c, uint32_t channels) {
    const struct ts_conv_tile *t = s->t;
    uint16_t zero = (uint16_t)t->x_zero;
    for (uint32_t r = 0; r < rows; r++) {
        int32_t row = first + (int32_t)r;
        uint16_t *to = s->planes + r * s->pitch;
        int outside = row < 0 || row >= t->x_h;
        for (uint32_t i = 0; i < channels; i++) {
            uint16_t *line = to + i * s->plane;
            fill(line, zero, outside ? s->pitch : s->left);
            if (!outside) {
                fill(line + s->left + s->columns, zero, s->pitch - s->left - s->columns);
            }
        }
        if (!outside) {
            gather_row(s, to + s->left, (const uint8_t *)t->x + (uint32_t)row * t->x_row_bytes + c, channels);
        }
    }
}

static void set_channel(struct armv7em_dw *d, const struct ts_conv_tile *t, uint32_t c) {
    uint32_t words = 6u + armv7em_rq_words(&t->rq);
    const uint32_t *w = (const uint32_t *)t->w + c * words;
    const int32_t *p = (const int32_t *)(w + 6);
    int tflite = t->rq.kind == TS_RQ_TFLITE;
    for (uint32_t i = 0; i < 6; i++) {
        d->w[i] = w[i];
    }
    d->rq[0] = tflite ? p[0] : p[1];
    d->rq[1] = p[2];
    d->rq[2] = tflite ? p[1] : p[0];
    d->rq[3] = tflite ? p[3] : 0;
}

/* Output rows of a strip: what an eighth of the output's bytes holds of four planes, within 1 and 4 KiB. */
static uint32_t strip_rows(const struct ts_conv_tile *t, uint32_t pitch) {
    uint32_t room = (uint32_t)t->y_h * t->y_w * t->y_c / 8u, stride = t->stride_w;
    room = room < 1024u ? 1024u : room > 4096u ? 4096u : room;
    uint32_t most = room / (AT_ONCE * 2u * pitch), rows = most < 3u + stride ? 1u : (most - 3u) / stride + 1u;
    return rows < t->y_h ? rows : t->y_h;
}

void dwconv_armv7em_k3(const struct ts_conv_tile *t) {
    uint32_t stride = t->stride_w, pitch = stride * 2u * ((t->y_w + 1u) / 2u) + 2u,
             strip = strip_rows(t, pitch);
    uint32_t clip = t->rq.low == 0 && t->rq.high == 255 ? 0 : t->rq.low == -128 && t->rq.high == 127 ? 1 : 2;
    dw_fn *compute = table[stride - 1u][armv7em_rq_of(&t->rq)][clip];
    struct strip s = {t, (uint16_t *)t->scratch, pitch, pitch * ((strip - 1u) * stride + 3u), t->pad_left, 0};
    s.columns = pitch - s.left < t->x_w ? pitch - s.left : t->x_w;
    struct armv7em_dw d = {.pitch = 2u * pitch,
                           .y_pixel = t->y_pixel_bytes,
                           .y_row = t->y_row_bytes,
                           .pairs = t->y_w / 2u * 4u * stride,
                           .odd = t->y_w % 2u,
                           .low = t->rq.low,
                           .high = t->rq.high,
                           .x_row = 2u * pitch * stride};
    for (uint32_t oy = 0; oy < t->y_h; oy += strip) {
        d.rows = t->y_h - oy < strip ? t->y_h - oy : strip;
        int32_t first = (int32_t)(oy * stride) - t->pad_top;
        for (uint32_t c = 0, channels; c < t->y_c; c += channels) {
            channels = t->y_c - c < AT_ONCE ? 1u : AT_ONCE;
            gather_strip(&s, first, (d.rows - 1u) * stride + 3u, c, channels);
            for (uint32_t i = 0; i < channels; i++) {
                set_channel(&d, t, c + i);
                d.x = s.planes + i * s.plane;
                d.y = (uint8_t *)t->y + oy * t->y_row_bytes + c + i;
                compute(&d);
            }
        }
    }
}
