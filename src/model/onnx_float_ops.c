/* The operators of float networks, and what they share: one function and one row of the table an operator. */
#include <math.h>
#include <string.h>

#include "model/onnx_float.h"

ts_status ts__float_refuse(const ts__site *s, const char *what) {
    return ts_error(s->im->net->diags, TS_DIAG_UNSUPPORTED, s->node->name, s->node->op, "%s", what);
}

static double real_of(const ts_constant *c, uint64_t i) {
    return c->ints != NULL ? (double)c->ints[i] : c->reals[i];
}

static ts_status emit(const ts__site *s, const ts_fnode *node, const ts_ftensor *shape, ts_tensor_id *out) {
    const ts_onnx_node *n = s->node;
    ts_fnode made = *node;
    made.name = ts_arena_strdup(s->im->graph->arena, n->name);
    made.file_index = n->file_index;
    const char *name = ts_arena_printf(s->im->graph->arena, "t%u", s->im->graph->tensors.count);
    return ts_fgraph_add_node(s->im->graph, &made, name, shape, out, s->im->net->diags);
}

/* The float tensor of a constant, in file order. */
static ts_tensor_id constant_tensor(ts__float_importer *im, const ts_constant *c) {
    float *data = TS_NEW_ARRAY(im->graph->arena, float, c->count);
    for (uint64_t i = 0; i < c->count; i++) {
        data[i] = (float)real_of(c, i);
    }
    return ts_fgraph_add_constant(im->graph, ts_arena_strdup(im->graph->arena, c->name), c->rank, c->dims,
                                  data);
}

/* A transposition, or the tensor that it would give back where it undoes the one before it. */
static ts_status transpose(const ts__site *s, ts_tensor_id x, const uint32_t *perm, ts_tensor_id *out) {
    const ts_ftensor *t = ts__float_tensor(s->im, x);
    const ts_fnode *before = t->producer == TS_NONE ? NULL : &s->im->graph->nodes.data[t->producer];
    bool undone = before != NULL && before->op == TS_FOP_TRANSPOSE;
    for (uint32_t d = 0; undone && d < t->rank; d++) {
        undone = before->perm[perm[d]] == d;
    }
    if (undone) {
        *out = before->inputs[0];
        return TS_OK;
    }
    ts_fnode node = {.op = TS_FOP_TRANSPOSE, .input_count = 1, .inputs = {x}};
    memcpy(node.perm, perm, t->rank * sizeof *perm);
    return emit(s, &node, NULL, out);
}

ts_status ts__float_forms(const ts__site *s, uint32_t input, ts__forms **out) {
    uint32_t v = input < s->node->input_count ? s->node->inputs[input] : TS_NONE;
    if (v == TS_NONE) {
        return ts__float_refuse(s, "a needed input is left out");
    }
    ts__forms *f = &s->im->values[v];
    const ts_constant *c = s->im->net->values.data[v].constant;
    if (f->file == TS_NONE && f->last == TS_NONE) {
        if (c == NULL) {
            return ts__float_refuse(s, "an input comes from an operator that is not served");
        }
        f->file = constant_tensor(s->im, c);
        f->last = ts__has_order(c->rank) ? TS_NONE : f->file;
    }
    *out = f;
    return TS_OK;
}

static uint32_t rank_of(const ts__float_importer *im, const ts__forms *f) {
    return ts__float_tensor(im, f->file != TS_NONE ? f->file : f->last)->rank;
}

/* Input `input` in the file's order, or with its channels last. */
ts_status ts__float_take(const ts__site *s, uint32_t input, bool last, ts_tensor_id *out) {
    ts__forms *f;
    TS_TRY(ts__float_forms(s, input, &f));
    ts_tensor_id *wanted = last ? &f->last : &f->file;
    if (*wanted == TS_NONE) {
        uint32_t rank = rank_of(s->im, f), perm[TS_MAX_RANK] = {0};
        for (uint32_t d = 0; d < rank; d++) {
            perm[d] = last ? ts__last_to_file(rank, d) : ts__file_to_last(rank, d);
        }
        ts_tensor_id made;
        TS_TRY(transpose(s, last ? f->file : f->last, perm, &made));
        *wanted = made;
    }
    *out = *wanted;
    return TS_OK;
}

static void set_output(const ts__site *s, uint32_t output, ts_tensor_id id, bool last) {
    bool ordered = ts__has_order(ts__float_tensor(s->im, id)->rank);
    ts__forms *f = &s->im->values[s->node->outputs[output]];
    f->file = last && ordered ? TS_NONE : id;
    f->last = last || !ordered ? id : TS_NONE;
}

static ts_status finish(const ts__site *s, const ts_fnode *node, bool last) {
    ts_tensor_id out;
    TS_TRY(emit(s, node, NULL, &out));
    set_output(s, 0, out, last);
    return TS_OK;
}

static ts_status attr_int(const ts__site *s, const char *name, int64_t absent, int64_t *out) {
    return ts__onnx_attr_int(s->im->net, s->node, name, absent, out);
}

static ts_status attr_float(const ts__site *s, const char *name, double absent, float *out) {
    double value;
    TS_TRY(ts__onnx_attr_float(s->im->net, s->node, name, absent, &value));
    *out = (float)value;
    return TS_OK;
}

/* A list of `count` (or 2 * count) numbers of an attribute within [0, 65535]; all `absent` where it is not
 * there. */
static ts_status attr_sizes(const ts__site *s, const char *name, uint32_t absent, uint32_t count,
                            uint32_t *out) {
    const int64_t *values;
    uint32_t given;
    TS_TRY(ts__onnx_attr_ints(s->im->net, s->node, name, &values, &given));
    for (uint32_t i = 0; i < count; i++) {
        if (given != 0 && (given != count || values[i] < 0 || values[i] > 65535)) {
            return ts__float_refuse(
                s, "a list of strides, pads, dilations or kernel sizes has a wrong length or value");
        }
        out[i] = given == 0 ? absent : (uint32_t)values[i];
    }
    return TS_OK;
}

/* Pads of one axis by auto_pad. */
static void same_pads(bool lower, uint32_t in, uint32_t kernel, uint32_t stride, uint32_t dilation,
                      uint32_t *begin, uint32_t *end) {
    uint64_t out = ((uint64_t)in + stride - 1) / stride;
    int64_t all = (int64_t)((out - 1) * stride + ((uint64_t)kernel - 1) * dilation + 1) - (int64_t)in;
    all = all < 0 ? 0 : all;
    uint32_t half = (uint32_t)(all / 2), rest = (uint32_t)all - half;
    *begin = lower ? rest : half;
    *end = lower ? half : rest;
}

