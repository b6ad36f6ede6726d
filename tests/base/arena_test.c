#include "base/arena.h"

#include <string.h>

#include "harness.h"

static void zeroed_and_aligned(void **state) {
    (void)state;
    ts_arena *arena = ts_arena_new("test", 0);
    for (size_t size = 0; size < 300; size += 7) {
        unsigned char *bytes = ts_arena_alloc(arena, size);
        assert_int_equal((uintptr_t)bytes % 16, 0);
        for (size_t i = 0; i < size; i++) {
            assert_int_equal(bytes[i], 0);
        }
        memset(bytes, 0xff, size);
    }
    ts_arena_free(arena);
}

static void vector_keeps_what_was_pushed(void **state) {
    (void)state;
    ts_arena *arena = ts_arena_new("test", 0);
    TS_VEC(int) v = {0};
    for (int i = 0; i < 10000; i++) {
        TS_PUSH(arena, &v, i);
    }
    assert_int_equal(v.count, 10000);
    for (int i = 0; i < 10000; i++) {
        assert_int_equal(v.data[i], i);
    }
    ts_arena_free(arena);
}

static int released;
static void release(void *object) { released += *(int *)object; }

static void limit_unwinds_to_the_guard(void **state) {
    (void)state;
    static int weight = 5;
    static ts_arena *arena;
    released = 0;
    arena = ts_arena_new("test", 1000);
    ts_guard guard;
    if (TS_GUARD_ENTER(&guard)) {
        assert_int_equal(released, 5);
        ts_arena_free(arena);
        return;
    }
    ts_guard_defer(release, &weight);
    ts_arena_alloc(arena, 900);
    ts_arena_alloc(arena, 101);
    fail();
}

static void overflowing_product_is_exhaustion(void **state) {
    (void)state;
    static ts_arena *arena;
    arena = ts_arena_new("test", 0);
    ts_guard guard;
    if (TS_GUARD_ENTER(&guard)) {
        ts_arena_free(arena);
        return;
    }
    ts_arena_array(arena, SIZE_MAX / 2, 3);
    fail();
}

static void failing_host_allocation_unwinds(void **state) {
    (void)state;
    static ts_arena *arena;
    arena = ts_arena_new("test", 0);
    ts_guard guard;
    if (TS_GUARD_ENTER(&guard)) {
        ts_arena_fail_after(0);
        ts_arena_free(arena);
        return;
    }
    ts_arena_fail_after(1);
    ts_arena_alloc(arena, 10);
    fail();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(zeroed_and_aligned),
        cmocka_unit_test(vector_keeps_what_was_pushed),
        cmocka_unit_test(limit_unwinds_to_the_guard),
        cmocka_unit_test(overflowing_product_is_exhaustion),
        cmocka_unit_test(failing_host_allocation_unwinds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
