/* Rows of the ref kernels: portable C that serves every layer. */
#include <string.h>

#include "base/fixed_point.h"
#include "ir/program.h"
#include "num/integer.h"
#include "plan/kernel.h"
#include "plan/kernel_pack.h"

static uint64_t group_inputs(const ts_layer *layer) {
    return layer->kind == TS_LAYER_LINEAR ? layer->x.c : layer->x.c / layer->groups;
}

static uint64_t weights_per_channel(const ts_layer *layer) {
    uint64_t window =
        layer->kind == TS_LAYER_LINEAR ? 1 : (uint64_t)layer->window.kernel_h * layer->window.kernel_w;
    return window * group_inputs(layer);
}

static bool serves_conv(const ts_layer *layer) {
    return layer->kind == TS_LAYER_CONV || layer->kind == TS_LAYER_DWCONV || layer->kind == TS_LAYER_LINEAR;
}

static bool serves_max_pool(const ts_layer *layer) { return layer->kind == TS_LAYER_MAX_POOL; }

static bool serves_avg_pool(const ts_layer *layer) { return layer->kind == TS_LAYER_AVG_POOL; }

static bool of_floats(const ts_layer *layer) { return layer->x.type == TS_F32; }

static bool serves_conv_f32(const ts_layer *layer) { return of_floats(layer) && serves_conv(layer); }

static bool serves_max_pool_f32(const ts_layer *layer) { return of_floats(layer) && serves_max_pool(layer); }

static bool serves_avg_pool_f32(const ts_layer *layer) { return of_floats(layer) && serves_avg_pool(layer); }

static bool serves_add(const ts_layer *layer) {
    return layer->kind == TS_LAYER_ADD || layer->kind == TS_LAYER_REQUANT;
}

static bool serves_mul(const ts_layer *layer) { return layer->kind == TS_LAYER_MUL; }

static bool serves_matmul(const ts_layer *layer) { return layer->kind == TS_LAYER_MATMUL; }

static bool serves_lut(const ts_layer *layer) { return layer->kind == TS_LAYER_LUT; }

static bool is_softmax(const ts_layer *layer, ts_softmax_kind kind) {
    return layer->kind == TS_LAYER_SOFTMAX && layer->softmax.kind == kind;
}

static bool serves_softmax(const ts_layer *layer) { return is_softmax(layer, TS_SOFTMAX_TFLITE); }

static bool serves_ibert(const ts_layer *layer) { return is_softmax(layer, TS_SOFTMAX_IBERT); }

static bool serves_ita(const ts_layer *layer) { return is_softmax(layer, TS_SOFTMAX_ITA); }

static bool serves_norm(const ts_layer *layer) { return layer->kind == TS_LAYER_NORM; }

static bool serves_float(const ts_layer *layer) { return layer->kind == TS_LAYER_FLOAT; }

static bool serves_move(const ts_layer *layer) { return layer->kind == TS_LAYER_MOVE; }

/* One table for all channels, by the bits of an element as they lie in memory. */
uint64_t ts__lut_weight_bytes(const ts_layer *layer, uint32_t channels) {
    uint64_t entries = UINT64_C(1) << ts_type_bits(layer->x.type);
    return channels == 0 ? 0 : (entries + 3) / 4 * 4;
}

void ts__lut_pack(const ts_layer *layer, uint8_t *out) {
    uint32_t entries = 1u << ts_type_bits(layer->x.type);
    for (uint32_t i = 0; i < entries; i++) {
        int64_t value = ts_type_low(layer->x.type) + i;
        out[(uint64_t)value & (entries - 1)] = (uint8_t)ts_tensor_int(layer->weights, i);
    }
}

static bool is_byte(ts_type type) { return type == TS_U8 || type == TS_S8; }

static bool same_in_all_channels(const ts_rq_plan *rq) {
    for (uint32_t c = 1; c < rq->channels; c++) {
        if (rq->k[c] != rq->k[0] || rq->l[c] != rq->l[0] || rq->tflite_shift[c] != rq->tflite_shift[0]) {
            return false;
        }
    }
    return true;
}

bool ts__requant_table_serves(const ts_layer *layer) {
    return layer->kind == TS_LAYER_REQUANT && is_byte(layer->x.type) && is_byte(layer->y.type) &&
           layer->rq_own.class_ != TS_RQC_NONE && same_in_all_channels(&layer->rq_own);
}

uint64_t ts__requant_table_bytes(const ts_layer *layer, uint32_t channels) {
    (void)layer;
    return channels == 0 ? 0 : 256;
}

