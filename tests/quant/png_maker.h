/* Makes PNG pictures of one pixel. */
#ifndef TS_TESTS_PNG_MAKER_H
#define TS_TESTS_PNG_MAKER_H

#include "zip_maker.h"

enum { PNG_BYTES = 128 };

static inline void png_number(uint8_t *to, uint32_t v) {
    for (int i = 0; i < 4; i++) {
        to[i] = (uint8_t)(v >> (24 - 8 * i));
    }
}

static inline size_t png_chunk(uint8_t *to, const char *type, const uint8_t *data, uint32_t size) {
    png_number(to, size);
    memcpy(to + 4, type, 4);
    memcpy(to + 8, data, size);
    png_number(to + 8 + size, zip_checksum((ts_bytes){to + 4, size + 4}));
    return size + 12;
}

/* One grey pixel: header, one stored block of deflate (filter byte, value), end. Returns the file's size. */
static inline size_t png_make(uint8_t *out, uint8_t value) {
    static const uint8_t head[13] = {0, 0, 0, 1, 0, 0, 0, 1, 8, 0, 0, 0, 0};
    uint8_t data[] = {0x78, 1, 1, 2, 0, 0xfd, 0xff, 0, value, 0, 0, 0, 0};
    png_number(data + 9, (uint32_t)(value + 2) << 16 | (uint32_t)(value + 1)); /* Adler-32 of {0, value} */
    memcpy(out, "\x89PNG\r\n\x1a\n", 8);
    size_t size = 8;
    size += png_chunk(out + size, "IHDR", head, sizeof head);
    size += png_chunk(out + size, "IDAT", data, sizeof data);
    return size + png_chunk(out + size, "IEND", data, 0);
}

#endif
