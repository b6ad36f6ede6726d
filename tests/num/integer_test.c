/* The rules of docs/arithmetic.md, each on a case small enough to be computed by hand, and all of them on
 * random networks against a second formulation. */
#include "num/integer.h"

#include <math.h>
#include <string.h>

#include "harness.h"
#include "num/generate.h"

/* ---- requantisation ---- */

static ts_requant nemo(const int64_t *kappa, const int64_t *lambda, int64_t m, int64_t d, int32_t low,
                       int32_t high) {
    return (ts_requant){.kind = TS_REQUANT_NEMO,
                        .channels = 1,
                        .kappa = kappa,
                        .lambda = lambda,
                        .m = m,
                        .d = d,
                        .low = low,
                        .high = high};
}

static void division_floors(void **state) {
    (void)state;
    assert_int_equal(ts_floor_div(7, 2), 3);
    assert_int_equal(ts_floor_div(-7, 2), -4);
    assert_int_equal(ts_floor_div(-8, 2), -4);
    assert_int_equal(ts_floor_div(-1, INT64_MAX), -1);
    const int64_t kappa = 1, lambda = 0;
    ts_requant r = nemo(&kappa, &lambda, 1, 4, -8, 7);
    assert_int_equal(ts_requant_apply(&r, 0, -1), -1);
    assert_int_equal(ts_requant_apply(&r, 0, -5), -2);
    assert_int_equal(ts_requant_apply(&r, 0, -100), -8);
    assert_int_equal(ts_requant_apply(&r, 0, 100), 7);
}

/* A shift of 18 instead of the division by 2^18 - 1 gives 0 and 2. */
static void the_written_divisor_divides(void **state) {
    (void)state;
    const int64_t kappa = 1, lambda = 0;
    ts_requant r = nemo(&kappa, &lambda, 1, 262143, 0, 255);
    assert_int_equal(ts_requant_apply(&r, 0, 262143), 1);
    assert_int_equal(ts_requant_apply(&r, 0, 262142), 0);
    assert_int_equal(ts_requant_apply(&r, 0, 3 * 262143), 3);
}

/* (-2047 * 700000 + 180000000) * 243 = -304454700000: wrong in 32 bits, right in 64. */
static void products_pass_32_bits(void **state) {
    (void)state;
    const int64_t kappa = -2047, lambda = 180000000;
    ts_requant r = nemo(&kappa, &lambda, 243, 1 << 26, INT32_MIN, INT32_MAX);
    assert_int_equal(ts_requant_apply(&r, 0, 700000), -4537);
    assert_int_equal(ts_requant_apply(&r, 0, -700000), 5840);
}

static void products_pass_64_bits(void **state) {
    (void)state;
    const int64_t kappa = INT64_C(1) << 40, minus_one = -1, zero = 0;
    ts_requant r = nemo(&kappa, &zero, INT64_C(1) << 40, INT64_C(1) << 62, INT32_MIN, INT32_MAX);
    assert_int_equal(ts_requant_apply(&r, 0, 5), 5 << 18);
    assert_int_equal(ts_requant_apply(&r, 0, -5), -5 * (1 << 18));
    r.lambda = &minus_one;
    assert_int_equal(ts_requant_apply(&r, 0, 0), -1);
    assert_int_equal(ts_requant_apply(&r, 0, 1), (1 << 18) - 1);
}

/* TFLite: the high multiplication rounds halves upward, the shift halves away from zero. */
static void tflite_rounds_twice(void **state) {
    (void)state;
    const int32_t half = 1 << 30, by_zero = 0, by_one = -1, left = 3;
    ts_requant r = {.kind = TS_REQUANT_TFLITE,
                    .channels = 1,
                    .multiplier = &half,
                    .shift = &by_zero,
                    .low = -128,
                    .high = 127};
    assert_int_equal(ts_requant_apply(&r, 0, 3), 2);
    assert_int_equal(ts_requant_apply(&r, 0, -3), -1);
    r.shift = &by_one;
    assert_int_equal(ts_requant_apply(&r, 0, 6), 2);   /* 3, then 1.5 */
    assert_int_equal(ts_requant_apply(&r, 0, -6), -2); /* -3, then -1.5 */
    assert_int_equal(ts_requant_apply(&r, 0, 1), 1);   /* 0.5 becomes 1, then 0.5 becomes 1 */
    r.shift = &left;
    r.zero = -10;
    assert_int_equal(ts_requant_apply(&r, 0, 5), 10);
    assert_int_equal(ts_requant_apply(&r, 0, 500), 127);
}

