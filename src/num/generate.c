#include "num/generate.h"

#include <math.h>

#include "num/build.h"

typedef struct kind_row {
    const char *name, *help;
} kind_row;

static const kind_row kinds[] = {
#define ROW(id, name, help) {name, help},
    TS_GENERATE_KINDS(ROW)
#undef ROW
};
_Static_assert(sizeof kinds / sizeof kinds[0] == TS_GENERATE_KIND_COUNT, "one row a kind");

const char *ts_generate_name(ts_generate_kind kind) { return kinds[kind].name; }
const char *ts_generate_help(ts_generate_kind kind) { return kinds[kind].help; }

static ts_window square_window(uint32_t kernel, uint32_t stride, uint32_t pad) {
    return (ts_window){kernel, kernel, stride, stride, 1, 1, pad, pad, pad, pad};
}

ts_generate_options ts_generate_defaults(ts_generate_kind kind) {
    ts_generate_options o = {.kind = kind,
                             .width = 1,
                             .seed = 1,
                             .weight_bits = 8,
                             .activation_bits = 8,
                             .in_h = 16,
                             .in_w = 16,
                             .in_c = 32,
                             .out_c = 32,
                             .window = square_window(3, 1, 1),
                             .groups = 1};
    if (kind == TS_GENERATE_MAX_POOL || kind == TS_GENERATE_AVG_POOL) {
        o.window = square_window(2, 2, 0);
    } else if (kind == TS_GENERATE_TCN) {
        o.in_h = 1;
        o.in_w = 64;
        o.in_c = 8;
    }
    return o;
}

/* A network in the making: its builder, its options, and the tensor that the next layer reads. */
typedef struct maker {
    ts__builder b;
    const ts_generate_options *options;
    ts_type weight_type, activation_type;
    ts_tensor_id at;
} maker;

static uint32_t channels_at(const maker *m) { return ts_c(&m->b.graph->tensors.data[m->at]); }

static void begin(maker *m, uint32_t h, uint32_t w, uint32_t c) {
    ts_type type = m->activation_type == TS_S16 ? TS_S16 : TS_U8;
    m->at = ts__build_input(&m->b, "input", type, h, w, c);
}

/* Of unsigned activations in TensorFlow Lite's form. */
static int32_t zero_point(const maker *m, ts__centre centre) {
    return centre == TS__CENTRE_RELU ? 0 : (int32_t)(ts_type_high(m->activation_type) / 2 + 1);
}

static ts_status layer(maker *m, const char *name, ts__layer_spec spec) {
    spec.weight_type = m->weight_type;
    spec.out_type = m->activation_type;
    if (m->options->tflite && spec.requant == TS_REQUANT_NEMO &&
        (spec.op == TS_OP_CONV || spec.op == TS_OP_LINEAR)) {
        spec.requant = TS_REQUANT_TFLITE;
        spec.zero = zero_point(m, spec.centre);
    }
    spec.wide = m->weight_type == TS_S16 && spec.requant == TS_REQUANT_NEMO &&
                (spec.op == TS_OP_CONV || spec.op == TS_OP_LINEAR);
    return ts__build_layer(&m->b, name, &spec, m->at, &m->at);
}

static ts_status conv(maker *m, const char *name, uint32_t out_c, ts_window window, uint32_t groups,
                      ts__centre centre) {
    return layer(m, name,
                 (ts__layer_spec){.op = TS_OP_CONV,
                                  .window = window,
                                  .groups = groups,
                                  .out_c = out_c,
                                  .centre = centre,
                                  .requant = TS_REQUANT_NEMO});
}

static ts_status pointwise(maker *m, const char *name, uint32_t out_c, ts__centre centre) {
    return conv(m, name, out_c, square_window(1, 1, 0), 1, centre);
}

static ts_status depthwise(maker *m, const char *name, ts_window window) {
    return conv(m, name, channels_at(m), window, channels_at(m), TS__CENTRE_RELU);
}

/* Averages all that is left of the picture and classifies it; the accumulators are the output. */
static ts_status classifier(maker *m, uint32_t classes) {
    const ts_tensor *in = &m->b.graph->tensors.data[m->at];
    ts_window all = {ts_h(in), ts_w(in), 1, 1, 1, 1, 0, 0, 0, 0};
    if (all.kernel_h * all.kernel_w > 1) {
        TS_TRY(layer(m, "pool",
                     (ts__layer_spec){.op = TS_OP_AVG_POOL, .window = all, .requant = TS_REQUANT_NEMO}));
    }
    return layer(m, "fc", (ts__layer_spec){.op = TS_OP_LINEAR, .out_c = classes, .bias = true});
}

