/* Instruction caches: a level 0 of each core's own (it may be absent) and a level 1 that cores share.
 *
 * Dispatch asks only whether the byte of a line is set in core->lines; everything else is here. */
#include <string.h>

#include "sim/machine.h"

enum { BUS_BYTES = 8, STEP_BYTES = sizeof(ts__slot) / 2u }; /* of slots for each byte of code */

static uint32_t region_lines(const ts__region *region) { return region->size / TS__LINE_BYTES + 1u; }

static ts__icache *cache_of(ts_sim *sim, const ts__core *core) {
    return core->unit == TS__FC ? &sim->fc_cache : &sim->cluster_cache;
}

static bool is_on(const ts__icache *cache) { return cache->enabled && cache->shape->l1_bytes != 0u; }

void ts__icache_new(ts_sim *sim, ts__icache *cache, const ts_icache *shape) {
    *cache = (ts__icache){.shape = shape};
    cache->l1_tags = TS_NEW_ARRAY(sim->arena, uint32_t, shape->l1_bytes / TS__LINE_BYTES + 1u);
    for (uint32_t i = 0; i < sim->region_count; i++) {
        cache->l1_lines[i] = TS_NEW_ARRAY(sim->arena, uint8_t, region_lines(&sim->region[i]));
    }
    for (uint32_t i = 0; i < TS__CORE_SLOTS; i++) {
        if (cache_of(sim, &sim->core[i]) == cache) {
            sim->core[i].fetch_step = shape->fetch_bytes * STEP_BYTES;
        }
        cache->l0_tags[i] = TS_NEW_ARRAY(sim->arena, uint32_t, shape->l0_bytes / TS__LINE_BYTES + 1u);
    }
}

/* Chooses the array that dispatch asks. */
void ts__icache_lines(ts_sim *sim, ts__core *core) {
    if (sim->suite) {
        core->lines = sim->all_lines;
        return;
    }
    const ts__icache *cache = cache_of(sim, core);
    uint32_t region = core->region == NULL ? 0u : core->region->index;
    if (core->own_lines[region] == NULL) {
        core->own_lines[region] = TS_NEW_ARRAY(sim->arena, uint8_t, region_lines(&sim->region[region]));
    }
    bool shared = is_on(cache) && cache->shape->l0_bytes == 0u;
    core->lines = shared ? cache->l1_lines[region] : core->own_lines[region];
}

static void forget_core(ts_sim *sim, ts__core *core) {
    for (uint32_t i = 0; i < sim->region_count; i++) {
        if (core->own_lines[i] != NULL) {
            memset(core->own_lines[i], 0, region_lines(&sim->region[i]));
        }
    }
    core->line_buffer = NULL;
}

/* What comes behind the instruction that the core is at is fetched, even from the line that this one is in.
 */
static void fetch_again(ts__core *core) {
    if (core->next != NULL && core->next != &core->fixup) {
        core->fixup.stall_mask = core->next->stall_mask;
        core->fixup_target = core->next;
        core->fetch_at = 0;
        core->next = &core->fixup;
    }
}

static void empty(ts_sim *sim, ts__icache *cache) {
    memset(cache->l1_tags, 0, sizeof *cache->l1_tags * (cache->shape->l1_bytes / TS__LINE_BYTES));
    memset(cache->fill_at, 0, sizeof cache->fill_at);
    for (uint32_t i = 0; i < sim->region_count; i++) {
        memset(cache->l1_lines[i], 0, region_lines(&sim->region[i]));
    }
    for (uint32_t i = 0; i < TS__CORE_SLOTS; i++) {
        if (cache_of(sim, &sim->core[i]) == cache) {
            memset(cache->l0_tags[i], 0,
                   sizeof *cache->l0_tags[i] * (cache->shape->l0_bytes / TS__LINE_BYTES));
            forget_core(sim, &sim->core[i]);
        }
    }
}

void ts__icache_flush(ts_sim *sim, ts__icache *cache) {
    empty(sim, cache);
    for (uint32_t i = 0; i < TS__CORE_SLOTS; i++) {
        if (cache_of(sim, &sim->core[i]) == cache) {
            fetch_again(&sim->core[i]);
        }
    }
}

void ts__icache_enable(ts_sim *sim, ts__icache *cache, bool enabled) {
    if (cache->enabled == enabled) {
        return;
    }
    cache->enabled = enabled;
    empty(sim, cache);
    for (uint32_t i = 0; i < TS__CORE_SLOTS; i++) {
        if (cache_of(sim, &sim->core[i]) == cache) {
            ts__icache_lines(sim, &sim->core[i]);
        }
    }
}

/* The line that a fetch lacks: that of the first byte, or where this one is there that of the last. */
static uint32_t missing_line(const ts__core *core, const ts__slot *slot) {
    uint32_t offset = (uint32_t)(slot - core->region->slots) * 2u;
    uint32_t first = offset / TS__LINE_BYTES;
    uint32_t step = slot->step > core->fetch_step ? slot->step : core->fetch_step;
    return core->lines[first] == 0u ? first : (offset + step / STEP_BYTES - 1u) / TS__LINE_BYTES;
}