static void a_step_multiplies_adds_divides_clips(void **state) {
    (void)state;
    ts_add_step step = {.mul = 524288 + 1, .add = 262144, .div = 524288, .low = -128, .high = 127};
    assert_int_equal(ts_add_step_apply(&step, 1), 1);
    assert_int_equal(ts_add_step_apply(&step, -1), -1);
    assert_int_equal(ts_add_step_apply(&step, 200), 127);
    step.mul = -1;
    step.add = 0;
    step.div = 2;
    assert_int_equal(ts_add_step_apply(&step, 3), -2);
}

/* ---- layers ---- */

typedef struct fixture {
    ts_arena *arena;
    ts_diags diags;
    ts_graph *graph;
} fixture;

static fixture begin(void) {
    fixture f = {.arena = ts_arena_new("test", 0)};
    f.diags.arena = f.arena;
    f.graph = ts_graph_new(f.arena, "test");
    return f;
}

static ts_tensor_id activation(fixture *f, ts_type type, uint32_t h, uint32_t w, uint32_t c) {
    ts_tensor t = {.name = ts_arena_printf(f->arena, "t%u", (unsigned)f->graph->tensors.count),
                   .type = type,
                   .rank = 4,
                   .dims = {1, h, w, c}};
    return ts_graph_add_tensor(f->graph, &t);
}

static ts_tensor_id input(fixture *f, ts_type type, uint32_t h, uint32_t w, uint32_t c) {
    ts_tensor_id id = activation(f, type, h, w, c);
    TS_PUSH(f->arena, &f->graph->inputs, id);
    return id;
}

static ts_tensor_id constant(fixture *f, ts_type type, uint32_t rank, const uint32_t *dims,
                             const void *data) {
    ts_tensor t = {.name = "constant", .type = type, .rank = rank, .data = data};
    memcpy(t.dims, dims, rank * sizeof *dims);
    return ts_graph_add_tensor(f->graph, &t);
}

/* Verifies, runs, and gives the values of the last node's output. */
static const int32_t *run(fixture *f, const int32_t *const *inputs) {
    int32_t **values = NULL;
    ts_tensor_id last = f->graph->nodes.data[f->graph->nodes.count - 1].output;
    TS_PUSH(f->arena, &f->graph->outputs, last);
    ts_status status = ts_graph_verify(f->graph, &f->diags);
    status = status == TS_OK ? ts_integer_run(f->graph, f->arena, inputs, &values, &f->diags) : status;
    for (uint32_t i = 0; i < f->diags.list.count; i++) {
        ts_diag_print(stderr, &f->diags.list.data[i]);
    }
    assert_int_equal(status, TS_OK);
    return values[last];
}

static void expect(const int32_t *values, const int32_t *wanted, size_t count) {
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(values[i], wanted[i]);
    }
}

/* A causal convolution: kernel 1 x 2, dilation 2, two columns of padding before the row and none behind. */
static void convolution_with_one_sided_pads(void **state) {
    (void)state;
    fixture f = begin();
    static const int8_t w[] = {10, 1};
    static const int32_t b[] = {100};
    ts_node node = {.name = "conv",
                    .op = TS_OP_CONV,
                    .input_count = 1,
                    .inputs = {input(&f, TS_U8, 1, 4, 1)},
                    .output = activation(&f, TS_S32, 1, 4, 1),
                    .weights = constant(&f, TS_S8, 4, (const uint32_t[]){1, 1, 2, 1}, w),
                    .bias = constant(&f, TS_S32, 1, (const uint32_t[]){1}, b),
                    .groups = 1,
                    .window = {1, 2, 1, 1, 1, 2, 0, 2, 0, 0}};
    ts_graph_add_node(f.graph, &node);
    static const int32_t x[] = {1, 2, 3, 4};
    expect(run(&f, (const int32_t *const[]){x}), (const int32_t[]){101, 102, 113, 124}, 4);
    assert_int_equal(ts_node_macs(f.graph, &f.graph->nodes.data[0]), 8);
    ts_arena_free(f.arena);
}

/* Rows of 2 x 2 with stride 2 down and 1 across; two groups of two channels to one each. */
static void convolution_with_groups_and_uneven_strides(void **state) {
    (void)state;
    fixture f = begin();
    static const int8_t w[] = {1, 2, 3, 4};
    ts_node node = {.name = "conv",
                    .op = TS_OP_CONV,
                    .input_count = 1,
                    .inputs = {input(&f, TS_S8, 3, 2, 4)},
                    .output = activation(&f, TS_S32, 2, 2, 2),
                    .weights = constant(&f, TS_S8, 4, (const uint32_t[]){2, 1, 1, 2}, w),
                    .bias = TS_NONE,
                    .groups = 2,
                    .window = {1, 1, 2, 1, 1, 1, 0, 0, 0, 0}};
    ts_graph_add_node(f.graph, &node);
    static const int32_t x[] = {1, 1, 1, 1,  2,  0,  -2, 0, /* row 0 */
                                9, 9, 9, 9,  9,  9,  9,  9, /* skipped */
                                0, 5, 0, -5, -1, -2, -3, -4};
    static const int32_t y[] = {3, 7, 2, -6, 10, -20, -5, -25};
    expect(run(&f, (const int32_t *const[]){x}), y, 8);
    ts_arena_free(f.arena);
}

