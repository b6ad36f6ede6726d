#include <jansson.h>
#include <stdlib.h>

#include "run/run.h"

static double per_cycle(uint64_t macs, uint64_t cycles) {
    return cycles == 0 ? 0 : (double)macs / (double)cycles;
}

static json_t *integer(uint64_t value) { return json_integer((json_int_t)value); }

static const char *const cause_names[] = {
#define NAME(id, name, text) name,
    TS_SIM_CAUSES(NAME)
#undef NAME
};

static json_t *causes_json(const ts_sim_counters *counters) {
    json_t *root = json_object();
    for (uint32_t i = 0; i < TS_SIM_CAUSE_COUNT; i++) {
        json_object_set_new(root, cause_names[i], integer(counters->by_cause[i]));
    }
    return root;
}

/* One list a core, in the order of "causes" at the top. */
static json_t *by_core_json(const ts_layer_counts *counts, uint32_t cores) {
    json_t *root = json_array();
    for (uint32_t core = 0; core < cores && counts->by_core != NULL; core++) {
        json_t *list = json_array();
        for (uint32_t i = 0; i < TS_SIM_CAUSE_COUNT; i++) {
            json_array_append_new(list, integer(counts->by_core[core].by_cause[i]));
        }
        json_array_append_new(root, list);
    }
    return root;
}

static json_t *energy_parts_json(const ts_sim_energy *e) {
    const char *const names[] = {"cores", "idle", "l1", "l2", "l3", "dma", "static"};
    const double values[] = {e->cores_uj, e->idle_uj, e->l1_uj, e->l2_uj, e->l3_uj, e->dma_uj, e->static_uj};
    json_t *root = json_object();
    for (uint32_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        json_object_set_new(root, names[i], json_real(values[i]));
    }
    return root;
}

/* What QEMU counted: instructions are exact; cycles, where the target says what an instruction takes, not. */
static void set_counted(json_t *root, const ts_run_result *r, const ts_layer_counts *c) {
    static const char *const classes[TS_COUNT_CLASSES] = {"alu",   "multiply", "divide",       "load",
                                                          "store", "branch",   "further_words"};
    json_t *by_class = json_object();
    for (uint32_t i = 0; i < TS_COUNT_CLASSES; i++) {
        json_object_set_new(by_class, classes[i], integer(c->by_class[i]));
    }
    json_object_set_new(root, "cycles", json_null());
    json_object_set_new(root, "mac_per_cycle", json_null());
    json_object_set_new(root, "instructions", integer(c->instructions));
    json_object_set_new(root, "instructions_by_class", by_class);
    json_object_set_new(root, "estimated_cycles",
                        r->plan->target->estimates_cycles ? integer(c->cycles) : json_null());
}

static json_t *image_json(const ts_image_use *u) {
    json_t *root = json_object();
    json_object_set_new(root, "flash_bytes", integer(u->flash_bytes));
    json_object_set_new(root, "weights_bytes", integer(u->weights_bytes));
    json_object_set_new(root, "ram_bytes", integer(u->ram_bytes));
    json_object_set_new(root, "network_bytes", integer(u->network_bytes));
    json_object_set_new(root, "stack_bytes", integer(u->stack_bytes));
    return root;
}

