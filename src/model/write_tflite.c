/* TensorFlow Lite files of integer networks in its form: int8, written front to back with the tables linked
 * as they come. */
#include <math.h>
#include <string.h>

#include "base/file.h"
#include "model/tflite_internal.h"

/* ---- flat buffers ---- */

enum { MOST_FIELDS = 8, VECTOR_ALIGNMENT = 8, BUFFER_ALIGNMENT = 16 };

/* Bytes of the file so far. */
typedef struct flat {
    ts_arena *arena;
    uint8_t *data;
    uint32_t size, room;
} flat;

static uint8_t *reserve(flat *f, uint32_t bytes) {
    if (f->room - f->size < bytes) {
        uint32_t room = (f->size + bytes) * 2;
        uint8_t *grown = ts_arena_array(f->arena, room, 1);
        if (f->size > 0) {
            memcpy(grown, f->data, f->size);
        }
        f->data = grown;
        f->room = room;
    }
    uint8_t *at = f->data + f->size;
    memset(at, 0, bytes);
    f->size += bytes;
    return at;
}

static void put(flat *f, uint32_t at, uint32_t value, uint32_t bytes) {
    for (uint32_t i = 0; i < bytes; i++) {
        f->data[at + i] = (uint8_t)(value >> (8 * i));
    }
}

static uint32_t append(flat *f, uint32_t value) {
    reserve(f, 4);
    put(f, f->size - 4, value, 4);
    return f->size - 4;
}

/* Zeros until what follows the next `ahead` bytes begins at a multiple of `alignment`. */
static void align(flat *f, uint32_t alignment, uint32_t ahead) {
    reserve(f, (alignment - (f->size + ahead) % alignment) % alignment);
}

static void link_here(flat *f, uint32_t from) { put(f, from, f->size - from, 4); }

/* A table of fields of 4 bytes, those of the mask `present`; returns the place of field 0. Absent ones take
 * room, too. */
static uint32_t table(flat *f, uint32_t from, uint32_t fields, uint32_t present) {
    uint32_t vtable = f->size;
    reserve(f, (4 + 2 * fields + 3) / 4 * 4);
    put(f, vtable, 4 + 2 * fields, 2);
    put(f, vtable + 2, 4 + 4 * fields, 2);
    for (uint32_t i = 0; i < fields; i++) {
        put(f, vtable + 4 + 2 * i, present >> i & 1 ? 4 + 4 * i : 0, 2);
    }
    link_here(f, from);
    uint32_t start = append(f, f->size - vtable);
    reserve(f, 4 * fields);
    return start + 4;
}

static void bytes(flat *f, uint32_t from, const void *data, uint32_t count, uint32_t element,
                  uint32_t alignment) {
    align(f, alignment, 4);
    link_here(f, from);
    append(f, count);
    uint8_t *at = reserve(f, count * element);
    if (count > 0) {
        memcpy(at, data, (size_t)count * element);
    }
    reserve(f, 1); /* of a string */
    align(f, 4, 0);
}

static void integers(flat *f, uint32_t from, const int32_t *values, uint32_t count) {
    bytes(f, from, values, count, 4, 4);
}

/* A vector of `count` tables; returns the place of its first offset. */
static uint32_t tables(flat *f, uint32_t from, uint32_t count) {
    link_here(f, from);
    append(f, count);
    reserve(f, 4 * count);
    return f->size - 4 * count;
}

/* ---- the model ---- */

/* Operators, and the number that the format gives their options. */
#define WRITTEN(X)                \
    X(ADD, 0, 11, 2)              \
    X(AVERAGE_POOL_2D, 1, 5, 2)   \
    X(CONV_2D, 3, 1, 3)           \
    X(DEPTHWISE_CONV_2D, 4, 2, 3) \
    X(FULLY_CONNECTED, 9, 8, 4)   \
    X(MAX_POOL_2D, 17, 5, 2)      \
    X(RESHAPE, 22, 17, 1)         \
    X(PAD, 34, 22, 2)

typedef enum written {
#define WRITTEN_ENUM(name, code, options, version) WRITE_##name,
    WRITTEN(WRITTEN_ENUM)
#undef WRITTEN_ENUM
        WRITTEN_COUNT
} written;

