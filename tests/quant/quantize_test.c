/* Quantisation of networks that the tests make themselves: seeded weights, seeded samples. */
#include <math.h>
#include <string.h>

#include "base/random.h"
#include "harness.h"
#include "model/float_model.h"
#include "model/model.h"
#include "num/float.h"
#include "num/integer.h"
#include "quant/quantize.h"
#include "run/run.h"

enum { SIDE = 12, DEPTH = 3, CLASSES = 5, SAMPLES = 48 };

typedef struct fixture {
    ts_arena *arena;
    ts_diags diags;
    ts_fgraph *graph;
    ts_random random;
    ts_data data;
} fixture;

/* Shows why, where something failed. */
static ts_status said(const fixture *f, ts_status status) {
    if (status != TS_OK && f->diags.list.count != 0) {
        ts_diag_print(stdout, &f->diags.list.data[f->diags.list.count - 1]);
    }
    return status;
}

static float noise(fixture *f) { return (float)ts_random_range(&f->random, -1000, 1000) / 1000.0f; }

static ts_tensor_id constant(fixture *f, uint32_t rank, const uint32_t *dims, float scale, float offset) {
    ts_ftensor shape = {.rank = rank};
    for (uint32_t i = 0; i < rank; i++) {
        shape.dims[i] = dims[i];
    }
    uint64_t count = ts_ftensor_elements(&shape);
    float *data = TS_NEW_ARRAY(f->arena, float, count);
    for (uint64_t i = 0; i < count; i++) {
        data[i] = offset + scale * noise(f);
    }
    return ts_fgraph_add_constant(f->graph, "constant", rank, dims, data);
}

static ts_tensor_id add(fixture *f, ts_fnode *n, const ts_ftensor *shape) {
    ts_tensor_id out;
    n->name = ts_arena_printf(f->arena, "%s%u", ts_fop_name(n->op), f->graph->nodes.count);
    n->file_index = f->graph->nodes.count;
    assert_int_equal(ts_fgraph_add_node(f->graph, n, n->name, shape, &out, &f->diags), TS_OK);
    return out;
}

static ts_tensor_id conv(fixture *f, ts_tensor_id x, uint32_t channels, uint32_t kernel, uint32_t stride,
                         uint32_t groups) {
    uint32_t in = f->graph->tensors.data[x].dims[3], pad = kernel / 2;
    uint32_t dims[] = {channels, kernel, kernel, in / groups};
    float scale = 2.0f / sqrtf((float)(kernel * kernel * in / groups));
    ts_fnode n = {.op = TS_FOP_CONV, .input_count = 2, .groups = groups};
    n.window = (ts_window){kernel, kernel, stride, stride, 1, 1, pad, pad, pad, pad};
    n.inputs[0] = x;
    n.inputs[1] = constant(f, 4, dims, scale, 0.0f);
    return add(f, &n, NULL);
}

static ts_tensor_id batch_norm(fixture *f, ts_tensor_id x) {
    ts_fnode n = {.op = TS_FOP_BATCH_NORM, .input_count = 5, .inputs = {x}, .epsilon = 1e-3f};
    uint32_t channels = f->graph->tensors.data[x].dims[3];
    n.inputs[1] = constant(f, 1, &channels, 0.5f, 1.0f);
    n.inputs[2] = constant(f, 1, &channels, 0.2f, 0.0f);
    n.inputs[3] = constant(f, 1, &channels, 0.2f, 0.0f);
    n.inputs[4] = constant(f, 1, &channels, 0.4f, 0.8f);
    return add(f, &n, NULL);
}

static ts_tensor_id simple(fixture *f, ts_fop op, ts_tensor_id x) {
    ts_fnode n = {.op = op, .input_count = 1, .inputs = {x}, .high = 6.0f};
    return add(f, &n, NULL);
}

static ts_tensor_id pool(fixture *f, ts_fop op, ts_tensor_id x, uint32_t kernel, uint32_t pad,
                         bool count_pad) {
    ts_fnode n = {.op = op, .input_count = 1, .inputs = {x}, .count_pad = count_pad};
    n.window = (ts_window){kernel, kernel, 2, 2, 1, 1, 0, 0, pad, pad};
    return add(f, &n, NULL);
}

/* Convolutions with batch norm, a residual addition, depthwise, both poolings, a flattened linear end. */
static void make_network(fixture *f) {
    ts_ftensor input = {
        .name = "x", .rank = 4, .dims = {1, SIDE, SIDE, DEPTH}, .layout = TS_LAYOUT_CHANNELS_LAST};
    input.producer = TS_NONE;
    f->graph = ts_fgraph_new(f->arena, "test");
    ts_tensor_id x = ts_fgraph_add_tensor(f->graph, &input);
    TS_PUSH(f->arena, &f->graph->inputs, x);
    x = simple(f, TS_FOP_RELU, batch_norm(f, conv(f, x, 8, 3, 1, 1)));
    ts_fnode sum = {.op = TS_FOP_ADD, .input_count = 2};
    sum.inputs[0] = x;
    sum.inputs[1] = batch_norm(f, conv(f, x, 8, 3, 1, 1));
    x = simple(f, TS_FOP_RELU, add(f, &sum, NULL));
    x = pool(f, TS_FOP_MAX_POOL, x, 3, 1, false);
    x = simple(f, TS_FOP_CLIP, batch_norm(f, conv(f, x, 8, 3, 1, 8)));
    x = simple(f, TS_FOP_RELU, conv(f, x, 16, 1, 1, 1));
    x = pool(f, TS_FOP_AVG_POOL, x, 3, 1, false);
    ts_fnode turn = {.op = TS_FOP_TRANSPOSE, .input_count = 1, .inputs = {x}, .perm = {0, 3, 1, 2}};
    ts_fnode flat = {.op = TS_FOP_RESHAPE, .input_count = 1, .inputs = {add(f, &turn, NULL)}};
    const ts_ftensor *map = &f->graph->tensors.data[flat.inputs[0]];
    ts_ftensor shape = {.rank = 2, .dims = {1, (uint32_t)ts_ftensor_elements(map)}};
    ts_fnode gemm = {.op = TS_FOP_GEMM, .input_count = 3, .trans_b = true, .alpha = 1.0f, .beta = 1.0f};
    gemm.inputs[0] = add(f, &flat, &shape);
    uint32_t classes = CLASSES, matrix[] = {CLASSES, shape.dims[1]};
    gemm.inputs[1] = constant(f, 2, matrix, 0.3f, 0.0f);
    gemm.inputs[2] = constant(f, 1, &classes, 0.1f, 0.0f);
    ts_fnode soft = {.op = TS_FOP_SOFTMAX, .input_count = 1, .inputs = {add(f, &gemm, NULL)}, .axis = 1};
    TS_PUSH(f->arena, &f->graph->outputs, add(f, &soft, NULL));
}

static void make_data(fixture *f) {
    static const double zero[DEPTH] = {0}, one[DEPTH] = {1, 1, 1};
    float *x = TS_NEW_ARRAY(f->arena, float, SAMPLES *SIDE *SIDE *DEPTH);
    uint32_t *order = TS_NEW_ARRAY(f->arena, uint32_t, SAMPLES);
    for (uint32_t i = 0; i < SAMPLES * SIDE * SIDE * DEPTH; i++) {
        x[i] = noise(f);
        order[i % SAMPLES] = i % SAMPLES;
    }
    f->data =
        (ts_data){.count = SAMPLES, .h = SIDE, .w = SIDE, .c = DEPTH, .type = TS_DATA_F32, .samples = x};
    f->data.order = order;
    f->data.preprocess = (ts_preprocess){.count = DEPTH, .mean = zero, .scale = one};
}

static int set_up(void **state) {
    fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    f->arena = ts_arena_new("test", 0);
    f->diags.arena = f->arena;
    f->random = ts_random_seed(7);
    make_network(f);
    make_data(f);
    *state = f;
    return 0;
}

static int tear_down(void **state) {
    fixture *f = *state;
    ts_arena_free(f->arena);
    free(f);
    return 0;
}

static ts_qnet *read_net(fixture *f) {
    ts_qnet *net;
    assert_int_equal(ts_qnet_read(f->arena, f->graph, &net, &f->diags), TS_OK);
    return net;
}

/* Output of a graph for sample i, before the softmax where `skip_last`. */
static const float *run_float(fixture *f, const ts_fgraph *graph, uint32_t i, bool skip_last) {
    ts_fsession *session = ts_fsession_new(f->arena, graph);
    const float *x = (const float *)f->data.samples + (size_t)i * SIDE * SIDE * DEPTH;
    ts_fsession_run(session, (const float *const[]){x});
    ts_tensor_id out = graph->outputs.data[0];
    return ts_fsession_value(session, skip_last ? graph->nodes.data[graph->nodes.count - 1].inputs[0] : out);
}

static void normal_form_computes_the_same(void **state) {
    fixture *f = *state;
    ts_fgraph *layers;
    assert_int_equal(ts_quant_float(f->arena, read_net(f), NULL, TS_STAGE_FP, &layers, &f->diags), TS_OK);
    for (uint32_t i = 0; i < 4; i++) {
        const float *a = run_float(f, f->graph, i, true), *b = run_float(f, layers, i, false);
        for (uint32_t k = 0; k < CLASSES; k++) {
            assert_true(fabsf(a[k] - b[k]) < 1e-4f * (1.0f + fabsf(a[k])));
        }
    }
}

static void equalising_computes_the_same(void **state) {
    fixture *f = *state;
    ts_qnet *net = read_net(f);
    ts_fgraph *layers;
    ts_qnet_equalise(net);
    assert_int_equal(ts_quant_float(f->arena, net, NULL, TS_STAGE_FP, &layers, &f->diags), TS_OK);
    const float *a = run_float(f, f->graph, 0, true), *b = run_float(f, layers, 0, false);
    for (uint32_t k = 0; k < CLASSES; k++) {
        assert_true(fabsf(a[k] - b[k]) < 1e-3f * (1.0f + fabsf(a[k])));
    }
}

