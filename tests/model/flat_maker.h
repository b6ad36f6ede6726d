/* A small writer of FlatBuffers, front to back, and of TensorFlow Lite models with it: for tests and seeds of
 * fuzz targets. Fields have 4 bytes each; offsets are patched when what they lead to is written. */
#ifndef TS_TESTS_FLAT_MAKER_H
#define TS_TESTS_FLAT_MAKER_H

#include <stdbool.h>
#include <string.h>

#include "base/file.h"

enum { FM_ROOM = 1 << 16, FM_MOST = 32 };

typedef struct flat_maker {
    uint8_t data[FM_ROOM];
    uint32_t size;
    uint32_t only; /* of a model: 1 + the operator that is written, with its tensors; 0: all */
} flat_maker;

static inline void fm_put(flat_maker *f, uint32_t at, uint32_t value) {
    for (int i = 0; i < 4; i++) {
        f->data[at + (uint32_t)i] = (uint8_t)(value >> (8 * i));
    }
}

static inline uint32_t fm_append(flat_maker *f, uint32_t value) {
    fm_put(f, f->size, value);
    f->size += 4;
    return f->size - 4;
}

/* The offset at `from` leads to the end of what is written so far. */
static inline void fm_link(flat_maker *f, uint32_t from) { fm_put(f, from, f->size - from); }

/* A table of `fields` fields, all present, linked from `from`; returns the place of field 0. */
static inline uint32_t fm_table(flat_maker *f, uint32_t from, uint32_t fields) {
    uint32_t vtable = f->size, words = (fields + 3) / 2; /* 2 sizes and the fields, 2 bytes each */
    for (uint32_t i = 0; i < words; i++) {
        fm_append(f, 0);
    }
    uint32_t entries[2 + FM_MOST] = {4 + 2 * fields, 4 + 4 * fields};
    for (uint32_t i = 0; i < fields; i++) {
        entries[2 + i] = 4 + 4 * i;
    }
    for (uint32_t i = 0; i < 2 + fields; i++) {
        f->data[vtable + 2 * i] = (uint8_t)entries[i];
        f->data[vtable + 2 * i + 1] = (uint8_t)(entries[i] >> 8);
    }
    fm_link(f, from);
    uint32_t table = fm_append(f, f->size - vtable);
    for (uint32_t i = 0; i < fields; i++) {
        fm_append(f, 0);
    }
    return table + 4;
}

static inline void fm_ints(flat_maker *f, uint32_t from, uint32_t count, const int32_t *values) {
    fm_link(f, from);
    fm_append(f, count);
    for (uint32_t i = 0; i < count; i++) {
        fm_append(f, (uint32_t)values[i]);
    }
}

static inline void fm_bytes(flat_maker *f, uint32_t from, uint32_t count, const void *bytes) {
    fm_link(f, from);
    fm_append(f, count);
    if (count > 0) {
        memcpy(f->data + f->size, bytes, count);
    }
    f->size += (count + 4) & ~3u; /* a NUL, and aligned */
}

/* A vector of `count` tables; returns the place of its first offset. */
static inline uint32_t fm_tables(flat_maker *f, uint32_t from, uint32_t count) {
    fm_link(f, from);
    fm_append(f, count);
    uint32_t first = f->size;
    for (uint32_t i = 0; i < count; i++) {
        fm_append(f, 0);
    }
    return first;
}

/* ---- models ---- */

typedef struct tfm_tensor {
    const char *name;
    uint32_t rank;
    int32_t dims[4];
    int32_t type; /* 9: int8, 2: int32, 0: float */
    const void *data;
    uint32_t bytes;
    uint32_t scale_count;
    float scales[8];
    int32_t zero;
    int32_t dimension;
} tfm_tensor;

/* `output` may hold a second one: first + (second << 16); negative: none. A variable (code 142) is called
 * "state", a custom operator (code 32) as its output. */
typedef struct tfm_operator {
    int32_t code;
    uint32_t input_count;
    int32_t inputs[4], output;
    uint32_t option_count;
    int32_t options[8];
} tfm_operator;

