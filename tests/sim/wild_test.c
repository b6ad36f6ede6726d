/* Random instructions on two cluster cores and the fabric controller, aimed at what there is to break: event
 * unit, DMA, uDMA, ends of memories. Runs end by exit, fault or limit, and the simulator's own assertions
 * hold. */
#include "harness.h"

#include "base/random.h"
#include "sim/machine.h"

enum { PROGRAMS = 150, WORDS = 256, CODE = 0x1c000000, CYCLES = 3000 };

static void aim(ts__core *core, ts_random *random) {
    static const uint32_t aims[] = {0x10000000, 0x1000fffe, 0x1c000000, 0x1c07fffe, 0x10204000,
                                    0x10204200, 0x10204400, 0x10200000, 0x10200400, 0x10200800,
                                    0x10201400, 0x1a102480, 0x1a102880, 0x1a104000, 0x00000040,
                                    0x00060040, 0x000e0010, 16,         0x00000100, 0x1a109800};
    for (uint32_t i = 1; i < 32; i++) {
        core->r[i] = aims[ts_random_range(random, 0, sizeof aims / sizeof aims[0] - 1)];
    }
}

/* Mostly words that are instructions; every other access keeps its small offset. */
static uint32_t any_word(ts_random *random) {
    uint32_t bits = (uint32_t)ts_random_next(random);
    if (ts_random_range(random, 0, 15) == 0) {
        return bits;
    }
    const ts_isa_row *row = &ts_isa_rows[ts_random_range(random, 0, TS_ISA_OP_COUNT - 1)];
    uint32_t word = (bits & ~row->mask) | row->match;
    bool memory = (row->flags & (TS_F_LOAD | TS_F_STORE)) != 0u;
    return memory && ts_random_range(random, 0, 1) == 0 ? word & 0x01ffffffu : word;
}

static void anything_ends(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < PROGRAMS; seed++) {
        ts_arena *arena = ts_arena_new("test", 0);
        ts_diags diags = {.arena = arena};
        ts_random random = ts_random_seed(seed);
        const ts_target *target;
        ts_sim_options options = {.max_cycles = CYCLES, .check = seed % 2 == 0};
        ts_sim *sim;
        assert_int_equal(ts_target_load(arena, seed % 3 == 0 ? "pulp-open" : "gap8", &target, &diags), TS_OK);
        assert_int_equal(ts_sim_new(arena, target, &options, &sim, &diags), TS_OK);
        for (uint32_t i = 0; i < WORDS; i++) {
            uint32_t word = any_word(&random);
            assert_true(ts_sim_write(sim, CODE + 4u * i, &word, 4));
        }
        ts__core *cores[3] = {&sim->core[TS__FC], &sim->core[0], &sim->core[1]};
        for (uint32_t i = 0; i < 3; i++) {
            aim(cores[i], &random);
            ts__core_start(sim, cores[i], CODE + 64u * i, i);
        }
        assert_true(ts_sim_run(sim, &diags) == TS_OK || ts_diags_errors(&diags) != 0);
        ts_sim_free(sim);
        ts_arena_free(arena);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(anything_ends)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
