/* Each float tensor has a meaning: codes with a quantum, what an operator would make of such, or the
 * network's input. A QuantizeLinear asks for codes: the operator before it then becomes a node whose
 * requantisation is the float one of the runtime, found again in integers and compared step by step. */
#include "model/qdq.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "model/qdq_internal.h"
#include "model/tflite.h"

const ts_ftensor *ts__qdq_ftensor(const qdq *q, ts_tensor_id id) { return &q->from->tensors.data[id]; }

/* Names of fused operators are joined by semicolons: the first says enough. */
static const char *short_name(qdq *q, const char *name) {
    size_t length = strcspn(name, ";");
    return length == 0 ? ts_arena_strdup(q->arena, name) : ts_arena_copy(q->arena, name, length);
}

/* ---- meanings of constants ---- */

meaning ts__qdq_meaning_of(qdq *q, ts_tensor_id id) {
    const ts_ftensor *t = ts__qdq_ftensor(q, id);
    if (t->data == NULL) {
        return q->meanings[id];
    }
    meaning m = {.kind = CONST_REAL, .data = t->data, .rank = t->rank, .scale_count = 0};
    m.count = (uint32_t)ts_ftensor_elements(t);
    memcpy(m.file_dims, t->dims, sizeof m.file_dims);
    return m;
}

bool ts__qdq_is_constant(const meaning *m) { return m->kind == CONST_CODES || m->kind == CONST_REAL; }

/* Number of the quantum of element i. */
static uint32_t quantum_of(const meaning *m, uint32_t i) {
    uint32_t inner = 1;
    for (uint32_t d = m->axis + 1; d < m->rank; d++) {
        inner *= m->file_dims[d];
    }
    return m->scale_count <= 1 ? 0 : i / inner % m->file_dims[m->axis];
}

float ts__qdq_real_at(const meaning *m, uint32_t i) {
    uint32_t k = quantum_of(m, i);
    return m->scale_count == 0 ? m->data[i]
                               : (m->data[i] - m->zeros[m->scale_count > 1 ? k : 0]) * m->scales[k];
}

/* {1, H, W, C} with the dimensions at the right end. */
bool ts__qdq_map_dims(const ts_ftensor *t, uint32_t dims[4]) {
    dims[0] = dims[1] = dims[2] = dims[3] = 1;
    for (uint32_t i = 0; i < t->rank; i++) {
        uint32_t at = i + 4 < t->rank ? 0 : 4 - t->rank + i;
        dims[at] *= t->dims[i];
    }
    return t->rank <= 4 && dims[0] == 1;
}

/* ---- tensors and nodes ---- */

static ts_status read_target(qdq *q, const ts_fnode *n, target *out) {
    const ts_ftensor *scale = ts__qdq_ftensor(q, n->inputs[1]), *zero = ts__qdq_ftensor(q, n->inputs[2]);
    if (scale->data == NULL || zero->data == NULL || ts_ftensor_elements(scale) != 1 ||
        ts_ftensor_elements(zero) != 1) {
        return FAIL(q, TS_DIAG_UNSUPPORTED, "its scale and zero point are not constants, one of each");
    }
    *out = (target){.scale = scale->data[0], .low = (int32_t)n->low, .high = (int32_t)n->high};
    out->is_signed = out->low < 0;
    float z = zero->data[0];
    if (!(out->scale > 0) || !isfinite(out->scale) || !(z >= n->low && z <= n->high) || z != rintf(z)) {
        return FAIL(q, TS_DIAG_VALUE, "scale %g and zero point %g are no quantum of 8 bits",
                    (double)out->scale, (double)z);
    }
    out->zero = (int32_t)z;
    return TS_OK;
}

/* The quantum and type of codes that only move. */
target ts__qdq_own_quantum(const meaning *x, const ts_tensor *t) {
    return (target){.scale = x->scale,
                    .zero = x->zero,
                    .low = (int32_t)ts_type_low(t->type),
                    .high = (int32_t)ts_type_high(t->type),
                    .is_signed = t->type == TS_S8,
                    .bare = t->type == TS_S32,
                    .floats = t->type == TS_F32};
}

static ts_tensor_id new_tensor(qdq *q, const char *name, const uint32_t dims[4], const target *y) {
    double *scale = TS_NEW(q->arena, double);
    int32_t *zero = TS_NEW(q->arena, int32_t);
    *scale = (double)y->scale;
    *zero = y->zero;
    ts_tensor t = {.name = name,
                   .type = y->floats      ? TS_F32
                           : y->bare      ? TS_S32
                           : y->is_signed ? TS_S8
                                          : TS_U8,
                   .rank = 4,
                   .quantum = {y->bare || y->floats ? 0 : 1, scale, zero},
                   .producer = TS_NONE};
    memcpy(t.dims, dims, sizeof(uint32_t) * 4);
    return ts_graph_add_tensor(q->graph, &t);
}

ts_node ts__qdq_new_node(qdq *q, const ts_fnode *n, ts_op op, ts_tensor_id input) {
    return (ts_node){.name = short_name(q, n->name),
                     .file_index = n->file_index,
                     .op = op,
                     .input_count = 1,
                     .inputs = {input},
                     .weights = TS_NONE,
                     .bias = TS_NONE};
}

static meaning codes(ts_tensor_id tensor, const target *y, const uint32_t dims[4]) {
    meaning m = {.kind = CODES, .tensor = tensor, .scale = y->scale, .zero = y->zero};
    memcpy(m.dims, dims, sizeof m.dims);
    return m;
}

/* Adds the node and its output of `dims`. */
meaning ts__qdq_finish(qdq *q, ts_node *node, const uint32_t dims[4], const target *y) {
    node->name = y->floats ? ts_arena_printf(q->arena, "%s.floats", node->name) : node->name;
    node->output =
        new_tensor(q, ts_arena_printf(q->arena, y->floats ? "%s.map" : "%s.codes", node->name), dims, y);
    ts_graph_add_node(q->graph, node);
    return codes(node->output, y, dims);
}

/* ---- requantisation: floats found again in integers ---- */

/* The runtime's result of an accumulator: one float product, halves to even. */
typedef struct staircase {
    float scale;
    double offset; /* added to the product before it is rounded: 0 for accumulators */
    int32_t zero, low, high;
} staircase;

static int32_t stair(const staircase *s, int64_t acc) {
    float product = (float)acc * s->scale;
    double y = rint((double)product + s->offset) + s->zero;
    return y < s->low ? s->low : y > s->high ? s->high : (int32_t)y;
}

/* The least accumulator with a result of at least `y`, near where it has to be; past 32 bits it is only that.
 */
static int64_t first_of(const staircase *s, int32_t y) {
    double guess = ceil((y - s->zero - 0.5 - s->offset) / (double)s->scale);
    if (!(fabs(guess) < 0x1p40)) {
        return guess < 0 ? -(INT64_C(1) << 40) : INT64_C(1) << 40;
    }
    int64_t at = (int64_t)guess;
    for (int i = 0; i < 4096 && stair(s, at) >= y; i++) {
        at--;
    }
    for (int i = 0; i < 8192 && stair(s, at) < y; i++) {
        at++;
    }
    return at;
}

__extension__ typedef __int128 wide;

/* Chooses lambda so that floor((kappa acc + lambda) / d) steps where the staircase does; returns the number
 * of steps, of those within 32 bits, that it cannot meet. */
static uint32_t fit_lambda(const staircase *s, int64_t kappa, int64_t d, int64_t *lambda) {
    wide least = -((wide)1 << 100), most = (wide)1 << 100;
    wide middle = (wide)d / 2 + (wide)llround(s->offset * (double)d);
    uint32_t missed = 0;
    for (uint32_t pass = 0; pass < 2; pass++) {
        for (int32_t y = s->low + 1; y <= s->high; y++) {
            int64_t at = first_of(s, y);
            if (at < INT32_MIN || at > INT32_MAX || stair(s, at) < y) {
                continue;
            }
            wide from = (wide)(y - s->zero) * d - (wide)kappa * at, to = from + kappa - 1;
            if (pass == 0) {
                least = from > least ? from : least;
                most = to < most ? to : most;
            } else {
                missed += middle < from || middle > to;
            }
        }
        if (pass == 0 && least <= most) {
            middle = middle < least ? least : middle > most ? most : middle;
        }
    }
    *lambda = (int64_t)(middle + (wide)s->zero * d);
    return missed;
}

