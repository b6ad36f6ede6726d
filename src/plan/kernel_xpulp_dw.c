/* Rows of the xpulp kernels for depthwise convolutions. Costs as in kernel_xpulp.c. */
#include <math.h>
#include <string.h>

#include "plan/kernel_xpulp.h"

enum { CHANNELS = 4 };

/* Depthwise 3x3 (device/kernels/xpulp/dw_block.h). */
enum { DW_RECORD_WEIGHTS = 12, DW_MOST_PARTS = 4 };

static bool serves_dw_k3(const ts_layer *layer) {
    const ts_window *w = &layer->window;
    return layer->kind == TS_LAYER_DWCONV && layer->x.c == layer->y.c && layer->x.type == TS_U8 &&
           is_narrow(layer->weights->type) && ts_type_bits(layer->y.type) >= 8 && folds_zero(layer) &&
           w->kernel_h == 3 && w->kernel_w == 3 && w->stride_h == w->stride_w && w->stride_h <= 2 &&
           w->dilation_h == 1 && w->dilation_w == 1 && w->pad_top <= 1 && w->pad_left <= 1 &&
           w->pad_bottom <= 1 && w->pad_right <= 1;
}

static uint64_t dw_weight_bytes(const ts_layer *layer, uint32_t channels) {
    return (uint64_t)(DW_RECORD_WEIGHTS + ts__params_bytes(&layer->rq)) * channels;
}

static void dw_pack(const ts_layer *layer, uint8_t *out) {
    memset(out, 0, dw_weight_bytes(layer, layer->y.c));
    for (uint32_t c = 0; c < layer->y.c; c++, out += dw_weight_bytes(layer, 1)) {
        int64_t sum = 0;
        for (uint32_t i = 0; i < 9; i++) {
            int32_t value = ts_layer_weight_s8(layer, (uint64_t)c * 9 + i);
            out[i / 3 * 4 + i % 3] = (uint8_t)value;
            sum += value;
        }
        ts__pack_xpulp_params(layer, c, -sum * layer->x.zero, out + DW_RECORD_WEIGHTS);
    }
}

static bool dw_is_raw(const ts_layer *layer, const ts_tile *tile) {
    return tile->y_w < 4 || !ts__requantises_in_line(layer);
}

static uint64_t dw_scratch_bytes(const ts_layer *layer, const ts_tile *tile, uint32_t cores) {
    uint64_t rows = (uint64_t)(tile->y_h - 1) * layer->window.stride_h + 3;
    uint64_t bytes = 4 * (4 + rows * (div_up(tile->x_w, 4) * 4 + 4)) + 16;
    bytes += dw_is_raw(layer, tile) ? div_up(tile->y_w, 4) * 16 * tile->y_h : 0;
    return (div_up(bytes, 64) * 64 + 8) * cores;
}

/* Cycles of one 4-channel group's rows [0, rows). */
static double dw_item_cycles(const ts_layer *layer, const ts_tile *tile, double rows) {
    double stride = layer->window.stride_h, strips = (double)div_up(tile->y_w, 4);
    double planes = fmin((rows - 1) * stride + 3, tile->x_h), raw = dw_is_raw(layer, tile) ? 4 * 60 : 0;
    double row = (stride == 1 ? 31 : 37.5) + (ts__has_odd_bounds(layer) ? 4 : 0) +
                 (layer->rq.class_ == TS_RQC_S32C    ? 4
                  : layer->rq.class_ == TS_RQC_S32D  ? 8
                  : layer->rq.class_ == TS_RQC_S32DC ? 12
                                                     : 0) +
                 raw;
    double transpose = planes * (17.0 * (double)div_up(tile->x_w, 4) + (tile->x_w % 4 == 0 ? 3 : 7));
    return transpose + 4 * (strips * (rows * row + 20) + 26) + 135;
}

