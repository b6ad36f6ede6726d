#include "quant/stage.h"

#include <math.h>
#include <string.h>

static const char *const stage_names[] = {"fp", "fq", "qd", "id"};

const char *ts_quant_stage_name(ts_quant_stage stage) { return stage_names[stage]; }

typedef struct maker {
    ts_fgraph *graph;
    const ts_qnet *net;
    const ts_quant *quant;
    const ts_qlayer *layer;
    uint32_t index;
    ts_quant_stage stage;
    bool halves; /* FQ: where additions round down, half a step stands in the bias of a branch */
    bool whole;  /* FQ with weights and biases as integers behind a DEQUANT, and a grid behind every layer */
    bool exact;  /* FQ and QD for evaluation: sums in front of a REQUANT, which finds their integers again */
    bool norms;  /* FQ with batch norms behind the layers that had one */
    ts_diags *diags;
} maker;

static ts_status add(const maker *m, ts_fnode *node, const char *part, const ts_ftensor *shape,
                     ts_tensor_id *out) {
    node->name = m->layer->name;
    node->file_index = m->layer->file_index;
    const char *name = ts_arena_printf(m->graph->arena, "%s%s", m->layer->name, part);
    return ts_fgraph_add_node(m->graph, node, name, shape, out, m->diags);
}

static ts_tensor_id constant(const maker *m, const char *part, uint32_t rank, const uint32_t *dims,
                             const float *data) {
    return ts_fgraph_add_constant(m->graph, ts_arena_printf(m->graph->arena, "%s%s", m->layer->name, part),
                                  rank, dims, data);
}

const float *ts__stage_weights(ts_arena *arena, const ts_qnet *net, const ts_quant *quant, uint32_t i,
                               ts_quant_stage stage) {
    const ts_qlayer *l = &net->layers.data[i];
    if (stage == TS_STAGE_FP || quant == NULL || quant->exact_weights || l->kind == TS_QUANT_AFFINE) {
        return l->weights;
    }
    const ts_qweights *q = &quant->layers[i];
    float *weights = TS_NEW_ARRAY(arena, float, (uint64_t)l->c * l->inner);
    for (uint32_t c = 0; c < l->c; c++) {
        for (uint32_t k = 0; k < l->inner; k++) {
            size_t at = (size_t)c * l->inner + k;
            weights[at] = (float)((q->values[at] - q->grid.zero) * q->scale[c]);
        }
    }
    return weights;
}

/* Biases: the net's; corrected; or what the integers mean. */
static const float *bias_of(const maker *m) {
    const ts_qlayer *l = m->layer;
    if (m->stage == TS_STAGE_FP || m->quant->exact_weights) {
        return l->bias;
    }
    const ts_qweights *q = &m->quant->layers[m->index];
    const ts_qvalue *y = &m->quant->values[m->index + 1];
    float *bias = TS_NEW_ARRAY(m->graph->arena, float, l->c);
    for (uint32_t c = 0; c < l->c; c++) {
        double b = q->bias[c] + (m->halves ? q->half : 0);
        if (m->stage == TS_STAGE_QD && y->raw) {
            b = q->integer_bias[c] * y->scale;
        } else if (m->stage == TS_STAGE_QD) {
            b = ((double)q->lambda[c] / (double)q->d - 0.5) * y->scale;
        }
        bias[c] = (float)b;
    }
    return bias;
}

/* Integers of `rank` dimensions as reals: scale_c times each, c along the first dimension. */
static ts_status dequantised(const maker *m, const char *part, uint32_t rank, const uint32_t *dims,
                             const float *integers, const float *scale, const float *zeros,
                             ts_tensor_id *out) {
    ts_fnode n = {.op = TS_FOP_DEQUANT, .input_count = 3};
    n.inputs[0] = constant(m, part, rank, dims, integers);
    n.inputs[1] = constant(m, ".scale", 1, dims, scale);
    n.inputs[2] = constant(m, ".zero", 1, dims, zeros);
    return add(m, &n, part, NULL, out);
}

