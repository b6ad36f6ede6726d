/* Layers of integer transformers, as quantlib writes them and Deeploy reads them: normalisations, softmaxes,
 * products of activations, linear layers of many rows, functions of one element, means and parts of values.
 */
#include <string.h>

#include "model/onnx.h"

#define FAIL(code, ...) ts_error(net->diags, (code), node->name, node->op, __VA_ARGS__)

static bool is(const ts_onnx_node *node, const char *op) { return strcmp(node->op, op) == 0; }

/* Adds the node at once: its result is final. */
static ts_meaning *final_result(ts_onnx *net, const ts_onnx_node *node, ts_node *made, const ts_meaning *x,
                                ts_type type) {
    const ts_tensor *in = &net->graph->tensors.data[x->tensor];
    const uint32_t dims[4] = {1, ts_h(in), ts_w(in), ts_c(in)};
    const char *name = net->values.data[node->outputs[0]].name;
    made->output = ts__new_tensor(net, name, type, 4, dims, NULL);
    ts_graph_add_node(net->graph, made);
    ts_meaning *y = ts__meaning_of_tensor(net, made->output);
    y->view = x->view;
    return y;
}

static ts_status want_bytes(ts_onnx *net, const ts_onnx_node *node, const ts_meaning *x) {
    ts_type type = net->graph->tensors.data[x->tensor].type;
    return type == TS_U8 || type == TS_S8
               ? TS_OK
               : FAIL(TS_DIAG_UNSUPPORTED, "its input has type %s; 8 bits are served", ts_type_name(type));
}

/* An attribute that must be there. */
static ts_status number(ts_onnx *net, const ts_onnx_node *node, const char *name, int64_t least, int64_t most,
                        int64_t *out) {
    if (ts__onnx_attribute(node, name) == NULL) {
        return FAIL(TS_DIAG_MALFORMED, "its attribute '%s' is missing", name);
    }
    TS_TRY(ts__onnx_attr_int(net, node, name, 0, out));
    return *out >= least && *out <= most
               ? TS_OK
               : FAIL(TS_DIAG_VALUE, "its attribute '%s' is %lld; %lld to %lld are served", name,
                      (long long)*out, (long long)least, (long long)most);
}

/* ---- normalisation ---- */

/* Input `i` as s32, one for each channel. */
static ts_status words_of(ts_onnx *net, const ts_onnx_node *node, uint32_t i, uint32_t channels,
                          ts_tensor_id *out) {
    const ts_constant *c = ts__onnx_const_input(net, node, i);
    if (c == NULL) {
        return FAIL(TS_DIAG_UNSUPPORTED, "its weights and biases must be constant");
    }
    TS_TRY(ts__constant_whole(net, node, c, "parameters"));
    uint32_t last = c->rank == 0 ? 1 : c->dims[c->rank - 1];
    if (c->count != 1 && (c->count != channels || last != channels)) {
        return FAIL(TS_DIAG_SHAPE, "'%s' has %llu elements; one for each of %u channels would be right",
                    c->name, (unsigned long long)c->count, channels);
    }
    TS_TRY(ts__onnx_work(net, node, channels));
    int32_t *data = TS_NEW_ARRAY(net->arena, int32_t, channels);
    for (uint32_t k = 0; k < channels; k++) {
        int64_t v = c->ints[c->count == 1 ? 0 : k];
        if (v < INT32_MIN || v > INT32_MAX) {
            return FAIL(TS_DIAG_VALUE, "number %lld of '%s' passes 32 bits", (long long)v, c->name);
        }
        data[k] = (int32_t)v;
    }
    *out = ts__new_tensor(net, c->name, TS_S32, 1, &channels, data);
    return TS_OK;
}

ts_status ts__import_norm(ts_onnx *net, const ts_onnx_node *node, ts_meaning *x, ts_meaning **out) {
    int64_t d, levels;
    uint32_t shift = 0;
    ts_node norm = ts__new_node(net, node, TS_OP_NORM);
    TS_TRY(number(net, node, "D", 1, INT64_C(1) << 31, &d));
    TS_TRY(number(net, node, "n_levels", 2, 256, &levels));
    while (INT64_C(1) << shift < d) {
        shift++;
    }
    if (INT64_C(1) << shift != d) {
        return FAIL(TS_DIAG_UNSUPPORTED, "D is %lld; powers of two are served", (long long)d);
    }
    TS_TRY(ts__want_channels_last(net, node, x));
    TS_TRY(want_bytes(net, node, x));
    norm.inputs[0] = x->tensor;
    norm.norm = (ts_norm){.centred = is(node, "iLayerNorm"),
                          .shift = shift,
                          .low = (int32_t)(-levels / 2),
                          .high = (int32_t)(levels / 2 - 1)};
    TS_TRY(words_of(net, node, 1, x->c, &norm.weights));
    if (node->input_count > 2 && node->inputs[2] != TS_NONE) {
        TS_TRY(words_of(net, node, 2, x->c, &norm.bias));
    }
    *out = final_result(net, node, &norm, x, TS_S8);
    return TS_OK;
}

