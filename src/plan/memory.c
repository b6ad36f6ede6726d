/* What lives in L2 and what in L3, which layers are cut at the L3 border, when weights are fetched, and where
 * each buffer lies (DORY paper, sections 4.2.1 and 4.3, with costs instead of a fixed order of stages). */
#include <string.h>

#include "plan/move.h"
#include "plan/planner.h"

enum {
    LAYOUT_TRIES = 1500,
    BOUND_TRIES = 3000,
    LAYOUT_ROUNDS = 24,
    CHUNK_TRIES = 6,
    TUNE_ROUNDS = 4,
    STEP_BYTES = 2048
};

/* Waits that are worth a search, and gains that are worth a change, in cycles. */
static const double WAIT_CYCLES = 2000, GAIN_CYCLES = 100;

static uint64_t word_up(uint64_t bytes) { return (bytes + 3) / 4 * 4; }

uint64_t ts__weight_bytes(const ts_layer_plan *lp, uint32_t channels) {
    return channels == 0 ? 0 : word_up(lp->kernel->weight_bytes(lp->layer, channels));
}

uint32_t ts__stripe_rows(const ts_layer_plan *lp, uint32_t stripe, uint32_t *begin) {
    const ts_layer *l = lp->layer;
    uint32_t first = stripe * lp->l3.stripe_h, rest = l->y.h - first;
    uint32_t rows = rest < lp->l3.stripe_h ? rest : lp->l3.stripe_h;
    return ts__rows_needed(first, rows, l->window.stride_h, l->window.kernel_h, l->window.dilation_h,
                           l->window.pad_top, l->x.h, begin);
}

uint32_t ts__halo_rows(const ts_layer_plan *lp, uint32_t stripe) {
    uint32_t begin = 0, before = 0;
    (void)ts__stripe_rows(lp, stripe, &begin);
    uint32_t end = stripe == 0 ? 0 : ts__stripe_rows(lp, stripe - 1, &before);
    end += before;
    return stripe > 0 && end > begin ? end - begin : 0;
}

/* In and out at the DMA's rate, each with its start, its end and the cycles of core 0; fitted to the
 * simulator. */
double ts__halo_cycles(const ts_target *target, const ts_layer_plan *lp, uint32_t stripe) {
    const double START_CYCLES = 60;
    double rate = target->dma.bytes_per_cycle > 0 ? target->dma.bytes_per_cycle : 4;
    double bytes = (double)ts__halo_rows(lp, stripe) * lp->layer->x.w * lp->layer->x.pixel_bytes;
    return bytes == 0 ? 0 : 2 * (bytes / rate + START_CYCLES);
}

uint32_t ts__stripe_rows_most(const ts_layer *l, uint32_t stripe_h) {
    uint32_t most = 0;
    for (uint32_t first = 0; first < l->y.h; first += stripe_h) {
        uint32_t rows = l->y.h - first < stripe_h ? l->y.h - first : stripe_h;
        uint32_t need = ts__rows_needed(first, rows, l->window.stride_h, l->window.kernel_h,
                                        l->window.dilation_h, l->window.pad_top, l->x.h, NULL);
        most = need > most ? need : most;
    }
    return most;
}

static bool reads(const ts_layer *l, ts_tensor_id t) {
    for (uint32_t i = 0; i < l->input_count; i++) {
        if (l->inputs[i].tensor == t) {
            return true;
        }
    }
    return l->x.tensor == t || (ts_layer_has_x2(l) && l->x2.tensor == t);
}

static bool alive(const ts_life *life, uint32_t layer) {
    return life->used && life->first <= layer && layer <= life->last;
}

/* Activations that live in L2 while a layer runs. */
static uint64_t resident_bytes(const ts_planner *p, uint32_t layer) {
    uint64_t bytes = 0;
    for (uint32_t t = 0; t < p->graph->tensors.count; t++) {
        bytes += alive(&p->lives[t], layer) && !p->lives[t].in_l3
                     ? word_up(p->lives[t].bytes) + p->plan->options.guard_bytes
                     : 0;
    }
    return bytes;
}

static void take_homes(ts_planner *p, ts_layer_plan *lp) {
    lp->l3.x_in_l3 = p->lives[lp->layer->x.tensor].in_l3;
    for (uint32_t i = 0; i < lp->layer->input_count; i++) {
        lp->l3.x_in_l3 = lp->l3.x_in_l3 || p->lives[lp->layer->inputs[i].tensor].in_l3;
    }
    lp->l3.x2_in_l3 = ts_layer_has_x2(lp->layer) && p->lives[lp->layer->x2.tensor].in_l3;
    lp->l3.y_in_l3 = p->lives[lp->layer->y.tensor].in_l3;
}

static bool is_striped(const ts_layer_plan *lp) {
    return lp->l3.x_in_l3 || lp->l3.x2_in_l3 || lp->l3.y_in_l3;
}

static uint64_t x_stripe_bytes(const ts_layer *l, const ts_map_shape *map, uint32_t stripe_h) {
    return word_up((uint64_t)ts__stripe_rows_most(l, stripe_h) * map->w * map->pixel_bytes);
}

/* L2 bytes of the stripe buffers of this geometry. */
static uint64_t stripe_buffers(const ts_layer_plan *lp, uint32_t stripe_h) {
    const ts_layer *l = lp->layer;
    if (l->kind == TS_LAYER_MOVE) {
        return ((uint64_t)lp->l3.x_in_l3 + lp->l3.y_in_l3) * (ts__move_border(l) + lp->guard_bytes);
    }
    uint64_t copies = stripe_h < l->y.h ? 2 : 1;
    uint64_t bytes = lp->l3.x_in_l3 ? x_stripe_bytes(l, &l->x, stripe_h) + lp->guard_bytes : 0;
    bytes += lp->l3.x2_in_l3 ? x_stripe_bytes(l, &l->x2, stripe_h) + lp->guard_bytes : 0;
    bytes += lp->l3.y_in_l3 ? word_up((uint64_t)stripe_h * l->y.w * l->y.pixel_bytes) + lp->guard_bytes : 0;
    return copies * bytes;
}

