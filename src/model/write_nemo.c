/* Writing an integer graph as ONNX in the NEMO dialect: opset 9, every number a whole float32. */
#include <string.h>

#include "base/file.h"
#include "model/model.h"
#include "onnx.pb-c.h"

enum { IR_VERSION = 4, OPSET = 9 };

typedef struct writer {
    ts_arena *arena;
    const ts_graph *graph;
    const ts_node *node; /* the layer being written */
    TS_VEC(Onnx__NodeProto *) nodes;
    TS_VEC(Onnx__TensorProto *) initializers;
    bool own;   /* a node of the domain "tessera" is there */
    bool *flat; /* by tensor: {1, C} in the file instead of {1, C, H, W} */
    ts_diags *diags;
    const char **names; /* hash table of the names that are taken */
    uint32_t name_slots;
} writer;

#define FAIL(w, ...) \
    ts_error((w)->diags, TS_DIAG_UNSUPPORTED, (w)->node->name, ts_op_name((w)->node->op), __VA_ARGS__)

static const ts_tensor *tensor_of(const writer *w, ts_tensor_id id) { return &w->graph->tensors.data[id]; }

static char *copy(writer *w, const char *text) { return ts_arena_strdup(w->arena, text); }

/* ---- names ---- */

/* The slot of a name in the table of those that are taken: FNV-1a, open addressing. */
static const char **name_slot(writer *w, const char *name) {
    uint32_t hash = 2166136261u;
    for (const char *c = name; *c != '\0'; c++) {
        hash = (hash ^ (unsigned char)*c) * 16777619u;
    }
    uint32_t i = hash % w->name_slots;
    while (w->names[i] != NULL && strcmp(w->names[i], name) != 0) {
        i = (i + 1) % w->name_slots;
    }
    return &w->names[i];
}

/* "LAYER.SUFFIX", with a number behind it where another value has that name. */
static char *fresh(writer *w, const char *layer, const char *suffix) {
    char *name = ts_arena_printf(w->arena, "%s.%s", layer, suffix);
    const char **slot = name_slot(w, name);
    for (uint32_t i = 2; *slot != NULL; i++) {
        name = ts_arena_printf(w->arena, "%s.%s%u", layer, suffix, (unsigned)i);
        slot = name_slot(w, name);
    }
    *slot = name;
    return name;
}

static void take_names(writer *w) {
    w->name_slots = 2 * (w->graph->tensors.count + 24 * w->graph->nodes.count) + 64;
    w->names = TS_NEW_ARRAY(w->arena, const char *, w->name_slots);
    for (ts_tensor_id i = 0; i < w->graph->tensors.count; i++) {
        *name_slot(w, w->graph->tensors.data[i].name) = w->graph->tensors.data[i].name;
    }
}

/* ---- messages ---- */

static Onnx__TensorProto *new_tensor(writer *w, int32_t type, uint32_t rank, const int64_t *dims,
                                     size_t bytes) {
    Onnx__TensorProto *t = TS_NEW(w->arena, Onnx__TensorProto);
    onnx__tensor_proto__init(t);
    t->n_dims = rank;
    t->dims = ts_arena_copy(w->arena, dims, rank * sizeof *dims);
    t->has_data_type = 1;
    t->data_type = type;
    t->has_raw_data = 1;
    t->raw_data.len = bytes;
    t->raw_data.data = ts_arena_alloc(w->arena, bytes);
    return t;
}

/* An initializer of `count` floats, to be filled in by the caller. */
static float *new_floats(writer *w, const char *name, uint32_t rank, const int64_t *dims, uint64_t count) {
    Onnx__TensorProto *t =
        new_tensor(w, ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT, rank, dims, count * sizeof(float));
    t->name = copy(w, name);
    TS_PUSH(w->arena, &w->initializers, t);
    return (float *)(void *)t->raw_data.data;
}

