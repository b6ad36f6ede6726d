#include "quant/data.h"

#include <jansson.h>
#include <math.h>
#include <string.h>

#include "base/random.h"
#include "quant/data_internal.h"

enum { MAX_CHANNELS = 4096 };

typedef struct description {
    ts_arena *arena;
    const char *path;
    const char *root;
    json_t *json;
    ts__sound *sound; /* NULL: its samples are inputs as they are */
    ts_diags *diags;
} description;

static ts_status bad_key(const description *d, const char *key, const char *wanted) {
    return ts_error(d->diags, TS_DIAG_VALUE, NULL, NULL, "%s: \"%s\" is missing or wrong; it takes %s",
                    d->path, key, wanted);
}

/* Whole numbers 1..2^20 of an array; `count` must be met. */
static bool sizes_of(const json_t *array, uint32_t *out, size_t count) {
    if (!json_is_array(array) || json_array_size(array) != count) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        json_int_t v = json_integer_value(json_array_get(array, i));
        if (v < 1 || v > 1 << 20) {
            return false;
        }
        out[i] = (uint32_t)v;
    }
    return true;
}

/* A number, or one number a channel. */
static bool reals_of(ts_arena *arena, const json_t *value, double absent, uint32_t channels,
                     const double **out, uint32_t *count) {
    uint32_t n = json_is_array(value) ? (uint32_t)json_array_size(value) : 1;
    if (n != 1 && n != channels) {
        return false;
    }
    double *reals = TS_NEW_ARRAY(arena, double, channels);
    for (uint32_t i = 0; i < channels; i++) {
        const json_t *item = json_is_array(value) ? json_array_get(value, n == 1 ? 0 : i) : value;
        if (item != NULL && !json_is_number(item)) {
            return false;
        }
        reals[i] = item == NULL ? absent : json_number_value(item);
    }
    *out = reals;
    *count = channels;
    return true;
}

static ts_status read_preprocess(const description *d, ts_data *data) {
    ts_preprocess *p = &data->preprocess;
    uint32_t size[2];
    const json_t *resize = json_object_get(d->json, "resize"), *crop = json_object_get(d->json, "crop");
    if (resize != NULL) {
        if (!sizes_of(resize, size, 2) || size[0] > 4096 || size[1] > 4096) {
            return bad_key(d, "resize", "[height, width]");
        }
        p->resize_h = size[0];
        p->resize_w = size[1];
    }
    if (crop != NULL) {
        if (!sizes_of(crop, size, 2) || size[0] > data->h || size[1] > data->w) {
            return bad_key(d, "crop", "[height, width], no larger than the sample");
        }
        p->crop_h = size[0];
        p->crop_w = size[1];
    }
    if (!reals_of(d->arena, json_object_get(d->json, "mean"), 0.0, data->c, &p->mean, &p->count) ||
        !reals_of(d->arena, json_object_get(d->json, "scale"), 1.0, data->c, &p->scale, &p->count)) {
        return bad_key(d, "mean\" or \"scale", "a number, or one number a channel");
    }
    return TS_OK;
}

static const struct {
    const char *name;
    ts_data_type type;
    uint32_t bytes;
} types[] = {{"u8", TS_DATA_U8, 1}, {"s8", TS_DATA_S8, 1}, {"s16", TS_DATA_S16, 2}, {"f32", TS_DATA_F32, 4}};

/* {c, h, w} to {h, w, c}, sample by sample. */
static const void *channels_last(ts_arena *arena, const ts_data *d, const uint8_t *from, size_t bytes) {
    uint8_t *to = ts_arena_array(arena, (size_t)d->count * d->h * d->w * d->c, bytes);
    size_t plane = (size_t)d->h * d->w, sample = plane * d->c;
    for (uint32_t n = 0; n < d->count; n++) {
        for (size_t i = 0; i < sample; i++) {
            memcpy(to + (n * sample + i % plane * d->c + i / plane) * bytes, from + (n * sample + i) * bytes,
                   bytes);
        }
    }
    return to;
}

static ts_status read_layout(const description *d, bool *chw) {
    const char *layout = json_string_value(json_object_get(d->json, "layout"));
    *chw = layout != NULL && strcmp(layout, "chw") == 0;
    return layout == NULL || *chw || strcmp(layout, "hwc") == 0 ? TS_OK
                                                                : bad_key(d, "layout", "\"hwc\" or \"chw\"");
}

