/* What the element-wise float operators compute of an element. One definition for the interpreter, for
 * training and for the tables that importers make, so that all round alike; inline, since they stand in the
 * inner loops. Source: the operators' definitions in ONNX. */
#ifndef TS_IR_FLOAT_OP_H
#define TS_IR_FLOAT_OP_H

#include <math.h>

#include "ir/float_graph.h"

/* The nearest whole number; halves go to the even one. */
static inline float ts_fop_round(float x) {
    float down = floorf(x), rest = x - down;
    return rest < 0.5f || (rest == 0.5f && fmodf(down, 2.0f) == 0.0f) ? down : down + 1.0f;
}

/* An operator of one activation, at `x`, with the attributes of `n`; an operator that is none gives x. */
static inline float ts_fop_unary(const ts_fnode *n, float x) {
    switch (n->op) {
        case TS_FOP_RELU:
            return x > 0.0f ? x : 0.0f;
        case TS_FOP_CLIP:
            return fminf(fmaxf(x, n->low), n->high);
        case TS_FOP_LEAKY_RELU:
            return x >= 0.0f ? x : n->alpha * x;
        case TS_FOP_HARD_SWISH:
            return x * fmaxf(0.0f, fminf(1.0f, x / 6.0f + 0.5f));
        case TS_FOP_HARD_SIGMOID:
            return fmaxf(0.0f, fminf(1.0f, n->alpha * x + n->beta));
        case TS_FOP_SIGMOID:
            return 1.0f / (1.0f + expf(-x));
        case TS_FOP_TANH:
            return tanhf(x);
        case TS_FOP_ELU:
            return x >= 0.0f ? x : n->alpha * expm1f(x);
        case TS_FOP_SOFTPLUS:
            return fmaxf(x, 0.0f) + log1pf(expf(-fabsf(x)));
        case TS_FOP_SOFTSIGN:
            return x / (1.0f + fabsf(x));
        case TS_FOP_ERF:
            return erff(x);
        case TS_FOP_EXP:
            return expf(x);
        case TS_FOP_LOG:
            return logf(x);
        case TS_FOP_SQRT:
            return sqrtf(x);
        case TS_FOP_RECIPROCAL:
            return 1.0f / x;
        case TS_FOP_ABS:
            return fabsf(x);
        case TS_FOP_NEG:
            return -x;
        case TS_FOP_FLOOR:
            return floorf(x);
        case TS_FOP_CEIL:
            return ceilf(x);
        case TS_FOP_ROUND:
            return ts_fop_round(x);
        default:
            return x;
    }
}

/* ADD, SUB, MUL, MIN, MAX, POW, PRELU (b: the slope), else DIV. */
static inline float ts_fop_binary(ts_fop op, float a, float b) {
    switch (op) {
        case TS_FOP_ADD:
            return a + b;
        case TS_FOP_SUB:
            return a - b;
        case TS_FOP_MUL:
            return a * b;
        case TS_FOP_MIN:
            return fminf(a, b);
        case TS_FOP_MAX:
            return fmaxf(a, b);
        case TS_FOP_POW:
            return powf(a, b);
        case TS_FOP_PRELU:
            return a >= 0.0f ? a : a * b;
        default:
            return a / b;
    }
}

#endif
