#include <string.h>

#include "model/onnx.h"

typedef __int128 wide;

/* Factors this small keep every product below in 128 bits; the graph's verifier has the same limits. */
#define MAX_FACTOR (INT64_C(1) << 40)
#define MAX_TERM   (INT64_C(1) << 62)

typedef struct range {
    wide low, high;
} range;

static uint32_t hash(const char *text) {
    uint32_t h = 2166136261u;
    for (; *text != '\0'; text++) {
        h = (h ^ (unsigned char)*text) * 16777619u;
    }
    return h;
}

/* A name that no tensor has yet: `name` itself, or with a number behind it. */
static const char *unique_name(ts_onnx *net, const char *name) {
    const char *candidate = name;
    uint32_t mask = net->tensor_slot_count - 1;
    for (uint32_t attempt = 2;; attempt++) {
        uint32_t i = hash(candidate) & mask;
        while (net->tensor_slots[i] != NULL && strcmp(net->tensor_slots[i], candidate) != 0) {
            i = (i + 1) & mask;
        }
        if (net->tensor_slots[i] == NULL) {
            return net->tensor_slots[i] = ts_arena_strdup(net->arena, candidate);
        }
        candidate = ts_arena_printf(net->scratch, "%s:%u", name, attempt);
    }
}

ts_tensor_id ts__new_tensor(ts_onnx *net, const char *name, ts_type type, uint32_t rank, const uint32_t *dims,
                            const void *data) {
    ts_tensor tensor = {
        .name = unique_name(net, name),
        .type = type,
        .rank = rank,
        .data = data,
        .producer = TS_NONE,
    };
    memcpy(tensor.dims, dims, rank * sizeof *dims);
    return ts_graph_add_tensor(net->graph, &tensor);
}

static wide wide_floor_div(wide n, wide d) { return n / d - (n % d != 0 && (n < 0) != (d < 0)); }

/* The stage's image of a range, over all its channels; bounds that the stage has are applied. */
static range stage_range(const ts_stage *s, uint32_t channel, range x) {
    uint32_t c = s->channels == 1 ? 0 : channel;
    wide d = (wide)s->d * s->mean;
    wide p = wide_floor_div((s->a[c] * x.low + s->b[c]) * s->m, d);
    wide q = wide_floor_div((s->a[c] * x.high + s->b[c]) * s->m, d);
    range y = {p < q ? p : q, p < q ? q : p};
    y.low = y.low < s->low ? s->low : y.low > s->high ? s->high : y.low;
    y.high = y.high < s->low ? s->low : y.high > s->high ? s->high : y.high;
    return y;
}

static range step_range(const ts_add_step *step, range x) {
    wide p = wide_floor_div(x.low * step->mul + step->add, step->div);
    wide q = wide_floor_div(x.high * step->mul + step->add, step->div);
    range y = {p < q ? p : q, p < q ? q : p};
    y.low = y.low < step->low ? step->low : y.low > step->high ? step->high : y.low;
    y.high = y.high < step->low ? step->low : y.high > step->high ? step->high : y.high;
    return y;
}

static range type_range(ts_type type) { return (range){ts_type_low(type), ts_type_high(type)}; }

static range join(range a, range b) {
    return (range){a.low < b.low ? a.low : b.low, a.high > b.high ? a.high : b.high};
}

static bool fits_s32(range r) { return r.low >= INT32_MIN && r.high <= INT32_MAX; }

/* What a tensor can hold: the sums of the layer that made it, or what its type does. Movements of 32-bit
 * values stand between few layers. */
static range tensor_range(const ts_onnx *net, ts_tensor_id id) {
    enum { MOVES = 8 };
    const ts_tensor *tensor = &net->graph->tensors.data[id];
    const range all = type_range(tensor->type);
    const ts_node *node = NULL;
    for (uint32_t i = 0; i < MOVES && tensor->producer != TS_NONE; i++) {
        node = &net->graph->nodes.data[tensor->producer];
        if (node->op != TS_OP_TRANSPOSE && node->op != TS_OP_RESHAPE && node->op != TS_OP_SLICE) {
            break;
        }
        tensor = &net->graph->tensors.data[node->inputs[0]];
    }
    bool summed = node != NULL && (node->op == TS_OP_CONV || node->op == TS_OP_LINEAR ||
                                   node->op == TS_OP_MATMUL || node->op == TS_OP_ADD);
    if (all.high != INT32_MAX || !summed || node->requant.kind != TS_REQUANT_NONE) {
        return all;
    }
    if (node->op == TS_OP_ADD) {
        return (range){node->sum.low, node->sum.high};
    }
    range sums = {0, 0};
    for (uint32_t c = 0; c < ts_c(tensor); c++) {
        int64_t low, high;
        ts_node_acc_range(net->graph, node, c, &low, &high);
        sums = join(sums, (range){low, high});
    }
    return sums;
}

