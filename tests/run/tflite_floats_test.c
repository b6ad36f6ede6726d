/* Float operators between integer ones in TensorFlow Lite files, beside the reference kernels' arithmetic,
 * written out here in the floats of this machine: functions of one element, and what consists of additions,
 * products and quotients, are equal; where exponentials and roots are in it, a code may be one beside. The
 * host and the simulated chip compute what the reference computes. */
#include <math.h>

#include "../model/flat_maker.h"
#include "base/random.h"
#include "harness.h"
#include "model/tflite.h"
#include "num/integer.h"
#include "run/run.h"

enum { INT8 = 9, UINT8 = 3, INT32 = 2, FLOAT = 0, H = 3, W = 4, C = 5, ELEMENTS = H * W * C };

/* The network that is being made, and what each of its tensors is in floats. */
typedef struct net {
    tfm_tensor tensors[32];
    tfm_operator ops[24];
    uint32_t tensor_count, op_count;
    float values[32][ELEMENTS];
    float constants[8][ELEMENTS];
    int32_t lists[8][4];
    uint32_t constant_count, list_count;
} net;

static uint32_t size_of(const net *n, uint32_t t) {
    const int32_t *d = n->tensors[t].dims;
    return (uint32_t)(d[0] * d[1] * d[2] * d[3]);
}

static uint32_t add_tensor(net *n, const int32_t dims[4], int32_t type) {
    static const char *const names[] = {"t0",  "t1",  "t2",  "t3",  "t4",  "t5",  "t6",  "t7",
                                        "t8",  "t9",  "t10", "t11", "t12", "t13", "t14", "t15",
                                        "t16", "t17", "t18", "t19", "t20", "t21", "t22", "t23"};
    assert_true(n->tensor_count < 24);
    n->tensors[n->tensor_count] = (tfm_tensor){
        names[n->tensor_count], 4, {dims[0], dims[1], dims[2], dims[3]}, type, NULL, 0, 0, {0}, 0, 0};
    return n->tensor_count++;
}

static uint32_t constant(net *n, int32_t h, int32_t w, int32_t c, float from, float step) {
    uint32_t t = add_tensor(n, (const int32_t[]){1, h, w, c}, FLOAT);
    float *data = n->constants[n->constant_count++];
    for (uint32_t i = 0; i < size_of(n, t); i++) {
        data[i] = n->values[t][i] = from + step * (float)i;
    }
    n->tensors[t].data = data;
    n->tensors[t].bytes = 4 * size_of(n, t);
    return t;
}

static uint32_t list(net *n, uint32_t count, int32_t a, int32_t b, int32_t c, int32_t d) {
    const int32_t values[4] = {a, b, c, d};
    int32_t *own = memcpy(n->lists[n->list_count++], values, sizeof values);
    uint32_t t = add_tensor(n, (const int32_t[]){(int32_t)count, 1, 1, 1}, INT32);
    n->tensors[t].rank = 1;
    n->tensors[t].data = own;
    n->tensors[t].bytes = 4 * count;
    return t;
}

/* Element of a tensor that broadcasts to row r, column w, channel c. */
static float at(const net *n, uint32_t t, int32_t r, int32_t w, int32_t c) {
    const int32_t *d = n->tensors[t].dims;
    return n->values[t][((d[1] > 1 ? r : 0) * d[2] + (d[2] > 1 ? w : 0)) * d[3] + (d[3] > 1 ? c : 0)];
}

static float bounded(int32_t activation, float x) {
    x = activation == 1 || activation == 3 ? fmaxf(x, 0) : activation == 2 ? fmaxf(x, -1) : x;
    return activation == 3 ? fminf(x, 6) : activation == 2 ? fminf(x, 1) : x;
}

static float two(int32_t code, float a, float b) {
    switch (code) {
        case 0:
            return a + b;
        case 18:
            return a * b;
        case 41:
            return a - b;
        case 42:
            return a / b;
        case 55:
            return a > b ? a : b;
        case 57:
            return a < b ? a : b;
        default: { /* SQUARED_DIFFERENCE */
            float difference = a - b;
            return difference * difference;
        }
    }
}

static uint32_t binary(net *n, int32_t code, uint32_t a, uint32_t b, int32_t activation) {
    int32_t dims[4];
    for (int i = 0; i < 4; i++) {
        dims[i] =
            n->tensors[a].dims[i] > n->tensors[b].dims[i] ? n->tensors[a].dims[i] : n->tensors[b].dims[i];
    }
    uint32_t y = add_tensor(n, dims, FLOAT);
    for (int32_t i = 0; i < (int32_t)size_of(n, y); i++) {
        int32_t r = i / dims[3] / dims[2], w = i / dims[3] % dims[2], c = i % dims[3];
        n->values[y][i] = bounded(activation, two(code, at(n, a, r, w, c), at(n, b, r, w, c)));
    }
    n->ops[n->op_count++] =
        (tfm_operator){code, 2, {(int32_t)a, (int32_t)b}, (int32_t)y, code < 55 ? 1 : 0, {activation}};
    return y;
}

