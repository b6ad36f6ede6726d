/* The ONNX importer, shared among its files and known to nobody else.
 *
 * onnx_load.c      bytes -> nodes and values: names resolved, dead nodes left out, topological order
 * onnx_external.c  bytes of constants that lie in files beside the model
 * onnx_constant.c  constant tensors as exact integers (or reals where they are not whole)
 * onnx_fold.c      nodes whose inputs are all constant
 * onnx_view.c      how a value's dimensions lie in the memory of an integer tensor
 * onnx_stage.c     what element-wise nodes mean: exact affine-floor-clip stages
 * onnx_force.c     stages -> requantisations of graph nodes
 * onnx_layers.c    convolution, linear, pooling, addition
 * onnx_attention.c layers of integer transformers, parts of values, pairs of activations
 * onnx_dense.c     values in the order of their dimensions
 * onnx_own.c       layers that only our own files have
 * onnx_import.c    the walk over all nodes, the float tail, the network's outputs
 */
#ifndef TS_MODEL_ONNX_H
#define TS_MODEL_ONNX_H

#include "base/file.h"
#include "model/model.h"
#include "onnx.pb-c.h"

enum {
    TS_ONNX_MAX_NODES = 1 << 16,
    TS_ONNX_MAX_VALUES = 1 << 18,
    TS_ONNX_MAX_DIM = 1 << 24,      /* of any tensor */
    TS_ONNX_MAX_ELEMENTS = 1 << 26, /* of an activation */
    TS_ONNX_MAX_FACTORS = 16,
};

/* A constant, element by element. Integers where every element is whole, whatever its type in the file. */
typedef struct ts_constant {
    uint32_t rank;
    uint32_t dims[TS_MAX_RANK];
    uint64_t count;
    bool integer_type;    /* the file's element type is an integer one */
    int32_t element_type; /* the file's, of TensorProto; 0 where it was computed */
    const int64_t *ints;  /* NULL where an element is not whole, not finite or beyond 2^62 */
    const double *reals;  /* where `ints` is NULL */
    const char *name;
} ts_constant;

/* One stage of what follows a tensor or accumulator x:
 *     clip(floor(((a[c] x + b[c]) m) / (d mean)), low, high)
 * exact. A stage that is neither floored nor clipped is open: further factors and terms join it. */
typedef struct ts_stage {
    uint32_t channels; /* elements of a and b: 1 or C */
    int64_t *a, *b;
    int64_t m, d;
    int64_t mean;      /* window size of an average pooling that no factor has taken away yet */
    bool scaled;       /* a factor was given: further scalar ones belong to m */
    bool floored;      /* a rounding toward minus infinity stands at the end */
    int64_t low, high; /* INT64_MIN, INT64_MAX: no bound */
    bool says_type;    /* the Clip that bounds it has the result's type as attributes */
    ts_type type;
    const char *name; /* of the value that its newest node makes */
    const char *node_name;
    uint32_t file_index;
} ts_stage;

/* How a value's elements lie in the memory of its tensor (H, W, C order): its dimensions are cut into
 * factors, in row-major order, each with its stride in that memory. */
typedef struct ts_view {
    uint32_t rank;
    uint32_t dims[TS_MAX_RANK];
    uint32_t factor_count;
    struct {
        uint32_t size, stride, dim;
    } factors[TS_ONNX_MAX_FACTORS];
} ts_view;

/* What an activation value means: stages over a tensor of the graph, or over the accumulator of a node
 * that is still to be added. */
typedef struct ts_meaning {
    const char *name;    /* of the value before views: names its tensor */
    bool tail;           /* float tail: no meaning to the integer network */
    ts_tensor_id tensor; /* TS_NONE while `pending` */
    ts_node *pending;    /* its output is not made yet */
    bool sum_done;       /* pending ADD: its sum step is fixed already (Quantlab's attributes) */
    uint32_t h, w, c;    /* of the tensor or accumulator */
    ts_view view;
    bool integer;     /* the value's element type is an integer one: division floors */
    uint32_t pads[4]; /* explicit Pad not yet taken by a window: top, left, bottom, right */
    bool padded;
    bool shared;    /* other values mean the same tensor: its shape must stay */
    int64_t *table; /* pending LUT: its 256 results, which stages behind it join */
    TS_VEC(ts_stage) stages;
} ts_meaning;

