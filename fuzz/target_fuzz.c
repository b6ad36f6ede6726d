/* Descriptions of chips: what is accepted is whole, what is refused says why. */
#include "fuzz.h"
#include "target/target.h"

static void read(ts_bytes file, ts_diags *diags) {
    const ts_target *target;
    ts_status status = ts_target_parse(diags->arena, file, &target, diags);
    ts_fuzz_check(status, diags);
    if (status == TS_OK) {
        TS_ASSERT(ts_target_levels(target) >= 1 && ts_target_level(target, 4) == NULL, "fuzz target");
        TS_ASSERT(target->cores >= 1 && target->cores <= TS_TARGET_MAX_CORES, "fuzz target");
    }
}

TS_FUZZ_TARGET(read)
