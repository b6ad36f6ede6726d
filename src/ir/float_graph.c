#include "ir/float_graph.h"

#include <inttypes.h>
#include <string.h>

static const struct {
    const char *name;
    uint32_t least, most;
    ts_fop_form form;
} ops[] = {
#define ROW(id, name, least, most, form) {name, least, most, TS_FORM_##form},
    TS_FLOAT_OPS(ROW)
#undef ROW
};
_Static_assert(sizeof ops / sizeof ops[0] == TS_FOP_COUNT, "one row an operator");

/* No tensor of a network for a microcontroller comes near this; it keeps products far from overflow. */
enum { MAX_ELEMENTS = 1 << 26, MAX_RESULTS = 1 << 28 };

const char *ts_fop_name(ts_fop op) { return ops[op].name; }
ts_fop_form ts_fop_form_of(ts_fop op) { return ops[op].form; }

ts_fgraph *ts_fgraph_new(ts_arena *arena, const char *name) {
    ts_fgraph *graph = TS_NEW(arena, ts_fgraph);
    graph->arena = arena;
    graph->name = name;
    return graph;
}

ts_tensor_id ts_fgraph_add_tensor(ts_fgraph *graph, const ts_ftensor *tensor) {
    TS_PUSH(graph->arena, &graph->tensors, *tensor);
    return graph->tensors.count - 1;
}

ts_tensor_id ts_fgraph_add_constant(ts_fgraph *graph, const char *name, uint32_t rank, const uint32_t *dims,
                                    const float *data) {
    ts_ftensor tensor = {.name = name, .rank = rank, .data = data, .producer = TS_NONE};
    for (uint32_t d = 0; d < rank; d++) {
        tensor.dims[d] = dims[d];
    }
    return ts_fgraph_add_tensor(graph, &tensor);
}

uint64_t ts_ftensor_elements(const ts_ftensor *tensor) {
    uint64_t count = 1;
    for (uint32_t i = 0; i < tensor->rank; i++) {
        count *= tensor->dims[i];
    }
    return count;
}

typedef struct shaper {
    const ts_fgraph *graph;
    const ts_fnode *node;
    const ts_ftensor *in[TS_MAX_INPUTS];
    ts_ftensor *out;
    ts_diags *diags;
} shaper;

static ts_status bad_shape(const shaper *s, const char *what) {
    return ts_error(s->diags, TS_DIAG_SHAPE, s->node->name, ops[s->node->op].name, "%s", what);
}

static void copy_shape(ts_ftensor *to, const ts_ftensor *from) {
    to->rank = from->rank;
    memcpy(to->dims, from->dims, sizeof to->dims);
}

static bool set_window_shape(const shaper *s, uint32_t channels) {
    const ts_window *w = &s->node->window;
    const ts_ftensor *x = s->in[0];
    copy_shape(s->out, x);
    if (x->rank == 4) {
        s->out->dims[1] =
            ts_window_out(x->dims[1], w->kernel_h, w->stride_h, w->dilation_h, w->pad_top, w->pad_bottom);
    }
    uint32_t wide = x->rank - 2;
    s->out->dims[wide] =
        ts_window_out(x->dims[wide], w->kernel_w, w->stride_w, w->dilation_w, w->pad_left, w->pad_right);
    s->out->dims[x->rank - 1] = channels;
    return s->out->dims[1] != 0 && s->out->dims[wide] != 0;
}

static ts_status shape_conv(const shaper *s) {
    const ts_ftensor *x = s->in[0], *w = s->in[1];
    uint32_t last = x->rank - 1, groups = s->node->groups;
    if ((x->rank != 3 && x->rank != 4) || w->rank != x->rank) {
        return bad_shape(s,
                         "convolution of this rank; {N, C, W} or {N, C, H, W} with weights alike is served");
    }
    if (groups == 0 || x->dims[last] % groups != 0 || w->dims[0] % groups != 0 ||
        w->dims[last] != x->dims[last] / groups) {
        return bad_shape(s, "groups, input channels and weights do not agree");
    }
    const ts_window *k = &s->node->window;
    if (w->dims[last - 1] != k->kernel_w || (x->rank == 4 && w->dims[1] != k->kernel_h)) {
        return bad_shape(s, "kernel_shape and weights do not agree");
    }
    if (s->node->input_count == 3 && ts_ftensor_elements(s->in[2]) != w->dims[0]) {
        return bad_shape(s, "the bias has not one element an output channel");
    }
    return set_window_shape(s, w->dims[0]) ? TS_OK : bad_shape(s, "the window does not fit into its input");
}

