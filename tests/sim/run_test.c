/* Runs that end badly say where and why; runs that are watched say what is wrong; clocks may differ; the
 * causes of the cycles add up. */
#include "harness.h"

#include <string.h>

#include "sim/assemble.h"

enum { FC_CODE = 0x1c000000, CORE_CODE = 0x1c001000 };

typedef struct bench {
    ts_arena *arena;
    ts_diags diags;
    ts_sim *sim;
} bench;

#define EXIT_0 "lui x5, 0x1a104; lui x6, 0x80000; sw x6, 0xa0(x5); wfi"

/* Starts the cluster cores of `mask` at CORE_CODE, then sleeps. */
static void place_starter(ts_sim *sim, unsigned mask) {
    char text[256];
    uint32_t pc = place_all(sim, FC_CODE, "lui x5, 0x10200; lui x6, 0x1c001");
    for (int i = 0; i < 8; i++) {
        snprintf(text, sizeof text, "sw x6, %d(x5)", 0x40 + 4 * i);
        pc = place(sim, pc, text);
    }
    snprintf(text, sizeof text, "addi x7, x0, %u; sw x7, 8(x5); wfi", mask);
    place_all(sim, pc, text);
}

static bench new_bench(const ts_target *changed, ts_sim_options options) {
    bench b = {.arena = ts_arena_new("test", 0)};
    b.diags = (ts_diags){.arena = b.arena};
    const ts_target *target = changed;
    if (target == NULL) {
        assert_int_equal(ts_target_load(b.arena, "gap8", &target, &b.diags), TS_OK);
    }
    assert_int_equal(ts_sim_new(b.arena, target, &options, &b.sim, &b.diags), TS_OK);
    return b;
}

static ts_status run(bench *b) {
    b->diags.list.count = 0;
    assert_int_equal(ts_sim_start(b->sim, FC_CODE, &b->diags), TS_OK);
    return ts_sim_run(b->sim, &b->diags);
}

static void end(bench *b) {
    ts_sim_free(b->sim);
    ts_arena_free(b->arena);
}

static bool said(const bench *b, const char *what) {
    for (uint32_t i = 0; i < b->diags.list.count; i++) {
        if (strstr(b->diags.list.data[i].text, what) != NULL) {
            return true;
        }
    }
    return false;
}

/* One core runs `program`; the run must fault and say `what`. */
static void faults(const char *program, const char *what) {
    bench b = new_bench(NULL, (ts_sim_options){.max_cycles = 10000});
    place_starter(b.sim, 1);
    place_all(b.sim, CORE_CODE, program);
    assert_int_equal(run(&b), TS_SYSTEM);
    if (!said(&b, what) || !said(&b, "0x1c001")) {
        fail_msg("'%s' does not say '%s'", b.diags.list.data[0].text, what);
    }
    end(&b);
}

static void faults_name_the_place(void **state) {
    (void)state;
    faults("lui x5, 0x20000; lw x6, 0(x5)", "core 0 at 0x1c001004 (no symbol)");
    faults("lui x5, 0x20000; lw x6, 0(x5)",
           "load of 4 bytes at an address where nothing is; address 0x20000000");
    faults("lui x5, 0x20000; sb x6, 3(x5)",
           "store of 1 bytes at an address where nothing is; address 0x20000003");
    faults("lui x5, 0x10010; lw x6, -2(x5)", "beyond the end");
    faults("lui x5, 0x20000; jalr x0, 0(x5)", "jump to 0x20000000");
    faults("ebreak", "ebreak");
    faults("csrrs x5, 0x123, x0", "CSR 0x123");
    faults("lui x5, 0x1c040; jalr x0, 0(x5)", "illegal instruction 0x57575757");
    faults("lui x5, 0x10204; sw x0, 0x400(x5)", "DMA command without a counter");
    /* A DMA whose L2 side ends outside L2. */
    faults(
        "lui x5, 0x10204; lw x6, 0x400(x5); lui x7, 0x60; addi x7, x7, 64; sw x7, 0x400(x5); lui x7, "
        "0x10000; "
        "sw x7, 0x400(x5); lui x7, 0x1c080; addi x7, x7, -60; sw x7, 0x400(x5)",
        "whose L2 side lies outside L2");
    faults(
        "lui x2, 0x10000; addi x2, x2, 16; lui x5, 0x10204; lw x6, 0x400(x5); lui x7, 0x60; addi x7, x7, 64; "
        "sw x7, 0x400(x5); lui x7, 0x10000; sw x7, 0x400(x5); lui x7, 0x1c040; sw x7, 0x400(x5)",
        "into the stack of core 0");
    faults(
        "lui x5, 0x1a102; lui x6, 0x1c040; sw x6, 0x480(x5); addi x6, x0, 64; sw x6, 0x484(x5); addi x6, x0, "
        "3; "
        "sw x6, 0x49c(x5); addi x6, x0, 16; sw x6, 0x488(x5)",
        "misaligned L3 transfer");
}