static double dw_cycles(const ts_layer *layer, const ts_tile *tile, uint32_t cores) {
    double groups = (double)div_up(tile->y_c, 4), best = 0;
    uint32_t parts = (uint32_t)groups % cores == 0 ? 1 : DW_MOST_PARTS;
    for (uint32_t p = 1; p <= parts && p <= tile->y_h; p++) {
        double items = ceil(groups * p / cores);
        double cycles = items * dw_item_cycles(layer, tile, (double)div_up(tile->y_h, p));
        best = best == 0 || cycles < best ? cycles : best;
    }
    return 720 + 1.04 * best;
}

/* Depthwise 3x3 of a map in quads (device/kernels/xpulp/dw_quads.h). */
static bool serves_dw_quads(const ts_layer *layer) {
    const ts_window *w = &layer->window;
    bool in_line =
        layer->rq.class_ == TS_RQC_S32 || layer->rq.class_ == TS_RQC_S32C || layer->rq.class_ == TS_RQC_S32D;
    bool same = w->stride_h == 1 && w->pad_bottom == 1 && w->pad_right == 1 && layer->x.w % 4 == 0;
    bool half = w->stride_h == 2 && layer->x.h == 2 * layer->y.h && layer->x.w == 2 * layer->y.w &&
                layer->x.w % 8 == 0;
    return serves_dw_k3(layer) && in_line && !ts__has_odd_bounds(layer) && layer->x.zero == 0 &&
           layer->x.c % CHANNELS == 0 && w->pad_top == 1 && w->pad_left == 1 && (same || half);
}

/* Of `rows` rows of one channel. */
static double dw_quads_channel_cycles(const ts_layer *layer, double strips, double rows) {
    bool half = layer->window.stride_h == 2;
    double requant = layer->rq.class_ == TS_RQC_S32D ? 20 : layer->rq.class_ == TS_RQC_S32C ? 16 : 12;
    double row = 16 + requant, sides = half ? 6 : strips == 1 ? 3 : 4, middle = half ? 10 : 5;
    double side_strips = half || strips == 1 ? 1 : 2;
    double loads = side_strips * sides + (strips - side_strips) * middle;
    return rows * (strips * row + loads) + (strips == 1 && !half ? 58 : strips * 30 + 38);
}

static double dw_quads_cycles(const ts_layer *layer, const ts_tile *tile, uint32_t cores) {
    uint32_t unit = tile->y_c % (cores * CHANNELS) == 0 || cores % CHANNELS != 0 ? CHANNELS : 1;
    uint32_t units = tile->y_c / unit, parts = units % cores == 0 ? 1 : DW_MOST_PARTS;
    double best = 0;
    for (uint32_t p = 1; p <= parts && p <= tile->y_h; p++) {
        double rows = (double)div_up(tile->y_h, p);
        double channels = (double)unit * (double)div_up((uint64_t)units * p, cores);
        double cycles = channels * dw_quads_channel_cycles(layer, tile->y_w / 4.0, rows) + 80 * p;
        best = best == 0 || cycles < best ? cycles : best;
    }
    return 170 + (unit == 1 ? 1.04 : 1.01) * best; /* single channels meet in the banks */
}

/* Weights of 9 bits (device/kernels/xpulp/excess.h). */
static bool serves_dw_u8s9(const ts_layer *layer) { return ts__has_excess(layer) && serves_dw_k3(layer); }

static uint64_t dw_u8s9_weight_bytes(const ts_layer *layer, uint32_t channels) {
    return channels == 0
               ? 0
               : EXCESS_HEAD + dw_weight_bytes(layer, channels) + ts__excess_record_bytes(layer, 0, channels);
}

static void dw_u8s9_pack(const ts_layer *layer, uint8_t *out) {
    memset(out, 0, dw_u8s9_weight_bytes(layer, layer->y.c));
    dw_pack(layer, out + EXCESS_HEAD);
    ts__excess_pack_part(layer, 0, layer->y.c, dw_weight_bytes(layer, layer->y.c), 0, out);
}

static double dw_u8s9_cycles(const ts_layer *layer, const ts_tile *tile, uint32_t cores) {
    return ts__excess_cycles(layer, tile, cores) + dw_cycles(layer, tile, cores);
}

/* Depthwise with any window (device/kernels/xpulp/dwconv_xpulp_b8s8.c): a plane has one word between rows. */
enum { DW_MOST_PAD = 4 };

