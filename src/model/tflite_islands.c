/* Float operators between integer ones in TensorFlow Lite files. DEQUANTIZE gives codes with a quantum; the
 * operators behind it are read into a float graph; QUANTIZE asks for what they make, which becomes a table or
 * the program of a FLOAT node, as it does in ONNX (qdq_float.c). What only moves codes moves them as
 * integers.
 */
#include <math.h>
#include <string.h>

#include "model/qdq_internal.h"
#include "model/tflite_internal.h"

enum { MOST_LEAVES = TS_MAX_INPUTS };

struct tfl_islands {
    qdq q;
    uint32_t meaning_count;
};

/* ---- dequantisation ---- */

ts_status ts__tfl_dequantize(tfl *t, const tfl_op *o) {
    tfl_tensor *x = ts__tfl_tensor_at(t, o->inputs, 0), *y;
    TS_TRY(ts__tfl_output_of(t, o, &y));
    if (x != NULL && x->data.count > 0) {
        return ts__tfl_float_constant(t, o, x, y);
    }
    TS_TRY(ts__tfl_map_at(t, o, 0, &x));
    if (y->type != TYPE_FLOAT || y->rank != x->rank || memcmp(y->dims, x->dims, sizeof y->dims) != 0) {
        return TFL_FAIL(TS_DIAG_SHAPE, "its result is not float, or has another shape than what it reads");
    }
    y->codes = x->type;
    y->scales = x->scales;
    y->zeros = x->zeros;
    y->tensor = x->tensor;
    return TS_OK;
}

/* ---- movements ---- */

/* Operators that move elements, whatever they are; a maximum of codes is that of what they mean. */
static bool is_movement(tfl *t, const tfl_op *o, int64_t code) {
    switch (code) {
        case 2:   /* CONCATENATION */
        case 22:  /* RESHAPE */
        case 34:  /* PAD, with 0, which is the code of the zero point */
        case 39:  /* TRANSPOSE */
        case 43:  /* SQUEEZE */
        case 45:  /* STRIDED_SLICE */
        case 49:  /* SPLIT */
        case 65:  /* SLICE */
        case 70:  /* EXPAND_DIMS */
        case 97:  /* RESIZE_NEAREST_NEIGHBOR */
        case 102: /* SPLIT_V */
            return true;
        default: /* MAX_POOL_2D */
            return code == 17 && ts__flat_int(&t->flat, o->options, POOL_ACTIVATION, 1, 0) == ACTIVATION_NONE;
    }
}

static bool same_quantum(const tfl_tensor *a, const tfl_tensor *b) {
    return a->codes == b->codes && ts__tfl_scale_of(a, 0) == ts__tfl_scale_of(b, 0) &&
           ts__tfl_zero_of(a) == ts__tfl_zero_of(b);
}

/* The codes of one quantum that the operator reads, all its float inputs; NULL where it reads others. */
static const tfl_tensor *codes_of(const tfl *t, const tfl_op *o) {
    const tfl_tensor *first = NULL;
    for (uint32_t i = 0; i < o->inputs.count; i++) {
        const tfl_tensor *x = ts__tfl_tensor_at(t, o->inputs, i);
        if (x == NULL || x->type != TYPE_FLOAT) {
            continue;
        }
        if (x->codes == TYPE_FLOAT || (first != NULL && !same_quantum(first, x))) {
            return NULL;
        }
        first = x;
    }
    return first;
}