static ts_status shape_pool(const shaper *s) {
    const ts_ftensor *x = s->in[0];
    if (x->rank != 3 && x->rank != 4) {
        return bad_shape(s, "pooling of this rank; {N, C, W} or {N, C, H, W} is served");
    }
    return set_window_shape(s, x->dims[x->rank - 1]) ? TS_OK
                                                     : bad_shape(s, "the window does not fit into its input");
}

/* One dimension of a broadcast: equal, or one of them 1. */
static bool broadcast(uint32_t a, uint32_t b, uint32_t *out) {
    *out = a == 1 ? b : a;
    return a == b || a == 1 || b == 1;
}

static bool broadcast_dims(const ts_ftensor *a, const ts_ftensor *b, uint32_t keep, ts_ftensor *out) {
    uint32_t rank = a->rank > b->rank ? a->rank : b->rank;
    out->rank = rank;
    for (uint32_t i = keep; i < rank; i++) {
        uint32_t x = i < a->rank ? a->dims[a->rank - 1 - i] : 1;
        uint32_t y = i < b->rank ? b->dims[b->rank - 1 - i] : 1;
        if (!broadcast(x, y, &out->dims[rank - 1 - i])) {
            return false;
        }
    }
    return true;
}

static ts_status shape_gemm(const shaper *s) {
    const ts_ftensor *a = s->in[0], *b = s->in[1];
    if (a->rank != 2 || b->rank != 2) {
        return bad_shape(s, "operands are not matrices");
    }
    uint32_t rows = a->dims[s->node->trans_a], inner = a->dims[!s->node->trans_a];
    uint32_t columns = b->dims[!s->node->trans_b];
    if (inner != b->dims[s->node->trans_b]) {
        return bad_shape(s, "the matrices' inner dimensions differ");
    }
    s->out->rank = 2;
    s->out->dims[0] = rows;
    s->out->dims[1] = columns;
    if (s->node->input_count == 3) {
        ts_ftensor sum;
        if (!broadcast_dims(s->out, s->in[2], 0, &sum) || sum.rank != 2 || sum.dims[0] != rows ||
            sum.dims[1] != columns) {
            return bad_shape(s, "C does not broadcast to the product");
        }
    }
    return TS_OK;
}

static ts_status shape_matmul(const shaper *s) {
    const ts_ftensor *a = s->in[0], *b = s->in[1];
    if (a->rank < 2 || b->rank < 2) {
        return bad_shape(s, "an operand is not a matrix; a product with a vector is not served");
    }
    if (!broadcast_dims(a, b, 2, s->out) || a->dims[a->rank - 1] != b->dims[b->rank - 2]) {
        return bad_shape(s, "the matrices' dimensions do not agree");
    }
    s->out->dims[s->out->rank - 2] = a->dims[a->rank - 2];
    s->out->dims[s->out->rank - 1] = b->dims[b->rank - 1];
    return TS_OK;
}

static ts_status shape_batch_norm(const shaper *s) {
    copy_shape(s->out, s->in[0]);
    if (s->in[0]->rank < 2) {
        return bad_shape(s, "the input has no channels");
    }
    for (uint32_t i = 1; i < 5; i++) {
        if (ts_ftensor_elements(s->in[i]) != s->in[0]->dims[s->in[0]->rank - 1]) {
            return bad_shape(s, "a parameter has not one element a channel");
        }
    }
    return TS_OK;
}

