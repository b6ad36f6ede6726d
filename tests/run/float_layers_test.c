/* Layers of floats between quantised tensors: with floats allowed, convolutions, products with constant
 * matrices, poolings and movements between a dequantisation and a quantisation equal the float interpreter
 * but for halves, and the host and the simulated chip compute what the reference computes. */
#include <math.h>

#include "../model/qdq_maker.h"
#include "harness.h"
#include "model/float_model.h"
#include "model/onnx.h"
#include "num/float.h"
#include "num/generate.h"
#include "num/integer.h"
#include "run/run.h"

enum { CHANNELS = 4, SIDE = 6, ELEMENTS = CHANNELS * SIDE * SIDE };

static const char *one(maker *m, const char *op, const char *a) {
    return mk_node(m, op, a, NULL, NULL)->output[0];
}

static const char *two(maker *m, const char *op, const char *a, const char *b) {
    return mk_node(m, op, a, b, NULL)->output[0];
}

/* Float weights that differ, none of them whole in any quantum. */
static const char *reals(maker *m, uint32_t rank, const int64_t *dims, float size) {
    float data[1024];
    size_t count = 1;
    for (uint32_t i = 0; i < rank; i++) {
        count *= (size_t)dims[i];
    }
    for (size_t i = 0; i < count; i++) {
        data[i] = size * sinf(1.7f * (float)i + 0.3f);
    }
    return qdq_raw(m, "k", MK_FLOAT, rank, dims, data, count * sizeof *data);
}

static const char *vector(maker *m, int64_t count, float size) { return reals(m, 1, &count, size); }

static Onnx__NodeProto *conv_node(maker *m, const char *x, const char *w, const char *b, int64_t group) {
    Onnx__NodeProto *node = mk_node(m, "Conv", x, w, b);
    mk_ints(m, node, "pads", 4, (const int64_t[]){1, 0, 1, 2});
    mk_int(m, node, "group", group);
    return node;
}

static const char *conv(maker *m, const char *x, int64_t out, int64_t in, int64_t group) {
    const char *w = reals(m, 4, (const int64_t[]){out, in / group, 3, 3}, 0.3f);
    return conv_node(m, x, w, vector(m, out, 0.5f), group)->output[0];
}

static const char *pool(maker *m, const char *op, const char *x, int64_t kernel, int64_t pad, int ceil_mode) {
    Onnx__NodeProto *node = mk_node(m, op, x, NULL, NULL);
    mk_ints(m, node, "kernel_shape", 2, (const int64_t[]){kernel, kernel});
    mk_ints(m, node, "strides", 2, (const int64_t[]){2, 2});
    mk_ints(m, node, "pads", 4, (const int64_t[]){pad, pad, pad, pad});
    mk_int(m, node, "ceil_mode", ceil_mode);
    return node->output[0];
}

static const char *along(maker *m, const char *op, const char *x, int64_t axis) {
    Onnx__NodeProto *node = mk_node(m, op, x, NULL, NULL);
    mk_int(m, node, "axis", axis);
    return node->output[0];
}

/* ---- what stands between the quantised x and the quantisation ---- */

typedef const char *island(maker *m, const char *x);

static const char *plain_conv(maker *m, const char *x) { return conv(m, x, 5, CHANNELS, 1); }

static const char *rectified_conv(maker *m, const char *x) {
    return one(m, "Relu", conv(m, x, 6, CHANNELS, 2));
}

static const char *depthwise(maker *m, const char *x) {
    return one(m, "HardSwish", conv(m, x, CHANNELS, CHANNELS, CHANNELS));
}

static const char *two_convs(maker *m, const char *x) {
    return one(m, "Tanh", conv(m, one(m, "Relu", conv(m, x, 5, CHANNELS, 1)), 3, 5, 1));
}

static const char *residual(maker *m, const char *x) {
    Onnx__NodeProto *node =
        mk_node(m, "Conv", x, reals(m, 4, (const int64_t[]){CHANNELS, CHANNELS, 1, 1}, 0.5f), NULL);
    return one(m, "Relu", two(m, "Add", x, node->output[0]));
}

static const char *conv_of_rows(maker *m, const char *x) {
    Onnx__NodeProto *flat = mk_node(m, "Reshape", x, NULL, NULL);
    const int64_t shape[] = {1, CHANNELS, SIDE * SIDE};
    flat->input[flat->n_input++] =
        mk_text(m, qdq_raw(m, "shape", 7, 1, (const int64_t[]){3}, shape, sizeof shape));
    const char *w = reals(m, 3, (const int64_t[]){3, CHANNELS, 5}, 0.3f);
    Onnx__NodeProto *node = mk_node(m, "Conv", two(m, "Mul", flat->output[0], flat->output[0]), w, NULL);
    mk_ints(m, node, "pads", 2, (const int64_t[]){2, 1});
    mk_ints(m, node, "strides", 1, (const int64_t[]){3});
    return node->output[0];
}

