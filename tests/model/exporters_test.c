/* Float networks as exporters write them: shape arithmetic, layouts at the border, operators taken apart.
 * Each is read, and must come out of the quantiser's normal form as it went in, and close to it as integers.
 */
#include <math.h>

#include "base/random.h"
#include "model/float_model.h"
#include "num/float.h"
#include "num/integer.h"
#include "onnx_maker.h"
#include "quant/quantize.h"

enum { SAMPLES = 24 };

typedef struct rig {
    maker m;
    ts_random random;
    ts_diags diags;
} rig;

static rig new_rig(int64_t opset) {
    rig r = {.m = {.arena = ts_arena_new("test", 0), .opset = opset},
             .random = ts_random_seed((uint64_t)opset)};
    r.diags.arena = r.m.arena;
    return r;
}

/* A constant of small whole numbers, drawn from [low, high]. */
static const char *draw(rig *r, uint32_t rank, const int64_t *dims, int64_t low, int64_t high) {
    int64_t values[4096];
    size_t count = 1;
    for (uint32_t d = 0; d < rank; d++) {
        count *= (size_t)dims[d];
    }
    assert_true(count <= 4096);
    for (size_t i = 0; i < count; i++) {
        values[i] = ts_random_range(&r->random, low, high);
    }
    return mk_initializer(&r->m, "p", MK_FLOAT, rank, dims, values);
}

static const char *whole(rig *r, uint32_t count, const int64_t *values) {
    const int64_t dims[] = {count};
    return mk_initializer(&r->m, "k", MK_INT64, 1, dims, values);
}

static const char *scalar(rig *r, int64_t value) {
    return mk_initializer(&r->m, "s", MK_FLOAT, 0, NULL, &value);
}

static Onnx__NodeProto *conv_node(rig *r, const char *x, int64_t in, int64_t out, int64_t kernel,
                                  int64_t stride) {
    const int64_t dims[] = {out, in, kernel, kernel}, kernels[] = {kernel, kernel},
                  strides[] = {stride, stride};
    Onnx__NodeProto *n = mk_node(&r->m, "Conv", x, draw(r, 4, dims, -2, 2), NULL);
    mk_ints(&r->m, n, "kernel_shape", 2, kernels);
    mk_ints(&r->m, n, "strides", 2, strides);
    return n;
}

static const char *conv(rig *r, const char *x, int64_t in, int64_t out) {
    const int64_t pads[] = {1, 1, 1, 1};
    Onnx__NodeProto *n = conv_node(r, x, in, out, 3, 1);
    mk_ints(&r->m, n, "pads", 4, pads);
    return n->output[0];
}

static const char *one(rig *r, const char *op, const char *x) {
    return mk_node(&r->m, op, x, NULL, NULL)->output[0];
}

static const char *two(rig *r, const char *op, const char *a, const char *b) {
    return mk_node(&r->m, op, a, b, NULL)->output[0];
}

static const char *batch_norm(rig *r, const char *x, int64_t channels) {
    Onnx__NodeProto *n =
        mk_node(&r->m, "BatchNormalization", x, draw(r, 1, &channels, 1, 3), draw(r, 1, &channels, -2, 2));
    char **inputs = TS_NEW_ARRAY(r->m.arena, char *, 5);
    memcpy(inputs, n->input, 3 * sizeof *inputs);
    inputs[3] = mk_text(&r->m, draw(r, 1, &channels, -2, 2));
    inputs[4] = mk_text(&r->m, draw(r, 1, &channels, 4, 30));
    n->input = inputs;
    n->n_input = 5;
    mk_float(&r->m, n, "epsilon", 1e-3f);
    mk_float(&r->m, n, "momentum", 0.9f);
    return n->output[0];
}

static const char *transpose(rig *r, const char *x, uint32_t rank, const int64_t *perm) {
    Onnx__NodeProto *n = mk_node(&r->m, "Transpose", x, NULL, NULL);
    mk_ints(&r->m, n, "perm", rank, perm);
    return n->output[0];
}

