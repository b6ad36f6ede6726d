#include "plan/layer.h"

#include <string.h>

#include "plan/add.h"
#include "plan/move.h"
#include "plan/requant.h"

__extension__ typedef __int128 wide;

/* Values that an activation can hold: often narrower than its type. */
typedef struct interval {
    int64_t low, high;
} interval;

typedef struct builder {
    ts_arena *arena;
    const ts_graph *graph;
    ts_diags *diags;
    interval *values; /* one a tensor */
} builder;

static const ts_tensor *tensor_of(const builder *b, ts_tensor_id id) { return &b->graph->tensors.data[id]; }

static interval type_interval(ts_type type) { return (interval){ts_type_low(type), ts_type_high(type)}; }

static interval meet(interval a, interval b) {
    interval both = {a.low > b.low ? a.low : b.low, a.high < b.high ? a.high : b.high};
    return both.low <= both.high ? both : b;
}

static int64_t saturate(wide value) {
    return value < INT64_MIN ? INT64_MIN : value > INT64_MAX ? INT64_MAX : (int64_t)value;
}

static ts_map_shape map_shape(const builder *b, ts_tensor_id id) {
    const ts_tensor *t = tensor_of(b, id);
    ts_map_shape map = {
        .tensor = id, .type = t->type, .h = ts_h(t), .w = ts_w(t), .c = ts_c(t), .zero = ts_tensor_zero(t)};
    map.pixel_bytes = (uint32_t)(((uint64_t)map.c * ts_type_bits(map.type) + 7) / 8);
    return map;
}

/* Accumulators of every output channel without bias; padding counts as 0. */
static void linear_ranges(const ts_tensor *weights, uint32_t channels, interval x, ts_acc_range *out) {
    uint64_t taps = channels == 0 ? 0 : ts_tensor_elements(weights) / channels;
    int64_t low = x.low < 0 ? x.low : 0, high = x.high > 0 ? x.high : 0;
    for (uint32_t c = 0; c < channels; c++) {
        int64_t positive = 0, negative = 0;
        for (uint64_t i = 0; i < taps; i++) {
            int32_t w = ts_tensor_int(weights, c * taps + i) - ts_weights_zero(weights);
            *(w > 0 ? &positive : &negative) += w;
        }
        out[c] = (ts_acc_range){positive * low + negative * high, positive * high + negative * low};
    }
}

/* As linear_ranges() for the common 8-bit weights, without a call an element. */
static void linear_ranges_s8(const ts_tensor *weights, uint32_t channels, interval x, ts_acc_range *out) {
    size_t taps = channels == 0 ? 0 : (size_t)(ts_tensor_elements(weights) / channels);
    const int8_t *data = weights->data;
    int64_t low = x.low < 0 ? x.low : 0, high = x.high > 0 ? x.high : 0;
    for (uint32_t c = 0; c < channels; c++, data += taps) {
        int32_t sum = 0, magnitude = 0;
        for (size_t i = 0; i < taps; i++) {
            sum += data[i];
            magnitude += data[i] < 0 ? -data[i] : data[i];
        }
        int64_t positive = ((int64_t)magnitude + sum) / 2, negative = ((int64_t)sum - magnitude) / 2;
        out[c] = (ts_acc_range){positive * low + negative * high, positive * high + negative * low};
    }
}

static interval add_step_interval(const ts_add_step *step, interval v) {
    wide a = (wide)v.low * step->mul + step->add, b = (wide)v.high * step->mul + step->add;
    wide low = a < b ? a : b, high = a < b ? b : a;
    wide d = step->div;
    low = low >= 0 ? low / d : -((-low + d - 1) / d);
    high = high >= 0 ? high / d : -((-high + d - 1) / d);
    interval result = {saturate(low), saturate(high)};
    interval clip = {step->low, step->high};
    result.low = result.low < clip.low ? clip.low : result.low > clip.high ? clip.high : result.low;
    result.high = result.high < clip.low ? clip.low : result.high > clip.high ? clip.high : result.high;
    return result;
}

