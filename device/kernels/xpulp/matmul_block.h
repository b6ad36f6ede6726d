/* Products of matrices by the 4x4 blocks of the dense convolution (conv_block.h): rows of x are its pixels,
 * rows of x2 its channels. The team packs the rows of x2 into scratch as weights are packed, then each core
 * computes its run of (4 rows, 4 channels) items; of several matrices one after the other, in two places that
 * take turns.
 *
 * A u8 second operand is packed less 128, which is then taken from its zero point, so weights are signed
 * bytes. With zero points, accumulators begin with what these make of them, sum (a - za) (b - zb) = sum a b -
 * zb sum a - za sum b + K za zb, and so are the layer's, whatever requantises them: -zb sum a lies in an
 * array of rows behind the packed groups, the rest in four words in front of each group's weights. Without
 * them the routines are the convolution's. */
#ifndef TS_KERNELS_XPULP_MATMUL_BLOCK_H
#define TS_KERNELS_XPULP_MATMUL_BLOCK_H

#include "kernels/xpulp/conv_block.h"

/* Read and written by the routines of matmul_pack.S: order and sizes are theirs. */
struct matmul_rows {
    const uint8_t *rows[CONV_CHANNELS];
    uint8_t *to;    /* moves behind what is packed */
    uint32_t words; /* whole ones of a row */
    uint32_t mask;  /* of the bytes that are left in another word; 0: none */
    uint32_t flip;  /* what words are changed by: 0x80808080 takes 128 from unsigned bytes */
    int32_t sums[CONV_CHANNELS];
};

/* Packs four rows; the second one sums them up as well. */
typedef void matmul_pack_routine(struct matmul_rows *rows);
matmul_pack_routine matmul_pack, matmul_pack_sums;

/* The sum of a row's bytes. */
typedef int32_t matmul_sum_routine(const uint8_t *row, uint32_t words, uint32_t mask);
matmul_sum_routine matmul_sum_u8, matmul_sum_s8;

/* The routines for one type of x: without zero points, and with them. */
struct matmul_routines {
    const struct conv_routines *plain, *offset;
    matmul_sum_routine *sum;
};

