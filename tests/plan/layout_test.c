/* Both layouts hold every buffer apart from those that live with it; the search never needs less than the
 * bound. */
#include "harness.h"

#include <string.h>

#include "base/random.h"
#include "plan/layout.h"

static uint32_t random_blocks(ts_random *random, ts_block *blocks) {
    uint32_t count = (uint32_t)ts_random_range(random, 1, 40);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t first = (uint32_t)ts_random_range(random, 0, 20);
        blocks[i] = (ts_block){.bytes = (uint64_t)ts_random_range(random, 0, 5000),
                               .first = first,
                               .last = first + (uint32_t)ts_random_range(random, 0, 4),
                               .from_top = ts_random_range(random, 0, 1) == 0};
    }
    return count;
}

static uint64_t reach(const ts_block *blocks, uint32_t count) {
    uint64_t most = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t end = blocks[i].bytes > 0 ? blocks[i].offset + blocks[i].bytes : 0;
        most = end > most ? end : most;
    }
    return most;
}

static void layouts_are_valid(void **state) {
    (void)state;
    uint64_t stacks = 0, searches = 0, bounds = 0;
    for (uint64_t seed = 1; seed <= 300; seed++) {
        ts_arena *arena = ts_arena_new("test", 0);
        ts_random random = ts_random_seed(seed);
        ts_block blocks[64];
        uint32_t count = random_blocks(&random, blocks);
        uint64_t bound = ts__layout_bound(blocks, count);
        uint64_t stack = ts__layout_stack(arena, blocks, count);
        assert_true(ts__layout_is_valid(blocks, count));
        assert_true(reach(blocks, count) <= stack && bound <= stack);
        uint64_t search = ts__layout_search(arena, blocks, count, 1500, 0);
        assert_true(ts__layout_is_valid(blocks, count));
        assert_true(reach(blocks, count) <= search && bound <= search);
        stacks += stack;
        searches += search;
        bounds += bound;
        ts_arena_free(arena);
    }
    print_message("over the bound: stack %.1f %%, search %.1f %%\n",
                  100.0 * (double)stacks / (double)bounds - 100,
                  100.0 * (double)searches / (double)bounds - 100);
    assert_true(searches < stacks);
}

static void a_chain_takes_its_bound(void **state) {
    (void)state;
    ts_arena *arena = ts_arena_new("test", 0);
    ts_block blocks[10];
    for (uint32_t i = 0; i < 10; i++) {
        blocks[i] =
            (ts_block){.bytes = 100 + 40 * (i % 3), .first = i, .last = i + 1, .from_top = i % 2 == 1};
    }
    uint64_t bound = ts__layout_bound(blocks, 10);
    assert_int_equal(ts__layout_stack(arena, blocks, 10), bound);
    assert_int_equal(ts__layout_search(arena, blocks, 10, 100, 0), bound);
    ts_arena_free(arena);
}

/* Every offset of every block, without any idea: the least limit for few small blocks. */
static bool place_anyhow(ts_block *blocks, uint32_t count, uint32_t at, uint64_t limit) {
    if (at == count) {
        return true;
    }
    for (uint64_t offset = 0; offset + blocks[at].bytes <= limit; offset += TS_BLOCK_ALIGN) {
        blocks[at].offset = offset;
        if (ts__layout_is_valid(blocks, at + 1) && place_anyhow(blocks, count, at + 1, limit)) {
            return true;
        }
    }
    return false;
}

/* Blocks that fill every step to the same height: where some end, others of the same sum begin. Their pieces
 * seldom fit into the holes. */
static uint32_t tight_blocks(ts_random *random, ts_block *blocks, uint32_t room) {
    uint32_t count = 0, steps = (uint32_t)ts_random_range(random, 2, 8);
    int64_t units = ts_random_range(random, 4, 8), free_units = units;
    for (uint32_t t = 0; t < steps; t++) {
        for (uint32_t i = 0; i < count && t > 0; i++) {
            if (blocks[i].last == UINT32_MAX && ts_random_range(random, 0, 1) == 0) {
                blocks[i].last = t - 1;
                free_units += (int64_t)(blocks[i].bytes / TS_BLOCK_ALIGN);
            }
        }
        while (free_units > 0 && count < room) {
            int64_t size = ts_random_range(random, 1, free_units < 4 ? free_units : 4);
            blocks[count++] =
                (ts_block){.bytes = TS_BLOCK_ALIGN * (uint64_t)size, .first = t, .last = UINT32_MAX};
            free_units -= size;
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        blocks[i].last = blocks[i].last == UINT32_MAX ? steps - 1 : blocks[i].last;
    }
    return count;
}

static void the_decision_equals_brute_force(void **state) {
    (void)state;
    uint32_t above = 0, found = 0;
    for (uint64_t seed = 1; seed <= 12000; seed++) {
        ts_arena *arena = ts_arena_new("test", 0);
        ts_random random = ts_random_seed(seed);
        ts_block blocks[24];
        uint32_t count = tight_blocks(&random, blocks, 24);
        uint64_t bound = ts__layout_bound(blocks, count), limit = bound;
        for (; !place_anyhow(blocks, count, 0, limit); limit += TS_BLOCK_ALIGN) {
            assert_int_equal(ts__layout_decide(blocks, count, limit, 1000000), TS_LAYOUT_IMPOSSIBLE);
        }
        above += limit > bound;
        assert_int_equal(ts__layout_decide(blocks, count, limit, 1000000), TS_LAYOUT_PLACED);
        assert_true(ts__layout_is_valid(blocks, count) && reach(blocks, count) <= limit);
        found += ts__layout_search(arena, blocks, count, 1500, 0) == limit;
        ts_arena_free(arena);
    }
    print_message("%u of 12000 need more than the bound; the search finds the least of %u\n", above, found);
    assert_true(above > 0);
}

static void the_decision_on_many_blocks(void **state) {
    (void)state;
    uint32_t answers[3] = {0};
    for (uint64_t seed = 1; seed <= 300; seed++) {
        ts_random random = ts_random_seed(seed);
        ts_block blocks[64];
        uint32_t count = random_blocks(&random, blocks);
        uint64_t bound = ts__layout_bound(blocks, count);
        ts_layout_answer answer = ts__layout_decide(blocks, count, bound, 100000);
        answers[answer]++;
        assert_true(answer != TS_LAYOUT_PLACED ||
                    (ts__layout_is_valid(blocks, count) && reach(blocks, count) <= bound));
    }
    print_message("at the bound: %u placed, %u impossible, %u undecided\n", answers[0], answers[1],
                  answers[2]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layouts_are_valid),
        cmocka_unit_test(a_chain_takes_its_bound),
        cmocka_unit_test(the_decision_equals_brute_force),
        cmocka_unit_test(the_decision_on_many_blocks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
