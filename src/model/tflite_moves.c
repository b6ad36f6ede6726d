/* Operators of TensorFlow Lite that move elements. Reshapes, paddings and transpositions are put off: a layer
 * that reads its input flat needs no reshape, a convolution takes the padding before it, and a mean over rows
 * and columns does not care in which order they are. */
#include <math.h>
#include <string.h>

#include "model/tflite_internal.h"

enum { MAX_PAD = 4096 };

/* ---- what was put off ---- */

static bool is_unread_input(const tfl *t, ts_tensor_id tensor) {
    bool read = t->graph->tensors.data[tensor].producer != TS_NONE;
    for (ts_node_id i = 0; i < t->graph->nodes.count && !read; i++) {
        const ts_node *node = &t->graph->nodes.data[i];
        for (uint32_t k = 0; k < node->input_count; k++) {
            read = read || node->inputs[k] == tensor;
        }
    }
    return !read;
}

/* Adds a node that makes a map of `dims` of the tensor `from`; all else as in that tensor. */
static ts_tensor_id moved(tfl *t, const tfl_op *o, ts_node node, ts_tensor_id from, const uint32_t dims[4],
                          const char *what) {
    ts_tensor tensor = t->graph->tensors.data[from];
    memcpy(tensor.dims, dims, 4 * sizeof *dims);
    tensor.name = ts_arena_printf(t->arena, "%s.%s", o->name, what);
    tensor.producer = TS_NONE;
    node.name = tensor.name;
    node.file_index = o->index;
    node.input_count = 1;
    node.inputs[0] = from;
    node.bias = TS_NONE;
    node.output = ts_graph_add_tensor(t->graph, &tensor);
    ts_graph_add_node(t->graph, &node);
    return node.output;
}

static void settle_turn(tfl *t, const tfl_op *o, tfl_tensor *x) {
    const uint32_t *in = ts__tfl_value_of(t, x)->dims;
    const uint32_t dims[4] = {1, in[1 + x->order[0]], in[1 + x->order[1]], in[1 + x->order[2]]};
    ts_node node = {.op = TS_OP_TRANSPOSE};
    memcpy(node.move.order, x->order, sizeof x->order);
    x->tensor = moved(t, o, node, x->tensor, dims, "transpose");
    x->turned = false;
}

/* A reshaped input of the network takes the shape in which its first layer reads it. */
static ts_status settle_shape(tfl *t, const tfl_op *o, tfl_tensor *x) {
    uint32_t dims[4];
    if (x->turned) {
        settle_turn(t, o, x);
    }
    ts_tensor *in = &t->graph->tensors.data[x->tensor];
    if (!ts__tfl_map_dims(x, dims)) {
        return TFL_FAIL(TS_DIAG_SHAPE, "tensor '%s' has not a batch of 1 and up to 4 dimensions", x->name);
    }
    if (memcmp(in->dims, dims, sizeof dims) == 0) {
        return TS_OK;
    }
    if (is_unread_input(t, x->tensor)) {
        memcpy(in->dims, dims, sizeof dims);
        return TS_OK;
    }
    x->tensor = moved(t, o, (ts_node){.op = TS_OP_RESHAPE}, x->tensor, dims, "reshape");
    return TS_OK;
}

static bool is_padded(const tfl_tensor *x) {
    return (x->pads[0] | x->pads[1] | x->pads[2] | x->pads[3]) != 0;
}

ts_status ts__tfl_settle_pads(tfl *t, const tfl_op *o, tfl_tensor *x) {
    uint32_t dims[4];
    TS_TRY(ts__tfl_is_spread(t, o, x));
    if (x->turned) {
        settle_turn(t, o, x);
    }
    if (!is_padded(x)) {
        return TS_OK;
    }
    TS_TRY(settle_shape(t, o, x));
    memcpy(dims, ts__tfl_value_of(t, x)->dims, sizeof dims);
    dims[1] += x->pads[0] + x->pads[2];
    dims[2] += x->pads[1] + x->pads[3];
    ts_node node = {.op = TS_OP_PAD,
                    .move = {.begin = {x->pads[0], x->pads[1], 0}, .fill = ts__tfl_zero_of(x)}};
    x->tensor = moved(t, o, node, x->tensor, dims, "pad");
    x->dims[1] = dims[1];
    x->dims[2] = dims[2];
    x->elements = (uint64_t)dims[1] * dims[2] * dims[3];
    memset(x->pads, 0, sizeof x->pads);
    return TS_OK;
}

ts_status ts__tfl_shape_at(tfl *t, const tfl_op *o, uint32_t i, tfl_tensor **out) {
    TS_TRY(ts__tfl_activation_at(t, o, i, out));
    return settle_shape(t, o, *out);
}

ts_status ts__tfl_settle(tfl *t, const tfl_op *o, tfl_tensor *x) {
    TS_TRY(settle_shape(t, o, x));
    return ts__tfl_settle_pads(t, o, x);
}

ts_status ts__tfl_map_at(tfl *t, const tfl_op *o, uint32_t i, tfl_tensor **out) {
    TS_TRY(ts__tfl_activation_at(t, o, i, out));
    return ts__tfl_settle(t, o, *out);
}