static bool serves_dw_any(const ts_layer *layer) {
    const ts_window *w = &layer->window;
    return layer->kind == TS_LAYER_DWCONV && layer->x.c == layer->y.c &&
           (layer->x.type == TS_U8 || layer->x.type == TS_S8) && is_narrow(layer->weights->type) &&
           ts_type_bits(layer->y.type) >= 8 && folds_zero(layer) && w->dilation_h == 1 &&
           w->dilation_w == 1 && w->pad_left <= DW_MOST_PAD && w->pad_right <= DW_MOST_PAD;
}

static uint32_t dw_any_row_bytes(const ts_layer *layer) {
    return (uint32_t)div_up(layer->window.kernel_w, 4) * 4;
}

static uint64_t dw_any_weight_bytes(const ts_layer *layer, uint32_t channels) {
    uint64_t weights = (uint64_t)layer->window.kernel_h * dw_any_row_bytes(layer);
    return (weights + ts__params_bytes(&layer->rq)) * channels;
}

static void dw_any_pack(const ts_layer *layer, uint8_t *out) {
    uint32_t k_h = layer->window.kernel_h, k_w = layer->window.kernel_w, row = dw_any_row_bytes(layer);
    memset(out, 0, dw_any_weight_bytes(layer, layer->y.c));
    for (uint32_t c = 0; c < layer->y.c; c++, out += dw_any_weight_bytes(layer, 1)) {
        int64_t sum = 0;
        for (uint32_t i = 0; i < k_h * k_w; i++) {
            int32_t value = ts_tensor_int(layer->weights, (uint64_t)c * k_h * k_w + i);
            out[i / k_w * row + i % k_w] = (uint8_t)value;
            sum += value;
        }
        ts__pack_xpulp_params(layer, c, -sum * layer->x.zero, out + (uint64_t)k_h * row);
    }
}

static uint64_t dw_any_scratch_bytes(const ts_layer *layer, const ts_tile *tile, uint32_t cores) {
    const ts_window *w = &layer->window;
    uint64_t rows = (uint64_t)(tile->y_h - 1) * w->stride_h + w->kernel_h;
    uint64_t bytes = 4 * (4 + rows * (div_up(tile->x_w, 4) * 4 + 4)) + 16;
    return (div_up(bytes, 64) * 64 + 8) * cores;
}

/* Of four outputs. */
static double dw_any_requant_cycles(const ts_layer *layer) {
    if (ts_type_bits(layer->y.type) == 8) {
        switch (layer->rq.class_) {
            case TS_RQC_S32:
                return 32;
            case TS_RQC_S32D:
                return 44;
            case TS_RQC_S32R:
            case TS_RQC_S32RC:
                return 56;
            default:
                break;
        }
    }
    return 240;
}

static double dw_any_cycles(const ts_layer *layer, const ts_tile *tile, uint32_t cores) {
    const ts_window *w = &layer->window;
    double words = dw_any_row_bytes(layer) / 4, groups = (double)div_up(tile->y_c, 4), best = 0;
    double four = 30 + dw_any_requant_cycles(layer) + w->kernel_h * (5 + 12.5 * words);
    uint32_t parts = (uint32_t)groups % cores == 0 ? 1 : DW_MOST_PARTS;
    for (uint32_t p = 1; p <= parts && p <= tile->y_h; p++) {
        double rows = (double)div_up(tile->y_h, p);
        double planes = fmin((rows - 1) * w->stride_h + w->kernel_h, tile->x_h);
        double item = planes * (17.0 * (double)div_up(tile->x_w, 4) + 7) + 300 +
                      4 * (rows * ((double)div_up(tile->y_w, 4) * four + 12) + 40);
        double cycles = ceil(groups * p / cores) * item;
        best = best == 0 || cycles < best ? cycles : best;
    }
    return 500 + 1.04 * best;
}

/* Unsigned bytes, windows of up to 7 columns (device/kernels/xpulp/dwconv_xpulp_u8s8_k357.c): their weights
 * are those of any window. */
