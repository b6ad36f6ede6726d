/* Additions and bare requantisations of 16-bit values. The three steps of an addition are one line here:
 * y = clip((a ka + b kb + l) >> shift), nothing of which passes 32 bits (src/plan/kernel_armv7em_s16.c). */
#include "kernels/armv7em/halves.h"
#include "kernels/kernels.h"

void add_armv7em_s16(const struct ts_add_tile *t) {
    const int32_t *params = (const int32_t *)t->rq_params;
    const uint32_t factors = (uint32_t)params[0];
    const int32_t l = params[1], low = params[3], high = params[4];
    const uint32_t shift = (uint32_t)params[2];
    const int16_t *a = (const int16_t *)t->a, *b = (const int16_t *)t->b;
    int16_t *y = (int16_t *)t->y;
    for (uint32_t i = 0; i < t->count; i++) {
        int32_t v = armv7em_smlad(armv7em_halves(a[i], b[i]), factors, l) >> shift;
        y[i] = (int16_t)(v < low ? low : v > high ? high : v);
    }
}

void requant_armv7em_s16(const struct ts_add_tile *t) {
    uint32_t words = armv7em_rq_words(&t->rq);
    const int32_t grain = armv7em_rq_of(&t->rq) == ARMV7EM_LINE ? ARMV7EM_GRAIN : 1;
    const int16_t *a = (const int16_t *)t->a;
    int16_t *y = (int16_t *)t->y;
    for (uint32_t i = 0; i < t->count; i += t->channels) {
        const int32_t *w = (const int32_t *)t->rq_params;
        for (uint32_t c = 0; c < t->channels; c++, w += words) {
            y[i + c] = (int16_t)armv7em_requant(&t->rq, w, a[i + c] * grain);
        }
    }
}
