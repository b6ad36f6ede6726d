#include "ir/graph.h"

#include <stdio.h>
#include <string.h>

typedef struct type_row {
    const char *name;
    uint32_t bits;
    int64_t low, high;
} type_row;

static const type_row types[] = {
#define ROW(id, name, bits, low, high) {name, bits, low, high},
    TS_TYPES(ROW)
#undef ROW
};
_Static_assert(sizeof types / sizeof types[0] == TS_TYPE_COUNT, "one row a type");

static const char *const op_names[] = {
#define ROW(id, name, inputs) name,
    TS_INTEGER_OPS(ROW)
#undef ROW
};
_Static_assert(sizeof op_names / sizeof op_names[0] == TS_OP_COUNT, "one name an operator");

const char *ts_type_name(ts_type type) { return types[type].name; }
uint32_t ts_type_bits(ts_type type) { return types[type].bits; }
int64_t ts_type_low(ts_type type) { return types[type].low; }
int64_t ts_type_high(ts_type type) { return types[type].high; }
bool ts_type_is_signed(ts_type type) { return type == TS_F32 || types[type].low < 0; }

ts_type ts_type_for_range(int64_t low, int64_t high) {
    static const ts_type narrow_first[] = {TS_U2, TS_S2, TS_U4, TS_S4, TS_U8, TS_S8, TS_S16};
    for (size_t i = 0; i < sizeof narrow_first / sizeof narrow_first[0]; i++) {
        if (types[narrow_first[i]].low <= low && high <= types[narrow_first[i]].high) {
            return narrow_first[i];
        }
    }
    return TS_S32;
}

const char *ts_op_name(ts_op op) { return op_names[op]; }
bool ts_op_has_weights(ts_op op) {
    return op == TS_OP_CONV || op == TS_OP_LINEAR || op == TS_OP_LUT || op == TS_OP_NORM ||
           op == TS_OP_FLOAT || op == TS_OP_PICK;
}

bool ts_op_moves(ts_op op) { return op >= TS_OP_CONCAT && op <= TS_OP_RESHAPE; }

ts_graph *ts_graph_new(ts_arena *arena, const char *name) {
    ts_graph *graph = TS_NEW(arena, ts_graph);
    graph->arena = arena;
    graph->name = ts_arena_strdup(arena, name);
    return graph;
}

ts_tensor_id ts_graph_add_tensor(ts_graph *graph, const ts_tensor *tensor) {
    TS_PUSH(graph->arena, &graph->tensors, *tensor);
    ts_tensor_id id = graph->tensors.count - 1;
    graph->tensors.data[id].producer = TS_NONE;
    return id;
}

ts_node_id ts_graph_add_node(ts_graph *graph, const ts_node *node) {
    TS_PUSH(graph->arena, &graph->nodes, *node);
    ts_node_id id = graph->nodes.count - 1;
    ts_node *added = &graph->nodes.data[id];
    if (!ts_op_has_weights(added->op)) {
        added->weights = TS_NONE;
        added->bias = TS_NONE;
    }
    if (added->output < graph->tensors.count) {
        graph->tensors.data[added->output].producer = id;
    }
    return id;
}

const char *ts_dims_text(ts_dims_buffer *buffer, uint32_t rank, const uint32_t *dims) {
    int used = 0;
    buffer->text[0] = '\0';
    for (uint32_t i = 0; i < rank && i < TS_MAX_RANK; i++) {
        used += snprintf(buffer->text + used, sizeof buffer->text - (size_t)used, i == 0 ? "%u" : "x%u",
                         (unsigned)dims[i]);
    }
    return buffer->text;
}

uint64_t ts_tensor_elements(const ts_tensor *tensor) {
    uint64_t elements = 1;
    for (uint32_t i = 0; i < tensor->rank && i < TS_MAX_RANK; i++) {
        if (__builtin_mul_overflow(elements, tensor->dims[i], &elements)) {
            return UINT64_MAX;
        }
    }
    return elements;
}

uint64_t ts_tensor_bytes(const ts_tensor *tensor) {
    uint64_t bits;
    if (__builtin_mul_overflow(ts_tensor_elements(tensor), ts_type_bits(tensor->type), &bits)) {
        return UINT64_MAX;
    }
    return bits / 8 + (bits % 8 != 0);
}

