#include <math.h>
#include <string.h>

#include "base/random.h"
#include "train/internal.h"

typedef struct builder {
    ts_trainer *t;
    bool *learned; /* by tensor: behind a parameter, or one */
    ts_diags *diags;
} builder;

static ts_status refuse(const builder *b, const ts_fnode *n, const char *what) {
    return ts_error(b->diags, TS_DIAG_UNSUPPORTED, n->name, ts_fop_name(n->op), "%s", what);
}

static const ts_ftensor *tensor_of(const builder *b, ts_tensor_id id) {
    return &b->t->graph->tensors.data[id];
}

uint32_t ts__channels(const ts_ftensor *tensor) {
    return tensor->rank == 0 ? 1 : tensor->dims[tensor->rank - 1];
}

uint64_t ts__rows(const ts__step *s) { return s->y->elements * s->t->batch / ts__channels(s->out); }

static ts_fgraph *copy_graph(ts_arena *arena, const ts_fgraph *from) {
    ts_fgraph *g = ts_fgraph_new(arena, from->name);
    for (uint32_t i = 0; i < from->tensors.count; i++) {
        TS_PUSH(arena, &g->tensors, from->tensors.data[i]);
    }
    for (uint32_t i = 0; i < from->nodes.count; i++) {
        TS_PUSH(arena, &g->nodes, from->nodes.data[i]);
    }
    for (uint32_t i = 0; i < from->inputs.count; i++) {
        TS_PUSH(arena, &g->inputs, from->inputs.data[i]);
    }
    for (uint32_t i = 0; i < from->outputs.count; i++) {
        TS_PUSH(arena, &g->outputs, from->outputs.data[i]);
    }
    g->results = from->results;
    return g;
}

/* ---- parameters ---- */

static uint32_t add_param(ts_trainer *t, const ts_param *param) {
    ts_param p = *param;
    p.image = p.value;
    p.gradient = TS_NEW_ARRAY(t->arena, float, p.count);
    for (uint32_t k = 0; k < 2; k++) {
        p.moment[k] = TS_NEW_ARRAY(t->arena, float, p.count);
    }
    p.rate = 1;
    p.decays = p.kind == TS_PARAM_WEIGHTS;
    TS_PUSH(t->arena, &t->params, p);
    return t->params.count - 1;
}

static void add_constant(builder *b, ts_node_id node, ts_tensor_id id, ts_param_kind kind) {
    ts_trainer *t = b->t;
    if (t->param_of[id] != TS_NONE) {
        return;
    }
    ts__value *v = &t->values[id];
    ts_param p = {.name = t->graph->tensors.data[id].name,
                  .kind = kind,
                  .node = node,
                  .tensor = id,
                  .count = v->elements,
                  .value = v->data};
    t->param_of[id] = add_param(t, &p);
    v->gradient = t->params.data[t->param_of[id]].gradient;
    b->learned[id] = true;
}

static void add_step(builder *b, ts_node_id node) {
    const ts_fnode *n = &b->t->graph->nodes.data[node];
    float *value = TS_NEW(b->t->arena, float);
    *value = (float)log(n->scale);
    ts_param p = {
        .name = n->name, .kind = TS_PARAM_STEP, .node = node, .tensor = TS_NONE, .count = 1, .value = value};
    b->t->memories[node].step_param = add_param(b->t, &p);
}

/* The constant operand of a node of two, or TS_NONE. */
static uint32_t constant_operand(const builder *b, const ts_fnode *n) {
    for (uint32_t k = 0; k < 2; k++) {
        if (!b->t->values[n->inputs[k]].batched) {
            return k;
        }
    }
    return TS_NONE;
}

static void find_params(builder *b, ts_node_id id) {
    static const ts_param_kind kinds[] = {TS_PARAM_WEIGHTS, TS_PARAM_WEIGHTS, TS_PARAM_BIAS};
    const ts_fnode *n = &b->t->graph->nodes.data[id];
    uint32_t k;
    switch (n->op) {
        case TS_FOP_CONV:
        case TS_FOP_GEMM:
        case TS_FOP_MATMUL:
            for (k = 1; k < n->input_count; k++) {
                add_constant(b, id, n->inputs[k], kinds[k]);
            }
            break;
        case TS_FOP_BATCH_NORM:
            add_constant(b, id, n->inputs[1], TS_PARAM_GAIN);
            add_constant(b, id, n->inputs[2], TS_PARAM_SHIFT);
            break;
        case TS_FOP_ADD:
            k = constant_operand(b, n);
            if (k != TS_NONE && b->learned[n->inputs[1 - k]]) {
                add_constant(b, id, n->inputs[k], TS_PARAM_BIAS);
            }
            break;
        case TS_FOP_FAKE_QUANT:
            if (tensor_of(b, n->inputs[0])->producer != TS_NONE) {
                add_step(b, id);
            }
            break;
        default:
            break;
    }
}

