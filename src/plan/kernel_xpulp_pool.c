/* Rows of the xpulp kernels without weights: additions, tables and poolings. Costs are instruction counts
 * fitted to the simulator (docs/cost-model.md). */
#include <math.h>
#include <string.h>

#include "plan/kernel.h"
#include "plan/kernel_pack.h"

typedef struct range {
    int64_t low, high;
} range;

static bool is_power_of_two(int64_t n) { return n > 0 && (n & (n - 1)) == 0; }

static bool fits(range r) { return r.low >= INT32_MIN && r.high <= INT32_MAX; }

/* Takes `r` through a step; false where 32 bits or a shift do not do. */
static bool through(const ts_add_step *step, range *r) {
    if (!is_power_of_two(step->div) || step->div > INT32_MAX || !fits((range){step->mul, step->mul}) ||
        !fits((range){step->add, step->add})) {
        return false;
    }
    int64_t a = r->low * step->mul + step->add, b = r->high * step->mul + step->add;
    range t = {a < b ? a : b, a < b ? b : a};
    if (!fits(t)) {
        return false;
    }
    int64_t low = t.low >> __builtin_ctzll((uint64_t)step->div),
            high = t.high >> __builtin_ctzll((uint64_t)step->div);
    *r = (range){low < step->low ? step->low : low, high > step->high ? step->high : high};
    return true;
}

static bool is_byte(ts_type type) { return type == TS_U8 || type == TS_S8; }

static bool is_element(ts_type type) { return type == TS_U8 || type == TS_S8 || type == TS_S16; }

static bool serves_add_step(const ts_layer *layer) {
    range a = {ts_type_low(layer->x.type), ts_type_high(layer->x.type)};
    range b = {ts_type_low(layer->x2.type), ts_type_high(layer->x2.type)};
    if (layer->kind != TS_LAYER_ADD || !is_element(layer->x.type) || !is_element(layer->x2.type) ||
        !is_element(layer->y.type) || !through(&layer->in1, &a) || !through(&layer->in2, &b)) {
        return false;
    }
    range sum = {a.low + b.low, a.high + b.high};
    ts_rq_class class_ = layer->rq.class_;
    return fits(sum) && through(&layer->sum, &sum) &&
           (class_ == TS_RQC_NONE || class_ == TS_RQC_S32 || class_ == TS_RQC_S32C);
}

/* A multiplier 0 .. 255 and nothing else that shows in the result. */
static bool is_plain(const ts_add_step *step) {
    return step->mul >= 0 && step->mul <= 255 && step->add == 0 && step->div == 1 && step->low <= 0 &&
           step->high >= 255 * step->mul;
}

static bool serves_add_dot(const ts_layer *layer) {
    return serves_add_step(layer) && layer->x.type == TS_U8 && layer->x2.type == TS_U8 &&
           is_plain(&layer->in1) && is_plain(&layer->in2) && layer->sum.mul == 1 && layer->sum.add == 0 &&
           layer->sum.low <= 0 && (layer->y.type == TS_U8 || layer->y.type == TS_S16) &&
           (layer->rq.class_ == TS_RQC_NONE || (layer->rq.class_ == TS_RQC_S32 && layer->rq.channels == 1));
}

static bool is_whole(const ts_add_step *step) {
    return step->div == 1 && step->low == INT32_MIN && step->high == INT32_MAX;
}

/* One line of both operands (src/plan/add.h), within 32 bits. */
static bool serves_add_line(const ts_layer *layer) {
    return is_byte(layer->x.type) && is_byte(layer->x2.type) && is_byte(layer->y.type) &&
           layer->rq.class_ == TS_RQC_NONE && serves_add_step(layer) && is_whole(&layer->in1) &&
           is_whole(&layer->in2) && layer->sum.mul == 1 && layer->sum.add == 0;
}