static Onnx__AttributeProto *attribute(writer *w, Onnx__NodeProto *node, const char *name,
                                       Onnx__AttributeProto__AttributeType type) {
    Onnx__AttributeProto *a = TS_NEW(w->arena, Onnx__AttributeProto);
    onnx__attribute_proto__init(a);
    a->name = copy(w, name);
    a->has_type = 1;
    a->type = type;
    Onnx__AttributeProto **all = TS_NEW_ARRAY(w->arena, Onnx__AttributeProto *, node->n_attribute + 1);
    if (node->n_attribute > 0) {
        memcpy(all, node->attribute, node->n_attribute * sizeof *all);
    }
    all[node->n_attribute++] = a;
    node->attribute = all;
    return a;
}

static void attribute_int(writer *w, Onnx__NodeProto *node, const char *name, int64_t value) {
    Onnx__AttributeProto *a = attribute(w, node, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT);
    a->has_i = 1;
    a->i = value;
}

static void attribute_float(writer *w, Onnx__NodeProto *node, const char *name, float value) {
    Onnx__AttributeProto *a = attribute(w, node, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT);
    a->has_f = 1;
    a->f = value;
}

static void attribute_ints(writer *w, Onnx__NodeProto *node, const char *name, uint32_t count,
                           const int64_t *values) {
    Onnx__AttributeProto *a = attribute(w, node, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS);
    a->n_ints = count;
    a->ints = ts_arena_copy(w->arena, values, count * sizeof *values);
}

/* Adds a node; inputs b and c may be NULL. */
static Onnx__NodeProto *add_node(writer *w, const char *op, const char *name, const char *output,
                                 const char *a, const char *b, const char *c) {
    Onnx__NodeProto *node = TS_NEW(w->arena, Onnx__NodeProto);
    onnx__node_proto__init(node);
    node->op_type = copy(w, op);
    node->name = copy(w, name);
    node->input = TS_NEW_ARRAY(w->arena, char *, 3);
    const char *const inputs[] = {a, b, c};
    for (size_t i = 0; i < 3 && inputs[i] != NULL; i++) {
        node->input[node->n_input++] = copy(w, inputs[i]);
    }
    node->output = TS_NEW(w->arena, char *);
    node->n_output = output == NULL ? 0 : 1;
    node->output[0] = output == NULL ? NULL : copy(w, output);
    TS_PUSH(w->arena, &w->nodes, node);
    return node;
}

/* A `Constant` node with one number: int64 of shape [1], or float32 of shape []. */
static ts_status scalar(writer *w, const char *name, int64_t value, bool is_float) {
    static const int64_t one = 1;
    Onnx__TensorProto *t;
    if (is_float) {
        float number = (float)value;
        if ((double)number != (double)value) {
            return FAIL(w, "%s is %lld, which float32 does not hold", name, (long long)value);
        }
        t = new_tensor(w, ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT, 0, &one, sizeof number);
        memcpy(t->raw_data.data, &number, sizeof number);
    } else {
        t = new_tensor(w, ONNX__TENSOR_PROTO__DATA_TYPE__INT64, 1, &one, sizeof value);
        memcpy(t->raw_data.data, &value, sizeof value);
    }
    Onnx__NodeProto *node = add_node(w, "Constant", name, name, NULL, NULL, NULL);
    attribute(w, node, "value", ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSOR)->t = t;
    return TS_OK;
}

/* ---- a chain of nodes behind a layer's first: each reads the value before it ---- */

typedef struct chain {
    const char *layer;  /* prefix of names */
    const char *factor; /* name of the node of the first factor where the layer has no other node */
    const char *output; /* name that the last value shall have */
    char *value;        /* the newest value */
} chain;

/* Adds an element-wise node reading the newest value and, unless NULL, `constant` (first or second). */
static Onnx__NodeProto *link(writer *w, chain *c, const char *op, const char *suffix, const char *constant,
                             bool constant_first) {
    char *name = fresh(w, c->layer, suffix);
    const char *a = constant_first ? constant : c->value, *b = constant_first ? c->value : constant;
    bool names_layer = c->factor != NULL && strcmp(op, "Mul") == 0;
    Onnx__NodeProto *node = add_node(w, op, names_layer ? c->factor : name, name, a, b, NULL);
    c->factor = names_layer ? NULL : c->factor;
    c->value = name;
    return node;
}

