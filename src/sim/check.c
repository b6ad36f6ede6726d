/* --check: values that depend on bytes nobody wrote (define.c), accesses of the same bytes that nothing
 * orders, one of them a write (order.c), stacks that touch data or each other.
 *
 * A kernel may load more than it uses. So reading what somebody writes meanwhile is no fault but gives a
 * value that may not be used, and a few bytes may be overwritten that somebody has read. */
#include "sim/check.h"

#include <string.h>

#include "sim/watch.h"

enum {
    TEST_AND_SET = 0x00100000, /* from the base of L1 */
    OVER_READ = 64             /* bytes that may be read and overwritten, between two synchronisations */
};

#define UNORDERED "with nothing to order the two"

void ts__check_new(ts_sim *sim) {
    if (sim->options.check) {
        sim->check = TS_NEW(sim->arena, ts__check);
        sim->watched = true;
    }
}

/* The shadows appear once the memories have their sizes. */
static bool ready(ts_sim *sim) {
    ts__check *check = sim->check;
    if (check == NULL || sim->suite) {
        return false;
    }
    if (check->known[0] == NULL) {
        uint32_t sizes[2] = {sim->l1_size, sim->l2_size};
        for (int i = 0; i < 2; i++) {
            check->known[i] = TS_NEW_ARRAY(sim->arena, uint8_t, sizes[i]);
            check->origin[i] = TS_NEW_ARRAY(sim->arena, uint16_t, sizes[i] / 4u + 1u);
            check->epochs[i] = TS_NEW_ARRAY(sim->arena, ts__byte_epochs, sizes[i]);
        }
        ts__order_new(sim);
    }
    return true;
}

int ts__check_memory(const ts_sim *sim, uint32_t address, uint32_t *offset) {
    *offset = address - sim->l1_base;
    if (*offset < sim->l1_size) {
        return 0;
    }
    *offset = address - sim->l2_base;
    return *offset < sim->l2_size ? 1 : -1;
}

void ts__watch_loaded(ts_sim *sim, uint32_t address, uint32_t bytes) {
    uint32_t offset, last;
    if (bytes == 0u || !ready(sim)) {
        return;
    }
    int memory = ts__check_memory(sim, address, &offset);
    if (memory >= 0 && ts__check_memory(sim, address + bytes - 1u, &last) == memory) {
        memset(sim->check->known[memory] + offset, 0xff, bytes);
        memset(sim->check->epochs[memory] + offset, 0, bytes * sizeof(ts__byte_epochs));
    }
}

bool ts_sim_known(ts_sim *sim, uint32_t address, size_t size, uint32_t *first) {
    uint32_t offset;
    int memory = ts__check_memory(sim, address, &offset);
    for (uint32_t i = 0; memory >= 0 && ready(sim) && i < size; i++) {
        if (sim->check->known[memory][offset + i] != 0xffu) {
            *first = address + i;
            return false;
        }
    }
    return true;
}

const char *ts__check_where(ts_sim *sim, uint32_t address) {
    const ts_elf_symbol *symbol = sim->have_elf ? ts_elf_symbol_at(&sim->elf, address) : NULL;
    return symbol == NULL ? "no symbol"
                          : ts_arena_printf(sim->arena, "%s+0x%x", symbol->name, address - symbol->address);
}

const char *ts__check_who(ts_sim *sim, uint32_t thread) {
    return thread == TS__FC                                              ? "the fabric controller"
           : thread == TS__THREAD_DMA_IN || thread == TS__THREAD_DMA_OUT ? "the DMA"
           : thread == TS__THREAD_L3                                     ? "the L3 bus"
                                     : ts_arena_printf(sim->arena, "core %u", thread);
}

/* Once for each instruction, and no more than TS__CHECK_REPORTS in all. */
static bool wanted(ts__check *check, uint32_t pc) {
    for (uint32_t i = 0; i < check->reports; i++) {
        if (check->reported[i] == pc) {
            return false;
        }
    }
    if (check->reports == TS__CHECK_REPORTS) {
        return false;
    }
    check->reported[check->reports++] = pc;
    return true;
}

void ts__check_report(ts_sim *sim, uint32_t unit, uint32_t pc, uint32_t address, const char *what) {
    if (wanted(sim->check, pc)) {
        ts_error(sim->diags, TS_DIAG_SIM, NULL, NULL,
                 "check: %s at 0x%08x (%s), cycle %llu: %s; address 0x%08x", ts__check_who(sim, unit), pc,
                 ts__check_where(sim, pc), (unsigned long long)sim->core[unit].t, what, address);
    }
}

