/* The routines of conv_block.inc in plain C, so that everything around them is tested on the host. */
#include "kernels/xpulp/conv_block.h"

#include <string.h>

static int32_t word_dot(const uint8_t *x, const uint8_t *w) {
    int32_t sum = 0;
    for (uint32_t i = 0; i < 4; i++) {
        sum += x[i] * (int8_t)w[i];
    }
    return sum;
}

static int32_t accumulate(const struct conv_block *b, uint32_t pixel, const uint8_t *w, uint32_t channel,
                          bool window) {
    const uint8_t *x = b->x + (pixel > 0 ? b->d[pixel - 1] : 0);
    int32_t acc = 0;
    for (uint32_t s = 0; s < (window ? b->segments : 1u); s++) {
        for (uint32_t k = 0; k < b->words; k++, x += 4, w += 16) {
            acc += word_dot(x, w + channel * 4u);
        }
        x += b->segment_step;
    }
    return acc;
}

static int32_t finish(const struct conv_block *b, uint32_t kind, uint32_t end, const int32_t *params,
                      int32_t acc) {
    int32_t low = end == 0 ? 0 : end == 1 ? -128 : b->low, high = end == 0 ? 255 : end == 1 ? 127 : b->high;
    if (kind == TS_RQ_S32C || kind == TS_RQ_S32DC || kind == TS_RQ_S32RC) {
        acc = ref_clip(acc, -b->acc_high - 1, b->acc_high);
    }
    if (kind == TS_RQ_S32D || kind == TS_RQ_S32DC) {
        int32_t part = ref_wrap_mac(params[3], acc, params[2]) >> b->split;
        return ref_clip(ref_wrap_mac(ref_wrap_mac(part, acc, params[0]), params[1], 1) >> (params[3] & 31),
                        low, high);
    }
    if (kind == TS_RQ_S32R || kind == TS_RQ_S32RC) {
        int32_t part = ref_wrap_mac(params[3], acc, params[2]) >> b->split;
        int32_t h = ref_wrap_mac(ref_wrap_mac(part, acc, params[0]), params[1], 1) >> b->shift;
        return ref_clip((h - (h < params[4])) >> (params[3] & 31), low, high);
    }
    return ref_clip(ref_wrap_mac(ref_wrap_mac(acc, acc, params[0]), params[1], 1) >> b->shift, low, high);
}

/* kind 0: the accumulators themselves. */
static void one_block(struct conv_block *b, bool window, uint32_t kind, uint32_t end) {
    uint32_t weight_bytes = b->words * (window ? b->segments : 1u) * 16u;
    const uint8_t *w = b->w;
    uint8_t *y = b->y;
    for (uint32_t g = 0; g < b->groups; g++, w += weight_bytes + b->params_bytes) {
        const int32_t *params = (const int32_t *)(const void *)(w + weight_bytes);
        for (uint32_t p = 0; p < 4; p++) {
            for (uint32_t c = 0; c < 4; c++) {
                int32_t acc = accumulate(b, p, w, c, window);
                if (kind == 0) {
                    ((int32_t *)(void *)y)[p * 4 + c] = acc;
                } else {
                    y[(p > 0 ? b->e[p - 1] : 0) + (int32_t)c] =
                        (uint8_t)finish(b, kind, end, params + c * b->params_bytes / 16, acc);
                }
            }
        }
        y += kind == 0 ? 64 : 4;
    }
}

static void model(struct conv_block *b, bool window, uint32_t kind, uint32_t end) {
    for (; b->blocks > 0; b->blocks--) {
        one_block(b, window, kind, end);
        b->x += b->x_step;
        b->y += b->y_step;
    }
}

static void gather(const struct conv_windows *w, uint32_t bytes) {
    const uint8_t *x = w->x;
    uint8_t *to = w->to;
    for (uint32_t p = 0; p < w->pixels; p++, x += w->x_next, to += w->next) {
        for (uint32_t r = 0; r < w->rows; r++, x += w->x_row, to += w->row_bytes) {
            memmove(to, x, bytes);
        }
    }
}

void conv_gather_4(const struct conv_windows *w) { gather(w, 4); }
void conv_gather_5(const struct conv_windows *w) { gather(w, 5); }
void conv_gather_8(const struct conv_windows *w) { gather(w, 8); }
void conv_gather_9(const struct conv_windows *w) { gather(w, 9); }
void conv_gather_12(const struct conv_windows *w) { gather(w, 12); }
void conv_gather_13(const struct conv_windows *w) { gather(w, 13); }
void conv_gather_16(const struct conv_windows *w) { gather(w, 16); }
void conv_gather_3x9(const struct conv_windows *w) { gather(w, 9); }

#define MODEL(prefix, kind, end, suffix)                                              \
    void prefix##_line_##suffix(struct conv_block *b);                                \
    void prefix##_window_##suffix(struct conv_block *b);                              \
    void prefix##_line_##suffix(struct conv_block *b) { model(b, false, kind, end); } \
    void prefix##_window_##suffix(struct conv_block *b) { model(b, true, kind, end); }

XPULP_MODES(MODEL, conv_u8s8_4x4)
XPULP_ROUNDED_MODES(MODEL, conv_u8s8_4x4)
MODEL(conv_u8s8_4x4, 0, 0, raw)
