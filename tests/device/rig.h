/* Kernel calls on the simulated chip. */
#ifndef TS_TESTS_DEVICE_RIG_H
#define TS_TESTS_DEVICE_RIG_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/diag.h"
#include "base/file.h"
#include "case.h"
#include "runner.h"
#include "target/target.h"

typedef struct rig {
    ts_arena *arena;
    const ts_target *target;
    ts_bytes elf;
    uint32_t cores;
} rig;

typedef struct rig_job {
    runner_job job;
    uint8_t *area;
} rig_job;

/* Builds the runner for a team of `cores`; false where there is no compiler for the target. */
bool rig_build(rig *r, ts_arena *arena, const char *target, uint32_t cores);

/* Adds a call; false where it does not fit L1. */
bool rig_add(rig *r, ts_arena *arena, const ts_case *c, const ts_kernel *kernel, uint32_t number,
             rig_job *job);

/* Runs the jobs, in as many runs as L2 needs; their areas and cycles are what the chip left. */
void rig_run(rig *r, rig_job *jobs, uint32_t count);

/* Number of a kernel by its name; its number of kernels where there is none. */
uint32_t rig_kernel(const char *name);

/* The ref kernel's name with the same meaning. */
const char *rig_twin(uint32_t number);

const ts_kernel *rig_row(const char *name);

#endif
