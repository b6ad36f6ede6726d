/* Chips with one core and at most two levels of memory: integer reference = emitted C as a library on the
 * host = emitted C under QEMU, for random networks with extreme weights and inputs. Networks share a program.
 */
#include <string.h>

#include "base/file.h"
#include "base/random.h"
#include "harness.h"
#include "num/generate.h"
#include "num/integer.h"
#include "run/execute.h"
#include "run/process.h"
#include "run/run.h"
#include "run/values.h"

enum { BATCH = 25 };

typedef struct network {
    uint64_t seed;
    ts_graph *graph;
    int32_t **reference;
    const uint8_t *input;
    size_t input_size;
    ts_plan *plan;
    ts_emitted emitted;
} network;

/* A target, and how it is changed from what is built in. */
typedef struct witness {
    const char *name, *target;
    uint32_t weight_buffer_bytes; /* one level */
    uint64_t l1_bytes;            /* two levels */
} witness;

static void print_diags(const ts_diags *diags) {
    for (uint32_t i = 0; i < diags->list.count; i++) {
        ts_diag_print(stderr, &diags->list.data[i]);
    }
}

static ts_random_limits networks_of(uint64_t seed, bool tflite) {
    ts_random_limits limits = ts_random_limits_default();
    limits.nodes = 1 + (uint32_t)(seed % 4);
    limits.tflite = tflite;
    limits.halves = seed % 3 == 0;
    limits.floats = seed % 5 == 0;
    limits.picks = seed % 5 == 1;
    limits.moves = limits.norms = seed % 5 == 2;
    return limits;
}

/* Single layers of bytes and 16-bit values: what the kernels for Armv7E-M serve, and beside it. */
static ts_random_limits layers_of(uint64_t seed) {
    ts_random_limits limits = ts_random_limits_default();
    limits.nodes = 1;
    limits.sub_byte = false;
    limits.tflite = seed % 2 == 0;
    limits.signed_activations = seed % 3 == 0;
    limits.halves = seed / 2 % 2 == 1;
    return limits;
}

static void make_network(ts_arena *arena, uint64_t seed, ts_random_limits limits, network *n,
                         ts_diags *diags) {
    n->seed = seed;
    ts_status status = ts_random_network(arena, seed, &limits, &n->graph, diags);
    print_diags(diags);
    assert_int_equal(status, TS_OK);
    const ts_tensor *tensor = &n->graph->tensors.data[n->graph->inputs.data[0]];
    int32_t *input = ts_random_values(arena, seed, tensor, seed % 2 == 0);
    const int32_t *inputs[] = {input};
    assert_int_equal(ts_integer_run(n->graph, arena, inputs, &n->reference, diags), TS_OK);
    n->input = ts_values_pack(arena, tensor, input);
    n->input_size = (size_t)ts_emit_map_bytes(tensor);
}

/* With the L1 of the witness, or the first doubling of it in which the network fits. */
static void plan_network(ts_arena *arena, const ts_target *target, const witness *w, network *n) {
    ts_plan_options options = {.l1_bytes = w->l1_bytes};
    ts_status status = TS_NO_FIT;
    for (int tries = 0; status == TS_NO_FIT && tries < 8; tries++, options.l1_bytes *= 2) {
        ts_diags tried = {.arena = arena};
        status = ts_plan_build(arena, n->graph, target, &options, &n->plan, &tried);
    }
    ts_diags diags = {.arena = arena};
    assert_int_equal(status, TS_OK);
    status = ts_plan_verify(n->plan, &diags);
    print_diags(&diags);
    assert_int_equal(status, TS_OK);
}

static uint32_t compare(ts_arena *arena, const network *n, uint8_t *const *outputs, const char *name) {
    for (uint32_t i = 0; i < n->plan->layer_count; i++) {
        ts_tensor_id id = n->plan->layers[i].y.tensor;
        const ts_tensor *tensor = &n->graph->tensors.data[id];
        const int32_t *actual = ts_values_unpack(arena, tensor, outputs[i]);
        for (uint64_t e = 0; e < ts_tensor_elements(tensor); e++) {
            if (actual[e] != n->reference[id][e]) {
                printf("seed %llu, layer %u (%s, kernel %s), element %llu: %s %d, reference %d\n",
                       (unsigned long long)n->seed, i, ts_layer_kind_name(n->plan->layers[i].kind),
                       n->plan->layer_plans[i].kernel->name, (unsigned long long)e, name, actual[e],
                       n->reference[id][e]);
                return 1;
            }
        }
    }
    return 0;
}

static ts_execution *emit_batch(ts_arena *arena, const ts_target *target, const witness *w, network *list,
                                const char *folder, ts_diags *diags) {
    ts_app *app = ts_app_new(arena);
    ts_emitted *emitted = TS_NEW_ARRAY(arena, ts_emitted, BATCH);
    ts_execution *all = TS_NEW_ARRAY(arena, ts_execution, BATCH);
    ts_emit_options options = {0};
    for (uint32_t i = 0; i < BATCH; i++) {
        plan_network(arena, target, w, &list[i]);
        options.prefix = options.folder = ts_arena_printf(arena, "n%u", i);
        assert_int_equal(ts_emit_network(app, list[i].plan, &options, &list[i].emitted, diags), TS_OK);
        emitted[i] = list[i].emitted;
        all[i] = (ts_execution){
            .network = &list[i].emitted, .input = list[i].input, .input_size = list[i].input_size};
    }
    assert_int_equal(ts_emit_program(app, emitted, BATCH, target, &options, diags), TS_OK);
    assert_int_equal(ts_app_write(app, folder, diags), TS_OK);
    return all;
}