static const struct {
    uint32_t code, options, version;
} kinds[] = {
#define WRITTEN_ROW(name, code, options, version) {code, options, version},
    WRITTEN(WRITTEN_ROW)
#undef WRITTEN_ROW
};
_Static_assert(sizeof kinds / sizeof kinds[0] == WRITTEN_COUNT, "one row an operator");

typedef struct file_tensor {
    const char *name;
    uint32_t rank;
    int32_t dims[4], type;
    const void *data;
    uint32_t bytes, scale_count;
    const float *scales;
    int32_t zero; /* of all */
    uint32_t dimension;
} file_tensor;

typedef struct file_operator {
    written kind;
    int32_t inputs[3], output;
    uint32_t input_count, option_count;
    int32_t options[MOST_FIELDS];
} file_operator;

typedef struct writer {
    ts_arena *arena;
    ts_diags *diags;
    const ts_graph *graph;
    const ts_node *node;
    TS_VEC(file_tensor) tensors;
    TS_VEC(file_operator) operators;
    int32_t *places; /* of the graph's activations in the file; -1: not there yet */
} writer;

#define FAIL(w, ...) \
    ts_error((w)->diags, TS_DIAG_UNSUPPORTED, (w)->node->name, ts_op_name((w)->node->op), __VA_ARGS__)

static const ts_tensor *tensor_of(const writer *w, ts_tensor_id id) { return &w->graph->tensors.data[id]; }

static int32_t add_tensor(writer *w, const file_tensor *t) {
    TS_PUSH(w->arena, &w->tensors, *t);
    return (int32_t)w->tensors.count - 1;
}

static const float *one_scale(writer *w, float scale) {
    return ts_arena_copy(w->arena, &scale, sizeof scale);
}

/* An activation of the graph, int8, named after its node. */
static int32_t add_activation(writer *w, ts_tensor_id id, float scale, int32_t zero) {
    const ts_tensor *t = tensor_of(w, id);
    file_tensor made = {.name = w->node != NULL ? w->node->name : t->name,
                        .rank = 4,
                        .type = TYPE_INT8,
                        .scale_count = 1,
                        .scales = one_scale(w, scale),
                        .zero = zero};
    for (uint32_t i = 0; i < 4; i++) {
        made.dims[i] = (int32_t)t->dims[i];
    }
    w->places[id] = add_tensor(w, &made);
    return w->places[id];
}

/* Unsigned ones lie 128 higher. */
static int32_t zero_in_file(const ts_tensor *t) { return ts_tensor_zero(t) - (t->type == TS_U8 ? 128 : 0); }

static int32_t add_integers(writer *w, const char *suffix, const int32_t *values, uint32_t rank,
                            const int32_t *dims) {
    file_tensor t = {.name = ts_arena_printf(w->arena, "%s.%s", w->node->name, suffix),
                     .rank = rank,
                     .type = TYPE_INT32,
                     .bytes = 4};
    for (uint32_t i = 0; i < rank; i++) {
        t.dims[i] = dims[i];
        t.bytes *= (uint32_t)dims[i];
    }
    t.data = ts_arena_copy(w->arena, values, t.bytes);
    return add_tensor(w, &t);
}

static void add_operator(writer *w, const file_operator *o) { TS_PUSH(w->arena, &w->operators, *o); }

/* Input i, which stands before its reader in a verified graph. */
static int32_t input_at(const writer *w, uint32_t i) { return w->places[w->node->inputs[i]]; }

static file_tensor *tensor_at(const writer *w, int32_t place) { return &w->tensors.data[place]; }

/* Padding of an axis that the reference chooses for SAME, before and behind. */
static void same_pads(uint32_t in, uint32_t out, uint32_t reach, uint32_t stride, uint32_t pads[2]) {
    uint32_t need = (out - 1) * stride + reach, total = need > in ? need - in : 0;
    pads[0] = total / 2;
    pads[1] = total - total / 2;
}

