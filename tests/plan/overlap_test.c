/* Results in the place of dying inputs: plans of random networks for one level of memory hold, no result
 * could begin a word later, and a residual block needs two maps. */
#include "harness.h"

#include "base/random.h"
#include "num/build.h"
#include "num/generate.h"
#include "plan/plan.h"
#include "plan/planner.h"

static void show(const ts_diags *diags) {
    for (uint32_t i = 0; i < diags->list.count; i++) {
        ts_diag_print(stderr, &diags->list.data[i]);
    }
}

static bool overlap(const ts_buffer *a, const ts_buffer *b) {
    return a->offset < b->offset + b->bytes && b->offset < a->offset + a->bytes &&
           a->first_layer <= b->last_layer && b->first_layer <= a->last_layer;
}

/* Overlapping pairs of the plan, by kind: element by element, with a window. Each result is refused a word
 * above the highest place that its lag allows, unless it could begin behind x as well, and so is the kernel's
 * promise to keep the order where it is not given. */
static void count_overlaps(ts_plan *plan, uint32_t counts[2]) {
    for (uint32_t i = 0; i < plan->layer_count; i++) {
        ts_layer_plan *lp = &plan->layer_plans[i];
        ts_buffer *y = &plan->buffers.data[lp->y_buffer];
        const int32_t inputs[2] = {lp->x_buffer, ts_layer_has_x2(lp->layer) ? lp->x2_buffer : TS_NO_BUFFER};
        for (uint32_t k = 0; k < 2; k++) {
            if (lp->layer->kind == TS_LAYER_MOVE || inputs[k] == TS_NO_BUFFER || inputs[k] == lp->y_buffer ||
                !overlap(&plan->buffers.data[inputs[k]], y)) {
                continue;
            }
            ts_diags diags = {.arena = plan->arena};
            bool elementwise = lp->layer->kind == TS_LAYER_ADD || lp->layer->kind == TS_LAYER_MUL ||
                               lp->layer->kind == TS_LAYER_REQUANT || lp->layer->kind == TS_LAYER_LUT;
            uint64_t budget = plan->options.l2_bytes, lag;
            assert_true(ts__overlap_lag(lp, k == 0 ? &lp->layer->x : &lp->layer->x2, &lag));
            const ts_kernel *kernel = lp->kernel;
            ts_kernel careless = *kernel;
            counts[elementwise ? 0 : 1]++;
            plan->options.l2_bytes += 4;
            uint64_t offset = y->offset;
            y->offset = plan->buffers.data[inputs[k]].offset + 4 - lag;
            assert_true(offset < y->offset);
            assert_true((!elementwise && lag == 0) || ts_plan_verify(plan, &diags) != TS_OK);
            y->offset = offset;
            plan->options.l2_bytes = budget;
            careless.in_order = false;
            lp->kernel = &careless;
            assert_int_not_equal(ts_plan_verify(plan, &diags), TS_OK);
            lp->kernel = kernel;
        }
    }
}

static void random_plans_overlap_in_order(void **state) {
    (void)state;
    static const char *const targets[] = {"cortex-m4", "generic"};
    uint32_t counts[2] = {0, 0};
    for (uint64_t seed = 1; seed <= 400; seed++) {
        ts_arena *arena = ts_arena_new("test", 0);
        ts_diags diags = {.arena = arena};
        ts_random_limits limits = ts_random_limits_default();
        const ts_target *target;
        ts_graph *graph;
        ts_plan *plan;
        ts_plan_options options = {.l1_bytes = 0};
        limits.tflite = seed % 2 == 0;
        limits.moves = seed % 5 == 0;
        assert_int_equal(ts_target_load(arena, targets[seed % 3 == 0], &target, &diags), TS_OK);
        assert_int_equal(ts_random_network(arena, seed, &limits, &graph, &diags), TS_OK);
        assert_int_equal(ts_plan_build(arena, graph, target, &options, &plan, &diags), TS_OK);
        ts_status status = ts_plan_verify(plan, &diags);
        show(&diags);
        assert_int_equal(status, TS_OK);
        count_overlaps(plan, counts);
        ts_arena_free(arena);
    }
    assert_true(counts[0] > 20 && counts[1] > 20);
}

