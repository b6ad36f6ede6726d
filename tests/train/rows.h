/* A small task and a network that has learned it: rows, columns, diagonals, or nothing, in noise. */
#ifndef TS_TESTS_TRAIN_ROWS_H
#define TS_TESTS_TRAIN_ROWS_H

#include "maker.h"
#include "quant/net.h"

enum { SIDE = 10, SAMPLES = 320, CLASSES = 4, BATCH = 16 };

/* Bright rows, columns, diagonals, or nothing, in noise. */
static inline ts_data make_data(maker *m) {
    static const double zero = 0, one = 1;
    float *x = TS_NEW_ARRAY(m->arena, float, SAMPLES *SIDE *SIDE);
    int32_t *labels = TS_NEW_ARRAY(m->arena, int32_t, SAMPLES);
    uint32_t *order = TS_NEW_ARRAY(m->arena, uint32_t, SAMPLES);
    for (uint32_t n = 0; n < SAMPLES; n++) {
        uint32_t at = (uint32_t)ts_random_range(&m->random, 0, SIDE - 1);
        order[n] = n;
        labels[n] = (int32_t)(n % CLASSES);
        for (uint32_t i = 0; i < SIDE * SIDE; i++) {
            uint32_t y = i / SIDE, c = i % SIDE;
            bool lit = labels[n] == 0   ? y == at
                       : labels[n] == 1 ? c == at
                                        : labels[n] == 2 && (y + c) % SIDE == at;
            x[n * SIDE * SIDE + i] = 0.6f * noise(m) + (lit ? 0.8f : 0.0f);
        }
    }
    ts_data d = {.count = SAMPLES, .h = SIDE, .w = SIDE, .c = 1, .type = TS_DATA_F32, .samples = x};
    d.labels = labels;
    d.order = order;
    d.preprocess = (ts_preprocess){.count = 1, .mean = &zero, .scale = &one};
    return d;
}

/* Depthwise and plain convolutions, a residual sum, both pools. */
static inline void make_network(maker *m) {
    ts_tensor_id x = input(m, 4, (const uint32_t[]){1, SIDE, SIDE, 1});
    x = simple(m, TS_FOP_RELU, norm(m, conv(m, x, 8, 3, 1, 1, false)));
    ts_fnode sum = {.op = TS_FOP_ADD, .input_count = 2, .inputs = {x}};
    sum.inputs[1] = norm(m, conv(m, x, 8, 3, 1, 1, false));
    x = simple(m, TS_FOP_RELU, node(m, &sum, NULL));
    x = pool(m, TS_FOP_MAX_POOL, x, false);
    x = simple(m, TS_FOP_RELU, norm(m, conv(m, x, 8, 3, 1, 8, false)));
    x = simple(m, TS_FOP_RELU, norm(m, conv(m, x, 12, 1, 1, 1, false)));
    ts_fnode mean = {.op = TS_FOP_REDUCE_MEAN, .input_count = 1, .inputs = {x}, .axes = 6, .keep_dims = true};
    output(m, linear(m, node(m, &mean, NULL), CLASSES, true));
}

typedef struct rig {
    maker m;
    ts_data data;
    ts_fgraph *trained;
    ts_qnet *net;
    double exact; /* share of right answers of the float network */
} rig;

static inline rig prepare_rig(void) {
    rig r = {.m = new_maker(9)};
    make_network(&r.m);
    r.data = make_data(&r.m);
    return r;
}

static inline rig train_rig(void) {
    rig r = prepare_rig();
    ts_train_options o = ts_train_defaults();
    ts_trainer *t = train(&r.m, BATCH);
    ts_trainer_initialise(t, 2);
    o.epochs = 15;
    o.rate = 1e-2;
    assert_int_equal(ts_train(t, &r.data, &o, NULL, NULL, NULL, &r.m.diags), TS_OK);
    assert_int_equal(ts_trainer_accuracy(t, &r.data, NULL, &r.exact, &r.m.diags), TS_OK);
    r.trained = ts_trainer_export(t, r.m.arena, false);
    ts_trainer_free(t);
    assert_int_equal(ts_qnet_read(r.m.arena, r.trained, &r.net, &r.m.diags), TS_OK);
    return r;
}

static rig first_rig;

/* What train_rig makes, trained once a program. free_first_rig() gives it back after the last test. */
static inline rig new_rig(void) {
    if (first_rig.net == NULL) {
        first_rig = train_rig();
    }
    rig r = prepare_rig();
    r.trained = first_rig.trained;
    r.exact = first_rig.exact;
    assert_int_equal(ts_qnet_read(r.m.arena, r.trained, &r.net, &r.m.diags), TS_OK);
    return r;
}

static inline int free_first_rig(void **state) {
    (void)state;
    ts_arena_free(first_rig.m.arena);
    return 0;
}

#endif
