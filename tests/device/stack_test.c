/* The stack that each kernel needs by its code is what the planner counts for it. */
#include "run/stack.h"
#include "harness.h"
#include "rig.h"

uint32_t ts_test_core, ts_test_cores = 1;

static ts_arena *arena;
static rig the_rig;

static void kernels_need_what_is_counted(void **state) {
    (void)state;
    static const char *const names[] = {
#define TS_CONV_KERNEL(name, isa, twin, sources)   #name,
#define TS_ADD_KERNEL(name, isa, twin, sources)    #name,
#define TS_MATMUL_KERNEL(name, isa, twin, sources) #name,
#include "kernels/kernels.def"
    };
    ts_elf elf;
    ts_diags diags = {.arena = arena};
    assert_int_equal(ts_elf_read(arena, the_rig.elf, &elf, &diags), TS_OK);
    for (uint32_t i = 0; i < sizeof names / sizeof *names; i++) {
        uint32_t need = ts__stack_need(arena, &elf, names[i], NULL, 0, NULL, 0, &diags);
        print_message("%s: %u of %u bytes\n", names[i], need, rig_row(names[i])->stack_bytes);
        assert_int_equal(ts_diags_errors(&diags), 0);
        assert_in_range(need, 0, rig_row(names[i])->stack_bytes); /* 0: a leaf without a frame */
    }
}

int main(void) {
    arena = ts_arena_new("rig", 0);
    if (!rig_build(&the_rig, arena, "gap8", 8)) {
        fprintf(stderr, "no RISC-V compiler: skipped\n");
        return TS_TEST_SKIP;
    }
    const struct CMUnitTest tests[] = {cmocka_unit_test(kernels_need_what_is_counted)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
