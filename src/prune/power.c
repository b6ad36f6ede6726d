#include "prune/power.h"

#include <math.h>
#include <string.h>

#include "base/random.h"
#include "num/float.h"
#include "num/integer.h"
#include "quant/ranges.h"
#include "quant/stage.h"

enum {
    LOWEST = -40, /* exponents that are tried for a quantum */
    EXPONENTS = 64,
    SEEN = 4096,      /* elements of a value that are looked at, a sample */
    AFFINE_BITS = 12, /* of the factors of a batch norm that no layer takes in */
    POOL_BITS = 22,   /* of the factor of an average pool */
    FINE_POOL = 24,   /* the same beyond 8 bits: as many as float32 holds */
    BIAS_STEPS = 256, /* beyond 8 bits: parts of a step of the output that a bias is rounded to, and most */
    BIAS_MOST = 65535 /* steps that it has, so that lambda is a number of float32 */
};

static bool is_linear(const ts_qlayer *l) { return l->kind == TS_QUANT_CONV || l->kind == TS_QUANT_LINEAR; }

/* ---- grids ---- */

typedef struct ends {
    double low, high;
} ends;

/* All types of more than 8 bits are signed: what is never negative has the upper half of them. */
static ends ends_of(uint32_t bits, bool is_signed) {
    double top = ldexp(1, (int)bits - (is_signed || bits == 16 ? 1 : 0)) - 1;
    return (ends){is_signed ? -top - 1 : 0, top};
}

static double on_grid(double x, double scale, ends grid) {
    double q = floor(x / scale + 0.5);
    return q < grid.low ? grid.low : q > grid.high ? grid.high : q;
}

/* Square error of elements for every exponent, in both signs' grids. */
typedef struct sight {
    double low, high;
    double error[2][EXPONENTS];
} sight;

static void look(sight *s, const float *x, uint64_t count, uint64_t stride, uint32_t bits) {
    for (uint64_t i = 0; i < count; i++) {
        s->low = fmin(s->low, (double)x[i]);
        s->high = fmax(s->high, (double)x[i]);
    }
    for (uint32_t sign = 0; sign < 2; sign++) {
        ends grid = ends_of(bits, sign == 1);
        for (uint32_t e = 0; e < EXPONENTS; e++) {
            double scale = ldexp(1, LOWEST + (int)e);
            for (uint64_t i = 0; i < count; i += stride) {
                double d = (double)x[i] - scale * on_grid((double)x[i], scale, grid);
                s->error[sign][e] += d * d;
            }
        }
    }
}

static double best_scale(const sight *s, bool is_signed) {
    uint32_t best = 0;
    for (uint32_t e = 1; e < EXPONENTS; e++) {
        /* Of equal ones the largest: all zero fits anywhere. */
        best = s->error[is_signed][e] <= s->error[is_signed][best] ? e : best;
    }
    return s->low == 0 && s->high == 0 ? 1.0 : ldexp(1, LOWEST + (int)best);
}

static ts_type type_of(uint32_t bits, bool is_signed) {
    if (bits > 8) {
        return TS_S16;
    }
    static const ts_type types[3][2] = {{TS_U2, TS_S2}, {TS_U4, TS_S4}, {TS_U8, TS_S8}};
    return types[bits <= 2 ? 0 : bits <= 4 ? 1 : 2][is_signed];
}

static bool is_wide(const ts_quant *quant) { return quant->options.weight_bits > 8; }

/* A last linear layer, whose accumulators stay as they are where they have 32 bits. */
static bool stays_raw(const ts_qlayer *l) {
    return l->is_output && l->uses == 1 && is_linear(l) && l->low == -INFINITY && l->high == INFINITY;
}

/* Whether a layer moves channels that would have to be taken out of bytes of such small elements. */
static bool splits_bytes(const ts_qnet *net, const ts_qlayer *l, uint32_t bits) {
    uint32_t per_byte = 8 / bits;
    bool whole = l->c % per_byte == 0 && l->move.begin[2] % per_byte == 0 &&
                 (l->kind != TS_QUANT_SLICE || l->move.step[2] == 1) &&
                 (l->kind != TS_QUANT_TRANSPOSE || l->move.order[2] == 2);
    for (uint32_t k = 0; k < l->input_count; k++) {
        uint32_t h, w, c;
        ts_qnet_shape(net, l->inputs[k], &h, &w, &c);
        whole = whole && c % per_byte == 0;
    }
    return !whole && ts_qkind_moves(l->kind) && l->kind != TS_QUANT_MAX_POOL;
}

