/* Convolutions and matrix products of a training batch by oneDNN 2.6's C API. */
#include <dnnl.h>
#include <string.h>

#include "train/internal.h"

enum { SOURCE, WEIGHTS, BIAS, RESULT, OPERANDS };
enum { FORWARD, BY_INPUT, BY_WEIGHTS, PASSES };

/* One pass of one convolution. Weights lie as the primitive likes them: `turn` copies ours there (or back).
 */
typedef struct pass {
    dnnl_primitive_desc_t desc;
    dnnl_primitive_t primitive, turn;
    dnnl_memory_t memory[OPERANDS], ours;
    void *inner; /* the primitive's weights where `turn` is there */
} pass;

/* A convolution of 1 x 1 with a stride reads every so many pixels: they are picked first and the stride is
 * gone. oneDNN 2.6.3 would do the same, but its backward pass by weights then writes beyond its own memory
 * where channels do not fill its vectors (8 of 60 x 60). */
struct ts__conv {
    struct ts__backend *backend;
    struct ts__conv *next;
    pass passes[PASSES];
    float *picked; /* NULL: nothing to pick */
    ts__conv_shape whole;
};

struct ts__backend {
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    struct ts__conv *convs; /* all of them, to be released */
};

bool ts_train_available(void) { return true; }

/* oneDNN brings the OpenMP library along; a build of oneDNN without it has one thread and no such function.
 */
extern void omp_set_num_threads(int count) __attribute__((weak));

/* Two threads on a busy machine spin more than they compute, and other bits come out: one, until somebody
 * asks. */
static bool threads_chosen;

void ts_train_threads(uint32_t count) {
    threads_chosen = true;
    if (omp_set_num_threads != NULL) {
        omp_set_num_threads((int)count);
    }
}

struct ts__backend *ts__backend_new(ts_arena *arena) {
    struct ts__backend *b = TS_NEW(arena, struct ts__backend);
    if (!threads_chosen) {
        ts_train_threads(1);
    }
    bool made = dnnl_engine_create(&b->engine, dnnl_cpu, 0) == dnnl_success &&
                dnnl_stream_create(&b->stream, b->engine, dnnl_stream_default_flags) == dnnl_success;
    TS_ASSERT(made, "train: oneDNN has a processor");
    return b;
}

static void free_pass(pass *p) {
    for (uint32_t i = 0; i < OPERANDS; i++) {
        dnnl_memory_destroy(p->memory[i]);
    }
    dnnl_memory_destroy(p->ours);
    dnnl_primitive_destroy(p->primitive);
    dnnl_primitive_destroy(p->turn);
    dnnl_primitive_desc_destroy(p->desc);
}

void ts__backend_free(struct ts__backend *backend) {
    for (struct ts__conv *c = backend->convs; c != NULL; c = c->next) {
        for (uint32_t i = 0; i < PASSES; i++) {
            free_pass(&c->passes[i]);
        }
    }
    dnnl_stream_destroy(backend->stream);
    dnnl_engine_destroy(backend->engine);
}

/* Everything that a convolution's descriptors are made of. The header wants twelve elements an array. */
typedef struct plan {
    dnnl_memory_desc_t x, y, ours, any, bias;
    dnnl_dims_t strides, dilations, before, after;
    bool has_bias;
} plan;

static bool picks(const ts__conv_shape *s) {
    const ts_window *n = &s->window;
    return n->kernel_h == 1 && n->kernel_w == 1 && (n->stride_h != 1 || n->stride_w != 1) &&
           n->pad_top + n->pad_left + n->pad_bottom + n->pad_right == 0;
}

static ts__conv_shape picked_shape(const ts__conv_shape *s) {
    ts__conv_shape p = *s;
    p.h = s->out_h;
    p.w = s->out_w;
    p.window.stride_h = p.window.stride_w = 1;
    return p;
}

