/* Writes a seed corpus for every fuzz target: make_corpus FOLDER. */
#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "elf_maker.h"
#include "flat_maker.h"
#include "ir/text_form.h"
#include "model/model.h"
#include "num/generate.h"
#include "png_maker.h"
#include "qdq_maker.h"
#include "random_program.h"
#include "target/target.h"
#include "wav_maker.h"
#include "zip_maker.h"

#ifdef TS_HAVE_JPEG
#include <turbojpeg.h>
#endif

enum { SEED_LIMIT = 1 << 20 };

typedef TS_VEC(const char *) word_list;

static ts_status write_seed(const char *folder, const char *name, const void *data, size_t size,
                            ts_diags *diags) {
    return ts_file_write(ts_path_join(diags->arena, folder, name), data, size, diags);
}

static ts_status networks(const char *onnx, const char *text, ts_diags *diags) {
    ts_random_limits limits = ts_random_limits_default();
    limits.side = 5;
    limits.channels = 4;
    for (uint64_t seed = 1; seed <= 64; seed++) {
        ts_arena *arena = diags->arena;
        ts_graph *graph;
        ts_text out = {.arena = arena};
        char *name = ts_arena_printf(arena, "random%u", (unsigned)seed);
        limits.nemo_only = seed <= 16 || seed > 44;
        limits.tflite = seed > 20 && seed <= 44;
        limits.moves = seed > 24 && seed % 2 == 0;
        limits.picks = seed > 24 && seed % 4 == 0;
        limits.norms = seed > 24 && seed % 4 == 2;
        if (seed > 24) { /* small ones, which are changed with more effect */
            limits.nodes = 1 + seed % 3;
            limits.side = 4;
            limits.channels = 2;
        }
        TS_TRY(ts_random_network(arena, seed, &limits, &graph, diags));
        if (limits.nemo_only) {
            TS_TRY(ts_model_write_nemo(graph, ts_path_join(arena, onnx, name), diags));
        }
        ts_graph_print(&out, graph);
        TS_TRY(write_seed(text, name, out.data, out.size, diags));
    }
    return TS_OK;
}

static ts_status arrays(const char *folder, ts_diags *diags) {
    static const char *const types[] = {"|u1", "<i2", "<f4", ">i4", "<f8", "<i8", "|b1"};
    static const size_t sizes[] = {1, 2, 4, 4, 8, 8, 1};
    for (uint32_t i = 0; i < 7; i++) {
        char file[512] = {0};
        bool fortran = i % 2 == 1;
        int n = snprintf(file + 11, 200, "{'descr': '%s', 'fortran_order': %s, 'shape': %s, }", types[i],
                         fortran ? "True" : "False",
                         i % 3 == 0   ? "(1, 2, 3, 4)"
                         : i % 3 == 1 ? "(6,)"
                                      : "(3, 1)");
        size_t elements = i % 3 == 0 ? 24 : i % 3 == 1 ? 6 : 3;
        memcpy(file, "\0\x93NUMPY\1", 8);
        file[0] = (char)(i % 3);
        file[9] = (char)n;
        TS_TRY(write_seed(folder, ts_arena_printf(diags->arena, "array%u", (unsigned)i), file,
                          11 + (size_t)n + elements * sizes[i], diags));
    }
    return TS_OK;
}

static ts_status texts(const char *text, const char *json, ts_diags *diags) {
    static const char *const values[] = {"# input (shape [2, 2, 1]),\n28.000,\n-3,\n4.000000,\n+5\n",
                                         "layers.0.relu1 (shape [1, 2]),\\\n0,\\\n255,\\\n",
                                         "1e2, -2147483648\n"};
    static const char *const settings[] = {
        "{\"BNRelu_bits\": 32, \"onnx_file\": \"./net.onnx\", \"code reserved space\": 310000}",
        "{\"onnx_file\": \"a\", \"n_inputs\": 9, \"input_bits\": 2, \"input_signed\": true}"};
    for (uint32_t i = 0; i < 3; i++) {
        char *name = ts_arena_printf(diags->arena, "seed%u", (unsigned)i);
        TS_TRY(write_seed(text, name, values[i], strlen(values[i]), diags));
        if (i < 2) {
            TS_TRY(write_seed(json, name, settings[i], strlen(settings[i]), diags));
        }
    }
    return TS_OK;
}

