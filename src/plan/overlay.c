/* Layers whose output lies over their input.
 *
 * A layer that computes rows in order reads row r of x for the last time before it writes the rows of y that
 * come after. Where x is read by no later layer, y may therefore begin a few rows before x and overwrite what
 * has been read: both together need little more than the larger one, where apart they would not fit L2 and
 * one of them would live in L3. */
#include "plan/planner.h"

static uint64_t row_bytes(const ts_map_shape *map) { return (uint64_t)map->w * map->pixel_bytes; }

/* All tiles of rows [h, h + tile_h) of y are computed before those of later rows; when the last of them are
 * written, x is still read from the first row on that these rows need. */
static uint64_t bytes_behind(const ts_layer *l, uint32_t tile_h) {
    uint64_t most = 0;
    for (uint32_t h = 0; h < l->y.h; h += tile_h) {
        uint32_t rows = l->y.h - h < tile_h ? l->y.h - h : tile_h, first = 0;
        (void)ts__rows_needed(h, rows, l->window.stride_h, l->window.kernel_h, l->window.dilation_h,
                              l->window.pad_top, l->x.h, &first);
        uint64_t written = (h + rows) * row_bytes(&l->y), read = first * row_bytes(&l->x);
        most = written > read && written - read > most ? written - read : most;
    }
    return (most + 3) / 4 * 4;
}

static uint64_t bytes_together(const ts_layer *l, uint64_t behind) {
    uint64_t x = ts_map_bytes(&l->x) + behind, y = ts_map_bytes(&l->y);
    return x > y ? x : y;
}

uint64_t ts__overlap_saves(const ts_layer_plan *lp) {
    if (lp->x_behind_y == 0) {
        return 0;
    }
    uint64_t apart = ts_map_bytes(&lp->layer->x) + ts_map_bytes(&lp->layer->y);
    uint64_t together = bytes_together(lp->layer, lp->x_behind_y);
    return together < apart ? apart - together : 0;
}

/* Nothing but this layer needs x while y is there, and both live in L2. */
static bool may_overlap(const ts_planner *p, const ts_layer *l) {
    const ts_life *x = &p->lives[l->x.tensor], *y = &p->lives[l->y.tensor];
    return l->kind != TS_LAYER_MOVE && !ts_layer_has_x2(l) && x->last == l->index && !x->is_output &&
           y->first == l->index;
}

/* Plans the layer so that both maps fit `room_bytes`: the tallest tiles with which they do. */
static bool overlap(ts_planner *p, ts_layer_plan *lp, uint64_t room_bytes) {
    const ts_layer *l = lp->layer;
    const ts_layer_plan kept = *lp;
    for (uint32_t h = l->y.h / 2; h > 0; h--) {
        if (bytes_together(l, bytes_behind(l, h)) > room_bytes) {
            continue;
        }
        lp->most_h = h;
        lp->l1.pass_h = 0; /* no tiles yet */
        if (ts__plan_passes(p, lp)) {
            lp->x_behind_y = bytes_behind(l, lp->l1.tile.y_h);
            if (bytes_together(l, lp->x_behind_y) <= room_bytes) {
                return true;
            }
        }
        *lp = kept;
    }
    return false;
}

bool ts__choose_overlaps(ts_planner *p) {
    bool any = false;
    for (uint32_t i = 0; i < p->plan->layer_count; i++) {
        ts_layer_plan *lp = &p->plan->layer_plans[i];
        uint64_t maps = ts_map_bytes(&lp->layer->x) + ts_map_bytes(&lp->layer->y);
        uint64_t others = ts__resident_bytes(p, i) - maps + ts__weight_bytes(lp, lp->layer->y.c) +
                          UINT64_C(3) * p->plan->options.guard_bytes;
        if (may_overlap(p, lp->layer) && others < p->l2_bytes && maps > p->l2_bytes - others) {
            any |= overlap(p, lp, p->l2_bytes - others);
        }
    }
    return any;
}

void ts__forget_overlap(ts_layer_plan *lp) {
    if (lp->most_h > 0) {
        lp->most_h = 0;
        lp->x_behind_y = 0;
        lp->l1.pass_h = 0; /* these tiles were for rows in order */
    }
}
