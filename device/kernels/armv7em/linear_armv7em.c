/* Linear layers of bytes: one row of features, four output channels at a time, 14 instructions for 16
 * products (linear_quad.S).
 *
 * A pair of weights lies in half a word as v = 256 w1 + w0. Its low byte is w0, so one SXTB16 gives the even
 * weights of two pairs; the odd ones need no expansion:
 *
 *     v x1 + w0 X = 256 (w1 x1 + w0 x0) + w0 d      with X = 256 x0 - x1 + d
 *
 * where d and, of unsigned bytes, 128 taken from x0 make X a value of 16 bits; what they add to a channel's
 * sum is taken away by the start of the sum, which lies in front of its weights. 256 times a sum must fit 32
 * bits: the planner checks it, and moves the middle of the sums to 0 (src/plan/kernel_armv7em.c). */

#include "kernels/armv7em/armv7em.h"
#include "kernels/kernels.h"

/* As linear_quad.S reads it. */
struct armv7em_quads {
    const uint32_t *x, *x_rest, *x_end;
    const void *w;
    void *y;
    uint32_t quads;
    void (*tail)(void);
    int32_t low, high;
};
_Static_assert(offsetof(struct armv7em_quads, high) == 32, "linear_quad.S knows the offsets");

void armv7em_quads(struct armv7em_quads *p);
void armv7em_half_quad(struct armv7em_quads *p);

/* Not functions: places in the code of armv7em_quads. */
void armv7em_quads_line_u8(void), armv7em_quads_line_s8(void), armv7em_quads_line_any(void);
void armv7em_quads_tflite_u8(void), armv7em_quads_tflite_s8(void), armv7em_quads_tflite_any(void);
void armv7em_quads_raw(void);

static void (*const tails[2][3])(void) = {
    {armv7em_quads_line_u8, armv7em_quads_line_s8, armv7em_quads_line_any},
    {armv7em_quads_tflite_u8, armv7em_quads_tflite_s8, armv7em_quads_tflite_any}};

/* {x1 x3} and {X X}, whose bytes are those of x in pairs exchanged, some of their bits turned: d is 255 with
 * x0 - 128 of unsigned bytes, and 127. */
static inline void put_values(uint32_t *to, uint32_t word, int is_signed) {
    uint32_t swapped;
    __asm__("rev16 %0, %1" : "=r"(swapped) : "r"(word));
    to[0] = armv7em_odd(word, is_signed);
    to[1] = swapped ^ (is_signed ? 0x007f007fu : 0x80ff80ffu);
}

static inline __attribute__((always_inline)) uint32_t *expand(uint32_t *to, const uint8_t *from, uint32_t n,
                                                              int is_signed) {
    for (; n >= 16; n -= 16, from += 16, to += 8) {
        put_values(to, armv7em_load(from), is_signed);
        put_values(to + 2, armv7em_load(from + 4), is_signed);
        put_values(to + 4, armv7em_load(from + 8), is_signed);
        put_values(to + 6, armv7em_load(from + 12), is_signed);
    }
    for (; n >= 4; n -= 4, from += 4, to += 2) {
        put_values(to, armv7em_load(from), is_signed);
    }
    if (n > 0) { /* weights behind the end are 0 */
        uint32_t word = 0;
        __builtin_memcpy(&word, from, n);
        put_values(to, word, is_signed);
        to += 2;
    }
    return to;
}

/* The outputs of the last quad, which has `rest` channels, less than 4. */
static void last_quad(struct armv7em_quads *p, uint8_t *y, uint32_t rest, uint32_t y_bytes) {
    uint32_t all[4];
    p->y = all;
    p->quads = 1;
    (rest <= 2 ? armv7em_half_quad : armv7em_quads)(p);
    __builtin_memcpy(y, all, rest * y_bytes);
}

static void linear(const struct ts_conv_tile *t, void (*tail)(void), uint32_t y_bytes) {
    uint32_t groups = (t->x_c + 3u) / 4u, *x = (uint32_t *)t->scratch;
    uint32_t rq_words = t->rq.kind == TS_RQ_NONE ? 1 : armv7em_rq_words(&t->rq);
    struct armv7em_quads p = {.x = x,
                              .x_rest = x + 2u * (groups % 4u),
                              .x_end = x + 2u * groups,
                              .w = t->w,
                              .y = t->y,
                              .quads = t->y_c / 4u,
                              .tail = tail,
                              .low = t->rq.low,
                              .high = t->rq.high};
    if (t->x_type == TS_ELEM_S8) {
        expand(x, t->x, t->x_c, 1);
    } else {
        expand(x, t->x, t->x_c, 0);
    }
    uint32_t whole = p.quads, rest = t->y_c % 4u;
    if (whole > 0) {
        armv7em_quads(&p);
    }
    if (rest > 0) {
        p.w = (const uint32_t *)t->w + whole * 4u * (1u + groups + rq_words);
        last_quad(&p, (uint8_t *)t->y + 4u * whole * y_bytes, rest, y_bytes);
    }
}

void linear_armv7em(const struct ts_conv_tile *t) {
    uint32_t clip = t->rq.low == 0 && t->rq.high == 255 ? 0 : t->rq.low == -128 && t->rq.high == 127 ? 1 : 2;
    linear(t, tails[armv7em_rq_of(&t->rq)][clip], 1);
}

void linear_armv7em_raw(const struct ts_conv_tile *t) { linear(t, armv7em_quads_raw, 4); }
