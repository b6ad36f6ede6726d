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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layouts_are_valid),
        cmocka_unit_test(a_chain_takes_its_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