int32_t ts_tensor_int(const ts_tensor *tensor, uint64_t i) {
    switch (tensor->type) {
        case TS_F32: {
            int32_t bits;
            memcpy(&bits, &((const float *)tensor->data)[i], sizeof bits);
            return bits;
        }
        case TS_S32:
            return ((const int32_t *)tensor->data)[i];
        case TS_S16:
            return ((const int16_t *)tensor->data)[i];
        case TS_S8:
        case TS_S4:
        case TS_S2:
            return ((const int8_t *)tensor->data)[i];
        default:
            return ((const uint8_t *)tensor->data)[i];
    }
}

size_t ts_type_slot_bytes(ts_type type) {
    uint32_t bits = ts_type_bits(type);
    return bits <= 8 ? 1 : bits / 8;
}

uint32_t ts_window_out(uint32_t in, uint32_t kernel, uint32_t stride, uint32_t dilation, uint32_t pad_begin,
                       uint32_t pad_end) {
    if (kernel == 0 || stride == 0 || dilation == 0) {
        return 0;
    }
    uint64_t padded = (uint64_t)in + pad_begin + pad_end;
    uint64_t span = (uint64_t)dilation * (kernel - 1) + 1;
    uint64_t out = padded < span ? 0 : (padded - span) / stride + 1;
    return out > UINT32_MAX ? 0 : (uint32_t)out;
}

uint64_t ts_node_macs(const ts_graph *graph, const ts_node *node) {
    if (node->op == TS_OP_MATMUL) {
        return ts_tensor_elements(&graph->tensors.data[node->output]) *
               ts_c(&graph->tensors.data[node->inputs[0]]);
    }
    if (node->op != TS_OP_CONV && node->op != TS_OP_LINEAR) {
        return 0;
    }
    const ts_tensor *weights = &graph->tensors.data[node->weights];
    const ts_tensor *output = &graph->tensors.data[node->output];
    uint64_t pixels = node->op == TS_OP_CONV ? (uint64_t)ts_h(output) * ts_w(output) : 1;
    return pixels * ts_tensor_elements(weights);
}

int64_t ts_softmax_term(const ts_softmax *softmax, int32_t d) {
    if (softmax->kind == TS_SOFTMAX_ITA) {
        return 256 >> ((d + 16) / 32);
    }
    int32_t z = d / softmax->log2;
    int64_t v = (int64_t)z * softmax->log2 - d + softmax->b;
    return z > 62 ? 0 : (softmax->a * v * v + softmax->c) >> z;
}

int32_t ts_tensor_zero(const ts_tensor *tensor) {
    return tensor->quantum.channels == 0 ? 0 : tensor->quantum.zero[0];
}

__extension__ typedef __int128 wide;

static int64_t clamp_wide(wide value) {
    return value < INT64_MIN ? INT64_MIN : value > INT64_MAX ? INT64_MAX : (int64_t)value;
}

bool ts_node_is_wide(const ts_graph *graph, const ts_node *node) {
    bool weighs = node->op == TS_OP_CONV || node->op == TS_OP_LINEAR;
    return weighs && node->requant.kind == TS_REQUANT_NEMO &&
           graph->tensors.data[node->weights].type == TS_S16;
}

int32_t ts_weights_zero(const ts_tensor *weights) {
    return weights->quantum.channels == 1 ? weights->quantum.zero[0] : 0;
}

static void linear_range(const ts_graph *graph, const ts_node *node, uint32_t channel, int64_t x_low,
                         int64_t x_high, int64_t *low, int64_t *high) {
    const ts_tensor *weights = &graph->tensors.data[node->weights];
    uint64_t taps = ts_tensor_elements(weights) / weights->dims[0];
    int64_t zero = ts_weights_zero(weights), below = 0, above = 0;
    bool bytes = weights->type == TS_S8 || weights->type == TS_S4 || weights->type == TS_S2;
    for (uint64_t i = channel * taps; i < (channel + 1) * taps; i++) {
        int64_t w = bytes ? ((const int8_t *)weights->data)[i] : ts_tensor_int(weights, i);
        below += w < zero ? w - zero : 0;
        above += w > zero ? w - zero : 0;
    }
    wide least = (wide)below * x_high + (wide)above * x_low;
    wide most = (wide)below * x_low + (wide)above * x_high;
    if (node->bias != TS_NONE) {
        int32_t bias = ts_tensor_int(&graph->tensors.data[node->bias], channel);
        least += bias;
        most += bias;
    }
    *low = clamp_wide(least);
    *high = clamp_wide(most);
}

