/* Pruned graphs against masked ones, shapes of random graphs, and the memory of known networks. */
#include "prune/prune.h"
#include "../train/maker.h"
#include "num/float.h"
#include "train/architecture.h"

enum { SIDE = 8, CLASSES = 5 };

static ts_prune *prune_of(maker *m, ts_prune_criterion criterion) {
    ts_prune_options options = {.criterion = criterion,
                                .choice = criterion == TS_PRUNE_L2 ? TS_PRUNE_BY_GAIN : TS_PRUNE_BY_LAYER};
    ts_prune *p = NULL;
    assert_int_equal(ts_prune_new(m->arena, m->graph, &options, &p, &m->diags), TS_OK);
    return p;
}

static ts_tensor_id both(maker *m, ts_fop op, ts_tensor_id a, ts_tensor_id b) {
    ts_fnode n = {.op = op, .input_count = 2, .inputs = {a, b}, .axis = 3};
    return node(m, &n, NULL);
}

/* A picture network of seeded shape: residuals, concatenations, depthwise layers, norms, pools. */
static maker random_net(uint64_t seed) {
    maker m = new_maker(seed);
    const uint32_t dims[] = {1, SIDE, SIDE, 3};
    ts_tensor_id x = conv(&m, input(&m, 4, dims), (uint32_t)ts_random_range(&m.random, 2, 12), 3, 1, 1, true);
    uint32_t blocks = (uint32_t)ts_random_range(&m.random, 1, 5);
    for (uint32_t i = 0; i < blocks; i++) {
        uint32_t c = dims_of(&m, x)[3], wide = (uint32_t)ts_random_range(&m.random, 2, 12);
        x = ts_random_range(&m.random, 0, 1) == 0 ? norm(&m, x) : x;
        x = simple(&m, TS_FOP_RELU, x);
        switch (ts_random_range(&m.random, 0, 4)) {
            case 0:
                x = both(
                    &m, TS_FOP_ADD, x,
                    conv(&m, simple(&m, TS_FOP_RELU, conv(&m, x, wide, 3, 1, 1, true)), c, 1, 1, 1, true));
                break;
            case 1:
                x = both(&m, TS_FOP_CONCAT, x, conv(&m, x, wide, 1, 1, 1, false));
                break;
            case 2:
                x = conv(&m, norm(&m, conv(&m, x, c, 3, 1, c, false)), wide, 1, 1, 1, true);
                break;
            case 3:
                x = dims_of(&m, x)[1] > 2 ? pool(&m, i % 2 == 0 ? TS_FOP_MAX_POOL : TS_FOP_AVG_POOL, x, false)
                                          : x;
                break;
            default:
                x = both(&m, TS_FOP_MUL, x, simple(&m, TS_FOP_SIGMOID, conv(&m, x, c, 1, 1, 1, true)));
        }
    }
    output(&m, linear(&m, linear(&m, x, 9, seed % 2 == 0), CLASSES, true));
    return m;
}

static const float *run(maker *m, const ts_fgraph *graph, const float *x) {
    ts_fsession *s = ts_fsession_new(m->arena, graph);
    ts_fsession_run(s, &x);
    return ts_arena_copy(m->arena, ts_fsession_value(s, graph->outputs.data[0]), CLASSES * sizeof *x);
}

static const float *noise_input(maker *m) {
    uint64_t count = ts_ftensor_elements(&m->graph->tensors.data[m->graph->inputs.data[0]]);
    float *x = TS_NEW_ARRAY(m->arena, float, count);
    for (uint64_t i = 0; i < count; i++) {
        x[i] = noise(m);
    }
    return x;
}

static ts_fgraph *apply(maker *m, const ts_prune *p) {
    ts_fgraph *graph = NULL;
    ts_status status = ts_prune_apply(p, m->arena, &graph, &m->diags);
    if (status != TS_OK) {
        ts_diag_print(stdout, &m->diags.list.data[m->diags.list.count - 1]);
    }
    assert_int_equal(status, TS_OK);
    return graph;
}

/* What is left is as large as the prune says, and computes what the masked graph computes. */
static void check_pruned(maker *m, const ts_prune *p) {
    maker left = *m;
    left.graph = apply(m, p);
    ts_prune_memory said = ts_prune_measure(p), is = ts_prune_measure(prune_of(&left, TS_PRUNE_L1));
    assert_int_equal(said.parameters, is.parameters);
    assert_int_equal(said.activations, is.activations);
    assert_int_equal(said.im2col, is.im2col);
    const float *x = noise_input(m);
    assert_memory_equal(run(m, left.graph, x), run(m, ts_prune_mask(p, m->arena), x), CLASSES * sizeof *x);
}

