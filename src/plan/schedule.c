/* When the L3 bus is busy: transfers run one after another in the order in which they are started
 * (plan.h, ts_l3_plan, says when that is); kernels wait for what they need. */
#include "plan/planner.h"

typedef struct bus {
    const ts_target *target;
    double free_at;
    double read_rate, write_rate, read_start, write_start;
    double weight_rate, weight_start;
} bus;

/* State of a layer's passes: when the content of each L2 buffer arrives or leaves. */
typedef struct passes {
    double w_ready[TS_MOST_SLOTS], x_ready[2], y_ready[2];
    uint32_t chunks_asked, stripes_asked; /* loads started so far, in the order of their use */
    double busy_cycles;                   /* of passes run so far */
} passes;

/* What the L3 bus loses between the parts of long transfers and to the fabric controller that starts them;
 * fitted to the simulator (docs/cost-model.md). */
static const double BUS_SHARE = 0.985, START_CYCLES = 150;

static bus bus_of(const ts_target *target) {
    const ts_memory *l3 = ts_target_level(target, 3), *weights = ts_target_weights(target);
    bus b = {.target = target, .read_rate = 1, .write_rate = 1, .weight_rate = 1};
    if (l3 != NULL) {
        b.read_rate = BUS_SHARE * (l3->read_bytes_per_cycle > 0 ? l3->read_bytes_per_cycle : 1);
        b.write_rate = BUS_SHARE * (l3->write_bytes_per_cycle > 0 ? l3->write_bytes_per_cycle : 1);
        b.read_start = l3->read_start_cycles + START_CYCLES;
        b.write_start = l3->write_start_cycles + START_CYCLES;
    }
    if (weights != NULL) {
        b.weight_rate = BUS_SHARE * (weights->read_bytes_per_cycle > 0 ? weights->read_bytes_per_cycle : 1);
        b.weight_start = weights->read_start_cycles + START_CYCLES;
    }
    return b;
}

static double later(double a, double b) { return a > b ? a : b; }

static double bus_read(bus *b, double now, uint64_t bytes) {
    if (bytes == 0) {
        return now;
    }
    b->free_at = later(b->free_at, now) + b->read_start + (double)bytes / b->read_rate;
    return b->free_at;
}

/* Weights may come from a memory of their own, over the same bus. */
static double bus_read_weights(bus *b, double now, uint64_t bytes) {
    if (bytes == 0) {
        return now;
    }
    b->free_at = later(b->free_at, now) + b->weight_start + (double)bytes / b->weight_rate;
    return b->free_at;
}

static double bus_write(bus *b, double now, uint64_t bytes) {
    if (bytes == 0) {
        return now;
    }
    b->free_at = later(b->free_at, now) + b->write_start + (double)bytes / b->write_rate;
    return b->free_at;
}

static uint64_t chunk_bytes(const ts_layer_plan *lp, uint32_t chunk) {
    uint32_t begin = chunk * lp->l3.chunk_c, end = begin + lp->l3.chunk_c;
    uint32_t channels = lp->layer->y.c;
    end = end < channels ? end : channels;
    return ts__weight_bytes(lp, end) - ts__weight_bytes(lp, begin);
}

/* How often chunks and stripes are loaded in all. */
static uint32_t chunk_loads(const ts_layer_plan *lp) {
    bool again = !lp->l3.chunks_outer && lp->l3.chunks > 1;
    return lp->l3.chunks * (again ? lp->l3.stripes : 1);
}

static uint32_t stripe_loads(const ts_layer_plan *lp) {
    bool again = lp->l3.chunks_outer && lp->l3.chunks > 1;
    return lp->l3.stripes * (again ? lp->l3.chunks : 1);
}

static void ask_chunk(bus *b, passes *s, ts_layer_plan *lp, double now) {
    if (s->chunks_asked >= chunk_loads(lp)) {
        return;
    }
    uint32_t n = s->chunks_asked++;
    uint64_t bytes = chunk_bytes(lp, n % lp->l3.chunks);
    s->w_ready[n % lp->l3.slots] = bus_read_weights(b, now, bytes);
    lp->l3_read_bytes += bytes;
}

static uint64_t stripe_bytes(const ts_layer_plan *lp, uint32_t stripe) {
    const ts_layer *l = lp->layer;
    uint64_t rows = ts__stripe_rows(lp, stripe, NULL);
    rows -= lp->l3.keeps_halo ? ts__halo_rows(lp, stripe) : 0;
    uint64_t bytes = lp->l3.x_in_l3 ? rows * l->x.w * l->x.pixel_bytes : 0;
    return bytes + (lp->l3.x2_in_l3 ? rows * l->x2.w * l->x2.pixel_bytes : 0);
}

static void ask_stripe(bus *b, passes *s, ts_layer_plan *lp, double now) {
    if ((!lp->l3.x_in_l3 && !lp->l3.x2_in_l3) || s->stripes_asked >= stripe_loads(lp)) {
        return;
    }
    uint32_t n = s->stripes_asked++;
    uint64_t bytes = stripe_bytes(lp, n % lp->l3.stripes);
    s->x_ready[n % 2] = bus_read(b, now, bytes);
    lp->l3_read_bytes += bytes;
}

static uint32_t rows_of(const ts_layer_plan *lp, uint32_t stripe) {
    uint32_t begin = stripe * lp->l3.stripe_h, rest = lp->layer->y.h - begin;
    return rest < lp->l3.stripe_h ? rest : lp->l3.stripe_h;
}

