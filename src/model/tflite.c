#include "model/tflite.h"

#include <math.h>
#include <string.h>

#include "model/flat.h"
#include "model/values.h"

/* Field numbers of the format's tables. */
enum { MODEL_CODES = 1, MODEL_SUBGRAPHS = 2, MODEL_BUFFERS = 4 };
enum { CODE_OLD = 0, CODE_NEW = 3 };
enum { SUBGRAPH_TENSORS, SUBGRAPH_INPUTS, SUBGRAPH_OUTPUTS, SUBGRAPH_OPERATORS };
enum { TENSOR_SHAPE, TENSOR_TYPE, TENSOR_BUFFER, TENSOR_NAME, TENSOR_QUANTIZATION };
enum { QUANTIZATION_SCALE = 2, QUANTIZATION_ZERO = 3, QUANTIZATION_DIMENSION = 6 };
enum { OPERATOR_CODE, OPERATOR_INPUTS, OPERATOR_OUTPUTS, OPERATOR_OPTIONS = 4 };
enum { CONV_PADDING, CONV_STRIDE_W, CONV_STRIDE_H, CONV_ACTIVATION, CONV_DILATION_W, CONV_DILATION_H };
enum { DEPTHWISE_ACTIVATION = 4, DEPTHWISE_DILATION_W = 5, DEPTHWISE_DILATION_H = 6 };
enum { POOL_FILTER_W = 3, POOL_FILTER_H = 4, POOL_ACTIVATION = 5 };
enum { PADDING_SAME, PADDING_VALID };
enum { ACTIVATION_NONE, ACTIVATION_RELU, ACTIVATION_RELU_N1, ACTIVATION_RELU6 };
enum { TYPE_FLOAT = 0, TYPE_INT32 = 2, TYPE_INT8 = 9 };
enum { MAX_TENSORS = 1 << 16, MAX_OPERATORS = 1 << 16, MAX_WINDOW = 4096 };

/* A tensor of the file. */
typedef struct tfl_tensor {
    const char *name;
    uint32_t rank;
    uint32_t dims[TS_MAX_RANK];
    uint64_t elements;
    int32_t type;
    ts_flat_vector data; /* constants */
    ts_flat_vector scales, zeros;
    int64_t quantized_dimension;
    ts_tensor_id tensor; /* of the graph; TS_NONE before it is computed */
    uint32_t pads[4];    /* explicit padding: top, left, bottom, right */
    bool tail;           /* behind the last integer layer */
} tfl_tensor;

typedef struct tfl {
    ts_arena *arena, *scratch;
    ts_diags *diags;
    ts_flat flat;
    ts_graph *graph;
    tfl_tensor *tensors;
    uint32_t tensor_count;
    uint64_t work_left;
} tfl;

/* One operator of the file. */
typedef struct tfl_op {
    const char *op, *name; /* its kind, and its output's name */
    uint32_t index;
    ts_flat_vector inputs, outputs;
    ts_flat_table options;
} tfl_op;

#define FAIL(code, ...) ts_error(t->diags, (code), o->name, o->op, __VA_ARGS__)

static ts_status damaged(const tfl *t, const char *what) {
    return ts_error(t->diags, TS_DIAG_MALFORMED, NULL, NULL, "the file is damaged: %s", what);
}

/* ---- tensors ---- */

static ts_status read_shape(tfl *t, ts_flat_table table, tfl_tensor *x) {
    ts_flat_vector shape = ts__flat_vector(&t->flat, table, TENSOR_SHAPE, 4);
    x->rank = shape.count;
    x->elements = 1;
    if (shape.count > TS_MAX_RANK) {
        return damaged(t, "a tensor has more than 6 dimensions");
    }
    for (uint32_t i = 0; i < shape.count; i++) {
        int32_t dim = ts__flat_i32(shape, i);
        if (dim < 0 || (uint64_t)dim > TS_MAX_ELEMENTS) {
            return damaged(t, "a tensor's shape is negative or absurdly large");
        }
        x->dims[i] = (uint32_t)dim;
        x->elements *= x->dims[i];
        if (x->elements > TS_MAX_ELEMENTS) {
            return damaged(t, "a tensor is absurdly large");
        }
    }
    return TS_OK;
}

static ts_status read_tensor(tfl *t, ts_flat_table table, ts_flat_vector buffers, tfl_tensor *x) {
    ts_flat *f = &t->flat;
    TS_TRY(read_shape(t, table, x));
    x->type = (int32_t)ts__flat_int(f, table, TENSOR_TYPE, 1, TYPE_FLOAT);
    x->name = ts__flat_text(f, t->arena, table, TENSOR_NAME);
    x->tensor = TS_NONE;
    int64_t buffer = ts__flat_int(f, table, TENSOR_BUFFER, 4, 0);
    if (buffer < 0 || buffer >= buffers.count) {
        return damaged(t, "a tensor names a buffer that does not exist");
    }
    if (buffer != 0) {
        x->data = ts__flat_vector(f, ts__flat_table_at(f, buffers, (uint32_t)buffer), 0, 1);
    }
    ts_flat_table quantization = ts__flat_child(f, table, TENSOR_QUANTIZATION);
    x->scales = ts__flat_vector(f, quantization, QUANTIZATION_SCALE, 4);
    x->zeros = ts__flat_vector(f, quantization, QUANTIZATION_ZERO, 8);
    x->quantized_dimension = ts__flat_int(f, quantization, QUANTIZATION_DIMENSION, 4, 0);
    return f->bad ? damaged(t, "an offset leads out of it") : TS_OK;
}

/* Converters join the names of all that they fused with semicolons: the first one is enough where no other
 * activation has it. */
static void shorten_names(tfl *t) {
    enum { MOST = 2048 };
    for (uint32_t i = 0; i < t->tensor_count && t->tensor_count <= MOST; i++) {
        const char *name = t->tensors[i].name;
        size_t length = strcspn(name, ";");
        bool alone = length > 0 && name[length] == ';' && t->tensors[i].data.count == 0;
        for (uint32_t k = 0; alone && k < t->tensor_count; k++) {
            const char *other = t->tensors[k].name;
            alone = k == i || t->tensors[k].data.count > 0 || strncmp(other, name, length) != 0 ||
                    (other[length] != ';' && other[length] != '\0');
        }
        if (alone) {
            t->tensors[i].name = ts_arena_copy(t->arena, name, length);
        }
    }
}