static inline void tfm_quantization(flat_maker *f, uint32_t from, const tfm_tensor *t) {
    uint32_t fields = fm_table(f, from, 7);
    int32_t scales[8], zeros[16] = {0};
    memcpy(scales, t->scales, sizeof scales);
    for (uint32_t i = 0; i < t->scale_count; i++) {
        zeros[2 * i] = t->zero;
        zeros[2 * i + 1] = t->zero < 0 ? -1 : 0; /* 64 bits each */
    }
    fm_put(f, fields + 24, (uint32_t)t->dimension);
    fm_put(f, fields, 0);
    for (uint32_t i = 0; i < 2; i++) { /* min, max: empty */
        fm_ints(f, fields + 4 * i, 0, NULL);
    }
    fm_ints(f, fields + 8, t->scale_count, scales);
    fm_link(f, fields + 12);
    fm_append(f, t->scale_count);
    for (uint32_t i = 0; i < 2 * t->scale_count; i++) {
        fm_append(f, (uint32_t)zeros[i]);
    }
    fm_bytes(f, fields + 20, 0, "");
}

static inline void tfm_one_tensor(flat_maker *f, uint32_t from, const tfm_tensor *t, uint32_t buffer) {
    uint32_t fields = fm_table(f, from, 5);
    fm_put(f, fields + 4, (uint32_t)t->type);
    fm_put(f, fields + 8, t->data == NULL ? 0 : buffer);
    fm_ints(f, fields, t->rank, t->dims);
    fm_bytes(f, fields + 12, (uint32_t)strlen(t->name), t->name);
    tfm_quantization(f, fields + 16, t);
}

static inline void tfm_one_operator(flat_maker *f, uint32_t from, const tfm_operator *o, uint32_t index) {
    uint32_t fields = fm_table(f, from, 5);
    fm_put(f, fields, index);
    fm_ints(f, fields + 4, o->input_count, o->inputs);
    const int32_t outputs[2] = {o->output & 0xffff, o->output >> 16};
    fm_ints(f, fields + 8, o->output < 0 ? 0 : outputs[1] > 0 ? 2 : 1, outputs);
    uint32_t options = fm_table(f, fields + 16, o->option_count);
    for (uint32_t i = 0; i < o->option_count; i++) {
        fm_put(f, options + 4 * i, (uint32_t)o->options[i]);
    }
    if (o->code == 142 && o->option_count > 1) {
        fm_bytes(f, options, 0, "");
        fm_bytes(f, options + 4, 5, "state");
    }
}

static inline ts_bytes tfm_write(flat_maker *f, const tfm_tensor *tensors, uint32_t tensor_count,
                                 const tfm_operator *ops, uint32_t op_count) {
    *f = (flat_maker){.size = 8};
    memcpy(f->data + 4, "TFL3", 4);
    uint32_t model = fm_table(f, 0, 5);
    fm_put(f, model, 3);
    uint32_t codes = fm_tables(f, model + 4, op_count);
    for (uint32_t i = 0; i < op_count; i++) {
        uint32_t fields = fm_table(f, codes + 4 * i, 4);
        fm_put(f, fields, (uint32_t)(ops[i].code < 127 ? ops[i].code : 127));
        const char *custom = ops[i].code == 32 ? tensors[ops[i].output & 0xffff].name : "";
        fm_bytes(f, fields + 4, (uint32_t)strlen(custom), custom);
        fm_put(f, fields + 12, (uint32_t)ops[i].code);
    }
    fm_bytes(f, model + 12, 0, "");
    uint32_t buffers = fm_tables(f, model + 16, tensor_count + 1);
    for (uint32_t i = 0; i <= tensor_count; i++) {
        uint32_t fields = fm_table(f, buffers + 4 * i, 1);
        fm_bytes(f, fields, i == 0 || tensors[i - 1].data == NULL ? 0 : tensors[i - 1].bytes,
                 i == 0 ? "" : tensors[i - 1].data);
    }
    bool starts = ops[0].code == 129; /* CALL_ONCE of a second subgraph, which is empty */
    uint32_t subgraphs = fm_tables(f, model + 8, starts ? 2 : 1), graph = fm_table(f, subgraphs, 4);
    uint32_t list = fm_tables(f, graph, tensor_count);
    for (uint32_t i = 0; i < tensor_count; i++) {
        tfm_one_tensor(f, list + 4 * i, &tensors[i], i + 1);
    }
    const int32_t input = 0;
    fm_ints(f, graph + 4, 1, &input);
    fm_ints(f, graph + 8, 1, &ops[op_count - 1].output);
    uint32_t nodes = fm_tables(f, graph + 12, op_count);
    for (uint32_t i = 0; i < op_count; i++) {
        tfm_one_operator(f, nodes + 4 * i, &ops[i], i);
    }
    if (starts) {
        uint32_t second = fm_table(f, subgraphs + 4, 4);
        for (uint32_t i = 0; i < 4; i++) {
            fm_ints(f, second + 4 * i, 0, NULL);
        }
    }
    return (ts_bytes){f->data, f->size};
}

