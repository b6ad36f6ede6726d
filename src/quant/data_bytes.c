/* Bytes as they are needed: files unpacked, CSV columns, arrays that say what they are. */
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "quant/data_internal.h"

#ifdef TS_HAVE_LZMA
#include <lzma.h>
#endif
#ifdef TS_HAVE_ZLIB
#include <zlib.h>
#endif

static ts_status unpack_failed(const char *path, ts_diags *diags) {
    return ts_error(diags, TS_DIAG_MALFORMED, NULL, NULL, "%s: damaged, or larger than %d MB unpacked", path,
                    TS__DATA_LIMIT_BYTES >> 20);
}

#ifdef TS_HAVE_LZMA
static void end_xz(void *stream) { lzma_end(stream); }

static ts_status unpack_xz(ts_arena *arena, const char *path, ts_bytes in, ts_bytes *out, ts_diags *diags) {
    lzma_stream stream = LZMA_STREAM_INIT;
    if (lzma_stream_decoder(&stream, (uint64_t)1 << 28, 0) != LZMA_OK) {
        return ts_error(diags, TS_DIAG_MEMORY, NULL, NULL, "%s: no memory to unpack it", path);
    }
    ts_guard_defer(end_xz, &stream);
    ts_text text = {.arena = arena};
    uint8_t chunk[1 << 16];
    stream.next_in = in.data;
    stream.avail_in = in.size;
    lzma_ret ret = LZMA_OK;
    while (ret == LZMA_OK && text.size < TS__DATA_LIMIT_BYTES) {
        stream.next_out = chunk;
        stream.avail_out = sizeof chunk;
        ret = lzma_code(&stream, LZMA_FINISH);
        ts_text_add_bytes(&text, chunk, sizeof chunk - stream.avail_out);
    }
    ts_guard_undefer(&stream);
    lzma_end(&stream);
    *out = (ts_bytes){(const uint8_t *)text.data, text.size};
    return ret == LZMA_STREAM_END ? TS_OK : unpack_failed(path, diags);
}
#endif

#ifdef TS_HAVE_ZLIB
static void end_gzip(void *stream) { inflateEnd(stream); }

static ts_status unpack_gzip(ts_arena *arena, const char *path, ts_bytes in, ts_bytes *out, ts_diags *diags) {
    z_stream stream = {0};
    if (in.size > UINT32_MAX || inflateInit2(&stream, 15 + 32) != Z_OK) {
        return unpack_failed(path, diags);
    }
    ts_guard_defer(end_gzip, &stream);
    ts_text text = {.arena = arena};
    uint8_t chunk[1 << 16];
    stream.next_in = (uint8_t *)(uintptr_t)in.data;
    stream.avail_in = (uInt)in.size;
    int ret = Z_OK;
    while (ret == Z_OK && text.size < TS__DATA_LIMIT_BYTES) {
        stream.next_out = chunk;
        stream.avail_out = sizeof chunk;
        ret = inflate(&stream, Z_NO_FLUSH);
        ts_text_add_bytes(&text, chunk, sizeof chunk - stream.avail_out);
    }
    ts_guard_undefer(&stream);
    inflateEnd(&stream);
    *out = (ts_bytes){(const uint8_t *)text.data, text.size};
    return ret == Z_STREAM_END ? TS_OK : unpack_failed(path, diags);
}
#endif

ts_status ts__data_unpack(ts_arena *arena, const char *path, ts_bytes file, ts_bytes *out, ts_diags *diags) {
    static const uint8_t xz[] = {0xfd, '7', 'z', 'X', 'Z', 0}, gzip[] = {0x1f, 0x8b, 8};
    *out = file;
    if (file.size >= sizeof xz && memcmp(file.data, xz, sizeof xz) == 0) {
#ifdef TS_HAVE_LZMA
        return unpack_xz(arena, path, file, out, diags);
#else
        return ts_error(diags, TS_DIAG_UNSUPPORTED, NULL, NULL, "%s: built without liblzma; unpack it first",
                        path);
#endif
    }
    if (file.size >= sizeof gzip && memcmp(file.data, gzip, sizeof gzip) == 0) {
#ifdef TS_HAVE_ZLIB
        return unpack_gzip(arena, path, file, out, diags);
#else
        return ts_error(diags, TS_DIAG_UNSUPPORTED, NULL, NULL, "%s: built without zlib; unpack it first",
                        path);
#endif
    }
    (void)arena;
    return TS_OK;
}