static interval add_interval(const builder *b, const ts_node *node) {
    interval in1 = add_step_interval(&node->in1, b->values[node->inputs[0]]);
    interval in2 = add_step_interval(&node->in2, b->values[node->inputs[1]]);
    return add_step_interval(&node->sum, (interval){in1.low + in2.low, in1.high + in2.high});
}

/* Every pair of values, and so every sum of as many products as there are channels. */
static interval matmul_interval(const builder *b, const ts_node *node) {
    const ts_tensor *first = tensor_of(b, node->inputs[0]), *second = tensor_of(b, node->inputs[1]);
    interval x = b->values[node->inputs[0]], x2 = b->values[node->inputs[1]], v = {INT64_MAX, INT64_MIN};
    const int64_t ends[] = {x.low - ts_tensor_zero(first), x.high - ts_tensor_zero(first)};
    const int64_t ends2[] = {x2.low - ts_tensor_zero(second), x2.high - ts_tensor_zero(second)};
    for (uint32_t i = 0; i < 4; i++) {
        int64_t product = ends[i / 2] * ends2[i % 2] * ts_c(first);
        v = (interval){product < v.low ? product : v.low, product > v.high ? product : v.high};
    }
    return v;
}

/* Accumulators of the requantisation of nodes without weights, the same in every channel. */
static interval plain_interval(const builder *b, const ts_node *node) {
    interval v = b->values[node->inputs[0]];
    int64_t zero = ts_tensor_zero(tensor_of(b, node->inputs[0]));
    if (node->op == TS_OP_ADD) {
        return add_interval(b, node);
    }
    if (node->op == TS_OP_MUL) {
        int64_t low, high;
        ts_node_acc_range(b->graph, node, 0, &low, &high);
        return (interval){low, high};
    }
    if (node->op == TS_OP_MATMUL) {
        return matmul_interval(b, node);
    }
    if (node->op == TS_OP_MAX_POOL) {
        v.low = ts_type_low(tensor_of(b, node->inputs[0])->type); /* of a window that lies in the padding */
    }
    if (node->op == TS_OP_AVG_POOL) {
        int64_t taps = (int64_t)node->window.kernel_h * (int64_t)node->window.kernel_w;
        v = (interval){v.low < zero ? v.low - zero : 0, v.high > zero ? v.high - zero : 0};
        v = (interval){saturate((wide)v.low * taps), saturate((wide)v.high * taps)};
    }
    return v;
}

static const ts_acc_range *acc_ranges(builder *b, const ts_node *node, const ts_layer *layer) {
    uint32_t channels = layer->y.c;
    ts_acc_range *acc = TS_NEW_ARRAY(b->arena, ts_acc_range, channels);
    if (layer->x.type == TS_F32) { /* no integers: 0 */
        return acc;
    }
    if (node->op == TS_OP_CONV || node->op == TS_OP_LINEAR) {
        interval x = b->values[node->inputs[0]];
        int64_t zero = ts_tensor_zero(tensor_of(b, node->inputs[0]));
        x = (interval){x.low - zero, x.high - zero};
        const ts_tensor *weights = tensor_of(b, node->weights);
        bool common = weights->type == TS_S8 && ts_weights_zero(weights) == 0;
        (common ? linear_ranges_s8 : linear_ranges)(weights, channels, x, acc);
        return acc;
    }
    interval v = plain_interval(b, node);
    for (uint32_t c = 0; c < channels; c++) {
        acc[c] = (ts_acc_range){v.low, v.high};
    }
    return acc;
}

/* What the accumulators of kernels hold more that read x as it is; NULL where that is nothing. */
static const int64_t *zero_offsets(builder *b, const ts_node *node, const ts_layer *layer) {
    if ((node->op != TS_OP_CONV && node->op != TS_OP_LINEAR) || layer->x.zero == 0) {
        return NULL;
    }
    const ts_tensor *weights = tensor_of(b, node->weights);
    uint64_t taps = ts_tensor_elements(weights) / layer->y.c;
    int64_t *offset = TS_NEW_ARRAY(b->arena, int64_t, layer->y.c);
    for (uint64_t i = 0; i < taps * layer->y.c; i++) {
        offset[i / taps] += (int64_t)layer->x.zero * (ts_tensor_int(weights, i) - ts_weights_zero(weights));
    }
    return offset;
}

