/* Whole numbers of TensorFlow Lite files that are computed from the shapes of tensors: what converters write
 * before a RESHAPE where a network's batch has no size. The batch is 1, so all of them are constants. */
#include <string.h>

#include "model/tflite_internal.h"

enum {
    ADD = 0,
    CONCATENATION = 2,
    MUL = 18,
    RESHAPE = 22,
    GATHER = 36,
    SUB = 41,
    SQUEEZE = 43,
    STRIDED_SLICE = 45,
    CAST = 53,
    MAXIMUM = 55,
    MINIMUM = 57,
    EXPAND_DIMS = 70,
    SHAPE = 77,
    REDUCE_PROD = 81,
    PACK = 83,
    FLOOR_DIV = 90,
    FLOOR_MOD = 95
};

enum { MOST = 64 };

typedef struct numbers {
    uint32_t count;
    int64_t values[MOST];
} numbers;

/* Input i, where it is a constant of a few numbers. */
static bool constant_at(const tfl *t, const tfl_op *o, uint32_t i, numbers *out) {
    const tfl_tensor *x = ts__tfl_tensor_at(t, o->inputs, i);
    if (x == NULL || x->type != TYPE_INT32 || x->elements == 0 || x->elements > MOST ||
        x->data.count != 4 * x->elements) {
        return false;
    }
    out->count = (uint32_t)x->elements;
    for (uint32_t k = 0; k < out->count; k++) {
        out->values[k] = ts__flat_i32((ts_flat_vector){out->count, x->data.data}, k);
    }
    return true;
}

static bool shape_of(const tfl *t, const tfl_op *o, numbers *out) {
    const tfl_tensor *x = ts__tfl_tensor_at(t, o->inputs, 0);
    if (x == NULL || x->rank == 0) {
        return false;
    }
    out->count = x->rank;
    for (uint32_t i = 0; i < x->rank; i++) {
        bool padded = x->rank == 4 && (i == 1 || i == 2); /* paddings that were put off */
        out->values[i] = (int64_t)x->dims[i] + (padded ? x->pads[i - 1] + x->pads[i + 1] : 0);
    }
    return true;
}

/* All inputs, one behind the other: joined along their first axis. */
static bool joined(tfl *t, const tfl_op *o, bool packed, numbers *out) {
    const tfl_tensor *first = ts__tfl_tensor_at(t, o->inputs, 0);
    int64_t axis = ts__flat_int(&t->flat, o->options, packed ? 1 : 0, 4, 0);
    if (first == NULL || (axis != 0 && !(axis == -1 && first->rank == (packed ? 0 : 1)))) {
        return false;
    }
    for (uint32_t i = 0; i < o->inputs.count; i++) {
        numbers part;
        if (!constant_at(t, o, i, &part) || out->count + part.count > MOST) {
            return false;
        }
        memcpy(out->values + out->count, part.values, part.count * sizeof *part.values);
        out->count += part.count;
    }
    return out->count > 0;
}

static ts_status slice(tfl *t, const tfl_op *o, numbers *out) {
    const tfl_tensor *x = ts__tfl_tensor_at(t, o->inputs, 0);
    tfl_range ranges[TS_MAX_RANK];
    uint64_t at[MOST] = {0};
    numbers in;
    if (!constant_at(t, o, 0, &in)) {
        return TS_OK;
    }
    TS_TRY(ts__tfl_strided_ranges(t, o, x, ranges));
    out->count = 1;
    for (uint32_t d = 0; d < x->rank; d++) { /* what is taken of the axes before, and of this one */
        uint64_t next[MOST];
        uint32_t count = 0;
        for (uint32_t i = 0; i < out->count; i++) {
            for (int64_t k = 0; k < ranges[d].count; k++) {
                next[count++] = at[i] * x->dims[d] + (uint64_t)(ranges[d].begin + k * ranges[d].step);
            }
        }
        memcpy(at, next, count * sizeof *at);
        out->count = count;
    }
    for (uint32_t i = 0; i < out->count; i++) {
        out->values[i] = in.values[at[i]];
    }
    return TS_OK;
}

static bool gathered(tfl *t, const tfl_op *o, numbers *out) {
    const tfl_tensor *x = ts__tfl_tensor_at(t, o->inputs, 0);
    numbers in, indices;
    if (!constant_at(t, o, 0, &in) || !constant_at(t, o, 1, &indices) || x->rank != 1) {
        return false;
    }
    out->count = indices.count;
    for (uint32_t i = 0; i < indices.count; i++) {
        if (indices.values[i] < 0 || indices.values[i] >= in.count) {
            return false;
        }
        out->values[i] = in.values[indices.values[i]];
    }
    return true;
}