static const char *gemm(maker *m, const char *x) {
    const char *w = reals(m, 2, (const int64_t[]){7, ELEMENTS}, 0.1f);
    Onnx__NodeProto *node = mk_node(m, "Gemm", one(m, "Flatten", x), w, vector(m, 7, 1));
    mk_int(m, node, "transB", 1);
    mk_float(m, node, "alpha", 0.5f);
    return one(m, "Sigmoid", node->output[0]);
}

static const char *rows_times_matrix(maker *m, const char *x) {
    const char *w = reals(m, 2, (const int64_t[]){SIDE, 5}, 0.4f);
    return along(m, "Softmax", two(m, "MatMul", x, w), 3);
}

static const char *uneven_mean(maker *m, const char *x) { return pool(m, "AveragePool", x, 3, 1, 0); }

static const char *mean_rounded_up(maker *m, const char *x) {
    return pool(m, "AveragePool", one(m, "Relu", x), 3, 0, 1);
}

static const char *mean_with_padding(maker *m, const char *x) {
    Onnx__NodeProto *node = mk_node(m, "AveragePool", two(m, "Mul", x, x), NULL, NULL);
    mk_ints(m, node, "kernel_shape", 2, (const int64_t[]){3, 2});
    mk_ints(m, node, "pads", 4, (const int64_t[]){1, 1, 1, 0});
    mk_int(m, node, "count_include_pad", 1);
    return node->output[0];
}

static const char *most_of_products(maker *m, const char *x) {
    return pool(m, "MaxPool", two(m, "Mul", x, one(m, "Floor", x)), 3, 1, 1);
}

static const char *global_mean(maker *m, const char *x) {
    return two(m, "Mul", x, one(m, "Sigmoid", one(m, "GlobalAveragePool", two(m, "Mul", x, x))));
}

static const char *other_axes(maker *m, const char *x) {
    return two(m, "Mul", along(m, "Softmax", x, 2), along(m, "Softmax", x, 3));
}

static const char *one_after_the_other(maker *m, const char *x) {
    return along(m, "Softmax", along(m, "LogSoftmax", x, 3), 1);
}

/* Halves of the channels: one gates the other; then both again, the other way round. */
static const char *halves(maker *m, const char *x) {
    const char *c = conv(m, x, 4, CHANNELS, 1);
    Onnx__NodeProto *split = mk_node(m, "Split", c, NULL, NULL);
    mk_int(m, split, "axis", 1);
    char **outputs = TS_NEW_ARRAY(m->arena, char *, 2);
    outputs[0] = split->output[0];
    outputs[1] = mk_name(m, "half");
    split->output = outputs;
    split->n_output = 2;
    const char *gated = two(m, "Mul", outputs[0], one(m, "Sigmoid", outputs[1]));
    Onnx__NodeProto *join = mk_node(m, "Concat", outputs[1], gated, NULL);
    mk_int(m, join, "axis", 1);
    Onnx__NodeProto *turn = mk_node(m, "Transpose", join->output[0], NULL, NULL);
    mk_ints(m, turn, "perm", 4, (const int64_t[]){0, 3, 1, 2});
    return turn->output[0];
}

/* Floats in another shape. */
static const char *reshaped(maker *m, const char *x) {
    const int64_t shape[] = {1, SIDE, CHANNELS, SIDE};
    Onnx__NodeProto *node = mk_node(m, "Reshape", two(m, "Mul", x, along(m, "Softmax", x, 3)), NULL, NULL);
    node->input[node->n_input++] =
        mk_text(m, qdq_raw(m, "shape", 7, 1, (const int64_t[]){4}, shape, sizeof shape));
    return two(m, "Sub", node->output[0], along(m, "Softmax", node->output[0], 2));
}

/* Weights that are codes, behind what stays in floats. */
static const char *quantised_weights(maker *m, const char *x) {
    ts_random random = ts_random_seed(4);
    const char *codes, *scales;
    const char *w =
        qdq_weights(m, &random, 4, (const int64_t[]){5, CHANNELS, 1, 1}, true, 0, &codes, &scales);
    return one(m, "Relu", two(m, "Conv", along(m, "Softmax", x, 1), w));
}