/* L2 bytes of the weight buffer where the weights come in chunks of `chunk_c` channels, two at a time. */
static uint64_t weight_buffers(const ts_layer_plan *lp, uint32_t chunk_c) {
    uint64_t bytes = ts__weight_bytes(lp, chunk_c);
    bytes += bytes > 0 ? lp->guard_bytes : 0;
    return chunk_c < lp->layer->y.c ? 2 * bytes : bytes;
}

static uint64_t weights_now(const ts_layer_plan *lp) {
    uint64_t bytes = ts__weight_bytes(lp, lp->l3.chunk_c) * (lp->l3.chunks > 1 ? lp->l3.slots : 1);
    return bytes > 0 ? bytes + lp->guard_bytes : 0;
}

static uint32_t granule_of(const ts_layer_plan *lp) { return ts__tile_granule(lp->layer, lp->kernel); }

uint64_t ts__least_weights(const ts_layer_plan *lp) {
    uint64_t whole = weight_buffers(lp, lp->layer->y.c), cut = weight_buffers(lp, granule_of(lp));
    return whole < cut ? whole : cut;
}

static uint64_t least_stripes(const ts_layer_plan *lp) {
    uint64_t whole = stripe_buffers(lp, lp->layer->y.h), cut = stripe_buffers(lp, 1);
    return whole < cut ? whole : cut;
}

static void set_geometry(ts_layer_plan *lp, uint32_t stripe_h, uint32_t chunk_c, bool chunks_outer) {
    lp->l3.stripe_h = stripe_h;
    lp->l3.stripes = (lp->layer->y.h + stripe_h - 1) / stripe_h;
    lp->l3.chunk_c = chunk_c;
    lp->l3.chunks = (lp->layer->y.c + chunk_c - 1) / chunk_c;
    lp->l3.slots = 2;
    lp->l3.late_loads = false;
    lp->l3.chunks_outer = chunks_outer && lp->l3.chunks > 1;
    lp->l3.keeps_halo = false;
}

/* The largest chunk of at most y.c / chunks channels, in whole granules. */
static uint32_t chunk_for(const ts_layer_plan *lp, uint32_t chunks) {
    uint32_t granule = granule_of(lp), channels = lp->layer->y.c;
    uint32_t even = (channels + chunks - 1) / chunks;
    uint32_t chunk = (even + granule - 1) / granule * granule;
    return chunk < channels ? chunk : channels;
}

typedef struct geometry_search {
    ts_planner *p;
    ts_layer_plan *lp;
    uint64_t room_bytes;
    bool quick;
    bool found;
    double best;
    ts_layer_plan chosen;
} geometry_search;

/* Traffic of a geometry at the L3 border, in bytes: what a choice among those that fit costs. */
static double border_bytes(const ts_layer_plan *lp) {
    const ts_layer *l = lp->layer;
    uint64_t rows = 0;
    for (uint32_t s = 0; s < lp->l3.stripes; s++) {
        rows += ts__stripe_rows(lp, s, NULL);
    }
    double x = (lp->l3.x_in_l3 ? (double)rows * l->x.w * l->x.pixel_bytes : 0) +
               (lp->l3.x2_in_l3 ? (double)rows * l->x2.w * l->x2.pixel_bytes : 0);
    double w = (double)ts__weight_bytes(lp, l->y.c);
    double y = lp->l3.y_in_l3 ? (double)ts_map_bytes(&l->y) : 0;
    bool chunked = lp->l3.chunks > 1;
    return x * (chunked && lp->l3.chunks_outer ? lp->l3.chunks : 1) +
           w * (chunked && !lp->l3.chunks_outer ? lp->l3.stripes : 1) + y;
}

static void try_geometry(geometry_search *s, uint32_t stripe_h, uint32_t chunk_c, bool chunks_outer) {
    ts_layer_plan *lp = s->lp;
    set_geometry(lp, stripe_h, chunk_c, chunks_outer);
    if (stripe_buffers(lp, stripe_h) + weight_buffers(lp, chunk_c) > s->room_bytes) {
        return;
    }
    double passes = (double)lp->l3.stripes * lp->l3.chunks;
    double cost = border_bytes(lp) + 500 * passes;
    if (!s->quick) {
        if (!ts__plan_passes(s->p, lp)) {
            return;
        }
        cost = ts__schedule_alone(s->p, lp->layer->index);
    }
    if (!s->found || cost < s->best) {
        s->found = true;
        s->best = cost;
        s->chosen = *lp;
    }
}

/* The fewest chunks whose two buffers leave `room_bytes`; 0 where none do. */
static uint32_t fewest_chunks(const ts_layer_plan *lp, uint64_t room_bytes) {
    if (weight_buffers(lp, lp->layer->y.c) <= room_bytes) {
        return 1;
    }
    uint32_t granule = granule_of(lp), most = (lp->layer->y.c + granule - 1) / granule;
    for (uint32_t n = 2; n <= most; n++) {
        if (weight_buffers(lp, chunk_for(lp, n)) <= room_bytes) {
            return n;
        }
    }
    return 0;
}

