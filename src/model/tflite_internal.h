/* Inside the reader of TensorFlow Lite files: what its parts share. tflite.c reads the tables of the file and
 * goes through its operators; tflite_layers.c takes those that compute, tflite_moves.c those that move
 * elements, tflite_tables.c functions of one element. */
#ifndef TS_MODEL_TFLITE_INTERNAL_H
#define TS_MODEL_TFLITE_INTERNAL_H

#include "ir/float_graph.h"
#include "model/flat.h"
#include "model/tflite.h"

/* Field numbers of the format's tables. */
enum { MODEL_CODES = 1, MODEL_SUBGRAPHS = 2, MODEL_BUFFERS = 4 };
enum { CODE_OLD = 0, CODE_CUSTOM = 1, CODE_NEW = 3 };
enum { SUBGRAPH_TENSORS, SUBGRAPH_INPUTS, SUBGRAPH_OUTPUTS, SUBGRAPH_OPERATORS };
enum { TENSOR_SHAPE, TENSOR_TYPE, TENSOR_BUFFER, TENSOR_NAME, TENSOR_QUANTIZATION };
enum { QUANTIZATION_SCALE = 2, QUANTIZATION_ZERO = 3, QUANTIZATION_DIMENSION = 6 };
enum { OPERATOR_CODE, OPERATOR_INPUTS, OPERATOR_OUTPUTS, OPERATOR_OPTIONS = 4 };
enum { CONV_PADDING, CONV_STRIDE_W, CONV_STRIDE_H, CONV_ACTIVATION, CONV_DILATION_W, CONV_DILATION_H };
enum { DEPTHWISE_ACTIVATION = 4, DEPTHWISE_DILATION_W = 5, DEPTHWISE_DILATION_H = 6 };
enum { POOL_FILTER_W = 3, POOL_FILTER_H = 4, POOL_ACTIVATION = 5 };
enum { PADDING_SAME, PADDING_VALID };
enum { ACTIVATION_NONE, ACTIVATION_RELU, ACTIVATION_RELU_N1, ACTIVATION_RELU6 };
enum { DEQUANTIZE_CODE = 6, CUSTOM_CODE = 32, QUANTIZE_CODE = 114 };
enum { ACTIVATION_RELU_0_1 = 1000 }; /* no fused one, which are bytes: an operator of its own */
enum { TYPE_FLOAT = 0, TYPE_FLOAT16 = 1, TYPE_INT32 = 2, TYPE_UINT8 = 3, TYPE_INT8 = 9 };
enum { MAX_TENSORS = 1 << 16, MAX_OPERATORS = 1 << 16, MAX_WINDOW = 4096, MAX_PARTS = 64 };

/* A tensor of the file. */
typedef struct tfl_tensor {
    const char *name;
    uint32_t rank;
    uint32_t dims[TS_MAX_RANK];
    uint64_t elements;
    int32_t type;
    ts_flat_vector data; /* constants */
    ts_flat_vector scales, zeros;
    int64_t quantized_dimension;
    ts_tensor_id tensor; /* of the graph; TS_NONE before it is computed, and of what floats make */
    ts_tensor_id real;   /* of the float graph; TS_NONE where no float operator has read or made it */
    uint32_t pads[4];    /* explicit padding: top, left, bottom, right */
    bool turned; /* the graph's tensor still has to be transposed: axis i of this one is its order[i] */
    uint32_t order[3];
    bool tail; /* behind the last integer layer */
    const struct tfl_tensor
        *made_of; /* a float tensor: the constant that DEQUANTIZE makes it of; else NULL */
    /* A float tensor. `codes`: the 8-bit type of the codes that it dequantises, whose quantum and tensor are
     * its own; TYPE_FLOAT where an operator makes it. Then `leaves` are the dequantised tensors of which it
     * is made, and the first operator that did not only move codes has `first` as its name. */
    int32_t codes;
    struct tfl_tensor **leaves;
    uint32_t leaf_count;
    const char *first, *first_op;
    struct tfl_spread *spread; /* dealt out over batches (tflite_spread.c); NULL: not */
    uint32_t handle;           /* of a variable: 1 + its index; 0: none */
} tfl_tensor;

struct tfl_islands;
struct tfl_variables;
struct tfl_spread;

typedef struct tfl {
    ts_arena *arena, *scratch;
    ts_diags *diags;
    ts_flat flat;
    ts_graph *graph;
    ts_fgraph *real; /* float operators between integer ones; with `whole` the whole network instead */
    bool whole, allow_float;
    struct tfl_islands *islands;     /* NULL before the first one */
    struct tfl_variables *variables; /* the same */
    tfl_tensor *tensors;
    uint32_t tensor_count;
    uint64_t work_left;
} tfl;

/* One operator of the file. */
typedef struct tfl_op {
    const char *op, *name; /* its kind, and its output's name */
    uint32_t index;
    ts_flat_vector inputs, outputs;
    ts_flat_table options;
} tfl_op;

#define TFL_FAIL(code, ...) ts_error(t->diags, (code), o->name, o->op, __VA_ARGS__)

