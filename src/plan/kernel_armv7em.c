/* Rows of the kernels for Armv7E-M (device/kernels/armv7em): Cortex-M4 and M7. Costs are instructions, from
 * what QEMU counts (docs/cortex-m.md). */
#include <string.h>

#include "plan/kernel_armv7em.h"
#include "plan/kernel_pack.h"

static bool is_byte(ts_type type) { return type == TS_U8 || type == TS_S8; }

typedef ts__wide wide;

static wide floor_div(wide n, wide d) {
    wide q = n / d;
    return q * d > n ? q - 1 : q;
}

static int64_t clip(wide v, int64_t low, int64_t high) {
    return v < low ? low : v > high ? high : (int64_t)v;
}

/* SaturatingRoundingDoublingHighMul and RoundingDivideByPOT of TensorFlow Lite's reference kernels. */
static int64_t tflite_of(const ts_rq_plan *rq, uint32_t c, int64_t acc) {
    int32_t shift = rq->tflite_shift[c], left = shift > 0 ? shift : 0, right = shift > 0 ? 0 : -shift;
    int64_t a = clip((wide)acc * ((wide)1 << left), INT32_MIN, INT32_MAX);
    wide product = (wide)a * rq->k[c];
    int64_t high = clip(product >= 0 ? (product + (1 << 30)) >> 31 : -((-product + (1 << 30) - 1) >> 31),
                        INT32_MIN, INT32_MAX);
    int64_t mask = ((int64_t)1 << right) - 1;
    return (high >> right) + ((high & mask) > (mask >> 1) + (high < 0)) + rq->zero;
}

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
        l = floor_div(l, 2);
    }
    if (shift > 32) {
        return false;
    }
    k *= (wide)1 << (32 - shift);
    l *= (wide)1 << (32 - shift);
    *out = (line){(int32_t)k, (int64_t)l};
    return k >= INT32_MIN && k <= INT32_MAX && l >= -((wide)1 << 61) && l < (wide)1 << 61;
}

/* floor((k a + l) / div), clipped to [low, high], as a line of shift 32 with the same results for every
 * accumulator of
 * [-reach, reach]: both meet each step of the staircase at the same place. */
static bool match_line(wide k, wide l, wide div, int64_t reach, int64_t low, int64_t high, line *out) {
    if (k <= 0 || k >= (wide)1 << 62 || div >= (wide)1 << 48 || high - low > 65536) {
        return false;
    }
    wide unit = (wide)1 << 32;
    for (wide near = k * unit / div, last = near + 1; near <= last && near <= INT32_MAX; near++) {
        wide least = -((wide)1 << 60), most = (wide)1 << 60;
        for (int64_t level = low + 1; level <= high; level++) {
            wide step = -floor_div(l - level * div, k); /* the first accumulator of this level */
            wide reached = step < -reach ? -reach : step, before = step - 1 > reach ? reach : step - 1;
            if (step <= reach && level * unit - near * reached > least) {
                least = level * unit - near * reached;
            }
            if (step > -reach && level * unit - 1 - near * before < most) {
                most = level * unit - 1 - near * before;
            }
        }
        if (least <= most) {
            *out = (line){(int32_t)near, (int64_t)(least + (most - least) / 2)};
            return true;
        }
    }
    return false;
}

/* What kernels multiply a sum by before its line. */
static int64_t grain_of(const ts_layer *layer) {
    bool plain = layer->kind == TS_LAYER_AVG_POOL || layer->kind == TS_LAYER_REQUANT;
    return plain && layer->x.type == TS_S16 ? 16 : 1; /* ARMV7EM_GRAIN */
}

/* The line of a channel for the layer's accumulators, `reach` at most on either side: the graph's own where
 * that is one, else what the planner proved. Classes that clip the accumulator hold on its inside alone. */
static bool layer_line(const ts_layer *layer, uint32_t channel, int64_t reach, line *out) {
    const ts_rq_plan *own = &layer->rq_own, *rq = &layer->rq;
    wide grain = grain_of(layer);
    uint32_t grain_bits = (uint32_t)__builtin_ctzll((uint64_t)grain);
    reach *= (int64_t)grain;
    if (own->class_ == TS_RQC_S64 && own->div > 0) {
        uint32_t c = own->channels == 1 ? 0 : channel, shift = (uint32_t)__builtin_ctzll((uint64_t)own->div);
        bool shifts = (own->div & (own->div - 1)) == 0;
        if ((shifts && scale_line(own->k[c], grain * own->l[c], shift + grain_bits, out)) ||
            match_line(own->k[c], grain * own->l[c], grain * own->div, reach, own->low, own->high, out)) {
            return true;
        }
    }
    uint32_t c = rq->channels == 1 ? 0 : channel;
    if (rq->class_ != TS_RQC_S32 && rq->class_ != TS_RQC_S32D) {
        return false;
    }
    uint32_t shift = rq->class_ == TS_RQC_S32 ? rq->shift : rq->split + rq->channel_shift[c];
    return scale_line(rq->k[c], grain * rq->l[c], shift + grain_bits, out) ||
           match_line(rq->k[c], grain * rq->l[c], grain << shift, reach, rq->low, rq->high, out);
}

