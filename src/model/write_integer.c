/* Integer networks as the files that ts_model_read() takes. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "ir/text_form.h"
#include "model/model.h"

static bool has_suffix(const char *text, const char *suffix) {
    size_t n = strlen(text), k = strlen(suffix);
    return n >= k && strcmp(text + n - k, suffix) == 0;
}

static char *sidecar_path(ts_arena *arena, const char *model) {
    char *path = ts_arena_strdup(arena, model);
    memcpy(path + strlen(path) - 5, ".json", 5);
    return path;
}

/* A file that belongs to something else must not be overwritten. */
static ts_status check_sidecar(ts_arena *arena, const char *model, ts_diags *diags) {
    const char *path = sidecar_path(arena, model);
    json_t *old = json_load_file(path, 0, NULL);
    const char *names = json_string_value(json_object_get(old, "onnx_file"));
    bool foreign = ts_file_exists(path) && (names == NULL || strcmp(names, ts_path_base(model)) != 0);
    json_decref(old);
    if (foreign) {
        return ts_error(diags, TS_DIAG_USAGE, NULL, NULL,
                        "%s, which belongs beside the model, is there already and describes something else; "
                        "choose another name for the output",
                        path);
    }
    return TS_OK;
}

/* The dialects' JSON file beside the model: what an ONNX file of integers cannot say of its input. */
static ts_status write_sidecar(ts_arena *arena, const ts_graph *graph, const char *model, ts_diags *diags) {
    const ts_tensor *x = &graph->tensors.data[graph->inputs.data[0]];
    json_t *o =
        json_pack("{s:i, s:s, s:i, s:i, s:i, s:b, s:f}", "BNRelu_bits", 32, "onnx_file", ts_path_base(model),
                  "code reserved space", 0, "n_inputs", 1, "input_bits", (int)ts_type_bits(x->type),
                  "input_signed", (int)ts_type_is_signed(x->type), "input_scale", x->quantum.scale[0]);
    char *text = json_dumps(o, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
    ts_status status = ts_file_write(sidecar_path(arena, model), text, strlen(text), diags);
    free(text);
    json_decref(o);
    return status;
}

ts_status ts_model_write(ts_arena *arena, const ts_graph *graph, const char *path, ts_diags *diags) {
    if (has_suffix(path, ".tsg")) {
        ts_text text = {.arena = arena};
        ts_graph_print(&text, graph);
        return ts_file_write(path, text.data, text.size, diags);
    }
    if (!has_suffix(path, ".onnx")) {
        return ts_error(diags, TS_DIAG_USAGE, NULL, NULL, "'%s' ends neither in .onnx nor in .tsg", path);
    }
    TS_TRY(check_sidecar(arena, path, diags));
    TS_TRY(ts_model_write_nemo(graph, path, diags));
    return write_sidecar(arena, graph, path, diags);
}

double ts_model_input_scale(ts_arena *arena, const char *model) {
    char *path = ts_arena_strdup(arena, model), *dot = strrchr(path, '.');
    if (dot == NULL || strlen(dot) != 5) {
        return 0;
    }
    memcpy(dot, ".json", 5);
    json_t *json = json_load_file(path, JSON_REJECT_DUPLICATES, NULL);
    double scale = json_number_value(json_object_get(json, "input_scale"));
    json_decref(json);
    return scale;
}
