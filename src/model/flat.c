#include "model/flat.h"

#include <string.h>

static uint64_t bytes_at(ts_flat *flat, uint64_t at, uint32_t count) {
    if (flat->bad || at > flat->size || count > flat->size - at) {
        flat->bad = true;
        return 0;
    }
    uint64_t value = 0;
    for (uint32_t i = 0; i < count; i++) {
        value |= (uint64_t)flat->data[at + i] << (8 * i);
    }
    return value;
}

/* Follows the unsigned offset that stands at `at`; 0 is never a place that an offset leads to. */
static uint32_t follow(ts_flat *flat, uint64_t at) {
    uint64_t target = at + bytes_at(flat, at, 4);
    if (flat->bad || target <= at || target >= flat->size) {
        flat->bad = true;
        return 0;
    }
    return (uint32_t)target;
}

ts_flat_table ts__flat_root(ts_flat *flat) { return follow(flat, 0); }

/* Place of a field's data, 0 where the table's vtable does not have it. */
static uint32_t field(ts_flat *flat, ts_flat_table table, uint32_t index) {
    if (table == 0) {
        return 0;
    }
    int64_t vtable = (int64_t)table - (int32_t)(uint32_t)bytes_at(flat, table, 4);
    if (flat->bad || vtable < 0 || vtable > (int64_t)flat->size - 4) {
        flat->bad = true;
        return 0;
    }
    uint64_t vtable_bytes = bytes_at(flat, (uint64_t)vtable, 2), entry = 4 + 2 * (uint64_t)index;
    if (entry + 2 > vtable_bytes) {
        return 0;
    }
    uint64_t offset = bytes_at(flat, (uint64_t)vtable + entry, 2);
    return offset == 0 || flat->bad ? 0 : (uint32_t)(table + offset);
}

int64_t ts__flat_int(ts_flat *flat, ts_flat_table table, uint32_t index, uint32_t bytes, int64_t absent) {
    uint32_t at = field(flat, table, index);
    if (at == 0) {
        return absent;
    }
    uint64_t bits = bytes_at(flat, at, bytes);
    if (bytes < 8 && (bits >> (8 * bytes - 1) & 1) != 0) {
        bits |= ~UINT64_C(0) << (8 * bytes);
    }
    return flat->bad ? absent : (int64_t)bits;
}

ts_flat_table ts__flat_child(ts_flat *flat, ts_flat_table table, uint32_t index) {
    uint32_t at = field(flat, table, index);
    return at == 0 ? 0 : follow(flat, at);
}

ts_flat_vector ts__flat_vector(ts_flat *flat, ts_flat_table table, uint32_t index, uint32_t element_bytes) {
    uint32_t at = ts__flat_child(flat, table, index);
    if (at == 0) {
        return (ts_flat_vector){0};
    }
    uint64_t count = bytes_at(flat, at, 4);
    if (flat->bad || count * element_bytes > flat->size - at - 4 || count > flat->work_left) {
        flat->bad = true;
        return (ts_flat_vector){0};
    }
    flat->work_left -= count;
    return (ts_flat_vector){(uint32_t)count, flat->data + at + 4};
}

ts_flat_table ts__flat_table_at(ts_flat *flat, ts_flat_vector vector, uint32_t i) {
    return i < vector.count ? follow(flat, (uint64_t)(vector.data - flat->data) + 4 * (uint64_t)i) : 0;
}

static uint64_t element(ts_flat_vector vector, uint32_t i, uint32_t bytes) {
    uint64_t value = 0;
    for (uint32_t k = 0; i < vector.count && k < bytes; k++) {
        value |= (uint64_t)vector.data[(uint64_t)i * bytes + k] << (8 * k);
    }
    return value;
}

int32_t ts__flat_i32(ts_flat_vector vector, uint32_t i) { return (int32_t)(uint32_t)element(vector, i, 4); }

int64_t ts__flat_i64(ts_flat_vector vector, uint32_t i) { return (int64_t)element(vector, i, 8); }

float ts__flat_f32(ts_flat_vector vector, uint32_t i) {
    uint32_t bits = (uint32_t)element(vector, i, 4);
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

const char *ts__flat_text(ts_flat *flat, ts_arena *arena, ts_flat_table table, uint32_t index) {
    ts_flat_vector text = ts__flat_vector(flat, table, index, 1);
    return text.count == 0 ? "" : ts_arena_copy(arena, text.data, text.count);
}
