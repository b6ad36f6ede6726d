/* The verifier: what every stage after it may rely on. */
#include <math.h>
#include <string.h>

#include "ir/program.h"

/* Factors this small keep every product of a requantisation within 128 bits. */
#define MAX_FACTOR (INT64_C(1) << 40)
#define MAX_TERM   (INT64_C(1) << 62)

enum { MAX_WINDOW = 4096, MAX_ENDS = 256 };

typedef struct check {
    const ts_graph *graph;
    const ts_node *node;
    ts_diags *diags;
} check;

#define FAIL(c, code, ...) \
    ts_error((c)->diags, (code), (c)->node->name, ts_op_name((c)->node->op), __VA_ARGS__)

static const ts_tensor *tensor_at(const check *c, ts_tensor_id id) { return &c->graph->tensors.data[id]; }

/* ---- tensors ---- */

static ts_status check_shape(const ts_graph *graph, ts_tensor_id id, ts_diags *diags) {
    const ts_tensor *t = &graph->tensors.data[id];
    if (t->name == NULL || t->type >= TS_TYPE_COUNT || t->rank > TS_MAX_RANK) {
        return ts_error(diags, TS_DIAG_GRAPH, NULL, NULL, "tensor %u has no name, type or rank",
                        (unsigned)id);
    }
    for (uint32_t i = 0; i < t->rank; i++) {
        if (t->dims[i] == 0) {
            return ts_error(diags, TS_DIAG_SHAPE, NULL, NULL, "tensor '%s': dimension %u is 0", t->name,
                            (unsigned)i);
        }
    }
    uint64_t elements = ts_tensor_elements(t);
    if (elements > TS_MAX_ELEMENTS) {
        return ts_error(diags, TS_DIAG_LIMIT, NULL, NULL,
                        "tensor '%s' has %llu elements; at most %llu are served", t->name,
                        (unsigned long long)elements, (unsigned long long)TS_MAX_ELEMENTS);
    }
    return TS_OK;
}

static ts_status check_quantum(const ts_tensor *t, bool is_weights, ts_diags *diags) {
    const ts_quantum *q = &t->quantum;
    if (q->channels == 0) {
        return TS_OK;
    }
    uint32_t dim = t->rank == 0 ? 1 : is_weights ? t->dims[0] : t->dims[t->rank - 1];
    if ((q->channels != 1 && q->channels != dim) || q->scale == NULL || q->zero == NULL) {
        return ts_error(diags, TS_DIAG_GRAPH, NULL, NULL,
                        "tensor '%s' has %u quanta; 1 or one a channel (%u) would be right", t->name,
                        (unsigned)q->channels, (unsigned)dim);
    }
    for (uint32_t i = 0; i < q->channels; i++) {
        bool fits =
            t->type == TS_F32 || (q->zero[i] >= ts_type_low(t->type) && q->zero[i] <= ts_type_high(t->type));
        if (!isfinite(q->scale[i]) || q->scale[i] <= 0 || !fits) {
            return ts_error(diags, TS_DIAG_VALUE, NULL, NULL,
                            "tensor '%s': quantum %u has scale %g and zero point %d; a positive scale and a "
                            "zero point within %s would be right",
                            t->name, (unsigned)i, q->scale[i], (int)q->zero[i], ts_type_name(t->type));
        }
    }
    return TS_OK;
}

static ts_status check_constant(const ts_tensor *t, ts_diags *diags) {
    if (t->data == NULL || t->type == TS_F32) {
        return TS_OK;
    }
    uint64_t elements = ts_tensor_elements(t);
    int64_t low = ts_type_low(t->type), high = ts_type_high(t->type);
    for (uint64_t i = 0; i < elements; i++) {
        int32_t v = ts_tensor_int(t, i);
        if (v < low || v > high) {
            return ts_error(diags, TS_DIAG_VALUE, NULL, NULL, "constant '%s': value %d does not fit type %s",
                            t->name, (int)v, ts_type_name(t->type));
        }
    }
    return TS_OK;
}

static bool is_input(const ts_graph *graph, ts_tensor_id id) {
    for (uint32_t i = 0; i < graph->inputs.count; i++) {
        if (graph->inputs.data[i] == id) {
            return true;
        }
    }
    return false;
}

static ts_status check_tensors(const ts_graph *graph, ts_diags *diags) {
    uint64_t activations = 0;
    for (ts_tensor_id id = 0; id < graph->tensors.count; id++) {
        const ts_tensor *t = &graph->tensors.data[id];
        TS_TRY(check_shape(graph, id, diags));
        TS_TRY(check_quantum(t, t->data != NULL, diags));
        TS_TRY(check_constant(t, diags));
        bool written = t->producer != TS_NONE;
        if (written && (t->producer >= graph->nodes.count || t->data != NULL ||
                        graph->nodes.data[t->producer].output != id)) {
            return ts_error(diags, TS_DIAG_GRAPH, NULL, NULL, "tensor '%s' does not belong to its producer",
                            t->name);
        }
        if (t->data == NULL) {
            activations += ts_tensor_elements(t);
        }
        if (activations > TS_MAX_ACTIVATION_ELEMENTS) {
            return ts_error(diags, TS_DIAG_LIMIT, NULL, NULL,
                            "the activations together have more than %llu elements",
                            (unsigned long long)TS_MAX_ACTIVATION_ELEMENTS);
        }
    }
    return TS_OK;
}

