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
    double w_ready[2]; /* of a layer alone; else in ts_planner.arrivals */
    double x_ready[2], y_ready[2];
    uint32_t stripes_asked; /* loads started so far, in the order of their use */
    double busy_cycles;     /* of passes run so far */
} passes;

typedef struct schedule {
    ts_planner *p;
    bus bus;
    bool alone;     /* one layer, without what the planner knows of the others */
    uint32_t asked; /* fetches started so far */
} schedule;

/* What the L3 bus loses between the parts of long transfers and to the fabric controller that starts them;
 * fitted to the simulator (docs/cost-model.md). */
static const double BUS_SHARE = 0.985, START_CYCLES = 150;

/* What core 0 needs to go on to another chunk while the others compute already. */
static const double CHUNK_CYCLES = 330;

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

uint64_t ts__chunk_bytes(const ts_layer_plan *lp, uint32_t part, uint64_t *first) {
    const ts_layer *l = lp->layer;
    uint32_t begin = part % lp->l3.chunks * lp->l3.chunk_c, end = begin + lp->l3.chunk_c;
    uint64_t from = begin == 0 ? 0 : lp->kernel->weight_bytes(l, begin);
    uint64_t bytes = lp->kernel->weight_bytes(l, end < l->y.c ? end : l->y.c) - from;
    if (first != NULL) {
        *first = from;
    }
    return from % 4 == 0 ? (bytes + 3) / 4 * 4 : bytes; /* whole words go straight through the bus */
}

uint32_t ts__chunk_loads(const ts_layer_plan *lp) {
    bool again = !lp->l3.chunks_outer && lp->l3.chunks > 1;
    return lp->l3.chunks * (again ? lp->l3.stripes : 1);
}

static uint32_t stripe_loads(const ts_layer_plan *lp) {
    bool again = lp->l3.chunks_outer && lp->l3.chunks > 1;
    return lp->l3.stripes * (again ? lp->l3.chunks : 1);
}

static uint64_t stripe_bytes(const ts_layer_plan *lp, uint32_t stripe) {
    const ts_layer *l = lp->layer;
    uint64_t rows = ts__stripe_rows(lp, stripe, NULL);
    rows -= lp->l3.keeps_halo ? ts__halo_rows(lp, stripe) : 0;
    uint64_t bytes = lp->l3.x_in_l3 ? rows * l->x.w * l->x.pixel_bytes : 0;
    uint64_t x2_rows = ts_layer_x2_rows(l, (uint32_t)rows);
    return bytes + (lp->l3.x2_in_l3 ? x2_rows * l->x2.w * l->x2.pixel_bytes : 0);
}

