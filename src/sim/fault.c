/* What ends a run before its time, told so that the place is found. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "sim/machine.h"

enum { SHOWN = 6, SEMIHOST_WRITE0 = 4, SEMIHOST_WRITEC = 3, SEMIHOST_EXIT = 0x18, TEXT_LIMIT = 4096 };

void ts__fault(ts_sim *sim, ts__core *core, uint32_t address, const char *format, ...) {
    if (sim->stop != TS__RUNNING) {
        return;
    }
    char text[400];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    sim->stop = TS__FAULTED;
    sim->fault = ts_arena_strdup(sim->arena, text);
    sim->fault_core = &sim->core[core->unit];
    sim->fault_address = address;
}

uint32_t ts__word_at(const ts_sim *sim, const ts__core *core, const ts__slot *slot) {
    (void)sim;
    uint32_t offset = (uint32_t)(slot - core->region->slots) * 2u, word = 0;
    if (offset + 2u <= core->region->size) {
        memcpy(&word, core->region->host + offset, offset + 4u <= core->region->size ? 4u : 2u);
    }
    return ts_isa_size(word) == 2u ? word & 0xffffu : word;
}

bool ts__is_elw(const ts__core *core) { return core->e != NULL && core->e->op == TS_OP_p_elw; }

/* ebreak between slli x0, x0, 0x1f and srai x0, x0, 7 is a call of the host: operation in a0, argument in a1.
 */
bool ts__semihost(ts_sim *sim, ts__core *core) {
    const uint32_t before = 0x01f01013u, behind = 0x40705013u;
    uint32_t pc = ts__pc(core), word;
    if (sim->suite || core->e->step != 64u || !ts_sim_read(sim, pc - 4u, &word, 4) || word != before ||
        !ts_sim_read(sim, pc + 4u, &word, 4) || word != behind) {
        return false;
    }
    uint32_t operation = core->r[10], address = core->r[11];
    if (operation == SEMIHOST_EXIT) {
        sim->exit_code = address == 0x20026u ? 0 : 1;
        sim->stop = TS__EXITED;
        return true;
    }
    if (operation != SEMIHOST_WRITE0 && operation != SEMIHOST_WRITEC) {
        return false;
    }
    for (uint32_t i = 0; i < (operation == SEMIHOST_WRITEC ? 1u : (uint32_t)TEXT_LIMIT); i++) {
        char c;
        if (!ts_sim_read(sim, address + i, &c, 1) || (operation == SEMIHOST_WRITE0 && c == '\0')) {
            break;
        }
        if (sim->options.stdout_char != NULL) {
            sim->options.stdout_char(sim->options.user, core->number, c);
        }
    }
    return true;
}

static const char *place(const ts_sim *sim, uint32_t address) {
    const ts_elf_symbol *symbol = sim->have_elf ? ts_elf_symbol_at(&sim->elf, address) : NULL;
    return symbol == NULL ? "no symbol"
                          : ts_arena_printf(sim->arena, "%s+0x%x", symbol->name, address - symbol->address);
}

static const char *core_name(const ts_sim *sim, const ts__core *core) {
    return core->unit == TS__FC ? "fabric controller" : ts_arena_printf(sim->arena, "core %u", core->number);
}

static void show_instruction(const ts_sim *sim, ts_diags *diags, const ts__core *core, uint32_t address) {
    uint32_t word = 0;
    ts_insn insn;
    char text[80] = "not an instruction";
    const uint8_t *host = ts__host(sim, address, 2);
    if (host == NULL) {
        return;
    }
    memcpy(&word, host, ts__host(sim, address, 4) != NULL ? 4 : 2);
    if (ts_isa_decode(word, sim->revision, &insn)) {
        ts_isa_print(&insn, address, text, sizeof text);
    }
    ts_note(diags, TS_DIAG_SIM, NULL, NULL, "  0x%08x %-24s %s", address, place(sim, address), text);
    (void)core;
}

/* The instructions that led to `pc`: straight on from the last jump, the newest last. */
static void show_path(const ts_sim *sim, ts_diags *diags, const ts__core *core, uint32_t pc) {
    uint32_t from = pc;
    if (core->history_count != 0u) {
        from = core->history[(core->history_count - 1u) % TS__HISTORY].to;
    }
    if (from > pc || pc - from > 4096u) {
        from = pc;
    }
    uint32_t addresses[SHOWN], count = 0;
    for (uint32_t at = from; at <= pc;) {
        uint16_t half = 0;
        const uint8_t *host = ts__host(sim, at, 2);
        if (host == NULL) {
            break;
        }
        memcpy(&half, host, 2);
        addresses[count++ % SHOWN] = at;
        at += ts_isa_size(half);
    }
    for (uint32_t i = count > SHOWN ? count - SHOWN : 0; i < count; i++) {
        show_instruction(sim, diags, core, addresses[i % SHOWN]);
    }
}

static void show_jumps(const ts_sim *sim, ts_diags *diags, const ts__core *core) {
    uint32_t shown = core->history_count < 4u ? core->history_count : 4u;
    for (uint32_t i = shown; i > 0u; i--) {
        const ts__history *jump = &core->history[(core->history_count - i) % TS__HISTORY];
        ts_note(diags, TS_DIAG_SIM, NULL, NULL, "  jumped from 0x%08x (%s) to 0x%08x (%s)", jump->from,
                place(sim, jump->from), jump->to, place(sim, jump->to));
    }
}

/* A run that cannot go on, or that took longer than allowed: what each core waits for. */
static ts_status stuck(ts_sim *sim, ts_diags *diags) {
    bool limit = sim->now >= sim->max_cycles;
    ts_status status =
        limit ? ts_error(diags, TS_DIAG_SIM, NULL, NULL, "the run reached its limit of %llu cycles",
                         (unsigned long long)sim->max_cycles)
              : ts_error(diags, TS_DIAG_SIM, NULL, NULL,
                         "nothing can happen any more at cycle %llu: every core sleeps",
                         (unsigned long long)sim->now);
    for (uint32_t i = 0; i < TS__CORE_SLOTS; i++) {
        const ts__core *core = &sim->core[i];
        if (core->region == NULL) {
            continue;
        }
        uint32_t pc = ts__pc(core);
        ts_note(diags, TS_DIAG_SIM, NULL, NULL, "%s at 0x%08x (%s): %s", core_name(sim, core), pc,
                place(sim, pc), ts__waits_for(sim, core));
    }
    return status;
}

ts_status ts__fault_report(ts_sim *sim, ts_diags *diags) {
    if (sim->stop == TS__STOPPED) {
        return ts_error(diags, TS_DIAG_SIM, NULL, NULL, "the debugger ended the run");
    }
    if (sim->stop != TS__FAULTED) {
        return stuck(sim, diags);
    }
    const ts__core *core = sim->fault_core;
    uint32_t pc = ts__pc(core);
    ts_status status = ts_error(diags, TS_DIAG_SIM, NULL, NULL,
                                "%s at 0x%08x (%s), cycle %llu: %s; address 0x%08x", core_name(sim, core), pc,
                                place(sim, pc), (unsigned long long)core->t, sim->fault, sim->fault_address);
    ts_note(diags, TS_DIAG_SIM, NULL, NULL, "ra 0x%08x (%s), sp 0x%08x", core->r[1], place(sim, core->r[1]),
            core->r[2]);
    show_jumps(sim, diags, core);
    show_path(sim, diags, core, pc);
    return status;
}
