/* Linear layers, 8 channels a pass: 17 cycles for 32 products of 8 bits. Weights are packed as for the 4x4
 * convolution (conv_block.h). Cores share groups of 4 channels. Where there are too few groups for that,
 * `parts` cores share a group's K: each leaves its sums in scratch, and behind a barrier the cores share the
 * channels. */
#include "kernels/xpulp/xpulp.h"

enum { LINEAR_CHANNELS = 4, LINEAR_LEAST_WORDS = 4 };

typedef void linear_dots(const void *x, const uint8_t *w0, const uint8_t *w1, uint32_t words, int32_t *acc);

linear_dots linear_pair_u8, linear_one_u8, linear_pair_s8, linear_one_s8, linear_one_s16, linear_sums_u8,
    linear_sums_s8;

/* What a core computes: groups [begin, end) of channels over words [first, first + words) of K. */
struct linear_share {
    uint32_t parts, part;
    uint32_t begin, end;
    uint32_t first, words;
};

/* log2 of the cores that share a group: as many as make the busiest core's work least.
 * src/plan/kernel_xpulp.c knows this rule. Divisions here and below are by constants: the core's own takes up
 * to 35 cycles. */
static uint32_t linear_parts_log2(uint32_t groups, uint32_t words) {
    uint32_t cores = ts_cores(), best = 0, least = groups * cores;
    for (uint32_t log2 = 0; groups < 2u * cores && cores % (1u << log2) == 0; log2++) {
        uint32_t rounds = ((groups << log2) + cores - 1u) / cores; /* of a group's share of K */
        if (words >> log2 < LINEAR_LEAST_WORDS) {
            break;
        }
        if (rounds * cores >> log2 < least) {
            best = log2;
            least = rounds * cores >> log2;
        }
    }
    return best;
}

static struct linear_share linear_share_of(uint32_t groups, uint32_t words) {
    uint32_t log2 = linear_parts_log2(groups, words), parts = 1u << log2;
    struct linear_share s = {.parts = parts, .part = ts_core() & (parts - 1u)};
    uint32_t team = ts_core() >> log2;
    s.begin = (groups * team << log2) / ts_cores();
    s.end = (groups * (team + 1u) << log2) / ts_cores();
    s.first = words * s.part >> log2;
    s.words = (words * (s.part + 1u) >> log2) - s.first;
    return s;
}

/* Requantises and stores `count` channels from `channel` on, whose parameters and sums these are. */
static __attribute__((noinline)) void requantise(const struct ts_conv_tile *t, uint32_t channel,
                                                 uint32_t count, const uint8_t *params, const int32_t *acc) {
    const struct xpulp_requant requant = xpulp_requant_of(&t->rq);
    uint32_t params_bytes = ref_params_bytes(t->rq.kind);
    for (; count > 0; count--, params += params_bytes) {
        int32_t value = xpulp_requant(&requant, (const int32_t *)(const void *)params, *acc++);
        ref_put(t->y, channel++, t->y_type, value);
    }
}

static inline void finish(const struct ts_conv_tile *t, uint32_t channel, uint32_t count,
                          const uint8_t *params, const int32_t *acc) {
    if (t->rq.kind != TS_RQ_NONE) {
        requantise(t, channel, count, params, acc);
        return;
    }
    int32_t *y = (int32_t *)t->y + channel;
    const int32_t *bias = (const int32_t *)(const void *)params;
    if (count == LINEAR_CHANNELS) {
        int32_t a = acc[0] + bias[0], b = acc[1] + bias[1], c = acc[2] + bias[2], d = acc[3] + bias[3];
        y[0] = a;
        y[1] = b;
        y[2] = c;
        y[3] = d;
        return;
    }
    for (; count > 0; count--) {
        *y++ = *acc++ + *bias++;
    }
}

static uint32_t channels_of(const struct ts_conv_tile *t, uint32_t group) {
    uint32_t left = (uint32_t)t->y_c - group * LINEAR_CHANNELS;
    return left < LINEAR_CHANNELS ? left : LINEAR_CHANNELS;
}

