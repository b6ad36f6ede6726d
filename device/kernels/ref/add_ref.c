/* Element-wise addition with its three steps and the requantisation behind it; without b the requantisation
 * alone. Pixels of `channels` elements begin on a byte. */
#include "kernels/kernels.h"
#include "kernels/ref/ref.h"

enum { NO_SHIFT = 64 };

/* Divisors that are powers of two as shifts, of in1, in2 and sum: 64-bit divisions are calls of a library. */
struct add_shifts {
    uint32_t in1, in2, sum;
};

static uint32_t shift_of(int64_t div) {
    uint32_t shift = 0;
    while (shift < NO_SHIFT - 2 && (int64_t)1 << shift < div) {
        shift++;
    }
    return (int64_t)1 << shift == div ? shift : NO_SHIFT;
}

static int32_t add_step(const struct ts_add_step_args *step, uint32_t shift, int32_t value) {
    int64_t t = value * step->mul + step->add;
    return ref_clip64(shift == NO_SHIFT ? ref_floor_div(t, step->div) : t >> shift, step->low, step->high);
}

static const uint8_t *pixel_of(const void *base, uint32_t pixel, uint32_t channels, uint8_t type) {
    return (const uint8_t *)base + pixel * ((channels * ref_bits(type) + 7u) / 8u);
}

static int32_t add_element(const struct ts_add_tile *t, const struct add_shifts *s, uint32_t pixel,
                           uint32_t channel) {
    int32_t value = ref_get(pixel_of(t->a, pixel, t->channels, t->a_type), channel, t->a_type);
    if (t->b != 0) {
        int32_t other = ref_get(pixel_of(t->b, pixel, t->channels, t->b_type), channel, t->b_type);
        value = add_step(&t->in1, s->in1, value) + add_step(&t->in2, s->in2, other);
        value = add_step(&t->sum, s->sum, value);
    }
    if (t->rq.kind == TS_RQ_NONE) {
        return value;
    }
    uint32_t params_bytes = t->rq_channels == 1 ? 0 : channel * ref_params_bytes(t->rq.kind);
    const uint8_t *params = (const uint8_t *)t->rq_params + params_bytes;
    return ref_requant(&t->rq, (const int32_t *)(const void *)params, value);
}

void add_ref(const struct ts_add_tile *tile) {
    uint32_t blocks = (tile->channels + REF_CHANNELS - 1u) / REF_CHANNELS;
    const struct add_shifts shifts = {shift_of(tile->in1.div), shift_of(tile->in2.div),
                                      shift_of(tile->sum.div)};
    struct ref_share share = ref_share(tile->count / tile->channels * blocks);
    for (uint32_t i = share.begin; i < share.end; i++) {
        uint32_t pixel = i / blocks, channel = i % blocks * REF_CHANNELS;
        uint8_t *y = (uint8_t *)tile->y + pixel * ((tile->channels * ref_bits(tile->y_type) + 7u) / 8u);
        for (uint32_t end = channel + REF_CHANNELS; channel < end && channel < tile->channels; channel++) {
            ref_put(y, channel, tile->y_type, add_element(tile, &shifts, pixel, channel));
        }
    }
}
