/* Narrow requantisations equal the graph's for every accumulator: all of them where there are few, both sides
 * of every step and random ones where there are many. */
#include "harness.h"

#include "base/random.h"
#include "num/integer.h"
#include "plan/kernel_pack.h"
#include "plan/requant.h"

typedef struct layer_case {
    ts_requant requant;
    int64_t kappa[8], lambda[8], bias[8], offset[8]; /* offset: of a zero point */
    int32_t multiplier[8], shift[8];
    ts_acc_range acc[8];
    uint32_t channels;
    bool has_offset;
} layer_case;

static uint32_t counts[TS_RQ_CLASS_COUNT];

/* The two steps of a kernel whose accumulator holds `offset` more, with the packed parameters, in 64 bits:
 * nothing that is shifted may need more than 32. */
static int64_t apply_packed(const ts_rq_plan *plan, uint32_t c, int64_t acc, int64_t offset) {
    uint8_t packed[20];
    int32_t words[5];
    uint32_t bytes = ts__params_bytes(plan);
    ts__pack_params(plan, c, -offset, packed);
    for (uint32_t i = 0; i < bytes; i += 4) {
        uint32_t word = packed[i] | (uint32_t)packed[i + 1] << 8 | (uint32_t)packed[i + 2] << 16 |
                        (uint32_t)packed[i + 3] << 24;
        words[i / 4] = (int32_t)word;
    }
    int64_t low = (acc + offset) * words[2] + words[3];
    int64_t sum = (int32_t)((uint64_t)(low >> plan->split) + (uint64_t)((acc + offset) * words[0]) +
                            (uint64_t)words[1]);
    assert_in_range(low - INT32_MIN, 0, UINT32_MAX);
    int64_t y = sum >> (words[3] & 31);
    if (plan->class_ == TS_RQC_S32R) {
        int64_t h = sum >> plan->shift;
        y = (h - (h < words[4])) >> (words[3] & 31);
    }
    return y < plan->low ? plan->low : y > plan->high ? plan->high : y;
}

static void check_one(const layer_case *k, const ts_rq_plan *plan, uint32_t c, int64_t acc) {
    int64_t expected = ts_requant_apply(&k->requant, c, acc + k->bias[c]);
    int64_t actual = ts__rq_plan_apply(plan, &k->requant, c, acc);
    if (expected != actual) {
        print_message("class %s channel %u acc %lld: %lld, not %lld\n", ts_rq_class_name(plan->class_), c,
                      (long long)acc, (long long)actual, (long long)expected);
    }
    assert_int_equal(actual, expected);
    if (plan->class_ == TS_RQC_S32D || plan->class_ == TS_RQC_S32R) {
        assert_int_equal(apply_packed(plan, c, acc, k->offset[c]), expected);
    }
}

static void check_channel(const layer_case *k, const ts_rq_plan *plan, uint32_t c, ts_random *random) {
    ts_acc_range r = k->acc[c];
    if (r.high - r.low <= 20000) {
        for (int64_t a = r.low; a <= r.high; a++) {
            check_one(k, plan, c, a);
        }
        return;
    }
    for (int i = 0; i < 4000; i++) {
        check_one(k, plan, c, ts_random_range(random, r.low, r.high));
    }
    /* Both sides of every step, found by halving. */
    for (int64_t level = k->requant.low; level <= k->requant.high; level++) {
        int64_t below = r.low, above = r.high;
        bool rises = ts_requant_apply(&k->requant, c, above + k->bias[c]) >
                     ts_requant_apply(&k->requant, c, below + k->bias[c]);
        while (above - below > 1) {
            int64_t middle = below + (above - below) / 2;
            bool at_least = ts_requant_apply(&k->requant, c, middle + k->bias[c]) >= level;
            *(at_least == rises ? &above : &below) = middle;
        }
        check_one(k, plan, c, below);
        check_one(k, plan, c, above);
    }
    check_one(k, plan, c, r.low);
    check_one(k, plan, c, r.high);
}

static void check_case(layer_case *k, ts_random *random) {
    ts_arena *arena = ts_arena_new("test", 0);
    ts_diags diags = {.arena = arena};
    k->requant.kappa = k->kappa;
    k->requant.lambda = k->lambda;
    k->requant.multiplier = k->multiplier;
    k->requant.shift = k->shift;
    k->requant.channels = k->channels;
    ts_rq_plan plan, own;
    assert_int_equal(ts__requant_plan(arena, &k->requant, k->channels, k->bias, k->acc,
                                      k->has_offset ? k->offset : NULL, &plan, &own, "n", "conv", &diags),
                     TS_OK);
    counts[plan.class_]++;
    for (uint32_t c = 0; c < k->channels; c++) {
        check_channel(k, &plan, c, random);
        check_channel(k, &own, c, random);
    }
    ts_arena_free(arena);
}

static void random_range(ts_random *random, ts_acc_range *acc) {
    int64_t reach = INT64_C(1) << ts_random_range(random, 2, 27);
    acc->low = ts_random_range(random, -reach, reach);
    acc->high = ts_random_range(random, acc->low, reach);
}

/* In every third layer the input has a zero point, which kernels leave in. */
static void random_offset(ts_random *random, layer_case *k, uint32_t c) {
    k->has_offset = c == 0 ? ts_random_range(random, 0, 2) == 0 : k->has_offset;
    k->offset[c] = k->has_offset ? ts_random_range(random, k->acc[c].low, k->acc[c].high) / 2 : 0;
}

