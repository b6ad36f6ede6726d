#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "run/explore_point.h"

enum { FILE_LIMIT = 1 << 30, DESCRIPTION_LIMIT = 1 << 20 };

/* ---- settings --------------------------------------------------------------------------------------- */

static const char target_prefix[] = "target.";

static bool is_target_path(const char *key) {
    return strncmp(key, target_prefix, sizeof target_prefix - 1) == 0;
}

static ts_status wrong(ts_diags *diags, const char *key, const char *wanted) {
    return ts_error(diags, TS_DIAG_VALUE, NULL, NULL, "setting '%.100s' must be %s", key, wanted);
}

static ts_status read_size(const char *key, const json_t *value, uint64_t *out, ts_diags *diags) {
    bool number = json_is_integer(value) && json_integer_value(value) > 0;
    if (number) {
        *out = (uint64_t)json_integer_value(value);
    } else if (!json_is_string(value) || !ts_parse_size(json_string_value(value), out) || *out == 0) {
        return wrong(diags, key, "a size from 1: bytes, or a string such as \"64K\"");
    }
    return TS_OK;
}

static ts_status read_whole(const char *key, const json_t *value, uint64_t most, uint64_t *out,
                            ts_diags *diags) {
    json_int_t number = json_integer_value(value);
    if (!json_is_integer(value) || number < 0 || (uint64_t)number > most) {
        return ts_error(diags, TS_DIAG_VALUE, NULL, NULL,
                        "setting '%.100s' must be a whole number up to %llu", key, (unsigned long long)most);
    }
    *out = (uint64_t)number;
    return TS_OK;
}

static ts_status read_u32(const char *key, const json_t *value, uint32_t most, uint32_t *out,
                          ts_diags *diags) {
    uint64_t number = 0;
    TS_TRY(read_whole(key, value, most, &number, diags));
    *out = (uint32_t)number;
    return TS_OK;
}

static ts_status read_objective(const json_t *value, ts_objective *out, ts_diags *diags) {
    const char *text = json_string_value(value);
    if (text == NULL || !ts_objective_parse(text, out)) {
        return wrong(diags, "objective", "\"latency\", \"dory\" or \"size\"");
    }
    return TS_OK;
}

static ts_status read_kind(const json_t *value, ts_generate_options *out, ts_diags *diags) {
    const char *text = json_string_value(value);
    for (int kind = 0; kind < TS_GENERATE_KIND_COUNT && text != NULL; kind++) {
        if (strcmp(text, ts_generate_name((ts_generate_kind)kind)) == 0) {
            *out = ts_generate_defaults((ts_generate_kind)kind);
            return TS_OK;
        }
    }
    return wrong(diags, "generate", "a kind of network ('tessera generate --help' lists them)");
}

/* A setting of the generated network. */
static ts_status read_generate(const char *key, const json_t *value, ts_generate_options *g,
                               ts_diags *diags) {
    if (strcmp(key, "width") == 0) {
        g->width = json_number_value(value);
        return json_is_number(value) ? TS_OK : wrong(diags, key, "a number");
    }
    if (strcmp(key, "network_seed") == 0) {
        return read_whole(key, value, INT64_MAX, &g->seed, diags);
    }
    uint32_t *field = strcmp(key, "resolution") == 0 ? &g->resolution
                      : strcmp(key, "classes") == 0  ? &g->classes
                      : strcmp(key, "bits") == 0     ? &g->activation_bits
                                                     : &g->weight_bits;
    return read_u32(key, value, 1000000, field, diags);
}

static const char *const generate_keys[] = {"width", "resolution",  "classes",
                                            "bits",  "weight_bits", "network_seed"};
static const char *const plain_keys[] = {"model", "generate", "target",    "l1",           "l2",
                                         "cores", "seed",     "objective", "l3_bandwidth", "ref_kernels"};

static bool is_one_of(const char *key, const char *const *keys, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (strcmp(key, keys[i]) == 0) {
            return true;
        }
    }
    return false;
}

#define IS_ONE_OF(key, keys) is_one_of((key), (keys), sizeof(keys) / sizeof(keys)[0])

static bool is_setting(const char *key) {
    return is_target_path(key) || IS_ONE_OF(key, generate_keys) || IS_ONE_OF(key, plain_keys);
}

/* ---- the target of a point -------------------------------------------------------------------------- */

