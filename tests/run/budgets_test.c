/* Every kind of generated network, and every network of the examples where they are, on the smallest budgets
 * that can hold it, on odd ones and on absurd ones: planned, verified, and computed bit-exact on the host. */
#include <dirent.h>
#include <string.h>

#include "base/file.h"
#include "base/random.h"
#include "harness.h"
#include "model/model.h"
#include "num/generate.h"
#include "run/run.h"

static void show(const ts_diags *diags) {
    for (uint32_t i = 0; i < diags->list.count; i++) {
        ts_diag_print(stderr, &diags->list.data[i]);
    }
}

static ts_status plan(const ts_graph *graph, const ts_target *target, const ts_plan_options *options,
                      ts_diags *diags) {
    ts_plan *made = NULL;
    ts_status status = ts_plan_build(diags->arena, graph, target, options, &made, diags);
    return status == TS_OK ? ts_plan_verify(made, diags) : status;
}

static void must_fit(const ts_graph *graph, const ts_target *target, const ts_plan_options *options) {
    ts_arena *arena = ts_arena_new("test", 0);
    ts_diags diags = {.arena = arena};
    ts_status status = plan(graph, target, options, &diags);
    if (status != TS_OK) {
        print_message("%s: L1 %llu, L2 %llu\n", graph->name, (unsigned long long)options->l1_bytes,
                      (unsigned long long)options->l2_bytes);
        show(&diags);
    }
    assert_int_equal(status, TS_OK);
    ts_arena_free(arena);
}

/* Refused with status, layer where one is to blame, and what is missing; `promise` must be in the message. */
static void must_not_fit(const ts_graph *graph, const ts_target *target, const ts_plan_options *options,
                         const char *memory, uint64_t promise) {
    ts_arena *arena = ts_arena_new("test", 0);
    ts_diags diags = {.arena = arena};
    assert_int_equal(plan(graph, target, options, &diags), TS_NO_FIT);
    assert_int_equal(ts_diags_errors(&diags), 1);
    const char *text = diags.list.data[0].text;
    const char *number = ts_arena_printf(arena, "%llu bytes", (unsigned long long)promise);
    if (strstr(text, memory) == NULL || strstr(text, "missing") == NULL ||
        (promise > 0 && strstr(text, number) == NULL)) {
        print_message("%s: '%s' lacks '%s', 'missing' or '%s'\n", graph->name, text, memory, number);
        fail();
    }
    ts_arena_free(arena);
}

static void must_compute(const ts_graph *graph, const ts_target *host, const ts_plan_options *options) {
    ts_arena *arena = ts_arena_new("test", 0);
    ts_diags diags = {.arena = arena};
    ts_run_options run = {.target = host, .plan = *options, .seed = 1, .jobs = 2, .command = "test"};
    ts_run_result result = {0};
    ts_status status = ts_run(arena, graph, &run, &result, &diags);
    if (status != TS_OK) {
        show(&diags);
    }
    assert_int_equal(status, TS_OK);
    assert_true(result.verified && result.verified_layers == result.plan->layer_count);
    ts_arena_free(arena);
}

/* Where every layer's live activations and its weights lie in L2 together, nothing but the weights passes the
 * border of L3, and those once. */
static void must_not_move(const ts_graph *graph, const ts_target *target) {
    ts_arena *arena = ts_arena_new("test", 0);
    ts_diags diags = {.arena = arena};
    ts_plan *made = NULL;
    assert_int_equal(ts_plan_build(arena, graph, target, &(ts_plan_options){0}, &made, &diags), TS_OK);
    uint64_t reads = 0, writes = 0, most = 0;
    for (uint32_t i = 0; i < made->layer_count; i++) {
        uint64_t live = made->layer_plans[i].l3.weights_bytes;
        for (uint32_t b = 0; b < made->buffers.count; b++) {
            const ts_buffer *buffer = &made->buffers.data[b];
            bool alive =
                buffer->role == TS_BUFFER_ACTIVATION && buffer->first_layer <= i && i <= buffer->last_layer;
            live += alive ? (buffer->bytes + 3) / 4 * 4 : 0;
        }
        most = live > most ? live : most;
        reads += made->layer_plans[i].l3_read_bytes;
        writes += made->layer_plans[i].l3_write_bytes;
    }
    if (most <= made->options.l2_bytes) {
        assert_int_equal(reads, made->l3_weights_bytes);
        assert_int_equal(writes, 0);
    }
    print_message("%s: L3 reads %llu, writes %llu, weights %llu, most alive %llu of L2\n", graph->name,
                  (unsigned long long)reads, (unsigned long long)writes,
                  (unsigned long long)made->l3_weights_bytes, (unsigned long long)most);
    ts_arena_free(arena);
}

