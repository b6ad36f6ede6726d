/* The three-way property: integer reference = emitted C on the host = the same on the simulator, for random
 * networks with extreme weights and inputs. Networks share a program, thanks to their prefixes, so that
 * compilers and processes are started rarely. */
#include <string.h>
#include <time.h>

#include "base/file.h"
#include "base/random.h"
#include "harness.h"
#include "num/generate.h"
#include "num/integer.h"
#include "run/execute.h"
#include "run/run.h"
#include "run/values.h"

enum { BATCH = 25 };

typedef struct network {
    uint64_t seed;
    bool tight; /* an L2 in which tensors do not stay */
    ts_graph *graph;
    int32_t **reference;
    const uint8_t *input;
    size_t input_size;
    /* For the witness at hand. */
    ts_plan *plan;
    ts_emitted emitted;
} network;

static void print_diags(const ts_diags *diags) {
    for (uint32_t i = 0; i < diags->list.count; i++) {
        ts_diag_print(stderr, &diags->list.data[i]);
    }
}

/* Memories so small that tiles are cut in every dimension, weights come in chunks and activations in stripes.
 */
static ts_plan_options memories(uint64_t seed) {
    static const uint64_t l1[] = {512, 1024, 2048, 4096, 8192, 32768},
                          l2[] = {1500, 3000, 6000, 12000, 200000, 200000};
    ts_random random = ts_random_seed(seed ^ 0x5eedu);
    ts_plan_options options = {.cores = 8};
    options.l1_bytes = l1[ts_random_range(&random, 0, 5)];
    options.l2_bytes = l2[ts_random_range(&random, 0, 5)];
    options.objective = ts_random_range(&random, 0, 3) == 0 ? TS_OBJECTIVE_DORY : TS_OBJECTIVE_LATENCY;
    options.guard_bytes = seed % 5 == 0 ? 16 : 0; /* a program that checks its memory */
    return options;
}

/* What a batch's networks are made of. */
typedef enum mixture { MIXED, TFLITE, MOVES, HALVES, FLOATS, COLUMN } mixture;

static void make_network(ts_arena *arena, uint64_t seed, mixture what, network *n, ts_diags *diags) {
    ts_random_limits limits = ts_random_limits_default();
    limits.nodes = 1 + (uint32_t)(seed % 4);
    limits.tflite = what == TFLITE;
    limits.moves = limits.picks = limits.norms = what == MOVES;
    limits.halves = what == HALVES;
    limits.floats = what == FLOATS;
    limits.sub_byte = what != FLOATS;
    if (what == COLUMN) { /* long enough for depthwise kernels of wide rows */
        limits.column = limits.tflite = true;
        limits.side = 60;
    }
    n->seed = seed;
    n->tight = what == MOVES;
    assert_int_equal(ts_random_network(arena, seed, &limits, &n->graph, diags), TS_OK);
    const ts_tensor *tensor = &n->graph->tensors.data[n->graph->inputs.data[0]];
    int32_t *input = ts_random_values(arena, seed, tensor, seed % 2 == 0);
    const int32_t *inputs[] = {input};
    assert_int_equal(ts_integer_run(n->graph, arena, inputs, &n->reference, diags), TS_OK);
    n->input = ts_values_pack(arena, tensor, input);
    n->input_size = (size_t)ts_emit_map_bytes(tensor);
}

static uint64_t doubled(uint64_t bytes, uint64_t most) { return bytes * 2 < most ? bytes * 2 : most; }

/* The memories of the seed, or the first doubling of them in which the network fits. */
static void plan_network(ts_arena *arena, const ts_target *target, network *n) {
    ts_plan_options options = memories(n->seed);
    options.l2_bytes = n->tight ? 700 : options.l2_bytes;
    options.stack_bytes = target->stack_bytes[1]; /* the same for all networks of a program */
    ts_status status = TS_NO_FIT;
    for (int tries = 0; status == TS_NO_FIT && tries < 10; tries++) {
        ts_diags tried = {.arena = arena};
        status = ts_plan_build(arena, n->graph, target, &options, &n->plan, &tried);
        options.l1_bytes = doubled(options.l1_bytes, 32768);
        options.l2_bytes = doubled(options.l2_bytes, 200000);
    }
    assert_int_equal(status, TS_OK);
}

static uint32_t compare(ts_arena *arena, const network *n, const uint8_t *const *outputs,
                        const char *witness) {
    for (uint32_t i = 0; i < n->plan->layer_count; i++) {
        ts_tensor_id id = n->plan->layers[i].y.tensor;
        const ts_tensor *tensor = &n->graph->tensors.data[id];
        const int32_t *actual = ts_values_unpack(arena, tensor, outputs[i]);
        for (uint64_t e = 0; e < ts_tensor_elements(tensor); e++) {
            if (actual[e] != n->reference[id][e]) {
                printf("seed %llu, layer %u %s (%s, kernel %s), element %llu: %s %d, reference %d\n",
                       (unsigned long long)n->seed, i, n->plan->layers[i].name,
                       ts_layer_kind_name(n->plan->layers[i].kind), n->plan->layer_plans[i].kernel->name,
                       (unsigned long long)e, witness, actual[e], n->reference[id][e]);
                return 1;
            }
        }
    }
    return 0;
}