/* Steps of 32-bit operands clip to what these can reach, which changes nothing and says how far a sum goes.
 */
static void bound_step(const ts_onnx *net, ts_add_step *step, ts_tensor_id operand) {
    range y = step_range(step, tensor_range(net, operand));
    if (net->graph->tensors.data[operand].type == TS_S32) {
        step->low = (int32_t)y.low;
        step->high = (int32_t)y.high;
    }
}

/* What the sum of an ADD can reach before its sum step. */
static range sum_operands_range(const ts_onnx *net, const ts_node *node) {
    const ts_tensor *tensors = net->graph->tensors.data;
    range a = step_range(&node->in1, type_range(tensors[node->inputs[0]].type));
    range b = step_range(&node->in2, type_range(tensors[node->inputs[1]].type));
    return (range){a.low + b.low, a.high + b.high};
}

/* What the stage can reach over the node's accumulator (or the tensor, for REQUANT). */
static range reach(const ts_onnx *net, const ts_node *node, const ts_stage *stage, uint32_t channels) {
    range all = {0, 0};
    for (uint32_t c = 0; c < channels; c++) {
        range x;
        if (node->op == TS_OP_ADD) {
            x = step_range(&node->sum, sum_operands_range(net, node));
        } else if (node->op == TS_OP_REQUANT || node->op == TS_OP_MAX_POOL) {
            x = type_range(net->graph->tensors.data[node->inputs[0]].type);
        } else {
            int64_t low, high;
            ts_node_acc_range(net->graph, node, c, &low, &high);
            x = (range){low, high};
        }
        range y = stage_range(stage, c, x);
        all = c == 0 ? y : join(all, y);
        bool uniform = stage->channels == 1 && (node->op == TS_OP_ADD || node->op == TS_OP_REQUANT);
        if (uniform) {
            break;
        }
    }
    return all;
}

static ts_status not_whole(ts_onnx *net, const ts_stage *stage, const ts_onnx_node *reader) {
    return ts_error(net->diags, TS_DIAG_UNSUPPORTED, stage->node_name, NULL,
                    "its result '%s' is not whole where %s%s%s reads it; a Floor or an integer division has "
                    "to stand between",
                    stage->name, reader == NULL ? "the network's output" : "node '",
                    reader == NULL ? "" : reader->name, reader == NULL ? "" : "'");
}

/* kappa, lambda, m, d of a stage; a scalar factor alone goes to m, signs to kappa. */
static ts_status requant_of(ts_onnx *net, const ts_stage *s, ts_requant *out) {
    int64_t *kappa = TS_NEW_ARRAY(net->arena, int64_t, s->channels);
    int64_t *lambda = TS_NEW_ARRAY(net->arena, int64_t, s->channels);
    int64_t m = s->m, d;
    bool fits = m != INT64_MIN && !__builtin_mul_overflow(s->d, s->mean, &d);
    bool into_m = s->channels == 1 && s->b[0] == 0 && s->a[0] > 0;
    fits = fits && (!into_m || !__builtin_mul_overflow(m, s->a[0], &m));
    for (uint32_t i = 0; fits && i < s->channels; i++) {
        kappa[i] = into_m ? 1 : s->a[i];
        lambda[i] = s->b[i];
        if (m < 0) {
            fits = !__builtin_sub_overflow(0, kappa[i], &kappa[i]) &&
                   !__builtin_sub_overflow(0, lambda[i], &lambda[i]);
        }
    }
    for (uint32_t i = 0; fits && i < s->channels; i++) {
        fits = kappa[i] >= -MAX_FACTOR && kappa[i] <= MAX_FACTOR && s->a[i] >= -MAX_FACTOR &&
               s->a[i] <= MAX_FACTOR && lambda[i] >= -MAX_TERM && lambda[i] <= MAX_TERM;
    }
    if (!fits || m < -MAX_FACTOR || m > MAX_FACTOR || d > MAX_TERM) {
        return ts_error(net->diags, TS_DIAG_VALUE, s->node_name, NULL,
                        "its constants are too large: factors up to 2^40, terms and divisors up to 2^62 are "
                        "served");
    }
    *out = (ts_requant){
        .kind = TS_REQUANT_NEMO,
        .channels = s->channels,
        .kappa = kappa,
        .lambda = lambda,
        .m = m < 0 ? -m : m,
        .d = d,
    };
    return TS_OK;
}

