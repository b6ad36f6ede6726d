/* Layers as float operators, shared by the stages and by calibration. */
#ifndef TS_QUANT_STAGE_H
#define TS_QUANT_STAGE_H

#include "quant/quantize.h"

/* Adds layer `i` to a float graph at a stage. in[k] are tensors {1, h, w, c}. *sum is the result before the
 * clip or grid, *out after it. */
ts_status ts__stage_layer(ts_fgraph *graph, const ts_qnet *net, const ts_quant *quant, uint32_t i,
                          ts_quant_stage stage, const ts_tensor_id *in, ts_tensor_id *sum, ts_tensor_id *out,
                          ts_diags *diags);

/* Adds the whole network: values[v] and sums[i] become the tensors of each value and of each layer's sum
 * (arrays of the caller, layers + 1 and layers elements). */
ts_status ts__stage_network(ts_fgraph *graph, const ts_qnet *net, const ts_quant *quant, ts_quant_stage stage,
                            ts_tensor_id *values, ts_tensor_id *sums, ts_diags *diags);

/* The same at stage FQ for training: batch norms that the network came with stand behind their layers, whose
 * weights and biases are still to be given. */
ts_status ts__stage_trained(ts_fgraph *graph, const ts_qnet *net, const ts_quant *quant, ts_tensor_id *values,
                            ts_tensor_id *sums, ts_diags *diags);

/* Adds the grid of a value behind tensor `x`; offset 0.5 rounds to nearest. */
ts_status ts__stage_grid(ts_fgraph *graph, const ts_qvalue *value, const char *name, double offset,
                         ts_tensor_id x, ts_tensor_id *out, ts_diags *diags);

/* The weights of a layer on their grid, as real numbers; the net's own at stage FP. */
const float *ts__stage_weights(ts_arena *arena, const ts_qnet *net, const ts_quant *quant, uint32_t i,
                               ts_quant_stage stage);

#endif