static const char *gemm(rig *r, const char *x, int64_t in, int64_t out) {
    const int64_t dims[] = {out, in};
    Onnx__NodeProto *n = mk_node(&r->m, "Gemm", x, draw(r, 2, dims, -3, 3), draw(r, 1, &out, -20, 20));
    mk_int(&r->m, n, "transB", 1);
    return n->output[0];
}

static const char *squeeze(rig *r, const char *op, const char *x, uint32_t count, const int64_t *axes) {
    if (r->m.opset >= 13) {
        return two(r, op, x, whole(r, count, axes));
    }
    Onnx__NodeProto *n = mk_node(&r->m, op, x, NULL, NULL);
    mk_ints(&r->m, n, "axes", count, axes);
    return n->output[0];
}

static ts_data samples_for(rig *r, const ts_qnet *net) {
    uint32_t count = net->h * net->w * net->c;
    float *x = TS_NEW_ARRAY(r->m.arena, float, SAMPLES *count);
    uint32_t *order = TS_NEW_ARRAY(r->m.arena, uint32_t, SAMPLES);
    double *mean = TS_NEW_ARRAY(r->m.arena, double, net->c),
           *scale = TS_NEW_ARRAY(r->m.arena, double, net->c);
    for (uint32_t i = 0; i < SAMPLES * count; i++) {
        x[i] = (float)ts_random_range(&r->random, -100, 100) / 100.0f;
        order[i % SAMPLES] = i % SAMPLES;
        scale[i % net->c] = 1;
    }
    ts_data d = {.count = SAMPLES, .h = net->h, .w = net->w, .c = net->c, .type = TS_DATA_F32, .samples = x};
    d.order = order;
    d.preprocess = (ts_preprocess){.count = net->c, .mean = mean, .scale = scale};
    return d;
}

static void said(rig *r, ts_status status) {
    for (uint32_t i = 0; status != TS_OK && i < r->diags.list.count; i++) {
        ts_diag_print(stdout, &r->diags.list.data[i]);
    }
    assert_int_equal(status, TS_OK);
}

/* Elements of sample i as the graph's input wants them. */
static const float *input_of(rig *r, const ts_fgraph *graph, const ts_data *data, uint32_t i) {
    const ts_ftensor *in = &graph->tensors.data[graph->inputs.data[0]];
    float *x = TS_NEW_ARRAY(r->m.arena, float, ts_ftensor_elements(in));
    ts_data_sample(data, i, in, TS_NEW_ARRAY(r->m.arena, float, ts_data_scratch(data)), x);
    return x;
}

static const float *run(rig *r, const ts_fgraph *graph, const ts_data *data, uint32_t i) {
    ts_fsession *session = ts_fsession_new(r->m.arena, graph);
    ts_fsession_run(session, (const float *const[]){input_of(r, graph, data, i)});
    return ts_fsession_value(session, graph->outputs.data[0]);
}

static const int32_t *run_integer(rig *r, const ts_graph *graph, const ts_fgraph *layers, const ts_data *data,
                                  uint32_t i) {
    const ts_tensor *in = &graph->tensors.data[graph->inputs.data[0]];
    int32_t *x = TS_NEW_ARRAY(r->m.arena, int32_t, ts_tensor_elements(in)), **values;
    ts_quantize_input(in, in->quantum.scale[0], input_of(r, layers, data, i), x);
    said(r, ts_integer_run(graph, r->m.arena, (const int32_t *const[]){x}, &values, &r->diags));
    return values[graph->outputs.data[0]];
}

