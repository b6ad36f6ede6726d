/* The integer interpreter: one function an operator, each a formula of docs/arithmetic.md.
 *
 * A window is gathered into a patch of x - zx (padding: 0) in kh, kw, channel order, which is also
 * the order of a row of the weights; a convolution is then one dot product an output. */
#include "num/integer.h"

#include <string.h>

#include "base/fixed_point.h"
#include "num/float_layers.h"
#include "num/program.h"

typedef struct layer {
    const ts_graph *graph;
    const ts_node *node;
    const ts_tensor *in, *out;
    const int32_t *x;
    int32_t *y;
    int32_t x_zero;
    int32_t *patch, *weights;
    ts_diags *diags;
} layer;

/* Requantises the accumulator of output element `index`, channel `channel`, and stores it. */
static ts_status put(const layer *l, uint64_t index, uint32_t channel, int64_t acc) {
    const ts_node *node = l->node;
    bool wide = ts_node_is_wide(l->graph, node);
    if (acc < (wide ? -TS_WIDE_ACC : INT32_MIN) || acc > (wide ? TS_WIDE_ACC : INT32_MAX)) {
        return ts_error(
            l->diags, TS_DIAG_VALUE, node->name, ts_op_name(node->op),
            "accumulator %lld of output element %llu passes %d bits; the layer needs smaller weights",
            (long long)acc, (unsigned long long)index, wide ? 48 : 32);
    }
    int32_t y = ts_requant_apply(&node->requant, channel, acc);
    if (y < ts_type_low(l->out->type) || y > ts_type_high(l->out->type)) {
        return ts_error(l->diags, TS_DIAG_VALUE, node->name, ts_op_name(node->op),
                        "result %d of element %llu does not fit type %s", (int)y, (unsigned long long)index,
                        ts_type_name(l->out->type));
    }
    l->y[index] = y;
    return TS_OK;
}

static int64_t dot(const int32_t *a, const int32_t *b, uint64_t count) {
    int64_t sum = 0;
    for (uint64_t i = 0; i < count; i++) {
        sum += (int64_t)a[i] * b[i];
    }
    return sum;
}

/* Row or column of the input that tap `k` of output `out` reads; padding is outside [0, in). */
static int64_t tap(uint32_t out, uint32_t stride, uint32_t k, uint32_t dilation, uint32_t pad_begin) {
    return (int64_t)out * stride + (int64_t)k * dilation - pad_begin;
}

/* Gathers x - zx of channels [c, c + count) under the window of output (row, column); padding is 0. */
static void gather(const layer *l, uint32_t row, uint32_t column, uint32_t c, uint32_t count) {
    const ts_window *w = &l->node->window;
    int32_t *patch = l->patch;
    for (uint32_t kh = 0; kh < w->kernel_h; kh++) {
        int64_t h = tap(row, w->stride_h, kh, w->dilation_h, w->pad_top);
        for (uint32_t kw = 0; kw < w->kernel_w; kw++, patch += count) {
            int64_t v = tap(column, w->stride_w, kw, w->dilation_w, w->pad_left);
            if (h < 0 || h >= ts_h(l->in) || v < 0 || v >= ts_w(l->in)) {
                memset(patch, 0, count * sizeof *patch);
                continue;
            }
            const int32_t *x = l->x + ((uint64_t)h * ts_w(l->in) + (uint64_t)v) * ts_c(l->in) + c;
            for (uint32_t i = 0; i < count; i++) {
                patch[i] = x[i] - l->x_zero;
            }
        }
    }
}

static int64_t bias_of(const layer *l, uint32_t channel) {
    ts_tensor_id bias = l->node->bias;
    return bias == TS_NONE ? 0 : ts_tensor_int(&l->graph->tensors.data[bias], channel);
}

/* One group of a convolution at one output position. */
static ts_status conv_group(const layer *l, uint32_t row, uint32_t column, uint32_t group) {
    const ts_window *w = &l->node->window;
    uint32_t c_in = ts_c(l->in) / l->node->groups, c_out = ts_c(l->out) / l->node->groups;
    uint64_t taps = (uint64_t)w->kernel_h * w->kernel_w * c_in;
    gather(l, row, column, group * c_in, c_in);
    for (uint32_t c = group * c_out; c < (group + 1) * c_out; c++) {
        int64_t acc = dot(l->patch, l->weights + c * taps, taps) + bias_of(l, c);
        uint64_t index = ((uint64_t)row * ts_w(l->out) + column) * ts_c(l->out) + c;
        TS_TRY(put(l, index, c, acc));
    }
    return TS_OK;
}

