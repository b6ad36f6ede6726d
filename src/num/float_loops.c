/* The loops that take the time. The innermost run over output channels, side by side in memory. */
#include <math.h>
#include <string.h>

#include "num/float_internal.h"

TS__WIDE static void rows4(const float *restrict a, size_t stride, const float *restrict b, float *restrict c,
                           uint32_t inner, uint32_t columns) {
    for (uint32_t j0 = 0; j0 < columns; j0 += 16) {
        uint32_t width = columns - j0 < 16 ? columns - j0 : 16;
        float sum[4][16];
        for (uint32_t r = 0; r < 4; r++) {
            memset(sum[r], 0, sizeof sum[r]);
            memcpy(sum[r], c + r * columns + j0, width * sizeof(float));
        }
        if (width == 16) {
            for (uint32_t k = 0; k < inner; k++) {
                const float *row = b + (size_t)k * columns + j0;
                for (uint32_t j = 0; j < 16; j++) {
                    sum[0][j] += a[k] * row[j];
                    sum[1][j] += a[stride + k] * row[j];
                    sum[2][j] += a[2 * stride + k] * row[j];
                    sum[3][j] += a[3 * stride + k] * row[j];
                }
            }
        } else {
            for (uint32_t k = 0; k < inner; k++) {
                const float *row = b + (size_t)k * columns + j0;
                for (uint32_t r = 0; r < 4; r++) {
                    float v = a[r * stride + k];
                    for (uint32_t j = 0; j < width; j++) {
                        sum[r][j] += v * row[j];
                    }
                }
            }
        }
        for (uint32_t r = 0; r < 4; r++) {
            memcpy(c + r * columns + j0, sum[r], width * sizeof(float));
        }
    }
}

TS__WIDE static void row1(const float *restrict a, const float *restrict b, float *restrict c, uint32_t inner,
                          uint32_t columns) {
    for (uint32_t k = 0; k < inner; k++) {
        const float *row = b + (size_t)k * columns;
        for (uint32_t j = 0; j < columns; j++) {
            c[j] += a[k] * row[j];
        }
    }
}

void ts__gemm_f32(const float *a, const float *b, float *c, uint32_t rows, uint32_t inner, uint32_t columns) {
    uint32_t r = 0;
    for (; r + 4 <= rows; r += 4) {
        rows4(a + (size_t)r * inner, inner, b, c + (size_t)r * columns, inner, columns);
    }
    for (; r < rows; r++) {
        row1(a + (size_t)r * inner, b, c + (size_t)r * columns, inner, columns);
    }
}

/* The inputs of one output pixel, {kh, kw, channels} from channel `first` on; zeros in the padding. */
static void gather(const ts__plane *p, const float *x, uint32_t oy, uint32_t ox, uint32_t first,
                   uint32_t channels, float *patch) {
    const ts_window *k = &p->window;
    for (uint32_t ky = 0; ky < k->kernel_h; ky++) {
        int64_t y = ts__tap(oy, k->stride_h, ky, k->dilation_h, k->pad_top, p->h);
        for (uint32_t kx = 0; kx < k->kernel_w; kx++, patch += channels) {
            int64_t xx = ts__tap(ox, k->stride_w, kx, k->dilation_w, k->pad_left, p->w);
            if (y < 0 || xx < 0) {
                memset(patch, 0, channels * sizeof *patch);
            } else {
                memcpy(patch, x + ((size_t)y * p->w + (size_t)xx) * p->c + first, channels * sizeof *patch);
            }
        }
    }
}

static void start(float *out, const float *bias, uint32_t channels) {
    if (bias != NULL) {
        memcpy(out, bias, channels * sizeof *out);
    } else {
        memset(out, 0, channels * sizeof *out);
    }
}

static void conv_dense(const ts__plane *p, const float *x, const float *weights, const float *bias,
                       float *patch, float *out) {
    uint32_t inner = p->window.kernel_h * p->window.kernel_w * p->c, pixels = p->out_h * p->out_w;
    for (uint32_t i = 0; i < pixels; i += 4) {
        uint32_t rows = pixels - i < 4 ? pixels - i : 4;
        for (uint32_t r = 0; r < rows; r++) {
            gather(p, x, (i + r) / p->out_w, (i + r) % p->out_w, 0, p->c, patch + (size_t)r * inner);
            start(out + (size_t)(i + r) * p->out_c, bias, p->out_c);
        }
        ts__gemm_f32(patch, weights, out + (size_t)i * p->out_c, rows, inner, p->out_c);
    }
}

