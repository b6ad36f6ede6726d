/* Float networks in TensorFlow Lite files, and those of 8-bit weights and float activations, as float graphs.
 * The file's layouts are the graph's own: channels last, weights OHWI. */
#include <math.h>
#include <string.h>

#include "model/float_model.h"
#include "model/tflite_internal.h"

/* ---- tensors ---- */

/* A number of half precision: 5 bits of exponent, 10 behind the point. */
static float half_of(uint32_t bits) {
    uint32_t exponent = bits >> 10 & 31, rest = bits & 1023;
    float magnitude = exponent == 31  ? rest == 0 ? INFINITY : NAN
                      : exponent == 0 ? ldexpf((float)rest, -24)
                                      : ldexpf((float)(1024 + rest), (int)exponent - 25);
    return bits >> 15 != 0 ? -magnitude : magnitude;
}

/* Element i of a constant, dequantised where it has a quantum. */
static float element(const tfl_tensor *x, uint64_t i, uint32_t inner) {
    if (x->type == TYPE_FLOAT) {
        return ts__flat_f32((ts_flat_vector){x->data.count / 4, x->data.data}, (uint32_t)i);
    }
    if (x->type == TYPE_FLOAT16) {
        return half_of(x->data.data[2 * i] | (uint32_t)x->data.data[2 * i + 1] << 8);
    }
    uint32_t channel = x->scales.count > 1 ? (uint32_t)(i / inner % x->scales.count) : 0;
    int64_t zero = channel < x->zeros.count ? ts__flat_i64(x->zeros, channel) : 0;
    int32_t code = x->type == TYPE_INT32
                       ? ts__flat_i32((ts_flat_vector){x->data.count / 4, x->data.data}, (uint32_t)i)
                   : x->type == TYPE_UINT8 ? x->data.data[i]
                                           : (int8_t)x->data.data[i];
    return ((float)code - (float)zero) * ts__tfl_scale_of(x, channel);
}

/* A constant becomes a tensor of the graph; `depthwise`: [1, kh, kw, C] to {C, kh, kw, 1}. */
static ts_status add_constant(tfl *t, const tfl_op *o, const tfl_tensor *x, bool depthwise,
                              ts_tensor_id *out) {
    bool real = x->type == TYPE_FLOAT || x->type == TYPE_FLOAT16;
    uint32_t bytes = ts__tfl_is_8_bits(x) ? 1 : x->type == TYPE_FLOAT16 ? 2 : 4, inner = 1;
    bool quantised = ts__tfl_is_8_bits(x) || (x->type == TYPE_INT32 && x->scales.count > 0);
    if ((!real && !(quantised && x->scales.count > 0)) || x->data.count != x->elements * bytes ||
        x->elements == 0 || (depthwise && x->rank != 4)) {
        return TFL_FAIL(TS_DIAG_UNSUPPORTED, "constant '%s' is not of floats, or of integers with scales",
                        x->name);
    }
    TS_TRY(ts__tfl_take_work(t, o, x->elements));
    int64_t axis = x->quantized_dimension;
    if (x->scales.count > 1 && (axis < 0 || axis >= x->rank || x->dims[axis] != x->scales.count)) {
        return TFL_FAIL(TS_DIAG_UNSUPPORTED, "constant '%s' has scales along no dimension of its own",
                        x->name);
    }
    for (uint32_t d = (uint32_t)axis + 1; x->scales.count > 1 && d < x->rank; d++) {
        inner *= x->dims[d];
    }
    float *data = TS_NEW_ARRAY(t->arena, float, x->elements);
    uint64_t taps = depthwise ? (uint64_t)x->dims[1] * x->dims[2] : 1;
    for (uint64_t i = 0; i < x->elements; i++) {
        uint64_t from = depthwise ? i % taps * x->dims[3] + i / taps : i;
        data[i] = element(x, from, inner);
        if (!isfinite(data[i])) {
            return TFL_FAIL(TS_DIAG_VALUE, "constant '%s' holds what is no finite number", x->name);
        }
    }
    const uint32_t turned[4] = {x->dims[3], x->dims[1], x->dims[2], 1};
    *out = ts_fgraph_add_constant(t->real, ts_arena_strdup(t->arena, x->name), x->rank,
                                  depthwise ? turned : x->dims, data);
    return TS_OK;
}

/* Input i: computed before, or a constant. */
static ts_status value_at(tfl *t, const tfl_op *o, uint32_t i, ts_tensor_id *out) {
    tfl_tensor *x = ts__tfl_tensor_at(t, o->inputs, i);
    if (x == NULL) {
        return TFL_FAIL(TS_DIAG_MALFORMED, "input %u is missing", i);
    }
    if (x->real == TS_NONE) {
        if (x->data.count == 0) {
            return TFL_FAIL(TS_DIAG_MALFORMED, "input %u is computed by no operator before it", i);
        }
        TS_TRY(add_constant(t, o, x, false, &x->real));
    }
    *out = x->real;
    return TS_OK;
}