static void test_random_graphs(void **state) {
    (void)state;
    uint32_t pruned = 0;
    for (uint64_t seed = 1; seed <= 200; seed++) {
        maker m = random_net(seed);
        ts_prune *p = prune_of(&m, seed % 2 == 0 ? TS_PRUNE_L1 : TS_PRUNE_L2);
        uint32_t steps = (uint32_t)ts_random_range(&m.random, 1, (int64_t)ts_prune_count(p) + 2);
        while (steps-- > 0 && ts_prune_step(p)) {
        }
        pruned += ts_prune_gone(p);
        check_pruned(&m, p);
        ts_arena_free(m.arena);
    }
    assert_true(pruned > 1000);
}

/* Everything that may go goes; one filter a layer and all outputs stay. */
static void test_last_filters_stay(void **state) {
    (void)state;
    maker m = random_net(7);
    ts_prune *p = prune_of(&m, TS_PRUNE_L1);
    while (ts_prune_step(p)) {
    }
    check_pruned(&m, p);
    for (uint32_t i = 0; i < m.graph->nodes.count; i++) {
        uint32_t had, has;
        ts_prune_layer(p, i, &had, &has);
        assert_true(had == 0 || has >= 1);
    }
    const ts_fgraph *left = apply(&m, p);
    assert_int_equal(left->tensors.data[left->outputs.data[0]].dims[1], CLASSES);
    ts_arena_free(m.arena);
}

/* A filter of zeros is the first to go, and no output changes by a bit. */
static void test_zero_filter(void **state) {
    (void)state;
    enum { ZERO = 5, WIDE = 12 };
    maker m = new_maker(3);
    const uint32_t dims[] = {1, SIDE, SIDE, 3};
    ts_tensor_id x = conv(&m, input(&m, 4, dims), WIDE, 3, 1, 1, true);
    const ts_fnode *first = &m.graph->nodes.data[0];
    float *w = (float *)m.graph->tensors.data[first->inputs[1]].data;
    memset(w + ZERO * 27, 0, 27 * sizeof *w);
    ((float *)m.graph->tensors.data[first->inputs[2]].data)[ZERO] = 0;
    x = pool(&m, TS_FOP_MAX_POOL, simple(&m, TS_FOP_RELU, x), false);
    output(&m, linear(&m, x, CLASSES, true));
    ts_prune *p = prune_of(&m, TS_PRUNE_L1);
    assert_true(ts_prune_step(p));
    uint32_t had, has;
    ts_prune_layer(p, 0, &had, &has);
    assert_int_equal(had, WIDE);
    assert_int_equal(has, WIDE - 1);
    const float *in = noise_input(&m);
    assert_memory_equal(run(&m, apply(&m, p), in), run(&m, m.graph, in), CLASSES * sizeof *in);
    ts_arena_free(m.arena);
}

static void test_criteria(void **state) {
    (void)state;
    maker m = new_maker(11);
    const uint32_t dims[] = {1, SIDE, SIDE, 3};
    ts_tensor_id x = norm(&m, conv(&m, input(&m, 4, dims), 4, 3, 1, 1, false));
    ts_fnode *n = &m.graph->nodes.data[1];
    float *scale = (float *)m.graph->tensors.data[n->inputs[1]].data;
    scale[2] = -0.001f;
    output(&m, linear(&m, x, CLASSES, true));
    ts_prune *p = prune_of(&m, TS_PRUNE_NORM);
    assert_true(ts_prune_step(p));
    const ts_fgraph *left = apply(&m, p);
    const float *kept = left->tensors.data[left->nodes.data[1].inputs[1]].data;
    for (uint32_t i = 0; i < 3; i++) {
        assert_true(kept[i] == scale[i + (i >= 2)]);
    }
    /* Taylor: the filter whose weights the loss does not feel. */
    const float **gradients = TS_NEW_ARRAY(m.arena, const float *, m.graph->tensors.count);
    for (uint32_t i = 0; i < 2; i++) {
        ts_tensor_id id = m.graph->nodes.data[i == 0 ? 0 : 3].inputs[1];
        uint64_t count = ts_ftensor_elements(&m.graph->tensors.data[id]);
        float *g = TS_NEW_ARRAY(m.arena, float, count);
        for (uint64_t k = 0; k < count; k++) {
            g[k] = i == 0 && k / 27 == 1 ? 0.0f : 1.0f;
        }
        gradients[id] = g;
    }
    ts_prune_options options = {.criterion = TS_PRUNE_TAYLOR, .gradients = gradients};
    assert_int_equal(ts_prune_new(m.arena, m.graph, &options, &p, &m.diags), TS_OK);
    assert_true(ts_prune_step(p));
    left = apply(&m, p);
    const float *w = left->tensors.data[left->nodes.data[0].inputs[1]].data;
    const float *all = m.graph->tensors.data[m.graph->nodes.data[0].inputs[1]].data;
    assert_memory_equal(w, all, 27 * sizeof *w);
    assert_memory_equal(w + 27, all + 54, 54 * sizeof *w);
    ts_arena_free(m.arena);
}