static ts_status read_raw(const description *d, const char *path, ts_bytes file, bool chw, ts_data *data) {
    uint32_t shape[3];
    const char *type = json_string_value(json_object_get(d->json, "type"));
    if (!sizes_of(json_object_get(d->json, "shape"), shape, 3) || shape[2] > MAX_CHANNELS) {
        return bad_key(d, "shape", "[height, width, channels] of a sample in a raw file");
    }
    size_t bytes = 0;
    for (size_t i = 0; type != NULL && i < sizeof types / sizeof types[0]; i++) {
        if (strcmp(type, types[i].name) == 0) {
            data->type = types[i].type;
            bytes = types[i].bytes;
        }
    }
    if (bytes == 0) {
        return bad_key(d, "type", "\"u8\", \"s8\", \"s16\" or \"f32\"");
    }
    data->h = shape[0];
    data->w = shape[1];
    data->c = shape[2];
    uint64_t sample = (uint64_t)shape[0] * shape[1] * shape[2] * bytes;
    if (file.size == 0 || file.size % sample != 0) {
        return ts_error(d->diags, TS_DIAG_SHAPE, NULL, NULL,
                        "%s: %zu bytes are no whole number of samples of %llu", path, file.size,
                        (unsigned long long)sample);
    }
    data->count = (uint32_t)(file.size / sample);
    data->samples = chw ? channels_last(d->arena, data, file.data, bytes) : file.data;
    return TS_OK;
}

/* CIFAR-10's binary batches: a label byte and 3 x 32 x 32 bytes a sample. */
static ts_status read_cifar10(const description *d, const char *path, ts_bytes file, ts_data *data) {
    enum { PIXELS = 3072 };
    if (file.size == 0 || file.size % (PIXELS + 1) != 0) {
        return ts_error(d->diags, TS_DIAG_SHAPE, NULL, NULL, "%s: not a whole number of 3073-byte samples",
                        path);
    }
    *data = (ts_data){
        .count = (uint32_t)(file.size / (PIXELS + 1)), .h = 32, .w = 32, .c = 3, .type = TS_DATA_U8};
    int32_t *labels = TS_NEW_ARRAY(d->arena, int32_t, data->count);
    uint8_t *planes = ts_arena_array(d->arena, data->count, PIXELS);
    for (uint32_t i = 0; i < data->count; i++) {
        labels[i] = file.data[(size_t)i * (PIXELS + 1)];
        memcpy(planes + (size_t)i * PIXELS, file.data + (size_t)i * (PIXELS + 1) + 1, PIXELS);
    }
    data->samples = channels_last(d->arena, data, planes, 1);
    data->labels = labels;
    return TS_OK;
}

static bool has_suffix(const char *text, const char *suffix) {
    size_t n = strlen(text), k = strlen(suffix);
    return n >= k && strcmp(text + n - k, suffix) == 0;
}

static bool is_tar(const char *path) {
    return has_suffix(path, ".tar") || has_suffix(path, ".tar.xz") || has_suffix(path, ".tar.gz") ||
           has_suffix(path, ".tgz");
}

static size_t element_bytes(const ts_data *data) {
    size_t bytes = 0;
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        bytes = types[i].type == data->type ? types[i].bytes : bytes;
    }
    return bytes;
}

static ts_status read_samples(const description *d, const char *path, const char *labels_csv, ts_data *data) {
    const json_t *json = d->json;
    const char *format = json_string_value(json_object_get(json, "format"));
    const char *colour = json_string_value(json_object_get(json, "colour"));
    if (ts_dir_exists(path) || is_tar(path)) {
        return ts__data_pictures(d->arena, path, labels_csv,
                                 colour != NULL && strcmp(colour, "grey") == 0 ? 1 : 3, data, d->diags);
    }
    ts_bytes file;
    TS_TRY(ts__data_bytes(d->arena, path, "x", &file, d->diags));
    if (format != NULL && strcmp(format, "cifar10") == 0) {
        return read_cifar10(d, path, file, data);
    }
    if (format != NULL) {
        return bad_key(d, "format", "\"cifar10\"; other formats are known by their first bytes");
    }
    bool known, chw;
    TS_TRY(read_layout(d, &chw));
    TS_TRY(ts__data_array(d->arena, path, file, chw, data, &known, d->diags));
    if (known) {
        data->samples =
            chw ? channels_last(d->arena, data, data->samples, element_bytes(data)) : data->samples;
        return TS_OK;
    }
    if (json == NULL) {
        return ts_error(
            d->diags, TS_DIAG_UNSUPPORTED, NULL, NULL,
            "%s: raw bytes say nothing of their shape; describe them in a .json file (docs/data.md)", path);
    }
    return read_raw(d, path, file, chw, data);
}

