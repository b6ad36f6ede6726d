/* Rows of the xpulp kernels that convolve dense windows, and linear ones: RI5CY cores with the XpulpV2
 * extension. Costs are instruction counts, with a factor for L1 bank conflicts, fitted to the simulator
 * (docs/cost-model.md). */
#include <math.h>
#include <string.h>

#include "plan/kernel_xpulp.h"
#include "plan/requant_short.h"
#include "plan/strips.h"

enum { CHANNELS = 4, PIXELS = 4 };

/* How K lies in the packed weights and in the gathered windows (device/kernels/xpulp/conv_block.h). */
typedef struct k_layout {
    bool dense;
    uint32_t segments, segment_elements, words;
} k_layout;

/* Bytes from one pixel of x to the next where they are spread to words, else 0 (conv_block.h,
 * conv_is_spread()).
 */
static uint32_t spread_pitch(const ts_layer *layer) {
    const ts_window *w = &layer->window;
    uint32_t pitch = (uint32_t)div_up(layer->x.c, CHANNELS) * CHANNELS;
    bool spread = layer->kind == TS_LAYER_CONV && layer->x.type == TS_U8 &&
                  ts_type_bits(layer->y.type) >= 8 && w->kernel_h == 1 && w->kernel_w >= 5 &&
                  pitch != layer->x.c && (uint64_t)pitch * 8 <= (uint64_t)layer->x.c * 9 &&
                  (pitch == 12 || pitch % 8 == 0);
    return spread ? pitch : 0;
}

/* Of a pixel where the kernel reads it. */
static uint32_t x_pitch(const ts_layer *layer) {
    uint32_t pitch = spread_pitch(layer);
    return pitch != 0 ? pitch : layer->x.c;
}

static k_layout conv_k(const ts_layer *layer) {
    const ts_window *w = &layer->window;
    uint32_t row = x_pitch(layer);
    bool strung = w->kernel_h == 1 && w->dilation_w > 1;
    if (layer->kind == TS_LAYER_LINEAR) {
        uint32_t linear_words = (uint32_t)div_up((uint64_t)row, 4);
        return (k_layout){true, 1, layer->x.c, linear_words < 2 ? 2 : linear_words};
    }
    uint64_t segments = strung ? w->kernel_w : w->kernel_h,
             elements = (uint64_t)row * (strung ? 1 : w->kernel_w);
    uint64_t row_words = div_up(elements, 4) < 2 ? 2 : div_up(elements, 4);
    bool odd_rows = row_words * segments * 8 > div_up(segments * elements, 4) * 9;
    bool several = w->kernel_h * w->kernel_w > 1;
    k_layout k = {.dense = (is_wide(layer) && row % 4 != 0) ||
                           (several && (odd_rows || (w->kernel_h > 1 && w->dilation_w > 1)))};
    if (k.dense) {
        k.segments = 1;
        k.segment_elements = w->kernel_h * w->kernel_w * row;
    } else {
        k.segments = strung ? w->kernel_w : w->kernel_h;
        k.segment_elements = strung ? row : w->kernel_w * row;
    }
    k.words = (uint32_t)div_up(k.segment_elements, 4);
    k.words = k.words < 2 ? 2 : k.words;
    return k;
}

static bool serves_conv(const ts_layer *layer, ts_type x_type) {
    bool packs = ts_type_bits(layer->y.type) < 8 && x_type != TS_S16; /* conv_xpulp_sub8 is faster */
    return layer->kind == TS_LAYER_CONV && !packs && layer->groups == 1 && layer->x.type == x_type &&
           is_narrow(layer->weights->type) && folds_zero(layer);
}

static bool serves_conv_u8(const ts_layer *layer) { return serves_conv(layer, TS_U8); }
static bool serves_conv_s8(const ts_layer *layer) { return serves_conv(layer, TS_S8); }
static bool serves_conv_s16(const ts_layer *layer) {
    return serves_conv(layer, TS_S16) && layer->x.zero == 0;
}

static bool serves_halves(const ts_layer *layer) {
    bool dense = layer->kind == TS_LAYER_LINEAR || (layer->kind == TS_LAYER_CONV && layer->groups == 1);
    uint64_t taps = dense ? (uint64_t)layer->window.kernel_h * layer->window.kernel_w * layer->x.c : 0;
    return dense && is_wide(layer) && has_halves(layer) && layer->x.zero == 0 && taps < 1u << 15;
}

static uint64_t conv_weight_words_bytes(const ts_layer *layer) {
    k_layout k = conv_k(layer);
    return (uint64_t)k.words * k.segments * 4 * CHANNELS * (has_halves(layer) ? 2 : 1);
}

static uint64_t conv_group_bytes(const ts_layer *layer) {
    return conv_weight_words_bytes(layer) + (uint64_t)ts__params_bytes(&layer->rq) * CHANNELS;
}

static uint64_t conv_weight_bytes(const ts_layer *layer, uint32_t channels) {
    return div_up(channels, CHANNELS) * conv_group_bytes(layer);
}

/* One channel of a group: its word of every step, then its parameters. */
static void conv_pack_channel(const ts_layer *layer, const k_layout *k, uint32_t channel, uint32_t in_group,
                              uint8_t *group) {
    uint32_t row = layer->x.c, pitch = layer->kind == TS_LAYER_LINEAR ? row : x_pitch(layer);
    uint64_t taps = (uint64_t)k->segments * k->segment_elements / pitch * row;
    int64_t sum = 0;
    for (uint64_t i = 0; i < taps; i++) {
        int32_t value = has_halves(layer) ? ts_tensor_int(layer->weights, channel * taps + i)
                                          : ts_layer_weight_s8(layer, channel * taps + i);
        uint64_t element = i / row * pitch + i % row;
        uint64_t byte = element % k->segment_elements;
        uint64_t step = element / k->segment_elements * k->words + byte / 4;
        uint64_t at = (step * CHANNELS + in_group) * 4 + byte % 4;
        if (has_halves(layer)) {
            group[at] = (uint8_t)((uint32_t)value >> 8);
            at += conv_weight_words_bytes(layer) / 2;
        }
        group[at] = (uint8_t)value;
        sum += value;
    }
    uint8_t *params = group + conv_weight_words_bytes(layer);
    ts__pack_xpulp_params(layer, channel, -sum * layer->x.zero,
                          params + (uint64_t)in_group * ts__params_bytes(&layer->rq));
}

/* Channels [first, end) in groups. The last group has the last 4, those of the group before it once more
 * where their number is no multiple of 4 (device/kernels/xpulp/conv_block.h). */
