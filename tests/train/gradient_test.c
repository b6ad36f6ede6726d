/* Gradients against differences of the loss, operator by operator. */
#include "maker.h"
#include "num/float.h"

enum { BATCH = 3, SIDE = 9, DEPTH = 4, CLASSES = 5 };

typedef struct rig {
    maker m;
    ts_trainer *t;
    ts_goal target;
    bool training;
} rig;

static double loss_now(const rig *r) {
    ts_trainer_forward(r->t, r->training);
    return ts_trainer_loss(r->t, &r->target, NULL);
}

static void fill_input(rig *r) {
    float *x = ts_trainer_input(r->t);
    uint64_t count = ts_ftensor_elements(&r->m.graph->tensors.data[r->m.graph->inputs.data[0]]) * BATCH;
    for (uint64_t i = 0; i < count; i++) {
        x[i] = noise(&r->m);
    }
}

/* The slope of the loss along the sign of a parameter's gradient, by central difference and by the sum of the
 * gradient's magnitudes. */
static void check_param(rig *r, ts_param *p) {
    ts_arena *scratch = ts_arena_new("check", 0);
    float *saved = ts_arena_copy(scratch, p->value, p->count * sizeof(float));
    float *gradient = ts_arena_copy(scratch, p->gradient, p->count * sizeof(float));
    double along = 0, losses[2];
    float step = 2e-3f;
    for (uint64_t i = 0; i < p->count; i++) {
        along += fabs((double)gradient[i]);
    }
    step /= sqrtf((float)p->count);
    for (uint32_t k = 0; k < 2; k++) {
        for (uint64_t i = 0; i < p->count; i++) {
            p->value[i] = saved[i] + (k == 0 ? -step : step) * (gradient[i] > 0.0f ? 1.0f : -1.0f);
        }
        losses[k] = loss_now(r);
    }
    memcpy(p->value, saved, p->count * sizeof(float));
    double measured = (losses[1] - losses[0]) / (2 * (double)step);
    if (fabs(measured - along) > 0.03 * fabs(along) + 1e-4) {
        fail_msg("%s (kind %d, %u numbers): gradient %g, difference %g", p->name, (int)p->kind,
                 (unsigned)p->count, along, measured);
    }
    assert_true(along > 1e-6);
    ts_arena_free(scratch);
}

/* Checks every parameter of the maker's graph with a loss of labels or of values. */
static void check_graph(maker m, bool by_labels, bool training) {
    int32_t labels[BATCH] = {1, 4, 0};
    float values[BATCH * CLASSES];
    rig r = {.m = m, .training = training};
    uint32_t count, outputs;
    r.t = train(&r.m, BATCH);
    ts_trainer_logits(r.t, &outputs);
    assert_int_equal(outputs, CLASSES);
    for (uint32_t i = 0; i < BATCH * CLASSES; i++) {
        values[i] = noise(&r.m);
    }
    r.target = (ts_goal){.labels = by_labels ? labels : NULL, .values = by_labels ? NULL : values};
    fill_input(&r);
    loss_now(&r);
    ts_trainer_backward(r.t);
    ts_param *params = ts_trainer_params(r.t, &count);
    assert_true(count > 0);
    for (uint32_t i = 0; i < count; i++) {
        check_param(&r, &params[i]);
        loss_now(&r);
        ts_trainer_backward(r.t);
    }
    ts_trainer_free(r.t);
    ts_arena_free(r.m.arena);
}

static maker begin(uint64_t seed, ts_tensor_id *x) {
    maker m = new_maker(seed);
    *x = input(&m, 4, (const uint32_t[]){1, SIDE, SIDE, DEPTH});
    return m;
}

static void convolutions(void **state) {
    static const uint32_t shapes[][4] = {{6, 3, 1, 1}, {6, 1, 1, 1}, {8, 3, 2, 2},
                                         {4, 3, 1, 4}, {6, 5, 2, 1}, {6, 1, 2, 1}};
    (void)state;
    for (uint32_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        ts_tensor_id x;
        maker m = begin(i + 1, &x);
        const uint32_t *s = shapes[i];
        x = simple(&m, TS_FOP_TANH, conv(&m, x, 8, 3, 1, 1, true));
        x = simple(&m, TS_FOP_SIGMOID, conv(&m, x, 2 * s[0], s[1], s[2], s[3], i % 2 == 0));
        output(&m, linear(&m, x, CLASSES, i % 2 == 1));
        check_graph(m, true, true);
    }
}

