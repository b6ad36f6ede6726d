/* Sound: WAV files that the test writes, features against a second computation of the formulas, and against
 * what others recorded. */
#include <math.h>
#include <string.h>

#include "base/random.h"
#include "harness.h"
#include "quant/data_internal.h"
#include "wav_maker.h"

typedef struct fixture {
    ts_arena *arena;
    ts_diags diags;
    const char *folder;
} fixture;

static void write(fixture *f, const char *name, const void *data, size_t size) {
    assert_int_equal(ts_file_write(ts_path_join(f->arena, f->folder, name), data, size, &f->diags), TS_OK);
}

static int set_up(void **state) {
    fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    f->arena = ts_arena_new("test", 0);
    f->diags.arena = f->arena;
    assert_int_equal(ts_dir_temporary(f->arena, &f->folder, &f->diags), TS_OK);
    assert_int_equal(ts_dir_create(ts_path_join(f->arena, f->folder, "x/b"), &f->diags), TS_OK);
    *state = f;
    return 0;
}

static int tear_down(void **state) {
    fixture *f = *state;
    assert_int_equal(ts_dir_remove(f->folder, &f->diags), TS_OK);
    ts_arena_free(f->arena);
    free(f);
    return 0;
}

static ts_status read_set(fixture *f, const char *root, uint32_t limit, const char *json, ts_data *data) {
    ts_data_options options = {.root = root, .limit = limit, .seed = 3};
    write(f, "set.json", json, strlen(json));
    return ts_data_read(f->arena, ts_path_join(f->arena, f->folder, "set.json"), &options, data, &f->diags);
}

static void write_wav(fixture *f, const char *name, uint32_t coding, uint32_t bits, uint32_t channels,
                      const void *data, size_t bytes) {
    ts_bytes wav = wav_make(f->arena, coding, bits, channels, 16000, data, bytes);
    write(f, name, wav.data, wav.size);
}

/* The last message names both. */
static void assert_says(const fixture *f, const char *first, const char *second) {
    assert_true(f->diags.list.count > 0);
    const char *text = f->diags.list.data[f->diags.list.count - 1].text;
    if (strstr(text, first) == NULL || strstr(text, second) == NULL) {
        fail_msg("'%s' does not say '%s' and '%s'", text, first, second);
    }
}

static void codings_reach_from_minus_one_to_one(void **state) {
    fixture *f = *state;
    static const uint8_t u8[] = {0, 128, 192}, s24[] = {0, 0, 0x80, 0, 0, 0, 0, 0, 0x40};
    static const int16_t s16[] = {-32768, 0, 16384}, stereo[] = {-32768, -32768, 16384, -16384, 32767, 1};
    static const int32_t s32[] = {INT32_MIN, 0, 1 << 30};
    static const float f32[] = {-1, 0, 0.5F};
    static const double f64[] = {-1, 0, 0.5};
    static const uint8_t mu_law[] = {0, 0xff, 0x9f};   /* ITU-T G.711: -32124, 0, +8316 of 32768 */
    static const uint8_t a_law[] = {0x2a, 0xd5, 0xb5}; /* the same: -32256, 8, 8448 */
    static const struct {
        uint32_t coding, bits, channels;
        const void *data;
        size_t bytes;
        float expected[3];
    } cases[] = {{WAV_PCM, 8, 1, u8, sizeof u8, {-1, 0, 0.5F}},
                 {WAV_PCM, 16, 1, s16, sizeof s16, {-1, 0, 0.5F}},
                 {WAV_PCM, 24, 1, s24, sizeof s24, {-1, 0, 0.5F}},
                 {WAV_PCM, 32, 1, s32, sizeof s32, {-1, 0, 0.5F}},
                 {WAV_FLOAT, 32, 1, f32, sizeof f32, {-1, 0, 0.5F}},
                 {WAV_FLOAT, 64, 1, f64, sizeof f64, {-1, 0, 0.5F}},
                 {WAV_PCM, 16, 2, stereo, sizeof stereo, {-1, 0, 0.5F}},
                 {WAV_MULAW, 8, 1, mu_law, sizeof mu_law, {-32124 / 32768.0F, 0, 8316 / 32768.0F}},
                 {WAV_ALAW, 8, 1, a_law, sizeof a_law, {-32256 / 32768.0F, 8 / 32768.0F, 8448 / 32768.0F}}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ts_bytes wav = wav_make(f->arena, cases[i].coding, cases[i].bits, cases[i].channels, 16000,
                                cases[i].data, cases[i].bytes);
        float out[5] = {9, 9, 9, 9, 9};
        assert_int_equal(ts__wav_decode("x", wav, 16000, 4, out, &f->diags), TS_OK);
        for (size_t k = 0; k < 3; k++) {
            assert_float_equal(out[k], cases[i].expected[k], 1e-6);
        }
        assert_true(out[3] == 9 && out[4] == 9);
    }
}

