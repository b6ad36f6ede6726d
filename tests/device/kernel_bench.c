/* Multiply-accumulates per cycle of each kernel alone in L1, on one core and on eight, beside the kernel's
 * instruction-count ceiling, the ISA's limit and the planner's model; exit status 1 where a floor is missed.
 * Usage: kernel_bench [TEXT]: the rows alone whose kernel and shape, as printed, contain TEXT. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rig.h"

uint32_t ts_test_core, ts_test_cores = 1;

typedef struct bench {
    const char *kernel;
    ts_layer_kind kind;
    uint32_t h, w, c_in, c_out, k, stride, pad; /* of the input map */
    ts_rq_class class_;
    double ceiling; /* MAC per cycle and core that the inner loop admits; 0: none is known */
} bench;

static const bench benches[] = {
#define PW(h, ci, co) \
    { "conv_xpulp_u8s8_4x4", TS_LAYER_CONV, h, 16, ci, co, 1, 1, 0, TS_RQC_S32, 64.0 / 24 }
    PW(16, 8, 16),
    PW(16, 16, 32),
    PW(16, 24, 96),
    PW(16, 32, 64),
    PW(14, 64, 64),
    PW(8, 128, 64),
    PW(4, 256, 32),
    PW(3, 512, 16),
    PW(1, 1024, 16),
    {"conv_xpulp_u8s8_4x4", TS_LAYER_CONV, 14, 16, 64, 64, 1, 1, 0, TS_RQC_S32C, 64.0 / 24},
    {"conv_xpulp_u8s8_4x4", TS_LAYER_CONV, 14, 16, 64, 64, 1, 1, 0, TS_RQC_S32D, 64.0 / 24},
    {"conv_xpulp_u8s8_4x4", TS_LAYER_CONV, 14, 16, 64, 64, 1, 1, 0, TS_RQC_S32R, 64.0 / 24},
    {"conv_xpulp_u8s8_4x4", TS_LAYER_CONV, 14, 16, 64, 64, 1, 1, 0, TS_RQC_S32RC, 64.0 / 24},
    {"conv_xpulp_u8s8_4x4", TS_LAYER_CONV, 14, 16, 64, 64, 1, 1, 0, TS_RQC_S64, 64.0 / 24},
    {"conv_xpulp_u8s8_4x4", TS_LAYER_CONV, 14, 16, 64, 64, 1, 1, 0, TS_RQC_TFLITE, 64.0 / 24},
    {"conv_xpulp_u8s8_4x4", TS_LAYER_CONV, 16, 16, 64, 64, 1, 2, 0, TS_RQC_S32, 64.0 / 24},
    {"conv_xpulp_u8s8_4x4", TS_LAYER_CONV, 16, 16, 32, 32, 3, 1, 1, TS_RQC_S32, 64.0 / 24},
    {"conv_xpulp_u8s8_4x4", TS_LAYER_CONV, 16, 16, 32, 32, 3, 2, 1, TS_RQC_S32, 64.0 / 24},
    {"conv_xpulp_u8s8_4x4", TS_LAYER_CONV, 8, 8, 64, 16, 3, 1, 1, TS_RQC_S32, 64.0 / 24},
    {"conv_xpulp_u8s8_4x4", TS_LAYER_CONV, 32, 64, 3, 32, 3, 2, 1, TS_RQC_S32, 64.0 / 24},
    {"conv_xpulp_u8s8_4x4", TS_LAYER_CONV, 64, 32, 1, 32, 5, 2, 2, TS_RQC_S32, 64.0 / 24},
    {"conv_xpulp_u8s8_4x4", TS_LAYER_CONV, 32, 64, 3, 8, 3, 2, 1, TS_RQC_S32D, 64.0 / 24},
    {"conv_xpulp_u8s8_4x4", TS_LAYER_CONV, 16, 16, 1, 64, 4, 1, 1, TS_RQC_S32D, 64.0 / 24},
    {"conv_xpulp_u8s8_narrow_quads", TS_LAYER_CONV, 20, 64, 8, 8, 1, 1, 0, TS_RQC_S32D, 64.0 / 70},
    {"conv_xpulp_u8s8_narrow_quads", TS_LAYER_CONV, 32, 32, 8, 16, 1, 1, 0, TS_RQC_S32, 64.0 / 54},
    {"conv_xpulp_u8s8_narrow_quads", TS_LAYER_CONV, 24, 32, 16, 32, 1, 1, 0, TS_RQC_S32D, 128.0 / 94},
#define K3C3(quads, h, w, co, s) \
    { "conv_xpulp_u8s8_k3c3" quads, TS_LAYER_CONV, h, w, 3, co, 3, s, 1, TS_RQC_S32D, 216.0 / 124 }
    K3C3("", 32, 64, 32, 2),
    K3C3("", 18, 30, 24, 1),
    K3C3("_quads", 16, 128, 32, 2),
    K3C3("_quads", 16, 128, 16, 2),
    K3C3("_quads", 16, 128, 8, 2),
#define DW(h, w, c, s) \
    { "dwconv_xpulp_u8s8_k3", TS_LAYER_DWCONV, h, w, c, c, 3, s, 1, TS_RQC_S32, 36.0 / (s == 1 ? 35 : 55) }
    {"conv_xpulp_s16s8_4x4", TS_LAYER_CONV, 10, 10, 32, 32, 3, 1, 0, TS_RQC_S32D, 64.0 / 24},
    {"conv_xpulp_s16s16", TS_LAYER_CONV, 10, 10, 32, 32, 3, 1, 0, TS_RQC_S64, 64.0 / 96},
    {"conv_xpulp_s16s16", TS_LAYER_CONV, 8, 16, 64, 64, 1, 1, 0, TS_RQC_S64, 64.0 / 96},
    {"conv_xpulp_s16s16", TS_LAYER_LINEAR, 1, 1, 256, 32, 1, 1, 0, TS_RQC_S64, 64.0 / 96},
    {"dwconv_xpulp_s16s16", TS_LAYER_DWCONV, 8, 16, 64, 64, 3, 1, 1, TS_RQC_S64, 0},
    {"max_pool_xpulp_s16", TS_LAYER_MAX_POOL, 16, 16, 32, 32, 2, 2, 0, TS_RQC_NONE, 0},
    {"avg_pool_xpulp_s16", TS_LAYER_AVG_POOL, 8, 8, 64, 64, 8, 1, 0, TS_RQC_S32, 0},
    {"linear_xpulp_s16s8", TS_LAYER_LINEAR, 1, 1, 512, 64, 1, 1, 0, TS_RQC_NONE, 16.0 / 17},
    {"linear_xpulp_u8s8", TS_LAYER_LINEAR, 1, 1, 512, 64, 1, 1, 0, TS_RQC_NONE, 32.0 / 17},
    {"linear_xpulp_u8s8", TS_LAYER_LINEAR, 1, 1, 256, 128, 1, 1, 0, TS_RQC_NONE, 32.0 / 17},
    {"linear_xpulp_u8s8", TS_LAYER_LINEAR, 1, 1, 6272, 2, 1, 1, 0, TS_RQC_NONE, 32.0 / 17},
    {"linear_xpulp_u8s8", TS_LAYER_LINEAR, 1, 1, 1540, 5, 1, 1, 0, TS_RQC_NONE, 32.0 / 17},
    {"linear_xpulp_u8s8", TS_LAYER_LINEAR, 1, 1, 256, 84, 1, 1, 0, TS_RQC_NONE, 32.0 / 17},
    {"linear_xpulp_u8s8", TS_LAYER_LINEAR, 1, 1, 1024, 40, 1, 1, 0, TS_RQC_NONE, 32.0 / 17},
    {"avg_pool_xpulp", TS_LAYER_AVG_POOL, 4, 4, 1024, 1024, 4, 1, 0, TS_RQC_S32, 0},
    {"avg_pool_xpulp", TS_LAYER_AVG_POOL, 4, 4, 1024, 1024, 4, 1, 0, TS_RQC_S64, 0},
    {"max_pool_xpulp", TS_LAYER_MAX_POOL, 6, 100, 32, 32, 2, 2, 0, TS_RQC_NONE, 0},
    {"max_pool_xpulp_sub8", TS_LAYER_MAX_POOL, 12, 100, 32, 32, 2, 2, 0, TS_RQC_NONE, 0},
    {"avg_pool_xpulp_sub8", TS_LAYER_AVG_POOL, 8, 8, 64, 64, 8, 1, 0, TS_RQC_S32, 0},
    {"avg_pool_xpulp_sub8", TS_LAYER_AVG_POOL, 16, 16, 32, 32, 2, 2, 0, TS_RQC_S32D, 0},
    {"add_xpulp_u8dot", TS_LAYER_ADD, 16, 16, 32, 32, 1, 1, 0, TS_RQC_NONE, 0},
    {"requant_xpulp", TS_LAYER_REQUANT, 16, 16, 32, 32, 1, 1, 0, TS_RQC_S64, 0},
    {"lut_xpulp", TS_LAYER_LUT, 16, 16, 32, 32, 1, 1, 0, TS_RQC_NONE, 0},
    {"add_xpulp_line", TS_LAYER_ADD, 16, 16, 32, 32, 1, 1, 0, TS_RQC_NONE, 0},
    {"add_xpulp_step", TS_LAYER_ADD, 16, 16, 32, 32, 1, 1, 0, TS_RQC_S32, 0},
    {"mul_xpulp", TS_LAYER_MUL, 16, 16, 32, 32, 1, 1, 0, TS_RQC_S32D, 0},
    {"matmul_xpulp_s8", TS_LAYER_MATMUL, 4, 64, 32, 64, 1, 1, 0, TS_RQC_S32, 64.0 / 24},
    {"matmul_xpulp_s8", TS_LAYER_MATMUL, 1, 64, 64, 128, 1, 1, 0, TS_RQC_S32, 64.0 / 24},
    {"matmul_xpulp_u8", TS_LAYER_MATMUL, 4, 64, 64, 32, 1, 1, 0, TS_RQC_S32, 64.0 / 24},
    {"matmul_xpulp_u8", TS_LAYER_MATMUL, 4, 64, 64, 32, 1, 1, 0, TS_RQC_S32D, 64.0 / 24},
    {"matmul_xpulp_s8", TS_LAYER_MATMUL, 4, 16, 32, 16, 1, 1, 0, TS_RQC_S32, 64.0 / 24},
    {"conv_xpulp_sub8", TS_LAYER_CONV, 12, 12, 32, 32, 3, 1, 1, TS_RQC_S32, 64.0 / 24},
    {"dwconv_xpulp_sub8", TS_LAYER_DWCONV, 16, 16, 32, 32, 3, 1, 1, TS_RQC_S32D, 36.0 / 45},
    {"dwconv_xpulp_sub8", TS_LAYER_DWCONV, 8, 16, 64, 64, 3, 2, 1, TS_RQC_S32D, 36.0 / 65},
#define DWT(h, w, c, k, s, rq, ceiling) \
    { "dwconv_xpulp_u8s8_k357", TS_LAYER_DWCONV, h, w, c, c, k, s, (k) / 2, rq, ceiling }
    DWT(16, 16, 32, 5, 1, TS_RQC_S32, 40.0 / 27),
    DWT(16, 16, 32, 5, 2, TS_RQC_S32D, 40.0 / 25),
    DWT(10, 10, 64, 5, 1, TS_RQC_S32D, 40.0 / 27),
    DWT(16, 16, 32, 7, 1, TS_RQC_S32D, 56.0 / 34),
    DWT(20, 20, 24, 7, 2, TS_RQC_S32D, 56.0 / 31),
    DWT(5, 5, 240, 7, 1, TS_RQC_S32D, 56.0 / 34),
    {"dwconv_xpulp_b8s8", TS_LAYER_DWCONV, 8, 8, 128, 128, 3, 1, 1, TS_RQC_S32, 36.0 / 60},
#define DWQ(h, w, c, s, rq) \
    { "dwconv_xpulp_u8s8_k3_quads", TS_LAYER_DWCONV, h, w, c, c, 3, s, 1, rq, 36.0 / (s == 1 ? 32 : 36) }
    DWQ(16, 16, 32, 1, TS_RQC_S32),
    DWQ(8, 8, 128, 1, TS_RQC_S32),
    DWQ(8, 8, 160, 1, TS_RQC_S32D),
    DWQ(4, 4, 256, 1, TS_RQC_S32),
    DWQ(4, 4, 256, 1, TS_RQC_S32D),
    DWQ(14, 64, 16, 1, TS_RQC_S32D),
    DWQ(12, 16, 24, 1, TS_RQC_S32D),
    DWQ(12, 32, 8, 1, TS_RQC_S32D),
    DWQ(12, 16, 64, 1, TS_RQC_S32D),
    DWQ(12, 16, 12, 1, TS_RQC_S32D),
    DWQ(8, 16, 128, 2, TS_RQC_S32),
    DWQ(16, 32, 32, 2, TS_RQC_S32D),
    DWQ(8, 8, 128, 2, TS_RQC_S32D),
    DW(16, 16, 32, 1),
    DW(8, 8, 128, 1),
    DW(4, 8, 128, 1),
    DW(4, 4, 256, 1),
    DW(14, 14, 64, 1),
    DW(16, 32, 32, 2),
    DW(8, 16, 128, 2),
    DW(32, 32, 24, 1),
};

