/* Fine-tuning: it mends what rounding to few bits broke, leaves numbers that deploy as they were trained, and
 * is the same every time. */
#include "train/finetune.h"
#include "num/integer.h"
#include "rows.h"

/* So many epochs, or in the build with sanitizers a quarter, of which less is asked. */
static uint32_t epochs(uint32_t count) { return TS_TEST_SANITIZED ? count / 4 : count; }

static ts_quant *quantise(rig *r, uint32_t weight_bits, uint32_t activation_bits) {
    ts_quant_options o = ts_quant_defaults();
    ts_quant *quant;
    o.weight_bits = weight_bits;
    o.activation_bits = activation_bits;
    o.nearest = true; /* rounding alone: there is something to mend */
    o.ranges = TS_RANGE_MAX;
    assert_int_equal(ts_quantize(r->m.arena, r->net, &r->data, &o, NULL, &quant, &r->m.diags), TS_OK);
    return quant;
}

static ts_score score_float(rig *r, const ts_quant *quant, ts_quant_stage stage) {
    ts_fgraph *graph;
    ts_score score;
    assert_int_equal(ts_quant_float(r->m.arena, r->net, quant, stage, &graph, &r->m.diags), TS_OK);
    assert_int_equal(ts_evaluate_float(r->m.arena, graph, &r->data, NULL, &score, &r->m.diags), TS_OK);
    return score;
}

static ts_score score_integer(rig *r, const ts_quant *quant) {
    ts_graph *graph;
    ts_score score;
    assert_int_equal(ts_quant_integer(r->m.arena, quant, &graph, &r->m.diags), TS_OK);
    assert_int_equal(ts_evaluate_integer(r->m.arena, graph, 0, &r->data, NULL, NULL, &score, &r->m.diags),
                     TS_OK);
    return score;
}

static void tune(rig *r, ts_quant *quant, double distil) {
    ts_finetune_options o = ts_finetune_defaults();
    o.batch = BATCH;
    o.distil = distil;
    o.train.epochs = epochs(16);
    o.train.rate = 3e-3;
    assert_int_equal(ts_quant_finetune(quant, &r->data, &o, NULL, NULL, NULL, &r->m.diags), TS_OK);
}

/* Weights with a zero point train as others do, and deploy. */
static void zero_points_are_kept(void **state) {
    (void)state;
    rig r = new_rig();
    ts_quant_options o = ts_quant_defaults();
    ts_quant *quant;
    o.weight_bits = 3;
    o.asymmetric = true;
    o.nearest = true;
    assert_int_equal(ts_quantize(r.m.arena, r.net, &r.data, &o, NULL, &quant, &r.m.diags), TS_OK);
    double before = score_integer(&r, quant).top1;
    tune(&r, quant, 0.5);
    ts_score fq = score_float(&r, quant, TS_STAGE_FQ);
    double after = score_integer(&r, quant).top1;
    printf("w3 with a zero point: %.3f, then fq %.3f id %.3f\n", before, fq.top1, after);
    assert_true(TS_TEST_SANITIZED || (after > r.exact - 0.05 && after >= before));
    assert_true(fabs(fq.top1 - after) <= 0.0101);
    for (uint32_t i = 0; i < r.net->layers.count; i++) {
        const ts_qlayer *l = &r.net->layers.data[i];
        for (uint64_t k = 0; quant->layers[i].values != NULL && k < (uint64_t)l->c * l->inner; k++) {
            assert_in_range(quant->layers[i].values[k] + 4, 0, 7);
        }
    }
    ts_arena_free(r.m.arena);
}

static void few_bits_are_mended(void **state) {
    (void)state;
    rig r = new_rig();
    ts_quant *quant = quantise(&r, 2, 3);
    ts_score before = score_integer(&r, quant);
    tune(&r, quant, 0.5);
    ts_score fq = score_float(&r, quant, TS_STAGE_FQ), qd = score_float(&r, quant, TS_STAGE_QD);
    ts_score id = score_integer(&r, quant);
    printf("float %.3f, w2a3 %.3f, fine-tuned fq %.3f qd %.3f id %.3f\n", r.exact, before.top1, fq.top1,
           qd.top1, id.top1);
    assert_true(r.exact > 0.95);
    assert_true(before.top1 < r.exact - 0.1);
    if (!TS_TEST_SANITIZED) {
        assert_true(id.top1 > r.exact - 0.05);
        assert_true(fabs(fq.top1 - id.top1) <= 0.0101 && fabs(qd.top1 - id.top1) <= 0.0101);
    }
    ts_arena_free(r.m.arena);
}

