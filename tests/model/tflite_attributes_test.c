/* Random models of single TensorFlow Lite operators: every attribute and both 8-bit types, each compared with
 * the reference kernel's rule, written out here from TensorFlow Lite's definitions and sharing nothing with
 * the importer. */
#include <math.h>
#include <string.h>

#include "base/random.h"
#include "flat_maker.h"
#include "harness.h"
#include "model/tflite.h"
#include "num/integer.h"

enum { INT8 = 9, UINT8 = 3, INT32 = 2, ROOM = 4096, MODELS = 200, CHANNELS = 6 };

typedef struct value {
    int32_t h, w, c, type, zero;
    float scale;
    int32_t v[ROOM];
} value;

static ts_random rng;

static int32_t pick(int32_t low, int32_t high) { return (int32_t)ts_random_range(&rng, low, high); }

static float pick_scale(float low, float high) {
    return low * powf(high / low, (float)pick(0, 100000) / 100000.0f);
}

static int32_t lowest(int32_t type) { return type == INT8 ? -128 : 0; }

static int32_t type_of(int32_t i) { return i % 3 == 2 ? UINT8 : INT8; }

/* ---- arithmetic of TensorFlow Lite's reference kernels ---- */

static void quantize_multiplier(double real, int32_t *multiplier, int *shift) {
    double q = frexp(real, shift);
    int64_t fixed = (int64_t)round(q * (double)(INT64_C(1) << 31));
    if (fixed == INT64_C(1) << 31) {
        fixed /= 2;
        ++*shift;
    }
    if (*shift < -31) {
        *shift = 0;
        fixed = 0;
    }
    *multiplier = (int32_t)fixed;
}

static int32_t multiply_by_quantized(int32_t x, int32_t multiplier, int shift) {
    int64_t product = (int64_t)x * (1 << (shift > 0 ? shift : 0)) * multiplier;
    int64_t nudge = product >= 0 ? 1 << 30 : 1 - (1 << 30);
    int32_t high = (int32_t)((product + nudge) / (INT64_C(1) << 31));
    int right = shift > 0 ? 0 : -shift;
    int32_t mask = (int32_t)((INT64_C(1) << right) - 1), threshold = (mask >> 1) + (high < 0);
    return (high >> right) + ((high & mask) > threshold);
}

static int32_t times(int32_t x, double real) {
    int32_t multiplier;
    int shift;
    quantize_multiplier(real, &multiplier, &shift);
    return multiply_by_quantized(x, multiplier, shift);
}

/* Bounds that a fused activation leaves: NONE, RELU, RELU_N1_TO_1, RELU6. */
static int32_t activated(const value *y, int32_t activation, int32_t x) {
    int32_t low = lowest(y->type), high = low + 255;
    int32_t zero = y->zero, one = (int32_t)roundf(1.0f / y->scale), six = (int32_t)roundf(6.0f / y->scale);
    if (activation == 1 || activation == 3) {
        low = zero > low ? zero : low;
    }
    if (activation == 2) {
        low = zero - one > low ? zero - one : low;
        high = zero + one < high ? zero + one : high;
    }
    if (activation == 3) {
        high = zero + six < high ? zero + six : high;
    }
    return x < low ? low : x > high ? high : x;
}

/* ---- models ---- */

static void new_value(value *x, int32_t type, int32_t h, int32_t w, int32_t c, float scale) {
    *x = (value){.h = h, .w = w, .c = c, .type = type, .scale = scale};
    x->zero = pick(0, 4) == 0 ? lowest(type) : lowest(type) + pick(0, 255);
    for (int32_t i = 0; i < h * w * c; i++) {
        x->v[i] = lowest(type) + (pick(0, 3) == 0 ? 255 * pick(0, 1) : pick(0, 255));
    }
}

static tfm_tensor tensor_of(const char *name, const value *x) {
    return (tfm_tensor){name, 4, {1, x->h, x->w, x->c}, x->type, NULL, 0, 1, {x->scale}, x->zero, 0};
}