static ts_quant *quantise(fixture *f, const ts_quant_options *options) {
    ts_quant *quant;
    assert_int_equal(ts_quantize(f->arena, read_net(f), &f->data, options, NULL, &quant, &f->diags), TS_OK);
    return quant;
}

static const int32_t *run_integer(fixture *f, const ts_graph *graph, uint32_t i) {
    const ts_tensor *input = &graph->tensors.data[graph->inputs.data[0]];
    int32_t *x = TS_NEW_ARRAY(f->arena, int32_t, SIDE * SIDE * DEPTH), **values;
    const float *sample = (const float *)f->data.samples + (size_t)i * SIDE * SIDE * DEPTH;
    ts_quantize_input(input, input->quantum.scale[0], sample, x);
    assert_int_equal(ts_integer_run(graph, f->arena, (const int32_t *const[]){x}, &values, &f->diags), TS_OK);
    return values[graph->outputs.data[0]];
}

/* Signal-to-noise of the integer network's outputs against the float ones, in dB. */
static double integer_quality(fixture *f, const ts_quant *quant, const ts_graph *graph) {
    double signal = 0, error = 0, scale = quant->values[quant->net->layers.count].scale;
    for (uint32_t i = 0; i < 16; i++) {
        const float *a = run_float(f, f->graph, i, true);
        const int32_t *b = run_integer(f, graph, i);
        for (uint32_t k = 0; k < CLASSES; k++) {
            double e = (double)a[k] - b[k] * scale;
            signal += (double)(a[k] * a[k]);
            error += e * e;
        }
    }
    return 10 * log10(signal / error);
}

static void bits_give_quality(void **state) {
    fixture *f = *state;
    static const struct {
        uint32_t weights, activations;
        double least_db;
    } rows[] = {{8, 8, 26}, {7, 8, 25}, {4, 8, 13}, {4, 4, 6}, {2, 4, 0}};
    double before = 1e9;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ts_quant_options options = ts_quant_defaults();
        ts_graph *graph;
        options.weight_bits = rows[i].weights;
        options.activation_bits = rows[i].activations;
        const ts_quant *quant = quantise(f, &options);
        assert_int_equal(ts_quant_integer(f->arena, quant, &graph, &f->diags), TS_OK);
        double quality = integer_quality(f, quant, graph);
        printf("w%ua%u: %.1f dB\n", rows[i].weights, rows[i].activations, quality);
        assert_true(quality > rows[i].least_db && quality < before);
        before = quality + 1;
    }
}

/* QuantizedDeployable is the integer network in real numbers: each output agrees to a few accumulators. */
static void deployable_predicts_the_integers(void **state) {
    fixture *f = *state;
    ts_quant_options options = ts_quant_defaults();
    const ts_quant *quant = quantise(f, &options);
    ts_fgraph *deployable;
    ts_graph *graph;
    double scale = quant->values[quant->net->layers.count].scale, largest = 0, difference = 0;
    assert_int_equal(ts_quant_float(f->arena, quant->net, quant, TS_STAGE_QD, &deployable, &f->diags), TS_OK);
    assert_int_equal(ts_quant_integer(f->arena, quant, &graph, &f->diags), TS_OK);
    for (uint32_t i = 0; i < 16; i++) {
        const float *a = run_float(f, deployable, i, false);
        const int32_t *b = run_integer(f, graph, i);
        for (uint32_t k = 0; k < CLASSES; k++) {
            largest = fmax(largest, fabs((double)a[k]));
            difference = fmax(difference, fabs((double)a[k] - b[k] * scale));
        }
    }
    printf("largest output %g, largest difference %g\n", largest, difference);
    assert_true(difference < 0.01 * largest);
}

static void check_emulation_of(fixture *f, const ts_quant *quant, bool same) {
    ts_fgraph *fake, *deployable;
    ts_graph *graph;
    double scale = quant->values[quant->net->layers.count].scale;
    uint32_t others = 0;
    assert_int_equal(said(f, ts_quant_emulate(f->arena, quant, TS_STAGE_FQ, &fake, &f->diags)), TS_OK);
    assert_int_equal(said(f, ts_quant_emulate(f->arena, quant, TS_STAGE_QD, &deployable, &f->diags)), TS_OK);
    assert_int_equal(ts_quant_integer(f->arena, quant, &graph, &f->diags), TS_OK);
    for (uint32_t i = 0; i < SAMPLES; i++) {
        const float *a = run_float(f, deployable, i, false), *b = run_float(f, fake, i, false);
        const int32_t *c = run_integer(f, graph, i);
        for (uint32_t k = 0; k < CLASSES; k++) {
            assert_true(a[k] == (float)(c[k] * scale));
            others += a[k] != b[k];
        }
    }
    printf("fq: %u of %u outputs are not qd's\n", others, SAMPLES * CLASSES);
    assert_true(!same || others <= SAMPLES * CLASSES / 20);
}

static void check_emulation(fixture *f, const ts_quant_options *options) {
    check_emulation_of(f, quantise(f, options), !options->floor_pools);
}

/* QuantizedDeployable as it is evaluated is the integer network, to the last bit of every output;
 * FakeQuantized differs where a bias between two integers matters. */
static void emulated_stages_are_the_integers(void **state) {
    fixture *f = *state;
    for (uint32_t variant = 0; variant < 16; variant++) {
        ts_quant_options options = ts_quant_defaults();
        options.per_layer = (variant & 1) != 0;
        options.keep_batch_norm = (variant & 2) != 0;
        options.activation_bits = (variant & 4) != 0 ? 4 : 8;
        options.floor_pools = (variant & 8) != 0;
        check_emulation(f, &options);
    }
}

static double worst_linear(const ts_quant *quant, uint32_t i, ts_random *random) {
    const ts_qlayer *l = &quant->net->layers.data[i];
    const ts_qweights *q = &quant->layers[i];
    const ts_qvalue *x = &quant->values[l->inputs[0]], *y = &quant->values[i + 1];
    double worst = 0;
    for (uint32_t c = 0; c < l->c && !y->raw; c++) {
        for (uint32_t trial = 0; trial < 200; trial++) {
            /* Sums that come out near the grid of the result. */
            double step = x->scale * fabs(q->scale[c]) / y->scale;
            int64_t reach = (int64_t)(256 / step), sum = ts_random_range(random, -reach, reach);
            double right =
                (double)sum * x->scale * q->scale[c] / y->scale + (q->bias[c] + q->half) / y->scale;
            double made = floor((double)(q->kappa[c] * sum + q->lambda[c]) / (double)q->d);
            worst = fmax(worst, fabs(made - right));
        }
    }
    return worst;
}

static double worst_sum(const ts_quant *quant, uint32_t i, ts_random *random) {
    const ts_qlayer *l = &quant->net->layers.data[i];
    const ts_qweights *q = &quant->layers[i];
    const ts_qvalue *a = &quant->values[l->inputs[0]], *b = &quant->values[l->inputs[1]];
    double worst = 0;
    for (uint32_t trial = 0; trial < 2000; trial++) {
        int64_t va = ts_random_range(random, a->bottom, a->top),
                vb = ts_random_range(random, b->bottom, b->top);
        double right = ((double)va * a->scale + (double)vb * b->scale) / quant->values[i + 1].scale;
        double made = floor((double)(q->m[0] * va + q->m[1] * vb + q->term) / (double)q->d);
        worst = fmax(worst, fabs(made - right));
    }
    return worst;
}

static double worst_mean(const ts_quant *quant, uint32_t i, ts_random *random) {
    const ts_qlayer *l = &quant->net->layers.data[i];
    const ts_qweights *q = &quant->layers[i];
    const ts_qvalue *x = &quant->values[l->inputs[0]];
    int64_t size = (int64_t)l->window.kernel_h * l->window.kernel_w;
    double worst = 0;
    for (uint32_t trial = 0; trial < 2000; trial++) {
        int64_t sum = ts_random_range(random, x->bottom * size, x->top * size);
        double right = (double)sum * x->scale / ((double)size * quant->values[i + 1].scale);
        double made = floor((double)(sum * q->m[0] + q->term) / (double)q->d);
        worst = fmax(worst, fabs(made - right));
    }
    return worst;
}

/* The error of each requantisation is that of rounding to the nearest, and next to nothing more. */
static void requantisations_err_by_half_a_step(void **state) {
    fixture *f = *state;
    ts_quant_options floors = ts_quant_defaults();
    floors.floor_pools = true;
    const ts_quant *floored = quantise(f, &floors);
    for (uint32_t i = 0; i < floored->net->layers.count; i++) {
        ts_qkind kind = floored->net->layers.data[i].kind;
        assert_true((kind != TS_QUANT_ADD && kind != TS_QUANT_AVG_POOL) || ts_quant_error(floored, i) >= 1);
    }
    double linear = 0, sum = 0, mean = 0;
    for (uint32_t variant = 0; variant < 8; variant++) {
        ts_quant_options options = ts_quant_defaults();
        options.per_layer = (variant & 1) != 0;
        options.keep_batch_norm = (variant & 2) != 0;
        options.activation_bits = (variant & 4) != 0 ? 4 : 8;
        const ts_quant *quant = quantise(f, &options);
        for (uint32_t i = 0; i < quant->net->layers.count; i++) {
            double bound = ts_quant_error(quant, i); /* what the report says */
            assert_true(quant->values[i + 1].raw || bound == 0 || (bound >= 0.5 && bound < 0.502));
            switch (quant->net->layers.data[i].kind) {
                case TS_QUANT_CONV:
                case TS_QUANT_LINEAR:
                    linear = fmax(linear, worst_linear(quant, i, &f->random));
                    break;
                case TS_QUANT_ADD:
                    sum = fmax(sum, worst_sum(quant, i, &f->random));
                    assert_true(quant->layers[i].matched);
                    break;
                case TS_QUANT_AVG_POOL:
                    mean = fmax(mean, worst_mean(quant, i, &f->random));
                    break;
                default:
                    break;
            }
        }
    }
    printf("largest errors in steps: linear %.4f, addition %.4f, mean %.4f\n", linear, sum, mean);
    assert_true(linear < 0.501 && sum < 0.5 + 1e-6 && mean < 0.5 + 1e-6);
}

