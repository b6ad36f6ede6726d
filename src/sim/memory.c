/* The address map beyond a core's own fast memory: other memories, peripherals, input and output. */
#include <string.h>

#include "sim/machine.h"

enum {
    LOW_ALIAS_END = 0x00100000,
    TEST_AND_SET = 0x00100000, /* from the base of L1 */
    LOW_PERIPHERALS = 0x00200000,
    PERIPHERALS = 0x10200000,
    PERIPHERAL_BYTES = 0x4000,
    DEMUX_BYTES = 0x800, /* behind the peripherals */
    APB = 0x1a100000,
    APB_BYTES = 0x10000
};

uint8_t *ts__host(const ts_sim *sim, uint32_t address, uint32_t bytes) {
    if (bytes <= sim->l1_size && address - sim->l1_base <= sim->l1_size - bytes) {
        return sim->l1 + (address - sim->l1_base);
    }
    if (bytes <= sim->l2_size && address - sim->l2_base <= sim->l2_size - bytes) {
        return sim->l2 + (address - sim->l2_base);
    }
    return NULL;
}

void ts__stored(ts_sim *sim, const uint8_t *host, uint32_t bytes) {
    for (uint32_t i = 0; i < sim->region_count; i++) {
        ts__region *region = &sim->region[i];
        if (host >= region->host && host < region->host + region->size) {
            uint32_t offset = (uint32_t)(host - region->host);
            if (offset + bytes > region->low && offset < region->high) {
                ts__forget(sim, region, offset, bytes);
            }
        }
    }
}

static void move(ts_sim *sim, ts__core *core, uint8_t *host) {
    if (core->store != 0u) {
        memcpy(host, &core->store_value, core->size);
        ts__stored(sim, host, core->size);
    } else {
        core->slow_word = 0;
        memcpy(&core->slow_word, host, core->size);
    }
}

/* The suite machine: markers, signature, exit. */
static uint32_t suite_store(ts_sim *sim, ts__core *core) {
    if (core->store == 0u || core->address - 0x40000000u > 12u) {
        ts__fault(sim, core, core->address, "%s at an address where nothing is",
                  core->store != 0u ? "store" : "load");
        return 0;
    }
    switch (core->address & 15u) {
        case 0:
            sim->suite_start = core->t;
            sim->suite_start_retired = core->retired;
            sim->suite_has_start = true;
            break;
        case 4:
            sim->suite_stop = core->t;
            sim->suite_stop_retired = core->retired;
            sim->suite_has_stop = true;
            break;
        case 8:
            TS_PUSH(sim->arena, &sim->signature, core->store_value);
            break;
        default:
            sim->exit_code = (int)core->store_value;
            sim->stop = TS__EXITED;
    }
    return 0;
}

/* Cluster control: start and boot addresses. */
static uint32_t control(ts_sim *sim, ts__core *core, uint32_t offset) {
    uint32_t number = (offset - 0x40u) / 4u;
    bool boot = offset >= 0x40u && number < 16u;
    if (core->store == 0u) {
        core->slow_word = boot && number < TS__CORES ? sim->core[number].boot
                          : offset == 8u             ? sim->fetch_enable
                                                     : 0u;
        return 0;
    }
    if (boot && number < TS__CORES) {
        sim->core[number].boot = core->store_value;
    } else if (offset == 8u) {
        uint32_t fresh = core->store_value & ~sim->fetch_enable;
        sim->fetch_enable |= core->store_value;
        for (uint32_t i = 0; i < sim->core_count; i++) {
            if ((fresh >> i & 1u) != 0u) {
                ts__order_start(sim, core->unit, i);
                ts__core_start(sim, &sim->core[i], sim->core[i].boot, sim->now + 1u);
            }
        }
    }
    return 0;
}

static uint32_t timer(ts_sim *sim, ts__core *core, uint32_t offset) {
    uint64_t count = sim->timer_base + (sim->timer_on ? sim->now - sim->timer_since : 0u);
    if (core->store == 0u) {
        core->slow_word = offset == 8u ? (uint32_t)count : offset == 0u ? sim->timer_on : 0u;
        return 0;
    }
    if (offset == 0u) {
        sim->timer_base = (core->store_value & 2u) != 0u ? 0u : (uint32_t)count;
        sim->timer_on = (core->store_value & 1u) != 0u;
        sim->timer_since = sim->now;
    } else if (offset == 8u) {
        sim->timer_base = core->store_value;
        sim->timer_since = sim->now;
    }
    return 0;
}

static uint32_t icache_control(ts_sim *sim, ts__core *core, ts__icache *cache, uint32_t offset) {
    if (core->store == 0u) {
        core->slow_word = offset == 0u && cache->enabled ? 0xffffffffu : 0u;
    } else if (offset == 0u) {
        ts__icache_enable(sim, cache, core->store_value != 0u);
    } else if (offset == 4u || offset == 8u) {
        ts__icache_flush(sim, cache);
    }
    return 0;
}

