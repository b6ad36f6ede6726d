/* The interpreter: one function that runs all cores, switching between them wherever one parks.
 *
 * Dispatch is threaded: a slot holds the address of its instruction's code. The timing rules are those of
 * docs/simulator.md, section "Core"; t is the cycle in which the instruction at e leaves decode. */
#include "sim/execute.h"

#include <string.h>

#include "isa/semantics.h"
#include "sim/gdb.h"

/* Cycles that a core may run ahead without an access, so that endless loops are noticed. */
enum { RUN_AHEAD_CYCLES = 4096 };

/* Cycles that a division keeps the execute stage busy: 3 + clz(divisor); of a negative one 2 + clz(~divisor).
 */
uint32_t ts__div_cycles(uint32_t op, uint32_t divisor) {
    bool negative = (op == TS_OP_div || op == TS_OP_rem) && (int32_t)divisor < 0;
    uint32_t magnitude = negative ? ~divisor : divisor;
    return (negative ? 2u : 3u) + (magnitude == 0u ? 32u : (uint32_t)__builtin_clz(magnitude));
}

/* What a division or mulh in the shadow of a taken branch costs. */
static uint32_t shadow_cycles(ts_sim *sim, ts__core *core, ts__slot *branch) {
    if (sim->revision == TS_ISA_CV32E40P_1_0_0) {
        return 0;
    }
    ts__slot *next = (ts__slot *)((char *)branch + branch->step);
    ts__decode(sim, core->region, next);
    bool old = sim->revision <= TS_ISA_RI5CY_2018_01;
    if (branch->shadow == 2u) {
        return old ? 8u : 0u;
    }
    uint32_t cycles = ts__div_cycles(next->op, core->r[next->rs2]) - 1u;
    return old ? 2u * cycles : cycles;
}

/* With the wide port a taken branch to the last instruction of a hardware loop arrives a cycle late. */
static inline uint32_t late_loop_end(const ts_sim *sim, const ts__core *core, const ts__slot *target) {
    return sim->fetch_bits == 128u && (target->pre & TS__PRE_END) != 0u &&
           ((core->loop_end[0] == target && core->loop[0].count > 1u) ||
            (core->loop_end[1] == target && core->loop[1].count > 1u));
}

static void remember(ts__core *core, const ts__slot *from, const ts__slot *to) {
    ts__history *history = &core->history[core->history_count++ % TS__HISTORY];
    history->from = ts__slot_address(core->region, from);
    history->to = ts__slot_address(core->region, to);
}

/* The slot `bytes` behind `slot`, or NULL outside the region; decoded. */
static ts__slot *loop_slot(ts_sim *sim, ts__core *core, ts__slot *slot, uint32_t bytes) {
    uint32_t offset = (uint32_t)(slot - core->region->slots) * 2u + bytes;
    if (offset >= core->region->size) {
        return NULL;
    }
    ts__slot *found = core->region->slots + offset / 2u;
    ts__decode(sim, core->region, found);
    return found;
}

static void loop_start(ts__core *core, uint32_t number, ts__slot *slot) {
    core->loop_start[number] = slot;
    core->loop[number].start = ts__slot_address(core->region, slot);
}

static void loop_end(ts_sim *sim, ts__core *core, uint32_t number, ts__slot *slot) {
    core->loop_end[number] = slot;
    core->loop[number].end = ts__slot_address(core->region, slot);
    if ((slot->pre & TS__PRE_END) == 0u) {
        ts__pre_set(sim, slot, TS__PRE_END);
    }
}