/* The same; not between SPACE_TO_BATCH_ND and BATCH_TO_SPACE_ND. */
static ts_status input_at(tfl *t, const tfl_op *o, uint32_t i, ts_tensor_id *out) {
    TS_TRY(value_at(t, o, i, out));
    return ts__tfl_is_spread(t, o, ts__tfl_tensor_at(t, o->inputs, i));
}

static ts_fnode new_node(tfl *t, const tfl_op *o, ts_fop op, uint32_t inputs) {
    return (ts_fnode){.name = ts_arena_strdup(t->arena, o->name),
                      .file_index = o->index,
                      .op = op,
                      .input_count = inputs,
                      .alpha = 1,
                      .beta = 1};
}

/* Adds the node, and behind it the activation that is fused to it. */
static ts_status finish(tfl *t, const tfl_op *o, const ts_fnode *node, const ts_ftensor *shape,
                        int64_t activation) {
    tfl_tensor *y;
    TS_TRY(ts__tfl_output_of(t, o, &y));
    const char *name = ts_arena_strdup(t->arena, o->name);
    ts_tensor_id out;
    if (activation == ACTIVATION_NONE) {
        return ts_fgraph_add_node(t->real, node, name, shape, &y->real, t->diags);
    }
    if (activation < ACTIVATION_NONE || activation > ACTIVATION_RELU6) {
        return TFL_FAIL(TS_DIAG_UNSUPPORTED,
                        "fused activation %lld; NONE, RELU, RELU_N1_TO_1 and RELU6 are served",
                        (long long)activation);
    }
    TS_TRY(ts_fgraph_add_node(t->real, node, ts_arena_printf(t->arena, "%s.linear", o->name), shape, &out,
                              t->diags));
    ts_fnode bound = new_node(t, o, activation == ACTIVATION_RELU ? TS_FOP_RELU : TS_FOP_CLIP, 1);
    bound.inputs[0] = out;
    bound.low = activation == ACTIVATION_RELU_N1 ? -1.0f : 0.0f;
    bound.high = activation == ACTIVATION_RELU_N1 ? 1.0f : 6.0f;
    return ts_fgraph_add_node(t->real, &bound, name, NULL, &y->real, t->diags);
}

static int64_t option(tfl *t, const tfl_op *o, uint32_t field, uint32_t bytes, int64_t absent) {
    return ts__flat_int(&t->flat, o->options, field, bytes, absent);
}

/* ---- operators ---- */

static void same_pads(uint32_t in, uint32_t kernel, uint32_t stride, uint32_t dilation, uint32_t *begin,
                      uint32_t *end) {
    uint64_t out = ((uint64_t)in + stride - 1) / stride;
    uint64_t reach = (out - 1) * stride + (uint64_t)dilation * (kernel - 1) + 1;
    uint32_t total = reach > in ? (uint32_t)(reach - in) : 0;
    *begin = total / 2;
    *end = total - total / 2;
}

/* Strides (and dilations, where there are fields for them) and pads of a window whose kernel is set. */
static ts_status read_window(tfl *t, const tfl_op *o, const ts_ftensor *x, uint32_t dilations, ts_window *w) {
    int64_t values[4] = {option(t, o, CONV_STRIDE_H, 4, 0), option(t, o, CONV_STRIDE_W, 4, 0),
                         dilations == 0 ? 1 : option(t, o, dilations + 1, 4, 1),
                         dilations == 0 ? 1 : option(t, o, dilations, 4, 1)};
    uint32_t *places[4] = {&w->stride_h, &w->stride_w, &w->dilation_h, &w->dilation_w};
    int64_t padding = option(t, o, CONV_PADDING, 1, PADDING_SAME);
    for (uint32_t i = 0; i < 4; i++) {
        if (values[i] < 1 || values[i] > MAX_WINDOW) {
            return TFL_FAIL(TS_DIAG_VALUE, "a stride or dilation is %lld", (long long)values[i]);
        }
        *places[i] = (uint32_t)values[i];
    }
    if (x->rank != 4 || w->kernel_h > MAX_WINDOW || w->kernel_w > MAX_WINDOW || w->kernel_h == 0 ||
        w->kernel_w == 0) {
        return TFL_FAIL(TS_DIAG_SHAPE, "its input is no map, or its window is absurd");
    }
    if (padding == PADDING_SAME) {
        same_pads(x->dims[1], w->kernel_h, w->stride_h, w->dilation_h, &w->pad_top, &w->pad_bottom);
        same_pads(x->dims[2], w->kernel_w, w->stride_w, w->dilation_w, &w->pad_left, &w->pad_right);
    }
    return TS_OK;
}

