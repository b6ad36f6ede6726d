#include "train/finetune.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "quant/ranges.h"
#include "quant/stage.h"
#include "train/keep.h"

/* A linear layer under training: where its numbers are in the trainer. Indices of parameters: pointers move.
 *
 * Where a batch norm came behind the layer, one stands behind it in the trainer, too: channel c computes
 * now_c (image_c x - mean_c) + shift_c with now_c = gain_c / sqrt(variance_c + epsilon). Its weights `value`
 * are those that the batch norm as it was, first_c, is folded into: now_c image_c is value_c now_c / first_c,
 * rounded, and the layer as it is deployed has the weights now_c image_c and the bias shift_c - now_c mean_c.
 * Without a batch norm all factors are 1. */
typedef struct linear {
    uint32_t weights, scales; /* parameters; TS_NONE: no linear layer */
    uint32_t bias;            /* parameter: the layer's bias, or the batch norm's shift */
    uint32_t gain;            /* parameter of the batch norm; TS_NONE: there is none */
    ts_node_id norm;
    uint32_t count; /* of scales: one a channel, or one of the layer */
    int kappa_bits;
    const float *kept;   /* NULL, or the factors of batch norms that are kept apart from the quanta */
    double *first, *now; /* one a channel */
    double *scale;       /* quanta of the layer as it is deployed, as kappa admits, one a channel */
    int64_t *kappa;
} linear;

typedef struct tuner {
    ts_quant *quant;
    ts_arena *arena;
    ts_trainer *trainer;
    linear *layers;    /* one a layer */
    ts_node_id *grids; /* by value: its FAKE_QUANT, or TS_NONE */
    double step_rate;
    ts__keeper keeper;
    ts_status judged;
    ts_diags *diags;
} tuner;

ts_finetune_options ts_finetune_defaults(void) {
    ts_finetune_options o = {.train = ts_train_defaults(), .batch = 32, .distil = 0.5};
    o.train.epochs = 4;
    o.train.rate = 0;
    o.train.warm_up = 0.1;
    o.train.norm_epochs = 0;
    return o;
}

static bool is_linear(const ts_qlayer *l) { return l->kind == TS_QUANT_CONV || l->kind == TS_QUANT_LINEAR; }

/* What the options leave to the widths and the data. */
static ts_finetune_options by_task(const ts_quant *quant, const ts_data *data,
                                   const ts_finetune_options *options) {
    ts_finetune_options o = *options;
    uint32_t least = 8;
    for (uint32_t i = 0; i < quant->net->layers.count; i++) {
        const ts_qlayer *l = &quant->net->layers.data[i];
        uint32_t weights = is_linear(l) ? quant->widths[i].weights : 8,
                 activations = quant->values[i + 1].raw ? 8 : quant->widths[i].activations;
        least = weights < least ? weights : least;
        least = activations < least ? activations : least;
    }
    if (data->labels == NULL) {
        o.distil = 1;
    }
    if (o.train.rate <= 0) {
        o.train.rate = least == 8 ? 1e-4 : least >= 4 ? 5e-4 : 1e-3;
    }
    return o;
}

static const ts_qlayer *layer_of(const tuner *t, uint32_t i) { return &t->quant->net->layers.data[i]; }

static ts_param *param(const tuner *t, uint32_t i) {
    uint32_t count;
    return &ts_trainer_params(t->trainer, &count)[i];
}

static void grid_of(const ts_qweights *q, double *low, double *high) {
    *high = (double)((1 << (q->bits - 1)) - 1);
    *low = (q->grid.narrow ? -*high : -*high - 1) - q->grid.zero;
    *high -= q->grid.zero;
}

/* What stands between the number that is trained and the quantum of channel c: a kept factor, or its sign. */
static double factor_of(const linear *d, uint32_t c) {
    double gain = d->kept == NULL || d->kept[c] == 0.0f ? 1.0 : (double)d->kept[c];
    return d->count == 1 ? gain : gain < 0 ? -1 : 1;
}

/* A constant of the batch norm: inputs 1 to 4 are gain, shift, running mean and variance. */
static const float *norm_constant(const tuner *t, const linear *d, uint32_t k) {
    return ts_trainer_value(t->trainer, ts_trainer_graph(t->trainer)->nodes.data[d->norm].inputs[k]);
}

