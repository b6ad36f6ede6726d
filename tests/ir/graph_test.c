/* Types, sizes and ranges; and the verifier: a good network passes, each broken one is refused by name. */
#include "ir/graph.h"

#include <string.h>

#include "base/random.h"
#include "harness.h"

static void types(void **state) {
    (void)state;
    assert_string_equal(ts_type_name(TS_U4), "u4");
    assert_int_equal(ts_type_bits(TS_S2), 2);
    assert_int_equal(ts_type_low(TS_S4), -8);
    assert_int_equal(ts_type_high(TS_U8), 255);
    assert_true(ts_type_is_signed(TS_S16) && !ts_type_is_signed(TS_U2));
    assert_int_equal(ts_type_for_range(0, 3), TS_U2);
    assert_int_equal(ts_type_for_range(-1, 1), TS_S2);
    assert_int_equal(ts_type_for_range(0, 15), TS_U4);
    assert_int_equal(ts_type_for_range(-3, 0), TS_S4);
    assert_int_equal(ts_type_for_range(0, 255), TS_U8);
    assert_int_equal(ts_type_for_range(-1, 127), TS_S8);
    assert_int_equal(ts_type_for_range(0, 256), TS_S16);
    assert_int_equal(ts_type_for_range(-32769, 0), TS_S32);
}

static void windows(void **state) {
    (void)state;
    assert_int_equal(ts_window_out(128, 3, 2, 1, 1, 1), 64);
    assert_int_equal(ts_window_out(49, 10, 2, 1, 4, 5), 25);
    assert_int_equal(ts_window_out(13, 7, 7, 1, 0, 0), 1);
    assert_int_equal(ts_window_out(16, 3, 1, 8, 16, 0), 16);
    assert_int_equal(ts_window_out(2, 3, 1, 1, 0, 0), 0);
    assert_int_equal(ts_window_out(2, 0, 1, 1, 0, 0), 0);
    assert_int_equal(ts_window_out(UINT32_MAX, 1, 1, 1, UINT32_MAX, UINT32_MAX), 0);
}

static void sizes(void **state) {
    (void)state;
    ts_tensor t = {.type = TS_U2, .rank = 4, .dims = {1, 3, 1, 3}};
    assert_int_equal(ts_tensor_elements(&t), 9);
    assert_int_equal(ts_tensor_bytes(&t), 3);
    ts_tensor huge = {.type = TS_S32, .rank = 4, .dims = {UINT32_MAX, UINT32_MAX, UINT32_MAX, 2}};
    assert_true(ts_tensor_elements(&huge) == UINT64_MAX && ts_tensor_bytes(&huge) == UINT64_MAX);
    ts_dims_buffer buffer;
    assert_string_equal(ts_dims_text(&buffer, 4, t.dims), "1x3x1x3");
}

/* ---- a network of every operator: input -> conv -> max pool -> average pool -> add -> requant -> linear
 * ---- */

enum { CONV, MAX_POOL, AVG_POOL, ADD, REQUANT, LINEAR };

typedef struct network {
    ts_arena *arena;
    ts_graph *graph;
    int64_t kappa[4], lambda[4];
    int8_t conv_weights[4 * 2 * 2 * 3], linear_weights[2 * 16];
    int32_t bias[4];
    double scale;
    int32_t zero;
} network;

static ts_tensor_id activation(network *n, const char *name, ts_type type, uint32_t side, uint32_t c) {
    ts_tensor t = {.name = name, .type = type, .rank = 4, .dims = {1, side, side, c}};
    return ts_graph_add_tensor(n->graph, &t);
}

static ts_tensor_id constant(network *n, const char *name, ts_type type, uint32_t rank, const uint32_t *dims,
                             const void *data) {
    ts_tensor t = {.name = name, .type = type, .rank = rank, .data = data};
    memcpy(t.dims, dims, rank * sizeof *dims);
    return ts_graph_add_tensor(n->graph, &t);
}

