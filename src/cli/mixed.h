/* quantize --mixed: widths changed where the target gains by fewer bits, or more are free. */
#ifndef TS_CLI_MIXED_H
#define TS_CLI_MIXED_H

#include "quant/quantize.h"

/* Changes `widths`, one a layer, for the target of this name (NULL: gap8), and prints what became of each
 * layer. */
ts_status ts_cli_choose_widths(ts_arena *arena, const char *name, ts_qnet *net, const ts_data *calibration,
                               ts_widths *widths, ts_diags *diags);

#endif
