/* What single constructs mean: Quantlab's additions and RequantShift, bits, saturation, names, the float
 * tail, layouts, the dialects' JSON file. */
#include <unistd.h>

#include "model/model.h"
#include "model/onnx.h"
#include "num/integer.h"
#include "onnx_maker.h"

typedef struct model {
    maker m;
    ts_diags diags;
    ts_model_options options;
    ts_graph *graph;
} model;

static model begin(int64_t opset) {
    ts_arena *arena = ts_arena_new("test", 0);
    return (model){
        .m = {.arena = arena, .opset = opset}, .diags = {.arena = arena}, .options = {.input_signed = -1}};
}

static void end(model *t) { ts_arena_free(t->m.arena); }

static ts_status read_back(model *t, const char *output) {
    mk_output(&t->m, output);
    return ts__onnx_import(t->m.arena, mk_pack(&t->m), "test", &t->options, &t->graph, &t->diags);
}

static void served(model *t, const char *output) {
    ts_status status = read_back(t, output);
    for (uint32_t i = 0; i < t->diags.list.count; i++) {
        if (t->diags.list.data[i].severity == TS_ERROR) {
            ts_diag_print(stderr, &t->diags.list.data[i]);
        }
    }
    assert_int_equal(status, TS_OK);
}

static const ts_tensor *tensor_of(const model *t, ts_tensor_id id) { return &t->graph->tensors.data[id]; }

static const ts_node *node_at(const model *t, uint32_t i) { return &t->graph->nodes.data[i]; }

/* Output of the network for these input values, in H, W, C order. */
static const int32_t *run(model *t, const int32_t *x) {
    int32_t **values;
    const int32_t *inputs[1] = {x};
    assert_int_equal(ts_integer_run(t->graph, t->m.arena, inputs, &values, &t->diags), TS_OK);
    return values[t->graph->outputs.data[0]];
}

static const char *number(model *t, int64_t value) { return mk_constant(&t->m, MK_FLOAT, 0, NULL, &value); }

static const char *clip(model *t, const char *value, float low, float high) {
    Onnx__NodeProto *node = mk_node(&t->m, "Clip", value, NULL, NULL);
    mk_float(&t->m, node, "min", low);
    mk_float(&t->m, node, "max", high);
    return node->output[0];
}

/* 1x1 convolution of `c` channels into as many, every weight `weight`. */
static Onnx__NodeProto *pointwise(model *t, const char *value, int64_t c, int64_t weight) {
    int64_t dims[4] = {c, 1, 1, 1}, values[16];
    for (int64_t i = 0; i < c; i++) {
        values[i] = weight;
    }
    Onnx__NodeProto *node =
        mk_node(&t->m, "Conv", value, mk_initializer(&t->m, "w", MK_FLOAT, 4, dims, values), NULL);
    mk_int(&t->m, node, "group", c);
    return node;
}

static const int64_t small_shape[4] = {1, 2, 1, 2};

/* ---- additions ---- */

static const char *plain_sum(model *t) {
    const char *x = mk_input(&t->m, 4, small_shape);
    const char *y = clip(t, pointwise(t, x, 2, 1)->output[0], 0, 255);
    return mk_node(&t->m, "Add", x, y, NULL)->output[0];
}

static void sums_stay_exact(void **state) {
    (void)state;
    model t = begin(9);
    served(&t, plain_sum(&t));
    const int32_t x[4] = {200, 1, 255, 7};
    const int32_t *y = run(&t, x);
    assert_int_equal(tensor_of(&t, t.graph->outputs.data[0])->type, TS_S16);
    assert_int_equal(y[0], 400);
    assert_int_equal(y[2], 510);
    end(&t);
}

static void sums_saturate_on_request(void **state) {
    (void)state;
    model t = begin(9);
    t.options.saturate_add = true;
    served(&t, plain_sum(&t));
    const int32_t x[4] = {200, 1, 255, 7};
    const int32_t *y = run(&t, x);
    assert_int_equal(tensor_of(&t, t.graph->outputs.data[0])->type, TS_U8);
    assert_int_equal(y[0], 255);
    assert_int_equal(y[1], 2);
    end(&t);
}