/* Tries the chunk counts that are worth it for one stripe height. */
static void try_chunks(geometry_search *s, uint32_t stripe_h) {
    ts_layer_plan *lp = s->lp;
    uint64_t stripes = stripe_buffers(lp, stripe_h);
    if (stripes > s->room_bytes) {
        return;
    }
    uint32_t fewest = fewest_chunks(lp, s->room_bytes - stripes);
    if (fewest == 0) {
        return;
    }
    bool striped = stripe_h < lp->layer->y.h;
    uint32_t tries = fewest == 1 || s->quick || !is_striped(lp) ? 1 : CHUNK_TRIES;
    for (uint32_t i = 0; i < tries; i++) {
        uint32_t n = i < 3 ? fewest + i : fewest * (i - 1);
        if (n > lp->layer->y.c / granule_of(lp) && n > 1 && i > 0) {
            break;
        }
        uint32_t chunk_c = chunk_for(lp, n);
        if (!lp->l3.y_in_l3) {
            try_geometry(s, stripe_h, chunk_c, true);
        }
        if (lp->l3.y_in_l3 || (striped && n > 1)) {
            try_geometry(s, stripe_h, chunk_c, false);
        }
    }
}

/* Chooses stripes and chunks of one layer for the L2 bytes that its neighbours leave. */
static bool cut_layer(ts_planner *p, ts_layer_plan *lp, uint64_t room_bytes, bool quick) {
    geometry_search s = {.p = p, .lp = lp, .room_bytes = room_bytes, .quick = quick};
    uint32_t h = lp->layer->y.h;
    if (lp->layer->kind == TS_LAYER_MOVE) {
        set_geometry(lp, h, lp->layer->y.c, false);
        return stripe_buffers(lp, h) <= room_bytes && (quick || ts__plan_passes(p, lp));
    }
    if (!is_striped(lp) && weight_buffers(lp, lp->layer->y.c) <= room_bytes) {
        set_geometry(lp, h, lp->layer->y.c, false);
        return quick || ts__plan_passes(p, lp);
    }
    uint32_t last = 0;
    for (uint32_t n = 1; n <= h; n++) {
        uint32_t stripe_h = is_striped(lp) ? (h + n - 1) / n : h;
        if (stripe_h != last) {
            try_chunks(&s, stripe_h);
        }
        last = stripe_h;
        bool enough = s.found && !quick && n >= 2 * s.chosen.l3.stripes + 4;
        if (!is_striped(lp) || enough || (quick && s.found)) {
            break;
        }
    }
    if (s.found) {
        *lp = s.chosen;
    }
    return s.found;
}

/* Bytes of L2 that a layer needs at least, with the present homes of activations. */
static uint64_t least_need(ts_planner *p, uint32_t layer, ts_shortage *why) {
    ts_layer_plan *lp = &p->plan->layer_plans[layer];
    take_homes(p, lp);
    why->layer = layer;
    why->activation_bytes = resident_bytes(p, layer) + least_stripes(lp);
    why->weight_bytes = ts__least_weights(lp);
    why->need_bytes = why->activation_bytes + why->weight_bytes;
    return why->need_bytes;
}

/* L3 bytes that a tensor in L3 costs: written once, read by each of its readers. */
static double spill_cost(const ts_planner *p, ts_tensor_id t) {
    double reads_count = 0;
    for (uint32_t i = 0; i < p->plan->layer_count; i++) {
        reads_count += reads(&p->plan->layers[i], t) ? 1.2 : 0;
    }
    double writes = p->lives[t].is_input ? 0 : 1;
    return (double)p->lives[t].bytes * (reads_count + writes);
}

/* Tensors that live in L2 while a layer runs and could move out. */
static uint32_t movable(const ts_planner *p, uint32_t layer, ts_tensor_id *out, uint32_t room) {
    uint32_t count = 0;
    for (uint32_t t = 0; t < p->graph->tensors.count && count < room; t++) {
        if (alive(&p->lives[t], layer) && !p->lives[t].in_l3) {
            out[count++] = t;
        }
    }
    return count;
}

