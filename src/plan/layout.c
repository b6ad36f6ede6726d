#include "plan/layout.h"

#include <stdlib.h>
#include <string.h>

#include "base/random.h"

/* Placements of the exact decision for each order that the search may try. */
enum { EXACT_TRIES = 20 };

static uint64_t size_of(const ts_block *block) {
    return (block->bytes + TS_BLOCK_ALIGN - 1) / TS_BLOCK_ALIGN * TS_BLOCK_ALIGN;
}

static bool together(const ts_block *a, const ts_block *b) {
    return a->first <= b->last && b->first <= a->last && a->bytes > 0 && b->bytes > 0;
}

uint64_t ts__layout_bound(const ts_block *blocks, uint32_t count) {
    uint64_t most = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t live = 0;
        for (uint32_t j = 0; j < count; j++) {
            bool alive = blocks[j].first <= blocks[i].first && blocks[i].first <= blocks[j].last;
            live += alive ? size_of(&blocks[j]) : 0;
        }
        most = live > most ? live : most;
    }
    return most;
}

bool ts__layout_is_valid(const ts_block *blocks, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t j = 0; j < i; j++) {
            bool apart = blocks[i].offset + blocks[i].bytes <= blocks[j].offset ||
                         blocks[j].offset + blocks[j].bytes <= blocks[i].offset;
            if (together(&blocks[i], &blocks[j]) && !apart) {
                return false;
            }
        }
    }
    return true;
}

/* Depth of one stack when block `of` is pushed: the end of the highest block on it that is still alive. */
static uint64_t depth_at(const ts_block *blocks, const uint32_t *order, uint32_t placed, const ts_block *of) {
    uint64_t depth = 0;
    for (uint32_t i = 0; i < placed; i++) {
        const ts_block *b = &blocks[order[i]];
        uint64_t end = b->offset + size_of(b);
        depth = b->from_top == of->from_top && together(b, of) && end > depth ? end : depth;
    }
    return depth;
}

static uint64_t reach(const ts_block *blocks, uint32_t count, uint32_t step, bool from_top) {
    uint64_t most = 0;
    for (uint32_t i = 0; i < count; i++) {
        const ts_block *b = &blocks[i];
        bool alive = b->first <= step && step <= b->last && b->from_top == from_top && b->bytes > 0;
        most = alive && b->offset + size_of(b) > most ? b->offset + size_of(b) : most;
    }
    return most;
}

uint64_t ts__layout_stack(ts_arena *scratch, ts_block *blocks, uint32_t count) {
    uint32_t *order = TS_NEW_ARRAY(scratch, uint32_t, count);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = i;
        for (; at > 0 && blocks[order[at - 1]].first > blocks[i].first; at--) {
            order[at] = order[at - 1];
        }
        order[at] = i;
    }
    for (uint32_t i = 0; i < count; i++) {
        ts_block *b = &blocks[order[i]];
        b->offset = depth_at(blocks, order, i, b);
    }
    uint64_t peak = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t both =
            reach(blocks, count, blocks[i].first, false) + reach(blocks, count, blocks[i].first, true);
        peak = both > peak ? both : peak;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (blocks[i].from_top) {
            blocks[i].offset = blocks[i].bytes > 0 ? peak - blocks[i].offset - size_of(&blocks[i]) : 0;
        }
    }
    return peak;
}

/* The blocks placed so far that are alive together with `block`, by offset. */
static uint32_t find_neighbours(const ts_block *blocks, const uint32_t *order, uint32_t placed,
                                const ts_block *block, const ts_block **out) {
    uint32_t n = 0;
    for (uint32_t i = 0; i < placed; i++) {
        const ts_block *b = &blocks[order[i]];
        if (!together(b, block)) {
            continue;
        }
        uint32_t at = n++;
        for (; at > 0 && out[at - 1]->offset > b->offset; at--) {
            out[at] = out[at - 1];
        }
        out[at] = b;
    }
    return n;
}

static uint64_t lowest_gap(const ts_block *block, const ts_block *const *neighbours, uint32_t n) {
    uint64_t offset = 0;
    for (uint32_t i = 0; i < n && offset + size_of(block) > neighbours[i]->offset; i++) {
        uint64_t end = neighbours[i]->offset + size_of(neighbours[i]);
        offset = end > offset ? end : offset;
    }
    return offset;
}