static float one(int32_t code, float x) {
    switch (code) {
        case 14:
            return x > 16.619047164916992188f ? 1 : x < -9 ? expf(x) : 1.0f / (1.0f + expf(-x));
        case 28:
            return tanhf(x);
        case 47:
            return expf(x);
        case 76:
            return 1.0f / sqrtf(x);
        case 98:
            return x > 0 ? x : x * 0.25f;
        case 101:
            return fabsf(x);
        case 117:
            return x * fminf(6.0f, fmaxf(0.0f, x + 3.0f)) / 6.0f;
        default: /* RELU_N1_TO_1 */
            return fminf(fmaxf(x, -1), 1);
    }
}

static uint32_t unary(net *n, int32_t code, uint32_t x) {
    uint32_t y = add_tensor(n, n->tensors[x].dims, FLOAT);
    for (uint32_t i = 0; i < size_of(n, y); i++) {
        n->values[y][i] = one(code, n->values[x][i]);
    }
    n->ops[n->op_count++] = (tfm_operator){code, 1, {(int32_t)x}, (int32_t)y, 1, {0x3e800000}};
    return y;
}

/* Axes `axes` (a bit each, of 1, 2, 3), gone over and kept: MEAN, or SOFTMAX's sum of the last. */
static uint32_t mean(net *n, uint32_t x, uint32_t axes) {
    int32_t dims[4], numbers[4] = {0}, count = 0, elements = 1;
    float sums[ELEMENTS] = {0};
    const int32_t *d = n->tensors[x].dims;
    for (int i = 0; i < 4; i++) {
        bool over = axes >> i & 1;
        dims[i] = over ? 1 : d[i];
        elements *= over ? d[i] : 1;
        numbers[count] = i;
        count += over;
    }
    uint32_t which = list(n, (uint32_t)count, numbers[0], numbers[1], numbers[2], 0);
    uint32_t y = add_tensor(n, dims, FLOAT);
    for (int32_t i = 0; i < (int32_t)size_of(n, x); i++) {
        int32_t r = i / d[3] / d[2], w = i / d[3] % d[2], c = i % d[3];
        int32_t to =
            ((dims[1] > 1 ? r : 0) * dims[2] + (dims[2] > 1 ? w : 0)) * dims[3] + (dims[3] > 1 ? c : 0);
        sums[to] += n->values[x][i];
    }
    for (uint32_t i = 0; i < size_of(n, y); i++) {
        n->values[y][i] = sums[i] / (float)elements;
    }
    n->ops[n->op_count++] = (tfm_operator){40, 2, {(int32_t)x, (int32_t)which}, (int32_t)y, 1, {1}};
    return y;
}

static uint32_t softmax(net *n, uint32_t x, float beta) {
    uint32_t y = add_tensor(n, n->tensors[x].dims, FLOAT);
    for (uint32_t i = 0; i < size_of(n, x); i += C) {
        const float *v = n->values[x] + i;
        float most = v[0], sum = 0;
        for (int c = 1; c < C; c++) {
            most = fmaxf(most, v[c]);
        }
        for (int c = 0; c < C; c++) {
            sum += expf((v[c] - most) * beta);
        }
        for (int c = 0; c < C; c++) {
            n->values[y][i + (uint32_t)c] = expf((v[c] - most) * beta) / sum;
        }
    }
    int32_t bits;
    memcpy(&bits, &beta, sizeof bits);
    n->ops[n->op_count++] = (tfm_operator){25, 1, {(int32_t)x}, (int32_t)y, 1, {bits}};
    return y;
}

/* Rows and columns exchanged. */
static uint32_t turned(net *n, uint32_t x) {
    const int32_t *d = n->tensors[x].dims;
    uint32_t order = list(n, 4, 0, 2, 1, 3), y = add_tensor(n, (const int32_t[]){1, d[2], d[1], d[3]}, FLOAT);
    for (int32_t i = 0; i < (int32_t)size_of(n, y); i++) {
        n->values[y][i] = at(n, x, i / d[3] % d[1], i / d[3] / d[1], i % d[3]);
    }
    n->ops[n->op_count++] = (tfm_operator){39, 2, {(int32_t)x, (int32_t)order}, (int32_t)y, 0, {0}};
    return y;
}

