/* Weights of 9 bits, of which few pass 8: older networks of uint8, whose weights have a zero point. The
 * kernels for signed bytes compute all channels with weights clipped to bytes; the channels with clipped
 * weights are then computed again.
 *
 * Packed weights: parts of EXCESS_CHANNELS output channels, each
 *   {uint32 records, bytes to the records, bytes to the next part}, the part as the kernel for bytes wants
 * it, records. A record, of one channel: {uint16 channel within the part, uint16 excesses}, {int32 sum of its
 * weights}, its requantisation, for each excess {uint16 byte within the window's row, uint8 row, uint8
 * column, int32 weight less its byte}, the bytes of a row of the window after another, each row filled up to
 * words. */
#ifndef TS_KERNELS_XPULP_EXCESS_H
#define TS_KERNELS_XPULP_EXCESS_H

#include "kernels/xpulp/xpulp.h"
#include "kernels/xpulp/xpulp_insn.h"

enum { EXCESS_CHANNELS = 32 };

struct excess_part {
    uint32_t records, records_at, bytes;
};

struct excess {
    uint16_t byte;
    uint8_t row, column;
    int32_t weight;
};

/* A record taken apart. x_step: from one byte of a row's weights to the next in x: 1, or a pixel of a
 * depthwise convolution. */
struct excess_channel {
    uint32_t channel, excesses, x_step, row_bytes, row_words;
    int32_t sum;
    const int32_t *params;
    const struct excess *excess;
    const uint8_t *weights;
};

static inline const uint8_t *excess_read(const struct ts_conv_tile *t, const uint8_t *record, bool depthwise,
                                         struct excess_channel *c) {
    const uint16_t *head = (const uint16_t *)(const void *)record;
    c->channel = head[0];
    c->excesses = head[1];
    c->sum = *(const int32_t *)(const void *)(record + 4);
    c->params = (const int32_t *)(const void *)(record + 8);
    c->excess = (const struct excess *)(const void *)(record + 8 + ref_params_bytes(t->rq.kind));
    c->weights = (const uint8_t *)(c->excess + c->excesses);
    c->x_step = depthwise ? t->x_c : 1u;
    c->row_bytes = t->k_w * (depthwise ? 1u : t->x_c);
    c->row_words = (c->row_bytes + 3u) / 4u;
    return c->weights + 4u * t->k_h * c->row_words;
}

/* Sum of w x over `rows` rows of a window that lies inside x. */
static inline int32_t excess_dense(const struct excess_channel *c, const uint8_t *x, uint32_t x_row,
                                   uint32_t rows) {
    const uint8_t *w = c->weights;
    int32_t acc = 0;
    for (; rows > 0; rows--, x += x_row) {
        const uint8_t *from = x;
        for (const uint8_t *end = w + 4u * c->row_words; w < end;) {
            uint32_t a = p_lw_pi(from, 4), b = p_lw_pi(w, 4);
            acc = pv_sdotusp_b(acc, a, b);
        }
    }
    return acc;
}

/* The same of a channel of a depthwise convolution, whose bytes of x lie pixels apart. */
static inline int32_t excess_strided(const struct excess_channel *c, const uint8_t *x, uint32_t x_row,
                                     uint32_t rows) {
    int32_t acc = 0;
    for (uint32_t k = 0; k < rows; k++, x += x_row) {
        const uint8_t *from = x;
        const int8_t *w = (const int8_t *)c->weights + 4u * k * c->row_words;
        for (const int8_t *end = w + c->row_bytes; w < end;) {
            int32_t weight = p_lb_pi(w, 1);
            acc = p_mac(acc, (int32_t)p_lbu_pr(from, c->x_step), weight);
        }
    }
    return acc;
}

/* Sum of w (x - zero) over `count` bytes. */
static inline int32_t excess_bytes(const struct excess_channel *c, const uint8_t *x, const uint8_t *w,
                                   uint32_t count, int32_t zero) {
    int32_t acc = 0;
    for (; count > 0; count--, x += c->x_step) {
        acc = p_mac(acc, *x - zero, (int8_t)*w++);
    }
    return acc;
}

