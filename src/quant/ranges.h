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

/* Values that layers only move have one grid: fills quant->roots (layers + 1 elements). */
void ts__find_roots(const ts_quant *quant);

/* Gives a value the grid of its root. */
void ts__share_grid(const ts_quant *quant, uint32_t value);

/* Sets the clip of a value from its layer's bounds and its step. */
void ts__settle_clip(const ts_quant *quant, uint32_t value);

/* Where additions round down (options.floor_pools), half a step in the branch of one operand makes that right
 * on average. The operand is a layer with a bias of its own that nobody else reads and that no clip cuts at
 * zero: sets its `half`. */
void ts__place_halves(ts_quant *quant);

/* Moves the steps around additions and means, by at most two per cent, to where their factors are exact. */
void ts__match_steps(ts_quant *quant);

/* Makes a requantisation exact: D = 2^k, which is returned, kappa_c = round(s_x wanted_c D / s_y) with the
 * largest in `bits` bits, and quanta scale_c = kappa_c s_y / (s_x D) under 1/32 from those wanted. `scale`
 * may be `wanted`. Quanta, and so kappas, may be negative (a batch norm that is kept). */
int64_t ts__match_scales(uint32_t channels, const double *wanted, double sx, double sy, int bits,
                         int64_t *kappa, double *scale);

#endif
