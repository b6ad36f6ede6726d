/* Instructions: any text is refused or means one instruction, which printing and encoding keep; any word
 * that decodes survives the same way. */
#include <string.h>

#include "fuzz.h"
#include "isa/isa.h"

static void check_round_trip(const ts_insn *insn, uint32_t pc) {
    char text[96];
    uint32_t word;
    ts_insn again;
    ts_isa_print(insn, pc, text, sizeof text);
    TS_ASSERT(ts_isa_parse(text, pc, TS_ISA_RI5CY_2019_11, &again), text);
    TS_ASSERT(ts_isa_encode(insn, &word) && word == again.raw, text);
    again.raw = insn->raw;
    TS_ASSERT(memcmp(&again, insn, sizeof again) == 0, text);
}

static void read(ts_bytes file, ts_diags *diags) {
    ts_insn insn;
    char *text = ts_arena_copy(diags->arena, file.data, file.size);
    if (ts_isa_parse(text, 0x80000000u, TS_ISA_RI5CY_2019_11, &insn)) {
        check_round_trip(&insn, 0x80000000u);
    }
    for (size_t at = 0; at + 4 <= file.size; at += 2) {
        uint32_t word;
        memcpy(&word, file.data + at, 4);
        if (ts_isa_decode(word, TS_ISA_RI5CY_2019_11, &insn)) {
            check_round_trip(&insn, (uint32_t)at);
        }
    }
}

TS_FUZZ_TARGET(read)