/* The member `word` of an object, or the element of an array with that name or number; borrowed. */
static json_t *step_into(json_t *at, const char *word, size_t *index) {
    if (json_is_object(at)) {
        return json_object_get(at, word);
    }
    for (size_t i = 0; i < json_array_size(at); i++) {
        const char *name = json_string_value(json_object_get(json_array_get(at, i), "name"));
        if (name != NULL && strcmp(name, word) == 0) {
            return json_array_get(at, *index = i);
        }
    }
    uint64_t number = 0;
    *index = ts_parse_u64(word, &number) && number < json_array_size(at) ? (size_t)number : SIZE_MAX;
    return *index == SIZE_MAX ? NULL : json_array_get(at, *index);
}

/* Sets the value at a path such as "memories.l3.read_bytes_per_cycle". A last key that an object lacks is
 * added: keys may be optional, and the reader of targets knows which exist. */
static ts_status set_path(ts_arena *arena, json_t *root, const char *path, json_t *value, ts_diags *diags) {
    char *words = ts_arena_strdup(arena, path), *rest = NULL;
    json_t *at = root;
    for (char *word = strtok_r(words, ".", &rest), *next; word != NULL; word = next) {
        size_t index = SIZE_MAX;
        json_t *inner = step_into(at, word, &index);
        next = strtok_r(NULL, ".", &rest);
        if (next == NULL && json_is_object(at)) {
            json_object_set(at, word, value);
            return TS_OK;
        }
        if (next == NULL && inner != NULL) {
            json_array_set(at, index, value);
            return TS_OK;
        }
        at = inner;
    }
    return ts_error(
        diags, TS_DIAG_VALUE, NULL, NULL,
        "setting 'target.%.100s': the target's description has no such place; a path is keys, names and "
        "numbers between dots, as in target.memories.l3.read_bytes_per_cycle",
        path);
}

/* What a point's settings change in the description, before budgets are known. */
static ts_status change_description(ts_arena *arena, json_t *root, json_t *settings, ts_diags *diags) {
    const char *key;
    json_t *value;
    json_object_foreach(settings, key, value) {
        if (is_target_path(key)) {
            TS_TRY(set_path(arena, root, key + sizeof target_prefix - 1, value, diags));
        }
    }
    json_t *bandwidth = json_object_get(settings, "l3_bandwidth");
    if (bandwidth != NULL && !json_is_number(bandwidth)) {
        return wrong(diags, "l3_bandwidth", "a number: bytes a cycle");
    }
    json_t *memories = json_object_get(root, "memories");
    for (size_t i = 0; i < json_array_size(memories) && bandwidth != NULL; i++) {
        json_t *memory = json_array_get(memories, i);
        if (json_integer_value(json_object_get(memory, "level")) == 3) {
            json_object_set(memory, "read_bytes_per_cycle", bandwidth);
            if (!json_is_false(json_object_get(memory, "writable"))) {
                json_object_set(memory, "write_bytes_per_cycle", bandwidth);
            }
        }
    }
    return TS_OK;
}

static void grow_memory(json_t *root, uint32_t level, uint64_t bytes) {
    json_t *memories = json_object_get(root, "memories");
    for (size_t i = 0; i < json_array_size(memories); i++) {
        json_t *memory = json_array_get(memories, i);
        if (json_integer_value(json_object_get(memory, "level")) == (json_int_t)level &&
            (uint64_t)json_integer_value(json_object_get(memory, "size_bytes")) < bytes) {
            json_object_set_new(memory, "size_bytes",
                                json_integer((json_int_t)((bytes + 1023) / 1024 * 1024)));
        }
    }
}

/* A budget beyond what the chip has asks what a larger chip would do: cores, and memories with the room that
 * stacks and code take; programs may be larger than the chip keeps room for. */
static void grow_chip(json_t *root, const ts_plan_options *plan) {
    json_t *stacks = json_object_get(root, "stack_bytes");
    size_t count = json_array_size(stacks);
    if ((json_int_t)plan->cores > json_integer_value(json_object_get(root, "cores")) && count > 0) {
        json_object_set_new(root, "cores", json_integer((json_int_t)plan->cores));
        for (; count < plan->cores; count++) {
            json_array_append(stacks, json_array_get(stacks, count - 1));
        }
    }
    uint64_t taken = 0;
    for (size_t i = 0; i < count; i++) {
        taken += (uint64_t)json_integer_value(json_array_get(stacks, i));
    }
    uint64_t reserve = (uint64_t)json_integer_value(json_object_get(root, "code_reserve_bytes"));
    grow_memory(root, 1, plan->l1_bytes > 0 ? plan->l1_bytes + taken : 0);
    grow_memory(root, 2, plan->l2_bytes > 0 ? plan->l2_bytes + 2 * reserve : 0);
}

