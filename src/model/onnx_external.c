/* Constants whose data lie in files beside the model: PyTorch's exporter writes model.onnx and
 * model.onnx.data. Their bytes are put in place before anything else reads the model. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "model/onnx.h"

/* Of all files together, and how many there may be. */
#define MOST_BYTES ((uint64_t)1 << 30)
enum { MOST_FILES = 1024 };

typedef struct data_file {
    const char *location;
    ts_bytes bytes;
} data_file;

typedef struct fetcher {
    ts_arena *arena;
    ts_diags *diags;
    const char *folder; /* NULL: none may be read */
    uint64_t bytes;     /* of the files so far */
    TS_VEC(data_file) files;
} fetcher;

static ts_status refuse(fetcher *f, const Onnx__TensorProto *t, const char *what, const char *location) {
    bool named = location != NULL;
    return ts_error(f->diags, TS_DIAG_MALFORMED, NULL, NULL, "constant '%s' %s%s%s%s",
                    t->name == NULL ? "" : t->name, what, named ? ": '" : "", named ? location : "",
                    named ? "'" : "");
}

/* The value of a key; NULL where it is absent. */
static const char *value_of(const Onnx__TensorProto *t, const char *key) {
    for (size_t i = 0; i < t->n_external_data; i++) {
        const Onnx__StringStringEntryProto *e = t->external_data[i];
        if (e->key != NULL && e->value != NULL && strcmp(e->key, key) == 0) {
            return e->value;
        }
    }
    return NULL;
}

/* A number of bytes in decimal digits; `absent` where there is none; false where it is something else. */
static bool read_bytes(const char *text, uint64_t absent, uint64_t *out) {
    *out = text == NULL ? absent : 0;
    for (size_t i = 0; text != NULL && (i == 0 || text[i] != '\0'); i++) {
        if (text[i] < '0' || text[i] > '9' || i > 15) {
            return false;
        }
        *out = *out * 10 + (uint64_t)(text[i] - '0');
    }
    return true;
}

/* A path below the folder by its words: relative, and no part of it leads upwards. */
static bool stays_below(const char *location) {
    bool fits = *location != '\0' && *location != '/' && strchr(location, '\\') == NULL;
    for (const char *at = location; fits && at != NULL; at = strchr(at, '/')) {
        at += *at == '/';
        fits = strncmp(at, "..", 2) != 0 || (at[2] != '/' && at[2] != '\0');
    }
    return fits;
}

/* The file that the path leads to, below the folder with all links followed; NULL where it is not. */
static const char *resolved(fetcher *f, const char *location) {
    char folder[PATH_MAX], path[PATH_MAX];
    if (realpath(*f->folder == '\0' ? "." : f->folder, folder) == NULL ||
        realpath(ts_path_join(f->arena, folder, location), path) == NULL) {
        return NULL;
    }
    size_t length = strlen(folder);
    length -= length == 1; /* the root ends with its slash */
    bool below = strncmp(path, folder, length) == 0 && path[length] == '/';
    return below ? ts_arena_strdup(f->arena, path) : NULL;
}

static ts_status open_file(fetcher *f, const Onnx__TensorProto *t, const char *location, ts_bytes *out) {
    for (uint32_t i = 0; i < f->files.count; i++) {
        if (strcmp(f->files.data[i].location, location) == 0) {
            *out = f->files.data[i].bytes;
            return TS_OK;
        }
    }
    if (f->files.count == MOST_FILES) {
        return refuse(f, t, "is in one of more than 1024 files of data", NULL);
    }
    const char *path = resolved(f, location);
    if (path == NULL) {
        return refuse(f, t, "keeps its data in a file that is not in the model's folder", location);
    }
    TS_TRY(ts_file_read(f->arena, path, (size_t)(MOST_BYTES - f->bytes), out, f->diags));
    const data_file file = {location, *out};
    TS_PUSH(f->arena, &f->files, file);
    f->bytes += out->size;
    return TS_OK;
}

static ts_status fetch(fetcher *f, Onnx__TensorProto *t) {
    if (!t->has_data_location || t->data_location != ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL) {
        return TS_OK;
    }
    const char *location = value_of(t, "location");
    uint64_t offset, length;
    ts_bytes file;
    if (f->folder == NULL) {
        return refuse(f, t, "keeps its data in another file; store it inside the model", location);
    }
    if (location == NULL || !stays_below(location)) {
        return refuse(
            f, t, "keeps its data where nothing may be read; a path below the model's folder would be right",
            location);
    }
    if (t->has_raw_data && t->raw_data.len > 0) {
        return refuse(f, t, "has data of its own and others in a file", location);
    }
    TS_TRY(open_file(f, t, location, &file));
    if (!read_bytes(value_of(t, "offset"), 0, &offset) || offset > file.size ||
        !read_bytes(value_of(t, "length"), file.size - offset, &length) || length > file.size - offset) {
        return refuse(f, t, "has an offset and a length that are not within its file of data", location);
    }
    t->has_raw_data = 1;
    t->raw_data = (ProtobufCBinaryData){(size_t)length, (uint8_t *)(uintptr_t)(file.data + offset)};
    t->has_data_location = 0;
    t->n_external_data = 0;
    return TS_OK;
}

ts_status ts__onnx_fetch(ts_arena *arena, Onnx__GraphProto *graph, const char *folder, uint64_t *bytes,
                         ts_diags *diags) {
    fetcher f = {.arena = arena, .diags = diags, .folder = folder};
    for (size_t i = 0; i < graph->n_initializer; i++) {
        TS_TRY(fetch(&f, graph->initializer[i]));
    }
    for (size_t i = 0; i < graph->n_node; i++) {
        for (size_t k = 0; k < graph->node[i]->n_attribute; k++) {
            Onnx__TensorProto *t = graph->node[i]->attribute[k]->t;
            if (t != NULL) {
                TS_TRY(fetch(&f, t));
            }
        }
    }
    *bytes = f.bytes;
    return TS_OK;
}
