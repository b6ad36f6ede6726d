/* The instruction table against the GNU assembler: base rows by the assembler's own encodings, XpulpV2
 * rows by the macros that tools/gen_xpulp.c makes, by those of the kernels and, where present, by the
 * peers' hand-written ones.
 * Usage: assembler_test FOLDER_OF_XPULP_INSN_INC FOLDER_OF_KERNELS. Skipped without riscv64-unknown-elf-gcc.
 */
#include <string.h>

#include "base/file.h"
#include "base/random.h"
#include "base/text.h"
#include "harness.h"
#include "isa/isa.h"

enum { TRIALS = 24, MAXIMUM = 20000 };

static const char *generated_folder, *kernels_folder;

typedef struct listing {
    ts_text source;
    uint32_t words[MAXIMUM];
    char lines[MAXIMUM][64];
    uint32_t count;
} listing;

/* A random legal instruction of the row, or false (constraints not met after some tries). */
static bool draw(ts_random *random, uint32_t row, ts_insn *insn, uint32_t *word) {
    for (int i = 0; i < 50; i++) {
        const ts_isa_row *r = &ts_isa_rows[row];
        uint32_t noise = (uint32_t)ts_random_next(random);
        noise = row < TS_ISA_OP_COUNT ? noise : noise & 0xffffu;
        if (ts_isa_decode(r->match | (noise & ~r->mask), TS_ISA_RI5CY_2019_11, insn) && insn->row == row &&
            ts_isa_encode(insn, word)) {
            return true;
        }
    }
    return false;
}

/* Text for the assembler: as printed, but a target (always the last operand) relative to the place. */
static void base_line(const ts_insn *insn, char *line, size_t capacity) {
    ts_isa_print(insn, 0, line, capacity);
    uint32_t target;
    if (ts_isa_target(insn, 0, &target)) {
        char *space = strrchr(line, ' ');
        snprintf(space, capacity - (size_t)(space - line), " .%+d", insn->imm);
    }
}

/* The same as a macro call: "p.lw a0, 4(a1!)" becomes "p.lw_pi a0, a1, 4". */
static void macro_line(const ts_insn *insn, char *line, size_t capacity) {
    const ts_isa_row *row = &ts_isa_rows[insn->row];
    bool access = (row->flags & (TS_F_LOAD | TS_F_STORE)) != 0u && row->class != TS_CLASS_ELW;
    base_line(insn, line, capacity);
    if (access) {
        char value[8], offset[8], base[8];
        assert_int_equal(sscanf(strchr(line, ' '), " %7[^,], %7[^(](%7[a-z0-9]", value, offset, base), 3);
        snprintf(line, capacity, "%s%s %s, %s, %s", row->mnemonic, row->id + strlen(row->id) - 3, value, base,
                 offset);
    }
}

static void add_line(listing *list, uint32_t word, const char *line) {
    assert_true(list->count < MAXIMUM);
    ts_text_printf(&list->source, "%s\n", line);
    snprintf(list->lines[list->count], sizeof list->lines[0], "%s", line);
    list->words[list->count++] = word;
}

/* Assembles the listing and compares word by word. */
static void check(ts_arena *arena, listing *list, const char *folder) {
    ts_diags diags = {.arena = arena};
    const char *dir;
    assert_int_equal(ts_dir_temporary(arena, &dir, &diags), TS_OK);
    char *source = ts_path_join(arena, dir, "list.S"), *binary = ts_path_join(arena, dir, "list.bin");
    assert_int_equal(ts_file_write(source, list->source.data, list->source.size, &diags), TS_OK);
    char *command =
        ts_arena_printf(arena,
                        "riscv64-unknown-elf-gcc -march=rv32imc_zicsr_zifencei -mabi=ilp32 -mno-relax "
                        "-I'%s' -I'%s' -c '%s' -o '%s.o' && riscv64-unknown-elf-objcopy -O binary -j .text "
                        "'%s.o' '%s'",
                        folder, generated_folder, source, source, source, binary);
    assert_int_equal(system(command), 0);
    ts_bytes bytes;
    assert_int_equal(ts_file_read(arena, binary, 1 << 20, &bytes, &diags), TS_OK);
    size_t at = 0;
    for (uint32_t i = 0; i < list->count; i++) {
        size_t size = ts_isa_size(list->words[i]);
        uint32_t word = 0;
        assert_true(at + size <= bytes.size);
        memcpy(&word, bytes.data + at, size);
        if (word != list->words[i]) {
            fail_msg("'%s' is %08x here and %08x there", list->lines[i], list->words[i], word);
        }
        at += size;
    }
    assert_int_equal(at, bytes.size);
    assert_int_equal(ts_dir_remove(dir, &diags), TS_OK);
}