/* Chooses the result's type and clip: bounds as they are written, otherwise what can be reached. */
static ts_status choose_type(ts_onnx *net, const ts_stage *s, range reached, ts_type *type, int32_t *low,
                             int32_t *high) {
    if (!fits_s32(reached)) {
        return ts_error(net->diags, TS_DIAG_VALUE, s->node_name, NULL,
                        "its result can pass 32 bits and no Clip bounds it");
    }
    bool has_low = s->low >= INT32_MIN, has_high = s->high <= INT32_MAX;
    *type = ts_type_for_range(has_low ? s->low : (int64_t)reached.low,
                              has_high ? s->high : (int64_t)reached.high);
    if (s->says_type && has_low && has_high && s->low >= ts_type_low(s->type) &&
        s->high <= ts_type_high(s->type)) {
        *type = s->type;
    }
    *low = has_low ? (int32_t)s->low : (int32_t)ts_type_low(*type);
    *high = has_high ? (int32_t)s->high : (int32_t)ts_type_high(*type);
    return TS_OK;
}

/* The node takes the first stage: its result has the stage's name. */
static void drop_first_stage(ts_meaning *x) {
    x->name = x->stages.data[0].name;
    x->stages.data++;
    x->stages.count--;
    x->stages.capacity = x->stages.count; /* the vector no longer starts where it was allocated */
}

static void drop_identities(ts_meaning *x) {
    uint32_t kept = 0;
    for (uint32_t i = 0; i < x->stages.count; i++) {
        if (!ts__stage_identity(&x->stages.data[i])) {
            x->stages.data[kept++] = x->stages.data[i];
        }
    }
    x->stages.count = kept;
}

/* Adds the pending node with an output of that type. */
static void add_pending(ts_onnx *net, ts_meaning *x, ts_type type) {
    uint32_t dims[4] = {1, x->h, x->w, x->c};
    x->pending->output = ts__new_tensor(net, x->name, type, 4, dims, NULL);
    ts_graph_add_node(net->graph, x->pending);
    x->tensor = x->pending->output;
    x->pending = NULL;
}

/* A term alone, behind a linear node, is a bias. */
static ts_status take_bias(ts_onnx *net, ts_meaning *x) {
    ts_stage *s = &x->stages.data[0];
    bool alone = s->m == 1 && s->d == 1 && s->mean == 1 && s->low == INT64_MIN && s->high == INT64_MAX;
    for (uint32_t i = 0; alone && i < s->channels; i++) {
        alone = s->a[i] == 1;
    }
    if (!alone) {
        return TS_OK;
    }
    int32_t *bias = TS_NEW_ARRAY(net->arena, int32_t, x->c);
    const ts_tensor *old = x->pending->bias == TS_NONE ? NULL : &net->graph->tensors.data[x->pending->bias];
    for (uint32_t c = 0; c < x->c; c++) {
        int64_t sum = s->b[s->channels == 1 ? 0 : c];
        if (__builtin_add_overflow(sum, old == NULL ? 0 : ((const int32_t *)old->data)[c], &sum) ||
            sum < INT32_MIN || sum > INT32_MAX) {
            return ts_error(net->diags, TS_DIAG_VALUE, s->node_name, NULL, "a bias passes 32 bits");
        }
        bias[c] = (int32_t)sum;
    }
    const char *name = ts_arena_printf(net->scratch, "%s.bias", x->pending->name);
    x->pending->bias = ts__new_tensor(net, name, TS_S32, 1, &x->c, bias);
    drop_first_stage(x);
    return TS_OK;
}

static ts_status force_linear(ts_onnx *net, ts_meaning *x, const ts_onnx_node *reader) {
    ts_type type = TS_S32;
    if (x->stages.count > 0 && ts_op_has_weights(x->pending->op)) {
        TS_TRY(take_bias(net, x));
    }
    if (x->stages.count > 0) {
        const ts_stage *s = &x->stages.data[0];
        if (!ts__stage_whole(s)) {
            return not_whole(net, s, reader);
        }
        ts_requant *rq = &x->pending->requant;
        TS_TRY(requant_of(net, s, rq));
        TS_TRY(choose_type(net, s, reach(net, x->pending, s, x->c), &type, &rq->low, &rq->high));
        drop_first_stage(x);
    }
    add_pending(net, x, type);
    return TS_OK;
}

