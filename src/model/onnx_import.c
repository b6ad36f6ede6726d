#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/float_model.h"
#include "model/onnx.h"
#include "model/qdq.h"
#include "model/values.h"

#define FAIL(code, ...) ts_error(net->diags, (code), node->name, node->op, __VA_ARGS__)

typedef ts_status handler(ts_onnx *net, const ts_onnx_node *node, ts_meaning *x);

static handler on_own, on_pass, on_cast, on_reshape, on_transpose, on_pad, on_multiply, on_add, on_subtract,
    on_divide, on_negate, on_floor, on_clip, on_relu, on_requant_shift, on_conv, on_linear, on_pool, on_mean,
    on_norm, on_softmax, on_function, on_integer_mean, on_gather, on_slice, on_concat;

/* Operators and what takes them: ELEMENT and VIEW ones may also stand in the float tail, TAIL ones begin it,
 * CONSTANT ones are computed at import. docs/onnx-dialects.md lists the same set. */
#define OPERATORS(X)                           \
    X("Constant", CONSTANT, NULL)              \
    X("Shape", CONSTANT, NULL)                 \
    X("Identity", VIEW, on_pass)               \
    X("Dropout", VIEW, on_pass)                \
    X("Cast", VIEW, on_cast)                   \
    X("Flatten", VIEW, on_reshape)             \
    X("Reshape", VIEW, on_reshape)             \
    X("Squeeze", VIEW, on_reshape)             \
    X("Unsqueeze", VIEW, on_reshape)           \
    X("Transpose", VIEW, on_transpose)         \
    X("Pad", LAYER, on_pad)                    \
    X("Mul", ELEMENT, on_multiply)             \
    X("Add", ELEMENT, on_add)                  \
    X("Sum", ELEMENT, on_add)                  \
    X("Sub", ELEMENT, on_subtract)             \
    X("Div", ELEMENT, on_divide)               \
    X("Neg", ELEMENT, on_negate)               \
    X("Floor", ELEMENT, on_floor)              \
    X("Clip", ELEMENT, on_clip)                \
    X("Relu", ELEMENT, on_relu)                \
    X("RequantShift", LAYER, on_requant_shift) \
    X("Conv", LAYER, on_conv)                  \
    X("Gemm", LAYER, on_linear)                \
    X("MatMul", LAYER, on_linear)              \
    X("MaxPool", LAYER, on_pool)               \
    X("AveragePool", LAYER, on_pool)           \
    X("GlobalMaxPool", LAYER, on_pool)         \
    X("GlobalAveragePool", LAYER, on_pool)     \
    X("ReduceMean", LAYER, on_mean)            \
    X("iLayerNorm", LAYER, on_norm)            \
    X("iRMSNorm", LAYER, on_norm)              \
    X("iSoftmax", LAYER, on_softmax)           \
    X("ITAMax", LAYER, on_softmax)             \
    X("iGELU", LAYER, on_function)             \
    X("iHardswish", LAYER, on_function)        \
    X("TrueIntegerDiv", LAYER, on_function)    \
    X("IntegerMean", LAYER, on_integer_mean)   \
    X("Gather", VIEW, on_gather)               \
    X("Sigmoid", TAIL, NULL)                   \
    X("Softmax", TAIL, NULL)                   \
    X("LogSoftmax", TAIL, NULL)                \
    X("Concat", VIEW, on_concat)               \
    X("ArgMax", TAIL, NULL)                    \
    X("Tanh", TAIL, NULL)                      \
    X("Exp", TAIL, NULL)                       \
    X("Log", TAIL, NULL)                       \
    X("Slice", VIEW, on_slice)                 \
    X("Split", TAIL, NULL)

typedef enum role { CONSTANT, VIEW, ELEMENT, LAYER, TAIL } role;

typedef struct operator_row {
    const char *name;
    role role;
    handler *take;
} operator_row;

static const operator_row operators[] = {
#define ROW(name, role, take) {name, role, take},
    OPERATORS(ROW)
#undef ROW
};
enum { OPERATOR_COUNT = sizeof operators / sizeof operators[0] };

const char *ts_model_operator(uint32_t index, const char **becomes) {
    static const char *const roles[] = {
        [CONSTANT] = "computed at import",
        [VIEW] = "moves or changes no value",
        [ELEMENT] = "goes into a layer's requantisation, else `requant`",
        [LAYER] = "layer",
        [TAIL] = "left out at the end of the network",
    };
    *becomes = index < OPERATOR_COUNT ? roles[operators[index].role] : NULL;
    return index < OPERATOR_COUNT ? operators[index].name : NULL;
}

static bool is(const ts_onnx_node *node, const char *op) { return strcmp(node->op, op) == 0; }

static const operator_row *row_of(const ts_onnx_node *node) {
    static const operator_row own = {"", LAYER, on_own};
    const char *domain = node->proto->domain == NULL ? "" : node->proto->domain;
    if (strcmp(domain, "tessera") == 0) {
        return &own;
    }
    if (*domain != '\0' && strcmp(domain, "ai.onnx") != 0 && strcmp(domain, "PACTOps") != 0 &&
        strcmp(domain, "ai.onnx.contrib") != 0) {
        return NULL;
    }
    for (uint32_t i = 0; i < OPERATOR_COUNT; i++) {
        if (is(node, operators[i].name)) {
            return &operators[i];
        }
    }
    return NULL;
}

/* Names every operator that is not served, not only the first. */
static ts_status check_operators(ts_onnx *net) {
    enum { MOST = 20 };
    uint32_t unknown = 0;
    for (uint32_t i = 0; i < net->order_count && unknown < MOST; i++) {
        const ts_onnx_node *node = &net->nodes[net->order[i]];
        if (row_of(node) == NULL) {
            bool is_float = is(node, "BatchNormalization");
            FAIL(TS_DIAG_UNSUPPORTED, "this operator is not served in an integer network%s",
                 is_float ? "; of a float network `tessera quantize` makes an integer one"
                          : "; docs/onnx-dialects.md lists those that are");
            unknown++;
        }
    }
    return unknown == 0 ? TS_OK : TS_BAD_INPUT;
}

/* A float network is called so before anything else of it is found fault with. */
static ts_status check_weights(ts_onnx *net) {
    for (uint32_t i = 0; i < net->order_count; i++) {
        const ts_onnx_node *node = &net->nodes[net->order[i]];
        bool weighted = is(node, "Conv") || is(node, "Gemm") || is(node, "MatMul");
        const ts_constant *weights = weighted ? ts__onnx_const_input(net, node, 1) : NULL;
        if (weights != NULL) {
            TS_TRY(ts__constant_whole(net, node, weights, "weights"));
        }
    }
    return TS_OK;
}

/* ---- constants beside activations ---- */

