/* What the rows of the xpulp kernels share (kernel_xpulp.c, kernel_xpulp_dw.c). */
#ifndef TS_PLAN_KERNEL_XPULP_H
#define TS_PLAN_KERNEL_XPULP_H

#include "plan/kernel.h"
#include "plan/kernel_pack.h"

/* Parts of so many channels, their heads and records (device/kernels/xpulp/excess.h), in bytes. */
enum { EXCESS_CHANNELS = 32, EXCESS_HEAD = 12, EXCESS_BYTES = 8 };

static inline uint64_t div_up(uint64_t a, uint64_t b) { return (a + b - 1) / b; }

static inline bool is_narrow(ts_type type) { return type == TS_S8 || type == TS_S4 || type == TS_S2; }

static inline bool is_wide(const ts_layer *layer) { return layer->x.type == TS_S16; }

/* Weights of 16 bits: words of high bytes, then words of low ones (device/kernels/xpulp/conv_xpulp_s16s16.c).
 * Their four sums stay within 32 bits. */
static inline bool has_halves(const ts_layer *layer) {
    return layer->weights != NULL && layer->weights->type == TS_S16;
}

/* Can x_zero be folded into the parameters? Not where the accumulator itself is clipped. */
static inline bool folds_zero(const ts_layer *layer) {
    ts_rq_class class_ = layer->rq.class_;
    return layer->x.zero == 0 || (class_ != TS_RQC_S32C && class_ != TS_RQC_S32DC && class_ != TS_RQC_S32RC);
}

static inline bool is_full_u8(const ts_layer *layer) {
    return layer->y.type == TS_U8 && layer->rq.low == 0 && layer->rq.high == 255;
}

static inline uint64_t no_scratch(const ts_layer *layer, const ts_tile *tile, uint32_t cores) {
    (void)layer, (void)tile, (void)cores;
    return 0;
}

/* S32 and S32C are packed with k - 1: a + a * (k - 1) takes one instruction and no second register. Else as
 * ts__pack_params(). */
void ts__pack_xpulp_params(const ts_layer *layer, uint32_t channel, int64_t offset, uint8_t *out);

/* Do the routines contain the requantisation? Otherwise C computes it (device/kernels/xpulp/xpulp.h). */
bool ts__requantises_in_line(const ts_layer *layer);

/* Do outputs take instructions that clip them to their bounds? */
bool ts__has_odd_bounds(const ts_layer *layer);

/* Modelled cycles of what a dense convolution's accumulators of 16 outputs become. */
double ts__conv_requant_cycles(const ts_layer *layer);

/* Modelled cycles of turning x of less than 8 bits to bytes and such a y back; cores take whole rows. */
double ts__turn_cycles(const ts_layer *layer, const ts_tile *tile, uint32_t cores);

/* Weights of 9 bits: has the layer some that the kernels for bytes and a second sum compute? */
bool ts__has_excess(const ts_layer *layer);

/* Bytes of the records of channels [from, to). */
uint64_t ts__excess_record_bytes(const ts_layer *layer, uint32_t from, uint32_t to);

/* Writes the head of a part of channels [first, end) and its records, around the `kernel_bytes` that the
 * kernel for bytes reads. */
void ts__excess_pack_part(const ts_layer *layer, uint32_t first, uint32_t end, uint64_t kernel_bytes,
                          uint64_t part_bytes, uint8_t *out);

/* Modelled cycles of the channels that are computed again, a tile having its share of the layer's. */
double ts__excess_cycles(const ts_layer *layer, const ts_tile *tile, uint32_t cores);

#endif
