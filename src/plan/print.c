/* plan.json (docs/plan-json.md) and the table for people. */
#include <stdio.h>

#include "base/table.h"
#include "plan/plan.h"
#include "plan/requant.h"

/* By ts_layout_answer, of the live-set bound. */
static const char *const answer_names[] = {"reached", "proved impossible", "not decided"};

static void json_string(ts_text *out, const char *string) {
    ts_text_add(out, "\"");
    for (const unsigned char *c = (const unsigned char *)string; *c != 0; c++) {
        if (*c == '"' || *c == '\\') {
            ts_text_printf(out, "\\%c", *c);
        } else if (*c < 0x20 || *c == 0x7f) {
            ts_text_printf(out, "\\u%04x", *c);
        } else {
            ts_text_add_bytes(out, c, 1);
        }
    }
    ts_text_add(out, "\"");
}

static const char *tensor_name(const ts_plan *plan, ts_tensor_id t) {
    const char *name = plan->graph->tensors.data[t].name;
    return name != NULL ? name : "";
}

static unsigned long long ull(uint64_t value) { return (unsigned long long)value; }

static const char *order_name(ts_loop_order order) {
    return order == TS_LOOP_CHANNELS_INNER ? "channels-inner" : "pixels-inner";
}

static void json_map(ts_text *out, const ts_plan *plan, const char *key, const ts_map_shape *map,
                     int32_t buffer) {
    ts_text_printf(out, "     \"%s\": {\"tensor\": ", key);
    json_string(out, tensor_name(plan, map->tensor));
    ts_text_printf(
        out,
        ", \"h\": %u, \"w\": %u, \"c\": %u, \"type\": \"%s\", \"layout\": \"%s\", \"bytes\": %llu, "
        "\"buffer\": %d},\n",
        map->h, map->w, map->c, ts_type_name(map->type), map->quads ? "quads" : "hwc", ull(ts_map_bytes(map)),
        buffer);
}

static void json_l3(ts_text *out, const ts_l3_plan *l3) {
    ts_text_printf(
        out,
        "     \"l3\": {\"weights_offset\": %llu, \"weights_bytes\": %llu, \"load_at\": %u, \"chunks\": "
        "%u, \"chunk_c\": %u, \"first_step\": %u, \"tail_step\": %u, \"w_buffer\": %d,\n",
        ull(l3->weights_l3_offset), ull(l3->weights_bytes), l3->load_at, l3->chunks, l3->chunk_c,
        l3->first_step, l3->tail_step, l3->w_buffer);
    ts_text_printf(out,
                   "            \"stripes\": %u, \"stripe_h\": %u, \"chunks_outer\": %s, \"keeps_halo\": %s, "
                   "\"x_stripes\": [%d, %d], "
                   "\"x2_stripes\": [%d, %d], \"y_stripes\": [%d, %d]},\n",
                   l3->stripes, l3->stripe_h, l3->chunks_outer ? "true" : "false",
                   l3->keeps_halo ? "true" : "false", l3->x_stripe[0], l3->x_stripe[1], l3->x2_stripe[0],
                   l3->x2_stripe[1], l3->y_stripe[0], l3->y_stripe[1]);
}