ts_status ts__tfl_broadcast(tfl *t, const tfl_op *o, const tfl_tensor *x, const uint32_t dims[4],
                            ts_tensor_id *out) {
    const ts_tensor in = *ts__tfl_value_of(t, x);
    *out = x->tensor;
    if (memcmp(in.dims, dims, 4 * sizeof *dims) == 0) {
        return TS_OK;
    }
    for (uint32_t i = 0; i < 4; i++) {
        if (in.dims[i] != dims[i] && in.dims[i] != 1) {
            return TFL_FAIL(TS_DIAG_SHAPE, "tensor '%s' does not broadcast to the output's shape", x->name);
        }
    }
    *out = moved(t, o, (ts_node){.op = TS_OP_RESIZE}, x->tensor, dims, "broadcast");
    return TS_OK;
}

ts_tensor_id ts__tfl_reshaped(tfl *t, const tfl_op *o, ts_tensor_id from, const uint32_t dims[4]) {
    return moved(t, o, (ts_node){.op = TS_OP_RESHAPE}, from, dims, "rows");
}

void ts__tfl_copy(tfl *t, const tfl_op *o, tfl_tensor *x) {
    uint32_t dims[4];
    memcpy(dims, ts__tfl_value_of(t, x)->dims, sizeof dims);
    x->tensor = moved(t, o, (ts_node){.op = TS_OP_RESHAPE}, x->tensor, dims, "copy");
}

/* ---- operators ---- */

bool ts__tfl_one_quantum(const tfl_tensor *x, const tfl_tensor *y) {
    return x->type == y->type && ts__tfl_zero_of(x) == ts__tfl_zero_of(y) && y->scales.count == 1 &&
           ts__tfl_scale_of(x, 0) == ts__tfl_scale_of(y, 0);
}

/* Its quantum has to be the output's: elements move as they are. */
static ts_status same_quantum(tfl *t, const tfl_op *o, const tfl_tensor *x, const tfl_tensor *y) {
    return ts__tfl_one_quantum(x, y)
               ? TS_OK
               : TFL_FAIL(TS_DIAG_UNSUPPORTED, "its output has another quantum than its input");
}

ts_status ts__tfl_reshape(tfl *t, const tfl_op *o) {
    tfl_tensor *x, *y;
    TS_TRY(ts__tfl_activation_at(t, o, 0, &x));
    TS_TRY(ts__tfl_output_of(t, o, &y));
    if (x->spread != NULL) {
        TS_TRY(same_quantum(t, o, x, y));
        y->tensor = x->tensor;
        return ts__tfl_spread_reshape(t, o, x, y);
    }
    TS_TRY(ts__tfl_settle_pads(t, o, x));
    if (x->elements != y->elements || x->type != y->type) {
        return TFL_FAIL(TS_DIAG_SHAPE, "the number of elements would change");
    }
    TS_TRY(same_quantum(t, o, x, y));
    y->tensor = x->tensor;
    return TS_OK;
}

/* What the padding adds before and behind each axis of the file; of the batch, nothing. */
static ts_status read_pads(tfl *t, const tfl_op *o, const tfl_tensor *x, uint32_t before[3],
                           uint32_t behind[3]) {
    ts_flat_vector p;
    TS_TRY(ts__tfl_numbers_at(t, o, 1, 2 * TS_MAX_RANK, &p));
    memset(before, 0, 3 * sizeof *before);
    memset(behind, 0, 3 * sizeof *behind);
    for (uint32_t i = 0; i < p.count; i++) {
        int32_t pad = ts__flat_i32(p, i);
        uint32_t axis = ts__tfl_axis(x, i / 2);
        if (p.count != 2 * x->rank || pad < 0 || pad > MAX_PAD || (axis == TS_NONE && pad != 0)) {
            return TFL_FAIL(TS_DIAG_UNSUPPORTED, "paddings of rows, columns and channels up to %d are served",
                            MAX_PAD);
        }
        if (axis != TS_NONE) {
            *(i % 2 == 0 ? &before[axis] : &behind[axis]) = (uint32_t)pad;
        }
    }
    return TS_OK;
}

/* Padding of channels, and with another number than 0, is done at once. */
static ts_status pad_now(tfl *t, const tfl_op *o, tfl_tensor *x, tfl_tensor *y, const uint32_t before[3],
                         int32_t fill) {
    ts_tensor_id output;
    TS_TRY(ts__tfl_map_at(t, o, 0, &x));
    TS_TRY(ts__tfl_new_activation(t, o, y, &output));
    ts_node node = ts__tfl_new_node(t, o, TS_OP_PAD, x);
    memcpy(node.move.begin, before, sizeof node.move.begin);
    node.move.fill = fill;
    ts__tfl_add_node(t, &node, y, output);
    return TS_OK;
}

/* The code that PADV2 pads with, input 2, in the quantum of x; of PAD, that of 0. */
static ts_status fill_of(tfl *t, const tfl_op *o, const tfl_tensor *x, int32_t *fill) {
    const tfl_tensor *value = ts__tfl_tensor_at(t, o->inputs, 2);
    *fill = ts__tfl_zero_of(x);
    if (o->inputs.count < 3) {
        return TS_OK;
    }
    if (value == NULL || value->data.count != 1 || value->elements != 1 || !ts__tfl_is_8_bits(value) ||
        value->scales.count != 1 || !ts__tfl_one_quantum(value, x)) {
        return TFL_FAIL(TS_DIAG_UNSUPPORTED,
                        "a constant number of its input's quantum is served to pad with");
    }
    *fill = value->type == TYPE_UINT8 ? value->data.data[0] : (int8_t)value->data.data[0];
    return TS_OK;
}