static int64_t bias_of(const builder *b, const ts_node *node, uint32_t channel) {
    int64_t zero = ts_tensor_zero(tensor_of(b, node->inputs[0]));
    switch (node->op) {
        case TS_OP_CONV:
        case TS_OP_LINEAR:
            return node->bias == TS_NONE ? 0 : ts_tensor_int(tensor_of(b, node->bias), channel);
        case TS_OP_REQUANT:
            return -zero; /* its kernels read x as it is */
        default:
            return 0;
    }
}

/* Of floats: their bits. */
static const int64_t *biases(builder *b, const ts_node *node, uint32_t channels) {
    int64_t *bias = TS_NEW_ARRAY(b->arena, int64_t, channels);
    for (uint32_t c = 0; c < channels; c++) {
        bias[c] = bias_of(b, node, c);
    }
    return bias;
}

static interval join(interval a, interval b) {
    return (interval){a.low < b.low ? a.low : b.low, a.high > b.high ? a.high : b.high};
}

static interval table_interval(const builder *b, const ts_node *node) {
    const ts_tensor *table = tensor_of(b, node->weights);
    int32_t first = ts_tensor_int(table, 0);
    interval v = {first, first};
    for (uint32_t i = 1; i < table->dims[0]; i++) {
        int32_t entry = ts_tensor_int(table, i);
        v = join(v, (interval){entry, entry});
    }
    return v;
}

static interval moved_interval(const builder *b, const ts_node *node) {
    interval v = b->values[node->inputs[0]];
    for (uint32_t i = 1; i < node->input_count; i++) {
        v = join(v, b->values[node->inputs[i]]);
    }
    return node->op == TS_OP_PAD ? join(v, (interval){node->move.fill, node->move.fill}) : v;
}

/* What the node's output can hold. */
static interval output_interval(const builder *b, const ts_node *node) {
    interval type = type_interval(tensor_of(b, node->output)->type);
    if (node->requant.kind != TS_REQUANT_NONE) {
        return meet((interval){node->requant.low, node->requant.high}, type);
    }
    switch (node->op) {
        case TS_OP_ADD:
            return meet(add_interval(b, node), type);
        case TS_OP_MAX_POOL:
            return meet(b->values[node->inputs[0]], type);
        case TS_OP_LUT:
            return table_interval(b, node);
        case TS_OP_NORM:
            return (interval){node->norm.low, node->norm.high};
        case TS_OP_CONCAT:
        case TS_OP_PAD:
        case TS_OP_SLICE:
        case TS_OP_TRANSPOSE:
        case TS_OP_RESIZE:
        case TS_OP_PICK:
        case TS_OP_RESHAPE:
            return moved_interval(b, node);
        default:
            return type;
    }
}

static ts_layer_kind kind_of(const builder *b, const ts_node *node) {
    switch (node->op) {
        case TS_OP_CONV: {
            uint32_t in = ts_c(tensor_of(b, node->inputs[0])), out = ts_c(tensor_of(b, node->output));
            return node->groups > 1 && node->groups == in && in == out ? TS_LAYER_DWCONV : TS_LAYER_CONV;
        }
        case TS_OP_LINEAR:
            return TS_LAYER_LINEAR;
        case TS_OP_ADD:
            return TS_LAYER_ADD;
        case TS_OP_MAX_POOL:
            return TS_LAYER_MAX_POOL;
        case TS_OP_AVG_POOL:
            return TS_LAYER_AVG_POOL;
        case TS_OP_MUL:
            return TS_LAYER_MUL;
        case TS_OP_MATMUL:
            return TS_LAYER_MATMUL;
        case TS_OP_LUT:
            return TS_LAYER_LUT;
        case TS_OP_SOFTMAX:
            return TS_LAYER_SOFTMAX;
        case TS_OP_NORM:
            return TS_LAYER_NORM;
        case TS_OP_FLOAT:
            return TS_LAYER_FLOAT;
        default:
            return ts_op_moves(node->op) ? TS_LAYER_MOVE : TS_LAYER_REQUANT;
    }
}