/* The DORY paper's tile (24 x 4 x 32 outputs, 32 x 3 x 3 x 32 weights), and with each of its heuristics
 * violated: x holds what the outputs need. */
typedef struct tile_row {
    const char *heuristic, *violated;
    uint32_t h, w, c, c_in; /* of the output; input channels */
    double published_loss;
} tile_row;

static const tile_row tile_rows[] = {
    {"all kept", "", 24, 4, 32, 32, 0},
    {"MATMUL_W/CH", "odd width, channels no multiple of 4", 24, 3, 29, 32, 0.29},
    {"HIDE_IM2COL", "short im2col rows: 8 input channels", 24, 4, 32, 8, 0.38},
    {"PAR_BALANCE", "17 rows for 8 cores", 17, 4, 32, 32, 0.28},
};

/* One element in so many of an x of 16 bits leaves 0 .. 255 (ts_case_limits), 0: all may. */
static const uint32_t wide_rows[] = {UINT32_MAX, 3000, 300, 0};
static uint32_t wide_in = UINT32_MAX;

enum { BENCHES = sizeof benches / sizeof *benches, TILES = sizeof tile_rows / sizeof *tile_rows };

static void make_case(ts_arena *arena, const bench *b, ts_case *c) {
    ts_random random = ts_random_seed(7);
    ts_case_limits limits = {
        .kind = b->kind,
        .x_type = strstr(b->kernel, "s16") != NULL                   ? TS_S16
                  : strstr(b->kernel, "max_pool_xpulp_sub8") != NULL ? TS_U2
                  : strstr(b->kernel, "sub8") != NULL                ? TS_U4
                  : strcmp(b->kernel, "matmul_xpulp_s8") == 0        ? TS_S8
                                                                     : TS_U8,
        .w_type = strstr(b->kernel, "s16s16") != NULL ? TS_S16 : TS_S8,
        .y_type = strstr(b->kernel, "s16s16") != NULL || strstr(b->kernel, "pool_xpulp_s16") != NULL ? TS_S16
                  : strstr(b->kernel, "max_pool_xpulp_sub8") != NULL                                 ? TS_U2
                  : strstr(b->kernel, "sub8") != NULL                                                ? TS_U4
                                                                                                     : TS_U8,
        .rq_class = (int)b->class_,
        .h = b->h,
        .w = b->w,
        .c_in = b->c_in,
        .c_out = b->c_out,
        .kernel_h = b->k,
        .kernel_w = b->k,
        .stride = b->stride,
        .dilation = 1,
        .pad = (int)b->pad,
        .line = strcmp(b->kernel, "add_xpulp_line") == 0,
        .steep = strstr(b->kernel, "k3c3") != NULL ? 6 : 0,
        .wide_in = wide_in};
    case_make(arena, &random, &limits, c);
    c->roomy = false;
    c->layer.x.zero = c->layer.x2.zero = 0;
    c->layer.rq.low = 0;
    c->layer.rq.high = (int32_t)ts_type_high(c->layer.y.type);
    c->layer.rq.div = (int64_t)1 << 22;
}

