/* Islands: what float operators between a dequantisation and a quantisation make of codes. A function of one
 * element of one tensor is a table of 256 codes, computed here; anything else becomes the program of a FLOAT
 * node (ir/program.h). Where one program cannot hold all of it, it is cut: at layers (qdq_layers.c), and
 * where operators go over other axes, join a third tensor or are too many, what is before the cut becomes a
 * map of floats, which the program behind it reads. */
#include <math.h>
#include <string.h>

#include "ir/float_op.h"
#include "ir/program.h"
#include "model/qdq_internal.h"

enum { MOST_VALUES = 128, MOST_OPERANDS = 2, MOST_DEPTH = 256 };

/* What a tensor is in an island: a number, a function of the codes of an operand, or a step. */
typedef enum value_kind { OPEN, NUMBER, TABLED, STEP } value_kind;

typedef struct qdq_value {
    uint32_t island; /* of which the rest is */
    value_kind kind;
    float number;
    uint32_t operand;
    const float *table;
    uint32_t step;
    bool has_step; /* NUMBER, TABLED: a step reads it */
    bool reduced;  /* it is the same for all channels of a pixel, which were gone over */
    bool flat;     /* reduced, and its tensor's shape has lost the axes that were gone over */
} qdq_value;

typedef struct island {
    qdq *q;
    ts_arena *arena;
    ts_tensor_id leaves[MOST_OPERANDS]; /* of the float graph */
    meaning operands[MOST_OPERANDS];
    ts_tensor_id tensors[MOST_VALUES]; /* of the float graph, all that it computes */
    uint32_t operand_count, seen;
    uint32_t dims[4]; /* of the map that its operands broadcast to */
    /* The program's channels are the elements along these axes of the map (a bit each); its pixels those
     * along the others. Usually channels are channels. */
    uint32_t over, channels, pixels;
    int32_t steps[TS_PROGRAM_STEP * TS_PROGRAM_STEPS];
    uint32_t step_count;
    TS_VEC(int32_t) data;
    const ts_fnode *node; /* that is computed just now */
    const char *why;      /* it cannot be computed; NULL as long as it can */
    const ts_fnode *at;   /* the operator that cannot, or NULL */
} island;

static bool refuse(island *s, const char *why) {
    s->at = s->why == NULL ? s->node : s->at;
    s->why = s->why == NULL ? why : s->why;
    return false;
}

static const char floats_would[] = "--allow-float computes it in floats";

/* One program does not hold it; where floats are allowed it is cut then. */
static bool no_program(island *s, const char *why) {
    return refuse(s, s->q->allow_float ? why : floats_would);
}

static const ts_fnode *maker_of(const qdq *q, ts_tensor_id id) {
    ts_node_id node = ts__qdq_ftensor(q, id)->producer;
    return node == TS_NONE ? NULL : &q->from->nodes.data[node];
}

static const ts_fnode *producer_of(const island *s, ts_tensor_id id) { return maker_of(s->q, id); }

/* The accumulator of a layer that nothing quantises. */
static bool is_bare(const meaning *m) { return m->kind == TAIL && m->node == NULL && m->tensor != TS_NONE; }

/* ---- steps ---- */

/* Adds a step; past the last that there may be it is only counted as too many. */
static uint32_t add_step(island *s, ts_float_step step, uint32_t a, uint32_t b) {
    if (s->step_count == TS_PROGRAM_STEPS) {
        no_program(s, "it takes more than 64 steps");
        return 0;
    }
    int32_t *word = &s->steps[TS_PROGRAM_STEP * s->step_count];
    word[0] = (int32_t)step;
    word[1] = (int32_t)a;
    word[2] = (int32_t)b;
    return s->step_count++;
}

static uint32_t add_data(island *s, const float *values, uint32_t count) {
    uint32_t first = s->data.count;
    for (uint32_t i = 0; i < count; i++) {
        int32_t bits;
        memcpy(&bits, &values[i], sizeof bits);
        TS_PUSH(s->arena, &s->data, bits);
    }
    return first;
}

/* A number is there once. */
static uint32_t number_step(island *s, float value) {
    int32_t bits;
    memcpy(&bits, &value, sizeof bits);
    for (uint32_t i = 0; i < s->step_count; i++) {
        const int32_t *step = &s->steps[TS_PROGRAM_STEP * i];
        if (step[0] == TS_STEP_CONST && step[2] == 0 && s->data.data[step[1]] == bits) {
            return i;
        }
    }
    return add_step(s, TS_STEP_CONST, add_data(s, &value, 1), 0);
}

static uint32_t step_of(island *s, qdq_value *v) {
    if (v->kind != STEP && !v->has_step) {
        v->step = v->kind == NUMBER
                      ? number_step(s, v->number)
                      : add_step(s, TS_STEP_TABLE, v->operand, add_data(s, v->table, TS_PROGRAM_TABLE));
        v->has_step = true;
    }
    return v->step;
}

static uint32_t add(island *s, uint32_t a, uint32_t b) { return add_step(s, TS_STEP_ADD, a, b); }
static uint32_t sub(island *s, uint32_t a, uint32_t b) { return add_step(s, TS_STEP_SUB, a, b); }
static uint32_t mul(island *s, uint32_t a, uint32_t b) { return add_step(s, TS_STEP_MUL, a, b); }
static uint32_t divide(island *s, uint32_t a, uint32_t b) { return add_step(s, TS_STEP_DIV, a, b); }
static uint32_t least(island *s, uint32_t a, uint32_t b) { return add_step(s, TS_STEP_MIN, a, b); }
static uint32_t most(island *s, uint32_t a, uint32_t b) { return add_step(s, TS_STEP_MAX, a, b); }
static uint32_t exponential(island *s, uint32_t a) { return add_step(s, TS_STEP_EXP, a, a); }
static uint32_t negative(island *s, uint32_t a) { return sub(s, number_step(s, 0), a); }
static uint32_t magnitude(island *s, uint32_t a) { return most(s, a, negative(s, a)); }

