#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "model/values.h"

enum { VALUES_LIMIT_BYTES = 512 << 20 };

/* ---- text ---- */

static bool is_value_start(char c) { return (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.'; }

static bool is_value_char(char c) { return is_value_start(c) || c == 'e' || c == 'E'; }

static bool is_separator(char c) {
    return c == ',' || c == '\\' || c == ' ' || c == '\t' || c == '\r' || c == ';';
}

/* One whole number of 32 bits; fractions of zero and exponents are allowed. */
static bool parse_value(const char *text, size_t size, int32_t *out) {
    char copy[64];
    if (size == 0 || size >= sizeof copy) {
        return false;
    }
    memcpy(copy, text, size);
    copy[size] = '\0';
    char *end;
    double value = strtod(copy, &end);
    if (*end != '\0' || !(value >= INT32_MIN && value <= INT32_MAX) || value != floor(value)) {
        return false;
    }
    *out = (int32_t)value;
    return true;
}

/* The usual form, "-123" or "123.000", without strtod: goldens have millions of lines. */
static size_t parse_plain(const char *text, size_t size, int32_t *out) {
    size_t i = 0;
    bool negative = size > 0 && text[0] == '-';
    int64_t value = 0;
    i += negative;
    size_t digits = i;
    for (; i < size && text[i] >= '0' && text[i] <= '9' && i < digits + 11; i++) {
        value = value * 10 + (text[i] - '0');
    }
    if (i == digits) {
        return 0;
    }
    if (i < size && text[i] == '.') {
        i++;
        while (i < size && text[i] == '0') {
            i++;
        }
    }
    value = negative ? -value : value;
    if ((i < size && is_value_char(text[i])) || value < INT32_MIN || value > INT32_MAX) {
        return 0;
    }
    *out = (int32_t)value;
    return i;
}

static ts_status parse_line(const char *line, size_t size, uint64_t number, int32_t *values, uint64_t *count,
                            ts_diags *diags) {
    size_t i = 0;
    while (i < size) {
        if (is_separator(line[i])) {
            i++;
            continue;
        }
        size_t used = parse_plain(line + i, size - i, &values[*count]);
        if (used == 0) {
            while (i + used < size && is_value_char(line[i + used])) {
                used++;
            }
            if (!parse_value(line + i, used, &values[*count])) {
                return ts_error(diags, TS_DIAG_SYNTAX, NULL, NULL,
                                "line %llu: '%.*s' is not a whole number of 32 bits",
                                (unsigned long long)number, size - i > 24 ? 24 : (int)(size - i), line + i);
            }
        }
        i += used;
        (*count)++;
        if (i < size && !is_separator(line[i])) {
            return ts_error(diags, TS_DIAG_SYNTAX, NULL, NULL, "line %llu: something follows a number",
                            (unsigned long long)number);
        }
    }
    return TS_OK;
}

ts_status ts__text_values_parse(ts_arena *arena, ts_bytes file, const int32_t **values, uint64_t *count,
                                ts_diags *diags) {
    const char *text = (const char *)file.data;
    uint64_t most = 1, number = 1;
    for (size_t i = 0; i < file.size; i++) {
        most += text[i] == '\n' || is_separator(text[i]);
    }
    int32_t *out = TS_NEW_ARRAY(arena, int32_t, most);
    *count = 0;
    for (size_t at = 0; at < file.size; number++) {
        const char *end = memchr(text + at, '\n', file.size - at);
        size_t size = end == NULL ? file.size - at : (size_t)(end - text) - at;
        while (size > 0 && (text[at] == ' ' || text[at] == '\t')) {
            at++;
            size--;
        }
        if (size > 0 && is_value_start(text[at])) {
            TS_TRY(parse_line(text + at, size, number, out, count, diags));
        }
        at += size + 1;
    }
    *values = out;
    return TS_OK;
}

ts_status ts_text_values_read(ts_arena *arena, const char *path, const int32_t **values, uint64_t *count,
                              ts_diags *diags) {
    ts_bytes file;
    const char *outer = diags->file;
    diags->file = path;
    ts_arena *scratch = ts_arena_new("values", 0);
    ts_guard_defer(ts__free_arena, scratch);
    ts_status status = ts_file_read(scratch, path, VALUES_LIMIT_BYTES, &file, diags);
    if (status == TS_OK) {
        status = ts__text_values_parse(arena, file, values, count, diags);
    }
    ts_guard_undefer(scratch);
    ts_arena_free(scratch);
    diags->file = outer;
    return status;
}

/* ---- raw bytes ---- */

static uint64_t little_endian(const uint8_t *bytes, uint32_t size) {
    uint64_t value = 0;
    for (uint32_t i = 0; i < size; i++) {
        value |= (uint64_t)bytes[i] << (8 * i);
    }
    return value;
}

static int64_t extend(uint64_t bits, uint32_t width, bool is_signed) {
    if (is_signed && width < 64 && (bits >> (width - 1) & 1) != 0) {
        bits |= ~UINT64_C(0) << width;
    }
    return (int64_t)bits;
}

/* One element a byte (or two, or four), or, below 8 bits, packed with the first in the low bits. */
ts_status ts__raw_values_parse(ts_arena *arena, ts_bytes file, const ts_tensor *tensor,
                               const int32_t **values, ts_diags *diags) {
    uint64_t count = ts_tensor_elements(tensor);
    uint32_t bits = ts_type_bits(tensor->type), size = bits < 8 ? 1 : bits / 8;
    bool is_signed = ts_type_is_signed(tensor->type), packed = file.size != count * size;
    if (packed && file.size != ts_tensor_bytes(tensor)) {
        return ts_error(diags, TS_DIAG_SHAPE, NULL, NULL,
                        "the file has %zu bytes; tensor '%s' of %llu elements (%s) has %llu", file.size,
                        tensor->name, (unsigned long long)count, ts_type_name(tensor->type),
                        (unsigned long long)(count * size));
    }
    int32_t *out = TS_NEW_ARRAY(arena, int32_t, count);
    for (uint64_t i = 0; i < count; i++) {
        if (packed) {
            uint64_t at = i * bits;
            uint32_t byte = file.data[at / 8];
            out[i] = (int32_t)extend((byte >> at % 8) & ((1u << bits) - 1), bits, is_signed);
        } else {
            out[i] = (int32_t)extend(little_endian(file.data + i * size, size), 8 * size, is_signed);
        }
    }
    *values = out;
    return TS_OK;
}

/* ---- NumPy ---- */

typedef struct npy {
    char kind; /* 'i', 'u', 'f', 'b' */
    uint32_t size;
    bool big_endian, fortran;
    uint32_t rank;
    uint64_t dims[8];
    const uint8_t *data;
    size_t data_size;
} npy;

static ts_status npy_error(ts_diags *diags, const char *what) {
    return ts_error(diags, TS_DIAG_SYNTAX, NULL, NULL, "not a NumPy array that is served: %s", what);
}

/* The text behind 'key': in the header's dictionary; the header ends with a NUL. */
static const char *npy_key(const char *header, const char *key) {
    for (const char *at = header; (at = strstr(at, key)) != NULL; at++) {
        const char *behind = at + strlen(key);
        if (at > header && (at[-1] == '\'' || at[-1] == '"') && (*behind == '\'' || *behind == '"')) {
            behind++;
            behind += strspn(behind, " ");
            if (*behind == ':') {
                return behind + 1 + strspn(behind + 1, " ");
            }
        }
    }
    return NULL;
}

static ts_status npy_shape(const char *text, npy *out, ts_diags *diags) {
    if (*text++ != '(') {
        return npy_error(diags, "it has no shape");
    }
    uint64_t elements = 1;
    for (out->rank = 0;;) {
        text += strspn(text, " ,");
        if (*text == ')') {
            return TS_OK;
        }
        uint64_t value = 0;
        const char *start = text;
        for (; *text >= '0' && *text <= '9' && value < TS_MAX_ELEMENTS; text++) {
            value = value * 10 + (uint64_t)(*text - '0');
        }
        if (text == start || out->rank == 8 || value > TS_MAX_ELEMENTS) {
            return npy_error(diags, "its shape is damaged or too large");
        }
        out->dims[out->rank++] = value;
        elements *= value;
        if (elements > TS_MAX_ELEMENTS) {
            return npy_error(diags, "it has too many elements");
        }
    }
}

static ts_status npy_header(const char *header, npy *out, ts_diags *diags) {
    const char *descr = npy_key(header, "descr"), *order = npy_key(header, "fortran_order"),
               *shape = npy_key(header, "shape");
    if (descr == NULL || order == NULL || shape == NULL || (*descr != '\'' && *descr != '"') ||
        descr[1] == '\0' || descr[2] == '\0' || descr[3] < '1' || descr[3] > '8') {
        return npy_error(diags, "its header lacks type, order or shape");
    }
    out->kind = descr[2];
    out->size = (uint32_t)(descr[3] - '0');
    out->big_endian = descr[1] == '>';
    out->fortran = strncmp(order, "True", 4) == 0;
    uint32_t s = out->size;
    bool integer = (out->kind == 'i' || out->kind == 'u') && (s == 1 || s == 2 || s == 4 || s == 8);
    bool real = out->kind == 'f' && (s == 4 || s == 8);
    if (strchr("<>|=", descr[1]) == NULL || descr[4] != *descr ||
        !(integer || real || (out->kind == 'b' && s == 1))) {
        return npy_error(diags, "its elements are not integers of 1 to 8 bytes, bool, float or double");
    }
    return npy_shape(shape, out, diags);
}

static ts_status npy_parse(ts_arena *arena, ts_bytes file, npy *out, ts_diags *diags) {
    if (file.size < 12 || memcmp(file.data, "\x93NUMPY", 6) != 0 || file.data[6] < 1 || file.data[6] > 3) {
        return npy_error(diags, "it does not begin as one of version 1 to 3");
    }
    uint32_t field = file.data[6] == 1 ? 2 : 4;
    uint64_t size = little_endian(file.data + 8, field), begin = 8 + field;
    if (size > file.size - begin || size > 65536) {
        return npy_error(diags, "its header is longer than the file");
    }
    TS_TRY(npy_header(ts_arena_copy(arena, file.data + begin, size), out, diags));
    out->data = file.data + begin + size;
    out->data_size = file.size - begin - size;
    uint64_t elements = 1;
    for (uint32_t i = 0; i < out->rank; i++) {
        elements *= out->dims[i];
    }
    return elements * out->size == out->data_size
               ? TS_OK
               : npy_error(diags, "its data are shorter or longer than its shape says");
}

static bool npy_element(const npy *a, uint64_t i, int32_t *out) {
    uint8_t bytes[8] = {0};
    for (uint32_t k = 0; k < a->size; k++) {
        bytes[k] = a->data[i * a->size + (a->big_endian ? a->size - 1 - k : k)];
    }
    uint64_t bits = little_endian(bytes, a->size);
    if (a->kind == 'f') {
        double value;
        if (a->size == 4) {
            float narrow;
            memcpy(&narrow, bytes, sizeof narrow);
            value = (double)narrow;
        } else {
            memcpy(&value, &bits, sizeof value);
        }
        bool fits = value >= INT32_MIN && value <= INT32_MAX && value == floor(value);
        *out = fits ? (int32_t)value : 0;
        return fits;
    }
    int64_t value = extend(bits, 8 * a->size, a->kind == 'i');
    *out = (int32_t)value;
    return value >= INT32_MIN && value <= INT32_MAX && !(a->kind == 'u' && a->size == 8 && value < 0);
}

/* Whether the dimensions other than 1 are these. */
static bool same_dims(const npy *a, const uint32_t *dims, uint32_t count) {
    uint32_t at = 0;
    for (uint32_t i = 0; i < a->rank; i++) {
        if (a->dims[i] == 1) {
            continue;
        }
        while (at < count && dims[at] == 1) {
            at++;
        }
        if (at == count || dims[at++] != a->dims[i]) {
            return false;
        }
    }
    while (at < count && dims[at] == 1) {
        at++;
    }
    return at == count;
}

/* Place in the file of the element that is i-th in row-major order of the array's own dimensions. */
static uint64_t npy_place(const npy *a, uint64_t i) {
    if (!a->fortran) {
        return i;
    }
    uint64_t place = 0, index[8];
    for (uint32_t d = a->rank; d-- > 0;) {
        index[d] = i % a->dims[d];
        i /= a->dims[d];
    }
    for (uint32_t d = a->rank; d-- > 0;) {
        place = place * a->dims[d] + index[d];
    }
    return place;
}

ts_status ts__npy_values_parse(ts_arena *arena, ts_bytes file, const ts_tensor *tensor,
                               const int32_t **values, ts_diags *diags) {
    npy a = {0};
    TS_TRY(npy_parse(arena, file, &a, diags));
    uint64_t count = ts_tensor_elements(tensor);
    uint32_t h = ts_h(tensor), w = ts_w(tensor), c = ts_c(tensor), flat = (uint32_t)count;
    uint32_t hwc[3] = {h, w, c}, chw[3] = {c, h, w};
    bool straight = same_dims(&a, hwc, 3) || same_dims(&a, &flat, 1);
    if (!straight && !same_dims(&a, chw, 3)) {
        return ts_error(diags, TS_DIAG_SHAPE, NULL, NULL,
                        "the array's shape is neither %u x %u x %u (H, W, C), as tensor '%s' wants, nor flat",
                        h, w, c, tensor->name);
    }
    int32_t *out = TS_NEW_ARRAY(arena, int32_t, count);
    for (uint64_t i = 0; i < count; i++) {
        uint64_t from = straight ? i : (i % c * h + i / c / w) * w + i / c % w;
        if (!npy_element(&a, npy_place(&a, from), &out[i])) {
            return ts_error(diags, TS_DIAG_VALUE, NULL, NULL, "element %llu is not a whole number of 32 bits",
                            (unsigned long long)from);
        }
    }
    if (!straight) {
        ts_note(diags, TS_DIAG_SHAPE, NULL, NULL,
                "the array is in C, H, W order and was turned into H, W, C");
    }
    *values = out;
    return TS_OK;
}

/* ---- for a tensor ---- */

static bool has_suffix(const char *name, const char *suffix) {
    size_t n = strlen(name), s = strlen(suffix);
    return n > s && strcasecmp(name + n - s, suffix) == 0;
}

static ts_status check_values(const ts_tensor *tensor, const int32_t *values, ts_diags *diags) {
    uint64_t count = ts_tensor_elements(tensor);
    for (uint64_t i = 0; i < count; i++) {
        if (values[i] < ts_type_low(tensor->type) || values[i] > ts_type_high(tensor->type)) {
            return ts_error(diags, TS_DIAG_VALUE, NULL, NULL,
                            "value %d of element %llu does not fit tensor '%s' of type %s", values[i],
                            (unsigned long long)i, tensor->name, ts_type_name(tensor->type));
        }
    }
    return TS_OK;
}

static ts_status read_values(ts_arena *arena, ts_arena *scratch, const char *path, const ts_tensor *tensor,
                             const int32_t **values, ts_diags *diags) {
    ts_bytes file;
    TS_TRY(ts_file_read(scratch, path, VALUES_LIMIT_BYTES, &file, diags));
    if (has_suffix(path, ".npy")) {
        TS_TRY(ts__npy_values_parse(arena, file, tensor, values, diags));
    } else if (has_suffix(path, ".txt")) {
        uint64_t count;
        TS_TRY(ts__text_values_parse(arena, file, values, &count, diags));
        if (count != ts_tensor_elements(tensor)) {
            return ts_error(diags, TS_DIAG_SHAPE, NULL, NULL,
                            "the file has %llu values; tensor '%s' has %llu", (unsigned long long)count,
                            tensor->name, (unsigned long long)ts_tensor_elements(tensor));
        }
    } else {
        TS_TRY(ts__raw_values_parse(arena, file, tensor, values, diags));
    }
    return check_values(tensor, *values, diags);
}

ts_status ts_npy_tensor_values(ts_arena *arena, ts_bytes file, const ts_tensor *tensor,
                               const int32_t **values, ts_diags *diags) {
    TS_TRY(ts__npy_values_parse(arena, file, tensor, values, diags));
    return check_values(tensor, *values, diags);
}

void ts__free_arena(void *arena) { ts_arena_free(arena); }

ts_status ts_tensor_values_read(ts_arena *arena, const char *path, const ts_tensor *tensor,
                                const int32_t **values, ts_diags *diags) {
    const char *outer = diags->file;
    diags->file = path;
    ts_arena *scratch = ts_arena_new("values", 0);
    ts_guard_defer(ts__free_arena, scratch);
    ts_status status = read_values(arena, scratch, path, tensor, values, diags);
    ts_guard_undefer(scratch);
    ts_arena_free(scratch);
    diags->file = outer;
    return status;
}
