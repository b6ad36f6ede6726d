/* Networks with seeded weights: for the demo, the tests and the benchmarks.
 *
 * They are integer networks in the terms of the NEMO dialect: unsigned activations, signed weights, 12-bit
 * kappa, D a power of two. Each requantisation is chosen by running seeded inputs through the integer
 * interpreter, so that activations fill their range. Same options, same network, on every host with
 * IEEE 754 doubles. */
#ifndef TS_NUM_GENERATE_H
#define TS_NUM_GENERATE_H

#include "ir/graph.h"

/* Identifier, name typed by the user, what it is. */
#define TS_GENERATE_KINDS(X)                                                      \
    X(MOBILENET_V1, "mobilenet-v1", "depthwise-separable; --width, --resolution") \
    X(MOBILENET_V2, "mobilenet-v2", "inverted residuals; --width, --resolution")  \
    X(RESNET8, "resnet8", "three residual stages; --width, --resolution (32)")    \
    X(DS_CNN, "ds-cnn", "keyword spotting on 49 x 10; --width")                   \
    X(TCN, "tcn", "1-D, causal, dilated, residual; --width, --in 1xWxC")          \
    X(CONV, "conv", "one convolution; --in, --out, --kernel, --stride, ...")      \
    X(DWCONV, "dwconv", "one depthwise convolution")                              \
    X(LINEAR, "linear", "one linear layer; --raw leaves its accumulators")        \
    X(ADD, "add", "one residual addition of a pointwise layer and the input")     \
    X(MAX_POOL, "max-pool", "one maximum pooling")                                \
    X(AVG_POOL, "avg-pool", "one average pooling")                                \
    X(RANDOM, "random", "a small random network of every operator, attribute and type")

typedef enum ts_generate_kind {
#define TS_GENERATE_ENUM(id, name, help) TS_GENERATE_##id,
    TS_GENERATE_KINDS(TS_GENERATE_ENUM)
#undef TS_GENERATE_ENUM
        TS_GENERATE_KIND_COUNT
} ts_generate_kind;

const char *ts_generate_name(ts_generate_kind kind);
const char *ts_generate_help(ts_generate_kind kind);

typedef struct ts_generate_options {
    ts_generate_kind kind;
    double width;        /* multiplies every channel count; 0 < width <= 4 */
    uint32_t resolution; /* rows and columns of the input picture; 0: the kind's own */
    uint32_t classes;    /* outputs of the last linear layer; 0: the kind's own */
    uint64_t seed;
    uint32_t weight_bits;             /* 16, 8, 4 or 2 */
    uint32_t activation_bits;         /* 16 (signed), 8, 4 or 2; the network input has 16 or 8 */
    uint32_t in_h, in_w, in_c, out_c; /* single layers; in_w, in_c of TCN */
    ts_window window;                 /* single layers */
    uint32_t groups;                  /* CONV */
    bool tflite;    /* requantisations, zero points and additions as TensorFlow Lite has them, not NEMO */
    bool raw;       /* single layers: 32-bit accumulators, no requantisation */
    bool nemo_only; /* RANDOM: as in ts_random_limits */
} ts_generate_options;

/* The options that a user who gives none gets: width 1, seed 1, 8 bits, a 3 x 3 layer of 32 channels on
 * 16 x 16 with pads of 1. */
ts_generate_options ts_generate_defaults(ts_generate_kind kind);

/* Generates a network in `arena`; verified. Errors: options out of range, shapes that do not fit. */
ts_status ts_generate(ts_arena *arena, const ts_generate_options *options, ts_graph **out, ts_diags *diags);

/* Bounds of a random network, and what it may contain. */
typedef struct ts_random_limits {
    uint32_t nodes;          /* at most; at least 1 */
    uint32_t side, channels; /* largest height or width, most channels, of any activation */
    bool sub_byte;           /* 4- and 2-bit weights and activations */
    bool signed_activations; /* else unsigned, but for 16-bit additions */
    bool tflite;             /* fixed-point multipliers and zero points beside NEMO's requantisation */
    bool nemo_only;          /* only what a file in the NEMO dialect can say */
    bool moves;              /* most layers are tables, products, softmaxes and movements of elements */
    bool picks;              /* every other movement picks elements by their indices */
    bool norms;              /* softmaxes of all kinds, and normalisations in place of some */
    bool floats;             /* every other layer is a program of floats */
    bool halves;             /* every other activation, and weights that read them, have 16 bits */
    bool column;             /* activations of one column, in which windows slide down */
} ts_random_limits;

/* Eight nodes, 12 x 12 x 24, everything but TFLite's arithmetic. */
ts_random_limits ts_random_limits_default(void);

/* A small valid network with one input and one output, of every operator and attribute: kernels up to
 * 5 x 5, strides and pads that differ by side, dilations, groups, 1-D shapes, residual additions (16-bit
 * results included), branches, extreme weights, D = 2^k - 1, negative kappa. Every node reaches the output.
 */
ts_status ts_random_network(ts_arena *arena, uint64_t seed, const ts_random_limits *limits, ts_graph **out,
                            ts_diags *diags);

/* Seeded values for an activation: its whole range, or with `extreme` mostly its two ends. */
int32_t *ts_random_values(ts_arena *arena, uint64_t seed, const ts_tensor *tensor, bool extreme);

#endif
