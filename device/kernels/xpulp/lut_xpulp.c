/* Functions of one byte by a table of 256: LUT layers, and bare requantisations, which are tables as well. 4
 * elements take 8 loads, 2 packs and a store. */
#include "kernels/xpulp/xpulp.h"
#include "kernels/xpulp/xpulp_insn.h"

static void look_up(const uint8_t *x, const uint8_t *table, uint8_t *y, uint32_t count) {
    uint32_t words = count / 4u;
    for (const uint8_t *last = y + 4u * words; y < last;) {
        uint32_t a = p_lbu_pi(x, 1), b = p_lbu_pi(x, 1), c = p_lbu_pi(x, 1), d = p_lbu_pi(x, 1);
        a = p_lbu_rr(table, a);
        b = p_lbu_rr(table, b);
        c = p_lbu_rr(table, c);
        d = p_lbu_rr(table, d);
        p_sw_pi(pv_packhi_b(pv_packlo_b(0, b, a), d, c), y, 4);
    }
    for (uint32_t rest = count % 4u; rest > 0; rest--) {
        *y++ = table[*x++];
    }
}

/* This core's part of `count` elements, in words but for the last. */
static void share_of(const uint8_t *x, const uint8_t *table, uint8_t *y, uint32_t count) {
    struct ref_share share = ref_share((count + 3u) / 4u);
    uint32_t begin = 4u * share.begin, end = 4u * share.end;
    if (begin < end) {
        look_up(x + begin, table, y + begin, (end < count ? end : count) - begin);
    }
}

void requant_xpulp(const struct ts_add_tile *t) {
    share_of((const uint8_t *)t->a, (const uint8_t *)t->rq_params, (uint8_t *)t->y, t->count);
}

void lut_xpulp(const struct ts_conv_tile *t) {
    const uint8_t *x = (const uint8_t *)t->x, *table = (const uint8_t *)t->w;
    uint8_t *y = (uint8_t *)t->y;
    uint32_t row = (uint32_t)t->y_w * t->y_c;
    if (t->x_row_bytes == row && t->y_row_bytes == row && t->y_pixel_bytes == t->y_c) {
        share_of(x, table, y, row * t->y_h);
        return;
    }
    struct ref_share share = ref_share((uint32_t)t->y_h * t->y_w);
    for (uint32_t i = share.begin; i < share.end; i++) {
        look_up(x + i / t->y_w * t->x_row_bytes + i % t->y_w * t->x_c, table,
                y + i / t->y_w * t->y_row_bytes + i % t->y_w * t->y_pixel_bytes, t->y_c);
    }
}
