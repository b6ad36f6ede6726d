/* Maps that stay in L1: what a layer computes is left where the next one reads it, and is neither stored nor
 * loaded. Chosen when everything else of the plan stands. */
#include <math.h>

#include "plan/planner.h"

static bool has_window(const ts_layer *l) {
    return l->kind == TS_LAYER_CONV || l->kind == TS_LAYER_DWCONV || l->kind == TS_LAYER_LINEAR ||
           l->kind == TS_LAYER_MAX_POOL || l->kind == TS_LAYER_AVG_POOL;
}

/* Whole maps in L2, in any order of its tiles; its weights may come in chunks. */
static bool is_plain(const ts_layer_plan *lp) {
    const ts_l3_plan *l3 = &lp->l3;
    return has_window(lp->layer) && l3->stripes == 1 && !l3->x_in_l3 && !l3->y_in_l3 && lp->x_behind_y == 0 &&
           lp->most_h == 0;
}

/* Does nobody but layer `i` + 1 read what layer `i` computes, and that as it lies? */
static bool may_stay(const ts_planner *p, uint32_t i) {
    const ts_layer_plan *from = &p->plan->layer_plans[i], *to = from + 1;
    const ts_map_shape *y = &from->layer->y, *x = &to->layer->x;
    if (!is_plain(from) || !is_plain(to) || x->tensor != y->tensor || to->kernel->padded_x ||
        to->kernel->rewrites_x || to->kernel->x_strips || ts_type_bits(y->type) != 8 ||
        ts_map_bytes(x) != ts_map_bytes(y) || x->pixel_bytes != x->c || y->pixel_bytes != y->c) {
        return false;
    }
    const ts_life *life = &p->lives[y->tensor];
    return !life->is_output && life->first == i && life->last == i + 1;
}

/* The layer with its maps staying or not, tiles chosen for it; false where it does not fit L1 so. */
static bool plan_with(ts_planner *p, const ts_layer_plan *lp, bool x_stays, bool y_stays,
                      ts_layer_plan *out) {
    *out = *lp;
    if (!x_stays && !y_stays) {
        return true;
    }
    out->x_stays = x_stays;
    out->y_stays = y_stays;
    out->l1.pass_h = 0; /* no tiles yet */
    return ts__plan_passes(p, out);
}

/* The ways to plan a layer: [x stays][y stays]. */
typedef struct ways {
    ts_layer_plan plan[2][2];
    bool fits[2][2];
} ways;

static void find_ways(ts_planner *p, uint32_t i, bool x_may, bool y_may, ways *out) {
    for (int x = 0; x < 2; x++) {
        for (int y = 0; y < 2; y++) {
            out->fits[x][y] = (x == 0 || x_may) && (y == 0 || y_may) &&
                              plan_with(p, &p->plan->layer_plans[i], x != 0, y != 0, &out->plan[x][y]);
        }
    }
}

/* The least cycles of layers [0, i] by whether the map behind layer i stays, and how layer i begins there. */
typedef struct best {
    double cycles[2];
    bool x_stays[2];
} best;

/* Where a layer's buffers are placed: from the lower end of L1 up, or from the upper end down. */
typedef struct side {
    bool high;
    uint64_t at, top, guard;
} side;

static void put(side *s, uint64_t *offset, uint32_t count, uint64_t bytes) {
    for (uint32_t n = 0; n < count && bytes > 0; n++) {
        offset[n] = s->high ? s->top - s->at - bytes - s->guard : s->at;
        s->at += bytes + s->guard;
    }
}

static void put_pair(side *s, uint64_t offset[2], uint32_t count, uint64_t bytes) {
    offset[0] = s->high ? s->top - s->at : s->at;
    put(s, offset, count, bytes);
    offset[1] = count < 2 ? offset[0] : offset[1];
}

/* All on the layer's side, but for a y that stays, which lies at the other end, where the next layer begins.
 */
