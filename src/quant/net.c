#include "quant/net.h"

#include <math.h>
#include <string.h>

#include "quant/border.h"

/* What a float tensor means in terms of layers. */
typedef struct meaning {
    bool known; /* an activation that was met */
    bool tail;  /* behind the last integer layer */
    const char *tail_op, *tail_name;
    uint32_t value;
    bool planes; /* its elements lie in C, H, W order */
    bool padded; /* pads[] still to be taken by a window */
    uint32_t pads[4];
    const ts_qexpr *expr; /* what is still to be done with each element; NULL: nothing */
} meaning;

typedef struct reader {
    const ts_fgraph *graph;
    ts_qnet *net;
    meaning *meanings; /* one a tensor */
    const uint32_t *uses;
    ts_diags *diags;
} reader;

static const char *const kind_names[] = {"conv",     "linear", "add",       "mul",    "max_pool",
                                         "avg_pool", "affine", "lut",       "concat", "pad",
                                         "slice",    "resize", "transpose", "reshape"};

const char *ts_qkind_name(ts_qkind kind) { return kind_names[kind]; }

bool ts_qkind_moves(ts_qkind kind) { return kind == TS_QUANT_MAX_POOL || kind >= TS_QUANT_CONCAT; }

void ts_qnet_shape(const ts_qnet *net, uint32_t value, uint32_t *h, uint32_t *w, uint32_t *c) {
    const ts_qlayer *l = value == 0 ? NULL : &net->layers.data[value - 1];
    *h = l == NULL ? net->h : l->h;
    *w = l == NULL ? net->w : l->w;
    *c = l == NULL ? net->c : l->c;
}

static ts_status refuse(const reader *r, const ts_fnode *n, const char *what) {
    return ts_error(r->diags, TS_DIAG_UNSUPPORTED, n->name, ts_fop_name(n->op), "%s", what);
}

static const ts_ftensor *tensor(const reader *r, ts_tensor_id id) { return &r->graph->tensors.data[id]; }

static meaning plain(uint32_t value) { return (meaning){.known = true, .value = value}; }

/* Height, width, channels that a channels-last tensor stands for. */
static void plane_shape(const ts_ftensor *t, uint32_t *h, uint32_t *w, uint32_t *c) {
    *c = t->rank == 0 ? 1 : t->dims[t->rank - 1];
    *w = t->rank >= 3 ? t->dims[t->rank - 2] : 1;
    *h = t->rank >= 4 ? t->dims[t->rank - 3] : 1;
}

static uint32_t add_behind(const reader *r, const ts_fnode *n, ts_qlayer layer, uint32_t value);

/* The activation that input `k` is, as a map of the tensor's shape. The network's input takes the shape in
 * which it is read first; other values that are read in another shape than they were made in are reshaped. */
static ts_status lazy_input(const reader *r, const ts_fnode *n, uint32_t k, meaning *out) {
    const ts_ftensor *t = tensor(r, n->inputs[k]);
    uint32_t h, w, c, vh, vw, vc;
    *out = r->meanings[n->inputs[k]];
    if (!out->known) {
        return refuse(r, n, "an input is a constant where an activation is expected");
    }
    if (out->tail) {
        return ts_error(r->diags, TS_DIAG_UNSUPPORTED, out->tail_name, out->tail_op,
                        "no integer counterpart in the middle of the network; only at its end it may stand");
    }
    plane_shape(t, &h, &w, &c);
    ts_qnet_shape(r->net, out->value, &vh, &vw, &vc);
    if (out->planes && c != 1 && (uint64_t)h * w != 1) {
        return refuse(
            r, n,
            "reads its input in C, H, W order as a map; such a transposition has no integer counterpart");
    }
    uint32_t tall = out->pads[0] + out->pads[2], wide = out->pads[1] + out->pads[3];
    if (h == vh + tall && w == vw + wide && c == vc) {
        return TS_OK;
    }
    if (out->value == 0 && r->net->layers.count == 0) {
        r->net->h = h - tall;
        r->net->w = w - wide;
        r->net->c = c;
        return TS_OK;
    }
    if (out->planes || out->padded || (uint64_t)h * w * c != (uint64_t)vh * vw * vc) {
        return refuse(
            r, n,
            "reads its input in another shape than it was made in, and in an order that has no integer "
            "counterpart");
    }
    ts_qlayer shaped = {.kind = TS_QUANT_RESHAPE, .h = h, .w = w, .c = c};
    shaped.name = ts_arena_printf(r->net->arena, "%s.reshape%u", n->name, k);
    out->value = add_behind(r, n, shaped, out->value);
    return TS_OK;
}

static ts_qlayer new_layer(const reader *r, const ts_fnode *n, ts_qkind kind) {
    ts_qlayer l = {.name = n->name,
                   .file_index = n->file_index,
                   .kind = kind,
                   .input_count = 1,
                   .groups = 1,
                   .low = -INFINITY,
                   .high = INFINITY,
                   .window = {1, 1, 1, 1, 1, 1, 0, 0, 0, 0}};
    plane_shape(tensor(r, n->output), &l.h, &l.w, &l.c);
    return l;
}

static void add_layer(reader *r, const ts_fnode *n, const ts_qlayer *layer) {
    TS_PUSH(r->net->arena, &r->net->layers, *layer);
    r->meanings[n->output] = plain(r->net->layers.count);
}

/* A layer on the whole of value `value`, whose shape it keeps; its value. */
static uint32_t add_behind(const reader *r, const ts_fnode *n, ts_qlayer layer, uint32_t value) {
    if (layer.name == NULL) {
        layer.name = ts_arena_printf(r->net->arena, "%s.%s", n->name, ts_qkind_name(layer.kind));
    }
    layer.file_index = n->file_index;
    layer.input_count = layer.groups = 1;
    layer.inputs[0] = value;
    layer.low = -INFINITY;
    layer.high = INFINITY;
    if (layer.c == 0) {
        ts_qnet_shape(r->net, value, &layer.h, &layer.w, &layer.c);
    }
    TS_PUSH(r->net->arena, &r->net->layers, layer);
    return r->net->layers.count;
}

/* Does what is still to be done with the elements of tensor `id`, as a layer of its own, once for all. */
static meaning settle(const reader *r, const ts_fnode *n, ts_tensor_id id) {
    meaning *x = &r->meanings[id];
    if (x->known && !x->tail && x->expr != NULL) {
        const ts_fnode *last = x->expr->node;
        x->value = add_behind(r, last == NULL ? n : last, (ts_qlayer){.kind = TS_QUANT_LUT, .expr = x->expr},
                              x->value);
        x->expr = NULL;
    }
    return *x;
}

/* For operators that treat all elements alike: also in C, H, W order. */
static ts_status any_input(const reader *r, const ts_fnode *n, uint32_t k, meaning *out) {
    const meaning *x = &r->meanings[n->inputs[k]];
    if (x->known && !x->tail && x->planes && !x->padded) {
        *out = *x;
        return TS_OK;
    }
    return lazy_input(r, n, k, out);
}