/* Reads a constant operand as one number, or one for each channel of x. */
static ts_status operand_of(ts_onnx *net, const ts_onnx_node *node, const ts_meaning *x, const ts_constant *c,
                            const char *what, ts_operand *out) {
    TS_TRY(ts__constant_whole(net, node, c, what));
    TS_TRY(ts__onnx_work(net, node, c->count));
    const ts_view *view = &x->view;
    *out = (ts_operand){c->ints, 1};
    if (c->count == 1) {
        return TS_OK;
    }
    uint32_t varying = TS_NONE, axes = 0, step;
    bool fits = c->count > 0;
    /* A requantisation of a series whose constants are written as those of a map, {C, 1, 1}. */
    if (is(node, "RequantShift") && c->rank == 3 && view->rank == 3 && c->dims[0] == c->count &&
        c->count == x->c && view->dims[1] == x->c && ts__view_stride(view, 1, &step) && step == 1) {
        out->count = x->c;
        return TS_OK;
    }
    for (uint32_t i = 0; fits && i < c->rank; i++) {
        uint32_t dim = c->dims[i];
        int64_t at = (int64_t)view->rank - c->rank + i;
        fits = dim == 1 || (at >= 0 && view->dims[at] == dim);
        if (dim != 1) {
            varying = (uint32_t)at;
            axes++;
        }
    }
    if (!fits) {
        return FAIL(TS_DIAG_SHAPE, "the shape of %s '%s' does not fit its other operand", what, c->name);
    }
    uint32_t stride;
    if (axes == 1 && view->dims[varying] == x->c && ts__view_stride(view, varying, &stride) && stride == 1) {
        out->count = x->c;
        return TS_OK;
    }
    for (uint64_t i = 1; i < c->count; i++) {
        if (c->ints[i] != c->ints[0]) {
            return FAIL(TS_DIAG_UNSUPPORTED,
                        "%s '%s' varies along another axis than the channels; one number, or one a channel, "
                        "is served",
                        what, c->name);
        }
    }
    return TS_OK;
}

/* The constant among two operands; `first` says that it is the first. NULL where both are activations. */
static const ts_constant *constant_operand(const ts_onnx *net, const ts_onnx_node *node, bool *first) {
    const ts_constant *a = ts__onnx_const_input(net, node, 0);
    *first = a != NULL;
    return a != NULL ? a : ts__onnx_const_input(net, node, 1);
}

static ts_meaning *meaning_at(const ts_onnx *net, const ts_onnx_node *node, uint32_t input) {
    uint32_t v = input < node->input_count ? node->inputs[input] : TS_NONE;
    return v == TS_NONE ? NULL : net->values.data[v].meaning;
}

static ts_meaning *copy_of(ts_onnx *net, const ts_meaning *x) {
    return ts_arena_copy(net->scratch, x, sizeof *x);
}

static void set_result(ts_onnx *net, const ts_onnx_node *node, ts_meaning *x) {
    net->values.data[node->outputs[0]].meaning = x;
}

/* A layer of our own files, with all its activations. */
static ts_status on_own(ts_onnx *net, const ts_onnx_node *node, ts_meaning *x) {
    ts_meaning *inputs[TS_MAX_INPUTS] = {x}, *y;
    uint32_t count = 1;
    for (uint32_t k = 1; k < node->input_count; k++) {
        ts_meaning *other = meaning_at(net, node, k);
        if (other == NULL) {
            continue; /* a table */
        }
        if (count == TS_MAX_INPUTS || other->padded) {
            return FAIL(TS_DIAG_UNSUPPORTED, "more than %d inputs, or a padded one", TS_MAX_INPUTS);
        }
        inputs[count++] = copy_of(net, other);
    }
    TS_TRY(ts__import_own(net, node, inputs, count, &y));
    set_result(net, node, y);
    return TS_OK;
}

/* ---- views ---- */

static ts_status on_pass(ts_onnx *net, const ts_onnx_node *node, ts_meaning *x) {
    set_result(net, node, x);
    return TS_OK;
}

static void value_bounds(const ts_onnx *net, const ts_meaning *x, int64_t *low, int64_t *high) {
    *low = INT64_MIN;
    *high = INT64_MAX;
    if (x->stages.count > 0) {
        *low = x->stages.data[x->stages.count - 1].low;
        *high = x->stages.data[x->stages.count - 1].high;
    } else if (x->pending == NULL) {
        *low = ts_type_low(net->graph->tensors.data[x->tensor].type);
        *high = ts_type_high(net->graph->tensors.data[x->tensor].type);
    } else if (x->pending->op == TS_OP_MAX_POOL) {
        *low = ts_type_low(net->graph->tensors.data[x->pending->inputs[0]].type);
        *high = ts_type_high(net->graph->tensors.data[x->pending->inputs[0]].type);
    }
}

/* A cast to an integer type takes the fraction away. It truncates; with NEMO's lower bound of 0 that
 * cannot be told from rounding down, which is what the hardware does. */
static ts_status on_cast(ts_onnx *net, const ts_onnx_node *node, ts_meaning *x) {
    int64_t to, low, high, least = INT64_MIN, most = INT64_MAX;
    TS_TRY(ts__onnx_attr_int(net, node, "to", 0, &to));
    set_result(net, node, x);
    switch (to) {
        case ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT:
        case ONNX__TENSOR_PROTO__DATA_TYPE__DOUBLE:
            x->integer = false;
            return TS_OK;
        case ONNX__TENSOR_PROTO__DATA_TYPE__INT32:
        case ONNX__TENSOR_PROTO__DATA_TYPE__INT64:
            break;
        case ONNX__TENSOR_PROTO__DATA_TYPE__INT8:
        case ONNX__TENSOR_PROTO__DATA_TYPE__INT16:
            least = to == ONNX__TENSOR_PROTO__DATA_TYPE__INT8 ? INT8_MIN : INT16_MIN;
            most = -1 - least;
            break;
        case ONNX__TENSOR_PROTO__DATA_TYPE__UINT8:
        case ONNX__TENSOR_PROTO__DATA_TYPE__UINT16:
            least = 0;
            most = to == ONNX__TENSOR_PROTO__DATA_TYPE__UINT8 ? UINT8_MAX : UINT16_MAX;
            break;
        default:
            return FAIL(TS_DIAG_UNSUPPORTED,
                        "a cast to ONNX type %lld; float, double and integers of 8 to 64 bits "
                        "are served",
                        (long long)to);
    }
    TS_TRY(ts__stage_floor(net, node, x));
    x->integer = true;
    value_bounds(net, x, &low, &high);
    if (low < least || high > most) {
        return FAIL(TS_DIAG_UNSUPPORTED,
                    "the value may not fit the type it is cast to; a Clip has to stand "
                    "before it");
    }
    return TS_OK;
}

static ts_status on_reshape(ts_onnx *net, const ts_onnx_node *node, ts_meaning *x) {
    uint32_t dims[TS_MAX_RANK] = {0}, rank;
    TS_TRY(ts__onnx_reshape(net, node, x->view.dims, x->view.rank, dims, &rank));
    if (!ts__view_reshape(&x->view, dims, rank)) {
        return FAIL(TS_DIAG_UNSUPPORTED, "its new dimensions cut across the old ones");
    }
    TS_TRY(ts__settle_tokens(net, node, x));
    set_result(net, node, x);
    return TS_OK;
}

static ts_status on_transpose(ts_onnx *net, const ts_onnx_node *node, ts_meaning *x) {
    const int64_t *perm;
    uint32_t count, seen = 0, permutation[TS_MAX_RANK] = {0};
    TS_TRY(ts__onnx_attr_ints(net, node, "perm", &perm, &count));
    for (uint32_t i = 0; i < x->view.rank; i++) {
        int64_t from = count == 0 ? (int64_t)x->view.rank - 1 - i : i < count ? perm[i] : -1;
        if (from < 0 || from >= (int64_t)x->view.rank || (seen >> from & 1) != 0) {
            return FAIL(TS_DIAG_SHAPE, "its permutation does not fit its input");
        }
        seen |= 1u << from;
        permutation[i] = (uint32_t)from;
    }
    ts__view_transpose(&x->view, permutation);
    set_result(net, node, x);
    return TS_OK;
}