/* The first weights of a layer: all of them, or its first chunk and then those of the other slots in one. */
static void ask_weights(bus *b, passes *s, ts_layer_plan *lp, double now) {
    ask_chunk(b, s, lp, now);
    if (lp->l3.chunks == 1) {
        return;
    }
    uint64_t bytes = 0;
    for (; s->chunks_asked < lp->l3.slots; s->chunks_asked++) {
        bytes += chunk_bytes(lp, s->chunks_asked);
    }
    double ready = bus_read_weights(b, now, bytes);
    lp->l3_read_bytes += bytes;
    for (uint32_t n = 1; n < lp->l3.slots; n++) {
        s->w_ready[n] = ready;
    }
}

/* Weights of later layers that are fetched from this layer on: `states` of all layers, NULL for one alone. */
static void ask_later(const ts_planner *p, bus *b, passes *states, uint32_t layer, double now) {
    for (uint32_t j = layer + 1; states != NULL && j < p->plan->layer_count; j++) {
        if (p->plan->layer_plans[j].l3.load_at == layer) {
            ask_weights(b, &states[j], &p->plan->layer_plans[j], now);
        }
    }
}

/* Runs the passes from time `now`; the first loads have been asked for. Returns the layer's end. */
static double run_passes(const ts_planner *p, bus *b, passes *states, passes *s, ts_layer_plan *lp,
                         double now) {
    uint32_t total = lp->l3.chunks * lp->l3.stripes;
    uint32_t inner = lp->l3.chunks_outer ? lp->l3.stripes : lp->l3.chunks;
    double rows_all = lp->layer->y.h, channels_all = lp->layer->y.c;
    bool asked_later = false;
    for (uint32_t i = 0; i < total; i++) {
        uint32_t stripe = lp->l3.chunks_outer ? i % inner : i / inner;
        uint32_t chunk = lp->l3.chunks_outer ? i / inner : i % inner;
        uint32_t w_load = lp->l3.chunks == 1 ? 0 : lp->l3.chunks_outer ? chunk : i;
        uint32_t x_load = lp->l3.chunks_outer && lp->l3.chunks > 1 ? i : stripe;
        now = later(now, later(s->w_ready[w_load % lp->l3.slots], s->x_ready[x_load % 2]));
        now = lp->l3.y_in_l3 ? later(now, s->y_ready[stripe % 2]) : now;
        uint32_t c = lp->layer->y.c - chunk * lp->l3.chunk_c;
        c = c < lp->l3.chunk_c ? c : lp->l3.chunk_c;
        double cycles = lp->work_cycles * (rows_of(lp, stripe) / rows_all) * (c / channels_all);
        bool keeps = lp->l3.keeps_halo && chunk == 0 && stripe + 1 < lp->l3.stripes;
        cycles += keeps ? ts__halo_cycles(b->target, lp, stripe + 1) : 0;
        now += cycles;
        s->busy_cycles += cycles;
        bool chunk_done = lp->l3.chunks > 1 && (!lp->l3.chunks_outer || stripe + 1 == lp->l3.stripes);
        bool stripe_done = lp->l3.chunks_outer ? true : chunk + 1 == lp->l3.chunks;
        if (chunk_done) {
            ask_chunk(b, s, lp, now);
            if (lp->l3.late_loads && s->chunks_asked == lp->l3.chunks && !asked_later) {
                ask_later(p, b, states, lp->layer->index, now);
                asked_later = true;
            }
        }
        if (stripe_done) {
            ask_stripe(b, s, lp, now);
        }
        if (lp->l3.y_in_l3 && chunk + 1 == lp->l3.chunks) {
            uint64_t bytes = (uint64_t)rows_of(lp, stripe) * lp->layer->y.w * lp->layer->y.pixel_bytes;
            s->y_ready[stripe % 2] = bus_write(b, now, bytes);
            lp->l3_write_bytes += bytes;
        }
    }
    return lp->l3.y_in_l3 ? later(now, later(s->y_ready[0], s->y_ready[1])) : now;
}

static double run_layer(const ts_planner *p, bus *b, passes *states, passes *s, ts_layer_plan *lp,
                        double now) {
    ask_stripe(b, s, lp, now);
    ask_stripe(b, s, lp, now);
    return run_passes(p, b, states, s, lp, now);
}

static void forget_traffic(ts_layer_plan *lp) { lp->l3_read_bytes = lp->l3_write_bytes = 0; }

double ts__schedule(ts_planner *p) {
    ts_plan *plan = p->plan;
    ts_arena *scratch = p->arena;
    bus b = bus_of(p->target);
    passes *states = TS_NEW_ARRAY(scratch, passes, plan->layer_count);
    double now = 0;
    for (uint32_t i = 0; i < plan->layer_count; i++) {
        forget_traffic(&plan->layer_plans[i]);
    }
    for (uint32_t i = 0; i < plan->layer_count; i++) {
        ts_layer_plan *lp = &plan->layer_plans[i];
        double begin = now;
        p->start_cycles[i] = now;
        if (lp->l3.load_at == i) {
            ask_weights(&b, &states[i], lp, now);
        }
        if (!lp->l3.late_loads) {
            ask_later(p, &b, states, i, now);
        }
        now = run_layer(p, &b, states, &states[i], lp, now);
        lp->l3_wait_cycles = later(now - begin - states[i].busy_cycles, 0);
        lp->modelled_cycles = now - begin;
    }
    return now;
}

double ts__schedule_alone(ts_planner *p, uint32_t layer) {
    ts_layer_plan copy = p->plan->layer_plans[layer];
    bus b = bus_of(p->target);
    passes state = {0};
    ask_weights(&b, &state, &copy, 0);
    return run_layer(p, &b, NULL, &state, &copy, 0);
}
