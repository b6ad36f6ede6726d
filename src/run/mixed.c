#include "run/mixed.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { WIDTHS = 3, MOST_REPAIRS = 6 };

static const uint8_t all_widths[WIDTHS] = {2, 4, 8};

typedef struct chooser {
    ts_arena *arena;
    ts_qnet *net;
    ts_data sample;
    const ts_target *target;
    const ts_progress *progress;
    ts_mixed_cost cost; /* NULL: the table */
    void *object;
    uint64_t *table[WIDTHS][WIDTHS]; /* cycles a layer, by the widths of all weights and all activations;
                                        NULL: not measured */
    uint32_t runs;
    ts_diags *diags;
} chooser;

/* Index of the type that holds so many bits. */
static uint32_t stored(uint32_t bits) { return bits <= 2 ? 0 : bits <= 4 ? 1 : 2; }

static bool has_weights(const ts_qlayer *l) { return l->kind == TS_QUANT_CONV || l->kind == TS_QUANT_LINEAR; }

/* Cycles of every layer with these widths. What the weights are makes no difference to them. */
static ts_status measure(chooser *c, const ts_widths *widths, uint64_t *cycles) {
    ts_arena *scratch = ts_arena_new("mixed", 0);
    ts_guard_defer((void (*)(void *))ts_arena_free, scratch);
    ts_quant_options options = ts_quant_defaults();
    ts_run_options run = {.target = c->target, .seed = 1, .jobs = 2, .command = "quantize"};
    ts_run_result result = {0};
    ts_quant *quant;
    ts_graph *graph = NULL;
    options.widths = widths;
    options.ranges = TS_RANGE_MAX;
    options.nearest = options.keep_bias = true;
    ts_status status = ts_quantize(scratch, c->net, &c->sample, &options, NULL, &quant, c->diags);
    status = status == TS_OK ? ts_quant_integer(scratch, quant, &graph, c->diags) : status;
    status = status == TS_OK ? ts_run(scratch, graph, &run, &result, c->diags) : status;
    for (uint32_t i = 0; status == TS_OK && i < result.plan->layer_count; i++) {
        cycles[result.plan->layers[i].node] = result.layers[i].counts.cycles;
    }
    ts_guard_undefer(scratch);
    ts_arena_free(scratch);
    c->runs++;
    if (c->progress != NULL && c->progress->report != NULL) {
        c->progress->report(c->progress->object, c->runs, WIDTHS * WIDTHS + 2 + MOST_REPAIRS);
    }
    return status;
}

/* Cycles of a layer where all weights and activations of the network have these widths. */
static ts_status look_up(chooser *c, uint32_t w, uint32_t a, uint32_t layer, uint64_t *cycles) {
    uint32_t count = c->net->layers.count;
    if (c->cost != NULL) {
        *cycles = c->cost(c->object, layer, (ts_widths){all_widths[w], all_widths[a]});
        return TS_OK;
    }
    if (c->table[w][a] == NULL) {
        ts_widths *widths = TS_NEW_ARRAY(c->arena, ts_widths, count);
        for (uint32_t i = 0; i < count; i++) {
            widths[i] = (ts_widths){all_widths[w], all_widths[a]};
        }
        c->table[w][a] = TS_NEW_ARRAY(c->arena, uint64_t, count);
        TS_TRY(measure(c, widths, c->table[w][a]));
    }
    *cycles = c->table[w][a][layer];
    return TS_OK;
}

/* The widest weights that take a layer no longer. */
static ts_status raise_weights(chooser *c, uint32_t i, ts_widths *widths) {
    uint32_t w0 = stored(widths[i].weights), a = stored(widths[i].activations), best = w0;
    uint64_t least, cycles;
    TS_TRY(look_up(c, w0, a, i, &least));
    for (uint32_t w = w0 + 1; w < WIDTHS; w++) {
        TS_TRY(look_up(c, w, a, i, &cycles));
        best = cycles <= least ? w : best;
    }
    widths[i].weights = all_widths[best];
    return TS_OK;
}

/* Cycles of a layer and of those that read its result, were it this wide. */
static ts_status around(chooser *c, uint32_t i, uint32_t a, const ts_widths *widths, uint64_t *sum) {
    uint64_t cycles;
    TS_TRY(look_up(c, stored(widths[i].weights), a, i, sum));
    for (uint32_t j = i + 1; j < c->net->layers.count; j++) {
        const ts_qlayer *l = &c->net->layers.data[j];
        bool reads = false;
        for (uint32_t k = 0; k < l->input_count; k++) {
            reads = reads || l->inputs[k] == i + 1;
        }
        if (reads) {
            TS_TRY(look_up(c, stored(widths[j].weights), a, j, &cycles));
            *sum += cycles;
        }
    }
    return TS_OK;
}