/* The linker gave the networks what the plans say: the most of each memory. */
static void check_image(ts_arena *arena, const char *program, const ts_target *target, const network *list,
                        const ts_execution *all, ts_diags *diags) {
    ts_image_use use;
    uint64_t l1 = 0, l2 = 0, weights = 0;
    assert_int_equal(ts_image_measure(arena, program, target, all, BATCH, &use, diags), TS_OK);
    for (uint32_t i = 0; i < BATCH; i++) {
        const ts_plan *p = list[i].plan;
        bool flat = ts_target_levels(target) == 1;
        l1 = !flat && p->l1_used_bytes > l1 ? p->l1_used_bytes : l1;
        l2 = p->l2_used_bytes > l2 ? p->l2_used_bytes : l2;
        weights += (p->l3_weights_bytes + 3) / 4 * 4; /* an array that nobody uses is not linked */
    }
    l1 = ts_target_levels(target) == 2 && l1 == 0 ? 4 : l1;
    assert_int_equal(use.network_bytes, (l1 + 3) / 4 * 4 + (l2 + 3) / 4 * 4);
    assert_int_equal(use.weights_bytes, weights);
    assert_int_equal(use.stack_bytes, target->stack_bytes[0]);
    assert_true(use.ram_bytes >= use.network_bytes + use.stack_bytes);
    assert_true(use.flash_bytes > use.weights_bytes);
}

static uint32_t run_witness(ts_arena *arena, const witness *w, network *list, const char *folder) {
    ts_diags diags = {.arena = arena};
    const ts_target *built_in;
    const char *program;
    assert_int_equal(ts_run_target(arena, w->target, &built_in, &diags), TS_OK);
    ts_target *target = ts_arena_copy(arena, built_in, sizeof *built_in);
    target->weight_buffer_bytes = w->weight_buffer_bytes;
    target->code_reserve_bytes = 0;
    const ts_board *board = ts_board_of(target);
    if (board != NULL && !ts_program_found(arena, board->emulator)) {
        printf("%s is not installed: %s is left out\n", board->emulator, w->name);
        return 0;
    }
    ts_execution *all = emit_batch(arena, target, w, list, folder, &diags);
    bool warns = strcmp(w->target, "generic") == 0;
    ts_status status = ts_build(arena, folder, target, 2,
                                warns ? "-O1 -Wall -Wextra -pedantic -Werror -fsanitize=address,undefined"
                                      : "-O2 -Wall -Wextra -Werror",
                                &program, &diags);
    if (status == TS_OK) {
        status = ts_execute_near(arena, folder, program, target, all, BATCH, NULL, NULL, &diags);
    }
    print_diags(&diags);
    assert_int_equal(status, TS_OK);
    uint32_t wrong = 0;
    for (uint32_t i = 0; i < BATCH; i++) {
        wrong += compare(arena, &list[i], all[i].outputs, w->name);
        for (uint32_t l = 0; board != NULL && l < list[i].plan->layer_count; l++) {
            assert_true(all[i].counts[l].instructions > 0);
        }
    }
    if (board != NULL) {
        check_image(arena, program, target, list, all, &diags);
    }
    return wrong;
}

/* All witnesses on BATCH networks; returns how many differ. */
static uint32_t run_batch(ts_arena *arena, network *networks, const witness *list, uint32_t count) {
    ts_diags diags = {.arena = arena};
    const char *folder;
    uint32_t wrong = 0;
    assert_int_equal(ts_dir_temporary(arena, &folder, &diags), TS_OK);
    for (uint32_t i = 0; i < count; i++) {
        wrong += run_witness(arena, &list[i], networks, ts_path_join(arena, folder, list[i].name));
    }
    assert_int_equal(ts_dir_remove(folder, &diags), TS_OK);
    return wrong;
}

static void batch(uint64_t first, bool tflite, const witness *list, uint32_t count) {
    ts_arena *arena = ts_arena_new("near way", 0);
    ts_diags diags = {.arena = arena};
    network *networks = TS_NEW_ARRAY(arena, network, BATCH);
    for (uint32_t i = 0; i < BATCH; i++) {
        make_network(arena, first + i, networks_of(first + i, tflite), &networks[i], &diags);
    }
    assert_int_equal(run_batch(arena, networks, list, count), 0);
    ts_arena_free(arena);
}