static double mean_of(const tuner *t, const linear *d, uint32_t c) {
    return d->norm == TS_NONE ? 0 : (double)norm_constant(t, d, 3)[c];
}

/* The bias that channel c deploys with. */
static double bias_of(const tuner *t, const linear *d, uint32_t c) {
    return (double)param(t, d->bias)->value[c] - d->now[c] * mean_of(t, d, c);
}

/* The factors of batch norms as they are now. None is so small that nothing can be divided by it. */
static void take_factors(const tuner *t, uint32_t i) {
    enum { SMALLEST = 10000 }; /* of the factor at first */
    const linear *d = &t->layers[i];
    for (uint32_t c = 0; d->norm != TS_NONE && c < layer_of(t, i)->c; c++) {
        double epsilon = (double)ts_trainer_graph(t->trainer)->nodes.data[d->norm].epsilon;
        double factor =
            (double)param(t, d->gain)->value[c] / sqrt((double)norm_constant(t, d, 4)[c] + epsilon);
        double least = fabs(d->first[c]) / SMALLEST;
        d->now[c] = fabs(factor) >= least ? factor : copysign(least, factor);
    }
}

/* ---- before training ---- */

/* The weights to start from: the float ones where they round to the integers that the layer has, else the
 * nearest that do, so that training starts where calibration ended. */
static void start_weights(const ts_qlayer *l, const ts_qweights *q, float *w) {
    double low, high;
    grid_of(q, &low, &high);
    for (uint32_t c = 0; c < l->c; c++) {
        for (uint32_t k = 0; k < l->inner; k++) {
            size_t at = (size_t)c * l->inner + k;
            double v = (double)l->weights[at] / q->scale[c], r = q->values[at] - q->grid.zero;
            v = v < r - 0.49 && r > low ? r - 0.49 : v > r + 0.49 && r < high ? r + 0.49 : v;
            w[at] = (float)(v * q->scale[c]);
        }
    }
}

static double root_mean_square(const float *x, uint64_t count) {
    double sum = 1e-30;
    for (uint64_t i = 0; i < count; i++) {
        sum += (double)x[i] * (double)x[i];
    }
    return sqrt(sum / (double)count);
}

/* Index of the parameter that a tensor is. */
static uint32_t index_of(const tuner *t, ts_tensor_id tensor) {
    return (uint32_t)(ts_trainer_param_of(t->trainer, tensor) - param(t, 0));
}

/* Parameters and factors of a layer: its product and, where it has one, its batch norm. */
static void find_params(tuner *t, uint32_t i, ts_node_id product, ts_node_id norm) {
    const ts_qlayer *l = layer_of(t, i);
    const ts_fgraph *g = ts_trainer_graph(t->trainer);
    linear *d = &t->layers[i];
    d->weights = index_of(t, g->nodes.data[product].inputs[1]);
    d->norm = norm;
    d->bias = index_of(t, norm == TS_NONE ? g->nodes.data[product].inputs[2] : g->nodes.data[norm].inputs[2]);
    d->gain = norm == TS_NONE ? TS_NONE : index_of(t, g->nodes.data[norm].inputs[1]);
    d->first = TS_NEW_ARRAY(t->arena, double, l->c);
    d->now = TS_NEW_ARRAY(t->arena, double, l->c);
    for (uint32_t c = 0; c < l->c; c++) {
        d->first[c] = d->now[c] = norm == TS_NONE || l->gain[c] == 0.0f ? 1 : (double)l->gain[c];
    }
    take_factors(t, i);
}

