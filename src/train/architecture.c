#include "train/architecture.h"

#include <math.h>

#include "base/random.h"

static const struct {
    const char *name, *help;
    uint32_t rows, columns, channels, classes; /* of the kind itself */
} kinds[] = {
#define ROW(id, name, help, rows, columns, channels, classes) {name, help, rows, columns, channels, classes},
    TS_ARCHITECTURES(ROW)
#undef ROW
};
_Static_assert(sizeof kinds / sizeof kinds[0] == TS_ARCHITECTURE_COUNT, "one row a kind");

const char *ts_architecture_name(ts_architecture kind) { return kinds[kind].name; }
const char *ts_architecture_help(ts_architecture kind) { return kinds[kind].help; }

typedef struct builder {
    ts_fgraph *graph;
    ts_random random;
    double width;
    ts_tensor_id x; /* the newest value */
    const char *name;
    ts_diags *diags;
} builder;

static ts_tensor_id constant(builder *b, const char *part, uint32_t rank, const uint32_t *dims,
                             double deviation, float mean) {
    ts_ftensor shape = {.rank = rank};
    for (uint32_t d = 0; d < rank; d++) {
        shape.dims[d] = dims[d];
    }
    uint64_t count = ts_ftensor_elements(&shape);
    float *data = TS_NEW_ARRAY(b->graph->arena, float, count);
    for (uint64_t i = 0; i < count; i++) {
        data[i] = mean + (float)(deviation <= 0 ? 0 : deviation * ts_random_normal(&b->random));
    }
    return ts_fgraph_add_constant(b->graph, ts_arena_printf(b->graph->arena, "%s.%s", b->name, part), rank,
                                  dims, data);
}

static ts_status add(builder *b, ts_fnode *n, const char *part, const ts_ftensor *shape) {
    n->name = ts_arena_printf(b->graph->arena, "%s%s", b->name, part);
    n->file_index = b->graph->nodes.count;
    n->inputs[0] = b->x;
    return ts_fgraph_add_node(b->graph, n, n->name, shape, &b->x, b->diags);
}

static const ts_ftensor *newest(const builder *b) { return &b->graph->tensors.data[b->x]; }

/* A square convolution with "same" pads. */
static ts_status add_conv(builder *b, const char *name, uint32_t channels, uint32_t kernel, uint32_t stride,
                          uint32_t groups, bool bias) {
    uint32_t in = newest(b)->dims[3] / groups, pad = kernel / 2, dims[] = {channels, kernel, kernel, in};
    ts_fnode n = {.op = TS_FOP_CONV, .input_count = bias ? 3 : 2, .groups = groups};
    b->name = name;
    n.window = (ts_window){kernel, kernel, stride, stride, 1, 1, pad, pad, pad, pad};
    n.inputs[1] = constant(b, "weight", 4, dims, sqrt(2.0 / (kernel * kernel * in)), 0.0f);
    if (bias) {
        n.inputs[2] = constant(b, "bias", 1, dims, 0, 0.0f);
    }
    return add(b, &n, "", NULL);
}

static ts_status add_norm(builder *b) {
    ts_fnode n = {.op = TS_FOP_BATCH_NORM, .input_count = 5, .epsilon = 1e-5f};
    uint32_t channels = newest(b)->dims[3];
    n.inputs[1] = constant(b, "scale", 1, &channels, 0, 1.0f);
    n.inputs[2] = constant(b, "shift", 1, &channels, 0, 0.0f);
    n.inputs[3] = constant(b, "mean", 1, &channels, 0, 0.0f);
    n.inputs[4] = constant(b, "variance", 1, &channels, 0, 1.0f);
    return add(b, &n, ".norm", NULL);
}

static ts_status add_relu(builder *b) {
    ts_fnode n = {.op = TS_FOP_RELU, .input_count = 1};
    return add(b, &n, ".relu", NULL);
}

static ts_status add_pool(builder *b, const char *name, ts_fop op, uint32_t kernel, uint32_t stride,
                          uint32_t end) {
    ts_fnode n = {.op = op, .input_count = 1};
    b->name = name;
    n.window = (ts_window){kernel, kernel, stride, stride, 1, 1, 0, 0, end, end};
    return add(b, &n, "", NULL);
}