/* Imports the model and compares its output with `y`. */
static void check(const char *what, ts_bytes file, const value *x, const value *y) {
    ts_arena *arena = ts_arena_new("test", 0);
    ts_diags diags = {.arena = arena};
    ts_graph *graph;
    int32_t **values;
    const int32_t *inputs[1] = {x->v};
    ts_status status = ts__tflite_import(arena, file, "net", NULL, &graph, &diags);
    if (status == TS_OK) {
        status = ts_integer_run(graph, arena, inputs, &values, &diags);
    }
    for (uint32_t i = 0; i < diags.list.count && status != TS_OK; i++) {
        ts_diag_print(stderr, &diags.list.data[i]);
    }
    if (status != TS_OK) {
        fail_msg("%s was not imported", what);
    }
    const ts_tensor *out = &graph->tensors.data[graph->outputs.data[0]];
    assert_int_equal(ts_tensor_elements(out), y->h * y->w * y->c);
    for (int32_t i = 0; i < y->h * y->w * y->c; i++) {
        int32_t got = values[graph->outputs.data[0]][i];
        if (got != y->v[i]) {
            fail_msg("%s: element %d is %d; the reference kernel has %d", what, i, got, y->v[i]);
        }
    }
    ts_arena_free(arena);
}

static flat_maker maker;

/* ---- layers with weights ---- */

/* One axis of a window. */
typedef struct axis {
    int32_t in, out, kernel, stride, dilation, before;
} axis;

/* SAME: ceil(in / stride) outputs, the odd pad behind; VALID: those that fit. False where none does. */
static bool place(axis *a, bool same) {
    int32_t reach = (a->kernel - 1) * a->dilation + 1;
    a->out = same ? (a->in + a->stride - 1) / a->stride : (a->in - reach + a->stride) / a->stride;
    int32_t pad = (a->out - 1) * a->stride + reach - a->in;
    a->before = same && pad > 0 ? pad / 2 : 0;
    return a->out > 0 && (same || a->in >= reach);
}

static axis pick_axis(int32_t in, bool dilates) {
    return (axis){.in = in, .kernel = pick(1, 3), .stride = pick(1, 3), .dilation = dilates ? pick(1, 2) : 1};
}

typedef struct weights {
    int32_t count, zero, scale_count;
    uint8_t bytes[ROOM];
    float scales[8];
    int32_t bias[8];
} weights;

static int32_t weight_at(const weights *w, int32_t type, int32_t i) {
    return type == INT8 ? (int8_t)w->bytes[i] : w->bytes[i] - w->zero;
}

static void pick_weights(weights *w, int32_t type, int32_t count, int32_t channels) {
    *w = (weights){.count = count, .scale_count = type == INT8 && pick(0, 1) == 1 ? channels : 1};
    w->zero = type == INT8 ? 0 : pick(0, 255);
    for (int32_t i = 0; i < count; i++) {
        w->bytes[i] = (uint8_t)(type == INT8 ? pick(-127, 127) : pick(0, 255));
    }
    for (int32_t c = 0; c < 8; c++) {
        w->scales[c] = c < w->scale_count ? pick_scale(0.001f, 0.02f) : w->scales[0];
        w->bias[c] = pick(-3000, 3000);
    }
}

/* int8: double products, a channel each; uint8: a product of floats. */
static int32_t requantised(const value *x, const weights *w, const value *y, int32_t channel, int32_t acc) {
    double product = x->type == INT8 ? (double)x->scale * (double)w->scales[w->scale_count > 1 ? channel : 0]
                                     : (double)(x->scale * w->scales[0]);
    return times(acc, product / (double)y->scale) + y->zero;
}

/* `depthwise`: weights [kh, kw, C m], else [O, kh, kw, I of a group]. */
static void reference_conv(const value *x, const weights *w, const axis a[2], int32_t groups, bool depthwise,
                           int32_t activation, value *y) {
    int32_t per_group = x->c / groups, each = y->c / groups;
    for (int32_t i = 0; i < y->h * y->w * y->c; i++) {
        int32_t o = i % y->c, acc = w->bias[o];
        for (int32_t k = 0; k < a[0].kernel * a[1].kernel; k++) {
            int32_t row = i / y->c / y->w * a[0].stride - a[0].before + k / a[1].kernel * a[0].dilation;
            int32_t column = i / y->c % y->w * a[1].stride - a[1].before + k % a[1].kernel * a[1].dilation;
            bool inside = row >= 0 && row < x->h && column >= 0 && column < x->w;
            for (int32_t c = 0; inside && c < per_group; c++) {
                int32_t place_of =
                    depthwise ? k * y->c + o : (o * a[0].kernel * a[1].kernel + k) * per_group + c;
                int32_t from = x->v[(row * x->w + column) * x->c + o / each * per_group + c] - x->zero;
                acc += from * weight_at(w, x->type, place_of);
            }
        }
        y->v[i] = activated(y, activation, requantised(x, w, y, o, acc));
    }
}

