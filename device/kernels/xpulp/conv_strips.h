/* Convolution by 4x4 blocks (conv_block.inc) of x in strips (strips.h): a block is 4 neighbouring outputs of
 * a row, one strip each, and blocks below each other that begin on words follow each other in one call. Cores
 * share whole blocks. K is one dense segment; y_c is a multiple of 4. */
#ifndef TS_KERNELS_XPULP_CONV_STRIPS_H
#define TS_KERNELS_XPULP_CONV_STRIPS_H

#include "kernels/xpulp/conv_block.h"
#include "kernels/xpulp/strips.h"

static inline void strips_fill(uint8_t *at, uint8_t value, uint32_t bytes) {
    for (; bytes > 0; bytes--) {
        *at++ = value;
    }
}

/* The pixels of a line that lie in the padding, on either side: this core's lines of every copy. */
static inline void strips_fill_sides(const struct ts_conv_tile *t, const struct ts_strips *s, uint32_t column,
                                     uint32_t left, uint32_t right) {
    uint8_t zero = (uint8_t)t->x_zero;
    for (uint32_t copy = 0; copy < s->copies; copy++) {
        uint32_t line = t->pad_top + ts_core(), end = (uint32_t)t->pad_top + t->x_h;
        uint8_t *at = (uint8_t *)(uintptr_t)t->x + ts_strip_at(s, column, copy) + line * s->line_bytes;
        for (; line < end; line += ts_cores(), at += ts_cores() * s->line_bytes) {
            strips_fill(at, zero, left * t->x_c);
            strips_fill(at + s->line_bytes - right * t->x_c, zero, right * t->x_c);
        }
    }
}

/* This core's share of what no transfer fills; then all meet. */
static inline void strips_pad(const struct ts_conv_tile *t, const struct ts_strips *s) {
    uint32_t strips = t->y_w * s->copies, below = (uint32_t)t->pad_top + t->x_h;
    if ((t->pad_top | t->pad_left | t->pad_bottom | t->pad_right) == 0) {
        return;
    }
    for (uint32_t strip = ts_core(); strip < strips; strip += ts_cores()) {
        uint8_t *at =
            (uint8_t *)(uintptr_t)t->x + ts_strip_at(s, strip >> s->copies_log2, strip & (s->copies - 1u));
        strips_fill(at, (uint8_t)t->x_zero, t->pad_top * s->line_bytes);
        strips_fill(at + below * s->line_bytes, (uint8_t)t->x_zero, (s->lines - below) * s->line_bytes);
    }
    int32_t left = -(int32_t)t->pad_left, last = (int32_t)t->x_w - t->k_w;
    bool sides = (t->pad_left | t->pad_right) != 0;
    for (uint32_t column = 0; sides && column < t->y_w; column++, left += t->stride_w) {
        if (left < 0 || left > last) {
            strips_fill_sides(t, s, column, left < 0 ? (uint32_t)-left : 0,
                              left > last ? (uint32_t)(left - last) : 0);
        }
    }
    ts_barrier();
}

/* `blocks` blocks of the four columns from `column` on: rows `row`, `row` + copies, ... */
static inline void strips_call(struct conv_run *run, const struct ts_strips *s, uint32_t column, uint32_t row,
                               uint32_t blocks, conv_routine *routine) {
    const struct ts_conv_tile *t = run->t;
    struct conv_block *block = &run->block;
    for (uint32_t p = 1; p < CONV_PIXELS; p++) {
        bool there = column + p < t->y_w; /* pixels beyond the row repeat pixel 0 */
        block->d[p - 1] = there ? (int32_t)(p * s->copies * s->strip_bytes) : 0;
        block->e[p - 1] = there ? (int32_t)(p * t->y_pixel_bytes) : 0;
    }
    uint32_t copy = row & (s->copies - 1u);
    block->x = run->x + ts_strip_at(s, column, copy) + row * s->step_bytes;
    block->y = (uint8_t *)t->y + row * t->y_row_bytes + column * t->y_pixel_bytes;
    block->x_step = (int32_t)(s->copies * s->step_bytes);
    block->y_step = (int32_t)(s->copies * t->y_row_bytes);
    conv_whole_groups(run, routine, 0, run->groups, blocks);
}

/* What of conv_geometry() the blocks need. */
static inline void strips_geometry(struct conv_run *run) {
    const struct ts_conv_tile *t = run->t;
    run->words = ((uint32_t)t->k_h * t->k_w * t->x_c + 3u) / 4u;
    run->words = run->words < 2u ? 2u : run->words;
    run->segments = 1;
    run->weight_bytes = run->words * 4u * CONV_CHANNELS;
    run->groups = t->y_c / CONV_CHANNELS;
    run->group_bytes = run->weight_bytes + ref_params_bytes(t->rq.kind) * CONV_CHANNELS;
}

/* This core's share of a tile. Blocks are numbered four columns by four columns, in those copy by copy. */
static inline void conv_strips(const struct ts_conv_tile *t, const struct conv_routines *routines) {
    const struct ts_strips s = ts_strips_of(t);
    struct conv_run run;
    run.t = t;
    run.x = t->x;
    strips_geometry(&run);
    conv_setup(&run);
    strips_pad(t, &s);
    conv_routine *routine = routines->line[xpulp_mode_of(t)];
    struct ref_share share = ref_share((t->y_w + CONV_PIXELS - 1u) / CONV_PIXELS * t->y_h);
    uint32_t column = share.begin / t->y_h, at = share.begin - column * t->y_h,
             left = share.end - share.begin;
    xpulp_stagger(run.words < 8u ? 3u : 7u);
    for (; left > 0; column++, at = 0) {
        for (uint32_t copy = 0; copy < s.copies && left > 0; copy++) {
            uint32_t rows = (t->y_h - copy + s.copies - 1u) >> s.copies_log2;
            if (copy >= t->y_h || at >= rows) {
                at -= copy >= t->y_h ? 0 : rows;
                continue;
            }
            uint32_t blocks = rows - at < left ? rows - at : left;
            strips_call(&run, &s, column * CONV_PIXELS, copy + at * s.copies, blocks, routine);
            left -= blocks;
            at = 0;
        }
    }
}

#endif