void ts__requant_table_pack(const ts_layer *layer, uint8_t *out) {
    const ts_rq_plan *rq = &layer->rq_own;
    bool tflite = rq->class_ == TS_RQC_TFLITE;
    int32_t multiplier = tflite ? (int32_t)rq->k[0] : 0;
    int64_t kappa = 1, lambda = 0;
    ts_requant graph = {.kind = tflite ? TS_REQUANT_TFLITE : TS_REQUANT_NEMO,
                        .channels = 1,
                        .kappa = tflite ? &kappa : &rq->k[0],
                        .lambda = tflite ? &lambda : &rq->l[0],
                        .m = 1,
                        .d = rq->div,
                        .multiplier = &multiplier,
                        .shift = rq->tflite_shift,
                        .zero = rq->zero,
                        .low = rq->low,
                        .high = rq->high};
    for (int64_t x = ts_type_low(layer->x.type); x <= ts_type_high(layer->x.type); x++) {
        out[(uint8_t)x] = (uint8_t)ts_requant_apply(&graph, 0, x + (tflite ? rq->l[0] : 0));
    }
}

static uint64_t softmax_weight_bytes(const ts_layer *layer, uint32_t channels) {
    (void)layer;
    return channels == 0 ? 0 : 256 * 4;
}

static void softmax_pack(const ts_layer *layer, uint8_t *out) {
    const ts_softmax *s = &layer->softmax;
    for (int32_t d = 0; d < 256; d++, out += 4) {
        int32_t power = -d >= s->diff_min ? ts_multiply_by_quantized(-d, s->multiplier, s->shift) : 0;
        ts__pack_word(out, -d >= s->diff_min ? (uint32_t)ts_fixed_exp(power, 5) : 0);
    }
}

/* The terms of all differences, and what quotients are of. */
static uint64_t quotient_weight_bytes(const ts_layer *layer, uint32_t channels) {
    (void)layer;
    return channels == 0 ? 0 : (256 + 1) * 4;
}

static void quotient_pack(const ts_layer *layer, uint8_t *out) {
    const ts_softmax *s = &layer->softmax;
    for (int32_t d = 0; d < 256; d++) {
        ts__pack_word(out + 4 * d, (uint32_t)ts_softmax_term(s, d));
    }
    ts__pack_word(out + 4 * 256, s->kind == TS_SOFTMAX_ITA ? 255u : (uint32_t)s->levels - 1u);
}

/* Four words for the layer, then weight and bias of each channel. */
static uint64_t norm_weight_bytes(const ts_layer *layer, uint32_t channels) {
    (void)layer;
    return channels == 0 ? 0 : 16 + (uint64_t)channels * 8;
}

static void norm_pack(const ts_layer *layer, uint8_t *out) {
    const ts_norm *n = &layer->norm;
    ts__pack_word(out, n->centred);
    ts__pack_word(out + 4, n->shift);
    ts__pack_word(out + 8, (uint32_t)n->low);
    ts__pack_word(out + 12, (uint32_t)n->high);
    for (uint32_t c = 0; c < layer->y.c; c++) {
        int32_t bias = layer->norm_bias == NULL ? 0 : ts_tensor_int(layer->norm_bias, c);
        ts__pack_word(out + 16 + 8 * (uint64_t)c, (uint32_t)ts_tensor_int(layer->weights, c));
        ts__pack_word(out + 20 + 8 * (uint64_t)c, (uint32_t)bias);
    }
}

/* The program, as it is. */
static uint64_t float_weight_bytes(const ts_layer *layer, uint32_t channels) {
    return channels == 0 ? 0 : ts_tensor_elements(layer->weights) * 4;
}

static void float_pack(const ts_layer *layer, uint8_t *out) {
    uint64_t words = ts_tensor_elements(layer->weights);
    for (uint64_t i = 0; i < words; i++) {
        ts__pack_word(out + 4 * i, (uint32_t)ts_tensor_int(layer->weights, i));
    }
}

static uint64_t no_weights(const ts_layer *layer, uint32_t channels) {
    (void)layer, (void)channels;
    return 0;
}

static void pack_nothing(const ts_layer *layer, uint8_t *out) { (void)layer, (void)out; }

static uint64_t conv_record_bytes(const ts_layer *layer) {
    uint64_t bits = weights_per_channel(layer) * ts_type_bits(layer->weights->type);
    return ts__params_bytes(&layer->rq) + (bits + 31) / 32 * 4;
}

static uint64_t conv_weight_bytes(const ts_layer *layer, uint32_t channels) {
    return conv_record_bytes(layer) * channels;
}

