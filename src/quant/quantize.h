/* Post-training quantisation: a net of layers becomes integers.
 *
 * docs/quantisation.md has the equations. Stages (NEMO's): FullPrecision, the float layers;
 * FakeQuantized, weights and activations on their grids; QuantizedDeployable, every rounding of the integer
 * network, in real numbers; IntegerDeployable, the integers. All of them come from one ts_quant. */
#ifndef TS_QUANT_QUANTIZE_H
#define TS_QUANT_QUANTIZE_H

#include "quant/data.h"
#include "quant/evaluate.h"
#include "quant/net.h"
#include "quant/rounding.h"

/* Bits of a layer's weights and of its result, 2 to 8. */
typedef struct ts_widths {
    uint8_t weights, activations;
} ts_widths;

typedef struct ts_quant_options {
    uint32_t weight_bits, activation_bits; /* 2 to 8 */
    const ts_widths *widths;               /* one a layer, in place of these; NULL: all alike */
    bool per_layer;                        /* one weight quantum a layer, else one an output channel */
    ts_range_method ranges;                /* of activations */
    double percentile;                     /* share of activations within the range, TS_RANGE_PERCENTILE */
    ts_range_method weight_ranges;         /* MAX, PERCENTILE, MSE; BEST: by the layer's output */
    double weight_percentile;              /* share of a channel's weights within the range */
    bool asymmetric; /* weights have a zero point: one quantum a layer between the smallest and the largest */
    bool symmetric;  /* weights from -(2^(b-1) - 1): the type's lowest value is unused */
    bool keep_batch_norm; /* factors of batch norms stay in kappa, weights are quantised without them */
    uint32_t kappa_bits;  /* of the largest kappa, sign included, 7 to 24; fewer where 32 bits need that */
    bool equalise;        /* match weight ranges across layers first */
    bool keep_bias;       /* no bias correction */
    bool floor_pools; /* average pools and additions round down, as NEMO writes them, not to the nearest */
    bool nearest;     /* round each weight to the nearest, not for the smallest error of the layer */
} ts_quant_options;

/* Eight bits, a quantum a channel, MSE ranges, batch norms folded, kappas of 12 bits, bias correction,
 * error-feedback rounding. */
ts_quant_options ts_quant_defaults(void);

/* The grid of a value (0: input, i + 1: output of layer i) and what it costs. */
typedef struct ts_qvalue {
    bool exact; /* input: bytes on their own grid, which nothing is lost on */
    bool raw;   /* 32-bit accumulators: no grid of its own; `scale` is the accumulator's quantum */
    ts_type type;
    double scale;
    int32_t bottom, top;        /* ends of the grid */
    int32_t low, high;          /* clip */
    double seen_low, seen_high; /* on the calibration set */
    double clipped;             /* share of calibration values beyond the grid */
    double snr_db;              /* quantised against float, on the calibration set */
} ts_qvalue;

typedef struct ts_qweights {
    uint32_t bits;
    ts__grid grid;
    int8_t *values;       /* as ts_qlayer.weights */
    int16_t *wide_values; /* the same of more than 8 bits, which PaQ alone has (prune/power.h) */
    double *scale;        /* one an output channel; negative where a kept batch norm turns the sign */
    double *bias;         /* real, corrected; per output channel */
    double snr_db;
    int64_t *kappa, *lambda; /* AFFINE, CONV, LINEAR but the raw ones: y = floor((kappa acc + lambda) / d) */
    int32_t *integer_bias;   /* raw ones */
    int64_t m[2];            /* ADD: factors; AVG_POOL, MUL: m[0] */
    int8_t *table;           /* LUT: by element less the lowest of the input's type, stored as its bits */
    int64_t term;            /* AVG_POOL: y = floor((sum + term) m / d); ADD, MUL alike */
    bool matched;            /* ADD, MUL, AVG_POOL: the quanta were moved so that m / d is exact */
    int64_t d;
    double half; /* real; added to the bias so that the addition behind it rounds to nearest */
    bool wide;   /* kappa acc + lambda may pass 32 bits */
} ts_qweights;

typedef struct ts_quant {
    const ts_qnet *net;
    ts_quant_options options;
    ts_qvalue *values;   /* layers + 1 */
    ts_qweights *layers; /* layers */
    ts_widths *widths;   /* layers */
    uint32_t *roots; /* by value: the first value with the same grid, which it shares; its own number else */
    bool exact_sums; /* all quanta are powers of two: stage FQ computes the integers' sums (num/exact.h) */
    bool exact_weights; /* stage FQ has the net's weights and biases: while ranges are searched, or where
                         * they are on their grids already */
} ts_quant;

/* Calibrates on all samples of `calibration` and quantises. The net's weights may be changed (equalised). */
ts_status ts_quantize(ts_arena *arena, ts_qnet *net, const ts_data *calibration,
                      const ts_quant_options *options, const ts_progress *progress, ts_quant **out,
                      ts_diags *diags);

/* Where somebody moved steps of values, integers or quanta of weights, or biases: finds the clips, kappa,
 * lambda, D and factors that belong to them. Quanta of weights move by under 1/32 to those that kappa admits.
 */
ts_status ts_quant_settle(ts_quant *quant, ts_diags *diags);

typedef enum ts_quant_stage { TS_STAGE_FP, TS_STAGE_FQ, TS_STAGE_QD, TS_STAGE_ID } ts_quant_stage;

const char *ts_quant_stage_name(ts_quant_stage stage);

/* The network at stage FP, FQ or QD as a float graph. `quant` may be NULL for FP. */
ts_status ts_quant_float(ts_arena *arena, const ts_qnet *net, const ts_quant *quant, ts_quant_stage stage,
                         ts_fgraph **out, ts_diags *diags);

/* The network at stage FQ or QD to be evaluated: the same function, but each sum of products goes through a
 * REQUANT, which finds its integer again. In a plain float graph the 24 bits of a float put about one value
 * in 30,000 on the other side of a step, and every hundredth sample's nearly equal outputs change places by
 * it. What QD says here is the integer network's output to the last bit. */
ts_status ts_quant_emulate(ts_arena *arena, const ts_quant *quant, ts_quant_stage stage, ts_fgraph **out,
                           ts_diags *diags);

/* Stage FQ in the form that ONNX calls QDQ: weights and biases are integers behind a DEQUANT, and a
 * FAKE_QUANT stands behind the input and every layer but the raw ones. An error with `floor_pools`. */
ts_status ts_quant_qdq(ts_arena *arena, const ts_quant *quant, ts_fgraph **out, ts_diags *diags);

/* The float network with one value alone on its grid (0: the input; i + 1: weights and output of layer i):
 * what this one costs. */
ts_status ts_quant_blame(ts_arena *arena, const ts_quant *quant, uint32_t value, ts_fgraph **out,
                         ts_diags *diags);

/* The largest error of a layer's requantisation in steps of its result, over every input on its grid: of the
 * factors and terms as integers, and of the rounding, which is half a step. 0 where nothing is requantised.
 */
double ts_quant_error(const ts_quant *quant, uint32_t layer);

/* The network at stage ID, verified. */
ts_status ts_quant_integer(ts_arena *arena, const ts_quant *quant, ts_graph **out, ts_diags *diags);

#endif
