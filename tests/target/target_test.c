/* Target descriptions: the built-in ones load; every kind of mistake is named by its key. */
#include "target/target.h"
#include "harness.h"

#include <string.h>

static ts_diags diags_in(ts_arena *arena) { return (ts_diags){.arena = arena}; }

static void built_in_targets_load(void **state) {
    (void)state;
    for (const ts_embedded *file = ts__embedded_targets; file->name != NULL; file++) {
        ts_arena *arena = ts_arena_new("test", 0);
        ts_diags diags = diags_in(arena);
        const ts_target *target;
        char *name = ts_arena_strdup(arena, file->name);
        *strrchr(name, '.') = '\0';
        assert_int_equal(ts_target_load(arena, name, &target, &diags), TS_OK);
        assert_string_equal(target->name, name);
        assert_int_equal(ts_target_levels(target), target->fabric_controller ? 3 : target->memory_count - 1);
        assert_true(target->fabric_controller || ts_target_flash(target) != NULL);
        ts_arena_free(arena);
    }
}

static void gap8_is_the_papers_chip(void **state) {
    (void)state;
    ts_arena *arena = ts_arena_new("test", 0);
    ts_diags diags = diags_in(arena);
    const ts_target *target;
    assert_int_equal(ts_target_load(arena, "gap8", &target, &diags), TS_OK);
    assert_int_equal(target->cores, 8);
    assert_int_equal(ts_target_memory(target, "l1")->size_bytes, 65536);
    assert_int_equal(ts_target_level(target, 2)->size_bytes, 524288);
    assert_string_equal(ts_target_level(target, 3)->name, "l3");
    assert_false(ts_target_memory(target, "flash")->writable);
    assert_null(ts_target_memory(target, "l4"));
    ts_arena_free(arena);
}

static void cortex_m4_is_the_nucleo_board(void **state) {
    (void)state;
    ts_arena *arena = ts_arena_new("test", 0);
    ts_diags diags = diags_in(arena);
    const ts_target *target;
    assert_int_equal(ts_target_load(arena, "cortex-m4", &target, &diags), TS_OK);
    assert_int_equal(target->cores, 1);
    assert_int_equal(ts_target_level(target, 1)->size_bytes, 256 << 10);
    assert_int_equal(ts_target_flash(target)->size_bytes, 1 << 20);
    assert_int_equal(target->cluster_hz, 100000000);
    assert_int_equal(target->fc_hz, target->cluster_hz);
    assert_true(target->estimates_cycles);
    ts_arena_free(arena);
}

/* Loads a built-in target with `from` replaced by `to`; returns the text of the first diagnostic. */
static const char *load_changed(ts_arena *arena, const char *name, const char *from, const char *to) {
    ts_diags diags = diags_in(arena);
    const ts_embedded *file = ts_embedded_find(ts__embedded_targets, ts_arena_printf(arena, "%s.json", name));
    const char *text = (const char *)file->data, *at = strstr(text, from);
    assert_non_null(at);
    char *changed = ts_arena_printf(arena, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
    char path[] = "target_test_XXXXXX.json";
    int fd = mkstemps(path, 5);
    assert_true(fd >= 0);
    FILE *out = fdopen(fd, "w");
    fputs(changed, out);
    fclose(out);
    const ts_target *target;
    ts_status status = ts_target_load(arena, path, &target, &diags);
    remove(path);
    assert_int_equal(status, TS_BAD_INPUT);
    return diags.list.data[0].text;
}

static void mistakes_are_named(void **state) {
    (void)state;
    static const struct {
        const char *from, *to, *text;
    } rows[] = {
        {"\"cores\": 8", "\"cores\": 8, \"colour\": 1", "'colour'"},
        {"\"cores\": 8", "\"cores\": 99", "'cores' is 99"},
        {"\"cores\": 8", "\"cores\": \"eight\"", "'cores' must be a whole number"},
        {"\"cores\": 8,", "", "'cores': is missing"},
        {"\"level\": 2", "\"level\": 3", "'level'"},
        {"\"banks\": 16", "\"banks\": 15", "'banks'"},
        {"\"l1_bytes\": 16384", "\"l1_bytes\": 16000", "'l1_bytes'"},
        {"\"engines\": []", "\"engines\": [1]", "'engines'"},
        {"\"volts\": 1.0", "\"volts\": 1e300", "'volts'"},
        {"\"base\": 0,", "\"base\": -5,", "'base'"},
        {"\"engines\": []", "\"engines\": [],", "line"},
        {"[2304, 1856,", "[4096,", "'stack_bytes'"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ts_arena *arena = ts_arena_new("test", 0);
        const char *text = load_changed(arena, "gap8", rows[i].from, rows[i].to);
        if (strstr(text, rows[i].text) == NULL) {
            fail_msg("row %zu: '%s' does not say %s", i, text, rows[i].text);
        }
        ts_arena_free(arena);
    }
}

static void mistakes_in_one_core_are_named(void **state) {
    (void)state;
    static const struct {
        const char *from, *to, *text;
    } rows[] = {
        {"\"cpu\": \"cortex-m4\"", "\"cpu\": \"cortex-m4 -o x\"", "'cpu'"},
        {"\"machine\": \"mps2-an386\"", "\"machine\": \"-x\"", "'machine'"},
        {"\"cores\": 1", "\"cores\": 2, \"fabric_controller\": false", "'stack_bytes'"},
        {"\"cores\": 1", "\"cores\": 1, \"fabric_controller\": true", "'fetch_port_bits'"},
        {"\"divide\": 7", "\"divide\": -7", "'divide' is -7"},
        {"\"divide\": 7,", "", "'divide'"},
        {"\"cores\": 1", "\"cores\": 1, \"weight_buffer_bytes\": 3", "'weight_buffer_bytes' is 3"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ts_arena *arena = ts_arena_new("test", 0);
        const char *text = load_changed(arena, "cortex-m4", rows[i].from, rows[i].to);
        if (strstr(text, rows[i].text) == NULL) {
            fail_msg("row %zu: '%s' does not say %s", i, text, rows[i].text);
        }
        ts_arena_free(arena);
    }
}

static void unknown_names_are_errors(void **state) {
    (void)state;
    ts_arena *arena = ts_arena_new("test", 0);
    ts_diags diags = diags_in(arena);
    const ts_target *target;
    assert_int_equal(ts_target_load(arena, "gap7", &target, &diags), TS_BAD_INPUT);
    assert_int_equal(ts_target_load(arena, "no/such/file.json", &target, &diags), TS_BAD_INPUT);
    ts_arena_free(arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(built_in_targets_load),          cmocka_unit_test(gap8_is_the_papers_chip),
        cmocka_unit_test(cortex_m4_is_the_nucleo_board),  cmocka_unit_test(mistakes_are_named),
        cmocka_unit_test(mistakes_in_one_core_are_named), cmocka_unit_test(unknown_names_are_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
