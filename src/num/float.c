#include "num/float.h"

#include <math.h>
#include <string.h>

#include "ir/float_op.h"
#include "num/exact.h"
#include "num/float_internal.h"

struct ts_fsession {
    const ts_fgraph *graph;
    const float **values; /* one a tensor: constants in place, inputs as given, results in `buffers` */
    float **buffers;
    float **weights; /* one a node: CONV and GEMM weights in the loops' order, NULL where not constant */
    float *scratch;
    double *room; /* of exact sums */
};

/* {rows, columns} to {columns, rows}. */
static void turn(const float *from, uint32_t rows, uint32_t columns, float *to) {
    for (uint32_t r = 0; r < rows; r++) {
        for (uint32_t c = 0; c < columns; c++) {
            to[(size_t)c * rows + r] = from[(size_t)r * columns + c];
        }
    }
}

static bool turns_weights(const ts_fnode *node) {
    return node->op == TS_FOP_CONV || (node->op == TS_FOP_GEMM && node->trans_b);
}

/* Scratch that one node needs, in floats. */
static uint64_t scratch_elements(const ts_fgraph *graph, const ts_fnode *node) {
    const ts_ftensor *t = graph->tensors.data;
    uint64_t need = 0;
    if (turns_weights(node)) {
        const ts_ftensor *w = &t[node->inputs[1]];
        need += ts_ftensor_elements(w) + 4 * (ts_ftensor_elements(w) / w->dims[0]);
    }
    if (node->op == TS_FOP_GEMM && node->trans_a) {
        need += ts_ftensor_elements(&t[node->inputs[0]]);
    }
    return need;
}

static bool sums_exactly(const ts_fnode *node) {
    bool sums = node->op == TS_FOP_CONV || node->op == TS_FOP_GEMM || node->op == TS_FOP_AVG_POOL;
    return sums && ts_exact(node);
}

ts_fsession *ts_fsession_new(ts_arena *arena, const ts_fgraph *graph) {
    ts_fsession *s = TS_NEW(arena, ts_fsession);
    s->graph = graph;
    s->values = TS_NEW_ARRAY(arena, const float *, graph->tensors.count);
    s->buffers = TS_NEW_ARRAY(arena, float *, graph->tensors.count);
    s->weights = TS_NEW_ARRAY(arena, float *, graph->nodes.count);
    for (uint32_t i = 0; i < graph->tensors.count; i++) {
        s->values[i] = graph->tensors.data[i].data;
    }
    uint64_t scratch = 0, room = 0;
    for (uint32_t i = 0; i < graph->nodes.count; i++) {
        const ts_fnode *n = &graph->nodes.data[i];
        if (sums_exactly(n)) {
            ts_exact_shape shape = ts_exact_shape_of(graph, n);
            room = ts_exact_room(&shape) > room ? ts_exact_room(&shape) : room;
        }
        s->buffers[n->output] =
            TS_NEW_ARRAY(arena, float, ts_ftensor_elements(&graph->tensors.data[n->output]));
        s->values[n->output] = s->buffers[n->output];
        uint64_t need = scratch_elements(graph, n);
        scratch = need > scratch ? need : scratch;
        const ts_ftensor *w = n->input_count > 1 ? &graph->tensors.data[n->inputs[1]] : NULL;
        if (turns_weights(n) && w->data != NULL) {
            uint64_t count = ts_ftensor_elements(w);
            s->weights[i] = TS_NEW_ARRAY(arena, float, count);
            turn(w->data, w->dims[0], (uint32_t)(count / w->dims[0]), s->weights[i]);
        }
    }
    s->scratch = TS_NEW_ARRAY(arena, float, scratch);
    s->room = TS_NEW_ARRAY(arena, double, room);
    return s;
}

const float *ts_fsession_value(const ts_fsession *session, ts_tensor_id tensor) {
    return session->values[tensor];
}

