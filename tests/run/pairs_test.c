/* A network in TensorFlow Lite's form (multipliers of 31 bits rounded twice, one a channel, zero points,
 * additions by scales) takes at most a tenth more cycles on the chip than the same network in NEMO's form. */
#include "harness.h"
#include "num/generate.h"
#include "run/run.h"

typedef struct pair {
    ts_generate_kind kind;
    double width;
    uint32_t resolution;
} pair;

static const pair pairs[] = {
    {TS_GENERATE_DS_CNN, 0.5, 0},
    {TS_GENERATE_RESNET8, 1, 16},
};

static uint64_t cycles_of(const pair *p, bool tflite) {
    ts_arena *arena = ts_arena_new("pair", 0);
    ts_diags diags = {.arena = arena};
    ts_generate_options network = ts_generate_defaults(p->kind);
    network.width = p->width;
    network.resolution = p->resolution;
    network.tflite = tflite;
    ts_run_options options = {.jobs = 2, .seed = 1};
    ts_run_result result = {0};
    ts_graph *graph;
    assert_int_equal(ts_generate(arena, &network, &graph, &diags), TS_OK);
    assert_int_equal(ts_run_target(arena, "gap8", &options.target, &diags), TS_OK);
    ts_status status = ts_run(arena, graph, &options, &result, &diags);
    for (uint32_t i = 0; i < diags.list.count && status != TS_OK; i++) {
        ts_diag_print(stderr, &diags.list.data[i]);
    }
    assert_int_equal(status, TS_OK);
    assert_int_equal(result.verified_layers, result.plan->layer_count);
    uint64_t cycles = result.cycles;
    ts_arena_free(arena);
    return cycles;
}

static void tflite_keeps_the_speed(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        uint64_t nemo = cycles_of(&pairs[i], false), tflite = cycles_of(&pairs[i], true);
        print_message("%s: %llu cycles in NEMO's form, %llu in TensorFlow Lite's: %.3f\n",
                      ts_generate_name(pairs[i].kind), (unsigned long long)nemo, (unsigned long long)tflite,
                      (double)tflite / (double)nemo);
        assert_true(tflite * 10 <= nemo * 11);
    }
}

int main(void) {
    if (system("riscv64-unknown-elf-gcc --version >/dev/null 2>&1") != 0) {
        fprintf(stderr, "no RISC-V compiler: skipped\n");
        return TS_TEST_SKIP;
    }
    const struct CMUnitTest tests[] = {cmocka_unit_test(tflite_keeps_the_speed)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
