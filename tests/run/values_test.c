/* Activations as numbers and as bytes: every type, and pixels that do not fill their bytes. */
#include "run/values.h"
#include "emit/emit.h"
#include "harness.h"
#include "num/generate.h"

static void test_round_trip(void **state) {
    (void)state;
    ts_arena *arena = ts_arena_new("values", 0);
    for (int type = 0; type < TS_TYPE_COUNT; type++) {
        for (uint32_t channels = 1; channels <= 9 && type != TS_F32; channels++) {
            ts_tensor tensor = {.name = "t", .type = (ts_type)type, .rank = 4, .dims = {1, 3, 2, channels}};
            int32_t *values = ts_random_values(arena, channels, &tensor, channels % 2 == 0);
            int32_t *back = ts_values_unpack(arena, &tensor, ts_values_pack(arena, &tensor, values));
            assert_memory_equal(values, back, 6 * channels * sizeof *values);
        }
    }
    ts_arena_free(arena);
}

static void test_layout(void **state) {
    (void)state;
    ts_arena *arena = ts_arena_new("values", 0);
    ts_tensor tensor = {.name = "t", .type = TS_S4, .rank = 4, .dims = {1, 1, 2, 3}};
    const int32_t values[] = {1, -2, 3, -8, 7, -1};
    const uint8_t expected[] = {0xe1, 0x03, 0x78, 0x0f};
    assert_int_equal(ts_emit_map_bytes(&tensor), sizeof expected);
    assert_memory_equal(ts_values_pack(arena, &tensor, values), expected, sizeof expected);
    tensor.type = TS_S16;
    const uint8_t wide[] = {1, 0, 0xfe, 0xff, 3, 0, 0xf8, 0xff, 7, 0, 0xff, 0xff};
    assert_memory_equal(ts_values_pack(arena, &tensor, values), wide, sizeof wide);
    assert_int_equal(ts_emit_sum(wide, sizeof wide), 1 + 254 + 255 + 3 + 248 + 255 + 7 + 255 + 255);
    ts_arena_free(arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_round_trip), cmocka_unit_test(test_layout)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
