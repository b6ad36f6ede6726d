/* Operators of TensorFlow Lite that are functions of one 8-bit element: tables of 256 entries, each computed
 * as the reference kernel computes it. And softmax, which needs its parameters only. */
#include <math.h>

#include "base/fixed_point.h"
#include "model/tflite_internal.h"

ts_status ts__tfl_add_table(tfl *t, const tfl_op *o, const tfl_tensor *x, tfl_tensor *y, ts__tfl_function *f,
                            const void *context) {
    ts_tensor_id output;
    TS_TRY(ts__tfl_new_activation(t, o, y, &output));
    uint8_t *table = TS_NEW_ARRAY(t->arena, uint8_t, 256);
    for (int32_t i = 0; i < 256; i++) {
        table[i] = (uint8_t)f(context, i + ts__tfl_low(x));
    }
    ts_tensor tensor = {.name = ts_arena_printf(t->arena, "%s.table", o->name),
                        .type = t->graph->tensors.data[output].type,
                        .rank = 1,
                        .dims = {256},
                        .data = table,
                        .producer = TS_NONE};
    ts_node node = ts__tfl_new_node(t, o, TS_OP_LUT, x);
    node.weights = ts_graph_add_tensor(t->graph, &tensor);
    ts__tfl_add_node(t, &node, y, output);
    return TS_OK;
}

static int32_t clamp(int64_t v, int32_t low, int32_t high) {
    return v < low ? low : v > high ? high : (int32_t)v;
}

/* What all of them need: quanta of input and output, and a multiplier. */
typedef struct unary {
    int32_t x_zero, y_zero, low, high;
    int32_t multiplier, shift;   /* for logistic and tanh: to 4 integer bits */
    int32_t multiplier2, shift2; /* leaky: of negative values; hard-swish: of the gate */
    int32_t radius;              /* logistic and tanh: beyond it they are flat */
} unary;

static ts_status take_unary(tfl *t, const tfl_op *o, tfl_tensor **x, tfl_tensor **y, unary *u) {
    TS_TRY(ts__tfl_map_at(t, o, 0, x));
    TS_TRY(ts__tfl_output_of(t, o, y));
    if (!ts__tfl_is_8_bits(*y) || (*y)->scales.count != 1) {
        return TFL_FAIL(TS_DIAG_UNSUPPORTED, "its output is not int8 or uint8 with one scale");
    }
    *u = (unary){.x_zero = ts__tfl_zero_of(*x),
                 .y_zero = ts__tfl_zero_of(*y),
                 .low = ts__tfl_low(*y),
                 .high = ts__tfl_high(*y)};
    return TS_OK;
}

/* ---- requantisation and rectifiers ---- */

static int32_t requantized(const void *context, int32_t x) {
    const unary *u = context;
    int64_t y = (int64_t)ts_multiply_by_quantized(x - u->x_zero, u->multiplier, u->shift) + u->y_zero;
    return clamp(y, u->low, u->high);
}

ts_status ts__tfl_requantize(tfl *t, const tfl_op *o, const tfl_tensor *x, tfl_tensor *y) {
    unary u = {.x_zero = ts__tfl_zero_of(x),
               .y_zero = ts__tfl_zero_of(y),
               .low = ts__tfl_low(y),
               .high = ts__tfl_high(y)};
    if (!ts__tfl_is_8_bits(y) || y->scales.count != 1) {
        return TFL_FAIL(TS_DIAG_UNSUPPORTED, "its output is not int8 or uint8 with one scale");
    }
    double real = (double)ts__tfl_scale_of(x, 0) / (double)ts__tfl_scale_of(y, 0);
    ts__tflite_multiplier(real, &u.multiplier, &u.shift);
    return ts__tfl_add_table(t, o, x, y, requantized, &u);
}