const char *ts__explore_beside(ts_arena *arena, const ts_explore *e, const char *path) {
    return *path == '/' ? path : ts_path_join(arena, e->folder, path);
}

/* Name of a built-in target, or the path of a description beside the sweep's. */
static const char *target_path(ts_arena *arena, const ts_explore *e, const char *name) {
    size_t length = strlen(name);
    return length > 5 && strcmp(name + length - 5, ".json") == 0 ? ts__explore_beside(arena, e, name) : name;
}

static ts_status make_target(ts_arena *arena, const ts_explore *e, json_t *settings, ts_explore_point *s,
                             ts_diags *diags) {
    json_t *named = json_object_get(settings, "target");
    const char *name = named == NULL ? "gap8" : json_string_value(named);
    ts_bytes text;
    if (name == NULL) {
        return wrong(diags, "target", "the name of a target or of its JSON file");
    }
    TS_TRY(ts_target_text(arena, target_path(arena, e, name), &text, diags));
    json_t *root = json_loadb((const char *)text.data, text.size, JSON_REJECT_DUPLICATES, NULL);
    if (root == NULL) {
        return ts_target_parse(arena, text, &s->target, diags);
    }
    ts_status status = change_description(arena, root, settings, diags);
    grow_chip(root, &s->plan);
    char *changed = json_dumps(root, JSON_REAL_PRECISION(17));
    json_decref(root);
    if (status == TS_OK && changed != NULL) {
        status =
            ts_target_parse(arena, (ts_bytes){(const uint8_t *)changed, strlen(changed)}, &s->target, diags);
    }
    free(changed);
    return status;
}

/* ---- points ----------------------------------------------------------------------------------------- */

static ts_status read_plain(const char *key, const json_t *value, ts_explore_point *s, ts_diags *diags) {
    if (strcmp(key, "l1") == 0) {
        return read_size(key, value, &s->plan.l1_bytes, diags);
    }
    if (strcmp(key, "l2") == 0) {
        return read_size(key, value, &s->plan.l2_bytes, diags);
    }
    if (strcmp(key, "cores") == 0) {
        return read_u32(key, value, TS_TARGET_MAX_CORES, &s->plan.cores, diags);
    }
    if (strcmp(key, "seed") == 0) {
        return read_whole(key, value, INT64_MAX, &s->seed, diags);
    }
    if (strcmp(key, "objective") == 0) {
        return read_objective(value, &s->plan.objective, diags);
    }
    if (strcmp(key, "ref_kernels") == 0) {
        s->plan.ref_only = json_is_true(value);
        return json_is_boolean(value) ? TS_OK : wrong(diags, key, "true or false");
    }
    if (strcmp(key, "model") == 0) {
        s->model = json_string_value(value);
        return s->model != NULL ? TS_OK : wrong(diags, key, "the path of a network");
    }
    return TS_OK; /* "generate" and the target's are read by themselves */
}

static ts_status read_settings(ts_arena *arena, const ts_explore *e, json_t *settings, ts_explore_point *s,
                               ts_diags *diags) {
    json_t *kind = json_object_get(settings, "generate"), *value;
    const char *key;
    *s = (ts_explore_point){.seed = 1};
    if ((kind == NULL) == (json_object_get(settings, "model") == NULL)) {
        return ts_error(diags, TS_DIAG_VALUE, NULL, NULL,
                        "one of the settings 'model' and 'generate' is needed");
    }
    if (kind != NULL) {
        TS_TRY(read_kind(kind, &s->generate, diags));
    }
    json_object_foreach(settings, key, value) {
        if (!IS_ONE_OF(key, generate_keys)) {
            TS_TRY(read_plain(key, value, s, diags));
        } else if (kind == NULL) {
            return ts_error(diags, TS_DIAG_VALUE, NULL, NULL, "setting '%s' is for generated networks", key);
        } else {
            TS_TRY(read_generate(key, value, &s->generate, diags));
        }
    }
    return make_target(arena, e, settings, s, diags);
}