/* Options of weights: what each promises holds for the weights that come out. */
static void weight_options_do_what_they_say(void **state) {
    fixture *f = *state;
    ts_quant_options options = ts_quant_defaults();
    options.nearest = true;
    for (uint32_t variant = 0; variant < 6; variant++) {
        static const ts_range_method methods[] = {TS_RANGE_MAX, TS_RANGE_PERCENTILE, TS_RANGE_MSE,
                                                  TS_RANGE_BEST};
        options.weight_ranges = methods[variant % 4];
        options.weight_percentile = 0.9;
        options.per_layer = variant >= 2;
        options.symmetric = variant % 2 == 1;
        options.weight_bits = variant % 3 == 0 ? 8 : variant % 3 == 1 ? 4 : 2;
        const ts_quant *quant = quantise(f, &options);
        int32_t top = (1 << (options.weight_bits - 1)) - 1;
        uint32_t clipped = 0;
        for (uint32_t i = 0; i < quant->net->layers.count; i++) {
            const ts_qlayer *l = &quant->net->layers.data[i];
            const ts_qweights *q = &quant->layers[i];
            for (uint32_t k = 0; q->values != NULL && k < l->c * l->inner; k++) {
                double steps = fabs((double)l->weights[k] / q->scale[k / l->inner]);
                assert_true(!options.symmetric || q->values[k] >= -top);
                clipped += steps > top + 0.5;
                assert_true(options.weight_ranges != TS_RANGE_MAX || steps < top * (1 + 1.0 / 32) + 0.5);
            }
            for (uint32_t c = 1; q->values != NULL && options.per_layer && c < l->c; c++) {
                assert_true(fabs(q->scale[c] - q->scale[0]) <= q->scale[0] / 16);
            }
        }
        assert_true(options.weight_ranges != TS_RANGE_PERCENTILE || clipped > 0);
    }
}

/* Kept batch norms: one quantum for the weights themselves, their factors, signs included, in kappa. */
static void kept_batch_norms_stay_in_kappa(void **state) {
    fixture *f = *state;
    ts_quant_options options = ts_quant_defaults();
    options.per_layer = options.keep_batch_norm = true;
    for (uint32_t i = 0; i < f->graph->nodes.count; i++) {
        const ts_fnode *n = &f->graph->nodes.data[i];
        if (n->op == TS_FOP_BATCH_NORM) {
            float *factors = (float *)(uintptr_t)f->graph->tensors.data[n->inputs[1]].data;
            factors[0] = -factors[0];
            factors[1] = 0.0f;
        }
    }
    ts_graph *graph;
    const ts_quant *quant = quantise(f, &options);
    uint32_t negative = 0, kept = 0;
    for (uint32_t i = 0; i < quant->net->layers.count; i++) {
        const ts_qlayer *l = &quant->net->layers.data[i];
        const ts_qweights *q = &quant->layers[i];
        for (uint32_t c = 2; l->gain != NULL && l->gain[0] != 1.0f && c < l->c; c++) {
            double whole = q->scale[2] / (double)l->gain[2];
            assert_true(fabs(q->scale[c] / (double)l->gain[c] - whole) <= whole / 16);
            kept++;
        }
        negative += l->gain != NULL && l->gain[0] < 0.0f && q->kappa[0] < 0;
        for (uint32_t c = 0; l->gain != NULL && !quant->values[i + 1].raw && c < l->c; c++) {
            assert_true(llabs(q->kappa[c]) < 2048);
        }
    }
    assert_int_equal(negative, 3);
    assert_true(kept > 0);
    assert_int_equal(said(f, ts_quant_integer(f->arena, quant, &graph, &f->diags)), TS_OK);
    double quality = integer_quality(f, quant, graph);
    printf("batch norms kept: %.1f dB\n", quality);
    assert_true(quality > 20);
}

static void kappas_have_the_bits_asked_for(void **state) {
    fixture *f = *state;
    for (uint32_t bits = 7; bits <= 18; bits++) {
        ts_quant_options options = ts_quant_defaults();
        options.kappa_bits = bits;
        const ts_quant *quant = quantise(f, &options);
        for (uint32_t i = 0; i < quant->net->layers.count; i++) {
            const ts_qlayer *l = &quant->net->layers.data[i];
            const ts_qweights *q = &quant->layers[i];
            int64_t largest = 0;
            for (uint32_t c = 0; l->gain != NULL && !quant->values[i + 1].raw && c < l->c; c++) {
                largest = q->kappa[c] > largest ? q->kappa[c] : largest;
            }
            assert_true(largest <= (int64_t)1 << (bits - 1));
            assert_false(q->wide);
        }
    }
    ts_quant_options options = ts_quant_defaults();
    ts_quant *quant;
    options.kappa_bits = 25;
    assert_int_equal(ts_quantize(f->arena, read_net(f), &f->data, &options, NULL, &quant, &f->diags),
                     TS_BAD_INPUT);
}

static void widths_differ_by_layer(void **state) {
    fixture *f = *state;
    ts_qnet *net = read_net(f);
    ts_widths *widths = TS_NEW_ARRAY(f->arena, ts_widths, net->layers.count);
    for (uint32_t i = 0; i < net->layers.count; i++) {
        widths[i] = (ts_widths){(uint8_t)(2 + i % 7), (uint8_t)(i % 2 == 0 ? 4 : 8)};
    }
    ts_quant_options options = ts_quant_defaults();
    options.widths = widths;
    ts_quant *quant;
    ts_graph *graph;
    assert_int_equal(ts_quantize(f->arena, net, &f->data, &options, NULL, &quant, &f->diags), TS_OK);
    for (uint32_t i = 0; i < net->layers.count; i++) {
        const ts_qvalue *y = &quant->values[i + 1];
        assert_true(quant->layers[i].values == NULL || quant->layers[i].bits == widths[i].weights);
        if (!y->raw && !ts_qkind_moves(net->layers.data[i].kind)) {
            assert_int_equal(ts_type_bits(y->type), widths[i].activations);
        }
    }
    assert_int_equal(said(f, ts_quant_integer(f->arena, quant, &graph, &f->diags)), TS_OK);
    widths[1].weights = 9;
    assert_int_equal(ts_quantize(f->arena, net, &f->data, &options, NULL, &quant, &f->diags), TS_BAD_INPUT);
}

/* With correction each channel's mean is the float network's; without, biases are the net's. */
static void biases_are_corrected_or_kept(void **state) {
    fixture *f = *state;
    ts_quant_options options = ts_quant_defaults();
    options.weight_bits = 3;
    options.nearest = true;
    double errors[2] = {0};
    for (uint32_t k = 0; k < 2; k++) {
        ts_graph *graph;
        options.keep_bias = k == 1;
        const ts_quant *quant = quantise(f, &options);
        assert_int_equal(ts_quant_integer(f->arena, quant, &graph, &f->diags), TS_OK);
        double scale = quant->values[quant->net->layers.count].scale;
        for (uint32_t c = 0; c < CLASSES; c++) {
            double mean = 0;
            for (uint32_t i = 0; i < SAMPLES; i++) {
                mean += (double)run_float(f, f->graph, i, true)[c] - run_integer(f, graph, i)[c] * scale;
            }
            errors[k] += fabs(mean / SAMPLES);
        }
        const ts_qlayer *first = &quant->net->layers.data[0];
        for (uint32_t c = 0; options.keep_bias && c < first->c; c++) {
            assert_true(quant->layers[0].bias[c] == (double)first->bias[c]);
        }
    }
    printf("mean error of outputs: %g corrected, %g kept\n", errors[0], errors[1]);
    assert_true(errors[0] < 0.5 * errors[1]);
}

/* Multiplies each constant's element of the first of every `channels`. */
static void scale_some(fixture *f, ts_tensor_id id, uint32_t channels, float factor) {
    const ts_ftensor *t = &f->graph->tensors.data[id];
    for (uint64_t i = 0; i < ts_ftensor_elements(t); i += channels) {
        ((float *)(uintptr_t)t->data)[i] *= factor;
    }
}

/* Equalised: ranges of the weights of consecutive layers agree, and a quantum a layer serves them better. */
static void equalising_helps_quanta_of_layers(void **state) {
    fixture *f = *state;
    double quality[2];
    for (uint32_t i = 0; i < f->graph->nodes.count; i++) {
        const ts_fnode *n = &f->graph->nodes.data[i];
        if (n->op == TS_FOP_BATCH_NORM && i > 8) {
            scale_some(f, n->inputs[1], 8, 20.0f);
            scale_some(f, n->inputs[2], 8, 20.0f);
            scale_some(f, n->inputs[3], 8, 20.0f);
            scale_some(f, f->graph->nodes.data[i + 2].inputs[1], 8, 0.05f);
        }
        if (n->op == TS_FOP_CLIP) {
            f->graph->nodes.data[i].op = TS_FOP_RELU; /* a bound above does not move with the scale */
        }
    }
    for (uint32_t k = 0; k < 2; k++) {
        ts_quant_options options = ts_quant_defaults();
        ts_graph *graph;
        options.weight_bits = 4;
        options.per_layer = true;
        options.equalise = k == 1;
        const ts_quant *quant = quantise(f, &options);
        assert_int_equal(ts_quant_integer(f->arena, quant, &graph, &f->diags), TS_OK);
        quality[k] = integer_quality(f, quant, graph);
    }
    printf("a quantum a layer: %.1f dB, equalised %.1f dB\n", quality[0], quality[1]);
    assert_true(quality[1] > quality[0]);
}

