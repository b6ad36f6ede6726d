/* Networks of other formats than the integer dialects, at hand with TESSERA_SHARED, from the file to the
 * chip: every layer equal to the reference on the host and, where that is a matter of seconds, on the
 * simulated GAP8; on it all with TESSERA_ALL_NETWORKS. Prints the table of docs/conformance.md; TESSERA_TABLE
 * names a file for it. */
#include "base/file.h"
#include "harness.h"
#include "model/model.h"
#include "run/run.h"

typedef struct network {
    const char *path;
    bool slow; /* on the simulator */
} network;

static const network networks[] = {
    {"tflm-examples/hello_world_int8.tflite", false},
    {"tflm-examples/micro_speech_int8.tflite", false},
    {"mlperf-tiny-streaming-wakeword/sww_int8.tflite", false},
    {"mlperf-tiny-ad/autoencoder_int8.tflite", false},
    {"mlperf-tiny-kws/dscnn_int8.tflite", false},
    {"micro-kws-qdq/micro_kws_m_int8.tflite", false},
    {"micro-kws-qdq/micro_kws_m_qdq.onnx", false},
    {"micro-kws-qdq/micro_kws_m_qoperator.onnx", false},
    {"tflm-examples/person_detect.tflite", false},
    {"mlperf-tiny-vww/mobilenetv1_025_96_int8.tflite", false},
    {"mlperf-tiny-ic/resnet8_int8.tflite", false},
    {"mcunet-vww/mcunet_vww.tflite", true},
    {"imagenet-mobilenet/mobilenetv1_025_128_uint8.tflite", true},
    {"imagenet-mobilenet/mobilenetv1_050_160_uint8.tflite", true},
    {"imagenet-mobilenet/mobilenetv2_100_224_uint8.tflite", true},
};

static void run(ts_arena *arena, const char *path, const char *target, ts_run_result *result) {
    ts_diags diags = {.arena = arena};
    ts_model_options model = {.input_signed = -1};
    ts_run_options options = {.jobs = 2, .seed = 1};
    ts_graph *graph = NULL;
    ts_status status = ts_model_read(arena, path, &model, &graph, &diags);
    if (status == TS_OK) {
        status = ts_run_target(arena, target, &options.target, &diags);
    }
    if (status == TS_OK) {
        status = ts_run(arena, graph, &options, result, &diags);
    }
    for (uint32_t i = 0; i < diags.list.count && status != TS_OK; i++) {
        ts_diag_print(stderr, &diags.list.data[i]);
    }
    assert_int_equal(status, TS_OK);
    assert_int_equal(result->verified_layers, result->plan->layer_count);
}

static void run_network(const char *shared, const network *n, bool all, ts_text *table) {
    ts_arena *arena = ts_arena_new("formats", 0);
    const char *path = ts_path_join(arena, shared, ts_arena_printf(arena, "models/%s", n->path));
    ts_run_result host = {0}, chip = {0};
    run(arena, path, "host", &host);
    ts_text_printf(table, "| %s | %u | %llu | %u of %u |", ts_path_base(n->path), host.plan->layer_count,
                   (unsigned long long)host.macs, host.verified_layers, host.plan->layer_count);
    if (!n->slow || all) {
        run(arena, path, "gap8", &chip);
        ts_text_printf(table, " %u of %u | %llu | %.2f |\n", chip.verified_layers, chip.plan->layer_count,
                       (unsigned long long)chip.cycles, (double)chip.macs / (double)chip.cycles);
    } else {
        ts_text_add(table, " not run | | |\n");
    }
    ts_arena_free(arena);
}

/* Integer networks of Deeploy, with a stored input and output. */
static const struct {
    const char *folder;
    int32_t input_signed;
} deeploy[] = {
    {"cnn-linear1", 1}, {"minimobilenet", 0}, {"mlperf-ad", 0}, {"mlperf-ic", 0},
    {"mlperf-kws", 0},  {"mlperf-vww", 0},    {"icct-int8", 1}, {"microllama1-int8", 1},
};