/* Cuts ":NAME" off the path of an archive; NULL where it has none. */
static const char *member_of(char *path) {
    for (char *at = path; (at = strstr(at, ".npz:")) != NULL; at++) {
        if (strchr(at, '/') == NULL) {
            at[4] = '\0';
            return at + 5;
        }
    }
    return NULL;
}

ts_status ts__data_bytes(ts_arena *arena, const char *path, const char *fallback, ts_bytes *out,
                         ts_diags *diags) {
    ts_bytes file;
    char *alone = ts_arena_strdup(arena, path);
    const char *name = member_of(alone);
    TS_TRY(ts_file_read(arena, alone, TS__DATA_LIMIT_BYTES, &file, diags));
    if (file.size >= 4 && memcmp(file.data, "PK\3\4", 4) == 0 && (name != NULL || fallback != NULL)) {
        return ts__npz_member(arena, alone, file, name != NULL ? name : fallback, name == NULL, out, diags);
    }
    return ts__data_unpack(arena, path, file, out, diags);
}

/* Cuts the next cell off a line of a CSV file (no quoted commas); *end is what ended it. */
static char *next_cell(char **at, char *end) {
    char *cell = *at;
    size_t length = strcspn(cell, ",\r\n");
    *end = cell[length];
    cell[length] = '\0';
    *at = cell + length + (*end != '\0');
    if (*end == '\r' && **at == '\n') {
        (*at)++;
    }
    return cell;
}

ts_status ts__csv_column(ts_arena *arena, const char *path, const char *column, const char ***cells,
                         uint32_t *rows, ts_diags *diags) {
    ts_bytes file;
    TS_TRY(ts__data_bytes(arena, path, NULL, &file, diags));
    return ts__csv_parse(arena, path, file, column, cells, rows, diags);
}

ts_status ts__csv_parse(ts_arena *arena, const char *path, ts_bytes file, const char *column,
                        const char ***cells, uint32_t *rows, ts_diags *diags) {
    char *at = ts_arena_copy(arena, file.data, file.size), end = ',';
    uint32_t wanted = UINT32_MAX;
    for (uint32_t i = 0; end == ','; i++) {
        if (strcmp(next_cell(&at, &end), column) == 0) {
            wanted = i;
        }
    }
    if (wanted == UINT32_MAX) {
        return ts_error(diags, TS_DIAG_MALFORMED, NULL, NULL, "%s: the first line names no column '%s'", path,
                        column);
    }
    TS_VEC(const char *) found = {0};
    while (*at != '\0') {
        const char *value = NULL;
        end = ',';
        for (uint32_t i = 0; end == ','; i++) {
            char *cell = next_cell(&at, &end);
            value = i == wanted ? cell : value;
        }
        if (value == NULL) {
            return ts_error(diags, TS_DIAG_MALFORMED, NULL, NULL, "%s: row %u has no column '%s'", path,
                            found.count + 1, column);
        }
        TS_PUSH(arena, &found, value);
    }
    *cells = found.data;
    *rows = found.count;
    return TS_OK;
}