/* For an accumulator that is `offset` less than the layer's. */
static bool line_of(const ts_layer *layer, uint32_t channel, int64_t reach, int64_t offset, line *out) {
    if (!layer_line(layer, channel, reach, out)) {
        return false;
    }
    wide l = (wide)out->l + (wide)out->k * offset * grain_of(layer);
    out->l = (int64_t)l;
    return l >= -((wide)1 << 61) && l < (wide)1 << 61;
}

int64_t ts__armv7em_most(const ts_layer *layer) { return layer->x.type == TS_S16 ? 32768 : 255; }

static bool is_tflite(const ts_layer *layer) { return layer->rq.class_ == TS_RQC_TFLITE; }

/* TFLite's form without its special cases: right shifts alone, no negative multiplier, and sums
 * below 2^30. `reach`: the most that the sum of products can be. */
static bool tflite_fits(const ts_rq_plan *rq, uint32_t channel, int64_t reach) {
    uint32_t c = rq->channels == 1 ? 0 : channel;
    int64_t bias = rq->l[c] < 0 ? -rq->l[c] : rq->l[c];
    int32_t right = -rq->tflite_shift[c];
    int64_t constant = ((int64_t)1 << (right > 0 ? right - 1 : 0)) +
                       (int64_t)rq->zero * ((int64_t)1 << (right > 0 ? right : 0));
    if (reach == 0) {
        return true; /* one output: a constant */
    }
    return right >= 1 && right <= 30 && rq->k[c] >= 0 && reach + bias < (int64_t)1 << 30 &&
           constant > INT32_MIN / 2 && constant < INT32_MAX / 2;
}

static bool is_raw(const ts_layer *layer) { return layer->rq.class_ == TS_RQC_NONE; }

uint32_t ts__armv7em_rq_bytes(const ts_layer *layer) {
    return is_raw(layer) ? 4 : is_tflite(layer) ? 16 : 12;
}

void ts__armv7em_pack_rq(const ts_layer *layer, uint32_t channel, int64_t reach, int64_t offset,
                         uint8_t *out) {
    const ts_rq_plan *rq = &layer->rq;
    uint32_t c = rq->channels == 1 ? 0 : channel;
    line found = {0, 0};
    if (is_raw(layer)) {
        ts__pack_word(out, (uint32_t)(uint64_t)(rq->l[c] + offset));
        return;
    }
    if (is_tflite(layer) && reach == 0) {
        ts__pack_word(out, 0);
        ts__pack_word(out + 4, 0);
        ts__pack_word(out + 8, 2 * (uint32_t)clip(tflite_of(rq, c, rq->l[c]), rq->low, rq->high));
        ts__pack_word(out + 12, 1);
        return;
    }
    if (is_tflite(layer)) {
        uint32_t right = (uint32_t)-rq->tflite_shift[c];
        ts__pack_word(out, (uint32_t)(2 * (uint64_t)(rq->l[c] + offset)));
        ts__pack_word(out + 4, (uint32_t)rq->k[c]);
        ts__pack_word(out + 8, (1u << (right - 1)) + ((uint32_t)rq->zero << right));
        ts__pack_word(out + 12, right);
        return;
    }
    bool is_line = line_of(layer, channel, reach, offset, &found);
    TS_ASSERT(is_line, layer->name);
    ts__pack_word(out, (uint32_t)found.k);
    ts__pack_double_word(out + 4, found.l);
}

/* ---- convolutions --------------------------------------------------------------------------------- */

typedef ts__armv7em_runs_of_weights runs;

runs ts__armv7em_runs(const ts_layer *layer) {
    if (layer->kind == TS_LAYER_LINEAR) {
        return (runs){1, layer->x.c, (layer->x.c + 3) / 4};
    }
    const ts_window *w = &layer->window;
    bool joined = w->dilation_w == 1 || w->kernel_w == 1;
    uint32_t count = w->kernel_h * (joined ? 1 : w->kernel_w),
             length = (joined ? w->kernel_w : 1) * layer->x.c;
    return (runs){count, length, count * ((length + 3) / 4)};
}

int64_t ts__armv7em_sum(const ts_layer *layer, uint32_t channel, bool magnitudes) {
    runs r = ts__armv7em_runs(layer);
    uint64_t count = (uint64_t)r.count * r.length;
    int64_t sum = 0;
    for (uint64_t i = 0; i < count; i++) {
        int32_t w = ts_tensor_int(layer->weights, channel * count + i) - ts_weights_zero(layer->weights);
        sum += magnitudes && w < 0 ? -w : w;
    }
    return sum;
}

bool ts__armv7em_rq_serves(const ts_layer *layer, int64_t (*sum)(const ts_layer *, uint32_t, bool)) {
    for (uint32_t c = 0; c < layer->y.c; c++) {
        line found;
        int64_t reach = ts__armv7em_most(layer) * sum(layer, c, true),
                offset = -layer->x.zero * sum(layer, c, false);
        bool fits =
            is_tflite(layer) ? tflite_fits(&layer->rq, c, reach) : line_of(layer, c, reach, offset, &found);
        if (!fits) {
            return false;
        }
    }
    return true;
}

/* A zero point of weights is served beside x of bytes (device/kernels/armv7em/conv_armv7em.c). */
static bool has_weights(const ts_layer *layer) {
    return layer->weights->type == TS_S8 && (is_byte(layer->x.type) || ts_weights_zero(layer->weights) == 0);
}