/* lp.*: false where a label lies outside the code. */
static bool set_loop(ts_sim *sim, ts__core *core, ts__slot *e) {
    uint32_t number = e->load_rd & 1u;
    ts__slot *label = loop_slot(sim, core, e, (uint32_t)e->imm);
    if (e->op == TS_OP_lp_starti || e->op == TS_OP_lp_endi || e->op == TS_OP_lp_setup ||
        e->op == TS_OP_lp_setupi) {
        if (label == NULL) {
            return false;
        }
        if (e->op == TS_OP_lp_starti) {
            loop_start(core, number, label);
        } else {
            loop_end(sim, core, number, label);
        }
    }
    if (e->op == TS_OP_lp_setup || e->op == TS_OP_lp_setupi) {
        ts__slot *first = loop_slot(sim, core, e, 4u);
        loop_start(core, number, first);
    }
    if (e->op == TS_OP_lp_count || e->op == TS_OP_lp_setup) {
        core->loop[number].count = core->r[e->rs1];
    } else if (e->op == TS_OP_lp_counti || e->op == TS_OP_lp_setupi) {
        core->loop[number].count = (uint32_t)e->imm2;
    }
    return true;
}

/* The loop that jumps back from `e`, its count decremented; -1 where none does. */
static int back_edge(ts_sim *sim, ts__core *core, const ts__slot *e) {
    for (int i = 0; i < 2; i++) {
        if (core->loop_end[i] == e && core->loop[i].count > 1u &&
            (core->loop_start[i] != e || sim->single_loops)) {
            core->loop[i].count--;
            return i;
        }
    }
    return -1;
}

/* The word that a store writes and the one at `p` have `bytes` bytes in common. */
static inline void put(uint8_t *p, uint32_t value, uint32_t bytes) { memcpy(p, &value, bytes); }
static inline uint32_t get32(const uint8_t *p) {
    uint32_t value;
    memcpy(&value, p, 4);
    return value;
}
static inline uint16_t get16(const uint8_t *p) {
    uint16_t value;
    memcpy(&value, p, 2);
    return value;
}

/* Stores into memory that was decoded make the simulator forget what it decoded. */
static inline void stored_near(ts_sim *sim, ts__core *core, uint32_t bytes) {
    ts__region *region = &sim->region[core->near_region];
    uint32_t offset = core->address - region->base;
    if (offset + bytes > region->low && offset < region->high) {
        ts__forget(sim, region, offset, bytes);
    }
}

/* The first cycle in which anybody else is due. */
static inline uint64_t horizon_of(const ts_sim *sim) {
    uint64_t first = sim->far_first < sim->max_cycles ? sim->far_first : sim->max_cycles;
    if (sim->occupied != 0u) {
        uint32_t at = (uint32_t)(sim->now % TS__WHEEL);
        uint64_t turned = at == 0u ? sim->occupied : sim->occupied >> at | sim->occupied << (TS__WHEEL - at);
        uint64_t near = sim->now + (uint64_t)__builtin_ctzll(turned);
        first = near < first ? near : first;
    }
    return first;
}

/* The target of a jump comes a cycle late. */
#define LATE(target) ((target)->late == 1u)

/* Jumped to at cycle t, this instruction's successor is fetched no earlier than for cycle t + 2. */
#define LATE_SUCCESSOR()                            \
    do {                                            \
        if (e->late == 2u) {                        \
            c->fixup.stall_mask = next->stall_mask; \
            c->fixup_target = next;                 \
            c->fetch_at = t + 2u;                   \
            next = &c->fixup;                       \
        }                                           \
    } while (0)

#define SLOT_AFTER(e) ((ts__slot *)((char *)(e) + (e)->step))
#define LINE_OF(slot) (((size_t)((char *)(slot) - (char *)slots)) >> 8)
#define LAST_LINE_OF(e) \
    (((size_t)((char *)(e) - (char *)slots) + ((e)->step > least ? (e)->step : least) - 1u) >> 8)

/* Saves and restores what the interpreter keeps in locals. */
#define SAVE()                \
    do {                      \
        c->e = e;             \
        c->next = next;       \
        c->t = t;             \
        c->retired = retired; \
    } while (0)
#define RESTORE()                     \
    do {                              \
        r = c->r;                     \
        e = c->e;                     \
        next = c->next;               \
        t = c->t;                     \
        retired = c->retired;         \
        slots = c->region->slots;     \
        lines = c->lines;             \
        least = c->fetch_step;        \
        limit = t + RUN_AHEAD_CYCLES; \
    } while (0)

