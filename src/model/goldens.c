#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "model/model.h"

enum { MAX_SAMPLES = 4096, MAX_LAYERS = 4096 };

/* What a file name says: kind 'i' (input) or 'o' (layer output), sample (-1: the only one), layer. */
typedef struct golden_name {
    char kind;
    int32_t sample, layer;
} golden_name;

/* Reads a decimal number below `limit` at *text and moves behind it. */
static bool number(const char **text, int32_t limit, int32_t *out) {
    int32_t value = 0;
    const char *t = *text;
    for (; *t >= '0' && *t <= '9'; t++) {
        value = value * 10 + (*t - '0');
        if (value >= limit) {
            return false;
        }
    }
    bool any = t != *text;
    *text = t;
    *out = value;
    return any;
}

static bool skip(const char **text, const char *prefix) {
    size_t n = strlen(prefix);
    bool found = strncmp(*text, prefix, n) == 0;
    *text += found ? n : 0;
    return found;
}

/* input.txt, input_<k>.txt, out_layer<i>.txt, out_<k>_layer<i>.txt */
static bool parse_name(const char *name, golden_name *out) {
    *out = (golden_name){.sample = -1};
    if (skip(&name, "input")) {
        out->kind = 'i';
        bool fits = !skip(&name, "_") || number(&name, MAX_SAMPLES, &out->sample);
        return fits && strcmp(name, ".txt") == 0;
    }
    if (!skip(&name, "out_")) {
        return false;
    }
    out->kind = 'o';
    if (!skip(&name, "layer")) {
        if (!number(&name, MAX_SAMPLES, &out->sample) || !skip(&name, "_layer")) {
            return false;
        }
    }
    return number(&name, MAX_LAYERS, &out->layer) && strcmp(name, ".txt") == 0;
}

typedef struct found {
    golden_name name;
    const char *path;
} found;

typedef TS_VEC(found) found_files;

static void close_folder(void *dir) { closedir(dir); }

static ts_status list(ts_arena *arena, const char *folder, found_files *out, ts_diags *diags) {
    DIR *dir = opendir(folder);
    if (dir == NULL) {
        return ts_error(diags, TS_DIAG_USAGE, NULL, NULL, "cannot open the folder of goldens '%s'", folder);
    }
    ts_guard_defer(close_folder, dir);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL && out->count < MAX_SAMPLES * 16;) {
        found f;
        if (parse_name(entry->d_name, &f.name)) {
            f.path = ts_path_join(arena, folder, entry->d_name);
            TS_PUSH(arena, out, f);
        }
    }
    ts_guard_undefer(dir);
    closedir(dir);
    return TS_OK;
}

/* Numbered samples win over the files without a number, which then hold all of them together. */
static bool is_used(const found *f, bool numbered) { return (f->name.sample >= 0) == numbered; }

static void size_samples(ts_arena *arena, const found_files *files, bool numbered, ts_goldens *out) {
    for (uint32_t i = 0; i < files->count; i++) {
        const golden_name *name = &files->data[i].name;
        uint32_t sample = name->sample < 0 ? 0 : (uint32_t)name->sample;
        if (is_used(&files->data[i], numbered) && sample >= out->sample_count) {
            out->sample_count = sample + 1;
        }
    }
    out->samples = TS_NEW_ARRAY(arena, ts_golden_sample, out->sample_count);
    for (uint32_t i = 0; i < files->count; i++) {
        const golden_name *name = &files->data[i].name;
        ts_golden_sample *sample = &out->samples[name->sample < 0 ? 0 : name->sample];
        if (is_used(&files->data[i], numbered) && name->kind == 'o' &&
            (uint32_t)name->layer >= sample->layer_count) {
            sample->layer_count = (uint32_t)name->layer + 1;
        }
    }
    for (uint32_t i = 0; i < out->sample_count; i++) {
        ts_golden_sample *sample = &out->samples[i];
        sample->layers = TS_NEW_ARRAY(arena, const int32_t *, sample->layer_count);
        sample->layer_counts = TS_NEW_ARRAY(arena, uint64_t, sample->layer_count);
    }
}

ts_status ts_goldens_read(ts_arena *arena, const char *folder, ts_goldens *out, ts_diags *diags) {
    found_files files = {0};
    bool numbered = false;
    *out = (ts_goldens){0};
    TS_TRY(list(arena, folder, &files, diags));
    for (uint32_t i = 0; i < files.count; i++) {
        numbered = numbered || files.data[i].name.sample >= 0;
    }
    if (files.count == 0) {
        return ts_error(diags, TS_DIAG_USAGE, NULL, NULL,
                        "the folder '%s' has no goldens (input.txt, out_layer0.txt, ...)", folder);
    }
    size_samples(arena, &files, numbered, out);
    for (uint32_t i = 0; i < files.count; i++) {
        const found *f = &files.data[i];
        if (!is_used(f, numbered)) {
            continue;
        }
        ts_golden_sample *sample = &out->samples[f->name.sample < 0 ? 0 : f->name.sample];
        bool input = f->name.kind == 'i';
        const int32_t **values = input ? &sample->input : &sample->layers[f->name.layer];
        uint64_t *count = input ? &sample->input_count : &sample->layer_counts[f->name.layer];
        TS_TRY(ts_text_values_read(arena, f->path, values, count, diags));
    }
    return TS_OK;
}

/* Index in C, H, W order of an element at (y, x, c). */
static uint64_t chw_index(uint32_t y, uint32_t x, uint32_t c, uint32_t h, uint32_t w) {
    return ((uint64_t)c * h + y) * w + x;
}

static ts_golden_match compare_in(const int32_t *golden, const int32_t *values, uint32_t h, uint32_t w,
                                  uint32_t c, ts_golden_order order) {
    ts_golden_match match = {.equal = true, .order = order, .first = -1};
    uint64_t i = 0;
    for (uint32_t y = 0; y < h; y++) {
        for (uint32_t x = 0; x < w; x++) {
            for (uint32_t k = 0; k < c; k++, i++) {
                int32_t expected = golden[order == TS_ORDER_HWC ? i : chw_index(y, x, k, h, w)];
                if (expected == values[i]) {
                    continue;
                }
                if (match.equal) {
                    match.equal = false;
                    match.first = (int64_t)i;
                    match.expected = expected;
                    match.actual = values[i];
                }
                match.differing++;
            }
        }
    }
    return match;
}

ts_golden_match ts_golden_compare(const int32_t *golden, const int32_t *values, uint32_t h, uint32_t w,
                                  uint32_t c) {
    ts_golden_match hwc = compare_in(golden, values, h, w, c, TS_ORDER_HWC);
    if (hwc.equal) {
        return hwc;
    }
    ts_golden_match chw = compare_in(golden, values, h, w, c, TS_ORDER_CHW);
    return chw.differing < hwc.differing ? chw : hwc;
}
