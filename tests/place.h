/* A test's own folder, arena and diagnostics. */
#ifndef TS_TESTS_PLACE_H
#define TS_TESTS_PLACE_H

#include "base/file.h"
#include "harness.h"

typedef struct place {
    ts_arena *arena;
    ts_diags diags;
    const char *folder;
} place;

static inline place enter(void) {
    place p = {.arena = ts_arena_new("test", 0)};
    p.diags.arena = p.arena;
    assert_int_equal(ts_dir_temporary(p.arena, &p.folder, &p.diags), TS_OK);
    return p;
}

static inline const char *in(place *p, const char *name) { return ts_path_join(p->arena, p->folder, name); }

#endif
