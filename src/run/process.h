/* Other programs: found in the PATH, run in a folder, their output kept. */
#ifndef TS_RUN_PROCESS_H
#define TS_RUN_PROCESS_H

#include <stdbool.h>

#include "base/diag.h"

/* Is there an executable of this name in the PATH (or at this path)? */
bool ts_program_found(ts_arena *arena, const char *name);

/* Runs arguments[0] with the NULL-terminated arguments in `folder` (NULL: here) and waits for it. `output`
 * gets the first 64 KiB of what it printed to both streams; `status` its exit status, or 128 + the signal
 * that ended it. Errors: it cannot be started (TS_SYSTEM). */
ts_status ts_program_run(ts_arena *arena, const char *folder, char *const *arguments, const char **output,
                         int *status, ts_diags *diags);

#endif
