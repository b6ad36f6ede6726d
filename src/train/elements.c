/* Element-wise operators: on one activation, on a grid, and on two operands. */
#include <math.h>
#include <string.h>

#include "ir/float_op.h"
#include "num/float.h"
#include "train/internal.h"

/* dy / dx at x, where the result was y. */
static float slope(const ts_fnode *n, float x, float y) {
    switch (n->op) {
        case TS_FOP_LEAKY_RELU:
            return x >= 0.0f ? 1.0f : n->alpha;
        case TS_FOP_HARD_SWISH:
            return x <= -3.0f ? 0.0f : x >= 3.0f ? 1.0f : x / 3.0f + 0.5f;
        case TS_FOP_HARD_SIGMOID:
            return y > 0.0f && y < 1.0f ? n->alpha : 0.0f;
        case TS_FOP_SIGMOID:
            return y * (1.0f - y);
        case TS_FOP_TANH:
            return 1.0f - y * y;
        default:
            return 1.0f;
    }
}

static bool clips(const ts_fnode *n, float *low, float *high) {
    *low = n->op == TS_FOP_RELU ? 0.0f : n->low;
    *high = n->op == TS_FOP_RELU ? INFINITY : n->high;
    return n->op == TS_FOP_RELU || n->op == TS_FOP_CLIP;
}

void ts__unary_forward(const ts__step *s) {
    uint64_t count = s->y->elements * s->t->batch;
    const float *x = s->x[0]->data;
    float *y = s->y->data, low, high;
    if (clips(s->node, &low, &high)) {
        for (uint64_t i = 0; i < count; i++) {
            float v = x[i] < low ? low : x[i];
            y[i] = v > high ? high : v;
        }
        return;
    }
    for (uint64_t i = 0; i < count; i++) {
        y[i] = ts_fop_unary(s->node, x[i]);
    }
}

void ts__unary_backward(const ts__step *s) {
    uint64_t count = s->y->elements * s->t->batch;
    const float *x = s->x[0]->data, *y = s->y->data, *dy = s->y->gradient;
    float *dx = ts__gradient_room(s, 0), low, high;
    if (dx == NULL) {
        return;
    }
    if (clips(s->node, &low, &high)) {
        for (uint64_t i = 0; i < count; i++) {
            dx[i] = x[i] > low && x[i] < high ? dy[i] : 0.0f;
        }
    } else {
        for (uint64_t i = 0; i < count; i++) {
            dx[i] = dy[i] * slope(s->node, x[i], y[i]);
        }
    }
    ts__give_gradient(s, 0, dx);
}

/* A grid whose steps an int32 counts; the range search uses finer ones to mean "no grid". */
static bool counts_in_int(const ts_fnode *n) { return fabsf(n->low) < 0x1p30f && fabsf(n->high) < 0x1p30f; }

/* A grid of which a float's steps are counted without rounding: halves go up. */
static bool counts_exactly(const ts_fnode *n) {
    int exponent;
    return n->offset == 0.5 && frexp(n->scale, &exponent) == 0.5;
}

static void round_exactly(const ts_fnode *n, const float *x, uint64_t count, float *y) {
    float inverse = (float)(1 / n->scale), scale = (float)n->scale, low = n->low, high = n->high;
    for (uint64_t i = 0; i < count; i++) {
        float v = x[i] * inverse;
        v = v < low ? low : v;
        v = v > high ? high : v;
        float down = (float)(int32_t)v;
        down -= down > v ? 1.0f : 0.0f;
        y[i] = (down + (v - down >= 0.5f ? 1.0f : 0.0f)) * scale;
    }
}

void ts__fake_quant_forward(const ts__step *s) {
    const ts_fnode *n = s->node;
    uint64_t count = s->y->elements * s->t->batch;
    const float *x = s->x[0]->data;
    float *y = s->y->data, inverse = (float)(1 / n->scale), offset = (float)n->offset,
          scale = (float)n->scale;
    if (!counts_in_int(n)) {
        for (uint64_t i = 0; i < count; i++) {
            y[i] = ts_fake_quant(x[i], n->scale, n->offset, n->low, n->high);
        }
        return;
    }
    if (counts_exactly(n)) {
        round_exactly(n, x, count, y);
        return;
    }
    float low = n->low, high = n->high;
    for (uint64_t i = 0; i < count; i++) {
        float v = x[i] * inverse + offset;
        v = v < low ? low : v;
        v = v > high ? high : v;
        y[i] = ((float)(int32_t)(v - low) + low) * scale; /* v - low >= 0: the cast rounds down */
    }
}

