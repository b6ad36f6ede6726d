#include <dirent.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "ir/text_form.h"
#include "model/onnx.h"
#include "model/tflite.h"
#include "model/values.h"

enum { MODEL_LIMIT_BYTES = 256 << 20, JSON_LIMIT_BYTES = 1 << 20, MAX_FOLDER_FILES = 100000 };

/* The JSON file of the dialects (docs/onnx-dialects.md). */
typedef struct dialect {
    const char *onnx_file; /* as written */
    int32_t input_bits;    /* 0 where absent */
    int32_t input_signed;  /* -1 where absent */
} dialect;

static bool has_suffix(const char *name, const char *suffix) {
    size_t n = strlen(name), s = strlen(suffix);
    return n > s && strcasecmp(name + n - s, suffix) == 0;
}

static void release_json(void *json) { json_decref(json); }

static ts_status bad_key(ts_diags *diags, const char *key, const char *right) {
    return ts_error(diags, TS_DIAG_VALUE, NULL, NULL, "key '%s' has to be %s", key, right);
}

static ts_status read_keys(ts_arena *arena, const json_t *json, dialect *out, ts_diags *diags) {
    const json_t *bits = json_object_get(json, "input_bits"), *sign = json_object_get(json, "input_signed");
    const json_t *file = json_object_get(json, "onnx_file"), *width = json_object_get(json, "BNRelu_bits");
    if (!json_is_string(file)) {
        return bad_key(diags, "onnx_file", "the path of the ONNX file");
    }
    out->onnx_file = ts_arena_strdup(arena, json_string_value(file));
    if (width != NULL && json_integer_value(width) != 32 && json_integer_value(width) != 64) {
        return bad_key(diags, "BNRelu_bits", "32 or 64");
    }
    if ((bits == NULL) != (sign == NULL)) {
        return ts_error(diags, TS_DIAG_VALUE, NULL, NULL,
                        "of input_bits and input_signed one is missing; both or neither would be right");
    }
    if (bits == NULL) {
        return TS_OK;
    }
    json_int_t value = json_integer_value(bits);
    if (value != 16 && value != 8 && value != 4 && value != 2) {
        return bad_key(diags, "input_bits", "16, 8, 4 or 2");
    }
    if (!json_is_boolean(sign) && !json_is_integer(sign)) {
        return bad_key(diags, "input_signed", "true or false");
    }
    out->input_bits = (int32_t)value;
    out->input_signed = json_is_true(sign) || json_integer_value(sign) != 0;
    return TS_OK;
}

ts_status ts__dialect_parse(ts_arena *arena, ts_bytes text, const char **onnx_file, int32_t *bits,
                            int32_t *is_signed, ts_diags *diags) {
    json_error_t error;
    dialect d = {.input_signed = -1};
    json_t *json = json_loadb((const char *)text.data, text.size, JSON_REJECT_DUPLICATES, &error);
    if (!json_is_object(json)) {
        json_decref(json);
        return ts_error(diags, TS_DIAG_SYNTAX, NULL, NULL, "not a JSON object (line %d, column %d: %s)",
                        json == NULL ? error.line : 1, json == NULL ? error.column : 1,
                        json == NULL ? error.text : "something else");
    }
    ts_guard_defer(release_json, json);
    ts_status status = read_keys(arena, json, &d, diags);
    ts_guard_undefer(json);
    json_decref(json);
    *onnx_file = d.onnx_file;
    *bits = d.input_bits;
    *is_signed = d.input_signed;
    return status;
}

static ts_status read_dialect(ts_arena *arena, const char *path, dialect *out, ts_diags *diags) {
    ts_bytes text;
    const char *outer = diags->file;
    diags->file = path;
    ts_status status = ts_file_read(arena, path, JSON_LIMIT_BYTES, &text, diags);
    if (status == TS_OK) {
        status = ts__dialect_parse(arena, text, &out->onnx_file, &out->input_bits, &out->input_signed, diags);
    }
    diags->file = outer;
    return status;
}

/* The ONNX file that a JSON file names: relative to its folder, or, where no such file exists (the path was
 * another machine's), of the same name beside it. */
static const char *named_file(ts_arena *arena, const char *json_path, const char *onnx_file) {
    const char *folder = ts_path_dir(arena, json_path);
    const char *path = *onnx_file == '/' ? onnx_file : ts_path_join(arena, folder, onnx_file);
    return ts_file_exists(path) ? path : ts_path_join(arena, folder, ts_path_base(onnx_file));
}

/* Names of the files with that suffix in a folder, sorted. */
typedef TS_VEC(const char *) names;

