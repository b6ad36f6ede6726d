/* What the everyday files of TensorFlow Lite have besides layers: shapes that are computed, tensors that are
 * packed and unpacked, variables; and what is refused by its name. */
#include <math.h>
#include <string.h>

#include "base/random.h"
#include "flat_maker.h"
#include "harness.h"
#include "model/tflite.h"
#include "num/float.h"
#include "num/integer.h"

enum { INT32 = 2, INT16 = 7, INT8 = 9, ROUNDS = 50 };

static ts_graph *import_fresh(ts_arena *arena, ts_bytes file) {
    ts_diags diags = {.arena = arena};
    ts_graph *graph;
    ts_status status = ts__tflite_import(arena, file, "made", NULL, &graph, &diags);
    for (uint32_t i = 0; i < diags.list.count && status != TS_OK; i++) {
        ts_diag_print(stderr, &diags.list.data[i]);
    }
    assert_int_equal(status, TS_OK);
    return graph;
}

/* The import ends with an error that has this text. */
static void refused(ts_bytes file, const char *text) {
    ts_diags diags = {.arena = ts_arena_new("test", 0)};
    ts_graph *graph;
    assert_int_equal(ts__tflite_import(diags.arena, file, "made", NULL, &graph, &diags), TS_BAD_INPUT);
    ts_text all = {.arena = diags.arena};
    for (uint32_t i = 0; i < diags.list.count; i++) {
        const ts_diag *d = &diags.list.data[i];
        ts_text_printf(&all, "%s (%s): %s\n", d->node, d->op, d->text);
    }
    if (strstr(all.data, text) == NULL) {
        fail_msg("\"%s\" is not in: %s", text, all.data);
    }
    ts_arena_free(diags.arena);
}

static int32_t bounded(int32_t x, int32_t low, int32_t high) { return x < low ? low : x > high ? high : x; }

/* The model of tfm_shapes(): its rows and columns are 2 x 6, two channels each. */
static void shapes_are_computed(void **state) {
    (void)state;
    static flat_maker maker;
    ts_arena *arena = ts_arena_new("test", 0);
    ts_graph *graph = import_fresh(arena, tfm_shapes(&maker));
    ts_random random = ts_random_seed(5);
    for (int round = 0; round < ROUNDS; round++) {
        int32_t x[24], **values;
        const int32_t *inputs[1] = {x};
        ts_diags diags = {.arena = arena};
        for (int i = 0; i < 24; i++) {
            x[i] = (int32_t)ts_random_range(&random, -128, 127);
        }
        assert_int_equal(ts_integer_run(graph, arena, inputs, &values, &diags), TS_OK);
        const int32_t *y = values[graph->outputs.data[0]];
        for (int i = 0; i < 4; i++) { /* part i / 2 of a pixel, channel i % 2 */
            int32_t largest = -128;
            for (int w = 0; w < 6; w++) {
                int32_t v = x[(i / 2 * 6 + w) * 2 + i % 2];
                v = i / 2 == 0 ? bounded(v, -128, 40) : bounded(v, -20, 127);
                largest = v > largest ? v : largest;
            }
            assert_int_equal(y[i], largest);
        }
    }
    ts_arena_free(arena);
}

/* The model of tfm_stream(): what the variable holds behind one step is what the next one gets. */
static void variables_are_inputs_and_outputs(void **state) {
    (void)state;
    static flat_maker maker;
    ts_arena *arena = ts_arena_new("test", 0);
    ts_graph *graph = import_fresh(arena, tfm_stream(&maker));
    assert_int_equal(graph->inputs.count, 2);
    assert_int_equal(graph->outputs.count, 2);
    assert_string_equal(graph->tensors.data[graph->inputs.data[1]].name, "before");
    assert_string_equal(graph->tensors.data[graph->outputs.data[1]].name, "behind");
    ts_random random = ts_random_seed(6);
    int32_t held[6], samples[3 * (2 + ROUNDS)];
    for (int i = 0; i < 3 * (2 + ROUNDS); i++) {
        samples[i] = i < 6 ? -3 : (int32_t)ts_random_range(&random, -128, 127);
    }
    memcpy(held, samples, sizeof held);
    for (int step = 0; step < ROUNDS; step++) {
        int32_t **values;
        const int32_t *inputs[2] = {samples + 3 * (step + 2), held};
        ts_diags diags = {.arena = arena};
        assert_int_equal(ts_integer_run(graph, arena, inputs, &values, &diags), TS_OK);
        memcpy(held, values[graph->outputs.data[1]], sizeof held);
        assert_memory_equal(held, samples + 3 * (step + 1), sizeof held);
        int32_t sum = 50;
        for (int i = 0; i < 9; i++) {
            sum += (i % 2 == 0 ? 1 + i : -1 - i) * (samples[3 * step + i] + 3);
        }
        double real = sum * 0.0005 / 0.1 + 4;
        int32_t y = values[graph->outputs.data[0]][0];
        assert_true(y - real < 0.51 && real - y < 0.51);
    }
    ts_arena_free(arena);
}