static void conv_pack(const ts_layer *layer, uint8_t *out) {
    uint64_t record = conv_record_bytes(layer), count = weights_per_channel(layer);
    uint32_t bits = ts_type_bits(layer->weights->type);
    memset(out, 0, record * layer->y.c);
    for (uint32_t c = 0; c < layer->y.c; c++, out += record) {
        ts__pack_params(&layer->rq, c, 0, out);
        uint8_t *weights = out + ts__params_bytes(&layer->rq);
        for (uint64_t i = 0; i < count; i++) {
            ts__pack_bits(weights, i, bits, ts_tensor_int(layer->weights, c * count + i));
        }
    }
}

static bool has_params(const ts_layer *layer) {
    return layer->rq.class_ != TS_RQC_NONE || layer->kind == TS_LAYER_AVG_POOL;
}

uint64_t ts__params_weight_bytes(const ts_layer *layer, uint32_t channels) {
    return has_params(layer) ? (uint64_t)ts__params_bytes(&layer->rq) * channels : 0;
}

void ts__params_pack(const ts_layer *layer, uint8_t *out) {
    for (uint32_t c = 0; has_params(layer) && c < layer->y.c; c++) {
        ts__pack_params(&layer->rq, c, 0, out + (uint64_t)c * ts__params_bytes(&layer->rq));
    }
}

static uint64_t no_scratch(const ts_layer *layer, const ts_tile *tile, uint32_t cores) {
    (void)layer, (void)tile, (void)cores;
    return 0;
}

enum { CALL_CYCLES = 120 };

/* Of floats, on a core that computes them with gcc's routines. */
enum { READ_CYCLES = 80, FLOAT_CYCLES = 170, FUNCTION_CYCLES = 3000, RESULT_CYCLES = 720, MAC_CYCLES = 260 };

/* Of the busiest core: outputs are dealt in fours of channels (device/kernels/ref/ref.h). */
static double outputs_per_core(const ts_tile *tile, uint32_t cores) {
    uint64_t blocks = (uint64_t)tile->y_h * tile->y_w * ((tile->y_c + 3u) / 4u);
    uint64_t most = (blocks + cores - 1u) / cores;
    return (double)most * (tile->y_c < 4u ? tile->y_c : 4u);
}

static double conv_cycles(const ts_layer *layer, const ts_tile *tile, uint32_t cores) {
    bool fast = layer->x.type == TS_U8 && layer->weights->type == TS_S8;
    bool divides = layer->rq.class_ == TS_RQC_S64 && (layer->rq.div & (layer->rq.div - 1)) != 0;
    double each = (double)weights_per_channel(layer) * (fast ? 16 : 60) + (divides ? 500 : 120);
    return CALL_CYCLES + outputs_per_core(tile, cores) * each;
}

static double pool_cycles(const ts_layer *layer, const ts_tile *tile, uint32_t cores) {
    double window = (double)layer->window.kernel_h * layer->window.kernel_w;
    return CALL_CYCLES + outputs_per_core(tile, cores) * (window * 30 + 60);
}

static double add_cycles(const ts_layer *layer, const ts_tile *tile, uint32_t cores) {
    return CALL_CYCLES + outputs_per_core(tile, cores) * (ts_layer_has_x2(layer) ? 120 : 60);
}

static double matmul_cycles(const ts_layer *layer, const ts_tile *tile, uint32_t cores) {
    return CALL_CYCLES + outputs_per_core(tile, cores) * (layer->x.c * 26.0 + 120);
}

static double lut_cycles(const ts_layer *layer, const ts_tile *tile, uint32_t cores) {
    double bytes = (double)tile->y_h * tile->y_w * tile->y_c / cores;
    bool whole = ts_type_bits(layer->x.type) == 8 && ts_type_bits(layer->y.type) == 8;
    return CALL_CYCLES + (whole ? bytes * 5 : outputs_per_core(tile, cores) * 40);
}

static double softmax_cycles(const ts_layer *layer, const ts_tile *tile, uint32_t cores) {
    (void)layer;
    uint64_t pixels = (uint64_t)tile->y_h * tile->y_w, share = cores;
    if (pixels >= cores) {
        pixels = (pixels + cores - 1) / cores;
        share = 1;
    }
    return CALL_CYCLES + (double)pixels * (600 + tile->y_c * (22.0 + 30.0 / (double)share));
}

/* Quotients of I-BERT's are divided one by one, in hardware where the core has it. */
static double quotient_cycles(const ts_layer *layer, const ts_tile *tile, uint32_t cores) {
    double each = layer->softmax.kind == TS_SOFTMAX_ITA ? 12 : 40;
    uint64_t pixels = (uint64_t)tile->y_h * tile->y_w, share = cores;
    if (pixels >= cores) {
        pixels = (pixels + cores - 1) / cores;
        share = 1;
    }
    return CALL_CYCLES + (double)pixels * (80 + tile->y_c * (18.0 + each / (double)share));
}