static void run_stored(ts_arena *arena, const char *folder, int32_t input_signed, const char *target,
                       ts_run_result *result) {
    ts_diags diags = {.arena = arena};
    ts_model_options model = {.input_signed = input_signed};
    const char *inputs[] = {ts_path_join(arena, folder, "inputs.npz")};
    ts_run_options options = {
        .jobs = 2, .inputs = inputs, .input_count = 1, .golden = ts_path_join(arena, folder, "outputs.npz")};
    ts_graph *graph = NULL;
    ts_status status =
        ts_model_read(arena, ts_path_join(arena, folder, "network.onnx"), &model, &graph, &diags);
    if (status == TS_OK) {
        status = ts_run_target(arena, target, &options.target, &diags);
    }
    if (status == TS_OK) {
        status = ts_run(arena, graph, &options, result, &diags);
    }
    for (uint32_t i = 0; i < diags.list.count && status != TS_OK; i++) {
        ts_diag_print(stderr, &diags.list.data[i]);
    }
    assert_int_equal(status, TS_OK);
    for (uint32_t i = 0; i < graph->outputs.count; i++) {
        uint32_t layer = graph->tensors.data[graph->outputs.data[i]].producer;
        assert_int_equal(result->layers[layer].golden_state, TS_GOLDEN_EQUAL);
    }
}

/* On the chips of one core, which QEMU runs, with TESSERA_ALL_NETWORKS. */
static void stored_outputs_are_met(void **state) {
    static const char *const targets[] = {"host", "gap8", "cortex-m4", "cortex-m7"};
    uint32_t count = getenv("TESSERA_ALL_NETWORKS") != NULL ? 4 : 2;
    puts("| network | layers | MACs | equal to the stored output, and cycles |\n|---|---|---|---|");
    for (size_t i = 0; i < sizeof deeploy / sizeof deeploy[0]; i++) {
        ts_arena *arena = ts_arena_new("formats", 0);
        const char *folder =
            ts_path_join(arena, *state, ts_arena_printf(arena, "models/deeploy/%s", deeploy[i].folder));
        for (uint32_t t = 0; t < count; t++) {
            ts_run_result result = {0};
            run_stored(arena, folder, deeploy[i].input_signed, targets[t], &result);
            if (t == 0) {
                printf("| %s | %u | %llu |", deeploy[i].folder, result.plan->layer_count,
                       (unsigned long long)result.macs);
            }
            printf(" %s %llu |", targets[t], (unsigned long long)result.cycles);
        }
        puts("");
        ts_arena_free(arena);
    }
}

static void every_layer_is_verified(void **state) {
    ts_arena *arena = ts_arena_new("table", 0);
    ts_diags diags = {.arena = arena};
    ts_text table = {.arena = arena};
    const char *path = getenv("TESSERA_TABLE");
    ts_text_add(
        &table,
        "| network | layers | MACs | host | gap8 | cycles | MAC/cycle |\n|---|---|---|---|---|---|---|\n");
    for (size_t i = 0; i < sizeof networks / sizeof networks[0]; i++) {
        run_network(*state, &networks[i], getenv("TESSERA_ALL_NETWORKS") != NULL, &table);
    }
    fputs(table.data, stdout);
    if (path != NULL) {
        assert_int_equal(ts_file_write(path, table.data, table.size, &diags), TS_OK);
    }
    ts_arena_free(arena);
}

int main(void) {
    const char *shared = ts_test_shared();
    if (shared == NULL) {
        puts("skipped: TESSERA_SHARED names no folder with the networks");
        return TS_TEST_SKIP;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(every_layer_is_verified, (void *)(uintptr_t)shared),
        cmocka_unit_test_prestate(stored_outputs_are_met, (void *)(uintptr_t)shared)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
