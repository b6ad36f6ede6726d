/* Convolutions and linear layers of 16-bit activations, whose tiles are split in place once and read by
 * several calls: exact with elements beyond a byte and without them, in time that tells the two apart. */
#include <string.h>

#include "harness.h"
#include "num/build.h"
#include "run/run.h"

typedef struct world {
    ts_arena *arena;
    ts_diags diags;
    ts_graph *graph;
} world;

static ts_tensor_id layer(ts__builder *b, const char *name, ts_op op, ts_window window, uint32_t out_c,
                          ts_tensor_id in) {
    ts__layer_spec spec = {.op = op,
                           .window = window,
                           .groups = 1,
                           .out_c = out_c,
                           .weight_type = TS_S8,
                           .out_type = TS_U8,
                           .centre = TS__CENTRE_MIDDLE,
                           .requant = TS_REQUANT_NEMO};
    ts_tensor_id out = 0;
    assert_int_equal(ts__build_layer(b, name, &spec, in, &out), TS_OK);
    return out;
}

/* A sum of two maps of bytes, read by a padded convolution, one without padding, and behind them another sum,
 * read by a linear layer. */
static world make(uint32_t channels) {
    world w = {.arena = ts_arena_new("test", 0)};
    w.diags.arena = w.arena;
    ts__builder b = ts__builder_new(w.arena, "wide", 3, &w.diags);
    ts_window point = {
        .kernel_h = 1, .kernel_w = 1, .stride_h = 1, .stride_w = 1, .dilation_h = 1, .dilation_w = 1};
    ts_window square = point, skips = point;
    square.kernel_h = square.kernel_w = 3;
    square.pad_top = square.pad_left = square.pad_bottom = square.pad_right = 1;
    skips.stride_h = skips.stride_w = 3;
    square.stride_h = square.stride_w = 3;
    ts__add_spec plain = {.m1 = 1, .m2 = 1, .d = 1, .then = TS_REQUANT_NONE, .out_type = TS_S16};
    ts_tensor_id x = ts__build_input(&b, "x", TS_U8, 12, 12, channels), sum = 0, output = 0;
    assert_int_equal(ts__build_add(&b, "sum", &plain, x, x, &sum), TS_OK);
    ts_tensor_id left = layer(&b, "square", TS_OP_CONV, square, 72, sum);
    ts_tensor_id right = layer(&b, "skips", TS_OP_CONV, skips, 72, sum);
    assert_int_equal(ts__build_add(&b, "sum2", &plain, left, right, &output), TS_OK);
    output = layer(&b, "linear", TS_OP_LINEAR, point, 12, output);
    TS_PUSH(w.arena, &b.graph->outputs, output);
    w.graph = b.graph;
    assert_int_equal(ts_graph_verify(w.graph, &w.diags), TS_OK);
    return w;
}

/* Cycles of the program on an input of `value`s. */
static uint64_t run(world *w, ts_deployed *deployed, int32_t value, bool some) {
    uint32_t count = (uint32_t)ts_tensor_elements(&w->graph->tensors.data[w->graph->inputs.data[0]]);
    int32_t *input = TS_NEW_ARRAY(w->arena, int32_t, count), **values = NULL;
    const int32_t *inputs[] = {input};
    uint64_t cycles = 0;
    for (uint32_t i = 0; i < count; i++) {
        input[i] = some && i % 997 == 500 ? 255 : (int32_t)((i * 7u + i / 13u) % (uint32_t)(value + 1));
    }
    ts_status status = ts_deployed_run(deployed, w->arena, inputs, &values, &cycles, &w->diags);
    for (uint32_t i = 0; i < w->diags.list.count; i++) {
        ts_diag_print(stderr, &w->diags.list.data[i]);
    }
    assert_int_equal(status, TS_OK);
    return cycles;
}

static bool uses(const world *w, const ts_run_options *options, const char *kernel, bool many_channels) {
    ts_plan *plan = NULL;
    ts_diags diags = {.arena = w->arena};
    assert_int_equal(ts_plan_build(w->arena, w->graph, options->target, &options->plan, &plan, &diags),
                     TS_OK);
    for (uint32_t i = 0; i < plan->layer_count; i++) {
        const ts_layer_plan *lp = &plan->layer_plans[i];
        if (strcmp(lp->kernel->name, kernel) == 0 && (lp->l1.tiles_c * lp->l3.chunks > 1 || !many_channels)) {
            return true;
        }
    }
    return false;
}

static void check(uint32_t channels, uint64_t l1_bytes, uint64_t l2_bytes, bool padded) {
    world w = make(channels);
    ts_run_options options = {.seed = 1, .jobs = 2, .command = "test", .sim = {.max_cycles = 100000000}};
    ts_deployed *deployed = NULL;
    assert_int_equal(ts_run_target(w.arena, "gap8", &options.target, &w.diags), TS_OK);
    options.plan.l1_bytes = l1_bytes;
    options.plan.l2_bytes = l2_bytes;
    assert_true(uses(&w, &options, padded ? "conv_xpulp_s16s8_4x4_padded" : "conv_xpulp_s16s8_4x4", true));
    assert_true(uses(&w, &options, "linear_xpulp_s16s8", false));
    assert_int_equal(ts_deploy(w.arena, w.graph, &options, &deployed, &w.diags), TS_OK);
    uint64_t small = run(&w, deployed, 127, false), few = run(&w, deployed, 127, true),
             large = run(&w, deployed, 255, false);
    print_message("%u channels, L1 %u: %u cycles, few beyond a byte %u, many %u\n", channels,
                  (uint32_t)l1_bytes, (uint32_t)small, (uint32_t)few, (uint32_t)large);
    assert_true(small < few && few < large);
    assert_int_equal(ts_deployed_free(deployed, &w.diags), TS_OK);
    ts_arena_free(w.arena);
}

static void one_split_serves_many_calls(void **state) {
    (void)state;
    if (system("command -v riscv64-unknown-elf-gcc > /dev/null 2>&1") != 0) {
        skip();
    }
    check(16, 12000, 0, true);
    check(16, 8000, 0, true);
    check(16, 12000, 13000, true);
    check(18, 12000, 0, false);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(one_split_serves_many_calls)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
