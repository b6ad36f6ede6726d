#include "plan/layout.h"

#include <stdlib.h>
#include <string.h>

#include "base/random.h"

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

/* Places all blocks in this order below `limit`, each in its lowest or highest gap; false where it cannot. */
static bool place_in_order(ts_block *blocks, uint32_t count, const uint32_t *order, bool both_ends,
                           uint64_t limit, const ts_block **neighbours) {
    for (uint32_t i = 0; i < count; i++) {
        ts_block *b = &blocks[order[i]];
        uint32_t n = find_neighbours(blocks, order, i, b, neighbours);
        bool high = both_ends && b->from_top;
        b->offset = high ? highest_gap(b, neighbours, n, limit) : lowest_gap(b, neighbours, n);
        if (b->offset + size_of(b) > limit) {
            return false;
        }
    }
    return true;
}

typedef double (*rank_fn)(const ts_block *block);

static double by_bytes(const ts_block *b) { return (double)b->bytes; }
static double by_area(const ts_block *b) { return (double)b->bytes * (b->last - b->first + 1); }
static double by_life(const ts_block *b) { return (double)(b->last - b->first) * 1e12 + (double)b->bytes; }
static double by_start(const ts_block *b) { return -(double)b->first * 1e12 + (double)b->bytes; }

static const rank_fn ranks[] = {by_bytes, by_area, by_life, by_start};
enum { RANKS = sizeof ranks / sizeof ranks[0] };

static void order_by(const ts_block *blocks, uint32_t count, rank_fn rank, uint32_t *order) {
    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = i;
        for (; at > 0 && rank(&blocks[order[at - 1]]) < rank(&blocks[i]); at--) {
            order[at] = order[at - 1];
        }
        order[at] = i;
    }
}

/* Exchanges two blocks of the order, moves one to the front, or sends one to the other end. */
static void disturb(ts_random *random, const uint32_t *from, uint32_t *to, ts_block *blocks, uint32_t count) {
    memcpy(to, from, count * sizeof *to);
    uint32_t a = (uint32_t)(ts_random_next(random) % count), b = (uint32_t)(ts_random_next(random) % count);
    uint32_t moved = to[a];
    switch (ts_random_next(random) % 3) {
        case 0:
            to[a] = to[b];
            to[b] = moved;
            break;
        case 1:
            blocks[a].from_top = !blocks[a].from_top;
            break;
        default:
            b = b < a ? b : a;
            memmove(&to[b + 1], &to[b], (a - b) * sizeof *to);
            to[b] = moved;
            break;
    }
}

typedef struct layout_search {
    ts_block *blocks, *best;
    uint32_t count;
    uint32_t *order, *kept;
    const ts_block **neighbours;
    uint64_t peak;
} layout_search;

/* Places the blocks in s->order below `limit`; what succeeds is kept. */
static bool try_order(layout_search *s, bool both_ends, uint64_t limit) {
    if (!place_in_order(s->blocks, s->count, s->order, both_ends, limit, s->neighbours)) {
        return false;
    }
    uint64_t peak = 0;
    for (uint32_t i = 0; i < s->count; i++) {
        uint64_t end = s->blocks[i].bytes > 0 ? s->blocks[i].offset + size_of(&s->blocks[i]) : 0;
        peak = end > peak ? end : peak;
    }
    memcpy(s->kept, s->order, s->count * sizeof *s->kept);
    memcpy(s->best, s->blocks, s->count * sizeof *s->best);
    s->peak = peak;
    return true;
}

/* Fixed orders first, then seeded changes to the best order, each aimed at the bound, at half the way to it,
 * or at any gain. */
static void search_orders(layout_search *s, uint64_t bound, uint32_t tries) {
    for (uint32_t r = 0; r < RANKS && s->peak > bound; r++) {
        order_by(s->blocks, s->count, ranks[r], s->order);
        try_order(s, false, s->peak - 1);
        try_order(s, true, bound);
    }
    ts_random random = ts_random_seed(s->count);
    for (uint32_t i = 0; i < tries && s->peak > bound; i++) {
        disturb(&random, s->kept, s->order, s->blocks, s->count);
        uint64_t goal = i % 3 == 0 ? bound : i % 3 == 1 ? bound + (s->peak - 1 - bound) / 2 : s->peak - 1;
        if (!try_order(s, true, goal)) {
            for (uint32_t b = 0; b < s->count; b++) {
                s->blocks[b].from_top = i % 7 == 6 ? s->blocks[b].from_top : s->best[b].from_top;
            }
        }
    }
}

uint64_t ts__layout_search(ts_arena *scratch, ts_block *blocks, uint32_t count, uint32_t tries) {
    if (count == 0) {
        return 0;
    }
    layout_search s = {.blocks = blocks, .count = count, .peak = UINT64_MAX};
    s.best = TS_NEW_ARRAY(scratch, ts_block, count);
    s.order = TS_NEW_ARRAY(scratch, uint32_t, count);
    s.kept = TS_NEW_ARRAY(scratch, uint32_t, count);
    s.neighbours = TS_NEW_ARRAY(scratch, const ts_block *, count);
    search_orders(&s, ts__layout_bound(blocks, count), tries);
    memcpy(blocks, s.best, count * sizeof *blocks);
    return s.peak;
}
