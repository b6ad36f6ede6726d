/* The quantiser's normal form: a network as the layers that an integer graph can hold, still in floats.
 *
 * Made from a float graph: batch norms and constants are folded into the linear layer before them, clips
 * are bounds of a layer, flattening is absorbed into the order of linear weights, and the float tail
 * (softmax, ...) is left out. Everything is channels last, N = 1.
 * Value 0 is the network's input, value i + 1 the output of layer i. */
#ifndef TS_QUANT_NET_H
#define TS_QUANT_NET_H

#include "ir/float_graph.h"

/* ADD: a + b, or a - b. MUL: a b, equal shapes. AFFINE: a[c] x + b[c] that no linear layer takes in;
 * `weights` is a. LUT: any function of one element. The others move elements (`move`, as in ir/graph.h):
 * CONCAT, PAD with zeros, SLICE, RESIZE by repetition, TRANSPOSE of rows, columns and channels, RESHAPE. */
typedef enum ts_qkind {
    TS_QUANT_CONV,
    TS_QUANT_LINEAR,
    TS_QUANT_ADD,
    TS_QUANT_MUL,
    TS_QUANT_MAX_POOL,
    TS_QUANT_AVG_POOL,
    TS_QUANT_AFFINE,
    TS_QUANT_LUT,
    TS_QUANT_CONCAT,
    TS_QUANT_PAD,
    TS_QUANT_SLICE,
    TS_QUANT_RESIZE,
    TS_QUANT_TRANSPOSE,
    TS_QUANT_RESHAPE
} ts_qkind;

/* Computes nothing new: its values are some of its inputs', so that all have one grid. */
bool ts_qkind_moves(ts_qkind kind);

/* A function of one element: the element itself (`node` NULL, `constant` false), a number, or an operator of
 * the float graph on one or two of them. */
typedef struct ts_qexpr {
    const ts_fnode *node; /* operator and attributes */
    bool constant;
    float number;
    const struct ts_qexpr *in[2];
} ts_qexpr;

const char *ts_qkind_name(ts_qkind kind);

/* The batch norm right behind a linear layer, as the network had it: without it and its own bias the layer
 * computes what weights / gain do. */
typedef struct ts_qnorm {
    float *mean, *variance; /* one a channel; NULL: there is none */
    float epsilon;
} ts_qnorm;

typedef struct ts_qlayer {
    const char *name;
    uint32_t file_index;
    ts_qkind kind;
    uint32_t input_count;
    uint32_t inputs[TS_MAX_INPUTS]; /* values */
    uint32_t h, w, c;               /* of the output */
    ts_window window;
    uint32_t groups;
    bool count_pad;       /* AVG_POOL */
    bool minus;           /* ADD: the second operand is subtracted */
    ts_move move;         /* CONCAT, PAD, SLICE, TRANSPOSE */
    const ts_qexpr *expr; /* LUT */
    uint32_t inner;       /* CONV, LINEAR: weights an output channel; AFFINE: 1 */
    float *weights;       /* CONV {c, kh, kw, in / groups}; LINEAR {c, in} with `in` in H, W, C order */
    float *bias;          /* c elements; CONV, LINEAR, AFFINE */
    float *gain; /* CONV, LINEAR: the factors of batch norms that `weights` contain, 1 where there is none */
    ts_qnorm norm;   /* CONV, LINEAR: folded into weights and bias, told for those who train it */
    float low, high; /* bounds of the activation after it, infinite where there are none */
    uint32_t uses;   /* layers that read it, network outputs counted */
    bool is_output;
} ts_qlayer;

typedef struct ts_qnet {
    ts_arena *arena;
    const char *name, *input_name;
    uint32_t h, w, c; /* of the input */
    TS_VEC(ts_qlayer) layers;
    TS_VEC(uint32_t) outputs; /* values */
} ts_qnet;

/* Reads a folded float graph of one input. An operator without an integer counterpart in the middle of
 * the network is an error that names its node. */
ts_status ts_qnet_read(ts_arena *arena, const ts_fgraph *graph, ts_qnet **out, ts_diags *diags);

/* The same, but average pools that leave padding out of their divisors stay whole, with a warning that border
 * results become smaller: for users that know no layers which move elements. */
ts_status ts_qnet_read_uncut(ts_arena *arena, const ts_fgraph *graph, ts_qnet **out, ts_diags *diags);

/* What ts_qnet_read() makes of an operator in the middle of a network, for docs/operators.md; NULL: it may
 * only stand at the end, where it is left out. */
const char *ts_qnet_served(ts_fop op);

/* Height, width, channels of a value. */
void ts_qnet_shape(const ts_qnet *net, uint32_t value, uint32_t *h, uint32_t *w, uint32_t *c);

/* Adds the float operators of a function of `x` to a graph; `name` names them. */
ts_status ts_qexpr_emit(ts_fgraph *graph, const ts_qexpr *expr, const char *name, ts_tensor_id x,
                        ts_tensor_id *out, ts_diags *diags);

/* Scales channels between consecutive CONV and LINEAR layers so that their weight ranges match, where only
 * a clip at zero from below stands between them. Source: Nagel et al. 2019, "Data-free quantization through
 * weight equalization and bias correction", equations 7 to 9. */
void ts_qnet_equalise(ts_qnet *net);

#endif
