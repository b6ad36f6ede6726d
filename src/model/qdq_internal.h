/* Inside the importer of quantised float networks: meanings of tensors (qdq.c), what floats make of codes
 * between quantisations (qdq_float.c), and layers on maps of floats (qdq_layers.c). */
#ifndef TS_MODEL_QDQ_INTERNAL_H
#define TS_MODEL_QDQ_INTERNAL_H

#include "model/qdq.h"

enum { MAX_CHAIN = 4, CODES_COUNT = 256 };

typedef enum meaning_kind {
    NOTHING, /* not computed: behind the float tail, or of no use */
    CODES,   /* integers in a tensor of the graph */
    REAL,    /* these times their quantum */
    CONST_CODES,
    CONST_REAL, /* constant, with or without a quantum */
    INPUT,      /* the network's input, perhaps reshaped */
    PENDING,    /* what `node` makes of REAL operands, in floats */
    TAIL        /* floats over the tensor (TS_NONE: over no single one) that nothing has quantised */
} meaning_kind;

typedef struct meaning {
    meaning_kind kind;
    ts_tensor_id tensor; /* CODES, REAL, TAIL */
    float scale;         /* CODES (once read), REAL */
    int32_t zero;
    uint32_t dims[4]; /* of the graph's tensor as the file shapes it, {1, H, W, C} */
    /* CONST_CODES, CONST_REAL: elements as floats, with the quantum of each along `axis`; no scale: plain */
    const float *data, *scales, *zeros;
    uint32_t count, scale_count, axis, rank, file_dims[TS_MAX_RANK];
    /* PENDING: the operator, what bounds follow it, or a chain of functions of one element */
    const ts_fnode *node;
    float low, high;
    const ts_fnode *chain[MAX_CHAIN];
    uint32_t chain_count;
    /* TAIL: its first operator is `node`, NULL where it is the accumulator of the layer `bare`; why it stays
     * in floats behind a quantisation, NULL before one */
    const ts_fnode *bare;
    const char *why;
} meaning;

/* The quantum that the present QuantizeLinear writes. */
typedef struct target {
    float scale;
    int32_t zero, low, high; /* bounds may be narrower than the type's */
    bool is_signed;
    bool bare;   /* no codes: the accumulator of 32 bits is wanted, in its own units */
    bool floats; /* no codes: the floats themselves are wanted */
} target;

typedef struct qdq {
    ts_arena *arena, *scratch;
    ts_diags *diags;
    const ts_fgraph *from;
    ts_graph *graph;
    meaning *meanings;          /* one a tensor of `from` */
    struct qdq_reader *readers; /* the same: how many read it, and the last of them; NULL: not counted */
    const ts_fnode *node;
    bool allow_float;
    bool away;                /* quantisations round halves away from zero; otherwise to even */
    struct qdq_value *values; /* one a tensor of `from`: what floats make (qdq_float.c); NULL at first */
    ts_tensor_id *floats;     /* beside the values: maps of floats that hold these tensors, or TS_NONE */
    uint32_t value_count;     /* of them there is room for */
    uint32_t float_depth;     /* islands and layers that wait for what they read */
    uint32_t island;          /* the island that the values are of */
    uint64_t island_work;     /* tables that islands have made */
    uint32_t beside;          /* steps of requantisations that are one accumulator beside the float ones */
} qdq;

#define FAIL(q, code, ...) \
    ts_error((q)->diags, (code), (q)->node->name, ts_fop_name((q)->node->op), __VA_ARGS__)

const ts_ftensor *ts__qdq_ftensor(const qdq *q, ts_tensor_id id);

meaning ts__qdq_meaning_of(qdq *q, ts_tensor_id id);
bool ts__qdq_is_constant(const meaning *m);

/* Element i of a constant. */
float ts__qdq_real_at(const meaning *m, uint32_t i);

/* {1, H, W, C} with the dimensions at the right end; false where there are more, or a batch. */
bool ts__qdq_map_dims(const ts_ftensor *t, uint32_t dims[4]);

/* Does a transposition keep the order of the elements? */
bool ts__qdq_order_stays(const ts_ftensor *x, const ts_fnode *n);

/* The quantum and type of codes or floats that only move. */
target ts__qdq_own_quantum(const meaning *x, const ts_tensor *t);

ts_node ts__qdq_new_node(qdq *q, const ts_fnode *n, ts_op op, ts_tensor_id input);

/* Adds the node and its output of `dims`. */
meaning ts__qdq_finish(qdq *q, ts_node *node, const uint32_t dims[4], const target *y);

/* x repeated to `dims`, for node `n`. */
ts_status ts__qdq_broadcast(qdq *q, const ts_fnode *n, const uint32_t dims[4], meaning *x);

/* y = table[x]: `reals` of each code from the type's lowest on, quantised. */
meaning ts__qdq_add_table(qdq *q, const ts_fnode *n, const meaning *x, const float *reals, const target *y);

/* Adds a movement of codes or floats; the result keeps their quantum. */
ts_status ts__qdq_move(qdq *q, const ts_fnode *n, const meaning *x, meaning *out);

/* It computes on maps of floats, as no program does: layers, poolings, movements that move. */
bool ts__qdq_is_layer(const qdq *q, const ts_fnode *n);

/* Adds the node of such an operator; `inputs` are maps of floats, TS_NONE for constants. Where it cannot be,
 * *why says why. */
ts_status ts__qdq_float_layer(qdq *q, const ts_fnode *n, const ts_tensor_id *inputs, meaning *out,
                              const char **why);

/* Codes of the tensor `id`, which floats make of codes: a table where it is a function of one element of one
 * tensor; else FLOAT nodes, with layers between them, where floats are allowed. Else *out is left, `why` says
 * what stands in the way, and `at` is the operator that does, or NULL. */
ts_status ts__qdq_island(qdq *q, ts_tensor_id id, const target *y, meaning *out, const char **why,
                         const ts_fnode **at);

#endif
