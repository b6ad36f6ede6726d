/* Grids for activations, from what the float network shows on the calibration set. */
#ifndef TS_QUANT_RANGES_H
#define TS_QUANT_RANGES_H

#include "quant/quantize.h"

/* Chooses the grid of every value: types, quanta and clips into quant->values. */
ts_status ts__choose_grids(ts_quant *quant, const ts_data *data, const ts_progress *progress,
                           ts_diags *diags);

/* Moves the steps of ts__choose_grids() to where the network's outputs change least. */
ts_status ts__search_grids(ts_quant *quant, const ts_data *data, const ts_progress *progress,
                           ts_diags *diags);

/* Sets the clip of a value from its layer's bounds and its step. */
void ts__settle_clip(const ts_quant *quant, uint32_t value);

#endif