ts_status ts__tfl_pad(tfl *t, const tfl_op *o) {
    tfl_tensor *x, *y;
    uint32_t before[3], behind[3];
    int32_t fill;
    TS_TRY(ts__tfl_shape_at(t, o, 0, &x));
    TS_TRY(ts__tfl_is_spread(t, o, x));
    TS_TRY(ts__tfl_output_of(t, o, &y));
    TS_TRY(read_pads(t, o, x, before, behind));
    TS_TRY(same_quantum(t, o, x, y));
    TS_TRY(fill_of(t, o, x, &fill));
    if (x->rank != 4 || before[2] != 0 || behind[2] != 0 || fill != ts__tfl_zero_of(x)) {
        return pad_now(t, o, x, y, before, fill);
    }
    y->tensor = x->tensor;
    for (uint32_t i = 0; i < 4; i++) { /* top, left, bottom, right */
        y->pads[i] = x->pads[i] + (i < 2 ? before : behind)[i % 2];
        if (y->pads[i] > MAX_PAD) {
            return TFL_FAIL(TS_DIAG_LIMIT, "more than %d rows or columns of padding", MAX_PAD);
        }
    }
    /* What reads it sees the shape before the padding; the pads stand beside it. */
    memcpy(y->dims, x->dims, sizeof y->dims);
    y->elements = x->elements;
    return TS_OK;
}

/* A tensor whose quantum is another than the output's, as uint8 files have: requantised first, in float, as
 * the reference's ConcatenationWithScaling does. */
typedef struct rescaling {
    float scale, bias;
    int32_t zero, low, high;
} rescaling;

static int32_t rescaled(const void *context, int32_t x) {
    const rescaling *r = context;
    float value = (float)x * r->scale + r->bias;
    int32_t y = (int32_t)(value < 0 ? value - 0.5f : value + 0.5f) + r->zero;
    return y < r->low ? r->low : y > r->high ? r->high : y;
}

static ts_status rescale(tfl *t, const tfl_op *o, const tfl_tensor *x, const tfl_tensor *y,
                         ts_tensor_id *out) {
    tfl_tensor between = *x; /* x with the quantum of y */
    between.scales = y->scales;
    between.zeros = y->zeros;
    between.tensor = TS_NONE;
    between.name = ts_arena_printf(t->arena, "%s.rescaled", x->name);
    float inverse = 1.0f / ts__tfl_scale_of(y, 0), scale = ts__tfl_scale_of(x, 0) * inverse;
    rescaling r = {.scale = scale,
                   .bias = -(float)ts__tfl_zero_of(x) * scale,
                   .zero = ts__tfl_zero_of(y),
                   .low = ts__tfl_low(y),
                   .high = ts__tfl_high(y)};
    if (!(scale > 0) || scale > 1e6f) {
        return TFL_FAIL(TS_DIAG_VALUE, "its scales are too far apart");
    }
    const tfl_op named = {.name = between.name, .op = o->op, .index = o->index};
    TS_TRY(ts__tfl_add_table(t, &named, x, &between, rescaled, &r));
    *out = between.tensor;
    return TS_OK;
}

ts_status ts__tfl_concat(tfl *t, const tfl_op *o) {
    tfl_tensor *x, *y;
    ts_tensor_id output;
    TS_TRY(ts__tfl_output_of(t, o, &y));
    uint32_t axis = ts__tfl_axis(y, ts__flat_int(&t->flat, o->options, 0, 4, 0));
    if (axis == TS_NONE || o->inputs.count < 1 || o->inputs.count > TS_MAX_INPUTS) {
        return TFL_FAIL(TS_DIAG_UNSUPPORTED,
                        "1 to %d tensors along rows, columns or channels are served, not %u", TS_MAX_INPUTS,
                        o->inputs.count);
    }
    ts_node node = {.name = ts_arena_strdup(t->arena, o->name),
                    .file_index = o->index,
                    .op = TS_OP_CONCAT,
                    .input_count = o->inputs.count,
                    .weights = TS_NONE,
                    .bias = TS_NONE,
                    .move = {.axis = axis}};
    for (uint32_t i = 0; i < o->inputs.count; i++) {
        TS_TRY(ts__tfl_map_at(t, o, i, &x));
        node.inputs[i] = x->tensor;
        bool same =
            ts__tfl_scale_of(x, 0) == ts__tfl_scale_of(y, 0) && ts__tfl_zero_of(x) == ts__tfl_zero_of(y);
        if (x->type != y->type || y->scales.count != 1) {
            return TFL_FAIL(TS_DIAG_UNSUPPORTED, "inputs and output have not one type");
        }
        if (!same) {
            TS_TRY(rescale(t, o, x, y, &node.inputs[i]));
        }
    }
    if (o->inputs.count == 1) {
        y->tensor = node.inputs[0];
        return TS_OK;
    }
    TS_TRY(ts__tfl_new_activation(t, o, y, &output));
    ts__tfl_add_node(t, &node, y, output);
    return TS_OK;
}