/* What a value of `bits` is stored as; of fewer than 8 as bytes where somebody moves parts of such. */
static ts_type storage_of(const ts_quant *quant, uint32_t value, uint32_t bits, bool is_signed) {
    ts_type type = type_of(bits, is_signed);
    for (uint32_t i = 0; i < quant->net->layers.count && ts_type_bits(type) < 8; i++) {
        bool same = quant->roots[i + 1] == quant->roots[value];
        if (same && splits_bytes(quant->net, &quant->net->layers.data[i], ts_type_bits(type))) {
            return type_of(8, is_signed);
        }
    }
    return type;
}

/* Nothing clips a network's input but its type; its last linear layer's results have all of their type. */
static uint32_t value_bits(const ts_quant *quant, uint32_t value) {
    uint32_t bits = quant->options.activation_bits;
    bool whole = value == 0 || (is_wide(quant) && stays_raw(&quant->net->layers.data[value - 1]));
    return whole ? ts_type_bits(storage_of(quant, value, bits, true)) : bits;
}

static void set_value(const ts_quant *quant, uint32_t value, const sight *s) {
    const ts_qlayer *l = value == 0 ? NULL : &quant->net->layers.data[value - 1];
    uint32_t bits = value_bits(quant, value);
    bool is_signed = s->low < 0 || (l == NULL && is_wide(quant));
    ends grid = ends_of(bits, is_signed);
    ts_qvalue *v = &quant->values[value];
    *v = (ts_qvalue){.type = storage_of(quant, value, bits, is_signed),
                     .bottom = (int32_t)grid.low,
                     .top = (int32_t)grid.high,
                     .seen_low = s->low,
                     .seen_high = s->high,
                     .scale = best_scale(s, is_signed),
                     .raw = l != NULL && stays_raw(l) && !is_wide(quant)};
    ts__settle_clip(quant, value);
}

static ts_status watch(ts_arena *scratch, const ts_quant *quant, const ts_data *data, sight *all,
                       ts_diags *diags) {
    const ts_qnet *net = quant->net;
    ts_fgraph *graph = ts_fgraph_new(scratch, net->name);
    ts_tensor_id *values = TS_NEW_ARRAY(scratch, ts_tensor_id, net->layers.count + 1);
    ts_tensor_id *sums = TS_NEW_ARRAY(scratch, ts_tensor_id, net->layers.count);
    TS_TRY(ts__stage_network(graph, net, NULL, TS_STAGE_FP, values, sums, diags));
    const ts_ftensor *tensors = graph->tensors.data;
    TS_TRY(ts_data_check(data, &tensors[values[0]], diags));
    ts_fsession *session = ts_fsession_new(scratch, graph);
    float *x = TS_NEW_ARRAY(scratch, float, ts_ftensor_elements(&tensors[values[0]]));
    float *room = TS_NEW_ARRAY(scratch, float, ts_data_scratch(data));
    for (uint32_t i = 0; i < data->count; i++) {
        ts_data_sample(data, i, &tensors[values[0]], room, x);
        ts_fsession_run(session, (const float *const[]){x});
        for (uint32_t v = 0; v <= net->layers.count; v++) {
            uint64_t count = ts_ftensor_elements(&tensors[values[v]]);
            look(&all[quant->roots[v]], ts_fsession_value(session, values[v]), count, count / SEEN + 1,
                 value_bits(quant, quant->roots[v]));
        }
    }
    return TS_OK;
}

