/* Networks with QuantizeLinear and DequantizeLinear, and with QLinear operators: made here and judged by the
 * float interpreter, which computes them as they are written; and, where they are at hand, one network in
 * four forms. */
#include <math.h>

#include "base/random.h"
#include "harness.h"
#include "model/float_model.h"
#include "model/onnx.h"
#include "model/tflite.h"
#include "num/float.h"
#include "num/integer.h"
#include "qdq_maker.h"

static void print_diags(const ts_diags *diags) {
    for (uint32_t i = 0; i < diags->list.count; i++) {
        ts_diag_print(stderr, &diags->list.data[i]);
    }
}

static ts_graph *import(ts_arena *arena, ts_bytes file, ts_diags *diags) {
    ts_graph *graph;
    const ts_model_options options = {.input_signed = -1};
    ts_status status = ts__onnx_import(arena, file, "net", &options, &graph, diags);
    if (status != TS_OK) {
        print_diags(diags);
    }
    assert_int_equal(status, TS_OK);
    return graph;
}

static ts_graph *import_tflite(ts_arena *arena, ts_bytes file, ts_diags *diags) {
    ts_graph *graph;
    assert_int_equal(ts__tflite_import(arena, file, "net", NULL, &graph, diags), TS_OK);
    return graph;
}

/* Codes of floats in the quantum of a tensor. */
static int32_t code_of(const ts_tensor *t, float value) {
    float code = rintf(value / (float)t->quantum.scale[0]) + (float)t->quantum.zero[0];
    return (int32_t)fminf(fmaxf(code, (float)ts_type_low(t->type)), (float)ts_type_high(t->type));
}

/* The network's outputs. */
static const int32_t **run_all(ts_arena *arena, const ts_graph *graph, const float *x) {
    ts_diags diags = {.arena = arena};
    const ts_tensor *in = &graph->tensors.data[graph->inputs.data[0]];
    uint64_t count = ts_tensor_elements(in);
    int32_t *input = TS_NEW_ARRAY(arena, int32_t, count), **values;
    for (uint64_t i = 0; i < count; i++) {
        input[i] = code_of(in, x[i]);
    }
    const int32_t *inputs[] = {input};
    assert_int_equal(ts_integer_run(graph, arena, inputs, &values, &diags), TS_OK);
    const int32_t **outputs = TS_NEW_ARRAY(arena, const int32_t *, graph->outputs.count);
    for (uint32_t i = 0; i < graph->outputs.count; i++) {
        outputs[i] = values[graph->outputs.data[i]];
    }
    return outputs;
}

static const int32_t *run_codes(ts_arena *arena, const ts_graph *graph, const float *x) {
    return run_all(arena, graph, x)[0];
}

static void made_networks_equal_the_float_interpreter(void **state) {
    (void)state;
    uint32_t outputs = 0, beside = 0, seen[256] = {0}, distinct = 0;
    for (uint64_t seed = 0; seed < 12; seed++) {
        ts_arena *arena = ts_arena_new("test", 0);
        ts_diags diags = {.arena = arena};
        ts_fgraph *real;
        ts_bytes file = qdq_sample(arena, seed);
        assert_int_equal(ts_float_model_parse(arena, file, "net", NULL, &real, &diags), TS_OK);
        ts_graph *graph = import(arena, file, &diags);
        const ts_tensor *out = &graph->tensors.data[graph->outputs.data[0]];
        bool turned = real->tensors.data[real->inputs.data[0]].layout == TS_LAYOUT_CHANNELS_LAST;
        ts_random random = ts_random_seed(seed + 100);
        for (int round = 0; round < 20; round++) {
            float planes[192], last[192];
            for (int i = 0; i < 192; i++) {
                planes[i] = (float)ts_random_range(&random, -4500, 4500) / 1000;
                last[i % 64 * 3 + i / 64] = planes[i];
            }
            ts_fsession *session = ts_fsession_new(arena, real);
            ts_fsession_run(session, (const float *const[]){turned ? last : planes});
            const float *y = ts_fsession_value(session, real->outputs.data[0]);
            /* The graph's input is in the file's order where a transposition follows it. */
            bool in_file_order = graph->tensors.data[graph->inputs.data[0]].dims[1] == 3;
            const int32_t *codes = run_codes(arena, graph, in_file_order ? planes : last);
            for (int i = 0; i < 5; i++) {
                int32_t expected = code_of(out, y[i]);
                assert_true(abs(codes[i] - expected) <= 1);
                beside += codes[i] != expected;
                distinct += seen[codes[i] & 255]++ == 0;
                outputs++;
            }
        }
        ts_arena_free(arena);
    }
    print_message("%u of %u outputs of made networks are a unit beside the float interpreter's\n", beside,
                  outputs);
    assert_true(beside * 50 <= outputs && distinct > 40);
}

