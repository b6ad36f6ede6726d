/* The float interpreter's loops against the plainest possible ones, on seeded random shapes. */
#include <math.h>
#include <string.h>

#include "base/random.h"
#include "harness.h"
#include "num/float.h"

typedef struct fixture {
    ts_arena *arena;
    ts_diags diags;
    ts_random random;
} fixture;

static int set_up(void **state) {
    fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    f->arena = ts_arena_new("test", 0);
    f->diags.arena = f->arena;
    f->random = ts_random_seed(11);
    *state = f;
    return 0;
}

static int tear_down(void **state) {
    fixture *f = *state;
    ts_arena_free(f->arena);
    free(f);
    return 0;
}

static uint32_t draw(fixture *f, uint32_t low, uint32_t high) {
    return (uint32_t)ts_random_range(&f->random, low, high);
}

static float *draw_floats(fixture *f, uint64_t count) {
    float *x = TS_NEW_ARRAY(f->arena, float, count);
    for (uint64_t i = 0; i < count; i++) {
        x[i] = (float)ts_random_range(&f->random, -100, 100) / 64.0f;
    }
    return x;
}

typedef struct plane {
    uint32_t h, w, c, out_c, groups;
    ts_window k;
} plane;

static plane draw_plane(fixture *f, bool rows) {
    plane p = {.h = rows ? draw(f, 1, 9) : 1, .w = draw(f, 1, 11), .groups = draw(f, 1, 3)};
    p.c = p.groups * draw(f, 1, 5);
    p.out_c = p.groups * draw(f, 1, 9);
    if (draw(f, 0, 3) == 0) {
        p.out_c = p.groups = p.c;
    }
    p.k = (ts_window){rows ? draw(f, 1, 3) : 1,
                      draw(f, 1, 3),
                      rows ? draw(f, 1, 2) : 1,
                      draw(f, 1, 3),
                      1,
                      draw(f, 1, 2),
                      0,
                      draw(f, 0, 2),
                      0,
                      draw(f, 0, 2)};
    p.k.pad_top = rows ? draw(f, 0, 2) : 0;
    p.k.pad_bottom = rows ? draw(f, 0, 2) : 0;
    return p;
}

/* Input element under tap (ky, kx) of output (oy, ox), NULL in the padding. */
static const float *under(const plane *p, const float *x, uint32_t oy, uint32_t ox, uint32_t ky,
                          uint32_t kx) {
    int64_t y = (int64_t)oy * p->k.stride_h + (int64_t)ky * p->k.dilation_h - p->k.pad_top;
    int64_t xx = (int64_t)ox * p->k.stride_w + (int64_t)kx * p->k.dilation_w - p->k.pad_left;
    return y < 0 || y >= p->h || xx < 0 || xx >= p->w ? NULL : x + ((uint32_t)y * p->w + (uint32_t)xx) * p->c;
}

static double conv_at(const plane *p, const float *x, const float *w, uint32_t oy, uint32_t ox, uint32_t o) {
    uint32_t depth = p->c / p->groups, first = o / (p->out_c / p->groups) * depth;
    double sum = 0;
    for (uint32_t ky = 0; ky < p->k.kernel_h; ky++) {
        for (uint32_t kx = 0; kx < p->k.kernel_w; kx++) {
            const float *at = under(p, x, oy, ox, ky, kx);
            for (uint32_t i = 0; at != NULL && i < depth; i++) {
                sum += (double)at[first + i] *
                       (double)w[((o * p->k.kernel_h + ky) * p->k.kernel_w + kx) * depth + i];
            }
        }
    }
    return sum;
}

static ts_tensor_id add_input(fixture *f, ts_fgraph *g, const plane *p, bool rows) {
    ts_ftensor x = {
        .name = "x", .rank = rows ? 4 : 3, .dims = {1, rows ? p->h : p->w, rows ? p->w : p->c, p->c}};
    x.producer = TS_NONE;
    ts_tensor_id id = ts_fgraph_add_tensor(g, &x);
    TS_PUSH(f->arena, &g->inputs, id);
    return id;
}

/* Runs the one node; NULL where its window does not fit. */
static const float *run(fixture *f, ts_fgraph *g, ts_fnode *n, const float *x, const ts_ftensor **shape) {
    ts_tensor_id out;
    n->name = "node";
    if (ts_fgraph_add_node(g, n, "y", NULL, &out, &f->diags) != TS_OK) {
        return NULL;
    }
    ts_fsession *session = ts_fsession_new(f->arena, g);
    ts_fsession_run(session, (const float *const[]){x});
    *shape = &g->tensors.data[out];
    return ts_fsession_value(session, out);
}

