/* Transfers between the memories; asynchronous, with tickets.
 *
 * L1 <-> L2, all called by core 0 of the team. The L1 side is contiguous, the L2 side has `lines` lines of
 * `line_bytes`, `stride_bytes` apart; 3-D: `planes` such blocks, `plane_bytes` apart.
 *
 *   ts_ticket ts_dma_in_1d(void *l1, const void *l2, bytes)
 *   ts_ticket ts_dma_out_1d(void *l2, const void *l1, bytes)
 *   ts_ticket ts_dma_in_2d(void *l1, const void *l2, lines, line_bytes, stride_bytes)
 *   ts_ticket ts_dma_out_2d(void *l2, const void *l1, lines, line_bytes, stride_bytes)
 *   ts_ticket ts_dma_in_3d(void *l1, const void *l2, lines, line_bytes, stride_bytes, planes, plane_bytes)
 *   ts_ticket ts_dma_out_3d(void *l2, const void *l1, lines, line_bytes, stride_bytes, planes, plane_bytes)
 *   ts_ticket ts_dma_in_rows(void *l1, l1_stride_bytes, const void *l2, lines, line_bytes, stride_bytes)
 *                                     strided on both sides (padded tiles): a transfer a line
 *   ts_ticket ts_dma_in_begin(void)   a ticket for several blocks, each of at least a line, that are started
 *   void ts_dma_in_more(void *l1, const void *l2, lines, line_bytes, stride_bytes)
 *                                     before any other transfer; by any core, which then waits for
 *                                     them itself (hal/pulp alone: kernels/xpulp/strips.h)
 *   void ts_dma_wait(ts_ticket)       returns when the transfer is complete; a barrier shows it to all cores
 *
 * L3 -> L2 and L2 -> L3 (core 0; 1-D; addresses are offsets in the L3 memory):
 *   ts_ticket ts_l3_read (void *l2, uint32_t l3, uint32_t bytes)
 *   ts_ticket ts_l3_write(uint32_t l3, const void *l2, uint32_t bytes)
 *   void ts_l3_wait(ts_ticket)
 *   int ts_l3_done(ts_ticket)       would ts_l3_wait() return at once? It is to be called all the same
 *   void ts_l3_poll(void)           lets queued L3 transfers advance; called once a tile
 *   uint32_t ts_l3_room(void)       transfers that can be started at once without waiting for others
 *
 * Transfers of one kind complete in the order in which they were started. Any number of L3 transfers up to
 * TS_L3_QUEUE may be pending; any byte count and alignment is served. A ticket may be waited for once. */
#ifndef TS_HAL_DMA_H
#define TS_HAL_DMA_H

#include <stdint.h>

typedef uint32_t ts_ticket;

#include "dma_impl.h"

#endif
