/* When weights come from L3, and to which bytes of L2.
 *
 * Fetches run one after another in the order in which they are needed, so starting one earlier never delays
 * another: each starts with the first step from which on its place stays free until it is needed, or later
 * where the bus has no time for it yet. With many small fetches all of L2 that nothing else uses is a ring
 * through which the weights flow. */
#include "plan/planner.h"

/* A range of L2 that is taken in the steps first to last. */
typedef struct range {
    uint64_t begin, end;
    uint32_t first, last;
    bool kept; /* nothing lies there yet */
} range;

/* Places in L2, by their begin. */
typedef struct space {
    TS_VEC(range) taken;
    uint64_t bytes;
    uint64_t last_end; /* of the last place that was given */
} space;

typedef struct fetching {
    ts_planner *p;
    space *space;      /* NULL: bytes are counted, and no places given */
    double bus_free;   /* when the last transfer so far is complete */
    uint32_t useful;   /* the last step that has begun by then, of those whose begin is known */
    uint32_t earliest; /* step of the fetch before, which starts first */
    bool lost;         /* some fetch found no place */
} fetching;

static uint64_t word_up(uint64_t bytes) { return (bytes + 3) / 4 * 4; }

static uint64_t taken_bytes(const ts_planner *p, uint64_t bytes) {
    return bytes > 0 ? word_up(bytes) + p->plan->options.guard_bytes : 0;
}

/* The last step with a load of weights. */
static uint32_t last_load(const ts_plan *plan, uint32_t layer) {
    const ts_layer_plan *lp = &plan->layer_plans[layer];
    return lp->l3.first_step + (ts_target_levels(plan->target) < 3 ? 1 : ts__chunk_loads(lp)) - 1;
}

static bool is_striped(const ts_layer_plan *lp) {
    return lp->l3.x_in_l3 || lp->l3.x2_in_l3 || lp->l3.y_in_l3;
}

static bool has_tail(const ts_plan *plan, const ts_layer_plan *lp) {
    return ts_target_levels(plan->target) == 3 && lp->layer->kind != TS_LAYER_MOVE && !is_striped(lp);
}

/* How much of `size` the last of its parts of `part` is. */
static double last_share(uint32_t size, uint32_t part) {
    uint32_t rest = part > 0 ? size % part : 0;
    return part == 0 || part >= size ? 1 : (double)(rest > 0 ? rest : part) / size;
}

double ts__tail_cycles(const ts_layer_plan *lp) {
    const ts_tile *tile = &lp->l1.tile;
    const ts_map_shape *y = &lp->layer->y;
    double chunk = last_share(y->c, lp->l3.chunk_c);
    uint32_t channels = (uint32_t)(chunk * y->c + 0.5);
    return lp->work_cycles * last_share(y->h, tile->y_h) * last_share(y->w, tile->y_w) * chunk *
           last_share(channels, tile->y_c);
}

void ts__number_steps(ts_planner *p) {
    ts_plan *plan = p->plan;
    plan->step_count = 0;
    for (uint32_t i = 0; i < plan->layer_count; i++) {
        ts_layer_plan *lp = &plan->layer_plans[i];
        lp->l3.first_step = plan->step_count;
        lp->l3.tail_step = has_tail(plan, lp) ? last_load(plan, i) + 1 : 0;
        plan->step_count = last_load(plan, i) + 1 + (lp->l3.tail_step > 0);
    }
    for (uint32_t b = 0; b < plan->buffers.count; b++) {
        ts_buffer *buffer = &plan->buffers.data[b];
        uint32_t last = buffer->last_layer, tail = plan->layer_plans[last].l3.tail_step;
        bool lives_on = buffer->role == TS_BUFFER_ACTIVATION &&
                        (plan->layers[last].y.tensor == buffer->tensor || p->lives[buffer->tensor].is_output);
        buffer->first_step = plan->layer_plans[buffer->first_layer].l3.first_step;
        buffer->last_step = lives_on && tail > 0 ? tail : last_load(plan, last);
    }
}

/* ---- places ---------------------------------------------------------------------------------------------
 */

