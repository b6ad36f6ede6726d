/* Quantised float networks (ONNX's QuantizeLinear and DequantizeLinear around float operators, and its
 * QLinear operators, which the float importer spells out so) as integer graphs. docs/onnx-dialects.md says
 * what is served and what is computed. */
#ifndef TS_MODEL_QDQ_H
#define TS_MODEL_QDQ_H

#include "ir/float_graph.h"
#include "model/onnx.h"

/* Does the network say its integers by quanta? */
bool ts__onnx_is_quantised(const Onnx__GraphProto *graph);

/* The integer graph of a float graph in which every operator stands between quantisations; verified.
 * `allow_float`: operators that integers do not compute become FLOAT nodes, where kernels have them. */
ts_status ts__qdq_convert(ts_arena *arena, const ts_fgraph *from, const char *name, bool allow_float,
                          ts_graph **out, ts_diags *diags);

#endif
