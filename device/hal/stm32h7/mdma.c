#include "hal/stm32h7/mdma.h"

#include <stddef.h>

#ifdef TS_MDMA_MODEL /* a test's: registers, and addresses as the bus has them */
uint32_t mdma_read(uint32_t address);
void mdma_write(uint32_t address, uint32_t value);
uint32_t mdma_address(const void *at);
static void mdma_order(void) {}
#else
static uint32_t mdma_read(uint32_t address) { return *(volatile uint32_t *)(uintptr_t)address; }
static void mdma_write(uint32_t address, uint32_t value) { *(volatile uint32_t *)(uintptr_t)address = value; }
static uint32_t mdma_address(const void *at) { return (uint32_t)(uintptr_t)at; }
static void mdma_order(void) { __asm__ volatile("dsb" ::: "memory"); }
#endif

/* RCC_AHB3ENR and its bit of the MDMA. */
#define RCC_AHB3ENR 0x580244d4u
#define RCC_MDMAEN  (1u << 0)

#define MDMA_BASE   0x52000040u
#define REGISTER(channel, name) \
    (MDMA_BASE + 0x40u * (channel) + (uint32_t)offsetof(struct mdma_channel, name))

enum { BUFFER_BYTES = 128, ITCM_BYTES = 0x10000, DTCM = 0x20000000, DTCM_BYTES = 0x20000 };

uint32_t mdma_failures;

static uint32_t busy; /* channels at work, one a bit */
static uint32_t next; /* the channel that is taken next: the one that was taken longest ago */

static int is_tcm(uint32_t address) { return address < ITCM_BYTES || address - DTCM < DTCM_BYTES; }

static void finish(uint32_t channel) {
    uint32_t flags;
    do {
        flags = mdma_read(REGISTER(channel, isr)) & (MDMA_DONE | MDMA_FAILED);
    } while (flags == 0);
    mdma_failures += (flags & MDMA_FAILED) != 0;
    mdma_write(REGISTER(channel, cr), 0);
    mdma_write(REGISTER(channel, ifcr), MDMA_FLAGS);
    busy &= ~(1u << channel);
}

static uint32_t take_channel(void) {
    uint32_t channel = next;
    next = (next + 1u) % MDMA_CHANNELS;
    if ((mdma_read(RCC_AHB3ENR) & RCC_MDMAEN) == 0) {
        mdma_write(RCC_AHB3ENR, mdma_read(RCC_AHB3ENR) | RCC_MDMAEN);
        (void)mdma_read(RCC_AHB3ENR); /* the clock runs behind this read */
    }
    if ((busy >> channel & 1u) != 0) {
        finish(channel);
    }
    busy |= 1u << channel;
    return channel;
}

/* log2 of the datum that all these numbers are multiples of, a word at most. */
static uint32_t size_of(uint32_t all) { return (all & 1u) != 0 ? 0u : (all & 2u) != 0 ? 1u : 2u; }

/* One channel: blocks of at most 64 KiB, 4096 of them, with gaps of less than 64 KiB. */
static uint32_t start_blocks(uint32_t to, uint32_t to_gap, uint32_t from, uint32_t from_gap, uint32_t blocks,
                             uint32_t bytes) {
    uint32_t channel = take_channel(), size = size_of(to | from | bytes | to_gap | from_gap);
    mdma_write(REGISTER(channel, tcr), MDMA_COUNT_UP | MDMA_SIZE(size) | MDMA_BUFFER(BUFFER_BYTES) |
                                           MDMA_ALL_BLOCKS | MDMA_BY_SOFTWARE);
    mdma_write(REGISTER(channel, bndtr), MDMA_BLOCKS(bytes, blocks - 1u));
    mdma_write(REGISTER(channel, sar), from);
    mdma_write(REGISTER(channel, dar), to);
    mdma_write(REGISTER(channel, brur), MDMA_STEPS(from_gap, to_gap));
    mdma_write(REGISTER(channel, lar), 0);
    mdma_write(REGISTER(channel, tbr),
               (is_tcm(from) ? MDMA_SOURCE_TCM : 0) | (is_tcm(to) ? MDMA_TARGET_TCM : 0));
    mdma_write(REGISTER(channel, mar), 0);
    mdma_order();
    mdma_write(REGISTER(channel, cr), MDMA_ENABLE);
    mdma_write(REGISTER(channel, cr), MDMA_ENABLE | MDMA_REQUEST);
    return 1u << channel;
}

/* One line, in as many blocks as it takes. */
static uint32_t start_line(uint32_t to, uint32_t from, uint32_t bytes) {
    uint32_t channels = 0;
    while (bytes > 0) {
        uint32_t part = bytes < MDMA_BLOCK_BYTES ? bytes : MDMA_BLOCK_BYTES;
        channels |= start_blocks(to, 0, from, 0, 1, part);
        to += part;
        from += part;
        bytes -= part;
    }
    return channels;
}

uint32_t mdma_start(void *to, uint32_t to_stride, const void *from, uint32_t from_stride, uint32_t lines,
                    uint32_t bytes) {
    uint32_t target = mdma_address(to), source = mdma_address(from), channels = 0;
    if (lines > 1 && to_stride == bytes && from_stride == bytes) {
        bytes *= lines;
        lines = 1;
    }
    uint32_t to_gap = to_stride - bytes, from_gap = from_stride - bytes;
    if (lines == 1 || bytes > MDMA_BLOCK_BYTES || to_gap > MDMA_STEP || from_gap > MDMA_STEP) {
        for (uint32_t i = 0; i < lines; i++) {
            channels |= start_line(target + i * to_stride, source + i * from_stride, bytes);
        }
        return channels;
    }
    while (lines > 0 && bytes > 0) {
        uint32_t part = lines < MDMA_REPEATED + 1u ? lines : MDMA_REPEATED + 1u;
        channels |= start_blocks(target, to_gap, source, from_gap, part, bytes);
        target += part * to_stride;
        source += part * from_stride;
        lines -= part;
    }
    return channels;
}

void mdma_wait(uint32_t channels) {
    for (uint32_t channel = 0; channel < MDMA_CHANNELS; channel++) {
        if ((channels & busy) >> channel & 1u) {
            finish(channel);
        }
    }
    mdma_order();
}