static ts_window unit_window(void) {
    return (ts_window){
        .kernel_h = 1, .kernel_w = 1, .stride_h = 1, .stride_w = 1, .dilation_h = 1, .dilation_w = 1};
}

/* A linear layer reads its input flat. Where pixels of sub-byte elements end inside a byte the flat row has
 * gaps: then it is the convolution whose window is the whole input. */
static void shape_linear(builder *b, ts_layer *layer) {
    uint32_t h = layer->x.h, w = layer->x.w;
    if ((uint64_t)layer->x.c * ts_type_bits(layer->x.type) % 8 == 0 || (uint64_t)h * w == 1) {
        layer->x.pixel_bytes *= h * w;
        layer->x.c *= h * w;
        layer->x.h = layer->x.w = 1;
        return;
    }
    ts_tensor *weights = TS_NEW(b->arena, ts_tensor);
    *weights = *layer->weights;
    weights->rank = 4;
    weights->dims[1] = h;
    weights->dims[2] = w;
    weights->dims[3] = layer->x.c;
    layer->weights = weights;
    layer->kind = TS_LAYER_CONV;
    layer->window.kernel_h = h;
    layer->window.kernel_w = w;
}

static bool same_in_all_channels(const ts_rq_plan *rq) {
    bool same = true;
    for (uint32_t c = 1; c < rq->channels; c++) {
        same = same && rq->k[c] == rq->k[0] && rq->l[c] == rq->l[0];
    }
    return same;
}

/* An addition behind which nothing but a clip remains needs no requantisation: its own last clip takes the
 * meet of both. One that is the same in all channels travels once. */
static void simplify_addition(ts_layer *layer) {
    ts_rq_plan *rq = &layer->rq;
    if (layer->kind != TS_LAYER_ADD || rq->class_ != TS_RQC_S32 || !same_in_all_channels(rq)) {
        return;
    }
    int32_t low = layer->sum.low > rq->low ? layer->sum.low : rq->low;
    int32_t high = layer->sum.high < rq->high ? layer->sum.high : rq->high;
    rq->channels = 1;
    if (rq->shift == 0 && rq->k[0] == 1 && rq->l[0] == 0 && low <= high) {
        layer->sum.low = low;
        layer->sum.high = high;
        rq->class_ = TS_RQC_NONE;
        layer->rq_own = *rq;
    }
}

/* x - zero: what a product takes of each operand. */
static ts_add_step less_zero(int32_t zero) {
    return (ts_add_step){.mul = 1, .add = -(int64_t)zero, .div = 1, .low = INT32_MIN, .high = INT32_MAX};
}

static void shape_mul(builder *b, const ts_node *node, ts_layer *layer) {
    layer->x2 = map_shape(b, node->inputs[1]);
    layer->in1 = less_zero(layer->x.zero);
    layer->in2 = less_zero(layer->x2.zero);
    layer->sum = less_zero(0);
}

/* With one second matrix for all, the rows of all first ones are rows of one map of one column. */
static void shape_matmul(builder *b, const ts_node *node, ts_layer *layer) {
    layer->x2 = map_shape(b, node->inputs[1]);
    if (layer->x2.h == 1) {
        layer->x.h *= layer->x.w;
        layer->y.h *= layer->y.w;
        layer->x.w = layer->y.w = 1;
    }
}

static void shape_float(builder *b, const ts_node *node, ts_layer *layer) {
    layer->weights = tensor_of(b, node->weights);
    layer->two = node->input_count > 1;
    layer->in1 = layer->in2 = layer->sum = less_zero(0);
    if (layer->two) {
        layer->x2 = map_shape(b, node->inputs[1]);
    }
}