static ts_status residual(maker *m, const char *name, ts_tensor_id other) {
    /* Half of each: the sum stays within its operands' type. */
    ts__add_spec spec = {.m1 = 32, .m2 = 32, .d = 64};
    if (m->options->tflite) {
        spec = (ts__add_spec){.then = TS_REQUANT_TFLITE,
                              .out_type = m->activation_type,
                              .zero = zero_point(m, TS__CENTRE_MIDDLE)};
    }
    return ts__build_add(&m->b, name, &spec, other, m->at, &m->at);
}

static uint32_t scaled(const maker *m, uint32_t channels) {
    uint32_t c = (uint32_t)(channels * m->options->width);
    return c == 0 ? 1 : c;
}

static uint32_t classes(const maker *m, uint32_t usual) {
    return m->options->classes == 0 ? usual : m->options->classes;
}

static uint32_t resolution(const maker *m, uint32_t usual) {
    return m->options->resolution == 0 ? usual : m->options->resolution;
}

#define NAME(m, ...) ts_arena_printf((m)->b.arena, __VA_ARGS__)

/* Howard et al., "MobileNets", 2017, table 1. */
static ts_status mobilenet_v1(maker *m) {
    static const uint32_t blocks[][2] = {{64, 1},  {128, 2},  {128, 1}, {256, 2}, {256, 1},
                                         {512, 2}, {512, 1},  {512, 1}, {512, 1}, {512, 1},
                                         {512, 1}, {1024, 2}, {1024, 1}};
    uint32_t side = resolution(m, 128);
    begin(m, side, side, 3);
    TS_TRY(conv(m, "conv0", scaled(m, 32), square_window(3, 2, 1), 1, TS__CENTRE_RELU));
    for (uint32_t i = 0; i < sizeof blocks / sizeof blocks[0]; i++) {
        TS_TRY(depthwise(m, NAME(m, "block%u.dw", (unsigned)i + 1), square_window(3, blocks[i][1], 1)));
        TS_TRY(
            pointwise(m, NAME(m, "block%u.pw", (unsigned)i + 1), scaled(m, blocks[i][0]), TS__CENTRE_RELU));
    }
    return classifier(m, classes(m, 1000));
}

/* Channels to the nearest multiple of 8, never less than nine tenths: the reference's _make_divisible. */
static uint32_t divisible(double channels) {
    uint32_t c = (uint32_t)(channels + 4) / 8 * 8;
    c = c < 8 ? 8 : c;
    return c < 0.9 * channels ? c + 8 : c;
}

static ts_status inverted_residual(maker *m, uint32_t index, uint32_t expansion, uint32_t out_c,
                                   uint32_t stride) {
    ts_tensor_id entry = m->at;
    uint32_t in_c = channels_at(m);
    if (expansion > 1) {
        TS_TRY(pointwise(m, NAME(m, "block%u.expand", (unsigned)index), in_c * expansion, TS__CENTRE_RELU));
    }
    TS_TRY(depthwise(m, NAME(m, "block%u.dw", (unsigned)index), square_window(3, stride, 1)));
    TS_TRY(pointwise(m, NAME(m, "block%u.project", (unsigned)index), out_c, TS__CENTRE_MIDDLE));
    return stride == 1 && in_c == out_c ? residual(m, NAME(m, "block%u.add", (unsigned)index), entry) : TS_OK;
}

/* Sandler et al., "MobileNetV2", 2018, table 2. */
static ts_status mobilenet_v2(maker *m) {
    static const uint32_t stages[][4] = {{1, 16, 1, 1}, {6, 24, 2, 2},  {6, 32, 3, 2}, {6, 64, 4, 2},
                                         {6, 96, 3, 1}, {6, 160, 3, 2}, {6, 320, 1, 1}};
    double width = m->options->width;
    uint32_t side = resolution(m, 128), index = 0;
    begin(m, side, side, 3);
    TS_TRY(conv(m, "conv0", divisible(32 * width), square_window(3, 2, 1), 1, TS__CENTRE_RELU));
    for (uint32_t s = 0; s < sizeof stages / sizeof stages[0]; s++) {
        for (uint32_t i = 0; i < stages[s][2]; i++) {
            uint32_t stride = i == 0 ? stages[s][3] : 1;
            TS_TRY(inverted_residual(m, ++index, stages[s][0], divisible(stages[s][1] * width), stride));
        }
    }
    TS_TRY(pointwise(m, "head", width > 1 ? divisible(1280 * width) : 1280, TS__CENTRE_RELU));
    return classifier(m, classes(m, 1000));
}