/* pads as all begins, then all ends, of every dimension, or of those that input 3 names. */
static ts_status read_pads(ts_onnx *net, const ts_onnx_node *node, uint32_t rank, int64_t *pads) {
    const int64_t *values;
    uint32_t count, axis_count = rank;
    const ts_constant *input = ts__onnx_const_input(net, node, 1), *axes = ts__onnx_const_input(net, node, 3);
    if (node->input_count > 1 && node->inputs[1] != TS_NONE && input == NULL) {
        return FAIL(TS_DIAG_UNSUPPORTED, "its pads are computed by the network; they must be constant");
    }
    if (input != NULL) {
        TS_TRY(ts__constant_whole(net, node, input, "pads"));
        values = input->ints;
        count = (uint32_t)input->count;
    } else {
        const char *name = ts__onnx_attribute(node, "pads") != NULL ? "pads" : "paddings";
        TS_TRY(ts__onnx_attr_ints(net, node, name, &values, &count));
    }
    if (axes != NULL) {
        axis_count = axes->ints != NULL && axes->count <= rank ? (uint32_t)axes->count : 0;
    }
    if (count != 2 * axis_count) {
        return FAIL(TS_DIAG_SHAPE, "it has %u pads for %u dimensions", count, axis_count);
    }
    for (uint32_t i = 0; i < axis_count; i++) {
        int64_t axis = axes == NULL ? i : axes->ints[i] < 0 ? axes->ints[i] + rank : axes->ints[i];
        if (axis < 0 || axis >= rank) {
            return FAIL(TS_DIAG_SHAPE, "its axes are outside its dimensions");
        }
        pads[axis] = values[i];
        pads[rank + axis] = values[axis_count + i];
    }
    return TS_OK;
}

static ts_status check_pad_mode(ts_onnx *net, const ts_onnx_node *node) {
    double value;
    const char *mode = ts__onnx_attr_text(net, node, "mode");
    TS_TRY(ts__onnx_attr_float(net, node, "value", 0, &value));
    if (node->input_count > 2 && node->inputs[2] != TS_NONE) {
        const ts_constant *c = ts__onnx_const_input(net, node, 2);
        value = c != NULL && c->count == 1 && c->ints != NULL ? (double)c->ints[0] : 1;
    }
    if ((*mode != '\0' && strcmp(mode, "constant") != 0) || value != 0) {
        return FAIL(TS_DIAG_UNSUPPORTED, "padding with a constant 0 is served");
    }
    return TS_OK;
}

static ts_status on_pad(ts_onnx *net, const ts_onnx_node *node, ts_meaning *x) {
    enum { MOST = 4096 };
    int64_t pads[2 * TS_MAX_RANK] = {0};
    uint32_t rank = x->view.rank;
    TS_TRY(check_pad_mode(net, node));
    TS_TRY(read_pads(net, node, rank, pads));
    set_result(net, node, x);
    bool any = false;
    for (uint32_t i = 0; i < 2 * rank; i++) {
        bool spatial = rank >= 3 && rank <= 4 && i % rank >= 2;
        if (pads[i] != 0 && (!spatial || pads[i] < 0 || pads[i] > MOST)) {
            return FAIL(TS_DIAG_UNSUPPORTED,
                        "pad %lld of dimension %u; 0 to %d rows and columns of zeros are served",
                        (long long)pads[i], i % rank, MOST);
        }
        any = any || pads[i] != 0;
    }
    if (!any) {
        return TS_OK;
    }
    TS_TRY(ts__force(net, x, node));
    uint32_t h = rank == 4 ? 2 : TS_NONE, w = rank - 1;
    x->pads[0] += h == TS_NONE ? 0 : (uint32_t)pads[h];
    x->pads[1] += (uint32_t)pads[w];
    x->pads[2] += h == TS_NONE ? 0 : (uint32_t)pads[rank + h];
    x->pads[3] += (uint32_t)pads[rank + w];
    for (int i = 0; i < 4; i++) {
        if (x->pads[i] > MOST) {
            return FAIL(TS_DIAG_LIMIT, "more than %d rows or columns of padding", MOST);
        }
    }
    x->padded = true;
    return TS_OK;
}

/* ---- element-wise ---- */

/* The second activation of a pair, as its own copy. */
static ts_status second_operand(ts_onnx *net, const ts_onnx_node *node, ts_meaning **out) {
    ts_meaning *other = meaning_at(net, node, 1);
    if (other == NULL || other->padded || other->tail) {
        return FAIL(TS_DIAG_UNSUPPORTED, "its second operand is missing or padded");
    }
    *out = copy_of(net, other);
    return TS_OK;
}

static ts_status multiply_branches(ts_onnx *net, const ts_onnx_node *node, ts_meaning *x) {
    ts_meaning *other, *y;
    TS_TRY(second_operand(net, node, &other));
    TS_TRY(ts__force(net, x, node));
    TS_TRY(ts__force(net, other, node));
    if (!ts__same_layout(x, other)) {
        TS_TRY(ts__align(net, node, x, other));
    }
    TS_TRY(ts__import_mul(net, node, x, other, &y));
    y->integer = x->integer && other->integer;
    set_result(net, node, y);
    return TS_OK;
}

static ts_status on_multiply(ts_onnx *net, const ts_onnx_node *node, ts_meaning *x) {
    bool first;
    ts_operand k;
    const ts_constant *c = constant_operand(net, node, &first);
    if (c == NULL) {
        return multiply_branches(net, node, x);
    }
    TS_TRY(operand_of(net, node, x, c, "factor", &k));
    TS_TRY(ts__stage_multiply(net, node, x, k));
    set_result(net, node, x);
    return TS_OK;
}

static ts_status negate(ts_onnx *net, const ts_onnx_node *node, ts_meaning *x) {
    int64_t minus = -1;
    return ts__stage_multiply(net, node, x,
                              (ts_operand){ts_arena_copy(net->scratch, &minus, sizeof minus), 1});
}

/* Two activations: each may bring factors of its own. */
static ts_status add_branches(ts_onnx *net, const ts_onnx_node *node, ts_meaning *x, bool subtract) {
    ts_meaning *other, *y;
    TS_TRY(second_operand(net, node, &other));
    if (subtract) {
        TS_TRY(negate(net, node, other));
    }
    bool plain = ts__onnx_attribute(node, "in1_mul") == NULL && ts__onnx_attribute(node, "in1_rq") == NULL;
    ts_status (*force)(ts_onnx *, ts_meaning *, const ts_onnx_node *) = plain ? ts__force_branch : ts__force;
    TS_TRY(force(net, x, node));
    TS_TRY(force(net, other, node));
    if (!ts__same_layout(x, other)) {
        TS_TRY(ts__align(net, node, x, other));
    }
    TS_TRY(ts__import_residual(net, node, x, other, &y));
    y->integer = x->integer && other->integer;
    set_result(net, node, y);
    return TS_OK;
}

static ts_status on_add(ts_onnx *net, const ts_onnx_node *node, ts_meaning *x) {
    bool first;
    ts_operand k;
    const ts_constant *c = constant_operand(net, node, &first);
    if (node->input_count != 2) {
        return FAIL(TS_DIAG_UNSUPPORTED, "%u operands; two are served", node->input_count);
    }
    if (c == NULL) {
        return add_branches(net, node, x, false);
    }
    TS_TRY(operand_of(net, node, x, c, "term", &k));
    TS_TRY(ts__stage_add(net, node, x, k));
    set_result(net, node, x);
    return TS_OK;
}

static ts_status on_subtract(ts_onnx *net, const ts_onnx_node *node, ts_meaning *x) {
    bool first;
    ts_operand k;
    const ts_constant *c = constant_operand(net, node, &first);
    if (c == NULL) {
        return add_branches(net, node, x, true);
    }
    TS_TRY(operand_of(net, node, x, c, "term", &k));
    if (first) {
        TS_TRY(negate(net, node, x));
    } else {
        TS_TRY(ts__onnx_work(net, node, k.count));
        int64_t *minus = TS_NEW_ARRAY(net->scratch, int64_t, k.count);
        for (uint32_t i = 0; i < k.count; i++) {
            if (__builtin_sub_overflow(0, k.values[i], &minus[i])) {
                return FAIL(TS_DIAG_VALUE, "its constant passes 63 bits");
            }
        }
        k.values = minus;
    }
    TS_TRY(ts__stage_add(net, node, x, k));
    set_result(net, node, x);
    return TS_OK;
}