static ts_status read_tensors(tfl *t, ts_flat_table model, ts_flat_table subgraph) {
    ts_flat *f = &t->flat;
    ts_flat_vector buffers = ts__flat_vector(f, model, MODEL_BUFFERS, 4);
    ts_flat_vector tensors = ts__flat_vector(f, subgraph, SUBGRAPH_TENSORS, 4);
    if (f->bad || tensors.count > MAX_TENSORS) {
        return damaged(t, "its tables lead out of it or have too many tensors");
    }
    t->tensor_count = tensors.count;
    t->tensors = TS_NEW_ARRAY(t->scratch, tfl_tensor, tensors.count);
    for (uint32_t i = 0; i < tensors.count; i++) {
        TS_TRY(read_tensor(t, ts__flat_table_at(f, tensors, i), buffers, &t->tensors[i]));
    }
    shorten_names(t);
    return TS_OK;
}

/* {1, H, W, C} of an activation; vectors have H = W = 1, sequences H = 1. */
static bool map_dims(const tfl_tensor *x, uint32_t dims[4]) {
    uint32_t skip = x->rank > 1 ? 1 : 0, given = x->rank - skip;
    if (x->rank == 0 || x->rank > 4 || (skip == 1 && x->dims[0] != 1) || x->elements == 0) {
        return false;
    }
    dims[0] = dims[1] = dims[2] = dims[3] = 1;
    for (uint32_t i = 0; i < given; i++) {
        dims[4 - given + i] = x->dims[skip + i];
    }
    return true;
}

static float scale_of(const tfl_tensor *x, uint32_t i) {
    return ts__flat_f32(x->scales, x->scales.count == 1 ? 0 : i);
}

static int32_t zero_of(const tfl_tensor *x) {
    return x->zeros.count == 0 ? 0 : (int32_t)ts__flat_i64(x->zeros, 0);
}

/* Adds the tensor of an int8 activation to the graph. */
static ts_status new_activation(tfl *t, const tfl_op *o, tfl_tensor *x, ts_tensor_id *out) {
    uint32_t dims[4];
    if (x->type != TYPE_INT8 || x->scales.count != 1 || x->zeros.count > 1) {
        return FAIL(TS_DIAG_UNSUPPORTED, "tensor '%s' is not int8 with one scale and zero point", x->name);
    }
    if (!map_dims(x, dims)) {
        return FAIL(TS_DIAG_SHAPE, "tensor '%s' has not a batch of 1 and up to 4 dimensions", x->name);
    }
    double *scale = TS_NEW(t->arena, double);
    int32_t *zero = TS_NEW(t->arena, int32_t);
    *scale = (double)scale_of(x, 0);
    *zero = zero_of(x);
    if (!(*scale > 0) || !isfinite(*scale) || *zero < -128 || *zero > 127) {
        return FAIL(TS_DIAG_VALUE, "tensor '%s' has no positive scale or its zero point is no int8", x->name);
    }
    const char *name = ts_arena_printf(t->arena, "%s", x->name);
    ts_tensor tensor = {
        .name = *name == '\0' ? ts_arena_printf(t->arena, "t%u", (unsigned)(x - t->tensors)) : name,
        .type = TS_S8,
        .rank = 4,
        .quantum = {1, scale, zero},
        .producer = TS_NONE};
    memcpy(tensor.dims, dims, sizeof dims);
    *out = ts_graph_add_tensor(t->graph, &tensor);
    return TS_OK;
}

/* ---- operators: common parts ---- */

static tfl_tensor *tensor_at(const tfl *t, ts_flat_vector list, uint32_t i) {
    int32_t index = i < list.count ? ts__flat_i32(list, i) : -1;
    return index < 0 || (uint32_t)index >= t->tensor_count ? NULL : &t->tensors[index];
}

static const ts_tensor *value_of(const tfl *t, const tfl_tensor *x) {
    return &t->graph->tensors.data[x->tensor];
}

/* An input that is an int8 activation computed before. */
static ts_status activation_at(tfl *t, const tfl_op *o, uint32_t i, tfl_tensor **out) {
    tfl_tensor *x = tensor_at(t, o->inputs, i);
    if (x == NULL || x->tensor == TS_NONE || x->tail) {
        return FAIL(TS_DIAG_UNSUPPORTED, "input %u is missing, constant, or behind the last integer layer",
                    i);
    }
    *out = x;
    return TS_OK;
}

static ts_status no_pads(tfl *t, const tfl_op *o, const tfl_tensor *x) {
    if ((x->pads[0] | x->pads[1] | x->pads[2] | x->pads[3]) != 0) {
        return FAIL(TS_DIAG_UNSUPPORTED, "its input is padded; PAD is served before convolutions");
    }
    return TS_OK;
}

static ts_status output_of(tfl *t, const tfl_op *o, tfl_tensor **out) {
    tfl_tensor *y = tensor_at(t, o->outputs, 0);
    if (y == NULL || o->outputs.count != 1 || y->tensor != TS_NONE || y->data.count > 0) {
        return FAIL(TS_DIAG_MALFORMED, "it has not one output of its own");
    }
    *out = y;
    return TS_OK;
}

static ts_node new_node(tfl *t, const tfl_op *o, ts_op op, const tfl_tensor *x) {
    return (ts_node){.name = ts_arena_strdup(t->arena, o->name),
                     .file_index = o->index,
                     .op = op,
                     .input_count = 1,
                     .inputs = {x->tensor},
                     .weights = TS_NONE,
                     .bias = TS_NONE};
}

static void add_node(tfl *t, ts_node *node, tfl_tensor *y, ts_tensor_id output) {
    node->output = output;
    ts_graph_add_node(t->graph, node);
    y->tensor = output;
}