/* What a node's function sees. */
typedef struct step {
    ts_fsession *session;
    uint32_t index;
    const ts_fnode *node;
    const ts_ftensor *in[TS_MAX_INPUTS];
    const float *x[TS_MAX_INPUTS];
    const ts_ftensor *out;
    float *y;
    uint64_t count; /* elements of the output */
} step;

static ts__plane plane_of(const step *s) {
    const ts_ftensor *x = s->in[0], *y = s->out;
    bool flat = x->rank == 3;
    ts__plane plane = {.h = flat ? 1 : x->dims[1],
                       .w = x->dims[x->rank - 2],
                       .c = x->dims[x->rank - 1],
                       .out_h = flat ? 1 : y->dims[1],
                       .out_w = y->dims[y->rank - 2],
                       .out_c = y->dims[y->rank - 1],
                       .groups = s->node->groups,
                       .window = s->node->window};
    if (flat) {
        plane.window.kernel_h = plane.window.stride_h = plane.window.dilation_h = 1;
        plane.window.pad_top = plane.window.pad_bottom = 0;
    }
    return plane;
}

/* Weights of node s in the loops' order: made once, or now where they are no constant. */
static const float *turned_weights(const step *s, float **scratch) {
    if (s->session->weights[s->index] != NULL) {
        return s->session->weights[s->index];
    }
    uint64_t count = ts_ftensor_elements(s->in[1]);
    float *weights = *scratch;
    turn(s->x[1], s->in[1]->dims[0], (uint32_t)(count / s->in[1]->dims[0]), weights);
    *scratch += count;
    return weights;
}

static void run_exactly(const step *s) {
    ts_exact_shape shape = ts_exact_shape_of(s->session->graph, s->node);
    if (s->node->op == TS_FOP_AVG_POOL) {
        ts_exact_pool(s->node, &shape, s->in[0]->dims[0], s->x[0], s->y);
        return;
    }
    ts_exact_conv(s->node, &shape, s->in[0]->dims[0], s->x[0], s->x[1],
                  s->node->input_count == 3 ? s->x[2] : NULL, s->session->room, s->y);
}

static void run_conv(const step *s) {
    ts__plane plane = plane_of(s);
    float *scratch = s->session->scratch;
    const float *weights = turned_weights(s, &scratch);
    for (uint32_t n = 0; n < s->in[0]->dims[0]; n++) {
        ts__conv_f32(&plane, s->x[0] + (size_t)n * plane.h * plane.w * plane.c, weights,
                     s->node->input_count == 3 ? s->x[2] : NULL, scratch,
                     s->y + (size_t)n * plane.out_h * plane.out_w * plane.out_c);
    }
}

static void run_pool(const step *s) {
    ts__plane plane = plane_of(s);
    for (uint32_t n = 0; n < s->in[0]->dims[0]; n++) {
        const float *x = s->x[0] + (size_t)n * plane.h * plane.w * plane.c;
        float *y = s->y + (size_t)n * plane.out_h * plane.out_w * plane.out_c;
        if (s->node->op == TS_FOP_MAX_POOL) {
            ts__max_pool_f32(&plane, x, y);
        } else {
            ts__avg_pool_f32(&plane, x, s->node->count_pad, y);
        }
    }
}

/* Steps through two broadcast operands: strides of `t` in the output's dimensions, 0 where it is 1. */
static void strides_of(const ts_ftensor *t, const ts_ftensor *out, size_t *strides) {
    size_t stride = 1;
    for (uint32_t i = 0; i < out->rank; i++) {
        uint32_t d = out->rank - 1 - i;
        uint32_t size = i < t->rank ? t->dims[t->rank - 1 - i] : 1;
        strides[d] = size == 1 ? 0 : stride;
        stride *= size;
    }
}

