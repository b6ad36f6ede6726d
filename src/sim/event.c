/* The event unit: events, barriers, mutexes, and the sleep of p.elw.
 *
 * Register offsets and bits: docs/simulator.md. An event sets a bit of a core's buffer; a core that sleeps
 * in p.elw wakes when a bit of its mask is set. */
#include "sim/machine.h"

enum { BARRIER_EVENT = 16, MUTEX_EVENT = 17, DMA_EVENT = 8, BARRIERS = 8, MUTEXES = 8 };

void ts__sleep(ts_sim *sim, ts__core *core, ts_sim_cause why) {
    (void)sim;
    core->park = TS__PARK_ASLEEP;
    core->asleep_why = (uint8_t)why;
    core->asleep_since = core->done == NULL ? core->t : core->t + 1u;
}

/* `at` is the machine cycle of the event that wakes; the next instruction leaves decode `latency` later. */
static void wake(ts_sim *sim, ts__core *core, uint64_t at, uint32_t latency) {
    core->rank = ++sim->wakes;
    uint64_t event = ts__from_machine(sim, core, at);
    uint64_t resume = event + latency;
    resume = resume < core->asleep_since ? core->asleep_since : resume;
    core->by_cause[core->asleep_why] += resume - core->asleep_since;
    ts__note_wait(sim, core, core->asleep_since, resume);
    core->asleep_cycles += event > core->asleep_since ? event - core->asleep_since : 0u;
    core->t = core->done == NULL ? resume : resume - 1u;
    core->park = TS__PARK_WOKEN;
    sim->bank[core->unit] = TS__NO_BANK;
    sim->at_access &= ~(1u << core->unit);
    uint64_t when = ts__to_machine(sim, core, core->t);
    ts__park_at(sim, core->unit, when > sim->now ? when : sim->now + 1u);
}

void ts__wake(ts_sim *sim, ts__core *core, uint64_t at) { wake(sim, core, at, sim->target->latencies.event); }

/* Why a core sleeps, by what may wake it. */
static ts_sim_cause why(const ts__event_core *own) {
    if (own->wait_kind != 0u) {
        return TS_SIM_BARRIER_WAIT;
    }
    return (own->mask >> DMA_EVENT & 3u) != 0u       ? TS_SIM_DMA_WAIT
           : (own->mask >> BARRIER_EVENT & 1u) != 0u ? TS_SIM_BARRIER_WAIT
                                                     : TS_SIM_IDLE;
}

/* Answers the waiting core of `number` if an event of its mask has come. */
static bool answer(ts_sim *sim, uint32_t number) {
    ts__event_core *own = &sim->events.core[number];
    uint32_t events = own->buffer & own->mask;
    if (events == 0u) {
        return false;
    }
    sim->core[number].slow_word = events;
    ts__order_observe(sim, number, events);
    if (own->clears) {
        own->buffer &= ~events;
    }
    return true;
}

void ts__event_raise(ts_sim *sim, uint32_t cores, uint32_t events, uint64_t at) {
    for (uint32_t i = 0; i < sim->core_count; i++) {
        ts__event_core *own = &sim->events.core[i];
        if ((cores >> i & 1u) == 0u) {
            continue;
        }
        own->buffer |= events;
        if (own->waiting && own->wait_kind != 2u && answer(sim, i)) {
            own->waiting = false;
            wake(sim, &sim->core[i], at,
                 own->wait_kind == 1u ? sim->target->latencies.barrier : sim->target->latencies.event);
        }
    }
}

/* `cores` have arrived at a barrier, as core `unit` says; the last one opens it. */
static void arrive(ts_sim *sim, uint32_t unit, uint32_t number, uint32_t cores) {
    ts__barrier *barrier = &sim->events.barrier[number];
    ts__order_arrive(sim, unit, number);
    barrier->arrived |= cores & barrier->mask;
    if (barrier->mask != 0u && barrier->arrived == barrier->mask) {
        barrier->arrived = 0;
        ts__order_open(sim, number, barrier->target, BARRIER_EVENT);
        ts__event_raise(sim, barrier->target, 1u << BARRIER_EVENT, sim->now);
    }
}

