#include "plan/tile.h"

#include "plan/planner.h"
#include "plan/strips.h"

#include <math.h>

enum { AXIS_CLASSES = 6, EXHAUSTIVE_TILINGS = 2500 };

static const double FLOOR_SHARE = 0.98;

/* Software costs of a tile step, in cycles of core 0, fitted to the simulator (docs/cost-model.md). */
static const double STEP_CYCLES = 160;    /* loop, arguments, barrier */
static const double TRANSFER_CYCLES = 30; /* to start one transfer and wait for it */
static const double PASS_CYCLES = 300;    /* entering and leaving a pass */

/* Tiles along one axis that are alike: `count` of them with y outputs from x inputs inside the tensor. */
typedef struct axis_class {
    uint32_t y, x, count;
    bool border; /* a part of the window lies in the padding */
} axis_class;

/* One axis cut into tiles of one size. */
typedef struct axis {
    uint32_t tiles, class_count, x_most;
    uint64_t x_total;
    axis_class classes[AXIS_CLASSES];
} axis;

uint32_t ts__rows_needed(uint32_t first, uint32_t count, uint32_t stride, uint32_t kernel, uint32_t dilation,
                         uint32_t pad, uint32_t size, uint32_t *begin) {
    int64_t from = (int64_t)first * stride - pad;
    int64_t to = ((int64_t)first + count - 1) * stride + (int64_t)(kernel - 1) * dilation - pad + 1;
    from = from < 0 ? 0 : from > size ? size : from;
    to = to > size ? size : to < from ? from : to;
    if (begin != NULL) {
        *begin = (uint32_t)from;
    }
    return (uint32_t)(to - from);
}

bool ts__cuts_x(const ts_layer *layer) { return ts_layer_is_channelwise(layer) || layer->groups > 1; }

/* Only the last tile may have another y than the others: the last class is kept for it, and border tiles of
 * more kinds than there is room for count as the largest of them. */
static void add_class(axis *a, axis_class c) {
    axis_class *last = a->class_count > 0 ? &a->classes[a->class_count - 1] : NULL;
    bool same_y = last != NULL && last->y == c.y;
    bool alike = same_y && last->x == c.x && last->border == c.border;
    if (alike || (same_y && a->class_count == AXIS_CLASSES - 1)) {
        last->count += c.count;
        last->x = last->x > c.x ? last->x : c.x;
        last->border = last->border || c.border;
        return;
    }
    a->classes[a->class_count++] = c;
}

static axis cut_axis(uint32_t size, uint32_t tile, uint32_t stride, uint32_t kernel, uint32_t dilation,
                     uint32_t pad, uint32_t x_size) {
    axis a = {.tiles = (size + tile - 1) / tile};
    for (uint32_t first = 0; first < size; first += tile) {
        uint32_t y = size - first < tile ? size - first : tile;
        uint32_t x = ts__rows_needed(first, y, stride, kernel, dilation, pad, x_size, NULL);
        uint64_t whole = (uint64_t)(y - 1) * stride + (uint64_t)(kernel - 1) * dilation + 1;
        add_class(&a, (axis_class){y, x, 1, x < whole});
        a.x_most = x > a.x_most ? x : a.x_most;
        a.x_total += x;
    }
    return a;
}

static uint32_t padded(uint32_t y, uint32_t stride, uint32_t kernel, uint32_t dilation) {
    return (y - 1) * stride + (kernel - 1) * dilation + 1;
}

/* Rows are counted for the first stripe; the stripes below it have no padding above them and may need more.
 */
static axis cut_rows(const ts_pass *p, uint32_t tile) {
    const ts_window *w = &p->layer->window;
    axis a = cut_axis(p->h, tile, w->stride_h, w->kernel_h, w->dilation_h, w->pad_top, p->layer->x.h);
    if (p->h < p->layer->y.h) {
        uint32_t whole = padded(tile < p->h ? tile : p->h, w->stride_h, w->kernel_h, w->dilation_h);
        whole = whole < p->layer->x.h ? whole : p->layer->x.h;
        a.x_most = whole > a.x_most ? whole : a.x_most;
    }
    return a;
}

static axis cut_columns(const ts_pass *p, uint32_t tile) {
    const ts_window *w = &p->layer->window;
    return cut_axis(p->layer->y.w, tile, w->stride_w, w->kernel_w, w->dilation_w, w->pad_left, p->layer->x.w);
}

static uint64_t element_bytes(ts_type type, uint64_t count) { return (count * ts_type_bits(type) + 7) / 8; }

static uint64_t word_up(uint64_t bytes) { return (bytes + 3) / 4 * 4; }

static uint32_t x_channels(const ts_layer *layer, uint32_t y_c) {
    return ts__cuts_x(layer) ? (uint32_t)((uint64_t)y_c * layer->x.c / layer->y.c) : layer->x.c;
}

