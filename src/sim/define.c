/* Values that depend on bytes nobody wrote, followed through registers and memory: loading and storing them
 * is no fault, but to branch on one, to use it as an address or a loop's count, or to give it to a peripheral
 * is.
 *
 * Every bit of a register and of memory is known or not. What an instruction makes of bits that are not known
 * is found by asking its own semantics: the operands are filled with several values in place of those bits,
 * and a bit of the result that changes is not known either. So no rule an instruction is needed, and what
 * does not depend on them (a product with zero, a lane that is shuffled away) is known. */
#include <string.h>

#include "isa/semantics.h"
#include "sim/check.h"

enum { FILLS = 16 };

static const uint32_t row_flags[TS_ISA_OP_COUNT] = {
#define ROW(id, mnemonic, format, match, mask, extension, class, flags) [TS_OP_##id] = (flags),
#include "isa/rows.def"
};

/* What a pure instruction computes. */
static uint32_t pure(uint32_t op, uint32_t d, uint32_t a, uint32_t b, int32_t i, int32_t j) {
    switch (op) {
#define ROW(id, mnemonic, format, match, mask, extension, class, flags)
#define PURE(id, mnemonic, format, match, mask, extension, class, flags) \
    case TS_OP_##id:                                                     \
        return ts_sem_##id(d, a, b, i, j);
#include "isa/rows.def"
        default:
            return 0;
    }
}

static bool is_pure(uint32_t op) {
    switch (op) {
#define ROW(id, mnemonic, format, match, mask, extension, class, flags)
#define PURE(id, mnemonic, format, match, mask, extension, class, flags) case TS_OP_##id:
#include "isa/rows.def"
        return true;
        default:
            return false;
    }
}

/* Whether a branch is taken. */
static uint32_t taken(uint32_t op, uint32_t a, uint32_t b, int32_t j) {
    switch (op) {
        case TS_OP_beq:
            return a == b;
        case TS_OP_bne:
            return a != b;
        case TS_OP_blt:
            return (int32_t)a < (int32_t)b;
        case TS_OP_bge:
            return (int32_t)a >= (int32_t)b;
        case TS_OP_bltu:
            return a < b;
        case TS_OP_bgeu:
            return a >= b;
        case TS_OP_p_beqimm:
            return a == (uint32_t)j;
        default:
            return a != (uint32_t)j;
    }
}

/* The operands of the instruction that is looked at. */
typedef struct operands {
    const uint32_t *values, *unknown; /* of the core's registers */
    uint32_t op, rd, rs1, rs2;
    int32_t imm, imm2;
} operands;

/* What stands for the unknown bits of a register: all zeros, all ones, what the other operand has (or a
 * comparison for equality would never find it), then mixtures, other ones in each register. */
static uint32_t fill(const operands *o, uint32_t round, uint32_t reg) {
    switch (round) {
        case 0:
            return 0u;
        case 1:
            return 0xffffffffu;
        case 2:
            return reg == o->rs1 ? o->values[o->rs2] : 0u;
        case 3:
            return reg == o->rs2 ? o->values[o->rs1] : 0u;
        case 4:
            return (uint32_t)o->imm;
        case 5:
            return (uint32_t)o->imm2;
        default:
            break;
    }
    uint32_t x = (round * 40u + reg + 1u) * 0x9e3779b9u;
    x = (x ^ x >> 15) * 0x85ebca6bu;
    return x ^ x >> 13;
}

static uint32_t filled(const operands *o, uint32_t reg, uint32_t round) {
    uint32_t bits = o->unknown[reg];
    return (o->values[reg] & ~bits) | (fill(o, round, reg) & bits);
}

static uint32_t result(const operands *o, uint32_t round) {
    uint32_t a = filled(o, o->rs1, round), b = filled(o, o->rs2, round);
    return (row_flags[o->op] & TS_F_BRANCH) != 0u
               ? taken(o->op, a, b, o->imm2)
               : pure(o->op, filled(o, o->rd, round), a, b, o->imm, o->imm2);
}

/* The bits of the result that are not known. */
static uint32_t depends(const operands *o) {
    uint32_t first = result(o, 0), bits = 0;
    for (uint32_t round = 1; round < FILLS; round++) {
        bits |= first ^ result(o, round);
    }
    return bits;
}