/* Weights that DEQUANTIZE made of others are read from these: the layout is theirs. */
static ts_status take_conv(tfl *t, const tfl_op *o, bool depthwise) {
    ts_fnode n = new_node(t, o, TS_FOP_CONV, 2);
    const tfl_tensor *from = ts__tfl_tensor_at(t, o->inputs, 0), *w = ts__tfl_tensor_at(t, o->inputs, 1),
                     *b = ts__tfl_tensor_at(t, o->inputs, 2);
    tfl_tensor *y;
    TS_TRY(value_at(t, o, 0, &n.inputs[0]));
    TS_TRY(ts__tfl_output_of(t, o, &y));
    const ts_ftensor x = t->real->tensors.data[n.inputs[0]];
    w = w != NULL && w->made_of != NULL ? w->made_of : w;
    if (w == NULL || w->rank != 4 || w->data.count == 0 || x.rank != 4 || w->elements == 0) {
        return TFL_FAIL(TS_DIAG_UNSUPPORTED, "constant weights of 4 dimensions on a map are served");
    }
    TS_TRY(add_constant(t, o, w, depthwise, &n.inputs[1]));
    uint32_t inner = depthwise ? 1 : w->dims[3];
    n.groups = x.dims[3] / inner;
    n.window.kernel_h = w->dims[1];
    n.window.kernel_w = w->dims[2];
    TS_TRY(read_window(t, o, &x, depthwise ? DEPTHWISE_DILATION_W : CONV_DILATION_W, &n.window));
    if (from->spread != NULL) {
        TS_TRY(ts__tfl_spread_window(t, o, from, y, &n.window));
    }
    if (b != NULL) {
        TS_TRY(input_at(t, o, 2, &n.inputs[n.input_count++]));
    }
    return finish(t, o, &n, NULL, option(t, o, depthwise ? DEPTHWISE_ACTIVATION : CONV_ACTIVATION, 1, 0));
}

static ts_status take_pool(tfl *t, const tfl_op *o, ts_fop op) {
    ts_fnode n = new_node(t, o, op, 1);
    TS_TRY(input_at(t, o, 0, &n.inputs[0]));
    int64_t kh = option(t, o, POOL_FILTER_H, 4, 0), kw = option(t, o, POOL_FILTER_W, 4, 0);
    n.window.kernel_h = kh > 0 && kh <= MAX_WINDOW ? (uint32_t)kh : 0;
    n.window.kernel_w = kw > 0 && kw <= MAX_WINDOW ? (uint32_t)kw : 0;
    const ts_ftensor x = t->real->tensors.data[n.inputs[0]];
    TS_TRY(read_window(t, o, &x, 0, &n.window));
    return finish(t, o, &n, NULL, option(t, o, POOL_ACTIVATION, 1, 0));
}

/* Rows in the shape that the file gives them (keep_num_dims). */
static ts_status keep_dims(tfl *t, const tfl_op *o) {
    tfl_tensor *y = ts__tfl_tensor_at(t, o->outputs, 0);
    const ts_ftensor rows = t->real->tensors.data[y->real];
    const uint32_t count = rows.dims[1];
    if (y->rank <= 2 || y->rank > 4 || y->dims[y->rank - 1] != count ||
        y->elements != ts_ftensor_elements(&rows)) {
        return TS_OK;
    }
    ts_fnode back = new_node(t, o, TS_FOP_RESHAPE, 1);
    ts_ftensor shape = {.rank = y->rank};
    memcpy(shape.dims, y->dims, y->rank * sizeof *y->dims);
    back.inputs[0] = y->real;
    return ts_fgraph_add_node(t->real, &back, ts_arena_printf(t->arena, "%s.rows", o->name), &shape, &y->real,
                              t->diags);
}

/* One row of features: what is read flat is reshaped first. */
static ts_status take_fully_connected(tfl *t, const tfl_op *o) {
    ts_fnode n = new_node(t, o, TS_FOP_GEMM, 2);
    n.trans_b = true;
    TS_TRY(input_at(t, o, 0, &n.inputs[0]));
    TS_TRY(input_at(t, o, 1, &n.inputs[1]));
    const ts_ftensor x = t->real->tensors.data[n.inputs[0]], w = t->real->tensors.data[n.inputs[1]];
    if (w.rank != 2 || ts_ftensor_elements(&x) % w.dims[1] != 0) {
        return TFL_FAIL(TS_DIAG_SHAPE, "its weights do not fit rows of its input");
    }
    if (x.rank != 2 || x.dims[1] != w.dims[1]) {
        ts_fnode flat = new_node(t, o, TS_FOP_RESHAPE, 1);
        const ts_ftensor shape = {.rank = 2,
                                  .dims = {(uint32_t)(ts_ftensor_elements(&x) / w.dims[1]), w.dims[1]}};
        flat.inputs[0] = n.inputs[0];
        TS_TRY(ts_fgraph_add_node(t->real, &flat, ts_arena_printf(t->arena, "%s.flat", o->name), &shape,
                                  &n.inputs[0], t->diags));
    }
    if (ts__tfl_tensor_at(t, o->inputs, 2) != NULL) {
        TS_TRY(input_at(t, o, 2, &n.inputs[n.input_count++]));
    }
    TS_TRY(finish(t, o, &n, NULL, option(t, o, 0, 1, ACTIVATION_NONE)));
    return keep_dims(t, o);
}