static bool is_conv(const ts_layer *layer) {
    bool conv = (layer->kind == TS_LAYER_CONV && layer->groups == 1) || layer->kind == TS_LAYER_LINEAR;
    bool halves = layer->x.type == TS_S16 && layer->x.zero == 0;
    return conv && (is_byte(layer->x.type) || halves) && has_weights(layer) &&
           ts__armv7em_runs(layer).groups < 8192;
}

static bool serves_conv(const ts_layer *layer) {
    return is_conv(layer) && is_byte(layer->y.type) && !is_raw(layer) &&
           ts__armv7em_rq_serves(layer, ts__armv7em_sum);
}

static bool serves_conv_raw(const ts_layer *layer) {
    return is_conv(layer) && layer->y.type == TS_S32 && is_raw(layer);
}

static uint64_t conv_weight_bytes(const ts_layer *layer, uint32_t channels) {
    uint64_t pair = 8 * (uint64_t)ts__armv7em_runs(layer).groups + 2 * ts__armv7em_rq_bytes(layer);
    return (channels + 1) / 2 * pair;
}

/* Pairs of channels: groups of four weights of one and of the other, then the parameters of both. What
 * fills up a run stands for a weight of 0: the zero point. */
static void conv_pack(const ts_layer *layer, uint8_t *out) {
    static const uint8_t places[2][4] = {{0, 1, 2, 3},
                                         {0, 2, 1, 3}}; /* of x of 16 bits: as SXTB16 gives them */
    const uint8_t *place = places[layer->x.type == TS_S16];
    runs r = ts__armv7em_runs(layer);
    memset(out, (uint8_t)ts_weights_zero(layer->weights), conv_weight_bytes(layer, layer->y.c));
    for (uint32_t c = 0; c < layer->y.c; c++) {
        uint8_t *pair = out + conv_weight_bytes(layer, c / 2 * 2), *group = pair + c % 2 * 4;
        uint64_t at = (uint64_t)c * r.count * r.length;
        for (uint32_t run = 0; run < r.count; run++) {
            for (uint32_t i = 0; i < r.length; i++) {
                group[i / 4 * 8 + place[i % 4]] = (uint8_t)ts_tensor_int(layer->weights, at++);
            }
            group += (r.length + 3) / 4 * 8;
        }
        ts__armv7em_pack_rq(layer, c, ts__armv7em_most(layer) * ts__armv7em_sum(layer, c, true),
                            -layer->x.zero * ts__armv7em_sum(layer, c, false),
                            pair + 8 * (uint64_t)r.groups + c % 2 * ts__armv7em_rq_bytes(layer));
    }
}

static uint64_t conv_scratch(const ts_layer *layer, const ts_tile *tile, uint32_t cores) {
    runs r = ts__armv7em_runs(layer);
    (void)tile, (void)cores;
    return 16 * (uint64_t)r.groups + (r.length + 3) / 4 * 4 * (layer->x.type == TS_S16 ? 2 : 1);
}

static double conv_cycles(const ts_layer *layer, const ts_tile *tile, uint32_t cores) {
    runs r = ts__armv7em_runs(layer);
    double pixels = (double)tile->y_h * tile->y_w, pairs = (tile->y_c + 1) / 2, block = 14.0 * r.groups + 45;
    (void)cores;
    return 200 + (pixels + 1) / 2 * (pairs * block + 2 * (5.0 * r.groups + 20.0 * r.count) + 60);
}

/* ---- products of matrices: device/kernels/armv7em/matmul_armv7em.c ---------------------------------- */

/* What rows of the second matrix, less their zero point, add up to at most, of either sign. */
static int64_t matmul_most(const ts_layer *layer, uint32_t channel, bool magnitudes) {
    (void)channel, (void)magnitudes;
    return (int64_t)layer->x.c * 255;
}

static int64_t matmul_least(const ts_layer *layer, uint32_t channel, bool magnitudes) {
    int64_t most = matmul_most(layer, channel, magnitudes);
    return magnitudes ? most : -most;
}

static bool is_matmul(const ts_layer *layer) { return layer->kind == TS_LAYER_MATMUL && layer->x.c < 8192; }

static bool serves_matmul(const ts_layer *layer) {
    return is_matmul(layer) && is_byte(layer->y.type) && !is_raw(layer) &&
           ts__armv7em_rq_serves(layer, matmul_most) && ts__armv7em_rq_serves(layer, matmul_least);
}

static bool serves_matmul_raw(const ts_layer *layer) {
    return is_matmul(layer) && layer->y.type == TS_S32 && is_raw(layer);
}

static uint64_t matmul_weight_bytes(const ts_layer *layer, uint32_t channels) {
    return is_raw(layer) ? 0 : (uint64_t)ts__armv7em_rq_bytes(layer) * channels;
}

static void matmul_pack(const ts_layer *layer, uint8_t *out) {
    for (uint32_t c = 0; c < layer->y.c && !is_raw(layer); c++) {
        ts__armv7em_pack_rq(layer, c, ts__armv7em_most(layer) * matmul_most(layer, c, true), 0,
                            out + matmul_weight_bytes(layer, c));
    }
}

/* The rows of one second matrix packed, and what the convolution needs. */
static uint64_t matmul_scratch(const ts_layer *layer, const ts_tile *tile, uint32_t cores) {
    uint64_t groups = (layer->x.c + 3) / 4, pairs = (tile->y_c + 1) / 2;
    (void)cores;
    return pairs * (8 * groups + 2 * ts__armv7em_rq_bytes(layer)) + 16 * groups + 4 * groups;
}

