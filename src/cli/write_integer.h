/* Integer networks as the files that the other verbs read. */
#ifndef TS_CLI_WRITE_INTEGER_H
#define TS_CLI_WRITE_INTEGER_H

#include "base/diag.h"
#include "ir/graph.h"

/* Writes `path`: *.tsg the text form; *.onnx the NEMO dialect, with the dialects' JSON beside it that says
 * what the ONNX file cannot. Errors: another ending; a JSON file of that name that belongs to something else.
 */
ts_status ts_cli_write_integer(ts_arena *arena, const ts_graph *graph, const char *path, ts_diags *diags);

#endif
