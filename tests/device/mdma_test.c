/* The MDMA driver of the STM32H7 against a model of the MDMA: what it writes into the registers moves what
 * hal/dma.h says, and breaks none of the manual's rules (RM0433, chapter of the MDMA). No emulator has one.
 */
#include <stdbool.h>
#include <string.h>

#include "base/random.h"
#include "hal/dma.h"
#include "harness.h"

uint32_t mdma_read(uint32_t address);
void mdma_write(uint32_t address, uint32_t value);
uint32_t mdma_address(const void *at);

/* ---- the chip ---- */

enum { DTCM_AT = 0x20000000, AXI_AT = 0x24000000, FLASH_AT = 0x08000000, CLOCKS = 0x580244d4 };
enum { DTCM_BYTES = 128 << 10, AXI_BYTES = 512 << 10, FLASH_BYTES = 300 << 10, WORDS = 16 };

static uint8_t dtcm[DTCM_BYTES], axi[AXI_BYTES], flash[FLASH_BYTES];
static uint32_t clocks, registers[MDMA_CHANNELS][WORDS], patience[MDMA_CHANNELS];
static uint32_t started, most_at_work;
static ts_random delays;

enum { ISR, IFCR, ESR, CR, TCR, BNDTR, SAR, DAR, BRUR, LAR, TBR };

static const struct {
    uint8_t *bytes;
    uint32_t at, size;
} memories[] = {{dtcm, DTCM_AT, DTCM_BYTES}, {axi, AXI_AT, AXI_BYTES}, {flash, FLASH_AT, FLASH_BYTES}};

uint32_t mdma_address(const void *at) {
    for (size_t i = 0; i < 3; i++) {
        if ((const uint8_t *)at >= memories[i].bytes &&
            (const uint8_t *)at <= memories[i].bytes + memories[i].size) {
            return memories[i].at + (uint32_t)((const uint8_t *)at - memories[i].bytes);
        }
    }
    fail_msg("an address outside of the chip");
    return 0;
}

/* The bytes [address, address + count) of the chip; they lie in one memory. */
static uint8_t *bytes_at(uint32_t address, uint32_t count) {
    for (size_t i = 0; i < 3; i++) {
        if (address - memories[i].at < memories[i].size) {
            assert_true(address - memories[i].at + count <= memories[i].size);
            return memories[i].bytes + (address - memories[i].at);
        }
    }
    fail_msg("address %x is not of the chip", (unsigned)address);
    return NULL;
}

static bool is_dtcm(uint32_t address) { return address - DTCM_AT < DTCM_BYTES; }

/* What the manual wants of a channel that is started. */
static void check_channel(const uint32_t *r) {
    uint32_t tcr = r[TCR], size = tcr >> 4 & 3u, bytes = r[BNDTR] & 0x1ffffu, all;
    assert_true((clocks & 1u) != 0);
    assert_int_equal(tcr & 15u, 10); /* both addresses count up */
    assert_true(size <= 2);          /* no double words from or to a TCM */
    assert_int_equal(tcr >> 6 & 3u, size);
    assert_int_equal(tcr >> 8 & 3u, size);
    assert_int_equal(tcr >> 10 & 3u, size);
    assert_int_equal(tcr >> 12 & 63u, 0); /* single transfers */
    assert_true(((tcr >> 18 & 127u) + 1) % (1u << size) == 0);
    assert_int_equal(tcr >> 28 & 3u, 2); /* one request, all blocks */
    assert_int_equal(tcr >> 30, 1);
    all = r[SAR] | r[DAR] | bytes | (r[BRUR] & 0xffffu) | r[BRUR] >> 16;
    assert_int_equal(all & ((1u << size) - 1u), 0);
    assert_true(bytes > 0 && bytes <= 65536);
    assert_int_equal(r[TBR] >> 16 & 1u, is_dtcm(r[SAR]));
    assert_int_equal(r[TBR] >> 17 & 1u, is_dtcm(r[DAR]));
    assert_int_equal(r[LAR], 0);
}

