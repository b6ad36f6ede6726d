#include "plan/requant_short.h"

enum { LEVELS = 256, L_TRIES = 4, HALF_WINDOW = 1 << 15, WINDOW = 1 << 16, MOST_ACC = 1 << 22 };

/* The plan's own line, clip((k a + l) >> shift). */
typedef struct wide_line {
    int64_t k, l;
    uint32_t shift;
} wide_line;

static int64_t clip_u8(int64_t value) { return value < 0 ? 0 : value > LEVELS - 1 ? LEVELS - 1 : value; }

static int64_t line_at(const wide_line *line, int64_t a) {
    return clip_u8((line->k * a + line->l) >> line->shift);
}

static int64_t floor_over(int64_t n, int64_t d) {
    int64_t q = n / d;
    return q * d != n && (n < 0) != (d < 0) ? q - 1 : q;
}

/* The window of 65536 accumulators that holds a', counted from the one around 0. */
static int64_t window_of(int64_t a) { return (a + HALF_WINDOW) >> 16; }

/* What is shifted last; the kernel computes it modulo 2^32. */
static int64_t sum_at(const ts_short_rq *rq, int64_t moved) {
    int64_t low = moved - window_of(moved) * WINDOW;
    int64_t step = (low * rq->k2 + (1 << (TS_SHORT_SPLIT - 1))) >> TS_SHORT_SPLIT;
    return moved * rq->k + step + rq->l;
}

int64_t ts__short_rq_apply(const ts_short_rq *rq, int64_t acc) {
    return clip_u8(sum_at(rq, acc + TS_SHORT_BYTE * rq->bias) >> TS_SHORT_SHIFT);
}

static bool same_at(const ts_short_rq *rq, const wide_line *line, ts_acc_range acc, int64_t a) {
    if (a < acc.low || a > acc.high) {
        return true;
    }
    int64_t sum = sum_at(rq, a + TS_SHORT_BYTE * rq->bias);
    return sum >= INT32_MIN && sum <= INT32_MAX && clip_u8(sum >> TS_SHORT_SHIFT) == line_at(line, a);
}

/* An accumulator within one of where the line reaches this level from one side or the other. */
static int64_t step_near(const wide_line *line, int64_t level) {
    return floor_over((level << line->shift) - line->l, line->k);
}

/* Within a window both forms are monotone in the same direction. So they are equal on all of it if they are
 * at its ends and on both sides of every step of the line. */
static bool is_proved(const ts_short_rq *rq, const wide_line *line, ts_acc_range acc) {
    int64_t bias = TS_SHORT_BYTE * rq->bias;
    bool same = same_at(rq, line, acc, acc.low) && same_at(rq, line, acc, acc.high);
    for (int64_t w = window_of(acc.low + bias); same && w <= window_of(acc.high + bias); w++) {
        int64_t begin = w * WINDOW - HALF_WINDOW - bias;
        same = same_at(rq, line, acc, begin) && same_at(rq, line, acc, begin + WINDOW - 1);
    }
    for (int64_t level = 1; same && level < LEVELS; level++) {
        int64_t step = step_near(line, level);
        for (int64_t a = step - 1; same && a <= step + 2; a++) {
            same = same_at(rq, line, acc, a);
        }
    }
    return same;
}

/* The accumulator in the middle between the first and the last step that can be reached. */
static int64_t middle_of(const wide_line *line, ts_acc_range acc) {
    int64_t ends[2] = {step_near(line, 1), step_near(line, LEVELS - 1)};
    for (uint32_t i = 0; i < 2; i++) {
        ends[i] = ends[i] < acc.low ? acc.low : ends[i] > acc.high ? acc.high : ends[i];
    }
    return (ends[0] + ends[1]) / 2;
}

/* The bias that brings that one nearest to the middle of a window. */
static int32_t middle_bias(int64_t middle) {
    int64_t off = window_of(middle) * WINDOW - middle;
    int64_t bias = (off + (off < 0 ? -TS_SHORT_BYTE / 2 : TS_SHORT_BYTE / 2)) / TS_SHORT_BYTE;
    return (int32_t)(bias > 127 ? 127 : bias < -128 ? -128 : bias);
}

/* The line with all its bits, at the scale of the short form; false where that passes 40 bits. */
static bool scale(const wide_line *line, int64_t *k, int64_t *l) {
    const int64_t limit = INT64_C(1) << 40;
    int32_t more = TS_SHORT_SPLIT + TS_SHORT_SHIFT - (int32_t)line->shift;
    if (more < 0 || line->k > limit >> more || line->k < -(limit >> more) || line->l > limit >> more ||
        line->l < -(limit >> more)) {
        return false;
    }
    *k = line->k * (INT64_C(1) << more);
    *l = line->l * (INT64_C(1) << more);
    return true;
}

bool ts__short_rq(const ts_rq_plan *rq, uint32_t channel, ts_acc_range acc, ts_short_rq *out) {
    uint32_t c = rq->channels == 1 ? 0 : channel;
    if (rq->class_ != TS_RQC_S32D || rq->low != 0 || rq->high != LEVELS - 1 || acc.low < -MOST_ACC ||
        acc.high > MOST_ACC) {
        return false;
    }
    wide_line line = {rq->k[c], ts__rq_wide_offset(rq, c, 0), rq->split + rq->channel_shift[c]};
    int64_t first = line_at(&line, acc.low), k, l;
    if (first == line_at(&line, acc.high)) {
        *out = (ts_short_rq){.l = (int32_t)(first << TS_SHORT_SHIFT)};
        return true;
    }
    if (!scale(&line, &k, &l)) {
        return false;
    }
    int64_t middle = middle_of(&line, acc);
    *out = (ts_short_rq){.k = (int32_t)ts__rq_high(k, TS_SHORT_SPLIT),
                         .k2 = (int32_t)ts__rq_low(k, TS_SHORT_SPLIT),
                         .bias = middle_bias(middle)};
    int64_t bias = TS_SHORT_BYTE * out->bias, home = window_of(middle + bias);
    int64_t near = (l - k * bias + home * WINDOW * out->k2) >> TS_SHORT_SPLIT;
    for (int64_t i = -L_TRIES; i <= L_TRIES; i++) {
        int64_t offset = near + i;
        out->l = (int32_t)offset;
        if (offset == out->l && is_proved(out, &line, acc)) {
            return true;
        }
    }
    return false;
}
