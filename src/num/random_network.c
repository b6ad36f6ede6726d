/* Random networks: a walk that adds one random layer after another to whatever fits. */
#include <string.h>

#include "num/build.h"
#include "num/generate.h"

ts_random_limits ts_random_limits_default(void) {
    return (ts_random_limits){
        .nodes = 8, .side = 12, .channels = 24, .sub_byte = true, .signed_activations = true};
}

int32_t *ts_random_values(ts_arena *arena, uint64_t seed, const ts_tensor *tensor, bool extreme) {
    ts_random random = ts_random_seed(seed);
    uint64_t count = ts_tensor_elements(tensor);
    int64_t low = ts_type_low(tensor->type), high = ts_type_high(tensor->type);
    int32_t *values = TS_NEW_ARRAY(arena, int32_t, count);
    for (uint64_t i = 0; i < count; i++) {
        bool end = extreme && ts_random_range(&random, 0, 7) != 0;
        values[i] =
            (int32_t)(end ? (ts_random_next(&random) & 1 ? high : low) : ts_random_range(&random, low, high));
    }
    return values;
}

typedef struct walk {
    ts__builder b;
    const ts_random_limits *limits;
    bool is_1d;
} walk;

static uint32_t pick(walk *w, uint32_t low, uint32_t high) {
    return (uint32_t)ts_random_range(&w->b.random, low, high);
}

static bool chance(walk *w, uint32_t in) { return pick(w, 1, in) == 1; }

static ts_type pick_weight_type(walk *w) {
    static const ts_type types[] = {TS_S8, TS_S8, TS_S4, TS_S2};
    return types[w->limits->sub_byte ? pick(w, 0, 3) : 0];
}

static ts_type pick_activation_type(walk *w) {
    if (w->limits->halves && chance(w, 2)) {
        return TS_S16;
    }
    static const ts_type types[] = {TS_U8, TS_U8, TS_U4, TS_U2, TS_S8, TS_S8, TS_S4, TS_S2};
    uint32_t sign = w->limits->signed_activations && chance(w, 3) ? 4 : 0;
    return types[sign + (w->limits->sub_byte ? pick(w, 0, 3) : 0)];
}

static const ts_tensor *tensor_of(const walk *w, ts_tensor_id id) { return &w->b.graph->tensors.data[id]; }

/* Kernel, stride, dilation and pads of one axis, such that the result is at least 1. */
static void pick_axis(walk *w, uint32_t in, uint32_t *kernel, uint32_t *stride, uint32_t *dilation,
                      uint32_t *pad_begin, uint32_t *pad_end) {
    *kernel = pick(w, 1, 5);
    *stride = chance(w, 2) ? 1 : pick(w, 1, 3);
    *dilation = chance(w, 4) ? pick(w, 2, 3) : 1;
    uint32_t reach = (*kernel - 1) * *dilation;
    *pad_begin = chance(w, 2) ? reach / 2 : pick(w, 0, reach);
    *pad_end = chance(w, 2) ? reach / 2 : pick(w, 0, reach);
    if (ts_window_out(in, *kernel, *stride, *dilation, *pad_begin, *pad_end) == 0) {
        *pad_begin = reach;
    }
}

static ts_window pick_window(walk *w, const ts_tensor *in) {
    ts_window win = {1, 1, 1, 1, 1, 1, 0, 0, 0, 0};
    if (ts_h(in) > 1 || !w->is_1d) {
        pick_axis(w, ts_h(in), &win.kernel_h, &win.stride_h, &win.dilation_h, &win.pad_top, &win.pad_bottom);
    }
    if (w->limits->column && ts_w(in) == 1) {
        return win;
    }
    pick_axis(w, ts_w(in), &win.kernel_w, &win.stride_w, &win.dilation_w, &win.pad_left, &win.pad_right);
    return win;
}

/* Pooling neither dilates nor lets a window lie in the padding. */
static ts_window pick_pool_window(walk *w, const ts_tensor *in) {
    ts_window win = pick_window(w, in);
    win.dilation_h = win.dilation_w = 1;
    win.kernel_h = win.kernel_h > ts_h(in) ? ts_h(in) : win.kernel_h;
    win.kernel_w = win.kernel_w > ts_w(in) ? ts_w(in) : win.kernel_w;
    win.pad_top = pick(w, 0, win.kernel_h / 2);
    win.pad_bottom = pick(w, 0, win.kernel_h / 2);
    win.pad_left = pick(w, 0, win.kernel_w / 2);
    win.pad_right = pick(w, 0, win.kernel_w / 2);
    return win;
}

