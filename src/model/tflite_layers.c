/* Operators of TensorFlow Lite that compute: their constants and requantisations as the reference kernels
 * prepare them. */
#include <math.h>
#include <string.h>

#include "base/fixed_point.h"
#include "model/tflite_internal.h"

static ts_status options_window(tfl *t, const tfl_op *o, const uint32_t fields[4], ts_window *w) {
    uint32_t *places[4] = {&w->stride_w, &w->stride_h, &w->dilation_w, &w->dilation_h};
    for (uint32_t i = 0; i < 4; i++) {
        int64_t value =
            fields[i] == TS_NONE ? 1 : ts__flat_int(&t->flat, o->options, fields[i], 4, i < 2 ? 0 : 1);
        if (value < 1 || value > MAX_WINDOW) {
            return TFL_FAIL(TS_DIAG_VALUE, "a stride or dilation is %lld; 1 to %d are served",
                            (long long)value, MAX_WINDOW);
        }
        *places[i] = (uint32_t)value;
    }
    return TS_OK;
}

/* SAME: ceil(in / stride) outputs, the odd row or column of padding at the end. */
static void same_pads(uint32_t in, uint32_t kernel, uint32_t stride, uint32_t dilation, uint32_t *begin,
                      uint32_t *end) {
    uint64_t out = ((uint64_t)in + stride - 1) / stride;
    uint64_t reach = (out - 1) * stride + (uint64_t)dilation * (kernel - 1) + 1;
    uint32_t total = reach > in ? (uint32_t)(reach - in) : 0;
    *begin = total / 2;
    *end = total - total / 2;
}

static ts_status find_pads(tfl *t, const tfl_op *o, int64_t padding, const tfl_tensor *x, ts_window *w) {
    const ts_tensor *in = ts__tfl_value_of(t, x);
    uint32_t h = ts_h(in) + x->pads[0] + x->pads[2], v = ts_w(in) + x->pads[1] + x->pads[3];
    if (padding == PADDING_SAME) {
        same_pads(h, w->kernel_h, w->stride_h, w->dilation_h, &w->pad_top, &w->pad_bottom);
        same_pads(v, w->kernel_w, w->stride_w, w->dilation_w, &w->pad_left, &w->pad_right);
    } else if (padding != PADDING_VALID) {
        return TFL_FAIL(TS_DIAG_MALFORMED, "padding %lld is neither SAME nor VALID", (long long)padding);
    }
    w->pad_top += x->pads[0];
    w->pad_left += x->pads[1];
    w->pad_bottom += x->pads[2];
    w->pad_right += x->pads[3];
    return TS_OK;
}

/* ---- parameters ---- */

/* A constant input of that type with all its data. */
static ts_status parameter_at(tfl *t, const tfl_op *o, uint32_t i, int32_t type, uint32_t element_bytes,
                              tfl_tensor **out) {
    tfl_tensor *x = ts__tfl_tensor_at(t, o->inputs, i);
    if (x == NULL || x->type != type || x->data.count == 0 || x->data.count != x->elements * element_bytes) {
        return TFL_FAIL(TS_DIAG_UNSUPPORTED, "input %u is not a constant of type %s with all its data", i,
                        type == TYPE_INT8    ? "int8"
                        : type == TYPE_UINT8 ? "uint8"
                                             : "int32");
    }
    *out = x;
    return ts__tfl_take_work(t, o, x->elements);
}

static ts_status bias_of(tfl *t, const tfl_op *o, uint32_t channels, ts_tensor_id *out) {
    tfl_tensor *b = ts__tfl_tensor_at(t, o->inputs, 2);
    *out = TS_NONE;
    if (b == NULL) {
        return TS_OK;
    }
    TS_TRY(parameter_at(t, o, 2, TYPE_INT32, 4, &b));
    if (b->elements != channels) {
        return TFL_FAIL(TS_DIAG_SHAPE, "its bias has %llu elements; %u would be right",
                        (unsigned long long)b->elements, channels);
    }
    int32_t *data = TS_NEW_ARRAY(t->arena, int32_t, channels);
    for (uint32_t i = 0; i < channels; i++) {
        data[i] = ts__flat_i32(b->data, i);
    }
    ts_tensor tensor = {.name = ts_arena_printf(t->arena, "%s.bias", o->name),
                        .type = TS_S32,
                        .rank = 1,
                        .dims = {channels},
                        .data = data,
                        .producer = TS_NONE};
    *out = ts_graph_add_tensor(t->graph, &tensor);
    return TS_OK;
}

/* Scales of the weights, one or one a channel. Zero points must be 0, but for uint8 weights, which have one.
 */
static ts_status weight_quantum(tfl *t, const tfl_op *o, const tfl_tensor *w, uint32_t channels,
                                int64_t dimension, ts_quantum *out) {
    uint32_t count = w->scales.count;
    if ((count != 1 && (count != channels || w->quantized_dimension != dimension)) ||
        (w->zeros.count > 1 && w->zeros.count != count)) {
        return TFL_FAIL(TS_DIAG_UNSUPPORTED,
                        "its weights have %u scales along dimension %lld; 1, or %u along dimension "
                        "%lld, are served",
                        count, (long long)w->quantized_dimension, channels, (long long)dimension);
    }
    double *scale = TS_NEW_ARRAY(t->arena, double, count);
    for (uint32_t i = 0; i < count; i++) {
        scale[i] = (double)ts__flat_f32(w->scales, i);
        bool zero = i >= w->zeros.count || ts__flat_i64(w->zeros, i) == 0 || w->type == TYPE_UINT8;
        if (!(scale[i] > 0) || !isfinite(scale[i]) || !zero) {
            return TFL_FAIL(TS_DIAG_VALUE, "scale %u of its weights is not positive or has a zero point", i);
        }
    }
    if (w->type == TYPE_UINT8 && (count != 1 || ts__tfl_zero_of(w) < 0 || ts__tfl_zero_of(w) > 255)) {
        return TFL_FAIL(TS_DIAG_UNSUPPORTED, "its uint8 weights have not one zero point of 0 to 255");
    }
    *out = (ts_quantum){count, scale, TS_NEW_ARRAY(t->arena, int32_t, count)};
    return TS_OK;
}

/* Where weight i of a depthwise convolution, counted by channel and tap, lies in the file: [1, kh, kw, C]. */
static uint64_t depthwise_index(const tfl_tensor *w, uint64_t i) {
    uint64_t taps = (uint64_t)w->dims[1] * w->dims[2];
    return i % taps * w->dims[3] + i / taps;
}

/* Bytes of 8-bit elements as signed numbers, and what is to be taken away from each: int8 as they are; uint8
 * less their zero point where that fits 8 bits, and otherwise less 128, with a zero point of their own. */