static void shape_move(builder *b, const ts_node *node, ts_layer *layer) {
    layer->input_count = node->input_count;
    layer->inputs = TS_NEW_ARRAY(b->arena, ts_map_shape, node->input_count);
    for (uint32_t i = 0; i < node->input_count; i++) {
        layer->inputs[i] = map_shape(b, node->inputs[i]);
    }
    ts__move_copies(b->arena, b->graph, node, layer);
}

int32_t ts_layer_weight_s8(const ts_layer *layer, uint64_t i) {
    int32_t w = ts_tensor_int(layer->weights, i) - ts_weights_zero(layer->weights);
    return w < INT8_MIN ? INT8_MIN : w > INT8_MAX ? INT8_MAX : w;
}

void ts__layer_find_excess(ts_arena *arena, ts_layer *layer) {
    int32_t zero = ts_weights_zero(layer->weights);
    if (zero == 0) {
        return;
    }
    uint32_t channels = layer->y.c;
    uint64_t taps = ts_tensor_elements(layer->weights) / channels;
    layer->excess.channels = TS_NEW_ARRAY(arena, uint32_t, channels + 1);
    layer->excess.weights = TS_NEW_ARRAY(arena, uint32_t, channels + 1);
    for (uint32_t c = 0; c < channels; c++) {
        uint32_t found = 0;
        for (uint64_t i = c * taps; i < (c + 1) * taps; i++) {
            found += ts_tensor_int(layer->weights, i) - zero != ts_layer_weight_s8(layer, i);
        }
        layer->excess.channels[c + 1] = layer->excess.channels[c] + (found > 0);
        layer->excess.weights[c + 1] = layer->excess.weights[c] + found;
    }
}

static ts_status build_layer(builder *b, ts_node_id id, ts_layer *layer) {
    const ts_node *node = &b->graph->nodes.data[id];
    *layer = (ts_layer){.index = id, .node = id, .name = node->name, .kind = kind_of(b, node)};
    layer->x = map_shape(b, node->inputs[0]);
    layer->y = map_shape(b, node->output);
    layer->window = unit_window();
    layer->groups = 1;
    layer->macs = ts_node_macs(b->graph, node);
    switch (node->op) {
        case TS_OP_CONV:
            layer->groups = node->groups;
            layer->weights = tensor_of(b, node->weights);
            layer->window = node->window;
            ts__layer_find_excess(b->arena, layer);
            break;
        case TS_OP_LINEAR:
            layer->weights = tensor_of(b, node->weights);
            shape_linear(b, layer);
            break;
        case TS_OP_ADD:
            layer->x2 = map_shape(b, node->inputs[1]);
            layer->in1 = node->in1;
            layer->in2 = node->in2;
            layer->sum = node->sum;
            break;
        case TS_OP_MAX_POOL:
        case TS_OP_AVG_POOL:
            layer->window = node->window;
            layer->groups = layer->x.c;
            break;
        case TS_OP_MUL:
            shape_mul(b, node, layer);
            break;
        case TS_OP_MATMUL:
            shape_matmul(b, node, layer);
            break;
        case TS_OP_LUT:
            layer->weights = tensor_of(b, node->weights);
            layer->groups = layer->x.c;
            break;
        case TS_OP_FLOAT:
            shape_float(b, node, layer);
            break;
        case TS_OP_SOFTMAX:
            layer->softmax = node->softmax;
            layer->groups = layer->x.c;
            break;
        case TS_OP_NORM:
            layer->norm = node->norm;
            layer->weights = tensor_of(b, node->weights);
            layer->norm_bias = node->bias == TS_NONE ? NULL : tensor_of(b, node->bias);
            layer->groups = layer->x.c;
            break;
        default:
            if (ts_op_moves(node->op)) {
                shape_move(b, node, layer);
            }
            break;
    }
    const int64_t *bias = biases(b, node, layer->y.c);
    const ts_acc_range *acc = acc_ranges(b, node, layer);
    b->values[node->output] = output_interval(b, node);
    TS_TRY(ts__requant_plan(b->arena, &node->requant, layer->y.c, bias, acc, zero_offsets(b, node, layer),
                            &layer->rq, &layer->rq_own, node->name, ts_op_name(node->op), b->diags));
    for (uint32_t c = 0; c < layer->y.c; c++) {
        layer->wide = layer->wide || acc[c].low < INT32_MIN || acc[c].high > INT32_MAX;
    }
    simplify_addition(layer);
    if (node->op == TS_OP_ADD) {
        interval first = b->values[node->inputs[0]], second = b->values[node->inputs[1]];
        ts__add_line(node, (ts_acc_range){first.low, first.high}, (ts_acc_range){second.low, second.high},
                     layer);
    }
    return TS_OK;
}

