#include <inttypes.h>
#include <string.h>

#include "run/execute.h"
#include "run/memory_use.h"
#include "run/stack.h"
#include "run/timeline.h"

/* What a mark needs to know: which layer of which network begins. */
typedef struct mark {
    struct session *session;
    uint32_t network, layer; /* layer = layer_count: the network is done */
} mark;

typedef struct session {
    ts_arena *arena;
    ts_diags *diags;
    const ts_target *target;
    ts_execution *list;
    uint32_t count;
    bool self_check;
    const ts_sim_run_options *options;
    uint32_t l1_begin, l2_begin;
    ts_status status; /* of what a callback could not do */
    ts_text printed;
    uint32_t done; /* networks */
    /* Counters at the start of the layer that runs. */
    uint64_t begin_cycle;
    ts_sim_counters begin_cores[TS_TARGET_MAX_CORES];
    ts_sim_traffic begin_traffic;
    ts_sim_energy begin_energy[TS_TARGET_MAX_POINTS];
    /* The tile that runs: from a call of its kernel to the next, or to the end of the layer. */
    bool layer_runs;
    uint32_t layer, tile;
    uint64_t tile_cycle;
} session;

enum { PRINTED_LIMIT = 1 << 20, STACK_PAINT = 0x5A, APP_NO_ROOM = 3 /* of runtime/main_board.c */ };

static void keep_char(void *user, unsigned core, char c) {
    session *s = user;
    (void)core;
    if (s->printed.size < PRINTED_LIMIT) {
        ts_text_add_bytes(&s->printed, &c, 1);
    }
}

static void add_counters(ts_sim_counters *sum, const ts_sim_counters *more) {
    sum->cycles += more->cycles;
    sum->instructions += more->instructions;
    for (uint32_t i = 0; i < TS_SIM_CAUSE_COUNT; i++) {
        sum->by_cause[i] += more->by_cause[i];
    }
    for (uint32_t i = 0; i < TS_SIM_CLASS_COUNT; i++) {
        sum->by_class[i] += more->by_class[i];
    }
    sum->l1_read_bytes += more->l1_read_bytes;
    sum->l1_write_bytes += more->l1_write_bytes;
    sum->l2_read_bytes += more->l2_read_bytes;
    sum->l2_write_bytes += more->l2_write_bytes;
}

static ts_sim_counters counters_since(const ts_sim_counters *now, const ts_sim_counters *then) {
    ts_sim_counters d = *now;
    d.cycles -= then->cycles;
    d.instructions -= then->instructions;
    for (uint32_t i = 0; i < TS_SIM_CAUSE_COUNT; i++) {
        d.by_cause[i] -= then->by_cause[i];
    }
    for (uint32_t i = 0; i < TS_SIM_CLASS_COUNT; i++) {
        d.by_class[i] -= then->by_class[i];
    }
    d.l1_read_bytes -= then->l1_read_bytes;
    d.l1_write_bytes -= then->l1_write_bytes;
    d.l2_read_bytes -= then->l2_read_bytes;
    d.l2_write_bytes -= then->l2_write_bytes;
    return d;
}

static ts_sim_traffic traffic_since(const ts_sim_traffic *now, const ts_sim_traffic *then) {
    ts_sim_traffic d = *now;
    d.dma_in_bytes -= then->dma_in_bytes;
    d.dma_out_bytes -= then->dma_out_bytes;
    d.dma_in_busy_cycles -= then->dma_in_busy_cycles;
    d.dma_out_busy_cycles -= then->dma_out_busy_cycles;
    d.dma_transfers -= then->dma_transfers;
    d.l3_read_bytes -= then->l3_read_bytes;
    d.l3_write_bytes -= then->l3_write_bytes;
    d.l3_busy_cycles -= then->l3_busy_cycles;
    d.l3_transfers -= then->l3_transfers;
    d.icache_refills -= then->icache_refills;
    return d;
}