static void emit_batch(ts_arena *arena, const ts_target *target, network *list, uint32_t count,
                       const char *folder, ts_diags *diags) {
    ts_app *app = ts_app_new(arena);
    ts_emitted *emitted = TS_NEW_ARRAY(arena, ts_emitted, count);
    ts_emit_options options = {0};
    for (uint32_t i = 0; i < count; i++) {
        plan_network(arena, target, &list[i]);
        options.prefix = options.folder = ts_arena_printf(arena, "n%u", i);
        assert_int_equal(ts_emit_network(app, list[i].plan, &options, &list[i].emitted, diags), TS_OK);
        emitted[i] = list[i].emitted;
    }
    assert_int_equal(ts_emit_program(app, emitted, count, target, &options, diags), TS_OK);
    assert_int_equal(ts_app_write(app, folder, diags), TS_OK);
}

static ts_execution *executions(ts_arena *arena, network *list, uint32_t count) {
    ts_execution *all = TS_NEW_ARRAY(arena, ts_execution, count);
    for (uint32_t i = 0; i < count; i++) {
        all[i] = (ts_execution){
            .network = &list[i].emitted, .input = list[i].input, .input_size = list[i].input_size};
    }
    return all;
}

static uint32_t run_host(ts_arena *arena, const ts_target *target, network *list, uint32_t count,
                         const char *folder, ts_diags *diags) {
    static const ts_host_options ways[] = {{.cores = 1}, {.cores = 8, .early = true}};
    const char *program;
    uint32_t wrong = 0;
    emit_batch(arena, target, list, count, folder, diags);
    ts_status status = ts_build(arena, folder, target, 2, "-O1 -Wall -Wextra -Werror", &program, diags);
    print_diags(diags);
    assert_int_equal(status, TS_OK);
    for (uint32_t way = 0; way < 2; way++) {
        ts_execution *all = executions(arena, list, count);
        status = ts_execute_host(arena, folder, program, all, count, &ways[way], diags);
        print_diags(diags);
        assert_int_equal(status, TS_OK);
        for (uint32_t i = 0; i < count; i++) {
            wrong += compare(arena, &list[i], (const uint8_t *const *)all[i].outputs,
                             way == 0 ? "host" : "host, 8 threads");
        }
    }
    return wrong;
}

static uint32_t run_sim(ts_arena *arena, const ts_target *target, network *list, uint32_t count,
                        const char *folder, ts_diags *diags) {
    const char *program;
    uint32_t wrong = 0;
    emit_batch(arena, target, list, count, folder, diags);
    ts_status status = ts_build(arena, folder, target, 2, "-O2 -Wall -Wextra -Werror", &program, diags);
    ts_bytes elf;
    if (status == TS_OK) {
        status = ts_file_read(arena, program, 1 << 26, &elf, diags);
    }
    ts_execution *all = executions(arena, list, count);
    ts_sim_run_options options = {.sim = {.max_cycles = 4000000000u, .check = true}};
    if (status == TS_OK) {
        status = ts_execute_sim(arena, elf, target, all, count, &options, NULL, NULL, NULL, diags);
    }
    print_diags(diags);
    assert_int_equal(status, TS_OK);
    assert_int_equal(ts_diags_errors(diags), 0); /* --check has nothing to say */
    for (uint32_t i = 0; i < count; i++) {
        wrong += compare(arena, &list[i], (const uint8_t *const *)all[i].outputs, "simulator");
    }
    return wrong;
}

static void batch(uint64_t first, uint32_t count, mixture what) {
    ts_arena *arena = ts_arena_new("three-way", 0);
    ts_diags diags = {.arena = arena};
    const ts_target *host, *chip;
    const char *folder;
    assert_int_equal(ts_run_target(arena, "host", &host, &diags), TS_OK);
    assert_int_equal(ts_run_target(arena, "gap8", &chip, &diags), TS_OK);
    assert_int_equal(ts_dir_temporary(arena, &folder, &diags), TS_OK);
    network *list = TS_NEW_ARRAY(arena, network, count);
    for (uint32_t i = 0; i < count; i++) {
        make_network(arena, first + i, what, &list[i], &diags);
    }
    uint32_t wrong = run_host(arena, host, list, count, ts_path_join(arena, folder, "host"), &diags);
    wrong += run_sim(arena, chip, list, count, ts_path_join(arena, folder, "chip"), &diags);
    assert_int_equal(wrong, 0);
    assert_int_equal(ts_dir_remove(folder, &diags), TS_OK);
    ts_arena_free(arena);
}

static uint32_t networks_wanted(void) {
    const char *text = getenv("TESSERA_NETWORKS");
    return text == NULL ? 300 : (uint32_t)strtoul(text, NULL, 10);
}

static uint64_t first_seed(void) {
    const char *text = getenv("TESSERA_SEED");
    return text == NULL ? 1 : strtoull(text, NULL, 10);
}

static void test_random_networks(void **state) {
    (void)state;
    static const mixture mixtures[] = {MIXED, MOVES, HALVES, TFLITE, FLOATS, COLUMN};
    uint32_t wanted = networks_wanted();
    for (uint32_t done = 0; done < wanted; done += BATCH) {
        uint32_t count = wanted - done < BATCH ? wanted - done : BATCH;
        batch(first_seed() + done, count, mixtures[done / BATCH % 6]);
    }
}

/* A depthwise layer from 16 bits to 2, with fewer pixels than cores: these must not share bytes. */
static void test_channels_within_bytes(void **state) {
    (void)state;
    batch(149, 1, HALVES);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_channels_within_bytes),
                                       cmocka_unit_test(test_random_networks)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