static uint32_t bounded(island *s, uint32_t a, float low, float high) {
    uint32_t raised = low > -INFINITY ? most(s, a, number_step(s, low)) : a;
    return high < INFINITY ? least(s, raised, number_step(s, high)) : raised;
}

/* 1 / (1 + e^-x) */
static uint32_t sigmoid(island *s, uint32_t x) {
    uint32_t one = number_step(s, 1);
    return divide(s, one, add(s, one, exponential(s, negative(s, x))));
}

/* max(x, 0) + slope f(min(x, 0)) */
static uint32_t both_sides(island *s, uint32_t x, uint32_t slope, bool elu) {
    uint32_t zero = number_step(s, 0), below = least(s, x, zero);
    below = elu ? sub(s, exponential(s, below), number_step(s, 1)) : below;
    return add(s, most(s, x, zero), mul(s, below, slope));
}

/* Abramowitz and Stegun, Handbook of Mathematical Functions, 7.1.26: within 1.5e-7. */
static uint32_t error_function(island *s, uint32_t x) {
    static const float terms[] = {-1.453152027f, 1.421413741f, -0.284496736f, 0.254829592f};
    uint32_t one = number_step(s, 1), far = magnitude(s, x);
    uint32_t t = divide(s, one, add(s, one, mul(s, far, number_step(s, 0.3275911f))));
    uint32_t sum = number_step(s, 1.061405429f);
    for (uint32_t i = 0; i < sizeof terms / sizeof terms[0]; i++) {
        sum = add(s, mul(s, sum, t), number_step(s, terms[i]));
    }
    uint32_t rest = mul(s, mul(s, sum, t), exponential(s, negative(s, mul(s, far, far))));
    return add_step(s, TS_STEP_COPYSIGN, sub(s, one, rest), x);
}

/* A function of a step, in steps. */
static uint32_t unary_steps(island *s, const ts_fnode *n, uint32_t x) {
    switch (n->op) {
        case TS_FOP_RELU:
            return bounded(s, x, 0, INFINITY);
        case TS_FOP_CLIP:
            return bounded(s, x, n->low, n->high);
        case TS_FOP_LEAKY_RELU:
            return both_sides(s, x, number_step(s, n->alpha), false);
        case TS_FOP_ELU:
            return both_sides(s, x, number_step(s, n->alpha), true);
        case TS_FOP_HARD_SIGMOID:
            return bounded(s, add(s, mul(s, x, number_step(s, n->alpha)), number_step(s, n->beta)), 0, 1);
        case TS_FOP_HARD_SWISH:
            return mul(s, x, bounded(s, add(s, divide(s, x, number_step(s, 6)), number_step(s, 0.5f)), 0, 1));
        case TS_FOP_SIGMOID:
            return sigmoid(s, x);
        case TS_FOP_TANH: { /* 2 / (1 + e^-2x) - 1 */
            uint32_t two = number_step(s, 2);
            return sub(s, mul(s, two, sigmoid(s, mul(s, two, x))), number_step(s, 1));
        }
        case TS_FOP_SOFTPLUS: { /* max(x, 0) + ln(1 + e^-|x|) */
            uint32_t tail = exponential(s, negative(s, magnitude(s, x)));
            tail = add(s, number_step(s, 1), tail);
            return add(s, bounded(s, x, 0, INFINITY), add_step(s, TS_STEP_LOG, tail, tail));
        }
        case TS_FOP_SOFTSIGN:
            return divide(s, x, add(s, number_step(s, 1), magnitude(s, x)));
        case TS_FOP_ERF:
            return error_function(s, x);
        case TS_FOP_EXP:
            return exponential(s, x);
        case TS_FOP_LOG:
            return add_step(s, TS_STEP_LOG, x, x);
        case TS_FOP_SQRT:
            return add_step(s, TS_STEP_SQRT, x, x);
        case TS_FOP_RECIPROCAL:
            return divide(s, number_step(s, 1), x);
        case TS_FOP_ABS:
            return magnitude(s, x);
        case TS_FOP_NEG:
            return negative(s, x);
        case TS_FOP_FLOOR:
            return add_step(s, TS_STEP_FLOOR, x, x);
        case TS_FOP_CEIL: {
            uint32_t down = negative(s, x);
            return negative(s, add_step(s, TS_STEP_FLOOR, down, down));
        }
        default:
            refuse(s, "no kernel computes it in floats");
            return 0;
    }
}

/* x^2, x^0.5, else e^(b ln a): for positive a. */
static uint32_t power(island *s, qdq_value *a, qdq_value *b) {
    uint32_t x = step_of(s, a);
    if (b->kind == NUMBER && b->number == 2) {
        return mul(s, x, x);
    }
    if (b->kind == NUMBER && b->number == 0.5f) {
        return add_step(s, TS_STEP_SQRT, x, x);
    }
    return exponential(s, mul(s, step_of(s, b), add_step(s, TS_STEP_LOG, x, x)));
}

