/* Judges the float importer and interpreter by ONNX's own conformance tests, where they are at hand: those
 * that Debian ships in libonnx-testdata, and an archive of the same kind among the peers' data. Every test
 * that the importer takes must come out within the tolerance of ONNX's runner. */
#include <dirent.h>
#include <math.h>
#include <string.h>

#include "harness.h"
#include "model/float_model.h"
#include "num/float.h"
#include "quant/data_internal.h"

#define TESTDATA "/usr/lib/python3/dist-packages/onnx/backend/test/data"

enum { MAX_INPUTS = 16, LEAST_INSTALLED = 351, LEAST_ARCHIVED = 204 };

/* One conformance test: its files as bytes. */
typedef struct sample {
    const char *name;
    ts_bytes model, inputs[MAX_INPUTS], output;
    uint32_t input_count;
} sample;

/* `unknown`: an operator that docs/operators.md does not claim; `refused`: one that is claimed, beyond the
 * limits, or data of other types than float. */
typedef struct tally {
    uint32_t passed, refused, unknown, failed;
} tally;

static bool close_enough(const float *a, const float *b, uint64_t count) {
    for (uint64_t i = 0; i < count; i++) {
        double tolerance = 1e-5 + 1e-3 * fabs((double)b[i]);
        bool equal = (isinf(a[i]) && a[i] == b[i]) || (isnan(a[i]) && isnan(b[i]));
        if (!equal && !(fabs((double)a[i] - (double)b[i]) <= tolerance)) {
            return false;
        }
    }
    return true;
}

static const float *elements_of(ts_arena *arena, ts_bytes file, ts_ftensor *tensor, ts_diags *diags) {
    return ts_tensor_proto_read(arena, file, tensor, diags) == TS_OK ? tensor->data : NULL;
}

/* The first input runs through the network; the others are given as constants. */
static void judge(const sample *s, tally *all) {
    ts_arena *arena = ts_arena_new("test", 0);
    ts_diags diags = {.arena = arena};
    ts_float_model_options options = {.constants = s->inputs + 1,
                                      .constant_count = s->input_count > 0 ? s->input_count - 1 : 0};
    ts_fgraph *graph;
    ts_ftensor input, expected;
    ts_status status = ts_float_model_parse(arena, s->model, s->name, &options, &graph, &diags);
    const float *y = elements_of(arena, s->output, &expected, &diags);
    if (status != TS_OK || y == NULL || graph->inputs.count != 1 || s->input_count == 0 ||
        elements_of(arena, s->inputs[0], &input, &diags) == NULL) {
        const ts_diag *d = diags.list.count == 0 ? NULL : &diags.list.data[diags.list.count - 1];
        bool unknown = d != NULL && strstr(d->text, "this operator is not served") != NULL;
        all->unknown += unknown;
        all->refused += !unknown;
        ts_arena_free(arena);
        return;
    }
    ts_fgraph_fold(graph);
    const ts_ftensor *x = &graph->tensors.data[graph->inputs.data[0]];
    float *turned = TS_NEW_ARRAY(arena, float, ts_ftensor_elements(&input));
    memcpy(turned, input.data, ts_ftensor_elements(&input) * sizeof *turned);
    if (x->layout == TS_LAYOUT_CHANNELS_LAST) {
        uint64_t c = input.dims[1], places = ts_ftensor_elements(&input) / input.dims[0] / c;
        for (uint64_t i = 0; i < ts_ftensor_elements(&input); i++) {
            uint64_t n = i / (c * places), k = i / places % c;
            turned[(n * places + i % places) * c + k] = input.data[i];
        }
    }
    bool right = ts_ftensor_elements(x) == ts_ftensor_elements(&input);
    if (right) {
        ts_fsession *session = ts_fsession_new(arena, graph);
        ts_fsession_run(session, (const float *const[]){turned});
        ts_tensor_id out = graph->outputs.data[0];
        right = ts_ftensor_elements(&graph->tensors.data[out]) == ts_ftensor_elements(&expected) &&
                close_enough(ts_fsession_value(session, out), y, ts_ftensor_elements(&expected));
    }
    all->passed += right;
    all->failed += !right;
    if (!right) {
        printf("FAILED %s\n", s->name);
    }
    ts_arena_free(arena);
}