/* Tensors of one shape, one behind the other along a new axis. */
ts_status ts__tfl_pack(tfl *t, const tfl_op *o) {
    tfl_tensor *x, *y;
    uint32_t dims[4];
    ts_tensor_id output;
    TS_TRY(ts__tfl_output_of(t, o, &y));
    if (o->inputs.count == 1) {
        return ts__tfl_reshape(t, o);
    }
    uint32_t axis = ts__tfl_axis(y, ts__flat_int(&t->flat, o->options, 1, 4, 0)), count = o->inputs.count;
    if (axis == TS_NONE || count < 1 || count > TS_MAX_INPUTS || !ts__tfl_map_dims(y, dims) ||
        dims[1 + axis] != count) {
        return TFL_FAIL(TS_DIAG_UNSUPPORTED,
                        "1 to %d tensors along a new axis of rows, columns or channels are served, not %u",
                        TS_MAX_INPUTS, count);
    }
    ts_node node = {.name = ts_arena_strdup(t->arena, o->name),
                    .file_index = o->index,
                    .op = TS_OP_CONCAT,
                    .input_count = count,
                    .weights = TS_NONE,
                    .bias = TS_NONE,
                    .move = {.axis = axis}};
    dims[1 + axis] = 1;
    for (uint32_t i = 0; i < count; i++) {
        TS_TRY(ts__tfl_map_at(t, o, i, &x));
        TS_TRY(same_quantum(t, o, x, y));
        if (x->elements * count != y->elements) {
            return TFL_FAIL(TS_DIAG_SHAPE, "its parts have not the shape of its output without an axis");
        }
        bool fits = memcmp(ts__tfl_value_of(t, x)->dims, dims, sizeof dims) == 0;
        const tfl_op part = {.name = ts_arena_printf(t->arena, "%s.%u", o->name, i), .index = o->index};
        node.inputs[i] = fits ? x->tensor : ts__tfl_reshaped(t, &part, x->tensor, dims);
    }
    TS_TRY(ts__tfl_new_activation(t, o, y, &output));
    ts__tfl_add_node(t, &node, y, output);
    return TS_OK;
}

ts_status ts__tfl_transpose(tfl *t, const tfl_op *o) {
    tfl_tensor *x, *y;
    ts_flat_vector perm;
    uint32_t seen = 0;
    TS_TRY(ts__tfl_map_at(t, o, 0, &x));
    TS_TRY(ts__tfl_numbers_at(t, o, 1, TS_MAX_RANK, &perm));
    TS_TRY(ts__tfl_output_of(t, o, &y));
    TS_TRY(same_quantum(t, o, x, y));
    uint32_t order[3] = {0, 1, 2}, last = 0;
    bool moves = false; /* an axis of more than one element passes another one */
    const ts_tensor *in = ts__tfl_value_of(t, x);
    for (uint32_t i = 0; i < perm.count; i++) {
        uint32_t to = ts__tfl_axis(x, i), from = ts__tfl_axis(x, ts__flat_i32(perm, i));
        if (perm.count != x->rank || ts__flat_i32(perm, i) < 0 || (to == TS_NONE) != (from == TS_NONE)) {
            return TFL_FAIL(TS_DIAG_UNSUPPORTED,
                            "a permutation that leaves the batch in its place is served");
        }
        if (to != TS_NONE) {
            seen |= 1u << from;
            order[to] = from;
            bool counts = in->dims[1 + from] > 1;
            moves = moves || (counts && from < last);
            last = counts ? from : last;
        }
    }
    for (uint32_t i = 0; i + x->rank < 3; i++) {
        seen |= 1u << i;
    }
    if (seen != 7) {
        return TFL_FAIL(TS_DIAG_MALFORMED, "its permutation names an axis twice");
    }
    y->tensor = x->tensor;
    y->turned = moves; /* otherwise the elements keep their order */
    memcpy(y->order, order, sizeof order);
    return TS_OK;
}

/* y = x[begin + i step], its shape that of y in the file. */
static ts_status add_slice(tfl *t, const tfl_op *o, const tfl_tensor *x, tfl_tensor *y,
                           const uint32_t begin[3], const uint32_t step[3], const uint32_t size[3]) {
    ts_tensor_id output;
    TS_TRY(same_quantum(t, o, x, y));
    if (y->elements != (uint64_t)size[0] * size[1] * size[2]) {
        return TFL_FAIL(TS_DIAG_SHAPE, "its output has another shape than its slice");
    }
    TS_TRY(ts__tfl_new_activation(t, o, y, &output));
    uint32_t *dims = t->graph->tensors.data[output].dims;
    memcpy(dims + 1, size, 3 * sizeof *size);
    ts_node node = ts__tfl_new_node(t, o, TS_OP_SLICE, x);
    memcpy(node.move.begin, begin, sizeof node.move.begin);
    memcpy(node.move.step, step, sizeof node.move.step);
    ts__tfl_add_node(t, &node, y, output);
    return TS_OK;
}

tfl_op ts__tfl_part(tfl *t, const tfl_op *o, uint32_t i) {
    tfl_op part = *o;
    part.outputs = (ts_flat_vector){1, o->outputs.data + 4 * (size_t)i};
    const tfl_tensor *y = ts__tfl_tensor_at(t, part.outputs, 0);
    part.name =
        y != NULL && *y->name != '\0' ? y->name : ts_arena_printf(t->arena, "%s.%u", o->name, (unsigned)i);
    return part;
}