TS__WIDE static void multiply_add(const float *restrict x, const float *restrict w, float *restrict out,
                                  uint32_t n) {
    for (uint32_t c = 0; c < n; c++) {
        out[c] += x[c] * w[c];
    }
}

static void conv_depthwise(const ts__plane *p, const float *x, const float *weights, const float *bias,
                           float *out) {
    const ts_window *k = &p->window;
    for (uint32_t oy = 0; oy < p->out_h; oy++) {
        for (uint32_t ox = 0; ox < p->out_w; ox++, out += p->c) {
            start(out, bias, p->c);
            for (uint32_t t = 0; t < k->kernel_h * k->kernel_w; t++) {
                int64_t y = ts__tap(oy, k->stride_h, t / k->kernel_w, k->dilation_h, k->pad_top, p->h);
                int64_t xx = ts__tap(ox, k->stride_w, t % k->kernel_w, k->dilation_w, k->pad_left, p->w);
                if (y >= 0 && xx >= 0) {
                    multiply_add(x + ((size_t)y * p->w + (size_t)xx) * p->c, weights + (size_t)t * p->c, out,
                                 p->c);
                }
            }
        }
    }
}

static void conv_grouped(const ts__plane *p, const float *x, const float *weights, const float *bias,
                         float *patch, float *out) {
    uint32_t in_group = p->c / p->groups, out_group = p->out_c / p->groups;
    uint32_t inner = p->window.kernel_h * p->window.kernel_w * in_group;
    for (uint32_t i = 0; i < p->out_h * p->out_w; i++, out += p->out_c) {
        start(out, bias, p->out_c);
        for (uint32_t g = 0; g < p->groups; g++) {
            gather(p, x, i / p->out_w, i % p->out_w, g * in_group, in_group, patch);
            for (uint32_t k = 0; k < inner; k++) {
                for (uint32_t c = 0; c < out_group; c++) {
                    out[g * out_group + c] += patch[k] * weights[(size_t)k * p->out_c + g * out_group + c];
                }
            }
        }
    }
}

void ts__conv_f32(const ts__plane *plane, const float *x, const float *weights, const float *bias,
                  float *patch, float *out) {
    if (plane->groups == 1) {
        conv_dense(plane, x, weights, bias, patch, out);
    } else if (plane->groups == plane->c && plane->c == plane->out_c) {
        conv_depthwise(plane, x, weights, bias, out);
    } else {
        conv_grouped(plane, x, weights, bias, patch, out);
    }
}

void ts__max_pool_f32(const ts__plane *p, const float *x, float *out) {
    const ts_window *k = &p->window;
    for (uint32_t i = 0; i < p->out_h * p->out_w; i++, out += p->c) {
        for (uint32_t c = 0; c < p->c; c++) {
            out[c] = -INFINITY;
        }
        for (uint32_t t = 0; t < k->kernel_h * k->kernel_w; t++) {
            int64_t y = ts__tap(i / p->out_w, k->stride_h, t / k->kernel_w, k->dilation_h, k->pad_top, p->h);
            int64_t xx =
                ts__tap(i % p->out_w, k->stride_w, t % k->kernel_w, k->dilation_w, k->pad_left, p->w);
            for (uint32_t c = 0; y >= 0 && xx >= 0 && c < p->c; c++) {
                float v = x[((size_t)y * p->w + (size_t)xx) * p->c + c];
                out[c] = v > out[c] ? v : out[c];
            }
        }
    }
}

void ts__avg_pool_f32(const ts__plane *p, const float *x, bool count_pad, float *out) {
    const ts_window *k = &p->window;
    for (uint32_t i = 0; i < p->out_h * p->out_w; i++, out += p->c) {
        uint32_t inside = 0;
        memset(out, 0, p->c * sizeof *out);
        for (uint32_t t = 0; t < k->kernel_h * k->kernel_w; t++) {
            int64_t y = ts__tap(i / p->out_w, k->stride_h, t / k->kernel_w, k->dilation_h, k->pad_top, p->h);
            int64_t xx =
                ts__tap(i % p->out_w, k->stride_w, t % k->kernel_w, k->dilation_w, k->pad_left, p->w);
            inside += y >= 0 && xx >= 0;
            for (uint32_t c = 0; y >= 0 && xx >= 0 && c < p->c; c++) {
                out[c] += x[((size_t)y * p->w + (size_t)xx) * p->c + c];
            }
        }
        uint32_t divisor = count_pad ? k->kernel_h * k->kernel_w : inside;
        for (uint32_t c = 0; c < p->c; c++) {
            out[c] /= (float)(divisor == 0 ? 1 : divisor);
        }
    }
}