/* Goes to sleep until an event of the mask is there; the cycles beyond one if it is there already. */
static uint32_t wait(ts_sim *sim, ts__core *core, uint32_t kind, uint32_t number, bool clears) {
    ts__event_core *own = &sim->events.core[core->unit];
    own->wait_kind = (uint8_t)kind;
    own->barrier = (uint8_t)number;
    own->clears = clears;
    if (kind == 0u && answer(sim, core->unit)) {
        core->rank = ++sim->wakes;
        return sim->target->latencies.event_ready;
    }
    own->waiting = true;
    ts__sleep(sim, core, why(own));
    if (kind == 1u) {
        arrive(sim, core->unit, number, 1u << core->unit);
        core->rank = own->waiting ? core->rank : ++sim->wakes; /* who opens it is woken behind the others */
    }
    return 0;
}

static uint32_t lock(ts_sim *sim, ts__core *core, uint32_t number) {
    ts__mutex *mutex = &sim->events.mutex[number];
    if (!mutex->locked) {
        mutex->locked = true;
        ts__order_lock(sim, core->unit, number);
        core->slow_word = mutex->value;
        return sim->target->latencies.mutex_ready;
    }
    ts__event_core *own = &sim->events.core[core->unit];
    own->waiting = true;
    own->wait_kind = 2;
    own->barrier = (uint8_t)number;
    mutex->waiting |= 1u << core->unit;
    ts__sleep(sim, core, TS_SIM_BARRIER_WAIT);
    return 0;
}

static void unlock(ts_sim *sim, uint32_t unit, uint32_t number, uint32_t value) {
    ts__mutex *mutex = &sim->events.mutex[number];
    ts__order_unlock(sim, unit, number);
    mutex->value = value;
    mutex->locked = mutex->waiting != 0u;
    if (!mutex->locked) {
        return;
    }
    uint32_t next = (uint32_t)__builtin_ctz(mutex->waiting);
    mutex->waiting &= mutex->waiting - 1u;
    sim->core[next].slow_word = value;
    ts__order_lock(sim, next, number);
    sim->events.core[next].waiting = false;
    wake(sim, &sim->core[next], sim->now, sim->target->latencies.event);
}

/* A software event, to a set of cores or with an empty one to all. */
static void send(ts_sim *sim, const ts__core *core, uint32_t event, uint32_t cores) {
    cores = cores == 0u ? 0xffffffffu : cores;
    ts__order_signal(sim, core->unit, cores, 1u << event);
    ts__event_raise(sim, cores, 1u << event, sim->now);
}

/* Registers of a barrier; false where there is none. */
static bool barrier_register(ts_sim *sim, ts__core *core, uint32_t offset, bool write, uint32_t *value) {
    ts__barrier *barrier = &sim->events.barrier[offset / 0x20u];
    switch (offset & 0x1fu) {
        case 0x00:
            if (write) {
                barrier->mask = *value;
                barrier->arrived &= *value;
            }
            *value = barrier->mask;
            return true;
        case 0x04:
            *value = barrier->arrived;
            return !write;
        case 0x08:
            *value = barrier->arrived;
            return !write;
        case 0x0c:
            if (write) {
                barrier->target = *value;
            }
            *value = barrier->target;
            return true;
        case 0x10:
            if (write) {
                arrive(sim, core->unit, offset / 0x20u, *value);
            }
            return write;
        case 0x14:
            if (core->unit < TS__CORES) {
                arrive(sim, core->unit, offset / 0x20u, 1u << core->unit);
            }
            *value = 0;
            return true;
        default:
            return false;
    }
}

static void unknown(ts_sim *sim, ts__core *core) {
    ts__fault(sim, core, core->address, "the event unit's register is not modelled");
}