static uint32_t binary_steps(island *s, ts_fop op, qdq_value *a, qdq_value *b) {
    static const ts_float_step steps[TS_FOP_COUNT] = {
        [TS_FOP_ADD] = TS_STEP_ADD, [TS_FOP_SUB] = TS_STEP_SUB, [TS_FOP_MUL] = TS_STEP_MUL,
        [TS_FOP_DIV] = TS_STEP_DIV, [TS_FOP_MIN] = TS_STEP_MIN, [TS_FOP_MAX] = TS_STEP_MAX};
    if (op == TS_FOP_POW) {
        return power(s, a, b);
    }
    uint32_t x = step_of(s, a), y = step_of(s, b);
    return op == TS_FOP_PRELU ? both_sides(s, x, y, false) : add_step(s, steps[op], x, y);
}

/* ---- values of tensors ---- */

static void make_number(qdq_value *out, float number) {
    out->kind = NUMBER;
    out->number = number;
}

static void make_step(qdq_value *out, uint32_t step) {
    out->kind = STEP;
    out->step = step;
}

static qdq_value *value_of(island *s, ts_tensor_id id);

/* Value i of a node. */
static qdq_value *input_of(island *s, const ts_fnode *n, uint32_t i) { return value_of(s, n->inputs[i]); }

/* Dimensions of a constant as those of a map; false where it has more. */
static bool constant_dims(const meaning *m, uint32_t dims[4]) {
    const ts_ftensor t = {.rank = m->rank,
                          .dims = {m->file_dims[0], m->file_dims[1], m->file_dims[2], m->file_dims[3]}};
    return m->rank <= 4 && ts__qdq_map_dims(&t, dims);
}

/* Element of a constant for channel `channel` of the program. */
static uint32_t constant_index(const island *s, const uint32_t dims[4], uint32_t channel) {
    uint32_t index = 0, stride = 1;
    for (uint32_t d = 3; d >= 1; d--) {
        uint32_t at = 0;
        if (s->over >> d & 1) {
            at = channel % s->dims[d];
            channel /= s->dims[d];
        }
        index += dims[d] > 1 ? at * stride : 0;
        stride *= dims[d];
    }
    return index;
}

static void constant_value(island *s, const meaning *m, qdq_value *out) {
    uint32_t dims[4];
    if (m->count == 1) {
        make_number(out, ts__qdq_real_at(m, 0));
        return;
    }
    bool fits = constant_dims(m, dims);
    for (uint32_t d = 1; fits && d < 4; d++) {
        fits = dims[d] == 1 || (dims[d] == s->dims[d] && (s->over >> d & 1));
    }
    if (!fits) {
        no_program(s, "it has a constant whose shape does not go with the others'");
        return;
    }
    float *reals = TS_NEW_ARRAY(s->arena, float, s->channels);
    for (uint32_t i = 0; i < s->channels; i++) {
        reals[i] = ts__qdq_real_at(m, constant_index(s, dims, i));
    }
    make_step(out, add_step(s, TS_STEP_CONST, add_data(s, reals, s->channels), 1));
}

/* Units of the accumulator of a layer: its operands' scales, one or one a channel. */
static void bare_value(island *s, uint32_t operand, qdq_value *out) {
    const ts_fnode *layer = s->operands[operand].bare;
    meaning x = ts__qdq_meaning_of(s->q, layer->inputs[0]), w = ts__qdq_meaning_of(s->q, layer->inputs[1]);
    uint32_t count = w.scale_count > 1 ? w.scale_count : 1;
    float *units = TS_NEW_ARRAY(s->arena, float, count);
    for (uint32_t i = 0; i < count; i++) {
        units[i] = x.scale * w.scales[i];
    }
    if (count > 1 && (count != s->dims[3] || s->over != 1u << 3)) {
        no_program(s, "its channels are not those of its result");
        return;
    }
    uint32_t unit = add_step(s, TS_STEP_CONST, add_data(s, units, count), count > 1);
    make_step(out, mul(s, add_step(s, TS_STEP_CODE, operand, 0), unit));
}

static void leaf_value(island *s, uint32_t operand, qdq_value *out) {
    const meaning *x = &s->operands[operand];
    if (s->q->graph->tensors.data[x->tensor].type == TS_F32) {
        make_step(out, add_step(s, TS_STEP_CODE, operand, 0));
        return;
    }
    if (is_bare(x)) {
        bare_value(s, operand, out);
        return;
    }
    float *table = TS_NEW_ARRAY(s->arena, float, TS_PROGRAM_TABLE);
    int32_t low = (int32_t)ts_type_low(s->q->graph->tensors.data[x->tensor].type);
    for (int32_t i = 0; i < TS_PROGRAM_TABLE; i++) {
        table[i] = ((float)(i + low) - (float)x->zero) * x->scale;
    }
    out->kind = TABLED;
    out->operand = operand;
    out->table = table;
}

/* TensorFlow Lite's logistic is 1 from there on where floats cannot tell, and e^x below -9. Source: Logistic
 * of kernels/internal/reference/logistic.h. */
static float unary_of(const island *s, const ts_fnode *n, float x) {
    const float upper = 16.619047164916992188f, lower = -9.0f;
    if (s->q->away && n->op == TS_FOP_SIGMOID && (x > upper || x < lower)) {
        return x > upper ? 1.0f : expf(x);
    }
    return ts_fop_unary(n, x);
}

static void unary_value(island *s, const ts_fnode *n, qdq_value *out) {
    const qdq_value *x = input_of(s, n, 0);
    if (s->why != NULL) {
        return;
    }
    s->node = n;
    out->flat = x->flat;
    out->reduced = x->reduced;
    if (x->kind == NUMBER) {
        make_number(out, unary_of(s, n, x->number));
    } else if (x->kind == STEP) {
        make_step(out, unary_steps(s, n, x->step));
    } else {
        float *table = TS_NEW_ARRAY(s->arena, float, TS_PROGRAM_TABLE);
        for (uint32_t i = 0; i < TS_PROGRAM_TABLE; i++) {
            table[i] = unary_of(s, n, x->table[i]);
        }
        out->kind = TABLED;
        out->operand = x->operand;
        out->table = table;
    }
}

