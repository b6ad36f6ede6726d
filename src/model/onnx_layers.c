#include <string.h>

#include "model/onnx.h"

enum { MAX_WINDOW = 4096 };
#define MAX_WORK        (UINT64_C(1) << 36) /* multiply-accumulates or window elements of one layer */

#define FAIL(code, ...) ts_error(net->diags, (code), node->name, node->op, __VA_ARGS__)

/* Where a value's rows and columns lie in its tensor; `swapped`: the tensor's rows are its columns. */
typedef struct layout {
    uint32_t rank; /* spatial dimensions: 1 or 2 */
    uint32_t h, w, c;
    bool swapped;
} layout;

static bool is(const ts_onnx_node *node, const char *op) { return strcmp(node->op, op) == 0; }

ts_meaning *ts__meaning_of_tensor(ts_onnx *net, ts_tensor_id tensor) {
    const ts_tensor *t = &net->graph->tensors.data[tensor];
    ts_meaning *x = TS_NEW(net->scratch, ts_meaning);
    x->tensor = tensor;
    x->h = ts_h(t);
    x->w = ts_w(t);
    x->c = ts_c(t);
    return x;
}

ts_meaning *ts__meaning_of_node(ts_onnx *net, const ts_node *node, uint32_t h, uint32_t w, uint32_t c) {
    ts_meaning *x = TS_NEW(net->scratch, ts_meaning);
    x->tensor = TS_NONE;
    x->pending = ts_arena_copy(net->scratch, node, sizeof *node);
    x->h = h;
    x->w = w;
    x->c = c;
    return x;
}

ts_node ts__new_node(ts_onnx *net, const ts_onnx_node *node, ts_op op) {
    return (ts_node){
        .name = ts_arena_strdup(net->arena, node->name),
        .file_index = node->file_index,
        .op = op,
        .input_count = 1,
        .weights = TS_NONE,
        .bias = TS_NONE,
    };
}

/* A network input that is reshaped before anything reads it takes the shape that its reader wants. */
static bool retype_input(ts_onnx *net, const ts_meaning *x, uint32_t h, uint32_t w, uint32_t c,
                         const uint32_t strides[3]) {
    ts_tensor *t = &net->graph->tensors.data[x->tensor];
    bool packed =
        (c == 1 || strides[0] == 1) && (w == 1 || strides[2] == c) && (h == 1 || strides[1] == w * c);
    for (ts_node_id n = 0; n < net->graph->nodes.count; n++) {
        const ts_node *reader = &net->graph->nodes.data[n];
        packed = packed && reader->inputs[0] != x->tensor &&
                 (reader->input_count < 2 || reader->inputs[1] != x->tensor);
    }
    if (!packed || t->producer != TS_NONE || x->shared) {
        return false;
    }
    t->dims[1] = h;
    t->dims[2] = w;
    t->dims[3] = c;
    return true;
}

/* Reads the value as an image [1, C, H, W] or a sequence [1, C, L]. */
static ts_status find_layout(ts_onnx *net, const ts_onnx_node *node, ts_meaning *x, layout *out) {
    const ts_view *view = &x->view;
    if (view->rank < 3 || view->rank > 4 || view->dims[0] != 1) {
        return FAIL(TS_DIAG_SHAPE,
                    "its input has %u dimensions and batch %u; [1, C, H, W] and [1, C, L] are served",
                    view->rank, view->rank == 0 ? 0 : view->dims[0]);
    }
    bool image = view->rank == 4;
    uint32_t strides[3] = {0}; /* of C, H, W */
    uint32_t c = view->dims[1], h = image ? view->dims[2] : 1, w = view->dims[image ? 3 : 2];
    bool simple = ts__view_stride(view, 1, &strides[0]) &&
                  (!image || ts__view_stride(view, 2, &strides[1])) &&
                  ts__view_stride(view, image ? 3 : 2, &strides[2]);
    const ts_tensor *t = &net->graph->tensors.data[x->tensor];
    bool channels = simple && c == ts_c(t) && (c == 1 || strides[0] == 1);
    uint32_t row = ts_w(t) * ts_c(t);
    *out = (layout){.rank = image ? 2 : 1, .h = h, .w = w, .c = c};
    if (channels && h == ts_h(t) && w == ts_w(t) && (h == 1 || strides[1] == row) &&
        (w == 1 || strides[2] == ts_c(t))) {
        return TS_OK;
    }
    out->swapped = true;
    if (channels && h == ts_w(t) && w == ts_h(t) && (w == 1 || strides[2] == row) &&
        (h == 1 || strides[1] == ts_c(t))) {
        return TS_OK;
    }
    out->swapped = false;
    if (simple && retype_input(net, x, h, w, c, strides)) {
        return TS_OK;
    }
    return FAIL(TS_DIAG_UNSUPPORTED,
                "its input is reshaped or transposed so that channels mix with rows or columns");
}

