#include "prune/prune.h"

#include <math.h>
#include <string.h>

#include "prune/channels.h"

/* An output channel of a node with filters. */
typedef struct slice {
    ts_node_id node;
    uint32_t channel;
    double worth;     /* sum over its weights */
    uint32_t weights; /* how many it still has */
} slice;

/* What lives or dies together. */
typedef struct filter {
    uint32_t family;
    bool pinned, gone;
    TS_VEC(uint32_t) slices;
} filter;

/* A node's layer, for the algorithm: nodes whose filters are tied have the same root. */
typedef struct family {
    uint32_t parent;
    uint32_t alive; /* slices that the node itself has left */
} family;

struct ts_prune {
    const ts_fgraph *graph;
    const ts__channel_map *map;
    ts_prune_criterion criterion;
    ts_prune_choice choice;
    bool weights_apart;
    ts_arena *arena;
    uint32_t *filter_of; /* of each label's root, or TS_NONE */
    TS_VEC(filter) filters;
    TS_VEC(slice) slices;
    uint32_t *first_slice; /* of each node with filters */
    family *families;      /* one a node */
    uint32_t count, gone;
};

static const char *const names[] = {
#define ROW(id, name, help) name,
    TS_PRUNE_CRITERIA(ROW)
#undef ROW
};

static const char *const helps[] = {
#define ROW(id, name, help) help,
    TS_PRUNE_CRITERIA(ROW)
#undef ROW
};

static const char *const choice_names[] = {
#define ROW(id, name, help) name,
    TS_PRUNE_CHOICES(ROW)
#undef ROW
};

static const char *const choice_helps[] = {
#define ROW(id, name, help) help,
    TS_PRUNE_CHOICES(ROW)
#undef ROW
};

const char *ts_prune_choice_name(ts_prune_choice choice) { return choice_names[choice]; }

const char *ts_prune_choice_help(ts_prune_choice choice) { return choice_helps[choice]; }

const char *ts_prune_criterion_name(ts_prune_criterion criterion) { return names[criterion]; }

const char *ts_prune_criterion_help(ts_prune_criterion criterion) { return helps[criterion]; }

uint64_t ts_prune_bytes(const ts_prune_memory *memory, uint32_t bits) {
    return ((memory->parameters + memory->activations + memory->im2col) * bits + 7) / 8;
}

static filter *filter_at(const ts_prune *p, uint32_t label) {
    uint32_t i = p->filter_of[ts__root(p->map, label)];
    return i == TS_NONE ? NULL : &p->filters.data[i];
}

static bool is_gone(const ts_prune *p, uint32_t label) {
    const filter *f = filter_at(p, label);
    return f != NULL && f->gone;
}

static const ts_ftensor *tensor_of(const ts_prune *p, ts_tensor_id id) { return &p->graph->tensors.data[id]; }

static uint32_t family_of(const ts_prune *p, uint32_t node) {
    while (p->families[node].parent != node) {
        node = p->families[node].parent;
    }
    return node;
}

/* ---- worth ---- */

/* Where the weights of a filter node's channel lie: `runs` runs of `length`, `step` apart. */
typedef struct weight_range {
    const float *data;
    uint64_t first, runs, length, step;
} weight_range;

/* The weights of output channel `o`; `i` TS_NONE: of all inputs, else those that read input channel i. */
static weight_range weights_of(const ts_prune *p, const ts_fnode *n, uint32_t o, uint32_t i) {
    const ts_ftensor *w = tensor_of(p, n->inputs[1]);
    bool rows = n->op == TS_FOP_CONV || n->trans_b; /* {out, ..., in}; else {in, out} */
    uint64_t outs = rows ? w->dims[0] : w->dims[1], all = ts_ftensor_elements(w) / outs;
    uint32_t ins = rows ? w->dims[w->rank - 1] : w->dims[0];
    weight_range r = {.data = w->data, .first = rows ? o * all : o, .runs = all, .length = 1};
    r.step = rows ? 1 : outs;
    if (i != TS_NONE) {
        r.first += i * r.step;
        r.runs = all / ins;
        r.step *= ins;
    }
    return r;
}