/* Operands that have lost an axis go with their like and with numbers. */
static bool shapes_agree(island *s, const ts_fnode *n, const qdq_value *a, const qdq_value *b) {
    bool flat = a->flat || b->flat;
    bool both = (a->flat || a->kind == NUMBER) && (b->flat || b->kind == NUMBER);
    bool whole = ts_ftensor_elements(ts__qdq_ftensor(s->q, n->output)) == s->pixels;
    return !flat || (both && whole) ||
           no_program(s, "one of its operands has lost an axis that another one has");
}

static void binary_value(island *s, const ts_fnode *n, qdq_value *out) {
    qdq_value *a = input_of(s, n, 0), *b = input_of(s, n, 1);
    s->node = n;
    if (s->why != NULL || !shapes_agree(s, n, a, b)) {
        return;
    }
    out->flat = a->flat || b->flat;
    out->reduced = (a->reduced || a->kind == NUMBER) && (b->reduced || b->kind == NUMBER);
    bool one = a->kind != TABLED || b->kind != TABLED || a->operand == b->operand;
    if (a->kind == NUMBER && b->kind == NUMBER) {
        make_number(out, ts_fop_binary(n->op, a->number, b->number));
    } else if (a->kind != STEP && b->kind != STEP && one) {
        float *table = TS_NEW_ARRAY(s->arena, float, TS_PROGRAM_TABLE);
        for (uint32_t i = 0; i < TS_PROGRAM_TABLE; i++) {
            table[i] = ts_fop_binary(n->op, a->kind == NUMBER ? a->number : a->table[i],
                                     b->kind == NUMBER ? b->number : b->table[i]);
        }
        out->kind = TABLED;
        out->operand = a->kind == TABLED ? a->operand : b->operand;
        out->table = table;
    } else {
        make_step(out, binary_steps(s, n->op, a, b));
    }
}

/* The axes of the map, a bit each, along which axes `axes` of tensor `id` lie; those of one element do not
 * count. */
static uint32_t map_axes(const island *s, ts_tensor_id id, uint32_t axes) {
    const ts_ftensor *t = ts__qdq_ftensor(s->q, id);
    uint32_t mask = 0;
    for (uint32_t d = 0; d < t->rank; d++) {
        uint32_t at = d + 4 - t->rank;
        mask |= (axes >> d & 1) && s->dims[at] > 1 ? 1u << at : 0;
    }
    return mask;
}

/* The dimensions of what is left of the map where the program's channels are gone over. */
static void left_dims(const island *s, uint32_t dims[4]) {
    for (uint32_t d = 0; d < 4; d++) {
        dims[d] = s->over >> d & 1 ? 1 : s->dims[d];
    }
}

/* Does the tensor have all of the axes that are gone over, and of the others those of the map or one element?
 */
static bool is_whole(island *s, ts_tensor_id id, const qdq_value *x) {
    uint32_t dims[4];
    bool fits = ts__qdq_map_dims(ts__qdq_ftensor(s->q, id), dims) && !x->flat;
    for (uint32_t d = 1; fits && d < 4; d++) {
        fits = dims[d] == s->dims[d] || (dims[d] == 1 && !(s->over >> d & 1));
    }
    return fits || no_program(s, "it goes over a part of its map");
}

/* Values of pixels whose tensor has another shape than what is left of the map. */
static bool is_flat(island *s, ts_tensor_id id) {
    uint32_t dims[4], left[4];
    left_dims(s, left);
    bool fits = ts__qdq_map_dims(ts__qdq_ftensor(s->q, id), dims);
    for (uint32_t d = 0; fits && d < 4; d++) {
        fits = dims[d] == left[d] || dims[d] == 1;
    }
    return !fits;
}

/* Axes that the operator goes over; 0 where it is none of those that do. */
static uint32_t axes_of(const island *s, const ts_fnode *n) {
    uint32_t rank = ts__qdq_ftensor(s->q, n->inputs[0])->rank;
    if (rank == 0 || rank > 4) {
        return 0;
    }
    if (n->op == TS_FOP_SOFTMAX || n->op == TS_FOP_LOG_SOFTMAX) {
        return 1u << n->axis;
    }
    return ts_fop_form_of(n->op) == TS_FORM_REDUCE ? n->axes : 0;
}

/* Axes along which its constants have different elements. */
static uint32_t constant_axes(island *s, const ts_fnode *n) {
    uint32_t mask = 0, dims[4];
    for (uint32_t i = 0; i < n->input_count; i++) {
        const meaning m = ts__qdq_meaning_of(s->q, n->inputs[i]);
        if (ts__qdq_is_constant(&m) && constant_dims(&m, dims)) {
            for (uint32_t d = 1; d < 4; d++) {
                mask |= dims[d] > 1 ? 1u << d : 0;
            }
        }
    }
    return mask;
}

/* What the program's channels are: the axes that are gone over; else the last ones that constants have. */
static bool choose_axes(island *s) {
    uint32_t constants = 0;
    for (uint32_t i = 0; i < s->seen; i++) {
        const ts_fnode *n = s->node = producer_of(s, s->tensors[i]);
        uint32_t axes = n == NULL ? 0 : axes_of(s, n), mask = axes == 0 ? 0 : map_axes(s, n->inputs[0], axes);
        mask = axes != 0 && mask == 0 && s->dims[3] == 1 ? 1u << 3 : mask;
        if (axes != 0 && (mask == 0 || (s->over != 0 && s->over != mask))) {
            return no_program(s, "it goes over other axes than another one, or over one of a single element");
        }
        s->over |= mask;
        constants |= n == NULL ? 0 : constant_axes(s, n);
    }
    s->node = NULL;
    uint32_t last = constants & 2 ? 2 | 4 | 8 : constants & 4 ? 4 | 8 : 8;
    s->over = s->over == 0 ? last : s->over;
    uint64_t channels = 1, pixels = 1;
    for (uint32_t d = 1; d < 4; d++) {
        *(s->over >> d & 1 ? &channels : &pixels) *= s->dims[d];
    }
    s->channels = (uint32_t)channels;
    s->pixels = (uint32_t)pixels;
    return channels <= UINT16_MAX || refuse(s, "it goes over more than 65535 elements");
}