static const int8_t *signed_bytes(tfl *t, const tfl_tensor *w, bool depthwise, int32_t *zero) {
    int8_t *data = TS_NEW_ARRAY(t->arena, int8_t, w->elements);
    int32_t low = 255, high = 0, file_zero = ts__tfl_zero_of(w), offset = 0;
    for (uint64_t i = 0; w->type == TYPE_UINT8 && i < w->elements; i++) {
        low = w->data.data[i] < low ? w->data.data[i] : low;
        high = w->data.data[i] > high ? w->data.data[i] : high;
    }
    if (w->type == TYPE_UINT8) {
        offset = low - file_zero >= -128 && high - file_zero <= 127 ? file_zero : 128;
    }
    *zero = file_zero - offset;
    for (uint64_t i = 0; i < w->elements; i++) {
        uint8_t byte = w->data.data[depthwise ? depthwise_index(w, i) : i];
        data[i] = (int8_t)(w->type == TYPE_UINT8 ? byte - offset : (int8_t)byte);
    }
    return data;
}

/* Adds the weights as OHWI or {out, in}. */
static ts_tensor_id add_weights(tfl *t, const tfl_op *o, uint32_t rank, const uint32_t *dims,
                                const tfl_tensor *w, bool depthwise, ts_quantum quantum) {
    int32_t *zero = TS_NEW(t->arena, int32_t);
    ts_tensor tensor = {.name = ts_arena_printf(t->arena, "%s.weights", o->name),
                        .type = TS_S8,
                        .rank = rank,
                        .data = signed_bytes(t, w, depthwise, zero),
                        .producer = TS_NONE};
    quantum.zero = quantum.channels == 1 ? zero : quantum.zero;
    tensor.quantum = quantum;
    memcpy(tensor.dims, dims, rank * sizeof *dims);
    return ts_graph_add_tensor(t->graph, &tensor);
}

/* ---- layers ---- */

/* One multiplier a channel, from double products of the float scales, as the reference kernels prepare them
 * for int8; for uint8, and with `joined`, the product is a float. */
static ts_requant conv_requant(tfl *t, const tfl_tensor *x, const tfl_tensor *w, const tfl_tensor *y,
                               bool joined, const int32_t bounds[2]) {
    int32_t *multiplier, *shift;
    uint32_t channels = joined ? 1 : w->scales.count;
    ts_requant rq = ts__tfl_new_requant(t, channels, y, bounds[0], bounds[1], &multiplier, &shift);
    for (uint32_t c = 0; c < channels; c++) {
        double product = (double)ts__tfl_scale_of(x, 0) * (double)ts__tfl_scale_of(w, c);
        product = joined ? (double)(ts__tfl_scale_of(x, 0) * ts__tfl_scale_of(w, 0)) : product;
        ts__tflite_multiplier(product / (double)ts__tfl_scale_of(y, 0), &multiplier[c], &shift[c]);
    }
    return rq;
}

static ts_status check_conv(tfl *t, const tfl_op *o, const tfl_tensor *w, bool depthwise,
                            uint32_t in_channels) {
    bool fits = w->rank == 4 && w->elements > 0 && w->dims[1] <= MAX_WINDOW && w->dims[2] <= MAX_WINDOW;
    if (fits && depthwise) {
        fits = w->dims[0] == 1 && w->dims[3] % in_channels == 0;
    } else if (fits) {
        fits = in_channels % w->dims[3] == 0 && w->dims[0] % (in_channels / w->dims[3]) == 0;
    }
    return fits ? TS_OK
                : TFL_FAIL(TS_DIAG_SHAPE, "its weights do not fit its input of %u channels", in_channels);
}

static ts_status take_conv(tfl *t, const tfl_op *o, bool depthwise) {
    static const uint32_t conv_fields[4] = {CONV_STRIDE_W, CONV_STRIDE_H, CONV_DILATION_W, CONV_DILATION_H};
    static const uint32_t depthwise_fields[4] = {CONV_STRIDE_W, CONV_STRIDE_H, DEPTHWISE_DILATION_W,
                                                 DEPTHWISE_DILATION_H};
    tfl_tensor *x, *w, *y;
    ts_tensor_id output;
    ts_quantum quantum;
    int32_t bounds[2];
    TS_TRY(ts__tfl_shape_at(t, o, 0, &x));
    TS_TRY(parameter_at(t, o, 1, x->type, 1, &w));
    TS_TRY(ts__tfl_output_of(t, o, &y));
    uint32_t in_channels = ts_c(ts__tfl_value_of(t, x));
    TS_TRY(check_conv(t, o, w, depthwise, in_channels));
    uint32_t channels = w->dims[depthwise ? 3 : 0];
    ts_node node = ts__tfl_new_node(t, o, TS_OP_CONV, x);
    node.groups = depthwise ? in_channels : in_channels / w->dims[3];
    node.window.kernel_h = w->dims[1];
    node.window.kernel_w = w->dims[2];
    TS_TRY(options_window(t, o, depthwise ? depthwise_fields : conv_fields, &node.window));
    TS_TRY(
        find_pads(t, o, ts__flat_int(&t->flat, o->options, CONV_PADDING, 1, PADDING_SAME), x, &node.window));
    if (x->spread != NULL) {
        TS_TRY(ts__tfl_spread_window(t, o, x, y, &node.window));
    }
    TS_TRY(ts__tfl_new_activation(t, o, y, &output));
    uint32_t activation_field = depthwise ? DEPTHWISE_ACTIVATION : CONV_ACTIVATION;
    int64_t activation = ts__flat_int(&t->flat, o->options, activation_field, 1, ACTIVATION_NONE);
    TS_TRY(ts__tfl_activation_bounds(t, o, activation, y, &bounds[0], &bounds[1]));
    TS_TRY(weight_quantum(t, o, w, channels, depthwise ? 3 : 0, &quantum));
    uint32_t dims[4] = {channels, w->dims[1], w->dims[2], depthwise ? 1 : w->dims[3]};
    node.weights = add_weights(t, o, 4, dims, w, depthwise, quantum);
    TS_TRY(bias_of(t, o, channels, &node.bias));
    node.requant = conv_requant(t, x, w, y, x->type == TYPE_UINT8, bounds);
    ts__tfl_add_node(t, &node, y, output);
    return TS_OK;
}

ts_status ts__tfl_conv(tfl *t, const tfl_op *o) { return take_conv(t, o, false); }

ts_status ts__tfl_depthwise(tfl *t, const tfl_op *o) { return take_conv(t, o, true); }

