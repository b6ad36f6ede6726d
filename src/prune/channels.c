#include "prune/channels.h"

#include <string.h>

typedef struct finder {
    ts_arena *arena;
    ts__channel_map *map;
    const ts_fgraph *graph;
    const ts_fnode *node;
    const ts_ftensor *x, *y;
} finder;

uint32_t ts__root(const ts__channel_map *map, uint32_t label) {
    while (map->parent.data[label] != label) {
        label = map->parent.data[label];
    }
    return label;
}

static uint32_t new_label(const finder *f, bool pinned) {
    uint32_t label = f->map->parent.count;
    TS_PUSH(f->arena, &f->map->parent, label);
    TS_PUSH(f->arena, &f->map->pinned, pinned);
    return label;
}

/* Halves the paths that ts__root() walks. */
static uint32_t find(const finder *f, uint32_t label) {
    uint32_t *parent = f->map->parent.data;
    while (parent[label] != label) {
        label = parent[label] = parent[parent[label]];
    }
    return label;
}

static void unite(const finder *f, uint32_t a, uint32_t b) {
    a = find(f, a);
    b = find(f, b);
    if (a != b) {
        f->map->parent.data[b] = a;
        f->map->pinned.data[a] = f->map->pinned.data[a] || f->map->pinned.data[b];
    }
}

static void pin(const finder *f, ts_tensor_id tensor) {
    const ts__channels *c = &f->map->tensors[tensor];
    for (uint32_t i = 0; c->axis != TS_NONE && i < f->graph->tensors.data[tensor].dims[c->axis]; i++) {
        f->map->pinned.data[find(f, c->labels[i])] = true;
    }
}

static void pin_inputs(const finder *f) {
    for (uint32_t k = 0; k < f->node->input_count; k++) {
        pin(f, f->node->inputs[k]);
    }
}

static ts__channels *channels_of(const finder *f, ts_tensor_id tensor) { return &f->map->tensors[tensor]; }

static bool is_constant(const ts_fgraph *graph, ts_tensor_id tensor) {
    return graph->tensors.data[tensor].data != NULL;
}

/* Fresh labels for the output's last dimension. */
static void label_filters(const finder *f, bool pinned) {
    uint32_t axis = f->y->rank - 1, count = f->y->dims[axis];
    ts__channels *c = channels_of(f, f->node->output);
    *c = (ts__channels){axis, TS_NEW_ARRAY(f->arena, uint32_t, count)};
    for (uint32_t i = 0; i < count; i++) {
        c->labels[i] = new_label(f, pinned);
    }
}

bool ts__is_depthwise(const ts_fgraph *graph, const ts_fnode *node) {
    const ts_ftensor *x = &graph->tensors.data[node->inputs[0]];
    return node->op == TS_FOP_CONV && node->groups > 1 && node->groups == x->dims[x->rank - 1];
}

bool ts__has_filters(const ts_fgraph *graph, const ts_fnode *node) {
    bool linear = node->op == TS_FOP_CONV || node->op == TS_FOP_GEMM || node->op == TS_FOP_MATMUL;
    return linear && is_constant(graph, node->inputs[1]) && !is_constant(graph, node->inputs[0]) &&
           !ts__is_depthwise(graph, node);
}

/* Each input channel's outputs go with it. */
static void label_depthwise(const finder *f) {
    const ts__channels *in = channels_of(f, f->node->inputs[0]);
    uint32_t count = f->y->dims[f->y->rank - 1], times = count / f->node->groups;
    ts__channels *c = channels_of(f, f->node->output);
    *c = (ts__channels){f->y->rank - 1, TS_NEW_ARRAY(f->arena, uint32_t, count)};
    for (uint32_t i = 0; i < count; i++) {
        c->labels[i] = in->labels[i / times];
    }
}

static void find_conv(const finder *f) {
    const ts__channels *in = channels_of(f, f->node->inputs[0]);
    bool last = in->axis == f->x->rank - 1;
    if (ts__is_depthwise(f->graph, f->node) && last) {
        label_depthwise(f);
        return;
    }
    if (!last || f->node->groups != 1) {
        pin_inputs(f);
    }
    label_filters(f, f->node->groups != 1);
}

static void find_matrix(const finder *f) {
    if (!ts__has_filters(f->graph, f->node) || f->graph->tensors.data[f->node->inputs[1]].rank != 2 ||
        (f->node->op == TS_FOP_GEMM && f->node->trans_a)) {
        pin_inputs(f);
        return;
    }
    if (channels_of(f, f->node->inputs[0])->axis != f->x->rank - 1) {
        pin_inputs(f);
    }
    label_filters(f, false);
}

/* The output is labelled as the input along `axis` of the output. */
static void pass(const finder *f, ts_tensor_id from, uint32_t axis) {
    ts__channels *c = channels_of(f, f->node->output);
    *c = *channels_of(f, from);
    c->axis = c->axis == TS_NONE ? TS_NONE : axis;
}

/* What needs the channels to be the last dimension, and passes them on. */
static void pass_last(const finder *f) {
    ts_tensor_id x = f->node->inputs[0];
    if (channels_of(f, x)->axis != f->x->rank - 1) {
        pin(f, x);
    }
    pass(f, x, channels_of(f, x)->axis);
}

