#include <inttypes.h>
#include <string.h>

#include "run/run.h"

enum { COLUMNS = 12, NAME_WIDTH = 24 };

typedef struct table {
    ts_arena *arena;
    TS_VEC(const char **) rows;
} table;

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

static void add_layer(table *t, const ts_run_result *r, uint32_t index) {
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
    row[n++] = r->simulated ? ts_arena_printf(a, "%" PRIu64, layer->counts.cycles) : "-";
    row[n++] = ts_arena_printf(a, "%" PRIu64, l->macs);
    row[n++] = r->simulated && l->macs > 0
                   ? ts_arena_printf(a, "%.2f", per_cycle(l->macs, layer->counts.cycles))
                   : "-";
    row[n++] = verified_text(layer);
    TS_PUSH(a, &t->rows, row);
}

/* Columns of numbers are right-aligned. */
static void print_rows(ts_text *out, const table *t) {
    static const char right[COLUMNS] = {1, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 0};
    int widths[COLUMNS] = {0};
    for (uint32_t r = 0; r < t->rows.count; r++) {
        for (uint32_t c = 0; c < COLUMNS; c++) {
            int width = (int)strlen(t->rows.data[r][c]);
            widths[c] = width > widths[c] ? width : widths[c];
        }
    }
    for (uint32_t r = 0; r < t->rows.count; r++) {
        for (uint32_t c = 0; c < COLUMNS; c++) {
            int width = c + 1 == COLUMNS ? 0 : widths[c];
            ts_text_printf(out, "%s%*s", c == 0 ? "" : "  ", right[c] ? width : -width, t->rows.data[r][c]);
        }
        ts_text_add(out, "\n");
    }
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
    ts_text_printf(out, " bytes used on cores 0 to %u; the code needs %u at most; %u and %u given\n",
                   stacks->cores - 1, stacks->need_bytes, stacks->given_bytes[0],
                   stacks->given_bytes[stacks->cores > 1 ? 1 : 0]);
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

void ts_run_print(ts_text *out, const ts_run_result *r) {
    static const char *head[COLUMNS] = {"#",  "layer", "op",     "kernel", "shape",     "tiles",
                                        "L1", "L2",    "cycles", "MACs",   "MAC/cycle", "verified"};
    table t = {.arena = out->arena};
    TS_PUSH(out->arena, &t.rows, head);
    for (uint32_t i = 0; i < r->plan->layer_count; i++) {
        add_layer(&t, r, i);
    }
    print_rows(out, &t);
    ts_text_printf(out, "\n%s on %s: %u of %u layers verified%s, %u sample%s\n", r->model, r->target,
                   r->verified_layers, r->plan->layer_count, r->verified ? "" : " - NOT EQUAL", r->samples,
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
    ts_text_printf(out,
                   "memory    L1 %" PRIu64 " of %" PRIu64 " bytes, L2 %" PRIu64 " of %" PRIu64
                   ", L3 image %" PRIu64 "\n",
                   r->plan->l1_used_bytes, r->plan->options.l1_bytes, r->plan->l2_used_bytes,
                   r->plan->options.l2_bytes, r->plan->l3_weights_bytes);
    print_memory(out, &r->memory);
    print_traffic(out, r);
    print_stacks(out, &r->stacks);
    print_saturated(out, r);
    if (r->printed != NULL && *r->printed != '\0') {
        ts_text_printf(out, "\nthe program printed:\n%s", r->printed);
    }
}