/* A layer with the shape of value `value`, in whose order its result is. */
static void add_alike(reader *r, const ts_fnode *n, ts_qlayer *layer, const meaning *x) {
    ts_qnet_shape(r->net, x->value, &layer->h, &layer->w, &layer->c);
    add_layer(r, n, layer);
    r->meanings[n->output].planes = x->planes;
}

/* Zeros around rows and columns that no window takes become a layer. */
static void settle_pads(const reader *r, const ts_fnode *n, meaning *x) {
    if (x->padded) {
        ts_qlayer l = {.kind = TS_QUANT_PAD, .move = {.begin = {x->pads[0], x->pads[1], 0}}};
        ts_qnet_shape(r->net, x->value, &l.h, &l.w, &l.c);
        l.h += x->pads[0] + x->pads[2];
        l.w += x->pads[1] + x->pads[3];
        *x = plain(add_behind(r, n, l, x->value));
    }
}

/* lazy_input() with everything done but pads. */
static ts_status map_input(const reader *r, const ts_fnode *n, uint32_t k, meaning *out) {
    (void)settle(r, n, n->inputs[k]);
    return lazy_input(r, n, k, out);
}

/* lazy_input() with everything done. */
static ts_status whole_input(const reader *r, const ts_fnode *n, uint32_t k, meaning *out) {
    TS_TRY(map_input(r, n, k, out));
    settle_pads(r, n, out);
    return TS_OK;
}

/* Window of a node on a map: 1-D ones lie in the row. */
static ts_window window_of(const reader *r, const ts_fnode *n, const meaning *x) {
    ts_window w = n->window;
    if (tensor(r, n->inputs[0])->rank == 3) {
        w.kernel_h = w.stride_h = w.dilation_h = 1;
        w.pad_top = w.pad_bottom = 0;
    }
    w.pad_top += x->pads[0];
    w.pad_left += x->pads[1];
    w.pad_bottom += x->pads[2];
    w.pad_right += x->pads[3];
    return w;
}

static ts_status read_function(reader *r, const ts_fnode *n);

static float *ones(const reader *r, uint32_t count) {
    float *list = TS_NEW_ARRAY(r->net->arena, float, count);
    for (uint32_t i = 0; i < count; i++) {
        list[i] = 1.0f;
    }
    return list;
}

static float *copy_floats(const reader *r, const float *from, uint64_t count) {
    return ts_arena_copy(r->net->arena, from, count * sizeof *from);
}

static ts_status read_conv(reader *r, const ts_fnode *n) {
    const ts_ftensor *w = tensor(r, n->inputs[1]);
    meaning x;
    TS_TRY(map_input(r, n, 0, &x));
    if (w->data == NULL || (n->input_count == 3 && tensor(r, n->inputs[2])->data == NULL)) {
        return refuse(r, n, "weights or bias are no constants");
    }
    ts_qlayer l = new_layer(r, n, TS_QUANT_CONV);
    l.inputs[0] = x.value;
    l.window = window_of(r, n, &x);
    l.groups = n->groups;
    l.inner = (uint32_t)(ts_ftensor_elements(w) / w->dims[0]);
    l.weights = copy_floats(r, w->data, ts_ftensor_elements(w));
    l.gain = ones(r, l.c);
    l.bias = n->input_count == 3 ? copy_floats(r, tensor(r, n->inputs[2])->data, l.c)
                                 : TS_NEW_ARRAY(r->net->arena, float, l.c);
    add_layer(r, n, &l);
    return TS_OK;
}

/* Element k of a flat vector read from a map in C, H, W order lies at this place in H, W, C order. */
static uint32_t flat_place(const ts_qnet *net, const meaning *x, uint32_t k) {
    uint32_t h, w, c;
    ts_qnet_shape(net, x->value, &h, &w, &c);
    return x->planes ? k % (h * w) * c + k / (h * w) : k;
}

/* A product of the channels at every place with a constant matrix: a convolution of one element. */
static ts_status read_pointwise(reader *r, const ts_fnode *n) {
    const ts_ftensor *b = tensor(r, n->inputs[1]);
    meaning x;
    TS_TRY(whole_input(r, n, 0, &x));
    ts_qlayer l = new_layer(r, n, TS_QUANT_CONV);
    l.inputs[0] = x.value;
    l.inner = b->dims[0];
    l.weights = TS_NEW_ARRAY(r->net->arena, float, (uint64_t)l.c *l.inner);
    l.bias = TS_NEW_ARRAY(r->net->arena, float, l.c);
    l.gain = ones(r, l.c);
    for (uint32_t k = 0; k < l.inner; k++) {
        for (uint32_t o = 0; o < l.c; o++) {
            l.weights[(size_t)o * l.inner + k] = b->data[(size_t)k * l.c + o];
        }
    }
    add_layer(r, n, &l);
    return TS_OK;
}

static ts_status read_linear(reader *r, const ts_fnode *n) {
    const ts_ftensor *a = tensor(r, n->inputs[0]), *b = tensor(r, n->inputs[1]);
    meaning x = r->meanings[n->inputs[0]];
    if (!x.known || x.tail) {
        return map_input(r, n, 0, &x);
    }
    bool gemm = n->op == TS_FOP_GEMM, places = !gemm && a->rank >= 3 && a->rank <= 4 && a->dims[0] == 1;
    if (places && b->data != NULL && b->rank == 2 && ts_ftensor_elements(a) != b->dims[0]) {
        return read_pointwise(r, n);
    }
    x = settle(r, n, n->inputs[0]);
    settle_pads(r, n, &x);
    uint32_t inner = b->rank < 2 ? 0 : b->dims[b->rank - 2 + (gemm && n->trans_b)];
    uint32_t outer = b->rank < 2 ? 0 : b->dims[b->rank - 1 - (gemm && n->trans_b)];
    if (b->data == NULL || b->rank != 2 || ts_ftensor_elements(a) != inner || (gemm && n->trans_a)) {
        return refuse(
            r, n,
            "only a vector, or the channels of a map, times a constant matrix has an integer counterpart");
    }
    ts_qlayer l = new_layer(r, n, TS_QUANT_LINEAR);
    l.h = l.w = 1;
    l.c = outer;
    l.inputs[0] = x.value;
    l.inner = inner;
    l.weights = TS_NEW_ARRAY(r->net->arena, float, (uint64_t)inner *outer);
    l.bias = TS_NEW_ARRAY(r->net->arena, float, outer);
    l.gain = ones(r, outer);
    for (uint32_t k = 0; k < inner; k++) {
        uint32_t place = flat_place(r->net, &x, k);
        for (uint32_t o = 0; o < outer; o++) {
            float v = b->data[gemm && n->trans_b ? (size_t)o * inner + k : (size_t)k * outer + o];
            l.weights[(size_t)o * inner + place] = gemm ? v * n->alpha : v;
        }
    }
    if (gemm && n->input_count == 3) {
        const ts_ftensor *c = tensor(r, n->inputs[2]);
        uint64_t count = ts_ftensor_elements(c);
        if (c->data == NULL || (count != 1 && count != outer)) {
            return refuse(r, n, "the bias is no constant vector");
        }
        for (uint32_t o = 0; o < outer; o++) {
            l.bias[o] = n->beta * c->data[count == 1 ? 0 : o];
        }
    }
    add_layer(r, n, &l);
    return TS_OK;
}

