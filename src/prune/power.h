/* Quantisation of PaQ: one bit width for all tensors, symmetric, every quantum a power of two.
 *
 * A requantisation is then a shift: y = clip((acc + b + 2^(s-1)) >> s). The float network that emulates it,
 * ts_quant_float() at stage FQ, computes the same numbers as the integer network bit for bit, trained or
 * evaluated, at every width: its sums are exact (num/exact.h). ts_power_compare() looks.
 *
 * Beyond 8 bits tensors are s16, never u16: what a rectifier makes has 15 bits of 16.
 *
 * Source: Grimaldi et al. 2019 (see prune/prune.h), section on quantisation. */
#ifndef TS_PRUNE_POWER_H
#define TS_PRUNE_POWER_H

#include "quant/quantize.h"
#include "train/train.h"

enum { TS_POWER_LEAST_BITS = 2, TS_POWER_MOST_BITS = 16 };

/* An error that names the layer where a network has one without a form of this kind. */
ts_status ts_power_serves(const ts_qnet *net, ts_diags *diags);

/* Chooses the quantum of each activation and each layer's weights for the least square error on the
 * calibration set, and quantises. The weights and biases of `net` become what their integers mean. */
ts_status ts_power_quantize(ts_arena *arena, ts_qnet *net, const ts_data *calibration, uint32_t bits,
                            ts_quant **out, ts_diags *diags);

/* Trains the integers: the forward pass is the integer network's, gradients are float and go straight through
 * the roundings, and after each epoch but the last the float weights are rounded at random to one of their
 * two neighbours on the grid. Quanta stay. `options->teacher` may be NULL. */
ts_status ts_power_train(ts_quant *quant, const ts_data *data, uint32_t batch,
                         const ts_train_options *options, const ts_progress *progress,
                         const ts_train_log *log, ts_diags *diags);

/* The integers as they are now, in `arena`, and again. */
typedef struct ts_power_state ts_power_state;
const ts_power_state *ts_power_save(ts_arena *arena, const ts_quant *quant);
void ts_power_restore(ts_quant *quant, const ts_power_state *state);

/* Share of samples that the emulated network classifies as their labels say. */
ts_status ts_power_accuracy(const ts_quant *quant, const ts_data *data, double *out, ts_diags *diags);

/* What ts_power_compare() found. */
typedef struct ts_power_match {
    uint64_t outputs, different;
} ts_power_match;

/* Computes samples on the integer network, on the emulated one in plain C and, where this build trains, by
 * the forward pass of training, and counts the outputs in which one of these differs from the integers. */
ts_status ts_power_compare(const ts_quant *quant, const ts_graph *integer, const ts_data *data,
                           uint32_t samples, ts_power_match *out, ts_diags *diags);

#endif
