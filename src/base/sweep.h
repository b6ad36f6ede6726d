/* Sweeps: many named points, each computed in a process of its own, several at a time, with a journal.
 *
 * A point is computed by a callback that returns a JSON object. A sweep that is interrupted, whenever and
 * however, takes up where it was: points whose results are in the journal are not computed again. What the
 * results are is the caller's affair. */
#ifndef TS_BASE_SWEEP_H
#define TS_BASE_SWEEP_H

#include "base/file.h"
#include "base/journal.h"

/* Other machines that compute points. `start` gives point `index` to worker `worker`, which is idle; `poll`
 * returns one finished worker and its frame (ts_sweep_compute()), or false where none is finished. */
typedef struct ts_sweep_remote {
    uint32_t workers;
    void *state;
    void (*start)(void *state, uint32_t worker, uint32_t index);
    bool (*poll)(void *state, ts_arena *arena, uint32_t *worker, ts_bytes *frame);
} ts_sweep_remote;

typedef struct ts_sweep {
    uint32_t count;
    const char *const *names; /* `count` of them, all different: the keys of the journal */
    /* Computes a point; runs in a child process, whose memory is its own. `*result` is a new reference. A
     * status other than TS_OK, or a child that dies, is a failure: it is not kept, and the next run of the
     * sweep tries the point again. What is a finding about the point ("does not fit") belongs in the result.
     */
    ts_status (*compute)(void *user, uint32_t index, ts_arena *arena, json_t **result, ts_diags *diags);
    void *user;
    ts_journal *journal;
    uint32_t jobs; /* points at once on this machine; 0: one a processor */
    /* Folder for the points' temporary files, removed before and after, so that nothing of an interrupted
     * sweep stays behind; NULL: the system's. */
    const char *scratch;
    const ts_sweep_remote *remote; /* NULL: none */
    /* Called at the beginning and after each point; the last call has done == of. NULL: nobody asks. */
    void (*progress)(void *user, uint32_t done, uint32_t of);
    void *progress_user;
} ts_sweep;

/* Computes the points that the journal does not have yet. results[i], borrowed from the journal, is NULL
 * where point i failed; each failure is a diagnostic that names the point, and after all others are done
 * TS_SYSTEM is returned, or TS_BAD_INPUT where all failures are the input's. May be called again with other
 * points and the same journal. */
ts_status ts_sweep_run(ts_arena *arena, const ts_sweep *sweep, const json_t **results, ts_diags *diags);

/* Computes one point in a child process and returns what it sends to its parent, for workers of a remote. */
ts_bytes ts_sweep_compute(ts_arena *arena, const ts_sweep *sweep, uint32_t index);

#endif
