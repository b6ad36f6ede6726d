/* The xpulp convolution with its routines in C: addressing, gathering, packing and the cores' shares, bit for
 * bit against conv_ref, with guard bytes. */
#include "call.h"
#include "case.h"
#include "harness.h"

#include <string.h>

uint32_t ts_test_core, ts_test_cores;

typedef void conv_kernel(const struct ts_conv_tile *tile);

static const ts_kernel *row(const ts_kernel *rows, uint32_t count, const char *name) {
    for (uint32_t i = 0; i < count; i++) {
        if (strcmp(rows[i].name, name) == 0) {
            return &rows[i];
        }
    }
    fail_msg("no kernel row '%s'", name);
    return NULL;
}

static void run(conv_kernel *kernel, const ts_case_call *call, uint8_t *area, uint32_t cores) {
    struct ts_conv_tile tile = call_conv(call, area);
    ts_test_cores = cores;
    for (ts_test_core = 0; ts_test_core < cores; ts_test_core++) {
        kernel(&tile);
    }
}

static void check(ts_arena *arena, const ts_case *c, const ts_kernel *tested, conv_kernel *kernel,
                  uint32_t cores) {
    const ts_kernel *twin = row(ts__kernels_ref, ts__kernels_ref_count, "conv_ref");
    ts_case_call call, ref_call;
    uint8_t *area, *ref_area;
    uint32_t bytes = case_lay_out(arena, c, tested, cores, &call, &area);
    case_lay_out(arena, c, twin, cores, &ref_call, &ref_area);
    uint8_t *before = ts_arena_copy(arena, area, bytes + 64);
    run(kernel, &call, area, cores);
    run(conv_ref, &ref_call, ref_area, cores);
    assert_memory_equal(area + call.y_at, ref_area + ref_call.y_at, case_y_bytes(&call));
    assert_memory_equal(area, before, call.y_at);
    assert_memory_equal(area + call.y_at + case_y_bytes(&call), before + call.y_at + case_y_bytes(&call),
                        call.scratch_at - call.y_at - case_y_bytes(&call));
    assert_memory_equal(area + bytes, before + bytes, 64);
}

static void random_convolutions(void **state) {
    (void)state;
    const ts_kernel *tested = row(ts__kernels_xpulp, ts__kernels_xpulp_count, "conv_xpulp_u8s8_4x4");
    for (uint64_t seed = 0; seed < 1500; seed++) {
        ts_arena *arena = ts_arena_new("case", 0);
        ts_random random = ts_random_seed(seed);
        ts_type y_types[] = {TS_U8, TS_S8, TS_U8, TS_U4, TS_U2};
        ts_type w_types[] = {TS_S8, TS_S8, TS_S4, TS_S2};
        ts_case_limits limits = {.kind = TS_LAYER_CONV,
                                 .x_type = TS_U8,
                                 .w_type = w_types[seed % 4],
                                 .y_type = y_types[seed % 5],
                                 .rq_class = -1,
                                 .pad = -1,
                                 .extreme = seed % 7 == 0};
        ts_case c;
        case_make(arena, &random, &limits, &c);
        if (tested->serves(&c.layer)) {
            check(arena, &c, tested, conv_xpulp_u8s8_4x4, 1 + (uint32_t)(seed % 8));
        }
        ts_arena_free(arena);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(random_convolutions)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
