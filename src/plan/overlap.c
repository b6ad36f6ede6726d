/* Results that take the place of what they are made of, on targets of one level of memory.
 *
 * A kernel that goes through the pixels in their order needs no row of x above those that its window reaches.
 * Its result may then begin `lag` bytes before a dying x and overwrite it behind the window:
 *
 *     x      |....row 0....|....row 1....|....row 2....|....row 3....|
 *     y  |....row 0....|....row 1....|....row 2....|....row 3....|
 *        <lag>                        row 1 is written, rows 1 to 3 are still to be read
 *
 * Such a pair is placed as one block, and so is a chain of them. Blocks are joined only in layers that need
 * the most memory, until one of these cannot be helped. A chain holds all its memory as long as one of its
 * maps lives, which is much where the first is large and the last lives long; so the maps are also placed one
 * by one, each result at its lag before its x or lower, or apart from it, and the smaller layout is taken. */
#include "plan/planner.h"

/* The search for joins takes at most the third power of the number of layers. */
enum { LAYOUT_TRIES = 1500, MOST_LAYERS = 1024 };

typedef struct join {
    uint32_t *group;  /* of each block: the first block of its chain */
    int64_t *at;      /* its place, from that of the chain's first block */
    uint64_t *load;   /* of each layer: bytes alive */
    ts_block *blocks; /* one a buffer */
    uint32_t count;
} join;

static bool is_byte(const ts_map_shape *map) { return map->type == TS_U8 || map->type == TS_S8; }

static bool is_elementwise(const ts_layer *l) {
    return l->kind == TS_LAYER_ADD || l->kind == TS_LAYER_MUL || l->kind == TS_LAYER_REQUANT ||
           l->kind == TS_LAYER_LUT;
}

static bool has_window(const ts_layer *l) {
    return l->kind == TS_LAYER_CONV || l->kind == TS_LAYER_DWCONV || l->kind == TS_LAYER_MAX_POOL ||
           l->kind == TS_LAYER_AVG_POOL;
}

/* First row or column of a window that lies on the map: `begin` may be before it. */
static int64_t first_inside(int64_t begin, uint32_t dilation, uint32_t kernel, uint32_t size) {
    int64_t outside = begin < 0 ? (-begin + dilation - 1) / dilation : 0;
    return outside >= kernel ? size : begin + outside * dilation;
}

/* First byte of x that the window of an output reads. */
static int64_t window_begin(const ts_layer *l, uint32_t oy, uint32_t ox) {
    const ts_window *w = &l->window;
    int64_t row = first_inside((int64_t)oy * w->stride_h - w->pad_top, w->dilation_h, w->kernel_h, l->x.h);
    int64_t column =
        first_inside((int64_t)ox * w->stride_w - w->pad_left, w->dilation_w, w->kernel_w, l->x.w);
    bool inside = row < l->x.h && column < l->x.w;
    return (inside ? row * l->x.w + column : (int64_t)l->x.h * l->x.w) * l->x.pixel_bytes;
}

bool ts__overlap_lag(const ts_layer_plan *lp, const ts_map_shape *x, uint64_t *lag_bytes) {
    const ts_layer *l = lp->layer;
    int64_t lag = 0;
    *lag_bytes = 0;
    if (!lp->kernel->in_order || lp->l1.tiles_c != 1 || !is_byte(x) || !is_byte(&l->y)) {
        return false;
    }
    if (is_elementwise(l)) {
        return x->pixel_bytes == l->y.pixel_bytes;
    }
    for (uint32_t oy = 0; has_window(l) && oy < l->y.h; oy++) {
        for (uint32_t ox = 0; ox < l->y.w; ox++) {
            int64_t end = ((int64_t)oy * l->y.w + ox + 1) * l->y.pixel_bytes;
            int64_t before = end - window_begin(l, oy, ox);
            lag = before > lag ? before : lag;
        }
    }
    *lag_bytes = ((uint64_t)lag + 3) / 4 * 4;
    return has_window(l);
}

