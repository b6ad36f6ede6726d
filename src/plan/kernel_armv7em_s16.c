/* Rows of the kernels of 16-bit values and weights for Armv7E-M (device/kernels/armv7em/..._s16.c). Costs are
 * instructions, from what QEMU counts. */
#include <string.h>

#include "plan/kernel_armv7em.h"
#include "plan/kernel_pack.h"

typedef ts__wide wide;

static wide magnitude(wide v) { return v < 0 ? -v : v; }

static wide floor_half(wide v) { return v >= 0 ? v / 2 : -((1 - v) / 2); }

/* ---- sums of 64 bits: device/kernels/armv7em/halves.h ------------------------------------------------ */

enum { WIDE_BYTES = 16 };

/* y = clip((sum k + l) >> 32 >> shift); of a negative slope the weights are turned round, and the sum. */
typedef struct wide_line {
    uint32_t k;
    int64_t l;
    uint32_t shift;
    bool turned;
} wide_line;

static bool can_turn(const ts_layer *layer, uint32_t channel) {
    uint64_t count = ts_tensor_elements(layer->weights) / layer->y.c;
    for (uint64_t i = 0; i < count; i++) {
        if (ts_tensor_int(layer->weights, channel * count + i) == INT16_MIN) {
            return false;
        }
    }
    return true;
}

/* The graph's own line of a channel whose sums are `reach` at most; false where it is no shift or passes 64
 * bits. */
static bool wide_line_of(const ts_layer *layer, uint32_t channel, int64_t reach, wide_line *out) {
    const ts_rq_plan *own = &layer->rq_own;
    uint32_t c = own->channels == 1 ? 0 : channel;
    if (own->class_ != TS_RQC_S64 || own->div <= 0 || (own->div & (own->div - 1)) != 0) {
        return false;
    }
    wide k = magnitude(own->k[c]), l = own->l[c];
    uint32_t shift = (uint32_t)__builtin_ctzll((uint64_t)own->div);
    for (; shift < 32; shift++) {
        k *= 2;
        l *= 2;
    }
    for (; shift > 32 && k % 2 == 0 && k > UINT32_MAX; shift--) {
        k /= 2;
        l = floor_half(l);
    }
    bool turned = own->k[c] < 0;
    *out = (wide_line){(uint32_t)k, (int64_t)l, shift - 32, turned};
    return k <= UINT32_MAX && magnitude(l) < (wide)1 << 62 && k * reach < (wide)1 << 62 && shift < 64 &&
           (!turned || can_turn(layer, channel));
}

static void pack_wide_line(const wide_line *line, uint8_t *out) {
    ts__pack_word(out, line->k);
    ts__pack_double_word(out + 4, line->l);
    ts__pack_word(out + 12, line->shift);
}

static bool wide_serves(const ts_layer *layer, ts__armv7em_sum_fn *sum) {
    wide_line line;
    for (uint32_t c = 0; c < layer->y.c; c++) {
        if (!wide_line_of(layer, c, ts__armv7em_most(layer) * sum(layer, c, true), &line)) {
            return false;
        }
    }
    return true;
}

/* ---- what rows have in common ------------------------------------------------------------------------ */

static bool is_half(const ts_map_shape *map) { return map->type == TS_S16 && map->zero == 0; }

static bool is_halves(const ts_layer *layer) {
    return is_half(&layer->x) && layer->y.type == TS_S16 && layer->weights->type == TS_S16;
}

static uint32_t params_bytes(const ts_layer *layer) {
    return layer->wide ? WIDE_BYTES : ts__armv7em_rq_bytes(layer);
}

static void put_half(uint8_t *out, uint64_t half, int32_t value) {
    out[2 * half] = (uint8_t)value;
    out[2 * half + 1] = (uint8_t)((uint32_t)value >> 8);
}

/* Packs the parameters of a channel; true where its weights are turned. */
static bool pack_params(const ts_layer *layer, uint32_t channel, int64_t reach, uint8_t *out) {
    if (!layer->wide) {
        ts__armv7em_pack_rq(layer, channel, reach, 0, out);
        return false;
    }
    wide_line line = {0};
    bool is_line = wide_line_of(layer, channel, reach, &line);
    TS_ASSERT(is_line, layer->name);
    pack_wide_line(&line, out);
    return line.turned;
}