/* Rows whose assembler text the stock assembler of some release lacks or wants otherwise. */
static bool unknown_to_assembler(uint32_t row, const ts_insn *insn) {
    bool shift_by_none =
        (row == TS_ROW_c_srai || row == TS_ROW_c_srli || row == TS_ROW_c_slli) && insn->imm == 0;
    return row == TS_OP_uret || shift_by_none || (row == TS_OP_fence && (insn->imm == 0 || insn->imm2 == 0));
}

static void base_rows_agree(void **state) {
    (void)state;
    ts_arena *arena = ts_arena_new("test", 0);
    listing *list = TS_NEW(arena, listing);
    list->source.arena = arena;
    ts_random random = ts_random_seed(3);
    for (uint32_t row = 0; row < TS_ROW_COUNT; row++) {
        ts_insn insn;
        uint32_t word;
        if (ts_isa_rows[row].extension == TS_EXT_XPULP) {
            continue;
        }
        ts_text_add(&list->source, row < TS_ISA_OP_COUNT ? ".option norvc\n" : ".option rvc\n");
        for (int i = 0; i < TRIALS && draw(&random, row, &insn, &word); i++) {
            char line[64];
            base_line(&insn, line, sizeof line);
            if (!unknown_to_assembler(row, &insn)) {
                add_line(list, word, line);
            }
        }
    }
    assert_true(list->count > 80 * TRIALS);
    check(arena, list, ".");
    ts_arena_free(arena);
}

/* The macros of one file. Kernels name the end of a hardware loop by the label behind the last instruction.
 */
typedef struct macro_file {
    const char *folder, *name;
    bool lacks_elw, ends_behind;
} macro_file;

static void xpulp_line(const macro_file *file, const ts_insn *insn, char *line, size_t capacity) {
    ts_insn said = *insn;
    bool end = insn->op == TS_OP_lp_endi || insn->op == TS_OP_lp_setup;
    said.imm += file->ends_behind && end ? 4 : 0;
    macro_line(&said, line, capacity);
    if (insn->op == TS_OP_p_elw) {
        snprintf(line, capacity, "p.elw %s, %s, %d", ts_isa_register(insn->rd), ts_isa_register(insn->rs1),
                 insn->imm);
    }
}

static void xpulp_rows_agree(const macro_file *file) {
    ts_arena *arena = ts_arena_new("test", 0);
    listing *list = TS_NEW(arena, listing);
    list->source.arena = arena;
    ts_text_printf(&list->source, "#include \"%s\"\n.option norvc\n", file->name);
    ts_random random = ts_random_seed(4);
    for (uint32_t row = 0; row < TS_ISA_OP_COUNT; row++) {
        ts_insn insn;
        uint32_t word;
        if (ts_isa_rows[row].extension != TS_EXT_XPULP) {
            continue;
        }
        for (int i = 0; i < TRIALS && draw(&random, row, &insn, &word); i++) {
            char line[64];
            xpulp_line(file, &insn, line, sizeof line);
            if (row != TS_OP_p_elw || !file->lacks_elw) {
                add_line(list, word, line);
            }
        }
    }
    assert_true(list->count > 260 * TRIALS);
    check(arena, list, file->folder);
    ts_arena_free(arena);
}

static void generated_macros_agree(void **state) {
    (void)state;
    const macro_file file = {.folder = generated_folder, .name = "xpulp_insn.inc"};
    xpulp_rows_agree(&file);
}

static void kernel_macros_agree(void **state) {
    (void)state;
    const macro_file file = {.folder = kernels_folder, .name = "xpulp.inc", .ends_behind = true};
    xpulp_rows_agree(&file);
}

static void hand_written_macros_agree(void **state) {
    (void)state;
    if (ts_test_shared() == NULL) {
        print_message("TESSERA_SHARED is absent: the peers' macros are not compared\n");
        skip();
    }
    ts_arena *arena = ts_arena_new("test", 0);
    macro_file file = {.folder = ts_arena_printf(arena, "%s/reference/ri5cy-suite", ts_test_shared()),
                       .name = "xpulp.inc",
                       .lacks_elw = true};
    xpulp_rows_agree(&file);
    ts_arena_free(arena);
}

int main(int argc, char **argv) {
    if (argc != 3) {
        fputs("usage: assembler_test FOLDER_OF_XPULP_INSN_INC FOLDER_OF_KERNELS\n", stderr);
        return 1;
    }
    generated_folder = argv[1];
    kernels_folder = argv[2];
    if (system("riscv64-unknown-elf-gcc --version >/dev/null 2>&1") != 0) {
        puts("riscv64-unknown-elf-gcc is not installed");
        return TS_TEST_SKIP;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(base_rows_agree),
        cmocka_unit_test(generated_macros_agree),
        cmocka_unit_test(kernel_macros_agree),
        cmocka_unit_test(hand_written_macros_agree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
