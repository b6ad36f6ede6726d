/* TensorFlow Lite files: a model made here against the reference kernels' formulas written out; damaged
 * files; and, where they are at hand, the MLPerf Tiny networks. */
#include <math.h>

#include "base/random.h"
#include "flat_maker.h"
#include "harness.h"
#include "model/tflite.h"
#include "num/float.h"
#include "num/integer.h"

/* ---- the reference kernels, written out ---- */

static int32_t high_mul(int32_t a, int32_t b) {
    int64_t product = (int64_t)a * b;
    return (int32_t)((product + (product >= 0 ? 1 << 30 : 1 - (1 << 30))) / (INT64_C(1) << 31));
}

static int32_t round_shift(int32_t x, int32_t power) {
    int32_t mask = (int32_t)((INT64_C(1) << power) - 1), rest = x & mask, threshold = (mask >> 1) + (x < 0);
    return (x >> power) + (rest > threshold);
}

static int32_t scaled(int32_t x, double real) {
    int32_t m, shift;
    ts__tflite_multiplier(real, &m, &shift);
    return round_shift(high_mul(x * (1 << (shift > 0 ? shift : 0)), m), shift > 0 ? 0 : -shift);
}

static int8_t clamp(int32_t v, int32_t low) { return (int8_t)(v < low ? low : v > 127 ? 127 : v); }

typedef struct map {
    int32_t h, w, c, zero;
    double scale;
    int8_t data[256];
} map;

static int32_t at(const map *x, int32_t y, int32_t column, int32_t c) {
    bool inside = y >= 0 && y < x->h && column >= 0 && column < x->w;
    return inside ? x->data[(y * x->w + column) * x->c + c] - x->zero : 0;
}

/* `multiplier` > 0: depthwise, weights [kh, kw, C]; else weights [O, kh, kw, I]. */
static void ref_conv(const map *x, map *y, const int8_t *w, const int32_t *bias, const float *scales,
                     int32_t pad, int32_t stride, int32_t multiplier, int32_t low) {
    for (int32_t i = 0; i < y->h * y->w * y->c; i++) {
        int32_t o = i % y->c, column = i / y->c % y->w, row = i / y->c / y->w, acc = bias[o];
        for (int32_t tap = 0; tap < 9; tap++) {
            int32_t r = row * stride - pad + tap / 3, s = column * stride - pad + tap % 3;
            for (int32_t c = 0; multiplier == 0 && c < x->c; c++) {
                acc += at(x, r, s, c) * w[(o * 9 + tap) * x->c + c];
            }
            acc += multiplier == 0 ? 0 : at(x, r, s, o / multiplier) * w[tap * y->c + o];
        }
        y->data[i] = clamp(scaled(acc, x->scale * (double)scales[o] / y->scale) + y->zero, low);
    }
}

static void ref_add(const map *a, const map *b, map *y) {
    double twice = 2 * (a->scale > b->scale ? a->scale : b->scale);
    for (int32_t i = 0; i < y->h * y->w * y->c; i++) {
        int32_t sum = scaled((a->data[i] - a->zero) * (1 << 20), a->scale / twice) +
                      scaled((b->data[i] - b->zero) * (1 << 20), b->scale / twice);
        y->data[i] = clamp(scaled(sum, twice / ((1 << 20) * y->scale)) + y->zero, -128);
    }
}

static void ref_pool(const map *x, map *y, bool average) {
    for (int32_t i = 0; i < y->h * y->w * y->c; i++) {
        int32_t c = i % y->c, column = i / y->c % y->w, row = i / y->c / y->w, sum = 0, most = -128;
        for (int32_t tap = 0; tap < 4; tap++) {
            int32_t v = x->data[((row + tap / 2) * x->w + column + tap % 2) * x->c + c];
            sum += v;
            most = v > most ? v : most;
        }
        y->data[i] = (int8_t)(!average ? most : sum > 0 ? (sum + 2) / 4 : (sum - 2) / 4);
    }
}

/* The model of tfm_sample(). */
static void ref_sample(const int8_t *input, int8_t *output) {
    static const float conv_scales[2] = {0.01f, 0.02f}, depthwise_scales[4] = {0.01f, 0.005f, 0.02f, 0.003f};
    static const int32_t conv_bias[2] = {100, -200}, depthwise_bias[4] = {1, -2, 300, -400},
                         dense_bias[3] = {5, 6, 7};
    int8_t conv[36], depthwise[36];
    for (int i = 0; i < 36; i++) {
        conv[i] = (int8_t)(i * 37 % 255 - 127);
        depthwise[i] = (int8_t)(i * 91 % 255 - 127);
    }
    map x = {6, 6, 2, -3, (double)0.0531f, {0}}, a = {6, 6, 2, 4, (double)0.0707f, {0}},
        sum = {6, 6, 2, -10, (double)0.1013f, {0}}, most = {5, 5, 2, -10, (double)0.1013f, {0}},
        d = {2, 2, 4, -128, (double)0.08f, {0}}, mean = {1, 1, 4, -128, (double)0.08f, {0}};
    memcpy(x.data, input, 72);
    ref_conv(&x, &a, conv, conv_bias, conv_scales, 1, 1, 0, -128);
    ref_add(&x, &a, &sum);
    ref_pool(&sum, &most, false);
    ref_conv(&most, &d, depthwise, depthwise_bias, depthwise_scales, 0, 2, 2, -128);
    ref_pool(&d, &mean, true);
    for (int32_t o = 0; o < 3; o++) {
        int32_t acc = dense_bias[o];
        for (int32_t i = 0; i < 4; i++) {
            acc += (mean.data[i] + 128) * (int8_t)((o * 4 + i) * 53 % 255 - 127);
        }
        output[o] = clamp(scaled(acc, (double)(0.08f * 0.02f) / (double)0.09f) + 12, -128);
    }
}