static double norm_cycles(const ts_layer *layer, const ts_tile *tile, uint32_t cores) {
    uint64_t pixels = (uint64_t)tile->y_h * tile->y_w, share = cores;
    if (pixels >= cores) {
        pixels = (pixels + cores - 1) / cores;
        share = 1;
    }
    double sums = layer->norm.centred ? 12 : 7;
    return CALL_CYCLES + (double)pixels * (250 + tile->y_c * (sums + 48.0 / (double)share));
}

/* A step over the channels goes through all steps before it, on every core where these share the channels of
 * a pixel; the results through all of them. */
static double float_cycles(const ts_layer *layer, const ts_tile *tile, uint32_t cores) {
    const int32_t *words = layer->weights->data, *step = words + TS_PROGRAM_HEAD;
    double before = 0, over = 0;
    for (int32_t i = 0; i < words[TS_PROGRAM_COUNT]; i++, step += TS_PROGRAM_STEP) {
        bool function = step[0] == TS_STEP_SQRT || step[0] == TS_STEP_EXP || step[0] == TS_STEP_LOG;
        if (step[0] == TS_STEP_SUM || step[0] == TS_STEP_MOST) {
            over += before + FLOAT_CYCLES;
        } else {
            before += function ? FUNCTION_CYCLES : step[0] < TS_STEP_ADD ? READ_CYCLES : FLOAT_CYCLES;
        }
    }
    double elements = (double)tile->y_h * tile->y_w * tile->y_c;
    bool by_pixel = tile->y_h * tile->y_w >= cores;
    return CALL_CYCLES + elements * (over / (by_pixel ? cores : 1) + (before + RESULT_CYCLES) / cores);
}

/* A product and a sum for each weight. */
static double conv_f32_cycles(const ts_layer *layer, const ts_tile *tile, uint32_t cores) {
    double each = (double)weights_per_channel(layer) * MAC_CYCLES + FLOAT_CYCLES;
    return CALL_CYCLES + outputs_per_core(tile, cores) * each;
}

static double pool_f32_cycles(const ts_layer *layer, const ts_tile *tile, uint32_t cores) {
    double window = (double)layer->window.kernel_h * layer->window.kernel_w;
    return CALL_CYCLES + outputs_per_core(tile, cores) * (window + 1) * FLOAT_CYCLES;
}

/* Nothing is computed: what it costs are transfers (move.c). */
static double no_cycles(const ts_layer *layer, const ts_tile *tile, uint32_t cores) {
    (void)layer, (void)tile, (void)cores;
    return 0;
}