/* y = clip(floor((floor(s / D) m) / D')): two roundings. 3 + 4 = 7; 7 / 2 -> 3; 3 * 5 / 4 -> 3, not 4. */
static void sums_round_twice(void **state) {
    (void)state;
    model t = begin(9);
    const char *sum = mk_node(&t.m, "Div", plain_sum(&t), number(&t, 2), NULL)->output[0];
    const char *floor = mk_node(&t.m, "Floor", sum, NULL, NULL)->output[0];
    const char *up = mk_node(&t.m, "Mul", floor, number(&t, 5), NULL)->output[0];
    const char *down = mk_node(&t.m, "Div", up, number(&t, 4), NULL)->output[0];
    served(&t, clip(&t, mk_node(&t.m, "Floor", down, NULL, NULL)->output[0], 0, 255));
    assert_int_equal(t.graph->nodes.count, 2);
    assert_int_equal(node_at(&t, 1)->sum.div, 2);
    assert_int_equal(node_at(&t, 1)->requant.d, 4);
    const int32_t x[4] = {3, 0, 7, 255};
    const int32_t *y = run(&t, x);
    assert_int_equal(y[0], 3);
    assert_int_equal(y[2], 8);
    end(&t);
}

static void quantlab_attributes(model *t, Onnx__NodeProto *add, bool out_rq) {
    static const struct {
        const char *name;
        int64_t value;
    } attributes[] = {
        {"in1_mul", 3}, {"in1_add", 2}, {"in1_shift", 2}, {"in1_n_levels", 256}, {"in1_rq", 1},
        {"in2_mul", 9}, {"in2_add", 9}, {"in2_shift", 9}, {"in2_n_levels", 256}, {"in2_rq", 0},
        {"out_mul", 1}, {"out_add", 1}, {"out_shift", 1}, {"out_n_levels", 256}, {"add_bits", 8},
    };
    for (size_t i = 0; i < sizeof attributes / sizeof attributes[0]; i++) {
        mk_int(&t->m, add, attributes[i].name, attributes[i].value);
    }
    mk_int(&t->m, add, "out_rq", out_rq);
}

/* a' = (3 a + 2) >> 2, b' = b, y = (s + 1) >> 1 where asked for; saturated to 8 bits. */
static void quantlab_adds(void **state) {
    (void)state;
    for (int out_rq = 0; out_rq <= 1; out_rq++) {
        model t = begin(10);
        const char *x = mk_input(&t.m, 4, small_shape);
        const char *doubled = clip(&t, pointwise(&t, x, 2, 2)->output[0], 0, 255);
        Onnx__NodeProto *add = mk_node(&t.m, "Add", x, doubled, NULL);
        quantlab_attributes(&t, add, out_rq != 0);
        served(&t, add->output[0]);
        const int32_t in[4] = {0, 10, 100, 255};
        const int32_t *y = run(&t, in);
        const int32_t sums[4] = {0, 8 + 20, 75 + 200, 191 + 255};
        for (int i = 0; i < 4; i++) {
            int32_t expected = out_rq != 0 ? (sums[i] + 1) >> 1 : sums[i];
            assert_int_equal(y[i], expected > 255 ? 255 : expected);
        }
        end(&t);
    }
}

/* A signed operand makes the sum signed: it saturates at -128 and 127. */
static void quantlab_signed_adds(void **state) {
    (void)state;
    model t = begin(10);
    const char *x = mk_input(&t.m, 4, small_shape);
    const char *negative = clip(&t, pointwise(&t, x, 2, -1)->output[0], -128, 127);
    const char *same = clip(&t, pointwise(&t, x, 2, -1)->output[0], -128, 127);
    Onnx__NodeProto *add = mk_node(&t.m, "Add", negative, same, NULL);
    mk_int(&t.m, add, "in1_rq", 0);
    mk_int(&t.m, add, "in2_rq", 0);
    mk_int(&t.m, add, "out_rq", 0);
    mk_int(&t.m, add, "out_n_levels", 256);
    served(&t, add->output[0]);
    const int32_t in[4] = {0, 10, 100, 255};
    const int32_t *y = run(&t, in);
    assert_int_equal(tensor_of(&t, t.graph->outputs.data[0])->type, TS_S8);
    assert_int_equal(y[1], -20);
    assert_int_equal(y[2], -128);
    end(&t);
}

