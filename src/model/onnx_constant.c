#include <math.h>
#include <string.h>

#include "model/onnx.h"

#define WHOLE_LIMIT 4611686018427387904.0 /* 2^62 */

static uint32_t type_bytes(int32_t type) {
    switch (type) {
        case ONNX__TENSOR_PROTO__DATA_TYPE__INT8:
        case ONNX__TENSOR_PROTO__DATA_TYPE__UINT8:
        case ONNX__TENSOR_PROTO__DATA_TYPE__BOOL:
            return 1;
        case ONNX__TENSOR_PROTO__DATA_TYPE__INT16:
        case ONNX__TENSOR_PROTO__DATA_TYPE__UINT16:
        case ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT16:
            return 2;
        case ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT:
        case ONNX__TENSOR_PROTO__DATA_TYPE__INT32:
        case ONNX__TENSOR_PROTO__DATA_TYPE__UINT32:
            return 4;
        case ONNX__TENSOR_PROTO__DATA_TYPE__DOUBLE:
        case ONNX__TENSOR_PROTO__DATA_TYPE__INT64:
        case ONNX__TENSOR_PROTO__DATA_TYPE__UINT64:
            return 8;
        default:
            return 0;
    }
}

static bool is_real(int32_t type) {
    return type == ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT || type == ONNX__TENSOR_PROTO__DATA_TYPE__DOUBLE ||
           type == ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT16;
}

static double half_value(uint16_t bits) {
    int exponent = (bits >> 10) & 31;
    double fraction = bits & 1023;
    double magnitude = exponent == 0    ? ldexp(fraction, -24)
                       : exponent == 31 ? (fraction == 0 ? (double)INFINITY : (double)NAN)
                                        : ldexp(fraction + 1024, exponent - 25);
    return bits & 0x8000 ? -magnitude : magnitude;
}

static uint64_t little_endian(const uint8_t *bytes, uint32_t count) {
    uint64_t value = 0;
    for (uint32_t i = 0; i < count; i++) {
        value |= (uint64_t)bytes[i] << (8 * i);
    }
    return value;
}