static int by_name(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void close_folder(void *dir) { closedir(dir); }

static ts_status list_folder(ts_arena *arena, const char *folder, const char *suffix, names *out,
                             ts_diags *diags) {
    DIR *dir = opendir(folder);
    if (dir == NULL) {
        return ts_error(diags, TS_DIAG_USAGE, NULL, NULL, "cannot open the folder '%s'", folder);
    }
    ts_guard_defer(close_folder, dir);
    uint32_t seen = 0;
    for (struct dirent *entry; (entry = readdir(dir)) != NULL && seen++ < MAX_FOLDER_FILES;) {
        if (has_suffix(entry->d_name, suffix)) {
            TS_PUSH(arena, out, ts_arena_strdup(arena, entry->d_name));
        }
    }
    ts_guard_undefer(dir);
    closedir(dir);
    if (out->count > 1) {
        qsort(out->data, out->count, sizeof *out->data, by_name);
    }
    return TS_OK;
}

/* The JSON file in `folder` that names an ONNX file (of that base name, where `onnx` is given). Files that
 * are other JSON are passed over. */
static ts_status find_dialect(ts_arena *arena, const char *folder, const char *onnx, const char **json_path,
                              dialect *out, ts_diags *diags) {
    names files = {0};
    *json_path = NULL;
    TS_TRY(list_folder(arena, folder, ".json", &files, diags));
    for (uint32_t i = 0; i < files.count && *json_path == NULL; i++) {
        ts_diags quiet = {.arena = arena};
        dialect d = {.input_signed = -1};
        const char *path = ts_path_join(arena, folder, files.data[i]);
        if (read_dialect(arena, path, &d, &quiet) != TS_OK && d.onnx_file == NULL) {
            continue;
        }
        if (onnx == NULL || strcmp(ts_path_base(d.onnx_file), onnx) == 0) {
            *json_path = path;
        }
    }
    return *json_path == NULL ? TS_OK : read_dialect(arena, *json_path, out, diags);
}

static ts_status only_onnx(ts_arena *arena, const char *folder, const char **path, ts_diags *diags) {
    names files = {0};
    TS_TRY(list_folder(arena, folder, ".onnx", &files, diags));
    if (files.count != 1) {
        return ts_error(diags, TS_DIAG_USAGE, NULL, NULL,
                        "the folder '%s' has %u ONNX files and no JSON file that names one; give the file",
                        folder, files.count);
    }
    *path = ts_path_join(arena, folder, files.data[0]);
    return TS_OK;
}

/* From what the user gave to the model file and the input's format. */
static ts_status resolve(ts_arena *arena, const char *given, const char **path, dialect *out,
                         ts_diags *diags) {
    const char *json = NULL;
    *path = given;
    if (ts_dir_exists(given)) {
        TS_TRY(find_dialect(arena, given, NULL, &json, out, diags));
        if (json == NULL) {
            return only_onnx(arena, given, path, diags);
        }
    } else if (has_suffix(given, ".json")) {
        TS_TRY(read_dialect(arena, given, out, diags));
        json = given;
    } else if (has_suffix(given, ".onnx") && ts_file_exists(given)) {
        return find_dialect(arena, ts_path_dir(arena, given), ts_path_base(given), &json, out, diags);
    }
    if (json != NULL) {
        *path = named_file(arena, json, out->onnx_file);
    }
    return TS_OK;
}

/* "net" of "folder/net.onnx". */
static const char *stem(ts_arena *arena, const char *path) {
    const char *base = ts_path_base(path), *dot = strrchr(base, '.');
    return dot == NULL || dot == base ? base : ts_arena_copy(arena, base, (size_t)(dot - base));
}

static ts_status read_file(ts_arena *arena, ts_arena *scratch, const char *path, ts_model_options *options,
                           ts_graph **out, ts_diags *diags) {
    dialect d = {.input_signed = -1};
    ts_bytes file;
    TS_TRY(resolve(arena, path, &path, &d, diags));
    diags->file = ts_arena_strdup(diags->arena, path);
    if (options->input_bits == 0) {
        options->input_bits = d.input_bits;
    }
    if (options->input_signed < 0) {
        options->input_signed = d.input_signed;
    }
    TS_TRY(ts_file_read(scratch, path, MODEL_LIMIT_BYTES, &file, diags));
    if (has_suffix(path, ".tsg")) {
        return ts_graph_parse(arena, file, out, diags);
    }
    if (file.size >= 8 && memcmp(file.data + 4, "TFL3", 4) == 0) {
        return ts__tflite_import(arena, file, stem(arena, path), options, out, diags);
    }
    options->folder = ts_path_dir(scratch, path);
    return ts__onnx_import(arena, file, stem(arena, path), options, out, diags);
}

ts_status ts_model_read(ts_arena *arena, const char *path, const ts_model_options *options, ts_graph **out,
                        ts_diags *diags) {
    ts_model_options chosen = options == NULL ? (ts_model_options){.input_signed = -1} : *options;
    const char *outer = diags->file;
    ts_arena *scratch = ts_arena_new("model file", 0);
    *out = NULL;
    ts_guard_defer(ts__free_arena, scratch);
    ts_status status = read_file(arena, scratch, path, &chosen, out, diags);
    ts_guard_undefer(scratch);
    ts_arena_free(scratch);
    diags->file = outer;
    return status;
}
