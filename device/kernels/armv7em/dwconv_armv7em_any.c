/* Depthwise convolutions of any window and stride: as dwconv_armv7em.c, with the products in C. Taps of a row
 * of the window go in pairs, the last of an odd number beside a zero; two outputs share the weights: two
 * pairs of them take three loads and two SMLAD. */
#include "kernels/armv7em/dw_strip.h"
#include "kernels/kernels.h"

static inline uint32_t halves(const uint16_t *at) {
    uint32_t word;
    __builtin_memcpy(&word, at, sizeof word);
    return word;
}

/* The sums of two outputs whose windows begin at a and b. */
static inline __attribute__((always_inline)) void sums_of(const uint16_t *a, const uint16_t *b,
                                                          const uint32_t *w, uint32_t rows, uint32_t pitch,
                                                          uint32_t pairs, int32_t sums[2]) {
    int32_t first = 0, second = 0;
    for (uint32_t ky = 0; ky < rows; ky++, a += pitch, b += pitch) {
        for (uint32_t i = 0; i < pairs; i++) {
            uint32_t weights = *w++;
            first = armv7em_smlad(halves(a + 2 * i), weights, first);
            second = armv7em_smlad(halves(b + 2 * i), weights, second);
        }
    }
    sums[0] = first;
    sums[1] = second;
}

static void both(const uint16_t *a, const uint16_t *b, const uint32_t *w, uint32_t rows, uint32_t pitch,
                 uint32_t pairs, int32_t sums[2]) {
    switch (pairs) {
        case 1:
            sums_of(a, b, w, rows, pitch, 1, sums);
            break;
        case 2:
            sums_of(a, b, w, rows, pitch, 2, sums);
            break;
        case 3:
            sums_of(a, b, w, rows, pitch, 3, sums);
            break;
        case 4:
            sums_of(a, b, w, rows, pitch, 4, sums);
            break;
        default:
            sums_of(a, b, w, rows, pitch, pairs, sums);
    }
}

/* One channel of a strip of `rows` output rows. */
static void compute(const struct strip *s, const uint16_t *plane, uint8_t *y, const uint32_t *w,
                    uint32_t rows) {
    const struct ts_conv_tile *t = s->t;
    uint32_t pairs = (t->k_w + 1u) / 2u;
    const int32_t *params = (const int32_t *)(w + t->k_h * pairs);
    for (uint32_t r = 0; r < rows; r++, plane += s->pitch * t->stride_h, y += t->y_row_bytes) {
        for (uint32_t ox = 0; ox < t->y_w; ox += 2) {
            uint32_t other = ox + 1 < t->y_w ? ox + 1 : ox;
            int32_t sums[2];
            both(plane + ox * t->stride_w, plane + other * t->stride_w, w, t->k_h, s->pitch, pairs, sums);
            y[ox * t->y_pixel_bytes] = (uint8_t)armv7em_requant(&t->rq, params, sums[0]);
            y[other * t->y_pixel_bytes] = (uint8_t)armv7em_requant(&t->rq, params, sums[1]);
        }
    }
}

void dwconv_armv7em_any(const struct ts_conv_tile *t) {
    uint32_t pairs = (t->k_w + 1u) / 2u, pitch = ((t->y_w - 1u) * t->stride_w + 2u * pairs + 1u) / 2u * 2u;
    uint32_t strip = strip_rows(t, pitch), record = t->k_h * pairs + armv7em_rq_words(&t->rq);
    struct strip s = new_strip(t, pitch, strip);
    for (uint32_t oy = 0; oy < t->y_h; oy += strip) {
        uint32_t rows = t->y_h - oy < strip ? t->y_h - oy : strip;
        const uint32_t *w = (const uint32_t *)t->w;
        begin_strip(&s, (int32_t)(oy * t->stride_h) - t->pad_top, (rows - 1u) * t->stride_h + t->k_h);
        for (uint32_t c = 0, channels; c < t->y_c; c += channels) {
            channels = t->y_c - c < AT_ONCE ? 1u : AT_ONCE;
            gather(&s, c, channels);
            for (uint32_t i = 0; i < channels; i++, w += record) {
                compute(&s, s.planes + i * s.plane, (uint8_t *)t->y + oy * t->y_row_bytes + c + i, w, rows);
            }
        }
    }
}