/* Reads the network that ends with `output`, and compares float, normal form and integers. */
static void judge(rig *r, const char *name, const char *output, uint32_t outputs) {
    ts_fgraph *graph, *layers;
    ts_qnet *net;
    ts_quant *quant;
    ts_graph *integer;
    ts_quant_options options = ts_quant_defaults();
    mk_output(&r->m, output);
    said(r, ts_float_model_parse(r->m.arena, mk_pack(&r->m), name, NULL, &graph, &r->diags));
    ts_fgraph_fold(graph);
    said(r, ts_qnet_read(r->m.arena, graph, &net, &r->diags));
    ts_data data = samples_for(r, net);
    said(r, ts_quant_float(r->m.arena, net, NULL, TS_STAGE_FP, &layers, &r->diags));
    said(r, ts_quantize(r->m.arena, net, &data, &options, NULL, &quant, &r->diags));
    said(r, ts_quant_integer(r->m.arena, quant, &integer, &r->diags));
    double signal = 0, noise = 0, scale = quant->values[net->outputs.data[0]].scale;
    for (uint32_t i = 0; i < SAMPLES; i++) {
        const float *a = run(r, graph, &data, i), *b = run(r, layers, &data, i);
        const int32_t *c = run_integer(r, integer, layers, &data, i);
        for (uint32_t k = 0; k < outputs; k++) {
            double error = (double)a[k] - c[k] * scale;
            assert_true(fabsf(a[k] - b[k]) <= 1e-3f * (1.0f + fabsf(a[k])));
            signal += (double)a[k] * (double)a[k];
            noise += error * error;
        }
    }
    printf("%s: %u layers, %.1f dB\n", name, net->layers.count, 10 * log10(signal / noise));
    assert_true(signal > 100 * noise);
    ts_arena_free(r->m.arena);
}

/* x.view(x.size(0), -1), by the arithmetic that PyTorch traces. */
static void views_by_shape_arithmetic(void **state) {
    static const int64_t opsets[] = {9, 11, 13, 17}, dims[] = {1, 3, 8, 8}, zero = 0, minus[] = {-1};
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        rig r = new_rig(opsets[i]);
        const int64_t kernel[] = {2, 2};
        const char *x = one(&r, "Relu", conv(&r, mk_input(&r.m, 4, dims), 3, 6));
        Onnx__NodeProto *pool = mk_node(&r.m, "MaxPool", x, NULL, NULL);
        mk_ints(&r.m, pool, "kernel_shape", 2, kernel);
        mk_ints(&r.m, pool, "strides", 2, kernel);
        x = pool->output[0];
        const char *index = mk_constant(&r.m, MK_INT64, 0, NULL, &zero);
        Onnx__NodeProto *size = mk_node(&r.m, "Gather", one(&r, "Shape", x), index, NULL);
        mk_int(&r.m, size, "axis", 0);
        const char *batch = squeeze(&r, "Unsqueeze", size->output[0], 1, &zero);
        Onnx__NodeProto *shape = mk_node(&r.m, "Concat", batch, whole(&r, 1, minus), NULL);
        mk_int(&r.m, shape, "axis", 0);
        x = two(&r, "Reshape", x, shape->output[0]);
        judge(&r, "view", gemm(&r, x, 96, 5), 5);
    }
}

/* Channels last outside, SAME padding, the bias an Add, the dense layer a MatMul and an Add. */
static void transposes_at_the_border(void **state) {
    static const int64_t dims[] = {1, 9, 9, 3}, in[] = {0, 3, 1, 2}, out[] = {0, 2, 3, 1}, flat[] = {1, 200},
                         wide[] = {200, 4};
    static const int64_t opsets[] = {7, 10, 15}, bias[] = {1, 8, 1, 1}, classes = 4;
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        rig r = new_rig(opsets[i]);
        const char *x = transpose(&r, mk_input(&r.m, 4, dims), 4, in);
        Onnx__NodeProto *n = conv_node(&r, x, 3, 8, 3, 2);
        mk_string(&r.m, n, "auto_pad", i == 1 ? "SAME_LOWER" : "SAME_UPPER");
        x = one(&r, "Relu", two(&r, "Add", n->output[0], draw(&r, 4, bias, -3, 3)));
        x = two(&r, "Reshape", transpose(&r, x, 4, out), whole(&r, 2, flat));
        x = two(&r, "Add", two(&r, "MatMul", x, draw(&r, 2, wide, -2, 2)), draw(&r, 1, &classes, -9, 9));
        judge(&r, "channels last", x, 4);
    }
}

