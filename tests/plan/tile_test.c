/* The tile search finds what trying everything finds, and never breaks its floor. */
#include "harness.h"

#include "base/random.h"
#include "plan/tile.h"

typedef struct world {
    ts_arena *arena;
    const ts_target *target;
} world;

static world begin(void) {
    world w = {.arena = ts_arena_new("test", 0)};
    ts_diags diags = {.arena = w.arena};
    assert_int_equal(ts_target_load(w.arena, "gap8", &w.target, &diags), TS_OK);
    return w;
}

/* A layer of random shape with the weights that its kernel needs to know of. */
static ts_layer *random_layer(ts_arena *arena, ts_random *random) {
    ts_layer *l = TS_NEW(arena, ts_layer);
    uint32_t kernel = (uint32_t)ts_random_range(random, 1, 3),
             stride = (uint32_t)ts_random_range(random, 1, 2);
    bool depthwise = ts_random_range(random, 0, 2) == 0;
    uint32_t h = (uint32_t)ts_random_range(random, 1, 9), w = (uint32_t)ts_random_range(random, 1, 9);
    uint32_t c = (uint32_t)ts_random_range(random, 1, 24), in = (uint32_t)ts_random_range(random, 1, 24);
    in = depthwise ? c : in;
    l->kind = depthwise ? TS_LAYER_DWCONV : TS_LAYER_CONV;
    l->groups = depthwise ? c : 1;
    l->name = "layer";
    l->window =
        (ts_window){kernel, kernel, stride, stride, 1, 1, kernel / 2, kernel / 2, kernel / 2, kernel / 2};
    l->x = (ts_map_shape){
        .type = TS_U8, .h = (h - 1) * stride + 1, .w = (w - 1) * stride + 1, .c = in, .pixel_bytes = in};
    l->y = (ts_map_shape){.type = TS_U8, .h = h, .w = w, .c = c, .pixel_bytes = c};
    ts_tensor *weights = TS_NEW(arena, ts_tensor);
    *weights = (ts_tensor){.type = TS_S8, .rank = 4, .dims = {c, kernel, kernel, depthwise ? 1 : in}};
    l->weights = weights;
    l->rq = (ts_rq_plan){.class_ = TS_RQC_S32, .channels = c, .shift = 16, .high = 255};
    return l;
}

typedef struct brute {
    bool found;
    double best;
} brute;

static void try_all_counts(const ts_pass *pass, ts_objective objective, ts_l1_plan *l1, brute *b) {
    for (uint32_t counts = 0; counts < 8; counts++) {
        l1->x_count = 1 + (counts & 1);
        l1->w_count = 1 + (counts >> 1 & 1);
        l1->y_count = 1 + (counts >> 2 & 1);
        ts__l1_layout(pass, l1);
        if (l1->used_bytes > pass->l1_bytes) {
            continue;
        }
        double value =
            objective == TS_OBJECTIVE_DORY ? -ts__l1_dory_score(pass, l1) : ts__l1_cost(pass, l1).cycles;
        if (!b->found || value < b->best) {
            *b = (brute){true, value};
        }
    }
}

static brute try_everything(const ts_pass *pass, ts_objective objective) {
    brute b = {0};
    uint32_t granule = ts__tile_granule(pass->layer, pass->kernel);
    for (uint32_t h = 1; h <= pass->h; h++) {
        for (uint32_t w = 1; w <= pass->layer->y.w; w++) {
            for (uint32_t c = 1; c <= pass->c; c++) {
                if (c % granule != 0 && c != pass->c) {
                    continue;
                }
                for (int order = 0; order < 2; order++) {
                    ts_l1_plan l1 = {.tile = {.y_h = h, .y_w = w, .y_c = c}, .order = (ts_loop_order)order};
                    try_all_counts(pass, objective, &l1, &b);
                }
            }
        }
    }
    return b;
}

static void search_equals_brute_force(void **state) {
    (void)state;
    uint32_t fitted = 0;
    for (uint64_t seed = 1; seed <= 150; seed++) {
        world w = begin();
        ts_random random = ts_random_seed(seed);
        const ts_layer *layer = random_layer(w.arena, &random);
        const ts_kernel *kernels[8];
        uint32_t count = ts_kernels_for(layer, w.target, kernels, 8);
        assert_true(count > 0);
        ts_pass pass = {.layer = layer,
                        .kernel = kernels[seed % count],
                        .target = w.target,
                        .cores = 8,
                        .l1_bytes = (uint64_t)ts_random_range(&random, 100, 6000),
                        .h = (uint32_t)ts_random_range(&random, 1, layer->y.h),
                        .c = layer->y.c,
                        .repeats = seed % 3 == 0 ? 3 : 1};
        ts_l1_plan l1;
        brute b = try_everything(&pass, TS_OBJECTIVE_LATENCY);
        bool found = ts__l1_search(&pass, TS_OBJECTIVE_LATENCY, &l1);
        assert_int_equal(found, b.found);
        assert_int_equal(found, ts__l1_smallest(&pass) <= pass.l1_bytes);
        if (found) {
            fitted++;
            double cycles = ts__l1_cost(&pass, &l1).cycles;
            assert_true(cycles <= b.best + 1e-6 && cycles >= b.best - 1e-6);
        }
        ts_arena_free(w.arena);
    }
    assert_true(fitted > 75);
}

/* With the paper's objective all that changes is double-buffered, so brute force is held to that too. */
static void dory_prefers_full_parities(void **state) {
    (void)state;
    world w = begin();
    ts_random random = ts_random_seed(7);
    ts_layer *layer = random_layer(w.arena, &random);
    layer->kind = TS_LAYER_CONV;
    layer->groups = 1;
    layer->window = (ts_window){3, 3, 1, 1, 1, 1, 1, 1, 1, 1};
    layer->x = (ts_map_shape){.type = TS_U8, .h = 32, .w = 32, .c = 32, .pixel_bytes = 32};
    layer->y = layer->x;
    ts_tensor *weights = TS_NEW(w.arena, ts_tensor);
    *weights = (ts_tensor){.type = TS_S8, .rank = 4, .dims = {32, 3, 3, 32}};
    layer->weights = weights;
    layer->rq.channels = 32;
    const ts_kernel *kernels[8];
    uint32_t count = ts_kernels_for(layer, w.target, kernels, 8);
    ts_pass pass = {.layer = layer,
                    .kernel = kernels[count - 1],
                    .target = w.target,
                    .cores = 8,
                    .h = 32,
                    .c = 32,
                    .repeats = 1};
    pass.l1_bytes = 30000;
    ts_l1_plan l1;
    assert_true(ts__l1_search(&pass, TS_OBJECTIVE_DORY, &l1));
    assert_int_equal(l1.tile.y_h % 8, 0);
    assert_int_equal(l1.tile.y_w % 2, 0);
    assert_int_equal(l1.tile.y_c % 4, 0);
    assert_int_equal(l1.order, TS_LOOP_PIXELS_INNER);
    ts_arena_free(w.arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(search_equals_brute_force),
        cmocka_unit_test(dory_prefers_full_parities),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