static uint64_t no_scratch(const ts_layer *layer, const ts_tile *tile, uint32_t cores) {
    (void)layer, (void)tile, (void)cores;
    return 0;
}

/* ---- convolutions ------------------------------------------------------------------------------------ */

static bool is_conv(const ts_layer *layer) {
    bool conv = (layer->kind == TS_LAYER_CONV && layer->groups == 1) || layer->kind == TS_LAYER_LINEAR;
    return conv && is_halves(layer) && ts__armv7em_runs(layer).groups < 4096;
}

static bool serves_conv(const ts_layer *layer) {
    return is_conv(layer) && !layer->wide && ts__armv7em_rq_serves(layer, ts__armv7em_sum);
}

static bool serves_conv_wide(const ts_layer *layer) {
    return is_conv(layer) && layer->wide && wide_serves(layer, ts__armv7em_sum);
}

static uint64_t conv_weight_bytes(const ts_layer *layer, uint32_t channels) {
    return (channels + 1) / 2 * (16 * (uint64_t)ts__armv7em_runs(layer).groups + 2 * params_bytes(layer));
}

/* Groups of four weights {p0 p1} {q0 q1} {p2 p3} {q2 q3} of channels p and q, then the parameters of both. */
static void conv_pack(const ts_layer *layer, uint8_t *out) {
    ts__armv7em_runs_of_weights r = ts__armv7em_runs(layer);
    memset(out, 0, conv_weight_bytes(layer, layer->y.c));
    for (uint32_t c = 0; c < layer->y.c; c++) {
        uint8_t *pair = out + conv_weight_bytes(layer, c / 2 * 2);
        uint64_t at = (uint64_t)c * r.count * r.length, group = 0;
        int64_t reach = ts__armv7em_most(layer) * ts__armv7em_sum(layer, c, true);
        bool turned =
            pack_params(layer, c, reach, pair + 16 * (uint64_t)r.groups + c % 2 * params_bytes(layer));
        for (uint32_t run = 0; run < r.count; run++, group += (r.length + 3) / 4) {
            for (uint32_t i = 0; i < r.length; i++) {
                int32_t w = ts_tensor_int(layer->weights, at++);
                uint64_t half = 8 * (group + i / 4) + i % 4 / 2 * 4 + c % 2 * 2 + i % 2;
                put_half(pair, half, turned ? -w : w);
            }
        }
    }
}

static uint64_t conv_scratch(const ts_layer *layer, const ts_tile *tile, uint32_t cores) {
    ts__armv7em_runs_of_weights r = ts__armv7em_runs(layer);
    (void)tile, (void)cores;
    return 16 * (uint64_t)r.groups + (r.length + 3) / 4 * 8;
}

static double conv_cycles(const ts_layer *layer, const ts_tile *tile, uint32_t cores) {
    ts__armv7em_runs_of_weights r = ts__armv7em_runs(layer);
    double pixels = (double)tile->y_h * tile->y_w, pairs = (tile->y_c + 1) / 2;
    double block = layer->wide ? 13.0 * r.groups + 65 : 11.6 * r.groups + 50;
    (void)cores;
    return 200 + (pixels + 1) / 2 * (pairs * block + 2 * (5.0 * r.groups + 20.0 * r.count) + 60);
}

/* ---- depthwise convolutions -------------------------------------------------------------------------- */

static bool is_dw(const ts_layer *layer) {
    return layer->kind == TS_LAYER_DWCONV && is_halves(layer) && layer->window.dilation_h == 1 &&
           layer->window.dilation_w == 1;
}

static bool serves_dw(const ts_layer *layer) {
    return is_dw(layer) && !layer->wide && ts__armv7em_rq_serves(layer, ts__armv7em_window_sum);
}

static bool serves_dw_wide(const ts_layer *layer) {
    return is_dw(layer) && layer->wide && wide_serves(layer, ts__armv7em_window_sum);
}

