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

/* First fit: the lowest gap among the blocks placed so far that are alive together with this one. */
static uint64_t first_gap(const ts_block *blocks, const uint32_t *order, uint32_t placed,
                          const ts_block *block, const ts_block **neighbours) {
    uint32_t n = 0;
    for (uint32_t i = 0; i < placed; i++) {
        const ts_block *b = &blocks[order[i]];
        if (!together(b, block)) {
            continue;
        }
        uint32_t at = n++;
        for (; at > 0 && neighbours[at - 1]->offset > b->offset; at--) {
            neighbours[at] = neighbours[at - 1];
        }
        neighbours[at] = b;
    }
    uint64_t offset = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (offset + size_of(block) <= neighbours[i]->offset) {
            break;
        }
        uint64_t end = neighbours[i]->offset + size_of(neighbours[i]);
        offset = end > offset ? end : offset;
    }
    return offset;
}

/* Places all blocks in this order; gives up, returning `limit`, once it is reached. */
static uint64_t place_in_order(ts_block *blocks, uint32_t count, const uint32_t *order, uint64_t limit,
                               const ts_block **neighbours) {
    uint64_t peak = 0;
    for (uint32_t i = 0; i < count; i++) {
        ts_block *b = &blocks[order[i]];
        b->offset = first_gap(blocks, order, i, b, neighbours);
        uint64_t end = b->offset + size_of(b);
        peak = end > peak ? end : peak;
        if (peak >= limit) {
            return limit;
        }
    }
    return peak;
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

/* Exchanges two blocks of the order, or moves one to the front. */
static void disturb(ts_random *random, const uint32_t *from, uint32_t *to, uint32_t count) {
    memcpy(to, from, count * sizeof *to);
    uint32_t a = (uint32_t)(ts_random_next(random) % count), b = (uint32_t)(ts_random_next(random) % count);
    uint32_t moved = to[a];
    if (ts_random_next(random) % 2 == 0) {
        to[a] = to[b];
        to[b] = moved;
        return;
    }
    b = b < a ? b : a;
    memmove(&to[b + 1], &to[b], (a - b) * sizeof *to);
    to[b] = moved;
}

typedef struct layout_search {
    ts_block *blocks, *best;
    uint32_t count;
    uint32_t *order, *kept;
    const ts_block **neighbours;
    uint64_t peak;
} layout_search;

/* Places the blocks in s->order; an order that needs no more than the best one so far is kept. */
static void try_order(layout_search *s) {
    uint64_t limit = s->peak == UINT64_MAX ? UINT64_MAX : s->peak + 1;
    uint64_t peak = place_in_order(s->blocks, s->count, s->order, limit, s->neighbours);
    if (peak < limit) {
        memcpy(s->kept, s->order, s->count * sizeof *s->kept);
        memcpy(s->best, s->blocks, s->count * sizeof *s->best);
        s->peak = peak;
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
    uint64_t bound = ts__layout_bound(blocks, count);
    for (uint32_t r = 0; r < RANKS && s.peak > bound; r++) {
        order_by(blocks, count, ranks[r], s.order);
        try_order(&s);
    }
    ts_random random = ts_random_seed(count);
    for (uint32_t i = 0; i < tries && s.peak > bound; i++) {
        disturb(&random, s.kept, s.order, count);
        try_order(&s);
    }
    memcpy(blocks, s.best, count * sizeof *blocks);
    return s.peak;
}