/* The per-core window of event unit and DMA. `offset` from the event unit's first register. */
static uint32_t demux(ts_sim *sim, ts__core *core, uint32_t offset) {
    uint32_t extra = 0;
    if (offset < 0x400u) {
        if (core->store != 0u) {
            ts__event_write(sim, core, offset, core->store_value);
        } else {
            extra = ts__event_read(sim, core, offset, &core->slow_word);
        }
    } else if (core->store != 0u) {
        extra = ts__dma_write(sim, core, offset - 0x400u, core->store_value);
    } else {
        extra = ts__dma_read(sim, core, offset - 0x400u, &core->slow_word);
    }
    return extra;
}

/* `offset` from the first cluster peripheral; the demultiplexed window is handled by the caller. */
static uint32_t peripheral(ts_sim *sim, ts__core *core, uint32_t offset) {
    if (offset < 0x400u) {
        return control(sim, core, offset);
    }
    if (offset < 0x800u) {
        return timer(sim, core, offset - 0x400u);
    }
    if (offset < 0x1000u) {
        ts__event_global(sim, core, offset - 0x800u);
        return 0;
    }
    if (offset >= 0x1400u && offset < 0x1800u) {
        return icache_control(sim, core, &sim->cluster_cache, offset - 0x1400u);
    }
    if (offset >= 0x1800u && offset < 0x1c00u) {
        return core->store != 0u ? ts__dma_write(sim, core, offset - 0x1800u, core->store_value)
                                 : ts__dma_read(sim, core, offset - 0x1800u, &core->slow_word);
    }
    ts__fault(sim, core, core->address, "no cluster peripheral has this register");
    return 0;
}

static void flush(ts_sim *sim, uint32_t channel) {
    for (uint32_t i = 0; i < sim->line_size[channel] && sim->options.stdout_char != NULL; i++) {
        sim->options.stdout_char(sim->options.user, channel, sim->line_text[channel][i]);
    }
    sim->line_size[channel] = 0;
}

void ts__flush(ts_sim *sim) {
    for (uint32_t i = 0; i < TS__CHANNELS; i++) {
        flush(sim, i);
    }
}

/* Each core has an output of its own; lines come out whole. */
static void print(ts_sim *sim, const ts__core *core, uint32_t offset) {
    uint32_t channel = offset / 8u % TS__CHANNELS;
    char c = (char)core->store_value;
    sim->line_text[channel][sim->line_size[channel]++] = c;
    if (c == '\n' || sim->line_size[channel] == TS__LINE_CHARS) {
        flush(sim, channel);
    }
}

/* The fabric's peripherals. Registers that a program may set and that change nothing here read as 0. */
static void fabric(ts_sim *sim, ts__core *core, uint32_t offset) {
    if (core->store == 0u) {
        core->slow_word = 0;
    }
    if (offset >= 0x2000u && offset < 0x4000u) {
        if (core->store != 0u) {
            ts__l3_register_write(sim, core, offset - 0x2000u, core->store_value);
        } else {
            core->slow_word = ts__l3_register(sim, core, offset - 0x2000u);
        }
    } else if (offset == 0x40a0u) {
        if (core->store != 0u && (core->store_value & 0x80000000u) != 0u) {
            sim->exit_code = (int)(core->store_value & 0x7fffffffu);
            sim->stop = TS__EXITED;
        }
    } else if (offset >= 0x8800u && offset < 0x8900u) {
        icache_control(sim, core, &sim->fc_cache, offset - 0x8800u);
    } else if (offset >= 0x9800u && offset < 0x9900u) {
        ts__interrupt_register(sim, core, offset - 0x9800u);
    } else if (offset >= 0xb000u && offset < 0xb100u) {
        timer(sim, core, offset - 0xb000u);
    } else if (offset >= 0xf000u) {
        if (core->store != 0u) {
            print(sim, core, offset - 0xf000u);
        }
    } else if (offset >= 0x6800u && !(offset >= 0xa000u && offset < 0xb000u)) {
        ts__fault(sim, core, core->address, "no fabric peripheral has this register");
    }
}

static uint32_t l1_access(ts_sim *sim, ts__core *core, uint32_t offset) {
    if (offset > sim->l1_size - core->size) {
        ts__fault(sim, core, core->address, "access beyond the end of L1");
        return 0;
    }
    move(sim, core, sim->l1 + offset);
    if (core->unit != TS__FC) {
        (core->store != 0u ? core->write_bytes : core->read_bytes)[0] += core->size;
    }
    bool crosses = (offset & 3u) + core->size > 4u;
    return (core->unit == TS__FC ? sim->target->latencies.fc_l1 : 0u) + (crosses ? 1u : 0u);
}

