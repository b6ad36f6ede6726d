/* L3: weights in a memory of their own (flash beside the RAM that is written, each with its size and rate),
 * and stripes whose common rows are kept where L3 is slow. */
#include <string.h>

#include <jansson.h>

#include "harness.h"
#include "num/generate.h"
#include "run/run.h"

typedef struct world {
    ts_arena *arena;
    ts_diags diags;
    ts_graph *graph;
} world;

static world begin(void) {
    world w = {.arena = ts_arena_new("test", 0)};
    w.diags.arena = w.arena;
    ts_generate_options options = ts_generate_defaults(TS_GENERATE_RESNET8);
    assert_int_equal(ts_generate(w.arena, &options, &w.graph, &w.diags), TS_OK);
    return w;
}

static json_t *memory(json_t *root, const char *name) {
    json_t *list = json_object_get(root, "memories");
    for (size_t i = 0; i < json_array_size(list); i++) {
        if (strcmp(json_string_value(json_object_get(json_array_get(list, i), "name")), name) == 0) {
            return json_array_get(list, i);
        }
    }
    fail();
    return NULL;
}

/* GAP8 with its weights in `name`, NULL: where they are; sizes of 0 and a rate of 0 stay. */
static ts_status chip(world *w, const char *name, uint64_t ram_bytes, uint64_t flash_bytes, double flash_rate,
                      bool host, const ts_target **out) {
    ts_bytes text;
    assert_int_equal(ts_target_text(w->arena, "gap8", &text, &w->diags), TS_OK);
    json_t *root = json_loadb((const char *)text.data, text.size, 0, NULL);
    assert_non_null(root);
    if (name != NULL) {
        json_object_set_new(root, "weights_memory", json_string(name));
    }
    if (ram_bytes > 0) {
        json_object_set_new(memory(root, "l3"), "size_bytes", json_integer((json_int_t)ram_bytes));
    }
    if (flash_bytes > 0) {
        json_object_set_new(memory(root, "flash"), "size_bytes", json_integer((json_int_t)flash_bytes));
    }
    if (flash_rate > 0) {
        json_object_set_new(memory(root, "flash"), "read_bytes_per_cycle", json_real(flash_rate));
    }
    if (host) {
        json_object_set_new(root, "platform", json_string("host"));
        json_object_set_new(root, "isa", json_string("c"));
    }
    char *changed = json_dumps(root, 0);
    json_decref(root);
    ts_status status =
        ts_target_parse(w->arena, (ts_bytes){(const uint8_t *)changed, strlen(changed)}, out, &w->diags);
    free(changed);
    return status;
}

/* Little L2, so that activations live in L3 too. */
static ts_status run(world *w, const ts_target *target, ts_run_result *result) {
    ts_run_options options = {.target = target, .seed = 1, .jobs = 2, .command = "test"};
    options.plan.l2_bytes = 40000;
    ts_status status = ts_run(w->arena, w->graph, &options, result, &w->diags);
    if (status != TS_OK && status != TS_NO_FIT) {
        for (uint32_t i = 0; i < w->diags.list.count; i++) {
            ts_diag_print(stderr, &w->diags.list.data[i]);
        }
    }
    return status;
}

static void weights_in_flash(void **state) {
    (void)state;
    world w = begin();
    const ts_target *together, *apart, *slow, *host;
    ts_run_result one = {0}, two = {0}, three = {0}, four = {0};
    assert_int_equal(chip(&w, NULL, 0, 0, 0, false, &together), TS_OK);
    assert_int_equal(chip(&w, "flash", 0, 0, 0, false, &apart), TS_OK);
    assert_int_equal(chip(&w, "flash", 0, 0, 0.2, false, &slow), TS_OK);
    assert_int_equal(chip(&w, "flash", 0, 0, 0, true, &host), TS_OK);
    assert_int_equal(run(&w, together, &one), TS_OK);
    assert_int_equal(run(&w, apart, &two), TS_OK);
    assert_int_equal(run(&w, slow, &three), TS_OK);
    assert_int_equal(run(&w, host, &four), TS_OK);
    assert_true(one.verified && two.verified && three.verified && four.verified);
    uint64_t weights = one.plan->l3_weights_bytes, spilled = one.plan->l3_used_bytes - weights;
    assert_true(spilled > 0);
    assert_int_equal(two.plan->l3_weights_bytes, weights);
    assert_int_equal(two.plan->l3_used_bytes, spilled);
    assert_int_equal(one.memory.l3_bytes, weights + spilled);
    assert_int_equal(two.memory.l3_bytes, spilled);
    assert_true(three.plan->modelled_cycles > two.plan->modelled_cycles && three.cycles > two.cycles);
    print_message("together %llu cycles, apart %llu, slow flash %llu\n", (unsigned long long)one.cycles,
                  (unsigned long long)two.cycles, (unsigned long long)three.cycles);
    ts_arena_free(w.arena);
}

