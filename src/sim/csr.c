/* Control and status registers, and the performance counters among them. */
#include "sim/machine.h"

enum { PERF_EVENTS = 17 };

/* What the counters count, by their number. */
static uint64_t perf(const ts_sim *sim, const ts__core *core, uint32_t event, uint64_t t, uint64_t retired) {
    switch (event) {
        case 0:
            return t - core->started - core->asleep_cycles;
        case 1:
            return retired;
        case 2:
            return core->by_cause[TS_SIM_LOAD_USE];
        case 4:
            return core->imiss;
        case 5:
            return core->by_class[TS_SIM_CLASS_LOAD];
        case 6:
            return core->by_class[TS_SIM_CLASS_STORE];
        case 7:
            return core->event_jumps;
        case 8:
            return core->by_class[TS_SIM_CLASS_CONTROL] - core->event_jumps;
        case 9:
            return core->event_taken;
        case 16:
            return sim->target->tcdm_counter ? core->by_cause[TS_SIM_TCDM] : 0u;
        default:
            return 0u;
    }
}

static bool is_on(const ts__core *core, uint32_t event) {
    return (core->pcmr & 1u) != 0u && (core->pcer >> event & 1u) != 0u;
}

/* Counters stand still while off: `base_perf` is what to subtract, or minus the value while off. */
static uint32_t perf_read(const ts_sim *sim, const ts__core *core, uint32_t event, uint64_t t,
                          uint64_t retired) {
    uint64_t now = is_on(core, event) ? perf(sim, core, event, t, retired) : 0u;
    return (uint32_t)(now - core->base_perf[event]);
}

static void perf_write(const ts_sim *sim, ts__core *core, uint32_t event, uint32_t value, uint64_t t,
                       uint64_t retired) {
    uint64_t now = is_on(core, event) ? perf(sim, core, event, t, retired) : 0u;
    core->base_perf[event] = now - value;
}

static void perf_enable(const ts_sim *sim, ts__core *core, uint32_t pcer, uint32_t pcmr, uint64_t t,
                        uint64_t retired) {
    uint32_t values[32];
    for (uint32_t i = 0; i < 31u; i++) {
        values[i] = perf_read(sim, core, i, t, retired);
    }
    core->pcer = pcer;
    core->pcmr = pcmr;
    for (uint32_t i = 0; i < 31u; i++) {
        perf_write(sim, core, i, values[i], t, retired);
    }
}

/* Hardware loop registers stand at an address of their own on each revision. */
static int loop_register(const ts_sim *sim, uint32_t csr) {
    uint32_t base = sim->revision == TS_ISA_CV32E40P_1_0_0  ? 0x800u
                    : sim->revision == TS_ISA_RI5CY_2019_11 ? 0x7c0u
                                                            : 0x7b0u;
    uint32_t number = csr - base;
    return number < 7u && number != 3u ? (int)number : -1;
}

static uint32_t *plain(ts__core *core, uint32_t csr) {
    switch (csr) {
        case 0x300:
            return &core->mstatus;
        case 0x305:
            return &core->mtvec;
        case 0x340:
            return &core->mscratch;
        case 0x341:
            return &core->mepc;
        case 0x342:
            return &core->mcause;
        default:
            return NULL;
    }
}

static bool read_csr(const ts_sim *sim, ts__core *core, uint32_t csr, uint64_t t, uint64_t retired,
                     uint32_t *value) {
    int loop = loop_register(sim, csr);
    if (loop >= 0) {
        const ts__loop *set = &core->loop[loop / 4];
        *value = loop % 4 == 0 ? set->start : loop % 4 == 1 ? set->end : set->count;
        return true;
    }
    const uint32_t *own = plain(core, csr);
    if (own != NULL) {
        *value = *own;
        return true;
    }
    if (csr >= 0x780u && csr < 0x79fu) {
        *value = perf_read(sim, core, csr - 0x780u, t, retired);
        return true;
    }
    switch (csr) {
        case 0xf14:
            *value = core->hartid;
            return true;
        case 0x014:
            *value = core->hartid;
            return true;
        case 0xcc0:
        case 0x7e0:
        case 0x7a0:
            *value = core->pcer;
            return true;
        case 0xcc1:
        case 0x7e1:
        case 0x7a1:
            *value = core->pcmr;
            return true;
        case 0x301:
            *value = 0x40000000u;
            return true;
        case 0x304:
        case 0x344:
        case 0xf11:
        case 0xf12:
        case 0xf13:
        case 0xc10:
        case 0x79f:
            *value = 0;
            return true;
        case 0xb00:
        case 0xc00:
            *value = (uint32_t)t;
            return true;
        case 0xb02:
        case 0xc02:
            *value = (uint32_t)retired;
            return true;
        case 0xb80:
        case 0xc80:
            *value = (uint32_t)(t >> 32);
            return true;
        default:
            return false;
    }
}