/* ---- islands of the dequantised x and y ---- */

typedef uint32_t island(net *n, uint32_t x, uint32_t y);

static uint32_t functions(net *n, uint32_t x, uint32_t y) {
    (void)y;
    uint32_t gate = unary(n, 117, unary(n, 98, x));
    return binary(n, 18, binary(n, 0, unary(n, 28, x), gate, 0), constant(n, 1, 1, 1, 0.7f, 0), 3);
}

static uint32_t silu(net *n, uint32_t x, uint32_t y) {
    (void)y;
    return binary(n, 18, x, unary(n, 14, x), 0);
}

/* Nothing below -9, where the kernel takes the logistic for an exponential. */
static uint32_t cut_logistic(net *n, uint32_t x, uint32_t y) {
    (void)y;
    uint32_t ratio = binary(n, 42, unary(n, 14, x), unary(n, 47, x), 0);
    return binary(n, 41, ratio, constant(n, 1, 1, 1, 1, 0), 0);
}

static uint32_t moved(net *n, uint32_t x, uint32_t y) {
    (void)y;
    return unary(n, 101, turned(n, turned(n, turned(n, x))));
}

static uint32_t only_moved(net *n, uint32_t x, uint32_t y) {
    (void)y;
    return turned(n, x);
}

static uint32_t quotient(net *n, uint32_t x, uint32_t y) {
    return binary(n, 42, x, binary(n, 0, y, constant(n, 1, 1, 1, 0.37f, 0), 0), 0);
}

static uint32_t sum(net *n, uint32_t x, uint32_t y) { return binary(n, 41, x, y, 0); }

static uint32_t bounds(net *n, uint32_t x, uint32_t y) {
    uint32_t a = binary(n, 57, binary(n, 0, x, y, 3), constant(n, 1, 1, C, 1, 0.31f), 0);
    return unary(n, 20, binary(n, 55, a, binary(n, 18, y, constant(n, 1, 1, C, -0.5f, 0.2f), 2), 0));
}

static uint32_t scaled_by_mean(net *n, uint32_t x, uint32_t y) {
    return binary(n, 18, x, mean(n, y, 2 | 4), 0);
}

static uint32_t mean_of_rows(net *n, uint32_t x, uint32_t y) { return mean(n, binary(n, 18, x, y, 0), 2); }

static uint32_t constant_map(net *n, uint32_t x, uint32_t y) {
    (void)y;
    return binary(n, 41, constant(n, H, W, C, -2, 0.07f),
                  binary(n, 18, x, constant(n, H, 1, 1, 0.5f, 0.3f), 0), 0);
}

static uint32_t norm(net *n, uint32_t x, uint32_t axes, uint32_t factor, uint32_t term) {
    uint32_t m = mean(n, x, axes), v = mean(n, binary(n, 99, x, m, 0), axes);
    uint32_t inverse = unary(n, 76, binary(n, 0, v, constant(n, 1, 1, 1, 1e-3f, 0), 0));
    return binary(n, 0, binary(n, 18, binary(n, 18, binary(n, 41, x, m, 0), inverse, 0), factor, 0), term, 0);
}

static uint32_t layer_norm(net *n, uint32_t x, uint32_t y) {
    (void)y;
    return norm(n, x, 8, constant(n, 1, 1, C, 0.4f, 0.11f), constant(n, 1, 1, C, -1, 0.23f));
}

static uint32_t instance_norm(net *n, uint32_t x, uint32_t y) {
    (void)y;
    return norm(n, x, 2 | 4, constant(n, 1, 1, 1, 0.8f, 0), constant(n, 1, 1, 1, -0.1f, 0));
}

static uint32_t whole_norm(net *n, uint32_t x, uint32_t y) {
    (void)y;
    return norm(n, x, 2 | 4 | 8, constant(n, 1, 1, C, 0.4f, 0.11f), constant(n, 1, W, C, -1, 0.23f));
}

static uint32_t softmaxes(net *n, uint32_t x, uint32_t y) { return softmax(n, binary(n, 0, x, y, 0), 1); }

static uint32_t softer(net *n, uint32_t x, uint32_t y) { return softmax(n, binary(n, 0, x, y, 0), 0.3f); }

static uint32_t gate(net *n, uint32_t x, uint32_t y) {
    return binary(n, 18, x, unary(n, 14, binary(n, 18, x, y, 0)), 0);
}

/* ---- layers with weights of floats, poolings, and what one program does not hold ---- */

typedef struct window {
    int32_t kernel, stride, before_h, before_w, h, w; /* of the padding, and of the result */
} window;