static void damaged_recordings_are_refused(void **state) {
    fixture *f = *state;
    static const int16_t s16[100] = {1};
    static const float not_a_number[] = {0, NAN};
    float out[100];
    ts_bytes wav = wav_make(f->arena, WAV_PCM, 16, 1, 8000, s16, sizeof s16);
    assert_int_equal(ts__wav_decode("a.wav", wav, 16000, 100, out, &f->diags), TS_BAD_INPUT);
    assert_says(f, "a.wav: 8000", "16000");
    for (size_t size = 0; size < wav.size; size++) {
        ts_bytes part = {ts_arena_copy(f->arena, wav.data, size), size};
        assert_int_equal(ts__wav_decode("cut.wav", part, 8000, 100, out, &f->diags), TS_BAD_INPUT);
    }
    assert_says(f, "cut.wav", "ends before its last sample");
    wav = wav_make(f->arena, WAV_FLOAT, 32, 1, 8000, not_a_number, sizeof not_a_number);
    assert_int_equal(ts__wav_decode("nan.wav", wav, 8000, 2, out, &f->diags), TS_BAD_INPUT);
    assert_says(f, "nan.wav", "not a number");
    wav = wav_make(f->arena, WAV_PCM, 16, 1, 8000, s16, 0);
    assert_int_equal(ts__wav_decode("empty.wav", wav, 8000, 2, out, &f->diags), TS_BAD_INPUT);
    wav = wav_make(f->arena, WAV_PCM, 16, 9, 8000, s16, 18);
    assert_int_equal(ts__wav_decode("nine.wav", wav, 8000, 2, out, &f->diags), TS_BAD_INPUT);
    assert_says(f, "nine.wav", "8 channels");
    wav = wav_make(f->arena, 0x55, 16, 1, 8000, s16, sizeof s16); /* MP3 in a WAV file */
    assert_int_equal(ts__wav_decode("mp3.wav", wav, 8000, 2, out, &f->diags), TS_BAD_INPUT);
    assert_says(f, "mp3.wav", "coding 85");
    wav = wav_make(f->arena, WAV_PCM, 16, 1, 8000, s16, 4);
    uint8_t *streamed = ts_arena_copy(f->arena, wav.data, wav.size);
    memset(streamed + wav.size - 8, 0xff, 4); /* the size of "data", unknown to who wrote it */
    out[2] = 9;
    assert_int_equal(ts__wav_decode("pipe.wav", (ts_bytes){streamed, wav.size}, 8000, 9, out, &f->diags),
                     TS_OK);
    assert_true(out[0] == 1 / 32768.0F && out[1] == 0 && out[2] == 9);
    wav = (ts_bytes){(const uint8_t *)"fLaC\0\0\0\x22 and so on", 20};
    assert_int_equal(ts__wav_decode("flac.wav", wav, 8000, 2, out, &f->diags), TS_BAD_INPUT);
    assert_says(f, "flac.wav", "not a WAV file");
}

static const float *sample(fixture *f, const ts_data *data, uint32_t i) {
    ts_ftensor input = {.name = "x", .rank = 4, .dims = {1}, .layout = TS_LAYOUT_CHANNELS_LAST};
    ts_data_shape(data, &input.dims[1], &input.dims[2], &input.dims[3]);
    float *x = TS_NEW_ARRAY(f->arena, float, ts_ftensor_elements(&input));
    assert_int_equal(ts_data_check(data, &input, &f->diags), TS_OK);
    ts_data_sample(data, i, &input, TS_NEW_ARRAY(f->arena, float, ts_data_scratch(data)), x);
    return x;
}

