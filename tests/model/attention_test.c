/* Layers of integer transformers, in models that the test makes: what the import computes equals the
 * operators as they are written, in the order of their own dimensions. */
#include "base/random.h"
#include "model/onnx.h"
#include "num/integer.h"
#include "onnx_maker.h"

enum { T = 6, C = 8, HEADS = 2, D = C / HEADS };

typedef struct net {
    maker m;
    ts_random random;
    const char *inputs[2];
    int32_t *x[2];
    uint32_t input_count;
} net;

static net begin(ts_arena *arena, uint64_t seed) {
    return (net){.m = {.arena = arena, .opset = 11}, .random = ts_random_seed(seed)};
}

static int64_t draw(net *n, int64_t low, int64_t high) { return ts_random_range(&n->random, low, high); }

/* A signed input of 8 bits; `value` in all of it, or random ones (1000). */
static const char *input(net *n, uint32_t rank, const int64_t *dims, int32_t value) {
    const char *name = ts_arena_printf(n->m.arena, "in%u", n->input_count);
    int64_t count = 1;
    for (uint32_t i = 0; i < rank; i++) {
        count *= dims[i];
    }
    TS_PUSH(n->m.arena, &n->m.inputs, mk_value_info(&n->m, name, rank, dims));
    int32_t *x = TS_NEW_ARRAY(n->m.arena, int32_t, count);
    for (int64_t i = 0; i < count; i++) {
        x[i] = value < 1000 ? value : (int32_t)draw(n, -128, 127);
    }
    n->x[n->input_count] = x;
    n->inputs[n->input_count++] = name;
    return name;
}

static const char *constant(net *n, uint32_t rank, const int64_t *dims, int64_t low, int64_t high,
                            int64_t **out) {
    int64_t count = 1;
    for (uint32_t i = 0; i < rank; i++) {
        count *= dims[i];
    }
    *out = TS_NEW_ARRAY(n->m.arena, int64_t, count);
    for (int64_t i = 0; i < count; i++) {
        (*out)[i] = draw(n, low, high);
    }
    return mk_initializer(&n->m, "w", MK_FLOAT, rank, dims, *out);
}

static const char *op(net *n, const char *name, const char *a, const char *b) {
    return mk_node(&n->m, name, a, b, NULL)->output[0];
}

static Onnx__NodeProto *last(net *n) { return n->m.nodes.data[n->m.nodes.count - 1]; }

static const char *requant(net *n, const char *x, int64_t mul, int64_t div) {
    int64_t zero = 0;
    Onnx__NodeProto *node =
        mk_node(&n->m, "RequantShift", x, mk_initializer(&n->m, "m", MK_FLOAT, 0, NULL, &mul),
                mk_initializer(&n->m, "a", MK_FLOAT, 0, NULL, &zero));
    mk_int(&n->m, node, "div", div);
    mk_int(&n->m, node, "n_levels_out", 256);
    mk_int(&n->m, node, "signed", 1);
    return node->output[0];
}

static int32_t requantised(int64_t v, int64_t mul, int64_t div) {
    int64_t y = or_floor(2 * v * mul + div, 2 * div);
    return (int32_t)(y < -128 ? -128 : y > 127 ? 127 : y);
}

static const char *reshape(net *n, const char *x, uint32_t rank, const int64_t *dims) {
    const int64_t count = rank;
    return op(n, "Reshape", x, mk_initializer(&n->m, "s", MK_INT64, 1, &count, dims));
}

static const char *transpose(net *n, const char *x, const int64_t order[4]) {
    const char *y = op(n, "Transpose", x, NULL);
    mk_ints(&n->m, last(n), "perm", 4, order);
    return y;
}

static ts_status import(net *n, ts_graph **graph, ts_diags *diags) {
    ts_model_options options = {.input_signed = 1, .input_bits = 8};
    diags->arena = n->m.arena;
    return ts__onnx_import(n->m.arena, mk_pack(&n->m), "test", &options, graph, diags);
}

/* Runs the network, whose output is `name`, and compares. */
static void check(net *n, const char *name, const int32_t *expected, uint64_t count) {
    ts_graph *graph;
    ts_diags diags = {0};
    int32_t **values;
    mk_output(&n->m, name);
    ts_status status = import(n, &graph, &diags);
    for (uint32_t i = 0; i < diags.list.count; i++) {
        ts_diag_print(stderr, &diags.list.data[i]);
    }
    assert_int_equal(status, TS_OK);
    assert_int_equal(graph->inputs.count, n->input_count);
    assert_int_equal(ts_integer_run(graph, n->m.arena, (const int32_t *const *)n->x, &values, &diags), TS_OK);
    const ts_tensor *out = &graph->tensors.data[graph->outputs.data[0]];
    assert_int_equal(ts_tensor_elements(out), count);
    assert_memory_equal(values[graph->outputs.data[0]], expected, count * sizeof *expected);
}