static void one_conv(int32_t type, bool depthwise) {
    static value x, y;
    static weights w;
    bool same = pick(0, 1) == 1;
    axis a[2];
    do {
        new_value(&x, type, pick(1, 8), pick(1, 8), pick(1, 2) * 2, pick_scale(0.005f, 0.2f));
        a[0] = pick_axis(x.h, true);
        a[1] = pick_axis(x.w, true);
    } while (!place(&a[0], same) || !place(&a[1], same));
    int32_t groups = depthwise ? x.c : type == INT8 && pick(0, 3) == 0 ? 2 : 1;
    int32_t channels = depthwise ? x.c * pick(1, 8 / x.c) : groups * pick(1, CHANNELS / groups);
    int32_t per_group = depthwise ? 1 : x.c / groups, activation = pick(0, 3);
    pick_weights(&w, type, channels * a[0].kernel * a[1].kernel * per_group, channels);
    float usual = x.scale * w.scales[0] * sqrtf((float)(w.count / channels)) * 60;
    new_value(&y, type, a[0].out, a[1].out, channels, pick_scale(usual / 20, usual));
    reference_conv(&x, &w, a, groups, depthwise, activation, &y);
    tfm_tensor tensors[4] = {tensor_of("x", &x),
                             {"w",
                              4,
                              {channels, a[0].kernel, a[1].kernel, per_group},
                              type,
                              w.bytes,
                              (uint32_t)w.count,
                              (uint32_t)w.scale_count,
                              {0},
                              w.zero,
                              depthwise ? 3 : 0},
                             {"b", 1, {channels}, INT32, w.bias, (uint32_t)channels * 4, 1, {0.001f}, 0, 0},
                             tensor_of("y", &y)};
    memcpy(tensors[1].scales, w.scales, sizeof w.scales);
    if (depthwise) {
        tensors[1].dims[0] = 1;
        tensors[1].dims[3] = channels;
    }
    tfm_operator op = {
        3, 3, {0, 1, 2},
        3, 6, {same ? 0 : 1, a[1].stride, a[0].stride, activation, a[1].dilation, a[0].dilation}};
    if (depthwise) {
        const tfm_operator other = {
            4,
            3,
            {0, 1, 2},
            3,
            7,
            {same ? 0 : 1, a[1].stride, a[0].stride, channels / x.c, activation, a[1].dilation, a[0].dilation}};
        op = other;
    }
    check(depthwise ? "DEPTHWISE_CONV_2D" : "CONV_2D", tfm_pack(&maker, tensors, 4, &op, 1), &x, &y);
}

/* The product of the scales is a float here unless there is one a channel. */
static void one_linear(int32_t type) {
    static value x, y;
    static weights w;
    int32_t channels = pick(1, CHANNELS), activation = pick(0, 3);
    new_value(&x, type, pick(1, 3), pick(1, 3), pick(1, 8), pick_scale(0.005f, 0.2f));
    int32_t in = x.h * x.w * x.c;
    pick_weights(&w, type, channels * in, channels);
    float usual = x.scale * w.scales[0] * sqrtf((float)in) * 60;
    new_value(&y, type, 1, 1, channels, pick_scale(usual / 20, usual));
    for (int32_t o = 0; o < channels; o++) {
        int32_t acc = w.bias[o];
        for (int32_t i = 0; i < in; i++) {
            acc += (x.v[i] - x.zero) * weight_at(&w, type, o * in + i);
        }
        double product =
            w.scale_count > 1 ? (double)x.scale * (double)w.scales[o] : (double)(x.scale * w.scales[0]);
        y.v[o] = activated(&y, activation, times(acc, product / (double)y.scale) + y.zero);
    }
    tfm_tensor tensors[4] = {
        tensor_of("x", &x),
        {"w", 2, {channels, in}, type, w.bytes, (uint32_t)w.count, (uint32_t)w.scale_count, {0}, w.zero, 0},
        {"b", 1, {channels}, INT32, w.bias, (uint32_t)channels * 4, 1, {0.001f}, 0, 0},
        {"y", 2, {1, channels}, type, NULL, 0, 1, {y.scale}, y.zero, 0}};
    memcpy(tensors[1].scales, w.scales, sizeof w.scales);
    const tfm_operator op = {9, 3, {0, 1, 2}, 3, 1, {activation}};
    check("FULLY_CONNECTED", tfm_pack(&maker, tensors, 4, &op, 1), &x, &y);
}

/* ---- two operands ---- */

static int32_t element(const value *x, int32_t row, int32_t column, int32_t c) {
    return x->v[(row * x->w + column) * x->c + c];
}

