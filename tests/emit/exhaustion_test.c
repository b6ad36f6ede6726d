/* From a model file to a folder of C: memory that runs out anywhere unwinds to the guard, and what was in the
 * folder before is still there, whole, with nothing half-written beside it. Every n-th allocation fails in
 * turn. */
#include <dirent.h>
#include <string.h>

#include "base/file.h"
#include "emit/emit.h"
#include "harness.h"
#include "model/model.h"
#include "num/generate.h"
#include "plan/plan.h"

static void release_arena(void *arena) { ts_arena_free(arena); }

/* False where memory ran out. */
static bool compile(const char *model, const char *folder) {
    ts_guard guard;
    if (TS_GUARD_ENTER(&guard)) {
        return false;
    }
    ts_arena *arena = ts_arena_new("test", 0);
    ts_guard_defer(release_arena, arena);
    ts_diags diags = {.arena = arena};
    const ts_target *target;
    ts_graph *graph;
    ts_plan *plan;
    ts_emitted emitted;
    ts_plan_options planning = {.cores = 8};
    ts_emit_options options = {0};
    ts_model_options reading = {0};
    assert_int_equal(ts_target_load(arena, "gap8", &target, &diags), TS_OK);
    assert_int_equal(ts_model_read(arena, model, &reading, &graph, &diags), TS_OK);
    assert_int_equal(ts_plan_build(arena, graph, target, &planning, &plan, &diags), TS_OK);
    ts_app *app = ts_app_new(arena);
    assert_int_equal(ts_emit_network(app, plan, &options, &emitted, &diags), TS_OK);
    assert_int_equal(ts_emit_program(app, &emitted, 1, target, &options, &diags), TS_OK);
    assert_int_equal(ts_app_write(app, folder, &diags), TS_OK);
    ts_guard_undefer(arena);
    ts_arena_free(arena);
    ts_guard_leave(&guard);
    return true;
}

static uint32_t entries(const char *folder) {
    uint32_t count = 0;
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    while (readdir(dir) != NULL) {
        count++;
    }
    closedir(dir);
    return count;
}

static void what_was_there_survives(void **state) {
    (void)state;
    ts_arena *arena = ts_arena_new("test", 0);
    ts_diags diags = {.arena = arena};
    const char *place;
    assert_int_equal(ts_dir_temporary(arena, &place, &diags), TS_OK);
    ts_generate_options o = ts_generate_defaults(TS_GENERATE_RESNET8);
    ts_graph *graph;
    assert_int_equal(ts_generate(arena, &o, &graph, &diags), TS_OK);
    const char *model = ts_path_join(arena, place, "net.onnx"), *folder = ts_path_join(arena, place, "out");
    assert_int_equal(ts_model_write_nemo(graph, model, &diags), TS_OK);
    uint64_t before = ts_arena_fail_after(0);
    assert_true(compile(model, folder));
    uint64_t allocations = ts_arena_fail_after(0) - before;
    uint32_t beside = entries(place), inside = entries(folder);
    const char *mine = ts_path_join(arena, folder, "mine");
    assert_int_equal(ts_file_write(mine, "x", 1, &diags), TS_OK);
    assert_true(allocations > 20);
    for (uint64_t n = 1; n <= allocations; n++) {
        ts_arena_fail_after(n);
        bool done = compile(model, folder);
        ts_arena_fail_after(0);
        assert_false(done);
        assert_int_equal(entries(place), beside);
        assert_int_equal(entries(folder), inside + 1u);
    }
    assert_true(compile(model, folder));
    assert_int_equal(entries(place), beside);
    assert_int_equal(ts_dir_remove(place, &diags), TS_OK);
    ts_arena_free(arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_was_there_survives)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