static const struct variant {
    const char *name;
    island *make;
    float scale;
    int zero;
    bool on_chip;
} variants[] = {
    {"convolution", plain_conv, 0.03f, 120, false},
    {"rectified convolution in groups", rectified_conv, 0.02f, 0, true},
    {"depthwise convolution", depthwise, 0.02f, 40, false},
    {"two convolutions", two_convs, 1.0f / 128, 128, false},
    {"convolution beside its input", residual, 0.03f, 0, false},
    {"convolution of rows", conv_of_rows, 0.1f, 90, false},
    {"gemm", gemm, 1.0f / 256, 0, false},
    {"rows times a matrix", rows_times_matrix, 1.0f / 256, 0, false},
    {"uneven mean", uneven_mean, 0.03f, 128, false},
    {"mean rounded up", mean_rounded_up, 0.02f, 3, false},
    {"mean with padding", mean_with_padding, 0.05f, 0, false},
    {"largest of products", most_of_products, 0.2f, 30, true},
    {"mean of all", global_mean, 0.03f, 128, false},
    {"softmax along two axes", other_axes, 1.0f / 256, 0, false},
    {"softmax of log softmax", one_after_the_other, 1.0f / 256, 0, false},
    {"halves", halves, 0.03f, 100, true},
    {"reshaped", reshaped, 0.02f, 100, false},
    {"quantised weights", quantised_weights, 0.01f, 0, false},
};

static ts_bytes network(ts_arena *arena, const struct variant *v, bool is_signed) {
    maker m = {.arena = arena, .opset = 13};
    const char *x = mk_input(&m, 4, (const int64_t[]){1, CHANNELS, SIDE, SIDE});
    x = qdq_both(&m, x, 0.031f, is_signed ? INT8 : UINT8, is_signed ? -5 : 117);
    mk_output(&m, qdq_both(&m, v->make(&m, x), v->scale, UINT8, v->zero));
    return mk_pack(&m);
}

static int32_t code_of(const ts_tensor *t, float value) {
    float code = rintf(value / (float)t->quantum.scale[0]) + (float)t->quantum.zero[0];
    return (int32_t)fminf(fmaxf(code, (float)ts_type_low(t->type)), (float)ts_type_high(t->type));
}

/* Codes of the result beside those of the float interpreter, for random inputs and for extreme ones. */
static void compare(ts_arena *arena, ts_bytes file, const ts_graph *graph, const char *name) {
    ts_diags diags = {.arena = arena};
    ts_fgraph *real;
    uint32_t compared = 0, beside = 0, distinct = 0, seen[256] = {0};
    assert_int_equal(ts_float_model_parse(arena, file, "net", NULL, &real, &diags), TS_OK);
    ts_fsession *session = ts_fsession_new(arena, real);
    const ts_tensor *in = &graph->tensors.data[graph->inputs.data[0]];
    const ts_tensor *out = &graph->tensors.data[graph->outputs.data[0]];
    for (uint64_t round = 0; round < 12; round++) {
        float x[ELEMENTS];
        int32_t *input = ts_random_values(arena, round, in, round % 3 == 2), **values;
        for (int i = 0; i < ELEMENTS; i++) {
            x[i] = (float)((input[i] - in->quantum.zero[0]) * in->quantum.scale[0]);
        }
        const int32_t *inputs[] = {input};
        assert_int_equal(ts_integer_run(graph, arena, inputs, &values, &diags), TS_OK);
        ts_fsession_run(session, (const float *const[]){x});
        const float *y = ts_fsession_value(session, real->outputs.data[0]);
        for (uint32_t i = 0; i < ts_tensor_elements(out); i++) {
            int32_t expected = code_of(out, y[i]), got = values[graph->outputs.data[0]][i];
            if (abs(got - expected) > 1) {
                fail_msg("%s: element %u: %d, the float interpreter has %g, which is %d", name, i, got,
                         (double)y[i], expected);
            }
            beside += got != expected;
            distinct += seen[(uint8_t)expected]++ == 0;
            compared++;
        }
    }
    print_message("%s: %u of %u codes beside the float interpreter's, %u values\n", name, beside, compared,
                  distinct);
    assert_true(beside * 100 <= compared && distinct > 6);
}

static void run_on(ts_arena *arena, const ts_graph *graph, const char *target) {
    ts_diags diags = {.arena = arena};
    ts_run_options options = {.jobs = 2, .seed = 1};
    ts_run_result result = {0};
    assert_int_equal(ts_run_target(arena, target, &options.target, &diags), TS_OK);
    ts_status status = ts_run(arena, graph, &options, &result, &diags);
    for (uint32_t i = 0; i < diags.list.count && status != TS_OK; i++) {
        ts_diag_print(stderr, &diags.list.data[i]);
    }
    assert_int_equal(status, TS_OK);
    assert_int_equal(result.verified_layers, result.plan->layer_count);
}

static bool is_compiler_there(void) {
    return system("riscv64-unknown-elf-gcc --version >/dev/null 2>&1") == 0;
}

static ts_status import(ts_arena *arena, ts_bytes file, bool allow, ts_graph **graph, ts_diags *diags) {
    const ts_model_options options = {.input_signed = -1, .allow_float = allow};
    diags->list.count = 0;
    return ts__onnx_import(arena, file, "net", &options, graph, diags);
}