/* ---- RequantShift ---- */

static void requant_shift_rounds(void **state) {
    (void)state;
    model t = begin(10);
    int64_t dims[3] = {2, 1, 1}, mul[2] = {3, -3}, add[2] = {0, 5}, div = 8, levels = 256, sign = 1;
    const char *x = mk_input(&t.m, 4, small_shape);
    Onnx__NodeProto *node = mk_node(&t.m, "RequantShift", pointwise(&t, x, 2, 1)->output[0],
                                    mk_initializer(&t.m, "mul", MK_FLOAT, 3, dims, mul),
                                    mk_initializer(&t.m, "add", MK_FLOAT, 3, dims, add));
    node->domain = mk_text(&t.m, "PACTOps");
    mk_tensor_attribute(&t.m, node, "div", mk_tensor(&t.m, MK_FLOAT, 0, NULL, &div));
    mk_tensor_attribute(&t.m, node, "n_levels_out", mk_tensor(&t.m, MK_FLOAT, 0, NULL, &levels));
    mk_tensor_attribute(&t.m, node, "signed", mk_tensor(&t.m, MK_FLOAT, 0, NULL, &sign));
    served(&t, node->output[0]);
    const int32_t in[4] = {1, 1, 255, 255};
    const int32_t *y = run(&t, in);
    assert_int_equal(y[0], 0);  /* floor(3/8 + 1/2) */
    assert_int_equal(y[1], 0);  /* floor(2/8 + 1/2) */
    assert_int_equal(y[2], 96); /* floor(765/8 + 1/2) */
    assert_int_equal(y[3], -95);
    assert_int_equal(tensor_of(&t, t.graph->outputs.data[0])->type, TS_S8);
    end(&t);
}

/* Deeploy writes the constants of a series as those of a map. */
static void requant_shift_of_a_series(void **state) {
    (void)state;
    model t = begin(10);
    const int64_t shape[3] = {1, 2, 3}, weights[3] = {2, 1, 1}, ones[2] = {1, 1}, dims[3] = {2, 1, 1};
    const int64_t mul[2] = {3, 5}, add[2] = {0, 8}, div = 8;
    Onnx__NodeProto *conv = mk_node(&t.m, "Conv", mk_input(&t.m, 3, shape),
                                    mk_initializer(&t.m, "w", MK_FLOAT, 3, weights, ones), NULL);
    mk_int(&t.m, conv, "group", 2);
    Onnx__NodeProto *node =
        mk_node(&t.m, "RequantShift", conv->output[0], mk_initializer(&t.m, "mul", MK_FLOAT, 3, dims, mul),
                mk_initializer(&t.m, "add", MK_FLOAT, 3, dims, add));
    node->domain = mk_text(&t.m, "PACTOps");
    mk_tensor_attribute(&t.m, node, "div", mk_tensor(&t.m, MK_FLOAT, 0, NULL, &div));
    served(&t, node->output[0]);
    const int32_t in[6] = {1, 2, 100, 101, 255, 254}, *y = run(&t, in); /* two channels of each step */
    for (int i = 0; i < 6; i++) {
        int32_t right = (in[i] * (i % 2 == 0 ? 3 : 5) + (i % 2 == 0 ? 0 : 8) + 4) / 8;
        assert_int_equal(y[i], right);
    }
    end(&t);
}