static uint32_t common_multiple(uint32_t a, uint32_t b) {
    uint32_t x = a, y = b;
    while (y != 0) {
        uint32_t rest = x % y;
        x = y;
        y = rest;
    }
    uint64_t multiple = (uint64_t)a / x * b;
    return multiple > UINT32_MAX ? UINT32_MAX : (uint32_t)multiple;
}

uint32_t ts__tile_granule(const ts_layer *layer, const ts_kernel *kernel) {
    uint32_t granule = kernel->c_granule > 0 ? kernel->c_granule : 1;
    uint32_t y_bits = ts_type_bits(layer->y.type);
    granule = common_multiple(granule, y_bits < 8 ? 8 / y_bits : 1);
    if (ts__cuts_x(layer)) {
        uint32_t x_bits = ts_type_bits(layer->x.type);
        if (ts_layer_has_x2(layer) && ts_type_bits(layer->x2.type) < x_bits) {
            x_bits = ts_type_bits(layer->x2.type);
        }
        uint32_t in_byte = x_bits < 8 ? 8 / x_bits : 1;
        bool grouped = layer->groups > 1;
        uint32_t in = grouped ? layer->x.c / layer->groups : 1,
                 out = grouped ? layer->y.c / layer->groups : 1;
        /* As few groups as fill whole bytes of x. */
        granule = common_multiple(granule, out * (common_multiple(in, in_byte) / in));
    }
    return granule < layer->y.c ? granule : layer->y.c;
}

uint32_t ts__tile_columns(const ts_layer *layer) {
    return layer->x.quads ? layer->y.w : layer->y.quads ? 4 : 1;
}

static void complete_from_axes(const ts_pass *p, const axis *rows, const axis *columns, ts_tile *tile) {
    const ts_window *w = &p->layer->window;
    tile->x_c = x_channels(p->layer, tile->y_c);
    tile->x_h = rows->x_most;
    tile->x_w = columns->x_most;
    if (p->kernel->padded_x) {
        tile->x_h = padded(tile->y_h, w->stride_h, w->kernel_h, w->dilation_h);
        tile->x_w = padded(tile->y_w, w->stride_w, w->kernel_w, w->dilation_w);
    }
}

void ts__tile_complete(const ts_pass *p, ts_tile *tile) {
    axis rows = cut_rows(p, tile->y_h), columns = cut_columns(p, tile->y_w);
    complete_from_axes(p, &rows, &columns, tile);
}

static bool has_x2(const ts_pass *p) { return ts_layer_has_x2(p->layer); }

static bool multiplies(const ts_pass *p) { return p->layer->kind == TS_LAYER_MATMUL; }

static uint64_t x2_bytes(const ts_layer *layer, const ts_tile *t) {
    if (layer->kind == TS_LAYER_MATMUL) {
        return (uint64_t)ts_layer_x2_rows(layer, t->y_h) * t->y_c * layer->x2.pixel_bytes;
    }
    return (uint64_t)t->x_h * t->x_w * element_bytes(layer->x2.type, t->x_c);
}

/* Elements of a second input lie beside those of the first and change with them; matrices have a count of
 * their own. */
static uint32_t x2_copies(const ts_pass *p, const ts_l1_plan *l1) {
    uint32_t own = l1->x2_count > 0 ? l1->x2_count : 1;
    return !has_x2(p) ? 0 : multiplies(p) ? own : l1->x_count;
}

static void set_bytes(const ts_pass *p, ts_l1_plan *l1) {
    const ts_layer *layer = p->layer;
    const ts_tile *t = &l1->tile;
    l1->x_bytes =
        word_up(p->x_stays            ? ts_map_bytes(&layer->x)
                : p->kernel->x_strips ? ts_x_strips_of(layer, t).bytes
                                      : (uint64_t)t->x_h * t->x_w * element_bytes(layer->x.type, t->x_c));
    l1->x2_bytes = has_x2(p) ? word_up(x2_bytes(layer, t)) : 0;
    l1->y_bytes = word_up(p->y_stays ? ts_map_bytes(&layer->y)
                                     : (uint64_t)t->y_h * t->y_w * element_bytes(layer->y.type, t->y_c));
    l1->w_bytes = word_up(p->kernel->weight_bytes(layer, t->y_c));
    l1->scratch_bytes = word_up(p->kernel->scratch_bytes(layer, t, p->cores));
}

static uint64_t used_bytes(const ts_l1_plan *l1) {
    return l1->x_count * l1->x_bytes + l1->x2_count * l1->x2_bytes + l1->w_count * l1->w_bytes +
           l1->y_count * l1->y_bytes + l1->scratch_bytes;
}

