/* The simulator as its users see it: building, loading, running, reading. */
#include "sim/sim.h"

#include <stdlib.h>
#include <string.h>

#include "sim/execute.h"
#include "sim/gdb.h"

enum { FRESH = 0x57, SUITE_BYTES = 1 << 18, FLAT_BYTES = 1 << 20, FC_CLUSTER = 31, MAX_FILE_L1 = 1 << 24 };

/* Where QEMU's RISC-V machines have their memory. */
#define FLAT_BASE 0x80000000u

static void new_core(ts_sim *sim, uint32_t unit, uint32_t hartid) {
    ts__core *core = &sim->core[unit];
    bool fc = unit == TS__FC;
    core->unit = (uint8_t)unit;
    core->number = fc ? (uint32_t)TS_SIM_FC : unit;
    core->hartid = hartid;
    core->park = TS__PARK_OFF;
    core->ex_until = core->arrived = core->div_until = UINT64_MAX;
    for (uint32_t i = 1; i < 32u; i++) {
        core->r[i] = 0x57575757u;
    }
    core->near_base = fc ? sim->l2_base : sim->l1_base;
    core->near_size = fc ? sim->l2_size : sim->l1_size;
    core->near_host = fc ? sim->l2 : sim->l1;
    core->near_region = (uint8_t)(fc || sim->suite ? 0 : 1);
    core->banked = !fc && !sim->suite;
    core->scaled = fc && sim->clock_num != sim->clock_den;
    core->fixup.handler = sim->labels[TS__OP_FIXUP];
    core->fixup.step = sizeof(ts__slot);
    core->fixup.rd = 32;
}

static uint8_t *fresh_memory(ts_sim *sim, uint32_t bytes) {
    uint8_t *memory = TS_NEW_ARRAY(sim->arena, uint8_t, bytes + 8u);
    memset(memory, sim->suite ? 0 : FRESH, bytes + 8u);
    return memory;
}

static void suite_machine(ts_sim *sim) {
    bool flat = strcmp(sim->options.machine, "flat") == 0;
    uint32_t bytes = flat ? FLAT_BYTES : SUITE_BYTES;
    sim->core_count = 1;
    sim->l1_base = flat ? FLAT_BASE : 0u;
    sim->l1_size = bytes;
    sim->l1 = fresh_memory(sim, bytes);
    sim->all_lines = TS_NEW_ARRAY(sim->arena, uint8_t, bytes / TS__LINE_BYTES + 1u);
    memset(sim->all_lines, 1, bytes / TS__LINE_BYTES + 1u);
    sim->region_count = 1;
    ts__region_new(sim, 0, sim->l1_base, bytes, sim->l1);
    new_core(sim, 0, 0);
}

static ts_status check_platform(const ts_target *target, ts_diags *diags) {
    const ts_memory *l1 = ts_target_memory(target, "l1"), *l2 = ts_target_memory(target, "l2");
    if (l1 == NULL || l2 == NULL || !target->fabric_controller || target->cores > 8u) {
        return ts_error(
            diags, TS_DIAG_UNSUPPORTED, NULL, NULL,
            "target '%s' cannot be simulated; it needs memories l1 and l2, a fabric controller and at most "
            "8 cores",
            target->name);
    }
    if (l1->size_bytes > MAX_FILE_L1 || l2->size_bytes > MAX_FILE_L1 || l1->banks > TS__BANKS ||
        l2->banks > TS__BANKS || target->dma.bytes_per_cycle != 8u) {
        return ts_error(diags, TS_DIAG_UNSUPPORTED, NULL, NULL,
                        "target '%s' cannot be simulated; at most 16 MiB of l1 and l2, 32 banks, a DMA of 8 "
                        "bytes a cycle",
                        target->name);
    }
    return TS_OK;
}

