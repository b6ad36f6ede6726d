/* --check names each kind of mistake and nothing else (the programs: check/faults.c); the networks that the
 * project generates are clean (tests/run). */
#include "harness.h"

#include <string.h>
#include <unistd.h>

#include "sim/build_program.h"
#include "sim/sim.h"

static const char *folder;

static const struct expectation {
    int number;
    const char *says; /* NULL: nothing */
} expected[] = {
    {0, NULL}, /* loaded and stored, not used */
    {1, "branches on a value that depends on a byte that nobody wrote"},
    {2, "uses as an address a value that depends on a byte that nobody wrote"},
    {3, "gives a peripheral a value that depends on a byte that nobody wrote"},
    {4, NULL},          /* only the byte that was written is used */
    {5, NULL},          /* a product with zero */
    {6, "branches on"}, /* through memory */
    {7, "branches on"}, /* through the DMA */
    {8, "reads_its_frame"},
    {10, "overwrites what core"},
    {11, NULL},                                 /* a barrier of two orders the two */
    {12, "a byte that core 0 wrote meanwhile"}, /* and not the third */
    {13, NULL},
    {14, "wrote, with nothing to order the two"},
    {15, NULL},
    {16, "a byte that core 0 wrote meanwhile"},
    {17, NULL},
    {18, "check: the fabric controller at"},
    {21, "overwrites what core"}, /* read before, much of it */
    {22, NULL},                   /* or a little */
    {19, NULL},
    {20, NULL},
    {30, "that the DMA wrote meanwhile"},
    {31, NULL},
    {32, "that the DMA wrote meanwhile"},
    {33, "writes bytes that a DMA of core 0 reads at this moment"},
    {34, "overwrites what the DMA read"},
    {35, "began a transfer that overwrites what core 1 read"},
    {36, NULL}, /* a few bytes may be read beyond what is used */
    {37, NULL},
    {38, NULL},
};

static void one_case(const struct expectation *e) {
    ts_arena *arena = ts_arena_new("test", 0);
    ts_diags diags = {.arena = arena};
    char *cwd = getcwd(NULL, 0);
    ts_bytes elf = build_program(
        arena, folder,
        ts_arena_printf(
            arena,
            "-march=rv32imc_zicsr -mabi=ilp32 -O2 -mno-relax -nostdlib -ffreestanding -fno-builtin "
            "-Wl,--no-warn-rwx-segments -I. -T link.ld crt0.S rt.c ../check/faults.c -DCASE=%d "
            "-Wl,--no-relax -Wl,--build-id=none",
            e->number),
        ts_arena_printf(arena, "%s/check_test_%d.elf", cwd, e->number));
    free(cwd);
    const ts_target *target;
    assert_int_equal(ts_target_load(arena, "pulp-open", &target, &diags), TS_OK);
    ts_sim_options options = {.max_cycles = 10000000, .check = true};
    ts_sim *sim;
    assert_int_equal(ts_sim_new(arena, target, &options, &sim, &diags), TS_OK);
    assert_int_equal(ts_sim_load_elf(sim, elf, &diags), TS_OK);
    assert_int_equal(ts_sim_run(sim, &diags), TS_OK);
    bool said = false;
    for (uint32_t i = 0; i < diags.list.count; i++) {
        said = said || (e->says != NULL && strstr(diags.list.data[i].text, e->says) != NULL);
    }
    if (said != (e->says != NULL) || (e->says == NULL && diags.list.count != 0)) {
        fail_msg("case %d, expected '%s': %u reports, first '%s'", e->number,
                 e->says == NULL ? "nothing" : e->says, diags.list.count,
                 diags.list.count == 0 ? "" : diags.list.data[0].text);
    }
    ts_sim_free(sim);
    ts_arena_free(arena);
}

static void each_mistake_is_named(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        one_case(&expected[i]);
    }
}

int main(int argc, char **argv) {
    if (argc < 2 || !build_possible()) {
        puts("skipped: needs the folder of programs and riscv64-unknown-elf-gcc");
        return TS_TEST_SKIP;
    }
    folder = argv[1];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_mistake_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
