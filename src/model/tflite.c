#include "model/tflite.h"

#include <math.h>
#include <string.h>

#include "model/tflite_internal.h"
#include "model/values.h"

ts_status ts__tfl_damaged(const tfl *t, const char *what) {
    return ts_error(t->diags, TS_DIAG_MALFORMED, NULL, NULL, "the file is damaged: %s", what);
}

/* ---- tensors ---- */

static ts_status read_shape(tfl *t, ts_flat_table table, tfl_tensor *x) {
    ts_flat_vector shape = ts__flat_vector(&t->flat, table, TENSOR_SHAPE, 4);
    x->rank = shape.count;
    x->elements = 1;
    if (shape.count > TS_MAX_RANK) {
        return ts__tfl_damaged(t, "a tensor has more than 6 dimensions");
    }
    for (uint32_t i = 0; i < shape.count; i++) {
        int32_t dim = ts__flat_i32(shape, i);
        if (dim < 0 || (uint64_t)dim > TS_MAX_ELEMENTS) {
            return ts__tfl_damaged(t, "a tensor's shape is negative or absurdly large");
        }
        x->dims[i] = (uint32_t)dim;
        x->elements *= x->dims[i];
        if (x->elements > TS_MAX_ELEMENTS) {
            return ts__tfl_damaged(t, "a tensor is absurdly large");
        }
    }
    return TS_OK;
}

static ts_status read_tensor(tfl *t, ts_flat_table table, ts_flat_vector buffers, tfl_tensor *x) {
    ts_flat *f = &t->flat;
    TS_TRY(read_shape(t, table, x));
    x->type = (int32_t)ts__flat_int(f, table, TENSOR_TYPE, 1, TYPE_FLOAT);
    x->name = ts__flat_text(f, t->arena, table, TENSOR_NAME);
    x->tensor = x->real = TS_NONE;
    int64_t buffer = ts__flat_int(f, table, TENSOR_BUFFER, 4, 0);
    if (buffer < 0 || buffer >= buffers.count) {
        return ts__tfl_damaged(t, "a tensor names a buffer that does not exist");
    }
    if (buffer != 0) {
        x->data = ts__flat_vector(f, ts__flat_table_at(f, buffers, (uint32_t)buffer), 0, 1);
    }
    ts_flat_table quantization = ts__flat_child(f, table, TENSOR_QUANTIZATION);
    x->scales = ts__flat_vector(f, quantization, QUANTIZATION_SCALE, 4);
    x->zeros = ts__flat_vector(f, quantization, QUANTIZATION_ZERO, 8);
    x->quantized_dimension = ts__flat_int(f, quantization, QUANTIZATION_DIMENSION, 4, 0);
    if (f->bad) {
        return ts__tfl_damaged(t, "an offset leads out of it");
    }
    int64_t zero = ts__tfl_is_8_bits(x) && x->zeros.count > 0 ? ts__flat_i64(x->zeros, 0) : ts__tfl_low(x);
    return zero < ts__tfl_low(x) || zero > ts__tfl_high(x)
               ? ts__tfl_damaged(t, "a zero point is none of the values that its tensor can have")
               : TS_OK;
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
        return ts__tfl_damaged(t, "its tables lead out of it or have too many tensors");
    }
    t->tensor_count = tensors.count;
    t->tensors = TS_NEW_ARRAY(t->scratch, tfl_tensor, tensors.count);
    for (uint32_t i = 0; i < tensors.count; i++) {
        TS_TRY(read_tensor(t, ts__flat_table_at(f, tensors, i), buffers, &t->tensors[i]));
    }
    shorten_names(t);
    return TS_OK;
}

bool ts__tfl_is_8_bits(const tfl_tensor *x) { return x->type == TYPE_INT8 || x->type == TYPE_UINT8; }

int32_t ts__tfl_low(const tfl_tensor *x) { return x->type == TYPE_UINT8 ? 0 : -128; }

int32_t ts__tfl_high(const tfl_tensor *x) { return x->type == TYPE_UINT8 ? 255 : 127; }