static void sample_equals_the_reference_kernels(void **state) {
    (void)state;
    static flat_maker maker;
    ts_arena *arena = ts_arena_new("test", 0);
    ts_diags diags = {.arena = arena};
    ts_random random = ts_random_seed(3);
    ts_graph *graph;
    ts_status status = ts__tflite_import(arena, tfm_sample(&maker), "sample", NULL, &graph, &diags);
    for (uint32_t i = 0; i < diags.list.count; i++) {
        ts_diag_print(stderr, &diags.list.data[i]);
    }
    assert_int_equal(status, TS_OK);
    assert_int_equal(graph->nodes.count, 7); /* the first one makes the input unsigned */
    assert_int_equal(graph->nodes.data[4].groups, 2);
    for (int round = 0; round < 300; round++) {
        int8_t input[72], expected[3];
        int32_t x[72], **values;
        const int32_t *inputs[1] = {x};
        for (int i = 0; i < 72; i++) {
            input[i] = (int8_t)ts_random_range(&random, -128, 127);
            x[i] = input[i];
        }
        ref_sample(input, expected);
        assert_int_equal(ts_integer_run(graph, arena, inputs, &values, &diags), TS_OK);
        for (int i = 0; i < 3; i++) {
            assert_int_equal(values[graph->outputs.data[0]][i], expected[i]);
        }
    }
    ts_arena_free(arena);
}

/* ---- functions of one element, and what moves elements ---- */

typedef struct function {
    const char *name;
    int32_t code, type;
    float x_scale;
    int32_t x_zero;
    float y_scale;
    int32_t y_zero;
    float option;
    double tolerance; /* in units of y; fixed point comes this close to the function itself */
    double (*real)(double x, double option);
} function;

static double real_logistic(double x, double option) { return (void)option, 1 / (1 + exp(-x)); }
static double real_tanh(double x, double option) { return (void)option, tanh(x); }
static double real_same(double x, double option) { return (void)option, x; }
static double real_relu(double x, double option) { return (void)option, fmax(x, 0); }
static double real_relu6(double x, double option) { return (void)option, fmin(fmax(x, 0), 6); }
static double real_relu_n1(double x, double option) { return (void)option, fmin(fmax(x, -1), 1); }
static double real_leaky(double x, double option) { return x >= 0 ? x : x * option; }
static double real_swish(double x, double option) { return (void)option, x * fmin(fmax(x + 3, 0), 6) / 6; }

static const function functions[] = {
    {"LOGISTIC", 14, 9, 0.06f, 3, 0.00390625f, -128, 0, 0.51, real_logistic},
    {"LOGISTIC uint8", 14, 3, 0.1f, 131, 0.00390625f, 0, 0, 0.51, real_logistic},
    {"LOGISTIC steep", 14, 9, 0.9f, -100, 0.00390625f, -128, 0, 0.51, real_logistic},
    {"TANH", 28, 9, 0.02f, 3, 0.0078125f, 0, 0, 0.51, real_tanh},
    {"TANH uint8", 28, 3, 0.05f, 100, 0.0078125f, 128, 0, 0.51, real_tanh},
    {"QUANTIZE", 114, 9, 0.02f, 3, 0.031f, -7, 0, 0.51, real_same},
    {"RELU", 19, 9, 0.02f, 3, 0.011f, -120, 0, 0.51, real_relu},
    {"RELU6", 21, 3, 0.05f, 30, 0.03f, 1, 0, 0.51, real_relu6},
    {"RELU_N1_TO_1", 20, 9, 0.02f, 3, 0.02f, 3, 0, 0.51, real_relu_n1},
    {"LEAKY_RELU", 98, 9, 0.02f, 3, 0.018f, -60, 0.1f, 0.6, real_leaky},
    {"HARD_SWISH", 117, 9, 0.05f, 3, 0.04f, -110, 0, 0.9, real_swish},
    {"HARD_SWISH uint8", 117, 3, 0.03f, 100, 0.03f, 14, 0, 0.9, real_swish},
};

static ts_graph *import_fresh(ts_arena *arena, ts_bytes file) {
    ts_diags diags = {.arena = arena};
    ts_graph *graph;
    ts_status status = ts__tflite_import(arena, file, "made", NULL, &graph, &diags);
    for (uint32_t i = 0; i < diags.list.count; i++) {
        ts_diag_print(stderr, &diags.list.data[i]);
    }
    assert_int_equal(status, TS_OK);
    return graph;
}

static const int32_t *run_on(ts_arena *arena, const ts_graph *graph, const int32_t *x) {
    ts_diags diags = {.arena = arena};
    int32_t **values;
    assert_int_equal(ts_integer_run(graph, arena, &x, &values, &diags), TS_OK);
    return values[graph->outputs.data[0]];
}