uint16_t ts__define_origin(ts_sim *sim, ts__origin origin) {
    ts__check *check = sim->check;
    for (uint32_t i = 1; i < check->origins.count; i++) {
        const ts__origin *old = &check->origins.data[i];
        if (old->pc == origin.pc && old->thread == origin.thread) {
            return (uint16_t)i;
        }
    }
    if (check->origins.count == 0u) {
        TS_PUSH(sim->arena, &check->origins, (ts__origin){0});
    }
    if (check->origins.count < UINT16_MAX) {
        TS_PUSH(sim->arena, &check->origins, origin);
    }
    return (uint16_t)(check->origins.count - 1u);
}

/* "branches on a value that depends on ..." */
static void complain(ts_sim *sim, const ts__core *core, const char *use, uint16_t why) {
    uint32_t pc = ts__pc(core);
    const ts__origin *origin = why == 0u ? NULL : &sim->check->origins.data[why];
    const char *from = origin == NULL
                           ? "a register that was never written"
                           : ts_arena_printf(sim->arena, "a byte that %s, loaded at 0x%08x (%s)",
                                             origin->thread == TS__THREADS
                                                 ? "nobody wrote"
                                                 : ts_arena_printf(sim->arena, "%s wrote meanwhile",
                                                                   ts__check_who(sim, origin->thread)),
                                             origin->pc, ts__check_where(sim, origin->pc));
    ts__check_report(sim, core->unit, pc, origin == NULL ? 0u : origin->address,
                     ts_arena_printf(sim->arena, "%s a value that depends on %s", use, from));
}

/* The register that a value comes from, of those that an instruction reads. */
static uint16_t reason(const ts__check *check, uint32_t unit, const operands *o) {
    uint32_t reg = o->unknown[o->rs1] != 0u ? o->rs1 : o->unknown[o->rs2] != 0u ? o->rs2 : o->rd;
    return check->why[unit][reg];
}

static void set(ts__check *check, uint32_t unit, uint32_t reg, uint32_t bits, uint16_t why) {
    if (reg != 0u && reg < 32u) {
        check->unknown[unit][reg] = bits;
        check->why[unit][reg] = why;
    }
}

/* A use that may not be: of a register whose bits are not all known. It is known from then on. */
static void needs(ts_sim *sim, const ts__core *core, uint32_t reg, const char *use) {
    ts__check *check = sim->check;
    if (reg < 32u && check->unknown[core->unit][reg] != 0u) {
        complain(sim, core, use, check->why[core->unit][reg]);
        set(check, core->unit, reg, 0, 0);
    }
}

/* What lies below a stack pointer that grows is as if nobody had written it. */
static void fresh_frame(ts_sim *sim, uint32_t sp, uint32_t bytes) {
    uint32_t offset;
    int memory = ts__check_memory(sim, sp - bytes, &offset), end = ts__check_memory(sim, sp - 1u, &offset);
    if (memory >= 0 && memory == end && bytes <= offset + 1u) {
        memset(sim->check->known[memory] + (offset + 1u - bytes), 0, bytes);
        memset(sim->check->origin[memory] + (offset + 4u - bytes) / 4u, 0, bytes / 4u * sizeof(uint16_t));
    }
}

void ts__define_step(ts_sim *sim, const ts__core *core, const ts__slot *slot) {
    ts__check *check = sim->check;
    uint32_t unit = core->unit, flags = slot->op < TS_ISA_OP_COUNT ? row_flags[slot->op] : 0u;
    if ((flags & (TS_F_LOAD | TS_F_STORE)) != 0u || slot->op >= TS_ISA_OP_COUNT) {
        return;
    }
    operands o = {.values = core->r,
                  .unknown = check->unknown[unit],
                  .op = slot->op,
                  .rd = (flags & TS_F_READS_RD) != 0u ? slot->rd : 0u,
                  .rs1 = (flags & TS_F_READS_RS1) != 0u ? slot->rs1 : 0u,
                  .rs2 = (flags & TS_F_READS_RS2) != 0u ? slot->rs2 : 0u,
                  .imm = slot->imm,
                  .imm2 = slot->imm2};
    uint32_t any = o.unknown[o.rd] | o.unknown[o.rs1] | o.unknown[o.rs2];
    if (slot->op == TS_OP_addi && slot->rd == 2u && slot->rs1 == 2u && slot->imm < 0) {
        fresh_frame(sim, core->r[2], (uint32_t)-slot->imm);
    }
    if ((flags & TS_F_BRANCH) != 0u) {
        if (any != 0u && depends(&o) != 0u) {
            complain(sim, core, "branches on", reason(check, unit, &o));
            set(check, unit, o.rs1, 0, 0);
            set(check, unit, o.rs2, 0, 0);
        }
    } else if (is_pure(slot->op)) {
        set(check, unit, slot->rd, any == 0u ? 0u : depends(&o), any == 0u ? 0u : reason(check, unit, &o));
    } else {
        if ((flags & (TS_F_HWLOOP | TS_F_JUMP)) != 0u) {
            needs(sim, core, o.rs1, (flags & TS_F_JUMP) != 0u ? "jumps to" : "counts a loop by");
        }
        if ((flags & TS_F_WRITES_RD) != 0u) {
            set(check, unit, slot->rd, 0, 0);
        }
    }
}

