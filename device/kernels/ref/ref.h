/* What the ref kernels share: elements of any width, requantisation, and the share of a core.
 *
 * Packed weights of a ref kernel: one record an output channel, each 4-byte aligned:
 *   requantisation parameters of that channel (tile.h, enum ts_rq), then its weights in the order
 *   k_h, k_w, input channel of the group, w_type elements packed without gaps, filled up to 4 bytes. */
#ifndef TS_KERNELS_REF_H
#define TS_KERNELS_REF_H

#include "hal/team.h"
#include "kernels/tile.h"

static inline uint32_t ref_bits(uint8_t type) {
    static const uint8_t bits[] = {8, 8, 4, 4, 2, 2, 16, 32, 32};
    return bits[type];
}

/* The lowest value of a type. */
static inline int32_t ref_low(uint8_t type) {
    static const int32_t low[] = {0, -128, 0, -8, 0, -2, INT16_MIN, INT32_MIN};
    return low[type];
}

/* Element `i` of a packed array. */
static inline int32_t ref_get(const void *base, uint32_t i, uint8_t type) {
    const uint8_t *byte = (const uint8_t *)base;
    switch (type) {
        case TS_ELEM_U8:
            return byte[i];
        case TS_ELEM_S8:
            return ((const int8_t *)base)[i];
        case TS_ELEM_U4:
            return (byte[i >> 1] >> ((i & 1u) * 4u)) & 15;
        case TS_ELEM_S4:
            return (int8_t)(uint8_t)(byte[i >> 1] << (4u - (i & 1u) * 4u)) >> 4;
        case TS_ELEM_U2:
            return (byte[i >> 2] >> ((i & 3u) * 2u)) & 3;
        case TS_ELEM_S2:
            return (int8_t)(uint8_t)(byte[i >> 2] << (6u - (i & 3u) * 2u)) >> 6;
        case TS_ELEM_S16:
            return ((const int16_t *)base)[i];
        default:
            return ((const int32_t *)base)[i];
    }
}

static inline void ref_put_bits(uint8_t *byte, uint32_t shift, uint32_t mask, int32_t value) {
    *byte = (uint8_t)((*byte & ~(mask << shift)) | (((uint32_t)value & mask) << shift));
}

static inline void ref_put(void *base, uint32_t i, uint8_t type, int32_t value) {
    uint8_t *byte = (uint8_t *)base;
    switch (type) {
        case TS_ELEM_U8:
        case TS_ELEM_S8:
            byte[i] = (uint8_t)value;
            break;
        case TS_ELEM_U4:
        case TS_ELEM_S4:
            ref_put_bits(&byte[i >> 1], (i & 1u) * 4u, 15u, value);
            break;
        case TS_ELEM_U2:
        case TS_ELEM_S2:
            ref_put_bits(&byte[i >> 2], (i & 3u) * 2u, 3u, value);
            break;
        case TS_ELEM_S16:
            ((int16_t *)base)[i] = (int16_t)value;
            break;
        default:
            ((int32_t *)base)[i] = value;
            break;
    }
}

/* Bytes of one channel's requantisation parameters. */
static inline uint32_t ref_params_bytes(uint8_t kind) {
    static const uint8_t words[] = {1, 2, 2, 4, 3, 4, 4, 5, 5};
    return words[kind] * 4u;
}

static inline int32_t ref_clip(int32_t value, int32_t low, int32_t high) {
    return value < low ? low : value > high ? high : value;
}

static inline int32_t ref_clip64(int64_t value, int32_t low, int32_t high) {
    return value < low ? low : value > high ? high : (int32_t)value;
}

/* Sums that may wrap on the way to a result that is in range. */
static inline int32_t ref_wrap_mac(int32_t acc, int32_t a, int32_t b) {
    return (int32_t)((uint32_t)acc + (uint32_t)a * (uint32_t)b);
}

static inline int64_t ref_floor_div(int64_t n, int64_t d) {
    int64_t q = n / d;
    return q * d > n ? q - 1 : q;
}

/* The 64-bit value of two words, low word first: parameters are 4-byte aligned only. */
static inline int64_t ref_word_pair(const int32_t *words) {
    return (int64_t)((uint64_t)(uint32_t)words[0] | (uint64_t)(uint32_t)words[1] << 32);
}

/* SaturatingRoundingDoublingHighMul and RoundingDivideByPOT of TensorFlow Lite's reference kernels;
 * multipliers are not negative. */
static inline int32_t ref_tflite(int32_t acc, int32_t multiplier, int32_t shift) {
    int32_t right = shift > 0 ? 0 : -shift, a = acc;
    if (shift > 0) {
        a = ref_clip64((int64_t)((uint64_t)(int64_t)acc << shift), INT32_MIN, INT32_MAX);
    }
    int32_t high = (int32_t)(((int64_t)a * multiplier + (1 << 30)) >> 31);
    int32_t mask = (int32_t)(((uint32_t)1 << right) - 1u);
    int32_t threshold = (mask >> 1) + (high < 0);
    return (high >> right) + ((high & mask) > threshold);
}

