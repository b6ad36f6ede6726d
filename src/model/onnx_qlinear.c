/* Operators that compute on integers with quanta of their own (QLinearConv and its kin, ConvInteger) are
 * spelled out: DequantizeLinear before a float operator of the same attributes, QuantizeLinear behind it.
 * They mean that, and the rest of the importer needs to know one form only. */
#include <string.h>

#include "model/onnx_float.h"

enum { MOST_NODES = 3 * TS_MAX_INPUTS, NO_INPUT = -1 };

/* An operand: which input holds its integers, scale and zero point. */
typedef struct operand {
    int8_t value, scale, zero;
} operand;

/* A row: the float operator, its operands, and the result's scale and zero point. `bias`: input of an int32
 * bias in units of the product of the first two scales. */
typedef struct form {
    const char *name, *becomes;
    uint32_t operand_count;
    operand operands[2];
    int8_t scale, zero, bias;
} form;

static const form forms[] = {
    {"ConvInteger", "Conv", 2, {{0, NO_INPUT, 2}, {1, NO_INPUT, 3}}, NO_INPUT, NO_INPUT, NO_INPUT},
    {"MatMulInteger", "MatMul", 2, {{0, NO_INPUT, 2}, {1, NO_INPUT, 3}}, NO_INPUT, NO_INPUT, NO_INPUT},
    {"QGemm", "Gemm", 2, {{0, 1, 2}, {3, 4, 5}}, 7, 8, 6},
    {"QLinearAdd", "Add", 2, {{0, 1, 2}, {3, 4, 5}}, 6, 7, NO_INPUT},
    {"QLinearAveragePool", "AveragePool", 1, {{0, 1, 2}}, 3, 4, NO_INPUT},
    {"QLinearConv", "Conv", 2, {{0, 1, 2}, {3, 4, 5}}, 6, 7, 8},
    {"QLinearGlobalAveragePool", "GlobalAveragePool", 1, {{0, 1, 2}}, 3, 4, NO_INPUT},
    {"QLinearLeakyRelu", "LeakyRelu", 1, {{0, 1, 2}}, 3, 4, NO_INPUT},
    {"QLinearMatMul", "MatMul", 2, {{0, 1, 2}, {3, 4, 5}}, 6, 7, NO_INPUT},
    {"QLinearMul", "Mul", 2, {{0, 1, 2}, {3, 4, 5}}, 6, 7, NO_INPUT},
    {"QLinearSigmoid", "Sigmoid", 1, {{0, 1, 2}}, 3, 4, NO_INPUT},
    {"QLinearSoftmax", "Softmax", 1, {{0, 1, 2}}, 3, 4, NO_INPUT},
};

typedef struct speller {
    ts_onnx *net;
    const ts_onnx_node *node;
    TS_VEC(ts_onnx_node) made; /* what it becomes, in order */
} speller;

static uint32_t input_of(const ts_onnx_node *node, int32_t i) {
    return i >= 0 && (uint32_t)i < node->input_count ? node->inputs[i] : TS_NONE;
}

static uint32_t new_value(speller *s, const char *suffix, ts_constant *constant) {
    ts_onnx_value value = {.name = ts_arena_printf(s->net->scratch, "%s.%s", s->node->name, suffix),
                           .producer = TS_NONE,
                           .uses = 1,
                           .constant = constant};
    TS_PUSH(s->net->scratch, &s->net->values, value);
    return s->net->values.count - 1;
}

/* A node description with one integer attribute, or none. */
static const Onnx__NodeProto *proto_with(speller *s, const char *name, int64_t value) {
    Onnx__NodeProto *proto = TS_NEW(s->net->scratch, Onnx__NodeProto);
    onnx__node_proto__init(proto);
    if (name != NULL) {
        Onnx__AttributeProto *attribute = TS_NEW(s->net->scratch, Onnx__AttributeProto);
        onnx__attribute_proto__init(attribute);
        attribute->name = ts_arena_strdup(s->net->scratch, name);
        attribute->has_i = 1;
        attribute->has_type = 1;
        attribute->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT;
        attribute->i = value;
        proto->attribute = TS_NEW(s->net->scratch, Onnx__AttributeProto *);
        proto->attribute[0] = attribute;
        proto->n_attribute = 1;
    }
    return proto;
}