/* Products of rows of features by a matrix, with MatMul behind Gemm; float operands in the order of the file.
 */
static void rows_times_a_matrix(void **state) {
    (void)state;
    enum { ROWS = 6, FEATURES = 10, HIDDEN = 7, RESULTS = 4 };
    for (uint64_t seed = 0; seed < 8; seed++) {
        ts_arena *arena = ts_arena_new("test", 0);
        ts_diags diags = {.arena = arena};
        ts_random random = ts_random_seed(seed);
        maker m = {.arena = arena, .opset = 13};
        const char *codes, *scales;
        ts_fgraph *real;
        bool flat = seed % 2 == 1, by_channel = seed % 4 < 2;
        const int64_t batched[] = {1, ROWS, FEATURES}, matrix[] = {FEATURES, HIDDEN},
                      last[] = {HIDDEN, RESULTS};
        const char *x = mk_input(&m, 3, batched);
        x = qdq_both(&m, x, 0.031f, UINT8, 117);
        if (flat) {
            const int64_t shape[] = {ROWS, FEATURES};
            const char *to = mk_initializer(&m, "shape", MK_INT64, 1, (const int64_t[]){2}, shape);
            x = mk_node(&m, "Reshape", x, to, NULL)->output[0];
        }
        const char *w = qdq_weights(&m, &random, 2, matrix, by_channel, 1, &codes, &scales);
        const char *y = mk_node(&m, flat ? "Gemm" : "MatMul", x, w, NULL)->output[0];
        y = qdq_both(&m, mk_node(&m, "Relu", y, NULL, NULL)->output[0], 0.04f, UINT8, 0);
        w = qdq_weights(&m, &random, 2, last, by_channel, 1, &codes, &scales);
        mk_output(&m, qdq_both(&m, mk_node(&m, "MatMul", y, w, NULL)->output[0], 0.06f, INT8, -3));
        ts_bytes file = mk_pack(&m);
        ts_graph *graph = import(arena, file, &diags);
        assert_int_equal(ts_float_model_parse(arena, file, "net", NULL, &real, &diags), TS_OK);
        const ts_tensor *out = &graph->tensors.data[graph->outputs.data[0]];
        assert_int_equal(ts_tensor_elements(out), ROWS * RESULTS);
        uint32_t beside = 0;
        for (int round = 0; round < 20; round++) {
            float input[ROWS * FEATURES];
            for (int i = 0; i < ROWS * FEATURES; i++) {
                input[i] = (float)ts_random_range(&random, -4500, 4500) / 1000;
            }
            ts_fsession *session = ts_fsession_new(arena, real);
            ts_fsession_run(session, (const float *const[]){input});
            const float *expected = ts_fsession_value(session, real->outputs.data[0]);
            const int32_t *got = run_codes(arena, graph, input);
            for (int i = 0; i < ROWS * RESULTS; i++) {
                int32_t code = code_of(out, expected[i]);
                assert_true(abs(got[i] - code) <= 1);
                beside += got[i] != code;
            }
        }
        assert_true(beside * 50 <= 20 * ROWS * RESULTS);
        ts_arena_free(arena);
    }
}

/* ---- what nothing quantises ---- */