/* Moves the cheapest set of activations to L3 with which the layer fits. */
static bool spill_for(ts_planner *p, uint32_t layer, ts_shortage *shortage) {
    enum { MOST = 8 };
    ts_tensor_id tensors[MOST];
    uint32_t count = movable(p, layer, tensors, MOST), chosen = 0;
    double best = -1;
    ts_shortage least = *shortage;
    for (uint32_t set = 1; set < 1u << count; set++) {
        double cost = 0;
        for (uint32_t i = 0; i < count; i++) {
            p->lives[tensors[i]].in_l3 = (set >> i & 1u) != 0;
            cost += (set >> i & 1u) != 0 ? spill_cost(p, tensors[i]) : 0;
        }
        ts_shortage why;
        if (least_need(p, layer, &why) > p->l2_bytes) {
            least = why.need_bytes < least.need_bytes ? why : least;
        } else if (best < 0 || cost < best) {
            best = cost;
            chosen = set;
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        p->lives[tensors[i]].in_l3 = (chosen >> i & 1u) != 0;
    }
    *shortage = least;
    return chosen != 0;
}

static bool fits_with(ts_planner *p, const ts_life *life) {
    for (uint32_t i = life->first; i <= life->last; i++) {
        ts_shortage why;
        if (least_need(p, i, &why) > p->l2_bytes) {
            return false;
        }
    }
    return true;
}

/* A later layer's move may have made an earlier one needless: brings back what fits, the dearest first. */
static void bring_back(ts_planner *p) {
    for (uint64_t below = UINT64_MAX;;) {
        ts_tensor_id dearest = TS_NONE;
        for (uint32_t t = 0; t < p->graph->tensors.count; t++) {
            uint64_t cost = (uint64_t)spill_cost(p, t);
            bool next = p->lives[t].used && p->lives[t].in_l3 && cost < below;
            if (next && (dearest == TS_NONE || cost > (uint64_t)spill_cost(p, dearest))) {
                dearest = t;
            }
        }
        if (dearest == TS_NONE) {
            return;
        }
        below = (uint64_t)spill_cost(p, dearest);
        p->lives[dearest].in_l3 = false;
        p->lives[dearest].in_l3 = !fits_with(p, &p->lives[dearest]);
    }
}

static bool choose_homes(ts_planner *p, ts_shortage *shortage) {
    for (uint32_t t = 0; t < p->graph->tensors.count; t++) {
        p->lives[t].in_l3 = false;
    }
    for (uint32_t i = 0; i < p->plan->layer_count; i++) {
        if (least_need(p, i, shortage) > p->l2_bytes && !spill_for(p, i, shortage)) {
            return false;
        }
    }
    bring_back(p);
    for (uint32_t i = 0; i < p->plan->layer_count; i++) {
        take_homes(p, &p->plan->layer_plans[i]);
    }
    return true;
}

static uint64_t stripes_now(const ts_layer_plan *lp) {
    return is_striped(lp) ? stripe_buffers(lp, lp->l3.stripe_h) : 0;
}

static bool cut_layers(ts_planner *p, bool quick) {
    for (uint32_t i = 0; i < p->plan->layer_count; i++) {
        ts_layer_plan *lp = &p->plan->layer_plans[i];
        lp->l3.load_at = i;
        if (!cut_layer(p, lp, p->l2_bytes - resident_bytes(p, i), quick)) {
            return false;
        }
    }
    return true;
}

/* The earliest layer from which on a layer's weights have room in L2. */
static uint32_t earliest_load(const ts_planner *p, uint32_t layer) {
    const ts_layer_plan *lps = p->plan->layer_plans;
    uint64_t bytes = weights_now(&lps[layer]);
    uint32_t stop = layer > 0 ? lps[layer - 1].l3.load_at : 0, at = layer;
    if (p->plan->options.objective != TS_OBJECTIVE_LATENCY) {
        stop = layer > 0 && layer - 1 > stop ? layer - 1 : stop;
    }
    while (at > stop && p->used_bytes[at - 1] + bytes <= p->fetch_bytes) {
        at--;
    }
    return at;
}

/* The layer at whose beginning a transfer starts: as late as the bus, free at `bus_free`, would not notice.
 */
static uint32_t latest_useful(const ts_planner *p, uint32_t earliest, uint32_t layer, double bus_free) {
    uint32_t at = earliest;
    while (at < layer && (p->start_cycles[at + 1] <= bus_free || p->holds[at])) {
        at++;
    }
    return at;
}

/* Chooses when each layer's weights are fetched: in the order of the layers, each so early that the bus never
 * waits for a layer to begin, as far as fetch_bytes of L2 allow. */
static void choose_loads(ts_planner *p) {
    ts_plan *plan = p->plan;
    double rate = ts_target_weights(p->target)->read_bytes_per_cycle;
    rate = rate > 0 ? rate : 1;
    for (uint32_t i = 0; i < plan->layer_count; i++) {
        ts_layer_plan *lp = &plan->layer_plans[i];
        p->used_bytes[i] = resident_bytes(p, i) + stripes_now(lp) + weights_now(lp);
    }
    double now = 0, bus_free = 0;
    for (uint32_t i = 0; i < plan->layer_count; i++) {
        ts_layer_plan *lp = &plan->layer_plans[i];
        uint64_t bytes = weights_now(lp);
        p->start_cycles[i] = now;
        uint32_t at = i > 0 ? plan->layer_plans[i - 1].l3.load_at : 0;
        at = bytes > 0 ? latest_useful(p, earliest_load(p, i), i, bus_free) : at;
        lp->l3.load_at = at;
        for (uint32_t j = at; j < i; j++) {
            p->used_bytes[j] += bytes;
        }
        double all = (double)ts__weight_bytes(lp, lp->layer->y.c) / rate;
        double first = (double)bytes / rate < all ? (double)bytes / rate : all;
        bus_free = first + (p->start_cycles[at] > bus_free ? p->start_cycles[at] : bus_free);
        double ready = bus_free > now ? bus_free : now;
        bus_free = all > first ? ready + (all - first) : bus_free;
        double end = ready + lp->work_cycles;
        now = bus_free > end && all > first ? bus_free : end;
    }
}

/* Buffers. */

static int32_t add_buffer(ts_planner *p, ts_buffer buffer) {
    TS_PUSH(p->plan->arena, &p->plan->buffers, buffer);
    return (int32_t)p->plan->buffers.count - 1;
}

static void add_activations(ts_planner *p) {
    for (uint32_t t = 0; t < p->graph->tensors.count; t++) {
        ts_life *life = &p->lives[t];
        if (life->used) {
            life->buffer = add_buffer(p, (ts_buffer){.role = TS_BUFFER_ACTIVATION,
                                                     .level = life->in_l3 ? TS_IN_L3 : TS_IN_L2,
                                                     .tensor = t,
                                                     .layer = life->first,
                                                     .bytes = life->bytes,
                                                     .first_layer = life->first,
                                                     .last_layer = life->last});
        }
    }
}

static void add_stripe_pair(ts_planner *p, const ts_layer_plan *lp, bool wanted, ts_tensor_id tensor,
                            uint64_t bytes, int32_t out[2]) {
    out[0] = out[1] = TS_NO_BUFFER;
    ts_buffer buffer = {.role = TS_BUFFER_STRIPE,
                        .level = TS_IN_L2,
                        .tensor = tensor,
                        .layer = lp->layer->index,
                        .bytes = bytes,
                        .first_layer = lp->layer->index,
                        .last_layer = lp->layer->index};
    for (uint32_t i = 0; wanted && i < (lp->l3.stripes > 1 ? 2u : 1u); i++) {
        out[i] = add_buffer(p, buffer);
    }
}

/* Bytes of the buffer for weights in the memory of the activations. */
static uint64_t buffered_weights(const ts_planner *p, const ts_layer_plan *lp) {
    switch (ts_target_levels(p->target)) {
        case 1:
            return lp->l1.w_count * lp->l1.w_bytes;
        case 2:
            return 0; /* from flash to L1 */
        default:
            return weights_now(lp);
    }
}

static void add_layer_buffers(ts_planner *p, ts_layer_plan *lp) {
    const ts_layer *l = lp->layer;
    lp->x_buffer = p->lives[l->x.tensor].buffer;
    lp->x2_buffer = ts_layer_has_x2(l) ? p->lives[l->x2.tensor].buffer : TS_NO_BUFFER;
    lp->y_buffer = p->lives[l->y.tensor].buffer;
    lp->scratch_buffer = TS_NO_BUFFER;
    ts_buffer weights = {.role = TS_BUFFER_WEIGHTS,
                         .level = TS_IN_L2,
                         .tensor = TS_NONE,
                         .layer = l->index,
                         .bytes = buffered_weights(p, lp),
                         .first_layer = lp->l3.load_at,
                         .last_layer = l->index};
    lp->l3.w_buffer = weights.bytes > 0 ? add_buffer(p, weights) : TS_NO_BUFFER;
    uint32_t h = lp->l3.stripe_h;
    if (l->kind == TS_LAYER_MOVE) {
        lp->input_buffers = TS_NEW_ARRAY(p->arena, int32_t, l->input_count);
        for (uint32_t i = 0; i < l->input_count; i++) {
            lp->input_buffers[i] = p->lives[l->inputs[i].tensor].buffer;
        }
        add_stripe_pair(p, lp, lp->l3.x_in_l3, l->x.tensor, ts__move_border(l), lp->l3.x_stripe);
        add_stripe_pair(p, lp, lp->l3.y_in_l3, l->y.tensor, ts__move_border(l), lp->l3.y_stripe);
        lp->l3.x2_stripe[0] = lp->l3.x2_stripe[1] = TS_NO_BUFFER;
        return;
    }
    add_stripe_pair(p, lp, lp->l3.x_in_l3, l->x.tensor, x_stripe_bytes(l, &l->x, h), lp->l3.x_stripe);
    add_stripe_pair(p, lp, lp->l3.x2_in_l3, l->x2.tensor, lp->l3.x2_in_l3 ? x_stripe_bytes(l, &l->x2, h) : 0,
                    lp->l3.x2_stripe);
    add_stripe_pair(p, lp, lp->l3.y_in_l3, l->y.tensor, (uint64_t)h * l->y.w * l->y.pixel_bytes,
                    lp->l3.y_stripe);
    if (ts__is_flat(p->target) && lp->l1.scratch_bytes > 0) {
        lp->scratch_buffer = add_buffer(p, (ts_buffer){.role = TS_BUFFER_SCRATCH,
                                                       .level = TS_IN_L2,
                                                       .tensor = TS_NONE,
                                                       .layer = l->index,
                                                       .bytes = lp->l1.scratch_bytes,
                                                       .first_layer = l->index,
                                                       .last_layer = l->index});
    }
}

static void build_buffers(ts_planner *p) {
    p->plan->buffers.count = 0;
    add_activations(p);
    for (uint32_t i = 0; i < p->plan->layer_count; i++) {
        add_layer_buffers(p, &p->plan->layer_plans[i]);
    }
}

/* The buffers of one level as blocks; `owner[i]` is the buffer of block i. */
static uint32_t blocks_of(const ts_planner *p, ts_level level, ts_block *blocks, uint32_t *owner) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < p->plan->buffers.count; i++) {
        const ts_buffer *b = &p->plan->buffers.data[i];
        if (b->level == level) {
            bool input = b->role == TS_BUFFER_ACTIVATION && p->lives[b->tensor].is_input;
            owner[count] = i;
            uint64_t guard = level == TS_IN_L2 && b->bytes > 0 ? p->plan->options.guard_bytes : 0;
            blocks[count++] = (ts_block){.bytes = word_up(b->bytes) + guard,
                                         .first = b->first_layer,
                                         .last = b->last_layer,
                                         .from_top = (b->first_layer + input) % 2 == 1};
        }
    }
    return count;
}

