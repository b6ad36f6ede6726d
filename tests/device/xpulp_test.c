/* Every xpulp kernel on the simulated chip against its ref twin on the host, bit for bit, with guard bytes.
 * Usage: device_xpulp [TEXT]: the kernels alone whose names contain TEXT. */
#include <string.h>

#include "call.h"
#include "harness.h"
#include "rig.h"

uint32_t ts_test_core, ts_test_cores = 1;

enum { CASES = 400, CORES = 8 };

static rig the_rig;
static const char *wanted = "";

typedef struct family {
    const char *kernel;
    ts_case_limits limits;
} family;

/* Runs the twin on its own layout of the case. */
static uint8_t *expected(ts_arena *arena, const ts_case *c, uint32_t number, ts_case_call *call) {
    const char *twin = rig_twin(number);
    uint8_t *area;
    case_lay_out(arena, c, rig_row(twin), 1, call, &area);
    if (call->is_add) {
        struct ts_add_tile tile = call_add(call, area);
        (strcmp(twin, "mul_ref") == 0 ? mul_ref : add_ref)(&tile);
    } else if (strcmp(twin, "matmul_ref") == 0) {
        struct ts_matmul_tile tile = call_matmul(call, area);
        matmul_ref(&tile);
    } else {
        struct ts_conv_tile tile = call_conv(call, area);
        if (strcmp(twin, "conv_ref") == 0) {
            conv_ref(&tile);
        } else if (strcmp(twin, "lut_ref") == 0) {
            lut_ref(&tile);
        } else if (strcmp(twin, "max_pool_ref") == 0) {
            max_pool_ref(&tile);
        } else {
            avg_pool_ref(&tile);
        }
    }
    return area;
}

static bool same(ts_arena *arena, const ts_case *c, const ts_kernel *kernel, const rig_job *job,
                 const uint8_t *before) {
    ts_case_call call;
    uint8_t *ref = expected(arena, c, job->job.kernel, &call);
    if (kernel->y_quads) {
        case_turn_quads(ref + call.y_at, call.y_h, call.y_w, call.y_c, call.y_row_bytes, call.y_pixel_bytes);
    }
    const ts_case_call *got = &job->job.call;
    uint32_t y_end = got->y_at + case_y_bytes(got);
    return memcmp(ref + call.y_at, job->area + got->y_at, case_y_bytes(got)) == 0 &&
           case_inputs_kept(kernel, got, job->area, before) &&
           memcmp(before + y_end, job->area + y_end, got->scratch_at - y_end) == 0;
}

static void describe(const ts_case *c, const rig_job *job) {
    const ts_case_call *d = &job->job.call;
    const ts_layer *l = &c->layer;
    print_message(
        "x %ux%ux%u y %ux%ux%u k %ux%u stride %ux%u dilation %ux%u pads %u %u %u %u types %u %u %u rq %u"
        " [%d, %d] zero %d roomy %d\n",
        d->x_h, d->x_w, d->x_c, d->y_h, d->y_w, d->y_c, d->k_h, d->k_w, d->stride_h, d->stride_w,
        d->dilation_h, d->dilation_w, d->pad_top, d->pad_left, d->pad_bottom, d->pad_right, d->x_type,
        d->w_type, d->y_type, d->rq_kind, l->rq.low, l->rq.high, d->x_zero, c->roomy);
}

static void test_family(const family *f) {
    ts_arena *arena = ts_arena_new("cases", 0);
    ts_case *cases = TS_NEW_ARRAY(arena, ts_case, CASES);
    rig_job *jobs = TS_NEW_ARRAY(arena, rig_job, CASES);
    uint8_t **before = TS_NEW_ARRAY(arena, uint8_t *, CASES);
    const ts_kernel *kernel = rig_row(f->kernel);
    uint32_t number = rig_kernel(f->kernel), count = 0, wrong = 0;
    assert_non_null(kernel);
    for (uint64_t seed = 0; seed < CASES; seed++) {
        ts_random random = ts_random_seed(seed + 1000);
        ts_case_limits limits = f->limits;
        limits.extreme = seed % 8 == 0;
        case_make(arena, &random, &limits, &cases[count]);
        if (kernel->serves(&cases[count].layer) &&
            rig_add(&the_rig, arena, &cases[count], kernel, number, &jobs[count])) {
            before[count] = ts_arena_copy(arena, jobs[count].area, jobs[count].job.bytes);
            count++;
        }
    }
    rig_run(&the_rig, jobs, count);
    for (uint32_t i = 0; i < count; i++) {
        if (!same(arena, &cases[i], kernel, &jobs[i], before[i])) {
            if (wrong++ < 5) {
                describe(&cases[i], &jobs[i]);
            }
        }
    }
    print_message("%s: %u cases, %u wrong\n", f->kernel, count, wrong);
    ts_arena_free(arena);
    assert_true(count > CASES / 8);
    assert_int_equal(wrong, 0);
}