static ts_status check_end_type(const ts_graph *graph, ts_tensor_id id, ts_diags *diags) {
    const ts_tensor *t = &graph->tensors.data[id];
    return t->type != TS_F32 ? TS_OK
                             : ts_error(diags, TS_DIAG_UNSUPPORTED, NULL, NULL,
                                        "'%s' is an input or output of floats; integers are served", t->name);
}

static ts_status check_ends(const ts_graph *graph, ts_diags *diags) {
    if (graph->inputs.count == 0 || graph->outputs.count == 0 || graph->nodes.count == 0) {
        return ts_error(diags, TS_DIAG_GRAPH, NULL, NULL,
                        "the network has no inputs, no outputs or no nodes");
    }
    if (graph->inputs.count > MAX_ENDS || graph->outputs.count > MAX_ENDS) {
        return ts_error(diags, TS_DIAG_LIMIT, NULL, NULL, "the network has more than %d inputs or outputs",
                        MAX_ENDS);
    }
    for (uint32_t i = 0; i < graph->inputs.count; i++) {
        ts_tensor_id id = graph->inputs.data[i];
        bool twice = false;
        for (uint32_t j = 0; j < i; j++) {
            twice = twice || graph->inputs.data[j] == id;
        }
        if (id >= graph->tensors.count || twice || graph->tensors.data[id].data != NULL ||
            graph->tensors.data[id].producer != TS_NONE) {
            return ts_error(diags, TS_DIAG_GRAPH, NULL, NULL, "network input %u is not an input tensor",
                            (unsigned)i);
        }
        TS_TRY(check_end_type(graph, id, diags));
    }
    for (uint32_t i = 0; i < graph->outputs.count; i++) {
        ts_tensor_id id = graph->outputs.data[i];
        if (id >= graph->tensors.count || graph->tensors.data[id].producer == TS_NONE) {
            return ts_error(diags, TS_DIAG_GRAPH, NULL, NULL, "network output %u is not computed by any node",
                            (unsigned)i);
        }
        TS_TRY(check_end_type(graph, id, diags));
    }
    return TS_OK;
}

/* ---- nodes ---- */

static const uint32_t op_inputs[] = {
#define ROW(id, name, inputs) inputs,
    TS_INTEGER_OPS(ROW)
#undef ROW
};
_Static_assert(sizeof op_inputs / sizeof op_inputs[0] == TS_OP_COUNT, "one row an operator");

/* Operators that compute on floats, too. */
static bool knows_floats(ts_op op) {
    return op == TS_OP_CONV || op == TS_OP_LINEAR || op == TS_OP_MAX_POOL || op == TS_OP_AVG_POOL ||
           op == TS_OP_FLOAT || ts_op_moves(op);
}

static ts_status check_activation(const check *c, ts_tensor_id id, const char *what) {
    const ts_tensor *t = tensor_at(c, id);
    bool floats = t->type == TS_F32;
    if (t->rank != 4 || t->dims[0] != 1 ||
        (floats && (!knows_floats(c->node->op) || t->quantum.channels > 0))) {
        return FAIL(c, TS_DIAG_SHAPE, "%s '%s' is not an integer tensor {1, H, W, C}", what, t->name);
    }
    if (t->type == TS_S32 && ts_tensor_zero(t) != 0) {
        return FAIL(c, TS_DIAG_UNSUPPORTED,
                    "%s '%s' has 32 bits and a zero point; 16 bits and fewer may have one", what, t->name);
    }
    if (t->quantum.channels > 1) {
        return FAIL(c, TS_DIAG_UNSUPPORTED, "%s '%s' has a quantum for each channel; activations have one",
                    what, t->name);
    }
    return TS_OK;
}

static ts_status check_input_count(const check *c) {
    const ts_node *node = c->node;
    uint32_t least = op_inputs[node->op], most = least;
    if (node->op == TS_OP_CONCAT || node->op == TS_OP_FLOAT) {
        least = node->op == TS_OP_CONCAT ? 2 : 1;
        most = node->op == TS_OP_CONCAT ? TS_MAX_INPUTS : 2;
    }
    if (node->input_count >= least && node->input_count <= most) {
        return TS_OK;
    }
    return least == most ? FAIL(c, TS_DIAG_GRAPH, "has %u inputs; %u would be right",
                                (unsigned)node->input_count, (unsigned)least)
                         : FAIL(c, TS_DIAG_GRAPH, "has %u inputs; %u to %u would be right",
                                (unsigned)node->input_count, (unsigned)least, (unsigned)most);
}

static ts_status check_inputs(const check *c, ts_node_id id) {
    const ts_node *node = c->node;
    TS_TRY(check_input_count(c));
    for (uint32_t i = 0; i < node->input_count; i++) {
        ts_tensor_id t = node->inputs[i];
        if (t >= c->graph->tensors.count) {
            return FAIL(c, TS_DIAG_GRAPH, "input %u is not a tensor", (unsigned)i);
        }
        ts_node_id producer = tensor_at(c, t)->producer;
        if (producer == TS_NONE ? !is_input(c->graph, t) : producer >= id) {
            return FAIL(c, TS_DIAG_GRAPH, "input '%s' is not computed before the node",
                        tensor_at(c, t)->name);
        }
        TS_TRY(check_activation(c, t, "input"));
    }
    if (node->output >= c->graph->tensors.count || tensor_at(c, node->output)->producer != id) {
        return FAIL(c, TS_DIAG_GRAPH, "output is not a tensor of its own");
    }
    return check_activation(c, node->output, "output");
}