static void set_counts(json_t *root, const ts_run_result *r, const ts_layer_result *layer, uint64_t macs) {
    if (r->counted) {
        set_counted(root, r, &layer->counts);
        return;
    }
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
    json_object_set_new(root, "dma_transfers", integer(c->traffic.dma_transfers));
    json_object_set_new(root, "dma_in_busy_cycles", integer(c->traffic.dma_in_busy_cycles));
    json_object_set_new(root, "dma_out_busy_cycles", integer(c->traffic.dma_out_busy_cycles));
    json_object_set_new(root, "l3_busy_cycles", integer(c->traffic.l3_busy_cycles));
    json_object_set_new(root, "energy_uj", json_real(c->energy_uj));
    json_object_set_new(root, "energy_parts_uj", energy_parts_json(&c->energy[0]));
    json_object_set_new(root, "cycles_by_core", by_core_json(c, r->plan->target->cores));
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

static json_t *points_json(const ts_run_result *r) {
    const ts_target *target = r->plan->target;
    json_t *root = json_array();
    for (uint32_t p = 0; p < target->point_count && r->simulated; p++) {
        const ts_operating_point *point = &target->points[p];
        double energy_uj = 0;
        for (uint32_t i = 0; i < r->plan->layer_count; i++) {
            energy_uj += r->layers[i].counts.energy[p].total_uj;
        }
        json_t *one = json_object();
        json_object_set_new(one, "name", json_string(point->name));
        json_object_set_new(one, "volts", json_real(point->volts));
        json_object_set_new(one, "cluster_hz", integer(point->cluster_hz));
        json_object_set_new(one, "seconds", json_real((double)r->cycles / (double)point->cluster_hz));
        json_object_set_new(one, "energy_uj", json_real(energy_uj));
        json_array_append_new(root, one);
    }
    return root;
}

static json_t *memories_json(const ts_target *target) {
    json_t *root = json_array();
    for (uint32_t i = 0; i < target->memory_count; i++) {
        const ts_memory *m = &target->memories[i];
        json_t *one = json_object();
        json_object_set_new(one, "name", json_string(m->name));
        json_object_set_new(one, "level", integer(m->level));
        json_object_set_new(one, "size_bytes", integer(m->size_bytes));
        json_object_set_new(one, "read_bytes_per_cycle", json_real(m->read_bytes_per_cycle));
        json_array_append_new(root, one);
    }
    return root;
}

static json_t *memory_json(const ts_memory_use *use) {
    if (!use->measured) {
        return json_null();
    }
    json_t *root = json_object();
    json_object_set_new(root, "l1_touched_bytes", integer(use->l1_bytes));
    json_object_set_new(root, "l2_touched_bytes", integer(use->l2_bytes));
    json_object_set_new(root, "l3_touched_bytes", integer(use->l3_bytes));
    json_object_set_new(root, "l1_given_bytes", integer(use->l1_given_bytes));
    json_object_set_new(root, "l2_given_bytes", integer(use->l2_given_bytes));
    json_object_set_new(root, "program_bytes", integer(use->program_bytes));
    return root;
}

static json_t *chip_json(const ts_target *target) {
    json_t *root = json_object();
    json_object_set_new(root, "description", json_string(target->description));
    json_object_set_new(root, "isa", json_string(target->isa));
    json_object_set_new(root, "cores", integer(target->cores));
    json_object_set_new(root, "cluster_hz", integer(target->cluster_hz));
    json_object_set_new(root, "fc_hz", integer(target->fc_hz));
    json_object_set_new(root, "dma_bytes_per_cycle", integer(target->dma.bytes_per_cycle));
    json_object_set_new(root, "code_reserve_bytes", integer(target->code_reserve_bytes));
    json_object_set_new(root, "memories", memories_json(target));
    return root;
}

/* The plan as plan.json has it (docs/plan-json.md). */
static json_t *plan_json(ts_arena *arena, const ts_plan *plan) {
    ts_text text = {.arena = arena};
    ts_plan_print_json(&text, plan);
    json_t *root = json_loads(text.data, 0, NULL);
    return root != NULL ? root : json_null();
}

static void set_report(json_t *root, const ts_run_result *r, ts_arena *arena) {
    json_t *causes = json_array();
    for (uint32_t i = 0; i < TS_SIM_CAUSE_COUNT; i++) {
        json_array_append_new(causes, json_string(cause_names[i]));
    }
    json_object_set_new(root, "tessera", json_string(TESSERA_VERSION));
    json_object_set_new(root, "command", r->command != NULL ? json_string(r->command) : json_null());
    json_object_set_new(root, "causes", causes);
    json_object_set_new(root, "operating_points", points_json(r));
    json_object_set_new(root, "chip", chip_json(r->plan->target));
    json_object_set_new(root, "plan", plan_json(arena, r->plan));
    json_object_set_new(root, "timeline", r->timeline != NULL ? ts__timeline_json(r->timeline) : json_null());
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
    if (r->counted) {
        json_object_set_new(root, "instructions", integer(r->instructions));
        json_object_set_new(root, "estimated_cycles",
                            r->plan->target->estimates_cycles ? integer(r->cycles) : json_null());
        json_object_set_new(root, "image", image_json(&r->image));
    }
    json_object_set_new(root, "l1_bytes", integer(r->plan->l1_used_bytes));
    json_object_set_new(root, "l2_bytes", integer(r->plan->l2_used_bytes));
    json_object_set_new(root, "l3_bytes", integer(r->plan->l3_weights_bytes));
    json_object_set_new(root, "memory", memory_json(&r->memory));
    json_object_set_new(root, "verified", json_boolean(r->verified));
    for (uint32_t i = 0; i < r->stacks.cores; i++) {
        json_array_append_new(stacks, integer(r->stacks.used_bytes[i]));
    }
    json_object_set_new(root, "stack_bytes", stacks);
    for (uint32_t i = 0; i < r->plan->layer_count; i++) {
        json_array_append_new(layers, layer_json(r, i));
    }
    json_object_set_new(root, "layers", layers);
    set_report(root, r, out->arena);
    char *text = json_dumps(root, JSON_INDENT(1) | JSON_REAL_PRECISION(9));
    if (text != NULL) {
        ts_text_add(out, text);
        ts_text_add(out, "\n");
    }
    free(text);
    json_decref(root);
}