/* The layer that made the value of input 0, where it may still be changed: it has no other reader. */
static ts_qlayer *own_layer(const reader *r, const ts_fnode *n, const meaning *x) {
    bool single = r->uses[n->inputs[0]] == 1;
    return single && x->value != 0 ? &r->net->layers.data[x->value - 1] : NULL;
}

static bool is_open(const ts_qlayer *l) { return l->low == -INFINITY && l->high == INFINITY; }

/* An operator on what is still to be done with the elements of `x`. */
static meaning extend(const reader *r, const ts_fnode *n, const meaning *x, const ts_qexpr *a,
                      const ts_qexpr *b) {
    ts_qexpr *e = TS_NEW(r->net->arena, ts_qexpr);
    meaning out = *x;
    *e = (ts_qexpr){.node = ts_arena_copy(r->net->arena, n, sizeof *n), .in = {a, b}};
    out.expr = e;
    return out;
}

static const ts_qexpr *expr_of(const reader *r, const meaning *x) {
    return x->expr != NULL ? x->expr : TS_NEW(r->net->arena, ts_qexpr);
}

/* A batch norm on what a linear layer computes, bias included. Behind another factor it is no more than one.
 */
static void keep_norm(ts_qlayer *l, const ts_qnorm *norm) {
    bool plain = l->gain != NULL && l->norm.mean == NULL;
    for (uint32_t c = 0; plain && c < l->c; c++) {
        plain = l->gain[c] == 1.0f;
    }
    if (plain) {
        l->norm = *norm;
        for (uint32_t c = 0; c < l->c; c++) {
            l->norm.mean[c] -= l->bias[c];
        }
    }
}

/* y = a[c] x + b[c]; `norm`: the batch norm that this is, or NULL. */
static ts_status read_affine(reader *r, const ts_fnode *n, uint32_t input, const float *a, const float *b,
                             const ts_qnorm *norm) {
    meaning x;
    ts_fnode as = *n;
    as.inputs[0] = n->inputs[input];
    (void)settle(r, n, as.inputs[0]);
    TS_TRY(any_input(r, &as, 0, &x));
    ts_qlayer *l = own_layer(r, &as, &x);
    bool takes = l != NULL && is_open(l) && !x.padded &&
                 (l->kind == TS_QUANT_CONV || l->kind == TS_QUANT_LINEAR || l->kind == TS_QUANT_AFFINE);
    if (takes) {
        if (norm != NULL) {
            keep_norm(l, norm);
        }
        for (uint32_t c = 0; c < l->c; c++) {
            for (uint32_t k = 0; k < l->inner; k++) {
                l->weights[(size_t)c * l->inner + k] *= a[c];
            }
            l->bias[c] = l->bias[c] * a[c] + b[c];
            if (l->gain != NULL) {
                l->gain[c] *= a[c];
            }
        }
        r->meanings[n->output] = x;
        return TS_OK;
    }
    settle_pads(r, n, &x);
    ts_qlayer made = new_layer(r, n, TS_QUANT_AFFINE);
    uint32_t h, w, c;
    ts_qnet_shape(r->net, x.value, &h, &w, &c);
    made.inputs[0] = x.value;
    made.inner = 1;
    made.weights = copy_floats(r, a, c);
    made.bias = copy_floats(r, b, c);
    add_alike(r, n, &made, &x);
    return TS_OK;
}

static ts_status read_batch_norm(reader *r, const ts_fnode *n) {
    const ts_ftensor *p[5];
    for (uint32_t i = 1; i < 5; i++) {
        p[i] = tensor(r, n->inputs[i]);
        if (p[i]->data == NULL) {
            return refuse(r, n, "a parameter is no constant");
        }
    }
    uint64_t channels = ts_ftensor_elements(p[1]);
    float *a = TS_NEW_ARRAY(r->net->arena, float, channels),
          *b = TS_NEW_ARRAY(r->net->arena, float, channels);
    for (uint64_t c = 0; c < channels; c++) {
        a[c] = p[1]->data[c] / sqrtf(p[4]->data[c] + n->epsilon);
        b[c] = p[2]->data[c] - p[3]->data[c] * a[c];
    }
    ts_qnorm norm = {.epsilon = n->epsilon};
    norm.mean = copy_floats(r, p[3]->data, channels);
    norm.variance = copy_floats(r, p[4]->data, channels);
    return read_affine(r, n, 0, a, b, &norm);
}

/* One value for each channel as a map of h x w. */
static uint32_t spread(const reader *r, const ts_fnode *n, uint32_t value, uint32_t h, uint32_t w) {
    uint32_t vh, vw, c;
    ts_qnet_shape(r->net, value, &vh, &vw, &c);
    if (vh == h && vw == w) {
        return value;
    }
    return add_behind(r, n, (ts_qlayer){.kind = TS_QUANT_RESIZE, .h = h, .w = w, .c = c}, value);
}

/* A sum, difference or product of two activations of equal shapes, or of one with a value for each channel.
 */
static ts_status read_residual(reader *r, const ts_fnode *n) {
    meaning x[2];
    TS_TRY(any_input(r, n, 0, &x[0]));
    TS_TRY(any_input(r, n, 1, &x[1]));
    bool same = x[0].value == x[1].value && x[0].planes == x[1].planes && !x[0].padded && !x[1].padded;
    if (same && (x[0].expr != NULL || x[1].expr != NULL)) {
        r->meanings[n->output] = extend(r, n, &x[0], expr_of(r, &x[0]), expr_of(r, &x[1]));
        return TS_OK;
    }
    bool planes = x[0].planes && x[1].planes;
    for (uint32_t k = 0; k < 2; k++) {
        if (planes) {
            x[k] = settle(r, n, n->inputs[k]);
        } else {
            TS_TRY(whole_input(r, n, k, &x[k]));
        }
    }
    ts_qlayer l = new_layer(r, n, n->op == TS_FOP_MUL ? TS_QUANT_MUL : TS_QUANT_ADD);
    uint32_t h[2], w[2], c[2];
    for (uint32_t k = 0; k < 2; k++) {
        ts_qnet_shape(r->net, x[k].value, &h[k], &w[k], &c[k]);
    }
    bool equal = h[0] == h[1] && w[0] == w[1], spreads = h[0] * w[0] == 1 || h[1] * w[1] == 1;
    bool served = n->op == TS_FOP_ADD || n->op == TS_FOP_SUB || n->op == TS_FOP_MUL;
    if (!served || c[0] != c[1] || !(equal || spreads)) {
        return refuse(r, n,
                      "of two activations only the sum, difference and product of equal shapes, or with one "
                      "value for each channel, have an integer counterpart");
    }
    l.input_count = 2;
    l.minus = n->op == TS_FOP_SUB;
    l.h = h[0] > h[1] ? h[0] : h[1];
    l.w = w[0] > w[1] ? w[0] : w[1];
    l.c = c[0];
    l.inputs[0] = spread(r, n, x[0].value, l.h, l.w);
    l.inputs[1] = spread(r, n, x[1].value, l.h, l.w);
    add_layer(r, n, &l);
    r->meanings[n->output].planes = planes;
    return TS_OK;
}

