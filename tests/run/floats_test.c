/* Float operators between quantised ones. Functions of one element become tables; the others are refused,
 * with the operator's name, or with floats allowed computed in floats: equal to the float interpreter but for
 * halves, and on the host and the simulated chip to the bit. */
#include <math.h>

#include "../model/qdq_maker.h"
#include "harness.h"
#include "model/float_model.h"
#include "model/onnx.h"
#include "num/float.h"
#include "num/integer.h"
#include "num/program.h"
#include "run/run.h"

enum { ROWS = 5, COLUMNS = 10, ELEMENTS = ROWS * COLUMNS };

static const char *one(maker *m, const char *op, const char *a) {
    return mk_node(m, op, a, NULL, NULL)->output[0];
}

static const char *two(maker *m, const char *op, const char *a, const char *b) {
    return mk_node(m, op, a, b, NULL)->output[0];
}

static const char *number(maker *m, float value) { return qdq_scale(m, value); }

static const char *reduced(maker *m, const char *op, const char *a) {
    Onnx__NodeProto *node = mk_node(m, op, a, NULL, NULL);
    mk_ints(m, node, "axes", 1, (const int64_t[]){2});
    return node->output[0];
}

static const char *along(maker *m, const char *op, const char *a) {
    Onnx__NodeProto *node = mk_node(m, op, a, NULL, NULL);
    mk_int(m, node, "axis", 2);
    return node->output[0];
}

static const char *by_channel(maker *m, float from, float step) {
    float values[COLUMNS];
    for (int i = 0; i < COLUMNS; i++) {
        values[i] = from + step * (float)i;
    }
    return qdq_raw(m, "k", MK_FLOAT, 1, (const int64_t[]){COLUMNS}, values, sizeof values);
}

/* ---- islands of the quantised x and y (y is not negative) ---- */

typedef const char *island(maker *m, const char *x, const char *y);

static const char *gelu(maker *m, const char *x, const char *y) {
    (void)y;
    const char *erf = one(m, "Erf", two(m, "Div", x, number(m, 1.41421356f)));
    return two(m, "Mul", two(m, "Mul", x, number(m, 0.5f)), two(m, "Add", erf, number(m, 1)));
}

static const char *silu(maker *m, const char *x, const char *y) {
    (void)y;
    return two(m, "Mul", x, one(m, "Sigmoid", x));
}

static const char *softplus(maker *m, const char *x, const char *y) {
    (void)y;
    return one(m, "Sqrt", one(m, "Softplus", x));
}

static const char *constant_less(maker *m, const char *x, const char *y) {
    (void)y;
    return two(m, "Sub", number(m, 1.3f), x);
}

static const char *negative_factor(maker *m, const char *x, const char *y) {
    (void)y;
    return two(m, "Mul", x, number(m, -0.7f));
}

static const char *cube(maker *m, const char *x, const char *y) {
    (void)y;
    return two(m, "Max", two(m, "Pow", x, number(m, 3)), number(m, -2));
}

static const char *softmax(maker *m, const char *x, const char *y) {
    (void)y;
    return along(m, "Softmax", x);
}

static const char *log_softmax(maker *m, const char *x, const char *y) {
    return along(m, "LogSoftmax", two(m, "Add", x, y));
}

static const char *quotient(maker *m, const char *x, const char *y) {
    return two(m, "Div", x, two(m, "Add", y, number(m, 0.37f)));
}

static const char *plain_quotient(maker *m, const char *x, const char *y) { return two(m, "Div", x, y); }

static const char *layer_norm(maker *m, const char *x, const char *y) {
    (void)y;
    const char *d = two(m, "Sub", x, reduced(m, "ReduceMean", x));
    const char *v = reduced(m, "ReduceMean", two(m, "Pow", d, number(m, 2)));
    const char *norm = two(m, "Div", d, one(m, "Sqrt", two(m, "Add", v, number(m, 1e-5f))));
    return two(m, "Add", two(m, "Mul", norm, by_channel(m, 0.4f, 0.11f)), by_channel(m, -1, 0.23f));
}

static const char *channel_mean(maker *m, const char *x, const char *y) {
    (void)y;
    return reduced(m, "ReduceMean", x);
}