/* A block behind the other, addresses going on where the last one ended. */
static void move(uint32_t *r) {
    uint32_t bytes = r[BNDTR] & 0x1ffffu, blocks = (r[BNDTR] >> 20) + 1;
    for (uint32_t i = 0; i < blocks; i++) {
        memmove(bytes_at(r[DAR], bytes), bytes_at(r[SAR], bytes), bytes);
        r[SAR] += bytes + (r[BRUR] & 0xffffu);
        r[DAR] += bytes + (r[BRUR] >> 16);
    }
    r[ISR] |= MDMA_DONE;
    r[CR] &= ~MDMA_ENABLE;
}

static uint32_t at_work(void) {
    uint32_t count = 0;
    for (uint32_t c = 0; c < MDMA_CHANNELS; c++) {
        count += registers[c][CR] & MDMA_ENABLE;
    }
    return count;
}

/* A transfer is done when it was asked for often enough: never before somebody waits. */
uint32_t mdma_read(uint32_t address) {
    if (address == CLOCKS) {
        return clocks;
    }
    uint32_t channel = (address - 0x52000040u) / 0x40, word = address / 4 % WORDS;
    assert_true(channel < MDMA_CHANNELS);
    uint32_t *r = registers[channel];
    if (word == ISR && (r[CR] & MDMA_ENABLE) != 0 && patience[channel]-- == 0) {
        move(r);
    }
    return r[word];
}

void mdma_write(uint32_t address, uint32_t value) {
    if (address == CLOCKS) {
        clocks = value;
        return;
    }
    uint32_t channel = (address - 0x52000040u) / 0x40, word = address / 4 % WORDS;
    assert_true(channel < MDMA_CHANNELS);
    uint32_t *r = registers[channel];
    if (word == IFCR) {
        r[ISR] &= ~value;
        return;
    }
    assert_true(word == CR || (r[CR] & MDMA_ENABLE) == 0); /* protected while the channel works */
    r[word] = value;
    if (word == CR && (value & MDMA_REQUEST) != 0) {
        assert_true((value & MDMA_ENABLE) != 0 && r[ISR] == 0);
        check_channel(r);
        r[CR] &= ~MDMA_REQUEST;
        patience[channel] = (uint32_t)ts_random_range(&delays, 0, 5);
        started++;
        most_at_work = at_work() > most_at_work ? at_work() : most_at_work;
    }
}

/* ---- transfers ---- */

typedef struct shadow {
    uint8_t dtcm[DTCM_BYTES], axi[AXI_BYTES];
} shadow;

static void check(const shadow *s) {
    assert_memory_equal(dtcm, s->dtcm, DTCM_BYTES);
    assert_memory_equal(axi, s->axi, AXI_BYTES);
}

static uint32_t pick(ts_random *random, uint32_t low, uint32_t high) {
    return (uint32_t)ts_random_range(random, low, high);
}

/* A random transfer of any kind, at offset `at` of both memories on; what it moves in the shadow at once.
 * Returns its ticket, and in *reach the bytes that it touches of the larger side. */