static ts_status resnet_stage(maker *m, uint32_t index, uint32_t channels, uint32_t stride) {
    ts_tensor_id entry = m->at;
    TS_TRY(conv(m, NAME(m, "stage%u.conv1", (unsigned)index), channels, square_window(3, stride, 1), 1,
                TS__CENTRE_RELU));
    TS_TRY(conv(m, NAME(m, "stage%u.conv2", (unsigned)index), channels, square_window(3, 1, 1), 1,
                TS__CENTRE_MIDDLE));
    ts_tensor_id body = m->at;
    if (stride != 1) {
        m->at = entry;
        TS_TRY(conv(m, NAME(m, "stage%u.shortcut", (unsigned)index), channels, square_window(1, stride, 0), 1,
                    TS__CENTRE_MIDDLE));
        entry = m->at;
    }
    ts__add_spec spec = {
        .m1 = 32, .m2 = 32, .d = 32, .then = TS_REQUANT_NEMO, .out_type = m->activation_type};
    spec.then = m->options->tflite ? TS_REQUANT_TFLITE : TS_REQUANT_NEMO; /* a rectifier behind it */
    return ts__build_add(&m->b, NAME(m, "stage%u.add", (unsigned)index), &spec, entry, body, &m->at);
}

/* The image-classification network of MLPerf Tiny. */
static ts_status resnet8(maker *m) {
    uint32_t side = resolution(m, 32);
    begin(m, side, side, 3);
    TS_TRY(conv(m, "conv0", scaled(m, 16), square_window(3, 1, 1), 1, TS__CENTRE_RELU));
    TS_TRY(resnet_stage(m, 1, scaled(m, 16), 1));
    TS_TRY(resnet_stage(m, 2, scaled(m, 32), 2));
    TS_TRY(resnet_stage(m, 3, scaled(m, 64), 2));
    return classifier(m, classes(m, 10));
}

/* The keyword-spotting network of MLPerf Tiny: 49 frames of 10 coefficients. */
static ts_status ds_cnn(maker *m) {
    begin(m, 49, 10, 1);
    ts_window first = {10, 4, 2, 2, 1, 1, 4, 1, 5, 1};
    TS_TRY(conv(m, "conv0", scaled(m, 64), first, 1, TS__CENTRE_RELU));
    for (unsigned i = 1; i <= 4; i++) {
        TS_TRY(depthwise(m, NAME(m, "block%u.dw", i), square_window(3, 1, 1)));
        TS_TRY(pointwise(m, NAME(m, "block%u.pw", i), scaled(m, 64), TS__CENTRE_RELU));
    }
    return classifier(m, classes(m, 12));
}

static ts_window causal(uint32_t kernel, uint32_t dilation) {
    return (ts_window){1, kernel, 1, 1, 1, dilation, 0, (kernel - 1) * dilation, 0, 0};
}

/* Bai et al., "An empirical evaluation of generic convolutional and recurrent networks", 2018: residual
 * blocks of two causal convolutions, the dilation doubling from block to block. */
static ts_status tcn(maker *m) {
    const ts_generate_options *o = m->options;
    uint32_t channels = scaled(m, 32);
    begin(m, 1, o->in_w, o->in_c);
    TS_TRY(pointwise(m, "entry", channels, TS__CENTRE_RELU));
    for (unsigned i = 0; i < 4; i++) {
        ts_tensor_id entry = m->at;
        TS_TRY(conv(m, NAME(m, "block%u.conv1", i + 1), channels, causal(3, 1u << i), 1, TS__CENTRE_RELU));
        TS_TRY(conv(m, NAME(m, "block%u.conv2", i + 1), channels, causal(3, 1u << i), 1, TS__CENTRE_RELU));
        TS_TRY(residual(m, NAME(m, "block%u.add", i + 1), entry));
    }
    return classifier(m, classes(m, 4));
}

static ts_status single_layer(maker *m, ts_op op, uint32_t out_c, uint32_t groups) {
    const ts_generate_options *o = m->options;
    begin(m, o->in_h, o->in_w, o->in_c);
    if (o->kind == TS_GENERATE_ADD) {
        ts_tensor_id entry = m->at;
        TS_TRY(pointwise(m, "branch", o->in_c, TS__CENTRE_RELU));
        return residual(m, "add", entry);
    }
    bool bare = o->raw || op == TS_OP_MAX_POOL;
    return layer(m, kinds[o->kind].name,
                 (ts__layer_spec){.op = op,
                                  .window = o->window,
                                  .groups = groups,
                                  .out_c = out_c,
                                  .requant = bare ? TS_REQUANT_NONE : TS_REQUANT_NEMO});
}

