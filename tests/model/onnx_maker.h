/* ONNX models made by hand in tests, and an oracle that evaluates them as they are written: node by node,
 * in the file's own layout, in exact fractions. It knows nothing of layers or requantisations. */
#ifndef TS_TESTS_ONNX_MAKER_H
#define TS_TESTS_ONNX_MAKER_H

#include <string.h>

#include "base/file.h"
#include "harness.h"
#include "onnx.pb-c.h"

enum { MK_FLOAT = 1, MK_INT64 = 7, MK_MAX_RANK = 6 };

typedef struct maker {
    ts_arena *arena;
    TS_VEC(Onnx__NodeProto *) nodes;
    TS_VEC(Onnx__TensorProto *) initializers;
    TS_VEC(Onnx__ValueInfoProto *) inputs, outputs;
    int64_t opset;
    uint32_t names;
    bool paths;   /* tensor names like those of newer exporters: "/layer/Op_output_0" */
    bool unnamed; /* nodes without names */
} maker;

static inline char *mk_text(maker *m, const char *text) { return ts_arena_strdup(m->arena, text); }

static inline char *mk_name(maker *m, const char *hint) {
    m->names++;
    return m->paths ? ts_arena_printf(m->arena, "/net/%s_%u/%s_output_0", hint, m->names, hint)
                    : ts_arena_printf(m->arena, "%u", m->names + 40);
}

static inline Onnx__TensorProto *mk_tensor(maker *m, int type, uint32_t rank, const int64_t *dims,
                                           const int64_t *values) {
    Onnx__TensorProto *t = TS_NEW(m->arena, Onnx__TensorProto);
    onnx__tensor_proto__init(t);
    size_t count = 1;
    for (uint32_t i = 0; i < rank; i++) {
        count *= (size_t)dims[i];
    }
    t->has_data_type = 1;
    t->data_type = type;
    t->n_dims = rank;
    t->dims = ts_arena_copy(m->arena, dims, rank * sizeof *dims);
    size_t size = type == MK_FLOAT ? 4 : 8;
    uint8_t *raw = ts_arena_alloc(m->arena, count * size);
    for (size_t i = 0; i < count; i++) {
        float real = (float)values[i];
        memcpy(raw + i * size, type == MK_FLOAT ? (const void *)&real : (const void *)&values[i], size);
    }
    t->has_raw_data = 1;
    t->raw_data = (ProtobufCBinaryData){count * size, raw};
    return t;
}

static inline const char *mk_initializer(maker *m, const char *hint, int type, uint32_t rank,
                                         const int64_t *dims, const int64_t *values) {
    Onnx__TensorProto *t = mk_tensor(m, type, rank, dims, values);
    t->name = ts_arena_printf(m->arena, "%s_%u", hint, ++m->names);
    TS_PUSH(m->arena, &m->initializers, t);
    return t->name;
}

/* A node with up to three inputs (NULL: none) and one output; returns the node. */
static inline Onnx__NodeProto *mk_node(maker *m, const char *op, const char *a, const char *b,
                                       const char *c) {
    Onnx__NodeProto *node = TS_NEW(m->arena, Onnx__NodeProto);
    onnx__node_proto__init(node);
    const char *inputs[3] = {a, b, c};
    node->op_type = mk_text(m, op);
    node->input = TS_NEW_ARRAY(m->arena, char *, 3);
    for (int i = 0; i < 3 && inputs[i] != NULL; i++) {
        node->input[node->n_input++] = mk_text(m, inputs[i]);
    }
    node->output = TS_NEW_ARRAY(m->arena, char *, 1);
    node->output[0] = mk_name(m, op);
    node->n_output = 1;
    if (!m->unnamed) {
        node->name = ts_arena_printf(m->arena, "%s_%u", op, m->names);
    }
    TS_PUSH(m->arena, &m->nodes, node);
    return node;
}

