/* The RISC-V cluster simulator: executes the ELF that would run on the chip and says where each cycle went.
 *
 * One fabric controller and N RI5CY cores (RV32IMC + XpulpV2) at the memory map and the registers of the
 * PULP platform, or one core with a flat memory. Deterministic: same ELF, same input, same cycles on every
 * host. Knows nothing of networks; includes only base, target and isa. */
#ifndef TS_SIM_SIM_H
#define TS_SIM_SIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/diag.h"
#include "base/file.h"
#include "target/target.h"

typedef struct ts_sim ts_sim;

/* Core numbers: cluster cores from 0; this one is the fabric controller. */
enum { TS_SIM_FC = 31 };

typedef struct ts_sim_options {
    const char
        *core_revision;  /* NULL: "ri5cy-2019-11"; also "ri5cy-2018-01", "ri5cy-2017-12", "cv32e40p-1.0.0" */
    const char *machine; /* NULL: the platform; "ri5cy-suite": one core, flat memory, markers at 0x40000000;
                            "flat": the same with the memory at 0x80000000 */
    uint64_t max_cycles; /* 0: no limit. Reaching it is a fault that says what each core waits for */
    bool check; /* look for uses of unknown values, races, stacks that touch data (docs/simulator.md) */
    void (*stdout_char)(void *user, unsigned core, char c); /* what the program prints; NULL drops it */
    void *user;
    const char *trace_path;    /* one line an instruction; NULL: none */
    const char *profile_path;  /* folded stacks; NULL: none */
    const char *timeline_path; /* Chrome trace events; NULL: none */
    /* The spans of the timeline as they end, whether or not a file is written; NULL: none. `row` stays valid
     * while the simulator lives, `name` during the call. */
    void (*timeline_span)(void *user, const char *row, const char *name, uint64_t begin_cycle,
                          uint64_t end_cycle);
    void *timeline_user;
    uint16_t gdb_port; /* serve a debugger on this port of loopback; 0: none */
    unsigned gdb_core; /* the core that it sees: TS_SIM_FC or a cluster core */
} ts_sim_options;

/* Why a core spent a cycle. Every elapsed cycle of a core has exactly one cause. */
#define TS_SIM_CAUSES(X)                                                             \
    X(ISSUED, "issued", "an instruction left decode")                                \
    X(LOAD_USE, "load_use", "waits for the result of a load")                        \
    X(BRANCH, "branch", "taken branches and jumps, target fetch")                    \
    X(MULTI_CYCLE, "multi_cycle", "division, mulh, word-crossing access, csr flush") \
    X(TCDM, "tcdm_conflict", "an L1 bank served somebody else")                      \
    X(ICACHE, "icache", "instruction cache refill")                                  \
    X(MEMORY, "memory", "L2, peripheral and L3 register access")                     \
    X(DMA_WAIT, "dma_wait", "asleep until a transfer ends, or queue full")           \
    X(BARRIER_WAIT, "barrier_wait", "asleep until others arrive")                    \
    X(IDLE, "idle", "asleep or not started")

typedef enum ts_sim_cause {
#define TS_SIM_CAUSE_ENUM(id, name, text) TS_SIM_##id,
    TS_SIM_CAUSES(TS_SIM_CAUSE_ENUM)
#undef TS_SIM_CAUSE_ENUM
        TS_SIM_CAUSE_COUNT
} ts_sim_cause;

/* Classes of instructions. */
#define TS_SIM_CLASSES(X)                                          \
    X(ALU, "alu") /* arithmetic, SIMD without dot products, csr */ \
    X(MUL, "mul") /* multiply, multiply-accumulate */              \
    X(DOT, "dot") /* SIMD dot products */                          \
    X(DIV, "div") /* division, remainder */                        \
    X(LOAD, "load")                                                \
    X(STORE, "store")                                              \
    X(CONTROL, "control") /* branches, jumps */                    \
    X(LOOP, "loop")       /* hardware loop set-up */               \
    X(SYSTEM, "system")

typedef enum ts_sim_class {
#define TS_SIM_CLASS_ENUM(id, name) TS_SIM_CLASS_##id,
    TS_SIM_CLASSES(TS_SIM_CLASS_ENUM)
#undef TS_SIM_CLASS_ENUM
        TS_SIM_CLASS_COUNT
} ts_sim_class;

/* Totals since the start of the run, in cycles of the core's own clock. */
typedef struct ts_sim_counters {
    uint64_t cycles; /* elapsed: the sum of by_cause, asserted */
    uint64_t by_cause[TS_SIM_CAUSE_COUNT];
    uint64_t instructions; /* retired */
    uint64_t by_class[TS_SIM_CLASS_COUNT];
    uint64_t l1_read_bytes, l1_write_bytes; /* by this core's loads and stores */
    uint64_t l2_read_bytes, l2_write_bytes;
} ts_sim_counters;

/* Bytes moved by engines, whichever core asked. */
typedef struct ts_sim_traffic {
    uint64_t dma_in_bytes, dma_out_bytes; /* L2 to L1, L1 to L2 */
    uint64_t dma_in_busy_cycles, dma_out_busy_cycles;
    uint64_t dma_transfers;
    uint64_t l3_read_bytes, l3_write_bytes; /* HyperRAM and flash to L2, L2 to HyperRAM */
    uint64_t l3_busy_cycles;                /* of the FC's clock */
    uint64_t l3_transfers;
    uint64_t icache_refills; /* lines fetched from L2 */
} ts_sim_traffic;