/* ADD, SUB, MUL of codes by the reference's rules. */
static int32_t joined(int32_t code, const value *a, int32_t va, const value *b, int32_t vb, const value *y) {
    int32_t da = va - a->zero, db = vb - b->zero;
    if (code == 18) {
        return times(da * db, (double)(a->scale * b->scale / y->scale)) + y->zero;
    }
    double twice = 2 * fmax((double)a->scale, (double)b->scale);
    int32_t sa = times(da * (1 << 20), (double)a->scale / twice),
            sb = times(db * (1 << 20), (double)b->scale / twice);
    return times(code == 0 ? sa + sb : sa - sb, twice / ((1 << 20) * (double)y->scale)) + y->zero;
}

/* A shape of which a map of h x w x c is a multiple, element by element. */
static void pick_part(int32_t dims[3], int32_t h, int32_t w, int32_t c) {
    dims[0] = pick(0, 1) == 1 ? h : 1;
    dims[1] = pick(0, 1) == 1 ? w : 1;
    dims[2] = pick(0, 1) == 1 ? c : 1;
}

static int32_t broadcast(const value *x, int32_t row, int32_t column, int32_t c) {
    return x->v[((x->h > 1 ? row : 0) * x->w + (x->w > 1 ? column : 0)) * x->c + (x->c > 1 ? c : 0)];
}

/* x and a second operand: what QUANTIZE makes of a part of x, or a constant; each of any shape that
 * broadcasts to the result's. */
static void one_binary(int32_t type, int32_t code) {
    static value x, b, y;
    uint8_t bytes[512];
    int32_t activation = pick(0, 3), shape[3] = {pick(1, 5), pick(1, 5), pick(1, 8)}, dims[2][3];
    bool constant = pick(0, 1) == 1, first = pick(0, 1) == 1, small = constant && pick(0, 3) == 0;
    memcpy(dims[0], shape, sizeof shape);
    if (small) {
        pick_part(dims[0], shape[0], shape[1], shape[2]);
    }
    new_value(&x, type, dims[0][0], dims[0][1], dims[0][2], pick_scale(0.01f, 0.2f));
    pick_part(dims[1], shape[0], shape[1], shape[2]);
    if (small) { /* the constant has what x has not */
        for (int32_t i = 0; i < 3; i++) {
            dims[1][i] = dims[0][i] == 1 ? shape[i] : dims[1][i];
        }
    }
    new_value(&b, type, dims[1][0], dims[1][1], dims[1][2], x.scale * pick_scale(0.2f, 5));
    for (int32_t i = 0; i < b.h * b.w * b.c && !constant; i++) {
        int32_t from = element(&x, i / b.c / b.w, i / b.c % b.w, i % b.c);
        b.v[i] = activated(&b, 0, times(from - x.zero, (double)x.scale / (double)b.scale) + b.zero);
    }
    for (int32_t i = 0; i < b.h * b.w * b.c; i++) {
        bytes[i] = (uint8_t)b.v[i];
    }
    float usual = code == 18 ? x.scale * b.scale * 60 : fmaxf(x.scale, b.scale);
    new_value(&y, type, shape[0], shape[1], shape[2], pick_scale(usual / 2, usual * 2));
    for (int32_t i = 0; i < y.h * y.w * y.c; i++) {
        int32_t row = i / y.c / y.w, column = i / y.c % y.w, c = i % y.c;
        int32_t one = broadcast(&x, row, column, c), other = broadcast(&b, row, column, c);
        y.v[i] =
            activated(&y, activation,
                      first ? joined(code, &b, other, &x, one, &y) : joined(code, &x, one, &b, other, &y));
    }
    static const int32_t begin[4] = {0, 0, 0, 0};
    const int32_t size[4] = {1, b.h, b.w, b.c};
    const tfm_tensor tensors[6] = {tensor_of("x", &x),
                                   {"begin", 1, {4}, INT32, begin, 16, 0, {0}, 0, 0},
                                   {"size", 1, {4}, INT32, size, 16, 0, {0}, 0, 0},
                                   {"part", 4, {1, b.h, b.w, b.c}, type, NULL, 0, 1, {x.scale}, x.zero, 0},
                                   {"b",
                                    4,
                                    {1, b.h, b.w, b.c},
                                    type,
                                    constant ? bytes : NULL,
                                    constant ? (uint32_t)(b.h * b.w * b.c) : 0,
                                    1,
                                    {b.scale},
                                    b.zero,
                                    0},
                                   tensor_of("y", &y)};
    tfm_operator ops[3] = {{65, 3, {0, 1, 2}, 3, 1, {0}},
                           {114, 1, {3}, 4, 1, {0}},
                           {code, 2, {first ? 4 : 0, first ? 0 : 4}, 5, 1, {activation}}};
    uint32_t from = constant ? 2 : 0;
    check(code == 0    ? "ADD"
          : code == 18 ? "MUL"
                       : "SUB",
          tfm_pack(&maker, tensors, 6, ops + from, 3 - from), &x, &y);
}