static void convolutions_match_their_definition(void **state) {
    fixture *f = *state;
    uint32_t tried = 0;
    for (uint32_t round = 0; round < 300; round++) {
        bool rows = round % 4 != 0;
        plane p = draw_plane(f, rows);
        uint32_t depth = p.c / p.groups, dims[] = {p.out_c, p.k.kernel_h, p.k.kernel_w, depth};
        uint32_t flat[] = {p.out_c, p.k.kernel_w, depth};
        const float *x = draw_floats(f, p.h * p.w * p.c);
        const float *w = draw_floats(f, p.out_c * p.k.kernel_h * p.k.kernel_w * depth), *y;
        const float *bias = draw_floats(f, p.out_c);
        ts_fgraph *g = ts_fgraph_new(f->arena, "g");
        ts_fnode n = {.op = TS_FOP_CONV, .input_count = 3, .groups = p.groups, .window = p.k};
        const ts_ftensor *shape;
        n.inputs[0] = add_input(f, g, &p, rows);
        n.inputs[1] = ts_fgraph_add_constant(g, "w", rows ? 4 : 3, rows ? dims : flat, w);
        n.inputs[2] = ts_fgraph_add_constant(g, "b", 1, &p.out_c, bias);
        if ((y = run(f, g, &n, x, &shape)) == NULL) {
            continue;
        }
        tried++;
        uint32_t wide = shape->dims[shape->rank - 2];
        for (uint32_t i = 0; i < ts_ftensor_elements(shape); i++) {
            uint32_t place = i / p.out_c, o = i % p.out_c;
            double right = conv_at(&p, x, w, place / wide, place % wide, o) + (double)bias[o];
            assert_true(fabs((double)y[i] - right) < 1e-4);
        }
    }
    assert_true(tried > 200);
}

static void poolings_match_their_definition(void **state) {
    fixture *f = *state;
    for (uint32_t round = 0; round < 200; round++) {
        plane p = draw_plane(f, true);
        const float *x = draw_floats(f, p.h * p.w * p.c), *y;
        ts_fgraph *g = ts_fgraph_new(f->arena, "g");
        ts_fnode n = {
            .op = round % 2 == 0 ? TS_FOP_MAX_POOL : TS_FOP_AVG_POOL, .input_count = 1, .window = p.k};
        const ts_ftensor *shape;
        n.count_pad = round % 4 == 1;
        n.inputs[0] = add_input(f, g, &p, true);
        if ((y = run(f, g, &n, x, &shape)) == NULL) {
            continue;
        }
        for (uint32_t i = 0; i < ts_ftensor_elements(shape); i++) {
            uint32_t place = i / p.c, inside = 0;
            double sum = 0, most = -INFINITY;
            for (uint32_t t = 0; t < p.k.kernel_h * p.k.kernel_w; t++) {
                const float *at = under(&p, x, place / shape->dims[2], place % shape->dims[2],
                                        t / p.k.kernel_w, t % p.k.kernel_w);
                inside += at != NULL;
                sum += at == NULL ? 0 : (double)at[i % p.c];
                most = at == NULL ? most : fmax(most, (double)at[i % p.c]);
            }
            uint32_t divisor = n.count_pad ? p.k.kernel_h * p.k.kernel_w : inside == 0 ? 1 : inside;
            double right = n.op == TS_FOP_MAX_POOL ? most : sum / divisor;
            assert_true((double)y[i] == right || fabs((double)y[i] - right) < 1e-5);
        }
    }
}

static void grids_round_and_clip(void **state) {
    (void)state;
    assert_true(ts_fake_quant(1.26f, 0.5, 0.5, 0, 255) == 1.5f);
    assert_true(ts_fake_quant(1.24f, 0.5, 0.5, 0, 255) == 1.0f);
    assert_true(ts_fake_quant(1.49f, 0.5, 0.0, 0, 255) == 1.0f);
    assert_true(ts_fake_quant(-3.0f, 0.5, 0.5, 0, 255) == 0.0f);
    assert_true(ts_fake_quant(-3.0f, 0.5, 0.5, -4, 3) == -2.0f);
    assert_true(ts_fake_quant(1e30f, 0.5, 0.5, 0, 255) == 127.5f);
}

static void folding_leaves_only_what_depends_on_the_input(void **state) {
    fixture *f = *state;
    uint32_t dims[] = {1, 3};
    static const float a[] = {1, 2, 3}, b[] = {10, 20, 30}, x[] = {1, 1, 1};
    ts_fgraph *g = ts_fgraph_new(f->arena, "g");
    ts_ftensor input = {.name = "x", .rank = 2, .dims = {1, 3}, .producer = TS_NONE};
    ts_tensor_id in = ts_fgraph_add_tensor(g, &input), sum, out;
    TS_PUSH(f->arena, &g->inputs, in);
    ts_fnode n = {.name = "sum", .op = TS_FOP_ADD, .input_count = 2};
    n.inputs[0] = ts_fgraph_add_constant(g, "a", 2, dims, a);
    n.inputs[1] = ts_fgraph_add_constant(g, "b", 2, dims, b);
    assert_int_equal(ts_fgraph_add_node(g, &n, "sum", NULL, &sum, &f->diags), TS_OK);
    n.inputs[0] = in;
    n.inputs[1] = sum;
    assert_int_equal(ts_fgraph_add_node(g, &n, "out", NULL, &out, &f->diags), TS_OK);
    ts_fgraph_fold(g);
    assert_int_equal(g->nodes.count, 1);
    ts_fsession *session = ts_fsession_new(f->arena, g);
    ts_fsession_run(session, (const float *const[]){x});
    assert_true(ts_fsession_value(session, out)[2] == 34.0f);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {TEST(convolutions_match_their_definition),
                                       TEST(poolings_match_their_definition), TEST(grids_round_and_clip),
                                       TEST(folding_leaves_only_what_depends_on_the_input)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