static ts_status take_binary(tfl *t, const tfl_op *o, ts_fop op) {
    ts_fnode n = new_node(t, o, op, 2);
    TS_TRY(input_at(t, o, 0, &n.inputs[0]));
    TS_TRY(input_at(t, o, 1, &n.inputs[1]));
    return finish(t, o, &n, NULL, option(t, o, 0, 1, ACTIVATION_NONE));
}

static float option_float(tfl *t, const tfl_op *o, uint32_t field, uint32_t absent) {
    union {
        uint32_t bits;
        float value;
    } u = {.bits = (uint32_t)option(t, o, field, 4, absent)};
    return u.value;
}

/* Not fused to any activation. */
static ts_status take_plain(tfl *t, const tfl_op *o, ts_fop op) {
    ts_fnode n = new_node(t, o, op, 2);
    TS_TRY(input_at(t, o, 0, &n.inputs[0]));
    TS_TRY(input_at(t, o, 1, &n.inputs[1]));
    return finish(t, o, &n, NULL, ACTIVATION_NONE);
}

/* A node whose result is read by another of the same operator. */
static ts_status add_before(tfl *t, const tfl_op *o, ts_fop op, ts_tensor_id a, ts_tensor_id b,
                            ts_tensor_id *out) {
    ts_fnode n = new_node(t, o, op, b == TS_NONE ? 1 : 2);
    n.inputs[0] = a;
    n.inputs[1] = b;
    n.name = ts_arena_printf(t->arena, "%s.%s", o->name, ts_fop_name(op));
    return ts_fgraph_add_node(t->real, &n, n.name, NULL, out, t->diags);
}

/* 1 / sqrt(x). */
static ts_status take_rsqrt(tfl *t, const tfl_op *o) {
    ts_fnode n = new_node(t, o, TS_FOP_RECIPROCAL, 1);
    TS_TRY(input_at(t, o, 0, &n.inputs[0]));
    TS_TRY(add_before(t, o, TS_FOP_SQRT, n.inputs[0], TS_NONE, &n.inputs[0]));
    return finish(t, o, &n, NULL, ACTIVATION_NONE);
}

/* x times x, or of a difference. */
static ts_status take_square(tfl *t, const tfl_op *o, bool of_difference) {
    ts_fnode n = new_node(t, o, TS_FOP_MUL, 2);
    ts_tensor_id b;
    TS_TRY(input_at(t, o, 0, &n.inputs[0]));
    if (of_difference) {
        TS_TRY(input_at(t, o, 1, &b));
        TS_TRY(add_before(t, o, TS_FOP_SUB, n.inputs[0], b, &n.inputs[0]));
    }
    n.inputs[1] = n.inputs[0];
    return finish(t, o, &n, NULL, ACTIVATION_NONE);
}

static ts_tensor_id number(tfl *t, float value) {
    float *data = TS_NEW(t->arena, float);
    *data = value;
    return ts_fgraph_add_constant(t->real, "", 0, NULL, data);
}

/* x min(max(x + 3, 0), 6) / 6, in the order of the reference kernel: the float graph's own operator rounds
 * in another one. */
static ts_status take_hard_swish(tfl *t, const tfl_op *o) {
    ts_fnode bound = new_node(t, o, TS_FOP_CLIP, 1), n = new_node(t, o, TS_FOP_DIV, 2);
    ts_tensor_id x;
    bound.low = 0;
    bound.high = 6;
    bound.name = ts_arena_printf(t->arena, "%s.gate", o->name);
    TS_TRY(input_at(t, o, 0, &x));
    TS_TRY(add_before(t, o, TS_FOP_ADD, x, number(t, 3), &bound.inputs[0]));
    TS_TRY(ts_fgraph_add_node(t->real, &bound, bound.name, NULL, &n.inputs[0], t->diags));
    TS_TRY(add_before(t, o, TS_FOP_MUL, x, n.inputs[0], &n.inputs[0]));
    n.inputs[1] = number(t, 6);
    return finish(t, o, &n, NULL, ACTIVATION_NONE);
}

static ts_status take_unary(tfl *t, const tfl_op *o, ts_fop op) {
    ts_fnode n = new_node(t, o, op, 1);
    TS_TRY(input_at(t, o, 0, &n.inputs[0]));
    n.alpha = op == TS_FOP_LEAKY_RELU ? option_float(t, o, 0, 0) : 1;
    n.axis = t->real->tensors.data[n.inputs[0]].rank - 1; /* softmax: the last */
    float beta = op == TS_FOP_SOFTMAX ? option_float(t, o, 0, 0x3f800000) : 1;
    if (!(beta > 0) || !isfinite(beta)) {
        return TFL_FAIL(TS_DIAG_VALUE, "its beta is %g; a positive number would be right", (double)beta);
    }
    if (beta != 1) {
        TS_TRY(add_before(t, o, TS_FOP_MUL, n.inputs[0], number(t, beta), &n.inputs[0]));
    }
    return finish(t, o, &n, NULL, ACTIVATION_NONE);
}