static double matmul_cycles(const ts_layer *layer, const ts_tile *tile, uint32_t cores) {
    double groups = (layer->x.c + 3) / 4, pairs = (tile->y_c + 1) / 2, pixels = (double)tile->y_h * tile->y_w;
    double matrices = ts_layer_shares_x2(layer) ? 1 : tile->y_h, block = 14 * groups + 45;
    (void)cores;
    return 200 + matrices * (200 + tile->y_c * (9 * groups + 40)) +
           (pixels + 1) / 2 * (pairs * block + 2 * (8 * groups + 20) + 60);
}

/* ---- linear layers: device/kernels/armv7em/linear_armv7em.c ----------------------------------------- */

enum { QUAD = 4, SUM_BITS = 24 }; /* the kernel's sums are 256 times as great */

/* What the sums of a channel can be, of x as it is stored, and of the weights at even places. */
typedef struct row_sums {
    int64_t low, high, even;
} row_sums;

static row_sums row_sums_of(const ts_layer *layer, uint32_t channel) {
    int64_t x_low = ts_type_low(layer->x.type), x_high = ts_type_high(layer->x.type);
    row_sums sums = {0, 0, 0};
    for (uint32_t i = 0; i < layer->x.c; i++) {
        int32_t w = ts_tensor_int(layer->weights, (uint64_t)channel * layer->x.c + i);
        sums.low += w * (w < 0 ? x_high : x_low);
        sums.high += w * (w < 0 ? x_low : x_high);
        sums.even += i % 2 == 0 ? w : 0;
    }
    return sums;
}

/* The kernel leaves this out of its sums, whose range then has its middle at 0. */
static int64_t middle_of(const row_sums *sums) { return (sums->low + sums->high) >> 1; }

/* Weights i and i + 1 of a channel as 256 w1 + w0; 0 behind the end. */
static int32_t pair_of(const ts_layer *layer, uint32_t channel, uint32_t i) {
    uint64_t at = (uint64_t)channel * layer->x.c + i;
    int32_t w0 = i < layer->x.c ? ts_tensor_int(layer->weights, at) : 0;
    int32_t w1 = i + 1 < layer->x.c ? ts_tensor_int(layer->weights, at + 1) : 0;
    return 256 * w1 + w0;
}

static int64_t linear_offset(const ts_layer *layer, uint32_t channel, const row_sums *sums) {
    return middle_of(sums) - layer->x.zero * ts__armv7em_sum(layer, channel, false);
}

/* Pairs of 16 bits, sums of 24, and a requantisation that can be packed. */
static bool linear_channel_fits(const ts_layer *layer, uint32_t c) {
    row_sums sums = row_sums_of(layer, c);
    for (uint32_t i = 0; i < layer->x.c; i += 2) {
        if (pair_of(layer, c, i) < INT16_MIN) {
            return false;
        }
    }
    if (sums.high - sums.low >= (int64_t)1 << SUM_BITS) {
        return false;
    }
    int64_t reach = ts__armv7em_most(layer) * ts__armv7em_sum(layer, c, true);
    line found;
    return is_raw(layer)      ? true
           : is_tflite(layer) ? tflite_fits(&layer->rq, c, reach)
                              : line_of(layer, c, reach, linear_offset(layer, c, &sums), &found);
}

static bool is_linear(const ts_layer *layer) {
    bool is_row = layer->kind == TS_LAYER_LINEAR && layer->y.h == 1 && layer->y.w == 1;
    if (!is_row || !is_byte(layer->x.type) || layer->weights->type != TS_S8) {
        return false;
    }
    for (uint32_t c = 0; c < layer->y.c; c++) {
        if (!linear_channel_fits(layer, c)) {
            return false;
        }
    }
    return true;
}

static bool serves_linear(const ts_layer *layer) {
    return is_byte(layer->y.type) && !is_raw(layer) && is_linear(layer);
}

static bool serves_linear_raw(const ts_layer *layer) {
    return layer->y.type == TS_S32 && is_raw(layer) && is_linear(layer);
}

/* A quad of channels: the starts of their sums, groups of four weights of each, the parameters of each. */
static uint64_t linear_weight_bytes(const ts_layer *layer, uint32_t channels) {
    uint64_t channel = 4 + 4 * (uint64_t)ts__armv7em_runs(layer).groups + ts__armv7em_rq_bytes(layer);
    return (channels + QUAD - 1) / QUAD * QUAD * channel;
}

static void linear_pack(const ts_layer *layer, uint8_t *out) {
    uint32_t groups = ts__armv7em_runs(layer).groups;
    int64_t turned = layer->x.type == TS_U8 ? 255 - 256 * 128 : 127; /* what the kernel adds to 256 x0 */
    memset(out, 0, linear_weight_bytes(layer, layer->y.c));
    for (uint32_t c = 0; c < layer->y.c; c++) {
        uint32_t place = c % QUAD;
        uint8_t *quad = out + linear_weight_bytes(layer, c - place), *w = quad + 4 * QUAD;
        row_sums sums = row_sums_of(layer, c);
        ts__pack_word(quad + 4 * place, (uint32_t)(uint64_t)(-turned * sums.even - 256 * middle_of(&sums)));
        for (uint32_t g = 0; g < groups; g++) {
            uint32_t low = (uint32_t)pair_of(layer, c, 4 * g) & 0xffffu;
            ts__pack_word(w + 4 * (QUAD * g + place), low | (uint32_t)pair_of(layer, c, 4 * g + 2) << 16);
        }
        ts__armv7em_pack_rq(layer, c, ts__armv7em_most(layer) * ts__armv7em_sum(layer, c, true),
                            linear_offset(layer, c, &sums),
                            w + 4 * (uint64_t)QUAD * groups + place * ts__armv7em_rq_bytes(layer));
    }
}

