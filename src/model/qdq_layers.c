/* Layers of floats between integers: convolutions, products with constant matrices, poolings and movements of
 * what floats have made, each a node on maps of floats (f32). What stands around them is programs of FLOAT
 * nodes (qdq_float.c). */
#include <string.h>

#include "model/qdq_internal.h"

bool ts__qdq_is_layer(const qdq *q, const ts_fnode *n) {
    switch (n->op) {
        case TS_FOP_CONV:
        case TS_FOP_GEMM:
        case TS_FOP_MATMUL:
        case TS_FOP_MAX_POOL:
        case TS_FOP_AVG_POOL:
        case TS_FOP_CONCAT:
        case TS_FOP_SLICE:
        case TS_FOP_PAD:
        case TS_FOP_RESIZE:
            return true;
        default:
            return n->op == TS_FOP_TRANSPOSE && !ts__qdq_order_stays(ts__qdq_ftensor(q, n->inputs[0]), n);
    }
}

static const target floats = {.floats = true};

static ts_tensor_id add_reals(qdq *q, const char *name, uint32_t rank, const uint32_t *dims,
                              const float *data) {
    ts_tensor t = {.name = name, .type = TS_F32, .rank = rank, .data = data, .producer = TS_NONE};
    memcpy(t.dims, dims, rank * sizeof *dims);
    return ts_graph_add_tensor(q->graph, &t);
}

/* Elements of a constant, dequantised where it is of codes, times `factor`. */
static float *reals_of(qdq *q, const meaning *m, float factor) {
    float *data = TS_NEW_ARRAY(q->arena, float, m->count);
    for (uint32_t i = 0; i < m->count; i++) {
        data[i] = ts__qdq_real_at(m, i) * factor;
    }
    return data;
}

/* One number for all channels, or one a channel along the last dimension. */
static const char *add_bias(qdq *q, ts_node *node, const meaning *b, uint32_t channels, float factor) {
    if (!ts__qdq_is_constant(b) ||
        (b->count != 1 && (b->count != channels || b->file_dims[b->rank - 1] != channels))) {
        return "its bias is not one constant, or one an output";
    }
    const float *given = reals_of(q, b, factor);
    float *data = TS_NEW_ARRAY(q->arena, float, channels);
    for (uint32_t c = 0; c < channels; c++) {
        data[c] = given[b->count == 1 ? 0 : c];
    }
    node->bias = add_reals(q, ts_arena_printf(q->arena, "%s.bias", node->name), 1, &channels, data);
    return NULL;
}

/* A window over rows of one pixel where the file has no columns. */
static ts_window map_window(const ts_fnode *n, bool is_1d) {
    ts_window w = n->window;
    if (is_1d) {
        w.kernel_h = w.stride_h = w.dilation_h = 1;
        w.pad_top = w.pad_bottom = 0;
    }
    return w;
}

static const char *make_conv(qdq *q, const ts_fnode *n, ts_tensor_id x, const uint32_t dims[4],
                             meaning *out) {
    const meaning w = ts__qdq_meaning_of(q, n->inputs[1]);
    if (!ts__qdq_is_constant(&w) || w.rank < 3 || w.rank > 4) {
        return "its weights are not constant";
    }
    ts_node node = ts__qdq_new_node(q, n, TS_OP_CONV, x);
    node.groups = n->groups;
    node.window = map_window(n, w.rank == 3);
    const uint32_t shape[] = {w.file_dims[0], node.window.kernel_h, node.window.kernel_w,
                              w.file_dims[w.rank - 1]};
    node.weights =
        add_reals(q, ts_arena_printf(q->arena, "%s.weights", node.name), 4, shape, reals_of(q, &w, 1));
    if (n->input_count > 2) {
        const meaning b = ts__qdq_meaning_of(q, n->inputs[2]);
        const char *why = add_bias(q, &node, &b, shape[0], 1);
        if (why != NULL) {
            return why;
        }
    }
    *out = ts__qdq_finish(q, &node, dims, &floats);
    return NULL;
}