static void tables_are_close_to_their_functions(void **state) {
    (void)state;
    static flat_maker maker;
    for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++) {
        const function *f = &functions[i];
        ts_arena *arena = ts_arena_new("test", 0);
        int32_t option, x[256], low = f->type == 9 ? -128 : 0;
        memcpy(&option, &f->option, 4);
        for (int32_t k = 0; k < 256; k++) {
            x[k] = k + low;
        }
        ts_graph *graph = import_fresh(
            arena, tfm_unary(&maker, f->code, f->type, f->x_scale, f->x_zero, f->y_scale, f->y_zero, option));
        const int32_t *y = run_on(arena, graph, x);
        for (int32_t k = 0; k < 256; k++) {
            double real = f->real((double)f->x_scale * (x[k] - f->x_zero), (double)f->option);
            double wanted = fmin(fmax(real / (double)f->y_scale + f->y_zero, low), low + 255);
            if (fabs(y[k] - wanted) > f->tolerance) {
                fail_msg("%s of %d is %d, %f would be right", f->name, (int)x[k], (int)y[k], wanted);
            }
        }
        ts_arena_free(arena);
    }
}

/* The model of tfm_moves(), element by element. */
static void ref_moves(const int32_t *x, int32_t *y) {
    int32_t joined[2][4][4], padded[3][6][5], large[6][12][5], mean[5];
    for (int i = 0; i < 32; i++) {
        int h = i / 16, w = i / 4 % 4, c = i % 4;
        joined[h][w][c] = x[(w * 5 + 1 + 2 * h) * 2 + c % 2]; /* sliced and turned, twice */
    }
    for (int i = 0; i < 90; i++) {
        int h = i / 30 - 1, w = i / 5 % 6, c = i % 5;
        padded[h + 1][w][c] = h < 0 || w > 3 || c > 3 ? -3 : joined[h][w][c];
    }
    for (int i = 0; i < 360; i++) {
        large[i / 60][i / 5 % 12][i % 5] = padded[i / 120][i / 5 % 12 / 2][i % 5];
    }
    for (int c = 0; c < 5; c++) {
        int32_t sum = 0, m, shift;
        for (int i = 0; i < 72; i++) {
            int32_t product = (large[i / 12][i % 12][c] + 3) * (37 - 7);
            sum += clamp(scaled(product, (double)(0.05f * 0.01f / 0.02f)) + 5, -128) - 5;
        }
        ts__tflite_multiplier((double)0.02f / (double)0.03f, &m, &shift);
        m = (int32_t)(((int64_t)m << 6) / 72); /* 64 <= 72 < 128 */
        mean[c] = clamp(round_shift(high_mul(sum, m), 6 - shift) + 1, -128);
    }
    for (int i = 0; i < 360; i++) {
        double twice = 2 * (double)0.05f;
        int32_t less = scaled((large[i / 60][i / 5 % 12][i % 5] + 3) * (1 << 20), (double)0.05f / twice) -
                       scaled((mean[i % 5] - 1) * (1 << 20), (double)0.03f / twice);
        y[i] = clamp(scaled(less, twice / ((1 << 20) * (double)0.06f)) + 2, -128);
    }
}

static void movements_equal_the_reference_kernels(void **state) {
    (void)state;
    static flat_maker maker;
    ts_arena *arena = ts_arena_new("test", 0);
    ts_random random = ts_random_seed(8);
    ts_graph *graph = import_fresh(arena, tfm_moves(&maker));
    for (int round = 0; round < 100; round++) {
        int32_t x[40], less[360];
        for (int i = 0; i < 40; i++) {
            x[i] = (int32_t)ts_random_range(&random, -128, 127);
        }
        const int32_t *y = run_on(arena, graph, x);
        ref_moves(x, less);
        for (int i = 0; i < 360; i++) {
            double real = 256 / (1 + exp(-(double)0.06f * (less[i] - 2))) - 128;
            assert_true(fabs(y[i] - fmin(real, 127)) <= 0.51);
        }
    }
    ts_arena_free(arena);
}

static ts_status import_alone(const uint8_t *data, size_t size) {
    ts_diags diags = {.arena = ts_arena_new("hostile", 0)};
    ts_graph *graph;
    const ts_model_options options = {.allow_float = true, .input_signed = -1};
    ts_status status =
        ts__tflite_import(diags.arena, (ts_bytes){data, size}, "hostile", &options, &graph, &diags);
    assert_true((status == TS_OK) == (ts_diags_errors(&diags) == 0));
    assert_true(ts_arena_peak_bytes() < (size_t)512 << 20);
    ts_arena_free(diags.arena);
    return status;
}

static ts_status import_floats_alone(const uint8_t *data, size_t size) {
    ts_diags diags = {.arena = ts_arena_new("hostile", 0)};
    ts_fgraph *graph;
    ts_status status =
        ts__tflite_float_import(diags.arena, (ts_bytes){data, size}, "hostile", &graph, &diags);
    assert_true((status == TS_OK) == (ts_diags_errors(&diags) == 0));
    assert_true(ts_arena_peak_bytes() < (size_t)512 << 20);
    ts_arena_free(diags.arena);
    return status;
}