/* A window of which a part may lie outside x. */
static inline int32_t excess_window(const struct ts_conv_tile *t, const struct excess_channel *c,
                                    const uint8_t *x, int32_t row, int32_t column) {
    uint32_t tap_bytes = c->row_bytes / t->k_w;
    uint32_t first = column < 0 ? (uint32_t)-column : 0;
    uint32_t end = column + t->k_w > t->x_w ? (uint32_t)(t->x_w - column) : t->k_w;
    int32_t acc = 0;
    for (uint32_t k = 0; k < t->k_h; k++) {
        int32_t at = row + (int32_t)k;
        if (at >= 0 && at < t->x_h && first < end) {
            acc += excess_bytes(c, x + (int32_t)(k * t->x_row_bytes) + (int32_t)(first * t->x_c),
                                c->weights + k * c->row_words * 4u + first * tap_bytes,
                                (end - first) * tap_bytes, t->x_zero);
        }
    }
    for (uint32_t i = 0; i < c->excesses; i++) {
        const struct excess *e = &c->excess[i];
        int32_t y = row + e->row, v = column + e->column;
        if (y >= 0 && y < t->x_h && v >= 0 && v < t->x_w) {
            acc += e->weight *
                   (x[(int32_t)(e->row * t->x_row_bytes) + (int32_t)(e->byte * c->x_step)] - t->x_zero);
        }
    }
    return acc;
}

/* This core's pixels of the record's channel, `first` being the part's first channel. The tile is copied: a
 * store of bytes might change what a pointer reaches, as far as the compiler knows. */
static inline void excess_pixels(const struct ts_conv_tile *tile, const struct excess_channel *channel,
                                 uint32_t first, bool depthwise) {
    const struct ts_conv_tile copy = *tile, *t = &copy;
    const struct excess_channel own = *channel, *c = &own;
    struct ref_share share = ref_share((uint32_t)t->y_h * t->y_w);
    uint32_t oy = share.begin / t->y_w, ox = share.begin % t->y_w;
    for (uint32_t i = share.begin; i < share.end; i++) {
        int32_t row = (int32_t)(oy * t->stride_h) - t->pad_top,
                column = (int32_t)(ox * t->stride_w) - t->pad_left;
        const uint8_t *x = (const uint8_t *)t->x + row * (int32_t)t->x_row_bytes + column * (int32_t)t->x_c;
        x += depthwise ? first + c->channel : 0;
        bool inside = row >= 0 && column >= 0 && row + t->k_h <= t->x_h && column + t->k_w <= t->x_w;
        int32_t acc;
        if (inside) {
            acc = (depthwise ? excess_strided : excess_dense)(c, x, t->x_row_bytes, t->k_h) -
                  t->x_zero * c->sum;
            for (uint32_t k = 0; k < c->excesses; k++) {
                const struct excess *e = &c->excess[k];
                acc = p_mac(acc, x[e->row * t->x_row_bytes + e->byte * c->x_step], e->weight);
            }
        } else {
            acc = excess_window(t, c, x, row, column);
        }
        uint8_t *y = (uint8_t *)t->y + oy * t->y_row_bytes + ox * t->y_pixel_bytes;
        y[first + c->channel] = (uint8_t)ref_requant(&t->rq, c->params, acc);
        if (++ox == t->y_w) {
            ox = 0;
            oy++;
        }
    }
}

/* The channels of the records of all parts. Not inline: its frame does not add to that of the kernel. */
static __attribute__((noinline)) void excess_records(const struct ts_conv_tile *t, uint32_t part_channels,
                                                     bool depthwise) {
    const uint8_t *w = (const uint8_t *)t->w;
    for (uint32_t first = 0; first < t->y_c; first += part_channels) {
        const struct excess_part *head = (const struct excess_part *)(const void *)w;
        struct excess_channel c;
        const uint8_t *record = w + head->records_at;
        for (uint32_t i = 0; i < head->records; i++) {
            record = excess_read(t, record, depthwise, &c);
            excess_pixels(t, &c, first, depthwise);
        }
        w += head->bytes;
    }
}

/* The bytes of all parts by `kernel`, then the records. */
static inline void excess_run(const struct ts_conv_tile *t, void (*kernel)(const struct ts_conv_tile *),
                              uint32_t part_channels, bool depthwise) {
    struct ts_conv_tile part = *t;
    const uint8_t *w = (const uint8_t *)t->w;
    uint32_t records = 0;
    for (uint32_t first = 0; first < t->y_c; first += part_channels) {
        const struct excess_part *head = (const struct excess_part *)(const void *)w;
        part.y_c = (uint16_t)(t->y_c - first < part_channels ? t->y_c - first : part_channels);
        part.w = w + sizeof *head;
        part.y = (uint8_t *)t->y + first;
        kernel(&part);
        w += head->bytes;
        records += head->records;
    }
    if (records > 0) {
        ts_barrier();
        excess_records(t, part_channels, depthwise);
    }
}

#endif
