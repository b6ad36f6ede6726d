#include "quant/quantize.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "num/float.h"
#include "quant/ranges.h"
#include "quant/rounding.h"
#include "quant/stage.h"

enum {
    FACTOR_BITS = 13,    /* of the factors of additions and average pools */
    SUM_FACTOR_BITS = 8, /* of additions whose quanta can be matched: what chips multiply bytes by */
    SUM_FACTOR_LEAST = 24,
    KAPPA_LEAST = 6, /* bits of the largest kappa of a layer at least, where 32 bits are to suffice */
    KAPPA_SMALLEST = 16
};

ts_quant_options ts_quant_defaults(void) {
    return (ts_quant_options){.weight_bits = 8,
                              .activation_bits = 8,
                              .percentile = 0.9999,
                              .weight_ranges = TS_RANGE_MSE,
                              .weight_percentile = 0.999,
                              .kappa_bits = 12};
}

/* A value on all calibration samples, float and quantised; freed after its last reader. */
typedef struct held {
    ts_arena *arena;
    float *exact, *quantised;
    uint32_t readers;
} held;

typedef struct walk {
    ts_quant *quant;
    const ts_data *data;
    held *values;
    ts_diags *diags;
} walk;

static uint64_t elements_of(const ts_qnet *net, uint32_t value) {
    uint32_t h, w, c;
    ts_qnet_shape(net, value, &h, &w, &c);
    return (uint64_t)h * w * c;
}

static ts_ftensor map_of(const ts_qnet *net, uint32_t value) {
    ts_ftensor t = {
        .name = "value", .rank = 4, .dims = {1}, .layout = TS_LAYOUT_CHANNELS_LAST, .producer = TS_NONE};
    ts_qnet_shape(net, value, &t.dims[1], &t.dims[2], &t.dims[3]);
    return t;
}

/* Computes layer `i` on all samples at a stage, from the values of that stage. `sums`, `out` may be NULL. */
static ts_status run_layer(const walk *w, uint32_t i, ts_quant_stage stage, float *sums, float *out) {
    const ts_qnet *net = w->quant->net;
    const ts_qlayer *l = &net->layers.data[i];
    ts_arena *scratch = ts_arena_new("layer", 0);
    ts_fgraph *graph = ts_fgraph_new(scratch, l->name);
    ts_tensor_id in[TS_MAX_INPUTS] = {0}, sum, result;
    const float *x[TS_MAX_INPUTS] = {NULL};
    uint64_t count = elements_of(net, i + 1);
    for (uint32_t k = 0; k < l->input_count; k++) {
        ts_ftensor t = map_of(net, l->inputs[k]);
        const held *from = &w->values[l->inputs[k]];
        in[k] = ts_fgraph_add_tensor(graph, &t);
        TS_PUSH(scratch, &graph->inputs, in[k]);
        x[k] = stage == TS_STAGE_FP ? from->exact : from->quantised;
    }
    ts_status status = ts__stage_layer(graph, net, w->quant, i, stage, in, &sum, &result, w->diags);
    ts_fsession *session = status == TS_OK ? ts_fsession_new(scratch, graph) : NULL;
    for (uint32_t n = 0; status == TS_OK && n < w->data->count; n++) {
        ts_fsession_run(session, x);
        if (sums != NULL) {
            memcpy(sums + n * count, ts_fsession_value(session, sum), count * sizeof *sums);
        }
        if (out != NULL) {
            memcpy(out + n * count, ts_fsession_value(session, result), count * sizeof *out);
        }
        for (uint32_t k = 0; k < l->input_count; k++) {
            x[k] += elements_of(net, l->inputs[k]);
        }
    }
    ts_arena_free(scratch);
    return status;
}

static bool is_linear(const ts_qlayer *l) { return l->kind == TS_QUANT_CONV || l->kind == TS_QUANT_LINEAR; }

static double nearest(double v) { return floor(v + 0.5); }

/* Cuts an integer to the 24 bits that float32, and so the ONNX dialect, holds. */
static int64_t to_float_bits(double v) {
    int exponent;
    double part = frexp(v, &exponent);
    return (int64_t)ldexp(nearest(ldexp(part, 24)), exponent - 24);
}

/* Ends of the accumulator of channel c over every input that the grid admits. */
static void reach(const ts_qlayer *l, const ts_qvalue *x, const ts_qweights *q, uint32_t c, double *low,
                  double *high) {
    const int8_t *values = q->values;
    int32_t zero = q->grid.zero;
    *low = *high = 0;
    for (uint32_t k = 0; k < l->inner; k++) {
        double w = values[(size_t)c * l->inner + k] - zero;
        double a = w * (double)ts_type_low(x->type), b = w * (double)ts_type_high(x->type);
        *low += fmin(a, b);
        *high += fmax(a, b);
    }
}

