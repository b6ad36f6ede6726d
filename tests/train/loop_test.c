/* The loop: it learns, hooks are called, the same seed gives the same bits, a checkpoint goes on where it
 * stopped. */
#include "maker.h"

enum { SIDE = 8, SAMPLES = 96, CLASSES = 3, BATCH = 16 };

/* Pictures of a bright row, a bright column, or neither, in noise. */
static ts_data make_data(maker *m) {
    static const double zero = 0, one = 1;
    float *x = TS_NEW_ARRAY(m->arena, float, SAMPLES *SIDE *SIDE);
    int32_t *labels = TS_NEW_ARRAY(m->arena, int32_t, SAMPLES);
    uint32_t *order = TS_NEW_ARRAY(m->arena, uint32_t, SAMPLES);
    for (uint32_t n = 0; n < SAMPLES; n++) {
        uint32_t at = (uint32_t)ts_random_range(&m->random, 0, SIDE - 1);
        order[n] = n;
        labels[n] = (int32_t)(n % CLASSES);
        for (uint32_t i = 0; i < SIDE * SIDE; i++) {
            bool lit = labels[n] == 0 ? i / SIDE == at : labels[n] == 1 && i % SIDE == at;
            x[n * SIDE * SIDE + i] = 0.5f * noise(m) + (lit ? 1.0f : 0.0f);
        }
    }
    ts_data d = {.count = SAMPLES, .h = SIDE, .w = SIDE, .c = 1, .type = TS_DATA_F32, .samples = x};
    d.labels = labels;
    d.order = order;
    d.preprocess = (ts_preprocess){.count = 1, .mean = &zero, .scale = &one};
    return d;
}

static maker make_network(void) {
    maker m = new_maker(5);
    ts_tensor_id x = input(&m, 4, (const uint32_t[]){1, SIDE, SIDE, 1});
    x = simple(&m, TS_FOP_RELU, norm(&m, conv(&m, x, 8, 3, 1, 1, false)));
    x = simple(&m, TS_FOP_RELU, norm(&m, conv(&m, x, 8, 3, 2, 8, false)));
    output(&m, linear(&m, x, CLASSES, true));
    return m;
}

typedef struct watch {
    uint32_t projected, pulled, stepped, epochs;
    double loss, right;
} watch;

static void project(void *object, ts_trainer *t) {
    (void)t;
    ((watch *)object)->projected++;
}
static void pull_back(void *object, ts_trainer *t) {
    (void)t;
    ((watch *)object)->pulled++;
}
static void stepped(void *object, ts_trainer *t) {
    (void)t;
    ((watch *)object)->stepped++;
}
static void epoch_ended(void *object, ts_trainer *t, uint32_t epoch) {
    (void)t;
    assert_true(epoch > ((watch *)object)->epochs);
    ((watch *)object)->epochs = epoch;
}
static void report(void *object, const ts_epoch *e) {
    ((watch *)object)->loss = e->loss;
    ((watch *)object)->right = e->right;
}

/* Trains anew; the values of all parameters, one behind the other, are copied to `out`. */
static watch run(const ts_train_options *o, float *out, uint64_t *count, ts_status expected) {
    maker m = make_network();
    ts_data data = make_data(&m);
    ts_trainer *t = train(&m, BATCH);
    watch w = {0};
    ts_train_hooks hooks = {&w, project, pull_back, stepped, epoch_ended, NULL};
    ts_train_log log = {report, &w};
    ts_trainer_initialise(t, 3);
    assert_int_equal(ts_train(t, &data, o, &hooks, NULL, &log, &m.diags), expected);
    uint32_t params;
    ts_param *p = ts_trainer_params(t, &params);
    *count = 0;
    for (uint32_t i = 0; i < params; i++) {
        memcpy(out + *count, p[i].value, p[i].count * sizeof *out);
        *count += p[i].count;
    }
    ts_trainer_free(t);
    ts_arena_free(m.arena);
    return w;
}

static float first[4096], second[4096];