/* Products of bytes, all requantised by the same 32-bit form. */
static bool serves_mul(const ts_layer *layer) {
    const ts_rq_plan *rq = &layer->rq;
    if (layer->kind != TS_LAYER_MUL || !is_byte(layer->x.type) || !is_byte(layer->x2.type) ||
        !is_byte(layer->y.type) || rq->class_ == TS_RQC_NONE || rq->class_ == TS_RQC_S64 ||
        rq->class_ == TS_RQC_TFLITE) {
        return false;
    }
    bool same = true, twice = rq->class_ == TS_RQC_S32R || rq->class_ == TS_RQC_S32RC;
    bool splits = twice || rq->class_ == TS_RQC_S32D || rq->class_ == TS_RQC_S32DC;
    for (uint32_t c = 1; c < rq->channels; c++) {
        same = same && rq->k[c] == rq->k[0] && rq->l[c] == rq->l[0] &&
               (!splits || rq->channel_shift[c] == rq->channel_shift[0]) &&
               (!twice || rq->middle[c] == rq->middle[0]);
    }
    return same;
}

static bool serves_max_pool(const ts_layer *layer) {
    return layer->kind == TS_LAYER_MAX_POOL && is_byte(layer->x.type) && layer->y.type == layer->x.type &&
           !ts_layer_has_rq_params(layer);
}

static bool serves_max_pool_sub8(const ts_layer *layer) {
    return layer->kind == TS_LAYER_MAX_POOL && ts_type_bits(layer->x.type) < 8 &&
           layer->y.type == layer->x.type && !ts_layer_has_rq_params(layer);
}

static bool serves_avg_pool(const ts_layer *layer) {
    return layer->kind == TS_LAYER_AVG_POOL && is_byte(layer->x.type);
}

static bool serves_avg_pool_sub8(const ts_layer *layer) {
    return layer->kind == TS_LAYER_AVG_POOL && ts_type_bits(layer->x.type) < 8;
}

static bool serves_max_pool_s16(const ts_layer *layer) {
    return layer->kind == TS_LAYER_MAX_POOL && layer->x.type == TS_S16 && layer->y.type == TS_S16 &&
           !ts_layer_has_rq_params(layer);
}

/* The sum of a window stays within 32 bits. */
static bool serves_avg_pool_s16(const ts_layer *layer) {
    return layer->kind == TS_LAYER_AVG_POOL && layer->x.type == TS_S16 &&
           (uint64_t)layer->window.kernel_h * layer->window.kernel_w < 1u << 15;
}

static uint64_t no_scratch(const ts_layer *layer, const ts_tile *tile, uint32_t cores) {
    (void)layer, (void)tile, (void)cores;
    return 0;
}

static bool serves_lut(const ts_layer *layer) {
    return layer->kind == TS_LAYER_LUT && is_byte(layer->x.type) && is_byte(layer->y.type);
}

static double elements_per_core(const ts_tile *tile, uint32_t cores) {
    return (double)tile->y_h * tile->y_w * tile->y_c / cores;
}

static double add_dot_cycles(const ts_layer *layer, const ts_tile *tile, uint32_t cores) {
    bool requantises = layer->rq.class_ != TS_RQC_NONE;
    return 220 + elements_per_core(tile, cores) * (requantises ? 9.9 : 6.9);
}

static double add_line_cycles(const ts_layer *layer, const ts_tile *tile, uint32_t cores) {
    (void)layer;
    return 220 + elements_per_core(tile, cores) * 9;
}

static double mul_cycles(const ts_layer *layer, const ts_tile *tile, uint32_t cores) {
    bool one_step = layer->rq.class_ == TS_RQC_S32 || layer->rq.class_ == TS_RQC_S32C;
    return 200 + elements_per_core(tile, cores) * (one_step ? 16 : 20);
}

static double add_step_cycles(const ts_layer *layer, const ts_tile *tile, uint32_t cores) {
    bool requantises = layer->rq.class_ != TS_RQC_NONE;
    return 400 + elements_per_core(tile, cores) * (requantises ? 53 : 40);
}

static double table_cycles(const ts_layer *layer, const ts_tile *tile, uint32_t cores) {
    (void)layer;
    return 150 + elements_per_core(tile, cores) * 5;
}

