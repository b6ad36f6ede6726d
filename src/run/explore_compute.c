#include <math.h>

#include "model/model.h"
#include "run/explore_point.h"
#include "run/run.h"

static json_t *integer(uint64_t value) { return json_integer((json_int_t)value); }

static void set_figures(json_t *root, const ts_run_result *r) {
    uint64_t l3_reads = 0, l3_writes = 0, dma_in = 0, dma_out = 0;
    uint32_t tiled = 0;
    for (uint32_t i = 0; i < r->plan->layer_count; i++) {
        const ts_l3_plan *l3 = &r->plan->layer_plans[i].l3;
        l3_reads += r->layers[i].counts.traffic.l3_read_bytes;
        l3_writes += r->layers[i].counts.traffic.l3_write_bytes;
        dma_in += r->layers[i].counts.traffic.dma_in_bytes;
        dma_out += r->layers[i].counts.traffic.dma_out_bytes;
        tiled += l3->chunks > 1 || l3->stripes > 1;
    }
    json_object_set_new(root, "verified", json_boolean(r->verified));
    json_object_set_new(root, "cycles", integer(r->cycles));
    json_object_set_new(root, "macs", integer(r->macs));
    json_object_set_new(root, "mac_per_cycle",
                        json_real(r->cycles > 0 ? (double)r->macs / (double)r->cycles : 0));
    json_object_set_new(root, "modelled_cycles", json_real(round(r->plan->modelled_cycles)));
    json_object_set_new(root, "seconds", json_real(r->seconds));
    json_object_set_new(root, "energy_uj", json_real(r->energy_uj));
    json_object_set_new(root, "l1_bytes", integer(r->plan->l1_used_bytes));
    json_object_set_new(root, "l2_bytes", integer(r->plan->l2_used_bytes));
    json_object_set_new(root, "l3_bytes", integer(r->plan->l3_used_bytes));
    json_object_set_new(root, "l3_read_bytes", integer(l3_reads));
    json_object_set_new(root, "l3_write_bytes", integer(l3_writes));
    json_object_set_new(root, "dma_in_bytes", integer(dma_in));
    json_object_set_new(root, "dma_out_bytes", integer(dma_out));
    json_object_set_new(root, "layers", integer(r->plan->layer_count));
    json_object_set_new(root, "layers_cut_at_l3", integer(tiled));
}

static json_t *no_fit(const ts_diags *diags) {
    const ts_diag *d = &diags->list.data[0];
    for (uint32_t i = 0; i < diags->list.count; i++) {
        d = diags->list.data[i].code == TS_DIAG_NO_FIT ? &diags->list.data[i] : d;
    }
    return json_pack("{s:s, s:b, s:s, s:s}", "status", "no-fit", "verified", 0, "layer",
                     d->node != NULL ? d->node : "", "message", d->text);
}

static ts_status get_graph(ts_arena *arena, const ts_explore *e, const ts_explore_point *s, ts_graph **graph,
                           ts_diags *diags) {
    const ts_model_options reading = {.input_signed = -1};
    if (s->model == NULL) {
        return ts_generate(arena, &s->generate, graph, diags);
    }
    return ts_model_read(arena, ts__explore_beside(arena, e, s->model), &reading, graph, diags);
}

ts_status ts_explore_compute(void *user, uint32_t index, ts_arena *arena, json_t **result, ts_diags *diags) {
    const ts_explore *e = user;
    ts_explore_point s;
    ts_graph *graph = NULL;
    ts_run_result run = {0};
    TS_TRY(ts__explore_point(arena, e, index, &s, diags));
    TS_TRY(get_graph(arena, e, &s, &graph, diags));
    ts_run_options options = {
        .target = s.target, .plan = s.plan, .seed = s.seed, .jobs = 1, .command = "explore"};
    ts_status status = ts_run(arena, graph, &options, &run, diags);
    if (status == TS_NO_FIT) {
        *result = no_fit(diags);
        return TS_OK;
    }
    if (status != TS_OK && status != TS_MISMATCH) {
        return status;
    }
    *result = json_pack("{s:s}", "status", status == TS_OK ? "verified" : "differs");
    set_figures(*result, &run);
    return TS_OK;
}