static ts_status no_tail(ts_onnx *net, const ts_onnx_node *node, uint32_t input) {
    const ts_tensor *t = &net->graph->tensors.data[input];
    if (t->type == TS_S32) {
        return FAIL(TS_DIAG_UNSUPPORTED,
                    "its input '%s' is a 32-bit accumulator; a requantisation (Mul, Add, Div, Clip) has to "
                    "stand before it",
                    t->name);
    }
    return TS_OK;
}

/* ---- windows ---- */

/* `count` numbers of an attribute, `absent` where it is left out, each in [low, MAX_WINDOW]. */
static ts_status window_ints(ts_onnx *net, const ts_onnx_node *node, const char *name, uint32_t count,
                             int64_t low, uint32_t absent, uint32_t *out) {
    const int64_t *values;
    uint32_t given;
    TS_TRY(ts__onnx_attr_ints(net, node, name, &values, &given));
    if (given != 0 && given != count) {
        return FAIL(TS_DIAG_SHAPE, "attribute '%s' has %u numbers; %u would be right", name, given, count);
    }
    for (uint32_t i = 0; i < count; i++) {
        if (given != 0 && (values[i] < low || values[i] > MAX_WINDOW)) {
            return FAIL(TS_DIAG_VALUE, "attribute '%s' has %lld; %lld to %d are served", name,
                        (long long)values[i], (long long)low, MAX_WINDOW);
        }
        out[i] = given == 0 ? absent : (uint32_t)values[i];
    }
    return TS_OK;
}

/* Padding that makes ceil(in / stride) outputs, the odd one at the end (UPPER) or at the beginning. */
static void same_pads(uint32_t in, uint32_t kernel, uint32_t stride, uint32_t dilation, bool lower,
                      uint32_t *begin, uint32_t *end) {
    uint64_t out = ((uint64_t)in + stride - 1) / stride;
    uint64_t reach = (out - 1) * stride + (uint64_t)dilation * (kernel - 1) + 1;
    uint32_t total = reach > in ? (uint32_t)(reach - in) : 0;
    *begin = lower ? total - total / 2 : total / 2;
    *end = total - *begin;
}

/* Reads strides, dilations, pads and auto_pad of a node of `l->rank` dimensions, in the value's own rows
 * and columns; explicit Pad nodes before it are added. `kernel` has one size a dimension. */
static ts_status read_window(ts_onnx *net, const ts_onnx_node *node, const ts_meaning *x, const layout *l,
                             const uint32_t *kernel, ts_window *out) {
    uint32_t rank = l->rank, strides[2], dilations[2], pads[4];
    TS_TRY(window_ints(net, node, "strides", rank, 1, 1, strides));
    TS_TRY(window_ints(net, node, "dilations", rank, 1, 1, dilations));
    TS_TRY(window_ints(net, node, "pads", 2 * rank, 0, 0, pads));
    bool image = rank == 2;
    ts_window w = {
        .kernel_h = image ? kernel[0] : 1,
        .kernel_w = kernel[rank - 1],
        .stride_h = image ? strides[0] : 1,
        .stride_w = strides[rank - 1],
        .dilation_h = image ? dilations[0] : 1,
        .dilation_w = dilations[rank - 1],
        .pad_top = image ? pads[0] : 0,
        .pad_left = pads[rank - 1],
        .pad_bottom = image ? pads[2] : 0,
        .pad_right = pads[2 * rank - 1],
    };
    const char *mode = ts__onnx_attr_text(net, node, "auto_pad");
    uint32_t h = l->h + x->pads[0] + x->pads[2], v = l->w + x->pads[1] + x->pads[3];
    if (strcmp(mode, "VALID") == 0) {
        w.pad_top = w.pad_left = w.pad_bottom = w.pad_right = 0;
    } else if (strcmp(mode, "SAME_UPPER") == 0 || strcmp(mode, "SAME_LOWER") == 0) {
        bool lower = strcmp(mode, "SAME_LOWER") == 0;
        same_pads(h, w.kernel_h, w.stride_h, w.dilation_h, lower, &w.pad_top, &w.pad_bottom);
        same_pads(v, w.kernel_w, w.stride_w, w.dilation_w, lower, &w.pad_left, &w.pad_right);
    } else if (*mode != '\0' && strcmp(mode, "NOTSET") != 0) {
        return FAIL(TS_DIAG_UNSUPPORTED, "auto_pad '%s'; NOTSET, VALID, SAME_UPPER and SAME_LOWER are served",
                    mode);
    }
    w.pad_top += x->pads[0];
    w.pad_left += x->pads[1];
    w.pad_bottom += x->pads[2];
    w.pad_right += x->pads[3];
    *out = w;
    return TS_OK;
}