/* For the time of the operator its float tensors are what they mean, tensors of codes. */
static ts_status move_codes(tfl *t, const tfl_op *o, const tfl_tensor *of, ts__tfl_take *take) {
    const tfl_tensor quantum = *of;
    for (uint32_t i = 0; i < o->outputs.count; i++) {
        tfl_tensor *y = ts__tfl_tensor_at(t, o->outputs, i);
        if (y == NULL || y->type != TYPE_FLOAT || y->codes != TYPE_FLOAT || y->real != TS_NONE) {
            return TFL_FAIL(TS_DIAG_MALFORMED, "it has outputs that are not its own, or not float");
        }
        y->type = y->codes = quantum.codes;
        y->scales = quantum.scales;
        y->zeros = quantum.zeros;
    }
    for (uint32_t i = 0; i < o->inputs.count; i++) {
        tfl_tensor *x = ts__tfl_tensor_at(t, o->inputs, i);
        if (x != NULL && x->type == TYPE_FLOAT) {
            x->type = x->codes;
        }
    }
    TS_TRY(take(t, o));
    const ts_flat_vector lists[2] = {o->inputs, o->outputs};
    for (uint32_t k = 0; k < 2; k++) {
        for (uint32_t i = 0; i < lists[k].count; i++) {
            tfl_tensor *x = ts__tfl_tensor_at(t, lists[k], i);
            if (x != NULL && x->codes != TYPE_FLOAT) {
                x->type = TYPE_FLOAT;
            }
        }
    }
    return TS_OK;
}

/* ---- operators in floats ---- */

/* Codes become a tensor of the float graph, in the shape that the file gives them. */
static ts_status add_leaf(tfl *t, const tfl_op *o, tfl_tensor *x) {
    ts_ftensor leaf = {
        .name = x->name, .rank = x->rank, .layout = TS_LAYOUT_CHANNELS_LAST, .producer = TS_NONE};
    TS_TRY(ts__tfl_settle(t, o, x));
    leaf.rank = x->rank;
    memcpy(leaf.dims, x->dims, sizeof leaf.dims);
    x->real = ts_fgraph_add_tensor(t->real, &leaf);
    x->leaves = TS_NEW(t->scratch, tfl_tensor *);
    x->leaves[0] = x;
    x->leaf_count = 1;
    return TS_OK;
}

/* Its float inputs are in the float graph, or constants. */
static ts_status take_inputs(tfl *t, const tfl_op *o) {
    for (uint32_t i = 0; i < o->inputs.count; i++) {
        tfl_tensor *x = ts__tfl_tensor_at(t, o->inputs, i);
        if (x == NULL || x->type != TYPE_FLOAT || x->real != TS_NONE || x->data.count > 0) {
            continue;
        }
        if (x->codes == TYPE_FLOAT) {
            return ts__tfl_is_float(t, o, i, x);
        }
        TS_TRY(add_leaf(t, o, x));
    }
    return TS_OK;
}

static ts_status join_leaves(tfl *t, const tfl_op *o, tfl_tensor *all) {
    tfl_tensor *leaves[MOST_LEAVES];
    for (uint32_t i = 0; i < o->inputs.count; i++) {
        const tfl_tensor *x = ts__tfl_tensor_at(t, o->inputs, i);
        for (uint32_t k = 0; x != NULL && k < x->leaf_count; k++) {
            bool known = false;
            for (uint32_t n = 0; n < all->leaf_count; n++) {
                known = known || leaves[n] == x->leaves[k];
            }
            if (!known && all->leaf_count == MOST_LEAVES) {
                return TFL_FAIL(TS_DIAG_LIMIT, "floats are made of more than %d quantised tensors",
                                MOST_LEAVES);
            }
            if (!known) {
                leaves[all->leaf_count++] = x->leaves[k];
            }
        }
        if (x != NULL && x->first != NULL && all->first == NULL) {
            all->first = x->first;
            all->first_op = x->first_op;
        }
    }
    all->leaves = ts_arena_copy(t->scratch, leaves, all->leaf_count * sizeof leaves[0]);
    return TS_OK;
}