/* ---- softmax ---- */

static ts_status ibert_of(ts_onnx *net, const ts_onnx_node *node, ts_softmax *out) {
    int64_t a, b, c, log2, levels;
    TS_TRY(number(net, node, "coeffA", 0, INT32_MAX, &a));
    TS_TRY(number(net, node, "coeffB", INT32_MIN, INT32_MAX, &b));
    TS_TRY(number(net, node, "coeffC", 0, INT32_MAX, &c));
    TS_TRY(number(net, node, "log2", 1, INT32_MAX, &log2));
    TS_TRY(number(net, node, "n_levels", 2, 256, &levels));
    *out = (ts_softmax){.kind = TS_SOFTMAX_IBERT,
                        .a = (int32_t)a,
                        .b = (int32_t)b,
                        .c = (int32_t)c,
                        .log2 = (int32_t)log2,
                        .levels = (int32_t)levels};
    return TS_OK;
}

ts_status ts__import_softmax(ts_onnx *net, const ts_onnx_node *node, ts_meaning *x, ts_meaning **out) {
    int64_t levels;
    ts_node softmax = ts__new_node(net, node, TS_OP_SOFTMAX);
    if (is(node, "iSoftmax")) {
        TS_TRY(ibert_of(net, node, &softmax.softmax));
    } else {
        softmax.softmax.kind = TS_SOFTMAX_ITA;
        TS_TRY(number(net, node, "n_levels", 256, 256, &levels));
    }
    TS_TRY(ts__want_channels_last(net, node, x));
    TS_TRY(want_bytes(net, node, x));
    softmax.inputs[0] = x->tensor;
    *out = final_result(net, node, &softmax, x, TS_U8);
    return TS_OK;
}

/* ---- functions of one element ---- */

static int64_t gelu(int64_t x, const int64_t *p) {
    int64_t b = p[0], one = p[1], size = x < 0 ? -x : x, sign = (x > 0) - (x < 0);
    int64_t d = (size > -b ? -b : size) + b, l = one + sign * (one - d * d);
    return x * (l / 2 - (l % 2 < 0));
}

static int64_t hardswish(int64_t x, const int64_t *p) {
    int64_t v = x + p[1];
    v = v < 0 ? 0 : v > p[2] ? p[2] : v;
    return x * v * p[0];
}

/* The quotient of the constants is rounded down, before x comes in. */
static int64_t quotient(int64_t x, const int64_t *p) { return x * (p[0] * p[1] / p[2]); }

typedef struct function {
    const char *op;
    int64_t (*of)(int64_t x, const int64_t *parameters);
    const char *names[3];
    int64_t least[3], most[3];
} function;

/* Bounds keep every value within 62 bits. */
static const function functions[] = {
    {"iGELU", gelu, {"b", "one", NULL}, {-32768, 0, 0}, {0, INT32_MAX, 0}},
    {"iHardswish",
     hardswish,
     {"one_over_six", "three", "six"},
     {0, INT32_MIN, 0},
     {INT32_MAX, INT32_MAX, 1 << 20}},
    {"TrueIntegerDiv", quotient, {"Delta", "eta", NULL}, {1, 1, 0}, {1 << 24, 1 << 24, 0}},
};

/* x Delta eta / (eta y + eps), y constant: p becomes Delta, eta, eta y + eps. */
static ts_status divisor_of(ts_onnx *net, const ts_onnx_node *node, int64_t p[3]) {
    int64_t y, eps;
    if (node->input_count > 1) {
        return FAIL(TS_DIAG_UNSUPPORTED, "its divisor is an activation; the attribute 'y' is served");
    }
    TS_TRY(number(net, node, "y", 0, 1 << 24, &y));
    TS_TRY(number(net, node, "eps", 0, 1 << 24, &eps));
    p[2] = p[1] * y + eps;
    return p[2] > 0 ? TS_OK : FAIL(TS_DIAG_VALUE, "its divisor is 0");
}