/* 1 x 1 convolutions with a stride, at sizes where oneDNN 2.6.3 alone writes beyond its memory. */
static void strided_points_stay_in_their_memory(void **state) {
    static const int32_t labels[] = {1, 0};
    (void)state;
    maker m = new_maker(8);
    ts_tensor_id x = input(&m, 4, (const uint32_t[]){1, 60, 60, DEPTH});
    x = simple(&m, TS_FOP_TANH, conv(&m, x, 8, 1, 1, 1, true));
    x = simple(&m, TS_FOP_TANH, conv(&m, x, 16, 1, 2, 1, true));
    ts_fnode mean = {.op = TS_FOP_REDUCE_MEAN, .input_count = 1, .inputs = {x}, .axes = 6, .keep_dims = true};
    output(&m, linear(&m, node(&m, &mean, NULL), CLASSES, true));
    rig r = {.m = m, .t = train(&m, 2), .target = {.labels = labels}};
    for (uint32_t i = 0; i < 2 * 60 * 60 * DEPTH; i++) {
        ts_trainer_input(r.t)[i] = noise(&r.m);
    }
    loss_now(&r);
    ts_trainer_backward(r.t);
    uint32_t count;
    ts_param *params = ts_trainer_params(r.t, &count);
    for (uint32_t i = 0; i < count; i++) {
        check_param(&r, &params[i]);
        loss_now(&r);
        ts_trainer_backward(r.t);
    }
    ts_trainer_free(r.t);
    ts_arena_free(m.arena);
}

static void one_dimension(void **state) {
    (void)state;
    maker m = new_maker(3);
    ts_tensor_id x = input(&m, 3, (const uint32_t[]){1, 20, 4});
    uint32_t dims[] = {6, 3, 4};
    ts_fnode n = {.op = TS_FOP_CONV, .input_count = 2, .groups = 1, .inputs = {x}};
    n.window = (ts_window){.kernel_w = 3, .stride_w = 1, .dilation_w = 2, .pad_left = 4};
    n.window.kernel_h = n.window.stride_h = n.window.dilation_h = 1;
    n.inputs[1] = constant(&m, 3, dims, 0.3f, 0.0f);
    output(&m, linear(&m, simple(&m, TS_FOP_TANH, node(&m, &n, NULL)), CLASSES, true));
    check_graph(m, true, true);
}

static void activations(void **state) {
    static const ts_fop ops[] = {TS_FOP_RELU,         TS_FOP_CLIP,    TS_FOP_LEAKY_RELU, TS_FOP_HARD_SWISH,
                                 TS_FOP_HARD_SIGMOID, TS_FOP_SIGMOID, TS_FOP_TANH};
    (void)state;
    for (uint32_t i = 0; i < sizeof ops / sizeof ops[0]; i++) {
        ts_tensor_id x;
        maker m = begin(10 + i, &x);
        output(&m, linear(&m, simple(&m, ops[i], conv(&m, x, 6, 3, 2, 1, true)), CLASSES, true));
        check_graph(m, i % 2 == 0, true);
    }
}

static void norms(void **state) {
    (void)state;
    for (uint32_t training = 0; training < 2; training++) {
        ts_tensor_id x;
        maker m = begin(20, &x);
        x = simple(&m, TS_FOP_TANH, norm(&m, conv(&m, x, 6, 3, 2, 1, false)));
        x = simple(&m, TS_FOP_TANH, norm(&m, conv(&m, x, 6, 3, 1, 6, false)));
        output(&m, linear(&m, x, CLASSES, true));
        check_graph(m, true, training == 1);
    }
}

static void pools(void **state) {
    (void)state;
    for (uint32_t i = 0; i < 3; i++) {
        ts_tensor_id x;
        maker m = begin(30 + i, &x);
        x = simple(&m, TS_FOP_TANH, conv(&m, x, 6, 3, 1, 1, true));
        x = pool(&m, i == 0 ? TS_FOP_MAX_POOL : TS_FOP_AVG_POOL, x, i == 1);
        output(&m, linear(&m, x, CLASSES, true));
        check_graph(m, true, true);
    }
}

/* A residual sum, a concatenation, products with a broadcast gate, pads, a transposition and a mean. */
/* Every second row from the first on, some columns, each element twice. */
static void choices(void **state) {
    (void)state;
    ts_tensor_id x;
    maker m = begin(37, &x);
    x = simple(&m, TS_FOP_TANH, conv(&m, x, 6, 3, 1, 1, true));
    const ts_ftensor *t = &m.graph->tensors.data[x];
    ts_ftensor part = {.rank = 4, .dims = {1, (t->dims[1] + 1) / 2, t->dims[2] - 2, 6}}, twice = part;
    ts_fnode slice = {.op = TS_FOP_SLICE, .input_count = 1, .inputs = {x}, .begin = {0, 0, 1, 0}};
    slice.step[0] = slice.step[2] = slice.step[3] = 1;
    slice.step[1] = 2;
    twice.dims[1] *= 2;
    ts_fnode resize = {.op = TS_FOP_RESIZE, .input_count = 1, .inputs = {node(&m, &slice, &part)}};
    x = conv(&m, node(&m, &resize, &twice), 4, 3, 1, 1, true);
    output(&m, linear(&m, x, CLASSES, true));
    check_graph(m, true, true);
}