static ts_status on_divide(ts_onnx *net, const ts_onnx_node *node, ts_meaning *x) {
    bool first;
    ts_operand k;
    const ts_constant *c = constant_operand(net, node, &first);
    if (c == NULL || first) {
        return FAIL(TS_DIAG_UNSUPPORTED, "its divisor must be constant");
    }
    TS_TRY(operand_of(net, node, x, c, "divisor", &k));
    for (uint32_t i = 1; i < k.count; i++) {
        if (k.values[i] != k.values[0]) {
            return FAIL(TS_DIAG_UNSUPPORTED, "its divisor differs by channel; one for the layer is served");
        }
    }
    TS_TRY(ts__stage_divide(net, node, x, k.values[0], x->integer || c->integer_type));
    set_result(net, node, x);
    return TS_OK;
}

static ts_status on_negate(ts_onnx *net, const ts_onnx_node *node, ts_meaning *x) {
    TS_TRY(negate(net, node, x));
    set_result(net, node, x);
    return TS_OK;
}

static ts_status on_floor(ts_onnx *net, const ts_onnx_node *node, ts_meaning *x) {
    TS_TRY(ts__stage_floor(net, node, x));
    set_result(net, node, x);
    return TS_OK;
}

/* One bound of a Clip: input i, or the attribute of older files. */
static ts_status clip_bound(ts_onnx *net, const ts_onnx_node *node, uint32_t i, const char *name,
                            double absent, double *out) {
    if (i >= node->input_count || node->inputs[i] == TS_NONE) {
        TS_TRY(ts__onnx_attr_float(net, node, name, absent, out));
    } else {
        const ts_constant *c = ts__onnx_const_input(net, node, i);
        if (c == NULL || c->count != 1) {
            return FAIL(TS_DIAG_UNSUPPORTED, "its bound '%s' must be one constant number", name);
        }
        *out = c->ints != NULL ? (double)c->ints[0] : c->reals[0];
    }
    return isnan(*out) ? FAIL(TS_DIAG_VALUE, "its bound '%s' is not a number", name) : TS_OK;
}

static ts_status on_clip(ts_onnx *net, const ts_onnx_node *node, ts_meaning *x) {
    double min, max;
    const double none = 4e18; /* beyond any integer of the network */
    TS_TRY(clip_bound(net, node, 1, "min", -INFINITY, &min));
    TS_TRY(clip_bound(net, node, 2, "max", INFINITY, &max));
    int64_t low = min <= -none ? INT64_MIN : min >= none ? INT64_MAX : (int64_t)ceil(min);
    int64_t high = max >= none ? INT64_MAX : max <= -none ? INT64_MIN : (int64_t)floor(max);
    TS_TRY(ts__stage_clip(net, node, x, low, high));
    if (ts__onnx_attribute(node, "out_signed") != NULL && x->stages.count > 0) {
        ts_stage *s = &x->stages.data[x->stages.count - 1];
        TS_TRY(ts__own_type(net, node, &s->type));
        s->says_type = true;
    }
    set_result(net, node, x);
    return TS_OK;
}

static ts_status on_relu(ts_onnx *net, const ts_onnx_node *node, ts_meaning *x) {
    TS_TRY(ts__stage_clip(net, node, x, 0, INT64_MAX));
    set_result(net, node, x);
    return TS_OK;
}

/* floor((x mul + add) / div + 1/2), clipped to n levels. */
static ts_status on_requant_shift(ts_onnx *net, const ts_onnx_node *node, ts_meaning *x) {
    const ts_constant *mul = ts__onnx_const_input(net, node, 1), *add = ts__onnx_const_input(net, node, 2);
    if (mul == NULL || add == NULL) {
        return FAIL(TS_DIAG_UNSUPPORTED, "its factor and term must be constant");
    }
    ts_operand factor, term;
    int64_t div, levels, is_signed;
    const char *levels_name = ts__onnx_attribute(node, "n_levels_out") != NULL ? "n_levels_out" : "n_levels";
    TS_TRY(operand_of(net, node, x, mul, "factor", &factor));
    TS_TRY(operand_of(net, node, x, add, "term", &term));
    TS_TRY(ts__onnx_attr_int(net, node, "div", 0, &div));
    TS_TRY(ts__onnx_attr_int(net, node, levels_name, 256, &levels));
    TS_TRY(ts__onnx_attr_int(net, node, "signed", 0, &is_signed));
    if (div <= 0 || levels < 2 || levels > 65536) {
        return FAIL(TS_DIAG_VALUE,
                    "div %lld and %lld levels; a positive divisor and 2 to 65536 levels are served",
                    (long long)div, (long long)levels);
    }
    ts__stage_push(net, node, x);
    TS_TRY(ts__stage_multiply(net, node, x, factor));
    TS_TRY(ts__stage_add(net, node, x, term));
    x->integer = false;
    TS_TRY(ts__stage_divide(net, node, x, div, false));
    TS_TRY(ts__stage_half(net, node, x));
    TS_TRY(ts__stage_floor(net, node, x));
    TS_TRY(ts__stage_clip(net, node, x, is_signed != 0 ? -levels / 2 : 0,
                          is_signed != 0 ? levels / 2 - 1 : levels - 1));
    set_result(net, node, x);
    return TS_OK;
}

/* ---- layers ---- */

static ts_status on_conv(ts_onnx *net, const ts_onnx_node *node, ts_meaning *x) {
    ts_meaning *y;
    TS_TRY(ts__force(net, x, node));
    TS_TRY(ts__import_conv(net, node, x, &y));
    set_result(net, node, y);
    return TS_OK;
}

static ts_status on_linear(ts_onnx *net, const ts_onnx_node *node, ts_meaning *x) {
    ts_meaning *y;
    if (ts__onnx_const_input(net, node, 0) != NULL) {
        return FAIL(TS_DIAG_UNSUPPORTED, "its first operand is constant; weights must be the second");
    }
    if (is(node, "MatMul") && ts__onnx_const_input(net, node, 1) == NULL) {
        ts_meaning *other;
        TS_TRY(second_operand(net, node, &other));
        TS_TRY(ts__import_product(net, node, x, other, &y));
        set_result(net, node, y);
        return TS_OK;
    }
    TS_TRY(ts__force(net, x, node));
    TS_TRY(ts__import_linear(net, node, x, &y));
    set_result(net, node, y);
    return TS_OK;
}

static ts_status on_pool(ts_onnx *net, const ts_onnx_node *node, ts_meaning *x) {
    ts_meaning *y;
    TS_TRY(ts__force(net, x, node));
    TS_TRY(ts__import_pool(net, node, x, &y));
    set_result(net, node, y);
    return TS_OK;
}

