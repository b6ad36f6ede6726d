/* Softmax over the channels of each pixel whose results are quotients of terms and their sum: I-BERT's and
 * that of the accelerator ITA. The weights are 257 words: entry d of the first 256 is the term of what lies d
 * below the largest logit, the last what the sum stands for. Cores share pixels, or where these are fewer the
 * channels of each. */
#include <stdbool.h>

#include "kernels/kernels.h"
#include "kernels/ref/ref.h"

struct quotient_row {
    const uint8_t *x;
    uint8_t *y;
    uint32_t count, begin, end; /* channels, and those of this core */
    uint32_t flip;              /* 128 where logits are signed: then bytes are in their order */
    uint32_t low;
};

struct total {
    uint32_t most, sum;
};

static struct total total_of(const uint32_t *terms, const struct quotient_row *r) {
    const uint8_t *x = r->x;
    struct total t = {0, 0};
    for (uint32_t i = 0; i < r->count; i++) {
        uint32_t value = x[i] ^ r->flip;
        t.most = value > t.most ? value : t.most;
    }
    for (uint32_t i = 0; i < r->count; i++) {
        t.sum += terms[t.most - (x[i] ^ r->flip)];
    }
    return t;
}

static void ibert_row(const uint32_t *terms, const struct quotient_row *r) {
    const struct total t = total_of(terms, r);
    for (uint32_t i = r->begin; i < r->end; i++) {
        r->y[i] = (uint8_t)(terms[256] * terms[t.most - (r->x[i] ^ r->flip)] / t.sum + r->low);
    }
}

static void ita_row(const uint32_t *terms, const struct quotient_row *r) {
    const struct total t = total_of(terms, r);
    const uint32_t share = terms[256] * 256u / t.sum;
    for (uint32_t i = r->begin; i < r->end; i++) {
        r->y[i] = (uint8_t)((share * terms[t.most - (r->x[i] ^ r->flip)] >> 8) + r->low);
    }
}

static void each_row(const struct ts_conv_tile *t,
                     void (*row)(const uint32_t *terms, const struct quotient_row *r)) {
    uint32_t pixels = (uint32_t)t->y_h * t->y_w;
    bool by_pixel = pixels >= ts_cores();
    struct ref_share rows = by_pixel ? ref_share(pixels) : (struct ref_share){0, pixels};
    struct ref_share channels = by_pixel ? (struct ref_share){0, t->y_c} : ref_share(t->y_c);
    for (uint32_t i = rows.begin; i < rows.end; i++) {
        const struct quotient_row r = {
            .x = ref_pixel(t, i / t->y_w, i % t->y_w, 0, 0),
            .y = (uint8_t *)t->y + i / t->y_w * t->y_row_bytes + i % t->y_w * t->y_pixel_bytes,
            .count = t->y_c,
            .begin = channels.begin,
            .end = channels.end,
            .flip = t->x_type == TS_ELEM_S8 ? 128u : 0,
            .low = (uint32_t)ref_low(t->y_type)};
        row((const uint32_t *)t->w, &r);
    }
}

void softmax_ibert_ref(const struct ts_conv_tile *t) { each_row(t, ibert_row); }

void softmax_ita_ref(const struct ts_conv_tile *t) { each_row(t, ita_row); }