/* kappa, lambda and D for each channel. */
static ts_status float_requant(qdq *q, const staircase *stairs, uint32_t channels, ts_requant *out) {
    int64_t *kappa = TS_NEW_ARRAY(q->arena, int64_t, channels);
    int64_t *lambda = TS_NEW_ARRAY(q->arena, int64_t, channels);
    float most = 0;
    for (uint32_t c = 0; c < channels; c++) {
        if (!(stairs[c].scale > 0) || stairs[c].scale > 1e6f) {
            return FAIL(q, TS_DIAG_VALUE, "its scales make a factor of %g", (double)stairs[c].scale);
        }
        most = stairs[c].scale > most ? stairs[c].scale : most;
    }
    int exponent;
    frexp((double)most, &exponent);
    int power = 38 - exponent < 46 ? 38 - exponent : 46;
    *out = (ts_requant){.kind = TS_REQUANT_NEMO,
                        .channels = channels,
                        .kappa = kappa,
                        .lambda = lambda,
                        .m = 1,
                        .d = INT64_C(1) << power,
                        .low = stairs[0].low,
                        .high = stairs[0].high};
    for (uint32_t c = 0; c < channels; c++) {
        kappa[c] = llround(ldexp((double)stairs[c].scale, power));
        q->beside += fit_lambda(&stairs[c], kappa[c], out->d, &lambda[c]);
    }
    return TS_OK;
}

/* Codes that real bounds leave. */
static int32_t bound_code(float bound, const target *y) {
    double code = rint((double)(bound / y->scale)) + y->zero;
    return code < y->low ? y->low : code > y->high ? y->high : (int32_t)code;
}

static target bounded(const meaning *p, const target *y) {
    target b = *y;
    b.low = p->low > -FLT_MAX ? bound_code(p->low, y) : y->low;
    b.high = p->high < FLT_MAX ? bound_code(p->high, y) : y->high;
    return b;
}

/* ---- functions of one element ---- */

/* Source: the operators' definitions in ONNX, in floats. */
static float function_of(const ts_fnode *n, float x) {
    switch (n->op) {
        case TS_FOP_RELU:
            return fmaxf(x, 0);
        case TS_FOP_CLIP:
            return fminf(fmaxf(x, n->low), n->high);
        case TS_FOP_LEAKY_RELU:
            return x >= 0 ? x : n->alpha * x;
        case TS_FOP_HARD_SIGMOID:
            return fminf(fmaxf(n->alpha * x + n->beta, 0), 1);
        case TS_FOP_HARD_SWISH:
            return x * fminf(fmaxf(x / 6.0f + 0.5f, 0), 1);
        case TS_FOP_SIGMOID:
            return 1.0f / (1.0f + expf(-x));
        case TS_FOP_TANH:
            return tanhf(x);
        case TS_FOP_ELU:
            return x >= 0 ? x : n->alpha * (expf(x) - 1.0f);
        default:
            return x;
    }
}

static bool is_function(ts_fop op) {
    return op == TS_FOP_RELU || op == TS_FOP_CLIP || op == TS_FOP_LEAKY_RELU || op == TS_FOP_HARD_SIGMOID ||
           op == TS_FOP_HARD_SWISH || op == TS_FOP_SIGMOID || op == TS_FOP_TANH || op == TS_FOP_ELU;
}

meaning ts__qdq_add_table(qdq *q, const ts_fnode *n, const meaning *x, const float *reals, const target *y) {
    ts_tensor in = q->graph->tensors.data[x->tensor];
    uint8_t *table = TS_NEW_ARRAY(q->arena, uint8_t, CODES_COUNT);
    for (int32_t i = 0; i < CODES_COUNT; i++) {
        float steps = reals[i] / y->scale;
        float code = (q->away ? roundf(steps) : rintf(steps)) + (float)y->zero;
        table[i] = (uint8_t)(int32_t)fminf(fmaxf(code, (float)y->low), (float)y->high);
    }
    ts_node node = ts__qdq_new_node(q, n, TS_OP_LUT, x->tensor);
    ts_tensor constant = {.name = ts_arena_printf(q->arena, "%s.table", node.name),
                          .type = y->is_signed ? TS_S8 : TS_U8,
                          .rank = 1,
                          .dims = {CODES_COUNT},
                          .data = table,
                          .producer = TS_NONE};
    node.weights = ts_graph_add_tensor(q->graph, &constant);
    return ts__qdq_finish(q, &node, in.dims, y);
}

/* y = table[x] of a tensor: each code dequantised, sent through the chain, and quantised, in floats. */
static meaning add_table(qdq *q, const ts_fnode *n, const meaning *x, const meaning *p, const target *y) {
    float reals[CODES_COUNT];
    int32_t low = (int32_t)ts_type_low(q->graph->tensors.data[x->tensor].type);
    for (int32_t i = 0; i < CODES_COUNT; i++) {
        reals[i] = ((float)(i + low) - (float)x->zero) * x->scale;
        for (uint32_t k = 0; p != NULL && k < p->chain_count; k++) {
            reals[i] = function_of(p->chain[k], reals[i]);
        }
    }
    return ts__qdq_add_table(q, n, x, reals, y);
}

static bool same_codes(const meaning *x, const target *y, const ts_graph *graph) {
    bool is_signed = graph->tensors.data[x->tensor].type == TS_S8;
    return x->scale == y->scale && x->zero == y->zero && is_signed == y->is_signed;
}

/* ---- layers ---- */

/* Elements of a constant with a quantum, whole numbers of 8 bits, less their zero points. */
static ts_status weight_values(qdq *q, const meaning *w, int16_t *out) {
    for (uint32_t i = 0; i < w->count; i++) {
        float zero = w->zeros[quantum_of(w, i)];
        if (w->data[i] != rintf(w->data[i]) || w->data[i] < -128 || w->data[i] > 255 || zero != rintf(zero) ||
            zero < -128 || zero > 255) {
            return FAIL(q, TS_DIAG_UNSUPPORTED, "its weights and their zero points are not of 8 bits");
        }
        out[i] = (int16_t)(w->data[i] - zero);
    }
    return TS_OK;
}

/* The narrowest form of weights: 8 bits; 8 bits and a zero point, one for all, where they span no more; else
 * 16 bits, as where outputs have zero points far apart. */
static void store_weights(qdq *q, const int16_t *values, uint32_t count, ts_tensor *t, int32_t *zero) {
    int32_t low = 0, high = 0;
    for (uint32_t i = 0; i < count; i++) {
        low = values[i] < low ? values[i] : low;
        high = values[i] > high ? values[i] : high;
    }
    *zero = low < -128 ? -128 - low : high > 127 ? 127 - high : 0;
    if (high - low > 255) {
        *zero = 0;
        t->type = TS_S16;
        t->data = ts_arena_copy(q->arena, values, count * sizeof *values);
        return;
    }
    int8_t *data = TS_NEW_ARRAY(q->arena, int8_t, count);
    for (uint32_t i = 0; i < count; i++) {
        data[i] = (int8_t)(values[i] + *zero);
    }
    t->type = TS_S8;
    t->data = data;
}

/* Weights of a node: `rank` and `dims` of the graph, with the file's scales, one or one an output. */
static ts_status add_weights(qdq *q, ts_node *node, const meaning *w, const int16_t *values, uint32_t rank,
                             const uint32_t *dims) {
    double *scales = TS_NEW_ARRAY(q->arena, double, w->scale_count);
    int32_t *zeros = TS_NEW_ARRAY(q->arena, int32_t, w->scale_count), zero;
    ts_tensor t = {.name = ts_arena_printf(q->arena, "%s.weights", node->name),
                   .rank = rank,
                   .quantum = {w->scale_count, scales, zeros},
                   .producer = TS_NONE};
    store_weights(q, values, w->count, &t, &zero);
    for (uint32_t i = 0; i < w->scale_count; i++) {
        scales[i] = (double)w->scales[i];
        zeros[i] = zero;
        if (!(scales[i] > 0) || !isfinite(scales[i])) {
            return FAIL(q, TS_DIAG_VALUE, "scale %u of its weights is %g", i, scales[i]);
        }
    }
    memcpy(t.dims, dims, rank * sizeof *dims);
    node->weights = ts_graph_add_tensor(q->graph, &t);
    return TS_OK;
}

