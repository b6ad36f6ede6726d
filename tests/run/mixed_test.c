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
    assert_int_equal(ts_mixed_raise(arena, net, &data, target, widths, NULL, &m, &diags), TS_OK);
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
    assert_int_equal(ts_mixed_raise(arena, net, &data, target, widths, NULL, &m, &diags), TS_BAD_INPUT);
    ts_arena_free(arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(free_bits_are_taken)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