/* Copies the pixels that count out of `x`, or with `back` from the picked ones to their places in `x`. */
static void pick(const ts__conv_shape *s, float *x, float *picked, bool back) {
    size_t bytes = s->c * sizeof *x;
    for (size_t n = 0; n < s->batch; n++) {
        for (size_t y = 0; y < s->out_h; y++) {
            for (size_t i = 0; i < s->out_w; i++, picked += s->c) {
                float *at = x + ((n * s->h + y * s->window.stride_h) * s->w + i * s->window.stride_w) * s->c;
                memcpy(back ? at : picked, back ? picked : at, bytes);
            }
        }
    }
}

static void describe(const ts__conv_shape *s, plan *p) {
    const ts_window *n = &s->window;
    bool grouped = s->groups != 1;
    int64_t inner = s->c / s->groups, outer = s->out_c / s->groups, kh = n->kernel_h, kw = n->kernel_w;
    dnnl_dims_t x = {s->batch, s->c, s->h, s->w}, y = {s->batch, s->out_c, s->out_h, s->out_w};
    dnnl_dims_t plain = {s->out_c, inner, kh, kw}, groups = {s->groups, outer, inner, kh, kw};
    dnnl_dims_t plain_steps = {kh * kw * inner, 1, kw * inner, inner};
    dnnl_dims_t group_steps = {outer * kh * kw * inner, kh * kw * inner, 1, kw * inner, inner};
    dnnl_dims_t channels = {s->out_c};
    dnnl_memory_desc_init_by_tag(&p->x, 4, x, dnnl_f32, dnnl_nhwc);
    dnnl_memory_desc_init_by_tag(&p->y, 4, y, dnnl_f32, dnnl_nhwc);
    dnnl_memory_desc_init_by_tag(&p->bias, 1, channels, dnnl_f32, dnnl_a);
    dnnl_memory_desc_init_by_tag(&p->any, grouped ? 5 : 4, grouped ? groups : plain, dnnl_f32,
                                 dnnl_format_tag_any);
    dnnl_memory_desc_init_by_strides(&p->ours, grouped ? 5 : 4, grouped ? groups : plain, dnnl_f32,
                                     grouped ? group_steps : plain_steps);
    memcpy(p->strides, (dnnl_dims_t){n->stride_h, n->stride_w}, sizeof(dnnl_dims_t));
    memcpy(p->dilations, (dnnl_dims_t){n->dilation_h - 1, n->dilation_w - 1}, sizeof(dnnl_dims_t));
    memcpy(p->before, (dnnl_dims_t){n->pad_top, n->pad_left}, sizeof(dnnl_dims_t));
    memcpy(p->after, (dnnl_dims_t){n->pad_bottom, n->pad_right}, sizeof(dnnl_dims_t));
    p->has_bias = s->has_bias;
}

static bool describe_pass(const plan *p, uint32_t kind, dnnl_convolution_desc_t *out) {
    const dnnl_memory_desc_t *bias = p->has_bias ? &p->bias : NULL;
    const dnnl_alg_kind_t direct = dnnl_convolution_direct;
    switch (kind) {
        case FORWARD:
            return dnnl_dilated_convolution_forward_desc_init(out, dnnl_forward_training, direct, &p->x,
                                                              &p->any, bias, &p->y, p->strides, p->dilations,
                                                              p->before, p->after) == dnnl_success;
        case BY_INPUT:
            return dnnl_dilated_convolution_backward_data_desc_init(out, direct, &p->x, &p->any, &p->y,
                                                                    p->strides, p->dilations, p->before,
                                                                    p->after) == dnnl_success;
        default:
            return dnnl_dilated_convolution_backward_weights_desc_init(out, direct, &p->x, &p->any, bias,
                                                                       &p->y, p->strides, p->dilations,
                                                                       p->before, p->after) == dnnl_success;
    }
}

