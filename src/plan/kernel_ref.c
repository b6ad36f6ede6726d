/* Rows of the ref kernels: portable C that serves every layer. */
#include <string.h>

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

static bool serves_add(const ts_layer *layer) {
    return layer->kind == TS_LAYER_ADD || layer->kind == TS_LAYER_REQUANT;
}

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
    return CALL_CYCLES + outputs_per_core(tile, cores) * (layer->kind == TS_LAYER_ADD ? 120 : 60);
}

const ts_kernel ts__kernels_ref[] = {
    {.name = "conv_ref",
     .isa = "ref",
     .sources = "ref/conv_ref.c",
     .c_granule = 1,
     .serves = serves_conv,
     .weight_bytes = conv_weight_bytes,
     .pack = conv_pack,
     .scratch_bytes = no_scratch,
     .cycles = conv_cycles},
    {.name = "max_pool_ref",
     .isa = "ref",
     .sources = "ref/max_pool_ref.c",
     .c_granule = 1,
     .serves = serves_max_pool,
     .weight_bytes = ts__params_weight_bytes,
     .pack = ts__params_pack,
     .scratch_bytes = no_scratch,
     .cycles = pool_cycles},
    {.name = "avg_pool_ref",
     .isa = "ref",
     .sources = "ref/avg_pool_ref.c",
     .c_granule = 1,
     .serves = serves_avg_pool,
     .weight_bytes = ts__params_weight_bytes,
     .pack = ts__params_pack,
     .scratch_bytes = no_scratch,
     .cycles = pool_cycles},
    {.name = "add_ref",
     .isa = "ref",
     .sources = "ref/add_ref.c",
     .c_granule = 1,
     .serves = serves_add,
     .weight_bytes = ts__params_weight_bytes,
     .pack = ts__params_pack,
     .scratch_bytes = no_scratch,
     .cycles = add_cycles},
};
const uint32_t ts__kernels_ref_count = sizeof ts__kernels_ref / sizeof *ts__kernels_ref;
