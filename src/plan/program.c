/* How much of L2 a program takes, before it is there: what its parts took where they were measured, for the
 * kernels and the requantisations that the network uses. tests/run/memory_test.c holds it to linked programs.
 */
#include <string.h>

#include "plan/plan.h"

/* Start-up, HAL, the runtime's fetches, libgcc; network.c, its rows for each layer and for each fetch. */
enum { RUNTIME = 4800, NETWORK = 128, ROW = 36, FETCH = 16, FETCHED_AT_ONCE = 49152 };

enum { SPARE_SHARE = 100 }; /* a hundredth more than that */

/* A file of kernels: bytes; bytes for each requantisation up to the last that it has in line and each range
 * of outputs that the program uses (device/kernels/xpulp/used.h), and more for each place in their order. */
static const struct source {
    const char *path;
    uint32_t bytes, requant_bytes, rank_bytes, last_rank;
} sources[] = {
    {"xpulp/add_xpulp.c", 2624, 0, 0, 0},
    {"xpulp/add_xpulp_line.c", 1224, 0, 0, 0},
    {"xpulp/avg_pool_xpulp_sub8.c", 4736, 0, 0, 0},
    {"xpulp/conv_gather.S", 704, 0, 0, 0},
    {"xpulp/conv_s16s16_4x4.S", 2240, 0, 0, 0},
    {"xpulp/conv_s16s8_4x4.S", 1008, 1216, 77, 5},
    {"xpulp/conv_s16s8_4x4_quads.S", 0, 1216, 77, 3},
    {"xpulp/conv_s8s8_4x4.S", 1056, 1488, 151, 5},
    {"xpulp/conv_s8s8_4x4_quads.S", 0, 1488, 151, 3},
    {"xpulp/conv_split.S", 80, 0, 0, 0},
    {"xpulp/conv_u8s8_4x4.S", 1056, 1488, 151, 5},
    {"xpulp/conv_u8s8_4x4_quads.S", 0, 1488, 151, 3},
    {"xpulp/conv_xpulp_s16s16.c", 9536, 0, 0, 0},
    {"xpulp/conv_xpulp_s16s8_4x4.c", 9662, 0, 0, 0},
    {"xpulp/conv_xpulp_s16s8_4x4_quads.c", 172, 0, 0, 0},
    {"xpulp/conv_s8s8_narrow.S", 0, 1200, 80, 2},
    {"xpulp/conv_xpulp_s8s8_4x4.c", 9662, 0, 0, 0},
    {"xpulp/conv_xpulp_s8s8_4x4_quads.c", 172, 0, 0, 0},
    {"xpulp/conv_xpulp_s8s8_narrow_quads.c", 256, 0, 0, 0},
    {"xpulp/conv_xpulp_s8s8_strips.c", 1600, 0, 0, 0},
    {"xpulp/conv_xpulp_sub8.c", 11450, 0, 0, 0},
    {"xpulp/conv_u8s8_narrow.S", 0, 1200, 80, 2},
    {"xpulp/conv_xpulp_u8s8_4x4.c", 9662, 0, 0, 0},
    {"xpulp/conv_xpulp_u8s8_4x4_quads.c", 172, 0, 0, 0},
    {"xpulp/conv_u8s8_k3c3.S", 832, 0, 0, 0},
    {"xpulp/conv_xpulp_u8s8_k3c3.c", 1528, 0, 0, 0},
    {"xpulp/conv_xpulp_u8s8_k3c3_quads.c", 1928, 0, 0, 0},
    {"xpulp/conv_xpulp_u8s8_narrow_quads.c", 256, 0, 0, 0},
    {"xpulp/conv_xpulp_u8s8_strips.c", 1600, 0, 0, 0},
    {"xpulp/conv_xpulp_u8s8_strips_quads.c", 1600, 0, 0, 0},
    {"xpulp/conv_xpulp_u8s9_4x4.c", 2239, 0, 0, 0},
    {"xpulp/dw_k3s1.S", 624, 768, 53, 3},
    {"xpulp/dw_k3s2.S", 1264, 1456, 69, 3},
    {"xpulp/dw_quads_s1.S", 0, 3568, 256, 2},
    {"xpulp/dw_quads_s2.S", 0, 1280, 72, 2},
    {"xpulp/dw_transpose.S", 464, 0, 0, 0},
    {"xpulp/dw_taps.S", 2192, 0, 0, 0},
    {"xpulp/dwconv_xpulp_b8s8.c", 5455, 4054, 400, 5},
    {"xpulp/dwconv_xpulp_s16s16.c", 2912, 0, 0, 0},
    {"xpulp/dwconv_xpulp_sub8.c", 1704, 0, 0, 0},
    {"xpulp/dwconv_xpulp_u8s8_k357.c", 4487, 430, 60, 5},
    {"xpulp/dwconv_xpulp_u8s8_k3.c", 3424, 0, 0, 0},
    {"xpulp/dwconv_xpulp_u8s8_k3_quads.c", 857, 0, 0, 0},
    {"xpulp/dwconv_xpulp_u8s9_k3.c", 1941, 0, 0, 0},
    {"xpulp/linear_dot.S", 1184, 0, 0, 0},
    {"xpulp/linear_xpulp.c", 2647, 0, 0, 0},
    {"xpulp/lut_xpulp.c", 492, 0, 0, 0},
    {"xpulp/max_2x2.S", 96, 0, 0, 0},
    {"xpulp/max_pool_xpulp_sub8.c", 4936, 0, 0, 0},
    {"xpulp/mul_xpulp.c", 800, 0, 0, 0},
    {"xpulp/pool_xpulp_s16.c", 3776, 0, 0, 0},
    {"xpulp/pool_xpulp.c", 4944, 0, 0, 0},
    {"xpulp/strips.c", 320, 0, 0, 0},
};
enum { SOURCES = sizeof sources / sizeof sources[0], OTHER_SOURCE = 3200 };

