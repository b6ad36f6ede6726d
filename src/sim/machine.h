/* The simulated machine, private to this room.
 *
 * Time. The machine's clock is the cluster's. Every core has a time of its own, the cycle in which its next
 * instruction leaves decode, and runs ahead until that instruction touches something that others can see.
 * There it parks: its bit is set in a timing wheel at that cycle. Once all cores are parked the earliest
 * cycle is served: each bank grants one access, round-robin; who is granted performs it and runs on; who is
 * not parks for the next cycle. Since nobody can reach an earlier cycle any more this equals stepping all
 * cores cycle by cycle (docs/simulator.md).
 *
 * Code is decoded once into slots, one for each half-word of a code region, and executed from there
 * (execute.c). Function apart from time: what an instruction computes is in isa/semantics.h. */
#ifndef TS_SIM_MACHINE_H
#define TS_SIM_MACHINE_H

#include "isa/isa.h"
#include "sim/elf.h"
#include "sim/sim.h"

enum {
    TS__CORES = 9,      /* cluster cores at most, then the fabric controller */
    TS__FC = TS__CORES, /* its number inside this room */
    TS__CORE_SLOTS = TS__CORES + 1,
    TS__UNIT_DMA_OUT = 16, /* bits of the timing wheel beyond the cores */
    TS__UNIT_DMA_IN = 17,
    TS__UNIT_L3 = 18,
    TS__UNIT_DMA_DONE = 19,
    TS__UNITS = 20,
    TS__WHEEL = 64,
    TS__BANKS = 32,
    TS__LINE_BYTES = 16,
    TS__HISTORY = 16,
    TS__NO_BANK = 255,
    TS__CHANNELS = 32, /* outputs */
    TS__LINE_CHARS = 512
};

/* Why dispatch takes the long way to an instruction. */
enum {
    TS__PRE_LINE = 1,    /* its last byte lies in a line that its predecessor does not touch */
    TS__PRE_END = 2,     /* some hardware loop ends here */
    TS__PRE_MARK = 4,    /* a callback waits here, or a breakpoint */
    TS__PRE_WATCH = 8,   /* every instruction is looked at: trace, profile */
    TS__PRE_DIVIDED = 16 /* revisions before 2018-05: multiplier directly behind a division */
};

/* A decoded instruction. 32 bytes; a code region has one for each half-word. */
typedef struct ts__slot {
    const void *handler;
    int32_t imm; /* as ts_insn.imm; of direct branches and jumps: bytes from this slot to the target's */
    int32_t imm2;
    uint32_t stall_mask; /* registers whose load directly before costs this instruction a cycle */
    uint8_t rd;          /* register written, 32 instead of x0 */
    uint8_t rs1, rs2;
    uint8_t load_rd; /* the rd field as it is */
    uint16_t op;     /* ts_op */
    uint8_t step;    /* bytes from this slot to the next instruction's: 32 or 64 */
    uint8_t pre;     /* TS__PRE_* */
    uint8_t fed;     /* the instruction in front writes this jalr's base through the ALU port */
    uint8_t shadow;  /* of a branch: the next instruction is a division (1) or mulh (2) */
    uint8_t late;    /* jumped to: 1 it comes a cycle late, 2 the one behind it does */
    uint8_t base_wr; /* of post-increment forms: base register written, 32 instead of x0 */
} ts__slot;

_Static_assert(sizeof(ts__slot) == 32, "slots are indexed by shifts");

/* Memory that can hold code. */
typedef struct ts__region {
    uint32_t base, size;
    uint8_t *host;
    ts__slot *slots;    /* size / 2, and one behind that faults */
    uint32_t low, high; /* offsets between which something was decoded */
    uint32_t index;
} ts__region;

/* What a parked core waits for. */
typedef enum ts__park {
    TS__PARK_NEAR,   /* an access to its fast memory that lies in one word */
    TS__PARK_ACCESS, /* any other access */
    TS__PARK_RETRY,  /* an access that cannot be served yet */
    TS__PARK_WOKEN,
    TS__PARK_FETCH, /* a cache line that is not there */
    TS__PARK_FILLED,
    TS__PARK_MARK,
    TS__PARK_YIELD,
    TS__PARK_ASLEEP,
    TS__PARK_OFF
} ts__park;