/* Weights and bias of a linear layer as integers with quanta: what an integer type holds. */
static ts_status whole_parameters(const maker *m, uint32_t rank, const uint32_t *dims, ts_tensor_id *weights,
                                  ts_tensor_id *bias) {
    const ts_qlayer *l = m->layer;
    const ts_qweights *q = &m->quant->layers[m->index];
    double sx = m->quant->values[l->inputs[0]].scale;
    float *w = TS_NEW_ARRAY(m->graph->arena, float, (uint64_t)l->c * l->inner);
    float *b = TS_NEW_ARRAY(m->graph->arena, float, l->c), *sw = TS_NEW_ARRAY(m->graph->arena, float, l->c),
          *sb = TS_NEW_ARRAY(m->graph->arena, float, l->c), *zw = TS_NEW_ARRAY(m->graph->arena, float, l->c);
    for (uint32_t c = 0; c < l->c; c++) {
        double sign = q->scale[c] < 0 ? -1 : 1;
        for (uint32_t k = 0; k < l->inner; k++) {
            size_t at = (size_t)c * l->inner + k;
            w[at] = (float)(sign * q->values[at]);
            if (w[at] > 127.0f) {
                return ts_error(m->diags, TS_DIAG_VALUE, l->name, ts_qkind_name(l->kind),
                                "weight -128 of channel %u has the opposite sign's quantum and does not fit; "
                                "--symmetric avoids it",
                                c);
            }
        }
        zw[c] = (float)(sign * q->grid.zero);
        sw[c] = (float)fabs(q->scale[c]);
        sb[c] = (float)(sx * fabs(q->scale[c]));
        b[c] = (float)floor((q->bias[c] + q->half) / (sx * fabs(q->scale[c])) + 0.5);
    }
    TS_TRY(dequantised(m, ".weights", rank, dims, w, sw, zw, weights));
    return dequantised(m, ".bias", 1, dims, b, sb, TS_NEW_ARRAY(m->graph->arena, float, l->c), bias);
}

static const float *whole_weights(const maker *m) {
    const ts_qweights *q = &m->quant->layers[m->index];
    uint64_t count = (uint64_t)m->layer->c * m->layer->inner;
    float *weights = TS_NEW_ARRAY(m->graph->arena, float, count);
    for (uint64_t k = 0; k < count; k++) {
        weights[k] = (float)(q->values[k] - q->grid.zero);
    }
    return weights;
}

static bool has_norm(const maker *m) { return m->norms && m->layer->norm.mean != NULL; }

static bool has_bias(const maker *m) { return !m->exact && !has_norm(m); }

static ts_status parameters(const maker *m, uint32_t rank, const uint32_t *dims, ts_tensor_id *weights,
                            ts_tensor_id *bias) {
    if (m->whole) {
        return whole_parameters(m, rank, dims, weights, bias);
    }
    const float *w = m->exact ? whole_weights(m)
                              : ts__stage_weights(m->graph->arena, m->net, m->quant, m->index, m->stage);
    *weights = constant(m, ".weights", rank, dims, w);
    if (!has_bias(m)) { /* it stands in the REQUANT or the batch norm */
        *bias = TS_NONE;
        return TS_OK;
    }
    *bias = constant(m, ".bias", 1, dims, bias_of(m));
    return TS_OK;
}

static bool sums_exactly(const maker *m) { return m->stage == TS_STAGE_FQ && m->quant->exact_sums; }

/* Sums of quanta that are powers of two, as the integers have them: down to half steps of the result, which
 * its grid rounds, or as they are where it has none. */
static void keep_sums(const maker *m, double unit, ts_fnode *n) {
    const ts_qvalue *y = &m->quant->values[m->index + 1];
    double half = y->raw ? unit : y->scale / 2;
    n->unit = unit;
    n->divisor = half > unit ? half / unit : 1;
    n->scale = n->divisor * unit;
}

static double product_unit(const maker *m) {
    return m->quant->values[m->layer->inputs[0]].scale * m->quant->layers[m->index].scale[0];
}