static void json_l1(ts_text *out, const ts_l1_plan *l1) {
    const ts_tile *t = &l1->tile;
    ts_text_printf(
        out,
        "     \"l1\": {\"tile\": {\"y_h\": %u, \"y_w\": %u, \"y_c\": %u, \"x_h\": %u, \"x_w\": %u, "
        "\"x_c\": %u}, \"tiles\": [%u, %u, %u], \"order\": \"%s\",\n",
        t->y_h, t->y_w, t->y_c, t->x_h, t->x_w, t->x_c, l1->tiles_h, l1->tiles_w, l1->tiles_c,
        order_name(l1->order));
    ts_text_printf(out,
                   "            \"x\": {\"count\": %u, \"bytes\": %llu, \"offsets\": [%llu, %llu]}, \"x2\": "
                   "{\"count\": %u, \"bytes\": %llu, \"offsets\": [%llu, %llu]},\n",
                   l1->x_count, ull(l1->x_bytes), ull(l1->x_offset[0]), ull(l1->x_offset[1]), l1->x2_count,
                   ull(l1->x2_bytes), ull(l1->x2_offset[0]), ull(l1->x2_offset[1]));
    ts_text_printf(out,
                   "            \"w\": {\"count\": %u, \"bytes\": %llu, \"offsets\": [%llu, %llu]}, \"y\": "
                   "{\"count\": %u, \"bytes\": %llu, \"offsets\": [%llu, %llu]},\n",
                   l1->w_count, ull(l1->w_bytes), ull(l1->w_offset[0]), ull(l1->w_offset[1]), l1->y_count,
                   ull(l1->y_bytes), ull(l1->y_offset[0]), ull(l1->y_offset[1]));
    ts_text_printf(out,
                   "            \"scratch\": {\"bytes\": %llu, \"offset\": %llu}, \"used_bytes\": %llu},\n",
                   ull(l1->scratch_bytes), ull(l1->scratch_offset), ull(l1->used_bytes));
}

static void json_layer(ts_text *out, const ts_plan *plan, const ts_layer_plan *lp) {
    const ts_layer *l = lp->layer;
    ts_text_printf(out, "    {\"index\": %u, \"name\": ", l->index);
    json_string(out, l->name);
    ts_text_printf(out, ", \"op\": \"%s\", \"kernel\": \"%s\", \"requant\": \"%s\", \"macs\": %llu,\n",
                   ts_layer_kind_name(l->kind), lp->kernel->name, ts_rq_class_name(l->rq.class_),
                   ull(l->macs));
    json_map(out, plan, "x", &l->x, lp->x_buffer);
    if (ts_layer_has_x2(l)) {
        json_map(out, plan, "x2", &l->x2, lp->x2_buffer);
    }
    for (uint32_t i = 1; i < l->input_count; i++) {
        char key[8];
        snprintf(key, sizeof key, "x%u", (unsigned)(i + 1) % 100u);
        json_map(out, plan, key, &l->inputs[i], lp->input_buffers[i]);
    }
    json_map(out, plan, "y", &l->y, lp->y_buffer);
    ts_text_printf(out,
                   "     \"window\": {\"kernel\": [%u, %u], \"stride\": [%u, %u], \"dilation\": [%u, %u], ",
                   l->window.kernel_h, l->window.kernel_w, l->window.stride_h, l->window.stride_w,
                   l->window.dilation_h, l->window.dilation_w);
    ts_text_printf(out, "\"pads\": [%u, %u, %u, %u], \"groups\": %u},\n", l->window.pad_top,
                   l->window.pad_left, l->window.pad_bottom, l->window.pad_right, l->groups);
    json_l3(out, &lp->l3);
    json_l1(out, &lp->l1);
    ts_text_printf(out,
                   "     \"l2_live_bytes\": %llu, \"dma_in_bytes\": %llu, \"dma_out_bytes\": %llu, "
                   "\"l3_read_bytes\": %llu, \"l3_write_bytes\": %llu,\n",
                   ull(lp->l2_live_bytes), ull(lp->dma_in_bytes), ull(lp->dma_out_bytes),
                   ull(lp->l3_read_bytes), ull(lp->l3_write_bytes));
    ts_text_printf(out,
                   "     \"x_behind_y\": %llu, \"x_stays\": %s, \"y_stays\": %s, \"w_early\": %s, "
                   "\"modelled_cycles\": %.0f, "
                   "\"compute_cycles\": %.0f, "
                   "\"l3_wait_cycles\": %.0f, "
                   "\"bound_cycles\": %.0f}",
                   ull(lp->x_behind_y), lp->x_stays ? "true" : "false", lp->y_stays ? "true" : "false",
                   lp->w_early ? "true" : "false", lp->modelled_cycles, lp->compute_cycles,
                   lp->l3_wait_cycles, lp->bound_cycles);
}

