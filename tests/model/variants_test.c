/* Random networks in every spelling that exporters use, imported and computed, against an oracle that
 * evaluates the ONNX nodes as they stand. */
#include "base/random.h"
#include "ir/text_form.h"
#include "model/model.h"
#include "model/onnx.h"
#include "num/integer.h"
#include "onnx_maker.h"

typedef struct writer {
    maker m;
    oracle o;
    uint32_t evaluated, taken; /* nodes and initializers that the oracle has */
    ts_random random;
    const char *value; /* the newest activation */
    bool quantlab;
    bool wide; /* the newest activation may pass 8 bits */
} writer;

static int64_t draw(writer *w, int64_t low, int64_t high) { return ts_random_range(&w->random, low, high); }

static bool chance(writer *w, int64_t percent) { return draw(w, 1, 100) <= percent; }

/* What the newest activation is, on the test's input. */
static const mk_value *now(writer *w) {
    for (; w->taken < w->m.initializers.count; w->taken++) {
        const Onnx__TensorProto *t = w->m.initializers.data[w->taken];
        or_take_tensor(&w->o, t->name, t);
    }
    for (; w->evaluated < w->m.nodes.count; w->evaluated++) {
        or_node(&w->o, w->m.nodes.data[w->evaluated]);
    }
    return or_find(&w->o, w->value);
}

static void step(writer *w, Onnx__NodeProto *node) { w->value = node->output[0]; }

/* ---- constants in their spellings ---- */

static const char *through(writer *w, const char *op, const char *name, const char *second) {
    return mk_node(&w->m, op, name, second, NULL)->output[0];
}

static const char *reshaped(writer *w, int type, uint32_t rank, const int64_t *dims, const int64_t *values) {
    int64_t flat = 1, shape_dims = rank;
    for (uint32_t i = 0; i < rank; i++) {
        flat *= dims[i];
    }
    const char *name = mk_initializer(&w->m, "flat", type, 1, &flat, values);
    return through(w, "Reshape", name, mk_initializer(&w->m, "shape", MK_INT64, 1, &shape_dims, dims));
}

static const char *cast(writer *w, const char *name, int type) {
    Onnx__NodeProto *node = mk_node(&w->m, "Cast", name, NULL, NULL);
    mk_int(&w->m, node, "to", type);
    return node->output[0];
}

static const char *constant(writer *w, int type, uint32_t rank, const int64_t *dims, const int64_t *values) {
    switch (draw(w, 0, 6)) {
        case 0:
        case 1:
            return mk_constant(&w->m, type, rank, dims, values);
        case 2:
            return through(w, "Identity", mk_initializer(&w->m, "shared", type, rank, dims, values), NULL);
        case 3:
            return rank > 0 ? reshaped(w, type, rank, dims, values)
                            : mk_constant(&w->m, type, rank, dims, values);
        case 4:
            return cast(w, mk_constant(&w->m, type == MK_FLOAT ? MK_INT64 : MK_FLOAT, rank, dims, values),
                        type);
        default:
            return mk_initializer(&w->m, "module.param", type, rank, dims, values);
    }
}

/* One number, of rank 0 or 1. */
static const char *scalar(writer *w, int type, int64_t value) {
    int64_t one = 1;
    return constant(w, type, chance(w, 50) ? 1 : 0, &one, &value);
}

/* One number a channel, shaped to stand beside the newest activation: [1,C,1,1], [C,1,1], [C] and so on. */
static const char *by_channel(writer *w, const int64_t *values) {
    const mk_value *x = now(w);
    int64_t dims[MK_MAX_RANK] = {1, 1, 1, 1, 1, 1};
    uint32_t skip = chance(w, 50) ? 1 : 0;
    dims[1 - skip] = x->dims[1];
    return constant(w, MK_FLOAT, x->rank - skip, dims, values);
}

static void binary(writer *w, const char *op, const char *other) {
    bool swap = chance(w, 50) && op[0] != 'D' && op[0] != 'S';
    step(w, mk_node(&w->m, op, swap ? other : w->value, swap ? w->value : other, NULL));
}

static void noise(writer *w) {
    while (chance(w, 15)) {
        step(w, mk_node(&w->m, "Identity", w->value, NULL, NULL));
    }
}

static void cast_value(writer *w, int type) { w->value = cast(w, w->value, type); }