static ts_status window_size(ts_onnx *net, const ts_onnx_node *node, const layout *l, const ts_window *w,
                             uint64_t channels_work, uint32_t *h, uint32_t *v) {
    *h = ts_window_out(l->h, w->kernel_h, w->stride_h, w->dilation_h, w->pad_top, w->pad_bottom);
    *v = ts_window_out(l->w, w->kernel_w, w->stride_w, w->dilation_w, w->pad_left, w->pad_right);
    if (*h == 0 || *v == 0) {
        return FAIL(TS_DIAG_SHAPE, "a window of %u x %u does not fit its input of %u x %u", w->kernel_h,
                    w->kernel_w, l->h, l->w);
    }
    uint64_t positions = (uint64_t)*h * *v;
    uint64_t taps = (uint64_t)w->kernel_h * w->kernel_w;
    if (positions > TS_ONNX_MAX_ELEMENTS || taps > MAX_WORK / positions ||
        channels_work > MAX_WORK / (positions * taps)) {
        return FAIL(TS_DIAG_LIMIT, "its output of %u x %u is absurdly large", *h, *v);
    }
    return TS_OK;
}

static ts_window swap_window(const ts_window *w) {
    return (ts_window){
        .kernel_h = w->kernel_w,
        .kernel_w = w->kernel_h,
        .stride_h = w->stride_w,
        .stride_w = w->stride_h,
        .dilation_h = w->dilation_w,
        .dilation_w = w->dilation_h,
        .pad_top = w->pad_left,
        .pad_left = w->pad_top,
        .pad_bottom = w->pad_right,
        .pad_right = w->pad_bottom,
    };
}

/* ---- weights ---- */

/* Of 16 bits only where the node says so: without it, +128 is a mistake of who wrote the file. */
static ts_status check_weight_values(ts_onnx *net, const ts_onnx_node *node, const ts_constant *weights,
                                     int64_t bits) {
    int64_t high = bits > 8 ? INT16_MAX : INT8_MAX;
    for (uint64_t i = 0; i < weights->count; i++) {
        int64_t v = weights->ints[i];
        if (v < -high - 1 || v > high) {
            return FAIL(TS_DIAG_VALUE,
                        "weight %lld at element %llu of '%s' does not fit %d bits signed (%lld to %lld); "
                        "quantise the weights to %d bits or symmetrically",
                        (long long)v, (unsigned long long)i, weights->name, bits > 8 ? 16 : 8,
                        (long long)-high - 1, (long long)high, bits > 8 ? 15 : 7);
        }
    }
    return TS_OK;
}

/* Signed type of the weights: as annotated, otherwise the narrowest that holds them. */
static ts_status weight_type(ts_onnx *net, const ts_onnx_node *node, const ts_constant *weights,
                             ts_type *type) {
    int64_t low = 0, high = 0, bits;
    TS_TRY(ts__onnx_attr_int(net, node, "weight_bits", 0, &bits));
    if (bits > 16 || bits < 0) {
        return FAIL(TS_DIAG_UNSUPPORTED, "weight_bits %lld; 16 and fewer are served", (long long)bits);
    }
    TS_TRY(check_weight_values(net, node, weights, bits));
    for (uint64_t i = 0; i < weights->count; i++) {
        int64_t v = weights->ints[i];
        low = v < low ? v : low;
        high = v > high ? v : high;
    }
    int64_t needed = low >= -2 && high <= 1 ? 2 : low >= -8 && high <= 7 ? 4 : 8;
    if (bits != 0 && bits < needed && !(bits == 3 && needed == 4)) {
        ts_warn(net->diags, TS_DIAG_VALUE, node->name, node->op,
                "weight_bits is %lld, but its weights need %lld", (long long)bits, (long long)needed);
    }
    bits = bits > needed ? bits : needed;
    *type = bits <= 2 ? TS_S2 : bits <= 4 ? TS_S4 : bits <= 8 ? TS_S8 : TS_S16;
    return TS_OK;
}

/* Element `i` of weights of a type, which holds `value`. */
static void put_weight(void *data, ts_type type, uint64_t i, int64_t value) {
    if (type == TS_S16) {
        ((int16_t *)data)[i] = (int16_t)value;
    } else {
        ((int8_t *)data)[i] = (int8_t)value;
    }
}

static ts_status bias_tensor(ts_onnx *net, const ts_onnx_node *node, uint32_t channels, ts_tensor_id *out) {
    *out = TS_NONE;
    if (node->input_count < 3 || node->inputs[2] == TS_NONE) {
        return TS_OK;
    }
    const ts_constant *c = ts__onnx_const_input(net, node, 2);
    if (c == NULL) {
        return FAIL(TS_DIAG_UNSUPPORTED, "its bias is computed by the network; it must be constant");
    }
    TS_TRY(ts__constant_whole(net, node, c, "bias"));
    uint32_t last = c->rank == 0 ? 1 : c->dims[c->rank - 1];
    if (c->count != 1 && (c->count != channels || last != channels)) {
        return FAIL(TS_DIAG_SHAPE, "its bias has %llu elements; %u would be right",
                    (unsigned long long)c->count, channels);
    }
    TS_TRY(ts__onnx_work(net, node, channels));
    int32_t *data = TS_NEW_ARRAY(net->arena, int32_t, channels);
    for (uint32_t i = 0; i < channels; i++) {
        int64_t v = c->ints[c->count == 1 ? 0 : i];
        if (v < INT32_MIN || v > INT32_MAX) {
            return FAIL(TS_DIAG_VALUE, "bias %lld of channel %u passes 32 bits", (long long)v, i);
        }
        data[i] = (int32_t)v;
    }
    *out = ts__new_tensor(net, c->name, TS_S32, 1, &channels, data);
    return TS_OK;
}

