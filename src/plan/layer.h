/* Layers: what is to be computed, in plain numbers, derived from a verified integer graph. */
#ifndef TS_PLAN_LAYER_H
#define TS_PLAN_LAYER_H

#include "ir/graph.h"

typedef struct ts_map_shape { /* an activation tensor of a layer */
    ts_tensor_id tensor;
    ts_type type;
    uint32_t h, w, c;
    uint32_t pixel_bytes; /* bytes of one pixel's channels, rounded up to a byte */
    int32_t zero;
    bool quads; /* it lies in memory in quads (device/kernels/tile.h): chosen by the planner for both its
                   layers */
} ts_map_shape;

/* Kind of operation; depthwise convolutions are told apart from the others. */
typedef enum ts_layer_kind {
    TS_LAYER_CONV,
    TS_LAYER_DWCONV,
    TS_LAYER_LINEAR,
    TS_LAYER_ADD,
    TS_LAYER_MAX_POOL,
    TS_LAYER_AVG_POOL,
    TS_LAYER_REQUANT,
    TS_LAYER_MUL,
    TS_LAYER_MATMUL,
    TS_LAYER_LUT,
    TS_LAYER_SOFTMAX,
    TS_LAYER_NORM,
    TS_LAYER_FLOAT,
    TS_LAYER_MOVE, /* moves elements: concatenation, slice, ... */
    TS_LAYER_KIND_COUNT
} ts_layer_kind;

/* How the requantisation is computed on the target (device/kernels/tile.h, enum ts_rq), narrowed by proof:
 * for S32, S32C, S32D, S32DC, S32R and S32RC every reachable accumulator of every channel gives exactly the
 * result of the graph's requantisation (docs/requantisation.md). */
typedef enum ts_rq_class {
    TS_RQC_NONE,
    TS_RQC_S32,
    TS_RQC_S32C,
    TS_RQC_S64,
    TS_RQC_TFLITE,
    TS_RQC_S32D,
    TS_RQC_S32DC,
    TS_RQC_S32R,
    TS_RQC_S32RC
} ts_rq_class;
enum { TS_RQ_CLASS_COUNT = TS_RQC_S32RC + 1 };

/* S32D, S32DC, S32R, S32RC: from l on this many values are right, so that the kernel can keep a shift in the
 * low bits. */
enum { TS_RQ_RUN = 32 };

typedef struct ts_rq_plan {
    ts_rq_class class_;
    uint32_t shift; /* S32, S32C; S64 with a power of two; S32R(C): of the first rounding, behind the split */
    uint32_t split; /* S32D, S32DC, S32R, S32RC: k = k_high 2^split + k_low, -2^split <= 2 k_low < 2^split;
                       l = l_high 2^split + l_low, 0 <= l_low < 2^split */
    int64_t div;    /* S64 */
    int32_t low, high;
    int32_t acc_low,
        acc_high;      /* S32C, S32DC, S32RC: -r - 1 and r, to which the accumulator is clipped first */
    int32_t zero;      /* TFLITE: zero point of the result */
    uint32_t channels; /* number of k, l pairs = output channels */
    int64_t *k, *l;    /* bias folded in; NONE: l is the bias, TFLITE: k multiplier, l bias */
    int32_t *tflite_shift;
    uint8_t *channel_shift; /* S32D, S32DC; S32R, S32RC: of the second rounding */
    int32_t *middle;        /* S32R, S32RC: below it the second rounding is one less */
} ts_rq_plan;

/* The upper part of k: what is left is as small as can be, of either sign. */
static inline int64_t ts__rq_high(int64_t k, uint32_t split) {
    return (k + (INT64_C(1) << (split - 1))) >> split;
}

static inline int64_t ts__rq_low(int64_t k, uint32_t split) {
    return k - ts__rq_high(k, split) * (INT64_C(1) << split);
}

/* S32D, S32DC, S32R, S32RC: the wide l of a channel whose low bits hold its shift, for accumulators that are
 * the layer's less `offset`. */
static inline int64_t ts__rq_wide_offset(const ts_rq_plan *rq, uint32_t channel, int64_t offset) {
    int64_t l = rq->l[channel] + rq->k[channel] * offset;
    return l + ((rq->channel_shift[channel] - l) & (TS_RQ_RUN - 1));
}

