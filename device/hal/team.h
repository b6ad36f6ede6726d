/* The team of cores that runs a network together.
 *
 *   uint32_t ts_core(void)          number of this core, 0 .. ts_cores() - 1
 *   uint32_t ts_cores(void)         size of the team
 *   void     ts_barrier(void)       returns on every core once all have called it; orders memory
 *
 * Which device folder serves them is decided by the include path: hal/<target>/team_impl.h. */
#ifndef TS_HAL_TEAM_H
#define TS_HAL_TEAM_H

#include <stdint.h>

#include "team_impl.h"

#endif