static ts_status take_relu(tfl *t, const tfl_op *o, int64_t activation) {
    tfl_tensor *x, *y;
    unary u;
    TS_TRY(take_unary(t, o, &x, &y, &u));
    TS_TRY(ts__tfl_activation_bounds(t, o, activation, y, &u.low, &u.high));
    ts__tflite_multiplier((double)(ts__tfl_scale_of(x, 0) / ts__tfl_scale_of(y, 0)), &u.multiplier, &u.shift);
    return ts__tfl_add_table(t, o, x, y, requantized, &u);
}

ts_status ts__tfl_relu(tfl *t, const tfl_op *o) { return take_relu(t, o, ACTIVATION_RELU); }
ts_status ts__tfl_relu_n1(tfl *t, const tfl_op *o) { return take_relu(t, o, ACTIVATION_RELU_N1); }
ts_status ts__tfl_relu6(tfl *t, const tfl_op *o) { return take_relu(t, o, ACTIVATION_RELU6); }
ts_status ts__tfl_relu_0_1(tfl *t, const tfl_op *o) { return take_relu(t, o, ACTIVATION_RELU_0_1); }

static int32_t leaky(const void *context, int32_t x) {
    const unary *u = context;
    int32_t v = x - u->x_zero;
    int32_t y = v >= 0 ? ts_multiply_by_quantized(v, u->multiplier, u->shift)
                       : ts_multiply_by_quantized(v, u->multiplier2, u->shift2);
    return clamp((int64_t)y + u->y_zero, u->low, u->high);
}

ts_status ts__tfl_leaky_relu(tfl *t, const tfl_op *o) {
    tfl_tensor *x, *y;
    unary u;
    TS_TRY(take_unary(t, o, &x, &y, &u));
    union {
        uint32_t bits;
        float value;
    } alpha = {.bits = (uint32_t)ts__flat_int(&t->flat, o->options, 0, 4, 0)};
    float sx = ts__tfl_scale_of(x, 0), sy = ts__tfl_scale_of(y, 0);
    if (!(alpha.value >= 0) || alpha.value > 1000) {
        return TFL_FAIL(TS_DIAG_UNSUPPORTED, "a slope of %g; 0 to 1000 is served", (double)alpha.value);
    }
    ts__tflite_multiplier((double)(sx / sy), &u.multiplier, &u.shift);
    ts__tflite_multiplier((double)(sx * alpha.value / sy), &u.multiplier2, &u.shift2);
    return ts__tfl_add_table(t, o, x, y, leaky, &u);
}

/* ---- maximum and minimum with a number ---- */

static int32_t bounded(const void *context, int32_t x) {
    const unary *u = context;
    return clamp(x, u->low, u->high);
}

/* The codes are compared, so all three have one quantum. */
static ts_status take_bound(tfl *t, const tfl_op *o, bool maximum) {
    const tfl_tensor *a = ts__tfl_tensor_at(t, o->inputs, 0), *b = ts__tfl_tensor_at(t, o->inputs, 1);
    bool turned = a != NULL && a->data.count > 0;
    const tfl_tensor *number = turned ? a : b;
    tfl_tensor *x, *y;
    unary u;
    TS_TRY(ts__tfl_map_at(t, o, turned, &x));
    TS_TRY(ts__tfl_output_of(t, o, &y));
    if (number == NULL || number->data.count != 1 || number->elements != 1) {
        return TFL_FAIL(TS_DIAG_UNSUPPORTED, "of integers it is served with one constant number");
    }
    if (number->type != x->type || number->scales.count != 1 || !ts__tfl_one_quantum(number, x) ||
        !ts__tfl_one_quantum(x, y)) {
        return TFL_FAIL(TS_DIAG_UNSUPPORTED, "its operands and its output have not one quantum");
    }
    int32_t value = x->type == TYPE_UINT8 ? number->data.data[0] : (int8_t)number->data.data[0];
    u = (unary){.low = maximum ? value : ts__tfl_low(x), .high = maximum ? ts__tfl_high(x) : value};
    return ts__tfl_add_table(t, o, x, y, bounded, &u);
}