/* The model of tfm_dilated(), its real values: step i of the result reads steps i - 2 and i + 1. */
static double dilated(const double *x, int step, int channel) {
    double sum = channel == 0 ? 1.86 : -0.04;
    for (int k = 0; k < 4; k++) {
        int at = step - 2 + k / 2 * 3, tap = channel * 4 + k;
        sum += at < 0 || at >= 10 ? 0 : (tap % 2 == 0 ? 0.1 : -0.1) * (tap + 1) * x[at * 2 + k % 2];
    }
    return sum;
}

static void batches_of_space_are_dilations(void **state) {
    (void)state;
    static flat_maker maker;
    ts_arena *arena = ts_arena_new("test", 0);
    ts_graph *graph = import_fresh(arena, tfm_dilated(&maker));
    ts_random random = ts_random_seed(7);
    ts_fgraph *real;
    ts_diags diags = {.arena = arena};
    assert_int_equal(ts__tflite_float_import(arena, tfm_dilated_of(&maker, 0), "made", &real, &diags), TS_OK);
    for (int round = 0; round < ROUNDS; round++) {
        int32_t codes[20], **values;
        float floats[20];
        double x[20];
        const int32_t *inputs[1] = {codes};
        for (int i = 0; i < 20; i++) {
            codes[i] = (int32_t)ts_random_range(&random, -60, 60);
            x[i] = 0.05 * (codes[i] + 3);
            floats[i] = (float)x[i];
        }
        assert_int_equal(ts_integer_run(graph, arena, inputs, &values, &diags), TS_OK);
        ts_fsession *session = ts_fsession_new(arena, real);
        ts_fsession_run(session, (const float *const[]){floats});
        const float *z = ts_fsession_value(session, real->outputs.data[0]);
        const int32_t *y = values[graph->outputs.data[0]];
        for (int i = 0; i < 22; i++) {
            double wanted = dilated(x, i / 2, i % 2);
            assert_true(fabs((double)z[i] - wanted) < 1e-5);
            assert_true(fabs(y[i] + 9 - wanted / 0.08) < 1.3 || y[i] == 127 || y[i] == -128);
        }
    }
    ts_arena_free(arena);
}

/* PADV2 with a number that is not 0, on both sides of the columns, of integers and of floats. */
static void padding_has_a_number(void **state) {
    (void)state;
    static flat_maker maker;
    static const int32_t pads[8] = {0, 0, 0, 0, 2, 1, 0, 0};
    static const int8_t code[1] = {-128};
    static const float number[1] = {-6.4f};
    ts_arena *arena = ts_arena_new("test", 0);
    ts_diags diags = {.arena = arena};
    tfm_tensor tensors[4] = {{"x", 4, {1, 1, 2, 1}, INT8, NULL, 0, 1, {0.05f}, 0, 0},
                             {"pads", 2, {4, 2}, INT32, pads, 32, 0, {0}, 0, 0},
                             {"number", 0, {0}, INT8, code, 1, 1, {0.05f}, 0, 0},
                             {"y", 4, {1, 1, 5, 1}, INT8, NULL, 0, 1, {0.05f}, 0, 0}};
    const tfm_operator op = {60, 3, {0, 1, 2}, 3, 0, {0}};
    ts_graph *graph = import_fresh(arena, tfm_write(&maker, tensors, 4, &op, 1));
    const int32_t x[2] = {5, -7}, *inputs[1] = {x}, right[5] = {-128, -128, 5, -7, -128};
    int32_t **values;
    assert_int_equal(ts_integer_run(graph, arena, inputs, &values, &diags), TS_OK);
    assert_memory_equal(values[graph->outputs.data[0]], right, sizeof right);
    tensors[2].scales[0] = 0.06f;
    refused(tfm_write(&maker, tensors, 4, &op, 1), "a constant number of its input's quantum");
    for (int i = 0; i < 4; i += i == 0 ? 2 : 1) {
        tensors[i].type = 0;
        tensors[i].scale_count = 0;
    }
    tensors[2].data = number;
    tensors[2].bytes = sizeof number;
    ts_fgraph *real;
    assert_int_equal(
        ts__tflite_float_import(arena, tfm_write(&maker, tensors, 4, &op, 1), "made", &real, &diags), TS_OK);
    const float floats[2] = {0.25f, -0.35f};
    ts_fsession *session = ts_fsession_new(arena, real);
    ts_fsession_run(session, (const float *const[]){floats});
    const float *z = ts_fsession_value(session, real->outputs.data[0]);
    for (int i = 0; i < 5; i++) {
        assert_true(z[i] == (i < 2 || i > 3 ? number[0] : floats[i - 2]));
    }
    ts_arena_free(arena);
}