static window window_of(const int32_t *d, int32_t kernel, int32_t stride, bool same) {
    window v = {kernel, stride, 0, 0, (d[1] - kernel) / stride + 1, (d[2] - kernel) / stride + 1};
    if (same) {
        v.h = (d[1] + stride - 1) / stride;
        v.w = (d[2] + stride - 1) / stride;
        int32_t rows = (v.h - 1) * stride + kernel - d[1], columns = (v.w - 1) * stride + kernel - d[2];
        v.before_h = (rows > 0 ? rows : 0) / 2;
        v.before_w = (columns > 0 ? columns : 0) / 2;
    }
    return v;
}

/* Element (kh, kw) of the window of output i of `channels`, in channel c; false in the padding. */
static bool element(const net *n, uint32_t x, const window *v, int32_t i, int32_t k, int32_t c, float *out) {
    const int32_t *d = n->tensors[x].dims;
    int32_t r = i / v->w * v->stride + k / v->kernel - v->before_h;
    int32_t w = i % v->w * v->stride + k % v->kernel - v->before_w;
    bool inside = r >= 0 && r < d[1] && w >= 0 && w < d[2];
    *out = inside ? n->values[x][(r * d[2] + w) * d[3] + c] : 0;
    return inside;
}

/* CONV_2D with `out` outputs; DEPTHWISE_CONV_2D with a multiplier of 1 where that is 0. Sums row by row,
 * column by column, channel by channel, then the bias, as the reference kernels do. */
static uint32_t weighted(net *n, uint32_t x, int32_t out, int32_t kernel, int32_t stride, bool same,
                         int32_t activation) {
    const int32_t in = n->tensors[x].dims[3], taps = kernel * kernel;
    bool deep = out == 0;
    const window v = window_of(n->tensors[x].dims, kernel, stride, same);
    const int32_t channels = deep ? in : out, each = deep ? 1 : in;
    uint32_t w = constant(n, kernel, kernel, each * channels, -0.31f, 0.017f);
    uint32_t b = constant(n, 1, 1, channels, 0.4f, -0.3f);
    uint32_t y = add_tensor(n, (const int32_t[]){1, v.h, v.w, channels}, FLOAT);
    const int32_t shape[] = {deep ? 1 : out, kernel, kernel, deep ? in : each};
    memcpy(n->tensors[w].dims, shape, sizeof shape);
    n->tensors[b].dims[0] = channels;
    n->tensors[b].rank = 1;
    for (int32_t i = 0; i < v.h * v.w * channels; i++) {
        float sum_of = 0, value;
        int32_t o = i % channels;
        for (int32_t k = 0; k < taps; k++) {
            for (int32_t c = 0; c < each; c++) {
                float weight = n->values[w][deep ? k * in + o : (o * taps + k) * in + c];
                if (element(n, x, &v, i / channels, k, deep ? o : c, &value)) {
                    float product = value * weight;
                    sum_of += product;
                }
            }
        }
        n->values[y][i] = bounded(activation, sum_of + n->values[b][o]);
    }
    tfm_operator *op = &n->ops[n->op_count++];
    *op = (tfm_operator){3,          3, {(int32_t)x, (int32_t)w, (int32_t)b},
                         (int32_t)y, 6, {!same, stride, stride, activation, 1, 1}};
    if (deep) {
        *op = (tfm_operator){4,          3, {(int32_t)x, (int32_t)w, (int32_t)b},
                             (int32_t)y, 7, {!same, stride, stride, 1, activation, 1, 1}};
    }
    return y;
}

/* AVERAGE_POOL_2D and MAX_POOL_2D. */
static uint32_t pooled(net *n, int32_t code, uint32_t x, int32_t kernel, int32_t stride, bool same) {
    const int32_t channels = n->tensors[x].dims[3];
    const window v = window_of(n->tensors[x].dims, kernel, stride, same);
    uint32_t y = add_tensor(n, (const int32_t[]){1, v.h, v.w, channels}, FLOAT);
    for (int32_t i = 0; i < v.h * v.w * channels; i++) {
        float sum_of = 0, count = 0, most = -INFINITY, value;
        for (int32_t k = 0; k < kernel * kernel; k++) {
            if (element(n, x, &v, i / channels, k, i % channels, &value)) {
                sum_of += value;
                count++;
                most = value > most ? value : most;
            }
        }
        n->values[y][i] = code == 17 ? most : sum_of / count;
    }
    n->ops[n->op_count++] =
        (tfm_operator){code, 1, {(int32_t)x}, (int32_t)y, 6, {!same, stride, stride, kernel, kernel, 0}};
    return y;
}