static ts_status take_clip(tfl *t, const tfl_op *o, float low, float high) {
    ts_fnode n = new_node(t, o, TS_FOP_CLIP, 1);
    TS_TRY(input_at(t, o, 0, &n.inputs[0]));
    n.low = low;
    n.high = high;
    return finish(t, o, &n, NULL, ACTIVATION_NONE);
}

static ts_status take_reshape(tfl *t, const tfl_op *o) {
    ts_fnode n = new_node(t, o, TS_FOP_RESHAPE, 1);
    const tfl_tensor *x = ts__tfl_tensor_at(t, o->inputs, 0);
    tfl_tensor *y;
    TS_TRY(value_at(t, o, 0, &n.inputs[0]));
    TS_TRY(ts__tfl_output_of(t, o, &y));
    if (x->spread != NULL) {
        TS_TRY(ts__tfl_spread_reshape(t, o, x, y));
    }
    ts_ftensor shape = {.rank = y->rank};
    memcpy(shape.dims, y->dims, sizeof shape.dims);
    if (y->elements != ts_ftensor_elements(&t->real->tensors.data[n.inputs[0]])) {
        return TFL_FAIL(TS_DIAG_SHAPE, "the number of elements would change");
    }
    return finish(t, o, &n, &shape, ACTIVATION_NONE);
}

static ts_status take_pad(tfl *t, const tfl_op *o) {
    ts_fnode n = new_node(t, o, TS_FOP_PAD, 1);
    ts_flat_vector pads;
    TS_TRY(input_at(t, o, 0, &n.inputs[0]));
    TS_TRY(ts__tfl_numbers_at(t, o, 1, 2 * TS_MAX_RANK, &pads));
    n.alpha = 0;
    if (o->inputs.count > 2) { /* PADV2 */
        ts_tensor_id value;
        TS_TRY(input_at(t, o, 2, &value));
        const ts_ftensor *number = &t->real->tensors.data[value];
        if (number->data == NULL || ts_ftensor_elements(number) != 1) {
            return TFL_FAIL(TS_DIAG_UNSUPPORTED, "a constant number is served to pad with");
        }
        n.alpha = number->data[0];
    }
    for (uint32_t i = 0; i < pads.count; i++) {
        int32_t pad = ts__flat_i32(pads, i);
        if (pads.count != 2 * t->real->tensors.data[n.inputs[0]].rank || pad < 0 || pad > MAX_WINDOW) {
            return TFL_FAIL(TS_DIAG_UNSUPPORTED, "paddings of each dimension up to %d are served",
                            MAX_WINDOW);
        }
        (i % 2 == 0 ? n.begin : n.end)[i / 2] = (uint32_t)pad;
    }
    return finish(t, o, &n, NULL, ACTIVATION_NONE);
}

static ts_status take_concat(tfl *t, const tfl_op *o) {
    ts_fnode n = new_node(t, o, TS_FOP_CONCAT, o->inputs.count);
    if (o->inputs.count == 0 || o->inputs.count > TS_MAX_INPUTS) {
        return TFL_FAIL(TS_DIAG_UNSUPPORTED, "1 to %d tensors are served, not %u", TS_MAX_INPUTS,
                        o->inputs.count);
    }
    for (uint32_t i = 0; i < n.input_count; i++) {
        TS_TRY(input_at(t, o, i, &n.inputs[i]));
    }
    int64_t rank = t->real->tensors.data[n.inputs[0]].rank, axis = option(t, o, 0, 4, 0);
    axis = axis < 0 ? axis + rank : axis;
    if (axis < 0 || axis >= rank) {
        return TFL_FAIL(TS_DIAG_SHAPE, "joins axis %lld of %lld", (long long)axis, (long long)rank);
    }
    n.axis = (uint32_t)axis;
    return finish(t, o, &n, NULL, option(t, o, 1, 1, ACTIVATION_NONE));
}

static ts_status take_reduction(tfl *t, const tfl_op *o, ts_fop op) {
    ts_fnode n = new_node(t, o, op, 1);
    ts_flat_vector axes;
    TS_TRY(input_at(t, o, 0, &n.inputs[0]));
    TS_TRY(ts__tfl_numbers_at(t, o, 1, TS_MAX_RANK, &axes));
    int64_t rank = t->real->tensors.data[n.inputs[0]].rank;
    for (uint32_t i = 0; i < axes.count; i++) {
        int64_t axis = ts__flat_i32(axes, i);
        axis = axis < 0 ? axis + rank : axis;
        if (axis < 0 || axis >= rank) {
            return TFL_FAIL(TS_DIAG_SHAPE, "goes over axis %lld of %lld", (long long)axis, (long long)rank);
        }
        n.axes |= 1u << axis;
    }
    n.keep_dims = option(t, o, 0, 1, 0) != 0;
    return finish(t, o, &n, NULL, ACTIVATION_NONE);
}

