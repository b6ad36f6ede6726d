#include "sim/elf.h"

#include <stdlib.h>
#include <string.h>

/* ELF32 layouts and constants: System V ABI, edition 4.1, chapters 4 and 5. */
enum {
    HEADER_BYTES = 52,
    PROGRAM_HEADER_BYTES = 32,
    SECTION_HEADER_BYTES = 40,
    SYMBOL_BYTES = 16,
    TYPE_EXECUTABLE = 2,
    MACHINE_ARM = 40,
    MACHINE_RISCV = 243,
    PT_LOAD = 1,
    PF_X = 1,
    PF_W = 2,
    SHT_SYMTAB = 2,
    SHT_NOBITS = 8,
    SHF_ALLOC = 2,
    SHF_EXECINSTR = 4,
    STT_OBJECT = 1,
    STT_FUNC = 2,
    SHN_ABS = 0xfff1,
    SEGMENT_LIMIT = 256 /* far more than a linker makes; look-ups go through all of them */
};

typedef struct reader {
    ts_bytes file;
    uint32_t machine;
    ts_diags *diags;
} reader;

typedef struct section_header {
    uint32_t name, type, flags, address, offset, size, link, entry_size;
} section_header;

static uint32_t word(const uint8_t *p) {
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static uint32_t half(const uint8_t *p) { return (uint32_t)p[0] | (uint32_t)p[1] << 8; }

static ts_status malformed(const reader *in, const char *what) {
    return ts_error(in->diags, TS_DIAG_MALFORMED, NULL, NULL, "not a usable ELF executable: %s", what);
}

/* True when `count` items of `size` bytes at `offset` lie in the file. */
static bool inside(const reader *in, uint32_t offset, uint32_t count, uint32_t size) {
    uint64_t end = (uint64_t)offset + (uint64_t)count * size;
    return end <= in->file.size;
}

static ts_status read_header(const reader *in, ts_elf *elf) {
    static const uint8_t identity[7] = {0x7f, 'E', 'L', 'F', 1, 1, 1};
    const uint8_t *p = in->file.data;
    if (in->file.size < HEADER_BYTES) {
        return malformed(in, "it is shorter than an ELF header");
    }
    if (memcmp(p, identity, sizeof identity) != 0) {
        return malformed(in, "it is not 32-bit little-endian ELF, version 1");
    }
    if (half(p + 18) != in->machine) {
        return malformed(in, in->machine == MACHINE_ARM ? "it is for another machine than Arm"
                                                        : "it is for another machine than RISC-V");
    }
    if (half(p + 16) != TYPE_EXECUTABLE) {
        return malformed(in, "it is not linked as an executable at fixed addresses");
    }
    elf->entry = word(p + 24);
    return TS_OK;
}

static ts_status read_segment(const reader *in, const uint8_t *p, ts_elf_segment *segment) {
    uint32_t offset = word(p + 4), flags = word(p + 24);
    *segment = (ts_elf_segment){.address = word(p + 8),
                                .physical = word(p + 12),
                                .file_bytes = word(p + 16),
                                .memory_bytes = word(p + 20),
                                .executable = (flags & PF_X) != 0u,
                                .writable = (flags & PF_W) != 0u};
    if (segment->file_bytes > segment->memory_bytes || !inside(in, offset, segment->file_bytes, 1)) {
        return malformed(in, "a segment is larger than the file or than its memory");
    }
    if (segment->memory_bytes > UINT32_MAX - segment->address ||
        segment->memory_bytes > UINT32_MAX - segment->physical) {
        return malformed(in, "a segment wraps around the end of the address space");
    }
    segment->data = in->file.data + offset;
    return TS_OK;
}

static ts_status read_segments(ts_arena *arena, const reader *in, ts_elf *elf) {
    const uint8_t *p = in->file.data;
    uint32_t offset = word(p + 28), count = half(p + 44);
    if (count != 0u &&
        (half(p + 42) != PROGRAM_HEADER_BYTES || !inside(in, offset, count, PROGRAM_HEADER_BYTES))) {
        return malformed(in, "the program headers lie outside the file");
    }
    if (count > SEGMENT_LIMIT) {
        return malformed(in, "it has more than 256 segments");
    }
    elf->segments = TS_NEW_ARRAY(arena, ts_elf_segment, count);
    for (uint32_t i = 0; i < count; i++) {
        const uint8_t *header = p + offset + i * PROGRAM_HEADER_BYTES;
        if (word(header) == PT_LOAD && word(header + 20) != 0u) {
            TS_TRY(read_segment(in, header, &elf->segments[elf->segment_count++]));
        }
    }
    return elf->segment_count != 0u ? TS_OK : malformed(in, "it has nothing to load");
}

static section_header section_at(const reader *in, uint32_t table, uint32_t index) {
    const uint8_t *p = in->file.data + table + index * SECTION_HEADER_BYTES;
    return (section_header){.name = word(p),
                            .type = word(p + 4),
                            .flags = word(p + 8),
                            .address = word(p + 12),
                            .offset = word(p + 16),
                            .size = word(p + 20),
                            .link = word(p + 24),
                            .entry_size = word(p + 36)};
}

/* A string of a string section, or NULL when the offset is outside it or no NUL follows. */
static const char *string_at(const reader *in, const section_header *strings, uint32_t offset) {
    if (strings->type == SHT_NOBITS || !inside(in, strings->offset, strings->size, 1) ||
        offset >= strings->size) {
        return NULL;
    }
    const char *text = (const char *)in->file.data + strings->offset + offset;
    return memchr(text, 0, strings->size - offset) != NULL ? text : NULL;
}

static bool wanted_symbol(const char *name, uint32_t info, uint32_t section) {
    uint32_t type = info & 15u;
    return name[0] != '\0' && name[0] != '$' && type <= STT_FUNC && section != 0u &&
           !(section >= 0xff00u && section != SHN_ABS);
}

static ts_status read_symbols(ts_arena *arena, const reader *in, const section_header *table,
                              const section_header *strings, ts_elf *elf) {
    uint32_t count = table->size / SYMBOL_BYTES;
    if (table->entry_size != SYMBOL_BYTES || !inside(in, table->offset, table->size, 1)) {
        return malformed(in, "the symbol table lies outside the file");
    }
    elf->symbols = TS_NEW_ARRAY(arena, ts_elf_symbol, count);
    for (uint32_t i = 0; i < count; i++) {
        const uint8_t *p = in->file.data + table->offset + i * SYMBOL_BYTES;
        const char *name = string_at(in, strings, word(p));
        if (name == NULL) {
            return malformed(in, "a symbol's name lies outside the string table");
        }
        if (wanted_symbol(name, p[12], half(p + 14))) {
            elf->symbols[elf->symbol_count++] = (ts_elf_symbol){.name = name,
                                                                .address = word(p + 4),
                                                                .bytes = word(p + 8),
                                                                .absolute = half(p + 14) == SHN_ABS,
                                                                .function = (p[12] & 15) == STT_FUNC,
                                                                .global = p[12] >> 4 != 0};
        }
    }
    return TS_OK;
}

static ts_status add_section(const reader *in, const section_header *header, const section_header *names,
                             ts_elf *elf) {
    const char *name = string_at(in, names, header->name);
    if (!inside(in, header->offset, header->size, 1) || header->size > UINT32_MAX - header->address) {
        return malformed(in, "a section lies outside the file or the address space");
    }
    elf->sections[elf->section_count++] =
        (ts_elf_section){.name = name != NULL ? name : "",
                         .address = header->address,
                         .bytes = header->size,
                         .data = in->file.data + header->offset,
                         .executable = (header->flags & SHF_EXECINSTR) != 0u};
    return TS_OK;
}

static ts_status read_sections(ts_arena *arena, const reader *in, ts_elf *elf) {
    const uint8_t *p = in->file.data;
    uint32_t table = word(p + 32), count = half(p + 48), names_index = half(p + 50);
    if (table == 0u || count == 0u) {
        return TS_OK;
    }
    if (half(p + 46) != SECTION_HEADER_BYTES || !inside(in, table, count, SECTION_HEADER_BYTES) ||
        names_index >= count) {
        return malformed(in, "the section headers lie outside the file");
    }
    section_header names = section_at(in, table, names_index);
    elf->sections = TS_NEW_ARRAY(arena, ts_elf_section, count);
    for (uint32_t i = 0; i < count; i++) {
        section_header header = section_at(in, table, i);
        if ((header.flags & SHF_ALLOC) != 0u && header.type != SHT_NOBITS && header.size != 0u) {
            TS_TRY(add_section(in, &header, &names, elf));
        }
        if (header.type == SHT_SYMTAB && elf->symbols == NULL) {
            if (header.link >= count) {
                return malformed(in, "the symbol table has no string table");
            }
            section_header strings = section_at(in, table, header.link);
            TS_TRY(read_symbols(arena, in, &header, &strings, elf));
        }
    }
    return TS_OK;
}

/* Absolute ones last; by address; at one address functions first, then globals, then the longer, then by
 * name, so that the order does not depend on the host's sort. */
static int symbol_order(const void *left, const void *right) {
    const ts_elf_symbol *a = left, *b = right;
    if (a->absolute != b->absolute) {
        return a->absolute ? 1 : -1;
    }
    if (a->address != b->address) {
        return a->address < b->address ? -1 : 1;
    }
    if (a->function != b->function) {
        return a->function ? -1 : 1;
    }
    if (a->global != b->global) {
        return a->global ? -1 : 1;
    }
    if (a->bytes != b->bytes) {
        return a->bytes > b->bytes ? -1 : 1;
    }
    return strcmp(a->name, b->name);
}

/* The end of the segment that `address` lies in, or the address itself. */
static uint32_t segment_end(const ts_elf *elf, uint32_t address) {
    for (uint32_t i = 0; i < elf->segment_count; i++) {
        const ts_elf_segment *segment = &elf->segments[i];
        if (address - segment->address < segment->memory_bytes) {
            return segment->address + segment->memory_bytes;
        }
    }
    return address;
}

/* Gives symbols of unknown size the room up to the next address that has a symbol or to the end of their
 * segment, and notes for each symbol how far the sized functions up to it reach. */
static void measure_symbols(ts_arena *arena, ts_elf *elf) {
    while (elf->located_count < elf->symbol_count && !elf->symbols[elf->located_count].absolute) {
        elf->located_count++;
    }
    uint32_t next_address = UINT32_MAX;
    for (uint32_t i = elf->located_count; i-- > 0;) {
        ts_elf_symbol *symbol = &elf->symbols[i];
        if (i + 1 < elf->located_count && symbol[1].address != symbol->address) {
            next_address = symbol[1].address;
        }
        if (symbol->bytes > UINT32_MAX - symbol->address) {
            symbol->bytes = UINT32_MAX - symbol->address;
        }
        symbol->sized = symbol->bytes != 0u;
        if (!symbol->sized) {
            uint32_t end = segment_end(elf, symbol->address);
            symbol->bytes = (end < next_address ? end : next_address) - symbol->address;
        }
    }
    elf->symbol_reach = TS_NEW_ARRAY(arena, uint32_t, elf->located_count);
    uint32_t reach = 0;
    for (uint32_t i = 0; i < elf->located_count; i++) {
        const ts_elf_symbol *symbol = &elf->symbols[i];
        uint32_t end = symbol->address + symbol->bytes;
        reach = symbol->function && symbol->sized && end > reach ? end : reach;
        elf->symbol_reach[i] = reach;
    }
}

static ts_status read_for(ts_arena *arena, ts_bytes file, uint32_t machine, ts_elf *out, ts_diags *diags) {
    reader in = {.file = file, .machine = machine, .diags = diags};
    *out = (ts_elf){0};
    TS_TRY(read_header(&in, out));
    TS_TRY(read_segments(arena, &in, out));
    TS_TRY(read_sections(arena, &in, out));
    if (out->symbol_count != 0u) {
        qsort(out->symbols, out->symbol_count, sizeof *out->symbols, symbol_order);
    }
    measure_symbols(arena, out);
    return TS_OK;
}

ts_status ts_elf_read(ts_arena *arena, ts_bytes file, ts_elf *out, ts_diags *diags) {
    return read_for(arena, file, MACHINE_RISCV, out, diags);
}

ts_status ts_elf_read_arm(ts_arena *arena, ts_bytes file, ts_elf *out, ts_diags *diags) {
    return read_for(arena, file, MACHINE_ARM, out, diags);
}

const ts_elf_symbol *ts_elf_symbol_at(const ts_elf *elf, uint32_t address) {
    uint32_t low = 0, high = elf->located_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (elf->symbols[middle].address <= address) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    for (uint32_t i = low; i > 0 && elf->symbol_reach[i - 1] > address; i--) {
        const ts_elf_symbol *symbol = &elf->symbols[i - 1];
        if (symbol->function && symbol->sized && address - symbol->address < symbol->bytes) {
            return symbol;
        }
    }
    while (low > 1 && elf->symbols[low - 2].address == elf->symbols[low - 1].address) {
        low--;
    }
    const ts_elf_symbol *nearest = low > 0 ? &elf->symbols[low - 1] : NULL;
    bool covers =
        nearest != NULL && (address == nearest->address || address - nearest->address < nearest->bytes);
    return covers ? nearest : NULL;
}

const ts_elf_symbol *ts_elf_symbol_named(const ts_elf *elf, const char *name) {
    const ts_elf_symbol *found = NULL;
    for (uint32_t i = 0; i < elf->symbol_count; i++) {
        const ts_elf_symbol *symbol = &elf->symbols[i];
        if (strcmp(symbol->name, name) == 0 && (found == NULL || (symbol->global && !found->global))) {
            found = symbol;
        }
    }
    return found;
}