static const char *resolve(const description *d, const char *name) {
    return name[0] == '/' ? name : ts_path_join(d->arena, d->root, name);
}

static ts_status read_labels(const description *d, const char *path, const char *column, ts_data *data) {
    uint32_t count;
    TS_TRY(ts__data_labels(d->arena, path, column, &data->labels, &count, d->diags));
    return count == data->count ? TS_OK
                                : ts_error(d->diags, TS_DIAG_SHAPE, NULL, NULL,
                                           "%s: %u labels for %u samples", path, count, data->count);
}

static ts_status read_described(description *d, ts_data *data) {
    const char *x = json_string_value(json_object_get(d->json, "x"));
    const char *y = json_string_value(json_object_get(d->json, "y"));
    const char *column = json_string_value(json_object_get(d->json, "label"));
    if (x == NULL) {
        return bad_key(d, "x", "the path of the samples");
    }
    const char *path = resolve(d, x), *labels = y == NULL ? NULL : resolve(d, y);
    json_t *sound = json_object_get(d->json, "sound");
    bool files = ts_dir_exists(path) || is_tar(path);
    if (sound != NULL) {
        TS_TRY(ts__sound_describe(d->arena, d->path, sound, &d->sound, d->diags));
    }
    if (files && sound != NULL) {
        TS_TRY(ts__sound_files(d->sound, d->arena, path, labels, data, d->diags));
    } else {
        TS_TRY(read_samples(d, path, files ? labels : NULL, data));
    }
    if (!files && sound != NULL) {
        TS_TRY(ts__sound_array(d->sound, path, data, d->diags));
    }
    if (!files && labels != NULL) {
        TS_TRY(read_labels(d, labels, column == NULL ? "label" : column, data));
    }
    return read_preprocess(d, data);
}

/* A file that says it all; an archive's labels are its array 'y', where it has one. */
static ts_status read_alone(const description *d, const char *path, ts_data *data) {
    TS_TRY(read_samples(d, path, NULL, data));
    if (has_suffix(path, ".npz")) {
        ts_bytes file;
        TS_TRY(ts_file_read(d->arena, path, TS__DATA_LIMIT_BYTES, &file, d->diags));
        if (ts__npz_holds(d->arena, file, "y")) {
            TS_TRY(read_labels(d, path, "label", data));
        }
    }
    return read_preprocess(d, data);
}

/* "fold": [n, k], every n-th sample from number k on, or with "rest" all but these: a file that has no parts
 * becomes one to train on and one to judge by. */
static ts_status read_fold(const description *d, ts_data *data, uint32_t *order) {
    const json_t *fold = d->json == NULL ? NULL : json_object_get(d->json, "fold");
    bool rest = d->json != NULL && json_is_true(json_object_get(d->json, "rest"));
    json_int_t n = json_integer_value(json_array_get(fold, 0)),
               first = json_integer_value(json_array_get(fold, 1));
    uint32_t count = 0;
    if (fold == NULL) {
        return TS_OK;
    }
    if (json_array_size(fold) != 2 || n < 2 || n > data->count || first < 0 || first >= n) {
        return ts_error(
            d->diags, TS_DIAG_VALUE, NULL, NULL,
            "%s: 'fold' is [n, k]: every n-th sample, from 2 to all, and the first of them below n", d->path);
    }
    for (uint32_t i = 0; i < data->count; i++) {
        if ((i % n == first) != rest) {
            order[count++] = i;
        }
    }
    data->count = count;
    return TS_OK;
}

/* A seeded choice without repetition (Fisher-Yates), or all in their order. */
static void choose(const ts_data_options *options, ts_data *data, uint32_t *order) {
    if (options->limit == 0 || options->limit >= data->count) {
        return;
    }
    ts_random random = ts_random_seed(options->seed);
    for (uint32_t i = 0; i < options->limit; i++) {
        uint32_t k = (uint32_t)ts_random_range(&random, i, (int64_t)data->count - 1), kept = order[i];
        order[i] = order[k];
        order[k] = kept;
    }
    data->count = options->limit;
}