/* As link() with a scalar constant of its own. */
static ts_status link_scalar(writer *w, chain *c, const char *op, const char *suffix, int64_t value,
                             bool is_float) {
    char *name = fresh(w, c->layer, ts_arena_printf(w->arena, "%s.value", suffix));
    TS_TRY(scalar(w, name, value, is_float));
    link(w, c, op, suffix, name, false);
    return TS_OK;
}

static void link_cast(writer *w, chain *c, const char *suffix, int64_t type) {
    attribute_int(w, link(w, c, "Cast", suffix, NULL, false), "to", type);
}

static void link_clip(writer *w, chain *c, int32_t low, int32_t high) {
    Onnx__NodeProto *node = link(w, c, "Clip", "clip", NULL, false);
    attribute_float(w, node, "max", (float)high);
    attribute_float(w, node, "min", (float)low);
    ts_type type = tensor_of(w, w->node->output)->type;
    if (ts_type_bits(type) <= 8 && ts_type_for_range(low, high) != type) { /* not what the bounds would say */
        attribute_int(w, node, "out_bits", ts_type_bits(type));
        attribute_int(w, node, "out_signed", ts_type_is_signed(type));
    }
}

/* The newest value becomes the layer's output: its node writes the output's name. */
static void finish(writer *w, chain *c) {
    Onnx__NodeProto *last = w->nodes.data[w->nodes.count - 1];
    last->output[0] = copy(w, c->output);
}

/* kappa or lambda: a float initializer of shape [1, C, 1, 1], or [C] behind a linear node. */
static ts_status channel_floats(writer *w, const char *name, const int64_t *values, uint32_t channels,
                                bool flat) {
    const int64_t dims[] = {1, channels, 1, 1}, flat_dims[] = {channels};
    float *floats = new_floats(w, name, flat ? 1 : 4, flat ? flat_dims : dims, channels);
    for (uint32_t i = 0; i < channels; i++) {
        floats[i] = (float)values[i];
        if ((double)floats[i] != (double)values[i]) {
            return FAIL(w, "%s[%u] is %lld, which float32 does not hold", name, (unsigned)i,
                        (long long)values[i]);
        }
    }
    return TS_OK;
}

static bool is_scale_only(const ts_requant *r) {
    return r->channels == 1 && r->kappa[0] == 1 && r->lambda[0] == 0;
}

static ts_status link_requant(writer *w, chain *c, bool flat) {
    const ts_requant *r = &w->node->requant;
    if (r->kind == TS_REQUANT_NONE) {
        return TS_OK;
    }
    if (r->kind != TS_REQUANT_NEMO) {
        return FAIL(w, "the NEMO dialect has no fixed-point multipliers");
    }
    if (!is_scale_only(r)) {
        char *kappa = fresh(w, c->layer, "kappa");
        char *lambda = fresh(w, c->layer, "lamda");
        TS_TRY(channel_floats(w, kappa, r->kappa, r->channels, flat));
        TS_TRY(channel_floats(w, lambda, r->lambda, r->channels, flat));
        link(w, c, "Mul", "mul_kappa", kappa, true);
        link(w, c, "Add", "add_lamda", lambda, false);
    }
    link_cast(w, c, "to_integer", ONNX__TENSOR_PROTO__DATA_TYPE__INT64);
    TS_TRY(link_scalar(w, c, "Mul", "mul", r->m, false));
    TS_TRY(link_scalar(w, c, "Div", "div", r->d, false));
    link_cast(w, c, "to_float", ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT);
    link_clip(w, c, r->low, r->high);
    return TS_OK;
}

/* ---- layers ---- */

static const char *input_name(const writer *w, uint32_t i) { return tensor_of(w, w->node->inputs[i])->name; }

