/* The fit of docs/simulator.md, section "Energy": the activity of MobileNetV1-1.0-128 at 8.00 MAC a cycle
 * costs what the DORY paper measured at both operating points. */
#include "harness.h"

#include "sim/machine.h"

/* Work counted on our own run of the network, time and thereby core cycles those of the paper's run. */
static const ts__activity mobilenet = {
    .cycles = 23.31e6,
    .active_cycles = 23.31e6 * (8 * 0.806 + 0.1),
    .waiting_cycles = 23.31e6 * (8 * 0.194 + 0.9),
    .mul = 4.76e6,
    .dot = 46.9e6,
    .div = 71e3,
    .memory = 31.5e6,
    .control = 2.26e6,
    .l1_bytes = 127.4e6,
    .l2_bytes = 15.45e6,
    .l3_bytes = 4.4e6,
    .dma_bytes = 11.05e6,
    .refills = 4463,
};

static double milliwatts(const ts_target *target, uint32_t point) {
    double seconds = mobilenet.cycles / (double)target->points[point].cluster_hz;
    return ts__energy(target, point, &mobilenet).total_uj * 1e-3 / seconds;
}

static void the_papers_power_comes_out(void **state) {
    (void)state;
    ts_arena *arena = ts_arena_new("test", 0);
    ts_diags diags = {.arena = arena};
    const ts_target *target;
    assert_int_equal(ts_target_load(arena, "gap8", &target, &diags), TS_OK);
    assert_int_equal(target->point_count, 2);
    double low = milliwatts(target, 0), high = milliwatts(target, 1);
    printf("1.0 V: %.1f mW, paper 51; 1.15 V: %.1f mW, paper 262\n", low, high);
    assert_true(low > 50.5 && low < 51.5);
    assert_true(high > 260.0 && high < 264.0);
    ts_arena_free(arena);
}

static void the_parts_are_the_total(void **state) {
    (void)state;
    ts_arena *arena = ts_arena_new("test", 0);
    ts_diags diags = {.arena = arena};
    const ts_target *target;
    assert_int_equal(ts_target_load(arena, "gap8", &target, &diags), TS_OK);
    ts_sim_energy e = ts__energy(target, 0, &mobilenet);
    double parts = e.cores_uj + e.idle_uj + e.l1_uj + e.l2_uj + e.l3_uj + e.dma_uj + e.static_uj;
    assert_true(parts > e.total_uj * 0.999999 && parts < e.total_uj * 1.000001);
    ts_arena_free(arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_papers_power_comes_out),
        cmocka_unit_test(the_parts_are_the_total),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