static void conv_pack_groups(const ts_layer *layer, uint32_t first, uint32_t end, uint8_t *out) {
    k_layout k = conv_k(layer);
    for (uint32_t c = first; c < end; c += CHANNELS, out += conv_group_bytes(layer)) {
        uint32_t shift = end - c < CHANNELS ? CHANNELS - (end - c) : 0;
        for (uint32_t lane = c - first < shift ? shift : 0; lane < CHANNELS; lane++) {
            conv_pack_channel(layer, &k, c + lane - shift, lane, out);
        }
    }
}

static void conv_pack(const ts_layer *layer, uint8_t *out) {
    memset(out, 0, conv_weight_bytes(layer, layer->y.c));
    conv_pack_groups(layer, 0, layer->y.c, out);
}

static void linear_pack(const ts_layer *layer, uint8_t *out) {
    k_layout k = conv_k(layer);
    memset(out, 0, conv_weight_bytes(layer, layer->y.c));
    for (uint32_t c = 0; c < layer->y.c; c++) {
        conv_pack_channel(layer, &k, c, c % CHANNELS, out + c / CHANNELS * conv_group_bytes(layer));
    }
}

/* Windows of up to RUN_BYTES are gathered many at a time (device/kernels/xpulp/conv_block.h). */
enum { RUN_BYTES = 64, PATCH_BYTES = 896 };

static uint64_t window_bytes(const ts_layer *layer) {
    k_layout k = conv_k(layer);
    return (uint64_t)k.words * k.segments * (is_wide(layer) ? 8 : 4);
}

/* That a core gathers at a time, at most its share of the tile. */
static uint64_t patch_pixels(const ts_layer *layer, const ts_tile *tile, uint32_t cores) {
    uint64_t window = window_bytes(layer), share = div_up((uint64_t)tile->y_h * tile->y_w, PIXELS * cores);
    uint64_t most = window <= RUN_BYTES ? PATCH_BYTES / window / PIXELS : 1;
    return PIXELS * (share < most ? share : most);
}

/* Of x where its pixels are spread, its padding included. */
static uint64_t spread_bytes(const ts_layer *layer, const ts_tile *tile) {
    const ts_window *w = &layer->window;
    uint64_t columns = (uint64_t)(tile->y_w - 1) * w->stride_w + (w->kernel_w - 1) * w->dilation_w + 1;
    uint64_t rows = (uint64_t)(tile->y_h - 1) * w->stride_h + 1;
    uint64_t all_columns = (uint64_t)tile->x_w + w->pad_left + w->pad_right;
    uint64_t all_rows = (uint64_t)tile->x_h + w->pad_top + w->pad_bottom;
    return (columns < all_columns ? all_columns : columns) * (rows < all_rows ? all_rows : rows) *
           spread_pitch(layer);
}

static uint64_t conv_scratch_bytes(const ts_layer *layer, const ts_tile *tile, uint32_t cores) {
    const ts_window *w = &layer->window;
    k_layout k = conv_k(layer);
    uint64_t spread = spread_bytes(layer, tile);
    uint64_t found = is_wide(layer) && !k.dense ? sizeof(uint32_t) : 0; /* where x is split in place */
    if (!k.dense && w->pad_top + w->pad_left + w->pad_bottom + w->pad_right == 0) {
        return found * cores + spread; /* every window lies inside x */
    }
    return spread + (patch_pixels(layer, tile, cores) * window_bytes(layer) + 16 + found) * cores;
}

/* Splitting x of 16 bits in place. */
static double conv_x_cycles(const ts_layer *layer, const ts_tile *tile, uint32_t cores) {
    double elements = (double)tile->x_h * tile->x_w * layer->x.c;
    return conv_k(layer).dense ? 0 : 60 + 2.1 * elements / cores;
}

/* Outputs along one axis whose window leaves x: what the tile's x lacks of what its outputs span. */
static uint32_t outer_lines(uint32_t out, uint32_t in, uint32_t kernel, uint32_t stride, uint32_t dilation) {
    uint32_t span = (out - 1) * stride + (kernel - 1) * dilation + 1;
    uint32_t lines = span > in ? (uint32_t)div_up(span - in, stride) : 0;
    return lines < out ? lines : out;
}

double ts__conv_requant_cycles(const ts_layer *layer) {
    double bounds = ts__has_odd_bounds(layer) ? 18 : 0;
    bool in_line = ts__requantises_in_line(layer);
    switch (layer->rq.class_) {
        case TS_RQC_S32:
            return in_line ? 74 + bounds : 1200;
        case TS_RQC_S32C:
            return in_line ? 91 + bounds : 1200;
        case TS_RQC_S32D:
            return in_line ? 116 + bounds : 1400;
        case TS_RQC_S32DC:
            return in_line ? 132 : 1400;
        case TS_RQC_S32R:
            return in_line ? 154 : 1400;
        case TS_RQC_S32RC:
            return in_line ? 170 : 1400;
        case TS_RQC_TFLITE:
            return 900;
        case TS_RQC_NONE:
            return 160;
        case TS_RQC_S64:
            return layer->rq.div > 0 && (layer->rq.div & (layer->rq.div - 1)) == 0 ? 1000 : 1400;
        default:
            return 1200;
    }
}