/* The bias in units of the accumulator: stored so, or rounded to it. */
static ts_status add_bias(qdq *q, ts_node *node, const meaning *b, const meaning *x, const meaning *w,
                          uint32_t channels) {
    int32_t *data = TS_NEW_ARRAY(q->arena, int32_t, channels);
    if (b->count != channels && b->count != 1) {
        return FAIL(q, TS_DIAG_SHAPE, "its bias has %u elements; %u would be right", b->count, channels);
    }
    for (uint32_t c = 0; c < channels; c++) {
        uint32_t i = b->count == 1 ? 0 : c;
        double unit = (double)x->scale * (double)w->scales[w->scale_count > 1 ? c : 0];
        double value = rint((double)ts__qdq_real_at(b, i) / unit);
        bool stored = b->scale_count > 0 && b->zeros[quantum_of(b, i)] == 0 &&
                      fabs((double)b->scales[quantum_of(b, i)] / unit - 1) < 1e-5;
        value = stored ? (double)b->data[i] : value;
        if (!(fabs(value) < (1 << 24))) {
            return FAIL(q, TS_DIAG_VALUE, "bias %u is %g units of its accumulator; below 2^24 are exact", c,
                        value);
        }
        data[c] = (int32_t)value;
    }
    ts_tensor t = {.name = ts_arena_printf(q->arena, "%s.bias", node->name),
                   .type = TS_S32,
                   .rank = 1,
                   .dims = {channels},
                   .data = data,
                   .producer = TS_NONE};
    node->bias = ts_graph_add_tensor(q->graph, &t);
    return TS_OK;
}

static ts_status layer_requant(qdq *q, const meaning *x, const meaning *w, uint32_t channels, const target *y,
                               ts_requant *out) {
    uint32_t rows = w->scale_count > 1 ? channels : 1;
    if (y->bare) {
        *out = (ts_requant){.kind = TS_REQUANT_NONE};
        return TS_OK;
    }
    staircase *stairs = TS_NEW_ARRAY(q->scratch, staircase, rows);
    for (uint32_t c = 0; c < rows; c++) {
        stairs[c] = (staircase){x->scale * w->scales[c] / y->scale, 0, y->zero, y->low, y->high};
    }
    return float_requant(q, stairs, rows, out);
}

/* Inputs of a linear operator: codes times a constant with a quantum. */
static ts_status linear_inputs(qdq *q, const ts_fnode *n, meaning *x, meaning *w) {
    *x = ts__qdq_meaning_of(q, n->inputs[0]);
    *w = ts__qdq_meaning_of(q, n->inputs[1]);
    if (x->kind != REAL || !ts__qdq_is_constant(w) || w->scale_count == 0) {
        return FAIL(q, TS_DIAG_UNSUPPORTED,
                    "is not computed on a quantised activation and quantised constant weights; it would run "
                    "in floats%s",
                    q->allow_float ? "" : ", with --allow-float");
    }
    return TS_OK;
}

static ts_status make_conv(qdq *q, const meaning *p, const target *y, meaning *out) {
    const ts_fnode *n = p->node;
    meaning x, w;
    TS_TRY(linear_inputs(q, n, &x, &w));
    bool is_1d = w.rank == 3;
    uint32_t channels = w.file_dims[0], inner = w.file_dims[w.rank - 1];
    if ((w.scale_count > 1 && (w.axis != 0 || w.scale_count != channels)) || w.rank < 3) {
        return FAIL(q, TS_DIAG_UNSUPPORTED, "its weights have quanta along another axis than the outputs'");
    }
    ts_node node = ts__qdq_new_node(q, n, TS_OP_CONV, x.tensor);
    node.groups = n->groups;
    node.window = n->window;
    if (is_1d) {
        node.window.kernel_h = node.window.stride_h = node.window.dilation_h = 1;
        node.window.pad_top = node.window.pad_bottom = 0;
    }
    int16_t *values = TS_NEW_ARRAY(q->scratch, int16_t, w.count);
    TS_TRY(weight_values(q, &w, values));
    TS_TRY(add_weights(q, &node, &w, values, 4,
                       (const uint32_t[]){channels, node.window.kernel_h, node.window.kernel_w, inner}));
    if (n->input_count > 2) {
        meaning b = ts__qdq_meaning_of(q, n->inputs[2]);
        TS_TRY(add_bias(q, &node, &b, &x, &w, channels));
    }
    TS_TRY(layer_requant(q, &x, &w, channels, y, &node.requant));
    uint32_t dims[4];
    ts__qdq_map_dims(ts__qdq_ftensor(q, n->output), dims);
    *out = ts__qdq_finish(q, &node, dims, y);
    return TS_OK;
}

/* op(x) times constant weights [in, out] (or [out, in] where trans_b says so). Several rows of features are
 * the positions of a convolution of 1 x 1. */
static ts_status make_linear(qdq *q, const meaning *p, const target *y, meaning *out) {
    const ts_fnode *n = p->node;
    meaning x, w;
    TS_TRY(linear_inputs(q, n, &x, &w));
    bool turned = n->op == TS_FOP_GEMM && n->trans_b;
    uint32_t in = w.file_dims[turned ? 1 : 0], channels = w.file_dims[turned ? 0 : 1];
    bool plain =
        n->op != TS_FOP_GEMM || (n->alpha == 1 && (n->input_count < 3 || n->beta == 1) && !n->trans_a);
    const ts_tensor from = q->graph->tensors.data[x.tensor];
    bool rows = ts_tensor_elements(&from) != in;
    if (w.rank != 2 || !plain || (rows && ts_c(&from) != in) ||
        (w.scale_count > 1 && (w.axis != (turned ? 0u : 1u) || w.scale_count != channels))) {
        return FAIL(q, TS_DIAG_UNSUPPORTED, "rows of features times a constant matrix are served");
    }
    ts_node node = ts__qdq_new_node(q, n, TS_OP_LINEAR, x.tensor);
    int16_t *raw = TS_NEW_ARRAY(q->scratch, int16_t, w.count),
            *data = TS_NEW_ARRAY(q->scratch, int16_t, w.count);
    TS_TRY(weight_values(q, &w, raw));
    for (uint32_t i = 0; i < w.count; i++) {
        data[i] = turned ? raw[i] : raw[i % in * channels + i / in];
    }
    if (rows) {
        node.op = TS_OP_CONV;
        node.groups = 1;
        node.window = (ts_window){1, 1, 1, 1, 1, 1, 0, 0, 0, 0};
        TS_TRY(add_weights(q, &node, &w, data, 4, (const uint32_t[]){channels, 1, 1, in}));
    } else {
        TS_TRY(add_weights(q, &node, &w, data, 2, (const uint32_t[]){channels, in}));
    }
    if (n->op == TS_FOP_GEMM && n->input_count > 2) {
        meaning b = ts__qdq_meaning_of(q, n->inputs[2]);
        TS_TRY(add_bias(q, &node, &b, &x, &w, channels));
    }
    TS_TRY(layer_requant(q, &x, &w, channels, y, &node.requant));
    const uint32_t dims[4] = {1, rows ? ts_h(&from) : 1, rows ? ts_w(&from) : 1, channels};
    *out = ts__qdq_finish(q, &node, dims, y);
    return TS_OK;
}

/* Codes of x with the quantum y. */
static meaning to_quantum(qdq *q, const ts_fnode *n, const meaning *x, const target *y) {
    return same_codes(x, y, q->graph) ? *x : add_table(q, n, x, NULL, y);
}

/* The window of a mean over rows, columns or both, and its result {1, H, W, C}; false where it goes over
 * other axes or leaves out dimensions that others then follow. */
static bool mean_window(const qdq *q, const ts_fnode *n, ts_window *window, uint32_t dims[4]) {
    const ts_ftensor *x = ts__qdq_ftensor(q, n->inputs[0]);
    uint32_t in[4], shape[4], maps = 0, first = x->rank > 4 ? 0 : 4 - x->rank;
    if (!ts__qdq_map_dims(x, in) || !ts__qdq_map_dims(ts__qdq_ftensor(q, n->output), shape)) {
        return false;
    }
    for (uint32_t d = 0; d < x->rank; d++) {
        maps |= (n->axes >> d & 1) << (d + first);
    }
    *window = (ts_window){.stride_h = 1, .stride_w = 1, .dilation_h = 1, .dilation_w = 1};
    window->kernel_h = maps >> 1 & 1 ? in[1] : 1;
    window->kernel_w = maps >> 2 & 1 ? in[2] : 1;
    memcpy(dims, in, sizeof in);
    dims[1] /= window->kernel_h;
    dims[2] /= window->kernel_w;
    bool over_channels = (maps >> 3 & 1) && in[3] > 1;
    return !over_channels && memcmp(dims, shape, sizeof shape) == 0;
}

/* Divides every window of a mean by the same number of elements? */
static bool divides_evenly(const ts_fnode *n, const ts_window *w, const ts_tensor *in,
                           const uint32_t dims[4]) {
    bool pads = (w->pad_top | w->pad_left | w->pad_bottom | w->pad_right) != 0;
    bool whole = ts_window_out(ts_h(in), w->kernel_h, w->stride_h, 1, w->pad_top, w->pad_bottom) == dims[1] &&
                 ts_window_out(ts_w(in), w->kernel_w, w->stride_w, 1, w->pad_left, w->pad_right) == dims[2];
    return whole && (!pads || n->count_pad);
}

