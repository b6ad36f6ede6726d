/* A reader of FlatBuffers that trusts nothing: every offset is checked before it is followed, and the total
 * work is bounded, since many tables may share one large vector. A fault makes `bad` true for good, and
 * everything read from then on is absent; callers look at it once an object. */
#ifndef TS_MODEL_FLAT_H
#define TS_MODEL_FLAT_H

#include <stdbool.h>

#include "base/file.h"

typedef struct ts_flat {
    const uint8_t *data;
    uint32_t size;
    uint64_t work_left; /* vector elements that may still be visited */
    bool bad;
} ts_flat;

typedef uint32_t ts_flat_table; /* position of a table, 0: absent */

typedef struct ts_flat_vector {
    uint32_t count;
    const uint8_t *data; /* NULL: absent or empty */
} ts_flat_vector;

/* The root table of a file. */
ts_flat_table ts__flat_root(ts_flat *flat);

/* Field `index` of a table. Numbers: the default where the field is absent. */
int64_t ts__flat_int(ts_flat *flat, ts_flat_table table, uint32_t index, uint32_t bytes, int64_t absent);
ts_flat_table ts__flat_child(ts_flat *flat, ts_flat_table table, uint32_t index);
ts_flat_vector ts__flat_vector(ts_flat *flat, ts_flat_table table, uint32_t index, uint32_t element_bytes);

/* Element i of a vector of tables, of 32-bit integers, 64-bit integers, floats. */
ts_flat_table ts__flat_table_at(ts_flat *flat, ts_flat_vector vector, uint32_t i);
int32_t ts__flat_i32(ts_flat_vector vector, uint32_t i);
int64_t ts__flat_i64(ts_flat_vector vector, uint32_t i);
float ts__flat_f32(ts_flat_vector vector, uint32_t i);

/* A string field, copied; "" where absent. */
const char *ts__flat_text(ts_flat *flat, ts_arena *arena, ts_flat_table table, uint32_t index);

#endif