/* The sums of all parts of this core's channels. */
static void add_parts(const struct ts_conv_tile *t, uint32_t parts, uint32_t groups, uint32_t weight_bytes,
                      uint32_t group_bytes) {
    struct ref_share share = ref_share(t->y_c);
    uint32_t params_bytes = ref_params_bytes(t->rq.kind);
    for (uint32_t c = share.begin; c < share.end; c++) {
        const int32_t *sums = (const int32_t *)t->scratch + c;
        int32_t acc = 0;
        for (uint32_t part = 0; part < parts; part++, sums += groups * LINEAR_CHANNELS) {
            acc += *sums;
        }
        const uint8_t *params = (const uint8_t *)t->w + c / LINEAR_CHANNELS * group_bytes + weight_bytes +
                                c % LINEAR_CHANNELS * params_bytes;
        finish(t, c, 1, params, &acc);
    }
}

/* Outputs of 32 bits, groups in pairs and as many pairs for each core: nothing but the sums. */
static inline bool is_sums(const struct ts_conv_tile *t) {
    return t->rq.kind == TS_RQ_NONE && t->y_c % (2u * LINEAR_CHANNELS * ts_cores()) == 0 && t->x_c > 4u;
}

static __attribute__((noinline)) void linear_sums(const struct ts_conv_tile *t, linear_dots *sums) {
    uint32_t words = ((uint32_t)t->x_c + 3u) / 4u, group_bytes = (words + 1u) * 4u * LINEAR_CHANNELS;
    uint32_t channels = t->y_c / ts_cores(), first = channels * ts_core();
    const uint8_t *w = (const uint8_t *)t->w + first / LINEAR_CHANNELS * group_bytes;
    int32_t *y = (int32_t *)t->y + first;
    for (; channels > 0; channels -= 2u * LINEAR_CHANNELS, y += 2u * LINEAR_CHANNELS, w += 2u * group_bytes) {
        sums(t->x, w, w + group_bytes, words, y);
    }
}

/* `pair` may be missing. A word of weights meets 4 << x_shift bytes of x. */
static inline void linear(const struct ts_conv_tile *t, uint32_t x_shift, linear_dots *pair,
                          linear_dots *one) {
    uint32_t words = ((uint32_t)t->x_c + 3u) / 4u;
    words = words < 2u ? 2u : words;
    uint32_t weight_bytes = words * 4u * LINEAR_CHANNELS;
    uint32_t group_bytes = weight_bytes + ref_params_bytes(t->rq.kind) * LINEAR_CHANNELS;
    uint32_t groups = (t->y_c + LINEAR_CHANNELS - 1u) / LINEAR_CHANNELS;
    const struct linear_share s = linear_share_of(groups, words);
    const uint8_t *x = (const uint8_t *)t->x + (s.first * 4u << x_shift);
    const uint8_t *w = (const uint8_t *)t->w + s.begin * group_bytes + s.first * 4u * LINEAR_CHANNELS;
    int32_t sums[2 * LINEAR_CHANNELS];
    bool whole = s.parts == 1;
    for (uint32_t group = s.begin, step; group < s.end; group += step, w += step * group_bytes) {
        int32_t *acc = whole ? sums : (int32_t *)t->scratch + (s.part * groups + group) * LINEAR_CHANNELS;
        step = pair != 0 && group + 1u < s.end ? 2u : 1u;
        (step == 2u ? pair : one)(x, w, w + group_bytes, s.words, acc);
        for (uint32_t i = 0; whole && i < step; i++) {
            finish(t, (group + i) * LINEAR_CHANNELS, channels_of(t, group + i),
                   w + i * group_bytes + weight_bytes, acc + i * LINEAR_CHANNELS);
        }
    }
    if (!whole) {
        ts_barrier();
        add_parts(t, s.parts, groups, weight_bytes, group_bytes);
    }
}

void linear_xpulp_u8s8(const struct ts_conv_tile *tile) {
    if (is_sums(tile)) {
        linear_sums(tile, linear_sums_u8);
    } else {
        linear(tile, 0, linear_pair_u8, linear_one_u8);
    }
}

void linear_xpulp_s8s8(const struct ts_conv_tile *tile) {
    if (is_sums(tile)) {
        linear_sums(tile, linear_sums_s8);
    } else {
        linear(tile, 0, linear_pair_s8, linear_one_s8);
    }
}

void linear_xpulp_s16s8(const struct ts_conv_tile *tile) { linear(tile, 1, 0, linear_one_s16); }
