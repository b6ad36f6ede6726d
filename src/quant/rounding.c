#include "quant/rounding.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"

enum { MAX_INNER = 1024, MAX_ROWS = 4096, SCALE_STEPS = 60 };

static bool is_depthwise(const ts_qlayer *l) { return l->kind == TS_QUANT_CONV && l->groups > 1; }

/* Position in the output that row `r` of `rows` looks at: all of them in turn, or a seeded choice (an even
 * stride would meet the same columns again and again). */
static void place_of(const ts_qlayer *l, const ts__inputs *x, uint64_t r, uint64_t rows, uint32_t *sample,
                     uint32_t *y, uint32_t *xx) {
    uint64_t places = (uint64_t)l->h * l->w, all = places * x->count;
    ts_random random = ts_random_seed(r);
    uint64_t at = rows >= all ? r : (uint64_t)ts_random_range(&random, 0, (int64_t)all - 1);
    *sample = (uint32_t)(at / places);
    *y = (uint32_t)(at % places / l->w);
    *xx = (uint32_t)(at % places % l->w);
}

/* The inputs that output channel `channel` multiplies at that place; zeros in the padding. */
static void gather(const ts_qlayer *l, const ts__inputs *x, uint32_t channel, uint32_t sample, uint32_t oy,
                   uint32_t ox, float *row) {
    size_t elements = (size_t)x->h * x->w * x->c;
    const float *data = x->data + sample * elements;
    if (l->kind == TS_QUANT_LINEAR) {
        memcpy(row, data, elements * sizeof *row);
        return;
    }
    const ts_window *k = &l->window;
    uint32_t depth = x->c / l->groups, first = channel / (l->c / l->groups) * depth;
    for (uint32_t t = 0; t < k->kernel_h * k->kernel_w; t++, row += depth) {
        int64_t iy = (int64_t)oy * k->stride_h + (int64_t)(t / k->kernel_w) * k->dilation_h - k->pad_top;
        int64_t ix = (int64_t)ox * k->stride_w + (int64_t)(t % k->kernel_w) * k->dilation_w - k->pad_left;
        if (iy < 0 || iy >= x->h || ix < 0 || ix >= x->w) {
            memset(row, 0, depth * sizeof *row);
        } else {
            memcpy(row, data + ((size_t)iy * x->w + (size_t)ix) * x->c + first, depth * sizeof *row);
        }
    }
}

static uint64_t rows_of(const ts_qlayer *l, const ts__inputs *x, uint64_t wanted) {
    uint64_t all = (uint64_t)l->h * l->w * x->count;
    return all < wanted ? all : wanted;
}

float *ts__input_power(ts_arena *arena, const ts_qlayer *l, const ts__inputs *x) {
    uint32_t lists = is_depthwise(l) ? l->c : 1;
    float *power = TS_NEW_ARRAY(arena, float, (uint64_t)lists * l->inner);
    float *row = TS_NEW_ARRAY(arena, float, l->inner);
    uint64_t rows = rows_of(l, x, 1024);
    for (uint32_t c = 0; c < lists; c++) {
        for (uint64_t r = 0; r < rows; r++) {
            uint32_t sample, oy, ox;
            place_of(l, x, r, rows, &sample, &oy, &ox);
            gather(l, x, c, sample, oy, ox, row);
            for (uint32_t k = 0; k < l->inner; k++) {
                power[(size_t)c * l->inner + k] += row[k] * row[k] / (float)rows;
            }
        }
    }
    return power;
}

