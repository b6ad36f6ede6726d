/* What the plan says that each memory needs, the emitted program, the linked ELF and the simulator confirm.
 */
#include <string.h>

#include "base/file.h"
#include "harness.h"
#include "num/generate.h"
#include "run/run.h"
#include "sim/elf.h"

typedef struct budget {
    ts_generate_kind kind;
    double width;
    uint32_t resolution;
    uint64_t l1_bytes, l2_bytes; /* 0: what the chip leaves */
} budget;

/* Budgets that fill memories, cut into stripes and chunks, move activations to L3, and are odd. */
static const budget budgets[] = {
    {TS_GENERATE_RESNET8, 1.0, 0, 0, 0},
    {TS_GENERATE_RESNET8, 1.0, 0, 0, 65536},
    {TS_GENERATE_RESNET8, 1.0, 0, 4096, 49152},
    {TS_GENERATE_RESNET8, 0.5, 0, 7777, 33333},
    {TS_GENERATE_DS_CNN, 1.0, 0, 0, 0},
    {TS_GENERATE_DS_CNN, 1.0, 0, 6001, 20001},
    {TS_GENERATE_TCN, 1.0, 0, 3000, 9000},
    {TS_GENERATE_MOBILENET_V1, 0.25, 64, 0, 0},
    {TS_GENERATE_MOBILENET_V2, 0.35, 48, 0, 40000},
    {TS_GENERATE_MOBILENET_V1, 0.25, 64, 5000, 24000},
};

enum { BUDGETS = sizeof budgets / sizeof budgets[0], BUFFER_ALIGN = 4 };

typedef struct world {
    ts_arena *arena;
    ts_diags diags;
    const ts_target *target;
    ts_graph *graph;
    const char *folder;
    ts_run_result result;
} world;

static void run(world *w, const budget *b) {
    ts_generate_options options = ts_generate_defaults(b->kind);
    options.width = b->width;
    options.resolution = b->resolution != 0 ? b->resolution : options.resolution;
    assert_int_equal(ts_generate(w->arena, &options, &w->graph, &w->diags), TS_OK);
    assert_int_equal(ts_target_load(w->arena, "gap8", &w->target, &w->diags), TS_OK);
    assert_int_equal(ts_dir_temporary(w->arena, &w->folder, &w->diags), TS_OK);
    ts_run_options run = {.target = w->target, .seed = 1, .jobs = 2, .command = "test", .keep = w->folder};
    run.plan.l1_bytes = b->l1_bytes;
    run.plan.l2_bytes = b->l2_bytes;
    ts_status status = ts_run(w->arena, w->graph, &run, &w->result, &w->diags);
    for (uint32_t i = 0; i < w->diags.list.count; i++) {
        ts_diag_print(stderr, &w->diags.list.data[i]);
    }
    assert_int_equal(status, TS_OK);
}

static uint32_t size_at(uint32_t whole, uint32_t tile, uint32_t index) {
    return whole - index * tile < tile ? whole - index * tile : tile;
}

/* Outputs of the largest tile of odd number in a full pass: the second buffer of y holds no more. */
static uint64_t most_of_odd_tiles(const ts_layer_plan *lp) {
    const ts_l1_plan *l1 = &lp->l1;
    uint32_t pixels = l1->tiles_h * l1->tiles_w, tiles = pixels * l1->tiles_c;
    uint64_t most = 0;
    for (uint32_t i = 1; i < tiles; i += 2) {
        bool channels_inner = l1->order == TS_LOOP_CHANNELS_INNER;
        uint32_t c = channels_inner ? i % l1->tiles_c : i / pixels;
        uint32_t pixel = channels_inner ? i / l1->tiles_c : i % pixels;
        uint64_t outputs = (uint64_t)size_at(l1->pass_h, l1->tile.y_h, pixel / l1->tiles_w) *
                           size_at(lp->layer->y.w, l1->tile.y_w, pixel % l1->tiles_w) *
                           size_at(l1->pass_c, l1->tile.y_c, c);
        most = outputs > most ? outputs : most;
    }
    return most;
}

