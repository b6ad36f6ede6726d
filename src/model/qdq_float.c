/* Islands: what float operators between a dequantisation and a quantisation make of codes. A function of one
 * element of one tensor is a table of 256 codes, computed here; anything else becomes the program of a FLOAT
 * node (ir/program.h). */
#include <math.h>
#include <string.h>

#include "ir/float_op.h"
#include "ir/program.h"
#include "model/qdq_internal.h"

enum { MOST_VALUES = 128, MOST_OPERANDS = 2 };

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
} qdq_value;

typedef struct island {
    qdq *q;
    ts_arena *arena;
    ts_tensor_id leaves[MOST_OPERANDS]; /* of the float graph */
    meaning operands[MOST_OPERANDS];
    uint32_t operand_count, seen;
    uint32_t dims[4]; /* of the map whose pixels the program computes */
    int32_t steps[TS_PROGRAM_STEP * TS_PROGRAM_STEPS];
    uint32_t step_count;
    TS_VEC(int32_t) data;
    const char *why; /* it cannot be computed; NULL as long as it can */
} island;

static bool refuse(island *s, const char *why) {
    s->why = s->why == NULL ? why : s->why;
    return false;
}

static const ts_fnode *producer_of(const island *s, ts_tensor_id id) {
    ts_node_id node = ts__qdq_ftensor(s->q, id)->producer;
    return node == TS_NONE ? NULL : &s->q->from->nodes.data[node];
}

/* The accumulator of a layer that nothing quantises. */
static bool is_bare(const meaning *m) { return m->kind == TAIL && m->node == NULL && m->tensor != TS_NONE; }

/* ---- steps ---- */