/* Advances a multi-dimensional index; `offset` follows by `strides`. */
static void advance(const ts_ftensor *out, uint32_t *index, const size_t *strides, size_t *offset,
                    const size_t *strides2, size_t *offset2) {
    for (uint32_t d = out->rank; d-- > 0;) {
        *offset += strides[d];
        *offset2 += strides2[d];
        if (++index[d] < out->dims[d]) {
            return;
        }
        *offset -= strides[d] * out->dims[d];
        *offset2 -= strides2[d] * out->dims[d];
        index[d] = 0;
    }
}

static void run_binary(const step *s) {
    size_t sa[TS_MAX_RANK], sb[TS_MAX_RANK], a = 0, b = 0;
    uint32_t index[TS_MAX_RANK] = {0};
    strides_of(s->in[0], s->out, sa);
    strides_of(s->in[1], s->out, sb);
    for (uint64_t i = 0; i < s->count; i++) {
        s->y[i] = ts_exact(s->node) ? ts_exact_round(s->node, (double)s->x[0][a] + (double)s->x[1][b])
                                    : ts_fop_binary(s->node->op, s->x[0][a], s->x[1][b]);
        advance(s->out, index, sa, &a, sb, &b);
    }
}

static void run_transpose(const step *s) {
    size_t in[TS_MAX_RANK], strides[TS_MAX_RANK], none[TS_MAX_RANK] = {0}, from = 0, unused = 0;
    uint32_t index[TS_MAX_RANK] = {0};
    size_t stride = 1;
    for (uint32_t d = s->in[0]->rank; d-- > 0; stride *= s->in[0]->dims[d]) {
        in[d] = stride;
    }
    for (uint32_t d = 0; d < s->out->rank; d++) {
        strides[d] = in[s->node->perm[d]];
    }
    for (uint64_t i = 0; i < s->count; i++) {
        s->y[i] = s->x[0][from];
        advance(s->out, index, strides, &from, none, &unused);
    }
}

/* a {rows, inner} as it stands or transposed into scratch. */
static void run_gemm(const step *s) {
    const ts_fnode *n = s->node;
    uint32_t rows = s->out->dims[0], columns = s->out->dims[1], inner = s->in[0]->dims[!n->trans_a];
    float *scratch = s->session->scratch;
    const float *a = s->x[0], *b = s->x[1];
    if (n->trans_b) {
        b = turned_weights(s, &scratch);
    }
    if (n->trans_a) {
        turn(a, inner, rows, scratch);
        a = scratch;
    }
    memset(s->y, 0, s->count * sizeof *s->y);
    ts__gemm_f32(a, b, s->y, rows, inner, columns);
    size_t strides[TS_MAX_RANK], none[TS_MAX_RANK] = {0}, c = 0, unused = 0;
    uint32_t index[TS_MAX_RANK] = {0};
    if (n->input_count == 3) {
        strides_of(s->in[2], s->out, strides);
    }
    for (uint64_t i = 0; i < s->count; i++) {
        s->y[i] = n->alpha * s->y[i] + (n->input_count == 3 ? n->beta * s->x[2][c] : 0.0f);
        if (n->input_count == 3) {
            advance(s->out, index, strides, &c, none, &unused);
        }
    }
}

static void run_matmul(const step *s) {
    uint32_t rank = s->out->rank;
    uint32_t rows = s->out->dims[rank - 2], columns = s->out->dims[rank - 1];
    uint32_t inner = s->in[0]->dims[s->in[0]->rank - 1];
    ts_ftensor outer = *s->out, a = *s->in[0], b = *s->in[1];
    outer.rank -= 2;
    a.rank -= 2;
    b.rank -= 2;
    size_t sa[TS_MAX_RANK], sb[TS_MAX_RANK], ia = 0, ib = 0;
    uint32_t index[TS_MAX_RANK] = {0};
    strides_of(&a, &outer, sa);
    strides_of(&b, &outer, sb);
    memset(s->y, 0, s->count * sizeof *s->y);
    for (uint64_t i = 0; i < ts_ftensor_elements(&outer); i++) {
        ts__gemm_f32(s->x[0] + ia * rows * inner, s->x[1] + ib * inner * columns, s->y + i * rows * columns,
                     rows, inner, columns);
        advance(&outer, index, sa, &ia, sb, &ib);
    }
}