/* The maximum itself keeps its input's type; what follows is its requantisation. */
static ts_status force_maximum(ts_onnx *net, ts_meaning *x, const ts_onnx_node *reader) {
    ts_type type = net->graph->tensors.data[x->pending->inputs[0]].type;
    if (x->stages.count > 0) {
        const ts_stage *s = &x->stages.data[0];
        if (!ts__stage_whole(s)) {
            return not_whole(net, s, reader);
        }
        ts_requant *rq = &x->pending->requant;
        TS_TRY(requant_of(net, s, rq));
        TS_TRY(choose_type(net, s, reach(net, x->pending, s, x->c), &type, &rq->low, &rq->high));
        drop_first_stage(x);
    }
    add_pending(net, x, type);
    return TS_OK;
}

/* Nothing but a scale, and no bound that the input's type does not have already. */
static bool is_plain_mean(const ts_stage *s, ts_type in) {
    bool bounded = s->high != INT64_MAX || (s->low != INT64_MIN && s->low != ts_type_low(in));
    for (uint32_t i = 0; i < s->channels; i++) {
        bounded = bounded || s->b[i] != 0;
    }
    return !bounded;
}

/* An average pooling keeps its input's sign and width: its mean saturates there where no term is added and
 * no Clip says otherwise. */
static ts_status force_average(ts_onnx *net, ts_meaning *x) {
    ts_type in = net->graph->tensors.data[x->pending->inputs[0]].type, type = in;
    if (x->stages.count == 0) {
        ts_onnx_node self = {.name = x->pending->name, .file_index = x->pending->file_index};
        ts__stage_push(net, &self, x)->name = x->name;
    }
    ts_stage *s = &x->stages.data[0];
    if (!ts__stage_whole(s)) {
        ts_warn(net->diags, TS_DIAG_VALUE, x->pending->name, "AveragePool",
                "no requantisation follows; the mean is rounded down");
        s->floored = true;
    }
    ts_requant *rq = &x->pending->requant;
    TS_TRY(requant_of(net, s, rq));
    if (is_plain_mean(s, in)) {
        rq->low = (int32_t)ts_type_low(in);
        rq->high = (int32_t)ts_type_high(in);
    } else {
        TS_TRY(choose_type(net, s, reach(net, x->pending, s, x->c), &type, &rq->low, &rq->high));
    }
    drop_first_stage(x);
    add_pending(net, x, type);
    return TS_OK;
}

static bool scalar_step(const ts_stage *s, ts_add_step *step) {
    int64_t mul, add, div;
    if (s->channels != 1 || __builtin_mul_overflow(s->a[0], s->m, &mul) ||
        __builtin_mul_overflow(s->b[0], s->m, &add) || __builtin_mul_overflow(s->d, s->mean, &div) ||
        mul < -MAX_FACTOR || mul > MAX_FACTOR || add < -MAX_TERM || add > MAX_TERM || div > MAX_TERM ||
        s->low > INT32_MAX || s->high < INT32_MIN) {
        return false;
    }
    *step = (ts_add_step){
        .mul = mul,
        .add = add,
        .div = div,
        .low = s->low < INT32_MIN ? INT32_MIN : (int32_t)s->low,
        .high = s->high > INT32_MAX ? INT32_MAX : (int32_t)s->high,
    };
    return true;
}

static ts_type wider(ts_type a, ts_type b) { return ts_type_bits(a) >= ts_type_bits(b) ? a : b; }

/* The result of a sum step, of the type that holds it but no narrower than the operands; 8 bits where
 * the chip's saturation is asked for. */
