/* What the NEMO writer writes is read back to an equal graph: equal text form, equal values. */
#include <string.h>

#include "base/file.h"
#include "harness.h"
#include "ir/text_form.h"
#include "model/model.h"
#include "num/generate.h"
#include "num/integer.h"

static void show(const ts_diags *diags) {
    for (uint32_t i = 0; i < diags->list.count; i++) {
        ts_diag_print(stdout, &diags->list.data[i]);
    }
}

static const char *text_of(ts_arena *arena, const ts_graph *graph) {
    ts_text text = {.arena = arena};
    ts_graph_print(&text, graph);
    return text.data;
}

/* Values of the network's output on seeded inputs. */
static const int32_t *output_of(ts_arena *arena, const ts_graph *graph, ts_diags *diags) {
    const ts_tensor *in = &graph->tensors.data[graph->inputs.data[0]];
    const int32_t *inputs[1] = {ts_random_values(arena, 7, in, false)};
    int32_t **values;
    assert_int_equal(ts_integer_run(graph, arena, inputs, &values, diags), TS_OK);
    return values[graph->outputs.data[0]];
}

static ts_graph *through_file(const char *folder, const ts_graph *graph, ts_diags *diags) {
    char *path = ts_path_join(diags->arena, folder, "net.onnx");
    ts_graph *back = NULL;
    ts_status status = ts_model_write_nemo(graph, path, diags);
    if (status == TS_OK) {
        status = ts_model_read(diags->arena, path, NULL, &back, diags);
    }
    show(diags);
    assert_int_equal(status, TS_OK);
    return back;
}

/* Positions in the file and the names of fused nodes are new after the first trip; nothing is after the
 * second. */
static void check(const char *folder, const ts_graph *graph, bool same_nodes, ts_diags *diags) {
    ts_arena *arena = diags->arena;
    const ts_graph *back = through_file(folder, graph, diags), *again = through_file(folder, back, diags);
    assert_string_equal(text_of(arena, back), text_of(arena, again));
    const ts_tensor *out = &graph->tensors.data[graph->outputs.data[0]];
    const ts_tensor *out_back = &back->tensors.data[back->outputs.data[0]];
    assert_int_equal(out->type, out_back->type);
    assert_memory_equal(output_of(arena, graph, diags), output_of(arena, back, diags),
                        ts_tensor_elements(out) * sizeof(int32_t));
    for (ts_tensor_id i = 0; same_nodes && i < graph->tensors.count; i++) {
        const ts_tensor *t = &graph->tensors.data[i], *u = &back->tensors.data[i];
        assert_string_equal(t->name, u->name);
        assert_int_equal(t->type, u->type);
        assert_memory_equal(t->dims, u->dims, sizeof t->dims);
    }
}

static void random_networks(void **state) {
    const char *folder = *state;
    for (uint64_t seed = 1; seed <= 150; seed++) {
        ts_arena *arena = ts_arena_new("test", 0);
        ts_diags diags = {.arena = arena};
        ts_random_limits limits = ts_random_limits_default();
        limits.nemo_only = true;
        ts_graph *graph;
        assert_int_equal(ts_random_network(arena, seed, &limits, &graph, &diags), TS_OK);
        check(folder, graph, false, &diags);
        ts_arena_free(arena);
    }
}

static void generated_networks(void **state) {
    static const ts_generate_kind kinds[] = {TS_GENERATE_MOBILENET_V1, TS_GENERATE_RESNET8,
                                             TS_GENERATE_DS_CNN, TS_GENERATE_TCN};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        ts_arena *arena = ts_arena_new("test", 0);
        ts_diags diags = {.arena = arena};
        ts_generate_options options = ts_generate_defaults(kinds[i]);
        options.width = 0.25;
        options.resolution = kinds[i] == TS_GENERATE_MOBILENET_V1 ? 64 : 0;
        ts_graph *graph;
        assert_int_equal(ts_generate(arena, &options, &graph, &diags), TS_OK);
        check(*state, graph, true, &diags);
        ts_arena_free(arena);
    }
}

int main(void) {
    ts_arena *arena = ts_arena_new("test", 0);
    ts_diags diags = {.arena = arena};
    const char *folder;
    if (ts_dir_temporary(arena, &folder, &diags) != TS_OK) {
        return 1;
    }
    struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(random_networks, (void *)(uintptr_t)folder),
        cmocka_unit_test_prestate(generated_networks, (void *)(uintptr_t)folder),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    ts_dir_remove(folder, &diags);
    ts_arena_free(arena);
    return failed;
}