static void clip(writer *w, int64_t low, int64_t high) {
    if (w->m.opset < 11) {
        Onnx__NodeProto *node = mk_node(&w->m, "Clip", w->value, NULL, NULL);
        mk_float(&w->m, node, "max", (float)high);
        mk_float(&w->m, node, "min", (float)low);
        step(w, node);
        return;
    }
    const char *min = constant(w, MK_FLOAT, 0, NULL, &low), *max = constant(w, MK_FLOAT, 0, NULL, &high);
    step(w, mk_node(&w->m, "Clip", w->value, min, max));
}

/* ---- requantisation ---- */

static int64_t largest(writer *w) {
    const mk_value *x = now(w);
    int64_t most = 1;
    for (int64_t i = 0; i < x->count; i++) {
        int64_t v = x->num[i] / x->den;
        most = v > most ? v : -v > most ? -v : most;
    }
    return most;
}

static int64_t bits_of(int64_t value) {
    int64_t bits = 0;
    while (value >> bits != 0) {
        bits++;
    }
    return bits;
}

static void batch_norm(writer *w) {
    int64_t kappa[64], lambda[64], c = now(w)->dims[1], most = largest(w);
    bool same = chance(w, 20);
    for (int64_t i = 0; i < c; i++) {
        kappa[i] = same ? 77 : draw(w, -40, 200);
        lambda[i] = same ? 1000 : draw(w, -most * 20, most * 40);
    }
    if (chance(w, 85)) {
        binary(w, "Mul", same && chance(w, 50) ? scalar(w, MK_FLOAT, kappa[0]) : by_channel(w, kappa));
        noise(w);
    }
    if (chance(w, 85)) {
        bool minus = chance(w, 10);
        binary(w, minus ? "Sub" : "Add",
               same && chance(w, 50) ? scalar(w, MK_FLOAT, lambda[0]) : by_channel(w, lambda));
    }
}

/* Divides so that the results fill about 8 bits. */
static void integer_scale(writer *w) {
    int64_t m = chance(w, 80) ? draw(w, 3, 243) : 1, shift = bits_of(largest(w) * m) - 8;
    shift = shift < 1 ? 1 : shift;
    int64_t d = (INT64_C(1) << shift) - (chance(w, 30) && shift > 1);
    cast_value(w, MK_INT64);
    noise(w);
    if (m != 1) {
        binary(w, "Mul", scalar(w, MK_INT64, m));
    }
    binary(w, "Div", scalar(w, MK_INT64, d));
    while (chance(w, 40)) {
        cast_value(w, MK_INT64);
    }
    cast_value(w, MK_FLOAT);
}

static void activation(writer *w, bool normalised) {
    w->wide = false;
    if (normalised) {
        batch_norm(w);
    }
    if (w->quantlab) {
        int64_t shift = bits_of(largest(w)) - 8;
        binary(w, "Div", scalar(w, MK_FLOAT, INT64_C(1) << (shift < 0 ? 0 : shift)));
        step(w, mk_node(&w->m, "Floor", w->value, NULL, NULL));
        bool is_signed = chance(w, 25);
        int64_t bits = chance(w, 80) ? 8 : chance(w, 50) ? 4 : 2;
        clip(w, is_signed ? -(INT64_C(1) << (bits - 1)) : 0, (INT64_C(1) << (bits - is_signed)) - 1);
        return;
    }
    if (normalised && chance(w, 15)) {
        step(w, mk_node(&w->m, "Relu", w->value, NULL, NULL));
    }
    integer_scale(w);
    clip(w, 0, chance(w, 85) ? 255 : 15);
}

/* ---- layers ---- */

static void explicit_pad(writer *w) {
    const mk_value *x = now(w);
    int64_t pads[8] = {0}, count = 2 * x->rank;
    for (uint32_t d = 2; d < x->rank; d++) {
        pads[d] = draw(w, 0, 2);
        pads[x->rank + d] = draw(w, 0, 2);
    }
    Onnx__NodeProto *node;
    if (w->m.opset < 11) {
        node = mk_node(&w->m, "Pad", w->value, NULL, NULL);
        mk_string(&w->m, node, "mode", "constant");
        mk_ints(&w->m, node, "pads", (uint32_t)count, pads);
        mk_float(&w->m, node, "value", 0);
    } else {
        node = mk_node(&w->m, "Pad", w->value, constant(w, MK_INT64, 1, &count, pads), NULL);
    }
    step(w, node);
}

static bool is_signed(writer *w) {
    const mk_value *x = now(w);
    for (int64_t i = 0; i < x->count; i++) {
        if (x->num[i] < 0) {
            return true;
        }
    }
    return false;
}

