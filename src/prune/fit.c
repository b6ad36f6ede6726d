#include "prune/fit.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

enum { EVALUATION_BATCH = 50, TAYLOR_BATCHES = 32, NEED_SAMPLES = 4, JUDGES = 1000 };

ts_fit_options ts_fit_defaults(void) {
    ts_fit_options o = {.bits = 8, .batch = 32, .calibration = 128};
    o.pruned = o.quantised = ts_train_defaults();
    o.pruned.epochs = 4;
    o.quantised.epochs = 3;
    return o;
}

typedef struct fitter {
    ts_arena *arena;
    const ts_fgraph *graph;
    const ts_data *train, *eval;
    const ts_data *judges; /* some of `train`: did training help? */
    const ts_fit_options *options;
    const ts_progress *progress;
    const ts_train_log *log;
    ts_fit *out;
    ts_diags *diags;
} fitter;

static uint64_t macs_of(const ts_fgraph *graph) {
    uint64_t macs = 0;
    for (uint32_t i = 0; i < graph->nodes.count; i++) {
        macs += ts_fnode_macs(graph, &graph->nodes.data[i]);
    }
    return macs;
}

/* ---- pruning ---- */

/* Gradients of the loss by all weights, over the first batches of the training set. */
static ts_status find_gradients(const fitter *f, const float ***out) {
    const float **gradients = TS_NEW_ARRAY(f->arena, const float *, f->graph->tensors.count);
    ts_arena *scratch = ts_arena_new("taylor", 0);
    ts_trainer *t = NULL;
    ts_status status = ts_trainer_new(scratch, f->graph, f->options->batch, &t, f->diags);
    if (status == TS_OK) {
        status = ts_trainer_gradients(t, f->train, TAYLOR_BATCHES, f->diags);
    }
    uint32_t count = 0;
    const ts_param *p = status == TS_OK ? ts_trainer_params(t, &count) : NULL;
    for (uint32_t i = 0; i < count; i++) {
        if (p[i].kind == TS_PARAM_WEIGHTS) {
            gradients[p[i].tensor] = ts_arena_copy(f->arena, p[i].gradient, p[i].count * sizeof(float));
        }
    }
    ts_trainer_free(t);
    ts_arena_free(scratch);
    *out = gradients;
    return status;
}

/* The first samples of a set. */
static ts_data first_of(const ts_data *data, uint32_t count) {
    ts_data part = *data;
    part.count = count < part.count ? count : part.count;
    return part;
}

/* What the network needs as it is pruned now, by the caller's model. */
static ts_status ask_model(const fitter *f, const ts_prune *prune, uint64_t *bytes) {
    ts_arena *scratch = ts_arena_new("need", 0);
    ts_data few = first_of(f->train, NEED_SAMPLES);
    ts_fgraph *graph = NULL;
    ts_qnet *net = NULL;
    ts_quant *quant = NULL;
    ts_graph *integer = NULL;
    ts_status status = ts_prune_apply(prune, scratch, &graph, f->diags);
    status = status == TS_OK ? ts_qnet_read_uncut(scratch, graph, &net, f->diags) : status;
    status =
        status == TS_OK ? ts_power_quantize(scratch, net, &few, f->options->bits, &quant, f->diags) : status;
    status = status == TS_OK ? ts_quant_integer(scratch, quant, &integer, f->diags) : status;
    const ts_fit_model *m = f->options->model;
    status = status == TS_OK ? m->need(m->object, integer, bytes, f->diags) : status;
    ts_arena_free(scratch);
    return status;
}

static ts_status need_now(const fitter *f, const ts_prune *prune, uint64_t *bytes) {
    if (f->options->model != NULL) {
        return ask_model(f, prune, bytes);
    }
    ts_prune_memory m = ts_prune_measure(prune);
    *bytes = ts_prune_bytes(&m, f->options->bits);
    return TS_OK;
}

/* What is left of the network fills: the node that most of it is, and what would do. */
static ts_status no_fit(const fitter *f, const ts_prune *prune, uint64_t bytes) {
    ts_prune_memory m = ts_prune_measure(prune);
    bool weights = m.heaviest_parameters > m.activations && f->options->model == NULL;
    return ts_error(f->diags, TS_DIAG_NO_FIT, weights ? m.heaviest : m.widest, NULL,
                    "pruned to its last filters the network needs %" PRIu64 " bytes at %u bits, %" PRIu64
                    " more than the %" PRIu64 " that there are; node '%s' alone %s %" PRIu64
                    " elements; fewer bits or %" PRIu64 " bytes would do",
                    bytes, f->options->bits, bytes - f->options->ram, f->options->ram,
                    weights ? m.heaviest : m.widest, weights ? "has parameters of" : "reads and writes",
                    weights ? m.heaviest_parameters : m.activations, bytes);
}

