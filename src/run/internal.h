/* What the files of the run room share. */
#ifndef TS_RUN_INTERNAL_H
#define TS_RUN_INTERNAL_H

#include "base/embed.h"
#include "run/execute.h"

/* The first lines of what a tool said, one note each. */
void ts__note_lines(ts_arena *arena, const char *output, ts_diags *diags);

/* Takes the outputs of all layers out of the file that a program wrote. */
ts_status ts__take_outputs(ts_arena *arena, const char *path, ts_execution *execution, ts_diags *diags);

/* Is a program of this name installed? TS_SYSTEM, naming Debian's package, where not. */
ts_status ts__need_program(ts_arena *arena, const char *name, const char *package, ts_diags *diags);

/* Chips with one core and at most two levels of memory: hal/near. */
bool ts__is_near(const ts_target *target);

/* count_plugin.c, built: "count.so". */
extern const ts_embedded ts__embedded_plugin[];

#endif
