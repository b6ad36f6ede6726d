#include "quant/mel.h"

#include <math.h>

static const double pi = 3.14159265358979323846;

typedef struct complex_number {
    double re, im;
} complex_number;

/* A point of the spectrum lies between two edges of bands: it rises into the band that the second begins to
 * fall from, and falls out of the one before. */
typedef struct mel_place {
    uint32_t edge; /* it lies between edges `edge` and `edge` + 1; edge i + 1 is the centre of band i */
    double part;   /* 0 at the first, 1 at the second */
    bool inside;
} mel_place;

struct ts_feature_tables {
    ts_features of;
    double *window;          /* {window} */
    complex_number *twiddle; /* {fft / 2}: e^(-2 pi i k / fft) */
    complex_number *points;  /* {fft}: scratch */
    mel_place *places;       /* {fft / 2 + 1} */
    double *energies;        /* {bands}: scratch */
    double *cosines;         /* {coefficients, bands} */
};

static bool is_power_of_two(uint32_t n) { return n != 0 && (n & (n - 1)) == 0; }

const char *ts_features_wrong(const ts_features *f) {
    if (f->rate < 1 || f->rate > 1000000) {
        return "rate";
    }
    if (f->samples < 1 || f->samples > TS_FEATURES_MAX_SAMPLES) {
        return "samples";
    }
    if (!(fabs(f->preemphasis) <= 1)) {
        return "preemphasis";
    }
    if (f->window == 0) {
        return NULL;
    }
    if (f->window > f->samples || f->window > TS_FEATURES_MAX_FFT) {
        return "window";
    }
    if (f->hop < 1 || ts_features_frames(f) > TS_FEATURES_MAX_FRAMES) {
        return "hop";
    }
    if (!is_power_of_two(f->fft) || f->fft < f->window || f->fft > TS_FEATURES_MAX_FFT || f->fft < 2) {
        return "fft";
    }
    if (f->bands < 1 || f->bands > TS_FEATURES_MAX_BANDS) {
        return "bands";
    }
    if (!(f->low_hz >= 0) || !(f->low_hz < f->high_hz)) {
        return "low";
    }
    if (!(f->high_hz <= 0.5 * f->rate)) {
        return "high";
    }
    if (!(f->offset >= 0) || !isfinite(f->offset)) {
        return "offset";
    }
    if (!(f->floor > 0) || !isfinite(f->floor)) {
        return "floor";
    }
    return f->coefficients > f->bands ? "coefficients" : NULL;
}

uint32_t ts_features_frames(const ts_features *f) {
    return f->window == 0 ? 1 : 1 + (f->samples - f->window) / f->hop;
}

uint32_t ts_features_width(const ts_features *f) {
    return f->window == 0 ? f->samples : f->coefficients != 0 ? f->coefficients : f->bands;
}

/* O'Shaughnessy's mel scale with natural logarithms, as HTK and TensorFlow take it. */
static double mel(double hz) { return 1127.0 * log1p(hz / 700.0); }

/* Triangles whose edges are equally far apart on the mel scale; each begins at its neighbour's centre. */
static mel_place mel_place_of(const ts_features *f, uint32_t point) {
    double low = mel(f->low_hz), span = mel(f->high_hz) - low;
    double at = (mel((double)point * f->rate / f->fft) - low) * (f->bands + 1) / span;
    bool inside = at > 0 && at < f->bands + 1;
    uint32_t edge = inside ? (uint32_t)at : 0;
    return (mel_place){.edge = edge, .part = at - edge, .inside = inside};
}

ts_feature_tables *ts_features_prepare(ts_arena *arena, const ts_features *f) {
    ts_feature_tables *t = TS_NEW(arena, ts_feature_tables);
    t->of = *f;
    if (f->window == 0) {
        return t;
    }
    t->window = TS_NEW_ARRAY(arena, double, f->window);
    for (uint32_t i = 0; i < f->window; i++) {
        double turn = cos(2 * pi * i / f->window);
        t->window[i] = f->hamming ? 0.54 - 0.46 * turn : 0.5 - 0.5 * turn;
    }
    t->twiddle = TS_NEW_ARRAY(arena, complex_number, f->fft / 2);
    for (uint32_t k = 0; k < f->fft / 2; k++) {
        t->twiddle[k] = (complex_number){cos(2 * pi * k / f->fft), -sin(2 * pi * k / f->fft)};
    }
    t->points = TS_NEW_ARRAY(arena, complex_number, f->fft);
    t->places = TS_NEW_ARRAY(arena, mel_place, f->fft / 2 + 1);
    for (uint32_t k = 0; k <= f->fft / 2; k++) {
        t->places[k] = mel_place_of(f, k);
    }
    t->energies = TS_NEW_ARRAY(arena, double, f->bands);
    t->cosines = TS_NEW_ARRAY(arena, double, (size_t)f->coefficients * f->bands);
    for (uint32_t i = 0; i < f->coefficients; i++) {
        for (uint32_t b = 0; b < f->bands; b++) {
            t->cosines[(size_t)i * f->bands + b] = sqrt(2.0 / f->bands) * cos(pi * i * (b + 0.5) / f->bands);
        }
    }
    return t;
}