/* [in, out], or [out, in] where `turned`, as {out, in}. */
static float *matrix_of(qdq *q, const meaning *w, bool turned, uint32_t in, uint32_t channels, float factor) {
    const float *given = reals_of(q, w, factor);
    float *data = TS_NEW_ARRAY(q->arena, float, w->count);
    for (uint32_t c = 0; c < channels; c++) {
        for (uint32_t i = 0; i < in; i++) {
            data[c * in + i] = given[turned ? c * in + i : i * channels + c];
        }
    }
    return data;
}

/* Rows of features times a constant matrix; several rows are the positions of a convolution of 1 x 1. */
static const char *make_product(qdq *q, const ts_fnode *n, ts_tensor_id x, const uint32_t dims[4],
                                meaning *out) {
    const meaning w = ts__qdq_meaning_of(q, n->inputs[1]);
    const ts_tensor in = q->graph->tensors.data[x];
    bool gemm = n->op == TS_FOP_GEMM, turned = gemm && n->trans_b;
    uint32_t features = w.file_dims[turned ? 1 : 0], channels = w.file_dims[turned ? 0 : 1];
    if (!ts__qdq_is_constant(&w) || w.rank != 2 || (gemm && n->trans_a) || ts_c(&in) != features ||
        dims[1] != ts_h(&in) || dims[2] != ts_w(&in) || dims[3] != channels) {
        return "rows of features times a constant matrix are served";
    }
    ts_node node = ts__qdq_new_node(q, n, TS_OP_CONV, x);
    const char *name = ts_arena_printf(q->arena, "%s.weights", node.name);
    const float *data = matrix_of(q, &w, turned, features, channels, gemm ? n->alpha : 1);
    if (ts_tensor_elements(&in) == features) {
        node.op = TS_OP_LINEAR;
        node.weights = add_reals(q, name, 2, (const uint32_t[]){channels, features}, data);
    } else {
        node.groups = 1;
        node.window = (ts_window){1, 1, 1, 1, 1, 1, 0, 0, 0, 0};
        node.weights = add_reals(q, name, 4, (const uint32_t[]){channels, 1, 1, features}, data);
    }
    if (gemm && n->input_count > 2) {
        const meaning b = ts__qdq_meaning_of(q, n->inputs[2]);
        const char *why = add_bias(q, &node, &b, channels, n->beta);
        if (why != NULL) {
            return why;
        }
    }
    *out = ts__qdq_finish(q, &node, dims, &floats);
    return NULL;
}

/* Padding behind the map that makes `out` windows of it, where the file rounds their number up. */
static uint32_t pad_behind(uint32_t in, uint32_t out, uint32_t kernel, uint32_t stride, uint32_t dilation,
                           uint32_t before, uint32_t behind) {
    uint32_t reach = (out - 1) * stride + (kernel - 1) * dilation + 1;
    return reach > in + before + behind ? reach - in - before : behind;
}

/* The map with the padding that a mean counts. */
static ts_tensor_id padded(qdq *q, const ts_fnode *n, ts_tensor_id x, ts_window *w) {
    const ts_tensor in = q->graph->tensors.data[x];
    const uint32_t dims[4] = {1, ts_h(&in) + w->pad_top + w->pad_bottom,
                              ts_w(&in) + w->pad_left + w->pad_right, ts_c(&in)};
    ts_node node = ts__qdq_new_node(q, n, TS_OP_PAD, x);
    node.name = ts_arena_printf(q->arena, "%s.pad", node.name);
    node.move.begin[0] = w->pad_top;
    node.move.begin[1] = w->pad_left;
    w->pad_top = w->pad_left = w->pad_bottom = w->pad_right = 0;
    return ts__qdq_finish(q, &node, dims, &floats).tensor;
}