/* Weights within their type, requantisation in 32 bits and exact: kappa s_y = s_x s_w D. */
static void parameters_keep_their_promises(void **state) {
    fixture *f = *state;
    ts_quant_options options = ts_quant_defaults();
    for (uint32_t bits = 2; bits <= 8; bits++) {
        options.weight_bits = bits;
        const ts_quant *quant = quantise(f, &options);
        for (uint32_t i = 0; i < quant->net->layers.count; i++) {
            const ts_qlayer *l = &quant->net->layers.data[i];
            const ts_qweights *q = &quant->layers[i];
            for (uint32_t k = 0; q->values != NULL && k < l->c * l->inner; k++) {
                assert_in_range(q->values[k] + (1 << (bits - 1)), 0, (1 << bits) - 1);
            }
            for (uint32_t c = 0; q->values != NULL && !quant->values[i + 1].raw && c < l->c; c++) {
                double ratio = quant->values[l->inputs[0]].scale * q->scale[c] / quant->values[i + 1].scale;
                assert_true(fabs(ratio * (double)q->d - (double)q->kappa[c]) < 1e-6 * (double)q->kappa[c]);
            }
            assert_false(q->wide);
        }
    }
}

/* Built once and fed sample after sample, on the simulated chip and as a program of this host. */
static void check_programs(fixture *f, const ts_quant *quant) {
    static const char *const targets[] = {"gap8", "host"};
    ts_graph *graph;
    assert_int_equal(ts_quant_integer(f->arena, quant, &graph, &f->diags), TS_OK);
    const ts_tensor *input = &graph->tensors.data[graph->inputs.data[0]];
    int32_t *x = TS_NEW_ARRAY(f->arena, int32_t, SIDE * SIDE * DEPTH), **values;
    for (uint32_t t = 0; t < 2; t++) {
        ts_run_options run = {.jobs = 2};
        ts_deployed *deployed;
        uint64_t cycles;
        assert_int_equal(ts_run_target(f->arena, targets[t], &run.target, &f->diags), TS_OK);
        assert_int_equal(said(f, ts_deploy(f->arena, graph, &run, &deployed, &f->diags)), TS_OK);
        for (uint32_t i = 0; i < 8; i++) {
            const float *sample = (const float *)f->data.samples + (size_t)i * SIDE * SIDE * DEPTH;
            ts_quantize_input(input, input->quantum.scale[0], sample, x);
            ts_status status =
                ts_deployed_run(deployed, f->arena, (const int32_t *const[]){x}, &values, &cycles, &f->diags);
            assert_int_equal(said(f, status), TS_OK);
            assert_memory_equal(values[graph->outputs.data[0]], run_integer(f, graph, i),
                                CLASSES * sizeof(int32_t));
            assert_int_equal(cycles > 0, t == 0);
        }
        assert_int_equal(ts_deployed_free(deployed, &f->diags), TS_OK);
    }
}

static void programs_compute_the_integers(void **state) {
    ts_quant_options options = ts_quant_defaults();
    check_programs(*state, quantise(*state, &options));
}

static double weights_db(const ts_quant *quant) {
    double sum = 0, count = 0;
    for (uint32_t i = 0; i < quant->net->layers.count; i++) {
        sum += quant->layers[i].values != NULL ? quant->layers[i].snr_db : 0;
        count += quant->layers[i].values != NULL;
    }
    return sum / count;
}

/* Weights that lie to one side of zero: a zero point spares the other side, and the integers run as they are.
 */
static void asymmetric_weights_have_a_zero_point(void **state) {
    fixture *f = *state;
    for (uint32_t bits = 8; bits >= 4; bits -= 4) {
        ts_quant_options options = ts_quant_defaults();
        ts_quant *symmetric, *asymmetric;
        ts_qnet *net = read_net(f);
        for (uint32_t i = 0; i < net->layers.count; i++) {
            ts_qlayer *l = &net->layers.data[i];
            for (uint32_t k = 0; l->weights != NULL && k < l->c * l->inner; k++) {
                l->weights[k] = l->weights[k] < 0 ? 0.2f * l->weights[k] : l->weights[k];
            }
        }
        options.weight_bits = bits;
        options.per_layer = true;
        assert_int_equal(ts_quantize(f->arena, net, &f->data, &options, NULL, &symmetric, &f->diags), TS_OK);
        options.asymmetric = true;
        assert_int_equal(ts_quantize(f->arena, net, &f->data, &options, NULL, &asymmetric, &f->diags), TS_OK);
        double a = weights_db(symmetric), b = weights_db(asymmetric);
        printf("weights of %u bits: symmetric %.1f dB, asymmetric %.1f dB\n", bits, a, b);
        assert_true(b > a + 2);
        for (uint32_t i = 0; i < net->layers.count; i++) {
            const ts_qweights *q = &asymmetric->layers[i];
            assert_true(q->values == NULL || (q->grid.zero < 0 && q->grid.zero >= -(1 << (bits - 1))));
        }
        check_emulation_of(f, asymmetric, true);
        check_programs(f, asymmetric);
        const char *path = "unwritten.onnx";
        ts_graph *graph;
        assert_int_equal(ts_quant_integer(f->arena, asymmetric, &graph, &f->diags), TS_OK);
        assert_int_equal(ts_model_write_nemo(graph, path, &f->diags), TS_BAD_INPUT);
        options.symmetric = true;
        assert_int_equal(ts_quantize(f->arena, net, &f->data, &options, NULL, &symmetric, &f->diags),
                         TS_BAD_INPUT);
    }
}

static void written_model_reads_back_equal(void **state) {
    fixture *f = *state;
    ts_quant_options options = ts_quant_defaults();
    const char *folder, *path;
    ts_graph *graph, *back;
    ts_model_options model = {.input_bits = 8, .input_signed = 1};
    assert_int_equal(ts_quant_integer(f->arena, quantise(f, &options), &graph, &f->diags), TS_OK);
    assert_int_equal(ts_dir_temporary(f->arena, &folder, &f->diags), TS_OK);
    path = ts_path_join(f->arena, folder, "int.onnx");
    assert_int_equal(said(f, ts_model_write_nemo(graph, path, &f->diags)), TS_OK);
    assert_int_equal(said(f, ts_model_read(f->arena, path, &model, &back, &f->diags)), TS_OK);
    for (uint32_t i = 0; i < 8; i++) {
        const float *x = (const float *)f->data.samples + (size_t)i * SIDE * SIDE * DEPTH;
        int32_t *integers = TS_NEW_ARRAY(f->arena, int32_t, SIDE * SIDE * DEPTH), **values;
        const int32_t *right = run_integer(f, graph, i);
        const ts_tensor *input = &graph->tensors.data[graph->inputs.data[0]];
        ts_quantize_input(input, input->quantum.scale[0], x, integers);
        assert_int_equal(
            ts_integer_run(back, f->arena, (const int32_t *const[]){integers}, &values, &f->diags), TS_OK);
        assert_memory_equal(values[back->outputs.data[0]], right, CLASSES * sizeof *right);
    }
    assert_int_equal(ts_dir_remove(folder, &f->diags), TS_OK);
}

/* A float graph written and read back, constants folded. */
static ts_fgraph *through_file(fixture *f, const ts_fgraph *graph) {
    const char *folder, *path;
    ts_fgraph *back;
    assert_int_equal(ts_dir_temporary(f->arena, &folder, &f->diags), TS_OK);
    path = ts_path_join(f->arena, folder, "stage.onnx");
    assert_int_equal(said(f, ts_float_model_write(graph, path, &f->diags)), TS_OK);
    assert_int_equal(said(f, ts_float_model_read(f->arena, path, NULL, &back, &f->diags)), TS_OK);
    assert_int_equal(ts_dir_remove(folder, &f->diags), TS_OK);
    ts_fgraph_fold(back);
    return back;
}

static const char *text_of(fixture *f, const ts_fgraph *graph, size_t *size) {
    ts_text text = {.arena = f->arena};
    ts_fgraph_text(&text, graph);
    *size = text.size;
    return text.data;
}

/* Every stage in text is read back as the same text, and computes the same numbers. */
static void check_text(fixture *f, const ts_fgraph *graph) {
    ts_fgraph *back;
    size_t size, again;
    const char *text = text_of(f, graph, &size);
    ts_bytes file = {.data = (const uint8_t *)text, .size = size};
    assert_int_equal(said(f, ts_float_model_parse(f->arena, file, "text", NULL, &back, &f->diags)), TS_OK);
    const char *other = text_of(f, back, &again);
    assert_int_equal(size, again);
    assert_memory_equal(text, other, size);
    for (uint32_t i = 0; i < 4; i++) {
        assert_memory_equal(run_float(f, graph, i, false), run_float(f, back, i, false),
                            CLASSES * sizeof(float));
    }
    /* Cut short or with a wrong word it is an error and nothing else. */
    for (size_t k = 1; k < 60; k++) {
        ts_bytes part = {.data = file.data, .size = size * k / 60};
        assert_int_not_equal(ts_float_model_parse(f->arena, part, "text", NULL, &back, &f->diags), TS_OK);
    }
}

