/* How fast the simulator runs: eight cores in the 4x2 inner loop (6 loads, 8 dot products) with full timing,
 * once with rows whose banks collide and once with rows that are skewed by a word. Prints a table and, given
 * a path, writes JSON. The programs are assembled here, so that no compiler is needed. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "isa/isa.h"
#include "sim/sim.h"

enum { PASSES = 64, REPEATS = 20000, CODE = 0x1c000000, CORES = 8 };

typedef struct image {
    ts_arena *arena;
    ts_sim *sim;
    uint32_t pc;
} image;

typedef struct outcome {
    double seconds;
    uint64_t instructions, cycles;
} outcome;

static void put(image *at, const char *text) {
    ts_insn insn;
    uint32_t word;
    if (!ts_isa_parse(text, at->pc, TS_ISA_RI5CY_2019_11, &insn) || !ts_isa_encode(&insn, &word) ||
        !ts_sim_write(at->sim, at->pc, &word, 4)) {
        fprintf(stderr, "cannot place '%s'\n", text);
        exit(1);
    }
    at->pc += 4u;
}

#define PUT(at, ...) put((at), ts_arena_printf((at)->arena, __VA_ARGS__))

/* Each core works through its own two columns of the second operand; core 0 ends the run. */
static void cluster_program(image *at, uint32_t stride) {
    static const char *const body[] = {
        "p.lw x5, 4(x10!)",          "p.lw x6, 4(x11!)",          "p.lw x7, 4(x12!)",
        "p.lw x28, 4(x13!)",         "p.lw x29, 4(x14!)",         "p.lw x30, 4(x15!)",
        "pv.sdotsp.b x18, x29, x5",  "pv.sdotsp.b x19, x29, x6",  "pv.sdotsp.b x20, x29, x7",
        "pv.sdotsp.b x21, x29, x28", "pv.sdotsp.b x22, x30, x5",  "pv.sdotsp.b x23, x30, x6",
        "pv.sdotsp.b x24, x30, x7",  "pv.sdotsp.b x25, x30, x28",
    };
    put(at, "csrrs x8, 0xf14, x0");
    PUT(at, "lui x9, 0x%x", (REPEATS + 0x800) >> 12);
    PUT(at, "addi x9, x9, %d", REPEATS - ((REPEATS + 0x800) >> 12 << 12));
    PUT(at, "addi x16, x0, %u", stride * 2u);
    put(at, "mul x16, x16, x8");
    put(at, "lui x17, 0x10008");
    uint32_t repeat = at->pc;
    put(at, "lui x10, 0x10000");
    PUT(at, "addi x11, x10, %u", stride);
    PUT(at, "addi x12, x11, %u", stride);
    PUT(at, "addi x13, x12, %u", stride);
    put(at, "add x14, x17, x16");
    PUT(at, "addi x15, x14, %u", stride);
    PUT(at, "addi x4, x0, %d", PASSES);
    PUT(at, "lp.setup 0, x4, 0x%x", at->pc + 14u * 4u);
    for (size_t i = 0; i < sizeof body / sizeof body[0]; i++) {
        put(at, body[i]);
    }
    put(at, "addi x9, x9, -1");
    PUT(at, "bne x9, x0, 0x%x", repeat);
    PUT(at, "bne x8, x0, 0x%x", at->pc + 16u);
    put(at, "lui x5, 0x1a104");
    put(at, "lui x6, 0x80000");
    put(at, "sw x6, 0xa0(x5)");
    put(at, "wfi");
}

/* The fabric controller switches the instruction cache on and starts all cores. */
static void fabric_program(image *at, uint32_t entry) {
    put(at, "lui x5, 0x10200");
    put(at, "lui x6, 0x10201");
    put(at, "addi x7, x0, 255");
    put(at, "sw x7, 0x400(x6)");
    PUT(at, "lui x8, 0x%x", entry >> 12);
    PUT(at, "addi x8, x8, %u", entry & 0x7ffu);
    for (int i = 0; i < CORES; i++) {
        PUT(at, "sw x8, %d(x5)", 0x40 + 4 * i);
    }
    put(at, "sw x7, 8(x5)");
    put(at, "wfi");
}

static double now_seconds(void) {
    struct timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static outcome run(uint32_t stride) {
    ts_arena *arena = ts_arena_new("bench", 0);
    ts_diags diags = {.arena = arena};
    ts_sim_options options = {0};
    const ts_target *target;
    ts_sim *sim;
    if (ts_target_load(arena, "gap8", &target, &diags) != TS_OK ||
        ts_sim_new(arena, target, &options, &sim, &diags) != TS_OK) {
        exit(1);
    }
    image at = {arena, sim, CODE};
    cluster_program(&at, stride);
    uint32_t start = at.pc;
    fabric_program(&at, CODE);
    double begin = now_seconds();
    if (ts_sim_start(sim, start, &diags) != TS_OK || ts_sim_run(sim, &diags) != TS_OK) {
        for (uint32_t i = 0; i < diags.list.count; i++) {
            ts_diag_print(stderr, &diags.list.data[i]);
        }
        exit(1);
    }
    outcome out = {now_seconds() - begin, ts_sim_retired(sim), ts_sim_cycle(sim)};
    ts_sim_free(sim);
    ts_arena_free(arena);
    return out;
}

int main(int argc, char **argv) {
    static const struct {
        const char *name;
        uint32_t stride;
    } rows[] = {{"rows of 256 B, banks collide", 256}, {"rows of 260 B, skewed", 260}};
    json_t *root = json_array();
    printf("%-30s %14s %12s %8s %8s\n", "8 cores, 4x2 loop", "instructions", "cycles", "s (CPU)", "MIPS");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        outcome out = run(rows[i].stride);
        double mips = (double)out.instructions / out.seconds * 1e-6;
        printf("%-30s %14llu %12llu %8.2f %8.1f\n", rows[i].name, (unsigned long long)out.instructions,
               (unsigned long long)out.cycles, out.seconds, mips);
        json_array_append_new(root, json_pack("{s:s, s:I, s:I, s:f, s:f}", "case", rows[i].name,
                                              "instructions", (json_int_t)out.instructions, "cycles",
                                              (json_int_t)out.cycles, "seconds", out.seconds, "mips", mips));
    }
    if (argc > 1 && json_dump_file(root, argv[1], JSON_INDENT(1)) != 0) {
        fprintf(stderr, "cannot write %s\n", argv[1]);
        return 1;
    }
    json_decref(root);
    return 0;
}