static void read_folder(const char *kind, const char *name, tally *all) {
    ts_arena *arena = ts_arena_new("test files", 0);
    ts_diags diags = {.arena = arena};
    const char *folder = ts_arena_printf(arena, "%s/%s/%s", TESTDATA, kind, name);
    sample s = {.name = name};
    const char *model = ts_path_join(arena, folder, "model.onnx");
    const char *output = ts_path_join(arena, folder, "test_data_set_0/output_0.pb");
    if (ts_file_exists(model) && ts_file_exists(output) &&
        ts_file_read(arena, model, 1 << 26, &s.model, &diags) == TS_OK &&
        ts_file_read(arena, output, 1 << 26, &s.output, &diags) == TS_OK) {
        while (s.input_count < MAX_INPUTS) {
            const char *path =
                ts_arena_printf(arena, "%s/test_data_set_0/input_%u.pb", folder, s.input_count);
            if (!ts_file_exists(path) ||
                ts_file_read(arena, path, 1 << 26, &s.inputs[s.input_count], &diags) != TS_OK) {
                break;
            }
            s.input_count++;
        }
        judge(&s, all);
    }
    ts_arena_free(arena);
}

static tally read_testdata(void) {
    static const char *const kinds[] = {"node", "simple", "pytorch-operator", "pytorch-converted"};
    tally all = {0};
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
        char path[256];
        snprintf(path, sizeof path, "%s/%s", TESTDATA, kinds[k]);
        DIR *folder = opendir(path);
        if (folder == NULL) {
            continue;
        }
        for (struct dirent *item; (item = readdir(folder)) != NULL;) {
            if (item->d_name[0] != '.') {
                read_folder(kinds[k], item->d_name, &all);
            }
        }
        closedir(folder);
    }
    return all;
}

/* Adds an archive member to the sample of its folder; judges the sample before it when the folder ends. */
static void take_member(sample *s, ts_arena *arena, const char *name, ts_bytes file, tally *all) {
    const char *rest = strstr(name, "/model.onnx");
    rest = rest == NULL ? strstr(name, "/test_data_set_0/") : rest;
    if (rest == NULL) {
        return;
    }
    size_t length = (size_t)(rest - name);
    if (s->name == NULL || strlen(s->name) != length || strncmp(s->name, name, length) != 0) {
        if (s->name != NULL && s->model.size != 0) {
            judge(s, all);
        }
        *s = (sample){.name = ts_arena_copy(arena, name, length)};
    }
    unsigned index;
    if (strcmp(rest, "/model.onnx") == 0) {
        s->model = file;
    } else if (strcmp(rest, "/test_data_set_0/output_0.pb") == 0) {
        s->output = file;
    } else if (sscanf(rest, "/test_data_set_0/input_%u.pb", &index) == 1 && index < MAX_INPUTS) {
        s->inputs[index] = file;
        s->input_count = index + 1 > s->input_count ? index + 1 : s->input_count;
    }
}

static tally read_archive(const char *path) {
    ts_arena *arena = ts_arena_new("archive", 0);
    ts_diags diags = {.arena = arena};
    ts_bytes tar;
    tally all = {0};
    sample s = {0};
    assert_int_equal(ts__data_bytes(arena, path, NULL, &tar, &diags), TS_OK);
    for (size_t at = 0; at + 512 <= tar.size && tar.data[at] != 0;) {
        size_t size = strtoul((const char *)tar.data + at + 124, NULL, 8);
        char name[101] = {0};
        memcpy(name, tar.data + at, 100);
        take_member(&s, arena, name, (ts_bytes){tar.data + at + 512, size}, &all);
        at += 512 + (size + 511) / 512 * 512;
    }
    if (s.name != NULL && s.model.size != 0) {
        judge(&s, &all);
    }
    ts_arena_free(arena);
    return all;
}