/* Texts that are wrong in one place each. */
static void wrong_texts_are_refused(void **state) {
    fixture *f = *state;
    static const char *const x = "tensor %0 \"x\" 1x2x2x1 layout channels_last codes f32\n";
    static const char *const wrong[] = {
        "tensor %0 \"x\" 1x70000x70000x1 layout file codes f32 input %0 output %0 end",
        "tensor %0 \"x\" 2 data 1 end",
        "tensor %1 \"x\" 2 data 1 2 end",
        "X node \"n\" relu at 0 from %7 to %1 \"y\" input %0 output %1 end",
        "X node \"n\" relu at 0 from to %1 \"y\" input %0 output %1 end",
        "X node \"n\" max_pool at 0 from %0 to %1 \"y\" kernel 2 2 stride 0 1 dilation 1 1 pads 0 0 0 0 "
        "input %0 "
        "output %1 end",
        "X node \"n\" max_pool at 0 from %0 to %1 \"y\" kernel 3 3 stride 1 1 dilation 1 1 pads 0 0 0 0 "
        "input %0 "
        "output %1 end",
        "X node \"n\" transpose at 0 from %0 to %1 \"y\" perm 0 1 1 2 input %0 output %1 end",
        "X node \"n\" softmax at 0 from %0 to %1 \"y\" axis 4 input %0 output %1 end",
        "X node \"n\" reduce_mean at 0 from %0 to %1 \"y\" keep_dims 1 axes 16 input %0 output %1 end",
        "X node \"n\" fake_quant at 0 from %0 to %1 \"y\" low 0 high 255 scale 0 offset 0.5 input %0 output "
        "%1 end",
        "X node \"n\" pad at 0 from %0 to %1 \"y\" alpha 0 mode 3 begin 0 0 0 0 end 0 0 0 0 input %0 output "
        "%1 end",
        "X node \"n\" reshape at 0 from %0 to %1 \"y\" 1x5 input %0 output %1 end",
        "X node \"n\" nothing at 0 from %0 to %1 \"y\" input %0 output %1 end",
        "X node \"n\" relu at 0 from %0 to %1 \"y\" output %1 end",
        "X node \"n\" relu at 0 from %0 to %1 \"y\" input %0 input %0 output %1 end",
        "X node \"n\" relu at 0 from %0 to %1 \"y\" input %1 output %1 end",
        "X node \"n\" relu at 0 from %0 to %1 \"y\" input %0 output %1 end end"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        ts_fgraph *graph;
        const char *body = wrong[i][0] == 'X' ? wrong[i] + 1 : wrong[i];
        const char *text =
            ts_arena_printf(f->arena, "float 1 \"t\"\n%s%s", wrong[i][0] == 'X' ? x : "", body);
        ts_bytes file = {.data = (const uint8_t *)text, .size = strlen(text)};
        assert_int_equal(ts_float_model_parse(f->arena, file, "text", NULL, &graph, &f->diags), TS_BAD_INPUT);
        printf("%s\n", f->diags.list.data[f->diags.list.count - 1].text);
    }
}

/* Signal-to-noise of one graph's outputs against another's, in dB. */
static double likeness(fixture *f, const ts_fgraph *a, const ts_fgraph *b) {
    double signal = 0, noise = 1e-30;
    for (uint32_t i = 0; i < 16; i++) {
        const float *x = run_float(f, a, i, false), *y = run_float(f, b, i, false);
        for (uint32_t k = 0; k < CLASSES; k++) {
            signal += (double)(x[k] * x[k]);
            noise += ((double)x[k] - (double)y[k]) * ((double)x[k] - (double)y[k]);
        }
    }
    return 10 * log10(signal / noise);
}

/* What the integer importer makes of the QDQ form against the integers themselves. */
static void check_integers_of_qdq(fixture *f, const ts_quant *quant, const ts_fgraph *qdq) {
    const char *folder, *path;
    ts_graph *graph, *back;
    ts_model_options model = {.input_signed = -1};
    double signal = 0, noise = 1e-30, scale = quant->values[quant->net->layers.count].scale;
    assert_int_equal(ts_quant_integer(f->arena, quant, &graph, &f->diags), TS_OK);
    assert_int_equal(ts_dir_temporary(f->arena, &folder, &f->diags), TS_OK);
    path = ts_path_join(f->arena, folder, "qdq.onnx");
    assert_int_equal(said(f, ts_float_model_write(qdq, path, &f->diags)), TS_OK);
    assert_int_equal(said(f, ts_model_read(f->arena, path, &model, &back, &f->diags)), TS_OK);
    assert_int_equal(ts_dir_remove(folder, &f->diags), TS_OK);
    const ts_quantum *out = &back->tensors.data[back->outputs.data[0]].quantum;
    for (uint32_t i = 0; i < 8; i++) {
        const int32_t *a = run_integer(f, graph, i), *b = run_integer(f, back, i);
        for (uint32_t k = 0; k < CLASSES; k++) {
            double x = a[k] * scale, y = (b[k] - out->zero[0]) * out->scale[0];
            signal += x * x;
            noise += (x - y) * (x - y);
        }
    }
    printf("integers of the QDQ form against the integers: %.1f dB\n", 10 * log10(signal / noise));
    assert_true(10 * log10(signal / noise) > 30);
}

/* The stages, and the QDQ form, have the same numbers in a file; but ties of the roundings fall on other
 * sides. */
static void check_qdq(fixture *f, const ts_quant_options *options) {
    const ts_quant *quant = quantise(f, options);
    ts_fgraph *qdq, *deployable;
    uint32_t nodes = 0;
    double least = options->activation_bits == 8 ? 35 : 22; /* outputs have 8 bits, too */
    assert_int_equal(said(f, ts_quant_qdq(f->arena, quant, &qdq, &f->diags)), TS_OK);
    assert_int_equal(ts_quant_float(f->arena, quant->net, quant, TS_STAGE_QD, &deployable, &f->diags), TS_OK);
    const ts_fgraph *back = through_file(f, qdq);
    for (uint32_t i = 0; i < back->nodes.count; i++) {
        nodes += back->nodes.data[i].op == TS_FOP_QUANT;
    }
    assert_int_equal(nodes, 1 + quant->net->layers.count);
    double a = likeness(f, deployable, back), b = likeness(f, deployable, through_file(f, deployable));
    printf("against the deployable stage: QDQ %.1f dB, the stage in a file %.1f dB\n", a, b);
    assert_true(a > least && b > least);
}

static void other_tools_read_the_qdq_form(void **state) {
    fixture *f = *state;
    ts_quant_options options = ts_quant_defaults();
    check_qdq(f, &options);
    const ts_quant *quant = quantise(f, &options);
    ts_fgraph *qdq;
    assert_int_equal(ts_quant_qdq(f->arena, quant, &qdq, &f->diags), TS_OK);
    check_integers_of_qdq(f, quant, qdq);
    options.activation_bits = options.weight_bits = 5;
    options.per_layer = true;
    check_qdq(f, &options);
    options.floor_pools = true;
    ts_fgraph *graph;
    assert_int_equal(ts_quant_qdq(f->arena, quantise(f, &options), &graph, &f->diags), TS_BAD_INPUT);
}

static ts_tensor_id pair(fixture *f, ts_fop op, ts_tensor_id a, ts_tensor_id b) {
    ts_fnode n = {.op = op, .input_count = 2, .inputs = {a, b}};
    return add(f, &n, NULL);
}

static ts_tensor_id number(fixture *f, float value) { return constant(f, 0, NULL, 0.0f, value); }

/* x clip(x + 3, 0, 6) / 6, as exporters that lack the operator write it. */
static ts_tensor_id hard_swish_in_parts(fixture *f, ts_tensor_id x) {
    ts_tensor_id gate = simple(f, TS_FOP_CLIP, pair(f, TS_FOP_ADD, x, number(f, 3.0f)));
    return pair(f, TS_FOP_DIV, pair(f, TS_FOP_MUL, x, gate), number(f, 6.0f));
}

/* A factor for each channel, from its mean: squeeze and excitation. */
static ts_tensor_id excite(fixture *f, ts_tensor_id x) {
    ts_fnode mean = {.op = TS_FOP_REDUCE_MEAN, .input_count = 1, .inputs = {x}, .axes = 6, .keep_dims = true};
    ts_tensor_id y = simple(f, TS_FOP_RELU, conv(f, add(f, &mean, NULL), 4, 1, 1, 1));
    y = conv(f, y, f->graph->tensors.data[x].dims[3], 1, 1, 1);
    ts_fnode gate = {.op = TS_FOP_HARD_SIGMOID, .input_count = 1, .inputs = {y}, .alpha = 0.2f, .beta = 0.5f};
    return pair(f, TS_FOP_MUL, x, add(f, &gate, NULL));
}

/* Every second row and column, with channels of zeros behind: the shortcut of residual networks without
 * weights. */
static ts_tensor_id shortcut(fixture *f, ts_tensor_id x) {
    const ts_ftensor *t = &f->graph->tensors.data[x];
    ts_ftensor shape = {.rank = 4, .dims = {1, t->dims[1] / 2, t->dims[2] / 2, t->dims[3]}};
    ts_fnode cut = {.op = TS_FOP_SLICE, .input_count = 1, .inputs = {x}, .step = {1, 2, 2, 1}};
    ts_fnode pad = {.op = TS_FOP_PAD, .input_count = 1, .end = {0, 0, 0, t->dims[3]}};
    pad.inputs[0] = add(f, &cut, &shape);
    return add(f, &pad, NULL);
}

static ts_tensor_id enlarge(fixture *f, ts_tensor_id x) {
    const ts_ftensor *t = &f->graph->tensors.data[x];
    ts_ftensor shape = {.rank = 4, .dims = {1, 2 * t->dims[1], 2 * t->dims[2], t->dims[3]}};
    ts_fnode n = {.op = TS_FOP_RESIZE, .input_count = 1, .inputs = {x}};
    return add(f, &n, &shape);
}