static double max_pool_cycles(const ts_layer *layer, const ts_tile *tile, uint32_t cores) {
    double rows = layer->window.kernel_h, columns = layer->window.kernel_w, words = (tile->y_c + 3) / 4;
    double word = rows == 2 && columns == 2 ? 8 : 8 + rows * (6 * columns + 5);
    return 200 + 1.1 * ceil((double)tile->y_h * tile->y_w / cores) * (62 + words * word);
}

static double max_pool_sub8_cycles(const ts_layer *layer, const ts_tile *tile, uint32_t cores) {
    double rows = layer->window.kernel_h, columns = layer->window.kernel_w;
    double words = ceil(tile->y_c * ts_type_bits(layer->x.type) / 32.0);
    double element = ts_type_bits(layer->x.type) == 4 ? 12 : 20;
    element += ts_type_low(layer->x.type) < 0 ? 4 : 0;
    return 200 + 1.1 * ceil((double)tile->y_h * tile->y_w / cores) *
                     (62 + words * (10 + rows * (element * columns + 5)));
}

static double avg_pool_cycles(const ts_layer *layer, const ts_tile *tile, uint32_t cores) {
    double window = (double)layer->window.kernel_h * layer->window.kernel_w;
    double finish = layer->rq.class_ == TS_RQC_S32 ? 140 : 450;
    return 250 + ceil(elements_per_core(tile, cores) / 4) * (finish + 7.4 * window);
}

static double max_pool_s16_cycles(const ts_layer *layer, const ts_tile *tile, uint32_t cores) {
    double rows = layer->window.kernel_h, columns = layer->window.kernel_w, words = (tile->y_c + 1) / 2;
    return 200 +
           1.1 * ceil((double)tile->y_h * tile->y_w / cores) * (62 + words * (8 + rows * (6 * columns + 5)));
}

static double avg_pool_s16_cycles(const ts_layer *layer, const ts_tile *tile, uint32_t cores) {
    double window = (double)layer->window.kernel_h * layer->window.kernel_w;
    return 250 + ceil(elements_per_core(tile, cores) / 4) * (400 + 12 * window);
}

static double avg_pool_sub8_cycles(const ts_layer *layer, const ts_tile *tile, uint32_t cores) {
    uint32_t bits = ts_type_bits(layer->x.type), each = 32 / bits;
    double words = (tile->y_c + each - 1) / each, pixels = (double)tile->y_h * tile->y_w;
    double items = pixels >= cores ? ceil(pixels / cores) * words : pixels * ceil(words / cores);
    double window = (double)layer->window.kernel_h * layer->window.kernel_w;
    double runs = layer->window.kernel_h * ceil(layer->window.kernel_w / (bits == 4 ? 16.0 : 84.0));
    return 250 + items * (each * 55 + (bits == 4 ? 8 : 13) * window + 5 * each * runs);
}