static ts_status choose_values(const ts_quant *quant, const ts_data *data, ts_diags *diags) {
    const ts_qnet *net = quant->net;
    ts_arena *scratch = ts_arena_new("grids", 0);
    sight *all = TS_NEW_ARRAY(scratch, sight, net->layers.count + 1);
    ts__find_roots(quant);
    ts_status status = watch(scratch, quant, data, all, diags);
    for (uint32_t v = 0; status == TS_OK && v <= net->layers.count; v++) {
        const ts_qlayer *l = v == 0 ? NULL : &net->layers.data[v - 1];
        if (!isfinite(all[v].low) || !isfinite(all[v].high)) {
            status = ts_error(diags, TS_DIAG_VALUE, l == NULL ? NULL : l->name, NULL,
                              "computes infinite or undefined numbers on the calibration data");
        } else if (quant->roots[v] != v) {
            ts__share_grid(quant, v);
        } else {
            set_value(quant, v, &all[v]);
        }
    }
    ts_arena_free(scratch);
    return status;
}

/* One quantum a layer. Batch norms on their own keep AFFINE_BITS. */
static void choose_weights(const ts_quant *quant, ts_arena *arena, uint32_t i) {
    const ts_qlayer *l = &quant->net->layers.data[i];
    ts_qweights *q = &quant->layers[i];
    sight *s = TS_NEW(arena, sight);
    q->bits = l->kind == TS_QUANT_AFFINE ? AFFINE_BITS : quant->options.weight_bits;
    look(s, l->weights, (uint64_t)l->c * l->inner, 1, q->bits);
    double scale = best_scale(s, true);
    for (uint32_t c = 0; c < l->c; c++) {
        q->scale[c] = scale;
    }
    if (quant->values[i + 1].raw) {
        quant->values[i + 1].scale = scale * quant->values[l->inputs[0]].scale;
    }
}

/* ---- from real numbers to integers ---- */

/* Weights symmetric: the lowest integer is not used. */
static float weight_image(float w, double scale, ends grid) {
    double q = floor((double)w / scale + 0.5);
    q = q < -grid.high ? -grid.high : q > grid.high ? grid.high : q;
    return (float)(q * scale);
}

/* What the biases of a layer are rounded to, and the most that they may be: quanta of the accumulator up to
 * 8 bits. */
typedef struct bias_grid {
    double quantum, most;
} bias_grid;

static bias_grid bias_grid_of(const ts_quant *quant, uint32_t i) {
    double quantum = quant->values[quant->net->layers.data[i].inputs[0]].scale * quant->layers[i].scale[0];
    double step = quant->values[i + 1].scale;
    return is_wide(quant) ? (bias_grid){fmax(quantum, step / BIAS_STEPS), step * BIAS_MOST}
                          : (bias_grid){quantum, INFINITY};
}

static float bias_image(float b, bias_grid grid) {
    double image = floor((double)b / grid.quantum + 0.5) * grid.quantum;
    return (float)fmax(-grid.most, fmin(grid.most, image));
}

/* y = (kappa acc + lambda) >> shift for a ratio of quanta that is a power of two. */
static void settle_linear(const ts_quant *quant, uint32_t i) {
    const ts_qlayer *l = &quant->net->layers.data[i];
    const ts_qvalue *x = &quant->values[l->inputs[0]], *y = &quant->values[i + 1];
    ts_qweights *q = &quant->layers[i];
    double quantum = x->scale * q->scale[0], ratio = y->scale / quantum;
    q->d = ratio > 1 ? (int64_t)ratio : 1;
    for (uint32_t c = 0; c < l->c; c++) {
        int64_t factor = ratio < 1 ? (int64_t)(1 / ratio) : 1;
        int64_t bias = (int64_t)floor((double)l->bias[c] / quantum + 0.5);
        q->bias[c] = (double)l->bias[c];
        q->integer_bias[c] = y->raw ? (int32_t)bias : 0;
        q->lambda[c] = bias * factor + q->d / 2;
        q->kappa[c] = factor;
        if (l->kind == TS_QUANT_AFFINE) {
            q->kappa[c] *= (int64_t)floor((double)l->weights[c] / q->scale[c] + 0.5);
        }
    }
    for (uint64_t k = 0; is_linear(l) && k < (uint64_t)l->c * l->inner; k++) {
        double v = floor((double)l->weights[k] / q->scale[0] + 0.5);
        if (q->bits > 8) {
            q->wide_values[k] = (int16_t)v;
        } else {
            q->values[k] = (int8_t)v;
        }
    }
}