static ts_status weights_of(ts_onnx *net, const ts_onnx_node *node, const ts_constant **out) {
    const ts_constant *c = ts__onnx_const_input(net, node, 1);
    if (c == NULL) {
        return FAIL(TS_DIAG_UNSUPPORTED,
                    "its second operand is computed by the network; weights must be "
                    "constant");
    }
    TS_TRY(ts__constant_whole(net, node, c, "weights"));
    TS_TRY(ts__onnx_work(net, node, 2 * c->count));
    *out = c;
    return TS_OK;
}

/* [Cout, Cin / groups, kh, kw] to OHWI. */
static ts_status conv_weights(ts_onnx *net, const ts_onnx_node *node, const ts_constant *w, bool swapped,
                              ts_tensor_id *out) {
    ts_type type;
    TS_TRY(weight_type(net, node, w, &type));
    uint32_t o = w->dims[0], i = w->dims[1], kh = w->rank == 4 ? w->dims[2] : 1, kw = w->dims[w->rank - 1];
    void *data = ts_arena_array(net->arena, w->count, ts_type_slot_bytes(type));
    uint64_t from = 0;
    for (uint32_t co = 0; co < o; co++) {
        for (uint32_t ci = 0; ci < i; ci++) {
            for (uint32_t r = 0; r < kh; r++) {
                for (uint32_t s = 0; s < kw; s++) {
                    uint64_t tap = swapped ? (uint64_t)s * kh + r : (uint64_t)r * kw + s;
                    put_weight(data, type, ((uint64_t)co * kh * kw + tap) * i + ci, w->ints[from++]);
                }
            }
        }
    }
    uint32_t dims[4] = {o, swapped ? kw : kh, swapped ? kh : kw, i};
    *out = ts__new_tensor(net, w->name, type, 4, dims, data);
    return TS_OK;
}

/* ---- layers ---- */

static ts_status check_groups(ts_onnx *net, const ts_onnx_node *node, const ts_constant *w, const layout *l,
                              uint32_t *groups) {
    int64_t g;
    TS_TRY(ts__onnx_attr_int(net, node, "group", 1, &g));
    if (w->rank != l->rank + 2 || w->count == 0) {
        return FAIL(TS_DIAG_SHAPE, "its weights have %u dimensions and its input %u", w->rank, l->rank + 2);
    }
    if (g <= 0 || g > l->c || l->c % g != 0 || w->dims[0] % g != 0 || (uint64_t)g * w->dims[1] != l->c) {
        return FAIL(TS_DIAG_SHAPE,
                    "group %lld, %u input channels, and weights for %u outputs of %u inputs do not fit",
                    (long long)g, l->c, w->dims[0], w->dims[1]);
    }
    const int64_t *kernel;
    uint32_t count;
    TS_TRY(ts__onnx_attr_ints(net, node, "kernel_shape", &kernel, &count));
    for (uint32_t i = 0; i < count; i++) {
        if (count != l->rank || kernel[i] != w->dims[2 + i]) {
            return FAIL(TS_DIAG_SHAPE, "kernel_shape differs from its weights' shape");
        }
    }
    *groups = (uint32_t)g;
    return TS_OK;
}

ts_status ts__import_conv(ts_onnx *net, const ts_onnx_node *node, ts_meaning *x, ts_meaning **out) {
    layout l;
    const ts_constant *w;
    ts_window window;
    uint32_t h, v;
    TS_TRY(weights_of(net, node, &w));
    TS_TRY(find_layout(net, node, x, &l));
    TS_TRY(no_tail(net, node, x->tensor));
    ts_node conv = ts__new_node(net, node, TS_OP_CONV);
    TS_TRY(check_groups(net, node, w, &l, &conv.groups));
    TS_TRY(read_window(net, node, x, &l, w->dims + 2, &window));
    TS_TRY(window_size(net, node, &l, &window, (uint64_t)w->dims[0] * w->dims[1], &h, &v));
    conv.window = l.swapped ? swap_window(&window) : window;
    conv.inputs[0] = x->tensor;
    TS_TRY(conv_weights(net, node, w, l.swapped, &conv.weights));
    TS_TRY(bias_tensor(net, node, w->dims[0], &conv.bias));
    *out = ts__meaning_of_node(net, &conv, l.swapped ? v : h, l.swapped ? h : v, w->dims[0]);
    ts__view_map(&(*out)->view, l.rank, h, v, w->dims[0], l.swapped);
    return TS_OK;
}

