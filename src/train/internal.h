/* Shared by the trainer's files. */
#ifndef TS_TRAIN_INTERNAL_H
#define TS_TRAIN_INTERNAL_H

#include "num/exact.h"
#include "train/train.h"

/* A tensor of the batch, or a constant. */
typedef struct ts__value {
    float *data;
    float *gradient;   /* NULL where nothing behind it is trained */
    uint64_t elements; /* of one sample; all of a constant */
    bool batched;
    bool given; /* gradient holds a term in this backward pass already */
} ts__value;

/* What an operator keeps between its forward and backward pass. */
typedef struct ts__memory {
    struct ts__conv *conv;
    uint32_t *places;        /* MAX_POOL: where each maximum lay in its sample */
    uint32_t *window;        /* pools: scratch, an element a kernel pixel */
    uint32_t *map[2];        /* element-wise: operand's element of each result; NULL: the same */
    float *mean, *deviation; /* BATCH_NORM: of the last pass, by channel; 1 / deviation */
    float *statistics[2];    /* BATCH_NORM: running mean and variance */
    double *sums;            /* BATCH_NORM: scratch, 2 a channel */
    bool by_batch;           /* BATCH_NORM: the last pass was normalised by the batch */
    uint32_t step_param;     /* FAKE_QUANT: index of its parameter */
    ts_exact_shape exact;    /* nodes of exact sums */
    double *room;            /* the same: what ts_exact_conv() works with */
} ts__memory;

struct ts_trainer {
    ts_arena *arena;
    ts_fgraph *graph;
    uint32_t batch;
    ts__value *values;    /* one a tensor */
    ts__memory *memories; /* one a node */
    uint32_t *param_of;   /* by tensor; TS_NONE */
    TS_VEC(ts_param) params;
    float *spare; /* a gradient term on its way to one that holds something */
    uint64_t spare_count;
    bool frozen_norms;
    struct ts__backend *backend;
};

/* A node in a pass, with its operands. */
typedef struct ts__step {
    ts_trainer *t;
    const ts_fnode *node;
    ts__memory *memory;
    const ts_ftensor *in[TS_MAX_INPUTS], *out;
    ts__value *x[TS_MAX_INPUTS], *y;
    bool training;
} ts__step;

/* Memory for a gradient term of operand `k`: the gradient itself, or spare memory that
 * ts__give_gradient() adds to it. NULL where none is wanted. */
float *ts__gradient_room(const ts__step *s, uint32_t k);
void ts__give_gradient(const ts__step *s, uint32_t k, const float *term);

/* Channels of a tensor, and its elements by channels over the batch. */
uint32_t ts__channels(const ts_ftensor *tensor);
uint64_t ts__rows(const ts__step *s);

/* Element-wise operators, FAKE_QUANT and those of two operands (elements.c). */
void ts__unary_forward(const ts__step *s);
void ts__unary_backward(const ts__step *s);
void ts__binary_forward(const ts__step *s);
void ts__binary_backward(const ts__step *s);
void ts__fake_quant_forward(const ts__step *s);
void ts__fake_quant_backward(const ts__step *s);

/* Operators that move elements between places (maps.c). */
void ts__pool_forward(const ts__step *s);
void ts__pool_backward(const ts__step *s);
void ts__concat_forward(const ts__step *s);
void ts__concat_backward(const ts__step *s);
void ts__moved_forward(const ts__step *s);
void ts__moved_backward(const ts__step *s);
void ts__softmax_forward(const ts__step *s);
void ts__softmax_backward(const ts__step *s);

/* Source element of each result element, TS_NONE for padding: PAD, TRANSPOSE (maps.c). */
void ts__find_sources(const ts_fnode *node, const ts_ftensor *x, const ts_ftensor *y, uint32_t *places);
/* Result element of each source element: REDUCE_MEAN. */
void ts__find_sums(const ts_fnode *node, const ts_ftensor *x, uint32_t *places);

/* Sums that stay exact (exact.c): true where the node was computed. */
void ts__exact_prepare(ts_trainer *t, ts_node_id id);
bool ts__exact_forward(const ts__step *s);

void ts__norm_forward(const ts__step *s);
void ts__norm_backward(const ts__step *s);

/* oneDNN (dnnl.c), or nothing (absent.c). */
typedef struct ts__conv_shape {
    uint32_t batch, h, w, c, out_h, out_w, out_c, groups;
    ts_window window;
    bool has_bias, wants_input; /* the gradient of the input is wanted */
} ts__conv_shape;

struct ts__backend *ts__backend_new(ts_arena *arena);
void ts__backend_free(struct ts__backend *backend);
ts_status ts__conv_new(struct ts__backend *backend, ts_arena *arena, const ts__conv_shape *shape,
                       struct ts__conv **out, const ts_fnode *node, ts_diags *diags);
/* Activations channels last, weights {out_c, kh, kw, c / groups}; bias may be NULL as has_bias says. */
void ts__conv_forward(struct ts__conv *conv, const float *x, const float *weights, const float *bias,
                      float *y);
/* dx, dw may be NULL. */
void ts__conv_backward(struct ts__conv *conv, const float *x, const float *weights, const float *dy,
                       float *dx, float *dw, float *db);
/* c {m, n} = alpha op(a) op(b) + beta c, row by row; op(a) is {m, k}, a transposed where trans_a. */
void ts__product(bool trans_a, bool trans_b, uint64_t m, uint64_t n, uint64_t k, float alpha, const float *a,
                 const float *b, float beta, float *c);

/* An error where a label is none of the network's outputs (loop.c). */
ts_status ts__check_labels(const ts_data *data, uint32_t outputs, ts_diags *diags);

/* Mean loss of `samples` outputs, goals and outputs one behind the other (loss.c). */
double ts__goal_loss(const ts_goal *goal, uint32_t samples, const float *y, uint32_t outputs);

/* Checkpoints (checkpoint.c): everything that the next epoch depends on. `stamp` names the task. */
ts_status ts__checkpoint_write(const ts_trainer *t, const char *path, uint64_t stamp, uint32_t epoch,
                               uint64_t step, ts_diags *diags);
/* *epoch is 0 where no file is there. A file of another task is an error. */
ts_status ts__checkpoint_read(ts_trainer *t, const char *path, uint64_t stamp, uint32_t *epoch,
                              uint64_t *step, ts_diags *diags);

#endif
