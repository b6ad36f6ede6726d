/* Signed 8-bit activations as unsigned ones: x + 128 with a zero point that is 128 greater is the same
 * number. Behind a rectifier the zero point then is 0, and the fast kernels of every target are made for
 * unsigned activations. The network's inputs and outputs keep the format of the file. */
#include "ir/program.h"
#include "model/tflite.h"

enum { LIFT = 128 };

/* By how much a tensor was lifted. */
static int64_t lift_of(const uint8_t *lifted, ts_tensor_id id) { return lifted[id] ? LIFT : 0; }

static void lift_tensor(ts_graph *graph, ts_tensor_id id) {
    ts_tensor *t = &graph->tensors.data[id];
    int32_t *zero = TS_NEW(graph->arena, int32_t);
    *zero = t->quantum.zero[0] + LIFT;
    t->type = TS_U8;
    t->quantum.zero = zero;
}

/* The requantisation of a raw value (a mean or a maximum), not of a difference from the zero point. */
static void lift_raw(ts_graph *graph, ts_requant *rq, int64_t in, int64_t out) {
    if (in == out && rq->kind == TS_REQUANT_NONE) {
        return;
    }
    int64_t *kappa = TS_NEW(graph->arena, int64_t), *lambda = TS_NEW(graph->arena, int64_t);
    bool none = rq->kind == TS_REQUANT_NONE;
    *kappa = none ? 1 : rq->kappa[0];
    *lambda = none ? 0 : rq->lambda[0];
    if (none) {
        rq->m = rq->d = rq->channels = 1;
        rq->low = -128;
        rq->high = 127;
    }
    *lambda += out * rq->d - in * *kappa;
    rq->kind = TS_REQUANT_NEMO;
    rq->kappa = kappa;
    rq->lambda = lambda;
}

/* The entries of a table; its order is by value from the lowest, which lifting its input keeps. */
static void lift_table(ts_graph *graph, ts_tensor_id id) {
    ts_tensor *table = &graph->tensors.data[id];
    uint8_t *data = TS_NEW_ARRAY(graph->arena, uint8_t, table->dims[0]);
    for (uint32_t i = 0; i < table->dims[0]; i++) {
        data[i] = (uint8_t)(ts_tensor_int(table, i) + LIFT);
    }
    table->type = TS_U8;
    table->data = data;
}

/* A program's result; the codes that it reads count from their type's lowest. */
static void lift_program(ts_graph *graph, ts_tensor_id id) {
    ts_tensor *program = &graph->tensors.data[id];
    int32_t *words =
        ts_arena_copy(graph->arena, program->data, ts_tensor_elements(program) * sizeof(int32_t));
    words[TS_PROGRAM_ZERO] += LIFT;
    words[TS_PROGRAM_LOW] += LIFT;
    words[TS_PROGRAM_HIGH] += LIFT;
    program->data = words;
}

/* A result `out` greater: m is 1 in what importers make. */
static void lift_nemo(ts_graph *graph, ts_requant *rq, int64_t out) {
    int64_t *lambda = TS_NEW_ARRAY(graph->arena, int64_t, rq->channels);
    for (uint32_t c = 0; c < rq->channels; c++) {
        lambda[c] = rq->lambda[c] + out * rq->d;
    }
    rq->lambda = lambda;
}

static void lift_node(ts_graph *graph, ts_node *node, const uint8_t *lifted) {
    int64_t in = lift_of(lifted, node->inputs[0]), out = lift_of(lifted, node->output);
    ts_requant *rq = &node->requant;
    if (node->op == TS_OP_LUT && out != 0) {
        lift_table(graph, node->weights);
    } else if (node->op == TS_OP_FLOAT && out != 0) {
        lift_program(graph, node->weights);
    } else if (node->op == TS_OP_PAD) {
        node->move.fill += (int32_t)out;
    }
    if (node->op == TS_OP_ADD) {
        node->in1.add -= in * node->in1.mul;
        node->in2.add -= lift_of(lifted, node->inputs[1]) * node->in2.mul;
    } else if (node->op == TS_OP_MAX_POOL) {
        lift_raw(graph, rq, in, out);
    } else if (node->op == TS_OP_AVG_POOL && rq->kind != TS_REQUANT_TFLITE) {
        lift_raw(graph, rq, 0, out); /* its accumulator is a sum of differences */
    } else if (rq->kind == TS_REQUANT_NEMO && out != 0) {
        lift_nemo(graph, rq, out);
    }
    if (rq->kind == TS_REQUANT_TFLITE) {
        rq->zero += (int32_t)out;
    }
    if (rq->kind != TS_REQUANT_NONE) {
        rq->low += (int32_t)out;
        rq->high += (int32_t)out;
    }
}