/* Rows of features are positions of a convolution of 1 x 1. */
static void shape_rows(const tfl_tensor *w, uint32_t rows, ts_node *node, ts_tensor *out) {
    out->dims[1] = 1;
    out->dims[2] = rows;
    out->dims[3] = w->dims[0];
    if (rows > 1) {
        node->op = TS_OP_CONV;
        node->groups = 1;
        node->window = (ts_window){1, 1, 1, 1, 1, 1, 0, 0, 0, 0};
    }
}

ts_status ts__tfl_fully_connected(tfl *t, const tfl_op *o) {
    tfl_tensor *x, *w, *y;
    ts_tensor_id output;
    ts_quantum quantum;
    int32_t bounds[2];
    TS_TRY(ts__tfl_activation_at(t, o, 0, &x));
    TS_TRY(ts__tfl_settle_pads(t, o, x));
    TS_TRY(parameter_at(t, o, 1, x->type, 1, &w));
    TS_TRY(ts__tfl_output_of(t, o, &y));
    uint64_t features = w->rank == 2 ? w->dims[1] : 0, elements = ts_tensor_elements(ts__tfl_value_of(t, x));
    if (features == 0 || elements % features != 0 || w->dims[0] * (elements / features) != y->elements) {
        return TFL_FAIL(TS_DIAG_SHAPE, "its weights do not fit rows of its input; a batch of 1 is served");
    }
    uint32_t rows = (uint32_t)(elements / features);
    if (rows > 1) {
        TS_TRY(ts__tfl_map_at(t, o, 0, &x));
    }
    if (rows > 1 && ts_c(ts__tfl_value_of(t, x)) != features) {
        return TFL_FAIL(TS_DIAG_SHAPE, "its input has no rows of %u features", w->dims[1]);
    }
    TS_TRY(ts__tfl_new_activation(t, o, y, &output));
    int64_t activation = ts__flat_int(&t->flat, o->options, 0, 1, ACTIVATION_NONE);
    TS_TRY(ts__tfl_activation_bounds(t, o, activation, y, &bounds[0], &bounds[1]));
    TS_TRY(weight_quantum(t, o, w, w->dims[0], 0, &quantum));
    ts_node node = ts__tfl_new_node(t, o, TS_OP_LINEAR, x);
    shape_rows(w, rows, &node, &t->graph->tensors.data[output]);
    const uint32_t dims[4] = {w->dims[0], rows > 1 ? 1 : w->dims[1], 1, w->dims[1]};
    node.weights = add_weights(t, o, rows > 1 ? 4 : 2, dims, w, false, quantum);
    TS_TRY(bias_of(t, o, w->dims[0], &node.bias));
    node.requant = conv_requant(t, x, w, y, w->scales.count == 1, bounds);
    if (rows > 1) { /* the axes before the features stay */
        memcpy(t->graph->tensors.data[output].dims, ts__tfl_value_of(t, x)->dims, 3 * sizeof(uint32_t));
    }
    ts__tfl_add_node(t, &node, y, output);
    return TS_OK;
}

/* A mean of n raw values, halves away from zero. Of values from 0 up it is floor((s + n/2) / n) of their sum
 * s; of signed ones the staircase floor((400 s + 200 n - 1) / (400 n - 2)) for even n, while |result| <= 128:
 * steps for positive results stand at q n - n/2, for others one further. The accumulator is s less n times
 * the zero point. False where some sum does not agree. */
static bool mean_requant(tfl *t, uint32_t n, const tfl_tensor *x, ts_requant *rq) {
    int64_t *kappa = TS_NEW(t->arena, int64_t), *lambda = TS_NEW(t->arena, int64_t);
    bool plain = n % 2 != 0 || ts__tfl_low(x) == 0;
    *kappa = plain ? 1 : 400;
    *lambda = plain ? n / 2 : 200 * (int64_t)n - 1;
    rq->kind = TS_REQUANT_NEMO;
    rq->channels = 1;
    rq->m = 1;
    rq->d = plain ? n : 400 * (int64_t)n - 2;
    for (int64_t s = ts__tfl_low(x) * (int64_t)n; s <= ts__tfl_high(x) * (int64_t)n; s++) {
        int64_t expected = s >= 0 ? (s + n / 2) / n : (s - n / 2) / (int64_t)n;
        int64_t u = *kappa * s + *lambda, q = u / rq->d - (u % rq->d < 0);
        if (q != expected) {
            return false;
        }
    }
    *lambda += *kappa * n * ts__tfl_zero_of(x);
    rq->kappa = kappa;
    rq->lambda = lambda;
    return true;
}

/* ---- averages over the border ---- */

enum { MOST_SPANS = TS_MAX_INPUTS };

/* Consecutive outputs along one axis whose windows have as many elements on the map, one stride apart. */
typedef struct span {
    uint32_t begin, window, outputs;
} span;

/* The spans of `outputs` outputs; 0 where there are too many. */
static uint32_t spans_of(uint32_t in, uint32_t kernel, uint32_t stride, uint32_t pad, uint32_t outputs,
                         span spans[MOST_SPANS]) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < outputs; i++) {
        int64_t from = (int64_t)i * stride - pad, to = from + kernel < in ? from + kernel : in;
        uint32_t begin = from < 0 ? 0 : (uint32_t)from, window = (uint32_t)(to - begin);
        span *last = count > 0 ? &spans[count - 1] : NULL;
        if (last != NULL && last->window == window && last->begin + last->outputs * stride == begin) {
            last->outputs++;
        } else if (to <= begin || count == MOST_SPANS) {
            return 0;
        } else {
            spans[count++] = (span){begin, window, 1};
        }
    }
    return count;
}

/* Adds a node whose output is `output`, or where that is TS_NONE a new tensor like `like`, of other rows and
 * columns. */
static ts_tensor_id add_part(tfl *t, ts_node *node, ts_tensor_id like, const char *name, uint32_t rows,
                             uint32_t columns, ts_tensor_id output) {
    ts_tensor part = t->graph->tensors.data[like];
    part.name = node->name = name;
    part.dims[1] = rows;
    part.dims[2] = columns;
    part.producer = TS_NONE;
    node->output = output != TS_NONE ? output : ts_graph_add_tensor(t->graph, &part);
    ts_graph_add_node(t->graph, node);
    return node->output;
}

typedef struct border_pool {
    tfl *t;
    const tfl_op *o;
    const tfl_tensor *x;
    const ts_node *pool;
    ts_tensor_id y;
    uint32_t row_spans, column_spans;
    span rows[MOST_SPANS], columns[MOST_SPANS];
} border_pool;

/* The averages of a span of rows and one of columns: the elements that they read, then the pooling of these.
 */
