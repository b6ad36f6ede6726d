/* Between the reader of sweep descriptions (explore.c), which a fuzz target has alone, and what computes
 * their points (explore_compute.c). */
#ifndef TS_RUN_EXPLORE_POINT_H
#define TS_RUN_EXPLORE_POINT_H

#include "num/generate.h"
#include "plan/plan.h"
#include "run/explore.h"

/* What one point asks for. */
typedef struct ts_explore_point {
    const char *model; /* NULL: generated */
    ts_generate_options generate;
    const ts_target *target;
    ts_plan_options plan;
    uint64_t seed;
} ts_explore_point;

/* Settings of the point, fixed ones and those of the axes. */
ts_status ts__explore_point(ts_arena *arena, const ts_explore *e, uint32_t index, ts_explore_point *out,
                            ts_diags *diags);

/* A path in a description: files are looked for beside it. */
const char *ts__explore_beside(ts_arena *arena, const ts_explore *e, const char *path);

#endif