/* A copy from an input of a MOVE layer to its output: `bytes` contiguous bytes, repeated along three axes,
 * the innermost first, x_step and y_step bytes apart. */
typedef struct ts_copy {
    uint32_t input;    /* TS_NONE: the layer's fill */
    uint32_t from, to; /* in bytes of the tensors as they lie in memory */
    uint32_t bytes, count[3], x_step[3], y_step[3];
} ts_copy;

/* Weights less their zero point that pass 8 bits: of the output channels before c, those that have such
 * weights, and how many weights that are; y.c + 1 entries each, NULL where the weights have no zero point. */
typedef struct ts_excess {
    uint32_t *channels, *weights;
} ts_excess;

typedef struct ts_layer {
    uint32_t index;
    ts_node_id node;
    const char *name; /* the node's */
    ts_layer_kind kind;
    ts_map_shape x, x2, y; /* x2: ADD, MUL, MATMUL and FLOAT; LINEAR: x.h = x.w = 1, x.c = all elements */
    ts_window window;
    uint32_t groups;
    const ts_tensor *weights;  /* CONV, DWCONV: OHWI; LINEAR: {out, in}; LUT, FLOAT: the table */
    ts_excess excess;          /* CONV, DWCONV: of weights with a zero point */
    ts_add_step in1, in2, sum; /* ADD; MUL: of the product of the two */
    ts_softmax softmax;
    ts_norm norm;
    const ts_tensor *norm_bias; /* NORM: NULL where it has none; its weights are `weights` */
    ts_map_shape *inputs;       /* MOVE: all of them, x the first */
    uint32_t input_count;
    ts_copy *copies; /* MOVE */
    uint32_t copy_count;
    int32_t fill; /* MOVE */
    ts_rq_plan rq;
    ts_rq_plan
        rq_own; /* as the graph has it: NONE, S64 or TFLITE; what rq becomes where no kernel knows better */
    bool two;   /* FLOAT: it has a second operand */
    bool wide;  /* accumulators may pass 32 bits: rq is S64 */
    uint64_t macs;
} ts_layer;

/* Bytes of an activation as the target stores it: every pixel begins on a byte. */
uint64_t ts_map_bytes(const ts_map_shape *map);

/* Weight i less the zero point, clipped to 8 bits. */
int32_t ts_layer_weight_s8(const ts_layer *layer, uint64_t i);

/* Output channel c needs input channel c alone (depthwise, pooling, addition, requantisation): tiles of
 * channels cut x and y together. */
bool ts_layer_is_channelwise(const ts_layer *layer);

/* Parameters of the requantisation travel with the layer, even where it has no weights. */
bool ts_layer_has_rq_params(const ts_layer *layer);

/* It has a second input: MATMUL, or element by element beside the first. */
bool ts_layer_has_x2(const ts_layer *layer);

/* MATMUL with one second matrix for all rows of x: then x.w = 1. Otherwise row i of x meets row i of x2. */
bool ts_layer_shares_x2(const ts_layer *layer);

/* Rows of x2 that `rows` rows of x meet. */
uint32_t ts_layer_x2_rows(const ts_layer *layer, uint32_t rows);

/* Its kernel takes a ts_add_tile: elements in their order, without a window. */
bool ts_layer_is_elementwise(const ts_layer *layer);

/* "conv", "dwconv", "linear", "add", "max_pool", "avg_pool", "requant", "mul", "matmul", "lut",
 * "softmax", "norm", "float", "move". */
const char *ts_layer_kind_name(ts_layer_kind kind);

/* A tile: sizes of one kernel call. x_h, x_w are the rows and columns of x that y_h x y_w outputs need,
 * padding included where the kernel wants padded tiles. */
typedef struct ts_tile {
    uint32_t y_h, y_w, y_c;
    uint32_t x_h, x_w, x_c;
} ts_tile;

/* Fills layer->excess; part of ts_layers_build(). */
void ts__layer_find_excess(ts_arena *arena, ts_layer *layer);

/* Derives the layers of a graph in node order, requantisations narrowed where proved. Owned by `arena`. */
ts_status ts_layers_build(ts_arena *arena, const ts_graph *graph, ts_layer **layers, uint32_t *count,
                          ts_diags *diags);

#endif