/* A pass for operators that mix the slices of one axis, which then have to stay. */
static void pass_mixed(const finder *f, uint32_t axis) {
    ts_tensor_id x = f->node->inputs[0];
    if (channels_of(f, x)->axis == axis) {
        pin(f, x);
    }
    pass(f, x, channels_of(f, x)->axis);
}

/* Element by element over two operands: equal slices become one, counted from the last dimension. */
static void find_binary(const finder *f) {
    ts__channels *y = channels_of(f, f->node->output);
    uint32_t back = 0; /* of the axis, from the end */
    y->axis = TS_NONE;
    for (uint32_t k = 0; k < f->node->input_count; k++) {
        const ts_ftensor *t = &f->graph->tensors.data[f->node->inputs[k]];
        const ts__channels *c = channels_of(f, f->node->inputs[k]);
        uint32_t from_end = c->axis == TS_NONE ? 0 : t->rank - 1 - c->axis;
        if (c->axis == TS_NONE && !is_constant(f->graph, f->node->inputs[k])) {
            pin_inputs(f);
        } else if (c->axis == TS_NONE) {
            continue;
        } else if (t->dims[c->axis] != f->y->dims[f->y->rank - 1 - from_end]) {
            pin(f, f->node->inputs[k]); /* broadcast along its channels */
        } else if (y->axis == TS_NONE) {
            *y = (ts__channels){f->y->rank - 1 - from_end, c->labels};
            back = from_end;
        } else if (from_end != back) {
            pin_inputs(f);
        } else {
            for (uint32_t i = 0; i < t->dims[c->axis]; i++) {
                unite(f, y->labels[i], c->labels[i]);
            }
        }
    }
}

static void find_concat(const finder *f) {
    uint32_t axis = f->node->axis, at = 0;
    ts__channels *y = channels_of(f, f->node->output);
    *y = (ts__channels){TS_NONE, NULL};
    for (uint32_t k = 0; k < f->node->input_count; k++) {
        if (channels_of(f, f->node->inputs[k])->axis != axis) {
            pin_inputs(f);
            return;
        }
    }
    *y = (ts__channels){axis, TS_NEW_ARRAY(f->arena, uint32_t, f->y->dims[axis])};
    for (uint32_t k = 0; k < f->node->input_count; k++) {
        uint32_t count = f->graph->tensors.data[f->node->inputs[k]].dims[axis];
        memcpy(y->labels + at, channels_of(f, f->node->inputs[k])->labels, count * sizeof *y->labels);
        at += count;
    }
}

static void find_transpose(const finder *f) {
    const ts__channels *x = channels_of(f, f->node->inputs[0]);
    uint32_t axis = 0;
    while (x->axis != TS_NONE && f->node->perm[axis] != x->axis) {
        axis++;
    }
    pass(f, f->node->inputs[0], axis);
}

static uint64_t stride_of(const ts_ftensor *t, uint32_t axis) {
    uint64_t stride = 1;
    for (uint32_t d = axis + 1; d < t->rank; d++) {
        stride *= t->dims[d];
    }
    return stride;
}

/* Labels along `axis` of the output of a reshape, or false where elements of one slice differ. */
static bool relabel(const finder *f, const ts__channels *x, uint32_t axis, uint32_t *labels) {
    uint64_t from = stride_of(f->x, x->axis), to = stride_of(f->y, axis), count = ts_ftensor_elements(f->x);
    for (uint32_t i = 0; i < f->y->dims[axis]; i++) {
        labels[i] = TS_NONE;
    }
    for (uint64_t e = 0; e < count; e++) {
        uint32_t label = x->labels[e / from % f->x->dims[x->axis]];
        uint32_t *slot = &labels[e / to % f->y->dims[axis]];
        if (*slot != TS_NONE && *slot != label) {
            return false;
        }
        *slot = label;
    }
    return true;
}

static void find_reshape(const finder *f) {
    const ts__channels *x = channels_of(f, f->node->inputs[0]);
    ts__channels *y = channels_of(f, f->node->output);
    *y = (ts__channels){TS_NONE, NULL};
    for (uint32_t axis = 0; x->axis != TS_NONE && axis < f->y->rank; axis++) {
        uint32_t *labels = TS_NEW_ARRAY(f->arena, uint32_t, f->y->dims[axis]);
        if (f->y->dims[axis] > 1 && relabel(f, x, axis, labels)) {
            *y = (ts__channels){axis, labels};
            return;
        }
    }
    pin(f, f->node->inputs[0]);
}

static void find_reduce(const finder *f) {
    const ts__channels *x = channels_of(f, f->node->inputs[0]);
    uint32_t axis = 0;
    if (x->axis == TS_NONE || (f->node->axes >> x->axis & 1) != 0) {
        pin(f, f->node->inputs[0]);
        return;
    }
    for (uint32_t d = 0; d < x->axis; d++) {
        axis += (f->node->axes >> d & 1) == 0 || f->node->keep_dims;
    }
    pass(f, f->node->inputs[0], axis);
}

