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

static void print_place(ts_text *out, const json_t *axes, const json_t *point) {
    for (size_t a = 0; a < json_array_size(axes); a++) {
        const char *key = json_string_value(json_object_get(json_array_get(axes, a), "key"));
        const json_t *value = json_object_get(json_object_get(point, "at"), key);
        const char *text = short_text(out->arena, key, value);
        int width = (int)strlen(key);
        ts_text_printf(out, "%*s  ", width > 9 ? width : 9, text);
    }
}

void ts_sweep_print(ts_text *out, const json_t *results) {
    const json_t *axes = json_object_get(results, "axes"), *points = json_object_get(results, "points");
    for (size_t a = 0; a < json_array_size(axes); a++) {
        ts_text_printf(out, "%9s  ", json_string_value(json_object_get(json_array_get(axes, a), "key")));
    }
    ts_text_printf(out, "%12s  %9s  %12s  %12s  %s\n", "cycles", "MAC/cycle", "L3 read", "L3 written",
                   "status");
    for (size_t i = 0; i < json_array_size(points); i++) {
        const json_t *p = json_array_get(points, i);
        print_place(out, axes, p);
        ts_text_printf(out, "%12s  %9.2f  %12s  %12s  %s\n",
                       plain_text(out->arena, json_object_get(p, "cycles")),
                       json_number_value(json_object_get(p, "mac_per_cycle")),
                       plain_text(out->arena, json_object_get(p, "l3_read_bytes")),
                       plain_text(out->arena, json_object_get(p, "l3_write_bytes")),
                       json_string_value(json_object_get(p, "status")));
    }
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
