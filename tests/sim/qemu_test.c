/* The base instruction set against a stranger: random RV32IMC programs here and under Debian's
 * qemu-system-riscv32; registers and memory after each are equal. TESSERA_QEMU_PROGRAMS sets how many
 * (5000 when it is not set). Skipped without QEMU. */
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "harness.h"
#include "random_program.h"
#include "sim/sim.h"

enum { BATCH = 1000, DEFAULT_PROGRAMS = 5000 };

/* The records that QEMU's program wrote. */
static const uint32_t *run_qemu(ts_arena *arena, random_image *image, uint32_t count) {
    ts_diags diags = {.arena = arena};
    const char *dir;
    assert_int_equal(ts_dir_temporary(arena, &dir, &diags), TS_OK);
    size_t size;
    void *elf = random_image_elf(image, END_SEMIHOSTING, &size);
    char *path = ts_path_join(arena, dir, "image.elf"), *output = ts_path_join(arena, dir, "records");
    assert_int_equal(ts_file_write(path, elf, size, &diags), TS_OK);
    char *command =
        ts_arena_printf(arena,
                        "timeout 100 qemu-system-riscv32 -M virt -bios none -display none -serial none "
                        "-monitor none -semihosting-config enable=on,target=native -kernel '%s' >'%s'",
                        path, output);
    assert_int_equal(system(command), 0);
    ts_bytes bytes;
    assert_int_equal(ts_file_read(arena, output, 1 << 26, &bytes, &diags), TS_OK);
    assert_int_equal(bytes.size, (size_t)count * 4 * RECORD_WORDS);
    assert_int_equal(ts_dir_remove(dir, &diags), TS_OK);
    return (const uint32_t *)(const void *)bytes.data;
}

static const uint32_t *run_here(ts_arena *arena, random_image *image, uint32_t count) {
    ts_diags diags = {.arena = arena};
    ts_sim_options options = {.machine = "flat", .max_cycles = 1000000000};
    ts_sim *sim;
    size_t size;
    void *elf = random_image_elf(image, END_STORE, &size);
    assert_int_equal(ts_sim_new(arena, NULL, &options, &sim, &diags), TS_OK);
    assert_int_equal(ts_sim_load_elf(sim, (ts_bytes){elf, size}, &diags), TS_OK);
    ts_status status = ts_sim_run(sim, &diags);
    for (uint32_t i = 0; i < diags.list.count; i++) {
        ts_diag_print(stdout, &diags.list.data[i]);
    }
    assert_int_equal(status, TS_OK);
    uint32_t *records = TS_NEW_ARRAY(arena, uint32_t, count * RECORD_WORDS);
    assert_true(ts_sim_read(sim, RESULT_BASE, records, (size_t)count * 4 * RECORD_WORDS));
    ts_sim_free(sim);
    return records;
}

static void compare(random_image *image, uint32_t index, const uint32_t *here, const uint32_t *there) {
    for (uint32_t word = 0; word < RECORD_WORDS; word++) {
        if (here[word] != there[word]) {
            print_message("%s", random_image_text(image, index));
            fail_msg("program %u: %s is %08x here and %08x there", index,
                     word + 1 < RECORD_WORDS ? ts_arena_printf(image->arena, "x%u", word + 1)
                                             : "the memory's digest",
                     here[word], there[word]);
        }
    }
}

static void random_programs_end_equal(void **state) {
    (void)state;
    uint64_t wanted = DEFAULT_PROGRAMS;
    const char *asked = getenv("TESSERA_QEMU_PROGRAMS");
    assert_true(asked == NULL || ts_parse_u64(asked, &wanted));
    for (uint64_t done = 0; done < wanted; done += BATCH) {
        uint32_t count = wanted - done < BATCH ? (uint32_t)(wanted - done) : BATCH;
        ts_arena *arena = ts_arena_new("test", 0);
        random_image *image = random_image_new(arena, done + 1, count);
        const uint32_t *there = run_qemu(arena, image, count), *here = run_here(arena, image, count);
        for (uint32_t i = 0; i < count; i++) {
            compare(image, i, here + i * RECORD_WORDS, there + i * RECORD_WORDS);
        }
        ts_arena_free(arena);
    }
    print_message("%llu programs equal\n", (unsigned long long)wanted);
}

int main(void) {
    if (system("qemu-system-riscv32 --version >/dev/null 2>&1") != 0) {
        puts("qemu-system-riscv32 is not installed");
        return TS_TEST_SKIP;
    }
    const struct CMUnitTest tests[] = {cmocka_unit_test(random_programs_end_equal)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
