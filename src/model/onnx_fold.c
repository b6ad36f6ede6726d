#include <string.h>

#include "model/onnx.h"

static bool is(const ts_onnx_node *node, const char *op) { return strcmp(node->op, op) == 0; }

bool ts__onnx_is_reshape(const char *op) {
    static const char *const ops[] = {"Reshape", "Flatten", "Squeeze", "Unsqueeze"};
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) {
        if (strcmp(op, ops[i]) == 0) {
            return true;
        }
    }
    return false;
}

static ts_status malformed(ts_onnx *net, const ts_onnx_node *node, const char *what) {
    return ts_error(net->diags, TS_DIAG_MALFORMED, node->name, node->op, "%s", what);
}

static ts_status shape_error(ts_onnx *net, const ts_onnx_node *node, const char *what) {
    return ts_error(net->diags, TS_DIAG_SHAPE, node->name, node->op, "%s", what);
}

/* A list of integers that newer files give as input `input` and older ones as an attribute. */
static ts_status int_list(ts_onnx *net, const ts_onnx_node *node, uint32_t input, const char *attribute,
                          const int64_t **out, uint32_t *count) {
    if (input >= node->input_count || node->inputs[input] == TS_NONE) {
        return ts__onnx_attr_ints(net, node, attribute, out, count);
    }
    const ts_constant *c = ts__onnx_const_input(net, node, input);
    if (c == NULL) {
        return ts_error(net->diags, TS_DIAG_UNSUPPORTED, node->name, node->op,
                        "'%s' is computed by the network; it must be constant", attribute);
    }
    if (c->ints == NULL || c->count > 64) {
        return malformed(net, node, "its list of axes or sizes must be short and whole");
    }
    *out = c->ints;
    *count = (uint32_t)c->count;
    return TS_OK;
}

static ts_status new_dims(ts_onnx *net, const ts_onnx_node *node, const uint32_t *dims, uint32_t rank,
                          uint32_t *out_dims, uint32_t *out_rank) {
    const int64_t *sizes;
    uint32_t count;
    int64_t allow_zero;
    TS_TRY(int_list(net, node, 1, "shape", &sizes, &count));
    TS_TRY(ts__onnx_attr_int(net, node, "allowzero", 0, &allow_zero));
    if (count > TS_MAX_RANK) {
        return shape_error(net, node, "more than 6 dimensions");
    }
    uint64_t elements = 1, known = 1;
    uint32_t open = TS_NONE;
    for (uint32_t i = 0; i < rank; i++) {
        elements *= dims[i];
    }
    for (uint32_t i = 0; i < count; i++) {
        int64_t size = sizes[i];
        if (size == 0 && allow_zero == 0 && i < rank) {
            size = dims[i];
        }
        if (size == -1 && open == TS_NONE) {
            open = i;
            size = 1;
        }
        if (size <= 0 || size > TS_ONNX_MAX_DIM || known * (uint64_t)size > UINT64_C(1) << 40) {
            return shape_error(net, node, "a dimension is zero, negative or absurdly large");
        }
        out_dims[i] = (uint32_t)size;
        known *= (uint64_t)size;
    }
    if (open != TS_NONE && elements % known == 0 && elements / known <= TS_ONNX_MAX_DIM) {
        out_dims[open] = (uint32_t)(elements / known);
        known = elements;
    }
    *out_rank = count;
    return known == elements ? TS_OK : shape_error(net, node, "the number of elements would change");
}

