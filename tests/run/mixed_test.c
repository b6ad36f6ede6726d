/* Widths are raised where the simulated chip takes no longer, and only there. */
#include "run/mixed.h"
#include "base/random.h"
#include "harness.h"

enum { SIDE = 8, DEPTH = 4, WIDE = 8 };

static ts_tensor_id conv(ts_fgraph *g, ts_random *random, ts_tensor_id x, uint32_t out, ts_diags *diags) {
    uint32_t in = g->tensors.data[x].dims[3], dims[] = {out, 3, 3, in};
    float *w = TS_NEW_ARRAY(g->arena, float, out * 9 * in);
    for (uint32_t i = 0; i < out * 9 * in; i++) {
        w[i] = (float)ts_random_range(random, -100, 100) / 300.0f;
    }
    ts_fnode n = {.op = TS_FOP_CONV,
                  .name = ts_arena_printf(g->arena, "conv%u", g->nodes.count),
                  .input_count = 2,
                  .groups = 1};
    n.window = (ts_window){3, 3, 1, 1, 1, 1, 1, 1, 1, 1};
    n.inputs[0] = x;
    n.inputs[1] = ts_fgraph_add_constant(g, "w", 4, dims, w);
    assert_int_equal(ts_fgraph_add_node(g, &n, n.name, NULL, &x, diags), TS_OK);
    ts_fnode relu = {.op = TS_FOP_RELU, .name = "relu", .input_count = 1, .inputs = {x}};
    assert_int_equal(ts_fgraph_add_node(g, &relu, "relu", NULL, &x, diags), TS_OK);
    return x;
}

static ts_qnet *make_network(ts_arena *arena, ts_random *random, ts_diags *diags) {
    ts_fgraph *g = ts_fgraph_new(arena, "mixed");
    ts_ftensor input = {
        .name = "x", .rank = 4, .dims = {1, SIDE, SIDE, DEPTH}, .layout = TS_LAYOUT_CHANNELS_LAST};
    ts_qnet *net;
    input.producer = TS_NONE;
    ts_tensor_id x = ts_fgraph_add_tensor(g, &input);
    TS_PUSH(arena, &g->inputs, x);
    for (uint32_t i = 0; i < 3; i++) {
        x = conv(g, random, x, WIDE, diags);
    }
    TS_PUSH(arena, &g->outputs, x);
    assert_int_equal(ts_qnet_read(arena, g, &net, diags), TS_OK);
    return net;
}

static void free_bits_are_taken(void **state) {
    (void)state;
    static const double zero[DEPTH] = {0}, one[DEPTH] = {1, 1, 1, 1};
    ts_arena *arena = ts_arena_new("test", 0);
    ts_diags diags = {.arena = arena};
    ts_random random = ts_random_seed(5);
    ts_qnet *net = make_network(arena, &random, &diags);
    float *samples = TS_NEW_ARRAY(arena, float, SIDE *SIDE *DEPTH);
    uint32_t order = 0;
    for (uint32_t i = 0; i < SIDE * SIDE * DEPTH; i++) {
        samples[i] = (float)ts_random_range(&random, -100, 100);
    }
    ts_data data = {.count = 1,
                    .h = SIDE,
                    .w = SIDE,
                    .c = DEPTH,
                    .type = TS_DATA_F32,
                    .samples = samples,
                    .order = &order};
    data.preprocess = (ts_preprocess){.count = DEPTH, .mean = zero, .scale = one};
    ts_widths *widths = TS_NEW_ARRAY(arena, ts_widths, net->layers.count);
    for (uint32_t i = 0; i < net->layers.count; i++) {
        widths[i] = (ts_widths){3, 4};
    }
    const ts_target *target;
    ts_mixed m;
    assert_int_equal(ts_run_target(arena, "gap8", &target, &diags), TS_OK);
    assert_int_equal(ts_mixed_choose(arena, net, &data, target, widths, NULL, &m, &diags), TS_OK);
    printf("%llu cycles, then %llu, %u runs\n", (unsigned long long)m.total_before,
           (unsigned long long)m.total_after, m.runs);
    assert_true(m.total_after <= m.total_before);
    for (uint32_t i = 0; i < net->layers.count; i++) {
        printf("%s: w%ua%u -> w%ua%u\n", net->layers.data[i].name, m.before[i].weights,
               m.before[i].activations, widths[i].weights, widths[i].activations);
        assert_true(widths[i].weights >= 4); /* three bits are stored in four */
        assert_true(widths[i].activations >= 4);
    }
    assert_int_equal(ts_run_target(arena, "host", &target, &diags), TS_OK);
    assert_int_equal(ts_mixed_choose(arena, net, &data, target, widths, NULL, &m, &diags), TS_BAD_INPUT);
    ts_arena_free(arena);
}