/* A network that computes nothing, twice: one copy. */
static void inputs_that_are_outputs_are_copied(void **state) {
    (void)state;
    model t = begin(10);
    const char *x = mk_input(&t.m, 4, small_shape);
    mk_output(&t.m, mk_node(&t.m, "Relu", x, NULL, NULL)->output[0]);
    served(&t, mk_node(&t.m, "Identity", x, NULL, NULL)->output[0]);
    const int32_t in[4] = {1, 2, 250, 255};
    assert_memory_equal(run(&t, in), in, sizeof in);
    assert_int_equal(t.graph->outputs.count, 1);
    assert_int_equal(t.graph->nodes.count, 1);
    end(&t);
}

/* ---- layers of our own files ---- */

static const int64_t map_shape[] = {1, 2, 3, 4};

static Onnx__NodeProto *own(model *t, const char *op, const char *x, const char *table) {
    static const int64_t shape[] = {2, 2, 2}, begin[] = {1, 2, 0}, step[] = {1, 1, 1};
    Onnx__NodeProto *node = mk_node(&t->m, op, x, table, NULL);
    node->domain = mk_text(&t->m, "tessera");
    mk_ints(&t->m, node, "shape", 3, shape);
    mk_ints(&t->m, node, "begin", 3, begin);
    mk_ints(&t->m, node, "step", 3, step);
    return node;
}

static void own_layers_are_read(void **state) {
    (void)state;
    model t = begin(9);
    served(&t, own(&t, "slice", mk_input(&t.m, 4, map_shape), NULL)->output[0]);
    int32_t in[24];
    for (int32_t i = 0; i < 24; i++) {
        in[i] = i;
    }
    const int32_t *y = run(&t, in); /* rows 1 and 2, columns 2 and 3 of 3 x 4 x 2 */
    static const int32_t right[] = {12, 13, 14, 15, 20, 21, 22, 23};
    assert_memory_equal(y, right, sizeof right);
    end(&t);
}

/* Each one thing wrong with a layer of our own: an error that names it. */
static void own_layers_are_checked(void **state) {
    static const int64_t none[] = {0, 2, 2}, many[] = {1 << 23, 1 << 23, 1 << 23}, far[] = {2, 2, 0},
                         whole[] = {3, 4, 2}, entries = 255, requant[] = {1, 0, 1, 0, 0, 255};
    static int64_t table[256];
    (void)state;
    for (uint32_t wrong = 0; wrong < 9; wrong++) {
        model t = begin(9);
        const char *x = mk_input(&t.m, 4, map_shape), *op = "slice", *second = NULL;
        op = wrong == 4 ? "Slice" : wrong == 5 ? "concat" : wrong == 6 ? "lut" : wrong >= 7 ? "mul" : op;
        second = wrong == 6   ? mk_initializer(&t.m, "table", MK_FLOAT, 1, &entries, table)
                 : wrong == 7 ? x
                              : NULL;
        Onnx__NodeProto *node = own(&t, op, x, second);
        int64_t *shape = node->attribute[0]->ints;
        if (wrong == 0 || wrong == 1) {
            memcpy(shape, wrong == 0 ? none : many, sizeof none);
        }
        node->attribute[0]->n_ints = wrong == 2 ? 2 : 3;
        if (wrong == 3) {
            memcpy(node->attribute[1]->ints, far, sizeof far);
        }
        if (wrong == 7) { /* divides by 0 */
            mk_ints(&t.m, node, "requant", 6, requant);
        }
        if (wrong >= 7) { /* wrong == 8 has one operand and no requantisation */
            memcpy(shape, whole, sizeof whole);
        }
        assert_int_equal(read_back(&t, node->output[0]), TS_BAD_INPUT);
        assert_true(t.diags.list.count > 0);
        const ts_diag *d = &t.diags.list.data[t.diags.list.count - 1];
        printf("%s: %s\n", d->op, d->text);
        end(&t);
    }
}

/* ---- types ---- */

static ts_type weight_type(int64_t weight, int64_t bits) {
    model t = begin(10);
    Onnx__NodeProto *conv = pointwise(&t, mk_input(&t.m, 4, small_shape), 2, weight);
    if (bits != 0) {
        mk_int(&t.m, conv, "weight_bits", bits);
    }
    served(&t, conv->output[0]);
    ts_type type = tensor_of(&t, node_at(&t, 0)->weights)->type;
    assert_int_equal(tensor_of(&t, t.graph->outputs.data[0])->type, TS_S32);
    end(&t);
    return type;
}