/* The window on a map, whose rows are the file's columns where it has one dimension. */
static ts_window pool_window(const qdq *q, const ts_fnode *n) {
    ts_window w = n->window;
    if (ts__qdq_ftensor(q, n->output)->rank == 3) {
        w.kernel_h = w.stride_h = w.dilation_h = 1;
        w.pad_top = w.pad_bottom = 0;
    }
    return w;
}

static bool averages_evenly(qdq *q, const ts_fnode *n) {
    const meaning x = ts__qdq_meaning_of(q, n->inputs[0]);
    const ts_window window = pool_window(q, n);
    uint32_t dims[4];
    ts__qdq_map_dims(ts__qdq_ftensor(q, n->output), dims);
    return divides_evenly(n, &window, &q->graph->tensors.data[x.tensor], dims);
}

static ts_status make_pool(qdq *q, const meaning *p, const target *y, meaning *out) {
    const ts_fnode *n = p->node;
    meaning x = ts__qdq_meaning_of(q, n->inputs[0]);
    uint32_t dims[4];
    const ts_tensor in = q->graph->tensors.data[x.tensor];
    bool average = n->op != TS_FOP_MAX_POOL;
    ts_node node = ts__qdq_new_node(q, n, average ? TS_OP_AVG_POOL : TS_OP_MAX_POOL, x.tensor);
    ts__qdq_map_dims(ts__qdq_ftensor(q, n->output), dims);
    node.window = pool_window(q, n);
    if (n->op == TS_FOP_REDUCE_MEAN) {
        mean_window(q, n, &node.window, dims);
    }
    const ts_window *w = &node.window;
    if (!average) {
        target own = ts__qdq_own_quantum(&x, &in);
        meaning most = ts__qdq_finish(q, &node, dims, &own);
        *out = p->low > -FLT_MAX || p->high < FLT_MAX ? add_table(q, n, &most, NULL, y)
                                                      : to_quantum(q, n, &most, y);
        return TS_OK;
    }
    if (!divides_evenly(n, w, &in, dims)) {
        return FAIL(q, TS_DIAG_UNSUPPORTED, "its windows divide by different numbers of elements%s",
                    q->allow_float ? "" : "; --allow-float computes them in floats");
    }
    float count = (float)(w->kernel_h * w->kernel_w);
    const staircase s = {x.scale / (y->scale * count), 0, y->zero, y->low, y->high};
    TS_TRY(float_requant(q, &s, 1, &node.requant));
    *out = ts__qdq_finish(q, &node, dims, y);
    return TS_OK;
}

/* ---- two operands ---- */

/* x + constant, x - constant and constant - x by channel, as a requantisation of x; x times a constant
 * likewise. */
static ts_status with_constant(qdq *q, const meaning *p, const meaning *x, const meaning *k, const target *y,
                               meaning *out) {
    const ts_fnode *n = p->node;
    const ts_tensor in = q->graph->tensors.data[x->tensor];
    bool product = n->op == TS_FOP_MUL || n->op == TS_FOP_DIV;
    staircase *stairs = TS_NEW_ARRAY(q->scratch, staircase, k->count);
    for (uint32_t c = 0; c < k->count; c++) {
        float value = ts__qdq_real_at(k, c), scale = x->scale;
        scale = n->op == TS_FOP_MUL ? scale * value : n->op == TS_FOP_DIV ? scale / value : scale;
        double offset = product ? 0 : (double)value / (double)y->scale * (n->op == TS_FOP_SUB ? -1 : 1);
        stairs[c] = (staircase){scale / y->scale, offset, y->zero, y->low, y->high};
    }
    ts_node node = ts__qdq_new_node(q, n, TS_OP_REQUANT, x->tensor);
    TS_TRY(float_requant(q, stairs, k->count, &node.requant));
    *out = ts__qdq_finish(q, &node, in.dims, y);
    return TS_OK;
}

/* Quantised sum or difference of two codes in floats: both dequantised, joined, and quantised. */
static int32_t float_sum(const meaning *a, const meaning *b, bool minus, const target *y, int32_t i,
                         int32_t k) {
    float ra = ((float)i - (float)a->zero) * a->scale, rb = ((float)k - (float)b->zero) * b->scale;
    float code = rintf((minus ? ra - rb : ra + rb) / y->scale) + (float)y->zero;
    return (int32_t)fminf(fmaxf(code, (float)y->low), (float)y->high);
}

/* y = floor((ka (a - za) + kb (b - zb) + d / 2) / d) + zy with factors of 21 bits; tells how many of the
 * pairs of codes the floats round the other way. */
static ts_status make_sum(qdq *q, const meaning *p, const meaning *a, const meaning *b, const target *y,
                          meaning *out) {
    const ts_fnode *n = p->node;
    bool minus = n->op == TS_FOP_SUB;
    double fa = (double)a->scale / (double)y->scale, fb = (double)b->scale / (double)y->scale;
    int exponent;
    frexp(fa > fb ? fa : fb, &exponent);
    if (exponent > 20 || exponent < -20) {
        return FAIL(q, TS_DIAG_UNSUPPORTED, "its scales are too far apart");
    }
    int power = 21 - exponent;
    int64_t ka = llround(ldexp(fa, power)), kb = llround(ldexp(minus ? -fb : fb, power));
    int64_t d = INT64_C(1) << power, *one = TS_NEW(q->arena, int64_t), *lambda = TS_NEW(q->arena, int64_t);
    ts_node node = ts__qdq_new_node(q, n, TS_OP_ADD, a->tensor);
    node.input_count = 2;
    node.inputs[1] = b->tensor;
    node.in1 = (ts_add_step){ka, -ka * a->zero, 1, INT32_MIN, INT32_MAX};
    node.in2 = (ts_add_step){kb, -kb * b->zero, 1, INT32_MIN, INT32_MAX};
    node.sum = (ts_add_step){1, 0, 1, INT32_MIN, INT32_MAX};
    *one = 1;
    *lambda = d / 2 + y->zero * d;
    node.requant = (ts_requant){.kind = TS_REQUANT_NEMO,
                                .channels = 1,
                                .kappa = one,
                                .lambda = lambda,
                                .m = 1,
                                .d = d,
                                .low = y->low,
                                .high = y->high};
    int32_t a_low = (int32_t)ts_type_low(q->graph->tensors.data[a->tensor].type);
    int32_t b_low = (int32_t)ts_type_low(q->graph->tensors.data[b->tensor].type);
    uint32_t differing = 0;
    for (int32_t i = 0; i < CODES_COUNT; i++) {
        for (int32_t k = 0; k < CODES_COUNT; k++) {
            int64_t u = ka * (i + a_low - a->zero) + kb * (k + b_low - b->zero) + *lambda;
            int64_t v = u / d - (u % d < 0);
            v = v < y->low ? y->low : v > y->high ? y->high : v;
            differing += v != float_sum(a, b, minus, y, i + a_low, k + b_low);
        }
    }
    if (differing > 0) {
        ts_note(q->diags, TS_DIAG_VALUE, n->name, ts_fop_name(n->op),
                "%u of 65536 pairs of codes, halves between two results, are rounded the other way than in "
                "floats",
                differing);
    }
    uint32_t dims[4];
    ts__qdq_map_dims(ts__qdq_ftensor(q, n->output), dims);
    *out = ts__qdq_finish(q, &node, dims, y);
    return TS_OK;
}

static ts_status make_product(qdq *q, const meaning *p, const meaning *a, const meaning *b, const target *y,
                              meaning *out) {
    uint32_t dims[4];
    const staircase s = {a->scale * b->scale / y->scale, 0, y->zero, y->low, y->high};
    ts_node node = ts__qdq_new_node(q, p->node, TS_OP_MUL, a->tensor);
    node.input_count = 2;
    node.inputs[1] = b->tensor;
    TS_TRY(float_requant(q, &s, 1, &node.requant));
    ts__qdq_map_dims(ts__qdq_ftensor(q, p->node->output), dims);
    *out = ts__qdq_finish(q, &node, dims, y);
    return TS_OK;
}

ts_status ts__qdq_broadcast(qdq *q, const ts_fnode *n, const uint32_t dims[4], meaning *x) {
    const ts_tensor in = q->graph->tensors.data[x->tensor];
    if (memcmp(in.dims, dims, 4 * sizeof *dims) == 0) {
        return TS_OK;
    }
    for (uint32_t i = 0; i < 4; i++) {
        if (in.dims[i] != 1 && in.dims[i] != dims[i]) {
            return FAIL(q, TS_DIAG_SHAPE, "its operands do not broadcast to its result");
        }
    }
    ts_node node = ts__qdq_new_node(q, n, TS_OP_RESIZE, x->tensor);
    node.name = ts_arena_printf(q->arena, "%s.broadcast", node.name);
    target own = ts__qdq_own_quantum(x, &in);
    meaning wide_x = ts__qdq_finish(q, &node, dims, &own);
    x->tensor = wide_x.tensor;
    return TS_OK;
}