static void settle_add(const ts_quant *quant, uint32_t i) {
    const ts_qlayer *l = &quant->net->layers.data[i];
    ts_qweights *q = &quant->layers[i];
    double sy = quant->values[i + 1].scale, least = sy;
    for (uint32_t k = 0; k < 2; k++) {
        least = fmin(least, quant->values[l->inputs[k]].scale);
    }
    q->d = (int64_t)(sy / least);
    q->term = q->d / 2;
    for (uint32_t k = 0; k < 2; k++) {
        q->m[k] = (int64_t)(quant->values[l->inputs[k]].scale / least);
    }
}

/* P inputs make one step of the output: floor(sum / P + 1 / 2), by a factor fine enough to be exact. */
static void settle_pool(const ts_quant *quant, uint32_t i) {
    const ts_qlayer *l = &quant->net->layers.data[i];
    ts_qweights *q = &quant->layers[i];
    double size = (double)l->window.kernel_h * l->window.kernel_w;
    double p = size * quant->values[i + 1].scale / quant->values[l->inputs[0]].scale;
    if (is_wide(quant)) {
        int exponent;
        (void)frexp(p, &exponent);
        q->d = (int64_t)1 << (FINE_POOL - 2 + exponent);
        q->m[0] = (int64_t)ceil((double)q->d / p);
        q->term = q->d / 2;
        return;
    }
    q->d = (int64_t)1 << POOL_BITS;
    q->m[0] = (int64_t)ceil((double)q->d / p);
    q->term = p == floor(p) ? q->m[0] * (int64_t)floor(p / 2) : q->d / 2;
}

static void settle(const ts_quant *quant) {
    for (uint32_t i = 0; i < quant->net->layers.count; i++) {
        const ts_qlayer *l = &quant->net->layers.data[i];
        if (is_linear(l) || l->kind == TS_QUANT_AFFINE) {
            settle_linear(quant, i);
        } else if (l->kind == TS_QUANT_ADD) {
            settle_add(quant, i);
        } else if (l->kind == TS_QUANT_AVG_POOL) {
            settle_pool(quant, i);
        }
    }
}

static void round_layer(const ts_quant *quant, uint32_t i) {
    const ts_qlayer *l = &quant->net->layers.data[i];
    const ts_qweights *q = &quant->layers[i];
    ends grid = ends_of(q->bits, true);
    for (uint64_t k = 0; k < (uint64_t)l->c * l->inner; k++) {
        l->weights[k] = weight_image(l->weights[k], q->scale[0], grid);
    }
    for (uint32_t c = 0; c < l->c; c++) {
        l->bias[c] = bias_image(l->bias[c], bias_grid_of(quant, i));
    }
}

static void new_layer(ts_arena *arena, const ts_qlayer *l, ts_qweights *q) {
    q->d = 1;
    if (is_linear(l) || l->kind == TS_QUANT_AFFINE) {
        q->values = TS_NEW_ARRAY(arena, int8_t, (uint64_t)l->c * l->inner);
        q->wide_values = TS_NEW_ARRAY(arena, int16_t, (uint64_t)l->c * l->inner);
        q->scale = TS_NEW_ARRAY(arena, double, l->c);
        q->bias = TS_NEW_ARRAY(arena, double, l->c);
        q->kappa = TS_NEW_ARRAY(arena, int64_t, l->c);
        q->lambda = TS_NEW_ARRAY(arena, int64_t, l->c);
        q->integer_bias = TS_NEW_ARRAY(arena, int32_t, l->c);
    }
}

ts_status ts_power_serves(const ts_qnet *net, ts_diags *diags) {
    for (uint32_t i = 0; i < net->layers.count; i++) {
        const ts_qlayer *l = &net->layers.data[i];
        bool served = is_linear(l) || l->kind == TS_QUANT_ADD || l->kind == TS_QUANT_AVG_POOL ||
                      l->kind == TS_QUANT_AFFINE || ts_qkind_moves(l->kind);
        if (!served || l->minus) {
            return ts_error(
                diags, TS_DIAG_UNSUPPORTED, l->name, ts_qkind_name(l->kind),
                "has no form with quanta that are powers of two; convolutions, linear layers, sums, "
                "pools and what moves elements have");
        }
    }
    return TS_OK;
}