static void folders_hold_recordings_of_any_length(void **state) {
    fixture *f = *state;
    static const int16_t shorter[] = {16384, -16384}, longer[] = {8192, 8192, 8192, 8192, 8192, 8192};
    static const char table[] = "file,label\nb/long.WAV,4\nshort.wav,7\n";
    static const char json[] = "{\"x\": \"x\", \"sound\": {\"rate\": 16000, \"samples\": 4}, \"scale\": 2}";
    static const float expected[2][4] = {{0.5F, 0.5F, 0.5F, 0.5F}, {1, -1, 0, 0}};
    ts_data data;
    write_wav(f, "x/short.wav", WAV_PCM, 16, 1, shorter, sizeof shorter);
    write_wav(f, "x/b/long.WAV", WAV_PCM, 16, 1, longer, sizeof longer);
    write(f, "x/labels.csv", table, sizeof table - 1);
    assert_int_equal(read_set(f, f->folder, 0, json, &data), TS_OK);
    assert_int_equal(data.count, 2);
    for (uint32_t i = 0; i < 2; i++) {
        assert_int_equal(ts_data_label(&data, i), i == 0 ? 4 : 7);
        assert_memory_equal(sample(f, &data, i), expected[i], sizeof expected[i]);
    }
    f->diags.file = "net.onnx";
    write(f, "x/labels.csv", table, sizeof table - 1);
    assert_int_equal(read_set(f, f->folder, 0, "{\"x\": \"x\", \"sound\": {\"rate\": 8000}}", &data),
                     TS_BAD_INPUT);
    assert_says(f, "x/b/long.WAV: 16000", "8000");
    assert_null(f->diags.list.data[f->diags.list.count - 1].file);
    assert_string_equal(f->diags.file, "net.onnx");
    assert_int_equal(read_set(f, f->folder, 1, json, &data), TS_OK);
    assert_int_equal(data.count, 1);
    bool first = ts_data_label(&data, 0) == 4;
    assert_memory_equal(sample(f, &data, 0), expected[first ? 0 : 1], sizeof expected[0]);
}

static void the_description_is_checked(void **state) {
    fixture *f = *state;
    static const char *const wrong[][2] = {
        {"1", "sound"},
        {"{}", "rate"},
        {"{\"rate\": \"16k\"}", "rate"},
        {"{\"rate\": 16000.5}", "rate"},
        {"{\"rate\": 16000, \"samples\": 0}", "samples"},
        {"{\"rate\": 16000, \"samples\": 5000000}", "samples"},
        {"{\"rate\": 16000, \"widow\": 640}", "widow"},
        {"{\"rate\": 16000, \"window\": 16001}", "window"},
        {"{\"rate\": 16000, \"window\": 640, \"hop\": 0}", "hop"},
        {"{\"rate\": 16000, \"window\": 64, \"hop\": 1}", "hop"},
        {"{\"rate\": 16000, \"window\": 640, \"fft\": 512}", "fft"},
        {"{\"rate\": 16000, \"window\": 640, \"fft\": 1000}", "fft"},
        {"{\"rate\": 16000, \"window\": 640, \"fft\": 1048576}", "fft"},
        {"{\"rate\": 16000, \"window\": 640, \"bands\": 0}", "bands"},
        {"{\"rate\": 16000, \"window\": 640, \"high\": 8001}", "high"},
        {"{\"rate\": 16000, \"window\": 640, \"low\": -1}", "low"},
        {"{\"rate\": 16000, \"window\": 640, \"low\": 8000}", "low"},
        {"{\"rate\": 16000, \"window\": 640, \"floor\": 0}", "floor"},
        {"{\"rate\": 16000, \"window\": 640, \"offset\": -1}", "offset"},
        {"{\"rate\": 16000, \"window\": 640, \"shape\": \"kaiser\"}", "shape"},
        {"{\"rate\": 16000, \"window\": 640, \"coefficients\": 41}", "coefficients"},
        {"{\"rate\": 16000, \"preemphasis\": 2}", "preemphasis"}};
    ts_data data;
    write(f, "x.bin", "abcd", 4);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        const char *json = ts_arena_printf(f->arena,
                                           "{\"x\": \"x.bin\", \"shape\": [1, 2, 1], \"type\": \"s16\", "
                                           "\"sound\": %s}",
                                           wrong[i][0]);
        assert_int_equal(read_set(f, f->folder, 0, json, &data), TS_BAD_INPUT);
        assert_says(f, "set.json", ts_arena_printf(f->arena, "\"%s\"", wrong[i][1]));
    }
    assert_int_equal(read_set(f, f->folder, 0,
                              "{\"x\": \"x.bin\", \"shape\": [2, 2, 1], \"type\": \"u8\", "
                              "\"sound\": {\"rate\": 8000}}",
                              &data),
                     TS_BAD_INPUT);
    assert_says(f, "x.bin", "one row of samples");
    assert_int_equal(read_set(f, f->folder, 0, "{\"x\": \"x\", \"sound\": {\"rate\": 8000}}", &data),
                     TS_BAD_INPUT);
    assert_says(f, "holds no", ".wav");
}