/* Executables and lines of assembler. */
static ts_status programs(const char *elf, const char *insn, ts_diags *diags) {
    static const char *const lines[] = {"pv.sdotusp.b a0, a1, a2", "p.lw t0, -4(a1!)", "fence iorw, rw",
                                        "lp.setupi 1, 100, 0x80000010", "c.addi16sp sp, -64"};
    for (uint32_t i = 0; i < 5; i++) {
        char *name = ts_arena_printf(diags->arena, "seed%u", (unsigned)i);
        size_t size;
        void *file = random_image_elf(random_image_new(diags->arena, i, 2), END_STORE, &size);
        TS_TRY(write_seed(elf, name, file, size, diags));
        TS_TRY(write_seed(insn, name, lines[i], strlen(lines[i]), diags));
    }
    uint8_t file[ELF_FILE_BYTES];
    elf_make(file);
    TS_TRY(write_seed(elf, "symbols", file, sizeof file, diags));
    file[18] = 40;
    return write_seed(elf, "arm", file, sizeof file, diags);
}

/* A run of one layer, a plan alone, and the figures of quantize and eval. */
static ts_status reports(const char *folder, ts_diags *diags) {
    static const char plan[] =
        "{\"layers\": [{\"name\": \"a\", \"op\": \"conv\", \"macs\": 9, \"x\": {\"tensor\": \"t\", \"h\": 4, "
        "\"buffer\": "
        "0}, \"y\": {\"buffer\": 1}, \"l1\": {\"tile\": {\"y_h\": 2}, \"tiles\": [2, 1, 1], \"x\": "
        "{\"count\": 2, "
        "\"bytes\": 64, \"offsets\": [0, 64]}}, \"l3\": {\"weights_bytes\": 300}}], \"buffers\": [{\"role\": "
        "\"activation\", \"level\": \"l2\", \"bytes\": 400, \"first_layer\": 0, \"last_layer\": 0}]}";
    const char *run = ts_arena_printf(
        diags->arena,
        "{\"cycles\": 100, \"verified\": true, \"causes\": [\"issued\", \"idle\"], \"operating_points\": "
        "[{\"name\": \"p\", \"seconds\": 0.1}], \"chip\": {\"isa\": \"xpulp\", \"cores\": 1}, \"layers\": "
        "[{\"cycles\": 100, \"verified\": true, \"core_cycles\": {\"issued\": 90}, \"cycles_by_core\": [[90, "
        "10]]}], "
        "\"timeline\": {\"rows\": [\"layers\"], \"kinds\": [\"layer\"], \"spans\": [[0, 0, 5, 100, 1, "
        "\"a\"]]}, "
        "\"plan\": %s}",
        plan);
    static const char quantised[] =
        "{\"weight_bits\": 8, \"activation_bits\": 8, \"layers\": [{\"name\": \"a\", \"op\": \"conv\", "
        "\"type\": "
        "\"u8\", \"weight_bits\": 8, \"quantum\": 0.5, \"low\": -1, \"high\": 2, \"clipped\": 0.1, "
        "\"weights_db\": 40, \"output_db\": 30, \"points_lost\": 0.5}], \"top1\": {\"fp\": 0.9, \"id\": "
        "0.8}}";
    static const char accuracy[] =
        "{\"kind\": \"integer\", \"samples\": 9, \"top1\": 0.5, \"auc\": 0.5, \"mean_square_error\": 1}";
    TS_TRY(write_seed(folder, "quantised.json", quantised, strlen(quantised), diags));
    TS_TRY(write_seed(folder, "accuracy.json", accuracy, strlen(accuracy), diags));
    TS_TRY(write_seed(folder, "run.json", run, strlen(run), diags));
    return write_seed(folder, "plan.json", plan, strlen(plan), diags);
}

/* Arrays alone, and in archives with stored and with deflated members. */
static ts_status data_sets(const char *folder, ts_diags *diags) {
    static const uint8_t bytes[12] = {1, 2, 3, 4};
    ts_arena *arena = diags->arena;
    const zip_member members[] = {{"x.npy", npy_make(arena, "|u1", "3, 4", bytes, 12)},
                                  {"y.npy", npy_make(arena, "<i4", "3,", bytes, 12)}};
    ts_bytes stored = zip_make(arena, members, 2, false), deflated = zip_make(arena, members, 1, true);
    TS_TRY(write_seed(folder, "array", members[0].data.data, members[0].data.size, diags));
    TS_TRY(write_seed(folder, "vector", members[1].data.data, members[1].data.size, diags));
    TS_TRY(write_seed(folder, "stored", stored.data, stored.size, diags));
    return write_seed(folder, "deflated", deflated.data, deflated.size, diags);
}