/* Parts of x along an axis, one an output, whose sizes are those of the outputs. */
static ts_status split_along(tfl *t, const tfl_op *o, tfl_tensor *x, int64_t file_axis) {
    static const uint32_t step[3] = {1, 1, 1};
    uint32_t axis = ts__tfl_axis(x, file_axis), begin[3] = {0, 0, 0}, size[3];
    const ts_tensor in = *ts__tfl_value_of(t, x);
    if (axis == TS_NONE || o->outputs.count > MAX_PARTS) {
        return TFL_FAIL(TS_DIAG_UNSUPPORTED,
                        "a split along rows, columns or channels into up to %d is served", MAX_PARTS);
    }
    memcpy(size, in.dims + 1, sizeof size);
    for (uint32_t i = 0; i < o->outputs.count; i++) {
        const tfl_op part = ts__tfl_part(t, o, i);
        tfl_tensor *y;
        TS_TRY(ts__tfl_output_of(t, &part, &y));
        uint64_t others = (uint64_t)in.dims[1] * in.dims[2] * in.dims[3] / in.dims[1 + axis];
        size[axis] = (uint32_t)(y->elements / others);
        if (size[axis] == 0 || size[axis] > in.dims[1 + axis] - begin[axis]) {
            return TFL_FAIL(TS_DIAG_SHAPE, "its parts are more than the whole");
        }
        TS_TRY(add_slice(t, &part, x, y, begin, step, size));
        begin[axis] += size[axis];
    }
    return begin[axis] == in.dims[1 + axis] ? TS_OK
                                            : TFL_FAIL(TS_DIAG_SHAPE, "its parts are less than the whole");
}

ts_status ts__tfl_split(tfl *t, const tfl_op *o) {
    tfl_tensor *x;
    ts_flat_vector axis;
    TS_TRY(ts__tfl_numbers_at(t, o, 0, 1, &axis));
    TS_TRY(ts__tfl_map_at(t, o, 1, &x));
    return split_along(t, o, x, ts__flat_i32(axis, 0));
}

ts_status ts__tfl_split_v(tfl *t, const tfl_op *o) {
    tfl_tensor *x;
    ts_flat_vector axis;
    TS_TRY(ts__tfl_map_at(t, o, 0, &x));
    TS_TRY(ts__tfl_numbers_at(t, o, 2, 1, &axis));
    return split_along(t, o, x, ts__flat_i32(axis, 0));
}

/* Slices of one element of an axis, which is dropped. */
ts_status ts__tfl_unpack(tfl *t, const tfl_op *o) {
    tfl_tensor *x;
    if (o->outputs.count == 1) {
        return ts__tfl_reshape(t, o);
    }
    TS_TRY(ts__tfl_map_at(t, o, 0, &x));
    return split_along(t, o, x, ts__flat_int(&t->flat, o->options, 1, 4, 0));
}

static ts_status check_ranges(tfl *t, const tfl_op *o, const tfl_tensor *x, const tfl_range *ranges) {
    for (uint32_t i = 0; i < x->rank; i++) {
        const tfl_range *r = &ranges[i];
        bool inside = r->begin >= 0 && r->step != 0 && r->step >= -INT32_MAX && r->step <= INT32_MAX &&
                      r->count >= 1 && r->begin < x->dims[i] && r->count <= x->dims[i];
        int64_t last = inside ? r->begin + (r->count - 1) * r->step : -1;
        if (last < 0 || last >= x->dims[i]) {
            return TFL_FAIL(TS_DIAG_UNSUPPORTED,
                            "a slice of axis %u from %lld, %lld steps of %lld, is not served", i,
                            (long long)r->begin, (long long)r->count, (long long)r->step);
        }
    }
    return TS_OK;
}

/* ---- picks ---- */

enum { MAX_PICKED = 4096 };

/* Adds a node that picks `count` elements of `from` along an axis, by an index each; its result is y where
 * that is given, else `what` ends its name. */
static ts_status add_pick(tfl *t, const tfl_op *o, ts_tensor_id from, uint32_t axis, const int32_t *indices,
                          uint32_t count, tfl_tensor *y, const char *what, ts_tensor_id *out) {
    uint32_t dims[4];
    if (count > MAX_PICKED) {
        return TFL_FAIL(TS_DIAG_LIMIT, "picks %u elements of an axis one by one; up to %d are served", count,
                        MAX_PICKED);
    }
    const char *name =
        y != NULL ? ts_arena_strdup(t->arena, o->name) : ts_arena_printf(t->arena, "%s.%s", o->name, what);
    const ts_tensor list = {.name = ts_arena_printf(t->arena, "%s.indices", name),
                            .type = TS_S32,
                            .rank = 1,
                            .dims = {count},
                            .data = ts_arena_copy(t->arena, indices, count * sizeof *indices),
                            .producer = TS_NONE};
    ts_node node = {.op = TS_OP_PICK, .move.axis = axis};
    node.weights = ts_graph_add_tensor(t->graph, &list);
    memcpy(dims, t->graph->tensors.data[from].dims, sizeof dims);
    dims[1 + axis] = count;
    if (y == NULL) {
        *out = moved(t, o, node, from, dims, what);
        return TS_OK;
    }
    TS_TRY(ts__tfl_new_activation(t, o, y, out));
    memcpy(t->graph->tensors.data[*out].dims, dims, sizeof dims);
    node.name = name;
    node.file_index = o->index;
    node.input_count = 1;
    node.inputs[0] = from;
    node.bias = TS_NONE;
    ts__tfl_add_node(t, &node, y, *out);
    return TS_OK;
}

