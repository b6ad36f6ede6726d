/* Dense convolution of 16-bit activations and weights, linear layers included: 4 pixels x 4 channels at a
 * time (conv_block.h). x = 256 h + l and w = 256 v + u with signed h and v and unsigned l and u, all bytes,
 * so
 *
 *     sum x w = 65536 sum h v + 256 (sum h u + sum l v) + sum l u,
 *
 * four sums of 32 bits for one of 64: nothing can overflow, whatever the weights are. A group's packed
 * weights are all its words of v, then all its words of u, then the parameters. */
#define CONV_HALVES 1
#include "kernels/xpulp/conv_block.h"
#include "kernels/xpulp/halves.h"

conv_routine conv_s16s16_high_high, conv_s16s16_high_low, conv_s16s16_low_high, conv_s16s16_low_low;
conv_split_routine conv_split;

enum { HALF_SUMS = CONV_PIXELS * CONV_CHANNELS };

/* The sums of both halves of x with both of the weights; names say x first. */
struct half_sums {
    int32_t high_high[HALF_SUMS], high_low[HALF_SUMS], low_high[HALF_SUMS], low_low[HALF_SUMS];
};

static inline int64_t whole_sum(const struct half_sums *s, uint32_t i) {
    int64_t upper = (int64_t)s->high_high[i] * 256 + s->high_low[i] + s->low_high[i];
    return upper * 256 + (uint32_t)s->low_low[i];
}

/* Requantises and stores a group of `count` pixels. */
static inline void finish_group(const struct conv_run *run, const struct half_sums *sums, uint32_t group,
                                uint32_t count, uint8_t *const *y) {
    const struct ts_conv_tile *t = run->t;
    const struct xpulp_requant requant = xpulp_requant_of(&t->rq);
    uint32_t params_bytes = ref_params_bytes(t->rq.kind), first = conv_lanes_before(run, group);
    uint32_t channel = group * CONV_CHANNELS - first;
    const uint8_t *params = (const uint8_t *)t->w + group * run->group_bytes + run->weight_bytes;
    for (uint32_t c = first; c < CONV_CHANNELS; c++) {
        const int32_t *words = (const int32_t *)(const void *)(params + c * params_bytes);
        for (uint32_t p = 0; p < count; p++) {
            int64_t acc = whole_sum(sums, p * CONV_CHANNELS + c);
            halves_put(y[p], channel + c, t->y_type, halves_requant(&requant, words, acc));
        }
    }
}

static inline void aim_half(struct conv_block *block, const uint8_t *x, const uint8_t *w, int32_t *sums) {
    block->x = x;
    block->w = w;
    block->y = (uint8_t *)sums;
    block->blocks = 1;
}

static void conv_groups_raw(struct conv_run *run, conv_routine *routine, uint32_t begin, uint32_t end,
                            uint32_t count) {
    struct conv_block *block = &run->block;
    struct half_sums sums;
    const uint8_t *x = block->x;
    uint8_t *y[CONV_PIXELS] = {block->y, block->y + block->e[0], block->y + block->e[1],
                               block->y + block->e[2]};
    (void)routine; /* of weights of bytes */
    block->groups = 1;
    for (uint32_t g = begin; g < end; g++) {
        const uint8_t *high = (const uint8_t *)run->t->w + g * run->group_bytes;
        const uint8_t *low = high + run->weight_bytes / 2u;
        aim_half(block, x + 4, high, sums.high_high);
        conv_s16s16_high_high(block);
        aim_half(block, x + 4, low, sums.high_low);
        conv_s16s16_high_low(block);
        aim_half(block, x, high, sums.low_high);
        conv_s16s16_low_high(block);
        aim_half(block, x, low, sums.low_low);
        conv_s16s16_low_low(block);
        finish_group(run, &sums, g, count, y);
    }
    block->x = x;
    block->y = y[0];
}

static const struct conv_routines none = {.narrow = 0};

void conv_xpulp_s16s16(const struct ts_conv_tile *tile) { conv_blocks(tile, &none, conv_split, false); }

/* The same where tiles hold their padding: no window leaves x. */
void conv_xpulp_s16s16_padded(const struct ts_conv_tile *tile) { conv_xpulp_s16s16(tile); }
