/* What floats make of the codes or floats of each pixel: the program of a layer, step by step, in single
 * precision. Its words are those of src/ir/program.h:
 *
 *     steps, scale, zero, low, high,  {operation, a, b} for each step,  data
 *
 * A pixel is gone through once for each step over its channels (SUM, MOST), and once more for its results:
 * nothing is kept between channels but such values. Nothing of libm is used, and no product is joined with a
 * sum, so that every machine computes the same bits. Cores share pixels, or where these are fewer the
 * channels of each. */
#include <stdbool.h>

#include "kernels/kernels.h"
#include "kernels/ref/real.h"
#include "kernels/ref/ref.h"

enum { MOST_STEPS = 64, HEAD = 5 };
enum { TABLE, CODE, CONSTANT, ADD, SUB, MUL, DIV, MIN, MAX, COPYSIGN, FLOOR, SQRT, EXP, LOG, SUM, MOST };

struct program {
    const int32_t *steps, *data;
    uint32_t count;
    float scale;
    int32_t zero, low, high;
    const uint8_t *x[2]; /* the pixel in each operand */
    uint8_t types[2];
    float values[MOST_STEPS];
};

static float floor_of(float x) {
    if (!(x < 8388608.0f && x > -8388608.0f)) {
        return x;
    }
    float whole = (float)(int32_t)x;
    return whole > x ? whole - 1.0f : whole;
}

/* Within the positive normal numbers. */
static float normal_of(float x) {
    const float least = 1.17549435e-38f, most = 3.40282347e+38f;
    return !(x > least) ? least : x > most ? most : x;
}

static float sqrt_of(float x) {
    if (!(x > 0.0f)) {
        return 0.0f;
    }
    x = normal_of(x);
    float y = ref_real_of((ref_bits_of(x) >> 1) + 0x1fbd1df5);
    for (int i = 0; i < 3; i++) {
        float quotient = x / y;
        y = 0.5f * (y + quotient);
    }
    return y;
}

/* 2^n times the series of the rest. */
static float exp_of(float x) {
    static const float terms[] = {1.0f / 720, 1.0f / 120, 1.0f / 24, 1.0f / 6, 0.5f, 1.0f, 1.0f};
    if (!(x > -87.0f)) {
        return 0.0f;
    }
    x = x > 88.0f ? 88.0f : x;
    float turns = x * 1.44269504f;
    float n = floor_of(turns + 0.5f);
    float high = n * 0.693145752f, low = n * 1.42860677e-06f;
    float rest = x - high;
    rest = rest - low;
    float sum = 1.0f / 5040;
    for (uint32_t i = 0; i < sizeof terms / sizeof terms[0]; i++) {
        float product = sum * rest;
        sum = product + terms[i];
    }
    return sum * ref_real_of(((int32_t)n + 127) * (1 << 23));
}

/* The series of the inverse hyperbolic tangent. */
static float log_of(float x) {
    static const float terms[] = {2.0f / 7, 2.0f / 5, 2.0f / 3};
    int32_t bits = ref_bits_of(normal_of(x)), e = (bits >> 23) - 127;
    float m = ref_real_of((bits & 0x7fffff) | 0x3f800000);
    if (m > 1.41421356f) {
        m = 0.5f * m;
        e++;
    }
    float above = m - 1.0f, s = above / (m + 1.0f);
    float square = s * s, sum = 2.0f / 9;
    for (uint32_t i = 0; i < sizeof terms / sizeof terms[0]; i++) {
        float product = sum * square;
        sum = product + terms[i];
    }
    float cube = square * s, twice = s + s;
    float tail = sum * cube;
    float mantissa = tail + twice;
    float exponent = (float)e * 0.693147181f;
    return exponent + mantissa;
}

static float arithmetic(int32_t operation, float a, float b) {
    switch (operation) {
        case ADD:
            return a + b;
        case SUB:
            return a - b;
        case MUL:
            return a * b;
        case DIV:
            return a / b;
        case MIN:
            return a < b ? a : b;
        case MAX:
            return a > b ? a : b;
        case COPYSIGN:
            a = ref_real_of(ref_bits_of(a) & INT32_MAX);
            return b < 0.0f ? -a : a;
        case FLOOR:
            return floor_of(a);
        case SQRT:
            return sqrt_of(a);
        case EXP:
            return exp_of(a);
        default:
            return log_of(a);
    }
}