/* SAME or VALID; where the window's padding is neither, a PAD of its own before a VALID operator. */
static ts_status settle_padding(writer *w, int32_t *place, int32_t *padding) {
    const ts_tensor *in = tensor_of(w, w->node->inputs[0]), *out = tensor_of(w, w->node->output);
    const ts_window *v = &w->node->window;
    uint32_t rows[2], columns[2];
    *padding = PADDING_VALID;
    if ((v->pad_top | v->pad_left | v->pad_bottom | v->pad_right) == 0) {
        return TS_OK;
    }
    same_pads(ts_h(in), ts_h(out), (v->kernel_h - 1) * v->dilation_h + 1, v->stride_h, rows);
    same_pads(ts_w(in), ts_w(out), (v->kernel_w - 1) * v->dilation_w + 1, v->stride_w, columns);
    bool sizes = ts_h(out) == (ts_h(in) + v->stride_h - 1) / v->stride_h &&
                 ts_w(out) == (ts_w(in) + v->stride_w - 1) / v->stride_w;
    if (sizes && rows[0] == v->pad_top && rows[1] == v->pad_bottom && columns[0] == v->pad_left &&
        columns[1] == v->pad_right) {
        *padding = PADDING_SAME;
        return TS_OK;
    }
    if (w->node->op != TS_OP_CONV) {
        return FAIL(w, "pads a pooling in a way that TensorFlow Lite does not");
    }
    const int32_t pads[8] = {
        0, 0, (int32_t)v->pad_top, (int32_t)v->pad_bottom, (int32_t)v->pad_left, (int32_t)v->pad_right, 0, 0};
    file_tensor padded = *tensor_at(w, *place);
    padded.name = ts_arena_printf(w->arena, "%s.padded", w->node->name);
    padded.dims[1] += pads[2] + pads[3];
    padded.dims[2] += pads[4] + pads[5];
    file_operator o = {.kind = WRITE_PAD, .inputs = {*place}, .input_count = 2};
    o.inputs[1] = add_integers(w, "pads", pads, 2, (const int32_t[]){4, 2});
    *place = o.output = add_tensor(w, &padded);
    add_operator(w, &o);
    return TS_OK;
}

/* Real factors of the requantisation, a channel each. A layer without one gets a factor that takes an
 * accumulator of usual size to a third of the range. */
static ts_status factors(writer *w, double *out, uint32_t channels) {
    const ts_requant *r = &w->node->requant;
    const ts_tensor *weights = tensor_of(w, w->node->weights);
    uint64_t count = ts_tensor_elements(weights);
    double squares = 0;
    if (r->kind == TS_REQUANT_NEMO || ts_weights_zero(weights) != 0 || weights->type != TS_S8) {
        return FAIL(w, "is not in TensorFlow Lite's form: generate it with --tflite");
    }
    for (uint64_t i = 0; i < count; i++) {
        squares += (double)ts_tensor_int(weights, i) * ts_tensor_int(weights, i);
    }
    double usual = 42 / (60 * sqrt(squares / channels) + 1);
    for (uint32_t c = 0; c < channels; c++) {
        uint32_t i = r->channels == 1 ? 0 : c;
        out[c] = r->kind == TS_REQUANT_NONE ? usual : ldexp((double)r->multiplier[i], r->shift[i] - 31);
    }
    return TS_OK;
}

/* Weights in the file's order (depthwise: the channel last), scales that make the factors, and the bias. */
static ts_status add_parameters(writer *w, float x_scale, bool depthwise, file_operator *o) {
    const ts_tensor *weights = tensor_of(w, w->node->weights);
    uint32_t channels = weights->dims[0];
    uint64_t count = ts_tensor_elements(weights), taps = count / channels;
    double *factor = TS_NEW_ARRAY(w->arena, double, channels);
    float *scales = TS_NEW_ARRAY(w->arena, float, channels), *units = TS_NEW_ARRAY(w->arena, float, channels);
    int32_t *bias = TS_NEW_ARRAY(w->arena, int32_t, channels);
    int8_t *data = TS_NEW_ARRAY(w->arena, int8_t, count);
    TS_TRY(factors(w, factor, channels));
    for (uint64_t i = 0; i < count; i++) {
        data[depthwise ? i % taps * channels + i / taps : i] = (int8_t)ts_tensor_int(weights, i);
    }
    const float y_scale = tensor_at(w, o->output)->scales[0];
    for (uint32_t c = 0; c < channels; c++) {
        scales[c] = (float)(factor[c] * (double)y_scale / (double)x_scale);
        units[c] = scales[c] * x_scale;
        bias[c] = w->node->bias == TS_NONE ? 0 : ts_tensor_int(tensor_of(w, w->node->bias), c);
    }
    file_tensor t = {.name = ts_arena_printf(w->arena, "%s.weights", w->node->name),
                     .rank = weights->rank,
                     .type = TYPE_INT8,
                     .data = data,
                     .bytes = (uint32_t)count,
                     .scale_count = channels,
                     .scales = scales,
                     .dimension = depthwise ? 3 : 0};
    for (uint32_t i = 0; i < weights->rank; i++) {
        t.dims[i] = (int32_t)weights->dims[i];
    }
    if (depthwise) {
        t.dims[0] = 1;
        t.dims[3] = (int32_t)channels;
    }
    o->inputs[1] = add_tensor(w, &t);
    o->inputs[2] = add_integers(w, "bias", bias, 1, (const int32_t[]){(int32_t)channels});
    tensor_at(w, o->inputs[2])->scale_count = channels;
    tensor_at(w, o->inputs[2])->scales = units;
    o->input_count = 3;
    return TS_OK;
}