/* Integers compute it: all but quotients by an activation, constants less one, and those of odd shapes. */
static bool is_served_binary(qdq *q, const ts_fnode *n) {
    const meaning a = ts__qdq_meaning_of(q, n->inputs[0]), b = ts__qdq_meaning_of(q, n->inputs[1]);
    bool first = ts__qdq_is_constant(&a);
    if (!first && !ts__qdq_is_constant(&b)) {
        return n->op != TS_FOP_DIV;
    }
    const meaning *k = first ? &a : &b;
    uint32_t channels = ts_c(&q->graph->tensors.data[(first ? &b : &a)->tensor]);
    bool fits = k->count == 1 || (k->count == channels && k->file_dims[k->rank - 1] == k->count);
    for (uint32_t i = 0; fits && i < k->count && (n->op == TS_FOP_MUL || n->op == TS_FOP_DIV); i++) {
        fits = ts__qdq_real_at(k, i) > 0;
    }
    return fits && (!first || n->op == TS_FOP_ADD || n->op == TS_FOP_MUL);
}

static bool is_binary(ts_fop op) {
    return op == TS_FOP_ADD || op == TS_FOP_SUB || op == TS_FOP_MUL || op == TS_FOP_DIV;
}

static ts_status make_binary(qdq *q, const meaning *p, const target *y, meaning *out) {
    const ts_fnode *n = p->node;
    meaning a = ts__qdq_meaning_of(q, n->inputs[0]), b = ts__qdq_meaning_of(q, n->inputs[1]);
    if (ts__qdq_is_constant(&a) || ts__qdq_is_constant(&b)) {
        bool first = ts__qdq_is_constant(&a);
        return with_constant(q, p, first ? &b : &a, first ? &a : &b, y, out);
    }
    uint32_t dims[4];
    ts__qdq_map_dims(ts__qdq_ftensor(q, n->output), dims);
    TS_TRY(ts__qdq_broadcast(q, n, dims, &a));
    TS_TRY(ts__qdq_broadcast(q, n, dims, &b));
    return n->op == TS_FOP_MUL ? make_product(q, p, &a, &b, y, out) : make_sum(q, p, &a, &b, y, out);
}

/* ---- movements ---- */

static ts_status make_concat(qdq *q, const meaning *p, const target *y, meaning *out) {
    const ts_fnode *n = p->node;
    const ts_ftensor *t = ts__qdq_ftensor(q, n->output);
    uint32_t dims[4], axis = n->axis + 4 - t->rank;
    if (!ts__qdq_map_dims(t, dims) || axis < 1) {
        return FAIL(q, TS_DIAG_UNSUPPORTED, "tensors joined along rows, columns or channels are served");
    }
    ts_node node = ts__qdq_new_node(q, n, TS_OP_CONCAT, 0);
    node.input_count = n->input_count;
    node.move.axis = axis - 1;
    for (uint32_t i = 0; i < n->input_count; i++) {
        meaning x = ts__qdq_meaning_of(q, n->inputs[i]);
        node.inputs[i] = to_quantum(q, n, &x, y).tensor;
    }
    *out = n->input_count == 1 ? codes(node.inputs[0], y, dims) : ts__qdq_finish(q, &node, dims, y);
    return TS_OK;
}

/* Axis of the map that axis d of a tensor of that rank is. */
static uint32_t map_axis(uint32_t rank, uint32_t d) { return d + 4 - rank - 1; }

bool ts__qdq_order_stays(const ts_ftensor *x, const ts_fnode *n) {
    uint32_t last = 0;
    for (uint32_t d = 0; d < x->rank; d++) {
        if (x->dims[n->perm[d]] > 1) {
            if (n->perm[d] < last) {
                return false;
            }
            last = n->perm[d];
        }
    }
    return true;
}

/* A network input that no node reads yet may take another shape. */
static bool is_unread_input(const qdq *q, ts_tensor_id tensor) {
    bool read = q->graph->tensors.data[tensor].producer != TS_NONE;
    for (ts_node_id i = 0; i < q->graph->nodes.count && !read; i++) {
        const ts_node *node = &q->graph->nodes.data[i];
        for (uint32_t k = 0; k < node->input_count; k++) {
            read = read || node->inputs[k] == tensor;
        }
    }
    return !read;
}

ts_status ts__qdq_move(qdq *q, const ts_fnode *n, const meaning *x, meaning *out) {
    const ts_ftensor *from = ts__qdq_ftensor(q, n->inputs[0]), *to = ts__qdq_ftensor(q, n->output);
    uint32_t dims[4];
    ts_tensor in = q->graph->tensors.data[x->tensor];
    target own = ts__qdq_own_quantum(x, &in);
    ts_node node = ts__qdq_new_node(q, n, TS_OP_RESHAPE, x->tensor);
    if (!ts__qdq_map_dims(to, dims) || from->rank > 4) {
        return FAIL(q, TS_DIAG_SHAPE, "makes no map of up to 4 dimensions with a batch of 1");
    }
    bool reshapes = n->op == TS_FOP_RESHAPE || (n->op == TS_FOP_TRANSPOSE && ts__qdq_order_stays(from, n));
    if (n->op == TS_FOP_TRANSPOSE && !reshapes) {
        node.op = TS_OP_TRANSPOSE;
        for (uint32_t i = 0; i < 3; i++) {
            node.move.order[i] = i;
        }
        for (uint32_t d = 0; d < to->rank; d++) {
            if (d + 4 > to->rank && n->perm[d] + 4 > to->rank) {
                node.move.order[map_axis(to->rank, d)] = map_axis(to->rank, n->perm[d]);
            }
        }
    } else if (n->op == TS_FOP_SLICE || n->op == TS_FOP_PAD) {
        node.op = n->op == TS_FOP_SLICE ? TS_OP_SLICE : TS_OP_PAD;
        float fill = rintf(n->alpha / x->scale) + (float)x->zero;
        node.move.fill =
            n->op == TS_FOP_PAD ? (int32_t)fminf(fmaxf(fill, (float)own.low), (float)own.high) : 0;
        for (uint32_t i = 0; i < 3; i++) {
            node.move.step[i] = n->op == TS_FOP_SLICE;
        }
        for (uint32_t d = to->rank == 4 ? 1 : 0; d < to->rank; d++) {
            node.move.begin[map_axis(to->rank, d)] = n->begin[d];
            node.move.step[map_axis(to->rank, d)] = n->op == TS_FOP_SLICE ? n->step[d] : 0;
        }
        if (n->op == TS_FOP_PAD && n->pad_mode != TS_PAD_CONSTANT) {
            return FAIL(q, TS_DIAG_UNSUPPORTED, "padding with a constant is served");
        }
    } else if (n->op == TS_FOP_RESIZE) {
        node.op = TS_OP_RESIZE;
    }
    if (reshapes && is_unread_input(q, x->tensor)) {
        memcpy(q->graph->tensors.data[x->tensor].dims, dims, sizeof dims);
        memcpy(in.dims, dims, sizeof dims);
    }
    if (reshapes && memcmp(in.dims, dims, sizeof dims) == 0) {
        *out = *x;
        return TS_OK;
    }
    *out = ts__qdq_finish(q, &node, dims, &own);
    out->kind = REAL;
    return TS_OK;
}

/* A constant in another order or shape. */
static ts_status move_constant(qdq *q, const ts_fnode *n, const meaning *x, meaning *out) {
    const ts_ftensor *to = ts__qdq_ftensor(q, n->output);
    *out = *x;
    out->rank = to->rank;
    memcpy(out->file_dims, to->dims, sizeof out->file_dims);
    if (n->op == TS_FOP_RESHAPE && x->scale_count <= 1) {
        return TS_OK;
    }
    if (n->op != TS_FOP_TRANSPOSE) {
        return FAIL(q, TS_DIAG_UNSUPPORTED, "moves elements of a constant with quanta by channel");
    }
    float *data = TS_NEW_ARRAY(q->scratch, float, x->count);
    for (uint32_t i = 0; i < x->count; i++) {
        uint32_t rest = i, at[TS_MAX_RANK], index = 0;
        for (uint32_t d = to->rank; d-- > 0;) {
            at[n->perm[d]] = rest % to->dims[d];
            rest /= to->dims[d];
        }
        for (uint32_t d = 0; d < to->rank; d++) {
            index = index * x->file_dims[d] + at[d];
        }
        data[i] = x->data[index];
    }
    out->data = data;
    for (uint32_t d = 0; d < to->rank; d++) {
        out->axis = n->perm[d] == x->axis ? d : out->axis;
    }
    return TS_OK;
}