static ts_status make_conv(const maker *m, ts_tensor_id x, ts_tensor_id *out) {
    const ts_qlayer *l = m->layer;
    uint32_t taps = l->window.kernel_h * l->window.kernel_w;
    uint32_t dims[] = {l->c, l->window.kernel_h, l->window.kernel_w, l->inner / taps};
    ts_fnode n = {
        .op = TS_FOP_CONV, .input_count = has_bias(m) ? 3 : 2, .groups = l->groups, .window = l->window};
    n.inputs[0] = x;
    if (sums_exactly(m)) {
        keep_sums(m, product_unit(m), &n);
    }
    TS_TRY(parameters(m, 4, dims, &n.inputs[1], &n.inputs[2]));
    return add(m, &n, ".sum", NULL, out);
}

static ts_status make_linear(const maker *m, ts_tensor_id x, ts_tensor_id *out) {
    const ts_qlayer *l = m->layer;
    uint32_t dims[] = {l->c, l->inner};
    ts_ftensor flat = {.rank = 2, .dims = {1, l->inner}}, map = {.rank = 4, .dims = {1, 1, 1, l->c}};
    ts_fnode reshape = {.op = TS_FOP_RESHAPE, .input_count = 1, .inputs = {x}};
    ts_fnode gemm = {.op = TS_FOP_GEMM, .trans_b = true, .alpha = 1.0f, .beta = 1.0f};
    gemm.input_count = has_bias(m) ? 3 : 2;
    if (sums_exactly(m)) {
        keep_sums(m, product_unit(m), &gemm);
    }
    TS_TRY(add(m, &reshape, ".flat", &flat, &gemm.inputs[0]));
    TS_TRY(parameters(m, 2, dims, &gemm.inputs[1], &gemm.inputs[2]));
    TS_TRY(add(m, &gemm, ".product", NULL, &reshape.inputs[0]));
    if (m->whole && m->quant->values[m->index + 1].raw) { /* the network's output: nobody wants a map */
        *out = reshape.inputs[0];
        return TS_OK;
    }
    return add(m, &reshape, ".sum", &map, out);
}

/* x times a number that differs from 1 by the rounding of an integer factor. */
static ts_status make_factor(const maker *m, double factor, const char *part, ts_tensor_id x,
                             ts_tensor_id *out) {
    float value = (float)factor;
    uint32_t one = 1;
    ts_fnode n = {.op = TS_FOP_MUL, .input_count = 2, .inputs = {x}};
    n.inputs[1] = constant(m, part, 1, &one, ts_arena_copy(m->graph->arena, &value, sizeof value));
    return add(m, &n, part, NULL, out);
}

/* A REQUANT behind x, whose elements are multiples of `unit`: a factor and a term for each of `channels`. */
static ts_status make_requant(const maker *m, ts_fnode *n, const char *part, uint32_t channels,
                              const float *kappa, const float *lambda, ts_tensor_id x, ts_tensor_id *out) {
    n->op = TS_FOP_REQUANT;
    n->input_count = 3;
    n->inputs[0] = x;
    n->inputs[1] = constant(m, ".kappa", 1, &channels, kappa);
    n->inputs[2] = constant(m, ".lambda", 1, &channels, lambda);
    return add(m, n, part, NULL, out);
}

static ts_status make_multiple(const maker *m, double unit, int64_t factor, const char *part, ts_tensor_id x,
                               ts_tensor_id *out) {
    float *numbers = TS_NEW_ARRAY(m->graph->arena, float, 2);
    ts_fnode n = {.unit = unit, .divisor = 1, .scale = 1, .low = -INFINITY, .high = INFINITY};
    numbers[0] = (float)factor;
    return make_requant(m, &n, part, 1, numbers, numbers + 1, x, out);
}