static ts_status flat_dims(ts_onnx *net, const ts_onnx_node *node, const uint32_t *dims, uint32_t rank,
                           uint32_t *out_dims, uint32_t *out_rank) {
    int64_t axis;
    TS_TRY(ts__onnx_attr_int(net, node, "axis", 1, &axis));
    axis += axis < 0 ? (int64_t)rank : 0;
    if (axis < 0 || axis > (int64_t)rank) {
        return shape_error(net, node, "its axis is outside its input's dimensions");
    }
    uint64_t sizes[2] = {1, 1};
    for (uint32_t i = 0; i < rank; i++) {
        sizes[i >= axis] *= dims[i];
    }
    if (sizes[0] > TS_ONNX_MAX_ELEMENTS || sizes[1] > TS_ONNX_MAX_ELEMENTS) {
        return shape_error(net, node, "a dimension becomes absurdly large");
    }
    out_dims[0] = (uint32_t)sizes[0];
    out_dims[1] = (uint32_t)sizes[1];
    *out_rank = 2;
    return TS_OK;
}

/* Sets one bit for each axis of `rank` dimensions. */
static ts_status axis_mask(ts_onnx *net, const ts_onnx_node *node, const int64_t *axes, uint32_t count,
                           uint32_t rank, uint32_t *mask) {
    *mask = 0;
    for (uint32_t i = 0; i < count; i++) {
        int64_t axis = axes[i] < 0 && axes[i] >= -(int64_t)rank ? axes[i] + (int64_t)rank : axes[i];
        if (axis < 0 || axis >= (int64_t)rank || (*mask >> axis & 1) != 0) {
            return shape_error(net, node, "its axes are outside its dimensions or named twice");
        }
        *mask |= 1u << axis;
    }
    return TS_OK;
}

static ts_status squeezed_dims(ts_onnx *net, const ts_onnx_node *node, const uint32_t *dims, uint32_t rank,
                               uint32_t *out_dims, uint32_t *out_rank) {
    const int64_t *axes;
    uint32_t count, mask;
    TS_TRY(int_list(net, node, 1, "axes", &axes, &count));
    TS_TRY(axis_mask(net, node, axes, count, rank, &mask));
    *out_rank = 0;
    for (uint32_t i = 0; i < rank; i++) {
        bool drop = count == 0 ? dims[i] == 1 : (mask >> i & 1) != 0;
        if (drop && dims[i] != 1) {
            return shape_error(net, node, "it would drop a dimension that is not 1");
        }
        if (!drop) {
            out_dims[(*out_rank)++] = dims[i];
        }
    }
    return TS_OK;
}

static ts_status unsqueezed_dims(ts_onnx *net, const ts_onnx_node *node, const uint32_t *dims, uint32_t rank,
                                 uint32_t *out_dims, uint32_t *out_rank) {
    const int64_t *axes;
    uint32_t count, mask, from = 0;
    TS_TRY(int_list(net, node, 1, "axes", &axes, &count));
    if (count > TS_MAX_RANK || rank + count > TS_MAX_RANK) {
        return shape_error(net, node, "more than 6 dimensions");
    }
    *out_rank = rank + count;
    TS_TRY(axis_mask(net, node, axes, count, *out_rank, &mask));
    for (uint32_t i = 0; i < *out_rank; i++) {
        out_dims[i] = (mask >> i & 1) != 0 ? 1 : dims[from++];
    }
    return TS_OK;
}

ts_status ts__onnx_reshape(ts_onnx *net, const ts_onnx_node *node, const uint32_t *dims, uint32_t rank,
                           uint32_t *out_dims, uint32_t *out_rank) {
    if (is(node, "Flatten")) {
        return flat_dims(net, node, dims, rank, out_dims, out_rank);
    }
    if (is(node, "Squeeze")) {
        return squeezed_dims(net, node, dims, rank, out_dims, out_rank);
    }
    if (is(node, "Unsqueeze")) {
        return unsqueezed_dims(net, node, dims, rank, out_dims, out_rank);
    }
    return new_dims(net, node, dims, rank, out_dims, out_rank);
}