static ts_status check_parameter(const check *c, ts_tensor_id id, const char *what, uint32_t rank,
                                 const uint32_t *dims) {
    if (id >= c->graph->tensors.count || tensor_at(c, id)->data == NULL) {
        return FAIL(c, TS_DIAG_GRAPH, "%s are not a constant tensor", what);
    }
    const ts_tensor *t = tensor_at(c, id);
    if (t->rank != rank || memcmp(t->dims, dims, rank * sizeof *dims) != 0) {
        ts_dims_buffer given, right;
        return FAIL(c, TS_DIAG_SHAPE, "%s have the shape %s; %s would be right", what,
                    ts_dims_text(&given, t->rank, t->dims), ts_dims_text(&right, rank, dims));
    }
    return TS_OK;
}

static bool is_finite(const ts_tensor *t) {
    uint64_t count = ts_tensor_elements(t);
    bool finite = t->type == TS_F32;
    for (uint64_t i = 0; finite && i < count; i++) {
        finite = isfinite(((const float *)t->data)[i]);
    }
    return finite;
}

/* Floats make floats, without a requantisation. */
static ts_status check_float_result(const check *c) {
    const ts_tensor *in = tensor_at(c, c->node->inputs[0]), *out = tensor_at(c, c->node->output);
    return (in->type == TS_F32) == (out->type == TS_F32) &&
                   (in->type != TS_F32 || c->node->requant.kind == TS_REQUANT_NONE)
               ? TS_OK
               : FAIL(c, TS_DIAG_UNSUPPORTED,
                      "makes %s of %s; floats of floats without a requantisation are served",
                      ts_type_name(out->type), ts_type_name(in->type));
}

static ts_status check_float_weights(const check *c, const uint32_t *dims) {
    ts_tensor_id bias = c->node->bias;
    if (bias != TS_NONE) {
        TS_TRY(check_parameter(c, bias, "biases", 1, dims));
    }
    return is_finite(tensor_at(c, c->node->weights)) && (bias == TS_NONE || is_finite(tensor_at(c, bias)))
               ? TS_OK
               : FAIL(c, TS_DIAG_VALUE, "its weights or biases are not finite floats, as its input is");
}

static ts_status check_weights(const check *c, uint32_t rank, const uint32_t *dims) {
    TS_TRY(check_float_result(c));
    TS_TRY(check_parameter(c, c->node->weights, "weights", rank, dims));
    const ts_tensor *weights = tensor_at(c, c->node->weights);
    if (tensor_at(c, c->node->inputs[0])->type == TS_F32) {
        return check_float_weights(c, dims);
    }
    if (!ts_type_is_signed(weights->type) || ts_type_bits(weights->type) > 16) {
        return FAIL(c, TS_DIAG_UNSUPPORTED, "weights have type %s; s16, s8, s4 and s2 are served",
                    ts_type_name(weights->type));
    }
    if (weights->type == TS_S16 && ts_weights_zero(weights) != 0) {
        return FAIL(c, TS_DIAG_UNSUPPORTED, "weights have 16 bits and a zero point; fewer bits may have one");
    }
    for (uint32_t i = 0; i < weights->quantum.channels; i++) {
        if (weights->quantum.zero[i] != 0 && weights->quantum.channels > 1) {
            return FAIL(c, TS_DIAG_UNSUPPORTED,
                        "weights have zero point %d in one channel; one for all is served",
                        (int)weights->quantum.zero[i]);
        }
    }
    if (c->node->bias == TS_NONE) {
        return TS_OK;
    }
    TS_TRY(check_parameter(c, c->node->bias, "biases", 1, dims));
    if (tensor_at(c, c->node->bias)->type != TS_S32) {
        return FAIL(c, TS_DIAG_UNSUPPORTED, "biases have type %s; s32 is served",
                    ts_type_name(tensor_at(c, c->node->bias)->type));
    }
    return TS_OK;
}

static ts_status check_window(const check *c) {
    const ts_window *w = &c->node->window;
    const ts_tensor *in = tensor_at(c, c->node->inputs[0]), *out = tensor_at(c, c->node->output);
    const uint32_t sizes[] = {w->kernel_h,   w->kernel_w, w->stride_h, w->stride_w,   w->dilation_h,
                              w->dilation_w, w->pad_top,  w->pad_left, w->pad_bottom, w->pad_right};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        if (sizes[i] > MAX_WINDOW) {
            return FAIL(c, TS_DIAG_LIMIT, "a kernel, stride, dilation or pad is %u; at most %d are served",
                        (unsigned)sizes[i], MAX_WINDOW);
        }
    }
    uint32_t h = ts_window_out(ts_h(in), w->kernel_h, w->stride_h, w->dilation_h, w->pad_top, w->pad_bottom);
    uint32_t v = ts_window_out(ts_w(in), w->kernel_w, w->stride_w, w->dilation_w, w->pad_left, w->pad_right);
    if (h == 0 || v == 0) {
        return FAIL(c, TS_DIAG_SHAPE, "a window of %u x %u does not fit its input of %u x %u",
                    (unsigned)w->kernel_h, (unsigned)w->kernel_w, (unsigned)ts_h(in), (unsigned)ts_w(in));
    }
    if (h != ts_h(out) || v != ts_w(out)) {
        return FAIL(c, TS_DIAG_SHAPE, "output is %u x %u; its window makes %u x %u", (unsigned)ts_h(out),
                    (unsigned)ts_w(out), (unsigned)h, (unsigned)v);
    }
    return TS_OK;
}

