/* The 14 integer networks with goldens, from the model file to the chip: emitted, built, executed on the host
 * and on the simulated GAP8, every layer equal to the reference and to its golden. Prints the table of
 * docs/conformance.md; TESSERA_TABLE names a file for it. Several samples of a network: all on the host, the
 * first on GAP8 (all with TESSERA_ALL_SAMPLES). */
#include <string.h>

#include "base/file.h"
#include "harness.h"
#include "model/model.h"
#include "run/run.h"

static const char *const networks[] = {
    "TCN_T",
    "NAS_Frontnet",
    "PenguiNet_32",
    "Residual_connection_test_1",
    "dronet_complete",
    "dronet_complete_2",
    "dronet_no_pooling",
    "dscnn_test",
    "eegnetDW_1d_8b_1xW",
    "eegnet_1d_8b_1xW",
    "eegnet_1d_8b_Hx1",
    "proxylessnas_pulp_dronet",
    "Quantlab_Dronet",
    "DVS_CNN_9inputs",
};
enum { NETWORKS = sizeof networks / sizeof networks[0] };

/* Half a minute of simulation in an ordinary build is too much under the sanitizers. */
#if defined(__SANITIZE_ADDRESS__)
static const char *const not_sanitized = "DVS_CNN_9inputs";
#else
static const char *const not_sanitized = "";
#endif

static void show(const ts_diags *diags) {
    for (uint32_t i = 0; i < diags->list.count; i++) {
        if (diags->list.data[i].severity == TS_ERROR) {
            ts_diag_print(stderr, &diags->list.data[i]);
        }
    }
}

static uint32_t golden_layers(const ts_run_result *result) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < result->plan->layer_count; i++) {
        count += result->layers[i].golden_state == TS_GOLDEN_EQUAL;
    }
    return count;
}

static ts_status run(ts_arena *arena, const char *folder, const char *target, bool all_samples,
                     ts_run_result *result) {
    ts_diags diags = {.arena = arena};
    ts_model_options model = {.input_signed = -1};
    ts_run_options options = {.golden = folder, .jobs = 2, .sample_limit = all_samples ? 0 : 1};
    ts_graph *graph = NULL;
    ts_status status = ts_model_read(arena, folder, &model, &graph, &diags);
    if (status == TS_OK) {
        status = ts_run_target(arena, target, &options.target, &diags);
    }
    if (status == TS_OK) {
        status = ts_run(arena, graph, &options, result, &diags);
    }
    if (status != TS_OK && status != TS_NO_FIT) {
        show(&diags);
    }
    return status;
}

static void run_network(const char *shared, const char *name, ts_text *table) {
    ts_arena *arena = ts_arena_new("conformance", 0);
    const char *folder = ts_path_join(arena, shared, ts_arena_printf(arena, "models/dory-examples/%s", name));
    ts_run_result host = {0}, chip = {0};
    ts_status on_host = run(arena, folder, "host", true, &host);
    if (strcmp(name, not_sanitized) == 0) {
        printf("%s: host %d; on gap8 only without sanitizers\n", name, on_host);
        assert_int_equal(on_host, TS_OK);
        ts_arena_free(arena);
        return;
    }
    ts_status on_chip = run(arena, folder, "gap8", getenv("TESSERA_ALL_SAMPLES") != NULL, &chip);
    printf("%s: host %d, gap8 %d\n", name, on_host, on_chip);
    assert_int_equal(on_host, TS_OK);
    assert_int_equal(on_chip, TS_OK);
    assert_int_equal(golden_layers(&host), host.plan->layer_count);
    assert_int_equal(golden_layers(&chip), chip.plan->layer_count);
    ts_text_printf(table,
                   "| %s | %u | %llu | %u of %u, %u sample%s | %u of %u, %u sample%s | %llu | %.2f |\n", name,
                   host.plan->layer_count, (unsigned long long)host.macs, golden_layers(&host),
                   host.plan->layer_count, host.samples, host.samples == 1 ? "" : "s", golden_layers(&chip),
                   chip.plan->layer_count, chip.samples, chip.samples == 1 ? "" : "s",
                   (unsigned long long)chip.cycles, (double)chip.macs / (double)chip.cycles);
    ts_arena_free(arena);
}

static void test_networks(void **state) {
    ts_arena *arena = ts_arena_new("table", 0);
    ts_diags diags = {.arena = arena};
    ts_text table = {.arena = arena};
    const char *path = getenv("TESSERA_TABLE");
    ts_text_add(&table,
                "| network | layers | MACs | host, layers equal to their golden | gap8, the same | cycles | "
                "MAC/cycle "
                "|\n|---|---|---|---|---|---|---|\n");
    for (uint32_t i = 0; i < NETWORKS; i++) {
        run_network(*state, networks[i], &table);
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
    const struct CMUnitTest tests[] = {cmocka_unit_test_prestate(test_networks, (void *)(uintptr_t)shared)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