static bool serves_dw_k357(const ts_layer *layer) {
    const ts_window *w = &layer->window;
    return serves_dw_any(layer) && layer->x.type == TS_U8 && ts_type_bits(layer->y.type) == 8 &&
           w->kernel_w <= 7 && w->stride_w <= 2;
}

/* What a row of outputs takes: of its windows, words of taps, and of x for 4 or 8 outputs. */
typedef struct taps_row {
    uint32_t fours, taps, x_words[2];
} taps_row;

static taps_row taps_row_of(const ts_layer *layer, const ts_tile *tile) {
    static const uint8_t taps[2][3] = {{6, 8, 10}, {3, 4, 5}};
    uint32_t stride = layer->window.stride_w, k = layer->window.kernel_w, width = k <= 3 ? 0 : k <= 5 ? 1 : 2;
    uint32_t more = width == 2 ? 2 : 1;
    return (taps_row){.fours = (uint32_t)div_up(tile->y_w, 4),
                      .taps = taps[stride - 1][width],
                      .x_words = {stride + more, 2 * stride + more}};
}

static uint64_t dw_k357_scratch_bytes(const ts_layer *layer, const ts_tile *tile, uint32_t cores) {
    const ts_window *w = &layer->window;
    taps_row row = taps_row_of(layer, tile);
    uint64_t rows = (uint64_t)(tile->y_h - 1) * w->stride_h + w->kernel_h;
    uint64_t behind = 4 + 4 * (uint64_t)(row.fours * w->stride_w + row.x_words[0] - w->stride_w);
    uint64_t bytes = 4 * (uint64_t)w->kernel_h * row.taps + 4 * 16 * (uint64_t)row.fours +
                     4 * (4 + rows * (div_up(tile->x_w, 4) * 4 + 4)) + behind;
    return (div_up(bytes, 64) * 64 + 8) * cores;
}

static double dw_k357_cycles(const ts_layer *layer, const ts_tile *tile, uint32_t cores) {
    const ts_window *w = &layer->window;
    taps_row row = taps_row_of(layer, tile);
    double groups = (double)div_up(tile->y_c, 4), best = 0, products = w->stride_w == 1 ? 1 : 2;
    double eight = 20 + w->kernel_h * (row.x_words[1] + row.taps * (1 + 2 * products));
    double four = 12 + w->kernel_h * (row.x_words[0] + row.taps * (1 + products));
    double outputs = tile->y_w * dw_any_requant_cycles(layer) / 4;
    double line = 25 + row.fours / 2 * eight + row.fours % 2 * four + outputs;
    uint32_t parts = (uint32_t)groups % cores == 0 ? 1 : DW_MOST_PARTS;
    for (uint32_t p = 1; p <= parts && p <= tile->y_h; p++) {
        double rows = (double)div_up(tile->y_h, p);
        double planes = fmin((rows - 1) * w->stride_h + w->kernel_h, tile->x_h);
        double item = planes * (21.0 * (double)div_up(tile->x_w, 4) + 7) + 300 +
                      4 * (rows * line + 120 + w->kernel_h * (8 + 2.4 * row.taps));
        double cycles = ceil(groups * p / cores) * item;
        best = best == 0 || cycles < best ? cycles : best;
    }
    return 500 + 1.04 * best;
}

/* Depthwise where x or y has 4 or 2 bits (device/kernels/xpulp/dwconv_xpulp_sub8.c): the layer as the kernels
 * of bytes meet it. */
static ts_layer dw_in_bytes(const ts_layer *layer) {
    ts_layer bytes = *layer;
    ts_map_shape *maps[] = {&bytes.x, &bytes.y};
    for (uint32_t i = 0; i < 2; i++) {
        if (ts_type_bits(maps[i]->type) < 8) {
            maps[i]->type = ts_type_low(maps[i]->type) < 0 ? TS_S8 : TS_U8;
            maps[i]->pixel_bytes = maps[i]->c;
        }
    }
    return bytes;
}

