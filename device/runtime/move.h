/* Layers that move elements and compute nothing: concatenations, slices, paddings, transpositions and the
 * like.
 *
 * Such a layer is a list of copies from its inputs to its output, each `bytes` contiguous bytes repeated
 * along three axes, the innermost first. Core 0 carries them through two blocks of L1 in turn: what leaves
 * one runs beside what enters the other. Tensors in L3 pass a block of L2 on their way. */
#ifndef TS_RUNTIME_MOVE_H
#define TS_RUNTIME_MOVE_H

#include "runtime/network.h"

enum ts_copy_source { TS_COPY_L2, TS_COPY_L3, TS_COPY_FILL };

struct ts_copy {
    uint8_t source;    /* enum ts_copy_source */
    uint32_t from, to; /* offsets in the lent L2 or the network's part of L3 */
    uint32_t bytes, count[3];
    uint32_t x_step[3], y_step[3]; /* from one repetition to the next, in bytes */
};

struct ts_move {
    const struct ts_copy *copies;
    uint32_t copy_count;
    uint32_t block_bytes;      /* of each of the two blocks, which begin L1 */
    uint32_t x_block, y_block; /* offsets in L2 of blocks for tensors in L3 */
    uint32_t border_bytes;     /* of each of these */
    uint32_t fill;             /* four bytes that TS_COPY_FILL repeats */
    int y_in_l3;
};

/* Carries out all copies; called by every core of the team. Returns when the output is complete. */
void ts_move_all(struct ts_run *run, const struct ts_move *move);

#endif