static uint32_t float_conv(net *n, uint32_t x, uint32_t y) {
    (void)y;
    return weighted(n, x, 2, 2, 1, false, 0);
}

static uint32_t float_depthwise(net *n, uint32_t x, uint32_t y) {
    (void)y;
    return weighted(n, x, 0, 3, 2, true, 3);
}

static uint32_t conv_of_conv(net *n, uint32_t x, uint32_t y) {
    return weighted(
        n,
        binary(n, 18, weighted(n, x, C, 1, 1, true, 1), binary(n, 41, y, constant(n, 1, 1, 1, 2, 0), 0), 0),
        3, 1, 1, true, 0);
}

static uint32_t float_linear(net *n, uint32_t x, uint32_t y) {
    uint32_t a = binary(n, 18, x, y, 0), w = constant(n, 1, 3, C, -0.4f, 0.063f);
    uint32_t out = add_tensor(n, (const int32_t[]){1, H, W, 3}, FLOAT);
    const int32_t shape[] = {3, C};
    memcpy(n->tensors[w].dims, shape, sizeof shape);
    n->tensors[w].rank = 2;
    for (int32_t i = 0; i < H * W * 3; i++) {
        float sum_of = 0;
        for (int32_t c = 0; c < C; c++) {
            float product = n->values[a][i / 3 * C + c] * n->values[w][i % 3 * C + c];
            sum_of += product;
        }
        n->values[out][i] = bounded(2, sum_of);
    }
    n->ops[n->op_count++] = (tfm_operator){9, 2, {(int32_t)a, (int32_t)w}, (int32_t)out, 4, {2, 0, 1, 0}};
    return out;
}

static uint32_t float_poolings(net *n, uint32_t x, uint32_t y) {
    uint32_t a = binary(n, 18, x, y, 0);
    return binary(n, 41, pooled(n, 17, a, 2, 1, true), pooled(n, 1, a, 3, 1, true), 0);
}

static uint32_t three_tensors(net *n, uint32_t x, uint32_t y) {
    uint32_t third = add_tensor(n, n->tensors[0].dims, FLOAT);
    n->ops[n->op_count++] = (tfm_operator){6, 1, {0}, (int32_t)third, 0, {0}};
    memcpy(n->values[third], n->values[x], sizeof n->values[x]);
    return binary(n, 42, binary(n, 0, x, y, 0), binary(n, 18, third, third, 0), 0);
}

static uint32_t two_axes(net *n, uint32_t x, uint32_t y) {
    return binary(n, 18, mean(n, x, 2), mean(n, y, 4), 0);
}

/* What floats have made, moved: a map whose rows and columns are exchanged before it meets another. */
static uint32_t turned_floats(net *n, uint32_t x, uint32_t y) {
    return binary(n, 0, turned(n, binary(n, 18, x, y, 0)), turned(n, y), 0);
}

static const struct variant {
    const char *name;
    island *make;
    float scale;
    int32_t zero;
    const char *first; /* operator that is named where floats are not allowed; NULL: integers compute it */
    bool exact;
} variants[] = {
    {"functions", functions, 0.021f, -40, NULL, true},
    {"silu", silu, 0.021f, -108, NULL, true},
    {"cut logistic", cut_logistic, 2e-5f, 0, NULL, true},
    {"moved", moved, 1, -128, NULL, true},
    {"only moved", only_moved, 1, 3, NULL, true},
    {"quotient", quotient, 0.1f, 20, "ADD", true},
    {"sum", sum, 1, 5, "SUB", true},
    {"bounds", bounds, 0.05f, 0, "ADD", true},
    {"scaled by a mean", scaled_by_mean, 0.3f, -9, "MEAN", true},
    {"mean of rows", mean_of_rows, 0.5f, 0, "MUL", true},
    {"constant map", constant_map, 0.25f, 1, "MUL", true},
    {"layer norm", layer_norm, 0.025f, 10, "MEAN", false},
    {"instance norm", instance_norm, 0.025f, 10, "MEAN", false},
    {"norm of all", whole_norm, 0.025f, -10, "MEAN", false},
    {"softmax", softmaxes, 1.0f / 256, -128, "ADD", false},
    {"softmax of beta 0.3", softer, 1.0f / 256, -128, "ADD", false},
    {"gate", gate, 0.2f, 0, "MUL", false},
    {"convolution", float_conv, 0.3f, 4, "CONV_2D", true},
    {"depthwise convolution", float_depthwise, 0.05f, -128, "DEPTHWISE_CONV_2D", true},
    {"convolution of a convolution", conv_of_conv, 1.5f, 0, "CONV_2D", true},
    {"linear layer", float_linear, 0.01f, 0, "FULLY_CONNECTED", true},
    {"poolings", float_poolings, 2, -20, "max_pool", true},
    {"three tensors", three_tensors, 0.1f, 0, "mul", true},
    {"means along two axes", two_axes, 0.5f, 0, "reduce_mean", true},
    {"turned floats", turned_floats, 2, 0, "transpose", true},
};

