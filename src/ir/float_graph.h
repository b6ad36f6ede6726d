/* The float graph: a network of f32 tensors, as a framework wrote it and as src/quant reads it.
 *
 * Owned by one arena. Tensors that flow between operators with a layout (convolution, pooling, batch
 * norm, whatever acts element by element) are channels last: {N, H, W, C}, or {N, W, C} for 1-D networks;
 * an importer puts TRANSPOSE nodes where a file's operator means the file's order. N is 1.
 * Weights of CONV are OHWI (1-D: OWI). It knows nothing of files and quanta but FAKE_QUANT. */
#ifndef TS_IR_FLOAT_GRAPH_H
#define TS_IR_FLOAT_GRAPH_H

#include "base/file.h"
#include "base/text.h"
#include "ir/graph.h"

/* How an operator's result is shaped: by its own rule; as its input (element by element); by broadcasting two
 * operands; by leaving out `axes`; as it is told. */
typedef enum ts_fop_form {
    TS_FORM_OWN,
    TS_FORM_UNARY,
    TS_FORM_BINARY,
    TS_FORM_REDUCE,
    TS_FORM_GIVEN
} ts_fop_form;

/* Identifier, name, fewest and most inputs, form.
 * CONV        x, weights, [bias]. groups, window (1-D: the w half).
 * GEMM        alpha * op(a) * op(b) + beta * c; op transposes where trans_a, trans_b say so.
 * MATMUL      a times b over the last two dimensions, the others broadcast.
 * BATCH_NORM  x, scale, bias, mean, variance: over the last dimension, with epsilon.
 * CLIP        low..high. LEAKY_RELU, HARD_SIGMOID, ELU: alpha (and beta). ROUND: halves to even.
 * PRELU       x, slope for negative x.
 * AVG_POOL    count_pad: padding counts in the divisor.
 * PAD         begin, end per dimension; mode; value in `alpha`.
 * SLICE       begin, step per dimension. RESIZE: repeats elements by whole factors.
 * TRANSPOSE   perm. SOFTMAX, LOG_SOFTMAX, CONCAT: axis. REDUCE_...: axes as a bit mask, keep_dims.
 * FAKE_QUANT  scale * clip(floor(x / scale + offset), low, high).
 * REQUANT     x, kappa, lambda (one element, or one along the last dimension): x is a sum of whole multiples
 * of `unit`; scale * clip(floor((kappa round(x / unit) + lambda) / divisor), low, high). QUANT       x,
 * scale, zero (one element, or one along `axis`): clip(round(x / scale) + zero, low, high). DEQUANT     x,
 * scale, zero: (x - zero) * scale. */
