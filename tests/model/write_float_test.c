/* Float graphs written as ONNX: what is read back computes the same. */
#include "model/float_model.h"
#include "num/float.h"
#include "train/maker.h"

enum { SIDE = 8, DEPTH = 3 };

static void fill(maker *m, float *x, uint64_t count) {
    for (uint64_t i = 0; i < count; i++) {
        x[i] = noise(m);
    }
}

/* Largest difference of the first outputs over a few inputs. Both graphs read channels-last pictures. */
static double difference(maker *m, const ts_fgraph *a, const ts_fgraph *b) {
    const ts_ftensor *in = &a->tensors.data[a->inputs.data[0]], *other = &b->tensors.data[b->inputs.data[0]];
    ts_tensor_id ya = a->outputs.data[0], yb = b->outputs.data[0];
    uint64_t count = ts_ftensor_elements(&a->tensors.data[ya]);
    ts_fsession *sa = ts_fsession_new(m->arena, a), *sb = ts_fsession_new(m->arena, b);
    float *x = TS_NEW_ARRAY(m->arena, float, ts_ftensor_elements(in));
    double worst = 0, size = 0;
    assert_int_equal(ts_ftensor_elements(in), ts_ftensor_elements(other));
    assert_int_equal(in->layout, other->layout);
    assert_int_equal(count, ts_ftensor_elements(&b->tensors.data[yb]));
    assert_string_equal(a->tensors.data[ya].name, b->tensors.data[yb].name);
    for (uint32_t n = 0; n < 3; n++) {
        fill(m, x, ts_ftensor_elements(in));
        ts_fsession_run(sa, (const float *const[]){x});
        ts_fsession_run(sb, (const float *const[]){x});
        for (uint64_t i = 0; i < count; i++) {
            worst = fmax(worst,
                         fabs((double)ts_fsession_value(sa, ya)[i] - (double)ts_fsession_value(sb, yb)[i]));
            size = fmax(size, fabs((double)ts_fsession_value(sa, ya)[i]));
        }
    }
    assert_true(size > 0);
    return worst / size;
}

static ts_fgraph *write_and_read(maker *m, const ts_fgraph *graph) {
    const char *folder;
    ts_fgraph *back = NULL;
    assert_int_equal(ts_dir_temporary(m->arena, &folder, &m->diags), TS_OK);
    const char *path = ts_path_join(m->arena, folder, "net.onnx");
    assert_int_equal(ts_float_model_write(graph, path, &m->diags), TS_OK);
    ts_status status = ts_float_model_read(m->arena, path, NULL, &back, &m->diags);
    if (status != TS_OK) {
        ts_diag_print(stdout, &m->diags.list.data[m->diags.list.count - 1]);
    }
    assert_int_equal(status, TS_OK);
    ts_fgraph_fold(back);
    assert_int_equal(ts_dir_remove(folder, &m->diags), TS_OK);
    return back;
}

static void every_operator_comes_back(void **state) {
    (void)state;
    maker m = new_maker(4);
    ts_tensor_id x = input(&m, 4, (const uint32_t[]){1, SIDE, SIDE, DEPTH}), a, b;
    x = simple(&m, TS_FOP_RELU, norm(&m, conv(&m, x, 8, 3, 1, 1, true)));
    a = simple(&m, TS_FOP_HARD_SWISH, conv(&m, x, 8, 3, 1, 8, false));
    b = simple(&m, TS_FOP_CLIP, conv(&m, x, 8, 1, 1, 2, true));
    ts_fnode sum = {.op = TS_FOP_ADD, .input_count = 2, .inputs = {a, b}};
    a = node(&m, &sum, NULL);
    ts_fnode mean = {.op = TS_FOP_REDUCE_MEAN, .input_count = 1, .inputs = {a}, .axes = 6, .keep_dims = true};
    ts_fnode gate = {.op = TS_FOP_MUL, .input_count = 2, .inputs = {a}};
    gate.inputs[1] = simple(&m, TS_FOP_HARD_SIGMOID, node(&m, &mean, NULL));
    ts_fnode join = {.op = TS_FOP_CONCAT, .input_count = 2, .inputs = {node(&m, &gate, NULL), b}, .axis = 3};
    uint32_t sixteen = 16;
    ts_fnode shift = {.op = TS_FOP_SUB, .input_count = 2, .inputs = {node(&m, &join, NULL)}};
    shift.inputs[1] = constant(&m, 1, &sixteen, 0.5f, 0.0f);
    ts_fnode pad = {
        .op = TS_FOP_PAD, .input_count = 1, .inputs = {node(&m, &shift, NULL)}, .begin = {0, 2, 1, 0}};
    x = pool(&m, TS_FOP_AVG_POOL, pool(&m, TS_FOP_MAX_POOL, node(&m, &pad, NULL), false), true);
    ts_fnode turn = {.op = TS_FOP_TRANSPOSE,
                     .input_count = 1,
                     .inputs = {simple(&m, TS_FOP_TANH, x)},
                     .perm = {0, 3, 1, 2}};
    x = linear(&m, simple(&m, TS_FOP_LEAKY_RELU, node(&m, &turn, NULL)), 7, false);
    x = linear(&m, simple(&m, TS_FOP_SIGMOID, x), 5, true);
    ts_fnode soft = {.op = TS_FOP_SOFTMAX, .input_count = 1, .inputs = {x}, .axis = 1};
    output(&m, node(&m, &soft, NULL));
    assert_true(difference(&m, m.graph, write_and_read(&m, m.graph)) < 1e-6);
    ts_arena_free(m.arena);
}

