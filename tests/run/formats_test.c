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
        cmocka_unit_test_prestate(every_layer_is_verified, (void *)(uintptr_t)shared)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