static void add_layer(tuner *t, uint32_t i, const ts_finetune_options *o, ts_node_id node, ts_node_id norm) {
    const ts_qlayer *l = layer_of(t, i);
    const ts_qweights *q = &t->quant->layers[i];
    const ts_qvalue *y = &t->quant->values[i + 1];
    linear *d = &t->layers[i];
    int64_t largest = 1;
    find_params(t, i, node, norm);
    ts_param *w = param(t, d->weights), *b = param(t, d->bias);
    start_weights(l, q, w->value);
    for (uint32_t c = 0; c < l->c; c++) {
        b->value[c] = (float)(q->bias[c] + d->now[c] * mean_of(t, d, c));
        largest = !y->raw && llabs(q->kappa[c]) > largest ? llabs(q->kappa[c]) : largest;
    }
    ts_trainer_split(t->trainer, w);
    ts_trainer_split(t->trainer, b);
    /* Steps relative to what they change: a tenth of the weights' size and a quarter of the result's range.
     */
    bool adam = o->train.optimiser == TS_OPTIMISER_ADAM;
    double size = 10 * root_mean_square(w->value, w->count);
    double range = 0.25 * (y->raw ? fmax(y->seen_high, -y->seen_low) : y->scale * y->top);
    w->rate = adam ? size : size * size;
    b->rate = adam ? range : range * range;
    if (norm != TS_NONE) { /* moves quanta: a share of itself, as they */
        ts_param *g = param(t, d->gain);
        double gain = root_mean_square(g->value, g->count);
        g->rate = t->step_rate * (adam ? gain : gain * gain);
    }
    d->kappa_bits = (int)floor(log2((double)largest)) + 1;
    d->count = t->quant->options.per_layer || q->grid.offset || y->raw ? 1 : l->c;
    d->kept = q->grid.gain;
    d->scale = ts_arena_copy(t->arena, q->scale, l->c * sizeof(double));
    d->kappa = TS_NEW_ARRAY(t->arena, int64_t, l->c);
    float *logs = TS_NEW_ARRAY(t->arena, float, d->count);
    for (uint32_t c = 0; c < d->count; c++) {
        double wanted = 0, factors = 0; /* those of a whole layer are rounded each on its own */
        for (uint32_t k = c; k < (d->count == 1 ? l->c : c + 1); k++) {
            wanted += fabs(q->scale[k]);
            factors += fabs(factor_of(d, k));
        }
        logs[c] = (float)log(wanted / factors);
    }
    d->scales = ts_trainer_add_param(t->trainer, l->name, d->count, logs);
    param(t, d->scales)->rate = t->step_rate;
}

static ts_status make_graph(tuner *t, ts_fgraph **graph, ts_tensor_id *values, ts_tensor_id *sums,
                            ts_diags *diags) {
    *graph = ts_fgraph_new(t->arena, t->quant->net->name);
    t->quant->exact_weights = true; /* the trainer brings the weights */
    ts_status status = ts__stage_trained(*graph, t->quant->net, t->quant, values, sums, diags);
    t->quant->exact_weights = false;
    return status;
}

/* The shift of an affine layer is trained as biases are. Without weights it is no linear layer. */
static void add_shift(tuner *t, uint32_t i, const ts_finetune_options *o, ts_node_id sum) {
    const ts_qvalue *y = &t->quant->values[i + 1];
    ts_tensor_id shift = ts_trainer_graph(t->trainer)->nodes.data[sum].inputs[1];
    ts_param *b = ts_trainer_param_of(t->trainer, shift);
    if (b == NULL) { /* nothing before it is trained */
        return;
    }
    t->layers[i].bias = index_of(t, shift);
    t->layers[i].norm = TS_NONE;
    for (uint64_t c = 0; c < b->count; c++) {
        b->value[c] = (float)t->quant->layers[i].bias[c];
    }
    ts_trainer_split(t->trainer, b);
    double range = 0.25 * y->scale * y->top;
    b->rate = o->train.optimiser == TS_OPTIMISER_ADAM ? range : range * range;
}

/* Additions and pools round down where they will when deployed. */
static void set_offsets(tuner *t) {
    ts_fgraph *g = ts_trainer_graph(t->trainer);
    for (uint32_t i = 0; i < t->quant->net->layers.count; i++) {
        const ts_qlayer *l = layer_of(t, i);
        bool floors =
            t->quant->options.floor_pools && (l->kind == TS_QUANT_ADD || l->kind == TS_QUANT_AVG_POOL);
        if (floors && t->grids[i + 1] != TS_NONE) {
            g->nodes.data[t->grids[i + 1]].offset = 0;
        }
    }
}

/* The node that multiplies in a layer whose sum is this tensor, and the batch norm behind it or TS_NONE. */
static ts_node_id product_of(const ts_fgraph *g, ts_tensor_id sum, ts_node_id *norm) {
    ts_node_id id = g->tensors.data[sum].producer;
    *norm = TS_NONE;
    if (g->nodes.data[id].op == TS_FOP_BATCH_NORM) {
        *norm = id;
        id = g->tensors.data[g->nodes.data[id].inputs[0]].producer;
    }
    return g->nodes.data[id].op == TS_FOP_RESHAPE ? g->tensors.data[g->nodes.data[id].inputs[0]].producer
                                                  : id;
}