static ts_status check_conv(const check *c) {
    const ts_tensor *in = tensor_at(c, c->node->inputs[0]), *out = tensor_at(c, c->node->output);
    uint32_t groups = c->node->groups;
    if (groups == 0 || ts_c(in) % groups != 0 || ts_c(out) % groups != 0) {
        return FAIL(c, TS_DIAG_SHAPE, "%u groups do not divide %u input and %u output channels",
                    (unsigned)groups, (unsigned)ts_c(in), (unsigned)ts_c(out));
    }
    TS_TRY(check_window(c));
    const ts_window *w = &c->node->window;
    return check_weights(c, 4, (const uint32_t[]){ts_c(out), w->kernel_h, w->kernel_w, ts_c(in) / groups});
}

static ts_status check_linear(const check *c) {
    const ts_tensor *in = tensor_at(c, c->node->inputs[0]), *out = tensor_at(c, c->node->output);
    if (ts_h(out) != 1 || ts_w(out) != 1) {
        return FAIL(c, TS_DIAG_SHAPE, "output is %u x %u; a linear node makes 1 x 1", (unsigned)ts_h(out),
                    (unsigned)ts_w(out));
    }
    return check_weights(c, 2, (const uint32_t[]){ts_c(out), (uint32_t)ts_tensor_elements(in)});
}

static ts_status check_same_shape(const check *c) {
    const ts_tensor *out = tensor_at(c, c->node->output);
    for (uint32_t i = 0; i < c->node->input_count; i++) {
        const ts_tensor *in = tensor_at(c, c->node->inputs[i]);
        if (memcmp(in->dims, out->dims, 4 * sizeof in->dims[0]) != 0) {
            ts_dims_buffer a, b;
            return FAIL(c, TS_DIAG_SHAPE,
                        "input '%s' has the shape %s, the output %s; equal shapes are served", in->name,
                        ts_dims_text(&a, 4, in->dims), ts_dims_text(&b, 4, out->dims));
        }
    }
    return TS_OK;
}

static ts_status check_matmul(const check *c) {
    const ts_tensor *a = tensor_at(c, c->node->inputs[0]), *b = tensor_at(c, c->node->inputs[1]);
    const ts_tensor *out = tensor_at(c, c->node->output);
    ts_dims_buffer first, second;
    if (ts_c(a) != ts_c(b) || (ts_h(b) != 1 && ts_h(b) != ts_h(a))) {
        return FAIL(
            c, TS_DIAG_SHAPE,
            "multiplies the shapes %s and %s; the first size of the second, or 1, and equal last sizes "
            "would be right",
            ts_dims_text(&first, 4, a->dims), ts_dims_text(&second, 4, b->dims));
    }
    const uint32_t right[] = {1, ts_h(a), ts_w(a), ts_w(b)};
    if (memcmp(out->dims, right, sizeof right) != 0) {
        return FAIL(c, TS_DIAG_SHAPE, "output has the shape %s; %s would be right",
                    ts_dims_text(&first, 4, out->dims), ts_dims_text(&second, 4, right));
    }
    if (ts_type_bits(a->type) != 8 || ts_type_bits(b->type) != 8) {
        return FAIL(c, TS_DIAG_UNSUPPORTED, "multiplies the types %s and %s; u8 and s8 are served",
                    ts_type_name(a->type), ts_type_name(b->type));
    }
    return TS_OK;
}

static ts_status check_step(const check *c, const ts_add_step *step, const char *name) {
    if (step->div <= 0 || step->div > MAX_TERM || step->mul < -MAX_FACTOR || step->mul > MAX_FACTOR ||
        step->add < -MAX_TERM || step->add > MAX_TERM || step->low > step->high) {
        return FAIL(c, TS_DIAG_VALUE, "step %s: (v * %lld + %lld) / %lld in [%d, %d] is out of bounds", name,
                    (long long)step->mul, (long long)step->add, (long long)step->div, (int)step->low,
                    (int)step->high);
    }
    return TS_OK;
}

static ts_status check_add(const check *c) {
    TS_TRY(check_same_shape(c));
    TS_TRY(check_step(c, &c->node->in1, "in1"));
    TS_TRY(check_step(c, &c->node->in2, "in2"));
    return check_step(c, &c->node->sum, "sum");
}

static ts_status check_pool(const check *c) {
    const ts_tensor *in = tensor_at(c, c->node->inputs[0]), *out = tensor_at(c, c->node->output);
    if (ts_c(in) != ts_c(out)) {
        return FAIL(c, TS_DIAG_SHAPE, "pooling makes %u channels of %u", (unsigned)ts_c(out),
                    (unsigned)ts_c(in));
    }
    TS_TRY(check_float_result(c));
    return check_window(c);
}

/* ---- tables, softmax, and what moves elements ---- */

