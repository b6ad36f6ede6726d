/* What the terminal is like that a person looks at, and --color. */
#ifndef TS_CLI_TERMINAL_H
#define TS_CLI_TERMINAL_H

#include <argp.h>
#include <stdio.h>

#include "base/table.h"

/* --color: a child of every verb's parser. */
extern const struct argp ts_cli_terminal_argp;
extern const struct argp_child ts_cli_terminal_children[]; /* of a verb that has no other */

/* The screen behind standard output or standard error: the width of a terminal (0 where it is none, or does
 * not say), and colours where --color says so, or is absent and there is a terminal, TERM names one that has
 * colours, and NO_COLOR (no-color.org) is not set. */
ts_screen ts_cli_screen(FILE *stream);

/* Whether TERM says that the terminal knows no control sequences, or nothing. */
bool ts_cli_terminal_is_dumb(void);

/* Prints a table to standard output, as wide and as coloured as that is. */
void ts_cli_show(const ts_table *table);

#endif