static ts_status make_add(const maker *m, const ts_tensor_id *in, ts_tensor_id *out) {
    const ts_qweights *q = m->quant == NULL ? NULL : &m->quant->layers[m->index];
    ts_fnode n = {
        .op = m->layer->minus ? TS_FOP_SUB : TS_FOP_ADD, .input_count = 2, .inputs = {in[0], in[1]}};
    if (q != NULL && sums_exactly(m)) {
        keep_sums(m, m->quant->values[m->layer->inputs[0]].scale / (double)q->m[0], &n);
    }
    for (uint32_t k = 0; m->exact && k < 2; k++) {
        TS_TRY(make_multiple(m, m->quant->values[m->layer->inputs[k]].scale, q->m[k],
                             k == 0 ? ".multiple1" : ".multiple2", in[k], &n.inputs[k]));
    }
    for (uint32_t k = 0; !m->exact && m->stage == TS_STAGE_QD && k < 2; k++) {
        double quantum = m->quant->values[m->layer->inputs[k]].scale;
        double factor = (double)q->m[k] / (double)q->d * m->quant->values[m->index + 1].scale / quantum;
        TS_TRY(make_factor(m, factor, k == 0 ? ".factor1" : ".factor2", in[k], &n.inputs[k]));
    }
    return add(m, &n, ".sum", NULL, out);
}

static ts_status make_product(const maker *m, const ts_tensor_id *in, ts_tensor_id *out) {
    ts_fnode n = {.op = TS_FOP_MUL, .input_count = 2, .inputs = {in[0], in[1]}};
    TS_TRY(add(m, &n, m->stage == TS_STAGE_QD ? ".product" : ".sum", NULL, out));
    if (m->stage != TS_STAGE_QD || m->exact) {
        return TS_OK;
    }
    const ts_qvalue *values = m->quant->values;
    const ts_qweights *q = &m->quant->layers[m->index];
    double quantum = values[m->layer->inputs[0]].scale * values[m->layer->inputs[1]].scale;
    double factor = (double)q->m[0] / (double)q->d * values[m->index + 1].scale / quantum;
    return make_factor(m, factor, ".factor", *out, out);
}

/* What moves elements, on tensors {1, H, W, C}. */
static ts_status make_move(const maker *m, const ts_tensor_id *in, ts_tensor_id *out) {
    static const ts_fop ops[] = {
        [TS_QUANT_CONCAT] = TS_FOP_CONCAT,       [TS_QUANT_PAD] = TS_FOP_PAD,
        [TS_QUANT_SLICE] = TS_FOP_SLICE,         [TS_QUANT_RESIZE] = TS_FOP_RESIZE,
        [TS_QUANT_TRANSPOSE] = TS_FOP_TRANSPOSE, [TS_QUANT_RESHAPE] = TS_FOP_RESHAPE};
    const ts_qlayer *l = m->layer;
    ts_ftensor shape = {.rank = 4, .dims = {1, l->h, l->w, l->c}};
    ts_fnode n = {.op = ops[l->kind], .input_count = l->input_count, .axis = l->move.axis + 1, .step = {1}};
    memcpy(n.inputs, in, l->input_count * sizeof *in);
    const uint32_t *from = m->graph->tensors.data[in[0]].dims;
    for (uint32_t i = 0; i < 3; i++) {
        n.begin[i + 1] = l->move.begin[i];
        n.step[i + 1] = l->move.step[i];
        n.perm[i + 1] = l->move.order[i] + 1;
        n.end[i + 1] = l->kind == TS_QUANT_PAD ? shape.dims[i + 1] - from[i + 1] - n.begin[i + 1] : 0;
    }
    return add(m, &n, ".sum", &shape, out);
}

static ts_status make_pool(const maker *m, ts_tensor_id x, ts_tensor_id *out) {
    const ts_qlayer *l = m->layer;
    bool average = l->kind == TS_QUANT_AVG_POOL, deployed = average && m->stage == TS_STAGE_QD && !m->exact;
    ts_fnode n = {.op = average ? TS_FOP_AVG_POOL : TS_FOP_MAX_POOL, .input_count = 1, .inputs = {x}};
    n.window = l->window;
    n.count_pad = l->count_pad || m->stage != TS_STAGE_FP;
    if (average && sums_exactly(m)) { /* all of the requantisation */
        const ts_qweights *own = &m->quant->layers[m->index];
        n.unit = m->quant->values[l->inputs[0]].scale;
        n.alpha = (float)own->m[0];
        n.offset = (double)own->term;
        n.divisor = (double)own->d;
        n.scale = m->quant->values[m->index + 1].scale;
    }
    TS_TRY(add(m, &n, deployed ? ".mean" : ".sum", NULL, out));
    if (!deployed) {
        return TS_OK;
    }
    const ts_qweights *q = &m->quant->layers[m->index];
    double size = (double)l->window.kernel_h * l->window.kernel_w;
    double factor = size * (double)q->m[0] / (double)q->d * m->quant->values[m->index + 1].scale /
                    m->quant->values[l->inputs[0]].scale;
    return make_factor(m, factor, ".factor", *out, out);
}