static void run_batch_norm(const step *s) {
    uint32_t channels = s->out->dims[s->out->rank - 1];
    for (uint64_t i = 0; i < s->count; i++) {
        uint32_t c = (uint32_t)(i % channels);
        s->y[i] = (s->x[0][i] - s->x[3][c]) / sqrtf(s->x[4][c] + s->node->epsilon) * s->x[1][c] + s->x[2][c];
    }
}

/* Elements after and up to dimension `axis`. */
static uint64_t product(const ts_ftensor *t, uint32_t from, uint32_t to) {
    uint64_t count = 1;
    for (uint32_t d = from; d < to; d++) {
        count *= t->dims[d];
    }
    return count;
}

static void run_concat(const step *s) {
    uint32_t axis = s->node->axis;
    uint64_t outer = product(s->out, 0, axis);
    float *y = s->y;
    for (uint64_t o = 0; o < outer; o++) {
        for (uint32_t i = 0; i < s->node->input_count; i++) {
            uint64_t run = product(s->in[i], axis, s->in[i]->rank);
            memcpy(y, s->x[i] + o * run, run * sizeof *y);
            y += run;
        }
    }
}

static uint32_t padded_index(ts_pad_mode mode, uint32_t o, uint32_t begin, uint32_t size, bool *outside) {
    int64_t i = (int64_t)o - begin;
    if (i >= 0 && i < size) {
        return (uint32_t)i;
    }
    *outside = true;
    if (mode == TS_PAD_EDGE) {
        return i < 0 ? 0 : size - 1;
    }
    return (uint32_t)(mode == TS_PAD_CONSTANT ? 0 : i < 0 ? -i : 2 * ((int64_t)size - 1) - i);
}

static void run_pad(const step *s) {
    const ts_fnode *n = s->node;
    for (uint64_t i = 0; i < s->count; i++) {
        uint64_t rest = i, from = 0, stride = 1;
        bool outside = false;
        for (uint32_t d = s->out->rank; d-- > 0;) {
            uint32_t o = (uint32_t)(rest % s->out->dims[d]);
            rest /= s->out->dims[d];
            from += stride * padded_index(n->pad_mode, o, n->begin[d], s->in[0]->dims[d], &outside);
            stride *= s->in[0]->dims[d];
        }
        s->y[i] = outside && n->pad_mode == TS_PAD_CONSTANT ? n->alpha : s->x[0][from];
    }
}

static void run_softmax(const step *s) {
    uint32_t axis = s->node->axis, size = s->out->dims[axis];
    uint64_t inner = product(s->out, axis + 1, s->out->rank), outer = product(s->out, 0, axis);
    for (uint64_t o = 0; o < outer * inner; o++) {
        uint64_t first = o / inner * inner * size + o % inner;
        float top = -INFINITY, sum = 0.0f;
        for (uint32_t i = 0; i < size; i++) {
            top = fmaxf(top, s->x[0][first + i * inner]);
        }
        for (uint32_t i = 0; i < size; i++) {
            sum += s->y[first + i * inner] = expf(s->x[0][first + i * inner] - top);
        }
        for (uint32_t i = 0; i < size; i++) {
            float *y = &s->y[first + i * inner];
            *y = s->node->op == TS_FOP_SOFTMAX ? *y / sum : s->x[0][first + i * inner] - top - logf(sum);
        }
    }
}

