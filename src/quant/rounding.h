/* Rounding the weights of a layer so that its result, not each weight, changes least. */
#ifndef TS_QUANT_ROUNDING_H
#define TS_QUANT_ROUNDING_H

#include "quant/net.h"

/* Inputs of one linear layer as they are on the calibration set: `count` samples of `elements` each. */
typedef struct ts__inputs {
    const float *data;
    uint32_t count;
    uint32_t h, w, c; /* of a sample */
} ts__inputs;

/* Mean square of the input that each weight of an output channel meets, `inner` elements (depthwise layers:
 * one list a channel, {c, inner}). */
float *ts__input_power(ts_arena *arena, const ts_qlayer *layer, const ts__inputs *inputs);

/* Quantum of each output channel for which the weighted square error of its weights is least, all equal
 * where `per_layer`. `power` is ts__input_power()'s. */
void ts__choose_scales(const ts_qlayer *layer, const float *power, uint32_t bits, bool per_layer,
                       double *scale);

/* Every weight to the nearest of the grid. */
void ts__round_nearest(const ts_qlayer *layer, const double *scale, uint32_t bits, int8_t *values);

/* Rounds weight by weight and lets those still to come make up for each error, as far as their inputs go
 * together on the calibration set. Source: Frantar et al. 2022, "GPTQ", section 3 (Hessian from the inputs,
 * Cholesky form, natural order). False where the layer is too large; then nothing is written. */
bool ts__round_feedback(const ts_qlayer *layer, const ts__inputs *inputs, const double *scale, uint32_t bits,
                        int8_t *values);

#endif