/* Distance to the float network alone, without a label. */
static void labels_are_not_needed(void **state) {
    (void)state;
    rig r = new_rig();
    ts_quant *quant = quantise(&r, 2, 4);
    double before = score_integer(&r, quant).top1;
    r.data.labels = NULL;
    tune(&r, quant, 1);
    rig whole = new_rig();
    r.data.labels = whole.data.labels;
    double after = score_integer(&r, quant).top1;
    printf("without labels: %.3f, then %.3f\n", before, after);
    assert_true(TS_TEST_SANITIZED || (after > r.exact - 0.05 && after >= before));
    ts_arena_free(whole.m.arena);
    ts_arena_free(r.m.arena);
}

/* Weights stay in their type and every quantum is one that kappa admits: kappa s_y = s_x s_w D. */
static void numbers_deploy_as_they_are(void **state) {
    (void)state;
    rig r = new_rig();
    ts_quant *quant = quantise(&r, 2, 4);
    tune(&r, quant, 0.5);
    for (uint32_t i = 0; i < r.net->layers.count; i++) {
        const ts_qlayer *l = &r.net->layers.data[i];
        const ts_qweights *q = &quant->layers[i];
        const ts_qvalue *y = &quant->values[i + 1];
        for (uint64_t k = 0; q->values != NULL && k < (uint64_t)l->c * l->inner; k++) {
            assert_in_range(q->values[k] + 2, 0, 3);
        }
        for (uint32_t c = 0; q->values != NULL && !y->raw && c < l->c; c++) {
            double exact = quant->values[l->inputs[0]].scale * q->scale[c] * (double)q->d / y->scale;
            assert_true(fabs(exact - (double)q->kappa[c]) < 1e-6 * exact);
        }
    }
    ts_arena_free(r.m.arena);
}

static ts_score with_options(const ts_finetune_options *o, uint32_t *best) {
    rig r = new_rig();
    ts_quant *quant = quantise(&r, 4, 4);
    ts_score before = score_integer(&r, quant);
    assert_int_equal(ts_quant_finetune(quant, &r.data, o, NULL, NULL, best, &r.m.diags), TS_OK);
    ts_score after = score_integer(&r, quant);
    after.mean_square = 0;
    for (uint32_t i = 0; i < after.count * after.outputs; i++) {
        after.mean_square += fabs((double)after.scores[i] - (double)before.scores[i]);
    }
    after.scores = malloc((size_t)after.count * after.outputs * sizeof(float));
    memcpy((float *)after.scores, score_integer(&r, quant).scores,
           (size_t)after.count * after.outputs * sizeof(float));
    ts_arena_free(r.m.arena);
    return after;
}

/* A rate that breaks the network: what it was before is kept, to the bit. */
static void harm_is_undone(void **state) {
    (void)state;
    ts_finetune_options o = ts_finetune_defaults();
    uint32_t best = 99;
    o.batch = BATCH;
    o.train.rate = 3;
    ts_score after = with_options(&o, &best);
    assert_int_equal(best, 0);
    assert_true(after.mean_square == 0);
    free((void *)after.scores);
}

/* The best epoch survives in the checkpoint: going on from its end changes nothing. */
static void the_best_epoch_is_resumed(void **state) {
    (void)state;
    ts_arena *arena = ts_arena_new("test", 0);
    ts_diags diags = {.arena = arena};
    ts_finetune_options o = ts_finetune_defaults();
    const char *folder;
    uint32_t first = 0, second = 0;
    assert_int_equal(ts_dir_temporary(arena, &folder, &diags), TS_OK);
    o.batch = BATCH;
    o.train.epochs = 5;
    o.train.norm_epochs = 2;
    o.train.rate = 4e-3;
    o.train.schedule = TS_SCHEDULE_CONSTANT;
    o.train.checkpoint = ts_path_join(arena, folder, "checkpoint");
    ts_score a = with_options(&o, &first);
    o.train.resume = true;
    ts_score b = with_options(&o, &second);
    printf("the best of 5 epochs: %u\n", first);
    assert_true(first > 0);
    assert_int_equal(first, second);
    assert_memory_equal(a.scores, b.scores, (size_t)a.count * a.outputs * sizeof(float));
    free((void *)a.scores);
    free((void *)b.scores);
    assert_int_equal(ts_dir_remove(folder, &diags), TS_OK);
    ts_arena_free(arena);
}