/* ---- what nodes need ---- */

static ts_status prepare_conv(builder *b, ts_node_id id) {
    const ts_fnode *n = &b->t->graph->nodes.data[id];
    const ts_ftensor *x = tensor_of(b, n->inputs[0]), *y = tensor_of(b, n->output);
    bool flat = x->rank == 3;
    ts__conv_shape shape = {.batch = b->t->batch,
                            .h = flat ? 1 : x->dims[1],
                            .w = x->dims[x->rank - 2],
                            .c = ts__channels(x),
                            .out_h = flat ? 1 : y->dims[1],
                            .out_w = y->dims[y->rank - 2],
                            .out_c = ts__channels(y),
                            .groups = n->groups,
                            .window = n->window,
                            .has_bias = n->input_count == 3,
                            .wants_input = b->learned[n->inputs[0]]};
    if (flat) {
        shape.window.kernel_h = shape.window.stride_h = shape.window.dilation_h = 1;
        shape.window.pad_top = shape.window.pad_bottom = 0;
    }
    for (uint32_t k = 1; k < n->input_count; k++) {
        if (ts_trainer_param_of(b->t, n->inputs[k])->node != id) {
            return refuse(b, n, "shares its weights with another node; that is not trained");
        }
    }
    return ts__conv_new(b->t->backend, b->t->arena, &shape, &b->t->memories[id].conv, n, b->diags);
}

/* Element of an operand for each element of the result, where that is not the same. */
static uint32_t *find_map(builder *b, const ts_ftensor *x, const ts_ftensor *y) {
    uint64_t count = ts_ftensor_elements(y), stride[TS_MAX_RANK], step = 1;
    if (ts_ftensor_elements(x) == count) {
        return NULL;
    }
    for (uint32_t i = 0; i < y->rank; i++) {
        uint32_t size = i < x->rank ? x->dims[x->rank - 1 - i] : 1;
        stride[y->rank - 1 - i] = size == 1 ? 0 : step;
        step *= size;
    }
    uint32_t *map = TS_NEW_ARRAY(b->t->arena, uint32_t, count);
    for (uint64_t i = 0; i < count; i++) {
        uint64_t rest = i;
        for (uint32_t d = y->rank; d-- > 0; rest /= y->dims[d]) {
            map[i] += (uint32_t)(rest % y->dims[d] * stride[d]);
        }
    }
    return map;
}

static void prepare_norm(builder *b, ts_node_id id) {
    const ts_fnode *n = &b->t->graph->nodes.data[id];
    ts__memory *m = &b->t->memories[id];
    uint32_t channels = ts__channels(tensor_of(b, n->output));
    m->mean = TS_NEW_ARRAY(b->t->arena, float, channels);
    m->deviation = TS_NEW_ARRAY(b->t->arena, float, channels);
    m->sums = TS_NEW_ARRAY(b->t->arena, double, 2 * (uint64_t)channels);
    m->statistics[0] = b->t->values[n->inputs[3]].data;
    m->statistics[1] = b->t->values[n->inputs[4]].data;
}

static ts_status prepare_linear(builder *b, ts_node_id id) {
    const ts_fnode *n = &b->t->graph->nodes.data[id];
    const ts_ftensor *w = tensor_of(b, n->inputs[1]);
    bool gemm = n->op == TS_FOP_GEMM;
    if (w->rank != 2 || (gemm && (n->trans_a || tensor_of(b, n->inputs[0])->dims[0] != 1))) {
        return refuse(b, n, "only rows of activations times a constant matrix are trained");
    }
    return TS_OK;
}