/* Without its domain: operators of com.microsoft become those of ONNX itself, which know no channels_last. */
static const Onnx__NodeProto *proto_of(speller *s) {
    Onnx__NodeProto *proto = TS_NEW(s->net->scratch, Onnx__NodeProto);
    const Onnx__NodeProto *from = s->node->proto;
    *proto = *from;
    proto->attribute = TS_NEW_ARRAY(s->net->scratch, Onnx__AttributeProto *, from->n_attribute);
    proto->n_attribute = 0;
    for (size_t i = 0; i < from->n_attribute; i++) {
        const char *name = from->attribute[i]->name;
        if (name == NULL || strcmp(name, "channels_last") != 0) {
            proto->attribute[proto->n_attribute++] = from->attribute[i];
        }
    }
    proto->domain = ts_arena_strdup(s->net->scratch, "");
    return proto;
}

static void add_node(speller *s, const char *op, const Onnx__NodeProto *proto, const uint32_t *inputs,
                     uint32_t input_count, uint32_t output) {
    ts_onnx_node made = {.name = s->node->name,
                         .op = op,
                         .file_index = s->node->file_index,
                         .proto = proto,
                         .input_count = input_count,
                         .output_count = 1,
                         .live = true};
    made.inputs = ts_arena_copy(s->net->scratch, inputs, input_count * sizeof *inputs);
    made.outputs = ts_arena_copy(s->net->scratch, &output, sizeof output);
    TS_PUSH(s->net->scratch, &s->made, made);
}

/* The operand in floats. `axis`: of a scale for each channel. */
static uint32_t dequantised(speller *s, uint32_t value, uint32_t scale, uint32_t zero, int64_t axis,
                            const char *suffix) {
    static const double one = 1;
    scale =
        scale != TS_NONE ? scale : new_value(s, "one", ts__constant_reals(s->net->scratch, &one, 1, true));
    uint32_t real = new_value(s, suffix, NULL);
    const uint32_t inputs[] = {value, scale, zero};
    add_node(s, "DequantizeLinear", proto_with(s, "axis", axis), inputs, zero == TS_NONE ? 2 : 3, real);
    return real;
}

static ts_status constant_of(speller *s, uint32_t v, const ts_constant **out) {
    ts_onnx_value *value = v == TS_NONE ? NULL : &s->net->values.data[v];
    if (value != NULL && value->constant == NULL && value->initializer != NULL) {
        TS_TRY(ts__constant_decode(s->net, s->node, value->initializer, &value->constant));
    }
    *out = value == NULL ? NULL : value->constant;
    return *out != NULL ? TS_OK
                        : ts_error(s->net->diags, TS_DIAG_UNSUPPORTED, s->node->name, s->node->op,
                                   "its scales are not constants");
}

static double real_of(const ts_constant *c, uint64_t i) {
    return c->ints != NULL ? (double)c->ints[i] : c->reals[i];
}

/* Scale of a bias: the product of the operands', one or one a channel. */
static ts_status bias_scale(speller *s, const form *f, uint32_t *out) {
    const ts_constant *x, *w;
    TS_TRY(constant_of(s, input_of(s->node, f->operands[0].scale), &x));
    TS_TRY(constant_of(s, input_of(s->node, f->operands[1].scale), &w));
    if (x->count != 1 || w->count > TS_ONNX_MAX_DIM) {
        return ts_error(s->net->diags, TS_DIAG_UNSUPPORTED, s->node->name, s->node->op,
                        "its input has more than one scale");
    }
    double *products = TS_NEW_ARRAY(s->net->scratch, double, w->count);
    for (uint64_t i = 0; i < w->count; i++) {
        products[i] = (double)((float)real_of(x, 0) * (float)real_of(w, i));
    }
    *out = new_value(s, "bias_scale",
                     ts__constant_reals(s->net->scratch, products, (uint32_t)w->count, w->count == 1));
    return TS_OK;
}

