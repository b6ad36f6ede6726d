/* The last stage: the integers of a ts_quant as an integer graph. */
#include <math.h>
#include <string.h>

#include "quant/quantize.h"

typedef struct maker {
    ts_graph *graph;
    const ts_quant *quant;
    ts_tensor_id *values;
} maker;

static ts_quantum quantum_of(ts_arena *arena, const double *scale, uint32_t channels, int32_t zero) {
    int32_t *zeros = TS_NEW_ARRAY(arena, int32_t, channels);
    for (uint32_t c = 0; c < channels; c++) {
        zeros[c] = zero;
    }
    return (ts_quantum){
        .channels = channels, .scale = ts_arena_copy(arena, scale, channels * sizeof *scale), .zero = zeros};
}

static ts_tensor_id activation(const maker *m, uint32_t value, const char *name) {
    const ts_qvalue *v = &m->quant->values[value];
    ts_tensor t = {
        .name = name, .type = v->raw ? TS_S32 : v->type, .rank = 4, .dims = {1}, .producer = TS_NONE};
    ts_qnet_shape(m->quant->net, value, &t.dims[1], &t.dims[2], &t.dims[3]);
    t.quantum = quantum_of(m->graph->arena, &v->scale, 1, 0);
    return ts_graph_add_tensor(m->graph, &t);
}

/* The quanta of the weights themselves: a batch norm that is kept stands in kappa. */
static const double *quanta_of(const maker *m, uint32_t i) {
    const ts_qlayer *l = &m->quant->net->layers.data[i];
    const ts_qweights *q = &m->quant->layers[i];
    double *quanta = TS_NEW_ARRAY(m->graph->arena, double, l->c);
    for (uint32_t c = 0; c < l->c; c++) {
        bool kept = q->grid.gain != NULL && q->grid.gain[c] != 0.0f;
        quanta[c] = kept ? q->scale[c] / (double)q->grid.gain[c] : q->scale[c];
    }
    return quanta;
}

static ts_tensor_id weights_of(const maker *m, uint32_t i) {
    const ts_qlayer *l = &m->quant->net->layers.data[i];
    const ts_qweights *q = &m->quant->layers[i];
    uint32_t taps = l->window.kernel_h * l->window.kernel_w;
    ts_tensor t = {.name = ts_arena_printf(m->graph->arena, "%s.weight", l->name),
                   .type = q->bits <= 2   ? TS_S2
                           : q->bits <= 4 ? TS_S4
                           : q->bits <= 8 ? TS_S8
                                          : TS_S16,
                   .rank = l->kind == TS_QUANT_LINEAR ? 2 : 4,
                   .dims = {l->c, l->inner},
                   .producer = TS_NONE};
    if (t.rank == 4) {
        t.dims[1] = l->window.kernel_h;
        t.dims[2] = l->window.kernel_w;
        t.dims[3] = l->inner / taps;
    }
    t.quantum = quantum_of(m->graph->arena, quanta_of(m, i), q->grid.zero != 0 ? 1 : l->c, q->grid.zero);
    const void *values = q->bits <= 8 ? (const void *)q->values : q->wide_values;
    t.data = ts_arena_copy(m->graph->arena, values, (size_t)l->c * l->inner * ts_type_slot_bytes(t.type));
    return ts_graph_add_tensor(m->graph, &t);
}

static ts_tensor_id table_of(const maker *m, uint32_t i) {
    const ts_qlayer *l = &m->quant->net->layers.data[i];
    uint32_t entries = 1u << ts_type_bits(m->quant->values[l->inputs[0]].type);
    ts_tensor t = {.name = ts_arena_printf(m->graph->arena, "%s.table", l->name),
                   .type = m->quant->values[i + 1].type,
                   .rank = 1,
                   .dims = {entries},
                   .producer = TS_NONE};
    t.data = ts_arena_copy(m->graph->arena, m->quant->layers[i].table, entries);
    return ts_graph_add_tensor(m->graph, &t);
}

static ts_tensor_id bias_of(const maker *m, uint32_t i) {
    const ts_qlayer *l = &m->quant->net->layers.data[i];
    ts_tensor t = {.name = ts_arena_printf(m->graph->arena, "%s.bias", l->name),
                   .type = TS_S32,
                   .rank = 1,
                   .dims = {l->c},
                   .producer = TS_NONE};
    t.data = ts_arena_copy(m->graph->arena, m->quant->layers[i].integer_bias, l->c * sizeof(int32_t));
    return ts_graph_add_tensor(m->graph, &t);
}

