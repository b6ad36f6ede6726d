/* Quantised ONNX networks made by hand, for tests and seeds of fuzz targets. */
#ifndef TS_TESTS_QDQ_MAKER_H
#define TS_TESTS_QDQ_MAKER_H

#include "base/random.h"
#include "onnx_maker.h"

enum { UINT8 = 2, INT8 = 3, INT32 = 6 };

static inline const char *qdq_raw(maker *m, const char *hint, int type, uint32_t rank, const int64_t *dims,
                                  const void *data, size_t size) {
    static const int64_t none;
    Onnx__TensorProto *t = mk_tensor(m, MK_FLOAT, 0, NULL, &none);
    t->n_dims = rank;
    t->dims = ts_arena_copy(m->arena, dims, rank * sizeof *dims);
    t->data_type = type;
    t->raw_data = (ProtobufCBinaryData){size, ts_arena_copy(m->arena, data, size)};
    t->name = ts_arena_printf(m->arena, "%s_%u", hint, ++m->names);
    TS_PUSH(m->arena, &m->initializers, t);
    return t->name;
}

static inline const char *qdq_scale(maker *m, float scale) {
    return qdq_raw(m, "scale", MK_FLOAT, 0, NULL, &scale, 4);
}

static inline const char *qdq_zero(maker *m, int type, int zero) {
    int8_t byte = (int8_t)zero;
    return qdq_raw(m, "zero", type, 0, NULL, &byte, 1);
}

/* x quantised and dequantised. */
static inline const char *qdq_both(maker *m, const char *x, float scale, int type, int zero) {
    const char *s = qdq_scale(m, scale), *z = qdq_zero(m, type, zero);
    const char *codes = mk_node(m, "QuantizeLinear", x, s, z)->output[0];
    return mk_node(m, "DequantizeLinear", codes, s, z)->output[0];
}

/* Random weights of the shape, with a scale for each output or one for all. */
static inline const char *qdq_weights(maker *m, ts_random *random, uint32_t rank, const int64_t *dims,
                                      bool by_channel, int axis, const char **codes, const char **scales) {
    int8_t data[4096];
    float list[64];
    int64_t count = 1, channels = dims[axis];
    for (uint32_t i = 0; i < rank; i++) {
        count *= dims[i];
    }
    for (int64_t i = 0; i < count; i++) {
        data[i] = (int8_t)ts_random_range(random, -128, 127);
    }
    for (int64_t c = 0; c < channels; c++) {
        list[c] = 0.002f + 0.0007f * (float)c;
    }
    *codes = qdq_raw(m, "w", INT8, rank, dims, data, (size_t)count);
    *scales = by_channel ? qdq_raw(m, "scales", MK_FLOAT, 1, &channels, list, (size_t)channels * 4)
                         : qdq_scale(m, 0.004f);
    Onnx__NodeProto *node = mk_node(m, "DequantizeLinear", *codes, *scales, NULL);
    mk_int(m, node, "axis", axis);
    return node->output[0];
}

static inline const char *qdq_bias(maker *m, ts_random *random, int64_t channels, float scale) {
    int32_t data[64];
    for (int64_t c = 0; c < channels; c++) {
        data[c] = (int32_t)ts_random_range(random, -3000, 3000);
    }
    const char *codes = qdq_raw(m, "b", INT32, 1, &channels, data, (size_t)channels * 4);
    return mk_node(m, "DequantizeLinear", codes, qdq_scale(m, scale), NULL)->output[0];
}

/* Convolution, rectifier, table, sum, product, concatenation, poolings, slice by transposition, linear layer.
 */
