/* Rows of the kernels for Armv7E-M (device/kernels/armv7em): Cortex-M4 and M7. Costs are instructions, from
 * what QEMU counts (docs/cortex-m.md). */
#include <string.h>

#include "plan/kernel.h"
#include "plan/kernel_pack.h"

__extension__ typedef __int128 wide;

static bool is_byte(ts_type type) { return type == TS_U8 || type == TS_S8; }

/* ---- requantisation: device/kernels/armv7em/armv7em.h ----------------------------------------------- */

typedef struct line {
    int32_t k;
    int64_t l;
} line;

/* (k a + l) >> shift as (k' a + l') >> 32; false where that does not fit. Bits of k that are 0 may go: the
 * floor of l goes with them. */
static bool scale_line(wide k, wide l, uint32_t shift, line *out) {
    for (; shift > 32 && k % 2 == 0; shift--) {
        k /= 2;
        l = l >= 0 ? l / 2 : -((1 - l) / 2);
    }
    if (shift > 32) {
        return false;
    }
    k *= (wide)1 << (32 - shift);
    l *= (wide)1 << (32 - shift);
    *out = (line){(int32_t)k, (int64_t)l};
    return k >= INT32_MIN && k <= INT32_MAX && l >= -((wide)1 << 61) && l < (wide)1 << 61;
}

/* The line of a channel for an accumulator that is `offset` less than the layer's: the graph's own where that
 * is one, else what the planner proved. Classes that clip the accumulator hold on its inside alone. */
static bool line_of(const ts_layer *layer, uint32_t channel, int64_t offset, line *out) {
    const ts_rq_plan *own = &layer->rq_own, *rq = &layer->rq;
    if (own->class_ == TS_RQC_S64 && own->div > 0 && (own->div & (own->div - 1)) == 0) {
        uint32_t c = own->channels == 1 ? 0 : channel, shift = (uint32_t)__builtin_ctzll((uint64_t)own->div);
        if (scale_line(own->k[c], (wide)own->l[c] + (wide)own->k[c] * offset, shift, out)) {
            return true;
        }
    }
    uint32_t c = rq->channels == 1 ? 0 : channel;
    if (rq->class_ != TS_RQC_S32 && rq->class_ != TS_RQC_S32D) {
        return false;
    }
    uint32_t shift = rq->class_ == TS_RQC_S32 ? rq->shift : rq->split + rq->channel_shift[c];
    return scale_line(rq->k[c], (wide)rq->l[c] + (wide)rq->k[c] * offset, shift, out);
}

static bool is_tflite(const ts_layer *layer) { return layer->rq.class_ == TS_RQC_TFLITE; }

/* TFLite's form without its special cases: right shifts of 1 to 20 alone, a positive multiplier, and sums
 * below 2^30. `reach`: the most that the sum of products can be. */
static bool tflite_fits(const ts_rq_plan *rq, uint32_t channel, int64_t reach) {
    uint32_t c = rq->channels == 1 ? 0 : channel;
    int64_t bias = rq->l[c] < 0 ? -rq->l[c] : rq->l[c];
    int32_t right = -rq->tflite_shift[c];
    int64_t constant =
        ((int64_t)1 << (right > 0 ? right - 1 : 0)) + ((int64_t)rq->zero << (right > 0 ? right : 0));
    return right >= 1 && right <= 20 && rq->k[c] > 0 && reach + bias < (int64_t)1 << 30 &&
           constant > INT32_MIN / 2 && constant < INT32_MAX / 2;
}

static uint32_t rq_bytes(const ts_layer *layer) { return is_tflite(layer) ? 16 : 12; }

static void pack_rq(const ts_layer *layer, uint32_t channel, int64_t offset, uint8_t *out) {
    const ts_rq_plan *rq = &layer->rq;
    uint32_t c = rq->channels == 1 ? 0 : channel;
    line found = {0, 0};
    if (is_tflite(layer)) {
        uint32_t right = (uint32_t)-rq->tflite_shift[c];
        ts__pack_word(out, (uint32_t)(2 * (uint64_t)(rq->l[c] + offset)));
        ts__pack_word(out + 4, (uint32_t)rq->k[c]);
        ts__pack_word(out + 8, (1u << (right - 1)) + ((uint32_t)rq->zero << right));
        ts__pack_word(out + 12, right);
        return;
    }
    bool is_line = line_of(layer, channel, offset, &found);
    TS_ASSERT(is_line, layer->name);
    ts__pack_word(out, (uint32_t)found.k);
    ts__pack_double_word(out + 4, found.l);
}

/* ---- convolutions --------------------------------------------------------------------------------- */