static void window_attributes(writer *w, Onnx__NodeProto *node, bool with_dilation) {
    const ts_window *n = &w->node->window;
    if (with_dilation) {
        attribute_ints(w, node, "dilations", 2, (const int64_t[]){n->dilation_h, n->dilation_w});
    }
    attribute_ints(w, node, "kernel_shape", 2, (const int64_t[]){n->kernel_h, n->kernel_w});
    attribute_ints(w, node, "pads", 4,
                   (const int64_t[]){n->pad_top, n->pad_left, n->pad_bottom, n->pad_right});
    attribute_ints(w, node, "strides", 2, (const int64_t[]){n->stride_h, n->stride_w});
}

/* Says the width of weights whose values alone would be taken for a narrower type. */
static void weight_attribute(writer *w, Onnx__NodeProto *node, const ts_tensor *weights) {
    uint64_t count = ts_tensor_elements(weights);
    int32_t low = 0, high = 0;
    for (uint64_t i = 0; i < count; i++) {
        int32_t v = ts_tensor_int(weights, i);
        low = v < low ? v : low;
        high = v > high ? v : high;
    }
    uint32_t needed = low >= -2 && high <= 1 ? 2 : low >= -8 && high <= 7 ? 4 : 8; /* 16 has to be said */
    if (needed < ts_type_bits(weights->type)) {
        attribute_int(w, node, "weight_bits", ts_type_bits(weights->type));
    }
}

/* The bias as a float initializer; *name is NULL where there is none. */
static ts_status bias_floats(writer *w, const char **name) {
    *name = NULL;
    if (w->node->bias == TS_NONE) {
        return TS_OK;
    }
    const ts_tensor *bias = tensor_of(w, w->node->bias);
    uint32_t channels = bias->dims[0];
    const int64_t dims[] = {channels};
    float *floats = new_floats(w, bias->name, 1, dims, channels);
    for (uint32_t i = 0; i < channels; i++) {
        int32_t v = ts_tensor_int(bias, i);
        floats[i] = (float)v;
        if ((double)floats[i] != (double)v) {
            return FAIL(w, "bias %d of channel %u is not held by float32", (int)v, (unsigned)i);
        }
    }
    *name = bias->name;
    return TS_OK;
}

/* Input `i` as {1, C, H, W}: what a linear layer wrote as a vector gets two dimensions. */
static const char *map_name(writer *w, uint32_t i) {
    const char *name = input_name(w, i);
    if (!w->flat[w->node->inputs[i]]) {
        return name;
    }
    char *map = fresh(w, w->node->name, "map");
    attribute_ints(w, add_node(w, "Unsqueeze", map, map, name, NULL, NULL), "axes", 2,
                   (const int64_t[]){2, 3});
    return map;
}

static ts_status write_conv(writer *w, chain *c) {
    const ts_tensor *weights = tensor_of(w, w->node->weights);
    const uint32_t *d = weights->dims;
    const int64_t dims[] = {d[0], d[3], d[1], d[2]};
    float *floats = new_floats(w, weights->name, 4, dims, ts_tensor_elements(weights));
    uint64_t taps = (uint64_t)d[1] * d[2], from = 0;
    for (uint64_t o = 0; o < d[0]; o++) {
        for (uint64_t tap = 0; tap < taps; tap++) {
            for (uint64_t i = 0; i < d[3]; i++) {
                floats[(o * d[3] + i) * taps + tap] = (float)ts_tensor_int(weights, from++);
            }
        }
    }
    const char *bias;
    TS_TRY(bias_floats(w, &bias));
    c->value = fresh(w, c->layer, "acc");
    Onnx__NodeProto *node = add_node(w, "Conv", w->node->name, c->value, map_name(w, 0), weights->name, bias);
    window_attributes(w, node, true);
    attribute_int(w, node, "group", w->node->groups);
    weight_attribute(w, node, weights);
    return link_requant(w, c, false);
}

/* The rows of `weights` stand in H, W, C order, those of the file in C, H, W order. */
static void permute_weights(float *out, const ts_tensor *weights, const ts_tensor *in, bool transposed) {
    uint64_t h = ts_h(in), v = ts_w(in), channels = ts_c(in), rows = weights->dims[0],
             length = weights->dims[1];
    for (uint64_t o = 0; o < rows; o++) {
        for (uint64_t i = 0; i < length; i++) {
            uint64_t c = i % channels, x = i / channels % v, y = i / channels / v;
            uint64_t at = (c * h + y) * v + x;
            out[transposed ? o * length + at : at * rows + o] = (float)ts_tensor_int(weights, o * length + i);
        }
    }
}

