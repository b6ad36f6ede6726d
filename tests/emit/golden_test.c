/* Golden cases of emitted C: golden_test FILE... Each file holds a model, the options of the plan, and the
 * emitted files as they should be:
 *
 *     --- model
 *     (text form of a graph)
 *     --- compile TARGET L1 L2
 *     --- file PATH
 *     (contents)
 *
 * Tiles are chosen by the objective that knows no cycles, and lines about modelled cycles are left out on
 * both sides: the cost model may change without the C. With TESSERA_UPDATE set, the files are written anew
 * instead. */
#include <string.h>

#include "base/file.h"
#include "emit/emit.h"
#include "harness.h"
#include "ir/text_form.h"

typedef struct section {
    const char *head; /* behind "--- " */
    const char *body;
    size_t size;
} section;

typedef struct golden {
    ts_arena *arena;
    section list[16];
    uint32_t count;
} golden;

static int case_count;
static char **case_paths;

static golden read_golden(ts_arena *arena, const char *path, ts_diags *diags) {
    golden g = {.arena = arena};
    ts_bytes text;
    assert_int_equal(ts_file_read(arena, path, 1 << 20, &text, diags), TS_OK);
    const char *at = (const char *)text.data;
    while (at != NULL && *at != '\0') {
        assert_int_equal(strncmp(at, "--- ", 4), 0);
        assert_true(g.count < 16);
        const char *end = strchr(at, '\n'), *next = strstr(at, "\n--- ");
        section *s = &g.list[g.count++];
        s->head = ts_arena_printf(arena, "%.*s", (int)(end - at - 4), at + 4);
        s->body = end + 1;
        s->size = next == NULL ? strlen(s->body) : next >= s->body ? (size_t)(next + 1 - s->body) : 0;
        at = next == NULL ? NULL : next + 1;
    }
    return g;
}

static ts_app *emit(const golden *g, ts_diags *diags) {
    ts_graph *graph = NULL;
    const ts_target *target = NULL;
    ts_plan *plan = NULL;
    ts_emitted emitted;
    char name[32];
    unsigned long l1 = 0, l2 = 0;
    assert_string_equal(g->list[0].head, "model");
    assert_int_equal(sscanf(g->list[1].head, "compile %31s %lu %lu", name, &l1, &l2), 3);
    ts_bytes text = {(const uint8_t *)g->list[0].body, g->list[0].size};
    assert_int_equal(ts_graph_parse(g->arena, text, &graph, diags), TS_OK);
    assert_int_equal(ts_target_load(g->arena, name, &target, diags), TS_OK);
    ts_plan_options options = {
        .l1_bytes = l1, .l2_bytes = l2, .ref_only = true, .objective = TS_OBJECTIVE_DORY};
    assert_int_equal(ts_plan_build(g->arena, graph, target, &options, &plan, diags), TS_OK);
    ts_app *app = ts_app_new(g->arena);
    ts_emit_options emit_options = {.command = "compile"};
    assert_int_equal(ts_emit_network(app, plan, &emit_options, &emitted, diags), TS_OK);
    assert_int_equal(ts_emit_program(app, &emitted, 1, target, &emit_options, diags), TS_OK);
    return app;
}

static const ts_app_file *find(const ts_app *app, const char *path) {
    for (uint32_t i = 0; i < app->files.count; i++) {
        if (strcmp(app->files.data[i].path, path) == 0) {
            return &app->files.data[i];
        }
    }
    return NULL;
}

/* Without lines that speak of modelled cycles. */
static const char *lasting(ts_arena *arena, const char *text, size_t size) {
    ts_text out = {.arena = arena};
    ts_text_add(&out, "");
    for (const char *at = text; at < text + size;) {
        const char *end = memchr(at, '\n', (size_t)(text + size - at));
        size_t length = end == NULL ? (size_t)(text + size - at) : (size_t)(end + 1 - at);
        const char *line = ts_arena_printf(arena, "%.*s", (int)length, at);
        if (strstr(line, " cycles modelled") == NULL) {
            ts_text_add(&out, line);
        }
        at += length;
    }
    return out.data;
}

static void update(const golden *g, const ts_app *app, const char *path, ts_diags *diags) {
    ts_text out = {.arena = g->arena};
    for (uint32_t i = 0; i < g->count; i++) {
        ts_text_printf(&out, "--- %s\n", g->list[i].head);
        if (strncmp(g->list[i].head, "file ", 5) != 0) {
            ts_text_add_bytes(&out, g->list[i].body, g->list[i].size);
            continue;
        }
        const ts_app_file *file = find(app, g->list[i].head + 5);
        assert_non_null(file);
        ts_text_add(&out, lasting(g->arena, file->data, file->size));
    }
    assert_int_equal(ts_file_write(path, out.data, out.size, diags), TS_OK);
}

static void test_golden(void **state) {
    (void)state;
    for (int i = 0; i < case_count; i++) {
        ts_arena *arena = ts_arena_new("golden", 0);
        ts_diags diags = {.arena = arena};
        golden g = read_golden(arena, case_paths[i], &diags);
        ts_app *app = emit(&g, &diags);
        if (getenv("TESSERA_UPDATE") != NULL) {
            update(&g, app, case_paths[i], &diags);
        }
        for (uint32_t n = 2; n < g.count && getenv("TESSERA_UPDATE") == NULL; n++) {
            const ts_app_file *file = find(app, g.list[n].head + 5);
            assert_non_null(file);
            assert_string_equal(lasting(arena, file->data, file->size),
                                lasting(arena, g.list[n].body, g.list[n].size));
        }
        ts_arena_free(arena);
    }
}

/* The same plan gives the same bytes. */
static void test_same_bytes(void **state) {
    (void)state;
    ts_arena *arena = ts_arena_new("golden", 0);
    ts_diags diags = {.arena = arena};
    golden g = read_golden(arena, case_paths[0], &diags);
    const ts_app *a = emit(&g, &diags), *b = emit(&g, &diags);
    assert_int_equal(a->files.count, b->files.count);
    for (uint32_t i = 0; i < a->files.count; i++) {
        assert_string_equal(a->files.data[i].path, b->files.data[i].path);
        assert_int_equal(a->files.data[i].size, b->files.data[i].size);
        assert_memory_equal(a->files.data[i].data, b->files.data[i].data, a->files.data[i].size);
    }
    ts_arena_free(arena);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_golden), cmocka_unit_test(test_same_bytes)};
    case_count = argc - 1;
    case_paths = argv + 1;
    return case_count == 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
