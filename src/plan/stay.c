/* Maps that stay in L1: what a layer computes is left where the next one reads it, and is neither stored nor
 * loaded. Chosen when everything else of the plan stands. */
#include <math.h>

#include "plan/planner.h"

static bool has_window(const ts_layer *l) {
    return l->kind == TS_LAYER_CONV || l->kind == TS_LAYER_DWCONV || l->kind == TS_LAYER_LINEAR ||
           l->kind == TS_LAYER_MAX_POOL || l->kind == TS_LAYER_AVG_POOL;
}

/* One pass over maps in L2, in any order of its tiles. */
static bool is_plain(const ts_layer_plan *lp) {
    const ts_l3_plan *l3 = &lp->l3;
    return has_window(lp->layer) && l3->chunks == 1 && l3->stripes == 1 && !l3->x_in_l3 && !l3->y_in_l3 &&
           lp->x_behind_y == 0 && lp->most_h == 0;
}

/* Does nobody but layer `i` + 1 read what layer `i` computes, and that as it lies? */
static bool may_stay(const ts_planner *p, uint32_t i) {
    const ts_layer_plan *from = &p->plan->layer_plans[i], *to = from + 1;
    const ts_map_shape *y = &from->layer->y, *x = &to->layer->x;
    if (!is_plain(from) || !is_plain(to) || x->tensor != y->tensor || to->kernel->padded_x ||
        to->kernel->rewrites_x || ts_type_bits(y->type) != 8 || ts_map_bytes(x) != ts_map_bytes(y) ||
        x->pixel_bytes != x->c || y->pixel_bytes != y->c) {
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

/* Places a layer's buffers; a map that stays lies at one end of L1, another at the other end. */
static void lay_out(ts_layer_plan *lp, bool x_high, uint64_t guard, uint64_t top) {
    ts_l1_plan *l1 = &lp->l1;
    bool y_high = lp->x_stays && !x_high;
    uint64_t at = 0, high = top;
    const struct {
        uint64_t *offset, bytes;
        uint32_t count;
        bool stays, high;
    } rows[] = {{l1->x_offset, l1->x_bytes, l1->x_count, lp->x_stays, x_high},
                {l1->y_offset, l1->y_bytes, l1->y_count, lp->y_stays, y_high},
                {l1->w_offset, l1->w_bytes, l1->w_count, false, false},
                {&l1->scratch_offset, l1->scratch_bytes, l1->scratch_bytes > 0, false, false}};
    for (int others = 0; others < 2; others++) {
        for (uint32_t r = 0; r < sizeof rows / sizeof rows[0]; r++) {
            for (uint32_t n = 0; n < rows[r].count && rows[r].stays == (others == 0); n++) {
                bool up = rows[r].stays && rows[r].high;
                high -= up ? rows[r].bytes + guard : 0;
                rows[r].offset[n] = up ? high : at;
                at += up ? 0 : rows[r].bytes + guard;
            }
        }
    }
    l1->used_bytes = high < top ? top : at;
}

/* The bytes that a layer needs of L1, whatever lies where. */
static uint64_t needed_bytes(const ts_l1_plan *l1, uint64_t guard) {
    return l1->x_count * (l1->x_bytes + guard) + l1->y_count * (l1->y_bytes + guard) +
           l1->w_count * (l1->w_bytes + guard) + l1->scratch_bytes + guard;
}

void ts__lay_out_staying(ts_planner *p) {
    ts_plan *plan = p->plan;
    uint64_t guard = plan->options.guard_bytes, top = 0;
    for (uint32_t i = 0; i < plan->layer_count; i++) {
        const ts_layer_plan *lp = &plan->layer_plans[i];
        uint64_t bytes = lp->x_stays || lp->y_stays ? needed_bytes(&lp->l1, guard) : 0;
        top = bytes > top ? bytes : top;
    }
    bool high = false; /* does the map in front of this layer lie at the upper end? */
    for (uint32_t i = 0; i < plan->layer_count; i++) {
        ts_layer_plan *lp = &plan->layer_plans[i];
        if (lp->x_stays || lp->y_stays) {
            lay_out(lp, high, guard, top);
        }
        high = lp->y_stays && lp->x_stays && !high;
    }
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
    ts_guard_undefer(scratch);
    ts_arena_free(scratch);
}
