/* Recordings: WAV files, and features of what they hold. */
#include "fuzz.h"
#include "quant/data_internal.h"

static void read(ts_bytes file, ts_diags *diags) {
    enum { SAMPLES = 64 };
    static const ts_features features = {.rate = 16000,
                                         .samples = SAMPLES,
                                         .peak = true,
                                         .window = 32,
                                         .hop = 16,
                                         .fft = 32,
                                         .bands = 4,
                                         .high_hz = 8000,
                                         .floor = 1e-12,
                                         .coefficients = 2};
    float sound[SAMPLES] = {0}, out[3 * 2];
    ts_status status = ts__wav_decode("fuzz", file, features.rate, SAMPLES, sound, diags);
    ts_fuzz_check(status, diags);
    if (status == TS_OK) {
        ts_features_compute(ts_features_prepare(diags->arena, &features), sound, out);
        for (uint32_t i = 0; i < sizeof out / sizeof *out; i++) {
            TS_ASSERT(out[i] == out[i], "fuzz target");
        }
    }
}

TS_FUZZ_TARGET(read)
