/* Code regions: decodes instructions into slots, once. */
#include <string.h>

#include "sim/execute.h"

enum { SLOT_BYTES = sizeof(ts__slot) };

void ts__region_new(ts_sim *sim, uint32_t index, uint32_t base, uint32_t size, uint8_t *host) {
    ts__region *region = &sim->region[index];
    *region = (ts__region){.base = base, .size = size, .host = host, .low = size, .index = index};
    uint32_t count = size / 2u + 2u;
    region->slots = TS_NEW_ARRAY(sim->arena, ts__slot, count);
    for (uint32_t i = 0; i < count; i++) {
        region->slots[i].handler = sim->labels[TS__OP_DECODE];
        region->slots[i].op = TS__OP_DECODE;
        region->slots[i].step = SLOT_BYTES;
    }
    region->slots[count - 2u].handler = region->slots[count - 1u].handler = sim->labels[TS__OP_OUTSIDE];
}

ts__slot *ts__slot_at(ts_sim *sim, uint32_t address, ts__region **region) {
    for (uint32_t i = 0; i < sim->region_count; i++) {
        ts__region *candidate = &sim->region[i];
        uint32_t offset = address - candidate->base;
        if (offset < candidate->size && (address & 1u) == 0u) {
            *region = candidate;
            return candidate->slots + offset / 2u;
        }
    }
    return NULL;
}

uint32_t ts__pc(const ts__core *core) {
    const ts__slot *slot = core->e == &core->fixup ? core->fixup_target : core->e;
    return core->region == NULL ? core->boot : ts__slot_address(core->region, slot);
}

static bool decode_at(const ts_sim *sim, const ts__region *region, uint32_t offset, ts_insn *insn) {
    if (offset + 2u > region->size) {
        return false;
    }
    uint32_t word = 0;
    memcpy(&word, region->host + offset, offset + 4u <= region->size ? 4u : 2u);
    bool legal = ts_isa_decode(word, sim->revision, insn);
    return legal && offset + insn->size <= region->size;
}

/* The field that the hazard logic of the 2018-01 revision takes for the address of the ALU write port:
 * bits 11:7 of the expanded instruction, whatever they mean, or the base of post-increment forms. */
static uint32_t write_field(const ts_insn *insn, uint32_t flags) {
    if ((flags & TS_F_WRITES_BASE) != 0u) {
        return insn->rs1;
    }
    if ((flags & TS_F_BRANCH) != 0u) {
        return ((uint32_t)insn->imm & 0x1eu) | ((uint32_t)insn->imm >> 11 & 1u);
    }
    bool immediate_store = (flags & TS_F_STORE) != 0u && (flags & TS_F_READS_RD) == 0u;
    return immediate_store ? (uint32_t)insn->imm & 31u : insn->rd;
}

/* Registers whose load directly in front costs this instruction a cycle. */
static uint32_t stall_mask(const ts_sim *sim, const ts_insn *insn, uint32_t flags) {
    uint32_t mask = 0;
    mask |= (flags & TS_F_READS_RS1) != 0u ? 1u << insn->rs1 : 0u;
    mask |= (flags & (TS_F_READS_RS2 | TS_F_FALSE_RS2)) != 0u ? 1u << insn->rs2 : 0u;
    mask |= (flags & TS_F_READS_RD) != 0u ? 1u << insn->rd : 0u;
    mask &= ~1u;
    if (sim->revision == TS_ISA_RI5CY_2017_12) {
        return mask;
    }
    if ((flags & TS_F_WRITES_BASE) != 0u) {
        mask |= 1u << insn->rs1;
    } else if ((flags & TS_F_WRITES_RD) != 0u && (flags & TS_F_LOAD) == 0u) {
        mask |= 1u << insn->rd;
    }
    if (sim->revision == TS_ISA_RI5CY_2018_01) {
        mask |= 1u << write_field(insn, flags);
    }
    return mask;
}

/* The register that an instruction writes through the ALU port; 0 for none. */
static uint32_t alu_port(const ts_insn *insn, uint32_t flags) {
    if ((flags & TS_F_WRITES_BASE) != 0u) {
        return insn->rs1;
    }
    return (flags & TS_F_WRITES_RD) != 0u && (flags & TS_F_LOAD) == 0u ? insn->rd : 0u;
}

/* What an instruction means for the one behind it, known before that one is reached. */
static void look_ahead(ts_sim *sim, const ts__region *region, ts__slot *slot, const ts_insn *insn,
                       uint32_t offset) {
    ts_insn next;
    uint32_t flags = ts_isa_flags(insn), port = alu_port(insn, flags);
    if (port == 0u && (flags & TS_F_BRANCH) == 0u) {
        return;
    }
    if (!decode_at(sim, region, offset + insn->size, &next)) {
        return;
    }
    if (port != 0u && next.op == TS_OP_jalr && next.rs1 == port) {
        slot[insn->size / 2u].fed = 1;
    }
    ts_isa_class class = ts_isa_class_of(&next);
    slot->shadow = (uint8_t)((flags & TS_F_BRANCH) == 0u ? 0
                             : class == TS_CLASS_DIV     ? 1
                             : class == TS_CLASS_MULH    ? 2
                                                         : 0);
}