static double raw_real(const uint8_t *bytes, int32_t type, uint32_t size) {
    uint64_t bits = little_endian(bytes, size);
    if (type == ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT16) {
        return half_value((uint16_t)bits);
    }
    if (type == ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT) {
        uint32_t low = (uint32_t)bits;
        float value;
        memcpy(&value, &low, sizeof value);
        return (double)value;
    }
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static int64_t raw_int(const uint8_t *bytes, int32_t type, uint32_t size) {
    uint64_t bits = little_endian(bytes, size);
    bool is_signed = type == ONNX__TENSOR_PROTO__DATA_TYPE__INT8 ||
                     type == ONNX__TENSOR_PROTO__DATA_TYPE__INT16 ||
                     type == ONNX__TENSOR_PROTO__DATA_TYPE__INT32;
    if (is_signed && bits >> (8 * size - 1) != 0) {
        bits |= ~UINT64_C(0) << (8 * size);
    }
    return (int64_t)bits;
}

/* Number of elements in the typed field that a tensor of this type uses. */
static size_t typed_count(const Onnx__TensorProto *t) {
    switch (t->data_type) {
        case ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT:
            return t->n_float_data;
        case ONNX__TENSOR_PROTO__DATA_TYPE__DOUBLE:
            return t->n_double_data;
        case ONNX__TENSOR_PROTO__DATA_TYPE__INT64:
            return t->n_int64_data;
        case ONNX__TENSOR_PROTO__DATA_TYPE__UINT32:
        case ONNX__TENSOR_PROTO__DATA_TYPE__UINT64:
            return t->n_uint64_data;
        default:
            return t->n_int32_data;
    }
}

static double element_real(const Onnx__TensorProto *t, size_t i, uint32_t size) {
    if (t->has_raw_data) {
        return raw_real(t->raw_data.data + i * size, t->data_type, size);
    }
    switch (t->data_type) {
        case ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT:
            return (double)t->float_data[i];
        case ONNX__TENSOR_PROTO__DATA_TYPE__DOUBLE:
            return t->double_data[i];
        default:
            return half_value((uint16_t)t->int32_data[i]);
    }
}

static int64_t element_int(const Onnx__TensorProto *t, size_t i, uint32_t size) {
    if (t->has_raw_data) {
        return raw_int(t->raw_data.data + i * size, t->data_type, size);
    }
    switch (t->data_type) {
        case ONNX__TENSOR_PROTO__DATA_TYPE__INT64:
            return t->int64_data[i];
        case ONNX__TENSOR_PROTO__DATA_TYPE__UINT32:
        case ONNX__TENSOR_PROTO__DATA_TYPE__UINT64:
            return (int64_t)t->uint64_data[i];
        default:
            return t->int32_data[i];
    }
}

static ts_status bad_tensor(ts_onnx *net, const ts_onnx_node *node, const Onnx__TensorProto *t,
                            const char *what) {
    return ts_error(net->diags, TS_DIAG_MALFORMED, node == NULL ? NULL : node->name,
                    node == NULL ? NULL : node->op, "constant '%s' %s", t->name == NULL ? "" : t->name, what);
}

/* Shape and length against each other. */
static ts_status check_shape(ts_onnx *net, const ts_onnx_node *node, const Onnx__TensorProto *t,
                             ts_constant *c) {
    if (t->n_dims > TS_MAX_RANK) {
        return bad_tensor(net, node, t, "has more than 6 dimensions");
    }
    c->rank = (uint32_t)t->n_dims;
    c->count = 1;
    for (uint32_t i = 0; i < c->rank; i++) {
        if (t->dims[i] < 0 || t->dims[i] > TS_ONNX_MAX_DIM) {
            return bad_tensor(net, node, t, "has a dimension that is negative or absurdly large");
        }
        c->dims[i] = (uint32_t)t->dims[i];
        c->count *= c->dims[i];
        if (c->count > TS_ONNX_MAX_ELEMENTS) {
            return bad_tensor(net, node, t, "is absurdly large");
        }
    }
    if (t->n_external_data > 0 || (t->has_data_location && t->data_location != 0)) {
        return bad_tensor(net, node, t, "keeps its data in another file; store it inside the model");
    }
    uint32_t size = type_bytes(t->data_type);
    if (!t->has_data_type || size == 0) {
        return bad_tensor(net, node, t, "has an element type that is not served");
    }
    uint64_t stored = t->has_raw_data ? t->raw_data.len : typed_count(t);
    uint64_t wanted = t->has_raw_data ? c->count * size : c->count;
    return stored == wanted ? TS_OK : bad_tensor(net, node, t, "has fewer or more data than its shape says");
}

static bool whole(double value) {
    return value > -WHOLE_LIMIT && value < WHOLE_LIMIT && (double)(int64_t)value == value;
}

static void decode_reals(ts_onnx *net, const Onnx__TensorProto *t, uint32_t size, ts_constant *c) {
    int64_t *ints = TS_NEW_ARRAY(net->scratch, int64_t, c->count);
    uint64_t i = 0;
    for (; i < c->count; i++) {
        double value = element_real(t, i, size);
        if (!whole(value)) {
            break;
        }
        ints[i] = (int64_t)value;
    }
    if (i == c->count) {
        c->ints = ints;
        return;
    }
    double *reals = TS_NEW_ARRAY(net->scratch, double, c->count);
    for (i = 0; i < c->count; i++) {
        reals[i] = element_real(t, i, size);
    }
    c->reals = reals;
}

ts_status ts__constant_decode(ts_onnx *net, const ts_onnx_node *node, const Onnx__TensorProto *t,
                              ts_constant **out) {
    ts_constant *c = TS_NEW(net->scratch, ts_constant);
    TS_TRY(check_shape(net, node, t, c));
    TS_TRY(ts__onnx_work(net, node, c->count));
    c->name = t->name == NULL ? "" : t->name;
    c->integer_type = !is_real(t->data_type);
    c->element_type = t->data_type;
    uint32_t size = type_bytes(t->data_type);
    if (is_real(t->data_type)) {
        decode_reals(net, t, size, c);
    } else {
        int64_t *ints = TS_NEW_ARRAY(net->scratch, int64_t, c->count);
        for (uint64_t i = 0; i < c->count; i++) {
            ints[i] = element_int(t, i, size);
        }
        c->ints = ints;
    }
    *out = c;
    return TS_OK;
}

ts_constant *ts__constant_ints(ts_arena *arena, const int64_t *values, uint32_t count, bool scalar) {
    ts_constant *c = TS_NEW(arena, ts_constant);
    c->rank = scalar ? 0 : 1;
    c->dims[0] = count;
    c->count = count;
    c->integer_type = true;
    c->ints = ts_arena_copy(arena, values, count * sizeof *values);
    c->name = "";
    return c;
}

ts_constant *ts__constant_reals(ts_arena *arena, const double *values, uint32_t count, bool scalar) {
    ts_constant *c = TS_NEW(arena, ts_constant);
    c->rank = scalar ? 0 : 1;
    c->dims[0] = count;
    c->count = count;
    c->name = "";
    int64_t *ints = TS_NEW_ARRAY(arena, int64_t, count);
    bool all_whole = true;
    for (uint32_t i = 0; i < count; i++) {
        all_whole = all_whole && whole(values[i]);
        ints[i] = all_whole ? (int64_t)values[i] : 0;
    }
    c->ints = all_whole ? ints : NULL;
    c->reals = all_whole ? NULL : ts_arena_copy(arena, values, count * sizeof *values);
    return c;
}

const ts_constant *ts__onnx_const_input(const ts_onnx *net, const ts_onnx_node *node, uint32_t i) {
    if (i >= node->input_count || node->inputs[i] == TS_NONE) {
        return NULL;
    }
    return net->values.data[node->inputs[i]].constant;
}

ts_status ts__constant_whole(ts_onnx *net, const ts_onnx_node *node, const ts_constant *constant,
                             const char *what) {
    if (constant->ints != NULL) {
        return TS_OK;
    }
    uint64_t i = 0;
    while (i + 1 < constant->count && whole(constant->reals[i])) {
        i++;
    }
    return ts_error(net->diags, TS_DIAG_VALUE, node->name, node->op,
                    "%s '%s' has %g at element %llu; an integer network has whole numbers only (of a float "
                    "network `tessera quantize` makes one)",
                    what, constant->name, constant->reals[i], (unsigned long long)i);
}
