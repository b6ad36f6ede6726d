/* Runs the table of kernel calls that the host placed in L2, each twice, and times the second call. */
#include "runner.h"

#include "call.h"
#include "hal/boot.h"
#include "hal/dma.h"
#include "hal/team.h"

volatile runner_table runner_jobs __attribute__((section(".data")));

static void call(const runner_job *job, uint8_t *l1) {
    switch (job->kernel) {
#define TS_CONV_KERNEL(name, isa, twin, sources)                          \
    case RUNNER_##name: {                                                 \
        struct ts_conv_tile tile = call_conv(&job->call, l1);             \
        ts_barrier();                                                     \
        uint32_t start = ts_cycles();                                     \
        name(&tile);                                                      \
        ts_barrier();                                                     \
        if (ts_core() == 0) {                                             \
            ((runner_job *)(uintptr_t)job)->cycles = ts_cycles() - start; \
        }                                                                 \
        break;                                                            \
    }
#define TS_ADD_KERNEL(name, isa, twin, sources)                           \
    case RUNNER_##name: {                                                 \
        struct ts_add_tile tile = call_add(&job->call, l1);               \
        ts_barrier();                                                     \
        uint32_t start = ts_cycles();                                     \
        name(&tile);                                                      \
        ts_barrier();                                                     \
        if (ts_core() == 0) {                                             \
            ((runner_job *)(uintptr_t)job)->cycles = ts_cycles() - start; \
        }                                                                 \
        break;                                                            \
    }
#define TS_MATMUL_KERNEL(name, isa, twin, sources)                        \
    case RUNNER_##name: {                                                 \
        struct ts_matmul_tile tile = call_matmul(&job->call, l1);         \
        ts_barrier();                                                     \
        uint32_t start = ts_cycles();                                     \
        name(&tile);                                                      \
        ts_barrier();                                                     \
        if (ts_core() == 0) {                                             \
            ((runner_job *)(uintptr_t)job)->cycles = ts_cycles() - start; \
        }                                                                 \
        break;                                                            \
    }
#include "kernels/kernels.def"
        default:
            ts_exit(2);
    }
}

int ts_program(void) {
    uint32_t bytes;
    uint8_t *l1 = (uint8_t *)ts_l1_memory(&bytes);
    const runner_job *jobs = (const runner_job *)(uintptr_t)runner_jobs.jobs;
    for (uint32_t i = 0; i < runner_jobs.count; i++) {
        for (uint32_t pass = 0; pass < 2; pass++) {
            if (ts_core() == 0) {
                ts_dma_wait(ts_dma_in_1d(l1, (const void *)(uintptr_t)jobs[i].area, jobs[i].bytes));
            }
            ts_barrier();
            call(&jobs[i], l1);
            ts_barrier();
        }
        if (ts_core() == 0) {
            ts_dma_wait(ts_dma_out_1d((void *)(uintptr_t)jobs[i].area, l1, jobs[i].bytes));
        }
        ts_barrier();
    }
    return 0;
}
