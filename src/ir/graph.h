/* The graph: tensors and nodes of a network, float or integer.
 *
 * Owned by one arena; tensors and nodes are named by 32-bit indices. Nodes stand in a topological
 * order. Activations of an integer graph are {1, H, W, C} (1-D networks: H = 1; vectors: H = W = 1),
 * weights OHWI {Cout, kh, kw, Cin/groups}, linear weights {out, in} with `in` in H, W, C order.
 * An integer node carries its requantisation: nodes of an integer graph are the layers of the plan. Between
 * FLOAT nodes activations may be floats (f32), where the user has asked for floats: FLOAT makes them of codes
 * and codes of them; CONV, LINEAR, poolings and movements compute on them. The network's inputs and outputs
 * are integers.
 * Float graphs keep the ranks of their file, channels last where a layout is meant. */
#ifndef TS_IR_GRAPH_H
#define TS_IR_GRAPH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/diag.h"

typedef uint32_t ts_tensor_id;
typedef uint32_t ts_node_id;
#define TS_NONE UINT32_MAX

enum { TS_MAX_RANK = 6, TS_MAX_INPUTS = 8 };

/* What a verified graph cannot pass: elements of one tensor, and of all its activations together. */
#define TS_MAX_ELEMENTS            (UINT64_C(1) << 26)
#define TS_MAX_ACTIVATION_ELEMENTS (UINT64_C(1) << 28)

/* Identifier, name in the text form, bits, lowest and highest value (0, 0: not an integer). */
#define TS_TYPES(X)                         \
    X(F32, "f32", 32, 0, 0)                 \
    X(S32, "s32", 32, INT32_MIN, INT32_MAX) \
    X(S16, "s16", 16, INT16_MIN, INT16_MAX) \
    X(U8, "u8", 8, 0, 255)                  \
    X(S8, "s8", 8, -128, 127)               \
    X(U4, "u4", 4, 0, 15)                   \
    X(S4, "s4", 4, -8, 7)                   \
    X(U2, "u2", 2, 0, 3)                    \
    X(S2, "s2", 2, -2, 1)

typedef enum ts_type {
#define TS_TYPE_ENUM(id, name, bits, low, high) TS_##id,
    TS_TYPES(TS_TYPE_ENUM)
#undef TS_TYPE_ENUM
        TS_TYPE_COUNT
} ts_type;

const char *ts_type_name(ts_type type);
uint32_t ts_type_bits(ts_type type);
int64_t ts_type_low(ts_type type);
int64_t ts_type_high(ts_type type);
bool ts_type_is_signed(ts_type type);

/* Bytes of one element of a constant's data: 1 for 8 bits and fewer. */
size_t ts_type_slot_bytes(ts_type type);

/* Narrowest of u2, s2, u4, s4, u8, s8, s16, s32 that holds [low, high]. */
ts_type ts_type_for_range(int64_t low, int64_t high);

/* Real value = scale * (integer - zero). `channels` is 0 (unknown), 1 or the size of the channel
 * dimension; the arrays have that many elements. */
typedef struct ts_quantum {
    uint32_t channels;
    const double *scale;
    const int32_t *zero;
} ts_quantum;

typedef struct ts_tensor {
    const char *name;
    ts_type type;
    uint32_t rank;
    uint32_t dims[TS_MAX_RANK];
    ts_quantum quantum;
    const void *data;    /* constants only, one element a slot: int8_t/uint8_t for 8 bits and fewer,
                            int16_t, int32_t or float otherwise; activations: NULL */
    ts_node_id producer; /* TS_NONE for constants and network inputs */
} ts_tensor;

/* clip(floor((kappa[c] * acc + lambda[c]) * m / d), low, high), exact; c = channel or 0 (NEMO and
 * Quantlab), or TFLite's fixed-point multiplier with its two roundings, then + zero, then clip. */