static ts_status take_transpose(tfl *t, const tfl_op *o) {
    ts_fnode n = new_node(t, o, TS_FOP_TRANSPOSE, 1);
    ts_flat_vector perm;
    uint32_t seen = 0;
    TS_TRY(input_at(t, o, 0, &n.inputs[0]));
    TS_TRY(ts__tfl_numbers_at(t, o, 1, TS_MAX_RANK, &perm));
    uint32_t rank = t->real->tensors.data[n.inputs[0]].rank;
    for (uint32_t i = 0; i < perm.count && perm.count == rank; i++) {
        uint32_t from = (uint32_t)ts__flat_i32(perm, i);
        seen |= from < rank ? 1u << from : 0;
        n.perm[i] = from;
    }
    return seen + 1 == 1u << rank ? finish(t, o, &n, NULL, ACTIVATION_NONE)
                                  : TFL_FAIL(TS_DIAG_MALFORMED, "its permutation is none");
}

/* y[i] = x[begin + i step], in the shape that the file gives y. */
static ts_status add_slice(tfl *t, const tfl_op *o, ts_tensor_id x, const tfl_range *ranges) {
    ts_fnode n = new_node(t, o, TS_FOP_SLICE, 1), reshape = new_node(t, o, TS_FOP_RESHAPE, 1);
    ts_ftensor shape = {.rank = t->real->tensors.data[x].rank, .layout = t->real->tensors.data[x].layout};
    tfl_tensor *y;
    uint64_t elements = 1;
    TS_TRY(ts__tfl_output_of(t, o, &y));
    n.inputs[0] = x;
    for (uint32_t i = 0; i < shape.rank; i++) {
        n.begin[i] = (uint32_t)ranges[i].begin;
        n.step[i] = (uint32_t)ranges[i].step;
        shape.dims[i] = (uint32_t)ranges[i].count;
        elements *= shape.dims[i];
    }
    if (y->elements != elements) {
        return TFL_FAIL(TS_DIAG_SHAPE, "its output has another shape than its slice");
    }
    if (y->rank == shape.rank && memcmp(y->dims, shape.dims, shape.rank * sizeof *shape.dims) == 0) {
        return finish(t, o, &n, &shape, ACTIVATION_NONE);
    }
    TS_TRY(ts_fgraph_add_node(t->real, &n, ts_arena_printf(t->arena, "%s.whole", o->name), &shape,
                              &reshape.inputs[0], t->diags));
    shape.rank = y->rank;
    memcpy(shape.dims, y->dims, sizeof shape.dims);
    return finish(t, o, &reshape, &shape, ACTIVATION_NONE);
}

/* The file's tensor of an activation, whose shape is that of the graph's. */
static ts_status shaped_input(tfl *t, const tfl_op *o, uint32_t i, const tfl_tensor **file,
                              ts_tensor_id *out) {
    TS_TRY(input_at(t, o, i, out));
    const tfl_tensor *x = *file = ts__tfl_tensor_at(t, o->inputs, i);
    const ts_ftensor *real = &t->real->tensors.data[*out];
    return x->rank == real->rank && memcmp(x->dims, real->dims, x->rank * sizeof *x->dims) == 0
               ? TS_OK
               : TFL_FAIL(TS_DIAG_SHAPE, "its input has another shape than the file says");
}

/* The result stands for its input: the same values. */
static ts_status take_space_to_batch(tfl *t, const tfl_op *o) {
    const tfl_tensor *x;
    tfl_tensor *y;
    ts_tensor_id id;
    TS_TRY(shaped_input(t, o, 0, &x, &id));
    TS_TRY(ts__tfl_output_of(t, o, &y));
    TS_TRY(ts__tfl_spread(t, o, x, y));
    y->real = id;
    return TS_OK;
}

static ts_status take_batch_to_space(tfl *t, const tfl_op *o) {
    const tfl_tensor *x = ts__tfl_tensor_at(t, o->inputs, 0);
    tfl_tensor *y;
    tfl_range ranges[TS_MAX_RANK];
    ts_tensor_id id;
    TS_TRY(value_at(t, o, 0, &id));
    TS_TRY(ts__tfl_output_of(t, o, &y));
    TS_TRY(ts__tfl_gather_ranges(t, o, x, y, ranges));
    if (x->elements != y->elements) {
        return add_slice(t, o, id, ranges);
    }
    y->real = id;
    return TS_OK;
}

static ts_status take_slice(tfl *t, const tfl_op *o, bool strided) {
    tfl_range ranges[TS_MAX_RANK];
    const tfl_tensor *x;
    ts_tensor_id id;
    TS_TRY(shaped_input(t, o, 0, &x, &id));
    TS_TRY((strided ? ts__tfl_strided_ranges : ts__tfl_slice_ranges)(t, o, x, ranges));
    for (uint32_t i = 0; i < x->rank; i++) {
        if (ranges[i].step < 0 && ranges[i].count > 1) {
            return TFL_FAIL(TS_DIAG_UNSUPPORTED, "steps backwards are served of integers, not of floats");
        }
    }
    return add_slice(t, o, id, ranges);
}