static uint64_t dw_taps(const ts_layer *layer) {
    return (uint64_t)layer->window.kernel_h * layer->window.kernel_w;
}

static uint64_t dw_weight_bytes(const ts_layer *layer, uint32_t channels) {
    return (channels + 1) / 2 * (4 * dw_taps(layer) + 2 * params_bytes(layer));
}

/* A word a tap of both channels, then the parameters of both. */
static void dw_pack(const ts_layer *layer, uint8_t *out) {
    uint64_t taps = dw_taps(layer);
    memset(out, 0, dw_weight_bytes(layer, layer->y.c));
    for (uint32_t c = 0; c < layer->y.c; c++) {
        uint8_t *pair = out + dw_weight_bytes(layer, c / 2 * 2);
        int64_t reach = ts__armv7em_most(layer) * ts__armv7em_window_sum(layer, c, true);
        bool turned = pack_params(layer, c, reach, pair + 4 * taps + c % 2 * params_bytes(layer));
        for (uint64_t i = 0; i < taps; i++) {
            int32_t w = ts_tensor_int(layer->weights, taps * c + i);
            put_half(pair, 2 * i + c % 2, turned ? -w : w);
        }
    }
}

static double dw_cycles(const ts_layer *layer, const ts_tile *tile, uint32_t cores) {
    double outputs = (double)tile->y_h * tile->y_w, taps = (double)dw_taps(layer);
    (void)cores;
    return 200 + outputs * (60 + (tile->y_c + 1) / 2 * (50 + 6 * layer->window.kernel_h + 5 * taps));
}

/* ---- pooling ----------------------------------------------------------------------------------------- */

static bool plain_window(const ts_layer *layer) {
    return is_half(&layer->x) && layer->y.type == TS_S16 && layer->window.dilation_h == 1 &&
           layer->window.dilation_w == 1;
}

static bool serves_max_pool(const ts_layer *layer) {
    return layer->kind == TS_LAYER_MAX_POOL && plain_window(layer) && layer->rq.class_ == TS_RQC_NONE;
}

static bool serves_avg_pool(const ts_layer *layer) {
    return layer->kind == TS_LAYER_AVG_POOL && plain_window(layer) && layer->rq.class_ != TS_RQC_NONE &&
           layer->rq.class_ != TS_RQC_TFLITE && ts__armv7em_taps(layer, 0, false) <= 2048 &&
           ts__armv7em_rq_serves(layer, ts__armv7em_taps);
}

static uint64_t no_weight_bytes(const ts_layer *layer, uint32_t channels) {
    (void)layer, (void)channels;
    return 0;
}

static void pack_nothing(const ts_layer *layer, uint8_t *out) { (void)layer, (void)out; }

static uint64_t rq_weight_bytes(const ts_layer *layer, uint32_t channels) {
    return (uint64_t)channels * ts__armv7em_rq_bytes(layer);
}

static void avg_pack(const ts_layer *layer, uint8_t *out) {
    int64_t reach = ts__armv7em_most(layer) * ts__armv7em_taps(layer, 0, false);
    for (uint32_t c = 0; c < layer->y.c; c++, out += ts__armv7em_rq_bytes(layer)) {
        ts__armv7em_pack_rq(layer, c, reach, 0, out);
    }
}

static double pool_cycles(const ts_layer *layer, const ts_tile *tile, uint32_t cores) {
    double outputs = (double)tile->y_h * tile->y_w, taps = (double)ts__armv7em_taps(layer, 0, false);
    bool average = layer->kind == TS_LAYER_AVG_POOL;
    (void)cores;
    return 100 + outputs * (50 + (tile->y_c + 1) / 2 * (12 + 6 * taps + (average ? 35 : 0)));
}

/* ---- additions and bare requantisations -------------------------------------------------------------- */

enum { ADD_BYTES = 20 };

/* y = clip((a ka + b kb + l) >> shift). */
typedef struct add_line {
    wide k[2], l;
    uint32_t shift;
    int32_t low, high;
} add_line;

