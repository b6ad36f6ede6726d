/* Text: a growing string buffer and number parsing that rejects what it does not understand. */
#ifndef TS_BASE_TEXT_H
#define TS_BASE_TEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"

typedef struct ts_text {
    ts_arena *arena;
    char *data; /* NUL-terminated; NULL until the first append */
    size_t size;
    size_t capacity;
} ts_text;

void ts_text_add(ts_text *text, const char *string);
void ts_text_add_bytes(ts_text *text, const void *data, size_t size);
void ts_text_printf(ts_text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Parses the whole of `string` as a decimal or 0x number. */
bool ts_parse_i64(const char *string, int64_t *out);
bool ts_parse_u64(const char *string, uint64_t *out);

/* Parses a size in bytes with an optional suffix K or M (1024, 1024 squared), e.g. "64K". */
bool ts_parse_size(const char *string, uint64_t *out);

/* A C identifier made from any text: [A-Za-z0-9_], not starting with a digit. */
char *ts_identifier(ts_arena *arena, const char *text);

/* Overflow-checked products of sizes: false on overflow. */
bool ts_mul_size(size_t a, size_t b, size_t *out);

#endif
