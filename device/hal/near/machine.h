/* The machine beside which a program runs: files and text through the host of the debugger or emulator, or
 * the C library where there is one. Only the program around the network uses it.
 *
 * A platform's platform.h gives
 *   TS_GUARD_BYTES    bytes that the program keeps on both sides of the network's memory and looks at: 0
 * where memory is dear TS_L1_SECTION, TS_L2_SECTION   attributes that place the network's memories */
#ifndef TS_HAL_NEAR_MACHINE_H
#define TS_HAL_NEAR_MACHINE_H

#include <stdint.h>

#include "platform.h"

/* Runs the program; what it returns is the exit status. */
int ts_program(void);

/* Reads a file of exactly `bytes`; 0 when it did. */
int ts_file_read(const char *name, void *to, uint32_t bytes);

/* A file that is written piece by piece; negative: it cannot be. One at a time. */
int32_t ts_file_create(const char *name);
int ts_file_append(int32_t file, const void *from, uint32_t bytes);
void ts_file_close(int32_t file);

void ts_put_text(const char *text);

/* Bytes of stack that were used at most, and that there are; 0 where nobody knows. */
uint32_t ts_stack_used(void);
uint32_t ts_stack_bytes(void);

#endif