/* A factor and a term for each channel as a depthwise convolution of single pixels. */
static ts_status make_diagonal(const maker *m, ts_tensor_id x, ts_tensor_id *out) {
    uint32_t c = m->layer->c, dims[] = {c, 1, 1, 1};
    ts_fnode n = {.op = TS_FOP_CONV, .input_count = 3, .groups = c, .inputs = {x}};
    n.window = (ts_window){1, 1, 1, 1, 1, 1, 0, 0, 0, 0};
    n.inputs[1] = constant(m, ".scale", 4, dims, m->layer->weights);
    n.inputs[2] = constant(m, ".shift", 1, dims, m->layer->bias);
    keep_sums(m, product_unit(m), &n);
    return add(m, &n, ".sum", NULL, out);
}

static ts_status make_affine(const maker *m, ts_tensor_id x, ts_tensor_id *out) {
    const ts_qlayer *l = m->layer;
    const float *a = l->weights;
    if (m->exact) { /* all of it is in the REQUANT */
        *out = x;
        return TS_OK;
    }
    if (m->stage == TS_STAGE_QD) {
        const ts_qweights *q = &m->quant->layers[m->index];
        double ratio =
            m->quant->values[m->index + 1].scale / m->quant->values[l->inputs[0]].scale / (double)q->d;
        float *rounded = TS_NEW_ARRAY(m->graph->arena, float, l->c);
        for (uint32_t c = 0; c < l->c; c++) {
            rounded[c] = (float)((double)q->kappa[c] * ratio);
        }
        a = rounded;
    }
    if (sums_exactly(m)) {
        return make_diagonal(m, x, out);
    }
    ts_fnode scale = {.op = TS_FOP_MUL, .input_count = 2, .inputs = {x}},
             shift = {.op = TS_FOP_ADD, .input_count = 2};
    scale.inputs[1] = constant(m, ".scale", 1, &l->c, a);
    TS_TRY(add(m, &scale, ".scaled", NULL, &shift.inputs[0]));
    shift.inputs[1] = constant(m, ".shift", 1, &l->c, bias_of(m));
    return add(m, &shift, ".sum", NULL, out);
}

ts_status ts__stage_grid(ts_fgraph *graph, const ts_qvalue *value, const char *name, double offset,
                         ts_tensor_id x, ts_tensor_id *out, ts_diags *diags) {
    ts_fnode n = {.op = TS_FOP_FAKE_QUANT, .name = name, .input_count = 1, .inputs = {x}};
    n.scale = value->scale;
    n.offset = offset;
    n.low = (float)value->low;
    n.high = (float)value->high;
    return ts_fgraph_add_node(graph, &n, name, NULL, out, diags);
}

static bool is_linear(const ts_qlayer *l) { return l->kind == TS_QUANT_CONV || l->kind == TS_QUANT_LINEAR; }

/* Whether the stage's results of this layer are whole numbers' images that a REQUANT can find again: where FQ
 * and QD differ by more than the rounding of a bias, FQ computes in real numbers. */
static bool can_be_exact(const ts_qlayer *l, const ts_qweights *q, ts_quant_stage stage) {
    bool matches = l->kind == TS_QUANT_ADD || l->kind == TS_QUANT_AVG_POOL || l->kind == TS_QUANT_MUL;
    return is_linear(l) || (matches && (q->matched || stage == TS_STAGE_QD)) ||
           (l->kind == TS_QUANT_AFFINE && stage == TS_STAGE_QD);
}