static ts_status add_region(const border_pool *b, uint32_t r, uint32_t c, ts_tensor_id output,
                            ts_tensor_id *out) {
    tfl *t = b->t;
    const tfl_op *o = b->o;
    const ts_window *w = &b->pool->window;
    const span rows = b->rows[r], columns = b->columns[c];
    const char *name = ts_arena_printf(t->arena, "%s.part%u_%u", o->name, (unsigned)r, (unsigned)c);
    uint32_t size[2] = {(rows.outputs - 1) * w->stride_h + rows.window,
                        (columns.outputs - 1) * w->stride_w + columns.window};
    ts_node slice = ts__tfl_new_node(t, o, TS_OP_SLICE, b->x), node = *b->pool;
    slice.move = (ts_move){.begin = {rows.begin, columns.begin, 0}, .step = {1, 1, 1}};
    const char *read = ts_arena_printf(t->arena, "%s.read", name);
    node.inputs[0] = add_part(t, &slice, b->x->tensor, read, size[0], size[1], TS_NONE);
    node.window = (ts_window){rows.window, columns.window, w->stride_h, w->stride_w, 1, 1, 0, 0, 0, 0};
    uint32_t n = rows.window * columns.window;
    TS_TRY(ts__tfl_take_work(t, o, (uint64_t)n * 256));
    if (!mean_requant(t, n, b->x, &node.requant)) {
        return TFL_FAIL(TS_DIAG_UNSUPPORTED, "no staircase equals its mean");
    }
    *out = add_part(t, &node, b->y, name, rows.outputs, columns.outputs, output);
    return TS_OK;
}

/* Joins parts along an axis into one of `rows` x `columns`; one part stays. */
static ts_tensor_id join_parts(const border_pool *b, const ts_tensor_id *parts, uint32_t count, uint32_t axis,
                               uint32_t rows, uint32_t columns, ts_tensor_id output) {
    const ts_graph *g = b->t->graph;
    const char *before = g->nodes.data[g->nodes.count - 1].name;
    const char *name = output != TS_NONE ? ts_arena_strdup(b->t->arena, b->o->name)
                                         : ts_arena_printf(b->t->arena, "%s.row", before);
    ts_node node = {.file_index = b->o->index,
                    .op = TS_OP_CONCAT,
                    .input_count = count,
                    .weights = TS_NONE,
                    .bias = TS_NONE,
                    .move = {.axis = axis}};
    memcpy(node.inputs, parts, count * sizeof *parts);
    return count == 1 ? parts[0] : add_part(b->t, &node, b->y, name, rows, columns, output);
}

static ts_status add_regions(const border_pool *b) {
    const ts_tensor y = b->t->graph->tensors.data[b->y];
    ts_tensor_id stripes[MOST_SPANS], parts[MOST_SPANS];
    bool one_row = b->row_spans == 1;
    for (uint32_t r = 0; r < b->row_spans; r++) {
        for (uint32_t c = 0; c < b->column_spans; c++) {
            TS_TRY(add_region(b, r, c, one_row && b->column_spans == 1 ? b->y : TS_NONE, &parts[c]));
        }
        stripes[r] =
            join_parts(b, parts, b->column_spans, 1, b->rows[r].outputs, ts_w(&y), one_row ? b->y : TS_NONE);
    }
    join_parts(b, stripes, b->row_spans, 0, ts_h(&y), ts_w(&y), b->y);
    return TS_OK;
}

/* An average whose windows over the border divide by fewer elements: by regions of equal divisors. */
static ts_status average_regions(tfl *t, const tfl_op *o, const tfl_tensor *x, tfl_tensor *y,
                                 const ts_node *pool, ts_tensor_id output) {
    const ts_window *w = &pool->window;
    const ts_tensor in = *ts__tfl_value_of(t, x), out = t->graph->tensors.data[output];
    border_pool b = {.t = t, .o = o, .x = x, .pool = pool, .y = output};
    if (ts_window_out(ts_h(&in), w->kernel_h, w->stride_h, 1, w->pad_top, w->pad_bottom) != ts_h(&out) ||
        ts_window_out(ts_w(&in), w->kernel_w, w->stride_w, 1, w->pad_left, w->pad_right) != ts_w(&out) ||
        ts_c(&in) != ts_c(&out)) {
        return TFL_FAIL(TS_DIAG_SHAPE, "its output has another shape than its windows");
    }
    b.row_spans = spans_of(ts_h(&in), w->kernel_h, w->stride_h, w->pad_top, ts_h(&out), b.rows);
    b.column_spans = spans_of(ts_w(&in), w->kernel_w, w->stride_w, w->pad_left, ts_w(&out), b.columns);
    if (b.row_spans == 0 || b.column_spans == 0) {
        return TFL_FAIL(TS_DIAG_UNSUPPORTED,
                        "windows over the border divide by more than %d numbers of rows or columns",
                        MOST_SPANS);
    }
    y->tensor = output;
    return add_regions(&b);
}

static ts_status take_pool(tfl *t, const tfl_op *o, bool average) {
    static const uint32_t fields[4] = {CONV_STRIDE_W, CONV_STRIDE_H, TS_NONE, TS_NONE};
    tfl_tensor *x, *y;
    ts_tensor_id output;
    int32_t low, high;
    TS_TRY(ts__tfl_map_at(t, o, 0, &x));
    TS_TRY(ts__tfl_output_of(t, o, &y));
    ts_node node = ts__tfl_new_node(t, o, average ? TS_OP_AVG_POOL : TS_OP_MAX_POOL, x);
    int64_t kw = ts__flat_int(&t->flat, o->options, POOL_FILTER_W, 4, 0);
    int64_t kh = ts__flat_int(&t->flat, o->options, POOL_FILTER_H, 4, 0);
    if (kw < 1 || kh < 1 || kw > MAX_WINDOW || kh > MAX_WINDOW || kw * kh > 65536) {
        return TFL_FAIL(TS_DIAG_VALUE, "a window of %lld x %lld is not served", (long long)kh, (long long)kw);
    }
    node.window.kernel_h = (uint32_t)kh;
    node.window.kernel_w = (uint32_t)kw;
    TS_TRY(options_window(t, o, fields, &node.window));
    TS_TRY(
        find_pads(t, o, ts__flat_int(&t->flat, o->options, CONV_PADDING, 1, PADDING_SAME), x, &node.window));
    const ts_window *w = &node.window;
    bool over_border = average && (w->pad_top | w->pad_left | w->pad_bottom | w->pad_right) != 0;
    TS_TRY(ts__tfl_new_activation(t, o, y, &output));
    if (ts__tfl_scale_of(x, 0) != ts__tfl_scale_of(y, 0) || ts__tfl_zero_of(x) != ts__tfl_zero_of(y)) {
        return TFL_FAIL(TS_DIAG_UNSUPPORTED, "its output has another quantum than its input");
    }
    TS_TRY(ts__tfl_activation_bounds(t, o, ts__flat_int(&t->flat, o->options, POOL_ACTIVATION, 1, 0), y, &low,
                                     &high));
    TS_TRY(ts__tfl_take_work(t, o, (uint64_t)(kw * kh) * 256));
    node.requant.low = low;
    node.requant.high = high;
    if (over_border) {
        return average_regions(t, o, x, y, &node, output);
    }
    if (average && !mean_requant(t, (uint32_t)(kw * kh), x, &node.requant)) {
        return TFL_FAIL(TS_DIAG_UNSUPPORTED, "no staircase equals its mean");
    }
    if (!average && (low != ts__tfl_low(y) || high != ts__tfl_high(y))) {
        static const int64_t one = 1, none = 0;
        node.requant = (ts_requant){
            .kind = TS_REQUANT_NEMO, .channels = 1, .kappa = &one, .lambda = &none, .m = 1, .d = 1};
    }
    node.requant.low = low;
    node.requant.high = high;
    ts__tfl_add_node(t, &node, y, output);
    return TS_OK;
}

