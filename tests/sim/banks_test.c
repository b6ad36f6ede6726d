/* The order in which L1's banks serve: running cores ahead to their next access must give the same cycles as
 * stepping all of them cycle by cycle. The model here does the latter, from the rule alone: a bank serves one
 * access a cycle; who waits longest comes first, and of several the first from core (cycle mod cores) on, or
 * where the target says so the one that was woken last, here the one with the highest number. */
#include "harness.h"

#include <string.h>

#include "base/random.h"
#include "sim/assemble.h"
#include "sim/machine.h"

enum { CORES = 8, ACCESSES = 60, TRIALS = 60, MAX_GAP = 9 };

typedef struct access {
    uint32_t address, gap; /* `gap` instructions stand in front */
} access;

typedef struct outcome {
    uint64_t end, stalls;
} outcome;

static void place_accesses(ts_sim *sim, uint32_t pc, const access *list) {
    char text[64];
    for (int i = 0; i < ACCESSES; i++) {
        for (uint32_t k = 0; k < list[i].gap; k++) {
            pc = place(sim, pc, k % 2u == 0u ? "addi x11, x11, 1" : "mul x12, x11, x11");
        }
        snprintf(text, sizeof text, i % 3 == 0 ? "sw x13, %u(x10)" : "lw x14, %u(x10)", list[i].address);
        pc = place(sim, pc, text);
    }
    place(sim, pc, "wfi");
}

static void step_cycles(access lists[CORES][ACCESSES], uint32_t cores, uint32_t round, bool first_come,
                        outcome *out) {
    uint64_t at[CORES];
    int next[CORES] = {0};
    uint64_t asked[CORES];
    uint32_t left = cores;
    for (uint32_t c = 0; c < cores; c++) {
        at[c] = asked[c] = 1u + lists[c][0].gap;
        out[c] = (outcome){0};
    }
    for (uint64_t now = 1; left != 0u; now++) {
        int winner[16];
        memset(winner, -1, sizeof winner);
        for (uint32_t k = 0; k < round; k++) {
            uint32_t c = first_come ? round - 1u - k : (uint32_t)((now + k) % round);
            if (c >= cores || next[c] == ACCESSES || at[c] != now) {
                continue;
            }
            int *best = &winner[lists[c][next[c]].address / 4u % 16u];
            if (*best < 0 || asked[c] < asked[*best]) {
                *best = (int)c;
            }
        }
        for (uint32_t c = 0; c < cores; c++) {
            if (next[c] == ACCESSES || at[c] != now) {
                continue;
            }
            if (winner[lists[c][next[c]].address / 4u % 16u] != (int)c) {
                at[c]++;
                out[c].stalls++;
                continue;
            }
            next[c]++;
            out[c].end = now + 1u;
            left -= next[c] == ACCESSES;
            if (next[c] < ACCESSES) {
                at[c] = asked[c] = now + 1u + lists[c][next[c]].gap;
            }
        }
    }
}

static void one_trial(ts_random *random, const ts_target *target, uint32_t spread) {
    static access lists[CORES][ACCESSES];
    ts_arena *arena = ts_arena_new("test", 0);
    ts_diags diags = {.arena = arena};
    ts_sim_options options = {.max_cycles = 100000};
    ts_sim *sim;
    assert_int_equal(ts_sim_new(arena, target, &options, &sim, &diags), TS_OK);
    uint32_t cores = (uint32_t)ts_random_range(random, 1, CORES);
    for (uint32_t c = 0; c < cores; c++) {
        for (int i = 0; i < ACCESSES; i++) {
            lists[c][i].address = 4u * (uint32_t)ts_random_range(random, 0, spread);
            lists[c][i].gap = (uint32_t)ts_random_range(random, 0, ts_random_range(random, 0, MAX_GAP));
        }
        uint32_t begin = 0x1c000000u + c * 0x4000u;
        place_accesses(sim, begin, lists[c]);
        sim->core[c].r[10] = 0x10000000u;
        ts__core_start(sim, &sim->core[c], begin, 1);
        memset(sim->core[c].own_lines[0], 1, 0x4000u * CORES / TS__LINE_BYTES); /* fetches cost nothing */
        sim->core[c].park = TS__PARK_YIELD;
    }
    assert_int_equal(ts_sim_run(sim, &diags), TS_SYSTEM); /* every core sleeps in the end */
    outcome expected[CORES];
    step_cycles(lists, cores, sim->core_count, sim->first_come, expected);
    for (uint32_t c = 0; c < cores; c++) {
        ts_sim_counters counters;
        ts_sim_counters_of(sim, c, &counters);
        assert_int_equal(counters.by_cause[TS_SIM_TCDM], expected[c].stalls);
        assert_int_equal(sim->core[c].t, expected[c].end + 1u); /* the wfi */
    }
    ts_sim_free(sim);
    ts_arena_free(arena);
}

static void running_ahead_equals_stepping(void **state) {
    (void)state;
    ts_arena *arena = ts_arena_new("test", 0);
    ts_diags diags = {.arena = arena};
    const ts_target *targets[2];
    assert_int_equal(ts_target_load(arena, "gap8", &targets[0], &diags), TS_OK);
    assert_int_equal(ts_target_load(arena, "pulp-open", &targets[1], &diags), TS_OK);
    ts_random random = ts_random_seed(1);
    for (int i = 0; i < TRIALS; i++) {
        one_trial(&random, targets[i % 2], i % 3 == 0 ? 1u : i % 3 == 1 ? 15u : 200u);
    }
    ts_arena_free(arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(running_ahead_equals_stepping)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