static ts_requant requant(network *n, uint32_t channels) {
    return (ts_requant){.kind = TS_REQUANT_NEMO,
                        .channels = channels,
                        .kappa = n->kappa,
                        .lambda = n->lambda,
                        .m = 3,
                        .d = 1024,
                        .low = 0,
                        .high = 255};
}

static ts_node *node_of(network *n, uint32_t id) { return &n->graph->nodes.data[id]; }

static ts_tensor *tensor_of(network *n, ts_tensor_id id) { return &n->graph->tensors.data[id]; }

static void add_windowed_nodes(network *n, ts_tensor_id input) {
    ts_node conv = {.name = "conv",
                    .op = TS_OP_CONV,
                    .input_count = 1,
                    .inputs = {input},
                    .output = activation(n, "a", TS_U8, 4, 4),
                    .weights = constant(n, "w", TS_S8, 4, (const uint32_t[]){4, 2, 2, 3}, n->conv_weights),
                    .bias = constant(n, "b", TS_S32, 1, (const uint32_t[]){4}, n->bias),
                    .groups = 1,
                    .window = {2, 2, 2, 2, 1, 1, 0, 0, 0, 0},
                    .requant = requant(n, 4)};
    ts_graph_add_node(n->graph, &conv);
    ts_node max = {.name = "max",
                   .op = TS_OP_MAX_POOL,
                   .input_count = 1,
                   .inputs = {conv.output},
                   .output = activation(n, "m", TS_U8, 2, 4),
                   .window = {2, 2, 2, 2, 1, 1, 0, 0, 0, 0}};
    ts_graph_add_node(n->graph, &max);
    ts_node average = max;
    average.name = "average";
    average.op = TS_OP_AVG_POOL;
    average.output = activation(n, "v", TS_U8, 2, 4);
    average.requant = requant(n, 1);
    ts_graph_add_node(n->graph, &average);
}

static network make(void) {
    network n = {.arena = ts_arena_new("test", 0), .kappa = {1, 2, 3, 4}, .scale = 1};
    n.graph = ts_graph_new(n.arena, "test");
    return n;
}

/* The rest of the network; apart from make(), since nodes point into the struct. */
static void fill(network *n) {
    ts_tensor_id input = activation(n, "x", TS_U8, 8, 3);
    TS_PUSH(n->arena, &n->graph->inputs, input);
    add_windowed_nodes(n, input);
    const ts_add_step step = {.mul = 1, .div = 1, .low = INT32_MIN, .high = INT32_MAX};
    ts_node add = {.name = "add",
                   .op = TS_OP_ADD,
                   .input_count = 2,
                   .inputs = {node_of(n, MAX_POOL)->output, node_of(n, AVG_POOL)->output},
                   .output = activation(n, "s", TS_S16, 2, 4),
                   .in1 = step,
                   .in2 = step,
                   .sum = step};
    ts_graph_add_node(n->graph, &add);
    ts_node scale = {.name = "scale",
                     .op = TS_OP_REQUANT,
                     .input_count = 1,
                     .inputs = {add.output},
                     .output = activation(n, "r", TS_U8, 2, 4),
                     .requant = requant(n, 4)};
    ts_graph_add_node(n->graph, &scale);
    ts_node linear = {.name = "linear",
                      .op = TS_OP_LINEAR,
                      .input_count = 1,
                      .inputs = {scale.output},
                      .output = activation(n, "y", TS_S32, 1, 2),
                      .weights = constant(n, "l", TS_S8, 2, (const uint32_t[]){2, 16}, n->linear_weights),
                      .bias = TS_NONE};
    ts_graph_add_node(n->graph, &linear);
    TS_PUSH(n->arena, &n->graph->outputs, linear.output);
}

