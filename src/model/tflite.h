/* Reading TensorFlow Lite files: int8 networks to integer graphs, with the arithmetic of the reference
 * kernels (the two-rounding fixed-point multiplier). docs/tflite.md says what is served. */
#ifndef TS_MODEL_TFLITE_H
#define TS_MODEL_TFLITE_H

#include "base/file.h"
#include "ir/float_graph.h"
#include "model/model.h"

/* `file` may hold anything; the graph is verified. Of `options` (may be NULL) only allow_float counts here.
 */
ts_status ts__tflite_import(ts_arena *arena, ts_bytes file, const char *name, const ts_model_options *options,
                            ts_graph **out, ts_diags *diags);

/* Is this a TensorFlow Lite file? */
bool ts__is_tflite(ts_bytes file);

/* A float network, or one of 8-bit weights and float activations, as a float graph. */
ts_status ts__tflite_float_import(ts_arena *arena, ts_bytes file, const char *name, ts_fgraph **out,
                                  ts_diags *diags);

/* Turns the graph's inner int8 activations into unsigned ones of the same meaning (lift.c); inputs and
 * outputs stay. The import ends with it. */
void ts__lift_to_unsigned(ts_graph *graph, ts_arena *scratch);

/* Significand (31 bits) and exponent of a positive real, as the reference kernels' QuantizeMultiplier. */
void ts__tflite_multiplier(double real, int32_t *multiplier, int32_t *shift);

#endif
