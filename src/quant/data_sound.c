/* Sound: recordings as WAV files or as arrays of samples, made into network inputs. */
#include <math.h>
#include <string.h>

#include "quant/data_internal.h"

static bool whole(const json_t *json, const char *key, uint32_t absent, uint32_t *out) {
    const json_t *value = json_object_get(json, key);
    json_int_t v = json_integer_value(value);
    *out = value == NULL ? absent : (uint32_t)v;
    return value == NULL || (json_is_integer(value) && v >= 0 && v <= INT32_MAX);
}

static bool real(const json_t *json, const char *key, double absent, double *out) {
    const json_t *value = json_object_get(json, key);
    *out = value == NULL ? absent : json_number_value(value);
    return value == NULL || json_is_number(value);
}

/* One of two words; the first where there is none. */
static bool choice(const json_t *json, const char *key, const char *first, const char *second, bool *out) {
    const json_t *value = json_object_get(json, key);
    const char *word = json_string_value(value);
    *out = word != NULL && strcmp(word, second) == 0;
    return value == NULL || *out || (word != NULL && strcmp(word, first) == 0);
}

static const char *const keys[] = {"rate",   "samples", "divide",    "preemphasis", "window", "hop",
                                   "fft",    "shape",   "spectrum",  "bands",       "low",    "high",
                                   "offset", "floor",   "logarithm", "coefficients"};

/* A key that is not one of ours: a word written wrong would change the features without a sign. */
static const char *unknown_key(json_t *json) {
    for (void *at = json_object_iter(json); at != NULL; at = json_object_iter_next(json, at)) {
        bool known = false;
        for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
            known = known || strcmp(json_object_iter_key(at), keys[i]) == 0;
        }
        if (!known) {
            return json_object_iter_key(at);
        }
    }
    return NULL;
}

static uint32_t next_power_of_two(uint32_t n) {
    uint32_t power = 2;
    while (power < n && power < TS_FEATURES_MAX_FFT * 2) {
        power *= 2;
    }
    return power;
}

/* Fills `f`; the name of the first key of a wrong type, or NULL. */
static const char *take_keys(const json_t *json, ts_features *f) {
    bool peak = false, hamming = false, power = false, decibel = false;
    const char *wrong = NULL;
#define TAKE(key, taken) wrong = wrong == NULL && !(taken) ? (key) : wrong
    TAKE("rate", whole(json, "rate", 0, &f->rate));
    TAKE("samples", whole(json, "samples", f->rate, &f->samples));
    TAKE("divide", choice(json, "divide", "none", "peak", &peak));
    TAKE("preemphasis", real(json, "preemphasis", 0, &f->preemphasis));
    TAKE("window", whole(json, "window", 0, &f->window));
    TAKE("hop", whole(json, "hop", f->window, &f->hop));
    TAKE("fft", whole(json, "fft", next_power_of_two(f->window), &f->fft));
    TAKE("shape", choice(json, "shape", "hann", "hamming", &hamming));
    TAKE("spectrum", choice(json, "spectrum", "magnitude", "power", &power));
    TAKE("bands", whole(json, "bands", 40, &f->bands));
    TAKE("low", real(json, "low", 20, &f->low_hz));
    TAKE("high", real(json, "high", f->rate / 2.0, &f->high_hz));
    TAKE("offset", real(json, "offset", 0, &f->offset));
    TAKE("floor", real(json, "floor", 1e-12, &f->floor));
    TAKE("logarithm", choice(json, "logarithm", "natural", "decibel", &decibel));
    TAKE("coefficients", whole(json, "coefficients", 0, &f->coefficients));
#undef TAKE
    f->peak = peak;
    f->hamming = hamming;
    f->power = power;
    f->decibel = decibel;
    return wrong;
}

static ts_status take_features(const char *path, json_t *json, ts_features *f, ts_diags *diags) {
    const char *unknown = json_is_object(json) ? unknown_key(json) : "sound";
    if (unknown != NULL) {
        return ts_error(diags, TS_DIAG_VALUE, NULL, NULL,
                        "%s: \"%s\" is no object, or no key of one, that describes sound (docs/data.md)",
                        path, unknown);
    }
    const char *wrong = take_keys(json, f);
    wrong = wrong == NULL ? ts_features_wrong(f) : wrong;
    return wrong == NULL ? TS_OK
                         : ts_error(diags, TS_DIAG_VALUE, NULL, NULL,
                                    "%s: \"sound\": \"%s\" is missing, out of range or of the wrong type "
                                    "(docs/data.md)",
                                    path, wrong);
}

ts_status ts__sound_describe(ts_arena *arena, const char *path, json_t *json, ts__sound **out,
                             ts_diags *diags) {
    ts__sound *sound = TS_NEW(arena, ts__sound);
    sound->path = path;
    *out = sound;
    return take_features(path, json, &sound->features, diags);
}

/* From here on the set is what the features will be; ts__sound_make() makes them. */
static void take_shape(ts__sound *sound, ts_data *data) {
    data->type = TS_DATA_F32;
    data->samples = NULL;
    data->h = ts_features_frames(&sound->features);
    data->w = ts_features_width(&sound->features);
    data->c = 1;
}