/* What decodes detections at the end is left out: the tensors that it reads are outputs. */
static void decoders_are_left_out(void **state) {
    (void)state;
    static flat_maker maker;
    static const int8_t anchors[4] = {1, 2, 3, 4};
    const tfm_tensor tensors[5] = {
        {"x", 4, {1, 2, 2, 1}, INT8, NULL, 0, 1, {0.1f}, 0, 0},
        {"boxes", 4, {1, 2, 2, 1}, INT8, NULL, 0, 1, {0.1f}, 0, 0},
        {"scores", 4, {1, 2, 2, 1}, INT8, NULL, 0, 1, {0.1f}, 0, 0},
        {"anchors", 2, {1, 4}, INT8, anchors, 4, 1, {0.1f}, 0, 0},
        {"TFLite_Detection_PostProcess", 0, {0}, 0, NULL, 0, 0, {0}, 0, 0},
    };
    const tfm_operator ops[3] = {
        {19, 1, {0}, 1, 0, {0}}, {21, 1, {0}, 2, 0, {0}}, {32, 3, {1, 2, 3}, 4, 0, {0}}};
    ts_arena *arena = ts_arena_new("test", 0);
    ts_graph *graph = import_fresh(arena, tfm_write(&maker, tensors, 5, ops, 3));
    assert_int_equal(graph->outputs.count, 2);
    assert_string_equal(graph->tensors.data[graph->outputs.data[0]].name, "boxes");
    assert_string_equal(graph->tensors.data[graph->outputs.data[1]].name, "scores");
    ts_arena_free(arena);
}

static void refusals_name_what_they_refuse(void **state) {
    (void)state;
    static flat_maker maker;
    tfm_tensor tensors[2] = {{"x", 4, {1, 2, 2, 1}, INT8, NULL, 0, 1, {0.1f}, 0, 0},
                             {"y", 4, {1, 2, 2, 1}, INT8, NULL, 0, 1, {0.1f}, 0, 0}};
    tfm_operator op = {67, 1, {0}, 1, 0, {0}};
    refused(tfm_write(&maker, tensors, 2, &op, 1), "y (TRANSPOSE_CONV): this operator is not served");
    op.code = 32;
    refused(tfm_write(&maker, tensors, 2, &op, 1), "y (custom y): this operator is not served");
    op.code = 57;
    refused(tfm_write(&maker, tensors, 2, &op, 1), "y (MINIMUM): of integers it is served with one constant");
    op.code = 143;
    refused(tfm_write(&maker, tensors, 2, &op, 1), "no variable of this network");
    op.code = 22;
    tensors[0].type = INT16;
    refused(tfm_write(&maker, tensors, 2, &op, 1), "tensor 'x' is int16; int8 and uint8 are served");
    tensors[0].type = INT8;
    tensors[0].scale_count = 0;
    refused(tfm_write(&maker, tensors, 2, &op, 1), "tensor 'x' has 0 scales");
    /* A shape that is no tensor's, and one that is computed from what the network computes. */
    const tfm_tensor shape[3] = {{"x", 4, {1, 2, 2, 1}, INT8, NULL, 0, 1, {0.1f}, 0, 0},
                                 {"s", 1, {3}, INT32, NULL, 0, 0, {0}, 0, 0},
                                 {"y", 4, {1, 4, 1, 1}, INT8, NULL, 0, 1, {0.1f}, 0, 0}};
    const tfm_operator ops[2] = {{77, 1, {0}, 1, 0, {0}}, {22, 2, {0, 1}, 2, 0, {0}}};
    refused(tfm_write(&maker, shape, 3, ops, 2), "s (SHAPE): this operator is served of shapes");
    /* What is dealt out over batches is read by no other operator, and is no output. */
    static const int32_t block[2] = {2, 2}, none[4] = {0};
    const tfm_tensor dealt[5] = {{"x", 4, {1, 2, 2, 1}, INT8, NULL, 0, 1, {0.1f}, 0, 0},
                                 {"block", 1, {2}, INT32, block, 8, 0, {0}, 0, 0},
                                 {"pads", 2, {2, 2}, INT32, none, 16, 0, {0}, 0, 0},
                                 {"d", 4, {4, 1, 1, 1}, INT8, NULL, 0, 1, {0.1f}, 0, 0},
                                 {"y", 4, {4, 1, 1, 1}, INT8, NULL, 0, 1, {0.1f}, 0, 0}};
    const tfm_operator deal[2] = {{38, 3, {0, 1, 2}, 3, 0, {0}}, {19, 1, {3}, 4, 0, {0}}};
    refused(tfm_write(&maker, dealt, 5, deal, 2), "y (RELU): reads tensor 'd', which stands between");
    refused(tfm_write(&maker, dealt, 4, deal, 1), "d (output): reads tensor 'd', which stands between");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shapes_are_computed),
        cmocka_unit_test(variables_are_inputs_and_outputs),
        cmocka_unit_test(batches_of_space_are_dilations),
        cmocka_unit_test(padding_has_a_number),
        cmocka_unit_test(decoders_are_left_out),
        cmocka_unit_test(refusals_name_what_they_refuse),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