/* Quantum of a layer's sum. */
static double unit_of(const maker *m) {
    const ts_qlayer *l = m->layer;
    double unit = m->quant->values[l->inputs[0]].scale;
    switch (l->kind) {
        case TS_QUANT_ADD:
            return 1;
        case TS_QUANT_AVG_POOL:
            return unit / ((double)l->window.kernel_h * l->window.kernel_w);
        case TS_QUANT_MUL:
            return unit * m->quant->values[l->inputs[1]].scale;
        default:
            return unit;
    }
}

/* The requantisation as the integer network computes it. */
static ts_status make_exact_end(const maker *m, ts_tensor_id sum, ts_tensor_id *out) {
    const ts_qlayer *l = m->layer;
    const ts_qweights *q = &m->quant->layers[m->index];
    const ts_qvalue *y = &m->quant->values[m->index + 1];
    bool rounded = m->stage == TS_STAGE_QD, channels = is_linear(l) || l->kind == TS_QUANT_AFFINE;
    uint32_t count = channels ? l->c : 1;
    float *kappa = TS_NEW_ARRAY(m->graph->arena, float, count),
          *lambda = TS_NEW_ARRAY(m->graph->arena, float, count);
    ts_fnode n = {.unit = unit_of(m), .divisor = (double)q->d, .scale = y->scale};
    n.low = y->raw ? -INFINITY : (float)y->low;
    n.high = y->raw ? INFINITY : (float)y->high;
    n.divisor = y->raw ? 1 : n.divisor;
    for (uint32_t c = 0; c < count; c++) {
        if (!channels) {
            kappa[c] = l->kind == TS_QUANT_ADD ? 1.0f : (float)q->m[0];
            lambda[c] = rounded || m->halves ? (float)q->term : (float)q->d / 2;
        } else if (y->raw) {
            kappa[c] = 1;
            lambda[c] = (float)q->integer_bias[c];
        } else {
            kappa[c] = (float)q->kappa[c];
            lambda[c] = (float)q->lambda[c];
        }
    }
    return make_requant(m, &n, "", count, kappa, lambda, sum, out);
}

/* What a stage adds before it rounds down. Exact sums are whole multiples of 1 / D: half of that keeps the
 * last bits of float arithmetic from deciding on which side of a step a sum falls. */
static double offset_of(const maker *m) {
    const ts_qlayer *l = m->layer;
    const ts_qweights *q = &m->quant->layers[m->index];
    bool linear = is_linear(l) || l->kind == TS_QUANT_AFFINE;
    if (l->kind == TS_QUANT_LUT || sums_exactly(m)) {
        return 0.5;
    }
    double guard = 0.5 / (double)(q->d < 128 ? 128 : q->d);
    if (linear) {
        return m->stage == TS_STAGE_QD ? 0.5 + guard : 0.5;
    }
    bool floors = m->stage == TS_STAGE_QD || m->halves;
    return floors ? (double)q->term / (double)q->d + guard : 0.5 + guard;
}

static ts_status make_end(const maker *m, ts_tensor_id sum, ts_tensor_id *out) {
    const ts_qlayer *l = m->layer;
    *out = sum;
    if (m->exact) {
        return make_exact_end(m, sum, out);
    }
    if (m->stage == TS_STAGE_FP) {
        ts_fnode n = {.op = TS_FOP_CLIP, .input_count = 1, .inputs = {sum}, .low = l->low, .high = l->high};
        return l->low == -INFINITY && l->high == INFINITY ? TS_OK : add(m, &n, "", NULL, out);
    }
    const ts_qvalue *y = &m->quant->values[m->index + 1];
    if (m->whole && y->raw) {
        /* Readers of the QDQ form want a grid here, too: eight bits over what was seen. */
        double top = fmax(y->seen_high, -y->seen_low);
        ts_qvalue grid = {.scale = top > 0 ? top / 127 : 1, .low = -128, .high = 127};
        return ts__stage_grid(m->graph, &grid, l->name, 0.5, sum, out, m->diags);
    }
    if (y->raw || (ts_qkind_moves(l->kind) && !m->whole)) {
        return TS_OK;
    }
    return ts__stage_grid(m->graph, y, l->name, offset_of(m), sum, out, m->diags);
}