/* ReduceMean over all rows and columns is a global average pooling. */
static ts_status on_mean(ts_onnx *net, const ts_onnx_node *node, ts_meaning *x) {
    const int64_t *axes;
    uint32_t count, rank = x->view.rank, mask = 0;
    int64_t keep;
    const ts_constant *input = ts__onnx_const_input(net, node, 1);
    TS_TRY(ts__onnx_attr_ints(net, node, "axes", &axes, &count));
    TS_TRY(ts__onnx_attr_int(net, node, "keepdims", 1, &keep));
    if (input != NULL) {
        TS_TRY(ts__constant_whole(net, node, input, "axes"));
        axes = input->ints;
        count = input->count > TS_MAX_RANK ? 0 : (uint32_t)input->count;
    }
    for (uint32_t i = 0; i < count; i++) {
        int64_t axis = axes[i] < 0 ? axes[i] + rank : axes[i];
        mask |= axis >= 2 && axis < rank ? 1u << axis : 1u << 31;
    }
    if (rank < 3 || mask != (rank == 3 ? 4u : 12u)) {
        return FAIL(TS_DIAG_UNSUPPORTED, "a mean over all rows and columns is served");
    }
    TS_TRY(on_pool(net, node, x));
    ts_meaning *y = net->values.data[node->outputs[0]].meaning;
    uint32_t dims[2] = {1, y->c};
    if (keep == 0 && !ts__view_reshape(&y->view, dims, 2)) {
        return FAIL(TS_DIAG_SHAPE, "its result cannot be flattened");
    }
    return TS_OK;
}

static ts_status on_norm(ts_onnx *net, const ts_onnx_node *node, ts_meaning *x) {
    ts_meaning *y;
    TS_TRY(ts__import_norm(net, node, x, &y));
    set_result(net, node, y);
    return TS_OK;
}

static ts_status on_softmax(ts_onnx *net, const ts_onnx_node *node, ts_meaning *x) {
    ts_meaning *y;
    TS_TRY(ts__import_softmax(net, node, x, &y));
    set_result(net, node, y);
    return TS_OK;
}

static ts_status on_function(ts_onnx *net, const ts_onnx_node *node, ts_meaning *x) {
    ts_meaning *y;
    TS_TRY(ts__import_function(net, node, x, &y));
    set_result(net, node, y);
    return TS_OK;
}

/* Of dimensions that follow each other, rounded to nearest. */
static ts_status on_integer_mean(ts_onnx *net, const ts_onnx_node *node, ts_meaning *x) {
    const int64_t *axes;
    uint32_t count, rank = x->view.rank, first = rank, over = 0;
    int64_t keep;
    ts_meaning *y;
    TS_TRY(ts__onnx_attr_ints(net, node, "axes", &axes, &count));
    TS_TRY(ts__onnx_attr_int(net, node, "keepdims", 0, &keep));
    for (uint32_t i = 0; i < count; i++) {
        int64_t axis = axes[i] < 0 ? axes[i] + rank : axes[i];
        if (axis < 0 || axis >= rank || (over >> axis & 1) != 0) {
            return FAIL(TS_DIAG_SHAPE, "its axes do not fit its input");
        }
        over |= 1u << axis;
        first = axis < first ? (uint32_t)axis : first;
    }
    if (count == 0 || over >> first != (1u << count) - 1) {
        return FAIL(TS_DIAG_UNSUPPORTED, "a mean over dimensions that follow each other is served");
    }
    TS_TRY(ts__import_mean(net, node, x, first, count, keep != 0, &y));
    TS_TRY(ts__stage_half(net, node, y));
    TS_TRY(ts__stage_floor(net, node, y));
    y->integer = true;
    set_result(net, node, y);
    return TS_OK;
}

/* ---- parts of values ---- */

static bool reads_any(const ts_onnx_node *node, const bool *values) {
    for (uint32_t k = 0; k < node->input_count; k++) {
        if (node->inputs[k] != TS_NONE && values[node->inputs[k]]) {
            return true;
        }
    }
    return false;
}

static ts_status take_tail(ts_onnx *net, const ts_onnx_node *node);

/* Sums of 32 bits that nothing requantises: what takes them apart is behind the last layer. */
static bool is_accumulator(const ts_onnx *net, const ts_meaning *x) {
    if (x->stages.count > 0) {
        const ts_stage *last = &x->stages.data[x->stages.count - 1];
        return last->low < INT16_MIN || last->high > INT16_MAX;
    }
    if (x->pending == NULL) {
        return net->graph->tensors.data[x->tensor].type == TS_S32;
    }
    return x->pending->op != TS_OP_MAX_POOL && x->pending->op != TS_OP_LUT;
}

/* Whether a node that takes values apart or joins them belongs to the float tail: it reads sums that nothing
 * requantises, or no layer is behind it but what only a tail has. */
static ts_status begins_tail(ts_onnx *net, const ts_onnx_node *node, const ts_meaning *x, bool *out) {
    bool *reached = TS_NEW_ARRAY(net->scratch, bool, net->values.count);
    TS_TRY(ts__onnx_work(net, node, net->order_count));
    reached[node->outputs[0]] = true;
    *out = is_accumulator(net, x);
    for (uint32_t i = 0; i < net->order_count; i++) {
        const ts_onnx_node *next = &net->nodes[net->order[i]];
        const operator_row *row = row_of(next);
        if (!reads_any(next, reached)) {
            continue;
        }
        if (row->role == LAYER || row->role == TAIL) {
            *out = *out || row->role == TAIL;
            return TS_OK;
        }
        for (uint32_t k = 0; k < next->output_count; k++) {
            if (next->outputs[k] != TS_NONE) {
                reached[next->outputs[k]] = true;
            }
        }
    }
    return TS_OK;
}

static bool axis_in(int64_t axis, uint32_t rank, uint32_t *out) {
    axis += axis < 0 ? (int64_t)rank : 0;
    *out = (uint32_t)axis;
    return axis >= 0 && axis < (int64_t)rank;
}

/* One element along an axis, by a constant index; anything else belongs to the tail. */
static ts_status on_gather(ts_onnx *net, const ts_onnx_node *node, ts_meaning *x) {
    const ts_constant *index = ts__onnx_const_input(net, node, 1);
    uint32_t axis, dims[TS_MAX_RANK], kept = 0;
    int64_t given;
    bool in_tail;
    ts_meaning *y;
    TS_TRY(begins_tail(net, node, x, &in_tail));
    TS_TRY(ts__onnx_attr_int(net, node, "axis", 0, &given));
    if (index == NULL || index->ints == NULL || index->count != 1 || index->rank > 1 || in_tail ||
        !axis_in(given, x->view.rank, &axis)) {
        return take_tail(net, node);
    }
    uint32_t size = x->view.dims[axis], at;
    if (!axis_in(index->ints[0], size, &at)) {
        return FAIL(TS_DIAG_SHAPE, "its index %lld is outside its input", (long long)index->ints[0]);
    }
    TS_TRY(ts__import_part(net, node, x, &(ts_part){axis, at, 1, 1}, &y));
    for (uint32_t i = 0; i < y->view.rank; i++) {
        if (i != axis || index->rank == 1) {
            dims[kept++] = y->view.dims[i];
        }
    }
    if (kept == 0 || !ts__view_reshape(&y->view, dims, kept)) {
        return FAIL(TS_DIAG_SHAPE, "its result cannot be shaped");
    }
    set_result(net, node, y);
    return TS_OK;
}

/* Numbers of a Slice: input `i`, or the attribute of older files. */
static ts_status slice_numbers(ts_onnx *net, const ts_onnx_node *node, uint32_t i, const char *name,
                               const int64_t **out, uint32_t *count) {
    const ts_constant *c = ts__onnx_const_input(net, node, i);
    if (c == NULL) {
        return ts__onnx_attr_ints(net, node, name, out, count);
    }
    TS_TRY(ts__constant_whole(net, node, c, name));
    *out = c->ints;
    *count = c->count > TS_MAX_RANK ? 0 : (uint32_t)c->count;
    return TS_OK;
}