ts_status ts_power_quantize(ts_arena *arena, ts_qnet *net, const ts_data *calibration, uint32_t bits,
                            ts_quant **out, ts_diags *diags) {
    if (bits < TS_POWER_LEAST_BITS || bits > TS_POWER_MOST_BITS || calibration->count == 0) {
        return ts_error(diags, TS_DIAG_USAGE, NULL, NULL,
                        "2 to 16 bits and at least one calibration sample are needed");
    }
    TS_TRY(ts_power_serves(net, diags));
    ts_quant *quant = TS_NEW(arena, ts_quant);
    *quant =
        (ts_quant){.net = net, .options = ts_quant_defaults(), .exact_weights = true, .exact_sums = true};
    quant->options.weight_bits = quant->options.activation_bits = bits;
    quant->options.per_layer = true;
    quant->values = TS_NEW_ARRAY(arena, ts_qvalue, net->layers.count + 1);
    quant->roots = TS_NEW_ARRAY(arena, uint32_t, net->layers.count + 1);
    quant->layers = TS_NEW_ARRAY(arena, ts_qweights, net->layers.count);
    TS_TRY(choose_values(quant, calibration, diags));
    for (uint32_t i = 0; i < net->layers.count; i++) {
        const ts_qlayer *l = &net->layers.data[i];
        new_layer(arena, l, &quant->layers[i]);
        if (is_linear(l) || l->kind == TS_QUANT_AFFINE) {
            choose_weights(quant, arena, i);
            round_layer(quant, i);
        }
    }
    settle(quant);
    *out = quant;
    return TS_OK;
}

/* ---- training ---- */

/* A linear layer under training: indices of its parameters. */
typedef struct linear {
    uint32_t layer, weights, bias;
} linear;

typedef struct tuner {
    const ts_quant *quant;
    ts_trainer *trainer;
    TS_VEC(linear) layers;
    ts_random random;
    uint32_t epochs;
} tuner;

static ts_param *param(const tuner *t, uint32_t i) {
    uint32_t count;
    return &ts_trainer_params(t->trainer, &count)[i];
}

static double root_mean_square(const float *x, uint64_t count) {
    double sum = 1e-30;
    for (uint64_t i = 0; i < count; i++) {
        sum += (double)x[i] * (double)x[i];
    }
    return sqrt(sum / (double)count);
}

/* A hook: the numbers that the forward pass computes with are those of the integers. */
static void project(void *object, ts_trainer *trainer) {
    const tuner *t = object;
    (void)trainer;
    for (uint32_t k = 0; k < t->layers.count; k++) {
        const linear *d = &t->layers.data[k];
        const ts_qweights *q = &t->quant->layers[d->layer];
        ts_param *w = param(t, d->weights), *b = param(t, d->bias);
        ends grid = ends_of(q->bits, true);
        for (uint64_t i = 0; i < w->count; i++) {
            w->image[i] = weight_image(w->value[i], q->scale[0], grid);
        }
        bias_grid biases = bias_grid_of(t->quant, d->layer);
        for (uint64_t i = 0; i < b->count; i++) {
            b->image[i] = bias_image(b->value[i], biases);
        }
    }
}

/* A hook: each weight to one of its neighbours on the grid, the nearer the likelier, so that the mean of many
 * roundings is the weight itself. */
static void round_at_random(void *object, ts_trainer *trainer, uint32_t epoch) {
    tuner *t = object;
    (void)trainer;
    for (uint32_t k = 0; k < t->layers.count && epoch < t->epochs; k++) {
        double scale = t->quant->layers[t->layers.data[k].layer].scale[0];
        ts_param *w = param(t, t->layers.data[k].weights);
        for (uint64_t i = 0; i < w->count; i++) {
            double threshold = (double)ts_random_range(&t->random, 0, (1 << 20) - 1) / (1 << 20);
            w->value[i] = (float)(floor((double)w->value[i] / scale + threshold) * scale);
        }
    }
}