static inline Onnx__AttributeProto *mk_attribute(maker *m, Onnx__NodeProto *node, const char *name,
                                                 int type) {
    Onnx__AttributeProto **list = TS_NEW_ARRAY(m->arena, Onnx__AttributeProto *, node->n_attribute + 1);
    for (size_t i = 0; i < node->n_attribute; i++) {
        list[i] = node->attribute[i];
    }
    Onnx__AttributeProto *a = list[node->n_attribute++] = TS_NEW(m->arena, Onnx__AttributeProto);
    node->attribute = list;
    onnx__attribute_proto__init(a);
    a->name = mk_text(m, name);
    a->has_type = 1;
    a->type = (Onnx__AttributeProto__AttributeType)type;
    return a;
}

static inline void mk_int(maker *m, Onnx__NodeProto *node, const char *name, int64_t value) {
    Onnx__AttributeProto *a = mk_attribute(m, node, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT);
    a->has_i = 1;
    a->i = value;
}

static inline void mk_float(maker *m, Onnx__NodeProto *node, const char *name, float value) {
    Onnx__AttributeProto *a = mk_attribute(m, node, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT);
    a->has_f = 1;
    a->f = value;
}

static inline void mk_ints(maker *m, Onnx__NodeProto *node, const char *name, uint32_t count,
                           const int64_t *values) {
    Onnx__AttributeProto *a = mk_attribute(m, node, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS);
    a->n_ints = count;
    a->ints = ts_arena_copy(m->arena, values, count * sizeof *values);
}

static inline void mk_string(maker *m, Onnx__NodeProto *node, const char *name, const char *value) {
    Onnx__AttributeProto *a = mk_attribute(m, node, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING);
    a->has_s = 1;
    a->s = (ProtobufCBinaryData){strlen(value), (uint8_t *)mk_text(m, value)};
}

static inline void mk_tensor_attribute(maker *m, Onnx__NodeProto *node, const char *name,
                                       Onnx__TensorProto *t) {
    mk_attribute(m, node, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSOR)->t = t;
}

static inline const char *mk_constant(maker *m, int type, uint32_t rank, const int64_t *dims,
                                      const int64_t *values) {
    Onnx__NodeProto *node = mk_node(m, "Constant", NULL, NULL, NULL);
    mk_tensor_attribute(m, node, "value", mk_tensor(m, type, rank, dims, values));
    return node->output[0];
}

static inline Onnx__ValueInfoProto *mk_value_info(maker *m, const char *name, uint32_t rank,
                                                  const int64_t *dims) {
    Onnx__ValueInfoProto *info = TS_NEW(m->arena, Onnx__ValueInfoProto);
    Onnx__TypeProto *type = TS_NEW(m->arena, Onnx__TypeProto);
    Onnx__TypeProto__Tensor *tensor = TS_NEW(m->arena, Onnx__TypeProto__Tensor);
    Onnx__TensorShapeProto *shape = TS_NEW(m->arena, Onnx__TensorShapeProto);
    onnx__value_info_proto__init(info);
    onnx__type_proto__init(type);
    onnx__type_proto__tensor__init(tensor);
    onnx__tensor_shape_proto__init(shape);
    info->name = mk_text(m, name);
    info->type = type;
    type->value_case = ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
    type->tensor_type = tensor;
    tensor->has_elem_type = 1;
    tensor->elem_type = MK_FLOAT;
    tensor->shape = shape;
    shape->n_dim = rank;
    shape->dim = TS_NEW_ARRAY(m->arena, Onnx__TensorShapeProto__Dimension *, rank);
    for (uint32_t i = 0; i < rank; i++) {
        shape->dim[i] = TS_NEW(m->arena, Onnx__TensorShapeProto__Dimension);
        onnx__tensor_shape_proto__dimension__init(shape->dim[i]);
        shape->dim[i]->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
        shape->dim[i]->dim_value = dims[i];
    }
    return info;
}

static inline const char *mk_input(maker *m, uint32_t rank, const int64_t *dims) {
    const char *name = m->paths ? "input" : "input.1";
    TS_PUSH(m->arena, &m->inputs, mk_value_info(m, name, rank, dims));
    return name;
}

static inline void mk_output(maker *m, const char *name) {
    TS_PUSH(m->arena, &m->outputs, mk_value_info(m, name, 0, NULL));
}

