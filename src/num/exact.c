#include "num/exact.h"

#include <math.h>

#include "num/float_internal.h"

bool ts_exact(const ts_fnode *node) { return node->unit > 0 && node->op != TS_FOP_REQUANT; }

float ts_exact_round(const ts_fnode *node, double sum) {
    double factor = node->op == TS_FOP_AVG_POOL ? (double)node->alpha : 1;
    return (float)(node->scale * floor((factor * (sum / node->unit) + node->offset) / node->divisor));
}

ts_exact_shape ts_exact_shape_of(const ts_fgraph *graph, const ts_fnode *node) {
    const ts_ftensor *x = &graph->tensors.data[node->inputs[0]], *y = &graph->tensors.data[node->output];
    ts_exact_shape shape = {.h = 1, .w = 1, .out_h = 1, .out_w = 1, .groups = 1};
    shape.window = (ts_window){1, 1, 1, 1, 1, 1, 0, 0, 0, 0};
    shape.c = x->dims[x->rank - 1];
    shape.out_c = y->dims[y->rank - 1];
    if (node->op != TS_FOP_GEMM) {
        TS_ASSERT(x->rank == 4, "exact sums are over planes");
        shape.h = x->dims[1];
        shape.w = x->dims[2];
        shape.out_h = y->dims[1];
        shape.out_w = y->dims[2];
        shape.groups = node->op == TS_FOP_CONV ? node->groups : 1;
        shape.window = node->window;
    }
    return shape;
}

static uint32_t inner_of(const ts_exact_shape *s) {
    return s->window.kernel_h * s->window.kernel_w * (s->c / s->groups);
}

uint64_t ts_exact_room(const ts_exact_shape *shape) { return ((uint64_t)inner_of(shape) + 1) * shape->out_c; }

/* sums[o] += x times row[o], row after row: four of them together, so that sums are loaded and stored less.
 */
TS__WIDE static void add_rows(const float *restrict x, uint32_t rows, const double *restrict row,
                              size_t stride, double *restrict sums, uint32_t count) {
    uint32_t k = 0;
    for (; k + 4 <= rows; k += 4, row += 4 * stride) {
        double a = (double)x[k], b = (double)x[k + 1], c = (double)x[k + 2], d = (double)x[k + 3];
        for (uint32_t o = 0; o < count; o++) {
            sums[o] +=
                (a * row[o] + b * row[stride + o]) + (c * row[2 * stride + o] + d * row[3 * stride + o]);
        }
    }
    for (; k < rows; k++, row += stride) {
        double a = (double)x[k];
        for (uint32_t o = 0; o < count; o++) {
            sums[o] += a * row[o];
        }
    }
}

/* One pixel of the input under tap `t` of the window: all products that it has a part in. */
static void add_pixel(const ts_exact_shape *s, const float *x, uint32_t t, const double *weights,
                      double *sums) {
    uint32_t in = s->c / s->groups, out = s->out_c / s->groups;
    for (uint32_t g = 0; g < s->groups; g++) {
        add_rows(x + (size_t)g * in, in, weights + (size_t)t * in * s->out_c + (size_t)g * out, s->out_c,
                 sums + (size_t)g * out, out);
    }
}

/* The sums of output pixel (oy, ox) without their bias. */
static void sum_pixel(const ts_exact_shape *s, const float *x, uint32_t oy, uint32_t ox,
                      const double *weights, double *sums) {
    const ts_window *k = &s->window;
    for (uint32_t o = 0; o < s->out_c; o++) {
        sums[o] = 0;
    }
    for (uint32_t t = 0; t < k->kernel_h * k->kernel_w; t++) {
        int64_t y = ts__tap(oy, k->stride_h, t / k->kernel_w, k->dilation_h, k->pad_top, s->h);
        int64_t xx = ts__tap(ox, k->stride_w, t % k->kernel_w, k->dilation_w, k->pad_left, s->w);
        if (y >= 0 && xx >= 0) {
            add_pixel(s, x + ((size_t)y * s->w + (size_t)xx) * s->c, t, weights, sums);
        }
    }
}

/* ts_exact_round() of sums of products and their biases; units and divisors are powers of two. */
TS__WIDE static void round_row(const double *restrict sums, const float *restrict bias, double inverse,
                               double scale, float *restrict y, uint32_t count) {
    for (uint32_t o = 0; o < count; o++) {
        y[o] = (float)(scale * floor((sums[o] + (bias == NULL ? 0 : (double)bias[o])) * inverse));
    }
}

void ts_exact_conv(const ts_fnode *node, const ts_exact_shape *shape, uint32_t samples, const float *x,
                   const float *weights, const float *bias, double *room, float *y) {
    uint32_t inner = inner_of(shape), channels = shape->out_c;
    double *sums = room + (size_t)inner * channels;
    for (uint32_t o = 0; o < channels; o++) {
        for (uint32_t k = 0; k < inner; k++) {
            room[(size_t)k * channels + o] = (double)weights[(size_t)o * inner + k];
        }
    }
    for (uint32_t n = 0; n < samples; n++, x += (size_t)shape->h * shape->w * shape->c) {
        for (uint32_t i = 0; i < shape->out_h * shape->out_w; i++, y += channels) {
            sum_pixel(shape, x, i / shape->out_w, i % shape->out_w, room, sums);
            round_row(sums, bias, 1 / (node->unit * node->divisor), node->scale, y, channels);
        }
    }
}

void ts_exact_pool(const ts_fnode *node, const ts_exact_shape *shape, uint32_t samples, const float *x,
                   float *y) {
    const ts_window *k = &shape->window;
    uint32_t pixels = shape->out_h * shape->out_w, elements = shape->h * shape->w * shape->c;
    for (uint64_t i = 0; i < (uint64_t)samples * pixels * shape->c; i++) {
        uint32_t c = (uint32_t)(i % shape->c), pixel = (uint32_t)(i / shape->c % pixels);
        const float *from = x + i / shape->c / pixels * elements + c;
        double sum = 0;
        for (uint32_t t = 0; t < k->kernel_h * k->kernel_w; t++) {
            int64_t yy = ts__tap(pixel / shape->out_w, k->stride_h, t / k->kernel_w, k->dilation_h,
                                 k->pad_top, shape->h);
            int64_t xx = ts__tap(pixel % shape->out_w, k->stride_w, t % k->kernel_w, k->dilation_w,
                                 k->pad_left, shape->w);
            if (yy >= 0 && xx >= 0) {
                sum += (double)from[((size_t)yy * shape->w + (size_t)xx) * shape->c];
            }
        }
        y[i] = ts_exact_round(node, sum);
    }
}

bool ts_exact_in_float(double unit, const float *x, uint64_t count, const float *weights, const float *bias,
                       uint64_t rows, uint64_t inner) {
    float top = 0.0f;
    for (uint64_t i = 0; i < count; i++) {
        float size = x[i] < 0.0f ? -x[i] : x[i];
        top = size > top ? size : top;
    }
    double most = 0;
    for (uint64_t r = 0; r < rows; r++) {
        double sum = 0;
        for (uint64_t k = 0; k < inner; k++) {
            sum += fabs((double)weights[r * inner + k]);
        }
        sum = sum * (double)top + (bias == NULL ? 0 : fabs((double)bias[r]));
        most = sum > most ? sum : most;
    }
    return most < 0x1p24 * unit;
}
