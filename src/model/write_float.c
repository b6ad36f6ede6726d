/* Writing a float graph as ONNX, opset 14: what frameworks and our own importer read.
 *
 * Our maps are channels last, ONNX's channels first. Every value of the file lies in one of both orders:
 * `planes` says which. Operators with a layout take planes, the others our order; a Transpose stands where
 * they meet, and one of the graph's own that only says so becomes a change of mind instead. */
#include <string.h>

#include "base/file.h"
#include "model/float_model.h"
#include "onnx.pb-c.h"

enum { IR_VERSION = 7, OPSET = 14 };

/* How a tensor is called in the file, in either order; NULL where it has no such value yet. */
typedef struct value {
    const char *planes, *rows;
} value;

typedef struct writer {
    ts_arena *arena;
    const ts_fgraph *graph;
    const ts_fnode *node; /* being written */
    value *values;        /* one a tensor */
    uint32_t names;       /* given so far */
    TS_VEC(Onnx__NodeProto *) nodes;
    TS_VEC(Onnx__TensorProto *) initializers;
    ts_diags *diags;
} writer;

static const ts_ftensor *tensor_of(const writer *w, ts_tensor_id id) { return &w->graph->tensors.data[id]; }

static char *copy(const writer *w, const char *text) { return ts_arena_strdup(w->arena, text); }

/* A name that nothing else has: numbers make it so. */
static char *fresh(writer *w, const char *name) {
    return ts_arena_printf(w->arena, "%s_%u", name == NULL ? "value" : name, w->names++);
}

/* ---- messages ---- */

static Onnx__TensorProto *add_initializer(writer *w, const char *name, int32_t type, uint32_t rank,
                                          const int64_t *dims, size_t bytes) {
    Onnx__TensorProto *t = TS_NEW(w->arena, Onnx__TensorProto);
    onnx__tensor_proto__init(t);
    t->name = copy(w, name);
    t->n_dims = rank;
    t->dims = ts_arena_copy(w->arena, dims, rank * sizeof *dims);
    t->has_data_type = 1;
    t->data_type = type;
    t->has_raw_data = 1;
    t->raw_data.len = bytes;
    t->raw_data.data = ts_arena_alloc(w->arena, bytes);
    TS_PUSH(w->arena, &w->initializers, t);
    return t;
}

static float *add_floats(writer *w, const char *name, uint32_t rank, const int64_t *dims) {
    uint64_t count = 1;
    for (uint32_t d = 0; d < rank; d++) {
        count *= (uint64_t)dims[d];
    }
    return (float *)(void *)add_initializer(w, name, ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT, rank, dims,
                                            count * sizeof(float))
        ->raw_data.data;
}

static const char *add_ints(writer *w, const char *what, uint32_t count, const int64_t *values) {
    const char *name = fresh(w, what);
    int64_t dims[] = {count};
    Onnx__TensorProto *t =
        add_initializer(w, name, ONNX__TENSOR_PROTO__DATA_TYPE__INT64, 1, dims, count * sizeof *values);
    memcpy(t->raw_data.data, values, count * sizeof *values);
    return name;
}

static const char *add_scalar(writer *w, const char *what, float number) {
    const char *name = fresh(w, what);
    *add_floats(w, name, 0, NULL) = number;
    return name;
}

static Onnx__AttributeProto *attribute(const writer *w, Onnx__NodeProto *node, const char *name,
                                       Onnx__AttributeProto__AttributeType type) {
    Onnx__AttributeProto *a = TS_NEW(w->arena, Onnx__AttributeProto);
    Onnx__AttributeProto **all = TS_NEW_ARRAY(w->arena, Onnx__AttributeProto *, node->n_attribute + 1);
    onnx__attribute_proto__init(a);
    a->name = copy(w, name);
    a->has_type = 1;
    a->type = type;
    if (node->n_attribute > 0) {
        memcpy(all, node->attribute, node->n_attribute * sizeof *all);
    }
    all[node->n_attribute++] = a;
    node->attribute = all;
    return a;
}

static void say_int(const writer *w, Onnx__NodeProto *node, const char *name, int64_t number) {
    Onnx__AttributeProto *a = attribute(w, node, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT);
    a->has_i = 1;
    a->i = number;
}

static void say_float(const writer *w, Onnx__NodeProto *node, const char *name, float number) {
    Onnx__AttributeProto *a = attribute(w, node, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT);
    a->has_f = 1;
    a->f = number;
}