/* Where element i of the linear layer's input lies in the tensor: the order of the weights' columns. */
static ts_status input_places(ts_onnx *net, const ts_onnx_node *node, const ts_meaning *x, uint32_t **out,
                              uint32_t *count) {
    const ts_view *view = &x->view;
    uint32_t last = view->rank - 1;
    if (view->rank == 0 || ts__view_elements(view) != view->dims[last]) {
        return FAIL(TS_DIAG_UNSUPPORTED,
                    "its input has more than one row; one vector of features is served (Flatten before it)");
    }
    *count = view->dims[last];
    TS_TRY(ts__onnx_work(net, node, *count));
    *out = TS_NEW_ARRAY(net->scratch, uint32_t, *count);
    for (uint32_t i = 0; i < *count; i++) {
        uint32_t rest = i, place = 0;
        for (uint32_t f = view->factor_count; f-- > 0;) {
            if (view->factors[f].dim == last) {
                place += rest % view->factors[f].size * view->factors[f].stride;
                rest /= view->factors[f].size;
            }
        }
        (*out)[i] = place;
    }
    return TS_OK;
}

static ts_status check_gemm(ts_onnx *net, const ts_onnx_node *node, bool *transposed) {
    double alpha, beta;
    int64_t trans_a, trans_b;
    TS_TRY(ts__onnx_attr_float(net, node, "alpha", 1, &alpha));
    TS_TRY(ts__onnx_attr_float(net, node, "beta", 1, &beta));
    TS_TRY(ts__onnx_attr_int(net, node, "transA", 0, &trans_a));
    TS_TRY(ts__onnx_attr_int(net, node, "transB", 0, &trans_b));
    bool has_bias = node->input_count > 2 && node->inputs[2] != TS_NONE;
    if (alpha != 1 || (beta != 1 && has_bias) || trans_a != 0) {
        return FAIL(TS_DIAG_UNSUPPORTED, "alpha = beta = 1 and transA = 0 are served");
    }
    *transposed = trans_b != 0;
    return TS_OK;
}

/* A linear layer of each row: a convolution with windows of one pixel. */
static ts_status import_rows(ts_onnx *net, const ts_onnx_node *node, ts_meaning *x, ts_meaning **out) {
    const ts_constant *w;
    bool by_output = false; /* [out, in] */
    ts_type type;
    TS_TRY(weights_of(net, node, &w));
    if (is(node, "Gemm")) {
        TS_TRY(check_gemm(net, node, &by_output));
    }
    TS_TRY(ts__want_channels_last(net, node, x));
    TS_TRY(no_tail(net, node, x->tensor));
    if (w->rank != 2 || w->count == 0 || w->dims[by_output ? 1 : 0] != x->c) {
        return FAIL(TS_DIAG_SHAPE, "its weights do not fit its rows of %u elements", x->c);
    }
    TS_TRY(weight_type(net, node, w, &type));
    uint32_t outputs = w->dims[by_output ? 0 : 1], in = x->c;
    void *data = ts_arena_array(net->arena, w->count, ts_type_slot_bytes(type));
    for (uint32_t o = 0; o < outputs; o++) {
        for (uint32_t i = 0; i < in; i++) {
            uint64_t from = by_output ? (uint64_t)o * in + i : (uint64_t)i * outputs + o;
            put_weight(data, type, (uint64_t)o * in + i, w->ints[from]);
        }
    }
    ts_node conv = ts__new_node(net, node, TS_OP_CONV);
    const uint32_t dims[4] = {outputs, 1, 1, in};
    conv.groups = 1;
    conv.window = (ts_window){
        .kernel_h = 1, .kernel_w = 1, .stride_h = 1, .stride_w = 1, .dilation_h = 1, .dilation_w = 1};
    conv.inputs[0] = x->tensor;
    conv.weights = ts__new_tensor(net, w->name, type, 4, dims, data);
    if (is(node, "Gemm")) {
        TS_TRY(bias_tensor(net, node, outputs, &conv.bias));
    }
    *out = ts__meaning_of_node(net, &conv, x->h, x->w, outputs);
    ts__rows_view(x, outputs, &(*out)->view);
    return TS_OK;
}