ts_status ts__tfl_average_pool(tfl *t, const tfl_op *o) { return take_pool(t, o, true); }

ts_status ts__tfl_max_pool(tfl *t, const tfl_op *o) { return take_pool(t, o, false); }

/* MEAN over rows and columns: the sum of differences times one multiplier into which the number of elements
 * is divided. Source: QuantizedMeanOrSum of TensorFlow Lite's kernels/internal/reference/reduce.h. */
static ts_requant global_mean_requant(tfl *t, const tfl_tensor *x, const tfl_tensor *y, uint32_t n) {
    int32_t *multiplier, *shift, power = 0;
    ts_requant rq = ts__tfl_new_requant(t, 1, y, ts__tfl_low(y), ts__tfl_high(y), &multiplier, &shift);
    ts__tflite_multiplier((double)ts__tfl_scale_of(x, 0) / (double)ts__tfl_scale_of(y, 0), multiplier, shift);
    while (n >> (power + 1) != 0) {
        power++;
    }
    power = power < 31 + *shift ? power : 31 + *shift;
    *multiplier = (int32_t)(((int64_t)*multiplier << power) / n);
    *shift -= power;
    return rq;
}

/* Which of rows, columns and channels of the graph's tensor the reduction is over; false for channels. */
static ts_status mean_axes(tfl *t, const tfl_op *o, const tfl_tensor *x, bool over[3]) {
    ts_flat_vector axes;
    TS_TRY(ts__tfl_numbers_at(t, o, 1, 4, &axes));
    over[0] = over[1] = over[2] = false;
    bool served = true;
    for (uint32_t i = 0; i < axes.count; i++) {
        uint32_t axis = ts__tfl_axis(x, ts__flat_i32(axes, i));
        served = served && axis < 3;
        if (axis < 3) {
            over[x->turned ? x->order[axis] : axis] = true;
        }
    }
    served = served && (!over[2] || ts_c(ts__tfl_value_of(t, x)) == 1);
    return served
               ? TS_OK
               : TFL_FAIL(TS_DIAG_UNSUPPORTED, "rows, columns or both are served, not channels or the batch");
}

/* The order of the result's axes: where the file drops those of the mean, they stand before the others. */
static void mean_order(const tfl_tensor *x, tfl_tensor *y, const bool over[3]) {
    uint32_t n = 0;
    memcpy(y->order, x->order, sizeof y->order);
    for (uint32_t pass = 0; pass < 2 && y->rank != x->rank; pass++) {
        for (uint32_t i = 0; i < 3; i++) {
            if (over[x->order[i]] == (pass == 0)) {
                y->order[n++] = x->order[i];
            }
        }
    }
}

/* A mean or a maximum over all rows, all columns or both. */
static ts_status take_reduction(tfl *t, const tfl_op *o, bool maximum) {
    tfl_tensor *x, *y;
    bool over[3];
    TS_TRY(ts__tfl_activation_at(t, o, 0, &x));
    if (!x->turned) {
        TS_TRY(ts__tfl_map_at(t, o, 0, &x));
    }
    TS_TRY(mean_axes(t, o, x, over));
    TS_TRY(ts__tfl_output_of(t, o, &y));
    ts_tensor out = *ts__tfl_value_of(t, x);
    uint32_t rows = over[0] ? ts_h(&out) : 1, columns = over[1] ? ts_w(&out) : 1;
    uint64_t n = (uint64_t)rows * columns;
    if (n > 65536 || rows > MAX_WINDOW || columns > MAX_WINDOW || y->elements * n != x->elements) {
        return TFL_FAIL(TS_DIAG_UNSUPPORTED, "windows of %u x %u elements are not served", rows, columns);
    }
    if (maximum && !ts__tfl_one_quantum(x, y)) {
        return TFL_FAIL(TS_DIAG_UNSUPPORTED, "its output has another quantum than its input");
    }
    ts_tensor_id output;
    ts_node node = ts__tfl_new_node(t, o, maximum ? TS_OP_MAX_POOL : TS_OP_AVG_POOL, x);
    node.window = (ts_window){.kernel_h = rows, .kernel_w = columns, 1, 1, 1, 1, 0, 0, 0, 0};
    if (maximum) {
        node.requant.low = ts__tfl_low(y);
        node.requant.high = ts__tfl_high(y);
    } else {
        node.requant = global_mean_requant(t, x, y, (uint32_t)n);
    }
    TS_TRY(ts__tfl_new_activation(t, o, y, &output));
    uint32_t *dims = t->graph->tensors.data[output].dims;
    memcpy(dims, out.dims, 4 * sizeof *dims);
    dims[1] /= rows;
    dims[2] /= columns;
    ts__tfl_add_node(t, &node, y, output);
    y->turned = x->turned && (dims[1] > 1) + (dims[2] > 1) + (dims[3] > 1) > 1;
    mean_order(x, y, over);
    return TS_OK;
}

ts_status ts__tfl_mean(tfl *t, const tfl_op *o) { return take_reduction(t, o, false); }

ts_status ts__tfl_reduce_max(tfl *t, const tfl_op *o) { return take_reduction(t, o, true); }

/* ---- addition ---- */

/* One operand's share of the sum: ((x - zero) 2^20) times the multiplier, with both roundings. */
static int32_t share(int32_t x, int32_t zero, int32_t multiplier, int32_t shift) {
    return ts_rounding_divide_by_pot(ts_rounding_doubling_high_mul((x - zero) * (1 << 20), multiplier),
                                     -shift);
}

static int64_t step_value(const ts_add_step *s, int32_t x) {
    int64_t n = x * s->mul + s->add;
    return n / s->div - (n % s->div < 0);
}

enum { LEANS = 3 };

typedef struct operand {
    int32_t zero, multiplier, shift, low;
    bool negative;      /* it is taken away */
    int32_t exact[256]; /* by value less the lowest */
    int64_t fitted[LEANS][256];
} operand;