/* The operator alone, with the tensors that it names. */
static inline ts_bytes tfm_write_one(flat_maker *f, const tfm_tensor *tensors, tfm_operator op) {
    tfm_tensor own[6];
    int32_t count = 0;
    for (uint32_t i = 0; i < op.input_count; i++) {
        own[count] = tensors[op.inputs[i]];
        op.inputs[i] = count++;
    }
    int32_t second = op.output >> 16;
    own[count] = tensors[op.output & 0xffff];
    op.output = count++;
    if (second != 0) {
        own[count] = tensors[second];
        op.output += count++ << 16;
    }
    return tfm_write(f, own, (uint32_t)count, &op, 1);
}

/* The whole model: tensor 0 is its input, the last operator's output its output. */
static inline ts_bytes tfm_pack(flat_maker *f, const tfm_tensor *tensors, uint32_t tensor_count,
                                const tfm_operator *ops, uint32_t op_count) {
    if (f->only > 0 && f->only <= op_count && ops[f->only - 1].output >= 0) { /* else it has no result */
        return tfm_write_one(f, tensors, ops[f->only - 1]);
    }
    return tfm_write(f, tensors, tensor_count, ops, op_count);
}

/* Every operator once: CONV_2D, DEPTHWISE_CONV_2D (multiplier 2), ADD, MAX_POOL_2D, AVERAGE_POOL_2D, RESHAPE,
 * FULLY_CONNECTED, SOFTMAX, on an input of 6 x 6 x 2. */
enum { TFM_SAMPLE_TENSORS = 15, TFM_SAMPLE_OPS = 8 };
static inline ts_bytes tfm_sample(flat_maker *f) {
    static int8_t conv[2 * 9 * 2], depthwise[9 * 4], dense[3 * 4];
    static const int32_t conv_bias[2] = {100, -200}, depthwise_bias[4] = {1, -2, 300, -400},
                         dense_bias[3] = {5, 6, 7}, shape[2] = {1, 4};
    for (int i = 0; i < 36; i++) {
        conv[i] = (int8_t)(i * 37 % 255 - 127);
        depthwise[i] = (int8_t)(i * 91 % 255 - 127);
    }
    for (int i = 0; i < 12; i++) {
        dense[i] = (int8_t)(i * 53 % 255 - 127);
    }
    const tfm_tensor tensors[TFM_SAMPLE_TENSORS] = {
        {"input", 4, {1, 6, 6, 2}, 9, NULL, 0, 1, {0.0531f}, -3, 0},
        {"conv.w", 4, {2, 3, 3, 2}, 9, conv, 36, 2, {0.01f, 0.02f}, 0, 0},
        {"conv.b", 1, {2}, 2, conv_bias, 8, 2, {0.0005f, 0.001f}, 0, 0},
        {"conv", 4, {1, 6, 6, 2}, 9, NULL, 0, 1, {0.0707f}, 4, 0},
        {"sum", 4, {1, 6, 6, 2}, 9, NULL, 0, 1, {0.1013f}, -10, 0},
        {"max", 4, {1, 5, 5, 2}, 9, NULL, 0, 1, {0.1013f}, -10, 0},
        {"depthwise.w", 4, {1, 3, 3, 4}, 9, depthwise, 36, 4, {0.01f, 0.005f, 0.02f, 0.003f}, 0, 3},
        {"depthwise.b", 1, {4}, 2, depthwise_bias, 16, 1, {0.001f}, 0, 0},
        {"depthwise", 4, {1, 2, 2, 4}, 9, NULL, 0, 1, {0.08f}, -128, 0},
        {"mean", 4, {1, 1, 1, 4}, 9, NULL, 0, 1, {0.08f}, -128, 0},
        {"shape", 1, {2}, 2, shape, 8, 0, {0}, 0, 0},
        {"flat", 2, {1, 4}, 9, NULL, 0, 1, {0.08f}, -128, 0},
        {"dense.w", 2, {3, 4}, 9, dense, 12, 1, {0.02f}, 0, 0},
        {"dense.b", 1, {3}, 2, dense_bias, 12, 1, {0.0016f}, 0, 0},
        {"dense", 2, {1, 3}, 9, NULL, 0, 1, {0.09f}, 12, 0},
    };
    const tfm_operator ops[TFM_SAMPLE_OPS - 1] = {
        {3, 3, {0, 1, 2}, 3, 6, {0, 1, 1, 0, 1, 1}}, /* SAME */
        {0, 2, {0, 3, 0}, 4, 1, {0}},
        {17, 1, {4, 0, 0}, 5, 6, {1, 1, 1, 2, 2, 0}},   /* VALID, 2 x 2, stride 1 */
        {4, 3, {5, 6, 7}, 8, 7, {1, 2, 2, 2, 1, 1, 1}}, /* VALID, stride 2, multiplier 2, RELU */
        {1, 1, {8, 0, 0}, 9, 6, {1, 1, 1, 2, 2, 0}},
        {22, 2, {9, 10, 0}, 11, 1, {0}},
        {9, 3, {11, 12, 13}, 14, 1, {0}},
    };
    return tfm_pack(f, tensors, TFM_SAMPLE_TENSORS, ops, TFM_SAMPLE_OPS - 1);
}