bool ts__tfl_map_dims(const tfl_tensor *x, uint32_t dims[4]) {
    if (x->rank == 0 || x->rank > 4 || x->elements == 0) {
        return false;
    }
    dims[0] = dims[1] = dims[2] = dims[3] = 1;
    for (uint32_t i = 0; i < x->rank; i++) {
        dims[4 - x->rank + i] = x->dims[i];
    }
    return dims[0] == 1;
}

uint32_t ts__tfl_axis(const tfl_tensor *x, int64_t axis) {
    axis = axis < 0 ? axis + x->rank : axis;
    int64_t at = axis + 4 - x->rank;
    return axis < 0 || axis >= x->rank || at < 1 || at > 3 ? TS_NONE : (uint32_t)(at - 1);
}

float ts__tfl_scale_of(const tfl_tensor *x, uint32_t i) {
    return ts__flat_f32(x->scales, x->scales.count == 1 ? 0 : i);
}

int32_t ts__tfl_zero_of(const tfl_tensor *x) {
    return x->zeros.count == 0 ? 0 : (int32_t)ts__flat_i64(x->zeros, 0);
}

ts_status ts__tfl_new_activation(tfl *t, const tfl_op *o, tfl_tensor *x, ts_tensor_id *out) {
    uint32_t dims[4];
    if (x->type == TYPE_FLOAT) {
        return TFL_FAIL(
            TS_DIAG_UNSUPPORTED,
            "tensor '%s' is float: `tessera quantize` takes float networks, and this needs integers",
            x->name);
    }
    if (!ts__tfl_is_8_bits(x)) {
        return TFL_FAIL(TS_DIAG_UNSUPPORTED, "tensor '%s' is %s; int8 and uint8 are served", x->name,
                        ts__tfl_type_name(x->type));
    }
    if (x->scales.count != 1 || x->zeros.count > 1) {
        return TFL_FAIL(TS_DIAG_UNSUPPORTED, "tensor '%s' has %u scales and %u zero points; one is served",
                        x->name, x->scales.count, x->zeros.count);
    }
    if (!ts__tfl_map_dims(x, dims)) {
        return TFL_FAIL(TS_DIAG_SHAPE, "tensor '%s' has not a batch of 1 and up to 4 dimensions", x->name);
    }
    double *scale = TS_NEW(t->arena, double);
    int32_t *zero = TS_NEW(t->arena, int32_t);
    *scale = (double)ts__tfl_scale_of(x, 0);
    *zero = ts__tfl_zero_of(x);
    if (!(*scale > 0) || !isfinite(*scale) || *zero < ts__tfl_low(x) || *zero > ts__tfl_high(x)) {
        return TFL_FAIL(TS_DIAG_VALUE,
                        "tensor '%s' has no positive scale or its zero point is none of its values", x->name);
    }
    const char *name = ts_arena_printf(t->arena, "%s", x->name);
    ts_tensor tensor = {
        .name = *name == '\0' ? ts_arena_printf(t->arena, "t%u", (unsigned)(x - t->tensors)) : name,
        .type = x->type == TYPE_UINT8 ? TS_U8 : TS_S8,
        .rank = 4,
        .quantum = {1, scale, zero},
        .producer = TS_NONE};
    memcpy(tensor.dims, dims, sizeof dims);
    *out = ts_graph_add_tensor(t->graph, &tensor);
    return TS_OK;
}

/* ---- operators: common parts ---- */

tfl_tensor *ts__tfl_tensor_at(const tfl *t, ts_flat_vector list, uint32_t i) {
    int32_t index = i < list.count ? ts__flat_i32(list, i) : -1;
    return index < 0 || (uint32_t)index >= t->tensor_count ? NULL : &t->tensors[index];
}

const ts_tensor *ts__tfl_value_of(const tfl *t, const tfl_tensor *x) {
    return &t->graph->tensors.data[x->tensor];
}

ts_status ts__tfl_is_float(tfl *t, const tfl_op *o, uint32_t i, const tfl_tensor *x) {
    return TFL_FAIL(TS_DIAG_UNSUPPORTED,
                    "input %u, '%s', is float: `tessera quantize` makes an integer network of a float one", i,
                    x->name);
}