static void reduced_value(island *s, const ts_fnode *n, qdq_value *out) {
    qdq_value *x = input_of(s, n, 0);
    s->node = n;
    if (s->why != NULL || !is_whole(s, n->inputs[0], x)) {
        return;
    }
    uint32_t a = step_of(s, x);
    uint32_t all = add_step(s, n->op == TS_FOP_REDUCE_MAX ? TS_STEP_MOST : TS_STEP_SUM, a, a);
    make_step(out, n->op == TS_FOP_REDUCE_MEAN ? divide(s, all, number_step(s, (float)s->channels)) : all);
    out->reduced = true;
    out->flat = is_flat(s, n->output);
}

static void softmax_value(island *s, const ts_fnode *n, qdq_value *out) {
    qdq_value *x = input_of(s, n, 0);
    s->node = n;
    if (s->why != NULL || !is_whole(s, n->inputs[0], x)) {
        return;
    }
    uint32_t a = step_of(s, x), below = sub(s, a, add_step(s, TS_STEP_MOST, a, a));
    uint32_t power_of = exponential(s, below), sum = add_step(s, TS_STEP_SUM, power_of, power_of);
    make_step(out, n->op == TS_FOP_SOFTMAX ? divide(s, power_of, sum)
                                           : sub(s, below, add_step(s, TS_STEP_LOG, sum, sum)));
}

/* (x - mean) / sqrt(variance + epsilon) scale + bias, the constants one a channel. */
static void batch_norm_value(island *s, const ts_fnode *n, qdq_value *out) {
    uint32_t v[5];
    for (uint32_t i = 0; i < 5; i++) {
        qdq_value *x = input_of(s, n, i);
        s->node = n;
        if (s->why != NULL || (x->flat && !no_program(s, "it has lost an axis that its constants have"))) {
            return;
        }
        v[i] = step_of(s, x);
    }
    uint32_t variance = add(s, v[4], number_step(s, n->epsilon));
    uint32_t norm = divide(s, sub(s, v[0], v[3]), add_step(s, TS_STEP_SQRT, variance, variance));
    make_step(out, add(s, mul(s, norm, v[1]), v[2]));
}

/* Values of pixels, all of them: any shape that keeps their order is as good. */
static bool is_one_a_pixel(const island *s, const ts_fnode *n, const qdq_value *x) {
    return x->reduced && ts_ftensor_elements(ts__qdq_ftensor(s->q, n->output)) == s->pixels;
}

/* A movement that moves nothing. */
static bool stays(island *s, const ts_fnode *n, const qdq_value *x) {
    uint32_t from[4], to[4];
    const ts_ftensor *t = ts__qdq_ftensor(s->q, n->inputs[0]);
    bool moves = n->op != TS_FOP_RESHAPE && !(n->op == TS_FOP_TRANSPOSE && ts__qdq_order_stays(t, n));
    bool fits =
        !moves && (is_one_a_pixel(s, n, x) ||
                   (ts__qdq_map_dims(t, from) && ts__qdq_map_dims(ts__qdq_ftensor(s->q, n->output), to) &&
                    memcmp(from, to, sizeof from) == 0));
    return fits || refuse(s, floats_would);
}

static void moved_value(island *s, const ts_fnode *n, qdq_value *out) {
    const qdq_value *x = input_of(s, n, 0);
    s->node = n;
    if (s->why != NULL || !stays(s, n, x)) {
        return;
    }
    uint32_t number = out->island;
    *out = *x;
    out->island = number;
    out->flat = is_one_a_pixel(s, n, x) ? is_flat(s, n->output) : x->flat;
}

static void node_value(island *s, const ts_fnode *n, qdq_value *out) {
    switch (n->op) {
        case TS_FOP_SOFTMAX:
        case TS_FOP_LOG_SOFTMAX:
            softmax_value(s, n, out);
            return;
        case TS_FOP_BATCH_NORM:
            batch_norm_value(s, n, out);
            return;
        default:
            break;
    }
    ts_fop_form form = ts_fop_form_of(n->op);
    if (form == TS_FORM_UNARY && n->op != TS_FOP_FAKE_QUANT) {
        unary_value(s, n, out);
    } else if (form == TS_FORM_BINARY) {
        binary_value(s, n, out);
    } else if (form == TS_FORM_REDUCE) {
        reduced_value(s, n, out);
    } else if (n->op == TS_FOP_RESHAPE || n->op == TS_FOP_TRANSPOSE || n->op == TS_FOP_SLICE ||
               n->op == TS_FOP_PAD || n->op == TS_FOP_RESIZE || n->op == TS_FOP_CONCAT) {
        moved_value(s, n, out);
    } else {
        s->node = n;
        refuse(s, "no kernel computes it in floats");
    }
}