static ts_requant requant_of(const maker *m, uint32_t i, uint32_t channels, const int64_t *kappa,
                             const int64_t *lambda, int64_t factor, int64_t d) {
    const ts_qvalue *y = &m->quant->values[i + 1];
    return (ts_requant){.kind = TS_REQUANT_NEMO,
                        .channels = channels,
                        .kappa = ts_arena_copy(m->graph->arena, kappa, channels * sizeof *kappa),
                        .lambda = ts_arena_copy(m->graph->arena, lambda, channels * sizeof *lambda),
                        .m = factor,
                        .d = d,
                        .low = y->low,
                        .high = y->high};
}

static void make_linear(const maker *m, uint32_t i, ts_node *n) {
    const ts_qlayer *l = &m->quant->net->layers.data[i];
    const ts_qweights *q = &m->quant->layers[i];
    n->op = l->kind == TS_QUANT_CONV ? TS_OP_CONV : TS_OP_LINEAR;
    n->weights = weights_of(m, i);
    if (m->quant->values[i + 1].raw) {
        n->bias = bias_of(m, i);
    } else {
        n->requant = requant_of(m, i, l->c, q->kappa, q->lambda, 1, q->d);
    }
}

static void make_layer(const maker *m, uint32_t i, ts_node *n) {
    static const int64_t one = 1;
    static const ts_add_step plain = {.mul = 1, .div = 1, .low = INT32_MIN, .high = INT32_MAX};
    const ts_qlayer *l = &m->quant->net->layers.data[i];
    const ts_qweights *q = &m->quant->layers[i];
    switch (l->kind) {
        case TS_QUANT_CONV:
        case TS_QUANT_LINEAR:
            make_linear(m, i, n);
            break;
        case TS_QUANT_ADD:
            n->op = TS_OP_ADD;
            n->in1 = n->in2 = n->sum = plain;
            n->in1.mul = q->m[0];
            n->in2.mul = l->minus ? -q->m[1] : q->m[1];
            n->requant = requant_of(m, i, 1, &one, &q->term, 1, q->d);
            break;
        case TS_QUANT_MAX_POOL:
            n->op = TS_OP_MAX_POOL;
            break;
        case TS_QUANT_AVG_POOL:
            n->op = TS_OP_AVG_POOL;
            n->requant = requant_of(m, i, 1, &q->m[0], &q->term, 1, q->d);
            break;
        case TS_QUANT_AFFINE:
            n->op = TS_OP_REQUANT;
            n->requant = requant_of(m, i, l->c, q->kappa, q->lambda, 1, q->d);
            break;
        case TS_QUANT_MUL:
            n->op = TS_OP_MUL;
            n->requant = requant_of(m, i, 1, &q->m[0], &q->term, 1, q->d);
            break;
        case TS_QUANT_LUT:
            n->op = TS_OP_LUT;
            n->weights = table_of(m, i);
            break;
        case TS_QUANT_CONCAT:
            n->op = TS_OP_CONCAT;
            break;
        case TS_QUANT_PAD:
            n->op = TS_OP_PAD;
            break;
        case TS_QUANT_SLICE:
            n->op = TS_OP_SLICE;
            break;
        case TS_QUANT_RESIZE:
            n->op = TS_OP_RESIZE;
            break;
        case TS_QUANT_TRANSPOSE:
            n->op = TS_OP_TRANSPOSE;
            break;
        case TS_QUANT_RESHAPE:
            n->op = TS_OP_RESHAPE;
            break;
    }
}

ts_status ts_quant_integer(ts_arena *arena, const ts_quant *quant, ts_graph **out, ts_diags *diags) {
    const ts_qnet *net = quant->net;
    maker m = {.graph = ts_graph_new(arena, net->name), .quant = quant};
    m.values = TS_NEW_ARRAY(arena, ts_tensor_id, net->layers.count + 1);
    m.values[0] = activation(&m, 0, net->input_name);
    TS_PUSH(arena, &m.graph->inputs, m.values[0]);
    for (uint32_t i = 0; i < net->layers.count; i++) {
        const ts_qlayer *l = &net->layers.data[i];
        ts_node n = {.name = l->name,
                     .file_index = l->file_index,
                     .input_count = l->input_count,
                     .weights = TS_NONE,
                     .bias = TS_NONE,
                     .groups = l->groups,
                     .window = l->window,
                     .move = l->move};
        for (uint32_t k = 0; k < l->input_count; k++) {
            n.inputs[k] = m.values[l->inputs[k]];
        }
        make_layer(&m, i, &n);
        m.values[i + 1] = n.output = activation(&m, i + 1, ts_arena_printf(arena, "%s.out", l->name));
        ts_graph_add_node(m.graph, &n);
    }
    for (uint32_t i = 0; i < net->outputs.count; i++) {
        TS_PUSH(arena, &m.graph->outputs, m.values[net->outputs.data[i]]);
    }
    *out = m.graph;
    return ts_graph_verify(m.graph, diags);
}