/* Batch norm behind a sum, clips with bounds as inputs, a mean without kept dimensions. */
static void residual_blocks_of_keras(void **state) {
    static const int64_t dims[] = {1, 4, 8, 8}, axes[] = {-2, -1};
    (void)state;
    for (int64_t opset = 11; opset <= 17; opset += 2) {
        rig r = new_rig(opset);
        const char *x = one(&r, "Relu", batch_norm(&r, conv(&r, mk_input(&r.m, 4, dims), 4, 8), 8));
        const char *y = two(&r, "Add", x, conv(&r, x, 8, 8));
        y = mk_node(&r.m, "Clip", batch_norm(&r, y, 8), scalar(&r, 0), scalar(&r, 6))->output[0];
        y = mk_node(&r.m, "Clip", conv(&r, y, 8, 6), scalar(&r, -1), NULL)->output[0];
        Onnx__NodeProto *mean = mk_node(&r.m, "ReduceMean", y, NULL, NULL);
        mk_ints(&r.m, mean, "axes", 2, axes);
        mk_int(&r.m, mean, "keepdims", 0);
        judge(&r, "keras residual", gemm(&r, mean->output[0], 6, 3), 3);
    }
}

/* Conv1D as a convolution over one row, between Unsqueeze and Squeeze. */
static void one_dimension_in_two(void **state) {
    static const int64_t dims[] = {1, 20, 4}, turn[] = {0, 2, 1}, axis = 2, weights[] = {6, 4, 1, 5},
                         kernel[] = {1, 5};
    static const int64_t opsets[] = {9, 13};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        rig r = new_rig(opsets[i]);
        const char *x = squeeze(&r, "Unsqueeze", transpose(&r, mk_input(&r.m, 3, dims), 3, turn), 1, &axis);
        Onnx__NodeProto *n = mk_node(&r.m, "Conv", x, draw(&r, 4, weights, -2, 2), NULL);
        mk_ints(&r.m, n, "kernel_shape", 2, kernel);
        x = one(&r, "Relu", squeeze(&r, "Squeeze", n->output[0], 1, &axis));
        x = one(&r, "Flatten", one(&r, "GlobalAveragePool", x));
        judge(&r, "one dimension", gemm(&r, x, 6, 3), 3);
    }
}

/* Pads of their own, with and without a value, before a convolution and before a pooling of signed numbers.
 */
static void pads_stand_alone(void **state) {
    static const int64_t dims[] = {1, 3, 7, 7}, pads[] = {0, 0, 0, 1, 0, 0, 1, 1}, kernel[] = {2, 2};
    (void)state;
    for (int64_t opset = 9; opset <= 13; opset += 2) {
        rig r = new_rig(opset);
        const char *x = mk_input(&r.m, 4, dims);
        for (uint32_t k = 0; k < 2; k++) {
            if (opset < 11) {
                Onnx__NodeProto *pad = mk_node(&r.m, "Pad", x, NULL, NULL);
                mk_ints(&r.m, pad, "pads", 8, pads);
                mk_string(&r.m, pad, "mode", "constant");
                x = pad->output[0];
            } else {
                x = mk_node(&r.m, "Pad", x, whole(&r, 8, pads), k == 0 ? scalar(&r, 0) : NULL)->output[0];
            }
            if (k == 0) {
                x = conv_node(&r, x, 3, 5, 3, 1)->output[0];
            }
        }
        Onnx__NodeProto *pool = mk_node(&r.m, "MaxPool", x, NULL, NULL);
        mk_ints(&r.m, pool, "kernel_shape", 2, kernel);
        mk_ints(&r.m, pool, "strides", 2, kernel);
        x = one(&r, "Flatten", one(&r, "GlobalMaxPool", pool->output[0]));
        judge(&r, "pads", gemm(&r, x, 5, 4), 4);
    }
}