/* Ends an instruction that left decode in cycle t, or occupied EX until t. */
#define STEP()                \
    do {                      \
        t++;                  \
        retired++;            \
        e = next;             \
        next = SLOT_AFTER(e); \
        goto * e->handler;    \
    } while (0)

/* Parks at cycle t for `why`. */
#define PARK(why)                                             \
    do {                                                      \
        SAVE();                                               \
        c->park = (why);                                      \
        sim->bank[c->unit] = TS__NO_BANK;                     \
        sim->at_access &= ~(1u << c->unit);                   \
        ts__park_at(sim, c->unit, ts__to_machine(sim, c, t)); \
        goto schedule;                                        \
    } while (0)

/* Waits for the fetch of the instruction before. */
#define PAY()                                  \
    do {                                       \
        t += c->owed;                          \
        c->by_cause[TS_SIM_ICACHE] += c->owed; \
        c->owed = 0;                           \
    } while (0)

/* The next instruction entered ID while this one, which left it at `left`, held EX until t + 1. */
#define HELD(left)                 \
    do {                           \
        c->ex_enter = (left) + 1u; \
        c->ex_until = t + 1u;      \
    } while (0)

#define FAULT(address, ...)                        \
    do {                                           \
        SAVE();                                    \
        ts__fault(sim, c, (address), __VA_ARGS__); \
        goto schedule;                             \
    } while (0)

#define ACCESS(where, bytes, is_store, label) \
    do {                                      \
        c->address = (where);                 \
        c->done = &&label;                    \
        c->size = (bytes);                    \
        c->store = (is_store);                \
        goto access;                          \
    } while (0)

/* The rows of loads: address, then on completion the value and the base. */
#define BASE                        (r[e->rs1])
#define OFFSET_I                    ((uint32_t)e->imm)
#define LOAD_AT(id, bytes, address) L_##id : ACCESS(address, bytes, 0, D_##id)
#define LOADED(id, value, update)            \
    D_##id : {                               \
        uint32_t loaded = (uint32_t)(value); \
        update;                              \
        r[e->rd] = loaded;                   \
        goto loaded;                         \
    }
#define LOAD_ROWS(id, bytes, value)      \
    LOAD_AT(id, bytes, BASE + OFFSET_I); \
    LOADED(id, value, (void)0)