static void take_offsets(ts_plan *plan, const ts_block *blocks, const uint32_t *owner, uint32_t count,
                         uint64_t base) {
    for (uint32_t i = 0; i < count; i++) {
        plan->buffers.data[owner[i]].offset = base + blocks[i].offset;
    }
}

static void lay_out_l2(ts_planner *p, uint64_t enough_bytes) {
    ts_plan *plan = p->plan;
    uint32_t room = plan->buffers.count;
    ts_block *blocks = TS_NEW_ARRAY(p->arena, ts_block, room);
    uint32_t *owner = TS_NEW_ARRAY(p->arena, uint32_t, room);
    uint32_t count = blocks_of(p, TS_IN_L2, blocks, owner);
    plan->l2_bound_bytes = ts__layout_bound(blocks, count);
    plan->l2_stack_bytes = ts__layout_stack(p->arena, blocks, count);
    take_offsets(plan, blocks, owner, count, 0);
    plan->l2_search_bytes = ts__layout_search(p->arena, blocks, count, LAYOUT_TRIES, enough_bytes);
    if (plan->l2_search_bytes < plan->l2_stack_bytes) {
        take_offsets(plan, blocks, owner, count, 0);
    }
    bool searched = plan->l2_search_bytes < plan->l2_stack_bytes;
    plan->l2_used_bytes = searched ? plan->l2_search_bytes : plan->l2_stack_bytes;
}

