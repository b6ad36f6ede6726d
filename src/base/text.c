#include "base/text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void reserve(ts_text *text, size_t more) {
    size_t needed = text->size + more + 1;
    if (needed <= text->capacity) {
        return;
    }
    size_t capacity = text->capacity == 0 ? 256 : text->capacity;
    while (capacity < needed) {
        capacity *= 2;
    }
    char *grown = ts_arena_alloc(text->arena, capacity);
    if (text->size > 0) {
        memcpy(grown, text->data, text->size);
    }
    text->data = grown;
    text->capacity = capacity;
}

void ts_text_add_bytes(ts_text *text, const void *data, size_t size) {
    reserve(text, size);
    if (size > 0) {
        memcpy(text->data + text->size, data, size);
    }
    text->size += size;
    text->data[text->size] = '\0';
}

void ts_text_add(ts_text *text, const char *string) { ts_text_add_bytes(text, string, strlen(string)); }

void ts_text_printf(ts_text *text, const char *format, ...) {
    va_list first, second;
    va_start(first, format);
    va_copy(second, first);
    int length = vsnprintf(NULL, 0, format, first);
    va_end(first);
    size_t size = length < 0 ? 0 : (size_t)length;
    reserve(text, size);
    vsnprintf(text->data + text->size, size + 1, format, second);
    va_end(second);
    text->size += size;
}

bool ts_parse_i64(const char *string, int64_t *out) {
    char *end;
    if (*string == '\0' || *string == ' ' || *string == '\t' || *string == '\n') {
        return false;
    }
    errno = 0;
    long long value = strtoll(string, &end, 0);
    if (errno != 0 || end == string || *end != '\0') {
        return false;
    }
    *out = value;
    return true;
}

bool ts_parse_u64(const char *string, uint64_t *out) {
    char *end;
    if (*string < '0' || *string > '9') {
        return false;
    }
    errno = 0;
    unsigned long long value = strtoull(string, &end, 0);
    if (errno != 0 || end == string || *end != '\0') {
        return false;
    }
    *out = value;
    return true;
}

bool ts_parse_size(const char *string, uint64_t *out) {
    char digits[32];
    size_t length = strlen(string);
    uint64_t unit = 1;
    if (length == 0 || length >= sizeof digits) {
        return false;
    }
    memcpy(digits, string, length + 1);
    char last = digits[length - 1];
    if (last == 'K' || last == 'k') {
        unit = 1024;
    } else if (last == 'M' || last == 'm') {
        unit = 1024 * 1024;
    }
    if (unit != 1) {
        digits[length - 1] = '\0';
    }
    uint64_t value;
    return ts_parse_u64(digits, &value) && !__builtin_mul_overflow(value, unit, out);
}

char *ts_identifier(ts_arena *arena, const char *text) {
    size_t length = strlen(text);
    char *name = ts_arena_alloc(arena, length + 2);
    size_t at = 0;
    if (length == 0 || (text[0] >= '0' && text[0] <= '9')) {
        name[at++] = '_';
    }
    for (size_t i = 0; i < length; i++) {
        char c = text[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        name[at++] = plain ? c : '_';
    }
    return name;
}

bool ts_mul_size(size_t a, size_t b, size_t *out) { return !__builtin_mul_overflow(a, b, out); }
