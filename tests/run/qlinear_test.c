/* Operators of ONNX on integers, with quanta of their own: zero points of weights for each output, near each
 * other and far apart, scales for each, turned matrices, and the operators of com.microsoft. Each output is
 * compared with the operator's definition, written out here; the host computes what the reference does. */
#include <math.h>

#include "../model/qdq_maker.h"
#include "harness.h"
#include "model/onnx.h"
#include "num/integer.h"
#include "run/run.h"

enum { SIDE = 5, IN = 3, OUT = 4, TAPS = 9, FEATURES = 24 };

/* Zero points of the outputs: none, one each that leaves 8 bits, one each that does not. */
typedef enum zeros { ALL_ZERO, NEAR, FAR } zeros;

static const char *node_of(maker *m, const char *op, size_t count, const char *const *inputs) {
    Onnx__NodeProto *node = mk_node(m, op, NULL, NULL, NULL);
    node->input = ts_arena_copy(m->arena, inputs, count * sizeof *inputs);
    node->n_input = count;
    return node->output[0];
}

static Onnx__NodeProto *last_node(maker *m) { return m->nodes.data[m->nodes.count - 1]; }

typedef struct weights {
    uint8_t bytes[OUT * FEATURES * TAPS], zero[OUT];
    int32_t values[OUT * FEATURES * TAPS]; /* less the zero points */
    float scales[OUT];
    int32_t bias[OUT];
    const char *codes, *scale_name, *zero_name, *bias_name;
} weights;

/* `inner` weights of each output behind each other; `transposed`: outputs behind each other. */
static void draw(maker *m, ts_random *random, weights *w, zeros kind, uint32_t rank, const int64_t *dims,
                 uint32_t inner, bool transposed) {
    static const uint8_t near[OUT] = {120, 130, 126, 133}, far[OUT] = {0, 255, 128, 7};
    int type = kind == ALL_ZERO ? INT8 : UINT8;
    for (uint32_t o = 0; o < OUT; o++) {
        w->zero[o] = kind == ALL_ZERO ? 0 : kind == NEAR ? near[o] : far[o];
        w->scales[o] = 0.003f + 0.0011f * (float)o;
        w->bias[o] = (int32_t)ts_random_range(random, -900, 900);
    }
    for (uint32_t i = 0; i < OUT * inner; i++) {
        uint32_t o = transposed ? i % OUT : i / inner;
        w->bytes[i] =
            (uint8_t)(kind == NEAR ? ts_random_range(random, 12, 245) : ts_random_range(random, 0, 255));
        int32_t code = type == INT8 ? (int8_t)w->bytes[i] : w->bytes[i];
        w->values[transposed ? o * inner + i / OUT : i] = code - w->zero[o];
    }
    w->codes = qdq_raw(m, "w", type, rank, dims, w->bytes, OUT * inner);
    w->zero_name = qdq_raw(m, "zeros", type, 1, (const int64_t[]){OUT}, w->zero, OUT);
    w->scale_name = qdq_raw(m, "scales", MK_FLOAT, 1, (const int64_t[]){OUT}, w->scales, sizeof w->scales);
    w->bias_name = qdq_raw(m, "bias", INT32, 1, (const int64_t[]){OUT}, w->bias, sizeof w->bias);
}

typedef struct rig {
    ts_arena *arena;
    maker m;
    ts_random random;
    ts_diags diags;
} rig;

static rig new_rig(uint64_t seed) {
    rig r = {.arena = ts_arena_new("test", 0), .random = ts_random_seed(seed)};
    r.m = (maker){.arena = r.arena, .opset = 13};
    r.diags.arena = r.arena;
    return r;
}

static ts_graph *import(rig *r) {
    ts_graph *graph;
    const ts_model_options options = {.input_signed = -1};
    ts_status status = ts__onnx_import(r->arena, mk_pack(&r->m), "net", &options, &graph, &r->diags);
    for (uint32_t i = 0; i < r->diags.list.count && status != TS_OK; i++) {
        ts_diag_print(stderr, &r->diags.list.data[i]);
    }
    assert_int_equal(status, TS_OK);
    for (uint32_t i = 0; i < r->diags.list.count; i++) {
        assert_int_not_equal(r->diags.list.data[i].severity, TS_WARNING);
    }
    return graph;
}