/* The same share with one rounding, as a step of the graph. With z the product that is still to be divided by
 * 2^-shift, the reference's two roundings are floor((z + 1/2 + half) / 2^-shift) for z >= 0 and, halves going
 * away from zero, a little under floor((z - 1/2 + half) / 2^-shift) for z < 0: `lean` chooses one of them, or
 * the middle. Operands that are never below their zero point are exact with the first. */
static ts_add_step operand_step(const operand *a, int lean) {
    /* 1/2, 0, -1/2 and a little, in units of z / 2^11; the last is exact below the zero point, as the first
     * is above it. */
    static const int64_t offsets[LEANS + 1] = {1024, 0, -1025, -1024};
    int32_t power = 11 - a->shift;
    int64_t half = a->shift == 0 ? 0 : INT64_C(1) << (power - 1), factor = a->multiplier;
    int64_t add = half + offsets[lean] - (int64_t)a->zero * a->multiplier;
    if (a->negative) { /* -floor(n / d) = floor((d - 1 - n) / d) */
        factor = -factor;
        add = (INT64_C(1) << power) - 1 - add;
    }
    return (ts_add_step){
        .mul = factor, .add = add, .div = INT64_C(1) << power, .low = INT32_MIN, .high = INT32_MAX};
}

static void prepare(operand *a, const tfl_tensor *x, double twice_max, bool negative) {
    a->zero = ts__tfl_zero_of(x);
    a->low = ts__tfl_low(x);
    a->negative = negative;
    ts__tflite_multiplier((double)ts__tfl_scale_of(x, 0) / twice_max, &a->multiplier, &a->shift);
}

/* The shares of all values, once the shift is known to be none to the left. */
static void tabulate(operand *a) {
    for (int32_t i = 0; i < 256; i++) {
        int32_t exact = share(i + a->low, a->zero, a->multiplier, a->shift);
        a->exact[i] = a->negative ? -exact : exact;
        for (int lean = 0; lean < LEANS; lean++) {
            ts_add_step step = operand_step(a, lean);
            a->fitted[lean][i] = step_value(&step, i + a->low);
        }
    }
}

static int32_t sum_result(int64_t sum, const ts_requant *rq) {
    int64_t y = (int64_t)ts_rounding_divide_by_pot(
                    ts_rounding_doubling_high_mul((int32_t)sum, rq->multiplier[0]), -rq->shift[0]) +
                rq->zero;
    return y < rq->low ? rq->low : y > rq->high ? rq->high : (int32_t)y;
}

/* Number of operand pairs, of all 65,536, for which the graph's addition differs from the reference's;
 * counted no further than the row that reaches `enough`. */
static uint32_t differing_pairs(const operand *a, const operand *b, int lean_a, int lean_b,
                                const ts_requant *rq, uint32_t enough) {
    uint32_t differing = 0;
    for (int i = 0; i < 256 && differing < enough; i++) {
        for (int k = 0; k < 256; k++) {
            int64_t exact = (int64_t)a->exact[i] + b->exact[k];
            int64_t fitted = a->fitted[lean_a][i] + b->fitted[lean_b][k];
            differing += exact != fitted && sum_result(exact, rq) != sum_result(fitted, rq);
        }
    }
    return differing;
}

/* Chooses the steps of both operands so that no pair differs; returns the fewest differing pairs. */
static uint32_t fit_steps(const operand *a, const operand *b, const ts_requant *rq, ts_node *node) {
    uint32_t fewest = UINT32_MAX;
    for (int lean_a = 0; lean_a < LEANS && fewest > 0; lean_a++) {
        for (int lean_b = 0; lean_b < LEANS && fewest > 0; lean_b++) {
            uint32_t differing = differing_pairs(a, b, lean_a, lean_b, rq, fewest);
            if (differing < fewest) {
                fewest = differing;
                node->in1 = operand_step(a, lean_a);
                node->in2 = operand_step(b, lean_b);
            }
        }
    }
    return fewest;
}

/* ---- two inputs ---- */

/* An operation on two tensors: activations, or one of them a constant. */
typedef struct binary {
    tfl_tensor *x[2], *y;
    int32_t bounds[2];
    operand a[2];
    ts_requant rq;
} binary;

static bool is_constant(const tfl_tensor *x) {
    return ts__tfl_is_8_bits(x) && x->data.count > 0 && x->data.count == x->elements && x->scales.count == 1;
}

static int32_t constant_at(const tfl_tensor *x, uint64_t i) {
    return x->type == TYPE_UINT8 ? x->data.data[i] : (int8_t)x->data.data[i];
}

static ts_status take_binary(tfl *t, const tfl_op *o, binary *b) {
    for (uint32_t i = 0; i < 2; i++) {
        b->x[i] = ts__tfl_tensor_at(t, o->inputs, i);
        if (b->x[i] == NULL || !is_constant(b->x[i])) {
            TS_TRY(ts__tfl_map_at(t, o, i, &b->x[i]));
        }
    }
    if (b->x[0]->data.count > 0 && b->x[1]->data.count > 0) {
        return TFL_FAIL(TS_DIAG_UNSUPPORTED, "both inputs are constant");
    }
    TS_TRY(ts__tfl_output_of(t, o, &b->y));
    if (b->x[0]->type != b->x[1]->type || b->x[0]->type != b->y->type) {
        return TFL_FAIL(TS_DIAG_UNSUPPORTED, "inputs and output have not one type");
    }
    int64_t activation = ts__flat_int(&t->flat, o->options, 0, 1, 0);
    return ts__tfl_activation_bounds(t, o, activation, b->y, &b->bounds[0], &b->bounds[1]);
}

/* Adds the node on both activations, the smaller one repeated. */
static ts_status add_binary(tfl *t, const tfl_op *o, binary *b, ts_node *node) {
    ts_tensor_id output;
    TS_TRY(ts__tfl_new_activation(t, o, b->y, &output));
    node->input_count = 2;
    for (uint32_t i = 0; i < 2; i++) {
        uint32_t dims[4];
        memcpy(dims, t->graph->tensors.data[output].dims, sizeof dims);
        TS_TRY(ts__tfl_broadcast(t, o, b->x[i], dims, &node->inputs[i]));
    }
    ts__tfl_add_node(t, node, b->y, output);
    return TS_OK;
}

/* A constant that is one number makes the operation a function of one element. */
static bool is_one_number(const tfl_tensor *x) {
    for (uint64_t i = 1; i < x->data.count; i++) {
        if (x->data.data[i] != x->data.data[0]) {
            return false;
        }
    }
    return x->data.count > 0;
}