static ts_status sounds(const char *folder, ts_diags *diags) {
    static const uint32_t codings[][3] = {{WAV_PCM, 8, 1},   {WAV_PCM, 16, 2},   {WAV_PCM, 24, 1},
                                          {WAV_PCM, 32, 3},  {WAV_FLOAT, 32, 1}, {WAV_FLOAT, 64, 2},
                                          {WAV_MULAW, 8, 1}, {WAV_ALAW, 8, 1},   {WAV_ADPCM, 4, 1}};
    uint8_t bytes[192];
    for (uint32_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)(i * 37 % 61); /* small exponents, as floats */
    }
    for (uint32_t i = 0; i < sizeof codings / sizeof *codings; i++) {
        const uint32_t *c = codings[i];
        ts_bytes wav = wav_make(diags->arena, c[0], c[1], c[2], 16000, bytes, sizeof bytes);
        TS_TRY(write_seed(folder, ts_arena_printf(diags->arena, "sound%u.wav", (unsigned)i), wav.data,
                          wav.size, diags));
    }
    return TS_OK;
}

/* Operators of integer transformers, one a file, with all attributes that any of them has. */
static ts_status token_operators(const char *onnx, ts_diags *diags) {
    static const char *const names[] = {"iLayerNorm", "iRMSNorm",       "iSoftmax",    "ITAMax", "iGELU",
                                        "iHardswish", "TrueIntegerDiv", "IntegerMean", "MatMul", "Mul",
                                        "Concat",     "Gather",         "Slice"};
    static const struct {
        const char *name;
        int64_t value;
    } attributes[] = {{"D", 16},   {"n_levels", 256}, {"coeffA", 1}, {"coeffB", 5},       {"coeffC", 9},
                      {"log2", 3}, {"b", -4},         {"one", 9},    {"one_over_six", 4}, {"three", 3},
                      {"six", 6},  {"Delta", 64},     {"eta", 3},    {"eps", 1},          {"y", 2},
                      {"axis", 1}, {"axes", 1}};
    static const int64_t dims[3] = {1, 2, 4}, words[4] = {9, -3, 100, 7}, one = 1, two = 2, four = 4;
    for (uint32_t i = 0; i < sizeof names / sizeof *names; i++) {
        maker m = {.arena = diags->arena, .opset = 11};
        const char *x = mk_input(&m, 3, dims), *second = NULL, *third = NULL;
        if (names[i][0] == 'i' && strstr(names[i], "Norm") != NULL) {
            second = mk_initializer(&m, "w", MK_FLOAT, 1, &four, words);
        } else if (strcmp(names[i], "Gather") == 0) {
            second = mk_initializer(&m, "i", MK_INT64, 0, NULL, &one);
        } else if (strcmp(names[i], "Slice") == 0) {
            second = mk_initializer(&m, "b", MK_INT64, 1, &one, &one);
            third = mk_initializer(&m, "e", MK_INT64, 1, &one, &two);
        } else if (strcmp(names[i], "MatMul") == 0) {
            second = mk_node(&m, "Transpose", x, NULL, NULL)->output[0];
            mk_ints(&m, m.nodes.data[0], "perm", 3, (const int64_t[]){0, 2, 1});
        } else if (strcmp(names[i], "Mul") == 0 || strcmp(names[i], "Concat") == 0) {
            second = x;
        }
        Onnx__NodeProto *node = mk_node(&m, names[i], x, second, third);
        for (uint32_t k = 0; k < sizeof attributes / sizeof *attributes; k++) {
            mk_int(&m, node, attributes[k].name, attributes[k].value);
        }
        const int64_t zero = 0;
        Onnx__NodeProto *shift =
            mk_node(&m, "RequantShift", node->output[0], mk_initializer(&m, "m", MK_FLOAT, 0, NULL, &one),
                    mk_initializer(&m, "a", MK_FLOAT, 0, NULL, &zero));
        mk_int(&m, shift, "div", 16);
        mk_output(&m, shift->output[0]);
        ts_bytes file = mk_pack(&m);
        TS_TRY(write_seed(onnx, ts_arena_printf(diags->arena, "tokens%s", names[i]), file.data, file.size,
                          diags));
    }
    return TS_OK;
}