/* Straight through inside the grid, nothing beyond it. The gradient by the step: the clip's (Choi et al.
 * 2018, "PACT", equation 3) and, inside, that of the rounding error (Esser et al. 2020, "LSQ", equation 3).
 */
void ts__fake_quant_backward(const ts__step *s) {
    enum { LANES = 16, BLOCK = 1024 }; /* partial sums in a fixed order that vector units can keep */
    const ts_fnode *n = s->node;
    uint64_t count = s->y->elements * s->t->batch;
    float *dx = ts__gradient_room(s, 0), inverse = (float)(1 / n->scale), low = n->low, high = n->high;
    double sum = 0;
    for (uint64_t first = 0; first < count; first += BLOCK) {
        uint64_t size = first + BLOCK < count ? BLOCK : count - first;
        const float *x = s->x[0]->data + first, *y = s->y->data + first, *dy = s->y->gradient + first;
        float terms[BLOCK] = {0}, part[LANES] = {0};
        for (uint64_t i = 0; i < size; i++) {
            float v = x[i] * inverse;
            terms[i] = dy[i] * (y[i] * inverse - (((v > low) & (v < high)) ? v : 0.0f));
        }
        for (uint64_t i = 0; i < BLOCK; i += LANES) {
            for (uint32_t k = 0; k < LANES; k++) {
                part[k] += terms[i + k];
            }
        }
        for (uint32_t k = 0; k < LANES; k++) {
            sum += (double)part[k];
        }
        for (uint64_t i = 0; dx != NULL && i < size; i++) {
            float v = x[i] * inverse;
            dx[first + i] = ((v > low) & (v < high)) ? dy[i] : 0.0f;
        }
    }
    if (s->memory->step_param != TS_NONE) {
        /* The parameter is the logarithm of the step. */
        s->t->params.data[s->memory->step_param].gradient[0] = (float)(sum * n->scale);
    }
    if (dx != NULL) {
        ts__give_gradient(s, 0, dx);
    }
}

/* Element of operand `k` that element `i` of sample `n`'s result is made of. */
static uint64_t place(const ts__step *s, uint32_t k, uint64_t n, uint64_t i) {
    const uint32_t *map = s->memory->map[k];
    return (s->x[k]->batched ? n * s->x[k]->elements : 0) + (map == NULL ? i : map[i]);
}

static bool both_plain(const ts__step *s) {
    return s->x[0]->batched && s->x[1]->batched && s->memory->map[0] == NULL && s->memory->map[1] == NULL;
}

void ts__binary_forward(const ts__step *s) {
    const float *a = s->x[0]->data, *b = s->x[1]->data;
    float *y = s->y->data;
    if (both_plain(s) && s->node->op == TS_FOP_ADD) {
        for (uint64_t i = 0; i < s->y->elements * s->t->batch; i++) {
            y[i] = a[i] + b[i];
        }
        return;
    }
    for (uint64_t n = 0; n < s->t->batch; n++) {
        for (uint64_t i = 0; i < s->y->elements; i++) {
            *y++ = ts_fop_binary(s->node->op, a[place(s, 0, n, i)], b[place(s, 1, n, i)]);
        }
    }
}

/* dy / d(operand k). */
static float binary_slope(ts_fop op, uint32_t k, float a, float b) {
    switch (op) {
        case TS_FOP_ADD:
            return 1.0f;
        case TS_FOP_SUB:
            return k == 0 ? 1.0f : -1.0f;
        case TS_FOP_MUL:
            return k == 0 ? b : a;
        default:
            return k == 0 ? 1.0f / b : -a / (b * b);
    }
}

void ts__binary_backward(const ts__step *s) {
    const float *a = s->x[0]->data, *b = s->x[1]->data, *dy = s->y->gradient;
    for (uint32_t k = 0; k < 2; k++) {
        float *term = ts__gradient_room(s, k);
        if (term == NULL) {
            continue;
        }
        if (both_plain(s) && s->node->op == TS_FOP_ADD) {
            ts__give_gradient(s, k, dy);
            continue;
        }
        memset(term, 0, s->x[k]->elements * (s->x[k]->batched ? s->t->batch : 1) * sizeof *term);
        for (uint64_t n = 0; n < s->t->batch; n++) {
            for (uint64_t i = 0; i < s->y->elements; i++) {
                float slope_k = binary_slope(s->node->op, k, a[place(s, 0, n, i)], b[place(s, 1, n, i)]);
                term[place(s, k, n, i)] += slope_k * dy[n * s->y->elements + i];
            }
        }
        ts__give_gradient(s, k, term);
    }
}