static double conv_cycles(const ts_layer *layer, const ts_tile *tile, uint32_t cores) {
    const ts_window *w = &layer->window;
    k_layout k = conv_k(layer);
    uint64_t inner = 0, pixels = (uint64_t)tile->y_h * tile->y_w;
    uint32_t outer_columns = outer_lines(tile->y_w, tile->x_w, w->kernel_w, w->stride_w, w->dilation_w);
    if (!k.dense) {
        inner = (uint64_t)(tile->y_h -
                           outer_lines(tile->y_h, tile->x_h, w->kernel_h, w->stride_h, w->dilation_h)) *
                (tile->y_w - outer_columns);
    }
    double groups = (double)div_up(tile->y_c, CHANNELS);
    double inner_items = (double)div_up(inner, PIXELS) * groups;
    double outer_items = (double)div_up(pixels - inner, PIXELS) * groups;
    double k_words = (double)k.words * k.segments;
    double item = (has_halves(layer) ? 4 * (24 * k_words + 70) + 700 : 24 * k_words) +
                  ts__conv_requant_cycles(layer) + (k.segments > 1 ? 12 + 3.0 * k.segments : 0);
    item += is_wide(layer) ? 14 : 0; /* no element above 255: else 24 more a word */
    bool line = w->kernel_h * w->kernel_w == 1 && w->stride_h * w->stride_w == 1;
    line = line || (w->kernel_h == 1 && tile->y_h == 1 && inner == pixels);
    bool runs = k.dense && k_words * (is_wide(layer) ? 8 : 4) <= RUN_BYTES;
    double calls = (tile->y_w % PIXELS == 0 ? 1.0 : 2.0) * PIXELS / tile->y_w; /* a block of pixels */
    double block = 25 + (line || runs ? 0 : 160 * fmin(calls, 1));
    bool tail = tile->y_c % CHANNELS != 0; /* the last channels in calls of their own */
    block += tail && tile->y_c < CHANNELS ? 90 : tail && !line && !runs ? 80 * fmin(calls, 1) : 0;
    uint32_t pitch = spread_pitch(layer);
    double spread = pitch == 0 ? 0 : 60 + (4 + 3.0 * pitch / 4) * ceil((double)tile->x_w / cores) * tile->x_h;
    double crossing = pitch != 0 || layer->x.pixel_bytes % 4 == 0 ? 0
                      : layer->x.pixel_bytes % 2 == 0             ? 0.5
                                                                  : 0.75;
    item += runs ? 0 : PIXELS * k_words * crossing; /* loads of x that cross a word */
    double row_words = ceil(w->kernel_w * layer->x.pixel_bytes / 4.0);
    double gather = runs ? 4 * (18 + 220 / fmin(tile->y_w, (double)patch_pixels(layer, tile, cores)) +
                                3.5 * row_words * w->kernel_h)
                         : 150 + 4 * (300 + k_words * 6 + 14.0 * w->kernel_h);
    double share = ceil((inner_items + outer_items) / cores);
    double outer_blocks = outer_items > 0 ? floor(ceil(outer_items / cores) / groups) + 1 : 0;
    double columns = k.dense ? ceil((double)outer_columns * tile->y_h / cores) : 0;
    return 350 + (tail ? 160 : 0) + spread +
           1.035 * (share * item + ceil(share / groups) * block + outer_blocks * gather + columns * 320);
}

/* The tile that the caller filled up with padding: no window leaves it. */
static double padded_cycles(const ts_layer *layer, const ts_tile *tile, uint32_t cores) {
    const ts_window *w = &layer->window;
    ts_tile whole = *tile;
    whole.x_h = (tile->y_h - 1) * w->stride_h + (w->kernel_h - 1) * w->dilation_h + 1;
    whole.x_w = (tile->y_w - 1) * w->stride_w + (w->kernel_w - 1) * w->dilation_w + 1;
    return conv_cycles(layer, &whole, cores);
}

static uint64_t halves_scratch_bytes(const ts_layer *layer, const ts_tile *tile, uint32_t cores) {
    return conv_scratch_bytes(layer, tile, cores) + sizeof(uint32_t) * (uint64_t)cores;
}

static bool has_pads(const ts_layer *layer) {
    const ts_window *w = &layer->window;
    return w->pad_top + w->pad_left + w->pad_bottom + w->pad_right > 0;
}

/* Worth its border where windows that leave x would have to be gathered one by one. */
static bool serves_padded(const ts_layer *layer, ts_type x_type) {
    return serves_conv(layer, x_type) && (x_type != TS_S16 || layer->x.zero == 0) && has_pads(layer) &&
           (x_type == TS_U8 || !conv_k(layer).dense);
}

static bool serves_conv_u8_padded(const ts_layer *layer) { return serves_padded(layer, TS_U8); }
static bool serves_conv_s8_padded(const ts_layer *layer) { return serves_padded(layer, TS_S8); }
static bool serves_conv_s16_padded(const ts_layer *layer) { return serves_padded(layer, TS_S16); }

static bool serves_halves_padded(const ts_layer *layer) {
    return serves_halves(layer) && layer->kind == TS_LAYER_CONV && has_pads(layer) && !conv_k(layer).dense;
}

/* Blocks of pixels must be quads: whole rows of them, all windows inside x or all of them gathered. */
static bool writes_quads(const ts_layer *layer) {
    bool rounds = layer->rq.class_ == TS_RQC_S32R || layer->rq.class_ == TS_RQC_S32RC;
    return layer->y.w % PIXELS == 0 && layer->y.c % CHANNELS == 0 && ts_type_bits(layer->y.type) == 8 &&
           ts__requantises_in_line(layer) && !rounds;
}

static bool serves_quads(const ts_layer *layer, ts_type x_type) {
    return serves_conv(layer, x_type) && (x_type != TS_S16 || layer->x.zero == 0) && writes_quads(layer) &&
           (!has_pads(layer) || conv_k(layer).dense);
}

static bool serves_conv_u8_quads(const ts_layer *layer) { return serves_quads(layer, TS_U8); }
static bool serves_conv_s8_quads(const ts_layer *layer) { return serves_quads(layer, TS_S8); }
static bool serves_conv_s16_quads(const ts_layer *layer) { return serves_quads(layer, TS_S16); }

/* First layers and others whose windows are short (device/kernels/xpulp/conv_strips.h). */
static bool serves_strips(const ts_layer *layer, ts_type x_type) {
    const ts_window *w = &layer->window;
    return serves_conv(layer, x_type) && conv_k(layer).dense && window_bytes(layer) <= RUN_BYTES &&
           ts__requantises_in_line(layer) && ts_type_bits(layer->y.type) == 8 && layer->y.c % CHANNELS == 0 &&
           w->dilation_h == 1 && w->dilation_w == 1 && w->stride_w <= w->kernel_w &&
           layer->x.w >= w->kernel_w && w->pad_top < w->kernel_h && w->pad_bottom < w->kernel_h &&
           w->pad_left < w->kernel_w && w->pad_right < w->kernel_w;
}

static bool serves_conv_u8_strips(const ts_layer *layer) { return serves_strips(layer, TS_U8); }
static bool serves_conv_s8_strips(const ts_layer *layer) { return serves_strips(layer, TS_S8); }

static bool serves_conv_u8_strips_quads(const ts_layer *layer) {
    return serves_conv_u8_strips(layer) && writes_quads(layer);
}

/* Whole blocks are shared. */
static double strips_cycles(const ts_layer *layer, const ts_tile *tile, uint32_t cores) {
    const ts_window *w = &layer->window;
    const ts_x_strips s = ts_x_strips_of(layer, tile);
    double groups = (double)div_up(tile->y_c, CHANNELS);
    double blocks = (double)div_up(div_up(tile->y_w, PIXELS) * tile->y_h, cores);
    double item = 24.0 * conv_k(layer).words + ts__conv_requant_cycles(layer);
    double calls = ceil(blocks * s.copies / tile->y_h) + 1;
    double lines = fmax((double)(tile->y_h - 1) * w->stride_h + w->kernel_h - tile->x_h, 0); /* padding */
    double sides = outer_lines(tile->y_w, tile->x_w, w->kernel_w, w->stride_w, 1);
    double pads =
        lines + sides == 0 ? 0 : 40 + (double)div_up(s.strips, cores) * (20 + 5 * lines * s.line_bytes);
    pads += sides * s.copies * (20 + (20 + 2.5 * s.line_bytes) * (double)div_up(tile->x_h, cores));
    return 300 + pads + 30 * calls + 1.016 * blocks * (groups * item + 25);
}