static ts_sim_energy energy_since(const ts_sim_energy *now, const ts_sim_energy *then) {
    return (ts_sim_energy){.cores_uj = now->cores_uj - then->cores_uj,
                           .idle_uj = now->idle_uj - then->idle_uj,
                           .l1_uj = now->l1_uj - then->l1_uj,
                           .l2_uj = now->l2_uj - then->l2_uj,
                           .l3_uj = now->l3_uj - then->l3_uj,
                           .dma_uj = now->dma_uj - then->dma_uj,
                           .static_uj = now->static_uj - then->static_uj,
                           .total_uj = now->total_uj - then->total_uj};
}

static void begin_counting(session *s, ts_sim *sim, uint64_t cycle) {
    s->begin_cycle = cycle;
    for (uint32_t core = 0; core < s->target->cores; core++) {
        ts_sim_counters_of(sim, core, &s->begin_cores[core]);
    }
    ts_sim_traffic_of(sim, &s->begin_traffic);
    for (uint32_t i = 0; i < s->target->point_count; i++) {
        s->begin_energy[i] = ts_sim_energy_of(sim, i);
    }
}

static void end_counting(session *s, ts_sim *sim, uint64_t cycle, ts_layer_counts *out) {
    ts_sim_traffic traffic;
    ts_sim_traffic_of(sim, &traffic);
    out->cycles = cycle - s->begin_cycle;
    out->traffic = traffic_since(&traffic, &s->begin_traffic);
    out->by_core = TS_NEW_ARRAY(s->arena, ts_sim_counters, s->target->cores);
    for (uint32_t core = 0; core < s->target->cores; core++) {
        ts_sim_counters now;
        ts_sim_counters_of(sim, core, &now);
        out->by_core[core] = counters_since(&now, &s->begin_cores[core]);
        add_counters(&out->cores, &out->by_core[core]);
    }
    for (uint32_t i = 0; i < s->target->point_count; i++) {
        ts_sim_energy now = ts_sim_energy_of(sim, i);
        out->energy[i] = energy_since(&now, &s->begin_energy[i]);
    }
    out->energy_uj = out->energy[0].total_uj;
}

static void end_tile(session *s, ts_sim *sim, uint64_t cycle) {
    if (s->tile > 0) {
        char name[64];
        snprintf(name, sizeof name, "layer %u, tile %u", s->layer, s->tile - 1);
        ts_sim_timeline_span(sim, "tiles", name, s->tile_cycle, cycle);
    }
}

/* Core 0 enters a kernel: a tile begins. */
static void kernel_begins(void *user, ts_sim *sim, unsigned core, uint64_t cycle) {
    session *s = user;
    if (core == 0 && s->layer_runs) {
        end_tile(s, sim, cycle);
        s->tile++;
        s->tile_cycle = cycle;
    }
}

static void fault(session *s, const char *what, const char *node) {
    if (s->status == TS_OK) {
        s->status = ts_error(s->diags, TS_DIAG_SIM, node, NULL, "%s", what);
    }
}

/* Paint counts as initialised, and would hide what --check looks for. */
static bool measures_memory(const session *s, const ts_execution *execution) {
    bool checked = execution->network->plan->options.guard_bytes > 0; /* the program paints itself */
    return !s->self_check && !s->options->sim.check && !checked;
}

/* Weights into L3 and the inputs into L2, when the first layer of a network begins. */
static void put_network(session *s, ts_sim *sim, const ts_execution *execution) {
    const ts_plan *plan = execution->network->plan;
    if (measures_memory(s, execution)) {
        ts__paint_memories(sim, s->target, execution->network->image_size);
    }
    if (ts_sim_l3_write(sim, ts_target_weights(s->target)->base, execution->network->image,
                        execution->network->image_size, s->diags) != TS_OK) {
        s->status = TS_SYSTEM;
    }
    const uint8_t *from = execution->input;
    for (uint32_t i = 0; i < plan->graph->inputs.count; i++) {
        ts_tensor_id tensor = plan->graph->inputs.data[i];
        size_t bytes = (size_t)ts_emit_map_bytes(&plan->graph->tensors.data[tensor]);
        for (uint32_t b = 0; b < plan->buffers.count; b++) {
            const ts_buffer *buffer = &plan->buffers.data[b];
            if (buffer->role != TS_BUFFER_ACTIVATION || buffer->tensor != tensor) {
                continue;
            }
            bool written = buffer->level == TS_IN_L3
                               ? ts_sim_l3_write(sim, buffer->offset, from, bytes, s->diags) == TS_OK
                               : ts_sim_write(sim, s->l2_begin + (uint32_t)buffer->offset, from, bytes);
            if (!written) {
                fault(s, "the input's place is not memory", NULL);
            }
        }
        from += bytes;
    }
}

