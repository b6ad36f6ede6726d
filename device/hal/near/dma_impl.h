/* Transfers of a chip with one core, as copies by the core: complete when they are started. Where a chip has
 * a DMA between its memories, a driver with these functions takes the place of this file. There is no L3. */
#ifndef TS_HAL_NEAR_DMA_H
#define TS_HAL_NEAR_DMA_H

#include <stddef.h>

/* Of <string.h>, which a freestanding compiler lacks; hal/near/mem.c has it there. */
void *memcpy(void *restrict to, const void *restrict from, size_t bytes);

static inline ts_ticket ts_dma_in_rows(void *l1, uint32_t l1_stride_bytes, const void *l2, uint32_t lines,
                                       uint32_t line_bytes, uint32_t stride_bytes) {
    for (uint32_t i = 0; i < lines; i++) {
        memcpy((uint8_t *)l1 + i * l1_stride_bytes, (const uint8_t *)l2 + i * stride_bytes, line_bytes);
    }
    return 0;
}

static inline ts_ticket ts_dma_in_1d(void *l1, const void *l2, uint32_t bytes) {
    memcpy(l1, l2, bytes);
    return 0;
}

static inline ts_ticket ts_dma_out_1d(void *l2, const void *l1, uint32_t bytes) {
    memcpy(l2, l1, bytes);
    return 0;
}

static inline ts_ticket ts_dma_in_2d(void *l1, const void *l2, uint32_t lines, uint32_t line_bytes,
                                     uint32_t stride_bytes) {
    return ts_dma_in_rows(l1, line_bytes, l2, lines, line_bytes, stride_bytes);
}

static inline ts_ticket ts_dma_out_2d(void *l2, const void *l1, uint32_t lines, uint32_t line_bytes,
                                      uint32_t stride_bytes) {
    for (uint32_t i = 0; i < lines; i++) {
        memcpy((uint8_t *)l2 + i * stride_bytes, (const uint8_t *)l1 + i * line_bytes, line_bytes);
    }
    return 0;
}

static inline ts_ticket ts_dma_in_3d(void *l1, const void *l2, uint32_t lines, uint32_t line_bytes,
                                     uint32_t stride_bytes, uint32_t planes, uint32_t plane_bytes) {
    for (uint32_t i = 0; i < planes; i++) {
        (void)ts_dma_in_2d((uint8_t *)l1 + i * lines * line_bytes, (const uint8_t *)l2 + i * plane_bytes,
                           lines, line_bytes, stride_bytes);
    }
    return 0;
}

static inline ts_ticket ts_dma_out_3d(void *l2, const void *l1, uint32_t lines, uint32_t line_bytes,
                                      uint32_t stride_bytes, uint32_t planes, uint32_t plane_bytes) {
    for (uint32_t i = 0; i < planes; i++) {
        (void)ts_dma_out_2d((uint8_t *)l2 + i * plane_bytes, (const uint8_t *)l1 + i * lines * line_bytes,
                            lines, line_bytes, stride_bytes);
    }
    return 0;
}

static inline void ts_dma_wait(ts_ticket ticket) { (void)ticket; }

#endif