/* How batch norms meet quanta: folded or kept, a quantum a channel or a layer, with or without a zero point.
 */
static const struct {
    bool keep, per_layer, asymmetric;
} grains[] = {{false, false, false}, {false, true, false}, {true, false, false},
              {true, true, false},   {false, false, true}, {true, false, true}};

enum { GRAINS = sizeof grains / sizeof grains[0] };

static ts_quant *quantise_grain(rig *r, uint32_t grain, bool floors) {
    ts_quant_options o = ts_quant_defaults();
    ts_quant *quant;
    o.weight_bits = 3;
    o.activation_bits = 4;
    o.nearest = true;
    o.keep_batch_norm = grains[grain].keep;
    o.per_layer = grains[grain].per_layer;
    o.asymmetric = grains[grain].asymmetric;
    o.floor_pools = floors;
    assert_int_equal(ts_quantize(r->m.arena, r->net, &r->data, &o, NULL, &quant, &r->m.diags), TS_OK);
    return quant;
}

/* Some of the numbers that a network has in its batch norms, told apart by the sum. */
static double mean_factor(const ts_quant *quant) {
    double sum = 0;
    for (uint32_t i = 0; i < quant->net->layers.count; i++) {
        for (uint32_t c = 0; quant->layers[i].bias != NULL && c < quant->net->layers.data[i].c; c++) {
            sum += fabs(quant->layers[i].bias[c]);
        }
    }
    return sum;
}

/* Batch norms that follow the batch first and are frozen then: what deploys is what was trained. */
static void norms_are_trained(void **state) {
    (void)state;
    for (uint32_t g = 0; g < GRAINS; g++) {
        rig r = new_rig();
        ts_quant *quant = quantise_grain(&r, g, g == 1);
        ts_finetune_options o = ts_finetune_defaults();
        uint32_t norms = 0, best;
        for (uint32_t i = 0; i < r.net->layers.count; i++) {
            norms += r.net->layers.data[i].norm.mean != NULL;
        }
        assert_int_equal(norms, 4);
        /* Brighter pictures than those that the statistics are of. */
        float *x = (float *)r.data.samples;
        for (uint64_t k = 0; k < (uint64_t)SAMPLES * SIDE * SIDE; k++) {
            x[k] = 0.6f * x[k] + 0.25f;
        }
        double before = score_integer(&r, quant).top1, factors = mean_factor(quant);
        o.batch = BATCH;
        o.distil = 0;
        o.train.epochs = epochs(12);
        o.train.rate = 4e-3;
        o.train.norm_epochs = epochs(8) - 1;
        assert_int_equal(ts_quant_finetune(quant, &r.data, &o, NULL, NULL, &best, &r.m.diags), TS_OK);
        ts_score fq = score_float(&r, quant, TS_STAGE_FQ), qd = score_float(&r, quant, TS_STAGE_QD);
        ts_score id = score_integer(&r, quant);
        printf("batch norms %s, %s%s: %.3f, then fq %.3f qd %.3f id %.3f\n",
               grains[g].keep ? "kept" : "folded",
               grains[g].per_layer ? "a quantum a layer" : "a quantum a channel",
               grains[g].asymmetric ? ", zero points" : "", before, fq.top1, qd.top1, id.top1);
        assert_true(TS_TEST_SANITIZED || (best > 0 && mean_factor(quant) != factors));
        assert_true(TS_TEST_SANITIZED || (id.top1 > 0.94 && id.top1 > before));
        assert_true(fabs(fq.top1 - id.top1) <= 0.0126 && fabs(qd.top1 - id.top1) <= 0.0126);
        ts_arena_free(r.m.arena);
    }
}

