/* A chip's description: cores, clocks, memories, DMA, caches, latencies, energy.
 *
 * Read from JSON (docs/targets.md); hostile until checked. It knows nothing of networks. Everything
 * that it points to belongs to the arena that it was loaded into. */
#ifndef TS_TARGET_TARGET_H
#define TS_TARGET_TARGET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/diag.h"
#include "base/embed.h"
#include "base/file.h"

enum { TS_TARGET_MAX_MEMORIES = 4, TS_TARGET_MAX_CORES = 16, TS_TARGET_MAX_POINTS = 8 };

/* One memory. `level` counts from the cores outwards, 1 is the innermost; a RAM and a flash may stand
 * on the same level (what is written lives in RAM, what is only read may live in flash). */
typedef struct ts_memory {
    const char *name; /* "l1", "l2", "l3", "flash" */
    uint32_t level;
    bool writable;    /* false: flash */
    bool addressable; /* cores can load from it; false: only a transfer reaches it */
    uint64_t base;    /* address of its first byte: for cores, or on the L3 bus */
    uint64_t size_bytes;
    uint32_t banks; /* word-interleaved; 1 where nothing is said */
    uint32_t ports; /* accesses a cycle: of a bank of L1; of all cluster cores to L2, 0: any number */
    uint32_t bank_width_bytes;
    bool bank_conflicts; /* of L2: a bank serves one word a cycle of the FC's clock, whoever asks */
    bool first_come; /* of cores that want a bank in the same cycle the one that was woken last goes first;
                        else the right to be first goes round */
    uint32_t chip_select; /* of a memory on the L3 bus */
    /* Bulk transfers between this memory and the next inner level (the innermost has none: 0).
     * A transfer of n bytes takes start + n / rate cycles of the clock named in docs/targets.md. */
    double read_bytes_per_cycle, write_bytes_per_cycle;
    uint32_t read_start_cycles, write_start_cycles;
    /* A write takes no less than this + n / read_bytes_per_cycle: what its bus needs, where the above is the
     * rate at which the inner memory gives. */
    uint32_t write_bus_start_cycles;
} ts_memory;

/* The cluster's DMA between L1 and L2; `in` is L2 to L1, `out` is L1 to L2. Zeros where a chip has none. */
typedef struct ts_dma {
    uint32_t bytes_per_cycle;                         /* each direction */
    uint32_t start_cycles;                            /* command complete to first data */
    uint32_t finish_cycles;                           /* last data to completion seen by a core */
    uint32_t line_in_cycles, line_out_cycles;         /* added to each line of a 2-D transfer */
    uint32_t line_in_min_cycles, line_out_min_cycles; /* least that a line costs */
    uint32_t burst_bytes;                             /* longest burst on the L2 side */
    uint32_t burst_out_cycles;                        /* added for each further burst, L1 to L2 */
    bool gaps_out_overlap; /* what is added to lines and bursts from L1 vanishes while data moves into L1 */
    uint32_t counters, core_queue, global_queue; /* transfers known, commands queued */
    uint32_t max_1d_bytes;                       /* longest transfer of one command */
    const char *driver; /* two levels: folder of device/hal that has it; NULL: the core copies */
} ts_dma;

/* An instruction cache: a private level 0 for each core and a level 1 shared by them; sizes of 0 mean absent.
 */
typedef struct ts_icache {
    uint32_t line_bytes;
    uint32_t l0_bytes, l0_ways;
    uint32_t l1_bytes, l1_ways;
    uint32_t l1_banks;       /* of level 1, by the line; each has a replacement register of its own */
    bool refills_queue;      /* a bank of level 1 refills one line after the other */
    uint32_t fetch_bytes;    /* that a fetch asks for at least, even where the instruction is shorter */
    uint32_t l0_miss_cycles; /* level 0 misses, level 1 hits */
    uint32_t l1_miss_cycles; /* refill from L2 */
    uint32_t off_cycles;     /* per line while the cache is not enabled */
} ts_icache;

/* Cycles beyond the one that an access to the core's own L1 takes. */
typedef struct ts_latencies {
    uint32_t cluster_l2, cluster_peripheral, cluster_demux, cluster_apb;
    uint32_t fc_l1, fc_l2, fc_peripheral, fc_apb;
    uint32_t barrier;     /* last arrival to every core running */
    uint32_t event;       /* event raised to woken core running */
    uint32_t event_ready; /* event wait that need not wait, beyond its one cycle */
    uint32_t mutex_ready; /* lock of a free mutex, beyond its one cycle */
} ts_latencies;

/* Picojoules at the reference operating point, points[0]; another point multiplies them by its energy_scale.
 */