static void damage(ts_bytes file) {
    ts_random random = ts_random_seed(17);
    for (size_t size = 0; size < file.size; size++) {
        uint8_t *part = malloc(size + 1);
        memcpy(part, file.data, size);
        import_alone(part, size);
        import_floats_alone(part, size);
        free(part);
    }
    uint32_t refused = 0;
    for (int i = 0; i < 8000; i++) {
        uint8_t *copy = malloc(file.size);
        memcpy(copy, file.data, file.size);
        for (int64_t flips = ts_random_range(&random, 1, 4); flips > 0; flips--) {
            copy[ts_random_range(&random, 8, (int64_t)file.size - 1)] ^=
                (uint8_t)(1u << ts_random_range(&random, 0, 7));
        }
        refused += import_alone(copy, file.size) != TS_OK;
        import_floats_alone(copy, file.size);
        free(copy);
    }
    assert_true(refused > 800);
}

static void damaged_files_are_refused(void **state) {
    (void)state;
    static flat_maker maker;
    ts_bytes steep = tfm_unary(&maker, 19, 9, 1e30f, 127, 1e-30f, -10, 0); /* every result is past 32 bits */
    import_alone(steep.data, steep.size);
    damage(tfm_sample(&maker));
    damage(tfm_moves(&maker));
    damage(tfm_float_moves(&maker));
    damage(tfm_islands(&maker));
    damage(tfm_shapes(&maker));
    damage(tfm_stream(&maker));
    damage(tfm_dilated(&maker));
}

/* ---- averages over the border ---- */

/* Source: AveragePool of TensorFlow Lite's kernels/internal/reference/integer_ops/pooling.h. */
static int32_t border_average(const int32_t *x, int32_t h, int32_t w, int32_t c, const int32_t window[4],
                              int32_t row, int32_t column, int32_t channel) {
    int32_t sum = 0, n = 0;
    for (int32_t k = 0; k < window[0] * window[1]; k++) {
        int32_t r = row + k / window[1], s = column + k % window[1];
        if (r >= 0 && r < h && s >= 0 && s < w) {
            sum += x[(r * w + s) * c + channel];
            n++;
        }
    }
    return sum > 0 ? (sum + n / 2) / n : (sum - n / 2) / n;
}

static void check_border_average(int32_t type, int32_t h, int32_t w, const int32_t window[4]) {
    static flat_maker maker;
    enum { C = 2 };
    ts_arena *arena = ts_arena_new("test", 0);
    ts_diags diags = {.arena = arena};
    ts_random random = ts_random_seed((uint64_t)(h * 100 + w * 10 + window[0]));
    int32_t y_h = (h + window[2] - 1) / window[2], y_w = (w + window[3] - 1) / window[3];
    int32_t pad_h = (y_h - 1) * window[2] + window[0] - h, pad_w = (y_w - 1) * window[3] + window[1] - w;
    const tfm_tensor tensors[2] = {{"x", 4, {1, h, w, C}, type, NULL, 0, 1, {0.1f}, 5, 0},
                                   {"y", 4, {1, y_h, y_w, C}, type, NULL, 0, 1, {0.1f}, 5, 0}};
    const tfm_operator op = {1, 1, {0}, 1, 6, {0, window[3], window[2], window[1], window[0], 0}};
    ts_graph *graph;
    int32_t x[16 * 16 * C], **values;
    const int32_t *inputs[1] = {x};
    ts_status status =
        ts__tflite_import(arena, tfm_pack(&maker, tensors, 2, &op, 1), "net", NULL, &graph, &diags);
    for (uint32_t i = 0; i < diags.list.count; i++) {
        ts_diag_print(stderr, &diags.list.data[i]);
    }
    assert_int_equal(status, TS_OK);
    for (int32_t i = 0; i < h * w * C; i++) {
        x[i] = (int32_t)ts_random_range(&random, 0, 255) - (type == 9 ? 128 : 0);
    }
    assert_int_equal(ts_integer_run(graph, arena, inputs, &values, &diags), TS_OK);
    pad_h = pad_h > 0 ? pad_h / 2 : 0;
    pad_w = pad_w > 0 ? pad_w / 2 : 0;
    for (int32_t i = 0; i < y_h * y_w * C; i++) {
        int32_t row = i / C / y_w * window[2] - pad_h, column = i / C % y_w * window[3] - pad_w;
        assert_int_equal(values[graph->outputs.data[0]][i],
                         border_average(x, h, w, C, window, row, column, i % C));
    }
    ts_arena_free(arena);
}

static void averages_leave_padding_out(void **state) {
    (void)state;
    static const int32_t windows[][4] = {{3, 3, 1, 1}, {2, 2, 1, 1}, {3, 3, 2, 2}, {5, 4, 2, 3},
                                         {1, 3, 1, 1}, {3, 1, 1, 2}, {7, 7, 3, 3}};
    for (size_t i = 0; i < sizeof windows / sizeof windows[0]; i++) {
        check_border_average(9, 7, 6, windows[i]);
        check_border_average(3, 5, 8, windows[i]);
        check_border_average(9, 2, 3, windows[i]);
    }
}

