/* Code that means no good: random words, random instructions of every kind, with random registers. The
 * simulator exits, faults with a message, or reaches its limit; it never leaves its memory (this runs under
 * the address sanitizer in `make check`) and its own assertions hold. */
#include <string.h>

#include "base/random.h"
#include "harness.h"
#include "isa/isa.h"
#include "sim/sim.h"

enum { HEADER_BYTES = 84, CODE_WORDS = 200, PROGRAMS = 300, BASE_PAGES = 0x80000 };

static void put_words(uint8_t *at, const uint32_t *words, size_t count) { memcpy(at, words, 4 * count); }

/* A random instruction of a random row; sometimes any word. */
static uint32_t draw(ts_random *random) {
    uint32_t noise = (uint32_t)ts_random_next(random);
    if (ts_random_next(random) % 32 == 0) {
        return noise;
    }
    const ts_isa_row *row = &ts_isa_rows[ts_random_next(random) % TS_ISA_OP_COUNT];
    bool ends_soon =
        row->class == TS_CLASS_SYSTEM || row->class == TS_CLASS_JALR || row->class == TS_CLASS_CSR;
    if (ends_soon && ts_random_next(random) % 8 != 0) {
        row = &ts_isa_rows[TS_OP_p_mac];
    }
    return row->match | (noise & ~row->mask);
}

/* Sets every register to a place in memory, so that accesses are not all faults. */
static uint32_t draw_base(ts_random *random, uint32_t number) {
    const ts_isa_row *lui = &ts_isa_rows[TS_OP_lui];
    uint32_t page = BASE_PAGES + (uint32_t)(ts_random_next(random) % 256);
    return lui->match | number << 7 | page << 12;
}

static ts_bytes make_elf(ts_arena *arena, ts_random *random) {
    uint8_t *file = ts_arena_alloc(arena, HEADER_BYTES + 4 * CODE_WORDS);
    const uint32_t bytes = 4 * CODE_WORDS;
    const uint32_t header[9] = {2 | 243 << 16, 1, 0x80000000u, 52, 0, 1, 52 | 32 << 16, 1, 0};
    const uint32_t segment[8] = {1, HEADER_BYTES, 0x80000000u, 0x80000000u, bytes, bytes + 64, 7, 4};
    memcpy(file, "\177ELF\1\1\1", 7);
    put_words(file + 16, header, 9);
    put_words(file + 52, segment, 8);
    for (uint32_t i = 0; i < CODE_WORDS; i++) {
        uint32_t word = i < 31 ? draw_base(random, i + 1) : draw(random);
        put_words(file + HEADER_BYTES + 4 * i, &word, 1);
    }
    return (ts_bytes){file, HEADER_BYTES + bytes};
}

static uint32_t run(uint64_t seed) {
    ts_random random = ts_random_seed(seed);
    ts_arena *arena = ts_arena_new("test", 0);
    ts_diags diags = {.arena = arena};
    ts_sim_options options = {.machine = "flat",
                              .max_cycles = 2000,
                              .core_revision = ts_isa_revision_name((ts_isa_revision)(seed % 4))};
    ts_sim *sim;
    assert_int_equal(ts_sim_new(arena, NULL, &options, &sim, &diags), TS_OK);
    assert_int_equal(ts_sim_load_elf(sim, make_elf(arena, &random), &diags), TS_OK);
    ts_status status = ts_sim_run(sim, &diags);
    assert_true((status == TS_OK) == (ts_diags_errors(&diags) == 0));
    uint32_t retired = (uint32_t)ts_sim_retired(sim);
    ts_sim_free(sim);
    ts_arena_free(arena);
    return retired;
}

static void hostile_code_is_contained(void **state) {
    (void)state;
    uint64_t retired = 0;
    for (uint64_t seed = 0; seed < PROGRAMS; seed++) {
        retired += run(seed);
    }
    print_message("%llu instructions in %d programs\n", (unsigned long long)retired, PROGRAMS);
    assert_true(retired > 40 * PROGRAMS);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(hostile_code_is_contained)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