/* A number with an element: part of a function of it where there is one already, or where several readers
 * keep it from going into a layer (activations that exporters took apart). */
static bool read_number(reader *r, const ts_fnode *n, uint32_t k, float number) {
    ts_tensor_id id = n->inputs[1 - k];
    const meaning *x = &r->meanings[id];
    if (!x->known || x->tail || x->padded || (x->expr == NULL && (r->uses[id] == 1 || x->value == 0))) {
        return false;
    }
    ts_qexpr *c = TS_NEW(r->net->arena, ts_qexpr);
    *c = (ts_qexpr){.constant = true, .number = number};
    const ts_qexpr *e = expr_of(r, x);
    r->meanings[n->output] = extend(r, n, x, k == 0 ? c : e, k == 0 ? e : c);
    return true;
}

/* An addition, subtraction, product or quotient with a constant of one element or one a channel. */
static ts_status read_binary(reader *r, const ts_fnode *n) {
    const ts_ftensor *t[2] = {tensor(r, n->inputs[0]), tensor(r, n->inputs[1])};
    if (t[0]->data == NULL && t[1]->data == NULL) {
        return read_residual(r, n);
    }
    uint32_t k = t[1]->data != NULL ? 1u : 0u; /* the constant operand */
    const ts_ftensor *c = t[k], *y = tensor(r, n->output);
    uint64_t count = ts_ftensor_elements(c), channels = y->rank == 0 ? 1 : y->dims[y->rank - 1];
    bool by_channel = count == channels && c->rank > 0 && c->dims[c->rank - 1] == channels;
    const meaning *x = &r->meanings[n->inputs[1 - k]];
    if (x->known && !x->tail && x->planes) {
        uint32_t h, w, own;
        ts_qnet_shape(r->net, x->value, &h, &w, &own);
        channels = own;
        by_channel = count == own && c->rank >= y->rank - 1 && c->dims[c->rank - y->rank + 1] == own;
    }
    bool served =
        n->op == TS_FOP_ADD || n->op == TS_FOP_SUB || n->op == TS_FOP_MUL || (n->op == TS_FOP_DIV && k == 1);
    if (!served && count == 1) {
        return read_function(r, n);
    }
    if ((count != 1 && !by_channel) || !served || ts_ftensor_elements(t[1 - k]) != ts_ftensor_elements(y)) {
        return refuse(r, n, "a constant operand has neither one element nor one a channel");
    }
    if (count == 1 && read_number(r, n, k, c->data[0])) {
        return TS_OK;
    }
    float *a = TS_NEW_ARRAY(r->net->arena, float, channels),
          *b = TS_NEW_ARRAY(r->net->arena, float, channels);
    for (uint64_t i = 0; i < channels; i++) {
        float v = c->data[count == 1 ? 0 : i];
        a[i] = n->op == TS_FOP_MUL             ? v
               : n->op == TS_FOP_DIV           ? 1.0f / v
               : n->op == TS_FOP_SUB && k == 0 ? -1.0f
                                               : 1.0f;
        b[i] = n->op == TS_FOP_ADD ? v : n->op == TS_FOP_SUB ? (k == 0 ? v : -v) : 0.0f;
    }
    return read_affine(r, n, 1 - k, a, b, NULL);
}

/* A clip moves in front of a max pooling, with which it commutes. Other layers that move elements have no
 * bounds of their own. */
static ts_qlayer *clip_place(const reader *r, ts_qlayer *l) {
    while (l != NULL && l->kind == TS_QUANT_MAX_POOL && l->inputs[0] != 0) {
        ts_qlayer *before = &r->net->layers.data[l->inputs[0] - 1];
        uint32_t readers = 0;
        for (uint32_t i = 0; i < r->net->layers.count; i++) {
            const ts_qlayer *other = &r->net->layers.data[i];
            for (uint32_t k = 0; k < other->input_count; k++) {
                readers += other->inputs[k] == l->inputs[0];
            }
        }
        if (readers != 1 || before->is_output) {
            return NULL;
        }
        l = before;
    }
    return l == NULL || ts_qkind_moves(l->kind) ? NULL : l;
}

static ts_status read_clip(reader *r, const ts_fnode *n, float low, float high) {
    meaning x;
    TS_TRY(any_input(r, n, 0, &x));
    if (x.expr != NULL) {
        return read_function(r, n);
    }
    ts_qlayer *l = x.padded && (low > 0.0f || high < 0.0f) ? NULL : clip_place(r, own_layer(r, n, &x));
    if (l != NULL) {
        l->low = fminf(fmaxf(l->low, low), high);
        l->high = fmaxf(fminf(l->high, high), low);
        r->meanings[n->output] = x;
        return TS_OK;
    }
    settle_pads(r, n, &x);
    ts_qlayer made = new_layer(r, n, TS_QUANT_AFFINE);
    uint32_t h, w, c;
    ts_qnet_shape(r->net, x.value, &h, &w, &c);
    made.inputs[0] = x.value;
    made.inner = 1;
    made.weights = ones(r, c);
    made.bias = TS_NEW_ARRAY(r->net->arena, float, c);
    made.low = low;
    made.high = high;
    add_alike(r, n, &made, &x);
    return TS_OK;
}

static ts_status read_pool(reader *r, const ts_fnode *n) {
    meaning x;
    TS_TRY(map_input(r, n, 0, &x));
    bool max = n->op == TS_FOP_MAX_POOL;
    const ts_qlayer *before = x.value == 0 ? NULL : &r->net->layers.data[x.value - 1];
    if (x.padded && max && (before == NULL || before->low < 0.0f)) {
        settle_pads(r, n, &x); /* zeros may be the largest */
    }
    const ts_window *own = &n->window;
    bool pads = own->pad_top + own->pad_left + own->pad_bottom + own->pad_right != 0;
    if (x.padded && !max && pads && !n->count_pad) {
        settle_pads(r, n, &x); /* these zeros count in the divisor, the pool's own do not */
    }
    ts_qlayer l = new_layer(r, n, max ? TS_QUANT_MAX_POOL : TS_QUANT_AVG_POOL);
    l.inputs[0] = x.value;
    l.window = window_of(r, n, &x);
    l.count_pad = n->count_pad || !pads;
    add_layer(r, n, &l);
    return TS_OK;
}

/* Whether an input is a map in C, H, W order that the tensor has the shape of. */
static bool in_planes(const reader *r, const ts_fnode *n, uint32_t k) {
    const ts_ftensor *t = tensor(r, n->inputs[k]);
    const meaning *x = &r->meanings[n->inputs[k]];
    uint32_t h, w, c;
    if (!x->known || x->tail || x->padded || t->rank < 3 || t->rank > 4) {
        return false;
    }
    ts_qnet_shape(r->net, x->value, &h, &w, &c);
    bool either = h == 1 && w == 1; /* has both orders */
    return (x->planes || either) && t->dims[1] == c && t->dims[t->rank - 1] == w &&
           (t->rank == 4 ? t->dims[2] : 1) == h;
}

