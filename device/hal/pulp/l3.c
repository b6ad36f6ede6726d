/* HyperRAM and flash through the uDMA. The bus wants 4-byte aligned addresses and sizes: what is not goes
 * through a small aligned buffer. */
#include "l3.h"

#include "hal/dma.h"

enum { BOUNCE_BYTES = 256, LARGEST_BYTES = 0xFF00 };

static uint32_t bounce_words[BOUNCE_BYTES / 4];

/* Flash begins at PULP_FLASH on our map of the bus; for the controller each memory begins at 0. */
static uint32_t selected;

static uint32_t select_chip(uint32_t l3) {
    uint32_t chip = l3 >= PULP_FLASH;
    if (chip != selected) {
        PULP_REG(PULP_HYPER_SELECT) = selected = chip;
    }
    return chip != 0 ? l3 - PULP_FLASH : l3;
}

static void start(uint32_t l2, uint32_t l3, uint32_t bytes, uint32_t write) {
    uint32_t channel = write ? PULP_HYPER_TX : PULP_HYPER_RX;
    PULP_REG(channel + 0) = l2;
    PULP_REG(channel + 4) = bytes;
    PULP_REG(PULP_HYPER_COMMAND) = write ? PULP_HYPER_WRITE : PULP_HYPER_READ;
    PULP_REG(PULP_HYPER_ADDRESS) = select_chip(l3);
    PULP_REG(channel + 8) = PULP_HYPER_START;
}

static void finish(void) {
    while ((PULP_REG(PULP_HYPER_STATUS) & PULP_HYPER_BUSY) != 0) {
    }
}

static void move_aligned(uint32_t l2, uint32_t l3, uint32_t bytes, uint32_t write) {
    while (bytes > 0) {
        uint32_t part = bytes < LARGEST_BYTES ? bytes : LARGEST_BYTES;
        start(l2, l3, part, write);
        l2 += part, l3 += part, bytes -= part;
        finish();
    }
}

/* At most BOUNCE_BYTES - 6 bytes: the aligned words around them are read, and written back for a write. */
static void move_bounced(uint32_t l2, uint32_t l3, uint32_t bytes, uint32_t write) {
    uint32_t first = l3 & ~3u, span = ((l3 + bytes + 3u) & ~3u) - first;
    uint8_t *inside = (uint8_t *)bounce_words + (l3 - first), *outside = (uint8_t *)(uintptr_t)l2;
    move_aligned((uint32_t)(uintptr_t)bounce_words, first, span, 0);
    __asm__ volatile("" ::: "memory");
    for (uint32_t i = 0; i < bytes; i++) {
        if (write) {
            inside[i] = outside[i];
        } else {
            outside[i] = inside[i];
        }
    }
    __asm__ volatile("" ::: "memory");
    if (write) {
        move_aligned((uint32_t)(uintptr_t)bounce_words, first, span, 1);
    }
}

void pulp_l3_move(uint32_t l2, uint32_t l3, uint32_t bytes, uint32_t write) {
    while (bytes > 0) {
        uint32_t part = bytes;
        if (((l2 | l3) & 3u) == 0 && bytes >= 4u) {
            part &= ~3u;
            move_aligned(l2, l3, part, write);
        } else {
            uint32_t most = ((l2 ^ l3) & 3u) == 0 && (l3 & 3u) != 0 ? 4u - (l3 & 3u) : BOUNCE_BYTES - 8u;
            part = bytes < most ? bytes : most;
            move_bounced(l2, l3, part, write);
        }
        l2 += part, l3 += part, bytes -= part;
    }
}

void pulp_l3_init(void) {
    PULP_REG(PULP_UDMA_CLOCKS) = 0xFFFFFFFFu;
    PULP_REG(PULP_HYPER_PAGE) = 0;
    PULP_REG(PULP_HYPER_LATENCY) = 6;
    PULP_REG(PULP_HYPER_LATENCY_ADDED) = 1;
    PULP_REG(PULP_HYPER_SELECT) = 0;
    PULP_REG(PULP_HYPER_TWD) = 0;
}

void pulp_l3_serve(void) {
    uint32_t done = 0;
    for (;;) {
        while (pulp_l3_mailbox.posted == done) {
        }
        const struct pulp_l3_job job = pulp_l3_mailbox.jobs[done % TS_L3_QUEUE];
        pulp_l3_move(job.l2, job.l3, job.bytes, job.write);
        pulp_l3_done = ++done;
    }
}
