/* A progress bar on a terminal, nothing where standard error is piped or the terminal is a dumb one. */
#ifndef TS_CLI_PROGRESS_H
#define TS_CLI_PROGRESS_H

#include <stdint.h>

/* Draws `done` of `total`; `label` (a const char *) stands before the bar. The last call erases it. */
void ts_cli_progress(void *label, uint32_t done, uint32_t total);

#endif