/* The step neither divides nor clips what it gives for the type's values. */
static bool is_linear(const ts_add_step *s, ts_type type) {
    wide a = (wide)ts_type_low(type) * s->mul + s->add, b = (wide)ts_type_high(type) * s->mul + s->add;
    return s->div == 1 && a >= s->low && a <= s->high && b >= s->low && b <= s->high;
}

static bool is_plain(const ts_add_step *s) {
    return s->mul == 1 && s->add == 0 && s->div == 1 && s->low == INT32_MIN && s->high == INT32_MAX;
}

/* The last step of an addition: its sum's, or the requantisation where the sum's is nothing. */
static bool last_step(const ts_layer *layer, wide *k, wide *l, int64_t *div, add_line *out) {
    const ts_rq_plan *own = &layer->rq_own;
    if (layer->rq.class_ == TS_RQC_NONE) {
        *k = layer->sum.mul;
        *l = layer->sum.add;
        *div = layer->sum.div;
        out->low = layer->sum.low;
        out->high = layer->sum.high;
        return true;
    }
    for (uint32_t c = 1; c < own->channels; c++) {
        if (own->k[c] != own->k[0] || own->l[c] != own->l[0]) {
            return false;
        }
    }
    *k = own->k[0];
    *l = own->l[0];
    *div = own->div;
    out->low = own->low;
    out->high = own->high;
    return own->class_ == TS_RQC_S64 && is_plain(&layer->sum);
}

static bool fits(wide v, wide most) { return v >= -most && v < most; }

static bool add_line_of(const ts_layer *layer, add_line *out) {
    wide k, l;
    int64_t div;
    if (!is_linear(&layer->in1, TS_S16) || !is_linear(&layer->in2, TS_S16) ||
        !last_step(layer, &k, &l, &div, out) || div <= 0 || (div & (div - 1)) != 0 ||
        div > (int64_t)1 << 31 || !fits(k, (wide)1 << 40)) {
        return false;
    }
    out->shift = (uint32_t)__builtin_ctzll((uint64_t)div);
    out->k[0] = k * layer->in1.mul;
    out->k[1] = k * layer->in2.mul;
    out->l = k * ((wide)layer->in1.add + layer->in2.add) + l;
    wide reach = 32768 * (magnitude(out->k[0]) + magnitude(out->k[1])) + magnitude(out->l);
    return fits(out->k[0], 32768) && fits(out->k[1], 32768) && reach < (wide)1 << 31;
}

static bool serves_add(const ts_layer *layer) {
    add_line line;
    return layer->kind == TS_LAYER_ADD && layer->x.type == TS_S16 && layer->x2.type == TS_S16 &&
           layer->y.type == TS_S16 && add_line_of(layer, &line);
}

static uint64_t add_weight_bytes(const ts_layer *layer, uint32_t channels) {
    (void)layer;
    return channels == 0 ? 0 : ADD_BYTES;
}

static void add_pack(const ts_layer *layer, uint8_t *out) {
    add_line line;
    bool is_line = add_line_of(layer, &line);
    TS_ASSERT(is_line, layer->name);
    put_half(out, 0, (int32_t)line.k[0]);
    put_half(out, 1, (int32_t)line.k[1]);
    ts__pack_word(out + 4, (uint32_t)(int64_t)line.l);
    ts__pack_word(out + 8, line.shift);
    ts__pack_word(out + 12, (uint32_t)line.low);
    ts__pack_word(out + 16, (uint32_t)line.high);
}

static double add_cycles(const ts_layer *layer, const ts_tile *tile, uint32_t cores) {
    (void)layer, (void)cores;
    return 80 + 11.0 * tile->y_h * tile->y_w * tile->y_c;
}

static int64_t one_value(const ts_layer *layer, uint32_t channel, bool magnitudes) {
    (void)layer, (void)channel, (void)magnitudes;
    return 1;
}

static bool serves_requant(const ts_layer *layer) {
    return layer->kind == TS_LAYER_REQUANT && is_half(&layer->x) && layer->y.type == TS_S16 &&
           layer->rq.class_ != TS_RQC_NONE && ts__armv7em_rq_serves(layer, one_value);
}

