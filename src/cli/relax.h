/* quantize --relax: bits stepped down while the accuracy allows. */
#ifndef TS_CLI_RELAX_H
#define TS_CLI_RELAX_H

#include "train/relax.h"

/* Relaxes, prints the rounds as a table and writes them as SVG to `picture` (NULL: nowhere). */
ts_status ts_cli_relax(ts_arena *arena, ts_qnet *net, const ts_data *calibration, const ts_data *data,
                       const ts_relax_options *options, const char *picture, ts_quant **out, ts_diags *diags);

#endif