/* L1 that a layer is sure to write: up to the end of y, whose second buffer may be left in part. Whether
 * scratch behind it is used is up to the kernel. */
static uint64_t least_touched(const ts_layer_plan *lp) {
    const ts_l1_plan *l1 = &lp->l1;
    uint64_t outputs = (uint64_t)l1->tile.y_h * l1->tile.y_w * l1->tile.y_c;
    uint64_t spare = l1->y_count < 2 || l1->tiles_h * l1->tiles_w * l1->tiles_c == 1
                         ? 0
                         : l1->y_bytes - l1->y_bytes * most_of_odd_tiles(lp) / outputs;
    return l1->used_bytes - l1->scratch_bytes - spare - (BUFFER_ALIGN - 1);
}

/* The simulator: every memory is written up to the byte that the plan says, and never beyond. In L1 the plan
 * counts whole buffers, of which a layer of few tiles may leave the end alone. */
static void check_touched(const world *w) {
    const ts_plan *plan = w->result.plan;
    const ts_memory_use *use = &w->result.memory;
    uint64_t least = 0;
    for (uint32_t i = 0; i < plan->layer_count; i++) {
        uint64_t bytes = least_touched(&plan->layer_plans[i]);
        least = bytes > least ? bytes : least;
    }
    assert_true(use->measured);
    assert_true(use->l1_bytes <= plan->l1_used_bytes);
    assert_true(use->l1_bytes >= least);
    assert_int_equal(use->l2_bytes, plan->l2_used_bytes);
    assert_int_equal(use->l3_bytes, plan->l3_used_bytes);
    assert_true(plan->l1_used_bytes <= plan->options.l1_bytes &&
                plan->l2_used_bytes <= plan->options.l2_bytes);
}

/* L3 traffic as planned, and nothing of it that could be saved: weights once, and activations that have no
 * room. */
static void check_traffic(const world *w) {
    uint64_t planned_reads = 0, planned_writes = 0, reads = 0, writes = 0;
    const ts_plan *plan = w->result.plan;
    for (uint32_t i = 0; i < plan->layer_count; i++) {
        planned_reads += plan->layer_plans[i].l3_read_bytes;
        planned_writes += plan->layer_plans[i].l3_write_bytes;
        reads += w->result.layers[i].counts.traffic.l3_read_bytes;
        writes += w->result.layers[i].counts.traffic.l3_write_bytes;
    }
    assert_int_equal(reads, planned_reads);
    assert_int_equal(writes, planned_writes);
    if (plan->l3_used_bytes == plan->l3_weights_bytes) {
        assert_int_equal(reads, plan->l3_weights_bytes);
        assert_int_equal(writes, 0);
    }
}

static uint32_t symbol(ts_sim *sim, const char *name) {
    uint32_t address = 0;
    assert_true(ts_sim_symbol(sim, name, &address));
    return address;
}

/* The linked program's table of the network (runtime/network.h): its four sizes are the plan's. */
static void check_table(const world *w, ts_sim *sim) {
    uint32_t table[11];
    const char *name = ts_arena_printf(w->arena, "%s_network", ts_identifier(w->arena, w->graph->name));
    assert_true(ts_sim_read(sim, symbol(sim, name), table, sizeof table));
    const ts_plan *plan = w->result.plan;
    assert_int_equal(table[2], plan->layer_count);
    assert_int_equal(table[7], plan->l1_used_bytes);
    assert_int_equal(table[8], plan->l2_used_bytes);
    assert_int_equal(table[9], plan->l3_used_bytes);
    assert_int_equal(table[10], plan->l3_weights_bytes);
}

/* The ELF: what it loads ends where the fabric controller's stack begins, the network's L2 behind that, and
 * all of it within the chip; in L1 the stacks are what the network does not get. */