/* Row 3 of the large map is row 2 of the input, its columns 1, 3, 5, 7 the columns 0, 1, 1, 2. */
static void floats_move_as_written(void **state) {
    (void)state;
    static flat_maker maker;
    static const uint32_t columns[4] = {0, 1, 1, 2};
    ts_arena *arena = ts_arena_new("test", 0);
    ts_diags diags = {.arena = arena};
    ts_fgraph *graph;
    ts_status status = ts__tflite_float_import(arena, tfm_float_moves(&maker), "net", &graph, &diags);
    for (uint32_t i = 0; i < diags.list.count; i++) {
        ts_diag_print(stderr, &diags.list.data[i]);
    }
    assert_int_equal(status, TS_OK);
    float x[48];
    for (int i = 0; i < 48; i++) {
        x[i] = (float)(i * i % 31);
    }
    ts_fsession *session = ts_fsession_new(arena, graph);
    ts_fsession_run(session, (const float *const[]){x});
    const float *y = ts_fsession_value(session, graph->outputs.data[0]);
    for (uint32_t i = 0; i < 8; i++) {
        const float *pixel = x + (2 * 3 + columns[i / 2]) * 4;
        assert_true(y[i] == pixel[i % 2] - pixel[2 + i % 2]);
    }
    ts_arena_free(arena);
}

/* Weights and biases of half precision, which DEQUANTIZE makes floats of: a product and a sum a channel. */
static void halves_are_read(void **state) {
    (void)state;
    static flat_maker maker;
    static const uint16_t w[4] = {0x3c00, 0xc100, 0x0001, 0x7bff}, b[4] = {0, 0x8001, 0x4248, 0xbc00};
    static const float factors[4] = {1, -2.5f, 0x1p-24f, 65504}, terms[4] = {0, -0x1p-24f, 3.140625f, -1};
    const tfm_tensor tensors[6] = {
        {"x", 4, {1, 1, 2, 4}, 0, NULL, 0, 0, {0}, 0, 0}, {"w16", 4, {1, 1, 1, 4}, 1, w, 8, 0, {0}, 0, 0},
        {"w", 4, {1, 1, 1, 4}, 0, NULL, 0, 0, {0}, 0, 0}, {"b16", 1, {4}, 1, b, 8, 0, {0}, 0, 0},
        {"b", 1, {4}, 0, NULL, 0, 0, {0}, 0, 0},          {"y", 4, {1, 1, 2, 4}, 0, NULL, 0, 0, {0}, 0, 0}};
    const tfm_operator ops[3] = {
        {6, 1, {1}, 2, 0, {0}}, {6, 1, {3}, 4, 0, {0}}, {4, 3, {0, 2, 4}, 5, 7, {1, 1, 1, 1, 0, 1, 1}}};
    ts_arena *arena = ts_arena_new("test", 0);
    ts_diags diags = {.arena = arena};
    ts_fgraph *graph;
    ts_graph *integers;
    ts_bytes file = tfm_write(&maker, tensors, 6, ops, 3);
    assert_int_equal(ts__tflite_float_import(arena, file, "net", &graph, &diags), TS_OK);
    const float x[8] = {1, 2, 3, 4, -0.5f, -0.25f, 1000, 0.125f};
    ts_fsession *session = ts_fsession_new(arena, graph);
    ts_fsession_run(session, (const float *const[]){x});
    const float *y = ts_fsession_value(session, graph->outputs.data[0]);
    for (uint32_t i = 0; i < 8; i++) {
        assert_true(y[i] == x[i] * factors[i % 4] + terms[i % 4]);
    }
    assert_int_equal(ts__tflite_import(arena, file, "net", NULL, &integers, &diags), TS_BAD_INPUT);
    assert_non_null(strstr(diags.list.data[diags.list.count - 1].text, "tessera quantize"));
    ts_arena_free(arena);
}

/* ---- MLPerf Tiny ---- */

/* How samples become the network's 8-bit input: as they are, less 128, or floats in the input's quantum. */
typedef enum format { AS_IT_IS, LESS_128, FLOATS } format;

/* What this arithmetic makes of the samples. The stored outputs come from XNNPACK. */
typedef struct task {
    const char *model, *samples, *stored;
    format format;
    const char *labels;
    uint32_t right;      /* samples classified as labelled */
    uint32_t same;       /* samples with the largest output where the stored ones have it */
    int32_t apart;       /* largest difference to a stored output */
    bool equal_by_float; /* stored outputs are met when each result is rounded in float */
} task;