const ts_kernel ts__kernels_ref[] = {
    {.name = "conv_ref",
     .isa = "ref",
     .sources = "ref/conv_ref.c",
     .c_granule = 1,
     .stack_bytes = 320,
     .in_order = true,
     .serves = serves_conv,
     .weight_bytes = conv_weight_bytes,
     .pack = conv_pack,
     .scratch_bytes = no_scratch,
     .cycles = conv_cycles},
    {.name = "max_pool_ref",
     .isa = "ref",
     .sources = "ref/max_pool_ref.c",
     .c_granule = 1,
     .stack_bytes = 208,
     .in_order = true,
     .serves = serves_max_pool,
     .weight_bytes = ts__params_weight_bytes,
     .pack = ts__params_pack,
     .scratch_bytes = no_scratch,
     .cycles = pool_cycles},
    {.name = "avg_pool_ref",
     .isa = "ref",
     .sources = "ref/avg_pool_ref.c",
     .c_granule = 1,
     .stack_bytes = 208,
     .in_order = true,
     .serves = serves_avg_pool,
     .weight_bytes = ts__params_weight_bytes,
     .pack = ts__params_pack,
     .scratch_bytes = no_scratch,
     .cycles = pool_cycles},
    {.name = "add_ref",
     .isa = "ref",
     .sources = "ref/add_ref.c",
     .c_granule = 1,
     .stack_bytes = 208,
     .in_order = true,
     .serves = serves_add,
     .weight_bytes = ts__params_weight_bytes,
     .pack = ts__params_pack,
     .scratch_bytes = no_scratch,
     .cycles = add_cycles},
    {.name = "mul_ref",
     .isa = "ref",
     .sources = "ref/mul_ref.c",
     .c_granule = 1,
     .stack_bytes = 208,
     .in_order = true,
     .serves = serves_mul,
     .weight_bytes = ts__params_weight_bytes,
     .pack = ts__params_pack,
     .scratch_bytes = no_scratch,
     .cycles = add_cycles},
    {.name = "matmul_ref",
     .isa = "ref",
     .sources = "ref/matmul_ref.c",
     .c_granule = 1,
     .stack_bytes = 160,
     .serves = serves_matmul,
     .weight_bytes = ts__params_weight_bytes,
     .pack = ts__params_pack,
     .scratch_bytes = no_scratch,
     .cycles = matmul_cycles},
    {.name = "lut_ref",
     .isa = "ref",
     .sources = "ref/lut_ref.c",
     .c_granule = 1,
     .stack_bytes = 128,
     .in_order = true,
     .serves = serves_lut,
     .weight_bytes = ts__lut_weight_bytes,
     .pack = ts__lut_pack,
     .scratch_bytes = no_scratch,
     .cycles = lut_cycles},
    {.name = "softmax_ref",
     .isa = "ref",
     .sources = "ref/softmax_ref.c",
     .c_granule = UINT16_MAX, /* all channels of a pixel */
     .stack_bytes = 208,
     .serves = serves_softmax,
     .weight_bytes = softmax_weight_bytes,
     .pack = softmax_pack,
     .scratch_bytes = no_scratch,
     .cycles = softmax_cycles},
    {.name = "softmax_ibert_ref",
     .isa = "ref",
     .sources = "ref/softmax_quotient_ref.c",
     .c_granule = UINT16_MAX, /* all channels of a pixel */
     .stack_bytes = 144,
     .serves = serves_ibert,
     .weight_bytes = quotient_weight_bytes,
     .pack = quotient_pack,
     .scratch_bytes = no_scratch,
     .cycles = quotient_cycles},
    {.name = "softmax_ita_ref",
     .isa = "ref",
     .sources = "ref/softmax_quotient_ref.c",
     .c_granule = UINT16_MAX, /* all channels of a pixel */
     .stack_bytes = 144,
     .serves = serves_ita,
     .weight_bytes = quotient_weight_bytes,
     .pack = quotient_pack,
     .scratch_bytes = no_scratch,
     .cycles = quotient_cycles},
    {.name = "norm_ref",
     .isa = "ref",
     .sources = "ref/norm_ref.c",
     .c_granule = UINT16_MAX, /* all channels of a pixel */
     .stack_bytes = 160,
     .serves = serves_norm,
     .weight_bytes = norm_weight_bytes,
     .pack = norm_pack,
     .scratch_bytes = no_scratch,
     .cycles = norm_cycles},
    {.name = "float_ref",
     .isa = "ref",
     .sources = "ref/float_ref.c",
     .c_granule = UINT16_MAX, /* all channels of a pixel */
     .stack_bytes = 576,
     .floats = true,
     .serves = serves_float,
     .weight_bytes = float_weight_bytes,
     .pack = float_pack,
     .scratch_bytes = no_scratch,
     .cycles = float_cycles},
    {.name = "conv_f32_ref",
     .isa = "ref",
     .sources = "ref/conv_f32_ref.c",
     .c_granule = 1,
     .stack_bytes = 288,
     .in_order = true,
     .floats = true,
     .serves = serves_conv_f32,
     .weight_bytes = conv_weight_bytes,
     .pack = conv_pack,
     .scratch_bytes = no_scratch,
     .cycles = conv_f32_cycles},
    {.name = "max_pool_f32_ref",
     .isa = "ref",
     .sources = "ref/max_pool_f32_ref.c",
     .c_granule = 1,
     .stack_bytes = 192,
     .in_order = true,
     .floats = true,
     .serves = serves_max_pool_f32,
     .weight_bytes = no_weights,
     .pack = pack_nothing,
     .scratch_bytes = no_scratch,
     .cycles = pool_f32_cycles},
    {.name = "avg_pool_f32_ref",
     .isa = "ref",
     .sources = "ref/avg_pool_f32_ref.c",
     .c_granule = 1,
     .stack_bytes = 240,
     .in_order = true,
     .floats = true,
     .serves = serves_avg_pool_f32,
     .weight_bytes = no_weights,
     .pack = pack_nothing,
     .scratch_bytes = no_scratch,
     .cycles = pool_f32_cycles},
    {.name = "move",
     .isa = "ref",
     .sources = "../runtime/move.c",
     .c_granule = 1,
     .floats = true,
     .serves = serves_move,
     .weight_bytes = no_weights,
     .pack = pack_nothing,
     .scratch_bytes = no_scratch,
     .cycles = no_cycles},
};
const uint32_t ts__kernels_ref_count = sizeof ts__kernels_ref / sizeof *ts__kernels_ref;