/* The file is damaged: what is wrong with it. */
ts_status ts__tfl_damaged(const tfl *t, const char *what);

/* 8-bit elements: int8, or uint8 of the older kind. */
bool ts__tfl_is_8_bits(const tfl_tensor *x);
int32_t ts__tfl_low(const tfl_tensor *x);
int32_t ts__tfl_high(const tfl_tensor *x);

/* Scale i (or the only one) and zero point. */
float ts__tfl_scale_of(const tfl_tensor *x, uint32_t i);
int32_t ts__tfl_zero_of(const tfl_tensor *x);

/* Of one type, scale and zero point? */
bool ts__tfl_one_quantum(const tfl_tensor *x, const tfl_tensor *y);

/* {1, H, W, C} of an activation, its dimensions at the right end; false where the first is not 1. */
bool ts__tfl_map_dims(const tfl_tensor *x, uint32_t dims[4]);

/* Axis 0, 1, 2 (rows, columns, channels) of the file's axis `axis` (negative: from the end); TS_NONE for the
 * batch and what does not exist. */
uint32_t ts__tfl_axis(const tfl_tensor *x, int64_t axis);

/* Adds the tensor of an 8-bit activation to the graph. */
ts_status ts__tfl_new_activation(tfl *t, const tfl_op *o, tfl_tensor *x, ts_tensor_id *out);

/* Tensor i of a list; NULL where it is absent. */
tfl_tensor *ts__tfl_tensor_at(const tfl *t, ts_flat_vector list, uint32_t i);
const ts_tensor *ts__tfl_value_of(const tfl *t, const tfl_tensor *x);

/* An input that is an activation computed before. */
ts_status ts__tfl_activation_at(tfl *t, const tfl_op *o, uint32_t i, tfl_tensor **out);

/* The same, laid out in the graph as the file shapes it: reshapes and paddings that were put off are added.
 * `shape`: without its paddings, which x->pads keeps. */
ts_status ts__tfl_map_at(tfl *t, const tfl_op *o, uint32_t i, tfl_tensor **out);
ts_status ts__tfl_shape_at(tfl *t, const tfl_op *o, uint32_t i, tfl_tensor **out);

/* Adds the padding or transposition that was put off; with `ts__tfl_settle` the reshape, too. */
ts_status ts__tfl_settle_pads(tfl *t, const tfl_op *o, tfl_tensor *x);
ts_status ts__tfl_settle(tfl *t, const tfl_op *o, tfl_tensor *x);

/* The single output, not computed yet. */
ts_status ts__tfl_output_of(tfl *t, const tfl_op *o, tfl_tensor **out);

ts_node ts__tfl_new_node(tfl *t, const tfl_op *o, ts_op op, const tfl_tensor *x);
void ts__tfl_add_node(tfl *t, ts_node *node, tfl_tensor *y, ts_tensor_id output);

/* Bounds of the result that a fused activation leaves. */
ts_status ts__tfl_activation_bounds(tfl *t, const tfl_op *o, int64_t activation, const tfl_tensor *y,
                                    int32_t *low, int32_t *high);

/* A requantisation to y with room for `channels` multipliers. */
ts_requant ts__tfl_new_requant(tfl *t, uint32_t channels, const tfl_tensor *y, int32_t low, int32_t high,
                               int32_t **multiplier, int32_t **shift);

/* Bounds the work that a file may ask for. */
ts_status ts__tfl_take_work(tfl *t, const tfl_op *o, uint64_t elements);

/* Input i, a constant of int32 numbers, at most `most`. */
ts_status ts__tfl_numbers_at(tfl *t, const tfl_op *o, uint32_t i, uint32_t most, ts_flat_vector *out);

/* Adds y = table[x], the table by `f` of each 8-bit value of x. */
typedef int32_t ts__tfl_function(const void *context, int32_t x);
ts_status ts__tfl_add_table(tfl *t, const tfl_op *o, const tfl_tensor *x, tfl_tensor *y, ts__tfl_function *f,
                            const void *context);

/* Repeats x along axes where it has one element until it has the shape `dims` ({1, H, W, C}). */
ts_status ts__tfl_broadcast(tfl *t, const tfl_op *o, const tfl_tensor *x, const uint32_t dims[4],
                            ts_tensor_id *out);

/* Adds a reshape of the tensor `from`. */
ts_tensor_id ts__tfl_reshaped(tfl *t, const tfl_op *o, ts_tensor_id from, const uint32_t dims[4]);

/* Makes x a copy of itself, by a node. */
void ts__tfl_copy(tfl *t, const tfl_op *o, tfl_tensor *x);

/* What takes an operator: its kind's row in tflite.c. */
typedef ts_status ts__tfl_take(tfl *t, const tfl_op *o);
ts__tfl_take ts__tfl_conv, ts__tfl_depthwise, ts__tfl_fully_connected, ts__tfl_average_pool, ts__tfl_max_pool,
    ts__tfl_mean, ts__tfl_reduce_max, ts__tfl_add, ts__tfl_sub, ts__tfl_mul;