static void take(ts_planner *p, space *s, range r) {
    TS_PUSH(p->arena, &s->taken, r);
    uint32_t at = s->taken.count - 1;
    for (; at > 0 && s->taken.data[at - 1].begin > r.begin; at--) {
        s->taken.data[at] = s->taken.data[at - 1];
    }
    s->taken.data[at] = r;
}

static void give_back(space *s, const range *r) {
    uint32_t kept = 0;
    for (uint32_t i = 0; i < s->taken.count; i++) {
        const range *t = &s->taken.data[i];
        bool same = t->kept && t->begin == r->begin && t->first == r->first;
        if (!same) {
            s->taken.data[kept++] = *t;
        }
    }
    s->taken.count = kept;
}

/* The lowest place of `bytes` from `at` on that is free in the steps first to last. */
static bool find_above(const space *s, uint32_t first, uint32_t last, uint64_t bytes, uint64_t at,
                       uint64_t *out) {
    for (uint32_t i = 0; i < s->taken.count && s->taken.data[i].begin < at + bytes; i++) {
        const range *r = &s->taken.data[i];
        if (r->first <= last && first <= r->last && r->end > at) {
            at = r->end;
        }
    }
    *out = at;
    return at + bytes <= s->bytes;
}

/* As in a ring: behind the last place that was given, or the lowest. So what is given back in turn stays in
 * one piece. */
static bool find_place(const space *s, uint32_t first, uint32_t last, uint64_t bytes, uint64_t *out) {
    return find_above(s, first, last, bytes, s->last_end, out) || find_above(s, first, last, bytes, 0, out);
}

/* ---- steps ----------------------------------------------------------------------------------------------
 */

static void begin_steps(ts_planner *p) {
    ts__number_steps(p);
    p->steps.count = p->plan->fetches.count = 0;
    ts__resident_bytes_of_all(p, p->resident, p->tail_resident);
    for (uint32_t i = 0; i < p->plan->layer_count; i++) {
        for (uint32_t n = 0; n < ts__chunk_loads(&p->plan->layer_plans[i]); n++) {
            TS_PUSH(p->arena, &p->steps, ((ts_step){.layer = i, .used_bytes = p->resident[i]}));
        }
        if (p->plan->layer_plans[i].l3.tail_step > 0) {
            TS_PUSH(p->arena, &p->steps, ((ts_step){.layer = i, .used_bytes = p->tail_resident[i]}));
        }
    }
}

static bool free_in(const fetching *f, uint32_t first, uint32_t last, uint64_t bytes, uint64_t *place) {
    return f->space != NULL ? find_place(f->space, first, last, bytes, place)
                            : f->p->steps.data[first].used_bytes + bytes <= f->p->l2_bytes;
}

/* The first step from which on `bytes` are free until `need`. */
static uint32_t earliest_step(fetching *f, uint32_t need, uint64_t bytes, uint64_t *place) {
    const ts_plan *plan = f->p->plan;
    uint32_t stop = f->earliest, layer = f->p->steps.data[need].layer, at = need;
    if (f->space == NULL) { /* earlier than the bus is free there is nothing to gain */
        const ts_step *steps = f->p->steps.data;
        while (f->useful < need && steps[f->useful + 1].begin_cycles <= f->bus_free) {
            f->useful++;
        }
        stop = stop > f->useful ? stop : f->useful;
    }
    if (plan->options.objective != TS_OBJECTIVE_LATENCY) {
        uint32_t before = plan->layer_plans[layer > 0 ? layer - 1 : 0].l3.first_step;
        stop = stop > before ? stop : before;
    }
    if (!free_in(f, at, need, bytes, place) && !f->lost) {
        f->lost = true;
        f->p->lost_layer = layer;
    }
    uint64_t earlier = 0;
    while (at > stop && free_in(f, at - 1, need, bytes, &earlier)) {
        *place = earlier;
        at--;
    }
    return at;
}

/* As late as the bus would not notice, and not in layers that want it for themselves: those in stripes, whose
 * own transfers would have to wait, and more so those that hold fetches back. Elsewhere a few fetches are
 * asked for ahead, since cores look after the bus between tiles alone and it should not stand still until
 * then. */