static void lay_out(ts_layer_plan *lp, bool high, uint64_t guard, uint64_t top) {
    ts_l1_plan *l1 = &lp->l1;
    side own = {high, 0, top, guard}, other = {!high, 0, top, guard};
    put_pair(&own, l1->x_offset, l1->x_count, l1->x_bytes);
    put_pair(&own, l1->x2_offset, l1->x2_count, l1->x2_bytes);
    put_pair(&own, l1->w_offset, l1->w_count, l1->w_bytes);
    put_pair(lp->y_stays ? &other : &own, l1->y_offset, l1->y_count, l1->y_bytes);
    put(&own, &l1->scratch_offset, 1, l1->scratch_bytes);
    l1->used_bytes = own.at + other.at;
}

/* The bytes that a layer needs of L1, whatever lies where. */
static uint64_t needed_bytes(const ts_l1_plan *l1, uint64_t guard) {
    uint32_t buffers = l1->x_count + l1->x2_count + l1->w_count + l1->y_count + (l1->scratch_bytes > 0);
    return l1->x_count * l1->x_bytes + l1->x2_count * l1->x2_bytes + l1->w_count * l1->w_bytes +
           l1->y_count * l1->y_bytes + l1->scratch_bytes + buffers * guard;
}

/* How much of L1 is laid out: what every layer needs, and where there is room for it, the first weights of
 * the next one beside it. */
static uint64_t top_of(const ts_plan *plan, bool alternates) {
    uint64_t guard = plan->options.guard_bytes, most = 0, top = 0;
    for (uint32_t i = 0; i < plan->layer_count; i++) {
        const ts_layer_plan *lp = &plan->layer_plans[i];
        bool moves = lp->layer->kind == TS_LAYER_MOVE;
        uint64_t bytes = moves ? lp->l1.used_bytes : needed_bytes(&lp->l1, guard), both = bytes;
        if (alternates && i + 1 < plan->layer_count && is_plain(lp) && has_window(lp[1].layer)) {
            both += lp[1].l1.w_bytes + guard;
            both += lp->y_stays ? 0 : lp[1].l1.x_count * (lp[1].l1.x_bytes + guard);
        }
        most = bytes > most ? bytes : most;
        top = both > top ? both : top;
    }
    uint64_t given = plan->options.l1_bytes / 4 * 4;
    top = top < given ? top : given;
    return top > most ? top : most;
}

static bool apart(uint64_t at, uint64_t bytes, const uint64_t *offset, uint32_t count, uint64_t size) {
    bool all = true;
    for (uint32_t n = 0; n < count && size > 0; n++) {
        all = all && (at + bytes <= offset[n] || offset[n] + size <= at);
    }
    return all;
}

/* Is the first buffer of a layer's weights free while the layer before runs? */
static bool is_free_before(const ts_layer_plan *lp, uint64_t guard) {
    const ts_l1_plan *l1 = &lp[-1].l1;
    uint64_t at = lp->l1.w_offset[0], bytes = lp->l1.w_bytes + guard;
    return apart(at, bytes, l1->x_offset, l1->x_count, l1->x_bytes + guard) &&
           apart(at, bytes, l1->x2_offset, l1->x2_count, l1->x2_bytes + guard) &&
           apart(at, bytes, l1->w_offset, l1->w_count, l1->w_bytes + guard) &&
           apart(at, bytes, l1->y_offset, l1->y_count, l1->y_bytes + guard) &&
           apart(at, bytes, &l1->scratch_offset, l1->scratch_bytes > 0, l1->scratch_bytes + guard);
}

/* Are a layer's first weights better loaded beside the last tile of the layer before than from its beginning,
 * where they would keep its own tiles waiting? They must be where its own weights come in chunks, whose order
 * in the list of fetches is the order in which they are awaited. */
static bool suits_last(const ts_planner *p, const ts_layer_plan *lp) {
    const ts_layer_plan *before = lp - 1;
    double rate = p->target->dma.bytes_per_cycle > 0 ? p->target->dma.bytes_per_cycle : 4;
    double tile = ts__tail_cycles(before);
    bool tiles = tile < before->work_cycles;
    return before->l3.chunks > 1 || (tiles && (double)lp->l1.w_bytes / rate <= tile);
}

/* Have the weights arrived when the layer before, which begins at `begin`, would load them? Then nobody is
 * kept waiting for them there. */