ts_status ts__sound_files(ts__sound *sound, ts_arena *arena, const char *path, const char *labels_csv,
                          ts_data *data, ts_diags *diags) {
    static const char *const suffixes[] = {".wav", NULL};
    ts_bytes tar;
    bool folder = ts_dir_exists(path);
    sound->files = (ts__data_files){
        .arena = arena, .root = path, .suffixes = suffixes, .what = ".wav file", .diags = diags};
    if (!folder) {
        TS_TRY(ts__data_bytes(arena, path, NULL, &tar, diags));
    }
    TS_TRY(ts__data_list(&sound->files, folder ? NULL : &tar, labels_csv, &data->labels));
    data->count = sound->files.entries.count;
    take_shape(sound, data);
    return TS_OK;
}

ts_status ts__sound_array(ts__sound *sound, const char *path, ts_data *data, ts_diags *diags) {
    uint64_t longest = data->h > data->w ? data->h : data->w, all = (uint64_t)data->h * data->w * data->c;
    longest = longest > data->c ? longest : data->c;
    if (all != longest) {
        return ts_error(diags, TS_DIAG_SHAPE, NULL, NULL,
                        "%s: a recording is one row of samples, not %u x %u x %u", path, data->h, data->w,
                        data->c);
    }
    sound->recordings = *data;
    take_shape(sound, data);
    return TS_OK;
}

/* What one step of the stored type is worth: WAV's integers reach from -1 to 1, bytes around 128. */
static float sample_of(const ts_data *d, size_t i) {
    float v = ts__data_stored(d, i);
    return d->type == TS_DATA_U8    ? (v - 128) / 128
           : d->type == TS_DATA_S8  ? v / 128
           : d->type == TS_DATA_S16 ? v / 32768
                                    : v;
}

static ts_status copy_recording(const ts__sound *sound, uint32_t i, float *out, ts_diags *diags) {
    const ts_data *d = &sound->recordings;
    uint32_t samples = sound->features.samples;
    size_t length = (size_t)d->h * d->w * d->c, first = i * length;
    for (size_t k = 0; k < length && k < samples; k++) {
        out[k] = sample_of(d, first + k);
        if (!(fabsf(out[k]) < 1e30F)) {
            return ts_error(diags, TS_DIAG_VALUE, NULL, NULL,
                            "%s: recording %u: a sample is not a number, or absurd", sound->path, i);
        }
    }
    return TS_OK;
}

static void free_arena(void *arena) { ts_arena_free(arena); }

/* Recording i of the files or the array, cut or followed by zeros. */
static ts_status record(const ts__sound *sound, uint32_t i, float *out, ts_diags *diags) {
    uint32_t samples = sound->features.samples;
    memset(out, 0, samples * sizeof *out);
    if (sound->recordings.count != 0) {
        return copy_recording(sound, i, out, diags);
    }
    ts_arena *scratch = ts_arena_new("recording", 0);
    ts_bytes file;
    ts_guard_defer(free_arena, scratch);
    ts_status status = ts__data_file_read(&sound->files, i, scratch, &file);
    if (status == TS_OK) {
        const char *name = ts_path_join(scratch, sound->files.root, sound->files.entries.data[i].name);
        status = ts__wav_decode(name, file, sound->features.rate, samples, out, diags);
    }
    ts_guard_undefer(scratch);
    ts_arena_free(scratch);
    return status;
}

ts_status ts__sound_make(ts_arena *arena, const ts__sound *sound, ts_data *data, ts_diags *diags) {
    const ts_features *f = &sound->features;
    size_t size = (size_t)data->h * data->w;
    uint64_t points = (uint64_t)data->count * data->h * (f->window == 0 ? 1 : f->fft);
    if ((uint64_t)data->count * size > TS__DATA_LIMIT_BYTES / sizeof(float) || points >> 34 != 0) {
        return ts_error(
            diags, TS_DIAG_LIMIT, NULL, NULL,
            "%s: %u recordings make more than 1 GB of features, or more than 2^34 points to transform; "
            "--limit takes a part of them",
            sound->path, data->count);
    }
    float *made = TS_NEW_ARRAY(arena, float, (size_t)data->count *size);
    float *recording = TS_NEW_ARRAY(arena, float, f->samples);
    int32_t *labels = data->labels == NULL ? NULL : TS_NEW_ARRAY(arena, int32_t, data->count);
    uint32_t *order = TS_NEW_ARRAY(arena, uint32_t, data->count);
    const ts_feature_tables *tables = ts_features_prepare(arena, f);
    for (uint32_t i = 0; i < data->count; i++) {
        TS_TRY(record(sound, data->order[i], recording, diags));
        ts_features_compute(tables, recording, made + i * size);
        order[i] = i;
        if (labels != NULL) {
            labels[i] = data->labels[data->order[i]];
        }
    }
    data->samples = made;
    data->labels = labels;
    data->order = order;
    return TS_OK;
}