/* The result: quantised, or the float operator's own. */
static void finish(speller *s, const char *becomes, const uint32_t *inputs, uint32_t count, uint32_t scale,
                   uint32_t zero) {
    uint32_t y = s->node->outputs[0];
    if (scale == TS_NONE) {
        add_node(s, becomes, proto_of(s), inputs, count, y);
        return;
    }
    uint32_t real = new_value(s, "real", NULL);
    add_node(s, becomes, proto_of(s), inputs, count, real);
    const uint32_t quantum[] = {real, scale, zero};
    add_node(s, "QuantizeLinear", proto_with(s, NULL, 0), quantum, zero == TS_NONE ? 2 : 3, y);
}

/* The axis of the second operand's outputs: of a scale and zero point for each. */
static ts_status output_axis(speller *s, const form *f, int64_t *axis) {
    int64_t turned = 0, last = 0;
    TS_TRY(ts__onnx_attr_int(s->net, s->node, "transB", 0, &turned));
    TS_TRY(ts__onnx_attr_int(s->net, s->node, "channels_last", 0, &last));
    *axis = strcmp(f->becomes, "Conv") != 0 && turned == 0;
    return last == 0 ? TS_OK
                     : ts_error(s->net->diags, TS_DIAG_UNSUPPORTED, s->node->name, s->node->op,
                                "channels_last = %lld; maps with channels first are served", (long long)last);
}

static ts_status spell_form(speller *s, const form *f) {
    uint32_t inputs[3], count = 0;
    int64_t axis;
    TS_TRY(output_axis(s, f, &axis));
    for (; count < f->operand_count; count++) {
        const operand *o = &f->operands[count];
        inputs[count] = dequantised(s, input_of(s->node, o->value), input_of(s->node, o->scale),
                                    input_of(s->node, o->zero), axis, count == 0 ? "x" : "w");
    }
    uint32_t bias = input_of(s->node, f->bias), scale = TS_NONE;
    if (bias != TS_NONE) {
        TS_TRY(bias_scale(s, f, &scale));
        inputs[count++] = dequantised(s, bias, scale, TS_NONE, 0, "bias");
    }
    finish(s, f->becomes, inputs, count, input_of(s->node, f->scale), input_of(s->node, f->zero));
    return TS_OK;
}

/* QLinearConcat: scale and zero point of the result, then three inputs a tensor. */
static ts_status spell_concat(speller *s) {
    uint32_t inputs[TS_MAX_INPUTS], count = (s->node->input_count - 2) / 3;
    if (s->node->input_count < 5 || count > TS_MAX_INPUTS) {
        return ts_error(s->net->diags, TS_DIAG_UNSUPPORTED, s->node->name, s->node->op,
                        "joins %u tensors; 1 to %d are served", count, TS_MAX_INPUTS);
    }
    for (uint32_t i = 0; i < count; i++) {
        inputs[i] = dequantised(s, s->node->inputs[2 + 3 * i], s->node->inputs[3 + 3 * i],
                                s->node->inputs[4 + 3 * i], 1, "x");
    }
    finish(s, "Concat", inputs, count, s->node->inputs[0], s->node->inputs[1]);
    return TS_OK;
}

/* A float node with a result of its own. */
static uint32_t computed(speller *s, const char *op, uint32_t a, uint32_t b, const char *suffix) {
    uint32_t y = new_value(s, suffix, NULL);
    const uint32_t inputs[] = {a, b};
    add_node(s, op, proto_with(s, NULL, 0), inputs, b == TS_NONE ? 1 : 2, y);
    return y;
}

static uint32_t number(speller *s, double value, const char *suffix) {
    return new_value(s, suffix, ts__constant_reals(s->net->scratch, &value, 1, true));
}

/* The largest of all elements and 0. */
static uint32_t largest(speller *s, uint32_t x, uint32_t zero, const char *suffix) {
    uint32_t y = new_value(s, suffix, NULL);
    add_node(s, "ReduceMax", proto_with(s, "keepdims", 0), &x, 1, y);
    return computed(s, "Max", y, zero, suffix);
}

