/* The importer of float networks: ONNX nodes -> float graph, channels last where a layout is meant.
 *
 * A value has up to two forms, one in the file's order and one with the channels last; whichever a reader
 * wants and is not there yet is made by a TRANSPOSE, once. */
#include <math.h>
#include <string.h>

#include "model/float_model.h"
#include "model/onnx.h"

typedef struct forms {
    ts_tensor_id file, last; /* TS_NONE where not made; one tensor for both where no order differs */
} forms;

typedef struct importer {
    ts_onnx *net;
    ts_fgraph *graph;
    forms *values; /* one a value of net */
} importer;

typedef struct site {
    importer *im;
    const ts_onnx_node *node;
} site;

static ts_status refuse(const site *s, const char *what) {
    return ts_error(s->im->net->diags, TS_DIAG_UNSUPPORTED, s->node->name, s->node->op, "%s", what);
}

static double real_of(const ts_constant *c, uint64_t i) {
    return c->ints != NULL ? (double)c->ints[i] : c->reals[i];
}

static const ts_ftensor *tensor(const importer *im, ts_tensor_id id) { return &im->graph->tensors.data[id]; }

static ts_status emit(const site *s, const ts_fnode *node, const ts_ftensor *shape, ts_tensor_id *out) {
    const ts_onnx_node *n = s->node;
    ts_fnode made = *node;
    made.name = ts_arena_strdup(s->im->graph->arena, n->name);
    made.file_index = n->file_index;
    const char *name = ts_arena_printf(s->im->graph->arena, "t%u", s->im->graph->tensors.count);
    return ts_fgraph_add_node(s->im->graph, &made, name, shape, out, s->im->net->diags);
}

/* The float tensor of a constant, in file order. */
static ts_tensor_id constant_tensor(importer *im, const ts_constant *c) {
    float *data = TS_NEW_ARRAY(im->graph->arena, float, c->count);
    for (uint64_t i = 0; i < c->count; i++) {
        data[i] = (float)real_of(c, i);
    }
    return ts_fgraph_add_constant(im->graph, ts_arena_strdup(im->graph->arena, c->name), c->rank, c->dims,
                                  data);
}

static bool has_order(uint32_t rank) { return rank == 3 || rank == 4; }

/* Dimension of the other order that dimension d of this one is. */
static uint32_t file_to_last(uint32_t rank, uint32_t d) { return d == 0 ? 0 : d == 1 ? rank - 1 : d - 1; }
static uint32_t last_to_file(uint32_t rank, uint32_t d) { return d == 0 ? 0 : d == rank - 1 ? 1 : d + 1; }