/* What moves elements, and a mean: STRIDED_SLICE, TRANSPOSE, CONCATENATION, PAD, RESIZE_NEAREST_NEIGHBOR,
 * MUL, SUB, MEAN, LOGISTIC on an input of 4 x 5 x 2. */
enum { TFM_MOVES_TENSORS = 18, TFM_MOVES_OPS = 9 };
static inline ts_bytes tfm_moves(flat_maker *f) {
    static const int32_t begin[4] = {0, 0, 1, 0}, end[4] = {1, 4, 5, 2}, steps[4] = {1, 1, 2, 1},
                         perm[4] = {0, 2, 1, 3}, pads[8] = {0, 0, 1, 0, 0, 2, 0, 1}, size[2] = {6, 12},
                         axes[2] = {1, 2};
    static const int8_t factor[1] = {37};
    const tfm_tensor tensors[TFM_MOVES_TENSORS] = {
        {"input", 4, {1, 4, 5, 2}, 9, NULL, 0, 1, {0.05f}, -3, 0},
        {"begin", 1, {4}, 2, begin, 16, 0, {0}, 0, 0},
        {"end", 1, {4}, 2, end, 16, 0, {0}, 0, 0},
        {"steps", 1, {4}, 2, steps, 16, 0, {0}, 0, 0},
        {"slice", 4, {1, 4, 2, 2}, 9, NULL, 0, 1, {0.05f}, -3, 0},
        {"perm", 1, {4}, 2, perm, 16, 0, {0}, 0, 0},
        {"turned", 4, {1, 2, 4, 2}, 9, NULL, 0, 1, {0.05f}, -3, 0},
        {"joined", 4, {1, 2, 4, 4}, 9, NULL, 0, 1, {0.05f}, -3, 0},
        {"pads", 2, {4, 2}, 2, pads, 32, 0, {0}, 0, 0},
        {"padded", 4, {1, 3, 6, 5}, 9, NULL, 0, 1, {0.05f}, -3, 0},
        {"size", 1, {2}, 2, size, 8, 0, {0}, 0, 0},
        {"large", 4, {1, 6, 12, 5}, 9, NULL, 0, 1, {0.05f}, -3, 0},
        {"factor", 1, {1}, 9, factor, 1, 1, {0.01f}, 7, 0},
        {"product", 4, {1, 6, 12, 5}, 9, NULL, 0, 1, {0.02f}, 5, 0},
        {"axes", 1, {2}, 2, axes, 8, 0, {0}, 0, 0},
        {"mean", 2, {1, 5}, 9, NULL, 0, 1, {0.03f}, 1, 0},
        {"less", 4, {1, 6, 12, 5}, 9, NULL, 0, 1, {0.06f}, 2, 0},
        {"gate", 4, {1, 6, 12, 5}, 9, NULL, 0, 1, {0.00390625f}, -128, 0},
    };
    const tfm_operator ops[TFM_MOVES_OPS] = {
        {45, 4, {0, 1, 2, 3}, 4, 5, {0, 0, 0, 0, 0}},
        {39, 2, {4, 5}, 6, 1, {0}},
        {2, 2, {6, 6}, 7, 2, {3, 0}},
        {34, 2, {7, 8}, 9, 1, {0}},
        {97, 2, {9, 10}, 11, 2, {0, 0}},
        {18, 2, {11, 12}, 13, 1, {0}},
        {40, 2, {13, 14}, 15, 1, {0}},
        {41, 2, {11, 15}, 16, 1, {0}},
        {14, 1, {16}, 17, 1, {0}},
    };
    return tfm_pack(f, tensors, TFM_MOVES_TENSORS, ops, TFM_MOVES_OPS);
}

