/* The float interpreter: computes a float graph in plain C, one sample at a time.
 *
 * Each result is a sum in one fixed order without fused multiply-adds, so that every host computes the
 * same bits: what is calibrated on one machine is the same on another. */
#ifndef TS_NUM_FLOAT_H
#define TS_NUM_FLOAT_H

#include "ir/float_graph.h"

/* A graph made ready to run: one buffer a tensor, constant weights in the order of the loops. */
typedef struct ts_fsession ts_fsession;

/* Owned by `arena`; reads `graph` as long as it lives. */
ts_fsession *ts_fsession_new(ts_arena *arena, const ts_fgraph *graph);

/* Computes the network. inputs[i] holds the elements of graph input i in the order of its ts_ftensor
 * (channels last where its layout says so). */
void ts_fsession_run(ts_fsession *session, const float *const *inputs);

/* Computes the nodes from `first` on again, with the inputs and results that stand before them. Attributes of
 * FAKE_QUANT nodes may have been changed in between. */
void ts_fsession_rerun(ts_fsession *session, ts_node_id first);

/* The elements of a tensor after ts_fsession_run(), valid until the next. */
const float *ts_fsession_value(const ts_fsession *session, ts_tensor_id tensor);

/* Computes once every node whose inputs are all constants and replaces its result by a constant, copied
 * into the graph's arena. The nodes are removed; tensor ids stay. */
void ts_fgraph_fold(ts_fgraph *graph);

/* scale * clip(floor(x / scale + offset), low, high), the image of `x` on a grid. */
float ts_fake_quant(float x, double scale, double offset, float low, float high);

#endif
