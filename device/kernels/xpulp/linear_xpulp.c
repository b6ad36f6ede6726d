/* Linear layers of 8-bit activations, 8 channels a pass. Weights are packed as for the 4x4 convolution
 * (conv_block.h); cores share groups of 4 channels. */
#include "kernels/xpulp/xpulp.h"

enum { LINEAR_CHANNELS = 4 };

typedef void linear_dots(const void *x, const uint8_t *w0, const uint8_t *w1, uint32_t words, int32_t *acc);

linear_dots linear_pair_u8, linear_one_u8, linear_pair_s8, linear_one_s8;

/* Requantises and stores the channels of one group. */
static void finish(const struct ts_conv_tile *t, uint32_t group, const uint8_t *params, const int32_t *acc) {
    uint32_t params_bytes = ref_params_bytes(t->rq.kind), channel = group * LINEAR_CHANNELS;
    const struct xpulp_requant requant = xpulp_requant_of(&t->rq);
    uint32_t left = (uint32_t)t->y_c - channel, count = left < LINEAR_CHANNELS ? left : LINEAR_CHANNELS;
    for (uint32_t c = 0; c < count; c++, params += params_bytes) {
        const int32_t *words = (const int32_t *)(const void *)params;
        if (t->rq.kind == TS_RQ_NONE) {
            ((int32_t *)t->y)[channel + c] = acc[c] + words[0];
        } else {
            ref_put(t->y, channel + c, t->y_type, xpulp_requant(&requant, words, acc[c]));
        }
    }
}

static inline void linear(const struct ts_conv_tile *t, linear_dots *pair, linear_dots *one) {
    uint32_t words = (t->x_c + 3u) / 4u, weight_bytes;
    words = words < 2u ? 2u : words;
    weight_bytes = words * 4u * LINEAR_CHANNELS;
    uint32_t group_bytes = weight_bytes + ref_params_bytes(t->rq.kind) * LINEAR_CHANNELS;
    struct ref_share share = ref_share((t->y_c + LINEAR_CHANNELS - 1u) / LINEAR_CHANNELS);
    int32_t acc[2 * LINEAR_CHANNELS];
    const uint8_t *w = (const uint8_t *)t->w + share.begin * group_bytes;
    uint32_t group = share.begin;
    for (; group + 1u < share.end; group += 2u, w += 2u * group_bytes) {
        pair(t->x, w, w + group_bytes, words, acc);
        finish(t, group, w + weight_bytes, acc);
        finish(t, group + 1u, w + group_bytes + weight_bytes, acc + LINEAR_CHANNELS);
    }
    if (group < share.end) {
        one(t->x, w, w, words, acc);
        finish(t, group, w + weight_bytes, acc);
    }
}

void linear_xpulp_u8s8(const struct ts_conv_tile *tile) { linear(tile, linear_pair_u8, linear_one_u8); }

void linear_xpulp_s8s8(const struct ts_conv_tile *tile) { linear(tile, linear_pair_s8, linear_one_s8); }
