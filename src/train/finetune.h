/* Fine-tuning of a quantised network: PACT and straight-through estimation.
 *
 * The forward pass is the network at stage FQ with the very numbers that will be deployed: weights rounded to
 * their grid, quanta that kappa admits, activations on their grids. The backward pass goes straight through
 * the roundings. Trained are weights, biases, the clips of activations (their steps), the quanta of weights,
 * and scale and shift of the batch norms that came behind linear layers. These follow the batch for
 * `train.norm_epochs`, and keep their statistics then; the layer deploys with what they have become. */
#ifndef TS_TRAIN_FINETUNE_H
#define TS_TRAIN_FINETUNE_H

#include "quant/quantize.h"
#include "train/train.h"

typedef struct ts_finetune_options {
    ts_train_options train; /* its teacher is not used: see `distil` */
    uint32_t batch;
    double distil; /* share of the loss that is the distance to the float network; 1: no labels are needed */
    const ts_fgraph *teacher; /* NULL: the float network that `quant` was made from */
    ts_qnet *floats;  /* the net of `quant`, to be given the trained weights and biases; NULL: it stays */
    bool fixed_steps; /* clips and quanta stay as calibration chose them */
} ts_finetune_options;

/* Adam, cosine after a tenth of warming up, 4 epochs of batches of 32, half of the loss distilled, statistics
 * of batch norms frozen. A rate of 0, the default, is one by the narrowest width of a layer, relative to the
 * size of weights: 1e-4 at 8 bits, 5e-4 at 4 to 7, 1e-3 at 2 and 3. */
ts_finetune_options ts_finetune_defaults(void);

/* Trains the network that `quant` describes, from what it is now, and leaves the result in it: integers of
 * weights, steps, biases, settled. Every tenth sample is kept from training and judges: the epoch with the
 * least loss on these is the result, or the network as it was, whose epoch is 0. *best, where not NULL, is
 * that epoch. Errors: those of ts_train() and ts_trainer_new(). */
ts_status ts_quant_finetune(ts_quant *quant, const ts_data *data, const ts_finetune_options *options,
                            const ts_progress *progress, const ts_train_log *log, uint32_t *best,
                            ts_diags *diags);

#endif