static void weights_have_the_width_of_their_values_or_as_annotated(void **state) {
    (void)state;
    assert_int_equal(weight_type(-128, 0), TS_S8);
    assert_int_equal(weight_type(-8, 0), TS_S4);
    assert_int_equal(weight_type(-2, 0), TS_S2);
    assert_int_equal(weight_type(1, 8), TS_S8);
    assert_int_equal(weight_type(1, 4), TS_S4);
    assert_int_equal(weight_type(1, 2), TS_S2);
    assert_int_equal(weight_type(100, 2), TS_S8); /* with a warning */
}

static void clips_give_types(void **state) {
    static const struct {
        float low, high;
        ts_type type;
    } cases[] = {{0, 255, TS_U8}, {0, 15, TS_U4},     {0, 3, TS_U2},  {0, 127, TS_U8},
                 {-8, 7, TS_S4},  {-128, 127, TS_S8}, {-2, 1, TS_S2}, {-1, 1, TS_S2}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        model t = begin(10);
        Onnx__NodeProto *conv = pointwise(&t, mk_input(&t.m, 4, small_shape), 2, 1);
        served(&t, clip(&t, conv->output[0], cases[i].low, cases[i].high));
        assert_int_equal(tensor_of(&t, t.graph->outputs.data[0])->type, cases[i].type);
        end(&t);
    }
}

static void inputs_have_the_format_asked_for(void **state) {
    (void)state;
    model t = begin(10);
    t.options.input_bits = 2;
    t.options.input_signed = 1;
    served(&t, pointwise(&t, mk_input(&t.m, 4, small_shape), 2, 1)->output[0]);
    assert_int_equal(tensor_of(&t, t.graph->inputs.data[0])->type, TS_S2);
    end(&t);
}

/* ---- structure ---- */

/* The float tail is left out; the output is the accumulator that it reads, once. */
static void tails_are_left_out(void **state) {
    (void)state;
    model t = begin(10);
    int64_t shape[2] = {1, 3}, dims[2] = {3, 2}, ones[6] = {1, 2, 3, 4, 5, 6}, zero = 0;
    const char *x = mk_input(&t.m, 2, shape);
    const char *w = mk_initializer(&t.m, "w", MK_FLOAT, 2, dims, ones);
    const char *y = mk_node(&t.m, "MatMul", x, w, NULL)->output[0];
    const char *i = mk_constant(&t.m, MK_INT64, 0, NULL, &zero);
    const char *a = mk_node(&t.m, "Gather", y, i, NULL)->output[0];
    const char *b =
        mk_node(&t.m, "Sigmoid", mk_node(&t.m, "Gather", y, i, NULL)->output[0], NULL, NULL)->output[0];
    served(&t, mk_node(&t.m, "Concat", a, b, NULL)->output[0]);
    assert_int_equal(t.graph->nodes.count, 1);
    assert_int_equal(t.graph->outputs.count, 1);
    const int32_t in[3] = {1, 10, 100};
    const int32_t *out = run(&t, in);
    assert_int_equal(out[0], 531);
    assert_int_equal(out[1], 642);
    assert_int_equal(t.diags.list.count, 1); /* a note says what is left out */
    assert_int_equal(t.diags.list.data[0].severity, TS_NOTE);
    end(&t);
}