static void say_ints(const writer *w, Onnx__NodeProto *node, const char *name, uint32_t count,
                     const int64_t *numbers) {
    Onnx__AttributeProto *a = attribute(w, node, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS);
    a->n_ints = count;
    a->ints = ts_arena_copy(w->arena, numbers, count * sizeof *numbers);
}

static void say_text(const writer *w, Onnx__NodeProto *node, const char *name, const char *text) {
    Onnx__AttributeProto *a = attribute(w, node, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING);
    a->has_s = 1;
    a->s.len = strlen(text);
    a->s.data = (uint8_t *)copy(w, text);
}

static Onnx__NodeProto *add_node(writer *w, const char *op, const char *name, const char *output) {
    Onnx__NodeProto *node = TS_NEW(w->arena, Onnx__NodeProto);
    onnx__node_proto__init(node);
    node->op_type = copy(w, op);
    node->name = copy(w, name);
    node->input = TS_NEW_ARRAY(w->arena, char *, TS_MAX_INPUTS);
    node->output = TS_NEW(w->arena, char *);
    node->n_output = 1;
    node->output[0] = copy(w, output);
    TS_PUSH(w->arena, &w->nodes, node);
    return node;
}

static void add_input(const writer *w, Onnx__NodeProto *node, const char *name) {
    node->input[node->n_input++] = copy(w, name);
}

/* ---- both orders ---- */

/* Dimension of the channels-first order that dimension `d` of ours is. */
static uint32_t plane_dim(uint32_t rank, uint32_t d) { return d == 0 ? 0 : d == rank - 1 ? 1 : d + 1; }

static bool has_planes(const ts_ftensor *t) { return t->rank == 3 || t->rank == 4; }

/* Elements in channels-first order; `to` may have another rank in front of which are ones. */
static void copy_planes(const ts_ftensor *t, float *to) {
    uint64_t channels = t->dims[t->rank - 1], first = t->dims[0];
    uint64_t pixels = ts_ftensor_elements(t) / channels / first;
    for (uint64_t n = 0; n < first; n++) {
        for (uint64_t i = 0; i < pixels * channels; i++) {
            to[(n * channels + i % channels) * pixels + i / channels] = t->data[n * pixels * channels + i];
        }
    }
}

static void plane_dims(const ts_ftensor *t, int64_t *dims) {
    for (uint32_t d = 0; d < t->rank; d++) {
        dims[plane_dim(t->rank, d)] = t->dims[d];
    }
}

static void row_dims(const ts_ftensor *t, int64_t *dims) {
    for (uint32_t d = 0; d < t->rank; d++) {
        dims[d] = t->dims[d];
    }
}

static const char *turn(writer *w, const ts_ftensor *t, const char *from, bool to_planes) {
    const char *name = fresh(w, t->name);
    Onnx__NodeProto *node = add_node(w, "Transpose", name, name);
    int64_t perm[TS_MAX_RANK];
    add_input(w, node, from);
    for (uint32_t d = 0; d < t->rank; d++) {
        uint32_t plane = plane_dim(t->rank, d);
        perm[to_planes ? plane : d] = to_planes ? d : plane;
    }
    say_ints(w, node, "perm", t->rank, perm);
    return name;
}

/* A constant in an order, written where it is first used so. */
static const char *constant(writer *w, ts_tensor_id id, bool planes) {
    const ts_ftensor *t = tensor_of(w, id);
    const char *name = fresh(w, t->name);
    int64_t dims[TS_MAX_RANK];
    if (planes) {
        plane_dims(t, dims);
        copy_planes(t, add_floats(w, name, t->rank, dims));
    } else {
        row_dims(t, dims);
        memcpy(add_floats(w, name, t->rank, dims), t->data, ts_ftensor_elements(t) * sizeof(float));
    }
    return name;
}

static const char *as_planes(writer *w, ts_tensor_id id) {
    value *v = &w->values[id];
    const ts_ftensor *t = tensor_of(w, id);
    if (v->planes == NULL && has_planes(t)) {
        v->planes = t->data != NULL ? constant(w, id, true) : turn(w, t, v->rows, true);
    }
    return v->planes == NULL ? v->rows : v->planes;
}

static const char *as_rows(writer *w, ts_tensor_id id) {
    value *v = &w->values[id];
    const ts_ftensor *t = tensor_of(w, id);
    if (v->rows == NULL) {
        v->rows = t->data != NULL ? constant(w, id, false) : turn(w, t, v->planes, false);
    }
    return v->rows;
}

/* ---- operators ---- */