/* 1, all, or any number that divides the channels. */
static uint32_t pick_groups(walk *w, uint32_t in_c, uint32_t *out_c) {
    if (chance(w, 2)) {
        return 1;
    }
    if (chance(w, 2) || w->limits->nemo_only) {
        *out_c = in_c;
        return in_c;
    }
    uint32_t groups = pick(w, 1, in_c);
    while (in_c % groups != 0) {
        groups--;
    }
    *out_c = (*out_c + groups - 1) / groups * groups;
    *out_c = *out_c > w->limits->channels ? groups : *out_c;
    return groups;
}

static ts__layer_spec pick_spec(walk *w, ts_op op, const ts_tensor *in) {
    ts__layer_spec s = {.op = op,
                        .groups = 1,
                        .out_c = pick(w, 1, w->limits->channels),
                        .weight_type = pick_weight_type(w),
                        .out_type = pick_activation_type(w),
                        .weights = (ts__weights)pick(w, 0, 2),
                        .centre = (ts__centre)pick(w, 0, 1),
                        .bias = chance(w, 3),
                        .requant = w->limits->tflite && chance(w, 2) ? TS_REQUANT_TFLITE : TS_REQUANT_NEMO,
                        .d_less_one = chance(w, 3)};
    if (w->limits->halves && in->type == TS_S16 && !chance(w, 4)) {
        bool weighs = (op == TS_OP_CONV || op == TS_OP_LINEAR) && s.requant == TS_REQUANT_NEMO;
        s.weight_type = TS_S16;
        s.by_shift = weighs && chance(w, 2);
        s.wide = weighs && chance(w, 2);
        s.d_less_one = s.d_less_one && !s.wide;
    }
    if (op == TS_OP_CONV && s.requant == TS_REQUANT_TFLITE && s.weight_type != TS_S16 && chance(w, 4)) {
        s.weights_zero =
            (int32_t)ts_random_range(&w->b.random, ts_type_low(s.weight_type), ts_type_high(s.weight_type));
    }
    switch (op) {
        case TS_OP_CONV:
            s.window = pick_window(w, in);
            s.groups = pick_groups(w, ts_c(in), &s.out_c);
            break;
        case TS_OP_MAX_POOL:
            s.window = pick_pool_window(w, in);
            s.requant = chance(w, 4) ? TS_REQUANT_NEMO : TS_REQUANT_NONE;
            break;
        case TS_OP_AVG_POOL:
            s.window = pick_pool_window(w, in);
            s.out_type = w->limits->halves && in->type == TS_S16 ? TS_S16
                         : ts_type_is_signed(in->type)           ? TS_S8
                                                                 : TS_U8;
            s.requant = TS_REQUANT_NEMO;
            s.to_nearest = (s.window.kernel_h + s.window.kernel_w) % 3 == 0;
            break;
        case TS_OP_REQUANT:
            s.by_tensor = w->limits->nemo_only || chance(w, 2);
            break;
        default:
            break;
    }
    return s;
}

/* An earlier activation of the same shape, itself included; TS_NONE where it is the only one and `in` must
 * not meet itself. */
static ts_tensor_id partner(walk *w, ts_tensor_id in) {
    ts_tensor_id found = TS_NONE;
    uint32_t seen = 0;
    for (ts_tensor_id id = 0; id < w->b.graph->tensors.count; id++) {
        const ts_tensor *t = tensor_of(w, id);
        bool fits = id != in && t->data == NULL && t->type != TS_S32 && t->type != TS_F32 &&
                    memcmp(t->dims, tensor_of(w, in)->dims, sizeof t->dims) == 0;
        if (fits && chance(w, ++seen)) {
            found = id;
        }
    }
    return found != TS_NONE || !chance(w, 8) ? found : in;
}

static ts_status add_sum(walk *w, const char *name, ts_tensor_id in, ts_tensor_id other, ts_tensor_id *out) {
    static const int64_t usual[][3] = {{32, 32, 32}, {32, 32, 64},   {40, 64, 64},
                                       {1, 1, 1},    {53, 128, 128}, {256, 43, 256}};
    const int64_t *row = usual[pick(w, 0, 5)];
    row = w->limits->halves && chance(w, 2) ? usual[3] : row;
    row = w->limits->nemo_only && row[2] == 1 ? usual[0] : row; /* an activation would join the sum */
    bool wide = tensor_of(w, in)->type == TS_S16 || tensor_of(w, other)->type == TS_S16;
    ts__add_spec spec = {.m1 = row[0],
                         .m2 = row[1],
                         .d = row[2],
                         .then = wide || chance(w, 2) ? TS_REQUANT_NEMO : TS_REQUANT_NONE,
                         .out_type = pick_activation_type(w)};
    return ts__build_add(&w->b, name, &spec, in, other, out);
}

/* ---- what moves elements ---- */