static uint64_t place(uint64_t offset[2], uint32_t count, uint64_t bytes, uint64_t at) {
    for (uint32_t i = 0; i < 2; i++) {
        offset[i] = at + (i < count ? i : 0) * bytes;
    }
    return at + count * bytes;
}

void ts__l1_layout(const ts_pass *p, ts_l1_plan *l1) {
    l1->pass_h = p->h;
    l1->pass_c = p->c;
    ts__tile_complete(p, &l1->tile);
    l1->tiles_h = (p->h + l1->tile.y_h - 1) / l1->tile.y_h;
    l1->tiles_w = (p->layer->y.w + l1->tile.y_w - 1) / l1->tile.y_w;
    l1->tiles_c = (p->c + l1->tile.y_c - 1) / l1->tile.y_c;
    set_bytes(p, l1);
    l1->x2_count = x2_copies(p, l1);
    l1->w_count = l1->w_bytes > 0 ? l1->w_count : 0;
    uint64_t at = place(l1->x_offset, l1->x_count, l1->x_bytes, 0);
    at = place(l1->x2_offset, l1->x2_count, l1->x2_bytes, at);
    at = place(l1->w_offset, l1->w_count, l1->w_bytes, at);
    at = place(l1->y_offset, l1->y_count, l1->y_bytes, at);
    l1->scratch_offset = at;
    l1->used_bytes = at + l1->scratch_bytes;
}

/* The data phase of a transfer of equal lines, and how many commands core 0 gives for it. */
typedef struct transfer {
    double data_cycles;
    double commands;
    uint64_t bytes;
    double held_cycles; /* by queues that are full, in which the cores do not compute */
} transfer;

static transfer no_transfer(void) { return (transfer){0, 0, 0, 0}; }

static transfer sum(transfer a, transfer b) {
    return (transfer){a.data_cycles + b.data_cycles, a.commands + b.commands, a.bytes + b.bytes,
                      a.held_cycles + b.held_cycles};
}

static transfer lines_in(const ts_target *target, double commands, uint64_t lines, uint64_t line_bytes) {
    const ts_dma *dma = &target->dma;
    double rate = dma->bytes_per_cycle > 0 ? dma->bytes_per_cycle : 4;
    double line = (double)line_bytes / rate + dma->line_in_cycles;
    line = line > dma->line_in_min_cycles ? line : dma->line_in_min_cycles;
    return (transfer){(double)lines * line, commands, lines * line_bytes, 0};
}

static transfer lines_out(const ts_target *target, double commands, uint64_t lines, uint64_t line_bytes) {
    const ts_dma *dma = &target->dma;
    double rate = dma->bytes_per_cycle > 0 ? dma->bytes_per_cycle : 4;
    double bursts = dma->burst_bytes > 0 ? (double)line_bytes / dma->burst_bytes : 0;
    double line = (double)line_bytes / rate + bursts * dma->burst_out_cycles;
    line += lines > 1 ? dma->line_out_cycles : 0;
    line = line > dma->line_out_min_cycles ? line : dma->line_out_min_cycles;
    return (transfer){(double)lines * line, commands, lines * line_bytes, 0};
}

/* How a block of h x w pixels with `c` of `of_c` channels lies in a tensor that is `of_w` pixels wide: one
 * line, lines, or planes of lines. */
typedef struct block {
    uint64_t planes, lines, line_bytes;
} block;

static block block_of(ts_type type, uint32_t h, uint32_t w, uint32_t c, uint32_t of_w, uint32_t of_c) {
    uint64_t pixel = element_bytes(type, c);
    if (c == of_c) {
        return w == of_w ? (block){1, 1, h * (w * pixel)} : (block){1, h, w * pixel};
    }
    return w == of_w ? (block){1, (uint64_t)h * w, pixel} : (block){h, w, pixel};
}

static transfer load_map(const ts_pass *p, const ts_map_shape *map, const axis_class *rows,
                         const axis_class *columns, uint32_t c) {
    bool rows_alone = p->kernel->padded_x && (rows->border || columns->border);
    block b = block_of(map->type, rows->x, columns->x, c, map->w, map->c);
    if (rows_alone) {
        transfer t = lines_in(p->target, rows->x, rows->x, columns->x * element_bytes(map->type, c));
        return t;
    }
    return lines_in(p->target, (double)b.planes, b.planes * b.lines, b.line_bytes);
}

/* A command a strip, which the cores share. Lines begin anywhere in L1: up to three bytes of the first and of
 * the last word are none of theirs. */
