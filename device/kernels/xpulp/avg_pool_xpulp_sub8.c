/* Average pooling of elements of 4 and 2 bits, eight or sixteen in a word, as they lie (pool.h). Masks take
 * every second (fourth) element of a word into a byte of its own, where some positions add up before they
 * could pass 255; then the bytes go to sums of 32 bits. Elements with a sign are turned to unsigned ones,
 * 8 (2) more, which the sums lose with the zero point. */
#include "kernels/xpulp/pool.h"

enum { MOST = 16 /* elements in a word */ };

/* How elements of `bits` bits lie in a word. */
struct lanes {
    uint32_t bits, per_byte, mask, flip, run;
};

static ALWAYS_INLINE struct lanes lanes_of(uint32_t bits, uint8_t type) {
    uint32_t flip = type == TS_ELEM_S4 ? 0x88888888u : type == TS_ELEM_S2 ? 0xAAAAAAAAu : 0;
    return bits == 4 ? (struct lanes){bits, 2, 0x0F0F0F0Fu, flip, 16}
                     : (struct lanes){bits, 4, 0x03030303u, flip, 84};
}

/* Partial sums: lane l of byte b belongs to element b * per_byte + l of a word. */
struct partial {
    uint32_t lane[4];
};

static ALWAYS_INLINE void add_word(const struct lanes *l, uint32_t word, struct partial *p) {
    word ^= l->flip;
    p->lane[0] += word & l->mask;
    p->lane[1] += word >> l->bits & l->mask;
    if (l->per_byte == 4) {
        p->lane[2] += word >> 2 * l->bits & l->mask;
        p->lane[3] += word >> 3 * l->bits & l->mask;
    }
}

static ALWAYS_INLINE void spill_lane(uint32_t four, uint32_t step, int32_t *sums) {
    sums[0] += (int32_t)(four & 255u);
    sums[step] += (int32_t)(four >> 8 & 255u);
    sums[2u * step] += (int32_t)(four >> 16 & 255u);
    sums[3u * step] += (int32_t)(four >> 24);
}

static ALWAYS_INLINE void spill(const struct lanes *l, struct partial *p, int32_t *sums) {
    spill_lane(p->lane[0], l->per_byte, sums);
    spill_lane(p->lane[1], l->per_byte, sums + 1);
    if (l->per_byte == 4) {
        spill_lane(p->lane[2], l->per_byte, sums + 2);
        spill_lane(p->lane[3], l->per_byte, sums + 3);
    }
    *p = (struct partial){{0, 0, 0, 0}};
}

/* Sums of the elements of a word over the window. */
static ALWAYS_INLINE void sum_word(const struct window *w, uint32_t offset, const struct lanes *l,
                                   int32_t *sums) {
    const uint8_t *row = w->first + offset;
    struct partial partial = {{0, 0, 0, 0}};
    uint32_t room = l->run;
    for (uint32_t i = 0; i < 4u * l->per_byte; i++) {
        sums[i] = 0;
    }
    for (uint32_t rows = w->rows; rows > 0; rows--, row += w->row_step) {
        const uint8_t *x = row;
        for (uint32_t left = w->columns; left > 0;) {
            uint32_t run = left < room ? left : room;
            left -= run;
            room -= run;
            for (; run >= 2; run -= 2) {
                uint32_t first = p_lw_pr(x, w->column_step), second = p_lw_pr(x, w->column_step);
                add_word(l, first, &partial);
                add_word(l, second, &partial);
            }
            if (run > 0) {
                add_word(l, p_lw_pr(x, w->column_step), &partial);
            }
            if (room == 0) {
                spill(l, &partial, sums);
                room = l->run;
            }
        }
    }
    spill(l, &partial, sums);
}

static ALWAYS_INLINE void average(const struct ts_conv_tile *t, const struct ts_conv_tile *bytes,
                                  uint32_t bits) {
    const struct lanes l = lanes_of(bits, t->x_type);
    uint32_t each = 4u * l.per_byte;
    const struct part part = part_of(t, each);
    int32_t least = ref_low(t->x_type), sums[MOST];
    for (uint32_t pixel = part.pixels.begin; pixel < part.pixels.end; pixel++) {
        uint32_t oy = pixel / t->y_w, ox = pixel % t->y_w;
        uint8_t *y = (uint8_t *)t->y + oy * t->y_row_bytes + ox * t->y_pixel_bytes;
        const struct span rows = rows_of(t, oy);
        const struct window w = window_of(bytes, &rows, ox);
        int32_t zeros = (int32_t)(w.rows * w.columns) * (t->x_zero - least);
        for (uint32_t word = part.words.begin; word < part.words.end; word++) {
            uint32_t c = word * each, end = c + each < t->y_c ? c + each : t->y_c;
            sum_word(&w, word * 4u, &l, sums);
            put_averages(t, y, c, end, sums, zeros);
        }
    }
}

void avg_pool_xpulp_sub8(const struct ts_conv_tile *tile) {
    struct ts_conv_tile bytes = *tile; /* channels of x are bytes of a pixel here */
    bytes.x_c = (uint16_t)((tile->x_c * ref_bits(tile->x_type) + 7u) / 8u);
    if (ref_bits(tile->x_type) == 4u) {
        average(tile, &bytes, 4);
    } else {
        average(tile, &bytes, 2);
    }
}
