/* Layers that move elements: a table of copies, carried out by device/runtime/move.c. */
#include <inttypes.h>

#include "emit/internal.h"

/* Four bytes of elements that hold the fill. */
static uint32_t fill_pattern(const ts_layer *l) {
    uint32_t bits = ts_type_bits(l->y.type), mask = bits == 32 ? UINT32_MAX : (1u << bits) - 1u;
    uint32_t pattern = (uint32_t)l->fill & mask;
    for (; bits < 32; bits *= 2) {
        pattern |= pattern << bits;
    }
    return pattern;
}

static void emit_head(const ts__emit *e, const ts_layer_plan *lp, ts_text *out) {
    const ts_layer *l = lp->layer;
    const ts_node *node = &e->plan->graph->nodes.data[l->node];
    const char *from = "";
    for (uint32_t i = 0; i < l->input_count; i++) {
        const ts_map_shape *x = &l->inputs[i];
        from = ts_arena_printf(e->arena, "%s%s%s %ux%ux%u", from, i > 0 ? ", " : "", ts_type_name(x->type),
                               x->h, x->w, x->c);
    }
    const char *blocks =
        lp->l1.x_bytes > 0
            ? ts_arena_printf(e->arena, " through two blocks of L1 of %" PRIu64 " bytes", lp->l1.x_bytes)
            : "";
    ts__head(
        e, out,
        ts_arena_printf(e->arena,
                        "Layer %u, %s (%s): %s -> %s %ux%ux%u.\n%u copies%s.\n%.0f cycles modelled, %.0f "
                        "at best.",
                        l->index, l->name, ts_op_name(node->op), from, ts_type_name(l->y.type), l->y.h,
                        l->y.w, l->y.c, l->copy_count, blocks, lp->modelled_cycles, lp->bound_cycles));
    ts__line(out, 0, "#include \"../memory.h\"");
    ts__line(out, 0, "#include \"../network.h\"");
    ts__line(out, 0, "#include \"../weights.h\"");
    ts__line(out, 0, "#include \"hal/dma.h\"");
    ts__line(out, 0, "#include \"hal/team.h\"");
    ts__line(out, 0, "#include \"runtime/move.h\"\n");
}

static const char *triple(const ts__emit *e, const uint32_t v[3]) {
    return ts_arena_printf(e->arena, "{%u, %u, %u}", v[0], v[1], v[2]);
}

static void emit_copy(const ts__emit *e, const ts_layer_plan *lp, const ts_copy *c, ts_text *out) {
    bool fills = c->input == TS_NONE;
    int32_t x = fills ? TS_NO_BUFFER : lp->input_buffers[c->input];
    bool from_l3 = !fills && e->plan->buffers.data[x].level == TS_IN_L3;
    ts__line(out, 1, "{%s, %s%s + %u, %u, %s, %s, %s},",
             fills     ? "TS_COPY_FILL, 0"
             : from_l3 ? "TS_COPY_L3"
                       : "TS_COPY_L2",
             fills ? "" : ts_arena_printf(e->arena, "%s + %u, ", ts__buffer_name(e, x), c->from),
             ts__buffer_name(e, lp->y_buffer), c->to, c->bytes, triple(e, c->count), triple(e, c->x_step),
             triple(e, c->y_step));
}

static void emit_move(const ts__emit *e, const ts_layer_plan *lp, ts_text *out) {
    const ts_l3_plan *l3 = &lp->l3;
    ts__line(out, 0, "static const struct ts_move move = {");
    ts__line(out, 1, ".copies = copies, .copy_count = %u, .block_bytes = %" PRIu64 ",", lp->layer->copy_count,
             lp->l1.x_bytes);
    if (l3->x_in_l3 || l3->y_in_l3) {
        int32_t any = l3->x_in_l3 ? l3->x_stripe[0] : l3->y_stripe[0];
        ts__line(out, 1, ".border_bytes = %" PRIu64 ",", e->plan->buffers.data[any].bytes);
    }
    if (l3->x_in_l3) {
        ts__line(out, 1, ".x_block = %s,", ts__buffer_name(e, l3->x_stripe[0]));
    }
    if (l3->y_in_l3) {
        ts__line(out, 1, ".y_block = %s, .y_in_l3 = 1,", ts__buffer_name(e, l3->y_stripe[0]));
    }
    ts__line(out, 1, ".fill = 0x%08" PRIx32 ",", fill_pattern(lp->layer));
    ts__line(out, 0, "};\n");
}

void ts__emit_move(const ts__emit *e, uint32_t index, ts_text *out) {
    const ts_layer_plan *lp = &e->plan->layer_plans[index];
    emit_head(e, lp, out);
    ts__comment(
        out, 0,
        "Each: source, first byte, first byte of the output, bytes, repetitions (the innermost first), "
        "steps of both.");
    ts__line(out, 0, "static const struct ts_copy copies[] = {");
    for (uint32_t i = 0; i < lp->layer->copy_count; i++) {
        emit_copy(e, lp, &lp->layer->copies[i], out);
    }
    ts__line(out, 0, "};\n");
    emit_move(e, lp, out);
    ts__line(out, 0, "void %s(struct ts_run *run) {", e->functions[index]);
    ts_text loads = {.arena = e->arena};
    if (ts_target_levels(e->plan->target) == 3) {
        ts__emit_first_step(e, index, 2, &loads);
    }
    if (loads.size > 0) {
        ts__line(out, 1, "if (ts_core() == 0) {");
        ts_text_add_bytes(out, loads.data, loads.size);
        ts__line(out, 1, "}");
    }
    ts__line(out, 1, "ts_move_all(run, &move);");
    ts__line(out, 0, "}");
}