static void it_learns(void **state) {
    (void)state;
    for (uint32_t k = 0; k < 2; k++) {
        ts_train_options o = ts_train_defaults();
        uint64_t count;
        o.optimiser = k == 0 ? TS_OPTIMISER_ADAM : TS_OPTIMISER_SGD;
        o.rate = k == 0 ? 1e-2 : 5e-2;
        o.decay = 1e-4;
        o.epochs = 12;
        watch w = run(&o, first, &count, TS_OK);
        assert_true(w.right > 0.9);
        assert_true(w.loss < 0.4);
        assert_int_equal(w.projected, 12 * (SAMPLES / BATCH));
        assert_int_equal(w.pulled, w.projected);
        assert_int_equal(w.stepped, w.projected);
        assert_int_equal(w.epochs, 12);
    }
}

/* Sum of the running statistics after each epoch. */
typedef struct norms {
    double sums[8];
} norms;

static void sum_statistics(void *object, ts_trainer *t, uint32_t epoch) {
    const ts_fgraph *g = ts_trainer_graph(t);
    for (uint32_t i = 0; i < g->nodes.count; i++) {
        const ts_fnode *n = &g->nodes.data[i];
        for (uint32_t k = 3; n->op == TS_FOP_BATCH_NORM && k < 5; k++) {
            for (uint32_t c = 0; c < g->tensors.data[n->inputs[k]].dims[0]; c++) {
                ((norms *)object)->sums[epoch] += (double)ts_trainer_value(t, n->inputs[k])[c];
            }
        }
    }
}

/* Statistics follow the batch for two epochs and stay then. */
static void norms_freeze(void **state) {
    (void)state;
    maker m = make_network();
    ts_data data = make_data(&m);
    ts_trainer *t = train(&m, BATCH);
    ts_train_options o = ts_train_defaults();
    norms n = {0};
    ts_train_hooks hooks = {.object = &n, .epoch = sum_statistics};
    o.epochs = 4;
    o.norm_epochs = 2;
    sum_statistics(&n, t, 0);
    assert_int_equal(ts_train(t, &data, &o, &hooks, NULL, NULL, &m.diags), TS_OK);
    assert_true(n.sums[0] != n.sums[1] && n.sums[1] != n.sums[2]);
    assert_true(n.sums[2] == n.sums[3] && n.sums[3] == n.sums[4]);
    ts_trainer_free(t);
    ts_arena_free(m.arena);
}

static void same_seed_same_bits(void **state) {
    (void)state;
    ts_train_options o = ts_train_defaults();
    uint64_t count, again;
    o.epochs = 2;
    o.flip = true;
    o.shift = 1;
    run(&o, first, &count, TS_OK);
    run(&o, second, &again, TS_OK);
    assert_int_equal(count, again);
    assert_memory_equal(first, second, count * sizeof *first);
    o.seed = 2;
    run(&o, second, &again, TS_OK);
    assert_memory_not_equal(first, second, count * sizeof *first);
}

/* Four epochs at once, and three of them resumed from a checkpoint of the first, give the same bits. The run
 * that stops is the same task: the checkpoint of epoch 1 is taken from its folder before epoch 2 replaces it.
 */
typedef struct keeper {
    const char *from, *to;
    maker *m;
} keeper;

static void keep_first(void *object, const ts_epoch *e) {
    keeper *k = object;
    ts_bytes file;
    if (e->epoch == 1) {
        assert_int_equal(ts_file_read(k->m->arena, k->from, 1 << 20, &file, &k->m->diags), TS_OK);
        assert_int_equal(ts_file_write(k->to, file.data, file.size, &k->m->diags), TS_OK);
    }
}

