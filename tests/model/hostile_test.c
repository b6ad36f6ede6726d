/* Files that are damaged or made to harm: an error with a message each time, in bounded memory. */
#include <math.h>

#include "base/random.h"
#include "model/float_model.h"
#include "model/model.h"
#include "model/onnx.h"
#include "model/values.h"
#include "num/generate.h"
#include "onnx_maker.h"

enum { PEAK_LIMIT_BYTES = 512 << 20 };

/* Imports bytes; an error has to come with a message. */
static ts_status import(ts_bytes file, ts_diags *diags) {
    ts_model_options options = {.input_signed = -1};
    ts_graph *graph = NULL;
    ts_status status = ts__onnx_import(diags->arena, file, "hostile", &options, &graph, diags);
    assert_true((status == TS_OK) == (graph != NULL));
    assert_true((status == TS_OK) == (ts_diags_errors(diags) == 0));
    assert_true(ts_arena_peak_bytes() < PEAK_LIMIT_BYTES);
    return status;
}

static ts_status import_alone(ts_bytes file) {
    ts_arena *arena = ts_arena_new("hostile", 0);
    ts_diags diags = {.arena = arena};
    ts_status status = import(file, &diags);
    ts_arena_free(arena);
    return status;
}

/* A small network of every operator, as the bytes of its file. */
static ts_bytes sample(ts_arena *arena, uint64_t seed) {
    ts_diags diags = {.arena = arena};
    ts_random_limits limits = ts_random_limits_default();
    ts_graph *graph;
    ts_bytes file;
    const char *folder;
    limits.nemo_only = true;
    limits.side = 5;
    limits.channels = 5;
    assert_int_equal(ts_random_network(arena, seed, &limits, &graph, &diags), TS_OK);
    assert_int_equal(ts_dir_temporary(arena, &folder, &diags), TS_OK);
    const char *path = ts_path_join(arena, folder, "net.onnx");
    assert_int_equal(ts_model_write_nemo(graph, path, &diags), TS_OK);
    assert_int_equal(ts_file_read(arena, path, 1 << 24, &file, &diags), TS_OK);
    assert_int_equal(ts_dir_remove(folder, &diags), TS_OK);
    return file;
}

static void truncated(void **state) {
    (void)state;
    ts_arena *arena = ts_arena_new("test", 0);
    for (uint64_t seed = 1; seed <= 3; seed++) {
        ts_bytes file = sample(arena, seed);
        assert_int_equal(import_alone(file), TS_OK);
        uint32_t accepted = 0;
        for (size_t size = 0; size < file.size; size++) {
            uint8_t *part = malloc(size + 1); /* its own block: reads past the end are seen */
            memcpy(part, file.data, size);
            accepted += import_alone((ts_bytes){part, size}) == TS_OK;
            free(part);
        }
        assert_true(accepted <= 2); /* the last field of a model is its opset, which may be missing */
    }
    ts_arena_free(arena);
}

static void flipped(void **state) {
    (void)state;
    ts_arena *arena = ts_arena_new("test", 0);
    ts_random random = ts_random_seed(11);
    uint32_t failed = 0, tries = 6000;
    ts_bytes files[7];
    for (uint64_t i = 0; i < 7; i++) {
        files[i] = sample(arena, 1 + i);
    }
    for (uint32_t i = 0; i < tries; i++) {
        ts_bytes file = files[i % 7];
        uint8_t *copy = malloc(file.size);
        memcpy(copy, file.data, file.size);
        for (int64_t flips = ts_random_range(&random, 1, 4); flips > 0; flips--) {
            copy[ts_random_range(&random, 0, (int64_t)file.size - 1)] ^=
                (uint8_t)(1u << ts_random_range(&random, 0, 7));
        }
        failed += import_alone((ts_bytes){copy, file.size}) != TS_OK;
        free(copy);
    }
    assert_true(failed > tries / 10);
    ts_arena_free(arena);
}

/* ---- models made to harm ---- */

typedef struct attack {
    maker m;
    Onnx__NodeProto *conv;
    const char *value;
} attack;