static ts_status write_linear(writer *w, chain *c) {
    const ts_tensor *weights = tensor_of(w, w->node->weights), *in = tensor_of(w, w->node->inputs[0]);
    const char *input = in->name, *bias;
    bool gemm = w->node->bias != TS_NONE;
    if (!w->flat[w->node->inputs[0]]) {
        char *flattened = fresh(w, c->layer, "flat");
        attribute_int(w, add_node(w, "Flatten", flattened, flattened, input, NULL, NULL), "axis", 1);
        input = flattened;
    }
    const int64_t dims[] = {weights->dims[gemm ? 0 : 1], weights->dims[gemm ? 1 : 0]};
    permute_weights(new_floats(w, weights->name, 2, dims, ts_tensor_elements(weights)), weights, in, gemm);
    TS_TRY(bias_floats(w, &bias));
    c->value = fresh(w, c->layer, "acc");
    Onnx__NodeProto *node =
        add_node(w, gemm ? "Gemm" : "MatMul", w->node->name, c->value, input, weights->name, bias);
    if (gemm) {
        attribute_float(w, node, "alpha", 1);
        attribute_float(w, node, "beta", 1);
        attribute_int(w, node, "transB", 1);
    }
    weight_attribute(w, node, weights);
    w->flat[w->node->output] = true;
    return link_requant(w, c, true);
}

static ts_status write_max_pool(writer *w, chain *c) {
    const ts_window *n = &w->node->window;
    if (n->dilation_h != 1 || n->dilation_w != 1) {
        return FAIL(w, "opset %d has no dilation for pooling", OPSET);
    }
    c->value = fresh(w, c->layer, "max");
    Onnx__NodeProto *node = add_node(w, "MaxPool", w->node->name, c->value, map_name(w, 0), NULL, NULL);
    window_attributes(w, node, false);
    return link_requant(w, c, false);
}

/* The mean times the window's size is the sum again. */
static ts_status write_avg_pool(writer *w, chain *c) {
    const ts_window *n = &w->node->window;
    const ts_requant *r = &w->node->requant;
    if (n->dilation_h != 1 || n->dilation_w != 1) {
        return FAIL(w, "opset %d has no dilation for pooling", OPSET);
    }
    if (r->kind != TS_REQUANT_NEMO || r->channels != 1) {
        return FAIL(w, "the NEMO dialect averages with one m and D");
    }
    c->value = fresh(w, c->layer, "mean");
    Onnx__NodeProto *node = add_node(w, "AveragePool", w->node->name, c->value, map_name(w, 0), NULL, NULL);
    window_attributes(w, node, false);
    attribute_int(w, node, "count_include_pad", 1);
    TS_TRY(link_scalar(w, c, "Mul", "mul_size", (int64_t)n->kernel_h * n->kernel_w, true));
    TS_TRY(link_scalar(w, c, "Mul", "mul_kappa", r->kappa[0], true));
    if (r->lambda[0] != 0) {
        TS_TRY(link_scalar(w, c, "Add", "add_half", r->lambda[0], true));
    }
    TS_TRY(link_scalar(w, c, "Mul", "mul", r->m, true));
    TS_TRY(link_scalar(w, c, "Div", "div", r->d, true));
    link(w, c, "Floor", "floor", NULL, false);
    /* Of a mean alone the reader knows that it saturates at the type of what it reads. */
    ts_type type = tensor_of(w, w->node->inputs[0])->type;
    if (r->lambda[0] != 0 || r->low != ts_type_low(type) || r->high != ts_type_high(type)) {
        link_clip(w, c, r->low, r->high);
    }
    return TS_OK;
}

static bool is_plain_factor(const ts_add_step *s) {
    return s->add == 0 && s->div == 1 && s->low == INT32_MIN && s->high == INT32_MAX;
}