static void checkpoints_resume(void **state) {
    (void)state;
    maker m = make_network();
    ts_data data = make_data(&m);
    const char *folder;
    uint64_t count;
    assert_int_equal(ts_dir_temporary(m.arena, &folder, &m.diags), TS_OK);
    keeper k = {ts_path_join(m.arena, folder, "a"), ts_path_join(m.arena, folder, "b"), &m};
    ts_train_options o = ts_train_defaults();
    o.epochs = 4;
    o.shift = 2;
    o.checkpoint = k.from;
    ts_train_log log = {keep_first, &k};
    ts_trainer *t = train(&m, BATCH);
    ts_trainer_initialise(t, 3);
    assert_int_equal(ts_train(t, &data, &o, NULL, NULL, &log, &m.diags), TS_OK);
    ts_trainer_free(t);
    o.checkpoint = NULL;
    run(&o, first, &count, TS_OK);
    o.checkpoint = k.to;
    o.resume = true;
    watch w = run(&o, second, &count, TS_OK);
    assert_int_equal(w.projected, 3 * (SAMPLES / BATCH));
    assert_memory_equal(first, second, count * sizeof *first);
    o.rate = 1e-4; /* another task */
    run(&o, second, &count, TS_BAD_INPUT);
    assert_int_equal(ts_dir_remove(folder, &m.diags), TS_OK);
    ts_arena_free(m.arena);
}

/* An image of its own: the network computes with it, the optimiser moves the value. */
static void zero_half(void *object, ts_trainer *t) {
    uint32_t count;
    ts_param *p = ts_trainer_params(t, &count);
    (void)object;
    for (uint64_t i = 0; i < p->count; i++) {
        p->image[i] = i % 2 == 0 ? p->value[i] : 0.0f;
    }
}

static void images_are_what_is_computed_with(void **state) {
    (void)state;
    maker m = make_network();
    ts_data data = make_data(&m);
    ts_trainer *t = train(&m, BATCH);
    uint32_t count;
    ts_param *p = ts_trainer_params(t, &count);
    ts_trainer_split(t, p);
    ts_train_hooks hooks = {.project = zero_half};
    ts_train_options o = ts_train_defaults();
    double before, after;
    o.epochs = 8;
    o.rate = 1e-2;
    assert_int_equal(ts_trainer_accuracy(t, &data, &hooks, &before, &m.diags), TS_OK);
    assert_int_equal(ts_train(t, &data, &o, &hooks, NULL, NULL, &m.diags), TS_OK);
    assert_int_equal(ts_trainer_accuracy(t, &data, &hooks, &after, &m.diags), TS_OK);
    assert_true(after > before && after > 0.8);
    const ts_fgraph *values = ts_trainer_export(t, m.arena, false),
                    *images = ts_trainer_export(t, m.arena, true);
    const float *a = values->tensors.data[p->tensor].data, *b = images->tensors.data[p->tensor].data;
    assert_true(a[1] != 0.0f);
    assert_true(b[1] == 0.0f && b[0] == a[0]);
    ts_trainer_free(t);
    ts_arena_free(m.arena);
}

static void bad_tasks_are_refused(void **state) {
    (void)state;
    maker m = make_network();
    ts_data data = make_data(&m);
    ts_trainer *t = train(&m, BATCH);
    ts_train_options o = ts_train_defaults();
    int32_t wrong[SAMPLES] = {CLASSES};
    ts_data bad = data;
    bad.labels = wrong;
    assert_int_equal(ts_train(t, &bad, &o, NULL, NULL, NULL, &m.diags), TS_BAD_INPUT);
    bad = data;
    bad.labels = NULL;
    assert_int_equal(ts_train(t, &bad, &o, NULL, NULL, NULL, &m.diags), TS_BAD_INPUT);
    bad = data;
    bad.count = BATCH - 1;
    assert_int_equal(ts_train(t, &bad, &o, NULL, NULL, NULL, &m.diags), TS_BAD_INPUT);
    o.rate = 1e30;
    o.optimiser = TS_OPTIMISER_SGD;
    assert_int_equal(ts_train(t, &data, &o, NULL, NULL, NULL, &m.diags), TS_BAD_INPUT);
    ts_trainer_free(t);
    ts_arena_free(m.arena);
}

int main(void) {
    if (!ts_train_available()) {
        printf("built without oneDNN: skipped\n");
        return TS_TEST_SKIP;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_learns),
        cmocka_unit_test(norms_freeze),
        cmocka_unit_test(same_seed_same_bits),
        cmocka_unit_test(checkpoints_resume),
        cmocka_unit_test(images_are_what_is_computed_with),
        cmocka_unit_test(bad_tasks_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