#define MATMUL_ROUTINES(prefix) \
    { XPULP_TABLE_ROUNDED(prefix##_line), {0}, 0 }
#define MATMUL_DECLARE(prefix) conv_routine XPULP_NAMES_ROUNDED(prefix##_line)

/* A product of two matrices of the tile: `tile` is the pointwise convolution that it is. */
struct matmul {
    const struct ts_matmul_tile *t;
    const struct matmul_routines *routines;
    struct ts_conv_tile tile;
    const uint8_t *x2;
    int32_t x_zero, x2_zero; /* the latter of the bytes as they are packed */
    uint32_t flip;
    uint32_t words, mask; /* of a row: whole words, and what is left */
    bool offset;
    int32_t *rows;
};

/* Channel `lane` of a group; of those in front of the first one, which are computed and dropped, the first.
 */
static inline uint32_t matmul_channel(const struct conv_run *run, uint32_t group, uint32_t lane) {
    uint32_t channel = group * CONV_CHANNELS + lane, before = conv_lanes_before(run, group);
    return channel < before ? 0 : channel - before;
}

/* The parameters of the channels of groups [begin, end): the same for every second matrix. */
static inline void matmul_pack_params(const struct matmul *m, const struct conv_run *run, uint32_t begin,
                                      uint32_t end) {
    uint32_t words = ref_params_bytes(m->t->rq.kind) / 4u;
    bool none = m->t->rq.kind == TS_RQ_NONE;
    for (uint32_t g = begin; g < end; g++) {
        int32_t *to = (int32_t *)((uintptr_t)m->tile.w + g * run->group_bytes + run->weight_bytes);
        for (uint32_t c = 0; c < CONV_CHANNELS; c++) {
            const int32_t *from = (const int32_t *)m->t->w + matmul_channel(run, g, c) * words;
            for (uint32_t i = 0; i < words; i++) {
                *to++ = none ? 0 : from[i];
            }
        }
    }
}

/* Groups [begin, end) of the second matrix. src/plan/kernel_xpulp_matmul.c reckons with the same sizes. */
static inline void matmul_pack_groups(const struct matmul *m, const struct conv_run *run, uint32_t begin,
                                      uint32_t end) {
    uint32_t k = m->t->x_c;
    struct matmul_rows rows = {.words = m->words, .mask = m->mask, .flip = m->flip};
    for (uint32_t g = begin; g < end; g++) {
        uint8_t *group = (uint8_t *)(uintptr_t)m->tile.w + g * run->group_bytes;
        int32_t *lead = (int32_t *)(void *)group;
        for (uint32_t c = 0; c < CONV_CHANNELS; c++) {
            rows.rows[c] = m->x2 + matmul_channel(run, g, c) * k;
        }
        rows.to = group + (m->offset ? 4u * CONV_CHANNELS : 0);
        (m->offset ? matmul_pack_sums : matmul_pack)(&rows);
        if (k <= 4u) { /* the routines run over two words at least */
            xpulp_fill(rows.to, 0, 4u * CONV_CHANNELS);
        }
        for (uint32_t c = 0; m->offset && c < CONV_CHANNELS; c++) {
            uint32_t less = k * (uint32_t)m->x2_zero - (uint32_t)rows.sums[c];
            lead[c] = (int32_t)((uint32_t)m->x_zero * less); /* may wrap: the accumulators do not */
        }
    }
}

/* What the accumulators of rows [begin, end) of x begin with; those behind the last row of x repeat the first
 * one of their block, as the block does. */
static inline void matmul_sum_rows(const struct matmul *m, uint32_t begin, uint32_t end) {
    for (uint32_t i = begin; i < end; i++) {
        uint32_t row = i < m->tile.y_w ? i : i & ~(CONV_PIXELS - 1u);
        const uint8_t *x = (const uint8_t *)m->tile.x + row * m->tile.x_row_bytes;
        m->rows[i] = m->x2_zero == 0 ? 0 : -m->x2_zero * m->routines->sum(x, m->words, m->mask);
    }
}

/* Groups [group, group + groups) of `blocks` blocks of rows from `index` on. */
static inline void matmul_part(const struct matmul *m, struct conv_run *run, uint32_t index, uint32_t blocks,
                               uint32_t group, uint32_t groups) {
    run->block.rows = m->rows + index * CONV_PIXELS;
    if (run->mode != XPULP_RAW) {
        conv_line_part(run, index, blocks, group, groups);
        return;
    }
    for (; blocks > 0; blocks--, index++) {
        uint32_t left = run->inner - index * CONV_PIXELS;
        for (uint32_t g = group; g < group + groups; g++) { /* each call moves on */
            conv_line_aim(run, index);
            run->block.rows = m->rows + index * CONV_PIXELS;
            conv_groups_raw(run, conv_routine_of(run), g, g + 1u, left < CONV_PIXELS ? left : CONV_PIXELS);
        }
    }
}

/* Items [begin, end): item i is group i % groups of block i / groups. */
static inline void matmul_items(const struct matmul *m, struct conv_run *run, uint32_t begin, uint32_t end) {
    uint32_t index = begin / run->groups, group = begin - index * run->groups;
    uint32_t last = end / run->groups, whole = run->inner / CONV_PIXELS;
    last = last < whole ? last : whole;
    if (group != 0) {
        uint32_t groups = run->groups - group < end - begin ? run->groups - group : end - begin;
        matmul_part(m, run, index++, 1, group, groups);
        begin += groups;
    }
    if (index < last) {
        matmul_part(m, run, index, last - index, 0, run->groups);
        begin = last * run->groups;
        index = last;
    }
    if (begin < end) {
        matmul_part(m, run, index, 1, 0, end - begin);
    }
}

static inline void matmul_setup(const struct matmul *m, struct conv_run *run) {
    const struct conv_routines *routines = m->offset ? m->routines->offset : m->routines->plain;
    run->t = &m->tile;
    run->line = routines->line;
    run->window = routines->window;
    run->mode = xpulp_mode_of(&m->tile);
    run->split = 0;
    run->routines = routines;
    run->x_c = m->tile.x_c;
    run->x_row_bytes = m->tile.x_row_bytes;
    conv_geometry(run);
    run->inner = m->tile.y_w;
    run->pixel_bytes = m->tile.x_row_bytes;
    conv_setup(run);
    if (m->offset) {
        run->weight_bytes += 4u * CONV_CHANNELS;
        run->group_bytes += 4u * CONV_CHANNELS;
    }
}

/* What this core packs, sums up and computes of each pair of matrices. */
struct matmul_share {
    struct ref_share groups, rows, items;
};

static inline struct matmul_share matmul_share_of(const struct matmul *m, const struct conv_run *run) {
    uint32_t blocks = (run->inner + CONV_PIXELS - 1u) / CONV_PIXELS;
    struct matmul_share s = {.groups = ref_share(run->groups), .items = ref_share(blocks * run->groups)};
    if (m->offset) {
        s.rows = ref_share(blocks * CONV_PIXELS);
    }
    return s;
}

/* One pair of matrices. `fresh`: nothing lies in the place of the second one yet. */
static inline void matmul_pair(struct matmul *m, struct conv_run *run, const struct matmul_share *share,
                               bool fresh) {
    run->x = m->tile.x;
    matmul_pack_groups(m, run, share->groups.begin, share->groups.end);
    if (fresh) {
        matmul_pack_params(m, run, share->groups.begin, share->groups.end);
    }
    m->rows = (int32_t *)((uintptr_t)m->tile.w + run->groups * run->group_bytes);
    if (m->offset) {
        matmul_sum_rows(m, share->rows.begin, share->rows.end);
    }
    ts_barrier();
    if (share->items.begin < share->items.end) {
        matmul_items(m, run, share->items.begin, share->items.end);
    }
}

/* The whole of a tile. Where one matrix serves all rows of x, these are rows of one matrix. */
static inline void matmul_blocks(const struct ts_matmul_tile *t, const struct matmul_routines *routines) {
    bool shared = t->x2_row_bytes == 0;
    struct matmul m = {.t = t, .routines = routines, .x2 = t->x2, .x_zero = t->x_zero, .x2_zero = t->x2_zero};
    struct conv_run run;
    m.words = t->x_c / 4u;
    m.mask = (1u << t->x_c % 4u * 8u) - 1u;
    if (t->x2_type == TS_ELEM_U8) {
        m.flip = 0x80808080u;
        m.x2_zero -= 128;
    }
    m.offset = m.x_zero != 0 || m.x2_zero != 0 || m.flip != 0;
    m.tile = (struct ts_conv_tile){.x = t->x,
                                   .w = t->scratch,
                                   .y = t->y,
                                   .x_row_bytes = shared ? t->x_row_bytes : t->x_c, /* from row to row */
                                   .y_row_bytes = t->y_row_bytes,
                                   .y_pixel_bytes = shared ? t->y_row_bytes : t->y_pixel_bytes,
                                   .x_h = 1,
                                   .x_w = shared ? t->y_h : t->y_w,
                                   .x_c = t->x_c,
                                   .y_h = 1,
                                   .y_w = shared ? t->y_h : t->y_w,
                                   .y_c = t->y_c,
                                   .k_h = 1,
                                   .k_w = 1,
                                   .stride_h = 1,
                                   .stride_w = 1,
                                   .dilation_h = 1,
                                   .dilation_w = 1,
                                   .groups = 1,
                                   .x_type = t->x_type,
                                   .w_type = TS_ELEM_S8,
                                   .y_type = t->y_type,
                                   .rq = t->rq};
    matmul_setup(&m, &run);
    uint32_t rows = m.offset ? (m.tile.y_w + CONV_PIXELS - 1u) & ~(CONV_PIXELS - 1u) : 0;
    uint32_t bytes = run.groups * run.group_bytes + rows * 4u;
    const struct matmul_share share = matmul_share_of(&m, &run);
    for (uint32_t i = 0; i < (shared ? 1u : t->y_h); i++) {
        m.tile.x = (const uint8_t *)t->x + i * t->x_row_bytes;
        m.tile.y = (uint8_t *)t->y + i * t->y_row_bytes;
        m.tile.w = (const uint8_t *)t->scratch + (i & 1u) * bytes;
        m.x2 = (const uint8_t *)t->x2 + i * t->x2_row_bytes;
        matmul_pair(&m, &run, &share, i < 2u);
    }
}

#endif