/* A float network on an input of 5 x 4 x 2: CONV_2D, MAX_POOL_2D, ADD, RESHAPE, FULLY_CONNECTED, SOFTMAX. */
enum { TFM_FLOAT_TENSORS = 12, TFM_FLOAT_OPS = 6 };
static inline ts_bytes tfm_float(flat_maker *f) {
    static float conv[2 * 9 * 2], dense[3 * 18];
    static const float conv_bias[2] = {0.5f, -0.25f}, dense_bias[3] = {0.125f, 0, -1};
    static const int32_t shape[2] = {1, 18};
    const float one = 1;
    int32_t beta;
    memcpy(&beta, &one, 4);
    for (int i = 0; i < 54; i++) {
        conv[i % 36] = (float)(i * 37 % 255 - 127) / 128;
        dense[i] = (float)(i * 53 % 255 - 127) / 256;
    }
    const tfm_tensor tensors[TFM_FLOAT_TENSORS] = {
        {"input", 4, {1, 5, 4, 2}, 0, NULL, 0, 0, {0}, 0, 0},
        {"conv.w", 4, {2, 3, 3, 2}, 0, conv, sizeof conv, 0, {0}, 0, 0},
        {"conv.b", 1, {2}, 0, conv_bias, sizeof conv_bias, 0, {0}, 0, 0},
        {"conv", 4, {1, 5, 4, 2}, 0, NULL, 0, 0, {0}, 0, 0},
        {"max", 4, {1, 3, 3, 2}, 0, NULL, 0, 0, {0}, 0, 0},
        {"sum", 4, {1, 3, 3, 2}, 0, NULL, 0, 0, {0}, 0, 0},
        {"shape", 1, {2}, 2, shape, sizeof shape, 0, {0}, 0, 0},
        {"flat", 2, {1, 18}, 0, NULL, 0, 0, {0}, 0, 0},
        {"dense.w", 2, {3, 18}, 0, dense, sizeof dense, 0, {0}, 0, 0},
        {"dense.b", 1, {3}, 0, dense_bias, sizeof dense_bias, 0, {0}, 0, 0},
        {"dense", 2, {1, 3}, 0, NULL, 0, 0, {0}, 0, 0},
        {"output", 2, {1, 3}, 0, NULL, 0, 0, {0}, 0, 0},
    };
    const tfm_operator ops[TFM_FLOAT_OPS] = {
        {3, 3, {0, 1, 2}, 3, 6, {0, 1, 1, 1, 1, 1}},  /* SAME, RELU */
        {17, 1, {3, 0, 0}, 4, 6, {1, 1, 2, 2, 3, 0}}, /* VALID, 3 x 2 */
        {0, 2, {4, 4, 0}, 5, 1, {0}},
        {22, 2, {5, 6, 0}, 7, 1, {0}},
        {9, 3, {7, 8, 9}, 10, 1, {0}},
        {25, 1, {10}, 11, 1, {beta}},
    };
    return tfm_pack(f, tensors, TFM_FLOAT_TENSORS, ops, TFM_FLOAT_OPS);
}

/* Floats that move, on an input of 4 x 3 x 4: SLICE, RESIZE_NEAREST_NEIGHBOR, STRIDED_SLICE that drops an
 * axis, SPLIT, SUB of its parts. */
