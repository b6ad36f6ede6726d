/* Readers of values from bytes, shared among the files of this room and with their fuzz targets. `file`
 * may hold anything; results belong to `arena`. */
#ifndef TS_MODEL_VALUES_H
#define TS_MODEL_VALUES_H

#include "base/file.h"
#include "model/model.h"

ts_status ts__text_values_parse(ts_arena *arena, ts_bytes file, const int32_t **values, uint64_t *count,
                                ts_diags *diags);
ts_status ts__npy_values_parse(ts_arena *arena, ts_bytes file, const ts_tensor *tensor,
                               const int32_t **values, ts_diags *diags);
ts_status ts__raw_values_parse(ts_arena *arena, ts_bytes file, const ts_tensor *tensor,
                               const int32_t **values, ts_diags *diags);

/* The dialects' JSON file: *onnx_file as written, *bits 0 and *is_signed -1 where absent. */
ts_status ts__dialect_parse(ts_arena *arena, ts_bytes text, const char **onnx_file, int32_t *bits,
                            int32_t *is_signed, ts_diags *diags);

/* ts_arena_free() as a ts_guard_defer() function. */
void ts__free_arena(void *arena);

#endif