static void requant_pack(const ts_layer *layer, uint8_t *out) {
    for (uint32_t c = 0; c < layer->y.c; c++, out += ts__armv7em_rq_bytes(layer)) {
        ts__armv7em_pack_rq(layer, c, ts__armv7em_most(layer), 0, out);
    }
}

static double requant_cycles(const ts_layer *layer, const ts_tile *tile, uint32_t cores) {
    (void)layer, (void)cores;
    return 80 + 16.0 * tile->y_h * tile->y_w * tile->y_c;
}

const ts_kernel ts__kernels_armv7em_s16[] = {
    {.name = "conv_armv7em_s16",
     .isa = "armv7em",
     .stack_bytes = 256,
     .sources = "armv7em/conv_armv7em_s16.c armv7em/conv_halves.S",
     .c_granule = 2,
     .in_order = true,
     .serves = serves_conv,
     .weight_bytes = conv_weight_bytes,
     .pack = conv_pack,
     .scratch_bytes = conv_scratch,
     .cycles = conv_cycles},
    {.name = "conv_armv7em_s16_wide",
     .isa = "armv7em",
     .stack_bytes = 256,
     .sources = "armv7em/conv_armv7em_s16.c armv7em/conv_halves.S",
     .c_granule = 2,
     .in_order = true,
     .serves = serves_conv_wide,
     .weight_bytes = conv_weight_bytes,
     .pack = conv_pack,
     .scratch_bytes = conv_scratch,
     .cycles = conv_cycles},
    {.name = "dwconv_armv7em_s16",
     .isa = "armv7em",
     .stack_bytes = 256,
     .sources = "armv7em/dwconv_armv7em_s16.c",
     .c_granule = 2,
     .in_order = true,
     .serves = serves_dw,
     .weight_bytes = dw_weight_bytes,
     .pack = dw_pack,
     .scratch_bytes = no_scratch,
     .cycles = dw_cycles},
    {.name = "dwconv_armv7em_s16_wide",
     .isa = "armv7em",
     .stack_bytes = 256,
     .sources = "armv7em/dwconv_armv7em_s16.c",
     .c_granule = 2,
     .in_order = true,
     .serves = serves_dw_wide,
     .weight_bytes = dw_weight_bytes,
     .pack = dw_pack,
     .scratch_bytes = no_scratch,
     .cycles = dw_cycles},
    {.name = "max_pool_armv7em_s16",
     .isa = "armv7em",
     .stack_bytes = 192,
     .sources = "armv7em/pool_armv7em_s16.c",
     .c_granule = 1,
     .in_order = true,
     .serves = serves_max_pool,
     .weight_bytes = no_weight_bytes,
     .pack = pack_nothing,
     .scratch_bytes = no_scratch,
     .cycles = pool_cycles},
    {.name = "avg_pool_armv7em_s16",
     .isa = "armv7em",
     .stack_bytes = 192,
     .sources = "armv7em/pool_armv7em_s16.c",
     .c_granule = 1,
     .in_order = true,
     .serves = serves_avg_pool,
     .weight_bytes = rq_weight_bytes,
     .pack = avg_pack,
     .scratch_bytes = no_scratch,
     .cycles = pool_cycles},
    {.name = "add_armv7em_s16",
     .isa = "armv7em",
     .stack_bytes = 128,
     .sources = "armv7em/add_armv7em_s16.c",
     .c_granule = 1,
     .in_order = true,
     .serves = serves_add,
     .weight_bytes = add_weight_bytes,
     .pack = add_pack,
     .scratch_bytes = no_scratch,
     .cycles = add_cycles},
    {.name = "requant_armv7em_s16",
     .isa = "armv7em",
     .stack_bytes = 128,
     .sources = "armv7em/add_armv7em_s16.c",
     .c_granule = 1,
     .in_order = true,
     .serves = serves_requant,
     .weight_bytes = rq_weight_bytes,
     .pack = requant_pack,
     .scratch_bytes = no_scratch,
     .cycles = requant_cycles},
};
const uint32_t ts__kernels_armv7em_s16_count =
    sizeof ts__kernels_armv7em_s16 / sizeof *ts__kernels_armv7em_s16;