/* A code, or where the operand is of floats itself. */
static float code_value(const struct program *p, uint32_t operand, uint32_t channel) {
    int32_t code = ref_get(p->x[operand], channel, p->types[operand]);
    return p->types[operand] == TS_ELEM_F32 ? ref_real_of(code) : (float)code;
}

/* Values of the first `count` steps in a channel; those over channels are there. */
static void compute(struct program *p, uint32_t count, uint32_t channel) {
    const int32_t *step = p->steps;
    for (uint32_t i = 0; i < count; i++, step += 3) {
        switch (step[0]) {
            case TABLE: {
                uint8_t type = p->types[step[1]];
                int32_t code = ref_get(p->x[step[1]], channel, type) - ref_low(type);
                p->values[i] = ref_real_of(p->data[step[2] + code]);
                break;
            }
            case CODE:
                p->values[i] = code_value(p, (uint32_t)step[1], channel);
                break;
            case CONSTANT:
                p->values[i] = ref_real_of(p->data[step[1] + step[2] * (int32_t)channel]);
                break;
            case SUM:
            case MOST:
                break;
            default:
                p->values[i] = arithmetic(step[0], p->values[step[1]], p->values[step[2]]);
        }
    }
}

static void over_channels(struct program *p, uint32_t index, uint32_t channels) {
    const int32_t *step = p->steps + 3 * index;
    float result = 0.0f;
    for (uint32_t c = 0; c < channels; c++) {
        compute(p, index, c);
        float value = p->values[step[1]];
        if (c == 0) {
            result = value;
        } else if (step[0] == SUM) {
            result = result + value;
        } else {
            result = value > result ? value : result;
        }
    }
    p->values[index] = result;
}

static int32_t code_of(const struct program *p, float value) {
    float steps = value / p->scale;
    if (!(steps > (float)(p->low - p->zero))) {
        return p->low;
    }
    if (steps >= (float)(p->high - p->zero)) {
        return p->high;
    }
    float shifted = steps + 12582912.0f; /* 1.5 times 2^23: whole numbers are left, halves to even */
    return (int32_t)(shifted - 12582912.0f) + p->zero;
}

static const uint8_t *element_at(const void *base, uint32_t i, uint8_t type) {
    return (const uint8_t *)base + i * (ref_bits(type) / 8u);
}

void float_ref(const struct ts_add_tile *t) {
    const int32_t *words = (const int32_t *)t->rq_params;
    struct program p = {.steps = words + HEAD,
                        .data = words + HEAD + 3 * words[0],
                        .count = (uint32_t)words[0],
                        .scale = ref_real_of(words[1]),
                        .zero = words[2],
                        .low = words[3],
                        .high = words[4],
                        .types = {t->a_type, t->b_type}};
    uint32_t pixels = t->count / t->channels;
    bool by_pixel = pixels >= ts_cores();
    struct ref_share rows = by_pixel ? ref_share(pixels) : (struct ref_share){0, pixels};
    struct ref_share part = by_pixel ? (struct ref_share){0, t->channels} : ref_share(t->channels);
    for (uint32_t pixel = rows.begin; pixel < rows.end; pixel++) {
        p.x[0] = element_at(t->a, pixel * t->channels, t->a_type);
        p.x[1] = t->b != 0 ? element_at(t->b, pixel * t->channels, t->b_type) : p.x[0];
        for (uint32_t i = 0; i < p.count; i++) {
            if (p.steps[3 * i] == SUM || p.steps[3 * i] == MOST) {
                over_channels(&p, i, t->channels);
            }
        }
        for (uint32_t c = part.begin; c < part.end; c++) {
            compute(&p, p.count, c);
            float value = p.values[p.count - 1];
            ref_put(t->y, pixel * t->channels + c, t->y_type,
                    t->y_type == TS_ELEM_F32 ? ref_map_bits(value) : code_of(&p, value));
        }
    }
}