/* Pointwise convolutions of few channels into quads (device/kernels/xpulp/conv_narrow.inc): a pair of
 * channels and 4 pixels. 0 where these routines do not serve the layer. */
static double narrow_pair_cycles(const ts_layer *layer) {
    const ts_window *w = &layer->window;
    bool serves = w->kernel_h * w->kernel_w == 1 && w->stride_h * w->stride_w == 1 &&
                  (layer->x.pixel_bytes == 8 || layer->x.pixel_bytes == 16) && !ts__has_odd_bounds(layer);
    double dots = 3.0 * layer->x.pixel_bytes;
    switch (layer->rq.class_) {
        case TS_RQC_S32:
            return serves ? dots + 31 : 0;
        case TS_RQC_S32C:
            return serves ? dots + 39 : 0;
        case TS_RQC_S32D:
            return serves ? dots + 47 : 0;
        default:
            return 0;
    }
}

static bool serves_conv_u8_narrow(const ts_layer *layer) {
    return serves_quads(layer, TS_U8) && narrow_pair_cycles(layer) > 0;
}
static bool serves_conv_s8_narrow(const ts_layer *layer) {
    return serves_quads(layer, TS_S8) && narrow_pair_cycles(layer) > 0;
}

/* Where a core has few blocks the others compute them. */
static double narrow_cycles(const ts_layer *layer, const ts_tile *tile, uint32_t cores) {
    double groups = (double)div_up(tile->y_c, CHANNELS);
    double share = ceil((double)div_up((uint64_t)tile->y_h * tile->y_w, PIXELS) * groups / cores);
    return share >= 4 * groups ? 350 + 1.035 * (share * 2 * narrow_pair_cycles(layer) + groups * 70)
                               : conv_cycles(layer, tile, cores);
}

/* Three channels, 3x3 (device/kernels/xpulp/conv_k3c3.h). */
enum { K3C3_TAPS = 27, K3C3_PIXELS = 512, K3C3_BYTES = 28, K3C3_PAIR_BYTES = 80 };

/* What a channel's accumulator reaches, whatever bytes x holds. */
static ts_acc_range reach_of(const ts_layer *layer, uint32_t channel) {
    ts_acc_range acc = {0, 0};
    for (uint64_t i = 0; i < K3C3_TAPS; i++) {
        int32_t weight = ts_layer_weight_s8(layer, (uint64_t)channel * K3C3_TAPS + i);
        *(weight < 0 ? &acc.low : &acc.high) += weight * INT64_C(255);
    }
    return acc;
}

static bool serves_conv_k3c3(const ts_layer *layer) {
    const ts_window *w = &layer->window;
    bool serves = serves_conv_u8(layer) && w->kernel_h == 3 && w->kernel_w == 3 && layer->x.c == 3 &&
                  w->dilation_h * w->dilation_w == 1 && layer->x.zero == 0 && is_full_u8(layer) &&
                  layer->rq.class_ == TS_RQC_S32D && layer->y.c % CHANNELS == 0;
    for (uint32_t c = 0; serves && c < layer->y.c; c++) {
        ts_short_rq rq;
        serves = ts__short_rq(&layer->rq, c, reach_of(layer, c), &rq);
    }
    return serves;
}

static bool serves_conv_k3c3_quads(const ts_layer *layer) {
    return layer->y.w % PIXELS == 0 && serves_conv_k3c3(layer);
}

static uint64_t k3c3_weight_bytes(const ts_layer *layer, uint32_t channels) {
    (void)layer;
    return div_up(channels, CHANNELS) * CHANNELS / 2 * K3C3_PAIR_BYTES;
}

/* Where a weight's byte of x lies in a window. */
static uint32_t k3c3_place(uint32_t i) { return i % 9 == 0 ? 24 + i / 9 : i / 9 * 8 + i % 9 - 1; }

/* A channel, the first or second of its pair. */
static void k3c3_pack_channel(const ts_layer *layer, uint32_t channel, uint32_t in_pair, uint8_t *pair) {
    ts_short_rq rq;
    bool found = ts__short_rq(&layer->rq, channel, reach_of(layer, channel), &rq);
    TS_ASSERT(found, "conv_k3c3 packs a channel without a short form");
    for (uint32_t i = 0; i < K3C3_TAPS; i++) {
        uint32_t at = k3c3_place(i);
        pair[at / 4 * 8 + in_pair * 4 + at % 4] =
            (uint8_t)ts_layer_weight_s8(layer, (uint64_t)channel * K3C3_TAPS + i);
    }
    pair[K3C3_BYTES * 2 - 4 + in_pair * 4 - 1] = (uint8_t)rq.bias;
    uint8_t *params = pair + K3C3_BYTES * 2 + in_pair * 12;
    ts__pack_word(params, (uint32_t)rq.k2);
    ts__pack_word(params + 4, (uint32_t)rq.k);
    ts__pack_word(params + 8, (uint32_t)rq.l);
}

/* Pairs are channels beside each other, or two apart. */
static void k3c3_pack_pairs(const ts_layer *layer, bool apart, uint8_t *out) {
    memset(out, 0, k3c3_weight_bytes(layer, layer->y.c));
    for (uint32_t c = 0; c < layer->y.c; c++) {
        uint32_t high = c % CHANNELS / 2, low = c % 2, pair = c / CHANNELS * 2 + (apart ? low : high);
        k3c3_pack_channel(layer, c, apart ? high : low, out + pair * K3C3_PAIR_BYTES);
    }
}

static void k3c3_pack(const ts_layer *layer, uint8_t *out) { k3c3_pack_pairs(layer, false, out); }
static void k3c3_pack_quads(const ts_layer *layer, uint8_t *out) { k3c3_pack_pairs(layer, true, out); }

/* Outputs that the team gathers at a time, at most. */
static uint64_t k3c3_part(const ts_tile *tile) {
    uint64_t outputs = div_up((uint64_t)tile->y_h * tile->y_w, PIXELS) * PIXELS;
    return outputs < K3C3_PIXELS ? outputs : K3C3_PIXELS;
}

static uint64_t k3c3_scratch_bytes(const ts_layer *layer, const ts_tile *tile, uint32_t cores) {
    (void)layer, (void)cores;
    return k3c3_part(tile) * K3C3_BYTES;
}