static const task tasks[] = {
    {"tflm-examples/hello_world_int8.tflite", "tflm-examples/hello_world_x.i8.bin",
     "tflm-examples/hello_world_int8_ref.bin", AS_IT_IS, NULL, 0, 200, 3, true},
    {"mlperf-tiny-kws/dscnn_int8.tflite", "mlperf-tiny-kws/samples_x.i8.bin",
     "mlperf-tiny-kws/dscnn_int8_ref.bin", AS_IT_IS, "mlperf-tiny-kws/samples_y.csv", 599, 661, 22, true},
    {"mlperf-tiny-ic/resnet8_int8.tflite", "mlperf-tiny-ic/samples_x.u8.bin",
     "mlperf-tiny-ic/resnet8_int8_ref.bin", LESS_128, "mlperf-tiny-ic/samples_y.csv", 118, 130, 44, false},
    {"mlperf-tiny-vww/mobilenetv1_025_96_int8.tflite", "mlperf-tiny-vww/samples_x.u8.bin.xz",
     "mlperf-tiny-vww/mobilenetv1_025_96_int8_ref.bin", LESS_128, "mlperf-tiny-vww/samples_y.csv", 152, 176,
     11, true},
    {"micro-kws-qdq/micro_kws_m_int8.tflite", "micro-kws-qdq/features_x.f32.bin",
     "micro-kws-qdq/micro_kws_m_int8_ref.bin", FLOATS, NULL, 0, 3, 0, false},
    {"mcunet-vww/mcunet_vww.tflite", "mcunet-vww/samples_x.f32.bin", "mcunet-vww/mcunet_vww_ref.bin", FLOATS,
     NULL, 0, 2, 1, false},
    {"imagenet-mobilenet/mobilenetv1_025_128_uint8.tflite", "imagenet-mobilenet/pictures_128_x.u8.bin",
     "imagenet-mobilenet/mobilenetv1_025_128_uint8_ref.bin", AS_IT_IS, NULL, 0, 4, 11, false},
    {"imagenet-mobilenet/mobilenetv1_050_160_uint8.tflite", "imagenet-mobilenet/pictures_160_x.u8.bin",
     "imagenet-mobilenet/mobilenetv1_050_160_uint8_ref.bin", AS_IT_IS, NULL, 0, 4, 3, false},
    {"imagenet-mobilenet/mobilenetv2_100_224_uint8.tflite", "imagenet-mobilenet/pictures_224_x.u8.bin",
     "imagenet-mobilenet/mobilenetv2_100_224_uint8_ref.bin", AS_IT_IS, NULL, 0, 4, 3, false},
};

enum { SANITIZED_SAMPLES = 4 };

static ts_bytes shared_file(ts_arena *arena, const char *name) {
    ts_diags diags = {.arena = arena};
    ts_bytes file;
    char *path = ts_path_join(arena, ts_path_join(arena, ts_test_shared(), "models"), name);
    size_t length = strlen(name);
    if (length > 3 && strcmp(name + length - 3, ".xz") == 0) {
        FILE *pipe = popen(ts_arena_printf(arena, "xz -dc '%s'", path), "r");
        uint8_t *data = ts_arena_alloc(arena, 1 << 24);
        assert_non_null(pipe);
        file = (ts_bytes){data, fread(data, 1, 1 << 24, pipe)};
        assert_int_equal(pclose(pipe), 0);
        return file;
    }
    assert_int_equal(ts_file_read(arena, path, 1 << 26, &file, &diags), TS_OK);
    return file;
}

/* Labels of a CSV: its second column. */
static uint32_t read_labels(ts_bytes file, int32_t *labels, uint32_t most) {
    uint32_t count = 0;
    const char *line = strchr((const char *)file.data, '\n');
    while (line != NULL && line[1] != '\0' && count < most) {
        labels[count++] = atoi(strchr(line + 1, ',') + 1);
        line = strchr(line + 1, '\n');
    }
    return count;
}

static double channel_scale(const ts_graph *g, const ts_node *node, uint32_t c) {
    const ts_tensor *in = &g->tensors.data[node->inputs[0]], *out = &g->tensors.data[node->output];
    float s = (float)in->quantum.scale[0];
    if (node->op == TS_OP_AVG_POOL) {
        return (double)(s / ((float)out->quantum.scale[0] *
                             (float)(node->window.kernel_h * node->window.kernel_w)));
    }
    const ts_quantum *q = &g->tensors.data[node->weights].quantum;
    return (double)(s * (float)q->scale[q->channels == 1 ? 0 : c] / (float)out->quantum.scale[0]);
}

/* What the softmax at the end reads, or the output itself. */
static ts_tensor_id logits_of(const ts_graph *g) {
    const ts_node *last = &g->nodes.data[g->nodes.count - 1];
    return last->op == TS_OP_SOFTMAX ? last->inputs[0] : g->outputs.data[0];
}

/* The stored outputs come from XNNPACK, which scales accumulators in float and rounds once. With that
 * rounding put in the place of the two-step one, everything else that the importer makes is compared exactly.
 */
static const int32_t *run_in_float(ts_graph *g, ts_arena *arena, const int32_t *x) {
    ts_diags diags = {.arena = arena};
    const int32_t **values = TS_NEW_ARRAY(arena, const int32_t *, g->tensors.count);
    values[g->inputs.data[0]] = x;
    for (ts_node_id id = 0; id < g->nodes.count; id++) {
        ts_node *node = &g->nodes.data[id];
        ts_tensor *out = &g->tensors.data[node->output];
        uint64_t count = ts_tensor_elements(out);
        int32_t *y = TS_NEW_ARRAY(arena, int32_t, count), zero = out->quantum.zero[0];
        if (node->op == TS_OP_REQUANT || node->op == TS_OP_SOFTMAX || node->op == TS_OP_RESHAPE) {
            assert_int_equal(ts_integer_node(g, id, &values[node->inputs[0]], y, &diags), TS_OK);
            values[node->output] = y;
            continue;
        }
        ts_requant rq = node->requant;
        ts_type type = out->type;
        node->requant.kind = TS_REQUANT_NONE;
        out->type = TS_S32;
        assert_int_equal(ts_integer_node(g, id, &values[node->inputs[0]], y, &diags), TS_OK);
        node->requant = rq;
        out->type = type;
        for (uint64_t i = 0; i < count; i++) {
            float scale = (float)channel_scale(g, node, (uint32_t)(i % ts_c(out)));
            int32_t v = (int32_t)rintf((float)y[i] * scale) + zero;
            y[i] = v < rq.low ? rq.low : v > rq.high ? rq.high : v;
        }
        values[node->output] = y;
    }
    return values[logits_of(g)];
}

