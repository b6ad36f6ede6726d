/* Dense convolution of three channels, 3x3 (conv_k3c3.inc): the first layer of most networks for pictures.
 *
 * The team gathers the windows of up to CONV_K3C3_PIXELS outputs side by side, each filled up to 28 bytes of
 * which the last is 255, and waits; then each core computes a run of (pair of channels, block of 4 pixels)
 * items over all of them, pair by pair.
 *
 * Packed weights, for each pair of channels: for each word of K a word a channel; then k2, k and l of either
 * (src/plan/requant_short.h). Pairs are neighbouring channels; in quads channels 0 and 2, then 1 and 3 of
 * each four, whose words lie two pixels apart. */
#ifndef TS_KERNELS_XPULP_CONV_K3C3_H
#define TS_KERNELS_XPULP_CONV_K3C3_H

#include "kernels/xpulp/conv_block.h"

enum { CONV_K3C3_PIXELS = 512, CONV_K3C3_BYTES = 28, CONV_K3C3_PAIR_BYTES = 80 };

/* Read and written by the routines of conv_k3c3.inc: order and sizes are theirs. */
struct conv_k3c3_block {
    const uint8_t *x;
    const uint8_t *w;
    uint8_t *y;
    int32_t y_step; /* from one stored word to the next */
    uint32_t count; /* of what the routine computes at a time: 1 pixel, or 4 */
    uint32_t pairs;
    int32_t y_next;  /* to the next pair, */
    int32_t y_after; /* and from there to the one behind it */
    uint32_t saved[16];
};

typedef void conv_k3c3_routine(struct conv_k3c3_block *block);
conv_k3c3_routine conv_u8s8_k3c3, conv_u8s8_k3c3_quads;

/* Read by the routines of conv_u8s8_k3c3.S that gather windows, three rows of 9 bytes, b0 to b8: order and
 * sizes are theirs. A window becomes b1 to b4 and b5 to b8 of each row, then b0 of the three rows, then 255.
 */
struct conv_k3c3_windows {
    const uint8_t *row[3]; /* of the first window */
    int32_t step[3];       /* from one window, or pair, to the next; 0 where a row is all zeros */
    uint8_t *to;
    uint32_t count;     /* of windows, or pairs */
    uint32_t before[3]; /* pairs: the words that end with b2 */
};

void conv_k3c3_windows(const struct conv_k3c3_windows *windows);
void conv_k3c3_window_pairs(const struct conv_k3c3_windows *windows);

/* A window that leaves x at a side. */
static __attribute__((noinline)) void conv_k3c3_edge(const struct ts_conv_tile *t, uint8_t *to, int32_t row,
                                                     int32_t column) {
    int32_t begin = column * 3, room = t->x_w * 3 - begin, end = room < 9 ? room : 9,
            from = begin < 0 ? -begin : 0;
    uint32_t *words = (uint32_t *)(void *)to;
    for (uint32_t i = 0; i < 6; i++) {
        words[i] = 0;
    }
    words[6] = 0xff000000u;
    for (int32_t k = 0; k < 3; k++) {
        if (row + k < 0 || row + k >= t->x_h) {
            continue;
        }
        const uint8_t *x = (const uint8_t *)t->x + (row + k) * (int32_t)t->x_row_bytes + begin;
        if (from == 0 && end > 0) {
            to[24 + k] = x[0];
        }
        for (int32_t i = from > 1 ? from : 1; i < end; i++) {
            to[8 * k + i - 1] = x[i];
        }
    }
}

/* Windows begin at byte 1 of a word and at byte 3 by turns, the first at byte 1; where it begins left of x
 * that is by the three bytes that share a word. */
static inline bool conv_k3c3_in_pairs(const struct ts_conv_tile *t, int32_t column, uint32_t count) {
    uint32_t first = (uint32_t)(uintptr_t)t->x + (uint32_t)(column * 3);
    int32_t end = column + (int32_t)(count - 1u) * 2 + 3;
    return t->stride_w == 2 && t->x_row_bytes % 4u == 0 && first % 4u == 1u && count % 2u == 0 &&
           column >= -1 && end <= t->x_w;
}

/* The windows of `count` outputs of row `oy` from column `ox` on. */
static inline void conv_k3c3_piece(const struct ts_conv_tile *t, uint8_t *to, uint32_t oy, uint32_t ox,
                                   uint32_t count) {
    const uint32_t zeros[4] = {0, 0, 0, 0};
    int32_t row = (int32_t)(oy * t->stride_h) - t->pad_top,
            column = (int32_t)(ox * t->stride_w) - t->pad_left;
    bool pairs = conv_k3c3_in_pairs(t, column, count);
    for (; !pairs && column < 0 && count > 0; column += t->stride_w, to += CONV_K3C3_BYTES, count--) {
        conv_k3c3_edge(t, to, row, column);
    }
    int32_t room = t->x_w - 3 - column;
    uint32_t inside = room < 0 ? 0 : conv_over((uint32_t)room, t->stride_w) + 1u;
    inside = inside < count ? inside : count;
    struct conv_k3c3_windows windows;
    for (int32_t k = 0; k < 3; k++) {
        bool in = row + k >= 0 && row + k < t->x_h;
        const uint8_t *x = (const uint8_t *)t->x + (row + k) * (int32_t)t->x_row_bytes + column * 3;
        windows.row[k] = in ? x : (const uint8_t *)zeros + 1;
        windows.step[k] = in ? t->stride_w * 3 << pairs : 0;
        windows.before[k] = in && pairs && column > 0 ? xpulp_load(x - 1) : 0;
    }
    windows.to = to;
    windows.count = inside >> pairs;
    if (inside > 0) {
        (pairs ? conv_k3c3_window_pairs : conv_k3c3_windows)(&windows);
    }
    to += inside * CONV_K3C3_BYTES;
    column += (int32_t)(inside * t->stride_w);
    for (count -= inside; count > 0; count--, column += t->stride_w, to += CONV_K3C3_BYTES) {
        conv_k3c3_edge(t, to, row, column);
    }
}