/* A whole input, in C, H, W order where `planes` says that in_planes() holds. */
static ts_status moved_input(reader *r, const ts_fnode *n, uint32_t k, bool planes, meaning *out) {
    if (planes) {
        *out = settle(r, n, n->inputs[k]);
        return TS_OK;
    }
    return whole_input(r, n, k, out);
}

/* A mean over channels is a convolution of one element with equal weights. */
static void channel_mean(reader *r, const ts_fnode *n, const meaning *x) {
    ts_qlayer l = new_layer(r, n, TS_QUANT_CONV);
    ts_qnet_shape(r->net, x->value, &l.h, &l.w, &l.inner);
    l.c = 1;
    l.inputs[0] = x->value;
    l.weights = TS_NEW_ARRAY(r->net->arena, float, l.inner);
    for (uint32_t i = 0; i < l.inner; i++) {
        l.weights[i] = 1.0f / (float)l.inner;
    }
    l.bias = TS_NEW_ARRAY(r->net->arena, float, 1);
    l.gain = ones(r, 1);
    add_layer(r, n, &l);
}

/* A mean over all rows and columns is a pooling. */
static ts_status read_reduce(reader *r, const ts_fnode *n) {
    const ts_ftensor *t = tensor(r, n->inputs[0]);
    bool mean = n->op == TS_FOP_REDUCE_MEAN, planes = in_planes(r, n, 0);
    uint32_t spatial = t->rank == 4 ? 6u : t->rank == 3 ? 2u : 0u, channels = 1u << (t->rank - 1);
    meaning x;
    if (planes) {
        spatial <<= 1;
        channels = 2;
    }
    bool over_channels = mean && t->rank >= 3 && n->axes == channels;
    if (spatial == 0 || (n->axes != spatial && !over_channels)) {
        return refuse(
            r, n, "only over all rows and columns it has an integer counterpart, a mean also over channels");
    }
    TS_TRY(moved_input(r, n, 0, planes, &x));
    if (over_channels) {
        channel_mean(r, n, &x);
        return TS_OK;
    }
    ts_qlayer l = new_layer(r, n, mean ? TS_QUANT_AVG_POOL : TS_QUANT_MAX_POOL);
    ts_qnet_shape(r->net, x.value, &l.h, &l.w, &l.c);
    l.window = (ts_window){l.h, l.w, l.h, l.w, 1, 1, 0, 0, 0, 0};
    l.h = l.w = 1;
    l.inputs[0] = x.value;
    add_layer(r, n, &l);
    return TS_OK;
}

/* A layer that moves elements along the axes of its map, which the tensors hold in C, H, W order where
 * `planes` says so. */
static void add_move(reader *r, const ts_fnode *n, ts_qlayer *layer, bool planes) {
    const ts_ftensor *y = tensor(r, n->output);
    if (planes) {
        layer->h = y->rank == 4 ? y->dims[2] : 1;
        layer->w = y->dims[y->rank - 1];
        layer->c = y->dims[1];
    }
    add_layer(r, n, layer);
    r->meanings[n->output].planes = planes;
}

/* Entry of a list over a tensor's dimensions that belongs to axis 0, 1, 2 of the map; `absent` where the
 * tensor has no such dimension. */
static uint32_t of_axis(const ts_ftensor *t, const uint32_t *list, uint32_t axis, bool planes,
                        uint32_t absent) {
    if (axis + t->rank < 4) {
        return absent;
    }
    uint32_t last = axis + t->rank - 3;
    return list[!planes ? last : axis == 2 ? 1 : last + 1];
}

static ts_status read_pad(reader *r, const ts_fnode *n) {
    const ts_ftensor *t = tensor(r, n->inputs[0]);
    meaning x;
    uint32_t last = t->rank - 1, wide = t->rank - 2, elements = 0;
    for (uint32_t i = 0; i < t->rank; i++) {
        elements += n->begin[i] + n->end[i];
    }
    if (elements == 0) {
        r->meanings[n->output] = r->meanings[n->inputs[0]];
        return TS_OK;
    }
    TS_TRY(map_input(r, n, 0, &x));
    if ((t->rank != 3 && t->rank != 4) || n->pad_mode != TS_PAD_CONSTANT || n->alpha != 0.0f ||
        n->begin[0] != 0 || n->end[0] != 0) {
        return refuse(r, n, "only zeros around rows, columns and channels have an integer counterpart");
    }
    if (n->begin[last] != 0 || n->end[last] != 0) {
        settle_pads(r, n, &x);
        ts_qlayer l = new_layer(r, n, TS_QUANT_PAD);
        l.inputs[0] = x.value;
        for (uint32_t i = 0; i < 3; i++) {
            l.move.begin[i] = of_axis(t, n->begin, i, false, 0);
        }
        add_move(r, n, &l, false);
        return TS_OK;
    }
    x.padded = true;
    x.pads[0] += t->rank == 4 ? n->begin[1] : 0;
    x.pads[1] += n->begin[wide];
    x.pads[2] += t->rank == 4 ? n->end[1] : 0;
    x.pads[3] += n->end[wide];
    r->meanings[n->output] = x;
    return TS_OK;
}

static ts_status read_slice(reader *r, const ts_fnode *n) {
    const ts_ftensor *t = tensor(r, n->inputs[0]);
    ts_qlayer l = new_layer(r, n, TS_QUANT_SLICE);
    bool planes = in_planes(r, n, 0);
    meaning x;
    TS_TRY(moved_input(r, n, 0, planes, &x));
    if (t->rank > 4 || (t->rank > 1 && t->dims[0] != 1)) {
        return refuse(r, n, "only rows, columns and channels can be cut");
    }
    l.inputs[0] = x.value;
    for (uint32_t i = 0; i < 3; i++) {
        l.move.begin[i] = of_axis(t, n->begin, i, planes, 0);
        l.move.step[i] = of_axis(t, n->step, i, planes, 1);
    }
    add_move(r, n, &l, planes);
    return TS_OK;
}

static ts_status read_resize(reader *r, const ts_fnode *n) {
    const ts_ftensor *t = tensor(r, n->inputs[0]), *y = tensor(r, n->output);
    bool planes = in_planes(r, n, 0);
    uint32_t channels = planes ? 1 : t->rank - 1;
    meaning x;
    TS_TRY(moved_input(r, n, 0, planes, &x));
    if (t->rank > 4 || t->rank < 3 || t->dims[0] != y->dims[0] || t->dims[channels] != y->dims[channels]) {
        return refuse(r, n, "only rows and columns can be enlarged");
    }
    ts_qlayer l = new_layer(r, n, TS_QUANT_RESIZE);
    l.inputs[0] = x.value;
    add_move(r, n, &l, planes);
    return TS_OK;
}

