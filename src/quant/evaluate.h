/* How good a network is on a data set: float, fake-quantised or integer. */
#ifndef TS_QUANT_EVALUATE_H
#define TS_QUANT_EVALUATE_H

#include "quant/data.h"

enum { TS_MAX_CLASSES = 4096 };

/* Figures over `count` samples. Classification wants labels; the AUC is given for two classes, or one
 * output, with labels 0 and 1; the error is that of an autoencoder, against its own input. An autoencoder of
 * more than two outputs with labels 0 and 1 finds anomalies: its AUC is that of the error, and it has no
 * classes. */
typedef struct ts_score {
    uint32_t count, outputs;
    bool has_classes, has_auc, has_error;
    double top1, top5;         /* shares, 0 to 1 */
    double auc;                /* 0 to 1 */
    double mean_square;        /* outputs against inputs, where they have the same number of elements */
    const double *errors;      /* has_error: the same of each sample */
    uint32_t classes;          /* of the confusion matrix */
    const uint32_t *confusion; /* {label, prediction} */
    const float *scores;       /* {count, outputs}: what the network gave */
} ts_score;

typedef struct ts_progress {
    void (*report)(void *object, uint32_t done, uint32_t total); /* NULL: nobody asks */
    void *object;
} ts_progress;

/* Runs the network on every sample. Outputs are those of the first network output. */
ts_status ts_evaluate_float(ts_arena *arena, const ts_fgraph *graph, const ts_data *data,
                            const ts_progress *progress, ts_score *out, ts_diags *diags);

/* What computes an integer network on one sample, instead of the interpreter: `input` in H, W, C order;
 * *output, in `scratch`, gets the elements of the first network output. */
typedef struct ts_machine {
    ts_status (*run)(void *object, ts_arena *scratch, const int32_t *input, const int32_t **output,
                     ts_diags *diags);
    void *object;
} ts_machine;

/* The same for an integer network: the input is rounded to its grid, `input_scale` a step (0: the quantum
 * that the input tensor holds). Scores are the integers. `machine`: NULL for the integer interpreter. */
ts_status ts_evaluate_integer(ts_arena *arena, const ts_graph *graph, double input_scale, const ts_data *data,
                              const ts_machine *machine, const ts_progress *progress, ts_score *out,
                              ts_diags *diags);

/* An input in H, W, C order on the grid of the integer network's input tensor. */
void ts_quantize_input(const ts_tensor *input, double scale, const float *x, int32_t *out);

#endif