static ts_status take_order(const description *d, const ts_data_options *options, ts_data *data) {
    uint32_t *order = TS_NEW_ARRAY(d->arena, uint32_t, data->count);
    for (uint32_t i = 0; i < data->count; i++) {
        order[i] = i;
    }
    data->order = order;
    TS_TRY(read_fold(d, data, order));
    choose(options, data, order);
    return TS_OK;
}

static ts_status read_json(description *d, const char *path) {
    ts_bytes file;
    json_error_t error;
    TS_TRY(ts_file_read(d->arena, path, 1 << 20, &file, d->diags));
    d->json = json_loadb((const char *)file.data, file.size, JSON_REJECT_DUPLICATES, &error);
    if (!json_is_object(d->json)) {
        json_decref(d->json);
        d->json = NULL;
        return ts_error(d->diags, TS_DIAG_SYNTAX, NULL, NULL, "%s: line %d: %s", path, error.line,
                        error.text[0] != '\0' ? error.text : "not an object");
    }
    return TS_OK;
}

static void release_json(void *json) { json_decref(json); }

static ts_status read_set(description *d, const ts_data_options *options, ts_data *out) {
    if (!has_suffix(d->path, ".json")) {
        TS_TRY(read_alone(d, d->path, out));
        return take_order(d, options, out);
    }
    TS_TRY(read_json(d, d->path));
    ts_guard_defer(release_json, d->json);
    ts_status status = read_described(d, out);
    status = status == TS_OK ? take_order(d, options, out) : status;
    if (status == TS_OK && d->sound != NULL) {
        status = ts__sound_make(d->arena, d->sound, out, d->diags);
    }
    ts_guard_undefer(d->json);
    json_decref(d->json);
    return status;
}

ts_status ts_data_read(ts_arena *arena, const char *path, const ts_data_options *options, ts_data *out,
                       ts_diags *diags) {
    description d = {.arena = arena, .path = path, .diags = diags};
    const char *file = diags->file; /* the network's, while every message of ours names a file of the set */
    *out = (ts_data){0};
    d.root = options->root != NULL ? options->root : ts_path_dir(arena, path);
    diags->file = NULL;
    ts_status status = read_set(&d, options, out);
    diags->file = file;
    return status;
}

void ts_data_shape(const ts_data *data, uint32_t *h, uint32_t *w, uint32_t *c) {
    const ts_preprocess *p = &data->preprocess;
    *h = p->resize_h != 0 ? p->resize_h : p->crop_h != 0 ? p->crop_h : data->h;
    *w = p->resize_w != 0 ? p->resize_w : p->crop_w != 0 ? p->crop_w : data->w;
    *c = data->c;
}

/* Whether a tensor with its channels last is this map; a signal, {1, length, channels}, has one row. */
static bool is_map(const ts_ftensor *t, uint32_t h, uint32_t w, uint32_t c) {
    const uint32_t *last = t->dims + t->rank - 2;
    return last[0] == w && last[1] == c && (t->rank == 3 ? 1 : t->dims[t->rank - 3]) == h;
}

ts_status ts_data_check(const ts_data *data, const ts_ftensor *input, ts_diags *diags) {
    uint32_t h, w, c;
    ts_data_shape(data, &h, &w, &c);
    uint64_t elements = (uint64_t)h * w * c;
    bool fits = elements == ts_ftensor_elements(input),
         vector = h == 1 && w == 1; /* in the order of the input */
    if (fits && !vector && input->rank >= 3 && input->layout == TS_LAYOUT_CHANNELS_LAST) {
        fits = is_map(input, h, w, c) || (c == 1 && is_map(input, 1, h, w));
    }
    return fits ? TS_OK
                : ts_error(diags, TS_DIAG_SHAPE, NULL, NULL,
                           "a sample is %u x %u x %u (height, width, channels) but the network's input '%s' "
                           "has %llu "
                           "elements of another shape; 'resize', 'crop' or \"layout\": \"chw\" in a .json "
                           "may help (docs/data.md)",
                           h, w, c, input->name, (unsigned long long)ts_ftensor_elements(input));
}