static void run_reduce(const step *s) {
    const ts_ftensor *x = s->in[0];
    bool largest = s->node->op == TS_FOP_REDUCE_MAX;
    uint64_t total = ts_ftensor_elements(x);
    for (uint64_t i = 0; i < s->count; i++) {
        s->y[i] = largest ? -INFINITY : 0.0f;
    }
    for (uint64_t i = 0; i < total; i++) {
        uint64_t rest = i, to = 0, stride = 1;
        for (uint32_t d = x->rank; d-- > 0;) {
            if ((s->node->axes >> d & 1) == 0) {
                to += stride * (rest % x->dims[d]);
                stride *= x->dims[d];
            }
            rest /= x->dims[d];
        }
        s->y[to] = largest ? fmaxf(s->y[to], s->x[0][i]) : s->y[to] + s->x[0][i];
    }
    for (uint64_t i = 0; i < s->count && s->node->op == TS_FOP_REDUCE_MEAN; i++) {
        s->y[i] /= (float)(total / s->count);
    }
}

/* SLICE and RESIZE: y[o] = x[f(o)] along each dimension on its own. */
static void run_gather(const step *s) {
    const ts_ftensor *x = s->in[0];
    for (uint64_t i = 0; i < s->count; i++) {
        uint64_t rest = i, from = 0, stride = 1;
        for (uint32_t d = s->out->rank; d-- > 0;) {
            uint64_t o = rest % s->out->dims[d];
            uint64_t at = s->node->op == TS_FOP_SLICE ? s->node->begin[d] + o * s->node->step[d]
                                                      : o / (s->out->dims[d] / x->dims[d]);
            from += stride * at;
            stride *= x->dims[d];
            rest /= s->out->dims[d];
        }
        s->y[i] = s->x[0][from];
    }
}

/* Halves to even. */
static void run_quant(const step *s) {
    const ts_fnode *n = s->node;
    uint64_t inner = product(s->out, n->axis + 1, s->out->rank), size = 1;
    size = n->axis < s->out->rank ? s->out->dims[n->axis] : 1;
    bool many_scales = ts_ftensor_elements(s->in[1]) > 1, many_zeros = ts_ftensor_elements(s->in[2]) > 1;
    for (uint64_t i = 0; i < s->count; i++) {
        uint64_t c = i / inner % size;
        float scale = s->x[1][many_scales ? c : 0], zero = s->x[2][many_zeros ? c : 0], x = s->x[0][i];
        s->y[i] = n->op == TS_FOP_DEQUANT ? (x - zero) * scale
                                          : fminf(fmaxf(ts_fop_round(x / scale) + zero, n->low), n->high);
    }
}

float ts_fake_quant(float x, double scale, double offset, float low, float high) {
    double steps = floor((double)x / scale + offset);
    steps = steps < (double)low ? (double)low : steps > (double)high ? (double)high : steps;
    return (float)(steps * scale);
}

/* Exact as long as x is nearer to its multiple of the unit than to the next: all else is whole numbers below
 * 2^53. */
static void run_requant(const step *s) {
    const ts_fnode *n = s->node;
    uint64_t channels = s->out->rank == 0 ? 1 : s->out->dims[s->out->rank - 1];
    bool one_kappa = ts_ftensor_elements(s->in[1]) == 1, one_lambda = ts_ftensor_elements(s->in[2]) == 1;
    for (uint64_t i = 0; i < s->count; i++) {
        uint64_t c = i % channels;
        double kappa = (double)s->x[1][one_kappa ? 0 : c], lambda = (double)s->x[2][one_lambda ? 0 : c];
        double steps = floor((kappa * floor((double)s->x[0][i] / n->unit + 0.5) + lambda) / n->divisor);
        steps = steps < (double)n->low ? (double)n->low : steps > (double)n->high ? (double)n->high : steps;
        s->y[i] = (float)(steps * n->scale);
    }
}

static void run_unary(const step *s) {
    for (uint64_t i = 0; i < s->count; i++) {
        const ts_fnode *n = s->node;
        float x = s->x[0][i];
        s->y[i] = n->op == TS_FOP_FAKE_QUANT ? ts_fake_quant(x, n->scale, n->offset, n->low, n->high)
                                             : ts_fop_unary(n, x);
    }
}

