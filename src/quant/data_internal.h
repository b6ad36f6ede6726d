/* Shared by the data readers. */
#ifndef TS_QUANT_DATA_INTERNAL_H
#define TS_QUANT_DATA_INTERNAL_H

#include <jansson.h>

#include "quant/data.h"
#include "quant/mel.h"

enum { TS__DATA_LIMIT_BYTES = 1 << 30, TS__DATA_FILE_LIMIT_BYTES = 1 << 28 };

/* A file of a set, and all of them, below a folder or in a tar archive. */
typedef struct ts__data_file {
    const char *name; /* path below the folder or in the archive */
    ts_bytes file;    /* in an archive: its bytes */
} ts__data_file;

typedef struct ts__data_files {
    ts_arena *arena;
    const char *root;            /* the folder's or the archive's path */
    const char *const *suffixes; /* what is listed, NULL at the end */
    const char *what;            /* how messages call it: "holds no WHAT" */
    TS_VEC(ts__data_file) entries;
    ts_diags *diags;
} ts__data_files;

/* Fills `list`, from the bytes of an archive (NULL: from the folder), in the order of the names, labelled by
 * the folders that the files are in; or in the order of `labels_csv` (file, label; NULL: labels.csv in the
 * folder, where there is one), with its labels. */
ts_status ts__data_list(ts__data_files *list, const ts_bytes *tar, const char *labels_csv,
                        const int32_t **labels);

/* The bytes of entry i; `arena` owns them where they come from a folder. */
ts_status ts__data_file_read(const ts__data_files *list, uint32_t i, ts_arena *arena, ts_bytes *out);

/* A file, unpacked where it is gzip or xz; the NUL that follows is not counted. FILE.npz:NAME is an array of
 * a NumPy archive; of FILE.npz alone it is `fallback`, or the only one (NULL: FILE.npz is a file like
 * others). */
ts_status ts__data_bytes(ts_arena *arena, const char *path, const char *fallback, ts_bytes *out,
                         ts_diags *diags);

/* `file` unpacked where it begins like gzip or xz, else itself. */
ts_status ts__data_unpack(ts_arena *arena, const char *path, ts_bytes file, ts_bytes *out, ts_diags *diags);

/* Member NAME.npy of a zip archive, or its only one where `single`; unpacked into the arena. */
ts_status ts__npz_member(ts_arena *arena, const char *path, ts_bytes file, const char *name, bool single,
                         ts_bytes *out, ts_diags *diags);

/* Whether a zip archive has a member NAME.npy. */
bool ts__npz_holds(ts_arena *arena, ts_bytes file, const char *name);

/* Pictures under a folder or in a tar archive: all of one size, labelled by `labels_csv` (file, label; NULL:
 * by the name of the folder that they are in, in alphabetical order). `channels`: 1 grey, 3 colour. */
ts_status ts__data_pictures(ts_arena *arena, const char *path, const char *labels_csv, uint32_t channels,
                            ts_data *out, ts_diags *diags);

/* The same of the bytes of a tar archive; NULL: of the folder `path`. */
ts_status ts__data_tar(ts_arena *arena, const char *path, const ts_bytes *tar, const char *labels_csv,
                       uint32_t channels, ts_data *out, ts_diags *diags);

/* A PNG or JPEG picture, h * w * channels bytes. */
ts_status ts__picture_decode(ts_arena *arena, const char *name, ts_bytes file, uint32_t channels, uint32_t *h,
                             uint32_t *w, const uint8_t **pixels, ts_diags *diags);

/* Recordings that become features: those of files, or of an array that was read (recordings.count > 0). */
typedef struct ts__sound {
    const char *path; /* of the description, for messages */
    ts_features features;
    ts__data_files files;
    ts_data recordings;
} ts__sound;

/* Reads the object "sound" of the description `path`. */
ts_status ts__sound_describe(ts_arena *arena, const char *path, json_t *json, ts__sound **out,
                             ts_diags *diags);

/* The .wav files below a folder or in a tar archive, labelled as pictures are; nothing is decoded yet. */
ts_status ts__sound_files(ts__sound *sound, ts_arena *arena, const char *path, const char *labels_csv,
                          ts_data *data, ts_diags *diags);

/* The samples of an array that was read into `data` become recordings, which must be one row each. */
ts_status ts__sound_array(ts__sound *sound, const char *path, ts_data *data, ts_diags *diags);

/* Computes the features of the samples that data->order names, which are all that `data` then holds. */
ts_status ts__sound_make(ts_arena *arena, const ts__sound *sound, ts_data *data, ts_diags *diags);

/* The first `samples` frames of a WAV file of `rate` samples a second, the mean of its channels, -1 to 1.
 * What is missing stays as it was in `out`. */
ts_status ts__wav_decode(const char *name, ts_bytes file, uint32_t rate, uint32_t samples, float *out,
                         ts_diags *diags);

/* Stored number i of a set, counted over all samples. */
float ts__data_stored(const ts_data *data, size_t i);

/* Column `column` of a CSV file with a header, one string a row. */
ts_status ts__csv_column(ts_arena *arena, const char *path, const char *column, const char ***cells,
                         uint32_t *rows, ts_diags *diags);

/* The same of the bytes of `path`. */
ts_status ts__csv_parse(ts_arena *arena, const char *path, ts_bytes file, const char *column,
                        const char ***cells, uint32_t *rows, ts_diags *diags);

/* Labels: a CSV file's column "label", an idx file, a NumPy vector, or one byte a sample. */
ts_status ts__data_labels(ts_arena *arena, const char *path, const char *column, const int32_t **labels,
                          uint32_t *count, ts_diags *diags);

/* MNIST idx and NumPy arrays by their magic numbers; *known says whether it was one. With `planes` the shape
 * is that of {N, C, H, W} or {N, C, W}; the elements stay in the file's order. */
ts_status ts__data_array(ts_arena *arena, const char *path, ts_bytes file, bool planes, ts_data *out,
                         bool *known, ts_diags *diags);

/* As ts__data_array() for labels: a vector of integers. */
ts_status ts__data_vector(ts_arena *arena, const char *path, ts_bytes file, const int32_t **labels,
                          uint32_t *count, bool *known, ts_diags *diags);

#endif
