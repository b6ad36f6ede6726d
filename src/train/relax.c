#include "train/relax.h"

#include <stdlib.h>
#include <string.h>

/* Widths that are tried, from wide to narrow. */
static const uint8_t ladder[] = {8, 6, 5, 4, 3, 2};

ts_relax_options ts_relax_defaults(void) {
    ts_relax_options o = {.quant = ts_quant_defaults(), .finetune = ts_finetune_defaults(), .bound = 0.01};
    o.least = (ts_widths){2, 2};
    o.rounds = 12;
    o.finetune.train.epochs = 2;
    return o;
}

/* One number that may be stepped down: the weights of a layer, or its result. */
typedef struct step {
    uint32_t layer;
    bool activations, stays; /* has failed alone */
    double loss;             /* share of right answers that it cost untrained */
    bool taken;
} step;

typedef struct relaxer {
    ts_arena *arena;
    ts_qnet *net;
    const ts_data *calibration;
    ts_data train, judge, glance; /* a part of `judge` that untrained steps are looked at with */
    const ts_relax_options *options;
    const ts_progress *progress;
    ts_widths *widths; /* of the last round kept */
    step *steps;       /* two a layer */
    uint32_t step_count;
    float **floats, **first; /* of the last round kept, and as the net had them: one list a layer */
    ts_fgraph *teacher;
    ts_relax_trace *trace;
    ts_diags *diags;
} relaxer;

static bool is_linear(const ts_qlayer *l) { return l->kind == TS_QUANT_CONV || l->kind == TS_QUANT_LINEAR; }

static const ts_qlayer *layer_of(const relaxer *r, uint32_t i) { return &r->net->layers.data[i]; }

static uint8_t narrower(uint8_t bits) {
    for (size_t i = 0; i < sizeof ladder; i++) {
        if (ladder[i] < bits) {
            return ladder[i];
        }
    }
    return bits;
}

/* ---- samples ---- */

/* Every fifth sample judges, the rest trains. */
static void part_data(relaxer *r, const ts_data *data) {
    enum { FIFTH = 5, GLANCE = 200 };
    uint32_t *kept = TS_NEW_ARRAY(r->arena, uint32_t, data->count),
             *rest = TS_NEW_ARRAY(r->arena, uint32_t, data->count);
    r->train = r->judge = *data;
    r->train.count = r->judge.count = 0;
    for (uint32_t i = 0; i < data->count; i++) {
        if (i % FIFTH == 0) {
            kept[r->judge.count++] = data->order[i];
        } else {
            rest[r->train.count++] = data->order[i];
        }
    }
    r->judge.order = kept;
    r->train.order = rest;
    r->glance = r->judge;
    r->glance.count = r->judge.count < GLANCE ? r->judge.count : GLANCE;
}

static ts_status score(const relaxer *r, const ts_quant *quant, ts_quant_stage stage, const ts_data *data,
                       double *out) {
    ts_arena *scratch = ts_arena_new("judge", 0);
    ts_fgraph *graph;
    ts_score s = {0};
    ts_status status = stage == TS_STAGE_FP ? ts_quant_float(scratch, r->net, NULL, stage, &graph, r->diags)
                                            : ts_quant_emulate(scratch, quant, stage, &graph, r->diags);
    status = status == TS_OK ? ts_evaluate_float(scratch, graph, data, NULL, &s, r->diags) : status;
    ts_arena_free(scratch);
    *out = s.top1;
    return status;
}

static ts_status quantise(const relaxer *r, ts_arena *arena, const ts_widths *widths, bool quick,
                          ts_quant **out) {
    ts_quant_options o = r->options->quant;
    ts_data some = *r->calibration;
    o.widths = widths;
    if (quick) {
        o.nearest = o.keep_bias = true;
        o.ranges = TS_RANGE_PERCENTILE;
        o.percentile = 0.999;
        some.count = some.count < 32 ? some.count : 32;
    }
    return ts_quantize(arena, r->net, &some, &o, NULL, out, r->diags);
}

/* How good the network is with these widths, untrained. */
static ts_status glance(const relaxer *r, const ts_widths *widths, double *out) {
    ts_arena *scratch = ts_arena_new("glance", 0);
    ts_quant *quant;
    ts_status status = quantise(r, scratch, widths, true, &quant);
    status = status == TS_OK ? score(r, quant, TS_STAGE_FQ, &r->glance, out) : status;
    ts_arena_free(scratch);
    return status;
}

/* ---- rounds ---- */

static void step_down(const step *s, ts_widths *widths) {
    ts_widths *w = &widths[s->layer];
    *(s->activations ? &w->activations : &w->weights) =
        narrower(s->activations ? w->activations : w->weights);
}