static ts_status raise_result(chooser *c, uint32_t i, ts_widths *widths) {
    uint32_t a0 = stored(widths[i].activations), best = a0;
    uint64_t least, cycles;
    TS_TRY(around(c, i, a0, widths, &least));
    for (uint32_t a = a0 + 1; a < WIDTHS; a++) {
        TS_TRY(around(c, i, a, widths, &cycles));
        best = cycles <= least ? a : best;
    }
    widths[i].activations = all_widths[best];
    return TS_OK;
}

static uint64_t total(const uint64_t *cycles, uint32_t count) {
    uint64_t sum = 0;
    for (uint32_t i = 0; i < count; i++) {
        sum += cycles[i];
    }
    return sum;
}

/* The table tells of networks of one width; where a mixed one is slower all the same, the layers that lost
 * most take their former widths again, and in the end all do. */
static ts_status repair(chooser *c, const ts_mixed *m, ts_widths *widths, uint64_t *cycles) {
    uint32_t count = c->net->layers.count;
    for (uint32_t turn = 0; total(cycles, count) > m->total_before; turn++) {
        for (uint32_t i = 0; i < count; i++) {
            if (turn == MOST_REPAIRS || cycles[i] > m->cycles_before[i]) {
                widths[i] = m->before[i];
            }
        }
        if (memcmp(widths, m->before, count * sizeof *widths) == 0) {
            memcpy(cycles, m->cycles_before, count * sizeof *cycles);
            return TS_OK;
        }
        TS_TRY(measure(c, widths, cycles));
    }
    return TS_OK;
}

/* ---- fewer bits ---- */

/* What the network's outputs lose by quantisation, on calibration samples without labels. */
typedef struct fidelity {
    uint32_t agreeing; /* samples with the float network's largest output, where there are classes */
    double error;      /* square error over the outputs' square sum */
} fidelity;

typedef struct lowering {
    chooser *chooser;
    ts_data samples;
    ts_score exact;
    fidelity start;
} lowering;

static uint32_t largest(const float *y, uint32_t count) {
    uint32_t top = 0;
    for (uint32_t i = 1; i < count; i++) {
        top = y[i] > y[top] ? i : top;
    }
    return top;
}

static fidelity compare(const ts_score *exact, const ts_score *other) {
    fidelity f = {0};
    double sum = 1e-30;
    for (uint32_t n = 0; n < exact->count; n++) {
        const float *a = exact->scores + (size_t)n * exact->outputs,
                    *b = other->scores + (size_t)n * exact->outputs;
        f.agreeing += exact->outputs > 1 && largest(a, exact->outputs) == largest(b, exact->outputs);
        for (uint32_t i = 0; i < exact->outputs; i++) {
            double e = (double)a[i] - (double)b[i];
            f.error += e * e;
            sum += (double)a[i] * (double)a[i];
        }
    }
    f.error /= sum;
    return f;
}

static ts_status judge(const lowering *l, const ts_widths *widths, fidelity *out) {
    const chooser *c = l->chooser;
    ts_arena *scratch = ts_arena_new("fidelity", 0);
    ts_quant_options options = ts_quant_defaults();
    ts_quant *quant;
    ts_fgraph *graph;
    ts_score score;
    options.widths = widths;
    options.ranges = TS_RANGE_MSE;
    ts_status status = ts_quantize(scratch, c->net, &l->samples, &options, NULL, &quant, c->diags);
    status = status == TS_OK ? ts_quant_emulate(scratch, quant, TS_STAGE_QD, &graph, c->diags) : status;
    status =
        status == TS_OK ? ts_evaluate_float(scratch, graph, &l->samples, NULL, &score, c->diags) : status;
    if (status == TS_OK) {
        *out = compare(&l->exact, &score);
    }
    ts_arena_free(scratch);
    return status;
}

/* One number of bits that may go down, and what the table says that it saves. */
typedef struct cut {
    uint32_t layer;
    bool result;
    uint8_t bits;
    uint64_t saves;
} cut;

static int by_saving(const void *a, const void *b) {
    const cut *x = a, *y = b;
    return x->saves != y->saves ? (x->saves < y->saves) - (x->saves > y->saves)
                                : (x->layer > y->layer) - (x->layer < y->layer);
}

/* Cuts of layer i that save cycles, each by one step from the widths as they are. */
static ts_status find_cuts(chooser *c, uint32_t i, const ts_widths *widths, cut *list, uint32_t *count) {
    const ts_qlayer *l = &c->net->layers.data[i];
    uint32_t w = stored(widths[i].weights), a = stored(widths[i].activations);
    uint64_t now, then;
    if (has_weights(l) && w > 0) {
        TS_TRY(look_up(c, w, a, i, &now));
        TS_TRY(look_up(c, w - 1, a, i, &then));
        list[*count] = (cut){i, false, all_widths[w - 1], then < now ? now - then : 0};
        *count += then < now;
    }
    if (!ts_qkind_moves(l->kind) && a > 0 && !(l->is_output && l->uses == 1)) {
        TS_TRY(around(c, i, a, widths, &now));
        TS_TRY(around(c, i, a - 1, widths, &then));
        list[*count] = (cut){i, true, all_widths[a - 1], then < now ? now - then : 0};
        *count += then < now;
    }
    return TS_OK;
}