static ts_status on_slice(ts_onnx *net, const ts_onnx_node *node, ts_meaning *x) {
    static const char *const names[4] = {"starts", "ends", "axes", "steps"};
    const int64_t *numbers[4];
    uint32_t counts[4];
    bool in_tail;
    TS_TRY(begins_tail(net, node, x, &in_tail));
    for (uint32_t i = 0; i < 4; i++) {
        bool given = i + 1 < node->input_count && node->inputs[i + 1] != TS_NONE;
        if (in_tail || (given && ts__onnx_const_input(net, node, i + 1) == NULL)) {
            return take_tail(net, node);
        }
        TS_TRY(slice_numbers(net, node, i + 1, names[i], &numbers[i], &counts[i]));
    }
    if (counts[0] == 0 || counts[1] != counts[0] || (counts[2] != 0 && counts[2] != counts[0]) ||
        (counts[3] != 0 && counts[3] != counts[0])) {
        return FAIL(TS_DIAG_SHAPE, "its starts, ends, axes and steps do not fit each other");
    }
    for (uint32_t i = 0; i < counts[0]; i++) {
        uint32_t axis;
        if (!axis_in(counts[2] == 0 ? i : numbers[2][i], x->view.rank, &axis)) {
            return FAIL(TS_DIAG_SHAPE, "its axes do not fit its input");
        }
        int64_t size = x->view.dims[axis], begin = numbers[0][i], end = numbers[1][i];
        int64_t step = counts[3] == 0 ? 1 : numbers[3][i];
        begin = begin < 0 ? begin + size : begin;
        end = end < 0 ? end + size : end;
        begin = begin < 0 ? 0 : begin;
        end = end > size ? size : end;
        if (step < 1 || step > size || begin >= end) {
            return FAIL(TS_DIAG_UNSUPPORTED, "an empty part, or one read backwards");
        }
        const ts_part part = {axis, (uint32_t)begin, (uint32_t)((end - begin + step - 1) / step),
                              (uint32_t)step};
        TS_TRY(ts__import_part(net, node, x, &part, &x));
    }
    set_result(net, node, x);
    return TS_OK;
}

static ts_status on_concat(ts_onnx *net, const ts_onnx_node *node, ts_meaning *x) {
    enum { MOST = 1024 };
    int64_t given;
    uint32_t axis;
    ts_meaning **inputs, *y;
    if (node->input_count > MOST) {
        return FAIL(TS_DIAG_LIMIT, "more than %d inputs", MOST);
    }
    inputs = TS_NEW_ARRAY(net->scratch, ts_meaning *, node->input_count);
    for (uint32_t i = 0; i < node->input_count; i++) {
        ts_meaning *other = meaning_at(net, node, i);
        bool in_tail = other == NULL || other->padded;
        if (!in_tail) {
            TS_TRY(begins_tail(net, node, other, &in_tail));
        }
        if (in_tail) {
            return take_tail(net, node);
        }
        inputs[i] = i == 0 ? x : copy_of(net, other);
    }
    TS_TRY(ts__onnx_attr_int(net, node, "axis", 0, &given));
    if (!axis_in(given, x->view.rank, &axis)) {
        return FAIL(TS_DIAG_SHAPE, "its axis does not fit its input");
    }
    TS_TRY(ts__import_concat(net, node, inputs, node->input_count, axis, &y));
    set_result(net, node, y);
    return TS_OK;
}

/* ---- the walk ---- */

/* Outputs are what nodes compute: a network input that is one as well is copied, once. */
static ts_tensor_id computed(ts_onnx *net, ts_tensor_id tensor) {
    ts_graph *g = net->graph;
    ts_tensor copy = g->tensors.data[tensor];
    if (copy.producer != TS_NONE) {
        return tensor;
    }
    for (ts_node_id i = 0; i < g->nodes.count; i++) {
        const ts_node *n = &g->nodes.data[i];
        if (n->op == TS_OP_RESHAPE && n->inputs[0] == tensor &&
            memcmp(g->tensors.data[n->output].dims, copy.dims, sizeof copy.dims) == 0) {
            return n->output;
        }
    }
    ts_note(net->diags, TS_DIAG_UNSUPPORTED, copy.name, NULL,
            "the network's input is an output: it is copied");
    ts_node node = {.name = ts_arena_printf(net->arena, "%s.copy", copy.name),
                    .op = TS_OP_RESHAPE,
                    .input_count = 1,
                    .inputs = {tensor},
                    .weights = TS_NONE,
                    .bias = TS_NONE};
    copy.name = node.name;
    node.output = ts_graph_add_tensor(g, &copy);
    ts_graph_add_node(g, &node);
    return node.output;
}

static void add_output(ts_onnx *net, ts_tensor_id tensor) {
    tensor = computed(net, tensor);
    for (uint32_t i = 0; i < net->graph->outputs.count; i++) {
        if (net->graph->outputs.data[i] == tensor) {
            return;
        }
    }
    TS_PUSH(net->arena, &net->graph->outputs, tensor);
}

/* The float tail: what it reads becomes an output of the network. */
static ts_status take_tail(ts_onnx *net, const ts_onnx_node *node) {
    if (net->tail_count++ == 0) {
        net->first_tail = node;
    }
    for (uint32_t i = 0; i < node->input_count; i++) {
        ts_meaning *x = meaning_at(net, node, i);
        if (x == NULL || x->tail) {
            continue;
        }
        if (x->padded) {
            return FAIL(TS_DIAG_UNSUPPORTED, "its input is padded");
        }
        x = copy_of(net, x);
        TS_TRY(ts__force(net, x, node));
        add_output(net, x->tensor);
    }
    ts_meaning *y = TS_NEW(net->scratch, ts_meaning);
    y->tail = true;
    for (uint32_t i = 0; i < node->output_count; i++) {
        if (node->outputs[i] != TS_NONE) {
            net->values.data[node->outputs[i]].meaning = y;
        }
    }
    return TS_OK;
}

static bool reads_tail(const ts_onnx *net, const ts_onnx_node *node) {
    for (uint32_t i = 0; i < node->input_count; i++) {
        const ts_meaning *x = meaning_at(net, node, i);
        if (x != NULL && x->tail) {
            return true;
        }
    }
    return false;
}

/* A value that several nodes read is made a tensor once. */
static ts_status settle(ts_onnx *net, const ts_onnx_node *node) {
    ts_onnx_value *value = &net->values.data[node->outputs[0]];
    ts_meaning *x = value->meaning;
    if (value->uses < 2) {
        return TS_OK;
    }
    x->shared = true;
    return ts__force(net, x, NULL);
}

static ts_status check_inputs(ts_onnx *net, const ts_onnx_node *node) {
    if (node->input_count == 0 || node->inputs[0] == TS_NONE || node->output_count == 0 ||
        node->outputs[0] == TS_NONE) {
        return FAIL(TS_DIAG_MALFORMED, "it lacks its input or its output");
    }
    for (uint32_t i = 0; i < node->input_count; i++) {
        const ts_onnx_value *value = node->inputs[i] == TS_NONE ? NULL : &net->values.data[node->inputs[i]];
        if (value != NULL && value->constant == NULL && value->meaning == NULL) {
            return FAIL(TS_DIAG_UNSUPPORTED, "its input '%s' is a second output of another node",
                        value->name);
        }
    }
    return TS_OK;
}