/* The layer's batch norm, with the shift that belongs to the bias. */
static ts_status make_norm(const maker *m, ts_tensor_id *x) {
    const ts_qlayer *l = m->layer;
    float *gain = TS_NEW_ARRAY(m->graph->arena, float, l->c),
          *shift = TS_NEW_ARRAY(m->graph->arena, float, l->c);
    ts_fnode n = {.op = TS_FOP_BATCH_NORM, .input_count = 5, .inputs = {*x}, .epsilon = l->norm.epsilon};
    for (uint32_t c = 0; c < l->c; c++) {
        gain[c] = l->gain[c] * sqrtf(l->norm.variance[c] + l->norm.epsilon);
        shift[c] = l->bias[c] + l->gain[c] * l->norm.mean[c];
    }
    n.inputs[1] = constant(m, ".gain", 1, &l->c, gain);
    n.inputs[2] = constant(m, ".shift", 1, &l->c, shift);
    n.inputs[3] = constant(m, ".mean", 1, &l->c, l->norm.mean);
    n.inputs[4] = constant(m, ".variance", 1, &l->c, l->norm.variance);
    return add(m, &n, ".norm", NULL, x);
}

static ts_status make_layer(const maker *m, const ts_tensor_id *in, ts_tensor_id *sum, ts_tensor_id *out) {
    switch (m->layer->kind) {
        case TS_QUANT_CONV:
            TS_TRY(make_conv(m, in[0], sum));
            break;
        case TS_QUANT_LINEAR:
            TS_TRY(make_linear(m, in[0], sum));
            break;
        case TS_QUANT_ADD:
            TS_TRY(make_add(m, in, sum));
            break;
        case TS_QUANT_MAX_POOL:
        case TS_QUANT_AVG_POOL:
            TS_TRY(make_pool(m, in[0], sum));
            break;
        case TS_QUANT_AFFINE:
            TS_TRY(make_affine(m, in[0], sum));
            break;
        case TS_QUANT_MUL:
            TS_TRY(make_product(m, in, sum));
            break;
        case TS_QUANT_LUT:
            TS_TRY(ts_qexpr_emit(m->graph, m->layer->expr, m->layer->name, in[0], sum, m->diags));
            break;
        case TS_QUANT_CONCAT:
        case TS_QUANT_PAD:
        case TS_QUANT_SLICE:
        case TS_QUANT_RESIZE:
        case TS_QUANT_TRANSPOSE:
        case TS_QUANT_RESHAPE:
            TS_TRY(make_move(m, in, sum));
            break;
    }
    if (has_norm(m)) {
        TS_TRY(make_norm(m, sum));
    }
    return make_end(m, *sum, out);
}

ts_status ts__stage_layer(ts_fgraph *graph, const ts_qnet *net, const ts_quant *quant, uint32_t i,
                          ts_quant_stage stage, const ts_tensor_id *in, ts_tensor_id *sum, ts_tensor_id *out,
                          ts_diags *diags) {
    maker m = {graph, net, quant, &net->layers.data[i], i, stage, false, false, false, false, diags};
    return make_layer(&m, in, sum, out);
}

typedef enum forms { FORM_REAL, FORM_WHOLE, FORM_EXACT, FORM_TRAINED } forms;