/* ---- poolings and means ---- */

static void one_pool(int32_t type, bool average) {
    static value x, y;
    bool same = pick(0, 1) == 1;
    int32_t activation = pick(0, 3);
    axis a[2];
    do {
        new_value(&x, type, pick(1, 8), pick(1, 8), pick(1, 4), pick_scale(0.005f, 0.2f));
        a[0] = pick_axis(x.h, false);
        a[1] = pick_axis(x.w, false);
    } while (!place(&a[0], same) || !place(&a[1], same));
    new_value(&y, type, a[0].out, a[1].out, x.c, x.scale);
    y.zero = x.zero;
    for (int32_t i = 0; i < y.h * y.w * y.c; i++) {
        int32_t sum = 0, count = 0, greatest = lowest(type);
        for (int32_t k = 0; k < a[0].kernel * a[1].kernel; k++) {
            int32_t row = i / y.c / y.w * a[0].stride - a[0].before + k / a[1].kernel;
            int32_t column = i / y.c % y.w * a[1].stride - a[1].before + k % a[1].kernel;
            if (row >= 0 && row < x.h && column >= 0 && column < x.w) {
                int32_t v = x.v[(row * x.w + column) * x.c + i % y.c];
                sum += v;
                count++;
                greatest = v > greatest ? v : greatest;
            }
        }
        int32_t mean = sum > 0 || type == UINT8 ? (sum + count / 2) / count : (sum - count / 2) / count;
        y.v[i] = activated(&y, activation, average ? mean : greatest);
    }
    const tfm_tensor tensors[2] = {tensor_of("x", &x), tensor_of("y", &y)};
    const tfm_operator op = {average ? 1 : 17,
                             1,
                             {0},
                             1,
                             6,
                             {same ? 0 : 1, a[1].stride, a[0].stride, a[1].kernel, a[0].kernel, activation}};
    check(average ? "AVERAGE_POOL_2D" : "MAX_POOL_2D", tfm_pack(&maker, tensors, 2, &op, 1), &x, &y);
}

/* QuantizedMeanOrSum: the number of elements goes into the multiplier. */
static void one_mean(int32_t type) {
    static value x, y;
    int32_t over = pick(1, 3), multiplier;
    int shift, power = 0;
    new_value(&x, type, pick(1, 7), pick(1, 7), pick(1, 6), pick_scale(0.01f, 0.2f));
    int32_t rows = over & 1 ? x.h : 1, columns = over & 2 ? x.w : 1, n = rows * columns;
    new_value(&y, type, x.h / rows, x.w / columns, x.c, x.scale * pick_scale(0.3f, 2));
    quantize_multiplier((double)x.scale / (double)y.scale, &multiplier, &shift);
    while (n >> (power + 1) > 0) {
        power++;
    }
    power = power < 31 + shift ? power : 31 + shift;
    multiplier = (int32_t)(((int64_t)multiplier << power) / n);
    for (int32_t i = 0; i < y.h * y.w * y.c; i++) {
        int32_t sum = -x.zero * n;
        for (int32_t k = 0; k < n; k++) {
            int32_t row = i / y.c / y.w * rows + k / columns, column = i / y.c % y.w * columns + k % columns;
            sum += x.v[(row * x.w + column) * x.c + i % y.c];
        }
        y.v[i] = activated(&y, 0, multiply_by_quantized(sum, multiplier, shift - power) + y.zero);
    }
    const int32_t axes[2] = {over & 1 ? 1 : 2, -2};
    const tfm_tensor tensors[3] = {
        tensor_of("x", &x),
        {"axes", 1, {over == 3 ? 2 : 1}, INT32, axes, over == 3 ? 8 : 4, 0, {0}, 0, 0},
        tensor_of("y", &y)};
    const tfm_operator op = {40, 2, {0, 1}, 2, 1, {1}};
    check("MEAN", tfm_pack(&maker, tensors, 3, &op, 1), &x, &y);
}

/* ---- what moves elements ---- */

/* A result of x's type and quantum. */
static void like(value *y, const value *x, int32_t h, int32_t w, int32_t c) {
    *y = (value){.h = h, .w = w, .c = c, .type = x->type, .scale = x->scale, .zero = x->zero};
}

