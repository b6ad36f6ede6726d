#include "num/float_layers.h"

#include <math.h>
#include <string.h>

#include "num/program.h"

typedef struct layer {
    const ts_node *node;
    const ts_tensor *in, *out;
    const int32_t *x;
    const float *weights, *bias; /* bias: NULL where there is none */
    ts_window window;            /* of a linear layer: its whole input */
    uint32_t groups;
} layer;

static float real_of(int32_t bits) {
    float real;
    memcpy(&real, &bits, sizeof real);
    return real;
}

/* The pixel of x under tap (kh, kw) of output (row, column); NULL in the padding. */
static const int32_t *pixel(const layer *l, uint32_t row, uint32_t column, uint32_t kh, uint32_t kw) {
    const ts_window *w = &l->window;
    int64_t h = (int64_t)row * w->stride_h + (int64_t)kh * w->dilation_h - w->pad_top;
    int64_t v = (int64_t)column * w->stride_w + (int64_t)kw * w->dilation_w - w->pad_left;
    if (h < 0 || h >= ts_h(l->in) || v < 0 || v >= ts_w(l->in)) {
        return NULL;
    }
    return l->x + ((uint64_t)h * ts_w(l->in) + (uint64_t)v) * ts_c(l->in);
}

/* Products are summed row by row, column by column, channel by channel; the bias is added last. */
static float weighted_sum(const layer *l, uint32_t row, uint32_t column, uint32_t channel) {
    uint32_t in = ts_c(l->in) / l->groups, first = channel / (ts_c(l->out) / l->groups) * in;
    const float *weights = l->weights + (uint64_t)channel * l->window.kernel_h * l->window.kernel_w * in;
    float sum = 0;
    for (uint32_t kh = 0; kh < l->window.kernel_h; kh++) {
        for (uint32_t kw = 0; kw < l->window.kernel_w; kw++, weights += in) {
            const int32_t *x = pixel(l, row, column, kh, kw);
            for (uint32_t i = 0; x != NULL && i < in; i++) {
                float product = real_of(x[first + i]) * weights[i];
                sum = sum + product;
            }
        }
    }
    return sum + (l->bias != NULL ? l->bias[channel] : 0);
}

static float window_mean(const layer *l, uint32_t row, uint32_t column, uint32_t channel) {
    float sum = 0, count = 0;
    for (uint32_t kh = 0; kh < l->window.kernel_h; kh++) {
        for (uint32_t kw = 0; kw < l->window.kernel_w; kw++) {
            const int32_t *x = pixel(l, row, column, kh, kw);
            sum = x != NULL ? sum + real_of(x[channel]) : sum;
            count = x != NULL ? count + 1 : count;
        }
    }
    return sum / count;
}

static float window_most(const layer *l, uint32_t row, uint32_t column, uint32_t channel) {
    float most = -INFINITY;
    for (uint32_t kh = 0; kh < l->window.kernel_h; kh++) {
        for (uint32_t kw = 0; kw < l->window.kernel_w; kw++) {
            const int32_t *x = pixel(l, row, column, kh, kw);
            float value = x != NULL ? real_of(x[channel]) : most;
            most = value > most ? value : most;
        }
    }
    return most;
}

static float value_of(const layer *l, uint32_t row, uint32_t column, uint32_t channel) {
    switch (l->node->op) {
        case TS_OP_MAX_POOL:
            return window_most(l, row, column, channel);
        case TS_OP_AVG_POOL:
            return window_mean(l, row, column, channel);
        default:
            return weighted_sum(l, row, column, channel);
    }
}

void ts__float_layer_run(const ts_graph *graph, const ts_node *node, const int32_t *x, int32_t *y) {
    const ts_tensor *in = &graph->tensors.data[node->inputs[0]];
    layer l = {.node = node,
               .in = in,
               .out = &graph->tensors.data[node->output],
               .x = x,
               .window = node->window,
               .groups = node->op == TS_OP_CONV ? node->groups : 1};
    if (node->op == TS_OP_LINEAR) {
        l.window = (ts_window){.kernel_h = ts_h(in),
                               .kernel_w = ts_w(in),
                               .stride_h = 1,
                               .stride_w = 1,
                               .dilation_h = 1,
                               .dilation_w = 1};
    }
    if (node->op == TS_OP_CONV || node->op == TS_OP_LINEAR) {
        l.weights = graph->tensors.data[node->weights].data;
        l.bias = node->bias == TS_NONE ? NULL : graph->tensors.data[node->bias].data;
    }
    for (uint32_t row = 0; row < ts_h(l.out); row++) {
        for (uint32_t column = 0; column < ts_w(l.out); column++) {
            for (uint32_t c = 0; c < ts_c(l.out); c++) {
                *y++ = ts_exact_bits(value_of(&l, row, column, c));
            }
        }
    }
}