/* x.view(x.size(0), -1) as exporters write it: Shape, Gather, Unsqueeze, Concat, Reshape. */
static void shapes_are_computed(void **state) {
    (void)state;
    model t = begin(11);
    int64_t zero = 0, minus = -1, one = 1, dims[2] = {4, 1}, values[4] = {1, 10, 100, 120};
    const char *x = mk_input(&t.m, 4, small_shape);
    const char *shape = mk_node(&t.m, "Shape", x, NULL, NULL)->output[0];
    const char *index = mk_constant(&t.m, MK_INT64, 0, NULL, &zero);
    const char *batch = mk_node(&t.m, "Gather", shape, index, NULL)->output[0];
    Onnx__NodeProto *unsqueeze = mk_node(&t.m, "Unsqueeze", batch, NULL, NULL);
    mk_ints(&t.m, unsqueeze, "axes", 1, &zero);
    const char *rest = mk_constant(&t.m, MK_INT64, 1, &one, &minus);
    Onnx__NodeProto *concat = mk_node(&t.m, "Concat", unsqueeze->output[0], rest, NULL);
    mk_int(&t.m, concat, "axis", 0);
    const char *flat = mk_node(&t.m, "Reshape", x, concat->output[0], NULL)->output[0];
    served(
        &t,
        mk_node(&t.m, "MatMul", flat, mk_initializer(&t.m, "w", MK_FLOAT, 2, dims, values), NULL)->output[0]);
    const int32_t in[4] = {1, 3, 2, 4}; /* H, W, C: pixel 0 has (1, 3), pixel 1 (2, 4) */
    assert_int_equal(run(&t, in)[0], 1 + 20 + 300 + 480);
    end(&t);
}

/* An input of one dimension that is shaped into a map before its first layer is a map. */
static void inputs_are_shaped(void **state) {
    (void)state;
    model t = begin(11);
    int64_t flat[2] = {1, 4}, shape[4] = {1, 1, 2, 2}, four = 4;
    const char *x = mk_input(&t.m, 2, flat);
    const char *map =
        mk_node(&t.m, "Reshape", x, mk_constant(&t.m, MK_INT64, 1, &four, shape), NULL)->output[0];
    served(&t, pointwise(&t, map, 1, 3)->output[0]);
    assert_int_equal(ts_h(tensor_of(&t, t.graph->inputs.data[0])), 2);
    const int32_t in[4] = {1, 2, 3, 4};
    assert_int_equal(run(&t, in)[3], 12);
    end(&t);
}

/* Layers are numbered as their nodes stand in the file, though branches are finished later. */
static void layers_keep_the_order_of_the_file(void **state) {
    (void)state;
    model t = begin(10);
    const char *x = mk_input(&t.m, 4, small_shape);
    const char *first = clip(&t, pointwise(&t, x, 2, 1)->output[0], 0, 255);
    const char *second = clip(&t, pointwise(&t, x, 2, 2)->output[0], 0, 255);
    const char *third = clip(&t, pointwise(&t, second, 2, 3)->output[0], 0, 255);
    served(&t, mk_node(&t.m, "Add", third, first, NULL)->output[0]);
    assert_int_equal(t.graph->nodes.count, 4);
    for (uint32_t i = 1; i < 4; i++) {
        assert_true(node_at(&t, i - 1)->file_index < node_at(&t, i)->file_index);
    }
    end(&t);
}

/* Nodes in no topological order are sorted. */
static void order_is_restored(void **state) {
    (void)state;
    model t = begin(10);
    const char *x = mk_input(&t.m, 4, small_shape);
    const char *y = clip(&t, pointwise(&t, x, 2, 1)->output[0], 0, 255);
    Onnx__NodeProto *swap = t.m.nodes.data[0];
    t.m.nodes.data[0] = t.m.nodes.data[1];
    t.m.nodes.data[1] = swap;
    served(&t, y);
    assert_int_equal(t.graph->nodes.count, 1);
    end(&t);
}

