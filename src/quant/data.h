/* Data sets: samples and labels as they lie on disk, made into network inputs.
 *
 * docs/data.md describes the formats and the JSON beside the data. All files are untrusted. A set keeps
 * its samples as they were stored (bytes stay bytes) and makes one input at a time. */
#ifndef TS_QUANT_DATA_H
#define TS_QUANT_DATA_H

#include "base/file.h"
#include "ir/float_graph.h"

typedef enum ts_data_type { TS_DATA_U8, TS_DATA_S8, TS_DATA_S16, TS_DATA_F32 } ts_data_type;

/* value = (stored - mean[c]) * scale[c], after cropping to the middle and resizing. */
typedef struct ts_preprocess {
    uint32_t resize_h, resize_w; /* 0: as stored */
    uint32_t crop_h, crop_w;     /* 0: all; taken before resizing */
    uint32_t count;              /* of mean and scale: 1 or the channels */
    const double *mean, *scale;
} ts_preprocess;

typedef struct ts_data {
    uint32_t count;
    uint32_t h, w, c; /* of a sample as it is stored, in H, W, C order */
    ts_data_type type;
    const void *samples;
    const int32_t *labels; /* NULL where the set has none */
    ts_preprocess preprocess;
    const uint32_t *order; /* subset: sample i is number order[i] in the files */
} ts_data;

typedef struct ts_data_options {
    const char *root; /* folder that paths inside the description start from; NULL: the description's own */
    uint32_t limit;   /* 0: all; else a seeded subset of so many */
    uint64_t seed;
} ts_data_options;

/* Reads a data set: a description (*.json), or a file or folder whose format says it all (NumPy, MNIST
 * idx, a folder or archive of pictures). Everything is owned by `arena`. */
ts_status ts_data_read(ts_arena *arena, const char *path, const ts_data_options *options, ts_data *out,
                       ts_diags *diags);

/* Height, width and channels after preprocessing. */
void ts_data_shape(const ts_data *data, uint32_t *h, uint32_t *w, uint32_t *c);

/* An error where the samples do not fill the tensor. */
ts_status ts_data_check(const ts_data *data, const ts_ftensor *input, ts_diags *diags);

/* Floats of scratch that ts_data_sample() needs. */
size_t ts_data_scratch(const ts_data *data);

/* Writes sample i as the elements of `input`, in that tensor's order. `scratch` has room for
 * ts_data_scratch() floats. */
void ts_data_sample(const ts_data *data, uint32_t i, const ts_ftensor *input, float *scratch, float *out);

/* Label of sample i; the set has labels. */
int32_t ts_data_label(const ts_data *data, uint32_t i);

#endif
