/* Values whose elements a layer wants in the order of their dimensions: movements are added where the tensor
 * behind a value has another order. */
#include <string.h>

#include "model/onnx.h"

#define FAIL(code, ...) ts_error(net->diags, (code), node->name, node->op, __VA_ARGS__)

/* A value's elements along each of its factors, the outermost first, as they lie in memory. */
typedef struct order {
    uint32_t count;
    uint32_t size[TS_ONNX_MAX_FACTORS], stride[TS_ONNX_MAX_FACTORS];
} order;

/* Factors of size 1 say nothing, and neighbours that lie as one are one. */
static order order_of(const ts_view *view) {
    order o = {0};
    for (uint32_t f = 0; f < view->factor_count; f++) {
        uint32_t size = view->factors[f].size, stride = view->factors[f].stride;
        if (size == 1) {
            continue;
        }
        if (o.count > 0 && o.stride[o.count - 1] == (uint64_t)size * stride) {
            o.size[o.count - 1] *= size;
            o.stride[o.count - 1] = stride;
        } else {
            o.size[o.count] = size;
            o.stride[o.count++] = stride;
        }
    }
    return o;
}

/* Whether the elements lie in memory in the order of the value's dimensions. */
static bool in_order(const order *o) { return o->count == 0 || (o->count == 1 && o->stride[0] == 1); }

static ts_node move_node(ts_onnx *net, const ts_onnx_node *node, ts_op op, ts_tensor_id x) {
    return (ts_node){
        .name = ts_arena_strdup(net->arena, node->name),
        .file_index = node->file_index,
        .op = op,
        .input_count = 1,
        .inputs = {x},
        .weights = TS_NONE,
        .bias = TS_NONE,
    };
}

ts_tensor_id ts__add_move(ts_onnx *net, const ts_node *made, const char *name, const uint32_t sizes[3]) {
    const ts_type type = net->graph->tensors.data[made->inputs[0]].type;
    const uint32_t dims[4] = {1, sizes[0], sizes[1], sizes[2]};
    ts_node move = *made;
    move.output = ts__new_tensor(net, name, type, 4, dims, NULL);
    ts_graph_add_node(net->graph, &move);
    return move.output;
}

/* Nothing reads the input yet, and no other value means it: it takes the shape that is wanted. */
static bool retype_input(ts_onnx *net, const ts_meaning *x, const uint32_t sizes[3]) {
    ts_tensor *t = &net->graph->tensors.data[x->tensor];
    bool free = t->producer == TS_NONE && !x->shared;
    for (ts_node_id n = 0; free && n < net->graph->nodes.count; n++) {
        const ts_node *reader = &net->graph->nodes.data[n];
        for (uint32_t k = 0; k < reader->input_count; k++) {
            free = free && reader->inputs[k] != x->tensor;
        }
    }
    for (uint32_t i = 0; free && i < 3; i++) {
        t->dims[1 + i] = sizes[i];
    }
    return free;
}

/* Elements of the tensor in another shape. */
static void reshape(ts_onnx *net, const ts_onnx_node *node, ts_meaning *x, const uint32_t sizes[3]) {
    const ts_tensor *t = &net->graph->tensors.data[x->tensor];
    if (ts_h(t) == sizes[0] && ts_w(t) == sizes[1] && ts_c(t) == sizes[2]) {
        return;
    }
    if (!retype_input(net, x, sizes)) {
        const ts_node move = move_node(net, node, TS_OP_RESHAPE, x->tensor);
        x->tensor = ts__add_move(net, &move, x->name, sizes);
    }
}

/* Three blocks a, b, c of axes become a, c, b. */
static void swap_blocks(ts_onnx *net, const ts_onnx_node *node, ts_meaning *x, const uint32_t sizes[3]) {
    if (sizes[1] == 1 || sizes[2] == 1) {
        return;
    }
    reshape(net, node, x, sizes);
    ts_node move = move_node(net, node, TS_OP_TRANSPOSE, x->tensor);
    const uint32_t moved[3] = {sizes[0], sizes[2], sizes[1]};
    memcpy(move.move.order, (const uint32_t[3]){0, 2, 1}, sizeof move.move.order);
    x->tensor = ts__add_move(net, &move, x->name, moved);
}

/* Blocks a, b, c become b, a, c: pixels move whole. */
static void swap_outer(ts_onnx *net, const ts_onnx_node *node, ts_meaning *x, const uint32_t sizes[3]) {
    reshape(net, node, x, sizes);
    ts_node move = move_node(net, node, TS_OP_TRANSPOSE, x->tensor);
    const uint32_t moved[3] = {sizes[1], sizes[0], sizes[2]};
    memcpy(move.move.order, (const uint32_t[3]){1, 0, 2}, sizeof move.move.order);
    x->tensor = ts__add_move(net, &move, x->name, moved);
}

static uint32_t product(const uint32_t *sizes, uint32_t begin, uint32_t end) {
    uint32_t p = 1;
    for (uint32_t i = begin; i < end; i++) {
        p *= sizes[i];
    }
    return p;
}

/* Brings the axis at `from` of those in memory to `to` before it. */
static void bring(ts_onnx *net, const ts_onnx_node *node, ts_meaning *x, const uint32_t *sizes,
                  uint32_t count, uint32_t to, uint32_t from) {
    uint32_t before = product(sizes, 0, to), between = product(sizes, to, from), own = sizes[from];
    uint32_t behind = product(sizes, from + 1, count);
    if (before == 1) {
        swap_outer(net, node, x, (const uint32_t[3]){between, own, behind});
    } else {
        swap_blocks(net, node, x, (const uint32_t[3]){before, between, own * behind});
        swap_blocks(net, node, x, (const uint32_t[3]){before * own, behind, between});
    }
}