/* Bias, kappa, lambda and a negative kappa together: ((acc + b) k + l) m / D. */
static void biases_stand_before_kappa(void **state) {
    (void)state;
    model t = begin(9);
    int64_t two = 2, bias[2] = {5, -7}, dims[4] = {1, 2, 1, 1}, kappa[2] = {-3, 4}, lambda[2] = {100, 0},
            m = 7, d = 15, w_dims[4] = {2, 2, 1, 1}, w[4] = {1, 0, 0, 1};
    const char *x = mk_input(&t.m, 4, small_shape);
    const char *acc = mk_node(&t.m, "Conv", x, mk_initializer(&t.m, "w", MK_FLOAT, 4, w_dims, w),
                              mk_initializer(&t.m, "b", MK_FLOAT, 1, &two, bias))
                          ->output[0];
    const char *k =
        mk_node(&t.m, "Mul", mk_initializer(&t.m, "k", MK_FLOAT, 4, dims, kappa), acc, NULL)->output[0];
    const char *l =
        mk_node(&t.m, "Add", k, mk_initializer(&t.m, "l", MK_FLOAT, 4, dims, lambda), NULL)->output[0];
    Onnx__NodeProto *cast = mk_node(&t.m, "Cast", l, NULL, NULL);
    mk_int(&t.m, cast, "to", MK_INT64);
    const char *up =
        mk_node(&t.m, "Mul", cast->output[0], mk_constant(&t.m, MK_INT64, 0, NULL, &m), NULL)->output[0];
    const char *down = mk_node(&t.m, "Div", up, mk_constant(&t.m, MK_INT64, 0, NULL, &d), NULL)->output[0];
    served(&t, clip(&t, down, 0, 255));
    const ts_requant *rq = &node_at(&t, 0)->requant;
    assert_int_equal(rq->kappa[0], -3);
    assert_int_equal(rq->m, 7);
    assert_int_equal(rq->d, 15);
    const int32_t in[4] = {10, 10, 0, 255};
    const int32_t *y = run(&t, in);
    assert_int_equal(y[0], (15 * -3 + 100) * 7 / 15);
    assert_int_equal(y[1], 3 * 4 * 7 / 15);
    assert_int_equal(y[3], 255);
    end(&t);
}

/* ---- files ---- */

static void write_text(ts_arena *arena, const char *folder, const char *name, const char *text) {
    ts_diags diags = {.arena = arena};
    assert_int_equal(ts_file_write(ts_path_join(arena, folder, name), text, strlen(text), &diags), TS_OK);
}

static void json_files_name_networks(void **state) {
    (void)state;
    model t = begin(10);
    const char *folder;
    ts_graph *graph;
    assert_int_equal(ts_dir_temporary(t.m.arena, &folder, &t.diags), TS_OK);
    mk_output(&t.m, pointwise(&t, mk_input(&t.m, 4, small_shape), 2, 1)->output[0]);
    ts_bytes file = mk_pack(&t.m);
    const char *onnx = ts_path_join(t.m.arena, folder, "net.onnx");
    assert_int_equal(ts_file_write(onnx, file.data, file.size, &t.diags), TS_OK);
    const char *json = ts_path_join(t.m.arena, folder, "config.json");
    write_text(t.m.arena, folder, "config.json",
               "{\"BNRelu_bits\": 32, \"onnx_file\": \"/elsewhere/net.onnx\", \"code reserved space\": 1,"
               " \"input_bits\": 4, \"input_signed\": true}");
    write_text(t.m.arena, folder, "other.json", "[1, 2]");
    const char *paths[] = {json, folder, onnx};
    for (int i = 0; i < 3; i++) {
        assert_int_equal(ts_model_read(t.m.arena, paths[i], NULL, &graph, &t.diags), TS_OK);
        assert_int_equal(graph->tensors.data[graph->inputs.data[0]].type, TS_S4);
        assert_string_equal(graph->name, "net");
    }
    ts_model_options options = {.input_bits = 8, .input_signed = 0};
    assert_int_equal(ts_model_read(t.m.arena, folder, &options, &graph, &t.diags), TS_OK);
    assert_int_equal(graph->tensors.data[graph->inputs.data[0]].type, TS_U8);
    write_text(t.m.arena, folder, "config.json", "{\"onnx_file\": \"net.onnx\", \"input_bits\": 4}");
    assert_int_equal(ts_model_read(t.m.arena, json, NULL, &graph, &t.diags), TS_BAD_INPUT);
    assert_int_equal(ts_dir_remove(folder, &t.diags), TS_OK);
    end(&t);
}