static ts_status moved(walk *w, const char *name, const ts_node *node, const uint32_t dims[3],
                       ts_tensor_id *out) {
    return ts__build_plain(&w->b, name, node, tensor_of(w, node->inputs[0])->type, dims, out);
}

/* Tensors that fit behind `in` along a random axis, one to three of them; itself where there is no other. */
static ts_status add_concat(walk *w, const char *name, ts_tensor_id in, ts_tensor_id *out) {
    const ts_tensor *x = tensor_of(w, in);
    uint32_t axis = pick(w, 0, 2), dims[] = {ts_h(x), ts_w(x), ts_c(x)};
    ts_node node = {.op = TS_OP_CONCAT, .input_count = 1, .inputs = {in}, .move.axis = axis};
    uint32_t wanted = pick(w, 2, 4);
    for (ts_tensor_id id = 0; id < w->b.graph->tensors.count && node.input_count < wanted; id++) {
        const ts_tensor *t = tensor_of(w, id);
        bool fits = t->data == NULL && t->type == x->type && ts_tensor_zero(t) == ts_tensor_zero(x) &&
                    ts_c(t) * ts_type_bits(t->type) % 8 == 0;
        for (uint32_t i = 0; i < 3; i++) {
            fits = fits && (i == axis || t->dims[1 + i] == x->dims[1 + i]);
        }
        if (fits) {
            node.inputs[node.input_count++] = id;
            dims[axis] += t->dims[1 + axis];
        }
    }
    return moved(w, name, &node, dims, out);
}

static ts_status add_pad(walk *w, const char *name, ts_tensor_id in, ts_tensor_id *out) {
    const ts_tensor *x = tensor_of(w, in);
    uint32_t dims[3];
    ts_node node = {.op = TS_OP_PAD, .input_count = 1, .inputs = {in}};
    for (uint32_t i = 0; i < 3; i++) {
        bool shared = i == 2 && ts_type_bits(x->type) < 8;
        node.move.begin[i] = shared || chance(w, 2) ? 0 : pick(w, 0, 3);
        dims[i] = x->dims[1 + i] + node.move.begin[i] + (shared || chance(w, 2) ? 0 : pick(w, 0, 3));
    }
    node.move.fill = (int32_t)ts_random_range(&w->b.random, ts_type_low(x->type), ts_type_high(x->type));
    return moved(w, name, &node, dims, out);
}

static ts_status add_slice(walk *w, const char *name, ts_tensor_id in, ts_tensor_id *out) {
    const ts_tensor *x = tensor_of(w, in);
    uint32_t dims[3];
    ts_node node = {.op = TS_OP_SLICE, .input_count = 1, .inputs = {in}};
    for (uint32_t i = 0; i < 3; i++) {
        bool shared = i == 2 && ts_type_bits(x->type) < 8;
        uint32_t size = x->dims[1 + i], begin = shared || chance(w, 3) ? 0 : pick(w, 0, size - 1);
        uint32_t step = shared || chance(w, 2) ? 1 : pick(w, 1, 3);
        uint32_t most = (size - 1 - begin) / step + 1;
        node.move.begin[i] = begin;
        node.move.step[i] = step;
        dims[i] = shared || chance(w, 2) ? most : pick(w, 1, most);
    }
    return moved(w, name, &node, dims, out);
}

