/* The platform programs on pulp-open print what an independent simulator prints: text and values equal,
 * decimal numbers within 3 % or 3. Lines that differ for a reason are named in platform/differences.txt with
 * it. */
#include "harness.h"

#include <ctype.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "sim/build_program.h"
#include "sim/sim.h"

static const char *folder;

static void collect(void *user, unsigned core, char c) {
    (void)core;
    ts_text_add_bytes(user, &c, 1);
}

static char *run(ts_arena *arena, const char *name, int *exit_code) {
    char *cwd = getcwd(NULL, 0);
    ts_bytes elf = build_program(
        arena, folder,
        ts_arena_printf(
            arena,
            "-march=rv32imc_zicsr -mabi=ilp32 -O2 -mno-relax -nostdlib -ffreestanding -fno-builtin "
            "-fno-toplevel-reorder -Wl,--no-warn-rwx-segments -T link.ld crt0.S rt.c %s.c -Wl,--no-relax "
            "-Wl,--build-id=none",
            name),
        ts_arena_printf(arena, "%s/platform_test_%s.elf", cwd, name));
    free(cwd);
    ts_diags diags = {.arena = arena};
    ts_text text = {.arena = arena};
    ts_text_add(&text, "");
    const ts_target *target;
    assert_int_equal(ts_target_load(arena, "pulp-open", &target, &diags), TS_OK);
    ts_sim_options options = {.max_cycles = 100000000, .stdout_char = collect, .user = &text};
    ts_sim *sim;
    assert_int_equal(ts_sim_new(arena, target, &options, &sim, &diags), TS_OK);
    assert_int_equal(ts_sim_load_elf(sim, elf, &diags), TS_OK);
    if (ts_sim_run(sim, &diags) != TS_OK) {
        fail_msg("%s: %s", name, diags.list.data[0].text);
    }
    *exit_code = ts_sim_exit_code(sim);
    ts_sim_free(sim);
    return text.data;
}

/* Numbers may differ a little, everything else not at all. */
static bool close_enough(const char *a, const char *b) {
    while (*a != '\0' && *b != '\0') {
        bool hex = a[0] == '0' && a[1] == 'x';
        if (!hex && isdigit((unsigned char)*a) && isdigit((unsigned char)*b)) {
            char *ea, *eb;
            long long x = strtoll(a, &ea, 10), y = strtoll(b, &eb, 10);
            long long gap = x > y ? x - y : y - x;
            if (gap > 3 && gap * 100 > y * 3) {
                return false;
            }
            a = ea;
            b = eb;
        } else if (*a++ != *b++) {
            return false;
        }
        /* The digits of a hexadecimal number are compared one by one, as text. */
        while (hex && (isxdigit((unsigned char)*a) || *a == 'x') && *a == *b) {
            a++;
            b++;
        }
    }
    return *a == *b;
}

/* True when `line` of `name` is named in the list of differences: "NAME: START OF LINE | reason". */
static bool is_listed(const char *list, const char *name, const char *line) {
    size_t length = strlen(name);
    for (const char *at = list; at != NULL && *at != '\0'; at = strchr(at, '\n'), at += at != NULL) {
        const char *bar = strstr(at, " | ");
        if (strncmp(at, name, length) == 0 && strncmp(at + length, ": ", 2) == 0 && bar != NULL) {
            const char *start = at + length + 2;
            if (strncmp(line, start, (size_t)(bar - start)) == 0) {
                return true;
            }
        }
    }
    return false;
}

static char *next_line(char **text) {
    char *line = *text, *end = strchr(line, '\n');
    if (*line == '\0') {
        return NULL;
    }
    *text = end == NULL ? line + strlen(line) : end + 1;
    if (end != NULL) {
        *end = '\0';
    }
    return line;
}

static void compare(ts_arena *arena, const char *name, const char *list, char *got, int *bad) {
    ts_diags diags = {.arena = arena};
    ts_bytes file;
    assert_int_equal(
        ts_file_read(arena, ts_arena_printf(arena, "%s/%s.expected", folder, name), 1u << 20, &file, &diags),
        TS_OK);
    char *want = ts_arena_strdup(arena, (const char *)file.data);
    for (char *a = next_line(&got), *b = next_line(&want); a != NULL || b != NULL;
         a = next_line(&got), b = next_line(&want)) {
        if (a == NULL || b == NULL) {
            fail_msg("%s: the number of lines differs", name);
        }
        bool listed = is_listed(list, name, b);
        if (close_enough(a, b) == listed) {
            printf("%s: %s\n  got  %s\n  want %s\n", name, listed ? "listed, but agrees" : "differs", a, b);
            ++*bad;
        }
    }
}

static void programs_print_what_is_expected(void **state) {
    (void)state;
    static const char *const names[] = {"core", "sem", "barrier", "tcdm", "dma", "hyper", "matmul", "icache"};
    int bad = 0;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        ts_arena *arena = ts_arena_new("test", 0);
        ts_diags diags = {.arena = arena};
        ts_bytes list;
        assert_int_equal(ts_file_read(arena, ts_arena_printf(arena, "%s/differences.txt", folder), 1u << 20,
                                      &list, &diags),
                         TS_OK);
        int exit_code;
        char *got = run(arena, names[i], &exit_code);
        assert_int_equal(exit_code, strcmp(names[i], "sem") == 0 ? 7 : 0);
        compare(arena, names[i], (const char *)list.data, got, &bad);
        ts_arena_free(arena);
    }
    assert_int_equal(bad, 0);
}

static void hello_runs_on_every_core(void **state) {
    (void)state;
    ts_arena *arena = ts_arena_new("test", 0);
    int exit_code;
    char *got = run(arena, "hello", &exit_code);
    assert_int_equal(exit_code, 0);
    for (char core = '0'; core < '8'; core++) {
        char text[] = "core 0 cycles";
        text[5] = core;
        assert_non_null(strstr(got, text));
    }
    ts_arena_free(arena);
}

int main(int argc, char **argv) {
    if (argc < 2 || !build_possible()) {
        puts("skipped: needs the folder of programs and riscv64-unknown-elf-gcc");
        return TS_TEST_SKIP;
    }
    folder = argv[1];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(programs_print_what_is_expected),
        cmocka_unit_test(hello_runs_on_every_core),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