ts_status ts__tfl_maximum(tfl *t, const tfl_op *o) { return take_bound(t, o, true); }
ts_status ts__tfl_minimum(tfl *t, const tfl_op *o) { return take_bound(t, o, false); }

/* ---- logistic, tanh, hard-swish ---- */

/* The input as a number with 4 integer bits, and how far from its zero point it may be. */
static ts_status scale_to_q4(tfl *t, const tfl_op *o, const tfl_tensor *x, unary *u) {
    ts__tflite_multiplier((double)ts__tfl_scale_of(x, 0) * (1 << 27), &u->multiplier, &u->shift);
    if (u->shift < 0 || u->shift > 27) {
        return TFL_FAIL(TS_DIAG_UNSUPPORTED, "its input's scale is %g; up to 1 is served",
                        (double)ts__tfl_scale_of(x, 0));
    }
    u->radius = (int32_t)floor(15.0 * (1 << 27) / (double)(INT64_C(1) << u->shift));
    return TS_OK;
}

static int32_t logistic(const void *context, int32_t x) {
    const unary *u = context;
    int32_t v = x - u->x_zero;
    if (v <= -u->radius || v >= u->radius) {
        return v < 0 ? u->low : u->high;
    }
    int32_t raw = ts_fixed_logistic(ts_multiply_by_quantized(v, u->multiplier, u->shift));
    return clamp(ts_rounding_divide_by_pot(raw, 23) + u->low, u->low, u->high);
}

static int32_t hyperbolic(const void *context, int32_t x) {
    const unary *u = context;
    int32_t v = x - u->x_zero;
    if (v <= -u->radius || v >= u->radius) {
        return v < 0 ? u->low : u->high;
    }
    int32_t raw = ts_fixed_tanh(ts_multiply_by_quantized(v, u->multiplier, u->shift));
    return clamp(ts_rounding_divide_by_pot(raw, 24) + u->y_zero, u->low, u->high);
}

/* Their outputs have a fixed quantum: that of the whole range of the function. */
static ts_status fixed_quantum(tfl *t, const tfl_op *o, const tfl_tensor *y, double scale, int32_t zero) {
    return (double)ts__tfl_scale_of(y, 0) == scale && ts__tfl_zero_of(y) == zero
               ? TS_OK
               : TFL_FAIL(TS_DIAG_UNSUPPORTED, "its output's quantum is not %g and %d", scale, (int)zero);
}

ts_status ts__tfl_logistic(tfl *t, const tfl_op *o) {
    tfl_tensor *x, *y;
    unary u;
    TS_TRY(take_unary(t, o, &x, &y, &u));
    TS_TRY(scale_to_q4(t, o, x, &u));
    TS_TRY(fixed_quantum(t, o, y, 1.0 / 256, u.low));
    return ts__tfl_add_table(t, o, x, y, logistic, &u);
}

ts_status ts__tfl_tanh(tfl *t, const tfl_op *o) {
    tfl_tensor *x, *y;
    unary u;
    TS_TRY(take_unary(t, o, &x, &y, &u));
    TS_TRY(scale_to_q4(t, o, x, &u));
    TS_TRY(fixed_quantum(t, o, y, 1.0 / 128, u.low + 128));
    return ts__tfl_add_table(t, o, x, y, hyperbolic, &u);
}

/* 16-bit fixed point of the hard-swish: SaturatingRoundingDoublingHighMul of int16, and the one that cuts. */
static int32_t high_mul_16(int32_t a, int32_t b) {
    int32_t product = a * b;
    return a == INT16_MIN && b == INT16_MIN
               ? INT16_MAX
               : (product + (product >= 0 ? 1 << 14 : 1 - (1 << 14))) / (1 << 15);
}

static int32_t cutting_mul_16(int32_t a, int32_t b) {
    return a == INT16_MIN && b == INT16_MIN ? INT16_MAX : a * b / (1 << 15);
}

