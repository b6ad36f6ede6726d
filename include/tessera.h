/* Tessera as a library: from a float network and data to verified C and a report, for programs that do not
 * want to start a process. Link with -ltessera; docs/library.md has an example.
 *
 * Every call returns the exit status of the command line (docs/cli.md): 0 done and verified, 1 computed but
 * not equal to the reference or the golden, 2 bad usage or bad input, 3 does not fit, 4 a tool or the system
 * failed. Nothing is printed; diagnostics go to the caller's function. All memory is released before a call
 * returns, and files appear whole or not at all. Options may be NULL for the defaults; a field that is zero
 * stands for its default as well, so that `= {0}` and named fields are enough. Calls may be made from several
 * threads, tessera_train() from one at a time; tessera_explore() only where the program has no other threads.
 */
#ifndef TESSERA_H
#define TESSERA_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Gets each diagnostic as one line without a newline; `text` lives during the call. */
typedef void tessera_message(void *user, const char *text);

typedef struct tessera_options {
    const char *target; /* "gap8" (NULL), "host", "cortex-m4" ... or the path of a chip's JSON file */
    uint64_t l1_bytes, l2_bytes; /* that the network may use; 0: what the target leaves */
    uint32_t cores;              /* 0: all */
    const char *golden;          /* folder of inputs and expected layer outputs; NULL: none */
    uint64_t seed;               /* of the random input where there is no golden */
    tessera_message *message;    /* NULL: nobody listens */
    void *user;
    int allow_float; /* operators that stay in floats between quantised ones are computed so */
} tessera_options;

/* A data set: a description (*.json), an array, a folder or an archive of pictures (docs/data.md). */
typedef struct tessera_data {
    const char *path;
    const char *root; /* folder that paths in a description start from; NULL: the description's own */
    uint32_t limit;   /* a seeded subset of so many samples; 0: all */
    uint64_t seed;    /* of the subset; 0: 1 */
} tessera_data;

typedef struct tessera_quantize_options {
    uint32_t weight_bits, activation_bits; /* 2 to 8; 0: 8 */
    int weights_per_layer;                 /* one quantum a layer; 0: one an output channel */
    tessera_data finetune; /* labelled samples to train the quantised network on; path NULL: no training */
    uint32_t epochs;       /* of that training; 0: 4 */
    double rate;           /* of that training; 0: one that the bits ask for */
    tessera_message *message;
    void *user;
} tessera_quantize_options;

typedef struct tessera_train_options {
    uint32_t epochs;  /* 0: 10 */
    uint32_t batch;   /* 0: 32 */
    double rate;      /* 0: 0.001 */
    int keep_weights; /* start from the file's weights; 0: from seeded ones */
    uint64_t seed;    /* 0: 1 */
    tessera_message *message;
    void *user;
} tessera_train_options;

/* What is not known is NaN: shares of right answers where there are labels, the area under the curve for two
 * classes, the mean square error for autoencoders. */
typedef struct tessera_score {
    uint32_t samples;
    double top1, top5, auc, mean_square_error;
    double cycles; /* of one sample, mean, on a simulated target */
} tessera_score;

/* "0.1.0". */
const char *tessera_version(void);

/* Writes the C of the network in the file (or dialect folder) `model` into `folder`. */
int tessera_compile(const char *model, const tessera_options *options, const char *folder);

/* Compiles, builds, executes and compares every layer; the figures (docs/cli.md) are written as JSON to
 * `json` unless that is NULL, also when the outputs differ. */
int tessera_run(const char *model, const tessera_options *options, const char *json);

/* Writes where every byte would lie and how every layer would be cut (docs/plan-json.md) to `json`. */
int tessera_plan(const char *model, const tessera_options *options, const char *json);

/* Writes what is in the network, integer or float, to `json`: layers with shapes, MACs, bytes and bits
 * (docs/library.md). Of the options allow_float and the message are read. */
int tessera_inspect(const char *model, const tessera_options *options, const char *json);

/* The smallest L1 for the L2 of the options, and the smallest L2 for their L1, found by search; targets with
 * one memory have no L1 (*l1_bytes = 0). */
int tessera_smallest(const char *model, const tessera_options *options, uint64_t *l1_bytes,
                     uint64_t *l2_bytes);

/* Quantises the float network `model`, calibrated on `calibration` (limit 0: 256 samples), and writes the
 * integer network to `output`: *.onnx in the NEMO dialect or *.tsg in the text form. */
int tessera_quantize(const char *model, const tessera_data *calibration,
                     const tessera_quantize_options *options, const char *output);

/* Trains the float network `model` on `data` and writes it to `output` as ONNX. */
int tessera_train(const char *model, const tessera_data *data, const tessera_train_options *options,
                  const char *output);

/* How good a float or integer network is on labelled data. With a target in the options the integer network
 * is compiled, run on every sample, and each layer compared with the reference. */
int tessera_evaluate(const char *model, const tessera_data *data, const tessera_options *options,
                     tessera_score *score);

typedef struct tessera_explore_options {
    uint32_t jobs; /* points at once; 0: one a processor */
    tessera_message *message;
    void *user;
    void (*progress)(void *user, uint32_t done, uint32_t of); /* NULL: nobody asks */
} tessera_explore_options;

/* Computes the points of the sweep that the file `description` describes (docs/explore.md), each in a child
 * process, and writes results.json, results.csv and plot.svg into `folder`, with a journal: the same call
 * goes on where an interrupted one was. Points that do not fit are results; 1 where a point differs from the
 * reference, 4 where one could not be computed. To be called before the program has other threads: children
 * are forked. */
int tessera_explore(const char *description, const tessera_explore_options *options, const char *folder);

/* Writes a page (docs/report.md) about the run whose JSON tessera_run() wrote to `html`; with `other`, the
 * JSON of another run, about what changed to that one. Of the options only the message is read. */
int tessera_report(const char *json, const char *other, const tessera_options *options, const char *html);

#ifdef __cplusplus
}
#endif

#endif
