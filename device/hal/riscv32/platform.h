/* A plain RV32IMC core with semihosting. */
#ifndef TS_HAL_RISCV32_PLATFORM_H
#define TS_HAL_RISCV32_PLATFORM_H

#include <stdint.h>

#define TS_GUARD_BYTES 0
#define TS_L1_SECTION  __attribute__((section(".l1")))
#define TS_L2_SECTION  __attribute__((section(".l2")))

/* Asks the debugger or emulator: three instructions that are not compressed and lie in one page say so. */
static inline int32_t ts_semihost(uint32_t operation, const void *argument) {
    register uint32_t a0 __asm__("a0") = operation;
    register const void *a1 __asm__("a1") = argument;
    __asm__ volatile(
        ".option push \n"
        ".option norvc \n"
        ".balign 16 \n"
        "slli zero, zero, 0x1f \n"
        "ebreak \n"
        "srai zero, zero, 7 \n"
        ".option pop \n"
        : "+r"(a0)
        : "r"(a1)
        : "memory");
    return (int32_t)a0;
}

#endif
