/* What --check keeps; private to check.c (reports, stacks, memory), define.c (values that depend on bytes
 * nobody wrote) and order.c (accesses that nothing orders). */
#ifndef TS_SIM_CHECK_H
#define TS_SIM_CHECK_H

#include "sim/machine.h"

enum {
    TS__CHECK_REPORTS = 20,
    TS__THREAD_DMA_IN = TS__CORE_SLOTS, /* who accesses memory: the cores, then these */
    TS__THREAD_DMA_OUT,
    TS__THREAD_L3,
    TS__THREADS,
    TS__SYNC_WORDS = 64
};

/* A vector clock: how far each thread had come when it last let the owner of this one know. */
struct ts__clock {
    uint32_t at[TS__THREADS];
};

/* A byte's last accesses, each a thread and its clock (order.c). */
typedef struct ts__byte_epochs {
    uint32_t written, read;
} ts__byte_epochs;

/* Why a value is not to be used. */
typedef struct ts__origin {
    uint32_t pc, address; /* of the load, of the byte */
    uint32_t thread; /* that wrote the byte with nothing to order the two; TS__THREADS: nobody wrote it */
} ts__origin;

/* Bytes that a thread overwrote and that another may have read, since either last synchronised. */
typedef struct ts__over_read {
    uint32_t reads, writes; /* the two clocks */
    uint32_t bytes;
} ts__over_read;

typedef struct ts__sync_word {
    uint32_t address;
    ts__clock clock;
} ts__sync_word;

typedef struct ts__check {
    /* By memory, L1 then L2. */
    uint8_t *known[2];   /* bits of each byte whose value is known */
    uint16_t *origin[2]; /* of each word, where bits of it are not: index into origins */
    ts__byte_epochs *epochs[2];
    TS_VEC(ts__origin) origins; /* 0: the register was never written */
    /* By core: bits of each register that are not known, and why. */
    uint32_t unknown[TS__CORE_SLOTS][33];
    uint16_t why[TS__CORE_SLOTS][33];
    /* order.c */
    ts__clock clock[TS__THREADS];
    ts__clock barrier[8], mutex[8], event[TS__CORES][32], counter[TS__DMA_COUNTERS], l3, interrupts;
    TS_VEC(ts__clock) shared; /* reads of bytes that several threads read */
    TS_VEC(uint32_t) shared_free;
    ts__over_read over_read[TS__THREADS][TS__THREADS]; /* by reader and writer */
    ts__sync_word sync[TS__SYNC_WORDS];
    uint32_t sync_count;
    /* check.c */
    uint32_t reports;
    uint32_t reported[TS__CHECK_REPORTS]; /* addresses of instructions already named */
    uint32_t lowest_sp[TS__CORE_SLOTS], highest_sp[TS__CORE_SLOTS];
} ts__check;

/* check.c. The memory that an address lies in (0 L1, 1 L2) and the offset there; -1: neither. */
int ts__check_memory(const ts_sim *sim, uint32_t address, uint32_t *offset);
const char *ts__check_who(ts_sim *sim, uint32_t thread);
const char *ts__check_where(ts_sim *sim, uint32_t pc);
/* Names the instruction at `pc` of a core once; `what` continues "check: core N at PC, cycle C: ". */
void ts__check_report(ts_sim *sim, uint32_t unit, uint32_t pc, uint32_t address, const char *what);

/* define.c. Before an instruction that is not a load or store: what it makes of values that are not known. */
void ts__define_step(ts_sim *sim, const ts__core *core, const ts__slot *slot);
/* A load or store of memory or of a peripheral (offset of no memory: `memory` -1). `raced`: bits that another
 * thread writes meanwhile, as `origin` says. */
void ts__define_access(ts_sim *sim, const ts__core *core, int memory, uint32_t offset, uint32_t raced,
                       const ts__origin *origin);
/* All registers but x0 of a core that starts. */
void ts__define_start(ts_sim *sim, uint32_t unit);
/* What moved from one memory to another is as known as it was. */
void ts__define_copy(ts__check *check, int from, uint32_t from_offset, int to, uint32_t to_offset,
                     uint32_t bytes);
uint16_t ts__define_origin(ts_sim *sim, ts__origin origin);

/* order.c. A byte is read or written by a thread; the thread that wrote it (or one that read it, for a write)
 * with nothing to order the two, or TS__THREADS. */
uint32_t ts__order_read(ts_sim *sim, uint32_t thread, ts__byte_epochs *byte);
uint32_t ts__order_write(ts_sim *sim, uint32_t thread, ts__byte_epochs *byte, uint32_t *reader);
void ts__order_new(ts_sim *sim);
/* The flag that an access is one of, or NULL. */
ts__sync_word *ts__order_sync(ts__check *check, uint32_t address);
void ts__order_release(ts__check *check, uint32_t thread, ts__clock *to);
void ts__order_acquire(ts__check *check, uint32_t thread, const ts__clock *from);

#endif