enum { SIDE = 5, IN = 3, OUT = 4, TAPS = 9 };

/* ConvInteger with zero points, and MatMulInteger behind a Flatten: 32-bit outputs, written out. */
static void integer_operators_give_their_accumulators(void **state) {
    (void)state;
    ts_arena *arena = ts_arena_new("test", 0);
    ts_diags diags = {.arena = arena};
    ts_random random = ts_random_seed(9);
    maker m = {.arena = arena, .opset = 13};
    uint8_t w[OUT * IN * TAPS], dense[SIDE * SIDE * IN * 2];
    for (uint32_t i = 0; i < sizeof w; i++) {
        w[i] = (uint8_t)ts_random_range(&random, 60, 187);
    }
    for (uint32_t i = 0; i < sizeof dense; i++) {
        dense[i] = (uint8_t)ts_random_range(&random, -128, 127);
    }
    const char *x = mk_input(&m, 4, (const int64_t[]){1, IN, SIDE, SIDE});
    const char *codes = mk_node(&m, "QuantizeLinear", x, qdq_scale(&m, 1), qdq_zero(&m, UINT8, 7))->output[0];
    const char *kernel = qdq_raw(&m, "w", UINT8, 4, (const int64_t[]){OUT, IN, 3, 3}, w, sizeof w);
    const char *const operands[] = {codes, kernel, qdq_zero(&m, UINT8, 7), qdq_zero(&m, UINT8, 124)};
    Onnx__NodeProto *conv = mk_node(&m, "ConvInteger", NULL, NULL, NULL);
    conv->input = ts_arena_copy(arena, operands, sizeof operands);
    conv->n_input = 4;
    mk_ints(&m, conv, "pads", 4, (const int64_t[]){1, 1, 1, 1});
    mk_output(&m, conv->output[0]);
    const char *flat = mk_node(&m, "Flatten", codes, NULL, NULL)->output[0];
    const char *matrix =
        qdq_raw(&m, "dense", INT8, 2, (const int64_t[]){SIDE * SIDE * IN, 2}, dense, sizeof dense);
    mk_output(&m, mk_node(&m, "MatMulInteger", flat, matrix, qdq_zero(&m, UINT8, 7))->output[0]);
    ts_graph *graph = import(arena, mk_pack(&m), &diags);
    assert_int_equal(graph->outputs.count, 2);
    assert_int_equal(graph->tensors.data[graph->outputs.data[0]].type, TS_S32);
    float planes[SIDE * SIDE * IN], last[SIDE * SIDE * IN];
    for (uint32_t i = 0; i < SIDE * SIDE * IN; i++) {
        planes[i] = (float)ts_random_range(&random, -7, 248);
        last[i % (SIDE * SIDE) * IN + i / (SIDE * SIDE)] = planes[i];
    }
    bool in_file_order = graph->tensors.data[graph->inputs.data[0]].dims[1] == IN;
    const int32_t **values = run_all(arena, graph, in_file_order ? planes : last);
    for (int32_t i = 0; i < SIDE * SIDE * OUT; i++) {
        int32_t o = i % OUT, row = i / OUT / SIDE, column = i / OUT % SIDE, acc = 0;
        for (int32_t k = 0; k < IN * TAPS; k++) {
            int32_t r = row + k % TAPS / 3 - 1, c = column + k % 3 - 1;
            bool inside = r >= 0 && r < SIDE && c >= 0 && c < SIDE;
            acc +=
                inside ? (w[o * IN * TAPS + k] - 124) * (int32_t)planes[(k / TAPS * SIDE + r) * SIDE + c] : 0;
        }
        assert_int_equal(values[0][i], acc);
    }
    for (int32_t o = 0; o < 2; o++) {
        int32_t acc = 0;
        for (int32_t i = 0; i < SIDE * SIDE * IN; i++) {
            acc += (int8_t)dense[i * 2 + o] * (int32_t)planes[i];
        }
        assert_int_equal(values[1][o], acc);
    }
    ts_arena_free(arena);
}