static uint64_t greatest_divisor(uint64_t a, uint64_t b) {
    while (b != 0u) {
        uint64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

static ts_status platform_machine(ts_sim *sim, ts_diags *diags) {
    const ts_target *target = sim->target;
    TS_TRY(check_platform(target, diags));
    const ts_memory *l1 = ts_target_memory(target, "l1"), *l2 = ts_target_memory(target, "l2");
    sim->core_count = target->cores + target->cluster_controllers;
    sim->l1_base = (uint32_t)l1->base;
    sim->l1_size = (uint32_t)l1->size_bytes;
    sim->l2_base = (uint32_t)l2->base;
    sim->l2_size = (uint32_t)l2->size_bytes;
    sim->l1 = fresh_memory(sim, sim->l1_size);
    sim->l2 = fresh_memory(sim, sim->l2_size);
    sim->bank_mask = l1->banks - 1u;
    sim->l2_ports = l2->ports;
    sim->first_come = l1->first_come;
    sim->l2_conflicts = l2->bank_conflicts;
    sim->l2_bank_mask = l2->banks - 1u;
    uint64_t common = greatest_divisor(target->cluster_hz, target->fc_hz);
    sim->clock_num = target->cluster_hz / common;
    sim->clock_den = target->fc_hz / common;
    sim->l2_bank_time = (uint32_t)(256u * sim->clock_num / sim->clock_den);
    sim->fetch_bytes = target->cluster_icache.fetch_bytes > target->fc_icache.fetch_bytes
                           ? target->cluster_icache.fetch_bytes
                           : target->fc_icache.fetch_bytes;
    sim->late_fetch = target->late_fetch_stall;
    sim->single_loops = target->single_instruction_loops;
    sim->region_count = 2;
    ts__region_new(sim, 0, sim->l2_base, sim->l2_size, sim->l2);
    ts__region_new(sim, 1, sim->l1_base, sim->l1_size, sim->l1);
    for (uint32_t i = 0; i < sim->core_count; i++) {
        new_core(sim, i, i);
    }
    new_core(sim, TS__FC, FC_CLUSTER << 5);
    ts__icache_new(sim, &sim->cluster_cache, &target->cluster_icache);
    ts__icache_new(sim, &sim->fc_cache, &target->fc_icache);
    ts__l3_new(sim);
    return TS_OK;
}

ts_status ts_sim_new(ts_arena *arena, const ts_target *target, const ts_sim_options *options, ts_sim **out,
                     ts_diags *diags) {
    const char *revision = options->core_revision == NULL ? "ri5cy-2019-11" : options->core_revision;
    ts_sim *sim = TS_NEW(arena, ts_sim);
    sim->arena = arena;
    sim->target = target;
    sim->options = *options;
    sim->max_cycles = options->max_cycles == 0u ? UINT64_MAX / 4u : options->max_cycles;
    sim->far_first = UINT64_MAX;
    sim->clock_num = sim->clock_den = 1;
    size_t length = strlen(revision);
    bool wide = length > 5u && strcmp(revision + length - 5u, "-f128") == 0;
    const char *plain = wide ? ts_arena_printf(arena, "%.*s", (int)(length - 5u), revision) : revision;
    if (!ts_isa_revision_parse(plain, &sim->revision)) {
        return ts_error(
            diags, TS_DIAG_USAGE, NULL, NULL,
            "'%.60s' is not a core; known are ri5cy-2019-11, ri5cy-2018-01, ri5cy-2017-12, each also with "
            "-f128, and cv32e40p-1.0.0",
            revision);
    }
    sim->fetch_bits = wide ? 128u : sim->target == NULL ? 32u : sim->target->fetch_port_bits;
    sim->suite = options->machine != NULL &&
                 (strcmp(options->machine, "ri5cy-suite") == 0 || strcmp(options->machine, "flat") == 0);
    if (options->machine != NULL && !sim->suite) {
        return ts_error(diags, TS_DIAG_USAGE, NULL, NULL,
                        "'%.60s' is not a machine; known are ri5cy-suite and flat", options->machine);
    }
    for (uint32_t i = 0; i < TS__BANKS; i++) {
        sim->bank_at[i] = UINT64_MAX;
    }
    memset(sim->bank, TS__NO_BANK, sizeof sim->bank);
    ts__execute(sim); /* the first call only hands out the addresses of its labels */
    TS_TRY(ts__watch_new(sim, diags));
    sim->watched = sim->watched || options->gdb_port != 0u;
    if (sim->suite) {
        suite_machine(sim);
    } else {
        TS_TRY(platform_machine(sim, diags));
    }
    *out = sim;
    return TS_OK;
}

void ts_sim_free(ts_sim *sim) {
    if (sim != NULL) {
        ts__watch_free(sim);
    }
}

ts_status ts_sim_load_elf(ts_sim *sim, ts_bytes file, ts_diags *diags) {
    TS_TRY(ts_elf_read(sim->arena, file, &sim->elf, diags));
    sim->have_elf = true;
    for (uint32_t i = 0; i < sim->elf.segment_count; i++) {
        const ts_elf_segment *segment = &sim->elf.segments[i];
        uint8_t *host = ts__host(sim, segment->physical, segment->memory_bytes);
        if (host == NULL) {
            return ts_error(diags, TS_DIAG_VALUE, NULL, NULL,
                            "segment %u, %u bytes at 0x%08x, lies outside the memories of this machine", i,
                            segment->memory_bytes, segment->physical);
        }
        memcpy(host, segment->data, segment->file_bytes);
        memset(host + segment->file_bytes, 0, segment->memory_bytes - segment->file_bytes);
        ts__stored(sim, host, segment->memory_bytes);
        ts__watch_loaded(sim, segment->physical, segment->memory_bytes);
    }
    ts__region *region;
    if (ts__slot_at(sim, sim->elf.entry, &region) == NULL) {
        return ts_error(diags, TS_DIAG_VALUE, NULL, NULL,
                        "the entry 0x%08x lies outside the memories of this machine", sim->elf.entry);
    }
    return TS_OK;
}

ts_status ts_sim_start(ts_sim *sim, uint32_t address, ts_diags *diags) {
    ts__region *region;
    if (ts__slot_at(sim, address, &region) == NULL) {
        return ts_error(diags, TS_DIAG_VALUE, NULL, NULL, "0x%08x lies outside the memories of this machine",
                        address);
    }
    ts__core_start(sim, sim->suite ? &sim->core[0] : &sim->core[TS__FC], address, 0);
    return TS_OK;
}

ts_status ts_sim_l3_write(ts_sim *sim, uint64_t address, const void *data, size_t size, ts_diags *diags) {
    if (!ts__l3_copy(sim, address, (void *)(uintptr_t)data, size, true)) {
        return ts_error(diags, TS_DIAG_VALUE, NULL, NULL, "%zu bytes at 0x%llx do not lie in one L3 memory",
                        size, (unsigned long long)address);
    }
    return TS_OK;
}

ts_status ts_sim_l3_read(ts_sim *sim, uint64_t address, void *data, size_t size, ts_diags *diags) {
    if (!ts__l3_copy(sim, address, data, size, false)) {
        return ts_error(diags, TS_DIAG_VALUE, NULL, NULL, "%zu bytes at 0x%llx do not lie in one L3 memory",
                        size, (unsigned long long)address);
    }
    return TS_OK;
}

bool ts_sim_read(ts_sim *sim, uint32_t address, void *data, size_t size) {
    const uint8_t *host = size > UINT32_MAX ? NULL : ts__host(sim, address, (uint32_t)size);
    if (host != NULL) {
        memcpy(data, host, size);
    }
    return host != NULL;
}

bool ts_sim_write(ts_sim *sim, uint32_t address, const void *data, size_t size) {
    uint8_t *host = size > UINT32_MAX ? NULL : ts__host(sim, address, (uint32_t)size);
    if (host != NULL) {
        memcpy(host, data, size);
        ts__stored(sim, host, (uint32_t)size);
        ts__watch_loaded(sim, address, (uint32_t)size);
    }
    return host != NULL;
}

bool ts_sim_symbol(ts_sim *sim, const char *name, uint32_t *address) {
    const ts_elf_symbol *symbol = sim->have_elf ? ts_elf_symbol_named(&sim->elf, name) : NULL;
    if (symbol != NULL) {
        *address = symbol->address;
    }
    return symbol != NULL;
}

ts_status ts_sim_mark(ts_sim *sim, uint32_t address, ts_sim_mark_callback *callback, void *user) {
    ts__region *region;
    ts__slot *slot = ts__slot_at(sim, address, &region);
    if (slot == NULL) {
        return TS_BAD_INPUT;
    }
    ts__decode(sim, region, slot);
    ts__pre_set(sim, slot, TS__PRE_MARK);
    ts__mark mark = {slot, address, callback, user};
    TS_PUSH(sim->arena, &sim->marks, mark);
    return TS_OK;
}

void ts__call_marks(ts_sim *sim, ts__core *core) {
    for (uint32_t i = 0; i < sim->marks.count; i++) {
        const ts__mark mark = sim->marks.data[i];
        if (mark.slot == core->e) {
            mark.callback(mark.user, sim, core->number, sim->now);
        }
    }
}

void ts__core_start(ts_sim *sim, ts__core *core, uint32_t address, uint64_t at) {
    ts__slot *slot = ts__slot_at(sim, address, &core->region);
    if (slot == NULL) {
        ts__fault(sim, core, address, "start at an address where there is no code memory");
        return;
    }
    ts__decode(sim, core->region, slot);
    core->boot = address;
    core->mtvec = address & 0xffffff00u;
    core->e = slot;
    core->next = (ts__slot *)((char *)slot + slot->step);
    core->t = core->started = core->arrived = ts__from_machine(sim, core, at);
    ts__icache_lines(sim, core);
    core->rank = ++sim->wakes;
    ts__define_start(sim, core->unit);
    core->park = core->lines[(uint32_t)(slot - core->region->slots) * 2u / TS__LINE_BYTES] != 0u
                     ? TS__PARK_YIELD
                     : TS__PARK_FETCH;
    sim->bank[core->unit] = TS__NO_BANK;
    sim->at_access &= ~(1u << core->unit);
    uint64_t when = ts__to_machine(sim, core, core->t);
    ts__park_at(sim, core->unit, when < sim->now ? sim->now : when);
}

/* Every cycle of a core has one cause, or the simulator is wrong. */
static void check_sums(ts_sim *sim) {
    for (uint32_t i = 0; i < TS__CORE_SLOTS; i++) {
        ts_sim_counters counters;
        ts_sim_counters_of(sim, sim->core[i].number, &counters);
        uint64_t sum = 0;
        for (int cause = 0; cause < TS_SIM_CAUSE_COUNT; cause++) {
            sum += counters.by_cause[cause];
        }
        TS_ASSERT(sum == counters.cycles, "the causes of a core's cycles add up");
    }
}

/* Waits for a debugger where one is asked for. */
static ts_status meet_debugger(ts_sim *sim, ts_diags *diags) {
    if (sim->options.gdb_port == 0u) {
        return TS_OK;
    }
    ts_status status = ts__gdb_open(sim, sim->options.gdb_port, sim->options.gdb_core, &sim->gdb, diags);
    if (status != TS_OK) {
        ts__gdb_close(sim->gdb);
    }
    return status;
}

ts_status ts_sim_run(ts_sim *sim, ts_diags *diags) {
    sim->diags = diags;
    if (sim->core[0].region == NULL && sim->core[TS__FC].region == NULL) {
        if (!sim->have_elf) {
            return ts_error(diags, TS_DIAG_USAGE, NULL, NULL, "no program is loaded");
        }
        ts__core_start(sim, sim->suite ? &sim->core[0] : &sim->core[TS__FC], sim->elf.entry, 0);
    }
    TS_TRY(meet_debugger(sim, diags));
    ts__execute(sim);
    ts__flush(sim);
    check_sums(sim);
    ts__watch_end(sim);
    ts__check_end(sim);
    if (sim->gdb != NULL) {
        ts__gdb_end(sim->gdb, sim);
        ts__gdb_close(sim->gdb);
    }
    return sim->stop == TS__EXITED ? TS_OK : ts__fault_report(sim, diags);
}

int ts_sim_exit_code(const ts_sim *sim) { return sim->exit_code; }
uint64_t ts_sim_cycle(const ts_sim *sim) { return sim->now; }

uint64_t ts_sim_retired(const ts_sim *sim) {
    uint64_t sum = 0;
    for (uint32_t i = 0; i < TS__CORE_SLOTS; i++) {
        sum += sim->core[i].retired;
    }
    return sum;
}

static ts__core *core_of(ts_sim *sim, unsigned number) {
    return number == TS_SIM_FC ? &sim->core[TS__FC] : number < sim->core_count ? &sim->core[number] : NULL;
}

/* Adds what a sleeping core waited until now; its p.elw has left decode but is not retired. */
static void open_wait(const ts__core *core, uint64_t now, ts_sim_counters *out) {
    if (core->park != TS__PARK_ASLEEP) {
        return;
    }
    uint64_t until = now > core->asleep_since ? now : core->asleep_since;
    out->by_cause[TS_SIM_ISSUED] += core->asleep_since - core->t;
    out->by_cause[core->asleep_why] += until - core->asleep_since;
    out->cycles = until;
}

void ts_sim_counters_of(ts_sim *sim, unsigned number, ts_sim_counters *out) {
    *out = (ts_sim_counters){0};
    const ts__core *core = core_of(sim, number);
    if (core == NULL) {
        return;
    }
    uint64_t now = ts__from_machine(sim, core, sim->now);
    memcpy(out->by_cause, core->by_cause, sizeof out->by_cause);
    memcpy(out->by_class, core->by_class, sizeof out->by_class);
    out->instructions = core->retired;
    out->by_cause[TS_SIM_ISSUED] = core->retired;
    if (core->region == NULL) {
        out->cycles = out->by_cause[TS_SIM_IDLE] = now;
        return;
    }
    out->by_cause[TS_SIM_IDLE] += core->started;
    out->cycles = core->t;
    open_wait(core, now, out);
    uint64_t known = 0;
    for (int i = 0; i < TS_SIM_CLASS_COUNT; i++) {
        known += i == TS_SIM_CLASS_ALU ? 0u : core->by_class[i];
    }
    out->by_class[TS_SIM_CLASS_ALU] = core->retired - known;
    bool fc = core->unit == TS__FC;
    out->l1_read_bytes = fc ? 0u : core->read_bytes[0];
    out->l1_write_bytes = fc ? 0u : core->write_bytes[0];
    out->l2_read_bytes = core->read_bytes[1] + (fc ? core->read_bytes[0] : 0u);
    out->l2_write_bytes = core->write_bytes[1] + (fc ? core->write_bytes[0] : 0u);
}

void ts_sim_traffic_of(ts_sim *sim, ts_sim_traffic *out) { *out = sim->traffic; }

ts_sim_suite_result ts_sim_suite(const ts_sim *sim) {
    return (ts_sim_suite_result){
        .cycles = sim->suite_stop - sim->suite_start,
        .retired = sim->suite_has_stop ? sim->suite_stop_retired - sim->suite_start_retired - 1u : 0u,
        .signature = sim->signature.data,
        .signature_count = sim->signature.count,
    };
}