/* Axes `back` (a bit each) backwards, behind a slice that takes their elements forwards. */
static ts_status slice_backwards(tfl *t, const tfl_op *o, const tfl_tensor *x, tfl_tensor *y, ts_move move,
                                 const uint32_t size[3], uint32_t back) {
    static const char *const names[3] = {"rows", "columns", "channels"};
    int32_t indices[MAX_PICKED];
    const uint32_t dims[4] = {1, size[0], size[1], size[2]};
    ts_tensor_id at = x->tensor;
    TS_TRY(same_quantum(t, o, x, y));
    if (y->elements != (uint64_t)size[0] * size[1] * size[2]) {
        return TFL_FAIL(TS_DIAG_SHAPE, "its output has another shape than its slice");
    }
    if (memcmp(ts__tfl_value_of(t, x)->dims, dims, sizeof dims) != 0) {
        at = moved(t, o, (ts_node){.op = TS_OP_SLICE, .move = move}, at, dims, "slice");
    }
    for (uint32_t i = 0; i < 3; i++) {
        if (!(back >> i & 1)) {
            continue;
        }
        for (uint32_t k = 0; k < size[i] && k < MAX_PICKED; k++) {
            indices[k] = (int32_t)(size[i] - 1 - k);
        }
        bool last = back >> (i + 1) == 0;
        TS_TRY(add_pick(t, o, at, i, indices, size[i], last ? y : NULL, names[i], &at));
    }
    return TS_OK;
}

/* Ranges of all axes of the file as those of rows, columns and channels. */
static ts_status slice_map(tfl *t, const tfl_op *o, const tfl_tensor *x, const tfl_range *ranges) {
    tfl_tensor *y;
    ts_move move = {.step = {1, 1, 1}};
    uint32_t size[3] = {1, 1, 1}, back = 0;
    TS_TRY(ts__tfl_output_of(t, o, &y));
    for (uint32_t i = 0; i < x->rank; i++) {
        const tfl_range *r = &ranges[i];
        uint32_t axis = ts__tfl_axis(x, i);
        if (axis != TS_NONE) {
            bool turns = r->step < 0 && r->count > 1;
            move.begin[axis] = (uint32_t)(turns ? r->begin + (r->count - 1) * r->step : r->begin);
            move.step[axis] = (uint32_t)(r->step < 0 ? -r->step : r->step);
            size[axis] = (uint32_t)r->count;
            back |= (uint32_t)turns << axis;
        }
    }
    return back == 0 ? add_slice(t, o, x, y, move.begin, move.step, size)
                     : slice_backwards(t, o, x, y, move, size, back);
}

ts_status ts__tfl_slice_ranges(tfl *t, const tfl_op *o, const tfl_tensor *x, tfl_range ranges[TS_MAX_RANK]) {
    ts_flat_vector begins, sizes;
    TS_TRY(ts__tfl_numbers_at(t, o, 1, TS_MAX_RANK, &begins));
    TS_TRY(ts__tfl_numbers_at(t, o, 2, TS_MAX_RANK, &sizes));
    if (begins.count != x->rank || sizes.count != x->rank) {
        return TFL_FAIL(TS_DIAG_SHAPE, "it names %u and %u axes of %u", begins.count, sizes.count, x->rank);
    }
    for (uint32_t i = 0; i < x->rank; i++) {
        int64_t begin = ts__flat_i32(begins, i), size = ts__flat_i32(sizes, i);
        ranges[i] = (tfl_range){begin, 1, size == -1 ? (int64_t)x->dims[i] - begin : size};
    }
    return check_ranges(t, o, x, ranges);
}

/* ---- STRIDED_SLICE ----
 *
 * Source: BuildStridedSliceParams of TensorFlow Lite's kernels/strided_slice.cc, and StridedSliceStartForAxis
 * and StridedSliceEndForAxis of kernels/internal/strided_slice_logic.h. */

enum { BEGIN_MASK, END_MASK, ELLIPSIS_MASK, NEW_AXIS_MASK, SHRINK_AXIS_MASK, MASKS, OFFSET = 5 };

typedef struct strided {
    ts_flat_vector list[3]; /* begins, ends, steps: one each for what the file's specification names */
    uint32_t masks[MASKS];  /* a bit each of the specification */
    bool offset;            /* ends are counted from begins */
} strided;

static ts_status read_strided(tfl *t, const tfl_op *o, strided *s) {
    for (uint32_t i = 0; i < 3; i++) {
        TS_TRY(ts__tfl_numbers_at(t, o, 1 + i, TS_MAX_RANK, &s->list[i]));
    }
    for (uint32_t i = 0; i < MASKS; i++) {
        s->masks[i] = (uint32_t)ts__flat_int(&t->flat, o->options, i, 4, 0);
    }
    s->offset = ts__flat_int(&t->flat, o->options, OFFSET, 1, 0) != 0;
    return s->list[1].count == s->list[0].count && s->list[2].count == s->list[0].count
               ? TS_OK
               : TFL_FAIL(TS_DIAG_SHAPE, "it names %u begins, %u ends and %u steps", s->list[0].count,
                          s->list[1].count, s->list[2].count);
}