/* The whole number nearest to x, plus `offset` (TS_NONE: nothing), within 8 bits, as output `output`. */
static uint32_t rounded_byte(speller *s, uint32_t x, uint32_t offset, uint32_t output) {
    uint32_t whole = computed(s, "Round", x, TS_NONE, "round");
    whole = offset == TS_NONE ? whole : computed(s, "Add", whole, offset, "code");
    uint32_t y = output < s->node->output_count ? s->node->outputs[output] : TS_NONE;
    y = y == TS_NONE ? new_value(s, "byte", NULL) : y;
    const uint32_t inputs[] = {whole, number(s, 0, "low"), number(s, 255, "high")};
    add_node(s, "Clip", proto_with(s, NULL, 0), inputs, 3, y);
    return y;
}

/* DynamicQuantizeLinear: the scale spans the input's values and 0; then codes, scale and zero point. */
static void spell_dynamic(speller *s) {
    uint32_t x = s->node->inputs[0], zero = number(s, 0, "zero");
    uint32_t above = largest(s, x, zero, "above");
    uint32_t below = largest(s, computed(s, "Neg", x, TS_NONE, "negative"), zero, "below");
    uint32_t range = computed(s, "Add", above, below, "range");
    uint32_t scale = s->node->output_count > 1 ? s->node->outputs[1] : TS_NONE;
    scale = scale == TS_NONE ? new_value(s, "scale", NULL) : scale;
    const uint32_t steps[] = {range, number(s, 255, "steps")};
    add_node(s, "Div", proto_with(s, NULL, 0), steps, 2, scale);
    uint32_t point = rounded_byte(s, computed(s, "Div", below, scale, "point"), TS_NONE, 2);
    rounded_byte(s, computed(s, "Div", x, scale, "quotient"), point, 0);
}

static ts_status spell(speller *s) {
    uint32_t before = s->made.count;
    if (s->node->output_count == 0 || s->node->outputs[0] == TS_NONE) {
        return TS_OK;
    }
    bool is_native = s->node->proto->domain == NULL || *s->node->proto->domain == '\0';
    if (strcmp(s->node->op, "DynamicQuantizeLinear") == 0 && s->node->input_count == 1 && is_native &&
        s->node->inputs[0] != TS_NONE) {
        spell_dynamic(s);
        return TS_OK;
    }
    if (strcmp(s->node->op, "QLinearConcat") == 0) {
        return spell_concat(s);
    }
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        if (strcmp(s->node->op, forms[i].name) == 0) {
            return spell_form(s, &forms[i]);
        }
    }
    TS_ASSERT(s->made.count == before, "onnx: an operator spelled out twice");
    TS_PUSH(s->net->scratch, &s->made, *s->node);
    return TS_OK;
}

const char *ts_model_quantised_operator(uint32_t index, const char **becomes) {
    enum { FORMS = sizeof forms / sizeof forms[0] };
    static const char *const others[][2] = {
        {"QLinearConcat", "Concat"},
        {"DynamicQuantizeLinear", "ReduceMax, Div, Round, Clip (in floats only)"}};
    enum { OTHERS = sizeof others / sizeof others[0] };
    *becomes = index < FORMS            ? forms[index].becomes
               : index < FORMS + OTHERS ? others[index - FORMS][1]
                                        : NULL;
    return index < FORMS ? forms[index].name : index < FORMS + OTHERS ? others[index - FORMS][0] : NULL;
}

ts_status ts__onnx_spell_out(ts_onnx *net) {
    speller s = {.net = net};
    for (uint32_t i = 0; i < net->order_count; i++) {
        s.node = &net->nodes[net->order[i]];
        TS_TRY(spell(&s));
    }
    net->nodes = s.made.data;
    net->node_count = net->order_count = s.made.count;
    net->order = TS_NEW_ARRAY(net->scratch, uint32_t, s.made.count);
    for (uint32_t i = 0; i < s.made.count; i++) {
        net->order[i] = i;
        for (uint32_t k = 0; k < net->nodes[i].output_count; k++) {
            if (net->nodes[i].outputs[k] != TS_NONE) {
                net->values.data[net->nodes[i].outputs[k]].producer = i;
            }
        }
    }
    return TS_OK;
}