static ts_status read_concat(reader *r, const ts_fnode *n) {
    const ts_ftensor *t = tensor(r, n->output);
    ts_qlayer l = new_layer(r, n, TS_QUANT_CONCAT);
    l.input_count = n->input_count;
    bool planes = true;
    for (uint32_t k = 0; k < n->input_count; k++) {
        planes = planes && in_planes(r, n, k);
    }
    l.move.axis = !planes ? n->axis + 3 - t->rank : n->axis == 1 ? 2 : n->axis + 2 - t->rank;
    if (t->rank < 2 || t->rank > 4 || n->axis == 0) {
        return refuse(r, n, "only rows, columns and channels can be joined");
    }
    if (n->input_count == 1) {
        r->meanings[n->output] = r->meanings[n->inputs[0]];
        return TS_OK;
    }
    for (uint32_t k = 0; k < n->input_count; k++) {
        meaning x;
        TS_TRY(moved_input(r, n, k, planes, &x));
        l.inputs[k] = x.value;
        /* The input has a grid of its own, which the others need not have. */
        if (x.value == 0) {
            ts_qlayer own = {.kind = TS_QUANT_AFFINE, .inner = 1, .weights = ones(r, r->net->c)};
            own.bias = TS_NEW_ARRAY(r->net->arena, float, r->net->c);
            l.inputs[k] = add_behind(r, n, own, 0);
        }
    }
    add_move(r, n, &l, planes);
    return TS_OK;
}

/* A function of each element. */
static ts_status read_function(reader *r, const ts_fnode *n) {
    uint32_t k = tensor(r, n->inputs[0])->data != NULL ? 1 : 0; /* the activation, where two are operands */
    const ts_qexpr *in[2] = {NULL, NULL};
    ts_fnode as = *n;
    meaning x;
    as.inputs[0] = n->inputs[k];
    TS_TRY(any_input(r, &as, 0, &x));
    settle_pads(r, n, &x);
    in[k] = expr_of(r, &x);
    if (n->input_count == 2) {
        const ts_ftensor *c = tensor(r, n->inputs[1 - k]);
        if (c->data == NULL || ts_ftensor_elements(c) != 1) {
            return refuse(r, n, "its second operand is not one number");
        }
        ts_qexpr *number = TS_NEW(r->net->arena, ts_qexpr);
        *number = (ts_qexpr){.constant = true, .number = c->data[0]};
        in[1 - k] = number;
    }
    r->meanings[n->output] = extend(r, n, &x, in[0], in[1]);
    return TS_OK;
}

/* A slope for each channel: what is positive, and what is negative times its slope, as a sum. */
static ts_status read_prelu(reader *r, const ts_fnode *n) {
    const ts_ftensor *slope = tensor(r, n->inputs[1]);
    uint64_t count = ts_ftensor_elements(slope);
    meaning x;
    if (slope->data != NULL && count == 1) {
        return read_function(r, n);
    }
    TS_TRY(whole_input(r, n, 0, &x));
    ts_qlayer sum = new_layer(r, n, TS_QUANT_ADD), part = {.kind = TS_QUANT_AFFINE, .inner = 1};
    if (slope->data == NULL || count != sum.c || slope->dims[slope->rank - 1] != sum.c) {
        return refuse(r, n, "the slopes are no constants, one or one a channel");
    }
    part.weights = ones(r, sum.c);
    part.bias = TS_NEW_ARRAY(r->net->arena, float, sum.c);
    sum.inputs[0] = add_behind(r, n, part, x.value);
    r->net->layers.data[sum.inputs[0] - 1].low = 0.0f;
    uint32_t below = add_behind(r, n, part, x.value);
    r->net->layers.data[below - 1].high = 0.0f;
    part.weights = copy_floats(r, slope->data, count);
    sum.inputs[1] = add_behind(r, n, part, below);
    sum.input_count = 2;
    add_layer(r, n, &sum);
    return TS_OK;
}

/* What has no integer counterpart may stand at the end, where it is left out. */
static ts_status begin_tail(reader *r, const ts_fnode *n) {
    meaning x = r->meanings[n->inputs[0]];
    x.tail_op = x.tail ? x.tail_op : ts_fop_name(n->op);
    x.tail_name = x.tail ? x.tail_name : n->name;
    x.tail = true;
    r->meanings[n->output] = x;
    return TS_OK;
}

/* Groups of channels, {1, groups, channels of a group, rest}, whose two dimensions change places (a channel
 * shuffle); behind rows and columns where channels are last. 0: something else. */
static uint32_t shuffled_groups(const reader *r, const ts_fnode *n, const meaning *x) {
    const ts_ftensor *t = tensor(r, n->inputs[0]);
    uint32_t h, w, c, first = x->planes ? 1 : t->rank - 2;
    ts_qnet_shape(r->net, x->value, &h, &w, &c);
    if (t->rank < 4 || t->dims[0] != 1) {
        return 0;
    }
    for (uint32_t d = 0; d < t->rank; d++) {
        if (n->perm[d] != (d == first ? d + 1 : d == first + 1 ? d - 1 : d)) {
            return 0;
        }
    }
    bool fits =
        (uint64_t)t->dims[first] * t->dims[first + 1] == c && ts_ftensor_elements(t) == (uint64_t)h * w * c;
    return fits ? t->dims[first] : 0;
}

/* A channel shuffle: for each place the transposition of a matrix, groups by channels of a group. */
static ts_status shuffle(reader *r, const ts_fnode *n, uint32_t groups) {
    meaning x = settle(r, n, n->inputs[0]);
    uint32_t h, w, c;
    ts_qnet_shape(r->net, x.value, &h, &w, &c);
    ts_qlayer apart = {.kind = TS_QUANT_RESHAPE, .h = h * w, .w = groups, .c = c / groups},
              turned = {.kind = TS_QUANT_TRANSPOSE, .h = h * w, .w = c / groups, .c = groups},
              joined = {.kind = TS_QUANT_RESHAPE, .h = h, .w = w, .c = c};
    memcpy(turned.move.order, (const uint32_t[]){0, 2, 1}, sizeof turned.move.order);
    x.value = add_behind(r, n, apart, x.value);
    x.value = add_behind(r, n, turned, x.value);
    joined.name = ts_arena_printf(r->net->arena, "%s.joined", n->name);
    x.value = add_behind(r, n, joined, x.value);
    r->meanings[n->output] = x;
    return TS_OK;
}

/* {N, H, W, C} to {N, C, H, W} and back, 1-D alike; a channel shuffle; or a transposition that moves no
 * element. */