static bool write_loop(ts_sim *sim, ts__core *core, int loop, uint32_t value) {
    ts__loop *set = &core->loop[loop / 4];
    ts__region *region;
    ts__slot *slot = loop % 4 == 2 ? NULL : ts__slot_at(sim, value, &region);
    if (loop % 4 == 2) {
        set->count = value;
    } else if (loop % 4 == 0) {
        set->start = value;
        core->loop_start[loop / 4] = slot;
    } else {
        set->end = value;
        core->loop_end[loop / 4] = slot;
        if (slot != NULL) {
            ts__decode(sim, region, slot);
            ts__pre_set(sim, slot, TS__PRE_END);
        }
    }
    return true;
}

static bool write_csr(ts_sim *sim, ts__core *core, uint32_t csr, uint32_t value, uint64_t t,
                      uint64_t retired) {
    int loop = loop_register(sim, csr);
    if (loop >= 0) {
        return write_loop(sim, core, loop, value);
    }
    uint32_t *own = plain(core, csr);
    if (own != NULL) {
        *own = value;
    } else if (csr == 0xcc0u || csr == 0x7e0u || csr == 0x7a0u) {
        perf_enable(sim, core, value, core->pcmr, t, retired);
    } else if (csr == 0xcc1u || csr == 0x7e1u || csr == 0x7a1u) {
        perf_enable(sim, core, core->pcer, value, t, retired);
    } else if (csr == 0x79fu) {
        for (uint32_t i = 0; i < 31u; i++) {
            perf_write(sim, core, i, value, t, retired);
        }
    } else if (csr >= 0x780u && csr < 0x79fu) {
        perf_write(sim, core, csr - 0x780u, value, t, retired);
    }
    return true;
}

bool ts__csr(ts_sim *sim, ts__core *core, const ts__slot *slot, uint64_t t, uint64_t retired) {
    uint32_t csr = (uint32_t)slot->imm & 0xfffu, old;
    bool immediate = slot->op == TS_OP_csrrwi || slot->op == TS_OP_csrrsi || slot->op == TS_OP_csrrci;
    uint32_t operand = immediate ? (uint32_t)slot->imm2 : core->r[slot->rs1];
    bool writes =
        slot->op == TS_OP_csrrw || slot->op == TS_OP_csrrwi || (immediate ? operand != 0u : slot->rs1 != 0u);
    if (!read_csr(sim, core, csr, t, retired, &old)) {
        return false;
    }
    uint32_t value = slot->op == TS_OP_csrrw || slot->op == TS_OP_csrrwi   ? operand
                     : slot->op == TS_OP_csrrs || slot->op == TS_OP_csrrsi ? old | operand
                                                                           : old & ~operand;
    if (writes && !write_csr(sim, core, csr, value, t, retired)) {
        return false;
    }
    core->r[slot->rd] = old;
    return true;
}

/* Interrupt controller of the fabric: what is pending wakes it from wfi; no handler is ever called. */
void ts__interrupt_register(ts_sim *sim, ts__core *core, uint32_t offset) {
    uint32_t value = core->store_value, *mask = &sim->fc_irq_mask, *pending = &sim->fc_irq_pending;
    if (core->store == 0u) {
        ts__order_interrupt(sim, core->unit, false);
        core->slow_word = offset < 0xcu ? *mask : offset < 0x18u ? *pending : 0u;
        return;
    }
    ts__order_interrupt(sim, core->unit, true);
    switch (offset) {
        case 0x00:
            *mask = value;
            break;
        case 0x04:
            *mask |= value;
            break;
        case 0x08:
            *mask &= ~value;
            break;
        case 0x0c:
            *pending = value;
            break;
        case 0x10:
            *pending |= value;
            break;
        case 0x14:
            *pending &= ~value;
            break;
        default:
            break;
    }
    ts__core *fc = &sim->core[TS__FC];
    if ((*mask & *pending) != 0u && fc->park == TS__PARK_ASLEEP) {
        ts__order_interrupt(sim, TS__FC, false);
        ts__wake(sim, fc, sim->now);
    }
}

bool ts__interrupt_pending(const ts_sim *sim, const ts__core *core) {
    return core->unit == TS__FC && (sim->fc_irq_mask & sim->fc_irq_pending) != 0u;
}