/* A transposition, or the tensor that it would give back where it undoes the one before it. */
static ts_status transpose(const site *s, ts_tensor_id x, const uint32_t *perm, ts_tensor_id *out) {
    const ts_ftensor *t = tensor(s->im, x);
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

static ts_status forms_of(const site *s, uint32_t input, forms **out) {
    uint32_t v = input < s->node->input_count ? s->node->inputs[input] : TS_NONE;
    if (v == TS_NONE) {
        return refuse(s, "a needed input is left out");
    }
    forms *f = &s->im->values[v];
    const ts_constant *c = s->im->net->values.data[v].constant;
    if (f->file == TS_NONE && f->last == TS_NONE) {
        if (c == NULL) {
            return refuse(s, "an input comes from an operator that is not served");
        }
        f->file = constant_tensor(s->im, c);
        f->last = has_order(c->rank) ? TS_NONE : f->file;
    }
    *out = f;
    return TS_OK;
}

static uint32_t rank_of(const importer *im, const forms *f) {
    return tensor(im, f->file != TS_NONE ? f->file : f->last)->rank;
}

/* Input `input` in the file's order, or with its channels last. */
static ts_status take(const site *s, uint32_t input, bool last, ts_tensor_id *out) {
    forms *f;
    TS_TRY(forms_of(s, input, &f));
    ts_tensor_id *wanted = last ? &f->last : &f->file;
    if (*wanted == TS_NONE) {
        uint32_t rank = rank_of(s->im, f), perm[TS_MAX_RANK] = {0};
        for (uint32_t d = 0; d < rank; d++) {
            perm[d] = last ? last_to_file(rank, d) : file_to_last(rank, d);
        }
        ts_tensor_id made;
        TS_TRY(transpose(s, last ? f->file : f->last, perm, &made));
        *wanted = made;
    }
    *out = *wanted;
    return TS_OK;
}

static void set_output(const site *s, ts_tensor_id id, bool last) {
    bool ordered = has_order(tensor(s->im, id)->rank);
    forms *f = &s->im->values[s->node->outputs[0]];
    f->file = last && ordered ? TS_NONE : id;
    f->last = last || !ordered ? id : TS_NONE;
}

static ts_status finish(const site *s, const ts_fnode *node, bool last) {
    ts_tensor_id out;
    TS_TRY(emit(s, node, NULL, &out));
    set_output(s, out, last);
    return TS_OK;
}

static ts_status attr_int(const site *s, const char *name, int64_t absent, int64_t *out) {
    return ts__onnx_attr_int(s->im->net, s->node, name, absent, out);
}

static ts_status attr_float(const site *s, const char *name, double absent, float *out) {
    double value;
    TS_TRY(ts__onnx_attr_float(s->im->net, s->node, name, absent, &value));
    *out = (float)value;
    return TS_OK;
}

/* A list of `count` (or 2 * count) numbers of an attribute within [0, 65535]; all `absent` where it is not
 * there. */
static ts_status attr_sizes(const site *s, const char *name, uint32_t absent, uint32_t count, uint32_t *out) {
    const int64_t *values;
    uint32_t given;
    TS_TRY(ts__onnx_attr_ints(s->im->net, s->node, name, &values, &given));
    for (uint32_t i = 0; i < count; i++) {
        if (given != 0 && (given != count || values[i] < 0 || values[i] > 65535)) {
            return refuse(s,
                          "a list of strides, pads, dilations or kernel sizes has a wrong length or value");
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

/* Strides, dilations, pads of a convolution or pooling with the kernel given. `x` is channels last. */
static ts_status read_window(const site *s, const ts_ftensor *x, const uint32_t *kernel, ts_window *out,
                             bool *extended) {
    uint32_t axes = x->rank - 2, stride[2], dilation[2], pads[4], begin[2], end[2];
    int64_t ceil_mode;
    TS_TRY(attr_sizes(s, "strides", 1, axes, stride));
    TS_TRY(attr_sizes(s, "dilations", 1, axes, dilation));
    TS_TRY(attr_sizes(s, "pads", 0, 2 * axes, pads));
    TS_TRY(attr_int(s, "ceil_mode", 0, &ceil_mode));
    const char *automatic = ts__onnx_attr_text(s->im->net, s->node, "auto_pad");
    bool same = strcmp(automatic, "SAME_UPPER") == 0 || strcmp(automatic, "SAME_LOWER") == 0;
    bool valid = strcmp(automatic, "VALID") == 0;
    *extended = false;
    for (uint32_t i = 0; i < axes; i++) {
        if (kernel[i] == 0 || kernel[i] > 65535 || stride[i] == 0 || dilation[i] == 0) {
            return refuse(s, "a kernel size, stride or dilation is 0 or absurdly large");
        }
        begin[i] = valid ? 0 : pads[i];
        end[i] = valid ? 0 : pads[axes + i];
        if (same) {
            same_pads(automatic[5] == 'L', x->dims[1 + i], kernel[i], stride[i], dilation[i], &begin[i],
                      &end[i]);
        }
        uint32_t extra = ceil_mode != 0
                             ? ceil_extra(x->dims[1 + i], kernel[i], stride[i], dilation[i], begin[i], end[i])
                             : 0;
        end[i] += extra;
        *extended = *extended || extra != 0;
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
    return TS_OK;
}

static ts_status spatial_input(const site *s, ts_tensor_id *x) {
    TS_TRY(take(s, 0, true, x));
    uint32_t rank = tensor(s->im, *x)->rank;
    return has_order(rank) ? TS_OK : refuse(s, "only {N, C, W} and {N, C, H, W} are served here");
}

static ts_status import_conv(const site *s) {
    ts_fnode n = {.op = TS_FOP_CONV,
                  .input_count = s->node->input_count > 2 && s->node->inputs[2] != TS_NONE ? 3 : 2};
    TS_TRY(spatial_input(s, &n.inputs[0]));
    TS_TRY(take(s, 1, true, &n.inputs[1]));
    if (n.input_count == 3) {
        TS_TRY(take(s, 2, false, &n.inputs[2]));
    }
    const ts_ftensor *x = tensor(s->im, n.inputs[0]), *w = tensor(s->im, n.inputs[1]);
    if (w->rank != x->rank) {
        return refuse(s, "input and weights have different ranks");
    }
    bool extended;
    TS_TRY(read_window(s, x, w->dims + 1, &n.window, &extended));
    int64_t groups;
    TS_TRY(attr_int(s, "group", 1, &groups));
    n.groups = groups < 1 || groups > UINT32_MAX ? 0 : (uint32_t)groups;
    return finish(s, &n, true);
}

static bool is(const site *s, const char *op) { return strcmp(s->node->op, op) == 0; }

static ts_status import_pool(const site *s) {
    ts_fnode n = {.op = is(s, "MaxPool") ? TS_FOP_MAX_POOL : TS_FOP_AVG_POOL, .input_count = 1};
    uint32_t kernel[2] = {0};
    int64_t count_pad;
    bool extended;
    TS_TRY(spatial_input(s, &n.inputs[0]));
    TS_TRY(attr_sizes(s, "kernel_shape", 0, tensor(s->im, n.inputs[0])->rank - 2, kernel));
    TS_TRY(attr_int(s, "count_include_pad", 0, &count_pad));
    TS_TRY(read_window(s, tensor(s->im, n.inputs[0]), kernel, &n.window, &extended));
    if (s->node->output_count > 1 && s->node->outputs[1] != TS_NONE &&
        s->im->net->values.data[s->node->outputs[1]].uses != 0) {
        return refuse(s, "indices of maxima are not served");
    }
    if (extended && count_pad != 0 && n.op == TS_FOP_AVG_POOL) {
        return refuse(s, "ceil_mode together with count_include_pad is not served");
    }
    n.count_pad = count_pad != 0;
    return finish(s, &n, true);
}

static ts_status import_global_pool(const site *s) {
    ts_fnode n = {.op = is(s, "GlobalMaxPool") ? TS_FOP_MAX_POOL : TS_FOP_AVG_POOL, .input_count = 1};
    TS_TRY(spatial_input(s, &n.inputs[0]));
    const ts_ftensor *x = tensor(s->im, n.inputs[0]);
    uint32_t h = x->rank == 4 ? x->dims[1] : 1, w = x->dims[x->rank - 2];
    n.window = (ts_window){h, w, h, w, 1, 1, 0, 0, 0, 0};
    return finish(s, &n, true);
}

static ts_status import_batch_norm(const site *s) {
    ts_fnode n = {.op = TS_FOP_BATCH_NORM, .input_count = 5};
    int64_t training;
    TS_TRY(attr_int(s, "training_mode", 0, &training));
    if (training != 0) {
        return refuse(s, "training mode is not served; export the network for inference");
    }
    TS_TRY(take(s, 0, true, &n.inputs[0]));
    for (uint32_t i = 1; i < 5; i++) {
        TS_TRY(take(s, i, false, &n.inputs[i]));
    }
    TS_TRY(attr_float(s, "epsilon", 1e-5, &n.epsilon));
    return finish(s, &n, true);
}

/* An element by element operator keeps the order in which its input is there. */
static ts_status keep_order(const site *s, uint32_t input, bool *last) {
    forms *f;
    TS_TRY(forms_of(s, input, &f));
    *last = f->last != TS_NONE;
    return TS_OK;
}

static ts_status finish_unary(const site *s, ts_fnode *n) {
    bool last;
    TS_TRY(keep_order(s, 0, &last));
    TS_TRY(take(s, 0, last, &n->inputs[0]));
    n->input_count = 1;
    return finish(s, n, last);
}

static ts_status import_unary(const site *s) {
    static const struct {
        const char *op;
        ts_fop code;
    } ops[] = {{"Relu", TS_FOP_RELU},
               {"LeakyRelu", TS_FOP_LEAKY_RELU},
               {"HardSwish", TS_FOP_HARD_SWISH},
               {"HardSigmoid", TS_FOP_HARD_SIGMOID},
               {"Sigmoid", TS_FOP_SIGMOID},
               {"Tanh", TS_FOP_TANH}};
    ts_fnode n = {.op = TS_FOP_RELU};
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) {
        n.op = is(s, ops[i].op) ? ops[i].code : n.op;
    }
    TS_TRY(attr_float(s, "alpha", n.op == TS_FOP_LEAKY_RELU ? 0.01 : 0.2, &n.alpha));
    TS_TRY(attr_float(s, "beta", 0.5, &n.beta));
    return finish_unary(s, &n);
}

/* A scalar that is an attribute in old files and input `input` in newer ones. */
static ts_status scalar(const site *s, uint32_t input, const char *name, double absent, float *out) {
    TS_TRY(attr_float(s, name, absent, out));
    if (input < s->node->input_count && s->node->inputs[input] != TS_NONE) {
        const ts_constant *c = ts__onnx_const_input(s->im->net, s->node, input);
        if (c == NULL || c->count != 1) {
            return refuse(s, "a bound or value is no constant number");
        }
        *out = (float)real_of(c, 0);
    }
    return TS_OK;
}

static ts_status import_clip(const site *s) {
    ts_fnode n = {.op = TS_FOP_CLIP};
    TS_TRY(scalar(s, 1, "min", (double)-INFINITY, &n.low));
    TS_TRY(scalar(s, 2, "max", (double)INFINITY, &n.high));
    return finish_unary(s, &n);
}

/* An operand of a broadcast with leading dimensions of 1 up to `rank`, in the wanted order. */
static ts_status operand(const site *s, uint32_t input, uint32_t rank, bool last, ts_tensor_id *out) {
    forms *f;
    TS_TRY(forms_of(s, input, &f));
    uint32_t own = rank_of(s->im, f);
    if (own == rank || !last) {
        return take(s, input, last, out);
    }
    ts_tensor_id flat;
    TS_TRY(take(s, input, false, &flat));
    const ts_ftensor *t = tensor(s->im, flat);
    if (ts_ftensor_elements(t) == 1) {
        *out = flat;
        return TS_OK;
    }
    ts_ftensor shape = {.rank = rank};
    uint32_t perm[TS_MAX_RANK];
    for (uint32_t d = 0; d < rank; d++) {
        shape.dims[d] = d < rank - own ? 1 : t->dims[d - (rank - own)];
        perm[d] = last_to_file(rank, d);
    }
    ts_fnode grow = {.op = TS_FOP_RESHAPE, .input_count = 1, .inputs = {flat}};
    ts_tensor_id grown;
    TS_TRY(emit(s, &grow, &shape, &grown));
    return transpose(s, grown, perm, out);
}

static ts_status import_binary(const site *s) {
    ts_fnode n = {.op = is(s, "Add")   ? TS_FOP_ADD
                        : is(s, "Sub") ? TS_FOP_SUB
                        : is(s, "Mul") ? TS_FOP_MUL
                                       : TS_FOP_DIV,
                  .input_count = 2};
    forms *a, *b;
    TS_TRY(forms_of(s, 0, &a));
    TS_TRY(forms_of(s, 1, &b));
    uint32_t ra = rank_of(s->im, a), rb = rank_of(s->im, b), rank = ra > rb ? ra : rb;
    bool last = has_order(rank) && ((ra == rank && a->last != TS_NONE) || (rb == rank && b->last != TS_NONE));
    TS_TRY(operand(s, 0, rank, last, &n.inputs[0]));
    TS_TRY(operand(s, 1, rank, last, &n.inputs[1]));
    return finish(s, &n, last);
}

/* Attribute `axis` as a dimension of the chosen order; may be negative in the file. */
static ts_status read_axis(const site *s, int64_t absent, uint32_t rank, bool last, uint32_t *out) {
    int64_t axis;
    TS_TRY(attr_int(s, "axis", absent, &axis));
    axis = axis < 0 ? axis + rank : axis;
    if (axis < 0 || axis >= rank) {
        return refuse(s, "axis outside the input's rank");
    }
    *out = last && has_order(rank) ? file_to_last(rank, (uint32_t)axis) : (uint32_t)axis;
    return TS_OK;
}

static ts_status import_concat(const site *s) {
    ts_fnode n = {.op = TS_FOP_CONCAT, .input_count = s->node->input_count};
    bool last = false;
    if (n.input_count > TS_MAX_INPUTS || n.input_count == 0) {
        return refuse(s, "concatenates none or more than 8 tensors");
    }
    for (uint32_t i = 0; i < n.input_count; i++) {
        bool one;
        TS_TRY(keep_order(s, i, &one));
        last = last || one;
    }
    for (uint32_t i = 0; i < n.input_count; i++) {
        TS_TRY(take(s, i, last, &n.inputs[i]));
    }
    TS_TRY(read_axis(s, 1, tensor(s->im, n.inputs[0])->rank, last, &n.axis));
    return finish(s, &n, last);
}

/* Until opset 13 softmax ran over all dimensions from the axis on. */
static ts_status import_softmax(const site *s) {
    bool old = s->im->net->opset < 13, last;
    ts_fnode n = {.op = TS_FOP_SOFTMAX, .input_count = 1};
    TS_TRY(keep_order(s, 0, &last));
    ts_tensor_id x;
    TS_TRY(take(s, 0, last, &x));
    ts_ftensor whole = *tensor(s->im, x);
    TS_TRY(read_axis(s, old ? 1 : -1, whole.rank, last && !old, &n.axis));
    if (!old || n.axis + 1 == whole.rank) {
        n.inputs[0] = x;
        return finish(s, &n, last);
    }
    ts_tensor_id flat, soft, out;
    TS_TRY(take(s, 0, false, &x));
    whole = *tensor(s->im, x);
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
    set_output(s, out, false);
    return TS_OK;
}

/* A short list of integers: an attribute in old files, input `input` in newer ones. */
static ts_status int_list(const site *s, uint32_t input, const char *name, const int64_t **out,
                          uint32_t *count) {
    TS_TRY(ts__onnx_attr_ints(s->im->net, s->node, name, out, count));
    if (input < s->node->input_count && s->node->inputs[input] != TS_NONE) {
        const ts_constant *c = ts__onnx_const_input(s->im->net, s->node, input);
        if (c == NULL || c->ints == NULL || c->count > 64) {
            return refuse(s, "a list of dimensions is no constant");
        }
        *out = c->ints;
        *count = (uint32_t)c->count;
    }
    return TS_OK;
}

static ts_status import_reduce_mean(const site *s) {
    ts_fnode n = {.op = TS_FOP_REDUCE_MEAN, .input_count = 1};
    const int64_t *axes;
    uint32_t count;
    int64_t keep;
    bool last;
    TS_TRY(int_list(s, 1, "axes", &axes, &count));
    TS_TRY(attr_int(s, "keepdims", 1, &keep));
    TS_TRY(keep_order(s, 0, &last));
    forms *f;
    TS_TRY(forms_of(s, 0, &f));
    uint32_t rank = rank_of(s->im, f);
    last = last && has_order(rank);
    n.keep_dims = keep != 0;
    /* Without kept dimensions the rest must come in file order: all of H and W is the one case that does. */
    bool spatial = false;
    for (uint32_t i = 0; i < count; i++) {
        int64_t axis = axes[i] < 0 ? axes[i] + rank : axes[i];
        if (axis < 0 || axis >= rank) {
            return refuse(s, "axis outside the input's rank");
        }
        n.axes |= 1u << axis;
    }
    n.axes = count == 0 ? (1u << rank) - 1 : n.axes;
    spatial = (rank == 4 && n.axes == 12) || (rank == 3 && n.axes == 4);
    last = last && (n.keep_dims || spatial);
    uint32_t mapped = 0;
    for (uint32_t d = 0; last && d < rank; d++) {
        mapped |= (n.axes >> d & 1) << file_to_last(rank, d);
    }
    n.axes = last ? mapped : n.axes;
    TS_TRY(take(s, 0, last, &n.inputs[0]));
    return finish(s, &n, last);
}

static ts_status import_pad(const site *s) {
    ts_fnode n = {.op = TS_FOP_PAD, .input_count = 1};
    const int64_t *pads;
    uint32_t count;
    bool last;
    const char *mode = ts__onnx_attr_text(s->im->net, s->node, "mode");
    TS_TRY(int_list(s, 1, "pads", &pads, &count));
    TS_TRY(scalar(s, 2, "value", 0.0, &n.alpha));
    TS_TRY(keep_order(s, 0, &last));
    TS_TRY(take(s, 0, last, &n.inputs[0]));
    uint32_t rank = tensor(s->im, n.inputs[0])->rank;
    if (count != 2 * rank) {
        return refuse(s, "pads has not two numbers a dimension");
    }
    for (uint32_t d = 0; d < rank; d++) {
        uint32_t to = last && has_order(rank) ? file_to_last(rank, d) : d;
        if (pads[d] < 0 || pads[rank + d] < 0 || pads[d] > 65535 || pads[rank + d] > 65535) {
            return refuse(s, "negative or absurdly large pads");
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

static ts_status import_reshape(const site *s) {
    ts_fnode n = {.op = TS_FOP_RESHAPE, .input_count = 1};
    TS_TRY(take(s, 0, false, &n.inputs[0]));
    ts_ftensor shape = {0};
    const ts_ftensor *x = tensor(s->im, n.inputs[0]);
    TS_TRY(ts__onnx_reshape(s->im->net, s->node, x->dims, x->rank, shape.dims, &shape.rank));
    ts_tensor_id out;
    TS_TRY(emit(s, &n, &shape, &out));
    set_output(s, out, false);
    return TS_OK;
}

static ts_status import_transpose(const site *s) {
    ts_tensor_id x, out;
    const int64_t *given;
    uint32_t count, perm[TS_MAX_RANK];
    TS_TRY(take(s, 0, false, &x));
    TS_TRY(ts__onnx_attr_ints(s->im->net, s->node, "perm", &given, &count));
    uint32_t rank = tensor(s->im, x)->rank, seen = 0;
    for (uint32_t d = 0; d < rank; d++) {
        int64_t from = count == 0 ? (int64_t)(rank - 1 - d) : d < count ? given[d] : -1;
        if (from < 0 || from >= rank || (seen >> from & 1) != 0) {
            return refuse(s, "perm is no permutation of the dimensions");
        }
        seen |= 1u << from;
        perm[d] = (uint32_t)from;
    }
    TS_TRY(transpose(s, x, perm, &out));
    set_output(s, out, false);
    return TS_OK;
}

static ts_status import_matrix(const site *s) {
    ts_fnode n = {.op = is(s, "Gemm") ? TS_FOP_GEMM : TS_FOP_MATMUL, .input_count = 2};
    int64_t a, b;
    TS_TRY(take(s, 0, false, &n.inputs[0]));
    TS_TRY(take(s, 1, false, &n.inputs[1]));
    if (n.op == TS_FOP_GEMM && s->node->input_count > 2 && s->node->inputs[2] != TS_NONE) {
        TS_TRY(take(s, 2, false, &n.inputs[2]));
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
static ts_status import_nothing(const site *s) {
    forms *f;
    TS_TRY(forms_of(s, 0, &f));
    s->im->values[s->node->outputs[0]] = *f;
    return TS_OK;
}

static ts_status import_dropout(const site *s) {
    const ts_constant *training = ts__onnx_const_input(s->im->net, s->node, 2);
    if (training != NULL && training->count == 1 && real_of(training, 0) != 0) {
        return refuse(s, "training mode is not served; export the network for inference");
    }
    return import_nothing(s);
}

static ts_status import_cast(const site *s) {
    int64_t to;
    TS_TRY(attr_int(s, "to", 1, &to));
    return to == ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT ? import_nothing(s)
                                                      : refuse(s, "activations are cast to float only");
}

static const struct {
    const char *op;
    ts_status (*import)(const site *);
} operators[] = {{"Add", import_binary},
                 {"AveragePool", import_pool},
                 {"BatchNormalization", import_batch_norm},
                 {"Cast", import_cast},
                 {"Clip", import_clip},
                 {"Concat", import_concat},
                 {"Conv", import_conv},
                 {"Div", import_binary},
                 {"Dropout", import_dropout},
                 {"Flatten", import_reshape},
                 {"Gemm", import_matrix},
                 {"GlobalAveragePool", import_global_pool},
                 {"GlobalMaxPool", import_global_pool},
                 {"HardSigmoid", import_unary},
                 {"HardSwish", import_unary},
                 {"Identity", import_nothing},
                 {"LeakyRelu", import_unary},
                 {"MatMul", import_matrix},
                 {"MaxPool", import_pool},
                 {"Mul", import_binary},
                 {"Pad", import_pad},
                 {"ReduceMean", import_reduce_mean},
                 {"Relu", import_unary},
                 {"Reshape", import_reshape},
                 {"Sigmoid", import_unary},
                 {"Softmax", import_softmax},
                 {"Squeeze", import_reshape},
                 {"Sub", import_binary},
                 {"Tanh", import_unary},
                 {"Transpose", import_transpose},
                 {"Unsqueeze", import_reshape}};

enum { OPERATOR_COUNT = sizeof operators / sizeof operators[0] };

const char *ts_float_model_operator(uint32_t index) {
    return index < OPERATOR_COUNT ? operators[index].op : NULL;
}

/* Shape of an activation as a constant, or the part [start, end) of it. */
static ts_status fold_shape(const site *s) {
    forms *f;
    int64_t from, to, sizes[TS_MAX_RANK];
    TS_TRY(forms_of(s, 0, &f));
    bool last = f->file == TS_NONE;
    const ts_ftensor *t = tensor(s->im, last ? f->last : f->file);
    int64_t rank = t->rank;
    TS_TRY(attr_int(s, "start", 0, &from));
    TS_TRY(attr_int(s, "end", rank, &to));
    from = from < 0 ? from + rank : from;
    to = to < 0 ? to + rank : to;
    from = from < 0 ? 0 : from;
    to = to > rank ? rank : to;
    uint32_t count = 0;
    for (int64_t d = from; d < to; d++) {
        sizes[count++] = t->dims[last ? file_to_last(t->rank, (uint32_t)d) : (uint32_t)d];
    }
    s->im->net->values.data[s->node->outputs[0]].constant =
        ts__constant_ints(s->im->net->scratch, sizes, count, false);
    return TS_OK;
}

/* A slice of a short list: what exporters cut out of shapes. */
static ts_status fold_slice(const site *s) {
    const ts_constant *x = ts__onnx_const_input(s->im->net, s->node, 0);
    const int64_t *starts, *ends, *steps;
    uint32_t a, b, c;
    TS_TRY(int_list(s, 1, "starts", &starts, &a));
    TS_TRY(int_list(s, 2, "ends", &ends, &b));
    TS_TRY(int_list(s, 4, "steps", &steps, &c));
    if (x->rank != 1 || x->ints == NULL || x->count > 64 || a != 1 || b != 1 || (c == 1 && steps[0] != 1) ||
        c > 1) {
        return refuse(s, "of constants, only short lists are sliced");
    }
    int64_t count = (int64_t)x->count, values[64];
    int64_t from = starts[0] < 0 ? starts[0] + count : starts[0],
            to = ends[0] < 0 ? ends[0] + count : ends[0];
    from = from < 0 ? 0 : from;
    to = to > count ? count : to;
    uint32_t kept = 0;
    for (int64_t i = from; i < to; i++) {
        values[kept++] = x->ints[i];
    }
    s->im->net->values.data[s->node->outputs[0]].constant =
        ts__constant_ints(s->im->net->scratch, values, kept, false);
    return TS_OK;
}

static bool all_small_constants(const site *s) {
    for (uint32_t i = 0; i < s->node->input_count; i++) {
        const ts_constant *c = ts__onnx_const_input(s->im->net, s->node, i);
        if (s->node->inputs[i] != TS_NONE && (c == NULL || c->count > 64)) {
            return false;
        }
    }
    return s->node->input_count > 0;
}

/* Integer arithmetic on constants is shape arithmetic; floats become nodes that are folded later. */
static ts_status import_node(const site *s) {
    const ts_constant *x = ts__onnx_const_input(s->im->net, s->node, 0);
    bool integer = x != NULL && x->integer_type && all_small_constants(s);
    bool folded = false;
    if (s->node->output_count == 0 || s->node->outputs[0] == TS_NONE) {
        return TS_OK;
    }
    if (is(s, "Shape")) {
        return fold_shape(s);
    }
    if (is(s, "Slice") && integer) {
        return fold_slice(s);
    }
    bool renames = x != NULL && (is(s, "Identity") || is(s, "Cast"));
    if (is(s, "Constant") || integer || renames) {
        TS_TRY(ts__onnx_fold(s->im->net, s->node, &folded));
        if (folded) {
            return TS_OK;
        }
    }
    for (uint32_t i = 0; i < OPERATOR_COUNT; i++) {
        if (is(s, operators[i].op)) {
            return operators[i].import(s);
        }
    }
    return refuse(s, "this operator is not served in float networks");
}

static ts_status bad_input(importer *im, const char *name, const char *what) {
    return ts_error(im->net->diags, TS_DIAG_SHAPE, NULL, NULL, "network input '%s' %s", name, what);
}

static ts_status add_input(importer *im, uint32_t v) {
    const ts_onnx_value *value = &im->net->values.data[v];
    const Onnx__TypeProto *type = value->input->type;
    const Onnx__TypeProto__Tensor *t = type == NULL ? NULL : type->tensor_type;
    if (t == NULL || t->shape == NULL || t->shape->n_dim > TS_MAX_RANK) {
        return bad_input(im, value->name, "has no shape, or one of more than 6 dimensions");
    }
    if (t->elem_type != ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT) {
        return bad_input(im, value->name, "is not of type float");
    }
    ts_ftensor input = {.name = ts_arena_strdup(im->graph->arena, value->name),
                        .rank = (uint32_t)t->shape->n_dim,
                        .producer = TS_NONE};
    uint64_t elements = 1;
    for (uint32_t d = 0; d < input.rank; d++) {
        const Onnx__TensorShapeProto__Dimension *dim = t->shape->dim[d];
        int64_t size =
            dim->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE ? dim->dim_value : 1;
        size = d == 0 && size < 1 ? 1 : size;
        if (size < 1 || size > TS_ONNX_MAX_DIM || elements * (uint64_t)size > TS_ONNX_MAX_ELEMENTS) {
            return bad_input(im, value->name, "has a dimension that is 0, negative or absurdly large");
        }
        elements *= (uint64_t)size;
        input.dims[d] = (uint32_t)size;
    }
    ts_tensor_id id = ts_fgraph_add_tensor(im->graph, &input);
    TS_PUSH(im->graph->arena, &im->graph->inputs, id);
    im->values[v].file = id;
    im->values[v].last = has_order(input.rank) ? TS_NONE : id;
    return TS_OK;
}

static ts_status decode_constants(importer *im) {
    for (uint32_t v = 0; v < im->net->values.count; v++) {
        ts_onnx_value *value = &im->net->values.data[v];
        im->values[v] = (forms){TS_NONE, TS_NONE};
        if (value->initializer != NULL && value->constant == NULL) {
            TS_TRY(ts__constant_decode(im->net, NULL, value->initializer, &value->constant));
        }
    }
    for (size_t i = 0; i < im->net->proto->n_input; i++) {
        uint32_t v = ts__onnx_find(im->net, im->net->proto->input[i]->name);
        const ts_onnx_value *value = &im->net->values.data[v];
        if (value->constant == NULL && value->uses != 0) {
            TS_TRY(add_input(im, v));
        }
    }
    return TS_OK;
}

static Onnx__TensorProto *unpack_tensor(ts_bytes file) {
    return onnx__tensor_proto__unpack(NULL, file.size, file.data);
}

/* Inputs that the caller gives as constants. */
static ts_status bind_constants(importer *im, const ts_float_model_options *options) {
    for (uint32_t i = 0; options != NULL && i < options->constant_count; i++) {
        Onnx__TensorProto *proto = unpack_tensor(options->constants[i]);
        ts_constant *c = NULL;
        ts_status status = proto == NULL ? ts_error(im->net->diags, TS_DIAG_SYNTAX, NULL, NULL,
                                                    "a constant given for an input is no TensorProto")
                                         : ts__constant_decode(im->net, NULL, proto, &c);
        if (status == TS_OK) {
            c->name = ts_arena_strdup(im->net->scratch, c->name);
            uint32_t v = ts__onnx_find(im->net, c->name);
            if (v != TS_NONE) {
                im->net->values.data[v].constant = c;
            }
        }
        onnx__tensor_proto__free_unpacked(proto, NULL);
        TS_TRY(status);
    }
    return TS_OK;
}

/* Removes node `index` and renumbers the producers behind it. */
static void drop_node(ts_fgraph *graph, uint32_t index) {
    for (uint32_t i = index; i + 1 < graph->nodes.count; i++) {
        graph->nodes.data[i] = graph->nodes.data[i + 1];
        graph->tensors.data[graph->nodes.data[i].output].producer = i;
    }
    graph->nodes.count--;
}

/* A network input whose only reader turns it to channels last is taken in that order. */
static void turn_inputs(importer *im) {
    ts_fgraph *g = im->graph;
    const uint32_t *uses = ts_fgraph_uses(g, im->net->scratch);
    for (uint32_t i = 0; i < g->inputs.count; i++) {
        ts_tensor_id id = g->inputs.data[i];
        for (uint32_t n = 0; n < g->nodes.count && uses[id] == 1; n++) {
            const ts_fnode *node = &g->nodes.data[n];
            uint32_t rank = g->tensors.data[id].rank;
            bool turns = node->op == TS_FOP_TRANSPOSE && node->inputs[0] == id && has_order(rank);
            for (uint32_t d = 0; turns && d < rank; d++) {
                turns = node->perm[d] == last_to_file(rank, d);
            }
            if (turns) {
                ts_tensor_id turned = node->output;
                g->tensors.data[turned].name = g->tensors.data[id].name;
                g->tensors.data[turned].producer = TS_NONE;
                g->tensors.data[turned].layout = TS_LAYOUT_CHANNELS_LAST;
                g->inputs.data[i] = turned;
                drop_node(g, n);
                break;
            }
        }
    }
}

static ts_status add_outputs(importer *im) {
    for (uint32_t i = 0; i < im->net->output_count; i++) {
        ts_onnx_node reader = {.name = "", .op = "output", .input_count = 1, .inputs = &im->net->outputs[i]};
        reader.name = im->net->values.data[im->net->outputs[i]].name;
        site s = {.im = im, .node = &reader};
        ts_tensor_id out;
        TS_TRY(take(&s, 0, false, &out));
        im->graph->tensors.data[out].name =
            im->graph->tensors.data[out].producer == TS_NONE
                ? im->graph->tensors.data[out].name
                : ts_arena_strdup(im->graph->arena, im->net->values.data[im->net->outputs[i]].name);
        TS_PUSH(im->graph->arena, &im->graph->outputs, out);
    }
    return TS_OK;
}

static ts_status import_graph(importer *im, ts_bytes file, const ts_float_model_options *options) {
    Onnx__ModelProto *model;
    TS_TRY(ts__onnx_unpack(im->net->scratch, file, &model, im->net->diags));
    TS_TRY(ts__onnx_load(im->net, model));
    if (im->net->opset < 7 || im->net->opset > 17) {
        ts_warn(im->net->diags, TS_DIAG_UNSUPPORTED, NULL, NULL,
                "opset %lld; operators are read as in opsets 7 to 17", (long long)im->net->opset);
    }
    im->values = TS_NEW_ARRAY(im->net->scratch, forms, im->net->values.count);
    TS_TRY(bind_constants(im, options));
    TS_TRY(decode_constants(im));
    for (uint32_t i = 0; i < im->net->order_count; i++) {
        site s = {.im = im, .node = &im->net->nodes[im->net->order[i]]};
        TS_TRY(import_node(&s));
    }
    TS_TRY(add_outputs(im));
    turn_inputs(im);
    return TS_OK;
}

static void release_arena(void *arena) { ts_arena_free(arena); }

ts_status ts_float_model_parse(ts_arena *arena, ts_bytes file, const char *name,
                               const ts_float_model_options *options, ts_fgraph **out, ts_diags *diags) {
    ts_arena *scratch = ts_arena_new("onnx", 0);
    ts_guard_defer(release_arena, scratch);
    ts_onnx net = {.arena = arena, .scratch = scratch, .diags = diags};
    net.work_left = 64 * (uint64_t)file.size + ((uint64_t)1 << 26);
    importer im = {.net = &net, .graph = ts_fgraph_new(arena, name)};
    ts_status status = import_graph(&im, file, options);
    *out = im.graph;
    ts_guard_undefer(scratch);
    ts_arena_free(scratch);
    return status;
}

ts_status ts_float_model_read(ts_arena *arena, const char *path, const ts_float_model_options *options,
                              ts_fgraph **out, ts_diags *diags) {
    ts_arena *bytes = ts_arena_new("model file", 0);
    ts_bytes file;
    ts_status status = ts_file_read(bytes, path, (size_t)1 << 30, &file, diags);
    if (status == TS_OK) {
        status = ts_float_model_parse(arena, file, ts_arena_strdup(arena, ts_path_base(path)), options, out,
                                      diags);
    }
    ts_arena_free(bytes);
    return status;
}

ts_status ts_tensor_proto_read(ts_arena *arena, ts_bytes file, ts_ftensor *out, ts_diags *diags) {
    Onnx__TensorProto *proto = unpack_tensor(file);
    if (proto == NULL) {
        return ts_error(diags, TS_DIAG_SYNTAX, NULL, NULL, "not a TensorProto");
    }
    ts_onnx net = {.arena = arena, .scratch = arena, .diags = diags, .work_left = (uint64_t)1 << 28};
    ts_constant *c;
    ts_status status = ts__constant_decode(&net, NULL, proto, &c);
    if (status == TS_OK) {
        float *data = TS_NEW_ARRAY(arena, float, c->count);
        for (uint64_t i = 0; i < c->count; i++) {
            data[i] = (float)real_of(c, i);
        }
        *out = (ts_ftensor){
            .name = ts_arena_strdup(arena, c->name), .rank = c->rank, .data = data, .producer = TS_NONE};
        memcpy(out->dims, c->dims, sizeof out->dims);
    }
    onnx__tensor_proto__free_unpacked(proto, NULL);
    return status;
}
