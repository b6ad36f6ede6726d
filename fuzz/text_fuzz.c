/* Values as text: goldens and inputs. */
#include "fuzz.h"
#include "model/values.h"

static void read(ts_bytes file, ts_diags *diags) {
    const int32_t *values;
    uint64_t count;
    ts_fuzz_check(ts__text_values_parse(diags->arena, file, &values, &count, diags), diags);
}

TS_FUZZ_TARGET(read)