/* Adds the node of `w->node` with a result in this order. */
static Onnx__NodeProto *begin(writer *w, const char *op, bool planes) {
    const ts_ftensor *y = tensor_of(w, w->node->output);
    const char *name = fresh(w, y->name);
    value *v = &w->values[w->node->output];
    *(planes && has_planes(y) ? &v->planes : &v->rows) = name;
    return add_node(w, op, w->node->name == NULL ? name : w->node->name, name);
}

/* Whether an activation operand lies in planes now. */
static bool in_planes(const writer *w, uint32_t k) { return w->values[w->node->inputs[k]].planes != NULL; }

static const char *operand(writer *w, uint32_t k, bool planes) {
    return planes ? as_planes(w, w->node->inputs[k]) : as_rows(w, w->node->inputs[k]);
}

static void say_window(writer *w, Onnx__NodeProto *node, bool dilated) {
    const ts_window *n = &w->node->window;
    bool flat = tensor_of(w, w->node->inputs[0])->rank == 3;
    const int64_t kernel[] = {n->kernel_h, n->kernel_w}, stride[] = {n->stride_h, n->stride_w},
                  dilation[] = {n->dilation_h, n->dilation_w},
                  pads[] = {n->pad_top, n->pad_left, n->pad_bottom, n->pad_right},
                  flat_pads[] = {n->pad_left, n->pad_right};
    say_ints(w, node, "kernel_shape", flat ? 1 : 2, kernel + flat);
    say_ints(w, node, "strides", flat ? 1 : 2, stride + flat);
    say_ints(w, node, "pads", flat ? 2 : 4, flat ? flat_pads : pads);
    if (dilated) {
        say_ints(w, node, "dilations", flat ? 1 : 2, dilation + flat);
    }
}

static void write_conv(writer *w) {
    const char *x = operand(w, 0, true), *weights = operand(w, 1, true);
    const char *bias = w->node->input_count == 3 ? operand(w, 2, false) : NULL;
    Onnx__NodeProto *node = begin(w, "Conv", true);
    add_input(w, node, x);
    add_input(w, node, weights);
    if (bias != NULL) {
        add_input(w, node, bias);
    }
    say_window(w, node, true);
    say_int(w, node, "group", w->node->groups);
}

static ts_status write_pool(writer *w) {
    const ts_window *n = &w->node->window;
    bool average = w->node->op == TS_FOP_AVG_POOL;
    const char *x = operand(w, 0, true);
    if (average && (n->dilation_h != 1 || n->dilation_w != 1)) {
        return ts_error(w->diags, TS_DIAG_UNSUPPORTED, w->node->name, ts_fop_name(w->node->op),
                        "ONNX before opset 19 has no dilated average pooling");
    }
    Onnx__NodeProto *node = begin(w, average ? "AveragePool" : "MaxPool", true);
    add_input(w, node, x);
    say_window(w, node, !average);
    if (average) {
        say_int(w, node, "count_include_pad", w->node->count_pad);
    }
    return TS_OK;
}

static void write_norm(writer *w) {
    const char *inputs[5];
    for (uint32_t k = 0; k < 5; k++) {
        inputs[k] = operand(w, k, k == 0);
    }
    Onnx__NodeProto *node = begin(w, "BatchNormalization", true);
    for (uint32_t k = 0; k < 5; k++) {
        add_input(w, node, inputs[k]);
    }
    say_float(w, node, "epsilon", w->node->epsilon);
}

static void write_linear(writer *w) {
    const ts_fnode *n = w->node;
    const char *inputs[3];
    for (uint32_t k = 0; k < n->input_count; k++) {
        inputs[k] = operand(w, k, false);
    }
    Onnx__NodeProto *node = begin(w, n->op == TS_FOP_GEMM ? "Gemm" : "MatMul", false);
    for (uint32_t k = 0; k < n->input_count; k++) {
        add_input(w, node, inputs[k]);
    }
    if (n->op == TS_FOP_GEMM) {
        say_float(w, node, "alpha", n->alpha);
        say_float(w, node, "beta", n->beta);
        say_int(w, node, "transA", n->trans_a);
        say_int(w, node, "transB", n->trans_b);
    }
}

/* A vector over channels beside planes of two or three dimensions: its own follow as ones. */
static const char *channel_constant(writer *w, ts_tensor_id id, uint32_t rank) {
    const ts_ftensor *t = tensor_of(w, id);
    const char *name = fresh(w, t->name);
    int64_t dims[TS_MAX_RANK] = {1, t->dims[t->rank - 1]};
    for (uint32_t d = 2; d < rank; d++) {
        dims[d] = 1;
    }
    memcpy(add_floats(w, name, rank, dims), t->data, ts_ftensor_elements(t) * sizeof(float));
    return name;
}

