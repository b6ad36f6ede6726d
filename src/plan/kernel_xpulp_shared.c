/* What the rows of the xpulp kernels share: parameters, bounds, and weights of 9 bits. */
#include "plan/kernel_xpulp.h"

#include <math.h>

void ts__pack_xpulp_params(const ts_layer *layer, uint32_t channel, int64_t offset, uint8_t *out) {
    ts__pack_params(&layer->rq, channel, offset, out);
    if (layer->rq.class_ == TS_RQC_S32 || layer->rq.class_ == TS_RQC_S32C) {
        uint32_t c = layer->rq.channels == 1 ? 0 : channel;
        ts__pack_word(out, (uint32_t)layer->rq.k[c] - 1u);
    }
}

bool ts__requantises_in_line(const ts_layer *layer) {
    bool full_s8 = layer->y.type == TS_S8 && layer->rq.low == -128 && layer->rq.high == 127;
    switch (layer->rq.class_) {
        case TS_RQC_S32:
        case TS_RQC_S32C:
        case TS_RQC_S32D:
            return ts_type_bits(layer->y.type) == 8 ||
                   (ts_type_bits(layer->y.type) < 8 && ts_type_bits(layer->x.type) <= 8);
        case TS_RQC_S32DC:
            return is_full_u8(layer) || full_s8;
        case TS_RQC_S32R:
        case TS_RQC_S32RC:
            return layer->kind != TS_LAYER_DWCONV && (is_full_u8(layer) || full_s8);
        default:
            return false;
    }
}

bool ts__has_odd_bounds(const ts_layer *layer) {
    return !is_full_u8(layer) && (layer->y.type != TS_S8 || layer->rq.low != -128 || layer->rq.high != 127);
}

double ts__turn_cycles(const ts_layer *layer, const ts_tile *tile, uint32_t cores) {
    double cycles = 200, x = (double)tile->x_w * tile->x_c, y = (double)tile->y_w * tile->y_c;
    uint32_t y_bits = ts_type_bits(layer->y.type);
    if (ts_type_bits(layer->x.type) < 8) {
        cycles += 150 + 2.1 * x * (double)div_up(tile->x_h, cores);
    }
    if (y_bits < 8) {
        cycles +=
            100 + (y_bits == 4 && tile->y_c % 8 == 0 ? 1.9 : 4.5) * y * (double)div_up(tile->y_h, cores);
    }
    return cycles;
}

bool ts__has_excess(const ts_layer *layer) {
    const ts_window *w = &layer->window;
    return layer->excess.channels != NULL && ts_type_bits(layer->y.type) == 8 && w->dilation_h == 1 &&
           w->dilation_w == 1 && w->kernel_h < 256 && w->kernel_w < 256 && w->kernel_w * layer->x.c < 65536;
}

static uint32_t excess_row_bytes(const ts_layer *layer) {
    uint32_t row = layer->window.kernel_w * (layer->x.c / layer->groups);
    return (row + 3) / 4 * 4;
}

uint64_t ts__excess_record_bytes(const ts_layer *layer, uint32_t from, uint32_t to) {
    const ts_excess *e = &layer->excess;
    uint64_t each =
        8 + ts__params_bytes(&layer->rq) + (uint64_t)layer->window.kernel_h * excess_row_bytes(layer);
    return (e->channels[to] - e->channels[from]) * each +
           (uint64_t)(e->weights[to] - e->weights[from]) * EXCESS_BYTES;
}

static uint8_t *excess_pack_channel(const ts_layer *layer, uint32_t channel, uint32_t in_part, uint8_t *out) {
    const ts_excess *e = &layer->excess;
    uint32_t row = layer->window.kernel_w * (layer->x.c / layer->groups), taps = layer->window.kernel_h * row;
    uint32_t found = e->weights[channel + 1] - e->weights[channel], params = ts__params_bytes(&layer->rq);
    uint8_t *excess = out + 8 + params, *weights = excess + found * EXCESS_BYTES;
    int64_t sum = 0;
    for (uint32_t i = 0; i < taps; i++) {
        uint64_t at = (uint64_t)channel * taps + i;
        int32_t byte = ts_layer_weight_s8(layer, at);
        int32_t value = ts_tensor_int(layer->weights, at) - ts_weights_zero(layer->weights);
        weights[i / row * excess_row_bytes(layer) + i % row] = (uint8_t)byte;
        sum += value;
        if (value != byte) {
            uint32_t column = i % row / (layer->x.c / layer->groups);
            ts__pack_word(excess, i % row | (i / row) << 16 | column << 24);
            ts__pack_word(excess + 4, (uint32_t)(value - byte));
            excess += EXCESS_BYTES;
        }
    }
    ts__pack_word(out, in_part | found << 16);
    ts__pack_word(out + 4, (uint32_t)(uint64_t)sum);
    ts__pack_params(&layer->rq, channel, 0, out + 8);
    return weights + (uint64_t)layer->window.kernel_h * excess_row_bytes(layer);
}

void ts__excess_pack_part(const ts_layer *layer, uint32_t first, uint32_t end, uint64_t kernel_bytes,
                          uint64_t part_bytes, uint8_t *out) {
    const ts_excess *e = &layer->excess;
    uint8_t *record = out + EXCESS_HEAD + kernel_bytes;
    for (uint32_t c = first; c < end; c++) {
        if (e->channels[c + 1] != e->channels[c]) {
            record = excess_pack_channel(layer, c, c - first, record);
        }
    }
    ts__pack_word(out, e->channels[end] - e->channels[first]);
    ts__pack_word(out + 4, EXCESS_HEAD + (uint32_t)kernel_bytes);
    ts__pack_word(out + 8, (uint32_t)part_bytes);
}

double ts__excess_cycles(const ts_layer *layer, const ts_tile *tile, uint32_t cores) {
    double channels = (double)layer->excess.channels[layer->y.c] * tile->y_c / layer->y.c;
    double taps = (double)layer->window.kernel_h * excess_row_bytes(layer);
    double pixel =
        layer->groups > 1 ? 100 + 8.0 * layer->window.kernel_h * layer->window.kernel_w : 90 + taps;
    return 150 + channels * ceil((double)tile->y_h * tile->y_w / cores) * pixel;
}