/* Pads, slices and enlargements leave the slices of an axis alone whose size they do not change. */
static void find_resized(const finder *f) {
    const ts__channels *x = channels_of(f, f->node->inputs[0]);
    if (x->axis != TS_NONE && f->x->dims[x->axis] != f->y->dims[x->axis]) {
        pin(f, f->node->inputs[0]);
        return;
    }
    pass(f, f->node->inputs[0], x->axis);
}

static void find_node(const finder *f) {
    switch (f->node->op) {
        case TS_FOP_CONV:
            find_conv(f);
            return;
        case TS_FOP_GEMM:
        case TS_FOP_MATMUL:
            find_matrix(f);
            return;
        case TS_FOP_BATCH_NORM:
        case TS_FOP_MAX_POOL:
        case TS_FOP_AVG_POOL:
            pass_last(f);
            return;
        case TS_FOP_SOFTMAX:
        case TS_FOP_LOG_SOFTMAX:
            pass_mixed(f, f->node->axis);
            return;
        case TS_FOP_CONCAT:
            find_concat(f);
            return;
        case TS_FOP_TRANSPOSE:
            find_transpose(f);
            return;
        case TS_FOP_RESHAPE:
            find_reshape(f);
            return;
        case TS_FOP_PAD:
        case TS_FOP_SLICE:
        case TS_FOP_RESIZE:
            find_resized(f);
            return;
        default:
            break;
    }
    switch (ts_fop_form_of(f->node->op)) {
        case TS_FORM_UNARY:
            pass(f, f->node->inputs[0], channels_of(f, f->node->inputs[0])->axis);
            return;
        case TS_FORM_BINARY:
            find_binary(f);
            return;
        case TS_FORM_REDUCE:
            find_reduce(f);
            return;
        default:
            pin_inputs(f);
    }
}

/* A network input's channels: the last dimension, and they stay. */
static void label_input(const finder *f, ts_tensor_id id) {
    const ts_ftensor *t = &f->graph->tensors.data[id];
    if (t->rank == 0) {
        return;
    }
    ts__channels *c = channels_of(f, id);
    *c = (ts__channels){t->rank - 1, TS_NEW_ARRAY(f->arena, uint32_t, t->dims[t->rank - 1])};
    for (uint32_t i = 0; i < t->dims[t->rank - 1]; i++) {
        c->labels[i] = new_label(f, true);
    }
}

ts__channel_map *ts__channels_find(ts_arena *arena, const ts_fgraph *graph) {
    finder f = {.arena = arena, .map = TS_NEW(arena, ts__channel_map), .graph = graph};
    f.map->graph = graph;
    f.map->tensors = TS_NEW_ARRAY(arena, ts__channels, graph->tensors.count);
    for (uint32_t i = 0; i < graph->tensors.count; i++) {
        f.map->tensors[i].axis = TS_NONE;
    }
    for (uint32_t i = 0; i < graph->inputs.count; i++) {
        label_input(&f, graph->inputs.data[i]);
    }
    for (uint32_t i = 0; i < graph->nodes.count; i++) {
        f.node = &graph->nodes.data[i];
        f.x = &graph->tensors.data[f.node->inputs[0]];
        f.y = &graph->tensors.data[f.node->output];
        find_node(&f);
    }
    for (uint32_t i = 0; i < graph->outputs.count; i++) {
        pin(&f, graph->outputs.data[i]);
    }
    return f.map;
}

static const uint32_t *labels_if(const ts__channels *c, uint32_t axis) {
    return c->axis == axis ? c->labels : NULL;
}

const uint32_t *ts__constant_labels(const ts__channel_map *map, const ts_fnode *node, uint32_t k,
                                    uint32_t axis) {
    const ts_ftensor *t = map->graph->tensors.data, *w = &t[node->inputs[k]], *y = &t[node->output];
    const ts__channels *in = &map->tensors[node->inputs[0]], *out = &map->tensors[node->output];
    uint32_t last = y->rank - 1, x_last = t[node->inputs[0]].rank - 1;
    switch (node->op) {
        case TS_FOP_CONV:
            if (k == 1 && axis == w->rank - 1 && node->groups == 1) {
                return labels_if(in, x_last);
            }
            return (k == 1 && axis == 0) || (k == 2 && axis == w->rank - 1) ? labels_if(out, last) : NULL;
        case TS_FOP_GEMM:
        case TS_FOP_MATMUL:
            if (k == 1) {
                return axis == (uint32_t)node->trans_b ? labels_if(in, x_last) : labels_if(out, last);
            }
            return axis == w->rank - 1 && w->dims[axis] > 1 ? labels_if(out, last) : NULL;
        case TS_FOP_BATCH_NORM:
            return axis == w->rank - 1 ? labels_if(out, last) : NULL;
        default: {
            bool aligned = ts_fop_form_of(node->op) == TS_FORM_BINARY && out->axis != TS_NONE &&
                           w->rank + out->axis == axis + y->rank && w->dims[axis] > 1;
            return aligned ? out->labels : NULL;
        }
    }
}