static void run_on_host(rig *r, const ts_graph *graph) {
    ts_run_options options = {.jobs = 2, .seed = 1};
    ts_run_result result = {0};
    assert_int_equal(ts_run_target(r->arena, "host", &options.target, &r->diags), TS_OK);
    ts_status status = ts_run(r->arena, graph, &options, &result, &r->diags);
    for (uint32_t i = 0; i < r->diags.list.count && status != TS_OK; i++) {
        ts_diag_print(stderr, &r->diags.list.data[i]);
    }
    assert_int_equal(status, TS_OK);
    assert_int_equal(result.verified_layers, result.plan->layer_count);
}

static const int32_t *computed(rig *r, const ts_graph *graph, const int32_t *codes) {
    const int32_t *inputs[] = {codes};
    int32_t **values;
    assert_int_equal(ts_integer_run(graph, r->arena, inputs, &values, &r->diags), TS_OK);
    return values[graph->outputs.data[0]];
}

static int32_t requantised(float x, int32_t zero, int32_t low) {
    float code = rintf(x) + (float)zero;
    return (int32_t)fminf(fmaxf(code, (float)low), (float)(low + 255));
}

/* Accumulators of a padded convolution of 3 x 3: x, {1, H, W, C}, less its zero point. */
static int32_t convolved(const int32_t *x, int32_t x_zero, const weights *w, int32_t i) {
    int32_t o = i % OUT, row = i / OUT / SIDE, column = i / OUT % SIDE, acc = 0;
    for (int32_t k = 0; k < IN * TAPS; k++) {
        int32_t r = row + k % TAPS / 3 - 1, c = column + k % 3 - 1;
        bool inside = r >= 0 && r < SIDE && c >= 0 && c < SIDE;
        acc += inside ? w->values[o * IN * TAPS + k] * (x[(r * SIDE + c) * IN + k / TAPS] - x_zero) : 0;
    }
    return acc;
}

static void one_conv(zeros kind, bool bare, bool host) {
    rig r = new_rig(5 + (uint64_t)kind);
    static weights w;
    const float x_scale = 0.02f, y_scale = 0.11f;
    const char *x = mk_input(&r.m, 4, (const int64_t[]){1, IN, SIDE, SIDE});
    const char *xs = qdq_scale(&r.m, x_scale), *xz = qdq_zero(&r.m, UINT8, 7);
    x = mk_node(&r.m, "QuantizeLinear", x, xs, xz)->output[0];
    draw(&r.m, &r.random, &w, kind, 4, (const int64_t[]){OUT, IN, 3, 3}, IN * TAPS, false);
    const char *const integer[] = {x, w.codes, xz, w.zero_name};
    const char *const linear[] = {x,
                                  xs,
                                  xz,
                                  w.codes,
                                  w.scale_name,
                                  w.zero_name,
                                  qdq_scale(&r.m, y_scale),
                                  qdq_zero(&r.m, INT8, -3),
                                  w.bias_name};
    mk_output(&r.m,
              bare ? node_of(&r.m, "ConvInteger", 4, integer) : node_of(&r.m, "QLinearConv", 9, linear));
    mk_ints(&r.m, last_node(&r.m), "pads", 4, (const int64_t[]){1, 1, 1, 1});
    ts_graph *graph = import(&r);
    int32_t codes[SIDE * SIDE * IN], planes[SIDE * SIDE * IN];
    for (int32_t i = 0; i < SIDE * SIDE * IN; i++) {
        codes[i] = (int32_t)ts_random_range(&r.random, 0, 255);
        planes[i % IN * SIDE * SIDE + i / IN] = codes[i];
    }
    bool in_file_order = graph->tensors.data[graph->inputs.data[0]].dims[1] == IN;
    const int32_t *got = computed(&r, graph, in_file_order ? planes : codes);
    bool out_in_file_order = graph->tensors.data[graph->outputs.data[0]].dims[1] == OUT;
    for (int32_t i = 0; i < SIDE * SIDE * OUT; i++) {
        int32_t acc = convolved(codes, 7, &w, i), o = i % OUT;
        float factor = x_scale * w.scales[o] / y_scale;
        int32_t from = out_in_file_order ? o * SIDE * SIDE + i / OUT : i;
        assert_int_equal(got[from], bare ? acc : requantised((float)(acc + w.bias[o]) * factor, -3, -128));
    }
    if (host) {
        run_on_host(&r, graph);
    }
    ts_arena_free(r.arena);
}