static ts_status conv(const layer *l) {
    for (uint32_t row = 0; row < ts_h(l->out); row++) {
        for (uint32_t column = 0; column < ts_w(l->out); column++) {
            for (uint32_t group = 0; group < l->node->groups; group++) {
                TS_TRY(conv_group(l, row, column, group));
            }
        }
    }
    return TS_OK;
}

static ts_status linear(const layer *l) {
    uint64_t count = ts_tensor_elements(l->in);
    for (uint64_t i = 0; i < count; i++) {
        l->patch[i] = l->x[i] - l->x_zero;
    }
    for (uint32_t c = 0; c < ts_c(l->out); c++) {
        TS_TRY(put(l, c, c, dot(l->patch, l->weights + c * count, count) + bias_of(l, c)));
    }
    return TS_OK;
}

static ts_status avg_pool(const layer *l) {
    const ts_window *w = &l->node->window;
    uint64_t taps = (uint64_t)w->kernel_h * w->kernel_w, index = 0;
    for (uint32_t row = 0; row < ts_h(l->out); row++) {
        for (uint32_t column = 0; column < ts_w(l->out); column++) {
            for (uint32_t c = 0; c < ts_c(l->out); c++) {
                int64_t sum = 0;
                gather(l, row, column, c, 1);
                for (uint64_t i = 0; i < taps; i++) {
                    sum += l->patch[i];
                }
                TS_TRY(put(l, index++, c, sum));
            }
        }
    }
    return TS_OK;
}

/* Padding never wins: a window that lies in the padding entirely gives the type's lowest value. */
static int64_t window_max(const layer *l, uint32_t row, uint32_t column, uint32_t c) {
    const ts_window *w = &l->node->window;
    int64_t most = ts_type_low(l->in->type);
    for (uint32_t kh = 0; kh < w->kernel_h; kh++) {
        int64_t h = tap(row, w->stride_h, kh, w->dilation_h, w->pad_top);
        for (uint32_t kw = 0; kw < w->kernel_w; kw++) {
            int64_t v = tap(column, w->stride_w, kw, w->dilation_w, w->pad_left);
            if (h >= 0 && h < ts_h(l->in) && v >= 0 && v < ts_w(l->in)) {
                int32_t x = l->x[((uint64_t)h * ts_w(l->in) + (uint64_t)v) * ts_c(l->in) + c];
                most = x > most ? x : most;
            }
        }
    }
    return most;
}

static ts_status max_pool(const layer *l) {
    uint64_t index = 0;
    for (uint32_t row = 0; row < ts_h(l->out); row++) {
        for (uint32_t column = 0; column < ts_w(l->out); column++) {
            for (uint32_t c = 0; c < ts_c(l->out); c++) {
                TS_TRY(put(l, index++, c, window_max(l, row, column, c)));
            }
        }
    }
    return TS_OK;
}

static ts_status requant(const layer *l) {
    uint64_t count = ts_tensor_elements(l->in);
    for (uint64_t i = 0; i < count; i++) {
        TS_TRY(put(l, i, (uint32_t)(i % ts_c(l->in)), (int64_t)l->x[i] - l->x_zero));
    }
    return TS_OK;
}

static ts_status add(const layer *l, const int32_t *b) {
    const ts_node *node = l->node;
    uint64_t count = ts_tensor_elements(l->in);
    for (uint64_t i = 0; i < count; i++) {
        int64_t sum = (int64_t)ts_add_step_apply(&node->in1, l->x[i]) + ts_add_step_apply(&node->in2, b[i]);
        TS_TRY(put(l, i, (uint32_t)(i % ts_c(l->in)), ts_add_step_apply(&node->sum, sum)));
    }
    return TS_OK;
}

static ts_status mul(const layer *l, const int32_t *b) {
    int64_t b_zero = ts_tensor_zero(&l->graph->tensors.data[l->node->inputs[1]]);
    uint64_t count = ts_tensor_elements(l->in);
    for (uint64_t i = 0; i < count; i++) {
        int64_t product = ((int64_t)l->x[i] - l->x_zero) * (b[i] - b_zero);
        TS_TRY(put(l, i, (uint32_t)(i % ts_c(l->in)), product));
    }
    return TS_OK;
}