/* input -> Conv 3x3 -> Clip, to be spoilt. */
static attack begin(ts_arena *arena) {
    attack a = {.m = {.arena = arena, .opset = 10}};
    int64_t shape[4] = {1, 2, 6, 6}, dims[4] = {3, 2, 3, 3}, values[54];
    for (int i = 0; i < 54; i++) {
        values[i] = i - 27;
    }
    const char *input = mk_input(&a.m, 4, shape);
    a.conv = mk_node(&a.m, "Conv", input, mk_initializer(&a.m, "w", MK_FLOAT, 4, dims, values), NULL);
    Onnx__NodeProto *clip = mk_node(&a.m, "Clip", a.conv->output[0], NULL, NULL);
    mk_float(&a.m, clip, "min", 0);
    mk_float(&a.m, clip, "max", 255);
    a.value = clip->output[0];
    mk_output(&a.m, a.value);
    return a;
}

/* The network is refused; the first message contains `word`. */
static void refused(attack *a, const char *word) {
    ts_diags diags = {.arena = a->m.arena};
    assert_int_equal(import(mk_pack(&a->m), &diags), TS_BAD_INPUT);
    const ts_diag *first = &diags.list.data[0];
    if (strstr(first->text, word) == NULL) {
        fail_msg("'%s' lacks '%s'", first->text, word);
    }
}

/* An input that is a sequence, to both importers. */
static void sequence_input(void **state) {
    (void)state;
    ts_arena *arena = ts_arena_new("test", 0);
    attack a = begin(arena);
    Onnx__TypeProto__Sequence *sequence = TS_NEW(arena, Onnx__TypeProto__Sequence);
    Onnx__TypeProto *type = a.m.inputs.data[0]->type;
    onnx__type_proto__sequence__init(sequence);
    sequence->elem_type = TS_NEW(arena, Onnx__TypeProto);
    onnx__type_proto__init(sequence->elem_type);
    type->value_case = ONNX__TYPE_PROTO__VALUE_SEQUENCE_TYPE;
    type->sequence_type = sequence;
    ts_diags diags = {.arena = arena};
    ts_fgraph *graph;
    assert_int_equal(ts_float_model_parse(arena, mk_pack(&a.m), "net", NULL, &graph, &diags), TS_BAD_INPUT);
    refused(&a, "has no shape");
    ts_arena_free(arena);
}

static void served(attack *a) {
    ts_diags diags = {.arena = a->m.arena};
    ts_status status = import(mk_pack(&a->m), &diags);
    for (uint32_t i = 0; i < diags.list.count; i++) {
        ts_diag_print(stderr, &diags.list.data[i]);
    }
    assert_int_equal(status, TS_OK);
}

#define ATTACK(name)                               \
    static void name##_body(attack *a);            \
    static void name(void **state) {               \
        (void)state;                               \
        ts_arena *arena = ts_arena_new("test", 0); \
        attack a = begin(arena);                   \
        name##_body(&a);                           \
        ts_arena_free(arena);                      \
    }                                              \
    static void name##_body(attack *a)

ATTACK(unspoilt) { served(a); }

ATTACK(cyclic) {
    Onnx__NodeProto *second = mk_node(&a->m, "Relu", a->value, NULL, NULL);
    a->conv->input[0] = second->output[0];
    mk_output(&a->m, second->output[0]);
    refused(a, "cycle");
}

ATTACK(reads_itself) {
    a->conv->input[0] = a->conv->output[0];
    refused(a, "cycle");
}

ATTACK(missing_tensor) {
    a->conv->input[1] = mk_text(&a->m, "nowhere");
    refused(a, "'nowhere' is made by no node");
}

ATTACK(missing_output) {
    a->m.outputs.data[0]->name = mk_text(&a->m, "nowhere");
    refused(a, "'nowhere' is made by no node");
}

ATTACK(duplicate_names) {
    a->m.nodes.data[1]->output[0] = a->conv->output[0];
    refused(a, "two tensors have the name");
}

ATTACK(duplicate_initializers) {
    TS_PUSH(a->m.arena, &a->m.initializers, a->m.initializers.data[0]);
    refused(a, "two tensors have the name");
}