typedef enum matrix_form { INTEGER, LINEAR, GEMM, GEMM_TURNED } matrix_form;

static void one_product(zeros kind, matrix_form form, bool host) {
    rig r = new_rig(11 + (uint64_t)kind);
    static weights w;
    const float x_scale = 0.02f, y_scale = 0.07f;
    bool turned = form == GEMM_TURNED;
    const char *x = mk_input(&r.m, 2, (const int64_t[]){1, FEATURES});
    const char *xs = qdq_scale(&r.m, x_scale), *xz = qdq_zero(&r.m, UINT8, 99);
    x = mk_node(&r.m, "QuantizeLinear", x, xs, xz)->output[0];
    draw(&r.m, &r.random, &w, kind, 2,
         turned ? (const int64_t[]){OUT, FEATURES} : (const int64_t[]){FEATURES, OUT}, FEATURES, !turned);
    const char *ys = qdq_scale(&r.m, y_scale), *yz = qdq_zero(&r.m, UINT8, 120);
    const char *const integer[] = {x, w.codes, xz, w.zero_name};
    const char *const linear[] = {x, xs, xz, w.codes, w.scale_name, w.zero_name, ys, yz};
    const char *const gemm[] = {x, xs, xz, w.codes, w.scale_name, w.zero_name, w.bias_name, ys, yz};
    mk_output(&r.m, form == INTEGER  ? node_of(&r.m, "MatMulInteger", 4, integer)
                    : form == LINEAR ? node_of(&r.m, "QLinearMatMul", 8, linear)
                                     : node_of(&r.m, "QGemm", 9, gemm));
    if (turned) {
        mk_int(&r.m, last_node(&r.m), "transB", 1);
    }
    ts_graph *graph = import(&r);
    int32_t codes[FEATURES];
    for (int32_t i = 0; i < FEATURES; i++) {
        codes[i] = (int32_t)ts_random_range(&r.random, 0, 255);
    }
    const int32_t *got = computed(&r, graph, codes);
    for (int32_t o = 0; o < OUT; o++) {
        int32_t acc = 0;
        for (int32_t i = 0; i < FEATURES; i++) {
            acc += (codes[i] - 99) * w.values[o * FEATURES + i];
        }
        acc += form == GEMM || turned ? w.bias[o] : 0;
        float factor = x_scale * w.scales[o] / y_scale;
        assert_int_equal(got[o], form == INTEGER ? acc : requantised((float)acc * factor, 120, 0));
    }
    if (host) {
        run_on_host(&r, graph);
    }
    ts_arena_free(r.arena);
}

static void weights_have_zero_points_of_their_own(void **state) {
    (void)state;
    for (int kind = ALL_ZERO; kind <= FAR; kind++) {
        one_conv((zeros)kind, true, false);
        one_conv((zeros)kind, false, kind == FAR);
        for (int form = INTEGER; form <= GEMM_TURNED; form++) {
            one_product((zeros)kind, (matrix_form)form, kind == FAR && form == GEMM_TURNED);
        }
    }
}

/* ---- operators of com.microsoft ---- */

enum { H = 4, W = 6, C = 3, MAP = H * W * C };

typedef struct map {
    int32_t codes[2 * MAP], zero, low;
    float scale;
} map;

static float real(const map *x, int32_t i) { return (float)(x->codes[i] - x->zero) * x->scale; }

static void quantise(map *y, int32_t i, float v) { y->codes[i] = requantised(v / y->scale, y->zero, y->low); }