static ts_status check_lut(const check *c) {
    const ts_tensor *in = tensor_at(c, c->node->inputs[0]), *out = tensor_at(c, c->node->output);
    TS_TRY(check_same_shape(c));
    if (ts_type_bits(in->type) > 8 || ts_type_bits(out->type) > 8) {
        return FAIL(c, TS_DIAG_UNSUPPORTED, "has types %s and %s; a table is served for 8 bits and fewer",
                    ts_type_name(in->type), ts_type_name(out->type));
    }
    TS_TRY(check_parameter(c, c->node->weights, "table entries", 1,
                           (const uint32_t[]){1u << ts_type_bits(in->type)}));
    if (tensor_at(c, c->node->weights)->type != out->type) {
        return FAIL(c, TS_DIAG_UNSUPPORTED, "table has type %s; that of the output, %s, would be right",
                    ts_type_name(tensor_at(c, c->node->weights)->type), ts_type_name(out->type));
    }
    return TS_OK;
}

/* Terms of 31 bits: their sum, and levels times each, fit 32. */
static ts_status check_ibert(const check *c) {
    enum { MOST_LEVELS = 256, MOST_LOG2 = 1 << 16, MOST_A = 1 << 20 };
    const ts_softmax *s = &c->node->softmax;
    uint32_t channels = ts_c(tensor_at(c, c->node->inputs[0]));
    bool fits = s->levels >= 2 && s->levels <= MOST_LEVELS && s->log2 >= 1 && s->log2 <= MOST_LOG2 &&
                s->a >= 0 && s->a <= MOST_A && s->b > -MOST_LOG2 && s->b < MOST_LOG2 && s->c >= 0 &&
                channels < MOST_LOG2;
    int64_t most = 0; /* with |z log2 - d + b| < 2^17 no term passes 2^55 */
    for (int32_t d = 0; fits && d < 256; d++) {
        int64_t term = ts_softmax_term(s, d);
        most = term > most ? term : most;
    }
    fits = fits && ts_softmax_term(s, 0) >= 1 && most <= UINT32_MAX / MOST_LEVELS &&
           most * channels <= UINT32_MAX;
    return fits ? TS_OK
                : FAIL(c, TS_DIAG_VALUE,
                       "a %d, b %d, c %d, log2 %d, %d levels of %u channels are out of bounds, or its terms "
                       "pass 24 bits or their sum 32",
                       (int)s->a, (int)s->b, (int)s->c, (int)s->log2, (int)s->levels, (unsigned)channels);
}

static ts_status check_softmax(const check *c) {
    const ts_tensor *in = tensor_at(c, c->node->inputs[0]), *out = tensor_at(c, c->node->output);
    const ts_softmax *s = &c->node->softmax;
    TS_TRY(check_same_shape(c));
    if (ts_type_bits(in->type) != 8 || ts_type_bits(out->type) != 8) {
        return FAIL(c, TS_DIAG_UNSUPPORTED, "has types %s and %s; 8 bits are served", ts_type_name(in->type),
                    ts_type_name(out->type));
    }
    if (s->kind >= TS_SOFTMAX_KIND_COUNT) {
        return FAIL(c, TS_DIAG_GRAPH, "is a softmax of no known kind");
    }
    if (s->kind != TS_SOFTMAX_TFLITE) {
        return s->kind == TS_SOFTMAX_IBERT ? check_ibert(c)
               : ts_c(in) <= UINT16_MAX    ? TS_OK
                                           : FAIL(c, TS_DIAG_LIMIT, "has %u channels; at most %d are served",
                                                  (unsigned)ts_c(in), UINT16_MAX);
    }
    bool fits = s->multiplier >= 0 && s->shift >= 0 && s->shift <= 30 && s->diff_min <= 0 &&
                s->diff_min >= -(INT64_C(1) << 31 >> s->shift) && ts_c(in) < MAX_WINDOW;
    if (!fits) {
        return FAIL(c, TS_DIAG_VALUE,
                    "multiplier %d, shift %d, least difference %d of %u channels are out of bounds",
                    (int)s->multiplier, (int)s->shift, (int)s->diff_min, (unsigned)ts_c(in));
    }
    return TS_OK;
}

/* Sums of squares, products and what the bias makes of quotients fit 32 bits. */
static ts_status check_norm(const check *c) {
    enum { MOST_CHANNELS = 32767, MOST_VALUE = 255 };
    const ts_tensor *in = tensor_at(c, c->node->inputs[0]), *out = tensor_at(c, c->node->output);
    const ts_norm *n = &c->node->norm;
    const uint32_t channels = ts_c(in);
    TS_TRY(check_same_shape(c));
    if (ts_type_bits(in->type) != 8 || ts_type_bits(out->type) != 8) {
        return FAIL(c, TS_DIAG_UNSUPPORTED, "has types %s and %s; 8 bits are served", ts_type_name(in->type),
                    ts_type_name(out->type));
    }
    TS_TRY(check_parameter(c, c->node->weights, "weights", 1, &channels));
    bool has_bias = c->node->bias != TS_NONE;
    if (has_bias) {
        TS_TRY(check_parameter(c, c->node->bias, "biases", 1, &channels));
    }
    const ts_tensor *weights = tensor_at(c, c->node->weights);
    if (weights->type != TS_S32 || (has_bias && tensor_at(c, c->node->bias)->type != TS_S32)) {
        return FAIL(c, TS_DIAG_UNSUPPORTED, "its weights and biases have not type s32");
    }
    if (n->shift > 31 || n->low > n->high || n->low < ts_type_low(out->type) ||
        n->high > ts_type_high(out->type) || channels > MOST_CHANNELS) {
        return FAIL(c, TS_DIAG_VALUE, "shift %u, clip [%d, %d] or %u channels are out of bounds",
                    (unsigned)n->shift, (int)n->low, (int)n->high, (unsigned)channels);
    }
    for (uint32_t i = 0; i < channels; i++) {
        int64_t w = ts_tensor_int(weights, i),
                b = has_bias ? ts_tensor_int(tensor_at(c, c->node->bias), i) : 0;
        int64_t most = (w < 0 ? -w : w) * MOST_VALUE;
        if (most > INT32_MAX || most + (b < 0 ? -b : b) > INT32_MAX) {
            return FAIL(c, TS_DIAG_VALUE, "weight %lld and bias %lld of channel %u reach beyond 32 bits",
                        (long long)w, (long long)b, (unsigned)i);
        }
    }
    return TS_OK;
}