static ts_status prepare_map(builder *b, ts_node_id id) {
    const ts_fnode *n = &b->t->graph->nodes.data[id];
    const ts_ftensor *x = tensor_of(b, n->inputs[0]), *y = tensor_of(b, n->output);
    ts__memory *m = &b->t->memories[id];
    bool chooses = n->op == TS_FOP_SLICE || n->op == TS_FOP_RESIZE;
    if ((n->op == TS_FOP_TRANSPOSE && n->perm[0] != 0) || (chooses && y->dims[0] != x->dims[0]) ||
        (n->op == TS_FOP_PAD && (n->pad_mode != TS_PAD_CONSTANT || n->begin[0] + n->end[0] != 0))) {
        return refuse(b, n, "moves elements between samples, or pads by other elements; that is not trained");
    }
    m->places = TS_NEW_ARRAY(b->t->arena, uint32_t, ts_ftensor_elements(n->op == TS_FOP_REDUCE_MEAN ? x : y));
    if (n->op == TS_FOP_REDUCE_MEAN) {
        ts__find_sums(n, x, m->places);
    } else {
        ts__find_sources(n, x, y, m->places);
    }
    return TS_OK;
}

static ts_status prepare(builder *b, ts_node_id id) {
    const ts_fnode *n = &b->t->graph->nodes.data[id];
    ts__memory *m = &b->t->memories[id];
    const ts_ftensor *y = tensor_of(b, n->output);
    switch (n->op) {
        case TS_FOP_CONV:
            return prepare_conv(b, id);
        case TS_FOP_GEMM:
        case TS_FOP_MATMUL:
            return prepare_linear(b, id);
        case TS_FOP_BATCH_NORM:
            prepare_norm(b, id);
            return TS_OK;
        case TS_FOP_ADD:
        case TS_FOP_SUB:
        case TS_FOP_MUL:
        case TS_FOP_DIV:
            m->map[0] = find_map(b, tensor_of(b, n->inputs[0]), y);
            m->map[1] = find_map(b, tensor_of(b, n->inputs[1]), y);
            return TS_OK;
        case TS_FOP_MAX_POOL:
            m->places = TS_NEW_ARRAY(b->t->arena, uint32_t, ts_ftensor_elements(y) * b->t->batch);
            /* fallthrough */
        case TS_FOP_AVG_POOL:
            m->window =
                TS_NEW_ARRAY(b->t->arena, uint32_t, (uint64_t)n->window.kernel_h * n->window.kernel_w);
            return TS_OK;
        case TS_FOP_PAD:
        case TS_FOP_SLICE:
        case TS_FOP_RESIZE:
        case TS_FOP_TRANSPOSE:
        case TS_FOP_REDUCE_MEAN:
            return prepare_map(b, id);
        case TS_FOP_CONCAT:
        case TS_FOP_SOFTMAX:
        case TS_FOP_LOG_SOFTMAX:
            return n->axis == 0 ? refuse(b, n, "works across samples; that is not trained") : TS_OK;
        default:
            return TS_OK;
    }
}

typedef struct passes passes;
static bool is_trained(ts_fop op);

/* Operands that have to be constants, and the others not. */
static ts_status check_operands(const builder *b, const ts_fnode *n) {
    if (!is_trained(n->op)) {
        return refuse(b, n, "this operator is not trained");
    }
    bool weighted =
        n->op == TS_FOP_CONV || n->op == TS_FOP_GEMM || n->op == TS_FOP_MATMUL || n->op == TS_FOP_BATCH_NORM;
    bool binary = n->op == TS_FOP_ADD || n->op == TS_FOP_SUB || n->op == TS_FOP_MUL || n->op == TS_FOP_DIV;
    for (uint32_t k = 0; k < n->input_count; k++) {
        bool batched = b->t->values[n->inputs[k]].batched;
        if (weighted && batched != (k == 0)) {
            return refuse(b, n, "weights that are no constants, or a constant input, are not trained");
        }
        if (!weighted && !binary && !batched) {
            return refuse(b, n, "a constant input is not trained; fold the graph first");
        }
    }
    return TS_OK;
}

static ts_status add_node(builder *b, ts_node_id id) {
    ts_trainer *t = b->t;
    const ts_fnode *n = &t->graph->nodes.data[id];
    TS_TRY(check_operands(b, n));
    find_params(b, id);
    ts__value *y = &t->values[n->output];
    bool has_step = t->memories[id].step_param != TS_NONE;
    b->learned[n->output] = has_step;
    for (uint32_t k = 0; k < n->input_count; k++) {
        b->learned[n->output] = b->learned[n->output] || b->learned[n->inputs[k]];
    }
    y->elements = ts_ftensor_elements(tensor_of(b, n->output));
    y->batched = true;
    y->data = TS_NEW_ARRAY(t->arena, float, y->elements * t->batch);
    y->gradient = b->learned[n->output] ? TS_NEW_ARRAY(t->arena, float, y->elements * t->batch) : NULL;
    if (ts_exact(n)) {
        ts__exact_prepare(t, id);
    }
    return prepare(b, id);
}