ts_status ts__tfl_activation_at(tfl *t, const tfl_op *o, uint32_t i, tfl_tensor **out) {
    tfl_tensor *x = ts__tfl_tensor_at(t, o->inputs, i);
    if (x != NULL && x->type == TYPE_FLOAT) {
        return ts__tfl_is_float(t, o, i, x);
    }
    if (x == NULL || x->tensor == TS_NONE || x->tail) {
        return TFL_FAIL(TS_DIAG_UNSUPPORTED,
                        "input %u is missing, constant, or behind the last integer layer", i);
    }
    *out = x;
    return TS_OK;
}

ts_status ts__tfl_output_of(tfl *t, const tfl_op *o, tfl_tensor **out) {
    tfl_tensor *y = ts__tfl_tensor_at(t, o->outputs, 0);
    if (y == NULL || o->outputs.count != 1 || y->tensor != TS_NONE || y->real != TS_NONE ||
        y->data.count > 0) {
        return TFL_FAIL(TS_DIAG_MALFORMED, "it has not one output of its own");
    }
    *out = y;
    return TS_OK;
}

ts_node ts__tfl_new_node(tfl *t, const tfl_op *o, ts_op op, const tfl_tensor *x) {
    return (ts_node){.name = ts_arena_strdup(t->arena, o->name),
                     .file_index = o->index,
                     .op = op,
                     .input_count = 1,
                     .inputs = {x->tensor},
                     .weights = TS_NONE,
                     .bias = TS_NONE};
}

void ts__tfl_add_node(tfl *t, ts_node *node, tfl_tensor *y, ts_tensor_id output) {
    node->output = output;
    ts_graph_add_node(t->graph, node);
    y->tensor = output;
}