static inline ts_bytes qdq_sample(ts_arena *arena, uint64_t seed) {
    maker m = {.arena = arena, .opset = 13};
    ts_random random = ts_random_seed(seed);
    bool by_channel = seed % 2 == 0;
    int type = seed % 3 == 0 ? INT8 : UINT8, zero = type == INT8 ? -7 : 113;
    const char *codes, *scales;
    const char *x = qdq_both(&m, mk_input(&m, 4, (const int64_t[]){1, 3, 8, 8}), 0.031f, type, zero);
    const char *w =
        qdq_weights(&m, &random, 4, (const int64_t[]){8, 3, 3, 3}, by_channel, 0, &codes, &scales);
    Onnx__NodeProto *conv =
        mk_node(&m, "Conv", x, w, by_channel ? NULL : qdq_bias(&m, &random, 8, 0.031f * 0.004f));
    mk_ints(&m, conv, "pads", 4, (const int64_t[]){1, 1, 1, 1});
    const char *a =
        qdq_both(&m, mk_node(&m, "Relu", conv->output[0], NULL, NULL)->output[0], 0.05f, UINT8, 0);
    const char *s = qdq_both(&m, mk_node(&m, "Sigmoid", a, NULL, NULL)->output[0], 1.0f / 256, UINT8, 0);
    const char *product = qdq_both(&m, mk_node(&m, "Mul", a, s, NULL)->output[0], 0.043f, UINT8, 3);
    const char *sum = qdq_both(&m, mk_node(&m, "Add", a, product, NULL)->output[0], 0.0913f, UINT8, 5);
    Onnx__NodeProto *join = mk_node(&m, "Concat", sum, product, NULL);
    mk_int(&m, join, "axis", 1);
    const char *joined = qdq_both(&m, join->output[0], 0.08f, UINT8, 1);
    Onnx__NodeProto *pool = mk_node(&m, "MaxPool", joined, NULL, NULL);
    mk_ints(&m, pool, "kernel_shape", 2, (const int64_t[]){2, 2});
    mk_ints(&m, pool, "strides", 2, (const int64_t[]){2, 2});
    const char *most = qdq_both(&m, pool->output[0], 0.08f, UINT8, 1);
    const char *mean =
        qdq_both(&m, mk_node(&m, "GlobalAveragePool", most, NULL, NULL)->output[0], 0.0517f, UINT8, 2);
    const char *flat = mk_node(&m, "Flatten", mean, NULL, NULL)->output[0];
    const char *last = qdq_weights(&m, &random, 2, (const int64_t[]){16, 5}, by_channel, 1, &codes, &scales);
    mk_output(&m, qdq_both(&m, mk_node(&m, "MatMul", flat, last, NULL)->output[0], 0.11f, type, zero));
    return mk_pack(&m);
}

/* Layers of floats between two quantised tensors: convolutions, a pooling, a softmax along rows. */
static inline ts_bytes qdq_float_layers(ts_arena *arena) {
    maker m = {.arena = arena, .opset = 13};
    float data[2][54];
    for (int i = 0; i < 54; i++) {
        data[0][i] = data[1][i] = (float)(i % 7) / 5 - 0.5f;
    }
    const char *x = qdq_both(&m, mk_input(&m, 4, (const int64_t[]){1, 3, 6, 6}), 0.031f, UINT8, 113);
    const char *first = qdq_raw(&m, "k", MK_FLOAT, 4, (const int64_t[]){2, 3, 3, 3}, data[0], sizeof data[0]);
    const char *second = qdq_raw(&m, "k", MK_FLOAT, 4, (const int64_t[]){3, 2, 1, 1}, data[1], 24);
    const char *y =
        mk_node(&m, "Relu", mk_node(&m, "Conv", x, first, NULL)->output[0], NULL, NULL)->output[0];
    Onnx__NodeProto *pool =
        mk_node(&m, "AveragePool", mk_node(&m, "Conv", y, second, NULL)->output[0], NULL, NULL);
    mk_ints(&m, pool, "kernel_shape", 2, (const int64_t[]){2, 2});
    mk_ints(&m, pool, "pads", 4, (const int64_t[]){1, 0, 0, 1});
    Onnx__NodeProto *soft = mk_node(&m, "Softmax", pool->output[0], NULL, NULL);
    mk_int(&m, soft, "axis", 2);
    mk_output(&m, qdq_both(&m, soft->output[0], 1.0f / 256, UINT8, 0));
    return mk_pack(&m);
}

#endif