/* Multiply-accumulates; of layers that have none the values that go into them, windows counted whole. */
static double macs_of(const ts_layer *l) {
    bool weighs = l->kind == TS_LAYER_CONV || l->kind == TS_LAYER_DWCONV || l->kind == TS_LAYER_LINEAR;
    bool multiplies = l->kind == TS_LAYER_MATMUL;
    bool pools = l->kind == TS_LAYER_AVG_POOL || l->kind == TS_LAYER_MAX_POOL;
    double window = weighs || pools ? (double)l->window.kernel_h * l->window.kernel_w : 1;
    return (double)l->y.h * l->y.w * l->y.c * window *
           (weighs || multiplies ? (double)l->x.c / l->groups : 1);
}

static void measure(ts_arena *arena, uint32_t cores, const bench *list, uint32_t count, uint32_t *cycles) {
    rig r;
    if (!rig_build(&r, arena, "gap8", cores)) {
        fprintf(stderr, "no RISC-V compiler\n");
        exit(TS_SYSTEM);
    }
    for (uint32_t i = 0; i < count; i++) {
        ts_case c;
        rig_job job;
        make_case(arena, &list[i], &c);
        cycles[i] = 0;
        const ts_kernel *kernel = rig_row(list[i].kernel);
        if (!kernel->serves(&c.layer)) {
            fprintf(stderr, "%s does not serve bench %u\n", kernel->name, i);
        } else if (rig_add(&r, arena, &c, kernel, rig_kernel(kernel->name), &job)) {
            rig_run(&r, &job, 1);
            cycles[i] = job.job.cycles;
        }
    }
}