/* A result whose step is larger than any sum: all of the staircase lies past 32 bits. */
static void absurd_quanta_are_survived(void **state) {
    (void)state;
    ts_arena *arena = ts_arena_new("test", 0);
    ts_diags diags = {.arena = arena};
    ts_random random = ts_random_seed(4);
    maker m = {.arena = arena, .opset = 13};
    const char *codes, *scales;
    ts_graph *graph;
    const ts_model_options options = {.input_signed = -1};
    const char *x = qdq_both(&m, mk_input(&m, 2, (const int64_t[]){1, 8}), 0.1f, UINT8, 3);
    const char *w = qdq_weights(&m, &random, 2, (const int64_t[]){8, 4}, false, 1, &codes, &scales);
    mk_output(&m, qdq_both(&m, mk_node(&m, "MatMul", x, w, NULL)->output[0], 1e25f, UINT8, 0));
    ts_status status = ts__onnx_import(arena, mk_pack(&m), "net", &options, &graph, &diags);
    assert_true((status == TS_OK) == (ts_diags_errors(&diags) == 0));
    ts_arena_free(arena);
}

/* A layer behind an operator of the float tail is not left out with it: the error names that operator. */
static void floats_before_integers_are_named(void **state) {
    (void)state;
    ts_arena *arena = ts_arena_new("test", 0);
    ts_diags diags = {.arena = arena};
    ts_random random = ts_random_seed(2);
    maker m = {.arena = arena, .opset = 13};
    const char *codes, *scales;
    ts_graph *graph;
    const ts_model_options options = {.input_signed = -1};
    const char *x = qdq_both(&m, mk_input(&m, 2, (const int64_t[]){1, 8}), 0.1f, UINT8, 3);
    Onnx__NodeProto *softmax = mk_node(&m, "Softmax", x, NULL, NULL);
    softmax->name = ts_arena_strdup(arena, "the_softmax");
    const char *again = qdq_both(&m, softmax->output[0], 1.0f / 256, UINT8, 0);
    const char *w = qdq_weights(&m, &random, 2, (const int64_t[]){8, 4}, false, 1, &codes, &scales);
    mk_output(&m, qdq_both(&m, mk_node(&m, "MatMul", again, w, NULL)->output[0], 0.1f, UINT8, 0));
    assert_int_equal(ts__onnx_import(arena, mk_pack(&m), "net", &options, &graph, &diags), TS_BAD_INPUT);
    const ts_diag *last = &diags.list.data[diags.list.count - 1];
    assert_string_equal(last->node, "the_softmax");
    assert_string_equal(last->op, "softmax");
    ts_arena_free(arena);
}

/* An average that is transposed, flattened and rectified before it is quantised, and at the end a sum with a
 * constant that nothing quantises: it is left out. */