static ts_status fold_constant(ts_onnx *net, const ts_onnx_node *node, ts_constant **out) {
    const Onnx__AttributeProto *a;
    if ((a = ts__onnx_attribute(node, "value")) != NULL && a->t != NULL) {
        return ts__constant_decode(net, node, a->t, out);
    }
    if ((a = ts__onnx_attribute(node, "value_int")) != NULL && a->has_i) {
        *out = ts__constant_ints(net->scratch, &a->i, 1, true);
        return TS_OK;
    }
    if ((a = ts__onnx_attribute(node, "value_ints")) != NULL && a->n_ints < TS_ONNX_MAX_DIM) {
        *out = ts__constant_ints(net->scratch, a->ints, (uint32_t)a->n_ints, false);
        return TS_OK;
    }
    if ((a = ts__onnx_attribute(node, "value_float")) != NULL && a->has_f) {
        double value = (double)a->f;
        *out = ts__constant_reals(net->scratch, &value, 1, true);
        return TS_OK;
    }
    if ((a = ts__onnx_attribute(node, "value_floats")) != NULL && a->n_floats < TS_ONNX_MAX_DIM) {
        double *values = TS_NEW_ARRAY(net->scratch, double, a->n_floats);
        for (size_t i = 0; i < a->n_floats; i++) {
            values[i] = (double)a->floats[i];
        }
        *out = ts__constant_reals(net->scratch, values, (uint32_t)a->n_floats, false);
        return TS_OK;
    }
    return ts_error(net->diags, TS_DIAG_UNSUPPORTED, node->name, node->op,
                    "its value is neither a dense tensor nor numbers");
}

static ts_constant *copy_of(ts_onnx *net, const ts_constant *x) {
    return ts_arena_copy(net->scratch, x, sizeof *x);
}

/* Casts change how the numbers are stored, not the numbers; reals become integers by truncation. */
static ts_status fold_cast(ts_onnx *net, const ts_onnx_node *node, const ts_constant *x, ts_constant **out) {
    int64_t to;
    TS_TRY(ts__onnx_attr_int(net, node, "to", ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT, &to));
    bool real = to == ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT || to == ONNX__TENSOR_PROTO__DATA_TYPE__DOUBLE ||
                to == ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT16;
    *out = copy_of(net, x);
    (*out)->integer_type = !real;
    if (real || x->ints != NULL) {
        return TS_OK;
    }
    TS_TRY(ts__onnx_work(net, node, x->count));
    int64_t *ints = TS_NEW_ARRAY(net->scratch, int64_t, x->count);
    for (uint64_t i = 0; i < x->count; i++) {
        if (!(x->reals[i] > -4e18 && x->reals[i] < 4e18)) {
            return malformed(net, node, "a constant is not finite or does not fit an integer");
        }
        ints[i] = (int64_t)x->reals[i];
    }
    (*out)->ints = ints;
    (*out)->reals = NULL;
    return TS_OK;
}

static ts_status fold_transpose(ts_onnx *net, const ts_onnx_node *node, const ts_constant *x,
                                ts_constant **out) {
    const int64_t *perm;
    uint32_t count, seen = 0, strides[TS_MAX_RANK] = {0};
    TS_TRY(ts__onnx_attr_ints(net, node, "perm", &perm, &count));
    if (count != 0 && count != x->rank) {
        return shape_error(net, node, "its permutation does not fit its input");
    }
    TS_TRY(ts__onnx_work(net, node, x->count));
    ts_constant *y = *out = copy_of(net, x);
    for (uint32_t i = 0; i < x->rank; i++) {
        int64_t from = count == 0 ? (int64_t)x->rank - 1 - i : perm[i];
        if (from < 0 || from >= (int64_t)x->rank || (seen >> from & 1) != 0) {
            return shape_error(net, node, "its permutation does not fit its input");
        }
        seen |= 1u << from;
        y->dims[i] = x->dims[from];
        strides[i] = 1;
        for (uint32_t k = (uint32_t)from + 1; k < x->rank; k++) {
            strides[i] *= x->dims[k];
        }
    }
    int64_t *ints = x->ints == NULL ? NULL : TS_NEW_ARRAY(net->scratch, int64_t, x->count);
    double *reals = x->ints != NULL ? NULL : TS_NEW_ARRAY(net->scratch, double, x->count);
    for (uint64_t i = 0; i < x->count; i++) {
        uint64_t rest = i, from = 0;
        for (uint32_t k = y->rank; k-- > 0;) {
            from += rest % y->dims[k] * strides[k];
            rest /= y->dims[k];
        }
        if (ints != NULL) {
            ints[i] = x->ints[from];
        } else {
            reals[i] = x->reals[from];
        }
    }
    y->ints = ints;
    y->reals = reals;
    return TS_OK;
}