/* Four products of -32768 and -32768 and one of 32767 are 4 * 2^30 + 32767 * 32767: beyond 32 bits. */
static void wide_weights_sum_in_48_bits(void **state) {
    (void)state;
    fixture f = begin();
    static const int16_t w[] = {-32768, -32768, -32768, -32768, 32767};
    static const int32_t b[] = {5};
    static const int64_t kappa = 1, lambda = 3;
    ts_node node = {.name = "linear",
                    .op = TS_OP_LINEAR,
                    .input_count = 1,
                    .inputs = {input(&f, TS_S16, 1, 1, 5)},
                    .output = activation(&f, TS_S32, 1, 1, 1),
                    .weights = constant(&f, TS_S16, 2, (const uint32_t[]){1, 5}, w),
                    .bias = constant(&f, TS_S32, 1, (const uint32_t[]){1}, b),
                    .requant = nemo(&kappa, &lambda, 1, 4, INT32_MIN, INT32_MAX)};
    ts_graph_add_node(f.graph, &node);
    static const int32_t x[] = {-32768, -32768, -32768, -32768, 32767};
    const int64_t sum = 4 * (INT64_C(1) << 30) + INT64_C(32767) * 32767 + 5;
    expect(run(&f, (const int32_t *const[]){x}), (const int32_t[]){(int32_t)((sum + 3) / 4)}, 1);
    int64_t low, high;
    ts_node_acc_range(f.graph, &f.graph->nodes.data[0], 0, &low, &high);
    assert_true(ts_node_is_wide(f.graph, &f.graph->nodes.data[0]));
    assert_int_equal(high, sum);
    f.graph->nodes.data[0].requant.kind = TS_REQUANT_NONE; /* the accumulator itself does not fit s32 */
    assert_int_not_equal(ts_graph_verify(f.graph, &f.diags), TS_OK);
    ts_arena_free(f.arena);
}

/* Padding is the zero point: it adds nothing, and neither do inputs equal to it. */
static void zero_points_are_subtracted(void **state) {
    (void)state;
    fixture f = begin();
    static const int8_t w[] = {1, 1, 1};
    static const double scale = 0.5;
    static const int32_t zero = -3;
    ts_tensor_id x_id = input(&f, TS_S8, 1, 3, 1);
    f.graph->tensors.data[x_id].quantum = (ts_quantum){1, &scale, &zero};
    ts_node node = {.name = "conv",
                    .op = TS_OP_CONV,
                    .input_count = 1,
                    .inputs = {x_id},
                    .output = activation(&f, TS_S32, 1, 3, 1),
                    .weights = constant(&f, TS_S8, 4, (const uint32_t[]){1, 1, 3, 1}, w),
                    .bias = TS_NONE,
                    .groups = 1,
                    .window = {1, 3, 1, 1, 1, 1, 0, 1, 0, 1}};
    ts_graph_add_node(f.graph, &node);
    static const int32_t x[] = {-3, -2, 7};
    expect(run(&f, (const int32_t *const[]){x}), (const int32_t[]){1, 11, 11}, 3);
    ts_arena_free(f.arena);
}

static ts_node product_of_matrices(fixture *f, uint32_t b_h, const double *scale, const int32_t *zeros) {
    ts_node node = {.name = "product",
                    .op = TS_OP_MATMUL,
                    .input_count = 2,
                    .inputs = {input(f, TS_U8, 2, 1, 2), input(f, TS_S8, b_h, 3, 2)},
                    .output = activation(f, TS_S32, 2, 1, 3),
                    .weights = TS_NONE,
                    .bias = TS_NONE};
    for (uint32_t i = 0; i < 2; i++) {
        f->graph->tensors.data[node.inputs[i]].quantum = (ts_quantum){1, scale, &zeros[i]};
    }
    return node;
}