static bool may_step(const relaxer *r, const step *s) {
    const ts_widths *w = &r->widths[s->layer];
    return !s->stays && (s->activations ? narrower(w->activations) >= r->options->least.activations &&
                                              w->activations > r->options->least.activations
                                        : narrower(w->weights) >= r->options->least.weights &&
                                              w->weights > r->options->least.weights);
}

/* Takes every step that costs less than the bound alone, untrained; the others wait, unless none is left. */
static ts_status choose_steps(relaxer *r) {
    ts_widths *tried = TS_NEW_ARRAY(r->arena, ts_widths, r->net->layers.count);
    step *least = NULL;
    double now;
    uint32_t taken = 0;
    TS_TRY(glance(r, r->widths, &now));
    for (uint32_t i = 0; i < r->step_count; i++) {
        step *s = &r->steps[i];
        double then;
        s->taken = false;
        if (!may_step(r, s)) {
            continue;
        }
        memcpy(tried, r->widths, r->net->layers.count * sizeof *tried);
        step_down(s, tried);
        TS_TRY(glance(r, tried, &then));
        s->loss = now - then;
        s->taken = s->loss <= r->options->bound;
        taken += s->taken;
        least = least == NULL || s->loss < least->loss ? s : least;
    }
    if (taken == 0 && least != NULL) {
        least->taken = true;
    }
    return TS_OK;
}

static uint32_t count_taken(const relaxer *r) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < r->step_count; i++) {
        count += r->steps[i].taken;
    }
    return count;
}

static int by_loss(const void *a, const void *b) {
    const step *x = *(const step *const *)a, *y = *(const step *const *)b;
    return x->loss != y->loss ? (x->loss > y->loss) - (x->loss < y->loss) : (x > y) - (x < y);
}

/* After a failure: the half that cost least is tried again; a step that failed alone stays. */
static void halve_steps(relaxer *r) {
    step **taken = TS_NEW_ARRAY(r->arena, step *, r->step_count);
    uint32_t count = 0;
    for (uint32_t i = 0; i < r->step_count; i++) {
        if (r->steps[i].taken) {
            taken[count++] = &r->steps[i];
        }
    }
    qsort(taken, count, sizeof *taken, by_loss);
    for (uint32_t i = count / 2; i < count; i++) {
        taken[i]->taken = false;
    }
    if (count == 1) {
        taken[0]->stays = true;
    }
}

/* Copies what training changes of a layer to a list, or back from it; `list` NULL: neither. Returns the
 * count. */
static size_t store_layer(const ts_qlayer *l, float *list, bool back) {
    float *const parts[] = {l->weights, l->bias, l->gain, l->norm.mean, l->norm.variance};
    size_t at = 0;
    for (size_t k = 0; k < sizeof parts / sizeof parts[0]; k++) {
        size_t count = parts[k] == NULL ? 0 : k == 0 ? (size_t)l->c * l->inner : l->c;
        if (list != NULL && count > 0) {
            memcpy(back ? parts[k] : list + at, back ? list + at : parts[k], count * sizeof(float));
        }
        at += count;
    }
    return at;
}

static void store_floats(const relaxer *r, float **store, bool back) {
    for (uint32_t i = 0; i < r->net->layers.count; i++) {
        (void)store_layer(layer_of(r, i), store[i], back);
    }
}

static float **new_store(const relaxer *r) {
    float **store = TS_NEW_ARRAY(r->arena, float *, r->net->layers.count);
    for (uint32_t i = 0; i < r->net->layers.count; i++) {
        store[i] = TS_NEW_ARRAY(r->arena, float, store_layer(layer_of(r, i), NULL, false));
    }
    store_floats(r, store, false);
    return store;
}

static uint64_t weight_bits(const relaxer *r, const ts_widths *widths) {
    uint64_t bits = 0;
    for (uint32_t i = 0; i < r->net->layers.count; i++) {
        const ts_qlayer *l = layer_of(r, i);
        bits += is_linear(l) ? (uint64_t)l->c * l->inner * widths[i].weights : 0;
    }
    return bits;
}