typedef struct ts__loop {
    uint32_t start, end, count;
} ts__loop;

typedef struct ts__history {
    uint32_t from, to;
} ts__history;

typedef struct ts__core {
    uint32_t r[33];
    ts__slot *e, *next;
    uint64_t t; /* cycle in which e leaves decode; own clock */
    uint64_t retired;
    const void *done; /* where a granted access goes on */
    uint32_t address;
    uint32_t store_value;
    uint32_t slow_word;
    uint8_t size; /* bytes of the access */
    uint8_t store;
    uint8_t second;     /* the second half of a word-crossing access */
    uint8_t park;       /* ts__park */
    uint8_t unit;       /* bit in the wheel */
    uint8_t scaled;     /* its clock is not the cluster's */
    uint8_t asleep_why; /* ts_sim_cause while asleep */
    uint32_t rank;      /* sim->wakes when it was woken last */
    /* its fast memory: L1 for cluster cores, L2 for the fabric controller */
    uint32_t near_base, near_size;
    uint8_t *near_host;
    uint8_t near_region; /* index of the code region that the fast memory is */
    uint8_t banked;      /* its banks are shared */
    uint8_t marked;      /* the marks at e were called */
    /* code */
    ts__region *region;
    uint8_t *lines; /* by line of the region: 1 when a fetch costs nothing */
    uint8_t *own_lines[2];
    uint32_t fetch_step;  /* bytes of slots that a fetch asks for at least */
    uint8_t *line_buffer; /* the one line that is there while the cache is off */
    /* timing */
    uint64_t load_ready[32];     /* a jalr may use what the last load of that register loaded */
    uint64_t ex_until, ex_enter; /* an instruction occupied EX until; its successor entered ID at */
    uint64_t arrived;            /* t at which a jump or taken branch arrived at its target */
    uint64_t fetch_at;           /* of the fix-up slot */
    uint64_t loop_set_at;        /* last lp.* instruction */
    uint64_t div_until;
    uint32_t div_cycles;
    ts__loop loop[2];
    ts__slot *loop_end[2], *loop_start[2];
    ts__slot fixup; /* stands for a hardware loop's start when arriving there costs something */
    ts__slot *fixup_target;
    uint64_t owed;      /* cycles that the instruction at e waits for its fetch after it was executed */
    uint64_t access_at; /* cycle of the first half of a word-crossing access */
    /* counters */
    uint64_t by_cause[TS_SIM_CAUSE_COUNT];  /* without ISSUED */
    uint64_t by_class[TS_SIM_CLASS_COUNT];  /* without ALU */
    uint64_t read_bytes[2], write_bytes[2]; /* near or L1, L2 */
    uint64_t started;                       /* t of the first instruction; before it all is idle */
    uint64_t asleep_since;
    uint64_t asleep_cycles;
    uint64_t imiss;
    uint64_t base_perf[32];
    uint64_t event_jumps, event_taken;
    /* control and status registers */
    uint32_t pcer, pcmr, mstatus, mtvec, mepc, mcause, mscratch;
    uint32_t hartid;
    uint32_t boot;
    ts__history history[TS__HISTORY];
    uint32_t history_count;
    uint32_t number; /* as the caller counts: TS_SIM_FC for the fabric controller */
    void *watch;     /* state of trace, profile and check for this core */
} ts__core;

/* Event unit: one set of per-core lines, barriers, mutexes. */
typedef struct ts__event_core {
    uint32_t mask, buffer, irq_mask;
    bool waiting;      /* sleeps in p.elw */
    uint8_t wait_kind; /* 0 event wait, 1 barrier, 2 mutex */
    bool clears;       /* wait-and-clear */
    uint8_t barrier;   /* or mutex number */
} ts__event_core;

typedef struct ts__barrier {
    uint32_t mask, target, arrived;
} ts__barrier;

typedef struct ts__mutex {
    bool locked;
    uint32_t value;
    uint32_t waiting; /* cores; the lowest number is served first */
} ts__mutex;

typedef struct ts__event_unit {
    ts__event_core core[TS__CORES];
    ts__barrier barrier[8];
    ts__mutex mutex[8];
} ts__event_unit;