static transfer load_strips(const ts_pass *p, const axis_class *rows, const axis_class *columns) {
    const ts_tile tile = {.y_h = rows->y, .y_w = columns->y};
    ts_x_strips s = ts_x_strips_of(p->layer, &tile);
    double rate = p->target->dma.bytes_per_cycle > 0 ? p->target->dma.bytes_per_cycle : 4;
    uint64_t lines = (uint64_t)s.strips * rows->x;
    transfer t = lines_in(p->target, ceil((double)s.strips / p->cores), lines, s.line_bytes);
    t.data_cycles = fmax(t.data_cycles, (double)lines * ceil((s.line_bytes + 3) / rate));
    const ts_dma *dma = &p->target->dma;
    double queued = (double)dma->global_queue + (double)dma->core_queue * p->cores;
    t.held_cycles = s.strips > queued ? (s.strips - queued) * t.data_cycles / s.strips : 0;
    return t;
}

static transfer load_x(const ts_pass *p, const axis_class *rows, const axis_class *columns, uint32_t y_c) {
    uint32_t c = x_channels(p->layer, y_c);
    if (p->x_stays) {
        return no_transfer();
    }
    if (p->kernel->x_strips) {
        return load_strips(p, rows, columns);
    }
    transfer t = load_map(p, &p->layer->x, rows, columns, c);
    return has_x2(p) && !multiplies(p) ? sum(t, load_map(p, &p->layer->x2, rows, columns, c)) : t;
}

/* Rows of the second matrices: as many as the tile has channels, of one matrix a row of the tile. */
static transfer load_x2(const ts_pass *p, const axis_class *rows, uint32_t y_c) {
    const ts_map_shape *x2 = &p->layer->x2;
    if (!multiplies(p)) {
        return no_transfer();
    }
    uint32_t matrices = ts_layer_x2_rows(p->layer, rows->y);
    block b = block_of(x2->type, matrices, y_c, x2->c, x2->w, x2->c);
    return lines_in(p->target, (double)b.planes, b.planes * b.lines, b.line_bytes);
}

static transfer load_w(const ts_pass *p, uint32_t y_c) {
    uint64_t bytes = p->kernel->weight_bytes(p->layer, y_c);
    if (bytes == 0) {
        return no_transfer();
    }
    transfer t = lines_in(p->target, 1, 1, bytes);
    if (ts_target_levels(p->target) == 2) { /* from flash, at its rate where that is less */
        t.data_cycles = fmax(t.data_cycles, (double)bytes / ts_target_flash(p->target)->read_bytes_per_cycle);
    }
    return t;
}

static transfer store_y(const ts_pass *p, const axis_class *rows, const axis_class *columns, uint32_t y_c) {
    const ts_map_shape *y = &p->layer->y;
    if (p->y_stays) {
        return no_transfer();
    }
    block b = block_of(y->type, rows->y, columns->y, y_c, y->w, y->c);
    return lines_out(p->target, (double)b.planes, b.planes * b.lines, b.line_bytes);
}

static double start_cycles(const ts_target *target, transfer t) {
    return t.commands == 0 ? 0 : target->dma.start_cycles + target->dma.finish_cycles + t.data_cycles;
}

/* One tile step: what is loaded into a second buffer and stored from one runs beside the kernel; what has
 * one buffer alone waits for it. */
static double step_cycles(const ts_pass *p, double compute, transfer beside, transfer serial, transfer store,
                          bool store_beside) {
    double busy = compute;
    double load = start_cycles(p->target, beside), out = start_cycles(p->target, store);
    busy = load > busy ? load : busy;
    busy = store_beside && out > busy ? out : busy;
    busy += start_cycles(p->target, serial) + (store_beside ? 0 : out);
    return busy + beside.held_cycles + STEP_CYCLES +
           TRANSFER_CYCLES * (beside.commands + serial.commands + store.commands);
}

/* What changes from one step to the next, and who waits for it. */
typedef struct flow {
    bool x_each, w_each;    /* changes at every step */
    bool x_outer, w_outer;  /* changes when the outer loop advances */
    bool x2_each, x2_outer; /* of matrices; elements of a second input are counted with x */
    bool x_beside, x2_beside, w_beside, y_beside;
} flow;

static flow flow_of(const ts_pass *p, const ts_l1_plan *l1, uint64_t pixel_tiles, uint32_t channel_tiles) {
    bool inner_channels = l1->order == TS_LOOP_CHANNELS_INNER && channel_tiles > 1;
    bool more_channels = channel_tiles > 1 || p->repeats > 1;
    bool joint = ts__cuts_x(p->layer);
    flow f = {.x_beside = l1->x_count > 1,
              .x2_beside = l1->x2_count > 1,
              .w_beside = l1->w_count > 1,
              .y_beside = l1->y_count > 1};
    if (inner_channels) {
        f.w_each = channel_tiles > 1;
        f.x_each = joint && channel_tiles > 1;
        f.x_outer = !f.x_each && pixel_tiles > 1;
    } else {
        f.x_each = pixel_tiles > 1;
        f.w_outer = more_channels;
        f.x_outer = !f.x_each && joint && more_channels;
    }
    if (multiplies(p)) {
        f.x2_each = inner_channels || (pixel_tiles > 1 && !ts_layer_shares_x2(p->layer));
        f.x2_outer = !f.x2_each && more_channels;
    }
    return f;
}