const ts_kernel ts__kernels_xpulp_pool[] = {
    {.name = "add_xpulp_u8dot",
     .isa = "xpulp",
     .sources = "xpulp/add_xpulp.c",
     .c_granule = 1,
     .stack_bytes = 192,
     .serves = serves_add_dot,
     .weight_bytes = ts__params_weight_bytes,
     .pack = ts__params_pack,
     .scratch_bytes = no_scratch,
     .cycles = add_dot_cycles},
    {.name = "add_xpulp_line",
     .isa = "xpulp",
     .sources = "xpulp/add_xpulp_line.c",
     .c_granule = 1,
     .stack_bytes = 128,
     .serves = serves_add_line,
     .weight_bytes = ts__params_weight_bytes,
     .pack = ts__params_pack,
     .scratch_bytes = no_scratch,
     .cycles = add_line_cycles},
    {.name = "add_xpulp_step",
     .isa = "xpulp",
     .sources = "xpulp/add_xpulp.c",
     .c_granule = 1,
     .stack_bytes = 192,
     .serves = serves_add_step,
     .weight_bytes = ts__params_weight_bytes,
     .pack = ts__params_pack,
     .scratch_bytes = no_scratch,
     .cycles = add_step_cycles},
    {.name = "mul_xpulp",
     .isa = "xpulp",
     .sources = "xpulp/mul_xpulp.c",
     .c_granule = 1,
     .stack_bytes = 64,
     .serves = serves_mul,
     .weight_bytes = ts__params_weight_bytes,
     .pack = ts__params_pack,
     .scratch_bytes = no_scratch,
     .cycles = mul_cycles},
    {.name = "requant_xpulp",
     .isa = "xpulp",
     .sources = "xpulp/lut_xpulp.c",
     .c_granule = 1,
     .stack_bytes = 64,
     .serves = ts__requant_table_serves,
     .weight_bytes = ts__requant_table_bytes,
     .pack = ts__requant_table_pack,
     .scratch_bytes = no_scratch,
     .cycles = table_cycles},
    {.name = "lut_xpulp",
     .isa = "xpulp",
     .sources = "xpulp/lut_xpulp.c",
     .c_granule = 1,
     .stack_bytes = 64,
     .serves = serves_lut,
     .weight_bytes = ts__lut_weight_bytes,
     .pack = ts__lut_pack,
     .scratch_bytes = no_scratch,
     .cycles = table_cycles},
    {.name = "max_pool_xpulp",
     .isa = "xpulp",
     .sources = "xpulp/pool_xpulp.c xpulp/max_2x2.S",
     .c_granule = 1,
     .stack_bytes = 128,
     .serves = serves_max_pool,
     .weight_bytes = ts__params_weight_bytes,
     .pack = ts__params_pack,
     .scratch_bytes = no_scratch,
     .cycles = max_pool_cycles},
    {.name = "max_pool_xpulp_sub8",
     .isa = "xpulp",
     .sources = "xpulp/max_pool_xpulp_sub8.c",
     .c_granule = 1,
     .stack_bytes = 240,
     .serves = serves_max_pool_sub8,
     .weight_bytes = ts__params_weight_bytes,
     .pack = ts__params_pack,
     .scratch_bytes = no_scratch,
     .cycles = max_pool_sub8_cycles},
    {.name = "avg_pool_xpulp",
     .isa = "xpulp",
     .sources = "xpulp/pool_xpulp.c xpulp/max_2x2.S",
     .c_granule = 1,
     .stack_bytes = 256,
     .serves = serves_avg_pool,
     .weight_bytes = ts__params_weight_bytes,
     .pack = ts__params_pack,
     .scratch_bytes = no_scratch,
     .cycles = avg_pool_cycles},
    {.name = "avg_pool_xpulp_sub8",
     .isa = "xpulp",
     .sources = "xpulp/avg_pool_xpulp_sub8.c",
     .c_granule = 1,
     .stack_bytes = 432,
     .serves = serves_avg_pool_sub8,
     .weight_bytes = ts__params_weight_bytes,
     .pack = ts__params_pack,
     .scratch_bytes = no_scratch,
     .cycles = avg_pool_sub8_cycles},
    {.name = "max_pool_xpulp_s16",
     .isa = "xpulp",
     .sources = "xpulp/pool_xpulp_s16.c",
     .c_granule = 1,
     .stack_bytes = 160,
     .serves = serves_max_pool_s16,
     .weight_bytes = ts__params_weight_bytes,
     .pack = ts__params_pack,
     .scratch_bytes = no_scratch,
     .cycles = max_pool_s16_cycles},
    {.name = "avg_pool_xpulp_s16",
     .isa = "xpulp",
     .sources = "xpulp/pool_xpulp_s16.c",
     .c_granule = 1,
     .stack_bytes = 272,
     .serves = serves_avg_pool_s16,
     .weight_bytes = ts__params_weight_bytes,
     .pack = ts__params_pack,
     .scratch_bytes = no_scratch,
     .cycles = avg_pool_s16_cycles},
};
const uint32_t ts__kernels_xpulp_pool_count = sizeof ts__kernels_xpulp_pool / sizeof *ts__kernels_xpulp_pool;