static ts_status shape_concat(const shaper *s) {
    uint32_t axis = s->node->axis;
    copy_shape(s->out, s->in[0]);
    if (axis >= s->out->rank) {
        return bad_shape(s, "axis outside the input's rank");
    }
    for (uint32_t i = 1; i < s->node->input_count; i++) {
        if (s->in[i]->rank != s->out->rank) {
            return bad_shape(s, "inputs of different rank");
        }
        for (uint32_t d = 0; d < s->out->rank; d++) {
            if (d != axis && s->in[i]->dims[d] != s->out->dims[d]) {
                return bad_shape(s, "inputs differ in another dimension than the axis");
            }
        }
        s->out->dims[axis] += s->in[i]->dims[axis];
    }
    return TS_OK;
}

static ts_status shape_pad(const shaper *s) {
    copy_shape(s->out, s->in[0]);
    for (uint32_t d = 0; d < s->out->rank; d++) {
        uint32_t begin = s->node->begin[d], end = s->node->end[d], size = s->in[0]->dims[d];
        if (begin > MAX_ELEMENTS || end > MAX_ELEMENTS) {
            return bad_shape(s, "pads of this size");
        }
        if (s->node->pad_mode == TS_PAD_REFLECT && (begin >= size || end >= size)) {
            return bad_shape(s, "reflected pads reach beyond the input");
        }
        s->out->dims[d] = size + begin + end;
    }
    return TS_OK;
}

static ts_status shape_transpose(const shaper *s) {
    uint32_t seen = 0;
    s->out->rank = s->in[0]->rank;
    for (uint32_t d = 0; d < s->out->rank; d++) {
        uint32_t from = s->node->perm[d];
        if (from >= s->out->rank || (seen >> from & 1) != 0) {
            return bad_shape(s, "perm is not a permutation of the dimensions");
        }
        seen |= 1u << from;
        s->out->dims[d] = s->in[0]->dims[from];
    }
    return TS_OK;
}

static ts_status shape_reduce(const shaper *s) {
    s->out->rank = 0;
    for (uint32_t d = 0; d < s->in[0]->rank; d++) {
        bool reduced = (s->node->axes >> d & 1) != 0;
        if (!reduced || s->node->keep_dims) {
            s->out->dims[s->out->rank++] = reduced ? 1 : s->in[0]->dims[d];
        }
    }
    return TS_OK;
}

/* The last element that a slice takes lies inside the input. */
static ts_status shape_slice(const shaper *s) {
    const ts_ftensor *x = s->in[0], *y = s->out;
    bool fits = x->rank == y->rank;
    for (uint32_t d = 0; fits && d < x->rank; d++) {
        fits = s->node->step[d] != 0 && y->dims[d] != 0 &&
               s->node->begin[d] + ((uint64_t)y->dims[d] - 1) * s->node->step[d] < x->dims[d];
    }
    return fits ? TS_OK : bad_shape(s, "takes nothing, or elements outside of its input");
}

static ts_status shape_resize(const shaper *s) {
    const ts_ftensor *x = s->in[0], *y = s->out;
    bool whole = x->rank == y->rank;
    for (uint32_t d = 0; whole && d < x->rank; d++) {
        whole = y->dims[d] != 0 && y->dims[d] % x->dims[d] == 0;
    }
    return whole ? TS_OK : bad_shape(s, "only enlarging by whole factors is served");
}

static ts_status shape_given(const shaper *s, const ts_ftensor *given) {
    copy_shape(s->out, given);
    if (s->node->op == TS_FOP_RESHAPE) {
        return ts_ftensor_elements(given) == ts_ftensor_elements(s->in[0])
                   ? TS_OK
                   : bad_shape(s, "the new shape has another number of elements");
    }
    return s->node->op == TS_FOP_SLICE ? shape_slice(s) : shape_resize(s);
}

static ts_status shape_quant(const shaper *s) {
    uint32_t axis = s->node->axis;
    copy_shape(s->out, s->in[0]);
    for (uint32_t i = 1; i < 3; i++) {
        uint64_t count = ts_ftensor_elements(s->in[i]);
        if (count != 1 && (axis >= s->out->rank || count != s->out->dims[axis])) {
            return bad_shape(s, "scale or zero point has neither one element nor one along the axis");
        }
    }
    return TS_OK;
}

