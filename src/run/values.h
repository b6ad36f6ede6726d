/* Activations as numbers (int32_t, one a slot, H W C order) and as the bytes that lie in L2. */
#ifndef TS_RUN_VALUES_H
#define TS_RUN_VALUES_H

#include "ir/graph.h"

/* The bytes of an activation (ts_emit_map_bytes() of them). Values outside the tensor's type keep their low
 * bits. Sub-byte elements: the first in the low bits, every pixel begins on a byte. */
uint8_t *ts_values_pack(ts_arena *arena, const ts_tensor *tensor, const int32_t *values);

/* The numbers in such bytes. */
int32_t *ts_values_unpack(ts_arena *arena, const ts_tensor *tensor, const uint8_t *bytes);

#endif