/* Creates a simulator; it and all that it needs live in the arena (memory beyond that is released by
 * ts_sim_free, which must be called before the arena is freed). `target` must outlive it; NULL is allowed
 * with machine "ri5cy-suite". Errors: an unknown machine or core revision, files that cannot be written. */
ts_status ts_sim_new(ts_arena *arena, const ts_target *target, const ts_sim_options *options, ts_sim **out,
                     ts_diags *diags);
void ts_sim_free(ts_sim *sim);

/* Places an ELF (32-bit RISC-V, executable) by physical address and sets the entry. A segment outside every
 * memory, or a malformed file, is TS_BAD_INPUT. */
ts_status ts_sim_load_elf(ts_sim *sim, ts_bytes elf, ts_diags *diags);

/* Sets where the fabric controller (or the one core) starts, for programs that were written into memory
 * without an ELF. TS_BAD_INPUT where there is no code memory. */
ts_status ts_sim_start(ts_sim *sim, uint32_t address, ts_diags *diags);

/* Off-chip memory, before, during or after a run, in zero time. Addresses on the L3 bus: HyperRAM from its
 * base in the target (0), flash from its base. */
ts_status ts_sim_l3_write(ts_sim *sim, uint64_t address, const void *data, size_t size, ts_diags *diags);
ts_status ts_sim_l3_read(ts_sim *sim, uint64_t address, void *data, size_t size, ts_diags *diags);

/* Any mapped memory as the cluster sees it, in zero time; false where a byte is not memory. */
bool ts_sim_read(ts_sim *sim, uint32_t address, void *data, size_t size);
bool ts_sim_write(ts_sim *sim, uint32_t address, const void *data, size_t size);
/* With options.check: whether all bits of these bytes are known, that is, depend on bytes that somebody
 * wrote; if not, the first byte that is not. Without, always true. */
bool ts_sim_known(ts_sim *sim, uint32_t address, size_t size, uint32_t *first);

/* Address of an ELF symbol; false where there is none. */
bool ts_sim_symbol(ts_sim *sim, const char *name, uint32_t *address);

/* Has `callback` called whenever core 0 of the cluster, or the fabric controller, is about to execute the
 * instruction at `address`. Costs no simulated time. Any number of marks; several at one address are called
 * in the order in which they were set. The callback may read memory and counters and may write memory, but
 * not code. */
typedef void ts_sim_mark_callback(void *user, ts_sim *sim, unsigned core, uint64_t cycle);
ts_status ts_sim_mark(ts_sim *sim, uint32_t address, ts_sim_mark_callback *callback, void *user);

/* Says where the stack of a cluster core (from 0) or TS_SIM_FC lies, [bottom, top): a function that would
 * grow it below `bottom` is a fault. Before the run; without it only --check looks at stacks. */
void ts_sim_stack(ts_sim *sim, unsigned core, uint32_t bottom, uint32_t top);

/* Runs to exit or fault. Exit is TS_OK whatever the program's code; a fault adds a diagnostic with core, PC,
 * symbol, address, cause and the last instructions, and gives TS_SYSTEM. */
ts_status ts_sim_run(ts_sim *sim, ts_diags *diags);

/* What the program exited with; valid after ts_sim_run() gave TS_OK. */
int ts_sim_exit_code(const ts_sim *sim);

/* Elapsed time in cluster cycles and the instructions that all cores retired. */
uint64_t ts_sim_cycle(const ts_sim *sim);
uint64_t ts_sim_retired(const ts_sim *sim);

/* Counters of a cluster core (from 0) or TS_SIM_FC, up to this moment: callable in a mark callback, so that
 * layers are differences. All zeros for a core that the target lacks. */
void ts_sim_counters_of(ts_sim *sim, unsigned core, ts_sim_counters *out);
void ts_sim_traffic_of(ts_sim *sim, ts_sim_traffic *out);

/* Machine "ri5cy-suite" only: cycles and instructions between the START and STOP stores, and the signature
 * words. */
typedef struct ts_sim_suite_result {
    uint64_t cycles, retired;
    const uint32_t *signature; /* owned by the simulator */
    uint32_t signature_count;
} ts_sim_suite_result;
ts_sim_suite_result ts_sim_suite(const ts_sim *sim);

/* Energy of the activity between two counter readings, in microjoules, at operating point `point` of the
 * target; the sum of the parts is the total. */
typedef struct ts_sim_energy {
    double cores_uj, idle_uj, l1_uj, l2_uj, l3_uj, dma_uj, static_uj, total_uj;
} ts_sim_energy;
ts_sim_energy ts_sim_energy_of(ts_sim *sim, uint32_t point);

/* Adds a named span to the timeline file, on the row `row` ("layers", "tiles"); no effect without one. Cycles
 * of the cluster's clock. */
void ts_sim_timeline_span(ts_sim *sim, const char *row, const char *name, uint64_t begin_cycle,
                          uint64_t end_cycle);

#endif