static void write_binary(writer *w) {
    static const char *const names[] = {"Add", "Sub", "Mul", "Div", "Min", "Max", "Pow", "PRelu"};
    const ts_fnode *n = w->node;
    const ts_ftensor *y = tensor_of(w, n->output);
    const char *inputs[2];
    bool planes = has_planes(y);
    for (uint32_t k = 0; k < 2; k++) {
        const ts_ftensor *t = tensor_of(w, n->inputs[k]);
        uint64_t count = ts_ftensor_elements(t);
        bool vector = t->data != NULL && (count == 1 || (t->rank > 0 && count == t->dims[t->rank - 1]));
        planes = planes && (t->rank == y->rank || vector) && (t->data != NULL || t->rank == y->rank);
    }
    planes = planes && (in_planes(w, 0) || in_planes(w, 1));
    for (uint32_t k = 0; k < 2; k++) {
        const ts_ftensor *t = tensor_of(w, n->inputs[k]);
        bool vector = planes && t->data != NULL && t->rank != y->rank && ts_ftensor_elements(t) > 1;
        inputs[k] =
            vector ? channel_constant(w, n->inputs[k], y->rank) : operand(w, k, planes && t->rank == y->rank);
    }
    Onnx__NodeProto *node = begin(w, names[n->op - TS_FOP_ADD], planes);
    add_input(w, node, inputs[0]);
    add_input(w, node, inputs[1]);
}

static void write_concat(writer *w) {
    const ts_fnode *n = w->node;
    bool planes = has_planes(tensor_of(w, n->output)) && in_planes(w, 0);
    const char *inputs[TS_MAX_INPUTS];
    for (uint32_t k = 0; k < n->input_count; k++) {
        inputs[k] = operand(w, k, planes);
    }
    Onnx__NodeProto *node = begin(w, "Concat", planes);
    for (uint32_t k = 0; k < n->input_count; k++) {
        add_input(w, node, inputs[k]);
    }
    uint32_t rank = tensor_of(w, n->output)->rank;
    say_int(w, node, "axis", planes ? plane_dim(rank, n->axis) : n->axis);
}

static void write_pad(writer *w) {
    static const char *const modes[] = {"constant", "reflect", "edge"};
    const ts_fnode *n = w->node;
    uint32_t rank = tensor_of(w, n->output)->rank;
    bool planes = has_planes(tensor_of(w, n->output)) && in_planes(w, 0);
    int64_t pads[2 * TS_MAX_RANK];
    for (uint32_t d = 0; d < rank; d++) {
        uint32_t to = planes ? plane_dim(rank, d) : d;
        pads[to] = n->begin[d];
        pads[rank + to] = n->end[d];
    }
    const char *x = operand(w, 0, planes), *amounts = add_ints(w, "pads", 2 * rank, pads);
    const char *fill = n->pad_mode == TS_PAD_CONSTANT ? add_scalar(w, "fill", n->alpha) : NULL;
    Onnx__NodeProto *node = begin(w, "Pad", planes);
    add_input(w, node, x);
    add_input(w, node, amounts);
    if (fill != NULL) {
        add_input(w, node, fill);
    }
    say_text(w, node, "mode", modes[n->pad_mode]);
}

static void write_reshape(writer *w) {
    const ts_ftensor *y = tensor_of(w, w->node->output);
    int64_t dims[TS_MAX_RANK];
    row_dims(y, dims);
    const char *x = operand(w, 0, false), *shape = add_ints(w, "shape", y->rank, dims);
    Onnx__NodeProto *node = begin(w, "Reshape", false);
    add_input(w, node, x);
    add_input(w, node, shape);
}

/* A transposition between the two orders moves nothing in the file. */
static void write_transpose(writer *w) {
    const ts_fnode *n = w->node;
    const ts_ftensor *x = tensor_of(w, n->inputs[0]);
    bool to_planes = has_planes(x), to_rows = has_planes(x);
    int64_t perm[TS_MAX_RANK];
    for (uint32_t d = 0; d < x->rank; d++) {
        perm[d] = n->perm[d];
        to_planes = to_planes && n->perm[plane_dim(x->rank, d)] == d;
        to_rows = to_rows && n->perm[d] == plane_dim(x->rank, d);
    }
    if (to_planes) {
        w->values[n->output].rows = operand(w, 0, true);
        return;
    }
    if (to_rows) {
        w->values[n->output].planes = operand(w, 0, false);
        return;
    }
    const char *from = operand(w, 0, false);
    Onnx__NodeProto *node = begin(w, "Transpose", false);
    add_input(w, node, from);
    say_ints(w, node, "perm", x->rank, perm);
}