static double worth_of_weight(ts_prune_criterion criterion, double w, double gradient) {
    switch (criterion) {
        case TS_PRUNE_L2:
            return w * w;
        case TS_PRUNE_TAYLOR:
            return fabs(w * gradient);
        default:
            return fabs(w);
    }
}

static double sum_worth(const ts_prune *p, const float *gradients, const weight_range *r) {
    double sum = 0;
    for (uint64_t k = 0; k < r->runs; k++) {
        uint64_t at = r->first + k * r->step;
        sum +=
            worth_of_weight(p->criterion, (double)r->data[at], gradients == NULL ? 0 : (double)gradients[at]);
    }
    return sum;
}

/* The scale of the batch norm that reads a node's output, for channel `o`; NAN: there is none. */
static double norm_scale(const ts_prune *p, const ts_fnode *n, uint32_t o) {
    for (uint32_t i = 0; i < p->graph->nodes.count; i++) {
        const ts_fnode *reader = &p->graph->nodes.data[i];
        if (reader->op == TS_FOP_BATCH_NORM && reader->inputs[0] == n->output) {
            return fabs((double)tensor_of(p, reader->inputs[1])->data[o]);
        }
    }
    return NAN;
}

static double worth_of_slice(const ts_prune *p, const slice *s) {
    double mean = s->weights == 0 ? 0 : s->worth / s->weights;
    return p->criterion == TS_PRUNE_L2 ? sqrt(mean) : p->criterion == TS_PRUNE_L1 ? mean : s->worth;
}

static double worth_of_filter(const ts_prune *p, const filter *f) {
    double sum = 0;
    for (uint32_t i = 0; i < f->slices.count; i++) {
        sum += worth_of_slice(p, &p->slices.data[f->slices.data[i]]);
    }
    return sum;
}

/* ---- making ---- */

static filter *take_filter(ts_prune *p, uint32_t label, uint32_t node) {
    uint32_t root = ts__root(p->map, label);
    if (p->filter_of[root] == TS_NONE) {
        filter f = {.family = node, .pinned = p->map->pinned.data[root]};
        p->filter_of[root] = p->filters.count;
        TS_PUSH(p->arena, &p->filters, f);
    }
    return &p->filters.data[p->filter_of[root]];
}

static ts_status take_node(ts_prune *p, ts_node_id id, const ts_prune_options *options, ts_diags *diags) {
    const ts_fnode *n = &p->graph->nodes.data[id];
    const ts__channels *c = &p->map->tensors[n->output];
    const float *gradients = options->criterion == TS_PRUNE_TAYLOR ? options->gradients[n->inputs[1]] : NULL;
    p->first_slice[id] = p->slices.count;
    for (uint32_t o = 0; c->axis != TS_NONE && o < tensor_of(p, n->output)->dims[c->axis]; o++) {
        weight_range r = weights_of(p, n, o, TS_NONE);
        slice s = {.node = id, .channel = o, .weights = (uint32_t)r.runs};
        filter *f = take_filter(p, c->labels[o], id);
        s.worth = p->criterion == TS_PRUNE_NORM ? norm_scale(p, n, o) : sum_worth(p, gradients, &r);
        if (isnan(s.worth) && !f->pinned) {
            return ts_error(diags, TS_DIAG_UNSUPPORTED, n->name, ts_fop_name(n->op),
                            "the criterion 'bn' needs a batch norm behind each layer; 'l1' does not");
        }
        TS_PUSH(p->arena, &f->slices, p->slices.count);
        TS_PUSH(p->arena, &p->slices, s);
        p->families[family_of(p, id)].parent = family_of(p, f->family);
        p->families[id].alive++;
    }
    return TS_OK;
}