static uint32_t latest_useful(const fetching *f, uint32_t earliest, uint32_t need) {
    const double AHEAD_CYCLES = 40000;
    const ts_step *steps = f->p->steps.data;
    uint32_t at = earliest;
    for (; at < need; at++) {
        const ts_layer_plan *lp = &f->p->plan->layer_plans[steps[at].layer];
        double ahead = is_striped(lp) ? 0 : AHEAD_CYCLES;
        bool held = f->p->holds[steps[at].layer] && steps[at].layer != steps[need].layer;
        if (!held && steps[at + 1].begin_cycles + ahead > f->bus_free) {
            break;
        }
    }
    return at;
}

static double weight_cycles(const ts_planner *p, uint64_t bytes) {
    const double START_CYCLES = 150;
    const ts_memory *weights = ts_target_weights(p->target);
    double rate = weights->read_bytes_per_cycle > 0 ? weights->read_bytes_per_cycle : 1;
    return weights->read_start_cycles + START_CYCLES + (double)bytes / rate;
}

static void add_fetch(fetching *f, ts_layer_plan *lp, uint32_t part, uint64_t first, uint64_t bytes) {
    ts_plan *plan = f->p->plan;
    uint32_t need = lp->l3.first_step + part;
    uint64_t room = taken_bytes(f->p, bytes), place = 0;
    uint32_t at = latest_useful(f, earliest_step(f, need, room, &place), need);
    ts_step *steps = f->p->steps.data;
    ts_fetch fetch = {lp->layer->index, part, at, TS_NO_BUFFER, lp->l3.weights_l3_offset + first, bytes};
    if (f->space != NULL) {
        ts_buffer buffer = {.role = TS_BUFFER_WEIGHTS,
                            .level = TS_IN_L2,
                            .tensor = TS_NONE,
                            .layer = lp->layer->index,
                            .part = part,
                            .offset = place,
                            .bytes = bytes,
                            .first_layer = steps[at].layer,
                            .last_layer = lp->layer->index,
                            .first_step = at,
                            .last_step = need};
        take(f->p, f->space, (range){place, place + room, at, need, false});
        f->space->last_end = place + room;
        TS_PUSH(plan->arena, &plan->buffers, buffer);
        fetch.buffer = (int32_t)plan->buffers.count - 1;
    }
    if (part == 0) {
        lp->l3.first_fetch = plan->fetches.count;
        lp->l3.load_at = steps[at].layer;
        lp->l3.w_buffer = fetch.buffer;
    }
    for (uint32_t s = at; s <= need; s++) {
        steps[s].used_bytes += room;
    }
    TS_PUSH(plan->arena, &plan->fetches, fetch);
    f->earliest = at;
    double start = steps[at].begin_cycles > f->bus_free ? steps[at].begin_cycles : f->bus_free;
    f->bus_free = start + weight_cycles(f->p, bytes);
}

/* Cycles that a step computes: chunks by their channels, or the layer's share. */
static double step_cycles(const ts_layer_plan *lp, uint32_t part) {
    uint32_t loads = ts__chunk_loads(lp), begin = part % lp->l3.chunks * lp->l3.chunk_c;
    uint32_t rest = lp->layer->y.c - begin, c = rest < lp->l3.chunk_c ? rest : lp->l3.chunk_c;
    double share = (double)c / lp->layer->y.c / (loads > lp->l3.chunks ? lp->l3.stripes : 1);
    return lp->work_cycles * share;
}

/* What a layer keeps for weights that find no room earlier: two halves where they come in chunks, chunk n has
 * the half n % 2 and finds it free when the chunk before it begins. */
typedef struct refuge {
    range halves[2];
    uint32_t count; /* 0: no weights; 1: they come whole */
} refuge;

/* Says when a step begins, if there is such a step. */
static void begin_at(ts_planner *p, uint32_t step, double cycles) {
    if (step < p->steps.count) {
        p->steps.data[step].begin_cycles = cycles;
    }
}