static ts_status check_float(const check *c) {
    const ts_tensor *out = tensor_at(c, c->node->output);
    ts_tensor_id id = c->node->weights;
    TS_TRY(check_same_shape(c));
    for (uint32_t i = 0; i < c->node->input_count; i++) {
        ts_type type = tensor_at(c, c->node->inputs[i])->type;
        if (ts_type_bits(type) < 8 || (out->type != TS_U8 && out->type != TS_S8 && out->type != TS_F32)) {
            return FAIL(c, TS_DIAG_UNSUPPORTED,
                        "has types %s and %s; 8 bits and more into 8 bits or floats are served",
                        ts_type_name(type), ts_type_name(out->type));
        }
    }
    if (ts_c(out) > UINT16_MAX) {
        return FAIL(c, TS_DIAG_LIMIT, "has %u channels; at most %d are served", (unsigned)ts_c(out),
                    UINT16_MAX);
    }
    if (id >= c->graph->tensors.count || tensor_at(c, id)->data == NULL || tensor_at(c, id)->rank != 1 ||
        tensor_at(c, id)->type != TS_S32) {
        return FAIL(c, TS_DIAG_GRAPH, "its program is not a constant list of s32");
    }
    return ts_program_verify(c->graph, c->node, c->diags);
}

static ts_status check_concat(const check *c) {
    const ts_tensor *out = tensor_at(c, c->node->output);
    uint32_t axis = c->node->move.axis + 1;
    uint64_t sum = 0;
    if (axis > 3) {
        return FAIL(c, TS_DIAG_SHAPE, "joins axis %u; 0, 1 and 2 (rows, columns, channels) are served",
                    (unsigned)(axis - 1));
    }
    for (uint32_t i = 0; i < c->node->input_count; i++) {
        const ts_tensor *in = tensor_at(c, c->node->inputs[i]);
        for (uint32_t d = 1; d < 4; d++) {
            if (d != axis && in->dims[d] != out->dims[d]) {
                ts_dims_buffer a, b;
                return FAIL(c, TS_DIAG_SHAPE, "input '%s' has the shape %s and does not fit the output's %s",
                            in->name, ts_dims_text(&a, 4, in->dims), ts_dims_text(&b, 4, out->dims));
            }
        }
        sum += in->dims[axis];
    }
    return sum == out->dims[axis]
               ? TS_OK
               : FAIL(c, TS_DIAG_SHAPE, "output has %u along its axis; its inputs have %llu",
                      (unsigned)out->dims[axis], (unsigned long long)sum);
}

/* Sizes of the output along one axis. */
static bool axis_fits(const ts_node *node, const ts_tensor *in, const ts_tensor *out, uint32_t i) {
    uint32_t x = in->dims[1 + i], y = out->dims[1 + i], begin = node->move.begin[i];
    switch (node->op) {
        case TS_OP_PAD:
            return begin <= y && y - begin >= x;
        case TS_OP_SLICE: {
            uint32_t step = node->move.step[i];
            return step >= 1 && begin + (uint64_t)(y - 1) * step < x;
        }
        case TS_OP_TRANSPOSE:
            return node->move.order[i] < 3 && y == in->dims[1 + node->move.order[i]];
        case TS_OP_RESIZE:
            return y % x == 0 && (i < 2 || y == x || ts_type_bits(in->type) >= 8);
        default:
            return true;
    }
}

/* An index for each element of the output along the axis, inside the input; the other sizes stay. */
static ts_status check_pick(const check *c) {
    enum { MOST_PICKED = 4096 };
    const ts_tensor *in = tensor_at(c, c->node->inputs[0]), *out = tensor_at(c, c->node->output);
    ts_tensor_id id = c->node->weights;
    uint32_t axis = c->node->move.axis + 1;
    if (axis > 3 || id >= c->graph->tensors.count || tensor_at(c, id)->data == NULL ||
        tensor_at(c, id)->rank != 1 || tensor_at(c, id)->type != TS_S32 ||
        tensor_at(c, id)->dims[0] != out->dims[axis] || out->dims[axis] > MOST_PICKED) {
        return FAIL(
            c, TS_DIAG_GRAPH,
            "has not a constant list of s32 with an index for each element along axis 0, 1 or 2, up to %d",
            MOST_PICKED);
    }
    bool fits = true;
    for (uint32_t d = 1; d < 4; d++) {
        fits = fits && (d == axis || in->dims[d] == out->dims[d]);
    }
    for (uint32_t i = 0; fits && i < out->dims[axis]; i++) {
        int32_t index = ts_tensor_int(tensor_at(c, id), i);
        fits = index >= 0 && (uint32_t)index < in->dims[axis];
    }
    return fits ? TS_OK
                : FAIL(c, TS_DIAG_SHAPE, "picks what its input has not, or changes another axis than %u",
                       (unsigned)(axis - 1));
}