static int32_t sum_with_constant(const void *context, int32_t x) {
    const binary *b = context;
    uint32_t k = b->x[0]->data.count > 0 ? 0 : 1;
    int32_t constant = constant_at(b->x[k], 0) - b->a[k].low;
    return sum_result((int64_t)b->a[1 - k].exact[x - b->a[1 - k].low] + b->a[k].exact[constant], &b->rq);
}

/* The shares of an operand to the bit, in 32 bits: those of values above its zero point and those of values
 * below are each one step, of which the other is 0. */
static ts_tensor_id exact_shares(tfl *t, const tfl_op *o, const operand *a, uint32_t number,
                                 ts_tensor_id from) {
    ts_tensor tensor = {.name = ts_arena_printf(t->arena, "%s.share%u", o->name, number),
                        .type = TS_S32,
                        .rank = 4,
                        .producer = TS_NONE};
    memcpy(tensor.dims, t->graph->tensors.data[from].dims, sizeof tensor.dims);
    ts_node node = {.name = tensor.name,
                    .file_index = o->index,
                    .op = TS_OP_ADD,
                    .input_count = 2,
                    .inputs = {from, from},
                    .in1 = operand_step(a, 0),
                    .in2 = operand_step(a, LEANS),
                    .sum = {.mul = 1, .div = 1, .low = INT32_MIN, .high = INT32_MAX}};
    *(a->negative ? &node.in1.high : &node.in1.low) = 0;
    *(a->negative ? &node.in2.low : &node.in2.high) = 0;
    node.output = ts_graph_add_tensor(t->graph, &tensor);
    ts_graph_add_node(t->graph, &node);
    return node.output;
}

/* An addition for which no choice of single roundings is right for all pairs: operands whose shares are
 * rounded twice have them computed first. */
static ts_status add_exactly(tfl *t, const tfl_op *o, const binary *b, ts_node *node) {
    ts_tensor_id output;
    TS_TRY(ts__tfl_new_activation(t, o, b->y, &output));
    ts_add_step *steps[2] = {&node->in1, &node->in2};
    node->input_count = 2;
    for (uint32_t i = 0; i < 2; i++) {
        uint32_t dims[4];
        memcpy(dims, t->graph->tensors.data[output].dims, sizeof dims);
        TS_TRY(ts__tfl_broadcast(t, o, b->x[i], dims, &node->inputs[i]));
        *steps[i] = operand_step(&b->a[i], 0);
        if (b->a[i].shift < 0) {
            const int32_t most = 256 << 20; /* no share is greater */
            node->inputs[i] = exact_shares(t, o, &b->a[i], i + 1, node->inputs[i]);
            *steps[i] = (ts_add_step){.mul = 1, .div = 1, .low = -most, .high = most};
        }
    }
    ts__tfl_add_node(t, node, b->y, output);
    return TS_OK;
}

/* An operation with a constant as one on channels: the constant's axes from its first one that varies on are
 * channels, and the elements keep their order. */
typedef struct spread {
    ts_tensor_id from;   /* the activation */
    uint32_t dims[4];    /* of it, and of the result */
    tfl_tensor constant; /* one element a channel */
} spread;

static ts_status spread_constant(tfl *t, const tfl_op *o, const binary *b, uint32_t k, spread *s) {
    const tfl_tensor *x = b->x[1 - k], *constant = b->x[k];
    uint32_t map[4], dims[4], first = 3;
    bool fits = ts__tfl_map_dims(b->y, map) && ts__tfl_map_dims(constant, dims);
    for (uint32_t i = 3; fits && i >= 1; i--) {
        fits = dims[i] == 1 || dims[i] == map[i];
        first = dims[i] > 1 ? i : first;
    }
    if (!fits) {
        return TFL_FAIL(TS_DIAG_SHAPE, "its constant does not broadcast to its output");
    }
    TS_TRY(ts__tfl_broadcast(t, o, x, map, &s->from));
    uint64_t count = 1, all = (uint64_t)map[1] * map[2] * map[3];
    for (uint32_t i = first; i < 4; i++) {
        count *= map[i];
    }
    TS_TRY(ts__tfl_take_work(t, o, count));
    uint8_t *data = TS_NEW_ARRAY(t->arena, uint8_t, count);
    for (uint32_t c = 0; c < count; c++) {
        uint32_t rest = c, index = 0, stride = 1;
        for (uint32_t i = 3; i >= first; i--) {
            index += dims[i] > 1 ? rest % map[i] * stride : 0;
            rest /= map[i];
            stride *= dims[i];
        }
        data[c] = constant->data.data[index];
    }
    s->constant = *constant;
    s->constant.elements = count;
    s->constant.data = (ts_flat_vector){(uint32_t)count, data};
    const uint32_t rows[4] = {1, 1, (uint32_t)(all / count), (uint32_t)count};
    memcpy(s->dims, first == 3 ? map : rows, sizeof s->dims);
    if (first < 3) {
        s->from = ts__tfl_reshaped(t, o, s->from, s->dims);
    }
    return TS_OK;
}

/* The result, in the shape in which it is computed: what reads it sees it in the file's. */
static ts_status new_spread(tfl *t, const tfl_op *o, const binary *b, const spread *s, ts_tensor_id *out) {
    TS_TRY(ts__tfl_new_activation(t, o, b->y, out));
    memcpy(t->graph->tensors.data[*out].dims, s->dims, sizeof s->dims);
    return TS_OK;
}

/* A constant that is one number makes the operation a function of one element. */
static ts_status add_function(tfl *t, const tfl_op *o, const binary *b, uint32_t k, ts__tfl_function *f) {
    uint32_t dims[4];
    tfl_tensor x = *b->x[1 - k];
    if (!ts__tfl_map_dims(b->y, dims)) {
        return TFL_FAIL(TS_DIAG_SHAPE, "its result is no map");
    }
    TS_TRY(ts__tfl_broadcast(t, o, &x, dims, &x.tensor));
    return ts__tfl_add_table(t, o, &x, b->y, f, b);
}

/* A constant of one number a channel: the share of x to the bit, plus the constant's share in 32 bits, then
 * the sum's own requantisation. */
