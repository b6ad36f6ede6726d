/* The judge: bit-exact integer arithmetic, one layer or a whole network at a time.
 *
 * Written to be read against docs/arithmetic.md, not to be fast. Values are int32_t, one a slot, in
 * H, W, C order, whatever the tensor's type. */
#ifndef TS_NUM_INTEGER_H
#define TS_NUM_INTEGER_H

#include "ir/graph.h"

/* Division toward minus infinity; d > 0. */
int64_t ts_floor_div(int64_t n, int64_t d);

/* The requantisation of one accumulator of channel `channel`, in 128 bits where 64 are not enough.
 * NONE gives acc itself, saturated at 32 bits. Source: docs/arithmetic.md. */
int32_t ts_requant_apply(const ts_requant *requant, uint32_t channel, int64_t acc);

/* Widths in bits, signed, that hold t = kappa acc + lambda and u = t m of a node with NEMO's
 * requantisation, for every channel and every accumulator that can be reached; 0 for other nodes. */
void ts_requant_widths(const ts_graph *graph, const ts_node *node, uint32_t *t_bits, uint32_t *u_bits);

/* One step of an addition: clip(floor((v mul + add) / div), low, high), exact. */
int32_t ts_add_step_apply(const ts_add_step *step, int64_t v);

/* Computes one node of a verified graph: `inputs[i]` are the values of the node's inputs, `output` has room
 * for its output's elements. An accumulator or result that leaves its type is an error naming the node. */
ts_status ts_integer_node(const ts_graph *graph, ts_node_id node, const int32_t *const *inputs,
                          int32_t *output, ts_diags *diags);

/* Computes a verified network. `inputs` has one array for each graph input. On return values[t] holds the
 * elements of activation tensor t (in `arena`), NULL for constants. */
ts_status ts_integer_run(const ts_graph *graph, ts_arena *arena, const int32_t *const *inputs,
                         int32_t ***values, ts_diags *diags);

#endif
