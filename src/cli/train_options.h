/* What train and quantize --finetune have in common: optimiser, schedule, augmentation, checkpoint. */
#ifndef TS_CLI_TRAIN_OPTIONS_H
#define TS_CLI_TRAIN_OPTIONS_H

#include <argp.h>

#include "train/train.h"

typedef struct ts_cli_train {
    ts_train_options train;
    uint32_t batch, threads;
    bool given; /* an option that only training reads */
} ts_cli_train;

extern const struct argp ts_cli_train_argp;

/* The defaults of ts_train_defaults(), batches of 32, one thread. */
ts_cli_train ts_cli_train_defaults(void);

/* Prints an epoch as one line: its number, loss, share of right answers, rate and seconds. */
void ts_cli_print_epoch(void *unused, const ts_epoch *epoch);

#endif
