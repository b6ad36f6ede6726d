/* Precision relaxation: bits stepped down layer by layer while the accuracy allows, alternating with
 * retraining.
 *
 * As in NEMO's deployment flow (Conti 2020, "Technical report: NEMO DNN quantization for deployment model",
 * section on relaxation), but under a bound of accuracy: a round steps every layer down that bears it
 * untrained, the network is fine-tuned, and a round that ends below the bound is taken back and tried with
 * the half of its steps that cost least. A step that fails alone stays where it is. */
#ifndef TS_TRAIN_RELAX_H
#define TS_TRAIN_RELAX_H

#include "base/text.h"
#include "train/finetune.h"

typedef struct ts_relax_options {
    ts_quant_options quant;       /* widths are where it starts; NULL: 8 and 8 */
    ts_finetune_options finetune; /* of each round */
    double bound;                 /* share of right answers that may be lost against the float network */
    ts_widths least;              /* where stepping down ends */
    uint32_t rounds;              /* at most */
} ts_relax_options;

/* Bound of a point, down to 2 and 2 bits, two epochs a round, 12 rounds. */
ts_relax_options ts_relax_defaults(void);

/* A round: what was stepped down, how good that was before and after training, and whether it stayed. */
typedef struct ts_relax_round {
    ts_widths *widths;    /* one a layer, as they were tried */
    uint32_t steps;       /* numbers stepped down, against the last round that was kept */
    double before, after; /* share of right answers on the samples to judge by */
    uint64_t weight_bits; /* of all weights together */
    bool kept;
} ts_relax_round;

typedef struct ts_relax_trace {
    const ts_qnet *net;
    double exact, floor; /* of the float network; and the least that a round may have */
    ts_widths *start;
    TS_VEC(ts_relax_round) rounds; /* the first: no step, trained at the start's widths */
} ts_relax_trace;

/* Relaxes `net`: `*out` is its quantised form after the last round kept. The net's floats change on the way
 * and are as before at the end. Every fifth sample of `data` is kept from training and judges. Errors: those
 * of ts_quantize() and ts_quant_finetune(); a network that falls below the bound at the widths that it starts
 * with. */
ts_status ts_relax(ts_arena *arena, ts_qnet *net, const ts_data *calibration, const ts_data *data,
                   const ts_relax_options *options, const ts_progress *progress, ts_relax_trace *trace,
                   ts_quant **out, ts_diags *diags);

/* Appends the trace as an SVG picture: accuracy over rounds with its bound, and below the bits of each layer.
 */
void ts_relax_picture(ts_text *out, const ts_relax_trace *trace);

#endif
