/* The tables of a checked program: which bytes belong to a buffer when (device/runtime/check.h). */
#include <inttypes.h>

#include "emit/internal.h"

static void emit_buffer(ts_text *out, uint64_t offset, uint64_t bytes, int64_t first, uint32_t last,
                        const char *name) {
    ts__line(out, 1, "{%" PRIu64 ", %" PRIu64 ", %" PRId64 ", %u, \"%s\"},", offset, bytes, first, last,
             name);
}

static bool is_input(const ts_graph *graph, const ts_buffer *buffer) {
    for (uint32_t i = 0; i < graph->inputs.count; i++) {
        if (buffer->role == TS_BUFFER_ACTIVATION && buffer->tensor == graph->inputs.data[i]) {
            return true;
        }
    }
    return false;
}

static void emit_l2(const ts__emit *e, ts_text *out) {
    uint32_t count = 0;
    ts__line(out, 0, "static const struct ts_check_buffer l2_buffers[] = {");
    for (uint32_t i = 0; i < e->plan->buffers.count; i++) {
        const ts_buffer *b = &e->plan->buffers.data[i];
        if (b->level == TS_IN_L2) {
            int64_t first = is_input(e->plan->graph, b) ? -1 : (int64_t)b->first_layer;
            emit_buffer(out, b->offset, b->bytes, first, b->last_layer, ts__buffer_meaning(e, b));
            count++;
        }
    }
    ts__line(out, 0, "};\n");
    ts__line(out, 0, "static const struct ts_check_memory l2_memory = {l2_buffers, %u, %s_L2_BYTES};\n",
             count, e->macro);
}

/* Buffers of L1 live for their layer, an input that the layer before left there longer; where elements are
 * moved the plan knows one block. */
static void emit_l1(const ts__emit *e, ts_text *out, uint32_t index) {
    const ts_layer_plan *lp = &e->plan->layer_plans[index];
    const ts_l1_plan *l1 = &lp->l1;
    bool moves = e->plan->layers[index].kind == TS_LAYER_MOVE;
    uint64_t scratch[2] = {moves ? 0 : l1->scratch_offset, 0};
    const struct {
        const uint64_t *offset;
        uint64_t bytes;
        uint32_t count;
        const char *name;
    } rows[] = {{l1->x_offset, l1->x_bytes, l1->x_count, "x"},
                {l1->x2_offset, l1->x2_bytes, l1->x2_count, "x2"},
                {l1->w_offset, l1->w_bytes, l1->w_count, "weights"},
                {l1->y_offset, l1->y_bytes, l1->y_count, "y"},
                {scratch, moves ? l1->used_bytes : l1->scratch_bytes, 1, moves ? "the block" : "scratch"}};
    ts__line(out, 0, "static const struct ts_check_buffer l1_buffers_%02u[] = {", index);
    uint32_t count = 0;
    for (uint32_t i = moves ? 4 : 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (uint32_t n = 0; n < rows[i].count; n++, count++) {
            const char *which = rows[i].count < 2 ? "" : n == 0 ? " a" : " b";
            bool stayed = (i == 0 && lp->x_stays) || (i == 2 && n == 0 && lp->w_early);
            emit_buffer(out, rows[i].offset[n], rows[i].bytes, (int64_t)index - stayed, index,
                        ts_arena_printf(e->arena, "%s%s", rows[i].name, which));
        }
    }
    if (index + 1 < e->plan->layer_count && lp[1].w_early) {
        emit_buffer(out, lp[1].l1.w_offset[0], lp[1].l1.w_bytes, index, index, "the next layer's weights");
        count++;
    }
    ts__line(out, 0, "};\n");
    ts__line(out, 0,
             "static const struct ts_check_memory l1_memory_%02u = {l1_buffers_%02u, %u, %s_L1_BYTES};\n",
             index, index, count, e->macro);
}

const char *ts__called_function(const ts__emit *e, uint32_t layer) {
    return ts__is_checked(e->plan) ? ts_arena_printf(e->arena, "%s_checked_%02u", e->prefix, layer)
                                   : e->functions[layer];
}

void ts__emit_check(const ts__emit *e, ts_text *out) {
    emit_l2(e, out);
    for (uint32_t i = 0; i < e->plan->layer_count; i++) {
        emit_l1(e, out, i);
        ts__line(out, 0, "static void %s(struct ts_run *run) {", ts__called_function(e, i));
        ts__line(out, 1, "ts_check_before(%u, run, &l1_memory_%02u, &l2_memory);", i, i);
        ts__line(out, 1, "%s(run);", e->functions[i]);
        ts__line(out, 1, "ts_check_after(%u, %s, run, &l1_memory_%02u, &l2_memory);", i,
                 ts__c_string(e, e->plan->layers[i].name), i);
        ts__line(out, 0, "}\n");
    }
}
