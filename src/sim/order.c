/* What orders accesses to memory: vector clocks, after Flanagan and Freund, FastTrack (2009).
 *
 * Each core, each stream of the DMA and the L3 bus is a thread with a clock. What lets one thread know of
 * another carries the clock along: barriers, events, mutexes, the start of cores, commands and completions
 * of transfers, the fabric's interrupts, and flags: words of which a symbol begins with ts_sync_, and those
 * that are accessed through the test-and-set window. Two accesses of one byte, one of them a write, are
 * ordered when the later thread knows of the earlier one's clock. */
#include <string.h>

#include "sim/check.h"

#define SYNC_PREFIX "ts_sync_"

/* An epoch: the thread above, its clock below. */
enum { CLOCK_BITS = 27 };
#define CLOCK_MASK ((1u << CLOCK_BITS) - 1u)
/* In place of a thread: the rest is an index into the shared reads. */
#define SHARED 31u

static uint32_t epoch_of(const ts__check *check, uint32_t thread) {
    return thread << CLOCK_BITS | (check->clock[thread].at[thread] & CLOCK_MASK);
}

/* The thread of an epoch that `thread` does not know of, or TS__THREADS. */
static uint32_t unordered(const ts__check *check, uint32_t thread, uint32_t epoch) {
    uint32_t other = epoch >> CLOCK_BITS;
    return epoch != 0u && other != thread && (epoch & CLOCK_MASK) > check->clock[thread].at[other]
               ? other
               : TS__THREADS;
}

static void join(ts__clock *to, const ts__clock *from) {
    for (uint32_t i = 0; i < TS__THREADS; i++) {
        to->at[i] = to->at[i] > from->at[i] ? to->at[i] : from->at[i];
    }
}

void ts__order_release(ts__check *check, uint32_t thread, ts__clock *to) {
    join(to, &check->clock[thread]);
    check->clock[thread].at[thread]++;
}

void ts__order_acquire(ts__check *check, uint32_t thread, const ts__clock *from) {
    join(&check->clock[thread], from);
}

void ts__order_new(ts_sim *sim) {
    ts__check *check = sim->check;
    for (uint32_t i = 0; i < TS__THREADS; i++) {
        check->clock[i].at[i] = 1;
    }
    for (uint32_t i = 0; sim->have_elf && i < sim->elf.located_count; i++) {
        const ts_elf_symbol *symbol = &sim->elf.symbols[i];
        if (strncmp(symbol->name, SYNC_PREFIX, sizeof SYNC_PREFIX - 1u) == 0 &&
            check->sync_count < TS__SYNC_WORDS) {
            check->sync[check->sync_count++].address = symbol->address;
        }
    }
}

ts__sync_word *ts__order_sync(ts__check *check, uint32_t address) {
    for (uint32_t i = 0; i < check->sync_count; i++) {
        if ((check->sync[i].address ^ address) < 4u) {
            return &check->sync[i];
        }
    }
    return NULL;
}

/* Several threads read a byte with nothing to order them: each is remembered. */
static uint32_t share(ts_sim *sim, uint32_t epoch) {
    ts__check *check = sim->check;
    uint32_t index;
    if (check->shared_free.count != 0u) {
        index = check->shared_free.data[--check->shared_free.count];
    } else {
        index = check->shared.count;
        ts__clock none = {{0}};
        TS_PUSH(sim->arena, &check->shared, none);
    }
    memset(&check->shared.data[index], 0, sizeof(ts__clock));
    check->shared.data[index].at[epoch >> CLOCK_BITS] = epoch & CLOCK_MASK;
    return SHARED << CLOCK_BITS | index;
}

uint32_t ts__order_read(ts_sim *sim, uint32_t thread, ts__byte_epochs *byte) {
    ts__check *check = sim->check;
    uint32_t epoch = epoch_of(check, thread);
    if (byte->read >> CLOCK_BITS == SHARED) {
        check->shared.data[byte->read & CLOCK_MASK].at[thread] = epoch & CLOCK_MASK;
    } else if (byte->read >> CLOCK_BITS == thread || unordered(check, thread, byte->read) == TS__THREADS) {
        byte->read = epoch;
    } else {
        byte->read = share(sim, byte->read);
        check->shared.data[byte->read & CLOCK_MASK].at[thread] = epoch & CLOCK_MASK;
    }
    return unordered(check, thread, byte->written);
}

/* A thread that read the byte and that `thread` does not know of, or TS__THREADS. */
static uint32_t unordered_reader(const ts__check *check, uint32_t thread, const ts__byte_epochs *byte) {
    if (byte->read >> CLOCK_BITS != SHARED) {
        return unordered(check, thread, byte->read);
    }
    const ts__clock *reads = &check->shared.data[byte->read & CLOCK_MASK];
    for (uint32_t i = 0; i < TS__THREADS; i++) {
        if (i != thread && reads->at[i] > check->clock[thread].at[i]) {
            return i;
        }
    }
    return TS__THREADS;
}

uint32_t ts__order_write(ts_sim *sim, uint32_t thread, ts__byte_epochs *byte, uint32_t *reader) {
    ts__check *check = sim->check;
    uint32_t writer = unordered(check, thread, byte->written);
    *reader = unordered_reader(check, thread, byte);
    if (byte->read >> CLOCK_BITS == SHARED) {
        TS_PUSH(sim->arena, &check->shared_free, byte->read & CLOCK_MASK);
    }
    byte->written = epoch_of(check, thread);
    byte->read = 0;
    return writer;
}