/* Shape arithmetic that exporters leave in the graph: x.view(x.size(0), -1) and the like. */
static ts_status fold_shape(ts_onnx *net, const ts_onnx_node *node, ts_constant **out) {
    const ts_onnx_value *value = &net->values.data[node->inputs[0]];
    const uint32_t *dims = value->constant != NULL ? value->constant->dims : value->meaning->view.dims;
    uint32_t rank = value->constant != NULL ? value->constant->rank : value->meaning->view.rank;
    int64_t sizes[TS_MAX_RANK] = {0};
    for (uint32_t i = 0; i < rank; i++) {
        sizes[i] = dims[i];
    }
    *out = ts__constant_ints(net->scratch, sizes, rank, false);
    return TS_OK;
}

static ts_status fold_gather(ts_onnx *net, const ts_onnx_node *node, const ts_constant *x,
                             const ts_constant *index, ts_constant **out) {
    int64_t axis;
    TS_TRY(ts__onnx_attr_int(net, node, "axis", 0, &axis));
    if (x->rank != 1 || x->ints == NULL || index->ints == NULL || (axis != 0 && axis != -1) ||
        index->count > 64) {
        return ts_error(net->diags, TS_DIAG_UNSUPPORTED, node->name, node->op,
                        "of constants, only short lists of whole numbers are gathered from");
    }
    int64_t values[64];
    for (uint64_t i = 0; i < index->count; i++) {
        int64_t k = index->ints[i] < 0 ? index->ints[i] + (int64_t)x->count : index->ints[i];
        if (k < 0 || k >= (int64_t)x->count) {
            return malformed(net, node, "an index is outside its list");
        }
        values[i] = x->ints[k];
    }
    *out = ts__constant_ints(net->scratch, values, (uint32_t)index->count, index->rank == 0);
    return TS_OK;
}

static ts_status fold_concat(ts_onnx *net, const ts_onnx_node *node, ts_constant **out) {
    int64_t values[64];
    uint32_t count = 0;
    for (uint32_t i = 0; i < node->input_count; i++) {
        const ts_constant *x = ts__onnx_const_input(net, node, i);
        if (x == NULL || x->rank != 1 || x->ints == NULL || x->count > 64 - count) {
            return ts_error(net->diags, TS_DIAG_UNSUPPORTED, node->name, node->op,
                            "of constants, only short lists of whole numbers are joined");
        }
        memcpy(values + count, x->ints, x->count * sizeof *values);
        count += (uint32_t)x->count;
    }
    *out = ts__constant_ints(net->scratch, values, count, false);
    return TS_OK;
}

static bool combine(const char *op, int64_t a, int64_t b, int64_t *out) {
    if (strcmp(op, "Mul") == 0) {
        return !__builtin_mul_overflow(a, b, out);
    }
    if (strcmp(op, "Add") == 0) {
        return !__builtin_add_overflow(a, b, out);
    }
    if (strcmp(op, "Sub") == 0) {
        return !__builtin_sub_overflow(a, b, out);
    }
    if (b == 0 || (b == -1 && a == INT64_MIN) || a % b != 0) {
        return false;
    }
    *out = a / b;
    return true;
}

