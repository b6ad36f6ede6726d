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

/* How far a grid reaches: the largest magnitude, a share of the elements, or the least square error. BEST: of
 * activations, from MSE on to where the network's outputs change least; of weights, the one of the three with
 * which the layer's output changes least. AUTO (activations): MSE at 8 bits, BEST below. */
typedef enum ts_range_method {
    TS_RANGE_AUTO,
    TS_RANGE_MAX,
    TS_RANGE_PERCENTILE,
    TS_RANGE_MSE,
    TS_RANGE_BEST
} ts_range_method;

/* The grid of a layer's weights. */
typedef struct ts__grid {
    uint32_t bits;
    bool narrow;    /* from -(2^(bits-1) - 1) */
    bool per_layer; /* one quantum for all channels */
    bool offset;    /* with per_layer: from the smallest weight to the largest; a weight is quantum (value -
                       zero) */
    int32_t zero;   /* 0 without offset; chosen with the quantum */
    const float *gain; /* NULL, or a factor of each channel that stands outside of the weights' quantum */
    ts_range_method method;
    double percentile;
} ts__grid;

/* Mean square of the input that each weight of an output channel meets, `inner` elements (depthwise layers:
 * one list a channel, {c, inner}). */
float *ts__input_power(ts_arena *arena, const ts_qlayer *layer, const ts__inputs *inputs);

/* Quantum of each output channel, and grid->zero. `grid->gain`: it is one number times the channel's gain.
 * Channels without weights get the largest quantum of the others. */
void ts__choose_scales(ts_arena *scratch, const ts_qlayer *layer, const ts__inputs *inputs, ts__grid *grid,
                       double *scale);

/* Every weight to the nearest of the grid. */
void ts__round_nearest(const ts_qlayer *layer, const double *scale, const ts__grid *grid, int8_t *values);

/* Rounds weight by weight and lets those still to come make up for each error, as far as their inputs go
 * together on the calibration set. Source: Frantar et al. 2022, "GPTQ", section 3 (Hessian from the inputs,
 * Cholesky form, natural order). False where the layer is too large; then nothing is written. */
bool ts__round_feedback(const ts_qlayer *layer, const ts__inputs *inputs, const double *scale,
                        const ts__grid *grid, int8_t *values);

#endif