static ts_status start(tuner *t, const ts_finetune_options *o, ts_diags *diags) {
    uint32_t count = t->quant->net->layers.count;
    ts_tensor_id *values = TS_NEW_ARRAY(t->arena, ts_tensor_id, count + 1);
    ts_tensor_id *sums = TS_NEW_ARRAY(t->arena, ts_tensor_id, count);
    ts_fgraph *graph;
    TS_TRY(make_graph(t, &graph, values, sums, diags));
    TS_TRY(ts_trainer_new(t->arena, graph, o->batch, &t->trainer, diags));
    t->layers = TS_NEW_ARRAY(t->arena, linear, count);
    t->grids = TS_NEW_ARRAY(t->arena, ts_node_id, count + 1);
    for (uint32_t v = 0; v <= count; v++) {
        ts_node_id maker = graph->tensors.data[values[v]].producer;
        bool grid = maker != TS_NONE && graph->nodes.data[maker].op == TS_FOP_FAKE_QUANT;
        t->grids[v] = grid ? maker : TS_NONE;
        ts_param *step = grid ? ts_trainer_step_of(t->trainer, maker) : NULL;
        if (step != NULL) {
            step->rate = t->step_rate;
            ts_trainer_split(t->trainer, step);
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        t->layers[i].weights = t->layers[i].bias = TS_NONE;
        if (is_linear(layer_of(t, i))) {
            ts_node_id norm, product = product_of(graph, sums[i], &norm);
            add_layer(t, i, o, product, norm);
        } else if (layer_of(t, i)->kind == TS_QUANT_AFFINE) {
            add_shift(t, i, o, graph->tensors.data[sums[i]].producer);
        }
    }
    set_offsets(t);
    return TS_OK;
}

/* ---- during training ---- */

/* Steps of values as the trainer has them now, moved to where additions and means are exact, and clips. */
static void take_steps(tuner *t) {
    ts_fgraph *g = ts_trainer_graph(t->trainer);
    uint32_t count = t->quant->net->layers.count;
    for (uint32_t v = 0; v <= count; v++) {
        const ts_param *step = t->grids[v] == TS_NONE ? NULL : ts_trainer_step_of(t->trainer, t->grids[v]);
        if (t->quant->roots[v] != v) {
            t->quant->values[v].scale = t->quant->values[t->quant->roots[v]].scale;
        } else if (step != NULL) {
            t->quant->values[v].scale = exp((double)step->value[0]);
        }
        ts__settle_clip(t->quant, v);
    }
    ts__match_steps(t->quant);
    for (uint32_t v = 0; v <= count; v++) {
        ts_param *step = t->grids[v] == TS_NONE ? NULL : ts_trainer_step_of(t->trainer, t->grids[v]);
        const ts_qvalue *value = &t->quant->values[v];
        if (step != NULL) {
            step->image[0] = (float)log(value->scale);
            g->nodes.data[t->grids[v]].low = (float)value->low;
            g->nodes.data[t->grids[v]].high = (float)value->high;
        }
    }
}

/* The quanta that kappa admits nearest to those that are trained. */
static void take_scales(tuner *t, uint32_t i) {
    const ts_qlayer *l = layer_of(t, i);
    linear *d = &t->layers[i];
    const float *logs = param(t, d->scales)->value;
    for (uint32_t c = 0; c < l->c; c++) {
        d->scale[c] = exp((double)logs[d->count == 1 ? 0 : c]) * factor_of(d, c);
        d->scale[c] *= d->count == 1 && d->kept == NULL ? 1 : d->now[c] / d->first[c];
    }
    if (!t->quant->values[i + 1].raw) {
        ts__match_scales(l->c, d->scale, t->quant->values[l->inputs[0]].scale, t->quant->values[i + 1].scale,
                         d->kappa_bits, d->kappa, d->scale);
    }
}

static void round_weights(const tuner *t, uint32_t i) {
    const ts_qlayer *l = layer_of(t, i);
    const linear *d = &t->layers[i];
    ts_param *w = param(t, d->weights);
    double bottom, top;
    grid_of(&t->quant->layers[i], &bottom, &top);
    float low = (float)bottom, high = (float)top;
    for (uint32_t c = 0; c < l->c; c++) {
        const float *from = w->value + (size_t)c * l->inner;
        float *to = w->image + (size_t)c * l->inner, scale = (float)d->scale[c], inverse = 1.0f / scale;
        inverse *= (float)(d->now[c] / d->first[c]);
        scale = (float)(d->scale[c] / d->now[c]);
        for (uint32_t k = 0; k < l->inner; k++) {
            float v = from[k] * inverse + 0.5f;
            v = v < low ? low : v > high ? high : v;
            to[k] = ((float)(int32_t)(v - low) + low) * scale; /* v - low >= 0: the cast rounds down */
        }
    }
}

static void place_bias(const tuner *t, uint32_t i) {
    ts_param *b = param(t, t->layers[i].bias);
    float half = (float)t->quant->layers[i].half;
    for (uint64_t c = 0; c < b->count; c++) {
        b->image[c] = b->value[c] + half;
    }
}

static void project(void *object, ts_trainer *trainer) {
    tuner *t = object;
    (void)trainer;
    take_steps(t);
    ts__place_halves(t->quant);
    for (uint32_t i = 0; i < t->quant->net->layers.count; i++) {
        if (t->layers[i].weights != TS_NONE) {
            take_factors(t, i);
            take_scales(t, i);
            round_weights(t, i);
        }
        if (t->layers[i].bias != TS_NONE) {
            place_bias(t, i);
        }
    }
}

/* Straight through inside the grid, nothing beyond it; quanta get the clip's and the rounding error's slope,
 * as the steps of activations do. */
static void pull_back_layer(const tuner *t, uint32_t i) {
    const ts_qlayer *l = layer_of(t, i);
    const linear *d = &t->layers[i];
    ts_param *w = param(t, d->weights), *scales = param(t, d->scales);
    double low, high;
    grid_of(&t->quant->layers[i], &low, &high);
    for (uint32_t c = 0; c < l->c; c++) {
        double scale = d->scale[c], drift = d->now[c] / d->first[c], sum = 0;
        double bottom = fmin(low * scale, high * scale), top = fmax(low * scale, high * scale);
        for (uint32_t k = 0; k < l->inner; k++) {
            size_t at = (size_t)c * l->inner + k;
            double v = (double)w->value[at] * drift, g = (double)w->gradient[at] / d->now[c];
            bool inside = v > bottom && v < top;
            sum += g * ((double)w->image[at] * d->now[c] - (inside ? v : 0));
            w->gradient[at] = inside ? (float)(g * drift) : 0.0f;
        }
        scales->gradient[d->count == 1 ? 0 : c] += (float)sum;
    }
}

static void pull_back(void *object, ts_trainer *trainer) {
    tuner *t = object;
    (void)trainer;
    for (uint32_t i = 0; i < t->quant->net->layers.count; i++) {
        if (t->layers[i].weights != TS_NONE) {
            pull_back_layer(t, i);
        }
    }
}

/* ---- after training ---- */

static void keep_layer(const tuner *t, uint32_t i) {
    const ts_qlayer *l = layer_of(t, i);
    const linear *d = &t->layers[i];
    ts_qweights *q = &t->quant->layers[i];
    const float *image = param(t, d->weights)->image;
    float *gain =
        q->grid.gain != NULL && d->norm != TS_NONE ? TS_NEW_ARRAY(t->quant->net->arena, float, l->c) : NULL;
    for (uint32_t c = 0; c < l->c; c++) {
        q->scale[c] = d->scale[c];
        q->bias[c] = bias_of(t, d, c);
        if (gain != NULL) {
            gain[c] = (float)d->now[c];
        }
        for (uint32_t k = 0; k < l->inner; k++) {
            size_t at = (size_t)c * l->inner + k;
            q->values[at] = (int8_t)(lround((double)image[at] * d->now[c] / d->scale[c]) + q->grid.zero);
        }
    }
    q->grid.gain = gain != NULL ? gain : q->grid.gain;
}

static void keep_shift(const tuner *t, uint32_t i, ts_qlayer *floats) {
    const ts_param *b = param(t, t->layers[i].bias);
    for (uint64_t c = 0; c < b->count; c++) {
        t->quant->layers[i].bias[c] = (double)b->value[c];
    }
    if (floats != NULL) {
        memcpy(floats->bias, b->value, b->count * sizeof(float));
    }
}

static void keep_floats(const tuner *t, uint32_t i, ts_qlayer *l) {
    const linear *d = &t->layers[i];
    const float *from = param(t, d->weights)->value;
    for (uint32_t c = 0; c < l->c; c++) {
        for (uint32_t k = 0; k < l->inner; k++) {
            size_t at = (size_t)c * l->inner + k;
            l->weights[at] = (float)((double)from[at] * (d->now[c] / d->first[c]));
        }
        l->bias[c] = (float)bias_of(t, d, c);
        if (d->norm != TS_NONE) {
            l->gain[c] = (float)d->now[c];
            l->norm.mean[c] = norm_constant(t, d, 3)[c];
            l->norm.variance[c] = norm_constant(t, d, 4)[c];
        }
    }
}

static void judge(void *object, ts_trainer *trainer, uint32_t epoch) {
    tuner *t = object;
    (void)trainer;
    t->judged = t->judged == TS_OK ? ts__keeper_judge(&t->keeper, epoch, t->diags) : t->judged;
}

static void judge_start(void *object, ts_trainer *trainer) { judge(object, trainer, 0); }

/* Trains, and gives the trainer the best of what it was after each epoch. */
static ts_status train_and_keep(tuner *t, const ts_data *data, const ts_train_options *train,
                                const ts_progress *progress, const ts_train_log *log, uint32_t *best,
                                ts_diags *diags) {
    ts_train_hooks hooks = {
        .object = t, .project = project, .pull_back = pull_back, .epoch = judge, .start = judge_start};
    ts_data rest;
    t->diags = diags;
    TS_TRY(ts__keeper_new(t->arena, t->trainer, data, train, &hooks, &t->keeper, &rest, diags));
    TS_TRY(ts_train(t->trainer, &rest, train, &hooks, progress, log, diags));
    TS_TRY(t->judged);
    ts__keeper_restore(&t->keeper, best);
    return TS_OK;
}

static ts_status tune(tuner *t, const ts_data *data, const ts_finetune_options *o,
                      const ts_progress *progress, const ts_train_log *log, uint32_t *best, ts_diags *diags) {
    ts_train_options train = o->train;
    ts_fgraph *teacher = NULL;
    if (o->distil > 0 && o->teacher == NULL) {
        TS_TRY(ts_quant_float(t->arena, t->quant->net, NULL, TS_STAGE_FP, &teacher, diags));
    }
    train.teacher = o->distil > 0 && o->teacher != NULL ? o->teacher : teacher;
    train.share = o->distil;
    TS_TRY(start(t, o, diags));
    TS_TRY(train_and_keep(t, data, &train, progress, log, best, diags));
    project(t, t->trainer);
    for (uint32_t i = 0; *best > 0 && i < t->quant->net->layers.count; i++) {
        ts_qlayer *floats = o->floats == NULL ? NULL : &o->floats->layers.data[i];
        if (t->layers[i].weights == TS_NONE && t->layers[i].bias != TS_NONE) {
            keep_shift(t, i, floats);
        } else if (t->layers[i].weights != TS_NONE) {
            keep_layer(t, i);
            if (floats != NULL) {
                keep_floats(t, i, floats);
            }
        }
    }
    return ts_quant_settle(t->quant, diags);
}

ts_status ts_quant_finetune(ts_quant *quant, const ts_data *data, const ts_finetune_options *options,
                            const ts_progress *progress, const ts_train_log *log, uint32_t *best,
                            ts_diags *diags) {
    ts_arena *arena = ts_arena_new("fine-tuning", 0);
    ts_guard_defer((void (*)(void *))ts_arena_free, arena);
    ts_finetune_options o = by_task(quant, data, options);
    tuner t = {.quant = quant, .arena = arena, .step_rate = o.fixed_steps ? 0 : 1};
    uint32_t epoch;
    ts_status status = tune(&t, data, &o, progress, log, best == NULL ? &epoch : best, diags);
    ts_trainer_free(t.trainer);
    ts_guard_undefer(arena);
    ts_arena_free(arena);
    return status;
}
