/* Layers that the NEMO dialect has no words for, as write_nemo.c writes them: nodes of the domain "tessera",
 * named as in the text form, their attributes those of ts_node. docs/onnx-dialects.md lists them. */
#include <string.h>

#include "model/onnx.h"

#define FAIL(code, ...) ts_error(net->diags, (code), node->name, node->op, __VA_ARGS__)

static ts_status ints(ts_onnx *net, const ts_onnx_node *node, const char *name, uint32_t count,
                      const int64_t **out) {
    uint32_t given;
    TS_TRY(ts__onnx_attr_ints(net, node, name, out, &given));
    return given == count ? TS_OK
                          : FAIL(TS_DIAG_MALFORMED, "its attribute '%s' has not %u numbers", name, count);
}

/* `count` numbers from `least` to the largest size of a tensor. */
static ts_status sizes(ts_onnx *net, const ts_onnx_node *node, const char *name, uint32_t count,
                       int64_t least, uint32_t *out) {
    const int64_t *values;
    TS_TRY(ints(net, node, name, count, &values));
    for (uint32_t i = 0; i < count; i++) {
        if (values[i] < least || values[i] > TS_ONNX_MAX_DIM) {
            return FAIL(TS_DIAG_VALUE, "its attribute '%s' has the number %lld", name, (long long)values[i]);
        }
        out[i] = (uint32_t)values[i];
    }
    return TS_OK;
}

static ts_status move_of(ts_onnx *net, const ts_onnx_node *node, ts_node *out) {
    ts_move *m = &out->move;
    switch (out->op) {
        case TS_OP_CONCAT:
            TS_TRY(sizes(net, node, "axis", 1, 0, &m->axis));
            return m->axis < 3 ? TS_OK
                               : FAIL(TS_DIAG_VALUE, "axis %u; there are rows, columns, channels", m->axis);
        case TS_OP_SLICE:
            TS_TRY(sizes(net, node, "step", 3, 1, m->step));
            return sizes(net, node, "begin", 3, 0, m->begin);
        case TS_OP_PAD:
            return sizes(net, node, "begin", 3, 0, m->begin);
        case TS_OP_TRANSPOSE:
            return sizes(net, node, "order", 3, 0, m->order);
        default:
            return TS_OK;
    }
}

ts_status ts__own_type(ts_onnx *net, const ts_onnx_node *node, ts_type *out) {
    static const ts_type types[3][2] = {{TS_U2, TS_S2}, {TS_U4, TS_S4}, {TS_U8, TS_S8}};
    int64_t bits, is_signed;
    TS_TRY(ts__onnx_attr_int(net, node, "out_bits", 8, &bits));
    TS_TRY(ts__onnx_attr_int(net, node, "out_signed", 0, &is_signed));
    if (bits != 2 && bits != 4 && bits != 8) {
        return FAIL(TS_DIAG_VALUE, "a result of %lld bits; 8, 4 and 2 are served", (long long)bits);
    }
    *out = types[bits == 2 ? 0 : bits == 4 ? 1 : 2][is_signed != 0];
    return TS_OK;
}

/* y = table[x - lowest]: input 1, as many whole numbers as x's type has values. */
static ts_status table_of(ts_onnx *net, const ts_onnx_node *node, ts_type type, ts_node *out) {
    const ts_constant *c = ts__onnx_const_input(net, node, 1);
    uint32_t bits = ts_type_bits(net->graph->tensors.data[out->inputs[0]].type);
    if (c == NULL || bits > 8 || c->count != (1u << bits)) {
        return FAIL(TS_DIAG_MALFORMED, "its table has not one number for each value of its input");
    }
    TS_TRY(ts__constant_whole(net, node, c, "table"));
    uint32_t count = 1u << bits;
    int8_t *data = TS_NEW_ARRAY(net->arena, int8_t, count);
    for (uint32_t i = 0; i < count; i++) {
        if (c->ints[i] < ts_type_low(type) || c->ints[i] > ts_type_high(type)) {
            return FAIL(TS_DIAG_VALUE, "number %u of its table leaves the result's type", i);
        }
        data[i] = (int8_t)(uint8_t)c->ints[i];
    }
    out->weights =
        ts__new_tensor(net, ts_arena_printf(net->scratch, "%s.table", node->name), type, 1, &count, data);
    return TS_OK;
}

