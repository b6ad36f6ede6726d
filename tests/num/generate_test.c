/* The generator: the sizes that the literature gives, and activations that fill their range. */
#include "num/generate.h"

#include "harness.h"
#include "num/integer.h"

static ts_graph *generate(ts_arena *arena, const ts_generate_options *options) {
    ts_diags diags = {.arena = arena};
    ts_graph *graph = NULL;
    ts_status status = ts_generate(arena, options, &graph, &diags);
    for (uint32_t i = 0; i < diags.list.count; i++) {
        ts_diag_print(stderr, &diags.list.data[i]);
    }
    assert_int_equal(status, TS_OK);
    return graph;
}

static uint64_t macs_of(ts_generate_kind kind, double width, uint32_t resolution, uint32_t *layers) {
    ts_arena *arena = ts_arena_new("test", 0);
    ts_generate_options o = ts_generate_defaults(kind);
    o.width = width;
    o.resolution = resolution;
    const ts_graph *graph = generate(arena, &o);
    uint64_t macs = 0;
    for (uint32_t i = 0; i < graph->nodes.count; i++) {
        macs += ts_node_macs(graph, &graph->nodes.data[i]);
    }
    *layers = graph->nodes.count;
    ts_arena_free(arena);
    return macs;
}

static void sizes_are_the_published_ones(void **state) {
    (void)state;
    uint32_t layers;
    assert_int_equal(macs_of(TS_GENERATE_MOBILENET_V1, 1, 128, &layers), 186400768);
    assert_int_equal(layers, 29);
    assert_int_equal(macs_of(TS_GENERATE_MOBILENET_V1, 0.25, 128, &layers), 13570048);
    assert_int_equal(macs_of(TS_GENERATE_MOBILENET_V1, 0.5, 192, &layers), 109970432);
    assert_int_equal(macs_of(TS_GENERATE_MOBILENET_V2, 1, 128, &layers), 99074048);
    assert_int_equal(macs_of(TS_GENERATE_RESNET8, 1, 0, &layers), 12501632);
    assert_int_equal(macs_of(TS_GENERATE_DS_CNN, 1, 0, &layers), 2656768);
}

/* Share of the elements at the two ends of the range, in percent, and the mean in percent of the range. */
typedef struct fill {
    double low, high, mean;
} fill;

static fill fill_of(const ts_tensor *t, const int32_t *values) {
    fill f = {0};
    double count = (double)ts_tensor_elements(t);
    for (uint64_t i = 0; i < ts_tensor_elements(t); i++) {
        f.low += 100 * (values[i] == ts_type_low(t->type)) / count;
        f.high += 100 * (values[i] == ts_type_high(t->type)) / count;
        f.mean += 100.0 * values[i] / (double)ts_type_high(t->type) / count;
    }
    return f;
}

/* On an input that the generator has not seen. */
static void check_fill(ts_generate_kind kind, uint32_t bits) {
    ts_arena *arena = ts_arena_new("test", 0);
    ts_diags diags = {.arena = arena};
    ts_generate_options o = ts_generate_defaults(kind);
    o.width = kind == TS_GENERATE_MOBILENET_V2 ? 0.5 : 0.25;
    o.activation_bits = o.weight_bits = bits;
    const ts_graph *g = generate(arena, &o);
    const int32_t *inputs[] = {ts_random_values(arena, 99, &g->tensors.data[g->inputs.data[0]], false)};
    int32_t **values;
    assert_int_equal(ts_integer_run(g, arena, inputs, &values, &diags), TS_OK);
    for (uint32_t i = 0; i < g->nodes.count; i++) {
        const ts_node *n = &g->nodes.data[i];
        const ts_tensor *out = &g->tensors.data[n->output];
        if (n->op != TS_OP_CONV) {
            continue;
        }
        fill f = fill_of(out, values[n->output]);
        if (f.low > 60 || f.high > 35 || f.mean < 10 || f.mean > 75) {
            fail_msg("%s %s: %g%% low, %g%% high, mean %g%%", ts_generate_name(kind), n->name, f.low, f.high,
                     f.mean);
        }
    }
    ts_arena_free(arena);
}

static void activations_fill_their_range(void **state) {
    (void)state;
    static const ts_generate_kind kinds[] = {TS_GENERATE_MOBILENET_V1, TS_GENERATE_MOBILENET_V2,
                                             TS_GENERATE_RESNET8, TS_GENERATE_DS_CNN, TS_GENERATE_TCN};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        check_fill(kinds[i], 8);
    }
    check_fill(TS_GENERATE_RESNET8, 4);
}

static void single_layers_have_the_shape_that_is_asked(void **state) {
    (void)state;
    ts_arena *arena = ts_arena_new("test", 0);
    for (int kind = TS_GENERATE_CONV; kind <= TS_GENERATE_AVG_POOL; kind++) {
        ts_generate_options o = ts_generate_defaults((ts_generate_kind)kind);
        o.in_h = 7;
        o.in_w = 5;
        o.in_c = 12;
        o.groups = 4;
        o.out_c = 20;
        o.window = (ts_window){3, 2, 2, 1, 1, 1, 1, 0, 0, 1};
        const ts_graph *g = generate(arena, &o);
        const ts_tensor *out = &g->tensors.data[g->outputs.data[0]];
        bool windowed = kind != TS_GENERATE_LINEAR && kind != TS_GENERATE_ADD;
        bool widened = kind == TS_GENERATE_CONV || kind == TS_GENERATE_LINEAR;
        assert_int_equal(ts_h(out), windowed ? 3 : kind == TS_GENERATE_ADD ? 7 : 1);
        assert_int_equal(ts_w(out), windowed || kind == TS_GENERATE_ADD ? 5 : 1);
        assert_int_equal(ts_c(out), widened ? 20 : 12);
    }
    ts_arena_free(arena);
}

static void bad_options_are_refused(void **state) {
    (void)state;
    ts_arena *arena = ts_arena_new("test", 0);
    ts_diags diags = {.arena = arena};
    ts_graph *g;
    ts_generate_options o[5];
    for (int i = 0; i < 5; i++) {
        o[i] = ts_generate_defaults(TS_GENERATE_CONV);
    }
    o[0].weight_bits = 3;
    o[1].width = -1;
    o[2].groups = 7;
    o[3].window.kernel_h = 40;
    o[4].in_h = o[4].in_w = 65536;
    for (int i = 0; i < 5; i++) {
        assert_int_equal(ts_generate(arena, &o[i], &g, &diags), TS_BAD_INPUT);
    }
    ts_arena_free(arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_are_the_published_ones),
        cmocka_unit_test(activations_fill_their_range),
        cmocka_unit_test(single_layers_have_the_shape_that_is_asked),
        cmocka_unit_test(bad_options_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