typedef struct ts_onnx_value {
    const char *name;
    uint32_t producer; /* node, or TS_NONE */
    uint32_t uses;     /* by live nodes and graph outputs */
    const Onnx__TensorProto *initializer;
    const Onnx__ValueInfoProto *input; /* network input */
    ts_constant *constant;
    ts_meaning *meaning;
} ts_onnx_value;

typedef struct ts_onnx_node {
    const char *name, *op;
    uint32_t file_index;
    const Onnx__NodeProto *proto;
    uint32_t input_count, output_count;
    uint32_t *inputs, *outputs; /* values; TS_NONE: left out */
    bool live;
} ts_onnx_node;

typedef struct ts_onnx {
    ts_arena *arena, *scratch; /* the graph's; the import's own */
    ts_diags *diags;
    ts_model_options options;
    const Onnx__GraphProto *proto;
    int64_t opset;
    uint64_t work_left; /* elements that may still be visited: total work is bounded, not only sizes */
    TS_VEC(ts_onnx_value) values;
    ts_onnx_node *nodes; /* in file order */
    uint32_t node_count;
    uint32_t *order; /* live nodes in a topological order that keeps the file's where it is one */
    uint32_t order_count;
    uint32_t *outputs; /* values */
    uint32_t output_count;
    uint32_t *slots; /* hash table of names -> value + 1 */
    uint32_t slot_count;
    ts_graph *graph;
    const char **tensor_slots; /* hash table of the names given to tensors */
    uint32_t tensor_slot_count;
    uint32_t tail_count; /* nodes of the float tail */
    const ts_onnx_node *first_tail;
} ts_onnx;

/* onnx_load.c */
ts_status ts__onnx_unpack(ts_arena *scratch, ts_bytes file, Onnx__ModelProto **out, ts_diags *diags);
ts_status ts__onnx_load(ts_onnx *net, const Onnx__ModelProto *model);
uint32_t ts__onnx_find(const ts_onnx *net, const char *name);
/* Takes `elements` from the work budget; an error naming the node (or NULL) when it is exhausted. */
ts_status ts__onnx_work(ts_onnx *net, const ts_onnx_node *node, uint64_t elements);

/* Attributes: each returns the default where the attribute is absent; a wrong type is an error. */
const Onnx__AttributeProto *ts__onnx_attribute(const ts_onnx_node *node, const char *name);
ts_status ts__onnx_attr_int(ts_onnx *net, const ts_onnx_node *node, const char *name, int64_t absent,
                            int64_t *out);
ts_status ts__onnx_attr_float(ts_onnx *net, const ts_onnx_node *node, const char *name, double absent,
                              double *out);
/* NUL-terminated text, "" where absent. */
const char *ts__onnx_attr_text(ts_onnx *net, const ts_onnx_node *node, const char *name);
ts_status ts__onnx_attr_ints(ts_onnx *net, const ts_onnx_node *node, const char *name, const int64_t **out,
                             uint32_t *count);

/* onnx_external.c: puts the data of constants in place that lie in files below `folder` (NULL: an error that
 * names the constant), which stay in `arena`. Whatever leads out of the folder, links included, and what its
 * file does not hold is an error; so are more than 1 GiB or 1024 files together. *bytes: how much was read.
 */
ts_status ts__onnx_fetch(ts_arena *arena, Onnx__GraphProto *graph, const char *folder, uint64_t *bytes,
                         ts_diags *diags);

/* onnx_constant.c */
ts_status ts__constant_decode(ts_onnx *net, const ts_onnx_node *node, const Onnx__TensorProto *proto,
                              ts_constant **out);
ts_constant *ts__constant_ints(ts_arena *arena, const int64_t *values, uint32_t count, bool scalar);
ts_constant *ts__constant_reals(ts_arena *arena, const double *values, uint32_t count, bool scalar);
/* The constant behind input `i` of the node; NULL where it is absent or an activation. */
const ts_constant *ts__onnx_const_input(const ts_onnx *net, const ts_onnx_node *node, uint32_t i);
/* Demands whole numbers; `what` names the parameter in the error. */
ts_status ts__constant_whole(ts_onnx *net, const ts_onnx_node *node, const ts_constant *constant,
                             const char *what);