static void hangs_are_explained(void **state) {
    (void)state;
    bench b = new_bench(NULL, (ts_sim_options){.max_cycles = 5000});
    place_starter(b.sim, 3);
    /* Core 0 loops for ever; core 1 waits at a barrier of two. */
    place_all(
        b.sim, CORE_CODE,
        "lui x5, 0x10204; lui x8, 0x10; sw x8, 0(x5); addi x6, x0, 3; sw x6, 0x200(x5); sw x6, 0x20c(x5); "
        "csrrs x7, 0xf14, x0; bne x7, x0, 0x1c001024; jal x0, 0x1c001020; p.elw x9, 0x21c(x5); wfi");
    assert_int_equal(run(&b), TS_SYSTEM);
    assert_true(said(&b, "limit of 5000 cycles"));
    assert_true(said(&b, "core 1 at 0x1c001024 (no symbol): barrier 0: cores 0x002 of 0x003 have arrived"));
    assert_true(said(&b, "core 0 at 0x1c001020 (no symbol): running"));
    assert_true(said(&b, "wfi"));
    end(&b);
}

static void sleepers_without_hope_end_the_run(void **state) {
    (void)state;
    bench b = new_bench(NULL, (ts_sim_options){0});
    place_starter(b.sim, 1);
    place_all(b.sim, CORE_CODE, "lui x5, 0x10204; p.elw x9, 0x3c(x5); wfi");
    assert_int_equal(run(&b), TS_SYSTEM);
    assert_true(said(&b, "every core sleeps"));
    end(&b);
}

/* Everything that --check can say. `program` runs on two cores, x7 is the core's number. */
static void check_says(const char *program, const char *what, bool clean) {
    bench b = new_bench(NULL, (ts_sim_options){.max_cycles = 100000, .check = true});
    place_starter(b.sim, 3);
    uint32_t pc = place_all(b.sim, CORE_CODE,
                            "lui x5, 0x10204; lui x8, 0x10; sw x8, 0(x5); addi x6, x0, 3; sw x6, 0x200(x5); "
                            "sw x6, 0x20c(x5); csrrs x7, 0xf14, x0; lui x10, 0x10000; p.elw x9, 0x21c(x5)");
    pc = place_all(b.sim, pc, program);
    place_all(b.sim, pc, "p.elw x9, 0x21c(x5); " EXIT_0);
    assert_int_equal(run(&b), TS_OK);
    if (clean != (ts_diags_errors(&b.diags) == 0) || (!clean && !said(&b, what))) {
        fail_msg("'%s': %u errors, first '%s'", program, ts_diags_errors(&b.diags),
                 b.diags.list.count == 0 ? "" : b.diags.list.data[0].text);
    }
    end(&b);
}

static void checks_find_what_is_wrong(void **state) {
    (void)state;
    check_says("lw x11, 64(x10)", "", true);
    check_says("lw x11, 64(x10); beq x11, x0, 0x1c00102c", "depends on a byte that nobody wrote", false);
    check_says("sw x7, 64(x10)", "overwrites what core", false);
    check_says("sll x11, x7, x7; add x10, x10, x11; add x10, x10, x11; sw x7, 64(x10); lw x12, 64(x10)", "",
               true);
    check_says(
        "bne x7, x0, 0x1c00102c; sw x7, 64(x10); addi x0, x0, 0; addi x0, x0, 0; lw x11, 64(x10); "
        "beq x11, x0, 0x1c00103c",
        "a byte that core 0 wrote meanwhile", false);
    check_says("bne x7, x0, 0x1c00102c; sw x7, 64(x10); p.elw x9, 0x21c(x5); lw x11, 64(x10)", "", true);
    /* Both stacks at one place. */
    check_says(
        "lui x2, 0x10001; addi x2, x2, -64; bne x7, x0, 0x1c001034; sw x7, 0(x2); p.elw x9, 0x21c(x5); "
        "sw x7, 4(x2); p.elw x9, 0x21c(x5); addi x2, x2, -16; sw x7, 8(x2)",
        "reaches into that of core 0", false);
}