static const char *make_pool(qdq *q, const ts_fnode *n, ts_tensor_id x, const uint32_t dims[4],
                             meaning *out) {
    const ts_tensor in = q->graph->tensors.data[x];
    ts_window w = map_window(n, ts__qdq_ftensor(q, n->output)->rank == 3);
    const uint32_t bottom =
        pad_behind(ts_h(&in), dims[1], w.kernel_h, w.stride_h, w.dilation_h, w.pad_top, w.pad_bottom);
    const uint32_t right =
        pad_behind(ts_w(&in), dims[2], w.kernel_w, w.stride_w, w.dilation_w, w.pad_left, w.pad_right);
    if (n->op == TS_FOP_AVG_POOL && n->count_pad) {
        if (bottom != w.pad_bottom || right != w.pad_right) {
            return "it counts padding, and has windows that pass even that";
        }
        x = (w.pad_top | w.pad_left | w.pad_bottom | w.pad_right) != 0 ? padded(q, n, x, &w) : x;
    } else {
        w.pad_bottom = bottom;
        w.pad_right = right;
    }
    ts_node node = ts__qdq_new_node(q, n, n->op == TS_FOP_AVG_POOL ? TS_OP_AVG_POOL : TS_OP_MAX_POOL, x);
    node.window = w;
    *out = ts__qdq_finish(q, &node, dims, &floats);
    return NULL;
}

static const char *make_concat(qdq *q, const ts_fnode *n, const ts_tensor_id *inputs, const uint32_t dims[4],
                               meaning *out) {
    uint32_t axis = n->axis + 4 - ts__qdq_ftensor(q, n->output)->rank;
    ts_node node = ts__qdq_new_node(q, n, TS_OP_CONCAT, 0);
    if (axis < 1 || n->input_count < 2) {
        return "two tensors or more joined along rows, columns or channels are served";
    }
    node.input_count = n->input_count;
    node.move.axis = axis - 1;
    memcpy(node.inputs, inputs, n->input_count * sizeof *inputs);
    *out = ts__qdq_finish(q, &node, dims, &floats);
    return NULL;
}

ts_status ts__qdq_float_layer(qdq *q, const ts_fnode *n, const ts_tensor_id *inputs, meaning *out,
                              const char **why) {
    uint32_t dims[4];
    bool joins = n->op == TS_FOP_CONCAT;
    *why = NULL;
    for (uint32_t i = 0; i < (joins ? n->input_count : 1); i++) {
        *why = inputs[i] == TS_NONE ? "it reads a constant where it needs an activation" : *why;
    }
    if (*why == NULL && !ts__qdq_map_dims(ts__qdq_ftensor(q, n->output), dims)) {
        *why = "it makes no map of up to 4 dimensions with a batch of 1";
    }
    if (*why != NULL) {
        return TS_OK;
    }
    switch (n->op) {
        case TS_FOP_CONV:
            *why = make_conv(q, n, inputs[0], dims, out);
            break;
        case TS_FOP_GEMM:
        case TS_FOP_MATMUL:
            *why = make_product(q, n, inputs[0], dims, out);
            break;
        case TS_FOP_MAX_POOL:
        case TS_FOP_AVG_POOL:
            *why = make_pool(q, n, inputs[0], dims, out);
            break;
        case TS_FOP_CONCAT:
            *why = make_concat(q, n, inputs, dims, out);
            break;
        default: {
            const meaning x = {.kind = REAL, .tensor = inputs[0], .scale = 1};
            const ts_fnode *before = q->node;
            if (n->op == TS_FOP_PAD && (n->alpha != 0 || n->pad_mode != TS_PAD_CONSTANT)) {
                *why = "floats are padded with 0";
                return TS_OK;
            }
            q->node = n;
            TS_TRY(ts__qdq_move(q, n, &x, out));
            q->node = before;
        }
    }
    if (*why == NULL && n->op != TS_FOP_TRANSPOSE) {
        ts_note(q->diags, TS_DIAG_UNSUPPORTED, n->name, ts_fop_name(n->op), "is computed in floats");
    }
    return TS_OK;
}