static ts_node_id product_of(const ts_fgraph *g, ts_tensor_id sum) {
    ts_node_id id = g->tensors.data[sum].producer;
    return g->nodes.data[id].op == TS_FOP_RESHAPE ? g->tensors.data[g->nodes.data[id].inputs[0]].producer
                                                  : id;
}

/* Only the linear layers' numbers move; Adam's steps are relative to their size. */
static void take_params(tuner *t, ts_arena *arena, const ts_tensor_id *sums, bool adam) {
    const ts_qnet *net = t->quant->net;
    uint32_t count;
    ts_param *all = ts_trainer_params(t->trainer, &count);
    for (uint32_t i = 0; i < count; i++) {
        all[i].rate = 0;
    }
    for (uint32_t i = 0; i < net->layers.count; i++) {
        if (!is_linear(&net->layers.data[i])) {
            continue;
        }
        const ts_fgraph *g = ts_trainer_graph(t->trainer);
        const ts_fnode *n = &g->nodes.data[product_of(g, sums[i])];
        ts_param *w = ts_trainer_param_of(t->trainer, n->inputs[1]);
        ts_param *b = ts_trainer_param_of(t->trainer, n->inputs[2]);
        const ts_qvalue *y = &t->quant->values[i + 1];
        double size = 10 * root_mean_square(w->value, w->count);
        double range = 0.25 * (y->raw ? fmax(y->seen_high, -y->seen_low) : y->scale * y->top);
        w->rate = adam ? size : size * size;
        b->rate = adam ? range : range * range;
        ts_trainer_split(t->trainer, w);
        ts_trainer_split(t->trainer, b);
        linear d = {i, (uint32_t)(w - all), (uint32_t)(b - all)};
        TS_PUSH(arena, &t->layers, d);
    }
}

static ts_status new_tuner(tuner *t, ts_arena *arena, const ts_quant *quant, uint32_t batch, bool adam,
                           ts_diags *diags) {
    uint32_t count = quant->net->layers.count;
    ts_tensor_id *values = TS_NEW_ARRAY(arena, ts_tensor_id, count + 1);
    ts_tensor_id *sums = TS_NEW_ARRAY(arena, ts_tensor_id, count);
    ts_fgraph *graph = ts_fgraph_new(arena, quant->net->name);
    *t = (tuner){.quant = quant};
    TS_TRY(ts__stage_network(graph, quant->net, quant, TS_STAGE_FQ, values, sums, diags));
    TS_TRY(ts_trainer_new(arena, graph, batch, &t->trainer, diags));
    take_params(t, arena, sums, adam);
    return TS_OK;
}

/* What was trained goes back into the net, on its grid. */
static void take_back(const tuner *t) {
    for (uint32_t k = 0; k < t->layers.count; k++) {
        const linear *d = &t->layers.data[k];
        const ts_qlayer *l = &t->quant->net->layers.data[d->layer];
        memcpy(l->weights, param(t, d->weights)->value, (size_t)l->c * l->inner * sizeof(float));
        memcpy(l->bias, param(t, d->bias)->value, l->c * sizeof(float));
        round_layer(t->quant, d->layer);
    }
    settle(t->quant);
}

ts_status ts_power_train(ts_quant *quant, const ts_data *data, uint32_t batch,
                         const ts_train_options *options, const ts_progress *progress,
                         const ts_train_log *log, ts_diags *diags) {
    ts_arena *scratch = ts_arena_new("power of two", 0);
    tuner t;
    ts_status status = new_tuner(&t, scratch, quant, batch, options->optimiser == TS_OPTIMISER_ADAM, diags);
    if (status == TS_OK) {
        ts_train_hooks hooks = {.object = &t, .project = project, .epoch = round_at_random};
        t.random = ts_random_seed(options->seed);
        t.epochs = options->epochs;
        status = ts_train(t.trainer, data, options, &hooks, progress, log, diags);
    }
    if (status == TS_OK) {
        take_back(&t);
    }
    ts_trainer_free(t.trainer);
    ts_arena_free(scratch);
    return status;
}

/* The net's weights and biases stand on their grids: the rest follows from them. */
struct ts_power_state {
    float **weights, **bias; /* by layer; NULL where it has none */
};

