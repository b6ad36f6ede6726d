/* The results of a sweep (docs/explore.md) as a table, as CSV and as a plot. They are JSON that the engine
 * and the callers made: {"sweep", "plot", "axes", "points"}. */
#ifndef TS_REPORT_SWEEP_H
#define TS_REPORT_SWEEP_H

#include <jansson.h>

#include "base/file.h"
#include "base/table.h"

/* One line a point: its place, its status and the main figures. */
void ts_sweep_print(ts_text *out, const json_t *results, ts_screen screen);

/* A heading and one line a point: axes, status, then every figure that any point has, quoted as RFC 4180
 * says. */
void ts_sweep_print_csv(ts_text *out, const json_t *results);

/* A plot of one figure over one axis, a line for each combination of the others, as an SVG file that needs
 * nothing beside it. Without "plot": mac_per_cycle over the first axis. */
void ts_sweep_print_svg(ts_text *out, const json_t *results);

/* Writes results.json, results.csv and, under the name `picture`, the plot into `folder`, which exists. */
ts_status ts_sweep_write(ts_arena *arena, const json_t *results, const char *folder, const char *picture,
                         ts_diags *diags);

#endif
