#include "plan/move.h"

#include <string.h>

/* An axis of a copy: how often, and how far apart in x and y, in bytes. */
typedef struct axis {
    uint32_t count, x_step, y_step;
} axis;

/* The axes of a copy, the outermost first, and where it begins. */
typedef struct nest {
    uint32_t input, from, to;
    uint32_t bytes; /* contiguous in x and y */
    axis axes[6];
    uint32_t axis_count;
} nest;

typedef struct maker {
    ts_arena *arena;
    ts_layer *layer;
    uint32_t room;
} maker;

static void add_copy(maker *m, const ts_copy *copy) {
    ts_layer *l = m->layer;
    if (l->copy_count == m->room) {
        m->room = m->room == 0 ? 8 : 2 * m->room;
        ts_copy *grown = TS_NEW_ARRAY(m->arena, ts_copy, m->room);
        if (l->copy_count > 0) {
            memcpy(grown, l->copies, l->copy_count * sizeof *grown);
        }
        l->copies = grown;
    }
    l->copies[l->copy_count++] = *copy;
}

/* Drops axes of one repetition and joins those that follow each other without a gap. */
static void simplify(nest *n) {
    uint32_t kept = 0;
    for (uint32_t i = 0; i < n->axis_count; i++) {
        axis a = n->axes[i];
        axis *outer = kept > 0 ? &n->axes[kept - 1] : NULL;
        if (a.count == 1) {
            continue;
        }
        if (outer != NULL && outer->x_step == a.count * a.x_step && outer->y_step == a.count * a.y_step) {
            *outer = (axis){outer->count * a.count, a.x_step, a.y_step};
            continue;
        }
        n->axes[kept++] = a;
    }
    n->axis_count = kept;
    axis *last = kept > 0 ? &n->axes[kept - 1] : NULL;
    if (last != NULL && last->x_step == n->bytes && last->y_step == n->bytes) {
        n->bytes *= last->count;
        n->axis_count--;
    }
}

/* A copy of few lines at a time costs a start of the DMA each time. Where the innermost axis is that short
 * the axes are sorted, the longest innermost: elements do not mind their order. */
static void lengthen(nest *n) {
    enum { SHORT = 8 };
    if (n->axis_count == 0 || n->axes[n->axis_count - 1].count >= SHORT) {
        return;
    }
    for (uint32_t i = 1; i < n->axis_count; i++) {
        for (uint32_t k = i; k > 0 && n->axes[k].count < n->axes[k - 1].count; k--) {
            axis shorter = n->axes[k];
            n->axes[k] = n->axes[k - 1];
            n->axes[k - 1] = shorter;
        }
    }
}

/* A copy has three axes: of more, the shortest is written out. */
static void add_nest(maker *m, nest n) {
    simplify(&n);
    lengthen(&n);
    if (n.axis_count > 3) {
        uint32_t shortest = 0;
        for (uint32_t i = 1; i < n.axis_count; i++) {
            shortest = n.axes[i].count < n.axes[shortest].count ? i : shortest;
        }
        const axis out = n.axes[shortest];
        memmove(&n.axes[shortest], &n.axes[shortest + 1], (--n.axis_count - shortest) * sizeof out);
        for (uint32_t i = 0; i < out.count; i++, n.from += out.x_step, n.to += out.y_step) {
            add_nest(m, n);
        }
        return;
    }
    ts_copy copy = {.input = n.input, .from = n.from, .to = n.to, .bytes = n.bytes, .count = {1, 1, 1}};
    for (uint32_t i = 0; i < n.axis_count; i++) {
        const axis *a = &n.axes[n.axis_count - 1 - i];
        copy.count[i] = a->count;
        copy.x_step[i] = a->x_step;
        copy.y_step[i] = a->y_step;
    }
    for (uint32_t i = n.axis_count; i < 3; i++) { /* once: any step does */
        copy.x_step[i] = copy.y_step[i] = n.bytes;
    }
    add_copy(m, &copy);
}

/* A map in bytes along rows, columns and channels: elements of less than a byte count in whole pixels. */
typedef struct geometry {
    uint32_t size[3], step[3], unit, per_byte;
} geometry;

static geometry geometry_of(const ts_map_shape *map) {
    uint32_t bits = ts_type_bits(map->type), unit = bits < 8 ? 1 : bits / 8;
    return (geometry){.size = {map->h, map->w, map->pixel_bytes / unit},
                      .step = {map->w * map->pixel_bytes, map->pixel_bytes, unit},
                      .unit = unit,
                      .per_byte = bits < 8 ? 8 / bits : 1};
}

/* Channels that share bytes are counted in bytes. */
static uint32_t in_units(const geometry *g, uint32_t axis_number, uint32_t value) {
    return axis_number == 2 ? value / g->per_byte : value;
}