static const char *largest(maker *m, const char *x, const char *y) {
    return two(m, "Sub", reduced(m, "ReduceMax", x), reduced(m, "ReduceMean", y));
}

/* Along rows, the axis before the last. */
static const char *softmax_of_rows(maker *m, const char *x, const char *y) {
    Onnx__NodeProto *node = mk_node(m, "Softmax", two(m, "Sub", x, y), NULL, NULL);
    mk_int(m, node, "axis", 1);
    return node->output[0];
}

static const char *over_axes(maker *m, const char *op, const char *a, int keep) {
    Onnx__NodeProto *node = mk_node(m, op, a, NULL, NULL);
    mk_ints(m, node, "axes", keep == 2 ? 2 : 1, (const int64_t[]){1, 2});
    mk_int(m, node, "keepdims", keep > 0);
    return node->output[0];
}

static const char *norm_of_all(maker *m, const char *x, const char *y) {
    (void)y;
    const char *d = two(m, "Sub", x, over_axes(m, "ReduceMean", x, 2));
    const char *v = over_axes(m, "ReduceMean", two(m, "Mul", d, d), 2);
    float values[ROWS];
    for (int i = 0; i < ROWS; i++) {
        values[i] = 0.3f * (float)i - 0.4f;
    }
    const char *term = qdq_raw(m, "k", MK_FLOAT, 2, (const int64_t[]){ROWS, 1}, values, sizeof values);
    return two(m, "Add", two(m, "Div", d, one(m, "Sqrt", two(m, "Add", v, number(m, 1e-5f)))), term);
}

/* A mean of rows that loses its axis, and a function of it. */
static const char *mean_of_rows(maker *m, const char *x, const char *y) {
    return one(m, "Exp", one(m, "Neg", over_axes(m, "ReduceMean", two(m, "Mul", x, y), 0)));
}

static const char *functions(maker *m, const char *x, const char *y) {
    const char *p = two(m, "Mul", x, y);
    const char *a = two(m, "Add", one(m, "Tanh", p), one(m, "Erf", p));
    const char *b = two(m, "Sub", one(m, "Softplus", p), one(m, "HardSwish", two(m, "Sub", x, y)));
    return two(m, "Add", two(m, "Max", a, b), one(m, "Softsign", p));
}

static const char *more_functions(maker *m, const char *x, const char *y) {
    const char *p = two(m, "Sub", x, y);
    const char *a = two(m, "Mul", one(m, "Elu", p), one(m, "Sigmoid", p));
    const char *b = two(m, "Add", one(m, "Ceil", p), one(m, "LeakyRelu", p));
    return two(m, "Min", two(m, "Add", a, b), one(m, "Log", two(m, "Add", one(m, "Abs", p), number(m, 1))));
}

static const char *powers(maker *m, const char *x, const char *y) {
    const char *sum = two(m, "Add", one(m, "Abs", two(m, "Add", x, y)), number(m, 0.1f));
    return two(m, "Sub", two(m, "Pow", sum, number(m, 1.3f)), one(m, "Exp", one(m, "Neg", sum)));
}

static const struct variant {
    const char *name;
    island *make;
    float scale;
    int zero;
    const char *first; /* operator that is named where floats are not allowed; NULL: a table */
} variants[] = {
    {"gelu", gelu, 0.021f, 9, NULL},
    {"silu", silu, 0.021f, 20, NULL},
    {"softplus", softplus, 0.01f, 0, NULL},
    {"constant less", constant_less, 0.03f, 100, NULL},
    {"negative factor", negative_factor, 0.02f, 128, NULL},
    {"cube", cube, 0.09f, 40, NULL},
    {"softmax", softmax, 1.0f / 256, 0, "softmax"},
    {"log softmax", log_softmax, 0.05f, 255, "log_softmax"},
    {"quotient", quotient, 0.1f, 120, "div"},
    {"quotient by zero", plain_quotient, 0.2f, 100, "div"},
    {"layer norm", layer_norm, 0.025f, 110, "sub"},
    {"mean of channels", channel_mean, 0.02f, 128, "reduce_mean"},
    {"largest", largest, 0.02f, 30, "reduce_max"},
    {"softmax of rows", softmax_of_rows, 1.0f / 256, 0, "softmax"},
    {"norm of all", norm_of_all, 0.025f, 110, "sub"},
    {"mean of rows", mean_of_rows, 0.01f, 3, "reduce_mean"},
    {"functions", functions, 0.04f, 60, "tanh"},
    {"more functions", more_functions, 0.04f, 150, "elu"},
    {"powers", powers, 0.05f, 10, "abs"},
};