/* Flattened in our own order: the file has to turn the map. */
static void rows_are_turned(void **state) {
    (void)state;
    maker m = new_maker(5);
    ts_tensor_id x = input(&m, 4, (const uint32_t[]){1, SIDE, SIDE, DEPTH});
    output(&m, linear(&m, conv(&m, x, 4, 3, 2, 1, true), 5, true));
    assert_true(difference(&m, m.graph, write_and_read(&m, m.graph)) < 1e-6);
    ts_arena_free(m.arena);
}

static void one_dimension_comes_back(void **state) {
    (void)state;
    maker m = new_maker(6);
    ts_tensor_id x = input(&m, 3, (const uint32_t[]){1, 16, 4});
    ts_fnode n = {.op = TS_FOP_CONV, .input_count = 2, .groups = 1, .inputs = {x}};
    n.window = (ts_window){
        .kernel_h = 1, .stride_h = 1, .dilation_h = 1, .kernel_w = 3, .stride_w = 2, .dilation_w = 2};
    n.window.pad_left = 4;
    n.inputs[1] = constant(&m, 3, (const uint32_t[]){6, 3, 4}, 0.3f, 0.0f);
    output(&m, linear(&m, simple(&m, TS_FOP_RELU, node(&m, &n, NULL)), 3, true));
    assert_true(difference(&m, m.graph, write_and_read(&m, m.graph)) < 1e-6);
    ts_arena_free(m.arena);
}

static void real_networks_come_back(void **state) {
    static const char *const names[] = {"mlperf-tiny-ic/resnet8_fp32.onnx",
                                        "kws-hello-edge/DS_CNN_S.onnx",
                                        "kws-hello-edge/CNN_S.onnx",
                                        "mnist/mnist-8.onnx",
                                        "fer2013/fer2013_mini_xception_64.onnx",
                                        "cifar10-caffe-cmsisnn/cifar10_m7.onnx"};
    (void)state;
    if (ts_test_shared() == NULL) {
        skip();
    }
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        maker m = new_maker(i);
        ts_fgraph *graph;
        const char *models = ts_path_join(m.arena, ts_test_shared(), "models");
        assert_int_equal(
            ts_float_model_read(m.arena, ts_path_join(m.arena, models, names[i]), NULL, &graph, &m.diags),
            TS_OK);
        ts_fgraph_fold(graph);
        assert_true(difference(&m, graph, write_and_read(&m, graph)) < 1e-6);
        ts_arena_free(m.arena);
    }
}

static void grids_are_refused(void **state) {
    (void)state;
    maker m = new_maker(7);
    ts_tensor_id x = input(&m, 2, (const uint32_t[]){1, 4});
    ts_fnode grid = {.op = TS_FOP_FAKE_QUANT, .input_count = 1, .inputs = {x}, .scale = 1, .high = 3};
    output(&m, node(&m, &grid, NULL));
    assert_int_equal(ts_float_model_write(m.graph, "/nonexistent/net.onnx", &m.diags), TS_BAD_INPUT);
    ts_arena_free(m.arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_operator_comes_back), cmocka_unit_test(rows_are_turned),
        cmocka_unit_test(one_dimension_comes_back),  cmocka_unit_test(real_networks_come_back),
        cmocka_unit_test(grids_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
