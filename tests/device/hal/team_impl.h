/* A team for tests: the test calls a kernel once for each core, one after the other. */
#ifndef TS_TESTS_TEAM_IMPL_H
#define TS_TESTS_TEAM_IMPL_H

#include <stdint.h>

extern uint32_t ts_test_core, ts_test_cores;

static inline uint32_t ts_core(void) { return ts_test_core; }
static inline uint32_t ts_cores(void) { return ts_test_cores; }
static inline void ts_barrier(void) {}

#endif