/* What is said of the operator that is in the way: an error, or a note where the network ends there. */
static bool is_said(const ts_diags *diags, const char *op, const char *text) {
    for (uint32_t i = 0; i < diags->list.count; i++) {
        const ts_diag *d = &diags->list.data[i];
        if (strstr(d->text, text) != NULL && (op == NULL || (d->op != NULL && strcmp(d->op, op) == 0))) {
            return true;
        }
    }
    return false;
}

/* Without floats allowed it is not computed, and the way out is named. */
static void check_variant(const struct variant *v, bool is_signed) {
    ts_arena *arena = ts_arena_new("test", 0);
    ts_diags diags = {.arena = arena};
    ts_graph *graph;
    ts_bytes file = network(arena, v, is_signed);
    ts_status status = import(arena, file, false, &graph, &diags);
    assert_true(status == TS_BAD_INPUT || graph->nodes.count == 1); /* a copy of what is quantised */
    if (!is_said(&diags, NULL, "--allow-float")) {
        fail_msg("%s: the option is not named", v->name);
    }
    status = import(arena, file, true, &graph, &diags);
    for (uint32_t i = 0; i < diags.list.count && status != TS_OK; i++) {
        ts_diag_print(stderr, &diags.list.data[i]);
    }
    assert_int_equal(status, TS_OK);
    compare(arena, file, graph, v->name);
    if (!is_signed) {
        run_on(arena, graph, "host");
    }
    if (!is_signed && v->on_chip && is_compiler_there()) {
        run_on(arena, graph, "gap8");
    }
    ts_arena_free(arena);
}

static void layers_equal_the_float_interpreter(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof variants / sizeof variants[0]; i++) {
        check_variant(&variants[i], false);
        check_variant(&variants[i], true);
    }
}

/* ---- what is refused with floats allowed, too ---- */

static const char *product_of_two(maker *m, const char *x) {
    Onnx__NodeProto *turn = mk_node(m, "Transpose", x, NULL, NULL);
    mk_ints(m, turn, "perm", 4, (const int64_t[]){0, 1, 3, 2});
    return two(m, "MatMul", x, turn->output[0]);
}

static const char *joined_with_a_constant(maker *m, const char *x) {
    const char *k = reals(m, 4, (const int64_t[]){1, 2, SIDE, SIDE}, 1);
    Onnx__NodeProto *join = mk_node(m, "Concat", x, k, NULL);
    mk_int(m, join, "axis", 1);
    return join->output[0];
}

static void what_floats_do_not_compute_is_named(void **state) {
    (void)state;
    static const struct {
        island *make;
        const char *op, *text;
    } cases[] = {{product_of_two, "matmul", "rows of features times a constant matrix"},
                 {joined_with_a_constant, "concat", "a constant where it needs an activation"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ts_arena *arena = ts_arena_new("test", 0);
        ts_diags diags = {.arena = arena};
        ts_graph *graph;
        const struct variant v = {.make = cases[i].make, .scale = 0.05f};
        (void)import(arena, network(arena, &v, false), true, &graph, &diags);
        assert_true(is_said(&diags, cases[i].op, cases[i].text));
        ts_arena_free(arena);
    }
}

/* A quantised layer behind floats that nothing quantises would be left out with them. */
static void a_layer_at_the_end_is_named(void **state) {
    (void)state;
    ts_arena *arena = ts_arena_new("test", 0);
    ts_diags diags = {.arena = arena};
    ts_graph *graph;
    maker m = {.arena = arena, .opset = 13};
    const char *x = mk_input(&m, 4, (const int64_t[]){1, CHANNELS, SIDE, SIDE});
    mk_output(&m, quantised_weights(&m, qdq_both(&m, x, 0.031f, UINT8, 117)));
    ts_bytes file = mk_pack(&m);
    for (int allow = 0; allow < 2; allow++) {
        assert_int_equal(import(arena, file, allow == 1, &graph, &diags), TS_BAD_INPUT);
        assert_string_equal(diags.list.data[diags.list.count - 1].op, "softmax");
    }
    ts_arena_free(arena);
}

/* The network that fuzzing begins with. */
static void the_seed_is_read(void **state) {
    (void)state;
    ts_arena *arena = ts_arena_new("test", 0);
    ts_diags diags = {.arena = arena};
    ts_graph *graph;
    assert_int_equal(import(arena, qdq_float_layers(arena), true, &graph, &diags), TS_OK);
    assert_true(graph->nodes.count > 5);
    ts_arena_free(arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_floats_do_not_compute_is_named),
        cmocka_unit_test(a_layer_at_the_end_is_named),
        cmocka_unit_test(the_seed_is_read),
        cmocka_unit_test(layers_equal_the_float_interpreter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