static tfm_tensor list_of(const char *name, const int32_t *values, int32_t count) {
    return (tfm_tensor){name, 1, {count}, INT32, values, 4 * (uint32_t)count, 0, {0}, 0, 0};
}

/* One entry of a slice's specification, and what it takes of its axis: elements by the interpreter's rule, in
 * which the range is walked. */
typedef struct entry {
    int32_t begin, end, step, count, taken[8];
    bool no_begin, no_end, shrinks;
} entry;

static int32_t inside(int32_t v, int32_t size, int32_t step) {
    int32_t low = step > 0 ? 0 : -1, high = step > 0 ? size : size - 1;
    v += v < 0 ? size : 0;
    return v < low ? low : v > high ? high : v;
}

static entry pick_entry(int32_t size, bool offset) {
    entry e;
    do {
        e = (entry){
            .begin = pick(-size - 2, size + 2), .end = pick(-size - 2, size + 2), .step = pick(-3, 3)};
        e.no_begin = pick(0, 3) == 0;
        e.no_end = pick(0, 3) == 0;
        e.shrinks = e.step > 0 && pick(0, 4) == 0;
        if (e.step == 0) {
            continue;
        }
        int32_t from = e.no_begin ? e.step > 0 ? 0 : size - 1 : inside(e.begin, size, e.step);
        int32_t to = e.no_end ? e.step > 0 ? size : -1 : inside(e.end + (offset ? from : 0), size, e.step);
        to = e.shrinks ? from + 1 : to;
        for (int32_t i = from; i >= 0 && i < size && (e.step > 0 ? i < to : i > to); i += e.step) {
            e.taken[e.count++] = i;
        }
    } while (e.count == 0);
    return e;
}

/* Begins and ends from either end of an axis and beyond it, steps forwards and backwards, all masks, an
 * ellipsis, new axes, ends counted from begins, fewer entries than axes. */
static void one_strided_slice(int32_t type) {
    static value x, y;
    int32_t list[3][6] = {{0}}, masks[5] = {0}, count = 0, axis_number = 0, y_dims[8], y_rank = 0;
    bool offset = pick(0, 3) == 0, used = false;
    new_value(&x, type, pick(1, 7), pick(1, 7), pick(1, 7), 0.1f);
    const int32_t sizes[4] = {1, x.h, x.w, x.c};
    entry taken[4];
    for (int32_t i = 0; i < 4; i++) {
        taken[i] = (entry){.count = sizes[i], .taken = {0, 1, 2, 3, 4, 5, 6}};
    }
    int32_t ellipsis = pick(0, 1) == 1 ? pick(0, 3) : -1, wide = ellipsis < 0 ? 0 : pick(1, 4 - ellipsis);
    while (axis_number < 4 && (axis_number == 0 || pick(0, 7) > 0) && count < 6) {
        if (axis_number == ellipsis && !used) { /* as many axes as the entries behind it leave */
            used = true;
            masks[2] |= 1 << count++;
            for (int32_t i = 0; i < wide; i++) {
                y_dims[y_rank++] = sizes[axis_number++];
            }
            continue;
        }
        if (pick(0, 7) == 0 && 4 - axis_number < 6 - count && y_rank < 4) {
            masks[3] |= 1 << count++;
            y_dims[y_rank++] = 1;
            continue;
        }
        entry e = axis_number == 0 ? (entry){.end = 1, .step = 1, .count = 1}
                                   : pick_entry(sizes[axis_number], offset);
        list[0][count] = e.begin;
        list[1][count] = e.end;
        list[2][count] = e.step;
        masks[0] |= (int32_t)e.no_begin << count;
        masks[1] |= (int32_t)e.no_end << count;
        masks[4] |= (int32_t)e.shrinks << count++;
        taken[axis_number++] = e;
        y_dims[y_rank] = e.count;
        y_rank += !e.shrinks;
    }
    for (; axis_number < 4 && used; axis_number++) { /* an ellipsis leaves none open: it would be wider */
        list[1][count] = sizes[axis_number];
        list[2][count++] = 1;
        y_dims[y_rank++] = sizes[axis_number];
    }
    for (; axis_number < 4; axis_number++) {
        y_dims[y_rank++] = sizes[axis_number];
    }
    if (count > 6 || y_rank > 4 || y_rank == 0 || y_dims[0] != 1) {
        return; /* no map */
    }
    like(&y, &x, taken[1].count, taken[2].count, taken[3].count);
    for (int32_t i = 0; i < y.h * y.w * y.c; i++) {
        y.v[i] = element(&x, taken[1].taken[i / y.c / y.w], taken[2].taken[i / y.c % y.w],
                         taken[3].taken[i % y.c]);
    }
    tfm_tensor tensors[5] = {tensor_of("x", &x), list_of("begin", list[0], count),
                             list_of("end", list[1], count), list_of("step", list[2], count),
                             tensor_of("y", &y)};
    tensors[4].rank = (uint32_t)y_rank;
    memcpy(tensors[4].dims, y_dims, sizeof tensors[4].dims);
    const tfm_operator op = {45, 4, {0, 1, 2, 3},
                             4,  6, {masks[0], masks[1], masks[2], masks[3], masks[4], offset}};
    check("STRIDED_SLICE", tfm_pack(&maker, tensors, 5, &op, 1), &x, &y);
}

