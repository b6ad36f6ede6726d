/* Additions as one line equal the graph's addition for every pair of operands. */
#include "harness.h"

#include "base/random.h"
#include "num/integer.h"
#include "plan/add.h"

enum { ROUNDS = 60 };

typedef struct add_case {
    ts_node node;
    int32_t multiplier, shift;
    int64_t kappa, lambda;
    ts_layer layer;
    ts_acc_range a, b;
} add_case;

/* As the reader of TensorFlow Lite files makes an operand: twenty bits before the multiplier, one rounding.
 */
static ts_add_step tflite_step(ts_random *random, int64_t zero, bool wide) {
    int64_t multiplier = ts_random_range(random, 1 << 30, INT32_MAX);
    uint32_t power = wide ? 11 : (uint32_t)ts_random_range(random, 12, 15);
    return (ts_add_step){.mul = multiplier,
                         .add = (INT64_C(1) << (power - 1)) - zero * multiplier,
                         .div = INT64_C(1) << power,
                         .low = INT32_MIN,
                         .high = INT32_MAX};
}

static void make_tflite(ts_random *random, add_case *c) {
    bool is_signed = ts_random_range(random, 0, 1) != 0;
    ts_type type = is_signed ? TS_S8 : TS_U8;
    int32_t low = (int32_t)ts_type_low(type), high = (int32_t)ts_type_high(type);
    c->layer.x.type = c->layer.x2.type = c->layer.y.type = type;
    c->node.in1 = tflite_step(random, ts_random_range(random, low, high), true);
    c->node.in2 = tflite_step(random, ts_random_range(random, low, high), false);
    c->multiplier = (int32_t)ts_random_range(random, 1 << 30, INT32_MAX);
    c->shift = (int32_t)ts_random_range(random, -20, -17);
    int32_t zero = (int32_t)ts_random_range(random, low, high);
    c->node.requant = (ts_requant){.kind = TS_REQUANT_TFLITE,
                                   .channels = 1,
                                   .multiplier = &c->multiplier,
                                   .shift = &c->shift,
                                   .zero = zero,
                                   .low = zero / 2 > low ? zero / 2 : low,
                                   .high = high};
    c->node.sum = (ts_add_step){.mul = 1, .div = 1, .low = INT32_MIN, .high = INT32_MAX};
}

static void make_nemo(ts_random *random, add_case *c) {
    c->layer.x.type = c->layer.x2.type = c->layer.y.type = TS_U8;
    c->node.in1 = (ts_add_step){ts_random_range(random, 1, 600), 0, 1, INT32_MIN, INT32_MAX};
    c->node.in2 = (ts_add_step){ts_random_range(random, 1, 600), 0, 1, INT32_MIN, INT32_MAX};
    c->node.sum = (ts_add_step){1, ts_random_range(random, 0, 1) * 128, 256, INT32_MIN, INT32_MAX};
    c->kappa = ts_random_range(random, 100, 2000);
    c->lambda = ts_random_range(random, -100000, 100000);
    c->node.requant = (ts_requant){.kind = TS_REQUANT_NEMO,
                                   .channels = 1,
                                   .kappa = &c->kappa,
                                   .lambda = &c->lambda,
                                   .m = 1,
                                   .d = INT64_C(1) << ts_random_range(random, 9, 12),
                                   .high = 255};
}

static void check_pairs(const add_case *c, int64_t wrong) {
    for (int64_t a = c->a.low; a <= c->a.high; a++) {
        for (int64_t b = c->b.low; b <= c->b.high; b++) {
            int32_t sum = ts_add_step_apply(
                &c->node.sum, ts_add_step_apply(&c->node.in1, a) + ts_add_step_apply(&c->node.in2, b));
            int32_t expected = ts_requant_apply(&c->node.requant, 0, sum);
            int64_t parts[2] = {a * c->layer.in1.mul + c->layer.in1.add,
                                b * c->layer.in2.mul + c->layer.in2.add};
            assert_in_range(parts[0] - INT32_MIN, 0, UINT32_MAX);
            assert_in_range(parts[1] - INT32_MIN, 0, UINT32_MAX);
            int64_t actual = ts_floor_div(parts[0] + parts[1] + wrong, c->layer.sum.div);
            actual = actual < c->layer.sum.low ? c->layer.sum.low : actual;
            actual = actual > c->layer.sum.high ? c->layer.sum.high : actual;
            if (expected != actual) {
                print_message("%lld, %lld: %lld, not %d\n", (long long)a, (long long)b, (long long)actual,
                              expected);
                assert_int_not_equal(wrong, 0);
                return;
            }
        }
    }
    assert_int_equal(wrong, 0);
}

static uint32_t try_many(void (*make)(ts_random *, add_case *)) {
    uint32_t lines = 0;
    for (uint64_t seed = 0; seed < ROUNDS; seed++) {
        ts_random random = ts_random_seed(seed + 1);
        add_case c = {.layer = {.kind = TS_LAYER_ADD}};
        make(&random, &c);
        c.a = c.b = (ts_acc_range){ts_type_low(c.layer.x.type), ts_type_high(c.layer.x.type)};
        if (seed % 3 == 0) {
            c.a.high -= 100;
        }
        c.layer.rq.class_ = TS_RQC_TFLITE;
        ts__add_line(&c.node, c.a, c.b, &c.layer);
        if (c.layer.rq.class_ == TS_RQC_NONE) {
            lines++;
            check_pairs(&c, 0);
            if (lines == 1 && make == make_tflite) { /* the check finds a line that is wrong */
                check_pairs(&c, c.layer.sum.div / 64);
            }
        }
    }
    return lines;
}

static void lines_are_exact(void **state) {
    (void)state;
    uint32_t tflite = try_many(make_tflite), nemo = try_many(make_nemo);
    print_message("of %d additions %u (TFLite), %u (NEMO) are one line\n", ROUNDS, tflite, nemo);
    assert_true(tflite > ROUNDS / 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(lines_are_exact)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
