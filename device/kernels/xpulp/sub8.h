/* Elements of 4 and 2 bits turned to bytes and back, a tile at a time, shared by the team's cores row by row.
 */
#ifndef TS_KERNELS_XPULP_SUB8_H
#define TS_KERNELS_XPULP_SUB8_H

#include "kernels/xpulp/xpulp.h"
#include "kernels/xpulp/xpulp_insn.h"

/* Exactly `bytes` bytes. */
static inline void sub8_fill(uint8_t *to, uint32_t value, uint32_t bytes) {
    for (; bytes >= 4; bytes -= 4, to += 4) {
        xpulp_store(to, value);
    }
    for (; bytes > 0; bytes--) {
        *to++ = (uint8_t)value;
    }
}

/* Eight elements of 4 bits from a word. */
static inline uint8_t *sub8_unpack_word(uint8_t *to, uint32_t w, bool is_signed) {
    uint32_t low = is_signed ? pv_sra_sci_b(pv_sll_sci_b(w, 4), 4) : w & 0x0F0F0F0Fu;
    uint32_t high = is_signed ? pv_sra_sci_b(w, 4) : pv_srl_sci_b(w, 4);
    p_sw_pi(pv_shuffle2_b(low, high, 0x05010400), to, 4);
    p_sw_pi(pv_shuffle2_b(low, high, 0x07030602), to, 4);
    return to;
}

/* Elements of 4 bits; whole words: up to 7 bytes behind the last are spoilt. */
static inline void sub8_unpack4(uint8_t *to, const uint8_t *from, uint32_t count, bool is_signed) {
    uint32_t words = (count + 7u) / 8u;
    for (; words >= 2; words -= 2) {
        uint32_t a = p_lw_pi(from, 4), b = p_lw_pi(from, 4);
        to = sub8_unpack_word(to, a, is_signed);
        to = sub8_unpack_word(to, b, is_signed);
    }
    if (words > 0) {
        sub8_unpack_word(to, xpulp_load(from), is_signed);
    }
}

/* Elements of 2 bits; up to 15 bytes behind the last are spoilt. */
static inline void sub8_unpack2(uint8_t *to, const uint8_t *from, uint32_t count, bool is_signed) {
    for (uint32_t i = 0; i < count; i += 16, to += 16, from += 4) {
        uint32_t w = xpulp_load(from), a, b, c, d;
        if (is_signed) {
            a = pv_sra_sci_b(pv_sll_sci_b(w, 6), 6);
            b = pv_sra_sci_b(pv_sll_sci_b(w, 4), 6);
            c = pv_sra_sci_b(pv_sll_sci_b(w, 2), 6);
            d = pv_sra_sci_b(w, 6);
        } else {
            a = w & 0x03030303u;
            b = w >> 2 & 0x03030303u;
            c = w >> 4 & 0x03030303u;
            d = w >> 6 & 0x03030303u;
        }
        uint32_t ab = pv_shuffle2_b(a, b, 0x05010400), cd = pv_shuffle2_b(c, d, 0x05010400);
        xpulp_store(to, pv_pack_h(cd, ab));
        xpulp_store(to + 4, pv_shuffle2_h(ab, cd, 0x00030001));
        ab = pv_shuffle2_b(a, b, 0x07030602), cd = pv_shuffle2_b(c, d, 0x07030602);
        xpulp_store(to + 8, pv_pack_h(cd, ab));
        xpulp_store(to + 12, pv_shuffle2_h(ab, cd, 0x00030001));
    }
}

/* `pixels` pixels of x_c elements; where pixels end inside a byte, one by one. */
static inline void sub8_unpack(const struct ts_conv_tile *t, uint8_t *to, const uint8_t *from,
                               uint32_t pixels) {
    uint32_t bits = ref_bits(t->x_type), count = pixels * t->x_c, step = count;
    bool is_signed = ref_low(t->x_type) < 0;
    if (t->x_c * bits % 8u != 0) {
        step = t->x_c;
    }
    for (; count > 0; count -= step, to += step, from += (step * bits + 7u) / 8u) {
        if (bits == 4) {
            sub8_unpack4(to, from, step, is_signed);
        } else {
            sub8_unpack2(to, from, step, is_signed);
        }
    }
}