static uint64_t linear_scratch(const ts_layer *layer, const ts_tile *tile, uint32_t cores) {
    (void)tile, (void)cores;
    return 8 * (uint64_t)ts__armv7em_runs(layer).groups;
}

static double linear_cycles(const ts_layer *layer, const ts_tile *tile, uint32_t cores) {
    uint32_t groups = ts__armv7em_runs(layer).groups;
    (void)cores;
    return 120 + 7.0 * groups + (tile->y_c + QUAD - 1) / QUAD * (14.5 * groups + 50);
}

/* ---- depthwise convolutions ------------------------------------------------------------------------- */

int64_t ts__armv7em_window_sum(const ts_layer *layer, uint32_t channel, bool magnitudes) {
    uint64_t taps = (uint64_t)layer->window.kernel_h * layer->window.kernel_w;
    int64_t sum = 0;
    for (uint64_t i = 0; i < taps; i++) {
        int32_t w = ts_tensor_int(layer->weights, taps * channel + i) - ts_weights_zero(layer->weights);
        sum += magnitudes && w < 0 ? -w : w;
    }
    return sum;
}

static bool serves_dw(const ts_layer *layer) {
    const ts_window *w = &layer->window;
    return layer->kind == TS_LAYER_DWCONV && is_byte(layer->x.type) && is_byte(layer->y.type) &&
           has_weights(layer) && w->dilation_h == 1 && w->dilation_w == 1 && w->pad_left < w->kernel_w &&
           ts__armv7em_rq_serves(layer, ts__armv7em_window_sum);
}

static bool serves_dw_k3(const ts_layer *layer) {
    const ts_window *w = &layer->window;
    return w->kernel_h == 3 && w->kernel_w == 3 && w->stride_h == w->stride_w && w->stride_h <= 2 &&
           serves_dw(layer);
}

/* Values of a row of the planes. */
static uint32_t k3_pitch(const ts_layer *layer, uint32_t y_w) {
    return layer->window.stride_w * 2 * ((y_w + 1) / 2) + 2;
}

static uint32_t any_pitch(const ts_layer *layer, uint32_t y_w) {
    const ts_window *w = &layer->window;
    return ((y_w - 1) * w->stride_w + (w->kernel_w + 1) / 2 * 2 + 1) / 2 * 2;
}

/* Four planes of a strip, as device/kernels/armv7em/dw_strip.h cuts them: strip_rows(). */
static uint64_t strip_bytes(const ts_layer *layer, const ts_tile *tile, uint64_t pitch) {
    uint64_t stride = layer->window.stride_h, k = layer->window.kernel_h;
    uint64_t room = (uint64_t)tile->x_h * tile->x_w * tile->y_c / (stride == 2 ? 6 : 8);
    room = room < 1024 ? 1024 : room > 4096 ? 4096 : room;
    uint64_t most = room / (8 * pitch), strip = most < k + stride ? 1 : (most - k) / stride + 1;
    strip = strip < tile->y_h ? strip : tile->y_h;
    return 8 * pitch * ((strip - 1) * stride + k);
}

static uint64_t k3_scratch(const ts_layer *layer, const ts_tile *tile, uint32_t cores) {
    (void)cores;
    return strip_bytes(layer, tile, k3_pitch(layer, tile->y_w));
}

static uint64_t any_scratch(const ts_layer *layer, const ts_tile *tile, uint32_t cores) {
    (void)cores;
    return strip_bytes(layer, tile, any_pitch(layer, tile->y_w));
}

static uint64_t k3_weight_bytes(const ts_layer *layer, uint32_t channels) {
    return (uint64_t)channels * (24 + ts__armv7em_rq_bytes(layer));
}

static uint32_t any_words(const ts_layer *layer) {
    return layer->window.kernel_h * ((layer->window.kernel_w + 1) / 2);
}

static uint64_t any_weight_bytes(const ts_layer *layer, uint32_t channels) {
    return (uint64_t)channels * (4 * any_words(layer) + ts__armv7em_rq_bytes(layer));
}

static void pack_dw_rq(const ts_layer *layer, uint32_t c, uint8_t *out) {
    ts__armv7em_pack_rq(layer, c, ts__armv7em_most(layer) * ts__armv7em_window_sum(layer, c, true),
                        -layer->x.zero * ts__armv7em_window_sum(layer, c, false), out);
}

/* Weight (row, column) of a channel as half a word; 0 behind the row's end. */
static uint32_t half_of(const ts_layer *layer, uint32_t c, uint32_t row, uint32_t column) {
    uint32_t k_h = layer->window.kernel_h, k_w = layer->window.kernel_w;
    uint64_t at = ((uint64_t)c * k_h + row) * k_w + column;
    int32_t zero = ts_weights_zero(layer->weights);
    return column < k_w ? (uint32_t)(ts_tensor_int(layer->weights, at) - zero) & 0xffffu : 0;
}