static ts_status import_node(ts_onnx *net, const ts_onnx_node *node) {
    const operator_row *row = row_of(node);
    bool folded;
    if (row->role != CONSTANT || is(node, "Shape")) {
        TS_TRY(check_inputs(net, node));
    }
    TS_TRY(ts__onnx_fold(net, node, &folded));
    if (folded) {
        return TS_OK;
    }
    bool in_tail = reads_tail(net, node);
    if (in_tail && (row->role == LAYER || row->role == CONSTANT)) {
        return FAIL(
            TS_DIAG_UNSUPPORTED,
            "it reads the float tail that begins at node '%s' (%s), which is served only behind the last "
            "integer layer",
            net->first_tail->name, net->first_tail->op);
    }
    if (in_tail || row->role == TAIL) {
        return take_tail(net, node);
    }
    if (row->take == NULL) {
        return FAIL(TS_DIAG_UNSUPPORTED, "its input cannot be computed at import");
    }
    ts_meaning *x = meaning_at(net, node, 0);
    x = x == NULL ? meaning_at(net, node, 1) : x;
    if (x == NULL) {
        return FAIL(TS_DIAG_UNSUPPORTED, "neither of its first two inputs is an activation");
    }
    bool keeps_pads = is(node, "Identity") || is(node, "Pad") || is(node, "Conv") || row->take == on_pool;
    if (x->padded && !keeps_pads) {
        return FAIL(TS_DIAG_UNSUPPORTED,
                    "its input is padded; Pad is served before convolutions and pooling");
    }
    TS_TRY(row->take(net, node, copy_of(net, x)));
    ts_onnx_value *value = &net->values.data[node->outputs[0]];
    if (value->meaning->name == NULL) {
        value->meaning->name = value->name;
    }
    return settle(net, node);
}

/* ---- inputs and outputs ---- */

static ts_status input_dims(ts_onnx *net, const ts_onnx_value *value, bool rows, uint32_t *dims,
                            uint32_t *rank) {
    const Onnx__TypeProto *type = value->input->type;
    const Onnx__TypeProto__Tensor *tensor =
        type != NULL && type->value_case == ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE ? type->tensor_type : NULL;
    if (tensor == NULL || tensor->shape == NULL || tensor->shape->n_dim == 0 || tensor->shape->n_dim > 4) {
        return ts_error(net->diags, TS_DIAG_SHAPE, NULL, NULL,
                        "input '%s' has no shape of 1 to 4 dimensions: [1, C, H, W], [1, C, L] or [1, F]",
                        value->name);
    }
    *rank = (uint32_t)tensor->shape->n_dim;
    uint64_t elements = 1;
    for (uint32_t i = 0; i < *rank; i++) {
        const Onnx__TensorShapeProto__Dimension *dim = tensor->shape->dim[i];
        bool known = dim->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
        int64_t size = known ? dim->dim_value : i == 0 && *rank > 1 ? 1 : 0;
        if (size <= 0 || size > TS_ONNX_MAX_DIM || (i == 0 && *rank > 1 && size != 1 && !rows)) {
            return ts_error(net->diags, TS_DIAG_SHAPE, NULL, NULL,
                            "input '%s': dimension %u is %lld; a batch of 1 and known sizes are served",
                            value->name, i, (long long)size);
        }
        dims[i] = (uint32_t)size;
        elements *= (uint64_t)size;
        if (elements > TS_ONNX_MAX_ELEMENTS) {
            return ts_error(net->diags, TS_DIAG_LIMIT, NULL, NULL, "input '%s' is absurdly large",
                            value->name);
        }
    }
    return TS_OK;
}

static ts_status input_type(ts_onnx *net, ts_type *type) {
    int32_t bits = net->options.input_bits == 0 ? 8 : net->options.input_bits;
    bool is_signed = net->options.input_signed == 1;
    if (bits != 16 && bits != 8 && bits != 4 && bits != 2) {
        return ts_error(net->diags, TS_DIAG_VALUE, NULL, NULL,
                        "an input of %d bits; 16, 8, 4 and 2 are served", bits);
    }
    if (bits == 16 && !is_signed) {
        return ts_error(net->diags, TS_DIAG_VALUE, NULL, NULL,
                        "an unsigned input of 16 bits; a signed one is served");
    }
    *type = bits == 16  ? TS_S16
            : bits == 8 ? (is_signed ? TS_S8 : TS_U8)
            : bits == 4 ? (is_signed ? TS_S4 : TS_U4)
                        : (is_signed ? TS_S2 : TS_U2);
    return TS_OK;
}

static bool is_one_of(const ts_onnx_node *node, const char *const *ops) {
    while (*ops != NULL && !is(node, *ops)) {
        ops++;
    }
    return *ops != NULL;
}

/* Whether the first layer behind an input works on the rows of its last dimension: then the input lies as its
 * dimensions follow each other, and not as an image. */
static ts_status reads_rows(ts_onnx *net, const ts_onnx_value *input, bool *out) {
    static const char *const rows[] = {"MatMul",   "Gemm",   "iLayerNorm",  "iRMSNorm",
                                       "iSoftmax", "ITAMax", "IntegerMean", NULL};
    static const char *const images[] = {"Conv",          "MaxPool", "AveragePool", "GlobalAveragePool",
                                         "GlobalMaxPool", "Pad",     "ReduceMean",  NULL};
    bool *reached = TS_NEW_ARRAY(net->scratch, bool, net->values.count);
    TS_TRY(ts__onnx_work(net, NULL, net->order_count));
    reached[input - net->values.data] = true;
    *out = false;
    for (uint32_t i = 0; i < net->order_count; i++) {
        const ts_onnx_node *node = &net->nodes[net->order[i]];
        bool reads = reads_any(node, reached);
        if (reads && (is_one_of(node, rows) || is_one_of(node, images))) {
            *out = is_one_of(node, rows);
            return TS_OK;
        }
        bool passes = reads && !ts__onnx_is_reshape(node->op); /* behind one nothing is known of the input */
        for (uint32_t k = 0; passes && k < node->output_count; k++) {
            if (node->outputs[k] != TS_NONE) {
                reached[node->outputs[k]] = true;
            }
        }
    }
    return TS_OK;
}

static ts_status add_input(ts_onnx *net, ts_onnx_value *value) {
    uint32_t dims[4] = {0}, rank = 0;
    ts_type type = TS_U8;
    bool rows;
    TS_TRY(reads_rows(net, value, &rows));
    TS_TRY(input_dims(net, value, rows, dims, &rank));
    TS_TRY(input_type(net, &type));
    uint32_t c = rank >= 3 ? dims[1] : dims[rank - 1];
    uint32_t h = rank == 4 ? dims[2] : 1, w = rank >= 3 ? dims[rank - 1] : 1;
    uint32_t shape[4] = {1, h, w, c};
    if (rows) {
        const ts_view view = {.rank = rank, .dims = {dims[0], dims[1], dims[2], dims[3]}};
        ts__row_sizes(&view, shape + 1);
    }
    ts_tensor_id tensor = ts__new_tensor(net, value->name, type, 4, shape, NULL);
    TS_PUSH(net->arena, &net->graph->inputs, tensor);
    value->meaning = ts__meaning_of_tensor(net, tensor);
    value->meaning->name = value->name;
    value->meaning->shared = value->uses > 1;
    if (rows) {
        ts__view_rows(&value->meaning->view, dims, rank);
    } else if (rank >= 3) {
        ts__view_map(&value->meaning->view, rank - 2, h, w, c, false);
    } else {
        ts__view_vector(&value->meaning->view, rank, c);
    }
    return TS_OK;
}

static ts_status take_initializers(ts_onnx *net) {
    for (uint32_t i = 0; i < net->values.count; i++) {
        ts_onnx_value *value = &net->values.data[i];
        if (value->uses > 0 && value->initializer != NULL) {
            TS_TRY(ts__constant_decode(net, NULL, value->initializer, &value->constant));
        }
    }
    return TS_OK;
}

static ts_status take_inputs(ts_onnx *net) {
    for (uint32_t i = 0; i < net->values.count; i++) {
        ts_onnx_value *value = &net->values.data[i];
        if (value->uses > 0 && value->initializer == NULL && value->input != NULL) {
            TS_TRY(add_input(net, value));
        }
    }
    return TS_OK;
}

