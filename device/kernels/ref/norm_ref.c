/* Normalisation of the channels of each pixel by the root of their mean square, with or without their mean
 * taken away before. The weights are words: centred, shift, low, high, then weight and bias of each channel.
 * A division for each result limits it. Cores share pixels, or where these are fewer the channels of each. */
#include <stdbool.h>

#include "kernels/kernels.h"
#include "kernels/ref/ref.h"

enum { CENTRED, SHIFT, LOW, HIGH, PAIRS };

struct norm_row {
    const uint8_t *x;
    uint8_t *y;
    int32_t count, begin, end; /* channels, and those of this core */
    int32_t flip;              /* 128 where x is signed: then bytes are in their order, and 128 too large */
    int32_t zero;
};

/* The largest root with root^2 <= v < 2^18. */
static int32_t square_root(int32_t v) {
    int32_t root = 0;
    for (int32_t bit = 1 << 8; bit > 0; bit >>= 1) {
        int32_t next = root + bit;
        root = next * next <= v ? next : root;
    }
    return root;
}

static void norm_row(const int32_t *w, const struct norm_row *r) {
    const uint8_t *x = r->x;
    const int32_t flip = r->flip, count = r->count;
    int32_t zero = r->zero + flip, squares = 0;
    if (w[CENTRED]) {
        int32_t sum = 0;
        for (int32_t i = 0; i < count; i++) {
            sum += (x[i] ^ flip) - zero;
        }
        zero += sum / count;
    }
    for (int32_t i = 0; i < count; i++) {
        int32_t v = (x[i] ^ flip) - zero;
        squares += v * v;
    }
    int32_t deviation = square_root(squares / count + 1), low = w[LOW], high = w[HIGH];
    const int32_t shift = w[SHIFT];
    const int32_t *pair = w + PAIRS + 2 * r->begin;
    for (int32_t i = r->begin; i < r->end; i++, pair += 2) {
        int32_t v = (x[i] ^ flip) - zero;
        int32_t sum = pair[0] * v / deviation + pair[1];
        r->y[i] = (uint8_t)ref_clip(sum >> shift, low, high);
    }
}

void norm_ref(const struct ts_conv_tile *t) {
    uint32_t pixels = (uint32_t)t->y_h * t->y_w;
    bool by_pixel = pixels >= ts_cores();
    struct ref_share rows = by_pixel ? ref_share(pixels) : (struct ref_share){0, pixels};
    struct ref_share channels = by_pixel ? (struct ref_share){0, t->y_c} : ref_share(t->y_c);
    for (uint32_t i = rows.begin; i < rows.end; i++) {
        const struct norm_row r = {
            .x = ref_pixel(t, i / t->y_w, i % t->y_w, 0, 0),
            .y = (uint8_t *)t->y + i / t->y_w * t->y_row_bytes + i % t->y_w * t->y_pixel_bytes,
            .count = t->y_c,
            .begin = (int32_t)channels.begin,
            .end = (int32_t)channels.end,
            .flip = t->x_type == TS_ELEM_S8 ? 128 : 0,
            .zero = t->x_zero};
        norm_row((const int32_t *)t->w, &r);
    }
}