static void window(writer *w, Onnx__NodeProto *node, uint32_t spatial, const int64_t *kernel, bool conv,
                   int64_t stride_percent) {
    int64_t strides[2], dilations[2], pads[4];
    for (uint32_t i = 0; i < spatial; i++) {
        strides[i] = chance(w, stride_percent) ? draw(w, 1, 3) : 1;
        dilations[i] = conv && chance(w, 20) ? 2 : 1;
        pads[i] = kernel[i] > 1 && conv ? draw(w, 0, kernel[i] / 2 + 1) : 0;
        pads[spatial + i] = kernel[i] > 1 && conv ? draw(w, 0, kernel[i] / 2 + 1) : 0;
    }
    mk_ints(&w->m, node, "kernel_shape", spatial, kernel);
    if (chance(w, 80) || stride_percent > 0) {
        mk_ints(&w->m, node, "strides", spatial, strides);
    }
    if (conv) {
        mk_ints(&w->m, node, "dilations", spatial, dilations);
    }
    if (conv && chance(w, 20)) {
        mk_string(&w->m, node, "auto_pad", chance(w, 50) ? "SAME_UPPER" : "SAME_LOWER");
    } else if (conv || chance(w, 50)) {
        mk_ints(&w->m, node, "pads", 2 * spatial, pads);
    }
}

/* Weights [out, in / group, kernel...] over 8 bits signed, sometimes fewer. */
static const char *weights(writer *w, uint32_t rank, const int64_t *dims) {
    int64_t count = 1, most = chance(w, 80) ? 127 : chance(w, 50) ? 7 : 1;
    for (uint32_t i = 0; i < rank; i++) {
        count *= dims[i];
    }
    int64_t *values = TS_NEW_ARRAY(w->m.arena, int64_t, count);
    for (int64_t i = 0; i < count; i++) {
        values[i] = draw(w, -most, most);
    }
    return constant(w, MK_FLOAT, rank, dims, values);
}

static const char *bias(writer *w, int64_t channels) {
    int64_t values[64];
    if (chance(w, 60)) {
        return NULL;
    }
    for (int64_t i = 0; i < channels; i++) {
        values[i] = draw(w, -3000, 3000);
    }
    return constant(w, MK_FLOAT, 1, &channels, values);
}

/* `same`: stride 1 and the input's size and channels again, for a residual branch. */
static void conv(writer *w, bool same) {
    while (!same && chance(w, 20)) {
        explicit_pad(w);
    }
    const mk_value *x = now(w);
    int64_t c = x->dims[1], groups = chance(w, 30) ? c : c % 2 == 0 && chance(w, 30) ? 2 : 1;
    int64_t out = same ? c : groups == c ? c * draw(w, 1, 2) : groups * draw(w, 1, 4), kernel[2];
    for (uint32_t i = 0; i < x->rank - 2; i++) {
        kernel[i] = same ? 1 : draw(w, 1, x->dims[2 + i] < 3 ? x->dims[2 + i] : 3);
    }
    int64_t dims[4] = {out, c / groups, kernel[0], kernel[1]};
    uint32_t rank = x->rank;
    const char *f = weights(w, rank, dims), *b = bias(w, out);
    Onnx__NodeProto *node = mk_node(&w->m, "Conv", w->value, f, b);
    if (same) {
        mk_ints(&w->m, node, "kernel_shape", rank - 2, kernel);
    } else {
        window(w, node, rank - 2, kernel, x->dims[2] > 4 && (rank == 3 || x->dims[3] > 4), 40);
    }
    if (groups != 1 || chance(w, 50)) {
        mk_int(&w->m, node, "group", groups);
    }
    step(w, node);
    activation(w, chance(w, 85));
}

static void pool(writer *w) {
    const mk_value *x = now(w);
    bool average = chance(w, 50) && !is_signed(w), global = average && chance(w, 20);
    int64_t kernel[2] = {1, 1}, n = 1;
    for (uint32_t i = 0; i < x->rank - 2; i++) {
        kernel[i] = global ? x->dims[2 + i] : draw(w, 1, x->dims[2 + i] < 3 ? x->dims[2 + i] : 3);
        n *= kernel[i];
    }
    Onnx__NodeProto *node = mk_node(&w->m,
                                    global    ? "GlobalAveragePool"
                                    : average ? "AveragePool"
                                              : "MaxPool",
                                    w->value, NULL, NULL);
    if (!global) {
        window(w, node, x->rank - 2, kernel, false, 60);
    }
    step(w, node);
    if (average && !w->quantlab) {
        binary(w, "Mul", scalar(w, MK_FLOAT, n));
        int64_t d = INT64_C(1) << draw(w, 5, 12);
        binary(w, "Mul", scalar(w, MK_FLOAT, d / n < 1 ? 1 : d / n));
        binary(w, "Div", scalar(w, MK_FLOAT, d < n ? 1024 : d));
        step(w, mk_node(&w->m, "Floor", w->value, NULL, NULL));
        if (d < n) {
            clip(w, 0, 255);
        }
    } else if (average || (w->quantlab && chance(w, 30))) {
        activation(w, true);
    }
}