ts_status ts__import_function(ts_onnx *net, const ts_onnx_node *node, ts_meaning *x, ts_meaning **out) {
    const function *f = functions;
    int64_t p[3] = {0};
    while (!is(node, f->op)) {
        f++;
    }
    for (uint32_t i = 0; i < 3 && f->names[i] != NULL; i++) {
        TS_TRY(number(net, node, f->names[i], f->least[i], f->most[i], &p[i]));
    }
    if (f->of == quotient) {
        TS_TRY(divisor_of(net, node, p));
    }
    TS_TRY(ts__force(net, x, node));
    TS_TRY(want_bytes(net, node, x));
    ts_node lut = ts__new_node(net, node, TS_OP_LUT);
    lut.inputs[0] = x->tensor;
    *out = ts__meaning_of_node(net, &lut, x->h, x->w, x->c);
    (*out)->view = x->view;
    (*out)->table = TS_NEW_ARRAY(net->scratch, int64_t, 256);
    int64_t low = ts_type_low(net->graph->tensors.data[x->tensor].type);
    for (int64_t i = 0; i < 256; i++) {
        (*out)->table[i] = f->of(low + i, p);
    }
    return TS_OK;
}

/* ---- products ---- */

/* Elements of all dimensions but the last two. */
static uint32_t batch_of(const ts_view *view) {
    uint32_t count = 1;
    for (uint32_t i = 0; i + 2 < view->rank; i++) {
        count *= view->dims[i];
    }
    return count;
}

static void swap_last(ts_view *view) {
    uint32_t order[TS_MAX_RANK];
    for (uint32_t i = 0; i < view->rank; i++) {
        order[i] = i;
    }
    order[view->rank - 1] = view->rank - 2;
    order[view->rank - 2] = view->rank - 1;
    ts__view_transpose(view, order);
}

ts_status ts__import_product(ts_onnx *net, const ts_onnx_node *node, ts_meaning *a, ts_meaning *b,
                             ts_meaning **out) {
    if (a->view.rank < 2 || b->view.rank < 2) {
        return FAIL(TS_DIAG_SHAPE, "its operands have %u and %u dimensions; 2 and more are served",
                    a->view.rank, b->view.rank);
    }
    uint32_t m = a->view.dims[a->view.rank - 2], k = a->view.dims[a->view.rank - 1];
    uint32_t n = b->view.dims[b->view.rank - 1], batch = batch_of(&a->view), others = batch_of(&b->view);
    if (b->view.dims[b->view.rank - 2] != k || (others != 1 && others != batch)) {
        return FAIL(TS_DIAG_SHAPE, "its operands do not fit each other, or one is to be repeated");
    }
    swap_last(&b->view);
    TS_TRY(ts__make_dense(net, node, a, (const uint32_t[3]){batch, m, k}));
    TS_TRY(ts__make_dense(net, node, b, (const uint32_t[3]){others, n, k}));
    ts_node product = ts__new_node(net, node, TS_OP_MATMUL);
    product.input_count = 2;
    product.inputs[0] = a->tensor;
    product.inputs[1] = b->tensor;
    *out = ts__meaning_of_node(net, &product, batch, m, n);
    uint32_t dims[TS_MAX_RANK], rank = a->view.rank;
    memcpy(dims, a->view.dims, sizeof dims);
    dims[rank - 1] = n;
    ts__view_rows(&(*out)->view, dims, rank);
    return TS_OK;
}

/* ---- parts, and what joins them ---- */

/* The value is an image [1, C, H, W] that lies as its tensor {1, H, W, C} does. */
static bool is_image(const ts_onnx *net, const ts_meaning *x) {
    const ts_tensor *t = &net->graph->tensors.data[x->tensor];
    const ts_view *v = &x->view;
    const uint32_t want[4] = {0, 1, ts_w(t) * ts_c(t), ts_c(t)};
    bool same = v->rank == 4 && v->dims[0] == 1 && v->dims[1] == ts_c(t) && v->dims[2] == ts_h(t) &&
                v->dims[3] == ts_w(t);
    for (uint32_t i = 1; same && i < 4; i++) {
        uint32_t stride;
        same = ts__view_stride(v, i, &stride) && (v->dims[i] == 1 || stride == want[i]);
    }
    return same;
}

/* Elements before, along and behind an axis. */
static void around(const ts_view *view, uint32_t axis, uint32_t sizes[3]) {
    sizes[0] = sizes[1] = sizes[2] = 1;
    for (uint32_t i = 0; i < view->rank; i++) {
        sizes[i < axis ? 0 : i == axis ? 1 : 2] *= view->dims[i];
    }
}

/* Brings the value into a form with a tensor axis for `axis`, and says which: an image as it is, everything
 * else in the order of its dimensions. */