/* A core moves 4 KiB from L2 while the fabric loads a word of it again and again; how long that waits. */
static uint64_t fabric_waits(bool conflicts) {
    ts_arena *arena = ts_arena_new("test", 0);
    ts_diags diags = {.arena = arena};
    const ts_target *gap8;
    assert_int_equal(ts_target_load(arena, "gap8", &gap8, &diags), TS_OK);
    ts_target target = *gap8;
    target.memories[1].bank_conflicts = conflicts;
    bench b = new_bench(&target, (ts_sim_options){.max_cycles = 100000});
    place_starter(b.sim, 1);
    place_all(b.sim, FC_CODE + 48,
              "lui x11, 0x1c010; lw x12, 0(x11); lw x12, 0(x11); lw x12, 0(x11); jal x0, 0x1c000034");
    place_all(
        b.sim, CORE_CODE,
        "lui x5, 0x10204; addi x5, x5, 0x400; lw x6, 0(x5); lui x7, 0x61; sw x7, 0(x5); lui x8, 0x10000; "
        "sw x8, 0(x5); lui x8, 0x1c010; sw x8, 0(x5); addi x9, x0, 1; sll x9, x9, x6; lw x10, 4(x5); "
        "and x10, x10, x9; bne x10, x0, 0x1c00102c; " EXIT_0);
    assert_int_equal(run(&b), TS_OK);
    ts_sim_traffic traffic;
    ts_sim_traffic_of(b.sim, &traffic);
    assert_int_equal(traffic.dma_in_bytes, 4096);
    ts_sim_counters counters;
    ts_sim_counters_of(b.sim, TS_SIM_FC, &counters);
    end(&b);
    ts_arena_free(arena);
    return counters.by_cause[TS_SIM_MEMORY];
}

/* The DMA asks for each bank every other cycle; the fabric loses some of its loads. */
static void banks_of_l2_are_shared(void **state) {
    (void)state;
    uint64_t alone = fabric_waits(false), shared = fabric_waits(true);
    assert_true(shared >= alone + 5u);
    assert_true(shared <= alone + 512u);
}

/* The fabric's clock at a third of the cluster's: its instructions take three cluster cycles each. */
static void clocks_may_differ(void **state) {
    (void)state;
    uint64_t cycles[2];
    for (int i = 0; i < 2; i++) {
        ts_arena *arena = ts_arena_new("test", 0);
        ts_diags diags = {.arena = arena};
        const ts_target *gap8;
        assert_int_equal(ts_target_load(arena, "gap8", &gap8, &diags), TS_OK);
        ts_target target = *gap8;
        target.fc_hz = i == 0 ? target.cluster_hz : target.cluster_hz / 4u;
        bench b = new_bench(&target, (ts_sim_options){.max_cycles = 1000000});
        place_all(b.sim, FC_CODE,
                  "lui x11, 0x1c040; addi x10, x0, 1000; lw x12, 0(x11); sw x12, 4(x11); addi x10, x10, -1; "
                  "bne x10, x0, 0x1c000008; " EXIT_0);
        assert_int_equal(run(&b), TS_OK);
        cycles[i] = ts_sim_cycle(b.sim);
        end(&b);
        ts_arena_free(arena);
    }
    assert_true(cycles[1] > 4u * cycles[0] - 40u && cycles[1] < 4u * cycles[0] + 40u);
}

typedef struct calls {
    uint32_t count;
    uint64_t cycle, sum;
} calls;