ATTACK(huge_input) {
    Onnx__TensorShapeProto *shape = a->m.inputs.data[0]->type->tensor_type->shape;
    shape->dim[2]->dim_value = INT64_C(1) << 31;
    refused(a, "batch of 1 and known sizes");
    shape->dim[2]->dim_value = 1 << 20;
    shape->dim[3]->dim_value = 1 << 20;
    refused(a, "absurdly large");
    shape->dim[2]->dim_value = -5;
    refused(a, "batch of 1 and known sizes");
}

ATTACK(huge_weights) {
    Onnx__TensorProto *w = a->m.initializers.data[0];
    w->dims[0] = INT64_C(1) << 31;
    refused(a, "absurdly large");
    for (int i = 0; i < 4; i++) {
        w->dims[i] = 1 << 16;
    }
    refused(a, "absurdly large");
    w->dims[0] = w->dims[1] = w->dims[2] = w->dims[3] = INT64_MIN;
    refused(a, "negative");
}

ATTACK(short_weights) {
    a->m.initializers.data[0]->raw_data.len -= 4;
    refused(a, "fewer or more data");
}

ATTACK(external_weights) {
    a->m.initializers.data[0]->has_data_location = 1;
    a->m.initializers.data[0]->data_location = ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL;
    refused(a, "another file");
}

ATTACK(absurd_windows) {
    static const struct {
        const char *name;
        uint32_t count;
        int64_t values[4];
        const char *word;
    } cases[] = {
        {"pads", 4, {INT64_MAX, 0, 0, 0}, "attribute 'pads'"},
        {"pads", 4, {-1, 0, 0, 0}, "attribute 'pads'"},
        {"pads", 3, {0, 0, 0}, "attribute 'pads' has 3 numbers"},
        {"strides", 2, {0, 1}, "attribute 'strides'"},
        {"strides", 2, {1, INT64_C(1) << 40}, "attribute 'strides'"},
        {"dilations", 2, {4000, 1}, "does not fit its input"},
        {"dilations", 2, {-1, 1}, "attribute 'dilations'"},
        {"kernel_shape", 2, {5, 5}, "kernel_shape"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        a->conv->n_attribute = 0;
        mk_ints(&a->m, a->conv, cases[i].name, cases[i].count, cases[i].values);
        refused(a, cases[i].word);
    }
}

ATTACK(absurd_groups) {
    static const int64_t groups[] = {0, -1, 3, INT64_MAX, INT64_MIN};
    for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++) {
        a->conv->n_attribute = 0;
        mk_int(&a->m, a->conv, "group", groups[i]);
        refused(a, "group");
    }
}

static void set_weight(attack *a, float value) {
    memcpy(a->m.initializers.data[0]->raw_data.data + 20, &value, sizeof value);
}

ATTACK(bad_weights) {
    set_weight(a, NAN);
    refused(a, "whole numbers only");
    set_weight(a, INFINITY);
    refused(a, "whole numbers only");
    set_weight(a, 0.5f);
    refused(a, "0.5 at element 5");
    set_weight(a, 128);
    refused(a, "weight 128 at element 5");
    set_weight(a, -128);
    served(a);
}

ATTACK(bad_bounds) {
    Onnx__NodeProto *clip = a->m.nodes.data[1];
    clip->attribute[0]->f = 300;
    refused(a, "above its upper bound");
    clip->attribute[0]->f = NAN;
    refused(a, "not a number");
}

/* Puts op(value, constant) behind the network. */
static void behind(attack *a, const char *op, int64_t constant) {
    const char *c = mk_constant(&a->m, MK_INT64, 0, NULL, &constant);
    a->value = mk_node(&a->m, op, a->value, c, NULL)->output[0];
    a->m.outputs.data[0]->name = mk_text(&a->m, a->value);
}

/* A float network is called so, whatever else is wrong with it. */
ATTACK(float_networks) {
    set_weight(a, 0.5f);
    behind(a, "Mod", 3);
    refused(a, "`tessera quantize`");
}

ATTACK(division_by_zero) {
    behind(a, "Div", 0);
    refused(a, "division by 0");
}

ATTACK(division_by_negative) {
    behind(a, "Div", -8);
    refused(a, "division by -8");
}

ATTACK(huge_factors) {
    behind(a, "Mul", INT64_C(1) << 55);
    behind(a, "Mul", INT64_C(1) << 55);
    refused(a, "too large");
}

