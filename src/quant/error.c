/* How far the integers of a requantisation may lie from the real numbers that they stand for. */
#include <math.h>

#include "quant/quantize.h"

/* What is lost beside the factors: the rounding itself, and the term that makes it one to the nearest. */
static double rounding_error(const ts_qweights *q) {
    double term = (double)q->term / (double)q->d;
    return fmax(term, 1 - term);
}

/* The largest magnitude of a value's elements, in steps. */
static double largest(const ts_qvalue *v) { return fmax((double)v->top, -(double)v->bottom); }

/* The largest magnitude of an accumulator of channel c over every input on its grid. */
static double largest_sum(const ts_qlayer *l, const ts_qweights *q, const ts_qvalue *x, uint32_t c) {
    double low = 0, high = 0;
    for (uint32_t k = 0; k < l->inner; k++) {
        double w = l->kind == TS_QUANT_AFFINE ? 1 : q->values[(size_t)c * l->inner + k] - q->grid.zero;
        low += fmin(w * x->bottom, w * x->top);
        high += fmax(w * x->bottom, w * x->top);
    }
    return fmax(high, -low);
}

static double linear_error(const ts_quant *quant, uint32_t i) {
    const ts_qlayer *l = &quant->net->layers.data[i];
    const ts_qweights *q = &quant->layers[i];
    const ts_qvalue *x = &quant->values[l->inputs[0]], *y = &quant->values[i + 1];
    double worst = 0, d = (double)q->d;
    for (uint32_t c = 0; c < l->c && !y->raw; c++) {
        double quantum = l->kind == TS_QUANT_AFFINE ? (double)l->weights[c] : q->scale[c];
        double factor = fabs((double)q->kappa[c] / d - x->scale * quantum / y->scale);
        double term = fabs((double)q->lambda[c] / d - (q->bias[c] + q->half) / y->scale - 0.5);
        worst = fmax(worst, factor * largest_sum(l, q, x, c) + term + 0.5);
    }
    return worst;
}

double ts_quant_error(const ts_quant *quant, uint32_t layer) {
    const ts_qlayer *l = &quant->net->layers.data[layer];
    const ts_qweights *q = &quant->layers[layer];
    const ts_qvalue *a = &quant->values[l->inputs[0]], *y = &quant->values[layer + 1];
    double error, size = (double)l->window.kernel_h * l->window.kernel_w, d = (double)q->d;
    switch (l->kind) {
        case TS_QUANT_CONV:
        case TS_QUANT_LINEAR:
        case TS_QUANT_AFFINE:
            return linear_error(quant, layer);
        case TS_QUANT_ADD:
            error = rounding_error(q);
            for (uint32_t k = 0; k < 2; k++) {
                const ts_qvalue *x = &quant->values[l->inputs[k]];
                error += fabs((double)q->m[k] / d - x->scale / y->scale) * largest(x);
            }
            return error;
        case TS_QUANT_MUL: {
            const ts_qvalue *b = &quant->values[l->inputs[1]];
            double factor = fabs((double)q->m[0] / d - a->scale * b->scale / y->scale);
            return rounding_error(q) + factor * largest(a) * largest(b);
        }
        case TS_QUANT_AVG_POOL:
            return rounding_error(q) +
                   fabs((double)q->m[0] / d - a->scale / (size * y->scale)) * size * largest(a);
        case TS_QUANT_LUT:
            return 0.5;
        default:
            return 0;
    }
}
