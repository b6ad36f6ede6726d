/* Generated networks as TensorFlow Lite files: what is read back has the layers, weights and biases that were
 * written and multipliers as near as scales of single precision come, the same bytes come out each time, and
 * the file runs on the host and the simulated chip. */
#include <math.h>
#include <string.h>

#include "base/file.h"
#include "harness.h"
#include "model/model.h"
#include "num/generate.h"
#include "run/run.h"

static const struct sample {
    ts_generate_kind kind;
    double width;
    uint32_t resolution;
    bool chip; /* run on the simulator, too */
} samples[] = {
    {TS_GENERATE_DS_CNN, 0.25, 0, true},
    {TS_GENERATE_RESNET8, 0.5, 12, true},
    {TS_GENERATE_MOBILENET_V1, 0.25, 32, false},
    {TS_GENERATE_MOBILENET_V2, 0.35, 33, true},
    {TS_GENERATE_TCN, 0.5, 0, true},
    {TS_GENERATE_CONV, 1, 0, false},
    {TS_GENERATE_DWCONV, 1, 0, false},
    {TS_GENERATE_LINEAR, 1, 0, false},
    {TS_GENERATE_MAX_POOL, 1, 0, false},
    {TS_GENERATE_AVG_POOL, 1, 0, false},
    {TS_GENERATE_ADD, 1, 0, true},
};

static const ts_node *node_named(const ts_graph *graph, const char *name) {
    for (uint32_t i = 0; i < graph->nodes.count; i++) {
        if (strcmp(graph->nodes.data[i].name, name) == 0) {
            return &graph->nodes.data[i];
        }
    }
    fail_msg("no node '%s' was read back", name);
    return NULL;
}

static double factor_of(const ts_requant *r, uint32_t channel) {
    uint32_t c = r->channels == 1 ? 0 : channel;
    return ldexp((double)r->multiplier[c], r->shift[c] - 31);
}

static void compare_weights(const ts_graph *written, const ts_node *n, const ts_graph *read,
                            const ts_node *m) {
    const ts_tensor *a = &written->tensors.data[n->weights], *b = &read->tensors.data[m->weights];
    const ts_tensor *bias = &read->tensors.data[m->bias];
    assert_int_equal(ts_tensor_elements(a), ts_tensor_elements(b));
    for (uint64_t i = 0; i < ts_tensor_elements(a); i++) {
        assert_int_equal(ts_tensor_int(a, i), ts_tensor_int(b, i));
    }
    for (uint32_t c = 0; c < a->dims[0]; c++) {
        int32_t expected = n->bias == TS_NONE ? 0 : ts_tensor_int(&written->tensors.data[n->bias], c);
        assert_int_equal(ts_tensor_int(bias, c), expected);
        if (n->requant.kind == TS_REQUANT_TFLITE) {
            double ratio = factor_of(&m->requant, c) / factor_of(&n->requant, c);
            assert_true(fabs(ratio - 1) < 2.5e-7);
        }
    }
}

static void compare(const ts_graph *written, const ts_graph *read) {
    for (uint32_t i = 0; i < written->nodes.count; i++) {
        const ts_node *n = &written->nodes.data[i], *m = node_named(read, n->name);
        const ts_tensor *a = &written->tensors.data[n->output], *b = &read->tensors.data[m->output];
        assert_int_equal(n->op, m->op);
        assert_memory_equal(a->dims, b->dims, 4 * sizeof a->dims[0]);
        if (n->op == TS_OP_CONV) {
            assert_int_equal(n->groups, m->groups);
        }
        if (n->op == TS_OP_CONV || n->op == TS_OP_MAX_POOL || n->op == TS_OP_AVG_POOL) {
            assert_memory_equal(&n->window, &m->window, sizeof n->window);
        }
        if (n->op == TS_OP_CONV || n->op == TS_OP_LINEAR) {
            compare_weights(written, n, read, m);
        }
        if (n->op == TS_OP_ADD) {
            assert_true(fabs(factor_of(&m->requant, 0) / factor_of(&n->requant, 0) - 1) < 2.5e-7);
        }
    }
}

