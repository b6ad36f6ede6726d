/* The public library, as a program outside of the tree would call it. */
#include "tessera.h"

#include <string.h>

#include "base/file.h"
#include "harness.h"
#include "model/model.h"
#include "num/generate.h"

static char last[2048];

static void keep_last(void *user, const char *text) {
    (void)user;
    snprintf(last, sizeof last, "%s", text);
}

static void compiles_runs_and_refuses(void **state) {
    (void)state;
    ts_arena *arena = ts_arena_new("test", 0);
    ts_diags diags = {.arena = arena};
    ts_generate_options network = ts_generate_defaults(TS_GENERATE_CONV);
    ts_graph *graph = NULL;
    const char *folder;
    assert_int_equal(ts_dir_temporary(arena, &folder, &diags), TS_OK);
    const char *model = ts_path_join(arena, folder, "conv.onnx");
    const char *app = ts_path_join(arena, folder, "app"), *json = ts_path_join(arena, folder, "run.json");
    assert_int_equal(ts_generate(arena, &network, &graph, &diags), TS_OK);
    assert_int_equal(ts_model_write_nemo(graph, model, &diags), TS_OK);

    tessera_options options = {.target = "host", .seed = 3, .message = keep_last};
    assert_string_equal(tessera_version(), TESSERA_VERSION);
    assert_int_equal(tessera_compile(model, NULL, app), 0);
    assert_true(ts_file_exists(ts_path_join(arena, app, "network.h")));
    assert_int_equal(tessera_run(model, &options, json), 0);
    assert_true(ts_file_exists(json));

    options.l1_bytes = 16;
    assert_int_equal(tessera_run(model, &options, NULL), 3);
    assert_non_null(strstr(last, "does not fit"));
    assert_int_equal(tessera_run(ts_path_join(arena, folder, "absent.onnx"), &options, NULL), 2);
    assert_int_equal(tessera_run(NULL, &options, NULL), 2);
    assert_int_equal(ts_dir_remove(folder, &diags), TS_OK);
    ts_arena_free(arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(compiles_runs_and_refuses)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