/* Sum of the newest value and something computed from it, with or without factors, activation, or both. */
static void residual(writer *w) {
    if (w->wide) {
        activation(w, true);
    }
    const char *trunk = w->value;
    if (chance(w, 80)) {
        conv(w, true);
    } else {
        activation(w, true);
    }
    const char *branch = w->value;
    int64_t shift = draw(w, 2, 7), m1 = draw(w, 1, 256), m2 = draw(w, 1, 256);
    if (chance(w, 70)) {
        w->value = trunk;
        binary(w, "Mul", scalar(w, MK_FLOAT, m1));
        trunk = w->value;
    }
    if (chance(w, 70)) {
        w->value = branch;
        binary(w, "Mul", scalar(w, MK_FLOAT, m2));
        branch = w->value;
    }
    bool swap = chance(w, 50);
    step(w, mk_node(&w->m, "Add", swap ? branch : trunk, swap ? trunk : branch, NULL));
    shift = largest(w) >> shift > 2000 ? bits_of(largest(w)) - 8 : shift;
    if (shift > 0) {
        binary(w, "Div", scalar(w, MK_FLOAT, INT64_C(1) << shift));
        step(w, mk_node(&w->m, "Floor", w->value, NULL, NULL));
    }
    w->wide = w->quantlab || chance(w, 50);
    if (!w->wide) {
        activation(w, false);
    }
}

static void flatten(writer *w) {
    int64_t all[2] = {1, -1}, keep[2] = {0, -1}, two = 2, axis = 2, one = 1;
    const mk_value *x = now(w);
    if (chance(w, 15) && x->rank == 4) {
        int64_t perm[4] = {0, 2, 3, 1};
        Onnx__NodeProto *node = mk_node(&w->m, "Transpose", w->value, NULL, NULL);
        mk_ints(&w->m, node, "perm", 4, perm);
        step(w, node);
    } else if (x->rank == 4 && x->dims[2] == 1) {
        Onnx__NodeProto *node;
        if (w->m.opset < 13) {
            node = mk_node(&w->m, "Squeeze", w->value, NULL, NULL);
            mk_ints(&w->m, node, "axes", 1, &axis);
        } else {
            node = mk_node(&w->m, "Squeeze", w->value, constant(w, MK_INT64, 1, &one, &axis), NULL);
        }
        step(w, node);
    }
    if (chance(w, 50)) {
        Onnx__NodeProto *node = mk_node(&w->m, "Flatten", w->value, NULL, NULL);
        if (chance(w, 50)) {
            mk_int(&w->m, node, "axis", 1);
        }
        step(w, node);
        return;
    }
    step(w, mk_node(&w->m, "Reshape", w->value, constant(w, MK_INT64, 1, &two, chance(w, 50) ? all : keep),
                    NULL));
}

static void linear(writer *w, int64_t out) {
    const mk_value *x = now(w);
    int64_t in = x->count, dims[2] = {in, out}, flipped[2] = {out, in};
    if (chance(w, 50)) {
        step(w, mk_node(&w->m, "MatMul", w->value, weights(w, 2, dims), NULL));
        if (chance(w, 30)) {
            int64_t values[64];
            for (int64_t i = 0; i < out; i++) {
                values[i] = draw(w, -1000, 1000);
            }
            binary(w, "Add", constant(w, MK_FLOAT, 1, &out, values));
        }
        return;
    }
    bool transposed = chance(w, 60);
    const char *f = weights(w, 2, transposed ? flipped : dims), *b = bias(w, out);
    Onnx__NodeProto *node = mk_node(&w->m, "Gemm", w->value, f, b);
    if (transposed) {
        mk_int(&w->m, node, "transB", 1);
    }
    if (chance(w, 50)) {
        mk_float(&w->m, node, "alpha", 1);
        mk_float(&w->m, node, "beta", 1);
    }
    step(w, node);
}

static void float_tail(writer *w) {
    int64_t zero = 0;
    Onnx__NodeProto *node =
        mk_node(&w->m, "Gather", w->value, mk_constant(&w->m, MK_INT64, 0, NULL, &zero), NULL);
    mk_int(&w->m, node, "axis", 1);
    const char *sigmoid = mk_node(&w->m, "Sigmoid", node->output[0], NULL, NULL)->output[0];
    mk_output(&w->m, mk_node(&w->m, "LogSoftmax", w->value, NULL, NULL)->output[0]);
    mk_output(&w->m, sigmoid);
}