static ts_prune_memory memory_of(ts_architecture kind) {
    ts_arena *arena = ts_arena_new("test", 0);
    maker m = {.arena = arena, .diags = {.arena = arena}};
    ts_architecture_options options = {.kind = kind, .width = 1, .seed = 1};
    assert_int_equal(ts_architecture_make(arena, &options, &m.graph, &m.diags), TS_OK);
    ts_prune_memory memory = ts_prune_measure(prune_of(&m, TS_PRUNE_L1));
    ts_arena_free(arena);
    return memory;
}

/* Equation 1 by hand, for the networks of the paper's table 2.
 * CIFAR-10: 5 x 5 convolutions of 32, 32 and 64, pools of stride 2, ten outputs. Np = 2400 + 32 + 25600 + 32
 * + 51200 + 64 + 10240 + 10; the first pool moves most, 32 x 32 x 32 + 16 x 16 x 32; two columns of 25 x 32.
 * Keywords: convolutions of 20 x 8 and 10 x 4 with 64 outputs, 13 x 33 and 4 x 8 places, a pool by three,
 * linear layers of 32, 128 and 12. Np = 10240 + 64 + 163840 + 64 + 65536 + 32 + 4096 + 128 + 1536 + 12; the
 * pool moves (13 x 33 + 13 x 11) x 64; two columns of 40 x 64. Faces: Np = 9 (32 + 32 32 + 32 64 + 64 64 + 64
 * 96 + 4 96 96) + 2 32 + 2 64 + 5 96 biases of the norms + 7 (3 3 96) + 7; the second convolution moves 2 x
 * 48 x 48 x 32; two columns of 9 x 96. */
static void test_memory_by_hand(void **state) {
    (void)state;
    ts_prune_memory cifar = memory_of(TS_ARCHITECTURE_CIFAR10), kws = memory_of(TS_ARCHITECTURE_KWS),
                    fer = memory_of(TS_ARCHITECTURE_FER);
    assert_int_equal(cifar.parameters, 89578);
    assert_int_equal(cifar.activations, 40960);
    assert_int_equal(cifar.im2col, 1600);
    assert_int_equal(ts_prune_bytes(&cifar, 8), 132138);
    assert_int_equal(ts_prune_bytes(&cifar, 16), 264276);
    assert_int_equal(ts_prune_bytes(&cifar, 5), 82587); /* 82586.25 */
    assert_int_equal(kws.parameters, 245548);
    assert_int_equal(kws.activations, 36608);
    assert_int_equal(kws.im2col, 5120);
    assert_int_equal(fer.parameters, 9 * (32 + 1024 + 2048 + 4096 + 6144 + 36864) + 672 + 6048 + 7);
    assert_int_equal(fer.activations, 147456);
    assert_int_equal(fer.im2col, 1728);
}

static void test_norm_is_needed(void **state) {
    (void)state;
    maker m = new_maker(5);
    const uint32_t dims[] = {1, SIDE, SIDE, 3};
    output(&m, linear(&m, conv(&m, input(&m, 4, dims), 4, 3, 1, 1, true), CLASSES, true));
    ts_prune_options options = {.criterion = TS_PRUNE_NORM};
    ts_prune *p;
    assert_int_equal(ts_prune_new(m.arena, m.graph, &options, &p, &m.diags), TS_BAD_INPUT);
    assert_non_null(strstr(m.diags.list.data[0].text, "batch norm"));
    ts_arena_free(m.arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_graphs),  cmocka_unit_test(test_last_filters_stay),
        cmocka_unit_test(test_zero_filter),    cmocka_unit_test(test_criteria),
        cmocka_unit_test(test_memory_by_hand), cmocka_unit_test(test_norm_is_needed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
