/* Float networks to be trained: architectures by name, with seeded initial weights. */
#ifndef TS_TRAIN_ARCHITECTURE_H
#define TS_TRAIN_ARCHITECTURE_H

#include "ir/float_graph.h"

/* Identifier, name typed by the user, what it is; rows, columns, channels and classes of its own. */
#define TS_ARCHITECTURES(X)                                                                      \
    X(DS, "float-ds", "depthwise-separable, for small grey pictures", 32, 32, 1, 16)             \
    X(CIFAR10, "float-cifar10", "the CIFAR-10 network of Caffe and CMSIS-NN", 32, 32, 3, 10)     \
    X(KWS, "float-kws", "cnn-trad-fpool3 for keywords: 32 frames of 40 features", 32, 40, 1, 12) \
    X(FER, "float-fer", "nine convolutions for faces, 48 x 48 grey pictures", 48, 48, 1, 7)

typedef enum ts_architecture {
#define TS_ARCHITECTURE_ENUM(id, name, help, rows, columns, channels, classes) TS_ARCHITECTURE_##id,
    TS_ARCHITECTURES(TS_ARCHITECTURE_ENUM)
#undef TS_ARCHITECTURE_ENUM
        TS_ARCHITECTURE_COUNT
} ts_architecture;

const char *ts_architecture_name(ts_architecture kind);
const char *ts_architecture_help(ts_architecture kind);

typedef struct ts_architecture_options {
    ts_architecture kind;
    double width;               /* multiplies the channels of all layers but the last; 0 < width <= 4 */
    uint32_t resolution;        /* rows and columns of the picture; 0: the kind's own, the only one of KWS */
    uint32_t channels, classes; /* of the picture, and outputs; 0: the kind's own */
    uint64_t seed;
} ts_architecture_options;

/* Makes the network in `arena`: channels-last input "input", logits "output". Weights are normal with
 * variance 2 / fan-in, batch norms the identity. */
ts_status ts_architecture_make(ts_arena *arena, const ts_architecture_options *options, ts_fgraph **out,
                               ts_diags *diags);

#endif