#define XLOAD_ROWS(id, bytes, value)                         \
    LOAD_AT(id##_pi, bytes, BASE);                           \
    LOADED(id##_pi, value, r[e->base_wr] = BASE + OFFSET_I)  \
    LOAD_AT(id##_pr, bytes, BASE);                           \
    LOADED(id##_pr, value, r[e->base_wr] = BASE + r[e->rs2]) \
    LOAD_AT(id##_rr, bytes, BASE + r[e->rs2]);               \
    LOADED(id##_rr, value, (void)0)

#define STORE_AT(id, bytes, address)     \
    L_##id : c->store_value = r[e->rs2]; \
    ACCESS(address, bytes, 1, D_##id)
#define STORED(id, bytes, update)           \
    D_##id : put(p, c->store_value, bytes); \
    update;                                 \
    goto stored
#define STORE_ROWS(id, bytes)             \
    STORE_AT(id, bytes, BASE + OFFSET_I); \
    STORED(id, bytes, (void)0);
#define XSTORE_ROWS(id, bytes)                               \
    STORE_AT(id##_pi, bytes, BASE);                          \
    STORED(id##_pi, bytes, r[e->base_wr] = BASE + OFFSET_I); \
    STORE_AT(id##_pr, bytes, BASE);                          \
    STORED(id##_pr, bytes, r[e->base_wr] = BASE + r[e->rd]); \
    STORE_AT(id##_rr, bytes, BASE + r[e->rd]);               \
    STORED(id##_rr, bytes, (void)0);

#define BRANCH_ROW(id, condition)           \
    L_##id : if (condition) { goto taken; } \
    c->by_class[TS_SIM_CLASS_CONTROL]++;    \
    STEP();
#define A r[e->rs1]
#define B r[e->rs2]

void ts__execute(ts_sim *sim) {
    static const void *const labels[TS__OP_ALL] = {
#define ROW(id, mnemonic, format, match, mask, extension, class, flags) &&L_##id,
#include "isa/rows.def"
        [TS__OP_DECODE] = &&L_decode, [TS__OP_ILLEGAL] = &&L_illegal, [TS__OP_OUTSIDE] = &&L_outside,
        [TS__OP_LINE] = &&L_line,     [TS__OP_PRE] = &&L_pre,         [TS__OP_FIXUP] = &&L_fixup,
    };
    if (sim->labels == NULL) {
        sim->labels = labels;
        return;
    }
    uint32_t ready = 0, unit, least;
    uint64_t t, retired, limit, horizon;
    ts__core *c;
    uint32_t *r;
    ts__slot *e, *next, *slots, *target;
    uint8_t *lines, *p = NULL;

schedule:
    if (sim->stop != TS__RUNNING) {
        return;
    }
    if (ready == 0u) {
        ready = ts__next_round(sim);
        if (ready == 0u) {
            return;
        }
    }
    unit = sim->first_come ? ts__woken_last(sim, ready) : (uint32_t)__builtin_ctz(ready);
    ready &= ~(1u << unit);
    c = &sim->core[unit];
    RESTORE();
    horizon = ready != 0u ? 0u : horizon_of(sim);
    if (c->park == TS__PARK_NEAR) {
        goto near;
    }
    goto served;

    /* An access at c->address: parks unless nobody else can be earlier. */
access:
    sim->at_access |= 1u << c->unit;
    if (c->address - c->near_base < c->near_size && (c->address & 3u) + c->size <= 4u) {
        c->park = TS__PARK_NEAR;
        if (t < horizon && !c->scaled) {
            sim->now = t;
            goto near;
        }
        SAVE();
        sim->bank[c->unit] = c->banked ? (uint8_t)(c->address >> 2 & sim->bank_mask) : TS__NO_BANK;
        ts__park_at(sim, c->unit, ts__to_machine(sim, c, t));
        goto schedule;
    }
    c->park = TS__PARK_ACCESS;
    SAVE();
    c->second = 0;
    c->access_at = t;
    sim->bank[c->unit] = TS__NO_BANK;
    if (c->address - c->near_base < c->near_size && c->banked) {
        sim->bank[c->unit] = (uint8_t)(c->address >> 2 & sim->bank_mask);
    }
    ts__park_at(sim, c->unit, ts__to_machine(sim, c, t));
    goto schedule;

near:
    if (__builtin_expect(sim->check != NULL, 0)) {
        c->e = e;
        c->t = t;
        ts__check_access(sim, c);
    }
    p = c->near_host + (c->address - c->near_base);
    {
        uint64_t at = c->scaled ? ts__from_machine(sim, c, sim->now) : sim->now;
        if (at > t) {
            c->by_cause[TS_SIM_TCDM] += at - t;
            c->ex_enter = t + 1u;
            t = at;
            c->ex_until = t + 1u;
        }
    }
    if (__builtin_expect(!c->banked, 0) && sim->l2_conflicts) {
        uint64_t wait = ts__l2_banks(sim, c->address, 1, sim->now);
        wait = c->scaled ? (wait * sim->clock_den + sim->clock_num - 1u) / sim->clock_num : wait;
        c->by_cause[TS_SIM_MEMORY] += wait;
        t += wait;
    }
    goto * c->done;

served:
    switch (c->park) {
        case TS__PARK_ACCESS: {
            uint64_t at = c->scaled ? ts__from_machine(sim, c, sim->now) : sim->now;
            at = at < t ? t : at;
            c->by_cause[TS_SIM_TCDM] += at - t;
            uint64_t left = c->access_at;
            t = at;
            if (c->address - c->near_base < c->near_size) {
                /* Crosses a word: the two words are two accesses. */
                if (c->second == 0u) {
                    c->second = 1;
                    c->t = t + 1u;
                    c->by_cause[TS_SIM_MULTI_CYCLE]++;
                    if (c->banked) {
                        sim->bank[c->unit] = (uint8_t)(((c->address >> 2) + 1u) & sim->bank_mask);
                    }
                    ts__park_at(sim, c->unit, ts__to_machine(sim, c, t + 1u));
                    goto schedule;
                }
                if (sim->check != NULL) {
                    ts__check_access(sim, c);
                }
                if (c->address - c->near_base > c->near_size - c->size) {
                    FAULT(c->address, "access beyond the end of a memory");
                }
                p = c->near_host + (c->address - c->near_base);
                HELD(left);
                goto * c->done;
            }
            c->t = t;
            uint32_t extra = ts__slow_access(sim, c);
            next = c->next; /* the access may have emptied the cache */
            if (sim->stop != TS__RUNNING || c->park == TS__PARK_ASLEEP || c->park == TS__PARK_WOKEN) {
                goto schedule;
            }
            if (c->park == TS__PARK_RETRY) {
                c->by_cause[TS_SIM_DMA_WAIT]++;
                c->t = t + 1u;
                c->park = TS__PARK_ACCESS;
                ts__park_at(sim, c->unit, ts__to_machine(sim, c, c->t));
                goto schedule;
            }
            c->by_cause[TS_SIM_MEMORY] += extra;
            t += extra;
            if (extra != 0u) {
                HELD(left);
            }
            horizon = ready != 0u ? 0u : horizon_of(sim);
            p = (uint8_t *)&c->slow_word;
            goto * c->done;
        }
        case TS__PARK_WOKEN:
            p = (uint8_t *)&c->slow_word;
            if (c->done == NULL) {
                goto * e->handler; /* from wfi */
            }
            goto * c->done;
        case TS__PARK_FETCH: {
            uint32_t stall = ts__icache_miss(sim, c, e);
            c->imiss += stall;
            if (sim->late_fetch) {
                c->owed += stall;
                goto fetched;
            }
            c->by_cause[TS_SIM_ICACHE] += stall;
            t += stall;
            c->arrived = t;
            PARK(TS__PARK_FILLED);
        }
        case TS__PARK_FILLED:
            ts__icache_filled(sim, c, e);
            goto * e->handler;
        case TS__PARK_MARK:
            c->t = t;
            c->marked = 1;
            ts__call_marks(sim, c);
            goto * e->handler;
        default:
            PAY();
            goto * e->handler;
    }

    /* The line is there; who executes first and waits then stops at what comes next: behind e, where a jump
     * arrives, or at the start of a hardware loop. */
fetched:
    ts__icache_filled(sim, c, e);
    if (next != &c->fixup) {
        c->fixup.stall_mask = next->stall_mask;
        c->fixup_target = next;
        c->fetch_at = 0;
        next = &c->fixup;
    }
    limit = 0;
    goto * e->handler;

loaded : {
    uint32_t stall = next->stall_mask >> e->load_rd & 1u;
    c->read_bytes[0] += c->size;
    c->by_class[TS_SIM_CLASS_LOAD]++;
    c->load_ready[e->load_rd] = t + 3u;
    if (stall != 0u) {
        c->by_cause[TS_SIM_LOAD_USE]++;
        if (c->ex_until != t + 1u) {
            c->ex_enter = t + 1u;
        }
        t++;
        c->ex_until = t + 1u;
    }
    STEP();
}
stored:
    c->by_class[TS_SIM_CLASS_STORE]++;
    c->write_bytes[0] += c->size;
    if (c->park == TS__PARK_NEAR || c->second != 0u) {
        stored_near(sim, c, c->size);
    }
    STEP();

taken:
    c->by_class[TS_SIM_CLASS_CONTROL]++;
    c->event_taken++;
    target = (ts__slot *)((char *)e + e->imm);
    if (target->op == TS__OP_DECODE) {
        ts__decode(sim, c->region, target);
    }
    {
        uint64_t cost = 2u + LATE(target) + late_loop_end(sim, c, target) +
                        (e->shadow != 0u ? shadow_cycles(sim, c, e) : 0u);
        c->by_cause[TS_SIM_BRANCH] += cost;
        t += cost + 1u;
    }
    goto arrive;

    /* e jumps to target, which is fetched so that it leaves decode in cycle t. */
arrive:
    retired++;
    remember(c, e, target);
    e = target;
    next = SLOT_AFTER(e);
    c->arrived = t;
    LATE_SUCCESSOR();
    if (lines[LINE_OF(e)] == 0u) {
        PARK(TS__PARK_FETCH);
    }
    if (t >= limit) {
        PARK(TS__PARK_YIELD);
    }
    goto * e->handler;

L_jal:
    r[e->rd] = ts__slot_address(c->region, SLOT_AFTER(e));
    target = (ts__slot *)((char *)e + e->imm);
    if (target->op == TS__OP_DECODE) {
        ts__decode(sim, c->region, target);
    }
    c->by_class[TS_SIM_CLASS_CONTROL]++;
    c->event_jumps++;
    {
        uint64_t entered = c->ex_until == t ? c->ex_enter : t;
        uint64_t at = entered + 2u + LATE(target);
        at = at < t + 1u ? t + 1u : at;
        c->by_cause[TS_SIM_BRANCH] += at - t - 1u;
        t = at;
    }
    goto arrive;

L_jalr : {
    uint32_t address = (A + (uint32_t)e->imm) & ~1u;
    uint32_t link = ts__slot_address(c->region, SLOT_AFTER(e));
    uint64_t usable = e->rs1 != 0u ? c->load_ready[e->rs1] : 0u;
    if (e->fed != 0u && c->arrived != t && usable < t + 1u) {
        usable = t + 1u;
    }
    uint64_t entered = c->ex_until == t ? c->ex_enter : t;
    uint64_t left = usable > t ? usable : t;
    r[e->rd] = link;
    ts__region *region = c->region;
    uint32_t offset = address - region->base;
    ts__slot *from = e;
    if (offset < region->size) {
        target = region->slots + offset / 2u;
    } else {
        target = ts__slot_at(sim, address, &region);
        if (target == NULL) {
            FAULT(address, "jump to 0x%08x, where there is no code memory", address);
        }
    }
    ts__decode(sim, region, target);
    c->by_class[TS_SIM_CLASS_CONTROL]++;
    c->event_jumps++;
    uint64_t at = (entered > usable ? entered : usable) + 2u + LATE(target);
    at = at < left + 1u ? left + 1u : at;
    c->by_cause[TS_SIM_BRANCH] += at - t - 1u;
    t = at;
    if (region != c->region) {
        remember(c, from, from);
        c->region = region;
        slots = region->slots;
        ts__icache_lines(sim, c);
        lines = c->lines;
        e = target;
    }
    goto arrive;
}

    BRANCH_ROW(beq, A == B)
    BRANCH_ROW(bne, A != B)
    BRANCH_ROW(blt, (int32_t)A < (int32_t)B)
    BRANCH_ROW(bge, (int32_t)A >= (int32_t)B)
    BRANCH_ROW(bltu, A < B)
    BRANCH_ROW(bgeu, A >= B)
    BRANCH_ROW(p_beqimm, A == (uint32_t)e->imm2)
    BRANCH_ROW(p_bneimm, A != (uint32_t)e->imm2)

    LOAD_ROWS(lb, 1, (int8_t)*p)
    LOAD_ROWS(lh, 2, (int16_t)get16(p))
    LOAD_ROWS(lw, 4, get32(p))
    LOAD_ROWS(lbu, 1, *p)
    LOAD_ROWS(lhu, 2, get16(p))
    LOAD_ROWS(p_elw, 4, get32(p))
    XLOAD_ROWS(p_lb, 1, (int8_t)*p)
    XLOAD_ROWS(p_lh, 2, (int16_t)get16(p))
    XLOAD_ROWS(p_lw, 4, get32(p))
    XLOAD_ROWS(p_lbu, 1, *p)
    XLOAD_ROWS(p_lhu, 2, get16(p))
    STORE_ROWS(sb, 1)
    STORE_ROWS(sh, 2)
    STORE_ROWS(sw, 4)
    XSTORE_ROWS(p_sb, 1)
    XSTORE_ROWS(p_sh, 2)
    XSTORE_ROWS(p_sw, 4)

    /* Everything that computes rd from its operands alone. */
#define ROW(id, mnemonic, format, match, mask, extension, class, flags)
#define PURE(id, mnemonic, format, match, mask, extension, class, flags)           \
    L_##id : {                                                                     \
        if (TS_CLASS_##class == TS_CLASS_DIV) {                                    \
            uint32_t cycles = ts__div_cycles(TS_OP_##id, B);                       \
            uint64_t left = t;                                                     \
            t += cycles - 1u;                                                      \
            c->by_cause[TS_SIM_MULTI_CYCLE] += cycles - 1u;                        \
            c->div_until = t + 1u;                                                 \
            c->div_cycles = cycles;                                                \
            HELD(left);                                                            \
        }                                                                          \
        if (TS_CLASS_##class == TS_CLASS_MULH) {                                   \
            uint64_t left = t;                                                     \
            t += 4u;                                                               \
            c->by_cause[TS_SIM_MULTI_CYCLE] += 4u;                                 \
            HELD(left);                                                            \
        }                                                                          \
        c->by_class[TS_SIM_CLASS_DIV] += TS_CLASS_##class == TS_CLASS_DIV;         \
        c->by_class[TS_SIM_CLASS_MUL] +=                                           \
            TS_CLASS_##class == TS_CLASS_MUL || TS_CLASS_##class == TS_CLASS_MULH; \
        c->by_class[TS_SIM_CLASS_DOT] += TS_CLASS_##class == TS_CLASS_DOT;         \
        r[e->rd] = ts_sem_##id(r[e->rd], A, B, e->imm, e->imm2);                   \
        STEP();                                                                    \
    }
#include "isa/rows.def"

L_auipc:
    r[e->rd] = ts__slot_address(c->region, e) + (uint32_t)e->imm;
    STEP();

L_lp_starti:
L_lp_endi:
L_lp_count:
L_lp_counti:
L_lp_setup:
L_lp_setupi:
    c->by_class[TS_SIM_CLASS_LOOP]++;
    if (!set_loop(sim, c, e)) {
        FAULT(ts__slot_address(c->region, e), "hardware loop label outside the code");
    }
    c->loop_set_at = t;
    STEP();

L_csrrw:
L_csrrs:
L_csrrc:
L_csrrwi:
L_csrrsi:
L_csrrci:
    SAVE();
    c->by_class[TS_SIM_CLASS_SYSTEM]++;
    if (!ts__csr(sim, c, e, t, retired)) {
        FAULT(0, "access to CSR 0x%03x, which this core does not have", (unsigned)e->imm & 0xfffu);
    }
    if (e->imm == 0x300 || (sim->revision == TS_ISA_CV32E40P_1_0_0 && (e->imm == 0x341 || e->imm == 0x342))) {
        uint64_t left = t;
        t += 3u;
        c->by_cause[TS_SIM_MULTI_CYCLE] += 3u;
        HELD(left);
    }
    STEP();

L_fence:
L_fence_i : {
    uint64_t left = t;
    t += 3u;
    c->by_cause[TS_SIM_MULTI_CYCLE] += 3u;
    c->by_class[TS_SIM_CLASS_SYSTEM]++;
    HELD(left);
    STEP();
}

L_wfi:
    c->by_class[TS_SIM_CLASS_SYSTEM]++;
    if (sim->suite || ts__interrupt_pending(sim, c)) {
        STEP();
    }
    t++;
    retired++;
    e = next;
    next = SLOT_AFTER(e);
    SAVE();
    c->done = NULL;
    ts__sleep(sim, c, TS_SIM_IDLE);
    goto schedule;

L_ebreak:
    SAVE();
    c->by_class[TS_SIM_CLASS_SYSTEM]++;
    if (!ts__semihost(sim, c)) {
        FAULT(ts__pc(c), "ebreak");
    }
    STEP();

L_ecall:
    FAULT(ts__pc(c), "ecall; there is no operating system here");
L_mret:
L_uret:
L_dret:
    FAULT(ts__pc(c), "return from a trap; traps are not simulated");

L_decode:
    ts__decode(sim, c->region, e);
    next = SLOT_AFTER(e);
    goto * e->handler;

L_illegal:
    FAULT(ts__slot_address(c->region, e), "illegal instruction 0x%08x", ts__word_at(sim, c, e));
L_outside:
    FAULT(ts__slot_address(c->region, e), "execution or a branch leaves the code memory");

L_line:
    if (lines[LAST_LINE_OF(e)] == 0u) {
        PARK(TS__PARK_FETCH);
    }
    goto *labels[e->op];

L_pre:
    if ((e->pre & TS__PRE_LINE) != 0u && lines[LAST_LINE_OF(e)] == 0u) {
        PARK(TS__PARK_FETCH);
    }
    if ((e->pre & TS__PRE_MARK) != 0u && (c->unit == 0u || c->unit == TS__FC)) {
        if (c->marked == 0u) {
            PARK(TS__PARK_MARK);
        }
        c->marked = 0;
    }
    if ((e->pre & TS__PRE_WATCH) != 0u) {
        SAVE();
        if (sim->gdb != NULL) {
            ts__gdb_look(sim->gdb, sim, c);
            if (sim->stop != TS__RUNNING) {
                goto schedule;
            }
            if (c->e != e) {
                e = c->e;
                next = c->next;
                goto * e->handler;
            }
        }
        ts__watch(sim, c, e);
        ts__stack_look(sim, c, e);
        if (sim->stop != TS__RUNNING) {
            goto schedule;
        }
    }
    if ((e->pre & TS__PRE_DIVIDED) != 0u && c->div_until == t) {
        uint32_t own = e->op == TS_OP_mulh || e->op == TS_OP_mulhu || e->op == TS_OP_mulhsu ? 5u : 1u;
        uint32_t more = c->div_cycles > own ? c->div_cycles - own : 0u;
        c->by_cause[TS_SIM_MULTI_CYCLE] += more;
        c->ex_enter = t + 1u;
        t += more;
        c->ex_until = t + 1u;
        c->div_until = t + own;
    }
    if ((e->pre & TS__PRE_END) != 0u) {
        int loop = back_edge(sim, c, e);
        if (loop >= 0) {
            target = c->loop_start[loop];
            next = target;
            /* CV32E40P: a body of two is not fetched in time for its second pass. */
            bool early = sim->revision == TS_ISA_CV32E40P_1_0_0 && t == c->loop_set_at + 2u;
            if (t >= limit || early || target->late != 0u || lines[LINE_OF(target)] == 0u) {
                c->fixup.stall_mask = target->stall_mask;
                c->fixup_target = target;
                c->fetch_at = t + 1u + LATE(target) + early;
                next = &c->fixup;
            }
        }
    }
    goto *labels[e->op];

L_fixup:
    PAY();
    if (c->fetch_at > t) {
        c->by_cause[TS_SIM_BRANCH] += c->fetch_at - t;
        t = c->fetch_at;
    }
    e = c->fixup_target;
    if (e->op == TS__OP_DECODE) {
        ts__decode(sim, c->region, e);
    }
    next = SLOT_AFTER(e);
    LATE_SUCCESSOR();
    if (lines[LINE_OF(e)] == 0u) {
        PARK(TS__PARK_FETCH);
    }
    if (t >= limit) {
        PARK(TS__PARK_YIELD);
    }
    goto * e->handler;
}