/* The transfer under way that an access meets. */
static const ts__dma_transfer *transfer_at(const ts_sim *sim, uint32_t address, bool write) {
    const ts__dma_stream *streams[2] = {&sim->dma.in, &sim->dma.out};
    for (int s = 0; s < 2; s++) {
        for (uint32_t i = 0; i < streams[s]->count; i++) {
            const ts__dma_transfer *transfer = &streams[s]->queue[(streams[s]->head + i) % TS__DMA_QUEUE];
            bool in_l1 = address - transfer->l1 < transfer->bytes;
            if (in_l1 && (write || !transfer->out)) {
                return transfer;
            }
        }
    }
    return NULL;
}

static void complain(ts_sim *sim, const ts__core *core, uint32_t address, const char *does, uint32_t thread,
                     const char *did) {
    ts__check_report(
        sim, core->unit, ts__pc(core), address,
        ts_arena_printf(sim->arena, "%s what %s %s, " UNORDERED, does, ts__check_who(sim, thread), did));
}

/* The thread that writes or wrote the byte with nothing to order the two. */
static uint32_t check_read(ts_sim *sim, const ts__core *core, uint32_t address, ts__byte_epochs *byte) {
    uint32_t writer = ts__order_read(sim, core->unit, byte);
    return transfer_at(sim, address, false) != NULL ? (uint32_t)TS__THREAD_DMA_IN : writer;
}

/* More bytes are overwritten between two synchronisations than a kernel may have read in vain. */
static bool too_many(ts__check *check, uint32_t reader, uint32_t writer) {
    ts__over_read *over = &check->over_read[reader][writer];
    uint32_t reads = check->clock[reader].at[reader], writes = check->clock[writer].at[writer];
    if (over->reads != reads || over->writes != writes) {
        *over = (ts__over_read){reads, writes, 0};
    }
    return ++over->bytes > OVER_READ;
}

static void check_write(ts_sim *sim, const ts__core *core, uint32_t address, ts__byte_epochs *byte) {
    uint32_t reader, writer = ts__order_write(sim, core->unit, byte, &reader);
    const ts__dma_transfer *transfer = transfer_at(sim, address, true);
    if (transfer != NULL) {
        ts__check_report(sim, core->unit, ts__pc(core), address,
                         ts_arena_printf(sim->arena, "writes bytes that a DMA of core %u %s at this moment",
                                         transfer->core, transfer->out ? "reads" : "writes"));
    } else if (writer != TS__THREADS) {
        complain(sim, core, address, "overwrites", writer, "wrote");
    } else if (reader != TS__THREADS &&
               (reader >= TS__CORE_SLOTS || too_many(sim->check, reader, core->unit))) {
        complain(sim, core, address, "overwrites", reader, "read");
    }
}

static void check_stack(ts_sim *sim, const ts__core *core) {
    ts__check *check = sim->check;
    uint32_t sp = core->r[2], offset;
    if (core->e->rs1 != 2u || ts__check_memory(sim, sp - 1u, &offset) < 0) {
        return;
    }
    uint32_t *low = &check->lowest_sp[core->unit], *high = &check->highest_sp[core->unit];
    *low = *low == 0u || sp < *low ? sp : *low;
    *high = sp > *high ? sp : *high;
}

/* Flags order others' accesses and are no race themselves. */
static bool check_flag(ts_sim *sim, const ts__core *core, uint32_t address, bool test_and_set) {
    ts__check *check = sim->check;
    ts__sync_word *flag = ts__order_sync(check, address);
    if (flag == NULL && test_and_set && check->sync_count < TS__SYNC_WORDS) {
        flag = &check->sync[check->sync_count++];
        flag->address = address & ~3u;
    }
    if (flag == NULL) {
        return false;
    }
    if (core->store != 0u) {
        ts__order_release(check, core->unit, &flag->clock);
    } else {
        ts__order_acquire(check, core->unit, &flag->clock);
    }
    return true;
}

/* Where an access lies: the low alias of L1 is the cluster's. */
static uint32_t place_of(const ts_sim *sim, const ts__core *core, bool *test_and_set) {
    bool fc = core->unit == TS__FC;
    uint32_t address = core->address;
    if (!fc && address < TEST_AND_SET + sim->l1_size) {
        address += sim->l1_base;
    }
    *test_and_set = address - (sim->l1_base + TEST_AND_SET) < sim->l1_size;
    return *test_and_set ? address - TEST_AND_SET : address;
}