static void a_good_network_passes(void **state) {
    (void)state;
    network n = make();
    fill(&n);
    ts_diags diags = {.arena = n.arena};
    assert_int_equal(ts_graph_verify(n.graph, &diags), TS_OK);
    assert_int_equal(diags.list.count, 0);
    assert_int_equal(ts_node_macs(n.graph, node_of(&n, CONV)), 4 * 4 * 4 * 12);
    assert_int_equal(ts_node_macs(n.graph, node_of(&n, LINEAR)), 32);
    assert_int_equal(ts_node_macs(n.graph, node_of(&n, ADD)), 0);
    ts_arena_free(n.arena);
}

/* ---- what is broken, and which node is to be named (NULL: none) ---- */

static void foreign_input(network *n) { node_of(n, CONV)->inputs[0] = 999; }
static void later_input(network *n) { node_of(n, CONV)->inputs[0] = node_of(n, REQUANT)->output; }
static void own_input(network *n) { node_of(n, REQUANT)->inputs[0] = node_of(n, REQUANT)->output; }
static void no_second_input(network *n) { node_of(n, ADD)->input_count = 1; }
static void foreign_output(network *n) { node_of(n, MAX_POOL)->output = node_of(n, CONV)->output; }
static void no_weights(network *n) { node_of(n, CONV)->weights = TS_NONE; }
static void weights_of_another_shape(network *n) { tensor_of(n, node_of(n, CONV)->weights)->dims[1] = 1; }
static void unsigned_weights(network *n) { tensor_of(n, node_of(n, LINEAR)->weights)->type = TS_U8; }
static void narrow_bias(network *n) { tensor_of(n, node_of(n, CONV)->bias)->type = TS_S8; }
static void groups_that_do_not_divide(network *n) { node_of(n, CONV)->groups = 2; }
static void no_groups(network *n) { node_of(n, CONV)->groups = 0; }
static void no_stride(network *n) { node_of(n, CONV)->window.stride_w = 0; }
static void huge_pad(network *n) { node_of(n, AVG_POOL)->window.pad_left = UINT32_MAX; }
static void other_output_size(network *n) { node_of(n, MAX_POOL)->window.stride_h = 1; }
static void wide_clip(network *n) { node_of(n, CONV)->requant.high = 256; }
static void reversed_clip(network *n) { node_of(n, AVG_POOL)->requant.low = 300; }
static void no_divisor(network *n) { node_of(n, AVG_POOL)->requant.d = 0; }
static void no_kappa(network *n) { node_of(n, REQUANT)->requant.kappa = NULL; }
static void too_few_kappas(network *n) { node_of(n, REQUANT)->requant.channels = 3; }
static void huge_kappa(network *n) { n->kappa[0] = INT64_MAX; }
static void narrow_sum(network *n) { tensor_of(n, node_of(n, ADD)->output)->type = TS_U8; }
static void no_step_divisor(network *n) { node_of(n, ADD)->in2.div = 0; }
static void bare_accumulator_in_8_bits(network *n) {
    node_of(n, CONV)->requant.kind = TS_REQUANT_NONE;
    n->conv_weights[0] = 127;
}
static void accumulator_past_32_bits(network *n) {
    n->bias[1] = INT32_MAX;
    n->conv_weights[12] = 1;
}
static void float_activation(network *n) { tensor_of(n, node_of(n, ADD)->output)->type = TS_F32; }
static void no_dimension(network *n) { tensor_of(n, 0)->dims[2] = 0; }
static void huge_tensor(network *n) { tensor_of(n, 0)->dims[1] = 1u << 31; }
static void narrow_constant(network *n) {
    tensor_of(n, node_of(n, LINEAR)->weights)->type = TS_S4;
    n->linear_weights[3] = 9;
}
static void bad_scale(network *n) {
    n->scale = -1;
    tensor_of(n, 0)->quantum = (ts_quantum){1, &n->scale, &n->zero};
}
static void far_zero_point(network *n) {
    n->zero = 256;
    tensor_of(n, 0)->quantum = (ts_quantum){1, &n->scale, &n->zero};
}
static void no_outputs(network *n) { n->graph->outputs.count = 0; }
static void computed_input(network *n) { n->graph->inputs.data[0] = node_of(n, CONV)->output; }
static void unknown_operator(network *n) { node_of(n, CONV)->op = TS_OP_COUNT; }