ts__tfl_take ts__tfl_reshape, ts__tfl_pad, ts__tfl_concat, ts__tfl_pack, ts__tfl_unpack, ts__tfl_transpose,
    ts__tfl_split, ts__tfl_split_v, ts__tfl_slice, ts__tfl_strided_slice, ts__tfl_resize,
    ts__tfl_space_to_batch, ts__tfl_batch_to_space;
ts__tfl_take ts__tfl_logistic, ts__tfl_tanh, ts__tfl_hard_swish, ts__tfl_leaky_relu, ts__tfl_relu,
    ts__tfl_relu_n1, ts__tfl_relu6, ts__tfl_relu_0_1, ts__tfl_maximum, ts__tfl_minimum, ts__tfl_softmax;

/* A range of one axis of the file: first element, step, number of elements. */
typedef struct tfl_range {
    int64_t begin, step, count;
} tfl_range;

/* What SLICE and STRIDED_SLICE take of each axis of x; every range lies inside. */
ts_status ts__tfl_slice_ranges(tfl *t, const tfl_op *o, const tfl_tensor *x, tfl_range ranges[TS_MAX_RANK]);
ts_status ts__tfl_strided_ranges(tfl *t, const tfl_op *o, const tfl_tensor *x, tfl_range ranges[TS_MAX_RANK]);

/* A result of whole numbers that are known at import becomes a constant (tflite_shapes.c). `done`: it did. */
ts_status ts__tfl_compute_constant(tfl *t, const tfl_op *o, int64_t code, bool *done);

/* Is the operator served so only? */
bool ts__tfl_computes_shapes(int64_t code);

/* The name of an operator that is not served, in the arena (tflite_names.c); `custom`: that of a custom one.
 */
const char *ts__tfl_unserved_name(ts_arena *arena, int64_t code, const char *custom);

/* The name of an element type. */
const char *ts__tfl_type_name(int32_t type);

/* Output `i` of a SPLIT alone, with its name. */
tfl_op ts__tfl_part(tfl *t, const tfl_op *o, uint32_t i);

/* A nearest neighbour of whole factors in rows and columns? */
ts_status ts__tfl_check_resize(tfl *t, const tfl_op *o, const tfl_tensor *x, const tfl_tensor *y);

/* Float networks (tflite_float.c): an operator by its code, an input, and DEQUANTIZE of a constant. */
ts_status ts__tfl_float_operator(tfl *t, const tfl_op *o, int64_t code);
ts_status ts__tfl_float_input(tfl *t, const tfl_op *o, tfl_tensor *x);
ts_status ts__tfl_float_constant(tfl *t, const tfl_op *o, const tfl_tensor *x, tfl_tensor *y);

/* Floats between integers (tflite_islands.c). DEQUANTIZE; an operator with a float result, which `take`
 * (NULL: nothing) takes of integers; QUANTIZE of what floats made to y; and a float output of the network,
 * which is left out: the codes that it is made of are outputs. */
ts__tfl_take ts__tfl_dequantize;
ts_status ts__tfl_island_operator(tfl *t, const tfl_op *o, int64_t code, ts__tfl_take *take);
ts_status ts__tfl_quantize_floats(tfl *t, const tfl_op *o, tfl_tensor *x, tfl_tensor *y);
ts_status ts__tfl_leave_out(tfl *t, const tfl_op *o, tfl_tensor *x);

/* Tensors between SPACE_TO_BATCH_ND and BATCH_TO_SPACE_ND (tflite_spread.c). The first makes y stand for x; a
 * reshape in between, and a convolution with its window, which takes paddings and dilation; what the second
 * takes of x. Where other operators read such: an error. */
ts_status ts__tfl_spread(tfl *t, const tfl_op *o, const tfl_tensor *x, tfl_tensor *y);
ts_status ts__tfl_spread_reshape(tfl *t, const tfl_op *o, const tfl_tensor *x, tfl_tensor *y);
ts_status ts__tfl_spread_window(tfl *t, const tfl_op *o, const tfl_tensor *x, tfl_tensor *y, ts_window *w);
ts_status ts__tfl_gather_ranges(tfl *t, const tfl_op *o, const tfl_tensor *x, const tfl_tensor *y,
                                tfl_range ranges[TS_MAX_RANK]);
ts_status ts__tfl_is_spread(tfl *t, const tfl_op *o, const tfl_tensor *x);

/* Variables (tflite_state.c): an input of the network each, and, at the end, outputs. */
ts__tfl_take ts__tfl_var_handle, ts__tfl_read_variable, ts__tfl_assign_variable, ts__tfl_call_once;
ts_status ts__tfl_output_variables(tfl *t);

/* Says that an input is float where nothing has quantised it. */
ts_status ts__tfl_is_float(tfl *t, const tfl_op *o, uint32_t i, const tfl_tensor *x);

/* Adds a tensor to the network's outputs, once. */
ts_status ts__tfl_add_output(tfl *t, const tfl_op *o, tfl_tensor *x);

/* QUANTIZE of an 8-bit tensor to another one. */
ts_status ts__tfl_requantize(tfl *t, const tfl_op *o, const tfl_tensor *x, tfl_tensor *y);

#endif
