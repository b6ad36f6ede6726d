/* Data readers on files that the tests write themselves. */
#include <math.h>
#include <string.h>

#include "harness.h"
#include "png_maker.h"
#include "quant/data_internal.h"
#include "quant/evaluate.h"
#include "zip_maker.h"

typedef struct fixture {
    ts_arena *arena;
    ts_diags diags;
    const char *folder;
} fixture;

static int set_up(void **state) {
    fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    f->arena = ts_arena_new("test", 0);
    f->diags.arena = f->arena;
    assert_int_equal(ts_dir_temporary(f->arena, &f->folder, &f->diags), TS_OK);
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

static const char *write(fixture *f, const char *name, const void *data, size_t size) {
    const char *path = ts_path_join(f->arena, f->folder, name);
    assert_int_equal(ts_file_write(path, data, size, &f->diags), TS_OK);
    return path;
}

static ts_status read(fixture *f, const char *path, uint32_t limit, ts_data *data) {
    ts_data_options options = {.limit = limit, .seed = 3};
    return ts_data_read(f->arena, path, &options, data, &f->diags);
}

/* Sample i as channels-last input of the data's own shape. */
static const float *sample(fixture *f, const ts_data *data, uint32_t i) {
    ts_ftensor input = {.name = "x", .rank = 4, .dims = {1}, .layout = TS_LAYOUT_CHANNELS_LAST};
    ts_data_shape(data, &input.dims[1], &input.dims[2], &input.dims[3]);
    float *x = TS_NEW_ARRAY(f->arena, float, ts_ftensor_elements(&input));
    assert_int_equal(ts_data_check(data, &input, &f->diags), TS_OK);
    ts_data_sample(data, i, &input, TS_NEW_ARRAY(f->arena, float, ts_data_scratch(data)), x);
    return x;
}

static void raw_planes_become_channels_last(void **state) {
    fixture *f = *state;
    static const uint8_t bytes[] = {1, 2, 3, 4, 5, 6, 7, 8, 11, 12, 13, 14, 15, 16, 17, 18};
    static const char labels[] = "index,label\n0,3\r\n1,9\n";
    static const char json[] =
        "{\"x\": \"x.bin\", \"y\": \"y.csv\", \"shape\": [2, 2, 2], \"type\": \"u8\", "
        "\"layout\": \"chw\", \"mean\": [1, 5], \"scale\": 2}";
    static const float expected[] = {20, 20, 22, 22, 24, 24, 26, 26};
    ts_data data;
    write(f, "x.bin", bytes, sizeof bytes);
    write(f, "y.csv", labels, sizeof labels - 1);
    assert_int_equal(read(f, write(f, "set.json", json, sizeof json - 1), 0, &data), TS_OK);
    assert_int_equal(data.count, 2);
    assert_int_equal(ts_data_label(&data, 0), 3);
    assert_int_equal(ts_data_label(&data, 1), 9);
    assert_memory_equal(sample(f, &data, 1), expected, sizeof expected);
}

static void idx_files_are_known_by_their_magic(void **state) {
    fixture *f = *state;
    static const uint8_t images[] = {0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 3, 10, 20, 30, 40, 50, 60};
    static const uint8_t labels[] = {0, 0, 8, 1, 0, 0, 0, 2, 7, 8};
    static const char json[] = "{\"x\": \"images\", \"y\": \"labels\"}";
    ts_data data;
    write(f, "images", images, sizeof images);
    write(f, "labels", labels, sizeof labels);
    assert_int_equal(read(f, write(f, "set.json", json, sizeof json - 1), 0, &data), TS_OK);
    assert_int_equal(data.w, 3);
    assert_int_equal(ts_data_label(&data, 1), 8);
    assert_true(sample(f, &data, 1)[2] == 60.0f);
}

static void numpy_arrays_are_read_without_a_description(void **state) {
    fixture *f = *state;
    uint8_t file[128 + 16] =
        "\x93NUMPY\x01\x00\x76\x00{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), }";
    static const float values[] = {1.5f, -2.0f, 3.0f, 4.25f};
    ts_data data;
    memcpy(file + 128, values, sizeof values);
    assert_int_equal(read(f, write(f, "x.npy", file, sizeof file), 0, &data), TS_OK);
    assert_int_equal(data.count, 2);
    assert_int_equal(data.c, 2);
    assert_memory_equal(sample(f, &data, 1), values + 2, 2 * sizeof *values);
    assert_int_equal(read(f, write(f, "x.npy", file, sizeof file - 1), 0, &data), TS_BAD_INPUT);
}

/* {N, C, W} of a framework that has channels first, for a network of one dimension. */
static void numpy_planes_become_channels_last(void **state) {
    fixture *f = *state;
    static const int16_t values[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
    static const char json[] = "{\"x\": \"x.npy\", \"layout\": \"chw\"}";
    static const float expected[] = {7, 10, 8, 11, 9, 12};
    ts_data data;
    ts_bytes file = npy_make(f->arena, "<i2", "2, 2, 3", values, sizeof values);
    write(f, "x.npy", file.data, file.size);
    assert_int_equal(read(f, write(f, "set.json", json, sizeof json - 1), 0, &data), TS_OK);
    assert_true(data.h == 1 && data.w == 3 && data.c == 2);
    assert_memory_equal(sample(f, &data, 1), expected, sizeof expected);
    file = npy_make(f->arena, "<i2", "2, 2, 3, 1", values, sizeof values);
    write(f, "x.npy", file.data, file.size);
    assert_int_equal(read(f, write(f, "set.json", json, sizeof json - 1), 0, &data), TS_OK);
    assert_true(data.h == 3 && data.w == 1 && data.c == 2);
    assert_memory_equal(sample(f, &data, 1), expected, sizeof expected);
}

/* {N, W, C} fits a network of one dimension, {N, C, W} does not, though it has as many elements. */
static void signals_are_checked_along_both_axes(void **state) {
    fixture *f = *state;
    static const uint8_t values[12] = {0};
    ts_ftensor signal = {.name = "x", .rank = 3, .dims = {1, 3, 2}, .layout = TS_LAYOUT_CHANNELS_LAST},
               map = {.name = "x", .rank = 4, .dims = {1, 1, 3, 2}, .layout = TS_LAYOUT_CHANNELS_LAST};
    ts_data data;
    ts_bytes file = npy_make(f->arena, "|u1", "2, 3, 2", values, sizeof values);
    assert_int_equal(read(f, write(f, "x.npy", file.data, file.size), 0, &data), TS_OK);
    assert_int_equal(ts_data_check(&data, &signal, &f->diags), TS_OK);
    assert_int_equal(ts_data_check(&data, &map, &f->diags), TS_OK);
    file = npy_make(f->arena, "|u1", "2, 2, 3", values, sizeof values);
    assert_int_equal(read(f, write(f, "x.npy", file.data, file.size), 0, &data), TS_OK);
    assert_int_equal(ts_data_check(&data, &signal, &f->diags), TS_BAD_INPUT);
    assert_int_equal(ts_data_check(&data, &map, &f->diags), TS_BAD_INPUT);
}

static void cifar_batches_are_planes(void **state) {
    fixture *f = *state;
    static const char json[] = "{\"x\": \"batch.bin\", \"format\": \"cifar10\"}";
    uint8_t *batch = ts_arena_alloc(f->arena, 2 * 3073);
    batch[3073] = 4;
    batch[3073 + 1 + 1024 + 5] = 200; /* green of pixel 5 */
    ts_data data;
    write(f, "batch.bin", batch, 2 * 3073);
    assert_int_equal(read(f, write(f, "set.json", json, sizeof json - 1), 0, &data), TS_OK);
    assert_int_equal(ts_data_label(&data, 1), 4);
    assert_true(sample(f, &data, 1)[5 * 3 + 1] == 200.0f);
}

static void pictures_are_labelled_by_folder_or_table(void **state) {
    fixture *f = *state;
    uint8_t png[PNG_BYTES];
    size_t size = png_make(png, 255);
    static const char table[] = "file,label\nb/2.png,5\na/1.png,6\n";
    ts_data data;
    assert_int_equal(ts_dir_create(ts_path_join(f->arena, f->folder, "a"), &f->diags), TS_OK);
    assert_int_equal(ts_dir_create(ts_path_join(f->arena, f->folder, "b"), &f->diags), TS_OK);
    write(f, "a/1.png", png, size);
    write(f, "b/2.png", png, size);
    ts_status status = read(f, f->folder, 0, &data);
    if (status != TS_OK && strstr(f->diags.list.data[0].text, "built without") != NULL) {
        skip();
    }
    assert_int_equal(status, TS_OK);
    assert_int_equal(data.count, 2);
    assert_int_equal(ts_data_label(&data, 0), 0);
    assert_int_equal(ts_data_label(&data, 1), 1);
    assert_true(sample(f, &data, 0)[0] == 255.0f);
    write(f, "labels.csv", table, sizeof table - 1);
    assert_int_equal(read(f, f->folder, 0, &data), TS_OK);
    assert_int_equal(ts_data_label(&data, 0), 5);
    assert_int_equal(ts_data_label(&data, 1), 6);
}

static void resizing_interpolates_and_crops_the_middle(void **state) {
    fixture *f = *state;
    static const uint8_t bytes[] = {9, 9, 9, 9, 9, 0, 4, 9, 9, 8, 12, 9, 9, 9, 9, 9};
    static const char json[] =
        "{\"x\": \"x.bin\", \"shape\": [4, 4, 1], \"type\": \"u8\", \"crop\": [2, 2], "
        "\"resize\": [4, 4]}";
    static const float row[] = {0, 1, 3, 4}, second[] = {2, 3, 5, 6};
    ts_data data;
    write(f, "x.bin", bytes, sizeof bytes);
    assert_int_equal(read(f, write(f, "set.json", json, sizeof json - 1), 0, &data), TS_OK);
    const float *x = sample(f, &data, 0);
    assert_memory_equal(x, row, sizeof row);
    assert_memory_equal(x + 4, second, sizeof second);
}

static void subsets_are_seeded_and_without_repetition(void **state) {
    fixture *f = *state;
    static const char json[] = "{\"x\": \"x.bin\", \"shape\": [1, 1, 1], \"type\": \"u8\"}";
    uint8_t bytes[100];
    bool seen[100] = {false};
    ts_data a, b;
    for (uint8_t i = 0; i < 100; i++) {
        bytes[i] = i;
    }
    write(f, "x.bin", bytes, sizeof bytes);
    const char *path = write(f, "set.json", json, sizeof json - 1);
    assert_int_equal(read(f, path, 40, &a), TS_OK);
    assert_int_equal(read(f, path, 40, &b), TS_OK);
    assert_int_equal(a.count, 40);
    for (uint32_t i = 0; i < 40; i++) {
        uint32_t value = (uint32_t)sample(f, &a, i)[0];
        assert_false(seen[value]);
        seen[value] = true;
        assert_true(sample(f, &b, i)[0] == (float)value);
    }
}

static void folds_part_a_set(void **state) {
    fixture *f = *state;
    static const uint8_t bytes[] = {0, 1, 2, 3, 4, 5, 6};
    static const char part[] = "{\"x\": \"x.bin\", \"shape\": [1, 1, 1], \"type\": \"u8\", \"fold\": [3, 1]}";
    static const char rest[] =
        "{\"x\": \"x.bin\", \"shape\": [1, 1, 1], \"type\": \"u8\", \"fold\": [3, 1], \"rest\": true}";
    static const char wrong[] =
        "{\"x\": \"x.bin\", \"shape\": [1, 1, 1], \"type\": \"u8\", \"fold\": [3, 3]}";
    static const float some[] = {1, 4}, others[] = {0, 2, 3, 5, 6};
    ts_data data;
    write(f, "x.bin", bytes, sizeof bytes);
    assert_int_equal(read(f, write(f, "part.json", part, sizeof part - 1), 0, &data), TS_OK);
    assert_int_equal(data.count, 2);
    for (uint32_t i = 0; i < 2; i++) {
        assert_float_equal(sample(f, &data, i)[0], some[i], 0);
    }
    assert_int_equal(read(f, write(f, "rest.json", rest, sizeof rest - 1), 0, &data), TS_OK);
    assert_int_equal(data.count, 5);
    for (uint32_t i = 0; i < 5; i++) {
        assert_float_equal(sample(f, &data, i)[0], others[i], 0);
    }
    assert_int_equal(read(f, write(f, "wrong.json", wrong, sizeof wrong - 1), 0, &data), TS_BAD_INPUT);
}

static void wrong_arrays_are_refused(void **state) {
    fixture *f = *state;
    static const char *const types[] = {"<u9", "<i3", "<f2", "<c8", ">i4", "<u0"};
    static const uint8_t bytes[64] = {1};
    ts_data data;
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        ts_bytes file = npy_make(f->arena, types[i], "2, 3", bytes, sizeof bytes);
        assert_int_equal(read(f, write(f, "x.npy", file.data, file.size), 0, &data), TS_BAD_INPUT);
    }
}

/* A header may ask for no more than its bytes can hold. */
static void pictures_larger_than_their_bytes_are_refused(void **state) {
    fixture *f = *state;
    uint8_t png[PNG_BYTES];
    size_t size = png_make(png, 1);
    png_number(png + 16, 8000);
    png_number(png + 20, 8000);
    png_number(png + 29, zip_checksum((ts_bytes){png + 12, 17}));
    uint32_t h, w;
    const uint8_t *pixels;
    ts_bytes file = {png, size};
    assert_int_equal(ts__picture_decode(f->arena, "x.png", file, 1, &h, &w, &pixels, &f->diags),
                     TS_BAD_INPUT);
    assert_true(ts_arena_used_bytes(f->arena) < 1 << 20);
}

static void wrong_descriptions_are_refused(void **state) {
    fixture *f = *state;
    static const char *const wrong[] = {
        "{",
        "[]",
        "{}",
        "{\"x\": \"missing.bin\"}",
        "{\"x\": \"x.bin\", \"shape\": [2, 2, 2], \"type\": \"u8\"}",
        "{\"x\": \"x.bin\", \"shape\": [3, 1, 1], \"type\": \"u9\"}",
        "{\"x\": \"x.bin\", \"shape\": [3, 1, 0], \"type\": \"u8\"}",
        "{\"x\": \"x.bin\", \"shape\": [3, 1], \"type\": \"u8\"}",
        "{\"x\": \"x.bin\", \"shape\": [3, 1, 1], \"type\": \"u8\", \"mean\": [1, 2]}",
        "{\"x\": \"x.bin\", \"shape\": [3, 1, 1], \"type\": \"u8\", \"crop\": [4, 1]}",
        "{\"x\": \"x.bin\", \"shape\": [3, 1, 1], \"type\": \"u8\", \"y\": \"x.bin\"}"};
    ts_data data;
    write(f, "x.bin", "abc", 3);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        const char *path = write(f, "set.json", wrong[i], strlen(wrong[i]));
        assert_int_not_equal(read(f, path, 0, &data), TS_OK);
        assert_true(ts_diags_errors(&f->diags) > i);
    }
}