/* Everything that is asked of one network. */
static void try_network(const ts_graph *graph, const ts_target *chip, const ts_target *host, bool compute) {
    ts_arena *arena = ts_arena_new("test", 0);
    ts_diags diags = {.arena = arena};
    ts_plan_options asked = {0}, least = {0};
    uint64_t l2_of_all = 0, ignored = 0;
    assert_int_equal(ts_plan_smallest(arena, graph, chip, &asked, &least.l1_bytes, &l2_of_all, &diags),
                     TS_OK);
    assert_int_equal(ts_plan_smallest(arena, graph, chip, &least, &ignored, &least.l2_bytes, &diags), TS_OK);
    must_fit(graph, chip, &least);
    ts_plan_options o = least;
    o.l1_bytes--;
    must_not_fit(graph, chip, &o, "L1", least.l1_bytes);
    o = least;
    o.l2_bytes--;
    must_not_fit(graph, chip, &o, "L2", least.l2_bytes);

    ts_random random = ts_random_seed(least.l1_bytes + least.l2_bytes);
    for (int i = 0; i < 3; i++) { /* odd, between one and three times the smallest */
        o.l1_bytes =
            (uint64_t)ts_random_range(&random, (int64_t)least.l1_bytes, (int64_t)least.l1_bytes * 3) | 1;
        o.l2_bytes =
            (uint64_t)ts_random_range(&random, (int64_t)least.l2_bytes, (int64_t)least.l2_bytes * 3) | 1;
        must_fit(graph, chip, &o);
    }
    static const ts_plan_options absurd[] = {
        {.l1_bytes = 1}, {.l2_bytes = 1}, {.l1_bytes = 3, .l2_bytes = 3}};
    must_not_fit(graph, chip, &absurd[0], "L1", 0);
    must_not_fit(graph, chip, &absurd[1], "L2", 0);
    must_not_fit(graph, chip, &absurd[2], "L", 0);
    must_fit(graph, chip, &(ts_plan_options){.l1_bytes = UINT64_C(1) << 50, .l2_bytes = UINT64_C(1) << 50});
    must_not_move(graph, chip);
    if (compute) {
        ts_plan_options on_host = {0};
        assert_int_equal(ts_plan_smallest(arena, graph, host, &asked, &on_host.l1_bytes, &ignored, &diags),
                         TS_OK);
        assert_int_equal(ts_plan_smallest(arena, graph, host, &on_host, &ignored, &on_host.l2_bytes, &diags),
                         TS_OK);
        must_compute(graph, host, &on_host);
        on_host.l1_bytes = on_host.l1_bytes * 2 | 1;
        on_host.l2_bytes = on_host.l2_bytes * 3 / 2 | 1;
        must_compute(graph, host, &on_host);
    }
    print_message("%s: smallest L1 %llu with L2 %llu bytes; with the chip's L1 %llu\n", graph->name,
                  (unsigned long long)least.l1_bytes, (unsigned long long)least.l2_bytes,
                  (unsigned long long)l2_of_all);
    ts_arena_free(arena);
}

static void targets(ts_arena *arena, const ts_target **chip, const ts_target **host) {
    ts_diags diags = {.arena = arena};
    assert_int_equal(ts_run_target(arena, "gap8", chip, &diags), TS_OK);
    assert_int_equal(ts_run_target(arena, "host", host, &diags), TS_OK);
}