/* The present layout fits; takes a smaller one where the search finds it. */
static void lay_out_least(ts_planner *p) {
    ts_plan *plan = p->plan;
    uint32_t count = plan->buffers.count;
    uint64_t used = plan->l2_used_bytes, stack = plan->l2_stack_bytes, search = plan->l2_search_bytes;
    ts_buffer *kept = TS_NEW_ARRAY(p->arena, ts_buffer, count);
    memcpy(kept, plan->buffers.data, count * sizeof *kept);
    lay_out_l2(p, 0);
    if (plan->l2_used_bytes > used) {
        memcpy(plan->buffers.data, kept, count * sizeof *kept);
        plan->l2_used_bytes = used;
        plan->l2_stack_bytes = stack;
        plan->l2_search_bytes = search;
    }
    uint32_t *owner = TS_NEW_ARRAY(p->arena, uint32_t, count);
    ts_block *blocks = TS_NEW_ARRAY(p->arena, ts_block, count);
    plan->l2_bound_answer = plan->l2_used_bytes == plan->l2_bound_bytes
                                ? TS_LAYOUT_PLACED
                                : ts__layout_decide(blocks, blocks_of(p, TS_IN_L2, blocks, owner),
                                                    plan->l2_bound_bytes, BOUND_TRIES);
}

/* The L3 image: weights in the order of the layers. The activations that live in L3 lie behind it, or in a
 * memory of their own. */
static void lay_out_l3(ts_planner *p) {
    ts_plan *plan = p->plan;
    uint64_t at = 0;
    for (uint32_t i = 0; i < plan->layer_count; i++) {
        ts_layer_plan *lp = &plan->layer_plans[i];
        lp->l3.weights_l3_offset = at;
        lp->l3.weights_bytes = ts__weight_bytes(lp, lp->layer->y.c);
        at += lp->l3.weights_bytes;
    }
    plan->l3_weights_bytes = at;
    ts_block *blocks = TS_NEW_ARRAY(p->arena, ts_block, plan->buffers.count);
    uint32_t *owner = TS_NEW_ARRAY(p->arena, uint32_t, plan->buffers.count);
    uint32_t count = blocks_of(p, TS_IN_L3, blocks, owner);
    at = ts_target_weights_apart(p->target) ? 0 : at;
    plan->l3_used_bytes = at + ts__layout_search(p->arena, blocks, count, LAYOUT_TRIES, 0);
    take_offsets(plan, blocks, owner, count, at);
}

static void measure_live(ts_plan *plan) {
    for (uint32_t i = 0; i < plan->layer_count; i++) {
        plan->layer_plans[i].l2_live_bytes = 0;
    }
    for (uint32_t b = 0; b < plan->buffers.count; b++) {
        const ts_buffer *buffer = &plan->buffers.data[b];
        for (uint32_t i = buffer->first_layer; buffer->level == TS_IN_L2 && i <= buffer->last_layer; i++) {
            plan->layer_plans[i].l2_live_bytes += word_up(buffer->bytes) + plan->options.guard_bytes;
        }
    }
}

/* Fetches as early as a budget allows; where the layout then needs more than there is, with less. */
static bool fetch_and_lay_out(ts_planner *p, bool quick) {
    p->fetch_bytes = quick ? 0 : p->l2_bytes;
    for (uint32_t round = 0; round <= LAYOUT_ROUNDS; round++) {
        if (round == LAYOUT_ROUNDS) {
            p->fetch_bytes = 0;
        }
        choose_loads(p);
        build_buffers(p);
        lay_out_l2(p, p->l2_bytes);
        if (p->plan->l2_used_bytes <= p->l2_bytes) {
            return true;
        }
        uint64_t over = p->plan->l2_used_bytes - p->l2_bytes;
        if (p->fetch_bytes == 0) {
            return false;
        }
        uint64_t less = over / 4 > STEP_BYTES ? over / 4 : STEP_BYTES;
        p->fetch_bytes = p->fetch_bytes > less ? p->fetch_bytes - less : 0;
    }
    return false;
}

/* The network's cycles with the present cuts; nothing is laid out. */
static double try_schedule(ts_planner *p) {
    choose_loads(p);
    return ts__schedule(p);
}

/* Cuts a layer's weights into `chunks` chunks where that makes the whole network faster. */
static void try_chunk_count(ts_planner *p, ts_layer_plan *lp, uint32_t chunks, double *best) {
    if (lp->kernel->weight_bytes(lp->layer, 1) == lp->kernel->weight_bytes(lp->layer, lp->layer->y.c)) {
        return; /* nothing that channels share out */
    }
    uint32_t granule = granule_of(lp), chunk_c = chunk_for(lp, chunks);
    bool sensible = chunks >= 1 && chunks <= (lp->layer->y.c + granule - 1) / granule;
    if (!sensible || chunk_c == lp->l3.chunk_c ||
        resident_bytes(p, lp->layer->index) + weight_buffers(lp, chunk_c) > p->l2_bytes) {
        return;
    }
    ts_layer_plan kept = *lp;
    set_geometry(lp, lp->layer->y.h, chunk_c, true);
    double cycles = ts__plan_passes(p, lp) ? try_schedule(p) : *best;
    if (cycles < *best - GAIN_CYCLES) {
        *best = cycles;
    } else {
        *lp = kept;
    }
}

/* More or fewer chunks for each layer that has some or waits for L3: smaller ones begin earlier, larger ones
 * can be fetched further ahead. */
static void tune_chunks(ts_planner *p, bool late_first, double *best) {
    static const uint32_t times[] = {2, 3, 4, 5, 6, 8, 10, 12, 16};
    uint32_t count = p->plan->layer_count;
    for (uint32_t n = 0; n < count; n++) {
        uint32_t i = late_first ? count - 1 - n : n;
        ts_layer_plan *lp = &p->plan->layer_plans[i];
        bool waits = lp->l3_wait_cycles > WAIT_CYCLES;
        if (is_striped(lp) || (lp->l3.chunks == 1 && !waits)) {
            continue;
        }
        uint32_t fewest = fewest_chunks(lp, p->l2_bytes - resident_bytes(p, i));
        for (uint32_t extra = 0; extra < 6; extra++) {
            try_chunk_count(p, lp, fewest + extra, best);
        }
        for (uint32_t t = 0; t < sizeof times / sizeof times[0]; t++) {
            try_chunk_count(p, lp, fewest * times[t], best);
        }
    }
}