static ts_status read_transpose(reader *r, const ts_fnode *n) {
    const ts_ftensor *t = tensor(r, n->inputs[0]);
    meaning x = r->meanings[n->inputs[0]];
    if (!x.known || x.tail) {
        return refuse(r, n, "transposes what has no integer counterpart");
    }
    uint32_t last = 0, moved = 0;
    for (uint32_t d = 0; d < t->rank; d++) {
        if (t->dims[n->perm[d]] != 1) {
            moved += n->perm[d] < last;
            last = n->perm[d];
        }
    }
    if (moved == 0) {
        r->meanings[n->output] = x;
        return TS_OK;
    }
    uint32_t groups = x.padded ? 0 : shuffled_groups(r, n, &x);
    if (groups != 0) {
        return shuffle(r, n, groups);
    }
    bool to_planes = true, to_last = true;
    for (uint32_t d = 1; d < t->rank; d++) {
        to_planes = to_planes && n->perm[d] == (d == 1 ? t->rank - 1 : d - 1);
        to_last = to_last && n->perm[d] == (d == t->rank - 1 ? 1 : d + 1);
    }
    uint32_t h, w, c;
    ts_qnet_shape(r->net, x.value, &h, &w, &c);
    bool whole = t->rank >= 3 && t->dims[x.planes ? 1 : t->rank - 1] == c;
    if (x.padded || !whole || n->perm[0] != 0 || !(x.planes ? to_last : to_planes)) {
        if (x.value == 0 && to_last && !x.padded) {
            return refuse(
                r, n,
                "the network's input is laid out as no picture is; give it as {N, C, H, W} or {N, H, W, C}");
        }
        return begin_tail(r, n); /* pixel shuffles end networks */
    }
    x.planes = !x.planes;
    r->meanings[n->output] = x;
    return TS_OK;
}

static ts_status read_relu(reader *r, const ts_fnode *n) { return read_clip(r, n, 0.0f, INFINITY); }

static ts_status read_bounds(reader *r, const ts_fnode *n) { return read_clip(r, n, n->low, n->high); }

static ts_status read_reshape(reader *r, const ts_fnode *n) {
    r->meanings[n->output] = r->meanings[n->inputs[0]];
    return TS_OK;
}

#define FUNCTION \
    { read_function, "`lut`" }
#define PAIR \
    " of equal shapes, or with one value a channel; a constant (one, or one a channel) as batch norms"

/* How each operator of the float graph becomes integer layers; those without a row may only stand at the
 * network's end. `served` goes to docs/operators.md. */
static const struct {
    ts_status (*read)(reader *r, const ts_fnode *n);
    const char *served;
} readers[TS_FOP_COUNT] = {
    [TS_FOP_CONV] = {read_conv, "`conv` with constant weights"},
    [TS_FOP_GEMM] = {read_linear, "`linear`: a vector times a constant matrix"},
    [TS_FOP_MATMUL] = {read_linear, "`linear`: a vector times a constant matrix; `conv`: a map's channels"},
    [TS_FOP_BATCH_NORM] = {read_batch_norm, "goes into the linear layer before it, else `requant`"},
    [TS_FOP_RELU] = {read_relu, "a bound of the layer before it, else `requant`"},
    [TS_FOP_CLIP] = {read_bounds, "bounds of the layer before it, else `requant`"},
    [TS_FOP_ADD] = {read_binary, "`add`" PAIR},
    [TS_FOP_SUB] = {read_binary, "`add`" PAIR},
    [TS_FOP_MUL] = {read_binary, "`mul`" PAIR},
    [TS_FOP_DIV] = {read_binary, "by a constant (one, or one a channel) as batch norms"},
    [TS_FOP_MAX_POOL] = {read_pool, "`max_pool`"},
    [TS_FOP_AVG_POOL] = {read_pool, "`avg_pool`"},
    [TS_FOP_REDUCE_MEAN] = {read_reduce, "`avg_pool`, over all rows and columns; over channels `conv`"},
    [TS_FOP_REDUCE_MAX] = {read_reduce, "`max_pool`, over all rows and columns"},
    [TS_FOP_PAD] = {read_pad, "zeros: taken by the window behind, else `pad`"},
    [TS_FOP_CONCAT] = {read_concat, "`concat`"},
    [TS_FOP_SLICE] = {read_slice, "`slice`"},
    [TS_FOP_RESIZE] = {read_resize, "`resize`, rows and columns"},
    [TS_FOP_PRELU] = {read_prelu, "`lut`; with a slope for each channel two `requant` and an `add`"},
    [TS_FOP_POW] = {read_binary, "`lut`, with one number"},
    [TS_FOP_MIN] = {read_binary, "`lut`, with one number"},
    [TS_FOP_MAX] = {read_binary, "`lut`, with one number"},
    [TS_FOP_LEAKY_RELU] = FUNCTION,
    [TS_FOP_HARD_SWISH] = FUNCTION,
    [TS_FOP_HARD_SIGMOID] = FUNCTION,
    [TS_FOP_SIGMOID] = FUNCTION,
    [TS_FOP_TANH] = FUNCTION,
    [TS_FOP_ELU] = FUNCTION,
    [TS_FOP_SOFTPLUS] = FUNCTION,
    [TS_FOP_SOFTSIGN] = FUNCTION,
    [TS_FOP_ERF] = FUNCTION,
    [TS_FOP_EXP] = FUNCTION,
    [TS_FOP_LOG] = FUNCTION,
    [TS_FOP_SQRT] = FUNCTION,
    [TS_FOP_RECIPROCAL] = FUNCTION,
    [TS_FOP_ABS] = FUNCTION,
    [TS_FOP_NEG] = FUNCTION,
    [TS_FOP_FLOOR] = FUNCTION,
    [TS_FOP_CEIL] = FUNCTION,
    [TS_FOP_ROUND] = FUNCTION,
    [TS_FOP_TRANSPOSE] = {read_transpose,
                          "between N, C, H, W and N, H, W, C; a channel shuffle as `transpose`"},
    [TS_FOP_RESHAPE] = {read_reshape,
                        "flattening before a linear layer, else `reshape` of maps with channels last"},
};

const char *ts_qnet_served(ts_fop op) { return readers[op].served; }

static ts_status read_node(reader *r, const ts_fnode *n) {
    return readers[n->op].read != NULL ? readers[n->op].read(r, n) : begin_tail(r, n);
}

static bool in_tail(const reader *r, const ts_fnode *n) {
    for (uint32_t k = 0; k < n->input_count; k++) {
        if (r->meanings[n->inputs[k]].tail) {
            return true;
        }
    }
    return false;
}

/* The result of a node that reads the tail belongs to it. */
static void keep_tail(reader *r, const ts_fnode *n) {
    meaning x = {0};
    for (uint32_t k = 0; k < n->input_count; k++) {
        x = r->meanings[n->inputs[k]].tail ? r->meanings[n->inputs[k]] : x;
    }
    r->meanings[n->output] = x;
}

static bool is_linear(const ts_fnode *n) {
    return n->op == TS_FOP_CONV || n->op == TS_FOP_GEMM || n->op == TS_FOP_MATMUL;
}

static ts_status read_outputs(reader *r) {
    for (uint32_t i = 0; i < r->graph->outputs.count; i++) {
        const meaning *x = &r->meanings[r->graph->outputs.data[i]];
        if (!x->known || x->value == 0) {
            return ts_error(r->diags, TS_DIAG_GRAPH, NULL, NULL,
                            "the network's output '%s' comes from no layer with an integer counterpart",
                            tensor(r, r->graph->outputs.data[i])->name);
        }
        ts_qlayer *l = &r->net->layers.data[x->value - 1];
        if (!l->is_output) {
            TS_PUSH(r->net->arena, &r->net->outputs, x->value);
        }
        l->is_output = true;
    }
    return TS_OK;
}

