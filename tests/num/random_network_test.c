/* Random networks: valid, repeatable, varied, computable on every input; and the text form gives them back.
 */
#include <string.h>

#include "harness.h"
#include "ir/text_form.h"
#include "num/generate.h"
#include "num/integer.h"

enum { NETWORKS = 640 };

static void print_errors(const ts_diags *diags) {
    for (uint32_t i = 0; i < diags->list.count; i++) {
        ts_diag_print(stderr, &diags->list.data[i]);
    }
}

static ts_random_limits limits_of(uint64_t seed) {
    ts_random_limits limits = ts_random_limits_default();
    limits.tflite = seed % 4 == 0;
    limits.nemo_only = seed % 4 == 1;
    limits.signed_activations = seed % 4 != 1;
    limits.halves = seed % 5 == 0;
    limits.floats = seed % 8 == 2;
    limits.norms = seed % 4 == 2;
    limits.picks = seed % 16 == 3 || seed % 16 == 7 || seed % 16 == 10;
    return limits;
}

static ts_graph *network(ts_arena *arena, uint64_t seed) {
    ts_diags diags = {.arena = arena};
    ts_random_limits limits = limits_of(seed);
    ts_graph *graph = NULL;
    ts_status status = ts_random_network(arena, seed, &limits, &graph, &diags);
    print_errors(&diags);
    assert_int_equal(status, TS_OK);
    return graph;
}

static ts_text print(ts_arena *arena, const ts_graph *graph) {
    ts_text text = {.arena = arena};
    ts_graph_print(&text, graph);
    return text;
}

static void are_valid_and_run(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < NETWORKS; seed++) {
        ts_arena *arena = ts_arena_new("test", 0);
        ts_diags diags = {.arena = arena};
        const ts_graph *graph = network(arena, seed);
        const ts_tensor *input = &graph->tensors.data[graph->inputs.data[0]];
        const int32_t *inputs[] = {ts_random_values(arena, seed, input, seed % 2 == 0)};
        int32_t **values;
        ts_status status = ts_integer_run(graph, arena, inputs, &values, &diags);
        print_errors(&diags);
        assert_int_equal(status, TS_OK);
        ts_arena_free(arena);
    }
}

static void text_comes_back_byte_for_byte(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < NETWORKS; seed++) {
        ts_arena *arena = ts_arena_new("test", 0);
        ts_diags diags = {.arena = arena};
        ts_text first = print(arena, network(arena, seed));
        ts_graph *again = NULL;
        ts_status status =
            ts_graph_parse(arena, (ts_bytes){(const uint8_t *)first.data, first.size}, &again, &diags);
        print_errors(&diags);
        assert_int_equal(status, TS_OK);
        ts_text second = print(arena, again);
        assert_int_equal(first.size, second.size);
        assert_memory_equal(first.data, second.data, first.size);
        ts_arena_free(arena);
    }
}

static void same_seed_same_network(void **state) {
    (void)state;
    ts_arena *arena = ts_arena_new("test", 0);
    assert_string_equal(print(arena, network(arena, 7)).data, print(arena, network(arena, 7)).data);
    assert_string_not_equal(print(arena, network(arena, 7)).data, print(arena, network(arena, 8)).data);
    ts_arena_free(arena);
}

/* What the networks together must contain to be worth a property test. */
static void cover_every_attribute(void **state) {
    (void)state;
    uint32_t ops[TS_OP_COUNT] = {0}, types[TS_TYPE_COUNT] = {0};
    uint32_t uneven_strides = 0, uneven_pads = 0, dilated = 0, grouped = 0, depthwise = 0, odd_d = 0,
             negative = 0;
    uint32_t zero_points = 0;
    for (uint64_t seed = 0; seed < NETWORKS; seed++) {
        ts_arena *arena = ts_arena_new("test", 0);
        const ts_graph *graph = network(arena, seed);
        for (uint32_t t = 0; t < graph->tensors.count; t++) {
            types[graph->tensors.data[t].type]++;
            zero_points += ts_tensor_zero(&graph->tensors.data[t]) != 0;
        }
        for (uint32_t n = 0; n < graph->nodes.count; n++) {
            const ts_node *node = &graph->nodes.data[n];
            const ts_window *w = &node->window;
            ops[node->op]++;
            uneven_strides += w->stride_h != w->stride_w;
            uneven_pads += w->pad_top != w->pad_bottom || w->pad_left != w->pad_right;
            dilated += w->dilation_h > 1 || w->dilation_w > 1;
            uint32_t in_c = ts_c(&graph->tensors.data[node->inputs[0]]);
            grouped += node->groups > 1 && node->groups < in_c;
            depthwise += node->groups > 1 && node->groups == in_c;
            if (node->requant.kind == TS_REQUANT_NEMO) {
                odd_d += (node->requant.d & (node->requant.d - 1)) != 0;
                for (uint32_t c = 0; c < node->requant.channels; c++) {
                    negative += node->requant.kappa[c] < 0;
                }
            }
        }
        ts_arena_free(arena);
    }
    for (uint32_t op = 0; op < TS_OP_COUNT; op++) {
        assert_true(ops[op] > 20);
    }
    for (uint32_t type = TS_S32; type < TS_TYPE_COUNT; type++) {
        assert_true(types[type] > 10);
    }
    assert_true(uneven_strides > 20 && uneven_pads > 20 && dilated > 20 && grouped > 20 && depthwise > 20);
    assert_true(odd_d > 20 && negative > 20 && zero_points > 20);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(are_valid_and_run),
        cmocka_unit_test(text_comes_back_byte_for_byte),
        cmocka_unit_test(same_seed_same_network),
        cmocka_unit_test(cover_every_attribute),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