static ts_status shape_requant(const shaper *s) {
    copy_shape(s->out, s->in[0]);
    uint32_t channels = s->out->rank == 0 ? 1 : s->out->dims[s->out->rank - 1];
    for (uint32_t i = 1; i < 3; i++) {
        uint64_t count = ts_ftensor_elements(s->in[i]);
        if (count != 1 && count != channels) {
            return bad_shape(s, "a factor or term has neither one element nor one a channel");
        }
    }
    return TS_OK;
}

static ts_status shape_own(const shaper *s) {
    switch (s->node->op) {
        case TS_FOP_CONV:
            return shape_conv(s);
        case TS_FOP_GEMM:
            return shape_gemm(s);
        case TS_FOP_MATMUL:
            return shape_matmul(s);
        case TS_FOP_BATCH_NORM:
            return shape_batch_norm(s);
        case TS_FOP_CONCAT:
            return shape_concat(s);
        case TS_FOP_MAX_POOL:
        case TS_FOP_AVG_POOL:
            return shape_pool(s);
        case TS_FOP_PAD:
            return shape_pad(s);
        case TS_FOP_TRANSPOSE:
            return shape_transpose(s);
        case TS_FOP_SOFTMAX:
        case TS_FOP_LOG_SOFTMAX:
            copy_shape(s->out, s->in[0]);
            return s->node->axis < s->out->rank ? TS_OK : bad_shape(s, "axis outside the input's rank");
        case TS_FOP_REQUANT:
            return shape_requant(s);
        case TS_FOP_QUANT:
        case TS_FOP_DEQUANT:
            return shape_quant(s);
        default:
            TS_ASSERT(false, "float graph: an operator without a rule for its shape");
            return TS_BAD_INPUT;
    }
}

static ts_status shape_node(const shaper *s, const ts_ftensor *reshape) {
    switch (ops[s->node->op].form) {
        case TS_FORM_UNARY:
            copy_shape(s->out, s->in[0]);
            return TS_OK;
        case TS_FORM_BINARY:
            return broadcast_dims(s->in[0], s->in[1], 0, s->out)
                       ? TS_OK
                       : bad_shape(s, "the operands do not broadcast");
        case TS_FORM_REDUCE:
            return shape_reduce(s);
        case TS_FORM_GIVEN:
            return shape_given(s, reshape);
        case TS_FORM_OWN:
            break;
    }
    return shape_own(s);
}

/* False where a tensor is empty or too large to be one of ours. */
static bool size_is_sane(const ts_ftensor *tensor) {
    uint64_t count = 1;
    for (uint32_t d = 0; d < tensor->rank; d++) {
        count *= tensor->dims[d];
        if (count == 0 || count > MAX_ELEMENTS) {
            return false;
        }
    }
    return true;
}

ts_status ts_fgraph_add_node(ts_fgraph *graph, const ts_fnode *node, const char *output_name,
                             const ts_ftensor *reshape, ts_tensor_id *output, ts_diags *diags) {
    ts_ftensor out = {.name = output_name};
    shaper s = {.graph = graph, .node = node, .out = &out, .diags = diags};
    if (node->input_count < ops[node->op].least || node->input_count > ops[node->op].most) {
        return bad_shape(&s, "this number of inputs is not served");
    }
    for (uint32_t i = 0; i < node->input_count; i++) {
        TS_ASSERT(node->inputs[i] < graph->tensors.count, "float graph: input index");
        s.in[i] = &graph->tensors.data[node->inputs[i]];
    }
    TS_TRY(shape_node(&s, reshape));
    if (!size_is_sane(&out)) {
        return ts_error(diags, TS_DIAG_LIMIT, node->name, ops[node->op].name,
                        "the result has no element or more than %d", MAX_ELEMENTS);
    }
    graph->results += ts_ftensor_elements(&out);
    if (graph->results > MAX_RESULTS) {
        return ts_error(diags, TS_DIAG_LIMIT, node->name, ops[node->op].name,
                        "the results of all nodes together have more than %d elements", MAX_RESULTS);
    }
    out.producer = graph->nodes.count;
    *output = ts_fgraph_add_tensor(graph, &out);
    TS_PUSH(graph->arena, &graph->nodes, *node);
    graph->nodes.data[graph->nodes.count - 1].output = *output;
    return TS_OK;
}