static ts_status add_linear(builder *b, const char *name, uint32_t classes) {
    uint32_t inner = (uint32_t)ts_ftensor_elements(newest(b)), dims[] = {classes, inner};
    ts_ftensor shape = {.rank = 2, .dims = {1, inner}};
    ts_fnode flat = {.op = TS_FOP_RESHAPE, .input_count = 1},
             gemm = {.op = TS_FOP_GEMM, .input_count = 3, .trans_b = true, .alpha = 1.0f, .beta = 1.0f};
    b->name = name;
    TS_TRY(add(b, &flat, ".flat", &shape));
    gemm.inputs[1] = constant(b, "weight", 2, dims, sqrt(2.0 / inner), 0.0f);
    gemm.inputs[2] = constant(b, "bias", 1, dims, 0, 0.0f);
    return add(b, &gemm, "", NULL);
}

static uint32_t scaled(const builder *b, uint32_t channels) {
    uint32_t count = (uint32_t)(b->width * channels + 0.5);
    return count == 0 ? 1 : count;
}

static ts_status make_ds(builder *b, uint32_t classes) {
    static const struct {
        const char *depthwise, *pointwise;
        uint32_t stride, channels;
    } blocks[] = {{"dw1", "pw1", 1, 32}, {"dw2", "pw2", 2, 48}, {"dw3", "pw3", 1, 64}};
    TS_TRY(add_conv(b, "conv", scaled(b, 16), 3, 2, 1, false));
    TS_TRY(add_norm(b));
    TS_TRY(add_relu(b));
    for (uint32_t i = 0; i < sizeof blocks / sizeof blocks[0]; i++) {
        uint32_t in = newest(b)->dims[3];
        TS_TRY(add_conv(b, blocks[i].depthwise, in, 3, blocks[i].stride, in, false));
        TS_TRY(add_norm(b));
        TS_TRY(add_relu(b));
        TS_TRY(add_conv(b, blocks[i].pointwise, scaled(b, blocks[i].channels), 1, 1, 1, false));
        TS_TRY(add_norm(b));
        TS_TRY(add_relu(b));
    }
    uint32_t side = newest(b)->dims[1];
    TS_TRY(add_pool(b, "mean", TS_FOP_AVG_POOL, side, side, 0));
    return add_linear(b, "output", classes);
}

/* cifar10_quick of Caffe, as CMSIS-NN deploys it (Lai et al. 2018, table 1), pools in ceil mode by a pad
 * behind. */
static ts_status make_cifar10(builder *b, uint32_t classes) {
    TS_TRY(add_conv(b, "conv1", scaled(b, 32), 5, 1, 1, true));
    TS_TRY(add_pool(b, "pool1", TS_FOP_MAX_POOL, 3, 2, 1));
    TS_TRY(add_relu(b));
    TS_TRY(add_conv(b, "conv2", scaled(b, 32), 5, 1, 1, true));
    TS_TRY(add_relu(b));
    TS_TRY(add_pool(b, "pool2", TS_FOP_AVG_POOL, 3, 2, 1));
    TS_TRY(add_conv(b, "conv3", scaled(b, 64), 5, 1, 1, true));
    TS_TRY(add_relu(b));
    TS_TRY(add_pool(b, "pool3", TS_FOP_AVG_POOL, 3, 2, 1));
    return add_linear(b, "output", classes);
}

/* Sainath and Parada 2015, "Convolutional neural networks for small-footprint keyword spotting", table 1. */
static ts_status make_kws(builder *b, uint32_t classes) {
    static const struct {
        const char *name;
        uint32_t rows, columns;
    } convs[] = {{"conv1", 20, 8}, {"conv2", 10, 4}};
    for (uint32_t i = 0; i < 2; i++) {
        uint32_t in = newest(b)->dims[3], dims[] = {scaled(b, 64), convs[i].rows, convs[i].columns, in};
        ts_fnode n = {.op = TS_FOP_CONV, .input_count = 3, .groups = 1};
        b->name = convs[i].name;
        n.window = (ts_window){convs[i].rows, convs[i].columns, 1, 1, 1, 1, 0, 0, 0, 0};
        n.inputs[1] = constant(b, "weight", 4, dims, sqrt(2.0 / (dims[1] * dims[2] * in)), 0.0f);
        n.inputs[2] = constant(b, "bias", 1, dims, 0, 0.0f);
        TS_TRY(add(b, &n, "", NULL));
        TS_TRY(add_relu(b));
        if (i == 0) {
            ts_fnode pool = {.op = TS_FOP_MAX_POOL, .input_count = 1};
            pool.window = (ts_window){1, 3, 1, 3, 1, 1, 0, 0, 0, 0};
            TS_TRY(add(b, &pool, ".pool", NULL));
        }
    }
    TS_TRY(add_linear(b, "low_rank", scaled(b, 32)));
    TS_TRY(add_linear(b, "hidden", scaled(b, 128)));
    TS_TRY(add_relu(b));
    return add_linear(b, "output", classes);
}

