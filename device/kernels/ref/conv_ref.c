/* Convolution of any kernel, stride, dilation, padding, groups and element types; depthwise convolutions and
 * linear layers are special cases of it. */
#include "kernels/kernels.h"
#include "kernels/ref/ref.h"

/* Sum of w * (x - zero) over `n` consecutive elements; x begins at element `x_first` and w at `w_first`. */
static int32_t dot(const struct ts_conv_tile *t, const uint8_t *x, uint32_t x_first, const void *w,
                   uint32_t w_first, uint32_t n) {
    int32_t acc = 0;
    if (t->x_type == TS_ELEM_U8 && t->w_type == TS_ELEM_S8) {
        const int8_t *weight = (const int8_t *)w + w_first;
        const uint8_t *value = x + x_first;
        const int32_t x_zero = t->x_zero, w_zero = t->w_zero;
        for (uint32_t i = 0; i < n; i++) {
            acc += (weight[i] - w_zero) * (value[i] - x_zero);
        }
        return acc;
    }
    for (uint32_t i = 0; i < n; i++) {
        acc += (ref_get(w, w_first + i, t->w_type) - t->w_zero) *
               (ref_get(x, x_first + i, t->x_type) - t->x_zero);
    }
    return acc;
}

/* The window of one input channel of bytes: what a depthwise convolution is made of, without a call a tap. */
static int32_t plane(const struct ts_conv_tile *t, uint32_t oy, uint32_t ox, uint32_t channel,
                     const int8_t *w) {
    int32_t acc = 0, row = (int32_t)(oy * t->stride_h) - t->pad_top, pixel_bytes = t->x_c;
    for (uint32_t ky = 0; ky < t->k_h; ky++, row += t->dilation_h, w += t->k_w) {
        if (row < 0 || row >= t->x_h) {
            continue;
        }
        const uint8_t *x = (const uint8_t *)t->x + (uint32_t)row * t->x_row_bytes + channel;
        int32_t column = (int32_t)(ox * t->stride_w) - t->pad_left;
        for (uint32_t kx = 0; kx < t->k_w; kx++, column += t->dilation_w) {
            if (column >= 0 && column < t->x_w) {
                acc += (w[kx] - t->w_zero) * (x[column * pixel_bytes] - t->x_zero);
            }
        }
    }
    return acc;
}

/* Weights of 16 bits: the sum may pass 32 bits, where the requantisation is S64 and takes it whole. */
static int32_t wide_channel(const struct ts_conv_tile *t, uint32_t oy, uint32_t ox, uint32_t first,
                            const int32_t *params, const int16_t *w) {
    uint32_t in = t->x_c / t->groups;
    int64_t acc = 0;
    for (uint32_t ky = 0; ky < t->k_h; ky++) {
        for (uint32_t kx = 0; kx < t->k_w; kx++, w += in) {
            const uint8_t *x = ref_pixel(t, oy, ox, ky, kx);
            for (uint32_t i = 0; x != 0 && i < in; i++) {
                acc += (int64_t)w[i] * (ref_get(x, first + i, t->x_type) - t->x_zero);
            }
        }
    }
    return t->rq.kind == TS_RQ_S64 ? ref_requant_wide(&t->rq, params, acc)
                                   : ref_requant(&t->rq, params, (int32_t)acc);
}

static int32_t conv_channel(const struct ts_conv_tile *t, uint32_t oy, uint32_t ox, uint32_t oc) {
    uint32_t in = t->x_c / t->groups, first = oc / (t->y_c / t->groups) * in;
    uint32_t params_bytes = ref_params_bytes(t->rq.kind);
    uint32_t weights_bytes = (t->k_h * t->k_w * in * ref_bits(t->w_type) + 7u) / 8u;
    const uint8_t *record = (const uint8_t *)t->w + oc * (params_bytes + ((weights_bytes + 3u) & ~3u));
    const void *weights = record + params_bytes;
    int32_t acc = 0;
    if (t->w_type == TS_ELEM_S16) {
        return wide_channel(t, oy, ox, first, (const int32_t *)(const void *)record,
                            (const int16_t *)weights);
    }
    if (in == 1 && t->x_type == TS_ELEM_U8 && t->w_type == TS_ELEM_S8) {
        acc = plane(t, oy, ox, first, (const int8_t *)weights);
        return ref_requant(&t->rq, (const int32_t *)(const void *)record, acc);
    }
    for (uint32_t ky = 0; ky < t->k_h; ky++) {
        for (uint32_t kx = 0; kx < t->k_w; kx++) {
            const uint8_t *x = ref_pixel(t, oy, ox, ky, kx);
            if (x != 0) {
                acc += dot(t, x, first, weights, (ky * t->k_w + kx) * in, in);
            }
        }
    }
    return ref_requant(&t->rq, (const int32_t *)(const void *)record, acc);
}

void conv_ref(const struct ts_conv_tile *tile) { ref_each_output(tile, conv_channel); }