static void norm_row(const int32_t *x, const int64_t *w, const int64_t *b, bool centred, int32_t *y) {
    int64_t mean = 0, squares = 0, root = 0;
    for (int c = 0; centred && c < C; c++) {
        mean += x[c];
    }
    mean /= C;
    for (int c = 0; c < C; c++) {
        squares += (x[c] - mean) * (x[c] - mean);
    }
    for (squares = squares / C + 1; (root + 1) * (root + 1) <= squares; root++) {
    }
    for (int c = 0; c < C; c++) {
        int64_t v = or_floor((x[c] - mean) * w[c] / root + (b == NULL ? 0 : b[c]), 4096);
        y[c] = (int32_t)(v < -128 ? -128 : v > 127 ? 127 : v);
    }
}

static const char *norm(net *n, const char *x, bool centred, int64_t **w, int64_t **b) {
    const int64_t dims[1] = {C};
    const char *weights = constant(n, 1, dims, -200000, 200000, w);
    *b = NULL;
    const char *bias = centred ? constant(n, 1, dims, -200000, 200000, b) : NULL;
    Onnx__NodeProto *node = mk_node(&n->m, centred ? "iLayerNorm" : "iRMSNorm", x, weights, bias);
    mk_int(&n->m, node, "D", 4096);
    mk_int(&n->m, node, "n_levels", 256);
    return node->output[0];
}

static void normalisations(void **state) {
    (void)state;
    static const int32_t fill[] = {1000, 0, -128, 127, 1000};
    for (uint64_t seed = 0; seed < 10; seed++) {
        ts_arena *arena = ts_arena_new("test", 0);
        net n = begin(arena, seed);
        int64_t *w, *b;
        int32_t y[T * C];
        const char *x = input(&n, 3, (const int64_t[]){1, T, C}, fill[seed / 2]);
        const char *out = norm(&n, x, seed % 2 == 0, &w, &b);
        for (int t = 0; t < T; t++) {
            norm_row(n.x[0] + t * C, w, b, seed % 2 == 0, y + t * C);
        }
        check(&n, out, y, T * C);
        ts_arena_free(arena);
    }
}

static void softmax_row(const int32_t *x, uint32_t count, bool ita, int32_t *y) {
    int64_t sum = 0, e[T];
    int32_t most = x[0];
    for (uint32_t i = 0; i < count; i++) {
        most = x[i] > most ? x[i] : most;
    }
    for (uint32_t i = 0; i < count; i++) {
        int64_t d = most - x[i], z = d / 23, p = 23 * z - d + 40;
        e[i] = ita ? 256 >> (d + 16) / 32 : (p * p + 900) >> z;
        sum += e[i];
    }
    for (uint32_t i = 0; i < count; i++) {
        y[i] = (int32_t)(ita ? 65280 / sum * e[i] / 256 : e[i] * 255 / sum);
    }
}

static const char *softmax(net *n, const char *x, bool ita) {
    const char *y = op(n, ita ? "ITAMax" : "iSoftmax", x, NULL);
    mk_int(&n->m, last(n), "n_levels", 256);
    if (!ita) {
        mk_int(&n->m, last(n), "coeffA", 1);
        mk_int(&n->m, last(n), "coeffB", 40);
        mk_int(&n->m, last(n), "coeffC", 900);
        mk_int(&n->m, last(n), "log2", 23);
    }
    return y;
}

/* One of the three linear layers of each token. */
static const char *project(net *n, const char *x, int32_t *y) {
    int64_t *w;
    const int64_t dims[2] = {C, C};
    const char *sum = op(n, "MatMul", x, constant(n, 2, dims, -128, 127, &w));
    for (int t = 0; t < T; t++) {
        for (int c = 0; c < C; c++) {
            int64_t acc = 0;
            for (int k = 0; k < C; k++) {
                acc += n->x[0][t * C + k] * w[k * C + c];
            }
            y[t * C + c] = requantised(acc, 50, 16384);
        }
    }
    const int64_t heads[4] = {1, T, HEADS, D};
    return reshape(n, requant(n, sum, 50, 16384), 4, heads);
}