/* y = x + 128 of an input; the accumulator of a requantisation is x less its zero point. */
static ts_node input_lift(ts_graph *graph, ts_tensor_id input) {
    const ts_tensor *in = &graph->tensors.data[input];
    int64_t *kappa = TS_NEW(graph->arena, int64_t), *lambda = TS_NEW(graph->arena, int64_t);
    *kappa = 1;
    *lambda = in->quantum.zero[0] + LIFT;
    ts_tensor lifted = *in;
    int32_t *zero = TS_NEW(graph->arena, int32_t);
    *zero = in->quantum.zero[0] + LIFT;
    lifted.name = ts_arena_printf(graph->arena, "%s.unsigned", in->name);
    lifted.type = TS_U8;
    lifted.quantum.zero = zero;
    return (ts_node){.name = lifted.name,
                     .op = TS_OP_REQUANT,
                     .input_count = 1,
                     .inputs = {input},
                     .output = ts_graph_add_tensor(graph, &lifted),
                     .weights = TS_NONE,
                     .bias = TS_NONE,
                     .requant = {.kind = TS_REQUANT_NEMO,
                                 .channels = 1,
                                 .kappa = kappa,
                                 .lambda = lambda,
                                 .m = 1,
                                 .d = 1,
                                 .low = 0,
                                 .high = 255}};
}

/* What moves elements has one type: all that it reads and writes is lifted, or nothing of it. */
static void agree_on_moves(const ts_graph *graph, uint8_t *lifted) {
    for (bool changed = true; changed;) {
        changed = false;
        for (ts_node_id id = 0; id < graph->nodes.count; id++) {
            const ts_node *node = &graph->nodes.data[id];
            bool all = lifted[node->output], any = all;
            for (uint32_t i = 0; i < node->input_count; i++) {
                all = all && lifted[node->inputs[i]];
                any = any || lifted[node->inputs[i]];
            }
            if (!ts_op_moves(node->op) || all || !any) {
                continue;
            }
            changed = true;
            lifted[node->output] = 0;
            for (uint32_t i = 0; i < node->input_count; i++) {
                lifted[node->inputs[i]] = 0;
            }
        }
    }
}

static bool wants_lift(const ts_graph *graph, ts_tensor_id input) {
    const ts_tensor *t = &graph->tensors.data[input];
    bool wanted = false;
    for (ts_node_id id = 0; id < graph->nodes.count; id++) {
        const ts_node *node = &graph->nodes.data[id];
        wanted = wanted || (node->op == TS_OP_CONV && node->inputs[0] == input);
    }
    return wanted && t->type == TS_S8 && t->quantum.channels == 1;
}

/* Puts the lifting nodes first and lets every reader but linear layers and movements read their results. */
static void lift_inputs(ts_graph *graph, ts_arena *scratch) {
    ts_node *nodes = TS_NEW_ARRAY(scratch, ts_node, graph->nodes.count);
    uint32_t count = graph->nodes.count;
    for (ts_node_id id = 0; id < count; id++) {
        nodes[id] = graph->nodes.data[id];
    }
    ts_node first[16];
    uint32_t added = 0;
    for (uint32_t i = 0; i < graph->inputs.count && added < 16; i++) {
        if (wants_lift(graph, graph->inputs.data[i])) {
            first[added++] = input_lift(graph, graph->inputs.data[i]);
        }
    }
    graph->nodes.count = 0;
    for (uint32_t i = 0; i < added; i++) {
        ts_graph_add_node(graph, &first[i]);
    }
    for (ts_node_id id = 0; id < count; id++) {
        bool takes = nodes[id].op != TS_OP_LINEAR && !ts_op_moves(nodes[id].op);
        for (uint32_t k = 0; takes && k < nodes[id].input_count; k++) {
            for (uint32_t i = 0; i < added; i++) {
                nodes[id].inputs[k] =
                    nodes[id].inputs[k] == first[i].inputs[0] ? first[i].output : nodes[id].inputs[k];
            }
        }
        ts_graph_add_node(graph, &nodes[id]);
    }
}

void ts__lift_to_unsigned(ts_graph *graph, ts_arena *scratch) {
    uint32_t in_file = graph->tensors.count; /* tensors behind these are lifted inputs */
    lift_inputs(graph, scratch);
    uint8_t *lifted = TS_NEW_ARRAY(scratch, uint8_t, graph->tensors.count);
    for (ts_tensor_id id = 0; id < graph->tensors.count; id++) {
        const ts_tensor *t = &graph->tensors.data[id];
        lifted[id] = t->data == NULL && t->producer != TS_NONE && t->quantum.channels == 1 &&
                     (t->type == TS_S8 || id >= in_file);
    }
    for (uint32_t i = 0; i < graph->outputs.count; i++) {
        lifted[graph->outputs.data[i]] = 0;
    }
    agree_on_moves(graph, lifted);
    for (ts_node_id id = 0; id < graph->nodes.count; id++) {
        if (graph->nodes.data[id].output < in_file) {
            lift_node(graph, &graph->nodes.data[id], lifted);
        }
    }
    for (ts_tensor_id id = 0; id < in_file; id++) {
        if (lifted[id]) {
            lift_tensor(graph, id);
        }
    }
}