/* Any sizes, aligned corners, half-pixel centres. Source: ResizeNearestNeighbor's GetNearestNeighbor. */
static void one_resize(int32_t type) {
    static value x, y;
    bool half = pick(0, 1) == 1, corners = pick(0, 1) == 1, whole = pick(0, 2) == 0;
    int32_t h = pick(1, 5), w = pick(1, 5), c = pick(1, 5);
    new_value(&x, type, h, w, c, 0.1f);
    like(&y, &x, whole ? h * pick(1, 3) : pick(1, 12), whole ? w * pick(1, 3) : pick(1, 12), c);
    float scale_h = (float)x.h / (float)y.h, scale_w = (float)x.w / (float)y.w, offset = half ? 0.5f : 0;
    scale_h = corners && y.h > 1 ? (float)(x.h - 1) / (float)(y.h - 1) : scale_h;
    scale_w = corners && y.w > 1 ? (float)(x.w - 1) / (float)(y.w - 1) : scale_w;
    for (int32_t i = 0; i < y.h * y.w * y.c; i++) {
        float r = ((float)(i / c / y.w) + offset) * scale_h, s = ((float)(i / c % y.w) + offset) * scale_w;
        int32_t row = (int32_t)(corners ? roundf(r) : floorf(r)),
                column = (int32_t)(corners ? roundf(s) : floorf(s));
        y.v[i] = element(&x, row < x.h ? row : x.h - 1, column < x.w ? column : x.w - 1, i % c);
    }
    const int32_t size[2] = {y.h, y.w};
    const tfm_tensor tensors[3] = {tensor_of("x", &x), list_of("size", size, 2), tensor_of("y", &y)};
    const tfm_operator op = {97, 2, {0, 1}, 2, 2, {corners, half}};
    check("RESIZE_NEAREST_NEIGHBOR", tfm_pack(&maker, tensors, 3, &op, 1), &x, &y);
}

/* A transposition and a padding of rows, columns and channels behind it. */
static void one_turn_and_pad(int32_t type) {
    static value x, y;
    static const int32_t orders[6][4] = {{0, 1, 2, 3}, {0, 1, 3, 2}, {0, 2, 1, 3},
                                         {0, 2, 3, 1}, {0, 3, 1, 2}, {0, 3, 2, 1}};
    const int32_t *order = orders[pick(0, 5)];
    int32_t pads[8] = {0}, at[4];
    new_value(&x, type, pick(1, 5), pick(1, 5), pick(1, 5), 0.1f);
    const int32_t sizes[4] = {1, x.h, x.w, x.c};
    const int32_t turned[4] = {1, sizes[order[1]], sizes[order[2]], sizes[order[3]]};
    for (int32_t i = 2; i < 8; i++) {
        pads[i] = pick(i == 2, 2); /* nothing that moves would be no network */
    }
    like(&y, &x, turned[1] + pads[2] + pads[3], turned[2] + pads[4] + pads[5], turned[3] + pads[6] + pads[7]);
    for (int32_t i = 0; i < y.h * y.w * y.c; i++) {
        const int32_t from[4] = {0, i / y.c / y.w - pads[2], i / y.c % y.w - pads[4], i % y.c - pads[6]};
        bool inside = true;
        for (int32_t d = 1; d < 4; d++) {
            inside = inside && from[d] >= 0 && from[d] < turned[d];
            at[order[d]] = from[d];
        }
        y.v[i] = inside ? element(&x, at[1], at[2], at[3]) : x.zero;
    }
    tfm_tensor tensors[5] = {
        tensor_of("x", &x),
        list_of("order", order, 4),
        {"turned", 4, {1, turned[1], turned[2], turned[3]}, type, NULL, 0, 1, {x.scale}, x.zero, 0},
        {"pads", 2, {4, 2}, INT32, pads, 32, 0, {0}, 0, 0},
        tensor_of("y", &y)};
    const tfm_operator ops[2] = {{39, 2, {0, 1}, 2, 1, {0}}, {34, 2, {2, 3}, 4, 1, {0}}};
    check("TRANSPOSE and PAD", tfm_pack(&maker, tensors, 5, ops, 2), &x, &y);
}