static ts_status add_channels(tfl *t, const tfl_op *o, const binary *b, uint32_t k) {
    const operand *a = &b->a[1 - k];
    const int32_t most = 1 << 29; /* no sum of two shares is greater */
    ts_tensor_id output;
    spread s;
    TS_TRY(spread_constant(t, o, b, k, &s));
    ts_tensor_id from = s.from;
    uint32_t channels = s.dims[3];
    ts_tensor sums = {.name = ts_arena_printf(t->arena, "%s.sum", o->name), .type = TS_S32, .rank = 4};
    memcpy(sums.dims, s.dims, sizeof sums.dims);
    ts_node node = {.name = sums.name,
                    .file_index = o->index,
                    .op = TS_OP_ADD,
                    .input_count = 2,
                    .inputs = {from, from},
                    .in1 = operand_step(a, 0),
                    .in2 = {.mul = 0, .div = 1, .low = 0, .high = 0},
                    .sum = {.mul = 1, .div = 1, .low = INT32_MIN, .high = INT32_MAX}};
    if (a->shift < 0) { /* two roundings, each on its side of the zero point */
        node.in2 = operand_step(a, LEANS);
        *(a->negative ? &node.in1.high : &node.in1.low) = 0;
        *(a->negative ? &node.in2.low : &node.in2.high) = 0;
    }
    int64_t *kappa = TS_NEW_ARRAY(t->arena, int64_t, channels),
            *lambda = TS_NEW_ARRAY(t->arena, int64_t, channels);
    for (uint32_t c = 0; c < channels; c++) {
        kappa[c] = 1;
        lambda[c] = b->a[k].exact[constant_at(&s.constant, c) - b->a[k].low];
    }
    node.requant = (ts_requant){.kind = TS_REQUANT_NEMO,
                                .channels = channels,
                                .kappa = kappa,
                                .lambda = lambda,
                                .m = 1,
                                .d = 1,
                                .low = -most,
                                .high = most};
    node.output = ts_graph_add_tensor(t->graph, &sums);
    ts_graph_add_node(t->graph, &node);
    ts_node last = ts__tfl_new_node(t, o, TS_OP_REQUANT, b->x[1 - k]);
    last.inputs[0] = node.output;
    last.requant = b->rq;
    TS_TRY(new_spread(t, o, b, &s, &output));
    ts__tfl_add_node(t, &last, b->y, output);
    return TS_OK;
}

static ts_status take_sum(tfl *t, const tfl_op *o, bool difference) {
    binary *b = TS_NEW(t->scratch, binary);
    int32_t *multiplier, *shift;
    TS_TRY(take_binary(t, o, b));
    TS_TRY(ts__tfl_take_work(t, o, LEANS * LEANS * 65536));
    double s1 = (double)ts__tfl_scale_of(b->x[0], 0), s2 = (double)ts__tfl_scale_of(b->x[1], 0);
    double twice_max = 2 * (s1 > s2 ? s1 : s2);
    prepare(&b->a[0], b->x[0], twice_max, false);
    prepare(&b->a[1], b->x[1], twice_max, difference);
    b->rq = ts__tfl_new_requant(t, 1, b->y, b->bounds[0], b->bounds[1], &multiplier, &shift);
    ts__tflite_multiplier(twice_max / ((1 << 20) * (double)ts__tfl_scale_of(b->y, 0)), multiplier, shift);
    if (*shift > 0 || b->a[0].shift > 0 || b->a[1].shift > 0) {
        return TFL_FAIL(TS_DIAG_UNSUPPORTED, "its output's scale is too small beside its inputs'");
    }
    tabulate(&b->a[0]);
    tabulate(&b->a[1]);
    for (uint32_t k = 0; k < 2; k++) {
        if (b->x[k]->data.count > 0) {
            return is_one_number(b->x[k]) ? add_function(t, o, b, k, sum_with_constant)
                                          : add_channels(t, o, b, k);
        }
    }
    ts_node node = ts__tfl_new_node(t, o, TS_OP_ADD, b->x[0]);
    node.requant = b->rq;
    node.sum = (ts_add_step){.mul = 1, .div = 1, .low = INT32_MIN, .high = INT32_MAX};
    uint32_t differing = fit_steps(&b->a[0], &b->a[1], &node.requant, &node);
    return differing == 0 ? add_binary(t, o, b, &node) : add_exactly(t, o, b, &node);
}

ts_status ts__tfl_add(tfl *t, const tfl_op *o) { return take_sum(t, o, false); }

ts_status ts__tfl_sub(tfl *t, const tfl_op *o) { return take_sum(t, o, true); }

static int32_t product_with_constant(const void *context, int32_t x) {
    const binary *b = context;
    uint32_t k = b->x[0]->data.count > 0 ? 0 : 1;
    int32_t factor = constant_at(b->x[k], 0) - ts__tfl_zero_of(b->x[k]);
    int32_t product = (x - ts__tfl_zero_of(b->x[1 - k])) * factor;
    int64_t y = (int64_t)ts_multiply_by_quantized(product, b->rq.multiplier[0], b->rq.shift[0]) + b->rq.zero;
    return y < b->rq.low ? b->rq.low : y > b->rq.high ? b->rq.high : (int32_t)y;
}

/* A constant that has one number a channel is the weights of a depthwise convolution of 1 x 1. */
static ts_status multiply_channels(tfl *t, const tfl_op *o, binary *b, uint32_t k) {
    ts_tensor_id output;
    spread s;
    TS_TRY(spread_constant(t, o, b, k, &s));
    const tfl_tensor *w = &s.constant;
    uint32_t channels = s.dims[3];
    ts_node node = ts__tfl_new_node(t, o, TS_OP_CONV, b->x[1 - k]);
    node.inputs[0] = s.from;
    TS_TRY(new_spread(t, o, b, &s, &output));
    node.groups = channels;
    node.window = (ts_window){1, 1, 1, 1, 1, 1, 0, 0, 0, 0};
    double *scale = TS_NEW(t->arena, double);
    *scale = (double)ts__tfl_scale_of(w, 0);
    node.weights =
        add_weights(t, o, 4, (const uint32_t[]){channels, 1, 1, 1}, w, false, (ts_quantum){1, scale, NULL});
    node.requant = b->rq;
    ts__tfl_add_node(t, &node, b->y, output);
    return TS_OK;
}

ts_status ts__tfl_mul(tfl *t, const tfl_op *o) {
    binary *b = TS_NEW(t->scratch, binary);
    int32_t *multiplier, *shift;
    TS_TRY(take_binary(t, o, b));
    /* Here the reference kernels multiply and divide the scales as floats. */
    float real = ts__tfl_scale_of(b->x[0], 0) * ts__tfl_scale_of(b->x[1], 0) / ts__tfl_scale_of(b->y, 0);
    b->rq = ts__tfl_new_requant(t, 1, b->y, b->bounds[0], b->bounds[1], &multiplier, &shift);
    ts__tflite_multiplier((double)real, multiplier, shift);
    for (uint32_t k = 0; k < 2; k++) {
        if (b->x[k]->data.count > 0) {
            return is_one_number(b->x[k]) ? add_function(t, o, b, k, product_with_constant)
                                          : multiply_channels(t, o, b, k);
        }
    }
    ts_node node = ts__tfl_new_node(t, o, TS_OP_MUL, b->x[0]);
    node.requant = b->rq;
    return add_binary(t, o, b, &node);
}