/* Rows (1, 2) and (3, 255), less 1, with three rows less -1 each; the second row with matrices of its own. */
static void matrices_multiply_row_by_row(void **state) {
    (void)state;
    static const double scale = 0.5;
    static const int32_t zeros[] = {1, -1}, a[] = {1, 2, 3, 255};
    static const int32_t b[] = {5, 7, -128, 127, -1, -1, 0, 0, 1, -2, -128, 4};
    fixture f = begin();
    ts_node node = product_of_matrices(&f, 2, &scale, zeros);
    ts_graph_add_node(f.graph, &node);
    expect(run(&f, (const int32_t *const[]){a, b}), (const int32_t[]){8, 128, 0, 256, -250, 1016}, 6);
    assert_int_equal(ts_node_macs(f.graph, &f.graph->nodes.data[0]), 12);
    int64_t low, high;
    ts_node_acc_range(f.graph, &f.graph->nodes.data[0], 0, &low, &high);
    assert_int_equal(low, 2 * 254 * -127);
    assert_int_equal(high, 2 * 254 * 128);
    ts_arena_free(f.arena);
    f = begin();
    node = product_of_matrices(&f, 1, &scale, zeros);
    ts_graph_add_node(f.graph, &node);
    expect(run(&f, (const int32_t *const[]){a, b}), (const int32_t[]){8, 128, 0, 2044, 32258, 0}, 6);
    ts_arena_free(f.arena);
}

/* Each change alone is refused. */
static void matrices_that_do_not_fit_are_refused(void **state) {
    (void)state;
    static const double scale = 0.5;
    static const int32_t zeros[] = {0, 0};
    for (uint32_t i = 0; i < 7; i++) {
        fixture f = begin();
        ts_node node = product_of_matrices(&f, 2, &scale, zeros);
        ts_graph_add_node(f.graph, &node);
        ts_tensor *a = &f.graph->tensors.data[node.inputs[0]], *b = &f.graph->tensors.data[node.inputs[1]];
        ts_tensor *y = &f.graph->tensors.data[node.output];
        b->dims[3] += i == 1;
        b->dims[1] += i == 2;
        y->dims[3] += i == 3;
        a->type = i == 4 ? TS_S16 : a->type;
        b->type = i == 5 ? TS_U4 : b->type;
        if (i == 6) { /* products of 255 and -128 that pass 31 bits together */
            a->dims[3] = b->dims[3] = 66000;
        }
        f.graph->outputs.count = 0;
        TS_PUSH(f.arena, &f.graph->outputs, node.output);
        assert_true((ts_graph_verify(f.graph, &f.diags) == TS_OK) == (i == 0));
        ts_arena_free(f.arena);
    }
}

static void linear_reads_rows_columns_channels(void **state) {
    (void)state;
    fixture f = begin();
    static const int8_t w[] = {1, 2, 3, 4, -1, 0, 0, 0};
    static const int32_t b[] = {0, 50};
    ts_node node = {.name = "fc",
                    .op = TS_OP_LINEAR,
                    .input_count = 1,
                    .inputs = {input(&f, TS_U8, 2, 1, 2)},
                    .output = activation(&f, TS_S32, 1, 1, 2),
                    .weights = constant(&f, TS_S8, 2, (const uint32_t[]){2, 4}, w),
                    .bias = constant(&f, TS_S32, 1, (const uint32_t[]){2}, b)};
    ts_graph_add_node(f.graph, &node);
    static const int32_t x[] = {1, 10, 100, 255};
    expect(run(&f, (const int32_t *const[]){x}), (const int32_t[]){1341, 49}, 2);
    ts_arena_free(f.arena);
}

/* 33 / 4096 is not 1 / 125: 125 values of 200 average to 201. */
static void average_keeps_its_factor(void **state) {
    (void)state;
    fixture f = begin();
    const int64_t kappa = 1, lambda = 0;
    ts_node node = {.name = "pool",
                    .op = TS_OP_AVG_POOL,
                    .input_count = 1,
                    .inputs = {input(&f, TS_U8, 5, 25, 1)},
                    .output = activation(&f, TS_U8, 1, 1, 1),
                    .window = {5, 25, 1, 1, 1, 1, 0, 0, 0, 0},
                    .requant = nemo(&kappa, &lambda, 33, 4096, 0, 255)};
    ts_graph_add_node(f.graph, &node);
    int32_t x[125];
    for (int i = 0; i < 125; i++) {
        x[i] = 200;
    }
    expect(run(&f, (const int32_t *const[]){x}), (const int32_t[]){201}, 1);
    ts_arena_free(f.arena);
}

static void padding_never_wins(void **state) {
    (void)state;
    fixture f = begin();
    ts_node node = {.name = "pool",
                    .op = TS_OP_MAX_POOL,
                    .input_count = 1,
                    .inputs = {input(&f, TS_S8, 1, 3, 1)},
                    .output = activation(&f, TS_S8, 1, 3, 1),
                    .window = {1, 3, 1, 1, 1, 1, 0, 1, 0, 1}};
    ts_graph_add_node(f.graph, &node);
    static const int32_t x[] = {-5, -7, -9};
    expect(run(&f, (const int32_t *const[]){x}), (const int32_t[]){-5, -5, -7}, 3);
    ts_arena_free(f.arena);
}

