/* A seeded generator (SplitMix64) whose sequence is the same on every host and in every release. */
#ifndef TS_BASE_RANDOM_H
#define TS_BASE_RANDOM_H

#include <math.h>
#include <stdint.h>

typedef struct ts_random {
    uint64_t state;
} ts_random;

static inline ts_random ts_random_seed(uint64_t seed) { return (ts_random){.state = seed}; }

/* The next 64 bits. Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", figure 16.
 */
static inline uint64_t ts_random_next(ts_random *random) {
    uint64_t z = (random->state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* Uniform in [low, high], both included. */
static inline int64_t ts_random_range(ts_random *random, int64_t low, int64_t high) {
    uint64_t span = (uint64_t)high - (uint64_t)low + 1u;
    return span == 0u ? (int64_t)ts_random_next(random)
                      : (int64_t)((uint64_t)low + ts_random_next(random) % span);
}

/* A standard normal number. Source: Box and Muller 1958, "A note on the generation of random normal
 * deviates". */
static inline double ts_random_normal(ts_random *random) {
    double u = ((double)(ts_random_next(random) >> 11) + 1) * 0x1p-53,
           v = (double)(ts_random_next(random) >> 11) * 0x1p-53;
    return sqrt(-2 * log(u)) * cos(6.283185307179586 * v);
}

#endif
