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

enum { PLANE_BYTES = 2048 }; /* src/plan/kernel_armv7em.c: dw_strip() */

/* Values of one row of the map, x_c bytes apart. */
static inline __attribute__((always_inline)) void gather(uint16_t *to, const uint8_t *from, uint32_t n,
                                                         uint32_t step, int is_signed) {
    for (; n >= 4; n -= 4, to += 4) {
        for (uint32_t i = 0; i < 4; i++, from += step) {
            to[i] = is_signed ? (uint16_t)(int8_t)*from : *from;
        }
    }
    for (; n > 0; n--, from += step) {
        *to++ = is_signed ? (uint16_t)(int8_t)*from : *from;
    }
}

static void fill(uint16_t *to, uint16_t value, uint32_t n) {
    for (uint32_t i = 0; i < n; i++) {
        to[i] = value;
    }
}

/* `rows` rows of channel `c` from row `first` of the padded map on; columns outside hold the zero point. */
static void gather_strip(const struct ts_conv_tile *t, uint16_t *plane, uint32_t pitch, int32_t first,
                         uint32_t rows, uint32_t c) {
    uint16_t zero = (uint16_t)t->x_zero;
    uint32_t left = t->pad_left, columns = pitch - left < t->x_w ? pitch - left : t->x_w;
    for (uint32_t r = 0; r < rows; r++, plane += pitch) {
        int32_t row = first + (int32_t)r;
        if (row < 0 || row >= t->x_h) {
            fill(plane, zero, pitch);
            continue;
        }
        const uint8_t *from = (const uint8_t *)t->x + (uint32_t)row * t->x_row_bytes + c;
        fill(plane, zero, left);
        fill(plane + left + columns, zero, pitch - left - columns);
        if (t->x_type == TS_ELEM_S8) {
            gather(plane + left, from, columns, t->x_c, 1);
        } else {
            gather(plane + left, from, columns, t->x_c, 0);
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

void dwconv_armv7em_k3(const struct ts_conv_tile *t) {
    uint32_t stride = t->stride_w, pairs = t->y_w / 2u;
    uint32_t pitch = stride * 2u * ((t->y_w + 1u) / 2u) + 2u;
    uint32_t most = PLANE_BYTES / (2u * pitch), strip = most < 3u + stride ? 1u : (most - 3u) / stride + 1u;
    uint32_t clip = t->rq.low == 0 && t->rq.high == 255 ? 0 : t->rq.low == -128 && t->rq.high == 127 ? 1 : 2;
    dw_fn *compute = table[stride - 1u][armv7em_rq_of(&t->rq)][clip];
    uint16_t *plane = (uint16_t *)t->scratch;
    struct armv7em_dw d = {.pitch = 2u * pitch,
                           .y_pixel = t->y_pixel_bytes,
                           .y_row = t->y_row_bytes,
                           .pairs = pairs * 4u * stride,
                           .odd = t->y_w % 2u,
                           .low = t->rq.low,
                           .high = t->rq.high,
                           .x_row = 2u * pitch * stride};
    for (uint32_t c = 0; c < t->y_c; c++) {
        set_channel(&d, t, c);
        for (uint32_t oy = 0; oy < t->y_h; oy += d.rows) {
            uint32_t rows = t->y_h - oy < strip ? t->y_h - oy : strip;
            gather_strip(t, plane, pitch, (int32_t)(oy * stride) - t->pad_top, (rows - 1u) * stride + 3u, c);
            d.x = plane;
            d.y = (uint8_t *)t->y + oy * t->y_row_bytes + c;
            d.rows = rows;
            compute(&d);
        }
    }
}