/* Its values are computed once; recursion ends with MOST_VALUES of them. */
static qdq_value *value_of(island *s, ts_tensor_id id) {
    qdq_value *v = &s->q->values[id];
    if (s->why != NULL || v->island == s->q->island) {
        return v;
    }
    *v = (qdq_value){.island = s->q->island};
    const meaning m = ts__qdq_meaning_of(s->q, id);
    const ts_fnode *n = producer_of(s, id);
    for (uint32_t i = 0; i < s->operand_count; i++) {
        if (s->leaves[i] == id) {
            leaf_value(s, i, v);
            return v;
        }
    }
    if (ts__qdq_is_constant(&m)) {
        constant_value(s, &m, v);
    } else if (n == NULL) {
        refuse(s, "it reads a network input in floats");
    } else {
        node_value(s, n, v);
    }
    return v;
}

/* ---- the island ---- */

/* Finds the operands: codes times their quantum, and accumulators. */
static bool collect(island *s, ts_tensor_id id) {
    const meaning m = ts__qdq_meaning_of(s->q, id);
    if (ts__qdq_is_constant(&m) || s->q->values[id].island == s->q->island) {
        return true;
    }
    s->q->values[id].island = s->q->island;
    if (s->seen == MOST_VALUES) {
        return no_program(s, "it is one of more than 128 operators between two quantisations");
    }
    const ts_tensor_id map = s->q->floats[id];
    if (m.kind == REAL || is_bare(&m) || map != TS_NONE) {
        if (s->operand_count == MOST_OPERANDS) {
            return no_program(s, "it is one of operators that join more than two quantised tensors");
        }
        s->leaves[s->operand_count] = id;
        s->operands[s->operand_count++] = map == TS_NONE ? m : (meaning){.kind = REAL, .tensor = map};
        return true;
    }
    const ts_fnode *n = producer_of(s, id);
    s->tensors[s->seen++] = id;
    if (n != NULL && ts__qdq_is_layer(s->q, n)) {
        s->node = n;
        return refuse(s, floats_would);
    }
    bool fits = n != NULL && n->op != TS_FOP_QUANT && n->op != TS_FOP_DEQUANT;
    for (uint32_t i = 0; fits && i < n->input_count; i++) {
        s->node = n;
        fits = collect(s, n->inputs[i]);
    }
    return fits || refuse(s, "it reads what no quantisation has made codes of");
}

/* The map that all operands are repeated to. */
static bool common_dims(island *s) {
    for (uint32_t i = 0; i < s->operand_count; i++) {
        const ts_tensor *t = &s->q->graph->tensors.data[s->operands[i].tensor];
        for (uint32_t d = 0; d < 4; d++) {
            if (i > 0 && s->dims[d] != t->dims[d] && s->dims[d] != 1 && t->dims[d] != 1) {
                return no_program(s, "its operands do not broadcast to its result");
            }
            s->dims[d] = i == 0 || t->dims[d] > s->dims[d] ? t->dims[d] : s->dims[d];
        }
    }
    return s->operand_count > 0 || refuse(s, "it reads constants only");
}

static ts_tensor_id add_program(island *s, const char *name, const target *y) {
    uint32_t head = TS_PROGRAM_HEAD + TS_PROGRAM_STEP * s->step_count, count = head + s->data.count;
    int32_t *words = TS_NEW_ARRAY(s->q->arena, int32_t, count);
    const float scale = s->q->away || y->floats ? 1 : y->scale;
    words[TS_PROGRAM_COUNT] = (int32_t)s->step_count;
    memcpy(&words[TS_PROGRAM_SCALE], &scale, sizeof scale);
    words[TS_PROGRAM_ZERO] = y->zero;
    words[TS_PROGRAM_LOW] = y->low;
    words[TS_PROGRAM_HIGH] = y->high;
    memcpy(words + TS_PROGRAM_HEAD, s->steps, TS_PROGRAM_STEP * s->step_count * sizeof *words);
    if (s->data.count > 0) {
        memcpy(words + head, s->data.data, s->data.count * sizeof *words);
    }
    const ts_tensor t = {.name = ts_arena_printf(s->q->arena, "%s.program", name),
                         .type = TS_S32,
                         .rank = 1,
                         .dims = {count},
                         .data = words,
                         .producer = TS_NONE};
    return ts_graph_add_tensor(s->q->graph, &t);
}

/* The codes of x moved by `op` into a map of `dims`; `what` ends the node's name. */
static void move_operand(island *s, const ts_fnode *n, ts_op op, const uint32_t order[3],
                         const uint32_t dims[4], const char *what, meaning *x) {
    const ts_tensor in = s->q->graph->tensors.data[x->tensor];
    if (op != TS_OP_TRANSPOSE && memcmp(in.dims, dims, 4 * sizeof *dims) == 0) {
        return;
    }
    target own = ts__qdq_own_quantum(x, &in);
    ts_node node = ts__qdq_new_node(s->q, n, op, x->tensor);
    node.name = ts_arena_printf(s->q->arena, "%s.%s", node.name, what);
    if (op == TS_OP_TRANSPOSE) {
        memcpy(node.move.order, order, 3 * sizeof *order);
    } else if (op == TS_OP_SLICE) {
        node.move.step[0] = node.move.step[1] = node.move.step[2] = 1;
    }
    x->tensor = ts__qdq_finish(s->q, &node, dims, &own).tensor;
}

/* The map with the axes that are the program's channels behind the others. */
typedef struct turning {
    uint32_t order[3], back[3]; /* there and back, as a transposition's */
    uint32_t dims[4];           /* of the map so turned */
    bool turns;                 /* its elements have another order */
} turning;