/* Normalisation of the input by channel, dropouts, identities, casts; weights behind a transposition. */
static void what_changes_nothing(void **state) {
    static const int64_t dims[] = {1, 3, 6, 6}, channel[] = {3, 1, 1}, turned[] = {4, 8}, swap[] = {1, 0},
                         rows[] = {0, -1};
    (void)state;
    for (int64_t opset = 8; opset <= 16; opset += 4) {
        rig r = new_rig(opset);
        const char *x = two(&r, "Sub", mk_input(&r.m, 4, dims), draw(&r, 3, channel, -1, 1));
        x = two(&r, "Div", x, draw(&r, 3, channel, 1, 3));
        x = one(&r, "Identity", one(&r, "Dropout", one(&r, "Relu", conv(&r, x, 3, 8))));
        Onnx__NodeProto *cast = mk_node(&r.m, "Cast", x, NULL, NULL);
        mk_int(&r.m, cast, "to", MK_FLOAT);
        x = two(&r, "Reshape", one(&r, "GlobalAveragePool", cast->output[0]), whole(&r, 2, rows));
        x = two(&r, "MatMul", x, transpose(&r, draw(&r, 2, turned, -3, 3), 2, swap));
        judge(&r, "nothing", x, 4);
    }
}

/* Channels in two halves, each on its way, and joined again. */
static void halves_are_split_and_joined(void **state) {
    static const int64_t dims[] = {1, 4, 6, 6}, sizes[] = {4, 4};
    (void)state;
    for (int64_t opset = 11; opset <= 13; opset += 2) {
        rig r = new_rig(opset);
        const char *x = one(&r, "Relu", conv(&r, mk_input(&r.m, 4, dims), 4, 8));
        Onnx__NodeProto *split = mk_node(&r.m, "Split", x, opset < 13 ? NULL : whole(&r, 2, sizes), NULL);
        char **parts = TS_NEW_ARRAY(r.m.arena, char *, 2);
        parts[0] = split->output[0];
        parts[1] = mk_name(&r.m, "half");
        split->output = parts;
        split->n_output = 2;
        mk_int(&r.m, split, "axis", 1);
        if (opset < 13) {
            mk_ints(&r.m, split, "split", 2, sizes);
        }
        Onnx__NodeProto *join =
            mk_node(&r.m, "Concat", parts[0], one(&r, "HardSigmoid", conv(&r, parts[1], 4, 4)), NULL);
        mk_int(&r.m, join, "axis", 1);
        x = one(&r, "Flatten", one(&r, "GlobalAveragePool", join->output[0]));
        judge(&r, "halves", gemm(&r, x, 8, 3), 3);
    }
}

static const char *mean_pool(rig *r, const char *x, const char *automatic, const int64_t *pads, int64_t ceil,
                             int64_t count) {
    const int64_t kernel[] = {3, 3}, strides[] = {2, 2};
    Onnx__NodeProto *n = mk_node(&r->m, "AveragePool", x, NULL, NULL);
    mk_ints(&r->m, n, "kernel_shape", 2, kernel);
    mk_ints(&r->m, n, "strides", 2, strides);
    if (automatic != NULL) {
        mk_string(&r->m, n, "auto_pad", automatic);
    } else {
        mk_ints(&r->m, n, "pads", 4, pads);
    }
    if (r->m.opset >= 10) {
        mk_int(&r->m, n, "ceil_mode", ceil);
    }
    mk_int(&r->m, n, "count_include_pad", count);
    return n->output[0];
}

