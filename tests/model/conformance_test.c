/* The 14 integer networks with goldens: every layer fed with golden inputs, and end to end, bit for bit. */
#include <string.h>
#include <time.h>

#include "base/file.h"
#include "harness.h"
#include "model/model.h"
#include "num/integer.h"

typedef struct network {
    const char *folder;
    uint32_t layers;
    uint64_t macs;
    uint32_t output_count; /* elements of `output`, 0: not in the table */
    int32_t output[10];
} network;

static const network networks[] = {
    {"TCN_T", 12, 979440, 5, {417338, -257568, -256897, -370840, -76929}},
    {"NAS_Frontnet", 9, 9769260, 4, {4760, -8060, -10520, -3277}},
    {"PenguiNet_32", 9, 14138880, 4, {50868, -58402, 275, 2562}},
    {"Residual_connection_test_1", 8, 15540000, 2, {2585, 7547}},
    {"dronet_complete", 15, 41103104, 2, {-3415, -503}},
    {"dronet_complete_2", 15, 41103104, 2, {428, -17324}},
    {"dronet_no_pooling", 15, 53170944, 2, {-18713, -48871}},
    {"dscnn_test", 11, 2656640, 10, {127, 127, 127, 127, 127, 127, 127, 127, 127, 127}},
    {"eegnetDW_1d_8b_1xW", 7, 232992, 1, {18573}},
    {"eegnet_1d_8b_1xW", 7, 237600, 1, {20221}},
    {"eegnet_1d_8b_Hx1", 7, 237600, 1, {10282}},
    {"proxylessnas_pulp_dronet", 23, 51354760, 2, {-788, 0}},
    {"Quantlab_Dronet", 15, 41103104, 2, {435, -40592}},
    {"DVS_CNN_9inputs", 10, 74059776, 0, {0}},
};

static uint64_t compared, files;

static void show(const ts_diags *diags) {
    for (uint32_t i = 0; i < diags->list.count; i++) {
        if (diags->list.data[i].severity == TS_ERROR) {
            ts_diag_print(stdout, &diags->list.data[i]);
        }
    }
}

/* Number of differing elements between a golden file and a tensor's values. */
static uint64_t differing(const ts_tensor *tensor, const int32_t *golden, uint64_t count,
                          const int32_t *values) {
    if (count != ts_tensor_elements(tensor)) {
        return UINT64_MAX;
    }
    ts_golden_match match = ts_golden_compare(golden, values, ts_h(tensor), ts_w(tensor), ts_c(tensor));
    return match.equal ? 0 : match.differing;
}

/* A golden file in H, W, C order: turned where its twin `values` shows that it is in C, H, W order. */
static const int32_t *straight(ts_arena *arena, const ts_tensor *t, const int32_t *golden,
                               const int32_t *values) {
    ts_golden_match match = ts_golden_compare(golden, values, ts_h(t), ts_w(t), ts_c(t));
    if (match.order == TS_ORDER_HWC) {
        return golden;
    }
    uint32_t h = ts_h(t), w = ts_w(t), c = ts_c(t);
    int32_t *out = TS_NEW_ARRAY(arena, int32_t, ts_tensor_elements(t));
    for (uint32_t i = 0; i < h * w * c; i++) {
        out[i] = golden[(i % c * h + i / c / w) * w + i / c % w];
    }
    return out;
}

/* The sum of an addition before the activation that is fused into it: some dumps have it as a file. */
static bool is_plain_sum(const ts_graph *graph, ts_node_id id, int32_t **values, const int32_t *golden,
                         uint64_t count) {
    const ts_node *node = &graph->nodes.data[id];
    const ts_tensor *out = &graph->tensors.data[node->output];
    if (node->op != TS_OP_ADD || node->requant.kind == TS_REQUANT_NONE || count != ts_tensor_elements(out)) {
        return false;
    }
    const int32_t *a = values[node->inputs[0]], *b = values[node->inputs[1]];
    for (uint64_t i = 0; i < count; i++) {
        int64_t sum = (int64_t)ts_add_step_apply(&node->in1, a[i]) + ts_add_step_apply(&node->in2, b[i]);
        if (ts_add_step_apply(&node->sum, sum) != golden[i]) {
            return false;
        }
    }
    return true;
}