ATTACK(large_factor) {
    behind(a, "Mul", INT64_C(1) << 45);
    refused(a, "too large");
}

ATTACK(unknown_operators) {
    a->conv->op_type = mk_text(&a->m, "LSTM");
    a->m.nodes.data[1]->op_type = mk_text(&a->m, "Selu");
    ts_diags diags = {.arena = a->m.arena};
    assert_int_equal(import(mk_pack(&a->m), &diags), TS_BAD_INPUT);
    assert_int_equal(ts_diags_errors(&diags), 2); /* both are named */
    assert_string_equal(diags.list.data[0].op, "LSTM");
    assert_string_equal(diags.list.data[1].op, "Selu");
}

ATTACK(float_in_the_middle) {
    const char *f = a->conv->input[1];
    const char *middle = mk_node(&a->m, "Sigmoid", a->value, NULL, NULL)->output[0];
    a->m.outputs.data[0]->name = mk_node(&a->m, "Conv", middle, f, NULL)->output[0];
    refused(a, "float tail that begins at node 'Sigmoid");
}

ATTACK(accumulator_into_a_layer) {
    int64_t dims[4] = {1, 3, 1, 1}, ones[3] = {1, 1, 1};
    const char *f = mk_initializer(&a->m, "v", MK_FLOAT, 4, dims, ones);
    a->m.outputs.data[0]->name = mk_node(&a->m, "Conv", a->conv->output[0], f, NULL)->output[0];
    refused(a, "32-bit accumulator");
}

ATTACK(not_whole) {
    int64_t three = 3;
    const char *c = mk_constant(&a->m, MK_FLOAT, 0, NULL, &three);
    a->m.outputs.data[0]->name = mk_node(&a->m, "Div", a->value, c, NULL)->output[0];
    refused(a, "not whole");
}

/* 200,000 empty nodes, and one byte a node in the file. */
static void many_nodes(void **state) {
    (void)state;
    ts_arena *arena = ts_arena_new("test", 0);
    enum { COUNT = 200000 };
    uint8_t *file = ts_arena_alloc(arena, 8 + 2 * COUNT), *p = file;
    size_t body = 2 * COUNT;
    *p++ = 7 << 3 | 2; /* graph */
    for (size_t rest = body; rest > 0 || p == file + 1; rest >>= 7) {
        *p++ = (uint8_t)((rest & 127) | (rest > 127 ? 128 : 0));
    }
    for (int i = 0; i < COUNT; i++) {
        *p++ = 1 << 3 | 2; /* node of no bytes */
        *p++ = 0;
    }
    assert_int_equal(import_alone((ts_bytes){file, (size_t)(p - file)}), TS_BAD_INPUT);
    ts_arena_free(arena);
}

/* A graph in an attribute of a node of a graph in an attribute ... written from the inside. */
static void deep_nesting(void **state) {
    (void)state;
    enum { LEVELS = 30000, ROOM = LEVELS * 12 };
    uint8_t *file = malloc(ROOM), *p = file + ROOM;
    for (int level = 0; level < LEVELS; level++) {
        static const uint8_t tags[] = {6 << 3 | 2, 5 << 3 | 2,
                                       1 << 3 | 2}; /* attribute.g, node.attribute, graph.node */
        for (int i = 0; i < 3; i++) {
            size_t size = (size_t)(file + ROOM - p);
            uint8_t length[5];
            int n = 0;
            do {
                length[n++] = (uint8_t)((size & 127) | (size > 127 ? 128 : 0));
                size >>= 7;
            } while (size > 0);
            p -= n;
            memcpy(p, length, (size_t)n);
            *--p = tags[i];
        }
    }
    size_t size = (size_t)(file + ROOM - p);
    uint8_t *whole = malloc(size + 8), *q = whole;
    *q++ = 7 << 3 | 2;
    for (size_t rest = size; rest > 0; rest >>= 7) {
        *q++ = (uint8_t)((rest & 127) | (rest > 127 ? 128 : 0));
    }
    memcpy(q, p, size);
    assert_int_equal(import_alone((ts_bytes){whole, (size_t)(q - whole) + size}), TS_BAD_INPUT);
    free(whole);
    free(file);
}

