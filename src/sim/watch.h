/* What watches a run: trace, profile, timeline, checks; private to this room. */
#ifndef TS_SIM_WATCH_H
#define TS_SIM_WATCH_H

#include <stdio.h>

#include "sim/machine.h"

/* Opens a file for writing. TS_SYSTEM with a diagnostic that names it. */
ts_status ts__watch_open(const char *path, FILE **out, ts_diags *diags);

/* timeline.c */
ts_status ts__timeline_new(ts_sim *sim, ts_diags *diags);
void ts__timeline_end(ts_sim *sim); /* the spans of cores that still run */
void ts__timeline_free(ts_sim *sim);

/* check.c */
void ts__check_new(ts_sim *sim);

#endif