/* Activations by table, whole and in parts, joined maps, gates, differences, moved elements. */
static void make_varied_network(fixture *f) {
    f->graph->nodes.count = 0;
    f->graph->outputs.count = 0;
    f->graph->results = 0;
    ts_tensor_id x = f->graph->inputs.data[0], parts[3];
    x = simple(f, TS_FOP_HARD_SWISH, batch_norm(f, conv(f, x, 8, 3, 1, 1)));
    ts_tensor_id y = excite(f, hard_swish_in_parts(f, batch_norm(f, conv(f, x, 8, 3, 1, 8))));
    x = pair(f, TS_FOP_SUB, x, y);
    ts_fnode leaky = {.op = TS_FOP_LEAKY_RELU, .input_count = 1, .alpha = 0.1f};
    leaky.inputs[0] = conv(f, x, 8, 3, 2, 1);
    parts[0] = add(f, &leaky, NULL);
    parts[1] = simple(f, TS_FOP_RELU, conv(f, x, 4, 1, 2, 1));
    y = conv(f, x, 4, 3, 2, 1);
    parts[2] = pair(f, TS_FOP_MUL, y, simple(f, TS_FOP_SIGMOID, y));
    ts_fnode join = {
        .op = TS_FOP_CONCAT, .input_count = 3, .inputs = {parts[0], parts[1], parts[2]}, .axis = 3};
    y = pair(f, TS_FOP_ADD, add(f, &join, NULL), shortcut(f, x));
    uint32_t channels = 16;
    ts_fnode prelu = {.op = TS_FOP_PRELU, .input_count = 2};
    prelu.inputs[0] = enlarge(f, y);
    prelu.inputs[1] = constant(f, 1, &channels, 0.3f, 0.1f);
    y = add(f, &prelu, NULL);
    ts_fnode border = {
        .op = TS_FOP_PAD, .input_count = 1, .inputs = {y}, .begin = {0, 1, 1, 0}, .end = {0, 1, 0, 0}};
    y = simple(f, TS_FOP_TANH, conv(f, add(f, &border, NULL), CLASSES, 3, 2, 1));
    ts_fnode mean = {.op = TS_FOP_REDUCE_MEAN, .input_count = 1, .inputs = {y}, .axes = 6};
    uint32_t matrix[] = {CLASSES, CLASSES};
    ts_fnode gemm = {.op = TS_FOP_GEMM, .input_count = 2, .trans_b = true, .alpha = 1.0f};
    gemm.inputs[0] = add(f, &mean, NULL);
    gemm.inputs[1] = constant(f, 2, matrix, 0.5f, 0.0f);
    ts_fnode soft = {.op = TS_FOP_SOFTMAX, .input_count = 1, .inputs = {add(f, &gemm, NULL)}, .axis = 1};
    TS_PUSH(f->arena, &f->graph->outputs, add(f, &soft, NULL));
}

static uint32_t count_kind(const ts_qnet *net, ts_qkind kind) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < net->layers.count; i++) {
        count += net->layers.data[i].kind == kind;
    }
    return count;
}

/* Pools that leave padding out of their divisors, read by convolutions and at the end: TensorFlow's SAME,
 * pads at one end alone, a window that reaches far out. */
static void make_pools(fixture *f, const ts_window *windows, uint32_t count) {
    f->graph->nodes.count = 0;
    f->graph->outputs.count = 0;
    f->graph->results = 0;
    ts_tensor_id x = simple(f, TS_FOP_RELU, conv(f, f->graph->inputs.data[0], 8, 3, 1, 1));
    for (uint32_t i = 0; i < count; i++) {
        ts_fnode n = {.op = TS_FOP_AVG_POOL, .input_count = 1, .inputs = {x}, .window = windows[i]};
        x = simple(f, TS_FOP_RELU, conv(f, add(f, &n, NULL), 8, 1, 1, 1));
    }
    ts_fnode mean = {.op = TS_FOP_REDUCE_MEAN, .input_count = 1, .inputs = {x}, .axes = 6, .keep_dims = true};
    x = conv(f, add(f, &mean, NULL), CLASSES, 1, 1, 1);
    ts_fnode soft = {.op = TS_FOP_SOFTMAX, .input_count = 1, .inputs = {x}, .axis = 3};
    TS_PUSH(f->arena, &f->graph->outputs, add(f, &soft, NULL));
}

static void pools_leave_padding_out(void **state) {
    fixture *f = *state;
    static const struct {
        ts_window window;
        uint32_t pools; /* pieces */
        bool exact;     /* every factor is whole */
    } rows[] = {{{3, 3, 1, 1, 1, 1, 1, 1, 1, 1}, 9, true}, {{3, 3, 2, 2, 1, 1, 0, 0, 1, 1}, 4, true},
                {{2, 2, 2, 2, 1, 1, 1, 1, 1, 1}, 9, true}, {{1, 5, 1, 3, 1, 1, 0, 2, 0, 2}, 2, true},
                {{3, 2, 1, 2, 2, 1, 2, 0, 2, 0}, 5, true}, {{7, 7, 1, 1, 1, 1, 3, 3, 3, 3}, 49, false}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ts_quant_options options = ts_quant_defaults();
        make_pools(f, &rows[i].window, 1);
        uint32_t warned = f->diags.list.count;
        const ts_quant *quant = quantise(f, &options);
        assert_int_equal(f->diags.list.count, warned);
        assert_int_equal(count_kind(quant->net, TS_QUANT_AVG_POOL), rows[i].pools + 1);
        normal_form_computes_the_same(state);
        for (uint32_t k = 0; k < quant->net->layers.count; k++) {
            bool mean = quant->net->layers.data[k].kind == TS_QUANT_AVG_POOL;
            assert_true(!mean || !rows[i].exact || quant->layers[k].matched);
            assert_true(!mean || !rows[i].exact || worst_mean(quant, k, &f->random) < 0.5001);
        }
        check_emulation(f, &options);
        programs_compute_the_integers(state);
        if (rows[i].window.dilation_h == 1) { /* the dialect's opset has no dilated pools */
            written_model_reads_back_equal(state);
        }
    }
}

/* One that a linear layer reads costs no piece; a clip behind it stays a clip; what would take more pieces
 * than a concatenation joins is said. */
static void pools_in_other_places(void **state) {
    fixture *f = *state;
    static const ts_window wide = {9, 9, 1, 1, 1, 1, 5, 4, 4, 4};
    assert_int_equal(count_kind(read_net(f), TS_QUANT_AVG_POOL), 1);
    make_pools(f, &wide, 1);
    uint32_t warned = f->diags.list.count;
    assert_int_equal(count_kind(read_net(f), TS_QUANT_AVG_POOL), 2);
    assert_int_equal(f->diags.list.count, warned + 1);
}

/* Keras' dense layers over maps, and paddings by nothing wherever exporters leave them. */
static void products_at_every_place(void **state) {
    fixture *f = *state;
    f->graph->nodes.count = 0;
    f->graph->outputs.count = 0;
    f->graph->results = 0;
    uint32_t matrix[] = {6, 8}, last[] = {CLASSES, 8};
    ts_tensor_id x = simple(f, TS_FOP_RELU, conv(f, f->graph->inputs.data[0], 6, 3, 1, 1));
    ts_fnode nothing = {.op = TS_FOP_PAD, .input_count = 1, .inputs = {x}};
    ts_fnode product = {.op = TS_FOP_MATMUL, .input_count = 2};
    product.inputs[0] = add(f, &nothing, NULL);
    product.inputs[1] = constant(f, 2, matrix, 0.5f, 0.0f);
    x = pair(f, TS_FOP_ADD, add(f, &product, NULL), constant(f, 1, matrix + 1, 0.2f, 0.0f));
    ts_fnode mean = {
        .op = TS_FOP_REDUCE_MEAN, .input_count = 1, .inputs = {simple(f, TS_FOP_RELU, x)}, .axes = 6};
    ts_fnode gemm = {.op = TS_FOP_GEMM, .input_count = 2, .trans_b = true, .alpha = 1.0f};
    gemm.inputs[0] = add(f, &mean, NULL);
    gemm.inputs[1] = constant(f, 2, last, 0.5f, 0.0f);
    ts_fnode soft = {.op = TS_FOP_SOFTMAX, .input_count = 1, .inputs = {add(f, &gemm, NULL)}, .axis = 1};
    TS_PUSH(f->arena, &f->graph->outputs, add(f, &soft, NULL));
    const ts_qnet *net = read_net(f);
    assert_int_equal(net->layers.count, 4);
    assert_int_equal(count_kind(net, TS_QUANT_CONV), 2);
    normal_form_computes_the_same(state);
    ts_quant_options options = ts_quant_defaults();
    check_emulation(f, &options);
}

/* Channels that are joined and cut where their bits do not fill bytes. */
static void make_odd_channels(fixture *f) {
    f->graph->nodes.count = 0;
    f->graph->outputs.count = 0;
    f->graph->results = 0;
    ts_tensor_id x = simple(f, TS_FOP_RELU, conv(f, f->graph->inputs.data[0], 6, 3, 1, 1));
    ts_fnode cut = {.op = TS_FOP_SLICE, .input_count = 1, .inputs = {x}, .step = {1, 1, 1, 1}};
    ts_ftensor part = {.rank = 4, .dims = {1, SIDE, SIDE, 3}, .layout = TS_LAYOUT_CHANNELS_LAST};
    ts_fnode join = {.op = TS_FOP_CONCAT, .input_count = 3, .axis = 3};
    cut.begin[3] = 3;
    join.inputs[0] = simple(f, TS_FOP_RELU, conv(f, x, 5, 1, 1, 1));
    join.inputs[1] = add(f, &cut, &part);
    join.inputs[2] = simple(f, TS_FOP_RELU, conv(f, x, 2, 3, 1, 1));
    x = simple(f, TS_FOP_RELU, conv(f, add(f, &join, NULL), CLASSES, 3, 2, 1));
    ts_fnode mean = {.op = TS_FOP_REDUCE_MEAN, .input_count = 1, .inputs = {x}, .axes = 6};
    uint32_t matrix[] = {CLASSES, CLASSES};
    ts_fnode gemm = {.op = TS_FOP_GEMM, .input_count = 2, .trans_b = true, .alpha = 1.0f};
    gemm.inputs[0] = add(f, &mean, NULL);
    gemm.inputs[1] = constant(f, 2, matrix, 0.5f, 0.0f);
    TS_PUSH(f->arena, &f->graph->outputs, add(f, &gemm, NULL));
}