/* A clip that no sum reaches says nothing. */
static bool sum_is_clipped(const writer *w) {
    ts_node open = *w->node;
    open.sum.low = INT32_MIN;
    open.sum.high = INT32_MAX;
    int64_t low, high;
    ts_node_acc_range(w->graph, &open, 0, &low, &high);
    return low < w->node->sum.low || high > w->node->sum.high;
}

static ts_status write_add(writer *w, chain *c) {
    const ts_node *node = w->node;
    if (!is_plain_factor(&node->in1) || !is_plain_factor(&node->in2) || node->sum.mul != 1 ||
        node->sum.add != 0) {
        return FAIL(w, "the NEMO dialect adds floor((m1 a + m2 b) / D)");
    }
    bool flat = w->flat[node->inputs[0]] && w->flat[node->inputs[1]];
    chain branches[2] = {*c, *c};
    branches[0].value = copy(w, flat ? input_name(w, 0) : map_name(w, 0));
    branches[1].value = copy(w, flat ? input_name(w, 1) : map_name(w, 1));
    TS_TRY(link_scalar(w, &branches[0], "Mul", "mul1", node->in1.mul, true));
    TS_TRY(link_scalar(w, &branches[1], "Mul", "mul2", node->in2.mul, true));
    c->value = fresh(w, c->layer, "sum");
    add_node(w, "Add", node->name, c->value, branches[0].value, branches[1].value, NULL);
    TS_TRY(link_scalar(w, c, "Div", "div_sum", node->sum.div, true));
    link(w, c, "Floor", "floor", NULL, false);
    if (sum_is_clipped(w)) {
        link_clip(w, c, node->sum.low, node->sum.high);
    }
    w->flat[node->output] = flat;
    return link_requant(w, c, flat);
}

static ts_status write_requant(writer *w, chain *c) {
    bool flat = w->flat[w->node->inputs[0]];
    if (w->node->requant.kind == TS_REQUANT_NONE) {
        return FAIL(w, "a requantisation that does nothing cannot be written");
    }
    c->value = copy(w, input_name(w, 0));
    c->factor = w->node->name;
    w->flat[w->node->output] = flat;
    uint32_t first = w->nodes.count;
    TS_TRY(link_requant(w, c, flat));
    while (strcmp(w->nodes.data[first]->op_type, "Mul") != 0) {
        first++;
    }
    w->nodes.data[first]->name = copy(w, w->node->name); /* by which the importer knows the layer */
    return TS_OK;
}

static void own_move(writer *w, Onnx__NodeProto *node) {
    const ts_move *m = &w->node->move;
    const int64_t axis = m->axis, begin[] = {m->begin[0], m->begin[1], m->begin[2]},
                  step[] = {m->step[0], m->step[1], m->step[2]},
                  order[] = {m->order[0], m->order[1], m->order[2]};
    if (w->node->op == TS_OP_CONCAT) {
        attribute_ints(w, node, "axis", 1, &axis);
    }
    if (w->node->op == TS_OP_SLICE || w->node->op == TS_OP_PAD) {
        attribute_ints(w, node, "begin", 3, begin);
    }
    if (w->node->op == TS_OP_SLICE) {
        attribute_ints(w, node, "step", 3, step);
    }
    if (w->node->op == TS_OP_TRANSPOSE) {
        attribute_ints(w, node, "order", 3, order);
    }
}