/* A row of the window as {w0 w1} and {w1 w2}. */
static void k3_pack(const ts_layer *layer, uint8_t *out) {
    for (uint32_t c = 0; c < layer->y.c; c++, out += 24 + ts__armv7em_rq_bytes(layer)) {
        for (uint32_t row = 0; row < 3; row++) {
            uint32_t w1 = half_of(layer, c, row, 1);
            ts__pack_word(out + 8 * row, half_of(layer, c, row, 0) | w1 << 16);
            ts__pack_word(out + 8 * row + 4, w1 | half_of(layer, c, row, 2) << 16);
        }
        pack_dw_rq(layer, c, out + 24);
    }
}

/* A row of the window in pairs. */
static void any_pack(const ts_layer *layer, uint8_t *out) {
    for (uint32_t c = 0; c < layer->y.c; c++, out += ts__armv7em_rq_bytes(layer)) {
        for (uint32_t row = 0; row < layer->window.kernel_h; row++) {
            for (uint32_t i = 0; i < layer->window.kernel_w; i += 2, out += 4) {
                ts__pack_word(out, half_of(layer, c, row, i) | half_of(layer, c, row, i + 1) << 16);
            }
        }
        pack_dw_rq(layer, c, out);
    }
}

static double k3_cycles(const ts_layer *layer, const ts_tile *tile, uint32_t cores) {
    double outputs = (double)tile->y_h * tile->y_w, stride = layer->window.stride_w;
    (void)cores;
    return tile->y_c * (80 + 30.0 * tile->y_h + outputs * (16 + 2.2 * stride * stride));
}

static double any_cycles(const ts_layer *layer, const ts_tile *tile, uint32_t cores) {
    double outputs = (double)tile->y_h * tile->y_w, k_h = layer->window.kernel_h;
    double stride = (double)layer->window.stride_h * layer->window.stride_w;
    (void)cores;
    return tile->y_c * (100 + outputs * (35 + 3 * k_h + 2.7 * any_words(layer) + 2.2 * stride));
}

static uint64_t no_scratch(const ts_layer *layer, const ts_tile *tile, uint32_t cores) {
    (void)layer, (void)tile, (void)cores;
    return 0;
}

/* ---- pooling -------------------------------------------------------------------------------------- */

static bool serves_max_pool(const ts_layer *layer) {
    return layer->kind == TS_LAYER_MAX_POOL && is_byte(layer->x.type) && layer->y.type == layer->x.type &&
           layer->rq.class_ == TS_RQC_NONE && layer->window.dilation_h == 1 && layer->window.dilation_w == 1;
}

int64_t ts__armv7em_taps(const ts_layer *layer, uint32_t channel, bool magnitudes) {
    (void)channel, (void)magnitudes;
    return (int64_t)layer->window.kernel_h * layer->window.kernel_w;
}

static bool serves_avg_pool(const ts_layer *layer) {
    const ts_window *w = &layer->window;
    bool padded = w->pad_top != 0 || w->pad_left != 0 || w->pad_bottom != 0 || w->pad_right != 0;
    return layer->kind == TS_LAYER_AVG_POOL && is_byte(layer->x.type) && is_byte(layer->y.type) &&
           w->dilation_h == 1 && w->dilation_w == 1 && ts__armv7em_taps(layer, 0, false) <= 255 &&
           (layer->x.zero == 0 || !padded) && layer->rq.class_ != TS_RQC_NONE &&
           ts__armv7em_rq_serves(layer, ts__armv7em_taps);
}

static uint64_t no_weight_bytes(const ts_layer *layer, uint32_t channels) {
    (void)layer, (void)channels;
    return 0;
}

static void pack_nothing(const ts_layer *layer, uint8_t *out) { (void)layer, (void)out; }

static uint64_t avg_weight_bytes(const ts_layer *layer, uint32_t channels) {
    return (uint64_t)channels * ts__armv7em_rq_bytes(layer);
}

static void avg_pack(const ts_layer *layer, uint8_t *out) {
    int64_t taps = ts__armv7em_taps(layer, 0, false);
    for (uint32_t c = 0; c < layer->y.c; c++) {
        ts__armv7em_pack_rq(layer, c, ts__armv7em_most(layer) * taps, -layer->x.zero * taps,
                            out + (uint64_t)c * ts__armv7em_rq_bytes(layer));
    }
}

static double pool_cycles(const ts_layer *layer, const ts_tile *tile, uint32_t cores) {
    double outputs = (double)tile->y_h * tile->y_w, taps = (double)ts__armv7em_taps(layer, 0, false);
    bool average = layer->kind == TS_LAYER_AVG_POOL;
    (void)cores;
    return 100 + outputs * (40 + (tile->y_c + 3) / 4 * (12 + 7 * taps + (average ? 60 : 0)));
}

/* ---- additions and bare requantisations, by tables --------------------------------------------------- */

enum { TABLE = 256, ADD_BYTES = 2 * TABLE * 4 + 12 };

static int64_t step_of(const ts_add_step *s, int64_t v) {
    return clip(floor_div((wide)v * s->mul + s->add, s->div), s->low, s->high);
}

/* The value that a byte holds. */
static int64_t value_of(ts_type type, uint32_t byte) {
    return type == TS_S8 && byte > 127 ? (int64_t)byte - 256 : (int64_t)byte;
}