uint32_t ts__l2_bus(ts_sim *sim, uint32_t beats) {
    if (sim->l2_ports == 0u) {
        return 0;
    }
    if (sim->l2_free_at < sim->now) {
        sim->l2_free_at = sim->now;
        sim->l2_taken = 0;
    }
    uint32_t wait = (uint32_t)(sim->l2_free_at - sim->now);
    sim->l2_taken += beats;
    sim->l2_free_at += sim->l2_taken / sim->l2_ports;
    sim->l2_taken %= sim->l2_ports;
    return wait;
}

uint32_t ts__l2_banks(ts_sim *sim, uint32_t address, uint32_t words, uint64_t at) {
    uint64_t asked = at << 8, last = asked;
    uint32_t other;
    if (!sim->l2_conflicts) {
        return 0;
    }
    for (uint32_t i = 0; i < words; i++) {
        uint32_t bank = (address / 4u + i) & sim->l2_bank_mask;
        uint64_t slot = sim->l2_bank_at[bank] > asked ? sim->l2_bank_at[bank] : asked;
        if (ts__l3_accesses(sim, slot >> 8, &other) && (other / 4u & sim->l2_bank_mask) == bank) {
            slot += sim->l2_bank_time;
        }
        sim->l2_bank_at[bank] = slot + sim->l2_bank_time;
        last = slot > last ? slot : last;
    }
    return (uint32_t)((last - asked + 255u) >> 8);
}

static uint32_t l2_access(ts_sim *sim, ts__core *core, uint32_t offset) {
    if (offset > sim->l2_size - core->size) {
        ts__fault(sim, core, core->address, "access beyond the end of L2");
        return 0;
    }
    move(sim, core, sim->l2 + offset);
    uint64_t *bytes = core->store != 0u ? core->write_bytes : core->read_bytes;
    bytes[1] += core->size;
    bool crosses = (offset & 3u) + core->size > 4u, fc = core->unit == TS__FC;
    uint32_t latency = fc ? sim->target->latencies.fc_l2 : sim->target->latencies.cluster_l2;
    uint32_t wait = fc ? 0u : ts__l2_bus(sim, crosses ? 2u : 1u);
    wait += ts__l2_banks(sim, core->address, crosses ? 2u : 1u, sim->now + wait);
    return wait + (crosses ? 2u * latency + 1u : latency);
}

/* Reads the old word and sets all its bits. */
static uint32_t test_and_set(ts_sim *sim, ts__core *core, uint32_t offset) {
    uint32_t extra = l1_access(sim, core, offset);
    if (core->store == 0u && sim->stop == TS__RUNNING) {
        memset(sim->l1 + offset, 0xff, core->size);
    }
    return extra;
}

uint32_t ts__slow_access(ts_sim *sim, ts__core *core) {
    if (sim->suite) {
        return suite_store(sim, core);
    }
    /* Completion counts the bytes for the fast memory; only L1 takes them back. */
    (core->store != 0u ? core->write_bytes : core->read_bytes)[0] -= core->size;
    ts__check_access(sim, core);
    const ts_latencies *latencies = &sim->target->latencies;
    bool fc = core->unit == TS__FC;
    uint32_t address = core->address;
    if (address - sim->l2_base < sim->l2_size) {
        return l2_access(sim, core, address - sim->l2_base);
    }
    if (address - sim->l1_base < sim->l1_size) {
        return l1_access(sim, core, address - sim->l1_base);
    }
    if (!fc && address < sim->l1_size) {
        return l1_access(sim, core, address);
    }
    if (address - (sim->l1_base + TEST_AND_SET) < sim->l1_size) {
        return test_and_set(sim, core, address - sim->l1_base - TEST_AND_SET);
    }
    if (!fc && address - TEST_AND_SET < sim->l1_size) {
        return test_and_set(sim, core, address - TEST_AND_SET);
    }
    uint32_t offset = !fc && address - LOW_PERIPHERALS < PERIPHERAL_BYTES + DEMUX_BYTES
                          ? address - LOW_PERIPHERALS
                          : address - PERIPHERALS;
    if (!fc && offset - PERIPHERAL_BYTES < DEMUX_BYTES) {
        return latencies->cluster_demux + demux(sim, core, offset - PERIPHERAL_BYTES);
    }
    if (offset < PERIPHERAL_BYTES) {
        uint32_t extra = peripheral(sim, core, offset);
        return extra + (fc ? latencies->fc_peripheral : latencies->cluster_peripheral);
    }
    if (address - APB < APB_BYTES) {
        fabric(sim, core, address - APB);
        return fc ? latencies->fc_apb : latencies->cluster_apb;
    }
    ts__fault(sim, core, address, "%s of %u bytes at an address where nothing is",
              core->store != 0u ? "store" : "load", core->size);
    return 0;
}