int64_t ts__match_scales(uint32_t channels, const double *wanted, double sx, double sy, int bits,
                         int64_t *kappa, double *scale) {
    double largest = 0;
    for (uint32_t c = 0; c < channels; c++) {
        largest = fmax(largest, sx * fabs(wanted[c]) / sy);
    }
    int shift = bits - 1 - (int)floor(log2(largest));
    shift = shift < 0 ? 0 : shift > 40 ? 40 : shift;
    int64_t d = (int64_t)1 << shift;
    for (uint32_t c = 0; c < channels; c++) {
        double size = fmax(nearest(sx * fabs(wanted[c]) / sy * (double)d), KAPPA_SMALLEST);
        double k = wanted[c] < 0 ? -size : size;
        kappa[c] = (int64_t)k;
        scale[c] = k * sy / (sx * (double)d);
    }
    return d;
}

static void match_scales(const ts_qlayer *l, ts_qweights *q, const double *wanted, double sx, double sy,
                         int bits) {
    q->d = ts__match_scales(l->c, wanted, sx, sy, bits, q->kappa, q->scale);
}

/* Whether kappa acc + lambda stays in 32 bits for every input. */
static bool fits_32(const ts_qlayer *l, const ts_qweights *q, const ts_qvalue *x, double sy) {
    for (uint32_t c = 0; c < l->c; c++) {
        double low, high, term = (fabs(q->bias[c] + q->half) / sy + 1) * (double)q->d;
        reach(l, x, q, c, &low, &high);
        double kappa = fabs((double)q->kappa[c]);
        if (kappa * fmax(-low, high) + term >= 2147483648.0) {
            return false;
        }
    }
    return true;
}

