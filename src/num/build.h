/* Building integer networks layer by layer, with the requantisation of each chosen from what its
 * accumulators do on a seeded input. Private to src/num: the generator and the random networks. */
#ifndef TS_NUM_BUILD_H
#define TS_NUM_BUILD_H

#include "base/random.h"
#include "num/integer.h"

/* How weights are drawn. */
typedef enum ts__weights {
    TS__WEIGHTS_NORMAL,  /* bell-shaped over the type's range */
    TS__WEIGHTS_UNIFORM, /* the whole range alike */
    TS__WEIGHTS_EXTREME, /* the lowest and the highest value only */
} ts__weights;

/* Where the middle of the accumulators goes. */
typedef enum ts__centre {
    TS__CENTRE_RELU,   /* low in the range: a part is clipped, as by a rectifier */
    TS__CENTRE_MIDDLE, /* in the middle: a layer without activation */
} ts__centre;

typedef struct ts__layer_spec {
    ts_op op; /* any but ADD */
    ts_window window;
    uint32_t groups, out_c; /* CONV; LINEAR: out_c */
    ts_type weight_type, out_type;
    int32_t weights_zero; /* zero point of the weights */
    ts__weights weights;
    ts__centre centre;
    bool bias;
    ts_requant_kind requant; /* NONE: the bare accumulator */
    int32_t zero;            /* TFLITE, unsigned outputs: zero point */
    bool d_less_one;         /* D = 2^k - 1 */
    bool by_tensor;          /* one kappa and lambda for all channels */
    bool by_shift;           /* NEMO: kappa and m are 1 */
    bool to_nearest;         /* AVG_POOL: twice the mean, rounded to the nearest */
    bool wide;               /* weights of 16 bits that may take accumulators past 32 bits; NEMO alone */
} ts__layer_spec;

typedef struct ts__builder {
    ts_arena *arena;
    ts_graph *graph;
    ts_random random;
    ts_diags *diags;
    TS_VEC(int32_t *) values; /* by tensor: what the seeded input makes of it; constants: NULL */
} ts__builder;

ts__builder ts__builder_new(ts_arena *arena, const char *name, uint64_t seed, ts_diags *diags);

/* A network input {1, h, w, c} with seeded values over its type's whole range. */
ts_tensor_id ts__build_input(ts__builder *b, const char *name, ts_type type, uint32_t h, uint32_t w,
                             uint32_t c);

/* Adds a layer that reads `in`, computes it on the seeded values and gives its output. Windows of SAME
 * and like paddings are the caller's. Errors: a window that does not fit, an accumulator past 32 bits. */
ts_status ts__build_layer(ts__builder *b, const char *name, const ts__layer_spec *spec, ts_tensor_id in,
                          ts_tensor_id *out);

/* y = floor((m1 a + m2 b) / d) of two tensors of one shape, without a clip: in the narrowest type that
 * holds every result and its operands; where `then` is NEMO, an activation to `out_type` behind it. TFLITE:
 * half the sum of two tensors of `out_type`, about, as TensorFlow Lite adds (in twenty bits more); the zero
 * point of the result is `zero`, and m1, m2 and d are not used. */
typedef struct ts__add_spec {
    int64_t m1, m2, d;
    ts_requant_kind then;
    ts_type out_type;
    int32_t zero;
} ts__add_spec;
ts_status ts__build_add(ts__builder *b, const char *name, const ts__add_spec *spec, ts_tensor_id a,
                        ts_tensor_id other, ts_tensor_id *out);

/* A random program for a FLOAT node of operands of the types `operands` and `channels` channels, and a result
 * of type u8, s8 or f32. */
ts_tensor_id ts__build_program(ts__builder *b, const char *name, const ts_type *operands, uint32_t count,
                               uint32_t channels, ts_type type);

/* A constant of floats between -1 and 1: weights or biases of layers of floats. */
ts_tensor_id ts__build_reals(ts__builder *b, const char *name, uint32_t rank, const uint32_t *dims);

/* Adds a node that needs no parameters chosen (LUT, FLOAT, SOFTMAX, layers of floats, and what moves
 * elements): `node` is complete but for its name, place and output, which becomes {1, dims} of `type` with
 * the quantum of the first input where elements are moved, and without one otherwise. */
ts_status ts__build_plain(ts__builder *b, const char *name, const ts_node *node, ts_type type,
                          const uint32_t dims[3], ts_tensor_id *out);

/* y = requant((a - za) (b - zb)) of two tensors of one shape; of `spec`, what concerns the requantisation. */
ts_status ts__build_mul(ts__builder *b, const char *name, const ts__layer_spec *spec, ts_tensor_id a,
                        ts_tensor_id other, ts_tensor_id *out);

/* y = requant(rows of a with rows of b, less their zero points), as TS_OP_MATMUL; of `spec`, what concerns
 * the requantisation. */
ts_status ts__build_matmul(ts__builder *b, const char *name, const ts__layer_spec *spec, ts_tensor_id a,
                           ts_tensor_id other, ts_tensor_id *out);

/* A table of random values of `type` for an input of `in_type`. */
ts_tensor_id ts__build_table(ts__builder *b, const char *name, ts_type in_type, ts_type type);

/* A list of `count` indices below `size`: rising, falling where there are as many, or some of them random. */
ts_tensor_id ts__build_indices(ts__builder *b, const char *name, uint32_t size, uint32_t count);

/* A list of `count` random words within [-most, most], often at the ends. */
ts_tensor_id ts__build_words(ts__builder *b, const char *name, uint32_t count, int64_t most);

/* Activation tensor with no values yet; its type may still change. */
ts_tensor_id ts__build_activation(ts__builder *b, const char *name, ts_type type, uint32_t h, uint32_t w,
                                  uint32_t c);

#endif
