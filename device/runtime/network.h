/* A network as the program around it sees it: a table of layers and what they need.
 *
 * Every core of the team calls every layer, each with a ts_run of its own that holds the same addresses.
 * A layer returns when its output lies complete in L2 (or L3, or, where the next layer alone reads it there,
 * in L1); the program may look at it there before it calls the next one. NAME_run() of the emitted network.c
 * does nothing but call them in order. */
#ifndef TS_RUNTIME_NETWORK_H
#define TS_RUNTIME_NETWORK_H

#include <stdint.h>

#include "runtime/fetch.h"

struct ts_run {
    uint8_t *l1, *l2; /* the memory that the caller lends, aligned to 4 bytes */
    uint32_t l3;      /* where the network's L3 begins: the image of the weights, then activations */
    uint32_t weights; /* where the image begins if it has a memory of its own (app.h says) */
    struct ts_fetching fetching; /* core 0 only */
};

enum ts_memory { TS_IN_L2, TS_IN_L3, TS_IN_L1 };

/* Where an activation lies: at `offset` of the lent L2 or L1, or of the network's part of L3. */
struct ts_place {
    uint32_t offset, bytes;
    enum ts_memory memory;
};

struct ts_network_layer {
    const char *name; /* the node's name in the model */
    void (*run)(struct ts_run *run);
    struct ts_place output;
};

struct ts_network {
    const char *name;
    const struct ts_network_layer *layers;
    uint32_t layer_count;
    const struct ts_place *inputs, *outputs;
    uint32_t input_count, output_count;
    uint32_t l1_bytes, l2_bytes; /* least memory that a caller must lend */
    uint32_t l3_bytes;           /* of L3: weights, and activations behind them */
    uint32_t image_bytes;        /* size of weights.bin */
};

static inline int ts_min(int a, int b) { return a < b ? a : b; }
static inline int ts_max(int a, int b) { return a > b ? a : b; }

#endif