/* Halves of x along an axis, joined the other way round. */
static void one_split_and_join(int32_t type) {
    static value x, y;
    int32_t axis_number = pick(1, 3), size[4] = {1, pick(1, 4), pick(1, 4), pick(1, 4)};
    int32_t half = size[axis_number], which = pick(0, 1) == 1 ? axis_number : axis_number - 4;
    size[axis_number] *= 2;
    new_value(&x, type, size[1], size[2], size[3], 0.1f);
    like(&y, &x, x.h, x.w, x.c);
    for (int32_t i = 0; i < y.h * y.w * y.c; i++) {
        int32_t at[4] = {0, i / y.c / y.w, i / y.c % y.w, i % y.c};
        at[axis_number] = (at[axis_number] + half) % (2 * half);
        y.v[i] = element(&x, at[1], at[2], at[3]);
    }
    tfm_tensor part = tensor_of("left", &x);
    part.dims[axis_number] = half;
    tfm_tensor tensors[5] = {tensor_of("x", &x), list_of("axis", &which, 1), part, part, tensor_of("y", &y)};
    tensors[3].name = "right";
    const tfm_operator ops[2] = {{49, 2, {1, 0}, 2 + (3 << 16), 1, {2}}, {2, 2, {3, 2}, 4, 2, {which, 0}}};
    check("SPLIT and CONCATENATION", tfm_pack(&maker, tensors, 5, ops, 2), &x, &y);
}

/* QUANTIZE between both types, and the rectifiers as operators of their own. */
static void one_table(int32_t type) {
    static value x, y;
    static const int32_t codes[5] = {114, 19, 20, 21, 152};
    int32_t which = pick(0, 4), out = which == 0 && pick(0, 1) == 1 ? (type == INT8 ? UINT8 : INT8) : type;
    new_value(&x, type, 4, 8, 8, pick_scale(0.005f, 0.2f));
    new_value(&y, out, 4, 8, 8, x.scale * pick_scale(0.3f, 3));
    double real = which == 0 ? (double)x.scale / (double)y.scale : (double)(x.scale / y.scale);
    for (int32_t i = 0; i < 256; i++) {
        x.v[i] = lowest(type) + i;
        int32_t code = activated(&y, which < 4 ? which : 3, times(x.v[i] - x.zero, real) + y.zero);
        int32_t one = y.zero + (int32_t)roundf(1.0f / y.scale);
        y.v[i] = which == 4 && code > one ? one : code;
    }
    const tfm_tensor tensors[2] = {tensor_of("x", &x), tensor_of("y", &y)};
    const tfm_operator op = {codes[which], 1, {0}, 1, 1, {0}};
    check("QUANTIZE or a rectifier", tfm_pack(&maker, tensors, 2, &op, 1), &x, &y);
}

/* ---- the tests ---- */

static void movements(void **state) {
    (void)state;
    for (int32_t i = 0; i < MODELS; i++) {
        one_strided_slice(type_of(i));
        one_resize(type_of(i));
        one_turn_and_pad(type_of(i));
        one_split_and_join(type_of(i));
        one_table(type_of(i));
    }
}

static void convolutions(void **state) {
    (void)state;
    for (int32_t i = 0; i < MODELS; i++) {
        one_conv(type_of(i), false);
        one_conv(type_of(i), true);
        one_linear(type_of(i));
    }
}

static void two_operands(void **state) {
    (void)state;
    for (int32_t i = 0; i < MODELS / 4; i++) {
        one_binary(type_of(i), 0);
        one_binary(type_of(i), 41);
        one_binary(type_of(i), 18);
    }
}

static void poolings(void **state) {
    (void)state;
    for (int32_t i = 0; i < MODELS; i++) {
        one_pool(type_of(i), true);
        one_pool(type_of(i), false);
        one_mean(type_of(i));
    }
}

int main(void) {
    rng = ts_random_seed(11);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(convolutions),
        cmocka_unit_test(two_operands),
        cmocka_unit_test(poolings),
        cmocka_unit_test(movements),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