/* Value of an axis at a point; the last axis changes from point to point. */
static json_t *value_at(const ts_explore *e, uint32_t axis, uint32_t index) {
    for (uint32_t a = e->axis_count - 1; a > axis; a--) {
        index /= (uint32_t)json_array_size(e->axes[a].values);
    }
    return json_array_get(e->axes[axis].values, index % json_array_size(e->axes[axis].values));
}

/* Fixed settings and those of the axes; a new reference. */
static json_t *settings_of(const ts_explore *e, uint32_t index) {
    json_t *settings = json_object(), *value;
    const char *key;
    json_object_foreach(e->root, key, value) {
        if (is_setting(key)) {
            json_object_set(settings, key, value);
        }
    }
    for (uint32_t a = 0; a < e->axis_count; a++) {
        json_object_set(settings, e->axes[a].key, value_at(e, a, index));
    }
    return settings;
}

ts_status ts__explore_point(ts_arena *arena, const ts_explore *e, uint32_t index, ts_explore_point *out,
                            ts_diags *diags) {
    json_t *settings = settings_of(e, index);
    ts_status status = read_settings(arena, e, settings, out, diags);
    json_decref(settings); /* what they name is the description's */
    return status;
}

static const char *point_name(ts_arena *arena, const ts_explore *e, uint32_t index) {
    ts_text name = {.arena = arena};
    ts_text_add(&name, e->axis_count == 0 ? "the point" : "");
    for (uint32_t a = 0; a < e->axis_count; a++) {
        const json_t *value = value_at(e, a, index);
        char *text = json_is_string(value) ? NULL : json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
        ts_text_printf(&name, "%s%s=%s", a == 0 ? "" : " ", e->axes[a].key,
                       text != NULL ? text : json_string_value(value));
        free(text);
    }
    return name.data;
}

/* ---- the description -------------------------------------------------------------------------------- */

/* Sizes are whole numbers from here on, so that "64K" and 65536 are one point. */
static ts_status normalise_sizes(const char *key, json_t *values, ts_diags *diags) {
    for (size_t i = 0; i < json_array_size(values); i++) {
        uint64_t bytes = 0;
        TS_TRY(read_size(key, json_array_get(values, i), &bytes, diags));
        json_array_set_new(values, i, json_integer((json_int_t)bytes));
    }
    return TS_OK;
}

/* Are two values of the array equal? By their texts, since there may be many. */
static bool repeats(const json_t *values) {
    json_t *seen = json_object();
    bool twice = false;
    for (size_t i = 0; i < json_array_size(values) && !twice; i++) {
        char *text = json_dumps(json_array_get(values, i), JSON_ENCODE_ANY | JSON_COMPACT | JSON_SORT_KEYS);
        twice = text != NULL && json_object_get(seen, text) != NULL;
        json_object_set_new(seen, text != NULL ? text : "", json_null());
        free(text);
    }
    json_decref(seen);
    return twice;
}

static ts_status read_axis(ts_explore *e, const char *key, json_t *values, ts_diags *diags) {
    if (!is_setting(key)) {
        return ts_error(diags, TS_DIAG_VALUE, NULL, NULL,
                        "axis '%.100s' is no setting; docs/explore.md lists them", key);
    }
    if (!json_is_array(values) || json_array_size(values) == 0) {
        return ts_error(diags, TS_DIAG_VALUE, NULL, NULL, "axis '%.100s' must be an array of values", key);
    }
    if (json_object_get(e->root, key) != NULL) {
        return ts_error(diags, TS_DIAG_VALUE, NULL, NULL, "axis '%.100s' is a fixed setting too", key);
    }
    if (strcmp(key, "l1") == 0 || strcmp(key, "l2") == 0) {
        TS_TRY(normalise_sizes(key, values, diags));
    }
    if (e->axis_count == TS_EXPLORE_MAX_AXES) {
        return ts_error(diags, TS_DIAG_LIMIT, NULL, NULL, "a sweep may have %d axes", TS_EXPLORE_MAX_AXES);
    }
    e->axes[e->axis_count++] = (ts_explore_axis){key, values};
    if (json_array_size(values) > TS_EXPLORE_MAX_POINTS / e->count) {
        return ts_error(diags, TS_DIAG_LIMIT, NULL, NULL, "a sweep may have %d points",
                        TS_EXPLORE_MAX_POINTS);
    }
    if (repeats(values)) {
        return ts_error(diags, TS_DIAG_VALUE, NULL, NULL, "axis '%.100s' has a value twice", key);
    }
    e->count *= (uint32_t)json_array_size(values);
    return TS_OK;
}

