/* L1 <-> L2 by MCHAN; L3 by jobs for the fabric controller, which keeps the uDMA busy while the cluster
 * computes.
 *
 * A ticket of an L1 <-> L2 transfer is its MCHAN counter; several commands may share one. The 16 counters
 * bound the transfers in flight: every ticket must be waited for. A ticket of an L3 transfer is the number of
 * jobs posted up to it. */
#ifndef TS_HAL_PULP_DMA_IMPL_H
#define TS_HAL_PULP_DMA_IMPL_H

#include "platform.h"

enum { TS_L3_QUEUE = 8 };

/* The ticket of a transfer of no bytes. */
#define TS_DMA_NONE 0xFFFFFFFFu

static inline void pulp_mchan_1d(uint32_t flags, const void *l1, const void *l2, uint32_t bytes) {
    PULP_REG(PULP_MCHAN_COMMAND) = bytes | flags | PULP_MCHAN_INCREMENT | PULP_MCHAN_EVENT;
    PULP_REG(PULP_MCHAN_COMMAND) = (uint32_t)(uintptr_t)l1;
    PULP_REG(PULP_MCHAN_COMMAND) = (uint32_t)(uintptr_t)l2;
}

static inline void pulp_mchan_2d(uint32_t flags, const void *l1, const void *l2, uint32_t lines,
                                 uint32_t line_bytes, uint32_t stride_bytes) {
    pulp_mchan_1d(flags | PULP_MCHAN_2D, l1, l2, lines * line_bytes);
    PULP_REG(PULP_MCHAN_COMMAND) = line_bytes;
    PULP_REG(PULP_MCHAN_COMMAND) = stride_bytes;
}

static inline ts_ticket pulp_transfer_2d(uint32_t flags, const void *l1, const void *l2, uint32_t lines,
                                         uint32_t line_bytes, uint32_t stride_bytes) {
    if (lines * line_bytes == 0) {
        return TS_DMA_NONE;
    }
    ts_ticket ticket = PULP_REG(PULP_MCHAN_COMMAND);
    if (lines == 1 || line_bytes == stride_bytes) {
        pulp_mchan_1d(flags, l1, l2, lines * line_bytes);
    } else {
        pulp_mchan_2d(flags, l1, l2, lines, line_bytes, stride_bytes);
    }
    return ticket;
}

static inline ts_ticket pulp_transfer_3d(uint32_t flags, const uint8_t *l1, const uint8_t *l2, uint32_t lines,
                                         uint32_t line_bytes, uint32_t stride_bytes, uint32_t planes,
                                         uint32_t plane_bytes) {
    if (lines * line_bytes * planes == 0) {
        return TS_DMA_NONE;
    }
    ts_ticket ticket = PULP_REG(PULP_MCHAN_COMMAND);
    for (uint32_t plane = 0; plane < planes; plane++) {
        pulp_mchan_2d(flags, l1, l2, lines, line_bytes, stride_bytes);
        l1 += lines * line_bytes;
        l2 += plane_bytes;
    }
    return ticket;
}

static inline ts_ticket ts_dma_in_1d(void *l1, const void *l2, uint32_t bytes) {
    return pulp_transfer_2d(PULP_MCHAN_TO_L1, l1, l2, 1, bytes, bytes);
}

static inline ts_ticket ts_dma_out_1d(void *l2, const void *l1, uint32_t bytes) {
    return pulp_transfer_2d(0, l1, l2, 1, bytes, bytes);
}

static inline ts_ticket ts_dma_in_2d(void *l1, const void *l2, uint32_t lines, uint32_t line_bytes,
                                     uint32_t l2_stride_bytes) {
    return pulp_transfer_2d(PULP_MCHAN_TO_L1, l1, l2, lines, line_bytes, l2_stride_bytes);
}

static inline ts_ticket ts_dma_out_2d(void *l2, const void *l1, uint32_t lines, uint32_t line_bytes,
                                      uint32_t l2_stride_bytes) {
    return pulp_transfer_2d(0, l1, l2, lines, line_bytes, l2_stride_bytes);
}

static inline ts_ticket ts_dma_in_3d(void *l1, const void *l2, uint32_t lines, uint32_t line_bytes,
                                     uint32_t l2_stride_bytes, uint32_t planes, uint32_t l2_plane_bytes) {
    return pulp_transfer_3d(PULP_MCHAN_TO_L1, (const uint8_t *)l1, (const uint8_t *)l2, lines, line_bytes,
                            l2_stride_bytes, planes, l2_plane_bytes);
}

static inline ts_ticket ts_dma_out_3d(void *l2, const void *l1, uint32_t lines, uint32_t line_bytes,
                                      uint32_t l2_stride_bytes, uint32_t planes, uint32_t l2_plane_bytes) {
    return pulp_transfer_3d(0, (const uint8_t *)l1, (const uint8_t *)l2, lines, line_bytes, l2_stride_bytes,
                            planes, l2_plane_bytes);
}