/* They are stored in more bits than their grid has. */
static void odd_channels_are_stored_wider(void **state) {
    fixture *f = *state;
    make_odd_channels(f);
    const ts_qnet *net = read_net(f);
    for (uint32_t bits = 4; bits >= 2; bits--) {
        ts_quant_options options = ts_quant_defaults();
        options.weight_bits = options.activation_bits = bits;
        const ts_quant *quant = quantise(f, &options);
        for (uint32_t v = 1; v <= net->layers.count; v++) {
            const ts_qlayer *l = &net->layers.data[v - 1];
            bool joined = l->kind == TS_QUANT_CONCAT,
                 last = l->kind == TS_QUANT_CONV && v + 3 > net->layers.count;
            if (joined) {
                assert_int_equal(quant->values[v].type, TS_U8);
                assert_int_equal(quant->values[v].high, (1 << bits) - 1);
            } else if (last) {
                assert_int_equal(quant->values[v].type, bits == 2 ? TS_U2 : TS_U4);
            }
        }
        check_emulation(f, &options);
        check_programs(f, quant);
    }
}

static void varied_networks_become_integers(void **state) {
    fixture *f = *state;
    make_varied_network(f);
    ts_qnet *net = read_net(f);
    assert_int_equal(count_kind(net, TS_QUANT_LUT), 6); /* what stood in parts is one table */
    assert_int_equal(count_kind(net, TS_QUANT_CONCAT), 1);
    assert_int_equal(count_kind(net, TS_QUANT_MUL), 1);
    assert_int_equal(count_kind(net, TS_QUANT_PAD), 1);
    normal_form_computes_the_same(state);
    ts_quant_options options = ts_quant_defaults();
    for (uint32_t bits = 8; bits >= 4; bits -= 4) {
        ts_graph *graph;
        options.activation_bits = bits;
        const ts_quant *quant = quantise(f, &options);
        assert_int_equal(said(f, ts_quant_integer(f->arena, quant, &graph, &f->diags)), TS_OK);
        double quality = integer_quality(f, quant, graph);
        printf("varied network, activations of %u bits: %.1f dB\n", bits, quality);
        assert_true(quality > (bits == 8 ? 20 : 3));
    }
    deployable_predicts_the_integers(state);
    options = ts_quant_defaults();
    check_emulation(f, &options);
    programs_compute_the_integers(state);
    written_model_reads_back_equal(state);
    options = ts_quant_defaults();
    check_qdq(f, &options);
}

static ts_tensor_id reshape(fixture *f, ts_tensor_id x, uint32_t rank, const uint32_t *dims) {
    ts_ftensor shape = {.rank = rank};
    ts_fnode n = {.op = TS_FOP_RESHAPE, .input_count = 1, .inputs = {x}};
    memcpy(shape.dims, dims, rank * sizeof *dims);
    return add(f, &n, &shape);
}

static ts_tensor_id turn(fixture *f, ts_tensor_id x, uint32_t rank, const uint32_t *perm) {
    ts_fnode n = {.op = TS_FOP_TRANSPOSE, .input_count = 1, .inputs = {x}};
    memcpy(n.perm, perm, rank * sizeof *perm);
    return add(f, &n, NULL);
}

static ts_tensor_id to_planes(fixture *f, ts_tensor_id x) {
    return turn(f, x, 4, (const uint32_t[]){0, 3, 1, 2});
}

/* Channels of a map {1, C, H, W} taken from the groups in turn, as frameworks write it. */
static ts_tensor_id shuffle_planes(fixture *f, ts_tensor_id x, uint32_t groups) {
    const uint32_t *t = f->graph->tensors.data[x].dims, c = t[1], h = t[2], w = t[3];
    x = reshape(f, x, 5, (const uint32_t[]){1, groups, c / groups, h, w});
    x = turn(f, x, 5, (const uint32_t[]){0, 2, 1, 3, 4});
    return reshape(f, x, 4, (const uint32_t[]){1, c, h, w});
}

static ts_tensor_id half_of_planes(fixture *f, ts_tensor_id x, bool second) {
    ts_ftensor part = f->graph->tensors.data[x];
    part.dims[1] /= 2;
    ts_fnode cut = {.op = TS_FOP_SLICE, .input_count = 1, .inputs = {x}, .step = {1, 1, 1, 1}};
    cut.begin[1] = second ? part.dims[1] : 0;
    return add(f, &cut, &part);
}

static ts_tensor_id classify(fixture *f, ts_tensor_id x) {
    uint32_t matrix[] = {CLASSES, f->graph->tensors.data[x].dims[1]};
    ts_fnode gemm = {.op = TS_FOP_GEMM, .input_count = 2, .trans_b = true, .alpha = 1.0f};
    gemm.inputs[0] = x;
    gemm.inputs[1] = constant(f, 2, matrix, 0.5f, 0.0f);
    return add(f, &gemm, NULL);
}

/* Units of ShuffleNet: grouped, shuffled, cut in halves, of which one is computed with, and joined, all in
 * file order where nothing needs channels last; then a shuffle of maps with channels last, and a mean over
 * channels. */
static void make_shuffles(fixture *f) {
    f->graph->nodes.count = 0;
    f->graph->outputs.count = 0;
    f->graph->results = 0;
    ts_tensor_id x = simple(f, TS_FOP_RELU, conv(f, f->graph->inputs.data[0], 12, 3, 2, 1)), halves[2];
    x = shuffle_planes(f, to_planes(f, simple(f, TS_FOP_RELU, conv(f, x, 12, 1, 1, 3))), 3);
    halves[0] = half_of_planes(f, x, false);
    x = turn(f, half_of_planes(f, x, true), 4, (const uint32_t[]){0, 2, 3, 1});
    halves[1] = to_planes(f, simple(f, TS_FOP_RELU, conv(f, conv(f, x, 6, 3, 1, 6), 6, 1, 1, 1)));
    ts_fnode join = {.op = TS_FOP_CONCAT, .input_count = 2, .inputs = {halves[0], halves[1]}, .axis = 1};
    x = shuffle_planes(f, add(f, &join, NULL), 2);
    ts_fnode mean = {.op = TS_FOP_REDUCE_MEAN, .input_count = 1, .inputs = {x}, .axes = 12};
    ts_tensor_id vector = add(f, &mean, NULL);
    x = turn(f, x, 4, (const uint32_t[]){0, 2, 3, 1});
    const uint32_t h = f->graph->tensors.data[x].dims[1], w = f->graph->tensors.data[x].dims[2];
    x = turn(f, reshape(f, x, 5, (const uint32_t[]){1, h, w, 4, 3}), 5, (const uint32_t[]){0, 1, 2, 4, 3});
    x = simple(f, TS_FOP_RELU, conv(f, reshape(f, x, 4, (const uint32_t[]){1, h, w, 12}), 4, 3, 1, 1));
    ts_fnode plane = {
        .op = TS_FOP_REDUCE_MEAN, .input_count = 1, .inputs = {x}, .axes = 8, .keep_dims = true};
    x = reshape(f, add(f, &plane, NULL), 2, (const uint32_t[]){1, h * w});
    x = pair(f, TS_FOP_ADD, classify(f, vector), classify(f, x));
    ts_fnode soft = {.op = TS_FOP_SOFTMAX, .input_count = 1, .inputs = {x}, .axis = 1};
    TS_PUSH(f->arena, &f->graph->outputs, add(f, &soft, NULL));
}

static void channels_are_shuffled(void **state) {
    fixture *f = *state;
    make_shuffles(f);
    assert_int_equal(count_kind(read_net(f), TS_QUANT_TRANSPOSE), 3);
    normal_form_computes_the_same(state);
    ts_quant_options options = ts_quant_defaults();
    for (uint32_t bits = 8; bits >= 4; bits -= 4) {
        options.activation_bits = bits;
        check_emulation(f, &options);
        check_programs(f, quantise(f, &options));
    }
    written_model_reads_back_equal(state);
    options = ts_quant_defaults();
    check_qdq(f, &options);
}

/* Two heads of a detector: maps that are read as lists of boxes and joined, a convolution over the list, and
 * its result read as a map again. */
static void make_lists(fixture *f) {
    f->graph->nodes.count = 0;
    f->graph->outputs.count = 0;
    f->graph->results = 0;
    ts_tensor_id x = simple(f, TS_FOP_RELU, conv(f, f->graph->inputs.data[0], 12, 3, 2, 1));
    const uint32_t h = f->graph->tensors.data[x].dims[1], w = f->graph->tensors.data[x].dims[2], n = h * w;
    ts_tensor_id a = reshape(f, conv(f, x, 4, 1, 1, 1), 3, (const uint32_t[]){1, 2 * n, 2});
    ts_tensor_id b = reshape(f, conv(f, x, 2, 3, 1, 1), 3, (const uint32_t[]){1, n, 2});
    ts_fnode join = {.op = TS_FOP_CONCAT, .input_count = 2, .inputs = {a, b}, .axis = 1};
    x = reshape(f, add(f, &join, NULL), 4, (const uint32_t[]){1, 1, 3 * n, 2});
    x = simple(f, TS_FOP_RELU, conv(f, x, 4, 3, 1, 1));
    x = reshape(f, x, 4, (const uint32_t[]){1, 3 * h, 2 * w, 2});
    x = pool(f, TS_FOP_MAX_POOL, x, 2, 0, false);
    ts_fnode mean = {.op = TS_FOP_REDUCE_MEAN, .input_count = 1, .inputs = {x}, .axes = 6};
    ts_fnode soft = {
        .op = TS_FOP_SOFTMAX, .input_count = 1, .inputs = {classify(f, add(f, &mean, NULL))}, .axis = 1};
    TS_PUSH(f->arena, &f->graph->outputs, add(f, &soft, NULL));
}

