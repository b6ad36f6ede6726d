/* Dense convolution and linear layers where x or y has 4 or 2 bits: the tile's x is unpacked to bytes once,
 * its padding filled in, the 4x4 block computes bytes (conv_block.h), and those are packed. The team waits
 * between the three. Scratch: x in bytes, y in bytes, then what the convolution gathers. */
#include "kernels/xpulp/conv_block.h"
#include "kernels/xpulp/xpulp_insn.h"

CONV_DECLARE(conv_u8s8_4x4);
CONV_DECLARE(conv_s8s8_4x4);

static const struct conv_routines u8 = CONV_ROUTINES(conv_u8s8_4x4), s8 = CONV_ROUTINES(conv_s8s8_4x4);

/* Two words of 4 lanes each, lane by lane: a0 b0 a1 b1, a2 b2 a3 b3. */
static inline void store_zip(uint8_t *to, uint32_t a, uint32_t b) {
    xpulp_store(to, pv_shuffle2_b(a, b, 0x05010400));
    xpulp_store(to + 4, pv_shuffle2_b(a, b, 0x07030602));
}

/* Elements of 4 bits; whole words: up to 7 bytes behind the last are spoilt. */
static void unpack4(uint8_t *to, const uint8_t *from, uint32_t count, bool is_signed) {
    for (uint32_t i = 0; i < count; i += 8, to += 8, from += 4) {
        uint32_t w = xpulp_load(from);
        if (is_signed) {
            store_zip(to, pv_sra_sci_b(pv_sll_sci_b(w, 4), 4), pv_sra_sci_b(w, 4));
        } else {
            store_zip(to, w & 0x0F0F0F0Fu, pv_srl_sci_b(w, 4));
        }
    }
}

/* Elements of 2 bits; up to 15 bytes behind the last are spoilt. */
static void unpack2(uint8_t *to, const uint8_t *from, uint32_t count, bool is_signed) {
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
static void unpack(const struct ts_conv_tile *t, uint8_t *to, const uint8_t *from, uint32_t pixels) {
    uint32_t bits = ref_bits(t->x_type), count = pixels * t->x_c, step = count;
    bool is_signed = ref_low(t->x_type) < 0;
    if (t->x_c * bits % 8u != 0) {
        step = t->x_c;
    }
    for (; count > 0; count -= step, to += step, from += (step * bits + 7u) / 8u) {
        if (bits == 4) {
            unpack4(to, from, step, is_signed);
        } else {
            unpack2(to, from, step, is_signed);
        }
    }
}

/* x in bytes, padding included: this core's rows. */
static void unpack_rows(const struct ts_conv_tile *t, const struct ts_conv_tile *bytes, uint8_t *to) {
    uint32_t left = t->pad_left, columns = t->x_w < bytes->x_w - left ? t->x_w : bytes->x_w - left;
    for (uint32_t row = ts_core(); row < bytes->x_h; row += ts_cores()) {
        uint8_t *at = to + row * bytes->x_row_bytes;
        uint32_t from = row - t->pad_top; /* wraps above x */
        if (from >= t->x_h) {
            conv_fill(at, (uint32_t)(uint8_t)t->x_zero * 0x01010101u, bytes->x_w * t->x_c);
            continue;
        }
        uint8_t *inside = at + left * t->x_c, *right = inside + columns * t->x_c;
        unpack(t, inside, (const uint8_t *)t->x + from * t->x_row_bytes, columns);
        conv_fill(at, (uint32_t)(uint8_t)t->x_zero * 0x01010101u, left * t->x_c);
        conv_fill(right, (uint32_t)(uint8_t)t->x_zero * 0x01010101u, (bytes->x_w - left - columns) * t->x_c);
    }
}

/* One pixel's bytes into elements; what shares the last byte with them stays. */
static void pack_pixel(uint8_t *to, const uint8_t *from, uint32_t count, uint8_t type) {
    uint32_t i = 0;
    bool is4 = ref_bits(type) == 4;
    for (; i + 4u <= count; i += 4u) {
        uint32_t w = xpulp_load(from + i);
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
    for (uint32_t rest = 0; i < count; i++, rest++) {
        ref_put(to, rest, type, from[i]);
    }
}

static void pack_rows(const struct ts_conv_tile *t, const struct ts_conv_tile *bytes) {
    for (uint32_t row = ts_core(); row < t->y_h; row += ts_cores()) {
        uint8_t *to = (uint8_t *)t->y + row * t->y_row_bytes;
        const uint8_t *from = (const uint8_t *)bytes->y + row * bytes->y_row_bytes;
        for (uint32_t x = 0; x < t->y_w; x++, to += t->y_pixel_bytes, from += bytes->y_pixel_bytes) {
            pack_pixel(to, from, t->y_c, t->y_type);
        }
    }
}

static uint32_t words_up(uint32_t bytes) { return (bytes + 3u) & ~3u; }

/* src/plan/kernel_xpulp.c reckons with the same sizes. */
void conv_xpulp_sub8(const struct ts_conv_tile *tile) {
    const struct ts_conv_tile *t = tile;
    struct ts_conv_tile bytes = *t;
    uint8_t *scratch = t->scratch;
    if (ref_bits(t->x_type) < 8u) {
        bytes.x_h = (uint16_t)((t->y_h - 1u) * t->stride_h + (t->k_h - 1u) * t->dilation_h + 1u);
        bytes.x_w = (uint16_t)((t->y_w - 1u) * t->stride_w + (t->k_w - 1u) * t->dilation_w + 1u);
        bytes.x_row_bytes = words_up((uint32_t)bytes.x_w * t->x_c + 16u);
        bytes.x_type = ref_low(t->x_type) < 0 ? TS_ELEM_S8 : TS_ELEM_U8;
        bytes.x = scratch;
        bytes.pad_top = bytes.pad_left = bytes.pad_bottom = bytes.pad_right = 0;
        unpack_rows(t, &bytes, scratch);
        scratch += bytes.x_h * bytes.x_row_bytes;
    }
    if (ref_bits(t->y_type) < 8u) {
        bytes.y_pixel_bytes = words_up(t->y_c);
        bytes.y_row_bytes = t->y_w * bytes.y_pixel_bytes;
        bytes.y_type = ref_low(t->y_type) < 0 ? TS_ELEM_S8 : TS_ELEM_U8;
        bytes.y = scratch;
        scratch += t->y_h * bytes.y_row_bytes;
    }
    bytes.scratch = scratch;
    ts_barrier();
    conv_blocks(&bytes, bytes.x_type == TS_ELEM_S8 ? &s8 : &u8);
    ts_barrier();
    if (ref_bits(t->y_type) < 8u) {
        pack_rows(t, &bytes);
    }
}