/* Average pools with every divisor that files have, between convolutions. */
static void means_at_the_border(void **state) {
    static const int64_t dims[] = {1, 4, 8, 8}, none[4] = {0}, all[] = {1, 1, 1, 1};
    (void)state;
    for (int64_t variant = 0; variant < 7; variant++) {
        rig r = new_rig(variant < 2 ? 7 : 11);
        const char *automatic = variant == 0 ? "SAME_UPPER" : variant == 1 ? "SAME_LOWER" : NULL;
        const char *x = one(&r, "Relu", conv(&r, mk_input(&r.m, 4, dims), 4, 6));
        x = mean_pool(&r, x, automatic, variant == 2 ? none : all, variant != 3 && variant != 4,
                      variant == 4 || variant == 6);
        x = one(&r, "Relu", conv(&r, x, 6, 4));
        x = one(&r, "Flatten", one(&r, "GlobalAveragePool", x));
        judge(&r, "mean at the border", gemm(&r, x, 4, 3), 3);
    }
}

/* With ceil_mode, the pads of the file count in the divisor and what it adds to them does not. */
static void added_pads_do_not_count(void **state) {
    static const int64_t dims[] = {1, 1, 4, 4}, all[] = {1, 1, 1, 1};
    static const float right[] = {2 / 3.0f, 1, 0.5f};
    float ones[16];
    rig r = new_rig(11);
    ts_fgraph *graph;
    (void)state;
    mk_output(&r.m, mean_pool(&r, mk_input(&r.m, 4, dims), NULL, all, 1, 1));
    said(&r, ts_float_model_parse(r.m.arena, mk_pack(&r.m), "mean", NULL, &graph, &r.diags));
    for (uint32_t i = 0; i < 16; i++) {
        ones[i] = 1;
    }
    ts_fsession *session = ts_fsession_new(r.m.arena, graph);
    ts_fsession_run(session, (const float *const[]){ones});
    const float *y = ts_fsession_value(session, graph->outputs.data[0]);
    for (uint32_t i = 0; i < 9; i++) {
        assert_true(fabsf(y[i] - right[i / 3] * right[i % 3]) < 1e-6f);
    }
    ts_arena_free(r.m.arena);
}

/* Views and transposition as ShuffleNet is exported, and the halves of the result. */
static void channels_are_shuffled(void **state) {
    static const int64_t dims[] = {1, 4, 6, 6}, five[] = {1, 2, 4, 6, 6}, swap[] = {0, 2, 1, 3, 4},
                         four[] = {1, 8, 6, 6};
    (void)state;
    for (int64_t opset = 7; opset <= 13; opset += 6) {
        rig r = new_rig(opset);
        const char *x = one(&r, "Relu", conv(&r, mk_input(&r.m, 4, dims), 4, 8));
        x = transpose(&r, two(&r, "Reshape", x, whole(&r, 5, five)), 5, swap);
        x = one(&r, "Relu", conv(&r, two(&r, "Reshape", x, whole(&r, 4, four)), 8, 4));
        x = one(&r, "Flatten", one(&r, "GlobalAveragePool", x));
        judge(&r, "shuffle", gemm(&r, x, 4, 3), 3);
    }
}

/* A gate for each channel, broadcast by the exporter. */
static void gates_are_expanded(void **state) {
    static const int64_t dims[] = {1, 4, 6, 6}, gates[] = {1, 4, 1, 1};
    rig r = new_rig(11);
    (void)state;
    const char *x = one(&r, "Relu", conv(&r, mk_input(&r.m, 4, dims), 4, 4));
    const char *gate = gemm(&r, one(&r, "Flatten", one(&r, "GlobalAveragePool", x)), 4, 4);
    gate = two(&r, "Reshape", one(&r, "Sigmoid", gate), whole(&r, 4, gates));
    x = two(&r, "Mul", x, two(&r, "Expand", gate, whole(&r, 4, dims)));
    judge(&r, "expanded", gemm(&r, one(&r, "Flatten", x), 4 * 36, 3), 3);
}