static int32_t shift_left_16(int32_t x, int32_t bits) {
    return clamp((int32_t)(x * (INT64_C(1) << (bits > 16 ? 16 : bits)) > INT16_MAX   ? INT16_MAX
                           : x * (INT64_C(1) << (bits > 16 ? 16 : bits)) < INT16_MIN ? INT16_MIN
                                                                                     : x * (1 << bits)),
                 INT16_MIN, INT16_MAX);
}

/* Source: HardSwish of TensorFlow Lite's kernels/internal/reference/hard_swish.h. */
static int32_t hard_swish(const void *context, int32_t x) {
    const unary *u = context;
    int32_t fine = (x - u->x_zero) * 128;
    int32_t scaled = high_mul_16(fine, u->multiplier), gate = fine;
    if (u->shift2 > 0) {
        gate = shift_left_16(gate, u->shift2 - 1);
    }
    gate = high_mul_16(gate, u->multiplier2);
    if (u->shift2 > 0) {
        gate = shift_left_16(gate, 1);
    }
    if (u->shift2 < 0) {
        gate = ts_rounding_divide_by_pot(gate, -u->shift2);
    }
    gate = (gate + (1 << 15)) >> 1;
    int32_t y = ts_rounding_divide_by_pot(cutting_mul_16(gate, scaled), -u->shift);
    return clamp((int64_t)y + u->y_zero, u->low, u->high);
}

/* The upper 16 bits of a multiplier, rounded. */
static int32_t to_16_bits(int32_t multiplier) {
    return multiplier >= INT32_MAX - (1 << 15) ? INT16_MAX : (multiplier + (1 << 15)) >> 16;
}

ts_status ts__tfl_hard_swish(tfl *t, const tfl_op *o) {
    tfl_tensor *x, *y;
    unary u;
    TS_TRY(take_unary(t, o, &x, &y, &u));
    float fine = (1.0f / 128.0f) * ts__tfl_scale_of(x, 0);
    ts__tflite_multiplier((double)(fine / ts__tfl_scale_of(y, 0)), &u.multiplier, &u.shift);
    ts__tflite_multiplier((double)(fine / (3.0f / 32768.0f)), &u.multiplier2, &u.shift2);
    if (u.shift > 0 || u.shift2 > 15) {
        return TFL_FAIL(TS_DIAG_UNSUPPORTED, "its scales %g and %g are too far apart",
                        (double)ts__tfl_scale_of(x, 0), (double)ts__tfl_scale_of(y, 0));
    }
    u.multiplier = to_16_bits(u.multiplier);
    u.multiplier2 = to_16_bits(u.multiplier2);
    return ts__tfl_add_table(t, o, x, y, hard_swish, &u);
}

/* ---- softmax ---- */

ts_status ts__tfl_softmax(tfl *t, const tfl_op *o) {
    tfl_tensor *x, *y;
    unary u;
    ts_tensor_id output;
    TS_TRY(take_unary(t, o, &x, &y, &u));
    TS_TRY(fixed_quantum(t, o, y, 1.0 / 256, u.low));
    union {
        uint32_t bits;
        float value;
    } beta = {.bits = (uint32_t)ts__flat_int(&t->flat, o->options, 0, 4, 0x3f800000)};
    double real = (double)beta.value * (double)ts__tfl_scale_of(x, 0) * (1 << 26);
    ts_node node = ts__tfl_new_node(t, o, TS_OP_SOFTMAX, x);
    ts__tflite_multiplier(real < INT32_MAX ? real : INT32_MAX, &node.softmax.multiplier, &node.softmax.shift);
    if (!(real > 1) || node.softmax.shift < 0 || node.softmax.shift > 30) {
        return TFL_FAIL(TS_DIAG_UNSUPPORTED, "a scale of %g and a beta of %g are not served",
                        (double)ts__tfl_scale_of(x, 0), (double)beta.value);
    }
    node.softmax.diff_min = -(int32_t)((INT64_C(31) << 26) >> node.softmax.shift);
    TS_TRY(ts__tfl_new_activation(t, o, y, &output));
    ts__tfl_add_node(t, &node, y, output);
    return TS_OK;
}
