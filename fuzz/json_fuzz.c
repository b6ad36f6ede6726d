/* The dialects' JSON file. */
#include "fuzz.h"
#include "model/values.h"

static void read(ts_bytes file, ts_diags *diags) {
    const char *onnx_file;
    int32_t bits, is_signed;
    ts_fuzz_check(ts__dialect_parse(diags->arena, file, &onnx_file, &bits, &is_signed, diags), diags);
}

TS_FUZZ_TARGET(read)
