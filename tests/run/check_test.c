/* A checked program finds who writes outside its buffers, in L1 and L2, between buffers that live and into
 * what has died; a right one is found right. */
#include <string.h>

#include "base/file.h"
#include "harness.h"
#include "num/generate.h"
#include "run/run.h"

enum { GUARD = 16 };

typedef struct world {
    ts_arena *arena;
    ts_diags diags;
    ts_graph *graph;
    const ts_target *target;
    const char *folder;
    const ts_plan *plan;
} world;

static world begin(const char *target, uint64_t l1_bytes, uint64_t l2_bytes) {
    world w = {.arena = ts_arena_new("test", 0)};
    w.diags.arena = w.arena;
    ts_generate_options options = ts_generate_defaults(TS_GENERATE_RESNET8);
    options.width = 0.5;
    options.resolution = 16;
    assert_int_equal(ts_generate(w.arena, &options, &w.graph, &w.diags), TS_OK);
    assert_int_equal(ts_run_target(w.arena, target, &w.target, &w.diags), TS_OK);
    assert_int_equal(ts_dir_temporary(w.arena, &w.folder, &w.diags), TS_OK);
    ts_run_options run = {.target = w.target, .seed = 1, .command = "test"};
    run.plan = (ts_plan_options){.l1_bytes = l1_bytes, .l2_bytes = l2_bytes, .guard_bytes = GUARD};
    assert_int_equal(ts_compile(w.arena, w.graph, &run, w.folder, &w.plan, &w.diags), TS_OK);
    return w;
}

static void end(world *w) {
    assert_int_equal(ts_dir_remove(w->folder, &w->diags), TS_OK);
    ts_arena_free(w->arena);
}

/* Builds and runs the folder as it lies there; the text of the first error. */
static ts_status run(world *w, const char **text) {
    ts_run_options options = {.seed = 1, .jobs = 2};
    ts_graph *graph;
    ts_run_result result = {0};
    ts_diags diags = {.arena = w->arena};
    const char *target = strcmp(w->target->platform, "host") == 0 ? "host" : NULL;
    assert_int_equal(ts_run_application(w->arena, w->folder, target, &graph, &options, &diags), TS_OK);
    ts_status status = ts_run(w->arena, graph, &options, &result, &diags);
    *text = "";
    for (uint32_t i = diags.list.count; i-- > 0;) {
        *text = ts_arena_printf(w->arena, "%s %s", diags.list.data[i].text, *text);
    }
    return status;
}

/* Adds a statement at the beginning of a layer's function. */
static void plant(world *w, uint32_t layer, const char *statement) {
    const char *path = NULL;
    ts_bytes text;
    const char *name = ts_identifier(w->arena, w->plan->layers[layer].name);
    path = ts_arena_printf(w->arena, "%s/layers/%02u_%s.c", w->folder, layer, name);
    assert_int_equal(ts_file_read(w->arena, path, 1 << 20, &text, &w->diags), TS_OK);
    const char *mark = ts_arena_printf(w->arena, "_layer_%02u_", layer);
    const char *at = strstr((const char *)text.data, mark);
    assert_non_null(at);
    at = strchr(at, '{');
    assert_non_null(at);
    size_t head = (size_t)(at + 1 - (const char *)text.data);
    const char *changed = ts_arena_printf(w->arena, "%.*s if (ts_core() == 0) { %s }%s", (int)head,
                                          (const char *)text.data, statement, (const char *)text.data + head);
    assert_int_equal(ts_file_write(path, changed, strlen(changed), &w->diags), TS_OK);
}

static void a_right_program_is_right(void **state) {
    (void)state;
    const struct {
        const char *target;
        uint64_t l1, l2;
    } rows[] = {{"host", 0, 0}, {"host", 3000, 9000}, {"gap8", 0, 0}, {"gap8", 3001, 9001}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        world w = begin(rows[i].target, rows[i].l1, rows[i].l2);
        const char *text;
        assert_int_equal(ts_plan_verify(w.plan, &w.diags), TS_OK);
        ts_status status = run(&w, &text);
        if (status != TS_OK) {
            print_message("%s: %s\n", rows[i].target, text);
        }
        assert_int_equal(status, TS_OK);
        end(&w);
    }
}

/* The L2 buffer of a layer's output. */
static const ts_buffer *output_of(const world *w, uint32_t layer) {
    return &w->plan->buffers.data[w->plan->layer_plans[layer].y_buffer];
}

static void found(const char *target, uint32_t layer, const char *statement, const char *memory,
                  uint64_t offset, const char *behind) {
    world w = begin(target, 0, 0);
    const char *text;
    plant(&w, layer, statement);
    assert_int_equal(run(&w, &text), TS_SYSTEM);
    const char *expected = ts_arena_printf(w.arena, "layer '%s' wrote outside its buffers: %s offset %llu",
                                           w.plan->layers[layer].name, memory, (unsigned long long)offset);
    if (strstr(text, expected) == NULL || strstr(text, behind) == NULL) {
        print_message("'%s' lacks '%s' or '%s'\n", text, expected, behind);
        fail();
    }
    end(&w);
}

static void planted_overruns_are_found(void **state) {
    (void)state;
    static const char *const targets[] = {"host", "gap8"};
    for (size_t t = 0; t < 2; t++) {
        world w = begin(targets[t], 0, 0);
        /* One byte behind its own output; one byte behind x in L1; into the input, which has died. */
        uint64_t behind_y = output_of(&w, 3)->offset + output_of(&w, 3)->bytes;
        const ts_l1_plan *l1 = &w.plan->layer_plans[5].l1;
        uint64_t behind_x = l1->x_offset[l1->x_count - 1] + l1->x_bytes;
        uint64_t input = 0;
        for (uint32_t b = 0; b < w.plan->buffers.count; b++) {
            const ts_buffer *buffer = &w.plan->buffers.data[b];
            bool is_input = buffer->role == TS_BUFFER_ACTIVATION && buffer->tensor == w.graph->inputs.data[0];
            input = is_input ? buffer->offset : input;
        }
        const char *statements[] = {
            ts_arena_printf(w.arena, "run->l2[%llu] ^= 1;", (unsigned long long)behind_y),
            ts_arena_printf(w.arena, "run->l1[%llu] ^= 0x80;", (unsigned long long)behind_x),
            ts_arena_printf(w.arena, "run->l2[%llu] ^= 1;", (unsigned long long)input),
        };
        found(targets[t], 3, statements[0], "L2", behind_y, "behind 'output of layer 3");
        found(targets[t], 5, statements[1], "L1", behind_x, "behind 'x");
        uint32_t last = w.plan->layer_count - 1;
        bool free_at_end = true;
        for (uint32_t b = 0; b < w.plan->buffers.count; b++) {
            const ts_buffer *buffer = &w.plan->buffers.data[b];
            free_at_end &= buffer->level != TS_IN_L2 || buffer->last_layer < last || buffer->offset > input ||
                           buffer->offset + buffer->bytes <= input;
        }
        assert_true(free_at_end);
        found(targets[t], last, statements[2], "L2", input, "");
        end(&w);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_right_program_is_right),
                                       cmocka_unit_test(planted_overruns_are_found)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