enum { TFM_FLOAT_MOVES_TENSORS = 14, TFM_FLOAT_MOVES_OPS = 5 };
static inline ts_bytes tfm_float_moves(flat_maker *f) {
    static const int32_t begins[4] = {0, 1, 0, 0}, sizes[4] = {1, 2, -1, 4}, size[2] = {4, 9},
                         from[4] = {0, 3, 1, 0}, to[4] = {0, 0, 8, 0}, steps[4] = {1, 1, 2, 1},
                         axis[1] = {-1};
    const tfm_tensor tensors[TFM_FLOAT_MOVES_TENSORS] = {
        {"input", 4, {1, 4, 3, 4}, 0, NULL, 0, 0, {0}, 0, 0},
        {"begins", 1, {4}, 2, begins, 16, 0, {0}, 0, 0},
        {"sizes", 1, {4}, 2, sizes, 16, 0, {0}, 0, 0},
        {"part", 4, {1, 2, 3, 4}, 0, NULL, 0, 0, {0}, 0, 0},
        {"size", 1, {2}, 2, size, 8, 0, {0}, 0, 0},
        {"large", 4, {1, 4, 9, 4}, 0, NULL, 0, 0, {0}, 0, 0},
        {"from", 1, {4}, 2, from, 16, 0, {0}, 0, 0},
        {"to", 1, {4}, 2, to, 16, 0, {0}, 0, 0},
        {"steps", 1, {4}, 2, steps, 16, 0, {0}, 0, 0},
        {"row", 3, {1, 4, 4}, 0, NULL, 0, 0, {0}, 0, 0},
        {"axis", 1, {1}, 2, axis, 4, 0, {0}, 0, 0},
        {"left", 3, {1, 4, 2}, 0, NULL, 0, 0, {0}, 0, 0},
        {"right", 3, {1, 4, 2}, 0, NULL, 0, 0, {0}, 0, 0},
        {"output", 3, {1, 4, 2}, 0, NULL, 0, 0, {0}, 0, 0},
    };
    const tfm_operator ops[TFM_FLOAT_MOVES_OPS] = {
        {65, 3, {0, 1, 2}, 3, 1, {0}},
        {97, 2, {3, 4}, 5, 2, {0, 1}},
        {45, 4, {5, 6, 7, 8}, 9, 5, {1, 9, 0, 0, 2}}, /* all of the batch; channels to the end; one row */
        {49, 2, {10, 9}, 11 + (12 << 16), 1, {2}},
        {41, 2, {11, 12}, 13, 1, {0}},
    };
    return tfm_pack(f, tensors, TFM_FLOAT_MOVES_TENSORS, ops, TFM_FLOAT_MOVES_OPS);
}

/* Floats between integers, on an input of 3 x 2 x 2 of int8: MEAN of rows and columns, and SQUARED_DIFFERENCE
 * from it. */
enum { TFM_ISLANDS_TENSORS = 6, TFM_ISLANDS_OPS = 4 };
static inline ts_bytes tfm_islands(flat_maker *f) {
    static const int32_t axes[2] = {1, 2};
    const tfm_tensor tensors[TFM_ISLANDS_TENSORS] = {
        {"input", 4, {1, 3, 2, 2}, 9, NULL, 0, 1, {0.05f}, -3, 0},
        {"real", 4, {1, 3, 2, 2}, 0, NULL, 0, 0, {0}, 0, 0},
        {"axes", 1, {2}, 2, axes, 8, 0, {0}, 0, 0},
        {"mean", 4, {1, 1, 1, 2}, 0, NULL, 0, 0, {0}, 0, 0},
        {"square", 4, {1, 3, 2, 2}, 0, NULL, 0, 0, {0}, 0, 0},
        {"output", 4, {1, 3, 2, 2}, 3, NULL, 0, 1, {0.1f}, 9, 0},
    };
    const tfm_operator ops[TFM_ISLANDS_OPS] = {
        {6, 1, {0}, 1, 0, {0}},
        {40, 2, {1, 2}, 3, 1, {1}},
        {99, 2, {1, 3}, 4, 0, {0}},
        {114, 1, {4}, 5, 0, {0}},
    };
    return tfm_pack(f, tensors, TFM_ISLANDS_TENSORS, ops, TFM_ISLANDS_OPS);
}

/* A network whose batch has no size, on an input of 2 x 3 x 4: SHAPE, STRIDED_SLICE and PACK make the shape
 * of a RESHAPE; then UNPACK of the rows, MINIMUM and MAXIMUM with a number, PACK, REDUCE_MAX of the columns.
 */