static void generated(void **state) {
    (void)state;
    ts_arena *arena = ts_arena_new("test", 0);
    const ts_target *chip, *host;
    targets(arena, &chip, &host);
    for (int kind = 0; kind < TS_GENERATE_KIND_COUNT; kind++) {
        ts_generate_options options = ts_generate_defaults((ts_generate_kind)kind);
        ts_diags diags = {.arena = arena};
        ts_graph *graph;
        bool mobile = kind == TS_GENERATE_MOBILENET_V1 || kind == TS_GENERATE_MOBILENET_V2;
        options.width = mobile ? 0.25 : options.width;
        options.resolution = mobile ? 32 : options.resolution;
        options.classes = mobile ? 10 : options.classes;
        assert_int_equal(ts_generate(arena, &options, &graph, &diags), TS_OK);
        try_network(graph, chip, host, true);
    }
    ts_arena_free(arena);
}

/* Windows that slide down a column, which are turned into a row where there is room for all of it. */
static void columns(void **state) {
    (void)state;
    ts_arena *arena = ts_arena_new("test", 0);
    ts_diags diags = {.arena = arena};
    const ts_target *chip, *host;
    targets(arena, &chip, &host);
    ts_generate_options options = ts_generate_defaults(TS_GENERATE_CONV);
    options.in_h = 512;
    options.in_w = 1;
    options.in_c = options.out_c = 8;
    options.window = (ts_window){.kernel_h = 3,
                                 .kernel_w = 1,
                                 .stride_h = 1,
                                 .stride_w = 1,
                                 .dilation_h = 1,
                                 .dilation_w = 1,
                                 .pad_top = 1,
                                 .pad_bottom = 1};
    ts_graph *graph;
    assert_int_equal(ts_generate(arena, &options, &graph, &diags), TS_OK);
    try_network(graph, chip, host, true);
    ts_arena_free(arena);
}

/* Maps that lie over each other, where activations would have to leave L2 otherwise: exact with transfers as
 * early and as late as allowed. */
static void overlapping_maps(void **state) {
    (void)state;
    ts_arena *arena = ts_arena_new("test", 0);
    ts_diags diags = {.arena = arena};
    const ts_target *chip, *host;
    targets(arena, &chip, &host);
    ts_generate_options options = ts_generate_defaults(TS_GENERATE_MOBILENET_V2);
    options.width = 0.35;
    options.resolution = 96;
    ts_graph *graph;
    assert_int_equal(ts_generate(arena, &options, &graph, &diags), TS_OK);
    ts_target far = *host; /* L3 is slow, so that it pays */
    for (uint32_t i = 0; i < far.memory_count; i++) {
        far.memories[i].read_bytes_per_cycle /= far.memories[i].level == 3 ? 16 : 1;
        far.memories[i].write_bytes_per_cycle /= far.memories[i].level == 3 ? 16 : 1;
    }
    for (int early = 0; early < 2; early++) {
        ts_run_options run = {
            .target = &far, .plan.l2_bytes = 124000, .seed = 7, .jobs = 2, .command = "test"};
        ts_run_result result = {0};
        run.host.cores = 8;
        run.host.early = early;
        assert_int_equal(ts_run(arena, graph, &run, &result, &diags), TS_OK);
        uint32_t over = 0;
        for (uint32_t i = 0; i < result.plan->layer_count; i++) {
            over += result.plan->layer_plans[i].x_behind_y > 0;
        }
        assert_true(result.verified && over > 0);
    }
    ts_arena_free(arena);
}

static void examples(void **state) {
    (void)state;
    const ts_target *chip, *host;
    const char *shared = ts_test_shared();
    if (shared == NULL) {
        print_message("skipped: TESSERA_SHARED is not there\n");
        skip();
    }
    ts_arena *arena = ts_arena_new("test", 0);
    targets(arena, &chip, &host);
    const char *folder = ts_path_join(arena, shared, "models/dory-examples");
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        const char *path = ts_path_join(arena, folder, entry->d_name);
        ts_model_options reading = {.input_signed = -1};
        ts_diags diags = {.arena = arena};
        ts_graph *graph;
        if (entry->d_name[0] != '.' && ts_dir_exists(path)) {
            ts_status status = ts_model_read(arena, path, &reading, &graph, &diags);
            show(&diags);
            assert_int_equal(status, TS_OK);
            graph->name = ts_arena_strdup(arena, entry->d_name);
            try_network(graph, chip, host, false);
        }
    }
    closedir(dir);
    ts_arena_free(arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(generated), cmocka_unit_test(columns),
                                       cmocka_unit_test(overlapping_maps), cmocka_unit_test(examples)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
