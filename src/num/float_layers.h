/* The reference of layers on maps of floats, between FLOAT nodes: convolutions, linear layers and poolings in
 * single precision, each sum in one order. docs/arithmetic.md has the formulas. */
#ifndef TS_NUM_FLOAT_LAYERS_H
#define TS_NUM_FLOAT_LAYERS_H

#include "ir/graph.h"

/* Computes a verified CONV, LINEAR, MAX_POOL or AVG_POOL of floats: `x` and `y` are the bits of floats in
 * H, W, C order. */
void ts__float_layer_run(const ts_graph *graph, const ts_node *node, const int32_t *x, int32_t *y);

#endif
