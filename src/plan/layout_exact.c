/* The exact decision: can blocks with lifetimes be placed below a limit?
 *
 * Where they can, there is a placement in which no block can be moved down, and of those one whose offsets
 * have the least sum. Written in the order of its offsets, each block lies on the highest of those before it
 * that live with it. The search builds such sequences: the next block goes to its lowest place above all that
 * lives with it, and offsets never fall. A sequence is given up when
 *  - in some step the lowest place that is left there and all that still has to lie there pass the limit, or
 *  - some other block would end where the next one begins, or lower: moving it there would lessen the sum.
 * The number of placements tried is bounded, so that the answer may be that there is none in time. */
#include <stdlib.h>
#include <string.h>

#include "plan/layout.h"

typedef struct item {
    uint64_t bytes;
    uint32_t first, last; /* steps, counted from the earliest */
    uint32_t block;       /* index of the caller's */
    double rank;
} item;

typedef struct decision {
    item *items; /* the largest rank first */
    uint32_t count, steps;
    uint64_t limit;
    uint64_t *height; /* by step: the top of what is placed */
    uint64_t *rest;   /* by step: bytes that are not placed yet */
    uint64_t *floor;  /* scratch, by step */
    bool *placed;
    uint64_t *offset, *best;
    uint64_t *saved; /* heights before each placement */
    uint32_t *candidates;
    uint64_t tries;
} decision;

static uint64_t lowest(const decision *d, const item *i) {
    uint64_t offset = 0;
    for (uint32_t t = i->first; t <= i->last; t++) {
        offset = d->height[t] > offset ? d->height[t] : offset;
    }
    return offset;
}

/* Can all that is not placed still lie above `last`, as far as each step alone can tell? `ceiling` is the
 * lowest place at which a next block would leave room for another one below. */
static bool may_fit(const decision *d, uint64_t last, uint64_t *ceiling) {
    for (uint32_t t = 0; t < d->steps; t++) {
        d->floor[t] = UINT64_MAX;
    }
    *ceiling = UINT64_MAX;
    for (uint32_t i = 0; i < d->count; i++) {
        if (d->placed[i]) {
            continue;
        }
        uint64_t low = lowest(d, &d->items[i]);
        low = low > last ? low : last;
        *ceiling = low + d->items[i].bytes < *ceiling ? low + d->items[i].bytes : *ceiling;
        if (low + d->items[i].bytes > d->limit) {
            return false;
        }
        for (uint32_t t = d->items[i].first; t <= d->items[i].last; t++) {
            d->floor[t] = low < d->floor[t] ? low : d->floor[t];
        }
    }
    for (uint32_t t = 0; t < d->steps; t++) {
        if (d->rest[t] > 0 && d->floor[t] + d->rest[t] > d->limit) {
            return false;
        }
    }
    return true;
}

static bool same_item(const item *a, const item *b) {
    return a->bytes == b->bytes && a->first == b->first && a->last == b->last;
}

/* The blocks that may come next, the lowest first, then in the order of the items. */
static uint32_t find_candidates(const decision *d, uint64_t last, uint32_t last_item, uint64_t ceiling,
                                uint32_t *out) {
    uint32_t n = 0;
    for (uint32_t i = 0; i < d->count; i++) {
        uint64_t low = d->placed[i] ? 0 : lowest(d, &d->items[i]);
        bool in_order = low > last || (low == last && (last_item == UINT32_MAX || i > last_item));
        bool twin = i > 0 && !d->placed[i] && !d->placed[i - 1] && same_item(&d->items[i], &d->items[i - 1]);
        if (d->placed[i] || !in_order || low >= ceiling || twin) {
            continue;
        }
        uint32_t at = n++;
        for (; at > 0 && lowest(d, &d->items[out[at - 1]]) > low; at--) {
            out[at] = out[at - 1];
        }
        out[at] = i;
    }
    return n;
}

static void put(decision *d, uint32_t index, uint64_t offset, uint64_t *saved) {
    const item *i = &d->items[index];
    for (uint32_t t = i->first; t <= i->last; t++) {
        saved[t] = d->height[t];
        d->height[t] = offset + i->bytes;
        d->rest[t] -= i->bytes;
    }
    d->placed[index] = true;
    d->offset[index] = offset;
}

static void take_back(decision *d, uint32_t index, const uint64_t *saved) {
    const item *i = &d->items[index];
    for (uint32_t t = i->first; t <= i->last; t++) {
        d->height[t] = saved[t];
        d->rest[t] += i->bytes;
    }
    d->placed[index] = false;
}