/* Windows are gathered two at a time where rows of x are whole words, and at the sides one by one where not.
 */
static double k3c3_cycles(const ts_layer *layer, const ts_tile *tile, uint32_t cores) {
    const ts_window *w = &layer->window;
    uint64_t outputs = (uint64_t)tile->y_h * tile->y_w;
    double parts = ceil((double)outputs / (double)k3c3_part(tile));
    double pairs = tile->y_c / 2.0, blocks = ceil((double)outputs / PIXELS) * pairs / cores;
    bool words = w->stride_w == 2 && tile->x_w % 4 == 0, even = tile->y_c / 2 % cores == 0;
    double sides = words ? 0 : outer_lines(tile->y_w, tile->x_w, w->kernel_w, w->stride_w, w->dilation_w);
    double gather =
        (double)outputs / cores * (words ? 20 : 28) + sides * ceil((double)tile->y_h / cores) * 200;
    return 150 + 125.5 * blocks + gather +
           parts * (even ? 250 + pairs / cores * 55 : 450 + ceil(pairs / cores) * 90);
}

static bool serves_conv_u8_padded_quads(const ts_layer *layer) {
    return serves_conv_u8_padded(layer) && writes_quads(layer);
}
static bool serves_conv_s8_padded_quads(const ts_layer *layer) {
    return serves_conv_s8_padded(layer) && writes_quads(layer);
}
static bool serves_conv_s16_padded_quads(const ts_layer *layer) {
    return serves_conv_s16_padded(layer) && writes_quads(layer);
}

static uint64_t padded_wide_scratch_bytes(const ts_layer *layer, const ts_tile *tile, uint32_t cores) {
    (void)layer, (void)tile;
    return sizeof(uint32_t) * (uint64_t)cores;
}

static uint64_t padded_scratch_bytes(const ts_layer *layer, const ts_tile *tile, uint32_t cores) {
    return conv_k(layer).dense ? conv_scratch_bytes(layer, tile, cores) : spread_bytes(layer, tile);
}

/* Elements of 4 and 2 bits (device/kernels/xpulp/conv_xpulp_sub8.c). */
static bool is_byte_or_less(ts_type type) { return ts_type_bits(type) <= 8; }

static bool serves_conv_sub8(const ts_layer *layer) {
    bool dense = layer->kind == TS_LAYER_LINEAR || (layer->kind == TS_LAYER_CONV && layer->groups == 1);
    bool less = ts_type_bits(layer->x.type) < 8 || ts_type_bits(layer->y.type) < 8;
    return dense && less && is_byte_or_less(layer->x.type) && is_narrow(layer->weights->type) &&
           folds_zero(layer);
}

static uint64_t sub8_scratch_bytes(const ts_layer *layer, const ts_tile *tile, uint32_t cores) {
    const ts_window *w = &layer->window;
    uint64_t bytes = 0;
    bool unpacks = ts_type_bits(layer->x.type) < 8, dense = conv_k(layer).dense;
    if (unpacks) {
        uint64_t h = (uint64_t)(tile->y_h - 1) * w->stride_h + (w->kernel_h - 1) * w->dilation_h + 1;
        uint64_t v = (uint64_t)(tile->y_w - 1) * w->stride_w + (w->kernel_w - 1) * w->dilation_w + 1;
        bytes += h * (div_up(v * layer->x.c + 16, 4) * 4);
    }
    if (ts_type_bits(layer->y.type) < 8) {
        bytes += (uint64_t)tile->y_h * tile->y_w * (div_up(tile->y_c, 4) * 4);
    }
    return bytes + (unpacks && !dense ? 16 : conv_scratch_bytes(layer, tile, cores) + 16);
}

static double sub8_cycles(const ts_layer *layer, const ts_tile *tile, uint32_t cores) {
    bool unpacks = ts_type_bits(layer->x.type) < 8;
    return ts__turn_cycles(layer, tile, cores) + (unpacks ? padded_cycles : conv_cycles)(layer, tile, cores);
}

/* Weights of 9 bits (device/kernels/xpulp/excess.h). */
static bool serves_conv_u8s9(const ts_layer *layer) { return ts__has_excess(layer) && serves_conv_u8(layer); }
static bool serves_conv_u8s9_padded(const ts_layer *layer) {
    return ts__has_excess(layer) && serves_conv_u8_padded(layer);
}

static uint64_t conv_u8s9_part_bytes(const ts_layer *layer, uint32_t first) {
    uint32_t end = layer->y.c - first < EXCESS_CHANNELS ? layer->y.c : first + EXCESS_CHANNELS;
    return EXCESS_HEAD + conv_weight_bytes(layer, end - first) + ts__excess_record_bytes(layer, first, end);
}

/* All parts but the last have room for the most records: one buffer fits each. */
static uint64_t conv_u8s9_weight_bytes(const ts_layer *layer, uint32_t channels) {
    uint64_t most = 0, last = 0;
    for (uint32_t first = 0; first < layer->y.c; first += EXCESS_CHANNELS) {
        last = conv_u8s9_part_bytes(layer, first);
        most = last > most ? last : most;
    }
    uint64_t parts = div_up(channels, EXCESS_CHANNELS);
    return channels < layer->y.c || parts == 0 ? parts * most : (parts - 1) * most + last;
}

static void conv_u8s9_pack(const ts_layer *layer, uint8_t *out) {
    uint64_t part_bytes =
        conv_u8s9_weight_bytes(layer, layer->y.c < EXCESS_CHANNELS ? layer->y.c : EXCESS_CHANNELS);
    memset(out, 0, conv_u8s9_weight_bytes(layer, layer->y.c));
    for (uint32_t first = 0; first < layer->y.c; first += EXCESS_CHANNELS, out += part_bytes) {
        uint32_t end = layer->y.c - first < EXCESS_CHANNELS ? layer->y.c : first + EXCESS_CHANNELS;
        conv_pack_groups(layer, first, end, out + EXCESS_HEAD);
        ts__excess_pack_part(layer, first, end, conv_weight_bytes(layer, end - first), part_bytes, out);
    }
}

static double parts_cycles(const ts_layer *layer, const ts_tile *tile, uint32_t cores, bool padded) {
    double cycles = ts__excess_cycles(layer, tile, cores);
    for (uint32_t c = 0; c < tile->y_c; c += EXCESS_CHANNELS) {
        ts_tile part = *tile;
        part.y_c = tile->y_c - c < EXCESS_CHANNELS ? tile->y_c - c : EXCESS_CHANNELS;
        cycles += (padded ? padded_cycles : conv_cycles)(layer, &part, cores);
    }
    return cycles;
}

static double conv_u8s9_cycles(const ts_layer *layer, const ts_tile *tile, uint32_t cores) {
    return parts_cycles(layer, tile, cores, false);
}