static void add_tensors(builder *b) {
    ts_trainer *t = b->t;
    for (ts_tensor_id i = 0; i < t->graph->tensors.count; i++) {
        const ts_ftensor *x = tensor_of(b, i);
        t->param_of[i] = TS_NONE;
        t->values[i].elements = ts_ftensor_elements(x);
        if (x->data != NULL) {
            t->values[i].data = ts_arena_copy(t->arena, x->data, t->values[i].elements * sizeof(float));
        }
    }
    ts__value *input = &t->values[t->graph->inputs.data[0]];
    input->batched = true;
    input->data = TS_NEW_ARRAY(t->arena, float, input->elements * t->batch);
}

static ts_status build(builder *b) {
    ts_trainer *t = b->t;
    add_tensors(b);
    for (ts_node_id i = 0; i < t->graph->nodes.count; i++) {
        t->memories[i].step_param = TS_NONE;
        TS_TRY(add_node(b, i));
    }
    for (ts_tensor_id i = 0; i < t->graph->tensors.count; i++) {
        const ts__value *v = &t->values[i];
        uint64_t count = v->elements * (v->batched ? t->batch : 1);
        t->spare_count = v->gradient != NULL && count > t->spare_count ? count : t->spare_count;
    }
    t->spare = TS_NEW_ARRAY(t->arena, float, t->spare_count);
    uint32_t outputs;
    if (t->values[ts_trainer_logits(t, &outputs)].gradient == NULL) {
        return ts_error(b->diags, TS_DIAG_GRAPH, NULL, NULL, "the network has nothing that can be trained");
    }
    return TS_OK;
}

ts_status ts_trainer_new(ts_arena *arena, const ts_fgraph *graph, uint32_t batch, ts_trainer **out,
                         ts_diags *diags) {
    if (!ts_train_available()) {
        return ts_error(diags, TS_DIAG_UNSUPPORTED, NULL, NULL,
                        "this build has no oneDNN, which training needs; install libdnnl-dev and build anew");
    }
    if (graph->inputs.count != 1 || graph->nodes.count == 0 || batch == 0) {
        return ts_error(diags, TS_DIAG_UNSUPPORTED, NULL, NULL,
                        "one input, at least one node and at least one sample a batch are needed");
    }
    ts_trainer *t = TS_NEW(arena, ts_trainer);
    *t = (ts_trainer){.arena = arena, .graph = copy_graph(arena, graph), .batch = batch};
    t->values = TS_NEW_ARRAY(arena, ts__value, graph->tensors.count);
    t->memories = TS_NEW_ARRAY(arena, ts__memory, graph->nodes.count);
    t->param_of = TS_NEW_ARRAY(arena, uint32_t, graph->tensors.count);
    t->backend = ts__backend_new(arena);
    ts_guard_defer((void (*)(void *))ts_trainer_free, t);
    builder b = {.t = t, .learned = TS_NEW_ARRAY(arena, bool, graph->tensors.count), .diags = diags};
    ts_status status = build(&b);
    if (status != TS_OK) {
        ts_trainer_free(t);
        return status;
    }
    *out = t;
    return TS_OK;
}

void ts_trainer_free(ts_trainer *trainer) {
    if (trainer != NULL && trainer->backend != NULL) {
        ts_guard_undefer(trainer);
        ts__backend_free(trainer->backend);
        trainer->backend = NULL;
    }
}

/* ---- access ---- */

ts_fgraph *ts_trainer_graph(ts_trainer *trainer) { return trainer->graph; }

uint32_t ts_trainer_batch(const ts_trainer *trainer) { return trainer->batch; }

ts_param *ts_trainer_params(ts_trainer *trainer, uint32_t *count) {
    *count = trainer->params.count;
    return trainer->params.data;
}

ts_param *ts_trainer_param_of(ts_trainer *trainer, ts_tensor_id tensor) {
    uint32_t i = trainer->param_of[tensor];
    return i == TS_NONE ? NULL : &trainer->params.data[i];
}