static void attend(const int32_t *q, const int32_t *k, const int32_t *v, bool ita, int32_t *y) {
    for (int h = 0; h < HEADS; h++) {
        for (int t = 0; t < T; t++) {
            int32_t logits[T], share[T];
            for (int s = 0; s < T; s++) {
                int64_t acc = 0;
                for (int d = 0; d < D; d++) {
                    acc += q[t * C + h * D + d] * k[s * C + h * D + d];
                }
                logits[s] = requantised(acc, 90, 16384);
            }
            softmax_row(logits, T, ita, share);
            for (int d = 0; d < D; d++) {
                int64_t acc = 0;
                for (int s = 0; s < T; s++) {
                    acc += share[s] * v[s * C + h * D + d];
                }
                y[t * C + h * D + d] = requantised(acc, 70, 16384);
            }
        }
    }
}

static void attention_of_heads(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < 4; seed++) {
        ts_arena *arena = ts_arena_new("test", 0);
        net n = begin(arena, 20 + seed);
        int32_t q[T * C], k[T * C], v[T * C], y[T * C];
        const char *x = input(&n, 3, (const int64_t[]){1, T, C}, seed == 3 ? -128 : 1000);
        const char *a = transpose(&n, project(&n, x, q), (const int64_t[]){0, 2, 1, 3});
        const char *b = transpose(&n, project(&n, x, k), (const int64_t[]){0, 2, 3, 1});
        const char *c = transpose(&n, project(&n, x, v), (const int64_t[]){0, 2, 1, 3});
        const char *logits = requant(&n, op(&n, "MatMul", a, b), 90, 16384);
        const char *sum = op(&n, "MatMul", softmax(&n, logits, seed % 2 == 0), c);
        const char *out = transpose(&n, requant(&n, sum, 70, 16384), (const int64_t[]){0, 2, 1, 3});
        attend(q, k, v, seed % 2 == 0, y);
        check(&n, reshape(&n, out, 3, (const int64_t[]){1, T, C}), y, T * C);
        ts_arena_free(arena);
    }
}

static int64_t function_of(int kind, int64_t x) {
    if (kind == 0) { /* iGELU */
        int64_t size = x < 0 ? -x : x, d = (size < 40 ? size : 40) - 40, l = (x > 0) - (x < 0);
        return x * or_floor(1743 + l * (1743 - d * d), 2);
    }
    if (kind == 1) { /* iHardswish */
        int64_t v = x + 60;
        return x * 42 * (v < 0 ? 0 : v > 120 ? 120 : v);
    }
    return x * (16384 * 200000ll / 400001);
}

static void functions_become_tables(void **state) {
    static const struct {
        const char *op, *names[4];
        int64_t values[4], mul;
    } rows[] = {
        {"iGELU", {"b", "one"}, {-40, 1743}, 13},
        {"iHardswish", {"one_over_six", "three", "six"}, {42, 60, 120}, 30},
        {"TrueIntegerDiv", {"Delta", "eta", "eps", "y"}, {16384, 200000, 1, 2}, 4},
    };
    (void)state;
    for (int kind = 0; kind < 3; kind++) {
        ts_arena *arena = ts_arena_new("test", 0);
        net n = begin(arena, 40);
        int32_t y[256];
        const char *x = input(&n, 4, (const int64_t[]){1, 256, 1, 1}, 1000);
        const char *f = op(&n, rows[kind].op, x, NULL);
        for (int i = 0; i < 4 && rows[kind].names[i] != NULL; i++) {
            mk_int(&n.m, last(&n), rows[kind].names[i], rows[kind].values[i]);
        }
        for (int i = 0; i < 256; i++) {
            n.x[0][i] = i - 128;
            y[i] = requantised(function_of(kind, i - 128), rows[kind].mul, 65536);
        }
        check(&n, requant(&n, f, rows[kind].mul, 65536), y, 256);
        ts_arena_free(arena);
    }
}

/* Concat to a cache, a product of its parts, a sum with a row that is repeated, a mean. */
static void parts_and_pairs(void **state) {
    (void)state;
    ts_arena *arena = ts_arena_new("test", 0);
    net n = begin(arena, 60);
    int64_t one = 1, *w;
    int32_t y[C];
    const char *a = input(&n, 3, (const int64_t[]){1, 1, C}, 1000);
    const char *cache = input(&n, 3, (const int64_t[]){1, T, C}, 1000);
    const char *joined = op(&n, "Concat", cache, a);
    mk_int(&n.m, last(&n), "axis", 1);
    const char *row = op(&n, "Gather", joined, mk_initializer(&n.m, "i", MK_INT64, 0, NULL, &one));
    mk_int(&n.m, last(&n), "axis", 1);
    const char *product =
        requant(&n, op(&n, "Mul", joined, reshape(&n, row, 3, (const int64_t[]){1, 1, C})), 1, 100);
    const char *sum = requant(&n, op(&n, "Add", product, a), 3, 4);
    const char *mean = op(&n, "IntegerMean", sum, NULL);
    mk_ints(&n.m, last(&n), "axes", 1, &one);
    const char *out =
        requant(&n, op(&n, "MatMul", mean, constant(&n, 2, (const int64_t[]){C, C}, -9, 9, &w)), 1, 8);
    int64_t means[C];
    for (int c = 0; c < C; c++) {
        int64_t total = 0;
        for (int t = 0; t <= T; t++) {
            int64_t v = t == T ? n.x[0][c] : n.x[1][t * C + c];
            total += requantised(requantised(v * n.x[1][C + c], 1, 100) + n.x[0][c], 3, 4);
        }
        means[c] = or_floor(2 * total + T + 1, 2 * (T + 1));
    }
    for (int c = 0; c < C; c++) {
        int64_t acc = 0;
        for (int k = 0; k < C; k++) {
            acc += means[k] * w[k * C + c];
        }
        y[c] = requantised(acc, 1, 8);
    }
    check(&n, out, y, C);
    ts_arena_free(arena);
}

