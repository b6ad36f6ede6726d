/* Pooling of 16-bit values, two channels at a time. */
#include "kernels/armv7em/halves.h"
#include "kernels/kernels.h"

static inline uint32_t greater(uint32_t a, uint32_t b) {
    uint32_t out;
    __asm__("ssub16 %0, %1, %2 \n sel %0, %1, %2" : "=&r"(out) : "r"(a), "r"(b) : "cc");
    return out;
}

static void max_pixel(const struct armv7em_part *p, int16_t *y, uint32_t channels) {
    uint32_t c = 0;
    for (; c + 2 <= channels; c += 2) {
        uint32_t most = 0x80008000u;
        for (int32_t r = 0; r < p->rows; r++) {
            const int16_t *x = p->x + c + (uint32_t)r * p->row_step;
            for (int32_t i = 0; i < p->columns; i++, x += p->column_step) {
                most = greater(most, armv7em_load((const uint8_t *)x));
            }
        }
        armv7em_store(y + c, most);
    }
    if (c < channels) {
        int16_t most = INT16_MIN;
        for (int32_t r = 0; r < p->rows; r++) {
            const int16_t *x = p->x + c + (uint32_t)r * p->row_step;
            for (int32_t i = 0; i < p->columns; i++, x += p->column_step) {
                most = *x > most ? *x : most;
            }
        }
        y[c] = most;
    }
}

static inline int16_t *pixel_of(const struct ts_conv_tile *t, uint32_t oy, uint32_t ox) {
    return (int16_t *)((uint8_t *)t->y + oy * t->y_row_bytes + ox * t->y_pixel_bytes);
}

void max_pool_armv7em_s16(const struct ts_conv_tile *t) {
    for (uint32_t oy = 0; oy < t->y_h; oy++) {
        for (uint32_t ox = 0; ox < t->y_w; ox++) {
            const struct armv7em_part p = armv7em_part_of(t, oy, ox);
            max_pixel(&p, pixel_of(t, oy, ox), t->y_c);
        }
    }
}

static void avg_pixel(const struct ts_conv_tile *t, const struct armv7em_part *p, int16_t *y) {
    uint32_t words = armv7em_rq_words(&t->rq), c = 0;
    const int32_t *w = (const int32_t *)t->w;
    for (; c + 2 <= t->y_c; c += 2, w += 2 * words) {
        int32_t low = 0, high = 0;
        for (int32_t r = 0; r < p->rows; r++) {
            const int16_t *x = p->x + c + (uint32_t)r * p->row_step;
            for (int32_t i = 0; i < p->columns; i++, x += p->column_step) {
                uint32_t values = armv7em_load((const uint8_t *)x);
                low += armv7em_low_half(values);
                high += armv7em_high_half(values);
            }
        }
        armv7em_store(y + c, armv7em_halves(armv7em_requant(&t->rq, w, low * ARMV7EM_GRAIN),
                                            armv7em_requant(&t->rq, w + words, high * ARMV7EM_GRAIN)));
    }
    if (c < t->y_c) {
        int32_t sum = 0;
        for (int32_t r = 0; r < p->rows; r++) {
            const int16_t *x = p->x + c + (uint32_t)r * p->row_step;
            for (int32_t i = 0; i < p->columns; i++, x += p->column_step) {
                sum += *x;
            }
        }
        y[c] = (int16_t)armv7em_requant(&t->rq, w, sum * ARMV7EM_GRAIN);
    }
}

void avg_pool_armv7em_s16(const struct ts_conv_tile *t) {
    for (uint32_t oy = 0; oy < t->y_h; oy++) {
        for (uint32_t ox = 0; ox < t->y_w; ox++) {
            const struct armv7em_part p = armv7em_part_of(t, oy, ox);
            avg_pixel(t, &p, pixel_of(t, oy, ox));
        }
    }
}
