/* Tiles that hold their padding in L1: the transfer fills the inside, the team fills the border around it. */
#ifndef TS_KERNELS_BORDER_H
#define TS_KERNELS_BORDER_H

#include <stdbool.h>

#include "hal/team.h"
#include "kernels/tile.h"

/* Rows and columns of a tile's x that no transfer fills. */
struct ts_border {
    uint16_t top, left, bottom, right;
};

/* First byte of the inside. */
static inline uint8_t *ts_inside(const struct ts_conv_tile *t, const struct ts_border *b,
                                 uint32_t pixel_bytes) {
    return (uint8_t *)(uintptr_t)t->x + b->top * t->x_row_bytes + b->left * pixel_bytes;
}

static inline void ts__fill(uint8_t *at, uint8_t value, uint32_t bytes) {
    uint32_t word = value * 0x01010101u;
    for (; bytes > 0 && ((uintptr_t)at & 3u) != 0; bytes--) {
        *at++ = value;
    }
    for (; bytes >= 16; bytes -= 16, at += 16) {
        uint32_t *words = (uint32_t *)(void *)at;
        words[0] = word;
        words[1] = word;
        words[2] = word;
        words[3] = word;
    }
    for (; bytes >= 4; bytes -= 4, at += 4) {
        *(uint32_t *)(void *)at = word;
    }
    for (; bytes > 0; bytes--) {
        *at++ = value;
    }
}

/* This core's share of a piece that the whole team fills. */
static inline void ts__fill_share(uint8_t *at, uint8_t value, uint32_t bytes) {
    uint32_t each = (bytes / ts_cores() + 4u) & ~3u, from = ts_core() * each;
    if (from < bytes) {
        ts__fill(at + from, value, bytes - from < each ? bytes - from : each);
    }
}

/* Sets the border of t->x to x_zero; called by every core of the team, each of which fills its share of the
 * rows, or of each row where there are fewer rows than cores. The inside is not touched, so a transfer into
 * it may be under way. */
static inline void ts_fill_border(const struct ts_conv_tile *t, const struct ts_border *b,
                                  uint32_t pixel_bytes) {
    uint32_t row_bytes = t->x_row_bytes, left = b->left * pixel_bytes, right = b->right * pixel_bytes;
    uint8_t *x = (uint8_t *)(uintptr_t)t->x, zero = (uint8_t)t->x_zero;
    if ((b->top | b->left | b->bottom | b->right) == 0) {
        return;
    }
    bool few = t->x_h < ts_cores();
    void (*fill)(uint8_t *, uint8_t, uint32_t) = few ? ts__fill_share : ts__fill;
    for (uint32_t row = few ? 0 : ts_core(); row < t->x_h; row += few ? 1u : ts_cores()) {
        uint8_t *at = x + row * row_bytes;
        if (row < b->top || row >= (uint32_t)t->x_h - b->bottom) {
            fill(at, zero, row_bytes);
        } else {
            fill(at, zero, left);
            fill(at + row_bytes - right, zero, right);
        }
    }
}

#endif