/* Float "network" that hands its input on: scores are the samples themselves. */
static void scores_are_counted(void **state) {
    fixture *f = *state;
    static const float x[] = {1, 2, 5, 1, 0, 1, 3, 1};
    static const char json[] =
        "{\"x\": \"x.bin\", \"y\": \"y.bin\", \"shape\": [1, 1, 2], \"type\": \"f32\"}";
    ts_data data;
    ts_score score;
    write(f, "x.bin", x, sizeof x);
    write(f, "y.bin", "\x01\x00\x00\x01", 4);
    assert_int_equal(read(f, write(f, "set.json", json, sizeof json - 1), 0, &data), TS_OK);
    ts_fgraph *graph = ts_fgraph_new(f->arena, "pass");
    ts_ftensor input = {.name = "x", .rank = 2, .dims = {1, 2}, .producer = TS_NONE};
    ts_tensor_id in = ts_fgraph_add_tensor(graph, &input), out;
    ts_fnode relu = {.name = "relu", .op = TS_FOP_RELU, .input_count = 1, .inputs = {in}};
    TS_PUSH(f->arena, &graph->inputs, in);
    assert_int_equal(ts_fgraph_add_node(graph, &relu, "y", NULL, &out, &f->diags), TS_OK);
    TS_PUSH(f->arena, &graph->outputs, out);
    assert_int_equal(ts_evaluate_float(f->arena, graph, &data, NULL, &score, &f->diags), TS_OK);
    assert_true(score.has_classes && score.has_auc && score.has_error);
    assert_true(fabs(score.top1 - 0.5) < 1e-9);
    assert_int_equal(score.confusion[0], 1);
    assert_int_equal(score.confusion[1], 1);
    /* Differences 1 (label 1), -4 (0), 1 (0), -2 (1): of four pairs two are right and one is even. */
    assert_true(fabs(score.auc - 2.5 / 4) < 1e-9);
    assert_true(score.mean_square < 1e-12);
}

