/* What the terminal is like that a person looks at. */
#ifndef TS_CLI_TERMINAL_H
#define TS_CLI_TERMINAL_H

#include <stdint.h>

/* Columns of the terminal that standard output goes to; 0 where it is none, or does not say. */
uint32_t ts_cli_terminal_width(void);

#endif
