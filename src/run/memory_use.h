/* What a network touches of the memories that it is lent, on the simulator: they are painted before it runs,
 * and what has another colour afterwards was written. */
#ifndef TS_RUN_MEMORY_USE_H
#define TS_RUN_MEMORY_USE_H

#include "run/execute.h"

/* Paints L1 and L2 as link.ld leaves them to networks, and the writable L3 behind an image of `image_bytes`.
 */
void ts__paint_memories(ts_sim *sim, const ts_target *target, uint64_t image_bytes);

/* Fills `use` after the run of a network whose image has `image_bytes`. */
void ts__measure_memories(ts_sim *sim, const ts_target *target, uint64_t image_bytes, ts_memory_use *use);

#endif