enum { TFM_SHAPES_TENSORS = 18, TFM_SHAPES_OPS = 9 };
static inline ts_bytes tfm_shapes(flat_maker *f) {
    static const int32_t zero[1] = {0}, one[1] = {1}, rows[1] = {2}, columns[1] = {6}, axis[1] = {1};
    static const int8_t high[1] = {40}, low[1] = {-20};
    const tfm_tensor tensors[TFM_SHAPES_TENSORS] = {
        {"input", 4, {1, 2, 3, 4}, 9, NULL, 0, 1, {0.05f}, -3, 0},
        {"shape", 1, {4}, 2, NULL, 0, 0, {0}, 0, 0},
        {"zero", 1, {1}, 2, zero, 4, 0, {0}, 0, 0},
        {"one", 1, {1}, 2, one, 4, 0, {0}, 0, 0},
        {"batch", 0, {0}, 2, NULL, 0, 0, {0}, 0, 0},
        {"rows", 0, {0}, 2, rows, 4, 0, {0}, 0, 0},
        {"columns", 0, {0}, 2, columns, 4, 0, {0}, 0, 0},
        {"to", 1, {4}, 2, NULL, 0, 0, {0}, 0, 0},
        {"map", 4, {1, 2, 6, 2}, 9, NULL, 0, 1, {0.05f}, -3, 0},
        {"first", 3, {1, 6, 2}, 9, NULL, 0, 1, {0.05f}, -3, 0},
        {"second", 3, {1, 6, 2}, 9, NULL, 0, 1, {0.05f}, -3, 0},
        {"high", 0, {0}, 9, high, 1, 1, {0.05f}, -3, 0},
        {"low", 1, {1}, 9, low, 1, 1, {0.05f}, -3, 0},
        {"bounded", 3, {1, 6, 2}, 9, NULL, 0, 1, {0.05f}, -3, 0},
        {"above", 3, {1, 6, 2}, 9, NULL, 0, 1, {0.05f}, -3, 0},
        {"both", 4, {1, 6, 2, 2}, 9, NULL, 0, 1, {0.05f}, -3, 0},
        {"axis", 1, {1}, 2, axis, 4, 0, {0}, 0, 0},
        {"largest", 4, {1, 1, 2, 2}, 9, NULL, 0, 1, {0.05f}, -3, 0},
    };
    const tfm_operator ops[TFM_SHAPES_OPS] = {
        {77, 1, {0}, 1, 1, {2}},
        {45, 4, {1, 2, 3, 3}, 4, 5, {0, 0, 0, 0, 1}}, /* the first number, no axis */
        {83, 4, {4, 5, 6, 5}, 7, 2, {4, 0}},
        {22, 2, {0, 7}, 8, 1, {0}},
        {88, 1, {8}, 9 + (10 << 16), 2, {2, 1}},
        {57, 2, {9, 11}, 13, 1, {0}},
        {55, 2, {12, 10}, 14, 1, {0}},
        {83, 2, {13, 14}, 15, 2, {2, 2}},
        {82, 2, {15, 16}, 17, 1, {1}},
    };
    return tfm_pack(f, tensors, TFM_SHAPES_TENSORS, ops, TFM_SHAPES_OPS);
}

/* One step of a streaming network on an input of 1 x 1 x 3: a variable keeps the last two columns. CALL_ONCE,
 * VAR_HANDLE, READ_VARIABLE, CONCATENATION, STRIDED_SLICE, ASSIGN_VARIABLE, CONV_2D. */
enum { TFM_STREAM_TENSORS = 11, TFM_STREAM_OPS = 7 };
static inline ts_bytes tfm_stream(flat_maker *f) {
    static const int32_t begin[4] = {0, 0, 1, 0}, end[4] = {1, 1, 3, 3}, steps[4] = {1, 1, 1, 1},
                         bias[1] = {50};
    static const int8_t w[9] = {1, -2, 3, -4, 5, -6, 7, -8, 9};
    const tfm_tensor tensors[TFM_STREAM_TENSORS] = {
        {"input", 4, {1, 1, 1, 3}, 9, NULL, 0, 1, {0.05f}, -3, 0},
        {"handle", 0, {0}, 13, NULL, 0, 0, {0}, 0, 0},
        {"before", 4, {1, 1, 2, 3}, 9, NULL, 0, 1, {0.05f}, -3, 0},
        {"joined", 4, {1, 1, 3, 3}, 9, NULL, 0, 1, {0.05f}, -3, 0},
        {"begin", 1, {4}, 2, begin, 16, 0, {0}, 0, 0},
        {"end", 1, {4}, 2, end, 16, 0, {0}, 0, 0},
        {"steps", 1, {4}, 2, steps, 16, 0, {0}, 0, 0},
        {"behind", 4, {1, 1, 2, 3}, 9, NULL, 0, 1, {0.05f}, -3, 0},
        {"w", 4, {1, 1, 3, 3}, 9, w, 9, 1, {0.01f}, 0, 0},
        {"b", 1, {1}, 2, bias, 4, 1, {0.0005f}, 0, 0},
        {"output", 4, {1, 1, 1, 1}, 9, NULL, 0, 1, {0.1f}, 4, 0},
    };
    const tfm_operator ops[TFM_STREAM_OPS] = {
        {129, 0, {0}, -1, 1, {1}},
        {142, 0, {0}, 1, 2, {0}},
        {143, 1, {1}, 2, 0, {0}},
        {2, 2, {2, 0}, 3, 2, {2, 0}},
        {45, 4, {3, 4, 5, 6}, 7, 5, {0}},
        {144, 2, {1, 7}, -1, 0, {0}},
        {3, 3, {3, 8, 9}, 10, 6, {1, 1, 1, 0, 1, 1}},
    };
    return tfm_pack(f, tensors, TFM_STREAM_TENSORS, ops, TFM_STREAM_OPS);
}