/* One quantised operator a file: small files, which are changed with more effect. */
static ts_status single_operators(const char *onnx, const char *real, ts_diags *diags) {
    static const char *const names[] = {"Relu",
                                        "Sigmoid",
                                        "Add",
                                        "Mul",
                                        "Sub",
                                        "MaxPool",
                                        "GlobalAveragePool",
                                        "Concat",
                                        "Flatten",
                                        "Softmax",
                                        "Clip",
                                        "Reshape",
                                        "Transpose",
                                        "Slice",
                                        "Pad",
                                        "Squeeze",
                                        "BatchNormalization",
                                        "AveragePool",
                                        "Resize",
                                        "ReduceMean",
                                        "HardSwish",
                                        "LeakyRelu",
                                        "Split",
                                        "Gemm"};
    for (uint32_t i = 0; i < sizeof names / sizeof *names; i++) {
        maker m = {.arena = diags->arena, .opset = i % 2 == 0 ? 13 : 11};
        bool quantised = i % 3 != 2;
        const char *x = mk_input(&m, 4, (const int64_t[]){1, 2, 4, 4});
        x = quantised ? qdq_both(&m, x, 0.031f, UINT8, 113) : x;
        bool two = strcmp(names[i], "Concat") == 0 || names[i][1] == 'u' || names[i][1] == 'd';
        Onnx__NodeProto *node = mk_node(&m, names[i], x, two ? x : NULL, NULL);
        if (strstr(names[i], "Pool") != NULL && names[i][0] != 'G') {
            mk_ints(&m, node, "kernel_shape", 2, (const int64_t[]){2, 2});
        } else if (strcmp(names[i], "Transpose") == 0) {
            mk_ints(&m, node, "perm", 4, (const int64_t[]){0, 2, 3, 1});
        } else if (strcmp(names[i], "Concat") == 0) {
            mk_int(&m, node, "axis", 1);
        }
        const char *y = node->output[0];
        mk_output(&m, quantised ? qdq_both(&m, y, 0.05f, UINT8, 3) : y);
        ts_bytes file = mk_pack(&m);
        TS_TRY(write_seed(onnx, names[i], file.data, file.size, diags));
        TS_TRY(write_seed(real, names[i], file.data, file.size, diags));
    }
    return TS_OK;
}

/* Each sample whole, and each of its operators alone. */
static ts_status flat_models(const char *folder, ts_diags *diags) {
    static ts_bytes (*const samples[])(flat_maker *) = {tfm_sample,  tfm_moves,  tfm_float,  tfm_float_moves,
                                                        tfm_islands, tfm_shapes, tfm_stream, tfm_dilated};
    static const uint32_t counts[] = {TFM_SAMPLE_OPS - 1, TFM_MOVES_OPS,  TFM_FLOAT_OPS,  TFM_FLOAT_MOVES_OPS,
                                      TFM_ISLANDS_OPS,    TFM_SHAPES_OPS, TFM_STREAM_OPS, TFM_DILATED_OPS};
    static flat_maker maker;
    for (uint32_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        for (uint32_t k = 0; k <= counts[i]; k++) {
            maker.only = k;
            ts_bytes file = samples[i](&maker);
            const char *name = ts_arena_printf(diags->arena, "sample%u-%u", (unsigned)i, (unsigned)k);
            TS_TRY(write_seed(folder, name, file.data, file.size, diags));
        }
    }
    return TS_OK;
}