static bool same_in_all(const ts_rq_plan *rq) {
    for (uint32_t c = 1; c < rq->channels; c++) {
        bool same = rq->k == NULL || (rq->k[c] == rq->k[0] && rq->l[c] == rq->l[0]);
        if (!same || (rq->tflite_shift != NULL && rq->tflite_shift[c] != rq->tflite_shift[0])) {
            return false;
        }
    }
    return true;
}

/* How the sum of the two steps becomes y: TFLite's way, or (sum k + l) >> shift. */
typedef struct add_plan {
    bool tflite;
    int64_t k, l;
    uint32_t shift;
    int64_t low, high; /* of the result */
} add_plan;

static bool is_identity(const ts_add_step *s) {
    return s->mul == 1 && s->add == 0 && s->div == 1 && s->low == INT32_MIN && s->high == INT32_MAX;
}

static bool add_plan_of(const ts_layer *layer, add_plan *out) {
    const ts_rq_plan *rq = &layer->rq;
    const ts_add_step *sum = &layer->sum;
    if (rq->class_ == TS_RQC_NONE) {
        bool shifts = sum->div > 0 && (sum->div & (sum->div - 1)) == 0 && sum->div <= (int64_t)1 << 31;
        *out = (add_plan){.k = sum->mul, .l = sum->add, .low = sum->low, .high = sum->high};
        out->shift = shifts ? (uint32_t)__builtin_ctzll((uint64_t)sum->div) : 0;
        return shifts;
    }
    *out = (add_plan){.tflite = rq->class_ == TS_RQC_TFLITE, .low = rq->low, .high = rq->high};
    out->k = rq->k[0];
    out->l = rq->l[0];
    out->shift = rq->shift;
    return is_identity(sum) && same_in_all(rq) && (out->tflite || rq->class_ == TS_RQC_S32);
}

/* The ends of what a step gives over all bytes. */
static void extremes(const ts_add_step *s, ts_type type, int64_t *low, int64_t *high) {
    int64_t a = step_of(s, ts_type_low(type)), b = step_of(s, ts_type_high(type));
    *low = a < b ? a : b;
    *high = a < b ? b : a;
}

static bool fits_s32(wide v) { return v >= INT32_MIN && v <= INT32_MAX; }

static bool serves_add(const ts_layer *layer) {
    add_plan p;
    if (layer->kind != TS_LAYER_ADD || !is_byte(layer->x.type) || !is_byte(layer->x2.type) ||
        !is_byte(layer->y.type) || !add_plan_of(layer, &p)) {
        return false;
    }
    int64_t low[2], high[2];
    extremes(&layer->in1, layer->x.type, &low[0], &high[0]);
    extremes(&layer->in2, layer->x2.type, &low[1], &high[1]);
    int64_t least = low[0] + low[1], most = high[0] + high[1];
    if (p.low > ts_type_low(layer->y.type) || p.high < ts_type_high(layer->y.type)) {
        return false; /* saturation does not clip to this */
    }
    if (p.tflite) {
        int64_t reach = most > -least ? most : -least;
        return reach > 0 && tflite_fits(&layer->rq, 0, reach) && low[0] > -(1 << 29) && low[1] > -(1 << 29) &&
               high[0] < 1 << 29 && high[1] < 1 << 29;
    }
    wide a = (wide)least * p.k, b = (wide)most * p.k;
    return fits_s32(p.k) && fits_s32(p.l) && fits_s32(a) && fits_s32(b) && fits_s32(a + p.l) &&
           fits_s32(b + p.l) && p.shift < 32;
}

static uint64_t add_weight_bytes(const ts_layer *layer, uint32_t channels) {
    (void)layer;
    return channels == 0 ? 0 : ADD_BYTES;
}

/* Sums for TFLite's way are doubled, with the bias in them. */
static void add_pack(const ts_layer *layer, uint8_t *out) {
    add_plan p;
    bool planned = add_plan_of(layer, &p);
    TS_ASSERT(planned, layer->name);
    int64_t scale = p.tflite ? 2 : 1, bias = p.tflite ? layer->rq.l[0] : 0;
    for (uint32_t i = 0; i < TABLE; i++) {
        int64_t a = scale * (step_of(&layer->in1, value_of(layer->x.type, i)) + bias);
        int64_t b = scale * step_of(&layer->in2, value_of(layer->x2.type, i));
        ts__pack_word(out + 4 * i, (uint32_t)(uint64_t)a);
        ts__pack_word(out + 4 * (TABLE + i), (uint32_t)(uint64_t)b);
    }
    uint8_t *words = out + 2 * TABLE * 4;
    uint32_t right = p.tflite ? (uint32_t)-layer->rq.tflite_shift[0] : p.shift;
    ts__pack_word(words, (uint32_t)(uint64_t)p.k);
    ts__pack_word(words + 4, p.tflite ? (1u << (right - 1)) + ((uint32_t)layer->rq.zero << right)
                                      : (uint32_t)(uint64_t)p.l);
    ts__pack_word(words + 8, right);
}

static double add_cycles(const ts_layer *layer, const ts_tile *tile, uint32_t cores) {
    (void)layer, (void)cores;
    return 80 + 12.25 * tile->y_h * tile->y_w * tile->y_c;
}

static double requant_cycles(const ts_layer *layer, const ts_tile *tile, uint32_t cores) {
    (void)layer, (void)cores;
    return 60 + 4.0 * tile->y_h * tile->y_w * tile->y_c;
}

