/* quantize --mixed: widths raised where the target takes no more time. */
#ifndef TS_CLI_MIXED_H
#define TS_CLI_MIXED_H

#include "quant/quantize.h"

/* Raises `widths`, one a layer, on the target of this name (NULL: gap8), and prints what became of each
 * layer. */
ts_status ts_cli_raise_widths(ts_arena *arena, const char *name, ts_qnet *net, const ts_data *calibration,
                              ts_widths *widths, ts_diags *diags);

#endif