static inline ts_bytes mk_pack(maker *m) {
    Onnx__GraphProto graph = ONNX__GRAPH_PROTO__INIT;
    Onnx__OperatorSetIdProto opset = ONNX__OPERATOR_SET_ID_PROTO__INIT;
    Onnx__OperatorSetIdProto *opsets[] = {&opset};
    Onnx__ModelProto model = ONNX__MODEL_PROTO__INIT;
    graph.n_node = m->nodes.count;
    graph.node = m->nodes.data;
    graph.n_initializer = m->initializers.count;
    graph.initializer = m->initializers.data;
    graph.n_input = m->inputs.count;
    graph.input = m->inputs.data;
    graph.n_output = m->outputs.count;
    graph.output = m->outputs.data;
    opset.has_version = 1;
    opset.version = m->opset;
    model.has_ir_version = 1;
    model.ir_version = 7;
    model.n_opset_import = 1;
    model.opset_import = opsets;
    model.graph = &graph;
    size_t size = onnx__model_proto__get_packed_size(&model);
    uint8_t *bytes = ts_arena_alloc(m->arena, size + 1);
    onnx__model_proto__pack(&model, bytes);
    return (ts_bytes){bytes, size};
}

/* ---- the oracle ---- */

/* A tensor of fractions num / den. */
typedef struct mk_value {
    const char *name;
    uint32_t rank;
    int64_t dims[MK_MAX_RANK];
    int64_t count, den;
    bool integer;
    int64_t *num;
} mk_value;

typedef struct oracle {
    const maker *maker;
    ts_arena *arena;
    TS_VEC(mk_value) values;
} oracle;

static inline int64_t or_floor(int64_t n, int64_t d) { return n / d - (n % d != 0 && (n < 0) != (d < 0)); }

static inline mk_value *or_new(oracle *o, const char *name, uint32_t rank, const int64_t *dims) {
    mk_value v = {.name = name, .rank = rank, .count = 1, .den = 1};
    for (uint32_t i = 0; i < rank; i++) {
        v.dims[i] = dims[i];
        v.count *= dims[i];
    }
    v.num = TS_NEW_ARRAY(o->arena, int64_t, v.count);
    TS_PUSH(o->arena, &o->values, v);
    return &o->values.data[o->values.count - 1];
}

static inline const mk_value *or_find(const oracle *o, const char *name) {
    for (uint32_t i = 0; i < o->values.count; i++) {
        if (strcmp(o->values.data[i].name, name) == 0) {
            return &o->values.data[i];
        }
    }
    return NULL;
}

static inline void or_take_tensor(oracle *o, const char *name, const Onnx__TensorProto *t) {
    mk_value *v = or_new(o, name, (uint32_t)t->n_dims, t->dims);
    v->integer = t->data_type == MK_INT64;
    for (int64_t i = 0; i < v->count; i++) {
        float real;
        if (v->integer) {
            memcpy(&v->num[i], t->raw_data.data + 8 * i, 8);
        } else {
            memcpy(&real, t->raw_data.data + 4 * i, 4);
            v->num[i] = (int64_t)real;
        }
    }
}

static inline const Onnx__AttributeProto *or_attribute(const Onnx__NodeProto *node, const char *name) {
    for (size_t i = 0; i < node->n_attribute; i++) {
        if (strcmp(node->attribute[i]->name, name) == 0) {
            return node->attribute[i];
        }
    }
    return NULL;
}

static inline int64_t or_int(const Onnx__NodeProto *node, const char *name, int64_t absent) {
    const Onnx__AttributeProto *a = or_attribute(node, name);
    return a == NULL ? absent : a->i;
}

/* Element of a broadcast operand for position `index` (row-major in `dims`). */
static inline int64_t or_at(const mk_value *v, uint32_t rank, const int64_t *dims, int64_t index) {
    int64_t at = 0, stride = 1;
    for (uint32_t k = 0; k < rank; k++) {
        uint32_t d = rank - 1 - k;
        int64_t i = index % dims[d];
        index /= dims[d];
        if (k < v->rank) {
            int64_t size = v->dims[v->rank - 1 - k];
            at += (size == 1 ? 0 : i) * stride;
            stride *= size;
        }
    }
    return v->num[at];
}