static uint32_t big_endian(const uint8_t *p) {
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* What an array's header said. */
typedef struct array {
    uint32_t rank;
    uint32_t dims[TS_MAX_RANK];
    uint64_t count;
    char kind; /* 'u', 'i', 'f' */
    uint32_t bytes;
    const uint8_t *data;
} array;

static bool count_elements(array *a, uint64_t available) {
    a->count = 1;
    for (uint32_t d = 0; d < a->rank; d++) {
        if (a->dims[d] == 0 || a->count > TS__DATA_LIMIT_BYTES / a->dims[d]) {
            return false;
        }
        a->count *= a->dims[d];
    }
    return a->count * a->bytes <= available;
}

static bool read_idx(ts_bytes file, array *a) {
    a->rank = file.data[3];
    if (a->rank == 0 || a->rank > 4 || file.size < 4 + 4 * (size_t)a->rank) {
        return false;
    }
    for (uint32_t d = 0; d < a->rank; d++) {
        a->dims[d] = big_endian(file.data + 4 + 4 * d);
    }
    a->kind = file.data[2] == 8 ? 'u' : 'i';
    a->bytes = 1;
    a->data = file.data + 4 + 4 * (size_t)a->rank;
    return (file.data[2] == 8 || file.data[2] == 9) && count_elements(a, file.size - 4 - 4 * (size_t)a->rank);
}

/* NumPy's header is a Python dictionary of three keys; C order and little endian only. */
static bool read_npy(ts_bytes file, array *a) {
    size_t head = file.data[6] == 1 ? 10 : 12;
    if (file.size < head) {
        return false;
    }
    size_t length = file.data[8] | (size_t)file.data[9] << 8;
    if (head == 12) {
        length |= (size_t)file.data[10] << 16 | (size_t)file.data[11] << 24;
    }
    if (length > file.size - head || length > 4096) {
        return false;
    }
    char text[4097];
    memcpy(text, file.data + head, length);
    text[length] = '\0';
    const char *type = strstr(text, "'descr': '"), *shape = strstr(text, "'shape': (");
    if (type == NULL || shape == NULL || strstr(text, "'fortran_order': False") == NULL) {
        return false;
    }
    type += 10;
    if ((type[0] != '<' && type[0] != '|') || strchr("uif", type[1]) == NULL ||
        !isdigit((unsigned char)type[2])) {
        return false;
    }
    a->kind = type[1];
    a->bytes = (uint32_t)(type[2] - '0');
    a->rank = 0;
    for (const char *at = shape + 10; *at != ')' && *at != '\0' && a->rank < TS_MAX_RANK; a->rank++) {
        char *after;
        unsigned long long size = strtoull(at, &after, 10);
        if (after == at || size > UINT32_MAX) {
            return false;
        }
        a->dims[a->rank] = (uint32_t)size;
        at = after + strspn(after, ", ");
    }
    a->data = file.data + head + length;
    bool whole = a->bytes == 1 || a->bytes == 2 || a->bytes == 4 || a->bytes == 8;
    return a->rank > 0 && whole && count_elements(a, file.size - head - length);
}

static double element(const array *a, uint64_t i) {
    const uint8_t *p = a->data + i * a->bytes;
    if (a->kind == 'f') {
        float f;
        double d;
        memcpy(&f, p, sizeof f);
        if (a->bytes == 8) {
            memcpy(&d, p, sizeof d);
            return d;
        }
        return (double)f;
    }
    uint64_t bits = 0;
    for (uint32_t b = 0; b < a->bytes; b++) {
        bits |= (uint64_t)p[b] << (8 * b);
    }
    if (a->kind == 'i' && a->bytes < 8 && (bits >> (8 * a->bytes - 1) & 1) != 0) {
        bits |= ~(uint64_t)0 << (8 * a->bytes);
    }
    return a->kind == 'i' ? (double)(int64_t)bits : (double)bits;
}

static bool array_of(ts_bytes file, array *a, bool *valid) {
    if (file.size >= 8 && file.data[0] == 0 && file.data[1] == 0 &&
        (file.data[2] == 8 || file.data[2] == 9) && file.data[3] >= 1 && file.data[3] <= 4) {
        *valid = read_idx(file, a);
        return true;
    }
    if (file.size >= 10 && memcmp(file.data, "\x93NUMPY", 6) == 0) {
        *valid = read_npy(file, a) && (a->kind != 'f' || a->bytes == 4 || a->bytes == 8);
        return true;
    }
    return false;
}

static ts_status bad_array(const char *path, ts_diags *diags) {
    return ts_error(diags, TS_DIAG_MALFORMED, NULL, NULL,
                    "%s: not a complete array of bytes, integers or floats in C order; save it so", path);
}

ts_status ts__data_array(ts_arena *arena, const char *path, ts_bytes file, bool planes, ts_data *out,
                         bool *known, ts_diags *diags) {
    array a = {0};
    bool valid = false;
    *known = array_of(file, &a, &valid);
    if (!*known) {
        return TS_OK;
    }
    if (!valid || a.rank < 2 || a.rank > 4) {
        return bad_array(path, diags);
    }
    out->count = a.dims[0];
    out->h = a.rank == 2 ? 1 : a.dims[1];
    out->w = a.rank == 2 ? 1 : a.dims[2];
    out->c = a.rank == 4 ? a.dims[3] : a.rank == 3 ? 1 : a.dims[1];
    if (planes && a.rank > 2) {
        out->c = a.dims[1];
        out->h = a.rank == 4 ? a.dims[2] : 1;
        out->w = a.dims[a.rank - 1];
    }
    if (a.kind != 'f' && a.bytes == 1) {
        out->type = a.kind == 'u' ? TS_DATA_U8 : TS_DATA_S8;
        out->samples = a.data;
        return TS_OK;
    }
    float *values = TS_NEW_ARRAY(arena, float, a.count);
    for (uint64_t i = 0; i < a.count; i++) {
        values[i] = (float)element(&a, i);
    }
    out->type = TS_DATA_F32;
    out->samples = values;
    return TS_OK;
}

ts_status ts__data_vector(ts_arena *arena, const char *path, ts_bytes file, const int32_t **labels,
                          uint32_t *count, bool *known, ts_diags *diags) {
    array a = {0};
    bool valid = false;
    *known = array_of(file, &a, &valid);
    if (!*known) {
        return TS_OK;
    }
    if (!valid || a.rank != 1) {
        return bad_array(path, diags);
    }
    int32_t *values = TS_NEW_ARRAY(arena, int32_t, a.count);
    for (uint64_t i = 0; i < a.count; i++) {
        double v = element(&a, i);
        if (!(v >= 0 && v <= INT32_MAX) || v != floor(v)) {
            return ts_error(diags, TS_DIAG_VALUE, NULL, NULL, "%s: element %llu is no class", path,
                            (unsigned long long)i);
        }
        values[i] = (int32_t)v;
    }
    *labels = values;
    *count = (uint32_t)a.count;
    return TS_OK;
}

static ts_status csv_labels(ts_arena *arena, const char *path, const char *column, const int32_t **labels,
                            uint32_t *count, ts_diags *diags) {
    const char **cells;
    TS_TRY(ts__csv_column(arena, path, column, &cells, count, diags));
    int32_t *values = TS_NEW_ARRAY(arena, int32_t, *count);
    for (uint32_t i = 0; i < *count; i++) {
        int64_t v;
        if (!ts_parse_i64(cells[i], &v) || v < 0 || v > INT32_MAX) {
            return ts_error(diags, TS_DIAG_VALUE, NULL, NULL, "%s: row %u: '%s' is no class", path, i + 1,
                            cells[i]);
        }
        values[i] = (int32_t)v;
    }
    *labels = values;
    return TS_OK;
}

ts_status ts__data_labels(ts_arena *arena, const char *path, const char *column, const int32_t **labels,
                          uint32_t *count, ts_diags *diags) {
    size_t length = strlen(path);
    if (length > 4 && strcmp(path + length - 4, ".csv") == 0) {
        return csv_labels(arena, path, column, labels, count, diags);
    }
    ts_bytes file;
    TS_TRY(ts__data_bytes(arena, path, "y", &file, diags));
    bool known;
    TS_TRY(ts__data_vector(arena, path, file, labels, count, &known, diags));
    if (known) {
        return TS_OK;
    }
    int32_t *values = TS_NEW_ARRAY(arena, int32_t, file.size);
    for (size_t i = 0; i < file.size; i++) {
        values[i] = file.data[i];
    }
    *labels = values;
    *count = (uint32_t)file.size;
    return TS_OK;
}
