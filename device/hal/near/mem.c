/* The two functions that a freestanding compiler may call. */
#include <stddef.h>
#include <stdint.h>

void *memcpy(void *restrict to, const void *restrict from, size_t bytes);
void *memset(void *to, int value, size_t bytes);

/* Or the compiler would make the loops call themselves. */
#pragma GCC optimize("no-tree-loop-distribute-patterns")

typedef uint32_t __attribute__((may_alias)) word;

void *memcpy(void *restrict to, const void *restrict from, size_t bytes) {
    uint8_t *out = (uint8_t *)to;
    const uint8_t *in = (const uint8_t *)from;
    if ((((uintptr_t)to | (uintptr_t)from) & 3u) == 0) {
        for (; bytes >= 16; bytes -= 16, out += 16, in += 16) {
            word *o = (word *)(void *)out;
            const word *i = (const word *)(const void *)in;
            word a = i[0], b = i[1], c = i[2], d = i[3];
            o[0] = a, o[1] = b, o[2] = c, o[3] = d;
        }
        for (; bytes >= 4; bytes -= 4, out += 4, in += 4) {
            *(word *)(void *)out = *(const word *)(const void *)in;
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
        for (; bytes >= 4; bytes -= 4, out += 4) {
            *(word *)(void *)out = (uint8_t)value * 0x01010101u;
        }
    }
    for (size_t i = 0; i < bytes; i++) {
        out[i] = (uint8_t)value;
    }
    return to;
}