/* kappa, lambda, m, d, low, high. */
static ts_status requant_of(ts_onnx *net, const ts_onnx_node *node, ts_requant *out) {
    const int64_t *v;
    TS_TRY(ints(net, node, "requant", 6, &v));
    if (v[4] < INT32_MIN || v[4] > INT32_MAX || v[5] < INT32_MIN || v[5] > INT32_MAX) {
        return FAIL(TS_DIAG_VALUE, "its bounds pass 32 bits");
    }
    *out = (ts_requant){.kind = TS_REQUANT_NEMO,
                        .channels = 1,
                        .kappa = ts_arena_copy(net->arena, &v[0], sizeof v[0]),
                        .lambda = ts_arena_copy(net->arena, &v[1], sizeof v[1]),
                        .m = v[2],
                        .d = v[3],
                        .low = (int32_t)v[4],
                        .high = (int32_t)v[5]};
    return TS_OK;
}

static ts_status op_of(ts_onnx *net, const ts_onnx_node *node, ts_op *out) {
    static const ts_op ops[] = {TS_OP_CONCAT,    TS_OP_PAD,     TS_OP_SLICE, TS_OP_RESIZE,
                                TS_OP_TRANSPOSE, TS_OP_RESHAPE, TS_OP_LUT,   TS_OP_MUL};
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) {
        if (strcmp(node->op, ts_op_name(ops[i])) == 0) {
            *out = ops[i];
            return TS_OK;
        }
    }
    return FAIL(TS_DIAG_UNSUPPORTED, "there is no such layer");
}

/* An input must lie in memory as its tensor does: a map, or a vector of channels alone. */
static ts_status take_input(ts_onnx *net, const ts_onnx_node *node, ts_meaning *x, ts_node *out) {
    TS_TRY(ts__force(net, x, node));
    const ts_tensor *t = &net->graph->tensors.data[x->tensor];
    uint32_t stride = 1, channel = x->view.rank == 1 ? 0 : 1;
    bool plain = x->view.rank >= 1 && ts__view_stride(&x->view, channel, &stride) &&
                 x->view.dims[channel] == ts_c(t) && (ts_c(t) == 1 || stride == 1);
    plain = plain && (x->view.rank <= 2 ? ts_h(t) * ts_w(t) == 1
                                        : x->view.rank == 4 && x->view.dims[2] == ts_h(t) &&
                                              ts__view_stride(&x->view, 2, &stride) &&
                                              (ts_h(t) == 1 || stride == ts_w(t) * ts_c(t)));
    if (!plain || t->type == TS_S32) {
        return FAIL(TS_DIAG_UNSUPPORTED, "its input is reshaped, transposed or a 32-bit accumulator");
    }
    out->inputs[out->input_count++] = x->tensor;
    return TS_OK;
}

ts_status ts__import_own(ts_onnx *net, const ts_onnx_node *node, ts_meaning **inputs, uint32_t count,
                         ts_meaning **out) {
    ts_node made = {.name = ts_arena_strdup(net->arena, node->name),
                    .file_index = node->file_index,
                    .weights = TS_NONE,
                    .bias = TS_NONE};
    ts_type type;
    uint32_t dims[4] = {1};
    uint64_t elements = 1;
    TS_TRY(op_of(net, node, &made.op));
    for (uint32_t k = 0; k < count; k++) {
        TS_TRY(take_input(net, node, inputs[k], &made));
    }
    TS_TRY(sizes(net, node, "shape", 3, 1, dims + 1));
    for (uint32_t i = 1; i < 4; i++) {
        elements *= dims[i];
        if (elements > TS_ONNX_MAX_ELEMENTS) {
            return FAIL(TS_DIAG_LIMIT, "its result is absurdly large");
        }
    }
    TS_TRY(move_of(net, node, &made));
    type = net->graph->tensors.data[made.inputs[0]].type;
    if (!ts_op_moves(made.op)) {
        TS_TRY(ts__own_type(net, node, &type));
    }
    if (made.op == TS_OP_LUT) {
        TS_TRY(table_of(net, node, type, &made));
    } else if (made.op == TS_OP_MUL) {
        TS_TRY(requant_of(net, node, &made.requant));
    }
    made.output = ts__new_tensor(net, net->values.data[node->outputs[0]].name, type, 4, dims, NULL);
    ts_graph_add_node(net->graph, &made);
    *out = ts__meaning_of_tensor(net, made.output);
    ts__view_map(&(*out)->view, 2, dims[1], dims[2], dims[3], false);
    return TS_OK;
}
