/* One level of memory: no tiles. A layer is one call of its kernel on tensors where they live, or one for
 * each block of its weights where the target wants them copied from flash first. */
#include "plan/planner.h"

/* Entering a layer and calling its kernel, in cycles. */
static const double CALL_CYCLES = 40, COPY_CYCLES = 20;

bool ts__is_flat(const ts_target *target) { return ts_target_levels(target) == 1; }

/* Output channels of one block of weights: as many as the target's buffer holds, one granule at least. Where
 * x would be cut with y there is one block: kernels read whole pixels of x. */
static uint32_t block_channels(const ts_planner *p, const ts_layer_plan *lp) {
    uint32_t channels = lp->layer->y.c, granule = ts__tile_granule(lp->layer, lp->kernel);
    uint64_t buffer = p->target->weight_buffer_bytes;
    if (buffer == 0 || ts__cuts_x(lp->layer) || ts__weight_bytes(lp, channels) <= buffer) {
        return channels;
    }
    uint32_t blocks = channels / granule;
    while (blocks > 1 && ts__weight_bytes(lp, blocks * granule) > buffer) {
        blocks--;
    }
    return blocks > 0 && blocks * granule < channels ? blocks * granule : channels;
}

static void set_calls(const ts_planner *p, ts_layer_plan *lp) {
    const ts_layer *l = lp->layer;
    uint32_t channels = block_channels(p, lp);
    ts_l1_plan *l1 = &lp->l1;
    *l1 = (ts_l1_plan){.pass_h = l->y.h, .pass_c = l->y.c, .tiles_h = 1, .tiles_w = 1};
    l1->tile = (ts_tile){l->y.h, l->y.w, channels, l->x.h, l->x.w, l->x.c};
    l1->tiles_c = (l->y.c + channels - 1) / channels;
    l1->order = TS_LOOP_PIXELS_INNER;
    l1->scratch_bytes = (lp->kernel->scratch_bytes(l, &l1->tile, 1) + 3) / 4 * 4;
    l1->w_bytes = ts__weight_bytes(lp, channels);
    l1->w_count = p->target->weight_buffer_bytes > 0 && l1->w_bytes > 0;
}

void ts__plan_flat(const ts_planner *p, ts_layer_plan *lp) {
    const ts_layer *l = lp->layer;
    set_calls(p, lp);
    lp->compute_cycles = 0;
    for (uint32_t c = 0; c < l->y.c; c += lp->l1.tile.y_c) {
        ts_tile tile = lp->l1.tile;
        tile.y_c = l->y.c - c < tile.y_c ? l->y.c - c : tile.y_c;
        lp->compute_cycles += lp->kernel->cycles(l, &tile, 1);
    }
    for (uint32_t i = 0; i < l->copy_count; i++) {
        const ts_copy *c = &l->copies[i];
        double lines = (double)c->count[0] * c->count[1] * c->count[2];
        lp->compute_cycles += lines * (COPY_CYCLES + c->bytes);
    }
    double copies = lp->l1.w_count > 0 ? (double)ts__weight_bytes(lp, l->y.c) : 0;
    lp->work_cycles = lp->modelled_cycles = lp->compute_cycles + CALL_CYCLES * lp->l1.tiles_c + copies;
    lp->l3_wait_cycles = 0;
    lp->dma_in_bytes = lp->dma_out_bytes = lp->l3_read_bytes = lp->l3_write_bytes = 0;
}
