/* PaQ: a float network pruned, trained, quantised and trained again until it fits into a memory.
 *
 * Source: Grimaldi et al. 2019 (prune/prune.h), the flow of its framework. docs/pruning.md. */
#ifndef TS_PRUNE_FIT_H
#define TS_PRUNE_FIT_H

#include "prune/power.h"
#include "prune/prune.h"

/* What a pruned network needs, other than by equation 1: bytes of `graph` at stage ID, in *bytes. */
typedef struct ts_fit_model {
    ts_status (*need)(void *object, const ts_graph *graph, uint64_t *bytes, ts_diags *diags);
    void *object;
    bool weights_apart; /* as in ts_prune_options */
} ts_fit_model;

typedef struct ts_fit_options {
    uint64_t ram; /* bytes */
    uint32_t bits;
    ts_prune_criterion criterion;
    ts_prune_choice choice;
    ts_train_options pruned;    /* float training after pruning; 0 epochs: none. Its teacher is set here */
    ts_train_options quantised; /* training of the integers; 0 epochs: none. Its teacher is set here */
    uint32_t batch;
    uint32_t calibration;      /* samples of the training set that quanta are chosen on */
    const ts_fit_model *model; /* NULL: equation 1 */
} ts_fit_options;

/* L1 by gain, 8 bits, 4 and 3 epochs of batches of 32, 128 samples. */
ts_fit_options ts_fit_defaults(void);

typedef struct ts_fit {
    ts_prune_memory before, after; /* equation 1's terms */
    uint64_t bytes_before, bytes;  /* by the model that decides */
    uint32_t filters_before, filters;
    uint32_t layer_count; /* layers that have filters that may go */
    const char **layer_names;
    uint32_t *had, *has; /* filters of each */
    uint64_t macs_before, macs;
    double float_accuracy;  /* of the network as it came, on `eval` */
    double pruned_accuracy; /* after pruning and float training */
    double start_accuracy;  /* quantised, before its training */
    double accuracy;        /* of the integers */
    const ts_fgraph *pruned;
    ts_quant *quant;
    ts_graph *integer;
} ts_fit;

/* Fits `graph` into options->ram. `train` and `eval` have labels. Everything in *out is owned by `arena`.
 * Errors: TS_NO_FIT where the smallest network that pruning leads to is too large, with its size; those of
 * training. */
ts_status ts_fit_network(ts_arena *arena, const ts_fgraph *graph, const ts_data *train, const ts_data *eval,
                         const ts_fit_options *options, const ts_progress *progress, const ts_train_log *log,
                         ts_fit *out, ts_diags *diags);

#endif