static double mel_of(double hz) { return 1127 * log(1 + hz / 700); }

/* The formulas of docs/data.md once more: a plain sum for the transform, each triangle for itself. */
static double band(const ts_features *f, const float *sound, uint32_t frame, uint32_t b) {
    double low = mel_of(f->low_hz), step = (mel_of(f->high_hz) - low) / (f->bands + 1), sum = 0;
    for (uint32_t k = 0; k <= f->fft / 2; k++) {
        double m = mel_of((double)k * f->rate / f->fft), left = low + b * step, weight;
        weight = fmin((m - left) / step, (left + 2 * step - m) / step);
        if (weight <= 0) {
            continue;
        }
        double re = 0, im = 0;
        for (uint32_t i = 0; i < f->window; i++) {
            uint32_t n = frame * f->hop + i;
            double x = sound[n] - f->preemphasis * (n > 0 ? sound[n - 1] : 0);
            double turn = cos(2 * M_PI * i / f->window),
                   w = f->hamming ? 0.54 - 0.46 * turn : 0.5 - 0.5 * turn;
            re += x * w * cos(2 * M_PI * k * i / f->fft);
            im -= x * w * sin(2 * M_PI * k * i / f->fft);
        }
        sum += weight * (f->power ? re * re + im * im : hypot(re, im));
    }
    double level = fmax(sum + f->offset, f->floor);
    return f->decibel ? 10 * log10(level) : log(level);
}

static double feature(const ts_features *f, const float *sound, uint32_t frame, uint32_t i) {
    if (f->coefficients == 0) {
        return band(f, sound, frame, i);
    }
    double sum = 0;
    for (uint32_t b = 0; b < f->bands; b++) {
        sum += band(f, sound, frame, b) * cos(M_PI * i * (2 * b + 1) / (2.0 * f->bands));
    }
    return sum * sqrt(2.0 / f->bands);
}