static bool serves_dw_sub8(const ts_layer *layer) {
    const ts_layer bytes = dw_in_bytes(layer);
    bool less = ts_type_bits(layer->x.type) < 8 || ts_type_bits(layer->y.type) < 8;
    return less && serves_dw_any(&bytes);
}

static uint64_t dw_sub8_scratch_bytes(const ts_layer *layer, const ts_tile *tile, uint32_t cores) {
    const ts_layer bytes = dw_in_bytes(layer);
    uint64_t x = (uint64_t)tile->x_h * (div_up((uint64_t)tile->x_w * tile->x_c + 16, 4) * 4);
    uint64_t y = (uint64_t)tile->y_h * tile->y_w * (div_up(tile->y_c, 4) * 4);
    return (ts_type_bits(layer->x.type) < 8 ? x : 0) + (ts_type_bits(layer->y.type) < 8 ? y : 0) +
           (serves_dw_k3(&bytes) ? dw_scratch_bytes : dw_any_scratch_bytes)(&bytes, tile, cores);
}

static double dw_sub8_cycles(const ts_layer *layer, const ts_tile *tile, uint32_t cores) {
    const ts_layer bytes = dw_in_bytes(layer);
    return ts__turn_cycles(layer, tile, cores) +
           (serves_dw_k3(&bytes) ? dw_cycles : dw_any_cycles)(&bytes, tile, cores);
}

/* Activations of 16 bits, weights of up to 16 (device/kernels/xpulp/dwconv_xpulp_s16s16.c): the sums of a
 * weight's halves stay within 32 bits. */
static bool serves_dw_halves(const ts_layer *layer) {
    return layer->kind == TS_LAYER_DWCONV && layer->x.c == layer->y.c && is_wide(layer) &&
           (has_halves(layer) || is_narrow(layer->weights->type)) && layer->x.zero == 0 &&
           (uint64_t)layer->window.kernel_h * layer->window.kernel_w < 256;
}

static uint64_t dw_halves_taps(const ts_layer *layer) {
    return (uint64_t)layer->window.kernel_h * layer->window.kernel_w;
}

static uint64_t dw_halves_weight_bytes(const ts_layer *layer, uint32_t channels) {
    return div_up(channels, 2) * (8 * dw_halves_taps(layer) + 2 * (uint64_t)ts__params_bytes(&layer->rq));
}

/* A tap of two channels: a word of high bytes, one of low ones; behind all taps the parameters of both. */
static void dw_halves_pack(const ts_layer *layer, uint8_t *out) {
    uint64_t taps = dw_halves_taps(layer);
    memset(out, 0, dw_halves_weight_bytes(layer, layer->y.c));
    for (uint32_t c = 0; c < layer->y.c; c++) {
        uint8_t *pair = out + dw_halves_weight_bytes(layer, c / 2 * 2);
        for (uint64_t i = 0; i < taps; i++) {
            int32_t value = ts_tensor_int(layer->weights, c * taps + i), high = value >> 8;
            uint8_t *lane = pair + 8 * i + c % 2 * 2;
            lane[0] = (uint8_t)high;
            lane[1] = (uint8_t)(high >> 8);
            lane[4] = (uint8_t)value;
        }
        ts__pack_xpulp_params(layer, c, 0, pair + 8 * taps + c % 2 * (uint64_t)ts__params_bytes(&layer->rq));
    }
}

static double dw_halves_cycles(const ts_layer *layer, const ts_tile *tile, uint32_t cores) {
    double pixels = (double)tile->y_h * tile->y_w, pairs = (double)div_up(tile->y_c, 2);
    double items = pixels >= cores ? ceil(pixels / cores) * pairs : pixels * ceil(pairs / cores);
    double requant = layer->rq.class_ == TS_RQC_S64 && (layer->rq.div & (layer->rq.div - 1)) != 0 ? 600 : 80;
    double taps = (double)dw_halves_taps(layer), rows = layer->window.kernel_h;
    return 250 + items * (50 + 9 * taps + 9 * rows + 2 * requant) + ceil(pixels / cores) * 150;
}

