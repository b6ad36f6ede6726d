/* Shared by the data readers. */
#ifndef TS_QUANT_DATA_INTERNAL_H
#define TS_QUANT_DATA_INTERNAL_H

#include "quant/data.h"

enum { TS__DATA_LIMIT_BYTES = 1 << 30 };

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

/* The same of the bytes of a tar archive. */
ts_status ts__data_tar(ts_arena *arena, const char *path, ts_bytes tar, const char *labels_csv,
                       uint32_t channels, ts_data *out, ts_diags *diags);

/* A PNG or JPEG picture, h * w * channels bytes. */
ts_status ts__picture_decode(ts_arena *arena, const char *name, ts_bytes file, uint32_t channels, uint32_t *h,
                             uint32_t *w, const uint8_t **pixels, ts_diags *diags);

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