/* An autoencoder with labels 0 and 1: the area is that of its error. */
static void anomalies_are_ranked_by_their_error(void **state) {
    fixture *f = *state;
    static const float x[] = {-1, 2, 3, 1, 1, 1, -3, -1, 0, -2, 5, 5}; /* errors 1, 0, 10, 4 of relu */
    static const char json[] =
        "{\"x\": \"x.bin\", \"y\": \"y.bin\", \"shape\": [1, 1, 3], \"type\": \"f32\"}";
    ts_data data;
    ts_score score;
    write(f, "x.bin", x, sizeof x);
    write(f, "y.bin", "\x00\x00\x01\x00", 4);
    assert_int_equal(read(f, write(f, "set.json", json, sizeof json - 1), 0, &data), TS_OK);
    ts_fgraph *graph = ts_fgraph_new(f->arena, "pass");
    ts_ftensor input = {.name = "x", .rank = 2, .dims = {1, 3}, .producer = TS_NONE};
    ts_tensor_id in = ts_fgraph_add_tensor(graph, &input), out;
    ts_fnode relu = {.name = "relu", .op = TS_FOP_RELU, .input_count = 1, .inputs = {in}};
    TS_PUSH(f->arena, &graph->inputs, in);
    assert_int_equal(ts_fgraph_add_node(graph, &relu, "y", NULL, &out, &f->diags), TS_OK);
    TS_PUSH(f->arena, &graph->outputs, out);
    assert_int_equal(ts_evaluate_float(f->arena, graph, &data, NULL, &score, &f->diags), TS_OK);
    assert_true(score.has_auc && score.has_error && !score.has_classes);
    assert_true(fabs(score.auc - 1) < 1e-9);
    assert_true(fabs(score.errors[2] - 10.0 / 3) < 1e-6 && fabs(score.mean_square - 15.0 / 12) < 1e-6);
    write(f, "y.bin", "\x01\x00\x01\x00", 4); /* error 1 stands below 4 */
    assert_int_equal(read(f, write(f, "set.json", json, sizeof json - 1), 0, &data), TS_OK);
    assert_int_equal(ts_evaluate_float(f->arena, graph, &data, NULL, &score, &f->diags), TS_OK);
    assert_true(fabs(score.auc - 0.75) < 1e-9);
}