static void run_on(ts_arena *arena, const ts_graph *graph, const char *target) {
    ts_diags diags = {.arena = arena};
    ts_run_options options = {.jobs = 2, .seed = 1};
    ts_run_result result = {0};
    assert_int_equal(ts_run_target(arena, target, &options.target, &diags), TS_OK);
    assert_int_equal(ts_run(arena, graph, &options, &result, &diags), TS_OK);
    assert_int_equal(result.verified_layers, result.plan->layer_count);
}

static void check(const struct sample *s, const char *folder) {
    ts_arena *arena = ts_arena_new("sample", 0);
    ts_diags diags = {.arena = arena};
    ts_generate_options options = ts_generate_defaults(s->kind);
    options.width = s->width;
    options.resolution = s->resolution;
    options.tflite = true;
    ts_graph *written, *read;
    ts_bytes first, second;
    const char *path = ts_path_join(arena, folder, "net.tflite"),
               *again = ts_path_join(arena, folder, "again.tflite");
    assert_int_equal(ts_generate(arena, &options, &written, &diags), TS_OK);
    assert_int_equal(ts_model_write_tflite(written, path, &diags), TS_OK);
    assert_int_equal(ts_model_write_tflite(written, again, &diags), TS_OK);
    assert_int_equal(ts_file_read(arena, path, 1 << 26, &first, &diags), TS_OK);
    assert_int_equal(ts_file_read(arena, again, 1 << 26, &second, &diags), TS_OK);
    assert_true(first.size == second.size && memcmp(first.data, second.data, first.size) == 0);
    assert_int_equal(ts_model_read(arena, path, NULL, &read, &diags), TS_OK);
    compare(written, read);
    run_on(arena, read, "host");
    if (s->chip && system("riscv64-unknown-elf-gcc --version >/dev/null 2>&1") == 0) {
        run_on(arena, read, "gap8");
    }
    ts_arena_free(arena);
}

static void networks_come_back(void **state) {
    (void)state;
    ts_arena *arena = ts_arena_new("test", 0);
    ts_diags diags = {.arena = arena};
    const char *folder;
    assert_int_equal(ts_dir_temporary(arena, &folder, &diags), TS_OK);
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
        check(&samples[i], folder);
    }
    assert_int_equal(ts_dir_remove(folder, &diags), TS_OK);
    ts_arena_free(arena);
}

/* What the format has no words for is refused by name, and nothing is written. */
static void other_forms_are_refused(void **state) {
    (void)state;
    ts_arena *arena = ts_arena_new("test", 0);
    ts_diags diags = {.arena = arena};
    ts_graph *graph;
    const char *folder, *path;
    ts_generate_options options = ts_generate_defaults(TS_GENERATE_CONV);
    assert_int_equal(ts_dir_temporary(arena, &folder, &diags), TS_OK);
    path = ts_path_join(arena, folder, "net.tflite");
    assert_int_equal(ts_generate(arena, &options, &graph, &diags), TS_OK);
    assert_int_equal(ts_model_write_tflite(graph, path, &diags), TS_BAD_INPUT);
    assert_string_equal(diags.list.data[0].node, "conv");
    options = ts_generate_defaults(TS_GENERATE_AVG_POOL);
    options.window.pad_top = 1;
    assert_int_equal(ts_generate(arena, &options, &graph, &diags), TS_OK);
    assert_int_equal(ts_model_write_tflite(graph, path, &diags), TS_BAD_INPUT);
    assert_false(ts_file_exists(path));
    assert_int_equal(ts_dir_remove(folder, &diags), TS_OK);
    ts_arena_free(arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(networks_come_back),
        cmocka_unit_test(other_forms_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
