#include <argp.h>
#include <stdio.h>

#include "base/file.h"
#include "cli/cmd.h"
#include "cli/terminal.h"
#include "isa/isa.h"
#include "sim/elf.h"

enum { ELF_LIMIT_BYTES = 1 << 28 };

typedef struct request {
    const char *path;
    ts_isa_revision revision;
} request;

static error_t parse_option(int key, char *value, struct argp_state *state) {
    request *arguments = state->input;
    switch (key) {
        case 'c':
            if (!ts_isa_revision_parse(value, &arguments->revision)) {
                argp_error(state, "'%s' is not a core revision; ri5cy-2019-11 is one", value);
            }
            return 0;
        case ARGP_KEY_ARG:
            if (arguments->path != NULL) {
                argp_error(state, "one ELF file is expected");
            }
            arguments->path = value;
            return 0;
        case ARGP_KEY_END:
            if (arguments->path == NULL) {
                argp_error(state, "an ELF file is expected");
            }
            return 0;
        default:
            return ARGP_ERR_UNKNOWN;
    }
}

/* "<name+0x4>", or nothing where no symbol covers the address. */
static void print_place(const ts_elf *elf, uint32_t address) {
    const ts_elf_symbol *symbol = ts_elf_symbol_at(elf, address);
    if (symbol != NULL && symbol->address == address) {
        printf(" <%s>", symbol->name);
    } else if (symbol != NULL) {
        printf(" <%s+0x%x>", symbol->name, address - symbol->address);
    }
}

static uint32_t half_at(const uint8_t *data) { return (uint32_t)data[0] | (uint32_t)data[1] << 8; }

/* One line; returns the bytes that it covers. What no instruction matches is shown as a half-word. */
static uint32_t print_line(const ts_elf *elf, uint32_t address, const uint8_t *data, uint32_t bytes,
                           ts_isa_revision revision) {
    if (bytes < 2) {
        printf("%8x:\t%02x       \t.byte 0x%02x\n", address, data[0], data[0]);
        return 1;
    }
    uint32_t word = half_at(data);
    word |= bytes >= 4 ? half_at(data + 2) << 16 : 0u;
    ts_insn insn;
    if (ts_isa_size(word) > bytes || !ts_isa_decode(word, revision, &insn)) {
        printf("%8x:\t%04x     \t.half 0x%04x\n", address, word & 0xffffu, word & 0xffffu);
        return 2;
    }
    char text[64];
    ts_isa_print(&insn, address, text, sizeof text);
    printf(insn.size == 4 ? "%8x:\t%08x \t%s" : "%8x:\t%04x     \t%s", address, insn.raw, text);
    uint32_t target;
    if (ts_isa_target(&insn, address, &target)) {
        print_place(elf, target);
    }
    putchar('\n');
    return insn.size;
}

/* All code from `data`, with the symbols that begin in it as headings. */
static void print_code(const ts_elf *elf, uint32_t address, const uint8_t *data, uint32_t bytes,
                       ts_isa_revision revision) {
    uint32_t next = 0;
    for (uint32_t at = 0; at < bytes;) {
        uint32_t place = address + at;
        while (next < elf->located_count && elf->symbols[next].address < place) {
            next++;
        }
        for (; next < elf->located_count && elf->symbols[next].address == place; next++) {
            printf("\n%08x <%s>:\n", place, elf->symbols[next].name);
        }
        at += print_line(elf, place, data + at, bytes - at, revision);
    }
}

static void print_file(const ts_elf *elf, const request *arguments) {
    printf("%s: entry 0x%x, decoded as %s\n", arguments->path, elf->entry,
           ts_isa_revision_name(arguments->revision));
    bool sections = false;
    for (uint32_t i = 0; i < elf->section_count; i++) {
        const ts_elf_section *section = &elf->sections[i];
        if (section->executable) {
            printf("\nSection %s:\n", section->name);
            print_code(elf, section->address, section->data, section->bytes, arguments->revision);
            sections = true;
        }
    }
    for (uint32_t i = 0; i < elf->segment_count && !sections; i++) {
        const ts_elf_segment *segment = &elf->segments[i];
        if (segment->executable) {
            printf("\nSegment at 0x%x:\n", segment->address);
            print_code(elf, segment->address, segment->data, segment->file_bytes, arguments->revision);
        }
    }
}

int ts_cmd_disasm(int argc, char **argv) {
    static const struct argp_option options[] = {
        {"core", 'c', "REVISION", 0,
         "Decode as ri5cy-2017-12, ri5cy-2018-01, ri5cy-2019-11 (default) or cv32e40p-1.0.0", 0},
        {0}};
    static const struct argp argp = {options,
                                     parse_option,
                                     "ELF",
                                     "Print the code of a RISC-V executable, XpulpV2 included.",
                                     ts_cli_terminal_children,
                                     NULL,
                                     NULL};
    static char name[] = "tessera disasm";
    request arguments = {.revision = TS_ISA_RI5CY_2019_11};
    argv[0] = name;
    argp_err_exit_status = TS_BAD_INPUT;
    argp_parse(&argp, argc, argv, 0, NULL, &arguments);
    ts_arena *arena = ts_arena_new("disasm", 0);
    ts_diags diags = {.arena = arena, .file = arguments.path};
    ts_bytes file;
    ts_elf elf;
    ts_status status = ts_file_read(arena, arguments.path, ELF_LIMIT_BYTES, &file, &diags);
    if (status == TS_OK && (status = ts_elf_read(arena, file, &elf, &diags)) == TS_OK) {
        print_file(&elf, &arguments);
    }
    int result = ts_cli_finish(&diags, status);
    ts_arena_free(arena);
    return result;
}