/* Elements that ceil_mode adds behind the input so that a last, partial window fits. */
static uint32_t ceil_extra(uint32_t in, uint32_t kernel, uint32_t stride, uint32_t dilation, uint32_t begin,
                           uint32_t end) {
    uint64_t padded = (uint64_t)in + begin + end, reach = (uint64_t)(kernel - 1) * dilation + 1;
    if (padded < reach || (padded - reach) % stride == 0) {
        return 0;
    }
    uint64_t windows = (padded - reach) / stride + 2;
    if ((windows - 1) * stride >= (uint64_t)in + begin) {
        return 0; /* the last window would begin in the padding */
    }
    return (uint32_t)((windows - 1) * stride + reach - padded);
}

/* Strides, dilations, pads of a convolution or pooling with the kernel given. `x` is channels last. *extra is
 * what ceil_mode added to the pads. */
static ts_status read_window(const ts__site *s, const ts_ftensor *x, const uint32_t *kernel, ts_window *out,
                             ts_window *extra) {
    uint32_t axes = x->rank - 2, stride[2], dilation[2], pads[4], begin[2], end[2], added[2];
    int64_t ceil_mode;
    TS_TRY(attr_sizes(s, "strides", 1, axes, stride));
    TS_TRY(attr_sizes(s, "dilations", 1, axes, dilation));
    TS_TRY(attr_sizes(s, "pads", 0, 2 * axes, pads));
    TS_TRY(attr_int(s, "ceil_mode", 0, &ceil_mode));
    const char *automatic = ts__onnx_attr_text(s->im->net, s->node, "auto_pad");
    bool same = strcmp(automatic, "SAME_UPPER") == 0 || strcmp(automatic, "SAME_LOWER") == 0;
    bool valid = strcmp(automatic, "VALID") == 0;
    for (uint32_t i = 0; i < axes; i++) {
        if (kernel[i] == 0 || kernel[i] > 65535 || stride[i] == 0 || dilation[i] == 0) {
            return ts__float_refuse(s, "a kernel size, stride or dilation is 0 or absurdly large");
        }
        begin[i] = valid ? 0 : pads[i];
        end[i] = valid ? 0 : pads[axes + i];
        if (same) {
            same_pads(automatic[5] == 'L', x->dims[1 + i], kernel[i], stride[i], dilation[i], &begin[i],
                      &end[i]);
        }
        added[i] = ceil_mode != 0
                       ? ceil_extra(x->dims[1 + i], kernel[i], stride[i], dilation[i], begin[i], end[i])
                       : 0;
        end[i] += added[i];
    }
    uint32_t w = axes - 1;
    bool flat = axes == 1;
    *out = (ts_window){.kernel_h = flat ? 1 : kernel[0],
                       .kernel_w = kernel[w],
                       .stride_h = flat ? 1 : stride[0],
                       .stride_w = stride[w],
                       .dilation_h = flat ? 1 : dilation[0],
                       .dilation_w = dilation[w],
                       .pad_top = flat ? 0 : begin[0],
                       .pad_left = begin[w],
                       .pad_bottom = flat ? 0 : end[0],
                       .pad_right = end[w]};
    *extra = (ts_window){.pad_bottom = flat ? 0 : added[0], .pad_right = added[w]};
    return TS_OK;
}

static ts_status spatial_input(const ts__site *s, ts_tensor_id *x) {
    TS_TRY(ts__float_take(s, 0, true, x));
    uint32_t rank = ts__float_tensor(s->im, *x)->rank;
    return ts__has_order(rank) ? TS_OK
                               : ts__float_refuse(s, "only {N, C, W} and {N, C, H, W} are served here");
}

static ts_status import_conv(const ts__site *s) {
    ts_fnode n = {.op = TS_FOP_CONV,
                  .input_count = s->node->input_count > 2 && s->node->inputs[2] != TS_NONE ? 3 : 2};
    TS_TRY(spatial_input(s, &n.inputs[0]));
    TS_TRY(ts__float_take(s, 1, true, &n.inputs[1]));
    if (n.input_count == 3) {
        TS_TRY(ts__float_take(s, 2, false, &n.inputs[2]));
    }
    const ts_ftensor *x = ts__float_tensor(s->im, n.inputs[0]), *w = ts__float_tensor(s->im, n.inputs[1]);
    if (w->rank != x->rank) {
        return ts__float_refuse(s, "input and weights have different ranks");
    }
    ts_window extra;
    TS_TRY(read_window(s, x, w->dims + 1, &n.window, &extra));
    int64_t groups;
    TS_TRY(attr_int(s, "group", 1, &groups));
    n.groups = groups < 1 || groups > UINT32_MAX ? 0 : (uint32_t)groups;
    return finish(s, &n, true);
}

/* Pads that count in the divisor, where those that ceil_mode adds do not, become zeros before the pool. */
static ts_status part_pads(const ts__site *s, ts_fnode *pool, const ts_window *extra) {
    ts_window *w = &pool->window;
    uint32_t rank = ts__float_tensor(s->im, pool->inputs[0])->rank;
    ts_fnode pad = {.op = TS_FOP_PAD, .input_count = 1, .inputs = {pool->inputs[0]}};
    pad.begin[rank - 2] = w->pad_left;
    pad.end[rank - 2] = w->pad_right - extra->pad_right;
    if (rank == 4) {
        pad.begin[1] = w->pad_top;
        pad.end[1] = w->pad_bottom - extra->pad_bottom;
    }
    w->pad_top = w->pad_left = 0;
    w->pad_bottom = extra->pad_bottom;
    w->pad_right = extra->pad_right;
    pool->count_pad = false;
    return emit(s, &pad, NULL, &pool->inputs[0]);
}

static ts_status import_pool(const ts__site *s) {
    ts_fnode n = {.op = s->row->op, .input_count = 1};
    uint32_t kernel[2] = {0};
    int64_t count_pad;
    ts_window extra;
    TS_TRY(spatial_input(s, &n.inputs[0]));
    TS_TRY(attr_sizes(s, "kernel_shape", 0, ts__float_tensor(s->im, n.inputs[0])->rank - 2, kernel));
    TS_TRY(attr_int(s, "count_include_pad", 0, &count_pad));
    TS_TRY(read_window(s, ts__float_tensor(s->im, n.inputs[0]), kernel, &n.window, &extra));
    if (s->node->output_count > 1 && s->node->outputs[1] != TS_NONE &&
        s->im->net->values.data[s->node->outputs[1]].uses != 0) {
        return ts__float_refuse(s, "indices of maxima are not served");
    }
    n.count_pad = count_pad != 0;
    if (n.op == TS_FOP_AVG_POOL && n.count_pad && extra.pad_bottom + extra.pad_right != 0) {
        TS_TRY(part_pads(s, &n, &extra));
    }
    return finish(s, &n, true);
}