/* A convolution of one pixel. */
static ts_tensor_id dense(ts_fgraph *g, ts_random *random, ts_tensor_id x, uint32_t out, float bias,
                          ts_diags *diags) {
    uint32_t in = g->tensors.data[x].dims[3], dims[] = {out, 1, 1, in};
    float *w = TS_NEW_ARRAY(g->arena, float, (uint64_t)out *in), *b = TS_NEW_ARRAY(g->arena, float, out);
    for (uint32_t i = 0; i < out * in; i++) {
        w[i] = (float)ts_random_range(random, -100, 100) / 2000.0f;
    }
    b[0] = bias;
    ts_fnode n = {.op = TS_FOP_CONV, .input_count = 3, .groups = 1, .window = {1, 1, 1, 1, 1, 1, 0, 0, 0, 0}};
    n.name = ts_arena_printf(g->arena, "dense%u", g->nodes.count);
    n.inputs[0] = x;
    n.inputs[1] = ts_fgraph_add_constant(g, "w", 4, dims, w);
    n.inputs[2] = ts_fgraph_add_constant(g, "b", 1, &out, b);
    assert_int_equal(ts_fgraph_add_node(g, &n, n.name, NULL, &x, diags), TS_OK);
    return x;
}

/* The first layer waits for its weights, the second computes. */
static uint64_t by_weight_bits(void *unused, uint32_t layer, ts_widths widths) {
    (void)unused;
    return layer == 0 ? 1000u * widths.weights : 5000u;
}

/* Bits go down where that saves cycles, as long as classes stay: with one class far ahead of the others they
 * do, with classes that lie close they do not. */
static void bits_that_gain_nothing_go(void **state) {
    enum { INPUTS = 768, HIDDEN = 256, COUNT = 16 };
    (void)state;
    static double zero[INPUTS], one[INPUTS];
    for (uint32_t far = 0; far < 2; far++) {
        ts_arena *arena = ts_arena_new("test", 0);
        ts_diags diags = {.arena = arena};
        ts_random random = ts_random_seed(3);
        ts_fgraph *g = ts_fgraph_new(arena, "dense");
        ts_ftensor input = {.name = "x", .rank = 4, .dims = {1, 1, 1, INPUTS}, .producer = TS_NONE};
        ts_qnet *net;
        input.layout = TS_LAYOUT_CHANNELS_LAST;
        ts_tensor_id x = ts_fgraph_add_tensor(g, &input);
        TS_PUSH(arena, &g->inputs, x);
        x = dense(g, &random, x, HIDDEN, 0, &diags);
        ts_fnode relu = {.op = TS_FOP_RELU, .name = "relu", .input_count = 1, .inputs = {x}};
        assert_int_equal(ts_fgraph_add_node(g, &relu, "relu", NULL, &x, &diags), TS_OK);
        x = dense(g, &random, x, 4, far == 1 ? 500 : 0, &diags);
        TS_PUSH(arena, &g->outputs, x);
        assert_int_equal(ts_qnet_read(arena, g, &net, &diags), TS_OK);
        float *samples = TS_NEW_ARRAY(arena, float, COUNT *INPUTS);
        uint32_t *order = TS_NEW_ARRAY(arena, uint32_t, COUNT);
        for (uint32_t i = 0; i < COUNT * INPUTS; i++) {
            samples[i] = (float)ts_random_range(&random, -100, 100) / (far == 1 ? 100.0f : 1.0f);
            order[i % COUNT] = i % COUNT;
            one[i % INPUTS] = 1;
        }
        ts_data data = {.count = COUNT, .h = 1, .w = 1, .c = INPUTS, .type = TS_DATA_F32, .samples = samples};
        data.order = order;
        data.preprocess = (ts_preprocess){.count = INPUTS, .mean = zero, .scale = one};
        ts_widths widths[2] = {{8, 8}, {8, 8}};
        assert_int_equal(ts_mixed_lower(arena, net, &data, by_weight_bits, NULL, widths, &diags), TS_OK);
        printf("%s: w%ua%u w%ua%u\n", far == 1 ? "far" : "close", widths[0].weights, widths[0].activations,
               widths[1].weights, widths[1].activations);
        assert_int_equal(widths[0].weights, far == 1 ? 2 : 8);
        assert_int_equal(widths[0].activations, 8); /* saves nothing */
        assert_int_equal(widths[1].weights, 8);
        ts_arena_free(arena);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(free_bits_are_taken),
                                       cmocka_unit_test(bits_that_gain_nothing_go)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