static void random_nemo(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 400; seed++) {
        ts_random random = ts_random_seed(seed);
        layer_case k = {.channels = (uint32_t)ts_random_range(&random, 1, 8)};
        int64_t one_less = ts_random_range(&random, 0, 3) == 0;
        int64_t kappa = INT64_C(1) << ts_random_range(&random, 0, 12);
        k.requant.kind = TS_REQUANT_NEMO;
        k.requant.m = ts_random_range(&random, 1, 255);
        k.requant.d = (INT64_C(1) << ts_random_range(&random, 1, 28)) - one_less;
        k.requant.low = seed % 4 == 0 ? -128 : 0;
        k.requant.high = seed % 4 == 0 ? 127 : seed % 7 == 0 ? 15 : 255;
        for (uint32_t c = 0; c < k.channels; c++) {
            k.kappa[c] = ts_random_range(&random, -kappa, kappa);
            k.lambda[c] = ts_random_range(&random, -(INT64_C(1) << 28), INT64_C(1) << 28) >>
                          ts_random_range(&random, 0, 28);
            k.bias[c] = ts_random_range(&random, -5000, 5000);
            random_range(&random, &k.acc[c]);
            random_offset(&random, &k, c);
        }
        check_case(&k, &random);
    }
    for (uint32_t c = 0; c < TS_RQ_CLASS_COUNT; c++) {
        print_message("%s %u\n", ts_rq_class_name((ts_rq_class)c), counts[c]);
    }
    assert_true(counts[TS_RQC_S32] > 0 && counts[TS_RQC_S32C] > 0 && counts[TS_RQC_S32D] > 0 &&
                counts[TS_RQC_S32DC] > 0);
}

static void random_tflite(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 250; seed++) {
        ts_random random = ts_random_seed(seed);
        layer_case k = {.channels = (uint32_t)ts_random_range(&random, 1, 4)};
        int64_t shift = ts_random_range(&random, -12, 1);
        k.requant.kind = TS_REQUANT_TFLITE;
        k.requant.low = -128;
        k.requant.high = 127;
        k.requant.zero = (int32_t)ts_random_range(&random, -128, 127);
        for (uint32_t c = 0; c < k.channels; c++) {
            k.multiplier[c] = (int32_t)ts_random_range(&random, 1 << 30, INT32_MAX);
            k.shift[c] = (int32_t)(shift - ts_random_range(&random, 0, 2));
            k.bias[c] = ts_random_range(&random, -5000, 5000);
            random_range(&random, &k.acc[c]);
            random_offset(&random, &k, c);
        }
        check_case(&k, &random);
    }
    for (uint32_t c = 0; c < TS_RQ_CLASS_COUNT; c++) {
        print_message("%s %u\n", ts_rq_class_name((ts_rq_class)c), counts[c]);
    }
    assert_true(counts[TS_RQC_S32R] > 10 && counts[TS_RQC_S32RC] > 10);
}

/* Shapes at which arithmetic breaks first. */
static void extremes(void **state) {
    (void)state;
    static const struct {
        int64_t kappa, lambda, m, d, low, high;
    } rows[] = {
        {0, 0, 1, 1, -10, 10},
        {0, 1000, 3, 7, -10, 10},
        {1, 0, 1, 1, -300, 300},
        {-1, 0, 1, 1, INT32_MIN, INT32_MAX},
        {2048, 180000000, 243, (1 << 26) - 1, -(1 << 27), 1 << 27},
        {-2047, -180000000, 243, (1 << 18) - 1, -(1 << 27), 1 << 27},
        {1, 0, 1, INT64_C(1) << 40, INT32_MIN, INT32_MAX},
        {2047, 5, 255, 1, -3, 3},
        {1, 0, 1, 3, 5, 5},
    };
    ts_random random = ts_random_seed(1);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        layer_case k = {.channels = 1,
                        .kappa = {rows[i].kappa},
                        .lambda = {rows[i].lambda},
                        .acc = {{rows[i].low, rows[i].high}}};
        k.requant =
            (ts_requant){.kind = TS_REQUANT_NEMO, .m = rows[i].m, .d = rows[i].d, .low = 0, .high = 255};
        check_case(&k, &random);
    }
}

static void products_beyond_64_bits_are_refused(void **state) {
    (void)state;
    ts_arena *arena = ts_arena_new("test", 0);
    ts_diags diags = {.arena = arena};
    int64_t kappa = INT64_MAX / 2, lambda = 0;
    ts_requant requant = {.kind = TS_REQUANT_NEMO,
                          .channels = 1,
                          .kappa = &kappa,
                          .lambda = &lambda,
                          .m = 255,
                          .d = 1,
                          .high = 255};
    ts_acc_range acc = {0, 1};
    ts_rq_plan plan, own;
    assert_int_equal(ts__requant_plan(arena, &requant, 1, NULL, &acc, NULL, &plan, &own, "n", "conv", &diags),
                     TS_BAD_INPUT);
    assert_int_equal(ts_diags_errors(&diags), 1);
    ts_arena_free(arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_nemo),
        cmocka_unit_test(random_tflite),
        cmocka_unit_test(extremes),
        cmocka_unit_test(products_beyond_64_bits_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