static ts_status import_global_pool(const ts__site *s) {
    ts_fnode n = {.op = s->row->op, .input_count = 1};
    TS_TRY(spatial_input(s, &n.inputs[0]));
    const ts_ftensor *x = ts__float_tensor(s->im, n.inputs[0]);
    uint32_t h = x->rank == 4 ? x->dims[1] : 1, w = x->dims[x->rank - 2];
    n.window = (ts_window){h, w, h, w, 1, 1, 0, 0, 0, 0};
    return finish(s, &n, true);
}

static ts_status import_batch_norm(const ts__site *s) {
    ts_fnode n = {.op = TS_FOP_BATCH_NORM, .input_count = 5};
    int64_t training, spatial;
    TS_TRY(attr_int(s, "training_mode", 0, &training));
    TS_TRY(attr_int(s, "spatial", 1, &spatial));
    if (spatial == 0) {
        return ts__float_refuse(s, "statistics of each place (spatial = 0) are not served");
    }
    if (training != 0) {
        return ts__float_refuse(s, "training mode is not served; export the network for inference");
    }
    TS_TRY(ts__float_take(s, 0, true, &n.inputs[0]));
    for (uint32_t i = 1; i < 5; i++) {
        TS_TRY(ts__float_take(s, i, false, &n.inputs[i]));
    }
    TS_TRY(attr_float(s, "epsilon", 1e-5, &n.epsilon));
    return finish(s, &n, true);
}

/* An element by element operator keeps the order in which its input is there. */
static ts_status keep_order(const ts__site *s, uint32_t input, bool *last) {
    ts__forms *f;
    TS_TRY(ts__float_forms(s, input, &f));
    *last = f->last != TS_NONE;
    return TS_OK;
}

static ts_status finish_unary(const ts__site *s, ts_fnode *n) {
    bool last;
    TS_TRY(keep_order(s, 0, &last));
    TS_TRY(ts__float_take(s, 0, last, &n->inputs[0]));
    n->input_count = 1;
    return finish(s, n, last);
}

static ts_status import_unary(const ts__site *s) {
    ts_fnode n = {.op = s->row->op};
    double alpha = n.op == TS_FOP_LEAKY_RELU ? 0.01 : n.op == TS_FOP_ELU ? 1.0 : 0.2;
    TS_TRY(attr_float(s, "alpha", alpha, &n.alpha));
    TS_TRY(attr_float(s, "beta", 0.5, &n.beta));
    return finish_unary(s, &n);
}

/* A scalar that is an attribute in old files and input `input` in newer ones. */
static ts_status scalar(const ts__site *s, uint32_t input, const char *name, double absent, float *out) {
    TS_TRY(attr_float(s, name, absent, out));
    if (input < s->node->input_count && s->node->inputs[input] != TS_NONE) {
        const ts_constant *c = ts__onnx_const_input(s->im->net, s->node, input);
        if (c == NULL || c->count != 1) {
            return ts__float_refuse(s, "a bound or value is no constant number");
        }
        *out = (float)real_of(c, 0);
    }
    return TS_OK;
}

static ts_status import_clip(const ts__site *s) {
    ts_fnode n = {.op = TS_FOP_CLIP};
    TS_TRY(scalar(s, 1, "min", (double)-INFINITY, &n.low));
    TS_TRY(scalar(s, 2, "max", (double)INFINITY, &n.high));
    return finish_unary(s, &n);
}

/* An operand of a broadcast with leading dimensions of 1 up to `rank`, in the wanted order. */
static ts_status operand(const ts__site *s, uint32_t input, uint32_t rank, bool last, ts_tensor_id *out) {
    ts__forms *f;
    TS_TRY(ts__float_forms(s, input, &f));
    uint32_t own = rank_of(s->im, f);
    if (own == rank || !last) {
        return ts__float_take(s, input, last, out);
    }
    ts_tensor_id flat;
    TS_TRY(ts__float_take(s, input, false, &flat));
    const ts_ftensor *t = ts__float_tensor(s->im, flat);
    if (ts_ftensor_elements(t) == 1) {
        *out = flat;
        return TS_OK;
    }
    ts_ftensor shape = {.rank = rank};
    uint32_t perm[TS_MAX_RANK];
    for (uint32_t d = 0; d < rank; d++) {
        shape.dims[d] = d < rank - own ? 1 : t->dims[d - (rank - own)];
        perm[d] = ts__last_to_file(rank, d);
    }
    ts_fnode grow = {.op = TS_FOP_RESHAPE, .input_count = 1, .inputs = {flat}};
    ts_tensor_id grown;
    TS_TRY(emit(s, &grow, &shape, &grown));
    return transpose(s, grown, perm, out);
}

static ts_status import_nothing(const ts__site *s);

/* Inputs `first` and `second` of the node, broadcast. */
static ts_status import_pair(const ts__site *s, uint32_t first, uint32_t second) {
    ts_fnode n = {.op = s->row->op, .input_count = 2};
    ts__forms *a, *b;
    TS_TRY(ts__float_forms(s, first, &a));
    TS_TRY(ts__float_forms(s, second, &b));
    uint32_t ra = rank_of(s->im, a), rb = rank_of(s->im, b), rank = ra > rb ? ra : rb;
    bool last =
        ts__has_order(rank) && ((ra == rank && a->last != TS_NONE) || (rb == rank && b->last != TS_NONE));
    TS_TRY(operand(s, first, rank, last, &n.inputs[0]));
    TS_TRY(operand(s, second, rank, last, &n.inputs[1]));
    return finish(s, &n, last);
}

static ts_status import_binary(const ts__site *s) { return import_pair(s, 0, 1); }

/* Sum, Min and Max of one or more operands. */
static ts_status import_many(const ts__site *s) {
    if (s->node->input_count == 1) {
        return import_nothing(s);
    }
    TS_TRY(import_pair(s, 0, 1));
    for (uint32_t i = 2; i < s->node->input_count; i++) {
        /* What has been made so far takes the place of the first operand. */
        uint32_t inputs[2] = {s->node->outputs[0], s->node->inputs[i]};
        ts_onnx_node rest = *s->node;
        rest.inputs = inputs;
        rest.input_count = 2;
        TS_TRY(import_pair(&(ts__site){s->im, &rest, s->row}, 0, 1));
    }
    return TS_OK;
}