/* Algorithm 1: prunes until it fits. The model is asked after steps of growing length where it is not an
 * equation, and the last length is walked again step by step. */
static ts_status prune_until_fit(const fitter *f, const ts_prune_options *options, uint32_t skip,
                                 ts_prune **out, uint32_t *steps) {
    ts_prune *p;
    TS_TRY(ts_prune_new(f->arena, f->graph, options, &p, f->diags));
    uint32_t stride = f->options->model == NULL || skip > 0 ? 1 : 16;
    for (*steps = 0; *steps < skip; ++*steps) {
        ts_prune_step(p);
    }
    uint64_t bytes;
    TS_TRY(need_now(f, p, &bytes));
    if (skip == 0) {
        f->out->before = ts_prune_measure(p);
        f->out->bytes_before = bytes;
    }
    while (bytes > f->options->ram) {
        uint32_t done = 0;
        while (done < stride && ts_prune_step(p)) {
            done++;
        }
        *steps += done;
        if (done == 0) {
            return no_fit(f, p, bytes);
        }
        TS_TRY(need_now(f, p, &bytes));
    }
    if (stride > 1 && *steps > 0) {
        uint32_t again = *steps > stride ? *steps - stride : 1;
        return prune_until_fit(f, options, again, out, steps);
    }
    f->out->bytes = bytes;
    f->out->after = ts_prune_measure(p);
    *out = p;
    return TS_OK;
}

static void note_layers(const fitter *f, const ts_prune *prune) {
    uint32_t nodes = f->graph->nodes.count;
    ts_fit *out = f->out;
    out->filters_before = ts_prune_count(prune);
    out->filters = out->filters_before - ts_prune_gone(prune);
    out->layer_names = TS_NEW_ARRAY(f->arena, const char *, nodes);
    out->had = TS_NEW_ARRAY(f->arena, uint32_t, nodes);
    out->has = TS_NEW_ARRAY(f->arena, uint32_t, nodes);
    for (uint32_t i = 0; i < nodes; i++) {
        uint32_t had, has;
        ts_prune_layer(prune, i, &had, &has);
        if (had > 0) {
            out->layer_names[out->layer_count] = f->graph->nodes.data[i].name;
            out->had[out->layer_count] = had;
            out->has[out->layer_count++] = has;
        }
    }
}

static ts_status prune_network(const fitter *f, ts_fgraph **pruned) {
    ts_prune_options options = {.criterion = f->options->criterion, .choice = f->options->choice};
    options.weights_apart = f->options->model != NULL && f->options->model->weights_apart;
    ts_prune *prune = NULL;
    uint32_t steps;
    if (options.criterion == TS_PRUNE_TAYLOR) {
        const float **gradients;
        TS_TRY(find_gradients(f, &gradients));
        options.gradients = gradients;
    }
    TS_TRY(prune_until_fit(f, &options, 0, &prune, &steps));
    note_layers(f, prune);
    return ts_prune_apply(prune, f->arena, pruned, f->diags);
}

/* ---- training ---- */

static ts_status accuracy_of(const fitter *f, const ts_fgraph *graph, const ts_data *data, double *out) {
    ts_arena *scratch = ts_arena_new("evaluation", 0);
    ts_trainer *t = NULL;
    ts_status status = ts_trainer_new(scratch, graph, EVALUATION_BATCH, &t, f->diags);
    status = status == TS_OK ? ts_trainer_accuracy(t, data, NULL, out, f->diags) : status;
    ts_trainer_free(t);
    ts_arena_free(scratch);
    return status;
}

/* Steps of Adam relative to the size of what they change. */
static void scale_rates(ts_trainer *t) {
    uint32_t count;
    ts_param *p = ts_trainer_params(t, &count);
    for (uint32_t i = 0; i < count; i++) {
        double sum = 1e-12;
        for (uint64_t k = 0; k < p[i].count; k++) {
            sum += (double)p[i].value[k] * (double)p[i].value[k];
        }
        p[i].rate = 10 * sqrt(sum / (double)p[i].count);
    }
}

