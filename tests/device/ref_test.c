/* The ref kernels against the integer interpreter: every layer of random networks, each fed what the
 * interpreter computed, element for element, for teams of any size. */
#include "kernels/ref/ref.h"
#include "call.h"
#include "case.h"
#include "harness.h"
#include "num/generate.h"
#include "num/integer.h"

uint32_t ts_test_core, ts_test_cores = 1;

enum { NETWORKS = 120 };

static const ts_kernel *row_for(const ts_layer *layer) {
    for (uint32_t i = 0; i < ts__kernels_ref_count; i++) {
        if (ts__kernels_ref[i].serves(layer)) {
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
            (layer->kind == TS_LAYER_MUL ? mul_ref : add_ref)(&tile);
            continue;
        }
        struct ts_conv_tile tile = call_conv(call, area);
        if (layer->kind == TS_LAYER_MAX_POOL) {
            max_pool_ref(&tile);
        } else if (layer->kind == TS_LAYER_AVG_POOL) {
            avg_pool_ref(&tile);
        } else if (layer->kind == TS_LAYER_LUT) {
            lut_ref(&tile);
        } else if (layer->kind == TS_LAYER_SOFTMAX) {
            softmax_ref(&tile);
        } else {
            conv_ref(&tile);
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

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(random_networks)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