ts_status ts__tfl_activation_bounds(tfl *t, const tfl_op *o, int64_t activation, const tfl_tensor *y,
                                    int32_t *low, int32_t *high) {
    double scale = (double)ts__tfl_scale_of(y, 0), zero = ts__tfl_zero_of(y);
    double min = activation == ACTIVATION_RELU_N1 ? -1 : 0;
    double max = activation == ACTIVATION_RELU6 ? 6 : 1;
    *low = ts__tfl_low(y);
    *high = ts__tfl_high(y);
    if ((activation < ACTIVATION_NONE || activation > ACTIVATION_RELU6) &&
        activation != ACTIVATION_RELU_0_1) {
        return TFL_FAIL(TS_DIAG_UNSUPPORTED,
                        "fused activation %lld; NONE, RELU, RELU_N1_TO_1 and RELU6 are served",
                        (long long)activation);
    }
    if (activation != ACTIVATION_NONE) {
        double bound = zero + round(min / scale);
        *low = bound > *low ? bound > *high ? *high : (int32_t)bound : *low;
    }
    if (activation != ACTIVATION_NONE && activation != ACTIVATION_RELU) {
        double bound = zero + round(max / scale);
        *high = bound < *high ? bound < *low ? *low : (int32_t)bound : *high;
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
    int64_t q = (int64_t)round(frexp(fmin(real, 0x1p40), &exponent) * 2147483648.0);
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

ts_requant ts__tfl_new_requant(tfl *t, uint32_t channels, const tfl_tensor *y, int32_t low, int32_t high,
                               int32_t **multiplier, int32_t **shift) {
    *multiplier = TS_NEW_ARRAY(t->arena, int32_t, channels);
    *shift = TS_NEW_ARRAY(t->arena, int32_t, channels);
    return (ts_requant){.kind = TS_REQUANT_TFLITE,
                        .channels = channels,
                        .multiplier = *multiplier,
                        .shift = *shift,
                        .zero = ts__tfl_zero_of(y),
                        .low = low,
                        .high = high};
}

ts_status ts__tfl_take_work(tfl *t, const tfl_op *o, uint64_t elements) {
    if (elements > t->work_left) {
        return TFL_FAIL(TS_DIAG_LIMIT,
                        "the file asks for more work than one of its size can need; is it damaged?");
    }
    t->work_left -= elements;
    return TS_OK;
}

ts_status ts__tfl_numbers_at(tfl *t, const tfl_op *o, uint32_t i, uint32_t most, ts_flat_vector *out) {
    const tfl_tensor *x = ts__tfl_tensor_at(t, o->inputs, i);
    if (x == NULL || x->type != TYPE_INT32 || x->elements > most || x->data.count != x->elements * 4 ||
        x->elements == 0) {
        return TFL_FAIL(TS_DIAG_UNSUPPORTED, "input %u is not a constant of 1 to %u int32 numbers", i, most);
    }
    *out = (ts_flat_vector){(uint32_t)x->elements, x->data.data};
    return TS_OK;
}

/* ---- ends ---- */

/* Another quantum for the same values, or that of what floats make; as the network's first operator, its
 * input's format. */
static ts_status on_quantize(tfl *t, const tfl_op *o) {
    tfl_tensor *x = ts__tfl_tensor_at(t, o->inputs, 0), *y;
    TS_TRY(ts__tfl_output_of(t, o, &y));
    if (x != NULL && x->type == TYPE_FLOAT && (x->real != TS_NONE || x->codes != TYPE_FLOAT)) {
        return ts__tfl_quantize_floats(t, o, x, y);
    }
    if (x != NULL && x->type == TYPE_FLOAT && x->tensor == TS_NONE && x->data.count == 0) {
        TS_TRY(ts__tfl_new_activation(t, o, y, &y->tensor));
        TS_PUSH(t->arena, &t->graph->inputs, y->tensor);
        ts_note(t->diags, TS_DIAG_UNSUPPORTED, o->name, o->op,
                "left out: the network's input is its 8-bit result");
        return TS_OK;
    }
    TS_TRY(ts__tfl_map_at(t, o, 0, &x));
    return ts__tfl_requantize(t, o, x, y);
}

/* At the end only: what it reads is the network's output. */
static ts_status on_tail(tfl *t, const tfl_op *o) {
    tfl_tensor *x = ts__tfl_tensor_at(t, o->inputs, 0), *y;
    TS_TRY(ts__tfl_output_of(t, o, &y));
    if (x != NULL && x->codes != TYPE_FLOAT) {
        TS_TRY(ts__tfl_settle(t, o, x));
    } else if (x == NULL || x->real == TS_NONE) {
        TS_TRY(ts__tfl_map_at(t, o, 0, &x));
    }
    y->tail = true;
    y->tensor = x->tensor;
    y->real = x->real;
    y->leaves = x->leaves;
    y->leaf_count = x->leaf_count;
    ts_note(t->diags, TS_DIAG_UNSUPPORTED, o->name, o->op, "left out: the network's output is what it reads");
    return TS_OK;
}

/* Decoders of detections, custom operators at the end: all tensors that they read are outputs instead. */
static ts_status on_decoder(tfl *t, const tfl_op *o) {
    enum { MOST = 8 };
    tfl_tensor *leaves[MOST];
    uint32_t count = 0;
    for (uint32_t i = 0; i < o->inputs.count && i < MOST; i++) {
        tfl_tensor *x = ts__tfl_tensor_at(t, o->inputs, i);
        if (x == NULL || x->data.count > 0) {
            continue;
        }
        if (x->codes != TYPE_FLOAT) {
            TS_TRY(ts__tfl_settle(t, o, x));
        } else {
            TS_TRY(ts__tfl_map_at(t, o, i, &x));
        }
        leaves[count++] = x;
    }
    for (uint32_t i = 0; i < o->outputs.count; i++) {
        const tfl_op part = ts__tfl_part(t, o, i);
        tfl_tensor *y;
        TS_TRY(ts__tfl_output_of(t, &part, &y));
        y->tail = true;
        y->leaves = ts_arena_copy(t->scratch, leaves, count * sizeof leaves[0]);
        y->leaf_count = count;
    }
    ts_note(t->diags, TS_DIAG_UNSUPPORTED, o->name, o->op,
            "left out: the network's outputs are the %u tensors that it reads", count);
    return TS_OK;
}

static bool is_decoder(const tfl_op *o) {
    static const char *const names[] = {"custom TFLite_Detection_PostProcess", "custom PosenetDecoderOp"};
    for (uint32_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(o->op, names[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* ---- the model ---- */

/* Number in the file, name, what takes it of integers. docs/tflite.md lists the same set. */
#define OPERATORS(X)                                   \
    X(0, "ADD", ts__tfl_add)                           \
    X(1, "AVERAGE_POOL_2D", ts__tfl_average_pool)      \
    X(2, "CONCATENATION", ts__tfl_concat)              \
    X(3, "CONV_2D", ts__tfl_conv)                      \
    X(4, "DEPTHWISE_CONV_2D", ts__tfl_depthwise)       \
    X(6, "DEQUANTIZE", ts__tfl_dequantize)             \
    X(9, "FULLY_CONNECTED", ts__tfl_fully_connected)   \
    X(14, "LOGISTIC", ts__tfl_logistic)                \
    X(17, "MAX_POOL_2D", ts__tfl_max_pool)             \
    X(18, "MUL", ts__tfl_mul)                          \
    X(19, "RELU", ts__tfl_relu)                        \
    X(20, "RELU_N1_TO_1", ts__tfl_relu_n1)             \
    X(21, "RELU6", ts__tfl_relu6)                      \
    X(22, "RESHAPE", ts__tfl_reshape)                  \
    X(25, "SOFTMAX", ts__tfl_softmax)                  \
    X(28, "TANH", ts__tfl_tanh)                        \
    X(34, "PAD", ts__tfl_pad)                          \
    X(37, "BATCH_TO_SPACE_ND", ts__tfl_batch_to_space) \
    X(38, "SPACE_TO_BATCH_ND", ts__tfl_space_to_batch) \
    X(39, "TRANSPOSE", ts__tfl_transpose)              \
    X(40, "MEAN", ts__tfl_mean)                        \
    X(41, "SUB", ts__tfl_sub)                          \
    X(43, "SQUEEZE", ts__tfl_reshape)                  \
    X(45, "STRIDED_SLICE", ts__tfl_strided_slice)      \
    X(49, "SPLIT", ts__tfl_split)                      \
    X(55, "MAXIMUM", ts__tfl_maximum)                  \
    X(56, "ARG_MAX", on_tail)                          \
    X(57, "MINIMUM", ts__tfl_minimum)                  \
    X(60, "PADV2", ts__tfl_pad)                        \
    X(65, "SLICE", ts__tfl_slice)                      \
    X(70, "EXPAND_DIMS", ts__tfl_reshape)              \
    X(82, "REDUCE_MAX", ts__tfl_reduce_max)            \
    X(83, "PACK", ts__tfl_pack)                        \
    X(88, "UNPACK", ts__tfl_unpack)                    \
    X(97, "RESIZE_NEAREST_NEIGHBOR", ts__tfl_resize)   \
    X(98, "LEAKY_RELU", ts__tfl_leaky_relu)            \
    X(102, "SPLIT_V", ts__tfl_split_v)                 \
    X(114, "QUANTIZE", on_quantize)                    \
    X(117, "HARD_SWISH", ts__tfl_hard_swish)           \
    X(129, "CALL_ONCE", ts__tfl_call_once)             \
    X(142, "VAR_HANDLE", ts__tfl_var_handle)           \
    X(143, "READ_VARIABLE", ts__tfl_read_variable)     \
    X(144, "ASSIGN_VARIABLE", ts__tfl_assign_variable) \
    X(152, "RELU_0_TO_1", ts__tfl_relu_0_1)

/* These are read of floats only: a network of floats, or floats between integers. */
#define FLOAT_OPERATORS(X)            \
    X(8, "FLOOR", NULL)               \
    X(42, "DIV", NULL)                \
    X(47, "EXP", NULL)                \
    X(50, "LOG_SOFTMAX", NULL)        \
    X(54, "PRELU", NULL)              \
    X(59, "NEG", NULL)                \
    X(73, "LOG", NULL)                \
    X(74, "SUM", NULL)                \
    X(75, "SQRT", NULL)               \
    X(76, "RSQRT", NULL)              \
    X(78, "POW", NULL)                \
    X(92, "SQUARE", NULL)             \
    X(99, "SQUARED_DIFFERENCE", NULL) \
    X(101, "ABS", NULL)               \
    X(104, "CEIL", NULL)              \
    X(111, "ELU", NULL)               \
    X(116, "ROUND", NULL)

typedef struct operator_row {
    int64_t code;
    const char *name;
    ts__tfl_take *take;
} operator_row;

static const operator_row operators[] = {
#define ROW(code, name, take) {code, name, take},
    OPERATORS(ROW) FLOAT_OPERATORS(ROW)
#undef ROW
};
enum { OPERATOR_COUNT = sizeof operators / sizeof operators[0] };

const char *ts_model_tflite_operator(uint32_t index, bool *floats_only) {
    *floats_only = index < OPERATOR_COUNT && operators[index].take == NULL;
    return index < OPERATOR_COUNT ? operators[index].name : NULL;
}

static const operator_row *row_of(int64_t code) {
    for (uint32_t i = 0; i < OPERATOR_COUNT; i++) {
        if (operators[i].code == code) {
            return &operators[i];
        }
    }
    return NULL;
}

/* Compilers for accelerators put what they compiled into one custom operator. */
static ts_status unserved(tfl *t, const tfl_op *o, int64_t code) {
    bool compiled = strcmp(o->op, "custom ethos-u") == 0 || strcmp(o->op, "custom edgetpu-custom-op") == 0;
    if (compiled) {
        return TFL_FAIL(TS_DIAG_UNSUPPORTED,
                        "the file was compiled for an accelerator; take the one that its compiler read");
    }
    return ts__tfl_computes_shapes(code)
               ? TFL_FAIL(TS_DIAG_UNSUPPORTED,
                          "this operator is served of shapes and constants, which are computed at import")
               : TFL_FAIL(TS_DIAG_UNSUPPORTED,
                          "this operator is not served; docs/tflite.md lists those that are");
}

static ts_status take_by_type(tfl *t, const tfl_op *o, int64_t code, const operator_row *row) {
    const tfl_tensor *y = ts__tfl_tensor_at(t, o->outputs, 0);
    if (row == NULL) {
        return is_decoder(o) && !t->whole ? on_decoder(t, o) : unserved(t, o, code);
    }
    if (t->whole) {
        return ts__tfl_float_operator(t, o, row->code);
    }
    if (y != NULL && y->type == TYPE_FLOAT && row->code != DEQUANTIZE_CODE) {
        return ts__tfl_island_operator(t, o, row->code, row->take);
    }
    return row->take != NULL
               ? row->take(t, o)
               : TFL_FAIL(TS_DIAG_UNSUPPORTED,
                          "this operator is served in floats only; docs/tflite.md lists those of integers");
}

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
    const tfl_tensor *y = ts__tfl_tensor_at(t, op.outputs, 0);
    op.name = y != NULL && *y->name != '\0' ? y->name : ts_arena_printf(t->arena, "operator%u", index);
    op.op = "operator";
    if (f->bad || code_table == 0) {
        return ts__tfl_damaged(t, "an operator leads out of it or has no code");
    }
    const operator_row *row = row_of(code);
    op.op = row != NULL ? row->name
                        : ts__tfl_unserved_name(
                              t->arena, code,
                              code == CUSTOM_CODE ? ts__flat_text(f, t->arena, code_table, CODE_CUSTOM) : "");
    bool constant;
    TS_TRY(ts__tfl_compute_constant(t, o, code, &constant));
    if (!constant) {
        TS_TRY(take_by_type(t, o, code, row));
    }
    return f->bad ? ts__tfl_damaged(t, "an operator's options lead out of it") : TS_OK;
}

static ts_status take_inputs(tfl *t, ts_flat_vector inputs) {
    tfl_op op = {.op = "input", .name = "input"}, *o = &op;
    for (uint32_t i = 0; i < inputs.count; i++) {
        tfl_tensor *x = ts__tfl_tensor_at(t, inputs, i);
        if (x == NULL || x->tensor != TS_NONE || x->data.count > 0) {
            return ts__tfl_damaged(t, "an input of the network does not exist, is constant or stands twice");
        }
        if (t->whole) {
            TS_TRY(ts__tfl_float_input(t, o, x));
            continue;
        }
        if (x->type == TYPE_FLOAT) {
            continue; /* QUANTIZE gives its format */
        }
        op.name = x->name;
        TS_TRY(ts__tfl_new_activation(t, o, x, &x->tensor));
        TS_PUSH(t->arena, &t->graph->inputs, x->tensor);
    }
    return TS_OK;
}

/* A network input that is an output as well, as where all operators only reshape, is copied: outputs are what
 * nodes compute. */
ts_status ts__tfl_add_output(tfl *t, const tfl_op *o, tfl_tensor *x) {
    TS_TRY(ts__tfl_settle_pads(t, o, x));
    if (ts__tfl_value_of(t, x)->producer == TS_NONE) {
        ts__tfl_copy(t, o, x);
        ts_note(t->diags, TS_DIAG_UNSUPPORTED, x->name, NULL,
                "the network's input is this output: it is copied");
    }
    for (uint32_t k = 0; k < t->graph->outputs.count; k++) {
        if (t->graph->outputs.data[k] == x->tensor) {
            return TS_OK;
        }
    }
    TS_PUSH(t->arena, &t->graph->outputs, x->tensor);
    return TS_OK;
}

static ts_status take_outputs(tfl *t, ts_flat_vector outputs) {
    for (uint32_t i = 0; i < outputs.count; i++) {
        tfl_tensor *x = ts__tfl_tensor_at(t, outputs, i);
        const tfl_op op = {.op = "output", .name = x == NULL ? "" : x->name}, *o = &op;
        if (x == NULL || (x->tensor == TS_NONE && x->real == TS_NONE && x->leaf_count == 0)) {
            return ts__tfl_damaged(t, "an output of the network is computed by no operator");
        }
        TS_TRY(ts__tfl_is_spread(t, o, x));
        if (t->whole) {
            TS_PUSH(t->arena, &t->real->outputs, x->real);
        } else if (x->tensor != TS_NONE && x->type != TYPE_FLOAT) {
            TS_TRY(ts__tfl_add_output(t, o, x));
        } else {
            TS_TRY(ts__tfl_leave_out(t, o, x));
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
        return ts__tfl_damaged(t, "its tables lead out of it or have too many entries");
    }
    TS_TRY(read_tensors(t, model, subgraph));
    TS_TRY(take_inputs(t, inputs));
    for (uint32_t i = 0; i < nodes.count; i++) {
        TS_TRY(take_operator(t, ts__flat_table_at(f, nodes, i), codes, i));
    }
    TS_TRY(take_outputs(t, outputs));
    return ts__tfl_output_variables(t);
}

bool ts__is_tflite(ts_bytes file) {
    return file.size >= 16 && file.size <= INT32_MAX && memcmp(file.data + 4, "TFL3", 4) == 0;
}

/* Reads into t->graph or, where the whole network is float, t->real. */
static ts_status import_file(tfl *t, ts_bytes file) {
    if (!ts__is_tflite(file)) {
        return ts_error(t->diags, TS_DIAG_SYNTAX, NULL, NULL, "not a TensorFlow Lite file");
    }
    t->scratch = ts_arena_new("tflite", 0);
    ts_guard_defer(ts__free_arena, t->scratch);
    t->flat = (ts_flat){
        .data = file.data, .size = (uint32_t)file.size, .work_left = 8 * (uint64_t)file.size + 65536};
    t->work_left = 8 * (uint64_t)file.size + ((uint64_t)64 << 20);
    ts_status status = import_into(t);
    if (status == TS_OK && !t->whole) {
        ts__lift_to_unsigned(t->graph, t->scratch);
        status = ts_graph_verify(t->graph, t->diags);
    }
    ts_guard_undefer(t->scratch);
    ts_arena_free(t->scratch);
    return status;
}

ts_status ts__tflite_import(ts_arena *arena, ts_bytes file, const char *name, const ts_model_options *options,
                            ts_graph **out, ts_diags *diags) {
    tfl t = {.arena = arena,
             .diags = diags,
             .allow_float = options != NULL && options->allow_float,
             .graph = ts_graph_new(arena, name),
             .real = ts_fgraph_new(arena, name)};
    ts_status status = import_file(&t, file);
    *out = status == TS_OK ? t.graph : NULL;
    return status;
}

ts_status ts__tflite_float_import(ts_arena *arena, ts_bytes file, const char *name, ts_fgraph **out,
                                  ts_diags *diags) {
    tfl t = {.arena = arena,
             .diags = diags,
             .whole = true,
             .graph = ts_graph_new(arena, name),
             .real = ts_fgraph_new(arena, name)};
    ts_status status = import_file(&t, file);
    *out = status == TS_OK ? t.real : NULL;
    return status;
}