ts_status ts__import_linear(ts_onnx *net, const ts_onnx_node *node, ts_meaning *x, ts_meaning **out) {
    const ts_constant *w;
    uint32_t last = x->view.rank - 1;
    if (x->view.rank > 1 && ts__view_elements(&x->view) != x->view.dims[last]) {
        return import_rows(net, node, x, out);
    }
    bool by_output = false; /* [out, in] */
    uint32_t *places = NULL, in = 0;
    TS_TRY(weights_of(net, node, &w));
    if (is(node, "Gemm")) {
        TS_TRY(check_gemm(net, node, &by_output));
    }
    TS_TRY(no_tail(net, node, x->tensor));
    TS_TRY(input_places(net, node, x, &places, &in));
    if (w->rank != 2 || w->count == 0 || w->dims[by_output ? 1 : 0] != in) {
        return FAIL(TS_DIAG_SHAPE, "its weights do not fit its input of %u elements", in);
    }
    ts_type type;
    TS_TRY(weight_type(net, node, w, &type));
    uint32_t outputs = w->dims[by_output ? 0 : 1];
    void *data = ts_arena_array(net->arena, w->count, ts_type_slot_bytes(type));
    for (uint32_t o = 0; o < outputs; o++) {
        for (uint32_t i = 0; i < in; i++) {
            uint64_t from = by_output ? (uint64_t)o * in + i : (uint64_t)i * outputs + o;
            put_weight(data, type, (uint64_t)o * in + places[i], w->ints[from]);
        }
    }
    ts_node linear = ts__new_node(net, node, TS_OP_LINEAR);
    uint32_t dims[2] = {outputs, in};
    linear.inputs[0] = x->tensor;
    linear.weights = ts__new_tensor(net, w->name, type, 2, dims, data);
    if (is(node, "Gemm")) {
        TS_TRY(bias_tensor(net, node, outputs, &linear.bias));
    }
    uint32_t rank = x->view.rank;
    *out = ts__meaning_of_node(net, &linear, 1, 1, outputs);
    ts__view_vector(&(*out)->view, rank, outputs);
    return TS_OK;
}

/* ceil_mode: a window that begins inside the input or its left padding counts, though it ends outside;
 * the padding at the end grows to hold it. */
static void grow_for_ceil(uint32_t in, uint32_t kernel, uint32_t stride, uint32_t dilation, uint32_t begin,
                          uint32_t *end) {
    uint64_t size = (uint64_t)in + begin + *end, reach = (uint64_t)dilation * (kernel - 1) + 1;
    if (size < reach) {
        return;
    }
    uint64_t out = (size - reach + stride - 1) / stride + 1;
    if ((out - 1) * stride >= (uint64_t)in + begin) {
        out--;
    }
    uint64_t wanted = (out - 1) * stride + reach;
    *end += wanted > size ? (uint32_t)(wanted - size) : 0;
}

static ts_status check_pool(ts_onnx *net, const ts_onnx_node *node, const ts_meaning *x, bool average,
                            bool own_pads, bool grown) {
    int64_t include, order;
    TS_TRY(ts__onnx_attr_int(net, node, "count_include_pad", 0, &include));
    TS_TRY(ts__onnx_attr_int(net, node, "storage_order", 0, &order));
    const ts_tensor *in = &net->graph->tensors.data[x->tensor];
    if (average && ((own_pads && include == 0) || grown)) {
        return FAIL(TS_DIAG_UNSUPPORTED,
                    "windows over the border divide by fewer elements (count_include_pad = 0 or ceil_mode); "
                    "one divisor for all windows is served");
    }
    if (!average && x->padded && ts_type_is_signed(in->type) &&
        (x->pads[0] | x->pads[1] | x->pads[2] | x->pads[3]) != 0) {
        return FAIL(TS_DIAG_UNSUPPORTED, "an explicit Pad of zeros before a maximum of signed activations");
    }
    if (!average && node->output_count > 1 && node->outputs[1] != TS_NONE &&
        net->values.data[node->outputs[1]].uses > 0) {
        return FAIL(TS_DIAG_UNSUPPORTED, "its second output, the indices, is not served");
    }
    return TS_OK;
}

static ts_status pool_kernel(ts_onnx *net, const ts_onnx_node *node, const layout *l, bool global,
                             uint32_t *kernel) {
    if (!global) {
        if (ts__onnx_attribute(node, "kernel_shape") == NULL) {
            return FAIL(TS_DIAG_MALFORMED, "it has no kernel_shape");
        }
        return window_ints(net, node, "kernel_shape", l->rank, 1, 1, kernel);
    }
    kernel[0] = l->rank == 2 ? l->h : l->w;
    kernel[1] = l->w;
    return l->h <= MAX_WINDOW && l->w <= MAX_WINDOW
               ? TS_OK
               : FAIL(TS_DIAG_LIMIT, "a window of %u x %u; %d are served", l->h, l->w, MAX_WINDOW);
}

