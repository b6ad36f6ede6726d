/* What lives in L2 and what in L3, which layers are cut at the L3 border, when weights are fetched, and where
 * each buffer lies (DORY paper, sections 4.2.1 and 4.3, with costs instead of a fixed order of stages). */
#include <string.h>

#include "plan/move.h"
#include "plan/planner.h"

enum { LAYOUT_TRIES = 1500, BOUND_TRIES = 3000, CHUNK_TRIES = 6, TUNE_ROUNDS = 4 };

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

static bool alive(const ts_life *life, uint32_t layer) {
    return life->used && life->first <= layer && layer <= life->last;
}

static uint64_t bytes_of_life(const ts_planner *p, const ts_life *life) {
    return word_up(life->bytes) + p->plan->options.guard_bytes;
}

/* What a layer's maps have in common. */
static uint64_t shared_bytes(const ts_planner *p, const ts_layer_plan *lp) {
    bool both = !p->lives[lp->layer->x.tensor].in_l3 && !p->lives[lp->layer->y.tensor].in_l3;
    return both ? ts__overlap_saves(lp) : 0;
}

/* Activations that live in L2 while a layer runs. */
static uint64_t resident_bytes(const ts_planner *p, uint32_t layer) {
    uint64_t bytes = 0;
    for (uint32_t t = 0; t < p->graph->tensors.count; t++) {
        const ts_life *life = &p->lives[t];
        bytes += alive(life, layer) && !life->in_l3 ? bytes_of_life(p, life) : 0;
    }
    return bytes - shared_bytes(p, &p->plan->layer_plans[layer]);
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

static uint64_t x2_stripe_bytes(const ts_layer *l, uint32_t stripe_h) {
    return ts_layer_shares_x2(l) ? word_up(ts_map_bytes(&l->x2)) : x_stripe_bytes(l, &l->x2, stripe_h);
}

/* L2 bytes of the stripe buffers of this geometry. */
static uint64_t stripe_buffers(const ts_layer_plan *lp, uint32_t stripe_h) {
    const ts_layer *l = lp->layer;
    if (l->kind == TS_LAYER_MOVE) {
        return ((uint64_t)lp->l3.x_in_l3 + lp->l3.y_in_l3) * (ts__move_border(l) + lp->guard_bytes);
    }
    uint64_t copies = stripe_h < l->y.h ? 2 : 1;
    uint64_t bytes = lp->l3.x_in_l3 ? x_stripe_bytes(l, &l->x, stripe_h) + lp->guard_bytes : 0;
    bytes += lp->l3.x2_in_l3 ? x2_stripe_bytes(l, stripe_h) + lp->guard_bytes : 0;
    bytes += lp->l3.y_in_l3 ? word_up((uint64_t)stripe_h * l->y.w * l->y.pixel_bytes) + lp->guard_bytes : 0;
    return copies * bytes;
}

/* L2 bytes of the weight buffer where the weights come in chunks of `chunk_c` channels, two at a time. */
static uint64_t weight_buffers(const ts_layer_plan *lp, uint32_t chunk_c) {
    uint64_t bytes = ts__weight_bytes(lp, chunk_c);
    bytes += bytes > 0 ? lp->guard_bytes : 0;
    return chunk_c < lp->layer->y.c ? 2 * bytes : bytes;
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
    uint64_t rows = 0, x2_rows = 0;
    for (uint32_t s = 0; s < lp->l3.stripes; s++) {
        uint32_t here = ts__stripe_rows(lp, s, NULL);
        rows += here;
        x2_rows += ts_layer_x2_rows(l, here);
    }
    double x = (lp->l3.x_in_l3 ? (double)rows * l->x.w * l->x.pixel_bytes : 0) +
               (lp->l3.x2_in_l3 ? (double)x2_rows * l->x2.w * l->x2.pixel_bytes : 0);
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
    if (is_striped(lp)) {
        ts__forget_overlap(lp);
    }
    uint32_t h = lp->layer->y.h;
    if (lp->layer->kind == TS_LAYER_MOVE) {
        set_geometry(lp, h, lp->layer->y.c, false);
        return stripe_buffers(lp, h) <= room_bytes && (quick || ts__plan_passes(p, lp));
    }
    if (!is_striped(lp) && weight_buffers(lp, lp->layer->y.c) <= room_bytes) {
        set_geometry(lp, h, lp->layer->y.c, false);
        return quick || ts__plan_passes(p, lp);
    }
    if (lp->x_behind_y > 0) {
        return false; /* chunks would read x again */
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
    for (uint32_t i = 0; i < p->lives[t].readers; i++) {
        reads_count += 1.2;
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

/* A later layer's move may have made an earlier one needless: brings back what fits and is not `away`, the
 * dearest first. */
static void bring_back(ts_planner *p, const bool *away) {
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
        p->lives[dearest].in_l3 = away != NULL && away[dearest];
        p->lives[dearest].in_l3 |= !fits_with(p, &p->lives[dearest]);
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
    bring_back(p, NULL);
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

uint64_t ts__resident_bytes(const ts_planner *p, uint32_t layer) {
    return resident_bytes(p, layer) + stripes_now(&p->plan->layer_plans[layer]);
}

void ts__resident_bytes_of_all(const ts_planner *p, uint64_t *bytes, uint64_t *tail_bytes) {
    uint32_t layers = p->plan->layer_count;
    memset(bytes, 0, layers * sizeof *bytes);
    memset(tail_bytes, 0, layers * sizeof *tail_bytes);
    for (uint32_t t = 0; t < p->graph->tensors.count; t++) {
        const ts_life *life = &p->lives[t];
        for (uint32_t i = life->first; i <= life->last && i < layers && life->used && !life->in_l3; i++) {
            bool read_last = i == life->last && p->plan->layers[i].y.tensor != t && !life->is_output;
            bytes[i] += bytes_of_life(p, life);
            tail_bytes[i] += read_last ? 0 : bytes_of_life(p, life);
        }
    }
    for (uint32_t i = 0; i < layers; i++) {
        const ts_layer_plan *lp = &p->plan->layer_plans[i];
        bytes[i] += stripes_now(lp) - shared_bytes(p, lp);
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

/* Bytes of the buffer for weights in the memory of the activations, at least. */
static uint64_t buffered_weights(const ts_planner *p, const ts_layer_plan *lp) {
    switch (ts_target_levels(p->target)) {
        case 1:
            return lp->l1.w_count * lp->l1.w_bytes;
        case 2:
            return 0; /* from flash to L1 */
        default:
            return word_up(lp->kernel->weight_bytes(lp->layer, lp->layer->y.c)) == 0
                       ? 0
                       : weight_buffers(lp, lp->l3.chunk_c) - lp->guard_bytes;
    }
}

static void add_layer_buffers(ts_planner *p, ts_layer_plan *lp) {
    const ts_layer *l = lp->layer;
    lp->x_buffer = p->lives[l->x.tensor].buffer;
    lp->x2_buffer = ts_layer_has_x2(l) ? p->lives[l->x2.tensor].buffer : TS_NO_BUFFER;
    lp->y_buffer = p->lives[l->y.tensor].buffer;
    lp->scratch_buffer = TS_NO_BUFFER;
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
    add_stripe_pair(p, lp, lp->l3.x2_in_l3, l->x2.tensor, lp->l3.x2_in_l3 ? x2_stripe_bytes(l, h) : 0,
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

static void add_weights(ts_planner *p, ts_layer_plan *lp) {
    ts_buffer weights = {.role = TS_BUFFER_WEIGHTS,
                         .level = TS_IN_L2,
                         .tensor = TS_NONE,
                         .layer = lp->layer->index,
                         .bytes = buffered_weights(p, lp),
                         .first_layer = lp->layer->index,
                         .last_layer = lp->layer->index};
    lp->l3.w_buffer = weights.bytes > 0 ? add_buffer(p, weights) : TS_NO_BUFFER;
}

/* All that must be in L2, nothing fetched ahead; weights are the last, and may be left out. */
static void build_buffers(ts_planner *p, bool weights) {
    p->plan->buffers.count = 0;
    add_activations(p);
    for (uint32_t i = 0; i < p->plan->layer_count; i++) {
        add_layer_buffers(p, &p->plan->layer_plans[i]);
    }
    for (uint32_t i = 0; i < p->plan->layer_count && weights; i++) {
        add_weights(p, &p->plan->layer_plans[i]);
    }
    ts__number_steps(p);
}

/* Which blocks may lie over each other. */
static void let_overlap(const ts_planner *p, ts_block *blocks, const uint32_t *owner, uint32_t count) {
    for (uint32_t i = 0; i < p->plan->layer_count; i++) {
        const ts_layer_plan *lp = &p->plan->layer_plans[i];
        for (uint32_t x = 0; x < count && lp->x_behind_y > 0; x++) {
            for (uint32_t y = 0; y < count && (int32_t)owner[x] == lp->x_buffer; y++) {
                if ((int32_t)owner[y] == lp->y_buffer) {
                    blocks[x].over = y + 1;
                    blocks[x].behind = blocks[y].behind = lp->x_behind_y;
                }
            }
        }
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

/* The first layout that fits, or a smaller one where the search finds it. */
static void lay_out_least(ts_planner *p) {
    ts_plan *plan = p->plan;
    uint32_t count = plan->buffers.count;
    lay_out_l2(p, p->l2_bytes);
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

/* The L3 image: weights in the order of the layers. */
static void place_weight_images(ts_plan *plan) {
    plan->l3_weights_bytes = 0;
    for (uint32_t i = 0; i < plan->layer_count; i++) {
        ts_layer_plan *lp = &plan->layer_plans[i];
        lp->l3.weights_l3_offset = plan->l3_weights_bytes;
        lp->l3.weights_bytes = ts__weight_bytes(lp, lp->layer->y.c);
        plan->l3_weights_bytes += lp->l3.weights_bytes;
    }
}

/* The activations that live in L3 lie behind the weights, or in a memory of their own. */
static void lay_out_l3(ts_planner *p) {
    ts_plan *plan = p->plan;
    ts_block *blocks = TS_NEW_ARRAY(p->arena, ts_block, plan->buffers.count);
    uint32_t *owner = TS_NEW_ARRAY(p->arena, uint32_t, plan->buffers.count);
    uint32_t count = blocks_of(p, TS_IN_L3, blocks, owner);
    uint64_t at = ts_target_weights_apart(p->target) ? 0 : plan->l3_weights_bytes;
    plan->l3_used_bytes = at + ts__layout_search(p->arena, blocks, count, LAYOUT_TRIES, 0);
    take_offsets(plan, blocks, owner, count, at);
}

/* Bytes that both maps of a layer have in common. */
static uint64_t overlap_bytes(const ts_plan *plan, const ts_layer_plan *lp) {
    if (lp->x_behind_y == 0) {
        return 0;
    }
    const ts_buffer *x = &plan->buffers.data[lp->x_buffer], *y = &plan->buffers.data[lp->y_buffer];
    uint64_t begin = x->offset > y->offset ? x->offset : y->offset;
    uint64_t end = x->offset + x->bytes;
    end = end < y->offset + y->bytes ? end : y->offset + y->bytes;
    return end > begin ? end - begin : 0;
}

/* The most of L2 that is alive in a step of each layer. */
static void measure_live(ts_planner *p) {
    ts_plan *plan = p->plan;
    uint64_t *live = TS_NEW_ARRAY(p->arena, uint64_t, plan->step_count);
    for (uint32_t b = 0; b < plan->buffers.count; b++) {
        const ts_buffer *buffer = &plan->buffers.data[b];
        for (uint32_t s = buffer->first_step; buffer->level == TS_IN_L2 && s <= buffer->last_step; s++) {
            live[s] += word_up(buffer->bytes) + plan->options.guard_bytes;
        }
    }
    for (uint32_t i = 0; i < plan->layer_count; i++) {
        live[plan->layer_plans[i].l3.first_step] -= overlap_bytes(plan, &plan->layer_plans[i]);
    }
    for (uint32_t i = 0; i < plan->layer_count; i++) {
        ts_layer_plan *lp = &plan->layer_plans[i];
        uint32_t end = i + 1 < plan->layer_count ? lp[1].l3.first_step : plan->step_count;
        lp->l2_live_bytes = 0;
        for (uint32_t s = lp->l3.first_step; s < end; s++) {
            lp->l2_live_bytes = live[s] > lp->l2_live_bytes ? live[s] : lp->l2_live_bytes;
        }
    }
}

/* Lays out what must be in L2. */
static bool lay_out(ts_planner *p) {
    build_buffers(p, true);
    lay_out_l2(p, p->l2_bytes);
    return p->plan->l2_used_bytes <= p->l2_bytes;
}

/* The network's cycles with the present cuts; nothing is laid out. */
static double try_schedule(ts_planner *p) {
    ts__try_fetches(p);
    return ts__schedule(p);
}

/* Is there anything that channels share out, and may x be read once for each chunk? */
static bool may_cut(const ts_layer_plan *lp) {
    return lp->x_behind_y == 0 &&
           lp->kernel->weight_bytes(lp->layer, 1) != lp->kernel->weight_bytes(lp->layer, lp->layer->y.c);
}

/* Cuts a layer's weights into chunks of `chunk_c` channels where that makes the whole network faster. */
static void try_chunk(ts_planner *p, ts_layer_plan *lp, uint32_t chunk_c, double *best) {
    if (!may_cut(lp) || chunk_c == lp->l3.chunk_c || chunk_c % granule_of(lp) != 0 ||
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

static void try_chunk_count(ts_planner *p, ts_layer_plan *lp, uint32_t chunks, double *best) {
    uint32_t granule = granule_of(lp);
    if (chunks >= 1 && chunks <= (lp->layer->y.c + granule - 1) / granule) {
        try_chunk(p, lp, chunk_for(lp, chunks), best);
    }
}

/* Bytes of a chunk that are tried. */
static const uint64_t chunk_sizes[] = {8192, 12288, 16384, 24576, 32768, 49152, 98304, UINT64_MAX / 2};

/* Into how many chunks of at most `bytes` a layer's weights are cut. */
static uint32_t chunks_of(const ts_layer_plan *lp, uint64_t bytes) {
    return (uint32_t)((ts__weight_bytes(lp, lp->layer->y.c) + bytes - 1) / bytes);
}

/* More or fewer chunks: smaller ones begin earlier and fill smaller gaps of L2, but cost tiles, fewest those
 * of one or two whole tiles. */
static void tune_chunks(ts_planner *p, bool late_first, double *best) {
    uint32_t count = p->plan->layer_count;
    for (uint32_t n = 0; n < count; n++) {
        ts_layer_plan *lp = &p->plan->layer_plans[late_first ? count - 1 - n : n];
        for (uint32_t i = 0; i < sizeof chunk_sizes / sizeof chunk_sizes[0] && !is_striped(lp); i++) {
            try_chunk_count(p, lp, chunks_of(lp, chunk_sizes[i]), best);
        }
        bool may_tile = lp->whole_tile_c > 0 && !is_striped(lp);
        for (uint32_t i = 1; i <= 2 && may_tile && i * lp->whole_tile_c < lp->layer->y.c; i++) {
            try_chunk(p, lp, i * lp->whole_tile_c, best);
        }
    }
}

/* Weights of later layers stand in the way of stripes: holds them back to the next layer where that is
 * faster. */
static void tune_holds(ts_planner *p, double *best) {
    for (uint32_t i = 0; i < p->plan->layer_count; i++) {
        if (!is_striped(&p->plan->layer_plans[i])) {
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

/* Does some layer wait for L3? */
static bool waits(const ts_planner *p) {
    bool any = false;
    for (uint32_t i = 0; i < p->plan->layer_count; i++) {
        any |= p->plan->layer_plans[i].l3_wait_cycles > WAIT_CYCLES;
    }
    return any;
}

/* Improves the present cuts until nothing is gained; returns the network's cycles. */
static double tune_from_here(ts_planner *p, bool late_first) {
    double best = try_schedule(p), before = best + 1;
    for (uint32_t round = 0; round < TUNE_ROUNDS && best < before && waits(p); round++) {
        before = best;
        tune_chunks(p, (round % 2 == 0) == late_first, &best);
        tune_holds(p, &best);
    }
    return best;
}

/* Cuts all weights into chunks of about `bytes`. */
static void begin_with_chunks(ts_planner *p, uint64_t bytes) {
    for (uint32_t i = 0; i < p->plan->layer_count; i++) {
        ts_layer_plan *lp = &p->plan->layer_plans[i], kept = *lp;
        uint32_t chunks = chunks_of(lp, bytes);
        if (is_striped(lp) || chunks <= lp->l3.chunks) {
            continue;
        }
        set_geometry(lp, lp->layer->y.h, chunk_for(lp, chunks), true);
        *lp = may_cut(lp) && ts__plan_passes(p, lp) ? *lp : kept;
    }
}

/* The best of several beginnings: each change depends on those before it, so one alone may end beside the
 * best. */
static void tune(ts_planner *p) {
    static const struct {
        uint64_t bytes;
        bool late_first;
    } starts[] = {{UINT64_MAX / 2, true}, {49152, true}, {24576, false}};
    uint32_t count = p->plan->layer_count;
    ts_layer_plan *first = TS_NEW_ARRAY(p->arena, ts_layer_plan, count);
    ts_layer_plan *best = TS_NEW_ARRAY(p->arena, ts_layer_plan, count);
    bool *holds = TS_NEW_ARRAY(p->arena, bool, count);
    memcpy(first, p->plan->layer_plans, count * sizeof *first);
    double best_cycles = 0;
    for (uint32_t s = 0; s < sizeof starts / sizeof starts[0] && (s == 0 || waits(p)); s++) {
        memcpy(p->plan->layer_plans, first, count * sizeof *first);
        memset(p->holds, 0, count * sizeof *p->holds);
        begin_with_chunks(p, starts[s].bytes);
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

static void shortage_of(ts_planner *p, ts_shortage *shortage) {
    *shortage = (ts_shortage){.need_bytes = p->plan->l2_used_bytes};
    for (uint32_t i = 0; i < p->plan->layer_count; i++) {
        ts_shortage why;
        if (i == 0 || least_need(p, i, &why) > shortage->need_bytes) {
            least_need(p, i, shortage);
        }
    }
}

/* Tunes for speed; takes back what finds no layout. */
static void tune_all(ts_planner *p) {
    uint32_t count = p->plan->layer_count;
    ts_layer_plan *first = TS_NEW_ARRAY(p->arena, ts_layer_plan, count);
    memcpy(first, p->plan->layer_plans, count * sizeof *first);
    tune(p);
    tune_halos(p);
    if (!lay_out(p)) {
        memcpy(p->plan->layer_plans, first, count * sizeof *first);
        memset(p->holds, 0, count * sizeof *p->holds);
        (void)lay_out(p);
    }
}

/* Lays out activations and stripes alone, whose buffers were built. False where they do not fit. */
static bool lay_out_low(ts_planner *p, ts_layout_order order) {
    ts_plan *plan = p->plan;
    ts_low_layout *low = &p->low[order];
    uint32_t buffers = plan->buffers.count;
    if (low->offsets == NULL) {
        ts_block *blocks = TS_NEW_ARRAY(p->arena, ts_block, buffers);
        uint32_t *owner = TS_NEW_ARRAY(p->arena, uint32_t, buffers);
        uint32_t count = blocks_of(p, TS_IN_L2, blocks, owner);
        let_overlap(p, blocks, owner, count);
        low->bytes = ts__layout_low(p->arena, blocks, count, order);
        low->offsets = TS_NEW_ARRAY(p->arena, uint64_t, buffers);
        for (uint32_t i = 0; i < count; i++) {
            low->offsets[owner[i]] = blocks[i].offset;
        }
    }
    for (uint32_t b = 0; b < buffers; b++) {
        plan->buffers.data[b].offset = low->offsets[b];
    }
    return low->bytes <= p->l2_bytes;
}

/* Homes or stripes have changed. */
static void forget_low(ts_planner *p) { memset(p->low, 0, sizeof p->low); }

/* Gives all weights their places between activations and stripes that are laid out alone, as low as they go:
 * that leaves one piece for all weights, but may leave too little. With TS_LAYOUT_ORDERS the layout keeps
 * room for the weights of every layer, and what fits has a place. */
static bool place_weights(ts_planner *p, ts_layout_order order, double *cycles) {
    ts_plan *plan = p->plan;
    bool alone = order != TS_LAYOUT_ORDERS, placed = true;
    build_buffers(p, !alone);
    if (alone) {
        placed = lay_out_low(p, order);
    } else {
        lay_out_least(p);
        placed = plan->l2_used_bytes <= p->l2_bytes;
    }
    placed = placed && ts__place_fetches(p);
    *cycles = placed ? ts__schedule(p) : 0;
    return placed;
}

/* Cuts the weights of layers that still wait, since no free piece of L2 was large enough. */
static void refine_chunks(ts_planner *p, ts_layout_order order, double *best) {
    for (uint32_t i = 0; i < p->plan->layer_count; i++) {
        ts_layer_plan *lp = &p->plan->layer_plans[i], chosen = *lp;
        if (lp->l3_wait_cycles < WAIT_CYCLES || is_striped(lp) || !may_cut(lp)) {
            continue;
        }
        for (uint32_t n = 0; n < sizeof chunk_sizes / sizeof chunk_sizes[0]; n++) {
            double cycles = 0;
            set_geometry(lp, lp->layer->y.h, chunk_for(lp, chunks_of(lp, chunk_sizes[n])), true);
            if (ts__plan_passes(p, lp) && place_weights(p, order, &cycles) && cycles < *best - GAIN_CYCLES) {
                *best = cycles;
                chosen = *lp;
            }
        }
        *lp = chosen;
        (void)place_weights(p, order, best);
    }
}

/* Takes the fastest of all layouts, each with the chunks that suit it. The one that keeps room for every
 * layer's weights is always possible, but not asked for where maps lie over each other; the others may all
 * fail. */
static bool place_best(ts_planner *p, bool overlaps) {
    uint32_t layers = p->plan->layer_count;
    bool refines = p->plan->options.objective == TS_OBJECTIVE_LATENCY, placed = false;
    ts_layer_plan *first = ts_arena_copy(p->arena, p->plan->layer_plans, layers * sizeof *first);
    ts_layer_plan *chosen = TS_NEW_ARRAY(p->arena, ts_layer_plan, layers);
    ts_layout_order best_order = TS_LAYOUT_ORDERS;
    double best = 0, cycles = 0;
    forget_low(p);
    for (uint32_t n = overlaps ? 1 : 0; n <= TS_LAYOUT_ORDERS; n++) {
        ts_layout_order order = n == 0 ? TS_LAYOUT_ORDERS : (ts_layout_order)(n - 1);
        memcpy(p->plan->layer_plans, first, layers * sizeof *first);
        if (!place_weights(p, order, &cycles)) {
            continue;
        }
        if (refines) {
            refine_chunks(p, order, &cycles);
        }
        if (!placed || cycles < best - GAIN_CYCLES) {
            placed = true;
            best = cycles;
            best_order = order;
            memcpy(chosen, p->plan->layer_plans, layers * sizeof *chosen);
        }
    }
    if (!placed) {
        return false;
    }
    memcpy(p->plan->layer_plans, chosen, layers * sizeof *chosen);
    if (!overlaps) {
        (void)place_weights(p, TS_LAYOUT_ORDERS, &cycles); /* what the plan says of the least layout */
    }
    placed = place_weights(p, best_order, &cycles);
    TS_ASSERT(placed, "plan: weights find no place");
    return placed;
}

static void finish_layout(ts_planner *p) {
    lay_out_l3(p);
    measure_live(p);
}

/* Is some activation in L3? */
static bool spills(const ts_planner *p) {
    bool any = false;
    for (uint32_t t = 0; t < p->graph->tensors.count; t++) {
        any |= p->lives[t].used && p->lives[t].in_l3;
    }
    return any;
}

/* Cuts weights that find no place between maps that lie over each other. */
static bool make_room(ts_planner *p, ts_layout_order order) {
    double cycles = 0;
    for (uint32_t n = 0; n < 2 * p->plan->layer_count; n++) {
        p->lost_layer = TS_NONE;
        if (place_weights(p, order, &cycles)) {
            return true;
        }
        if (p->lost_layer == TS_NONE) {
            return false; /* the maps alone do not fit */
        }
        ts_layer_plan *lp = &p->plan->layer_plans[p->lost_layer];
        uint32_t chunk_c = chunk_for(lp, 2 * lp->l3.chunks);
        if (is_striped(lp) || !may_cut(lp) || chunk_c >= lp->l3.chunk_c) {
            return false;
        }
        set_geometry(lp, lp->layer->y.h, chunk_c, true);
        if (!ts__plan_passes(p, lp)) {
            return false;
        }
    }
    return false;
}

/* Where activations had to leave L2: plans once more with maps that lie over each other. False where that
 * does not help; the plan is spoilt then. */
static bool plan_overlaps(ts_planner *p) {
    ts_plan *plan = p->plan;
    ts_shortage why;
    for (uint32_t t = 0; t < p->graph->tensors.count; t++) {
        p->lives[t].in_l3 = false;
    }
    for (uint32_t i = 0; i < plan->layer_count; i++) {
        ts_layer_plan *lp = &plan->layer_plans[i];
        take_homes(p, lp);
        set_geometry(lp, lp->layer->y.h, lp->layer->y.c, true);
    }
    memset(p->holds, 0, plan->layer_count * sizeof *p->holds);
    if (!ts__choose_overlaps(p) || !choose_homes(p, &why) || !cut_layers(p, false)) {
        return false;
    }
    tune(p);
    tune_halos(p);
    bool room = false;
    forget_low(p);
    for (uint32_t order = 0; order < TS_LAYOUT_ORDERS && !room; order++) {
        room = make_room(p, (ts_layout_order)order);
    }
    if (!room || !place_best(p, true)) {
        return false;
    }
    finish_layout(p);
    plan->l2_bound_bytes = 0;
    for (uint32_t i = 0; i < plan->layer_count; i++) {
        uint64_t least = ts__resident_bytes(p, i) + ts__least_weights(&plan->layer_plans[i]);
        plan->l2_bound_bytes = least > plan->l2_bound_bytes ? least : plan->l2_bound_bytes;
    }
    plan->l2_search_bytes = plan->l2_used_bytes;
    plan->l2_bound_answer = TS_LAYOUT_UNKNOWN;
    return true;
}

/* Keeps the faster of the plan that there is and one with overlaps. */
static void try_overlaps(ts_planner *p) {
    ts_plan kept = *p->plan;
    uint32_t layers = kept.layer_count, tensors = p->graph->tensors.count;
    ts_layer_plan *plans = ts_arena_copy(p->arena, kept.layer_plans, layers * sizeof *plans);
    ts_life *lives = ts_arena_copy(p->arena, p->lives, tensors * sizeof *lives);
    kept.buffers.data =
        ts_arena_copy(p->arena, kept.buffers.data, kept.buffers.capacity * sizeof *kept.buffers.data);
    kept.fetches.data =
        ts_arena_copy(p->arena, kept.fetches.data, kept.fetches.capacity * sizeof *kept.fetches.data);
    double apart = ts__schedule(p);
    if (!plan_overlaps(p) || ts__schedule(p) >= apart) {
        *p->plan = kept;
        memcpy(kept.layer_plans, plans, layers * sizeof *plans);
        memcpy(p->lives, lives, tensors * sizeof *lives);
    }
}

/* Cuts the layers for the present homes and lays out what must be in L2. */
static bool cut_and_lay_out(ts_planner *p, bool quick) {
    memset(p->holds, 0, p->plan->layer_count * sizeof *p->holds);
    return cut_layers(p, quick) && lay_out(p);
}

/* The largest tensor in L2 that lives beside stripes and is not yet `tried`, or TS_NONE. */
static ts_tensor_id next_to_move(const ts_planner *p, const bool *tried) {
    ts_tensor_id largest = TS_NONE;
    for (uint32_t i = 0; i < p->plan->layer_count; i++) {
        for (uint32_t t = 0; t < p->graph->tensors.count && is_striped(&p->plan->layer_plans[i]); t++) {
            bool there = alive(&p->lives[t], i) && !p->lives[t].in_l3 && !tried[t];
            if (there && (largest == TS_NONE || p->lives[t].bytes > p->lives[largest].bytes)) {
                largest = t;
            }
        }
    }
    return largest;
}

/* Homes are chosen by the bytes that pass the border of L3. Where a large tensor that just fits leaves its
 * neighbours stripes of a row or two, more bytes take less time: moves such tensors out, one after another,
 * where the modelled network gains by it. `cycles` are those of the present homes. */
static void improve_homes(ts_planner *p, double cycles) {
    enum { MOST_TRIES = 12 };
    uint32_t layers = p->plan->layer_count, tensors = p->graph->tensors.count;
    ts_layer_plan *best = TS_NEW_ARRAY(p->arena, ts_layer_plan, layers);
    bool *tried = TS_NEW_ARRAY(p->arena, bool, tensors), *away = TS_NEW_ARRAY(p->arena, bool, tensors),
         *homes = TS_NEW_ARRAY(p->arena, bool, tensors);
    ts_tensor_id moved;
    for (uint32_t n = 0; n < MOST_TRIES && (moved = next_to_move(p, tried)) != TS_NONE; n++) {
        memcpy(best, p->plan->layer_plans, layers * sizeof *best);
        for (uint32_t t = 0; t < tensors; t++) {
            homes[t] = p->lives[t].in_l3;
        }
        tried[moved] = away[moved] = p->lives[moved].in_l3 = true;
        bool fits = fits_with(p, &p->lives[moved]);
        bring_back(p, away);
        for (uint32_t i = 0; i < layers; i++) {
            take_homes(p, &p->plan->layer_plans[i]);
        }
        double now = fits && cut_and_lay_out(p, false) ? try_schedule(p) : 0;
        if (now > 0 && now < cycles - GAIN_CYCLES) {
            cycles = now;
            continue;
        }
        away[moved] = false;
        memcpy(p->plan->layer_plans, best, layers * sizeof *best);
        for (uint32_t t = 0; t < tensors; t++) {
            p->lives[t].in_l3 = homes[t];
        }
    }
    (void)lay_out(p);
}

bool ts__memory_plan(ts_planner *p, bool quick, ts_shortage *shortage) {
    for (uint32_t i = 0; i < p->plan->layer_count; i++) {
        ts__forget_overlap(&p->plan->layer_plans[i]);
    }
    if (!choose_homes(p, shortage)) {
        return false;
    }
    if (!cut_and_lay_out(p, quick)) {
        shortage_of(p, shortage);
        return false;
    }
    if (quick) {
        return true;
    }
    bool latency = p->plan->options.objective == TS_OBJECTIVE_LATENCY;
    if (latency) {
        improve_homes(p, try_schedule(p));
        tune_all(p);
    }
    place_weight_images(p->plan);
    (void)place_best(p, false);
    finish_layout(p);
    if (latency && spills(p)) {
        try_overlaps(p);
    }
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
    build_buffers(p, true);
    place_weight_images(p->plan);
    lay_out_l3(p);
    if (ts__is_flat(p->target)) {
        ts__lay_out_flat(p);
    } else {
        lay_out_l2(p, 0);
        measure_live(p);
    }
    near_shortage(p, shortage);
    return p->plan->l2_used_bytes <= p->l2_bytes;
}