/* What one class of tiles takes: its kernel and its transfers. */
typedef struct work {
    double compute, new_x; /* the kernel; what it takes in addition where x is new */
    transfer x, x2, w, y;
} work;

/* The work of all classes of a tiling: rows, columns, full or last tile of channels. */
typedef struct work_table {
    const axis *rows, *columns;
    uint32_t tiles_c, last_c;
    work classes[AXIS_CLASSES][AXIS_CLASSES][2];
    double compute_cycles;
} work_table;

static work work_of(const ts_pass *p, const axis_class *rows, const axis_class *columns, uint32_t y_c) {
    ts_tile tile = {.y_h = rows->y, .y_w = columns->y, .y_c = y_c, .x_h = rows->x, .x_w = columns->x};
    tile.x_c = x_channels(p->layer, y_c);
    return (work){.compute = p->kernel->cycles(p->layer, &tile, p->cores) +
                             ts__refill_cycles(p->target, p->layer, &tile, p->cores),
                  .new_x = p->kernel->x_cycles != NULL ? p->kernel->x_cycles(p->layer, &tile, p->cores) : 0,
                  .x = load_x(p, rows, columns, y_c),
                  .x2 = load_x2(p, rows, y_c),
                  .w = load_w(p, y_c),
                  .y = store_y(p, rows, columns, y_c)};
}

static void fill_table(const ts_pass *p, uint32_t y_c, const axis *rows, const axis *columns, work_table *t) {
    t->rows = rows;
    t->columns = columns;
    t->tiles_c = (p->c + y_c - 1) / y_c;
    t->last_c = p->c - (t->tiles_c - 1) * y_c;
    t->compute_cycles = 0;
    for (uint32_t i = 0; i < rows->class_count; i++) {
        for (uint32_t j = 0; j < columns->class_count; j++) {
            const axis_class *r = &rows->classes[i], *c = &columns->classes[j];
            double count = (double)r->count * c->count;
            t->classes[i][j][1] = work_of(p, r, c, t->last_c);
            t->classes[i][j][0] = t->last_c == y_c ? t->classes[i][j][1] : work_of(p, r, c, y_c);
            t->compute_cycles +=
                p->repeats * count *
                ((t->tiles_c - 1) * t->classes[i][j][0].compute + t->classes[i][j][1].compute);
        }
    }
}

/* Adds the steps of one class of tiles: `inner` of them where only the inner loop advances and `outer` where
 * the outer one does. */
static void add_steps(const ts_pass *p, const flow *f, const work *w, double inner, double outer,
                      ts_pass_cost *total) {
    transfer beside = no_transfer(), serial = no_transfer();
    transfer *for_x = f->x_beside ? &beside : &serial, *for_w = f->w_beside ? &beside : &serial;
    transfer *for_x2 = f->x2_beside ? &beside : &serial;
    double compute = w->compute;
    if (f->x_each) {
        *for_x = sum(*for_x, w->x);
        compute += w->new_x;
    }
    if (f->x2_each) {
        *for_x2 = sum(*for_x2, w->x2);
    }
    if (f->w_each) {
        *for_w = sum(*for_w, w->w);
    }
    double cycles = inner > 0 ? inner * step_cycles(p, compute, beside, serial, w->y, f->y_beside) : 0;
    double bytes = inner * (double)(beside.bytes + serial.bytes);
    if (outer > 0) {
        if (f->x_outer) {
            *for_x = sum(*for_x, w->x);
            compute += w->new_x;
        }
        if (f->x2_outer) {
            *for_x2 = sum(*for_x2, w->x2);
        }
        if (f->w_outer) {
            *for_w = sum(*for_w, w->w);
        }
        cycles += outer * step_cycles(p, compute, beside, serial, w->y, f->y_beside);
        bytes += outer * (double)(beside.bytes + serial.bytes);
    }
    total->cycles += cycles;
    total->in_bytes += (uint64_t)bytes;
    total->out_bytes += (uint64_t)(inner + outer) * w->y.bytes;
}

/* The pass's first tile is loaded before anything runs, its last is stored after everything has. */
static void add_ends(const ts_pass *p, const flow *f, const work_table *t, ts_pass_cost *total) {
    const work *first = &t->classes[0][0][t->tiles_c == 1];
    const work *last = &t->classes[t->rows->class_count - 1][t->columns->class_count - 1][1];
    transfer load = sum(sum(first->x, first->x2), first->w);
    total->cycles += start_cycles(p->target, load) + (f->y_beside ? start_cycles(p->target, last->y) : 0);
    total->cycles += PASS_CYCLES + TRANSFER_CYCLES * (load.commands + last->y.commands);
    total->cycles += f->x_each || f->x_outer ? 0 : first->new_x;
    total->in_bytes += (f->x_each || f->x_outer ? 0 : first->x.bytes) +
                       (f->x2_each || f->x2_outer ? 0 : first->x2.bytes) +
                       (f->w_each || f->w_outer ? 0 : first->w.bytes);
}