static void run_own(const step *s) {
    switch (s->node->op) {
        case TS_FOP_CONV:
            run_conv(s);
            break;
        case TS_FOP_GEMM:
            run_gemm(s);
            break;
        case TS_FOP_MATMUL:
            run_matmul(s);
            break;
        case TS_FOP_BATCH_NORM:
            run_batch_norm(s);
            break;
        case TS_FOP_CONCAT:
            run_concat(s);
            break;
        case TS_FOP_MAX_POOL:
        case TS_FOP_AVG_POOL:
            run_pool(s);
            break;
        case TS_FOP_PAD:
            run_pad(s);
            break;
        case TS_FOP_TRANSPOSE:
            run_transpose(s);
            break;
        case TS_FOP_SOFTMAX:
        case TS_FOP_LOG_SOFTMAX:
            run_softmax(s);
            break;
        case TS_FOP_REQUANT:
            run_requant(s);
            break;
        case TS_FOP_QUANT:
        case TS_FOP_DEQUANT:
            run_quant(s);
            break;
        default:
            TS_ASSERT(false, "float interpreter: an operator without a function");
    }
}

static void run_node(const step *s) {
    if (sums_exactly(s->node)) {
        run_exactly(s);
        return;
    }
    switch (ts_fop_form_of(s->node->op)) {
        case TS_FORM_UNARY:
            run_unary(s);
            break;
        case TS_FORM_BINARY:
            run_binary(s);
            break;
        case TS_FORM_REDUCE:
            run_reduce(s);
            break;
        case TS_FORM_GIVEN:
            if (s->node->op == TS_FOP_RESHAPE) {
                memcpy(s->y, s->x[0], s->count * sizeof *s->y);
            } else {
                run_gather(s);
            }
            break;
        case TS_FORM_OWN:
            run_own(s);
            break;
    }
}

static void run_index(ts_fsession *session, uint32_t index) {
    const ts_fgraph *g = session->graph;
    const ts_fnode *n = &g->nodes.data[index];
    step s = {.session = session, .index = index, .node = n, .out = &g->tensors.data[n->output]};
    for (uint32_t k = 0; k < n->input_count; k++) {
        s.in[k] = &g->tensors.data[n->inputs[k]];
        s.x[k] = session->values[n->inputs[k]];
    }
    s.y = session->buffers[n->output];
    s.count = ts_ftensor_elements(s.out);
    run_node(&s);
}

void ts_fsession_run(ts_fsession *session, const float *const *inputs) {
    const ts_fgraph *g = session->graph;
    for (uint32_t i = 0; i < g->inputs.count; i++) {
        session->values[g->inputs.data[i]] = inputs[i];
    }
    for (uint32_t i = 0; i < g->nodes.count; i++) {
        run_index(session, i);
    }
}

void ts_fsession_rerun(ts_fsession *session, ts_node_id first) {
    for (uint32_t i = first; i < session->graph->nodes.count; i++) {
        run_index(session, i);
    }
}

static void release_arena(void *arena) { ts_arena_free(arena); }

void ts_fgraph_fold(ts_fgraph *graph) {
    ts_arena *scratch = ts_arena_new("fold", 0);
    ts_guard_defer(release_arena, scratch);
    ts_fsession *session = ts_fsession_new(scratch, graph);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < graph->nodes.count; i++) {
        const ts_fnode *n = &graph->nodes.data[i];
        bool constant = true;
        for (uint32_t k = 0; k < n->input_count; k++) {
            constant = constant && graph->tensors.data[n->inputs[k]].data != NULL;
        }
        ts_ftensor *out = &graph->tensors.data[n->output];
        if (constant) {
            run_index(session, i);
            out->data = ts_arena_copy(graph->arena, session->buffers[n->output],
                                      ts_ftensor_elements(out) * sizeof(float));
            out->producer = TS_NONE;
            session->values[n->output] = out->data;
        } else {
            out->producer = kept;
            graph->nodes.data[kept] = *n;
            kept++;
        }
    }
    graph->nodes.count = kept;
    ts_guard_undefer(scratch);
    ts_arena_free(scratch);
}
