/* Depthwise convolutions of 3x3, stride 1 or 2: a strip of rows of four channels is gathered into planes of
 * 16 bits with their padding (dw_gather.S, 2.1 instructions a value), from which dw_k3.S computes channel by
 * channel. */
#include "kernels/armv7em/dw_strip.h"
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

void dwconv_armv7em_k3(const struct ts_conv_tile *t) {
    uint32_t stride = t->stride_w, pitch = stride * 2u * ((t->y_w + 1u) / 2u) + 2u,
             strip = strip_rows(t, pitch);
    uint32_t clip = t->rq.low == 0 && t->rq.high == 255 ? 0 : t->rq.low == -128 && t->rq.high == 127 ? 1 : 2;
    uint32_t record = 24u + 4u * armv7em_rq_words(&t->rq);
    dw_fn *compute = table[stride - 1u][armv7em_rq_of(&t->rq)][clip];
    struct strip s = new_strip(t, pitch, strip);
    struct armv7em_dw d = {.pitch = 2u * pitch,
                           .y_pixel = t->y_pixel_bytes,
                           .y_row = t->y_row_bytes,
                           .pairs = t->y_w / 2u * 4u * stride,
                           .odd = t->y_w % 2u,
                           .low = t->rq.low,
                           .high = t->rq.high,
                           .x_row = 2u * pitch * stride};
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
