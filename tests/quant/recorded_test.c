/* Features of recordings against those that others computed of the same ones: TensorFlow's AudioSpectrogram
 * and Mfcc (Hello Edge), and tf.signal, cut off to bytes (MLPerf Tiny). */
#include <math.h>
#include <string.h>

#include "peers.h"
#include "quant/data_internal.h"

#define RECORDINGS \
    "\"x\": \"mlperf-tiny-kws/wav_x.i16.bin.xz\", \"shape\": [16000, 1, 1], \"type\": \"s16\", "

static bool set_up(bench *b) {
    *b = (bench){.arena = ts_arena_new("test", 0)};
    b->diags.arena = b->arena;
    b->models = ts_path_join(b->arena, ts_test_shared(), "models");
    demand(b, ts_dir_temporary(b->arena, &b->folder, &b->diags));
    return ts_dir_exists(b->models);
}

static void tear_down(bench *b) {
    demand(b, ts_dir_remove(b->folder, &b->diags));
    ts_arena_free(b->arena);
}

static const char **names_of(bench *b, const char *csv, uint32_t *count) {
    const char **names;
    demand(b, ts__csv_column(b->arena, ts_path_join(b->arena, b->models, csv), "file", &names, count,
                             &b->diags));
    return names;
}

typedef struct difference {
    uint32_t recordings, numbers, equal;
    double largest, mean;
} difference;

/* Every recording whose features are stored; a step of the stored numbers is `step`, 0: any. */
static difference compare(bench *b, const ts_data *ours, const ts_data *stored, const char *csv, double step,
                          double zero) {
    uint32_t count, stored_count;
    const char **names = names_of(b, "mlperf-tiny-kws/wav_y.csv", &count);
    const char **stored_names = names_of(b, csv, &stored_count);
    const float *made = ours->samples;
    difference d = {0};
    assert_int_equal(ours->count, count);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t k = 0;
        while (k < stored_count && strcmp(names[i], stored_names[k]) != 0) {
            k++;
        }
        for (uint32_t j = 0; k < stored_count && j < 490; j++, d.numbers++) {
            double is = (double)made[i * 490 + j], was = (double)ts__data_stored(stored, (size_t)k * 490 + j);
            is = step == 0 ? is : fmin(fmax(trunc(is / step + zero), -128), 127);
            d.equal += is == was;
            d.largest = fmax(d.largest, fabs(is - was));
            d.mean += fabs(is - was);
        }
        d.recordings += k < stored_count;
    }
    d.mean /= d.numbers;
    printf("%s: %u recordings, %u of %u numbers equal, largest difference %.3g, mean %.3g\n", csv,
           d.recordings, d.equal, d.numbers, d.largest, d.mean);
    return d;
}

static void hello_edge_is_met(void **state) {
    bench b;
    (void)state;
    assert_true(set_up(&b));
    ts_data ours = read_data(&b,
                             "{" RECORDINGS
                             "\"sound\": {\"rate\": 16000, \"window\": 640, \"hop\": 320, "
                             "\"high\": 4000, \"coefficients\": 10}}",
                             0),
            stored = read_data(&b, KWS(""), 0);
    assert_int_equal(ours.h, 49);
    difference d = compare(&b, &ours, &stored, "kws-hello-edge/samples_y.csv", 0, 0);
    assert_true(d.recordings > 100 && d.largest < 1e-3);
    tear_down(&b);
}

static void mlperf_tiny_is_met(void **state) {
    bench b;
    (void)state;
    assert_true(set_up(&b));
    ts_data ours = read_data(&b,
                             "{" RECORDINGS
                             "\"sound\": {\"rate\": 16000, \"divide\": \"peak\", \"window\": 480, "
                             "\"hop\": 320, \"high\": 4000, \"offset\": 1e-6, \"coefficients\": 10}}",
                             0),
            stored = read_data(&b,
                               "{\"x\": \"mlperf-tiny-kws/samples_x.i8.bin\", \"shape\": [49, 10, 1], "
                               "\"type\": \"s8\"}",
                               0);
    difference d = compare(&b, &ours, &stored, "mlperf-tiny-kws/samples_y.csv", 0.584703, 83);
    assert_true(d.recordings > 100 && d.largest <= 1 && d.equal > d.numbers * 0.99);
    tear_down(&b);
}

int main(void) {
    if (ts_test_shared() == NULL) {
        puts("skipped: TESSERA_SHARED names no folder of recordings and their features");
        return TS_TEST_SKIP;
    }
    const struct CMUnitTest tests[] = {cmocka_unit_test(hello_edge_is_met),
                                       cmocka_unit_test(mlperf_tiny_is_met)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