ts_status ts_prune_new(ts_arena *arena, const ts_fgraph *graph, const ts_prune_options *options,
                       ts_prune **out, ts_diags *diags) {
    ts_prune *p = TS_NEW(arena, ts_prune);
    *p = (ts_prune){.graph = graph,
                    .criterion = options->criterion,
                    .choice = options->choice,
                    .weights_apart = options->weights_apart,
                    .arena = arena};
    p->map = ts__channels_find(arena, graph);
    p->filter_of = TS_NEW_ARRAY(arena, uint32_t, p->map->parent.count);
    p->first_slice = TS_NEW_ARRAY(arena, uint32_t, graph->nodes.count);
    p->families = TS_NEW_ARRAY(arena, family, graph->nodes.count);
    for (uint32_t i = 0; i < p->map->parent.count; i++) {
        p->filter_of[i] = TS_NONE;
    }
    for (uint32_t i = 0; i < graph->nodes.count; i++) {
        p->families[i].parent = i;
    }
    for (uint32_t i = 0; i < graph->nodes.count; i++) {
        if (ts__has_filters(graph, &graph->nodes.data[i])) {
            TS_TRY(take_node(p, i, options, diags));
        }
    }
    for (uint32_t i = 0; i < p->filters.count; i++) {
        filter *f = &p->filters.data[i];
        f->family = family_of(p, f->family);
        p->count += !f->pinned;
    }
    *out = p;
    return TS_OK;
}

uint32_t ts_prune_count(const ts_prune *prune) { return prune->count; }

uint32_t ts_prune_gone(const ts_prune *prune) { return prune->gone; }

/* ---- the algorithm ---- */

/* Whether a filter may go: not pinned, and no node loses its last channel with it. */
static bool may_go(const ts_prune *p, const filter *f) {
    if (f->pinned || f->gone) {
        return false;
    }
    for (uint32_t i = 0; i < f->slices.count; i++) {
        uint32_t node = p->slices.data[f->slices.data[i]].node, own = 0;
        for (uint32_t k = 0; k < f->slices.count; k++) {
            own += p->slices.data[f->slices.data[k]].node == node;
        }
        if (own >= p->families[node].alive) {
            return false;
        }
    }
    return true;
}

/* A layer as the algorithm sees it: its filters that may go. */
typedef struct choice {
    double sum; /* of worth */
    uint32_t had, has;
    uint32_t least; /* filter, or TS_NONE */
} choice;

static choice *look(const ts_prune *p, ts_arena *scratch) {
    choice *all = TS_NEW_ARRAY(scratch, choice, p->graph->nodes.count);
    for (uint32_t i = 0; i < p->graph->nodes.count; i++) {
        all[i].least = TS_NONE;
    }
    for (uint32_t i = 0; i < p->filters.count; i++) {
        const filter *f = &p->filters.data[i];
        choice *c = &all[f->family];
        c->had += !f->pinned;
        if (may_go(p, f)) {
            double worth = worth_of_filter(p, f);
            c->sum += worth;
            c->has++;
            bool less = c->least == TS_NONE || worth < worth_of_filter(p, &p->filters.data[c->least]);
            c->least = less ? i : c->least;
        }
    }
    return all;
}

/* Elements that count for what has to fit. Weights that lie elsewhere decide between equals alone. */
static double size_of(const ts_prune *p, const ts_prune_memory *m) {
    double weights = (double)m->parameters;
    return (p->weights_apart ? weights / 1024 : weights) + (double)(m->activations + m->im2col);
}

/* What the loss of a layer's least filter costs, for each element that it frees. */
static double price(ts_prune *p, const choice *c, double now) {
    filter *f = &p->filters.data[c->least];
    f->gone = true;
    ts_prune_memory m = ts_prune_measure(p);
    f->gone = false;
    double freed = now - size_of(p, &m), worth = worth_of_filter(p, f);
    double cost = p->criterion == TS_PRUNE_TAYLOR ? worth * c->had / c->has : c->sum > 0 ? worth / c->sum : 0;
    return cost / fmax(freed, 1e-3);
}

static uint32_t next_filter(ts_prune *p) {
    ts_arena *scratch = ts_arena_new("choice", 0);
    const choice *all = look(p, scratch);
    ts_prune_memory m = ts_prune_measure(p);
    double now = size_of(p, &m);
    uint32_t next = TS_NONE;
    double lowest = INFINITY;
    for (uint32_t i = 0; i < p->graph->nodes.count; i++) {
        if (all[i].least == TS_NONE) {
            continue;
        }
        double v = p->choice == TS_PRUNE_BY_LAYER ? all[i].sum / all[i].has : price(p, &all[i], now);
        if (v < lowest || next == TS_NONE) {
            lowest = v;
            next = all[i].least;
        }
    }
    ts_arena_free(scratch);
    return next;
}

