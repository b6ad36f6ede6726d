/* The two functions that a freestanding compiler may call. Layers set up their arguments with them, so words
 * go four at a time. */
#include <stddef.h>
#include <stdint.h>

void *memcpy(void *restrict to, const void *restrict from, size_t bytes);
void *memset(void *to, int value, size_t bytes);

/* Or the compiler would make the loops call themselves. */
#pragma GCC optimize("no-tree-loop-distribute-patterns")

void *memcpy(void *restrict to, const void *restrict from, size_t bytes) {
    uint8_t *out = (uint8_t *)to;
    const uint8_t *in = (const uint8_t *)from;
    if ((((uintptr_t)to | (uintptr_t)from) & 3u) == 0) {
        for (; bytes >= 16; bytes -= 16, out += 16, in += 16) {
            const uint32_t *words = (const uint32_t *)(const void *)in;
            uint32_t a = words[0], b = words[1], c = words[2], d = words[3];
            uint32_t *const put = (uint32_t *)(void *)out;
            put[0] = a;
            put[1] = b;
            put[2] = c;
            put[3] = d;
        }
        for (; bytes >= 4; bytes -= 4, out += 4, in += 4) {
            *(uint32_t *)(void *)out = *(const uint32_t *)(const void *)in;
        }
    }
    for (size_t i = 0; i < bytes; i++) {
        out[i] = in[i];
    }
    return to;
}

void *memset(void *to, int value, size_t bytes) {
    uint8_t *out = (uint8_t *)to;
    if (((uintptr_t)to & 3u) == 0) {
        const uint32_t word = (uint8_t)value * 0x01010101u;
        for (; bytes >= 16; bytes -= 16, out += 16) {
            uint32_t *const put = (uint32_t *)(void *)out;
            put[0] = put[1] = put[2] = put[3] = word;
        }
        for (; bytes >= 4; bytes -= 4, out += 4) {
            *(uint32_t *)(void *)out = word;
        }
    }
    for (size_t i = 0; i < bytes; i++) {
        out[i] = (uint8_t)value;
    }
    return to;
}