/* Whether fewer bits cost nothing that calibration samples show. Classes: no sample more leaves the float
 * network's, whose outputs stay 15 dB above the error. Other outputs: the error does not double. */
static bool costs_nothing(const lowering *l, const fidelity *now) {
    double most = 2 * l->start.error;
    most = l->exact.outputs > 1 && l->exact.outputs <= TS_MAX_CLASSES && !l->exact.has_error
               ? fmax(most, 0.03)
               : most;
    return now->agreeing >= l->start.agreeing && now->error <= most;
}

static ts_status try_cuts(lowering *l, ts_widths *widths, bool *any) {
    chooser *c = l->chooser;
    cut *list = TS_NEW_ARRAY(c->arena, cut, 2 * (size_t)c->net->layers.count);
    uint32_t count = 0;
    *any = false;
    for (uint32_t i = 0; i < c->net->layers.count; i++) {
        TS_TRY(find_cuts(c, i, widths, list, &count));
    }
    if (count > 0) {
        qsort(list, count, sizeof *list, by_saving);
    }
    for (uint32_t k = 0; k < count; k++) {
        ts_widths *w = &widths[list[k].layer], before = *w;
        fidelity now;
        *(list[k].result ? &w->activations : &w->weights) = list[k].bits;
        TS_TRY(judge(l, widths, &now));
        if (costs_nothing(l, &now)) {
            *any = true;
        } else {
            *w = before;
        }
    }
    return TS_OK;
}

static ts_status lower(chooser *c, const ts_data *calibration, ts_widths *widths) {
    enum { SAMPLES = 96 };
    ts_fgraph *graph;
    lowering l = {.chooser = c, .samples = *calibration};
    bool any = true;
    l.samples.count = calibration->count < SAMPLES ? calibration->count : SAMPLES;
    TS_TRY(ts_quant_float(c->arena, c->net, NULL, TS_STAGE_FP, &graph, c->diags));
    TS_TRY(ts_evaluate_float(c->arena, graph, &l.samples, NULL, &l.exact, c->diags));
    TS_TRY(judge(&l, widths, &l.start));
    for (uint32_t pass = 0; any && pass < WIDTHS - 1; pass++) { /* from 8 to 4, from 4 to 2 */
        TS_TRY(try_cuts(&l, widths, &any));
    }
    return TS_OK;
}

ts_status ts_mixed_lower(ts_arena *arena, ts_qnet *net, const ts_data *calibration, ts_mixed_cost cost,
                         void *object, ts_widths *widths, ts_diags *diags) {
    chooser c = {.arena = arena, .net = net, .cost = cost, .object = object, .diags = diags};
    return lower(&c, calibration, widths);
}

static ts_status raise(chooser *c, ts_widths *widths) {
    for (uint32_t i = 0; i < c->net->layers.count; i++) {
        if (has_weights(&c->net->layers.data[i])) {
            TS_TRY(raise_weights(c, i, widths));
        }
        if (!ts_qkind_moves(c->net->layers.data[i].kind)) {
            TS_TRY(raise_result(c, i, widths));
        }
    }
    return TS_OK;
}

ts_status ts_mixed_choose(ts_arena *arena, ts_qnet *net, const ts_data *calibration, const ts_target *target,
                          ts_widths *widths, const ts_progress *progress, ts_mixed *out, ts_diags *diags) {
    uint32_t count = net->layers.count;
    chooser c = {.arena = arena,
                 .net = net,
                 .sample = *calibration,
                 .target = target,
                 .progress = progress,
                 .diags = diags};
    uint64_t *before = TS_NEW_ARRAY(arena, uint64_t, count), *after = TS_NEW_ARRAY(arena, uint64_t, count);
    if (strcmp(target->platform, "host") == 0) {
        return ts_error(diags, TS_DIAG_USAGE, NULL, NULL, "target host has no cycles; a simulated chip has");
    }
    c.sample.count = 1;
    *out = (ts_mixed){.before = ts_arena_copy(arena, widths, count * sizeof *widths),
                      .after = widths,
                      .cycles_before = before,
                      .cycles_after = after};
    TS_TRY(measure(&c, widths, before));
    out->total_before = total(before, count);
    TS_TRY(lower(&c, calibration, widths));
    TS_TRY(raise(&c, widths));
    TS_TRY(measure(&c, widths, after));
    TS_TRY(repair(&c, out, widths, after));
    out->total_after = total(after, count);
    out->runs = c.runs;
    return TS_OK;
}