static void write_softmax(writer *w) {
    const char *x = operand(w, 0, false);
    Onnx__NodeProto *node = begin(w, w->node->op == TS_FOP_SOFTMAX ? "Softmax" : "LogSoftmax", false);
    add_input(w, node, x);
    say_int(w, node, "axis", w->node->axis);
}

static void write_reduce(writer *w) {
    const ts_fnode *n = w->node;
    uint32_t rank = tensor_of(w, n->inputs[0])->rank, count = 0;
    bool planes = has_planes(tensor_of(w, n->inputs[0])) && in_planes(w, 0) && n->keep_dims;
    int64_t axes[TS_MAX_RANK];
    for (uint32_t d = 0; d < rank; d++) {
        if ((n->axes >> d & 1) != 0) {
            axes[count++] = planes ? plane_dim(rank, d) : d;
        }
    }
    bool sum = n->op == TS_FOP_REDUCE_SUM; /* whose axes are an input since opset 13 */
    const char *x = operand(w, 0, planes), *list = sum ? add_ints(w, "axes", count, axes) : NULL;
    const char *op = sum ? "ReduceSum" : n->op == TS_FOP_REDUCE_MEAN ? "ReduceMean" : "ReduceMax";
    Onnx__NodeProto *node = begin(w, op, planes);
    add_input(w, node, x);
    if (sum) {
        add_input(w, node, list);
    } else {
        say_ints(w, node, "axes", count, axes);
    }
    say_int(w, node, "keepdims", n->keep_dims);
}

static void write_slice(writer *w) {
    const ts_fnode *n = w->node;
    const ts_ftensor *y = tensor_of(w, n->output);
    bool planes = has_planes(y) && in_planes(w, 0);
    int64_t begins[TS_MAX_RANK], ends[TS_MAX_RANK], axes[TS_MAX_RANK], steps[TS_MAX_RANK];
    for (uint32_t d = 0; d < y->rank; d++) {
        begins[d] = n->begin[d];
        steps[d] = n->step[d];
        ends[d] = begins[d] + ((int64_t)y->dims[d] - 1) * steps[d] + 1;
        axes[d] = planes ? plane_dim(y->rank, d) : d;
    }
    const char *inputs[] = {operand(w, 0, planes), add_ints(w, "starts", y->rank, begins),
                            add_ints(w, "ends", y->rank, ends), add_ints(w, "axes", y->rank, axes),
                            add_ints(w, "steps", y->rank, steps)};
    Onnx__NodeProto *node = begin(w, "Slice", planes);
    for (uint32_t k = 0; k < 5; k++) {
        add_input(w, node, inputs[k]);
    }
}

/* Whole factors, each element repeated. */
static void write_resize(writer *w) {
    const ts_ftensor *x = tensor_of(w, w->node->inputs[0]), *y = tensor_of(w, w->node->output);
    bool planes = has_planes(y) && in_planes(w, 0);
    const char *from = operand(w, 0, planes), *name = fresh(w, "scales");
    const int64_t rank = y->rank;
    float *scales = add_floats(w, name, 1, &rank);
    for (uint32_t d = 0; d < y->rank; d++) {
        scales[planes ? plane_dim(y->rank, d) : d] = (float)(y->dims[d] / x->dims[d]);
    }
    Onnx__NodeProto *node = begin(w, "Resize", planes);
    add_input(w, node, from);
    add_input(w, node, "");
    add_input(w, node, name);
    say_text(w, node, "mode", "nearest");
    say_text(w, node, "coordinate_transformation_mode", "asymmetric");
    say_text(w, node, "nearest_mode", "floor");
}

/* ---- integers in floats: ONNX's QDQ form ---- */

/* An initializer of one integer of 8 bits. */
static const char *add_byte(writer *w, const char *what, bool is_signed) {
    const char *name = fresh(w, what);
    add_initializer(w, name,
                    is_signed ? ONNX__TENSOR_PROTO__DATA_TYPE__INT8 : ONNX__TENSOR_PROTO__DATA_TYPE__UINT8, 0,
                    NULL, 1);
    return name;
}

