/* Element-wise addition in 32 bits. The planner's row (src/plan/kernel_xpulp_pool.c) proves that no
 * intermediate leaves them and that every divisor is a power of two.
 *
 * add_xpulp_u8dot: unsigned 8-bit operands whose first steps are multipliers 0 .. 255 only. Two interleaved
 * pairs of elements are a dot product each: 4 elements take 2 loads, 2 shuffles, 4 dot products, then shift
 * and clip, about 5.5 instructions an element. add_xpulp_step: any 8- or 16-bit operands, every step, about
 * 20 instructions an element. */
#include "kernels/xpulp/xpulp.h"
#include "kernels/xpulp/xpulp_insn.h"

/* A step with its divisor as a shift. */
struct step {
    int32_t mul, add, low, high;
    uint32_t shift;
};

static uint32_t log2_of(int64_t power) {
    uint32_t shift = 0;
    while (((int64_t)1 << shift) < power) {
        shift++;
    }
    return shift;
}

static struct step narrow(const struct ts_add_step_args *step) {
    return (struct step){(int32_t)step->mul, (int32_t)step->add, step->low, step->high, log2_of(step->div)};
}

static inline int32_t apply(const struct step *step, int32_t value) {
    int32_t t = p_mac(step->add, value, step->mul) >> step->shift;
    return p_min(p_max(t, step->low), step->high);
}

static inline int32_t requantise(const struct ts_rq_args *rq, int32_t k, int32_t l, int32_t value) {
    if (rq->kind == TS_RQ_S32C) {
        value = p_min(p_max(value, rq->acc_low), rq->acc_high);
    }
    return p_min(p_max(p_mac(l, value, k) >> rq->shift, rq->low), rq->high);
}

static inline int32_t get(const void *base, uint32_t i, uint8_t type) {
    return type == TS_ELEM_U8   ? ((const uint8_t *)base)[i]
           : type == TS_ELEM_S8 ? ((const int8_t *)base)[i]
                                : ((const int16_t *)base)[i];
}

static inline void put(void *base, uint32_t i, uint8_t type, int32_t value) {
    if (type == TS_ELEM_S16) {
        ((int16_t *)base)[i] = (int16_t)value;
    } else {
        ((uint8_t *)base)[i] = (uint8_t)value;
    }
}

/* The elements [begin, end) with their types known at compile time where it matters. */
static inline void add_range(const struct ts_add_tile *t, uint32_t begin, uint32_t end, uint8_t a_type,
                             uint8_t b_type, uint8_t y_type) {
    const struct step in1 = narrow(&t->in1), in2 = narrow(&t->in2), sum = narrow(&t->sum);
    /* Copies: a store of bytes might change what a pointer reaches, as far as the compiler knows. */
    const struct ts_rq_args rq = t->rq;
    const void *a = t->a, *b = t->b;
    void *y = t->y;
    const int32_t *params = (const int32_t *)t->rq_params;
    uint32_t channels = t->channels, each = t->rq_channels == 1 ? 0 : 2, channel = begin % channels;
    for (uint32_t i = begin; i < end; i++) {
        int32_t s = apply(&in1, get(a, i, a_type)) + apply(&in2, get(b, i, b_type));
        s = apply(&sum, s);
        if (rq.kind != TS_RQ_NONE) {
            s = requantise(&rq, params[channel * each], params[channel * each + 1], s);
        }
        put(y, i, y_type, s);
        channel = channel + 1 == channels ? 0 : channel + 1;
    }
}

void add_xpulp_step(const struct ts_add_tile *t) {
    struct ref_share share = ref_share(t->count);
    if (t->a_type == TS_ELEM_U8 && t->b_type == TS_ELEM_U8 && t->y_type == TS_ELEM_U8) {
        add_range(t, share.begin, share.end, TS_ELEM_U8, TS_ELEM_U8, TS_ELEM_U8);
    } else if (t->a_type == TS_ELEM_S8 && t->b_type == TS_ELEM_S8 && t->y_type != TS_ELEM_S16) {
        add_range(t, share.begin, share.end, TS_ELEM_S8, TS_ELEM_S8, TS_ELEM_S8);
    } else {
        add_range(t, share.begin, share.end, t->a_type, t->b_type, t->y_type);
    }
}