static void maps_are_reshaped(void **state) {
    fixture *f = *state;
    make_lists(f);
    assert_int_equal(count_kind(read_net(f), TS_QUANT_RESHAPE), 3);
    normal_form_computes_the_same(state);
    ts_quant_options options = ts_quant_defaults();
    for (uint32_t bits = 8; bits >= 4; bits -= 4) {
        options.activation_bits = bits;
        check_emulation(f, &options);
        check_programs(f, quantise(f, &options));
    }
    written_model_reads_back_equal(state);
    options = ts_quant_defaults();
    check_qdq(f, &options);
}

static void stages_are_read_back_from_text(void **state) {
    fixture *f = *state;
    for (uint32_t varied = 0; varied < 2; varied++) {
        ts_quant_options options = ts_quant_defaults();
        const ts_quant *quant = quantise(f, &options);
        ts_fgraph *graph;
        check_text(f, f->graph);
        for (ts_quant_stage s = TS_STAGE_FP; s <= TS_STAGE_QD; s++) {
            assert_int_equal(ts_quant_float(f->arena, quant->net, quant, s, &graph, &f->diags), TS_OK);
            check_text(f, graph);
        }
        assert_int_equal(ts_quant_emulate(f->arena, quant, TS_STAGE_QD, &graph, &f->diags), TS_OK);
        check_text(f, graph);
        assert_int_equal(ts_quant_qdq(f->arena, quant, &graph, &f->diags), TS_OK);
        check_text(f, graph);
        make_varied_network(f);
    }
}

static bool is_cheap(const ts_fgraph *graph) {
    uint64_t work = 0;
    for (uint32_t i = 0; i < graph->nodes.count; i++) {
        const ts_fnode *n = &graph->nodes.data[i];
        uint64_t taps = 1 + (uint64_t)n->window.kernel_h * n->window.kernel_w;
        work += ts_fnode_macs(graph, n) + taps * ts_ftensor_elements(&graph->tensors.data[n->output]);
    }
    return work < 4000000;
}

/* A damaged float network goes as far as it can: read, folded, made layers, quantised, made integers.
 * Whatever stops it is said. *whole: it came to the end. */
static ts_status quantise_file(const fixture *f, ts_bytes file, bool *whole) {
    ts_arena *arena = ts_arena_new("damaged", 0);
    ts_diags diags = {.arena = arena};
    ts_quant_options options = ts_quant_defaults();
    ts_data few = f->data;
    ts_fgraph *graph, *emulated;
    ts_qnet *net;
    ts_quant *quant;
    ts_graph *integer;
    few.count = 2;
    options.equalise = true;
    *whole = false;
    ts_status status = ts_float_model_parse(arena, file, "damaged", NULL, &graph, &diags);
    if (status == TS_OK && is_cheap(graph)) {
        ts_fgraph_fold(graph);
        status = ts_qnet_read(arena, graph, &net, &diags);
        bool fits = status == TS_OK && net->h == SIDE && net->w == SIDE && net->c == DEPTH;
        status = fits ? ts_quantize(arena, net, &few, &options, NULL, &quant, &diags) : status;
        status =
            fits && status == TS_OK ? ts_quant_emulate(arena, quant, TS_STAGE_QD, &emulated, &diags) : status;
        status = fits && status == TS_OK ? ts_quant_integer(arena, quant, &integer, &diags) : status;
        *whole = fits && status == TS_OK;
    }
    assert_true(status == TS_OK || diags.list.count > 0);
    ts_arena_free(arena);
    return status;
}

/* Some bytes are others, or are gone. */
static void damage(fixture *f, ts_bytes file, uint32_t tries, const char *name) {
    uint32_t refused = 0, whole = 0;
    for (uint32_t i = 0; i < tries; i++) {
        size_t size = file.size;
        uint8_t *copy = malloc(size);
        bool ended;
        memcpy(copy, file.data, size);
        for (int64_t n = ts_random_range(&f->random, 1, 3); n > 0; n--) {
            /* Every third in the head, where structure is denser than in the weights. */
            size_t end = i % 3 == 0 && size > 600 ? 600 : size,
                   at = (size_t)ts_random_range(&f->random, 0, (int64_t)end - 1);
            size_t cut = (size_t)ts_random_range(&f->random, 1, 8);
            if (i % 4 == 0 && at + cut < size) {
                memmove(copy + at, copy + at + cut, size - at - cut);
                size -= cut;
            } else {
                bool digit = copy[at] >= '0' && copy[at] <= '9'; /* in a text: another number */
                copy[at] = (uint8_t)ts_random_range(&f->random, digit ? '0' : 0, digit ? '9' : 255);
            }
        }
        uint8_t *own = malloc(size); /* its own block: reads past the end are seen */
        memcpy(own, copy, size);
        refused += quantise_file(f, (ts_bytes){own, size}, &ended) != TS_OK;
        whole += ended;
        free(own);
        free(copy);
    }
    printf("%s of %zu bytes: %u of %u damaged files are refused, %u become integers\n", name, file.size,
           refused, tries, whole);
    assert_true(refused > tries / 20 && whole > 0);
}

/* As ONNX and as text, with layers of every kind and with pools that are cut at the border. */
static void damaged_floats_are_refused_or_quantised(void **state) {
    fixture *f = *state;
    static const ts_window border = {3, 3, 2, 2, 1, 1, 1, 1, 1, 1};
    for (uint32_t k = 0; k < 2; k++) {
        const char *folder;
        ts_bytes file;
        size_t size;
        if (k == 0) {
            make_varied_network(f);
        } else {
            make_pools(f, &border, 1);
        }
        const char *text = text_of(f, f->graph, &size);
        damage(f, (ts_bytes){(const uint8_t *)text, size}, 150, "text");
        assert_int_equal(ts_dir_temporary(f->arena, &folder, &f->diags), TS_OK);
        const char *path = ts_path_join(f->arena, folder, "net.onnx");
        assert_int_equal(said(f, ts_float_model_write(f->graph, path, &f->diags)), TS_OK);
        assert_int_equal(ts_file_read(f->arena, path, 1 << 24, &file, &f->diags), TS_OK);
        damage(f, file, 150, "ONNX");
        assert_int_equal(ts_dir_remove(folder, &f->diags), TS_OK);
    }
}

static void same_input_gives_the_same_integers(void **state) {
    fixture *f = *state;
    ts_quant_options options = ts_quant_defaults();
    const ts_quant *a = quantise(f, &options), *b = quantise(f, &options);
    for (uint32_t i = 0; i < a->net->layers.count; i++) {
        const ts_qlayer *l = &a->net->layers.data[i];
        if (a->layers[i].values != NULL) {
            assert_memory_equal(a->layers[i].values, b->layers[i].values, (size_t)l->c * l->inner);
            assert_memory_equal(a->layers[i].lambda, b->layers[i].lambda, l->c * sizeof(int64_t));
        }
    }
}

static void operator_without_integers_is_named(void **state) {
    fixture *f = *state;
    f->graph->outputs.count = 0;
    ts_tensor_id x = f->graph->nodes.data[3].output;
    x = conv(f, simple(f, TS_FOP_SOFTMAX, x), 4, 1, 1, 1);
    TS_PUSH(f->arena, &f->graph->outputs, x);
    ts_qnet *net;
    assert_int_equal(ts_qnet_read(f->arena, f->graph, &net, &f->diags), TS_BAD_INPUT);
    const ts_diag *d = &f->diags.list.data[f->diags.list.count - 1];
    assert_string_equal(d->op, "softmax");
    assert_non_null(strstr(d->text, "no integer counterpart"));
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {TEST(normal_form_computes_the_same),
                                       TEST(equalising_computes_the_same),
                                       TEST(bits_give_quality),
                                       TEST(deployable_predicts_the_integers),
                                       TEST(emulated_stages_are_the_integers),
                                       TEST(parameters_keep_their_promises),
                                       TEST(requantisations_err_by_half_a_step),
                                       TEST(weight_options_do_what_they_say),
                                       TEST(kept_batch_norms_stay_in_kappa),
                                       TEST(kappas_have_the_bits_asked_for),
                                       TEST(widths_differ_by_layer),
                                       TEST(biases_are_corrected_or_kept),
                                       TEST(equalising_helps_quanta_of_layers),
                                       TEST(programs_compute_the_integers),
                                       TEST(asymmetric_weights_have_a_zero_point),
                                       TEST(products_at_every_place),
                                       TEST(odd_channels_are_stored_wider),
                                       TEST(varied_networks_become_integers),
                                       TEST(channels_are_shuffled),
                                       TEST(maps_are_reshaped),
                                       TEST(pools_leave_padding_out),
                                       TEST(pools_in_other_places),
                                       TEST(written_model_reads_back_equal),
                                       TEST(other_tools_read_the_qdq_form),
                                       TEST(stages_are_read_back_from_text),
                                       TEST(wrong_texts_are_refused),
                                       TEST(damaged_floats_are_refused_or_quantised),
                                       TEST(same_input_gives_the_same_integers),
                                       TEST(operator_without_integers_is_named)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