/* Both are codes of one quantum each: x of halves, y of whole numbers and a half. */
static const float x_scale = 0.5f, y_scale = 1.5f;
static const int32_t x_zero = -5, y_zero = 3;

static int32_t code_of(float x, float scale, int32_t zero, int32_t low) {
    float code = roundf(x / scale) + (float)zero;
    return (int32_t)fminf(fmaxf(code, (float)low), (float)(low + 255));
}

/* x and, by QUANTIZE, y; the island; QUANTIZE to 8 bits. */
static ts_bytes make(flat_maker *maker, net *n, const struct variant *v, const int32_t *x, uint32_t *result) {
    static const int32_t map[4] = {1, H, W, C};
    memset(n, 0, sizeof *n);
    const struct {
        int32_t type;
        float scale;
        int32_t zero;
    } quanta[] = {{INT8, x_scale, x_zero}, {UINT8, y_scale, y_zero}};
    uint32_t real[2];
    for (uint32_t i = 0; i < 2; i++) {
        uint32_t t = add_tensor(n, map, quanta[i].type);
        n->tensors[t].scale_count = 1;
        n->tensors[t].scales[0] = quanta[i].scale;
        n->tensors[t].zero = quanta[i].zero;
    }
    n->ops[n->op_count++] = (tfm_operator){114, 1, {0}, 1, 0, {0}};
    for (uint32_t i = 0; i < 2; i++) {
        real[i] = add_tensor(n, map, FLOAT);
        n->ops[n->op_count++] = (tfm_operator){6, 1, {(int32_t)i}, (int32_t)real[i], 0, {0}};
    }
    for (uint32_t i = 0; i < ELEMENTS; i++) {
        n->values[real[0]][i] = (float)(x[i] - x_zero) * x_scale;
        /* A third, rounded twice: two thirds first, then their half, halves away from zero. */
        int32_t third = (int32_t)round(round((x[i] - x_zero) * 2 / 3.0) / 2.0) + y_zero;
        n->values[real[1]][i] = (float)((third < 0 ? 0 : third) - y_zero) * y_scale;
    }
    uint32_t z = v->make(n, real[0], real[1]), out = add_tensor(n, n->tensors[z].dims, INT8);
    n->tensors[out].scale_count = 1;
    n->tensors[out].scales[0] = v->scale;
    n->tensors[out].zero = v->zero;
    n->ops[n->op_count++] = (tfm_operator){114, 1, {(int32_t)z}, (int32_t)out, 0, {0}};
    *result = z;
    return tfm_write(maker, n->tensors, n->tensor_count, n->ops, n->op_count);
}

static void run_on(ts_arena *arena, const ts_graph *graph, const char *target) {
    ts_diags diags = {.arena = arena};
    ts_run_options options = {.jobs = 2, .seed = 1};
    ts_run_result result = {0};
    assert_int_equal(ts_run_target(arena, target, &options.target, &diags), TS_OK);
    ts_status status = ts_run(arena, graph, &options, &result, &diags);
    for (uint32_t i = 0; i < diags.list.count && status != TS_OK; i++) {
        ts_diag_print(stderr, &diags.list.data[i]);
    }
    assert_int_equal(status, TS_OK);
    assert_int_equal(result.verified_layers, result.plan->layer_count);
}

static bool is_compiler_there(void) {
    return system("riscv64-unknown-elf-gcc --version >/dev/null 2>&1") == 0;
}

static ts_graph *import(ts_arena *arena, ts_bytes file, const struct variant *v) {
    ts_diags diags = {.arena = arena};
    ts_model_options options = {.input_signed = -1};
    ts_graph *graph;
    ts_status status = ts__tflite_import(arena, file, "net", &options, &graph, &diags);
    if (v->first != NULL) {
        assert_int_equal(status, TS_BAD_INPUT);
        const ts_diag *last = &diags.list.data[diags.list.count - 1];
        assert_string_equal(last->op, v->first);
        assert_non_null(strstr(last->text, "--allow-float"));
        options.allow_float = true;
        diags.list.count = 0;
        status = ts__tflite_import(arena, file, "net", &options, &graph, &diags);
    }
    for (uint32_t i = 0; i < diags.list.count && status != TS_OK; i++) {
        ts_diag_print(stderr, &diags.list.data[i]);
    }
    assert_int_equal(status, TS_OK);
    uint32_t floats = 0;
    for (uint32_t i = 0; i < graph->nodes.count; i++) {
        floats += graph->nodes.data[i].op == TS_OP_FLOAT;
    }
    assert_int_equal(floats > 0, v->first != NULL);
    return graph;
}