/* Quantises, trains and judges the widths of the steps taken. */
static ts_status run_round(relaxer *r, ts_quant **out) {
    ts_relax_round round = {.steps = count_taken(r)};
    ts_finetune_options o = r->options->finetune;
    round.widths = ts_arena_copy(r->arena, r->widths, r->net->layers.count * sizeof *r->widths);
    for (uint32_t i = 0; i < r->step_count; i++) {
        if (r->steps[i].taken) {
            step_down(&r->steps[i], round.widths);
        }
    }
    o.teacher = r->teacher;
    o.floats = r->net;
    TS_TRY(quantise(r, r->arena, round.widths, false, out));
    TS_TRY(score(r, *out, TS_STAGE_QD, &r->judge, &round.before));
    TS_TRY(ts_quant_finetune(*out, &r->train, &o, NULL, NULL, NULL, r->diags));
    TS_TRY(score(r, *out, TS_STAGE_QD, &r->judge, &round.after));
    round.weight_bits = weight_bits(r, round.widths);
    round.kept = round.after >= r->trace->floor;
    TS_PUSH(r->arena, &r->trace->rounds, round);
    store_floats(r, r->floats, !round.kept);
    if (round.kept) {
        memcpy(r->widths, round.widths, r->net->layers.count * sizeof *r->widths);
    }
    return TS_OK;
}

static void report(const relaxer *r) {
    if (r->progress != NULL && r->progress->report != NULL) {
        r->progress->report(r->progress->object, r->trace->rounds.count, r->options->rounds + 1);
    }
}

static ts_status run_rounds(relaxer *r, ts_quant **out) {
    ts_quant *tried;
    TS_TRY(run_round(r, out));
    if (!r->trace->rounds.data[0].kept) {
        return ts_error(
            r->diags, TS_DIAG_VALUE, NULL, NULL,
            "%.2f %% of the judging samples are right at the widths to start with, the bound is %.2f %%; "
            "more epochs or a wider bound may help",
            100 * r->trace->rounds.data[0].after, 100 * r->trace->floor);
    }
    while (r->trace->rounds.count <= r->options->rounds) {
        report(r);
        if (count_taken(r) == 0) {
            TS_TRY(choose_steps(r));
        }
        if (count_taken(r) == 0) {
            break;
        }
        TS_TRY(run_round(r, &tried));
        if (r->trace->rounds.data[r->trace->rounds.count - 1].kept) {
            *out = tried;
            for (uint32_t i = 0; i < r->step_count; i++) {
                r->steps[i].taken = false;
            }
        } else {
            halve_steps(r);
        }
    }
    return TS_OK;
}

/* Widths to start with, and what of them can be stepped down: weights of linear layers, results that have a
 * grid. */
static void start(relaxer *r) {
    uint32_t count = r->net->layers.count;
    const ts_quant_options *q = &r->options->quant;
    r->widths = TS_NEW_ARRAY(r->arena, ts_widths, count);
    r->steps = TS_NEW_ARRAY(r->arena, step, 2 * (size_t)count);
    r->floats = new_store(r);
    r->first = new_store(r);
    for (uint32_t i = 0; i < count; i++) {
        const ts_qlayer *l = layer_of(r, i);
        bool raw = l->is_output && l->uses == 1;
        r->widths[i] = q->widths != NULL ? q->widths[i]
                                         : (ts_widths){(uint8_t)q->weight_bits, (uint8_t)q->activation_bits};
        if (is_linear(l)) {
            r->steps[r->step_count++] = (step){.layer = i};
        }
        if (!raw && l->kind != TS_QUANT_MAX_POOL) {
            r->steps[r->step_count++] = (step){.layer = i, .activations = true};
        }
    }
}

/* The teacher reads the net's weights in place, which training will change. */
static void own_constants(ts_arena *arena, ts_fgraph *graph) {
    for (uint32_t i = 0; i < graph->tensors.count; i++) {
        ts_ftensor *t = &graph->tensors.data[i];
        if (t->data != NULL) {
            t->data = ts_arena_copy(arena, t->data, ts_ftensor_elements(t) * sizeof *t->data);
        }
    }
}

ts_status ts_relax(ts_arena *arena, ts_qnet *net, const ts_data *calibration, const ts_data *data,
                   const ts_relax_options *options, const ts_progress *progress, ts_relax_trace *trace,
                   ts_quant **out, ts_diags *diags) {
    relaxer r = {.arena = arena,
                 .net = net,
                 .calibration = calibration,
                 .options = options,
                 .progress = progress,
                 .trace = trace,
                 .diags = diags};
    *trace = (ts_relax_trace){.net = net};
    if (data->labels == NULL || data->count < 10) {
        return ts_error(diags, TS_DIAG_USAGE, NULL, NULL, "relaxation needs samples with labels");
    }
    part_data(&r, data);
    TS_TRY(ts_quant_float(arena, net, NULL, TS_STAGE_FP, &r.teacher, diags));
    own_constants(arena, r.teacher);
    TS_TRY(score(&r, NULL, TS_STAGE_FP, &r.judge, &trace->exact));
    trace->floor = trace->exact - options->bound;
    start(&r);
    trace->start = ts_arena_copy(arena, r.widths, net->layers.count * sizeof *r.widths);
    ts_status status = run_rounds(&r, out);
    store_floats(&r, r.first, true);
    return status;
}