ts_param *ts_trainer_step_of(ts_trainer *trainer, ts_node_id node) {
    uint32_t i = trainer->memories[node].step_param;
    return i == TS_NONE ? NULL : &trainer->params.data[i];
}

uint32_t ts_trainer_add_param(ts_trainer *trainer, const char *name, uint64_t count, const float *initial) {
    ts_param p = {.name = name,
                  .kind = TS_PARAM_EXTRA,
                  .node = TS_NONE,
                  .tensor = TS_NONE,
                  .count = count,
                  .value = ts_arena_copy(trainer->arena, initial, count * sizeof *initial)};
    return add_param(trainer, &p);
}

void ts_trainer_split(ts_trainer *trainer, ts_param *param) {
    if (param->image == param->value) {
        param->image = ts_arena_copy(trainer->arena, param->value, param->count * sizeof(float));
        if (param->tensor != TS_NONE) {
            trainer->values[param->tensor].data = param->image;
        }
    }
}

float *ts_trainer_input(ts_trainer *trainer) { return trainer->values[trainer->graph->inputs.data[0]].data; }

void ts_trainer_freeze_norms(ts_trainer *trainer, bool frozen) { trainer->frozen_norms = frozen; }

const float *ts_trainer_value(const ts_trainer *trainer, ts_tensor_id tensor) {
    return trainer->values[tensor].data;
}

const float *ts_trainer_gradient(const ts_trainer *trainer, ts_tensor_id tensor) {
    return trainer->values[tensor].gradient;
}

ts_tensor_id ts_trainer_logits(const ts_trainer *trainer, uint32_t *count) {
    const ts_fgraph *g = trainer->graph;
    ts_tensor_id id = g->outputs.data[0];
    ts_node_id maker = g->tensors.data[id].producer;
    ts_fop last = maker == TS_NONE ? TS_FOP_COUNT : g->nodes.data[maker].op;
    if (last == TS_FOP_SOFTMAX || last == TS_FOP_LOG_SOFTMAX) {
        id = g->nodes.data[maker].inputs[0];
    }
    *count = (uint32_t)ts_ftensor_elements(&g->tensors.data[id]);
    return id;
}

/* Inputs that one element of the result sums over. */
static uint64_t fan_in(const ts_trainer *t, const ts_param *p) {
    const ts_fnode *n = &t->graph->nodes.data[p->node];
    return p->count / ts__channels(&t->graph->tensors.data[n->output]);
}

void ts_trainer_initialise(ts_trainer *trainer, uint64_t seed) {
    ts_random random = ts_random_seed(seed);
    for (uint32_t i = 0; i < trainer->params.count; i++) {
        ts_param *p = &trainer->params.data[i];
        double deviation = p->kind == TS_PARAM_WEIGHTS ? sqrt(2.0 / (double)fan_in(trainer, p)) : 0;
        for (uint64_t k = 0; p->tensor != TS_NONE && k < p->count; k++) {
            p->value[k] = p->kind == TS_PARAM_GAIN ? 1.0f : 0.0f;
            if (p->kind == TS_PARAM_WEIGHTS) {
                p->value[k] = (float)(deviation * ts_random_normal(&random));
            }
        }
    }
    for (ts_node_id i = 0; i < trainer->graph->nodes.count; i++) {
        const ts_fnode *n = &trainer->graph->nodes.data[i];
        ts__memory *m = &trainer->memories[i];
        for (uint32_t c = 0;
             m->statistics[0] != NULL && c < ts__channels(&trainer->graph->tensors.data[n->output]); c++) {
            m->statistics[0][c] = 0.0f;
            m->statistics[1][c] = 1.0f;
        }
    }
}

ts_fgraph *ts_trainer_export(const ts_trainer *trainer, ts_arena *arena, bool images) {
    ts_fgraph *g = copy_graph(arena, trainer->graph);
    for (ts_tensor_id i = 0; i < g->tensors.count; i++) {
        if (g->tensors.data[i].data != NULL) {
            const ts__value *v = &trainer->values[i];
            const ts_param *p =
                trainer->param_of[i] == TS_NONE ? NULL : &trainer->params.data[trainer->param_of[i]];
            const float *from = p != NULL && !images ? p->value : v->data;
            g->tensors.data[i].data = ts_arena_copy(arena, from, v->elements * sizeof(float));
        }
    }
    return g;
}

