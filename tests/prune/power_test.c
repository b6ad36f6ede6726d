/* Quanta that are powers of two: the emulated network computes what the integers compute. */
#include "prune/power.h"
#include "../train/maker.h"
#include "prune/fit.h"

enum { SIDE = 8, SAMPLES = 48, CLASSES = 4, ELEMENTS = SIDE * SIDE * 3 };

static ts_tensor_id sum_of(maker *m, ts_tensor_id a, ts_tensor_id b) {
    ts_fnode n = {.op = TS_FOP_ADD, .input_count = 2, .inputs = {a, b}};
    return node(m, &n, NULL);
}

/* A residual network with a depthwise layer, a norm that no layer takes in, and both pools. */
static maker residual_net(uint64_t seed) {
    maker m = new_maker(seed);
    const uint32_t dims[] = {1, SIDE, SIDE, 3};
    ts_tensor_id x = simple(&m, TS_FOP_RELU, conv(&m, input(&m, 4, dims), 12, 3, 1, 1, true));
    ts_tensor_id y = simple(&m, TS_FOP_RELU, norm(&m, conv(&m, x, 12, 3, 1, 12, false)));
    x = sum_of(&m, x, conv(&m, y, 12, 1, 1, 1, true));
    x = simple(&m, TS_FOP_RELU, norm(&m, x));
    x = pool(&m, TS_FOP_MAX_POOL, x, false);
    x = simple(&m, TS_FOP_RELU, conv(&m, x, 10, 3, 1, 1, true));
    x = pool(&m, TS_FOP_AVG_POOL, x, true);
    output(&m, linear(&m, x, CLASSES, true));
    return m;
}

/* Samples of which the class is the place of a bright spot. */
static ts_data spots(maker *m) {
    float *x = TS_NEW_ARRAY(m->arena, float, SAMPLES *ELEMENTS);
    int32_t *labels = TS_NEW_ARRAY(m->arena, int32_t, SAMPLES);
    static const double zero[] = {0, 0, 0}, one[] = {1, 1, 1};
    uint32_t *order = TS_NEW_ARRAY(m->arena, uint32_t, SAMPLES);
    for (uint32_t n = 0; n < SAMPLES; n++) {
        order[n] = n;
        labels[n] = (int32_t)(n % CLASSES);
        for (uint32_t i = 0; i < ELEMENTS; i++) {
            uint32_t place = i / 3;
            bool bright = (place / SIDE >= SIDE / 2) == (labels[n] / 2 == 1) &&
                          (place % SIDE >= SIDE / 2) == (labels[n] % 2 == 1);
            x[n * ELEMENTS + i] = 0.4f * noise(m) + (bright ? 0.6f : 0.0f);
        }
    }
    ts_data d = {.count = SAMPLES, .h = SIDE, .w = SIDE, .c = 3, .type = TS_DATA_F32, .samples = x};
    d.labels = labels;
    d.order = order;
    d.preprocess = (ts_preprocess){.count = 3, .mean = zero, .scale = one};
    return d;
}

static void good(const maker *m, ts_status status) {
    if (status != TS_OK) {
        ts_diag_print(stdout, &m->diags.list.data[m->diags.list.count - 1]);
    }
    assert_int_equal(status, TS_OK);
}

static bool is_power(int64_t v) { return v > 0 && (v & (v - 1)) == 0; }

/* Every requantisation of a linear layer is a shift with rounding. */
static void check_shifts(const ts_quant *q) {
    for (uint32_t i = 0; i < q->net->layers.count; i++) {
        const ts_qlayer *l = &q->net->layers.data[i];
        if ((l->kind == TS_QUANT_CONV || l->kind == TS_QUANT_LINEAR) && !q->values[i + 1].raw) {
            assert_true(is_power(q->layers[i].d) && is_power(q->layers[i].kappa[0]));
        }
        for (uint64_t k = 0; l->kind == TS_QUANT_CONV && k < (uint64_t)l->c * l->inner; k++) {
            int32_t w = q->layers[i].bits > 8 ? q->layers[i].wide_values[k] : q->layers[i].values[k];
            assert_true(abs(w) < 1 << (q->layers[i].bits - 1));
        }
    }
}

static uint64_t differing(maker *m, const ts_quant *q, const ts_data *data) {
    ts_graph *integer;
    ts_power_match match;
    good(m, ts_quant_integer(m->arena, q, &integer, &m->diags));
    good(m, ts_power_compare(q, integer, data, data->count, &match, &m->diags));
    assert_int_equal(match.outputs, data->count * CLASSES);
    return match.different;
}