/* Fed with golden inputs: the layer's own error, not what it inherits. */
static void check_layer(const ts_graph *graph, ts_node_id id, const int32_t **golden, ts_diags *diags) {
    const ts_node *node = &graph->nodes.data[id];
    const ts_tensor *out = &graph->tensors.data[node->output];
    const int32_t *inputs[2] = {golden[node->inputs[0]],
                                node->input_count > 1 ? golden[node->inputs[1]] : NULL};
    int32_t *y = TS_NEW_ARRAY(diags->arena, int32_t, ts_tensor_elements(out));
    assert_int_equal(ts_integer_node(graph, id, inputs, y, diags), TS_OK);
    assert_memory_equal(y, golden[node->output], ts_tensor_elements(out) * sizeof *y);
}

static void check_sample(const network *net, const ts_graph *graph, const ts_golden_sample *sample,
                         ts_diags *diags) {
    int32_t **values;
    ts_arena *arena = diags->arena;
    const ts_tensor *in = &graph->tensors.data[graph->inputs.data[0]];
    assert_int_equal(sample->input_count, ts_tensor_elements(in));
    const int32_t *inputs[1] = {sample->input};
    ts_status status = ts_integer_run(graph, arena, inputs, &values, diags);
    show(diags);
    assert_int_equal(status, TS_OK);
    const int32_t **golden = TS_NEW_ARRAY(arena, const int32_t *, graph->tensors.count);
    golden[graph->inputs.data[0]] = sample->input;
    uint32_t file = 0, extra = 0;
    for (ts_node_id id = 0; id < graph->nodes.count; id++, file++) {
        const ts_node *node = &graph->nodes.data[id];
        const ts_tensor *out = &graph->tensors.data[node->output];
        assert_true(file < sample->layer_count);
        bool spare = sample->layer_count > graph->nodes.count + extra;
        if (spare && is_plain_sum(graph, id, values, sample->layers[file], sample->layer_counts[file])) {
            file++;
            extra++;
        }
        uint64_t wrong =
            differing(out, sample->layers[file], sample->layer_counts[file], values[node->output]);
        if (wrong != 0) {
            print_message("%s: layer %u (%s): %lld elements differ\n", net->folder, id, node->name,
                          (long long)wrong);
        }
        assert_int_equal(wrong, 0);
        compared += sample->layer_counts[file];
        golden[node->output] = straight(arena, out, sample->layers[file], values[node->output]);
    }
    files += file;
    assert_int_equal(file, sample->layer_count);
    assert_int_equal(extra, strcmp(net->folder, "dronet_no_pooling") == 0);
    for (ts_node_id id = 0; id < graph->nodes.count; id++) {
        check_layer(graph, id, golden, diags);
    }
    for (uint32_t i = 0; i < net->output_count; i++) {
        assert_int_equal(values[graph->outputs.data[0]][i], net->output[i]);
    }
}

static void check_network(void **state) {
    const network *net = *state;
    ts_arena *arena = ts_arena_new("test", 0);
    ts_diags diags = {.arena = arena};
    ts_graph *graph;
    ts_goldens goldens;
    char *folder = ts_path_join(arena, ts_test_shared(), "models/dory-examples");
    folder = ts_path_join(arena, folder, net->folder);
    clock_t start = clock();
    ts_status status = ts_model_read(arena, folder, NULL, &graph, &diags);
    show(&diags);
    assert_int_equal(status, TS_OK);
    clock_t imported = clock();
    assert_int_equal(graph->nodes.count, net->layers);
    uint64_t macs = 0;
    for (ts_node_id id = 0; id < graph->nodes.count; id++) {
        macs += ts_node_macs(graph, &graph->nodes.data[id]);
    }
    assert_int_equal(macs, net->macs);
    assert_int_equal(ts_goldens_read(arena, folder, &goldens, &diags), TS_OK);
    for (uint32_t i = 0; i < goldens.sample_count; i++) {
        check_sample(net, graph, &goldens.samples[i], &diags);
    }
    print_message("%s: %u layers, %u samples, import %.1f ms, all %.2f s\n", net->folder, net->layers,
                  goldens.sample_count, 1e3 * (double)(imported - start) / CLOCKS_PER_SEC,
                  (double)(clock() - start) / CLOCKS_PER_SEC);
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
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    printf("%llu golden elements of %llu layer files compared\n", (unsigned long long)compared,
           (unsigned long long)files);
    return failed;
}
