/* Registers of the PULP platform that the HAL uses. */
#ifndef TS_HAL_PULP_PLATFORM_H
#define TS_HAL_PULP_PLATFORM_H

#include <stdint.h>

#define PULP_REG(address) (*(volatile uint32_t *)(uintptr_t)(address))

enum { PULP_HART_CORE_MASK = 31, PULP_FC_CORE = 31, PULP_BOOT_ADDRESSES = 9 };

#define PULP_CLUSTER_CONTROL    0x10200000u
#define PULP_FETCH_ENABLE       (PULP_CLUSTER_CONTROL + 0x08u)
#define PULP_BOOT_ADDRESS(core) (PULP_CLUSTER_CONTROL + 0x40u + 4u * (core))
#define PULP_CLUSTER_TIMER      0x10200400u /* +0 configuration, +8 count */
#define PULP_CLUSTER_ICACHE     0x10201400u
#define PULP_FC_ICACHE          0x1A108800u
#define PULP_EXIT               0x1A1040A0u
#define PULP_STDOUT(core)       (0x1A10F000u + 8u * (core))

/* Event unit and MCHAN as each cluster core sees them, one cycle away. */
#define PULP_EU                 0x10204000u
#define PULP_EU_MASK            (PULP_EU + 0x00u)
#define PULP_EU_WAIT_CLEAR      (PULP_EU + 0x3Cu)
#define PULP_EU_BARRIER_TRIGGER (PULP_EU + 0x200u)
#define PULP_EU_BARRIER_TARGET  (PULP_EU + 0x20Cu)
#define PULP_EU_BARRIER_WAIT    (PULP_EU + 0x21Cu)
#define PULP_EVENT_DMA          (1u << 8)
#define PULP_EVENT_BARRIER      (1u << 16)

#define PULP_MCHAN_COMMAND      0x10204400u
#define PULP_MCHAN_STATUS       0x10204404u
#define PULP_MCHAN_TO_L1        (1u << 17)
#define PULP_MCHAN_INCREMENT    (1u << 18)
#define PULP_MCHAN_2D           (1u << 19)
#define PULP_MCHAN_EVENT        (1u << 20)

/* uDMA with HyperBus, channel 0. */
#define PULP_UDMA_CLOCKS         0x1A102000u
#define PULP_HYPER               0x1A102480u
#define PULP_HYPER_RX            (PULP_HYPER + 0x00u) /* +0 L2 address, +4 bytes, +8 configuration */
#define PULP_HYPER_TX            (PULP_HYPER + 0x0Cu)
#define PULP_HYPER_COMMAND       (PULP_HYPER + 0x18u)
#define PULP_HYPER_ADDRESS       (PULP_HYPER + 0x1Cu)
#define PULP_HYPER_STATUS        (PULP_HYPER + 0x24u)
#define PULP_HYPER_TWD           (PULP_HYPER + 0x28u)
#define PULP_HYPER_PAGE          (PULP_HYPER + 0x400u)
#define PULP_HYPER_LATENCY       (PULP_HYPER + 0x404u)
#define PULP_HYPER_LATENCY_ADDED (PULP_HYPER + 0x408u)
#define PULP_HYPER_SELECT        (PULP_HYPER + 0x420u)
#define PULP_FLASH               0x40000000u /* on the L3 bus: HyperRAM from 0, flash from here */
#define PULP_HYPER_BUSY          0x1FFu
#define PULP_HYPER_READ          5u /* linear burst, read */
#define PULP_HYPER_WRITE         1u
#define PULP_HYPER_START         0x14u /* word-wise, enabled */

static inline uint32_t pulp_hart(void) {
    uint32_t hart;
    __asm__ volatile("csrr %0, 0xF14" : "=r"(hart));
    return hart;
}

/* p.elw: the core sleeps until the event unit answers. */
static inline uint32_t pulp_event_load(uintptr_t address) {
    uint32_t value;
    __asm__ volatile(".insn i 0x03, 6, %0, 0(%1)" : "=r"(value) : "r"(address) : "memory");
    return value;
}

#endif