static ts_status sum_type(ts_onnx *net, ts_node *node, ts_type *type) {
    const ts_tensor *tensors = net->graph->tensors.data;
    range r = step_range(&node->sum, sum_operands_range(net, node));
    bool clipped = node->sum.low != INT32_MIN || node->sum.high != INT32_MAX;
    if (net->options.saturate_add && !clipped) {
        *type = r.low < 0 ? TS_S8 : TS_U8;
        node->sum.low = (int32_t)ts_type_low(*type);
        node->sum.high = (int32_t)ts_type_high(*type);
        return TS_OK;
    }
    bool has_low = node->sum.low != INT32_MIN, has_high = node->sum.high != INT32_MAX;
    int64_t low = has_low ? node->sum.low : (int64_t)r.low,
            high = has_high ? node->sum.high : (int64_t)r.high;
    ts_type operands = wider(tensors[node->inputs[0]].type, tensors[node->inputs[1]].type);
    *type = ts_type_for_range(low, high);
    if (!clipped && ts_type_bits(*type) < ts_type_bits(operands)) {
        uint32_t bits = ts_type_bits(operands);
        bool is_signed = low < 0;
        *type = bits == 4    ? (is_signed ? TS_S4 : TS_U4)
                : bits == 8  ? (is_signed ? TS_S8 : TS_U8)
                : bits == 16 ? TS_S16
                             : TS_S32;
    }
    range kept = *type == TS_S32 ? r : type_range(*type);
    node->sum.low = has_low ? node->sum.low : (int32_t)kept.low;
    node->sum.high = has_high ? node->sum.high : (int32_t)kept.high;
    return TS_OK;
}

/* Only a division, and a clip behind it; what has factors or terms is the addition's requantisation. */
static bool is_quotient(const ts_stage *s) {
    return ts__stage_whole(s) && s->channels == 1 && s->a[0] == 1 && s->b[0] == 0 && s->m == 1;
}

static ts_status force_sum(ts_onnx *net, ts_meaning *x, const ts_onnx_node *reader) {
    ts_node *node = x->pending;
    ts_type type;
    bound_step(net, &node->in1, node->inputs[0]);
    bound_step(net, &node->in2, node->inputs[1]);
    range operands = sum_operands_range(net, node);
    if (!x->sum_done && x->stages.count > 0 && is_quotient(&x->stages.data[0]) &&
        scalar_step(&x->stages.data[0], &node->sum)) {
        drop_first_stage(x);
    }
    if (!fits_s32(operands) || !fits_s32(step_range(&node->sum, operands))) {
        return ts_error(net->diags, TS_DIAG_VALUE, node->name, "Add", "its sum can pass 32 bits");
    }
    if (x->stages.count > 0) {
        const ts_stage *s = &x->stages.data[0];
        if (!ts__stage_whole(s)) {
            return not_whole(net, s, reader);
        }
        TS_TRY(requant_of(net, s, &node->requant));
        TS_TRY(
            choose_type(net, s, reach(net, node, s, x->c), &type, &node->requant.low, &node->requant.high));
        drop_first_stage(x);
    } else {
        TS_TRY(sum_type(net, node, &type));
    }
    add_pending(net, x, type);
    return TS_OK;
}

/* What a stage makes of one value; false where that passes 128 bits on the way. */
static bool stage_value(const ts_stage *s, wide v, wide *out) {
    wide y;
    if (__builtin_mul_overflow(s->a[0], v, &y) || __builtin_add_overflow(y, s->b[0], &y) ||
        __builtin_mul_overflow(y, s->m, &y)) {
        return false;
    }
    y = wide_floor_div(y, (wide)s->d * s->mean);
    *out = y < s->low ? s->low : y > s->high ? s->high : y;
    return true;
}

/* A function of one element takes what follows it into its table, as long as that is the same for all
 * channels; its last results must fit 8 bits. */
static ts_status force_table(ts_onnx *net, ts_meaning *x, const ts_onnx_node *reader) {
    const ts_tensor *in = &net->graph->tensors.data[x->pending->inputs[0]];
    const char *name = ts_arena_printf(net->scratch, "%s.table", x->pending->name);
    wide values[256];
    range all = {INT64_MAX, INT64_MIN};
    const uint32_t entries = 1u << ts_type_bits(in->type);
    for (uint32_t i = 0; i < entries; i++) {
        values[i] = x->table[i];
    }
    while (x->stages.count > 0 && x->stages.data[0].channels == 1) {
        const ts_stage s = x->stages.data[0];
        if (!ts__stage_whole(&s)) {
            return not_whole(net, &s, reader);
        }
        for (uint32_t i = 0; i < entries; i++) {
            if (!stage_value(&s, values[i], &values[i])) {
                return ts_error(net->diags, TS_DIAG_VALUE, s.node_name, NULL, "its constants are too large");
            }
        }
        all = s.low != INT64_MIN && s.high != INT64_MAX ? (range){s.low, s.high}
                                                        : (range){INT64_MAX, INT64_MIN};
        drop_first_stage(x);
    }
    for (uint32_t i = 0; i < entries; i++) {
        all = join(all, (range){values[i], values[i]});
    }
    ts_type type = fits_s32(all) ? ts_type_for_range((int64_t)all.low, (int64_t)all.high) : TS_S32;
    if (ts_type_bits(type) > 8) {
        return ts_error(net->diags, TS_DIAG_UNSUPPORTED, x->pending->name, NULL,
                        "its results pass 8 bits; a requantisation that is the same for all channels has to "
                        "follow");
    }
    int8_t *data = TS_NEW_ARRAY(net->arena, int8_t, entries);
    for (uint32_t i = 0; i < entries; i++) {
        data[i] = (int8_t)(uint8_t)(int64_t)values[i];
    }
    x->pending->weights = ts__new_tensor(net, name, type, 1, &entries, data);
    add_pending(net, x, type);
    return TS_OK;
}

