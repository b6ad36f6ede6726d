/* What every fuzz target is made of: one reader, called on bytes that may be anything, with the memory that
 * it took given back. A target must neither crash nor take more than its arena's limit. */
#ifndef TS_FUZZ_FUZZ_H
#define TS_FUZZ_FUZZ_H

#include <stdint.h>

#include "base/arena.h"
#include "base/diag.h"
#include "base/file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
const char *__asan_default_options(void);

/* Memory that was given back is watched for a little while and without the names of who had it: that takes
 * half of the time otherwise. ASAN_OPTIONS in the environment come after these. */
const char *__asan_default_options(void) {
    return "malloc_context_size=1:quarantine_size_mb=1:thread_local_quarantine_size_kb=64:"
           "max_malloc_fill_size=0";
}

/* Calls `reader` with an arena of its own. A status other than TS_OK without a diagnostic is a fault. */
static inline void ts_fuzz(void (*reader)(ts_bytes file, ts_diags *diags), const uint8_t *data, size_t size) {
    ts_guard guard;
    ts_arena *volatile arena = ts_arena_new("fuzz", (size_t)512 << 20);
    if (!TS_GUARD_ENTER(&guard)) {
        ts_diags diags = {.arena = arena};
        reader((ts_bytes){data, size}, &diags);
        ts_guard_leave(&guard);
    }
    ts_arena_free(arena);
}

/* An error has to come with a message. */
static inline void ts_fuzz_check(ts_status status, const ts_diags *diags) {
    TS_ASSERT((status == TS_OK) == (ts_diags_errors(diags) == 0), "fuzz target");
}

#define TS_FUZZ_TARGET(reader)                                     \
    int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) { \
        ts_fuzz(reader, data, size);                               \
        return 0;                                                  \
    }

#endif