static turning turning_of(const island *s) {
    turning t = {.dims = {1, 1, 1, 1}};
    uint32_t count = 0, last = 0;
    for (uint32_t pass = 0; pass < 2; pass++) {
        for (uint32_t i = 0; i < 3; i++) {
            if ((s->over >> (i + 1) & 1) == pass) {
                bool moves = s->dims[i + 1] > 1;
                t.turns = t.turns || (moves && i < last);
                last = moves ? i : last;
                t.back[i] = count;
                t.dims[1 + count] = s->dims[1 + i];
                t.order[count++] = i;
            }
        }
    }
    return t;
}

/* The operands as the program reads them: repeated to one map, its channels last. */
static ts_status lay_out(island *s, const ts_fnode *n, const turning *t, const uint32_t dims[4]) {
    for (uint32_t i = 0; i < s->operand_count; i++) {
        meaning *x = &s->operands[i];
        TS_TRY(ts__qdq_broadcast(s->q, n, s->dims, x));
        if (t->turns) {
            move_operand(s, n, TS_OP_TRANSPOSE, t->order, t->dims, "turn", x);
        }
        move_operand(s, n, TS_OP_RESHAPE, NULL, dims, "rows", x);
    }
    return TS_OK;
}

/* The node, and behind it what gives its result the shape `dims`: a slice where all channels have one value.
 */
static ts_status add_float(island *s, const ts_fnode *n, const uint32_t dims[4], const target *y,
                           meaning *out) {
    const turning t = turning_of(s);
    const bool plain = s->over == 1u << 3;
    const uint32_t rows[4] = {1, plain ? s->dims[1] : 1, plain ? s->dims[2] : s->pixels, s->channels},
                   one[4] = {1, rows[1], rows[2], 1};
    TS_TRY(lay_out(s, n, &t, rows));
    ts_node node = ts__qdq_new_node(s->q, n, TS_OP_FLOAT, 0);
    node.input_count = s->operand_count;
    for (uint32_t i = 0; i < s->operand_count; i++) {
        node.inputs[i] = s->operands[i].tensor;
    }
    node.weights = add_program(s, node.name, y);
    *out = ts__qdq_finish(s->q, &node, rows, y);
    if (s->seen > 0) { /* not a change of form alone */
        ts_note(s->q->diags, TS_DIAG_UNSUPPORTED, n->name, ts_fop_name(n->op), "is computed in floats");
    }
    if (memcmp(dims, s->dims, sizeof s->dims) != 0) {
        move_operand(s, n, TS_OP_SLICE, NULL, one, "one", out);
    } else if (t.turns) {
        move_operand(s, n, TS_OP_RESHAPE, NULL, t.dims, "map", out);
        move_operand(s, n, TS_OP_TRANSPOSE, t.back, dims, "back", out);
    }
    move_operand(s, n, TS_OP_RESHAPE, NULL, dims, "shape", out);
    memcpy(out->dims, dims, sizeof out->dims);
    return TS_OK;
}

/* Room for what is known of each tensor: the float graph may have grown. */
static void make_room(qdq *q) {
    uint32_t before = q->value_count;
    if (before >= q->from->tensors.count) {
        return;
    }
    q->value_count = 2 * q->from->tensors.count;
    q->values = TS_NEW_ARRAY(q->scratch, qdq_value, q->value_count);
    q->island = 0;
    ts_tensor_id *floats = TS_NEW_ARRAY(q->scratch, ts_tensor_id, q->value_count);
    for (uint32_t i = 0; i < q->value_count; i++) {
        floats[i] = i < before ? q->floats[i] : TS_NONE;
    }
    q->floats = floats;
}

static void new_island(qdq *q) {
    make_room(q);
    q->island++;
}

/* As a reference kernel of TensorFlow Lite quantises: halves away from zero. The program's own last step
 * rounds them to even, so it gets whole numbers. */
static uint32_t rounded_away(island *s, uint32_t x, float scale) {
    const float enough = 4194304; /* past all codes, and below where floats have no fractions */
    uint32_t steps = divide(s, x, number_step(s, scale));
    uint32_t size = least(s, number_step(s, enough), magnitude(s, steps));
    uint32_t whole = add_step(s, TS_STEP_FLOOR, size, size), rest = sub(s, size, whole);
    uint32_t twice = add(s, rest, rest);
    uint32_t rounded = add(s, whole, add_step(s, TS_STEP_FLOOR, twice, twice));
    return add_step(s, TS_STEP_COPYSIGN, rounded, steps);
}

/* The shape of the result: the map's, or what is left of it where its channels were gone over. */
static bool result_fits(island *s, const qdq_value *v, ts_tensor_id id, uint32_t dims[4]) {
    const ts_ftensor *t = ts__qdq_ftensor(s->q, id);
    bool fits =
        ts__qdq_map_dims(t, dims) && v->kind != NUMBER &&
        (memcmp(dims, s->dims, 4 * sizeof *dims) == 0 || (v->reduced && ts_ftensor_elements(t) == s->pixels));
    s->node = NULL;
    return fits || no_program(s, "its result has another shape than what it reads");
}

/* All that is read is of codes, in one map; its values in `v`. */
static bool evaluate(island *s, ts_tensor_id id, uint32_t dims[4], qdq_value **v) {
    enum { MOST_WORK = 1 << 20 };
    new_island(s->q);
    if (!collect(s, id) || !common_dims(s) || !choose_axes(s)) {
        return false;
    }
    s->q->island_work += s->seen + 1;
    if (s->q->island_work > MOST_WORK) {
        return refuse(s, "the file asks for more of such work than one of its size can need");
    }
    new_island(s->q);
    *v = value_of(s, id);
    return s->why == NULL && result_fits(s, *v, id, dims);
}