static nest box(uint32_t input, const geometry *g, const uint32_t size[3]) {
    nest n = {.input = input, .bytes = g->unit, .axis_count = 3};
    for (uint32_t i = 0; i < 3; i++) {
        n.axes[i] = (axis){size[i], g->step[i], g->step[i]};
    }
    return n;
}

static void set_y_steps(nest *n, const geometry *y) {
    for (uint32_t i = 0; i < 3; i++) {
        n->axes[i].y_step = y->step[i];
    }
}

static void concat(maker *m, const ts_node *node, const geometry *y) {
    uint32_t at = 0;
    for (uint32_t i = 0; i < node->input_count; i++) {
        const geometry x = geometry_of(&m->layer->inputs[i]);
        nest n = box(i, &x, x.size);
        set_y_steps(&n, y);
        n.to = at;
        at += x.size[node->move.axis] * y->step[node->move.axis];
        add_nest(m, n);
    }
}

/* The box [begin, begin + size) of y, filled. */
static void fill_box(maker *m, const geometry *y, const uint32_t begin[3], const uint32_t size[3]) {
    nest n = box(TS_NONE, y, size);
    for (uint32_t i = 0; i < 3; i++) {
        n.axes[i].x_step = n.axes[i].y_step; /* a pattern has no place: joined where y's axes join */
        n.to += begin[i] * y->step[i];
    }
    if (size[0] > 0 && size[1] > 0 && size[2] > 0) {
        add_nest(m, n);
    }
}

/* The inside, and around it what is filled: before and behind it along each axis, of what is left. */
static void pad(maker *m, const ts_node *node, const geometry *x, const geometry *y) {
    nest n = box(0, x, x->size);
    uint32_t begin[3] = {0, 0, 0}, size[3];
    memcpy(size, y->size, sizeof size);
    set_y_steps(&n, y);
    for (uint32_t i = 0; i < 3; i++) {
        uint32_t before = in_units(y, i, node->move.begin[i]), inside = x->size[i];
        size[i] = before;
        fill_box(m, y, begin, size);
        begin[i] = before + inside;
        size[i] = y->size[i] - before - inside;
        fill_box(m, y, begin, size);
        begin[i] = before;
        size[i] = inside;
        n.to += before * y->step[i];
    }
    add_nest(m, n);
}

static void slice(maker *m, const ts_node *node, const geometry *x, const geometry *y) {
    nest n = box(0, x, y->size);
    set_y_steps(&n, y);
    for (uint32_t i = 0; i < 3; i++) {
        n.from += in_units(x, i, node->move.begin[i]) * x->step[i];
        n.axes[i].x_step *= node->move.step[i];
    }
    add_nest(m, n);
}

static void transpose(maker *m, const ts_node *node, const geometry *x, const geometry *y) {
    nest n = box(0, y, y->size);
    for (uint32_t i = 0; i < 3; i++) {
        n.axes[i].x_step = x->step[node->move.order[i]];
    }
    add_nest(m, n);
}

static void resize(maker *m, const geometry *x, const geometry *y) {
    uint32_t rows = y->size[0] / x->size[0], columns = y->size[1] / x->size[1],
             channels = y->size[2] / x->size[2];
    nest n = {.bytes = x->unit,
              .axes = {{x->size[0], x->step[0], rows * y->step[0]},
                       {rows, 0, y->step[0]},
                       {x->size[1], x->step[1], columns * y->step[1]},
                       {columns, 0, y->step[1]},
                       {x->size[2], x->step[2], channels * y->step[2]},
                       {channels, 0, y->step[2]}},
              .axis_count = 6};
    add_nest(m, n);
}

/* A copy for each stretch of indices with one distance, none of them backwards. */
static void pick(maker *m, const ts_graph *graph, const ts_node *node, const geometry *x, const geometry *y) {
    const ts_tensor *list = &graph->tensors.data[node->weights];
    uint32_t axis_number = node->move.axis, count = y->size[axis_number], length;
    for (uint32_t i = 0; i < count; i += length) {
        int32_t first = ts_tensor_int(list, i), step = i + 1 < count ? ts_tensor_int(list, i + 1) - first : 0;
        for (length = 1; step >= 0 && i + length < count &&
                         ts_tensor_int(list, i + length) - ts_tensor_int(list, i + length - 1) == step;) {
            length++;
        }
        nest n = box(0, x, y->size);
        set_y_steps(&n, y);
        n.axes[axis_number].count = length;
        n.axes[axis_number].x_step *= length > 1 ? (uint32_t)step : 1;
        n.from = (uint32_t)first * x->step[axis_number];
        n.to = i * y->step[axis_number];
        add_nest(m, n);
    }
}

