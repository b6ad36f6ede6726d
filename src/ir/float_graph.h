/* The float graph: a network of f32 tensors, as a framework wrote it and as src/quant reads it.
 *
 * Owned by one arena. Tensors that flow between operators with a layout (convolution, pooling, batch
 * norm, whatever acts element by element) are channels last: {N, H, W, C}, or {N, W, C} for 1-D networks;
 * an importer puts TRANSPOSE nodes where a file's operator means the file's order. N is 1.
 * Weights of CONV are OHWI (1-D: OWI). It knows nothing of files and quanta but FAKE_QUANT. */
#ifndef TS_IR_FLOAT_GRAPH_H
#define TS_IR_FLOAT_GRAPH_H

#include "base/text.h"
#include "ir/graph.h"

/* Identifier, name, fewest and most inputs.
 * CONV        x, weights, [bias]. groups, window (1-D: the w half).
 * GEMM        alpha * op(a) * op(b) + beta * c; op transposes where trans_a, trans_b say so.
 * MATMUL      a times b over the last two dimensions, the others broadcast.
 * BATCH_NORM  x, scale, bias, mean, variance: over the last dimension, with epsilon.
 * CLIP        low..high. LEAKY_RELU, HARD_SIGMOID: alpha (and beta).
 * AVG_POOL    count_pad: padding counts in the divisor.
 * PAD         begin, end per dimension; mode; value in `alpha`.
 * TRANSPOSE   perm. SOFTMAX, CONCAT: axis. REDUCE_MEAN: axes as a bit mask, keep_dims.
 * FAKE_QUANT  scale * clip(floor(x / scale + offset), low, high); channels 1 or C, see ts_fake_quant. */
#define TS_FLOAT_OPS(X)                   \
    X(CONV, "conv", 2, 3)                 \
    X(GEMM, "gemm", 2, 3)                 \
    X(MATMUL, "matmul", 2, 2)             \
    X(BATCH_NORM, "batch_norm", 5, 5)     \
    X(RELU, "relu", 1, 1)                 \
    X(CLIP, "clip", 1, 1)                 \
    X(LEAKY_RELU, "leaky_relu", 1, 1)     \
    X(HARD_SWISH, "hard_swish", 1, 1)     \
    X(HARD_SIGMOID, "hard_sigmoid", 1, 1) \
    X(SIGMOID, "sigmoid", 1, 1)           \
    X(TANH, "tanh", 1, 1)                 \
    X(ADD, "add", 2, 2)                   \
    X(SUB, "sub", 2, 2)                   \
    X(MUL, "mul", 2, 2)                   \
    X(DIV, "div", 2, 2)                   \
    X(CONCAT, "concat", 1, TS_MAX_INPUTS) \
    X(MAX_POOL, "max_pool", 1, 1)         \
    X(AVG_POOL, "avg_pool", 1, 1)         \
    X(PAD, "pad", 1, 1)                   \
    X(RESHAPE, "reshape", 1, 1)           \
    X(TRANSPOSE, "transpose", 1, 1)       \
    X(SOFTMAX, "softmax", 1, 1)           \
    X(REDUCE_MEAN, "reduce_mean", 1, 1)   \
    X(FAKE_QUANT, "fake_quant", 1, 1)

typedef enum ts_fop {
#define TS_FOP_ENUM(id, name, least, most) TS_FOP_##id,
    TS_FLOAT_OPS(TS_FOP_ENUM)
#undef TS_FOP_ENUM
        TS_FOP_COUNT
} ts_fop;

const char *ts_fop_name(ts_fop op);

/* Order of a network input or output in memory compared with its model file. */
typedef enum ts_layout { TS_LAYOUT_FILE, TS_LAYOUT_CHANNELS_LAST } ts_layout;

typedef struct ts_ftensor {
    const char *name;
    uint32_t rank;
    uint32_t dims[TS_MAX_RANK];
    const float *data; /* constants only */
    ts_layout layout;  /* network inputs: how its elements lie compared with the file's */
    ts_node_id producer;
} ts_ftensor;

typedef enum ts_pad_mode { TS_PAD_CONSTANT, TS_PAD_REFLECT, TS_PAD_EDGE } ts_pad_mode;

typedef struct ts_fnode {
    const char *name;
    uint32_t file_index;
    ts_fop op;
    uint32_t input_count;
    ts_tensor_id inputs[TS_MAX_INPUTS];
    ts_tensor_id output;
    ts_window window;
    uint32_t groups;
    bool count_pad, trans_a, trans_b, keep_dims;
    float alpha, beta, epsilon;
    float low, high; /* CLIP in real units, FAKE_QUANT in steps */
    double scale, offset;
    ts_pad_mode pad_mode;
    uint32_t begin[TS_MAX_RANK], end[TS_MAX_RANK];
    uint32_t perm[TS_MAX_RANK];
    uint32_t axis, axes;
} ts_fnode;

typedef struct ts_fgraph {
    ts_arena *arena;
    const char *name;
    TS_VEC(ts_ftensor) tensors;
    TS_VEC(ts_fnode) nodes; /* in a topological order */
    TS_VEC(ts_tensor_id) inputs, outputs;
    uint64_t results; /* elements of all nodes' results together */
} ts_fgraph;

ts_fgraph *ts_fgraph_new(ts_arena *arena, const char *name);

/* Adds a tensor; strings and data that it points to must live as long as the arena. */
ts_tensor_id ts_fgraph_add_tensor(ts_fgraph *graph, const ts_ftensor *tensor);

/* Adds a constant of `rank` dimensions that is read in place. */
ts_tensor_id ts_fgraph_add_constant(ts_fgraph *graph, const char *name, uint32_t rank, const uint32_t *dims,
                                    const float *data);

/* Checks the node against its inputs' shapes, adds its output tensor `output_name` and the node.
 * RESHAPE takes its shape from `reshape` (rank and dims), which other operators leave NULL. */
ts_status ts_fgraph_add_node(ts_fgraph *graph, const ts_fnode *node, const char *output_name,
                             const ts_ftensor *reshape, ts_tensor_id *output, ts_diags *diags);

/* Number of elements. */
uint64_t ts_ftensor_elements(const ts_ftensor *tensor);

/* Multiply-accumulates of CONV, GEMM and MATMUL; 0 for the others. */
uint64_t ts_fnode_macs(const ts_fgraph *graph, const ts_fnode *node);

/* Number of nodes that read each tensor, network outputs counted; in `arena`. */
uint32_t *ts_fgraph_uses(const ts_fgraph *graph, ts_arena *arena);

/* Appends one line a node for people to read: name, operator, shapes, attributes. */
void ts_fgraph_print(ts_text *out, const ts_fgraph *graph);

#endif
