#include "sim/assemble.h"

#include "harness.h"

#include <string.h>

#include "isa/isa.h"

uint32_t place(ts_sim *sim, uint32_t pc, const char *text) {
    ts_insn insn;
    uint32_t word;
    if (!ts_isa_parse(text, pc, TS_ISA_RI5CY_2019_11, &insn) || !ts_isa_encode(&insn, &word)) {
        fail_msg("not an instruction: '%s'", text);
    }
    assert_true(ts_sim_write(sim, pc, &word, 4));
    return pc + 4u;
}

uint32_t place_all(ts_sim *sim, uint32_t pc, const char *text) {
    char line[96];
    while (*text != '\0') {
        text += strspn(text, " ;\n");
        size_t length = strcspn(text, ";\n");
        if (length == 0) {
            break;
        }
        snprintf(line, sizeof line, "%.*s", (int)length, text);
        pc = place(sim, pc, line);
        text += length;
    }
    return pc;
}