/* Rows of a with rows of b, less their zero points. */
static ts_status matmul(const layer *l, const int32_t *b) {
    const ts_tensor *second = &l->graph->tensors.data[l->node->inputs[1]];
    uint32_t rows = ts_w(l->in), columns = ts_w(second), inner = ts_c(l->in);
    int64_t b_zero = ts_tensor_zero(second);
    uint64_t index = 0;
    for (uint32_t i = 0; i < ts_h(l->in); i++) {
        const int32_t *matrix = b + (ts_h(second) == 1 ? 0 : (uint64_t)i * columns * inner);
        for (uint32_t m = 0; m < rows; m++) {
            const int32_t *row = l->x + ((uint64_t)i * rows + m) * inner;
            for (uint32_t n = 0; n < columns; n++) {
                int64_t acc = 0;
                for (uint32_t k = 0; k < inner; k++) {
                    acc += ((int64_t)row[k] - l->x_zero) * (matrix[(uint64_t)n * inner + k] - b_zero);
                }
                TS_TRY(put(l, index++, n, acc));
            }
        }
    }
    return TS_OK;
}

static ts_status lut(const layer *l) {
    const ts_tensor *table = &l->graph->tensors.data[l->node->weights];
    uint64_t count = ts_tensor_elements(l->in);
    for (uint64_t i = 0; i < count; i++) {
        l->y[i] = ts_tensor_int(table, (uint64_t)(l->x[i] - ts_type_low(l->in->type)));
    }
    return TS_OK;
}

/* One pixel of I-BERT's or ITA's: quotients of terms and their sum, rounded down. */
static void quotient_softmax(const ts_softmax *s, const int32_t *x, int32_t *y, uint32_t channels) {
    int32_t most = x[0];
    int64_t sum = 0;
    for (uint32_t c = 1; c < channels; c++) {
        most = x[c] > most ? x[c] : most;
    }
    for (uint32_t c = 0; c < channels; c++) {
        sum += ts_softmax_term(s, most - x[c]);
    }
    for (uint32_t c = 0; c < channels; c++) {
        int64_t term = ts_softmax_term(s, most - x[c]);
        y[c] = (int32_t)(s->kind == TS_SOFTMAX_ITA ? 255 * 256 / sum * term / 256
                                                   : (s->levels - 1) * term / sum);
    }
}

static ts_status softmax(const layer *l) {
    const ts_softmax *s = &l->node->softmax;
    uint32_t channels = ts_c(l->in);
    uint64_t count = ts_tensor_elements(l->in);
    for (uint64_t i = 0; i < count; i += channels) {
        if (s->kind == TS_SOFTMAX_TFLITE) {
            ts_fixed_softmax(l->x + i, l->y + i, channels, s->multiplier, s->shift, s->diff_min);
        } else {
            quotient_softmax(s, l->x + i, l->y + i, channels);
        }
        for (uint32_t c = 0; c < channels; c++) {
            l->y[i + c] += (int32_t)ts_type_low(l->out->type);
        }
    }
    return TS_OK;
}

/* The largest root with root^2 <= v. */
static int64_t square_root(int64_t v) {
    int64_t root = 0;
    while ((root + 1) * (root + 1) <= v) {
        root++;
    }
    return root;
}

static int64_t shift_right(int64_t v, uint32_t bits) {
    int64_t d = INT64_C(1) << bits;
    return v / d - (v % d < 0);
}

static void norm_pixel(const layer *l, const int32_t *x, int32_t *y) {
    const ts_node *node = l->node;
    const ts_tensor *weights = &l->graph->tensors.data[node->weights];
    int64_t channels = ts_c(l->in), mean = 0, squares = 0;
    for (uint32_t c = 0; c < channels; c++) {
        mean += x[c] - l->x_zero;
    }
    mean = node->norm.centred ? mean / channels : 0;
    for (uint32_t c = 0; c < channels; c++) {
        int64_t v = x[c] - l->x_zero - mean;
        squares += v * v;
    }
    int64_t deviation = square_root(squares / channels + 1);
    for (uint32_t c = 0; c < channels; c++) {
        int64_t v = x[c] - l->x_zero - mean;
        int64_t sum = ts_tensor_int(weights, c) * v / deviation + bias_of(l, c);
        int64_t result = shift_right(sum, node->norm.shift);
        y[c] = (int32_t)(result < node->norm.low    ? node->norm.low
                         : result > node->norm.high ? node->norm.high
                                                    : result);
    }
}