/* Image of a range under a step: floor division and clip keep order, a negative factor turns it round. */
static void step_range(const ts_add_step *step, int64_t low, int64_t high, int64_t *out_low,
                       int64_t *out_high) {
    wide ends[2] = {(wide)low * step->mul + step->add, (wide)high * step->mul + step->add};
    int64_t images[2];
    for (int i = 0; i < 2; i++) {
        wide q = ends[i] / step->div - (ends[i] % step->div < 0);
        images[i] = q < step->low ? step->low : q > step->high ? step->high : (int64_t)q;
    }
    *out_low = images[0] < images[1] ? images[0] : images[1];
    *out_high = images[0] < images[1] ? images[1] : images[0];
}

static void add_range(const ts_graph *graph, const ts_node *node, int64_t *low, int64_t *high) {
    const ts_tensor *a = &graph->tensors.data[node->inputs[0]];
    const ts_tensor *b = &graph->tensors.data[node->inputs[1]];
    int64_t low1, high1, low2, high2;
    step_range(&node->in1, ts_type_low(a->type), ts_type_high(a->type), &low1, &high1);
    step_range(&node->in2, ts_type_low(b->type), ts_type_high(b->type), &low2, &high2);
    step_range(&node->sum, low1 + low2, high1 + high2, low, high);
}

static void mul_range(const ts_graph *graph, const ts_node *node, int64_t x_low, int64_t x_high, int64_t *low,
                      int64_t *high) {
    const ts_tensor *b = &graph->tensors.data[node->inputs[1]];
    int64_t b_low = ts_type_low(b->type) - ts_tensor_zero(b);
    int64_t b_high = ts_type_high(b->type) - ts_tensor_zero(b);
    const wide ends[] = {(wide)x_low * b_low, (wide)x_low * b_high, (wide)x_high * b_low,
                         (wide)x_high * b_high};
    wide least = ends[0], most = ends[0];
    for (uint32_t i = 1; i < 4; i++) {
        least = ends[i] < least ? ends[i] : least;
        most = ends[i] > most ? ends[i] : most;
    }
    *low = clamp_wide(least);
    *high = clamp_wide(most);
}

void ts_node_acc_range(const ts_graph *graph, const ts_node *node, uint32_t channel, int64_t *low,
                       int64_t *high) {
    const ts_tensor *input = &graph->tensors.data[node->inputs[0]];
    /* The zero point lies within the type: padding, which counts 0, never widens the range. */
    int64_t x_low = ts_type_low(input->type) - ts_tensor_zero(input);
    int64_t x_high = ts_type_high(input->type) - ts_tensor_zero(input);
    *low = x_low;
    *high = x_high;
    if (input->type == TS_F32) { /* no integers: 0 */
        return;
    }
    switch (node->op) {
        case TS_OP_CONV:
        case TS_OP_LINEAR:
            linear_range(graph, node, channel, x_low, x_high, low, high);
            return;
        case TS_OP_ADD:
            add_range(graph, node, low, high);
            return;
        case TS_OP_MUL:
            mul_range(graph, node, x_low, x_high, low, high);
            return;
        case TS_OP_MATMUL:
            mul_range(graph, node, x_low, x_high, low, high);
            *low = clamp_wide((wide)*low * ts_c(input));
            *high = clamp_wide((wide)*high * ts_c(input));
            return;
        case TS_OP_MAX_POOL:
            *low = ts_type_low(input->type);
            *high = ts_type_high(input->type);
            return;
        case TS_OP_AVG_POOL: {
            wide taps = (wide)node->window.kernel_h * node->window.kernel_w;
            *low = clamp_wide(taps * x_low);
            *high = clamp_wide(taps * x_high);
            return;
        }
        default:
            return;
    }
}