static int by_size(const void *a, const void *b) {
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

static double grid_top(const ts__grid *g) { return (double)(1 << (g->bits - 1)) - 1; }

/* Less the zero point. */
static double clip_round(double v, const ts__grid *g) {
    double top = grid_top(g), low = (g->narrow ? -top : -top - 1) - g->zero, q = floor(v + 0.5);
    top -= g->zero;
    return q > top ? top : q < low ? low : q;
}

static double gain_of(const ts__grid *g, uint32_t c) {
    return g->gain == NULL || !g->per_layer || g->gain[c] == 0.0f ? 1.0 : fabs((double)g->gain[c]);
}

static double channel_error(const ts_qlayer *l, const float *power, uint32_t c, double scale,
                            const ts__grid *g) {
    const float *w = l->weights + (size_t)c * l->inner;
    const float *p = is_depthwise(l) ? power + (size_t)c * l->inner : power;
    double error = 0;
    for (uint32_t k = 0; k < l->inner; k++) {
        double e = (double)w[k] - clip_round((double)w[k] / scale, g) * scale;
        error += e * e * ((double)p[k] + 1e-12);
    }
    return error;
}

/* The magnitude of channel c's weights, without its gain, that a share of them does not pass. */
static double channel_top(ts_arena *scratch, const ts_qlayer *l, uint32_t c, const ts__grid *g,
                          double share) {
    const float *w = l->weights + (size_t)c * l->inner;
    double top = 0;
    if (share < 1) {
        float *sizes = TS_NEW_ARRAY(scratch, float, l->inner);
        for (uint32_t k = 0; k < l->inner; k++) {
            sizes[k] = fabsf(w[k]);
        }
        qsort(sizes, l->inner, sizeof *sizes, by_size);
        return (double)sizes[(uint32_t)(share * (l->inner - 1))] / gain_of(g, c);
    }
    for (uint32_t k = 0; k < l->inner; k++) {
        top = fmax(top, fabs((double)w[k]));
    }
    return top / gain_of(g, c);
}

/* Best quantum for channels [first, end) together, before their gains; 0 where they have no weights. */
static double best_scale(const ts_qlayer *l, const float *power, uint32_t first, uint32_t end, double top,
                         const ts__grid *g) {
    double best = 0, least = INFINITY;
    for (uint32_t i = 0; i < SCALE_STEPS && top > 0; i++) {
        double scale = top / (grid_top(g) + 0.5) * (1.02 - 0.75 * i / SCALE_STEPS), error = 0;
        scale = g->bits == 2 ? top * (1.0 - 0.75 * i / SCALE_STEPS) : scale;
        for (uint32_t c = first; c < end; c++) {
            error += channel_error(l, power, c, scale * gain_of(g, c), g);
        }
        if (error < least) {
            least = error;
            best = scale;
        }
    }
    return best;
}

/* One quantum for the layer between its smallest and its largest weight, with the zero point that belongs to
 * it: the ends as they are, or drawn in for the least error. */
static void offset_scales(const ts_qlayer *l, const float *power, ts__grid *g, double *scale) {
    double low = 0, high = 0, best = 1, least = INFINITY, bottom = -grid_top(g) - 1;
    double levels = 2 * grid_top(g) + 1;
    int32_t zero = 0;
    for (uint32_t c = 0; c < l->c; c++) {
        scale[c] = g->gain != NULL && g->gain[c] != 0.0f ? (double)g->gain[c] : 1;
        for (uint32_t k = 0; k < l->inner; k++) {
            double w = (double)l->weights[(size_t)c * l->inner + k] / scale[c];
            low = fmin(low, w);
            high = fmax(high, w);
        }
    }
    for (uint32_t i = 0; i < (g->method == TS_RANGE_MAX ? 1 : SCALE_STEPS) && high > low; i++) {
        double part = 1 - 0.7 * i / SCALE_STEPS, step = (high - low) * part / levels, error = 0;
        g->zero = (int32_t)(bottom - floor(low * part / step + 0.5));
        for (uint32_t c = 0; c < l->c; c++) {
            error += channel_error(l, power, c, step * scale[c], g);
        }
        if (error < least) {
            least = error;
            best = step;
            zero = g->zero;
        }
    }
    g->zero = zero;
    for (uint32_t c = 0; c < l->c; c++) {
        scale[c] *= best;
    }
}

/* Quanta by one method. */
static void scales_by(ts_arena *scratch, const ts_qlayer *l, const float *power, const ts__grid *g,
                      ts_range_method method, double *scale) {
    double share = method == TS_RANGE_PERCENTILE ? g->percentile : 1, largest = 0;
    for (uint32_t c = 0, end; c < l->c; c = end) {
        double top = 0;
        end = g->per_layer ? l->c : c + 1;
        for (uint32_t k = c; k < end; k++) {
            top = fmax(top, channel_top(scratch, l, k, g, share));
        }
        double s = method == TS_RANGE_MSE ? best_scale(l, power, c, end, top, g) : top / grid_top(g);
        for (uint32_t k = c; k < end; k++) {
            scale[k] = s * gain_of(g, k);
            largest = fmax(largest, scale[k]);
        }
    }
    /* A channel without weights takes the quantum of the others: it needs one that is not 0. */
    for (uint32_t c = 0; c < l->c; c++) {
        scale[c] = scale[c] > 0 ? scale[c] : largest > 0 ? largest : 1.0;
        scale[c] = g->gain != NULL && g->gain[c] < 0.0f ? -scale[c] : scale[c];
    }
}

/* Square error of the layer's outputs at a choice of places, with weights rounded to the nearest. */
static double output_error(ts_arena *scratch, const ts_qlayer *l, const ts__inputs *x, const double *scale,
                           const ts__grid *g) {
    enum { PLACES = 256 };
    uint64_t rows = rows_of(l, x, PLACES);
    float *row = TS_NEW_ARRAY(scratch, float, l->inner);
    double error = 0;
    for (uint32_t c = 0; c < l->c; c++) {
        for (uint64_t r = 0; r < rows; r++) {
            uint32_t sample, oy, ox;
            double e = 0;
            place_of(l, x, r, rows, &sample, &oy, &ox);
            gather(l, x, c, sample, oy, ox, row);
            for (uint32_t k = 0; k < l->inner; k++) {
                double w = (double)l->weights[(size_t)c * l->inner + k];
                e += (w - clip_round(w / scale[c], g) * scale[c]) * (double)row[k];
            }
            error += e * e;
        }
    }
    return error;
}

void ts__choose_scales(ts_arena *scratch, const ts_qlayer *l, const ts__inputs *x, ts__grid *g,
                       double *scale) {
    static const ts_range_method methods[] = {TS_RANGE_MSE, TS_RANGE_MAX, TS_RANGE_PERCENTILE};
    const float *power = ts__input_power(scratch, l, x);
    if (g->offset) {
        offset_scales(l, power, g, scale);
        return;
    }
    if (g->method != TS_RANGE_BEST) {
        scales_by(scratch, l, power, g, g->method, scale);
        return;
    }
    double *tried = TS_NEW_ARRAY(scratch, double, l->c), least = INFINITY;
    for (size_t m = 0; m < sizeof methods / sizeof methods[0]; m++) {
        scales_by(scratch, l, power, g, methods[m], tried);
        double error = output_error(scratch, l, x, tried, g);
        if (error < least) {
            least = error;
            memcpy(scale, tried, l->c * sizeof *scale);
        }
    }
}

void ts__round_nearest(const ts_qlayer *l, const double *scale, const ts__grid *g, int8_t *values) {
    for (uint32_t c = 0; c < l->c; c++) {
        for (uint32_t k = 0; k < l->inner; k++) {
            size_t at = (size_t)c * l->inner + k;
            values[at] = (int8_t)(clip_round((double)l->weights[at] / scale[c], g) + g->zero);
        }
    }
}

/* Lower Cholesky factor in place: h = L L^T. False where h is not positive. */
static bool cholesky(double *h, uint32_t n) {
    for (uint32_t j = 0; j < n; j++) {
        double *rj = h + (size_t)j * n;
        for (uint32_t i = j; i < n; i++) {
            double *ri = h + (size_t)i * n, sum = ri[j];
            for (uint32_t k = 0; k < j; k++) {
                sum -= ri[k] * rj[k];
            }
            if (i == j) {
                if (!(sum > 0)) {
                    return false;
                }
                rj[j] = sqrt(sum);
            } else {
                ri[j] = sum / rj[j];
            }
        }
    }
    return true;
}

/* From L with h = L L^T: the upper factor U of the inverse, h^-1 = U^T U. With J the reversal of order, U is
 * J (J-reversed lower factor)^-1 J; so the caller factors the reversed h and U = J L^-1 J. Here L^-1 in
 * place. */
static void invert_lower(double *l, uint32_t n, double *row) {
    for (uint32_t i = 0; i < n; i++) {
        double *ri = l + (size_t)i * n, pivot = ri[i];
        memcpy(row, ri, i * sizeof *row);
        memset(ri, 0, i * sizeof *ri);
        for (uint32_t k = 0; k < i; k++) {
            const double *rk = l + (size_t)k * n;
            for (uint32_t j = 0; j <= k; j++) {
                ri[j] -= row[k] * rk[j];
            }
        }
        for (uint32_t j = 0; j < i; j++) {
            ri[j] /= pivot;
        }
        ri[i] = 1.0 / pivot;
    }
}

/* h += row^T row, lower triangle, in the reversed order of elements. */
static void accumulate(double *h, const float *row, uint32_t n) {
    for (uint32_t i = 0; i < n; i++) {
        double v = (double)row[n - 1 - i];
        if (v == 0) {
            continue;
        }
        double *to = h + (size_t)i * n;
        for (uint32_t j = 0; j <= i; j++) {
            to[j] += v * (double)row[n - 1 - j];
        }
    }
}

/* U (upper, h^-1 = U^T U up to a factor) of the inputs that `channel` meets, row-major; false where it fails.
 */
static bool inverse_factor(const ts_qlayer *l, const ts__inputs *x, uint32_t channel, double *h, float *row,
                           double *spare) {
    uint32_t n = l->inner;
    uint64_t rows = rows_of(l, x, n < 64 ? 1024 : n > 256 ? 2048 : MAX_ROWS);
    memset(h, 0, (size_t)n * n * sizeof *h);
    for (uint64_t r = 0; r < rows; r++) {
        uint32_t sample, oy, ox;
        place_of(l, x, r, rows, &sample, &oy, &ox);
        gather(l, x, channel, sample, oy, ox, row);
        accumulate(h, row, n);
    }
    /* Few rows say little about how inputs go together: trust them less. */
    double mean = 0, damping = 0.01 + 0.5 * n / (double)rows;
    for (uint32_t i = 0; i < n; i++) {
        mean += h[(size_t)i * n + i] / n;
    }
    for (uint32_t i = 0; i < n; i++) {
        h[(size_t)i * n + i] += damping * mean + 1e-9;
    }
    if (!cholesky(h, n)) {
        return false;
    }
    invert_lower(h, n, spare);
    return true;
}

/* One output channel; u is the reversed lower inverse: U[i][j] = u[n-1-i][n-1-j] for j >= i. */
static void round_row(const float *w, const double *u, uint32_t n, double scale, const ts__grid *g,
                      double *rest, int8_t *values) {
    for (uint32_t k = 0; k < n; k++) {
        rest[k] = (double)w[k];
    }
    for (uint32_t k = 0; k < n; k++) {
        const double *ur = u + (size_t)(n - 1 - k) * n;
        double q = clip_round(rest[k] / scale, g), error = (rest[k] - q * scale) / ur[n - 1 - k];
        values[k] = (int8_t)(q + g->zero);
        for (uint32_t j = k + 1; j < n; j++) {
            rest[j] -= error * ur[n - 1 - j];
        }
    }
}

bool ts__round_feedback(const ts_qlayer *l, const ts__inputs *x, const double *scale, const ts__grid *g,
                        int8_t *values) {
    uint32_t n = l->inner, per_group = l->kind == TS_QUANT_CONV ? l->c / l->groups : l->c;
    if (n > MAX_INNER || n < 2) {
        return false;
    }
    ts_arena *scratch = ts_arena_new("rounding", 0);
    double *h = TS_NEW_ARRAY(scratch, double, (uint64_t)n *n), *rest = TS_NEW_ARRAY(scratch, double, n);
    float *row = TS_NEW_ARRAY(scratch, float, n);
    bool good = true;
    for (uint32_t c = 0; c < l->c && good; c++) {
        if (c % per_group == 0) {
            good = inverse_factor(l, x, c, h, row, rest);
        }
        if (good) {
            round_row(l->weights + (size_t)c * n, h, n, scale[c], g, rest, values + (size_t)c * n);
        }
    }
    ts_arena_free(scratch);
    return good;
}