static ts_layout_answer decide(decision *d, uint32_t depth, uint64_t last, uint32_t last_item) {
    uint64_t ceiling;
    if (depth == d->count) {
        memcpy(d->best, d->offset, d->count * sizeof *d->best);
        return TS_LAYOUT_PLACED;
    }
    if (!may_fit(d, last, &ceiling)) {
        return TS_LAYOUT_IMPOSSIBLE;
    }
    uint32_t *candidates = d->candidates + (size_t)depth * d->count;
    uint64_t *saved = d->saved + (size_t)depth * d->steps;
    uint32_t n = find_candidates(d, last, last_item, ceiling, candidates);
    for (uint32_t c = 0; c < n; c++) {
        if (d->tries == 0) {
            return TS_LAYOUT_UNKNOWN;
        }
        d->tries--;
        uint64_t offset = lowest(d, &d->items[candidates[c]]);
        put(d, candidates[c], offset, saved);
        ts_layout_answer answer = decide(d, depth + 1, offset, candidates[c]);
        take_back(d, candidates[c], saved);
        if (answer != TS_LAYOUT_IMPOSSIBLE) {
            return answer;
        }
    }
    return TS_LAYOUT_IMPOSSIBLE;
}

static int by_rank(const void *a, const void *b) {
    const item *x = a, *y = b;
    if (x->rank != y->rank) {
        return x->rank < y->rank ? 1 : -1;
    }
    if (x->first != y->first) {
        return x->first < y->first ? -1 : 1;
    }
    return x->block < y->block ? -1 : x->block > y->block;
}

/* Orders in which blocks at the same height are tried. */
enum { RANKS = 3 };

static double rank_of(const item *i, uint32_t way) {
    double life = i->last - i->first + 1.0, bytes = (double)i->bytes;
    return way == 0 ? bytes * life : way == 1 ? bytes : life * 1e12 + bytes;
}

static void set_up(ts_arena *scratch, decision *d, const ts_block *blocks, uint32_t count) {
    uint32_t first = UINT32_MAX, last = 0;
    d->items = TS_NEW_ARRAY(scratch, item, count);
    for (uint32_t i = 0; i < count; i++) {
        if (blocks[i].bytes > 0) {
            uint64_t bytes = (blocks[i].bytes + TS_BLOCK_ALIGN - 1) / TS_BLOCK_ALIGN * TS_BLOCK_ALIGN;
            d->items[d->count++] = (item){bytes, blocks[i].first, blocks[i].last, i, 0};
            first = blocks[i].first < first ? blocks[i].first : first;
            last = blocks[i].last > last ? blocks[i].last : last;
        }
    }
    d->steps = d->count == 0 ? 0 : last - first + 1;
    for (uint32_t i = 0; i < d->count; i++) {
        d->items[i].first -= first;
        d->items[i].last -= first;
    }
    d->height = TS_NEW_ARRAY(scratch, uint64_t, d->steps);
    d->rest = TS_NEW_ARRAY(scratch, uint64_t, d->steps);
    d->floor = TS_NEW_ARRAY(scratch, uint64_t, d->steps);
    d->placed = TS_NEW_ARRAY(scratch, bool, d->count);
    d->offset = TS_NEW_ARRAY(scratch, uint64_t, d->count);
    d->best = TS_NEW_ARRAY(scratch, uint64_t, d->count);
    d->saved = TS_NEW_ARRAY(scratch, uint64_t, (size_t)d->count * d->steps);
    d->candidates = TS_NEW_ARRAY(scratch, uint32_t, (size_t)d->count * d->count);
}

ts_layout_answer ts__layout_decide(ts_block *blocks, uint32_t count, uint64_t limit_bytes, uint64_t tries) {
    ts_arena *scratch = ts_arena_new("layout", 0);
    decision d = {.limit = limit_bytes};
    set_up(scratch, &d, blocks, count);
    ts_layout_answer answer = TS_LAYOUT_UNKNOWN;
    for (uint32_t way = 0; way < RANKS && answer == TS_LAYOUT_UNKNOWN; way++) {
        memset(d.rest, 0, d.steps * sizeof *d.rest);
        for (uint32_t i = 0; i < d.count; i++) {
            d.items[i].rank = rank_of(&d.items[i], way);
            for (uint32_t t = d.items[i].first; t <= d.items[i].last; t++) {
                d.rest[t] += d.items[i].bytes;
            }
        }
        qsort(d.items, d.count, sizeof *d.items, by_rank);
        d.tries = tries / RANKS;
        answer = decide(&d, 0, 0, UINT32_MAX);
    }
    for (uint32_t i = 0; i < d.count && answer == TS_LAYOUT_PLACED; i++) {
        blocks[d.items[i].block].offset = d.best[i];
    }
    ts_arena_free(scratch);
    return answer;
}