static void goldens_are_found(void **state) {
    (void)state;
    ts_arena *arena = ts_arena_new("test", 0);
    ts_diags diags = {.arena = arena};
    const char *folder;
    ts_goldens goldens;
    assert_int_equal(ts_dir_temporary(arena, &folder, &diags), TS_OK);
    write_text(arena, folder, "input.txt", "# input (shape [1, 2, 2]),\\\n1.000,\\\n-2.000,\\\n3,\n4");
    write_text(arena, folder, "out_layer0.txt",
               "layers.0.relu1 (shape [1, 2, 2]),\n# # again\n5,\n6,\n7,\n8,\n");
    write_text(arena, folder, "out_layer2.txt", "-2147483648\n2147483647,\n");
    assert_int_equal(ts_goldens_read(arena, folder, &goldens, &diags), TS_OK);
    assert_int_equal(goldens.sample_count, 1);
    const ts_golden_sample *s = &goldens.samples[0];
    assert_int_equal(s->input_count, 4);
    assert_int_equal(s->input[1], -2);
    assert_int_equal(s->input[3], 4);
    assert_int_equal(s->layer_count, 3);
    assert_null(s->layers[1]);
    assert_int_equal(s->layers[2][0], INT32_MIN);
    write_text(arena, folder, "input_1.txt", "9,\n");
    write_text(arena, folder, "out_1_layer0.txt", "1,\n2,\n");
    assert_int_equal(ts_goldens_read(arena, folder, &goldens, &diags), TS_OK);
    assert_int_equal(goldens.sample_count, 2); /* numbered samples win; sample 0 has no files */
    assert_null(goldens.samples[0].input);
    assert_int_equal(goldens.samples[1].layer_counts[0], 2);
    write_text(arena, folder, "input_1.txt", "9.5,\n");
    assert_int_equal(ts_goldens_read(arena, folder, &goldens, &diags), TS_BAD_INPUT);
    assert_int_equal(ts_dir_remove(folder, &diags), TS_OK);
    ts_arena_free(arena);
}

static void goldens_compare_in_both_orders(void **state) {
    (void)state;
    const int32_t hwc[6] = {1, 10, 2, 20, 3, 30}, chw[6] = {1, 2, 3, 10, 20, 30},
                  wrong[6] = {1, 10, 2, 20, 4, 30};
    ts_golden_match m = ts_golden_compare(hwc, hwc, 1, 3, 2);
    assert_true(m.equal && m.order == TS_ORDER_HWC && m.first == -1);
    m = ts_golden_compare(chw, hwc, 1, 3, 2);
    assert_true(m.equal && m.order == TS_ORDER_CHW);
    m = ts_golden_compare(wrong, hwc, 1, 3, 2);
    assert_false(m.equal);
    assert_int_equal(m.first, 4);
    assert_int_equal(m.expected, 4);
    assert_int_equal(m.actual, 3);
    assert_int_equal(m.differing, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_stay_exact),
        cmocka_unit_test(sums_saturate_on_request),
        cmocka_unit_test(sums_round_twice),
        cmocka_unit_test(quantlab_adds),
        cmocka_unit_test(quantlab_signed_adds),
        cmocka_unit_test(requant_shift_rounds),
        cmocka_unit_test(requant_shift_of_a_series),
        cmocka_unit_test(inputs_that_are_outputs_are_copied),
        cmocka_unit_test(own_layers_are_read),
        cmocka_unit_test(own_layers_are_checked),
        cmocka_unit_test(weights_have_the_width_of_their_values_or_as_annotated),
        cmocka_unit_test(clips_give_types),
        cmocka_unit_test(inputs_have_the_format_asked_for),
        cmocka_unit_test(tails_are_left_out),
        cmocka_unit_test(shapes_are_computed),
        cmocka_unit_test(inputs_are_shaped),
        cmocka_unit_test(layers_keep_the_order_of_the_file),
        cmocka_unit_test(order_is_restored),
        cmocka_unit_test(biases_stand_before_kappa),
        cmocka_unit_test(json_files_name_networks),
        cmocka_unit_test(goldens_are_found),
        cmocka_unit_test(goldens_compare_in_both_orders),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