/* The highest gap below `limit`, or the lowest one where there is none. */
static uint64_t highest_gap(const ts_block *block, const ts_block *const *neighbours, uint32_t n,
                            uint64_t limit) {
    uint64_t best = UINT64_MAX, from = 0;
    for (uint32_t i = 0; i <= n; i++) {
        uint64_t to = i < n ? neighbours[i]->offset : limit;
        if (from + size_of(block) <= to) {
            best = to - size_of(block);
        }
        uint64_t end = i < n ? neighbours[i]->offset + size_of(neighbours[i]) : from;
        from = end > from ? end : from;
    }
    return best != UINT64_MAX ? best : lowest_gap(block, neighbours, n);
}

/* Places all blocks in this order below `limit`, each in its lowest or highest gap. Returns the position in
 * the order of the first that has no room, or `count`. */
static uint32_t place_in_order(ts_block *blocks, uint32_t count, const uint32_t *order, bool both_ends,
                               uint64_t limit, const ts_block **neighbours) {
    for (uint32_t i = 0; i < count; i++) {
        ts_block *b = &blocks[order[i]];
        uint32_t n = find_neighbours(blocks, order, i, b, neighbours);
        bool high = both_ends && b->from_top;
        b->offset = high ? highest_gap(b, neighbours, n, limit) : lowest_gap(b, neighbours, n);
        if (b->offset + size_of(b) > limit) {
            return i;
        }
    }
    return count;
}

typedef double (*rank_fn)(const ts_block *block);

static double by_bytes(const ts_block *b) { return (double)b->bytes; }
static double by_area(const ts_block *b) { return (double)b->bytes * (b->last - b->first + 1); }
static double by_life(const ts_block *b) { return (double)(b->last - b->first) * 1e12 + (double)b->bytes; }
static double by_start(const ts_block *b) { return -(double)b->first * 1e12 + (double)b->bytes; }

static double by_end(const ts_block *b) { return (double)b->last * 1e12 + (double)b->bytes; }

static const rank_fn ranks[] = {by_bytes, by_area, by_life, by_start};
enum { RANKS = sizeof ranks / sizeof ranks[0] };

static const rank_fn low_ranks[] = {[TS_LAYOUT_BY_BYTES] = by_bytes,
                                    [TS_LAYOUT_BY_AREA] = by_area,
                                    [TS_LAYOUT_BY_LIFE] = by_life,
                                    [TS_LAYOUT_BY_START] = by_start,
                                    [TS_LAYOUT_BY_END] = by_end};
_Static_assert(sizeof low_ranks / sizeof low_ranks[0] == TS_LAYOUT_ORDERS, "a rank for every order");

/* Blocks that lie over each other come first, each chain of them from its end. */
static double low_rank(const ts_block *b, rank_fn rank) {
    return b->behind > 0 || b->over != 0 ? 1e24 + (double)b->last * 1e12 : rank(b);
}

static void order_low(const ts_block *blocks, uint32_t count, rank_fn rank, uint32_t *order) {
    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = i;
        for (; at > 0 && low_rank(&blocks[order[at - 1]], rank) < low_rank(&blocks[i], rank); at--) {
            order[at] = order[at - 1];
        }
        order[at] = i;
    }
}

static void order_by(const ts_block *blocks, uint32_t count, rank_fn rank, uint32_t *order) {
    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = i;
        for (; at > 0 && rank(&blocks[order[at - 1]]) < rank(&blocks[i]); at--) {
            order[at] = order[at - 1];
        }
        order[at] = i;
    }
}

static uint64_t reach_of(const ts_block *blocks, uint32_t count) {
    uint64_t most = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t end = blocks[i].bytes > 0 ? blocks[i].offset + size_of(&blocks[i]) : 0;
        most = end > most ? end : most;
    }
    return most;
}

/* Do two blocks stand in each other's way? */
static bool collide(const ts_block *blocks, uint32_t i, uint32_t j) {
    const ts_block *a = &blocks[i], *b = &blocks[j];
    bool apart = a->offset + size_of(a) <= b->offset || b->offset + size_of(b) <= a->offset;
    bool over = (a->over == j + 1 && a->offset >= b->offset + a->behind) ||
                (b->over == i + 1 && b->offset >= a->offset + b->behind);
    return together(a, b) && !apart && !over;
}

/* Where block i has to begin at least, so that j is not in its way where it now is. */
static uint64_t beyond(const ts_block *blocks, uint32_t i, uint32_t j) {
    uint64_t end = blocks[j].offset + size_of(&blocks[j]), over = blocks[j].offset + blocks[i].behind;
    return blocks[i].over == j + 1 && over < end ? over : end;
}

/* The lowest place of a block beside those placed before it: what stands in its way pushes it up, until
 * nothing does. */