/* Adds the operator with its quanta: inputs x (and b), then y's. */
static const char *quantised(maker *m, const char *op, const char *x, const map *of, const char *b,
                             const map *b_of, const map *y) {
    const char *inputs[8];
    size_t n = 0;
    inputs[n++] = x;
    inputs[n++] = qdq_scale(m, of->scale);
    inputs[n++] = qdq_zero(m, of->low < 0 ? INT8 : UINT8, of->zero);
    if (b != NULL) {
        inputs[n++] = b;
        inputs[n++] = qdq_scale(m, b_of->scale);
        inputs[n++] = qdq_zero(m, b_of->low < 0 ? INT8 : UINT8, b_of->zero);
    }
    inputs[n++] = qdq_scale(m, y->scale);
    inputs[n++] = qdq_zero(m, y->low < 0 ? INT8 : UINT8, y->zero);
    const char *out = node_of(m, op, n, inputs);
    last_node(m)->domain = mk_text(m, "com.microsoft");
    return out;
}

static const char *joined(maker *m, const char *a, const map *a_of, const char *b, const map *b_of,
                          const map *y) {
    const char *const inputs[] = {qdq_scale(m, y->scale),    qdq_zero(m, UINT8, y->zero),    a,
                                  qdq_scale(m, a_of->scale), qdq_zero(m, UINT8, a_of->zero), b,
                                  qdq_scale(m, b_of->scale), qdq_zero(m, UINT8, b_of->zero)};
    const char *out = node_of(m, "QLinearConcat", 8, inputs);
    last_node(m)->domain = mk_text(m, "com.microsoft");
    mk_int(m, last_node(m), "axis", 1);
    return out;
}

/* What each operator's result is, by its definition: one code beside where floats are added. */
static void compare(rig *r, const ts_graph *graph, int32_t *const *values, uint32_t output, const map *y,
                    int32_t h, int32_t w, int32_t c, int32_t apart) {
    const int32_t *got = values[graph->outputs.data[output]];
    const ts_tensor *t = &graph->tensors.data[graph->outputs.data[output]];
    bool file_order = t->dims[1] == (uint32_t)c && c != h;
    (void)r;
    assert_int_equal(ts_tensor_elements(t), h * w * c);
    for (int32_t i = 0; i < h * w * c; i++) {
        int32_t from = file_order ? i % c * h * w + i / c : i;
        if (abs(got[from] - y->codes[i]) > apart) {
            fail_msg("output %u, element %d is %d; %d is right", output, i, got[from], y->codes[i]);
        }
    }
}