/* x and a rectified x of other quanta; the island; a layer of integers behind it. */
static ts_bytes network(ts_arena *arena, const struct variant *v, uint64_t seed) {
    maker m = {.arena = arena, .opset = 13};
    ts_random random = ts_random_seed(seed);
    const char *codes, *scales;
    const char *x = mk_input(&m, 3, (const int64_t[]){1, ROWS, COLUMNS});
    x = qdq_both(&m, x, 0.031f, seed % 2 == 0 ? UINT8 : INT8, seed % 2 == 0 ? 117 : -5);
    const char *y = qdq_both(&m, one(&m, "Relu", x), 0.017f, UINT8, 0);
    const char *made = qdq_both(&m, v->make(&m, x, y), v->scale, UINT8, v->zero);
    const char *sum = qdq_both(&m, two(&m, "Add", made, y), 0.05f, UINT8, 60);
    Onnx__NodeProto *flat = mk_node(&m, "Flatten", sum, NULL, NULL);
    const char *w = qdq_weights(&m, &random, 2, (const int64_t[]){ELEMENTS, 4}, false, 1, &codes, &scales);
    mk_output(&m, made);
    mk_output(&m, qdq_both(&m, two(&m, "MatMul", flat->output[0], w), 0.11f, UINT8, 128));
    return mk_pack(&m);
}

static int32_t code_of(const ts_tensor *t, float value) {
    float code = rintf(value / (float)t->quantum.scale[0]) + (float)t->quantum.zero[0];
    return (int32_t)fminf(fmaxf(code, (float)ts_type_low(t->type)), (float)ts_type_high(t->type));
}

/* Codes of the island's result beside those of the float interpreter, for random inputs. */
static void compare(ts_arena *arena, ts_bytes file, const ts_graph *graph, uint32_t *compared,
                    uint32_t *beside) {
    ts_diags diags = {.arena = arena};
    ts_fgraph *real;
    assert_int_equal(ts_float_model_parse(arena, file, "net", NULL, &real, &diags), TS_OK);
    ts_fsession *session = ts_fsession_new(arena, real);
    ts_random random = ts_random_seed(5);
    const ts_tensor *in = &graph->tensors.data[graph->inputs.data[0]];
    const ts_tensor *out = &graph->tensors.data[graph->outputs.data[0]];
    for (int round = 0; round < 20; round++) {
        float x[ELEMENTS];
        int32_t input[ELEMENTS], **values;
        for (int i = 0; i < ELEMENTS; i++) {
            x[i] = (float)ts_random_range(&random, -4500, 4500) / 1000;
            input[i] = code_of(in, x[i]);
        }
        const int32_t *inputs[] = {input};
        assert_int_equal(ts_integer_run(graph, arena, inputs, &values, &diags), TS_OK);
        ts_fsession_run(session, (const float *const[]){x});
        const float *y = ts_fsession_value(session, real->outputs.data[0]);
        for (uint32_t i = 0; i < ts_tensor_elements(out); i++) {
            int32_t expected = code_of(out, y[i]), got = values[graph->outputs.data[0]][i];
            if (abs(got - expected) > 1) {
                fail_msg("element %u: %d, the float interpreter has %g, which is %d", i, got, (double)y[i],
                         expected);
            }
            *beside += got != expected;
            ++*compared;
        }
    }
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

static void check_variant(const struct variant *v, uint64_t seed) {
    ts_arena *arena = ts_arena_new("test", 0);
    ts_diags diags = {.arena = arena};
    ts_model_options options = {.input_signed = -1};
    ts_graph *graph;
    uint32_t compared = 0, beside = 0;
    ts_bytes file = network(arena, v, seed);
    ts_status status = ts__onnx_import(arena, file, "net", &options, &graph, &diags);
    if (v->first != NULL) {
        const ts_diag *last = &diags.list.data[diags.list.count - 1];
        assert_int_equal(status, TS_BAD_INPUT);
        assert_string_equal(last->op, v->first);
        assert_non_null(strstr(last->text, "--allow-float"));
        options.allow_float = true;
        diags.list.count = 0;
        status = ts__onnx_import(arena, file, "net", &options, &graph, &diags);
    }
    for (uint32_t i = 0; i < diags.list.count && status != TS_OK; i++) {
        ts_diag_print(stderr, &diags.list.data[i]);
    }
    assert_int_equal(status, TS_OK);
    uint32_t floats = 0;
    for (uint32_t i = 0; i < graph->nodes.count; i++) {
        floats += graph->nodes.data[i].op == TS_OP_FLOAT;
    }
    assert_int_equal(floats, v->first != NULL);
    compare(arena, file, graph, &compared, &beside);
    print_message("%s: %u of %u codes beside the float interpreter's\n", v->name, beside, compared);
    assert_true(beside * 100 <= compared);
    if (seed == 0) {
        run_on(arena, graph, "host");
        if (is_compiler_there()) {
            run_on(arena, graph, "gap8");
        }
    }
    ts_arena_free(arena);
}

static void islands_equal_the_float_interpreter(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof variants / sizeof variants[0]; i++) {
        check_variant(&variants[i], 0);
        check_variant(&variants[i], 1);
    }
}