static ts_pass_cost cost_of(const ts_pass *p, const ts_l1_plan *l1, const work_table *t) {
    uint64_t pixels = (uint64_t)t->rows->tiles * t->columns->tiles;
    flow f = flow_of(p, l1, pixels, t->tiles_c);
    bool inner_channels = l1->order == TS_LOOP_CHANNELS_INNER;
    ts_pass_cost total = {.compute_cycles = t->compute_cycles, .tiles = pixels * t->tiles_c};
    double last = p->repeats, full = last * (t->tiles_c - 1);
    for (uint32_t i = 0; i < t->rows->class_count; i++) {
        for (uint32_t j = 0; j < t->columns->class_count; j++) {
            double count = (double)t->rows->classes[i].count * t->columns->classes[j].count;
            /* Channels inside: the outer loop advances at each last channel tile. Pixels inside: at the last
             * pixel tile of each channel tile. */
            double outer_full = inner_channels ? 0 : full * count / (double)pixels;
            double outer_last = last * (inner_channels ? count : count / (double)pixels);
            add_steps(p, &f, &t->classes[i][j][0], full * count - outer_full, outer_full, &total);
            add_steps(p, &f, &t->classes[i][j][1], last * count - outer_last, outer_last, &total);
        }
    }
    add_ends(p, &f, t, &total);
    return total;
}

ts_pass_cost ts__l1_cost(const ts_pass *p, const ts_l1_plan *l1) {
    axis rows = cut_rows(p, l1->tile.y_h), columns = cut_columns(p, l1->tile.y_w);
    work_table table;
    fill_table(p, l1->tile.y_c, &rows, &columns, &table);
    return cost_of(p, l1, &table);
}

static double whole_compute(const ts_pass *p) {
    ts_tile tile = {.y_h = p->h, .y_w = p->layer->y.w, .y_c = p->c};
    ts__tile_complete(p, &tile);
    return p->kernel->cycles(p->layer, &tile, p->cores);
}

double ts__l1_bound(const ts_pass *p) {
    if (ts_target_levels(p->target) == 1) {
        return whole_compute(p);
    }
    axis rows = cut_rows(p, p->h), columns = cut_columns(p, p->layer->y.w);
    transfer in = sum(load_x(p, &rows.classes[0], &columns.classes[0], p->c), load_w(p, p->c));
    in = sum(in, load_x2(p, &rows.classes[0], p->c));
    transfer out = store_y(p, &rows.classes[0], &columns.classes[0], p->c);
    double rate = p->target->dma.bytes_per_cycle > 0 ? p->target->dma.bytes_per_cycle : 4;
    double bound = whole_compute(p);
    bound = fmax(bound, (double)in.bytes / rate);
    return p->repeats * fmax(bound, (double)out.bytes / rate);
}

/* Of one buffer each. */
static double tile_bytes(const ts_l1_plan *l1) {
    return (double)(l1->x_bytes + l1->x2_bytes + l1->w_bytes + l1->y_bytes);
}

double ts__l1_dory_score(const ts_pass *p, const ts_l1_plan *l1) {
    const ts_tile *t = &l1->tile;
    const ts_window *w = &p->layer->window;
    double bytes = tile_bytes(l1);
    double parities = (t->y_h - 1) % 8 + (t->y_w - 1) % 2 + (t->y_c - 1) % 4;
    double im2col = (double)w->kernel_h * w->kernel_w * t->x_c;
    return 0.5 * bytes + 1e6 * parities + (ts__cuts_x(p->layer) ? 0 : 1e2 * im2col);
}

/* The search. */

typedef struct search {
    const ts_pass *pass;
    ts_objective objective;
    axis *rows, *columns; /* by tile size, from 1 */
    double floor_cycles;  /* no tiling costs less, its steps not counted */
    double best;          /* cycles, or the negative score */
    ts_l1_plan *out;
    bool found;
} search;

static uint32_t tiles_of(uint32_t size, uint32_t tile) { return (size + tile - 1) / tile; }

static double score_of(const search *s, const ts_l1_plan *l1) {
    return s->objective == TS_OBJECTIVE_SIZE ? tile_bytes(l1) : ts__l1_dory_score(s->pass, l1);
}

/* Tries the buffer counts from all double down; the first that fits is the best of its kind where another
 * that fits is not contained in it. */