static bool product(const tfl *t, const tfl_op *o, numbers *out) {
    const tfl_tensor *x = ts__tfl_tensor_at(t, o->inputs, 0);
    numbers in;
    if (!constant_at(t, o, 0, &in) || x->rank != 1) {
        return false;
    }
    *out = (numbers){1, {1}};
    for (uint32_t i = 0; i < in.count && out->values[0] <= INT32_MAX && out->values[0] >= INT32_MIN; i++) {
        out->values[0] *= in.values[i];
    }
    return true;
}

/* Of whole numbers of 32 bits; false where there is none. */
static bool computed(int64_t code, int64_t a, int64_t b, int64_t *out) {
    bool divides = code == FLOOR_DIV || code == FLOOR_MOD;
    int64_t quotient = divides && b != 0 ? a / b - (a % b != 0 && (a < 0) != (b < 0)) : 0;
    *out = code == ADD         ? a + b
           : code == SUB       ? a - b
           : code == MUL       ? a * b
           : code == MAXIMUM   ? (a > b ? a : b)
           : code == MINIMUM   ? (a < b ? a : b)
           : code == FLOOR_DIV ? quotient
                               : a - quotient * b;
    return !divides || b != 0;
}

static bool binary(tfl *t, const tfl_op *o, int64_t code, numbers *out) {
    numbers a, b;
    bool fused = code == ADD || code == SUB || code == MUL;
    if (!constant_at(t, o, 0, &a) || !constant_at(t, o, 1, &b) ||
        (a.count != b.count && a.count != 1 && b.count != 1) ||
        (fused && ts__flat_int(&t->flat, o->options, 0, 1, ACTIVATION_NONE) != ACTIVATION_NONE)) {
        return false;
    }
    out->count = a.count > b.count ? a.count : b.count;
    for (uint32_t i = 0; i < out->count; i++) {
        if (!computed(code, a.values[a.count == 1 ? 0 : i], b.values[b.count == 1 ? 0 : i],
                      &out->values[i])) {
            return false;
        }
    }
    return true;
}

/* Of any operator but STRIDED_SLICE. */
static bool result_of(tfl *t, const tfl_op *o, int64_t code, numbers *out) {
    switch (code) {
        case SHAPE:
            return shape_of(t, o, out);
        case PACK:
        case CONCATENATION:
            return joined(t, o, code == PACK, out);
        case GATHER:
            return gathered(t, o, out);
        case REDUCE_PROD:
            return product(t, o, out);
        case RESHAPE:
        case SQUEEZE:
        case EXPAND_DIMS:
        case CAST:
            return constant_at(t, o, 0, out);
        case ADD:
        case SUB:
        case MUL:
        case MAXIMUM:
        case MINIMUM:
        case FLOOR_DIV:
        case FLOOR_MOD:
            return binary(t, o, code, out);
        default:
            return false;
    }
}

bool ts__tfl_computes_shapes(int64_t code) {
    return code == SHAPE || code == GATHER || code == CAST || code == REDUCE_PROD || code == FLOOR_DIV ||
           code == FLOOR_MOD;
}

ts_status ts__tfl_compute_constant(tfl *t, const tfl_op *o, int64_t code, bool *done) {
    tfl_tensor *y = ts__tfl_tensor_at(t, o->outputs, 0);
    numbers result = {0};
    *done = false;
    if (y == NULL || o->outputs.count != 1 || y->type != TYPE_INT32 || y->data.count > 0) {
        return TS_OK;
    }
    if (code == STRIDED_SLICE) {
        TS_TRY(slice(t, o, &result));
    } else if (!result_of(t, o, code, &result)) {
        return TS_OK;
    }
    if (result.count == 0 || result.count != y->elements) {
        return TS_OK;
    }
    uint8_t *bytes = TS_NEW_ARRAY(t->scratch, uint8_t, 4 * (size_t)result.count);
    for (uint32_t i = 0; i < 4 * result.count; i++) {
        int64_t value = result.values[i / 4];
        if (value < INT32_MIN || value > INT32_MAX) {
            return TS_OK;
        }
        bytes[i] = (uint8_t)((uint64_t)value >> (8 * (i % 4)));
    }
    y->data = (ts_flat_vector){4 * result.count, bytes};
    *done = true;
    return TS_OK;
}
