/* Off-chip memory: HyperRAM and flash on one bus, moved to and from L2 by the uDMA. */
#include <stdlib.h>
#include <string.h>

#include "sim/machine.h"

enum {
    PAGE_BYTES = 1 << 16,
    CHANNEL = 0x480, /* HyperBus behind the uDMA's first register */
    COMMON = CHANNEL + 0x400,
    START = 1 << 4,
    LATENCY = 12,
    FRESH = 0x57
};

void ts__l3_new(ts_sim *sim) {
    for (uint32_t i = 0; i < sim->target->memory_count; i++) {
        const ts_memory *memory = &sim->target->memories[i];
        if (memory->addressable || memory->level < 3u) {
            continue;
        }
        ts__l3_chip *chip = &sim->l3.chip[memory->chip_select];
        chip->memory = memory;
        chip->page_count = (uint32_t)((memory->size_bytes + PAGE_BYTES - 1u) / PAGE_BYTES);
        chip->pages = TS_NEW_ARRAY(sim->arena, uint8_t *, chip->page_count);
        chip->known = TS_NEW_ARRAY(sim->arena, uint8_t *, chip->page_count);
    }
}

/* Pages appear when they are first written; before, each of their bytes is `fresh`. */
static void copy(ts_sim *sim, uint8_t **pages, uint8_t fresh, uint64_t offset, uint8_t *data, size_t size,
                 bool write) {
    while (size != 0u) {
        uint8_t **page = &pages[offset / PAGE_BYTES];
        size_t at = (size_t)(offset % PAGE_BYTES), bytes = PAGE_BYTES - at;
        bytes = bytes < size ? bytes : size;
        if (*page == NULL && write) {
            *page = TS_NEW_ARRAY(sim->arena, uint8_t, PAGE_BYTES);
            memset(*page, fresh, PAGE_BYTES);
        }
        if (write) {
            memcpy(*page + at, data, bytes);
        } else if (*page == NULL) {
            memset(data, fresh, bytes);
        } else {
            memcpy(data, *page + at, bytes);
        }
        data += bytes;
        offset += bytes;
        size -= bytes;
    }
}

static void mark_known(ts_sim *sim, ts__l3_chip *chip, uint64_t offset, size_t size) {
    uint8_t all[256];
    memset(all, 0xff, sizeof all);
    while (size != 0u) {
        size_t bytes = size < sizeof all ? size : sizeof all;
        copy(sim, chip->known, 0, offset, all, bytes, true);
        offset += bytes;
        size -= bytes;
    }
}

bool ts__l3_copy(ts_sim *sim, uint64_t address, void *data, size_t size, bool write) {
    for (int i = 0; i < 2; i++) {
        ts__l3_chip *chip = &sim->l3.chip[i];
        if (chip->memory != NULL && address >= chip->memory->base) {
            uint64_t offset = address - chip->memory->base;
            if (offset <= chip->memory->size_bytes && size <= chip->memory->size_bytes - offset) {
                copy(sim, chip->pages, FRESH, offset, data, size, write);
                if (write && sim->check != NULL) {
                    mark_known(sim, chip, offset, size);
                }
                return true;
            }
        }
    }
    return false;
}

static uint64_t cycles_for(uint32_t bytes, double rate, uint32_t start) {
    return (uint64_t)((double)bytes / rate + 0.999999) + start;
}

/* The cycles of the bus before its first byte; the target's are those with a latency of LATENCY clocks. */
static uint32_t bus_start(const ts__l3 *l3, uint32_t start) {
    uint32_t latency = (l3->common[1] & 31u) << (l3->common[2] & 1u);
    return start + latency < LATENCY ? 0u : start + latency - LATENCY;
}

static uint64_t transfer_cycles(const ts__l3 *l3, const ts_memory *memory, uint32_t bytes, bool write) {
    double rate = memory->read_bytes_per_cycle;
    if (!write) {
        return cycles_for(bytes, rate, bus_start(l3, memory->read_start_cycles));
    }
    if (memory->write_bus_start_cycles == 0u) {
        return cycles_for(bytes, memory->write_bytes_per_cycle, bus_start(l3, memory->write_start_cycles));
    }
    uint64_t bus = cycles_for(bytes, rate, bus_start(l3, memory->write_bus_start_cycles));
    uint64_t source = cycles_for(bytes, memory->write_bytes_per_cycle, memory->write_start_cycles);
    return bus > source ? bus : source;
}