/* Statistics are part of what is undone: training starts from the very network, and leaves it so. */
static void harmed_norms_are_undone(void **state) {
    (void)state;
    for (uint32_t g = 0; g < GRAINS; g++) {
        rig r = new_rig();
        ts_quant *quant = quantise_grain(&r, g, false);
        ts_finetune_options o = ts_finetune_defaults();
        uint32_t best = 99;
        ts_score before = score_integer(&r, quant);
        o.batch = BATCH;
        o.train.rate = 3;
        o.train.norm_epochs = UINT32_MAX;
        assert_int_equal(ts_quant_finetune(quant, &r.data, &o, NULL, NULL, &best, &r.m.diags), TS_OK);
        assert_int_equal(best, 0);
        ts_score after = score_integer(&r, quant);
        assert_memory_equal(before.scores, after.scores,
                            (size_t)before.count * before.outputs * sizeof(float));
        ts_arena_free(r.m.arena);
    }
}

/* A batch norm that no linear layer takes in: its shift is trained and deployed. */
static void shifts_of_affine_layers_deploy(void **state) {
    (void)state;
    maker m = new_maker(11);
    ts_data data = make_data(&m);
    ts_tensor_id x = input(&m, 4, (const uint32_t[]){1, SIDE, SIDE, 1});
    x = simple(&m, TS_FOP_RELU, conv(&m, x, 8, 3, 1, 1, true));
    ts_fnode sum = {.op = TS_FOP_ADD, .input_count = 2, .inputs = {x}};
    sum.inputs[1] = conv(&m, x, 8, 3, 1, 1, true);
    x = simple(&m, TS_FOP_RELU, norm(&m, node(&m, &sum, NULL)));
    output(&m, linear(&m, pool(&m, TS_FOP_MAX_POOL, x, false), CLASSES, true));
    rig r = {.m = m, .data = data};
    ts_finetune_options o = ts_finetune_defaults();
    assert_int_equal(ts_qnet_read(m.arena, m.graph, &r.net, &r.m.diags), TS_OK);
    ts_quant *quant = quantise(&r, 8, 8);
    o.batch = BATCH;
    o.distil = 0;
    o.train.rate = 1e-2;
    o.train.epochs = epochs(12);
    assert_int_equal(ts_quant_finetune(quant, &r.data, &o, NULL, NULL, NULL, &r.m.diags), TS_OK);
    double moved = 0;
    for (uint32_t i = 0; i < r.net->layers.count; i++) {
        const ts_qlayer *l = &r.net->layers.data[i];
        for (uint32_t c = 0; l->kind == TS_QUANT_AFFINE && c < l->c; c++) {
            moved += fabs(quant->layers[i].bias[c] - (double)l->bias[c]);
        }
    }
    ts_score fq = score_float(&r, quant, TS_STAGE_FQ), id = score_integer(&r, quant);
    printf("a batch norm behind a sum: fq %.3f id %.3f\n", fq.top1, id.top1);
    assert_true(moved > 0 && fabs(fq.top1 - id.top1) <= 0.0126);
    assert_true(TS_TEST_SANITIZED || id.top1 > 0.94);
    ts_arena_free(r.m.arena);
}

static void same_bits_every_time(void **state) {
    (void)state;
    rig a = train_rig(), b = train_rig();
    ts_quant *one = quantise(&a, 4, 4), *two = quantise(&b, 4, 4);
    tune(&a, one, 0.5);
    tune(&b, two, 0.5);
    ts_score x = score_integer(&a, one), y = score_integer(&b, two);
    assert_memory_equal(x.scores, y.scores, (size_t)x.count * x.outputs * sizeof *x.scores);
    ts_arena_free(a.m.arena);
    ts_arena_free(b.m.arena);
}

int main(void) {
    if (!ts_train_available()) {
        printf("built without oneDNN: skipped\n");
        return TS_TEST_SKIP;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(few_bits_are_mended),
        cmocka_unit_test(labels_are_not_needed),
        cmocka_unit_test(numbers_deploy_as_they_are),
        cmocka_unit_test(zero_points_are_kept),
        cmocka_unit_test(harm_is_undone),
        cmocka_unit_test(the_best_epoch_is_resumed),
        cmocka_unit_test(norms_are_trained),
        cmocka_unit_test(harmed_norms_are_undone),
        cmocka_unit_test(shifts_of_affine_layers_deploy),
        cmocka_unit_test(same_bits_every_time),
    };
    return cmocka_run_group_tests(tests, NULL, free_first_rig);
}
