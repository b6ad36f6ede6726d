/* The routines of conv_block.inc in plain C, so that everything around them is tested on the host. */
#include "kernels/xpulp/conv_block.h"

enum model_types { MODEL_U8, MODEL_S8, MODEL_S16 };

static int32_t word_dot(const uint8_t *x, const uint8_t *w, enum model_types types) {
    int32_t sum = 0;
    if (types == MODEL_S16) {
        const int16_t *a = (const int16_t *)(const void *)x, *b = (const int16_t *)(const void *)w;
        return a[0] * b[0] + a[1] * b[1];
    }
    for (uint32_t i = 0; i < 4; i++) {
        sum += (types == MODEL_U8 ? x[i] : (int8_t)x[i]) * (int8_t)w[i];
    }
    return sum;
}

static int32_t accumulate(const struct conv_block *b, uint32_t pixel, const uint8_t *w, uint32_t channel,
                          bool window, enum model_types types) {
    const uint8_t *x = b->x + (pixel > 0 ? b->d[pixel - 1] : 0);
    int32_t acc = 0;
    for (uint32_t s = 0; s < (window ? b->segments : 1u); s++) {
        for (uint32_t k = 0; k < b->words; k++, x += 4, w += 16) {
            acc += word_dot(x, w + channel * 4u, types);
        }
        x += b->segment_step;
    }
    return acc;
}

static int32_t finish(const struct conv_block *b, enum conv_mode mode, const int32_t *params, int32_t acc) {
    int32_t low = mode == CONV_BOUND ? b->low : 0, high = mode == CONV_BOUND ? b->high : 255;
    if (mode == CONV_S32D) {
        acc = ref_clip(acc, -b->acc_high - 1, b->acc_high);
        int32_t part = ref_wrap_mac(params[3], acc, params[2]) >> b->split;
        return ref_clip(ref_wrap_mac(ref_wrap_mac(part, acc, params[0]), params[1], 1) >> b->shift, 0, 255);
    }
    acc = mode == CONV_S32C ? ref_clip(acc, b->acc_low, b->acc_high) : acc;
    return ref_clip(ref_wrap_mac(ref_wrap_mac(acc, acc, params[0]), params[1], 1) >> b->shift, low, high);
}

static void one_block(struct conv_block *b, bool window, enum conv_mode mode, enum model_types types) {
    uint32_t weight_bytes = b->words * (window ? b->segments : 1u) * 16u;
    const uint8_t *w = b->w;
    uint8_t *y = b->y;
    for (uint32_t g = 0; g < b->groups; g++, w += weight_bytes + b->params_bytes) {
        const int32_t *params = (const int32_t *)(const void *)(w + weight_bytes);
        for (uint32_t p = 0; p < 4; p++) {
            for (uint32_t c = 0; c < 4; c++) {
                int32_t acc = accumulate(b, p, w, c, window, types);
                if (mode == CONV_RAW) {
                    ((int32_t *)(void *)y)[p * 4 + c] = acc;
                } else {
                    y[(p > 0 ? b->e[p - 1] : 0) + (int32_t)c] =
                        (uint8_t)finish(b, mode, params + c * b->params_bytes / 16, acc);
                }
            }
        }
        y += mode == CONV_RAW ? 64 : 4;
    }
}

static void model(struct conv_block *b, bool window, enum conv_mode mode, enum model_types types) {
    for (; b->blocks > 0; b->blocks--) {
        one_block(b, window, mode, types);
        b->x += b->x_step;
        b->y += b->y_step;
    }
}

#define MODEL(prefix, types, suffix, mode)                                              \
    void prefix##_line_##suffix(struct conv_block *b);                                  \
    void prefix##_window_##suffix(struct conv_block *b);                                \
    void prefix##_line_##suffix(struct conv_block *b) { model(b, false, mode, types); } \
    void prefix##_window_##suffix(struct conv_block *b) { model(b, true, mode, types); }
#define MODELS(prefix, types)               \
    MODEL(prefix, types, u8, CONV_U8)       \
    MODEL(prefix, types, bound, CONV_BOUND) \
    MODEL(prefix, types, s32c, CONV_S32C)   \
    MODEL(prefix, types, s32d, CONV_S32D)   \
    MODEL(prefix, types, raw, CONV_RAW)

MODELS(conv_u8s8_4x4, MODEL_U8)
MODELS(conv_s8s8_4x4, MODEL_S8)
MODELS(conv_s16s8_4x4, MODEL_S16)