static bool masked(const strided *s, uint32_t mask, uint32_t i) {
    return i < TS_MAX_RANK && (s->masks[mask] >> i & 1) != 0;
}

static int64_t clamped(int64_t v, int64_t low, int64_t high) { return v < low ? low : v > high ? high : v; }

/* Entry i of the specification, for an axis of `size` elements; a count of 0 where it takes nothing. */
static tfl_range strided_range(const strided *s, uint32_t i, int64_t size) {
    int64_t begin = ts__flat_i32(s->list[0], i), end = ts__flat_i32(s->list[1], i),
            step = ts__flat_i32(s->list[2], i);
    int64_t low = step > 0 ? 0 : -1, high = step > 0 ? size : size - 1;
    begin = clamped(begin < 0 ? begin + size : begin, low, high);
    begin = !masked(s, BEGIN_MASK, i) ? begin : step > 0 ? 0 : size - 1;
    if (masked(s, SHRINK_AXIS_MASK, i)) {
        return (tfl_range){begin, step, step > 0};
    }
    end += s->offset ? begin : 0;
    end = clamped(end < 0 ? end + size : end, low, high);
    end = !masked(s, END_MASK, i) ? end : step > 0 ? size : -1;
    int64_t count = step > 0   ? (end - begin + step - 1) / step
                    : step < 0 ? (begin - end - step - 1) / -step
                               : 0;
    return (tfl_range){begin, step, count < 0 ? 0 : count};
}

ts_status ts__tfl_strided_ranges(tfl *t, const tfl_op *o, const tfl_tensor *x,
                                 tfl_range ranges[TS_MAX_RANK]) {
    strided s;
    uint32_t new_axes = 0, ellipses = 0, axis = 0;
    TS_TRY(read_strided(t, o, &s));
    uint32_t count = s.list[0].count;
    for (uint32_t i = 0; i < count; i++) {
        ellipses += masked(&s, ELLIPSIS_MASK, i);
        new_axes += masked(&s, NEW_AXIS_MASK, i) && !masked(&s, ELLIPSIS_MASK, i);
    }
    if (count - new_axes > x->rank + ellipses || ellipses > 1) {
        return TFL_FAIL(TS_DIAG_SHAPE, "it names %u axes of %u, and %u ellipses", count - new_axes - ellipses,
                        x->rank, ellipses);
    }
    /* An ellipsis is as many whole axes as the others leave, but one at least: then the last entry has no
     * axis left. Axes that the specification does not reach are whole. */
    uint32_t left = x->rank + new_axes + 1 - count;
    left = left > 0 ? left : 1;
    for (uint32_t i = 0; i < count; i++) {
        if (masked(&s, ELLIPSIS_MASK, i)) {
            for (; left > 0 && axis < x->rank; left--) {
                ranges[axis] = (tfl_range){0, 1, x->dims[axis]};
                axis++;
            }
        } else if (!masked(&s, NEW_AXIS_MASK, i) && axis < x->rank) {
            ranges[axis] = strided_range(&s, i, x->dims[axis]);
            ranges[axis].step = ranges[axis].count == 1 ? 1 : ranges[axis].step;
            axis++;
        }
    }
    for (; axis < x->rank; axis++) {
        ranges[axis] = (tfl_range){0, 1, x->dims[axis]};
    }
    return check_ranges(t, o, x, ranges);
}

ts_status ts__tfl_slice(tfl *t, const tfl_op *o) {
    tfl_tensor *x;
    tfl_range ranges[TS_MAX_RANK];
    TS_TRY(ts__tfl_map_at(t, o, 0, &x));
    TS_TRY(ts__tfl_slice_ranges(t, o, x, ranges));
    return slice_map(t, o, x, ranges);
}

ts_status ts__tfl_strided_slice(tfl *t, const tfl_op *o) {
    tfl_tensor *x;
    tfl_range ranges[TS_MAX_RANK];
    TS_TRY(ts__tfl_map_at(t, o, 0, &x));
    TS_TRY(ts__tfl_strided_ranges(t, o, x, ranges));
    return slice_map(t, o, x, ranges);
}

/* ---- batches of space ---- */

ts_status ts__tfl_space_to_batch(tfl *t, const tfl_op *o) {
    tfl_tensor *x, *y;
    TS_TRY(ts__tfl_map_at(t, o, 0, &x));
    TS_TRY(ts__tfl_output_of(t, o, &y));
    TS_TRY(same_quantum(t, o, x, y));
    TS_TRY(ts__tfl_spread(t, o, x, y));
    y->tensor = x->tensor;
    return TS_OK;
}

ts_status ts__tfl_batch_to_space(tfl *t, const tfl_op *o) {
    tfl_tensor *x, *y;
    tfl_range ranges[TS_MAX_RANK];
    TS_TRY(ts__tfl_shape_at(t, o, 0, &x));
    TS_TRY(ts__tfl_output_of(t, o, &y));
    TS_TRY(ts__tfl_gather_ranges(t, o, x, y, ranges));
    if (x->elements != y->elements) {
        return slice_map(t, o, x, ranges);
    }
    TS_TRY(same_quantum(t, o, x, y));
    y->tensor = x->tensor;
    return TS_OK;
}