static void check_elf(const world *w, ts_sim *sim, const ts_elf *elf) {
    const ts_memory *l1 = ts_target_level(w->target, 1), *l2 = ts_target_level(w->target, 2);
    uint32_t loaded = 0, stacks = 0;
    for (uint32_t i = 0; i < elf->segment_count; i++) {
        const ts_elf_segment *s = &elf->segments[i];
        uint32_t end = s->physical + s->memory_bytes;
        bool in_l2 = s->physical >= l2->base && end <= l2->base + l2->size_bytes;
        bool in_l1 = s->physical >= symbol(sim, "pulp_l1_end") && end <= l1->base + l1->size_bytes;
        assert_true(in_l1 || in_l2 || s->memory_bytes == 0);
        loaded = in_l2 && end > loaded ? end : loaded;
    }
    stacks = w->result.plan->options.stack_bytes * w->result.plan->options.cores;
    assert_int_equal(loaded, symbol(sim, "pulp_fc_stack_bottom"));
    assert_int_equal(symbol(sim, "pulp_fc_stack_top") - loaded, w->target->fc_stack_bytes);
    assert_int_equal(symbol(sim, "pulp_l2_begin"), symbol(sim, "pulp_fc_stack_top"));
    assert_int_equal(symbol(sim, "pulp_l2_end"), l2->base + l2->size_bytes);
    assert_int_equal(symbol(sim, "pulp_l1_begin"), l1->base);
    assert_int_equal(symbol(sim, "pulp_l1_end") - l1->base, l1->size_bytes - stacks);
    const ts_memory_use *use = &w->result.memory;
    assert_int_equal(use->program_bytes, symbol(sim, "pulp_l2_begin") - l2->base);
    assert_int_equal(use->l2_given_bytes, l2->size_bytes - use->program_bytes);
    assert_int_equal(use->l1_given_bytes, l1->size_bytes - stacks);
    assert_true(w->result.plan->l2_used_bytes <= use->l2_given_bytes);
    uint64_t reckoned = ts_plan_program_bytes(w->result.plan);
    print_message("program: %llu bytes, reckoned %llu\n", (unsigned long long)use->program_bytes,
                  (unsigned long long)reckoned);
    assert_in_range(reckoned, use->program_bytes, use->program_bytes + use->program_bytes / 8 + 2048);
}

/* weights.bin is the image that the plan counts. */
static void check_image(const world *w) {
    ts_bytes image;
    ts_diags diags = {.arena = w->arena};
    const char *path = ts_path_join(w->arena, w->folder, "weights.bin");
    assert_int_equal(ts_file_read(w->arena, path, 1 << 24, &image, &diags), TS_OK);
    assert_int_equal(image.size, w->result.plan->l3_weights_bytes);
}

static void plan_program_and_chip_agree(void **state) {
    (void)state;
    for (uint32_t i = 0; i < BUDGETS; i++) {
        world w = {.arena = ts_arena_new("test", 0)};
        ts_bytes file;
        ts_elf elf;
        ts_sim *sim = NULL;
        w.diags.arena = w.arena;
        run(&w, &budgets[i]);
        check_touched(&w);
        check_traffic(&w);
        check_image(&w);
        const char *path = ts_path_join(w.arena, w.folder, "app.elf");
        assert_int_equal(ts_file_read(w.arena, path, 1 << 24, &file, &w.diags), TS_OK);
        assert_int_equal(ts_elf_read(w.arena, file, &elf, &w.diags), TS_OK);
        assert_int_equal(ts_sim_new(w.arena, w.target, &(ts_sim_options){0}, &sim, &w.diags), TS_OK);
        assert_int_equal(ts_sim_load_elf(sim, file, &w.diags), TS_OK);
        check_table(&w, sim);
        check_elf(&w, sim, &elf);
        ts_sim_free(sim);
        print_message(
            "%s: L1 %llu of %llu, L2 %llu, L3 %llu bytes\n", w.graph->name,
            (unsigned long long)w.result.memory.l1_bytes, (unsigned long long)w.result.plan->l1_used_bytes,
            (unsigned long long)w.result.memory.l2_bytes, (unsigned long long)w.result.memory.l3_bytes);
        assert_int_equal(ts_dir_remove(w.folder, &w.diags), TS_OK);
        ts_arena_free(w.arena);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(plan_program_and_chip_agree)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
