/* --check: reads of bytes that nobody wrote, cores and DMA racing on the same bytes between barriers, stacks
 * that touch data or each other.
 *
 * Every byte of L1 and L2 has a shadow: whether it was written, and in which epoch which core last wrote and
 * which cores read it. An epoch ends where cores meet: a barrier opens, a mutex is handed on, an event is
 * raised by software, cores are started. What a transfer moves counts for the core that asked for it; while
 * it is under way, nobody else may touch what it writes, nor write what it reads. */
#include "sim/watch.h"

enum { MAX_REPORTS = 20, NOBODY = 0xff };

typedef struct shadow {
    uint32_t epoch_written, epoch_read; /* one more than the epoch, 0: never */
    uint16_t readers;
    uint8_t writer;
    uint8_t known;
} shadow;

typedef struct ts__check {
    shadow *l1, *l2;
    uint32_t epoch;
    uint32_t reports;
    uint32_t reported[MAX_REPORTS]; /* addresses of instructions already named */
    uint32_t lowest_sp[TS__CORE_SLOTS], highest_sp[TS__CORE_SLOTS];
} ts__check;

void ts__check_new(ts_sim *sim) {
    if (sim->options.check) {
        sim->check = TS_NEW(sim->arena, ts__check);
    }
}

/* The shadows appear once the memories have their sizes. */
static bool ready(ts_sim *sim) {
    ts__check *check = sim->check;
    if (check == NULL || sim->suite) {
        return false;
    }
    if (check->l1 == NULL) {
        check->l1 = TS_NEW_ARRAY(sim->arena, shadow, sim->l1_size);
        check->l2 = TS_NEW_ARRAY(sim->arena, shadow, sim->l2_size);
    }
    return true;
}

static shadow *shadow_of(ts_sim *sim, uint32_t address) {
    if (address - sim->l1_base < sim->l1_size) {
        return &sim->check->l1[address - sim->l1_base];
    }
    return address - sim->l2_base < sim->l2_size ? &sim->check->l2[address - sim->l2_base] : NULL;
}

void ts__watch_loaded(ts_sim *sim, uint32_t address, uint32_t bytes) {
    for (uint32_t i = 0; ready(sim) && i < bytes; i++) {
        shadow *byte = shadow_of(sim, address + i);
        if (byte != NULL) {
            byte->known = 1;
        }
    }
}

void ts__check_epoch(ts_sim *sim) {
    if (sim->check != NULL) {
        sim->check->epoch++;
    }
}

static const char *where(ts_sim *sim, uint32_t address) {
    const ts_elf_symbol *symbol = sim->have_elf ? ts_elf_symbol_at(&sim->elf, address) : NULL;
    return symbol == NULL ? "no symbol"
                          : ts_arena_printf(sim->arena, "%s+0x%x", symbol->name, address - symbol->address);
}

static const char *who(ts_sim *sim, uint32_t unit) {
    return unit == TS__FC ? "the fabric controller" : ts_arena_printf(sim->arena, "core %u", unit);
}

/* Once for each instruction, and no more than MAX_REPORTS in all. */
static bool wanted(ts__check *check, uint32_t pc) {
    for (uint32_t i = 0; i < check->reports; i++) {
        if (check->reported[i] == pc) {
            return false;
        }
    }
    if (check->reports == MAX_REPORTS) {
        return false;
    }
    check->reported[check->reports++] = pc;
    return true;
}