/* Cluster DMA (dma.c). */
enum { TS__DMA_COUNTERS = 16, TS__DMA_QUEUE = 64, TS__DMA_DONE = 64 };

typedef struct ts__dma_command {
    uint32_t words[5];
    uint32_t have;
} ts__dma_command;

/* Who asked for a transfer, for --check. */
typedef struct ts__clock ts__clock;
typedef struct ts__mover {
    ts__clock *clock;
    uint32_t unit, pc;
} ts__mover;

typedef struct ts__dma_transfer {
    uint32_t l1, l2;
    uint32_t bytes, line_bytes, stride;
    bool event, irq, broadcast, out;
    uint8_t counter, core;
    uint64_t issued_at;
    ts__mover *mover; /* NULL: nobody checks */
} ts__dma_transfer;

/* A stream has two ports to L1, which take its words in turn. */
enum { TS__DMA_PORTS = 2 };

typedef struct ts__dma_port {
    uint32_t at, bytes; /* of the transfer; 0 bytes: nothing to do */
    uint32_t bank;
    uint64_t asked_at; /* cycle in which it first asked for the bank */
} ts__dma_port;

typedef struct ts__dma_stream {
    ts__dma_transfer queue[TS__DMA_QUEUE];
    uint32_t head, count;
    uint32_t at, issued; /* bytes of the transfer that are moved, that were given to a port */
    uint32_t piece_end;  /* the line, or the burst of it, that is under way */
    uint64_t piece_at;   /* cycle of its first word */
    ts__dma_port port[TS__DMA_PORTS];
    uint64_t free_at; /* earliest first word of the next transfer */
    uint64_t begun_at;
} ts__dma_stream;

typedef struct ts__dma_done {
    uint64_t at;
    ts__dma_transfer transfer;
} ts__dma_done;

typedef struct ts__dma {
    uint32_t allocated;                      /* counters */
    uint32_t counter_left[TS__DMA_COUNTERS]; /* transfers that are not complete */
    ts__dma_command command[TS__CORE_SLOTS];
    uint8_t current[TS__CORE_SLOTS]; /* counter that a core's commands belong to */
    bool owns[TS__CORE_SLOTS];
    uint32_t waiting[TS__CORE_SLOTS]; /* commands queued, not begun */
    ts__dma_stream in, out;
    uint32_t taken;     /* commands taken so far: where the DMA begins to look among the cores goes round */
    uint32_t coming[2]; /* commands of cycle taken_at, inwards and outwards */
    uint64_t taken_at;
    ts__dma_done done[TS__DMA_DONE];
    uint32_t done_head, done_count;
} ts__dma;

/* HyperBus behind the uDMA (l3.c). */
typedef struct ts__l3_chip {
    const ts_memory *memory;
    uint8_t **pages;
    uint8_t **known; /* bits that somebody wrote, where somebody checks */
    uint32_t page_count;
} ts__l3_chip;

typedef struct ts__l3 {
    ts__l3_chip chip[2];
    uint32_t rx[3], tx[3], setup, external, common[16];
    bool busy;
    bool write;
    uint32_t l2, bytes;
    uint64_t begun_at, done_at;
    ts__mover mover;
} ts__l3;

typedef struct ts__mark {
    ts__slot *slot;
    uint32_t address;
    ts_sim_mark_callback *callback;
    void *user;
} ts__mark;

/* Instruction cache of the cluster or the FC (icache.c). */
typedef struct ts__icache {
    const ts_icache *shape;
    bool enabled;
    uint32_t *l1_tags;    /* line number + 1 */
    uint8_t *l1_lines[2]; /* by region and line: resident in level 1 */
    uint32_t *l0_tags[TS__CORE_SLOTS];
    uint8_t lfsr_l1[4], lfsr_l0[TS__CORE_SLOTS];
    uint64_t bank_until[4]; /* a bank refills a line until then */
    uint64_t fill_at[16];
    uint32_t fill_line[16];
    uint32_t fill_next;
} ts__icache;

typedef enum ts__stop { TS__RUNNING, TS__EXITED, TS__FAULTED, TS__STOPPED } ts__stop;