/* The way that makes room: a linear feedback register of eight bits, taps 8, 4, 3 and 2, walks through 255
 * states; its lowest bit is left out. */
static uint32_t random_way(uint8_t *state, uint32_t ways) {
    uint32_t odd = (uint32_t)__builtin_parity((unsigned)*state & 0x8eu);
    *state = (uint8_t)((unsigned)*state << 1 | (odd ^ 1u));
    return *state / 2u % ways;
}

/* The tag of a line, and the set of `bytes`, `ways` that it may stand in. */
static uint32_t tag_of(uint32_t region, uint32_t line) { return (region << 28 | line) + 1u; }

static uint32_t *set_of(uint32_t *tags, uint32_t line, uint32_t bytes, uint32_t ways) {
    uint32_t sets = bytes / (ways * TS__LINE_BYTES);
    return tags + line % sets * ways;
}

static bool in_set(const uint32_t *set, uint32_t ways, uint32_t tag) {
    for (uint32_t i = 0; i < ways; i++) {
        if (set[i] == tag) {
            return true;
        }
    }
    return false;
}

/* Puts a tag into its set; returns the one that it displaces, or 0. */
static uint32_t place(uint32_t *set, uint32_t ways, uint32_t tag, uint8_t *lfsr) {
    if (in_set(set, ways, tag)) {
        return 0u;
    }
    uint32_t way = random_way(lfsr, ways), old = set[way];
    set[way] = tag;
    return old;
}

static uint64_t fill_time(const ts__icache *cache, uint32_t tag, uint64_t now) {
    for (uint32_t i = 0; i < 16u; i++) {
        if (cache->fill_line[i] == tag && cache->fill_at[i] > now) {
            return cache->fill_at[i];
        }
    }
    return 0u;
}

/* Brings a line into level 1; the cycles until it is there. */
static uint32_t refill(ts_sim *sim, ts__icache *cache, const ts__region *region, uint32_t line,
                       uint32_t *set) {
    uint32_t tag = tag_of(region->index, line);
    uint32_t bank = line & (cache->shape->l1_banks - 1u);
    uint32_t old = place(set, cache->shape->l1_ways, tag, &cache->lfsr_l1[bank]);
    if (old != 0u) {
        cache->l1_lines[(old - 1u) >> 28][(old - 1u) & 0xfffffffu] = 0;
    }
    sim->traffic.icache_refills++;
    uint64_t begin = sim->now;
    if (cache->shape->refills_queue && cache->bank_until[bank] > begin) {
        begin = cache->bank_until[bank];
    }
    if (cache == &sim->cluster_cache) {
        begin += ts__l2_bus(sim, TS__LINE_BYTES / BUS_BYTES);
    }
    if (region->base == sim->l2_base) {
        begin += ts__l2_banks(sim, region->base + line * TS__LINE_BYTES, TS__LINE_BYTES / 4u, begin);
    }
    uint64_t end = begin + cache->shape->l1_miss_cycles - cache->shape->l0_miss_cycles;
    uint32_t next = cache->fill_next++ % 16u;
    cache->fill_line[next] = tag;
    cache->fill_at[next] = end;
    cache->bank_until[bank] = end;
    return (uint32_t)(end - sim->now);
}

uint32_t ts__icache_miss(ts_sim *sim, ts__core *core, const ts__slot *slot) {
    ts__icache *cache = cache_of(sim, core);
    if (!is_on(cache)) {
        return cache->shape->off_cycles;
    }
    uint32_t line = missing_line(core, slot), tag = tag_of(core->region->index, line);
    uint32_t *set = set_of(cache->l1_tags, line, cache->shape->l1_bytes, cache->shape->l1_ways);
    uint64_t filled = fill_time(cache, tag, sim->now);
    if (filled != 0u) {
        return (uint32_t)(filled - sim->now) + cache->shape->l0_miss_cycles;
    }
    if (in_set(set, cache->shape->l1_ways, tag)) {
        return cache->shape->l0_miss_cycles;
    }
    return refill(sim, cache, core->region, line, set) + cache->shape->l0_miss_cycles;
}

void ts__icache_filled(ts_sim *sim, ts__core *core, const ts__slot *slot) {
    ts__icache *cache = cache_of(sim, core);
    uint32_t line = missing_line(core, slot);
    if (!is_on(cache)) {
        if (core->line_buffer != NULL) {
            *core->line_buffer = 0;
        }
        core->line_buffer = &core->lines[line];
        core->lines[line] = 1;
        return;
    }
    if (cache->shape->l0_bytes != 0u) {
        uint32_t *set =
            set_of(cache->l0_tags[core->unit], line, cache->shape->l0_bytes, cache->shape->l0_ways);
        uint32_t old =
            place(set, cache->shape->l0_ways, tag_of(core->region->index, line), &cache->lfsr_l0[core->unit]);
        if (old != 0u && core->own_lines[(old - 1u) >> 28] != NULL) {
            core->own_lines[(old - 1u) >> 28][(old - 1u) & 0xfffffffu] = 0;
        }
        core->lines[line] = 1;
        return;
    }
    core->lines[line] = 1;
}