static writer begin(ts_arena *arena, uint64_t seed) {
    static const int64_t opsets[] = {9, 10, 11, 13};
    writer w = {.m = {.arena = arena}, .o = {.arena = arena}, .random = ts_random_seed(seed)};
    w.m.opset = opsets[draw(&w, 0, 3)];
    w.m.paths = chance(&w, 50);
    w.m.unnamed = chance(&w, 30);
    w.quantlab = chance(&w, 40);
    return w;
}

static int64_t *make_input(writer *w, bool is_1d) {
    int64_t dims[4] = {1, draw(w, 1, 5), draw(w, 5, 12), draw(w, 5, 12)};
    w->value = mk_input(&w->m, is_1d ? 3 : 4, dims);
    mk_value *x = or_new(&w->o, w->value, is_1d ? 3 : 4, dims);
    for (int64_t i = 0; i < x->count; i++) {
        x->num[i] = draw(w, 0, 255);
    }
    return x->num;
}

static void compare(writer *w, const int64_t *input, uint64_t seed) {
    ts_arena *arena = w->m.arena;
    ts_diags diags = {.arena = arena};
    ts_model_options options = {.input_signed = -1};
    const mk_value wanted = *now(w);
    chance(w, 50) ? mk_output(&w->m, w->value) : float_tail(w);
    ts_graph *graph;
    ts_status status = ts__onnx_import(arena, mk_pack(&w->m), "test", &options, &graph, &diags);
    for (uint32_t i = 0; i < diags.list.count; i++) {
        if (diags.list.data[i].severity == TS_ERROR) {
            ts_diag_print(stderr, &diags.list.data[i]);
        }
    }
    if (status != TS_OK) {
        fail_msg("seed %llu is refused", (unsigned long long)seed);
    }
    const ts_tensor *in = &graph->tensors.data[graph->inputs.data[0]];
    const ts_tensor *out = &graph->tensors.data[graph->outputs.data[0]];
    int32_t *x = TS_NEW_ARRAY(arena, int32_t, ts_tensor_elements(in)), **values;
    uint64_t plane = (uint64_t)ts_h(in) * ts_w(in);
    for (uint64_t i = 0; i < ts_tensor_elements(in); i++) {
        x[i] = (int32_t)input[i % ts_c(in) * plane + i / ts_c(in)];
    }
    const int32_t *inputs[1] = {x};
    assert_int_equal(ts_integer_run(graph, arena, inputs, &values, &diags), TS_OK);
    assert_int_equal(ts_tensor_elements(out), wanted.count);
    plane = (uint64_t)ts_h(out) * ts_w(out);
    for (uint64_t i = 0; i < ts_tensor_elements(out); i++) {
        int64_t expected = or_floor(wanted.num[i % ts_c(out) * plane + i / ts_c(out)], wanted.den);
        int32_t got = values[graph->outputs.data[0]][i];
        if (got != expected) {
            fail_msg("seed %llu: element %llu is %d; %lld would be right", (unsigned long long)seed,
                     (unsigned long long)i, got, (long long)expected);
        }
    }
}

static void one_network(uint64_t seed) {
    ts_arena *arena = ts_arena_new("test", 0);
    writer w = begin(arena, seed);
    const int64_t *input = make_input(&w, chance(&w, 25));
    int64_t layers = draw(&w, 1, 5);
    for (int64_t i = 0; i < layers; i++) {
        int64_t kind = draw(&w, 0, 9);
        kind < 5 ? conv(&w, false) : kind < 7 ? pool(&w) : kind < 9 ? residual(&w) : activation(&w, true);
        noise(&w);
    }
    if (chance(&w, 80)) {
        if (w.wide) {
            activation(&w, true); /* long sums of 16-bit values pass 32 bits */
        }
        flatten(&w);
        if (chance(&w, 40)) {
            linear(&w, draw(&w, 2, 12));
            activation(&w, true);
        }
        linear(&w, draw(&w, 1, 10));
    }
    compare(&w, input, seed);
    ts_arena_free(arena);
}

static void random_spellings(void **state) {
    (void)state;
    const char *count = getenv("TESSERA_VARIANTS");
    for (uint64_t seed = 1; seed <= (count == NULL ? 600 : strtoull(count, NULL, 10)); seed++) {
        one_network(seed);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(random_spellings)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
