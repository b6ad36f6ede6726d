/* One mistake that --check must name, or one that looks like a mistake and is none, for each value of CASE
 * (check_test.c has what is expected). Three cores take part. */
#include "rt.h"

#define FRESH     ((volatile u32 *)0x10004000) /* in L1; nobody writes it before */
#define OUTER     ((volatile u32 *)0x1c060000) /* in L2, likewise */
#define TAS(word) (*(volatile u32 *)((u32)(word) + 0x100000u))

static volatile u32 data[64], sink;
volatile u32 ts_sync_flag;
static volatile u32 other_flag;

static void delay(void) {
    for (u32 i = 0; i < 400; i++)
        __asm__ volatile("nop");
}
static void use(u32 value) {
    if (value == 12345)
        sink = 1;
}
static u32 times(u32 a, u32 b) {
    u32 r;
    __asm__ volatile("mul %0, %1, %2" : "=r"(r) : "r"(a), "r"(b));
    return r;
}
static void pair_barrier(void) { elw(EU + 0x220 + 0x1C); }
static void wait_event(u32 mask) {
    u32 old = REG(EU);
    REG(EU) = mask;
    elw(EU + 0x3C);
    REG(EU) = old;
}
/* Moves `bytes` into L1 (or out of it) and goes on at once. */
static u32 transfer(u32 in, volatile void *l1, volatile void *l2, u32 bytes) {
    u32 ticket = REG(DMA);
    REG(DMA) = bytes | in << 17 | 1u << 18;
    REG(DMA) = (u32)l1;
    REG(DMA) = (u32)l2;
    return ticket;
}
static void finish(u32 ticket) {
    while (REG(DMA + 4) & 1u << ticket)
        ;
    REG(DMA + 4) = 1u << ticket;
}
static void lock(void) { elw(EU + 0xC0); }
static void unlock(void) { REG(EU + 0xC0) = 0; }
static void __attribute__((noinline)) dirty_stack(void) {
    volatile u32 words[8];
    for (int i = 0; i < 8; i++)
        words[i] = 1;
}
static void __attribute__((noinline)) reads_its_frame(void) {
    volatile u32 words[8];
    use(words[3]);
}

static void one_core(void) {
    volatile uint8_t *bytes = (volatile uint8_t *)FRESH;
    switch (CASE) {
        case 0:
            FRESH[16] = FRESH[0];
            break;
        case 1:
            use(FRESH[0]);
            break;
        case 2:
            sink = data[FRESH[0] & 3];
            break;
        case 3:
            pc_((char)FRESH[0]);
            break;
        case 4:
            bytes[0] = 7;
            use(FRESH[0] & 0xff);
            break;
        case 5:
            use(times(FRESH[0], data[0]));
            break;
        case 6:
            FRESH[16] = FRESH[0];
            use(FRESH[16]);
            break;
        case 7:
            finish(transfer(0, FRESH, OUTER, 64));
            use(OUTER[3]);
            break;
        case 8:
            dirty_stack();
            reads_its_frame();
            break;
    }
}

static void transfers(u32 id) {
    u32 ticket;
    for (u32 i = 0; i < 64 && id == 0; i++)
        OUTER[i] = i, FRESH[i] = i;
    barrier();
    switch (CASE) {
        case 30:
            if (id == 0) {
                ticket = transfer(1, FRESH, OUTER, 256);
                use(FRESH[60]);
                finish(ticket);
            }
            break;
        case 31:
            if (id == 0) {
                finish(transfer(1, FRESH, OUTER, 256));
                use(FRESH[60]);
            }
            break;
        case 32:
            if (id == 0) {
                transfer(1, FRESH, OUTER, 256);
                delay();
                use(FRESH[60]);
            }
            break;
        case 33:
            if (id == 0) {
                transfer(0, FRESH, OUTER, 256);
                FRESH[60] = 1;
            }
            break;
        case 34:
            if (id == 0) {
                transfer(0, FRESH, OUTER, 256);
                delay();
                FRESH[60] = 1;
            }
            break;
        case 35:
        case 36:
            for (u32 i = 0; id == 1 && i < (CASE == 35 ? 64u : 2u); i++)
                use(FRESH[i]);
            if (id == 0) {
                delay();
                delay();
                finish(transfer(1, FRESH, OUTER, 256));
            }
            break;
        case 37:
            if (id == 0)
                finish(transfer(1, FRESH, OUTER, 256));
            barrier();
            use(FRESH[id]);
            break;
        case 38:
            if (id == 0) {
                REG(EU) = 1u << 16 | 1u << 8;
                ticket = transfer(1, FRESH, OUTER, 256 | 1u << 20);
                REG(EU) = 1u << 8;
                elw(EU + 0x3C);
                REG(EU) = 1u << 16;
                use(FRESH[60]);
            }
            break;
    }
}

static void three_cores(u32 id) {
    switch (CASE) {
        case 10:
            data[1] = id;
            break;
        case 11:
        case 12:
            if (id == 0)
                data[1] = 5;
            if (id < 2)
                pair_barrier();
            if (id == 2)
                delay();
            if (id == (CASE == 11 ? 1u : 2u))
                use(data[1]);
            break;
        case 13:
            lock();
            data[1]++;
            unlock();
            break;
        case 14:
            if (id < 2)
                lock();
            data[1]++;
            if (id < 2)
                unlock();
            break;
        case 15:
        case 16:
            if (id == 0) {
                data[1] = 5;
                REG(EU + 0x104) = 2;
            }
            if (id == 1)
                wait_event(2);
            if (id == 2)
                delay();
            if (id == (CASE == 15 ? 1u : 2u))
                use(data[1]);
            break;
        case 17:
        case 18:
            if (id == 0) {
                data[1] = 5;
                if (CASE == 17)
                    ts_sync_flag = 1;
                else
                    other_flag = 1;
            }
            break;
        case 19:
            while (TAS(&FRESH[0]))
                ;
            data[1]++;
            FRESH[0] = 0;
            break;
        case 21:
        case 22:
            for (u32 i = 0; id == 1 && i < 40; i++)
                use(data[20 + i]);
            if (id == 0)
                delay(), delay(), delay();
            for (u32 i = 0; id == 0 && i < (CASE == 21 ? 40u : 4u); i++)
                data[20 + i] = i;
            break;
        case 20:
            data[4 + id] = id;
            barrier();
            use(data[4 + (id + 1) % 3]);
            break;
    }
}

void fc_main(void) {
    if (CASE == 19)
        FRESH[0] = 0;
    data[2] = 7; /* the cores know of it by being started */
    start_cluster(7);
    if (CASE == 17)
        while (ts_sync_flag == 0)
            ;
    if (CASE == 18)
        while (other_flag == 0)
            ;
    if (CASE == 17 || CASE == 18)
        use(data[1]);
}
void cl_main(u32 id) {
    if (id == 0) {
        eu_init(7);
        REG(EU + 0x220) = 3;
        REG(EU + 0x22C) = 3;
    }
    delay();
    REG(EU + 0x08) = 1u << 16 | 1u << 17;
    barrier();
    use(data[2]);
    if (CASE < 10 && id == 0)
        one_core();
    else if (CASE < 30)
        three_cores(id);
    else
        transfers(id);
    delay();
    barrier();
    if (id == 0)
        quit(0);
}