/* Arithmetic on constants of one shape, or with one number. */
static ts_status fold_arithmetic(ts_onnx *net, const ts_onnx_node *node, ts_constant **out) {
    const ts_constant *a = ts__onnx_const_input(net, node, 0), *b = ts__onnx_const_input(net, node, 1);
    const ts_constant *big = b->count > a->count ? b : a;
    bool fits = a->count == 1 || b->count == 1 ||
                (a->rank == b->rank && memcmp(a->dims, b->dims, sizeof a->dims) == 0);
    if (!fits || a->ints == NULL || b->ints == NULL || a->count == 0 || b->count == 0) {
        return ts_error(net->diags, TS_DIAG_UNSUPPORTED, node->name, node->op,
                        "arithmetic between constants is served for whole numbers of one shape");
    }
    TS_TRY(ts__onnx_work(net, node, big->count));
    int64_t *values = TS_NEW_ARRAY(net->scratch, int64_t, big->count);
    for (uint64_t i = 0; i < big->count; i++) {
        if (!combine(node->op, a->ints[a->count == 1 ? 0 : i], b->ints[b->count == 1 ? 0 : i], &values[i])) {
            return ts_error(net->diags, TS_DIAG_VALUE, node->name, node->op,
                            "the result of two constants is not whole or passes 63 bits");
        }
    }
    *out = copy_of(net, big);
    (*out)->integer_type = a->integer_type && b->integer_type;
    (*out)->ints = values;
    return TS_OK;
}

static ts_status fold_reshape(ts_onnx *net, const ts_onnx_node *node, const ts_constant *x,
                              ts_constant **out) {
    *out = copy_of(net, x);
    return ts__onnx_reshape(net, node, x->dims, x->rank, (*out)->dims, &(*out)->rank);
}

static bool all_constant(const ts_onnx *net, const ts_onnx_node *node) {
    for (uint32_t i = 0; i < node->input_count; i++) {
        if (node->inputs[i] != TS_NONE && ts__onnx_const_input(net, node, i) == NULL) {
            return false;
        }
    }
    return true;
}

static bool is_arithmetic(const ts_onnx_node *node) {
    return is(node, "Mul") || is(node, "Add") || is(node, "Sub") || is(node, "Div");
}

static bool has_shape(const ts_meaning *x) { return !x->tail && !x->padded; }

ts_status ts__onnx_fold(ts_onnx *net, const ts_onnx_node *node, bool *folded) {
    ts_constant *y = NULL;
    const ts_constant *x = ts__onnx_const_input(net, node, 0);
    *folded = true;
    if (is(node, "Constant")) {
        TS_TRY(fold_constant(net, node, &y));
    } else if (is(node, "Shape") && node->input_count == 1 && node->inputs[0] != TS_NONE &&
               (x != NULL || has_shape(net->values.data[node->inputs[0]].meaning))) {
        TS_TRY(fold_shape(net, node, &y));
    } else if (x == NULL || !all_constant(net, node)) {
        *folded = false;
        return TS_OK;
    } else if (is(node, "Identity")) {
        y = copy_of(net, x);
    } else if (is(node, "Cast")) {
        TS_TRY(fold_cast(net, node, x, &y));
    } else if (ts__onnx_is_reshape(node->op)) {
        TS_TRY(fold_reshape(net, node, x, &y));
    } else if (is(node, "Transpose")) {
        TS_TRY(fold_transpose(net, node, x, &y));
    } else if (is(node, "Gather") && ts__onnx_const_input(net, node, 1) != NULL) {
        TS_TRY(fold_gather(net, node, x, ts__onnx_const_input(net, node, 1), &y));
    } else if (is(node, "Concat")) {
        TS_TRY(fold_concat(net, node, &y));
    } else if (is_arithmetic(node) && ts__onnx_const_input(net, node, 1) != NULL) {
        TS_TRY(fold_arithmetic(net, node, &y));
    } else {
        return ts_error(net->diags, TS_DIAG_UNSUPPORTED, node->name, node->op,
                        "this operator is not computed on constants");
    }
    if (node->output_count > 0 && node->outputs[0] != TS_NONE) {
        net->values.data[node->outputs[0]].constant = y;
    }
    return TS_OK;
}
