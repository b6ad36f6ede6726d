/* What the host and the program on the simulator agree on: a table of kernel calls in L2. */
#ifndef TS_TESTS_DEVICE_RUNNER_H
#define TS_TESTS_DEVICE_RUNNER_H

#include "case_call.h"

/* Numbers of the kernels: their places in kernels.def. */
enum runner_kernel {
#define TS_CONV_KERNEL(name, isa, twin, sources)   RUNNER_##name,
#define TS_ADD_KERNEL(name, isa, twin, sources)    RUNNER_##name,
#define TS_MATMUL_KERNEL(name, isa, twin, sources) RUNNER_##name,
#include "kernels/kernels.def"
    RUNNER_KERNELS
};

typedef struct runner_job {
    ts_case_call call;
    uint32_t kernel;
    uint32_t area; /* address in L2: copied to L1 before the call and back behind it */
    uint32_t bytes;
    uint32_t cycles; /* written: of the second of two calls */
} runner_job;

typedef struct runner_table {
    uint32_t count;
    uint32_t jobs; /* address of the first */
} runner_table;

#endif