static ts_status check_axes(const check *c) {
    const ts_tensor *in = tensor_at(c, c->node->inputs[0]), *out = tensor_at(c, c->node->output);
    const uint32_t *order = c->node->move.order;
    bool fits = c->node->op != TS_OP_TRANSPOSE ||
                (order[0] != order[1] && order[1] != order[2] && order[0] != order[2]);
    for (uint32_t i = 0; i < 3; i++) {
        fits = fits && axis_fits(c->node, in, out, i);
    }
    if (c->node->op == TS_OP_RESHAPE) {
        fits = ts_tensor_elements(in) == ts_tensor_elements(out);
    }
    if (c->node->op == TS_OP_PAD) {
        fits = fits && c->node->move.fill >= ts_type_low(out->type) &&
               c->node->move.fill <= ts_type_high(out->type);
    }
    ts_dims_buffer a, b;
    return fits ? TS_OK
                : FAIL(c, TS_DIAG_SHAPE, "does not make the shape %s of %s with these parameters",
                       ts_dims_text(&a, 4, out->dims), ts_dims_text(&b, 4, in->dims));
}

/* Elements move as they are. Elements of 4 and 2 bits share bytes: every pixel must be whole bytes, and
 * channels stay together. */
static ts_status check_move(const check *c) {
    const ts_tensor *out = tensor_at(c, c->node->output);
    const ts_move *m = &c->node->move;
    uint32_t per_byte = ts_type_bits(out->type) < 8 ? 8 / ts_type_bits(out->type) : 1;
    bool whole = ts_c(out) % per_byte == 0;
    for (uint32_t i = 0; i < c->node->input_count; i++) {
        const ts_tensor *in = tensor_at(c, c->node->inputs[i]);
        whole = whole && ts_c(in) % per_byte == 0;
        if (in->type != out->type || ts_tensor_zero(in) != ts_tensor_zero(out)) {
            return FAIL(c, TS_DIAG_UNSUPPORTED,
                        "input '%s' has type %s and zero point %d, the output %s and %d; equal ones are "
                        "served, a requantisation before it would be right",
                        in->name, ts_type_name(in->type), (int)ts_tensor_zero(in), ts_type_name(out->type),
                        (int)ts_tensor_zero(out));
        }
    }
    TS_TRY(c->node->op == TS_OP_CONCAT ? check_concat(c)
           : c->node->op == TS_OP_PICK ? check_pick(c)
                                       : check_axes(c));
    whole = whole && (c->node->op != TS_OP_PICK || m->axis != 2);
    whole = whole &&
            (c->node->op != TS_OP_PAD && c->node->op != TS_OP_SLICE ? true : m->begin[2] % per_byte == 0);
    whole = whole && (c->node->op != TS_OP_SLICE || m->step[2] == 1);
    whole = whole && (c->node->op != TS_OP_TRANSPOSE || m->order[2] == 2);
    return per_byte == 1 || whole
               ? TS_OK
               : FAIL(c, TS_DIAG_UNSUPPORTED,
                      "moves channels of %u bits that do not fill whole bytes; 8 bits would be right",
                      (unsigned)ts_type_bits(out->type));
}

/* ---- requantisation and ranges ---- */

static ts_status check_nemo(const check *c) {
    const ts_requant *r = &c->node->requant;
    if (r->kappa == NULL || r->lambda == NULL || r->d <= 0 || r->d > MAX_TERM || r->m < -MAX_FACTOR ||
        r->m > MAX_FACTOR) {
        return FAIL(c, TS_DIAG_VALUE, "requantisation with m = %lld, D = %lld is out of bounds",
                    (long long)r->m, (long long)r->d);
    }
    for (uint32_t i = 0; i < r->channels; i++) {
        if (r->kappa[i] < -MAX_FACTOR || r->kappa[i] > MAX_FACTOR || r->lambda[i] < -MAX_TERM ||
            r->lambda[i] > MAX_TERM) {
            return FAIL(c, TS_DIAG_VALUE, "kappa %lld or lambda %lld of channel %u is out of bounds",
                        (long long)r->kappa[i], (long long)r->lambda[i], (unsigned)i);
        }
    }
    return TS_OK;
}

static ts_status check_tflite(const check *c) {
    const ts_requant *r = &c->node->requant;
    if (r->multiplier == NULL || r->shift == NULL) {
        return FAIL(c, TS_DIAG_GRAPH, "requantisation lacks its multipliers or shifts");
    }
    for (uint32_t i = 0; i < r->channels; i++) {
        if (r->multiplier[i] < 0 || r->shift[i] < -31 || r->shift[i] > 30) {
            return FAIL(c, TS_DIAG_VALUE, "multiplier %d or shift %d of channel %u is out of bounds",
                        (int)r->multiplier[i], (int)r->shift[i], (unsigned)i);
        }
    }
    return TS_OK;
}