/* Nine 3 x 3 convolutions in four blocks: as deep as the network for faces of Grimaldi et al. 2019, whose
 * channels we do not know; these come to its memory by equation 1. */
static ts_status make_fer(builder *b, uint32_t classes) {
    static const struct {
        const char *name;
        uint32_t channels;
        const char *pool; /* behind it, or NULL */
    } convs[] = {{"conv1", 32, NULL},    {"conv2", 32, "pool1"}, {"conv3", 64, NULL},
                 {"conv4", 64, "pool2"}, {"conv5", 96, NULL},    {"conv6", 96, "pool3"},
                 {"conv7", 96, NULL},    {"conv8", 96, NULL},    {"conv9", 96, "pool4"}};
    for (uint32_t i = 0; i < sizeof convs / sizeof convs[0]; i++) {
        TS_TRY(add_conv(b, convs[i].name, scaled(b, convs[i].channels), 3, 1, 1, false));
        TS_TRY(add_norm(b));
        TS_TRY(add_relu(b));
        if (convs[i].pool != NULL) {
            TS_TRY(add_pool(b, convs[i].pool, TS_FOP_MAX_POOL, 2, 2, 0));
        }
    }
    return add_linear(b, "output", classes);
}

static ts_status make(builder *b, ts_architecture kind, uint32_t classes) {
    switch (kind) {
        case TS_ARCHITECTURE_DS:
            return make_ds(b, classes);
        case TS_ARCHITECTURE_CIFAR10:
            return make_cifar10(b, classes);
        case TS_ARCHITECTURE_KWS:
            return make_kws(b, classes);
        default:
            return make_fer(b, classes);
    }
}

ts_status ts_architecture_make(ts_arena *arena, const ts_architecture_options *options, ts_fgraph **out,
                               ts_diags *diags) {
    uint32_t rows = options->resolution == 0 ? kinds[options->kind].rows : options->resolution;
    uint32_t columns = options->resolution == 0 ? kinds[options->kind].columns : options->resolution;
    uint32_t channels = options->channels == 0 ? kinds[options->kind].channels : options->channels;
    uint32_t classes = options->classes == 0 ? kinds[options->kind].classes : options->classes;
    if (!(options->width > 0 && options->width <= 4) || rows < 8 || rows > 512 || channels > 64 ||
        classes > 4096) {
        return ts_error(diags, TS_DIAG_USAGE, NULL, NULL,
                        "width is over 0 to 4, resolution 8 to 512, at most 64 channels and 4096 classes");
    }
    if (options->kind == TS_ARCHITECTURE_KWS && options->resolution != 0) {
        return ts_error(diags, TS_DIAG_USAGE, NULL, NULL,
                        "float-kws has 32 frames of 40 features and no other resolution");
    }
    builder b = {.graph = ts_fgraph_new(arena, kinds[options->kind].name),
                 .random = ts_random_seed(options->seed),
                 .width = options->width,
                 .diags = diags};
    ts_ftensor input = {
        .name = "input", .rank = 4, .dims = {1, rows, columns, channels}, .producer = TS_NONE};
    input.layout = TS_LAYOUT_CHANNELS_LAST;
    b.x = ts_fgraph_add_tensor(b.graph, &input);
    TS_PUSH(arena, &b.graph->inputs, b.x);
    TS_TRY(make(&b, options->kind, classes));
    TS_PUSH(arena, &b.graph->outputs, b.x);
    *out = b.graph;
    return TS_OK;
}