/* Parts along an axis, one an output, whose sizes are those of the outputs. */
static ts_status split_along(tfl *t, const tfl_op *o, uint32_t input, int64_t axis) {
    tfl_range ranges[TS_MAX_RANK];
    const tfl_tensor *x;
    ts_tensor_id id;
    int64_t at = 0;
    TS_TRY(shaped_input(t, o, input, &x, &id));
    axis = axis < 0 ? axis + x->rank : axis;
    if (axis < 0 || axis >= x->rank || o->outputs.count > MAX_PARTS || x->elements == 0) {
        return TFL_FAIL(TS_DIAG_UNSUPPORTED, "a split of one axis into up to %d is served", MAX_PARTS);
    }
    for (uint32_t i = 0; i < o->outputs.count; i++) {
        const tfl_op part = ts__tfl_part(t, o, i);
        tfl_tensor *y;
        TS_TRY(ts__tfl_output_of(t, &part, &y));
        for (uint32_t d = 0; d < x->rank; d++) {
            ranges[d] = (tfl_range){0, 1, x->dims[d]};
        }
        ranges[axis] = (tfl_range){at, 1, (int64_t)(y->elements / (x->elements / x->dims[axis]))};
        at += ranges[axis].count;
        if (ranges[axis].count == 0 || at > x->dims[axis]) {
            return TFL_FAIL(TS_DIAG_SHAPE, "its parts are more than the whole");
        }
        TS_TRY(add_slice(t, &part, id, ranges));
    }
    return at == x->dims[axis] ? TS_OK : TFL_FAIL(TS_DIAG_SHAPE, "its parts are less than the whole");
}

static ts_status take_split(tfl *t, const tfl_op *o, uint32_t input, uint32_t axis_input) {
    ts_flat_vector axes;
    TS_TRY(ts__tfl_numbers_at(t, o, axis_input, 1, &axes));
    return split_along(t, o, input, ts__flat_i32(axes, 0));
}

/* Tensors of one shape along a new axis: each gets it, then they are joined. */
static ts_status take_pack(tfl *t, const tfl_op *o) {
    ts_fnode n = new_node(t, o, TS_FOP_CONCAT, o->inputs.count);
    tfl_tensor *y;
    TS_TRY(ts__tfl_output_of(t, o, &y));
    int64_t axis = option(t, o, 1, 4, 0);
    axis = axis < 0 ? axis + y->rank : axis;
    if (o->inputs.count == 0 || o->inputs.count > TS_MAX_INPUTS || axis < 0 || axis >= y->rank ||
        y->dims[axis] != o->inputs.count) {
        return TFL_FAIL(TS_DIAG_UNSUPPORTED, "1 to %d tensors along a new axis are served, not %u",
                        TS_MAX_INPUTS, o->inputs.count);
    }
    n.axis = (uint32_t)axis;
    for (uint32_t i = 0; i < n.input_count; i++) {
        ts_fnode part = new_node(t, o, TS_FOP_RESHAPE, 1);
        const char *name = part.name = ts_arena_printf(t->arena, "%s.%u", o->name, i);
        TS_TRY(input_at(t, o, i, &part.inputs[0]));
        ts_ftensor shape = {.rank = y->rank, .layout = t->real->tensors.data[part.inputs[0]].layout};
        memcpy(shape.dims, y->dims, sizeof shape.dims);
        shape.dims[axis] = 1;
        TS_TRY(ts_fgraph_add_node(t->real, &part, name, &shape, &n.inputs[i], t->diags));
    }
    return finish(t, o, &n, NULL, ACTIVATION_NONE);
}

static ts_status take_resize(tfl *t, const tfl_op *o) {
    ts_fnode n = new_node(t, o, TS_FOP_RESIZE, 1);
    const tfl_tensor *x;
    tfl_tensor *y;
    TS_TRY(shaped_input(t, o, 0, &x, &n.inputs[0]));
    TS_TRY(ts__tfl_output_of(t, o, &y));
    TS_TRY(ts__tfl_check_resize(t, o, x, y));
    ts_ftensor shape = {.rank = y->rank, .layout = t->real->tensors.data[n.inputs[0]].layout};
    memcpy(shape.dims, y->dims, sizeof shape.dims);
    return finish(t, o, &n, &shape, ACTIVATION_NONE);
}

ts_status ts__tfl_float_constant(tfl *t, const tfl_op *o, const tfl_tensor *x, tfl_tensor *y) {
    if (y->type != TYPE_FLOAT) {
        return TFL_FAIL(TS_DIAG_UNSUPPORTED, "its result is not float");
    }
    y->made_of = x;
    return add_constant(t, o, x, false, &y->real);
}

/* In floats, DEQUANTIZE is for constants of 16 and of 8 bits. */
static ts_status take_dequantize(tfl *t, const tfl_op *o) {
    tfl_tensor *x = ts__tfl_tensor_at(t, o->inputs, 0), *y;
    TS_TRY(ts__tfl_output_of(t, o, &y));
    return x != NULL && x->data.count > 0
               ? ts__tfl_float_constant(t, o, x, y)
               : TFL_FAIL(TS_DIAG_UNSUPPORTED, "only constants are dequantised in a float network");
}