static const witness witnesses[] = {
    {"library", "generic", 0, 0},   {"m4", "cortex-m4", 0, 0},
    {"blocks", "cortex-m4", 96, 0}, {"library-blocks", "generic", 200, 0},
    {"tcm", "stm32h743", 0, 1024},  {"m7", "cortex-m7", 0, 0},
    {"rv32", "riscv32", 0, 0},
};
enum { WITNESSES = sizeof witnesses / sizeof *witnesses };

static void test_random_networks(void **state) {
    (void)state;
    const char *text = getenv("TESSERA_NETWORKS");
    uint32_t wanted = text == NULL ? 50 : (uint32_t)strtoul(text, NULL, 10);
    for (uint32_t done = 0; done < wanted; done += BATCH) {
        batch(1 + done, done / BATCH % 2 == 1, witnesses, WITNESSES);
    }
}

/* The kernels of which at least LEAST random layers are computed, with their variants of requantisation;
 * /zero: of weights with a zero point, which these kernels take another way. */
static const char *const kernels[] = {
    "conv_armv7em",         "dwconv_armv7em_k3",       "dwconv_armv7em_any", "add_armv7em",
    "requant_armv7em",      "max_pool_armv7em",        "avg_pool_armv7em",   "conv_armv7em_raw",
    "conv_armv7em_s16",     "conv_armv7em_s16_wide",   "dwconv_armv7em_s16", "dwconv_armv7em_s16_wide",
    "max_pool_armv7em_s16", "avg_pool_armv7em_s16",    "add_armv7em_s16",    "requant_armv7em_s16",
    "conv_armv7em/zero",    "dwconv_armv7em_any/zero", "linear_armv7em",     "linear_armv7em_raw",
    "matmul_armv7em",       "matmul_armv7em_raw"};
enum { KERNELS = sizeof kernels / sizeof *kernels, BATCHES = 5, LEAST = 5, MOST_SEEDS = 60000 };

static bool is_kernel(const char *name, const ts_layer_plan *lp) {
    size_t length = strlen(lp->kernel->name);
    const ts_tensor *weights = lp->layer->weights;
    if (strncmp(name, lp->kernel->name, length) != 0) {
        return false;
    }
    bool has_zero = weights != NULL && ts_weights_zero(weights) != 0;
    return name[length] == '\0' ? !has_zero : has_zero && strcmp(name + length, "/zero") == 0;
}

/* What the planner chooses for the last layer, or for a product of matrices: the number of a kernel, or
 * KERNELS. Linear layers, and with them those that leave their sums, stand behind another. */
static uint32_t kernel_of(ts_arena *arena, const network *n, const ts_target *target) {
    ts_diags diags = {.arena = arena};
    ts_plan_options options = {0};
    ts_plan *plan = NULL;
    uint32_t k = 0;
    assert_int_equal(ts_plan_build(arena, n->graph, target, &options, &plan, &diags), TS_OK);
    const ts_layer_plan *last = &plan->layer_plans[plan->layer_count - 1];
    for (uint32_t i = 0; i < plan->layer_count; i++) {
        last = plan->layer_plans[i].layer->kind == TS_LAYER_MATMUL ? &plan->layer_plans[i] : last;
    }
    while (k < KERNELS && !is_kernel(kernels[k], last)) {
        k++;
    }
    bool alone = plan->layer_count == 1 || last->layer->kind == TS_LAYER_LINEAR ||
                 last->layer->kind == TS_LAYER_MATMUL;
    return alone ? k : KERNELS;
}

static bool all_have(const uint32_t *counts, uint32_t least) {
    uint32_t k = 0;
    while (k < KERNELS && counts[k] >= least) {
        k++;
    }
    return k == KERNELS;
}

static void test_armv7em_kernels(void **state) {
    (void)state;
    static const witness boards[] = {{"m4", "cortex-m4", 0, 0}, {"tcm", "stm32h743", 0, 2048}};
    ts_arena *arena = ts_arena_new("kernels", 0);
    ts_diags diags = {.arena = arena};
    const ts_target *target;
    network *list = TS_NEW_ARRAY(arena, network, BATCH * BATCHES);
    uint32_t counts[KERNELS] = {0}, found = 0;
    assert_int_equal(ts_target_load(arena, "cortex-m4", &target, &diags), TS_OK);
    for (uint64_t seed = 1; found < BATCH * BATCHES && seed < MOST_SEEDS; seed++) {
        make_network(arena, seed, layers_of(seed), &list[found], &diags);
        uint32_t k = kernel_of(arena, &list[found], target), fair = BATCH * BATCHES / KERNELS;
        if (k < KERNELS && (counts[k] < fair || all_have(counts, LEAST))) {
            counts[k]++;
            found++;
        }
    }
    for (uint32_t k = 0; k < KERNELS; k++) {
        print_message("%s: %u layers\n", kernels[k], counts[k]);
    }
    assert_true(all_have(counts, LEAST));
    assert_int_equal(found, BATCH * BATCHES);
    uint32_t wrong = 0;
    for (uint32_t b = 0; b < BATCHES; b++) {
        wrong += run_batch(arena, list + b * BATCH, boards, 2);
    }
    assert_int_equal(wrong, 0);
    ts_arena_free(arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_armv7em_kernels),
                                       cmocka_unit_test(test_random_networks)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