static void try_counts(search *s, ts_l1_plan *l1, const work_table *table) {
    uint32_t tiles_c = table->tiles_c;
    uint64_t pixels = (uint64_t)table->rows->tiles * table->columns->tiles;
    flow f = flow_of(s->pass, l1, pixels, tiles_c);
    uint32_t x_most = (f.x_each || f.x_outer) && !s->pass->x_stays ? 2 : 1;
    uint32_t x2_most = f.x2_each || f.x2_outer ? 2 : 1, inputs_most = x_most > x2_most ? x_most : x2_most;
    uint32_t w_most = f.w_each || f.w_outer ? 2 : 1;
    uint32_t y_most = (pixels * tiles_c > 1 || s->pass->repeats > 1) && !s->pass->y_stays ? 2 : 1;
    uint32_t fitted[8], fitted_count = 0;
    for (uint32_t single = 0; single < 8; single++) {
        l1->x_count = single & 1 ? 1 : x_most;
        l1->x2_count = single & 1 ? 1 : x2_most;
        l1->y_count = single & 2 ? 1 : y_most;
        l1->w_count = single & 4 ? 1 : w_most;
        bool skip = ((single & 1) && inputs_most == 1) || ((single & 2) && y_most == 1) ||
                    ((single & 4) && w_most == 1);
        for (uint32_t i = 0; i < fitted_count; i++) {
            skip = skip || (fitted[i] & single) == fitted[i];
        }
        l1->x2_count = x2_copies(s->pass, l1);
        bool scores = s->objective != TS_OBJECTIVE_LATENCY;
        if (skip || (scores && single != 0) || used_bytes(l1) > s->pass->l1_bytes) {
            continue;
        }
        fitted[fitted_count++] = single;
        double value = scores ? -score_of(s, l1) : cost_of(s->pass, l1, table).cycles;
        if (!s->found || value < s->best) {
            s->found = true;
            s->best = value;
            *s->out = *l1;
        }
    }
}

/* What every order and every choice of buffers adds to the kernels and to the bytes moved: steps with a store
 * and, in the inner loop's direction, a load each, the first load, the last store. */
static double added_cycles(const search *s, const ts_tile *tile, const axis *rows, const axis *columns) {
    const ts_pass *p = s->pass;
    const axis_class *last_r = &rows->classes[rows->class_count - 1];
    const axis_class *last_c = &columns->classes[columns->class_count - 1];
    uint32_t tiles_c = tiles_of(p->c, tile->y_c), last = p->c - (tiles_c - 1) * tile->y_c;
    double pixels = (double)rows->tiles * columns->tiles, steps = pixels * tiles_c;
    double loads = ts__cuts_x(p->layer) ? steps : fmax(pixels, tiles_c);
    steps *= p->repeats;
    if (p->x_stays || p->y_stays) {
        return steps * STEP_CYCLES + PASS_CYCLES;
    }
    double x = (double)rows->classes[0].x * columns->classes[0].x *
               (double)element_bytes(p->layer->x.type, tile->x_c);
    double w = (double)p->kernel->weight_bytes(p->layer, tile->y_c);
    double y = (double)last_r->y * last_c->y * (double)element_bytes(p->layer->y.type, last);
    double rate = p->target->dma.bytes_per_cycle > 0 ? p->target->dma.bytes_per_cycle : 4;
    return steps * STEP_CYCLES + (steps + loads) * TRANSFER_CYCLES + (x + w + y) / rate + PASS_CYCLES;
}

static void try_tile(search *s, uint32_t h, uint32_t w, uint32_t c) {
    ts_l1_plan l1 = {.tile = {.y_h = h, .y_w = w, .y_c = c}};
    const axis *rows = &s->rows[h], *columns = &s->columns[w];
    complete_from_axes(s->pass, rows, columns, &l1.tile);
    bool prunes = s->objective == TS_OBJECTIVE_LATENCY && s->found;
    double added = prunes ? added_cycles(s, &l1.tile, rows, columns) : 0;
    if (prunes && s->floor_cycles + added >= s->best) {
        return;
    }
    set_bytes(s->pass, &l1);
    l1.x_count = l1.w_count = l1.y_count = 1;
    l1.x2_count = has_x2(s->pass);
    if (used_bytes(&l1) > s->pass->l1_bytes) {
        return;
    }
    work_table table;
    fill_table(s->pass, c, rows, columns, &table);
    if (prunes && table.compute_cycles + added >= s->best) {
        return;
    }
    bool one_loop = table.tiles_c == 1 || (uint64_t)rows->tiles * columns->tiles == 1;
    l1.order = TS_LOOP_PIXELS_INNER;
    if (one_loop || s->pass->most_h == 0) {
        try_counts(s, &l1, &table);
    }
    if (!one_loop && s->objective == TS_OBJECTIVE_LATENCY) {
        l1.order = TS_LOOP_CHANNELS_INNER;
        try_counts(s, &l1, &table);
    }
}