static void json_buffer(ts_text *out, const ts_plan *plan, const ts_buffer *b) {
    static const char *const roles[] = {"activation", "weights", "stripe", "scratch"};
    ts_text_printf(out, "    {\"role\": \"%s\", \"level\": \"%s\", ", roles[b->role],
                   b->level == TS_IN_L3 ? "l3" : "l2");
    if (b->tensor != TS_NONE) {
        ts_text_add(out, "\"tensor\": ");
        json_string(out, tensor_name(plan, b->tensor));
        ts_text_add(out, ", ");
    }
    ts_text_printf(out,
                   "\"layer\": %u, \"offset\": %llu, \"bytes\": %llu, \"first_layer\": %u, \"last_layer\": "
                   "%u, \"first_step\": %u, \"last_step\": %u}",
                   b->layer, ull(b->offset), ull(b->bytes), b->first_layer, b->last_layer, b->first_step,
                   b->last_step);
}

static void json_head(ts_text *out, const ts_plan *plan) {
    const ts_plan_options *o = &plan->options;
    ts_text_add(out, "{\n  \"model\": ");
    json_string(out, plan->graph->name != NULL ? plan->graph->name : "");
    ts_text_add(out, ",\n  \"target\": ");
    json_string(out, plan->target->name);
    ts_text_printf(
        out,
        ",\n  \"options\": {\"l1_bytes\": %llu, \"l2_bytes\": %llu, \"l3_bytes\": %llu, \"cores\": %u, "
        "\"stack_bytes\": %u, \"objective\": \"%s\", \"ref_kernels\": %s, \"guard_bytes\": %u},\n",
        ull(o->l1_bytes), ull(o->l2_bytes), ull(o->l3_bytes), o->cores, o->stack_bytes,
        ts_objective_name(o->objective), o->ref_only ? "true" : "false", o->guard_bytes);
    ts_text_printf(out, "  \"l1_used_bytes\": %llu,\n", ull(plan->l1_used_bytes));
    ts_text_printf(out,
                   "  \"l2\": {\"used_bytes\": %llu, \"stack_bytes\": %llu, \"search_bytes\": %llu, "
                   "\"bound_bytes\": %llu, \"bound\": \"%s\"},\n",
                   ull(plan->l2_used_bytes), ull(plan->l2_stack_bytes), ull(plan->l2_search_bytes),
                   ull(plan->l2_bound_bytes), answer_names[plan->l2_bound_answer]);
    ts_text_printf(out, "  \"l3\": {\"used_bytes\": %llu, \"weights_bytes\": %llu, \"weights_apart\": %s},\n",
                   ull(plan->l3_used_bytes), ull(plan->l3_weights_bytes),
                   ts_target_weights_apart(plan->target) ? "true" : "false");
    ts_text_printf(out, "  \"modelled_cycles\": %.0f,\n  \"bound_cycles\": %.0f,\n", plan->modelled_cycles,
                   plan->bound_cycles);
}

void ts_plan_print_json(ts_text *out, const ts_plan *plan) {
    json_head(out, plan);
    ts_text_add(out, "  \"layers\": [\n");
    for (uint32_t i = 0; i < plan->layer_count; i++) {
        json_layer(out, plan, &plan->layer_plans[i]);
        ts_text_add(out, i + 1 < plan->layer_count ? ",\n" : "\n");
    }
    ts_text_add(out, "  ],\n  \"buffers\": [\n");
    for (uint32_t i = 0; i < plan->buffers.count; i++) {
        json_buffer(out, plan, &plan->buffers.data[i]);
        ts_text_add(out, i + 1 < plan->buffers.count ? ",\n" : "\n");
    }
    ts_text_add(out, "  ],\n  \"fetches\": [\n");
    for (uint32_t i = 0; i < plan->fetches.count; i++) {
        const ts_fetch *f = &plan->fetches.data[i];
        ts_text_printf(out,
                       "    {\"layer\": %u, \"part\": %u, \"step\": %u, \"buffer\": %d, \"from\": %llu, "
                       "\"bytes\": %llu}%s\n",
                       f->layer, f->part, f->step, f->buffer, ull(f->from), ull(f->bytes),
                       i + 1 < plan->fetches.count ? "," : "");
    }
    ts_text_add(out, "  ]\n}\n");
}