/* Weights of later layers that are fetched from the beginning of a cut layer stand in the way of its own
 * chunks and stripes: holds them back to the next layer where that is faster. */
static void tune_holds(ts_planner *p, double *best) {
    for (uint32_t i = 0; i < p->plan->layer_count; i++) {
        const ts_layer_plan *lp = &p->plan->layer_plans[i];
        if (lp->l3.chunks == 1 && !is_striped(lp)) {
            continue;
        }
        p->holds[i] = !p->holds[i];
        double cycles = try_schedule(p);
        if (cycles < *best - GAIN_CYCLES) {
            *best = cycles;
        } else {
            p->holds[i] = !p->holds[i];
        }
    }
}

/* Improves the present cuts until nothing is gained; returns the network's cycles. */
static double tune_from_here(ts_planner *p, bool late_first) {
    double best = try_schedule(p), before = best + 1;
    for (uint32_t round = 0; round < TUNE_ROUNDS && best < before; round++) {
        before = best;
        tune_chunks(p, (round % 2 == 0) == late_first, &best);
        tune_holds(p, &best);
    }
    return best;
}

/* How a layer's weights come, and when those of later layers do. */
typedef struct arrival {
    uint32_t chunks, slots;
    bool late, held;
} arrival;

static bool set_arrival(ts_planner *p, ts_layer_plan *lp, const arrival *a) {
    set_geometry(lp, lp->layer->y.h, chunk_for(lp, a->chunks), true);
    lp->l3.slots = a->slots;
    lp->l3.late_loads = a->late && lp->l3.chunks > a->slots;
    p->holds[lp->layer->index] = a->held;
    bool fits =
        a->slots <= lp->l3.chunks && resident_bytes(p, lp->layer->index) + weights_now(lp) <= p->l2_bytes;
    return fits && ts__plan_passes(p, lp);
}

/* Layers whose weights come in chunks share L2 with the next such layer, whose first chunks are fetched
 * meanwhile. Smaller chunks here and more slots there pay together only: tries both at once, with the next
 * one's weights fetched from the beginning, behind the last chunk, or not before the next layer. */
static void tune_pair(ts_planner *p, ts_layer_plan *first, ts_layer_plan *second, double *best) {
    static const uint32_t slots[] = {2, 3, 4, 6}, times[] = {2, 3, 4, 6, 8}; /* halves */
    ts_layer_plan kept[2] = {*first, *second}, chosen[2] = {*first, *second};
    bool *held = &p->holds[first->layer->index], *second_held = &p->holds[second->layer->index];
    bool chosen_held = *held, kept_second_held = *second_held;
    for (uint32_t i = 0; i < 5 * 3 * 3; i++) {
        uint32_t when = i / 15;
        const arrival here = {(kept[0].l3.chunks * times[i % 5] + 1) / 2, slots[i / 5 % 3], when == 1,
                              when == 2};
        *first = kept[0];
        if (!set_arrival(p, first, &here)) {
            continue;
        }
        for (uint32_t j = 0; j < 5 * 4; j++) {
            const arrival next = {(kept[1].l3.chunks * times[j % 5] + 1) / 2, slots[j / 5],
                                  kept[1].l3.late_loads, kept_second_held};
            *second = kept[1];
            double cycles = set_arrival(p, second, &next) ? try_schedule(p) : *best;
            if (cycles < *best - GAIN_CYCLES) {
                *best = cycles;
                chosen[0] = *first;
                chosen[1] = *second;
                chosen_held = *held;
            }
        }
    }
    *first = chosen[0];
    *second = chosen[1];
    *held = chosen_held;
    *second_held = kept_second_held;
    *best = try_schedule(p);
}

static void tune_pairs(ts_planner *p) {
    ts_layer_plan *first = NULL;
    double best = try_schedule(p);
    for (uint32_t i = 0; i < p->plan->layer_count; i++) {
        ts_layer_plan *second = &p->plan->layer_plans[i];
        if (is_striped(second) || second->l3.chunks == 1) {
            continue;
        }
        if (first != NULL && second->l3_wait_cycles > WAIT_CYCLES) {
            tune_pair(p, first, second, &best);
        }
        first = second;
    }
}

/* Cuts all chunked layers into `times` as many chunks as they need at least. */
static void begin_with_chunks(ts_planner *p, uint32_t times) {
    for (uint32_t i = 0; i < p->plan->layer_count; i++) {
        ts_layer_plan *lp = &p->plan->layer_plans[i];
        if (is_striped(lp) || lp->l3.chunks == 1) {
            continue;
        }
        ts_layer_plan kept = *lp;
        set_geometry(lp, lp->layer->y.h, chunk_for(lp, lp->l3.chunks * times), true);
        *lp = ts__plan_passes(p, lp) ? *lp : kept;
    }
}

/* The best of several beginnings: each change depends on those before it, so one alone may end beside the
 * best. */
static void tune(ts_planner *p) {
    static const struct {
        uint32_t times;
        bool late_first;
    } starts[] = {{1, true}, {1, false}, {3, true}, {4, false}};
    uint32_t count = p->plan->layer_count;
    ts_layer_plan *first = TS_NEW_ARRAY(p->arena, ts_layer_plan, count);
    ts_layer_plan *best = TS_NEW_ARRAY(p->arena, ts_layer_plan, count);
    bool *holds = TS_NEW_ARRAY(p->arena, bool, count);
    memcpy(first, p->plan->layer_plans, count * sizeof *first);
    double best_cycles = 0;
    for (uint32_t s = 0; s < sizeof starts / sizeof starts[0]; s++) {
        memcpy(p->plan->layer_plans, first, count * sizeof *first);
        memset(p->holds, 0, count * sizeof *p->holds);
        begin_with_chunks(p, starts[s].times);
        double cycles = tune_from_here(p, starts[s].late_first);
        if (s == 0 || cycles < best_cycles) {
            best_cycles = cycles;
            memcpy(best, p->plan->layer_plans, count * sizeof *best);
            memcpy(holds, p->holds, count * sizeof *holds);
        }
    }
    memcpy(p->plan->layer_plans, best, count * sizeof *best);
    memcpy(p->holds, holds, count * sizeof *holds);
}