ts_status ts__tfl_island_operator(tfl *t, const tfl_op *o, int64_t code, ts__tfl_take *take) {
    const tfl_tensor *codes = codes_of(t, o);
    tfl_tensor all = {0};
    if (codes != NULL && take != NULL && is_movement(t, o, code)) {
        return move_codes(t, o, codes, take);
    }
    TS_TRY(take_inputs(t, o));
    if (!t->allow_float && (code == 3 || code == 4 || code == 9)) {
        return TFL_FAIL(TS_DIAG_UNSUPPORTED,
                        "has float weights between integer operators; quantised ones would be right, or "
                        "--allow-float, which computes it in floats");
    }
    TS_TRY(ts__tfl_float_operator(t, o, code));
    TS_TRY(join_leaves(t, o, &all));
    for (uint32_t i = 0; i < o->outputs.count; i++) {
        tfl_tensor *y = ts__tfl_tensor_at(t, o->outputs, i);
        y->leaves = all.leaves;
        y->leaf_count = all.leaf_count;
        y->first = all.first != NULL ? all.first : o->name;
        y->first_op = all.first != NULL ? all.first_op : o->op;
    }
    return TS_OK;
}

/* ---- quantisation ---- */

/* The state of the conversion, with room for the meanings of all float tensors. */
static qdq *converter(tfl *t) {
    uint32_t count = t->real->tensors.count;
    if (t->islands == NULL) {
        t->islands = TS_NEW(t->scratch, struct tfl_islands);
        t->islands->q = (qdq){.arena = t->arena,
                              .scratch = t->scratch,
                              .diags = t->diags,
                              .from = t->real,
                              .graph = t->graph,
                              .allow_float = t->allow_float,
                              .away = true};
    }
    struct tfl_islands *all = t->islands;
    if (all->meaning_count < count) {
        meaning *grown = TS_NEW_ARRAY(t->scratch, meaning, 2 * (size_t)count);
        if (all->meaning_count > 0) {
            memcpy(grown, all->q.meanings, all->meaning_count * sizeof *grown);
        }
        all->q.meanings = grown;
        all->meaning_count = 2 * count;
    }
    return &all->q;
}

/* Its leaves lie in the graph as the file shapes them: a network input may have got another shape since. */
static ts_status know_leaves(tfl *t, const tfl_op *o, const tfl_tensor *x) {
    qdq *q = converter(t);
    for (uint32_t i = 0; i < x->leaf_count; i++) {
        tfl_tensor *leaf = x->leaves[i];
        TS_TRY(ts__tfl_settle(t, o, leaf));
        q->meanings[leaf->real] = (meaning){.kind = REAL,
                                            .tensor = leaf->tensor,
                                            .scale = ts__tfl_scale_of(leaf, 0),
                                            .zero = ts__tfl_zero_of(leaf)};
    }
    return TS_OK;
}

/* Codes dequantised and quantised again. Source: Dequantize and AffineQuantize of TensorFlow Lite's
 * kernels/internal/reference. */
typedef struct requantising {
    float x_scale, y_scale;
    int32_t x_zero, y_zero, low, high;
} requantising;

static int32_t requantised(const void *context, int32_t x) {
    const requantising *r = context;
    float real = (float)(x - r->x_zero) * r->x_scale;
    float code = roundf(real / r->y_scale) + (float)r->y_zero;
    return (int32_t)fminf(fmaxf(code, (float)r->low), (float)r->high);
}

static ts_status quantize_codes(tfl *t, const tfl_op *o, tfl_tensor *x, tfl_tensor *y) {
    const requantising r = {ts__tfl_scale_of(x, 0), ts__tfl_scale_of(y, 0), ts__tfl_zero_of(x),
                            ts__tfl_zero_of(y),     ts__tfl_low(y),         ts__tfl_high(y)};
    TS_TRY(ts__tfl_settle(t, o, x));
    if (x->codes == y->type && r.x_scale == r.y_scale && r.x_zero == r.y_zero) {
        y->tensor = x->tensor;
        return TS_OK;
    }
    tfl_tensor in = *x;
    in.type = x->codes;
    return ts__tfl_add_table(t, o, &in, y, requantised, &r);
}