/* "16x16x32": height, width, channels. */
static const char *shape_text(ts_arena *arena, uint32_t h, uint32_t w, uint32_t c) {
    return ts_arena_printf(arena, "%ux%ux%u", h, w, c);
}

static void l3_text(char *text, size_t size, const ts_layer_plan *lp) {
    const ts_l3_plan *l3 = &lp->l3;
    int n = snprintf(text, size, "%s", lp->l3.weights_bytes == 0 ? "-" : "");
    if (l3->weights_bytes > 0) {
        n = snprintf(text, size, "@%u", l3->load_at);
    }
    if (l3->chunks > 1) {
        n += snprintf(text + n, size - (size_t)n, " %ux%uc", l3->chunks, l3->chunk_c);
    }
    if (lp->x_behind_y > 0) {
        n += snprintf(text + n, size - (size_t)n, " over x");
    }
    if (l3->stripes > 1 || l3->x_in_l3 || l3->x2_in_l3 || l3->y_in_l3) {
        snprintf(text + n, size - (size_t)n, " %ux%ur%s%s%s", l3->stripes, l3->stripe_h,
                 l3->x_in_l3 ? " x" : "", l3->x2_in_l3 ? " x2" : "", l3->y_in_l3 ? " y" : "");
    }
}

/* Buffers of a map in L1; s: it stays there whole. */
static char copies_of(bool stays, uint32_t count) { return stays ? 's' : (char)('0' + count % 10); }

/* The last four are cycles. */
enum { COLUMNS = 16, MOST_NAME = 18 };
static const ts_column columns[COLUMNS] = {
    {"layer", true, 0}, {"name", false, 0},    {"op", false, 1},        {"kernel", false, 3},
    {"x", false, 7},    {"y", false, 4},       {"tile of y", false, 5}, {"tiles", false, 6},
    {"bufs", false, 8}, {"L1", true, 0},       {"L2 live", true, 2},    {"L3", false, 9},
    {"rq", false, 10},  {"modelled", true, 0}, {"bound", true, 11},     {"L3 wait", true, 12}};

static const char *cycles_text(ts_arena *arena, double cycles) {
    return ts_arena_printf(arena, "%.0f", cycles);
}

static void add_layer(ts_table *t, const ts_layer_plan *lp) {
    const ts_layer *l = lp->layer;
    const ts_l1_plan *l1 = &lp->l1;
    ts_arena *a = t->arena;
    char l3[64];
    const char **cells = TS_NEW_ARRAY(a, const char *, COLUMNS);
    uint32_t n = 0;
    l3_text(l3, sizeof l3, lp);
    cells[n++] = ts_arena_printf(a, "%u", l->index);
    cells[n++] = ts_arena_printf(a, "%.*s", MOST_NAME, l->name);
    cells[n++] = ts_layer_kind_name(l->kind);
    cells[n++] = lp->kernel->name;
    cells[n++] = shape_text(a, l->x.h, l->x.w, l->x.c);
    cells[n++] = shape_text(a, l->y.h, l->y.w, l->y.c);
    cells[n++] = shape_text(a, l1->tile.y_h, l1->tile.y_w, l1->tile.y_c);
    cells[n++] = shape_text(a, l1->tiles_h, l1->tiles_w, l1->tiles_c);
    cells[n++] =
        ts_arena_printf(a, "%c%u%c%s", copies_of(lp->x_stays, l1->x_count), l1->w_count,
                        copies_of(lp->y_stays, l1->y_count), l1->order == TS_LOOP_CHANNELS_INNER ? "c" : "p");
    cells[n++] = ts_arena_printf(a, "%llu", ull(l1->used_bytes));
    cells[n++] = ts_arena_printf(a, "%llu", ull(lp->l2_live_bytes));
    cells[n++] = ts_arena_strdup(a, l3);
    cells[n++] = ts_rq_class_name(l->rq.class_);
    cells[n++] = cycles_text(a, lp->modelled_cycles);
    cells[n++] = cycles_text(a, lp->bound_cycles);
    cells[n++] = cycles_text(a, lp->l3_wait_cycles);
    ts_table_add(t, cells);
}

