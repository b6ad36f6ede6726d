/* Floats of maps of floats: words that kernels read and write as bits. */
#ifndef TS_KERNELS_REAL_H
#define TS_KERNELS_REAL_H

#include <stdint.h>

union ref_word {
    int32_t bits;
    float real;
};

static inline float ref_real_of(int32_t bits) {
    union ref_word w;
    w.bits = bits;
    return w.real;
}

static inline int32_t ref_bits_of(float real) {
    union ref_word w;
    w.real = real;
    return w.bits;
}

/* As maps hold it: what is no number has one form on every machine. */
static inline int32_t ref_map_bits(float real) { return real == real ? ref_bits_of(real) : 0x7fc00000; }

/* Element `i` of a map or of weights. */
static inline float ref_real_at(const void *base, uint32_t i) {
    return ref_real_of(((const int32_t *)base)[i]);
}

#endif