/* Attribute `axis` as a dimension of the chosen order; may be negative in the file. */
static ts_status read_axis(const ts__site *s, int64_t absent, uint32_t rank, bool last, uint32_t *out) {
    int64_t axis;
    TS_TRY(attr_int(s, "axis", absent, &axis));
    axis = axis < 0 ? axis + rank : axis;
    if (axis < 0 || axis >= rank) {
        return ts__float_refuse(s, "axis outside the input's rank");
    }
    *out = last && ts__has_order(rank) ? ts__file_to_last(rank, (uint32_t)axis) : (uint32_t)axis;
    return TS_OK;
}

static ts_status import_concat(const ts__site *s) {
    ts_fnode n = {.op = TS_FOP_CONCAT, .input_count = s->node->input_count};
    bool last = false;
    if (n.input_count > TS_MAX_INPUTS || n.input_count == 0) {
        return ts__float_refuse(s, "concatenates none or more than 8 tensors");
    }
    for (uint32_t i = 0; i < n.input_count; i++) {
        bool one;
        TS_TRY(keep_order(s, i, &one));
        last = last || one;
    }
    for (uint32_t i = 0; i < n.input_count; i++) {
        TS_TRY(ts__float_take(s, i, last, &n.inputs[i]));
    }
    TS_TRY(read_axis(s, 1, ts__float_tensor(s->im, n.inputs[0])->rank, last, &n.axis));
    return finish(s, &n, last);
}

/* Until opset 13 softmax ran over all dimensions from the axis on. */
static ts_status import_softmax(const ts__site *s) {
    bool old = s->im->net->opset < 13, last;
    ts_fnode n = {.op = s->row->op, .input_count = 1};
    TS_TRY(keep_order(s, 0, &last));
    ts_tensor_id x;
    TS_TRY(ts__float_take(s, 0, last, &x));
    ts_ftensor whole = *ts__float_tensor(s->im, x);
    TS_TRY(read_axis(s, old ? 1 : -1, whole.rank, last && !old, &n.axis));
    if (!old || n.axis + 1 == whole.rank) {
        n.inputs[0] = x;
        return finish(s, &n, last);
    }
    ts_tensor_id flat, soft, out;
    TS_TRY(ts__float_take(s, 0, false, &x));
    whole = *ts__float_tensor(s->im, x);
    ts_ftensor rows = {.rank = 2, .dims = {1, 1}};
    for (uint32_t d = 0; d < whole.rank; d++) {
        rows.dims[d >= n.axis] *= whole.dims[d];
    }
    ts_fnode fold = {.op = TS_FOP_RESHAPE, .input_count = 1, .inputs = {x}};
    TS_TRY(emit(s, &fold, &rows, &flat));
    n.inputs[0] = flat;
    n.axis = 1;
    TS_TRY(emit(s, &n, NULL, &soft));
    fold.inputs[0] = soft;
    TS_TRY(emit(s, &fold, &whole, &out));
    set_output(s, 0, out, false);
    return TS_OK;
}

/* A short list of integers: an attribute in old files, input `input` in newer ones. */
ts_status ts__float_int_list(const ts__site *s, uint32_t input, const char *name, const int64_t **out,
                             uint32_t *count) {
    TS_TRY(ts__onnx_attr_ints(s->im->net, s->node, name, out, count));
    if (input < s->node->input_count && s->node->inputs[input] != TS_NONE) {
        const ts_constant *c = ts__onnx_const_input(s->im->net, s->node, input);
        if (c == NULL || c->ints == NULL || c->count > 64) {
            return ts__float_refuse(s, "a list of dimensions is no constant");
        }
        *out = c->ints;
        *count = (uint32_t)c->count;
    }
    return TS_OK;
}

static ts_status import_reduce(const ts__site *s) {
    ts_fnode n = {.op = s->row->op, .input_count = 1};
    const int64_t *axes;
    uint32_t count;
    int64_t keep, no_operation;
    bool last;
    TS_TRY(ts__float_int_list(s, 1, "axes", &axes, &count));
    TS_TRY(attr_int(s, "keepdims", 1, &keep));
    TS_TRY(attr_int(s, "noop_with_empty_axes", 0, &no_operation));
    if (no_operation != 0 && count == 0) {
        return import_nothing(s);
    }
    TS_TRY(keep_order(s, 0, &last));
    ts__forms *f;
    TS_TRY(ts__float_forms(s, 0, &f));
    uint32_t rank = rank_of(s->im, f);
    last = last && ts__has_order(rank);
    n.keep_dims = keep != 0;
    /* Without kept dimensions the rest must come in file order: all of H and W is the one case that does. */
    bool spatial = false;
    for (uint32_t i = 0; i < count; i++) {
        int64_t axis = axes[i] < 0 ? axes[i] + rank : axes[i];
        if (axis < 0 || axis >= rank) {
            return ts__float_refuse(s, "axis outside the input's rank");
        }
        n.axes |= 1u << axis;
    }
    n.axes = count == 0 ? (1u << rank) - 1 : n.axes;
    spatial = (rank == 4 && n.axes == 12) || (rank == 3 && n.axes == 4);
    last = last && (n.keep_dims || spatial);
    uint32_t mapped = 0;
    for (uint32_t d = 0; last && d < rank; d++) {
        mapped |= (n.axes >> d & 1) << ts__file_to_last(rank, d);
    }
    n.axes = last ? mapped : n.axes;
    TS_TRY(ts__float_take(s, 0, last, &n.inputs[0]));
    return finish(s, &n, last);
}

static ts_status import_pad(const ts__site *s) {
    ts_fnode n = {.op = TS_FOP_PAD, .input_count = 1};
    const int64_t *pads;
    uint32_t count;
    bool last;
    const char *mode = ts__onnx_attr_text(s->im->net, s->node, "mode");
    TS_TRY(ts__float_int_list(s, 1, "pads", &pads, &count));
    TS_TRY(scalar(s, 2, "value", 0.0, &n.alpha));
    TS_TRY(keep_order(s, 0, &last));
    TS_TRY(ts__float_take(s, 0, last, &n.inputs[0]));
    uint32_t rank = ts__float_tensor(s->im, n.inputs[0])->rank;
    if (count != 2 * rank) {
        return ts__float_refuse(s, "pads has not two numbers a dimension");
    }
    for (uint32_t d = 0; d < rank; d++) {
        uint32_t to = last && ts__has_order(rank) ? ts__file_to_last(rank, d) : d;
        if (pads[d] < 0 || pads[rank + d] < 0 || pads[d] > 65535 || pads[rank + d] > 65535) {
            return ts__float_refuse(s, "negative or absurdly large pads");
        }
        n.begin[to] = (uint32_t)pads[d];
        n.end[to] = (uint32_t)pads[rank + d];
    }
    if (strcmp(mode, "reflect") == 0) {
        n.pad_mode = TS_PAD_REFLECT;
    } else if (strcmp(mode, "edge") == 0) {
        n.pad_mode = TS_PAD_EDGE;
    }
    return finish(s, &n, last);
}