/* Puts an output that lies in quads (device/kernels/tile.h) back into the order of pixels. */
static void turn_quads(const ts_map_shape *map, uint8_t *bytes) {
    for (size_t first = 0; first < (size_t)map->h * map->w; first += 4) {
        for (uint32_t c = 0; c < map->c; c += 4) {
            uint8_t *quad = bytes + first * map->c + c;
            for (uint32_t row = 1; row < 4; row++) {
                for (uint32_t column = 0; column < row; column++) {
                    uint8_t *a = quad + row * map->c + column, *b = quad + column * map->c + row, kept = *a;
                    *a = *b;
                    *b = kept;
                }
            }
        }
    }
}

static void take_output(session *s, ts_sim *sim, ts_execution *execution, uint32_t layer) {
    const ts_plan *plan = execution->network->plan;
    const ts_buffer *buffer = &plan->buffers.data[plan->layer_plans[layer].y_buffer];
    size_t bytes = (size_t)ts_emit_map_bytes(&plan->graph->tensors.data[plan->layers[layer].y.tensor]);
    execution->outputs[layer] = ts_arena_alloc(s->arena, bytes);
    uint8_t *to = execution->outputs[layer];
    const ts_layer_plan *lp = &plan->layer_plans[layer];
    uint32_t at =
        lp->y_stays ? s->l1_begin + (uint32_t)lp->l1.y_offset[0] : s->l2_begin + (uint32_t)buffer->offset;
    bool taken = buffer->level == TS_IN_L3 ? ts_sim_l3_read(sim, buffer->offset, to, bytes, s->diags) == TS_OK
                                           : ts_sim_read(sim, at, to, bytes);
    if (!taken) {
        fault(s, "the output's place is not memory", plan->layers[layer].name);
    }
    if (plan->layers[layer].y.quads) {
        turn_quads(&plan->layers[layer].y, to);
    }
    /* Elements of less than a byte may leave bits of a pixel's last byte to nobody. */
    uint32_t first, bits = ts_type_bits(plan->graph->tensors.data[plan->layers[layer].y.tensor].type);
    if (buffer->level != TS_IN_L3 && bits % 8u == 0u && !ts_sim_known(sim, at, bytes, &first)) {
        ts_error(s->diags, TS_DIAG_SIM, plan->layers[layer].name, NULL,
                 "check: byte %u of the output depends on bytes that nobody wrote", first - at);
    }
}

static void layer_begins(void *user, ts_sim *sim, unsigned core, uint64_t cycle) {
    const mark *m = user;
    session *s = m->session;
    if (core != 0) {
        return;
    }
    ts_execution *execution = &s->list[m->network];
    uint32_t layers = execution->network->plan->layer_count;
    if (s->options->progress != NULL) {
        s->options->progress(s->options->user, m->layer, layers);
    }
    if (m->layer > 0) {
        end_tile(s, sim, cycle);
        end_counting(s, sim, cycle, &execution->counts[m->layer - 1]);
        ts_sim_timeline_span(sim, "layers", execution->network->plan->layers[m->layer - 1].name,
                             s->begin_cycle, cycle);
        take_output(s, sim, execution, m->layer - 1);
    } else if (!s->self_check) {
        put_network(s, sim, execution);
    }
    s->layer_runs = m->layer < layers;
    s->layer = m->layer;
    s->tile = 0;
    if (s->layer_runs) {
        begin_counting(s, sim, cycle);
    }
}