/* The weights that read input channel `i` of a node count no longer. */
static void forget_input(ts_prune *p, ts_node_id id, uint32_t i) {
    const ts_fnode *n = &p->graph->nodes.data[id];
    const ts__channels *c = &p->map->tensors[n->output];
    for (uint32_t o = 0; c->axis != TS_NONE && o < tensor_of(p, n->output)->dims[c->axis]; o++) {
        weight_range r = weights_of(p, n, o, i);
        slice *s = &p->slices.data[p->first_slice[id] + o];
        s->weights -= (uint32_t)r.runs;
        if (p->criterion == TS_PRUNE_L1 || p->criterion == TS_PRUNE_L2) {
            s->worth -= sum_worth(p, NULL, &r);
        }
    }
}

static void forget(ts_prune *p, const filter *gone) {
    for (uint32_t id = 0; id < p->graph->nodes.count; id++) {
        const ts_fnode *n = &p->graph->nodes.data[id];
        const ts__channels *x = &p->map->tensors[n->inputs[0]];
        if (!ts__has_filters(p->graph, n) || x->axis != tensor_of(p, n->inputs[0])->rank - 1) {
            continue;
        }
        for (uint32_t i = 0; i < tensor_of(p, n->inputs[0])->dims[x->axis]; i++) {
            if (filter_at(p, x->labels[i]) == gone) {
                forget_input(p, id, i);
            }
        }
    }
}

bool ts_prune_step(ts_prune *prune) {
    uint32_t next = next_filter(prune);
    if (next == TS_NONE) {
        return false;
    }
    filter *f = &prune->filters.data[next];
    f->gone = true;
    for (uint32_t i = 0; i < f->slices.count; i++) {
        prune->families[prune->slices.data[f->slices.data[i]].node].alive--;
    }
    prune->gone++;
    forget(prune, f);
    return true;
}

void ts_prune_layer(const ts_prune *prune, ts_node_id node, uint32_t *had, uint32_t *has) {
    const ts_fnode *n = &prune->graph->nodes.data[node];
    const ts__channels *c = &prune->map->tensors[n->output];
    *had = *has = 0;
    if (!ts__has_filters(prune->graph, n) || c->axis == TS_NONE) {
        return;
    }
    *had = tensor_of(prune, n->output)->dims[c->axis];
    for (uint32_t o = 0; o < *had; o++) {
        *has += !is_gone(prune, c->labels[o]);
    }
}

/* ---- equation 1 ---- */

static uint32_t alive(const ts_prune *p, const uint32_t *labels, uint32_t count) {
    uint32_t left = 0;
    for (uint32_t i = 0; i < count; i++) {
        left += labels == NULL || !is_gone(p, labels[i]);
    }
    return left;
}

static uint64_t elements_now(const ts_prune *p, ts_tensor_id id) {
    const ts_ftensor *t = tensor_of(p, id);
    const ts__channels *c = &p->map->tensors[id];
    uint64_t all = ts_ftensor_elements(t);
    return c->axis == TS_NONE ? all : all / t->dims[c->axis] * alive(p, c->labels, t->dims[c->axis]);
}

static uint64_t constant_now(const ts_prune *p, const ts_fnode *n, uint32_t k) {
    const ts_ftensor *t = tensor_of(p, n->inputs[k]);
    uint64_t count = 1;
    for (uint32_t d = 0; d < t->rank; d++) {
        count *= alive(p, ts__constant_labels(p->map, n, k, d), t->dims[d]);
    }
    return count;
}

/* Operators that are computed in place or folded into the layer before them. */
static bool is_layer(const ts_fnode *n) {
    switch (n->op) {
        case TS_FOP_CONV:
        case TS_FOP_GEMM:
        case TS_FOP_MATMUL:
        case TS_FOP_MAX_POOL:
        case TS_FOP_AVG_POOL:
        case TS_FOP_CONCAT:
        case TS_FOP_REDUCE_MEAN:
            return true;
        default:
            return false;
    }
}