#define TS_FLOAT_OPS(X)                          \
    X(CONV, "conv", 2, 3, OWN)                   \
    X(GEMM, "gemm", 2, 3, OWN)                   \
    X(MATMUL, "matmul", 2, 2, OWN)               \
    X(BATCH_NORM, "batch_norm", 5, 5, OWN)       \
    X(RELU, "relu", 1, 1, UNARY)                 \
    X(CLIP, "clip", 1, 1, UNARY)                 \
    X(LEAKY_RELU, "leaky_relu", 1, 1, UNARY)     \
    X(HARD_SWISH, "hard_swish", 1, 1, UNARY)     \
    X(HARD_SIGMOID, "hard_sigmoid", 1, 1, UNARY) \
    X(SIGMOID, "sigmoid", 1, 1, UNARY)           \
    X(TANH, "tanh", 1, 1, UNARY)                 \
    X(ELU, "elu", 1, 1, UNARY)                   \
    X(SOFTPLUS, "softplus", 1, 1, UNARY)         \
    X(SOFTSIGN, "softsign", 1, 1, UNARY)         \
    X(ERF, "erf", 1, 1, UNARY)                   \
    X(EXP, "exp", 1, 1, UNARY)                   \
    X(LOG, "log", 1, 1, UNARY)                   \
    X(SQRT, "sqrt", 1, 1, UNARY)                 \
    X(RECIPROCAL, "reciprocal", 1, 1, UNARY)     \
    X(ABS, "abs", 1, 1, UNARY)                   \
    X(NEG, "neg", 1, 1, UNARY)                   \
    X(FLOOR, "floor", 1, 1, UNARY)               \
    X(CEIL, "ceil", 1, 1, UNARY)                 \
    X(ROUND, "round", 1, 1, UNARY)               \
    X(FAKE_QUANT, "fake_quant", 1, 1, UNARY)     \
    X(ADD, "add", 2, 2, BINARY)                  \
    X(SUB, "sub", 2, 2, BINARY)                  \
    X(MUL, "mul", 2, 2, BINARY)                  \
    X(DIV, "div", 2, 2, BINARY)                  \
    X(MIN, "min", 2, 2, BINARY)                  \
    X(MAX, "max", 2, 2, BINARY)                  \
    X(POW, "pow", 2, 2, BINARY)                  \
    X(PRELU, "prelu", 2, 2, BINARY)              \
    X(CONCAT, "concat", 1, TS_MAX_INPUTS, OWN)   \
    X(MAX_POOL, "max_pool", 1, 1, OWN)           \
    X(AVG_POOL, "avg_pool", 1, 1, OWN)           \
    X(PAD, "pad", 1, 1, OWN)                     \
    X(TRANSPOSE, "transpose", 1, 1, OWN)         \
    X(SOFTMAX, "softmax", 1, 1, OWN)             \
    X(LOG_SOFTMAX, "log_softmax", 1, 1, OWN)     \
    X(REDUCE_MEAN, "reduce_mean", 1, 1, REDUCE)  \
    X(REDUCE_SUM, "reduce_sum", 1, 1, REDUCE)    \
    X(REDUCE_MAX, "reduce_max", 1, 1, REDUCE)    \
    X(RESHAPE, "reshape", 1, 1, GIVEN)           \
    X(SLICE, "slice", 1, 1, GIVEN)               \
    X(RESIZE, "resize", 1, 1, GIVEN)             \
    X(REQUANT, "requant", 3, 3, OWN)             \
    X(QUANT, "quant", 3, 3, OWN)                 \
    X(DEQUANT, "dequant", 3, 3, OWN)

typedef enum ts_fop {
#define TS_FOP_ENUM(id, name, least, most, form) TS_FOP_##id,
    TS_FLOAT_OPS(TS_FOP_ENUM)
#undef TS_FOP_ENUM
        TS_FOP_COUNT
} ts_fop;

const char *ts_fop_name(ts_fop op);
ts_fop_form ts_fop_form_of(ts_fop op);

/* Order of a network input or output in memory compared with its model file. */
typedef enum ts_layout { TS_LAYOUT_FILE, TS_LAYOUT_CHANNELS_LAST } ts_layout;

typedef struct ts_ftensor {
    const char *name;
    uint32_t rank;
    uint32_t dims[TS_MAX_RANK];
    const float *data; /* constants only */
    ts_layout layout;  /* network inputs: how its elements lie compared with the file's */
    ts_type codes;     /* network inputs: U8, S8 where the floats are integers in the file, else F32 */
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
    float low, high; /* CLIP in real units, FAKE_QUANT and REQUANT in steps */
    /* Also of sums that stay exact (num/exact.h), where the text form leaves them out. */
    double scale, offset, unit, divisor;
    ts_pad_mode pad_mode;
    uint32_t begin[TS_MAX_RANK], end[TS_MAX_RANK];
    uint32_t perm[TS_MAX_RANK], step[TS_MAX_RANK];
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
 * Operators of the form GIVEN take their shape from `reshape` (rank and dims), which others leave NULL. */
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

/* Appends the graph in the text form of docs/graph-text.md, constants included, as ts_fgraph_parse() reads
 * it: what is read and written again is the same text. Tensors that nothing uses are left out. */
void ts_fgraph_text(ts_text *out, const ts_fgraph *graph);

/* Whether a file is such a text. */
bool ts_fgraph_is_text(ts_bytes file);

/* Reads what ts_fgraph_text() wrote (untrusted) and checks every shape. */
ts_status ts_fgraph_parse(ts_arena *arena, ts_bytes text, ts_fgraph **out, ts_diags *diags);

#endif