/* ---- the walk ---- */

static bool is_movement(ts_fop op) {
    return op == TS_FOP_TRANSPOSE || op == TS_FOP_RESHAPE || op == TS_FOP_SLICE || op == TS_FOP_PAD ||
           op == TS_FOP_RESIZE;
}

static bool is_arithmetic(ts_fop op) {
    return op == TS_FOP_CONV || op == TS_FOP_GEMM || op == TS_FOP_MATMUL || op == TS_FOP_ADD ||
           op == TS_FOP_SUB || op == TS_FOP_MUL || op == TS_FOP_DIV || op == TS_FOP_MAX_POOL ||
           op == TS_FOP_AVG_POOL || op == TS_FOP_REDUCE_MEAN || op == TS_FOP_CONCAT;
}

static bool is_linear(ts_fop op) { return op == TS_FOP_CONV || op == TS_FOP_GEMM || op == TS_FOP_MATMUL; }

/* Codes times weights that have a quantum. */
static bool has_codes(qdq *q, const ts_fnode *n) {
    const meaning x = ts__qdq_meaning_of(q, n->inputs[0]), w = ts__qdq_meaning_of(q, n->inputs[1]);
    return x.kind == REAL && ts__qdq_is_constant(&w) && w.scale_count > 0;
}

static ts_status realise(qdq *q, const meaning *p, const target *y, meaning *out) {
    const target b = bounded(p, y);
    if (p->chain_count > 0) {
        const meaning x = ts__qdq_meaning_of(q, p->node->inputs[0]);
        *out = add_table(q, p->node, &x, p, y);
        return TS_OK;
    }
    switch (p->node->op) {
        case TS_FOP_CONV:
            return make_conv(q, p, &b, out);
        case TS_FOP_GEMM:
        case TS_FOP_MATMUL:
            return make_linear(q, p, &b, out);
        case TS_FOP_CONCAT:
            return make_concat(q, p, &b, out);
        case TS_FOP_MAX_POOL:
        case TS_FOP_AVG_POOL:
        case TS_FOP_REDUCE_MEAN:
            return make_pool(q, p, &b, out);
        default:
            return make_binary(q, p, &b, out);
    }
}

/* The accumulator of a layer whose result nothing quantises: the network's output, or what its float tail
 * reads. */
static ts_status realise_bare(qdq *q, ts_tensor_id id, meaning *out) {
    const meaning p = q->meanings[id];
    const target y = {.bare = true};
    const ts_fnode *before = q->node;
    bool linear = p.node->op == TS_FOP_GEMM || p.node->op == TS_FOP_MATMUL;
    if (p.chain_count > 0 || p.low > -FLT_MAX || p.high < FLT_MAX || (!linear && p.node->op != TS_FOP_CONV) ||
        (q->allow_float && !has_codes(q, p.node))) {
        return TS_OK;
    }
    q->node = p.node;
    TS_TRY(linear ? make_linear(q, &p, &y, out) : make_conv(q, &p, &y, out));
    q->node = before;
    out->kind = TAIL;
    out->node = NULL;
    out->bare = p.node;
    q->meanings[id] = *out;
    return TS_OK;
}

/* A network input is its codes. */
static ts_status take_input(qdq *q, const ts_fnode *n, const target *y, meaning *out) {
    uint32_t dims[4];
    if (!ts__qdq_map_dims(ts__qdq_ftensor(q, n->output), dims)) {
        return FAIL(q, TS_DIAG_SHAPE, "an input with a batch of 1 and up to 4 dimensions is served");
    }
    const char *name = q->from->tensors.data[q->from->inputs.data[0]].name;
    ts_tensor_id id = new_tensor(q, ts_arena_strdup(q->arena, name), dims, y);
    TS_PUSH(q->arena, &q->graph->inputs, id);
    *out = codes(id, y, dims);
    ts_note(q->diags, TS_DIAG_UNSUPPORTED, n->name, ts_fop_name(n->op),
            "left out: the network's input is its 8-bit result");
    return TS_OK;
}

/* Codes of what stands in floats; where nothing makes them, it is still the tail, and why. */
static ts_status quantise_floats(qdq *q, const ts_fnode *n, const meaning *x, const target *y, meaning *out) {
    const ts_fnode *at;
    const char *why;
    if (x->kind == TAIL && x->node == NULL) { /* a layer, read in floats elsewhere */
        const meaning layer = {.kind = PENDING, .node = x->bare, .low = -INFINITY, .high = INFINITY};
        TS_TRY(realise(q, &layer, y, out));
        out->kind = CODES;
        return TS_OK;
    }
    *out = (meaning){.kind = NOTHING};
    TS_TRY(ts__qdq_island(q, n->inputs[0], y, out, &why, &at));
    if (why == NULL) {
        out->kind = CODES;
        return TS_OK;
    }
    *out = *x;
    out->node = at != NULL ? at : x->node;
    if (x->kind == PENDING) {
        out->kind = TAIL;
        out->tensor = TS_NONE;
    }
    out->why = out->why == NULL ? why : out->why;
    return TS_OK;
}

/* Integers compute what is asked for. What only floats allowed would compute is refused where it is made. */
static bool is_served(qdq *q, const meaning *p) {
    const ts_fnode *n = p->node;
    ts_window window;
    uint32_t dims[4];
    if (p->chain_count == 0 && n->op == TS_FOP_REDUCE_MEAN) {
        return mean_window(q, n, &window, dims);
    }
    if (q->allow_float && is_linear(n->op)) {
        return has_codes(q, n);
    }
    if (q->allow_float && n->op == TS_FOP_AVG_POOL) {
        return averages_evenly(q, n);
    }
    return p->chain_count > 0 || !is_binary(n->op) || is_served_binary(q, n);
}

static ts_status on_quant(qdq *q, const ts_fnode *n, meaning *out) {
    meaning x = ts__qdq_meaning_of(q, n->inputs[0]);
    target y;
    if (x.kind == TAIL && x.why != NULL) {
        *out = x;
        return TS_OK;
    }
    TS_TRY(read_target(q, n, &y));
    if (x.kind == TAIL || (x.kind == PENDING && !is_served(q, &x))) {
        return quantise_floats(q, n, &x, &y, out);
    }
    switch (x.kind) {
        case REAL:
            *out = to_quantum(q, n, &x, &y);
            out->kind = CODES;
            return TS_OK;
        case PENDING:
            TS_TRY(realise(q, &x, &y, out));
            out->kind = CODES;
            return TS_OK;
        case INPUT:
            return take_input(q, n, &y, out);
        default:
            return FAIL(q, TS_DIAG_UNSUPPORTED,
                        "quantises what is neither an input nor an operator's result");
    }
}

/* A network input that holds codes has the quantum of its reader. */
static ts_status take_codes(qdq *q, const ts_fnode *n, meaning *x) {
    const ts_ftensor *input = &q->from->tensors.data[q->from->inputs.data[0]];
    const ts_ftensor *scale = ts__qdq_ftensor(q, n->inputs[1]), *zero = ts__qdq_ftensor(q, n->inputs[2]);
    uint32_t dims[4];
    if (!ts__qdq_map_dims(ts__qdq_ftensor(q, n->output), dims) || q->graph->inputs.count > 0) {
        return FAIL(q, TS_DIAG_SHAPE, "one input with a batch of 1 and up to 4 dimensions is served");
    }
    target y = {.scale = scale->data[0], .zero = (int32_t)zero->data[0], .is_signed = input->codes == TS_S8};
    ts_tensor_id id = new_tensor(q, ts_arena_strdup(q->arena, input->name), dims, &y);
    TS_PUSH(q->arena, &q->graph->inputs, id);
    *x = codes(id, &y, dims);
    return TS_OK;
}

/* `count` numbers of the one or as many that there are. */
static const float *repeated(qdq *q, const float *values, uint64_t there, uint64_t count) {
    if (there == count) {
        return values;
    }
    float *all = TS_NEW_ARRAY(q->scratch, float, count);
    for (uint64_t i = 0; i < count; i++) {
        all[i] = values[0];
    }
    return all;
}