static void compare_tiles(ts_arena *arena) {
    bench list[TILES];
    uint32_t cycles[TILES];
    for (uint32_t i = 0; i < TILES; i++) {
        const tile_row *t = &tile_rows[i];
        list[i] = (bench){"conv_xpulp_u8s8_4x4",
                          TS_LAYER_CONV,
                          t->h + 2,
                          t->w + 2,
                          t->c_in,
                          t->c,
                          3,
                          1,
                          0,
                          TS_RQC_S32,
                          64.0 / 24};
    }
    measure(arena, 8, list, TILES, cycles);
    printf("\nthe DORY paper's tile, 8 cores, from L1\n%-14s %-38s %-12s %9s %7s %6s %9s\n", "heuristic",
           "violated by", "tile, inputs", "cycles", "MAC/cyc", "loss", "published");
    double best = 0;
    for (uint32_t i = 0; i < TILES; i++) {
        const tile_row *t = &tile_rows[i];
        double rate = 9.0 * t->h * t->w * t->c * t->c_in / fmax(1, cycles[i]);
        char shape[32];
        snprintf(shape, sizeof shape, "%ux%ux%u, %u", t->h, t->w, t->c, t->c_in);
        best = i == 0 ? rate : best;
        printf("%-14s %-38s %-12s %9u %7.2f %5.0f%% %8.0f%%\n", t->heuristic, t->violated, shape, cycles[i],
               rate, 100 * (1 - rate / best), 100 * t->published_loss);
    }
}