/* A layer that nothing quantises before floats read it: its accumulators in units of its scales. */
static void accumulators_are_read(void **state) {
    (void)state;
    ts_arena *arena = ts_arena_new("test", 0);
    ts_diags diags = {.arena = arena};
    const ts_model_options options = {.input_signed = -1, .allow_float = true};
    maker m = {.arena = arena, .opset = 13};
    ts_random random = ts_random_seed(3);
    const char *codes, *scales;
    ts_graph *graph;
    uint32_t compared = 0, beside = 0;
    const char *x = mk_input(&m, 2, (const int64_t[]){1, ELEMENTS});
    x = qdq_both(&m, x, 0.031f, UINT8, 117);
    const char *w = qdq_weights(&m, &random, 2, (const int64_t[]){ELEMENTS, 12}, true, 1, &codes, &scales);
    Onnx__NodeProto *last = mk_node(&m, "Softmax", two(&m, "MatMul", x, w), NULL, NULL);
    mk_int(&m, last, "axis", 1);
    mk_output(&m, qdq_both(&m, last->output[0], 1.0f / 256, UINT8, 0));
    ts_bytes file = mk_pack(&m);
    assert_int_equal(ts__onnx_import(arena, file, "net", &options, &graph, &diags), TS_OK);
    compare(arena, file, graph, &compared, &beside);
    assert_true(beside * 100 <= compared);
    run_on(arena, graph, "host");
    if (is_compiler_there()) {
        run_on(arena, graph, "gap8");
    }
    ts_arena_free(arena);
}

/* Against the functions in double precision. */
static void functions_are_near(void **state) {
    (void)state;
    double apart = 0;
    for (int i = -8699; i <= 8800; i++) {
        double x = (double)((float)i / 100);
        apart = fmax(apart, fabs((double)ts_exact_exp((float)x) / exp(x) - 1));
    }
    print_message("exponential: %.3g apart, relative\n", apart);
    assert_true(apart < 3e-7);
    for (double x = 1e-30; x < 1e30; x *= 1.37) {
        float f = (float)x;
        apart = fabs((double)ts_exact_log(f) - log((double)f));
        assert_true(apart < 2e-7 * fmax(1, fabs(log((double)f))));
        apart = fabs((double)ts_exact_sqrt(f) / sqrt((double)f) - 1);
        assert_true(apart < 3e-7);
    }
    assert_true(ts_exact_exp(-100) == 0 && isfinite(ts_exact_exp(1e30f)));
    assert_true(ts_exact_sqrt(-1) == 0 && isfinite(ts_exact_log(-1)) && isfinite(ts_exact_log(INFINITY)));
    assert_true(ts_exact_exp(NAN) == 0 && isfinite(ts_exact_sqrt(INFINITY)) && isfinite(ts_exact_log(NAN)));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(functions_are_near),
        cmocka_unit_test(islands_equal_the_float_interpreter),
        cmocka_unit_test(accumulators_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
