/* Training: gradients of a float graph, optimisers, and the loop over a data set.
 *
 * A trainer computes a float graph (ir/float_graph.h) on a batch of samples, forward and backward. Constants
 * that weigh activations become parameters: weights and biases of CONV, GEMM and MATMUL, scale and shift of
 * BATCH_NORM, constants that ADD puts on an activation, and the step of each FAKE_QUANT. A parameter has a
 * `value`, which the optimiser moves, and an `image`, which the network computes with: the value itself, or
 * what a hook makes of it (rounded, masked, scaled weights).
 *
 * Convolutions and products are oneDNN's; without it every function but ts_train_available() still links and
 * ts_trainer_new() is an error. The same seed gives the same bits with one thread on the same kind of
 * processor. It knows nothing of integers: src/train/finetune.h does. */
#ifndef TS_TRAIN_TRAIN_H
#define TS_TRAIN_TRAIN_H

#include "quant/data.h"
#include "quant/evaluate.h"

typedef struct ts_trainer ts_trainer;

/* Whether this build has oneDNN. */
bool ts_train_available(void);

/* Threads that oneDNN computes with from now on (one at first); with more than one, results depend on their
 * number. */
void ts_train_threads(uint32_t count);

/* STEP: logarithm of a FAKE_QUANT's scale. EXTRA: added by ts_trainer_add_param(). */
typedef enum ts_param_kind {
    TS_PARAM_WEIGHTS,
    TS_PARAM_BIAS,
    TS_PARAM_GAIN,
    TS_PARAM_SHIFT,
    TS_PARAM_STEP,
    TS_PARAM_EXTRA
} ts_param_kind;

typedef struct ts_param {
    const char *name;
    ts_param_kind kind;
    ts_node_id node;     /* the first that reads it; TS_NONE: EXTRA */
    ts_tensor_id tensor; /* TS_NONE: STEP, EXTRA */
    uint64_t count;
    float *value, *image; /* the same memory unless ts_trainer_split() gave the image its own */
    float
        *gradient; /* of the loss by the image after ts_trainer_backward(); hooks make it that by the value */
    float *moment[2]; /* the optimiser's */
    double rate;      /* times the learning rate; 1 at first, 0 freezes */
    bool decays;      /* weight decay; at first true for WEIGHTS alone */
} ts_param;

/* Makes a trainer for batches of `batch` samples, in `arena`. The graph is copied; its constants are the
 * first values. Errors: an operator without a gradient, a constant product of two activations with a batch
 * inside, no oneDNN. Release with ts_trainer_free() before the arena. */
ts_status ts_trainer_new(ts_arena *arena, const ts_fgraph *graph, uint32_t batch, ts_trainer **out,
                         ts_diags *diags);
void ts_trainer_free(ts_trainer *trainer);

/* The trainer's own graph, N = 1. Attributes of FAKE_QUANT nodes (low, high, offset) may be changed between
 * passes; scale follows the STEP parameter at the start of each ts_trainer_forward(), unless
 * that parameter is frozen. */
ts_fgraph *ts_trainer_graph(ts_trainer *trainer);

uint32_t ts_trainer_batch(const ts_trainer *trainer);

/* All parameters; the array moves when one is added. */
ts_param *ts_trainer_params(ts_trainer *trainer, uint32_t *count);

/* The parameter that a tensor or a FAKE_QUANT node is, or NULL. */
ts_param *ts_trainer_param_of(ts_trainer *trainer, ts_tensor_id tensor);
ts_param *ts_trainer_step_of(ts_trainer *trainer, ts_node_id node);

/* Adds `count` numbers that the optimiser moves by a gradient which a hook computes. Returns the index. */
uint32_t ts_trainer_add_param(ts_trainer *trainer, const char *name, uint64_t count, const float *initial);

/* Gives a parameter an image of its own, at first a copy. */
void ts_trainer_split(ts_trainer *trainer, ts_param *param);

/* Draws weights from a normal distribution of variance 2 / fan-in (He et al. 2015, equation 10), biases and
 * shifts 0, gains 1, statistics 0 and 1. */
void ts_trainer_initialise(ts_trainer *trainer, uint64_t seed);

/* Where the caller puts the batch's inputs: `batch` samples in the order of the graph's input tensor. */
float *ts_trainer_input(ts_trainer *trainer);

/* Computes the batch. `training`: BATCH_NORM normalises by the batch and updates its statistics, unless they
 * are frozen. */
void ts_trainer_forward(ts_trainer *trainer, bool training);

/* Freezes or thaws the statistics of all BATCH_NORM nodes (thawed at first). */
void ts_trainer_freeze_norms(ts_trainer *trainer, bool frozen);

/* A tensor after ts_trainer_forward(): `batch` samples, or the constant's image. */
const float *ts_trainer_value(const ts_trainer *trainer, ts_tensor_id tensor);

/* The gradient of the loss by a tensor after ts_trainer_backward(); NULL where none is computed. */
const float *ts_trainer_gradient(const ts_trainer *trainer, ts_tensor_id tensor);

/* The tensor that the loss looks at: the graph's first output, before a last softmax or its logarithm.
 */