static ts_add_step factor(int64_t mul, int64_t div) {
    return (ts_add_step){.mul = mul, .div = div, .low = INT32_MIN, .high = INT32_MAX};
}

static ts_node addition(fixture *f, ts_type out, uint32_t c) {
    return (ts_node){.name = "add",
                     .op = TS_OP_ADD,
                     .input_count = 2,
                     .inputs = {input(f, TS_U8, 1, 1, c), input(f, TS_U8, 1, 1, c)},
                     .output = activation(f, out, 1, 1, c),
                     .in1 = factor(1, 1),
                     .in2 = factor(1, 1),
                     .sum = factor(1, 1)};
}

static void a_plain_addition_is_not_clipped(void **state) {
    (void)state;
    fixture f = begin();
    ts_node node = addition(&f, TS_S16, 2);
    node.in1.mul = node.in2.mul = 32;
    node.sum.div = 32;
    ts_graph_add_node(f.graph, &node);
    static const int32_t a[] = {255, 1}, b[] = {103, 2};
    expect(run(&f, (const int32_t *const[]){a, b}), (const int32_t[]){358, 3}, 2);
    ts_arena_free(f.arena);
}

/* floor(3 * 32 / 64) = 1, then floor(100 / 64) = 1; merged it would be floor(150 / 64) = 2. */
static void an_activation_behind_an_addition_floors_again(void **state) {
    (void)state;
    fixture f = begin();
    const int64_t kappa = 1, lambda = 0;
    ts_node node = addition(&f, TS_U8, 1);
    node.in1.mul = node.in2.mul = 32;
    node.sum.div = 64;
    node.requant = nemo(&kappa, &lambda, 100, 64, 0, 255);
    ts_graph_add_node(f.graph, &node);
    static const int32_t a[] = {3}, b[] = {0};
    expect(run(&f, (const int32_t *const[]){a, b}), (const int32_t[]){1}, 1);
    ts_arena_free(f.arena);
}

/* Quantlab's addition: each operand rounds and saturates on its own, and the operands are not alike. */
static void operands_of_an_addition_have_their_own_steps(void **state) {
    (void)state;
    fixture f = begin();
    ts_node node = addition(&f, TS_U8, 2);
    node.in1 = (ts_add_step){.mul = 3, .add = 2, .div = 4, .low = 0, .high = 127};
    node.in2 = (ts_add_step){.mul = 1, .add = 1, .div = 2, .low = 0, .high = 127};
    node.sum = (ts_add_step){.mul = 1, .add = 0, .div = 1, .low = 0, .high = 255};
    ts_graph_add_node(f.graph, &node);
    static const int32_t a[] = {255, 2}, b[] = {255, 4};
    expect(run(&f, (const int32_t *const[]){a, b}), (const int32_t[]){254, 4}, 2);
    ts_arena_free(f.arena);
}

static void what_does_not_fit_is_an_error(void **state) {
    (void)state;
    fixture f = begin();
    ts_node node = addition(&f, TS_U8, 1);
    ts_graph_add_node(f.graph, &node);
    static const int32_t a[] = {200}, b[] = {100}, wrong[] = {256};
    int32_t y;
    assert_int_equal(ts_integer_node(f.graph, 0, (const int32_t *const[]){a, b}, &y, &f.diags), TS_BAD_INPUT);
    assert_string_equal(f.diags.list.data[0].node, "add");
    int32_t **values;
    assert_int_equal(ts_integer_run(f.graph, f.arena, (const int32_t *const[]){wrong, b}, &values, &f.diags),
                     TS_BAD_INPUT);
    assert_non_null(strstr(f.diags.list.data[1].text, "256"));
    ts_arena_free(f.arena);
}

/* ---- the second formulation: nothing gathered, everything by index, floors by remainders ---- */

__extension__ typedef __int128 wide;

static wide floored(wide n, int64_t d) {
    wide r = n % d;
    r = r < 0 ? r + d : r;
    return (n - r) / d;
}

static int64_t bounded(wide v, int64_t low, int64_t high) {
    return (int64_t)(v < low ? low : v > high ? high : v);
}

static int64_t oracle_requant(const ts_requant *r, uint32_t channel, int64_t acc) {
    uint32_t c = r->channels == 1 ? 0 : channel;
    if (r->kind == TS_REQUANT_NEMO) {
        wide t = ((wide)r->kappa[c] * acc + r->lambda[c]) * r->m;
        return bounded(floored(t, r->d), r->low, r->high);
    }
    if (r->kind == TS_REQUANT_TFLITE) {
        int32_t right = r->shift[c] > 0 ? 0 : -r->shift[c];
        wide high = floored(
            (wide)acc * ((wide)1 << (r->shift[c] > 0 ? r->shift[c] : 0)) * r->multiplier[c] + (1 << 30),
            INT64_C(1) << 31);
        /* Halves away from zero: floor of |v| + half, with the sign put back. */
        wide size = high < 0 ? -high : high;
        wide rounded = right == 0 ? size : (size + ((wide)1 << (right - 1))) >> right;
        return bounded((high < 0 ? -rounded : rounded) + r->zero, r->low, r->high);
    }
    return acc;
}