static void operators_of_the_runtime_equal_their_definitions(void **state) {
    (void)state;
    static map x = {.zero = 117, .scale = 0.03f}, leaky = {.zero = 40, .scale = 0.027f},
               gate = {.zero = 0, .scale = 1.0f / 256}, product = {.zero = 60, .scale = 0.021f},
               sum = {.zero = 90, .scale = 0.05f}, both = {.zero = 80, .scale = 0.047f},
               mean = {.zero = 79, .scale = 0.044f}, global = {.zero = 81, .scale = 0.03f},
               share = {.zero = -128, .low = -128, .scale = 1.0f / 256};
    rig r = new_rig(3);
    maker *m = &r.m;
    const char *in = mk_input(m, 4, (const int64_t[]){1, C, H, W});
    const char *a =
        mk_node(m, "QuantizeLinear", in, qdq_scale(m, x.scale), qdq_zero(m, UINT8, x.zero))->output[0];
    const char *l = quantised(m, "QLinearLeakyRelu", a, &x, NULL, NULL, &leaky);
    mk_float(m, last_node(m), "alpha", 0.3f);
    const char *g = quantised(m, "QLinearSigmoid", l, &leaky, NULL, NULL, &gate);
    const char *p = quantised(m, "QLinearMul", l, &leaky, g, &gate, &product);
    const char *s = quantised(m, "QLinearAdd", p, &product, a, &x, &sum);
    const char *j = joined(m, s, &sum, p, &product, &both);
    const char *pooled = quantised(m, "QLinearAveragePool", j, &both, NULL, NULL, &mean);
    mk_ints(m, last_node(m), "kernel_shape", 2, (const int64_t[]){2, 3});
    mk_ints(m, last_node(m), "strides", 2, (const int64_t[]){2, 3});
    mk_int(m, last_node(m), "channels_last", 0);
    const char *whole = quantised(m, "QLinearGlobalAveragePool", pooled, &mean, NULL, NULL, &global);
    mk_int(m, last_node(m), "channels_last", 0);
    const char *const outputs[] = {l, g, p, s, j, pooled, whole};
    for (uint32_t i = 0; i < sizeof outputs / sizeof outputs[0]; i++) {
        mk_output(m, outputs[i]);
    }
    /* Behind the last tensor that integers compute the softmax is left out. */
    const char *flat = mk_node(m, "Flatten", whole, NULL, NULL)->output[0];
    mk_output(m, quantised(m, "QLinearSoftmax", flat, &global, NULL, NULL, &share));
    ts_graph *graph = import(&r);
    int32_t planes[MAP], **values;
    for (int32_t i = 0; i < MAP; i++) {
        x.codes[i] = (int32_t)ts_random_range(&r.random, 0, 255);
        planes[i % C * H * W + i / C] = x.codes[i];
    }
    bool in_file_order = graph->tensors.data[graph->inputs.data[0]].dims[1] == C;
    const int32_t *inputs[] = {in_file_order ? planes : x.codes};
    assert_int_equal(ts_integer_run(graph, r.arena, inputs, &values, &r.diags), TS_OK);
    for (int32_t i = 0; i < MAP; i++) {
        float v = real(&x, i);
        quantise(&leaky, i, v >= 0 ? v : 0.3f * v);
        quantise(&gate, i, 1.0f / (1.0f + expf(-real(&leaky, i))));
        quantise(&product, i, real(&leaky, i) * real(&gate, i));
        quantise(&sum, i, real(&product, i) + real(&x, i));
        quantise(&both, i / C * 2 * C + i % C, real(&sum, i));
        quantise(&both, i / C * 2 * C + C + i % C, real(&product, i));
    }
    for (int32_t i = 0; i < H / 2 * W / 3 * 2 * C; i++) {
        int32_t c = i % (2 * C), column = i / (2 * C) % (W / 3), row = i / (2 * C) / (W / 3);
        float total = 0;
        for (int32_t k = 0; k < 6; k++) {
            total += real(&both, ((2 * row + k / 3) * W + 3 * column + k % 3) * 2 * C + c);
        }
        quantise(&mean, i, total / 6);
    }
    for (int32_t c = 0; c < 2 * C; c++) {
        float total = 0;
        for (int32_t i = 0; i < 4; i++) {
            total += real(&mean, i * 2 * C + c);
        }
        quantise(&global, c, total / 4);
    }
    compare(&r, graph, values, 0, &leaky, H, W, C, 0);
    compare(&r, graph, values, 1, &gate, H, W, C, 0);
    compare(&r, graph, values, 2, &product, H, W, C, 1);
    compare(&r, graph, values, 3, &sum, H, W, C, 2);
    compare(&r, graph, values, 4, &both, H, W, 2 * C, 2);
    compare(&r, graph, values, 5, &mean, 2, 2, 2 * C, 2);
    compare(&r, graph, values, 6, &global, 1, 1, 2 * C, 2);
    run_on_host(&r, graph);
    ts_arena_free(r.arena);
}

/* ---- what the static quantiser of that runtime writes ---- */

/* Activations of u8, weights of s8 by channel, biases dequantised by channel, a Relu or Clip before the
 * quantisation. */
