#include "num/program.h"

#include <math.h>
#include <string.h>

#include "ir/program.h"

int32_t ts_exact_bits(float real) {
    int32_t bits;
    memcpy(&bits, &real, sizeof bits);
    return isnan(real) ? 0x7fc00000 : bits;
}

static float real_of(int32_t bits) {
    float real;
    memcpy(&real, &bits, sizeof real);
    return real;
}

/* Within the positive normal numbers. */
static float normal_of(float x) {
    const float least = 0x1p-126f, most = 0x1.fffffep127f;
    return !(x > least) ? least : x > most ? most : x;
}

/* Three steps of Newton's from a guess that halves the exponent. */
float ts_exact_sqrt(float x) {
    if (!(x > 0.0f)) {
        return 0.0f;
    }
    int32_t bits;
    x = normal_of(x);
    memcpy(&bits, &x, sizeof bits);
    float y = real_of((bits >> 1) + 0x1fbd1df5);
    for (int i = 0; i < 3; i++) {
        y = 0.5f * (y + x / y);
    }
    return y;
}

/* e^x = 2^n e^r with n = floor(x / ln 2 + 1/2): the series of e^r up to r^7 / 7!, by Horner's rule. */
float ts_exact_exp(float x) {
    if (!(x > -87.0f)) {
        return 0.0f;
    }
    x = x > 88.0f ? 88.0f : x;
    float turns = x * 1.44269504f;
    float n = floorf(turns + 0.5f), high = n * 0.693145752f, low = n * 1.42860677e-06f;
    float r = (x - high) - low, sum = 1.0f / 5040, factorial = 5040;
    for (int k = 6; k >= 0; k--) {
        factorial /= (float)(k + 1);
        float product = sum * r;
        sum = product + 1.0f / factorial;
    }
    return ldexpf(sum, (int)n);
}

/* ln(m 2^e) = e ln 2 + 2 (s + s^3 / 3 + s^5 / 5 + s^7 / 7 + s^9 / 9), s = (m - 1) / (m + 1). */
float ts_exact_log(float x) {
    int e;
    float m = 2.0f * frexpf(normal_of(x), &e);
    e--;
    if (m > 1.41421356f) {
        m *= 0.5f;
        e++;
    }
    float s = (m - 1.0f) / (m + 1.0f), square = s * s, sum = 2.0f / 9;
    for (int k = 7; k >= 3; k -= 2) {
        float product = sum * square;
        sum = product + 2.0f / (float)k;
    }
    float tail = sum * (square * s), mantissa = tail + (s + s), exponent = (float)e * 0.693147181f;
    return exponent + mantissa;
}

static float computed(ts_float_step step, float a, float b) {
    switch (step) {
        case TS_STEP_ADD:
            return a + b;
        case TS_STEP_SUB:
            return a - b;
        case TS_STEP_MUL:
            return a * b;
        case TS_STEP_DIV:
            return a / b;
        case TS_STEP_MIN:
            return a < b ? a : b;
        case TS_STEP_MAX:
            return a > b ? a : b;
        case TS_STEP_COPYSIGN:
            return b < 0.0f ? -fabsf(a) : fabsf(a);
        case TS_STEP_FLOOR:
            return floorf(a) + 0.0f; /* no negative zero */
        case TS_STEP_SQRT:
            return ts_exact_sqrt(a);
        case TS_STEP_EXP:
            return ts_exact_exp(a);
        default:
            return ts_exact_log(a);
    }
}

/* A step over all channels of `a`. */
static float joined(ts_float_step step, const float *a, uint32_t channels) {
    float result = a[0];
    for (uint32_t c = 1; c < channels; c++) {
        result = step == TS_STEP_SUM ? result + a[c] : a[c] > result ? a[c] : result;
    }
    return result;
}

typedef struct runner {
    const int32_t *words;
    const int32_t *x[2]; /* codes of the pixel */
    int32_t low[2];      /* of the operands' types */
    bool floats[2];      /* they are bits of floats */
    uint32_t channels;
    float *values; /* of each step, in each channel */
} runner;

static void run_step(const runner *r, uint32_t index) {
    const int32_t *step = r->words + TS_PROGRAM_HEAD + (size_t)TS_PROGRAM_STEP * index;
    const int32_t *data = r->words + ts_program_data(r->words);
    ts_float_step kind = (ts_float_step)step[0];
    float *y = r->values + (size_t)index * r->channels;
    uint32_t reads = ts_float_step_reads(kind);
    const float *a = reads > 0 ? r->values + (size_t)step[1] * r->channels : NULL;
    const float *b = reads > 1 ? r->values + (size_t)step[2] * r->channels : a;
    for (uint32_t c = 0; c < r->channels; c++) {
        switch (kind) {
            case TS_STEP_TABLE:
                y[c] = real_of(data[step[2] + r->x[step[1]][c] - r->low[step[1]]]);
                break;
            case TS_STEP_CODE:
                y[c] = r->floats[step[1]] ? real_of(r->x[step[1]][c]) : (float)r->x[step[1]][c];
                break;
            case TS_STEP_CONST:
                y[c] = real_of(data[(size_t)step[1] + (size_t)step[2] * c]);
                break;
            case TS_STEP_SUM:
            case TS_STEP_MOST:
                y[c] = c > 0 ? y[0] : joined(kind, a, r->channels);
                break;
            default:
                y[c] = computed(kind, a[c], b[c]);
        }
    }
}

/* clip(rint(value / scale) + zero, low, high). */
static int32_t code_of(const int32_t *words, float value) {
    int32_t zero = words[TS_PROGRAM_ZERO], low = words[TS_PROGRAM_LOW], high = words[TS_PROGRAM_HIGH];
    float steps = value / real_of(words[TS_PROGRAM_SCALE]);
    if (!(steps > (float)(low - zero))) {
        return low;
    }
    return steps >= (float)(high - zero) ? high : (int32_t)rintf(steps) + zero;
}

void ts__program_run(const ts_graph *graph, const ts_node *node, const int32_t *const *inputs,
                     int32_t *output, ts_arena *scratch) {
    const ts_tensor *out = &graph->tensors.data[node->output];
    runner r = {.words = graph->tensors.data[node->weights].data, .channels = ts_c(out)};
    uint32_t steps = (uint32_t)r.words[TS_PROGRAM_COUNT];
    r.values = TS_NEW_ARRAY(scratch, float, (uint64_t)steps *r.channels);
    for (uint32_t i = 0; i < node->input_count; i++) {
        r.low[i] = (int32_t)ts_type_low(graph->tensors.data[node->inputs[i]].type);
        r.floats[i] = graph->tensors.data[node->inputs[i]].type == TS_F32;
    }
    for (uint64_t at = 0; at < ts_tensor_elements(out); at += r.channels) {
        for (uint32_t i = 0; i < node->input_count; i++) {
            r.x[i] = inputs[i] + at;
        }
        for (uint32_t i = 0; i < steps; i++) {
            run_step(&r, i);
        }
        for (uint32_t c = 0; c < r.channels; c++) {
            float value = r.values[(size_t)(steps - 1) * r.channels + c];
            output[at + c] = out->type == TS_F32 ? ts_exact_bits(value) : code_of(r.words, value);
        }
    }
}