/* Samples and labels in one archive, stored or deflated, by their usual names or by those that are given. */
static void archives_of_arrays_are_read(void **state) {
    fixture *f = *state;
    static const uint8_t x[] = {1, 2, 3, 4, 5, 6, 7, 8}, more[] = {9, 9, 9, 9};
    static const int64_t y[] = {3, 0};
    ts_data data;
    const zip_member members[] = {{"x.npy", npy_make(f->arena, "|u1", "2, 4", x, sizeof x)},
                                  {"y.npy", npy_make(f->arena, "<i8", "2,", y, sizeof y)},
                                  {"test.npy", npy_make(f->arena, "|u1", "1, 4", more, sizeof more)}};
    for (uint32_t deflated = 0; deflated < 2; deflated++) {
        ts_bytes file = zip_make(f->arena, members, 3, deflated == 1);
        const char *path = write(f, "set.npz", file.data, file.size);
        if (read(f, path, 0, &data) != TS_OK) {
            const char *why = f->diags.list.data[f->diags.list.count - 1].text;
            assert_non_null(strstr(why, "built without libzip"));
            skip();
        }
        assert_int_equal(data.count, 2);
        assert_true(sample(f, &data, 1)[3] == 8.0f);
        assert_int_equal(ts_data_label(&data, 0), 3);
        static const char json[] = "{\"x\": \"set.npz:test\"}";
        path = write(f, "set.json", json, sizeof json - 1);
        assert_int_equal(read(f, path, 0, &data), TS_OK);
        assert_int_equal(data.count, 1);
        assert_null(data.labels);
        path = ts_arena_printf(f->arena, "%s/set.npz:absent", f->folder);
        assert_int_equal(read(f, path, 0, &data), TS_BAD_INPUT);
        const char *why = f->diags.list.data[f->diags.list.count - 1].text;
        assert_non_null(strstr(why, "holds no array 'absent' but 'x.npy', 'y.npy', 'test.npy'"));
    }
    ts_bytes alone = zip_make(f->arena, &members[2], 1, false); /* the only one, whatever its name */
    assert_int_equal(read(f, write(f, "one.npz", alone.data, alone.size), 0, &data), TS_OK);
    assert_int_equal(data.count, 1);
}