static inline void or_binary(oracle *o, const Onnx__NodeProto *node) {
    const mk_value a = *or_find(o, node->input[0]), b = *or_find(o, node->input[1]);
    uint32_t rank = a.rank > b.rank ? a.rank : b.rank;
    int64_t dims[MK_MAX_RANK];
    for (uint32_t k = 0; k < rank; k++) {
        int64_t x = k < a.rank ? a.dims[a.rank - 1 - k] : 1, y = k < b.rank ? b.dims[b.rank - 1 - k] : 1;
        dims[rank - 1 - k] = x > y ? x : y;
    }
    mk_value *v = or_new(o, node->output[0], rank, dims);
    v->integer = a.integer && b.integer;
    char op = node->op_type[0];
    v->den = op == 'A' || op == 'S' ? a.den * b.den : a.den;
    for (int64_t i = 0; i < v->count; i++) {
        int64_t x = or_at(&a, rank, dims, i), y = or_at(&b, rank, dims, i);
        if (op == 'M') {
            v->num[i] = x * y;
            v->den = a.den * b.den;
        } else if (op == 'A') {
            v->num[i] = x * b.den + y * a.den;
        } else if (op == 'S') {
            v->num[i] = x * b.den - y * a.den;
        } else if (v->integer) {
            v->num[i] = or_floor(x, y);
        } else {
            v->num[i] = x;
            v->den = a.den * y; /* one divisor for all elements */
        }
    }
}

static inline void or_pads(const Onnx__NodeProto *node, uint32_t spatial, int64_t *begin, int64_t *end) {
    const Onnx__AttributeProto *a = or_attribute(node, "pads");
    for (uint32_t i = 0; i < spatial; i++) {
        begin[i] = a == NULL ? 0 : a->ints[i];
        end[i] = a == NULL ? 0 : a->ints[spatial + i];
    }
}

static inline int64_t or_ints(const Onnx__NodeProto *node, const char *name, uint32_t i) {
    const Onnx__AttributeProto *a = or_attribute(node, name);
    return a == NULL ? 1 : a->ints[i];
}

typedef struct or_window {
    int64_t k[2], s[2], d[2], begin[2], end[2], in[2], out[2];
} or_window;

/* 1-D values are taken as having one row. */
static inline or_window or_read_window(const Onnx__NodeProto *node, const mk_value *x,
                                       const int64_t *kernel) {
    or_window w = {{1, 1}, {1, 1}, {1, 1}, {0, 0}, {0, 0}, {1, 1}, {1, 1}};
    uint32_t spatial = x->rank - 2, base = 2 - spatial;
    or_pads(node, spatial, w.begin + base, w.end + base);
    for (uint32_t i = 0; i < spatial; i++) {
        w.k[base + i] = kernel[i];
        w.s[base + i] = or_ints(node, "strides", i);
        w.d[base + i] = or_ints(node, "dilations", i);
        w.in[base + i] = x->dims[2 + i];
    }
    const Onnx__AttributeProto *mode = or_attribute(node, "auto_pad");
    for (uint32_t i = base; i < 2; i++) {
        if (mode != NULL && mode->s.len == 10) { /* SAME_UPPER, SAME_LOWER */
            int64_t out = (w.in[i] + w.s[i] - 1) / w.s[i];
            int64_t total = (out - 1) * w.s[i] + w.d[i] * (w.k[i] - 1) + 1 - w.in[i];
            total = total < 0 ? 0 : total;
            bool lower = mode->s.data[5] == 'L';
            w.begin[i] = lower ? total - total / 2 : total / 2;
            w.end[i] = total - w.begin[i];
        }
        w.out[i] = (w.in[i] + w.begin[i] + w.end[i] - w.d[i] * (w.k[i] - 1) - 1) / w.s[i] + 1;
    }
    return w;
}