static void test_integers_are_the_emulation(void **state) {
    (void)state;
    for (uint32_t bits = TS_POWER_LEAST_BITS; bits <= TS_POWER_MOST_BITS; bits++) {
        maker m = residual_net(bits);
        ts_data data = spots(&m);
        ts_qnet *net;
        ts_quant *q;
        good(&m, ts_qnet_read(m.arena, m.graph, &net, &m.diags));
        good(&m, ts_power_quantize(m.arena, net, &data, bits, &q, &m.diags));
        check_shifts(q);
        assert_int_equal(differing(&m, q, &data), 0);
        if (ts_train_available()) {
            ts_train_options o = ts_train_defaults();
            o.epochs = 2;
            o.rate = 0.01;
            good(&m, ts_power_train(q, &data, 8, &o, NULL, NULL, &m.diags));
            check_shifts(q);
            assert_int_equal(differing(&m, q, &data), 0);
        }
        ts_arena_free(m.arena);
    }
}

/* What equation 1 says fits, and the integers are those of the network that was trained. */
static void test_fit(void **state) {
    (void)state;
    if (!ts_train_available()) {
        skip();
    }
    maker m = residual_net(9);
    ts_data data = spots(&m);
    ts_fit_options o = ts_fit_defaults();
    ts_fit fit;
    o.batch = 8;
    o.ram = 1100;
    o.pruned.epochs = o.quantised.epochs = 12;
    o.pruned.share = o.quantised.share = 0; /* the network as it comes knows nothing to teach */
    good(&m, ts_fit_network(m.arena, m.graph, &data, &data, &o, NULL, NULL, &fit, &m.diags));
    assert_true(fit.bytes_before > o.ram && fit.bytes <= o.ram);
    assert_int_equal(fit.bytes, ts_prune_bytes(&fit.after, 8));
    assert_true(fit.macs < fit.macs_before && fit.filters < fit.filters_before);
    assert_true(fit.accuracy > 0.5);
    assert_int_equal(differing(&m, fit.quant, &data), 0);
    ts_graph *integer = fit.integer;
    uint64_t parameters = 0;
    for (uint32_t i = 0; i < fit.quant->net->layers.count; i++) {
        const ts_qlayer *l = &fit.quant->net->layers.data[i];
        bool linear_layer = l->kind == TS_QUANT_CONV || l->kind == TS_QUANT_LINEAR;
        parameters += linear_layer ? (uint64_t)l->c * l->inner + l->c : 0;
    }
    assert_non_null(integer);
    assert_int_equal(parameters, fit.after.parameters);
    /* Training that does harm is not kept. */
    o.quantised.epochs = 2;
    o.quantised.rate = 30;
    good(&m, ts_fit_network(m.arena, m.graph, &data, &data, &o, NULL, NULL, &fit, &m.diags));
    assert_true(fit.accuracy >= fit.start_accuracy);
    assert_int_equal(differing(&m, fit.quant, &data), 0);
    o.ram = 60;
    assert_int_equal(ts_fit_network(m.arena, m.graph, &data, &data, &o, NULL, NULL, &fit, &m.diags),
                     TS_NO_FIT);
    assert_non_null(strstr(m.diags.list.data[m.diags.list.count - 1].text, "last filters"));
    ts_arena_free(m.arena);
}

static ts_tensor_id joined(maker *m, ts_tensor_id a, ts_tensor_id b) {
    ts_fnode n = {.op = TS_FOP_CONCAT, .input_count = 2, .inputs = {a, b}, .axis = 3};
    return node(m, &n, NULL);
}

/* Average of all pixels, or of odd windows that overlap. */
static ts_tensor_id mean(maker *m, ts_tensor_id x, uint32_t size, uint32_t stride) {
    ts_fnode n = {.op = TS_FOP_AVG_POOL, .input_count = 1, .inputs = {x}, .count_pad = true};
    n.window = (ts_window){size, size, stride, stride, 1, 1, 0, 0, 0, 0};
    return node(m, &n, NULL);
}