typedef struct ts_energy {
    double core_active_pj, core_idle_pj;                 /* per cycle and core */
    double mul_pj, dot_pj, memory_pj, div_pj, branch_pj; /* per instruction of the class, added */
    double l1_byte_pj, l2_byte_pj, l3_byte_pj, dma_byte_pj;
    double icache_miss_pj;
    double static_mw; /* leakage and always-on logic */
} ts_energy;

typedef struct ts_operating_point {
    const char *name;
    double volts;
    double energy_scale; /* energy of an activity relative to the reference point */
    uint64_t cluster_hz, fc_hz;
} ts_operating_point;

/* Cycles of an instruction by its class, for estimates where nothing simulates the core's pipeline. */
typedef struct ts_instruction_cycles {
    double alu, multiply, divide, load, store; /* of one word */
    double further_word;                       /* each word after the first of a multiple load or store */
    double branch;                             /* taken or not, on average; calls and returns included */
} ts_instruction_cycles;

typedef struct ts_target {
    const char *name;
    const char *description;
    const char *isa; /* "rv32imc_xpulpv2", "armv7em", "rv32imc", "c" */
    const char
        *weights_memory;    /* name of the level 3 that holds the weights; NULL: the one that is written */
    const char *platform;   /* HAL folder: "pulp", "cortexm", "riscv32", "generic" */
    const char *cpu;        /* of a microcontroller with one core: what the compiler is told; or NULL */
    const char *machine;    /* QEMU's board that executes its programs; or NULL */
    uint32_t cores;         /* that compute */
    bool fabric_controller; /* a further core that starts and feeds them */
    uint32_t cluster_controllers;  /* further cluster cores that the platform has but nothing here uses */
    uint32_t fetch_port_bits;      /* instruction port: 32, 128, or 0 for one that never waits */
    bool single_instruction_loops; /* hardware loops with a body of one instruction repeat (RI5CY: once) */
    bool late_fetch_stall;         /* an instruction that lacks its line is executed first and waits then */
    bool tcdm_counter;             /* performance counter 16 counts L1 conflicts; else it reads 0 */
    uint64_t fc_hz, cluster_hz;    /* default clocks */
    ts_memory memories[TS_TARGET_MAX_MEMORIES];
    uint32_t memory_count;
    uint32_t weight_buffer_bytes; /* one level: weights are copied from flash to a buffer of so many bytes
                                     before they are used; 0: they are read where they lie */
    uint32_t data_reserve_bytes;  /* of the innermost RAM, kept for static data of the program */
    ts_instruction_cycles instruction_cycles;
    bool estimates_cycles;                     /* instruction_cycles is given */
    uint32_t stack_bytes[TS_TARGET_MAX_CORES]; /* of each computing core, taken from L1 */
    uint32_t fc_stack_bytes;
    uint32_t
        code_reserve_bytes; /* of the memory that holds code, kept for code and constants of the program */
    ts_dma dma;
    ts_icache cluster_icache, fc_icache;
    ts_latencies latencies;
    ts_energy energy;
    ts_operating_point points[TS_TARGET_MAX_POINTS];
    uint32_t point_count;
} ts_target;

/* Loads a target: the name of one that is built in ("gap8", "cortex-m4") or the path of a JSON file (it
 * ends in ".json"). `out` points into the arena. Unknown keys, missing keys, wrong types and values out of
 * range are errors that name the key (TS_BAD_INPUT); more than one may be reported. */
ts_status ts_target_load(ts_arena *arena, const char *name_or_path, const ts_target **out, ts_diags *diags);

/* The text of a description, built in or in a file, unchecked. */
ts_status ts_target_text(ts_arena *arena, const char *name_or_path, ts_bytes *text, ts_diags *diags);

/* As ts_target_load(), from the text of a description. */
ts_status ts_target_parse(ts_arena *arena, ts_bytes text, const ts_target **out, ts_diags *diags);

/* The memory of that name, or the innermost writable one of that level; NULL where there is none. */
const ts_memory *ts_target_memory(const ts_target *target, const char *name);
const ts_memory *ts_target_level(const ts_target *target, uint32_t level);

/* The memory that cores read constants from, not writable: where weights lie on targets of one or two levels.
 * NULL where there is none. */
const ts_memory *ts_target_flash(const ts_target *target);

/* The memory of level 3 that holds the weights, and whether it is another than the one that is written (flash
 * beside RAM): then each has its own addresses, sizes and rates. */
const ts_memory *ts_target_weights(const ts_target *target);
bool ts_target_weights_apart(const ts_target *target);

/* Number of levels: 1 for a flat chip. */
uint32_t ts_target_levels(const ts_target *target);

/* The built-in descriptions, ends with a NULL name ("gap8.json", ...). */
extern const ts_embedded ts__embedded_targets[];

#endif