static ts_ticket transfer(ts_random *random, shadow *s, uint32_t l1, uint32_t l2, uint32_t *reach) {
    static const uint32_t grains[] = {1, 1, 2, 4};
    uint32_t grain = grains[pick(random, 0, 3)], bytes = grain * pick(random, 1, 40),
             lines = pick(random, 1, 6);
    uint32_t stride = bytes + grain * pick(random, 0, 20), planes = pick(random, 1, 20);
    uint32_t plane = stride * lines + grain * pick(random, 0, 9), kind = pick(random, 0, 3);
    uint32_t l1_stride = kind == 3 ? bytes + grain * pick(random, 0, 9) : bytes;
    bool in = kind == 3 || pick(random, 0, 1) == 0;
    planes = kind == 2 ? planes : 1;
    lines = kind == 0 ? 1 : lines;
    for (uint32_t p = 0; p < planes; p++) {
        for (uint32_t i = 0; i < lines; i++) {
            uint8_t *near = s->dtcm + l1 + (p * lines + i) * l1_stride,
                    *far = s->axi + l2 + p * plane + i * stride;
            memcpy(in ? near : far, in ? far : near, bytes);
        }
    }
    *reach = planes * (plane + stride * lines) + lines * l1_stride * planes;
    uint8_t *a = dtcm + l1, *b = axi + l2;
    switch (kind) {
        case 0:
            return in ? ts_dma_in_1d(a, b, bytes) : ts_dma_out_1d(b, a, bytes);
        case 1:
            return in ? ts_dma_in_2d(a, b, lines, bytes, stride) : ts_dma_out_2d(b, a, lines, bytes, stride);
        case 2:
            return in ? ts_dma_in_3d(a, b, lines, bytes, stride, planes, plane)
                      : ts_dma_out_3d(b, a, lines, bytes, stride, planes, plane);
        default:
            return ts_dma_in_rows(a, l1_stride, b, lines, bytes, stride);
    }
}

static void test_random_transfers(void **state) {
    (void)state;
    static shadow s;
    ts_random random = ts_random_seed(1);
    delays = ts_random_seed(2);
    for (uint32_t i = 0; i < AXI_BYTES; i++) {
        axi[i] = s.axi[i] = (uint8_t)ts_random_next(&random);
        dtcm[i % DTCM_BYTES] = s.dtcm[i % DTCM_BYTES] = (uint8_t)ts_random_next(&random);
    }
    for (uint32_t round = 0; round < 400; round++) {
        ts_ticket tickets[4];
        uint32_t count = pick(&random, 1, 4), l1 = pick(&random, 0, 99), l2 = pick(&random, 0, 99), reach;
        for (uint32_t i = 0; i < count; i++, l1 += reach, l2 += reach) {
            tickets[i] = transfer(&random, &s, l1, l2, &reach);
        }
        for (uint32_t i = 0; i < count; i++) {
            ts_dma_wait(tickets[pick(&random, 0, 1) == 0 ? i : count - 1 - i]);
            ts_dma_wait(tickets[i]);
        }
        check(&s);
    }
    assert_int_equal(mdma_failures, 0);
    assert_int_equal(at_work(), 0);
    assert_true(most_at_work == MDMA_CHANNELS);
    print_message("%u channels started\n", started);
}

/* More than a block, more lines than a channel repeats, gaps that it cannot step over, and nothing. */
static void test_extremes(void **state) {
    (void)state;
    static shadow s;
    memcpy(s.dtcm, dtcm, DTCM_BYTES);
    memcpy(s.axi, axi, AXI_BYTES);
    for (uint32_t i = 0; i < FLASH_BYTES; i++) {
        flash[i] = (uint8_t)(i * 7 + i / 251);
    }
    memcpy(s.dtcm, flash + 3, 100001);
    ts_dma_wait(ts_dma_in_1d(dtcm, flash + 3, 100001));
    check(&s);
    for (uint32_t i = 0; i < 5000; i++) {
        memcpy(s.dtcm + 8 * i, axi + 100 * i, 8);
    }
    ts_dma_wait(ts_dma_in_2d(dtcm, axi, 5000, 8, 100));
    check(&s);
    for (uint32_t i = 0; i < 4; i++) {
        memcpy(s.axi + 100000 * i, dtcm + 12 * i, 12);
    }
    ts_dma_wait(ts_dma_out_2d(axi, dtcm, 4, 12, 100000));
    check(&s);
    ts_dma_wait(ts_dma_in_1d(dtcm, axi, 0));
    ts_dma_wait(ts_dma_in_2d(dtcm, axi, 3, 0, 10));
    ts_dma_wait(0);
    check(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_transfers),
        cmocka_unit_test(test_extremes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
