/* What cores, DMA, L3, layers and tiles did when, kept for the JSON of a run. */
#ifndef TS_RUN_TIMELINE_H
#define TS_RUN_TIMELINE_H

#include <jansson.h>
#include <stdint.h>

#include "base/arena.h"

/* Kind of a span: 0 is a core that runs, those from 1 are the causes for which a core sleeps (sim.h); the
 * others are what the rows of the engines, layers and tiles hold. */
typedef struct ts_span {
    uint32_t row;
    const char *kind; /* "runs", "dma_wait", "barrier_wait", "idle"; "transfer", "layer", "tile" */
    const char *text; /* what is known beyond the kind; NULL: nothing */
    uint64_t begin_cycle, end_cycle;
    uint32_t merged; /* spans that were too short to be kept apart: their number; 0: one */
} ts_span;

enum {
    TS_TIMELINE_ROWS = 64,
    TS_TIMELINE_COLLECT = 2000000, /* spans that are collected; more are counted and left out */
    TS_TIMELINE_KEEP = 50000,      /* spans of the JSON */
};

typedef struct ts_timeline {
    ts_arena *arena;
    const char *rows[TS_TIMELINE_ROWS];
    uint32_t row_count;
    TS_VEC(ts_span) spans;
    uint64_t left_out;
} ts_timeline;

/* The callback of the simulator's timeline; `user` is a ts_timeline with its arena set. */
void ts__timeline_add(void *user, const char *row, const char *name, uint64_t begin_cycle,
                      uint64_t end_cycle);

/* {"rows", "kinds", "resolution_cycles", "left_out", "spans": [[row, kind, begin, cycles, merged, text]...]};
 * at most TS_TIMELINE_KEEP spans: neighbours of a row that are shorter than the resolution are merged under
 * the kind that fills most of them, layers never. The spans of a row come in the order of time. */
json_t *ts__timeline_json(const ts_timeline *timeline);

#endif