typedef enum ts_requant_kind { TS_REQUANT_NONE, TS_REQUANT_NEMO, TS_REQUANT_TFLITE } ts_requant_kind;

typedef struct ts_requant {
    ts_requant_kind kind;
    uint32_t channels;         /* 1 or C */
    const int64_t *kappa;      /* NEMO */
    const int64_t *lambda;     /* NEMO */
    int64_t m, d;              /* NEMO; d > 0, any integer */
    const int32_t *multiplier; /* TFLITE: Q31 mantissa */
    const int32_t *shift;      /* TFLITE: positive to the left */
    int32_t zero;              /* TFLITE: zero point of the result */
    int32_t low, high;
} ts_requant;

/* One step of an addition: clip(floor((v * mul + add) / div), low, high). */
typedef struct ts_add_step {
    int64_t mul, add, div;
    int32_t low, high;
} ts_add_step;

typedef struct ts_window {
    uint32_t kernel_h, kernel_w;
    uint32_t stride_h, stride_w;
    uint32_t dilation_h, dilation_w;
    uint32_t pad_top, pad_left, pad_bottom, pad_right;
} ts_window;

/* How elements move, axes counted 0, 1, 2 for rows, columns and channels. A field that its operator does not
 * name is 0. */
typedef struct ts_move {
    uint32_t axis;     /* CONCAT, PICK */
    uint32_t begin[3]; /* PAD, SLICE */
    uint32_t step[3];  /* SLICE, at least 1 */
    uint32_t order[3]; /* TRANSPOSE, a permutation */
    int32_t fill;      /* PAD */
} ts_move;

/* Softmax of 8-bit logits; d: how far one lies below the largest of its pixel.
 *
 * TFLITE   TensorFlow Lite's: -d times multiplier 2^(shift - 31) is a number with 5 bits before the point;
 *          those below `diff_min` (negative) count as nothing.
 *
 * IBERT    I-BERT's: e(d) = ((a (p + b)^2 + c) >> z) with z = d / log2, p = z log2 - d;
 *          y = e (levels - 1) / sum e.
 *
 * ITA      that of the accelerator ITA: e(d) = 256 >> ((d + 16) / 32), y = (65280 / sum e) e / 256. */
typedef enum ts_softmax_kind {
    TS_SOFTMAX_TFLITE,
    TS_SOFTMAX_IBERT,
    TS_SOFTMAX_ITA,
    TS_SOFTMAX_KIND_COUNT
} ts_softmax_kind;

typedef struct ts_softmax {
    ts_softmax_kind kind;
    int32_t multiplier, shift, diff_min; /* TFLITE */
    int32_t a, b, c, log2, levels;       /* IBERT */
} ts_softmax;

/* clip((w[c] v / s + b[c]) >> shift, low, high); v is x less its zero point and, where `centred`, less the
 * mean of its pixel; s = isqrt(mean v^2 + 1). Quotients are rounded toward zero. */
typedef struct ts_norm {
    bool centred;
    uint32_t shift;
    int32_t low, high;
} ts_norm;

