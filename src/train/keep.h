/* The best epoch of a training, judged by samples that are kept from it. */
#ifndef TS_TRAIN_KEEP_H
#define TS_TRAIN_KEEP_H

#include "train/train.h"

/* Parameters and statistics of batch norms as they were at the least loss on the held samples. They are
 * parameters of the trainer themselves, which no optimiser moves, so that a checkpoint holds them. */
typedef struct ts__keeper {
    ts_trainer *trainer;
    ts_arena *arena;
    ts_data held;
    const ts_train_options *options;
    const ts_train_hooks *hooks; /* project() makes the images that are judged */
    float *outputs, *teacher;    /* of the held samples; teacher NULL: labels alone */
    bool autoencoder;            /* as many outputs as inputs: without labels their distance is the loss */
    uint32_t first, count;       /* parameters that are kept, and the first of their copies */
    uint32_t statistics;         /* the first copy of a batch norm's statistics */
    uint32_t record;             /* parameter {loss, epoch} of the best */
} ts__keeper;

/* Parts every tenth sample, 2048 at most, from the others, which *train becomes; where there are not 200, all
 * judge and all train. Takes the parameters that the trainer has now. `teacher` as in the options. */
ts_status ts__keeper_new(ts_arena *arena, ts_trainer *trainer, const ts_data *data,
                         const ts_train_options *options, const ts_train_hooks *hooks, ts__keeper *out,
                         ts_data *train, ts_diags *diags);

/* Keeps the parameters as they are after an epoch (0: before the first) if the loss is the least so far. */
ts_status ts__keeper_judge(ts__keeper *keeper, uint32_t epoch, ts_diags *diags);

/* Gives the trainer the parameters of the best epoch; *epoch is which it was. */
void ts__keeper_restore(const ts__keeper *keeper, uint32_t *epoch);

#endif