/* Cooley and Tukey's transform in place, radix 2, decimated in time. */
static void transform(complex_number *x, uint32_t n, const complex_number *twiddle) {
    for (uint32_t i = 1, j = 0; i < n; i++) {
        uint32_t bit = n >> 1;
        for (; (j & bit) != 0; bit >>= 1) {
            j ^= bit;
        }
        j ^= bit;
        if (i < j) {
            complex_number kept = x[i];
            x[i] = x[j];
            x[j] = kept;
        }
    }
    for (uint32_t half = 1; half < n; half *= 2) {
        for (uint32_t first = 0; first < n; first += 2 * half) {
            for (uint32_t k = 0; k < half; k++) {
                complex_number w = twiddle[k * (n / 2 / half)], a = x[first + k], b = x[first + k + half];
                complex_number turned = {b.re * w.re - b.im * w.im, b.re * w.im + b.im * w.re};
                x[first + k] = (complex_number){a.re + turned.re, a.im + turned.im};
                x[first + k + half] = (complex_number){a.re - turned.re, a.im - turned.im};
            }
        }
    }
}

/* The spectrum of the frame that begins at sample `first`. */
static void take_frame(const ts_feature_tables *t, const float *sound, uint32_t first) {
    for (uint32_t i = 0; i < t->of.fft; i++) {
        t->points[i] = (complex_number){0, 0};
        if (i < t->of.window) {
            double before = first + i > 0 ? (double)sound[first + i - 1] : 0;
            t->points[i].re = ((double)sound[first + i] - t->of.preemphasis * before) * t->window[i];
        }
    }
    transform(t->points, t->of.fft, t->twiddle);
}

static void sum_bands(const ts_feature_tables *t) {
    for (uint32_t b = 0; b < t->of.bands; b++) {
        t->energies[b] = 0;
    }
    for (uint32_t k = 0; k <= t->of.fft / 2; k++) {
        mel_place p = t->places[k];
        if (!p.inside) {
            continue;
        }
        double square = t->points[k].re * t->points[k].re + t->points[k].im * t->points[k].im;
        double amount = t->of.power ? square : sqrt(square);
        if (p.edge < t->of.bands) {
            t->energies[p.edge] += p.part * amount;
        }
        if (p.edge > 0) {
            t->energies[p.edge - 1] += (1 - p.part) * amount;
        }
    }
}

static void write_frame(const ts_feature_tables *t, float *out) {
    for (uint32_t b = 0; b < t->of.bands; b++) {
        double level = fmax(t->energies[b] + t->of.offset, t->of.floor);
        t->energies[b] = t->of.decibel ? 10 * log10(level) : log(level);
    }
    for (uint32_t i = 0; i < ts_features_width(&t->of); i++) {
        double sum = t->of.coefficients == 0 ? t->energies[i] : 0;
        for (uint32_t b = 0; t->of.coefficients != 0 && b < t->of.bands; b++) {
            sum += t->cosines[(size_t)i * t->of.bands + b] * t->energies[b];
        }
        out[i] = (float)sum;
    }
}

/* Divides by the largest sample; a recording without a positive one stays as it is. */
static void divide_by_peak(float *sound, uint32_t samples) {
    float peak = 0;
    for (uint32_t i = 0; i < samples; i++) {
        peak = fmaxf(peak, sound[i]);
    }
    for (uint32_t i = 0; i < samples && peak > 0; i++) {
        sound[i] /= peak;
    }
}

void ts_features_compute(const ts_feature_tables *t, float *sound, float *out) {
    uint32_t frames = ts_features_frames(&t->of), width = ts_features_width(&t->of);
    if (t->of.peak) {
        divide_by_peak(sound, t->of.samples);
    }
    for (uint32_t i = 0; t->of.window == 0 && i < width; i++) {
        double before = i > 0 ? (double)sound[i - 1] : 0;
        out[i] = (float)((double)sound[i] - t->of.preemphasis * before);
    }
    for (uint32_t i = 0; t->of.window != 0 && i < frames; i++) {
        take_frame(t, sound, i * t->of.hop);
        sum_bands(t);
        write_frame(t, out + (size_t)i * width);
    }
}