static void results_move_before_they_are_quantised(void **state) {
    (void)state;
    enum { ROWS = 4, COLUMNS = 6, CHANNELS = 3, POOLED = 18, RESULTS = 4 };
    ts_arena *arena = ts_arena_new("test", 0);
    ts_diags diags = {.arena = arena};
    ts_random random = ts_random_seed(9);
    maker m = {.arena = arena, .opset = 13};
    const char *codes, *scales;
    const int64_t two[] = {2, 2}, matrix[] = {POOLED, RESULTS}, shape[] = {-1, POOLED}, list[] = {RESULTS};
    const char *x = mk_input(&m, 4, (const int64_t[]){1, CHANNELS, ROWS, COLUMNS});
    x = qdq_both(&m, x, 0.031f, INT8, -9);
    Onnx__NodeProto *pool = mk_node(&m, "AveragePool", x, NULL, NULL);
    mk_ints(&m, pool, "kernel_shape", 2, two);
    mk_ints(&m, pool, "strides", 2, two);
    Onnx__NodeProto *turn = mk_node(&m, "Transpose", pool->output[0], NULL, NULL);
    mk_ints(&m, turn, "perm", 4, (const int64_t[]){0, 2, 3, 1});
    const char *to = mk_initializer(&m, "shape", MK_INT64, 1, (const int64_t[]){2}, shape);
    x = mk_node(&m, "Reshape", turn->output[0], to, NULL)->output[0];
    x = qdq_both(&m, mk_node(&m, "Relu", x, NULL, NULL)->output[0], 0.013f, INT8, -100);
    const char *w = qdq_weights(&m, &random, 2, matrix, false, 1, &codes, &scales);
    x = qdq_both(&m, mk_node(&m, "MatMul", x, w, NULL)->output[0], 0.05f, INT8, 5);
    const char *quantised = x;
    const float terms[RESULTS] = {1, -2, 0.5f, 3};
    const char *sum =
        mk_node(&m, "Add", x, qdq_raw(&m, "terms", MK_FLOAT, 1, list, terms, sizeof terms), NULL)->output[0];
    mk_output(&m, mk_node(&m, "Softmax", sum, NULL, NULL)->output[0]);
    mk_output(&m, sum);
    mk_output(&m, quantised);
    ts_bytes file = mk_pack(&m);
    ts_fgraph *real;
    ts_graph *graph = import(arena, file, &diags);
    assert_int_equal(graph->outputs.count, 1);
    assert_int_equal(ts_float_model_parse(arena, file, "net", NULL, &real, &diags), TS_OK);
    const ts_tensor *out = &graph->tensors.data[graph->outputs.data[0]];
    uint32_t beside = 0;
    for (int round = 0; round < 50; round++) {
        float planes[CHANNELS * ROWS * COLUMNS], last[CHANNELS * ROWS * COLUMNS];
        for (int i = 0; i < CHANNELS * ROWS * COLUMNS; i++) {
            planes[i] = (float)ts_random_range(&random, -4500, 4500) / 1000;
            last[i % (ROWS * COLUMNS) * CHANNELS + i / (ROWS * COLUMNS)] = planes[i];
        }
        ts_fsession *session = ts_fsession_new(arena, real);
        ts_fsession_run(session, (const float *const[]){last});
        const float *y = ts_fsession_value(session, real->outputs.data[2]);
        const int32_t *got = run_codes(arena, graph, last);
        for (int i = 0; i < RESULTS; i++) {
            assert_true(abs(got[i] - code_of(out, y[i])) <= 1);
            beside += got[i] != code_of(out, y[i]);
        }
    }
    assert_true(beside <= 20);
    ts_arena_free(arena);
}

/* Quantised and at once dequantised: a copy of the input's codes, also where a float tail reads it. */
static void an_input_that_is_an_output_is_copied(void **state) {
    (void)state;
    ts_arena *arena = ts_arena_new("test", 0);
    ts_diags diags = {.arena = arena};
    maker m = {.arena = arena, .opset = 13};
    const char *x = qdq_both(&m, mk_input(&m, 2, (const int64_t[]){1, 8}), 0.1f, UINT8, 3);
    mk_output(&m, x);
    mk_output(&m, mk_node(&m, "Softmax", x, NULL, NULL)->output[0]);
    ts_graph *graph = import(arena, mk_pack(&m), &diags);
    assert_int_equal(graph->outputs.count, 1);
    const float reals[8] = {0, 0.1f, 0.5f, 1, 2, 3, 7, -0.3f};
    const int32_t *codes = run_codes(arena, graph, reals);
    for (int i = 0; i < 8; i++) {
        assert_int_equal(codes[i], (int32_t)rintf(reals[i] / 0.1f) + 3);
    }
    ts_arena_free(arena);
}

/* ---- micro-kws ---- */

static ts_bytes shared_file(ts_arena *arena, const char *name) {
    ts_diags diags = {.arena = arena};
    ts_bytes file;
    const char *path = ts_arena_printf(arena, "%s/models/micro-kws-qdq/%s", ts_test_shared(), name);
    assert_int_equal(ts_file_read(arena, path, 1 << 26, &file, &diags), TS_OK);
    return file;
}