/* Adds a step; past the last that there may be it is only counted as too many. */
static uint32_t add_step(island *s, ts_float_step step, uint32_t a, uint32_t b) {
    if (s->step_count == TS_PROGRAM_STEPS) {
        refuse(s, "it takes more than 64 steps");
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

static void constant_value(island *s, const meaning *m, qdq_value *out) {
    if (m->count == 1) {
        make_number(out, ts__qdq_real_at(m, 0));
        return;
    }
    if (m->count != s->dims[3] || m->rank == 0 || m->file_dims[m->rank - 1] != m->count) {
        refuse(s, "it has a constant that is neither one number nor one a channel");
        return;
    }
    float *reals = TS_NEW_ARRAY(s->arena, float, m->count);
    for (uint32_t i = 0; i < m->count; i++) {
        reals[i] = ts__qdq_real_at(m, i);
    }
    make_step(out, add_step(s, TS_STEP_CONST, add_data(s, reals, m->count), 1));
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
    if (count > 1 && count != s->dims[3]) {
        refuse(s, "its channels are not those of its result");
        return;
    }
    uint32_t unit = add_step(s, TS_STEP_CONST, add_data(s, units, count), count > 1);
    make_step(out, mul(s, add_step(s, TS_STEP_CODE, operand, 0), unit));
}

static void leaf_value(island *s, uint32_t operand, qdq_value *out) {
    const meaning *x = &s->operands[operand];
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

static void unary_value(island *s, const ts_fnode *n, qdq_value *out) {
    const qdq_value *x = input_of(s, n, 0);
    if (s->why != NULL) {
        return;
    }
    if (x->kind == NUMBER) {
        make_number(out, ts_fop_unary(n, x->number));
    } else if (x->kind == STEP) {
        make_step(out, unary_steps(s, n, x->step));
    } else {
        float *table = TS_NEW_ARRAY(s->arena, float, TS_PROGRAM_TABLE);
        for (uint32_t i = 0; i < TS_PROGRAM_TABLE; i++) {
            table[i] = ts_fop_unary(n, x->table[i]);
        }
        out->kind = TABLED;
        out->operand = x->operand;
        out->table = table;
    }
}

static void binary_value(island *s, const ts_fnode *n, qdq_value *out) {
    qdq_value *a = input_of(s, n, 0), *b = input_of(s, n, 1);
    if (s->why != NULL) {
        return;
    }
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

/* Channels that a reduction of tensor `id` goes over: those of the pixels, or one. */
static bool over_channels(island *s, ts_tensor_id id, bool last) {
    const ts_ftensor *t = ts__qdq_ftensor(s->q, id);
    bool fits = last && t->rank > 0 && t->dims[t->rank - 1] == s->dims[3];
    return fits || refuse(s, "it goes over another axis than the last");
}

static void reduced_value(island *s, const ts_fnode *n, qdq_value *out) {
    const ts_ftensor *t = ts__qdq_ftensor(s->q, n->inputs[0]);
    qdq_value *x = input_of(s, n, 0);
    if (s->why != NULL || !over_channels(s, n->inputs[0], n->axes == 1u << (t->rank - 1))) {
        return;
    }
    uint32_t a = step_of(s, x);
    uint32_t all = add_step(s, n->op == TS_FOP_REDUCE_MAX ? TS_STEP_MOST : TS_STEP_SUM, a, a);
    make_step(out, n->op == TS_FOP_REDUCE_MEAN ? divide(s, all, number_step(s, (float)s->dims[3])) : all);
}

static void softmax_value(island *s, const ts_fnode *n, qdq_value *out) {
    const ts_ftensor *t = ts__qdq_ftensor(s->q, n->inputs[0]);
    qdq_value *x = input_of(s, n, 0);
    if (s->why != NULL || !over_channels(s, n->inputs[0], n->axis + 1 == t->rank)) {
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
        if (s->why != NULL) {
            return;
        }
        v[i] = step_of(s, x);
    }
    uint32_t variance = add(s, v[4], number_step(s, n->epsilon));
    uint32_t norm = divide(s, sub(s, v[0], v[3]), add_step(s, TS_STEP_SQRT, variance, variance));
    make_step(out, add(s, mul(s, norm, v[1]), v[2]));
}

/* A movement that moves nothing. */
static bool stays(island *s, const ts_fnode *n) {
    uint32_t from[4], to[4];
    const ts_ftensor *x = ts__qdq_ftensor(s->q, n->inputs[0]);
    bool moves = n->op != TS_FOP_RESHAPE && !(n->op == TS_FOP_TRANSPOSE && ts__qdq_order_stays(x, n));
    return !moves && ts__qdq_map_dims(x, from) && ts__qdq_map_dims(ts__qdq_ftensor(s->q, n->output), to) &&
           memcmp(from, to, sizeof from) == 0;
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
    } else if (stays(s, n)) {
        const qdq_value *x = input_of(s, n, 0);
        uint32_t number = out->island;
        *out = *x;
        out->island = number;
    } else {
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
    if (++s->seen > MOST_VALUES) {
        return refuse(s, "it is one of more than 128 operators between two quantisations");
    }
    if (m.kind == REAL || is_bare(&m)) {
        if (s->operand_count == MOST_OPERANDS) {
            return refuse(s, "it is one of operators that join more than two quantised tensors");
        }
        s->leaves[s->operand_count] = id;
        s->operands[s->operand_count++] = m;
        return true;
    }
    const ts_fnode *n = producer_of(s, id);
    bool fits = n != NULL && n->op != TS_FOP_QUANT && n->op != TS_FOP_DEQUANT;
    for (uint32_t i = 0; fits && i < n->input_count; i++) {
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
                return refuse(s, "its operands do not broadcast to its result");
            }
            s->dims[d] = i == 0 || t->dims[d] > s->dims[d] ? t->dims[d] : s->dims[d];
        }
    }
    return s->operand_count > 0 || refuse(s, "it reads constants only");
}

static ts_tensor_id add_program(island *s, const char *name, const target *y) {
    uint32_t head = TS_PROGRAM_HEAD + TS_PROGRAM_STEP * s->step_count, count = head + s->data.count;
    int32_t *words = TS_NEW_ARRAY(s->q->arena, int32_t, count);
    words[TS_PROGRAM_COUNT] = (int32_t)s->step_count;
    memcpy(&words[TS_PROGRAM_SCALE], &y->scale, sizeof y->scale);
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

/* The node; behind it, where the result has one channel for all, a slice. */
static ts_status add_float(island *s, const ts_fnode *n, const uint32_t dims[4], const target *y,
                           meaning *out) {
    ts_node node = ts__qdq_new_node(s->q, n, TS_OP_FLOAT, 0);
    node.input_count = s->operand_count;
    for (uint32_t i = 0; i < s->operand_count; i++) {
        TS_TRY(ts__qdq_broadcast(s->q, n, s->dims, &s->operands[i]));
        node.inputs[i] = s->operands[i].tensor;
    }
    node.weights = add_program(s, node.name, y);
    *out = ts__qdq_finish(s->q, &node, s->dims, y);
    ts_note(s->q->diags, TS_DIAG_UNSUPPORTED, n->name, ts_fop_name(n->op), "is computed in floats");
    if (dims[3] != s->dims[3]) {
        ts_node slice = ts__qdq_new_node(s->q, n, TS_OP_SLICE, out->tensor);
        slice.name = ts_arena_printf(s->q->arena, "%s.one", node.name);
        slice.move.step[0] = slice.move.step[1] = slice.move.step[2] = 1;
        *out = ts__qdq_finish(s->q, &slice, dims, y);
    }
    return TS_OK;
}

static void new_island(qdq *q) {
    if (q->values == NULL) {
        q->values = TS_NEW_ARRAY(q->scratch, qdq_value, q->from->tensors.count);
    }
    q->island++;
}

ts_status ts__qdq_island(qdq *q, ts_tensor_id id, const target *y, meaning *out, const char **why) {
    island s = {.q = q, .arena = q->scratch, .dims = {1, 1, 1, 1}};
    uint32_t dims[4];
    const ts_fnode *n = producer_of(&s, id);
    *why = NULL;
    new_island(q);
    if (!collect(&s, id) || !common_dims(&s)) {
        *why = s.why;
        return TS_OK;
    }
    new_island(q);
    qdq_value *v = value_of(&s, id);
    bool fits = s.why == NULL && ts__qdq_map_dims(ts__qdq_ftensor(q, id), dims) &&
                memcmp(dims, s.dims, 3 * sizeof *dims) == 0 && (dims[3] == s.dims[3] || dims[3] == 1);
    if (!fits || v->kind == NUMBER) {
        *why = s.why != NULL ? s.why : "its result has another shape than what it reads";
        return TS_OK;
    }
    if (v->kind == TABLED && s.operand_count == 1) {
        *out = ts__qdq_add_table(q, n, &s.operands[0], v->table, y);
        return TS_OK;
    }
    if (!q->allow_float) {
        *why = "--allow-float computes it in floats";
        return TS_OK;
    }
    make_step(v, step_of(&s, v));
    if (s.why != NULL) {
        *why = s.why;
        return TS_OK;
    }
    /* The last step is the result: an earlier one is repeated behind the others. */
    if (v->step + 1 != s.step_count) {
        add_step(&s, TS_STEP_MAX, v->step, v->step);
    }
    *why = s.why;
    return s.why != NULL ? TS_OK : add_float(&s, n, dims, y, out);
}
