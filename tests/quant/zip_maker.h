/* Makes NumPy arrays and zip archives of them, as numpy.savez and numpy.savez_compressed write them. */
#ifndef TS_TESTS_ZIP_MAKER_H
#define TS_TESTS_ZIP_MAKER_H

#include <string.h>

#include "base/file.h"
#include "base/text.h"

typedef struct zip_member {
    const char *name;
    ts_bytes data;
} zip_member;

static inline void zip_number(ts_text *out, uint64_t value, uint32_t bytes) {
    for (uint32_t i = 0; i < bytes; i++) {
        ts_text_add_bytes(out, &(char){(char)(value >> (8 * i))}, 1);
    }
}

static inline uint32_t zip_checksum(ts_bytes data) {
    uint32_t crc = 0xffffffffu;
    for (size_t i = 0; i < data.size; i++) {
        crc ^= data.data[i];
        for (int bit = 0; bit < 8; bit++) {
            crc = crc >> 1 ^ ((crc & 1) != 0 ? 0xedb88320u : 0);
        }
    }
    return ~crc;
}

/* What the local header and the directory have in common, from the version on. */
static inline void zip_head(ts_text *out, const zip_member *m, bool deflated) {
    uint32_t size = (uint32_t)m->data.size;
    zip_number(out, 20, 2);
    zip_number(out, 0, 2);
    zip_number(out, deflated ? 8 : 0, 2);
    zip_number(out, 0x21 << 16, 4); /* the first day that the format knows */
    zip_number(out, zip_checksum(m->data), 4);
    zip_number(out, size + (deflated ? 5 : 0), 4);
    zip_number(out, size, 4);
    zip_number(out, (uint32_t)strlen(m->name), 2);
    zip_number(out, 0, 2);
}

/* An archive; deflated members, of less than 64 KB, are one block that is stored. */
static inline ts_bytes zip_make(ts_arena *arena, const zip_member *members, uint32_t count, bool deflated) {
    ts_text out = {.arena = arena}, directory = {.arena = arena};
    for (uint32_t i = 0; i < count; i++) {
        const zip_member *m = &members[i];
        zip_number(&directory, 0x02014b50, 4);
        zip_number(&directory, 20, 2);
        zip_head(&directory, m, deflated);
        zip_number(&directory, 0, 6);
        zip_number(&directory, 0, 4);
        zip_number(&directory, (uint32_t)out.size, 4);
        ts_text_add_bytes(&directory, m->name, strlen(m->name));
        zip_number(&out, 0x04034b50, 4);
        zip_head(&out, m, deflated);
        ts_text_add_bytes(&out, m->name, strlen(m->name));
        if (deflated) {
            zip_number(&out, 1, 1);
            zip_number(&out, (uint32_t)m->data.size, 2);
            zip_number(&out, ~(uint32_t)m->data.size, 2);
        }
        ts_text_add_bytes(&out, (const char *)m->data.data, m->data.size);
    }
    uint32_t start = (uint32_t)out.size;
    ts_text_add_bytes(&out, directory.data, directory.size);
    zip_number(&out, 0x06054b50, 4);
    zip_number(&out, 0, 4);
    zip_number(&out, count, 2);
    zip_number(&out, count, 2);
    zip_number(&out, (uint32_t)directory.size, 4);
    zip_number(&out, start, 4);
    zip_number(&out, 0, 2);
    return (ts_bytes){(const uint8_t *)out.data, out.size};
}

/* A .npy file: `type` like "|u1", `shape` like "2, 4". */
static inline ts_bytes npy_make(ts_arena *arena, const char *type, const char *shape, const void *data,
                                size_t bytes) {
    ts_text out = {.arena = arena};
    const char *head =
        ts_arena_printf(arena, "{'descr': '%s', 'fortran_order': False, 'shape': (%s), }\n", type, shape);
    ts_text_add_bytes(&out, "\x93NUMPY\1\0", 8);
    zip_number(&out, (uint32_t)strlen(head), 2);
    ts_text_add_bytes(&out, head, strlen(head));
    ts_text_add_bytes(&out, data, bytes);
    return (ts_bytes){(const uint8_t *)out.data, out.size};
}

#endif
