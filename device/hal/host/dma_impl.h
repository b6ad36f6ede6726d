/* Transfers on the host: copies. When they happen is a choice, since each exposes another mistake: at the
 * wait (the default; data used before the wait are old) or at the start (buffers refilled while in use are
 * overwritten). L3 is an array. */
#ifndef TS_HAL_HOST_DMA_H
#define TS_HAL_HOST_DMA_H

enum { TS_L3_QUEUE = 48 };

ts_ticket ts_dma_in_1d(void *l1, const void *l2, uint32_t bytes);
ts_ticket ts_dma_out_1d(void *l2, const void *l1, uint32_t bytes);
ts_ticket ts_dma_in_2d(void *l1, const void *l2, uint32_t lines, uint32_t line_bytes,
                       uint32_t l2_stride_bytes);
ts_ticket ts_dma_out_2d(void *l2, const void *l1, uint32_t lines, uint32_t line_bytes,
                        uint32_t l2_stride_bytes);
ts_ticket ts_dma_in_3d(void *l1, const void *l2, uint32_t lines, uint32_t line_bytes,
                       uint32_t l2_stride_bytes, uint32_t planes, uint32_t l2_plane_bytes);
ts_ticket ts_dma_out_3d(void *l2, const void *l1, uint32_t lines, uint32_t line_bytes,
                        uint32_t l2_stride_bytes, uint32_t planes, uint32_t l2_plane_bytes);
ts_ticket ts_dma_in_rows(void *l1, uint32_t l1_stride_bytes, const void *l2, uint32_t lines,
                         uint32_t line_bytes, uint32_t l2_stride_bytes);
void ts_dma_wait(ts_ticket ticket);

ts_ticket ts_l3_read(void *l2, uint32_t l3, uint32_t bytes);
ts_ticket ts_l3_write(uint32_t l3, const void *l2, uint32_t bytes);
void ts_l3_wait(ts_ticket ticket);
int ts_l3_done(ts_ticket ticket);
void ts_l3_poll(void);
uint32_t ts_l3_room(void);

/* Chooses when copies happen: nonzero = when they are started. */
void ts_host_dma_early(int early);

/* Bounds that transfers must respect, and the contents of L3. Leaving them ends the program with a message.
 */
void ts_host_memory(uint8_t *l1, uint32_t l1_bytes, uint8_t *l2, uint32_t l2_bytes, uint8_t *l3,
                    uint32_t l3_bytes);

/* Transfers that were started and not waited for: between L1 and L2, and with L3. */
uint32_t ts_host_dma_pending(void);
uint32_t ts_host_l3_pending(void);

#endif