const ts_power_state *ts_power_save(ts_arena *arena, const ts_quant *quant) {
    uint32_t layers = quant->net->layers.count;
    ts_power_state *s = TS_NEW(arena, ts_power_state);
    s->weights = TS_NEW_ARRAY(arena, float *, layers);
    s->bias = TS_NEW_ARRAY(arena, float *, layers);
    for (uint32_t i = 0; i < layers; i++) {
        const ts_qlayer *l = &quant->net->layers.data[i];
        if (is_linear(l)) {
            s->weights[i] = ts_arena_copy(arena, l->weights, (size_t)l->c * l->inner * sizeof(float));
            s->bias[i] = ts_arena_copy(arena, l->bias, l->c * sizeof(float));
        }
    }
    return s;
}

void ts_power_restore(ts_quant *quant, const ts_power_state *state) {
    for (uint32_t i = 0; i < quant->net->layers.count; i++) {
        const ts_qlayer *l = &quant->net->layers.data[i];
        if (state->weights[i] != NULL) {
            memcpy(l->weights, state->weights[i], (size_t)l->c * l->inner * sizeof(float));
            memcpy(l->bias, state->bias[i], l->c * sizeof(float));
        }
    }
    settle(quant);
}

ts_status ts_power_accuracy(const ts_quant *quant, const ts_data *data, double *out, ts_diags *diags) {
    enum { BATCH = 50 };
    ts_arena *scratch = ts_arena_new("accuracy", 0);
    tuner t;
    ts_status status = new_tuner(&t, scratch, quant, BATCH, true, diags);
    if (status == TS_OK) {
        ts_train_hooks hooks = {.object = &t, .project = project};
        status = ts_trainer_accuracy(t.trainer, data, &hooks, out, diags);
    }
    ts_trainer_free(t.trainer);
    ts_arena_free(scratch);
    return status;
}

/* Outputs by the forward pass of training; where this build has none, those of the plain emulation again. */
static ts_status outputs_in_training(ts_arena *arena, const ts_quant *quant, const ts_data *data,
                                     const ts_score *emulated, const float **out, ts_diags *diags) {
    enum { BATCH = 5 };
    *out = emulated->scores;
    if (!ts_train_available()) {
        return TS_OK;
    }
    tuner t;
    float *scores = TS_NEW_ARRAY(arena, float, (uint64_t)data->count * emulated->outputs);
    ts_status status = new_tuner(&t, arena, quant, BATCH, true, diags);
    if (status == TS_OK) {
        project(&t, t.trainer);
        status = ts_trainer_outputs(t.trainer, data, data->count, scores, diags);
    }
    ts_trainer_free(t.trainer);
    *out = scores;
    return status;
}

static void count_different(const ts_quant *quant, const ts_score *emulated, const float *trained,
                            const ts_score *computed, ts_power_match *out) {
    double scale = quant->values[quant->net->outputs.data[0]].scale;
    out->outputs = (uint64_t)computed->count * computed->outputs;
    for (uint64_t i = 0; i < out->outputs; i++) {
        double y = (double)computed->scores[i] * scale;
        out->different += y != (double)emulated->scores[i] || y != (double)trained[i];
    }
}

ts_status ts_power_compare(const ts_quant *quant, const ts_graph *integer, const ts_data *data,
                           uint32_t samples, ts_power_match *out, ts_diags *diags) {
    ts_arena *scratch = ts_arena_new("compare", 0);
    ts_fgraph *graph;
    ts_score emulated, computed;
    const float *trained = NULL;
    ts_data part = *data;
    part.count = samples < part.count ? samples : part.count;
    *out = (ts_power_match){0};
    ts_status status = ts_quant_float(scratch, quant->net, quant, TS_STAGE_FQ, &graph, diags);
    status = status == TS_OK ? ts_evaluate_float(scratch, graph, &part, NULL, &emulated, diags) : status;
    status =
        status == TS_OK ? outputs_in_training(scratch, quant, &part, &emulated, &trained, diags) : status;
    status = status == TS_OK ? ts_evaluate_integer(scratch, integer, 0, &part, NULL, NULL, &computed, diags)
                             : status;
    if (status == TS_OK) {
        count_different(quant, &emulated, trained, &computed, out);
    }
    ts_arena_free(scratch);
    return status;
}