/* Integer operators: identifier, name in the text form, number of activation inputs (0: CONCAT has 2 to
 * TS_MAX_INPUTS, FLOAT 1 or 2).
 * CONV     groups 1..Cin; weights OHWI of 16 bits at most, less their zero point (8 bits and fewer); + bias;
 *          requant or s32.
 * LINEAR   the input is read flat in H, W, C order; weights {out, in}; + bias.
 * ADD      y = requant(sum(in1(a) + in2(b))) with the three steps of ts_node.add.
 * MAX_POOL, AVG_POOL   AVG_POOL accumulates the plain window sum (padding counts as zeros), the
 *          requantisation holds the division.
 * REQUANT  a requantisation that stands alone (activation without a linear node before it).
 * MUL      y = requant((a - za) (b - zb)), equal shapes.
 * MATMUL   y[i][m][n] = requant(sum over k of (a[i][m][k] - za) (b[i][n][k] - zb)): a {1, B, M, K},
 *          b {1, B, N, K} or {1, 1, N, K}, which serves every i, y {1, B, M, N}. Operands of 8 bits.
 * LUT      y = table[x - lowest value of x's type]: any function of one element. `weights` is the table.
 * SOFTMAX  over the channels of each pixel; ts_node.softmax.
 * NORM     over the channels of each pixel: `weights` s32 {C}, bias s32 {C} or none; ts_node.norm.
 * FLOAT    what single precision makes of the codes or floats of each pixel of one or two operands of equal
 *          shape: `weights` is its program (ir/program.h). No requantisation: the program ends in one, or
 *          in floats where the output is f32.
 * With an f32 input CONV, LINEAR, MAX_POOL and AVG_POOL have f32 weights, biases and outputs and no
 * requantisation; AVG_POOL then is the mean of what of its window lies in the map.
 * These move elements and change none; input and output have one type and zero point; ts_node.move:
 * CONCAT   2 to 8 inputs behind each other along `axis`; their other sizes are equal.
 * PAD      `fill` around the input, `begin` of it before each axis, the rest behind.
 * SLICE    y[i] = x[begin + i step] along each axis.
 * TRANSPOSE axis i of y is axis order[i] of x.
 * RESIZE   each element repeated: the sizes of y are whole multiples of those of x (nearest neighbour, and
 *          broadcasting of a single element).
 * PICK     y[i] = x[index[i]] along `axis`: `weights` is the list of indices, s32.
 * RESHAPE  the elements in their order, in another shape.
 * Float operators (f32 tensors) are listed behind them; src/quant turns one kind into the other. */
#define TS_INTEGER_OPS(X)        \
    X(CONV, "conv", 1)           \
    X(LINEAR, "linear", 1)       \
    X(ADD, "add", 2)             \
    X(MAX_POOL, "max_pool", 1)   \
    X(AVG_POOL, "avg_pool", 1)   \
    X(REQUANT, "requant", 1)     \
    X(MUL, "mul", 2)             \
    X(MATMUL, "matmul", 2)       \
    X(LUT, "lut", 1)             \
    X(SOFTMAX, "softmax", 1)     \
    X(NORM, "norm", 1)           \
    X(FLOAT, "float", 0)         \
    X(CONCAT, "concat", 0)       \
    X(PAD, "pad", 1)             \
    X(SLICE, "slice", 1)         \
    X(TRANSPOSE, "transpose", 1) \
    X(RESIZE, "resize", 1)       \
    X(PICK, "pick", 1)           \
    X(RESHAPE, "reshape", 1)

typedef enum ts_op {
#define TS_OP_ENUM(id, name, inputs) TS_OP_##id,
    TS_INTEGER_OPS(TS_OP_ENUM)
#undef TS_OP_ENUM
        TS_OP_COUNT
} ts_op;

const char *ts_op_name(ts_op op);

/* CONV, LINEAR, LUT, NORM, FLOAT, PICK: ts_node.weights names a constant. */
bool ts_op_has_weights(ts_op op);

/* CONCAT to RESHAPE: moves elements and computes nothing. */
bool ts_op_moves(ts_op op);

typedef struct ts_node {
    const char *name;    /* from the model file; made from its op and index where the file has none */
    uint32_t file_index; /* position of its first node in the model file */
    ts_op op;
    uint32_t input_count;
    ts_tensor_id inputs[TS_MAX_INPUTS]; /* activations only */
    ts_tensor_id output;
    ts_tensor_id weights, bias; /* CONV, LINEAR, NORM; LUT, FLOAT, PICK: its table; bias s32 per output
                                   channel or TS_NONE */
    uint32_t groups;            /* CONV */
    ts_window window;           /* CONV, MAX_POOL, AVG_POOL */
    ts_add_step in1, in2, sum;  /* ADD */
    ts_move move;               /* CONCAT, PAD, SLICE, TRANSPOSE */
    ts_softmax softmax;         /* SOFTMAX */
    ts_norm norm;               /* NORM */
    ts_requant requant;
} ts_node;