/* Descriptions of sweeps; journals as they are, damaged, and without the checksums that the target adds. */
static ts_status explorations(const char *root, ts_diags *diags) {
    static const char *const sweeps[] = {
        "{\"name\": \"a\", \"target\": \"gap8\", \"generate\": \"mobilenet-v1\", \"resolution\": 64,\n"
        " \"axes\": {\"l2\": [\"256K\", 65536], \"l1\": [\"22K\", 4096], \"target.dma.start_cycles\": [11, "
        "40]},\n"
        " \"plot\": {\"x\": \"l1\", \"y\": \"cycles\"}}",
        "{\"model\": \"net.onnx\", \"axes\": {\"cores\": [1, 8, 16], \"objective\": [\"dory\", \"latency\"],"
        " \"ref_kernels\": [true, false], \"seed\": [1]}}",
        "{\"generate\": \"resnet8\", \"width\": 0.5, \"classes\": 10, \"bits\": 4, \"weight_bits\": 8,"
        " \"network_seed\": 3, \"l3_bandwidth\": 0.5, \"target.memories.l3.read_bytes_per_cycle\": 2}",
        "{\"generate\": \"conv\", \"target\": \"chip.json\", \"axes\": {\"l1\": [1, \"1\"], \"l2\": []}}"};
    static const char *const journals[] = {
        "1{\"journal\":1,\"identity\":\"fuzz\"}\n{\"key\":\"l1=4096\",\"value\":{\"cycles\":100,\"status\":"
        "\"verified\"}}\n"
        "{\"key\":\"new\",\"value\":{}}\n",
        "1{\"journal\":1,\"identity\":\"fuzz\"}\n{\"key\":\"a\",\"value\":{\"x\":1.5}}\n{\"key\":\"b\",\"val",
        "1{\"journal\":1,\"identity\":\"other\"}\n", "1{\"journal\":2}\n{}\n",
        "0e0a6b4a8 {\"journal\":1,\"identity\":\"fuzz\"}\n00000000 {}\n"};
    const char *sweep = ts_path_join(diags->arena, root, "sweep"),
               *journal = ts_path_join(diags->arena, root, "journal");
    TS_TRY(ts_dir_create(sweep, diags));
    TS_TRY(ts_dir_create(journal, diags));
    for (uint32_t i = 0; i < sizeof sweeps / sizeof *sweeps; i++) {
        const char *name = ts_arena_printf(diags->arena, "sweep%u", (unsigned)i);
        TS_TRY(write_seed(sweep, name, sweeps[i], strlen(sweeps[i]), diags));
    }
    for (uint32_t i = 0; i < sizeof journals / sizeof *journals; i++) {
        const char *name = ts_arena_printf(diags->arena, "journal%u", (unsigned)i);
        TS_TRY(write_seed(journal, name, journals[i], strlen(journals[i]), diags));
    }
    return TS_OK;
}

#ifdef TS_HAVE_JPEG
static ts_status jpeg(const char *folder, ts_diags *diags) {
    uint8_t pixels[16 * 16 * 3], *file = NULL;
    unsigned long size = 0;
    for (uint32_t i = 0; i < sizeof pixels; i++) {
        pixels[i] = (uint8_t)(i * i / 3);
    }
    tjhandle handle = tjInitCompress();
    bool done = tjCompress2(handle, pixels, 16, 0, 16, TJPF_RGB, &file, &size, TJSAMP_420, 80, 0) == 0;
    ts_status status = done ? write_seed(folder, "picture.jpg", file, size, diags) : TS_OK;
    tjFree(file);
    tjDestroy(handle);
    return status;
}
#else
static ts_status jpeg(const char *folder, ts_diags *diags) {
    (void)folder, (void)diags;
    return TS_OK;
}
#endif

/* A PNG picture, alone, in a tar archive, and that as one stored block of gzip; a JPEG picture. */
static ts_status pictures(const char *folder, ts_diags *diags) {
    uint8_t png[PNG_BYTES];
    size_t size = png_make(png, 200);
    ts_text tar = {.arena = diags->arena}, gzip = {.arena = diags->arena};
    char block[512] = "a/1.png";
    snprintf(block + 124, 12, "%011o", (unsigned)size);
    block[156] = '0';
    ts_text_add_bytes(&tar, block, sizeof block);
    memset(block, 0, sizeof block);
    memcpy(block, png, size);
    ts_text_add_bytes(&tar, block, sizeof block);
    ts_text_add_bytes(&gzip, "\x1f\x8b\x08\0\0\0\0\0\0\3\1", 11);
    zip_number(&gzip, tar.size, 2);
    zip_number(&gzip, ~(uint64_t)tar.size, 2);
    ts_text_add_bytes(&gzip, tar.data, tar.size);
    zip_number(&gzip, zip_checksum((ts_bytes){(const uint8_t *)tar.data, tar.size}), 4);
    zip_number(&gzip, tar.size, 4);
    TS_TRY(write_seed(folder, "picture.png", png, size, diags));
    TS_TRY(write_seed(folder, "pictures.tar", tar.data, tar.size, diags));
    TS_TRY(write_seed(folder, "pictures.tgz", gzip.data, gzip.size, diags));
    return jpeg(folder, diags);
}

/* Words, without numbers, of a file that are not in the list yet. */
static void collect_words(ts_arena *arena, ts_bytes file, word_list *words) {
    enum { SHORTEST = 3, LONGEST = 31, MOST = 400 };
    for (size_t at = 0, end; at < file.size; at = end + 1) {
        for (end = at; end < file.size && (isalpha(file.data[end]) || file.data[end] == '_'); end++) {
        }
        size_t length = end - at;
        bool fits = length >= SHORTEST && length <= LONGEST && isalpha(file.data[at]) && words->count < MOST;
        char *word = fits ? ts_arena_copy(arena, file.data + at, length) : NULL;
        for (uint32_t i = 0; word != NULL && i < words->count; i++) {
            word = strcmp(words->data[i], word) == 0 ? NULL : word;
        }
        if (word != NULL) {
            TS_PUSH(arena, words, word);
        }
    }
}