/* The windows of `count` outputs from (y, x) on. */
static inline void conv_k3c3_gather(const struct ts_conv_tile *t, uint8_t *to, uint32_t y, uint32_t x,
                                    uint32_t count) {
    while (count > 0) {
        uint32_t left = t->y_w - x, piece = count < left ? count : left;
        conv_k3c3_piece(t, to, y, x, piece);
        to += piece * CONV_K3C3_BYTES;
        count -= piece;
        x = 0;
        y++;
    }
}

/* This core's share of the windows of `count` outputs from number `first` on. */
static inline void conv_k3c3_gather_share(const struct ts_conv_tile *t, uint32_t first, uint32_t count) {
    struct ref_share share = ref_share((count + CONV_PIXELS - 1u) / CONV_PIXELS);
    uint32_t begin = share.begin * CONV_PIXELS, end = share.end * CONV_PIXELS;
    end = end < count ? end : count;
    if (begin < end) {
        uint32_t row = (first + begin) / t->y_w;
        conv_k3c3_gather(t, (uint8_t *)t->scratch + begin * CONV_K3C3_BYTES, row,
                         first + begin - row * t->y_w, end - begin);
    }
}

/* Pair `pair` and the `pairs` - 1 behind it, of the pixels [from, from + count) of those gathered, the first
 * of which is output `first`. */
static inline void conv_k3c3_part(const struct ts_conv_tile *t, conv_k3c3_routine *routine, bool quads,
                                  uint8_t *y, uint32_t pair, uint32_t pairs, uint32_t from, uint32_t count) {
    struct conv_k3c3_block block;
    int32_t pixel = (int32_t)t->y_pixel_bytes;
    uint8_t *at = y + from * t->y_pixel_bytes + pair / 2u * 4u;
    bool second = pair % 2u != 0;
    block.x = (const uint8_t *)t->scratch + from * CONV_K3C3_BYTES;
    block.w = (const uint8_t *)t->w + pair * CONV_K3C3_PAIR_BYTES;
    block.pairs = pairs;
    if (quads) {
        block.y = at + (second ? pixel : 0);
        block.y_step = 2 * pixel;
        block.count = count / CONV_PIXELS;
        block.y_next = second ? 4 - pixel : pixel;
        block.y_after = second ? pixel : 4 - pixel;
    } else {
        block.y = at + (second ? 2 : 0);
        block.y_step = pixel;
        block.count = count;
        block.y_next = block.y_after = 2;
    }
    routine(&block);
}

/* This core's share of the outputs whose windows are gathered. */
static inline void conv_k3c3_share(const struct ts_conv_tile *t, conv_k3c3_routine *routine, bool quads,
                                   uint8_t *y, uint32_t count) {
    uint32_t pairs = t->y_c / 2u, blocks = (count + CONV_PIXELS - 1u) / CONV_PIXELS;
    if (pairs % ts_cores() == 0) {
        uint32_t each = pairs / ts_cores();
        conv_k3c3_part(t, routine, quads, y, ts_core() * each, each, 0, count);
        return;
    }
    struct ref_share share = ref_share(pairs * blocks);
    uint32_t at = share.begin, pair = at / blocks, from = at - pair * blocks;
    while (at < share.end) {
        uint32_t some = blocks - from < share.end - at ? blocks - from : share.end - at;
        uint32_t pixels = from + some == blocks ? count - from * CONV_PIXELS : some * CONV_PIXELS;
        conv_k3c3_part(t, routine, quads, y, pair++, 1, from * CONV_PIXELS, pixels);
        at += some;
        from = 0;
    }
}

/* Outputs that are gathered at a time, of a tile, or of a row where rows of y do not touch: fewer outputs
 * never take more scratch. src/plan/kernel_xpulp.c reckons with the same. */
static inline uint32_t conv_k3c3_part_of(uint32_t outputs) {
    return outputs < CONV_K3C3_PIXELS ? (outputs + CONV_PIXELS - 1u) & ~(CONV_PIXELS - 1u) : CONV_K3C3_PIXELS;
}

static inline void conv_k3c3(const struct ts_conv_tile *t, conv_k3c3_routine *routine, bool quads) {
    bool rows_touch = t->y_row_bytes == t->y_w * t->y_pixel_bytes;
    uint32_t line = rows_touch ? (uint32_t)t->y_w * t->y_h : t->y_w, lines = rows_touch ? 1u : t->y_h;
    uint32_t part = conv_k3c3_part_of(line);
    for (uint32_t row = 0; row < lines; row++) {
        uint8_t *y = (uint8_t *)t->y + row * t->y_row_bytes;
        for (uint32_t first = 0; first < line; first += part, y += part * t->y_pixel_bytes) {
            uint32_t count = line - first < part ? line - first : part;
            conv_k3c3_gather_share(t, row * t->y_w + first, count);
            ts_barrier();
            conv_k3c3_share(t, routine, quads, y, count);
            if (first + count < line || row + 1u < lines) {
                ts_barrier();
            }
        }
    }
}

#endif
