/* What the parsers of several verbs share. */
#ifndef TS_CLI_OPTIONS_H
#define TS_CLI_OPTIONS_H

#include <argp.h>

#include "ir/float_graph.h"
#include "quant/data.h"

/* A whole number from 1 to `most`; 0 in `*out` where the text is something else. */
bool ts_cli_parse_count(const char *text, uint32_t most, uint32_t *out);

/* Samples to learn from and samples to measure on. A verb names the data to learn from itself; `given` is the
 * subset of these, and every seed is that of --seed. */
typedef struct ts_cli_samples {
    const char *eval;
    ts_data_options given, measured;
} ts_cli_samples;

/* --eval, --root, --limit, --eval-limit and --seed: a child of the parsers of train, quantize and fit. */
extern const struct argp ts_cli_samples_argp;

/* All samples, seed 1. */
ts_cli_samples ts_cli_samples_defaults(void);

/* Takes an option of a verb: `*known` becomes false where it has no such option; returns false where the text
 * is not what the option takes. `request` is the input of the parser. */
typedef bool ts_cli_value(int key, char *text, void *request, bool *known);

/* Hands an option to the verb; the program ends with a message, as argp does it, where the text is wrong. */
error_t ts_cli_option(int key, char *text, struct argp_state *state, ts_cli_value *value);

/* Keeps the MODEL of a verb that takes one; the program ends with a message at a second. */
error_t ts_cli_model(char *text, struct argp_state *state, const char **model);

/* Reads the float network of quantize, train and fit. Where the file holds integers already, the error says
 * so. */
ts_status ts_cli_read_float(ts_arena *arena, const char *path, ts_fgraph **graph, ts_diags *diags);

/* Before a float network is made that goes to `path` as ONNX: an error where the name says that another kind
 * of file is meant, or where it cannot be written. NULL: none is. */
ts_status ts_cli_may_write_onnx(const char *path, ts_diags *diags);

/* The parser of a verb without options and arguments of its own: --help and --color. */
void ts_cli_parse_none(int argc, char **argv, const char *doc);

#endif
