/* Kinds of `tessera generate` that are for training: data and float networks. */
#ifndef TS_CLI_GENERATE_TRAINING_H
#define TS_CLI_GENERATE_TRAINING_H

#include <stdbool.h>
#include <stdio.h>

/* Whether an argument of the command line is one of these kinds. */
bool ts_cli_generates_training(int argc, char **argv);

/* `tessera generate` for them; an exit status. */
int ts_cli_generate_training(int argc, char **argv);

/* Lists the kinds, a line each. */
void ts_cli_list_training(FILE *out);

#endif
