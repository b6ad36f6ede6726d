/* Rows of the xpulp kernels for products of matrices (device/kernels/xpulp/matmul_block.h). */
#include "plan/kernel_xpulp.h"

enum { CHANNELS = 4, PIXELS = 4 };

/* In cycles, fitted to the simulator: of a call and of each pair of matrices, of what is packed of 16 bytes,
 * of a group of 4 channels and of a row beside it. */
static const double CALL_CYCLES = 350, PAIR_CYCLES = 530, PACK_CYCLES = 9, GROUP_CYCLES = 150,
                    ROW_CYCLES = 25;

static bool has_bytes(const ts_layer *layer, ts_type x_type) {
    return layer->kind == TS_LAYER_MATMUL && layer->x.type == x_type && ts_type_bits(layer->y.type) >= 8;
}

static bool serves_u8(const ts_layer *layer) { return has_bytes(layer, TS_U8); }
static bool serves_s8(const ts_layer *layer) { return has_bytes(layer, TS_S8); }

/* Accumulators begin with what zero points make of them; u8 is packed less 128. */
static bool has_offset(const ts_layer *layer) {
    return layer->x.zero != 0 || layer->x2.zero != 0 || layer->x2.type == TS_U8;
}

static uint64_t weight_bytes(const ts_layer *layer, uint32_t channels) {
    return layer->rq.class_ == TS_RQC_NONE ? 0 : (uint64_t)ts__params_bytes(&layer->rq) * channels;
}

static void pack(const ts_layer *layer, uint8_t *out) {
    for (uint32_t c = 0; c < layer->y.c && layer->rq.class_ != TS_RQC_NONE; c++) {
        ts__pack_xpulp_params(layer, c, 0, out + (uint64_t)c * ts__params_bytes(&layer->rq));
    }
}

static uint64_t words_of(const ts_layer *layer) {
    uint64_t words = div_up(layer->x.c, 4);
    return words < 2 ? 2 : words;
}

/* Rows and matrices as the kernel goes through them. */
static uint64_t rows_of(const ts_layer *layer, const ts_tile *tile) {
    return ts_layer_shares_x2(layer) ? tile->y_h : tile->y_w;
}

static uint32_t pairs_of(const ts_layer *layer, const ts_tile *tile) {
    return ts_layer_shares_x2(layer) ? 1 : tile->y_h;
}

static uint64_t scratch_bytes(const ts_layer *layer, const ts_tile *tile, uint32_t cores) {
    (void)cores;
    uint64_t group = words_of(layer) * 4 * CHANNELS + (uint64_t)ts__params_bytes(&layer->rq) * CHANNELS,
             rows = 0;
    if (has_offset(layer)) {
        group += 4 * CHANNELS;
        rows = div_up(rows_of(layer, tile), PIXELS) * PIXELS;
    }
    uint64_t copies = pairs_of(layer, tile) > 1 ? 2 : 1;
    return copies * (div_up(tile->y_c, CHANNELS) * group + 4 * rows);
}

static double cycles(const ts_layer *layer, const ts_tile *tile, uint32_t cores) {
    double words = (double)words_of(layer), groups = (double)div_up(tile->y_c, CHANNELS);
    uint64_t blocks = div_up(rows_of(layer, tile), PIXELS);
    bool offset = has_offset(layer);
    double item = 24 * words + ts__conv_requant_cycles(layer) + (offset ? 25 : 0);
    double packed =
        (double)div_up((uint64_t)groups, cores) * (GROUP_CYCLES + PACK_CYCLES * words * (offset ? 2 : 1));
    double sums = layer->x2.zero != 0 || layer->x2.type == TS_U8
                      ? (double)div_up(blocks * PIXELS, cores) * (ROW_CYCLES + 2 * words)
                      : 0;
    double share = (double)div_up(blocks * (uint64_t)groups, cores);
    return CALL_CYCLES + pairs_of(layer, tile) * (PAIR_CYCLES + packed + sums + 1.03 * share * item);
}

const ts_kernel ts__kernels_xpulp_matmul[] = {
    {.name = "matmul_xpulp_u8",
     .isa = "xpulp",
     .sources = "xpulp/matmul_xpulp_u8.c xpulp/matmul_u8.S xpulp/matmul_pack.S xpulp/conv_u8s8_4x4.S",
     .c_granule = CHANNELS,
     .stack_bytes = 1008,
     .serves = serves_u8,
     .weight_bytes = weight_bytes,
     .pack = pack,
     .scratch_bytes = scratch_bytes,
     .cycles = cycles},
    {.name = "matmul_xpulp_s8",
     .isa = "xpulp",
     .sources = "xpulp/matmul_xpulp_s8.c xpulp/matmul_s8.S xpulp/matmul_pack.S xpulp/conv_s8s8_4x4.S",
     .c_granule = CHANNELS,
     .stack_bytes = 1008,
     .serves = serves_s8,
     .weight_bytes = weight_bytes,
     .pack = pack,
     .scratch_bytes = scratch_bytes,
     .cycles = cycles},
};
const uint32_t ts__kernels_xpulp_matmul_count =
    sizeof ts__kernels_xpulp_matmul / sizeof *ts__kernels_xpulp_matmul;