/* A grid without zero point: bounds where they are narrower than the type's, QuantizeLinear,
 * DequantizeLinear. */
static ts_status write_grid(writer *w) {
    const ts_fnode *n = w->node;
    bool planes = in_planes(w, 0), is_signed = n->low < 0;
    float low = is_signed ? -128.0f : 0.0f, high = is_signed ? 127.0f : 255.0f;
    if (n->low < low || n->high > high || n->offset < 0.49 || n->offset > 0.51) {
        return ts_error(
            w->diags, TS_DIAG_UNSUPPORTED, n->name, ts_fop_name(n->op),
            "has no counterpart in ONNX: only grids of 8 bits and fewer that round to the nearest have");
    }
    const char *x = operand(w, 0, planes);
    if (n->low > low || n->high < high) {
        const char *name = fresh(w, n->name);
        Onnx__NodeProto *clip = add_node(w, "Clip", name, name);
        add_input(w, clip, x);
        add_input(w, clip, add_scalar(w, "low", (float)((double)n->low * n->scale)));
        add_input(w, clip, add_scalar(w, "high", (float)((double)n->high * n->scale)));
        x = name;
    }
    const char *whole = fresh(w, n->name), *scale = add_scalar(w, "scale", (float)n->scale),
               *zero = add_byte(w, "zero", is_signed);
    Onnx__NodeProto *quantise = add_node(w, "QuantizeLinear", whole, whole);
    Onnx__NodeProto *back = begin(w, "DequantizeLinear", planes);
    add_input(w, quantise, x);
    add_input(w, back, whole);
    for (uint32_t k = 0; k < 2; k++) {
        add_input(w, k == 0 ? quantise : back, scale);
        add_input(w, k == 0 ? quantise : back, zero);
    }
    return TS_OK;
}

/* Constants as integers with a scale along their first dimension: weights of 8 bits, or biases of 32. */
static ts_status write_whole(writer *w) {
    const ts_fnode *n = w->node;
    const ts_ftensor *t = tensor_of(w, n->inputs[0]), *scale = tensor_of(w, n->inputs[1]);
    uint64_t count = ts_ftensor_elements(t);
    bool planes = has_planes(t), bias = t->rank == 1;
    if (t->data == NULL || scale->data == NULL || (ts_ftensor_elements(scale) > 1 && n->axis != 0)) {
        return ts_error(w->diags, TS_DIAG_UNSUPPORTED, n->name, ts_fop_name(n->op),
                        "of DEQUANT only that of constants, along their first dimension, is written");
    }
    int64_t dims[TS_MAX_RANK];
    float *values = TS_NEW_ARRAY(w->arena, float, count);
    const char *name = fresh(w, t->name);
    (planes ? plane_dims : row_dims)(t, dims);
    if (planes) {
        copy_planes(t, values);
    } else {
        memcpy(values, t->data, count * sizeof *values);
    }
    Onnx__TensorProto *p = add_initializer(
        w, name, bias ? ONNX__TENSOR_PROTO__DATA_TYPE__INT32 : ONNX__TENSOR_PROTO__DATA_TYPE__INT8, t->rank,
        dims, count * (bias ? 4 : 1));
    for (uint64_t i = 0; i < count; i++) {
        int32_t v = (int32_t)values[i];
        if (bias) {
            memcpy(p->raw_data.data + 4 * i, &v, sizeof v);
        } else {
            p->raw_data.data[i] = (uint8_t)(int8_t)v;
        }
    }
    const char *scales = as_rows(w, n->inputs[1]);
    Onnx__NodeProto *node = begin(w, "DequantizeLinear", planes);
    add_input(w, node, name);
    add_input(w, node, scales);
    say_int(w, node, "axis", 0);
    return TS_OK;
}

static void write_unary(writer *w, const char *op) {
    const ts_fnode *n = w->node;
    bool planes = in_planes(w, 0);
    const char *x = operand(w, 0, planes);
    const char *low = n->op == TS_FOP_CLIP ? add_scalar(w, "low", n->low) : NULL;
    const char *high = n->op == TS_FOP_CLIP ? add_scalar(w, "high", n->high) : NULL;
    Onnx__NodeProto *node = begin(w, op, planes);
    add_input(w, node, x);
    if (low != NULL) {
        add_input(w, node, low);
        add_input(w, node, high);
    }
    if (n->op == TS_FOP_LEAKY_RELU || n->op == TS_FOP_HARD_SIGMOID || n->op == TS_FOP_ELU) {
        say_float(w, node, "alpha", n->alpha);
    }
    if (n->op == TS_FOP_HARD_SIGMOID) {
        say_float(w, node, "beta", n->beta);
    }
}

