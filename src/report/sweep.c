#include "report/sweep.h"

#include <stdlib.h>
#include <string.h>

#include "report/internal.h"

/* ---- values as text --------------------------------------------------------------------------------- */

static bool is_bytes(const char *key) {
    size_t length = strlen(key);
    return strcmp(key, "l1") == 0 || strcmp(key, "l2") == 0 ||
           (length > 6 && strcmp(key + length - 6, "_bytes") == 0);
}

/* Any value but a string, as JSON; a string as it is. */
static const char *plain_text(ts_arena *arena, const json_t *value) {
    if (value == NULL || json_is_null(value)) {
        return "";
    }
    if (json_is_string(value)) {
        return json_string_value(value);
    }
    if (json_is_real(value)) {
        return ts_arena_printf(arena, "%.10g", json_real_value(value));
    }
    char *dumped = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
    const char *text = ts_arena_strdup(arena, dumped != NULL ? dumped : "");
    free(dumped);
    return text;
}

/* For people: sizes of whole kilobytes with their suffix. */
static const char *short_text(ts_arena *arena, const char *key, const json_t *value) {
    json_int_t bytes = json_integer_value(value);
    if (json_is_integer(value) && is_bytes(key) && bytes > 0 && bytes % 1024 == 0) {
        return bytes % (1024 * 1024) == 0 ? ts_arena_printf(arena, "%lldM", (long long)bytes / (1024 * 1024))
                                          : ts_arena_printf(arena, "%lldK", (long long)bytes / 1024);
    }
    return plain_text(arena, value);
}

/* ---- table and CSV ---------------------------------------------------------------------------------- */

enum { FIGURE_COLUMNS = 5 };

static ts_style status_style(uint32_t column, const char *cell) {
    (void)column;
    return strcmp(cell, "verified") == 0                                 ? TS_STYLE_GOOD
           : strcmp(cell, "no-fit") == 0                                 ? TS_STYLE_DOUBTFUL
           : strcmp(cell, "differs") == 0 || strcmp(cell, "failed") == 0 ? TS_STYLE_BAD
                                                                         : TS_STYLE_PLAIN;
}

static void add_point(ts_table *t, const json_t *axes, const json_t *p) {
    const char **row = TS_NEW_ARRAY(t->arena, const char *, t->column_count);
    uint32_t n = 0;
    for (size_t a = 0; a < json_array_size(axes); a++) {
        const char *key = json_string_value(json_object_get(json_array_get(axes, a), "key"));
        row[n++] = short_text(t->arena, key, json_object_get(json_object_get(p, "at"), key));
    }
    row[n++] = plain_text(t->arena, json_object_get(p, "cycles"));
    row[n++] = ts_arena_printf(t->arena, "%.2f", json_number_value(json_object_get(p, "mac_per_cycle")));
    row[n++] = plain_text(t->arena, json_object_get(p, "l3_read_bytes"));
    row[n++] = plain_text(t->arena, json_object_get(p, "l3_write_bytes"));
    row[n++] = plain_text(t->arena, json_object_get(p, "status"));
    ts_table_add(t, row);
}

void ts_sweep_print(ts_text *out, const json_t *results, ts_screen screen) {
    static const ts_column figures[FIGURE_COLUMNS] = {{"cycles", true, 0},
                                                      {"MAC/cycle", true, 3},
                                                      {"L3 read", true, 1},
                                                      {"L3 written", true, 2},
                                                      {"status", false, 0}};
    const json_t *axes = json_object_get(results, "axes"), *points = json_object_get(results, "points");
    ts_column columns[TS_TABLE_COLUMNS];
    uint32_t count = (uint32_t)json_array_size(axes);
    TS_ASSERT(count + FIGURE_COLUMNS <= TS_TABLE_COLUMNS, "sweep: axes of a table");
    for (uint32_t a = 0; a < count; a++) {
        columns[a] = (ts_column){json_string_value(json_object_get(json_array_get(axes, a), "key")), true, 0};
    }
    memcpy(columns + count, figures, sizeof figures);
    ts_table table = {.arena = out->arena,
                      .columns = columns,
                      .column_count = count + FIGURE_COLUMNS,
                      .style_of = status_style};
    for (size_t i = 0; i < json_array_size(points); i++) {
        add_point(&table, axes, json_array_get(points, i));
    }
    ts_table_print(out, &table, screen);
}

static void print_quoted(ts_text *out, const char *text) {
    if (strpbrk(text, ",\"\r\n") == NULL) {
        ts_text_add(out, text);
        return;
    }
    ts_text_add(out, "\"");
    for (; *text != '\0'; text++) {
        ts_text_printf(out, *text == '"' ? "\"\"" : "%c", *text);
    }
    ts_text_add(out, "\"");
}

/* Every key of any point beside its place, in the order of their first appearance. */
static json_t *figure_keys(const json_t *points) {
    json_t *keys = json_object(), *value;
    const char *key;
    for (size_t i = 0; i < json_array_size(points); i++) {
        json_object_foreach(json_array_get(points, i), key, value) {
            if (strcmp(key, "at") != 0 && strcmp(key, "name") != 0 && !json_is_object(value) &&
                !json_is_array(value)) {
                json_object_set_new(keys, key, json_true());
            }
        }
    }
    return keys;
}

void ts_sweep_print_csv(ts_text *out, const json_t *results) {
    const json_t *axes = json_object_get(results, "axes"), *points = json_object_get(results, "points");
    json_t *keys = figure_keys(points), *value;
    const char *key, *comma = "";
    for (size_t a = 0; a < json_array_size(axes); a++, comma = ",") {
        ts_text_add(out, comma);
        print_quoted(out, json_string_value(json_object_get(json_array_get(axes, a), "key")));
    }
    json_object_foreach(keys, key, value) {
        ts_text_add(out, comma);
        print_quoted(out, key);
        comma = ",";
    }
    ts_text_add(out, "\n");
    for (size_t i = 0; i < json_array_size(points); i++) {
        const json_t *p = json_array_get(points, i), *at = json_object_get(p, "at");
        comma = "";
        for (size_t a = 0; a < json_array_size(axes); a++, comma = ",") {
            const char *axis = json_string_value(json_object_get(json_array_get(axes, a), "key"));
            ts_text_add(out, comma);
            print_quoted(out, plain_text(out->arena, json_object_get(at, axis)));
        }
        json_object_foreach(keys, key, value) {
            ts_text_add(out, comma);
            print_quoted(out, plain_text(out->arena, json_object_get(p, key)));
            comma = ",";
        }
        ts_text_add(out, "\n");
    }
    json_decref(keys);
}

ts_status ts_sweep_write(ts_arena *arena, const json_t *results, const char *folder, const char *picture,
                         ts_diags *diags) {
    ts_text csv = {.arena = arena}, svg = {.arena = arena}, text = {.arena = arena};
    char *json = json_dumps(results, JSON_INDENT(1) | JSON_REAL_PRECISION(10));
    if (json == NULL) {
        return ts_error(diags, TS_DIAG_MEMORY, NULL, NULL, "out of memory for the results");
    }
    ts_guard_defer(free, json);
    ts_text_printf(&text, "%s\n", json);
    ts_guard_undefer(json);
    free(json);
    ts_sweep_print_csv(&csv, results);
    ts_sweep_print_svg(&svg, results);
    TS_TRY(ts_file_write(ts_path_join(arena, folder, "results.json"), text.data, text.size, diags));
    TS_TRY(ts_file_write(ts_path_join(arena, folder, "results.csv"), csv.data, csv.size, diags));
    return ts_file_write(ts_path_join(arena, folder, picture), svg.data, svg.size, diags);
}