/* What the dialect has no words for: a node of the domain "tessera" (onnx_own.c reads it). */
static ts_status write_own(writer *w, chain *c) {
    const ts_node *n = w->node;
    const ts_requant *r = &n->requant;
    const ts_tensor *y = tensor_of(w, n->output);
    const int64_t shape[] = {ts_h(y), ts_w(y), ts_c(y)};
    if (n->move.fill != 0 || (n->op == TS_OP_MUL && (r->kind != TS_REQUANT_NEMO || r->channels != 1))) {
        return FAIL(w, "the NEMO dialect has neither zero points nor fixed-point multipliers");
    }
    c->value = fresh(w, c->layer, "own");
    Onnx__NodeProto *node = add_node(w, ts_op_name(n->op), n->name, c->value, NULL, NULL, NULL);
    node->domain = copy(w, "tessera");
    node->input = TS_NEW_ARRAY(w->arena, char *, n->input_count + 1);
    for (uint32_t i = 0; i < n->input_count; i++) {
        node->input[node->n_input++] = copy(w, input_name(w, i));
    }
    attribute_ints(w, node, "shape", 3, shape);
    own_move(w, node);
    if (!ts_op_moves(n->op)) {
        attribute_int(w, node, "out_bits", ts_type_bits(y->type));
        attribute_int(w, node, "out_signed", ts_type_is_signed(y->type));
    }
    if (n->op == TS_OP_MUL) {
        attribute_ints(w, node, "requant", 6,
                       (const int64_t[]){r->kappa[0], r->lambda[0], r->m, r->d, r->low, r->high});
    }
    if (n->op == TS_OP_LUT) {
        const ts_tensor *table = tensor_of(w, n->weights);
        const int64_t entries = table->dims[0];
        float *floats = new_floats(w, table->name, 1, &entries, table->dims[0]);
        for (uint32_t i = 0; i < table->dims[0]; i++) {
            floats[i] = (float)ts_tensor_int(table, i);
        }
        node->input[node->n_input++] = copy(w, table->name);
    }
    w->own = true;
    return TS_OK;
}

static ts_status write_layer(writer *w) {
    chain c = {.layer = w->node->name, .output = tensor_of(w, w->node->output)->name};
    for (uint32_t i = 0; i < w->node->input_count; i++) {
        if (ts_tensor_zero(tensor_of(w, w->node->inputs[i])) != 0) {
            return FAIL(w, "the NEMO dialect has no zero points");
        }
    }
    if (w->node->weights != TS_NONE && ts_weights_zero(tensor_of(w, w->node->weights)) != 0) {
        return FAIL(w, "the NEMO dialect has no weights with a zero point; the text form (*.tsg) has");
    }
    ts_status status = TS_OK;
    switch (w->node->op) {
        case TS_OP_CONV:
            status = write_conv(w, &c);
            break;
        case TS_OP_LINEAR:
            status = write_linear(w, &c);
            break;
        case TS_OP_ADD:
            status = write_add(w, &c);
            break;
        case TS_OP_MAX_POOL:
            status = write_max_pool(w, &c);
            break;
        case TS_OP_AVG_POOL:
            status = write_avg_pool(w, &c);
            break;
        case TS_OP_REQUANT:
            status = write_requant(w, &c);
            break;
        case TS_OP_CONCAT:
        case TS_OP_PAD:
        case TS_OP_SLICE:
        case TS_OP_RESIZE:
        case TS_OP_TRANSPOSE:
        case TS_OP_RESHAPE:
        case TS_OP_LUT:
        case TS_OP_MUL:
            status = write_own(w, &c);
            break;
        default:
            return FAIL(w, "the NEMO dialect has no such operator; the text form (*.tsg) has");
    }
    if (status == TS_OK) {
        finish(w, &c);
    }
    return status;
}

/* ---- the model ---- */

static Onnx__ValueInfoProto *value_info(writer *w, ts_tensor_id id) {
    const ts_tensor *t = tensor_of(w, id);
    const int64_t dims[] = {1, ts_c(t), ts_h(t), ts_w(t)};
    Onnx__TensorShapeProto *shape = TS_NEW(w->arena, Onnx__TensorShapeProto);
    onnx__tensor_shape_proto__init(shape);
    shape->n_dim = w->flat[id] ? 2 : 4;
    shape->dim = TS_NEW_ARRAY(w->arena, Onnx__TensorShapeProto__Dimension *, 4);
    for (size_t i = 0; i < shape->n_dim; i++) {
        shape->dim[i] = TS_NEW(w->arena, Onnx__TensorShapeProto__Dimension);
        onnx__tensor_shape_proto__dimension__init(shape->dim[i]);
        shape->dim[i]->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
        shape->dim[i]->dim_value = dims[i];
    }
    Onnx__TypeProto__Tensor *tensor = TS_NEW(w->arena, Onnx__TypeProto__Tensor);
    onnx__type_proto__tensor__init(tensor);
    tensor->has_elem_type = 1;
    tensor->elem_type = ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT;
    tensor->shape = shape;
    Onnx__TypeProto *type = TS_NEW(w->arena, Onnx__TypeProto);
    onnx__type_proto__init(type);
    type->value_case = ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
    type->tensor_type = tensor;
    Onnx__ValueInfoProto *info = TS_NEW(w->arena, Onnx__ValueInfoProto);
    onnx__value_info_proto__init(info);
    info->name = copy(w, t->name);
    info->type = type;
    return info;
}