/* One layer: its fetches in order, and the times of its steps. */
static void fetch_layer(fetching *f, uint32_t layer, const refuge *kept) {
    ts_layer_plan *lp = &f->p->plan->layer_plans[layer];
    uint64_t all = ts__weight_bytes(lp, lp->layer->y.c), traffic = ts__stripe_traffic(lp);
    uint32_t loads = ts__chunk_loads(lp);
    for (uint32_t n = 0; n < loads; n++) {
        uint32_t step = lp->l3.first_step + n;
        double now = f->p->steps.data[step].begin_cycles;
        if (all > 0) {
            uint64_t first = 0, bytes = ts__chunk_bytes(lp, n, &first);
            if (kept != NULL && kept->count > 0) {
                give_back(f->space, &kept->halves[n % kept->count]);
            }
            add_fetch(f, lp, n, first, bytes);
            if (kept != NULL && kept->count > 0 && n + 1 < loads) {
                take(f->p, f->space, kept->halves[n % kept->count]);
            }
            now = f->bus_free > now ? f->bus_free : now;
        }
        if (n == 0 && traffic > 0) {
            double begin = f->bus_free > now ? f->bus_free : now;
            f->bus_free = begin + (double)traffic / ts_target_level(f->p->target, 3)->read_bytes_per_cycle;
        }
        now += step_cycles(lp, n);
        if (n + 1 == loads && traffic > 0) {
            now = f->bus_free > now ? f->bus_free : now;
        }
        if (n + 1 == loads && lp->l3.tail_step > 0) {
            begin_at(f->p, lp->l3.tail_step, now - ts__tail_cycles(lp));
            step++;
        }
        begin_at(f->p, step + 1, now);
    }
    for (uint32_t i = 0; kept != NULL && i < kept->count; i++) {
        give_back(f->space, &kept->halves[i]);
    }
}

void ts__try_fetches(ts_planner *p) {
    fetching f = {.p = p};
    begin_steps(p);
    for (uint32_t i = 0; i < p->plan->layer_count; i++) {
        fetch_layer(&f, i, NULL);
    }
}

/* What is laid out: buffers that stay, and for weights what is kept. Buffers of weights are the last. */
static refuge *fill_space(ts_planner *p, space *s) {
    ts_plan *plan = p->plan;
    refuge *refuges = TS_NEW_ARRAY(p->arena, refuge, plan->layer_count);
    uint32_t stay = 0;
    for (uint32_t b = 0; b < plan->buffers.count; b++) {
        const ts_buffer *buffer = &plan->buffers.data[b];
        uint64_t bytes = taken_bytes(p, buffer->bytes), begin = buffer->offset;
        if (buffer->role != TS_BUFFER_WEIGHTS) {
            TS_ASSERT(stay == b, "plan: a buffer behind those of weights");
            stay++;
            if (buffer->level == TS_IN_L2) {
                take(p, s, (range){begin, begin + bytes, buffer->first_step, buffer->last_step, false});
            }
            continue;
        }
        refuge *kept = &refuges[buffer->layer];
        kept->count = plan->layer_plans[buffer->layer].l3.chunks > 1 ? 2 : 1;
        for (uint32_t i = 0; i < kept->count; i++, begin += bytes / kept->count) {
            kept->halves[i] =
                (range){begin, begin + bytes / kept->count, buffer->first_step, buffer->last_step, true};
            take(p, s, kept->halves[i]);
        }
    }
    plan->buffers.count = stay;
    return refuges;
}

bool ts__place_fetches(ts_planner *p) {
    space s = {.bytes = p->l2_bytes};
    fetching f = {.p = p, .space = &s};
    ts_plan *plan = p->plan;
    begin_steps(p);
    refuge *refuges = fill_space(p, &s);
    for (uint32_t i = 0; i < plan->layer_count && !f.lost; i++) {
        fetch_layer(&f, i, &refuges[i]);
    }
    plan->l2_used_bytes = 0;
    for (uint32_t b = 0; b < plan->buffers.count; b++) {
        const ts_buffer *buffer = &plan->buffers.data[b];
        uint64_t end = buffer->offset + taken_bytes(p, buffer->bytes);
        if (buffer->level == TS_IN_L2 && end > plan->l2_used_bytes) {
            plan->l2_used_bytes = end;
        }
    }
    return !f.lost;
}
