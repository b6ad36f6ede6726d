/* Transfers between the AXI bus and the data TCM by the STM32H7's MDMA (mdma.c), which runs beside the core.
 * A ticket is the set of channels that are at work. There is no L3.
 *
 * The driver leaves the data cache alone: AXI SRAM must not be cached (cache off, or an MPU region), since
 * the core would not see what the MDMA wrote, nor the MDMA what the core did. */
#ifndef TS_HAL_STM32H7_DMA_H
#define TS_HAL_STM32H7_DMA_H

#include <stddef.h>

#include "hal/stm32h7/mdma.h"

void *memcpy(void *restrict to, const void *restrict from, size_t bytes);

static inline ts_ticket ts_dma_in_rows(void *l1, uint32_t l1_stride_bytes, const void *l2, uint32_t lines,
                                       uint32_t line_bytes, uint32_t stride_bytes) {
    return mdma_start(l1, l1_stride_bytes, l2, stride_bytes, lines, line_bytes);
}

static inline ts_ticket ts_dma_in_1d(void *l1, const void *l2, uint32_t bytes) {
    return mdma_start(l1, bytes, l2, bytes, 1, bytes);
}

static inline ts_ticket ts_dma_out_1d(void *l2, const void *l1, uint32_t bytes) {
    return mdma_start(l2, bytes, l1, bytes, 1, bytes);
}

static inline ts_ticket ts_dma_in_2d(void *l1, const void *l2, uint32_t lines, uint32_t line_bytes,
                                     uint32_t stride_bytes) {
    return mdma_start(l1, line_bytes, l2, stride_bytes, lines, line_bytes);
}

static inline ts_ticket ts_dma_out_2d(void *l2, const void *l1, uint32_t lines, uint32_t line_bytes,
                                      uint32_t stride_bytes) {
    return mdma_start(l2, stride_bytes, l1, line_bytes, lines, line_bytes);
}

/* Planes take channels one after the other; a set that comes round again is the newer transfer's, which is
 * waited for as well. */
static inline ts_ticket ts_dma_in_3d(void *l1, const void *l2, uint32_t lines, uint32_t line_bytes,
                                     uint32_t stride_bytes, uint32_t planes, uint32_t plane_bytes) {
    ts_ticket ticket = 0;
    for (uint32_t i = 0; i < planes; i++) {
        ticket |= ts_dma_in_2d((uint8_t *)l1 + i * lines * line_bytes, (const uint8_t *)l2 + i * plane_bytes,
                               lines, line_bytes, stride_bytes);
    }
    return ticket;
}

static inline ts_ticket ts_dma_out_3d(void *l2, const void *l1, uint32_t lines, uint32_t line_bytes,
                                      uint32_t stride_bytes, uint32_t planes, uint32_t plane_bytes) {
    ts_ticket ticket = 0;
    for (uint32_t i = 0; i < planes; i++) {
        ticket |= ts_dma_out_2d((uint8_t *)l2 + i * plane_bytes, (const uint8_t *)l1 + i * lines * line_bytes,
                                lines, line_bytes, stride_bytes);
    }
    return ticket;
}

static inline void ts_dma_wait(ts_ticket ticket) { mdma_wait(ticket); }

#endif
