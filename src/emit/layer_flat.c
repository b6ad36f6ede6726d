/* Layers of targets with one level of memory: kernels are told where the tensors live. */
#include <inttypes.h>

#include "emit/layer_code.h"

const char *ts__flash_weights(const code *k) {
    return ts__text(k, "(const uint8_t *)%s_weights + %s_W_%02u", k->e->prefix, k->e->macro, k->layer->index);
}

static const char *in_ram(const code *k, int32_t buffer) {
    return ts__text(k, "run->l2 + %s", ts__buffer_name(k->e, buffer));
}

/* First bytes of the packed weights of every block, and their end. */
static void emit_blocks(const code *k) {
    if (k->tiles == 1) {
        return;
    }
    ts__line(k->out, 0, "enum { Y_C = %u, BLOCK_C = %u };\n", k->layer->y.c, k->tile_c);
    ts__line(k->out, 0, "/* First byte of the packed weights of every block of channels, and their end. */");
    ts_text_add(k->out, "static const uint32_t w_first[] = {");
    for (uint32_t at = 0; at < k->layer->y.c; at += k->tile_c) {
        ts_text_printf(k->out, "%" PRIu64 ", ", ts__w_bytes(k, at));
    }
    ts_text_printf(k->out, "%" PRIu64 "};\n\n", ts__w_bytes(k, k->layer->y.c));
}

/* One call for each block of output channels, its weights copied to RAM before it. */
static void emit_block_loop(const code *k) {
    const char *w = in_ram(k, k->lp->l3.w_buffer), *y = in_ram(k, k->lp->y_buffer);
    ts__line(k->out, 1, "tile.w = %s;", w);
    ts__line(k->out, 1, "for (int c = 0; c < Y_C; c += BLOCK_C) {");
    ts__line(k->out, 2, "const uint32_t *first = &w_first[c / BLOCK_C];");
    ts__line(k->out, 2, "ts_dma_wait(ts_dma_in_1d(%s, %s + first[0], first[1] - first[0]));", w,
             ts__flash_weights(k));
    if (k->multiplies) {
        ts__line(k->out, 2, "tile.x2 = %s + c * %u;", in_ram(k, k->lp->x2_buffer), k->layer->x2.pixel_bytes);
    }
    ts__line(k->out, 2, "tile.y = %s + %s;", y, ts__bytes_of(k, "c", k->layer->y.type, false));
    if (ts__varying_c(k)) {
        ts__line(k->out, 2, "tile.y_c = ts_min(BLOCK_C, Y_C - c);");
    }
    ts__line(k->out, 2, "%s(&tile);", k->lp->kernel->name);
    ts__line(k->out, 1, "}");
}

static void emit_weights(const code *k) {
    if (!k->w_operand.used) {
        return;
    }
    if (k->lp->l1.w_count == 0) {
        ts__line(k->out, 1, "tile.%s = %s;", k->w_operand.field, ts__flash_weights(k));
        return;
    }
    const char *buffer = in_ram(k, k->lp->l3.w_buffer);
    ts__line(k->out, 1, "ts_dma_wait(ts_dma_in_1d(%s, %s, %" PRIu64 "));", buffer, ts__flash_weights(k),
             k->lp->l1.w_bytes);
    ts__line(k->out, 1, "tile.%s = %s;", k->w_operand.field, buffer);
}

void ts__emit_flat_layer(const code *k) {
    ts__emit_layer_comment(k);
    emit_blocks(k);
    ts__emit_shape(k);
    ts__line(k->out, 0, "void %s(struct ts_run *run) {", k->e->functions[k->layer->index]);
    ts__line(k->out, 1, "struct %s tile = shape;", k->tile_type);
    ts__line(k->out, 1, "tile.%s = %s;", k->x.field, in_ram(k, k->lp->x_buffer));
    if (k->x2.used) {
        ts__line(k->out, 1, "tile.%s = %s;", k->x2.field, in_ram(k, k->lp->x2_buffer));
    }
    if (k->lp->scratch_buffer != TS_NO_BUFFER) {
        ts__line(k->out, 1, "tile.scratch = %s;", in_ram(k, k->lp->scratch_buffer));
    }
    if (k->tiles > 1) {
        emit_block_loop(k);
    } else {
        emit_weights(k);
        ts__line(k->out, 1, "tile.y = %s;", in_ram(k, k->lp->y_buffer));
        ts__line(k->out, 1, "%s(&tile);", k->lp->kernel->name);
    }
    ts__line(k->out, 0, "}");
}
