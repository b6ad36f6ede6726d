/* The short form of a requantisation equals the graph's for every accumulator, or is not found. */
#include "harness.h"

#include "base/random.h"
#include "num/integer.h"
#include "plan/requant_short.h"

enum { CASES = 300, BRUTE = 12 };

/* A channel as first layers have them: K has 17 to 19 bits, an output is some hundred accumulators wide. */
typedef struct channel {
    ts_requant requant;
    int64_t kappa, lambda, m;
    ts_acc_range acc;
} channel;

static void draw(ts_random *random, bool odd, channel *out) {
    int64_t width = ts_random_range(random, odd ? 1 : 90, odd ? 700 : 110);
    *out = (channel){.kappa = ts_random_range(random, 800, 2047), .m = ts_random_range(random, 128, 255)};
    int64_t d = 1;
    while (d * 2 <= out->kappa * out->m * width) {
        d *= 2;
    }
    int64_t levels = ts_random_range(random, odd ? -3000 : -400, odd ? 3000 : 400);
    out->lambda = levels * d / out->m + ts_random_range(random, 0, 1000);
    out->kappa = ts_random_range(random, 0, 7) == 0 ? -out->kappa : out->kappa;
    out->acc = (ts_acc_range){-ts_random_range(random, 1000, 150000), ts_random_range(random, 1000, 150000)};
    out->requant = (ts_requant){.kind = TS_REQUANT_NEMO, .channels = 1, .low = 0, .high = 255, .d = d};
    out->requant.kappa = &out->kappa;
    out->requant.lambda = &out->lambda;
    out->requant.m = out->m;
}

static void check(const channel *c, const ts_short_rq *rq, int64_t acc) {
    acc = acc < c->acc.low ? c->acc.low : acc > c->acc.high ? c->acc.high : acc;
    int64_t expected = ts_requant_apply(&c->requant, 0, acc), actual = ts__short_rq_apply(rq, acc);
    if (actual != expected) {
        print_message("kappa %lld lambda %lld m %lld d %lld acc %lld\n", (long long)c->kappa,
                      (long long)c->lambda, (long long)c->m, (long long)c->requant.d, (long long)acc);
    }
    assert_int_equal(actual, expected);
}

/* Every accumulator of a few, of the others the ends, both sides of the windows, and some thousand. */
static void check_channel(const channel *c, const ts_short_rq *rq, ts_random *random, bool all) {
    for (int64_t acc = c->acc.low; all && acc <= c->acc.high; acc++) {
        check(c, rq, acc);
    }
    for (int64_t window = -5; window <= 5; window++) {
        int64_t edge = window * 65536 - 32768 - (int64_t)TS_SHORT_BYTE * rq->bias;
        check(c, rq, edge - 1);
        check(c, rq, edge);
    }
    for (uint32_t i = 0; i < 4000; i++) {
        check(c, rq, ts_random_range(random, c->acc.low, c->acc.high));
    }
}

/* One channel's plan, and its short form. */
static bool find(const channel *c, ts_arena *arena, ts_rq_plan *plan, ts_short_rq *rq) {
    ts_rq_plan own;
    ts_diags diags = {.arena = arena};
    assert_int_equal(
        ts__requant_plan(arena, &c->requant, 1, NULL, &c->acc, NULL, plan, &own, "n", "conv", &diags), TS_OK);
    return ts__short_rq(plan, 0, c->acc, rq);
}

static void equals_the_graph(void **state) {
    (void)state;
    ts_random random = ts_random_seed(5);
    uint32_t found[2] = {0, 0}, missed = 0;
    for (uint32_t i = 0; i < CASES; i++) {
        ts_arena *arena = ts_arena_new("case", 0);
        channel c;
        ts_rq_plan plan;
        ts_short_rq rq;
        draw(&random, i % 3 == 2, &c);
        if (find(&c, arena, &plan, &rq)) {
            found[i % 3 == 2]++;
            check_channel(&c, &rq, &random, found[0] <= BRUTE);
        } else {
            missed += i % 3 != 2 && plan.class_ == TS_RQC_S32D;
        }
        ts_arena_free(arena);
    }
    print_message("found: %u, and %u odd ones\n", found[0], found[1]);
    assert_true(found[0] > CASES / 4 && found[1] > 0);
    assert_int_equal(missed, 0);
}

/* A line that is shifted by an output or a part of one is found out. */
static void another_line_is_refused(void **state) {
    (void)state;
    ts_random random = ts_random_seed(9);
    ts_arena *arena = ts_arena_new("case", 0);
    channel c;
    ts_rq_plan plan;
    ts_short_rq rq;
    do {
        draw(&random, false, &c);
    } while (!find(&c, arena, &plan, &rq) || rq.k == 0);
    for (int32_t shift = 12; shift <= TS_SHORT_SHIFT; shift++) {
        ts_short_rq other = rq;
        uint32_t wrong = 0;
        other.l += 1 << shift;
        for (int64_t acc = c.acc.low; acc <= c.acc.high; acc++) {
            wrong += ts__short_rq_apply(&other, acc) != ts_requant_apply(&c.requant, 0, acc);
        }
        assert_true(wrong > 0);
    }
    ts_arena_free(arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(equals_the_graph),
                                       cmocka_unit_test(another_line_is_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