typedef struct fault {
    void (*inject)(network *n);
    const char *node;
} fault;

static const fault faults[] = {
    {foreign_input, "conv"},
    {later_input, "conv"},
    {own_input, "scale"},
    {no_second_input, "add"},
    {foreign_output, NULL},
    {no_weights, "conv"},
    {weights_of_another_shape, "conv"},
    {unsigned_weights, "linear"},
    {narrow_bias, "conv"},
    {groups_that_do_not_divide, "conv"},
    {no_groups, "conv"},
    {no_stride, "conv"},
    {huge_pad, "average"},
    {other_output_size, "max"},
    {wide_clip, "conv"},
    {reversed_clip, "average"},
    {no_divisor, "average"},
    {no_kappa, "scale"},
    {too_few_kappas, "scale"},
    {huge_kappa, "conv"},
    {narrow_sum, "add"},
    {no_step_divisor, "add"},
    {bare_accumulator_in_8_bits, "conv"},
    {accumulator_past_32_bits, "conv"},
    {float_activation, "add"},
    {no_dimension, NULL},
    {huge_tensor, NULL},
    {narrow_constant, NULL},
    {bad_scale, NULL},
    {far_zero_point, NULL},
    {no_outputs, NULL},
    {computed_input, NULL},
    {unknown_operator, NULL},
};

static void broken_networks_are_refused_by_name(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        network n = make();
        fill(&n);
        faults[i].inject(&n);
        ts_diags diags = {.arena = n.arena};
        ts_status status = ts_graph_verify(n.graph, &diags);
        if (status != TS_BAD_INPUT || diags.list.count == 0) {
            fail_msg("fault %zu is not found", i);
        }
        const char *named = diags.list.data[0].node;
        if (faults[i].node == NULL) {
            assert_null(named);
        } else {
            assert_non_null(named);
            assert_string_equal(named, faults[i].node);
        }
        ts_arena_free(n.arena);
    }
}

/* Every corner of a small convolution's inputs, against the stated range. */
static void ranges_are_reached_and_not_passed(void **state) {
    (void)state;
    ts_random random = ts_random_seed(5);
    network n = make();
    fill(&n);
    for (int round = 0; round < 200; round++) {
        int64_t low = n.bias[0] = (int32_t)ts_random_range(&random, -1000, 1000), high = low, at_low, at_high;
        for (int i = 0; i < 12; i++) {
            n.conv_weights[i] = (int8_t)ts_random_range(&random, -128, 127);
            low += n.conv_weights[i] < 0 ? 255 * n.conv_weights[i] : 0;
            high += n.conv_weights[i] > 0 ? 255 * n.conv_weights[i] : 0;
        }
        ts_node_acc_range(n.graph, node_of(&n, CONV), 0, &at_low, &at_high);
        assert_int_equal(at_low, low);
        assert_int_equal(at_high, high);
    }
    int64_t low, high;
    ts_node_acc_range(n.graph, node_of(&n, AVG_POOL), 0, &low, &high);
    assert_true(low == 0 && high == 4 * 255);
    node_of(&n, ADD)->in2.mul = -1;
    ts_node_acc_range(n.graph, node_of(&n, ADD), 0, &low, &high);
    assert_true(low == -255 && high == 255);
    ts_arena_free(n.arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(types),
        cmocka_unit_test(windows),
        cmocka_unit_test(sizes),
        cmocka_unit_test(a_good_network_passes),
        cmocka_unit_test(broken_networks_are_refused_by_name),
        cmocka_unit_test(ranges_are_reached_and_not_passed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