static void measure_node(const ts_prune *p, const ts_fnode *n, ts_prune_memory *m) {
    uint64_t traffic = elements_now(p, n->output), parameters = 0;
    bool reads_two = false;
    for (uint32_t k = 0; k < n->input_count; k++) {
        bool constant = tensor_of(p, n->inputs[k])->data != NULL;
        reads_two = reads_two || (k > 0 && !constant);
        traffic += constant ? 0 : elements_now(p, n->inputs[k]);
        if (constant && (n->op == TS_FOP_CONV || n->op == TS_FOP_GEMM || n->op == TS_FOP_MATMUL)) {
            parameters += constant_now(p, n, k);
        }
    }
    m->parameters += parameters;
    if (parameters > m->heaviest_parameters) {
        m->heaviest_parameters = parameters;
        m->heaviest = n->name;
    }
    if ((is_layer(n) || reads_two) && traffic > m->activations) {
        m->activations = traffic;
        m->widest = n->name;
    }
    if (n->op == TS_FOP_CONV) {
        const ts_ftensor *w = tensor_of(p, n->inputs[1]);
        uint64_t outs = alive(p, ts__constant_labels(p->map, n, 1, 0), w->dims[0]);
        uint64_t columns = 2 * constant_now(p, n, 1) / outs;
        m->im2col = columns > m->im2col ? columns : m->im2col;
    }
}

/* A batch norm behind a layer without bias becomes its bias. */
static uint64_t folded_biases(const ts_prune *p, const ts_fnode *norm) {
    ts_node_id before = tensor_of(p, norm->inputs[0])->producer;
    const ts_fnode *n = before == TS_NONE ? NULL : &p->graph->nodes.data[before];
    return n != NULL && n->op == TS_FOP_CONV && n->input_count == 2 ? constant_now(p, norm, 2) : 0;
}

ts_prune_memory ts_prune_measure(const ts_prune *prune) {
    ts_prune_memory m = {0};
    for (uint32_t i = 0; i < prune->graph->nodes.count; i++) {
        const ts_fnode *n = &prune->graph->nodes.data[i];
        measure_node(prune, n, &m);
        m.parameters += n->op == TS_FOP_BATCH_NORM ? folded_biases(prune, n) : 0;
    }
    return m;
}

/* ---- the pruned graph ---- */

typedef struct rebuild {
    const ts_prune *p;
    ts_arena *arena;
    ts_fgraph *out;
    ts_tensor_id *tensors; /* new ids of activations */
    ts_diags *diags;
} rebuild;

/* Copies the elements whose slices are alive along every dimension. */
static ts_tensor_id cut_constant(const rebuild *r, const ts_fnode *n, uint32_t k) {
    const ts_ftensor *t = tensor_of(r->p, n->inputs[k]);
    const uint32_t *labels[TS_MAX_RANK] = {NULL};
    uint32_t dims[TS_MAX_RANK];
    uint64_t total = ts_ftensor_elements(t), kept = 0;
    for (uint32_t d = 0; d < t->rank; d++) {
        labels[d] = ts__constant_labels(r->p->map, n, k, d);
        dims[d] = alive(r->p, labels[d], t->dims[d]);
    }
    float *data = TS_NEW_ARRAY(r->arena, float, total);
    for (uint64_t e = 0; e < total; e++) {
        uint64_t rest = e;
        bool stays = true;
        for (uint32_t d = t->rank; d-- > 0; rest /= t->dims[d]) {
            stays = stays && (labels[d] == NULL || !is_gone(r->p, labels[d][rest % t->dims[d]]));
        }
        if (stays) {
            data[kept++] = t->data[e];
        }
    }
    return ts_fgraph_add_constant(r->out, t->name, t->rank, dims, data);
}

static ts_ftensor shape_now(const rebuild *r, ts_tensor_id id) {
    ts_ftensor t = *tensor_of(r->p, id);
    const ts__channels *c = &r->p->map->tensors[id];
    if (c->axis != TS_NONE) {
        t.dims[c->axis] = alive(r->p, c->labels, t.dims[c->axis]);
    }
    return t;
}