/* Bounds of the result that a fused activation leaves. */
static ts_status activation_bounds(tfl *t, const tfl_op *o, int64_t activation, const tfl_tensor *y,
                                   int32_t *low, int32_t *high) {
    double scale = (double)scale_of(y, 0), zero = zero_of(y);
    double min = activation == ACTIVATION_RELU || activation == ACTIVATION_RELU6 ? 0 : -1;
    double max = activation == ACTIVATION_RELU6 ? 6 : 1;
    *low = -128;
    *high = 127;
    if (activation < ACTIVATION_NONE || activation > ACTIVATION_RELU6) {
        return FAIL(TS_DIAG_UNSUPPORTED,
                    "fused activation %lld; NONE, RELU, RELU_N1_TO_1 and RELU6 are served",
                    (long long)activation);
    }
    if (activation != ACTIVATION_NONE) {
        double bound = zero + round(min / scale);
        *low = bound > -128 ? bound > 127 ? 127 : (int32_t)bound : -128;
    }
    if (activation == ACTIVATION_RELU6 || activation == ACTIVATION_RELU_N1) {
        double bound = zero + round(max / scale);
        *high = bound < 127 ? bound < *low ? *low : (int32_t)bound : 127;
    }
    return TS_OK;
}

/* Source: QuantizeMultiplier of TensorFlow Lite's kernels/internal/quantization_util.cc. */
void ts__tflite_multiplier(double real, int32_t *multiplier, int32_t *shift) {
    int exponent = 0;
    *multiplier = 0;
    *shift = 0;
    if (!(real > 0)) {
        return;
    }
    int64_t q = (int64_t)round(frexp(real, &exponent) * 2147483648.0);
    if (q == INT64_C(1) << 31) {
        q /= 2;
        exponent++;
    }
    if (exponent < -31) {
        exponent = 0;
        q = 0;
    }
    if (exponent > 30) {
        exponent = 30;
        q = INT32_MAX;
    }
    *multiplier = (int32_t)q;
    *shift = exponent;
}

static ts_requant new_requant(tfl *t, uint32_t channels, const tfl_tensor *y, int32_t low, int32_t high,
                              int32_t **multiplier, int32_t **shift) {
    *multiplier = TS_NEW_ARRAY(t->arena, int32_t, channels);
    *shift = TS_NEW_ARRAY(t->arena, int32_t, channels);
    return (ts_requant){.kind = TS_REQUANT_TFLITE,
                        .channels = channels,
                        .multiplier = *multiplier,
                        .shift = *shift,
                        .zero = zero_of(y),
                        .low = low,
                        .high = high};
}