size_t ts_data_scratch(const ts_data *data) {
    uint32_t h, w, c;
    ts_data_shape(data, &h, &w, &c);
    return ((size_t)data->h * data->w + (size_t)h * w) * c;
}

float ts__data_stored(const ts_data *d, size_t i) {
    switch (d->type) {
        case TS_DATA_U8:
            return (float)((const uint8_t *)d->samples)[i];
        case TS_DATA_S8:
            return (float)((const int8_t *)d->samples)[i];
        case TS_DATA_S16: {
            int16_t v;
            memcpy(&v, (const uint8_t *)d->samples + 2 * i, sizeof v);
            return (float)v;
        }
        case TS_DATA_F32:
            break;
    }
    float v;
    memcpy(&v, (const uint8_t *)d->samples + 4 * i, sizeof v);
    return v;
}

/* Where output row or column `o` lies between two of `size` input ones: half-pixel centres, edges held. */
static void between(uint32_t o, uint32_t out, uint32_t size, uint32_t *first, uint32_t *second, float *part) {
    double at = ((double)o + 0.5) * (double)size / (double)out - 0.5;
    at = at < 0 ? 0 : at > (double)(size - 1) ? (double)(size - 1) : at;
    *first = (uint32_t)at;
    *second = *first + 1 < size ? *first + 1 : *first;
    *part = (float)(at - (double)*first);
}

static void resize(const float *x, uint32_t h, uint32_t w, uint32_t c, float *y, uint32_t out_h,
                   uint32_t out_w) {
    for (uint32_t oy = 0; oy < out_h; oy++) {
        uint32_t y0, y1;
        float fy;
        between(oy, out_h, h, &y0, &y1, &fy);
        for (uint32_t ox = 0; ox < out_w; ox++) {
            uint32_t x0, x1;
            float fx;
            between(ox, out_w, w, &x0, &x1, &fx);
            for (uint32_t k = 0; k < c; k++, y++) {
                float a = x[((size_t)y0 * w + x0) * c + k], b = x[((size_t)y0 * w + x1) * c + k];
                float e = x[((size_t)y1 * w + x0) * c + k], f = x[((size_t)y1 * w + x1) * c + k];
                float top = a + (b - a) * fx, bottom = e + (f - e) * fx;
                *y = top + (bottom - top) * fy;
            }
        }
    }
}

/* Whether the tensor wants C, H, W order: a file's {1, C, H, W} that is not also {1, H, W, C}. */
static bool wants_planes(const ts_ftensor *input, uint32_t h, uint32_t w, uint32_t c) {
    if (input->rank < 3 || input->layout == TS_LAYOUT_CHANNELS_LAST) {
        return false;
    }
    const uint32_t *dims = input->dims + input->rank - 3;
    return !(dims[0] == h && dims[1] == w && dims[2] == c) && input->dims[1] == c;
}

void ts_data_sample(const ts_data *data, uint32_t i, const ts_ftensor *input, float *scratch, float *out) {
    const ts_preprocess *p = &data->preprocess;
    uint32_t h = p->crop_h != 0 ? p->crop_h : data->h, w = p->crop_w != 0 ? p->crop_w : data->w, c = data->c;
    uint32_t top = (data->h - h) / 2, left = (data->w - w) / 2, out_h, out_w;
    size_t first = (size_t)data->order[i] * data->h * data->w * c;
    ts_data_shape(data, &out_h, &out_w, &c);
    bool resized = out_h != h || out_w != w;
    float *cropped = resized ? scratch + (size_t)out_h * out_w * c : scratch;
    for (size_t k = 0; k < (size_t)h * w * c; k++) {
        size_t y = k / ((size_t)w * c) + top, x = k / c % w + left;
        cropped[k] = ts__data_stored(data, first + (y * data->w + x) * c + k % c);
    }
    if (resized) {
        resize(cropped, h, w, c, scratch, out_h, out_w);
    }
    size_t plane = (size_t)out_h * out_w;
    bool planes = wants_planes(input, out_h, out_w, c);
    for (size_t k = 0; k < plane * c; k++) {
        float v = (float)(((double)scratch[k] - p->mean[k % c]) * p->scale[k % c]);
        out[planes ? k % c * plane + k / c : k] = v;
    }
}

int32_t ts_data_label(const ts_data *data, uint32_t i) { return data->labels[data->order[i]]; }
