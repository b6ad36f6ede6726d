/* Additions of bytes that are one line, y = clip((ka a + kb b + l) >> d): what the planner makes of a
 * quantised addition where it proves that they are equal (src/plan/add.h). 4 elements take 8 loads, 4 times
 * mul, p.mac, p.addNr and the clip, 2 packs and a store. */
#include "kernels/xpulp/xpulp.h"
#include "kernels/xpulp/xpulp_insn.h"

struct line {
    int32_t ka, kb, l, shift, low, high;
};

/* How the result is clipped: to all of u8, all of s8, or bounds. */
enum end { END_U8, END_S8, END_BOUND };

static inline int32_t element(const struct line *f, int32_t a, int32_t b, enum end end) {
    int32_t t = p_addNr(p_mac(a * f->ka, b, f->kb), f->l, f->shift);
    return end == END_U8 ? p_clipu(t, 9) : end == END_S8 ? p_clip(t, 8) : p_min(p_max(t, f->low), f->high);
}

#define LOAD(pointer, is_signed) ((is_signed) ? (int32_t)p_lb_pi(pointer, 1) : (int32_t)p_lbu_pi(pointer, 1))

/* `words` fours of elements, then `rest` single ones. */
static inline __attribute__((always_inline)) void add_range(const struct line *line, const uint8_t *a,
                                                            const uint8_t *b, uint8_t *y, uint32_t words,
                                                            uint32_t rest, bool a_signed, bool b_signed,
                                                            enum end end) {
    const struct line f = *line;
    for (const uint8_t *last = y + 4u * words; y < last;) {
        int32_t a0 = LOAD(a, a_signed), a1 = LOAD(a, a_signed), a2 = LOAD(a, a_signed),
                a3 = LOAD(a, a_signed);
        int32_t b0 = LOAD(b, b_signed), b1 = LOAD(b, b_signed), b2 = LOAD(b, b_signed),
                b3 = LOAD(b, b_signed);
        uint32_t y0 = (uint32_t)element(&f, a0, b0, end), y1 = (uint32_t)element(&f, a1, b1, end);
        uint32_t y2 = (uint32_t)element(&f, a2, b2, end), y3 = (uint32_t)element(&f, a3, b3, end);
        p_sw_pi(pv_packhi_b(pv_packlo_b(0, y1, y0), y3, y2), y, 4);
    }
    for (; rest > 0; rest--) {
        int32_t value = LOAD(a, a_signed);
        *y++ = (uint8_t)element(&f, value, LOAD(b, b_signed), end);
    }
}

static uint32_t log2_of(int64_t power) {
    uint32_t shift = 0;
    while (((int64_t)1 << shift) < power) {
        shift++;
    }
    return shift;
}

void add_xpulp_line(const struct ts_add_tile *t) {
    struct ref_share share = ref_share(t->count / 4u);
    const struct line f = {.ka = (int32_t)t->in1.mul,
                           .kb = (int32_t)t->in2.mul,
                           .l = (int32_t)(t->in1.add + t->in2.add),
                           .shift = (int32_t)log2_of(t->sum.div),
                           .low = t->sum.low,
                           .high = t->sum.high};
    const uint8_t *a = (const uint8_t *)t->a + 4u * share.begin,
                  *b = (const uint8_t *)t->b + 4u * share.begin;
    uint8_t *y = (uint8_t *)t->y + 4u * share.begin;
    uint32_t words = share.end - share.begin, rest = ts_core() == ts_cores() - 1u ? t->count % 4u : 0;
    bool a_signed = t->a_type == TS_ELEM_S8, b_signed = t->b_type == TS_ELEM_S8;
    if (!a_signed && !b_signed && t->y_type == TS_ELEM_U8 && f.low == 0 && f.high == 255) {
        add_range(&f, a, b, y, words, rest, false, false, END_U8);
    } else if (a_signed && b_signed && t->y_type == TS_ELEM_S8 && f.low == -128 && f.high == 127) {
        add_range(&f, a, b, y, words, rest, true, true, END_S8);
    } else if (!a_signed && !b_signed) {
        add_range(&f, a, b, y, words, rest, false, false, END_BOUND);
    } else if (a_signed && b_signed) {
        add_range(&f, a, b, y, words, rest, true, true, END_BOUND);
    } else {
        add_range(&f, a, b, y, words, rest, a_signed, b_signed, END_BOUND);
    }
}