/* The copy between our weights and the primitive's, where they lie otherwise. */
static bool make_turn(struct ts__backend *b, ts_arena *arena, const plan *p, uint32_t kind, pass *out) {
    const dnnl_memory_desc_t *theirs = dnnl_primitive_desc_query_md(
        out->desc, kind == BY_WEIGHTS ? dnnl_query_diff_weights_md : dnnl_query_weights_md, 0);
    if (dnnl_memory_create(&out->memory[WEIGHTS], theirs, b->engine, DNNL_MEMORY_NONE) != dnnl_success) {
        return false;
    }
    if (dnnl_memory_desc_equal(theirs, &p->ours)) {
        return true;
    }
    dnnl_primitive_desc_t turn;
    const dnnl_memory_desc_t *from = kind == BY_WEIGHTS ? theirs : &p->ours;
    const dnnl_memory_desc_t *to = kind == BY_WEIGHTS ? &p->ours : theirs;
    if (dnnl_reorder_primitive_desc_create(&turn, from, b->engine, to, b->engine, NULL) != dnnl_success) {
        return false;
    }
    bool made = dnnl_primitive_create(&out->turn, turn) == dnnl_success &&
                dnnl_memory_create(&out->ours, &p->ours, b->engine, DNNL_MEMORY_NONE) == dnnl_success;
    dnnl_primitive_desc_destroy(turn);
    out->inner = ts_arena_alloc(arena, dnnl_memory_desc_get_size(theirs));
    return made && dnnl_memory_set_data_handle(out->memory[WEIGHTS], out->inner) == dnnl_success;
}

static bool make_pass(struct ts__backend *b, ts_arena *arena, const plan *p, uint32_t kind,
                      const pass *forward, pass *out) {
    dnnl_convolution_desc_t desc;
    const_dnnl_primitive_desc_t hint = kind == FORWARD ? NULL : forward->desc;
    bool made =
        describe_pass(p, kind, &desc) &&
        dnnl_primitive_desc_create(&out->desc, &desc, NULL, b->engine, hint) == dnnl_success &&
        dnnl_primitive_create(&out->primitive, out->desc) == dnnl_success &&
        dnnl_memory_create(&out->memory[SOURCE], &p->x, b->engine, DNNL_MEMORY_NONE) == dnnl_success &&
        dnnl_memory_create(&out->memory[RESULT], &p->y, b->engine, DNNL_MEMORY_NONE) == dnnl_success &&
        dnnl_memory_create(&out->memory[BIAS], &p->bias, b->engine, DNNL_MEMORY_NONE) == dnnl_success;
    return made && make_turn(b, arena, p, kind, out);
}

ts_status ts__conv_new(struct ts__backend *backend, ts_arena *arena, const ts__conv_shape *shape,
                       struct ts__conv **out, const ts_fnode *node, ts_diags *diags) {
    plan p;
    struct ts__conv *c = TS_NEW(arena, struct ts__conv);
    c->backend = backend;
    c->next = backend->convs;
    backend->convs = c;
    c->whole = *shape;
    if (picks(shape)) {
        c->picked =
            TS_NEW_ARRAY(arena, float, (uint64_t)shape->batch * shape->out_h * shape->out_w * shape->c);
    }
    ts__conv_shape dense = picks(shape) ? picked_shape(shape) : *shape;
    describe(&dense, &p);
    for (uint32_t kind = FORWARD; kind < PASSES; kind++) {
        if (kind == BY_INPUT && !shape->wants_input) {
            continue;
        }
        if (!make_pass(backend, arena, &p, kind, &c->passes[FORWARD], &c->passes[kind])) {
            return ts_error(diags, TS_DIAG_UNSUPPORTED, node->name, ts_fop_name(node->op),
                            "oneDNN has no such convolution");
        }
    }
    *out = c;
    return TS_OK;
}

/* oneDNN's memories are not const; it does not write sources. */
static void point(dnnl_memory_t memory, const void *data) {
    dnnl_memory_set_data_handle(memory, (void *)(uintptr_t)data);
}

static void turn_weights(struct ts__backend *b, const pass *p, const float *weights, bool back) {
    if (p->turn == NULL) {
        return;
    }
    point(p->ours, weights);
    dnnl_exec_arg_t arguments[] = {{DNNL_ARG_FROM, back ? p->memory[WEIGHTS] : p->ours},
                                   {DNNL_ARG_TO, back ? p->ours : p->memory[WEIGHTS]}};
    dnnl_status_t status = dnnl_primitive_execute(p->turn, b->stream, 2, arguments);
    TS_ASSERT(status == dnnl_success, "train: copy of weights");
}