/* Four sums of elements i .. i + 3: lanes (a0 b0 a1 b1) against (ka kb 0 0) and (0 0 ka kb). */
static inline void four_sums(uint32_t a, uint32_t b, uint32_t k_low, uint32_t k_high, int32_t s[4]) {
    const uint32_t first = 0x05010400u, second = 0x07030602u; /* of the pair {rs1 = b, rd = a} */
    uint32_t low = pv_shuffle2_b(a, b, first), high = pv_shuffle2_b(a, b, second);
    s[0] = (int32_t)pv_dotup_b(low, k_low);
    s[1] = (int32_t)pv_dotup_b(low, k_high);
    s[2] = (int32_t)pv_dotup_b(high, k_low);
    s[3] = (int32_t)pv_dotup_b(high, k_high);
}

/* What happens to a sum after its dot product. */
struct finish {
    uint32_t shift, rq_shift;
    int32_t high, k, l, rq_low, rq_high;
    bool requantises;
};

static inline int32_t finish_one(const struct finish *f, int32_t s) {
    s = p_min(s >> f->shift, f->high);
    if (f->requantises) {
        s = p_min(p_max(p_mac(f->l, s, f->k) >> f->rq_shift, f->rq_low), f->rq_high);
    }
    return s;
}

static inline void words(const struct ts_add_tile *t, struct ref_share share, const struct finish *f,
                         bool wide) {
    uint32_t k = (uint32_t)t->in1.mul | (uint32_t)t->in2.mul << 8, k_high = k << 16;
    const uint8_t *a = (const uint8_t *)t->a + share.begin * 4u,
                  *b = (const uint8_t *)t->b + share.begin * 4u;
    uint8_t *y = (uint8_t *)t->y + share.begin * (wide ? 8u : 4u);
    for (uint32_t i = share.begin; i < share.end; i++) {
        int32_t s[4];
        uint32_t first = p_lw_pi(a, 4), second = p_lw_pi(b, 4);
        four_sums(first, second, k, k_high, s);
        s[0] = finish_one(f, s[0]);
        s[1] = finish_one(f, s[1]);
        s[2] = finish_one(f, s[2]);
        s[3] = finish_one(f, s[3]);
        if (wide) {
            p_sw_pi(pv_pack_h((uint32_t)s[1], (uint32_t)s[0]), y, 4);
            p_sw_pi(pv_pack_h((uint32_t)s[3], (uint32_t)s[2]), y, 4);
        } else {
            uint32_t packed = pv_packlo_b(0, (uint32_t)s[1], (uint32_t)s[0]);
            p_sw_pi(pv_packhi_b(packed, (uint32_t)s[3], (uint32_t)s[2]), y, 4);
        }
    }
}

void add_xpulp_u8dot(const struct ts_add_tile *t) {
    const int32_t *params = (const int32_t *)t->rq_params;
    bool requantises = t->rq.kind != TS_RQ_NONE, wide = t->y_type == TS_ELEM_S16;
    struct finish f = {.shift = log2_of(t->sum.div),
                       .high = t->sum.high,
                       .rq_shift = t->rq.shift,
                       .k = requantises ? params[0] : 0,
                       .l = requantises ? params[1] : 0,
                       .rq_low = t->rq.low,
                       .rq_high = t->rq.high,
                       .requantises = requantises};
    struct ref_share share = ref_share(t->count / 4u);
    if (wide) {
        words(t, share, &f, true);
    } else if (requantises) {
        words(t, share, &f, false);
    } else {
        f.requantises = false;
        words(t, share, &f, false);
    }
    if (ts_core() == ts_cores() - 1u) {
        add_range(t, t->count & ~3u, t->count, TS_ELEM_U8, TS_ELEM_U8, t->y_type);
    }
}
