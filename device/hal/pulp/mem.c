/* The two functions that a freestanding compiler may call. */
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
        for (; bytes >= 4; bytes -= 4, out += 4) {
            *(uint32_t *)(void *)out = (uint8_t)value * 0x01010101u;
        }
    }
    for (size_t i = 0; i < bytes; i++) {
        out[i] = (uint8_t)value;
    }
    return to;
}
