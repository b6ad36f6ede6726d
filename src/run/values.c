#include "run/values.h"

#include "emit/emit.h"

uint8_t *ts_values_pack(ts_arena *arena, const ts_tensor *tensor, const int32_t *values) {
    uint8_t *bytes = ts_arena_alloc(arena, (size_t)ts_emit_map_bytes(tensor));
    uint64_t pixels = (uint64_t)ts_h(tensor) * ts_w(tensor);
    uint32_t bits = ts_type_bits(tensor->type), channels = ts_c(tensor);
    uint64_t pixel_bytes = ((uint64_t)channels * bits + 7) / 8;
    for (uint64_t p = 0; p < pixels; p++) {
        uint8_t *pixel = bytes + p * pixel_bytes;
        for (uint32_t c = 0; c < channels; c++) {
            uint32_t value = (uint32_t)*values++;
            uint64_t bit = (uint64_t)c * bits;
            for (uint32_t byte = 0; bits >= 8 && byte < bits / 8; byte++) {
                pixel[bit / 8 + byte] = (uint8_t)(value >> (8 * byte));
            }
            if (bits < 8) {
                pixel[bit / 8] = (uint8_t)(pixel[bit / 8] | (value & ((1u << bits) - 1u)) << bit % 8);
            }
        }
    }
    return bytes;
}

static int32_t element(const uint8_t *pixel, uint64_t bit, uint32_t bits, bool is_signed) {
    uint32_t value = 0;
    if (bits < 8) {
        value = (uint32_t)(pixel[bit / 8] >> bit % 8) & ((1u << bits) - 1u);
    }
    for (uint32_t byte = 0; bits >= 8 && byte < bits / 8; byte++) {
        value |= (uint32_t)pixel[bit / 8 + byte] << (8 * byte);
    }
    bool negative = is_signed && bits < 32 && (value >> (bits - 1) & 1u) != 0;
    return (int32_t)(negative ? value | ~0u << bits : value);
}

int32_t *ts_values_unpack(ts_arena *arena, const ts_tensor *tensor, const uint8_t *bytes) {
    int32_t *values = TS_NEW_ARRAY(arena, int32_t, ts_tensor_elements(tensor)), *out = values;
    uint64_t pixels = (uint64_t)ts_h(tensor) * ts_w(tensor);
    uint32_t bits = ts_type_bits(tensor->type), channels = ts_c(tensor);
    uint64_t pixel_bytes = ((uint64_t)channels * bits + 7) / 8;
    for (uint64_t p = 0; p < pixels; p++) {
        for (uint32_t c = 0; c < channels; c++) {
            *out++ =
                element(bytes + p * pixel_bytes, (uint64_t)c * bits, bits, ts_type_is_signed(tensor->type));
        }
    }
    return values;
}