enum { RANKS = 6 };

/* Requantisations that kernels have in line, in the order of their length; -1 for the others. */
static int rank_of(ts_rq_class class_) {
    static const int8_t ranks[TS_RQ_CLASS_COUNT] = {
        [TS_RQC_NONE] = -1, [TS_RQC_S64] = -1,  [TS_RQC_TFLITE] = -1, [TS_RQC_S32] = 0,  [TS_RQC_S32C] = 1,
        [TS_RQC_S32D] = 2,  [TS_RQC_S32DC] = 3, [TS_RQC_S32R] = 4,    [TS_RQC_S32RC] = 5};
    return ranks[class_];
}

/* Ranges of outputs: all of u8, all of s8, others. */
static uint32_t end_of(const ts_layer *l) {
    bool u8 = l->y.type == TS_U8 && l->rq.low == 0 && l->rq.high == 255;
    bool s8 = l->y.type == TS_S8 && l->rq.low == -128 && l->rq.high == 127;
    return u8 ? 0 : s8 ? 1 : 2;
}

/* Bit 3 r + e: some layer has requantisations of rank r, some layer the range e. */
static uint32_t requants_of(const ts_plan *plan) {
    uint32_t ranks = 0, ends = 0, pairs = 0;
    for (uint32_t i = 0; i < plan->layer_count; i++) {
        int rank = rank_of(plan->layers[i].rq.class_);
        ranks |= rank < 0 ? 0 : 1u << rank;
        ends |= rank < 0 ? 0 : 1u << end_of(&plan->layers[i]);
    }
    for (uint32_t rank = 0; rank < RANKS; rank++) {
        pairs |= (ranks >> rank & 1u) != 0 ? ends << 3 * rank : 0;
    }
    return pairs;
}