static ts_status check_requant(const check *c) {
    const ts_requant *r = &c->node->requant;
    const ts_tensor *out = tensor_at(c, c->node->output);
    if (r->kind > TS_REQUANT_TFLITE) {
        return FAIL(c, TS_DIAG_GRAPH, "requantisation is of no known kind");
    }
    if (r->kind == TS_REQUANT_NONE) {
        return TS_OK;
    }
    if (r->channels != 1 && r->channels != ts_c(out)) {
        return FAIL(c, TS_DIAG_SHAPE, "requantisation has %u channels; 1 or %u would be right",
                    (unsigned)r->channels, (unsigned)ts_c(out));
    }
    if (r->low > r->high || r->low < ts_type_low(out->type) || r->high > ts_type_high(out->type)) {
        return FAIL(c, TS_DIAG_VALUE, "clip [%d, %d] does not fit the output's type %s", (int)r->low,
                    (int)r->high, ts_type_name(out->type));
    }
    return r->kind == TS_REQUANT_NEMO ? check_nemo(c) : check_tflite(c);
}

static ts_status check_range(const check *c, uint32_t channel) {
    const ts_requant *r = &c->node->requant;
    ts_type type = r->kind == TS_REQUANT_NONE ? tensor_at(c, c->node->output)->type : TS_S32;
    int64_t low, high;
    ts_node_acc_range(c->graph, c->node, channel, &low, &high);
    if (ts_node_is_wide(c->graph, c->node)) {
        return low > -TS_WIDE_ACC && high < TS_WIDE_ACC
                   ? TS_OK
                   : FAIL(c, TS_DIAG_VALUE, "channel %u reaches [%lld, %lld]; accumulators have 48 bits",
                          (unsigned)channel, (long long)low, (long long)high);
    }
    if (low < ts_type_low(type) || high > ts_type_high(type)) {
        return FAIL(c, TS_DIAG_VALUE, "channel %u reaches [%lld, %lld]; type %s holds [%lld, %lld]",
                    (unsigned)channel, (long long)low, (long long)high, ts_type_name(type),
                    (long long)ts_type_low(type), (long long)ts_type_high(type));
    }
    int32_t left = r->kind != TS_REQUANT_TFLITE ? 0 : r->shift[r->channels == 1 ? 0 : channel];
    if (left > 0 && (low < INT32_MIN >> left || high > INT32_MAX >> left)) {
        return FAIL(c, TS_DIAG_VALUE,
                    "channel %u reaches [%lld, %lld], which a shift of %d takes past 32 bits",
                    (unsigned)channel, (long long)low, (long long)high, (int)left);
    }
    return TS_OK;
}

static ts_status check_operator(const check *c) {
    switch (c->node->op) {
        case TS_OP_CONV:
            return check_conv(c);
        case TS_OP_LINEAR:
            return check_linear(c);
        case TS_OP_ADD:
            return check_add(c);
        case TS_OP_MAX_POOL:
        case TS_OP_AVG_POOL:
            return check_pool(c);
        case TS_OP_REQUANT:
        case TS_OP_MUL:
            return check_same_shape(c);
        case TS_OP_MATMUL:
            return check_matmul(c);
        case TS_OP_LUT:
            return check_lut(c);
        case TS_OP_SOFTMAX:
            return check_softmax(c);
        case TS_OP_NORM:
            return check_norm(c);
        case TS_OP_FLOAT:
            return check_float(c);
        case TS_OP_CONCAT:
        case TS_OP_PAD:
        case TS_OP_SLICE:
        case TS_OP_TRANSPOSE:
        case TS_OP_RESIZE:
        case TS_OP_PICK:
        case TS_OP_RESHAPE:
            return check_move(c);
        default:
            return FAIL(c, TS_DIAG_GRAPH, "is not an integer operator");
    }
}

static ts_status check_node(const ts_graph *graph, ts_node_id id, ts_diags *diags) {
    check c = {.graph = graph, .node = &graph->nodes.data[id], .diags = diags};
    if (c.node->name == NULL || c.node->op >= TS_OP_COUNT) {
        return ts_error(diags, TS_DIAG_GRAPH, NULL, NULL, "node %u has no name or operator", (unsigned)id);
    }
    TS_TRY(check_inputs(&c, id));
    TS_TRY(check_operator(&c));
    TS_TRY(check_requant(&c));
    if (ts_op_moves(c.node->op) || c.node->op == TS_OP_LUT || c.node->op == TS_OP_SOFTMAX ||
        c.node->op == TS_OP_NORM || c.node->op == TS_OP_FLOAT) {
        return c.node->requant.kind == TS_REQUANT_NONE
                   ? TS_OK
                   : FAIL(&c, TS_DIAG_GRAPH, "has a requantisation; its results are final");
    }
    if (tensor_at(&c, c.node->output)->type == TS_F32) {
        return TS_OK;
    }
    uint32_t channels = ts_c(tensor_at(&c, c.node->output));
    bool by_channel = c.node->op == TS_OP_CONV || c.node->op == TS_OP_LINEAR ||
                      (c.node->requant.kind == TS_REQUANT_TFLITE && c.node->requant.channels > 1);
    for (uint32_t channel = 0; channel < (by_channel ? channels : 1); channel++) {
        TS_TRY(check_range(&c, channel));
    }
    return TS_OK;
}

ts_status ts_graph_verify(const ts_graph *graph, ts_diags *diags) {
    TS_TRY(check_tensors(graph, diags));
    TS_TRY(check_ends(graph, diags));
    ts_status status = TS_OK;
    for (ts_node_id id = 0; id < graph->nodes.count; id++) {
        ts_status result = check_node(graph, id, diags);
        status = status == TS_OK ? result : status;
    }
    return status;
}