const ts_kernel ts__kernels_armv7em[] = {
    {.name = "linear_armv7em",
     .isa = "armv7em",
     .stack_bytes = 256,
     .sources = "armv7em/linear_armv7em.c armv7em/linear_quad.S",
     .c_granule = 4,
     .in_order = true,
     .serves = serves_linear,
     .weight_bytes = linear_weight_bytes,
     .pack = linear_pack,
     .scratch_bytes = linear_scratch,
     .cycles = linear_cycles},
    {.name = "linear_armv7em_raw",
     .isa = "armv7em",
     .stack_bytes = 256,
     .sources = "armv7em/linear_armv7em.c armv7em/linear_quad.S",
     .c_granule = 4,
     .in_order = true,
     .serves = serves_linear_raw,
     .weight_bytes = linear_weight_bytes,
     .pack = linear_pack,
     .scratch_bytes = linear_scratch,
     .cycles = linear_cycles},
    {.name = "conv_armv7em",
     .isa = "armv7em",
     .stack_bytes = 256,
     .sources = "armv7em/conv_armv7em.c armv7em/conv_pair.S",
     .c_granule = 2,
     .in_order = true,
     .weights_zero = true,
     .serves = serves_conv,
     .weight_bytes = conv_weight_bytes,
     .pack = conv_pack,
     .scratch_bytes = conv_scratch,
     .cycles = conv_cycles},
    {.name = "conv_armv7em_raw",
     .isa = "armv7em",
     .stack_bytes = 256,
     .sources = "armv7em/conv_armv7em.c armv7em/conv_pair.S",
     .c_granule = 2,
     .in_order = true,
     .weights_zero = true,
     .serves = serves_conv_raw,
     .weight_bytes = conv_weight_bytes,
     .pack = conv_pack,
     .scratch_bytes = conv_scratch,
     .cycles = conv_cycles},
    {.name = "matmul_armv7em",
     .isa = "armv7em",
     .stack_bytes = 448,
     .sources = "armv7em/matmul_armv7em.c armv7em/conv_armv7em.c armv7em/conv_pair.S",
     .c_granule = 2,
     .serves = serves_matmul,
     .weight_bytes = matmul_weight_bytes,
     .pack = matmul_pack,
     .scratch_bytes = matmul_scratch,
     .cycles = matmul_cycles},
    {.name = "matmul_armv7em_raw",
     .isa = "armv7em",
     .stack_bytes = 448,
     .sources = "armv7em/matmul_armv7em.c armv7em/conv_armv7em.c armv7em/conv_pair.S",
     .c_granule = 2,
     .serves = serves_matmul_raw,
     .weight_bytes = matmul_weight_bytes,
     .pack = matmul_pack,
     .scratch_bytes = matmul_scratch,
     .cycles = matmul_cycles},
    {.name = "dwconv_armv7em_k3",
     .isa = "armv7em",
     .stack_bytes = 320,
     .sources = "armv7em/dwconv_armv7em.c armv7em/dw_gather.S armv7em/dw_k3.S",
     .c_granule = 1,
     .weights_zero = true,
     .serves = serves_dw_k3,
     .weight_bytes = k3_weight_bytes,
     .pack = k3_pack,
     .scratch_bytes = k3_scratch,
     .cycles = k3_cycles},
    {.name = "dwconv_armv7em_any",
     .isa = "armv7em",
     .stack_bytes = 320,
     .sources = "armv7em/dwconv_armv7em_any.c armv7em/dw_gather.S",
     .c_granule = 1,
     .weights_zero = true,
     .serves = serves_dw,
     .weight_bytes = any_weight_bytes,
     .pack = any_pack,
     .scratch_bytes = any_scratch,
     .cycles = any_cycles},
    {.name = "max_pool_armv7em",
     .isa = "armv7em",
     .stack_bytes = 192,
     .sources = "armv7em/pool_armv7em.c",
     .c_granule = 1,
     .in_order = true,
     .serves = serves_max_pool,
     .weight_bytes = no_weight_bytes,
     .pack = pack_nothing,
     .scratch_bytes = no_scratch,
     .cycles = pool_cycles},
    {.name = "avg_pool_armv7em",
     .isa = "armv7em",
     .stack_bytes = 192,
     .sources = "armv7em/pool_armv7em.c",
     .c_granule = 1,
     .in_order = true,
     .serves = serves_avg_pool,
     .weight_bytes = avg_weight_bytes,
     .pack = avg_pack,
     .scratch_bytes = no_scratch,
     .cycles = pool_cycles},
    {.name = "add_armv7em",
     .isa = "armv7em",
     .stack_bytes = 128,
     .sources = "armv7em/add_armv7em.c armv7em/add.S",
     .c_granule = 1,
     .in_order = true,
     .serves = serves_add,
     .weight_bytes = add_weight_bytes,
     .pack = add_pack,
     .scratch_bytes = no_scratch,
     .cycles = add_cycles},
    {.name = "requant_armv7em",
     .isa = "armv7em",
     .stack_bytes = 128,
     .sources = "armv7em/add_armv7em.c armv7em/add.S",
     .c_granule = 1,
     .in_order = true,
     .serves = ts__requant_table_serves,
     .weight_bytes = ts__requant_table_bytes,
     .pack = ts__requant_table_pack,
     .scratch_bytes = no_scratch,
     .cycles = requant_cycles},
};
const uint32_t ts__kernels_armv7em_count = sizeof ts__kernels_armv7em / sizeof *ts__kernels_armv7em;