struct ts_sim {
    ts_arena *arena;
    const ts_target *target;
    ts_sim_options options;
    ts_isa_revision revision;
    bool suite;
    uint32_t fetch_bits;  /* width of the instruction port: 32, 128, or 0 for one that never waits */
    uint32_t fetch_bytes; /* that some fetch asks for at least */
    bool late_fetch;      /* an instruction is executed first and waits for its fetch then */
    bool single_loops;    /* hardware loops of one instruction repeat */
    uint32_t core_count;  /* cluster cores */
    ts__core core[TS__CORE_SLOTS];
    /* time */
    uint64_t now;
    uint64_t occupied; /* bit k: wheel[k] is not empty */
    uint32_t wheel[TS__WHEEL];
    uint64_t far_at[TS__UNITS];
    uint64_t far_first;
    uint32_t at_access; /* cores that are parked at an access */
    uint32_t far;       /* units whose time lies beyond the wheel */
    uint64_t max_cycles;
    /* banks of L1 */
    uint8_t bank[TS__UNITS];     /* of the access that a core is parked at, or TS__NO_BANK */
    uint64_t bank_at[TS__BANKS]; /* last cycle in which it granted */
    bool first_come;             /* in one cycle the core that was woken last goes first */
    uint32_t wakes;              /* of all cores so far */
    uint32_t bank_mask;
    uint32_t l2_ports; /* accesses a cycle of the cluster's cores and caches, 0: any number */
    bool l2_conflicts; /* banks of L2 serve one word a cycle */
    uint32_t l2_bank_mask;
    uint32_t l2_bank_time;          /* of a word, in 1/256 cycles */
    uint64_t l2_bank_at[TS__BANKS]; /* a bank is free from then on, in 1/256 cycles */
    uint64_t l2_free_at;            /* cycle in which the bus to L2 takes the next one */
    uint32_t l2_taken;              /* accesses in that cycle already */
    uint32_t l1_base, l1_size, l2_base, l2_size;
    uint8_t *l1, *l2;
    ts__region region[2];
    uint32_t region_count;
    uint8_t *all_lines; /* all ones: no instruction cache */
    const void *const *labels;
    ts__icache cluster_cache, fc_cache;
    ts__event_unit events;
    ts__dma dma;
    ts__l3 l3;
    uint32_t fetch_enable;
    bool timer_on;
    uint64_t timer_since;
    uint32_t timer_base;
    uint32_t fc_irq_mask, fc_irq_pending;
    uint64_t clock_num, clock_den; /* cluster cycles for each FC cycle */
    ts_sim_traffic traffic;
    TS_VEC(ts__mark) marks;
    ts_elf elf;
    bool have_elf;
    /* end of the run */
    ts__stop stop;
    int exit_code;
    const char *fault;
    ts__core *fault_core;
    uint32_t fault_address;
    ts_diags *diags;
    char line_text[TS__CHANNELS][TS__LINE_CHARS];
    uint32_t line_size[TS__CHANNELS];
    /* suite machine */
    uint64_t suite_start, suite_stop, suite_start_retired, suite_stop_retired;
    bool suite_has_start, suite_has_stop;
    TS_VEC(uint32_t) signature;
    /* observers */
    bool watched;
    struct {
        uint32_t bottom, top;
    } stack[TS__CORE_SLOTS]; /* where a core's stack may be; top 0: nobody said */
    struct ts__gdb *gdb;     /* the debugger's side, or NULL */
    struct ts__trace *trace;
    struct ts__profile *profile;
    struct ts__timeline *timeline;
    struct ts__check *check;
};

/* decode.c */
ts__slot *ts__slot_at(ts_sim *sim, uint32_t address, ts__region **region);
void ts__decode(ts_sim *sim, ts__region *region, ts__slot *slot);
void ts__pre_set(ts_sim *sim, ts__slot *slot, uint32_t bit);
void ts__forget(ts_sim *sim, ts__region *region, uint32_t offset, uint32_t bytes);
void ts__region_new(ts_sim *sim, uint32_t index, uint32_t base, uint32_t size, uint8_t *host);
static inline uint32_t ts__slot_address(const ts__region *region, const ts__slot *slot) {
    return region->base + (uint32_t)(slot - region->slots) * 2u;
}
/* The address of the instruction that a core is at. */
uint32_t ts__pc(const ts__core *core);