/* x - zx at a position that may lie in the padding. */
static int64_t input_at(const ts_tensor *t, const int32_t *x, int64_t h, int64_t w, uint32_t c,
                        bool *inside) {
    *inside = h >= 0 && w >= 0 && h < (int64_t)ts_h(t) && w < (int64_t)ts_w(t);
    return *inside ? x[(h * ts_w(t) + w) * ts_c(t) + c] - ts_tensor_zero(t) : 0;
}

static int64_t oracle_weight(const ts_graph *g, const ts_node *n, uint64_t i) {
    const ts_tensor *w = &g->tensors.data[n->weights];
    return (int64_t)ts_tensor_int(w, i) - (w->quantum.channels > 0 ? w->quantum.zero[0] : 0);
}

static int64_t oracle_window(const ts_graph *g, const ts_node *n, const int32_t *x, uint32_t h, uint32_t w,
                             uint32_t c) {
    const ts_tensor *in = &g->tensors.data[n->inputs[0]], *out = &g->tensors.data[n->output];
    const ts_window *k = &n->window;
    uint32_t per_group = n->op == TS_OP_CONV ? ts_c(in) / n->groups : 1;
    uint32_t first = n->op == TS_OP_CONV ? c / (ts_c(out) / n->groups) * per_group : c;
    int64_t sum = 0, most = ts_type_low(in->type);
    for (uint32_t i = 0; i < per_group; i++) {
        for (uint32_t p = 0; p < k->kernel_h; p++) {
            for (uint32_t q = 0; q < k->kernel_w; q++) {
                bool inside;
                int64_t v =
                    input_at(in, x, (int64_t)h * k->stride_h + p * k->dilation_h - k->pad_top,
                             (int64_t)w * k->stride_w + q * k->dilation_w - k->pad_left, first + i, &inside);
                uint64_t tap = (((uint64_t)c * k->kernel_h + p) * k->kernel_w + q) * per_group + i;
                sum += v * (n->op == TS_OP_CONV ? oracle_weight(g, n, tap) : 1);
                most = inside && v + ts_tensor_zero(in) > most ? v + ts_tensor_zero(in) : most;
            }
        }
    }
    return n->op == TS_OP_MAX_POOL ? most : sum;
}

static int64_t oracle_step(const ts_add_step *s, wide v) {
    return bounded(floored(v * s->mul + s->add, s->div), s->low, s->high);
}

/* Where an element of the output of a node that moves elements comes from, by scattering each input: the
 * other way round than the interpreter. */
static int64_t oracle_moved(const ts_graph *g, const ts_node *n, int32_t *const *values,
                            const uint32_t at[3]) {
    const ts_tensor *out = &g->tensors.data[n->output];
    uint64_t wanted = ((uint64_t)at[0] * ts_w(out) + at[1]) * ts_c(out) + at[2];
    uint32_t shift = 0;
    for (uint32_t k = 0; k < n->input_count; k++) {
        const ts_tensor *in = &g->tensors.data[n->inputs[k]];
        const uint32_t *size = in->dims + 1;
        for (uint32_t i = 0; i < ts_tensor_elements(in); i++) {
            uint32_t p[3] = {i / size[2] / size[1], i / size[2] % size[1], i % size[2]}, to[3];
            bool hit = true;
            for (uint32_t a = 0; a < 3; a++) {
                const ts_move *m = &n->move;
                to[a] = p[a];
                if (n->op == TS_OP_CONCAT) {
                    to[a] += a == m->axis ? shift : 0;
                } else if (n->op == TS_OP_PAD) {
                    to[a] += m->begin[a];
                } else if (n->op == TS_OP_SLICE) {
                    hit = hit && p[a] == m->begin[a] + at[a] * m->step[a];
                    to[a] = at[a];
                } else if (n->op == TS_OP_TRANSPOSE) {
                    to[a] = p[m->order[a]];
                } else if (n->op == TS_OP_PICK) {
                    const int32_t *list = g->tensors.data[n->weights].data;
                    to[a] = a != m->axis || list[at[a]] == (int32_t)p[a] ? a == m->axis ? at[a] : p[a]
                                                                         : UINT32_MAX;
                } else if (n->op == TS_OP_RESIZE) {
                    to[a] = at[a] * size[a] / out->dims[1 + a] == p[a] ? at[a] : UINT32_MAX;
                }
                hit = hit && to[a] == at[a];
            }
            if (n->op == TS_OP_RESHAPE ? i == wanted : hit) {
                return values[n->inputs[k]][i];
            }
        }
        shift += size[n->move.axis];
    }
    assert_int_equal(n->op, TS_OP_PAD);
    return n->move.fill;
}