/* Functions of one element and operations on two that have no attributes: the operator of the float graph,
 * TS_FOP_COUNT where it is none. */
static ts_fop plain_unary(int64_t code) {
    static const struct {
        uint8_t code, op;
    } rows[] = {
        {8, TS_FOP_FLOOR}, {14, TS_FOP_SIGMOID},    {19, TS_FOP_RELU},        {25, TS_FOP_SOFTMAX},
        {28, TS_FOP_TANH}, {47, TS_FOP_EXP},        {59, TS_FOP_NEG},         {73, TS_FOP_LOG},
        {75, TS_FOP_SQRT}, {98, TS_FOP_LEAKY_RELU}, {101, TS_FOP_ABS},        {104, TS_FOP_CEIL},
        {111, TS_FOP_ELU}, {116, TS_FOP_ROUND},     {117, TS_FOP_HARD_SWISH}, {50, TS_FOP_LOG_SOFTMAX}};
    for (uint32_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (rows[i].code == code) {
            return (ts_fop)rows[i].op;
        }
    }
    return TS_FOP_COUNT;
}

static ts_status take_binary_code(tfl *t, const tfl_op *o, int64_t code) {
    switch (code) {
        case 0:
            return take_binary(t, o, TS_FOP_ADD);
        case 18:
            return take_binary(t, o, TS_FOP_MUL);
        case 41:
            return take_binary(t, o, TS_FOP_SUB);
        case 42:
            return take_binary(t, o, TS_FOP_DIV);
        case 54:
            return take_plain(t, o, TS_FOP_PRELU);
        case 55:
            return take_plain(t, o, TS_FOP_MAX);
        case 57:
            return take_plain(t, o, TS_FOP_MIN);
        case 78:
            return take_plain(t, o, TS_FOP_POW);
        case 99:
            return take_square(t, o, true);
        default:
            return TFL_FAIL(
                TS_DIAG_UNSUPPORTED,
                "this operator is not served in float networks; docs/tflite.md lists those that are");
    }
}

ts_status ts__tfl_float_operator(tfl *t, const tfl_op *o, int64_t code) {
    ts_fop unary = plain_unary(code);
    if (unary == TS_FOP_HARD_SWISH && !t->whole) {
        return take_hard_swish(t, o);
    }
    if (unary != TS_FOP_COUNT) {
        return take_unary(t, o, unary);
    }
    switch (code) {
        case 1:
            return take_pool(t, o, TS_FOP_AVG_POOL);
        case 2:
            return take_concat(t, o);
        case 3:
            return take_conv(t, o, false);
        case 4:
            return take_conv(t, o, true);
        case DEQUANTIZE_CODE:
            return take_dequantize(t, o);
        case 9:
            return take_fully_connected(t, o);
        case 17:
            return take_pool(t, o, TS_FOP_MAX_POOL);
        case 20:
            return take_clip(t, o, -1, 1);
        case 21:
            return take_clip(t, o, 0, 6);
        case 152:
            return take_clip(t, o, 0, 1);
        case 22:
        case 43:
        case 70:
            return take_reshape(t, o);
        case 34:
        case 60:
            return take_pad(t, o);
        case 37:
            return take_batch_to_space(t, o);
        case 38:
            return take_space_to_batch(t, o);
        case 39:
            return take_transpose(t, o);
        case 40:
            return take_reduction(t, o, TS_FOP_REDUCE_MEAN);
        case 45:
            return take_slice(t, o, true);
        case 49:
            return take_split(t, o, 1, 0);
        case 65:
            return take_slice(t, o, false);
        case 74:
            return take_reduction(t, o, TS_FOP_REDUCE_SUM);
        case 76:
            return take_rsqrt(t, o);
        case 82:
            return take_reduction(t, o, TS_FOP_REDUCE_MAX);
        case 83:
            return take_pack(t, o);
        case 88:
            return split_along(t, o, 0, option(t, o, 1, 4, 0));
        case 92:
            return take_square(t, o, false);
        case 97:
            return take_resize(t, o);
        case 102:
            return take_split(t, o, 0, 2);
        default:
            return take_binary_code(t, o, code);
    }
}

ts_status ts__tfl_float_input(tfl *t, const tfl_op *o, tfl_tensor *x) {
    ts_ftensor input = {.name = ts_arena_strdup(t->arena, x->name),
                        .rank = x->rank,
                        .layout = TS_LAYOUT_CHANNELS_LAST,
                        .producer = TS_NONE};
    if (x->type != TYPE_FLOAT || x->elements == 0) {
        return TFL_FAIL(TS_DIAG_UNSUPPORTED, "input '%s' is not of floats; the file needs no quantisation",
                        x->name);
    }
    memcpy(input.dims, x->dims, sizeof input.dims);
    input.layout = x->rank == 4 ? TS_LAYOUT_CHANNELS_LAST : TS_LAYOUT_FILE;
    x->real = ts_fgraph_add_tensor(t->real, &input);
    TS_PUSH(t->arena, &t->real->inputs, x->real);
    return TS_OK;
}