uint64_t ts__stripe_traffic(const ts_layer_plan *lp) {
    uint64_t bytes = lp->l3.y_in_l3 ? ts_map_bytes(&lp->layer->y) : 0;
    for (uint32_t s = 0; s < lp->l3.stripes; s++) {
        bytes += stripe_bytes(lp, s) * (stripe_loads(lp) / lp->l3.stripes);
    }
    return bytes;
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

/* Loads of the layer alone: two ahead. */
static void ask_alone(schedule *s, passes *state, ts_layer_plan *lp, uint32_t part, double now) {
    for (uint32_t n = part == 0 ? 0 : part + 1; n <= part + 1 && n < ts__chunk_loads(lp); n++) {
        uint64_t bytes = ts__chunk_bytes(lp, n, NULL);
        state->w_ready[n % 2] = bus_read_weights(&s->bus, now, bytes);
        lp->l3_read_bytes += bytes;
    }
}

/* Starts the fetches that wait for `step`, which begins now. */
static void start_fetches(schedule *s, uint32_t step, double now) {
    ts_plan *plan = s->p->plan;
    while (s->asked < plan->fetches.count && plan->fetches.data[s->asked].step <= step) {
        const ts_fetch *fetch = &plan->fetches.data[s->asked];
        s->p->arrivals.data[s->asked++] = bus_read_weights(&s->bus, now, fetch->bytes);
        plan->layer_plans[fetch->layer].l3_read_bytes += fetch->bytes;
    }
}

/* Begins the step with which a layer needs the `part`-th load of its weights; returns when that is there. */
static double begin_step(schedule *s, passes *state, ts_layer_plan *lp, uint32_t part, double now) {
    if (s->alone) {
        ask_alone(s, state, lp, part, now);
        return state->w_ready[part % 2];
    }
    start_fetches(s, lp->l3.first_step + part, now);
    return ts__weight_bytes(lp, lp->layer->y.c) > 0 ? s->p->arrivals.data[lp->l3.first_fetch + part] : now;
}

static double pass_cycles(const schedule *s, const ts_layer_plan *lp, uint32_t stripe, uint32_t chunk) {
    double rows_all = lp->layer->y.h, channels_all = lp->layer->y.c;
    uint32_t c = lp->layer->y.c - chunk * lp->l3.chunk_c;
    c = c < lp->l3.chunk_c ? c : lp->l3.chunk_c;
    double cycles = lp->work_cycles * (rows_of(lp, stripe) / rows_all) * (c / channels_all);
    cycles += lp->l3.chunks > 1 ? CHUNK_CYCLES : 0;
    bool keeps = lp->l3.keeps_halo && chunk == 0 && stripe + 1 < lp->l3.stripes;
    return cycles + (keeps ? ts__halo_cycles(s->bus.target, lp, stripe + 1) : 0);
}

/* Runs the passes from time `now`; the first stripe has been asked for. Returns the layer's end. */
static double run_passes(schedule *s, passes *state, ts_layer_plan *lp, double now) {
    uint32_t total = lp->l3.chunks * lp->l3.stripes, loads = ts__chunk_loads(lp);
    uint32_t inner = lp->l3.chunks_outer ? lp->l3.stripes : lp->l3.chunks;
    double w_ready = 0;
    for (uint32_t i = 0; i < total; i++) {
        uint32_t stripe = lp->l3.chunks_outer ? i % inner : i / inner;
        uint32_t chunk = lp->l3.chunks_outer ? i / inner : i % inner;
        uint32_t passes_of_load = total / loads;
        if (i % passes_of_load == 0) {
            w_ready = begin_step(s, state, lp, i / passes_of_load, now);
        }
        if (i == 0) {
            ask_stripe(&s->bus, state, lp, now);
        }
        uint32_t x_load = lp->l3.chunks_outer && lp->l3.chunks > 1 ? i : stripe;
        now = later(now, later(w_ready, state->x_ready[x_load % 2]));
        now = lp->l3.y_in_l3 ? later(now, state->y_ready[stripe % 2]) : now;
        double cycles = pass_cycles(s, lp, stripe, chunk);
        now += cycles;
        if (i + 1 == total && lp->l3.tail_step > 0 && !s->alone) {
            start_fetches(s, lp->l3.tail_step, now - ts__tail_cycles(lp));
        }
        state->busy_cycles += cycles;
        if (lp->l3.chunks_outer || chunk + 1 == lp->l3.chunks) {
            ask_stripe(&s->bus, state, lp, now);
        }
        if (lp->l3.y_in_l3 && chunk + 1 == lp->l3.chunks) {
            uint64_t bytes = (uint64_t)rows_of(lp, stripe) * lp->layer->y.w * lp->layer->y.pixel_bytes;
            state->y_ready[stripe % 2] = bus_write(&s->bus, now, bytes);
            lp->l3_write_bytes += bytes;
        }
    }
    return lp->l3.y_in_l3 ? later(now, later(state->y_ready[0], state->y_ready[1])) : now;
}

static double run_layer(schedule *s, passes *state, ts_layer_plan *lp, double now) {
    ask_stripe(&s->bus, state, lp, now);
    return run_passes(s, state, lp, now);
}

static void forget_traffic(ts_layer_plan *lp) { lp->l3_read_bytes = lp->l3_write_bytes = 0; }

double ts__schedule(ts_planner *p) {
    ts_plan *plan = p->plan;
    schedule s = {.p = p, .bus = bus_of(p->target)};
    double now = 0;
    while (p->arrivals.count < plan->fetches.count) {
        TS_PUSH(p->arena, &p->arrivals, 0);
    }
    for (uint32_t i = 0; i < plan->layer_count; i++) {
        forget_traffic(&plan->layer_plans[i]);
    }
    for (uint32_t i = 0; i < plan->layer_count; i++) {
        ts_layer_plan *lp = &plan->layer_plans[i];
        passes state = {0};
        double begin = now;
        now = run_layer(&s, &state, lp, now);
        lp->l3_wait_cycles = later(now - begin - state.busy_cycles, 0);
        lp->modelled_cycles = now - begin;
    }
    return now;
}

double ts__schedule_alone(ts_planner *p, uint32_t layer) {
    ts_layer_plan copy = p->plan->layer_plans[layer];
    schedule s = {.p = p, .bus = bus_of(p->target), .alone = true};
    passes state = {0};
    return run_layer(&s, &state, &copy, 0);
}