static ts_status make(maker *m) {
    const ts_generate_options *o = m->options;
    switch (o->kind) {
        case TS_GENERATE_MOBILENET_V1:
            return mobilenet_v1(m);
        case TS_GENERATE_MOBILENET_V2:
            return mobilenet_v2(m);
        case TS_GENERATE_RESNET8:
            return resnet8(m);
        case TS_GENERATE_DS_CNN:
            return ds_cnn(m);
        case TS_GENERATE_TCN:
            return tcn(m);
        case TS_GENERATE_CONV:
            return single_layer(m, TS_OP_CONV, o->out_c, o->groups);
        case TS_GENERATE_DWCONV:
            return single_layer(m, TS_OP_CONV, o->in_c, o->in_c);
        case TS_GENERATE_LINEAR:
            return single_layer(m, TS_OP_LINEAR, o->out_c, 1);
        case TS_GENERATE_MAX_POOL:
            return single_layer(m, TS_OP_MAX_POOL, o->in_c, 1);
        case TS_GENERATE_AVG_POOL:
            return single_layer(m, TS_OP_AVG_POOL, o->in_c, 1);
        default:
            return single_layer(m, TS_OP_ADD, o->in_c, 1);
    }
}

static ts_status check_options(const ts_generate_options *o, ts_diags *diags) {
    const uint32_t bits[] = {o->weight_bits, o->activation_bits};
    for (size_t i = 0; i < 2; i++) {
        if (bits[i] != 16 && bits[i] != 8 && bits[i] != 4 && bits[i] != 2) {
            return ts_error(diags, TS_DIAG_USAGE, NULL, NULL, "%u bits are not served; 16, 8, 4 and 2 are",
                            (unsigned)bits[i]);
        }
    }
    if (o->tflite && (o->weight_bits != 8 || o->activation_bits != 8)) {
        return ts_error(diags, TS_DIAG_USAGE, NULL, NULL,
                        "TensorFlow Lite's form is for weights and activations of 8 bits");
    }
    if (!(o->width > 0 && o->width <= 4) || o->resolution > 1024 || o->classes > 100000) {
        return ts_error(diags, TS_DIAG_USAGE, NULL, NULL,
                        "width %g, resolution %u or classes %u is out of range; up to 4, 1024 and 100000 are "
                        "served",
                        o->width, (unsigned)o->resolution, (unsigned)o->classes);
    }
    const uint32_t sizes[] = {o->in_h, o->in_w, o->in_c, o->out_c};
    uint64_t product = 1;
    for (size_t i = 0; i < 4; i++) {
        product *= sizes[i] > 65536 ? 65537 : sizes[i];
        if (sizes[i] == 0 || sizes[i] > 65536 || product > TS_MAX_ELEMENTS * 16) {
            return ts_error(diags, TS_DIAG_USAGE, NULL, NULL,
                            "a layer of %ux%ux%u to %u channels is out of range", (unsigned)o->in_h,
                            (unsigned)o->in_w, (unsigned)o->in_c, (unsigned)o->out_c);
        }
    }
    uint64_t area = (uint64_t)o->window.kernel_h * o->window.kernel_w;
    if (area == 0 || area > 65536) {
        return ts_error(diags, TS_DIAG_USAGE, NULL, NULL, "a kernel of %ux%u is out of range",
                        (unsigned)o->window.kernel_h, (unsigned)o->window.kernel_w);
    }
    return TS_OK;
}

ts_status ts_generate(ts_arena *arena, const ts_generate_options *options, ts_graph **out, ts_diags *diags) {
    if (options->kind == TS_GENERATE_RANDOM) {
        ts_random_limits limits = ts_random_limits_default();
        limits.nemo_only = options->nemo_only;
        return ts_random_network(arena, options->seed, &limits, out, diags);
    }
    TS_TRY(check_options(options, diags));
    maker m = {.b = ts__builder_new(arena, kinds[options->kind].name, options->seed, diags),
               .options = options,
               .weight_type = ts_type_for_range(-(1 << (options->weight_bits - 1)), 0),
               .activation_type = TS_S16};
    if (options->activation_bits <= 8) {
        m.activation_type = ts_type_for_range(0, (1 << options->activation_bits) - 1);
    }
    TS_TRY(make(&m));
    TS_PUSH(arena, &m.b.graph->outputs, m.at);
    TS_TRY(ts_graph_verify(m.b.graph, diags));
    *out = m.b.graph;
    return TS_OK;
}
