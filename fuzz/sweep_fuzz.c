/* Descriptions of sweeps, and their points where there are few. Files that points name are looked for in a
 * folder that is not there; what could lead out of it is left alone. */
#include <jansson.h>
#include <string.h>

#include "fuzz.h"
#include "run/explore.h"

static void read_sweep(ts_bytes file, ts_diags *diags) {
    enum { MOST_POINTS = 16 };
    ts_explore *explore = NULL;
    bool leads_out = file.size > 0 && (memchr(file.data, '/', file.size) != NULL ||
                                       memchr(file.data, '\\', file.size) != NULL);
    ts_status status = ts__explore_parse(diags->arena, "/nowhere/sweep.json", file, &explore, diags);
    ts_fuzz_check(status, diags);
    TS_ASSERT(explore->axis_count <= TS_EXPLORE_MAX_AXES && explore->count <= TS_EXPLORE_MAX_POINTS,
              "fuzz sweep");
    if (status == TS_OK && explore->count <= MOST_POINTS && !leads_out) {
        json_t *sums = json_object();
        ts_fuzz_check(ts__explore_check(diags->arena, explore, sums, diags), diags);
        json_decref(sums);
    }
    ts_explore_free(explore);
}

TS_FUZZ_TARGET(read_sweep)