/* onnx_fold.c: sets the constants of the node's outputs where they can be computed; *folded says so. */
ts_status ts__onnx_fold(ts_onnx *net, const ts_onnx_node *node, bool *folded);
/* New dimensions of a Reshape, Flatten, Squeeze or Unsqueeze of `dims`. */
ts_status ts__onnx_reshape(ts_onnx *net, const ts_onnx_node *node, const uint32_t *dims, uint32_t rank,
                           uint32_t *out_dims, uint32_t *out_rank);
bool ts__onnx_is_reshape(const char *op);

/* onnx_view.c */
void ts__view_map(ts_view *view, uint32_t spatial_rank, uint32_t h, uint32_t w, uint32_t c, bool swapped);
void ts__view_vector(ts_view *view, uint32_t rank, uint32_t c);
/* False where the elements cannot be regrouped so. */
bool ts__view_reshape(ts_view *view, const uint32_t *dims, uint32_t rank);
bool ts__view_transpose(ts_view *view, const uint32_t *permutation);
uint64_t ts__view_elements(const ts_view *view);
/* Stride of a dimension that is one factor (0 for dimensions of size 1); false for several factors. */
bool ts__view_stride(const ts_view *view, uint32_t dim, uint32_t *stride);

/* onnx_stage.c: one element-wise node on a value's meaning. Factors and terms are scalars (count 1) or one
 * for each channel. */
typedef struct ts_operand {
    const int64_t *values;
    uint32_t count; /* 1 or C */
} ts_operand;
ts_status ts__stage_multiply(ts_onnx *net, const ts_onnx_node *node, ts_meaning *x, ts_operand factor);
ts_status ts__stage_add(ts_onnx *net, const ts_onnx_node *node, ts_meaning *x, ts_operand term);
ts_status ts__stage_divide(ts_onnx *net, const ts_onnx_node *node, ts_meaning *x, int64_t divisor,
                           bool integer);
ts_status ts__stage_floor(ts_onnx *net, const ts_onnx_node *node, ts_meaning *x);
ts_status ts__stage_clip(ts_onnx *net, const ts_onnx_node *node, ts_meaning *x, int64_t low, int64_t high);
/* Adds one half, for a rounding to nearest by the floor that follows. */
ts_status ts__stage_half(ts_onnx *net, const ts_onnx_node *node, ts_meaning *x);
bool ts__stage_whole(const ts_stage *stage);
bool ts__stage_identity(const ts_stage *stage);
ts_stage *ts__stage_push(ts_onnx *net, const ts_onnx_node *node, ts_meaning *x);

/* onnx_force.c */
/* Turns the meaning into a tensor of the graph, adding the nodes that compute it. `reader` is the node that
 * wants it (or NULL), for errors. */
ts_status ts__force(ts_onnx *net, ts_meaning *x, const ts_onnx_node *reader);
/* As ts__force(), but leaves one open scalar stage over the tensor where there is one. */
ts_status ts__force_branch(ts_onnx *net, ts_meaning *x, const ts_onnx_node *reader);
ts_tensor_id ts__new_tensor(ts_onnx *net, const char *name, ts_type type, uint32_t rank, const uint32_t *dims,
                            const void *data);

/* onnx_layers.c: each sets the meaning of the node's first output. */
ts_status ts__import_conv(ts_onnx *net, const ts_onnx_node *node, ts_meaning *x, ts_meaning **out);
ts_status ts__import_linear(ts_onnx *net, const ts_onnx_node *node, ts_meaning *x, ts_meaning **out);
ts_status ts__import_pool(ts_onnx *net, const ts_onnx_node *node, ts_meaning *x, ts_meaning **out);
ts_status ts__import_residual(ts_onnx *net, const ts_onnx_node *node, ts_meaning *x1, ts_meaning *x2,
                              ts_meaning **out);
ts_meaning *ts__meaning_of_tensor(ts_onnx *net, ts_tensor_id tensor);
/* What `node`, which is not in the graph yet, makes: a map of these rows, columns and channels. */
ts_meaning *ts__meaning_of_node(ts_onnx *net, const ts_node *node, uint32_t h, uint32_t w, uint32_t c);
/* A node of one input, named after `node`, not in the graph yet. */
ts_node ts__new_node(ts_onnx *net, const ts_onnx_node *node, ts_op op);