static double conv_u8s9_padded_cycles(const ts_layer *layer, const ts_tile *tile, uint32_t cores) {
    return parts_cycles(layer, tile, cores, true);
}

static bool serves_linear(const ts_layer *layer, ts_type x_type) {
    return layer->kind == TS_LAYER_LINEAR && layer->x.type == x_type && is_narrow(layer->weights->type) &&
           ts_type_bits(layer->y.type) >= 8 && folds_zero(layer);
}

static bool serves_linear_u8(const ts_layer *layer) { return serves_linear(layer, TS_U8); }

static bool serves_linear_s8(const ts_layer *layer) { return serves_linear(layer, TS_S8); }

static bool serves_linear_s16(const ts_layer *layer) {
    return serves_linear(layer, TS_S16) && layer->x.zero == 0;
}

/* Cores that share a group of channels (device/kernels/xpulp/linear_xpulp.c, linear_parts_log2()). */
static uint32_t linear_parts(const ts_layer *layer, uint32_t groups, uint32_t cores) {
    uint32_t words = conv_k(layer).words, best = 1, least = groups * cores;
    for (uint32_t parts = 1; groups < 2 * cores && cores % parts == 0 && words >= parts * 4; parts *= 2) {
        uint32_t work = (uint32_t)div_up((uint64_t)groups * parts, cores) * cores / parts;
        if (work < least) {
            best = parts;
            least = work;
        }
    }
    return best;
}

/* Enough for border tiles too: fewer groups may be shared by more cores. */
static uint64_t linear_scratch_bytes(const ts_layer *layer, const ts_tile *tile, uint32_t cores) {
    uint64_t most = 0;
    for (uint32_t groups = 1; groups <= div_up(tile->y_c, CHANNELS) && groups < 2 * cores; groups++) {
        uint32_t parts = linear_parts(layer, groups, cores);
        uint64_t bytes = parts == 1 ? 0 : (uint64_t)groups * CHANNELS * 4 * parts;
        most = bytes > most ? bytes : most;
    }
    return most;
}

static double linear_cycles(const ts_layer *layer, const ts_tile *tile, uint32_t cores) {
    uint32_t all_groups = (uint32_t)div_up(tile->y_c, CHANNELS),
             parts = linear_parts(layer, all_groups, cores);
    double groups = (double)div_up(all_groups, cores / parts), pairs = is_wide(layer) ? 0 : floor(groups / 2);
    double words = (double)div_up(conv_k(layer).words, parts);
    double each = layer->rq.class_ == TS_RQC_NONE ? 7 : 40;
    double channels = parts == 1 ? groups * CHANNELS : ceil((double)tile->y_c / cores);
    double apart = parts == 1 ? 0 : 60 + channels * (40 + 6.0 * parts);
    if (layer->rq.class_ == TS_RQC_NONE && !is_wide(layer) && tile->y_c % (2 * CHANNELS * cores) == 0) {
        return 40 + pairs * (1.04 * 17 * words + 115);
    }
    return 230 +
           1.04 *
               (pairs * (17 * words + 60) + (groups - 2 * pairs) * ((is_wide(layer) ? 17 : 9) * words + 45)) +
           channels * each + apart;
}