static uint32_t largest(const int32_t *y, uint64_t count) {
    uint32_t best = 0;
    for (uint32_t i = 1; i < count; i++) {
        best = y[i] > y[best] ? i : best;
    }
    return best;
}

/* int8 probabilities of the logits, as SOFTMAX stores them (scale 1/256, zero -128). */
static void softmax(const ts_tensor *out, const int32_t *y, uint64_t count, int32_t *p) {
    double sum = 0, scale = out->quantum.scale[0];
    for (uint64_t i = 0; i < count; i++) {
        sum += exp(scale * (y[i] - y[largest(y, count)]));
    }
    for (uint64_t i = 0; i < count; i++) {
        int32_t v = (int32_t)lrint(256 * exp(scale * (y[i] - y[largest(y, count)])) / sum) - 128;
        p[i] = v > 127 ? 127 : v;
    }
}

static int32_t *input_of(ts_arena *arena, const task *t, const ts_tensor *in, ts_bytes x, uint64_t sample) {
    uint64_t count = ts_tensor_elements(in);
    int32_t *input = TS_NEW_ARRAY(arena, int32_t, count);
    for (uint64_t i = 0; i < count; i++) {
        const uint8_t *at = x.data + (sample * count + i) * (t->format == FLOATS ? 4 : 1);
        float value = 0;
        memcpy(&value, at, t->format == FLOATS ? 4 : 0);
        double q = round((double)value / in->quantum.scale[0]) + in->quantum.zero[0];
        q = fmin(fmax(q, (double)ts_type_low(in->type)), (double)ts_type_high(in->type));
        input[i] = t->format == FLOATS     ? (int32_t)q
                   : t->format == LESS_128 ? *at - 128
                   : in->type == TS_U8     ? *at
                                           : (int8_t)*at;
    }
    return input;
}

/* Stored outputs are bytes of the output's type, or floats. */
static int32_t stored_at(const ts_tensor *out, ts_bytes stored, uint64_t i, bool floats) {
    if (floats) {
        float value;
        memcpy(&value, stored.data + 4 * i, 4);
        return (int32_t)(lround((double)value / out->quantum.scale[0]) + out->quantum.zero[0]);
    }
    return out->type == TS_U8 ? stored.data[i] : (int8_t)stored.data[i];
}

static void check_task(void **state) {
    const task *t = *state;
    ts_arena *arena = ts_arena_new("test", 0);
    ts_diags diags = {.arena = arena};
    ts_graph *graph;
    ts_bytes model = shared_file(arena, t->model), x = shared_file(arena, t->samples),
             stored = shared_file(arena, t->stored);
    assert_int_equal(ts__tflite_import(arena, model, "net", NULL, &graph, &diags), TS_OK);
    const ts_tensor *in = &graph->tensors.data[graph->inputs.data[0]],
                    *out = &graph->tensors.data[graph->outputs.data[0]];
    uint64_t in_count = ts_tensor_elements(in), out_count = ts_tensor_elements(out),
             samples = x.size / in_count / (t->format == FLOATS ? 4 : 1);
    bool floats = stored.size == samples * out_count * 4;
    samples = TS_TEST_SANITIZED && samples > SANITIZED_SAMPLES ? SANITIZED_SAMPLES : samples;
    int32_t labels[1024], apart = 0, *p = TS_NEW_ARRAY(arena, int32_t, out_count);
    uint32_t label_count = t->labels == NULL ? 0 : read_labels(shared_file(arena, t->labels), labels, 1024);
    uint32_t right = 0, same = 0;
    uint64_t differing = 0;
    for (uint64_t k = 0; k < samples; k++) {
        ts_arena *own = ts_arena_new("sample", 0);
        int32_t **values, *expected = TS_NEW_ARRAY(own, int32_t, out_count);
        const int32_t *input = input_of(own, t, in, x, k), *inputs[1] = {input};
        assert_int_equal(ts_integer_run(graph, own, inputs, &values, &diags), TS_OK);
        const int32_t *y = values[graph->outputs.data[0]];
        const int32_t *f = t->equal_by_float ? run_in_float(graph, own, input) : NULL;
        if (f != NULL) {
            softmax(&graph->tensors.data[logits_of(graph)], f, out_count, p);
        }
        for (uint64_t i = 0; i < out_count; i++) {
            expected[i] = stored_at(out, stored, k * out_count + i, floats);
            differing += f != NULL && (out_count == 1 ? f[i] : p[i]) != expected[i];
            apart = abs(y[i] - expected[i]) > apart ? abs(y[i] - expected[i]) : apart;
        }
        right += k < label_count && largest(y, out_count) == (uint32_t)labels[k];
        same += largest(y, out_count) == largest(expected, out_count);
        ts_arena_free(own);
    }
    print_message(
        "%s: %llu samples, %u right, %u answers as stored, outputs up to %d apart, %llu differ by float\n",
        t->model, (unsigned long long)samples, right, same, apart, (unsigned long long)differing);
    assert_int_equal(differing, 0);
    if (!TS_TEST_SANITIZED) {
        assert_int_equal(right, t->right);
        assert_int_equal(same, t->same);
        assert_int_equal(apart, t->apart);
    }
    ts_arena_free(arena);
}