static void refused(const char *name, uint64_t ram_bytes, uint64_t flash_bytes, const char *text) {
    world w = begin();
    const ts_target *target;
    ts_run_result result = {0};
    assert_int_equal(chip(&w, name, ram_bytes, flash_bytes, 0, false, &target), TS_OK);
    assert_int_equal(run(&w, target, &result), TS_NO_FIT);
    assert_int_equal(ts_diags_errors(&w.diags), 1);
    if (strstr(w.diags.list.data[0].text, text) == NULL) {
        print_message("'%s' lacks '%s'\n", w.diags.list.data[0].text, text);
        fail();
    }
    ts_arena_free(w.arena);
}

static void each_memory_may_overflow(void **state) {
    (void)state;
    refused("flash", 0, 65536, "does not fit 'flash': weights fill");
    refused("flash", 4096, 0, "does not fit L3: weights fill 0 bytes and activations");
    refused(NULL, 65536, 0, "does not fit L3: weights fill 8");
}

static void other_memories_are_refused(void **state) {
    (void)state;
    world w = begin();
    const ts_target *target;
    assert_int_equal(chip(&w, "l2", 0, 0, 0, false, &target), TS_BAD_INPUT);
    assert_int_equal(chip(&w, "nowhere", 0, 0, 0, false, &target), TS_BAD_INPUT);
    ts_arena_free(w.arena);
}

/* At a sixth of the rate reading rows again costs more than copying them; the simulator moves what is
 * planned. */
static void halos_are_kept_where_l3_is_slow(void **state) {
    (void)state;
    for (int host = 0; host < 2; host++) {
        world w = {.arena = ts_arena_new("test", 0)};
        w.diags.arena = w.arena;
        ts_generate_options options = ts_generate_defaults(TS_GENERATE_MOBILENET_V1);
        options.width = 0.25;
        options.resolution = 64;
        assert_int_equal(ts_generate(w.arena, &options, &w.graph, &w.diags), TS_OK);
        const ts_target *loaded;
        assert_int_equal(chip(&w, NULL, 0, 0, 0, host == 1, &loaded), TS_OK);
        ts_target *slow = ts_arena_copy(w.arena, loaded, sizeof *loaded);
        double rate = host == 1 ? 0.02 : 0.3; /* kernels of the host are reckoned slower */
        for (uint32_t i = 0; i < slow->memory_count; i++) {
            if (slow->memories[i].level == 3) {
                slow->memories[i].read_bytes_per_cycle = slow->memories[i].write_bytes_per_cycle = rate;
            }
        }
        ts_run_result result = {0};
        ts_run_options run = {.target = slow, .seed = 1, .jobs = 2, .command = "test"};
        run.plan.l2_bytes = 12000;
        assert_int_equal(ts_run(w.arena, w.graph, &run, &result, &w.diags), TS_OK);
        uint32_t keeping = 0;
        uint64_t planned = 0, reads = 0;
        for (uint32_t i = 0; i < result.plan->layer_count; i++) {
            keeping += result.plan->layer_plans[i].l3.keeps_halo;
            planned += result.plan->layer_plans[i].l3_read_bytes;
            reads += result.layers[i].counts.traffic.l3_read_bytes;
        }
        assert_true(result.verified && keeping > 0);
        assert_true(host == 1 || reads == planned);
        print_message("%u layers keep their halo\n", keeping);
        ts_arena_free(w.arena);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(weights_in_flash), cmocka_unit_test(each_memory_may_overflow),
        cmocka_unit_test(other_memories_are_refused), cmocka_unit_test(halos_are_kept_where_l3_is_slow)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