/* Residuals, concatenations, grouped and depthwise layers, norms on their own, and pools, in seeded order. */
static maker random_net(uint64_t seed) {
    maker m = new_maker(seed);
    const uint32_t dims[] = {1, SIDE, SIDE, 3};
    ts_tensor_id x =
        conv(&m, input(&m, 4, dims), 2 * (uint32_t)ts_random_range(&m.random, 1, 8), 3, 1, 1, true);
    uint32_t blocks = (uint32_t)ts_random_range(&m.random, 2, 5);
    for (uint32_t i = 0; i < blocks; i++) {
        uint32_t c = dims_of(&m, x)[3], side = dims_of(&m, x)[1];
        x = ts_random_range(&m.random, 0, 2) > 0 ? simple(&m, TS_FOP_RELU, x) : x;
        switch (ts_random_range(&m.random, 0, 5)) {
            case 0:
                x = sum_of(
                    &m, x,
                    conv(&m, simple(&m, TS_FOP_RELU, conv(&m, x, 9, 5, 1, 1, true)), c, 1, 1, 1, true));
                break;
            case 1:
                x = joined(&m, x,
                           conv(&m, x, 2 * (uint32_t)ts_random_range(&m.random, 1, 4), 1, 1, 1, false));
                break;
            case 2:
                x = norm(&m, sum_of(&m, x, conv(&m, x, c, 3, 1, c, true)));
                break;
            case 3:
                x = conv(&m, x, 6, 3, side > 3 ? 2 : 1, 2, true);
                break;
            case 4:
                x = side > 4 ? mean(&m, x, 3, 1) : x;
                break;
            default:
                x = side > 3 ? pool(&m, TS_FOP_MAX_POOL, x, false) : x;
        }
    }
    x = ts_random_range(&m.random, 0, 1) == 0 ? mean(&m, x, dims_of(&m, x)[1], 1) : x;
    output(&m, linear(&m, x, CLASSES, true));
    return m;
}

/* Weights of one sign and size: sums go as far as they can, beyond the 24 bits of float32 at 8 bits, too. */
static maker loud_net(uint64_t seed) {
    maker m = new_maker(seed);
    const uint32_t dims[] = {1, SIDE, SIDE, 3}, shape[] = {8, 3, 3, 80};
    ts_tensor_id x = simple(&m, TS_FOP_RELU, conv(&m, input(&m, 4, dims), 80, 3, 1, 1, true));
    ts_fnode n = {.op = TS_FOP_CONV, .input_count = 2, .groups = 1, .inputs = {x}};
    n.window = (ts_window){3, 3, 1, 1, 1, 1, 1, 1, 1, 1};
    n.inputs[1] = constant(&m, 4, shape, 0.003f, 0.9f);
    output(&m, linear(&m, mean(&m, node(&m, &n, NULL), SIDE, 1), CLASSES, true));
    return m;
}

/* Whether the samples come out of a network's emulation, as it is and as it is trained, as out of its
 * integers. */
static void check_emulation(maker *m, uint32_t bits, bool trains) {
    ts_data data = spots(m);
    ts_qnet *net;
    ts_quant *q;
    data.count = 12;
    good(m, ts_qnet_read_uncut(m->arena, m->graph, &net, &m->diags));
    good(m, ts_power_quantize(m->arena, net, &data, bits, &q, &m->diags));
    check_shifts(q);
    assert_int_equal(differing(m, q, &data), 0);
    if (trains && ts_train_available()) {
        ts_train_options o = ts_train_defaults();
        o.epochs = 2;
        o.rate = 0.05;
        good(m, ts_power_train(q, &data, 4, &o, NULL, NULL, &m->diags));
        assert_int_equal(differing(m, q, &data), 0);
    }
    ts_arena_free(m->arena);
}

static void test_random_networks(void **state) {
    (void)state;
    for (uint32_t bits = TS_POWER_LEAST_BITS; bits <= TS_POWER_MOST_BITS; bits++) {
        for (uint64_t seed = 0; seed < 4; seed++) {
            maker m = random_net(100 * bits + seed);
            check_emulation(&m, bits, seed < 2);
        }
        maker m = loud_net(bits);
        check_emulation(&m, bits, false);
    }
}

/* More than eight bits come closer to the float network. */
static void test_wide(void **state) {
    (void)state;
    double error[2];
    for (uint32_t k = 0; k < 2; k++) {
        maker m = residual_net(4);
        ts_data data = spots(&m);
        ts_qnet *net;
        ts_quant *q;
        ts_fgraph *exact, *emulated;
        ts_score scores[2];
        good(&m, ts_qnet_read(m.arena, m.graph, &net, &m.diags));
        good(&m, ts_quant_float(m.arena, net, NULL, TS_STAGE_FP, &exact, &m.diags));
        good(&m, ts_evaluate_float(m.arena, exact, &data, NULL, &scores[0], &m.diags));
        good(&m, ts_power_quantize(m.arena, net, &data, k == 0 ? 8 : 14, &q, &m.diags));
        good(&m, ts_quant_float(m.arena, net, q, TS_STAGE_FQ, &emulated, &m.diags));
        good(&m, ts_evaluate_float(m.arena, emulated, &data, NULL, &scores[1], &m.diags));
        error[k] = 0;
        for (uint32_t i = 0; i < SAMPLES * CLASSES; i++) {
            error[k] += fabs((double)scores[0].scores[i] - (double)scores[1].scores[i]);
        }
        ts_arena_free(m.arena);
    }
    assert_true(error[1] < error[0] / 16);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_integers_are_the_emulation),
        cmocka_unit_test(test_fit),
        cmocka_unit_test(test_random_networks),
        cmocka_unit_test(test_wide),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