static void compare_wide(ts_arena *arena) {
    const bench row = {
        "conv_xpulp_s16s8_4x4", TS_LAYER_CONV, 10, 10, 32, 32, 3, 1, 0, TS_RQC_S32D, 64.0 / 24};
    printf("\nx of 16 bits, 10x10x32>32 k3 s1, 8 cores\n%-28s %9s %7s\n", "outside of 0 .. 255, one in",
           "cycles", "MAC/cyc");
    for (uint32_t i = 0; i < sizeof wide_rows / sizeof *wide_rows; i++) {
        uint32_t cycles;
        wide_in = wide_rows[i];
        measure(arena, 8, &row, 1, &cycles);
        const char *text = wide_in == UINT32_MAX ? "none" : wide_in == 0 ? "any" : "";
        printf("%-20s %7.0u %9u %7.2f\n", text, *text == '\0' ? wide_in : 0, cycles,
               9.0 * 64 * 32 * 32 / fmax(1, cycles));
    }
    wide_in = UINT32_MAX;
}

static void shape_of(const bench *b, char *text, size_t size) {
    snprintf(text, size, "%-24s %ux%ux%u>%u k%u s%u", b->kernel, b->h, b->w, b->c_in, b->c_out, b->k,
             b->stride);
}

/* What we hold single layers to, MAC/cycle on eight cores. */
static const struct {
    const char *shape;
    double least;
} floors[] = {
    {"conv_xpulp_u8s8_4x4      32x64x3>32 k3 s2", 12},  {"conv_xpulp_u8s8_k3c3     32x64x3>32 k3 s2", 12},
    {"conv_xpulp_u8s8_4x4      16x16x32>32 k3 s1", 18}, {"linear_xpulp_u8s8        1x1x512>64 k1 s1", 13.5},
    {"dwconv_xpulp_u8s8_k357   16x16x32>32 k5 s1", 5},  {"dwconv_xpulp_u8s8_k357   16x16x32>32 k7 s1", 7}};

