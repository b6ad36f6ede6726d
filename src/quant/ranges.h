/* Grids for activations, from what the float network shows on the calibration set. */
#ifndef TS_QUANT_RANGES_H
#define TS_QUANT_RANGES_H

#include "quant/quantize.h"

/* Chooses the grid of every value: types, quanta and clips into quant->values. */
ts_status ts__choose_grids(ts_quant *quant, const ts_data *data, const ts_progress *progress,
                           ts_diags *diags);

#endif