static ts_status norm(const layer *l) {
    uint64_t count = ts_tensor_elements(l->in);
    for (uint64_t i = 0; i < count; i += ts_c(l->in)) {
        norm_pixel(l, l->x + i, l->y + i);
    }
    return TS_OK;
}

static uint64_t index_in(const ts_tensor *t, const uint32_t at[3]) {
    return ((uint64_t)at[0] * ts_w(t) + at[1]) * ts_c(t) + at[2];
}

/* Where element `at` of the output comes from: the input's number, and `from` in it; false where it is
 * padding. */
static bool origin(const layer *l, const uint32_t at[3], uint32_t *input, uint32_t from[3]) {
    const ts_move *m = &l->node->move;
    *input = 0;
    memcpy(from, at, 3 * sizeof *from);
    for (uint32_t i = 0; i < 3; i++) {
        switch (l->node->op) {
            case TS_OP_PAD:
                if (at[i] < m->begin[i] || at[i] - m->begin[i] >= l->in->dims[1 + i]) {
                    return false;
                }
                from[i] = at[i] - m->begin[i];
                break;
            case TS_OP_SLICE:
                from[i] = m->begin[i] + at[i] * m->step[i];
                break;
            case TS_OP_TRANSPOSE:
                from[m->order[i]] = at[i];
                break;
            case TS_OP_RESIZE:
                from[i] = at[i] / (l->out->dims[1 + i] / l->in->dims[1 + i]);
                break;
            default:
                break;
        }
    }
    if (l->node->op == TS_OP_PICK) {
        from[m->axis] = (uint32_t)ts_tensor_int(&l->graph->tensors.data[l->node->weights], at[m->axis]);
    }
    for (; l->node->op == TS_OP_CONCAT; ++*input) {
        uint32_t size = l->graph->tensors.data[l->node->inputs[*input]].dims[1 + m->axis];
        if (from[m->axis] < size) {
            break;
        }
        from[m->axis] -= size;
    }
    return true;
}

static ts_status move(const layer *l, const int32_t *const *inputs) {
    uint32_t at[3];
    uint64_t index = 0;
    if (l->node->op == TS_OP_RESHAPE) {
        memcpy(l->y, l->x, ts_tensor_elements(l->out) * sizeof *l->y);
        return TS_OK;
    }
    for (at[0] = 0; at[0] < ts_h(l->out); at[0]++) {
        for (at[1] = 0; at[1] < ts_w(l->out); at[1]++) {
            for (at[2] = 0; at[2] < ts_c(l->out); at[2]++, index++) {
                uint32_t input, from[3];
                if (!origin(l, at, &input, from)) {
                    l->y[index] = l->node->move.fill;
                    continue;
                }
                const ts_tensor *t = &l->graph->tensors.data[l->node->inputs[input]];
                l->y[index] = inputs[input][index_in(t, from)];
            }
        }
    }
    return TS_OK;
}

static void prepare_weights(layer *l, ts_arena *scratch) {
    const ts_tensor *weights = &l->graph->tensors.data[l->node->weights];
    uint64_t count = ts_tensor_elements(weights);
    l->weights = TS_NEW_ARRAY(scratch, int32_t, count);
    for (uint64_t i = 0; i < count; i++) {
        l->weights[i] = ts_tensor_int(weights, i) - ts_weights_zero(weights);
    }
}

static uint64_t patch_elements(const layer *l) {
    const ts_window *w = &l->node->window;
    switch (l->node->op) {
        case TS_OP_CONV:
            return (uint64_t)w->kernel_h * w->kernel_w * (ts_c(l->in) / l->node->groups);
        case TS_OP_LINEAR:
            return ts_tensor_elements(l->in);
        case TS_OP_AVG_POOL:
            return (uint64_t)w->kernel_h * w->kernel_w;
        default:
            return 0;
    }
}

