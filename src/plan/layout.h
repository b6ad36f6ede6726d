/* Placing buffers with lifetimes in one memory: by the DORY paper's bidirectional stack, and by search. */
#ifndef TS_PLAN_LAYOUT_H
#define TS_PLAN_LAYOUT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"

/* A block of memory that is alive in steps first..last, both included. */
typedef struct ts_block {
    uint64_t bytes; /* rounded up to TS_BLOCK_ALIGN by the placement */
    uint32_t first, last;
    bool
        from_top; /* bidirectional stack: which end it grows from; the search begins with it and changes it */
    uint64_t offset;
    /* ts__layout_low() only: 1 + the number of a block over which this one may lie, where it begins at least
     * `behind` bytes after that; 0: none. Both have `behind`. */
    uint32_t over;
    uint64_t behind;
} ts_block;

enum { TS_BLOCK_ALIGN = 4 };

/* Most bytes that are alive in one step: no placement needs less. */
uint64_t ts__layout_bound(const ts_block *blocks, uint32_t count);

/* Places the blocks on two stacks that grow towards each other, in the order of their first step (DORY paper,
 * section 4.3). Returns the bytes needed. */
uint64_t ts__layout_stack(ts_arena *scratch, ts_block *blocks, uint32_t count);

/* Places the blocks into their lowest or highest gap in several orders; blocks that find no room below the
 * live-set bound (or `enough_bytes`, if that is more) are moved forward in the order, seeded, until it is
 * reached or `tries` orders have been placed; then ts__layout_decide() is asked. Returns the bytes needed. */
uint64_t ts__layout_search(ts_arena *scratch, ts_block *blocks, uint32_t count, uint32_t tries,
                           uint64_t enough_bytes);

/* Places the blocks one by one, those that may lie over each other first, then the largest (longest,
 * earliest), each as low as those before it allow. Returns the bytes needed: more than by search, but what
 * lies above is free for others. */
typedef enum ts_layout_order {
    TS_LAYOUT_BY_BYTES,
    TS_LAYOUT_BY_AREA, /* bytes times steps */
    TS_LAYOUT_BY_LIFE,
    TS_LAYOUT_BY_START,
    TS_LAYOUT_BY_END, /* the last first */
    TS_LAYOUT_ORDERS
} ts_layout_order;
uint64_t ts__layout_low(ts_arena *scratch, ts_block *blocks, uint32_t count, ts_layout_order order);

/* Can the blocks be placed below `limit_bytes`? An exhaustive search, given up after `tries` placements. Sets
 * offsets where they can. */
typedef enum ts_layout_answer { TS_LAYOUT_PLACED, TS_LAYOUT_IMPOSSIBLE, TS_LAYOUT_UNKNOWN } ts_layout_answer;
ts_layout_answer ts__layout_decide(ts_block *blocks, uint32_t count, uint64_t limit_bytes, uint64_t tries);

/* No two blocks that are alive in the same step overlap. */
bool ts__layout_is_valid(const ts_block *blocks, uint32_t count);

#endif
