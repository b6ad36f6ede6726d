/* The fabric controller starts the cluster and serves its L3 transfers; the cluster's cores run the
 * program. */
#include "hal/boot.h"

#include "hal/dma.h"
#include "hal/team.h"
#include "l3.h"

/* Given by link.ld. */
extern uint8_t pulp_l1_begin[], pulp_l1_end[], pulp_l2_begin[], pulp_l2_end[];

void pulp_cluster_entry(void); /* crt0.S */
void pulp_fc_main(void);
void pulp_cluster_main(void);
void pulp_trap(uint32_t cause, uint32_t pc);

struct pulp_l3_mailbox pulp_l3_mailbox;
volatile uint32_t pulp_l3_done __attribute__((section(".l1")));
uint32_t pulp_l3_posted __attribute__((section(".l1")));
/* By these names the simulator's --check knows the words through which cluster and fabric controller signal.
 */
extern struct pulp_l3_mailbox ts_sync_l3_posted __attribute__((alias("pulp_l3_mailbox")));
extern volatile uint32_t ts_sync_l3_done __attribute__((alias("pulp_l3_done")));

const uint8_t ts_l3_image[] __attribute__((weak)) = {0};
const uint32_t ts_l3_image_bytes __attribute__((weak)) = 0;

void pulp_fc_main(void) {
    /* Through a pointer, or the compiler would use the weak definition's value. */
    const volatile uint32_t *image_bytes = &ts_l3_image_bytes;
    PULP_REG(PULP_FC_ICACHE) = 0xFFFFFFFFu;
    PULP_REG(PULP_CLUSTER_ICACHE) = 0xFFFFFFFFu;
    pulp_l3_done = pulp_l3_posted = 0;
    pulp_l3_init();
    pulp_l3_move((uint32_t)(uintptr_t)ts_l3_image, 0, *image_bytes, 1);
    for (uint32_t core = 0; core < PULP_BOOT_ADDRESSES; core++) {
        PULP_REG(PULP_BOOT_ADDRESS(core)) = (uint32_t)(uintptr_t)pulp_cluster_entry;
    }
    PULP_REG(PULP_CLUSTER_TIMER) = 1;
    PULP_REG(PULP_FETCH_ENABLE) = (1u << TS_CORES) - 1u;
    pulp_l3_serve();
}

/* Every core writes the same masks: whichever comes first, the barrier is ready. */
void pulp_cluster_main(void) {
    uint32_t team = (1u << TS_CORES) - 1u;
    PULP_REG(PULP_EU_BARRIER_TRIGGER) = team;
    PULP_REG(PULP_EU_BARRIER_TARGET) = team;
    PULP_REG(PULP_EU_MASK) = PULP_EVENT_BARRIER;
    ts_barrier();
    int status = ts_program();
    if (ts_core() == 0) {
        ts_exit(status);
    }
}

void *ts_l1_memory(uint32_t *bytes) {
    *bytes = (uint32_t)(pulp_l1_end - pulp_l1_begin);
    return pulp_l1_begin;
}

void *ts_l2_memory(uint32_t *bytes) {
    *bytes = (uint32_t)(pulp_l2_end - pulp_l2_begin);
    return pulp_l2_begin;
}

uint32_t ts_cycles(void) { return PULP_REG(PULP_CLUSTER_TIMER + 8u); }

void ts_put_char(char c) {
    uint32_t hart = pulp_hart();
    PULP_REG(PULP_STDOUT(hart & 15u) + (hart >> 5 << 7)) = (uint8_t)c;
}

void ts_put_text(const char *text) {
    while (*text != 0) {
        ts_put_char(*text++);
    }
}

void ts_put_u32(uint32_t value) {
    char digits[10];
    uint32_t count = 0;
    do {
        digits[count++] = (char)('0' + value % 10u);
        value /= 10u;
    } while (value != 0);
    while (count > 0) {
        ts_put_char(digits[--count]);
    }
}

void ts_put_hex(uint32_t value) {
    for (uint32_t shift = 32; shift > 0; shift -= 4) {
        ts_put_char("0123456789abcdef"[value >> (shift - 4u) & 15u]);
    }
}

void ts_exit(int status) {
    for (;;) {
        PULP_REG(PULP_EXIT) = 0x80000000u | (uint32_t)status;
    }
}

void pulp_trap(uint32_t cause, uint32_t pc) {
    ts_put_text("trap: hart ");
    ts_put_u32(pulp_hart());
    ts_put_text(" cause ");
    ts_put_hex(cause);
    ts_put_text(" pc ");
    ts_put_hex(pc);
    ts_put_char('\n');
    ts_exit(125);
}
