/* An application's folder as the input of a run. */
#include <jansson.h>
#include <string.h>

#include "base/file.h"
#include "ir/text_form.h"
#include "run/run.h"

enum { GRAPH_LIMIT = 1 << 30, JSON_LIMIT = 64 << 20 };

static ts_status bad(ts_diags *diags, const char *what) {
    return ts_error(diags, TS_DIAG_MALFORMED, NULL, NULL, "plan.json: %s; compile the network again", what);
}

static bool take_size(const json_t *options, const char *key, uint64_t *out) {
    const json_t *value = json_object_get(options, key);
    if (!json_is_integer(value) || json_integer_value(value) < 0) {
        return false;
    }
    *out = (uint64_t)json_integer_value(value);
    return true;
}

static ts_status read_options(const json_t *root, ts_plan_options *out, const char **target,
                              ts_diags *diags) {
    const json_t *options = json_object_get(root, "options");
    const char *objective = json_string_value(json_object_get(options, "objective"));
    uint64_t cores = 0;
    *target = json_string_value(json_object_get(root, "target"));
    if (*target == NULL || objective == NULL || !take_size(options, "l1_bytes", &out->l1_bytes) ||
        !take_size(options, "l2_bytes", &out->l2_bytes) || !take_size(options, "l3_bytes", &out->l3_bytes) ||
        !take_size(options, "cores", &cores) || cores > TS_TARGET_MAX_CORES ||
        !ts_objective_parse(objective, &out->objective)) {
        return bad(diags, "target or options are missing");
    }
    out->cores = (uint32_t)cores;
    out->ref_only = json_is_true(json_object_get(options, "ref_kernels"));
    uint64_t guard = 0;
    if (take_size(options, "guard_bytes", &guard) && guard <= UINT16_MAX) {
        out->guard_bytes = (uint32_t)guard;
    }
    return TS_OK;
}

static void free_json(void *root) { json_decref(root); }

static ts_status read_plan(ts_arena *arena, const char *folder, const char *target, ts_run_options *options,
                           ts_diags *diags) {
    ts_bytes text;
    const char *name = NULL;
    TS_TRY(ts_file_read(arena, ts_path_join(arena, folder, "plan.json"), JSON_LIMIT, &text, diags));
    json_t *root = json_loadb((const char *)text.data, text.size, JSON_REJECT_DUPLICATES, NULL);
    if (root == NULL) {
        return bad(diags, "it is not JSON");
    }
    ts_guard_defer(free_json, root);
    ts_status status = read_options(root, &options->plan, &name, diags);
    if (status == TS_OK) {
        status = ts_run_target(arena, target != NULL ? target : ts_arena_strdup(arena, name),
                               &options->target, diags);
    }
    ts_guard_undefer(root);
    json_decref(root);
    return status;
}

ts_status ts_run_application(ts_arena *arena, const char *folder, const char *target, ts_graph **graph,
                             ts_run_options *options, ts_diags *diags) {
    ts_bytes text, header;
    TS_TRY(ts_file_read(arena, ts_path_join(arena, folder, "app.h"), JSON_LIMIT, &header, diags));
    if (strstr((const char *)header.data, "APP_SELF_CHECK") != NULL) {
        return ts_error(
            diags, TS_DIAG_USAGE, NULL, NULL,
            "'%s' carries its weights and judges itself; build it with make and run app.elf with tessera sim",
            folder);
    }
    TS_TRY(read_plan(arena, folder, target, options, diags));
    TS_TRY(ts_file_read(arena, ts_path_join(arena, folder, "network.tsg"), GRAPH_LIMIT, &text, diags));
    TS_TRY(ts_graph_parse(arena, text, graph, diags));
    options->application = folder;
    return TS_OK;
}
