/* The MDMA of the STM32H742 to H753: registers, from ST's reference manual RM0433, and what the driver
 * offers. Sixteen channels; each copies blocks between the AXI bus (flash, AXI SRAM) and the core's TCMs. */
#ifndef TS_HAL_STM32H7_MDMA_H
#define TS_HAL_STM32H7_MDMA_H

#include <stdint.h>

enum { MDMA_CHANNELS = 16 };

/* Of channel c, in words: 0x52000040 + 0x40 c. */
struct mdma_channel {
    uint32_t isr, ifcr, esr, cr, tcr, bndtr, sar, dar, brur, lar, tbr, reserved, mar, mdr, rest[2];
};

/* ISR; writing the bit to IFCR clears it. */
#define MDMA_FAILED (1u << 0) /* TEIF: an address or a size was refused; ESR says which */
#define MDMA_DONE   (1u << 1) /* CTCIF: all blocks are copied */
#define MDMA_FLAGS  0x1fu

/* CR: EN, SWRQ. */
#define MDMA_ENABLE  (1u << 0)
#define MDMA_REQUEST (1u << 16)

/* TCR: both addresses count up by the size of a datum (0: a byte, 1: a half, 2: a word), which both sides
 * have; TLEN: bytes of a buffer less 1, after which another channel may take over; one request by software
 * starts all repeated blocks. No bursts: a TCM takes none of a fixed length. */
#define MDMA_COUNT_UP    (2u << 0 | 2u << 2)
#define MDMA_SIZE(log2)  ((log2) << 4 | (log2) << 6 | (log2) << 8 | (log2) << 10)
#define MDMA_BUFFER(n)   (((n)-1u) << 18)
#define MDMA_ALL_BLOCKS  (2u << 28)
#define MDMA_BY_SOFTWARE (1u << 30)

/* BNDTR: bytes of a block, and how often it is repeated. BRUR: what is added to both addresses behind each.
 */
#define MDMA_BLOCKS(bytes, repeated) ((bytes) | (repeated) << 20)
#define MDMA_STEPS(source, target)   ((source) | (target) << 16)
enum { MDMA_BLOCK_BYTES = 65536, MDMA_REPEATED = 4095, MDMA_STEP = 65535 };

/* TBR: the side that lies in a TCM is reached over the core's AHB port. */
#define MDMA_SOURCE_TCM (1u << 16)
#define MDMA_TARGET_TCM (1u << 17)

/* `lines` of `bytes`, from_stride and to_stride bytes apart: a set of channels, one a bit. Both sides may
 * have any alignment; words are copied where all addresses and sizes are words. */
uint32_t mdma_start(void *to, uint32_t to_stride, const void *from, uint32_t from_stride, uint32_t lines,
                    uint32_t bytes);

/* Returns when the channels of a set have nothing left to do, and frees them. */
void mdma_wait(uint32_t channels);

/* Transfers that the MDMA refused or that met a bus error since the start: what they would have copied is
 * missing. 0 in a program that works. */
extern uint32_t mdma_failures;

#endif