static inline mk_value *or_new_map(oracle *o, const char *name, uint32_t rank, int64_t c,
                                   const or_window *w) {
    int64_t dims[4] = {1, c, rank == 4 ? w->out[0] : w->out[1], w->out[1]};
    return or_new(o, name, rank, dims);
}

/* Position in the input's plane that a tap reads, or -1 for padding. */
static inline int64_t or_tap(const or_window *w, int64_t oy, int64_t ox, int64_t ky, int64_t kx) {
    int64_t y = oy * w->s[0] + ky * w->d[0] - w->begin[0], x = ox * w->s[1] + kx * w->d[1] - w->begin[1];
    return y < 0 || y >= w->in[0] || x < 0 || x >= w->in[1] ? -1 : y * w->in[1] + x;
}

static inline void or_conv(oracle *o, const Onnx__NodeProto *node) {
    const mk_value x = *or_find(o, node->input[0]), f = *or_find(o, node->input[1]);
    const mk_value *bias = node->n_input > 2 ? or_find(o, node->input[2]) : NULL;
    or_window w = or_read_window(node, &x, f.dims + 2);
    int64_t group = or_int(node, "group", 1), plane = w.in[0] * w.in[1], taps = w.k[0] * w.k[1];
    mk_value *y = or_new_map(o, node->output[0], x.rank, f.dims[0], &w);
    for (int64_t i = 0; i < y->count; i++) {
        int64_t ox = i % w.out[1], oy = i / w.out[1] % w.out[0], c = i / w.out[1] / w.out[0];
        int64_t sum = bias == NULL ? 0 : bias->num[bias->count == 1 ? 0 : c];
        for (int64_t ci = 0; ci < f.dims[1]; ci++) {
            int64_t from = c / (f.dims[0] / group) * f.dims[1] + ci;
            for (int64_t t = 0; t < taps; t++) {
                int64_t p = or_tap(&w, oy, ox, t / w.k[1], t % w.k[1]);
                sum += p < 0 ? 0 : x.num[from * plane + p] * f.num[(c * f.dims[1] + ci) * taps + t];
            }
        }
        y->num[i] = sum;
    }
}

static inline void or_pool(oracle *o, const Onnx__NodeProto *node) {
    const mk_value x = *or_find(o, node->input[0]);
    bool average = strstr(node->op_type, "Average") != NULL, global = node->op_type[0] == 'G';
    or_window w = or_read_window(node, &x, global ? x.dims + 2 : or_attribute(node, "kernel_shape")->ints);
    mk_value *y = or_new_map(o, node->output[0], x.rank, x.dims[1], &w);
    int64_t taps = w.k[0] * w.k[1], plane = w.in[0] * w.in[1];
    y->den = average ? taps : 1;
    for (int64_t i = 0; i < y->count; i++) {
        int64_t ox = i % w.out[1], oy = i / w.out[1] % w.out[0], c = i / w.out[1] / w.out[0];
        int64_t sum = 0, most = INT64_MIN;
        for (int64_t t = 0; t < taps; t++) {
            int64_t p = or_tap(&w, oy, ox, t / w.k[1], t % w.k[1]);
            int64_t v = p < 0 ? 0 : x.num[c * plane + p];
            sum += v;
            most = p >= 0 && v > most ? v : most;
        }
        y->num[i] = average ? sum : most;
    }
}

static inline void or_linear(oracle *o, const Onnx__NodeProto *node) {
    const mk_value x = *or_find(o, node->input[0]), f = *or_find(o, node->input[1]);
    const mk_value *bias = node->n_input > 2 ? or_find(o, node->input[2]) : NULL;
    bool transposed = or_int(node, "transB", 0) != 0;
    int64_t in = f.dims[transposed ? 1 : 0], out = f.dims[transposed ? 0 : 1], dims[MK_MAX_RANK];
    memcpy(dims, x.dims, sizeof dims);
    dims[x.rank - 1] = out;
    mk_value *y = or_new(o, node->output[0], x.rank, dims);
    for (int64_t c = 0; c < out; c++) {
        y->num[c] = bias == NULL ? 0 : bias->num[bias->count == 1 ? 0 : c];
        for (int64_t i = 0; i < in; i++) {
            y->num[c] += x.num[i] * f.num[transposed ? c * in + i : i * out + c];
        }
    }
}

