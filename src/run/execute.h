/* Building an application's program and executing it, natively or on the simulator.
 *
 * A program may hold several networks (ts_emit_program()); each is given one input. */
#ifndef TS_RUN_EXECUTE_H
#define TS_RUN_EXECUTE_H

#include "emit/emit.h"
#include "run/count_classes.h"
#include "sim/sim.h"

/* Cycle and activity counts of a layer: differences of the simulator's counters; or, of chips that QEMU
 * stands for, the instructions by class, exact, and the cycles that the target's estimate gives them. */
typedef struct ts_layer_counts {
    uint64_t cycles;
    uint64_t instructions; /* of QEMU's; the simulator's are in `cores` */
    uint64_t by_class[TS_COUNT_CLASSES];
    ts_sim_counters cores; /* sum over the team */
    ts_sim_traffic traffic;
    ts_sim_counters *by_core;                   /* one a core of the target; NULL where not counted */
    ts_sim_energy energy[TS_TARGET_MAX_POINTS]; /* at each operating point, for the same cycles */
    double energy_uj;                           /* at the target's first operating point */
} ts_layer_counts;

/* Memory of a network on the chip. What it touched reaches from the beginning of what it was lent to the last
 * word that it wrote; L3 with the image of the weights. */
typedef struct ts_memory_use {
    bool measured; /* not where the simulator looks for uninitialised reads, or the program brings its data */
    uint64_t l1_bytes, l2_bytes, l3_bytes;   /* touched */
    uint64_t l1_given_bytes, l2_given_bytes; /* that the linked program leaves */
    uint64_t program_bytes;                  /* of L2: code, constants, data, the fabric controller's stack */
} ts_memory_use;

typedef struct ts_execution {
    const ts_emitted *network;
    const uint8_t *input; /* bytes of all inputs, one behind the other, as in L2 */
    size_t input_size;
    uint8_t **outputs;       /* filled: one a layer, as in L2 */
    ts_layer_counts *counts; /* filled by the simulator: one a layer */
    ts_memory_use memory;    /* filled by the simulator */
} ts_execution;

/* Bytes of stack that each core has used at most, and that its deepest chain of calls can need. */
typedef struct ts_stack_use {
    uint32_t cores;
    uint32_t need_bytes;
    uint32_t used_bytes[TS_TARGET_MAX_CORES], given_bytes[TS_TARGET_MAX_CORES];
} ts_stack_use;

/* Runs make in an application's folder that was emitted for `target` (its platform, and the board that stands
 * for the chip); `*program` is what it built. A compiler that is not installed, or that fails, is TS_SYSTEM
 * with its first messages. `jobs`: compilers at once. `flags` replaces CFLAGS of the Makefile; NULL keeps it.
 */
ts_status ts_build(ts_arena *arena, const char *folder, const ts_target *target, uint32_t jobs,
                   const char *flags, const char **program, ts_diags *diags);

/* What a linked image of a chip with one core holds, to the byte. */
typedef struct ts_image_use {
    uint64_t flash_bytes;   /* all that is loaded */
    uint64_t weights_bytes; /* of flash_bytes, the networks' constants */
    uint64_t ram_bytes;     /* all RAM that the linker gave away, stack included */
    uint64_t network_bytes; /* of ram_bytes, the memory that networks run in (on two levels: the inner too) */
    uint64_t stack_bytes;   /* of ram_bytes */
} ts_image_use;

/* QEMU's board and program for a target, with the board's own addresses; NULL where the target names none
 * that is known. */
typedef struct ts_board {
    const char *machine, *emulator, *package;
    const char *flash, *ram, *outer; /* where it has memory for the chip's flash, inner and outer RAM */
} ts_board;
const ts_board *ts_board_of(const ts_target *target);

/* Executes a program of a chip with one core, with `folder` for its files: under QEMU on the target's board,
 * instructions counted, or, where the target has none, on this machine. `stacks`, `printed`: NULL where not
 * wanted. A program that does not end within five minutes is ended (TS_SYSTEM). */
ts_status ts_execute_near(ts_arena *arena, const char *folder, const char *program, const ts_target *target,
                          ts_execution *list, uint32_t count, ts_stack_use *stacks, const char **printed,
                          ts_diags *diags);

/* Reads the figures of an image from its ELF. */
ts_status ts_image_measure(ts_arena *arena, const char *program, const ts_target *target,
                           const ts_execution *list, uint32_t count, ts_image_use *out, ts_diags *diags);

typedef struct ts_host_options {
    uint32_t cores; /* threads of the team; 0: one */
    bool early;     /* transfers happen when started, not when waited for */
} ts_host_options;

/* Executes a host program in `folder`, where it also puts the files of inputs and outputs. */
ts_status ts_execute_host(ts_arena *arena, const char *folder, const char *program, ts_execution *list,
                          uint32_t count, const ts_host_options *options, ts_diags *diags);

typedef struct ts_sim_run_options {
    ts_sim_options sim; /* stdout_char NULL: what the program prints is kept in *printed */
    bool self_check;    /* the program brings its own weights and input, and prints between the layers */
    void (*progress)(void *user, uint32_t done, uint32_t of); /* layers; NULL: nobody asks */
    void *user;
    struct ts_timeline *timeline; /* filled: what cores, DMA and L3 did when; NULL: not wanted */
} ts_sim_run_options;

/* Executes an ELF on the simulator: weights and inputs are put into its memories, outputs taken from them
 * when the next layer begins, so that the program runs as on a chip. A program that ends with another status
 * than 0 is TS_SYSTEM, but with self_check: then `*status` has it. `printed`, `stacks`, `status`: NULL where
 * not wanted. */
ts_status ts_execute_sim(ts_arena *arena, ts_bytes elf, const ts_target *target, ts_execution *list,
                         uint32_t count, const ts_sim_run_options *options, const char **printed,
                         ts_stack_use *stacks, int *status, ts_diags *diags);

#endif