/* ---- passes ---- */

float *ts__gradient_room(const ts__step *s, uint32_t k) {
    const ts__value *x = s->x[k];
    return x->gradient == NULL ? NULL : x->given ? s->t->spare : x->gradient;
}

void ts__give_gradient(const ts__step *s, uint32_t k, const float *term) {
    ts__value *x = s->x[k];
    uint64_t count = x->elements * (x->batched ? s->t->batch : 1);
    if (x->gradient == NULL) {
        return;
    }
    if (x->given) {
        for (uint64_t i = 0; i < count; i++) {
            x->gradient[i] += term[i];
        }
    } else if (term != x->gradient) {
        memcpy(x->gradient, term, count * sizeof *term);
    }
    x->given = true;
}

static ts__step step_of(ts_trainer *t, ts_node_id id, bool training) {
    const ts_fnode *n = &t->graph->nodes.data[id];
    ts__step s = {.t = t, .node = n, .memory = &t->memories[id], .training = training};
    for (uint32_t k = 0; k < n->input_count; k++) {
        s.in[k] = &t->graph->tensors.data[n->inputs[k]];
        s.x[k] = &t->values[n->inputs[k]];
    }
    s.out = &t->graph->tensors.data[n->output];
    s.y = &t->values[n->output];
    return s;
}

static void conv_forward(const ts__step *s) {
    ts__conv_forward(s->memory->conv, s->x[0]->data, s->x[1]->data,
                     s->node->input_count == 3 ? s->x[2]->data : NULL, s->y->data);
}

static void conv_backward(const ts__step *s) {
    bool has_bias = s->node->input_count == 3;
    float *dx = ts__gradient_room(s, 0);
    ts__conv_backward(s->memory->conv, s->x[0]->data, s->x[1]->data, s->y->gradient, dx, s->x[1]->gradient,
                      has_bias ? s->x[2]->gradient : NULL);
    if (dx != NULL) {
        ts__give_gradient(s, 0, dx);
    }
}

typedef struct product_shape {
    uint64_t rows, columns, inner;
    float alpha;
    bool trans_b;
} product_shape;

static product_shape shape_of(const ts__step *s) {
    product_shape p = {.rows = ts__rows(s), .columns = ts__channels(s->out), .inner = ts__channels(s->in[0])};
    p.alpha = s->node->op == TS_FOP_GEMM ? s->node->alpha : 1.0f;
    p.trans_b = s->node->op == TS_FOP_GEMM && s->node->trans_b;
    return p;
}

static void linear_forward(const ts__step *s) {
    product_shape p = shape_of(s);
    float beta = 0.0f;
    if (s->node->input_count == 3) {
        bool one = s->x[2]->elements == 1;
        for (uint64_t i = 0; i < p.rows * p.columns; i++) {
            s->y->data[i] = s->node->beta * s->x[2]->data[one ? 0 : i % p.columns];
        }
        beta = 1.0f;
    }
    ts__product(false, p.trans_b, p.rows, p.columns, p.inner, p.alpha, s->x[0]->data, s->x[1]->data, beta,
                s->y->data);
}

static void linear_backward(const ts__step *s) {
    product_shape p = shape_of(s);
    const float *dy = s->y->gradient;
    float *dx = ts__gradient_room(s, 0);
    if (dx != NULL) {
        ts__product(false, !p.trans_b, p.rows, p.inner, p.columns, p.alpha, dy, s->x[1]->data, 0.0f, dx);
        ts__give_gradient(s, 0, dx);
    }
    float *dw = ts__gradient_room(s, 1);
    if (p.trans_b) {
        ts__product(true, false, p.columns, p.inner, p.rows, p.alpha, dy, s->x[0]->data, 0.0f, dw);
    } else {
        ts__product(true, false, p.inner, p.columns, p.rows, p.alpha, s->x[0]->data, dy, 0.0f, dw);
    }
    ts__give_gradient(s, 1, dw);
    if (s->node->input_count == 3) {
        float *db = ts__gradient_room(s, 2);
        memset(db, 0, s->x[2]->elements * sizeof *db);
        for (uint64_t i = 0; i < p.rows * p.columns; i++) {
            db[s->x[2]->elements == 1 ? 0 : i % p.columns] += s->node->beta * dy[i];
        }
        ts__give_gradient(s, 2, db);
    }
}