static void check_variant(const struct variant *v, bool on_chip) {
    static flat_maker maker;
    static net n;
    ts_arena *arena = ts_arena_new("test", 0);
    ts_random random = ts_random_seed(7);
    ts_graph *graph = NULL;
    uint32_t beside = 0, compared = 0, seen[256] = {0}, distinct = 0;
    for (int round = 0; round < 20; round++) {
        int32_t x[ELEMENTS], **values;
        uint32_t z;
        for (int i = 0; i < ELEMENTS; i++) {
            x[i] = (int32_t)ts_random_range(&random, -40, 40);
        }
        const int32_t *inputs[] = {x};
        ts_bytes file = make(&maker, &n, v, x, &z);
        graph = graph == NULL ? import(arena, file, v) : graph;
        ts_diags diags = {.arena = arena};
        assert_int_equal(ts_integer_run(graph, arena, inputs, &values, &diags), TS_OK);
        const int32_t *got = values[graph->outputs.data[0]];
        assert_int_equal(ts_tensor_elements(&graph->tensors.data[graph->outputs.data[0]]), size_of(&n, z));
        for (uint32_t i = 0; i < size_of(&n, z); i++) {
            int32_t expected = code_of(n.values[z][i], v->scale, v->zero, -128);
            if (abs(got[i] - expected) > !v->exact) {
                fail_msg("%s: element %u is %d, and %g is %d", v->name, i, got[i], (double)n.values[z][i],
                         expected);
            }
            beside += got[i] != expected;
            distinct += seen[expected & 255]++ == 0;
            compared++;
        }
    }
    print_message("%s: %u of %u codes beside, %u values\n", v->name, beside, compared, distinct);
    assert_true(beside * 50 <= compared && distinct > 6);
    run_on(arena, graph, "host");
    if (on_chip && is_compiler_there()) {
        run_on(arena, graph, "gap8");
    }
    ts_arena_free(arena);
}

static void islands_equal_the_reference_kernels(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof variants / sizeof variants[0]; i++) {
        check_variant(&variants[i], i == 6 || i == 12 || i == 19);
    }
}

/* ---- what is left out, and what is refused ---- */

/* The network of two inputs' codes and what `make` makes of them, without the last QUANTIZE. */
static ts_status import_open(ts_arena *arena, island *make_open, ts_graph **graph, ts_diags *diags) {
    static flat_maker maker;
    static net n;
    static const struct variant none = {.name = "", .make = mean_of_rows, .scale = 1};
    const ts_model_options options = {.allow_float = true, .input_signed = -1};
    const int32_t x[ELEMENTS] = {0};
    uint32_t z;
    make(&maker, &n, &none, x, &z);
    n.tensor_count = z - 2; /* behind both dequantised tensors: the product and the mean with its axes go */
    n.op_count = 3;
    make_open(&n, 2, 3);
    ts_bytes file = tfm_write(&maker, n.tensors, n.tensor_count, n.ops, n.op_count);
    return ts__tflite_import(arena, file, "net", &options, graph, diags);
}

static uint32_t open_gate(net *n, uint32_t x, uint32_t y) { return binary(n, 18, unary(n, 14, x), y, 0); }

static uint32_t open_movement(net *n, uint32_t x, uint32_t y) {
    (void)y;
    return turned(n, x);
}

/* Floats at the end are left out, each with a note: the network's outputs are the codes that they are made
 * of. */
static void floats_at_the_end_are_left_out(void **state) {
    (void)state;
    ts_arena *arena = ts_arena_new("test", 0);
    ts_diags diags = {.arena = arena};
    ts_graph *graph;
    assert_int_equal(import_open(arena, open_gate, &graph, &diags), TS_OK);
    assert_int_equal(graph->outputs.count, 2);
    assert_int_equal(diags.list.count, 3); /* and the input, which is copied */
    assert_non_null(strstr(diags.list.data[0].text, "left out"));
    run_on(arena, graph, "host");
    diags.list.count = 0;
    assert_int_equal(import_open(arena, open_movement, &graph, &diags), TS_OK);
    assert_int_equal(graph->outputs.count, 1);
    assert_int_equal(diags.list.count, 1);
    run_on(arena, graph, "host");
    ts_arena_free(arena);
}

