/* Observers that look at every instruction: the trace and the profile. They cost nothing where they are off,
 * since only then slots carry TS__PRE_WATCH. */
#include "sim/watch.h"

#include "sim/check.h"

#include <errno.h>
#include <string.h>

enum { TEXT = 160, MAX_DEPTH = 200 };

/* A node of the call tree: a function as called along one path, on one core. */
typedef struct node {
    const char *name;
    uint32_t parent, child, sibling;
    uint32_t depth;
    uint64_t cycles;
} node;

typedef struct ts__profile {
    FILE *out;
    TS_VEC(node) nodes;
    uint32_t at[TS__CORE_SLOTS]; /* node that each core is in; 0: none yet */
    uint64_t since[TS__CORE_SLOTS];
    const ts__slot *last[TS__CORE_SLOTS];
} ts__profile;

typedef struct ts__trace {
    FILE *out;
    char line[TS__CORE_SLOTS][TEXT]; /* of the instruction that has not ended yet */
    uint8_t written[TS__CORE_SLOTS]; /* register that it writes, 32 for none */
} ts__trace;

ts_status ts__watch_open(const char *path, FILE **out, ts_diags *diags) {
    *out = fopen(path, "w");
    return *out != NULL
               ? TS_OK
               : ts_error(diags, TS_DIAG_FILE, NULL, NULL, "cannot write '%s': %s", path, strerror(errno));
}

static const char *symbol_name(const ts_sim *sim, uint32_t address) {
    const ts_elf_symbol *symbol = sim->have_elf ? ts_elf_symbol_at(&sim->elf, address) : NULL;
    return symbol == NULL ? "unknown" : symbol->name;
}

/* Trace */

static void end_line(ts__trace *trace, const ts__core *core) {
    char *line = trace->line[core->unit];
    if (line[0] == '\0') {
        return;
    }
    uint8_t reg = trace->written[core->unit];
    if (reg < 32u) {
        fprintf(trace->out, "%s  %s=%08x\n", line, ts_isa_register(reg), core->r[reg]);
    } else {
        fprintf(trace->out, "%s\n", line);
    }
    line[0] = '\0';
}

/* Cycle, core, address, symbol, instruction, the operands' values; the result follows when it is known. */
static void begin_line(const ts_sim *sim, ts__trace *trace, const ts__core *core, const ts__slot *slot) {
    uint32_t pc = ts__slot_address(core->region, slot);
    const ts_elf_symbol *symbol = sim->have_elf ? ts_elf_symbol_at(&sim->elf, pc) : NULL;
    char text[64] = "?", place[48] = "-", values[48] = "";
    ts_insn insn;
    if (!ts_isa_decode(ts__word_at(sim, core, slot), sim->revision, &insn)) {
        return;
    }
    ts_isa_print(&insn, pc, text, sizeof text);
    if (symbol != NULL) {
        snprintf(place, sizeof place, "%.36s+0x%x", symbol->name, pc - symbol->address);
    }
    uint32_t flags = ts_isa_flags(&insn);
    int length = 0;
    if ((flags & TS_F_READS_RS1) != 0u) {
        length = snprintf(values, sizeof values, " %s:%08x", ts_isa_register(insn.rs1), core->r[insn.rs1]);
    }
    if ((flags & TS_F_READS_RS2) != 0u) {
        snprintf(values + length, sizeof values - (size_t)length, " %s:%08x", ts_isa_register(insn.rs2),
                 core->r[insn.rs2]);
    }
    char name[8] = "fc";
    if (core->unit != TS__FC) {
        snprintf(name, sizeof name, "%u", core->number);
    }
    snprintf(trace->line[core->unit], TEXT, "%10llu %2s %08x %-28s %-36s%s", (unsigned long long)core->t,
             name, pc, place, text, values);
    trace->written[core->unit] = (flags & TS_F_WRITES_RD) != 0u && insn.rd != 0u ? insn.rd : 32u;
}

/* Profile */

static uint32_t child_of(ts_sim *sim, uint32_t parent, const char *name) {
    ts__profile *profile = sim->profile;
    for (uint32_t i = profile->nodes.data[parent].child; i != 0u; i = profile->nodes.data[i].sibling) {
        if (strcmp(profile->nodes.data[i].name, name) == 0) {
            return i;
        }
    }
    node fresh = {.name = name,
                  .parent = parent,
                  .sibling = profile->nodes.data[parent].child,
                  .depth = profile->nodes.data[parent].depth + 1u};
    TS_PUSH(sim->arena, &profile->nodes, fresh);
    profile->nodes.data[parent].child = profile->nodes.count - 1u;
    return profile->nodes.count - 1u;
}

static uint32_t root_of(ts_sim *sim, const ts__core *core, const char *name) {
    const char *root = core->unit == TS__FC ? "fc" : ts_arena_printf(sim->arena, "core%u", core->number);
    return child_of(sim, child_of(sim, 0, root), name);
}