static ts_status refuse(tfl *t, const tfl_tensor *x, const ts_fnode *at, const char *why) {
    return ts_error(t->diags, TS_DIAG_UNSUPPORTED, at != NULL ? at->name : x->first,
                    at != NULL ? ts_fop_name(at->op) : x->first_op,
                    "stands in floats between integers, which do not compute it: %s", why);
}

ts_status ts__tfl_quantize_floats(tfl *t, const tfl_op *o, tfl_tensor *x, tfl_tensor *y) {
    uint32_t dims[4];
    meaning made;
    const char *why;
    const ts_fnode *at;
    float scale = ts__tfl_scale_of(y, 0);
    if (!ts__tfl_is_8_bits(y) || y->scales.count != 1 || y->zeros.count > 1 || !(scale > 0) ||
        !isfinite(scale) || !ts__tfl_map_dims(y, dims)) {
        return TFL_FAIL(TS_DIAG_UNSUPPORTED, "its result is not a map of int8 or uint8 with one scale");
    }
    if (x->codes != TYPE_FLOAT) {
        return quantize_codes(t, o, x, y);
    }
    TS_TRY(know_leaves(t, o, x));
    const target to = {.scale = scale,
                       .zero = ts__tfl_zero_of(y),
                       .low = ts__tfl_low(y),
                       .high = ts__tfl_high(y),
                       .is_signed = y->type == TYPE_INT8};
    qdq *q = converter(t);
    ts_node_id producer = t->real->tensors.data[x->real].producer;
    if (producer == TS_NONE) {
        return TFL_FAIL(TS_DIAG_UNSUPPORTED, "it quantises a constant");
    }
    q->node = &t->real->nodes.data[producer];
    TS_TRY(ts__qdq_island(q, x->real, &to, &made, &why, &at));
    if (why != NULL) {
        return refuse(t, x, at, why);
    }
    ts_tensor *out = &t->graph->tensors.data[made.tensor];
    if (memcmp(out->dims, dims, sizeof dims) != 0) {
        return TFL_FAIL(TS_DIAG_SHAPE, "its result has another shape than what it reads");
    }
    out->name = *y->name != '\0' ? ts_arena_strdup(t->arena, y->name) : out->name;
    y->tensor = made.tensor;
    return TS_OK;
}

/* ---- the end of the network ---- */

/* Says of each operator before a float output that it is left out. */
static void note_left_out(tfl *t, ts_tensor_id output) {
    uint8_t *wanted = TS_NEW_ARRAY(t->scratch, uint8_t, t->real->tensors.count);
    wanted[output] = 1;
    for (ts_node_id i = t->real->nodes.count; i-- > 0;) {
        const ts_fnode *n = &t->real->nodes.data[i];
        for (uint32_t k = 0; wanted[n->output] && k < n->input_count; k++) {
            wanted[n->inputs[k]] = 1;
        }
    }
    for (ts_node_id i = 0; i < t->real->nodes.count; i++) {
        const ts_fnode *n = &t->real->nodes.data[i];
        if (wanted[n->output]) {
            ts_note(t->diags, TS_DIAG_UNSUPPORTED, n->name, ts_fop_name(n->op),
                    "left out: the network's output is what it reads");
        }
    }
}

ts_status ts__tfl_leave_out(tfl *t, const tfl_op *o, tfl_tensor *x) {
    if (x->codes != TYPE_FLOAT) {
        ts_note(t->diags, TS_DIAG_UNSUPPORTED, x->name, "DEQUANTIZE",
                "left out: the network's output is what it reads");
        return ts__tfl_add_output(t, o, x);
    }
    if (x->leaf_count == 0) {
        return ts__tfl_damaged(t, "an output of the network is made of constants");
    }
    TS_TRY(ts__tfl_take_work(t, o, t->real->nodes.count));
    if (x->real != TS_NONE) { /* otherwise a decoder's */
        note_left_out(t, x->real);
    }
    for (uint32_t i = 0; i < x->leaf_count; i++) {
        TS_TRY(ts__tfl_add_output(t, o, x->leaves[i]));
    }
    return TS_OK;
}
