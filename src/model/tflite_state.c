/* Variables of TensorFlow Lite files: what a streaming network keeps from one step to the next. The network
 * here is one step: what a variable holds before it is an input of the network, what it holds behind it an
 * output, and the caller hands the one to the other. */
#include <string.h>

#include "model/tflite_internal.h"

enum { MOST_VARIABLES = 64, SHARED_NAME = 1 };

typedef struct variable {
    const char *name;
    tfl_tensor *before, *value; /* as an input; what it holds now. NULL: not read, nothing */
    bool assigned;
} variable;

struct tfl_variables {
    uint32_t count;
    variable list[MOST_VARIABLES];
};

ts_status ts__tfl_var_handle(tfl *t, const tfl_op *o) {
    const char *name = ts__flat_text(&t->flat, t->arena, o->options, SHARED_NAME);
    tfl_tensor *y;
    TS_TRY(ts__tfl_output_of(t, o, &y));
    if (t->variables == NULL) {
        t->variables = TS_NEW(t->scratch, struct tfl_variables);
    }
    struct tfl_variables *all = t->variables;
    uint32_t i = 0;
    while (i < all->count && strcmp(all->list[i].name, name) != 0) {
        i++;
    }
    if (i == MOST_VARIABLES) {
        return TFL_FAIL(TS_DIAG_LIMIT, "more than %d variables", MOST_VARIABLES);
    }
    all->list[i].name = name;
    all->count += i == all->count;
    y->handle = 1 + i;
    return TS_OK;
}

static ts_status variable_of(tfl *t, const tfl_op *o, variable **out) {
    const tfl_tensor *x = ts__tfl_tensor_at(t, o->inputs, 0);
    if (x == NULL || x->handle == 0) {
        return TFL_FAIL(TS_DIAG_UNSUPPORTED, "its first input is no variable of this network");
    }
    *out = &t->variables->list[x->handle - 1];
    return TS_OK;
}

/* What a variable holds has one quantum and size throughout. */
static ts_status same_kind(tfl *t, const tfl_op *o, const variable *v, const tfl_tensor *x) {
    const tfl_tensor *held = v->value;
    return held == NULL || (held->elements == x->elements && ts__tfl_one_quantum(held, x))
               ? TS_OK
               : TFL_FAIL(TS_DIAG_UNSUPPORTED, "variable '%s' holds tensors of other sizes or quanta",
                          v->name);
}

ts_status ts__tfl_read_variable(tfl *t, const tfl_op *o) {
    variable *v;
    tfl_tensor *y;
    TS_TRY(variable_of(t, o, &v));
    TS_TRY(ts__tfl_output_of(t, o, &y));
    TS_TRY(same_kind(t, o, v, y));
    if (v->value != NULL) {
        y->tensor = v->value->tensor;
        return TS_OK;
    }
    TS_TRY(ts__tfl_new_activation(t, o, y, &y->tensor));
    TS_PUSH(t->arena, &t->graph->inputs, y->tensor);
    v->before = v->value = y;
    return TS_OK;
}

ts_status ts__tfl_assign_variable(tfl *t, const tfl_op *o) {
    variable *v;
    tfl_tensor *x;
    TS_TRY(variable_of(t, o, &v));
    TS_TRY(ts__tfl_map_at(t, o, 1, &x));
    TS_TRY(same_kind(t, o, v, x));
    v->value = x;
    v->assigned = true;
    return TS_OK;
}

/* Its subgraph gives the variables their first values. */
ts_status ts__tfl_call_once(tfl *t, const tfl_op *o) {
    ts_note(t->diags, TS_DIAG_UNSUPPORTED, "CALL_ONCE", NULL,
            "subgraph %lld, which gives variables their first values, is not run: the caller gives them",
            (long long)ts__flat_int(&t->flat, o->options, 0, 4, 0));
    return TS_OK;
}

ts_status ts__tfl_output_variables(tfl *t) {
    for (uint32_t i = 0; t->variables != NULL && i < t->variables->count; i++) {
        variable *v = &t->variables->list[i];
        const tfl_op op = {.op = "ASSIGN_VARIABLE", .name = v->name}, *o = &op;
        if (!v->assigned) {
            if (v->before != NULL) {
                return TFL_FAIL(TS_DIAG_UNSUPPORTED, "variable '%s' is read and never assigned", v->name);
            }
            continue;
        }
        TS_TRY(ts__tfl_add_output(t, o, v->value));
        if (v->before != NULL) {
            ts_note(t->diags, TS_DIAG_UNSUPPORTED, v->name, "variable",
                    "is input '%s', and output '%s' what it holds behind the step; its first value is as a "
                    "rule %d",
                    v->before->name, v->value->name, ts__tfl_zero_of(v->before));
        }
    }
    return TS_OK;
}
