/* Memory that runs out anywhere unwinds to the guard, and nothing is lost: every n-th allocation fails. */
#include "harness.h"
#include "ir/text_form.h"
#include "num/generate.h"
#include "num/integer.h"

static void release_arena(void *arena) { ts_arena_free(arena); }

/* Generates, prints, reads back and computes; false where memory ran out. */
static bool all_of_it(void) {
    ts_guard guard;
    if (TS_GUARD_ENTER(&guard)) {
        return false;
    }
    ts_arena *arena = ts_arena_new("test", 0);
    ts_guard_defer(release_arena, arena);
    ts_diags diags = {.arena = arena};
    ts_generate_options o = ts_generate_defaults(TS_GENERATE_RESNET8);
    ts_graph *graph;
    int32_t **values;
    assert_int_equal(ts_generate(arena, &o, &graph, &diags), TS_OK);
    ts_text text = {.arena = arena};
    ts_graph_print(&text, graph);
    assert_int_equal(ts_graph_parse(arena, (ts_bytes){(const uint8_t *)text.data, text.size}, &graph, &diags),
                     TS_OK);
    const int32_t *inputs[] = {
        ts_random_values(arena, 1, &graph->tensors.data[graph->inputs.data[0]], false)};
    assert_int_equal(ts_integer_run(graph, arena, inputs, &values, &diags), TS_OK);
    ts_guard_undefer(arena);
    ts_arena_free(arena);
    ts_guard_leave(&guard);
    return true;
}

static void every_failing_allocation_is_survived(void **state) {
    (void)state;
    uint64_t before = ts_arena_fail_after(0);
    assert_true(all_of_it());
    uint64_t allocations = ts_arena_fail_after(0) - before;
    assert_true(allocations > 20);
    for (uint64_t n = 1; n <= allocations; n++) {
        ts_arena_fail_after(n);
        assert_false(all_of_it());
    }
    ts_arena_fail_after(0);
    assert_true(all_of_it());
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_failing_allocation_is_survived)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