static inline void or_clip(oracle *o, const Onnx__NodeProto *node) {
    const mk_value x = *or_find(o, node->input[0]);
    int64_t low = INT64_MIN / 4, high = INT64_MAX / 4;
    const Onnx__AttributeProto *a;
    if (node->op_type[0] == 'R') {
        low = 0;
    } else if ((a = or_attribute(node, "min")) != NULL) {
        low = (int64_t)a->f;
    } else if (node->n_input > 1 && *node->input[1] != '\0') {
        low = or_find(o, node->input[1])->num[0];
    }
    if ((a = or_attribute(node, "max")) != NULL) {
        high = (int64_t)a->f;
    } else if (node->n_input > 2) {
        high = or_find(o, node->input[2])->num[0];
    }
    mk_value *y = or_new(o, node->output[0], x.rank, x.dims);
    y->den = x.den;
    y->integer = x.integer;
    for (int64_t i = 0; i < x.count; i++) {
        int64_t v = x.num[i];
        v = low > INT64_MIN / 4 && v < low * x.den ? low * x.den : v;
        y->num[i] = high < INT64_MAX / 4 && v > high * x.den ? high * x.den : v;
    }
}

static inline void or_pad(oracle *o, const Onnx__NodeProto *node) {
    const mk_value x = *or_find(o, node->input[0]);
    const Onnx__AttributeProto *a = or_attribute(node, "pads");
    const int64_t *pads = a != NULL ? a->ints : or_find(o, node->input[1])->num;
    int64_t dims[MK_MAX_RANK];
    for (uint32_t i = 0; i < x.rank; i++) {
        dims[i] = x.dims[i] + pads[i] + pads[x.rank + i];
    }
    mk_value *y = or_new(o, node->output[0], x.rank, dims);
    for (int64_t i = 0; i < x.count; i++) {
        int64_t rest = i, at = 0, stride = 1;
        for (uint32_t d = x.rank; d-- > 0;) {
            at += (rest % x.dims[d] + pads[d]) * stride;
            rest /= x.dims[d];
            stride *= dims[d];
        }
        y->num[at] = x.num[i];
    }
}

/* Same elements in the same order; only the dimensions that tests use are computed. */
static inline void or_reshape(oracle *o, const Onnx__NodeProto *node) {
    const mk_value x = *or_find(o, node->input[0]);
    int64_t dims[MK_MAX_RANK] = {1, x.count};
    uint32_t rank = 2;
    if (strcmp(node->op_type, "Reshape") == 0) {
        const mk_value *shape = or_find(o, node->input[1]);
        rank = (uint32_t)shape->count;
        int64_t known = 1;
        for (uint32_t i = 0; i < rank; i++) {
            dims[i] = shape->num[i] == 0 ? x.dims[i] : shape->num[i];
            known *= dims[i] < 0 ? 1 : dims[i];
        }
        for (uint32_t i = 0; i < rank; i++) {
            dims[i] = dims[i] < 0 ? x.count / known : dims[i];
        }
    } else if (node->op_type[0] != 'F') {
        bool drop = node->op_type[0] == 'S';
        const Onnx__AttributeProto *a = or_attribute(node, "axes");
        const mk_value *input = node->n_input > 1 ? or_find(o, node->input[1]) : NULL;
        int64_t axis = a != NULL ? a->ints[0] : input->num[0];
        rank = 0;
        for (uint32_t i = 0; i < x.rank + !drop; i++) {
            if (!drop && i == axis) {
                dims[rank++] = 1;
            }
            if (i < x.rank && !(drop && i == axis)) {
                dims[rank++] = x.dims[i];
            }
        }
    }
    mk_value *y = or_new(o, node->output[0], rank, dims);
    y->den = x.den;
    y->integer = x.integer;
    memcpy(y->num, x.num, (size_t)x.count * sizeof *y->num);
}