/* onnx_dense.c */
/* Adds the node, a movement of its first input, with a result of these rows, columns and channels. */
ts_tensor_id ts__add_move(ts_onnx *net, const ts_node *made, const char *name, const uint32_t sizes[3]);
/* A view of dimensions that lie in memory as they follow each other. */
void ts__view_rows(ts_view *view, const uint32_t *dims, uint32_t rank);
bool ts__is_in_order(const ts_view *view);
/* The last dimension, the one before, and all others together. */
void ts__row_sizes(const ts_view *view, uint32_t sizes[3]);
/* Makes the value's elements lie in the order of its dimensions, in a tensor of these rows, columns and
 * channels: as many elements. ts__place() leaves the stages of a forced branch as they are. */
ts_status ts__make_dense(ts_onnx *net, const ts_onnx_node *node, ts_meaning *x, const uint32_t sizes[3]);
ts_status ts__place(ts_onnx *net, const ts_onnx_node *node, ts_meaning *x, const uint32_t sizes[3]);
/* The last dimension is all channels of a pixel; the second makes it so. */
bool ts__ends_in_channels(const ts_meaning *x);
ts_status ts__want_channels_last(ts_onnx *net, const ts_onnx_node *node, ts_meaning *x);
/* After a reshape: a sequence of pixels that do not lie in its order is put in that order, once. */
ts_status ts__settle_tokens(ts_onnx *net, const ts_onnx_node *node, ts_meaning *x);
/* The view of what has `channels` instead of the value's in the last dimension, pixels as they were. */
void ts__rows_view(const ts_meaning *x, uint32_t channels, ts_view *out);

/* onnx_attention.c: each sets the meaning of the node's first output. */
ts_status ts__import_norm(ts_onnx *net, const ts_onnx_node *node, ts_meaning *x, ts_meaning **out);
ts_status ts__import_softmax(ts_onnx *net, const ts_onnx_node *node, ts_meaning *x, ts_meaning **out);
ts_status ts__import_function(ts_onnx *net, const ts_onnx_node *node, ts_meaning *x, ts_meaning **out);
ts_status ts__import_product(ts_onnx *net, const ts_onnx_node *node, ts_meaning *a, ts_meaning *b,
                             ts_meaning **out);
/* `count` elements along an axis of the value, from `begin` on, `step` apart: all inside it. */
typedef struct ts_part {
    uint32_t axis, begin, count, step;
} ts_part;
ts_status ts__import_part(ts_onnx *net, const ts_onnx_node *node, ts_meaning *x, const ts_part *part,
                          ts_meaning **out);
ts_status ts__import_concat(ts_onnx *net, const ts_onnx_node *node, ts_meaning **inputs, uint32_t count,
                            uint32_t axis, ts_meaning **out);
/* The mean over `count` dimensions from `first` on, neither rounded nor clipped yet. */
ts_status ts__import_mean(ts_onnx *net, const ts_onnx_node *node, ts_meaning *x, uint32_t first,
                          uint32_t count, bool keep, ts_meaning **out);
/* Forced operands that differ in layout or shape are brought to one; smaller ones are repeated. */
ts_status ts__align(ts_onnx *net, const ts_onnx_node *node, ts_meaning *a, ts_meaning *b);
bool ts__same_layout(const ts_meaning *a, const ts_meaning *b);
ts_status ts__import_mul(ts_onnx *net, const ts_onnx_node *node, ts_meaning *a, ts_meaning *b,
                         ts_meaning **out);

/* onnx_own.c: the type that attributes out_bits (8, 4, 2; 8 where absent) and out_signed say. */
ts_status ts__own_type(ts_onnx *net, const ts_onnx_node *node, ts_type *out);
/* A node of the domain "tessera" on activations. */
ts_status ts__import_own(ts_onnx *net, const ts_onnx_node *node, ts_meaning **inputs, uint32_t count,
                         ts_meaning **out);

/* onnx_import.c */
ts_status ts__onnx_import(ts_arena *arena, ts_bytes file, const char *name, const ts_model_options *options,
                          ts_graph **out, ts_diags *diags);

#endif