static ts_status make_island(island *s, ts_tensor_id id, const target *y, meaning *out) {
    uint32_t dims[4];
    qdq_value *v;
    const ts_fnode *n = producer_of(s, id);
    if (!evaluate(s, id, dims, &v)) {
        return TS_OK;
    }
    s->node = NULL;
    n = n == NULL ? s->q->node : n; /* codes that no operator of the float graph has made */
    if (v->kind == TABLED && s->operand_count == 1 && !y->floats) {
        *out = ts__qdq_add_table(s->q, n, &s->operands[0], v->table, y);
        return TS_OK;
    }
    if (!s->q->allow_float) {
        refuse(s, floats_would);
        return TS_OK;
    }
    uint32_t step = step_of(s, v);
    step = s->q->away && !y->floats ? rounded_away(s, step, y->scale) : step;
    if (s->why == NULL && step + 1 != s->step_count) {
        add_step(s, TS_STEP_MAX, step, step); /* the last step is the result */
    }
    return s->why != NULL ? TS_OK : add_float(s, n, dims, y, out);
}

static void free_arena(void *arena) { ts_arena_free(arena); }

/* One program for all of `id`, if that is possible. */
static ts_status one_island(qdq *q, ts_tensor_id id, const target *y, meaning *out, const char **why,
                            const ts_fnode **at) {
    ts_arena *arena = ts_arena_new("island", 0);
    ts_guard_defer(free_arena, arena);
    island *s = TS_NEW(arena, island);
    *s = (island){.q = q, .arena = arena, .dims = {1, 1, 1, 1}};
    ts_status status = make_island(s, id, y, out);
    *why = s->why;
    *at = s->at;
    ts_guard_undefer(arena);
    ts_arena_free(arena);
    return status;
}

static ts_status map_of(qdq *q, ts_tensor_id id, const char **why, const ts_fnode **at);

/* Maps of floats of what `n` reads, but for constants, and for codes where a program reads them; *more where
 * there is one that was not there. */
static ts_status maps_before(qdq *q, const ts_fnode *n, bool codes, bool *more, const char **why,
                             const ts_fnode **at) {
    for (uint32_t i = 0; i < n->input_count; i++) {
        const meaning m = ts__qdq_meaning_of(q, n->inputs[i]);
        if (ts__qdq_is_constant(&m) || q->floats[n->inputs[i]] != TS_NONE ||
            (!codes && (m.kind == REAL || is_bare(&m)))) {
            continue;
        }
        TS_TRY(map_of(q, n->inputs[i], why, at));
        if (*why != NULL) {
            return TS_OK;
        }
        *more = true;
    }
    return TS_OK;
}

/* The map of floats that the layer `n` makes. */
static ts_status map_of_layer(qdq *q, const ts_fnode *n, const char **why, const ts_fnode **at) {
    ts_tensor_id inputs[TS_MAX_INPUTS];
    meaning made;
    bool more;
    TS_TRY(maps_before(q, n, true, &more, why, at));
    for (uint32_t i = 0; i < n->input_count; i++) {
        inputs[i] = q->floats[n->inputs[i]];
    }
    if (*why != NULL) {
        return TS_OK;
    }
    TS_TRY(ts__qdq_float_layer(q, n, inputs, &made, why));
    *at = *why != NULL ? n : *at;
    q->floats[n->output] = *why == NULL ? made.tensor : TS_NONE;
    return TS_OK;
}

/* Makes a map of floats that the island of `id` then is cut at: what `at` makes, which one program cannot
 * hold with what is behind it, or what it reads. */
static ts_status cut(qdq *q, ts_tensor_id id, const ts_fnode *n, bool *more, const char **why,
                     const ts_fnode **at) {
    const char *before = *why;
    *more = false;
    if (n == NULL) {
        return TS_OK;
    }
    *why = NULL;
    bool made = q->floats[n->output] != TS_NONE;
    if (!made && (n->op == TS_FOP_RESHAPE || n->op == TS_FOP_TRANSPOSE)) { /* of whole maps after all */
        *more = true;
        TS_TRY(map_of_layer(q, n, why, at));
    } else if (!made && (n->output != id || ts__qdq_is_layer(q, n))) {
        *more = true;
        TS_TRY(map_of(q, n->output, why, at));
    } else {
        TS_TRY(maps_before(q, n, false, more, why, at));
    }
    *more = *more && *why == NULL;
    *why = *why == NULL ? before : *why;
    return TS_OK;
}

ts_status ts__qdq_island(qdq *q, ts_tensor_id id, const target *y, meaning *out, const char **why,
                         const ts_fnode **at) {
    bool more = true;
    while (more) {
        TS_TRY(one_island(q, id, y, out, why, at));
        if (*why == NULL || !q->allow_float) {
            return TS_OK;
        }
        TS_TRY(cut(q, id, *at != NULL ? *at : maker_of(q, id), &more, why, at));
    }
    return TS_OK;
}

/* The map of floats that holds a tensor. */
static ts_status map_of(qdq *q, ts_tensor_id id, const char **why, const ts_fnode **at) {
    const target floats = {.floats = true};
    const meaning m = ts__qdq_meaning_of(q, id);
    const ts_fnode *n = maker_of(q, id);
    meaning made;
    if (q->float_depth == MOST_DEPTH) {
        *why = "it is one of more than 256 layers of floats behind each other";
        *at = n;
        return TS_OK;
    }
    q->float_depth++;
    if (n != NULL && ts__qdq_is_layer(q, n) && m.kind != REAL && !is_bare(&m)) {
        TS_TRY(map_of_layer(q, n, why, at));
    } else {
        TS_TRY(ts__qdq_island(q, id, &floats, &made, why, at));
        q->floats[id] = *why == NULL ? made.tensor : TS_NONE;
    }
    q->float_depth--;
    return TS_OK;
}
