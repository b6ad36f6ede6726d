#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
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

static void print_stacks(ts_text *out, const ts_stack_use *stacks) {
    if (stacks->cores == 0) {
        return;
    }
    ts_text_add(out, "stack     ");
    for (uint32_t i = 0; i < stacks->cores; i++) {
        ts_text_printf(out, "%s%u", i == 0 ? "" : " ", stacks->used_bytes[i]);
    }
    ts_text_printf(out, " bytes used on cores 0 to %u; %u and %u given\n", stacks->cores - 1,
                   stacks->given_bytes[0], stacks->given_bytes[stacks->cores > 1 ? 1 : 0]);
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
    print_stacks(out, &r->stacks);
    print_saturated(out, r);
    if (r->printed != NULL && *r->printed != '\0') {
        ts_text_printf(out, "\nthe program printed:\n%s", r->printed);
    }
}

static json_t *integer(uint64_t value) { return json_integer((json_int_t)value); }

static json_t *causes_json(const ts_sim_counters *counters) {
    static const char *const names[] = {
#define NAME(id, name, text) name,
        TS_SIM_CAUSES(NAME)
#undef NAME
    };
    json_t *root = json_object();
    for (uint32_t i = 0; i < TS_SIM_CAUSE_COUNT; i++) {
        json_object_set_new(root, names[i], integer(counters->by_cause[i]));
    }
    return root;
}

static void set_counts(json_t *root, const ts_run_result *r, const ts_layer_result *layer, uint64_t macs) {
    if (!r->simulated) {
        json_object_set_new(root, "cycles", json_null());
        json_object_set_new(root, "mac_per_cycle", json_null());
        return;
    }
    const ts_layer_counts *c = &layer->counts;
    json_object_set_new(root, "cycles", integer(c->cycles));
    json_object_set_new(root, "mac_per_cycle", json_real(per_cycle(macs, c->cycles)));
    json_object_set_new(root, "instructions", integer(c->cores.instructions));
    json_object_set_new(root, "core_cycles", causes_json(&c->cores));
    json_object_set_new(root, "dma_in_bytes", integer(c->traffic.dma_in_bytes));
    json_object_set_new(root, "dma_out_bytes", integer(c->traffic.dma_out_bytes));
    json_object_set_new(root, "l3_read_bytes", integer(c->traffic.l3_read_bytes));
    json_object_set_new(root, "l3_write_bytes", integer(c->traffic.l3_write_bytes));
    json_object_set_new(root, "energy_uj", json_real(c->energy_uj));
}

static json_t *layer_json(const ts_run_result *r, uint32_t index) {
    static const char *const golden[] = {"absent", "equal", "differs"};
    const ts_layer_plan *lp = &r->plan->layer_plans[index];
    const ts_layer_result *layer = &r->layers[index];
    json_t *root = json_object();
    json_object_set_new(root, "index", integer(index));
    json_object_set_new(root, "name", json_string(lp->layer->name));
    json_object_set_new(root, "op", json_string(ts_layer_kind_name(lp->layer->kind)));
    json_object_set_new(root, "kernel", json_string(lp->kernel->name));
    json_object_set_new(root, "macs", integer(lp->layer->macs));
    set_counts(root, r, layer, lp->layer->macs);
    json_object_set_new(root, "modelled_cycles", json_real(lp->modelled_cycles));
    json_object_set_new(root, "l1_bytes", integer(lp->l1.used_bytes));
    json_object_set_new(root, "l2_bytes", integer(lp->l2_live_bytes));
    json_object_set_new(root, "verified", json_boolean(layer->verified));
    json_object_set_new(root, "golden", json_string(golden[layer->golden_state]));
    json_object_set_new(root, "differing", integer(layer->reference.differing + layer->golden.differing));
    return root;
}

void ts_run_print_json(ts_text *out, const ts_run_result *r) {
    json_t *root = json_object(), *layers = json_array(), *stacks = json_array();
    json_object_set_new(root, "model", json_string(r->model));
    json_object_set_new(root, "target", json_string(r->target));
    json_object_set_new(root, "samples", integer(r->samples));
    json_object_set_new(root, "cycles", r->simulated ? integer(r->cycles) : json_null());
    json_object_set_new(root, "macs", integer(r->macs));
    json_object_set_new(root, "mac_per_cycle",
                        r->simulated ? json_real(per_cycle(r->macs, r->cycles)) : json_null());
    json_object_set_new(root, "modelled_cycles", json_real(r->plan->modelled_cycles));
    json_object_set_new(root, "energy_uj", r->simulated ? json_real(r->energy_uj) : json_null());
    json_object_set_new(root, "seconds", r->simulated ? json_real(r->seconds) : json_null());
    json_object_set_new(root, "l1_bytes", integer(r->plan->l1_used_bytes));
    json_object_set_new(root, "l2_bytes", integer(r->plan->l2_used_bytes));
    json_object_set_new(root, "l3_bytes", integer(r->plan->l3_weights_bytes));
    json_object_set_new(root, "verified", json_boolean(r->verified));
    for (uint32_t i = 0; i < r->stacks.cores; i++) {
        json_array_append_new(stacks, integer(r->stacks.used_bytes[i]));
    }
    json_object_set_new(root, "stack_bytes", stacks);
    for (uint32_t i = 0; i < r->plan->layer_count; i++) {
        json_array_append_new(layers, layer_json(r, i));
    }
    json_object_set_new(root, "layers", layers);
    char *text = json_dumps(root, JSON_INDENT(1) | JSON_REAL_PRECISION(9));
    if (text != NULL) {
        ts_text_add(out, text);
        ts_text_add(out, "\n");
    }
    free(text);
    json_decref(root);
}