static bool touches_new_line(uint32_t offset, uint32_t size) {
    return offset % TS__LINE_BYTES == 0u || offset % TS__LINE_BYTES + size > TS__LINE_BYTES;
}

static void set_handler(ts_sim *sim, ts__slot *slot) {
    slot->handler = slot->op >= TS_ISA_OP_COUNT ? sim->labels[slot->op]
                    : slot->pre == TS__PRE_LINE ? sim->labels[TS__OP_LINE]
                    : slot->pre != 0u           ? sim->labels[TS__OP_PRE]
                                                : sim->labels[slot->op];
}

void ts__pre_set(ts_sim *sim, ts__slot *slot, uint32_t bit) {
    slot->pre |= (uint8_t)bit;
    set_handler(sim, slot);
}

/* What a jump to an instruction costs beyond the usual: 1, a cycle, since it is not in one word, or with the
 * wide port not in one line; 2, it is the last in its line but for the first half of a long one, which comes
 * late. */
static uint8_t late_target(const ts_sim *sim, const ts__region *region, const ts_insn *insn,
                           uint32_t offset) {
    if (insn->size != 4u || (offset & 2u) == 0u || sim->fetch_bits == 0u) {
        return 0;
    }
    ts_insn next;
    uint32_t in_line = offset % TS__LINE_BYTES;
    if (sim->fetch_bits == 32u || in_line == 14u) {
        return 1;
    }
    return in_line == 10u && decode_at(sim, region, offset + 4u, &next) && next.size == 4u ? 2 : 0;
}

static void fill(ts_sim *sim, const ts__region *region, ts__slot *slot, const ts_insn *insn) {
    uint32_t offset = (uint32_t)(slot - region->slots) * 2u, flags = ts_isa_flags(insn);
    slot->op = insn->op;
    slot->imm = insn->imm;
    slot->imm2 = insn->imm2;
    slot->stall_mask = stall_mask(sim, insn, flags);
    slot->load_rd = insn->rd;
    slot->rs1 = insn->rs1;
    slot->rs2 = insn->rs2;
    /* Stores by register keep their offset register in the rd field: it is read, so x0 stays x0. */
    slot->rd = (flags & TS_F_STORE) != 0u ? insn->rd : insn->rd == 0u ? 32u : insn->rd;
    slot->base_wr = insn->rs1 == 0u ? 32u : insn->rs1;
    slot->step = (uint8_t)(insn->size / 2u * SLOT_BYTES);
    slot->late = late_target(sim, region, insn, offset);
    if ((flags & TS_F_BRANCH) != 0u || insn->op == TS_OP_jal) {
        int64_t target = (int64_t)offset + insn->imm;
        if (target < 0 || target >= region->size) {
            slot->op = TS__OP_OUTSIDE;
        }
        slot->imm = insn->imm / 2 * SLOT_BYTES;
    }
    if (sim->revision <= TS_ISA_RI5CY_2018_01 && (flags & TS_F_MULTIPLIER) != 0u) {
        slot->pre |= TS__PRE_DIVIDED;
    }
    if (!sim->suite &&
        touches_new_line(offset, insn->size > sim->fetch_bytes ? insn->size : sim->fetch_bytes)) {
        slot->pre |= TS__PRE_LINE;
    }
    bool grows_stack = insn->op == TS_OP_addi && insn->rd == 2u && insn->rs1 == 2u && insn->imm < 0;
    if (sim->watched || grows_stack) {
        slot->pre |= TS__PRE_WATCH;
    }
    look_ahead(sim, region, slot, insn, offset);
}

/* A load must know what stands behind it, so decoding goes on until something else was decoded. */
void ts__decode(ts_sim *sim, ts__region *region, ts__slot *slot) {
    for (bool more = true; more && slot->op == TS__OP_DECODE;) {
        uint32_t offset = (uint32_t)(slot - region->slots) * 2u;
        ts_insn insn;
        if (!decode_at(sim, region, offset, &insn)) {
            slot->op = offset >= region->size ? TS__OP_OUTSIDE : TS__OP_ILLEGAL;
            set_handler(sim, slot);
            return;
        }
        region->low = offset < region->low ? offset : region->low;
        region->high = offset + insn.size > region->high ? offset + insn.size : region->high;
        fill(sim, region, slot, &insn);
        set_handler(sim, slot);
        more = (ts_isa_flags(&insn) & TS_F_LOAD) != 0u;
        slot += insn.size / 2u;
    }
}

void ts__forget(ts_sim *sim, ts__region *region, uint32_t offset, uint32_t bytes) {
    uint32_t first = offset >= 2u ? (offset - 2u) / 2u : 0u;
    for (uint32_t i = first; i < region->size / 2u && i * 2u < offset + bytes; i++) {
        ts__slot *slot = &region->slots[i];
        slot->op = TS__OP_DECODE;
        slot->pre &= TS__PRE_END | TS__PRE_MARK;
        slot->stall_mask = 0;
        slot->fed = 0;
        set_handler(sim, slot);
    }
}
