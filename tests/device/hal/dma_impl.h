/* Transfers for tests: copies, made when they are started. */
#ifndef TS_TESTS_DMA_IMPL_H
#define TS_TESTS_DMA_IMPL_H

#include <string.h>

static inline ts_ticket ts_dma_in_begin(void) { return 0; }

static inline void ts_dma_in_more(void *l1, const void *l2, uint32_t lines, uint32_t line_bytes,
                                  uint32_t stride_bytes) {
    for (uint32_t i = 0; i < lines; i++) {
        memcpy((uint8_t *)l1 + i * line_bytes, (const uint8_t *)l2 + i * stride_bytes, line_bytes);
    }
}

#endif