/* Value `only` alone is at the stage, the others at FP; TS_NONE: all of them. */
static ts_status stage_values(ts_fgraph *graph, const ts_qnet *net, const ts_quant *quant,
                              ts_quant_stage stage, uint32_t only, forms form, ts_tensor_id *values,
                              ts_tensor_id *sums, ts_diags *diags) {
    ts_ftensor input = {.name = net->input_name, .rank = 4, .dims = {1, net->h, net->w, net->c}};
    input.layout = TS_LAYOUT_CHANNELS_LAST;
    input.producer = TS_NONE;
    values[0] = ts_fgraph_add_tensor(graph, &input);
    TS_PUSH(graph->arena, &graph->inputs, values[0]);
    if (stage != TS_STAGE_FP && (only == TS_NONE || only == 0)) {
        TS_TRY(ts__stage_grid(graph, &quant->values[0], net->input_name, 0.5, values[0], &values[0], diags));
    }
    for (uint32_t i = 0; i < net->layers.count; i++) {
        const ts_qlayer *l = &net->layers.data[i];
        ts_tensor_id in[TS_MAX_INPUTS];
        for (uint32_t k = 0; k < l->input_count; k++) {
            in[k] = values[l->inputs[k]];
        }
        ts_quant_stage own = only == TS_NONE || only == i + 1 ? stage : TS_STAGE_FP;
        bool halves =
            own == TS_STAGE_FQ && only == TS_NONE && quant->options.floor_pools && !quant->exact_weights;
        bool exact = form == FORM_EXACT && can_be_exact(l, &quant->layers[i], stage);
        maker m = {graph, net, quant, l, i, own, halves, form == FORM_WHOLE, exact, form == FORM_TRAINED,
                   diags};
        TS_TRY(make_layer(&m, in, &sums[i], &values[i + 1]));
    }
    for (uint32_t i = 0; i < net->outputs.count; i++) {
        TS_PUSH(graph->arena, &graph->outputs, values[net->outputs.data[i]]);
    }
    return TS_OK;
}

ts_status ts__stage_network(ts_fgraph *graph, const ts_qnet *net, const ts_quant *quant, ts_quant_stage stage,
                            ts_tensor_id *values, ts_tensor_id *sums, ts_diags *diags) {
    return stage_values(graph, net, quant, stage, TS_NONE, FORM_REAL, values, sums, diags);
}

ts_status ts__stage_trained(ts_fgraph *graph, const ts_qnet *net, const ts_quant *quant, ts_tensor_id *values,
                            ts_tensor_id *sums, ts_diags *diags) {
    return stage_values(graph, net, quant, TS_STAGE_FQ, TS_NONE, FORM_TRAINED, values, sums, diags);
}

static ts_status make_float(ts_arena *arena, const ts_qnet *net, const ts_quant *quant, ts_quant_stage stage,
                            uint32_t only, forms form, ts_fgraph **out, ts_diags *diags) {
    *out = ts_fgraph_new(arena, net->name);
    ts_tensor_id *values = TS_NEW_ARRAY(arena, ts_tensor_id, net->layers.count + 1);
    ts_tensor_id *sums = TS_NEW_ARRAY(arena, ts_tensor_id, net->layers.count);
    return stage_values(*out, net, quant, stage, only, form, values, sums, diags);
}

ts_status ts_quant_float(ts_arena *arena, const ts_qnet *net, const ts_quant *quant, ts_quant_stage stage,
                         ts_fgraph **out, ts_diags *diags) {
    TS_ASSERT(stage == TS_STAGE_FP || (quant != NULL && stage != TS_STAGE_ID), "a float stage");
    return make_float(arena, net, quant, stage, TS_NONE, FORM_REAL, out, diags);
}

ts_status ts_quant_emulate(ts_arena *arena, const ts_quant *quant, ts_quant_stage stage, ts_fgraph **out,
                           ts_diags *diags) {
    TS_ASSERT(stage == TS_STAGE_FQ || stage == TS_STAGE_QD, "a stage with grids");
    return make_float(arena, quant->net, quant, stage, TS_NONE, FORM_EXACT, out, diags);
}

ts_status ts_quant_blame(ts_arena *arena, const ts_quant *quant, uint32_t value, ts_fgraph **out,
                         ts_diags *diags) {
    TS_ASSERT(value <= quant->net->layers.count, "a value of the network");
    return make_float(arena, quant->net, quant, TS_STAGE_FQ, value, FORM_REAL, out, diags);
}

ts_status ts_quant_qdq(ts_arena *arena, const ts_quant *quant, ts_fgraph **out, ts_diags *diags) {
    if (quant->options.floor_pools) {
        return ts_error(
            diags, TS_DIAG_UNSUPPORTED, NULL, NULL,
            "QuantizeLinear rounds to the nearest; sums and means that round down have no such form");
    }
    return make_float(arena, quant->net, quant, TS_STAGE_FQ, TS_NONE, FORM_WHOLE, out, diags);
}