static ts_status pool_window(ts_onnx *net, const ts_onnx_node *node, ts_meaning *x, const layout *l,
                             bool average, ts_window *w) {
    uint32_t kernel[2] = {1, 1};
    int64_t ceil_mode;
    bool global = strncmp(node->op, "Global", 6) == 0 || is(node, "ReduceMean");
    TS_TRY(pool_kernel(net, node, l, global, kernel));
    TS_TRY(read_window(net, node, x, l, kernel, w));
    TS_TRY(ts__onnx_attr_int(net, node, "ceil_mode", 0, &ceil_mode));
    bool own_pads = w->pad_top != x->pads[0] || w->pad_left != x->pads[1] || w->pad_bottom != x->pads[2] ||
                    w->pad_right != x->pads[3];
    ts_window before = *w;
    if (ceil_mode != 0) {
        grow_for_ceil(l->h, w->kernel_h, w->stride_h, w->dilation_h, w->pad_top, &w->pad_bottom);
        grow_for_ceil(l->w, w->kernel_w, w->stride_w, w->dilation_w, w->pad_left, &w->pad_right);
    }
    bool grown = before.pad_bottom != w->pad_bottom || before.pad_right != w->pad_right;
    if (!average &&
        (w->pad_top >= (w->kernel_h - 1) * w->dilation_h + 1 ||
         w->pad_left >= (w->kernel_w - 1) * w->dilation_w + 1) &&
        ts_type_is_signed(net->graph->tensors.data[x->tensor].type)) {
        return FAIL(TS_DIAG_UNSUPPORTED, "a window lies in the padding entirely");
    }
    return check_pool(net, node, x, average, own_pads, grown);
}

ts_status ts__import_pool(ts_onnx *net, const ts_onnx_node *node, ts_meaning *x, ts_meaning **out) {
    layout l;
    ts_window window;
    uint32_t h, v;
    bool average = strstr(node->op, "Average") != NULL || is(node, "ReduceMean");
    TS_TRY(find_layout(net, node, x, &l));
    TS_TRY(no_tail(net, node, x->tensor));
    TS_TRY(pool_window(net, node, x, &l, average, &window));
    TS_TRY(window_size(net, node, &l, &window, l.c, &h, &v));
    ts_node pool = ts__new_node(net, node, average ? TS_OP_AVG_POOL : TS_OP_MAX_POOL);
    pool.window = l.swapped ? swap_window(&window) : window;
    pool.inputs[0] = x->tensor;
    uint32_t rows = l.swapped ? v : h, columns = l.swapped ? h : v;
    *out = ts__meaning_of_node(net, &pool, rows, columns, l.c);
    ts__view_map(&(*out)->view, l.rank, h, v, l.c, l.swapped);
    if (average) {
        ts__stage_push(net, node, *out)->mean = (int64_t)window.kernel_h * window.kernel_w;
    }
    return TS_OK;
}

/* ---- addition ---- */

static ts_add_step identity_step(void) {
    return (ts_add_step){.mul = 1, .add = 0, .div = 1, .low = INT32_MIN, .high = INT32_MAX};
}

static ts_status set_levels(ts_onnx *net, const ts_onnx_node *node, int64_t levels, bool is_signed,
                            ts_add_step *step) {
    if (levels < 2 || levels > 65536) {
        return FAIL(TS_DIAG_VALUE, "%lld levels; 2 to 65536 are served", (long long)levels);
    }
    step->low = is_signed ? (int32_t)(-levels / 2) : 0;
    step->high = (int32_t)(is_signed ? levels / 2 - 1 : levels - 1);
    return TS_OK;
}

/* One requantisation of Quantlab's Add: attributes PREFIX_mul, _add, _shift, _n_levels, _rq. */
static ts_status quantlab_step(ts_onnx *net, const ts_onnx_node *node, const char *prefix, bool is_signed,
                               bool is_output, ts_add_step *step) {
    static const char *const names[] = {"mul", "add", "shift", "n_levels", "rq"};
    int64_t absent[] = {1, 0, 0, 256, is_output ? 0 : 1}, values[5];
    for (int i = 0; i < 5; i++) {
        const char *name = ts_arena_printf(net->scratch, "%s_%s", prefix, names[i]);
        TS_TRY(ts__onnx_attr_int(net, node, name, absent[i], &values[i]));
    }
    *step = identity_step();
    if (values[4] != 0) {
        if (values[2] < 0 || values[2] > 62) {
            return FAIL(TS_DIAG_VALUE, "%s_shift is %lld; 0 to 62 are served", prefix, (long long)values[2]);
        }
        step->mul = values[0];
        step->add = values[1];
        step->div = INT64_C(1) << values[2];
    }
    if (values[4] != 0 || is_output) {
        return set_levels(net, node, values[3], is_signed, step);
    }
    return TS_OK;
}

static ts_status quantlab_add(ts_onnx *net, const ts_onnx_node *node, ts_node *add) {
    const ts_tensor *tensors = net->graph->tensors.data;
    bool first = ts_type_is_signed(tensors[add->inputs[0]].type);
    bool second = ts_type_is_signed(tensors[add->inputs[1]].type);
    int64_t out_signed;
    TS_TRY(ts__onnx_attr_int(net, node, "out_signed", first || second, &out_signed));
    TS_TRY(quantlab_step(net, node, "in1", first, false, &add->in1));
    TS_TRY(quantlab_step(net, node, "in2", second, false, &add->in2));
    return quantlab_step(net, node, "out", out_signed != 0, true, &add->sum);
}