void ts__check_access(ts_sim *sim, const ts__core *core) {
    if (!ready(sim)) {
        return;
    }
    bool test_and_set;
    uint32_t address = place_of(sim, core, &test_and_set), offset, last, raced = 0;
    int memory = ts__check_memory(sim, address, &offset);
    check_stack(sim, core);
    if (memory >= 0 && ts__check_memory(sim, address + core->size - 1u, &last) != memory) {
        memory = -1;
    }
    ts__origin origin = {ts__pc(core), address, TS__THREADS};
    if (memory >= 0 && !check_flag(sim, core, address, test_and_set)) {
        for (uint32_t i = 0; i < core->size; i++) {
            ts__byte_epochs *byte = &sim->check->epochs[memory][offset + i];
            if (core->store != 0u) {
                check_write(sim, core, address + i, byte);
                continue;
            }
            uint32_t thread = check_read(sim, core, address + i, byte);
            if (thread != TS__THREADS) {
                raced |= 0xffu << 8u * i;
                origin = (ts__origin){origin.pc, address + i, thread};
            }
        }
    }
    ts__define_access(sim, core, memory, offset, raced, &origin);
    if (test_and_set && core->store == 0u && memory >= 0) {
        memset(sim->check->known[memory] + offset, 0xff, core->size);
    }
}

/* A thread that moves data for a core accesses a byte. */
static void check_moved(ts_sim *sim, uint32_t thread, const ts__mover *mover, uint32_t address, bool write) {
    uint32_t offset, reader = TS__THREADS, writer;
    int memory = ts__check_memory(sim, address, &offset);
    ts__byte_epochs *byte = &sim->check->epochs[memory][offset];
    writer = write ? ts__order_write(sim, thread, byte, &reader) : ts__order_read(sim, thread, byte);
    bool reads = writer == TS__THREADS && reader != TS__THREADS && too_many(sim->check, reader, thread);
    if (writer != TS__THREADS || reads) {
        ts__check_report(
            sim, mover->unit, mover->pc, address,
            ts_arena_printf(sim->arena, "began a transfer that %s what %s %s, " UNORDERED,
                            write ? "overwrites" : "reads", ts__check_who(sim, reads ? reader : writer),
                            reads ? "read" : "wrote"));
    }
}

void ts__check_beat(ts_sim *sim, const ts__dma_transfer *transfer, uint32_t l1, uint32_t l2, uint32_t bytes) {
    if (!ready(sim)) {
        return;
    }
    uint32_t thread = transfer->out ? TS__THREAD_DMA_OUT : TS__THREAD_DMA_IN;
    for (uint32_t i = 0; i < bytes; i++) {
        check_moved(sim, thread, transfer->mover, (transfer->out ? l1 : l2) + i, false);
        check_moved(sim, thread, transfer->mover, (transfer->out ? l2 : l1) + i, true);
    }
    uint32_t inner = l1 - sim->l1_base, outer = l2 - sim->l2_base;
    if (transfer->out) {
        ts__define_copy(sim->check, 0, inner, 1, outer, bytes);
    } else {
        ts__define_copy(sim->check, 1, outer, 0, inner, bytes);
    }
}

uint8_t *ts__check_l3(ts_sim *sim, const ts__mover *mover, uint32_t l2, uint32_t bytes, bool write) {
    uint32_t offset = l2 - sim->l2_base;
    if (!ready(sim)) {
        return NULL;
    }
    for (uint32_t i = 0; i < bytes; i++) {
        check_moved(sim, TS__THREAD_L3, mover, l2 + i, !write);
    }
    if (!write) {
        memset(sim->check->origin[1] + offset / 4u, 0, bytes / 4u * sizeof(uint16_t));
    }
    return sim->check->known[1] + offset;
}

/* Stacks of two cores, or a stack and what the program was loaded with, lie over each other. */
void ts__check_end(ts_sim *sim) {
    const ts__check *check = sim->check;
    for (uint32_t i = 0; check != NULL && i < TS__CORE_SLOTS; i++) {
        uint32_t low = check->lowest_sp[i], high = check->highest_sp[i];
        for (uint32_t j = 0; j < i; j++) {
            if (low < check->highest_sp[j] && check->lowest_sp[j] < high) {
                ts_error(
                    sim->diags, TS_DIAG_SIM, NULL, NULL,
                    "check: the stack of %s (0x%08x to 0x%08x) reaches into that of %s (0x%08x to 0x%08x)",
                    ts__check_who(sim, i), low, high, ts__check_who(sim, j), check->lowest_sp[j],
                    check->highest_sp[j]);
            }
        }
        for (uint32_t s = 0; sim->have_elf && s < sim->elf.section_count; s++) {
            const ts_elf_section *section = &sim->elf.sections[s];
            if (low < section->address + section->bytes && section->address < high) {
                ts_error(
                    sim->diags, TS_DIAG_SIM, NULL, NULL,
                    "check: the stack of %s (0x%08x to 0x%08x) reaches into section '%s' (0x%08x to 0x%08x)",
                    ts__check_who(sim, i), low, high, section->name, section->address,
                    section->address + section->bytes);
            }
        }
    }
}
