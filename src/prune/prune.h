/* Filter pruning: whole output channels leave a float graph until it fits into a memory.
 *
 * Channels that must live or die together are one filter: those of layers whose results are added, and the
 * elements that flattening makes of one. The network's inputs and outputs are never pruned, and neither is
 * what an operator mixes in a way that does not let single channels go.
 *
 * Source: Grimaldi, Peluso, Calimera, "Optimality Assessment of Memory-Bounded ConvNets Deployed on
 * Resource-Constrained RISC Cores", IEEE Access 2019: equation 1 and algorithm 1. docs/pruning.md says where
 * we had to choose. */
#ifndef TS_PRUNE_PRUNE_H
#define TS_PRUNE_PRUNE_H

#include "ir/float_graph.h"

/* What a filter is worth. Identifier, name typed by the user, what it is. */
#define TS_PRUNE_CRITERIA(X)                              \
    X(L1, "l1", "mean magnitude of its weights")          \
    X(L2, "l2", "root of the mean square of its weights") \
    X(NORM, "bn", "magnitude of its batch norm's scale")  \
    X(TAYLOR, "taylor", "first-order change of the loss without it")

typedef enum ts_prune_criterion {
#define TS_PRUNE_ENUM(id, name, help) TS_PRUNE_##id,
    TS_PRUNE_CRITERIA(TS_PRUNE_ENUM)
#undef TS_PRUNE_ENUM
        TS_PRUNE_CRITERION_COUNT
} ts_prune_criterion;

const char *ts_prune_criterion_name(ts_prune_criterion criterion);
const char *ts_prune_criterion_help(ts_prune_criterion criterion);

/* Which filter is next. Identifier, name typed by the user, what it is. */
#define TS_PRUNE_CHOICES(X)                                                                       \
    X(GAIN, "gain", "the filter that costs least of its layer's worth for each element it frees") \
    X(LAYER, "layer", "in the layer of least worth the filter of least worth (the paper's algorithm 1)")

typedef enum ts_prune_choice {
#define TS_PRUNE_ENUM(id, name, help) TS_PRUNE_BY_##id,
    TS_PRUNE_CHOICES(TS_PRUNE_ENUM)
#undef TS_PRUNE_ENUM
        TS_PRUNE_CHOICE_COUNT
} ts_prune_choice;

const char *ts_prune_choice_name(ts_prune_choice choice);
const char *ts_prune_choice_help(ts_prune_choice choice);

/* The terms of equation 1, in elements: parameters, the largest sum of a layer's inputs and outputs, and the
 * largest im2col buffer (two columns, as CMSIS-NN has it). */
typedef struct ts_prune_memory {
    uint64_t parameters, activations, im2col;
    const char *widest, *heaviest; /* nodes with the largest sum and with the most parameters */
    uint64_t heaviest_parameters;
} ts_prune_memory;

/* Equation 1: M = b (Np + max(I + O) + max(im2col)), in bytes, rounded up. */
uint64_t ts_prune_bytes(const ts_prune_memory *memory, uint32_t bits);

typedef struct ts_prune ts_prune;

typedef struct ts_prune_options {
    ts_prune_criterion criterion;
    ts_prune_choice choice;
    bool weights_apart; /* BY_GAIN: weights lie in another memory and fill nothing of what has to fit */
    /* TAYLOR: for each tensor that holds weights, gradients of the loss, as many as it has elements; else
     * NULL. Read by ts_prune_new() alone. */
    const float *const *gradients;
} ts_prune_options;

/* Finds the filters of a graph and what they are worth. The graph must outlive the result, which `arena`
 * owns. Errors: BN criterion where a filter has no batch norm. */
ts_status ts_prune_new(ts_arena *arena, const ts_fgraph *graph, const ts_prune_options *options,
                       ts_prune **out, ts_diags *diags);

/* Filters that may be pruned, and how many are gone. */
uint32_t ts_prune_count(const ts_prune *prune);
uint32_t ts_prune_gone(const ts_prune *prune);

/* Prunes one filter. By LAYER: in the layer whose filters are worth least on average, the filter that is
 * worth least. By GAIN: of the least filters of all layers the one for which the share of its layer's worth
 * that goes with it, over the elements of equation 1 that it frees, is least; with TAYLOR the worth itself,
 * times had / has, stands for the share. A layer's last filter stays. False where nothing is left to prune.
 */
bool ts_prune_step(ts_prune *prune);

/* The filters that a layer (a CONV, GEMM or MATMUL node) had and has; 0, 0 where it has none that may go. */
void ts_prune_layer(const ts_prune *prune, ts_node_id node, uint32_t *had, uint32_t *has);

/* Equation 1's terms as the graph is now. */
ts_prune_memory ts_prune_measure(const ts_prune *prune);

/* The graph without the filters that are gone, in `arena`. */
ts_status ts_prune_apply(const ts_prune *prune, ts_arena *arena, ts_fgraph **out, ts_diags *diags);

/* The whole graph, in which no reader sees the filters that are gone: their weights are zero. Computes the
 * same as ts_prune_apply()'s. */
ts_fgraph *ts_prune_mask(const ts_prune *prune, ts_arena *arena);

#endif