/* a = conv(x), c = conv(conv(a)), y = conv(a + c): while c is made from b only a is needed beside it. */
static void residual_blocks_need_two_maps(void **state) {
    (void)state;
    enum { SIDE = 8, CHANNELS = 8, MAP = SIDE * SIDE * CHANNELS };
    ts_arena *arena = ts_arena_new("test", 0);
    ts_diags diags = {.arena = arena};
    ts__builder b = ts__builder_new(arena, "block", 5, &diags);
    ts__layer_spec conv = {.op = TS_OP_CONV,
                           .window = {3, 3, 1, 1, 1, 1, 1, 1, 1, 1},
                           .groups = 1,
                           .out_c = CHANNELS,
                           .weight_type = TS_S8,
                           .out_type = TS_U8,
                           .requant = TS_REQUANT_NEMO};
    ts__add_spec sum = {.m1 = 1, .m2 = 1, .d = 1, .then = TS_REQUANT_NEMO, .out_type = TS_U8};
    ts_tensor_id x = ts__build_input(&b, "x", TS_U8, SIDE, SIDE, 1), a, at;
    assert_int_equal(ts__build_layer(&b, "a", &conv, x, &a), TS_OK);
    assert_int_equal(ts__build_layer(&b, "b", &conv, a, &at), TS_OK);
    assert_int_equal(ts__build_layer(&b, "c", &conv, at, &at), TS_OK);
    assert_int_equal(ts__build_add(&b, "sum", &sum, a, at, &at), TS_OK);
    conv.out_c = 2;
    assert_int_equal(ts__build_layer(&b, "y", &conv, at, &at), TS_OK);
    TS_PUSH(arena, &b.graph->outputs, at);
    const ts_target *target;
    ts_plan *plan;
    ts_plan_options options = {.l1_bytes = 0};
    assert_int_equal(ts_target_load(arena, "cortex-m4", &target, &diags), TS_OK);
    ts_status status = ts_plan_build(arena, b.graph, target, &options, &plan, &diags);
    show(&diags);
    assert_int_equal(status, TS_OK);
    assert_int_equal(ts_plan_verify(plan, &diags), TS_OK);
    uint64_t lag, scratch = plan->layer_plans[2].l1.scratch_bytes;
    assert_true(ts__overlap_lag(&plan->layer_plans[2], &plan->layers[2].x, &lag));
    assert_int_equal(
        lag, (SIDE + 2) * CHANNELS); /* a row and two pixels: output (r, c) begins to need (r-1, c-1) */
    assert_int_equal(plan->l2_used_bytes, 2 * MAP + lag + scratch);
    ts_arena_free(arena);
}

/* p = pool(conv(x)), and p lives on: only the convolution needs the large map's place, and the pool's result
 * lies in it. */
static void a_pool_needs_one_map(void **state) {
    (void)state;
    enum { SIDE = 16, CHANNELS = 8, MAP = SIDE * SIDE * CHANNELS };
    ts_arena *arena = ts_arena_new("test", 0);
    ts_diags diags = {.arena = arena};
    ts__builder b = ts__builder_new(arena, "pool", 5, &diags);
    ts__layer_spec conv = {.op = TS_OP_CONV,
                           .window = {3, 3, 1, 1, 1, 1, 1, 1, 1, 1},
                           .groups = 1,
                           .out_c = CHANNELS,
                           .weight_type = TS_S8,
                           .out_type = TS_U8,
                           .requant = TS_REQUANT_NEMO};
    ts__layer_spec pool = {.op = TS_OP_MAX_POOL, .window = {2, 2, 2, 2, 1, 1, 0, 0, 0, 0}, .out_type = TS_U8};
    ts__add_spec sum = {.m1 = 1, .m2 = 1, .d = 1, .then = TS_REQUANT_NEMO, .out_type = TS_U8};
    ts_tensor_id x = ts__build_input(&b, "x", TS_U8, SIDE, SIDE, 1), p, at;
    assert_int_equal(ts__build_layer(&b, "a", &conv, x, &at), TS_OK);
    assert_int_equal(ts__build_layer(&b, "p", &pool, at, &p), TS_OK);
    assert_int_equal(ts__build_layer(&b, "b", &conv, p, &at), TS_OK);
    assert_int_equal(ts__build_layer(&b, "c", &conv, at, &at), TS_OK);
    assert_int_equal(ts__build_add(&b, "sum", &sum, p, at, &at), TS_OK);
    TS_PUSH(arena, &b.graph->outputs, at);
    const ts_target *target;
    ts_plan *plan;
    ts_plan_options options = {.l1_bytes = 0};
    assert_int_equal(ts_target_load(arena, "cortex-m4", &target, &diags), TS_OK);
    ts_status status = ts_plan_build(arena, b.graph, target, &options, &plan, &diags);
    show(&diags);
    assert_int_equal(status, TS_OK);
    assert_int_equal(ts_plan_verify(plan, &diags), TS_OK);
    assert_in_range(plan->l2_used_bytes, 0, SIDE * SIDE + MAP + plan->layer_plans[0].l1.scratch_bytes);
    ts_arena_free(arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(random_plans_overlap_in_order),
                                       cmocka_unit_test(a_pool_needs_one_map),
                                       cmocka_unit_test(residual_blocks_need_two_maps)};
    return cmocka_run_group_tests_name("overlap", tests, NULL, NULL);
}