/* The stage changes nothing that a tensor of bytes can hold. */
static bool keeps_bytes(const ts_stage *s, ts_type type) {
    bool keeps = ts_type_bits(type) <= 8 && !s->says_type && s->channels == 1 && ts__stage_whole(s);
    for (int64_t v = ts_type_low(type); keeps && v <= ts_type_high(type); v++) {
        wide y;
        keeps = stage_value(s, v, &y) && y == v;
    }
    return keeps;
}

static ts_status add_requant(ts_onnx *net, ts_meaning *x, const ts_onnx_node *reader) {
    const ts_stage *s = &x->stages.data[0];
    if (!ts__stage_whole(s)) {
        return not_whole(net, s, reader);
    }
    if (keeps_bytes(s, net->graph->tensors.data[x->tensor].type)) {
        drop_first_stage(x);
        return TS_OK;
    }
    ts_node node = {
        .name = ts_arena_strdup(net->arena, s->node_name),
        .file_index = s->file_index,
        .op = TS_OP_REQUANT,
        .input_count = 1,
        .inputs = {x->tensor},
        .weights = TS_NONE,
        .bias = TS_NONE,
    };
    ts_type type;
    TS_TRY(requant_of(net, s, &node.requant));
    TS_TRY(choose_type(net, s, reach(net, &node, s, x->c), &type, &node.requant.low, &node.requant.high));
    uint32_t dims[4] = {1, x->h, x->w, x->c};
    drop_first_stage(x);
    node.output = ts__new_tensor(net, x->name, type, 4, dims, NULL);
    ts_graph_add_node(net->graph, &node);
    x->tensor = node.output;
    return TS_OK;
}

static ts_status force_pending(ts_onnx *net, ts_meaning *x, const ts_onnx_node *reader) {
    switch (x->pending->op) {
        case TS_OP_ADD:
            return force_sum(net, x, reader);
        case TS_OP_AVG_POOL:
            return force_average(net, x);
        case TS_OP_MAX_POOL:
            return force_maximum(net, x, reader);
        case TS_OP_LUT:
            return force_table(net, x, reader);
        default:
            return force_linear(net, x, reader);
    }
}

ts_status ts__force(ts_onnx *net, ts_meaning *x, const ts_onnx_node *reader) {
    drop_identities(x);
    if (x->pending != NULL) {
        TS_TRY(force_pending(net, x, reader));
    }
    while (x->stages.count > 0) {
        TS_TRY(add_requant(net, x, reader));
    }
    return TS_OK;
}

/* A factor, term or divisor at the end, neither rounded nor clipped yet: the addition takes it. */
static bool ends_open(const ts_meaning *x) {
    ts_add_step step;
    const ts_stage *s = &x->stages.data[x->stages.count - 1];
    return !s->floored && s->low == INT64_MIN && s->high == INT64_MAX && scalar_step(s, &step);
}

ts_status ts__force_branch(ts_onnx *net, ts_meaning *x, const ts_onnx_node *reader) {
    ts_add_step step;
    drop_identities(x);
    if (x->pending != NULL && x->pending->op == TS_OP_LUT) {
        TS_TRY(force_table(net, x, reader));
    }
    if (x->pending != NULL) {
        uint32_t own = x->pending->op == TS_OP_AVG_POOL ? 1 : 0; /* the mean belongs to the pooling */
        bool open = x->stages.count > own && ends_open(x);
        x->stages.count -= open;
        TS_TRY(force_pending(net, x, reader));
        x->stages.count += open;
    }
    while (x->stages.count > 1 || (x->stages.count == 1 && !scalar_step(&x->stages.data[0], &step))) {
        TS_TRY(add_requant(net, x, reader));
    }
    return TS_OK;
}