/* Both halves of the input's rows as channels. */
static void inputs_are_cut_and_joined(void **state) {
    static const int64_t dims[] = {1, 2, 6, 6}, axis = 2, at[] = {0, 3, 6};
    rig r = new_rig(9);
    (void)state;
    const char *x = mk_input(&r.m, 4, dims), *parts[2];
    for (uint32_t i = 0; i < 2; i++) {
        Onnx__NodeProto *cut = mk_node(&r.m, "Slice", x, NULL, NULL);
        mk_ints(&r.m, cut, "axes", 1, &axis);
        mk_ints(&r.m, cut, "starts", 1, at + i);
        mk_ints(&r.m, cut, "ends", 1, at + i + 1);
        parts[i] = cut->output[0];
    }
    Onnx__NodeProto *join = mk_node(&r.m, "Concat", parts[0], parts[1], NULL);
    mk_int(&r.m, join, "axis", 1);
    x = one(&r, "Flatten", one(&r, "Relu", conv(&r, join->output[0], 4, 4)));
    judge(&r, "cut input", gemm(&r, x, 4 * 18, 3), 3);
}

/* A batch may be left open, rows may not. */
static void open_sizes_are_refused(void **state) {
    static const int64_t dims[] = {1, 2, 6, 6};
    (void)state;
    for (uint32_t d = 0; d < 3; d += 2) {
        rig r = new_rig(13);
        ts_fgraph *graph;
        mk_output(&r.m, conv(&r, mk_input(&r.m, 4, dims), 2, 4));
        r.m.inputs.data[0]->type->tensor_type->shape->dim[d]->value_case =
            ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE__NOT_SET;
        ts_status status = ts_float_model_parse(r.m.arena, mk_pack(&r.m), "open", NULL, &graph, &r.diags);
        assert_int_equal(status, d == 0 ? TS_OK : TS_BAD_INPUT);
        ts_arena_free(r.m.arena);
    }
}

/* What cannot become integers is an error that names the node, never a crash. */
static void failures_name_the_node(void **state) {
    static const int64_t dims[] = {1, 4, 4, 4}, five[] = {1, 2, 2, 4, 4}, swap[] = {0, 1, 3, 2, 4},
                         four[] = {1, 4, 4, 4};
    static const char *const ops[] = {"Softmax", "LSTM", "Reshape", "InstanceNormalization"};
    (void)state;
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) {
        rig r = new_rig(13);
        ts_fgraph *graph;
        ts_qnet *net;
        const char *x = conv(&r, mk_input(&r.m, 4, dims), 4, 4);
        if (i == 2) { /* channels among rows */
            x = two(&r, "Reshape", transpose(&r, two(&r, "Reshape", x, whole(&r, 5, five)), 5, swap),
                    whole(&r, 4, four));
        } else {
            x = one(&r, ops[i], x);
        }
        mk_output(&r.m, conv(&r, x, 4, 4));
        ts_status status = ts_float_model_parse(r.m.arena, mk_pack(&r.m), "bad", NULL, &graph, &r.diags);
        if (status == TS_OK) {
            ts_fgraph_fold(graph);
            status = ts_qnet_read(r.m.arena, graph, &net, &r.diags);
        }
        assert_int_equal(status, TS_BAD_INPUT);
        const ts_diag *d = &r.diags.list.data[r.diags.list.count - 1];
        assert_non_null(d->node);
        printf("%s: %s\n", d->node, d->text);
        ts_arena_free(r.m.arena);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(views_by_shape_arithmetic),
                                       cmocka_unit_test(transposes_at_the_border),
                                       cmocka_unit_test(residual_blocks_of_keras),
                                       cmocka_unit_test(one_dimension_in_two),
                                       cmocka_unit_test(pads_stand_alone),
                                       cmocka_unit_test(what_changes_nothing),
                                       cmocka_unit_test(halves_are_split_and_joined),
                                       cmocka_unit_test(means_at_the_border),
                                       cmocka_unit_test(added_pads_do_not_count),
                                       cmocka_unit_test(channels_are_shuffled),
                                       cmocka_unit_test(gates_are_expanded),
                                       cmocka_unit_test(inputs_are_cut_and_joined),
                                       cmocka_unit_test(open_sizes_are_refused),
                                       cmocka_unit_test(failures_name_the_node)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