/* Weights of a channel, as runs of consecutive values (conv_armv7em.c): how many, how long. */
typedef struct runs {
    uint32_t count, length, groups; /* groups of four, of all runs */
} runs;

static runs runs_of(const ts_layer *layer) {
    if (layer->kind == TS_LAYER_LINEAR) {
        return (runs){1, layer->x.c, (layer->x.c + 3) / 4};
    }
    const ts_window *w = &layer->window;
    bool joined = w->dilation_w == 1 || w->kernel_w == 1;
    uint32_t count = w->kernel_h * (joined ? 1 : w->kernel_w),
             length = (joined ? w->kernel_w : 1) * layer->x.c;
    return (runs){count, length, count * ((length + 3) / 4)};
}

static int64_t sum_of_weights(const ts_layer *layer, uint32_t channel, bool magnitudes) {
    runs r = runs_of(layer);
    uint64_t count = (uint64_t)r.count * r.length;
    int64_t sum = 0;
    for (uint64_t i = 0; i < count; i++) {
        int32_t w = ts_tensor_int(layer->weights, channel * count + i);
        sum += magnitudes && w < 0 ? -w : w;
    }
    return sum;
}

/* The requantisation of every channel can be packed. */
static bool rq_serves(const ts_layer *layer, int64_t (*sum)(const ts_layer *, uint32_t, bool)) {
    for (uint32_t c = 0; c < layer->y.c; c++) {
        line found;
        bool fits = is_tflite(layer) ? tflite_fits(&layer->rq, c, 255 * sum(layer, c, true))
                                     : line_of(layer, c, -layer->x.zero * sum(layer, c, false), &found);
        if (!fits) {
            return false;
        }
    }
    return true;
}

static bool serves_conv(const ts_layer *layer) {
    bool conv = (layer->kind == TS_LAYER_CONV && layer->groups == 1) || layer->kind == TS_LAYER_LINEAR;
    return conv && is_byte(layer->x.type) && is_byte(layer->y.type) && layer->weights->type == TS_S8 &&
           runs_of(layer).groups < 8192 && rq_serves(layer, sum_of_weights);
}

static uint64_t conv_weight_bytes(const ts_layer *layer, uint32_t channels) {
    uint64_t pair = 8 * (uint64_t)runs_of(layer).groups + 2 * rq_bytes(layer);
    return (channels + 1) / 2 * pair;
}

/* Pairs of channels: groups of four weights of one and of the other, then the parameters of both. */
static void conv_pack(const ts_layer *layer, uint8_t *out) {
    runs r = runs_of(layer);
    memset(out, 0, conv_weight_bytes(layer, layer->y.c));
    for (uint32_t c = 0; c < layer->y.c; c++) {
        uint8_t *pair = out + conv_weight_bytes(layer, c / 2 * 2), *group = pair + c % 2 * 4;
        uint64_t at = (uint64_t)c * r.count * r.length;
        for (uint32_t run = 0; run < r.count; run++) {
            for (uint32_t i = 0; i < r.length; i++) {
                group[i / 4 * 8 + i % 4] = (uint8_t)ts_tensor_int(layer->weights, at++);
            }
            group += (r.length + 3) / 4 * 8;
        }
        pack_rq(layer, c, -layer->x.zero * sum_of_weights(layer, c, false),
                pair + 8 * (uint64_t)r.groups + c % 2 * rq_bytes(layer));
    }
}

static uint64_t conv_scratch(const ts_layer *layer, const ts_tile *tile, uint32_t cores) {
    runs r = runs_of(layer);
    (void)tile, (void)cores;
    return 16 * (uint64_t)r.groups + (r.length + 3) / 4 * 4;
}

static double conv_cycles(const ts_layer *layer, const ts_tile *tile, uint32_t cores) {
    runs r = runs_of(layer);
    double pixels = (double)tile->y_h * tile->y_w, pairs = (tile->y_c + 1) / 2, block = 14.0 * r.groups + 45;
    (void)cores;
    return 200 + (pixels + 1) / 2 * (pairs * block + 2 * (5.0 * r.groups + 20.0 * r.count) + 60);
}

const ts_kernel ts__kernels_armv7em[] = {
    {.name = "conv_armv7em",
     .isa = "armv7em",
     .stack_bytes = 256,
     .sources = "armv7em/conv_armv7em.c armv7em/conv_pair.S",
     .c_granule = 2,
     .serves = serves_conv,
     .weight_bytes = conv_weight_bytes,
     .pack = conv_pack,
     .scratch_bytes = conv_scratch,
     .cycles = conv_cycles},
};
const uint32_t ts__kernels_armv7em_count = sizeof ts__kernels_armv7em / sizeof *ts__kernels_armv7em;