/* S64's result of an accumulator of 64 bits. */
static inline int32_t ref_requant_wide(const struct ts_rq_args *rq, const int32_t *params, int64_t acc) {
    int64_t k = ref_word_pair(params), l = ref_word_pair(params + 2);
    int64_t t = (int64_t)((uint64_t)k * (uint64_t)acc + (uint64_t)l);
    return ref_clip64(rq->div_is_pow2 ? t >> rq->shift : ref_floor_div(t, rq->div), rq->low, rq->high);
}

/* The output that the accumulator of a channel becomes; `params` are that channel's. */
static inline int32_t ref_requant(const struct ts_rq_args *rq, const int32_t *params, int32_t acc) {
    switch (rq->kind) {
        case TS_RQ_NONE:
            return ref_wrap_mac(acc, params[0], 1);
        case TS_RQ_S32:
            return ref_clip(ref_wrap_mac(params[1], acc, params[0]) >> rq->shift, rq->low, rq->high);
        case TS_RQ_S32C:
            acc = ref_clip(acc, rq->acc_low, rq->acc_high);
            return ref_clip(ref_wrap_mac(params[1], acc, params[0]) >> rq->shift, rq->low, rq->high);
        case TS_RQ_S32D:
        case TS_RQ_S32DC: {
            acc = rq->kind == TS_RQ_S32DC ? ref_clip(acc, rq->acc_low, rq->acc_high) : acc;
            int32_t low = ref_wrap_mac(params[3], acc, params[2]) >> rq->split;
            int32_t sum = ref_wrap_mac(ref_wrap_mac(low, acc, params[0]), 1, params[1]);
            return ref_clip(sum >> (params[3] & 31), rq->low, rq->high);
        }
        case TS_RQ_S32R:
        case TS_RQ_S32RC: {
            acc = rq->kind == TS_RQ_S32RC ? ref_clip(acc, rq->acc_low, rq->acc_high) : acc;
            int32_t low = ref_wrap_mac(params[3], acc, params[2]) >> rq->split;
            int32_t h = ref_wrap_mac(ref_wrap_mac(low, acc, params[0]), 1, params[1]) >> rq->shift;
            return ref_clip((h - (h < params[4])) >> (params[3] & 31), rq->low, rq->high);
        }
        case TS_RQ_S64:
            return ref_requant_wide(rq, params, acc);
        default: {
            int32_t high = ref_tflite(ref_wrap_mac(acc, params[0], 1), params[1], params[2]);
            /* Bounds less the zero point: the sum of high and zero might leave 32 bits. */
            return ref_clip(high, rq->low - rq->zero, rq->high - rq->zero) + rq->zero;
        }
    }
}

/* This core's part [begin, end) of `count` equal pieces of work. */
struct ref_share {
    uint32_t begin, end;
};

static inline struct ref_share ref_share(uint32_t count) {
    uint32_t core = ts_core(), cores = ts_cores(), each = count / cores, rest = count % cores;
    uint32_t begin = core * each + (core < rest ? core : rest);
    return (struct ref_share){begin, begin + each + (core < rest ? 1u : 0u)};
}

/* Output channels are dealt in fours: sub-byte outputs of different cores never share a byte. */
enum { REF_CHANNELS = 4 };

/* Where window position (ky, kx) of output (oy, ox) lies in x; NULL outside of it. */
static inline const uint8_t *ref_pixel(const struct ts_conv_tile *t, uint32_t oy, uint32_t ox, uint32_t ky,
                                       uint32_t kx) {
    int32_t row = (int32_t)(oy * t->stride_h + ky * t->dilation_h) - t->pad_top;
    int32_t column = (int32_t)(ox * t->stride_w + kx * t->dilation_w) - t->pad_left;
    if (row < 0 || row >= t->x_h || column < 0 || column >= t->x_w) {
        return 0;
    }
    uint32_t pixel_bytes = (t->x_c * ref_bits(t->x_type) + 7u) / 8u;
    return (const uint8_t *)t->x + (uint32_t)row * t->x_row_bytes + (uint32_t)column * pixel_bytes;
}

/* Calls `channel` for every output element of this core's share: its value is what it returns. */
typedef int32_t ref_channel_fn(const struct ts_conv_tile *t, uint32_t oy, uint32_t ox, uint32_t oc);

static inline void ref_each_output(const struct ts_conv_tile *t, ref_channel_fn *channel) {
    uint32_t blocks = (t->y_c + REF_CHANNELS - 1u) / REF_CHANNELS;
    struct ref_share share = ref_share(t->y_h * t->y_w * blocks);
    for (uint32_t i = share.begin; i < share.end; i++) {
        uint32_t pixel = i / blocks, oc = i % blocks * REF_CHANNELS;
        uint32_t oy = pixel / t->y_w, ox = pixel % t->y_w;
        uint8_t *y = (uint8_t *)t->y + oy * t->y_row_bytes + ox * t->y_pixel_bytes;
        for (uint32_t end = oc + REF_CHANNELS; oc < end && oc < t->y_c; oc++) {
            ref_put(y, oc, t->y_type, channel(t, oy, ox, oc));
        }
    }
}

#endif
