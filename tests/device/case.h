/* Random layers as kernels meet them: a ts_layer, its input, and one tile that is the whole of it. */
#ifndef TS_TESTS_DEVICE_CASE_H
#define TS_TESTS_DEVICE_CASE_H

#include "base/arena.h"
#include "base/random.h"
#include "case_call.h"
#include "plan/kernel.h"

enum { CASE_GUARD = 0xA5 };

typedef struct ts_case {
    ts_layer layer;
    const int32_t *x, *x2; /* elements in H, W, C order */
    bool roomy;            /* rows and pixels of the tile are further apart than they need be */
} ts_case;

/* What a random case may be; 0 leaves it to chance. */
typedef struct ts_case_limits {
    ts_layer_kind kind;
    ts_type x_type, w_type, y_type;
    int rq_class;               /* ts_rq_class or -1 */
    uint32_t h, w, c_in, c_out; /* exact where not 0 */
    uint32_t kernel_h, kernel_w, stride, dilation;
    int pad; /* -1: by chance */
    bool extreme;
    bool weights_zero; /* weights with a zero point: 9 bits without it */
    bool line;         /* additions: one line of both operands (src/plan/add.h) */
    /* One element in `wide_in` of x may leave 0 .. 255; 0: all may. */
    uint32_t wide_in;
    /* Outputs go from their low to their high bound within so small a part of the usual accumulators; 0: 1.
     */
    uint32_t steep;
} ts_case_limits;

/* A random layer within the limits; owned by `arena`. */
void case_make(ts_arena *arena, ts_random *random, const ts_case_limits *limits, ts_case *out);

/* Lays the case's tile for `kernel` out in an L1 area and fills it: x, packed weights, guard bytes in y and
 * around it. Returns the area's bytes; `call` says where things are. */
uint32_t case_lay_out(ts_arena *arena, const ts_case *c, const ts_kernel *kernel, uint32_t cores,
                      ts_case_call *call, uint8_t **area);

/* Turns a map of bytes into quads (device/kernels/tile.h), or back. */
void case_turn_quads(uint8_t *map, uint32_t h, uint32_t w, uint32_t c, uint32_t row_bytes,
                     uint32_t pixel_bytes);

/* Bytes of y in the area, from y_at. */
uint32_t case_y_bytes(const ts_case_call *call);

/* Is everything between x_at and y_at, x excepted where the kernel rewrites it, and in front of it as it was?
 */
bool case_inputs_kept(const ts_kernel *kernel, const ts_case_call *call, const uint8_t *area,
                      const uint8_t *before);

#endif