/* An output lies as an image does, its rows and columns changed perhaps, or as its dimensions follow each
 * other; what does not is moved. */
static ts_status settle_output(ts_onnx *net, const ts_onnx_value *value, ts_meaning *x) {
    uint32_t sizes[3], stride;
    bool image = x->view.rank >= 3 && x->view.dims[1] == x->c && ts__view_stride(&x->view, 1, &stride) &&
                 (x->c == 1 || stride == 1);
    if (image || ts__is_in_order(&x->view) || value->producer == TS_NONE) {
        return TS_OK;
    }
    ts__row_sizes(&x->view, sizes);
    return ts__make_dense(net, &net->nodes[value->producer], x, sizes);
}

static ts_status take_outputs(ts_onnx *net) {
    for (uint32_t i = 0; i < net->output_count; i++) {
        ts_onnx_value *value = &net->values.data[net->outputs[i]];
        ts_meaning *x = value->meaning;
        if (x == NULL || x->padded) {
            return ts_error(net->diags, TS_DIAG_UNSUPPORTED, NULL, NULL,
                            "graph output '%s' is a constant, an index or padded", value->name);
        }
        if (!x->tail) {
            TS_TRY(ts__force(net, x, NULL));
            TS_TRY(settle_output(net, value, x));
            add_output(net, x->tensor);
        }
    }
    if (net->tail_count > 0) {
        ts_note(
            net->diags, TS_DIAG_UNSUPPORTED, net->first_tail->name, net->first_tail->op,
            "the float tail that begins here (%u nodes) is left out; the network's output is what it reads",
            net->tail_count);
    }
    return TS_OK;
}

/* Nodes are added when their results are needed; layers are numbered in the order of the file. */
typedef struct place {
    uint32_t position, added;
    ts_node node;
} place;

static int by_place(const void *a, const void *b) {
    const place *p = a, *q = b;
    if (p->position != q->position) {
        return p->position < q->position ? -1 : 1;
    }
    return p->added < q->added ? -1 : p->added > q->added;
}

static void order_nodes(ts_onnx *net) {
    uint32_t count = net->graph->nodes.count;
    uint32_t *positions = TS_NEW_ARRAY(net->scratch, uint32_t, net->node_count);
    place *places = TS_NEW_ARRAY(net->scratch, place, count);
    for (uint32_t i = 0; i < net->order_count; i++) {
        positions[net->order[i]] = i;
    }
    for (uint32_t i = 0; i < count; i++) {
        const ts_node *node = &net->graph->nodes.data[i];
        places[i] = (place){positions[node->file_index], i, *node};
    }
    if (count > 1) {
        qsort(places, count, sizeof *places, by_place);
    }
    for (uint32_t i = 0; i < count; i++) {
        net->graph->nodes.data[i] = places[i].node;
        net->graph->tensors.data[places[i].node.output].producer = i;
    }
}

static ts_tensor_id move_tensor(ts_onnx *net, ts_graph *to, ts_tensor_id id, ts_tensor_id *places) {
    if (id != TS_NONE && places[id] == TS_NONE) {
        places[id] = ts_graph_add_tensor(to, &net->graph->tensors.data[id]);
    }
    return id == TS_NONE ? TS_NONE : places[id];
}

/* Numbers the tensors as the nodes use them: equal networks give equal graphs, however they were written.
 * Tensors that nothing uses stay behind. */
static void order_tensors(ts_onnx *net) {
    ts_graph *from = net->graph, *to = ts_graph_new(net->arena, from->name);
    ts_tensor_id *places = TS_NEW_ARRAY(net->scratch, ts_tensor_id, from->tensors.count);
    for (ts_tensor_id i = 0; i < from->tensors.count; i++) {
        places[i] = TS_NONE;
    }
    for (uint32_t i = 0; i < from->inputs.count; i++) {
        TS_PUSH(net->arena, &to->inputs, move_tensor(net, to, from->inputs.data[i], places));
    }
    for (uint32_t i = 0; i < from->nodes.count; i++) {
        ts_node node = from->nodes.data[i];
        for (uint32_t k = 0; k < node.input_count; k++) {
            node.inputs[k] = move_tensor(net, to, node.inputs[k], places);
        }
        node.weights = move_tensor(net, to, node.weights, places);
        node.bias = move_tensor(net, to, node.bias, places);
        node.output = move_tensor(net, to, node.output, places);
        ts_graph_add_node(to, &node);
    }
    for (uint32_t i = 0; i < from->outputs.count; i++) {
        TS_PUSH(net->arena, &to->outputs, move_tensor(net, to, from->outputs.data[i], places));
    }
    net->graph = to;
}

static ts_status import_into(ts_onnx *net, const Onnx__ModelProto *model) {
    uint64_t fetched;
    TS_TRY(ts__onnx_fetch(net->scratch, model->graph, net->options.folder, &fetched, net->diags));
    net->work_left += 8 * fetched;
    TS_TRY(ts__onnx_load(net, model));
    TS_TRY(take_initializers(net));
    TS_TRY(check_weights(net));
    TS_TRY(check_operators(net));
    net->tensor_slot_count = 256;
    while (net->tensor_slot_count < 16 * (net->node_count + 16)) {
        net->tensor_slot_count *= 2;
    }
    net->tensor_slots = TS_NEW_ARRAY(net->scratch, const char *, net->tensor_slot_count);
    TS_TRY(take_inputs(net));
    for (uint32_t i = 0; i < net->order_count; i++) {
        TS_TRY(import_node(net, &net->nodes[net->order[i]]));
    }
    TS_TRY(take_outputs(net));
    order_nodes(net);
    order_tensors(net);
    return TS_OK;
}

/* A network whose integers are said by quanta is read as floats first. */
static ts_status import_quantised(ts_onnx *net, ts_bytes file, const char *name) {
    ts_fgraph *real;
    const ts_float_model_options options = {.folder = net->options.folder};
    TS_TRY(ts_float_model_parse(net->scratch, file, name, &options, &real, net->diags));
    return ts__qdq_convert(net->arena, real, name, net->options.allow_float, &net->graph, net->diags);
}

/* Types that do not go together often come from an input that was taken for unsigned. */
static ts_status verify_import(ts_onnx *net) {
    ts_status status = ts_graph_verify(net->graph, net->diags);
    if (status != TS_OK && net->options.input_signed < 0) {
        ts_note(net->diags, TS_DIAG_GRAPH, NULL, NULL,
                "inputs were read as unsigned, since nothing says otherwise; --input-signed, or "
                "`input_signed` in the JSON beside the file, makes them signed");
    }
    return status;
}

ts_status ts__onnx_import(ts_arena *arena, ts_bytes file, const char *name, const ts_model_options *options,
                          ts_graph **out, ts_diags *diags) {
    Onnx__ModelProto *model;
    ts_arena *scratch = ts_arena_new("import", 0);
    ts_guard_defer(ts__free_arena, scratch);
    ts_onnx net = {
        .arena = arena,
        .scratch = scratch,
        .diags = diags,
        .options = *options,
        .work_left = 8 * (uint64_t)file.size + ((uint64_t)16 << 20),
        .graph = ts_graph_new(arena, name),
    };
    ts_status status = ts__onnx_unpack(scratch, file, &model, diags);
    if (status == TS_OK && model->graph != NULL && ts__onnx_is_quantised(model->graph)) {
        status = import_quantised(&net, file, name);
    } else if (status == TS_OK) {
        status = import_into(&net, model);
        status = status == TS_OK ? verify_import(&net) : status;
    }
    ts_guard_undefer(scratch);
    ts_arena_free(scratch);
    *out = status == TS_OK ? net.graph : NULL;
    return status;
}
