/* Helpers of the packers: requantisation parameters and sub-byte elements as device/kernels/tile.h states
 * them. Little-endian, whatever the host. */
#ifndef TS_PLAN_KERNEL_PACK_H
#define TS_PLAN_KERNEL_PACK_H

#include "plan/layer.h"

/* Bytes of one channel's requantisation parameters. */
static inline uint32_t ts__params_bytes(const ts_rq_plan *rq) {
    static const uint8_t bytes[] = {4, 8, 8, 16, 12, 16, 16, 20, 20};
    return bytes[rq->class_];
}

static inline void ts__pack_word(uint8_t *out, uint32_t value) {
    for (uint32_t i = 0; i < 4; i++) {
        out[i] = (uint8_t)(value >> (8 * i));
    }
}

static inline void ts__pack_double_word(uint8_t *out, int64_t value) {
    ts__pack_word(out, (uint32_t)(uint64_t)value);
    ts__pack_word(out + 4, (uint32_t)((uint64_t)value >> 32));
}

/* Writes the parameters of a channel for a kernel whose accumulator is the layer's less `offset` (a zero
 * point that the kernel leaves out), which S32C, S32DC and S32RC do not admit unless it is 0. A plan may have
 * one pair for all channels. */
static inline void ts__pack_params(const ts_rq_plan *rq, uint32_t channel, int64_t offset, uint8_t *out) {
    uint32_t c = rq->channels == 1 ? 0 : channel;
    int64_t l = rq->l != NULL ? rq->l[c] : 0;
    switch (rq->class_) {
        case TS_RQC_NONE:
            ts__pack_word(out, (uint32_t)(l + offset));
            break;
        case TS_RQC_S32:
        case TS_RQC_S32C:
            ts__pack_word(out, (uint32_t)rq->k[c]);
            ts__pack_word(out + 4, (uint32_t)(l + rq->k[c] * offset));
            break;
        case TS_RQC_S64:
            ts__pack_double_word(out, rq->k[c]);
            ts__pack_double_word(out + 8, l + rq->k[c] * offset);
            break;
        case TS_RQC_S32D:
        case TS_RQC_S32DC:
        case TS_RQC_S32R:
        case TS_RQC_S32RC:
            l = ts__rq_wide_offset(rq, c, offset);
            ts__pack_word(out, (uint32_t)(uint64_t)ts__rq_high(rq->k[c], rq->split));
            ts__pack_word(out + 4, (uint32_t)(uint64_t)(l >> rq->split));
            ts__pack_word(out + 8, (uint32_t)(uint64_t)ts__rq_low(rq->k[c], rq->split));
            ts__pack_word(out + 12, (uint32_t)(uint64_t)l & ((1u << rq->split) - 1u));
            if (rq->class_ == TS_RQC_S32R || rq->class_ == TS_RQC_S32RC) {
                ts__pack_word(out + 16, (uint32_t)rq->middle[c]);
            }
            break;
        case TS_RQC_TFLITE:
            ts__pack_word(out, (uint32_t)(l + offset));
            ts__pack_word(out + 4, (uint32_t)rq->k[c]);
            ts__pack_word(out + 8, (uint32_t)rq->tflite_shift[c]);
            break;
    }
}

/* Weights of kernels that have none: one record of requantisation parameters a channel, or nothing where the
 * layer has no requantisation (kernel_ref.c). */
uint64_t ts__params_weight_bytes(const ts_layer *layer, uint32_t channels);
void ts__params_pack(const ts_layer *layer, uint8_t *out);

/* Bare requantisations of bytes, the same in all channels, as a table of 256 bytes by the bits of x. */
bool ts__requant_table_serves(const ts_layer *layer);
uint64_t ts__requant_table_bytes(const ts_layer *layer, uint32_t channels);
void ts__requant_table_pack(const ts_layer *layer, uint8_t *out);

/* Tables of LUT layers, by the bits of an element of x. */
uint64_t ts__lut_weight_bytes(const ts_layer *layer, uint32_t channels);
void ts__lut_pack(const ts_layer *layer, uint8_t *out);

/* ORs element `i` of `bits` bits into an array that was zero. */
static inline void ts__pack_bits(uint8_t *out, uint64_t i, uint32_t bits, int32_t value) {
    if (bits >= 8) {
        for (uint32_t b = 0; b < bits / 8; b++) {
            out[i * (bits / 8) + b] = (uint8_t)((uint32_t)value >> (8 * b));
        }
        return;
    }
    uint32_t mask = (1u << bits) - 1u, at = (uint32_t)(i * bits % 8);
    out[i * bits / 8] = (uint8_t)(out[i * bits / 8] | ((uint32_t)value & mask) << at);
}

#endif