/* Names become those of tensors and nodes, each of which needs its own. */
static void name_apart(const ts_qnet *net) {
    for (uint32_t i = 1; i < net->layers.count; i++) {
        ts_qlayer *l = &net->layers.data[i];
        const char *first = l->name;
        uint32_t copies = 1;
        for (uint32_t k = 0; k < i; k++) {
            if (strcmp(net->layers.data[k].name, l->name) == 0) {
                l->name = ts_arena_printf(net->arena, "%s.%u", first, ++copies);
                k = UINT32_MAX; /* from the start: the new name may be taken, too */
            }
        }
    }
}

/* What is likely to be the cause where a network cannot be read that takes several samples at a time. */
static ts_status too_many_samples(const reader *r, const ts_ftensor *input) {
    return ts_error(
        r->diags, TS_DIAG_UNSUPPORTED, NULL, NULL,
        "the first size of input '%s' is %u; where that is a batch, a network for one sample would be right",
        input->name, input->dims[0]);
}

static ts_status read_net(ts_arena *arena, const ts_fgraph *graph, bool cut, ts_qnet **out, ts_diags *diags) {
    if (graph->inputs.count != 1) {
        return ts_error(diags, TS_DIAG_UNSUPPORTED, NULL, NULL, "the network has %u inputs; one is served",
                        graph->inputs.count);
    }
    ts_qnet *net = TS_NEW(arena, ts_qnet);
    reader r = {.graph = graph,
                .net = net,
                .meanings = TS_NEW_ARRAY(arena, meaning, graph->tensors.count),
                .uses = ts_fgraph_uses(graph, arena),
                .diags = diags};
    const ts_ftensor *input = tensor(&r, graph->inputs.data[0]);
    net->arena = arena;
    net->name = graph->name;
    net->input_name = input->name;
    plane_shape(input, &net->h, &net->w, &net->c);
    r.meanings[graph->inputs.data[0]] = plain(0);
    for (uint32_t i = 0; i < graph->nodes.count; i++) {
        const ts_fnode *n = &graph->nodes.data[i];
        if (in_tail(&r, n) && !is_linear(n)) {
            keep_tail(&r, n);
        } else if (read_node(&r, n) != TS_OK) {
            return input->rank > 1 && input->dims[0] > 1 ? too_many_samples(&r, input) : TS_BAD_INPUT;
        }
    }
    TS_TRY(read_outputs(&r));
    ts__count_uses(net);
    ts__settle_divisors(net, cut, diags);
    name_apart(net);
    *out = net;
    return TS_OK;
}

ts_status ts_qnet_read(ts_arena *arena, const ts_fgraph *graph, ts_qnet **out, ts_diags *diags) {
    return read_net(arena, graph, true, out, diags);
}

ts_status ts_qnet_read_uncut(ts_arena *arena, const ts_fgraph *graph, ts_qnet **out, ts_diags *diags) {
    return read_net(arena, graph, false, out, diags);
}

/* Largest weight of output channel c of a layer, or that reads input channel c of it. */
static float range_out(const ts_qlayer *l, uint32_t c) {
    float top = 0.0f;
    for (uint32_t k = 0; k < l->inner; k++) {
        top = fmaxf(top, fabsf(l->weights[(size_t)c * l->inner + k]));
    }
    return top;
}

/* Calls for every weight of `l` that multiplies input channel c: the largest, or all scaled by `factor`. */
static float touch_in(ts_qlayer *l, uint32_t channels, uint32_t c, float factor) {
    float top = 0.0f;
    bool depthwise = l->kind == TS_QUANT_CONV && l->groups == l->c && l->groups != 1;
    for (uint32_t o = 0; o < l->c; o++) {
        for (uint32_t k = 0; k < l->inner; k++) {
            uint32_t in = depthwise ? o : k % channels;
            if (in == c) {
                float *w = &l->weights[(size_t)o * l->inner + k];
                *w *= factor;
                top = fmaxf(top, fabsf(*w));
            }
        }
    }
    return top;
}

/* The statistics of what a layer computes after its channel's weights and bias were scaled. */
static void scale_norm(ts_qlayer *l, uint32_t c, float factor) {
    if (l->norm.mean != NULL) {
        float wide = (l->norm.variance[c] + l->norm.epsilon) * factor * factor - l->norm.epsilon;
        l->norm.mean[c] *= factor;
        l->norm.variance[c] = fmaxf(wide, 0.0f);
    }
}

static bool can_equalise(const ts_qlayer *a, const ts_qlayer *b) {
    bool linear = (a->kind == TS_QUANT_CONV || a->kind == TS_QUANT_LINEAR) &&
                  (b->kind == TS_QUANT_CONV || b->kind == TS_QUANT_LINEAR);
    bool groups = b->groups == 1 || (b->groups == b->c && b->c == a->c);
    bool relu = (a->low == 0.0f || a->low == -INFINITY) && a->high == INFINITY;
    return linear && groups && relu && a->uses == 1;
}

void ts_qnet_equalise(ts_qnet *net) {
    for (uint32_t pass = 0; pass < 4; pass++) {
        for (uint32_t i = 1; i < net->layers.count; i++) {
            ts_qlayer *b = &net->layers.data[i];
            ts_qlayer *a = b->inputs[0] == 0 ? NULL : &net->layers.data[b->inputs[0] - 1];
            if (a == NULL || !can_equalise(a, b)) {
                continue;
            }
            for (uint32_t c = 0; c < a->c; c++) {
                float out = range_out(a, c), in = touch_in(b, a->c, c, 1.0f);
                if (out <= 0.0f || in <= 0.0f) {
                    continue;
                }
                float s = sqrtf(out / in);
                scale_norm(a, c, 1 / s);
                for (uint32_t k = 0; k < a->inner; k++) {
                    a->weights[(size_t)c * a->inner + k] /= s;
                }
                a->bias[c] /= s;
                touch_in(b, a->c, c, s);
            }
        }
    }
}

static ts_status emit_expr(ts_fgraph *graph, const ts_qexpr *e, const char *name, ts_tensor_id x,
                           ts_tensor_id *out, ts_diags *diags) {
    if (e->constant) {
        *out = ts_fgraph_add_constant(graph, name, 0, NULL,
                                      ts_arena_copy(graph->arena, &e->number, sizeof e->number));
        return TS_OK;
    }
    *out = x;
    if (e->node == NULL) {
        return TS_OK;
    }
    ts_fnode n = *e->node;
    n.name = name;
    n.input_count = 0;
    for (uint32_t k = 0; k < 2; k++) {
        if (e->in[k] != NULL) {
            TS_TRY(emit_expr(graph, e->in[k], name, x, &n.inputs[n.input_count], diags));
            n.input_count++;
        }
    }
    return ts_fgraph_add_node(graph, &n, name, NULL, out, diags);
}

ts_status ts_qexpr_emit(ts_fgraph *graph, const ts_qexpr *expr, const char *name, ts_tensor_id x,
                        ts_tensor_id *out, ts_diags *diags) {
    return emit_expr(graph, expr, name, x, out, diags);
}
