/* Element-wise product of two steps each of one input, and its requantisation. Pixels of `channels` elements
 * begin on a byte. */
#include "kernels/kernels.h"
#include "kernels/ref/ref.h"

static const uint8_t *pixel_of(const void *base, uint32_t pixel, uint32_t channels, uint8_t type) {
    return (const uint8_t *)base + pixel * ((channels * ref_bits(type) + 7u) / 8u);
}

/* in1 and in2 take the zero points away: mul and div are 1. */
static int32_t product(const struct ts_add_tile *t, uint32_t pixel, uint32_t channel) {
    int32_t a = ref_get(pixel_of(t->a, pixel, t->channels, t->a_type), channel, t->a_type);
    int32_t b = ref_get(pixel_of(t->b, pixel, t->channels, t->b_type), channel, t->b_type);
    int32_t value = (a + (int32_t)t->in1.add) * (b + (int32_t)t->in2.add);
    if (t->rq.kind == TS_RQ_NONE) {
        return value;
    }
    uint32_t params_bytes = t->rq_channels == 1 ? 0 : channel * ref_params_bytes(t->rq.kind);
    const uint8_t *params = (const uint8_t *)t->rq_params + params_bytes;
    return ref_requant(&t->rq, (const int32_t *)(const void *)params, value);
}

void mul_ref(const struct ts_add_tile *tile) {
    uint32_t blocks = (tile->channels + REF_CHANNELS - 1u) / REF_CHANNELS;
    struct ref_share share = ref_share(tile->count / tile->channels * blocks);
    for (uint32_t i = share.begin; i < share.end; i++) {
        uint32_t pixel = i / blocks, channel = i % blocks * REF_CHANNELS;
        uint8_t *y = (uint8_t *)tile->y + pixel * ((tile->channels * ref_bits(tile->y_type) + 7u) / 8u);
        for (uint32_t end = channel + REF_CHANNELS; channel < end && channel < tile->channels; channel++) {
            ref_put(y, channel, tile->y_type, product(tile, pixel, channel));
        }
    }
}