/* ts_network_done() of the program: the networks come in their order. */
static void network_done(void *user, ts_sim *sim, unsigned core, uint64_t cycle) {
    session *s = user;
    if (core == 0 && s->done < s->count) {
        mark m = {s, s->done, s->list[s->done].network->plan->layer_count};
        layer_begins(&m, sim, core, cycle);
        ts_execution *execution = &s->list[s->done];
        if (measures_memory(s, execution)) {
            ts__measure_memories(sim, s->target, execution->network->image_size, &execution->memory);
        }
        s->done++;
    }
}

/* Tiles are seen where core 0 enters their kernels, once for each kernel; it costs the program nothing. */
static ts_status set_kernel_marks(session *s, ts_sim *sim) {
    uint32_t address;
    TS_VEC(const ts_kernel *) seen = {0};
    for (uint32_t n = 0; n < s->count; n++) {
        const ts_plan *plan = s->list[n].network->plan;
        for (uint32_t i = 0; i < plan->layer_count; i++) {
            const ts_kernel *kernel = plan->layer_plans[i].kernel;
            uint32_t k = 0;
            while (k < seen.count && seen.data[k] != kernel) {
                k++;
            }
            if (k == seen.count && ts_sim_symbol(sim, kernel->name, &address)) {
                TS_PUSH(s->arena, &seen, kernel);
                TS_TRY(ts_sim_mark(sim, address, kernel_begins, s));
            }
        }
    }
    return TS_OK;
}

static ts_status set_marks(session *s, ts_sim *sim) {
    uint32_t address;
    for (uint32_t n = 0; n < s->count; n++) {
        const ts_emitted *network = s->list[n].network;
        uint32_t layers = network->plan->layer_count;
        s->list[n].outputs = TS_NEW_ARRAY(s->arena, uint8_t *, layers);
        s->list[n].counts = TS_NEW_ARRAY(s->arena, ts_layer_counts, layers);
        for (uint32_t i = 0; i < layers; i++) {
            mark *m = TS_NEW(s->arena, mark);
            *m = (mark){s, n, i};
            if (!ts_sim_symbol(sim, network->layer_functions[i], &address)) {
                return ts_error(s->diags, TS_DIAG_SIM, network->plan->layers[i].name, NULL,
                                "the program has no symbol '%s'; build it without stripping",
                                network->layer_functions[i]);
            }
            TS_TRY(ts_sim_mark(sim, address, layer_begins, m));
        }
    }
    if (!ts_sim_symbol(sim, "ts_network_done", &address)) {
        return ts_error(s->diags, TS_DIAG_SIM, NULL, NULL, "the program has no symbol 'ts_network_done'");
    }
    return ts_sim_mark(sim, address, network_done, s);
}

/* Stacks of the team lie between the symbols of link.ld, core 0's on top. */
static bool stack_bounds(ts_sim *sim, uint32_t *bottom, uint32_t *bottom0, uint32_t *top0) {
    return ts_sim_symbol(sim, "pulp_l1_end", bottom) && ts_sim_symbol(sim, "pulp_stack0_bottom", bottom0) &&
           ts_sim_symbol(sim, "pulp_stack0_top", top0) && *bottom <= *bottom0 && *bottom0 <= *top0;
}

static void paint_stacks(session *s, ts_sim *sim) {
    uint32_t bottom, bottom0, top0;
    if (stack_bounds(sim, &bottom, &bottom0, &top0)) {
        uint8_t *paint = ts_arena_alloc(s->arena, top0 - bottom);
        memset(paint, STACK_PAINT, top0 - bottom);
        (void)ts_sim_write(sim, bottom, paint, top0 - bottom);
    }
}