/* 0: none. */
static double floor_of(const char *shape) {
    for (size_t i = 0; i < sizeof floors / sizeof *floors; i++) {
        if (strcmp(shape, floors[i].shape) == 0) {
            return floors[i].least;
        }
    }
    return 0;
}

/* A line of the table; false where its floor is missed. */
static bool print_row(ts_arena *arena, const bench *b, uint32_t one, uint32_t eight) {
    static const char *const classes[] = {"none", "s32",   "s32c", "s64",  "tflite",
                                          "s32d", "s32dc", "s32r", "s32rc"};
    ts_case c;
    char text[96];
    make_case(arena, b, &c);
    const ts_layer *l = &c.layer;
    ts_tile tile = {l->y.h, l->y.w, l->y.c, l->x.h, l->x.w, l->x.c};
    double macs = macs_of(l), modelled = rig_row(b->kernel)->cycles(l, &tile, 8);
    double rate = macs / eight, least;
    shape_of(b, text, sizeof text);
    least = floor_of(text);
    printf("%-47s %-6s %9u %7.2f %9u %7.2f %7.0f%% %5.0f%% %+6.1f%%", text, classes[b->class_], one,
           macs / one, eight, rate, b->ceiling > 0 ? 100 * rate / 8 / b->ceiling : 0, 100 * rate / 32,
           100 * (modelled / eight - 1));
    if (least > 0) {
        printf("  floor %.1f %s", least, rate >= least ? "met" : "MISSED");
    }
    printf("\n");
    return rate >= least;
}

/* Those whose text contains `wanted`. */
static uint32_t pick_rows(const char *wanted, bench *rows) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < BENCHES; i++) {
        char text[96];
        shape_of(&benches[i], text, sizeof text);
        if (strstr(text, wanted) != NULL) {
            rows[count++] = benches[i];
        }
    }
    return count;
}

int main(int argc, char **argv) {
    uint32_t one[BENCHES], eight[BENCHES];
    bench rows[BENCHES];
    uint32_t count = pick_rows(argc > 1 ? argv[1] : "", rows);
    bool met = true;
    ts_arena *arena = ts_arena_new("bench", 0);
    measure(arena, 1, rows, count, one);
    measure(arena, 8, rows, count, eight);
    printf("%-47s %-6s %9s %7s %9s %7s %8s %6s %7s\n", "kernel                   x, channels, window", "rq",
           "1 core", "MAC/cyc", "8 cores", "MAC/cyc", "ceiling", "ISA", "model");
    for (uint32_t i = 0; i < count; i++) {
        if (eight[i] == 0) {
            continue; /* does not fit L1 */
        }
        met = print_row(arena, &rows[i], one[i], eight[i]) && met;
    }
    if (argc < 2) {
        compare_tiles(arena);
        compare_wide(arena);
    }
    ts_arena_free(arena);
    return met ? 0 : 1;
}
