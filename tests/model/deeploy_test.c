/* Integer networks of the Deeploy project (RequantShift, iLayerNorm, iSoftmax, ... of domain PACTOps), with
 * stored inputs and outputs: equal to the last bit. */
#include <string.h>

#include "base/file.h"
#include "harness.h"
#include "model/model.h"
#include "model/values.h"
#include "num/integer.h"

enum { MOST_INPUTS = 32 };

typedef struct network {
    const char *folder;
    uint32_t layers;
    int32_t input_signed;
} network;

static const network networks[] = {
    {"cnn-linear1", 9, 1}, {"minimobilenet", 5, 0}, {"mlperf-ad", 10, 0}, {"mlperf-ic", 14, 0},
    {"mlperf-kws", 11, 0}, {"mlperf-vww", 29, 0},   {"icct-int8", 24, 1}, {"microllama1-int8", 293, 1},
};

/* An array of an .npz file, the first is 0: its members are stored as they are, so the arrays' own headers
 * are looked for. */
static const int32_t *stored_values(ts_arena *arena, const char *folder, const char *name, uint32_t index,
                                    const ts_tensor *tensor) {
    ts_diags diags = {.arena = arena};
    ts_bytes file;
    const int32_t *values = NULL;
    assert_int_equal(ts_file_read(arena, ts_path_join(arena, folder, name), 1 << 24, &file, &diags), TS_OK);
    for (size_t i = 0; values == NULL && i + 10 < file.size; i++) {
        if (memcmp(file.data + i, "\x93NUMPY", 6) == 0 && index-- == 0) {
            size_t size = 10 + file.data[i + 8] + 256u * file.data[i + 9] + 8 * ts_tensor_elements(tensor);
            assert_true(size <= file.size - i);
            ts_bytes array = {file.data + i, size};
            assert_int_equal(ts__npy_values_parse(arena, array, tensor, &values, &diags), TS_OK);
        }
    }
    assert_non_null(values);
    return values;
}

static void check_network(void **state) {
    const network *net = *state;
    ts_arena *arena = ts_arena_new("test", 0);
    ts_diags diags = {.arena = arena};
    ts_model_options options = {.input_signed = net->input_signed};
    ts_graph *graph;
    char *folder = ts_path_join(arena, ts_path_join(arena, ts_test_shared(), "models/deeploy"), net->folder);
    ts_status status =
        ts_model_read(arena, ts_path_join(arena, folder, "network.onnx"), &options, &graph, &diags);
    for (uint32_t i = 0; i < diags.list.count; i++) {
        ts_diag_print(stderr, &diags.list.data[i]);
    }
    assert_int_equal(status, TS_OK);
    assert_int_equal(graph->nodes.count, net->layers);
    const int32_t *inputs[MOST_INPUTS];
    int32_t **values;
    assert_true(graph->inputs.count <= MOST_INPUTS);
    for (uint32_t i = 0; i < graph->inputs.count; i++) {
        inputs[i] =
            stored_values(arena, folder, "inputs.npz", i, &graph->tensors.data[graph->inputs.data[i]]);
    }
    assert_int_equal(ts_integer_run(graph, arena, inputs, &values, &diags), TS_OK);
    for (uint32_t i = 0; i < graph->outputs.count; i++) {
        const ts_tensor *out = &graph->tensors.data[graph->outputs.data[i]];
        assert_memory_equal(values[graph->outputs.data[i]],
                            stored_values(arena, folder, "outputs.npz", i, out),
                            ts_tensor_elements(out) * sizeof(int32_t));
    }
    ts_arena_free(arena);
}

int main(void) {
    enum { COUNT = sizeof networks / sizeof networks[0] };
    if (ts_test_shared() == NULL) {
        puts("skipped: TESSERA_SHARED names no folder with the networks");
        return TS_TEST_SKIP;
    }
    struct CMUnitTest tests[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        tests[i] = (struct CMUnitTest){
            .name = networks[i].folder,
            .test_func = check_network,
            .initial_state = (void *)(uintptr_t)&networks[i],
        };
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
