/* Weights on their way from L3 to L2, ahead of the layers that need them.
 *
 * The plan lists all fetches of a network in the order in which they are needed, each with the step from
 * which on its place in L2 is free. A layer that begins, or goes on to the next chunk of its weights, says so
 * with ts_fetch_step(), and waits for its weights with ts_fetch_wait(): fetches are waited for in the order
 * of the list, each once. All is called by core 0 of the team. */
#ifndef TS_RUNTIME_FETCH_H
#define TS_RUNTIME_FETCH_H

#include <stdint.h>

#include "hal/dma.h"

struct ts_run;

struct ts_fetch {
    uint32_t to, from, bytes; /* offsets in the lent L2 and in the image of the weights */
    uint32_t step;
};

/* Fetches that may be under way; any number may have arrived and not been asked for. */
enum { TS_FETCHES_UNDER_WAY = 16 };

struct ts_fetching {
    const struct ts_fetch *list;
    uint32_t count, weights; /* where the image begins in L3 */
    uint32_t step;           /* the last one that has begun */
    uint32_t started, arrived, awaited;
    uint32_t
        next_step; /* of the next one to start, which is looked for once a tile; the list lies far away */
    ts_ticket tickets[TS_FETCHES_UNDER_WAY];
};

/* Begins an inference: nothing is under way. */
void ts_fetch_begin(struct ts_run *run, const struct ts_fetch *list, uint32_t count, uint32_t weights);

/* Begins a step, and starts what may start with it. */
void ts_fetch_step(struct ts_run *run, uint32_t step);

/* Starts what found no room in the queue of transfers; called once a tile. */
void ts_fetch_poll(struct ts_run *run);

/* Waits for the next fetch of the list. */
void ts_fetch_wait(struct ts_run *run);

#endif