static const float *floats_of(ts_arena *arena, const char *name) {
    return (const float *)(const void *)shared_file(arena, name).data;
}

static uint32_t largest_float(const float *y, uint32_t count) {
    uint32_t best = 0;
    for (uint32_t i = 1; i < count; i++) {
        best = y[i] > y[best] ? i : best;
    }
    return best;
}

enum { SAMPLES = 3, INPUTS = 1960, CLASSES = 10 };

/* The class of a sample, and how far its probabilities are from the runtime's. */
static uint32_t answer_of(ts_arena *arena, const ts_graph *graph, const float *x, const float *stored,
                          float *apart) {
    const int32_t *codes = run_codes(arena, graph, x);
    const ts_tensor *out = &graph->tensors.data[graph->outputs.data[0]];
    float logits[CLASSES], sum = 0;
    for (uint32_t i = 0; i < CLASSES; i++) {
        logits[i] = (float)((codes[i] - out->quantum.zero[0]) * out->quantum.scale[0]);
        sum += expf(logits[i]);
    }
    for (uint32_t i = 0; i < CLASSES; i++) {
        *apart = fmaxf(*apart, fabsf(expf(logits[i]) / sum - stored[i]));
    }
    return largest_float(logits, CLASSES);
}

/* The quantised forms were calibrated on their own, with other quanta each: their answers are the same, their
 * probabilities those that the runtime computed of each. */
static void one_network_in_four_forms(void **state) {
    (void)state;
    if (ts_test_shared() == NULL) {
        puts("TESSERA_SHARED names no folder with networks: micro-kws is not tested");
        skip();
    }
    ts_arena *arena = ts_arena_new("test", 0);
    ts_diags diags = {.arena = arena};
    const float *x = floats_of(arena, "features_x.f32.bin"),
                *fp32 = floats_of(arena, "micro_kws_m_fp32_ref.f32.bin"),
                *qdq_stored = floats_of(arena, "micro_kws_m_qdq_ref.f32.bin"),
                *qoperator_stored = floats_of(arena, "micro_kws_m_qoperator_ref.f32.bin");
    ts_graph *qdq = import(arena, shared_file(arena, "micro_kws_m_qdq.onnx"), &diags),
             *qoperator = import(arena, shared_file(arena, "micro_kws_m_qoperator.onnx"), &diags),
             *tflite = import_tflite(arena, shared_file(arena, "micro_kws_m_int8.tflite"), &diags);
    for (uint32_t k = 0; k < SAMPLES; k++) {
        const int32_t *c = run_codes(arena, tflite, x + k * INPUTS);
        float apart[2] = {0, 0};
        uint32_t answer = largest_float(fp32 + k * CLASSES, CLASSES), of_tflite = 0;
        for (uint32_t i = 0; i < CLASSES; i++) {
            of_tflite = c[i] > c[of_tflite] ? i : of_tflite;
        }
        assert_int_equal(answer_of(arena, qdq, x + k * INPUTS, qdq_stored + k * CLASSES, &apart[0]), answer);
        assert_int_equal(
            answer_of(arena, qoperator, x + k * INPUTS, qoperator_stored + k * CLASSES, &apart[1]), answer);
        assert_int_equal(of_tflite, answer);
        print_message(
            "sample %u: class %u in all forms; QDQ %.4f, QOperator %.4f beside the stored probabilities\n", k,
            answer, (double)apart[0], (double)apart[1]);
        assert_true(apart[0] < 0.02f && apart[1] < 0.02f);
    }
    ts_arena_free(arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(made_networks_equal_the_float_interpreter),
        cmocka_unit_test(rows_times_a_matrix),
        cmocka_unit_test(integer_operators_give_their_accumulators),
        cmocka_unit_test(absurd_quanta_are_survived),
        cmocka_unit_test(floats_before_integers_are_named),
        cmocka_unit_test(results_move_before_they_are_quantised),
        cmocka_unit_test(an_input_that_is_an_output_is_copied),
        cmocka_unit_test(one_network_in_four_forms),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