/* ---- float networks ---- */

typedef struct float_task {
    const char *model, *samples, *stored;
    float scale, offset; /* of a byte of the samples; 0: floats */
    uint32_t most;       /* samples that are run */
} float_task;

static const float_task float_tasks[] = {
    {"tflm-examples/hello_world_fp32.tflite", "tflm-examples/hello_world_x.f32.bin",
     "tflm-examples/hello_world_fp32_ref.bin", 0, 0, 200},
    {"mlperf-tiny-ic/resnet8_fp32.tflite", "mlperf-tiny-ic/samples_x.u8.bin",
     "mlperf-tiny-ic/resnet8_fp32_ref.f32.bin", 1, 0, 20},
    {"mlperf-tiny-vww/mobilenetv1_025_96_fp32.tflite", "mlperf-tiny-vww/samples_x.u8.bin.xz",
     "mlperf-tiny-vww/mobilenetv1_025_96_fp32_ref.f32.bin", 1.0f / 255, 0, 20},
    {"imagenet-mobilenet/mobilenetv1_025_128_fp32.tflite", "imagenet-mobilenet/pictures_128_x.u8.bin",
     "imagenet-mobilenet/mobilenetv1_025_128_fp32_ref.bin", 1 / 127.5f, -1, 4},
};

static void check_float_task(void **state) {
    const float_task *t = *state;
    ts_arena *arena = ts_arena_new("test", 0);
    ts_diags diags = {.arena = arena};
    ts_fgraph *graph;
    ts_bytes model = shared_file(arena, t->model), x = shared_file(arena, t->samples),
             stored = shared_file(arena, t->stored);
    ts_status status = ts__tflite_float_import(arena, model, "net", &graph, &diags);
    for (uint32_t i = 0; i < diags.list.count; i++) {
        ts_diag_print(stderr, &diags.list.data[i]);
    }
    assert_int_equal(status, TS_OK);
    uint64_t in = ts_ftensor_elements(&graph->tensors.data[graph->inputs.data[0]]),
             out = ts_ftensor_elements(&graph->tensors.data[graph->outputs.data[0]]);
    ts_fsession *session = ts_fsession_new(arena, graph);
    float *input = TS_NEW_ARRAY(arena, float, in), apart = 0;
    uint32_t most = TS_TEST_SANITIZED ? SANITIZED_SAMPLES : t->most;
    for (uint32_t k = 0; k < most; k++) {
        for (uint64_t i = 0; i < in; i++) {
            if (t->scale == 0) {
                memcpy(&input[i], x.data + 4 * (k * in + i), 4);
            } else {
                input[i] = (float)x.data[k * in + i] * t->scale + t->offset;
            }
        }
        ts_fsession_run(session, (const float *const[]){input});
        const float *y = ts_fsession_value(session, graph->outputs.data[0]);
        for (uint64_t i = 0; i < out; i++) {
            float expected;
            memcpy(&expected, stored.data + 4 * (k * out + i), 4);
            apart = fmaxf(apart, fabsf(y[i] - expected));
        }
    }
    print_message("%s: %u samples, outputs up to %g apart\n", t->model, most, (double)apart);
    assert_true(apart < 1e-4f);
    ts_arena_free(arena);
}

int main(void) {
    enum { TASKS = sizeof tasks / sizeof tasks[0] };
    enum { FLOAT_TASKS = sizeof float_tasks / sizeof float_tasks[0] };
    struct CMUnitTest tests[7 + TASKS + FLOAT_TASKS] = {
        cmocka_unit_test(sample_equals_the_reference_kernels),
        cmocka_unit_test(tables_are_close_to_their_functions),
        cmocka_unit_test(movements_equal_the_reference_kernels),
        cmocka_unit_test(damaged_files_are_refused),
        cmocka_unit_test(floats_move_as_written),
        cmocka_unit_test(averages_leave_padding_out),
        cmocka_unit_test(halves_are_read),
    };
    size_t count = 7;
    if (ts_test_shared() == NULL) {
        puts("TESSERA_SHARED names no folder with networks: only the project's own model is tested");
    }
    for (size_t i = 0; i < TASKS && ts_test_shared() != NULL; i++) {
        tests[count++] = (struct CMUnitTest){
            .name = tasks[i].model, .test_func = check_task, .initial_state = (void *)(uintptr_t)&tasks[i]};
    }
    for (size_t i = 0; i < FLOAT_TASKS && ts_test_shared() != NULL; i++) {
        tests[count++] = (struct CMUnitTest){.name = float_tasks[i].model,
                                             .test_func = check_float_task,
                                             .initial_state = (void *)(uintptr_t)&float_tasks[i]};
    }
    return _cmocka_run_group_tests("tflite", tests, count, NULL, NULL);
}