static uint64_t size_of(const ts_block *b) {
    return (b->bytes + TS_BLOCK_ALIGN - 1) / TS_BLOCK_ALIGN * TS_BLOCK_ALIGN;
}

/* The block that holds a whole chain; its offset is where the chain's first block lies in it. */
static ts_block span_of(const join *j, uint32_t group) {
    ts_block span = {.first = UINT32_MAX, .from_top = j->blocks[group].from_top};
    int64_t low = 0, high = 0;
    for (uint32_t i = 0; i < j->count; i++) {
        const ts_block *b = &j->blocks[i];
        if (j->group[i] == group) {
            int64_t end = j->at[i] + (int64_t)size_of(b);
            low = j->at[i] < low ? j->at[i] : low;
            high = end > high ? end : high;
            span.first = b->first < span.first ? b->first : span.first;
            span.last = b->last > span.last ? b->last : span.last;
        }
    }
    span.bytes = (uint64_t)(high - low);
    span.offset = (uint64_t)-low;
    return span;
}

static void add_load(uint64_t *load, const ts_block *span, bool away) {
    for (uint32_t i = span->first; i <= span->last; i++) {
        load[i] += away ? -span->bytes : span->bytes;
    }
}

/* Joins the chain that begins with block y to block x where that helps layer `layer`, which needs `peak`, and
 * leaves every other one that it touches at that or below. */
static bool try_join(join *j, uint32_t x, uint32_t y, uint64_t lag, uint32_t layer, uint64_t peak) {
    ts_block a = span_of(j, j->group[x]), b = span_of(j, y);
    int64_t shift = j->at[x] - (int64_t)lag, a_low = -(int64_t)a.offset, b_low = shift - (int64_t)b.offset;
    int64_t a_high = a_low + (int64_t)a.bytes, b_high = b_low + (int64_t)b.bytes;
    ts_block both = {
        .bytes = (uint64_t)((a_high > b_high ? a_high : b_high) - (a_low < b_low ? a_low : b_low)),
        .first = a.first < b.first ? a.first : b.first,
        .last = a.last > b.last ? a.last : b.last};
    add_load(j->load, &a, true);
    add_load(j->load, &b, true);
    add_load(j->load, &both, false);
    bool helps = j->load[layer] < peak;
    for (uint32_t i = both.first; i <= both.last; i++) {
        helps = helps && j->load[i] <= peak;
    }
    if (!helps) {
        add_load(j->load, &both, true);
        add_load(j->load, &a, false);
        add_load(j->load, &b, false);
        return false;
    }
    for (uint32_t i = 0, group = j->group[x]; i < j->count; i++) {
        j->at[i] += j->group[i] == y ? shift : 0;
        j->group[i] = j->group[i] == y ? group : j->group[i];
    }
    return true;
}

/* Joins the result of a layer to one of its inputs that is read here for the last time. */
static bool help_layer(const ts_planner *p, join *j, uint32_t layer, uint64_t peak) {
    const ts_layer_plan *lp = &p->plan->layer_plans[layer];
    const ts_map_shape *inputs[2] = {&lp->layer->x, ts_layer_has_x2(lp->layer) ? &lp->layer->x2 : NULL};
    uint32_t y = (uint32_t)lp->y_buffer;
    for (uint32_t k = 0; k < 2 && j->group[y] == y && lp->layer->kind != TS_LAYER_MOVE; k++) {
        uint64_t lag;
        if (inputs[k] == NULL || p->lives[inputs[k]->tensor].is_output) {
            continue;
        }
        uint32_t x = (uint32_t)p->lives[inputs[k]->tensor].buffer;
        if (j->blocks[x].last == layer && j->blocks[y].first == layer && x != y &&
            ts__overlap_lag(lp, inputs[k], &lag) && try_join(j, x, y, lag, layer, peak)) {
            return true;
        }
    }
    return false;
}