static ts_status compute(layer *l, ts_arena *scratch, const int32_t *const *inputs) {
    bool moves = ts_op_moves(l->node->op);
    if (l->in->type == TS_F32 && l->node->op != TS_OP_FLOAT && !moves) {
        ts__float_layer_run(l->graph, l->node, l->x, l->y);
        return TS_OK;
    }
    l->patch = TS_NEW_ARRAY(scratch, int32_t, patch_elements(l));
    switch (l->node->op) {
        case TS_OP_CONV:
            prepare_weights(l, scratch);
            return conv(l);
        case TS_OP_LINEAR:
            prepare_weights(l, scratch);
            return linear(l);
        case TS_OP_ADD:
            return add(l, inputs[1]);
        case TS_OP_MUL:
            return mul(l, inputs[1]);
        case TS_OP_MATMUL:
            return matmul(l, inputs[1]);
        case TS_OP_LUT:
            return lut(l);
        case TS_OP_SOFTMAX:
            return softmax(l);
        case TS_OP_NORM:
            return norm(l);
        case TS_OP_FLOAT:
            ts__program_run(l->graph, l->node, inputs, l->y, scratch);
            return TS_OK;
        case TS_OP_CONCAT:
        case TS_OP_PAD:
        case TS_OP_SLICE:
        case TS_OP_TRANSPOSE:
        case TS_OP_RESIZE:
        case TS_OP_PICK:
        case TS_OP_RESHAPE:
            return move(l, inputs);
        case TS_OP_MAX_POOL:
            return max_pool(l);
        case TS_OP_AVG_POOL:
            return avg_pool(l);
        case TS_OP_REQUANT:
            return requant(l);
        default:
            return ts_error(l->diags, TS_DIAG_UNSUPPORTED, l->node->name, ts_op_name(l->node->op),
                            "is not an integer operator; quantise the network first");
    }
}

static void release_arena(void *arena) { ts_arena_free(arena); }

ts_status ts_integer_node(const ts_graph *graph, ts_node_id node_id, const int32_t *const *inputs,
                          int32_t *output, ts_diags *diags) {
    const ts_node *node = &graph->nodes.data[node_id];
    const ts_tensor *in = &graph->tensors.data[node->inputs[0]];
    layer l = {
        .graph = graph,
        .node = node,
        .in = in,
        .out = &graph->tensors.data[node->output],
        .x = inputs[0],
        .y = output,
        .x_zero = ts_tensor_zero(in),
        .diags = diags,
    };
    ts_arena *scratch = ts_arena_new("integer", 0);
    ts_guard_defer(release_arena, scratch);
    ts_status status = compute(&l, scratch, inputs);
    ts_guard_undefer(scratch);
    ts_arena_free(scratch);
    return status;
}

static ts_status check_input(const ts_tensor *tensor, const int32_t *values, ts_diags *diags) {
    uint64_t count = ts_tensor_elements(tensor);
    for (uint64_t i = 0; i < count; i++) {
        if (values[i] < ts_type_low(tensor->type) || values[i] > ts_type_high(tensor->type)) {
            return ts_error(diags, TS_DIAG_VALUE, NULL, NULL,
                            "value %d of element %llu of input '%s' does not fit type %s", (int)values[i],
                            (unsigned long long)i, tensor->name, ts_type_name(tensor->type));
        }
    }
    return TS_OK;
}

ts_status ts_integer_run(const ts_graph *graph, ts_arena *arena, const int32_t *const *inputs,
                         int32_t ***values, ts_diags *diags) {
    int32_t **v = TS_NEW_ARRAY(arena, int32_t *, graph->tensors.count);
    for (uint32_t i = 0; i < graph->inputs.count; i++) {
        const ts_tensor *tensor = &graph->tensors.data[graph->inputs.data[i]];
        TS_TRY(check_input(tensor, inputs[i], diags));
        v[graph->inputs.data[i]] =
            ts_arena_copy(arena, inputs[i], ts_tensor_elements(tensor) * sizeof(int32_t));
    }
    for (ts_node_id n = 0; n < graph->nodes.count; n++) {
        const ts_node *node = &graph->nodes.data[n];
        const int32_t *in[TS_MAX_INPUTS] = {NULL};
        for (uint32_t i = 0; i < node->input_count; i++) {
            in[i] = v[node->inputs[i]];
        }
        const ts_tensor *output = &graph->tensors.data[node->output];
        v[node->output] = TS_NEW_ARRAY(arena, int32_t, ts_tensor_elements(output));
        TS_TRY(ts_integer_node(graph, n, in, v[node->output], diags));
    }
    *values = v;
    return TS_OK;
}