/* Results of layers with weights have one scale: it may be any. */
static const float LAYER_SCALE = 0.0625f;

static ts_status write_conv(writer *w) {
    const ts_node *n = w->node;
    const ts_window *v = &n->window;
    const ts_tensor *in = tensor_of(w, n->inputs[0]), *out = tensor_of(w, n->output);
    bool depthwise = n->groups > 1 && n->groups == ts_c(in) && n->groups == ts_c(out);
    int32_t place = input_at(w, 0), padding;
    file_operator o = {.kind = depthwise ? WRITE_DEPTHWISE_CONV_2D : WRITE_CONV_2D};
    TS_TRY(settle_padding(w, &place, &padding));
    o.inputs[0] = place;
    o.output = add_activation(w, n->output, LAYER_SCALE, out->type == TS_U8 ? zero_in_file(out) : 0);
    TS_TRY(add_parameters(w, tensor_at(w, place)->scales[0], depthwise, &o));
    const int32_t common[3] = {padding, (int32_t)v->stride_w, (int32_t)v->stride_h};
    const int32_t rest[3] = {ACTIVATION_NONE, (int32_t)v->dilation_w, (int32_t)v->dilation_h};
    memcpy(o.options, common, sizeof common);
    o.options[3] = 1; /* of a depthwise one: the multiplier */
    memcpy(o.options + (depthwise ? 4 : 3), rest, sizeof rest);
    o.option_count = depthwise ? 7 : 6;
    add_operator(w, &o);
    return TS_OK;
}

static ts_status write_linear(writer *w) {
    const ts_node *n = w->node;
    const ts_tensor *out = tensor_of(w, n->output);
    const int32_t place = input_at(w, 0);
    const int32_t shape[2] = {1, (int32_t)ts_tensor_elements(tensor_of(w, n->inputs[0]))};
    file_tensor row = *tensor_at(w, place);
    row.name = ts_arena_printf(w->arena, "%s.flat", n->name);
    row.rank = 2;
    memcpy(row.dims, shape, sizeof shape);
    file_operator reshape = {.kind = WRITE_RESHAPE, .inputs = {place}, .input_count = 2};
    reshape.inputs[1] = add_integers(w, "shape", shape, 1, (const int32_t[]){2});
    reshape.output = add_tensor(w, &row);
    add_operator(w, &reshape);
    file_operator o = {.kind = WRITE_FULLY_CONNECTED, .inputs = {reshape.output}, .option_count = 1};
    o.output = add_activation(w, n->output, LAYER_SCALE, out->type == TS_U8 ? zero_in_file(out) : 0);
    tensor_at(w, o.output)->rank = 2;
    tensor_at(w, o.output)->dims[1] = (int32_t)ts_c(out);
    TS_TRY(add_parameters(w, row.scales[0], false, &o));
    add_operator(w, &o);
    return TS_OK;
}