/* Samples from all over the training set. */
static ts_data spread_of(ts_arena *arena, const ts_data *data, uint32_t count) {
    ts_data part = first_of(data, count);
    uint32_t *order = TS_NEW_ARRAY(arena, uint32_t, part.count);
    for (uint32_t i = 0; i < part.count; i++) {
        order[i] = data->order[(uint64_t)i * data->count / part.count];
    }
    part.order = order;
    return part;
}

/* Trains the pruned network in float; the network as it came is its teacher. Few samples or epochs may do
 * more harm than good: then it stays as it was. */
static ts_status train_pruned(const fitter *f, ts_fgraph **graph) {
    ts_train_options o = f->options->pruned;
    if (o.epochs == 0) {
        return TS_OK;
    }
    ts_trainer *t = NULL;
    ts_arena *scratch = ts_arena_new("pruned", 0);
    o.teacher = f->graph;
    ts_status status = ts_trainer_new(scratch, *graph, f->options->batch, &t, f->diags);
    if (status == TS_OK) {
        if (o.optimiser == TS_OPTIMISER_ADAM) {
            scale_rates(t);
        }
        status = ts_train(t, f->train, &o, NULL, f->progress, f->log, f->diags);
    }
    ts_fgraph *trained = status == TS_OK ? ts_trainer_export(t, f->arena, false) : NULL;
    ts_trainer_free(t);
    ts_arena_free(scratch);
    TS_TRY(status);
    double before, after;
    TS_TRY(accuracy_of(f, *graph, f->judges, &before));
    TS_TRY(accuracy_of(f, trained, f->judges, &after));
    *graph = after < before ? *graph : trained;
    return TS_OK;
}

/* The teacher of the integers is the network as it came, in the order of elements that they have. As above,
 * they stay as they were where training did harm. */
static ts_status train_quantised(const fitter *f, ts_quant *quant, const ts_fgraph *teacher) {
    ts_train_options o = f->options->quantised;
    if (o.epochs == 0) {
        return TS_OK;
    }
    o.teacher = teacher;
    double before, after;
    const ts_power_state *start = ts_power_save(f->arena, quant);
    TS_TRY(ts_power_accuracy(quant, f->judges, &before, f->diags));
    TS_TRY(ts_power_train(quant, f->train, f->options->batch, &o, f->progress, f->log, f->diags));
    TS_TRY(ts_power_accuracy(quant, f->judges, &after, f->diags));
    if (after < before) {
        ts_power_restore(quant, start);
    }
    return TS_OK;
}

static ts_status quantise(const fitter *f, const ts_fgraph *pruned) {
    ts_data calibration = first_of(f->train, f->options->calibration);
    ts_qnet *net, *whole;
    ts_fgraph *teacher;
    ts_fit *out = f->out;
    TS_TRY(ts_qnet_read_uncut(f->arena, f->graph, &whole, f->diags));
    TS_TRY(ts_quant_float(f->arena, whole, NULL, TS_STAGE_FP, &teacher, f->diags));
    TS_TRY(ts_qnet_read_uncut(f->arena, pruned, &net, f->diags));
    TS_TRY(ts_power_quantize(f->arena, net, &calibration, f->options->bits, &out->quant, f->diags));
    TS_TRY(ts_power_accuracy(out->quant, f->eval, &out->start_accuracy, f->diags));
    TS_TRY(train_quantised(f, out->quant, teacher));
    TS_TRY(ts_power_accuracy(out->quant, f->eval, &out->accuracy, f->diags));
    return ts_quant_integer(f->arena, out->quant, &out->integer, f->diags);
}

ts_status ts_fit_network(ts_arena *arena, const ts_fgraph *graph, const ts_data *train, const ts_data *eval,
                         const ts_fit_options *options, const ts_progress *progress, const ts_train_log *log,
                         ts_fit *out, ts_diags *diags) {
    ts_data judges = spread_of(arena, train, JUDGES);
    fitter f = {arena, graph, train, eval, &judges, options, progress, log, out, diags};
    ts_fgraph *pruned;
    *out = (ts_fit){.macs_before = macs_of(graph)};
    TS_TRY(prune_network(&f, &pruned));
    TS_TRY(accuracy_of(&f, graph, eval, &out->float_accuracy));
    TS_TRY(train_pruned(&f, &pruned));
    TS_TRY(accuracy_of(&f, pruned, eval, &out->pruned_accuracy));
    out->macs = macs_of(pruned);
    out->pruned = pruned;
    return quantise(&f, pruned);
}
