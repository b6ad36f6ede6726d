/* Every program of the golden suite, measured on the cores' RTL: results, retired instructions and cycles.
 *
 * The numbers are in ri5cy/expected.json, the rules behind them in docs/simulator.md. */
#include "harness.h"

#include <jansson.h>
#include <string.h>
#include <unistd.h>

#include "sim/build_program.h"
#include "sim/sim.h"

static const char *folder;

static void check(ts_sim *sim, const char *core, const json_t *program) {
    const char *name = json_string_value(json_object_get(program, "name"));
    ts_sim_suite_result result = ts_sim_suite(sim);
    long long cycles = json_integer_value(json_object_get(json_object_get(program, "cycles_by_core"), core));
    const json_t *signature = json_object_get(program, "signature");
    assert_int_equal(ts_sim_exit_code(sim), 0);
    if ((long long)result.cycles != cycles ||
        (long long)result.retired != json_integer_value(json_object_get(program, "retired")) ||
        result.signature_count != json_array_size(signature)) {
        fail_msg("%s on %s: %llu cycles, want %lld; %llu retired", name, core,
                 (unsigned long long)result.cycles, cycles, (unsigned long long)result.retired);
    }
    for (uint32_t i = 0; i < result.signature_count; i++) {
        char text[16];
        snprintf(text, sizeof text, "0x%08x", result.signature[i]);
        assert_string_equal(text, json_string_value(json_array_get(signature, i)));
    }
}

static void run(ts_arena *arena, ts_bytes elf, const char *core, const json_t *program) {
    ts_diags diags = {.arena = arena};
    ts_sim_options options = {.core_revision = core, .machine = "ri5cy-suite", .max_cycles = 1000000};
    ts_sim *sim;
    assert_int_equal(ts_sim_new(arena, NULL, &options, &sim, &diags), TS_OK);
    assert_int_equal(ts_sim_load_elf(sim, elf, &diags), TS_OK);
    if (ts_sim_run(sim, &diags) != TS_OK) {
        fail_msg("%s on %s: %s", json_string_value(json_object_get(program, "name")), core,
                 diags.list.data[0].text);
    }
    check(sim, core, program);
    ts_sim_free(sim);
}

static void every_program_agrees(void **state) {
    (void)state;
    char path[4096];
    snprintf(path, sizeof path, "%s/expected.json", folder);
    json_error_t error;
    json_t *root = json_load_file(path, 0, &error);
    assert_non_null(root);
    const json_t *programs = json_object_get(root, "programs");
    assert_true(json_array_size(programs) >= 114);
    for (size_t i = 0; i < json_array_size(programs); i++) {
        ts_arena *arena = ts_arena_new("test", 0);
        const json_t *program = json_array_get(programs, i);
        const char *name = json_string_value(json_object_get(program, "name"));
        char *cwd = getcwd(NULL, 0);
        ts_bytes elf = build_program(arena, folder,
                                     ts_arena_printf(arena,
                                                     "-march=rv32imc -mabi=ilp32 -nostdlib -I. "
                                                     "-Wl,-Ttext=0x0 -Wl,-Tdata=0x8000 -Wl,-e,_start %s.S",
                                                     name),
                                     ts_arena_printf(arena, "%s/ri5cy_test_%s.elf", cwd, name));
        free(cwd);
        const char *core;
        json_t *cycles;
        json_object_foreach(json_object_get(program, "cycles_by_core"), core, cycles) {
            run(arena, elf, core, program);
        }
        ts_arena_free(arena);
    }
    json_decref(root);
}

int main(int argc, char **argv) {
    if (argc < 2 || !build_possible()) {
        puts("skipped: needs the folder of programs and riscv64-unknown-elf-gcc");
        return TS_TEST_SKIP;
    }
    folder = argv[1];
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_program_agrees)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