/* The function itself, which the fixed-point arithmetic comes close to; the value of the interpreter where it
 * does. */
static int64_t oracle_softmax(const ts_graph *g, const ts_node *n, int32_t *const *values, uint64_t index) {
    const ts_tensor *in = &g->tensors.data[n->inputs[0]];
    const int32_t *x = values[n->inputs[0]] + index / ts_c(in) * ts_c(in);
    double factor = ldexp(n->softmax.multiplier, n->softmax.shift - 31 - 26), sum = 0;
    for (uint32_t c = 0; c < ts_c(in); c++) {
        sum += exp(factor * (x[c] - x[index % ts_c(in)]));
    }
    double share = fmin(256 / sum, 255) + (double)ts_type_low(in->type);
    assert_true(fabs(values[n->output][index] - share) <= 1);
    return values[n->output][index];
}

/* Every quotient in reals, of numbers that doubles hold. */
static int64_t oracle_quotient(const ts_graph *g, const ts_node *n, int32_t *const *values, uint64_t index) {
    const ts_tensor *in = &g->tensors.data[n->inputs[0]];
    const int32_t *x = values[n->inputs[0]] + index / ts_c(in) * ts_c(in);
    const ts_softmax *s = &n->softmax;
    double terms[256], sum = 0, own = 0;
    int32_t most = INT32_MIN;
    for (int d = 0; d < 256; d++) {
        double z = floor((double)d / s->log2), p = z * s->log2 - d + s->b;
        terms[d] = s->kind == TS_SOFTMAX_ITA ? exp2(8 - floor(d / 32.0 + 0.5))
                                             : floor((s->a * p * p + s->c) / exp2(z));
    }
    for (uint32_t c = 0; c < ts_c(in); c++) {
        most = x[c] > most ? x[c] : most;
    }
    for (uint32_t c = 0; c < ts_c(in); c++) {
        sum += terms[most - x[c]];
        own = c == index % ts_c(in) ? terms[most - x[c]] : own;
    }
    return (int64_t)(s->kind == TS_SOFTMAX_ITA ? floor(floor(256 * 255 / sum) * own / 256)
                                               : floor(own * (s->levels - 1) / sum)) +
           ts_type_low(in->type);
}

static int64_t oracle_norm(const ts_graph *g, const ts_node *n, int32_t *const *values, uint64_t index) {
    const ts_tensor *in = &g->tensors.data[n->inputs[0]];
    uint32_t channels = ts_c(in), c = (uint32_t)(index % channels);
    const int32_t *x = values[n->inputs[0]] + index / channels * channels;
    double mean = ts_tensor_zero(in), sum = 0, squares = 0;
    for (uint32_t i = 0; i < channels; i++) {
        sum += x[i] - mean;
    }
    mean += n->norm.centred ? trunc(sum / channels) : 0;
    for (uint32_t i = 0; i < channels; i++) {
        squares += (x[i] - mean) * (x[i] - mean);
    }
    double root = floor(sqrt(floor(squares / channels) + 1));
    double y = trunc((x[c] - mean) * ts_tensor_int(&g->tensors.data[n->weights], c) / root);
    y += n->bias == TS_NONE ? 0 : ts_tensor_int(&g->tensors.data[n->bias], c);
    return (int64_t)fmin(fmax(floor(y / exp2(n->norm.shift)), n->norm.low), n->norm.high);
}