static ts_status axis_of(ts_onnx *net, const ts_onnx_node *node, ts_meaning *x, uint32_t axis, bool image,
                         uint32_t *out) {
    static const uint32_t of_image[4] = {0, 2, 0, 1};
    uint32_t sizes[3];
    *out = 1;
    if (image && axis > 0) {
        *out = of_image[axis];
        return TS_OK;
    }
    around(&x->view, axis, sizes);
    return ts__make_dense(net, node, x, sizes);
}

/* The view of a value whose dimensions are now these. */
static ts_meaning *made_of(ts_onnx *net, const ts_onnx_node *node, ts_tensor_id tensor, const uint32_t *dims,
                           uint32_t rank, bool image) {
    ts_meaning *y = ts__meaning_of_tensor(net, tensor);
    y->name = net->values.data[node->outputs[0]].name;
    if (image) {
        ts__view_map(&y->view, 2, dims[2], dims[3], dims[1], false);
    } else {
        ts__view_rows(&y->view, dims, rank);
    }
    return y;
}

ts_status ts__import_part(ts_onnx *net, const ts_onnx_node *node, ts_meaning *x, const ts_part *part,
                          ts_meaning **out) {
    uint32_t dims[TS_MAX_RANK], axis, rank = x->view.rank;
    memcpy(dims, x->view.dims, sizeof dims);
    *out = x;
    if (part->begin == 0 && part->step == 1 && part->count == dims[part->axis]) {
        return TS_OK;
    }
    TS_TRY(ts__force(net, x, node));
    bool image = is_image(net, x);
    TS_TRY(axis_of(net, node, x, part->axis, image && part->axis > 0, &axis));
    const ts_tensor *t = &net->graph->tensors.data[x->tensor];
    uint32_t sizes[3] = {ts_h(t), ts_w(t), ts_c(t)};
    ts_node slice = ts__new_node(net, node, TS_OP_SLICE);
    slice.inputs[0] = x->tensor;
    for (uint32_t i = 0; i < 3; i++) {
        slice.move.step[i] = 1;
    }
    slice.move.begin[axis] = part->begin;
    slice.move.step[axis] = part->step;
    sizes[axis] = dims[part->axis] = part->count;
    const char *name = net->values.data[node->outputs[0]].name;
    *out = made_of(net, node, ts__add_move(net, &slice, name, sizes), dims, rank, image && part->axis > 0);
    return TS_OK;
}

/* Joins tensors along an axis, 8 at most in one node. */
static ts_tensor_id join(ts_onnx *net, const ts_onnx_node *node, const ts_tensor_id *parts, uint32_t count,
                         uint32_t axis) {
    ts_tensor_id made = parts[0];
    for (uint32_t done = 1; done < count;) {
        ts_node concat = ts__new_node(net, node, TS_OP_CONCAT);
        const ts_tensor *t = &net->graph->tensors.data[made];
        uint32_t sizes[3] = {ts_h(t), ts_w(t), ts_c(t)};
        concat.inputs[0] = made;
        concat.move.axis = axis;
        while (concat.input_count < TS_MAX_INPUTS && done < count) {
            sizes[axis] += net->graph->tensors.data[parts[done]].dims[1 + axis];
            concat.inputs[concat.input_count++] = parts[done++];
        }
        made = ts__add_move(net, &concat, net->values.data[node->outputs[0]].name, sizes);
    }
    return made;
}

ts_status ts__import_concat(ts_onnx *net, const ts_onnx_node *node, ts_meaning **inputs, uint32_t count,
                            uint32_t axis, ts_meaning **out) {
    uint32_t dims[TS_MAX_RANK], rank = inputs[0]->view.rank, along = 0;
    ts_tensor_id *parts = TS_NEW_ARRAY(net->scratch, ts_tensor_id, count);
    bool image = axis > 0;
    memcpy(dims, inputs[0]->view.dims, sizeof dims);
    dims[axis] = 0;
    for (uint32_t i = 0; i < count; i++) {
        bool fits = inputs[i]->view.rank == rank;
        for (uint32_t d = 0; fits && d < rank; d++) {
            fits = d == axis || inputs[i]->view.dims[d] == dims[d];
        }
        if (!fits || inputs[i]->view.dims[axis] > TS_ONNX_MAX_ELEMENTS - dims[axis]) {
            return FAIL(TS_DIAG_SHAPE, "its inputs do not fit each other");
        }
        dims[axis] += inputs[i]->view.dims[axis];
        TS_TRY(ts__force(net, inputs[i], node));
        image = image && is_image(net, inputs[i]);
    }
    for (uint32_t i = 0; i < count; i++) {
        TS_TRY(axis_of(net, node, inputs[i], axis, image, &along));
        parts[i] = inputs[i]->tensor;
    }
    *out = made_of(net, node, join(net, node, parts, count, along), dims, rank, image);
    return TS_OK;
}