static void place_low(ts_block *blocks, const uint32_t *order, uint32_t placed, uint32_t i,
                      const ts_block **neighbours) {
    uint32_t n = find_neighbours(blocks, order, placed, &blocks[i], neighbours);
    blocks[i].offset = 0;
    for (bool moved = true; moved;) {
        moved = false;
        for (uint32_t k = 0; k < n; k++) {
            uint32_t j = (uint32_t)(neighbours[k] - blocks);
            if (collide(blocks, i, j)) {
                blocks[i].offset = beyond(blocks, i, j);
                moved = true;
            }
        }
    }
}

uint64_t ts__layout_low(ts_arena *scratch, ts_block *blocks, uint32_t count, ts_layout_order order) {
    uint32_t *sequence = TS_NEW_ARRAY(scratch, uint32_t, count);
    const ts_block **neighbours = TS_NEW_ARRAY(scratch, const ts_block *, count);
    order_low(blocks, count, low_ranks[order], sequence);
    for (uint32_t i = 0; i < count; i++) {
        place_low(blocks, sequence, i, sequence[i], neighbours);
    }
    return reach_of(blocks, count);
}

typedef struct layout_search {
    ts_block *blocks, *best;
    uint32_t count;
    uint32_t *order;
    const ts_block **neighbours;
    uint64_t peak;
} layout_search;

/* Places the blocks in s->order below `limit`; what succeeds is kept. Returns the first position without
 * room, or the count. */
static uint32_t try_order(layout_search *s, bool both_ends, uint64_t limit) {
    uint32_t failed = place_in_order(s->blocks, s->count, s->order, both_ends, limit, s->neighbours);
    if (failed < s->count) {
        return failed;
    }
    s->peak = reach_of(s->blocks, s->count);
    memcpy(s->best, s->blocks, s->count * sizeof *s->best);
    return failed;
}

/* A block that finds no room below `goal` is placed earlier the next time, sometimes from the other end: the
 * blocks that are hard to place come first in the end. */
static void squeeze(layout_search *s, rank_fn rank, uint64_t goal, uint32_t tries, ts_random *random) {
    order_by(s->blocks, s->count, rank, s->order);
    for (uint32_t i = 0; i < tries && s->peak > goal; i++) {
        uint32_t at = try_order(s, true, goal);
        if (at == s->count || at == 0) {
            return;
        }
        uint32_t to = (uint32_t)(ts_random_next(random) % at), moved = s->order[at];
        memmove(&s->order[to + 1], &s->order[to], (at - to) * sizeof *s->order);
        s->order[to] = moved;
        if (ts_random_next(random) % 4 == 0) {
            s->blocks[moved].from_top = !s->blocks[moved].from_top;
        }
    }
}

/* Fixed orders first; then each of them squeezed below the bound, and below what is enough or half the way.
 */
static void search_orders(layout_search *s, uint64_t bound, uint64_t enough, uint32_t tries) {
    for (uint32_t r = 0; r < RANKS && s->peak > bound; r++) {
        order_by(s->blocks, s->count, ranks[r], s->order);
        try_order(s, false, s->peak - 1);
    }
    ts_random random = ts_random_seed(s->count);
    uint64_t stop = enough > bound ? enough : bound;
    for (uint32_t r = 0; r < RANKS && s->peak > stop; r++) {
        squeeze(s, ranks[r], stop, tries / (2 * RANKS), &random);
    }
    for (uint32_t r = 0; r < RANKS && s->peak > stop; r++) {
        squeeze(s, ranks[r], stop + (s->peak - stop) / 2, tries / (2 * RANKS), &random);
    }
}

uint64_t ts__layout_search(ts_arena *scratch, ts_block *blocks, uint32_t count, uint32_t tries,
                           uint64_t enough_bytes) {
    if (count == 0) {
        return 0;
    }
    layout_search s = {.blocks = blocks, .count = count, .peak = UINT64_MAX};
    s.best = TS_NEW_ARRAY(scratch, ts_block, count);
    s.order = TS_NEW_ARRAY(scratch, uint32_t, count);
    s.neighbours = TS_NEW_ARRAY(scratch, const ts_block *, count);
    uint64_t bound = ts__layout_bound(blocks, count);
    search_orders(&s, bound, enough_bytes, tries);
    uint64_t stop = enough_bytes > bound ? enough_bytes : bound;
    memcpy(blocks, s.best, count * sizeof *blocks);
    if (s.peak > stop && ts__layout_decide(blocks, count, stop, tries * EXACT_TRIES) == TS_LAYOUT_PLACED) {
        s.peak = reach_of(blocks, count);
    }
    return s.peak;
}
