/* Exploration: the points of a sweep description (docs/explore.md), each planned, built, executed, verified.
 */
#ifndef TS_RUN_EXPLORE_H
#define TS_RUN_EXPLORE_H

#include <jansson.h>

#include "base/sweep.h"

enum { TS_EXPLORE_MAX_AXES = 8, TS_EXPLORE_MAX_POINTS = 100000 };

typedef struct ts_explore_axis {
    const char *key;
    const json_t *values; /* array, borrowed from the description */
} ts_explore_axis;

typedef struct ts_explore {
    const char *path, *folder, *name; /* of the description: file, its folder, title */
    /* All that results depend on beside the points' names: the fixed settings, the files that they name, and
     * this program. */
    const char *identity;
    json_t *root; /* the description; released by ts_explore_free() */
    ts_explore_axis axes[TS_EXPLORE_MAX_AXES];
    uint32_t axis_count;
    const char **names; /* "l1=22528 l2=262144" */
    uint32_t count;
} ts_explore;

/* Reads and checks a description: every key, every value, and every point's target. */
ts_status ts_explore_read(ts_arena *arena, const char *path, ts_explore **out, ts_diags *diags);

/* Computes a point: the callback of ts_sweep, `user` is the ts_explore. The result has "status" ("verified",
 * "differs", "no-fit") and the figures of docs/explore.md. */
ts_status ts_explore_compute(void *user, uint32_t index, ts_arena *arena, json_t **result, ts_diags *diags);

/* {"sweep", "plot", "axes": [{"key", "values"}], "points": [{"name", "at": {key: value}, ...result}]}, a new
 * reference. Points without a result have the status "failed". */
json_t *ts_explore_results(const ts_explore *explore, const json_t *const *results);

/* TS_MISMATCH, and a diagnostic, where a point of these results computed something else than the reference.
 */
ts_status ts_explore_judge(const json_t *results, ts_diags *diags);

void ts_explore_free(ts_explore *explore);

/* The two steps of ts_explore_read(), for tests: the description's own text; and every point once, so that
 * what is wrong with any is said before the first is computed, with the CRC-32 of the files that points name
 * added to `sums`. */
ts_status ts__explore_parse(ts_arena *arena, const char *path, ts_bytes text, ts_explore **out,
                            ts_diags *diags);
ts_status ts__explore_check(ts_arena *arena, ts_explore *explore, json_t *sums, ts_diags *diags);

#endif
