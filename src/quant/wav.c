/* WAV files: chunks of a RIFF file, of which "fmt " says how the samples of "data" are written. Source:
 * Microsoft's "Multimedia Programming Interface and Data Specifications 1.0" (1991), chapter 3, and "Multiple
 * channel audio data and WAVE files" (2007). */
#include <math.h>
#include <string.h>

#include "quant/data_internal.h"

enum {
    MAX_CHANNELS = 8,
    CODING_PCM = 1,
    CODING_FLOAT = 3,
    CODING_ALAW = 6,
    CODING_MULAW = 7,
    EXTENSIBLE = 0xfffe
};

typedef struct wav_file {
    const char *name;
    uint32_t coding, channels, rate, bits;
    ts_bytes frames;
} wav_file;

static ts_status bad_sound(const wav_file *w, const char *what, ts_diags *diags) {
    return ts_error(diags, TS_DIAG_MALFORMED, NULL, NULL, "%s: %s", w->name, what);
}

static uint32_t number(const uint8_t *at, uint32_t bytes) {
    uint32_t value = 0;
    for (uint32_t i = 0; i < bytes; i++) {
        value |= (uint32_t)at[i] << (8 * i);
    }
    return value;
}

static ts_status take_format(wav_file *w, const uint8_t *chunk, uint32_t size, ts_diags *diags) {
    if (size < 16) {
        return bad_sound(w, "its chunk \"fmt \" is too short", diags);
    }
    w->coding = number(chunk, 2);
    w->channels = number(chunk + 2, 2);
    w->rate = number(chunk + 4, 4);
    w->bits = number(chunk + 14, 2);
    if (w->coding == EXTENSIBLE && size >= 40) {
        w->coding = number(chunk + 24, 2); /* the first bytes of the format's GUID */
    }
    return TS_OK;
}

/* Chunks have a name of four letters, a size and as many bytes, one more where that is odd. A program that
 * writes into a pipe gives the last one 2^32 - 1. */
static ts_status take_chunks(wav_file *w, ts_bytes file, ts_diags *diags) {
    for (size_t at = 12; at + 8 <= file.size;) {
        const uint8_t *chunk = file.data + at;
        uint32_t size = number(chunk + 4, 4);
        size_t left = file.size - at - 8;
        bool is_data = memcmp(chunk, "data", 4) == 0;
        size = is_data && size == UINT32_MAX ? (uint32_t)left : size;
        if (size > left) {
            return bad_sound(w, "ends before its last sample", diags);
        }
        if (memcmp(chunk, "fmt ", 4) == 0) {
            TS_TRY(take_format(w, chunk + 8, size, diags));
        }
        if (is_data) {
            w->frames = (ts_bytes){chunk + 8, size};
            return w->channels != 0 ? TS_OK : bad_sound(w, "no chunk \"fmt \" before its samples", diags);
        }
        at += 8 + (size_t)size + size % 2;
    }
    return bad_sound(w, "holds no chunk \"data\", or ends before it", diags);
}

static bool is_served(const wav_file *w) {
    switch (w->coding) {
        case CODING_PCM:
            return w->bits == 8 || w->bits == 16 || w->bits == 24 || w->bits == 32;
        case CODING_FLOAT:
            return w->bits == 32 || w->bits == 64;
        case CODING_ALAW:
        case CODING_MULAW:
            return w->bits == 8;
        default:
            return false;
    }
}

/* ITU-T G.711: sign, exponent, four bits of mantissa; A-law with its even bits inverted, mu-law with all. */
static int32_t a_law(uint8_t code) {
    uint32_t bits = code ^ 0x55u, exponent = bits >> 4 & 7, mantissa = (bits & 15) << 4;
    int32_t value = (int32_t)(exponent == 0 ? mantissa + 8 : (mantissa + 0x108) << (exponent - 1));
    return (bits & 0x80) != 0 ? value : -value;
}

static int32_t mu_law(uint8_t code) {
    uint32_t bits = code ^ 0xffu;
    int32_t value = (int32_t)((((bits & 15) << 3) + 0x84) << (bits >> 4 & 7)) - 0x84;
    return (bits & 0x80) != 0 ? -value : value;
}

/* The sample at `at`, -1 to 1. */
static double sample_at(const wav_file *w, const uint8_t *at) {
    uint64_t wide = (uint64_t)number(at, w->bits < 32 ? w->bits / 8 : 4);
    if (w->coding == CODING_ALAW || w->coding == CODING_MULAW) {
        return (w->coding == CODING_ALAW ? a_law(*at) : mu_law(*at)) / 32768.0;
    }
    if (w->coding == CODING_FLOAT && w->bits == 32) {
        float value;
        memcpy(&value, &(uint32_t){(uint32_t)wide}, sizeof value);
        return (double)value;
    }
    if (w->coding == CODING_FLOAT) {
        double value;
        wide |= (uint64_t)number(at + 4, 4) << 32;
        memcpy(&value, &wide, sizeof value);
        return value;
    }
    double one = (double)(UINT64_C(1) << (w->bits - 1)), value = (double)wide;
    return w->bits == 8 ? (value - one) / one : (value >= one ? value - 2 * one : value) / one;
}

static ts_status mix(const wav_file *w, uint32_t samples, float *out, ts_diags *diags) {
    size_t bytes = w->bits / 8, count = w->frames.size / (bytes * w->channels);
    if (count == 0) {
        return bad_sound(w, "holds no sample", diags);
    }
    for (size_t i = 0; i < count && i < samples; i++) {
        double sum = 0;
        for (size_t c = 0; c < w->channels; c++) {
            sum += sample_at(w, w->frames.data + (i * w->channels + c) * bytes);
        }
        if (!(fabs(sum) < 1e30)) {
            return bad_sound(w, "a sample is not a number, or absurd", diags);
        }
        out[i] = (float)(sum / w->channels);
    }
    return TS_OK;
}

ts_status ts__wav_decode(const char *name, ts_bytes file, uint32_t rate, uint32_t samples, float *out,
                         ts_diags *diags) {
    wav_file w = {.name = name};
    if (file.size < 12 || memcmp(file.data, "RIFF", 4) != 0 || memcmp(file.data + 8, "WAVE", 4) != 0) {
        return bad_sound(&w, "not a WAV file (RIFF, WAVE)", diags);
    }
    TS_TRY(take_chunks(&w, file, diags));
    if (!is_served(&w) || w.channels > MAX_CHANNELS) {
        return ts_error(diags, TS_DIAG_UNSUPPORTED, NULL, NULL,
                        "%s: %u bits of coding %u in %u channels; integers of 8, 16, 24 and 32 bits, floats, "
                        "A-law and mu-law in at most %d channels are read",
                        name, w.bits, w.coding, w.channels, MAX_CHANNELS);
    }
    if (w.rate != rate) {
        return ts_error(diags, TS_DIAG_VALUE, NULL, NULL,
                        "%s: %u samples a second, where \"rate\" in the data's description says %u; "
                        "resample the file, or say its rate",
                        name, w.rate, rate);
    }
    return mix(&w, samples, out, diags);
}