/* Hooks: each does nothing where nobody checks. */

static ts__clock *clock_of_barrier(ts__check *check, uint32_t number) { return &check->barrier[number]; }

void ts__order_arrive(ts_sim *sim, uint32_t unit, uint32_t number) {
    if (sim->check != NULL && unit < TS__CORE_SLOTS) {
        ts__order_release(sim->check, unit, clock_of_barrier(sim->check, number));
    }
}

void ts__order_open(ts_sim *sim, uint32_t number, uint32_t cores, uint32_t event) {
    for (uint32_t i = 0; sim->check != NULL && i < TS__CORES; i++) {
        if ((cores >> i & 1u) != 0u) {
            join(&sim->check->event[i][event], clock_of_barrier(sim->check, number));
        }
    }
    if (sim->check != NULL) {
        memset(clock_of_barrier(sim->check, number), 0, sizeof(ts__clock));
    }
}

static void signal_from(ts__check *check, const ts__clock *from, uint32_t cores, uint32_t events) {
    for (uint32_t i = 0; i < TS__CORES; i++) {
        for (uint32_t left = (cores >> i & 1u) != 0u ? events : 0u; left != 0u; left &= left - 1u) {
            join(&check->event[i][__builtin_ctz(left)], from);
        }
    }
}

void ts__order_signal(ts_sim *sim, uint32_t unit, uint32_t cores, uint32_t events) {
    if (sim->check != NULL) {
        signal_from(sim->check, &sim->check->clock[unit], cores, events);
        sim->check->clock[unit].at[unit]++;
    }
}

void ts__order_observe(ts_sim *sim, uint32_t unit, uint32_t events) {
    for (uint32_t left = sim->check != NULL && unit < TS__CORES ? events : 0u; left != 0u;
         left &= left - 1u) {
        join(&sim->check->clock[unit], &sim->check->event[unit][__builtin_ctz(left)]);
    }
}

void ts__order_lock(ts_sim *sim, uint32_t unit, uint32_t number) {
    if (sim->check != NULL) {
        ts__order_acquire(sim->check, unit, &sim->check->mutex[number]);
    }
}

void ts__order_unlock(ts_sim *sim, uint32_t unit, uint32_t number) {
    if (sim->check != NULL) {
        ts__order_release(sim->check, unit, &sim->check->mutex[number]);
    }
}

void ts__order_start(ts_sim *sim, uint32_t unit, uint32_t started) {
    if (sim->check != NULL) {
        ts__order_release(sim->check, unit, &sim->check->clock[started]);
    }
}

void ts__order_interrupt(ts_sim *sim, uint32_t unit, bool raised) {
    if (sim->check != NULL) {
        (raised ? ts__order_release(sim->check, unit, &sim->check->interrupts)
                : ts__order_acquire(sim->check, unit, &sim->check->interrupts));
    }
}

void ts__order_issue(ts_sim *sim, ts__dma_transfer *transfer) {
    if (sim->check != NULL) {
        const ts__core *core = &sim->core[transfer->core];
        transfer->mover = TS_NEW(sim->arena, ts__mover);
        *transfer->mover =
            (ts__mover){.clock = TS_NEW(sim->arena, ts__clock), .unit = core->unit, .pc = ts__pc(core)};
        ts__order_release(sim->check, transfer->core, transfer->mover->clock);
    }
}

static uint32_t thread_of(const ts__dma_transfer *transfer) {
    return transfer->out ? TS__THREAD_DMA_OUT : TS__THREAD_DMA_IN;
}

void ts__order_begin(ts_sim *sim, const ts__dma_transfer *transfer) {
    if (sim->check != NULL) {
        ts__order_acquire(sim->check, thread_of(transfer), transfer->mover->clock);
    }
}

/* The transfer keeps the clock until its completion is seen: the stream goes on with the next one. */
void ts__order_end(ts_sim *sim, const ts__dma_transfer *transfer) {
    if (sim->check != NULL) {
        ts__order_release(sim->check, thread_of(transfer), transfer->mover->clock);
    }
}

void ts__order_complete(ts_sim *sim, const ts__dma_transfer *transfer, uint32_t cores, uint32_t events) {
    if (sim->check != NULL) {
        join(&sim->check->counter[transfer->counter], transfer->mover->clock);
        signal_from(sim->check, transfer->mover->clock, cores, events);
    }
}

void ts__order_status(ts_sim *sim, uint32_t unit, uint32_t busy) {
    for (uint32_t i = 0; sim->check != NULL && i < TS__DMA_COUNTERS; i++) {
        if ((busy >> i & 1u) == 0u) {
            ts__order_acquire(sim->check, unit, &sim->check->counter[i]);
        }
    }
}

void ts__order_l3_start(ts_sim *sim, uint32_t unit) {
    if (sim->check != NULL) {
        sim->l3.mover = (ts__mover){.unit = unit, .pc = ts__pc(&sim->core[unit])};
        ts__order_release(sim->check, unit, &sim->check->clock[TS__THREAD_L3]);
    }
}

void ts__order_l3_done(ts_sim *sim) {
    if (sim->check != NULL) {
        ts__order_release(sim->check, TS__THREAD_L3, &sim->check->l3);
    }
}

void ts__order_l3_status(ts_sim *sim, uint32_t unit, bool busy) {
    if (sim->check != NULL && !busy) {
        ts__order_acquire(sim->check, unit, &sim->check->l3);
    }
}