/* The quantum stays. */
static ts_status write_pool(writer *w, written kind) {
    const ts_node *n = w->node;
    const ts_window *v = &n->window;
    int32_t place = input_at(w, 0), padding;
    TS_TRY(settle_padding(w, &place, &padding));
    if (v->dilation_h != 1 || v->dilation_w != 1) {
        return FAIL(w, "has dilations, which TensorFlow Lite's poolings have not");
    }
    const file_tensor x = *tensor_at(w, place);
    file_operator o = {.kind = kind,
                       .inputs = {place},
                       .input_count = 1,
                       .output = add_activation(w, n->output, x.scales[0], x.zero),
                       .option_count = 6,
                       .options = {padding, (int32_t)v->stride_w, (int32_t)v->stride_h, (int32_t)v->kernel_w,
                                   (int32_t)v->kernel_h, ACTIVATION_NONE}};
    add_operator(w, &o);
    return TS_OK;
}

/* Both operands have weight 1: the result's scale is what the requantisation makes of theirs. */
static ts_status write_add(writer *w) {
    const ts_node *n = w->node;
    const ts_requant *r = &n->requant;
    file_operator o = {
        .kind = WRITE_ADD, .inputs = {input_at(w, 0), input_at(w, 1)}, .input_count = 2, .option_count = 1};
    if (r->kind != TS_REQUANT_TFLITE || r->multiplier[0] <= 0) {
        return FAIL(w, "is not in TensorFlow Lite's form: generate it with --tflite");
    }
    double larger =
        fmax((double)tensor_at(w, o.inputs[0])->scales[0], (double)tensor_at(w, o.inputs[1])->scales[0]);
    double factor = ldexp((double)r->multiplier[0], r->shift[0] - 31 + 19);
    o.output = add_activation(w, n->output, (float)(larger / factor), zero_in_file(tensor_of(w, n->output)));
    add_operator(w, &o);
    return TS_OK;
}

static ts_status write_node(writer *w) {
    switch (w->node->op) {
        case TS_OP_CONV:
            return write_conv(w);
        case TS_OP_LINEAR:
            return write_linear(w);
        case TS_OP_ADD:
            return write_add(w);
        case TS_OP_MAX_POOL:
            return write_pool(w, WRITE_MAX_POOL_2D);
        case TS_OP_AVG_POOL:
            return write_pool(w, WRITE_AVERAGE_POOL_2D);
        default:
            return FAIL(w, "is not written to TensorFlow Lite files");
    }
}

/* ---- serialisation ---- */

static void put_quantum(flat *f, uint32_t from, const file_tensor *t) {
    uint32_t fields = table(f, from, 7, t->scale_count > 0 ? 1u << 2 | 1u << 3 | 1u << 6 : 0);
    if (t->scale_count == 0) {
        return;
    }
    put(f, fields + 24, t->dimension, 4);
    bytes(f, fields + 8, t->scales, t->scale_count, 4, 4);
    align(f, VECTOR_ALIGNMENT, 4);
    link_here(f, fields + 12);
    append(f, t->scale_count);
    for (uint32_t i = 0; i < t->scale_count; i++) {
        append(f, (uint32_t)t->zero);
        append(f, t->zero < 0 ? UINT32_MAX : 0);
    }
}

static void put_tensor(flat *f, uint32_t from, const file_tensor *t, uint32_t buffer) {
    uint32_t fields = table(f, from, 5, 31);
    put(f, fields + 4, (uint32_t)t->type, 4);
    put(f, fields + 8, t->data == NULL ? 0 : buffer, 4);
    integers(f, fields, t->dims, t->rank);
    bytes(f, fields + 12, t->name, (uint32_t)strlen(t->name), 1, 4);
    put_quantum(f, fields + 16, t);
}

static void put_operator(flat *f, uint32_t from, const file_operator *o) {
    uint32_t fields = table(f, from, 5, 31);
    put(f, fields, o->kind, 4);
    integers(f, fields + 4, o->inputs, o->input_count);
    integers(f, fields + 8, &o->output, 1);
    put(f, fields + 12, kinds[o->kind].options, 4);
    uint32_t options = table(f, fields + 16, o->option_count, (1u << o->option_count) - 1);
    for (uint32_t i = 0; i < o->option_count; i++) {
        put(f, options + 4 * i, (uint32_t)o->options[i], 4);
    }
}

static void put_codes(flat *f, uint32_t from) {
    uint32_t list = tables(f, from, WRITTEN_COUNT);
    for (uint32_t i = 0; i < WRITTEN_COUNT; i++) {
        uint32_t fields = table(f, list + 4 * i, 4, 1 | 4 | 8);
        put(f, fields, kinds[i].code, 4);
        put(f, fields + 8, kinds[i].version, 4);
        put(f, fields + 12, kinds[i].code, 4);
    }
}