static int64_t oracle(const ts_graph *g, const ts_node *n, int32_t *const *values, uint32_t h, uint32_t w,
                      uint32_t c) {
    const ts_tensor *in = &g->tensors.data[n->inputs[0]], *out = &g->tensors.data[n->output];
    const int32_t *x = values[n->inputs[0]];
    uint64_t index = ((uint64_t)h * ts_w(out) + w) * ts_c(out) + c;
    int64_t acc = 0;
    if (ts_op_moves(n->op)) {
        return oracle_moved(g, n, values, (const uint32_t[]){h, w, c});
    }
    if (n->op == TS_OP_SOFTMAX) {
        return n->softmax.kind == TS_SOFTMAX_TFLITE ? oracle_softmax(g, n, values, index)
                                                    : oracle_quotient(g, n, values, index);
    }
    if (n->op == TS_OP_NORM) {
        return oracle_norm(g, n, values, index);
    }
    if (n->op == TS_OP_LUT) {
        return ts_tensor_int(&g->tensors.data[n->weights], (uint32_t)(x[index] - ts_type_low(in->type)));
    }
    if (n->op == TS_OP_MUL) {
        const ts_tensor *second = &g->tensors.data[n->inputs[1]];
        acc =
            (int64_t)(x[index] - ts_tensor_zero(in)) * (values[n->inputs[1]][index] - ts_tensor_zero(second));
    } else if (n->op == TS_OP_MATMUL) {
        const ts_tensor *second = &g->tensors.data[n->inputs[1]];
        uint64_t other = ((ts_h(second) > 1 ? h : 0) * (uint64_t)ts_w(second) + c) * ts_c(in);
        for (uint32_t k = ts_c(in); k-- > 0;) {
            acc += (int64_t)(x[((uint64_t)h * ts_w(in) + w) * ts_c(in) + k] - ts_tensor_zero(in)) *
                   (values[n->inputs[1]][other + k] - ts_tensor_zero(second));
        }
    } else if (n->op == TS_OP_ADD) {
        acc = oracle_step(&n->sum,
                          oracle_step(&n->in1, x[index]) + oracle_step(&n->in2, values[n->inputs[1]][index]));
    } else if (n->op == TS_OP_REQUANT) {
        acc = x[index] - ts_tensor_zero(in);
    } else if (n->op == TS_OP_LINEAR) {
        uint64_t count = ts_tensor_elements(in);
        for (uint64_t i = 0; i < count; i++) {
            acc += (int64_t)(x[i] - ts_tensor_zero(in)) * oracle_weight(g, n, c * count + i);
        }
    } else {
        acc = oracle_window(g, n, x, h, w, c);
    }
    bool has_bias = (n->op == TS_OP_CONV || n->op == TS_OP_LINEAR) && n->bias != TS_NONE;
    acc += has_bias ? ts_tensor_int(&g->tensors.data[n->bias], c) : 0;
    return oracle_requant(&n->requant, c, acc);
}

static void compare_network(uint64_t seed) {
    ts_arena *arena = ts_arena_new("test", 0);
    ts_diags diags = {.arena = arena};
    ts_random_limits limits = ts_random_limits_default();
    limits.tflite = seed % 2 == 0;
    limits.picks = seed % 4 == 1;
    limits.norms = seed % 4 == 2;
    limits.side = 9;
    limits.halves = seed % 3 == 0;
    ts_graph *g;
    int32_t **values;
    ts_status status = ts_random_network(arena, seed, &limits, &g, &diags);
    for (uint32_t i = 0; i < diags.list.count; i++) {
        ts_diag_print(stderr, &diags.list.data[i]);
    }
    assert_int_equal(status, TS_OK);
    const int32_t *inputs[] = {
        ts_random_values(arena, seed, &g->tensors.data[g->inputs.data[0]], seed % 3 == 0)};
    assert_int_equal(ts_integer_run(g, arena, inputs, &values, &diags), TS_OK);
    for (uint32_t i = 0; i < g->nodes.count; i++) {
        const ts_node *n = &g->nodes.data[i];
        const ts_tensor *out = &g->tensors.data[n->output];
        uint64_t at = 0;
        for (uint32_t h = 0; h < ts_h(out); h++) {
            for (uint32_t w = 0; w < ts_w(out); w++) {
                for (uint32_t c = 0; c < ts_c(out); c++) {
                    assert_int_equal(values[n->output][at++], oracle(g, n, values, h, w, c));
                }
            }
        }
    }
    ts_arena_free(arena);
}

static void random_networks_equal_the_second_formulation(void **state) {
    (void)state;
    for (uint64_t seed = 1000; seed < 1300; seed++) {
        compare_network(seed);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(division_floors),
        cmocka_unit_test(the_written_divisor_divides),
        cmocka_unit_test(products_pass_32_bits),
        cmocka_unit_test(products_pass_64_bits),
        cmocka_unit_test(tflite_rounds_twice),
        cmocka_unit_test(a_step_multiplies_adds_divides_clips),
        cmocka_unit_test(convolution_with_one_sided_pads),
        cmocka_unit_test(convolution_with_groups_and_uneven_strides),
        cmocka_unit_test(wide_weights_sum_in_48_bits),
        cmocka_unit_test(zero_points_are_subtracted),
        cmocka_unit_test(matrices_multiply_row_by_row),
        cmocka_unit_test(matrices_that_do_not_fit_are_refused),
        cmocka_unit_test(linear_reads_rows_columns_channels),
        cmocka_unit_test(average_keeps_its_factor),
        cmocka_unit_test(padding_never_wins),
        cmocka_unit_test(a_plain_addition_is_not_clipped),
        cmocka_unit_test(an_activation_behind_an_addition_floors_again),
        cmocka_unit_test(operands_of_an_addition_have_their_own_steps),
        cmocka_unit_test(what_does_not_fit_is_an_error),
        cmocka_unit_test(random_networks_equal_the_second_formulation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
