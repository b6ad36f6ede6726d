/* What is in a network, integer or float: layers, shapes, MACs, bytes, bits and requantisation, as a table
 * for people and as JSON for programs. */
#ifndef TS_RUN_INSPECT_H
#define TS_RUN_INSPECT_H

#include "base/screen.h"
#include "ir/float_graph.h"
#include "ir/graph.h"

typedef struct ts_inspection {
    const char *model;
    const ts_graph *graph; /* one of the two, the other is NULL */
    const ts_fgraph *real;
} ts_inspection;

/* Reads a network as integers or, where its weights are not whole numbers, as floats. `allow_float`:
 * operators between quantised ones may be computed in floats. Owned by `arena`. */
ts_status ts_inspect(ts_arena *arena, const char *model, bool allow_float, ts_inspection *out,
                     ts_diags *diags);

/* One line a layer, and the totals. */
void ts_inspection_print(ts_text *out, const ts_inspection *inspection, ts_screen screen);

/* The graph in its text form. */
void ts_inspection_print_text(ts_text *out, const ts_inspection *inspection);

/* {"model", "kind": "integer"|"float", totals, "layers": [{"index", "name", "op", figures}]} */
void ts_inspection_print_json(ts_text *out, const ts_inspection *inspection);

#endif
