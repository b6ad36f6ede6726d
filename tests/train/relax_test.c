/* Relaxation: bits go down, accuracy stays above the bound, what comes out is the last round that was kept.
 */
#include "train/relax.h"
#include "rows.h"

static uint64_t total(const ts_relax_trace *t, const ts_widths *w) {
    uint64_t sum = 0;
    for (uint32_t i = 0; i < t->net->layers.count; i++) {
        sum += w[i].weights + w[i].activations;
    }
    return sum;
}

static ts_relax_options options(void) {
    ts_relax_options o = ts_relax_defaults();
    o.bound = 0.03;
    o.rounds = 3;
    o.quant.ranges = TS_RANGE_MSE;
    o.quant.nearest = true;
    o.least = (ts_widths){3, 4};
    o.finetune.batch = BATCH;
    o.finetune.train.epochs = 2;
    o.finetune.train.rate = 2e-3;
    return o;
}

/* Kept rounds are above the bound and only ever narrower; widths stay within their ends. */
static void check_trace(const ts_relax_trace *t, const ts_relax_options *o) {
    const ts_widths *last = t->start;
    for (uint32_t i = 0; i < t->rounds.count; i++) {
        const ts_relax_round *r = &t->rounds.data[i];
        assert_int_equal(r->kept, r->after >= t->floor);
        assert_true(total(t, r->widths) + r->steps <= total(t, last));
        for (uint32_t k = 0; k < t->net->layers.count; k++) {
            assert_in_range(r->widths[k].weights, o->least.weights, last[k].weights);
            assert_in_range(r->widths[k].activations, o->least.activations, last[k].activations);
        }
        last = r->kept ? r->widths : last;
    }
    assert_true(total(t, last) < total(t, t->start));
}

static void bits_go_down_under_a_bound(void **state) {
    (void)state;
    rig r = new_rig();
    ts_relax_options o = options();
    ts_relax_trace trace;
    ts_quant *quant;
    float *before = ts_arena_copy(r.m.arena, r.net->layers.data[0].weights, 72 * sizeof(float));
    assert_int_equal(ts_relax(r.m.arena, r.net, &r.data, &r.data, &o, NULL, &trace, &quant, &r.m.diags),
                     TS_OK);
    check_trace(&trace, &o);
    assert_memory_equal(before, r.net->layers.data[0].weights, 72 * sizeof(float));
    const ts_relax_round *last = NULL;
    for (uint32_t i = 0; i < trace.rounds.count; i++) {
        last = trace.rounds.data[i].kept ? &trace.rounds.data[i] : last;
    }
    ts_data judge = r.data;
    uint32_t *order = TS_NEW_ARRAY(r.m.arena, uint32_t, SAMPLES);
    judge.count = 0;
    for (uint32_t i = 0; i < SAMPLES; i += 5) {
        order[judge.count++] = i;
    }
    judge.order = order;
    ts_fgraph *graph;
    ts_score score;
    assert_int_equal(ts_quant_float(r.m.arena, r.net, quant, TS_STAGE_QD, &graph, &r.m.diags), TS_OK);
    assert_int_equal(ts_evaluate_float(r.m.arena, graph, &judge, NULL, &score, &r.m.diags), TS_OK);
    printf("float %.3f, after %u rounds %.3f with %.1f bits a weight\n", trace.exact, trace.rounds.count,
           score.top1, (double)last->weight_bits / (double)trace.rounds.data[0].weight_bits * 8);
    assert_true(fabs(score.top1 - last->after) < 1e-9);
    for (uint32_t i = 0; i < r.net->layers.count; i++) {
        assert_int_equal(quant->widths[i].weights, last->widths[i].weights);
        assert_int_equal(quant->widths[i].activations, last->widths[i].activations);
    }
    ts_arena_free(r.m.arena);
}

/* One row a layer and one point a round. */
static void the_picture_shows_every_round(void **state) {
    (void)state;
    rig r = new_rig();
    ts_widths *widths = TS_NEW_ARRAY(r.m.arena, ts_widths, r.net->layers.count);
    for (uint32_t i = 0; i < r.net->layers.count; i++) {
        widths[i] = (ts_widths){8, 4};
    }
    r.net->layers.data[0].name = "a<b";
    ts_relax_trace trace = {.net = r.net, .exact = 0.9, .floor = 0.88, .start = widths};
    for (uint32_t i = 0; i < 3; i++) {
        ts_relax_round round = {.widths = widths, .before = 0.7, .after = 0.9 - 0.01 * i, .kept = i < 2};
        TS_PUSH(r.m.arena, &trace.rounds, round);
    }
    ts_text text = {.arena = r.m.arena};
    ts_relax_picture(&text, &trace);
    uint32_t points = 0, taken_back = 0;
    for (const char *at = text.data; (at = strstr(at, "r=\"4\"")) != NULL; at++) {
        points++;
        taken_back += strncmp(at, "r=\"4\" fill=\"#b3261e\"", 20) == 0;
    }
    assert_int_equal(points, 3);
    assert_int_equal(taken_back, 1);
    assert_non_null(strstr(text.data, ">a&lt;b<"));
    assert_null(strstr(text.data, "a<b"));
    for (uint32_t i = 1; i < r.net->layers.count; i++) {
        assert_non_null(strstr(text.data, r.net->layers.data[i].name));
    }
    assert_string_equal(text.data + text.size - 7, "</svg>\n");
    ts_arena_free(r.m.arena);
}

static void an_impossible_bound_is_said(void **state) {
    (void)state;
    rig r = new_rig();
    ts_relax_options o = options();
    ts_relax_trace trace;
    ts_quant *quant;
    o.quant.weight_bits = o.quant.activation_bits = 2;
    o.finetune.train.rate = 1e-9;
    o.bound = 0;
    assert_int_equal(ts_relax(r.m.arena, r.net, &r.data, &r.data, &o, NULL, &trace, &quant, &r.m.diags),
                     TS_BAD_INPUT);
    r.data.labels = NULL;
    assert_int_equal(ts_relax(r.m.arena, r.net, &r.data, &r.data, &o, NULL, &trace, &quant, &r.m.diags),
                     TS_BAD_INPUT);
    ts_arena_free(r.m.arena);
}

int main(void) {
    if (!ts_train_available()) {
        printf("built without oneDNN: skipped\n");
        return TS_TEST_SKIP;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bits_go_down_under_a_bound),
        cmocka_unit_test(the_picture_shows_every_round),
        cmocka_unit_test(an_impossible_bound_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, free_first_rig);
}
