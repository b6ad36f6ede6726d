/* The text form of a graph: printed by `tessera inspect --text`, read back without loss.
 * docs/graph-text.md specifies it. */
#ifndef TS_IR_TEXT_FORM_H
#define TS_IR_TEXT_FORM_H

#include "base/file.h"
#include "base/text.h"
#include "ir/graph.h"

/* Appends the graph, constants included, in a canonical form: equal graphs give equal bytes. */
void ts_graph_print(ts_text *out, const ts_graph *graph);

/* Reads what ts_graph_print() wrote (untrusted) and verifies it. */
ts_status ts_graph_parse(ts_arena *arena, ts_bytes text, ts_graph **out, ts_diags *diags);

#endif