static Onnx__ValueInfoProto **value_infos(writer *w, const ts_tensor_id *ids, uint32_t count) {
    Onnx__ValueInfoProto **infos = TS_NEW_ARRAY(w->arena, Onnx__ValueInfoProto *, count);
    for (uint32_t i = 0; i < count; i++) {
        infos[i] = value_info(w, ids[i]);
    }
    return infos;
}

static ts_status write_model(writer *w, const char *path) {
    const ts_graph *g = w->graph;
    Onnx__GraphProto graph = ONNX__GRAPH_PROTO__INIT;
    graph.name = copy(w, g->name);
    graph.n_node = w->nodes.count;
    graph.node = w->nodes.data;
    graph.n_initializer = w->initializers.count;
    graph.initializer = w->initializers.data;
    graph.n_input = g->inputs.count;
    graph.input = value_infos(w, g->inputs.data, g->inputs.count);
    graph.n_output = g->outputs.count;
    graph.output = value_infos(w, g->outputs.data, g->outputs.count);
    Onnx__OperatorSetIdProto opset = ONNX__OPERATOR_SET_ID_PROTO__INIT;
    opset.domain = copy(w, "");
    opset.has_version = 1;
    opset.version = OPSET;
    Onnx__OperatorSetIdProto own = ONNX__OPERATOR_SET_ID_PROTO__INIT;
    own.domain = copy(w, "tessera");
    own.has_version = 1;
    own.version = 1;
    Onnx__OperatorSetIdProto *opsets[] = {&opset, &own};
    Onnx__ModelProto model = ONNX__MODEL_PROTO__INIT;
    model.has_ir_version = 1;
    model.ir_version = IR_VERSION;
    model.n_opset_import = w->own ? 2 : 1;
    model.opset_import = opsets;
    model.producer_name = copy(w, "tessera");
    model.graph = &graph;
    uint8_t *bytes = ts_arena_alloc(w->arena, onnx__model_proto__get_packed_size(&model));
    size_t size = onnx__model_proto__pack(&model, bytes);
    return ts_file_write(path, bytes, size, w->diags);
}

static ts_status write_graph(writer *w, const char *path) {
    for (uint32_t i = 0; i < w->graph->inputs.count; i++) {
        const ts_tensor *input = tensor_of(w, w->graph->inputs.data[i]);
        if (ts_type_bits(input->type) > 16) {
            return ts_error(w->diags, TS_DIAG_UNSUPPORTED, NULL, NULL,
                            "input '%s' has type %s; the NEMO dialect has inputs of 16 bits and fewer",
                            input->name, ts_type_name(input->type));
        }
    }
    for (uint32_t i = 0; i < w->graph->nodes.count; i++) {
        w->node = &w->graph->nodes.data[i];
        TS_TRY(write_layer(w));
    }
    return write_model(w, path);
}

static void release_arena(void *arena) { ts_arena_free(arena); }

ts_status ts_model_write_nemo(const ts_graph *graph, const char *path, ts_diags *diags) {
    ts_arena *arena = ts_arena_new("write", 0);
    ts_guard_defer(release_arena, arena);
    writer w = {.arena = arena,
                .graph = graph,
                .flat = TS_NEW_ARRAY(arena, bool, graph->tensors.count),
                .diags = diags};
    take_names(&w);
    ts_status status = write_graph(&w, path);
    ts_guard_undefer(arena);
    ts_arena_free(arena);
    return status;
}