/* The n-th allocation of the host fails, for every n. */
static void exhausted(void **state) {
    (void)state;
    ts_arena *keep = ts_arena_new("test", 0);
    ts_bytes file = sample(keep, 2);
    volatile uint32_t failures = 0;
    for (volatile uint64_t n = 1;; n++) {
        ts_guard guard;
        ts_arena *volatile arena = NULL;
        volatile ts_status status = TS_SYSTEM;
        ts_arena_fail_after(n);
        if (TS_GUARD_ENTER(&guard)) {
            failures++;
        } else {
            arena = ts_arena_new("hostile", 0);
            ts_diags diags = {.arena = arena};
            ts_graph *graph;
            ts_model_options options = {.input_signed = -1};
            status = ts__onnx_import(arena, file, "n-th", &options, &graph, &diags);
            ts_guard_leave(&guard);
        }
        ts_arena_fail_after(0);
        ts_arena_free(arena);
        if (status == TS_OK) {
            break;
        }
    }
    assert_true(failures >= 2);
    ts_arena_free(keep);
}

/* ---- values ---- */

static void damaged_values(void **state) {
    (void)state;
    static const char npy[] =
        "\x93NUMPY\x01\x00\x76\x00"
        "{'descr': '<i2', 'fortran_order': False, 'shape': (1, 2, 3), }                                      "
        "                 \n"
        "\1\0\2\0\3\0\4\0\5\0\6\0";
    ts_arena *arena = ts_arena_new("test", 0);
    ts_random random = ts_random_seed(5);
    ts_tensor tensor = {.name = "x", .type = TS_S16, .rank = 4, .dims = {1, 1, 2, 3}};
    ts_diags diags = {.arena = arena};
    const int32_t *values;
    assert_int_equal(ts__npy_values_parse(arena, (ts_bytes){(const uint8_t *)npy, sizeof npy - 1}, &tensor,
                                          &values, &diags),
                     TS_OK);
    for (int32_t i = 0; i < 6; i++) {
        assert_int_equal(values[i], i + 1);
    }
    for (int i = 0; i < 20000; i++) {
        size_t size = i < 100 ? (size_t)i : sizeof npy - 1;
        size = size > sizeof npy - 1 ? sizeof npy - 1 : size;
        uint8_t *copy = malloc(size + 1);
        memcpy(copy, npy, size);
        for (int flips = i < 100 ? 0 : 3; flips > 0; flips--) {
            copy[ts_random_range(&random, 0, (int64_t)size - 1)] = (uint8_t)ts_random_range(&random, 0, 255);
        }
        ts_diags own = {.arena = ts_arena_new("values", 0)};
        ts_status status = ts__npy_values_parse(own.arena, (ts_bytes){copy, size}, &tensor, &values, &own);
        assert_true((status == TS_OK) == (ts_diags_errors(&own) == 0));
        ts_arena_free(own.arena);
        free(copy);
    }
    ts_arena_free(arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(truncated),
        cmocka_unit_test(flipped),
        cmocka_unit_test(unspoilt),
        cmocka_unit_test(cyclic),
        cmocka_unit_test(reads_itself),
        cmocka_unit_test(missing_tensor),
        cmocka_unit_test(missing_output),
        cmocka_unit_test(duplicate_names),
        cmocka_unit_test(duplicate_initializers),
        cmocka_unit_test(huge_input),
        cmocka_unit_test(sequence_input),
        cmocka_unit_test(huge_weights),
        cmocka_unit_test(short_weights),
        cmocka_unit_test(external_weights),
        cmocka_unit_test(absurd_windows),
        cmocka_unit_test(absurd_groups),
        cmocka_unit_test(bad_weights),
        cmocka_unit_test(bad_bounds),
        cmocka_unit_test(float_networks),
        cmocka_unit_test(division_by_zero),
        cmocka_unit_test(division_by_negative),
        cmocka_unit_test(huge_factors),
        cmocka_unit_test(large_factor),
        cmocka_unit_test(unknown_operators),
        cmocka_unit_test(float_in_the_middle),
        cmocka_unit_test(accumulator_into_a_layer),
        cmocka_unit_test(not_whole),
        cmocka_unit_test(many_nodes),
        cmocka_unit_test(deep_nesting),
        cmocka_unit_test(exhausted),
        cmocka_unit_test(damaged_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