static void on_mark(void *user, ts_sim *sim, unsigned core, uint64_t cycle) {
    calls *seen = user;
    ts_sim_counters counters;
    assert_int_equal(core, 0);
    ts_sim_counters_of(sim, core, &counters);
    uint64_t sum = 0;
    for (int i = 0; i < TS_SIM_CAUSE_COUNT; i++) {
        sum += counters.by_cause[i];
    }
    assert_int_equal(sum, counters.cycles);
    assert_int_equal(counters.cycles, cycle);
    seen->count++;
    seen->cycle = cycle;
}

static const char loop_program[] =
    "addi x10, x0, 50; lui x11, 0x10000; lw x12, 0(x11); addi x12, x12, 1; sw x12, 0(x11); addi x10, x10, "
    "-1; "
    "bne x10, x0, 0x1c001008; " EXIT_0;

static void marks_cost_nothing(void **state) {
    (void)state;
    uint64_t cycles[2];
    calls seen = {0};
    for (int i = 0; i < 2; i++) {
        bench b = new_bench(NULL, (ts_sim_options){.max_cycles = 1000000});
        place_starter(b.sim, 255);
        place_all(b.sim, CORE_CODE, loop_program);
        if (i == 1) {
            assert_int_equal(ts_sim_mark(b.sim, CORE_CODE + 12, on_mark, &seen), TS_OK);
        }
        assert_int_equal(run(&b), TS_OK);
        cycles[i] = ts_sim_cycle(b.sim);
        end(&b);
    }
    assert_int_equal(seen.count, 50);
    assert_int_equal(cycles[0], cycles[1]);
}

static void runs_repeat_themselves(void **state) {
    (void)state;
    uint64_t cycles[2], retired[2];
    for (int i = 0; i < 2; i++) {
        bench b = new_bench(NULL, (ts_sim_options){.max_cycles = 1000000});
        place_starter(b.sim, 255);
        place_all(b.sim, CORE_CODE, loop_program);
        assert_int_equal(run(&b), TS_OK);
        cycles[i] = ts_sim_cycle(b.sim);
        retired[i] = ts_sim_retired(b.sim);
        end(&b);
    }
    assert_int_equal(cycles[0], cycles[1]);
    assert_int_equal(retired[0], retired[1]);
}

static void l3_is_read_through_the_udma(void **state) {
    (void)state;
    bench b = new_bench(NULL, (ts_sim_options){.max_cycles = 1000000});
    uint8_t data[256], back[256], flash[4] = {1, 2, 3, 4};
    for (int i = 0; i < 256; i++) {
        data[i] = (uint8_t)(255 - i);
    }
    assert_int_equal(ts_sim_l3_write(b.sim, 0x1000, data, sizeof data, &b.diags), TS_OK);
    assert_int_equal(ts_sim_l3_write(b.sim, 0x40000000, flash, sizeof flash, &b.diags), TS_OK);
    assert_int_equal(ts_sim_l3_write(b.sim, 0x3ffffffe, flash, sizeof flash, &b.diags), TS_BAD_INPUT);
    place_all(b.sim, FC_CODE,
              "lui x5, 0x1a102; lui x6, 0x1c040; sw x6, 0x480(x5); addi x6, x0, 256; sw x6, 0x484(x5); addi "
              "x6, x0, 5; "
              "sw x6, 0x498(x5); lui x6, 0x1; sw x6, 0x49c(x5); addi x6, x0, 16; sw x6, 0x488(x5); "
              "lw x6, 0x4a4(x5); bne x6, x0, 0x1c00002c; " EXIT_0);
    assert_int_equal(run(&b), TS_OK);
    assert_true(ts_sim_read(b.sim, 0x1c040000, back, sizeof back));
    assert_memory_equal(back, data, sizeof data);
    /* 1.8 bytes a cycle, a start, and what the polling adds. */
    assert_in_range(ts_sim_cycle(b.sim), 256 * 10 / 18 + 36, 256 * 10 / 18 + 260);
    end(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(faults_name_the_place),
        cmocka_unit_test(hangs_are_explained),
        cmocka_unit_test(sleepers_without_hope_end_the_run),
        cmocka_unit_test(checks_find_what_is_wrong),
        cmocka_unit_test(banks_of_l2_are_shared),
        cmocka_unit_test(clocks_may_differ),
        cmocka_unit_test(marks_cost_nothing),
        cmocka_unit_test(runs_repeat_themselves),
        cmocka_unit_test(l3_is_read_through_the_udma),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