const ts_kernel ts__kernels_xpulp_dw[] = {
    {.name = "dwconv_xpulp_u8s8_k3_quads",
     .isa = "xpulp",
     .sources = "xpulp/dwconv_xpulp_u8s8_k3_quads.c xpulp/dw_quads_s1.S xpulp/dw_quads_s2.S",
     .c_granule = CHANNELS,
     .stack_bytes = 320,
     .x_quads = true,
     .serves = serves_dw_quads,
     .weight_bytes = dw_weight_bytes,
     .pack = dw_pack,
     .scratch_bytes = no_scratch,
     .cycles = dw_quads_cycles},
    {.name = "dwconv_xpulp_u8s8_k3",
     .isa = "xpulp",
     .sources = "xpulp/dwconv_xpulp_u8s8_k3.c xpulp/dw_transpose.S xpulp/dw_k3s1.S xpulp/dw_k3s2.S",
     .c_granule = CHANNELS,
     .stack_bytes = 608,
     .serves = serves_dw_k3,
     .weight_bytes = dw_weight_bytes,
     .pack = dw_pack,
     .scratch_bytes = dw_scratch_bytes,
     .cycles = dw_cycles},
    {.name = "dwconv_xpulp_u8s9_k3",
     .isa = "xpulp",
     .sources = "xpulp/dwconv_xpulp_u8s9_k3.c xpulp/dwconv_xpulp_u8s8_k3.c xpulp/dw_transpose.S "
                "xpulp/dw_k3s1.S xpulp/dw_k3s2.S",
     .c_granule = UINT16_MAX, /* all of them are one part */
     .stack_bytes = 832,
     .weights_zero = true,
     .serves = serves_dw_u8s9,
     .weight_bytes = dw_u8s9_weight_bytes,
     .pack = dw_u8s9_pack,
     .scratch_bytes = dw_scratch_bytes,
     .cycles = dw_u8s9_cycles},
    {.name = "dwconv_xpulp_u8s8_k357",
     .isa = "xpulp",
     .sources = "xpulp/dwconv_xpulp_u8s8_k357.c xpulp/dw_transpose.S xpulp/dw_taps.S",
     .c_granule = CHANNELS,
     .stack_bytes = 656,
     .serves = serves_dw_k357,
     .weight_bytes = dw_any_weight_bytes,
     .pack = dw_any_pack,
     .scratch_bytes = dw_k357_scratch_bytes,
     .cycles = dw_k357_cycles},
    {.name = "dwconv_xpulp_b8s8",
     .isa = "xpulp",
     .sources = "xpulp/dwconv_xpulp_b8s8.c xpulp/dw_transpose.S",
     .c_granule = CHANNELS,
     .stack_bytes = 656,
     .serves = serves_dw_any,
     .weight_bytes = dw_any_weight_bytes,
     .pack = dw_any_pack,
     .scratch_bytes = dw_any_scratch_bytes,
     .cycles = dw_any_cycles},
    {.name = "dwconv_xpulp_sub8",
     .isa = "xpulp",
     .sources = "xpulp/dwconv_xpulp_sub8.c xpulp/dwconv_xpulp_u8s8_k3.c xpulp/dwconv_xpulp_b8s8.c "
                "xpulp/dw_transpose.S xpulp/dw_k3s1.S xpulp/dw_k3s2.S",
     .c_granule = CHANNELS,
     .stack_bytes = 816,
     .serves = serves_dw_sub8,
     .weight_bytes = dw_any_weight_bytes,
     .pack = dw_any_pack,
     .scratch_bytes = dw_sub8_scratch_bytes,
     .cycles = dw_sub8_cycles},
    {.name = "dwconv_xpulp_s16s16",
     .isa = "xpulp",
     .sources = "xpulp/dwconv_xpulp_s16s16.c",
     .c_granule = 2,
     .stack_bytes = 288,
     .serves = serves_dw_halves,
     .weight_bytes = dw_halves_weight_bytes,
     .pack = dw_halves_pack,
     .scratch_bytes = no_scratch,
     .cycles = dw_halves_cycles},
};

const uint32_t ts__kernels_xpulp_dw_count = sizeof ts__kernels_xpulp_dw / sizeof *ts__kernels_xpulp_dw;