ts_status ts_layers_build(ts_arena *arena, const ts_graph *graph, ts_layer **layers, uint32_t *count,
                          ts_diags *diags) {
    builder b = {.arena = arena, .graph = graph, .diags = diags};
    b.values = TS_NEW_ARRAY(arena, interval, graph->tensors.count);
    for (uint32_t t = 0; t < graph->tensors.count; t++) {
        b.values[t] = type_interval(graph->tensors.data[t].type);
    }
    *count = graph->nodes.count;
    *layers = TS_NEW_ARRAY(arena, ts_layer, graph->nodes.count);
    ts_status status = TS_OK;
    for (ts_node_id n = 0; n < graph->nodes.count; n++) {
        ts_status one = build_layer(&b, n, &(*layers)[n]);
        status = one != TS_OK ? one : status;
    }
    return status;
}

uint64_t ts_map_bytes(const ts_map_shape *map) { return (uint64_t)map->h * map->w * map->pixel_bytes; }

bool ts_layer_is_channelwise(const ts_layer *layer) {
    return layer->kind != TS_LAYER_CONV && layer->kind != TS_LAYER_LINEAR && layer->kind != TS_LAYER_MATMUL;
}

bool ts_layer_has_rq_params(const ts_layer *layer) {
    switch (layer->kind) {
        case TS_LAYER_MAX_POOL:
        case TS_LAYER_ADD:
        case TS_LAYER_MUL:
        case TS_LAYER_MATMUL:
        case TS_LAYER_REQUANT:
            return layer->rq.class_ != TS_RQC_NONE;
        case TS_LAYER_LUT:
        case TS_LAYER_SOFTMAX:
        case TS_LAYER_NORM:
        case TS_LAYER_FLOAT:
        case TS_LAYER_MOVE:
            return false;
        default:
            return true;
    }
}

bool ts_layer_has_x2(const ts_layer *layer) {
    return layer->kind == TS_LAYER_ADD || layer->kind == TS_LAYER_MUL || layer->kind == TS_LAYER_MATMUL ||
           (layer->kind == TS_LAYER_FLOAT && layer->two);
}

bool ts_layer_shares_x2(const ts_layer *layer) { return layer->kind == TS_LAYER_MATMUL && layer->x2.h == 1; }

uint32_t ts_layer_x2_rows(const ts_layer *layer, uint32_t rows) {
    return ts_layer_shares_x2(layer) ? 1 : rows;
}

bool ts_layer_is_elementwise(const ts_layer *layer) {
    return (ts_layer_has_x2(layer) && layer->kind != TS_LAYER_MATMUL) || layer->kind == TS_LAYER_REQUANT ||
           layer->kind == TS_LAYER_FLOAT;
}

const char *ts_layer_kind_name(ts_layer_kind kind) {
    static const char *const names[] = {"conv",     "dwconv",  "linear", "add",    "max_pool",
                                        "avg_pool", "requant", "mul",    "matmul", "lut",
                                        "softmax",  "norm",    "float",  "move"};
    _Static_assert(sizeof names / sizeof names[0] == TS_LAYER_KIND_COUNT, "one name a kind");
    return names[kind];
}