typedef struct ts_graph {
    ts_arena *arena;
    const char *name;
    TS_VEC(ts_tensor) tensors;
    TS_VEC(ts_node) nodes;
    TS_VEC(ts_tensor_id) inputs, outputs;
} ts_graph;

/* A new empty graph in `arena`. */
ts_graph *ts_graph_new(ts_arena *arena, const char *name);

/* Adds a tensor or node; strings and arrays that it points to must live as long as the arena.
 * ts_graph_add_node() also sets the output's producer. */
ts_tensor_id ts_graph_add_tensor(ts_graph *graph, const ts_tensor *tensor);
ts_node_id ts_graph_add_node(ts_graph *graph, const ts_node *node);

/* A shape as text, "1x8x8x16", for messages and tables; returns buffer->text. */
typedef struct ts_dims_buffer {
    char text[TS_MAX_RANK * 11 + 2];
} ts_dims_buffer;
const char *ts_dims_text(ts_dims_buffer *buffer, uint32_t rank, const uint32_t *dims);

/* Number of elements of a tensor, and its bytes packed as the target stores it (sub-byte elements
 * share bytes, the first in the low bits; the whole is rounded up to a byte). */
uint64_t ts_tensor_elements(const ts_tensor *tensor);
uint64_t ts_tensor_bytes(const ts_tensor *tensor);

/* Element i of a constant integer tensor; the bits of one of floats. */
int32_t ts_tensor_int(const ts_tensor *tensor, uint64_t i);

/* e(d) of a softmax of kind IBERT or ITA, 0 <= d <= 255; its parameters are verified ones. */
int64_t ts_softmax_term(const ts_softmax *softmax, int32_t d);

/* Zero point of an activation (per tensor); 0 where no quantum is known. */
int32_t ts_tensor_zero(const ts_tensor *tensor);

/* Accumulators of 48 bits are served where the weights have 16 bits and NEMO's requantisation narrows the
 * sum; of 32 bits everywhere else. */
#define TS_WIDE_ACC (INT64_C(1) << 47)
bool ts_node_is_wide(const ts_graph *graph, const ts_node *node);

/* Zero point of weights, one for all; 0 where none is known. Weights with one are unsigned in their file. */
int32_t ts_weights_zero(const ts_tensor *weights);

/* Height, width and channels of an activation {1, H, W, C}. */
static inline uint32_t ts_h(const ts_tensor *t) { return t->dims[1]; }
static inline uint32_t ts_w(const ts_tensor *t) { return t->dims[2]; }
static inline uint32_t ts_c(const ts_tensor *t) { return t->dims[3]; }

/* Rows or columns that a window makes of `in` of them: floor((in + pads - dilation (k-1) - 1) / stride) + 1;
 * 0 where the window does not fit. */
uint32_t ts_window_out(uint32_t in, uint32_t kernel, uint32_t stride, uint32_t dilation, uint32_t pad_begin,
                       uint32_t pad_end);

/* Multiply-accumulates of a node: CONV, LINEAR and MATMUL only, 0 for the others. */
uint64_t ts_node_macs(const ts_graph *graph, const ts_node *node);

/* Lowest and highest value that reaches the requantisation of a node for output channel `channel`, over
 * every input that the inputs' types admit (bias included). Saturates at 64 bits. */
void ts_node_acc_range(const ts_graph *graph, const ts_node *node, uint32_t channel, int64_t *low,
                       int64_t *high);

/* Checks everything that the later stages rely on: indices, topological order, shapes against
 * windows, types against clip ranges, accumulators within 32 bits, quanta and arrays present.
 * Called after import and after each pass; errors name the node. */
ts_status ts_graph_verify(const ts_graph *graph, ts_diags *diags);

#endif