static ts_status options_window(tfl *t, const tfl_op *o, const uint32_t fields[4], ts_window *w) {
    uint32_t *places[4] = {&w->stride_w, &w->stride_h, &w->dilation_w, &w->dilation_h};
    for (uint32_t i = 0; i < 4; i++) {
        int64_t value =
            fields[i] == TS_NONE ? 1 : ts__flat_int(&t->flat, o->options, fields[i], 4, i < 2 ? 0 : 1);
        if (value < 1 || value > MAX_WINDOW) {
            return FAIL(TS_DIAG_VALUE, "a stride or dilation is %lld; 1 to %d are served", (long long)value,
                        MAX_WINDOW);
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
    const ts_tensor *in = value_of(t, x);
    uint32_t h = ts_h(in) + x->pads[0] + x->pads[2], v = ts_w(in) + x->pads[1] + x->pads[3];
    if (padding == PADDING_SAME) {
        same_pads(h, w->kernel_h, w->stride_h, w->dilation_h, &w->pad_top, &w->pad_bottom);
        same_pads(v, w->kernel_w, w->stride_w, w->dilation_w, &w->pad_left, &w->pad_right);
    } else if (padding != PADDING_VALID) {
        return FAIL(TS_DIAG_MALFORMED, "padding %lld is neither SAME nor VALID", (long long)padding);
    }
    w->pad_top += x->pads[0];
    w->pad_left += x->pads[1];
    w->pad_bottom += x->pads[2];
    w->pad_right += x->pads[3];
    return TS_OK;
}

/* A reshaped input of the network takes the shape in which its first layer reads it. */
static ts_status as_map(tfl *t, const tfl_op *o, const tfl_tensor *x) {
    uint32_t dims[4];
    ts_tensor *in = &t->graph->tensors.data[x->tensor];
    if (map_dims(x, dims) && memcmp(in->dims, dims, sizeof dims) == 0) {
        return TS_OK;
    }
    bool read = in->producer != TS_NONE || !map_dims(x, dims);
    for (ts_node_id i = 0; i < t->graph->nodes.count; i++) {
        const ts_node *node = &t->graph->nodes.data[i];
        for (uint32_t k = 0; k < node->input_count; k++) {
            read = read || node->inputs[k] == x->tensor;
        }
    }
    if (read) {
        return FAIL(TS_DIAG_UNSUPPORTED,
                    "its input is reshaped; a RESHAPE is served before FULLY_CONNECTED and at "
                    "the network's input");
    }
    memcpy(in->dims, dims, sizeof dims);
    return TS_OK;
}

/* ---- parameters ---- */

static ts_status take_work(tfl *t, const tfl_op *o, uint64_t elements) {
    if (elements > t->work_left) {
        return FAIL(TS_DIAG_LIMIT,
                    "the file asks for more work than one of its size can need; is it damaged?");
    }
    t->work_left -= elements;
    return TS_OK;
}

static ts_status parameter_at(tfl *t, const tfl_op *o, uint32_t i, int32_t type, uint32_t element_bytes,
                              tfl_tensor **out) {
    tfl_tensor *x = tensor_at(t, o->inputs, i);
    if (x == NULL || x->type != type || x->data.count == 0 || x->data.count != x->elements * element_bytes) {
        return FAIL(TS_DIAG_UNSUPPORTED, "input %u is not a constant of type %s with all its data", i,
                    type == TYPE_INT8 ? "int8" : "int32");
    }
    *out = x;
    return take_work(t, o, x->elements);
}

static ts_status bias_of(tfl *t, const tfl_op *o, uint32_t channels, ts_tensor_id *out) {
    tfl_tensor *b = tensor_at(t, o->inputs, 2);
    *out = TS_NONE;
    if (b == NULL) {
        return TS_OK;
    }
    TS_TRY(parameter_at(t, o, 2, TYPE_INT32, 4, &b));
    if (b->elements != channels) {
        return FAIL(TS_DIAG_SHAPE, "its bias has %llu elements; %u would be right",
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

/* Scales of the weights, one or one a channel; zero points must be 0. */
static ts_status weight_quantum(tfl *t, const tfl_op *o, const tfl_tensor *w, uint32_t channels,
                                int64_t dimension, ts_quantum *out) {
    uint32_t count = w->scales.count;
    if ((count != 1 && (count != channels || w->quantized_dimension != dimension)) ||
        (w->zeros.count > 1 && w->zeros.count != count)) {
        return FAIL(TS_DIAG_UNSUPPORTED,
                    "its weights have %u scales along dimension %lld; 1, or %u along dimension "
                    "%lld, are served",
                    count, (long long)w->quantized_dimension, channels, (long long)dimension);
    }
    double *scale = TS_NEW_ARRAY(t->arena, double, count);
    for (uint32_t i = 0; i < count; i++) {
        scale[i] = (double)ts__flat_f32(w->scales, i);
        bool zero = i >= w->zeros.count || ts__flat_i64(w->zeros, i) == 0;
        if (!(scale[i] > 0) || !isfinite(scale[i]) || !zero) {
            return FAIL(TS_DIAG_VALUE, "scale %u of its weights is not positive or has a zero point", i);
        }
    }
    *out = (ts_quantum){count, scale, TS_NEW_ARRAY(t->arena, int32_t, count)};
    return TS_OK;
}

static ts_tensor_id add_weights(tfl *t, const tfl_op *o, uint32_t rank, const uint32_t *dims,
                                const int8_t *data, ts_quantum quantum) {
    ts_tensor tensor = {.name = ts_arena_printf(t->arena, "%s.weights", o->name),
                        .type = TS_S8,
                        .rank = rank,
                        .quantum = quantum,
                        .data = data,
                        .producer = TS_NONE};
    memcpy(tensor.dims, dims, rank * sizeof *dims);
    return ts_graph_add_tensor(t->graph, &tensor);
}

/* ---- layers ---- */

/* One multiplier a channel, from double products of the float scales, as the reference kernels prepare them.
 */
static ts_requant conv_requant(tfl *t, const tfl_tensor *x, const tfl_tensor *w, const tfl_tensor *y,
                               uint32_t channels, int32_t low, int32_t high) {
    int32_t *multiplier, *shift;
    ts_requant rq = new_requant(t, channels, y, low, high, &multiplier, &shift);
    for (uint32_t c = 0; c < channels; c++) {
        double real = (double)scale_of(x, 0) * (double)scale_of(w, c) / (double)scale_of(y, 0);
        ts__tflite_multiplier(real, &multiplier[c], &shift[c]);
    }
    return rq;
}

/* Depthwise weights [1, kh, kw, C] to OHWI. */
static const int8_t *depthwise_weights(tfl *t, const tfl_tensor *w) {
    uint32_t taps = w->dims[1] * w->dims[2], channels = w->dims[3];
    int8_t *data = TS_NEW_ARRAY(t->arena, int8_t, w->elements);
    for (uint32_t tap = 0; tap < taps; tap++) {
        for (uint32_t c = 0; c < channels; c++) {
            data[(uint64_t)c * taps + tap] = (int8_t)w->data.data[(uint64_t)tap * channels + c];
        }
    }
    return data;
}

static ts_status check_conv(tfl *t, const tfl_op *o, const tfl_tensor *w, bool depthwise,
                            uint32_t in_channels) {
    bool fits = w->rank == 4 && w->elements > 0 && w->dims[1] <= MAX_WINDOW && w->dims[2] <= MAX_WINDOW;
    if (fits && depthwise) {
        fits = w->dims[0] == 1 && w->dims[3] % in_channels == 0;
    } else if (fits) {
        fits = in_channels % w->dims[3] == 0 && w->dims[0] % (in_channels / w->dims[3]) == 0;
    }
    return fits ? TS_OK : FAIL(TS_DIAG_SHAPE, "its weights do not fit its input of %u channels", in_channels);
}

static ts_status take_conv(tfl *t, const tfl_op *o, bool depthwise) {
    static const uint32_t conv_fields[4] = {CONV_STRIDE_W, CONV_STRIDE_H, CONV_DILATION_W, CONV_DILATION_H};
    static const uint32_t depthwise_fields[4] = {CONV_STRIDE_W, CONV_STRIDE_H, DEPTHWISE_DILATION_W,
                                                 DEPTHWISE_DILATION_H};
    tfl_tensor *x, *w, *y;
    ts_tensor_id output;
    ts_quantum quantum;
    int32_t low, high;
    TS_TRY(activation_at(t, o, 0, &x));
    TS_TRY(as_map(t, o, x));
    TS_TRY(parameter_at(t, o, 1, TYPE_INT8, 1, &w));
    TS_TRY(output_of(t, o, &y));
    uint32_t in_channels = ts_c(value_of(t, x));
    TS_TRY(check_conv(t, o, w, depthwise, in_channels));
    uint32_t channels = w->dims[depthwise ? 3 : 0];
    ts_node node = new_node(t, o, TS_OP_CONV, x);
    node.groups = depthwise ? in_channels : in_channels / w->dims[3];
    node.window.kernel_h = w->dims[1];
    node.window.kernel_w = w->dims[2];
    TS_TRY(options_window(t, o, depthwise ? depthwise_fields : conv_fields, &node.window));
    TS_TRY(
        find_pads(t, o, ts__flat_int(&t->flat, o->options, CONV_PADDING, 1, PADDING_SAME), x, &node.window));
    TS_TRY(new_activation(t, o, y, &output));
    uint32_t activation_field = depthwise ? DEPTHWISE_ACTIVATION : CONV_ACTIVATION;
    int64_t activation = ts__flat_int(&t->flat, o->options, activation_field, 1, ACTIVATION_NONE);
    TS_TRY(activation_bounds(t, o, activation, y, &low, &high));
    TS_TRY(weight_quantum(t, o, w, channels, depthwise ? 3 : 0, &quantum));
    uint32_t dims[4] = {channels, w->dims[1], w->dims[2], depthwise ? 1 : w->dims[3]};
    const int8_t *data =
        depthwise ? depthwise_weights(t, w) : ts_arena_copy(t->arena, w->data.data, w->elements);
    node.weights = add_weights(t, o, 4, dims, data, quantum);
    TS_TRY(bias_of(t, o, channels, &node.bias));
    node.requant = conv_requant(t, x, w, y, channels, low, high);
    add_node(t, &node, y, output);
    return TS_OK;
}

static ts_status on_conv(tfl *t, const tfl_op *o) { return take_conv(t, o, false); }

static ts_status on_depthwise(tfl *t, const tfl_op *o) { return take_conv(t, o, true); }

static ts_status on_fully_connected(tfl *t, const tfl_op *o) {
    tfl_tensor *x, *w, *y;
    ts_tensor_id output;
    ts_quantum quantum;
    int32_t low, high, *multiplier, *shift;
    TS_TRY(activation_at(t, o, 0, &x));
    TS_TRY(no_pads(t, o, x));
    TS_TRY(parameter_at(t, o, 1, TYPE_INT8, 1, &w));
    TS_TRY(output_of(t, o, &y));
    if (w->rank != 2 || w->dims[1] != ts_tensor_elements(value_of(t, x)) || w->dims[0] != y->elements) {
        return FAIL(TS_DIAG_SHAPE, "its weights do not fit one row of its input; a batch of 1 is served");
    }
    TS_TRY(new_activation(t, o, y, &output));
    int64_t activation = ts__flat_int(&t->flat, o->options, 0, 1, ACTIVATION_NONE);
    TS_TRY(activation_bounds(t, o, activation, y, &low, &high));
    TS_TRY(weight_quantum(t, o, w, w->dims[0], 0, &quantum));
    ts_tensor *out = &t->graph->tensors.data[output];
    out->dims[1] = out->dims[2] = 1;
    out->dims[3] = w->dims[0];
    ts_node node = new_node(t, o, TS_OP_LINEAR, x);
    node.weights = add_weights(t, o, 2, w->dims, ts_arena_copy(t->arena, w->data.data, w->elements), quantum);
    TS_TRY(bias_of(t, o, w->dims[0], &node.bias));
    if (w->scales.count > 1) {
        node.requant = conv_requant(t, x, w, y, w->dims[0], low, high);
    } else { /* here the reference kernels multiply the scales as floats */
        double real = (double)(scale_of(x, 0) * scale_of(w, 0)) / (double)scale_of(y, 0);
        node.requant = new_requant(t, 1, y, low, high, &multiplier, &shift);
        ts__tflite_multiplier(real, multiplier, shift);
    }
    add_node(t, &node, y, output);
    return TS_OK;
}

/* A mean of n raw values, halves away from zero, is the staircase floor((400 s + 200 n - 1) / (400 n - 2)) of
 * their sum s while |result| <= 128: steps for positive results stand at q n - n/2, for others one further.
 * The accumulator is s less n times the zero point. `exact` says that every sum agrees. */
static bool mean_requant(tfl *t, uint32_t n, int32_t zero, ts_requant *rq) {
    int64_t *kappa = TS_NEW(t->arena, int64_t), *lambda = TS_NEW(t->arena, int64_t);
    bool odd = n % 2 != 0;
    *kappa = odd ? 1 : 400;
    *lambda = odd ? n / 2 : 200 * (int64_t)n - 1;
    rq->kind = TS_REQUANT_NEMO;
    rq->channels = 1;
    rq->m = 1;
    rq->d = odd ? n : 400 * (int64_t)n - 2;
    for (int64_t s = -128 * (int64_t)n; s <= 127 * (int64_t)n; s++) {
        int64_t expected = s > 0 ? (s + n / 2) / n : (s - n / 2) / (int64_t)n;
        int64_t u = *kappa * s + *lambda, q = u / rq->d - (u % rq->d < 0);
        if (q != expected) {
            return false;
        }
    }
    *lambda += *kappa * n * zero;
    rq->kappa = kappa;
    rq->lambda = lambda;
    return true;
}

static ts_status take_pool(tfl *t, const tfl_op *o, bool average) {
    static const uint32_t fields[4] = {CONV_STRIDE_W, CONV_STRIDE_H, TS_NONE, TS_NONE};
    tfl_tensor *x, *y;
    ts_tensor_id output;
    int32_t low, high;
    TS_TRY(activation_at(t, o, 0, &x));
    TS_TRY(no_pads(t, o, x));
    TS_TRY(as_map(t, o, x));
    TS_TRY(output_of(t, o, &y));
    ts_node node = new_node(t, o, average ? TS_OP_AVG_POOL : TS_OP_MAX_POOL, x);
    int64_t kw = ts__flat_int(&t->flat, o->options, POOL_FILTER_W, 4, 0);
    int64_t kh = ts__flat_int(&t->flat, o->options, POOL_FILTER_H, 4, 0);
    if (kw < 1 || kh < 1 || kw > MAX_WINDOW || kh > MAX_WINDOW || kw * kh > 65536) {
        return FAIL(TS_DIAG_VALUE, "a window of %lld x %lld is not served", (long long)kh, (long long)kw);
    }
    node.window.kernel_h = (uint32_t)kh;
    node.window.kernel_w = (uint32_t)kw;
    TS_TRY(options_window(t, o, fields, &node.window));
    TS_TRY(
        find_pads(t, o, ts__flat_int(&t->flat, o->options, CONV_PADDING, 1, PADDING_SAME), x, &node.window));
    const ts_window *w = &node.window;
    if (average && (w->pad_top | w->pad_left | w->pad_bottom | w->pad_right) != 0) {
        return FAIL(TS_DIAG_UNSUPPORTED,
                    "windows over the border divide by fewer elements; one divisor is served");
    }
    TS_TRY(new_activation(t, o, y, &output));
    if (scale_of(x, 0) != scale_of(y, 0) || zero_of(x) != zero_of(y)) {
        return FAIL(TS_DIAG_UNSUPPORTED, "its output has another quantum than its input");
    }
    TS_TRY(
        activation_bounds(t, o, ts__flat_int(&t->flat, o->options, POOL_ACTIVATION, 1, 0), y, &low, &high));
    TS_TRY(take_work(t, o, (uint64_t)(kw * kh) * 256));
    if (average && !mean_requant(t, (uint32_t)(kw * kh), zero_of(x), &node.requant)) {
        return FAIL(TS_DIAG_UNSUPPORTED, "no staircase equals its mean");
    }
    if (!average && (low != -128 || high != 127)) {
        static const int64_t one = 1, none = 0;
        node.requant = (ts_requant){
            .kind = TS_REQUANT_NEMO, .channels = 1, .kappa = &one, .lambda = &none, .m = 1, .d = 1};
    }
    node.requant.low = low;
    node.requant.high = high;
    add_node(t, &node, y, output);
    return TS_OK;
}

static ts_status on_average(tfl *t, const tfl_op *o) { return take_pool(t, o, true); }

static ts_status on_max(tfl *t, const tfl_op *o) { return take_pool(t, o, false); }

/* ---- addition ---- */

static int32_t high_mul(int32_t a, int32_t b) {
    int64_t product = (int64_t)a * b;
    int64_t nudge = product >= 0 ? INT64_C(1) << 30 : 1 - (INT64_C(1) << 30);
    return (int32_t)((product + nudge) / (INT64_C(1) << 31));
}

static int32_t divide_by_power(int32_t x, int32_t exponent) {
    int64_t mask = (INT64_C(1) << exponent) - 1, remainder = x & mask;
    return (x >> exponent) + (remainder > (mask >> 1) + (x < 0));
}

/* One operand's share of the sum: ((x - zero) 2^20) times the multiplier, with both roundings. */
static int32_t share(int32_t x, int32_t zero, int32_t multiplier, int32_t shift) {
    return divide_by_power(high_mul((x - zero) * (1 << 20), multiplier), -shift);
}

static int64_t step_value(const ts_add_step *s, int32_t x) {
    int64_t n = x * s->mul + s->add;
    return n / s->div - (n % s->div < 0);
}

/* The same share with one rounding, as a step of the graph. With z the product that is still to be divided by
 * 2^-shift, the reference's two roundings are floor((z + 1/2 + half) / 2^-shift) for z >= 0 and, halves going
 * away from zero, a little under floor((z - 1/2 + half) / 2^-shift) for z < 0: `lean` chooses one of them, or
 * the middle. Operands that are never below their zero point are exact with the first. */
static ts_add_step share_step(int32_t zero, int32_t multiplier, int32_t shift, int lean) {
    static const int64_t offsets[] = {1024, 0, -1025}; /* 1/2, 0, -1/2 and a little, in units of z / 2^11 */
    int32_t power = 11 - shift;
    int64_t half = shift == 0 ? 0 : INT64_C(1) << (power - 1);
    return (ts_add_step){.mul = multiplier,
                         .add = half + offsets[lean] - (int64_t)zero * multiplier,
                         .div = INT64_C(1) << power,
                         .low = INT32_MIN,
                         .high = INT32_MAX};
}

enum { LEANS = 3 };

typedef struct operand {
    int32_t zero, multiplier, shift;
    int32_t exact[256];
    int64_t fitted[LEANS][256];
} operand;

static void prepare(operand *a, const tfl_tensor *x, double twice_max) {
    a->zero = zero_of(x);
    ts__tflite_multiplier((double)scale_of(x, 0) / twice_max, &a->multiplier, &a->shift);
    for (int32_t i = 0; i < 256; i++) {
        a->exact[i] = share(i - 128, a->zero, a->multiplier, a->shift);
        for (int lean = 0; lean < LEANS; lean++) {
            ts_add_step step = share_step(a->zero, a->multiplier, a->shift, lean);
            a->fitted[lean][i] = step_value(&step, i - 128);
        }
    }
}

static int32_t sum_result(int64_t sum, const ts_requant *rq) {
    int32_t y = divide_by_power(high_mul((int32_t)sum, rq->multiplier[0]), -rq->shift[0]) + rq->zero;
    return y < rq->low ? rq->low : y > rq->high ? rq->high : y;
}

/* Number of operand pairs, of all 65,536, for which the graph's addition differs from the reference's. */
static uint32_t differing_pairs(const operand *a, const operand *b, int lean_a, int lean_b,
                                const ts_requant *rq) {
    uint32_t differing = 0;
    for (int i = 0; i < 256; i++) {
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
            uint32_t differing = differing_pairs(a, b, lean_a, lean_b, rq);
            if (differing < fewest) {
                fewest = differing;
                node->in1 = share_step(a->zero, a->multiplier, a->shift, lean_a);
                node->in2 = share_step(b->zero, b->multiplier, b->shift, lean_b);
            }
        }
    }
    return fewest;
}

static ts_status on_add(tfl *t, const tfl_op *o) {
    tfl_tensor *x1, *x2, *y;
    ts_tensor_id output;
    int32_t low, high, *multiplier, *shift;
    TS_TRY(activation_at(t, o, 0, &x1));
    TS_TRY(activation_at(t, o, 1, &x2));
    TS_TRY(no_pads(t, o, x1));
    TS_TRY(no_pads(t, o, x2));
    TS_TRY(output_of(t, o, &y));
    TS_TRY(new_activation(t, o, y, &output));
    TS_TRY(activation_bounds(t, o, ts__flat_int(&t->flat, o->options, 0, 1, 0), y, &low, &high));
    TS_TRY(take_work(t, o, LEANS * LEANS * 65536));
    double s1 = (double)scale_of(x1, 0), s2 = (double)scale_of(x2, 0), twice_max = 2 * (s1 > s2 ? s1 : s2);
    operand *a = TS_NEW(t->scratch, operand), *b = TS_NEW(t->scratch, operand);
    prepare(a, x1, twice_max);
    prepare(b, x2, twice_max);
    ts_node node = new_node(t, o, TS_OP_ADD, x1);
    node.input_count = 2;
    node.inputs[1] = x2->tensor;
    node.sum = (ts_add_step){.mul = 1, .div = 1, .low = INT32_MIN, .high = INT32_MAX};
    node.requant = new_requant(t, 1, y, low, high, &multiplier, &shift);
    ts__tflite_multiplier(twice_max / ((1 << 20) * (double)scale_of(y, 0)), multiplier, shift);
    if (*shift > 0 || a->shift > 0 || b->shift > 0) {
        return FAIL(TS_DIAG_UNSUPPORTED, "its output's scale is too small beside its inputs'");
    }
    uint32_t differing = fit_steps(a, b, &node.requant, &node);
    if (differing != 0) {
        return FAIL(TS_DIAG_UNSUPPORTED,
                    "its double rounding cannot be said with one: %u of 65536 pairs differ", differing);
    }
    add_node(t, &node, y, output);
    return TS_OK;
}

/* ---- views, ends ---- */

static ts_status on_reshape(tfl *t, const tfl_op *o) {
    tfl_tensor *x, *y;
    TS_TRY(activation_at(t, o, 0, &x));
    TS_TRY(no_pads(t, o, x));
    TS_TRY(output_of(t, o, &y));
    if (x->elements != y->elements || x->type != y->type) {
        return FAIL(TS_DIAG_SHAPE, "the number of elements would change");
    }
    y->tensor = x->tensor;
    return TS_OK;
}

static ts_status on_pad(tfl *t, const tfl_op *o) {
    tfl_tensor *x, *p, *y;
    TS_TRY(activation_at(t, o, 0, &x));
    TS_TRY(parameter_at(t, o, 1, TYPE_INT32, 4, &p));
    TS_TRY(output_of(t, o, &y));
    if (x->rank != 4 || p->elements != 8) {
        return FAIL(TS_DIAG_UNSUPPORTED, "padding of maps [1, H, W, C] is served");
    }
    for (uint32_t i = 0; i < 8; i++) {
        int32_t pad = ts__flat_i32(p->data, i);
        bool spatial = i / 2 == 1 || i / 2 == 2;
        if (pad < 0 || pad > MAX_WINDOW || (!spatial && pad != 0)) {
            return FAIL(TS_DIAG_UNSUPPORTED, "padding of rows and columns, up to %d, is served", MAX_WINDOW);
        }
    }
    TS_TRY(as_map(t, o, x));
    y->tensor = x->tensor;
    for (uint32_t i = 0; i < 4; i++) { /* top, left, bottom, right */
        y->pads[i] = x->pads[i] + (uint32_t)ts__flat_i32(p->data, (i % 2 == 0 ? 2 : 4) + i / 2);
        if (y->pads[i] > MAX_WINDOW) {
            return FAIL(TS_DIAG_LIMIT, "more than %d rows or columns of padding", MAX_WINDOW);
        }
    }
    /* What reads it sees the shape before the padding; the pads stand beside it. */
    memcpy(y->dims, x->dims, sizeof y->dims);
    y->elements = x->elements;
    return TS_OK;
}

/* Another quantum for the same values; as the network's first operator, its input's format. */
static ts_status on_quantize(tfl *t, const tfl_op *o) {
    tfl_tensor *x = tensor_at(t, o->inputs, 0), *y;
    ts_tensor_id output;
    int32_t *multiplier, *shift;
    TS_TRY(output_of(t, o, &y));
    if (x != NULL && x->type == TYPE_FLOAT && x->tensor == TS_NONE && x->data.count == 0) {
        TS_TRY(new_activation(t, o, y, &y->tensor));
        TS_PUSH(t->arena, &t->graph->inputs, y->tensor);
        ts_note(t->diags, TS_DIAG_UNSUPPORTED, o->name, o->op,
                "left out: the network's input is its int8 result");
        return TS_OK;
    }
    TS_TRY(activation_at(t, o, 0, &x));
    TS_TRY(no_pads(t, o, x));
    TS_TRY(new_activation(t, o, y, &output));
    ts_node node = new_node(t, o, TS_OP_REQUANT, x);
    node.requant = new_requant(t, 1, y, -128, 127, &multiplier, &shift);
    ts__tflite_multiplier((double)scale_of(x, 0) / (double)scale_of(y, 0), multiplier, shift);
    add_node(t, &node, y, output);
    return TS_OK;
}

/* SOFTMAX and the like at the end: what they read is the network's output. */
static ts_status on_tail(tfl *t, const tfl_op *o) {
    tfl_tensor *x, *y;
    TS_TRY(activation_at(t, o, 0, &x));
    TS_TRY(no_pads(t, o, x));
    TS_TRY(output_of(t, o, &y));
    y->tensor = x->tensor;
    y->tail = true;
    ts_note(t->diags, TS_DIAG_UNSUPPORTED, o->name, o->op, "left out: the network's output is what it reads");
    return TS_OK;
}

static ts_status on_dequantize(tfl *t, const tfl_op *o) {
    tfl_tensor *x = tensor_at(t, o->inputs, 0), *y;
    TS_TRY(output_of(t, o, &y));
    if (x == NULL || x->tensor == TS_NONE) {
        return FAIL(TS_DIAG_UNSUPPORTED, "it stands before the network's end");
    }
    y->tensor = x->tensor;
    y->tail = true;
    return TS_OK;
}

/* ---- the model ---- */

/* Number in the file, name, what takes it. docs/tflite.md lists the same set. */
#define OPERATORS(X)                            \
    X(0, "ADD", on_add)                         \
    X(1, "AVERAGE_POOL_2D", on_average)         \
    X(3, "CONV_2D", on_conv)                    \
    X(4, "DEPTHWISE_CONV_2D", on_depthwise)     \
    X(6, "DEQUANTIZE", on_dequantize)           \
    X(9, "FULLY_CONNECTED", on_fully_connected) \
    X(14, "LOGISTIC", on_tail)                  \
    X(17, "MAX_POOL_2D", on_max)                \
    X(22, "RESHAPE", on_reshape)                \
    X(25, "SOFTMAX", on_tail)                   \
    X(34, "PAD", on_pad)                        \
    X(43, "SQUEEZE", on_reshape)                \
    X(70, "EXPAND_DIMS", on_reshape)            \
    X(114, "QUANTIZE", on_quantize)

static const struct {
    int64_t code;
    const char *name;
    ts_status (*take)(tfl *t, const tfl_op *o);
} operators[] = {
#define ROW(code, name, take) {code, name, take},
    OPERATORS(ROW)
#undef ROW
};
enum { OPERATOR_COUNT = sizeof operators / sizeof operators[0] };

static ts_status take_operator(tfl *t, ts_flat_table table, ts_flat_vector codes, uint32_t index) {
    ts_flat *f = &t->flat;
    tfl_op op = {.index = index}, *o = &op;
    int64_t code_index = ts__flat_int(f, table, OPERATOR_CODE, 4, 0);
    ts_flat_table code_table = code_index < 0 ? 0 : ts__flat_table_at(f, codes, (uint32_t)code_index);
    int64_t old_code = ts__flat_int(f, code_table, CODE_OLD, 1, 0),
            code = ts__flat_int(f, code_table, CODE_NEW, 4, 0);
    code = old_code > code ? old_code : code;
    op.inputs = ts__flat_vector(f, table, OPERATOR_INPUTS, 4);
    op.outputs = ts__flat_vector(f, table, OPERATOR_OUTPUTS, 4);
    op.options = ts__flat_child(f, table, OPERATOR_OPTIONS);
    const tfl_tensor *y = tensor_at(t, op.outputs, 0);
    op.name = y != NULL && *y->name != '\0' ? y->name : ts_arena_printf(t->arena, "operator%u", index);
    op.op = ts_arena_printf(t->scratch, "operator code %lld", (long long)code);
    if (f->bad || code_table == 0) {
        return damaged(t, "an operator leads out of it or has no code");
    }
    for (uint32_t i = 0; i < OPERATOR_COUNT; i++) {
        if (operators[i].code == code) {
            op.op = operators[i].name;
            TS_TRY(operators[i].take(t, o));
            return f->bad ? damaged(t, "an operator's options lead out of it") : TS_OK;
        }
    }
    return FAIL(TS_DIAG_UNSUPPORTED, "this operator is not served; docs/tflite.md lists those that are");
}

static ts_status take_inputs(tfl *t, ts_flat_vector inputs) {
    tfl_op op = {.op = "input", .name = "input"}, *o = &op;
    for (uint32_t i = 0; i < inputs.count; i++) {
        tfl_tensor *x = tensor_at(t, inputs, i);
        if (x == NULL || x->tensor != TS_NONE || x->data.count > 0) {
            return damaged(t, "an input of the network does not exist, is constant or stands twice");
        }
        if (x->type == TYPE_FLOAT) {
            continue; /* QUANTIZE gives its format */
        }
        op.name = x->name;
        TS_TRY(new_activation(t, o, x, &x->tensor));
        TS_PUSH(t->arena, &t->graph->inputs, x->tensor);
    }
    return TS_OK;
}

static ts_status take_outputs(tfl *t, ts_flat_vector outputs) {
    for (uint32_t i = 0; i < outputs.count; i++) {
        const tfl_tensor *x = tensor_at(t, outputs, i);
        if (x == NULL || x->tensor == TS_NONE) {
            return damaged(t, "an output of the network is computed by no operator");
        }
        bool twice = false;
        for (uint32_t k = 0; k < t->graph->outputs.count; k++) {
            twice = twice || t->graph->outputs.data[k] == x->tensor;
        }
        if (!twice) {
            TS_PUSH(t->arena, &t->graph->outputs, x->tensor);
        }
    }
    return TS_OK;
}

static ts_status import_into(tfl *t) {
    ts_flat *f = &t->flat;
    ts_flat_table model = ts__flat_root(f);
    ts_flat_vector codes = ts__flat_vector(f, model, MODEL_CODES, 4);
    ts_flat_vector subgraphs = ts__flat_vector(f, model, MODEL_SUBGRAPHS, 4);
    ts_flat_table subgraph = ts__flat_table_at(f, subgraphs, 0);
    ts_flat_vector nodes = ts__flat_vector(f, subgraph, SUBGRAPH_OPERATORS, 4);
    ts_flat_vector inputs = ts__flat_vector(f, subgraph, SUBGRAPH_INPUTS, 4);
    ts_flat_vector outputs = ts__flat_vector(f, subgraph, SUBGRAPH_OUTPUTS, 4);
    if (f->bad || subgraph == 0 || nodes.count > MAX_OPERATORS || inputs.count > 16 || outputs.count > 64) {
        return damaged(t, "its tables lead out of it or have too many entries");
    }
    if (subgraphs.count != 1) {
        return ts_error(t->diags, TS_DIAG_UNSUPPORTED, NULL, NULL, "%u subgraphs; one is served",
                        subgraphs.count);
    }
    TS_TRY(read_tensors(t, model, subgraph));
    TS_TRY(take_inputs(t, inputs));
    for (uint32_t i = 0; i < nodes.count; i++) {
        TS_TRY(take_operator(t, ts__flat_table_at(f, nodes, i), codes, i));
    }
    return take_outputs(t, outputs);
}

ts_status ts__tflite_import(ts_arena *arena, ts_bytes file, const char *name, ts_graph **out,
                            ts_diags *diags) {
    *out = NULL;
    if (file.size < 16 || file.size > INT32_MAX || memcmp(file.data + 4, "TFL3", 4) != 0) {
        return ts_error(diags, TS_DIAG_SYNTAX, NULL, NULL, "not a TensorFlow Lite file");
    }
    ts_arena *scratch = ts_arena_new("tflite", 0);
    ts_guard_defer(ts__free_arena, scratch);
    tfl t = {.arena = arena,
             .scratch = scratch,
             .diags = diags,
             .flat = {.data = file.data,
                      .size = (uint32_t)file.size,
                      .work_left = 8 * (uint64_t)file.size + 65536},
             .graph = ts_graph_new(arena, name),
             .work_left = 8 * (uint64_t)file.size + ((uint64_t)64 << 20)};
    ts_status status = import_into(&t);
    if (status == TS_OK) {
        ts__lift_to_unsigned(t.graph, scratch);
        status = ts_graph_verify(t.graph, diags);
    }
    ts_guard_undefer(scratch);
    ts_arena_free(scratch);
    *out = status == TS_OK ? t.graph : NULL;
    return status;
}