static ts_status read_keys(ts_explore *e, ts_diags *diags) {
    const char *key;
    json_t *value, *axes = json_object_get(e->root, "axes");
    json_object_foreach(e->root, key, value) {
        bool text = strcmp(key, "name") == 0, object = strcmp(key, "axes") == 0 || strcmp(key, "plot") == 0;
        if (!text && !object && !is_setting(key)) {
            return ts_error(diags, TS_DIAG_VALUE, NULL, NULL,
                            "key '%.100s' is not known; docs/explore.md lists them", key);
        }
        if ((text && !json_is_string(value)) || (object && !json_is_object(value))) {
            return ts_error(diags, TS_DIAG_VALUE, NULL, NULL, "key '%s' must be %s", key,
                            text ? "a string" : "an object");
        }
    }
    json_object_foreach(axes, key, value) { TS_TRY(read_axis(e, key, value, diags)); }
    return TS_OK;
}

/* What can be drawn over an axis. */
static const char *const figures[] = {"cycles",           "mac_per_cycle", "modelled_cycles", "seconds",
                                      "energy_uj",        "l1_bytes",      "l2_bytes",        "l3_bytes",
                                      "layers_cut_at_l3", "l3_read_bytes", "l3_write_bytes",  "dma_in_bytes",
                                      "dma_out_bytes"};

static ts_status check_plot(const ts_explore *e, ts_diags *diags) {
    const char *key;
    json_t *value;
    json_object_foreach(json_object_get(e->root, "plot"), key, value) {
        const char *text = json_string_value(value);
        bool known = false;
        for (uint32_t a = 0; a < e->axis_count && text != NULL && strcmp(key, "x") == 0; a++) {
            known |= strcmp(text, e->axes[a].key) == 0;
        }
        known |= text != NULL && strcmp(key, "y") == 0 && IS_ONE_OF(text, figures);
        if (!known) {
            return ts_error(
                diags, TS_DIAG_VALUE, NULL, NULL,
                "key '%.100s' of 'plot' is not understood; \"x\" names an axis, \"y\" a figure such as "
                "\"cycles\"",
                key);
        }
    }
    return TS_OK;
}

static ts_status add_file(ts_arena *arena, json_t *sums, const char *name, const char *path,
                          ts_diags *diags) {
    ts_bytes bytes = {0};
    if (json_object_get(sums, name) != NULL || ts_dir_exists(path)) {
        return TS_OK;
    }
    TS_TRY(ts_file_read(arena, path, FILE_LIMIT, &bytes, diags));
    json_object_set_new(sums, name, json_integer(ts_crc32(bytes.data, bytes.size)));
    return TS_OK;
}

/* The files of a point: its network, its target's description. */
static ts_status add_files(ts_arena *arena, const ts_explore *e, json_t *sums, const json_t *settings,
                           ts_diags *diags) {
    const char *model = json_string_value(json_object_get(settings, "model"));
    const char *target = json_string_value(json_object_get(settings, "target"));
    if (model != NULL) {
        TS_TRY(add_file(arena, sums, model, ts__explore_beside(arena, e, model), diags));
    }
    const char *path = target == NULL ? NULL : target_path(arena, e, target);
    return path != NULL && path != target ? add_file(arena, sums, target, path, diags) : TS_OK;
}

ts_status ts__explore_check(ts_arena *arena, ts_explore *e, json_t *sums, ts_diags *diags) {
    e->names = TS_NEW_ARRAY(arena, const char *, e->count);
    for (uint32_t i = 0; i < e->count; i++) {
        ts_arena *scratch = ts_arena_new("point", 0);
        ts_explore_point s;
        json_t *settings = settings_of(e, i);
        e->names[i] = point_name(arena, e, i);
        ts_status status = read_settings(scratch, e, settings, &s, diags);
        status = status == TS_OK ? add_files(scratch, e, sums, settings, diags) : status;
        json_decref(settings);
        ts_arena_free(scratch);
        if (status != TS_OK) {
            ts_note(diags, TS_DIAG_VALUE, NULL, NULL, "this is point '%s'", e->names[i]);
            return status;
        }
    }
    return TS_OK;
}