static void branches(void **state) {
    (void)state;
    ts_tensor_id x, a, b;
    maker m = begin(40, &x);
    a = simple(&m, TS_FOP_TANH, conv(&m, x, 6, 3, 1, 1, true));
    b = simple(&m, TS_FOP_TANH, conv(&m, a, 6, 3, 1, 1, true));
    ts_fnode sum = {.op = TS_FOP_ADD, .input_count = 2, .inputs = {a, b}};
    a = node(&m, &sum, NULL);
    ts_fnode mean = {.op = TS_FOP_REDUCE_MEAN, .input_count = 1, .inputs = {a}, .axes = 6, .keep_dims = true};
    ts_fnode gate = {
        .op = TS_FOP_MUL, .input_count = 2, .inputs = {a, simple(&m, TS_FOP_SIGMOID, node(&m, &mean, NULL))}};
    ts_fnode join = {
        .op = TS_FOP_CONCAT, .input_count = 3, .inputs = {node(&m, &gate, NULL), b, a}, .axis = 3};
    ts_fnode pad = {
        .op = TS_FOP_PAD, .input_count = 1, .inputs = {node(&m, &join, NULL)}, .begin = {0, 1, 0, 0}};
    pad.end[2] = 2;
    ts_fnode turn = {
        .op = TS_FOP_TRANSPOSE, .input_count = 1, .inputs = {node(&m, &pad, NULL)}, .perm = {0, 3, 1, 2}};
    x = linear(&m, node(&m, &turn, NULL), 7, false);
    uint32_t seven = 7, matrix[] = {7, CLASSES};
    ts_fnode bias = {.op = TS_FOP_ADD, .input_count = 2, .inputs = {x, constant(&m, 1, &seven, 0.2f, 0.0f)}};
    ts_fnode product = {.op = TS_FOP_MATMUL, .input_count = 2, .inputs = {node(&m, &bias, NULL)}};
    product.inputs[1] = constant(&m, 2, matrix, 0.5f, 0.0f);
    ts_fnode quotient = {.op = TS_FOP_DIV, .input_count = 2, .inputs = {node(&m, &product, NULL)}};
    uint32_t five = CLASSES;
    quotient.inputs[1] = constant(&m, 1, &five, 0.2f, 1.0f);
    ts_fnode soft = {
        .op = TS_FOP_SOFTMAX, .input_count = 1, .inputs = {node(&m, &quotient, NULL)}, .axis = 1};
    output(&m, node(&m, &soft, NULL));
    check_graph(m, true, true);
}

/* A softmax in the middle, which the loss does not take away, and the logarithm of one. */
static void soft_middle(void **state) {
    static const ts_fop ops[] = {TS_FOP_SOFTMAX, TS_FOP_LOG_SOFTMAX};
    (void)state;
    for (uint32_t i = 0; i < 2; i++) {
        ts_tensor_id x;
        maker m = begin(50, &x);
        ts_fnode soft = {.op = ops[i], .input_count = 1, .axis = 3};
        soft.inputs[0] = conv(&m, x, 6, 3, 2, 1, true);
        output(&m, linear(&m, node(&m, &soft, NULL), CLASSES, true));
        check_graph(m, false, true);
    }
}

/* The gradient of the distance to a teacher: by the logits, which are the bias of the last layer. */
static void teachers(void **state) {
    (void)state;
    float teacher[BATCH * CLASSES];
    ts_tensor_id x;
    maker m = begin(60, &x);
    output(&m, linear(&m, simple(&m, TS_FOP_TANH, conv(&m, x, 6, 3, 2, 1, true)), CLASSES, true));
    rig r = {.m = m, .training = true};
    int32_t labels[BATCH] = {0, 1, 2};
    for (uint32_t i = 0; i < BATCH * CLASSES; i++) {
        teacher[i] = 2 * noise(&r.m);
    }
    r.target = (ts_goal){.labels = labels, .teacher = teacher, .share = 0.7, .temperature = 3};
    r.t = train(&r.m, BATCH);
    fill_input(&r);
    loss_now(&r);
    ts_trainer_backward(r.t);
    uint32_t count;
    ts_param *params = ts_trainer_params(r.t, &count);
    for (uint32_t i = 0; i < count; i++) {
        check_param(&r, &params[i]);
        loss_now(&r);
        ts_trainer_backward(r.t);
    }
    ts_trainer_free(r.t);
    ts_arena_free(m.arena);
}

