/* L2 -> L1: exact search for the tiles of one pass, and the cost model that it minimises
 * (docs/cost-model.md). Knows nothing of L3 and of other layers. */
#ifndef TS_PLAN_TILE_H
#define TS_PLAN_TILE_H

#include "plan/plan.h"

/* One pass of a layer: the first `h` output rows and `c` output channels (all columns), from tensors that
 * lie whole in L2. */
typedef struct ts_pass {
    const ts_layer *layer;
    const ts_kernel *kernel;
    const ts_target *target;
    uint32_t cores;
    uint64_t l1_bytes;
    uint32_t h, c;
    double repeats; /* chunks of c channels that follow each other without a gap: 1, or y.c / c */
    /* Not 0: tiles have at most so many rows, and all tiles of some rows come before those of later ones, so
     * that y may lie over x. */
    uint32_t most_h;
    bool x_stays, y_stays; /* ts_layer_plan */
} ts_pass;

/* What a pass costs in the model. */
typedef struct ts_pass_cost {
    double cycles;
    double compute_cycles;        /* of which kernels */
    uint64_t in_bytes, out_bytes; /* moved by the DMA */
    uint64_t tiles;
} ts_pass_cost;

/* Output channels of a tile are a multiple of this or all of them: the kernel's granule, whole bytes of
 * sub-byte elements, whole groups. */
uint32_t ts__tile_granule(const ts_layer *layer, const ts_kernel *kernel);

/* Columns of a tile are a multiple of this or all of them: maps in quads are cut between quads, and windows
 * that overlap need whole rows of them. */
uint32_t ts__tile_columns(const ts_layer *layer);

/* Fills the input side of a tile whose y_h, y_w and y_c are set: the most that any such tile needs. */
void ts__tile_complete(const ts_pass *pass, ts_tile *tile);

/* Bytes of one buffer each, scratch and offsets of `l1`, whose tile, order and counts are set. */
void ts__l1_layout(const ts_pass *pass, ts_l1_plan *l1);

/* Modelled cost of a pass with these tiles. */
ts_pass_cost ts__l1_cost(const ts_pass *pass, const ts_l1_plan *l1);

/* What a pass would cost with room for everything: the kernel on the whole pass at once, or each byte moved
 * once, whichever is more. A cut that happens to divide the work among the cores better may undercut it a
 * little. */
double ts__l1_bound(const ts_pass *pass);

/* The best tiling for the objective: fewest modelled cycles, or the DORY paper's score. False where even
 * the smallest tile does not fit. */
bool ts__l1_search(const ts_pass *pass, ts_objective objective, ts_l1_plan *out);

/* L1 bytes of the smallest tiling of the pass. */
uint64_t ts__l1_smallest(const ts_pass *pass);

/* Score of a tiling by the DORY paper: 0.5 * bytes + 1e6 * (tile parities) + 1e2 * im2col length. */
double ts__l1_dory_score(const ts_pass *pass, const ts_l1_plan *l1);

/* Rows (columns) of x that outputs [first, first + count) need, inside x; *begin may be NULL. */
uint32_t ts__rows_needed(uint32_t first, uint32_t count, uint32_t stride, uint32_t kernel, uint32_t dilation,
                         uint32_t pad, uint32_t size, uint32_t *begin);

/* May this layer's tiles cut the channels of x with those of y? */
bool ts__cuts_x(const ts_layer *layer);

#endif