/* execute.c */
void ts__execute(ts_sim *sim);
void ts__core_start(ts_sim *sim, ts__core *core, uint32_t address, uint64_t at);
uint32_t ts__div_cycles(uint32_t op, uint32_t divisor);

/* schedule.c */
void ts__park_at(ts_sim *sim, uint32_t unit, uint64_t at);
void ts__unpark(ts_sim *sim, uint32_t unit);
/* The core of `among` that was woken last; where no core is among them a DMA stream, the inward one first. */
uint32_t ts__woken_last(const ts_sim *sim, uint32_t among);
uint64_t ts__to_machine(const ts_sim *sim, const ts__core *core, uint64_t t);
uint64_t ts__from_machine(const ts_sim *sim, const ts__core *core, uint64_t t);
uint32_t ts__next_round(ts_sim *sim);

/* memory.c: the long way of an access. Returns the cycles beyond the one that it takes; sets core->park to
 * TS__PARK_ASLEEP where the core has to sleep. A load leaves its word in core->slow_word. */
uint32_t ts__slow_access(ts_sim *sim, ts__core *core);
void ts__flush(ts_sim *sim);
/* Takes the cluster's bus to L2 for `beats` accesses; the cycles that they wait for it. */
uint32_t ts__l2_bus(ts_sim *sim, uint32_t beats);
/* Takes the banks of L2 for `words` words from `address` on, at cycle `at`; the cycles that they wait for
 * others. */
uint32_t ts__l2_banks(ts_sim *sim, uint32_t address, uint32_t words, uint64_t at);
uint8_t *ts__host(const ts_sim *sim, uint32_t address, uint32_t bytes);
void ts__stored(ts_sim *sim, const uint8_t *host, uint32_t bytes);

/* icache.c */
void ts__icache_new(ts_sim *sim, ts__icache *cache, const ts_icache *shape);
void ts__icache_enable(ts_sim *sim, ts__icache *cache, bool enabled);
void ts__icache_flush(ts_sim *sim, ts__icache *cache);
uint32_t ts__icache_miss(ts_sim *sim, ts__core *core, const ts__slot *slot);
void ts__icache_filled(ts_sim *sim, ts__core *core, const ts__slot *slot);
void ts__icache_lines(ts_sim *sim, ts__core *core);

/* event.c */
uint32_t ts__event_read(ts_sim *sim, ts__core *core, uint32_t offset, uint32_t *value);
void ts__event_write(ts_sim *sim, ts__core *core, uint32_t offset, uint32_t value);
void ts__event_global(ts_sim *sim, ts__core *core, uint32_t offset);
void ts__event_raise(ts_sim *sim, uint32_t cores, uint32_t events, uint64_t at);
void ts__wake(ts_sim *sim, ts__core *core, uint64_t at);
void ts__sleep(ts_sim *sim, ts__core *core, ts_sim_cause why);
const char *ts__waits_for(const ts_sim *sim, const ts__core *core);

/* dma.c */
uint32_t ts__dma_read(ts_sim *sim, ts__core *core, uint32_t offset, uint32_t *value);
uint32_t ts__dma_write(ts_sim *sim, ts__core *core, uint32_t offset, uint32_t value);
void ts__dma_step(ts_sim *sim, ts__dma_stream *stream, uint32_t granted);
/* The banks that a stream wants in cycle `now`, and since when it wants one of them. */
uint32_t ts__dma_banks(const ts__dma_stream *stream, uint64_t now);
uint64_t ts__dma_asked_at(const ts__dma_stream *stream, uint32_t bank);
void ts__dma_finish(ts_sim *sim);

/* l3.c */
uint32_t ts__l3_register(ts_sim *sim, ts__core *core, uint32_t offset);
void ts__l3_register_write(ts_sim *sim, ts__core *core, uint32_t offset, uint32_t value);
void ts__l3_new(ts_sim *sim);
void ts__l3_done(ts_sim *sim);
/* The address in L2 that the uDMA accesses in cycle `at`; false: none. */
bool ts__l3_accesses(const ts_sim *sim, uint64_t at, uint32_t *address);
bool ts__l3_copy(ts_sim *sim, uint64_t address, void *data, size_t size, bool write);

/* csr.c */
/* sim.c */
void ts__call_marks(ts_sim *sim, ts__core *core);