ts_status ts__import_mean(ts_onnx *net, const ts_onnx_node *node, ts_meaning *x, uint32_t first,
                          uint32_t count, bool keep, ts_meaning **out) {
    enum { MOST = 4096 };
    uint32_t sizes[3] = {1, 1, 1}, dims[TS_MAX_RANK], rank = 0;
    for (uint32_t i = 0; i < x->view.rank; i++) {
        bool over = i >= first && i < first + count;
        sizes[i < first ? 0 : over ? 1 : 2] *= x->view.dims[i];
        if (!over || keep) {
            dims[rank++] = over ? 1 : x->view.dims[i];
        }
    }
    if (sizes[1] > MOST) {
        return FAIL(TS_DIAG_LIMIT, "a mean of %u elements; up to %d are served", sizes[1], MOST);
    }
    TS_TRY(ts__make_dense(net, node, x, sizes));
    if (net->graph->tensors.data[x->tensor].type == TS_S32) {
        return FAIL(TS_DIAG_UNSUPPORTED, "its input is a 32-bit accumulator");
    }
    ts_node pool = ts__new_node(net, node, TS_OP_AVG_POOL);
    pool.inputs[0] = x->tensor;
    pool.window = (ts_window){
        .kernel_h = 1, .kernel_w = sizes[1], .stride_h = 1, .stride_w = 1, .dilation_h = 1, .dilation_w = 1};
    *out = ts__meaning_of_node(net, &pool, sizes[0], 1, sizes[2]);
    ts__view_rows(&(*out)->view, dims, rank);
    ts__stage_push(net, node, *out)->mean = sizes[1];
    return TS_OK;
}

/* ---- pairs of activations ---- */

/* Repeats the operand along the axes in which it has one element. */
static ts_status repeat(ts_onnx *net, const ts_onnx_node *node, ts_meaning *x, const ts_view *to) {
    uint32_t own[3], sizes[3], dims[TS_MAX_RANK], rank = to->rank;
    bool same = true;
    memcpy(dims, to->dims, sizeof dims);
    ts__row_sizes(&x->view, own);
    ts__row_sizes(to, sizes);
    for (uint32_t i = 0; i < 3; i++) {
        if (own[i] != sizes[i] && own[i] != 1) {
            return FAIL(TS_DIAG_UNSUPPORTED, "an operand is repeated along an axis between others");
        }
        same = same && own[i] == sizes[i];
    }
    TS_TRY(ts__place(net, node, x, own));
    if (!same) {
        ts_node resize = ts__new_node(net, node, TS_OP_RESIZE);
        resize.inputs[0] = x->tensor;
        x->tensor = ts__add_move(net, &resize, x->name, sizes);
    }
    x->h = sizes[0];
    x->w = sizes[1];
    x->c = sizes[2];
    ts__view_rows(&x->view, dims, rank);
    return TS_OK;
}

ts_status ts__align(ts_onnx *net, const ts_onnx_node *node, ts_meaning *a, ts_meaning *b) {
    ts_view to = {.rank = a->view.rank > b->view.rank ? a->view.rank : b->view.rank};
    for (uint32_t i = 0; i < to.rank; i++) {
        uint32_t below_a = to.rank - a->view.rank, below_b = to.rank - b->view.rank;
        uint32_t x = i < below_a ? 1 : a->view.dims[i - below_a],
                 y = i < below_b ? 1 : b->view.dims[i - below_b];
        if (x != y && x != 1 && y != 1) {
            return FAIL(TS_DIAG_SHAPE, "its two operands differ in shape");
        }
        to.dims[i] = x == 1 ? y : x;
    }
    TS_TRY(repeat(net, node, a, &to));
    return repeat(net, node, b, &to);
}

ts_status ts__import_mul(ts_onnx *net, const ts_onnx_node *node, ts_meaning *a, ts_meaning *b,
                         ts_meaning **out) {
    ts_node mul = ts__new_node(net, node, TS_OP_MUL);
    mul.input_count = 2;
    mul.inputs[0] = a->tensor;
    mul.inputs[1] = b->tensor;
    *out = ts__meaning_of_node(net, &mul, a->h, a->w, a->c);
    (*out)->view = a->view;
    return TS_OK;
}