/* Starts what the registers describe. */
static void start(ts_sim *sim, ts__core *core, bool write) {
    ts__l3 *l3 = &sim->l3;
    const uint32_t *channel = write ? l3->tx : l3->rx;
    ts__l3_chip *chip = &l3->chip[l3->common[8] & 1u];
    uint32_t l2 = channel[0], bytes = channel[1];
    if (l3->busy) {
        ts__fault(sim, core, core->address, "an L3 transfer is started while one is running");
        return;
    }
    if (chip->memory == NULL || (write && !chip->memory->writable)) {
        ts__fault(sim, core, l3->external, "L3 transfer with chip select %u, which cannot serve it",
                  l3->common[8] & 1u);
        return;
    }
    if (bytes == 0u || l2 - sim->l2_base > sim->l2_size || bytes > sim->l2_size - (l2 - sim->l2_base)) {
        ts__fault(sim, core, l2, "L3 transfer of %u bytes whose L2 side lies outside L2", bytes);
        return;
    }
    if (l3->external > chip->memory->size_bytes || bytes > chip->memory->size_bytes - l3->external) {
        ts__fault(sim, core, l3->external, "L3 transfer of %u bytes beyond the end of '%s'", bytes,
                  chip->memory->name);
        return;
    }
    if (l2 % 4u != 0u || l3->external % 2u != 0u) {
        ts__fault(sim, core, l2,
                  "misaligned L3 transfer: L2 address 0x%08x must be a multiple of 4, L3 address 0x%08x of 2",
                  l2, l3->external);
        return;
    }
    const ts_memory *memory = chip->memory;
    uint64_t cycles = transfer_cycles(l3, memory, bytes, write);
    ts__core *fc = &sim->core[TS__FC];
    uint64_t begun = ts__from_machine(sim, fc, sim->now);
    ts__order_l3_start(sim, core->unit);
    l3->busy = true;
    l3->write = write;
    l3->l2 = l2;
    l3->bytes = bytes;
    l3->begun_at = sim->now;
    l3->done_at = ts__to_machine(sim, fc, begun + cycles);
    l3->done_at = l3->done_at <= sim->now ? sim->now + 1u : l3->done_at;
    sim->traffic.l3_busy_cycles += cycles;
    ts__park_at(sim, TS__UNIT_L3, l3->done_at);
}

/* The words of a transfer follow each other evenly from its begin to its end. */
bool ts__l3_accesses(const ts_sim *sim, uint64_t at, uint32_t *address) {
    const ts__l3 *l3 = &sim->l3;
    if (!l3->busy || at <= l3->begun_at || at > l3->done_at) {
        return false;
    }
    uint64_t cycles = l3->done_at - l3->begun_at, words = l3->bytes / 4u, past = at - l3->begun_at;
    uint64_t word = past * words / cycles;
    *address = l3->l2 + (uint32_t)word * 4u;
    return word != (past - 1u) * words / cycles;
}

void ts__l3_done(ts_sim *sim) {
    ts__l3 *l3 = &sim->l3;
    ts__l3_chip *chip = &l3->chip[l3->common[8] & 1u];
    uint8_t *l2 = sim->l2 + (l3->l2 - sim->l2_base);
    copy(sim, chip->pages, FRESH, l3->external, l2, l3->bytes, l3->write);
    if (!l3->write) {
        ts__stored(sim, l2, l3->bytes);
    }
    uint8_t *known = ts__check_l3(sim, &l3->mover, l3->l2, l3->bytes, l3->write);
    if (known != NULL) {
        copy(sim, chip->known, 0, l3->external, known, l3->bytes, l3->write);
    }
    ts__order_l3_done(sim);
    *(l3->write ? &sim->traffic.l3_write_bytes : &sim->traffic.l3_read_bytes) += l3->bytes;
    sim->traffic.l3_transfers++;
    l3->busy = false;
    ts__note_l3(sim);
}

uint32_t ts__l3_register(ts_sim *sim, ts__core *core, uint32_t offset) {
    const ts__l3 *l3 = &sim->l3;
    if (offset >= COMMON && offset < COMMON + 0x40u) {
        return l3->common[(offset - COMMON) / 4u];
    }
    if (offset < CHANNEL || offset >= CHANNEL + 0x40u) {
        return 0;
    }
    uint32_t which = (offset - CHANNEL) / 4u;
    if (which == 9u) {
        ts__order_l3_status(sim, core->unit, l3->busy);
    }
    return which < 3u    ? l3->rx[which]
           : which < 6u  ? l3->tx[which - 3u]
           : which == 6u ? l3->setup
           : which == 7u ? l3->external
           : which == 9u ? l3->busy
                         : 0u;
}

void ts__l3_register_write(ts_sim *sim, ts__core *core, uint32_t offset, uint32_t value) {
    ts__l3 *l3 = &sim->l3;
    if (l3->busy && offset >= CHANNEL && (offset == COMMON + 0x20u || offset == CHANNEL + 0x1cu)) {
        ts__fault(sim, core, core->address, "an L3 transfer's registers change while it runs");
        return;
    }
    if (offset >= COMMON && offset < COMMON + 0x40u) {
        l3->common[(offset - COMMON) / 4u] = value;
        return;
    }
    if (offset < CHANNEL || offset >= CHANNEL + 0x40u) {
        return;
    }
    uint32_t which = (offset - CHANNEL) / 4u;
    if (which < 3u) {
        l3->rx[which] = value;
    } else if (which < 6u) {
        l3->tx[which - 3u] = value;
    } else if (which == 6u) {
        l3->setup = value;
    } else if (which == 7u) {
        l3->external = value;
    }
    if ((which == 2u || which == 5u) && (value & START) != 0u) {
        start(sim, core, which == 5u);
    }
}