uint64_t ts_fnode_macs(const ts_fgraph *graph, const ts_fnode *node) {
    const ts_ftensor *t = graph->tensors.data;
    uint64_t outputs = ts_ftensor_elements(&t[node->output]);
    const ts_ftensor *a = &t[node->inputs[0]];
    switch (node->op) {
        case TS_FOP_CONV: {
            const ts_ftensor *w = &t[node->inputs[1]];
            return outputs * (ts_ftensor_elements(w) / w->dims[0]);
        }
        case TS_FOP_GEMM:
            return outputs * a->dims[!node->trans_a];
        case TS_FOP_MATMUL:
            return outputs * a->dims[a->rank - 1];
        default:
            return 0;
    }
}

uint32_t *ts_fgraph_uses(const ts_fgraph *graph, ts_arena *arena) {
    uint32_t *uses = TS_NEW_ARRAY(arena, uint32_t, graph->tensors.count);
    for (uint32_t i = 0; i < graph->nodes.count; i++) {
        for (uint32_t k = 0; k < graph->nodes.data[i].input_count; k++) {
            uses[graph->nodes.data[i].inputs[k]]++;
        }
    }
    for (uint32_t i = 0; i < graph->outputs.count; i++) {
        uses[graph->outputs.data[i]]++;
    }
    return uses;
}

static void print_shape(ts_text *out, const ts_ftensor *tensor) {
    ts_text_add(out, tensor->data != NULL ? " const{" : " {");
    for (uint32_t d = 0; d < tensor->rank; d++) {
        ts_text_printf(out, d == 0 ? "%" PRIu32 : ", %" PRIu32, tensor->dims[d]);
    }
    ts_text_add(out, "}");
}

static void print_attributes(ts_text *out, const ts_fnode *n) {
    const ts_window *w = &n->window;
    switch (n->op) {
        case TS_FOP_CONV:
            ts_text_printf(out, " groups %" PRIu32 " dilation %" PRIu32 "x%" PRIu32, n->groups, w->dilation_h,
                           w->dilation_w);
            /* fallthrough */
        case TS_FOP_MAX_POOL:
        case TS_FOP_AVG_POOL:
            ts_text_printf(out,
                           " kernel %" PRIu32 "x%" PRIu32 " stride %" PRIu32 "x%" PRIu32 " pad %" PRIu32
                           ",%" PRIu32 ",%" PRIu32 ",%" PRIu32,
                           w->kernel_h, w->kernel_w, w->stride_h, w->stride_w, w->pad_top, w->pad_left,
                           w->pad_bottom, w->pad_right);
            break;
        case TS_FOP_CLIP:
            ts_text_printf(out, " %g..%g", (double)n->low, (double)n->high);
            break;
        case TS_FOP_FAKE_QUANT:
            ts_text_printf(out, " quantum %.9g steps %g..%g offset %.9g", n->scale, (double)n->low,
                           (double)n->high, n->offset);
            break;
        default:
            break;
    }
}

void ts_fgraph_print(ts_text *out, const ts_fgraph *graph) {
    const ts_ftensor *t = graph->tensors.data;
    for (uint32_t i = 0; i < graph->nodes.count; i++) {
        const ts_fnode *n = &graph->nodes.data[i];
        ts_text_printf(out, "%3" PRIu32 " %-12s %s:", i, ops[n->op].name, n->name);
        for (uint32_t k = 0; k < n->input_count; k++) {
            ts_text_printf(out, " %%%" PRIu32, n->inputs[k]);
            print_shape(out, &t[n->inputs[k]]);
        }
        ts_text_printf(out, " -> %%%" PRIu32, n->output);
        print_shape(out, &t[n->output]);
        print_attributes(out, n);
        ts_text_add(out, "\n");
    }
}
