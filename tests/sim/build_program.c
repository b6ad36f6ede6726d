#include "sim/build_program.h"

#include "harness.h"

#define COMPILER "riscv64-unknown-elf-gcc"

bool build_possible(void) { return system(COMPILER " --version >/dev/null 2>&1") == 0; }

ts_bytes build_program(ts_arena *arena, const char *folder, const char *arguments, const char *output) {
    char *command = ts_arena_printf(arena, "cd '%s' && " COMPILER " %s -o '%s'", folder, arguments, output);
    if (system(command) != 0) {
        fail_msg("does not build: %s", command);
    }
    ts_diags diags = {.arena = arena};
    ts_bytes bytes = {0};
    assert_int_equal(ts_file_read(arena, output, 64u << 20, &bytes, &diags), TS_OK);
    remove(output);
    return bytes;
}
