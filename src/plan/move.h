/* Layers that move elements (concatenations, slices, ...) as lists of copies, and what they cost. */
#ifndef TS_PLAN_MOVE_H
#define TS_PLAN_MOVE_H

#include "plan/plan.h"

/* Bytes of each of the two L1 blocks through which copies go, at most, and of the L2 block at the border to
 * L3. */
enum { TS_MOVE_BLOCK_BYTES = 4096, TS_MOVE_BORDER_BYTES = 4096 };

/* Fills layer->copies from a verified node: every byte of y is written exactly once. */
void ts__move_copies(ts_arena *arena, const ts_graph *graph, const ts_node *node, ts_layer *layer);

/* L1 bytes of one block for this layer in `l1_bytes` of L1; whole words, 0 where there is no room. */
uint32_t ts__move_block(const ts_layer *layer, uint64_t l1_bytes);

/* L2 bytes of the block at the border to L3. */
uint32_t ts__move_border(const ts_layer *layer);

/* The L1 side of such a layer, and its modelled cycles without waiting for L3: fills lp->l1 and the costs.
 * False where L1 has no room for two blocks of a word. */
bool ts__move_plan(const ts_target *target, uint64_t l1_bytes, ts_layer_plan *lp);

#endif