static void reshape(maker *m, const geometry *x) {
    nest n = box(0, x, x->size);
    add_nest(m, n);
}

void ts__move_copies(ts_arena *arena, const ts_graph *graph, const ts_node *node, ts_layer *layer) {
    maker m = {.arena = arena, .layer = layer};
    const geometry x = geometry_of(&layer->x), y = geometry_of(&layer->y);
    switch (node->op) {
        case TS_OP_CONCAT:
            concat(&m, node, &y);
            break;
        case TS_OP_PAD:
            layer->fill = node->move.fill;
            pad(&m, node, &x, &y);
            break;
        case TS_OP_SLICE:
            slice(&m, node, &x, &y);
            break;
        case TS_OP_TRANSPOSE:
            transpose(&m, node, &x, &y);
            break;
        case TS_OP_RESIZE:
            resize(&m, &x, &y);
            break;
        case TS_OP_PICK:
            pick(&m, graph, node, &x, &y);
            break;
        default:
            reshape(&m, &x);
    }
}

/* ---- the plan ---- */

static uint32_t block_for(const ts_layer *layer, uint64_t most) {
    uint64_t bytes = (ts_map_bytes(&layer->y) + 3) / 4 * 4;
    bytes = bytes < most ? bytes : most;
    return (uint32_t)(bytes / 4 * 4);
}

uint32_t ts__move_block(const ts_layer *layer, uint64_t l1_bytes) {
    uint64_t half = l1_bytes / 2;
    return block_for(layer, half < TS_MOVE_BLOCK_BYTES ? half : TS_MOVE_BLOCK_BYTES);
}

/* A quarter of a small output: a block as large as the tensor would leave no reason to keep it in L3. */
uint32_t ts__move_border(const ts_layer *layer) {
    enum { LEAST = 32 };
    uint64_t quarter = (ts_map_bytes(&layer->y) / 4 + 3) / 4 * 4;
    return (uint32_t)(quarter < LEAST                  ? LEAST
                      : quarter < TS_MOVE_BORDER_BYTES ? quarter
                                                       : TS_MOVE_BORDER_BYTES);
}

/* Cycles that lines take on the DMA: their bytes, or the least that a line takes. */
static double line_cycles(const ts_dma *dma, double bytes, double least) {
    double cycles = bytes / (dma->bytes_per_cycle > 0 ? dma->bytes_per_cycle : 4);
    return cycles > least ? cycles : least;
}

static double copy_cycles(const ts_dma *dma, const ts_copy *c, uint32_t block) {
    double lines = (double)c->count[0] * c->count[1] * c->count[2], bytes = c->bytes;
    double each = line_cycles(dma, bytes, dma->line_in_min_cycles) + dma->line_in_cycles +
                  line_cycles(dma, bytes, dma->line_out_min_cycles) + dma->line_out_cycles;
    double parts = lines * bytes / block + 1;
    return lines * each + parts * (2 * (dma->start_cycles + dma->finish_cycles) + 60);
}

bool ts__move_plan(const ts_target *target, uint64_t l1_bytes, ts_layer_plan *lp) {
    enum { LAYER_CYCLES = 1300 };
    const ts_layer *l = lp->layer;
    uint32_t block = ts__move_block(l, l1_bytes);
    if (block == 0) {
        return false;
    }
    lp->l1 = (ts_l1_plan){
        .pass_h = l->y.h,
        .pass_c = l->y.c,
        .tile = {.y_h = l->y.h, .y_w = l->y.w, .y_c = l->y.c, .x_h = l->x.h, .x_w = l->x.w, .x_c = l->x.c},
        .tiles_h = 1,
        .tiles_w = 1,
        .tiles_c = 1,
        .x_count = 1,
        .y_count = 1,
        .x_bytes = block,
        .y_bytes = block,
        .y_offset = {block, block},
        .scratch_offset = 2 * (uint64_t)block,
        .used_bytes = 2 * (uint64_t)block};
    lp->work_cycles = LAYER_CYCLES;
    lp->compute_cycles = lp->l3_wait_cycles = 0;
    lp->dma_in_bytes = lp->dma_out_bytes = 0;
    for (uint32_t i = 0; i < l->copy_count; i++) {
        const ts_copy *c = &l->copies[i];
        uint64_t bytes = (uint64_t)c->bytes * c->count[0] * c->count[1] * c->count[2];
        lp->work_cycles += copy_cycles(&target->dma, c, block);
        lp->dma_in_bytes += c->input == TS_NONE ? 0 : bytes;
        lp->dma_out_bytes += bytes;
    }
    lp->modelled_cycles = lp->work_cycles;
    double rate = target->dma.bytes_per_cycle > 0 ? target->dma.bytes_per_cycle : 4;
    lp->bound_cycles = (double)lp->dma_out_bytes / rate;
    return true;
}
