/* Additions of bytes: each input's step is a table of 256 words in the weights, so that what is left of an
 * element is two loads, a sum and the requantisation: add.S. A requantisation alone is one table of 256
 * bytes. */
#include "kernels/armv7em/armv7em.h"
#include "kernels/kernels.h"

typedef void add_fn(const uint8_t *a, const uint8_t *b, uint8_t *y, uint32_t words, const void *params);
add_fn armv7em_add_tflite_u8, armv7em_add_tflite_s8, armv7em_add_s32_u8, armv7em_add_s32_s8;
void armv7em_table(const uint8_t *a, const uint8_t *table, uint8_t *y, uint32_t words);

void add_armv7em(const struct ts_add_tile *t) {
    int is_signed = t->y_type == TS_ELEM_S8;
    add_fn *add = t->rq.kind == TS_RQ_TFLITE ? (is_signed ? armv7em_add_tflite_s8 : armv7em_add_tflite_u8)
                                             : (is_signed ? armv7em_add_s32_s8 : armv7em_add_s32_u8);
    const uint8_t *a = (const uint8_t *)t->a, *b = (const uint8_t *)t->b;
    uint8_t *y = (uint8_t *)t->y;
    uint32_t words = t->count / 4u, rest = t->count % 4u;
    if (words > 0) {
        add(a, b, y, words, t->rq_params);
    }
    if (rest > 0) {
        uint8_t last[3][4] = {{0}, {0}, {0}};
        __builtin_memcpy(last[0], a + 4u * words, rest);
        __builtin_memcpy(last[1], b + 4u * words, rest);
        add(last[0], last[1], last[2], 1, t->rq_params);
        __builtin_memcpy(y + 4u * words, last[2], rest);
    }
}

void requant_armv7em(const struct ts_add_tile *t) {
    const uint8_t *a = (const uint8_t *)t->a, *table = (const uint8_t *)t->rq_params;
    uint8_t *y = (uint8_t *)t->y;
    uint32_t words = t->count / 4u;
    if (words > 0) {
        armv7em_table(a, table, y, words);
    }
    for (uint32_t i = 4u * words; i < t->count; i++) {
        y[i] = table[a[i]];
    }
}