/* x in bytes as `bytes` wants it, `top` rows and `left` columns of padding in front: this core's rows. */
static inline void sub8_unpack_rows(const struct ts_conv_tile *t, const struct ts_conv_tile *bytes,
                                    uint8_t *to, uint32_t top, uint32_t left) {
    uint32_t columns = t->x_w < bytes->x_w - left ? t->x_w : bytes->x_w - left;
    for (uint32_t row = ts_core(); row < bytes->x_h; row += ts_cores()) {
        uint8_t *at = to + row * bytes->x_row_bytes;
        uint32_t from = row - top; /* wraps above x */
        if (from >= t->x_h) {
            sub8_fill(at, (uint32_t)(uint8_t)t->x_zero * 0x01010101u, bytes->x_w * t->x_c);
            continue;
        }
        uint8_t *inside = at + left * t->x_c, *right = inside + columns * t->x_c;
        sub8_unpack(t, inside, (const uint8_t *)t->x + from * t->x_row_bytes, columns);
        sub8_fill(at, (uint32_t)(uint8_t)t->x_zero * 0x01010101u, left * t->x_c);
        sub8_fill(right, (uint32_t)(uint8_t)t->x_zero * 0x01010101u, (bytes->x_w - left - columns) * t->x_c);
    }
}

/* Bytes into elements; what shares the last byte with them stays. */
static inline void sub8_pack(uint8_t *to, const uint8_t *from, uint32_t count, uint8_t type) {
    bool is4 = ref_bits(type) == 4;
    for (; is4 && count >= 8u; count -= 8u) {
        uint32_t a = p_lw_pi(from, 4) & 0x0F0F0F0Fu, b = p_lw_pi(from, 4) & 0x0F0F0F0Fu;
        p_sw_pi(pv_shuffle2_b(a | a >> 4, b | b >> 4, 0x06040200), to, 4);
    }
    for (; count >= 4u; count -= 4u) {
        uint32_t w = p_lw_pi(from, 4);
        if (is4) {
            w &= 0x0F0F0F0Fu;
            w |= w >> 4;
            *to++ = (uint8_t)w;
            *to++ = (uint8_t)(w >> 16);
        } else {
            w &= 0x03030303u;
            w |= w >> 6;
            *to++ = (uint8_t)(w | w >> 12);
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        ref_put(to, i, type, from[i]);
    }
}

/* This core's rows. Pixels that follow each other without a gap, before and behind, are one. */
static inline void sub8_pack_rows(const struct ts_conv_tile *t, const struct ts_conv_tile *bytes) {
    uint32_t pixels = t->y_w, count = t->y_c;
    if (bytes->y_pixel_bytes == count && t->y_pixel_bytes * 8u == count * ref_bits(t->y_type)) {
        count *= pixels;
        pixels = 1;
    }
    for (uint32_t row = ts_core(); row < t->y_h; row += ts_cores()) {
        uint8_t *to = (uint8_t *)t->y + row * t->y_row_bytes;
        const uint8_t *from = (const uint8_t *)bytes->y + row * bytes->y_row_bytes;
        for (uint32_t x = pixels; x > 0; x--, to += t->y_pixel_bytes, from += bytes->y_pixel_bytes) {
            sub8_pack(to, from, count, t->y_type);
        }
    }
}

static inline uint32_t sub8_words_up(uint32_t bytes) { return (bytes + 3u) & ~3u; }

static inline uint8_t sub8_byte_type(uint8_t type) { return ref_low(type) < 0 ? TS_ELEM_S8 : TS_ELEM_U8; }

/* Lets `bytes` have its y in bytes at `scratch` where t's has less than 8 bits. Returns what is behind it. */
static inline uint8_t *sub8_place_y(const struct ts_conv_tile *t, struct ts_conv_tile *bytes,
                                    uint8_t *scratch) {
    if (ref_bits(t->y_type) >= 8u) {
        return scratch;
    }
    bytes->y_pixel_bytes = sub8_words_up(t->y_c);
    bytes->y_row_bytes = t->y_w * bytes->y_pixel_bytes;
    bytes->y_type = sub8_byte_type(t->y_type);
    bytes->y = scratch;
    return scratch + t->y_h * bytes->y_row_bytes;
}

#endif
