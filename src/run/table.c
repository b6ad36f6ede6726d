#include <inttypes.h>
#include <string.h>

#include "base/table.h"
#include "run/run.h"

enum { COLUMNS = 12, NAME_WIDTH = 24 };

static double per_cycle(uint64_t macs, uint64_t cycles) {
    return cycles == 0 ? 0 : (double)macs / (double)cycles;
}

static const char *shape_text(ts_arena *arena, const ts_layer *l) {
    return ts_arena_printf(arena, "%ux%ux%u > %ux%ux%u", l->x.h, l->x.w, l->x.c, l->y.h, l->y.w, l->y.c);
}

static const char *tile_text(ts_arena *arena, const ts_layer_plan *lp) {
    const ts_tile *t = &lp->l1.tile;
    uint32_t chunks = lp->l3.chunks > 1 ? lp->l3.chunks : 1;
    uint32_t tiles = lp->l1.tiles_h * lp->l1.tiles_w * lp->l1.tiles_c;
    return chunks > 1 ? ts_arena_printf(arena, "%ux %ux%ux%u in %u chunks", tiles * chunks, t->y_h, t->y_w,
                                        t->y_c, chunks)
                      : ts_arena_printf(arena, "%ux %ux%ux%u", tiles, t->y_h, t->y_w, t->y_c);
}

static const char *shortened(ts_arena *arena, const char *name) {
    size_t length = strlen(name);
    return length <= NAME_WIDTH ? name : ts_arena_printf(arena, "..%s", name + length - (NAME_WIDTH - 2));
}

static const char *verified_text(const ts_layer_result *layer) {
    if (!layer->verified) {
        return "DIFFERS";
    }
    return layer->golden_state == TS_GOLDEN_EQUAL ? "golden" : "yes";
}

static ts_style verdict_style(uint32_t column, const char *cell) {
    return column != COLUMNS - 1          ? TS_STYLE_PLAIN
           : strcmp(cell, "DIFFERS") == 0 ? TS_STYLE_BAD
                                          : TS_STYLE_GOOD;
}

static void add_layer(ts_table *t, const ts_run_result *r, uint32_t index) {
    const ts_layer_plan *lp = &r->plan->layer_plans[index];
    const ts_layer_result *layer = &r->layers[index];
    const ts_layer *l = lp->layer;
    ts_arena *a = t->arena;
    const char **row = TS_NEW_ARRAY(a, const char *, COLUMNS);
    uint32_t n = 0;
    row[n++] = ts_arena_printf(a, "%u", index);
    row[n++] = shortened(a, l->name);
    row[n++] = ts_layer_kind_name(l->kind);
    row[n++] = lp->kernel->name;
    row[n++] = shape_text(a, l);
    row[n++] = tile_text(a, lp);
    row[n++] = ts_arena_printf(a, "%" PRIu64, lp->l1.used_bytes);
    row[n++] = ts_arena_printf(a, "%" PRIu64, lp->l2_live_bytes);
    uint64_t time = r->counted ? layer->counts.instructions : layer->counts.cycles;
    bool timed = r->simulated || r->counted;
    row[n++] = timed ? ts_arena_printf(a, "%" PRIu64, time) : "-";
    row[n++] = ts_arena_printf(a, "%" PRIu64, l->macs);
    double rate = r->counted ? per_cycle(time, l->macs) : per_cycle(l->macs, time);
    row[n++] = timed && l->macs > 0 ? ts_arena_printf(a, "%.2f", rate) : "-";
    row[n++] = verified_text(layer);
    ts_table_add(t, row);
}

static void print_memory(ts_text *out, const ts_memory_use *use) {
    if (use->measured) {
        ts_text_printf(out,
                       "touched   L1 %" PRIu64 ", L2 %" PRIu64 ", L3 %" PRIu64
                       " bytes; the program itself takes %" PRIu64 " of L2\n",
                       use->l1_bytes, use->l2_bytes, use->l3_bytes, use->program_bytes);
    }
}

static void print_traffic(ts_text *out, const ts_run_result *r) {
    uint64_t reads = 0, writes = 0, in = 0, to_l2 = 0;
    for (uint32_t i = 0; i < r->plan->layer_count; i++) {
        const ts_sim_traffic *t = &r->layers[i].counts.traffic;
        reads += t->l3_read_bytes;
        writes += t->l3_write_bytes;
        in += t->dma_in_bytes;
        to_l2 += t->dma_out_bytes;
    }
    if (r->simulated) {
        ts_text_printf(out,
                       "traffic   L3 read %" PRIu64 ", written %" PRIu64 " bytes (weights once: %" PRIu64
                       "); into L1 %" PRIu64 ", out of it %" PRIu64 "\n",
                       reads, writes, r->plan->l3_weights_bytes, in, to_l2);
    }
}

static void print_stacks(ts_text *out, const ts_stack_use *stacks) {
    if (stacks->cores == 0) {
        return;
    }
    ts_text_add(out, "stack     ");
    for (uint32_t i = 0; i < stacks->cores; i++) {
        ts_text_printf(out, "%s%u", i == 0 ? "" : " ", stacks->used_bytes[i]);
    }
    if (stacks->need_bytes == 0) { /* nobody looked into the code */
        ts_text_printf(out, " bytes used of %u\n", stacks->given_bytes[0]);
        return;
    }
    ts_text_printf(out, " bytes used on cores 0 to %u; the code needs %u at most; %u and %u given\n",
                   stacks->cores - 1, stacks->need_bytes, stacks->given_bytes[0],
                   stacks->given_bytes[stacks->cores > 1 ? 1 : 0]);
}