static uint64_t source_bytes(const struct source *source, uint32_t requants) {
    uint64_t bytes = source->bytes;
    for (uint32_t pair = 0; pair < 3 * (source->last_rank + 1); pair++) {
        bool used = (requants >> pair & 1u) != 0;
        bytes += used ? source->requant_bytes + pair / 3 * source->rank_bytes : 0;
    }
    return bytes;
}

/* Does one of the kernels of the layers before `end` come from this file? */
static bool uses(const ts_plan *plan, uint32_t end, const char *path, size_t length) {
    for (uint32_t i = 0; i < end; i++) {
        const ts_kernel *kernel = plan->layer_plans[i].kernel;
        for (const char *at = strstr(kernel->sources, path); at != NULL; at = strstr(at + 1, path)) {
            if (at[length] == ' ' || at[length] == '\0') {
                return true;
            }
        }
    }
    return false;
}

static uint64_t kernel_bytes(const ts_plan *plan) {
    uint32_t requants = requants_of(plan);
    uint64_t bytes = 0;
    for (uint32_t s = 0; s < SOURCES; s++) {
        bool used = uses(plan, plan->layer_count, sources[s].path, strlen(sources[s].path));
        bytes += used ? source_bytes(&sources[s], requants) : 0;
    }
    for (uint32_t i = 0; i < plan->layer_count; i++) {
        const ts_kernel *kernel = plan->layer_plans[i].kernel;
        bool ref = strcmp(kernel->isa, "ref") == 0;
        bytes += ref && !uses(plan, i, kernel->sources, strlen(kernel->sources)) ? OTHER_SOURCE : 0;
    }
    return bytes;
}

/* Of a layer's function: its loops over tiles, its transfers, its padding. */
static uint32_t layer_bytes(const ts_layer_plan *lp) {
    enum {
        ONE = 552,
        TILES = 890,
        LONG = 90,
        AXIS = 130,
        PADDED_ONE = 110,
        PADDED = 500,
        CHUNKS = 150,
        STAYS_ONE = 60,
        X_STAYS = 40,
        Y_STAYS = 140
    };
    const ts_l1_plan *l1 = &lp->l1;
    uint32_t tiles[] = {l1->tiles_h, l1->tiles_w, l1->tiles_c}, axes = 0, most = 0;
    for (uint32_t i = 0; i < 3; i++) {
        axes += tiles[i] > 1;
        most = tiles[i] > most ? tiles[i] : most;
    }
    bool padded = lp->kernel->padded_x;
    bool chunks = lp->kernel->weight_bytes(lp->layer, lp->layer->y.c) > FETCHED_AT_ONCE;
    if (most <= 1) {
        uint32_t stay = (uint32_t)lp->x_stays + (uint32_t)lp->y_stays, moved = ONE - stay * STAYS_ONE;
        return padded ? moved + PADDED_ONE : moved;
    }
    uint32_t bytes = TILES + (axes - 1) * AXIS;
    bytes -= lp->x_stays ? X_STAYS : 0;
    bytes -= lp->y_stays ? Y_STAYS : 0;
    bytes += most > 2 ? LONG : 0;
    bytes += padded ? PADDED : 0;
    return chunks ? bytes + CHUNKS : bytes;
}

uint64_t ts_plan_program_bytes(const ts_plan *plan) {
    uint64_t bytes = RUNTIME + plan->target->fc_stack_bytes + kernel_bytes(plan) + NETWORK, weights = 0;
    for (uint32_t i = 0; i < plan->layer_count; i++) {
        const ts_layer_plan *lp = &plan->layer_plans[i];
        bytes += layer_bytes(lp) + ROW + FETCH;
        weights += lp->kernel->weight_bytes(lp->layer, lp->layer->y.c);
    }
    bytes += weights / FETCHED_AT_ONCE * FETCH;
    return (bytes + bytes / SPARE_SHARE + 15) / 16 * 16;
}