/* Operators that only reshape: a copy. */
static void nothing_but_a_shape_is_a_copy(void **state) {
    (void)state;
    static flat_maker maker;
    static const int32_t shape[2] = {1, 12};
    const tfm_tensor tensors[3] = {{"x", 4, {1, 2, 3, 2}, INT8, NULL, 0, 1, {0.1f}, 5, 0},
                                   {"shape", 1, {2}, INT32, shape, 8, 0, {0}, 0, 0},
                                   {"y", 2, {1, 12}, INT8, NULL, 0, 1, {0.1f}, 5, 0}};
    const tfm_operator op = {22, 2, {0, 1}, 2, 1, {0}};
    ts_arena *arena = ts_arena_new("test", 0);
    ts_diags diags = {.arena = arena};
    ts_graph *graph;
    int32_t x[12], **values;
    for (int i = 0; i < 12; i++) {
        x[i] = 11 * i - 60;
    }
    const int32_t *inputs[] = {x};
    ts_bytes file = tfm_write(&maker, tensors, 3, &op, 1);
    assert_int_equal(ts__tflite_import(arena, file, "net", NULL, &graph, &diags), TS_OK);
    assert_int_equal(ts_integer_run(graph, arena, inputs, &values, &diags), TS_OK);
    assert_memory_equal(values[graph->outputs.data[0]], x, sizeof x);
    run_on(arena, graph, "host");
    ts_arena_free(arena);
}

/* Picks and constants of any shape, of which model/tflite_attributes checks each element, on host and chip:
 * rows and channels backwards, 5 x 7 of 3 x 4 with aligned corners, a constant map added, rows multiplied. */
static void picks_and_constants_run(void **state) {
    (void)state;
    static flat_maker maker;
    static int8_t map[5 * 7 * 5], rows[5] = {3, -90, 127, 44, -128};
    static const int32_t begin[4] = {0, -1, 0, -1}, end[4] = {0, 0, 0, 0}, step[4] = {1, -1, 1, -1},
                         size[2] = {5, 7};
    for (uint32_t i = 0; i < sizeof map; i++) {
        map[i] = (int8_t)(i * 37 % 251);
    }
    const tfm_tensor tensors[10] = {{"x", 4, {1, H, W, C}, INT8, NULL, 0, 1, {0.1f}, 5, 0},
                                    {"begin", 1, {4}, INT32, begin, 16, 0, {0}, 0, 0},
                                    {"end", 1, {4}, INT32, end, 16, 0, {0}, 0, 0},
                                    {"step", 1, {4}, INT32, step, 16, 0, {0}, 0, 0},
                                    {"back", 4, {1, H, W, C}, INT8, NULL, 0, 1, {0.1f}, 5, 0},
                                    {"size", 1, {2}, INT32, size, 8, 0, {0}, 0, 0},
                                    {"large", 4, {1, 5, 7, C}, INT8, NULL, 0, 1, {0.1f}, 5, 0},
                                    {"map", 4, {1, 5, 7, C}, INT8, map, sizeof map, 1, {0.04f}, -9, 0},
                                    {"sum", 4, {1, 5, 7, C}, INT8, NULL, 0, 1, {0.12f}, 3, 0},
                                    {"rows", 3, {5, 1, 1}, INT8, rows, sizeof rows, 1, {0.02f}, 1, 0}};
    tfm_tensor all[11];
    memcpy(all, tensors, sizeof tensors);
    all[10] = (tfm_tensor){"product", 4, {1, 5, 7, C}, INT8, NULL, 0, 1, {0.2f}, -7, 0};
    const tfm_operator ops[4] = {{45, 4, {0, 1, 2, 3}, 4, 6, {15, 15, 0, 0, 0, 0}},
                                 {97, 2, {4, 5}, 6, 2, {1, 0}},
                                 {0, 2, {7, 6}, 8, 1, {0}},
                                 {18, 2, {8, 9}, 10, 1, {0}}};
    ts_arena *arena = ts_arena_new("test", 0);
    ts_diags diags = {.arena = arena};
    ts_graph *graph;
    ts_bytes file = tfm_write(&maker, all, 11, ops, 4);
    assert_int_equal(ts__tflite_import(arena, file, "net", NULL, &graph, &diags), TS_OK);
    run_on(arena, graph, "host");
    if (is_compiler_there()) {
        run_on(arena, graph, "gap8");
    }
    ts_arena_free(arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(floats_at_the_end_are_left_out),
        cmocka_unit_test(nothing_but_a_shape_is_a_copy),
        cmocka_unit_test(picks_and_constants_run),
        cmocka_unit_test(islands_equal_the_reference_kernels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