/* Chips with one core: what was counted, and what the linker gave away beside what was planned. */
static void print_counted(ts_text *out, const ts_run_result *r) {
    const ts_target *target = r->plan->target;
    ts_text_printf(out, "instr.    %" PRIu64 " (exact), %.2f a MAC\n", r->instructions,
                   per_cycle(r->instructions, r->macs));
    if (target->estimates_cycles) {
        ts_text_printf(out,
                       "cycles    %" PRIu64 " (an estimate by class of instruction), %.3f ms at %.0f MHz\n",
                       r->cycles, r->seconds * 1e3, (double)target->cluster_hz * 1e-6);
    }
}

static void print_image(ts_text *out, const ts_run_result *r) {
    const ts_image_use *u = &r->image;
    const ts_plan *p = r->plan;
    uint64_t planned = p->l2_used_bytes + (ts_target_levels(p->target) == 1 ? 0 : p->l1_used_bytes);
    ts_text_printf(out,
                   "image     RAM %" PRIu64 " bytes: network %" PRIu64 " (planned %" PRIu64
                   "), stack %" PRIu64 ", other data %" PRIu64 "\n",
                   u->ram_bytes, u->network_bytes, planned, u->stack_bytes,
                   u->ram_bytes - u->network_bytes - u->stack_bytes);
    ts_text_printf(out,
                   "          flash %" PRIu64 " bytes: weights %" PRIu64 " (planned %" PRIu64
                   "), code and constants %" PRIu64 "\n",
                   u->flash_bytes, u->weights_bytes, p->l3_weights_bytes, u->flash_bytes - u->weights_bytes);
}

static void print_planned(ts_text *out, const ts_plan *p) {
    uint32_t levels = ts_target_levels(p->target);
    if (levels == 1) {
        ts_text_printf(out, "memory    RAM %" PRIu64 " of %" PRIu64 " bytes, live set %" PRIu64,
                       p->l2_used_bytes, p->options.l2_bytes, p->l2_bound_bytes);
    } else {
        ts_text_printf(out, "memory    L1 %" PRIu64 " of %" PRIu64 " bytes, L2 %" PRIu64 " of %" PRIu64,
                       p->l1_used_bytes, p->options.l1_bytes, p->l2_used_bytes, p->options.l2_bytes);
    }
    ts_text_printf(out, levels < 3 ? ", weights in flash %" PRIu64 "\n" : ", L3 image %" PRIu64 "\n",
                   p->l3_weights_bytes);
}

static void print_saturated(ts_text *out, const ts_run_result *r) {
    for (uint32_t i = 0; i < r->plan->layer_count; i++) {
        const ts_difference *d = &r->layers[i].saturated;
        if (d->differing > 0) {
            ts_text_printf(out,
                           "saturated layer %u '%s': %" PRIu64
                           " elements differ from the exact result, the first "
                           "is %" PRIu64 ": %d, exact %d\n",
                           i, r->plan->layers[i].name, d->differing, d->first, d->actual, d->expected);
        }
    }
}

void ts_run_print(ts_text *out, const ts_run_result *r, ts_screen screen) {
    static const ts_column timed[COLUMNS] = {
        {"#", true, 0},      {"layer", false, 0}, {"op", false, 1},       {"kernel", false, 5},
        {"shape", false, 6}, {"tiles", false, 7}, {"L1", true, 4},        {"L2", true, 3},
        {"cycles", true, 0}, {"MACs", true, 2},   {"MAC/cycle", true, 0}, {"verified", false, 0}};
    ts_column columns[COLUMNS];
    memcpy(columns, timed, sizeof columns);
    if (r->counted) {
        columns[7].head = "live";
        columns[8].head = "instructions";
        columns[10].head = "per MAC";
    }
    ts_table t = {
        .arena = out->arena, .columns = columns, .column_count = COLUMNS, .style_of = verdict_style};
    for (uint32_t i = 0; i < r->plan->layer_count; i++) {
        add_layer(&t, r, i);
    }
    ts_table_print(out, &t, screen);
    ts_style verdict = r->verified ? TS_STYLE_GOOD : TS_STYLE_BAD;
    ts_text_printf(out, "\n%s on %s: %s%u of %u layers verified%s%s, %u sample%s\n", r->model, r->target,
                   ts_style_begin(screen, verdict), r->verified_layers, r->plan->layer_count,
                   r->verified ? "" : " - NOT EQUAL", ts_style_end(screen, verdict), r->samples,
                   r->samples == 1 ? "" : "s");
    ts_text_printf(out, "MACs      %" PRIu64 "\n", r->macs);
    if (r->simulated) {
        ts_text_printf(out, "cycles    %" PRIu64 " (modelled %.0f), %.2f MAC/cycle\n", r->cycles,
                       r->plan->modelled_cycles, per_cycle(r->macs, r->cycles));
        const ts_target *target = r->plan->target;
        ts_text_printf(out, "time      %.3f ms, energy %.3f mJ (estimate) at %s\n", r->seconds * 1e3,
                       r->energy_uj * 1e-3,
                       target->point_count > 0 ? target->points[0].name : "the default clock");
    }
    if (r->counted) {
        print_counted(out, r);
    }
    print_planned(out, r->plan);
    print_memory(out, &r->memory);
    print_traffic(out, r);
    if (r->counted) {
        print_image(out, r);
    }
    print_stacks(out, &r->stacks);
    print_saturated(out, r);
    if (r->printed != NULL && *r->printed != '\0') {
        ts_text_printf(out, "\nthe program printed:\n%s", r->printed);
    }
}