static inline void or_transpose(oracle *o, const Onnx__NodeProto *node) {
    const mk_value x = *or_find(o, node->input[0]);
    const int64_t *perm = or_attribute(node, "perm")->ints;
    int64_t dims[MK_MAX_RANK], strides[MK_MAX_RANK];
    for (uint32_t i = 0; i < x.rank; i++) {
        dims[i] = x.dims[perm[i]];
        strides[i] = 1;
        for (uint32_t k = (uint32_t)perm[i] + 1; k < x.rank; k++) {
            strides[i] *= x.dims[k];
        }
    }
    mk_value *y = or_new(o, node->output[0], x.rank, dims);
    for (int64_t i = 0; i < x.count; i++) {
        int64_t rest = i, from = 0;
        for (uint32_t k = x.rank; k-- > 0;) {
            from += rest % dims[k] * strides[k];
            rest /= dims[k];
        }
        y->num[i] = x.num[from];
    }
}

static inline void or_copy(oracle *o, const Onnx__NodeProto *node) {
    const mk_value x = *or_find(o, node->input[0]);
    mk_value *y = or_new(o, node->output[0], x.rank, x.dims);
    bool floor = strcmp(node->op_type, "Floor") == 0, cast = strcmp(node->op_type, "Cast") == 0;
    y->integer = cast ? or_int(node, "to", 1) == MK_INT64 : x.integer;
    floor = floor || (cast && y->integer);
    y->den = floor ? 1 : x.den;
    for (int64_t i = 0; i < x.count; i++) {
        y->num[i] = floor ? or_floor(x.num[i], x.den) : x.num[i];
    }
}

static inline void or_node(oracle *o, const Onnx__NodeProto *node) {
    static const struct {
        const char *op;
        void (*take)(oracle *, const Onnx__NodeProto *);
    } table[] = {
        {"Mul", or_binary},          {"Add", or_binary},
        {"Sub", or_binary},          {"Div", or_binary},
        {"Conv", or_conv},           {"MaxPool", or_pool},
        {"AveragePool", or_pool},    {"GlobalAveragePool", or_pool},
        {"GlobalMaxPool", or_pool},  {"Gemm", or_linear},
        {"MatMul", or_linear},       {"Clip", or_clip},
        {"Relu", or_clip},           {"Pad", or_pad},
        {"Flatten", or_reshape},     {"Reshape", or_reshape},
        {"Squeeze", or_reshape},     {"Unsqueeze", or_reshape},
        {"Transpose", or_transpose}, {"Identity", or_copy},
        {"Cast", or_copy},           {"Floor", or_copy},
    };
    if (strcmp(node->op_type, "Constant") == 0) {
        or_take_tensor(o, node->output[0], or_attribute(node, "value")->t);
        return;
    }
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (strcmp(table[i].op, node->op_type) == 0) {
            table[i].take(o, node);
            return;
        }
    }
    fail_msg("the oracle knows no %s", node->op_type);
}

/* Evaluates the model on an input in the file's order; returns the value of that name. */
static inline const mk_value *or_run(ts_arena *arena, const maker *m, const int64_t *input,
                                     const char *wanted) {
    oracle *o = TS_NEW(arena, oracle);
    o->maker = m;
    o->arena = arena;
    const Onnx__TensorShapeProto *shape = m->inputs.data[0]->type->tensor_type->shape;
    int64_t dims[MK_MAX_RANK];
    for (size_t i = 0; i < shape->n_dim; i++) {
        dims[i] = shape->dim[i]->dim_value;
    }
    mk_value *x = or_new(o, m->inputs.data[0]->name, (uint32_t)shape->n_dim, dims);
    memcpy(x->num, input, (size_t)x->count * sizeof *input);
    for (uint32_t i = 0; i < m->initializers.count; i++) {
        or_take_tensor(o, m->initializers.data[i]->name, m->initializers.data[i]);
    }
    for (uint32_t i = 0; i < m->nodes.count; i++) {
        or_node(o, m->nodes.data[i]);
    }
    return or_find(o, wanted);
}

#endif