static ts_status on_dequant(qdq *q, const ts_fnode *n, meaning *out) {
    meaning x = ts__qdq_meaning_of(q, n->inputs[0]);
    const ts_ftensor *scale = ts__qdq_ftensor(q, n->inputs[1]), *zero = ts__qdq_ftensor(q, n->inputs[2]);
    *out = x;
    if (x.kind == TAIL) {
        return TS_OK;
    }
    if (scale->data == NULL || zero->data == NULL) {
        return FAIL(q, TS_DIAG_UNSUPPORTED, "its scale and zero point are not constants");
    }
    if (ts__qdq_is_constant(&x)) {
        uint64_t scale_count = ts_ftensor_elements(scale), zero_count = ts_ftensor_elements(zero);
        uint64_t count = scale_count > zero_count ? scale_count : zero_count;
        out->kind = CONST_REAL;
        out->scales = repeated(q, scale->data, scale_count, count);
        out->zeros = repeated(q, zero->data, zero_count, count);
        out->scale_count = (uint32_t)count;
        out->axis = n->axis;
        return TS_OK;
    }
    if (x.kind == INPUT && q->from->tensors.data[q->from->inputs.data[0]].codes != TS_F32) {
        TS_TRY(take_codes(q, n, &x));
    }
    if (x.kind != CODES || ts_ftensor_elements(scale) != 1 || ts_ftensor_elements(zero) != 1) {
        return FAIL(q, TS_DIAG_UNSUPPORTED, "an activation with one scale and zero point is served");
    }
    out->kind = REAL;
    out->scale = scale->data[0];
    out->zero = (int32_t)zero->data[0];
    /* Another scale is another meaning of the same codes, as before an operator on integers. */
    bool fits = out->zero == x.zero && out->scale > 0 && isfinite(out->scale);
    return fits ? TS_OK : FAIL(q, TS_DIAG_UNSUPPORTED, "its zero point is another than its tensor was given");
}

/* The one tensor of codes of which a function, or arithmetic with constants, makes what nothing quantises: at
 * the end it is the output instead. TS_NONE where there are more, or the operator is another. */
static ts_tensor_id only_codes(qdq *q, const meaning *p) {
    ts_tensor_id found = TS_NONE;
    if (p->chain_count == 0 && !is_binary(p->node->op)) {
        return TS_NONE;
    }
    for (uint32_t i = 0; i < p->node->input_count; i++) {
        const meaning x = ts__qdq_meaning_of(q, p->node->inputs[i]);
        if (x.kind == REAL && found != TS_NONE && found != x.tensor) {
            return TS_NONE;
        }
        found = x.kind == REAL ? x.tensor : found;
    }
    return found;
}

/* What stands in floats until something quantises it, or to the end: then it is left out. */
static ts_status on_tail(qdq *q, const ts_fnode *n, meaning *out) {
    *out = (meaning){.kind = NOTHING, .tensor = TS_NONE, .node = n};
    for (uint32_t i = 0; i < n->input_count; i++) {
        meaning x = ts__qdq_meaning_of(q, n->inputs[i]);
        if (x.kind == PENDING) {
            TS_TRY(realise_bare(q, n->inputs[i], &x));
        }
        if (x.kind == PENDING && out->tensor == TS_NONE) {
            out->tensor = only_codes(q, &x);
        }
        if ((x.kind == REAL || x.kind == TAIL) && out->tensor == TS_NONE) {
            out->tensor = x.tensor;
        }
        if (x.kind == TAIL && x.node != NULL && out->node == n) {
            out->node = x.node;
            out->why = x.why;
        }
        out->kind = x.kind == REAL || x.kind == TAIL || x.kind == PENDING ? TAIL : out->kind;
    }
    return out->kind == TAIL ? TS_OK
                             : FAIL(q, TS_DIAG_UNSUPPORTED,
                                    "stands in floats before anything is quantised, which integers do not "
                                    "compute; a quantisation before it would be right");
}

/* A layer of integers behind an operator that only floats compute: leaving out from there on would leave out
 * the layer. */
static bool is_behind_tail(qdq *q, const ts_fnode *n, meaning *tail) {
    bool layer = is_linear(n->op);
    *tail = ts__qdq_meaning_of(q, n->inputs[0]);
    const meaning w = layer ? ts__qdq_meaning_of(q, n->inputs[1]) : *tail;
    return layer && tail->kind == TAIL && tail->node != NULL && ts__qdq_is_constant(&w) && w.scale_count > 0;
}

static ts_status on_function(const ts_fnode *n, const meaning *x, meaning *out) {
    *out = *x;
    if (x->kind == REAL) {
        *out = (meaning){.kind = PENDING, .node = n, .low = -INFINITY, .high = INFINITY};
    }
    bool bounds = n->op == TS_FOP_RELU || n->op == TS_FOP_CLIP;
    if (x->kind == PENDING && x->chain_count == 0 && bounds) {
        out->low = fmaxf(out->low, n->op == TS_FOP_RELU ? 0 : n->low);
        out->high = fminf(out->high, n->op == TS_FOP_RELU ? INFINITY : n->high);
        return TS_OK;
    }
    if (out->chain_count == MAX_CHAIN || (x->kind == PENDING && x->chain_count == 0)) {
        out->kind = NOTHING;
        return TS_OK;
    }
    out->chain[out->chain_count++] = n;
    return TS_OK;
}

/* Operands of arithmetic: codes times their quantum, or constants beside them. */
static bool operands_known(qdq *q, const ts_fnode *n) {
    bool any = false;
    for (uint32_t i = 0; i < n->input_count; i++) {
        meaning x = ts__qdq_meaning_of(q, n->inputs[i]);
        any = any || x.kind == REAL;
        if (x.kind != REAL && (!ts__qdq_is_constant(&x) || n->op == TS_FOP_CONCAT)) {
            return false;
        }
    }
    return any;
}

/* Operators that ONNX defines on integers as well: movements and maxima. */
static ts_status on_codes(qdq *q, const ts_fnode *n, const meaning *x, meaning *out) {
    if (is_movement(n->op)) {
        TS_TRY(ts__qdq_move(q, n, x, out));
    } else {
        const ts_tensor in = q->graph->tensors.data[x->tensor];
        const meaning p = {.kind = PENDING, .node = n, .low = -INFINITY, .high = INFINITY};
        const target own = ts__qdq_own_quantum(x, &in);
        TS_TRY(make_pool(q, &p, &own, out));
    }
    out->kind = CODES;
    return TS_OK;
}

/* ---- results that move before they are quantised ---- */

struct qdq_reader {
    uint32_t count;
    ts_node_id node;
};

/* Nodes whose results nothing reads do not count. */
static void count_readers(qdq *q) {
    q->readers = TS_NEW_ARRAY(q->scratch, struct qdq_reader, q->from->tensors.count);
    for (uint32_t i = 0; i < q->from->outputs.count; i++) {
        q->readers[q->from->outputs.data[i]].count += 2; /* nobody's alone */
    }
    for (ts_node_id i = q->from->nodes.count; i-- > 0;) {
        const ts_fnode *n = &q->from->nodes.data[i];
        for (uint32_t k = 0; k < n->input_count && q->readers[n->output].count > 0; k++) {
            q->readers[n->inputs[k]].count++;
            q->readers[n->inputs[k]].node = i;
        }
    }
}

/* The quantisation to which a tensor comes, only moved and rectified, while nothing else reads it; NULL where
 * it comes to none. */
static const ts_fnode *quantisation_behind(const qdq *q, ts_tensor_id id) {
    for (uint32_t dims[4]; q->readers[id].count == 1;) {
        const ts_fnode *n = &q->from->nodes.data[q->readers[id].node];
        if (n->op == TS_FOP_QUANT) {
            return n->inputs[0] == id ? n : NULL;
        }
        bool moves = is_movement(n->op) && ts__qdq_map_dims(ts__qdq_ftensor(q, n->inputs[0]), dims) &&
                     ts__qdq_map_dims(ts__qdq_ftensor(q, n->output), dims);
        if (n->inputs[0] != id || (!moves && n->op != TS_FOP_RELU)) {
            return NULL;
        }
        id = n->output;
    }
    return NULL;
}

/* Then it is quantised first and moved as codes: both orders give the same. */
static ts_status quantise_before_moving(qdq *q, const ts_fnode *n, meaning *x) {
    const ts_fnode *quant = quantisation_behind(q, n->inputs[0]), *before = q->node;
    target y;
    if (quant == NULL || !is_served(q, x)) {
        return TS_OK;
    }
    q->node = quant;
    TS_TRY(read_target(q, quant, &y));
    const meaning pending = *x;
    TS_TRY(realise(q, &pending, &y, x));
    q->node = before;
    x->kind = REAL;
    return TS_OK;
}