static ts_status write_node(writer *w) {
    switch (w->node->op) {
        case TS_FOP_CONV:
            write_conv(w);
            return TS_OK;
        case TS_FOP_GEMM:
        case TS_FOP_MATMUL:
            write_linear(w);
            return TS_OK;
        case TS_FOP_BATCH_NORM:
            write_norm(w);
            return TS_OK;
        case TS_FOP_ADD:
        case TS_FOP_SUB:
        case TS_FOP_MUL:
        case TS_FOP_DIV:
        case TS_FOP_MIN:
        case TS_FOP_MAX:
        case TS_FOP_POW:
        case TS_FOP_PRELU:
            write_binary(w);
            return TS_OK;
        case TS_FOP_CONCAT:
            write_concat(w);
            return TS_OK;
        case TS_FOP_MAX_POOL:
        case TS_FOP_AVG_POOL:
            return write_pool(w);
        case TS_FOP_PAD:
            write_pad(w);
            return TS_OK;
        case TS_FOP_RESHAPE:
            write_reshape(w);
            return TS_OK;
        case TS_FOP_TRANSPOSE:
            write_transpose(w);
            return TS_OK;
        case TS_FOP_SOFTMAX:
        case TS_FOP_LOG_SOFTMAX:
            write_softmax(w);
            return TS_OK;
        case TS_FOP_SLICE:
            write_slice(w);
            return TS_OK;
        case TS_FOP_RESIZE:
            write_resize(w);
            return TS_OK;
        case TS_FOP_FAKE_QUANT:
            return write_grid(w);
        case TS_FOP_DEQUANT:
            return write_whole(w);
        case TS_FOP_REDUCE_SUM:
        case TS_FOP_REDUCE_MAX:
        case TS_FOP_REDUCE_MEAN:
            write_reduce(w);
            return TS_OK;
        default:
            break;
    }
    static const char *const unary[TS_FOP_COUNT] = {[TS_FOP_RELU] = "Relu",
                                                    [TS_FOP_CLIP] = "Clip",
                                                    [TS_FOP_LEAKY_RELU] = "LeakyRelu",
                                                    [TS_FOP_HARD_SWISH] = "HardSwish",
                                                    [TS_FOP_HARD_SIGMOID] = "HardSigmoid",
                                                    [TS_FOP_SIGMOID] = "Sigmoid",
                                                    [TS_FOP_TANH] = "Tanh",
                                                    [TS_FOP_ELU] = "Elu",
                                                    [TS_FOP_SOFTPLUS] = "Softplus",
                                                    [TS_FOP_SOFTSIGN] = "Softsign",
                                                    [TS_FOP_ERF] = "Erf",
                                                    [TS_FOP_EXP] = "Exp",
                                                    [TS_FOP_LOG] = "Log",
                                                    [TS_FOP_SQRT] = "Sqrt",
                                                    [TS_FOP_RECIPROCAL] = "Reciprocal",
                                                    [TS_FOP_ABS] = "Abs",
                                                    [TS_FOP_NEG] = "Neg",
                                                    [TS_FOP_FLOOR] = "Floor",
                                                    [TS_FOP_CEIL] = "Ceil",
                                                    [TS_FOP_ROUND] = "Round"};
    if (unary[w->node->op] == NULL) {
        return ts_error(w->diags, TS_DIAG_UNSUPPORTED, w->node->name, ts_fop_name(w->node->op),
                        "has no counterpart in a float ONNX file");
    }
    write_unary(w, unary[w->node->op]);
    return TS_OK;
}

/* ---- the model ---- */

static Onnx__ValueInfoProto *describe(const writer *w, const char *name, uint32_t rank, const int64_t *dims) {
    Onnx__TensorShapeProto *shape = TS_NEW(w->arena, Onnx__TensorShapeProto);
    Onnx__TypeProto__Tensor *tensor = TS_NEW(w->arena, Onnx__TypeProto__Tensor);
    Onnx__TypeProto *type = TS_NEW(w->arena, Onnx__TypeProto);
    Onnx__ValueInfoProto *info = TS_NEW(w->arena, Onnx__ValueInfoProto);
    onnx__tensor_shape_proto__init(shape);
    onnx__type_proto__tensor__init(tensor);
    onnx__type_proto__init(type);
    onnx__value_info_proto__init(info);
    shape->n_dim = rank;
    shape->dim = TS_NEW_ARRAY(w->arena, Onnx__TensorShapeProto__Dimension *, rank);
    for (uint32_t i = 0; i < rank; i++) {
        shape->dim[i] = TS_NEW(w->arena, Onnx__TensorShapeProto__Dimension);
        onnx__tensor_shape_proto__dimension__init(shape->dim[i]);
        shape->dim[i]->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
        shape->dim[i]->dim_value = dims[i];
    }
    tensor->has_elem_type = 1;
    tensor->elem_type = ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT;
    tensor->shape = shape;
    type->value_case = ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
    type->tensor_type = tensor;
    info->name = copy(w, name);
    info->type = type;
    return info;
}