/* MCHAN strides on one side only: a command a line, all under one counter. */
static inline ts_ticket ts_dma_in_rows(void *l1, uint32_t l1_stride_bytes, const void *l2, uint32_t lines,
                                       uint32_t line_bytes, uint32_t l2_stride_bytes) {
    if (lines * line_bytes == 0) {
        return TS_DMA_NONE;
    }
    if (l1_stride_bytes == line_bytes) {
        return pulp_transfer_2d(PULP_MCHAN_TO_L1, l1, l2, lines, line_bytes, l2_stride_bytes);
    }
    uint8_t *row = (uint8_t *)l1;
    const uint8_t *source = (const uint8_t *)l2;
    ts_ticket ticket = PULP_REG(PULP_MCHAN_COMMAND);
    for (; lines > 0; lines--, row += l1_stride_bytes, source += l2_stride_bytes) {
        pulp_mchan_1d(PULP_MCHAN_TO_L1, row, source, line_bytes);
    }
    return ticket;
}

/* A counter for several commands: those that this core gives until it takes another one. */
static inline ts_ticket ts_dma_in_begin(void) { return PULP_REG(PULP_MCHAN_COMMAND); }

static inline void ts_dma_in_more(void *l1, const void *l2, uint32_t lines, uint32_t line_bytes,
                                  uint32_t l2_stride_bytes) {
    pulp_mchan_2d(PULP_MCHAN_TO_L1, l1, l2, lines, line_bytes, l2_stride_bytes);
}

/* The event may be an older transfer's, so the counter decides; one that comes between the test and the
 * sleep is remembered by the event unit. Barriers need the mask to themselves. */
static inline void ts_dma_wait(ts_ticket ticket) {
    if (ticket == TS_DMA_NONE) {
        return;
    }
    uint32_t bit = 1u << ticket;
    if ((PULP_REG(PULP_MCHAN_STATUS) & bit) != 0) {
        PULP_REG(PULP_EU_MASK) = PULP_EVENT_DMA;
        while ((PULP_REG(PULP_MCHAN_STATUS) & bit) != 0) {
            (void)pulp_event_load(PULP_EU_WAIT_CLEAR);
        }
        PULP_REG(PULP_EU_MASK) = PULP_EVENT_BARRIER;
    }
    PULP_REG(PULP_MCHAN_STATUS) = bit;
    __asm__ volatile("" ::: "memory");
}

struct pulp_l3_job {
    uint32_t l2, l3, bytes, write;
};

/* The cluster writes `posted` and the jobs, the fabric controller `done`. Each polls the memory beside it: a
 * fabric controller that polled L1 would disturb the cores' accesses. */
struct pulp_l3_mailbox {
    volatile uint32_t posted; /* in L2 */
    struct pulp_l3_job jobs[TS_L3_QUEUE];
};

extern struct pulp_l3_mailbox pulp_l3_mailbox;
extern volatile uint32_t pulp_l3_done; /* in L1 */
extern uint32_t pulp_l3_posted;        /* as in the mailbox, in L1: core 0 alone posts */

static inline int ts_l3_done(ts_ticket ticket) { return (int32_t)(pulp_l3_done - ticket) >= 0; }

static inline void ts_l3_wait(ts_ticket ticket) {
    while (!ts_l3_done(ticket)) {
    }
    __asm__ volatile("" ::: "memory");
}

static inline ts_ticket pulp_l3_post(uintptr_t l2, uint32_t l3, uint32_t bytes, uint32_t write) {
    uint32_t posted = pulp_l3_posted;
    ts_l3_wait(posted - (TS_L3_QUEUE - 1u));
    pulp_l3_mailbox.jobs[posted % TS_L3_QUEUE] = (struct pulp_l3_job){(uint32_t)l2, l3, bytes, write};
    __asm__ volatile("" ::: "memory");
    pulp_l3_mailbox.posted = pulp_l3_posted = posted + 1u;
    return posted + 1u;
}

static inline ts_ticket ts_l3_read(void *l2, uint32_t l3, uint32_t bytes) {
    return pulp_l3_post((uintptr_t)l2, l3, bytes, 0);
}

static inline ts_ticket ts_l3_write(uint32_t l3, const void *l2, uint32_t bytes) {
    return pulp_l3_post((uintptr_t)l2, l3, bytes, 1);
}

static inline uint32_t ts_l3_room(void) { return TS_L3_QUEUE - (pulp_l3_posted - pulp_l3_done); }

/* The fabric controller needs no help. */
static inline void ts_l3_poll(void) {}

#endif
