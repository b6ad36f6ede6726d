/* TensorFlow Lite files: a model made here against the reference kernels' formulas written out; damaged
 * files; and, where they are at hand, the MLPerf Tiny networks. */
#include <math.h>

#include "base/random.h"
#include "flat_maker.h"
#include "harness.h"
#include "model/tflite.h"
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
    ts_status status = ts__tflite_import(arena, tfm_sample(&maker), "sample", &graph, &diags);
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

static ts_status import_alone(const uint8_t *data, size_t size) {
    ts_diags diags = {.arena = ts_arena_new("hostile", 0)};
    ts_graph *graph;
    ts_status status = ts__tflite_import(diags.arena, (ts_bytes){data, size}, "hostile", &graph, &diags);
    assert_true((status == TS_OK) == (ts_diags_errors(&diags) == 0));
    assert_true(ts_arena_peak_bytes() < (size_t)512 << 20);
    ts_arena_free(diags.arena);
    return status;
}

static void damaged_files_are_refused(void **state) {
    (void)state;
    static flat_maker maker;
    ts_bytes file = tfm_sample(&maker);
    ts_random random = ts_random_seed(17);
    for (size_t size = 0; size < file.size; size++) {
        uint8_t *part = malloc(size + 1);
        memcpy(part, file.data, size);
        import_alone(part, size);
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
        free(copy);
    }
    assert_true(refused > 800);
}

/* ---- MLPerf Tiny ---- */

typedef struct task {
    const char *model, *samples, *stored;
    int32_t offset; /* added to a byte of the samples, 0: they are int8 */
    const char *labels;
    uint32_t right;      /* samples classified as labelled, by this arithmetic */
    bool equal_by_float; /* stored outputs are met when each result is rounded in float */
} task;

static const task tasks[] = {
    {"tflm-examples/hello_world_int8.tflite", "tflm-examples/hello_world_x.i8.bin",
     "tflm-examples/hello_world_int8_ref.bin", 0, NULL, 0, true},
    {"mlperf-tiny-kws/dscnn_int8.tflite", "mlperf-tiny-kws/samples_x.i8.bin",
     "mlperf-tiny-kws/dscnn_int8_ref.bin", 0, "mlperf-tiny-kws/samples_y.csv", 599, true},
    {"mlperf-tiny-ic/resnet8_int8.tflite", "mlperf-tiny-ic/samples_x.u8.bin",
     "mlperf-tiny-ic/resnet8_int8_ref.bin", -128, "mlperf-tiny-ic/samples_y.csv", 118, false},
};

static ts_bytes shared_file(ts_arena *arena, const char *name) {
    ts_diags diags = {.arena = arena};
    ts_bytes file;
    char *path = ts_path_join(arena, ts_path_join(arena, ts_test_shared(), "models"), name);
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
        if (node->op == TS_OP_REQUANT) {
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
    return values[g->outputs.data[0]];
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

static void check_task(void **state) {
    const task *t = *state;
    ts_arena *arena = ts_arena_new("test", 0);
    ts_diags diags = {.arena = arena};
    ts_graph *graph;
    ts_bytes model = shared_file(arena, t->model), x = shared_file(arena, t->samples),
             stored = shared_file(arena, t->stored);
    assert_int_equal(ts__tflite_import(arena, model, "net", &graph, &diags), TS_OK);
    const ts_tensor *in = &graph->tensors.data[graph->inputs.data[0]],
                    *out = &graph->tensors.data[graph->outputs.data[0]];
    uint64_t in_count = ts_tensor_elements(in), out_count = ts_tensor_elements(out),
             samples = x.size / in_count;
    int32_t labels[1024], right = 0;
    uint32_t label_count = t->labels == NULL ? 0 : read_labels(shared_file(arena, t->labels), labels, 1024);
    uint64_t agreeing = 0, differing = 0;
    for (uint64_t k = 0; k < samples; k++) {
        ts_arena *own = ts_arena_new("sample", 0);
        int32_t *input = TS_NEW_ARRAY(own, int32_t, in_count), **values, p[64];
        for (uint64_t i = 0; i < in_count; i++) {
            uint8_t byte = x.data[k * in_count + i];
            input[i] = t->offset == 0 ? (int8_t)byte : byte + t->offset;
        }
        const int32_t *inputs[1] = {input};
        assert_int_equal(ts_integer_run(graph, own, inputs, &values, &diags), TS_OK);
        const int32_t *y = values[graph->outputs.data[0]];
        right += k < label_count && largest(y, out_count) == (uint32_t)labels[k];
        const int32_t *f = t->equal_by_float ? run_in_float(graph, own, input) : NULL;
        for (uint64_t i = 0; f != NULL && i < out_count; i++) {
            softmax(out, f, out_count, p);
            int32_t expected = (int8_t)stored.data[k * out_count + i];
            differing += (out_count == 1 ? f[i] : p[i]) != expected;
            agreeing++;
        }
        ts_arena_free(own);
    }
    print_message("%s: %llu samples, %d right, %llu of %llu stored outputs differ\n", t->model,
                  (unsigned long long)samples, right, (unsigned long long)differing,
                  (unsigned long long)agreeing);
    assert_int_equal(differing, 0);
    assert_int_equal(right, t->right);
    ts_arena_free(arena);
}

int main(void) {
    enum { TASKS = sizeof tasks / sizeof tasks[0] };
    struct CMUnitTest tests[2 + TASKS] = {
        cmocka_unit_test(sample_equals_the_reference_kernels),
        cmocka_unit_test(damaged_files_are_refused),
    };
    size_t count = 2;
    if (ts_test_shared() == NULL) {
        puts("TESSERA_SHARED names no folder with networks: only the project's own model is tested");
    }
    for (size_t i = 0; i < TASKS && ts_test_shared() != NULL; i++) {
        tests[count++] = (struct CMUnitTest){
            .name = tasks[i].model, .test_func = check_task, .initial_state = (void *)(uintptr_t)&tasks[i]};
    }
    return _cmocka_run_group_tests("tflite", tests, count, NULL, NULL);
}