static ts_status import_reshape(const ts__site *s) {
    ts_fnode n = {.op = TS_FOP_RESHAPE, .input_count = 1};
    TS_TRY(ts__float_take(s, 0, false, &n.inputs[0]));
    ts_ftensor shape = {0};
    const ts_ftensor *x = ts__float_tensor(s->im, n.inputs[0]);
    TS_TRY(ts__onnx_reshape(s->im->net, s->node, x->dims, x->rank, shape.dims, &shape.rank));
    ts_tensor_id out;
    TS_TRY(emit(s, &n, &shape, &out));
    set_output(s, 0, out, false);
    return TS_OK;
}

static ts_status import_transpose(const ts__site *s) {
    ts_tensor_id x, out;
    const int64_t *given;
    uint32_t count, perm[TS_MAX_RANK];
    TS_TRY(ts__float_take(s, 0, false, &x));
    TS_TRY(ts__onnx_attr_ints(s->im->net, s->node, "perm", &given, &count));
    uint32_t rank = ts__float_tensor(s->im, x)->rank, seen = 0;
    for (uint32_t d = 0; d < rank; d++) {
        int64_t from = count == 0 ? (int64_t)(rank - 1 - d) : d < count ? given[d] : -1;
        if (from < 0 || from >= rank || (seen >> from & 1) != 0) {
            return ts__float_refuse(s, "perm is no permutation of the dimensions");
        }
        seen |= 1u << from;
        perm[d] = (uint32_t)from;
    }
    TS_TRY(transpose(s, x, perm, &out));
    set_output(s, 0, out, false);
    return TS_OK;
}

static ts_status import_matrix(const ts__site *s) {
    ts_fnode n = {.op = s->row->op, .input_count = 2};
    int64_t a, b;
    TS_TRY(ts__float_take(s, 0, false, &n.inputs[0]));
    TS_TRY(ts__float_take(s, 1, false, &n.inputs[1]));
    if (n.op == TS_FOP_GEMM && s->node->input_count > 2 && s->node->inputs[2] != TS_NONE) {
        TS_TRY(ts__float_take(s, 2, false, &n.inputs[2]));
        n.input_count = 3;
    }
    TS_TRY(attr_int(s, "transA", 0, &a));
    TS_TRY(attr_int(s, "transB", 0, &b));
    TS_TRY(attr_float(s, "alpha", 1.0, &n.alpha));
    TS_TRY(attr_float(s, "beta", 1.0, &n.beta));
    n.trans_a = a != 0;
    n.trans_b = b != 0;
    return finish(s, &n, false);
}

/* The value itself: at inference these do nothing. */
static ts_status import_nothing(const ts__site *s) {
    ts__forms *f;
    TS_TRY(ts__float_forms(s, 0, &f));
    s->im->values[s->node->outputs[0]] = *f;
    return TS_OK;
}

static ts_status import_dropout(const ts__site *s) {
    const ts_constant *training = ts__onnx_const_input(s->im->net, s->node, 2);
    if (training != NULL && training->count == 1 && real_of(training, 0) != 0) {
        return ts__float_refuse(s, "training mode is not served; export the network for inference");
    }
    return import_nothing(s);
}

static ts_status import_cast(const ts__site *s) {
    int64_t to;
    TS_TRY(attr_int(s, "to", 1, &to));
    return to == ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT
               ? import_nothing(s)
               : ts__float_refuse(s, "activations are cast to float only");
}

/* Part of input 0 as output `output`: along file dimension d, `sizes[d]` elements from `begin[d]` in steps of
 * `step[d]`. */
static ts_status cut(const ts__site *s, uint32_t output, const uint32_t *begin, const uint32_t *step,
                     const uint32_t *sizes) {
    ts_fnode n = {.op = TS_FOP_SLICE, .input_count = 1};
    bool last;
    TS_TRY(keep_order(s, 0, &last));
    TS_TRY(ts__float_take(s, 0, last, &n.inputs[0]));
    ts_ftensor shape = {.rank = ts__float_tensor(s->im, n.inputs[0])->rank};
    for (uint32_t d = 0; d < shape.rank; d++) {
        uint32_t to = last && ts__has_order(shape.rank) ? ts__file_to_last(shape.rank, d) : d;
        n.begin[to] = begin[d];
        n.step[to] = step[d];
        shape.dims[to] = sizes[d];
    }
    ts_tensor_id out;
    TS_TRY(emit(s, &n, &shape, &out));
    set_output(s, output, out, last);
    return TS_OK;
}

/* Dimensions of an activation in the file's order. */
static ts_status file_dims(const ts__site *s, uint32_t *rank, uint32_t *dims) {
    ts__forms *f;
    TS_TRY(ts__float_forms(s, 0, &f));
    bool last = f->file == TS_NONE;
    const ts_ftensor *t = ts__float_tensor(s->im, last ? f->last : f->file);
    *rank = t->rank;
    for (uint32_t d = 0; d < t->rank; d++) {
        dims[d] = t->dims[last ? ts__file_to_last(t->rank, d) : d];
    }
    return TS_OK;
}

static int64_t bounded(int64_t v, int64_t low, int64_t high) { return v < low ? low : v > high ? high : v; }

static ts_status import_slice(const ts__site *s) {
    const int64_t *starts, *ends, *axes, *steps;
    uint32_t a, b, c, e, rank, dims[TS_MAX_RANK], begin[TS_MAX_RANK] = {0}, step[TS_MAX_RANK],
                                                  sizes[TS_MAX_RANK];
    TS_TRY(file_dims(s, &rank, dims));
    TS_TRY(ts__float_int_list(s, 1, "starts", &starts, &a));
    TS_TRY(ts__float_int_list(s, 2, "ends", &ends, &b));
    TS_TRY(ts__float_int_list(s, 3, "axes", &axes, &c));
    TS_TRY(ts__float_int_list(s, 4, "steps", &steps, &e));
    if (a != b || (c != 0 && c != a) || (e != 0 && e != a) || (c == 0 && a > rank)) {
        return ts__float_refuse(s, "starts, ends, axes and steps have different lengths");
    }
    for (uint32_t d = 0; d < rank; d++) {
        step[d] = 1;
        sizes[d] = dims[d];
    }
    for (uint32_t i = 0; i < a; i++) {
        int64_t axis = c == 0 ? i : axes[i] < 0 ? axes[i] + rank : axes[i], by = e == 0 ? 1 : steps[i];
        if (axis < 0 || axis >= rank || by < 1 || by > TS_ONNX_MAX_DIM) {
            return ts__float_refuse(s, "an axis outside the input's rank, or a step below 1");
        }
        int64_t size = dims[axis], from = bounded(starts[i] < 0 ? starts[i] + size : starts[i], 0, size),
                to = bounded(ends[i] < 0 ? ends[i] + size : ends[i], 0, size);
        begin[axis] = (uint32_t)from;
        step[axis] = (uint32_t)by;
        sizes[axis] = to <= from ? 0 : (uint32_t)((to - from + by - 1) / by);
    }
    return cut(s, 0, begin, step, sizes);
}

