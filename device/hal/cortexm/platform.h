/* Cortex-M with semihosting. */
#ifndef TS_HAL_CORTEXM_PLATFORM_H
#define TS_HAL_CORTEXM_PLATFORM_H

#include <stdint.h>

#define TS_GUARD_BYTES 0
#define TS_L1_SECTION  __attribute__((section(".l1")))
#define TS_L2_SECTION  __attribute__((section(".l2")))

/* Asks the debugger or emulator: operation, and what it is told. */
static inline int32_t ts_semihost(uint32_t operation, const void *argument) {
    register uint32_t r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = argument;
    __asm__ volatile("bkpt 0xAB" : "+r"(r0) : "r"(r1) : "memory");
    return (int32_t)r0;
}

#endif