static void features_equal_the_plain_formulas(void **state) {
    fixture *f = *state;
    static const ts_features cases[] = {{.rate = 16000,
                                         .samples = 900,
                                         .window = 400,
                                         .hop = 160,
                                         .fft = 512,
                                         .bands = 20,
                                         .low_hz = 20,
                                         .high_hz = 4000,
                                         .floor = 1e-12,
                                         .coefficients = 7},
                                        {.rate = 16000,
                                         .samples = 300,
                                         .window = 256,
                                         .hop = 7,
                                         .fft = 256,
                                         .bands = 8,
                                         .low_hz = 0,
                                         .high_hz = 8000,
                                         .floor = 1e-9,
                                         .power = true,
                                         .decibel = true,
                                         .hamming = true},
                                        {.rate = 8000,
                                         .samples = 64,
                                         .window = 33,
                                         .hop = 40,
                                         .fft = 128,
                                         .bands = 60,
                                         .low_hz = 300,
                                         .high_hz = 900,
                                         .floor = 1e-3,
                                         .offset = 0.25,
                                         .preemphasis = 0.97,
                                         .coefficients = 60},
                                        {.rate = 100,
                                         .samples = 9,
                                         .window = 2,
                                         .hop = 3,
                                         .fft = 2,
                                         .bands = 1,
                                         .low_hz = 1,
                                         .high_hz = 50,
                                         .floor = 1e-6,
                                         .preemphasis = -0.5}};
    ts_random random = ts_random_seed(5);
    for (size_t n = 0; n < sizeof cases / sizeof *cases; n++) {
        const ts_features *c = &cases[n];
        assert_null(ts_features_wrong(c));
        uint32_t frames = ts_features_frames(c), width = ts_features_width(c);
        float *sound = TS_NEW_ARRAY(f->arena, float, c->samples);
        float *out = TS_NEW_ARRAY(f->arena, float, frames *width + 1);
        for (uint32_t i = 0; i < c->samples; i++) {
            sound[i] = (float)ts_random_range(&random, -32768, 32767) / 32768;
        }
        out[frames * width] = 77;
        ts_features_compute(ts_features_prepare(f->arena, c), sound, out);
        assert_true(out[frames * width] == 77);
        for (uint32_t i = 0; i < frames * width; i++) {
            double expected = feature(c, sound, i / width, i % width);
            assert_true(fabs((double)out[i] - expected) < 2e-5 * (1 + fabs(expected)));
        }
    }
}

static void peaks_are_divided_out(void **state) {
    fixture *f = *state;
    ts_features c = {.rate = 8000, .samples = 3, .peak = true, .preemphasis = 0.5};
    float sound[] = {-0.5F, 0.25F, 0}, silence[] = {-1, 0, -0.5F}, out[3];
    ts_features_compute(ts_features_prepare(f->arena, &c), sound, out);
    assert_true(out[0] == -2 && out[1] == 2 && out[2] == -0.5F);
    ts_features_compute(ts_features_prepare(f->arena, &c), silence, out);
    assert_true(out[0] == -1 && out[1] == 0.5F && out[2] == -0.5F);
}

static void release_arena(void *arena) { ts_arena_free(arena); }

static bool reads_without_memory(const char *set) {
    ts_guard guard;
    if (TS_GUARD_ENTER(&guard)) {
        return false;
    }
    ts_arena *arena = ts_arena_new("test", 0);
    ts_guard_defer(release_arena, arena);
    ts_diags diags = {.arena = arena};
    ts_data data;
    assert_int_equal(ts_data_read(arena, set, &(ts_data_options){0}, &data, &diags), TS_OK);
    ts_guard_undefer(arena);
    ts_arena_free(arena);
    ts_guard_leave(&guard);
    return true;
}

static void every_failing_allocation_is_survived(void **state) {
    fixture *f = *state;
    static const int16_t s16[1000] = {1, 2, 3};
    static const char json[] =
        "{\"x\": \"x\", \"sound\": {\"rate\": 16000, \"window\": 640, \"coefficients\": 10}}";
    write_wav(f, "x/1.wav", WAV_PCM, 16, 1, s16, sizeof s16);
    write_wav(f, "x/b/2.wav", WAV_PCM, 16, 2, s16, sizeof s16);
    write(f, "set.json", json, sizeof json - 1);
    const char *set = ts_path_join(f->arena, f->folder, "set.json");
    uint64_t before = ts_arena_fail_after(0);
    assert_true(reads_without_memory(set));
    uint64_t allocations = ts_arena_fail_after(0) - before;
    assert_true(allocations >= 4);
    for (uint64_t n = 1; n <= allocations; n++) {
        ts_arena_fail_after(n);
        assert_false(reads_without_memory(set));
    }
    ts_arena_fail_after(0);
    assert_true(reads_without_memory(set));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(codings_reach_from_minus_one_to_one),   TEST(damaged_recordings_are_refused),
        TEST(folders_hold_recordings_of_any_length), TEST(the_description_is_checked),
        TEST(features_equal_the_plain_formulas),     TEST(peaks_are_divided_out),
        TEST(every_failing_allocation_is_survived)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