/* Chooses quanta and, where the layer is requantised, kappa and D: the finest that 32 bits hold. */
static void choose_weights(const walk *w, ts_arena *scratch, uint32_t i, const ts__inputs *inputs) {
    const ts_quant *quant = w->quant;
    const ts_quant_options *o = &quant->options;
    const ts_qlayer *l = &quant->net->layers.data[i];
    const ts_qvalue *x = &quant->values[l->inputs[0]];
    ts_qvalue *y = &quant->values[i + 1];
    ts_qweights *q = &quant->layers[i];
    double *wanted = TS_NEW_ARRAY(scratch, double, l->c);
    q->bits = quant->widths[i].weights;
    ts__grid grid = {.bits = q->bits,
                     .narrow = o->symmetric,
                     .per_layer = o->per_layer || o->asymmetric || y->raw,
                     .offset = o->asymmetric,
                     .gain = o->keep_batch_norm && !y->raw ? l->gain : NULL,
                     .method = o->weight_ranges,
                     .percentile = o->weight_percentile};
    ts__choose_scales(scratch, l, inputs, &grid, wanted);
    q->grid = grid;
    memcpy(q->scale, wanted, l->c * sizeof *wanted);
    q->wide = false;
    if (y->raw) {
        y->scale = x->scale * wanted[0];
        ts__round_nearest(l, q->scale, &grid, q->values);
        return;
    }
    for (int bits = (int)o->kappa_bits - 1; bits >= KAPPA_LEAST; bits--) {
        match_scales(l, q, wanted, x->scale, y->scale, bits);
        ts__round_nearest(l, q->scale, &grid, q->values);
        if (fits_32(l, q, x, y->scale)) {
            return;
        }
    }
    q->wide = true;
    match_scales(l, q, wanted, x->scale, y->scale, (int)o->kappa_bits - 1);
    ts__round_nearest(l, q->scale, &grid, q->values);
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Mean over places of a - b per channel, then over the middle half of the samples: a few samples that the
 * input's grid clips hard must not move the bias of all others. */
static void mean_difference(ts_arena *scratch, const float *a, const float *b, uint32_t samples,
                            uint64_t count, uint32_t channels, double *out) {
    double *means = TS_NEW_ARRAY(scratch, double, (uint64_t)samples *channels);
    for (uint32_t n = 0; n < samples; n++) {
        for (uint64_t i = 0; i < count; i++) {
            double difference = (double)a[n * count + i] - (double)b[n * count + i];
            means[(i % channels) * samples + n] += difference / (double)(count / channels);
        }
    }
    uint32_t first = samples / 4, end = samples - first;
    for (uint32_t c = 0; c < channels; c++) {
        double *list = means + (uint64_t)c * samples;
        qsort(list, samples, sizeof *list, by_value);
        out[c] = 0;
        for (uint32_t n = first; n < end; n++) {
            out[c] += list[n] / (end - first);
        }
    }
}

/* Moves the biases so that every channel's mean is that of the float network. */
static ts_status correct_bias(const walk *w, ts_arena *scratch, uint32_t i, const float *exact_sums) {
    const ts_qlayer *l = &w->quant->net->layers.data[i];
    ts_qweights *q = &w->quant->layers[i];
    uint64_t count = elements_of(w->quant->net, i + 1);
    float *sums = TS_NEW_ARRAY(scratch, float, count * w->data->count);
    double *difference = TS_NEW_ARRAY(scratch, double, l->c);
    TS_TRY(run_layer(w, i, TS_STAGE_FQ, sums, NULL));
    mean_difference(scratch, exact_sums, sums, w->data->count, count, l->c, difference);
    for (uint32_t c = 0; c < l->c; c++) {
        q->bias[c] += difference[c];
    }
    return TS_OK;
}

/* The integers that the biases become. */
static ts_status finish_bias(const walk *w, uint32_t i) {
    const ts_qlayer *l = &w->quant->net->layers.data[i];
    const ts_qvalue *x = &w->quant->values[l->inputs[0]], *y = &w->quant->values[i + 1];
    ts_qweights *q = &w->quant->layers[i];
    for (uint32_t c = 0; c < l->c; c++) {
        double low, high;
        if (y->raw) {
            double b = nearest(q->bias[c] / y->scale);
            reach(l, x, q, c, &low, &high);
            if (low + b < INT32_MIN || high + b > INT32_MAX) {
                return ts_error(
                    w->diags, TS_DIAG_VALUE, l->name, ts_qkind_name(l->kind),
                    "the accumulator passes 32 bits; the last layer's weights are too many or too large");
            }
            q->integer_bias[c] = (int32_t)to_float_bits(b);
        } else {
            q->lambda[c] = to_float_bits(nearest(((q->bias[c] + q->half) / y->scale + 0.5) * (double)q->d));
        }
    }
    if (!y->raw && is_linear(l)) {
        q->wide = !fits_32(l, q, x, y->scale);
    }
    return TS_OK;
}

static ts_status quantise_linear(const walk *w, ts_arena *scratch, uint32_t i, const float *exact_sums) {
    const ts_quant *quant = w->quant;
    const ts_qlayer *l = &quant->net->layers.data[i];
    ts_qweights *q = &quant->layers[i];
    ts__inputs inputs = {.data = w->values[l->inputs[0]].quantised, .count = w->data->count};
    ts_qnet_shape(quant->net, l->inputs[0], &inputs.h, &inputs.w, &inputs.c);
    choose_weights(w, scratch, i, &inputs);
    if (!quant->options.nearest) {
        (void)ts__round_feedback(l, &inputs, q->scale, &q->grid, q->values);
    }
    if (!quant->options.keep_bias) {
        TS_TRY(correct_bias(w, scratch, i, exact_sums));
    }
    return finish_bias(w, i);
}

/* a[c] x + b[c]: kappa_c = round(a_c s_x D / s_y), as fine as 32 bits hold. */
static ts_status quantise_affine(const walk *w, uint32_t i) {
    const ts_qlayer *l = &w->quant->net->layers.data[i];
    const ts_qvalue *x = &w->quant->values[l->inputs[0]], *y = &w->quant->values[i + 1];
    ts_qweights *q = &w->quant->layers[i];
    double largest = 1e-30, term = 0;
    for (uint32_t c = 0; c < l->c; c++) {
        largest = fmax(largest, fabs((double)l->weights[c]) * x->scale / y->scale);
        term = fmax(term, fabs(q->bias[c]) / y->scale + 1);
    }
    double room = 2147483647.0 / (largest * (double)ts_type_high(x->type) + largest + term);
    int shift = (int)floor(log2(room < 1 ? 1 : room));
    shift = shift > 20 ? 20 : shift;
    q->d = (int64_t)1 << shift;
    for (uint32_t c = 0; c < l->c; c++) {
        q->kappa[c] = to_float_bits(nearest((double)l->weights[c] * x->scale / y->scale * (double)q->d));
    }
    return finish_bias(w, i);
}

/* Factors m / D of two ratios of quanta: D = 2^k with the larger m in FACTOR_BITS. */
static void choose_factors(ts_qweights *q, const double *ratios, uint32_t count, int bits) {
    double largest = count == 2 ? fmax(ratios[0], ratios[1]) : ratios[0];
    int shift = bits - 1 - (int)floor(log2(largest));
    shift = shift < 0 ? 0 : shift > 40 ? 40 : shift;
    q->d = (int64_t)1 << shift;
    for (uint32_t k = 0; k < count; k++) {
        q->m[k] = (int64_t)fmax(nearest(ratios[k] * (double)q->d), 1);
    }
}

/* The factor of a mean, `ratio` the quanta of its input and result; its sums stay in 31 bits. */
static void choose_mean(const ts_qlayer *l, ts_qweights *q, double ratio) {
    uint32_t size = l->window.kernel_h * l->window.kernel_w;
    int bits = 30 - 8 - (int)ceil(log2((double)size));
    ratio /= size;
    choose_factors(q, &ratio, 1, bits < FACTOR_BITS ? (bits < 4 ? 4 : bits) : FACTOR_BITS);
}

/* A function of one element: its value for each element that the input's type has, as the interpreter
 * computes it. */
static ts_status fill_table(const walk *w, uint32_t i) {
    const ts_qlayer *l = &w->quant->net->layers.data[i];
    const ts_qvalue *x = &w->quant->values[l->inputs[0]], *y = &w->quant->values[i + 1];
    int32_t low = (int32_t)ts_type_low(x->type);
    uint32_t entries = 1u << ts_type_bits(x->type);
    ts_arena *scratch = ts_arena_new("table", 0);
    ts_fgraph *graph = ts_fgraph_new(scratch, l->name);
    ts_ftensor row = {.name = "x", .rank = 1, .dims = {entries}, .producer = TS_NONE};
    ts_tensor_id in = ts_fgraph_add_tensor(graph, &row), out;
    float *elements = TS_NEW_ARRAY(scratch, float, entries);
    TS_PUSH(scratch, &graph->inputs, in);
    for (uint32_t k = 0; k < entries; k++) {
        elements[k] = (float)(((double)low + k) * x->scale);
    }
    ts_status status = ts_qexpr_emit(graph, l->expr, l->name, in, &out, w->diags);
    if (status == TS_OK) {
        ts_fsession *session = ts_fsession_new(scratch, graph);
        ts_fsession_run(session, (const float *const[]){elements});
        const float *f = ts_fsession_value(session, out);
        for (uint32_t k = 0; k < entries; k++) {
            double v = floor((double)f[k] / y->scale + 0.5);
            v = !(v > y->low) ? y->low : v > y->high ? y->high : v; /* undefined ones become the lowest */
            w->quant->layers[i].table[k] = (int8_t)(uint8_t)(int32_t)v;
        }
    }
    ts_arena_free(scratch);
    return status;
}

static void quantise_pointless(const walk *w, uint32_t i) {
    const ts_qlayer *l = &w->quant->net->layers.data[i];
    const ts_qvalue *values = w->quant->values;
    ts_qweights *q = &w->quant->layers[i];
    double sy = values[i + 1].scale;
    if (l->kind == TS_QUANT_ADD) {
        double ratios[2] = {values[l->inputs[0]].scale / sy, values[l->inputs[1]].scale / sy};
        if (!q->matched) {
            choose_factors(q, ratios, 2, FACTOR_BITS);
        }
    } else if (l->kind == TS_QUANT_AVG_POOL && !q->matched) {
        choose_mean(l, q, values[l->inputs[0]].scale / sy);
    } else if (l->kind == TS_QUANT_MUL && !q->matched) {
        double ratio = values[l->inputs[0]].scale * values[l->inputs[1]].scale / sy;
        choose_factors(q, &ratio, 1, FACTOR_BITS);
    }
    q->term = w->quant->options.floor_pools ? 0 : q->d / 2;
}

/* Gives a value, and those that share its grid, another step. */
static void set_step(const ts_quant *quant, uint32_t value, double scale) {
    for (uint32_t v = value; v <= quant->net->layers.count; v++) {
        if (quant->roots[v] == value) {
            quant->values[v].scale = scale;
            ts__settle_clip(quant, v);
        }
    }
}

/* Moves the steps around an addition so that its factors are whole numbers of SUM_FACTOR_BITS over a power of
 * two: then it is exact but for its one rounding. `fixed` values keep their steps; one of the two operands
 * may be fixed, then the sum's own step gives way. Moves by at most half of 1 / SUM_FACTOR_LEAST. */
static void match_sum(const ts_quant *quant, uint32_t i, bool *fixed) {
    const ts_qlayer *l = &quant->net->layers.data[i];
    ts_qweights *q = &quant->layers[i];
    uint32_t in[2] = {quant->roots[l->inputs[0]], quant->roots[l->inputs[1]]}, y = quant->roots[i + 1];
    double sy = quant->values[i + 1].scale;
    double ratios[2] = {quant->values[in[0]].scale / sy, quant->values[in[1]].scale / sy};
    bool bound = fixed[in[0]] + fixed[in[1]] + fixed[y] > 1,
         apart = in[0] != in[1] && in[0] != y && in[1] != y;
    choose_factors(q, ratios, 2, SUM_FACTOR_BITS);
    q->matched = !bound && apart && q->m[0] >= SUM_FACTOR_LEAST && q->m[1] >= SUM_FACTOR_LEAST;
    if (q->matched) {
        for (uint32_t k = 0; k < 2; k++) {
            if (fixed[in[k]]) {
                sy = quant->values[in[k]].scale * (double)q->d / (double)q->m[k];
                set_step(quant, y, sy);
            }
        }
        for (uint32_t k = 0; k < 2; k++) {
            if (!fixed[in[k]]) {
                set_step(quant, in[k], (double)q->m[k] * sy / (double)q->d);
            }
        }
    }
    fixed[in[0]] = fixed[in[1]] = fixed[y] = true;
}

/* Moves the step of a mean or product to where its factor is exact; `size` is what the factor is divided by.
 */
static void match_factor(const ts_quant *quant, uint32_t i, double s_in, double size, bool *fixed) {
    const ts_qlayer *l = &quant->net->layers.data[i];
    ts_qweights *q = &quant->layers[i];
    uint32_t y = quant->roots[i + 1];
    q->matched = !fixed[y];
    if (q->matched) {
        set_step(quant, y, s_in * (double)q->d / ((double)q->m[0] * size));
    }
    for (uint32_t k = 0; k < l->input_count; k++) {
        q->matched = q->matched && quant->roots[l->inputs[k]] != y;
        fixed[quant->roots[l->inputs[k]]] = true;
    }
    fixed[y] = true;
}

static uint32_t window_size(const ts_qlayer *l) { return l->window.kernel_h * l->window.kernel_w; }

/* Least common multiple of the window sizes of all means with the grids of mean `i`: pieces of a pool that
 * leaves padding out. The size itself where that would be too much. */
static uint32_t common_size(const ts_quant *quant, uint32_t i) {
    enum { MOST = 1 << 10 };
    const ts_qlayer *l = &quant->net->layers.data[i];
    uint32_t all = window_size(l);
    for (uint32_t k = 0; k < quant->net->layers.count; k++) {
        const ts_qlayer *other = &quant->net->layers.data[k];
        if (other->kind == TS_QUANT_AVG_POOL && quant->roots[k + 1] == quant->roots[i + 1] &&
            quant->roots[other->inputs[0]] == quant->roots[l->inputs[0]]) {
            uint32_t a = all, b = window_size(other);
            while (b != 0) {
                uint32_t rest = a % b;
                a = b;
                b = rest;
            }
            all = all / a * window_size(other);
        }
        if (all > MOST) {
            return window_size(l);
        }
    }
    return all;
}

/* The first of means that share a grid moves its step so that the factors of all are whole. */
static void match_mean(const ts_quant *quant, uint32_t i, bool *fixed) {
    const ts_qlayer *l = &quant->net->layers.data[i];
    ts_qweights *q = &quant->layers[i];
    double sx = quant->values[l->inputs[0]].scale;
    choose_mean(l, q, sx / quant->values[i + 1].scale);
    if (fixed[quant->roots[i + 1]]) {
        double right = sx / quant->values[i + 1].scale * (double)q->d / window_size(l);
        q->matched = fabs(right - (double)q->m[0]) < 1e-9 * right;
        fixed[quant->roots[l->inputs[0]]] = true;
        return;
    }
    /* Four times: a smaller window's factor may be shifted down by two with its D. */
    uint32_t size = window_size(l), all = common_size(quant, i), share = all / size * (all > size ? 4 : 1);
    q->m[0] = (int64_t)fmax(nearest((double)q->m[0] / share), 1) * share;
    match_factor(quant, i, sx, size, fixed);
}

static void match_product(const ts_quant *quant, uint32_t i, bool *fixed) {
    const ts_qlayer *l = &quant->net->layers.data[i];
    double s_in = quant->values[l->inputs[0]].scale * quant->values[l->inputs[1]].scale;
    double ratio = s_in / quant->values[i + 1].scale;
    choose_factors(&quant->layers[i], &ratio, 1, FACTOR_BITS);
    match_factor(quant, i, s_in, 1, fixed);
}

void ts__match_steps(ts_quant *quant) {
    ts_arena *scratch = ts_arena_new("sums", 0);
    bool *fixed = TS_NEW_ARRAY(scratch, bool, quant->net->layers.count + 1);
    fixed[0] = quant->values[0].exact;
    for (uint32_t i = 0; i < quant->net->layers.count; i++) {
        if (quant->net->layers.data[i].kind == TS_QUANT_ADD) {
            match_sum(quant, i, fixed);
        } else if (quant->net->layers.data[i].kind == TS_QUANT_AVG_POOL) {
            match_mean(quant, i, fixed);
        } else if (quant->net->layers.data[i].kind == TS_QUANT_MUL) {
            match_product(quant, i, fixed);
        }
    }
    ts_arena_free(scratch);
}

/* 10 log10 of the power of `exact` over that of its difference to `other`. */
static double signal_to_noise(const float *exact, const float *other, uint64_t count) {
    double signal = 1e-30, noise = 1e-30;
    for (uint64_t i = 0; i < count; i++) {
        double e = (double)exact[i] - (double)other[i];
        signal += (double)exact[i] * (double)exact[i];
        noise += e * e;
    }
    return 10 * log10(signal / noise);
}

static void weight_noise(ts_arena *scratch, const ts_quant *quant, uint32_t i) {
    const ts_qlayer *l = &quant->net->layers.data[i];
    const float *rounded = ts__stage_weights(scratch, quant->net, quant, i, TS_STAGE_FQ);
    quant->layers[i].snr_db = signal_to_noise(l->weights, rounded, (uint64_t)l->c * l->inner);
}

static void hold(const walk *w, uint32_t value) {
    held *h = &w->values[value];
    uint64_t count = elements_of(w->quant->net, value) * w->data->count;
    h->arena = ts_arena_new("calibration", 0);
    h->exact = TS_NEW_ARRAY(h->arena, float, count);
    h->quantised = TS_NEW_ARRAY(h->arena, float, count);
    h->readers = 0;
    for (uint32_t i = 0; i < w->quant->net->layers.count; i++) {
        const ts_qlayer *l = &w->quant->net->layers.data[i];
        for (uint32_t k = 0; k < l->input_count; k++) {
            h->readers += l->inputs[k] == value;
        }
    }
}

static void let_go(const walk *w, uint32_t value) {
    held *h = &w->values[value];
    if (h->arena != NULL && (h->readers == 0 || --h->readers == 0)) {
        ts_arena_free(h->arena);
        *h = (held){0};
    }
}

static void take_inputs(const walk *w, ts_arena *scratch) {
    ts_ftensor input = map_of(w->quant->net, 0);
    uint64_t count = elements_of(w->quant->net, 0);
    float *room = TS_NEW_ARRAY(scratch, float, ts_data_scratch(w->data));
    hold(w, 0);
    for (uint32_t n = 0; n < w->data->count; n++) {
        ts_data_sample(w->data, n, &input, room, w->values[0].exact + n * count);
    }
}

/* The first `count` elements of the inputs on a grid of this step. */
static void round_inputs(const walk *w, double scale, uint64_t count) {
    const ts_qvalue *v = &w->quant->values[0];
    for (uint64_t k = 0; k < count; k++) {
        w->values[0].quantised[k] =
            ts_fake_quant(w->values[0].exact[k], scale, 0.5, (float)v->low, (float)v->high);
    }
}

/* Square error of the float network's outputs when only its input is on the grid: `outputs` has the right
 * ones of `samples` samples, or is filled where *error is NULL. */
static void judge_input(const walk *w, const ts_fgraph *graph, ts_fsession *session, const float *inputs,
                        uint32_t samples, float *outputs, double *error) {
    for (uint32_t n = 0; n < samples; n++) {
        ts_fsession_run(session, (const float *const[]){inputs + n * elements_of(w->quant->net, 0)});
        for (uint32_t o = 0; o < graph->outputs.count; o++) {
            ts_tensor_id id = graph->outputs.data[o];
            uint64_t count = ts_ftensor_elements(&graph->tensors.data[id]);
            const float *y = ts_fsession_value(session, id);
            for (uint64_t k = 0; k < count; k++, outputs++) {
                if (error == NULL) {
                    *outputs = y[k];
                } else {
                    *error += ((double)y[k] - (double)*outputs) * ((double)y[k] - (double)*outputs);
                }
            }
        }
    }
}

/* The step of the input that the network's outputs bear best: large elements that say little are clipped
 * for the sake of small ones that say much. */
static ts_status refine_input(const walk *w, ts_arena *scratch) {
    enum { STEPS = 16, SAMPLES = 64 };
    ts_qvalue *v = &w->quant->values[0];
    uint32_t samples = w->data->count < SAMPLES ? w->data->count : SAMPLES;
    uint64_t outputs = 0;
    double top = fmax(v->seen_high, -v->seen_low) / v->high, least = INFINITY;
    ts_fgraph *graph;
    TS_TRY(ts_quant_float(scratch, w->quant->net, NULL, TS_STAGE_FP, &graph, w->diags));
    for (uint32_t o = 0; o < graph->outputs.count; o++) {
        outputs += ts_ftensor_elements(&graph->tensors.data[graph->outputs.data[o]]);
    }
    ts_fsession *session = ts_fsession_new(scratch, graph);
    float *right = TS_NEW_ARRAY(scratch, float, outputs *samples);
    judge_input(w, graph, session, w->values[0].exact, samples, right, NULL);
    for (uint32_t i = 0; i < STEPS; i++) {
        double scale = top * pow(0.85, i), error = 0;
        round_inputs(w, scale, elements_of(w->quant->net, 0) * samples);
        judge_input(w, graph, session, w->values[0].quantised, samples, right, &error);
        if (error < least) {
            least = error;
            v->scale = scale;
        }
    }
    return TS_OK;
}

static ts_status start_walk(const walk *w) {
    ts_arena *scratch = ts_arena_new("inputs", 0);
    const ts_quant *quant = w->quant;
    ts_status status = TS_OK;
    take_inputs(w, scratch);
    if (!quant->values[0].exact &&
        (quant->options.ranges == TS_RANGE_MSE || quant->options.ranges == TS_RANGE_BEST)) {
        status = refine_input(w, scratch);
    }
    ts_arena_free(scratch);
    TS_TRY(status);
    round_inputs(w, quant->values[0].scale, elements_of(quant->net, 0) * w->data->count);
    return TS_OK;
}

static ts_status quantise_layer(const walk *w, ts_arena *scratch, uint32_t i) {
    ts_quant *quant = w->quant;
    const ts_qlayer *l = &quant->net->layers.data[i];
    uint64_t count = elements_of(quant->net, i + 1) * w->data->count;
    float *exact_sums = TS_NEW_ARRAY(scratch, float, is_linear(l) ? count : 0);
    hold(w, i + 1);
    held *y = &w->values[i + 1];
    TS_TRY(run_layer(w, i, TS_STAGE_FP, is_linear(l) ? exact_sums : NULL, y->exact));
    if (is_linear(l)) {
        TS_TRY(quantise_linear(w, scratch, i, exact_sums));
        weight_noise(scratch, quant, i);
    } else if (l->kind == TS_QUANT_AFFINE) {
        TS_TRY(quantise_affine(w, i));
    } else if (l->kind == TS_QUANT_LUT) {
        TS_TRY(fill_table(w, i));
    } else {
        quantise_pointless(w, i);
    }
    TS_TRY(run_layer(w, i, TS_STAGE_QD, NULL, y->quantised));
    quant->values[i + 1].snr_db = signal_to_noise(y->exact, y->quantised, count);
    return TS_OK;
}

void ts__place_halves(ts_quant *quant) {
    if (!quant->options.floor_pools) {
        return;
    }
    for (uint32_t i = 0; i < quant->net->layers.count; i++) {
        const ts_qlayer *l = &quant->net->layers.data[i];
        bool placed = l->kind != TS_QUANT_ADD;
        for (uint32_t k = 0; k < 2 && !placed; k++) {
            const ts_qlayer *from = l->inputs[k] == 0 ? NULL : &quant->net->layers.data[l->inputs[k] - 1];
            if (from != NULL && (is_linear(from) || from->kind == TS_QUANT_AFFINE) && from->uses == 1 &&
                from->low == -INFINITY) {
                quant->layers[l->inputs[k] - 1].half = 0.5 * quant->values[i + 1].scale;
                placed = true;
            }
        }
    }
}

static void new_layers(ts_arena *arena, ts_quant *quant) {
    for (uint32_t i = 0; i < quant->net->layers.count; i++) {
        const ts_qlayer *l = &quant->net->layers.data[i];
        ts_qweights *q = &quant->layers[i];
        q->d = 1;
        q->table = l->kind == TS_QUANT_LUT ? TS_NEW_ARRAY(arena, int8_t, 256) : NULL;
        if (!is_linear(l) && l->kind != TS_QUANT_AFFINE) {
            continue;
        }
        q->values = TS_NEW_ARRAY(arena, int8_t, (uint64_t)l->c * l->inner);
        q->scale = TS_NEW_ARRAY(arena, double, l->c);
        q->bias = TS_NEW_ARRAY(arena, double, l->c);
        q->kappa = TS_NEW_ARRAY(arena, int64_t, l->c);
        q->lambda = TS_NEW_ARRAY(arena, int64_t, l->c);
        q->integer_bias = TS_NEW_ARRAY(arena, int32_t, l->c);
        for (uint32_t c = 0; c < l->c; c++) {
            q->bias[c] = (double)l->bias[c];
        }
    }
}

static ts_status walk_layers(const walk *w, const ts_progress *progress) {
    const ts_qnet *net = w->quant->net;
    TS_TRY(start_walk(w));
    for (uint32_t i = 0; i < net->layers.count; i++) {
        ts_arena *scratch = ts_arena_new("quantise layer", 0);
        ts_status status = quantise_layer(w, scratch, i);
        ts_arena_free(scratch);
        TS_TRY(status);
        for (uint32_t k = 0; k < net->layers.data[i].input_count; k++) {
            let_go(w, net->layers.data[i].inputs[k]);
        }
        if (w->values[i + 1].readers == 0) {
            let_go(w, i + 1);
        }
        if (progress != NULL && progress->report != NULL) {
            progress->report(progress->object, i + 1, net->layers.count);
        }
    }
    return TS_OK;
}

/* Widths of all layers, and what they say of the ranges' method. */
static ts_status take_widths(ts_arena *arena, ts_quant *quant, ts_diags *diags) {
    const ts_quant_options *o = &quant->options;
    uint32_t least = 8;
    quant->widths = TS_NEW_ARRAY(arena, ts_widths, quant->net->layers.count);
    for (uint32_t i = 0; i < quant->net->layers.count; i++) {
        ts_widths *w = &quant->widths[i];
        *w = o->widths != NULL ? o->widths[i]
                               : (ts_widths){(uint8_t)o->weight_bits, (uint8_t)o->activation_bits};
        if (w->weights < 2 || w->weights > 8 || w->activations < 2 || w->activations > 8) {
            return ts_error(diags, TS_DIAG_USAGE, quant->net->layers.data[i].name, NULL,
                            "weights and activations have 2 to 8 bits");
        }
        least = w->activations < least ? w->activations : least;
    }
    if (o->ranges == TS_RANGE_AUTO) {
        quant->options.ranges = least < 8 ? TS_RANGE_BEST : TS_RANGE_MSE;
    }
    return TS_OK;
}

ts_status ts_quantize(ts_arena *arena, ts_qnet *net, const ts_data *calibration,
                      const ts_quant_options *options, const ts_progress *progress, ts_quant **out,
                      ts_diags *diags) {
    if (calibration->count == 0) {
        return ts_error(diags, TS_DIAG_USAGE, NULL, NULL, "at least one calibration sample is needed");
    }
    if (options->kappa_bits <= KAPPA_LEAST || options->kappa_bits > 24) {
        return ts_error(diags, TS_DIAG_USAGE, NULL, NULL, "kappas have %d to 24 bits", KAPPA_LEAST + 1);
    }
    if (options->asymmetric && options->symmetric) {
        return ts_error(diags, TS_DIAG_USAGE, NULL, NULL, "weights are symmetric or asymmetric, not both");
    }
    ts_quant *quant = TS_NEW(arena, ts_quant);
    *quant = (ts_quant){.net = net, .options = *options};
    TS_TRY(take_widths(arena, quant, diags));
    quant->values = TS_NEW_ARRAY(arena, ts_qvalue, net->layers.count + 1);
    quant->layers = TS_NEW_ARRAY(arena, ts_qweights, net->layers.count);
    quant->roots = TS_NEW_ARRAY(arena, uint32_t, net->layers.count + 1);
    if (options->equalise) {
        ts_qnet_equalise(net);
    }
    new_layers(arena, quant);
    TS_TRY(ts__choose_grids(quant, calibration, progress, diags));
    if (quant->options.ranges == TS_RANGE_BEST) {
        TS_TRY(ts__search_grids(quant, calibration, progress, diags));
    }
    ts__match_steps(quant);
    ts__place_halves(quant);
    walk w = {.quant = quant, .data = calibration, .diags = diags};
    w.values = TS_NEW_ARRAY(arena, held, net->layers.count + 1);
    ts_status status = walk_layers(&w, progress);
    for (uint32_t v = 0; v <= net->layers.count; v++) {
        ts_arena_free(w.values[v].arena);
    }
    *out = quant;
    return status;
}

/* Quanta that kappa admits, near those that the layer has; its integers stay. */
static void settle_scales(const ts_quant *quant, ts_arena *scratch, uint32_t i) {
    const ts_qlayer *l = &quant->net->layers.data[i];
    const ts_qvalue *x = &quant->values[l->inputs[0]];
    ts_qvalue *y = &quant->values[i + 1];
    ts_qweights *q = &quant->layers[i];
    if (y->raw) {
        y->scale = x->scale * q->scale[0];
        return;
    }
    const double *wanted = ts_arena_copy(scratch, q->scale, l->c * sizeof *q->scale);
    for (int bits = (int)quant->options.kappa_bits - 1; bits >= KAPPA_LEAST; bits--) {
        match_scales(l, q, wanted, x->scale, y->scale, bits);
        if (fits_32(l, q, x, y->scale)) {
            return;
        }
    }
    match_scales(l, q, wanted, x->scale, y->scale, (int)quant->options.kappa_bits - 1);
}

ts_status ts_quant_settle(ts_quant *quant, ts_diags *diags) {
    const ts_qnet *net = quant->net;
    walk w = {.quant = quant, .diags = diags};
    ts_status status = TS_OK;
    for (uint32_t i = 0; i < net->layers.count; i++) {
        quant->values[i + 1].scale = quant->values[quant->roots[i + 1]].scale;
        ts__settle_clip(quant, i + 1);
    }
    ts__match_steps(quant);
    ts__place_halves(quant);
    for (uint32_t i = 0; status == TS_OK && i < net->layers.count; i++) {
        ts_arena *scratch = ts_arena_new("settle", 0);
        if (is_linear(&net->layers.data[i])) {
            settle_scales(quant, scratch, i);
            status = finish_bias(&w, i);
        } else if (net->layers.data[i].kind == TS_QUANT_AFFINE) {
            status = quantise_affine(&w, i);
        } else if (net->layers.data[i].kind == TS_QUANT_LUT) {
            status = fill_table(&w, i);
        } else {
            quantise_pointless(&w, i);
        }
        ts_arena_free(scratch);
    }
    return status;
}