static ts_status take_node(qdq *q, const ts_fnode *n, meaning *out) {
    meaning x = ts__qdq_meaning_of(q, n->inputs[0]), tail;
    if (is_behind_tail(q, n, &tail) && (!q->allow_float || tail.why != NULL)) {
        q->node = tail.node;
        return FAIL(q, TS_DIAG_UNSUPPORTED,
                    "stands in floats before the quantised layer '%s', and integers do not compute it: %s",
                    n->name,
                    tail.why != NULL ? tail.why
                                     : "a quantisation between them is missing, or --allow-float, which "
                                       "computes both in floats");
    }
    if (n->op == TS_FOP_QUANT) {
        return on_quant(q, n, out);
    }
    if (n->op == TS_FOP_DEQUANT) {
        return on_dequant(q, n, out);
    }
    if (is_movement(n->op) && ts__qdq_is_constant(&x)) {
        return move_constant(q, n, &x, out);
    }
    if (is_movement(n->op) && x.kind == PENDING) {
        TS_TRY(quantise_before_moving(q, n, &x));
    }
    if (is_movement(n->op) && x.kind == REAL) {
        return ts__qdq_move(q, n, &x, out);
    }
    if (x.kind == CODES && (is_movement(n->op) || n->op == TS_FOP_MAX_POOL)) {
        return on_codes(q, n, &x, out);
    }
    if (x.kind == INPUT && (n->op == TS_FOP_RESHAPE || n->op == TS_FOP_TRANSPOSE)) {
        *out = x;
        return TS_OK;
    }
    if (is_function(n->op) && (x.kind == REAL || x.kind == PENDING)) {
        TS_TRY(on_function(n, &x, out));
        return out->kind != NOTHING ? TS_OK : on_tail(q, n, out);
    }
    if (is_arithmetic(n->op) && operands_known(q, n)) {
        *out = (meaning){.kind = PENDING, .node = n, .low = -INFINITY, .high = INFINITY};
        return TS_OK;
    }
    return on_tail(q, n, out);
}

static ts_status note_left_out(qdq *q, const ts_fnode *n) {
    const meaning *m = &q->meanings[n->output];
    meaning tail;
    if (is_behind_tail(q, n, &tail)) {
        q->node = tail.node;
        return FAIL(q, TS_DIAG_UNSUPPORTED,
                    "stands in floats before the quantised layer '%s', behind which nothing is quantised",
                    n->name);
    }
    if (n->op == TS_FOP_QUANT && m->why != NULL) {
        ts_note(q->diags, TS_DIAG_UNSUPPORTED, m->node->name, ts_fop_name(m->node->op),
                "is not computed before the quantisation '%s': %s", n->name, m->why);
    } else if (n->op != TS_FOP_QUANT && n->op != TS_FOP_DEQUANT) {
        ts_note(q->diags, TS_DIAG_UNSUPPORTED, n->name, ts_fop_name(n->op),
                "left out: the network's output is what it reads");
    }
    return TS_OK;
}

/* Says of each operator that only floats before the outputs need that it is left out; layers are not. */
static ts_status note_tail(qdq *q) {
    uint8_t *wanted = TS_NEW_ARRAY(q->scratch, uint8_t, q->from->tensors.count);
    for (uint32_t i = 0; i < q->from->outputs.count; i++) {
        wanted[q->from->outputs.data[i]] = 1;
    }
    for (ts_node_id i = q->from->nodes.count; i-- > 0;) {
        const ts_fnode *n = &q->from->nodes.data[i];
        const meaning *m = &q->meanings[n->output];
        bool floats = m->kind == PENDING || (m->kind == TAIL && m->node != NULL);
        wanted[n->output] = wanted[n->output] && floats;
        for (uint32_t k = 0; wanted[n->output] && k < n->input_count; k++) {
            wanted[n->inputs[k]] = 1;
        }
    }
    for (ts_node_id i = 0; i < q->from->nodes.count; i++) {
        const ts_fnode *n = &q->from->nodes.data[i];
        if (wanted[n->output]) {
            TS_TRY(note_left_out(q, n));
        }
    }
    return TS_OK;
}

/* Outputs are what nodes compute: a network input that is one as well is copied. */
static ts_tensor_id copy_of_input(qdq *q, ts_tensor_id input) {
    const ts_tensor in = q->graph->tensors.data[input];
    ts_tensor copy = in;
    ts_node node = {.name = ts_arena_printf(q->arena, "%s.copy", in.name),
                    .op = TS_OP_RESHAPE,
                    .input_count = 1,
                    .inputs = {input}};
    copy.name = node.name;
    node.output = ts_graph_add_tensor(q->graph, &copy);
    ts_graph_add_node(q->graph, &node);
    ts_note(q->diags, TS_DIAG_UNSUPPORTED, in.name, NULL, "the network's input is an output: it is copied");
    return node.output;
}

static ts_status add_outputs(qdq *q) {
    ts_tensor_id copied = TS_NONE, copy = TS_NONE;
    for (uint32_t i = 0; i < q->from->outputs.count; i++) {
        ts_tensor_id id = q->from->outputs.data[i];
        meaning m = ts__qdq_meaning_of(q, id);
        if (m.kind == PENDING) {
            TS_TRY(realise_bare(q, id, &m));
        }
        if (m.kind == PENDING && only_codes(q, &m) != TS_NONE) {
            m.tensor = only_codes(q, &m);
            m.kind = TAIL;
        }
        if ((m.kind != CODES && m.kind != REAL && m.kind != TAIL) || m.tensor == TS_NONE) {
            bool named = m.kind == PENDING || m.kind == TAIL;
            return ts_error(
                q->diags, TS_DIAG_UNSUPPORTED, named ? m.node->name : NULL,
                named ? ts_fop_name(m.node->op) : NULL,
                "network output '%s' is computed in floats by '%s'; a quantised one would be right%s%s",
                ts__qdq_ftensor(q, id)->name, named ? m.node->name : "", m.why != NULL ? ": " : "",
                m.why != NULL ? m.why : "");
        }
        if (q->graph->tensors.data[m.tensor].producer == TS_NONE) {
            copy = copied == m.tensor ? copy : copy_of_input(q, m.tensor);
            copied = m.tensor;
            m.tensor = copy;
        }
        bool twice = false;
        for (uint32_t k = 0; k < q->graph->outputs.count; k++) {
            twice = twice || q->graph->outputs.data[k] == m.tensor;
        }
        if (!twice) {
            TS_PUSH(q->arena, &q->graph->outputs, m.tensor);
        }
    }
    return TS_OK;
}

static ts_status convert(qdq *q) {
    count_readers(q);
    for (uint32_t i = 0; i < q->from->inputs.count; i++) {
        q->meanings[q->from->inputs.data[i]].kind = INPUT;
    }
    for (ts_node_id n = 0; n < q->from->nodes.count; n++) {
        q->node = &q->from->nodes.data[n];
        TS_TRY(take_node(q, q->node, &q->meanings[q->node->output]));
    }
    TS_TRY(add_outputs(q));
    TS_TRY(note_tail(q));
    if (q->beside > 0) {
        ts_note(q->diags, TS_DIAG_VALUE, NULL, NULL,
                "%u steps of the requantisations are one accumulator beside those of float arithmetic",
                q->beside);
    }
    return TS_OK;
}

static void free_arena(void *arena) { ts_arena_free(arena); }

ts_status ts__qdq_convert(ts_arena *arena, const ts_fgraph *from, const char *name, bool allow_float,
                          ts_graph **out, ts_diags *diags) {
    ts_arena *scratch = ts_arena_new("qdq", 0);
    ts_guard_defer(free_arena, scratch);
    qdq q = {.arena = arena,
             .scratch = scratch,
             .diags = diags,
             .from = from,
             .graph = ts_graph_new(arena, name),
             .allow_float = allow_float,
             .meanings = TS_NEW_ARRAY(scratch, meaning, from->tensors.count)};
    ts_status status = convert(&q);
    if (status == TS_OK) {
        ts__lift_to_unsigned(q.graph, scratch);
        status = ts_graph_verify(q.graph, diags);
    }
    ts_guard_undefer(scratch);
    ts_arena_free(scratch);
    *out = status == TS_OK ? q.graph : NULL;
    return status;
}

bool ts__onnx_is_quantised(const Onnx__GraphProto *graph) {
    for (size_t i = 0; i < graph->n_node; i++) {
        const char *op = graph->node[i]->op_type == NULL ? "" : graph->node[i]->op_type;
        if (strncmp(op, "QLinear", 7) == 0 || strcmp(op, "QuantizeLinear") == 0 ||
            strcmp(op, "DequantizeLinear") == 0 || strcmp(op, "ConvInteger") == 0 ||
            strcmp(op, "MatMulInteger") == 0) {
            return true;
        }
    }
    return false;
}