/* Lets the simulator stop a core whose stack would grow into its neighbour's or into tiles. */
static void bound_stacks(const session *s, ts_sim *sim) {
    uint32_t bottom, bottom0, top0, others = s->list[0].network->plan->options.cores - 1;
    if (!stack_bounds(sim, &bottom, &bottom0, &top0)) {
        return;
    }
    uint32_t each = others == 0 ? 0 : (bottom0 - bottom) / others;
    ts_sim_stack(sim, 0, bottom0, top0);
    for (uint32_t core = 1; core <= others; core++) {
        ts_sim_stack(sim, core, bottom0 - core * each, bottom0 - (core - 1) * each);
    }
    if (ts_sim_symbol(sim, "pulp_fc_stack_bottom", &bottom) &&
        ts_sim_symbol(sim, "pulp_fc_stack_top", &top0)) {
        ts_sim_stack(sim, TS_SIM_FC, bottom, top0);
    }
}

static uint32_t used_of(const uint8_t *stack, uint32_t bytes) {
    uint32_t free_bytes = 0;
    while (free_bytes < bytes && stack[free_bytes] == STACK_PAINT) {
        free_bytes++;
    }
    return bytes - free_bytes;
}

static void measure_stacks(session *s, ts_sim *sim, ts_stack_use *out) {
    uint32_t bottom, bottom0, top0;
    *out = (ts_stack_use){0};
    if (!stack_bounds(sim, &bottom, &bottom0, &top0)) {
        return;
    }
    uint8_t *all = ts_arena_alloc(s->arena, top0 - bottom);
    if (!ts_sim_read(sim, bottom, all, top0 - bottom)) {
        return;
    }
    uint32_t others = s->list[0].network->plan->options.cores - 1;
    uint32_t each = others == 0 ? 0 : (bottom0 - bottom) / others;
    out->cores = others + 1;
    for (uint32_t core = 0; core <= others; core++) {
        uint32_t begin = core == 0 ? bottom0 : bottom0 - core * each,
                 size = core == 0 ? top0 - bottom0 : each;
        out->given_bytes[core] = size;
        out->used_bytes[core] = used_of(all + (begin - bottom), size);
    }
}

/* Function names of all networks: their layers, and what calls these by pointer. */
static uint32_t stack_need(session *s, ts_bytes file) {
    ts_elf elf;
    TS_VEC(const char *) layers = {0}, callers = {0};
    TS_PUSH(s->arena, &callers, "ts_program");
    for (uint32_t n = 0; n < s->count; n++) {
        const ts_emitted *network = s->list[n].network;
        TS_PUSH(s->arena, &callers, ts_arena_printf(s->arena, "%s_run", network->prefix));
        for (uint32_t i = 0; i < network->plan->layer_count; i++) {
            TS_PUSH(s->arena, &layers, network->layer_functions[i]);
        }
    }
    if (ts_elf_read(s->arena, file, &elf, s->diags) != TS_OK) {
        return 0;
    }
    return ts__stack_need(s->arena, &elf, "pulp_cluster_main", callers.data, callers.count, layers.data,
                          layers.count, s->diags);
}

/* What no run shows is shown by the code: every core's stack holds the deepest chain of calls. */
static ts_status check_need(session *s, ts_sim *sim, ts_bytes elf, uint32_t *need) {
    uint32_t bottom, bottom0, top0, others = s->list[0].network->plan->options.cores - 1;
    *need = stack_need(s, elf);
    if (*need == 0) {
        return TS_SYSTEM;
    }
    if (!stack_bounds(sim, &bottom, &bottom0, &top0)) {
        return TS_OK;
    }
    uint32_t given = others == 0 ? top0 - bottom0 : (bottom0 - bottom) / others;
    given = top0 - bottom0 < given ? top0 - bottom0 : given;
    if (*need > given) {
        return ts_error(s->diags, TS_DIAG_SIM, NULL, NULL,
                        "the deepest chain of calls needs %u bytes of stack; %u are given; the target's "
                        "stack_bytes must be larger",
                        *need, given);
    }
    return TS_OK;
}

/* The run is held to what the code shows: more would be a chain of calls that was not found. */
static ts_status check_stacks(const session *s, const ts_stack_use *use, uint32_t need) {
    for (uint32_t core = 0; core < use->cores; core++) {
        if (use->used_bytes[core] > need) {
            return ts_error(s->diags, TS_DIAG_SIM, NULL, NULL,
                            "core %u uses %u bytes of its stack of %u; its code was found to need %u at most",
                            core, use->used_bytes[core], use->given_bytes[core], need);
        }
    }
    return TS_OK;
}

