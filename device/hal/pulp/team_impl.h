/* The cluster's cores as a team; its size is the build's TS_CORES. */
#ifndef TS_HAL_PULP_TEAM_IMPL_H
#define TS_HAL_PULP_TEAM_IMPL_H

#include "platform.h"

#ifndef TS_CORES
#define TS_CORES 8
#endif

/* Not volatile: a core's number never changes, so the compiler may keep it. */
static inline uint32_t ts_core(void) {
    uint32_t hart;
    __asm__("csrr %0, 0xF14" : "=r"(hart));
    return hart & PULP_HART_CORE_MASK;
}

static inline uint32_t ts_cores(void) { return TS_CORES; }

/* Start-up has set the masks of barrier 0 and of the barrier event (boot.c). */
static inline void ts_barrier(void) { (void)pulp_event_load(PULP_EU_BARRIER_WAIT); }

#endif