static ts_status import_split(const ts__site *s) {
    const int64_t *given;
    uint32_t count, rank, dims[TS_MAX_RANK], begin[TS_MAX_RANK] = {0}, step[TS_MAX_RANK], axis;
    uint32_t parts = s->node->output_count;
    TS_TRY(file_dims(s, &rank, dims));
    TS_TRY(ts__float_int_list(s, 1, "split", &given, &count));
    TS_TRY(read_axis(s, 0, rank, false, &axis));
    if (count != 0 && count != parts) {
        return ts__float_refuse(s, "as many sizes as outputs are needed");
    }
    uint32_t whole = dims[axis];
    for (uint32_t d = 0; d < rank; d++) {
        step[d] = 1;
    }
    for (uint32_t i = 0; i < parts; i++) {
        uint32_t each = (whole + parts - 1) / parts, left = whole - begin[axis];
        int64_t size = count != 0 ? given[i] : i + 1 == parts ? left : each;
        if (size < 1 || size > left) {
            return ts__float_refuse(s, "the sizes of the parts are not those of the whole");
        }
        dims[axis] = (uint32_t)size;
        if (s->node->outputs[i] != TS_NONE) {
            TS_TRY(cut(s, i, begin, step, dims));
        }
        begin[axis] += (uint32_t)size;
    }
    return begin[axis] == whole ? TS_OK
                                : ts__float_refuse(s, "the sizes of the parts are not those of the whole");
}

/* One index of one axis, which the result does not have any more. */
static ts_status import_gather(const ts__site *s) {
    const ts_constant *index = ts__onnx_const_input(s->im->net, s->node, 1);
    uint32_t rank, dims[TS_MAX_RANK], begin[TS_MAX_RANK] = {0}, step[TS_MAX_RANK], axis;
    TS_TRY(file_dims(s, &rank, dims));
    TS_TRY(read_axis(s, 0, rank, false, &axis));
    if (index == NULL || index->ints == NULL || index->rank != 0) {
        return ts__float_refuse(s, "only one constant index is served");
    }
    int64_t at = index->ints[0] < 0 ? index->ints[0] + dims[axis] : index->ints[0];
    if (at < 0 || at >= dims[axis]) {
        return ts__float_refuse(s, "the index lies outside of its axis");
    }
    for (uint32_t d = 0; d < rank; d++) {
        step[d] = 1;
    }
    begin[axis] = (uint32_t)at;
    dims[axis] = 1;
    TS_TRY(cut(s, 0, begin, step, dims));
    ts__forms *f = &s->im->values[s->node->outputs[0]];
    ts_fnode n = {.op = TS_FOP_RESHAPE, .input_count = 1};
    ts_ftensor shape = {.rank = rank - 1};
    for (uint32_t d = 0; d + 1 < rank; d++) {
        shape.dims[d] = dims[d < axis ? d : d + 1];
    }
    uint32_t from = s->node->outputs[0];
    ts_onnx_node part = *s->node;
    part.inputs = &from;
    part.input_count = 1;
    TS_TRY(ts__float_take(&(ts__site){s->im, &part, s->row}, 0, false, &n.inputs[0]));
    ts_tensor_id out;
    TS_TRY(emit(s, &n, &shape, &out));
    *f = (ts__forms){TS_NONE, TS_NONE};
    set_output(s, 0, out, false);
    return TS_OK;
}

/* Factor of each dimension, from `scales` (input or attribute) or `sizes`. */
static ts_status resize_factors(const ts__site *s, uint32_t rank, const uint32_t *dims, uint32_t *factors) {
    bool old = ts__is(s, "Upsample");
    uint32_t scales_at = old || s->im->net->opset < 11 ? 1 : 2;
    const ts_constant *scales = ts__onnx_const_input(s->im->net, s->node, scales_at);
    const ts_constant *sizes = ts__onnx_const_input(s->im->net, s->node, 3);
    const Onnx__AttributeProto *given = ts__onnx_attribute(s->node, "scales");
    bool by_size = scales == NULL || scales->count == 0;
    for (uint32_t d = 0; d < rank; d++) {
        double f = 0;
        if (given != NULL && given->n_floats == rank) {
            f = (double)given->floats[d];
        } else if (!by_size && scales->count == rank) {
            f = real_of(scales, d);
        } else if (by_size && sizes != NULL && sizes->count == rank) {
            f = real_of(sizes, d) / dims[d];
        }
        if (!(f >= 1 && f <= 64) || f != floor(f)) {
            return ts__float_refuse(s, "only enlarging by constant whole factors up to 64 is served");
        }
        factors[d] = (uint32_t)f;
    }
    return TS_OK;
}

/* Each element of input 0 so many times along the dimensions of the file. */
static ts_status repeat(const ts__site *s, uint32_t rank, const uint32_t *dims, const uint32_t *factors) {
    ts_fnode n = {.op = TS_FOP_RESIZE, .input_count = 1};
    ts_ftensor shape = {.rank = rank};
    bool last;
    TS_TRY(keep_order(s, 0, &last));
    TS_TRY(ts__float_take(s, 0, last, &n.inputs[0]));
    for (uint32_t d = 0; d < rank; d++) {
        shape.dims[last && ts__has_order(rank) ? ts__file_to_last(rank, d) : d] = dims[d] * factors[d];
    }
    ts_tensor_id out;
    TS_TRY(emit(s, &n, &shape, &out));
    set_output(s, 0, out, last);
    return TS_OK;
}