static ts_status no_room(session *s, ts_sim *sim) {
    uint32_t end = 0;
    (void)ts_sim_symbol(sim, "pulp_l2_end", &end);
    return ts_error(
        s->diags, TS_DIAG_NO_FIT, NULL, NULL,
        "code, constants and stacks leave %u bytes of L2; the plan uses more: give --l2 %u or less",
        end - s->l2_begin, (end - s->l2_begin) / 16 * 16);
}

static ts_status run_session(session *s, ts_sim *sim, ts_bytes elf, const ts_sim_run_options *options,
                             ts_stack_use *stacks, int *status) {
    TS_TRY(ts_sim_load_elf(sim, elf, s->diags));
    if (!ts_sim_symbol(sim, "pulp_l2_begin", &s->l2_begin)) {
        return ts_error(s->diags, TS_DIAG_SIM, NULL, NULL, "the program has no symbol 'pulp_l2_begin'");
    }
    if (!ts_sim_symbol(sim, "pulp_l1_begin", &s->l1_begin)) {
        return ts_error(s->diags, TS_DIAG_SIM, NULL, NULL, "the program has no symbol 'pulp_l1_begin'");
    }
    TS_TRY(set_marks(s, sim));
    if (options->timeline != NULL || options->sim.timeline_path != NULL) {
        TS_TRY(set_kernel_marks(s, sim));
    }
    uint32_t need = 0;
    TS_TRY(check_need(s, sim, elf, &need));
    paint_stacks(s, sim);
    bound_stacks(s, sim);
    ts_status ran = ts_sim_run(sim, s->diags);
    ts_stack_use use;
    measure_stacks(s, sim, &use);
    use.need_bytes = need;
    TS_TRY(check_stacks(s, &use, need));
    TS_TRY(ran);
    TS_TRY(s->status);
    if (stacks != NULL) {
        *stacks = use;
    }
    int code = ts_sim_exit_code(sim);
    if (status != NULL) {
        *status = code;
    }
    if (code == APP_NO_ROOM && s->done != s->count) {
        return no_room(s, sim);
    }
    if (code != 0 && (!options->self_check || s->done != s->count)) {
        return ts_error(s->diags, TS_DIAG_SIM, NULL, NULL, "the program ended with status %d%s%s", code,
                        s->printed.size > 0 ? ": " : "", s->printed.size > 0 ? s->printed.data : "");
    }
    if (s->done != s->count) {
        return ts_error(s->diags, TS_DIAG_SIM, NULL, NULL, "the program ended after %u of %u networks",
                        s->done, s->count);
    }
    return TS_OK;
}

static void free_sim(void *sim) { ts_sim_free(sim); }

ts_status ts_execute_sim(ts_arena *arena, ts_bytes elf, const ts_target *target, ts_execution *list,
                         uint32_t count, const ts_sim_run_options *options, const char **printed,
                         ts_stack_use *stacks, int *status, ts_diags *diags) {
    session s = {.self_check = options->self_check,
                 .options = options,
                 .arena = arena,
                 .diags = diags,
                 .target = target,
                 .list = list,
                 .count = count,
                 .printed = {.arena = arena}};
    ts_sim_options sim_options = options->sim;
    if (sim_options.stdout_char == NULL) {
        sim_options.stdout_char = keep_char;
        sim_options.user = &s;
    }
    if (options->timeline != NULL) {
        sim_options.timeline_span = ts__timeline_add;
        sim_options.timeline_user = options->timeline;
    }
    ts_sim *sim = NULL;
    TS_TRY(ts_sim_new(arena, target, &sim_options, &sim, diags));
    ts_guard_defer(free_sim, sim);
    ts_status result = run_session(&s, sim, elf, options, stacks, status);
    ts_guard_undefer(sim);
    ts_sim_free(sim);
    if (printed != NULL) {
        *printed = s.printed.data == NULL ? "" : s.printed.data;
    }
    return result;
}