/* FAKE_QUANT: forward as the interpreter has it; backward straight through inside, the clip's slope beyond
 * it. */
static void grids(void **state) {
    (void)state;
    maker m = new_maker(70);
    ts_tensor_id x = input(&m, 2, (const uint32_t[]){1, CLASSES});
    static const float unit[CLASSES * CLASSES] = {[0] = 1, [6] = 1, [12] = 1, [18] = 1, [24] = 1};
    ts_fnode same = {.op = TS_FOP_MATMUL, .input_count = 2, .inputs = {x}};
    same.inputs[1] = ts_fgraph_add_constant(m.graph, "unit", 2, (const uint32_t[]){CLASSES, CLASSES}, unit);
    ts_fnode grid = {
        .op = TS_FOP_FAKE_QUANT, .input_count = 1, .scale = 0.25, .offset = 0.5, .low = -2, .high = 3};
    grid.inputs[0] = node(&m, &same, NULL);
    ts_tensor_id y = node(&m, &grid, NULL);
    output(&m, y);
    ts_trainer *t = train(&m, 1);
    float values[CLASSES] = {0};
    const float inputs[CLASSES] = {-3.0f, -0.3f, 0.1f, 0.6f, 2.0f};
    memcpy(ts_trainer_input(t), inputs, sizeof inputs);
    ts_goal target = {.values = values};
    ts_trainer_forward(t, true);
    ts_trainer_loss(t, &target, NULL);
    ts_trainer_backward(t);
    const float *out = ts_trainer_value(t, y), *dx = ts_trainer_gradient(t, grid.inputs[0]);
    double by_step = 0;
    for (uint32_t i = 0; i < CLASSES; i++) {
        assert_float_equal(out[i], ts_fake_quant(inputs[i], 0.25, 0.5, -2, 3), 1e-6f);
        double dy = 2.0 * (double)out[i] / CLASSES, v = (double)inputs[i] / 0.25;
        assert_true(fabs((double)dx[i] - (v > -2 && v < 3 ? dy : 0.0)) < 1e-6);
        by_step += dy * (v <= -2 ? -2 : v >= 3 ? 3 : (double)out[i] / 0.25 - v);
    }
    ts_param *step = ts_trainer_step_of(t, 1);
    assert_non_null(step);
    assert_true(fabs((double)step->gradient[0] - by_step * 0.25) < 1e-5);
    ts_trainer_free(t);
    ts_arena_free(m.arena);
}

/* The batch computes what the interpreter does, sample by sample. */
static void forward_agrees_with_the_interpreter(void **state) {
    (void)state;
    ts_tensor_id x;
    maker m = begin(80, &x);
    x = simple(&m, TS_FOP_RELU, norm(&m, conv(&m, x, 6, 3, 2, 1, false)));
    x = pool(&m, TS_FOP_AVG_POOL, conv(&m, x, 6, 3, 1, 6, true), false);
    ts_tensor_id y = linear(&m, x, CLASSES, true);
    output(&m, y);
    rig r = {.m = m, .t = NULL};
    r.t = train(&r.m, BATCH);
    fill_input(&r);
    ts_trainer_forward(r.t, false);
    ts_fsession *session = ts_fsession_new(m.arena, m.graph);
    for (uint32_t n = 0; n < BATCH; n++) {
        ts_fsession_run(session, (const float *const[]){ts_trainer_input(r.t) + n * SIDE * SIDE * DEPTH});
        for (uint32_t i = 0; i < CLASSES; i++) {
            assert_float_equal(ts_trainer_value(r.t, y)[n * CLASSES + i], ts_fsession_value(session, y)[i],
                               1e-4f);
        }
    }
    ts_trainer_free(r.t);
    ts_arena_free(m.arena);
}

int main(void) {
    if (!ts_train_available()) {
        printf("built without oneDNN: skipped\n");
        return TS_TEST_SKIP;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(convolutions),  cmocka_unit_test(strided_points_stay_in_their_memory),
        cmocka_unit_test(one_dimension), cmocka_unit_test(activations),
        cmocka_unit_test(norms),         cmocka_unit_test(pools),
        cmocka_unit_test(choices),       cmocka_unit_test(branches),
        cmocka_unit_test(soft_middle),   cmocka_unit_test(teachers),
        cmocka_unit_test(grids),         cmocka_unit_test(forward_agrees_with_the_interpreter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
