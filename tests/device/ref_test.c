/* The ref kernels against the integer interpreter: every layer of random networks, each fed what the
 * interpreter computed, element for element, for teams of any size. */
#include "kernels/ref/ref.h"

#include <math.h>
#include <string.h>

#include "base/random.h"
#include "call.h"
#include "case.h"
#include "harness.h"
#include "ir/program.h"
#include "num/generate.h"
#include "num/integer.h"
#include "num/program.h"

uint32_t ts_test_core, ts_test_cores = 1;

enum { NETWORKS = 120 };

static const ts_kernel *row_for(const ts_layer *layer) {
    for (uint32_t i = 0; i < ts__kernels_ref_count; i++) {
        if (ts_kernel_takes(&ts__kernels_ref[i], layer)) {
            return &ts__kernels_ref[i];
        }
    }
    fail_msg("no ref kernel serves layer '%s'", layer->name);
    return NULL;
}

static void run_layer(const ts_layer *layer, const ts_case_call *call, uint8_t *area) {
    for (ts_test_core = 0; ts_test_core < ts_test_cores; ts_test_core++) {
        if (call->is_add) {
            struct ts_add_tile tile = call_add(call, area);
            (layer->kind == TS_LAYER_MUL     ? mul_ref
             : layer->kind == TS_LAYER_FLOAT ? float_ref
                                             : add_ref)(&tile);
            continue;
        }
        if (layer->kind == TS_LAYER_MATMUL) {
            struct ts_matmul_tile matmul = call_matmul(call, area);
            matmul_ref(&matmul);
            continue;
        }
        struct ts_conv_tile tile = call_conv(call, area);
        bool floats = layer->x.type == TS_F32;
        if (layer->kind == TS_LAYER_MAX_POOL) {
            (floats ? max_pool_f32_ref : max_pool_ref)(&tile);
        } else if (layer->kind == TS_LAYER_AVG_POOL) {
            (floats ? avg_pool_f32_ref : avg_pool_ref)(&tile);
        } else if (layer->kind == TS_LAYER_LUT) {
            lut_ref(&tile);
        } else if (layer->kind == TS_LAYER_SOFTMAX) {
            (layer->softmax.kind == TS_SOFTMAX_TFLITE  ? softmax_ref
             : layer->softmax.kind == TS_SOFTMAX_IBERT ? softmax_ibert_ref
                                                       : softmax_ita_ref)(&tile);
        } else if (layer->kind == TS_LAYER_NORM) {
            norm_ref(&tile);
        } else {
            (floats ? conv_f32_ref : conv_ref)(&tile);
        }
    }
}

static void check_layer(ts_arena *arena, const ts_layer *layer, int32_t *const *values) {
    ts_case c = {.layer = *layer, .x = values[layer->x.tensor]};
    c.x2 = ts_layer_has_x2(layer) ? values[layer->x2.tensor] : NULL;
    const int32_t *expected = values[layer->y.tensor];
    ts_case_call call;
    uint8_t *area;
    case_lay_out(arena, &c, row_for(layer), ts_test_cores, &call, &area);
    run_layer(layer, &call, area);
    for (uint32_t i = 0; i < layer->y.h * layer->y.w * layer->y.c; i++) {
        uint32_t pixel = i / layer->y.c;
        const uint8_t *y = area + call.y_at + pixel / layer->y.w * call.y_row_bytes +
                           pixel % layer->y.w * call.y_pixel_bytes;
        int32_t got = ref_get(y, i % layer->y.c, (uint8_t)call.y_type);
        if (got != expected[i]) {
            fail_msg("layer '%s' element %u: %d, the interpreter has %d", layer->name, i, got, expected[i]);
        }
    }
}

static void random_networks(void **state) {
    (void)state;
    uint32_t layers_checked = 0;
    for (uint64_t seed = 0; seed < NETWORKS; seed++) {
        ts_arena *arena = ts_arena_new("networks", 0);
        ts_diags diags = {.arena = arena};
        ts_random_limits limits = ts_random_limits_default();
        limits.tflite = seed % 2 == 1;
        limits.floats = seed % 4 == 0;
        limits.moves = limits.norms = seed % 8 == 3;
        ts_graph *graph;
        ts_layer *layers;
        int32_t **values;
        uint32_t count;
        assert_int_equal(ts_random_network(arena, seed, &limits, &graph, &diags), TS_OK);
        const int32_t **inputs = TS_NEW_ARRAY(arena, const int32_t *, graph->inputs.count);
        for (uint32_t i = 0; i < graph->inputs.count; i++) {
            inputs[i] =
                ts_random_values(arena, seed, &graph->tensors.data[graph->inputs.data[i]], seed % 3 == 0);
        }
        assert_int_equal(ts_integer_run(graph, arena, inputs, &values, &diags), TS_OK);
        assert_int_equal(ts_layers_build(arena, graph, &layers, &count, &diags), TS_OK);
        ts_test_cores = 1 + (uint32_t)(seed % 8);
        for (uint32_t i = 0; i < count; i++) {
            if (layers[i].kind != TS_LAYER_MOVE) { /* no kernel: device/runtime/move.c */
                check_layer(arena, &layers[i], values);
            }
        }
        layers_checked += count;
        ts_arena_free(arena);
    }
    assert_true(layers_checked > 2 * NETWORKS);
}

/* The functions of float_ref have the bits of the reference's: their difference, divided by the least number
 * there is, has the code of zero. */
static void float_functions_have_the_same_bits(void **state) {
    (void)state;
    static const ts_float_step functions[] = {TS_STEP_EXP, TS_STEP_LOG, TS_STEP_SQRT};
    static float (*const references[])(float) = {ts_exact_exp, ts_exact_log, ts_exact_sqrt};
    enum { TABLE = TS_PROGRAM_TABLE, STEPS = 4, HEAD = TS_PROGRAM_HEAD + STEPS * TS_PROGRAM_STEP };
    ts_random random = ts_random_seed(7);
    ts_test_cores = 1;
    ts_test_core = 0;
    for (uint32_t round = 0; round < 300; round++) {
        uint8_t x[TABLE], y[TABLE];
        float inputs[TABLE], expected[TABLE];
        int32_t words[HEAD + 2 * TABLE] = {
            STEPS, 1, 100,           0, 255,   TS_STEP_TABLE, 0, 0, (int32_t)functions[round % 3],
            0,     0, TS_STEP_TABLE, 0, TABLE, TS_STEP_SUB,   1, 2};
        for (int32_t i = 0; i < TABLE; i++) {
            x[i] = (uint8_t)i;
            inputs[i] = ldexpf((float)ts_random_range(&random, -999999, 999999),
                               (int)ts_random_range(&random, -40, round % 3 == 0 ? -13 : 90));
            expected[i] = references[round % 3](inputs[i]);
        }
        memcpy(words + HEAD, inputs, sizeof inputs);
        memcpy(words + HEAD + TABLE, expected, sizeof expected);
        const struct ts_add_tile tile = {.a = x,
                                         .y = y,
                                         .count = TABLE,
                                         .channels = TABLE,
                                         .a_type = TS_ELEM_U8,
                                         .b_type = TS_ELEM_U8,
                                         .y_type = TS_ELEM_U8,
                                         .rq_params = words};
        float_ref(&tile);
        for (uint32_t i = 0; i < TABLE; i++) {
            if (y[i] != 100) {
                fail_msg("function %u of %a: not the %a of the reference", round % 3, (double)inputs[i],
                         (double)expected[i]);
            }
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(random_networks),
                                       cmocka_unit_test(float_functions_have_the_same_bits)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