void ts__interrupt_register(ts_sim *sim, ts__core *core, uint32_t offset);
bool ts__is_elw(const ts__core *core);
bool ts__interrupt_pending(const ts_sim *sim, const ts__core *core);
bool ts__csr(ts_sim *sim, ts__core *core, const ts__slot *slot, uint64_t t, uint64_t retired);

/* energy.c: what was done, and what it costs at an operating point of the target. */
typedef struct ts__activity {
    double cycles;                         /* elapsed, cluster */
    double active_cycles, waiting_cycles;  /* of all cores together */
    double mul, dot, div, memory, control; /* instructions */
    double l1_bytes, l2_bytes, l3_bytes, dma_bytes;
    double refills; /* cache lines */
} ts__activity;
ts_sim_energy ts__energy(const ts_target *target, uint32_t point, const ts__activity *done);

/* fault.c */
void ts__fault(ts_sim *sim, ts__core *core, uint32_t address, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
bool ts__semihost(ts_sim *sim, ts__core *core);
uint32_t ts__word_at(const ts_sim *sim, const ts__core *core, const ts__slot *slot);
ts_status ts__fault_report(ts_sim *sim, ts_diags *diags);

/* watch.c: trace, profile, timeline, check; all without effect where they are off */
void ts__note_dma(ts_sim *sim, const ts__dma_transfer *transfer, uint64_t begin, uint64_t end);
void ts__note_l3(ts_sim *sim);
void ts__note_wait(ts_sim *sim, const ts__core *core, uint64_t begin, uint64_t end);
void ts__check_access(ts_sim *sim, const ts__core *core);
void ts__check_beat(ts_sim *sim, const ts__dma_transfer *transfer, uint32_t l1, uint32_t l2, uint32_t bytes);
/* An L3 transfer is done; which bits of its bytes in L2 are known, to be copied along. NULL: nobody checks.
 */
uint8_t *ts__check_l3(ts_sim *sim, const ts__mover *mover, uint32_t l2, uint32_t bytes, bool write);
void ts__check_end(ts_sim *sim);
ts_status ts__watch_new(ts_sim *sim, ts_diags *diags);
void ts__watch_free(ts_sim *sim);
void ts__watch_end(ts_sim *sim);
/* define.c */
void ts__define_start(ts_sim *sim, uint32_t unit);

/* order.c: what lets one thread know of another; each does nothing where nobody checks. */
void ts__order_arrive(ts_sim *sim, uint32_t unit, uint32_t number); /* at a barrier */
void ts__order_open(ts_sim *sim, uint32_t number, uint32_t cores, uint32_t event);
void ts__order_signal(ts_sim *sim, uint32_t unit, uint32_t cores, uint32_t events); /* sent by software */
void ts__order_observe(ts_sim *sim, uint32_t unit, uint32_t events); /* events that a core has seen */
void ts__order_lock(ts_sim *sim, uint32_t unit, uint32_t number);
void ts__order_unlock(ts_sim *sim, uint32_t unit, uint32_t number);
void ts__order_start(ts_sim *sim, uint32_t unit, uint32_t started);
void ts__order_interrupt(ts_sim *sim, uint32_t unit, bool raised); /* the fabric's: raised or seen */
void ts__order_issue(ts_sim *sim, ts__dma_transfer *transfer);
void ts__order_begin(ts_sim *sim, const ts__dma_transfer *transfer);
void ts__order_end(ts_sim *sim, const ts__dma_transfer *transfer);
void ts__order_complete(ts_sim *sim, const ts__dma_transfer *transfer, uint32_t cores, uint32_t events);
void ts__order_status(ts_sim *sim, uint32_t unit, uint32_t busy); /* the DMA's, read */
void ts__order_l3_start(ts_sim *sim, uint32_t unit);
void ts__order_l3_done(ts_sim *sim);
void ts__order_l3_status(ts_sim *sim, uint32_t unit, bool busy);

void ts__watch_loaded(ts_sim *sim, uint32_t address, uint32_t bytes);
void ts__watch(ts_sim *sim, ts__core *core, ts__slot *slot);
/* A fault where the instruction in `slot` moves sp below the stack that ts_sim_stack() named. */
void ts__stack_look(ts_sim *sim, ts__core *core, const ts__slot *slot);

#endif