static ts_status rebuild_node(const rebuild *r, const ts_fnode *from) {
    ts_fnode n = *from;
    ts_ftensor given = shape_now(r, from->output);
    for (uint32_t k = 0; k < n.input_count; k++) {
        bool constant = tensor_of(r->p, from->inputs[k])->data != NULL;
        n.inputs[k] = constant ? cut_constant(r, from, k) : r->tensors[from->inputs[k]];
    }
    if (ts__is_depthwise(r->p->graph, from)) {
        const ts_ftensor *x = &r->out->tensors.data[n.inputs[0]];
        n.groups = x->dims[x->rank - 1];
    }
    return ts_fgraph_add_node(r->out, &n, tensor_of(r->p, from->output)->name, &given,
                              &r->tensors[from->output], r->diags);
}

ts_status ts_prune_apply(const ts_prune *prune, ts_arena *arena, ts_fgraph **out, ts_diags *diags) {
    const ts_fgraph *g = prune->graph;
    rebuild r = {.p = prune, .arena = arena, .out = ts_fgraph_new(arena, g->name), .diags = diags};
    r.tensors = TS_NEW_ARRAY(arena, ts_tensor_id, g->tensors.count);
    for (uint32_t i = 0; i < g->inputs.count; i++) {
        ts_tensor_id id = g->inputs.data[i];
        r.tensors[id] = ts_fgraph_add_tensor(r.out, tensor_of(prune, id));
        TS_PUSH(arena, &r.out->inputs, r.tensors[id]);
    }
    for (uint32_t i = 0; i < g->nodes.count; i++) {
        TS_TRY(rebuild_node(&r, &g->nodes.data[i]));
    }
    for (uint32_t i = 0; i < g->outputs.count; i++) {
        TS_PUSH(arena, &r.out->outputs, r.tensors[g->outputs.data[i]]);
    }
    *out = r.out;
    return TS_OK;
}

/* Zeroes the weights that read what is gone. */
static const float *masked(const ts_prune *p, ts_arena *arena, const ts_fnode *n) {
    const ts_ftensor *w = tensor_of(p, n->inputs[1]), *x = tensor_of(p, n->inputs[0]);
    const ts__channels *in = &p->map->tensors[n->inputs[0]];
    float *data = ts_arena_copy(arena, w->data, ts_ftensor_elements(w) * sizeof *data);
    uint64_t outs = n->op == TS_FOP_CONV || n->trans_b ? w->dims[0] : w->dims[1];
    if (in->axis != x->rank - 1) {
        return data;
    }
    for (uint32_t i = 0; i < x->dims[in->axis]; i++) {
        for (uint32_t o = 0; o < outs && is_gone(p, in->labels[i]); o++) {
            weight_range r = weights_of(p, n, o, i);
            for (uint64_t k = 0; k < r.runs; k++) {
                data[r.first + k * r.step] = 0;
            }
        }
    }
    return data;
}

ts_fgraph *ts_prune_mask(const ts_prune *prune, ts_arena *arena) {
    const ts_fgraph *g = prune->graph;
    ts_fgraph *out = ts_fgraph_new(arena, g->name);
    out->results = g->results;
    for (uint32_t i = 0; i < g->tensors.count; i++) {
        TS_PUSH(arena, &out->tensors, g->tensors.data[i]);
    }
    for (uint32_t i = 0; i < g->nodes.count; i++) {
        const ts_fnode *n = &g->nodes.data[i];
        TS_PUSH(arena, &out->nodes, *n);
        if (ts__has_filters(g, n)) {
            out->tensors.data[n->inputs[1]].data = masked(prune, arena, n);
        }
    }
    for (uint32_t i = 0; i < g->inputs.count; i++) {
        TS_PUSH(arena, &out->inputs, g->inputs.data[i]);
    }
    for (uint32_t i = 0; i < g->outputs.count; i++) {
        TS_PUSH(arena, &out->outputs, g->outputs.data[i]);
    }
    return out;
}