/* A dilated convolution of a series of 10 steps and 2 channels, dealt out over 3 batches with 2 steps of
 * padding in front and 3 behind, of which the last is cut off again: SPACE_TO_BATCH_ND, EXPAND_DIMS, CONV_2D,
 * SQUEEZE, BATCH_TO_SPACE_ND, ADD of a constant. `type`: 9 (int8) or 0 (float). */
enum { TFM_DILATED_TENSORS = 13, TFM_DILATED_OPS = 6 };
static inline ts_bytes tfm_dilated_of(flat_maker *f, int32_t type) {
    static const int32_t block[1] = {3}, pads[2] = {2, 3}, crops[2] = {0, 1}, axis[1] = {1};
    static const int8_t w[8] = {10, -20, 30, -40, 50, -60, 70, -80}, add[2] = {90, -5};
    static const float real_w[8] = {0.1f, -0.2f, 0.3f, -0.4f, 0.5f, -0.6f, 0.7f, -0.8f},
                       real_add[2] = {1.86f, -0.04f};
    const bool real = type == 0;
    const uint32_t one = real ? 0 : 1;
    const tfm_tensor tensors[TFM_DILATED_TENSORS] = {
        {"input", 3, {1, 10, 2}, type, NULL, 0, one, {0.05f}, -3, 0},
        {"block", 1, {1}, 2, block, 4, 0, {0}, 0, 0},
        {"pads", 2, {1, 2}, 2, pads, 8, 0, {0}, 0, 0},
        {"dealt", 3, {3, 5, 2}, type, NULL, 0, one, {0.05f}, -3, 0},
        {"axis", 1, {1}, 2, axis, 4, 0, {0}, 0, 0},
        {"map", 4, {3, 1, 5, 2}, type, NULL, 0, one, {0.05f}, -3, 0},
        {"w", 4, {2, 1, 2, 2}, type, real ? (const void *)real_w : w, real ? 32 : 8, one, {0.01f}, 0, 0},
        {"conv", 4, {3, 1, 4, 2}, type, NULL, 0, one, {0.07f}, 4, 0},
        {"series", 3, {3, 4, 2}, type, NULL, 0, one, {0.07f}, 4, 0},
        {"crops", 2, {1, 2}, 2, crops, 8, 0, {0}, 0, 0},
        {"gathered", 3, {1, 11, 2}, type, NULL, 0, one, {0.07f}, 4, 0},
        {"bias", 1, {2}, type, real ? (const void *)real_add : add, real ? 8 : 2, one, {0.02f}, -3, 0},
        {"output", 3, {1, 11, 2}, type, NULL, 0, one, {0.08f}, -9, 0},
    };
    const tfm_operator ops[TFM_DILATED_OPS] = {
        {38, 3, {0, 1, 2}, 3, 0, {0}},
        {70, 2, {3, 4}, 5, 0, {0}},
        {3, 2, {5, 6}, 7, 6, {1, 1, 1, 0, 1, 1}},
        {43, 1, {7}, 8, 0, {0}},
        {37, 3, {8, 1, 9}, 10, 0, {0}},
        {0, 2, {10, 11}, 12, 1, {0}},
    };
    return tfm_pack(f, tensors, TFM_DILATED_TENSORS, ops, TFM_DILATED_OPS);
}

static inline ts_bytes tfm_dilated(flat_maker *f) { return tfm_dilated_of(f, 9); }

/* One operator on an input of all 256 values, 16 x 16 x 1, of type 9 (int8) or 3 (uint8). */
static inline ts_bytes tfm_unary(flat_maker *f, int32_t code, int32_t type, float x_scale, int32_t x_zero,
                                 float y_scale, int32_t y_zero, int32_t option) {
    const tfm_tensor tensors[2] = {
        {"x", 4, {1, 16, 16, 1}, type, NULL, 0, 1, {x_scale}, x_zero, 0},
        {"y", 4, {1, 16, 16, 1}, type, NULL, 0, 1, {y_scale}, y_zero, 0},
    };
    const tfm_operator op = {code, 1, {0}, 1, 1, {option}};
    return tfm_pack(f, tensors, 2, &op, 1);
}

#endif