ts_tensor_id ts_trainer_logits(const ts_trainer *trainer, uint32_t *count);

/* What outputs ought to be. Classes: (1 - share) of the cross entropy with labels, share of the divergence
 * from a teacher at a temperature T, times T^2 (Hinton et al. 2015, section 2). Values: mean square error.
 * NULL where it has none. */
typedef struct ts_goal {
    const int32_t *labels; /* batch */
    const float *teacher;  /* {batch, outputs}: logits */
    const float *values;   /* {batch, outputs} */
    double share, temperature;
} ts_goal;

/* Mean loss over the batch; sets the gradient that ts_trainer_backward() starts from. *right, where not NULL,
 * is the number of samples whose largest output is the label's. */
double ts_trainer_loss(ts_trainer *trainer, const ts_goal *target, uint32_t *right);

/* Gradients of all parameters and of every tensor behind one, for the last ts_trainer_loss(). */
void ts_trainer_backward(ts_trainer *trainer);

/* A new float graph with the values trained so far (images where `images`), owned by `arena`. */
ts_fgraph *ts_trainer_export(const ts_trainer *trainer, ts_arena *arena, bool images);

typedef enum ts_optimiser { TS_OPTIMISER_SGD, TS_OPTIMISER_ADAM } ts_optimiser;
typedef enum ts_schedule { TS_SCHEDULE_CONSTANT, TS_SCHEDULE_STEP, TS_SCHEDULE_COSINE } ts_schedule;

typedef struct ts_train_options {
    uint32_t epochs;
    ts_optimiser optimiser;
    double rate;     /* learning rate at the start */
    double momentum; /* SGD: momentum; ADAM: decay of the first moment */
    double decay;    /* weight decay: SGD by the gradient, ADAM decoupled */
    ts_schedule schedule;
    uint32_t step_epochs; /* STEP: the rate falls by step_factor every so many epochs */
    double step_factor;
    double warm_up;       /* share of the training over which the rate rises from 0 */
    uint32_t norm_epochs; /* BATCH_NORM nodes follow the batch so many epochs, then keep their statistics */
    bool flip;            /* pictures: mirrored at random */
    uint32_t shift;       /* pictures: moved by up to so many rows and columns, edges held */
    uint64_t seed;
    const ts_fgraph *teacher; /* NULL: labels alone. Same input and outputs as the trained graph */
    double share, temperature;
    const char *checkpoint; /* file, written after each epoch; NULL: none */
    bool resume;            /* go on from the checkpoint if it is there */
} ts_train_options;

/* Adam, 1e-3, cosine, 10 epochs, batch norms follow the batch in all of them, seed 1. */
ts_train_options ts_train_defaults(void);

/* Called at the named moments; any may be NULL. */
typedef struct ts_train_hooks {
    void *object;
    void (*project)(void *object, ts_trainer *trainer);   /* before a forward pass: makes the images */
    void (*pull_back)(void *object, ts_trainer *trainer); /* after a backward pass: gradients by the values */
    void (*stepped)(void *object, ts_trainer *trainer);   /* after the optimiser moved the values */
    void (*epoch)(void *object, ts_trainer *trainer, uint32_t epoch); /* after an epoch's last step */
    void (*start)(void *object, ts_trainer *trainer); /* before the first epoch, unless it goes on from one */
} ts_train_hooks;

typedef struct ts_epoch {
    uint32_t epoch; /* 1 is the first */
    double loss, rate, seconds;
    double right; /* share of the training samples, as they were augmented; labels only */
} ts_epoch;

typedef struct ts_train_log {
    void (*report)(void *object, const ts_epoch *epoch);
    void *object;
} ts_train_log;

/* Moves the values once by their gradients; `step` counts from 1. */
void ts_trainer_step(ts_trainer *trainer, const ts_train_options *options, double rate, uint64_t step);

/* Trains on all samples: labels where the set has them and the teacher where options have one; neither: the
 * outputs ought to equal the inputs. `hooks`, `progress`, `log` may be NULL. Each epoch sees the samples in a
 * new order; those that do not fill a last batch are left out of it. */
ts_status ts_train(ts_trainer *trainer, const ts_data *data, const ts_train_options *options,
                   const ts_train_hooks *hooks, const ts_progress *progress, const ts_train_log *log,
                   ts_diags *diags);

/* Sums the gradients of the labels' loss over the first `batches` batches of a labelled set, statistics
 * frozen, into the parameters' gradients. */
ts_status ts_trainer_gradients(ts_trainer *trainer, const ts_data *data, uint32_t batches, ts_diags *diags);

/* Outputs before a last softmax of the first `count` samples, in order, as the network computes with its
 * images now: out[count][outputs]. Samples do not fill the last batch alone. */
ts_status ts_trainer_outputs(ts_trainer *trainer, const ts_data *data, uint32_t count, float *out,
                             ts_diags *diags);

/* Share of the samples whose largest output is the label's, as the network computes with its images now. */
ts_status ts_trainer_accuracy(ts_trainer *trainer, const ts_data *data, const ts_train_hooks *hooks,
                              double *out, ts_diags *diags);

#endif