/* Moves the tensor's elements into the order of the value's dimensions. */
static ts_status sort_axes(ts_onnx *net, const ts_onnx_node *node, ts_meaning *x) {
    order wanted = order_of(&x->view), memory = wanted;
    for (uint32_t i = 1; i < memory.count; i++) {
        for (uint32_t k = i; k > 0 && memory.stride[k] > memory.stride[k - 1]; k--) {
            uint32_t size = memory.size[k], stride = memory.stride[k];
            memory.size[k] = memory.size[k - 1];
            memory.stride[k] = memory.stride[k - 1];
            memory.size[k - 1] = size;
            memory.stride[k - 1] = stride;
        }
    }
    uint64_t inner = 1;
    for (uint32_t i = memory.count; i-- > 0; inner *= memory.size[i]) {
        if (memory.stride[i] != inner) {
            return FAIL(TS_DIAG_UNSUPPORTED, "its input is a part of another value");
        }
    }
    for (uint32_t i = 0; i < wanted.count; i++) {
        uint32_t from = i;
        while (memory.stride[from] != wanted.stride[i]) {
            from++;
        }
        if (from == i) {
            continue;
        }
        bring(net, node, x, memory.size, memory.count, i, from);
        uint32_t size = memory.size[from], stride = memory.stride[from];
        memmove(&memory.size[i + 1], &memory.size[i], (from - i) * sizeof size);
        memmove(&memory.stride[i + 1], &memory.stride[i], (from - i) * sizeof stride);
        memory.size[i] = size;
        memory.stride[i] = stride;
    }
    return TS_OK;
}

void ts__view_rows(ts_view *view, const uint32_t *dims, uint32_t rank) {
    uint32_t stride = 1;
    *view = (ts_view){.rank = rank, .factor_count = rank};
    for (uint32_t i = rank; i-- > 0;) {
        view->dims[i] = dims[i];
        view->factors[i].size = dims[i];
        view->factors[i].stride = stride;
        view->factors[i].dim = i;
        stride *= dims[i];
    }
}

ts_status ts__make_dense(ts_onnx *net, const ts_onnx_node *node, ts_meaning *x, const uint32_t sizes[3]) {
    TS_TRY(ts__force(net, x, node));
    return ts__place(net, node, x, sizes);
}

ts_status ts__place(ts_onnx *net, const ts_onnx_node *node, ts_meaning *x, const uint32_t sizes[3]) {
    const order o = order_of(&x->view);
    TS_TRY(ts__onnx_work(net, node, ts__view_elements(&x->view)));
    if (!in_order(&o)) {
        TS_TRY(sort_axes(net, node, x));
    }
    reshape(net, node, x, sizes);
    const ts_tensor *t = &net->graph->tensors.data[x->tensor];
    x->h = ts_h(t);
    x->w = ts_w(t);
    x->c = ts_c(t);
    uint32_t dims[TS_MAX_RANK], rank = x->view.rank;
    memcpy(dims, x->view.dims, sizeof dims);
    ts__view_rows(&x->view, dims, rank);
    return TS_OK;
}

void ts__row_sizes(const ts_view *view, uint32_t sizes[3]) {
    uint32_t rank = view->rank;
    sizes[0] = sizes[1] = sizes[2] = 1;
    for (uint32_t i = 0; i < rank; i++) {
        sizes[i + 1 == rank ? 2 : i + 2 == rank ? 1 : 0] *= view->dims[i];
    }
}

bool ts__ends_in_channels(const ts_meaning *x) {
    const ts_view *view = &x->view;
    uint32_t stride, last = view->rank - 1;
    return view->rank > 0 && view->dims[last] == x->c && ts__view_stride(view, last, &stride) &&
           (x->c == 1 || stride == 1);
}

ts_status ts__want_channels_last(ts_onnx *net, const ts_onnx_node *node, ts_meaning *x) {
    uint32_t sizes[3];
    TS_TRY(ts__force(net, x, node));
    if (x->view.rank == 0) {
        return FAIL(TS_DIAG_SHAPE, "its input has no dimensions");
    }
    if (ts__ends_in_channels(x)) {
        return TS_OK;
    }
    ts__row_sizes(&x->view, sizes);
    return ts__make_dense(net, node, x, sizes);
}

/* A sequence of pixels that an image's rows and columns became in another order than they lie: its elements
 * are put in that order once, here. */
ts_status ts__settle_tokens(ts_onnx *net, const ts_onnx_node *node, ts_meaning *x) {
    uint32_t stride;
    bool simple = true;
    for (uint32_t i = 0; i < x->view.rank; i++) {
        simple = simple && ts__view_stride(&x->view, i, &stride);
    }
    if (simple || !ts__ends_in_channels(x) || x->c == 1) {
        return TS_OK;
    }
    uint32_t sizes[3];
    ts__row_sizes(&x->view, sizes);
    return ts__make_dense(net, node, x, sizes);
}

bool ts__is_in_order(const ts_view *view) {
    const order o = order_of(view);
    return in_order(&o);
}

void ts__rows_view(const ts_meaning *x, uint32_t channels, ts_view *out) {
    uint32_t last = x->view.rank - 1, kept = 0;
    *out = x->view;
    for (uint32_t f = 0; f < x->view.factor_count; f++) {
        if (x->view.factors[f].dim != last) {
            out->factors[kept] = x->view.factors[f];
            out->factors[kept++].stride = x->view.factors[f].stride / x->c * channels;
        }
    }
    out->factors[kept].size = channels;
    out->factors[kept].stride = 1;
    out->factors[kept++].dim = last;
    out->factor_count = kept;
    out->dims[last] = channels;
}