static void quantiser_forms_are_read(void **state) {
    (void)state;
    for (int form = 0; form < 3; form++) {
        rig r = new_rig(21 + (uint64_t)form);
        static weights w;
        const float x_scale = 0.02f, y_scale = 0.031f;
        float units[OUT];
        const char *x =
            qdq_both(&r.m, mk_input(&r.m, 4, (const int64_t[]){1, IN, SIDE, SIDE}), x_scale, UINT8, 7);
        draw(&r.m, &r.random, &w, ALL_ZERO, 4, (const int64_t[]){OUT, IN, 3, 3}, IN * TAPS, false);
        Onnx__NodeProto *kernel = mk_node(&r.m, "DequantizeLinear", w.codes, w.scale_name, w.zero_name);
        mk_int(&r.m, kernel, "axis", 0);
        for (int o = 0; o < OUT; o++) {
            units[o] = x_scale * w.scales[o];
        }
        static const int32_t none[OUT];
        const char *unit = qdq_raw(&r.m, "units", MK_FLOAT, 1, (const int64_t[]){OUT}, units, sizeof units);
        const char *zero = qdq_raw(&r.m, "none", INT32, 1, (const int64_t[]){OUT}, none, sizeof none);
        Onnx__NodeProto *bias = mk_node(&r.m, "DequantizeLinear", w.bias_name, unit, zero);
        mk_int(&r.m, bias, "axis", 0);
        Onnx__NodeProto *conv = mk_node(&r.m, "Conv", x, kernel->output[0], bias->output[0]);
        mk_ints(&r.m, conv, "pads", 4, (const int64_t[]){1, 1, 1, 1});
        const char *y = conv->output[0];
        if (form == 1) {
            y = mk_node(&r.m, "Relu", y, NULL, NULL)->output[0];
        } else if (form == 2) {
            y = mk_node(&r.m, "Clip", y, qdq_scale(&r.m, 0), qdq_scale(&r.m, 6))->output[0];
        }
        mk_output(&r.m, qdq_both(&r.m, y, y_scale, UINT8, form == 0 ? 100 : 0));
        ts_graph *graph = import(&r);
        int32_t codes[SIDE * SIDE * IN], planes[SIDE * SIDE * IN];
        for (int32_t i = 0; i < SIDE * SIDE * IN; i++) {
            codes[i] = (int32_t)ts_random_range(&r.random, 0, 255);
            planes[i % IN * SIDE * SIDE + i / IN] = codes[i];
        }
        bool in_file_order = graph->tensors.data[graph->inputs.data[0]].dims[1] == IN;
        const int32_t *got = computed(&r, graph, in_file_order ? planes : codes);
        bool out_in_order = graph->tensors.data[graph->outputs.data[0]].dims[1] == OUT;
        for (int32_t i = 0; i < SIDE * SIDE * OUT; i++) {
            int32_t acc = convolved(codes, 7, &w, i) + w.bias[i % OUT], high = (int32_t)rintf(6 / y_scale);
            int32_t code = requantised((float)acc * (units[i % OUT] / y_scale), form == 0 ? 100 : 0, 0);
            code = form == 2 && code > high ? high : code;
            assert_int_equal(got[out_in_order ? i % OUT * SIDE * SIDE + i / OUT : i], code);
        }
        ts_arena_free(r.arena);
    }
}

static void refused(rig *r, const char *text) {
    ts_graph *graph;
    const ts_model_options options = {.input_signed = -1};
    assert_int_equal(ts__onnx_import(r->arena, mk_pack(&r->m), "net", &options, &graph, &r->diags),
                     TS_BAD_INPUT);
    assert_non_null(strstr(r->diags.list.data[r->diags.list.count - 1].text, text));
    ts_arena_free(r->arena);
}

static void what_is_not_served_is_named(void **state) {
    (void)state;
    static map x = {.zero = 3, .scale = 0.1f};
    rig r = new_rig(1);
    const char *in = mk_input(&r.m, 4, (const int64_t[]){1, 4, 4, 4});
    in = mk_node(&r.m, "QuantizeLinear", in, qdq_scale(&r.m, x.scale), qdq_zero(&r.m, UINT8, x.zero))
             ->output[0];
    mk_output(&r.m, quantised(&r.m, "QLinearGlobalAveragePool", in, &x, NULL, NULL, &x));
    mk_int(&r.m, last_node(&r.m), "channels_last", 1);
    refused(&r, "channels_last");
    r = new_rig(2);
    static weights w;
    in = qdq_both(&r.m, mk_input(&r.m, 2, (const int64_t[]){1, FEATURES}), 0.1f, UINT8, 3);
    draw(&r.m, &r.random, &w, ALL_ZERO, 2, (const int64_t[]){FEATURES, OUT}, FEATURES, true);
    Onnx__NodeProto *blocks = mk_node(&r.m, "DequantizeLinear", w.codes, w.scale_name, NULL);
    mk_int(&r.m, blocks, "axis", 1);
    mk_int(&r.m, blocks, "block_size", 8);
    mk_output(&r.m, qdq_both(&r.m, mk_node(&r.m, "MatMul", in, blocks->output[0], NULL)->output[0], 0.1f,
                             UINT8, 0));
    refused(&r, "each block");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(weights_have_zero_points_of_their_own),
        cmocka_unit_test(operators_of_the_runtime_equal_their_definitions),
        cmocka_unit_test(quantiser_forms_are_read),
        cmocka_unit_test(what_is_not_served_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