uint32_t ts__event_read(ts_sim *sim, ts__core *core, uint32_t offset, uint32_t *value) {
    ts__event_core *own = &sim->events.core[core->unit];
    bool waits = ts__is_elw(core);
    *value = 0;
    if (offset >= 0x200u && offset < 0x200u + 0x20u * BARRIERS) {
        uint32_t number = (offset - 0x200u) / 0x20u, which = offset & 0x1fu;
        if (waits && (which == 0x18u || which == 0x1cu)) {
            return wait(sim, core, 1, number, which == 0x1cu);
        }
        if (!barrier_register(sim, core, offset - 0x200u, false, value)) {
            unknown(sim, core);
        }
        return 0;
    }
    if (offset >= 0xc0u && offset < 0xc0u + 4u * MUTEXES) {
        return lock(sim, core, (offset - 0xc0u) / 4u);
    }
    switch (offset) {
        case 0x00:
        case 0x04:
        case 0x08:
            *value = own->mask;
            break;
        case 0x0c:
            *value = own->irq_mask;
            break;
        case 0x18:
            *value = 1;
            break;
        case 0x1c:
            *value = own->buffer;
            break;
        case 0x20:
            *value = own->buffer & own->mask;
            break;
        case 0x24:
            *value = own->buffer & own->irq_mask;
            break;
        case 0x38:
        case 0x3c:
            if (waits) {
                return wait(sim, core, 0, 0, offset == 0x3cu);
            }
            *value = own->buffer & own->mask;
            own->buffer &= offset == 0x3cu ? ~*value : 0xffffffffu;
            break;
        default:
            unknown(sim, core);
    }
    if (offset >= 0x1cu && core == &sim->core[core->unit]) {
        ts__order_observe(sim, core->unit, *value);
    }
    return 0;
}

void ts__event_write(ts_sim *sim, ts__core *core, uint32_t offset, uint32_t value) {
    ts__event_core *own = &sim->events.core[core->unit];
    if (offset >= 0x200u && offset < 0x200u + 0x20u * BARRIERS) {
        if (!barrier_register(sim, core, offset - 0x200u, true, &value)) {
            unknown(sim, core);
        }
        return;
    }
    if (offset >= 0x100u && offset < 0x120u) {
        send(sim, core, (offset - 0x100u) / 4u, value);
        return;
    }
    if (offset >= 0xc0u && offset < 0xc0u + 4u * MUTEXES) {
        unlock(sim, core->unit, (offset - 0xc0u) / 4u, value);
        return;
    }
    switch (offset) {
        case 0x00:
            own->mask = value;
            break;
        case 0x04:
            own->mask &= ~value;
            break;
        case 0x08:
            own->mask |= value;
            break;
        case 0x0c:
            own->irq_mask = value;
            break;
        case 0x10:
            own->irq_mask &= ~value;
            break;
        case 0x14:
            own->irq_mask |= value;
            break;
        case 0x28:
            own->buffer &= ~value;
            break;
        default:
            unknown(sim, core);
    }
}

/* The same registers for everybody: each core's at 0x40 times its number, barriers from 0x400, software
 * events from 0x600. */
void ts__event_global(ts_sim *sim, ts__core *core, uint32_t offset) {
    if (offset >= 0x400u && offset < 0x400u + 0x20u * BARRIERS) {
        if (!barrier_register(sim, core, offset - 0x400u, core->store != 0u,
                              core->store != 0u ? &core->store_value : &core->slow_word)) {
            unknown(sim, core);
        }
        return;
    }
    if (offset >= 0x600u && offset < 0x620u && core->store != 0u) {
        send(sim, core, (offset - 0x600u) / 4u, core->store_value);
        return;
    }
    if (offset >= 0x40u * TS__CORES) {
        unknown(sim, core);
        return;
    }
    ts__core view = {.unit = (uint8_t)(offset / 0x40u), .address = core->address};
    if (core->store != 0u) {
        ts__event_write(sim, &view, offset % 0x40u, core->store_value);
    } else {
        ts__event_read(sim, &view, offset % 0x40u, &core->slow_word);
    }
}

const char *ts__waits_for(const ts_sim *sim, const ts__core *core) {
    if (core->park == TS__PARK_OFF) {
        return "not started";
    }
    if (core->park != TS__PARK_ASLEEP) {
        return "running";
    }
    if (core->done == NULL) {
        return "wfi: an interrupt";
    }
    const ts__event_core *own = &sim->events.core[core->unit];
    if (own->wait_kind == 1u) {
        const ts__barrier *barrier = &sim->events.barrier[own->barrier];
        return ts_arena_printf(sim->arena,
                               "barrier %u: cores 0x%03x of 0x%03x have arrived; event mask 0x%08x",
                               own->barrier, barrier->arrived, barrier->mask, own->mask);
    }
    return own->wait_kind == 2u ? ts_arena_printf(sim->arena, "mutex %u", own->barrier)
                                : ts_arena_printf(sim->arena, "an event of mask 0x%08x", own->mask);
}