/* Sums of 32 bits are added before one requantisation, as the parts of a projection by heads are. */
static void wide_sums_are_added(void **state) {
    enum { PARTS = 4 };
    (void)state;
    for (uint64_t seed = 0; seed < 4; seed++) {
        ts_arena *arena = ts_arena_new("test", 0);
        net n = begin(arena, 80 + seed);
        int64_t *w, sums[T * C] = {0};
        int32_t y[T * C];
        const char *x = input(&n, 3, (const int64_t[]){1, T, C}, seed == 3 ? -128 : 1000), *total = NULL;
        for (int part = 0; part < PARTS; part++) {
            const char *weights = constant(&n, 2, (const int64_t[]){C, C}, seed == 3 ? -128 : -9, 9, &w);
            const char *sum = op(&n, "MatMul", x, weights);
            total = total == NULL ? sum : op(&n, "Add", total, sum);
            for (int i = 0; i < T * C * C; i++) {
                sums[i / C] += n.x[0][i / C / C * C + i % C] * w[i % C * C + i / C % C];
            }
        }
        for (int i = 0; i < T * C; i++) {
            y[i] = requantised(sums[i], 3, 1024);
        }
        check(&n, requant(&n, total, 3, 1024), y, T * C);
        ts_arena_free(arena);
    }
}

/* The message names the operator. */
static void refused(net *n, const char *output, const char *operator) {
    ts_graph *graph;
    ts_diags diags = {0};
    mk_output(&n->m, output);
    assert_int_equal(import(n, &graph, &diags), TS_BAD_INPUT);
    assert_string_equal(diags.list.data[0].op, operator);
    ts_arena_free(n->m.arena);
}

static void bad_parameters_are_refused(void **state) {
    (void)state;
    const int64_t dims[3] = {1, T, C};
    int64_t *w;
    net n = begin(ts_arena_new("test", 0), 1);
    const char *x = input(&n, 3, dims, 0), *y = softmax(&n, x, true);
    last(&n)->attribute[0]->i = 128;
    refused(&n, y, "ITAMax");

    n = begin(ts_arena_new("test", 0), 1);
    y = softmax(&n, input(&n, 3, dims, 0), false);
    last(&n)->attribute[4]->i = 0; /* log2 */
    refused(&n, y, "iSoftmax");

    n = begin(ts_arena_new("test", 0), 1);
    x = input(&n, 3, dims, 0);
    y = mk_node(&n.m, "iRMSNorm", x, constant(&n, 1, dims + 2, 1, 9, &w), NULL)->output[0];
    mk_int(&n.m, last(&n), "D", 1000);
    mk_int(&n.m, last(&n), "n_levels", 256);
    refused(&n, y, "iRMSNorm");

    n = begin(ts_arena_new("test", 0), 1);
    y = op(&n, "TrueIntegerDiv", input(&n, 3, dims, 0), NULL);
    mk_int(&n.m, last(&n), "Delta", 1);
    mk_int(&n.m, last(&n), "eta", 1);
    mk_int(&n.m, last(&n), "eps", 0);
    mk_int(&n.m, last(&n), "y", 0);
    refused(&n, y, "TrueIntegerDiv");

    n = begin(ts_arena_new("test", 0), 1);
    x = input(&n, 3, dims, 0);
    refused(&n, op(&n, "MatMul", x, x), "MatMul");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(normalisations),          cmocka_unit_test(attention_of_heads),
        cmocka_unit_test(functions_become_tables), cmocka_unit_test(parts_and_pairs),
        cmocka_unit_test(wide_sums_are_added),     cmocka_unit_test(bad_parameters_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
