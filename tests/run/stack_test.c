/* The stack of programs of known frames, written in assembly. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "harness.h"
#include "run/stack.h"

/* Assembles `text` and returns the need of `root`; layer_* are layers, `driver` calls them. */
static uint32_t need_of(ts_arena *arena, const char *text, const char *root, ts_diags *diags) {
    static const char *const callers[] = {"driver"}, *const layers[] = {"layer_0", "layer_1"};
    char folder[] = P_tmpdir "/tessera-stack.XXXXXX";
    assert_non_null(mkdtemp(folder));
    const char *source = ts_path_join(arena, folder, "a.S"), *program = ts_path_join(arena, folder, "a.elf");
    assert_int_equal(ts_file_write(source, text, strlen(text), diags), TS_OK);
    const char *command = ts_arena_printf(
        arena,
        "riscv64-unknown-elf-gcc -march=rv32imc -misa-spec=2.2 -mabi=ilp32 -nostdlib -mno-relax -o %s %s",
        program, source);
    assert_int_equal(system(command), 0);
    ts_bytes file;
    ts_elf elf;
    assert_int_equal(ts_file_read(arena, program, 1 << 20, &file, diags), TS_OK);
    assert_int_equal(ts_elf_read(arena, file, &elf, diags), TS_OK);
    assert_int_equal(ts_dir_remove(folder, diags), TS_OK);
    return ts__stack_need(arena, &elf, root, callers, 1, layers, 2, diags);
}

#define FUNCTION(name, body)                                                                               \
    "    .type " name ", @function\n    .globl " name "\n" name ":\n" body "    .size " name ", . - " name \
    "\n"

static const char program[] =
    "    .text\n" FUNCTION("_start", "    ret\n") FUNCTION("leaf", "    addi sp, sp, -32\n    ret\n")
        FUNCTION("deep", "    addi sp, sp, -64\n    call leaf\n    addi sp, sp, 64\n    tail leaf\n")
            FUNCTION("layer_0", "    addi sp, sp, -16\n    call deep\n    ret\n")
                FUNCTION("layer_1", "    addi sp, sp, -1024\n    addi sp, sp, -512\n    ret\n")
                    FUNCTION("driver", "    addi sp, sp, -48\n    la a0, layers\n    lw a0, 0(a0)\n    jalr a0\n    ret\n")
                        FUNCTION("routine", "    addi sp, sp, -128\n    ret\n")
                            FUNCTION("kernel", "    la a1, routine\n    jr a1\n")
                                FUNCTION("chooser", "    addi sp, sp, -16\n    lw a1, 0(a0)\n    jalr a1\n    ret\n")
                                    FUNCTION("again", "    addi sp, sp, -16\n    call again\n    ret\n")
                                        FUNCTION("varies", "    sub sp, sp, a0\n    ret\n")
    "    .section .rodata\n    .balign 4\nlayers: .word layer_0, layer_1\n";

static void chains_are_followed(void **state) {
    (void)state;
    ts_arena *arena = ts_arena_new("test", 0);
    ts_diags diags = {.arena = arena};
    assert_int_equal(need_of(arena, program, "leaf", &diags), 32);
    assert_int_equal(need_of(arena, program, "deep", &diags), 64 + 32);
    assert_int_equal(need_of(arena, program, "driver", &diags), 48 + 1024 + 512);
    assert_int_equal(need_of(arena, program, "kernel", &diags), 128);
    /* Through a register: what is taken and no layer. */
    assert_int_equal(need_of(arena, program, "chooser", &diags), 16 + 128);
    ts_arena_free(arena);
}

static void what_has_no_bound_is_said(void **state) {
    (void)state;
    ts_arena *arena = ts_arena_new("test", 0);
    static const struct {
        const char *root, *message;
    } cases[] = {{"again", "'again' has no bound: it may call itself"},
                 {"varies", "'varies' has no bound: its frame has no fixed size"},
                 {"nowhere", "no function 'nowhere'"}};
    for (uint32_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ts_diags diags = {.arena = arena};
        assert_int_equal(need_of(arena, program, cases[i].root, &diags), 0);
        assert_int_equal(diags.list.count, 1);
        assert_non_null(strstr(diags.list.data[0].text, cases[i].message));
    }
    ts_arena_free(arena);
}

int main(void) {
    if (system("riscv64-unknown-elf-gcc --version >/dev/null 2>&1") != 0) {
        fprintf(stderr, "no RISC-V compiler: skipped\n");
        return TS_TEST_SKIP;
    }
    const struct CMUnitTest tests[] = {cmocka_unit_test(chains_are_followed),
                                       cmocka_unit_test(what_has_no_bound_is_said)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