/* The registers that an address is made of, then the base that a post-increment leaves. */
static void address_registers(ts_sim *sim, const ts__core *core, const ts__slot *e, uint32_t flags) {
    ts__check *check = sim->check;
    uint32_t index = (flags & TS_F_STORE) != 0u       ? (flags & TS_F_READS_RD) != 0u ? e->rd : 0u
                     : (flags & TS_F_READS_RS2) != 0u ? e->rs2
                                                      : 0u;
    needs(sim, core, e->rs1, "uses as an address");
    if ((flags & TS_F_WRITES_BASE) == 0u) {
        needs(sim, core, index, "uses as an address");
    } else if (index < 32u && check->unknown[core->unit][index] != 0u) {
        set(check, core->unit, e->rs1, 0xffffffffu, check->why[core->unit][index]);
    }
}

static void define_load(ts_sim *sim, const ts__core *core, int memory, uint32_t offset, uint32_t raced,
                        const ts__origin *race) {
    ts__check *check = sim->check;
    const ts__slot *e = core->e;
    uint32_t bits = 0;
    for (uint32_t i = 0; memory >= 0 && i < core->size; i++) {
        bits |= (uint32_t)(uint8_t)~check->known[memory][offset + i] << 8u * i;
    }
    uint16_t why = bits == 0u ? 0u : check->origin[memory][offset / 4u];
    if (bits != 0u && why == 0u) {
        uint32_t first = (uint32_t)__builtin_ctz(bits) / 8u;
        why = ts__define_origin(sim, (ts__origin){ts__pc(core), core->address + first, TS__THREADS});
    }
    if (raced != 0u) {
        bits |= raced;
        why = ts__define_origin(sim, *race);
    }
    bool sign = (row_flags[e->op] & TS_F_SIGNED) != 0u && core->size < 4u;
    if (sign && (bits >> (8u * core->size - 1u) & 1u) != 0u) {
        bits |= 0xffffffffu << 8u * core->size;
    }
    set(check, core->unit, e->rd, bits, why);
}

static void define_store(ts_sim *sim, const ts__core *core, int memory, uint32_t offset) {
    ts__check *check = sim->check;
    uint32_t reg = core->e->rs2, bits = check->unknown[core->unit][reg];
    if (memory < 0) {
        needs(sim, core, reg, "gives a peripheral");
        return;
    }
    for (uint32_t i = 0; i < core->size; i++) {
        check->known[memory][offset + i] = (uint8_t) ~(bits >> 8u * i);
    }
    if (bits != 0u) {
        check->origin[memory][offset / 4u] = check->why[core->unit][reg];
        check->origin[memory][(offset + core->size - 1u) / 4u] = check->why[core->unit][reg];
    }
}

void ts__define_access(ts_sim *sim, const ts__core *core, int memory, uint32_t offset, uint32_t raced,
                       const ts__origin *origin) {
    address_registers(sim, core, core->e, row_flags[core->e->op]);
    if (core->store != 0u) {
        define_store(sim, core, memory, offset);
    } else {
        define_load(sim, core, memory, offset, raced, origin);
    }
}

void ts__define_start(ts_sim *sim, uint32_t unit) {
    if (sim->check != NULL) {
        memset(sim->check->unknown[unit], 0xff, sizeof sim->check->unknown[unit]);
        memset(sim->check->why[unit], 0, sizeof sim->check->why[unit]);
        sim->check->unknown[unit][0] = sim->check->unknown[unit][32] = 0;
    }
}

void ts__define_copy(ts__check *check, int from, uint32_t from_offset, int to, uint32_t to_offset,
                     uint32_t bytes) {
    memcpy(check->known[to] + to_offset, check->known[from] + from_offset, bytes);
    for (uint32_t i = 0; i < bytes; i++) {
        if (check->known[to][to_offset + i] != 0xffu) {
            check->origin[to][(to_offset + i) / 4u] = check->origin[from][(from_offset + i) / 4u];
        }
    }
}