/* Every byte of an archive may be wrong, and its end may be missing. */
static void damaged_archives_are_refused(void **state) {
    fixture *f = *state;
    static const uint8_t x[] = {1, 2, 3, 4, 5, 6, 7, 8};
    const zip_member member = {"x.npy", npy_make(f->arena, "|u1", "2, 4", x, sizeof x)};
    ts_bytes good = zip_make(f->arena, &member, 1, true), out;
    uint8_t *bad = ts_arena_copy(f->arena, good.data, good.size);
    uint32_t refused = 0;
    if (ts__npz_member(f->arena, "good", good, "x", true, &out, &f->diags) != TS_OK) {
        skip();
    }
    for (size_t i = 0; i < good.size; i++) {
        ts_bytes cut = {good.data, i};
        assert_int_not_equal(ts__npz_member(f->arena, "cut", cut, "x", true, &out, &f->diags), TS_OK);
        bad[i] ^= 0x55;
        ts_bytes file = {bad, good.size};
        if (ts__npz_member(f->arena, "bad", file, "x", true, &out, &f->diags) == TS_OK) {
            assert_int_equal(out.size, member.data.size); /* a byte that nobody reads */
        } else {
            refused++;
        }
        bad[i] ^= 0x55;
    }
    assert_true(refused > good.size / 2);
}