/* FOLDER.dict: the words that stand in the seeds of a target, from which libFuzzer builds inputs. */
static ts_status dictionary(const char *folder, ts_diags *diags) {
    ts_arena *arena = diags->arena;
    word_list words = {0};
    ts_text out = {.arena = arena};
    DIR *dir = opendir(folder);
    for (struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;) {
        ts_bytes file;
        if (entry->d_name[0] != '.' && ts_file_read(arena, ts_path_join(arena, folder, entry->d_name),
                                                    SEED_LIMIT, &file, diags) == TS_OK) {
            collect_words(arena, file, &words);
        }
    }
    if (dir != NULL) {
        closedir(dir);
    }
    for (uint32_t i = 0; i < words.count; i++) {
        ts_text_printf(&out, "\"%s\"\n", words.data[i]);
    }
    return ts_file_write(ts_arena_printf(arena, "%s.dict", folder), out.data, out.size, diags);
}

static ts_status make(const char *root, ts_diags *diags) {
    static const char *const names[] = {"onnx", "graph_text", "npy",    "text",   "json", "tflite",  "elf",
                                        "insn", "float",      "target", "report", "data", "picture", "wav"};
    const char *folders[14];
    for (uint32_t i = 0; i < 14; i++) {
        folders[i] = ts_path_join(diags->arena, root, names[i]);
        TS_TRY(ts_dir_create(folders[i], diags));
    }
    TS_TRY(networks(folders[0], folders[1], diags));
    TS_TRY(networks(folders[8], folders[1], diags)); /* a float importer reads integers as well */
    TS_TRY(arrays(folders[2], diags));
    static const char table[] = "file,label\nb/2.png,5\na/1.png,6\n";
    TS_TRY(flat_models(folders[5], diags));
    TS_TRY(single_operators(folders[0], folders[8], diags));
    TS_TRY(token_operators(folders[0], diags));
    for (uint64_t seed = 0; seed < 3; seed++) {
        ts_bytes qdq = qdq_sample(diags->arena, seed);
        const char *name = ts_arena_printf(diags->arena, "qdq%u", (unsigned)seed);
        TS_TRY(write_seed(folders[0], name, qdq.data, qdq.size, diags));
        TS_TRY(write_seed(folders[8], name, qdq.data, qdq.size, diags));
    }
    ts_bytes layers = qdq_float_layers(diags->arena);
    TS_TRY(write_seed(folders[0], "qdq_float_layers", layers.data, layers.size, diags));
    TS_TRY(texts(folders[3], folders[4], diags));
    for (const ts_embedded *file = ts__embedded_targets; file->name != NULL; file++) {
        TS_TRY(write_seed(folders[9], file->name, file->data, file->size, diags));
    }
    TS_TRY(reports(folders[10], diags));
    TS_TRY(data_sets(folders[11], diags));
    TS_TRY(explorations(root, diags));
    TS_TRY(write_seed(folders[11], "labels.csv", table, sizeof table - 1, diags));
    TS_TRY(pictures(folders[12], diags));
    TS_TRY(sounds(folders[13], diags));
    TS_TRY(programs(folders[6], folders[7], diags));
    static const char *const worded[] = {"onnx", "float",  "graph_text", "npy",     "json",
                                         "data", "target", "report",     "journal", "sweep"};
    for (uint32_t i = 0; i < sizeof worded / sizeof *worded; i++) {
        TS_TRY(dictionary(ts_path_join(diags->arena, root, worded[i]), diags));
    }
    return TS_OK;
}

int main(int argc, char **argv) {
    if (argc != 2) {
        fputs("usage: make_corpus FOLDER\n", stderr);
        return TS_BAD_INPUT;
    }
    ts_arena *arena = ts_arena_new("corpus", 0);
    ts_diags diags = {.arena = arena};
    ts_status status = make(argv[1], &diags);
    for (uint32_t i = 0; i < diags.list.count; i++) {
        ts_diag_print(stderr, &diags.list.data[i]);
    }
    ts_arena_free(arena);
    return (int)status;
}