static void copy_forward(const ts__step *s) {
    memcpy(s->y->data, s->x[0]->data, s->y->elements * s->t->batch * sizeof(float));
}

static void copy_backward(const ts__step *s) { ts__give_gradient(s, 0, s->y->gradient); }

struct passes {
    void (*forward)(const ts__step *s);
    void (*backward)(const ts__step *s);
};

/* Operators without a row are not trained: check_operands() refuses them. */
static const passes table[TS_FOP_COUNT] = {
    [TS_FOP_CONV] = {conv_forward, conv_backward},
    [TS_FOP_GEMM] = {linear_forward, linear_backward},
    [TS_FOP_MATMUL] = {linear_forward, linear_backward},
    [TS_FOP_BATCH_NORM] = {ts__norm_forward, ts__norm_backward},
    [TS_FOP_RELU] = {ts__unary_forward, ts__unary_backward},
    [TS_FOP_CLIP] = {ts__unary_forward, ts__unary_backward},
    [TS_FOP_LEAKY_RELU] = {ts__unary_forward, ts__unary_backward},
    [TS_FOP_HARD_SWISH] = {ts__unary_forward, ts__unary_backward},
    [TS_FOP_HARD_SIGMOID] = {ts__unary_forward, ts__unary_backward},
    [TS_FOP_SIGMOID] = {ts__unary_forward, ts__unary_backward},
    [TS_FOP_TANH] = {ts__unary_forward, ts__unary_backward},
    [TS_FOP_ADD] = {ts__binary_forward, ts__binary_backward},
    [TS_FOP_SUB] = {ts__binary_forward, ts__binary_backward},
    [TS_FOP_MUL] = {ts__binary_forward, ts__binary_backward},
    [TS_FOP_DIV] = {ts__binary_forward, ts__binary_backward},
    [TS_FOP_CONCAT] = {ts__concat_forward, ts__concat_backward},
    [TS_FOP_MAX_POOL] = {ts__pool_forward, ts__pool_backward},
    [TS_FOP_AVG_POOL] = {ts__pool_forward, ts__pool_backward},
    [TS_FOP_PAD] = {ts__moved_forward, ts__moved_backward},
    [TS_FOP_SLICE] = {ts__moved_forward, ts__moved_backward},
    [TS_FOP_RESIZE] = {ts__moved_forward, ts__moved_backward},
    [TS_FOP_RESHAPE] = {copy_forward, copy_backward},
    [TS_FOP_TRANSPOSE] = {ts__moved_forward, ts__moved_backward},
    [TS_FOP_SOFTMAX] = {ts__softmax_forward, ts__softmax_backward},
    [TS_FOP_LOG_SOFTMAX] = {ts__softmax_forward, ts__softmax_backward},
    [TS_FOP_REDUCE_MEAN] = {ts__moved_forward, ts__moved_backward},
    [TS_FOP_FAKE_QUANT] = {ts__fake_quant_forward, ts__fake_quant_backward},
};
static bool is_trained(ts_fop op) { return table[op].forward != NULL; }

void ts_trainer_forward(ts_trainer *trainer, bool training) {
    for (uint32_t i = 0; i < trainer->params.count; i++) {
        const ts_param *p = &trainer->params.data[i];
        if (p->kind == TS_PARAM_STEP && p->rate > 0) {
            trainer->graph->nodes.data[p->node].scale = exp((double)p->image[0]);
        }
    }
    for (ts_node_id i = 0; i < trainer->graph->nodes.count; i++) {
        ts__step s = step_of(trainer, i, training);
        if (!ts__exact_forward(&s)) {
            table[s.node->op].forward(&s);
        }
    }
}

void ts_trainer_backward(ts_trainer *trainer) {
    uint32_t outputs;
    ts_tensor_id logits = ts_trainer_logits(trainer, &outputs);
    for (uint32_t i = 0; i < trainer->params.count; i++) {
        memset(trainer->params.data[i].gradient, 0, trainer->params.data[i].count * sizeof(float));
    }
    for (ts_tensor_id i = 0; i < trainer->graph->tensors.count; i++) {
        trainer->values[i].given = i == logits;
    }
    for (ts_node_id i = trainer->graph->nodes.count; i-- > 0;) {
        ts__step s = step_of(trainer, i, true);
        if (s.y->given && s.y->gradient != NULL) {
            table[s.node->op].backward(&s);
        }
    }
}