/* With the steps of a tiling counted alone: larger tiles never have more, so a loop that shrinks a tile ends
 * here. Only the latency objective has such a floor. */
static bool hopeless(const search *s, uint32_t h, uint32_t w, uint32_t c) {
    double steps =
        (double)tiles_of(s->pass->h, h) * tiles_of(s->pass->layer->y.w, w) * tiles_of(s->pass->c, c);
    return s->objective == TS_OBJECTIVE_LATENCY && s->found &&
           s->floor_cycles + s->pass->repeats * steps * STEP_CYCLES >= s->best;
}

/* Rows of a map that stays are not cut, nor are pixels by kernels that know no distance between them: that of
 * x is its channels' number, that of y only convolutions are told apart from theirs. */
static bool cuts_staying(const ts_pass *p, uint32_t c) {
    bool cuts = c < p->layer->y.c;
    return cuts && ((p->x_stays && ts__cuts_x(p->layer)) ||
                    (p->y_stays && p->layer->kind != TS_LAYER_CONV && p->layer->kind != TS_LAYER_LINEAR));
}

static void search_channels(search *s, uint32_t c) {
    uint32_t full_w = s->pass->layer->y.w, step = ts__tile_columns(s->pass->layer);
    step = s->pass->x_stays || s->pass->y_stays ? full_w : step;
    if (cuts_staying(s->pass, c)) {
        return;
    }
    uint32_t full_h = s->pass->most_h > 0 && s->pass->most_h < s->pass->h ? s->pass->most_h : s->pass->h;
    for (uint32_t h = full_h; h > 0 && !hopeless(s, h, full_w, c); h--) {
        for (uint32_t w = full_w; w > 0 && !hopeless(s, h, w, c); w = w > step ? (w - 1) / step * step : 0) {
            try_tile(s, h, w, c);
        }
    }
}

static void search_all(search *s) {
    uint32_t granule = ts__tile_granule(s->pass->layer, s->pass->kernel), full_c = s->pass->c;
    search_channels(s, full_c);
    for (uint32_t c = (full_c - 1) / granule * granule; c > 0; c -= granule) {
        if (hopeless(s, s->pass->h, s->pass->layer->y.w, c)) {
            break;
        }
        search_channels(s, c);
    }
}

static void free_arena(void *arena) { ts_arena_free(arena); }

/* What no tiling undercuts: the kernel on the whole pass at once and each byte moved once. Cores share work
 * in whole items, so a cut may by chance divide it better; large passes have too many items for that to
 * matter by more than FLOOR_SHARE, small ones are searched without a floor. */
static double floor_of(const ts_pass *pass) {
    uint64_t granules = pass->c / ts__tile_granule(pass->layer, pass->kernel) + 1;
    uint64_t tilings = (uint64_t)pass->h * pass->layer->y.w * granules;
    return tilings <= EXHAUSTIVE_TILINGS ? 0 : FLOOR_SHARE * ts__l1_bound(pass);
}

bool ts__l1_search(const ts_pass *pass, ts_objective objective, ts_l1_plan *out) {
    ts_arena *scratch = ts_arena_new("tile search", 0);
    ts_guard_defer(free_arena, scratch);
    search s = {.pass = pass, .objective = objective, .out = out};
    s.floor_cycles = floor_of(pass);
    s.rows = TS_NEW_ARRAY(scratch, axis, pass->h + 1);
    s.columns = TS_NEW_ARRAY(scratch, axis, pass->layer->y.w + 1);
    for (uint32_t h = 1; h <= pass->h; h++) {
        s.rows[h] = cut_rows(pass, h);
    }
    for (uint32_t w = 1; w <= pass->layer->y.w; w++) {
        s.columns[w] = cut_columns(pass, w);
    }
    search_all(&s);
    if (!s.found && objective != TS_OBJECTIVE_LATENCY) {
        s.objective = TS_OBJECTIVE_LATENCY;
        search_all(&s);
    }
    if (s.found) {
        ts__l1_layout(pass, out);
    }
    ts_guard_undefer(scratch);
    ts_arena_free(scratch);
    return s.found;
}

uint64_t ts__l1_smallest(const ts_pass *pass) {
    uint64_t least = UINT64_MAX;
    ts_l1_plan l1 = {.tile = {.y_h = 1,
                              .y_w = ts__tile_columns(pass->layer),
                              .y_c = ts__tile_granule(pass->layer, pass->kernel)}};
    l1.tile.y_c = l1.tile.y_c < pass->c ? l1.tile.y_c : pass->c;
    l1.x_count = l1.w_count = l1.y_count = 1;
    ts__l1_layout(pass, &l1);
    least = l1.used_bytes;
    return least;
}