static uint64_t join_blocks(const ts_planner *p, join *j) {
    uint64_t joins = 0;
    for (bool helped = p->plan->layer_count <= MOST_LAYERS; helped; joins += helped) {
        uint64_t peak = 0;
        for (uint32_t i = 0; i < p->plan->layer_count; i++) {
            peak = j->load[i] > peak ? j->load[i] : peak;
        }
        helped = false;
        for (uint32_t i = 0; i < p->plan->layer_count && !helped; i++) {
            helped = j->load[i] == peak && help_layer(p, j, i, peak);
        }
    }
    return joins;
}

static void begin(const ts_planner *p, join *j) {
    ts_plan *plan = p->plan;
    uint32_t room = plan->buffers.count;
    *j = (join){.group = TS_NEW_ARRAY(p->arena, uint32_t, room),
                .at = TS_NEW_ARRAY(p->arena, int64_t, room),
                .load = TS_NEW_ARRAY(p->arena, uint64_t, plan->layer_count),
                .blocks = TS_NEW_ARRAY(p->arena, ts_block, room),
                .count = room};
    for (uint32_t i = 0; i < room; i++) {
        const ts_buffer *b = &plan->buffers.data[i];
        bool input = b->role == TS_BUFFER_ACTIVATION && p->lives[b->tensor].is_input;
        j->group[i] = i;
        j->blocks[i] = (ts_block){.bytes = (b->bytes + 3) / 4 * 4,
                                  .first = b->first_layer,
                                  .last = b->last_layer,
                                  .from_top = (b->first_layer + input) % 2 == 1};
        add_load(j->load, &j->blocks[i], false);
    }
}

/* Lays out the chains and gives each buffer its place in them. Returns the bytes that are needed. */
static uint64_t place(const ts_planner *p, const join *j) {
    ts_plan *plan = p->plan;
    ts_block *spans = TS_NEW_ARRAY(p->arena, ts_block, j->count);
    uint32_t *index = TS_NEW_ARRAY(p->arena, uint32_t, j->count), count = 0;
    int64_t *first = TS_NEW_ARRAY(p->arena, int64_t, j->count);
    for (uint32_t i = 0; i < j->count; i++) {
        if (j->group[i] == i) {
            index[i] = count;
            spans[count] = span_of(j, i);
            first[i] = (int64_t)spans[count].offset;
            spans[count++].offset = 0;
        }
    }
    plan->l2_bound_bytes = ts__layout_bound(spans, count);
    plan->l2_stack_bytes = ts__layout_stack(p->arena, spans, count);
    ts_block *stacked = ts_arena_copy(p->arena, spans, count * sizeof *spans);
    plan->l2_search_bytes = ts__layout_search(p->arena, spans, count, LAYOUT_TRIES, 0);
    bool searched = plan->l2_search_bytes < plan->l2_stack_bytes;
    const ts_block *chosen = searched ? spans : stacked;
    for (uint32_t i = 0; i < j->count; i++) {
        uint32_t g = j->group[i];
        plan->buffers.data[i].offset = (uint64_t)((int64_t)chosen[index[g]].offset + first[g] + j->at[i]);
    }
    return searched ? plan->l2_search_bytes : plan->l2_stack_bytes;
}

/* The input over whose place the layer's result may lie: 0, 1, or 2 where there is none. */
static uint32_t input_below(const ts_planner *p, const ts_block *blocks, uint32_t layer, uint64_t *lag) {
    const ts_layer_plan *lp = &p->plan->layer_plans[layer];
    const ts_map_shape *inputs[2] = {&lp->layer->x, ts_layer_has_x2(lp->layer) ? &lp->layer->x2 : NULL};
    uint32_t y = (uint32_t)lp->y_buffer;
    for (uint32_t k = 0; k < 2 && lp->layer->kind != TS_LAYER_MOVE; k++) {
        if (inputs[k] == NULL || p->lives[inputs[k]->tensor].is_output) {
            continue;
        }
        uint32_t x = (uint32_t)p->lives[inputs[k]->tensor].buffer;
        if (blocks[x].last == layer && blocks[y].first == layer && x != y &&
            ts__overlap_lag(lp, inputs[k], lag)) {
            return k;
        }
    }
    return 2;
}