static Onnx__ValueInfoProto *write_input(writer *w, ts_tensor_id id) {
    const ts_ftensor *t = tensor_of(w, id);
    bool planes = t->layout == TS_LAYOUT_CHANNELS_LAST && has_planes(t);
    int64_t dims[TS_MAX_RANK];
    *(planes ? &w->values[id].planes : &w->values[id].rows) = t->name;
    (planes ? plane_dims : row_dims)(t, dims);
    return describe(w, t->name, t->rank, dims);
}

/* Outputs keep their names; a map that the file never turned is written as planes, like inputs. */
static Onnx__ValueInfoProto *write_output(writer *w, ts_tensor_id id) {
    const ts_ftensor *t = tensor_of(w, id);
    const value *v = &w->values[id];
    bool planes = v->rows == NULL;
    int64_t dims[TS_MAX_RANK];
    Onnx__NodeProto *node = add_node(w, "Identity", fresh(w, t->name), t->name);
    add_input(w, node, planes ? v->planes : v->rows);
    (planes ? plane_dims : row_dims)(t, dims);
    return describe(w, t->name, t->rank, dims);
}

static ts_status pack(writer *w, Onnx__GraphProto *graph, const char *path) {
    Onnx__OperatorSetIdProto opset = ONNX__OPERATOR_SET_ID_PROTO__INIT;
    Onnx__OperatorSetIdProto *opsets[] = {&opset};
    Onnx__ModelProto model = ONNX__MODEL_PROTO__INIT;
    graph->name = copy(w, w->graph->name);
    graph->n_node = w->nodes.count;
    graph->node = w->nodes.data;
    graph->n_initializer = w->initializers.count;
    graph->initializer = w->initializers.data;
    opset.domain = copy(w, "");
    opset.has_version = 1;
    opset.version = OPSET;
    model.has_ir_version = 1;
    model.ir_version = IR_VERSION;
    model.n_opset_import = 1;
    model.opset_import = opsets;
    model.producer_name = copy(w, "tessera");
    model.graph = graph;
    uint8_t *bytes = ts_arena_alloc(w->arena, onnx__model_proto__get_packed_size(&model));
    return ts_file_write(path, bytes, onnx__model_proto__pack(&model, bytes), w->diags);
}

static ts_status write_graph(writer *w, const char *path) {
    const ts_fgraph *g = w->graph;
    Onnx__GraphProto graph = ONNX__GRAPH_PROTO__INIT;
    graph.n_input = g->inputs.count;
    graph.input = TS_NEW_ARRAY(w->arena, Onnx__ValueInfoProto *, g->inputs.count);
    graph.n_output = g->outputs.count;
    graph.output = TS_NEW_ARRAY(w->arena, Onnx__ValueInfoProto *, g->outputs.count);
    for (uint32_t i = 0; i < g->inputs.count; i++) {
        graph.input[i] = write_input(w, g->inputs.data[i]);
    }
    for (uint32_t i = 0; i < g->nodes.count; i++) {
        w->node = &g->nodes.data[i];
        TS_TRY(write_node(w));
    }
    for (uint32_t i = 0; i < g->outputs.count; i++) {
        graph.output[i] = write_output(w, g->outputs.data[i]);
    }
    return pack(w, &graph, path);
}

static void release_arena(void *arena) { ts_arena_free(arena); }

ts_status ts_float_model_write(const ts_fgraph *graph, const char *path, ts_diags *diags) {
    ts_arena *arena = ts_arena_new("write", 0);
    ts_guard_defer(release_arena, arena);
    writer w = {.arena = arena,
                .graph = graph,
                .values = TS_NEW_ARRAY(arena, value, graph->tensors.count),
                .diags = diags};
    ts_status status = write_graph(&w, path);
    ts_guard_undefer(arena);
    ts_arena_free(arena);
    return status;
}