static void report(ts_sim *sim, const ts__core *core, uint32_t address, const char *what) {
    uint32_t pc = ts__pc(core);
    if (wanted(sim->check, pc)) {
        ts_error(sim->diags, TS_DIAG_SIM, NULL, NULL,
                 "check: %s at 0x%08x (%s), cycle %llu: %s; address 0x%08x", who(sim, core->unit), pc,
                 where(sim, pc), (unsigned long long)core->t, what, address);
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

static void check_read(ts_sim *sim, const ts__core *core, uint32_t address, shadow *byte) {
    uint32_t epoch = sim->check->epoch + 1u;
    if (byte->known == 0u) {
        report(sim, core, address, "reads a byte that nobody wrote");
        byte->known = 1;
    }
    if (core->unit == TS__FC) {
        return;
    }
    if (byte->epoch_written == epoch && byte->writer != core->unit) {
        report(sim, core, address,
               ts_arena_printf(sim->arena, "reads what %s wrote since the last barrier",
                               who(sim, byte->writer)));
    }
    byte->readers = byte->epoch_read == epoch ? (uint16_t)(byte->readers | 1u << core->unit)
                                              : (uint16_t)(1u << core->unit);
    byte->epoch_read = epoch;
}

static void check_write(ts_sim *sim, const ts__core *core, uint32_t address, shadow *byte) {
    uint32_t epoch = sim->check->epoch + 1u;
    byte->known = 1;
    if (core->unit == TS__FC) {
        byte->epoch_written = 0;
        return;
    }
    if (byte->epoch_written == epoch && byte->writer != core->unit) {
        report(sim, core, address,
               ts_arena_printf(sim->arena, "overwrites what %s wrote since the last barrier",
                               who(sim, byte->writer)));
    }
    if (byte->epoch_read == epoch && (byte->readers & ~(1u << core->unit)) != 0u) {
        report(sim, core, address,
               ts_arena_printf(sim->arena, "overwrites what cores 0x%03x read since the last barrier",
                               byte->readers & ~(1u << core->unit)));
    }
    byte->epoch_written = epoch;
    byte->writer = core->unit;
}

static void check_stack(ts_sim *sim, const ts__core *core) {
    ts__check *check = sim->check;
    uint32_t sp = core->r[2];
    if (core->e->rs1 != 2u || shadow_of(sim, sp - 1u) == NULL) {
        return;
    }
    uint32_t *low = &check->lowest_sp[core->unit], *high = &check->highest_sp[core->unit];
    *low = *low == 0u || sp < *low ? sp : *low;
    *high = sp > *high ? sp : *high;
}

void ts__check_access(ts_sim *sim, const ts__core *core) {
    if (!ready(sim)) {
        return;
    }
    uint32_t address = core->address;
    address = core->unit != TS__FC && address < sim->l1_size ? address + sim->l1_base : address;
    check_stack(sim, core);
    for (uint32_t i = 0; i < core->size; i++) {
        shadow *byte = shadow_of(sim, address + i);
        if (byte == NULL) {
            return;
        }
        const ts__dma_transfer *transfer = transfer_at(sim, address + i, core->store != 0u);
        if (transfer != NULL && core->unit != TS__FC) {
            report(sim, core, address + i,
                   ts_arena_printf(sim->arena, "%s bytes that a DMA of core %u %s at this moment",
                                   core->store != 0u ? "writes" : "reads", transfer->core,
                                   transfer->out ? "reads" : "writes"));
            return;
        }
        if (core->store != 0u) {
            check_write(sim, core, address + i, byte);
        } else {
            check_read(sim, core, address + i, byte);
        }
    }
}

void ts__check_beat(ts_sim *sim, const ts__dma_transfer *transfer, uint32_t l1, uint32_t l2, uint32_t bytes) {
    if (!ready(sim)) {
        return;
    }
    for (uint32_t i = 0; i < bytes; i++) {
        shadow *from = shadow_of(sim, transfer->out ? l1 + i : l2 + i);
        shadow *to = shadow_of(sim, transfer->out ? l2 + i : l1 + i);
        if (from == NULL || to == NULL) {
            return;
        }
        to->known = from->known;
        to->epoch_written = sim->check->epoch + 1u;
        to->writer = transfer->core;
    }
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
                    who(sim, i), low, high, who(sim, j), check->lowest_sp[j], check->highest_sp[j]);
            }
        }
        for (uint32_t s = 0; sim->have_elf && s < sim->elf.section_count; s++) {
            const ts_elf_section *section = &sim->elf.sections[s];
            if (low < section->address + section->bytes && section->address < high) {
                ts_error(
                    sim->diags, TS_DIAG_SIM, NULL, NULL,
                    "check: the stack of %s (0x%08x to 0x%08x) reaches into section '%s' (0x%08x to 0x%08x)",
                    who(sim, i), low, high, section->name, section->address,
                    section->address + section->bytes);
            }
        }
    }
}