#define DW(...)                                                                                    \
    {                                                                                              \
        "dwconv_xpulp_u8s8_k3", {                                                                  \
            .kind = TS_LAYER_DWCONV, .x_type = TS_U8, .kernel_h = 3, .kernel_w = 3, .dilation = 1, \
            __VA_ARGS__                                                                            \
        }                                                                                          \
    }
#define CONV(...)                                                                      \
    {                                                                                  \
        "conv_xpulp_u8s8_4x4", { .kind = TS_LAYER_CONV, .x_type = TS_U8, __VA_ARGS__ } \
    }

static const family families[] = {
    CONV(.w_type = TS_S8, .y_type = TS_U8, .rq_class = -1, .pad = -1),
    CONV(.w_type = TS_S4, .y_type = TS_S8, .rq_class = -1, .pad = -1),
    CONV(.w_type = TS_S8, .y_type = TS_U8, .rq_class = TS_RQC_S32, .kernel_h = 1, .kernel_w = 1, .stride = 1),
    CONV(.w_type = TS_S8, .y_type = TS_U8, .rq_class = TS_RQC_S32R, .pad = -1),
    CONV(.w_type = TS_S8, .y_type = TS_S8, .rq_class = TS_RQC_S32R, .pad = 0, .c_in = 16, .c_out = 20),
    CONV(.w_type = TS_S8, .y_type = TS_U8, .rq_class = TS_RQC_S32RC, .pad = -1),
    CONV(.w_type = TS_S8, .y_type = TS_U8, .rq_class = -1, .pad = -1, .h = 14, .w = 19, .c_in = 3,
         .kernel_h = 3, .kernel_w = 3),
    CONV(.w_type = TS_S8, .y_type = TS_U8, .rq_class = TS_RQC_S32D, .pad = -1, .h = 17, .w = 22, .c_in = 1,
         .kernel_h = 5, .kernel_w = 5),
    CONV(.w_type = TS_S8, .y_type = TS_U8, .rq_class = TS_RQC_S32, .pad = -1, .h = 21, .w = 10, .c_in = 1,
         .kernel_h = 10, .kernel_w = 4),
    CONV(.w_type = TS_S8, .y_type = TS_U8, .rq_class = -1, .pad = -1, .w = 23, .c_in = 15, .kernel_h = 1,
         .kernel_w = 6),
    DW(.w_type = TS_S8, .y_type = TS_U8, .rq_class = TS_RQC_S32, .pad = 1, .stride = 1),
    DW(.w_type = TS_S8, .y_type = TS_U8, .rq_class = TS_RQC_S32, .pad = 1, .stride = 2),
    DW(.w_type = TS_S8, .y_type = TS_U8, .rq_class = -1, .pad = -1, .stride = 1, .w = 13),
    DW(.w_type = TS_S8, .y_type = TS_U8, .rq_class = -1, .pad = -1, .stride = 2, .h = 15),
    DW(.w_type = TS_S4, .y_type = TS_S8, .rq_class = -1, .pad = -1, .stride = 2, .w = 20),
    {"conv_xpulp_u8s8_4x4_padded",
     {.kind = TS_LAYER_CONV, .x_type = TS_U8, .w_type = TS_S8, .y_type = TS_U8, .rq_class = -1, .pad = -1}},
    {"conv_xpulp_u8s8_4x4_padded",
     {.kind = TS_LAYER_CONV,
      .x_type = TS_U8,
      .w_type = TS_S8,
      .y_type = TS_U8,
      .rq_class = -1,
      .pad = -1,
      .h = 17,
      .w = 22,
      .c_in = 1,
      .kernel_h = 5,
      .kernel_w = 5}},
#define LINE(...)                                                                                        \
    {                                                                                                    \
        "conv_xpulp_u8s8_4x4_padded", {                                                                  \
            .kind = TS_LAYER_CONV, .x_type = TS_U8, .w_type = TS_S8, .y_type = TS_U8, .pad = -1, .h = 1, \
            .kernel_h = 1, __VA_ARGS__                                                                   \
        }                                                                                                \
    }
    LINE(.rq_class = -1, .w = 70, .c_in = 11, .kernel_w = 11, .c_out = 11, .stride = 1),
    LINE(.rq_class = TS_RQC_S32D, .w = 150, .c_out = 2, .kernel_w = 3),
    LINE(.rq_class = TS_RQC_S32, .w = 61, .kernel_w = 5),
#define NINE(name, ...)                                                                              \
    {                                                                                                \
        name, {                                                                                      \
            .x_type = TS_U8, .w_type = TS_S8, .y_type = TS_U8, .rq_class = -1, .weights_zero = true, \
            __VA_ARGS__                                                                              \
        }                                                                                            \
    }
    NINE("conv_xpulp_u8s9_4x4", .kind = TS_LAYER_CONV, .pad = -1, .dilation = 1),
    NINE("conv_xpulp_u8s9_4x4", .kind = TS_LAYER_CONV, .pad = 0, .kernel_h = 1, .kernel_w = 1, .c_in = 32,
         .c_out = 70, .dilation = 1),
    NINE("conv_xpulp_u8s9_4x4", .kind = TS_LAYER_CONV, .pad = 1, .kernel_h = 3, .kernel_w = 3, .c_in = 3,
         .h = 14, .w = 15, .dilation = 1),
    NINE("conv_xpulp_u8s9_4x4_padded", .kind = TS_LAYER_CONV, .pad = -1, .dilation = 1),
    NINE("dwconv_xpulp_u8s9_k3", .kind = TS_LAYER_DWCONV, .pad = -1, .kernel_h = 3, .kernel_w = 3,
         .stride = 1, .dilation = 1),
    NINE("dwconv_xpulp_u8s9_k3", .kind = TS_LAYER_DWCONV, .pad = -1, .kernel_h = 3, .kernel_w = 3,
         .stride = 2, .dilation = 1, .w = 13),
    {"conv_xpulp_s8s8_4x4",
     {.kind = TS_LAYER_CONV, .x_type = TS_S8, .w_type = TS_S8, .y_type = TS_S8, .rq_class = -1, .pad = -1}},
#define WIDE(padded, ...)                                                                         \
    {                                                                                             \
        "conv_xpulp_s16s8_4x4" padded, {                                                          \
            .kind = TS_LAYER_CONV, .x_type = TS_S16, .w_type = TS_S8, .y_type = TS_U8, .pad = -1, \
            __VA_ARGS__                                                                           \
        }                                                                                         \
    }
    WIDE("", .rq_class = -1),
    WIDE("", .rq_class = -1, .c_in = 8),
    WIDE("", .rq_class = TS_RQC_S32, .c_in = 16, .kernel_h = 1, .kernel_w = 1, .wide_in = 40),
    WIDE("", .rq_class = TS_RQC_S32D, .c_in = 12, .wide_in = 1000000),
    WIDE("", .rq_class = TS_RQC_S32C, .c_in = 4, .wide_in = 200),
    WIDE("", .rq_class = TS_RQC_S32, .c_in = 6, .wide_in = 100),
    WIDE("_padded", .rq_class = -1),
    WIDE("_padded", .rq_class = TS_RQC_S32D, .c_in = 8, .kernel_h = 3, .kernel_w = 3, .wide_in = 1000),
#define HALVES(padded, y, class_, ...)                                                       \
    {                                                                                        \
        "conv_xpulp_s16s16" padded, {                                                        \
            .x_type = TS_S16, .w_type = TS_S16, .y_type = y, .rq_class = class_, __VA_ARGS__ \
        }                                                                                    \
    }
    HALVES("", TS_S16, TS_RQC_S64, .kind = TS_LAYER_CONV, .pad = -1),
    HALVES("", TS_S16, TS_RQC_S64, .kind = TS_LAYER_CONV, .pad = -1, .c_in = 8),
    HALVES("", TS_S8, -1, .kind = TS_LAYER_CONV, .pad = 1, .kernel_h = 3, .kernel_w = 3, .c_in = 4),
    HALVES("", TS_U8, -1, .kind = TS_LAYER_CONV, .pad = 0, .kernel_h = 1, .kernel_w = 1, .stride = 1),
    HALVES("", TS_S16, TS_RQC_S64, .kind = TS_LAYER_LINEAR),
    HALVES("", TS_S32, TS_RQC_NONE, .kind = TS_LAYER_LINEAR),
    HALVES("_padded", TS_S16, TS_RQC_S64, .kind = TS_LAYER_CONV, .pad = -1, .c_in = 12),
#define DW_HALVES(w, y, class_, ...)                                                                 \
    {                                                                                                \
        "dwconv_xpulp_s16s16", {                                                                     \
            .kind = TS_LAYER_DWCONV, .x_type = TS_S16, .w_type = w, .y_type = y, .rq_class = class_, \
            .pad = -1, __VA_ARGS__                                                                   \
        }                                                                                            \
    }
    DW_HALVES(TS_S16, TS_S16, TS_RQC_S64, .dilation = 1),
    DW_HALVES(TS_S16, TS_S16, TS_RQC_S64, .kernel_h = 3, .kernel_w = 3, .c_in = 64, .h = 5, .w = 3),
    DW_HALVES(TS_S8, TS_U8, -1, .kernel_h = 3, .kernel_w = 3),
    DW_HALVES(TS_S16, TS_S16, TS_RQC_S32D, .kernel_h = 15, .kernel_w = 17, .h = 13, .w = 17),
    DW_HALVES(TS_S4, TS_S16, -1, .stride = 2),
#define QUADS(name, kind_, x, y, class_, ...)                                                            \
    {                                                                                                    \
        name "_quads", {                                                                                 \
            .kind = kind_, .x_type = x, .w_type = TS_S8, .y_type = y, .rq_class = class_, .dilation = 1, \
            __VA_ARGS__                                                                                  \
        }                                                                                                \
    }
#define DW_QUADS(y, class_, ...)                                                                             \
    QUADS("dwconv_xpulp_u8s8_k3", TS_LAYER_DWCONV, TS_U8, y, class_, .kernel_h = 3, .kernel_w = 3, .pad = 1, \
          __VA_ARGS__)
    DW_QUADS(TS_U8, TS_RQC_S32, .stride = 1, .w = 4, .c_in = 8),
    DW_QUADS(TS_U8, TS_RQC_S32D, .stride = 1, .w = 8, .c_in = 20),
    DW_QUADS(TS_S8, TS_RQC_S32C, .stride = 1, .w = 12, .c_in = 4),
    DW_QUADS(TS_S8, TS_RQC_S32D, .stride = 1, .w = 20, .c_in = 36),
    DW_QUADS(TS_U8, TS_RQC_S32D, .stride = 1, .w = 16, .h = 17, .c_in = 4),
    DW_QUADS(TS_U8, TS_RQC_S32D, .stride = 2, .w = 8, .h = 8, .c_in = 44),
    DW_QUADS(TS_U8, TS_RQC_S32, .stride = 2, .w = 24, .h = 14, .c_in = 12),
    DW_QUADS(TS_S8, TS_RQC_S32C, .stride = 2, .w = 16, .h = 2, .c_in = 8),
#define CONV_QUADS(name, x, class_, ...) \
    QUADS("conv_xpulp_" name, TS_LAYER_CONV, x, TS_U8, class_, __VA_ARGS__)
    CONV_QUADS("u8s8_4x4", TS_U8, TS_RQC_S32, .kernel_h = 1, .kernel_w = 5, .stride = 1, .w = 12, .pad = 0,
               .c_in = 11, .c_out = 12),
    CONV_QUADS("u8s8_4x4", TS_U8, TS_RQC_S32D, .kernel_h = 1, .kernel_w = 1, .stride = 1, .w = 8,
               .c_out = 12),
    CONV_QUADS("u8s8_4x4", TS_U8, TS_RQC_S32, .w = 20, .h = 6, .kernel_h = 3, .kernel_w = 3, .stride = 1,
               .c_out = 8, .c_in = 3, .pad = 1),
    CONV_QUADS("u8s8_4x4_padded", TS_U8, TS_RQC_S32C, .w = 8, .kernel_h = 3, .kernel_w = 3, .stride = 1,
               .pad = 1, .c_out = 16),
    CONV_QUADS("s8s8_4x4", TS_S8, TS_RQC_S32, .w = 4, .kernel_h = 1, .kernel_w = 1, .stride = 1, .c_out = 20),
#define STRIPS(name, x, y, class_, ...)                                                           \
    {                                                                                             \
        "conv_xpulp_" name, {                                                                     \
            .kind = TS_LAYER_CONV, .x_type = x, .w_type = TS_S8, .y_type = y, .rq_class = class_, \
            .dilation = 1, .pad = -1, __VA_ARGS__                                                 \
        }                                                                                         \
    }
#define U8_STRIPS(y, class_, ...) STRIPS("u8s8_strips", TS_U8, y, class_, __VA_ARGS__)
    U8_STRIPS(TS_U8, TS_RQC_S32D, .h = 21, .w = 22, .c_in = 3, .kernel_h = 3, .kernel_w = 3, .c_out = 12),
    U8_STRIPS(TS_U8, TS_RQC_S32, .c_in = 1, .kernel_h = 5, .kernel_w = 5, .stride = 2, .c_out = 8),
    U8_STRIPS(TS_S8, TS_RQC_S32C, .c_in = 2, .kernel_h = 3, .kernel_w = 3, .c_out = 4),
    U8_STRIPS(TS_U8, TS_RQC_S32R, .c_in = 3, .kernel_h = 2, .kernel_w = 3, .c_out = 16),
    U8_STRIPS(TS_U8, TS_RQC_S32D, .h = 23, .w = 9, .c_in = 1, .kernel_h = 7, .kernel_w = 3, .c_out = 20),
    STRIPS("s8s8_strips", TS_S8, TS_S8, TS_RQC_S32, .h = 12, .w = 15, .c_in = 3, .kernel_h = 3, .kernel_w = 3,
           .c_out = 8),
    STRIPS("s8s8_strips", TS_S8, TS_S8, TS_RQC_S32RC, .h = 14, .w = 9, .c_in = 1, .kernel_h = 5,
           .kernel_w = 3, .c_out = 4),
    STRIPS("u8s8_strips_quads", TS_U8, TS_U8, TS_RQC_S32D, .h = 19, .w = 16, .c_in = 3, .kernel_h = 3,
           .kernel_w = 3, .stride = 2, .c_out = 32),
    STRIPS("u8s8_strips_quads", TS_U8, TS_S8, TS_RQC_S32, .h = 13, .w = 8, .c_in = 1, .kernel_h = 5,
           .kernel_w = 5, .stride = 1, .c_out = 8),
#define NARROW(name, x, class_, ...) \
    CONV_QUADS(name, x, class_, .kernel_h = 1, .kernel_w = 1, .stride = 1, __VA_ARGS__)
    NARROW("u8s8_narrow", TS_U8, TS_RQC_S32D, .w = 16, .h = 15, .c_in = 8, .c_out = 12),
    NARROW("u8s8_narrow", TS_U8, TS_RQC_S32D, .w = 20, .h = 11, .c_in = 16, .c_out = 4),
    NARROW("u8s8_narrow", TS_U8, TS_RQC_S32D, .w = 16, .h = 12, .c_in = 16, .c_out = 8),
    NARROW("u8s8_narrow", TS_U8, TS_RQC_S32, .w = 12, .h = 16, .c_in = 16, .c_out = 8),
    NARROW("u8s8_narrow", TS_U8, TS_RQC_S32C, .w = 32, .h = 6, .c_in = 8, .c_out = 16),
    NARROW("s8s8_narrow", TS_S8, TS_RQC_S32C, .w = 16, .h = 13, .c_in = 16, .c_out = 12),
    NARROW("s8s8_narrow", TS_S8, TS_RQC_S32, .w = 8, .h = 20, .c_in = 8, .c_out = 8),
    CONV_QUADS("s16s8_4x4", TS_S16, TS_RQC_S32D, .w = 4, .kernel_h = 1, .kernel_w = 1, .stride = 1,
               .c_out = 4),
#define K3C3(quads, ...)                                                                              \
    {                                                                                                 \
        "conv_xpulp_u8s8_k3c3" quads, {                                                               \
            .kind = TS_LAYER_CONV, .x_type = TS_U8, .w_type = TS_S8, .y_type = TS_U8, .dilation = 1,  \
            .kernel_h = 3, .kernel_w = 3, .c_in = 3, .rq_class = TS_RQC_S32D, .steep = 6, __VA_ARGS__ \
        }                                                                                             \
    }
    K3C3("", .pad = -1, .c_out = 12),
    K3C3("", .pad = 1, .c_out = 32, .stride = 2, .h = 26, .w = 48),
    K3C3("", .pad = 1, .c_out = 4, .stride = 1, .h = 14, .w = 21),
    K3C3("_quads", .pad = 1, .c_out = 8, .stride = 2, .h = 15, .w = 40),
    K3C3("_quads", .pad = 1, .c_out = 24, .stride = 2, .h = 9, .w = 8),
    K3C3("_quads", .pad = -1, .c_out = 16, .stride = 2, .h = 11, .w = 24),
#define DW_ANY(x, y, ...)                                                                       \
    {                                                                                           \
        "dwconv_xpulp_b8s8", {                                                                  \
            .kind = TS_LAYER_DWCONV, .x_type = x, .w_type = TS_S8, .y_type = y, .rq_class = -1, \
            .dilation = 1, __VA_ARGS__                                                          \
        }                                                                                       \
    }
    DW_ANY(TS_U8, TS_U8, .pad = -1),
    DW_ANY(TS_S8, TS_S8, .pad = -1),
    DW_ANY(TS_U8, TS_U8, .pad = 2, .kernel_h = 5, .kernel_w = 5, .h = 11, .w = 14),
    DW_ANY(TS_U8, TS_S8, .pad = 3, .kernel_h = 7, .kernel_w = 7, .w = 13),
    DW_ANY(TS_S8, TS_U8, .pad = -1, .kernel_h = 1, .kernel_w = 9, .w = 20),
#define DW_ANY_ROUNDED(x, y, class_, ...)                                                           \
    {                                                                                               \
        "dwconv_xpulp_b8s8", {                                                                      \
            .kind = TS_LAYER_DWCONV, .x_type = x, .w_type = TS_S8, .y_type = y, .rq_class = class_, \
            .dilation = 1, __VA_ARGS__                                                              \
        }                                                                                           \
    }
    DW_ANY_ROUNDED(TS_U8, TS_U8, TS_RQC_S32R, .pad = -1),
    DW_ANY_ROUNDED(TS_U8, TS_U8, TS_RQC_S32R, .pad = 0, .kernel_h = 1, .kernel_w = 15, .h = 1, .w = 24),
    DW_ANY_ROUNDED(TS_U8, TS_S8, TS_RQC_S32RC, .pad = 2, .kernel_h = 5, .kernel_w = 5),
    DW_ANY_ROUNDED(TS_S8, TS_S8, TS_RQC_S32RC, .pad = -1, .kernel_h = 3, .kernel_w = 7, .w = 16),
#define DW_TAPS(y, class_, ...)                                                                         \
    {                                                                                                   \
        "dwconv_xpulp_u8s8_k357", {                                                                     \
            .kind = TS_LAYER_DWCONV, .x_type = TS_U8, .w_type = TS_S8, .y_type = y, .rq_class = class_, \
            .dilation = 1, __VA_ARGS__                                                                  \
        }                                                                                               \
    }
    DW_TAPS(TS_U8, -1, .pad = -1, .w = 11),
    DW_TAPS(TS_U8, -1, .pad = 1, .kernel_h = 3, .kernel_w = 3, .w = 5),
    DW_TAPS(TS_U8, -1, .pad = -1, .kernel_h = 3, .kernel_w = 3, .stride = 2, .w = 17),
    DW_TAPS(TS_U8, TS_RQC_S32, .pad = 2, .kernel_h = 5, .kernel_w = 5, .stride = 1),
    DW_TAPS(TS_S8, TS_RQC_S32D, .pad = -1, .kernel_h = 5, .kernel_w = 5, .stride = 2, .w = 22),
    DW_TAPS(TS_U8, TS_RQC_S32R, .pad = 3, .kernel_h = 7, .kernel_w = 7, .stride = 1),
    DW_TAPS(TS_S8, TS_RQC_S32RC, .pad = -1, .kernel_h = 7, .kernel_w = 7, .stride = 2, .w = 19),
    DW_TAPS(TS_U8, TS_RQC_S32D, .pad = -1, .kernel_h = 2, .kernel_w = 6, .w = 21),
    DW_TAPS(TS_U8, TS_RQC_S32, .pad = -1, .kernel_h = 4, .kernel_w = 4, .w = 18),
#define DW_SUB8(x, y, w, ...)                                                                          \
    {                                                                                                  \
        "dwconv_xpulp_sub8", {                                                                         \
            .kind = TS_LAYER_DWCONV, .x_type = x, .w_type = w, .y_type = y, .dilation = 1, __VA_ARGS__ \
        }                                                                                              \
    }
    DW_SUB8(TS_U4, TS_U4, TS_S4, .rq_class = -1, .pad = 1, .kernel_h = 3, .kernel_w = 3, .stride = 1),
    DW_SUB8(TS_U4, TS_U8, TS_S8, .rq_class = -1, .pad = -1, .kernel_h = 3, .kernel_w = 3, .stride = 2),
    DW_SUB8(TS_S2, TS_U2, TS_S2, .rq_class = -1, .pad = -1),
    DW_SUB8(TS_U8, TS_S4, TS_S8, .rq_class = TS_RQC_S32D, .pad = 1, .kernel_h = 3, .kernel_w = 3, .c_in = 20),
    DW_SUB8(TS_S4, TS_S4, TS_S4, .rq_class = TS_RQC_S32, .pad = 2, .kernel_h = 5, .kernel_w = 5, .h = 9,
            .w = 11),
    DW_SUB8(TS_U2, TS_U4, TS_S4, .rq_class = TS_RQC_S32C, .pad = 1, .kernel_h = 3, .kernel_w = 3, .c_in = 16),
#define SUB8(x, y, class_, kind_, ...)                                                                \
    {                                                                                                 \
        "conv_xpulp_sub8", {                                                                          \
            .kind = kind_, .x_type = x, .w_type = TS_S4, .y_type = y, .rq_class = class_, __VA_ARGS__ \
        }                                                                                             \
    }
    SUB8(TS_U4, TS_U4, -1, TS_LAYER_CONV, .pad = -1),
    SUB8(TS_S4, TS_U8, -1, TS_LAYER_CONV, .pad = -1, .c_in = 8),
    SUB8(TS_U2, TS_S2, -1, TS_LAYER_CONV, .pad = -1),
    SUB8(TS_S2, TS_U2, -1, TS_LAYER_CONV, .pad = 1, .kernel_h = 3, .kernel_w = 3, .c_in = 16),
    SUB8(TS_U8, TS_S4, -1, TS_LAYER_CONV, .pad = -1),
    SUB8(TS_U4, TS_U8, -1, TS_LAYER_LINEAR, .pad = 0),
    SUB8(TS_U2, TS_S32, TS_RQC_NONE, TS_LAYER_LINEAR, .pad = 0),
    {"linear_xpulp_u8s8",
     {.kind = TS_LAYER_LINEAR, .x_type = TS_U8, .w_type = TS_S8, .y_type = TS_U8, .rq_class = -1}},
    {"linear_xpulp_u8s8",
     {.kind = TS_LAYER_LINEAR, .x_type = TS_U8, .w_type = TS_S4, .y_type = TS_S32, .rq_class = TS_RQC_NONE}},
    {"linear_xpulp_s8s8",
     {.kind = TS_LAYER_LINEAR, .x_type = TS_S8, .w_type = TS_S8, .y_type = TS_S8, .rq_class = -1}},
    {"linear_xpulp_u8s8",
     {.kind = TS_LAYER_LINEAR,
      .x_type = TS_U8,
      .w_type = TS_S8,
      .y_type = TS_U8,
      .rq_class = TS_RQC_S32,
      .c_out = 130}},
    {"linear_xpulp_u8s8",
     {.kind = TS_LAYER_LINEAR,
      .x_type = TS_U8,
      .w_type = TS_S8,
      .y_type = TS_S32,
      .rq_class = TS_RQC_NONE,
      .c_out = 128}},
    {"linear_xpulp_s8s8",
     {.kind = TS_LAYER_LINEAR,
      .x_type = TS_S8,
      .w_type = TS_S8,
      .y_type = TS_S32,
      .rq_class = TS_RQC_NONE,
      .c_out = 64}},
    {"linear_xpulp_s16s8",
     {.kind = TS_LAYER_LINEAR, .x_type = TS_S16, .w_type = TS_S8, .y_type = TS_U8, .rq_class = -1}},
    {"linear_xpulp_s16s8",
     {.kind = TS_LAYER_LINEAR, .x_type = TS_S16, .w_type = TS_S8, .y_type = TS_S32, .rq_class = TS_RQC_NONE}},
    {"max_pool_xpulp",
     {.kind = TS_LAYER_MAX_POOL, .x_type = TS_U8, .y_type = TS_U8, .rq_class = -1, .pad = -1}},
    {"max_pool_xpulp",
     {.kind = TS_LAYER_MAX_POOL, .x_type = TS_S8, .y_type = TS_S8, .rq_class = -1, .pad = -1}},
#define MAX_SUB8(type, ...)                                                                       \
    {                                                                                             \
        "max_pool_xpulp_sub8", {                                                                  \
            .kind = TS_LAYER_MAX_POOL, .x_type = type, .y_type = type, .rq_class = -1, .pad = -1, \
            __VA_ARGS__                                                                           \
        }                                                                                         \
    }
    MAX_SUB8(TS_U4, .c_in = 18),
    MAX_SUB8(TS_S4, .c_in = 6),
    MAX_SUB8(TS_U2, .c_in = 20),
    MAX_SUB8(TS_S2, .c_in = 32),
    MAX_SUB8(TS_S4),
    MAX_SUB8(TS_U2),
#define AVG_SUB8(x, y, pad_, ...)                                                                         \
    {                                                                                                     \
        "avg_pool_xpulp_sub8", {                                                                          \
            .kind = TS_LAYER_AVG_POOL, .x_type = x, .y_type = y, .rq_class = -1, .pad = pad_, __VA_ARGS__ \
        }                                                                                                 \
    }
    AVG_SUB8(TS_U4, TS_U4, -1),
    AVG_SUB8(TS_S4, TS_S4, -1, .kernel_w = 18, .w = 19),
    AVG_SUB8(TS_U2, TS_U2, -1, .c_in = 33),
    AVG_SUB8(TS_S2, TS_S8, -1),
    AVG_SUB8(TS_U4, TS_U8, 0, .h = 12, .kernel_h = 9, .kernel_w = 9),
    AVG_SUB8(TS_U2, TS_S4, 0, .h = 10, .w = 10, .kernel_h = 10, .kernel_w = 10, .c_in = 48, .dilation = 1),
    {"avg_pool_xpulp",
     {.kind = TS_LAYER_AVG_POOL, .x_type = TS_U8, .y_type = TS_U8, .rq_class = -1, .pad = -1}},
    {"avg_pool_xpulp",
     {.kind = TS_LAYER_AVG_POOL, .x_type = TS_S8, .y_type = TS_S8, .rq_class = -1, .pad = -1}},
    {"max_pool_xpulp_s16",
     {.kind = TS_LAYER_MAX_POOL, .x_type = TS_S16, .y_type = TS_S16, .rq_class = -1, .pad = -1}},
    {"avg_pool_xpulp_s16",
     {.kind = TS_LAYER_AVG_POOL, .x_type = TS_S16, .y_type = TS_S16, .rq_class = -1, .pad = -1}},
    {"avg_pool_xpulp_s16",
     {.kind = TS_LAYER_AVG_POOL, .x_type = TS_S16, .y_type = TS_U8, .rq_class = TS_RQC_S64, .pad = -1}},
    {"requant_xpulp", {.kind = TS_LAYER_REQUANT, .x_type = TS_S8, .y_type = TS_U8, .rq_class = TS_RQC_S64}},
    {"requant_xpulp",
     {.kind = TS_LAYER_REQUANT, .x_type = TS_U8, .y_type = TS_S8, .rq_class = TS_RQC_TFLITE}},
    {"lut_xpulp", {.kind = TS_LAYER_LUT, .x_type = TS_S8, .y_type = TS_U8}},
    {"lut_xpulp", {.kind = TS_LAYER_LUT, .x_type = TS_U8, .y_type = TS_S8}},
    {"add_xpulp_u8dot", {.kind = TS_LAYER_ADD, .x_type = TS_U8, .y_type = TS_U8, .rq_class = TS_RQC_NONE}},
    {"add_xpulp_u8dot", {.kind = TS_LAYER_ADD, .x_type = TS_U8, .y_type = TS_S16, .rq_class = TS_RQC_NONE}},
    {"add_xpulp_line",
     {.kind = TS_LAYER_ADD, .x_type = TS_U8, .y_type = TS_U8, .rq_class = TS_RQC_NONE, .line = true}},
    {"add_xpulp_line",
     {.kind = TS_LAYER_ADD, .x_type = TS_S8, .y_type = TS_S8, .rq_class = TS_RQC_NONE, .line = true}},
#define MUL(x, y, class_)                                                                            \
    {                                                                                                \
        "mul_xpulp", { .kind = TS_LAYER_MUL, .x_type = x, .y_type = y, .rq_class = class_, .h = 12 } \
    }
    MUL(TS_U8, TS_U8, TS_RQC_S32),
    MUL(TS_U8, TS_S8, TS_RQC_S32C),
    MUL(TS_S8, TS_S8, TS_RQC_S32D),
    MUL(TS_U8, TS_U8, TS_RQC_S32DC),
    MUL(TS_U8, TS_U8, TS_RQC_S32R),
    MUL(TS_S8, TS_U8, TS_RQC_S32RC),
#define MATMUL(x, x2, y)                                                                    \
    {                                                                                       \
        x == TS_U8 ? "matmul_xpulp_u8" : "matmul_xpulp_s8", {                               \
            .kind = TS_LAYER_MATMUL, .x_type = x, .w_type = x2, .y_type = y, .rq_class = -1 \
        }                                                                                   \
    }
    MATMUL(TS_U8, TS_S8, TS_U8),
    MATMUL(TS_U8, TS_U8, TS_S8),
    MATMUL(TS_S8, TS_S8, TS_S8),
    MATMUL(TS_S8, TS_U8, TS_S16),
    {"add_xpulp_step", {.kind = TS_LAYER_ADD, .x_type = TS_U8, .y_type = TS_U8, .rq_class = -1}},
    {"add_xpulp_step", {.kind = TS_LAYER_ADD, .x_type = TS_S8, .y_type = TS_S8, .rq_class = TS_RQC_S32}},
    {"add_xpulp_step", {.kind = TS_LAYER_ADD, .x_type = TS_S16, .y_type = TS_S16, .rq_class = TS_RQC_S32C}},
};

static void all_families(void **state) {
    (void)state;
    for (uint32_t i = 0; i < sizeof families / sizeof *families; i++) {
        if (strstr(families[i].kernel, wanted) != NULL) {
            test_family(&families[i]);
        }
    }
}

int main(int argc, char **argv) {
    ts_arena *arena = ts_arena_new("rig", 0);
    wanted = argc > 1 ? argv[1] : "";
    if (!rig_build(&the_rig, arena, "gap8", CORES)) {
        fprintf(stderr, "no RISC-V compiler: skipped\n");
        return TS_TEST_SKIP;
    }
    const struct CMUnitTest tests[] = {cmocka_unit_test(all_families)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