/* Lets each result lie over a dying input; returns the most bytes that a layer then needs, and sets what each
 * needs in `load`. */
static uint64_t let_overlap(const ts_planner *p, ts_block *blocks, uint64_t *load) {
    uint64_t most = 0, lag;
    for (uint32_t i = 0; i < p->plan->layer_count; i++) {
        const ts_layer_plan *lp = &p->plan->layer_plans[i];
        uint32_t k = input_below(p, blocks, i, &lag), y = (uint32_t)lp->y_buffer;
        if (k < 2) {
            ts_tensor_id tensor = k == 0 ? lp->layer->x.tensor : lp->layer->x2.tensor;
            uint32_t x = (uint32_t)p->lives[tensor].buffer;
            uint64_t apart = size_of(&blocks[x]) + size_of(&blocks[y]);
            uint64_t over = lag + size_of(&blocks[x]);
            over = over > size_of(&blocks[y]) ? over : size_of(&blocks[y]);
            load[i] -= over < apart ? apart - over : 0;
            blocks[x].over = y + 1;
            blocks[x].behind = blocks[y].behind = lag;
        }
        most = load[i] > most ? load[i] : most;
    }
    return most;
}

/* Places the maps one by one, where that needs less than `limit_bytes`. Returns the bytes that are needed, 0
 * where nothing was placed. */
static uint64_t place_singly(const ts_planner *p, uint64_t limit_bytes) {
    ts_plan *plan = p->plan;
    join j;
    if (plan->layer_count > MOST_LAYERS) {
        return 0;
    }
    begin(p, &j);
    uint64_t bound = let_overlap(p, j.blocks, j.load), best = limit_bytes;
    for (uint32_t order = 0; order < TS_LAYOUT_ORDERS && best > bound; order++) {
        uint64_t bytes = ts__layout_low(p->arena, j.blocks, j.count, (ts_layout_order)order);
        for (uint32_t i = 0; i < j.count && bytes < best; i++) {
            plan->buffers.data[i].offset = j.blocks[i].offset;
        }
        best = bytes < best ? bytes : best;
    }
    if (best == limit_bytes) {
        return 0;
    }
    plan->l2_bound_bytes = bound;
    plan->l2_search_bytes = best;
    for (uint32_t i = 0; i < plan->layer_count; i++) {
        plan->layer_plans[i].l2_live_bytes = j.load[i];
    }
    return best;
}

void ts__lay_out_flat(ts_planner *p) {
    join j;
    begin(p, &j);
    uint64_t apart = p->plan->l2_used_bytes = place(p, &j);
    if (join_blocks(p, &j) > 0) {
        p->plan->l2_used_bytes = place(p, &j);
    }
    if (p->plan->l2_used_bytes > apart) {
        begin(p, &j);
        p->plan->l2_used_bytes = place(p, &j);
    }
    for (uint32_t i = 0; i < p->plan->layer_count; i++) {
        p->plan->layer_plans[i].l2_live_bytes = j.load[i];
    }
    uint64_t singly = place_singly(p, p->plan->l2_used_bytes);
    p->plan->l2_used_bytes = singly > 0 ? singly : p->plan->l2_used_bytes;
    bool reached = p->plan->l2_used_bytes == p->plan->l2_bound_bytes;
    p->plan->l2_bound_answer = reached ? TS_LAYOUT_PLACED : TS_LAYOUT_UNKNOWN;
}
