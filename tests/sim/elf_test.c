#include "sim/elf.h"

#include <string.h>

#include "base/random.h"
#include "elf_maker.h"
#include "harness.h"

static void reads_what_is_there(void **state) {
    (void)state;
    uint8_t file[ELF_FILE_BYTES];
    elf_make(file);
    ts_arena *arena = ts_arena_new("test", 0);
    ts_diags diags = {.arena = arena};
    ts_elf elf;
    assert_int_equal(ts_elf_read(arena, (ts_bytes){file, sizeof file}, &elf, &diags), TS_OK);
    assert_int_equal(elf.entry, 0x1004);
    assert_int_equal(elf.segment_count, 1);
    const ts_elf_segment *segment = &elf.segments[0];
    assert_true(segment->address == 0x1000 && segment->physical == 0x2000 && segment->file_bytes == 16 &&
                segment->memory_bytes == 32 && segment->executable && !segment->writable);
    assert_ptr_equal(segment->data, file + ELF_CODE);
    assert_int_equal(elf.section_count, 1);
    assert_string_equal(elf.sections[0].name, ".text");
    assert_true(elf.sections[0].executable && elf.sections[0].bytes == 16);
    assert_int_equal(elf.located_count, 3);
    assert_int_equal(elf.symbol_count, 4);
    assert_true(elf.symbols[3].absolute);
    assert_string_equal(elf.symbols[0].name, "outer");
    assert_int_equal(ts_elf_symbol_named(&elf, "inner")->address, 0x1004);
    assert_null(ts_elf_symbol_named(&elf, "missing"));
    ts_arena_free(arena);
}

static void finds_the_symbol_of_an_address(void **state) {
    (void)state;
    uint8_t file[ELF_FILE_BYTES];
    elf_make(file);
    ts_arena *arena = ts_arena_new("test", 0);
    ts_diags diags = {.arena = arena};
    ts_elf elf;
    assert_int_equal(ts_elf_read(arena, (ts_bytes){file, sizeof file}, &elf, &diags), TS_OK);
    static const struct {
        uint32_t address;
        const char *name;
    } cases[] = {{0x1000, "outer"}, {0x1003, "outer"}, {0x1004, "inner"}, {0x1007, "inner"},
                 {0x1008, "outer"}, {0x100f, "outer"}, {0x1010, "label"}, {0x101f, "label"}};
    assert_null(ts_elf_symbol_at(&elf, 0xfff));
    assert_null(ts_elf_symbol_at(&elf, 0x1020));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const ts_elf_symbol *symbol = ts_elf_symbol_at(&elf, cases[i].address);
        assert_non_null(symbol);
        assert_string_equal(symbol->name, cases[i].name);
    }
    ts_arena_free(arena);
}

/* Rejected as a whole: one field wrong each. */
static void rejects_contradictions(void **state) {
    (void)state;
    static const struct {
        uint32_t offset;
        uint32_t value;
    } cases[] = {
        {0, 0},                               /* no ELF */
        {4, 0x00010102},                      /* 64 bits */
        {16, 0x00f30001},                     /* relocatable */
        {16, 0x00280002},                     /* ARM */
        {28, 0xffffffff},                     /* program headers outside the file */
        {52, 2},                              /* nothing to load */
        {56, 0xfffffff8},                     /* segment data outside the file */
        {60, 0xfffffff0},                     /* segment wraps */
        {68, 33},                             /* more in the file than in memory */
        {32, 0xfffffff0},                     /* section headers outside the file */
        {ELF_SECTIONS + 40 + 16, 0x7fffffff}, /* section outside the file */
        {ELF_SECTIONS + 80 + 20, 0xfffffff0}, /* symbol table outside the file */
        {ELF_SECTIONS + 80 + 24, 9},          /* strings of the symbols missing */
        {ELF_SYMBOL_TABLE + 16, 32},          /* name outside the strings */
        {ELF_STRINGS + 28, 0x61616161},       /* strings without an end */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t file[ELF_FILE_BYTES];
        elf_make(file);
        elf_put32(file + cases[i].offset, cases[i].value);
        if (cases[i].offset == ELF_STRINGS + 28) {
            elf_put32(file + ELF_SYMBOL_TABLE + 16, 29);
        }
        ts_arena *arena = ts_arena_new("test", 0);
        ts_diags diags = {.arena = arena};
        ts_elf elf;
        ts_status status = ts_elf_read(arena, (ts_bytes){file, sizeof file}, &elf, &diags);
        if (status != TS_BAD_INPUT) {
            fail_msg("case %zu was accepted", i);
        }
        assert_int_equal(diags.list.count, 1);
        ts_arena_free(arena);
    }
}

/* Damaged files are read or refused; every byte that the result names is inside the file. The copy is
 * allocated to size, so that a sanitizer or valgrind sees a read past its end. */
static void survives_damage(void **state) {
    (void)state;
    ts_random random = ts_random_seed(7);
    for (int round = 0; round < 20000; round++) {
        uint8_t whole[ELF_FILE_BYTES];
        elf_make(whole);
        for (int64_t n = ts_random_range(&random, 1, 4); n > 0; n--) {
            whole[ts_random_range(&random, 0, ELF_FILE_BYTES - 1)] = (uint8_t)ts_random_next(&random);
        }
        size_t size = round % 4 == 0 ? (size_t)ts_random_range(&random, 1, ELF_FILE_BYTES) : ELF_FILE_BYTES;
        uint8_t *file = malloc(size);
        memcpy(file, whole, size);
        ts_arena *arena = ts_arena_new("test", 0);
        ts_diags diags = {.arena = arena};
        ts_elf elf;
        if (ts_elf_read(arena, (ts_bytes){file, size}, &elf, &diags) == TS_OK) {
            for (uint32_t i = 0; i < elf.segment_count; i++) {
                const ts_elf_segment *segment = &elf.segments[i];
                assert_true((size_t)(segment->data - file) + segment->file_bytes <= size);
            }
            for (uint32_t i = 0; i < elf.section_count; i++) {
                assert_true((size_t)(elf.sections[i].data - file) + elf.sections[i].bytes <= size);
            }
            (void)ts_elf_symbol_at(&elf, (uint32_t)ts_random_next(&random));
        }
        ts_arena_free(arena);
        free(file);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_is_there),
        cmocka_unit_test(finds_the_symbol_of_an_address),
        cmocka_unit_test(rejects_contradictions),
        cmocka_unit_test(survives_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