static void put_subgraph(flat *f, uint32_t from, const writer *w, const int32_t *inputs,
                         const int32_t *outputs) {
    uint32_t list = tables(f, from, 1), fields = table(f, list, 4, 15);
    uint32_t tensors = tables(f, fields, w->tensors.count);
    for (uint32_t i = 0; i < w->tensors.count; i++) {
        put_tensor(f, tensors + 4 * i, &w->tensors.data[i], i + 1);
    }
    integers(f, fields + 4, inputs, w->graph->inputs.count);
    integers(f, fields + 8, outputs, w->graph->outputs.count);
    uint32_t operators = tables(f, fields + 12, w->operators.count);
    for (uint32_t i = 0; i < w->operators.count; i++) {
        put_operator(f, operators + 4 * i, &w->operators.data[i]);
    }
}

static void put_buffers(flat *f, uint32_t from, const writer *w) {
    uint32_t list = tables(f, from, w->tensors.count + 1);
    for (uint32_t i = 0; i <= w->tensors.count; i++) {
        const file_tensor *t = i == 0 ? NULL : &w->tensors.data[i - 1];
        bool filled = t != NULL && t->data != NULL;
        uint32_t fields = table(f, list + 4 * i, 1, filled);
        if (filled) {
            bytes(f, fields, t->data, t->bytes, 1, BUFFER_ALIGNMENT);
        }
    }
}

static void serialise(const writer *w, flat *f) {
    static const char about[] = "generated by Tessera";
    int32_t inputs[16], outputs[16];
    for (uint32_t i = 0; i < w->graph->inputs.count; i++) {
        inputs[i] = w->places[w->graph->inputs.data[i]];
    }
    for (uint32_t i = 0; i < w->graph->outputs.count; i++) {
        outputs[i] = w->places[w->graph->outputs.data[i]];
    }
    reserve(f, 8);
    memcpy(f->data + 4, "TFL3", 4);
    uint32_t model = table(f, 0, 5, 31);
    put(f, model, 3, 4);
    put_codes(f, model + 4);
    bytes(f, model + 12, about, sizeof about - 1, 1, 4);
    put_subgraph(f, model + 8, w, inputs, outputs);
    put_buffers(f, model + 16, w);
}

static ts_status write_model(writer *w, const char *path) {
    const ts_graph *g = w->graph;
    flat f = {.arena = w->arena};
    w->places = TS_NEW_ARRAY(w->arena, int32_t, g->tensors.count);
    for (uint32_t i = 0; i < g->tensors.count; i++) {
        w->places[i] = -1;
    }
    if (g->inputs.count > 16 || g->outputs.count > 16) {
        return ts_error(w->diags, TS_DIAG_LIMIT, NULL, NULL, "more than 16 inputs or outputs");
    }
    for (uint32_t i = 0; i < g->inputs.count; i++) {
        const ts_tensor *t = tensor_of(w, g->inputs.data[i]);
        if (t->type != TS_U8 && t->type != TS_S8) {
            return ts_error(w->diags, TS_DIAG_UNSUPPORTED, NULL, NULL,
                            "input '%s' has type %s; TensorFlow Lite files have inputs of 8 bits", t->name,
                            ts_type_name(t->type));
        }
        add_activation(w, g->inputs.data[i], LAYER_SCALE, zero_in_file(t));
    }
    for (ts_node_id i = 0; i < g->nodes.count; i++) {
        w->node = &g->nodes.data[i];
        TS_TRY(write_node(w));
    }
    serialise(w, &f);
    return ts_file_write(path, f.data, f.size, w->diags);
}

static void free_arena(void *arena) { ts_arena_free(arena); }

ts_status ts_model_write_tflite(const ts_graph *graph, const char *path, ts_diags *diags) {
    ts_arena *arena = ts_arena_new("tflite", 0);
    ts_guard_defer(free_arena, arena);
    writer w = {.arena = arena, .graph = graph, .diags = diags};
    ts_status status = write_model(&w, path);
    ts_guard_undefer(arena);
    ts_arena_free(arena);
    return status;
}
