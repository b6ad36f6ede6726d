/* Executables: what is read lies in the file, and the symbols of addresses are found. */
#include "fuzz.h"
#include "sim/elf.h"

static void check_inside(ts_bytes file, const uint8_t *data, uint32_t bytes) {
    size_t offset = (size_t)(data - file.data);
    TS_ASSERT(offset <= file.size && bytes <= file.size - offset, "fuzz elf");
}

static void read(ts_bytes file, ts_diags *diags) {
    ts_elf elf;
    bool arm = file.size > 18 && file.data[18] == 40; /* as the file says itself */
    ts_status status = (arm ? ts_elf_read_arm : ts_elf_read)(diags->arena, file, &elf, diags);
    ts_fuzz_check(status, diags);
    if (status != TS_OK) {
        return;
    }
    for (uint32_t i = 0; i < elf.segment_count; i++) {
        check_inside(file, elf.segments[i].data, elf.segments[i].file_bytes);
    }
    for (uint32_t i = 0; i < elf.section_count; i++) {
        check_inside(file, elf.sections[i].data, elf.sections[i].bytes);
    }
    for (uint32_t i = 0; i < elf.symbol_count && i < 64; i++) {
        const ts_elf_symbol *symbol = &elf.symbols[i];
        const ts_elf_symbol *found = ts_elf_symbol_at(&elf, symbol->address);
        TS_ASSERT(found == NULL || found->address <= symbol->address, "fuzz elf");
        TS_ASSERT(ts_elf_symbol_named(&elf, symbol->name) != NULL, "fuzz elf");
    }
}

TS_FUZZ_TARGET(read)