static void run(struct ts__backend *b, const pass *p, int count, const dnnl_exec_arg_t *arguments) {
    dnnl_status_t status = dnnl_primitive_execute(p->primitive, b->stream, count, arguments);
    TS_ASSERT(status == dnnl_success && dnnl_stream_wait(b->stream) == dnnl_success, "train: convolution");
}

/* Sets what a pass reads and writes; weights in place where the primitive takes ours. */
static void set(const pass *p, const float *x, const float *weights, const float *bias, const float *y) {
    point(p->memory[SOURCE], x);
    point(p->memory[RESULT], y);
    point(p->memory[BIAS], bias);
    if (p->turn == NULL) {
        point(p->memory[WEIGHTS], weights);
    }
}

/* What the primitives read for input x. */
static const float *given(struct ts__conv *conv, const float *x) {
    if (conv->picked == NULL) {
        return x;
    }
    pick(&conv->whole, (float *)(uintptr_t)x, conv->picked, false);
    return conv->picked;
}

void ts__conv_forward(struct ts__conv *conv, const float *x, const float *weights, const float *bias,
                      float *y) {
    const pass *p = &conv->passes[FORWARD];
    set(p, given(conv, x), weights, bias, y);
    turn_weights(conv->backend, p, weights, false);
    dnnl_exec_arg_t arguments[] = {{DNNL_ARG_SRC, p->memory[SOURCE]},
                                   {DNNL_ARG_WEIGHTS, p->memory[WEIGHTS]},
                                   {DNNL_ARG_DST, p->memory[RESULT]},
                                   {DNNL_ARG_BIAS, p->memory[BIAS]}};
    run(conv->backend, p, bias == NULL ? 3 : 4, arguments);
}

static void by_input(struct ts__conv *conv, const float *weights, const float *dy, float *dx) {
    const pass *p = &conv->passes[BY_INPUT];
    const ts__conv_shape *s = &conv->whole;
    set(p, conv->picked == NULL ? dx : conv->picked, weights, NULL, dy);
    turn_weights(conv->backend, p, weights, false);
    dnnl_exec_arg_t arguments[] = {{DNNL_ARG_DIFF_SRC, p->memory[SOURCE]},
                                   {DNNL_ARG_WEIGHTS, p->memory[WEIGHTS]},
                                   {DNNL_ARG_DIFF_DST, p->memory[RESULT]}};
    run(conv->backend, p, 3, arguments);
    if (conv->picked != NULL) {
        memset(dx, 0, (size_t)s->batch * s->h * s->w * s->c * sizeof *dx);
        pick(s, dx, conv->picked, true);
    }
}

void ts__conv_backward(struct ts__conv *conv, const float *x, const float *weights, const float *dy,
                       float *dx, float *dw, float *db) {
    if (dx != NULL) {
        by_input(conv, weights, dy, dx);
    }
    if (dw == NULL) {
        return;
    }
    const pass *p = &conv->passes[BY_WEIGHTS];
    set(p, given(conv, x), dw, db, dy);
    dnnl_exec_arg_t arguments[] = {{DNNL_ARG_SRC, p->memory[SOURCE]},
                                   {DNNL_ARG_DIFF_WEIGHTS, p->memory[WEIGHTS]},
                                   {DNNL_ARG_DIFF_DST, p->memory[RESULT]},
                                   {DNNL_ARG_DIFF_BIAS, p->memory[BIAS]}};
    run(conv->backend, p, db == NULL ? 3 : 4, arguments);
    turn_weights(conv->backend, p, dw, true);
    dnnl_stream_wait(conv->backend->stream);
}

void ts__product(bool trans_a, bool trans_b, uint64_t m, uint64_t n, uint64_t k, float alpha, const float *a,
                 const float *b, float beta, float *c) {
    dnnl_status_t status = dnnl_sgemm(trans_a ? 'T' : 'N', trans_b ? 'T' : 'N', (dnnl_dim_t)m, (dnnl_dim_t)n,
                                      (dnnl_dim_t)k, alpha, a, (dnnl_dim_t)(trans_a ? m : k), b,
                                      (dnnl_dim_t)(trans_b ? k : n), beta, c, (dnnl_dim_t)n);
    TS_ASSERT(status == dnnl_success, "train: matrix product");
}