/* Can the halo of a layer's stripes be kept? Each stripe of x comes once, and its rows are whole words. */
static bool may_keep(const ts_layer_plan *lp) {
    const ts_layer *l = lp->layer;
    bool once = !(lp->l3.chunks_outer && lp->l3.chunks > 1);
    return l->kind != TS_LAYER_MOVE && lp->l3.x_in_l3 && lp->l3.stripes > 1 && once &&
           (uint64_t)l->x.w * l->x.pixel_bytes % 4 == 0 && ts__halo_rows(lp, 1) > 0;
}

/* Keeps halos where that is not slower: less passes the border of L3. */
static void tune_halos(ts_planner *p) {
    double best = try_schedule(p);
    for (uint32_t i = 0; i < p->plan->layer_count; i++) {
        ts_layer_plan *lp = &p->plan->layer_plans[i];
        if (may_keep(lp)) {
            lp->l3.keeps_halo = true;
            double cycles = try_schedule(p);
            lp->l3.keeps_halo = cycles <= best;
            best = cycles <= best ? cycles : best;
        }
    }
}

static double lay_out_and_schedule(ts_planner *p) {
    (void)fetch_and_lay_out(p, false);
    return ts__schedule(p);
}

/* Tunes neighbours for several shares of L2: what uses the last byte may find no layout and then be fetched
 * much later. */
static void tune_neighbours(ts_planner *p) {
    static const uint32_t percent[] = {98, 93};
    uint32_t count = p->plan->layer_count;
    ts_layer_plan *tuned = TS_NEW_ARRAY(p->arena, ts_layer_plan, count);
    ts_layer_plan *best = TS_NEW_ARRAY(p->arena, ts_layer_plan, count);
    bool *holds = TS_NEW_ARRAY(p->arena, bool, count), *best_holds = TS_NEW_ARRAY(p->arena, bool, count);
    memcpy(tuned, p->plan->layer_plans, count * sizeof *tuned);
    memcpy(holds, p->holds, count * sizeof *holds);
    memcpy(best, tuned, count * sizeof *best);
    memcpy(best_holds, holds, count * sizeof *holds);
    double best_cycles = lay_out_and_schedule(p);
    for (uint32_t i = 0; i < sizeof percent / sizeof percent[0]; i++) {
        memcpy(p->plan->layer_plans, tuned, count * sizeof *tuned);
        memcpy(p->holds, holds, count * sizeof *holds);
        p->fetch_bytes = p->l2_bytes * percent[i] / 100;
        tune_pairs(p);
        double cycles = lay_out_and_schedule(p);
        if (cycles < best_cycles - GAIN_CYCLES) {
            best_cycles = cycles;
            memcpy(best, p->plan->layer_plans, count * sizeof *best);
            memcpy(best_holds, p->holds, count * sizeof *holds);
        }
    }
    memcpy(p->plan->layer_plans, best, count * sizeof *best);
    memcpy(p->holds, best_holds, count * sizeof *holds);
    (void)lay_out_and_schedule(p);
}

bool ts__memory_plan(ts_planner *p, bool quick, ts_shortage *shortage) {
    if (!choose_homes(p, shortage)) {
        return false;
    }
    if (!cut_layers(p, quick) || !fetch_and_lay_out(p, quick)) {
        *shortage = (ts_shortage){.need_bytes = p->plan->l2_used_bytes};
        for (uint32_t i = 0; i < p->plan->layer_count; i++) {
            ts_shortage why;
            if (i == 0 || least_need(p, i, &why) > shortage->need_bytes) {
                least_need(p, i, shortage);
            }
        }
        return false;
    }
    if (!quick && p->plan->options.objective == TS_OBJECTIVE_LATENCY) {
        tune(p);
        tune_halos(p);
        tune_neighbours(p);
    }
    if (!quick) {
        lay_out_least(p);
    }
    lay_out_l3(p);
    measure_live(p->plan);
    return true;
}

/* What a layer without room needs, and what fills it. */
static void near_shortage(const ts_planner *p, ts_shortage *shortage) {
    *shortage = (ts_shortage){0};
    for (uint32_t i = 0; i < p->plan->layer_count; i++) {
        const ts_layer_plan *lp = &p->plan->layer_plans[i];
        uint64_t scratch = ts__is_flat(p->target) ? word_up(lp->l1.scratch_bytes) : 0;
        uint64_t others = scratch + word_up(buffered_weights(p, lp));
        if (lp->l2_live_bytes > shortage->need_bytes) {
            *shortage = (ts_shortage){i, lp->l2_live_bytes, lp->l2_live_bytes - others, others};
        }
    }
    if (shortage->need_bytes <= p->l2_bytes) {
        shortage->need_bytes = p->plan->l2_used_bytes;
    }
}

bool ts__near_memory_plan(ts_planner *p, ts_shortage *shortage) {
    for (uint32_t i = 0; i < p->plan->layer_count; i++) {
        p->plan->layer_plans[i].l3.load_at = i;
    }
    build_buffers(p);
    lay_out_l2(p, 0);
    lay_out_l3(p);
    measure_live(p->plan);
    near_shortage(p, shortage);
    return p->plan->l2_used_bytes <= p->l2_bytes;
}
