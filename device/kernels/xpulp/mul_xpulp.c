/* Element-wise product of bytes, one requantisation for all channels: an element takes two loads, two
 * additions, the product, and the requantisation in 32 bits. The planner's row (src/plan/kernel_xpulp_pool.c)
 * admits no other. */
#include "kernels/xpulp/xpulp.h"
#include "kernels/xpulp/xpulp_insn.h"

/* Requantisation in one step, in two, and rounded twice; each with a clip of the product first. */
enum form { ONE_STEP, TWO_STEPS, ROUNDED };

struct product {
    int32_t less_a, less_b; /* what is added to the operands: their zero points, negative */
    int32_t k, l, k2, l2, middle;
    int32_t shift, split, acc_high, low, high;
};

static inline int32_t element(const struct product *f, int32_t a, int32_t b, enum form form) {
    int32_t v = p_clipr((a + f->less_a) * (b + f->less_b), f->acc_high);
    if (form == ONE_STEP) {
        v = p_addNr(v * f->k, f->l, f->shift);
    } else {
        int32_t t = p_mac(p_addNr(v * f->k2, f->l2, f->split), v, f->k);
        if (form == TWO_STEPS) {
            v = p_addNr(t, f->l, f->l2);
        } else {
            t = p_addNr(t, f->l, f->shift);
            v = p_subNr(t, t < f->middle, f->l2);
        }
    }
    return p_min(p_max(v, f->low), f->high);
}

static inline __attribute__((always_inline)) int32_t next(const uint8_t **at, bool is_signed) {
    const uint8_t *from = *at;
    int32_t value = is_signed ? (int32_t)p_lb_pi(from, 1) : (int32_t)p_lbu_pi(from, 1);
    *at = from;
    return value;
}

static inline __attribute__((always_inline)) void products(const struct ts_add_tile *t,
                                                           const struct product *product, enum form form) {
    const struct product f = *product;
    const struct ref_share share = ref_share(t->count);
    const uint8_t *a = (const uint8_t *)t->a + share.begin, *b = (const uint8_t *)t->b + share.begin;
    uint8_t *y = (uint8_t *)t->y + share.begin, *end = (uint8_t *)t->y + share.end;
    bool a_signed = t->a_type == TS_ELEM_S8, b_signed = t->b_type == TS_ELEM_S8;
    if (!a_signed && !b_signed) {
        while (y < end) {
            int32_t one = next(&a, false);
            *y++ = (uint8_t)element(&f, one, next(&b, false), form);
        }
        return;
    }
    while (y < end) {
        int32_t one = next(&a, a_signed);
        *y++ = (uint8_t)element(&f, one, next(&b, b_signed), form);
    }
}

void mul_xpulp(const struct ts_add_tile *t) {
    const int32_t *params = (const int32_t *)t->rq_params;
    const struct ts_rq_args *rq = &t->rq;
    bool clips = rq->kind == TS_RQ_S32C || rq->kind == TS_RQ_S32DC || rq->kind == TS_RQ_S32RC;
    bool one_step = rq->kind == TS_RQ_S32 || rq->kind == TS_RQ_S32C;
    bool rounded = rq->kind == TS_RQ_S32R || rq->kind == TS_RQ_S32RC;
    const struct product f = {.less_a = (int32_t)t->in1.add,
                              .less_b = (int32_t)t->in2.add,
                              .k = params[0],
                              .l = params[1],
                              .k2 = one_step ? 0 : params[2],
                              .l2 = one_step ? 0 : params[3],
                              .middle = rounded ? params[4] : 0,
                              .shift = rq->shift,
                              .split = rq->split,
                              .acc_high = clips ? rq->acc_high : INT32_MAX,
                              .low = rq->low,
                              .high = rq->high};
    if (one_step) {
        products(t, &f, ONE_STEP);
    } else if (rounded) {
        products(t, &f, ROUNDED);
    } else {
        products(t, &f, TWO_STEPS);
    }
}