/* Broadcasting to a constant shape. */
static ts_status import_expand(const ts__site *s) {
    const ts_constant *shape = ts__onnx_const_input(s->im->net, s->node, 1);
    uint32_t rank, dims[TS_MAX_RANK], factors[TS_MAX_RANK];
    TS_TRY(file_dims(s, &rank, dims));
    if (shape == NULL || shape->count > rank) {
        return ts__float_refuse(s,
                                "only a constant shape of no more dimensions than the input has is served");
    }
    for (uint32_t d = 0; d < rank; d++) {
        uint32_t absent = rank - (uint32_t)shape->count;
        double size = d < absent ? 1 : real_of(shape, d - absent);
        if (size != 1 && size != dims[d] && (dims[d] != 1 || !(size > 1 && size <= TS_ONNX_MAX_DIM))) {
            return ts__float_refuse(s, "its input does not broadcast to its shape");
        }
        factors[d] = dims[d] == 1 ? (uint32_t)size : 1;
    }
    return repeat(s, rank, dims, factors);
}

/* The nearest neighbour, where that repeats each element. */
static ts_status import_resize(const ts__site *s) {
    const char *mode = ts__onnx_attr_text(s->im->net, s->node, "mode");
    const char *place = ts__onnx_attr_text(s->im->net, s->node, "coordinate_transformation_mode");
    const char *nearest = ts__onnx_attr_text(s->im->net, s->node, "nearest_mode");
    uint32_t rank, dims[TS_MAX_RANK], factors[TS_MAX_RANK], most = 1;
    TS_TRY(file_dims(s, &rank, dims));
    TS_TRY(resize_factors(s, rank, dims, factors));
    for (uint32_t d = 0; d < rank; d++) {
        most = factors[d] > most ? factors[d] : most;
    }
    bool newer = ts__is(s, "Resize") && s->im->net->opset >= 11,
         half = newer && (*place == '\0' || strncmp(place, "half_pixel", 10) == 0);
    bool floors = !newer || strcmp(nearest, "floor") == 0;
    bool rounds = newer && (*nearest == '\0' || strcmp(nearest, "round_prefer_floor") == 0);
    bool repeats =
        newer && strcmp(place, "asymmetric") != 0 ? (half && rounds) : floors || (rounds && most <= 2);
    if ((*mode != '\0' && strcmp(mode, "nearest") != 0) || !repeats) {
        return ts__float_refuse(s, "only the nearest neighbour that repeats each element is served");
    }
    return repeat(s, rank, dims, factors);
}

/* Ends of an integer type of a constant zero point; where there is none, of the one that `output_dtype` says,
 * or an 8-bit unsigned one. */
static ts_status quantised_range(const ts__site *s, float *low, float *high) {
    uint32_t v = s->node->input_count > 2 ? s->node->inputs[2] : TS_NONE;
    const ts_constant *zero = v == TS_NONE ? NULL : s->im->net->values.data[v].constant;
    int64_t type;
    TS_TRY(ts__onnx_attr_int(s->im->net, s->node, "output_dtype", 0, &type));
    type = zero != NULL ? zero->element_type : type == 0 ? ONNX__TENSOR_PROTO__DATA_TYPE__UINT8 : type;
    bool is_signed = type == ONNX__TENSOR_PROTO__DATA_TYPE__INT8;
    if (!is_signed && type != ONNX__TENSOR_PROTO__DATA_TYPE__UINT8) {
        return ts__float_refuse(s, "only 8-bit zero points are served");
    }
    *low = is_signed ? -128.0f : 0.0f;
    *high = is_signed ? 127.0f : 255.0f;
    return TS_OK;
}

/* QuantizeLinear and DequantizeLinear: the integers in floats, and back. */
static ts_status import_quant(const ts__site *s) {
    static const float nothing;
    ts_fnode n = {.op = s->row->op, .input_count = 3};
    bool last;
    int64_t block;
    TS_TRY(ts__onnx_attr_int(s->im->net, s->node, "block_size", 0, &block));
    if (block != 0) {
        return ts__float_refuse(
            s, "a scale for each block of elements is not served; one, or one a channel, is");
    }
    TS_TRY(keep_order(s, 0, &last));
    TS_TRY(ts__float_take(s, 0, last, &n.inputs[0]));
    TS_TRY(ts__float_take(s, 1, false, &n.inputs[1]));
    if (s->node->input_count > 2 && s->node->inputs[2] != TS_NONE) {
        TS_TRY(ts__float_take(s, 2, false, &n.inputs[2]));
    } else {
        n.inputs[2] = ts_fgraph_add_constant(s->im->graph, "zero", 0, NULL, &nothing);
    }
    if (n.op == TS_FOP_QUANT) {
        TS_TRY(quantised_range(s, &n.low, &n.high));
    }
    uint32_t rank = ts__float_tensor(s->im, n.inputs[0])->rank;
    if (ts_ftensor_elements(ts__float_tensor(s->im, n.inputs[1])) > 1 ||
        ts_ftensor_elements(ts__float_tensor(s->im, n.inputs[2])) > 1) {
        TS_TRY(read_axis(s, 1, rank, last, &n.axis));
    }
    return finish(s, &n, last);
}

/* A row: the claim, and what reads it. */
typedef struct row {
    ts_float_operator claim;
    ts_status (*import)(const ts__site *);
} row;

#define WINDOW "auto_pad ceil_mode dilations kernel_shape pads strides"