/* A branch: at most one scalar stage over its tensor. What is not whole yet keeps its divisor in *div. */
static ts_status branch_step(ts_onnx *net, const ts_onnx_node *node, const ts_meaning *x, ts_add_step *step,
                             int64_t *div) {
    *step = identity_step();
    *div = 1;
    if (x->stages.count == 0) {
        return TS_OK;
    }
    const ts_stage *s = &x->stages.data[0];
    int64_t d;
    if (__builtin_mul_overflow(s->a[0], s->m, &step->mul) ||
        __builtin_mul_overflow(s->b[0], s->m, &step->add) || __builtin_mul_overflow(s->d, s->mean, &d)) {
        return FAIL(TS_DIAG_VALUE, "the constants of a branch make a product that passes 63 bits");
    }
    if (!s->floored) {
        if (d != 1 && (s->low != INT64_MIN || s->high != INT64_MAX)) {
            return FAIL(TS_DIAG_UNSUPPORTED, "a branch is clipped but not whole; a Floor has to follow");
        }
        *div = d;
        d = 1;
    }
    step->div = d;
    step->low = s->low < INT32_MIN ? INT32_MIN : s->low > INT32_MAX ? INT32_MAX : (int32_t)s->low;
    step->high = s->high > INT32_MAX ? INT32_MAX : s->high < INT32_MIN ? INT32_MIN : (int32_t)s->high;
    return TS_OK;
}

static int64_t gcd(int64_t a, int64_t b) { return b == 0 ? a : gcd(b, a % b); }

static bool is_linear(const ts_add_step *step) {
    return step->div == 1 && step->low == INT32_MIN && step->high == INT32_MAX;
}

static ts_status scale_branch(ts_onnx *net, const ts_onnx_node *node, ts_add_step *step, int64_t factor) {
    if (factor != 1 && !is_linear(step)) {
        return FAIL(TS_DIAG_UNSUPPORTED,
                    "one branch is rounded or clipped and the other is not whole; a Floor "
                    "has to stand on each or behind the sum");
    }
    if (__builtin_mul_overflow(step->mul, factor, &step->mul) ||
        __builtin_mul_overflow(step->add, factor, &step->add)) {
        return FAIL(TS_DIAG_VALUE, "the divisors of its branches make a product that passes 63 bits");
    }
    return TS_OK;
}

/* Brings two branches with divisors d1 and d2 to their least common multiple. */
static ts_status common_divisor(ts_onnx *net, const ts_onnx_node *node, ts_node *add, int64_t d1, int64_t d2,
                                int64_t *common) {
    if (__builtin_mul_overflow(d1 / gcd(d1, d2), d2, common)) {
        return FAIL(TS_DIAG_VALUE, "the divisors of its branches make a product that passes 63 bits");
    }
    TS_TRY(scale_branch(net, node, &add->in1, *common / d1));
    return scale_branch(net, node, &add->in2, *common / d2);
}

bool ts__same_layout(const ts_meaning *a, const ts_meaning *b) {
    bool same = a->view.rank == b->view.rank && a->h == b->h && a->w == b->w && a->c == b->c;
    for (uint32_t i = 0; same && i < a->view.rank; i++) {
        uint32_t s = 0, t = 0;
        same = a->view.dims[i] == b->view.dims[i] && ts__view_stride(&a->view, i, &s) &&
               ts__view_stride(&b->view, i, &t) && s == t;
    }
    return same;
}

ts_status ts__import_residual(ts_onnx *net, const ts_onnx_node *node, ts_meaning *x1, ts_meaning *x2,
                              ts_meaning **out) {
    bool quantlab = ts__onnx_attribute(node, "in1_mul") != NULL || ts__onnx_attribute(node, "in1_rq") != NULL;
    ts_node add = ts__new_node(net, node, TS_OP_ADD);
    add.input_count = 2;
    add.inputs[0] = x1->tensor;
    add.inputs[1] = x2->tensor;
    add.sum = identity_step();
    int64_t d1 = 1, d2 = 1, common = 1;
    if (quantlab) {
        TS_TRY(quantlab_add(net, node, &add));
    } else {
        TS_TRY(branch_step(net, node, x1, &add.in1, &d1));
        TS_TRY(branch_step(net, node, x2, &add.in2, &d2));
        TS_TRY(common_divisor(net, node, &add, d1, d2, &common));
    }
    *out = ts__meaning_of_node(net, &add, x1->h, x1->w, x1->c);
    (*out)->view = x1->view;
    (*out)->sum_done = quantlab;
    if (common != 1) {
        ts__stage_push(net, node, *out)->d = common;
    }
    return TS_OK;
}