static ts_status make_identity(ts_arena *arena, ts_explore *e, json_t *sums, ts_diags *diags) {
    json_t *fixed = json_object(), *value;
    const char *key;
    json_object_foreach(e->root, key, value) {
        if (is_setting(key)) {
            json_object_set(fixed, key, value);
        }
    }
    ts_status status = add_file(arena, sums, "tessera", "/proc/self/exe", diags);
    json_t *all = json_pack("{s:s, s:o, s:O}", "version", TESSERA_VERSION, "settings", fixed, "files", sums);
    char *text = json_dumps(all, JSON_COMPACT | JSON_SORT_KEYS);
    e->identity = ts_arena_strdup(arena, text != NULL ? text : "");
    free(text);
    json_decref(all);
    return status;
}

ts_status ts__explore_parse(ts_arena *arena, const char *path, ts_bytes text, ts_explore **out,
                            ts_diags *diags) {
    json_error_t error;
    ts_explore *e = *out = TS_NEW(arena, ts_explore);
    *e = (ts_explore){.path = path, .folder = ts_path_dir(arena, path), .count = 1};
    e->root = json_loadb((const char *)text.data, text.size, JSON_REJECT_DUPLICATES, &error);
    if (!json_is_object(e->root)) {
        return ts_error(diags, TS_DIAG_SYNTAX, NULL, NULL, "line %d: %s", e->root == NULL ? error.line : 1,
                        e->root == NULL ? error.text : "an object is expected");
    }
    TS_TRY(read_keys(e, diags));
    TS_TRY(check_plot(e, diags));
    const char *name = json_string_value(json_object_get(e->root, "name"));
    e->name = name != NULL ? name : ts_path_base(path);
    return TS_OK;
}

ts_status ts_explore_read(ts_arena *arena, const char *path, ts_explore **out, ts_diags *diags) {
    ts_bytes text;
    *out = NULL;
    diags->file = path;
    TS_TRY(ts_file_read(arena, path, DESCRIPTION_LIMIT, &text, diags));
    TS_TRY(ts__explore_parse(arena, path, text, out, diags));
    json_t *sums = json_object();
    ts_status status = ts__explore_check(arena, *out, sums, diags);
    status = status == TS_OK ? make_identity(arena, *out, sums, diags) : status;
    json_decref(sums);
    diags->file = NULL;
    return status;
}

ts_status ts_explore_judge(const json_t *results, ts_diags *diags) {
    const json_t *points = json_object_get(results, "points");
    for (size_t i = 0; i < json_array_size(points); i++) {
        const json_t *p = json_array_get(points, i);
        if (strcmp(json_string_value(json_object_get(p, "status")), "differs") == 0) {
            return ts_error(diags, TS_DIAG_MISMATCH, NULL, NULL, "point '%s' differs from the reference",
                            json_string_value(json_object_get(p, "name")));
        }
    }
    return TS_OK;
}

void ts_explore_free(ts_explore *explore) {
    if (explore != NULL) {
        json_decref(explore->root);
        explore->root = NULL;
    }
}

/* ---- results ---------------------------------------------------------------------------------------- */

json_t *ts_explore_results(const ts_explore *e, const json_t *const *results) {
    json_t *root = json_object(), *axes = json_array(), *points = json_array();
    json_t *plot = json_object_get(e->root, "plot");
    for (uint32_t a = 0; a < e->axis_count; a++) {
        json_array_append_new(axes,
                              json_pack("{s:s, s:O}", "key", e->axes[a].key, "values", e->axes[a].values));
    }
    for (uint32_t i = 0; i < e->count; i++) {
        json_t *at = json_object(), *point = json_object();
        for (uint32_t a = 0; a < e->axis_count; a++) {
            json_object_set(at, e->axes[a].key, value_at(e, a, i));
        }
        json_object_set_new(point, "name", json_string(e->names[i]));
        json_object_set_new(point, "at", at);
        if (results[i] == NULL) {
            json_object_set_new(point, "status", json_string("failed"));
        } else {
            json_object_update(point, (json_t *)(uintptr_t)results[i]);
        }
        json_array_append_new(points, point);
    }
    json_object_set_new(root, "sweep", json_string(e->name));
    json_object_set(root, "plot", plot != NULL ? plot : json_null());
    json_object_set_new(root, "axes", axes);
    json_object_set_new(root, "points", points);
    return root;
}
