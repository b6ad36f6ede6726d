/* Small float graphs for the tests of training: seeded constants, one node at a time. */
#ifndef TS_TESTS_TRAIN_MAKER_H
#define TS_TESTS_TRAIN_MAKER_H

#include <math.h>
#include <string.h>

#include "base/random.h"
#include "harness.h"
#include "train/train.h"

typedef struct maker {
    ts_arena *arena;
    ts_diags diags;
    ts_fgraph *graph;
    ts_random random;
} maker;

static inline float noise(maker *m) { return (float)ts_random_range(&m->random, -1000, 1000) / 1000.0f; }

static inline maker new_maker(uint64_t seed) {
    maker m = {.arena = ts_arena_new("test", 0), .random = ts_random_seed(seed)};
    m.diags.arena = m.arena;
    m.graph = ts_fgraph_new(m.arena, "test");
    return m;
}

static inline ts_tensor_id input(maker *m, uint32_t rank, const uint32_t *dims) {
    ts_ftensor t = {.name = "x", .rank = rank, .layout = TS_LAYOUT_CHANNELS_LAST, .producer = TS_NONE};
    memcpy(t.dims, dims, rank * sizeof *dims);
    ts_tensor_id id = ts_fgraph_add_tensor(m->graph, &t);
    TS_PUSH(m->arena, &m->graph->inputs, id);
    return id;
}

static inline ts_tensor_id constant(maker *m, uint32_t rank, const uint32_t *dims, float scale,
                                    float offset) {
    ts_ftensor shape = {.rank = rank};
    memcpy(shape.dims, dims, rank * sizeof *dims);
    uint64_t count = ts_ftensor_elements(&shape);
    float *data = TS_NEW_ARRAY(m->arena, float, count);
    for (uint64_t i = 0; i < count; i++) {
        data[i] = offset + scale * noise(m);
    }
    return ts_fgraph_add_constant(m->graph, "constant", rank, dims, data);
}

static inline ts_tensor_id node(maker *m, ts_fnode *n, const ts_ftensor *shape) {
    ts_tensor_id out;
    n->name = ts_arena_printf(m->arena, "%s%u", ts_fop_name(n->op), m->graph->nodes.count);
    ts_status status = ts_fgraph_add_node(m->graph, n, n->name, shape, &out, &m->diags);
    if (status != TS_OK) {
        ts_diag_print(stdout, &m->diags.list.data[m->diags.list.count - 1]);
    }
    assert_int_equal(status, TS_OK);
    return out;
}

static inline const uint32_t *dims_of(const maker *m, ts_tensor_id x) {
    return m->graph->tensors.data[x].dims;
}

static inline ts_tensor_id conv(maker *m, ts_tensor_id x, uint32_t channels, uint32_t kernel, uint32_t stride,
                                uint32_t groups, bool bias) {
    uint32_t in = dims_of(m, x)[3], pad = kernel / 2, dims[] = {channels, kernel, kernel, in / groups};
    ts_fnode n = {.op = TS_FOP_CONV, .input_count = bias ? 3 : 2, .groups = groups, .inputs = {x}};
    n.window = (ts_window){kernel, kernel, stride, stride, 1, 1, pad, pad, pad, pad};
    n.inputs[1] = constant(m, 4, dims, 1.0f / sqrtf((float)(kernel * kernel * in / groups)), 0.0f);
    if (bias) {
        n.inputs[2] = constant(m, 1, dims, 0.2f, 0.0f);
    }
    return node(m, &n, NULL);
}

static inline ts_tensor_id norm(maker *m, ts_tensor_id x) {
    ts_fnode n = {.op = TS_FOP_BATCH_NORM, .input_count = 5, .inputs = {x}, .epsilon = 1e-3f};
    uint32_t channels = dims_of(m, x)[3];
    n.inputs[1] = constant(m, 1, &channels, 0.3f, 1.0f);
    n.inputs[2] = constant(m, 1, &channels, 0.2f, 0.0f);
    n.inputs[3] = constant(m, 1, &channels, 0.2f, 0.0f);
    n.inputs[4] = constant(m, 1, &channels, 0.3f, 0.8f);
    return node(m, &n, NULL);
}

static inline ts_tensor_id simple(maker *m, ts_fop op, ts_tensor_id x) {
    ts_fnode n = {.op = op, .input_count = 1, .inputs = {x}, .low = -0.4f, .high = 0.5f, .alpha = 0.2f};
    n.beta = 0.5f;
    return node(m, &n, NULL);
}

static inline ts_tensor_id pool(maker *m, ts_fop op, ts_tensor_id x, bool count_pad) {
    ts_fnode n = {.op = op, .input_count = 1, .inputs = {x}, .count_pad = count_pad};
    n.window = (ts_window){3, 3, 2, 2, 1, 1, 1, 0, 0, 1};
    return node(m, &n, NULL);
}

/* Flattened and multiplied: {1, classes}. */
static inline ts_tensor_id linear(maker *m, ts_tensor_id x, uint32_t classes, bool trans_b) {
    uint32_t inner = (uint32_t)ts_ftensor_elements(&m->graph->tensors.data[x]);
    ts_ftensor shape = {.rank = 2, .dims = {1, inner}};
    ts_fnode flat = {.op = TS_FOP_RESHAPE, .input_count = 1, .inputs = {x}};
    ts_fnode gemm = {.op = TS_FOP_GEMM, .input_count = 3, .trans_b = trans_b, .alpha = 0.9f, .beta = 1.1f};
    uint32_t matrix[] = {trans_b ? classes : inner, trans_b ? inner : classes};
    gemm.inputs[0] = node(m, &flat, &shape);
    gemm.inputs[1] = constant(m, 2, matrix, 1.5f / sqrtf((float)inner), 0.0f);
    gemm.inputs[2] = constant(m, 1, &classes, 0.1f, 0.0f);
    return node(m, &gemm, NULL);
}

static inline void output(maker *m, ts_tensor_id x) { TS_PUSH(m->arena, &m->graph->outputs, x); }

static inline ts_trainer *train(maker *m, uint32_t batch) {
    ts_trainer *t = NULL;
    ts_status status = ts_trainer_new(m->arena, m->graph, batch, &t, &m->diags);
    if (status != TS_OK) {
        ts_diag_print(stdout, &m->diags.list.data[m->diags.list.count - 1]);
    }
    assert_int_equal(status, TS_OK);
    return t;
}

#endif
