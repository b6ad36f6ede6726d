/* What every fuzz target is made of: one reader, called on bytes that may be anything, with the memory that
 * it took given back. A target must neither crash nor take more than its arena's limit. */
#ifndef TS_FUZZ_FUZZ_H
#define TS_FUZZ_FUZZ_H

#include <stdint.h>

#include "base/arena.h"
#include "base/diag.h"
#include "base/file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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
