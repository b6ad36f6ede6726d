/* Features of sound: what networks for keywords read instead of samples.
 *
 * A recording is cut into frames; of each come the energies of mel bands as logarithms, and of these, where
 * asked, their cosine transform (MFCC). docs/data.md has the formulas and where they come from. This file
 * knows nothing of files or of data sets. */
#ifndef TS_QUANT_MEL_H
#define TS_QUANT_MEL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"

/* Bounds that ts_features_wrong() holds. */
enum {
    TS_FEATURES_MAX_SAMPLES = 1 << 22,
    TS_FEATURES_MAX_FFT = 1 << 14,
    TS_FEATURES_MAX_FRAMES = 1 << 12,
    TS_FEATURES_MAX_BANDS = 512
};

typedef struct ts_features {
    uint32_t rate;          /* samples a second */
    uint32_t samples;       /* of a recording */
    bool peak;              /* divided by the recording's largest sample first */
    double preemphasis;     /* x[n] - preemphasis * x[n - 1], x[-1] = 0; 0: none */
    uint32_t window;        /* samples of a frame; 0: no features, the samples themselves */
    uint32_t hop;           /* samples from a frame to the next */
    uint32_t fft;           /* points, a power of two >= window; the frame is followed by zeros */
    bool hamming;           /* window shape; else Hann; both periodic */
    bool power;             /* bands sum the squared magnitudes; else the magnitudes */
    uint32_t bands;         /* of the mel filter bank */
    double low_hz, high_hz; /* edges of the lowest and the highest band */
    double offset, floor;   /* logarithm of max(band + offset, floor) */
    bool decibel;           /* 10 log10; else the natural logarithm */
    uint32_t coefficients;  /* of the cosine transform; 0: the logarithms of the bands */
} ts_features;

/* NULL, or the name of the first field that is out of range. */
const char *ts_features_wrong(const ts_features *features);

/* What comes of a recording: frames (1 without features) and numbers a frame. */
uint32_t ts_features_frames(const ts_features *features);
uint32_t ts_features_width(const ts_features *features);

/* Tables that all recordings share: window, twiddles, bands, cosines. Owned by `arena`. */
typedef struct ts_feature_tables ts_feature_tables;
ts_feature_tables *ts_features_prepare(ts_arena *arena, const ts_features *features);

/* Writes frames * width floats of the `samples` at `sound`, which are changed where `peak` is set. */
void ts_features_compute(const ts_feature_tables *tables, float *sound, float *out);

#endif