static void print_requants(ts_text *out, const ts_plan *plan) {
    uint32_t counts[TS_RQ_CLASS_COUNT] = {0};
    for (uint32_t i = 0; i < plan->layer_count; i++) {
        counts[plan->layers[i].rq.class_]++;
    }
    ts_text_add(out, "requantisation:");
    for (uint32_t c = 0; c < TS_RQ_CLASS_COUNT; c++) {
        if (counts[c] > 0) {
            ts_text_printf(out, " %u %s", counts[c], ts_rq_class_name((ts_rq_class)c));
        }
    }
    ts_text_add(out, "\n");
}

void ts_plan_print(ts_text *out, const ts_plan *plan, ts_screen screen) {
    const ts_plan_options *o = &plan->options;
    ts_text_printf(out, "%s on %s: %u cores, L1 %llu, L2 %llu, L3 %llu bytes, objective %s\n\n",
                   plan->graph->name != NULL ? plan->graph->name : "network", plan->target->name, o->cores,
                   ull(o->l1_bytes), ull(o->l2_bytes), ull(o->l3_bytes), ts_objective_name(o->objective));
    ts_table table = {.arena = out->arena, .columns = columns, .column_count = COLUMNS};
    uint64_t macs = 0, reads = 0, writes = 0;
    for (uint32_t i = 0; i < plan->layer_count; i++) {
        const ts_layer_plan *lp = &plan->layer_plans[i];
        add_layer(&table, lp);
        macs += lp->layer->macs;
        reads += lp->l3_read_bytes;
        writes += lp->l3_write_bytes;
    }
    ts_table_print(out, &table, screen);
    double cycles = plan->modelled_cycles > 0 ? plan->modelled_cycles : 1;
    ts_text_printf(out, "\nmodelled: %.0f cycles, %.2f MAC/cycle; lower bound of the layers: %.0f cycles\n",
                   plan->modelled_cycles, (double)macs / cycles, plan->bound_cycles);
    ts_text_printf(out, "L1: %llu bytes used, %llu given, stacks %u of %u bytes\n", ull(plan->l1_used_bytes),
                   ull(o->l1_bytes), o->cores, o->stack_bytes);
    ts_text_printf(
        out,
        "L2: %llu bytes used; without prefetch: bidirectional stack %llu, search %llu, lower bound "
        "%llu (%s)\n",
        ull(plan->l2_used_bytes), ull(plan->l2_stack_bytes), ull(plan->l2_search_bytes),
        ull(plan->l2_bound_bytes), answer_names[plan->l2_bound_answer]);
    ts_text_printf(
        out,
        "L3: %llu bytes used, weights %llu%s; an inference reads %llu and writes %llu, at least %llu and 0\n",
        ull(plan->l3_used_bytes), ull(plan->l3_weights_bytes),
        ts_target_weights_apart(plan->target) ? " in a memory of their own" : "", ull(reads), ull(writes),
        ull(plan->l3_weights_bytes));
    print_requants(out, plan);
}