static const row operators[] = {
    {{"Abs", "", "", TS_FOP_ABS}, import_unary},
    {{"Add", "", "broadcasting", TS_FOP_ADD}, import_binary},
    {{"AveragePool", WINDOW " count_include_pad", "1-D and 2-D", TS_FOP_AVG_POOL}, import_pool},
    {{"BatchNormalization", "epsilon spatial training_mode (momentum)", "at inference", TS_FOP_BATCH_NORM},
     import_batch_norm},
    {{"Cast", "to", "to float", TS_FOP_COUNT}, import_cast},
    {{"Ceil", "", "", TS_FOP_CEIL}, import_unary},
    {{"Clip", "min max", "bounds as attributes or as constant inputs", TS_FOP_CLIP}, import_clip},
    {{"Concat", "axis", "up to 8 tensors", TS_FOP_CONCAT}, import_concat},
    {{"Conv", "auto_pad dilations group (kernel_shape) pads strides", "1-D and 2-D", TS_FOP_CONV},
     import_conv},
    {{"DequantizeLinear", "axis block_size", "one scale, or one a channel", TS_FOP_DEQUANT}, import_quant},
    {{"Div", "", "broadcasting", TS_FOP_DIV}, import_binary},
    {{"Dropout", "(ratio) (seed)", "at inference", TS_FOP_COUNT}, import_dropout},
    {{"Elu", "alpha", "", TS_FOP_ELU}, import_unary},
    {{"Erf", "", "", TS_FOP_ERF}, import_unary},
    {{"Exp", "", "", TS_FOP_EXP}, import_unary},
    {{"Expand", "", "to a constant shape", TS_FOP_RESIZE}, import_expand},
    {{"Flatten", "axis", "", TS_FOP_RESHAPE}, import_reshape},
    {{"Floor", "", "", TS_FOP_FLOOR}, import_unary},
    {{"Gather", "axis", "one constant index", TS_FOP_SLICE}, import_gather},
    {{"Gemm", "alpha beta transA transB", "", TS_FOP_GEMM}, import_matrix},
    {{"GlobalAveragePool", "", "1-D and 2-D", TS_FOP_AVG_POOL}, import_global_pool},
    {{"GlobalMaxPool", "", "1-D and 2-D", TS_FOP_MAX_POOL}, import_global_pool},
    {{"HardSigmoid", "alpha beta", "", TS_FOP_HARD_SIGMOID}, import_unary},
    {{"HardSwish", "", "", TS_FOP_HARD_SWISH}, import_unary},
    {{"Identity", "", "", TS_FOP_COUNT}, import_nothing},
    {{"LeakyRelu", "alpha", "", TS_FOP_LEAKY_RELU}, import_unary},
    {{"Log", "", "", TS_FOP_LOG}, import_unary},
    {{"LogSoftmax", "axis", "", TS_FOP_LOG_SOFTMAX}, import_softmax},
    {{"MatMul", "", "operands of 2 dimensions or more, broadcasting", TS_FOP_MATMUL}, import_matrix},
    {{"Max", "", "broadcasting", TS_FOP_MAX}, import_many},
    {{"MaxPool", WINDOW " (storage_order)", "1-D and 2-D, without indices", TS_FOP_MAX_POOL}, import_pool},
    {{"Min", "", "broadcasting", TS_FOP_MIN}, import_many},
    {{"Mul", "", "broadcasting", TS_FOP_MUL}, import_binary},
    {{"Neg", "", "", TS_FOP_NEG}, import_unary},
    {{"PRelu", "", "broadcasting slope", TS_FOP_PRELU}, import_binary},
    {{"Pad", "mode pads value", "constant, reflect, edge; constant pads", TS_FOP_PAD}, import_pad},
    {{"Pow", "", "broadcasting", TS_FOP_POW}, import_binary},
    {{"QuantizeLinear", "axis block_size output_dtype (saturate)", "to 8 bits", TS_FOP_QUANT}, import_quant},
    {{"Reciprocal", "", "", TS_FOP_RECIPROCAL}, import_unary},
    {{"ReduceMax", "axes keepdims", "", TS_FOP_REDUCE_MAX}, import_reduce},
    {{"ReduceMean", "axes keepdims", "", TS_FOP_REDUCE_MEAN}, import_reduce},
    {{"ReduceSum", "axes keepdims noop_with_empty_axes", "", TS_FOP_REDUCE_SUM}, import_reduce},
    {{"Relu", "", "", TS_FOP_RELU}, import_unary},
    {{"Reshape", "allowzero", "constant shape", TS_FOP_RESHAPE}, import_reshape},
    {{"Resize",
      "coordinate_transformation_mode mode nearest_mode (cubic_coeff_a) (exclude_outside) "
      "(extrapolation_value)",
      "nearest neighbour by whole factors", TS_FOP_RESIZE},
     import_resize},
    {{"Round", "", "", TS_FOP_ROUND}, import_unary},
    {{"Sigmoid", "", "", TS_FOP_SIGMOID}, import_unary},
    {{"Slice", "axes ends starts", "constant bounds, steps from 1", TS_FOP_SLICE}, import_slice},
    {{"Softmax", "axis", "", TS_FOP_SOFTMAX}, import_softmax},
    {{"Softplus", "", "", TS_FOP_SOFTPLUS}, import_unary},
    {{"Softsign", "", "", TS_FOP_SOFTSIGN}, import_unary},
    {{"Split", "axis num_outputs split", "constant sizes", TS_FOP_SLICE}, import_split},
    {{"Sqrt", "", "", TS_FOP_SQRT}, import_unary},
    {{"Squeeze", "axes", "constant axes", TS_FOP_RESHAPE}, import_reshape},
    {{"Sub", "", "broadcasting", TS_FOP_SUB}, import_binary},
    {{"Sum", "", "broadcasting", TS_FOP_ADD}, import_many},
    {{"Tanh", "", "", TS_FOP_TANH}, import_unary},
    {{"Transpose", "perm", "", TS_FOP_TRANSPOSE}, import_transpose},
    {{"Unsqueeze", "axes", "constant axes", TS_FOP_RESHAPE}, import_reshape},
    {{"Upsample", "mode scales", "nearest neighbour by whole factors", TS_FOP_RESIZE}, import_resize},
};

enum { OPERATOR_COUNT = sizeof operators / sizeof operators[0] };

const ts_float_operator *ts_float_model_operator(uint32_t index) {
    return index < OPERATOR_COUNT ? &operators[index].claim : NULL;
}

const ts_float_operator *ts__float_operator(const char *op) {
    for (uint32_t i = 0; i < OPERATOR_COUNT; i++) {
        if (strcmp(operators[i].claim.name, op) == 0) {
            return &operators[i].claim;
        }
    }
    return NULL;
}

/* Whether a list of words, some in brackets, has this one. */
static bool lists(const char *words, const char *word) {
    size_t length = strlen(word);
    if (length == 0) {
        return false;
    }
    for (const char *at = words; (at = strstr(at, word)) != NULL; at += length) {
        bool begins = at == words || at[-1] == ' ' || at[-1] == '(';
        if (begins && (at[length] == '\0' || at[length] == ' ' || at[length] == ')')) {
            return true;
        }
    }
    return false;
}

ts_status ts__float_import(const ts__site *s) {
    const Onnx__NodeProto *proto = s->node->proto;
    for (size_t i = 0; i < proto->n_attribute; i++) {
        const char *name = proto->attribute[i]->name == NULL ? "" : proto->attribute[i]->name;
        if (!lists(s->row->attributes, name)) {
            ts_warn(s->im->net->diags, TS_DIAG_UNSUPPORTED, s->node->name, s->node->op,
                    "attribute '%s' is not read", name);
        }
    }
    for (uint32_t i = 0; i < OPERATOR_COUNT; i++) {
        if (&operators[i].claim == s->row) {
            return operators[i].import(s);
        }
    }
    return ts__float_refuse(s, "this operator is not served in float networks");
}