/* An archive may say more of a member than its bytes can hold, or pack it as NumPy does not. */
static void archives_larger_than_their_bytes_are_refused(void **state) {
    enum {
        METHOD = 8,
        SIZE = 22,
        IN_DIRECTORY = 2
    }; /* places in a local header; two further in the directory */
    fixture *f = *state;
    static const uint8_t x[] = {1, 2, 3, 4};
    const zip_member member = {"x.npy", npy_make(f->arena, "|u1", "4,", x, sizeof x)};
    ts_bytes good = zip_make(f->arena, &member, 1, true), out;
    if (ts__npz_member(f->arena, "good", good, "x", true, &out, &f->diags) != TS_OK) {
        skip();
    }
    size_t directory = good.size - 22 - 46 - strlen(member.name);
    for (uint32_t i = 0; i < 2; i++) {
        uint8_t *bad = ts_arena_copy(f->arena, good.data, good.size);
        size_t at = i == 0 ? SIZE + 3 : METHOD; /* 512 MB; the way of packing that is called bzip2 */
        uint8_t value = i == 0 ? 0x20 : 12;
        bad[at] = bad[directory + at + IN_DIRECTORY] = value;
        size_t before = ts_arena_used_bytes(f->arena);
        ts_bytes file = {bad, good.size};
        assert_int_equal(ts__npz_member(f->arena, "bad", file, "x", true, &out, &f->diags), TS_BAD_INPUT);
        const char *why = f->diags.list.data[f->diags.list.count - 1].text;
        assert_non_null(strstr(why, "neither stored nor deflated, or larger than its bytes can be"));
        assert_true(ts_arena_used_bytes(f->arena) - before < 4096);
    }
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {TEST(raw_planes_become_channels_last),
                                       TEST(idx_files_are_known_by_their_magic),
                                       TEST(numpy_arrays_are_read_without_a_description),
                                       TEST(numpy_planes_become_channels_last),
                                       TEST(signals_are_checked_along_both_axes),
                                       TEST(cifar_batches_are_planes),
                                       TEST(pictures_are_labelled_by_folder_or_table),
                                       TEST(resizing_interpolates_and_crops_the_middle),
                                       TEST(subsets_are_seeded_and_without_repetition),
                                       TEST(folds_part_a_set),
                                       TEST(wrong_arrays_are_refused),
                                       TEST(pictures_larger_than_their_bytes_are_refused),
                                       TEST(wrong_descriptions_are_refused),
                                       TEST(archives_of_arrays_are_read),
                                       TEST(damaged_archives_are_refused),
                                       TEST(archives_larger_than_their_bytes_are_refused),
                                       TEST(scores_are_counted),
                                       TEST(anomalies_are_ranked_by_their_error)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