const ts_kernel ts__kernels_xpulp[] = {
    {.name = "conv_xpulp_u8s8_k3c3",
     .isa = "xpulp",
     .sources = "xpulp/conv_xpulp_u8s8_k3c3.c xpulp/conv_u8s8_k3c3.S",
     .c_granule = CHANNELS,
     .stack_bytes = 288,
     .serves = serves_conv_k3c3,
     .weight_bytes = k3c3_weight_bytes,
     .pack = k3c3_pack,
     .scratch_bytes = k3c3_scratch_bytes,
     .cycles = k3c3_cycles},
    {.name = "conv_xpulp_u8s8_k3c3_quads",
     .isa = "xpulp",
     .sources = "xpulp/conv_xpulp_u8s8_k3c3_quads.c xpulp/conv_u8s8_k3c3.S",
     .c_granule = CHANNELS,
     .stack_bytes = 288,
     .y_quads = true,
     .serves = serves_conv_k3c3_quads,
     .weight_bytes = k3c3_weight_bytes,
     .pack = k3c3_pack_quads,
     .scratch_bytes = k3c3_scratch_bytes,
     .cycles = k3c3_cycles},
    {.name = "conv_xpulp_u8s8_4x4_padded",
     .isa = "xpulp",
     .sources = "xpulp/conv_xpulp_u8s8_4x4.c xpulp/conv_u8s8_4x4.S xpulp/conv_gather.S",
     .c_granule = CHANNELS,
     .stack_bytes = 816,
     .padded_x = true,
     .serves = serves_conv_u8_padded,
     .weight_bytes = conv_weight_bytes,
     .pack = conv_pack,
     .scratch_bytes = padded_scratch_bytes,
     .cycles = padded_cycles},
    {.name = "conv_xpulp_u8s8_4x4",
     .isa = "xpulp",
     .sources = "xpulp/conv_xpulp_u8s8_4x4.c xpulp/conv_u8s8_4x4.S xpulp/conv_gather.S",
     .c_granule = CHANNELS,
     .stack_bytes = 816,
     .serves = serves_conv_u8,
     .weight_bytes = conv_weight_bytes,
     .pack = conv_pack,
     .scratch_bytes = conv_scratch_bytes,
     .cycles = conv_cycles},
    {.name = "conv_xpulp_u8s8_strips",
     .isa = "xpulp",
     .sources = "xpulp/conv_xpulp_u8s8_strips.c xpulp/strips.c xpulp/conv_u8s8_4x4.S",
     .c_granule = CHANNELS,
     .stack_bytes = 400,
     .x_strips = true,
     .serves = serves_conv_u8_strips,
     .weight_bytes = conv_weight_bytes,
     .pack = conv_pack,
     .scratch_bytes = no_scratch,
     .cycles = strips_cycles},
    {.name = "conv_xpulp_u8s9_4x4_padded",
     .isa = "xpulp",
     .sources = "xpulp/conv_xpulp_u8s9_4x4.c xpulp/conv_xpulp_u8s8_4x4.c xpulp/conv_u8s8_4x4.S "
                "xpulp/conv_gather.S",
     .c_granule = EXCESS_CHANNELS,
     .stack_bytes = 1040,
     .padded_x = true,
     .weights_zero = true,
     .serves = serves_conv_u8s9_padded,
     .weight_bytes = conv_u8s9_weight_bytes,
     .pack = conv_u8s9_pack,
     .scratch_bytes = padded_scratch_bytes,
     .cycles = conv_u8s9_padded_cycles},
    {.name = "conv_xpulp_u8s9_4x4",
     .isa = "xpulp",
     .sources = "xpulp/conv_xpulp_u8s9_4x4.c xpulp/conv_xpulp_u8s8_4x4.c xpulp/conv_u8s8_4x4.S "
                "xpulp/conv_gather.S",
     .c_granule = EXCESS_CHANNELS,
     .stack_bytes = 1040,
     .weights_zero = true,
     .serves = serves_conv_u8s9,
     .weight_bytes = conv_u8s9_weight_bytes,
     .pack = conv_u8s9_pack,
     .scratch_bytes = conv_scratch_bytes,
     .cycles = conv_u8s9_cycles},
    {.name = "conv_xpulp_s8s8_4x4_padded",
     .isa = "xpulp",
     .sources = "xpulp/conv_xpulp_s8s8_4x4.c xpulp/conv_s8s8_4x4.S xpulp/conv_gather.S",
     .c_granule = CHANNELS,
     .stack_bytes = 816,
     .padded_x = true,
     .serves = serves_conv_s8_padded,
     .weight_bytes = conv_weight_bytes,
     .pack = conv_pack,
     .scratch_bytes = no_scratch,
     .cycles = padded_cycles},
    {.name = "conv_xpulp_s8s8_4x4",
     .isa = "xpulp",
     .sources = "xpulp/conv_xpulp_s8s8_4x4.c xpulp/conv_s8s8_4x4.S xpulp/conv_gather.S",
     .c_granule = CHANNELS,
     .stack_bytes = 816,
     .serves = serves_conv_s8,
     .weight_bytes = conv_weight_bytes,
     .pack = conv_pack,
     .scratch_bytes = conv_scratch_bytes,
     .cycles = conv_cycles},
    {.name = "conv_xpulp_s8s8_strips",
     .isa = "xpulp",
     .sources = "xpulp/conv_xpulp_s8s8_strips.c xpulp/strips.c xpulp/conv_s8s8_4x4.S",
     .c_granule = CHANNELS,
     .stack_bytes = 400,
     .x_strips = true,
     .serves = serves_conv_s8_strips,
     .weight_bytes = conv_weight_bytes,
     .pack = conv_pack,
     .scratch_bytes = no_scratch,
     .cycles = strips_cycles},
    {.name = "conv_xpulp_s16s8_4x4_padded",
     .isa = "xpulp",
     .sources = "xpulp/conv_xpulp_s16s8_4x4.c xpulp/conv_s16s8_4x4.S xpulp/conv_split.S xpulp/conv_gather.S",
     .c_granule = CHANNELS,
     .stack_bytes = 816,
     .rewrites_x = true,
     .padded_x = true,
     .serves = serves_conv_s16_padded,
     .weight_bytes = conv_weight_bytes,
     .pack = conv_pack,
     .scratch_bytes = padded_wide_scratch_bytes,
     .cycles = padded_cycles,
     .x_cycles = conv_x_cycles},
    {.name = "conv_xpulp_s16s8_4x4",
     .isa = "xpulp",
     .sources = "xpulp/conv_xpulp_s16s8_4x4.c xpulp/conv_s16s8_4x4.S xpulp/conv_split.S xpulp/conv_gather.S",
     .c_granule = CHANNELS,
     .stack_bytes = 816,
     .rewrites_x = true,
     .serves = serves_conv_s16,
     .weight_bytes = conv_weight_bytes,
     .pack = conv_pack,
     .scratch_bytes = conv_scratch_bytes,
     .cycles = conv_cycles,
     .x_cycles = conv_x_cycles},
    {.name = "conv_xpulp_s16s16_padded",
     .isa = "xpulp",
     .sources = "xpulp/conv_xpulp_s16s16.c xpulp/conv_s16s16_4x4.S xpulp/conv_split.S xpulp/conv_gather.S",
     .c_granule = CHANNELS,
     .stack_bytes = 992,
     .rewrites_x = true,
     .padded_x = true,
     .serves = serves_halves_padded,
     .weight_bytes = conv_weight_bytes,
     .pack = conv_pack,
     .scratch_bytes = padded_wide_scratch_bytes,
     .cycles = padded_cycles,
     .x_cycles = conv_x_cycles},
    {.name = "conv_xpulp_s16s16",
     .isa = "xpulp",
     .sources = "xpulp/conv_xpulp_s16s16.c xpulp/conv_s16s16_4x4.S xpulp/conv_split.S xpulp/conv_gather.S",
     .c_granule = CHANNELS,
     .stack_bytes = 992,
     .rewrites_x = true,
     .serves = serves_halves,
     .weight_bytes = conv_weight_bytes,
     .pack = conv_pack,
     .scratch_bytes = halves_scratch_bytes,
     .cycles = conv_cycles,
     .x_cycles = conv_x_cycles},
    {.name = "conv_xpulp_sub8",
     .isa = "xpulp",
     .sources = "xpulp/conv_xpulp_sub8.c xpulp/conv_u8s8_4x4.S xpulp/conv_s8s8_4x4.S xpulp/conv_gather.S",
     .c_granule = CHANNELS,
     .stack_bytes = 976,
     .serves = serves_conv_sub8,
     .weight_bytes = conv_weight_bytes,
     .pack = conv_pack,
     .scratch_bytes = sub8_scratch_bytes,
     .cycles = sub8_cycles},
    {.name = "conv_xpulp_u8s8_4x4_padded_quads",
     .isa = "xpulp",
     .sources = "xpulp/conv_xpulp_u8s8_4x4.c xpulp/conv_xpulp_u8s8_4x4_quads.c xpulp/conv_u8s8_4x4.S "
                "xpulp/conv_u8s8_4x4_quads.S xpulp/conv_gather.S",
     .c_granule = CHANNELS,
     .stack_bytes = 816,
     .y_quads = true,
     .padded_x = true,
     .serves = serves_conv_u8_padded_quads,
     .weight_bytes = conv_weight_bytes,
     .pack = conv_pack,
     .scratch_bytes = padded_scratch_bytes,
     .cycles = padded_cycles},
    {.name = "conv_xpulp_u8s8_narrow_quads",
     .isa = "xpulp",
     .sources = "xpulp/conv_xpulp_u8s8_4x4.c xpulp/conv_xpulp_u8s8_narrow_quads.c xpulp/conv_u8s8_4x4.S "
                "xpulp/conv_u8s8_4x4_quads.S xpulp/conv_u8s8_narrow.S xpulp/conv_gather.S",
     .c_granule = CHANNELS,
     .stack_bytes = 816,
     .y_quads = true,
     .serves = serves_conv_u8_narrow,
     .weight_bytes = conv_weight_bytes,
     .pack = conv_pack,
     .scratch_bytes = conv_scratch_bytes,
     .cycles = narrow_cycles},
    {.name = "conv_xpulp_u8s8_4x4_quads",
     .isa = "xpulp",
     .sources = "xpulp/conv_xpulp_u8s8_4x4.c xpulp/conv_xpulp_u8s8_4x4_quads.c xpulp/conv_u8s8_4x4.S "
                "xpulp/conv_u8s8_4x4_quads.S xpulp/conv_gather.S",
     .c_granule = CHANNELS,
     .stack_bytes = 816,
     .y_quads = true,
     .serves = serves_conv_u8_quads,
     .weight_bytes = conv_weight_bytes,
     .pack = conv_pack,
     .scratch_bytes = conv_scratch_bytes,
     .cycles = conv_cycles},
    {.name = "conv_xpulp_u8s8_strips_quads",
     .isa = "xpulp",
     .sources = "xpulp/conv_xpulp_u8s8_strips_quads.c xpulp/strips.c xpulp/conv_u8s8_4x4_quads.S",
     .c_granule = CHANNELS,
     .stack_bytes = 400,
     .y_quads = true,
     .x_strips = true,
     .serves = serves_conv_u8_strips_quads,
     .weight_bytes = conv_weight_bytes,
     .pack = conv_pack,
     .scratch_bytes = no_scratch,
     .cycles = strips_cycles},
    {.name = "conv_xpulp_s8s8_4x4_padded_quads",
     .isa = "xpulp",
     .sources = "xpulp/conv_xpulp_s8s8_4x4.c xpulp/conv_xpulp_s8s8_4x4_quads.c xpulp/conv_s8s8_4x4.S "
                "xpulp/conv_s8s8_4x4_quads.S xpulp/conv_gather.S",
     .c_granule = CHANNELS,
     .stack_bytes = 816,
     .y_quads = true,
     .padded_x = true,
     .serves = serves_conv_s8_padded_quads,
     .weight_bytes = conv_weight_bytes,
     .pack = conv_pack,
     .scratch_bytes = no_scratch,
     .cycles = padded_cycles},
    {.name = "conv_xpulp_s8s8_narrow_quads",
     .isa = "xpulp",
     .sources = "xpulp/conv_xpulp_s8s8_4x4.c xpulp/conv_xpulp_s8s8_narrow_quads.c xpulp/conv_s8s8_4x4.S "
                "xpulp/conv_s8s8_4x4_quads.S xpulp/conv_s8s8_narrow.S xpulp/conv_gather.S",
     .c_granule = CHANNELS,
     .stack_bytes = 816,
     .y_quads = true,
     .serves = serves_conv_s8_narrow,
     .weight_bytes = conv_weight_bytes,
     .pack = conv_pack,
     .scratch_bytes = conv_scratch_bytes,
     .cycles = narrow_cycles},
    {.name = "conv_xpulp_s8s8_4x4_quads",
     .isa = "xpulp",
     .sources = "xpulp/conv_xpulp_s8s8_4x4.c xpulp/conv_xpulp_s8s8_4x4_quads.c xpulp/conv_s8s8_4x4.S "
                "xpulp/conv_s8s8_4x4_quads.S xpulp/conv_gather.S",
     .c_granule = CHANNELS,
     .stack_bytes = 816,
     .y_quads = true,
     .serves = serves_conv_s8_quads,
     .weight_bytes = conv_weight_bytes,
     .pack = conv_pack,
     .scratch_bytes = conv_scratch_bytes,
     .cycles = conv_cycles},
    {.name = "conv_xpulp_s16s8_4x4_padded_quads",
     .isa = "xpulp",
     .sources = "xpulp/conv_xpulp_s16s8_4x4.c xpulp/conv_xpulp_s16s8_4x4_quads.c xpulp/conv_s16s8_4x4.S "
                "xpulp/conv_split.S "
                "xpulp/conv_s16s8_4x4_quads.S xpulp/conv_gather.S",
     .c_granule = CHANNELS,
     .stack_bytes = 816,
     .y_quads = true,
     .rewrites_x = true,
     .padded_x = true,
     .serves = serves_conv_s16_padded_quads,
     .weight_bytes = conv_weight_bytes,
     .pack = conv_pack,
     .scratch_bytes = padded_wide_scratch_bytes,
     .cycles = padded_cycles,
     .x_cycles = conv_x_cycles},
    {.name = "conv_xpulp_s16s8_4x4_quads",
     .isa = "xpulp",
     .sources = "xpulp/conv_xpulp_s16s8_4x4.c xpulp/conv_xpulp_s16s8_4x4_quads.c xpulp/conv_s16s8_4x4.S "
                "xpulp/conv_split.S "
                "xpulp/conv_s16s8_4x4_quads.S xpulp/conv_gather.S",
     .c_granule = CHANNELS,
     .stack_bytes = 816,
     .y_quads = true,
     .rewrites_x = true,
     .serves = serves_conv_s16_quads,
     .weight_bytes = conv_weight_bytes,
     .pack = conv_pack,
     .scratch_bytes = conv_scratch_bytes,
     .cycles = conv_cycles,
     .x_cycles = conv_x_cycles},
    {.name = "linear_xpulp_u8s8",
     .isa = "xpulp",
     .sources = "xpulp/linear_xpulp.c xpulp/linear_dot.S",
     .c_granule = CHANNELS,
     .stack_bytes = 336,
     .serves = serves_linear_u8,
     .weight_bytes = conv_weight_bytes,
     .pack = linear_pack,
     .scratch_bytes = linear_scratch_bytes,
     .cycles = linear_cycles},
    {.name = "linear_xpulp_s8s8",
     .isa = "xpulp",
     .sources = "xpulp/linear_xpulp.c xpulp/linear_dot.S",
     .c_granule = CHANNELS,
     .stack_bytes = 336,
     .serves = serves_linear_s8,
     .weight_bytes = conv_weight_bytes,
     .pack = linear_pack,
     .scratch_bytes = linear_scratch_bytes,
     .cycles = linear_cycles},
    {.name = "linear_xpulp_s16s8",
     .isa = "xpulp",
     .sources = "xpulp/linear_xpulp.c xpulp/linear_dot.S",
     .c_granule = CHANNELS,
     .stack_bytes = 336,
     .serves = serves_linear_s16,
     .weight_bytes = conv_weight_bytes,
     .pack = linear_pack,
     .scratch_bytes = linear_scratch_bytes,
     .cycles = linear_cycles},
};
const uint32_t ts__kernels_xpulp_count = sizeof ts__kernels_xpulp / sizeof *ts__kernels_xpulp;
