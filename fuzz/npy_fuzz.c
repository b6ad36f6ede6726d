/* NumPy arrays; the first byte chooses the tensor that they are read for. */
#include "fuzz.h"
#include "model/values.h"

static void read(ts_bytes file, ts_diags *diags) {
    static const ts_tensor tensors[] = {
        {.name = "x", .type = TS_U8, .rank = 4, .dims = {1, 2, 3, 4}},
        {.name = "x", .type = TS_S16, .rank = 4, .dims = {1, 1, 1, 6}},
        {.name = "x", .type = TS_S2, .rank = 4, .dims = {1, 3, 1, 1}},
    };
    if (file.size == 0) {
        return;
    }
    const ts_tensor *tensor = &tensors[file.data[0] % 3];
    const int32_t *values;
    ts_bytes rest = {file.data + 1, file.size - 1};
    ts_fuzz_check(ts__npy_values_parse(diags->arena, rest, tensor, &values, diags), diags);
    ts_diags raw = {.arena = diags->arena};
    ts_fuzz_check(ts__raw_values_parse(diags->arena, rest, tensor, &values, &raw), &raw);
}

TS_FUZZ_TARGET(read)