/* ---- RESIZE_NEAREST_NEIGHBOR ---- */

/* Along one axis. */
typedef struct nearest {
    uint32_t in, out;
    bool corners, half;
} nearest;

/* Source: GetNearestNeighbor of TensorFlow Lite's kernels/internal/reference/resize_nearest_neighbor.h, in
 * single precision. */
static uint32_t nearest_index(const nearest *n, uint32_t i) {
    bool corners = n->corners && n->out > 1;
    float scale = corners ? (float)(n->in - 1) / (float)(n->out - 1) : (float)n->in / (float)n->out;
    float at = ((float)i + (n->half ? 0.5f : 0.0f)) * scale;
    at = n->corners ? roundf(at) : floorf(at);
    return at >= (float)n->in ? n->in - 1 : (uint32_t)at;
}

/* Each element as often as the next one. */
static bool repeats(const nearest *n) {
    bool fits = n->out % n->in == 0;
    for (uint32_t i = 0; fits && i < n->out; i++) {
        fits = nearest_index(n, i) == i / (n->out / n->in);
    }
    return fits;
}

/* Elements of one distance. */
static bool steps(const nearest *n, uint32_t *begin, uint32_t *step) {
    *begin = nearest_index(n, 0);
    *step = n->out > 1 ? nearest_index(n, 1) - *begin : 1;
    bool fits = *step >= 1;
    for (uint32_t i = 0; fits && i < n->out; i++) {
        fits = nearest_index(n, i) == *begin + i * *step;
    }
    return fits;
}

/* Rows and columns of the operator. */
static ts_status read_resize(tfl *t, const tfl_op *o, const tfl_tensor *x, const tfl_tensor *y,
                             nearest axes[2]) {
    enum { ALIGN_CORNERS, HALF_PIXEL_CENTERS };
    ts_flat_vector size;
    TS_TRY(ts__tfl_numbers_at(t, o, 1, 2, &size));
    bool whole = x->rank == 4 && y->rank == 4 && size.count == 2 && x->elements > 0 && y->elements > 0 &&
                 x->dims[3] == y->dims[3];
    for (uint32_t i = 0; i < 2 && whole; i++) {
        whole = (uint32_t)ts__flat_i32(size, i) == y->dims[1 + i];
        axes[i] = (nearest){x->dims[1 + i], y->dims[1 + i],
                            ts__flat_int(&t->flat, o->options, ALIGN_CORNERS, 1, 0) != 0,
                            ts__flat_int(&t->flat, o->options, HALF_PIXEL_CENTERS, 1, 0) != 0};
    }
    if (!whole) {
        return TFL_FAIL(TS_DIAG_SHAPE, "its output has not the constant rows and columns that it names");
    }
    return ts__tfl_take_work(t, o, 2 * ((uint64_t)axes[0].out + axes[1].out));
}

ts_status ts__tfl_check_resize(tfl *t, const tfl_op *o, const tfl_tensor *x, const tfl_tensor *y) {
    nearest axes[2];
    TS_TRY(read_resize(t, o, x, y, axes));
    return repeats(&axes[0]) && repeats(&axes[1])
               ? TS_OK
               : TFL_FAIL(TS_DIAG_UNSUPPORTED, "whole factors without aligned corners are served in floats");
}

/* Any other sizes: rows and columns one by one. */
static ts_status pick_nearest(tfl *t, const tfl_op *o, const tfl_tensor *x, tfl_tensor *y,
                              const nearest axes[2]) {
    int32_t indices[MAX_PICKED];
    ts_tensor_id at = x->tensor;
    for (uint32_t i = 0; i < 2; i++) {
        for (uint32_t k = 0; k < axes[i].out && k < MAX_PICKED; k++) {
            indices[k] = (int32_t)nearest_index(&axes[i], k);
        }
        bool needed = axes[i].in != axes[i].out || !repeats(&axes[i]);
        if (needed || i == 1) {
            TS_TRY(add_pick(t, o, at, i, indices, axes[i].out, i == 1 ? y : NULL, "rows", &at));
        }
    }
    return TS_OK;
}

ts_status ts__tfl_resize(tfl *t, const tfl_op *o) {
    tfl_tensor *x, *y;
    nearest axes[2];
    ts_tensor_id output;
    uint32_t begin[3] = {0, 0, 0}, step[3] = {1, 1, 1};
    TS_TRY(ts__tfl_map_at(t, o, 0, &x));
    TS_TRY(ts__tfl_output_of(t, o, &y));
    TS_TRY(same_quantum(t, o, x, y));
    TS_TRY(read_resize(t, o, x, y, axes));
    if (repeats(&axes[0]) && repeats(&axes[1])) {
        TS_TRY(ts__tfl_new_activation(t, o, y, &output));
        ts_node node = ts__tfl_new_node(t, o, TS_OP_RESIZE, x);
        ts__tfl_add_node(t, &node, y, output);
        return TS_OK;
    }
    return steps(&axes[0], &begin[0], &step[0]) && steps(&axes[1], &begin[1], &step[1])
               ? add_slice(t, o, x, y, begin, step, y->dims + 1)
               : pick_nearest(t, o, x, y, axes);
}