/* Follows the last instruction's call, return or jump to the function that `pc` lies in. */
static void follow(ts_sim *sim, const ts__core *core, const ts__slot *last, uint32_t pc) {
    ts__profile *profile = sim->profile;
    uint32_t *at = &profile->at[core->unit];
    const node *now = &profile->nodes.data[*at];
    bool call = (last->op == TS_OP_jal || last->op == TS_OP_jalr) && last->rd == 1u;
    bool back = last->op == TS_OP_jalr && last->rd == 32u && last->rs1 == 1u;
    const char *name = symbol_name(sim, pc);
    if (call && now->depth < MAX_DEPTH) {
        *at = child_of(sim, *at, name);
    } else if (back && now->depth > 2u) {
        *at = now->parent;
    }
    /* Returns that skip frames, tail calls: the function is what the address says. */
    now = &profile->nodes.data[*at];
    if (strcmp(now->name, name) != 0) {
        *at = child_of(sim, now->parent, name);
    }
}

static void profile_step(ts_sim *sim, const ts__core *core, const ts__slot *slot) {
    ts__profile *profile = sim->profile;
    uint32_t unit = core->unit, pc = ts__slot_address(core->region, slot);
    const ts__slot *last = profile->last[unit];
    if (profile->at[unit] == 0u) {
        profile->at[unit] = root_of(sim, core, symbol_name(sim, pc));
        profile->since[unit] = core->t;
    }
    profile->nodes.data[profile->at[unit]].cycles += core->t - profile->since[unit];
    profile->since[unit] = core->t;
    if (last != NULL && (last->op == TS_OP_jal || last->op == TS_OP_jalr)) {
        follow(sim, core, last, pc);
    }
    profile->last[unit] = slot;
}

static void write_path(const ts__profile *profile, uint32_t at) {
    if (profile->nodes.data[at].parent != 0u) {
        write_path(profile, profile->nodes.data[at].parent);
        fputc(';', profile->out);
    }
    fputs(profile->nodes.data[at].name, profile->out);
}

static void write_profile(const ts__profile *profile) {
    for (uint32_t i = 1; i < profile->nodes.count; i++) {
        if (profile->nodes.data[i].cycles != 0u) {
            write_path(profile, i);
            fprintf(profile->out, " %llu\n", (unsigned long long)profile->nodes.data[i].cycles);
        }
    }
}

/* Both */

void ts_sim_stack(ts_sim *sim, unsigned core, uint32_t bottom, uint32_t top) {
    uint32_t unit = core == TS_SIM_FC ? TS__FC : core;
    if (unit < TS__CORE_SLOTS) {
        sim->stack[unit].bottom = bottom;
        sim->stack[unit].top = top;
    }
}

/* Code that uses sp for something else has it outside of the stack, or does not subtract from it. */
void ts__stack_look(ts_sim *sim, ts__core *core, const ts__slot *slot) {
    uint32_t bottom = sim->stack[core->unit].bottom, top = sim->stack[core->unit].top, sp = core->r[2];
    if (slot->op != TS_OP_addi || slot->rd != 2u || slot->rs1 != 2u || slot->imm >= 0 || top == 0u ||
        sp < bottom || sp > top) {
        return;
    }
    uint32_t need = (uint32_t)-slot->imm;
    if (need > sp - bottom) {
        ts__fault(sim, core, sp - need, "the stack grows to 0x%08x, %u bytes below its end at 0x%08x",
                  sp - need, bottom - (sp - need), bottom);
    }
}

void ts__watch(ts_sim *sim, ts__core *core, ts__slot *slot) {
    if (sim->trace != NULL) {
        end_line(sim->trace, core);
        begin_line(sim, sim->trace, core, slot);
    }
    if (sim->profile != NULL) {
        profile_step(sim, core, slot);
    }
    if (sim->check != NULL && sim->check->known[0] != NULL) {
        ts__define_step(sim, core, slot);
    }
}

ts_status ts__watch_new(ts_sim *sim, ts_diags *diags) {
    const ts_sim_options *options = &sim->options;
    if (options->trace_path != NULL) {
        sim->trace = TS_NEW(sim->arena, ts__trace);
        TS_TRY(ts__watch_open(options->trace_path, &sim->trace->out, diags));
    }
    if (options->profile_path != NULL) {
        sim->profile = TS_NEW(sim->arena, ts__profile);
        node root = {.name = ""};
        TS_PUSH(sim->arena, &sim->profile->nodes, root);
        TS_TRY(ts__watch_open(options->profile_path, &sim->profile->out, diags));
    }
    sim->watched = sim->trace != NULL || sim->profile != NULL;
    TS_TRY(ts__timeline_new(sim, diags));
    ts__check_new(sim);
    return TS_OK;
}

void ts__watch_end(ts_sim *sim) {
    for (uint32_t i = 0; i < TS__CORE_SLOTS && sim->trace != NULL; i++) {
        end_line(sim->trace, &sim->core[i]);
    }
    for (uint32_t i = 0; i < TS__CORE_SLOTS && sim->profile != NULL; i++) {
        sim->profile->nodes.data[sim->profile->at[i]].cycles += sim->core[i].t - sim->profile->since[i];
        sim->profile->since[i] = sim->core[i].t;
    }
    ts__timeline_end(sim);
}

static void close_file(FILE **file) {
    if (*file != NULL) {
        fclose(*file);
        *file = NULL;
    }
}

void ts__watch_free(ts_sim *sim) {
    if (sim->trace != NULL) {
        close_file(&sim->trace->out);
    }
    if (sim->profile != NULL && sim->profile->out != NULL) {
        write_profile(sim->profile);
        close_file(&sim->profile->out);
    }
    ts__timeline_free(sim);
}