static ts_status add_transpose(walk *w, const char *name, ts_tensor_id in, ts_tensor_id *out) {
    static const uint32_t orders[][3] = {{1, 0, 2}, {0, 2, 1}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    const ts_tensor *x = tensor_of(w, in);
    uint32_t dims[3];
    const uint32_t *order = orders[ts_type_bits(x->type) < 8 ? 0 : pick(w, 0, 4)];
    ts_node node = {.op = TS_OP_TRANSPOSE, .input_count = 1, .inputs = {in}};
    for (uint32_t i = 0; i < 3; i++) {
        node.move.order[i] = order[i];
        dims[i] = x->dims[1 + order[i]];
    }
    return moved(w, name, &node, dims, out);
}

static ts_status add_pick(walk *w, const char *name, ts_tensor_id in, ts_tensor_id *out) {
    const ts_tensor x = *tensor_of(w, in);
    uint32_t axis = pick(w, 0, ts_type_bits(x.type) < 8 ? 1 : 2), size = x.dims[1 + axis];
    uint32_t dims[] = {ts_h(&x), ts_w(&x), ts_c(&x)};
    ts_node node = {.op = TS_OP_PICK, .input_count = 1, .inputs = {in}, .bias = TS_NONE, .move.axis = axis};
    dims[axis] = chance(w, 2) ? size : pick(w, 1, 2 * size);
    node.weights = ts__build_indices(&w->b, name, size, dims[axis]);
    return moved(w, name, &node, dims, out);
}

static ts_status add_resize(walk *w, const char *name, ts_tensor_id in, ts_tensor_id *out) {
    const ts_tensor *x = tensor_of(w, in);
    uint32_t channels = ts_type_bits(x->type) >= 8 && chance(w, 4) ? pick(w, 1, 3) : 1;
    const uint32_t dims[] = {ts_h(x) * pick(w, 1, 3), ts_w(x) * pick(w, 1, 3), ts_c(x) * channels};
    ts_node node = {.op = TS_OP_RESIZE, .input_count = 1, .inputs = {in}};
    return moved(w, name, &node, dims, out);
}

static ts_status add_reshape(walk *w, const char *name, ts_tensor_id in, ts_tensor_id *out) {
    const ts_tensor *x = tensor_of(w, in);
    bool flat = chance(w, 2);
    const uint32_t dims[] = {flat ? 1 : ts_w(x), flat ? 1 : ts_h(x),
                             ts_c(x) * (flat ? ts_h(x) * ts_w(x) : 1)};
    ts_node node = {.op = TS_OP_RESHAPE, .input_count = 1, .inputs = {in}};
    return moved(w, name, &node, dims, out);
}

/* Elements of 4 and 2 bits move where pixels are whole bytes; sums of 32 bits do not move. */
static ts_status add_move(walk *w, const char *name, ts_op op, ts_tensor_id in, ts_tensor_id *out) {
    const ts_tensor *x = tensor_of(w, in);
    uint32_t bits = ts_type_bits(x->type);
    *out = TS_NONE;
    if (x->type == TS_S32 || ts_c(x) * bits % 8 != 0 ||
        ts_tensor_elements(x) > (op == TS_OP_RESIZE ? 500 : 3000)) {
        return TS_OK;
    }
    if (w->limits->picks && chance(w, 2)) {
        return add_pick(w, name, in, out);
    }
    switch (op) {
        case TS_OP_CONCAT:
            return add_concat(w, name, in, out);
        case TS_OP_PAD:
            return add_pad(w, name, in, out);
        case TS_OP_SLICE:
            return add_slice(w, name, in, out);
        case TS_OP_TRANSPOSE:
            return add_transpose(w, name, in, out);
        case TS_OP_RESIZE:
            return add_resize(w, name, in, out);
        default:
            return add_reshape(w, name, in, out);
    }
}

static ts_status add_table(walk *w, const char *name, ts_tensor_id in, ts_tensor_id *out) {
    const ts_tensor x = *tensor_of(w, in);
    *out = TS_NONE;
    if (ts_type_bits(x.type) > 8) {
        return TS_OK;
    }
    ts_type type = pick_activation_type(w);
    type = type == TS_S16 ? TS_S8 : type; /* entries are bytes */
    ts_node node = {.op = TS_OP_LUT, .input_count = 1, .inputs = {in}, .bias = TS_NONE};
    node.weights = ts__build_table(&w->b, name, x.type, type);
    return ts__build_plain(&w->b, name, &node, type, x.dims + 1, out);
}

/* Weights that may use all 32 bits of a product with 255; biases that leave them room. */
static ts_status add_norm(walk *w, const char *name, ts_tensor_id in, ts_tensor_id *out) {
    const ts_tensor x = *tensor_of(w, in);
    ts_type type = chance(w, 2) ? TS_S8 : TS_U8;
    int64_t most = chance(w, 3) ? INT32_MAX / 512 : ts_random_range(&w->b.random, 1, 1 << 17);
    ts_node node = {.op = TS_OP_NORM, .input_count = 1, .inputs = {in}, .bias = TS_NONE};
    *out = TS_NONE;
    if (x.type != TS_U8 && x.type != TS_S8) {
        return TS_OK;
    }
    node.weights = ts__build_words(&w->b, ts_arena_printf(w->b.arena, "%s.weights", name), ts_c(&x), most);
    if (chance(w, 2)) {
        node.bias = ts__build_words(&w->b, ts_arena_printf(w->b.arena, "%s.bias", name), ts_c(&x), 64 * most);
    }
    uint32_t bits = 0;
    while (most >> bits > 64) {
        bits++;
    }
    bool clipped = chance(w, 2);
    node.norm = (ts_norm){.centred = chance(w, 2),
                          .shift = bits,
                          .low = clipped ? 3 : (int32_t)ts_type_low(type),
                          .high = clipped ? 100 : (int32_t)ts_type_high(type)};
    return ts__build_plain(&w->b, name, &node, type, x.dims + 1, out);
}

/* I-BERT's of a random quantum, and ITA's. */
static ts_softmax pick_quotient(walk *w) {
    int32_t log2 = (int32_t)pick(w, 1, 300);
    if (chance(w, 2)) {
        return (ts_softmax){.kind = TS_SOFTMAX_ITA};
    }
    return (ts_softmax){.kind = TS_SOFTMAX_IBERT,
                        .a = (int32_t)pick(w, 1, 2),
                        .b = 2 * log2,
                        .c = (int32_t)pick(w, 1, 100000),
                        .log2 = log2,
                        .levels = (int32_t)pick(w, 2, 256)};
}

/* Logits whose quantum is between 1/256 and 1/4. */
static ts_status add_softmax(walk *w, const char *name, ts_tensor_id in, ts_tensor_id *out) {
    const ts_tensor x = *tensor_of(w, in);
    *out = TS_NONE;
    if (x.type != TS_U8 && x.type != TS_S8) {
        return TS_OK;
    }
    int32_t shift = (int32_t)pick(w, 19, 25);
    ts_node node = {
        .op = TS_OP_SOFTMAX, .input_count = 1, .inputs = {in}, .weights = TS_NONE, .bias = TS_NONE};
    node.softmax = (ts_softmax){.multiplier = (int32_t)ts_random_range(&w->b.random, 1 << 30, INT32_MAX),
                                .shift = shift,
                                .diff_min = -(int32_t)((INT64_C(31) << 26) >> shift)};
    if (w->limits->norms && !chance(w, 4)) {
        node.softmax = pick_quotient(w);
    }
    return ts__build_plain(&w->b, name, &node, x.type, x.dims + 1, out);
}

/* ---- floats ---- */

/* A convolution or linear layer of floats. */
static ts_status add_float_sums(walk *w, const char *name, ts_op op, ts_tensor_id in, ts_tensor_id *out) {
    const ts_tensor x = *tensor_of(w, in);
    const char *weights = ts_arena_printf(w->b.arena, "%s.weights", name);
    ts_node node = {.op = op, .input_count = 1, .inputs = {in}, .bias = TS_NONE};
    uint32_t dims[] = {1, 1, pick(w, 1, 8)};
    if (op == TS_OP_CONV) {
        node.groups = pick_groups(w, ts_c(&x), &dims[2]);
        node.window = pick_window(w, &x);
        const ts_window *v = &node.window;
        dims[0] = ts_window_out(ts_h(&x), v->kernel_h, v->stride_h, v->dilation_h, v->pad_top, v->pad_bottom);
        dims[1] = ts_window_out(ts_w(&x), v->kernel_w, v->stride_w, v->dilation_w, v->pad_left, v->pad_right);
        const uint32_t shape[] = {dims[2], v->kernel_h, v->kernel_w, ts_c(&x) / node.groups};
        node.weights = ts__build_reals(&w->b, weights, 4, shape);
    } else {
        node.weights =
            ts__build_reals(&w->b, weights, 2, (const uint32_t[]){dims[2], (uint32_t)ts_tensor_elements(&x)});
    }
    if (chance(w, 2)) {
        node.bias = ts__build_reals(&w->b, ts_arena_printf(w->b.arena, "%s.bias", name), 1, &dims[2]);
    }
    return ts__build_plain(&w->b, name, &node, TS_F32, dims, out);
}

static ts_status add_float_pool(walk *w, const char *name, ts_op op, ts_tensor_id in, ts_tensor_id *out) {
    const ts_tensor x = *tensor_of(w, in);
    ts_node node = {.op = op, .input_count = 1, .inputs = {in}, .weights = TS_NONE, .bias = TS_NONE};
    node.window = pick_pool_window(w, &x);
    const ts_window *v = &node.window;
    const uint32_t dims[] = {ts_window_out(ts_h(&x), v->kernel_h, v->stride_h, 1, v->pad_top, v->pad_bottom),
                             ts_window_out(ts_w(&x), v->kernel_w, v->stride_w, 1, v->pad_left, v->pad_right),
                             ts_c(&x)};
    return ts__build_plain(&w->b, name, &node, TS_F32, dims, out);
}

/* A program of one operand, into `type`. */
static ts_status add_float_program(walk *w, const char *name, ts_type type, ts_tensor_id in,
                                   ts_tensor_id *out) {
    const ts_tensor x = *tensor_of(w, in);
    ts_node node = {.op = TS_OP_FLOAT, .input_count = 1, .inputs = {in}, .bias = TS_NONE};
    node.weights = ts__build_program(&w->b, name, &x.type, 1, ts_c(&x), type);
    return ts__build_plain(&w->b, name, &node, type, x.dims + 1, out);
}

static ts_status add_float_layer(walk *w, const char *name, ts_tensor_id in, ts_tensor_id *out) {
    static const ts_op ops[] = {TS_OP_CONV,     TS_OP_CONV,  TS_OP_CONV,      TS_OP_LINEAR, TS_OP_MAX_POOL,
                                TS_OP_AVG_POOL, TS_OP_SLICE, TS_OP_TRANSPOSE, TS_OP_PAD,    TS_OP_FLOAT};
    ts_op op = ops[pick(w, 0, sizeof ops / sizeof ops[0] - 1)];
    if (op == TS_OP_CONV || op == TS_OP_LINEAR) {
        return add_float_sums(w, name, op, in, out);
    }
    if (op == TS_OP_MAX_POOL || op == TS_OP_AVG_POOL) {
        return add_float_pool(w, name, op, in, out);
    }
    return op == TS_OP_FLOAT ? add_float_program(w, name, TS_F32, in, out) : add_move(w, name, op, in, out);
}

/* Codes made floats, up to three layers of these, and codes again. */
static ts_status add_floats(walk *w, const char *name, ts_tensor_id in, ts_tensor_id *out) {
    *out = TS_NONE;
    if (ts_type_bits(tensor_of(w, in)->type) < 8 || ts_tensor_elements(tensor_of(w, in)) > 2000) {
        return TS_OK;
    }
    ts_tensor_id last = in, added;
    TS_TRY(add_float_program(w, ts_arena_printf(w->b.arena, "%s.in", name), TS_F32, in, &last));
    for (uint32_t i = 0, layers = pick(w, 1, 3); i < layers; i++) {
        TS_TRY(add_float_layer(w, ts_arena_printf(w->b.arena, "%s.%u", name, (unsigned)i), last, &added));
        last = added == TS_NONE ? last : added;
    }
    return add_float_program(w, name, chance(w, 3) ? TS_S8 : TS_U8, last, out);
}

static ts_status add_float(walk *w, const char *name, ts_tensor_id in, ts_tensor_id *out) {
    if (chance(w, 2)) {
        return add_floats(w, name, in, out);
    }
    ts_tensor_id other = chance(w, 2) ? partner(w, in) : TS_NONE;
    const ts_tensor x = *tensor_of(w, in);
    ts_type types[2] = {x.type, TS_S32};
    ts_node node = {.op = TS_OP_FLOAT, .input_count = 1, .inputs = {in}, .bias = TS_NONE};
    *out = TS_NONE;
    if (other != TS_NONE && ts_type_bits(tensor_of(w, other)->type) >= 8) {
        types[node.input_count] = tensor_of(w, other)->type;
        node.inputs[node.input_count++] = other;
    }
    if (ts_type_bits(x.type) < 8) {
        return TS_OK;
    }
    ts_type type = chance(w, 3) ? TS_S8 : TS_U8;
    node.weights = ts__build_program(&w->b, name, types, node.input_count, x.dims[3], type);
    return ts__build_plain(&w->b, name, &node, type, x.dims + 1, out);
}

static ts_status add_product(walk *w, const char *name, ts_tensor_id in, ts_tensor_id *out) {
    ts_tensor_id found = partner(w, in), other = found == TS_NONE ? in : found;
    const ts_tensor x = *tensor_of(w, in);
    *out = TS_NONE;
    if (ts_type_bits(x.type) > 8 || ts_type_bits(tensor_of(w, other)->type) > 8) {
        return TS_OK;
    }
    ts__layer_spec spec = pick_spec(w, TS_OP_MUL, &x);
    spec.by_tensor = chance(w, 2);
    return ts__build_mul(&w->b, name, &spec, in, other, out);
}

/* Bytes that have as many channels as `in`, and one row or as many as it: some earlier activation, or `in`.
 */
static ts_tensor_id matrices_for(walk *w, ts_tensor_id in) {
    const ts_tensor *x = tensor_of(w, in);
    ts_tensor_id found = in;
    uint32_t seen = 0;
    for (ts_tensor_id id = 0; id < w->b.graph->tensors.count; id++) {
        const ts_tensor *t = tensor_of(w, id);
        bool fits = id != in && t->data == NULL && ts_type_bits(t->type) == 8 && ts_c(t) == ts_c(x) &&
                    (ts_h(t) == 1 || ts_h(t) == ts_h(x));
        if (fits && chance(w, ++seen)) {
            found = id;
        }
    }
    return found;
}

/* Part of a map: of its matrices, one that is to serve all, or some rows of each. */
static ts_status add_matrices(walk *w, const char *name, ts_tensor_id in, ts_tensor_id *out) {
    const ts_tensor x = *tensor_of(w, in);
    uint32_t row = pick(w, 0, ts_h(&x) - 1), column = pick(w, 0, ts_w(&x) - 1);
    bool one = chance(w, 2);
    ts_node node = {.op = TS_OP_SLICE,
                    .input_count = 1,
                    .inputs = {in},
                    .move = {.begin = {one ? row : 0, column, 0}, .step = {1, 1, 1}}};
    const uint32_t dims[] = {one ? 1 : ts_h(&x), ts_w(&x) - column, ts_c(&x)};
    return moved(w, ts_arena_printf(w->b.arena, "%s.part", name), &node, dims, out);
}

static ts_status add_matmul(walk *w, const char *name, ts_tensor_id in, ts_tensor_id *out) {
    ts_tensor_id other = matrices_for(w, in);
    const ts_tensor x = *tensor_of(w, in);
    *out = TS_NONE;
    if (ts_type_bits(x.type) != 8 || ts_tensor_elements(&x) * ts_w(tensor_of(w, other)) > 40000) {
        return TS_OK;
    }
    if (chance(w, 2)) {
        TS_TRY(add_matrices(w, name, other, &other));
    }
    ts__layer_spec spec = pick_spec(w, TS_OP_MATMUL, &x);
    spec.by_tensor = chance(w, 2);
    if (chance(w, 4)) { /* the bare sums, and their requantisation alone */
        ts__layer_spec bare = spec;
        bare.requant = TS_REQUANT_NONE;
        TS_TRY(ts__build_matmul(&w->b, ts_arena_printf(w->b.arena, "%s.sums", name), &bare, in, other, &in));
        spec.op = TS_OP_REQUANT;
        return ts__build_layer(&w->b, name, &spec, in, out);
    }
    return ts__build_matmul(&w->b, name, &spec, in, other, out);
}

/* A table, a product, a softmax or a movement behind `in`; *out is TS_NONE where it does not fit there. */
static ts_status grow_other(walk *w, uint32_t index, ts_tensor_id in, ts_tensor_id *out) {
    static const ts_op ops[] = {TS_OP_LUT,       TS_OP_MUL,    TS_OP_MUL,     TS_OP_SOFTMAX, TS_OP_SOFTMAX,
                                TS_OP_CONCAT,    TS_OP_CONCAT, TS_OP_PAD,     TS_OP_SLICE,   TS_OP_SLICE,
                                TS_OP_TRANSPOSE, TS_OP_RESIZE, TS_OP_RESHAPE, TS_OP_MATMUL,  TS_OP_MATMUL};
    ts_op op = ops[pick(w, 0, sizeof ops / sizeof ops[0] - 1)];
    op = w->limits->norms && chance(w, 4) ? TS_OP_NORM : op;
    char name[32];
    snprintf(name, sizeof name, "n%u.%s", (unsigned)index, ts_op_name(op));
    switch (op) {
        case TS_OP_NORM:
            return add_norm(w, name, in, out);
        case TS_OP_LUT:
            return add_table(w, name, in, out);
        case TS_OP_MUL:
            return add_product(w, name, in, out);
        case TS_OP_MATMUL:
            return add_matmul(w, name, in, out);
        case TS_OP_SOFTMAX:
            return add_softmax(w, name, in, out);
        default:
            return add_move(w, name, op, in, out);
    }
}

/* In a NEMO file a requantisation behind a plain addition or pooling belongs to that layer. */
static bool would_merge(const walk *w, ts_op op, ts_tensor_id in) {
    ts_node_id producer = tensor_of(w, in)->producer;
    const ts_node *nodes = w->b.graph->nodes.data;
    return w->limits->nemo_only && op == TS_OP_REQUANT && producer != TS_NONE &&
           nodes[producer].requant.kind == TS_REQUANT_NONE;
}

/* One random layer behind `in`; *out is TS_NONE where nothing was added. */
static ts_status grow(walk *w, uint32_t index, ts_tensor_id in, ts_tensor_id *out) {
    static const ts_op ops[] = {TS_OP_CONV,     TS_OP_CONV,     TS_OP_CONV,    TS_OP_CONV, TS_OP_ADD,
                                TS_OP_MAX_POOL, TS_OP_AVG_POOL, TS_OP_REQUANT, TS_OP_ADD};
    if (!w->limits->nemo_only && pick(w, 1, 5) <= (w->limits->moves ? 4u : 2u)) {
        return grow_other(w, index, in, out);
    }
    char named[32];
    if (w->limits->floats && chance(w, 2)) {
        snprintf(named, sizeof named, "n%u.float", (unsigned)index);
        return add_float(w, named, in, out);
    }
    ts_op op = ops[pick(w, 0, 8)];
    op = would_merge(w, op, in) ? TS_OP_CONV : op;
    char name[32];
    snprintf(name, sizeof name, "n%u.%s", (unsigned)index, ts_op_name(op));
    if (op == TS_OP_ADD) {
        ts_tensor_id other = partner(w, in);
        *out = TS_NONE;
        return other == TS_NONE ? TS_OK : add_sum(w, name, in, other, out);
    }
    const ts_tensor tensor = *tensor_of(w, in);
    ts__layer_spec spec = pick_spec(w, op, &tensor);
    return ts__build_layer(&w->b, name, &spec, in, out);
}

/* Keeps what the output needs, renumbered; inputs stay. */
static ts_graph *without_dead_nodes(ts_arena *arena, const ts_graph *g, ts_tensor_id output) {
    bool *alive = TS_NEW_ARRAY(arena, bool, g->tensors.count);
    ts_tensor_id *renumbered = TS_NEW_ARRAY(arena, ts_tensor_id, g->tensors.count);
    ts_graph *kept = ts_graph_new(arena, g->name);
    alive[output] = true;
    for (uint32_t i = 0; i < g->inputs.count; i++) {
        alive[g->inputs.data[i]] = true;
    }
    for (ts_node_id n = g->nodes.count; n-- > 0;) {
        const ts_node *node = &g->nodes.data[n];
        if (!alive[node->output]) {
            continue;
        }
        for (uint32_t i = 0; i < node->input_count; i++) {
            alive[node->inputs[i]] = true;
        }
        const ts_tensor_id parameters[] = {node->weights, node->bias};
        for (uint32_t i = 0; i < 2; i++) {
            if (parameters[i] != TS_NONE) {
                alive[parameters[i]] = true;
            }
        }
    }
    for (ts_tensor_id id = 0; id < g->tensors.count; id++) {
        renumbered[id] = alive[id] ? ts_graph_add_tensor(kept, &g->tensors.data[id]) : TS_NONE;
    }
    for (ts_node_id n = 0; n < g->nodes.count; n++) {
        ts_node node = g->nodes.data[n];
        if (!alive[node.output]) {
            continue;
        }
        for (uint32_t i = 0; i < node.input_count; i++) {
            node.inputs[i] = renumbered[node.inputs[i]];
        }
        node.output = renumbered[node.output];
        node.weights = node.weights == TS_NONE ? TS_NONE : renumbered[node.weights];
        node.bias = node.bias == TS_NONE ? TS_NONE : renumbered[node.bias];
        node.file_index = kept->nodes.count;
        ts_graph_add_node(kept, &node);
    }
    for (uint32_t i = 0; i < g->inputs.count; i++) {
        TS_PUSH(arena, &kept->inputs, renumbered[g->inputs.data[i]]);
    }
    TS_PUSH(arena, &kept->outputs, renumbered[output]);
    return kept;
}

/* An earlier activation small enough to go on from: the newest three times in four. */
static ts_tensor_id pick_source(walk *w, ts_tensor_id newest) {
    if (!chance(w, 4)) {
        return newest;
    }
    ts_tensor_id found = newest;
    uint32_t seen = 0;
    for (ts_tensor_id id = 0; id < w->b.graph->tensors.count; id++) {
        bool fits = tensor_of(w, id)->data == NULL && tensor_of(w, id)->type != TS_F32;
        if (fits && chance(w, ++seen)) {
            found = id;
        }
    }
    return found;
}

ts_status ts_random_network(ts_arena *arena, uint64_t seed, const ts_random_limits *limits, ts_graph **out,
                            ts_diags *diags) {
    walk w = {.b = ts__builder_new(arena, ts_arena_printf(arena, "random%llu", (unsigned long long)seed),
                                   seed, diags),
              .limits = limits};
    w.is_1d = chance(&w, 5) && !limits->column;
    ts_type type = limits->nemo_only ? TS_U8 : pick_activation_type(&w);
    ts_tensor_id newest =
        ts__build_input(&w.b, "input", type, w.is_1d ? 1 : pick(&w, 1, limits->side),
                        limits->column ? 1 : pick(&w, 1, limits->side), pick(&w, 1, limits->channels));
    uint32_t nodes = pick(&w, 1, limits->nodes);
    bool classify = chance(&w, 2);
    while (w.b.graph->nodes.count == 0 || w.b.graph->nodes.count + classify < nodes) {
        ts_tensor_id added;
        TS_TRY(grow(&w, w.b.graph->nodes.count, pick_source(&w, newest), &added));
        newest = added == TS_NONE ? newest : added;
    }
    if (classify) {
        ts__layer_spec spec = pick_spec(&w, TS_OP_LINEAR, tensor_of(&w, newest));
        spec.requant = chance(&w, 2) && !spec.wide ? TS_REQUANT_NONE : spec.requant;
        TS_TRY(ts__build_layer(&w.b, "last.linear", &spec, newest, &newest));
    }
    *out = without_dead_nodes(arena, w.b.graph, newest);
    return ts_graph_verify(*out, diags);
}