static bool have_arrived(const ts_planner *p, const ts_layer_plan *lp, double begin, bool last) {
    const ts_fetch *fetch = &p->plan->fetches.data[lp->l3.first_fetch];
    const ts_layer_plan *before = lp - 1;
    double when = begin + (last ? before->modelled_cycles - ts__tail_cycles(before) : 0);
    return lp->l3.weights_bytes > 0 && fetch->step < before->l3.first_step + before->l3.chunks &&
           p->arrivals.data[lp->l3.first_fetch] <= when;
}

void ts__lay_out_l1(ts_planner *p) {
    ts_plan *plan = p->plan;
    bool alternates = plan->options.objective == TS_OBJECTIVE_LATENCY;
    uint64_t guard = plan->options.guard_bytes, top = top_of(plan, alternates);
    double begin = 0;
    for (uint32_t i = 0; i < plan->layer_count; i++) {
        ts_layer_plan *lp = &plan->layer_plans[i];
        if (lp->layer->kind != TS_LAYER_MOVE) {
            lay_out(lp, alternates && i % 2 != 0 && is_plain(lp), guard, top);
        }
        if (i > 0 && alternates) {
            bool simple = is_plain(lp) && is_plain(lp - 1) && lp->l1.w_count > 0;
            bool last = simple && suits_last(p, lp);
            lp->w_early = simple && have_arrived(p, lp, begin, last) && is_free_before(lp, guard);
            lp->w_early_last = lp->w_early && last;
            begin += lp[-1].modelled_cycles;
        }
    }
    plan->l1_used_bytes = top;
}

/* Follows the choices back from the last layer. */
static void take(ts_plan *plan, const ways *all, const best *bests) {
    bool stays = false;
    for (uint32_t i = plan->layer_count; i-- > 0;) {
        bool x_stays = bests[i].x_stays[stays];
        plan->layer_plans[i] = all[i].plan[x_stays][stays];
        stays = x_stays;
    }
}

/* Layers that became shorter may wait for weights instead: takes back what the schedule of all layers does
 * not gain by. */
static void take_back(ts_planner *p, const ways *all) {
    ts_plan *plan = p->plan;
    double least = ts__schedule(p);
    for (uint32_t i = 0; i + 1 < plan->layer_count; i++) {
        ts_layer_plan *from = &plan->layer_plans[i], *to = from + 1, kept = *from, after = *to;
        if (!from->y_stays || !all[i].fits[from->x_stays][0] || !all[i + 1].fits[0][to->y_stays]) {
            continue;
        }
        bool x_stays = from->x_stays, y_stays = to->y_stays;
        *from = all[i].plan[x_stays][0];
        *to = all[i + 1].plan[0][y_stays];
        double cycles = ts__schedule(p);
        if (cycles < least) {
            least = cycles;
        } else {
            *from = kept;
            *to = after;
        }
    }
}

static void free_arena(void *arena) { ts_arena_free(arena); }

void ts__choose_staying(ts_planner *p) {
    ts_plan *plan = p->plan;
    ts_arena *scratch = ts_arena_new("maps that stay", 0);
    ts_guard_defer(free_arena, scratch);
    ways *all = TS_NEW_ARRAY(scratch, ways, plan->layer_count);
    best *bests = TS_NEW_ARRAY(scratch, best, plan->layer_count);
    for (uint32_t i = 0; i < plan->layer_count; i++) {
        bool x_may = i > 0 && may_stay(p, i - 1), y_may = i + 1 < plan->layer_count && may_stay(p, i);
        find_ways(p, i, x_may, y_may, &all[i]);
        for (int y = 0; y < 2; y++) {
            bests[i].cycles[y] = HUGE_VAL;
            for (int x = 0; x < 2; x++) {
                double before = i > 0 ? bests[i - 1].cycles[x] : x == 0 ? 0 : HUGE_VAL;
                double cycles = all[i].fits[x][y] ? before + all[i].plan[x][y].work_cycles : HUGE_VAL;
                if (cycles < bests[i].cycles[y]) {
                    bests[i].cycles[y] = cycles;
                    bests[i].x_stays[y] = x != 0;
                }
            }
        }
    }
    take(plan, all, bests);
    take_back(p, all);
    ts_guard_undefer(scratch);
    ts_arena_free(scratch);
}