static void require(const char *what, tally all, uint32_t least) {
    printf("%s: %u passed, %u failed, %u beyond the limits of claimed operators, %u of others\n", what,
           all.passed, all.failed, all.refused, all.unknown);
    assert_int_equal(all.failed, 0);
    assert_true(all.passed >= least);
}

static void installed_tests_pass(void **state) {
    (void)state;
    DIR *folder = opendir(TESTDATA);
    if (folder == NULL) {
        skip();
    }
    closedir(folder);
    require("libonnx-testdata", read_testdata(), LEAST_INSTALLED);
}

static void archived_tests_pass(void **state) {
    (void)state;
    char path[512];
    snprintf(path, sizeof path, "%s/models/onnx-node-tests/tests.tar.xz",
             ts_test_shared() == NULL ? "" : ts_test_shared());
    if (!ts_file_exists(path)) {
        skip();
    }
    require("archive", read_archive(path), LEAST_ARCHIVED);
}

/* A float network and its QDQ form against the outputs of another runtime. */
static void peers_networks_agree(void **state) {
    (void)state;
    enum { PEER_SAMPLES = 3, PEER_INPUTS = 1960, PEER_OUTPUTS = 10 };
    static const char *const names[] = {"fp32", "qdq"};
    ts_arena *arena = ts_arena_new("peers", 0);
    ts_diags diags = {.arena = arena};
    const char *folder =
        ts_arena_printf(arena, "%s/models/micro-kws-qdq", ts_test_shared() == NULL ? "" : ts_test_shared());
    ts_bytes x, y;
    if (!ts_dir_exists(folder)) {
        ts_arena_free(arena);
        skip();
    }
    assert_int_equal(
        ts_file_read(arena, ts_path_join(arena, folder, "features_x.f32.bin"), 1 << 20, &x, &diags), TS_OK);
    for (uint32_t i = 0; i < 2; i++) {
        ts_fgraph *graph;
        double worst = 0;
        const char *model = ts_arena_printf(arena, "%s/micro_kws_m_%s.onnx", folder, names[i]);
        const char *outputs = ts_arena_printf(arena, "%s/micro_kws_m_%s_ref.f32.bin", folder, names[i]);
        assert_int_equal(ts_float_model_read(arena, model, NULL, &graph, &diags), TS_OK);
        assert_int_equal(ts_file_read(arena, outputs, 1 << 20, &y, &diags), TS_OK);
        ts_fgraph_fold(graph);
        ts_fsession *session = ts_fsession_new(arena, graph);
        for (uint32_t n = 0; n < PEER_SAMPLES; n++) {
            ts_fsession_run(session,
                            (const float *const[]){(const float *)(const void *)x.data + n * PEER_INPUTS});
            const float *out = ts_fsession_value(session, graph->outputs.data[0]);
            for (uint32_t k = 0; k < PEER_OUTPUTS; k++) {
                float right;
                memcpy(&right, y.data + 4 * (n * PEER_OUTPUTS + k), sizeof right);
                worst = fmax(worst, fabs((double)out[k] - (double)right));
            }
        }
        printf("%s: largest difference %g\n", names[i], worst);
        assert_true(worst < (i == 0 ? 1e-5 : 0.02)); /* a few steps of the quantised softmax */
    }
    ts_arena_free(arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(installed_tests_pass),
                                       cmocka_unit_test(archived_tests_pass),
                                       cmocka_unit_test(peers_networks_agree)};
    char path[512];
    snprintf(path, sizeof path, "%s/models/onnx-node-tests",
             ts_test_shared() == NULL ? "" : ts_test_shared());
    if (!ts_dir_exists(TESTDATA) && !ts_dir_exists(path)) {
        printf("neither libonnx-testdata nor TESSERA_SHARED is there: skipped\n");
        return TS_TEST_SKIP;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
