#include "plan/requant.h"

#include <string.h>

#include "num/integer.h"

__extension__ typedef __int128 wide;

enum {
    MAX_LEVELS = 4096, /* steps of a staircase that are worth proving one by one */
    MAX_SHIFT = 30,
    SLOPE_STEPS = 8, /* slopes tried on either side of the nearest one */
    FIRST_WIDE_SHIFT = 20,
    LAST_WIDE_SHIFT = 44,
    FIRST_ROUNDED_SHIFT = 14,
    LAST_ROUNDED_SHIFT = 30,
    FIRST_SPLIT = 5, /* a run of l lies in the part below the split */
    LAST_SPLIT = 30
};

static const int64_t MAX_SLOPE = INT64_C(1) << 40;

/* The requantisation of one channel over the accumulators [first, last], all of them mirrored (a -> -a)
 * where it falls, so that it never falls. floor((k a + l) / d), clipped; or TFLite's by its definition. */
typedef struct staircase {
    const ts_requant *requant;
    uint32_t channel;
    int64_t bias;
    int64_t k, l, d; /* NEMO */
    int64_t first, last;
    int64_t f_first, f_last;
    bool mirrored;
    int64_t *steps; /* steps[j]: the smallest a with f(a) >= f_first + 1 + j; NULL until needed */
} staircase;

/* What is looked for: y = clip((k a + l) >> shift). */
typedef struct line {
    int64_t k, l;
} line;

static wide floor_div(wide n, wide d) {
    wide q = n / d;
    return q * d > n ? q - 1 : q;
}

static int64_t clip(wide value, int64_t low, int64_t high) {
    return value < low ? low : value > high ? high : (int64_t)value;
}

static int64_t evaluate(const staircase *s, int64_t a) {
    if (s->requant->kind == TS_REQUANT_TFLITE) {
        return ts_requant_apply(s->requant, s->channel, (s->mirrored ? -a : a) + s->bias);
    }
    return clip(floor_div((wide)s->k * a + s->l, s->d), s->requant->low, s->requant->high);
}

/* Smallest a in (first, last] with f(a) >= level; f(first) < level <= f(last). */
static int64_t step_of(const staircase *s, int64_t level) {
    if (s->requant->kind == TS_REQUANT_NEMO) {
        wide a = -floor_div(-((wide)level * s->d - s->l), s->k);
        return clip(a, s->first + 1, s->last);
    }
    int64_t below = s->first, above = s->last;
    while (above - below > 1) {
        int64_t middle = below + (above - below) / 2;
        *(evaluate(s, middle) >= level ? &above : &below) = middle;
    }
    return above;
}

static void find_steps(ts_arena *arena, staircase *s) {
    uint32_t count = (uint32_t)(s->f_last - s->f_first);
    s->steps = TS_NEW_ARRAY(arena, int64_t, count);
    for (uint32_t j = 0; j < count; j++) {
        s->steps[j] = step_of(s, s->f_first + 1 + j);
    }
}

/* The part of the accumulators that the line must serve: all, or what is left inside a clip. */
static ts_acc_range part_inside(const staircase *s, const ts_acc_range *clipped) {
    ts_acc_range part = {s->first, s->last};
    if (clipped != NULL) {
        ts_acc_range c = s->mirrored ? (ts_acc_range){-clipped->high, -clipped->low} : *clipped;
        part.low = clip(part.low, c.low, c.high);
        part.high = clip(part.high, c.low, c.high);
    }
    return part;
}

static bool fits_s32(wide value) { return value >= INT32_MIN && value <= INT32_MAX; }

/* Neither a product nor a sum may leave 32 bits on the part. */
static bool line_fits(line at, ts_acc_range part) {
    wide low = (wide)at.k * part.low, high = (wide)at.k * part.high;
    return fits_s32(at.k) && fits_s32(at.l) && fits_s32(low) && fits_s32(high) && fits_s32(low + at.l) &&
           fits_s32(high + at.l);
}

/* The graph's own line at another shift, where that is the same function: every dropped bit of k is 0. */
static bool same_line(const staircase *s, uint32_t shift, line *out) {
    uint32_t own = (uint32_t)__builtin_ctzll((unsigned long long)s->d);
    if (s->requant->kind != TS_REQUANT_NEMO || (s->d & (s->d - 1)) != 0) {
        return false;
    }
    if (shift >= own) {
        wide unit = (wide)1 << (shift - own), k = s->k * unit, l = s->l * unit;
        *out = (line){clip(k, INT64_MIN, INT64_MAX), clip(l, INT64_MIN, INT64_MAX)};
        return k == out->k && l == out->l;
    }
    *out = (line){s->k >> (own - shift), s->l >> (own - shift)};
    return (out->k << (own - shift)) == s->k;
}

/* What stands behind a line: a shift; or, where it is rounded twice, a shift and then
 * (h - (h < middle)) >> right. */
typedef struct line_end {
    uint32_t shift;
    bool rounds_twice;
    uint32_t right;
    int64_t middle;
} line_end;

/* The least value of the line that gives this level or more. */
static wide level_of(const line_end *end, int64_t level) {
    wide h = level;
    if (end->rounds_twice) {
        h *= (wide)1 << end->right;
        h += h < end->middle;
    }
    return h * ((wide)1 << end->shift);
}

/* The values of l for which a line of slope k meets every step exactly:
 *   k t + l >= level(j)   and   k (t - 1) + l <= level(j) - 1   for the step t of each level j,
 * the ends stay on their levels where the clip of the result does not hold them, and nothing leaves 32 bits
 * (64 where the line is not narrow).
 * Returns high - low; negative where there is none. */
static wide offsets_for(const staircase *s, int64_t k, const line_end *end, ts_acc_range part, bool narrow,
                        wide *low) {
    wide least = narrow ? INT32_MIN : INT64_MIN, most = narrow ? INT32_MAX : INT64_MAX;
    wide at_low = (wide)k * part.low, at_high = (wide)k * part.high;
    least = least - at_low > least ? least - at_low : least;
    most = most - at_high < most ? most - at_high : most;
    uint32_t count = (uint32_t)(s->f_last - s->f_first);
    for (uint32_t j = 0; j < count && least <= most; j++) {
        wide level = level_of(end, s->f_first + 1 + j);
        wide from = level - (wide)k * s->steps[j];
        wide to = level - 1 - (wide)k * (s->steps[j] - 1);
        least = from > least ? from : least;
        most = to < most ? to : most;
    }
    if (s->f_first > s->requant->low) {
        wide from = level_of(end, s->f_first) - at_low;
        least = from > least ? from : least;
    }
    if (s->f_last < s->requant->high) {
        wide to = level_of(end, s->f_last + 1) - 1 - at_high;
        most = to < most ? to : most;
    }
    *low = least;
    return most - least;
}

/* The slope nearest to the staircase's own at this shift. */
static wide nearest_slope(const staircase *s, uint32_t shift) {
    if (s->requant->kind == TS_REQUANT_NEMO) {
        return floor_div(((wide)s->k << shift) + s->d / 2, s->d);
    }
    uint32_t c = s->requant->channels == 1 ? 0 : s->channel;
    int32_t exponent = (int32_t)shift + s->requant->shift[c] - 31;
    wide k = s->requant->multiplier[c];
    k = k < 0 ? -k : k;
    if (exponent >= 0) {
        return k << (exponent < 64 ? exponent : 64);
    }
    return exponent > -64 ? (k + ((wide)1 << (-exponent - 1))) >> -exponent : 0;
}

/* A slope near the staircase's own that has offsets, and these: see offsets_for(). Negative where none has.
 */
static wide search_line(const staircase *s, const line_end *end, ts_acc_range part, bool narrow,
                        int64_t *slope, wide *low) {
    wide near = nearest_slope(s, end->shift + end->right);
    for (int i = 0; i <= 2 * SLOPE_STEPS; i++) {
        wide k = near + (i % 2 == 0 ? i / 2 : -(i + 1) / 2);
        bool outside = narrow && (!fits_s32(k) || !fits_s32(k * part.low) || !fits_s32(k * part.high));
        if (k < 0 || k > MAX_SLOPE || outside) {
            continue;
        }
        wide room = offsets_for(s, (int64_t)k, end, part, narrow, low);
        if (room >= 0) {
            *slope = (int64_t)k;
            return room;
        }
    }
    return -1;
}

/* A channel of one level takes the constant line: its accumulators may all lie outside the layer's clip,
 * where its own line would say something else. */
static bool find_line(ts_arena *arena, staircase *s, uint32_t shift, const ts_acc_range *clipped, line *out) {
    ts_acc_range part = part_inside(s, clipped);
    if (s->f_first == s->f_last) {
        wide level = (wide)s->f_first * ((wide)1 << shift);
        *out = (line){0, clip(level, INT64_MIN, INT64_MAX)};
        return fits_s32(level);
    }
    if (same_line(s, shift, out) && line_fits(*out, part)) {
        return true;
    }
    if (s->f_last - s->f_first > MAX_LEVELS) {
        return false;
    }
    if (s->steps == NULL) {
        find_steps(arena, s);
    }
    line_end end = {.shift = shift};
    wide low = 0, room = search_line(s, &end, part, true, &out->k, &low);
    out->l = (int64_t)(low + room / 2);
    return room >= 0;
}

static bool find_lines(ts_arena *arena, staircase *stairs, ts_rq_plan *plan, uint32_t shift,
                       const ts_acc_range *clipped) {
    for (uint32_t c = 0; c < plan->channels; c++) {
        line found;
        if (!find_line(arena, &stairs[c], shift, clipped, &found)) {
            return false;
        }
        plan->k[c] = stairs[c].mirrored ? -found.k : found.k;
        plan->l[c] = found.l;
    }
    plan->shift = shift;
    return true;
}

/* The largest shift at which the steepest channel's products may still fit. */
static uint32_t largest_shift(const staircase *stairs, uint32_t channels, const ts_acc_range *clipped) {
    uint32_t shift = MAX_SHIFT;
    for (uint32_t c = 0; c < channels; c++) {
        const staircase *s = &stairs[c];
        ts_acc_range part = part_inside(s, clipped);
        int64_t reach = part.high > -part.low ? part.high : -part.low;
        if (s->requant->kind != TS_REQUANT_NEMO || s->f_first == s->f_last) {
            continue;
        }
        while (shift > 0 && floor_div((wide)s->k << shift, s->d) * reach > (wide)INT32_MAX * 2) {
            shift--;
        }
    }
    return shift;
}

/* The shift at which the graph's own numbers are smallest without a bit lost, or MAX_SHIFT + 1. */
static uint32_t own_shift(const staircase *stairs, uint32_t channels) {
    int64_t d = stairs[0].d;
    if (stairs[0].requant->kind != TS_REQUANT_NEMO || (d & (d - 1)) != 0) {
        return MAX_SHIFT + 1;
    }
    uint32_t drop = (uint32_t)__builtin_ctzll((unsigned long long)d), own = drop;
    for (uint32_t c = 0; c < channels; c++) {
        if (stairs[c].f_first != stairs[c].f_last) {
            uint32_t zeros = (uint32_t)__builtin_ctzll((unsigned long long)stairs[c].k);
            drop = zeros < drop ? zeros : drop;
        }
    }
    return own - drop;
}

static bool find_shift(ts_arena *arena, staircase *stairs, ts_rq_plan *plan, const ts_acc_range *clipped) {
    uint32_t own = own_shift(stairs, plan->channels);
    if (own <= MAX_SHIFT && find_lines(arena, stairs, plan, own, clipped)) {
        return true;
    }
    for (uint32_t shift = largest_shift(stairs, plan->channels, clipped); shift > 0; shift--) {
        if (shift != own && find_lines(arena, stairs, plan, shift, clipped)) {
            return true;
        }
    }
    return false;
}

/* Accumulator bounds of the layer outside which every channel has reached an end of its staircase. */
static ts_acc_range active_part(const staircase *stairs, uint32_t channels) {
    ts_acc_range active = {INT64_MAX, INT64_MIN};
    for (uint32_t c = 0; c < channels; c++) {
        const staircase *s = &stairs[c];
        if (s->f_first == s->f_last) {
            continue;
        }
        int64_t low = step_of(s, s->f_first + 1) - 1, high = step_of(s, s->f_last);
        if (s->mirrored) {
            int64_t swap = low;
            low = -high;
            high = -swap;
        }
        active.low = low < active.low ? low : active.low;
        active.high = high > active.high ? high : active.high;
    }
    return active.low <= active.high ? active : (ts_acc_range){0, 0};
}

/* -r - 1 .. r with r = 2^n - 1, or the smallest r that will do: what one instruction clips to. */
static ts_acc_range symmetric_around(ts_acc_range range, bool power_of_two) {
    int64_t bound = range.high > -range.low - 1 ? range.high + 1 : -range.low;
    if (power_of_two) {
        int64_t wanted = bound;
        for (bound = 1; bound < wanted; bound *= 2) {
        }
    }
    return (ts_acc_range){-bound, bound - 1};
}

static bool find_clipped(ts_arena *arena, staircase *stairs, ts_rq_plan *plan) {
    ts_acc_range active = active_part(stairs, plan->channels);
    for (int i = 0; i < 2; i++) {
        ts_acc_range bounds = symmetric_around(active, i == 0);
        if (fits_s32(bounds.low) && fits_s32(bounds.high) && find_shift(arena, stairs, plan, &bounds)) {
            plan->acc_low = (int32_t)bounds.low;
            plan->acc_high = (int32_t)bounds.high;
            return true;
        }
    }
    return false;
}

/* A line of more than 32 bits, y = (k a + l) >> shift, with all the values of l that are right. */
typedef struct wide_line {
    int64_t k;
    wide low, high; /* of l */
    uint32_t shift;
} wide_line;

/* The line of the graph itself without the low bits of k that are 0, or else the first that the staircase
 * admits. */
static bool find_wide_line(ts_arena *arena, staircase *s, ts_acc_range part, wide_line *out) {
    if (s->f_first == s->f_last) {
        wide unit = (wide)1 << FIRST_WIDE_SHIFT;
        *out = (wide_line){0, s->f_first * unit, s->f_first * unit + unit - 1, FIRST_WIDE_SHIFT};
        return true;
    }
    if (s->f_last - s->f_first > MAX_LEVELS) {
        return false;
    }
    if (s->steps == NULL) {
        find_steps(arena, s);
    }
    if (s->requant->kind == TS_REQUANT_NEMO && (s->d & (s->d - 1)) == 0) {
        uint32_t own = (uint32_t)__builtin_ctzll((unsigned long long)s->d),
                 zeros = (uint32_t)__builtin_ctzll((unsigned long long)s->k);
        zeros = zeros < own ? zeros : own;
        out->k = s->k >> zeros;
        out->shift = own - zeros;
        line_end end = {.shift = out->shift};
        wide room = offsets_for(s, out->k, &end, part, false, &out->low);
        out->high = out->low + room;
        return room >= 0;
    }
    for (uint32_t shift = FIRST_WIDE_SHIFT; shift <= LAST_WIDE_SHIFT; shift++) {
        line_end end = {.shift = shift};
        wide room = search_line(s, &end, part, false, &out->k, &out->low);
        if (room >= 0) {
            out->shift = shift;
            out->high = out->low + room;
            return true;
        }
    }
    return false;
}

/* (k a + l) >> 2^e = (k_high a + l_high + ((k_low a + l_low) >> split)) >> (e - split): what is shifted must
 * fit 32 bits; the rest may wrap on its way to a sum that fits. All is monotone in a, so the ends of the part
 * tell; `offset` is what kernels have more in their accumulators that leave the zero point in, and l_low may
 * then be anything. */
static bool split_fits(int64_t k, wide l, uint32_t split, ts_acc_range part, int64_t offset) {
    wide unit = (wide)1 << split;
    bool fits = fits_s32(ts__rq_high(k, split)) && fits_s32(floor_div(l - (wide)k * offset, unit));
    for (int end = 0; end < 2; end++) {
        wide a = end == 0 ? part.low : part.high;
        wide low = a * ts__rq_low(k, split), raw = (a + offset) * ts__rq_low(k, split);
        fits = fits && fits_s32(low) && fits_s32(low + unit) && fits_s32(raw) && fits_s32(raw + unit) &&
               fits_s32(floor_div((wide)k * a + l, unit));
    }
    return fits;
}

/* The l from which on kernels may take the one whose low bits are `shift`: all of a run are right; or, where
 * the kernels' accumulators are the layer's (offset 0), that one itself. False where there is neither. */
static bool take_run(wide low, wide high, uint32_t shift, int64_t offset, wide *l) {
    if (high - low >= TS_RQ_RUN - 1) {
        *l = low + (high - low - (TS_RQ_RUN - 1)) / 2;
        return true;
    }
    *l = low + (wide)(((uint64_t)shift - (uint64_t)low) & (TS_RQ_RUN - 1));
    return offset == 0 && *l <= high;
}

/* Puts a channel's line into the plan, scaled so that it fits the layer's split and leaves a run of
 * TS_RQ_RUN values of l, where the kernel keeps the channel's shift. */
static bool place_line(const staircase *s, const wide_line *found, ts_rq_plan *plan, uint32_t c,
                       ts_acc_range part, int64_t offset) {
    part = s->mirrored ? (ts_acc_range){-part.high, -part.low} : part;
    for (uint32_t more = 0; more <= 8; more++) {
        int32_t shift = (int32_t)(found->shift + more) - (int32_t)plan->split;
        wide scale = (wide)1 << more, k = found->k * scale;
        wide low = found->low * scale, high = (found->high + 1) * scale - 1;
        wide l;
        if (shift < 0 || shift > 31 || !take_run(low, high, (uint32_t)shift, offset, &l)) {
            continue;
        }
        k = s->mirrored ? -k : k;
        if (split_fits((int64_t)k, l, plan->split, part, offset) &&
            split_fits((int64_t)k, l + TS_RQ_RUN - 1, plan->split, part, offset)) {
            plan->k[c] = (int64_t)k;
            plan->l[c] = (int64_t)l;
            plan->channel_shift[c] = (uint8_t)shift;
            return true;
        }
    }
    return false;
}

/* Lines of more than 32 bits that two 32-bit steps compute, one split for the layer and one shift a channel;
 * on the accumulators inside a clip where there is one. */
static bool find_double(ts_arena *arena, staircase *stairs, const int64_t *offset, ts_rq_plan *plan,
                        const ts_acc_range *clipped) {
    wide_line *lines = TS_NEW_ARRAY(arena, wide_line, plan->channels);
    for (uint32_t c = 0; c < plan->channels; c++) {
        if (!find_wide_line(arena, &stairs[c], part_inside(&stairs[c], clipped), &lines[c])) {
            return false;
        }
    }
    for (plan->split = FIRST_SPLIT; plan->split <= LAST_SPLIT; plan->split++) {
        uint32_t placed = 0;
        while (placed < plan->channels &&
               place_line(&stairs[placed], &lines[placed], plan, placed,
                          part_inside(&stairs[placed], clipped), offset != NULL ? offset[placed] : 0)) {
            placed++;
        }
        if (placed == plan->channels) {
            return true;
        }
    }
    return false;
}

static bool find_double_clipped(ts_arena *arena, staircase *stairs, const int64_t *offset, ts_rq_plan *plan) {
    ts_acc_range bounds = symmetric_around(active_part(stairs, plan->channels), true);
    plan->acc_low = (int32_t)clip(bounds.low, INT32_MIN, INT32_MAX);
    plan->acc_high = (int32_t)clip(bounds.high, INT32_MIN, INT32_MAX);
    return fits_s32(bounds.low) && fits_s32(bounds.high) && find_double(arena, stairs, offset, plan, &bounds);
}

/* What stands behind the first of TFLite's two roundings, h; false where the second does nothing. */
static bool second_rounding(const staircase *s, const ts_rq_plan *plan, uint32_t shift, line_end *end) {
    int32_t right = -s->requant->shift[s->requant->channels == 1 ? 0 : s->channel];
    if (s->mirrored || right < 1 || right > 20 || s->f_last - s->f_first > MAX_LEVELS) {
        return false;
    }
    int64_t unit = INT64_C(1) << right;
    *end = (line_end){shift, true, (uint32_t)right, unit / 2 + plan->zero * unit};
    return fits_s32(end->middle);
}

/* The channel's line up to h. */
static bool find_rounded_line(ts_arena *arena, staircase *s, const line_end *end, ts_acc_range part,
                              wide_line *out) {
    out->shift = end->shift;
    if (s->f_first == s->f_last) {
        out->k = 0;
        out->low = level_of(end, s->f_first);
        out->high = out->low + ((wide)1 << end->shift) - 1;
        return true;
    }
    if (s->steps == NULL) {
        find_steps(arena, s);
    }
    out->high = search_line(s, end, part, false, &out->k, &out->low);
    out->high += out->low;
    return out->high >= out->low;
}

/* Do the lines fit 32 bits with this split? */
static bool place_rounded(const staircase *stairs, const wide_line *lines, const int64_t *offset,
                          ts_rq_plan *plan, const ts_acc_range *clipped, uint32_t split) {
    for (uint32_t c = 0; c < plan->channels; c++) {
        const wide_line *at = &lines[c];
        wide l;
        ts_acc_range part = part_inside(&stairs[c], clipped);
        int64_t more = offset != NULL ? offset[c] : 0;
        if (!take_run(at->low, at->high, plan->channel_shift[c], more, &l) ||
            !split_fits(at->k, l, split, part, more) ||
            !split_fits(at->k, l + TS_RQ_RUN - 1, split, part, more)) {
            return false;
        }
        plan->k[c] = at->k;
        plan->l[c] = (int64_t)l;
    }
    plan->split = split;
    plan->shift = lines[0].shift - split;
    return true;
}

/* TFLite's two roundings where results lie on both sides of the zero point: a line of `shift` bits to what
 * the first one gives, with its slope as near to TFLite's multiplier as these bits allow, and the second one
 * as it is. */
static bool find_rounded_at(ts_arena *arena, staircase *stairs, const int64_t *offset, ts_rq_plan *plan,
                            const ts_acc_range *clipped, wide_line *lines, uint32_t shift) {
    for (uint32_t c = 0; c < plan->channels; c++) {
        line_end end;
        if (!second_rounding(&stairs[c], plan, shift, &end) ||
            !find_rounded_line(arena, &stairs[c], &end, part_inside(&stairs[c], clipped), &lines[c])) {
            return false;
        }
        plan->channel_shift[c] = (uint8_t)end.right;
        plan->middle[c] = (int32_t)end.middle;
    }
    for (uint32_t split = FIRST_SPLIT; split <= shift; split++) {
        if (place_rounded(stairs, lines, offset, plan, clipped, split)) {
            return true;
        }
    }
    return false;
}

static bool find_rounded(ts_arena *arena, staircase *stairs, const int64_t *offset, ts_rq_plan *plan,
                         const ts_acc_range *clipped) {
    if (stairs[0].requant->kind != TS_REQUANT_TFLITE) {
        return false;
    }
    wide_line *lines = TS_NEW_ARRAY(arena, wide_line, plan->channels);
    for (uint32_t shift = FIRST_ROUNDED_SHIFT; shift <= LAST_ROUNDED_SHIFT; shift++) {
        if (find_rounded_at(arena, stairs, offset, plan, clipped, lines, shift)) {
            return true;
        }
    }
    return false;
}

static bool find_rounded_clipped(ts_arena *arena, staircase *stairs, ts_rq_plan *plan) {
    ts_acc_range bounds = symmetric_around(active_part(stairs, plan->channels), false);
    plan->acc_low = (int32_t)clip(bounds.low, INT32_MIN, INT32_MAX);
    plan->acc_high = (int32_t)clip(bounds.high, INT32_MIN, INT32_MAX);
    return fits_s32(bounds.low) && fits_s32(bounds.high) && find_rounded(arena, stairs, NULL, plan, &bounds);
}

/* Folds m and the bias into one line in 64 bits; false where they do not hold it over the whole range. */
static bool fold(const ts_requant *requant, uint32_t channel, int64_t bias, ts_acc_range acc, staircase *s) {
    uint32_t c = requant->channels == 1 ? 0 : channel;
    wide k, l, by_bias, low, high;
    if (__builtin_mul_overflow((wide)requant->kappa[c], (wide)requant->m, &k) ||
        __builtin_mul_overflow(k, (wide)bias, &by_bias) ||
        __builtin_mul_overflow((wide)requant->lambda[c], (wide)requant->m, &l) ||
        __builtin_add_overflow(l, by_bias, &l) || __builtin_mul_overflow(k, (wide)acc.low, &low) ||
        __builtin_mul_overflow(k, (wide)acc.high, &high)) {
        return false;
    }
    wide limit = (wide)1 << 62;
    if (k > limit || k < -limit || l > limit || l < -limit || low > limit || low < -limit || high > limit ||
        high < -limit) {
        return false;
    }
    s->k = (int64_t)k;
    s->l = (int64_t)l;
    s->d = requant->d;
    return true;
}

static bool build_staircase(const ts_requant *requant, uint32_t channel, int64_t bias, ts_acc_range acc,
                            staircase *s) {
    *s =
        (staircase){.requant = requant, .channel = channel, .bias = bias, .first = acc.low, .last = acc.high};
    if (requant->kind == TS_REQUANT_NEMO) {
        if (!fold(requant, channel, bias, acc, s)) {
            return false;
        }
        s->mirrored = s->k < 0;
        s->k = s->mirrored ? -s->k : s->k;
    } else {
        s->d = 1;
        s->mirrored = requant->multiplier[requant->channels == 1 ? 0 : channel] < 0;
    }
    if (s->mirrored) {
        s->first = -acc.high;
        s->last = -acc.low;
    }
    s->f_first = evaluate(s, s->first);
    s->f_last = evaluate(s, s->last);
    return true;
}

static uint32_t log2_exact(int64_t value) {
    return (value & (value - 1)) == 0 ? (uint32_t)__builtin_ctzll((unsigned long long)value) : 0;
}

/* The class that is the graph's own: 64 bits, or TFLite's arithmetic. */
static void keep_own(const ts_requant *requant, const int64_t *bias, const staircase *stairs, ts_arena *arena,
                     ts_rq_plan *out) {
    bool tflite = requant->kind == TS_REQUANT_TFLITE;
    out->class_ = tflite ? TS_RQC_TFLITE : TS_RQC_S64;
    out->div = tflite ? 1 : requant->d;
    out->shift = log2_exact(out->div);
    out->tflite_shift = TS_NEW_ARRAY(arena, int32_t, out->channels);
    for (uint32_t c = 0; c < out->channels; c++) {
        uint32_t own = requant->channels == 1 ? 0 : c;
        out->k[c] = tflite ? requant->multiplier[own] : stairs[c].mirrored ? -stairs[c].k : stairs[c].k;
        out->l[c] = !tflite ? stairs[c].l : bias != NULL ? bias[c] : 0;
        out->tflite_shift[c] = tflite ? requant->shift[own] : 0;
    }
}

static void plan_none(const int64_t *bias, ts_rq_plan *out) {
    out->class_ = TS_RQC_NONE;
    for (uint32_t c = 0; c < out->channels; c++) {
        out->k[c] = 1;
        out->l[c] = bias != NULL ? bias[c] : 0;
    }
}

static void free_arena(void *arena) { ts_arena_free(arena); }

static ts_rq_plan empty_plan(ts_arena *arena, const ts_requant *requant, uint32_t channels) {
    ts_rq_plan plan = {.channels = channels, .div = 1, .low = requant->low, .high = requant->high};
    plan.k = TS_NEW_ARRAY(arena, int64_t, channels);
    plan.l = TS_NEW_ARRAY(arena, int64_t, channels);
    plan.channel_shift = TS_NEW_ARRAY(arena, uint8_t, channels);
    plan.middle = TS_NEW_ARRAY(arena, int32_t, channels);
    plan.zero = requant->zero;
    return plan;
}

/* The cheapest class that is proved; false where it is the graph's own. Kernels cannot clip accumulators that
 * hold a zero point, so two steps come before a clip there. */
static bool narrow(ts_arena *scratch, staircase *stairs, const int64_t *offset, ts_rq_plan *plan) {
    if (find_shift(scratch, stairs, plan, NULL)) {
        plan->class_ = TS_RQC_S32;
        return true;
    }
    for (int i = 0; i < 2; i++) {
        if ((i == 0) == (offset == NULL) && find_clipped(scratch, stairs, plan)) {
            plan->class_ = TS_RQC_S32C;
            return true;
        }
        if ((i == 1) == (offset == NULL) && find_double(scratch, stairs, offset, plan, NULL)) {
            plan->class_ = TS_RQC_S32D;
            return true;
        }
    }
    if (offset == NULL && find_double_clipped(scratch, stairs, NULL, plan)) {
        plan->class_ = TS_RQC_S32DC;
        return true;
    }
    if (find_rounded(scratch, stairs, offset, plan, NULL)) {
        plan->class_ = TS_RQC_S32R;
        return true;
    }
    if (offset != NULL && find_double_clipped(scratch, stairs, NULL, plan)) {
        plan->class_ = TS_RQC_S32DC;
        return true;
    }
    plan->class_ = TS_RQC_S32RC;
    return find_rounded_clipped(scratch, stairs, plan);
}

/* Do accumulators pass 32 bits? What they are clipped to first is then no help: kernels keep 64. */
static bool is_wide(const ts_acc_range *acc, uint32_t channels) {
    uint32_t narrow = 0;
    while (narrow < channels && fits_s32(acc[narrow].low) && fits_s32(acc[narrow].high)) {
        narrow++;
    }
    return narrow < channels;
}

ts_status ts__requant_plan(ts_arena *arena, const ts_requant *requant, uint32_t channels, const int64_t *bias,
                           const ts_acc_range *acc, const int64_t *offset, ts_rq_plan *out, ts_rq_plan *own,
                           const char *node, const char *op, ts_diags *diags) {
    *out = empty_plan(arena, requant, channels);
    *own = empty_plan(arena, requant, channels);
    if (requant->kind == TS_REQUANT_NONE) {
        plan_none(bias, out);
        *own = *out;
        return TS_OK;
    }
    ts_arena *scratch = ts_arena_new("requantisation proof", 0);
    ts_guard_defer(free_arena, scratch);
    staircase *stairs = TS_NEW_ARRAY(scratch, staircase, channels);
    ts_status status = TS_OK;
    for (uint32_t c = 0; c < channels && status == TS_OK; c++) {
        if (!build_staircase(requant, c, bias != NULL ? bias[c] : 0, acc[c], &stairs[c])) {
            status = ts_error(
                diags, TS_DIAG_VALUE, node, op,
                "kappa, lambda, m and bias of channel %u leave 64 bits when they are multiplied; smaller "
                "multipliers would do",
                c);
        }
    }
    if (status == TS_OK) {
        keep_own(requant, bias, stairs, arena, own);
        if (is_wide(acc, channels) || !narrow(scratch, stairs, offset, out)) {
            *out = *own;
        }
    }
    ts_guard_undefer(scratch);
    ts_arena_free(scratch);
    return status;
}

static int64_t apply_s32(const ts_rq_plan *plan, uint32_t c, int64_t acc) {
    int32_t sum = (int32_t)((uint32_t)acc * (uint32_t)plan->k[c] + (uint32_t)plan->l[c]);
    return clip(sum >> plan->shift, plan->low, plan->high);
}

/* floor((k acc + l) / 2^split) in two steps of 32 bits. */
static int32_t two_steps(const ts_rq_plan *plan, uint32_t c, int64_t acc) {
    int64_t l = ts__rq_wide_offset(plan, c, 0), mask = (INT64_C(1) << plan->split) - 1;
    uint32_t a = (uint32_t)acc, k_low = (uint32_t)ts__rq_low(plan->k[c], plan->split);
    int32_t low = (int32_t)(a * k_low + (uint32_t)(l & mask));
    uint32_t sum = (uint32_t)(low >> plan->split) + a * (uint32_t)ts__rq_high(plan->k[c], plan->split);
    return (int32_t)(sum + (uint32_t)(l >> plan->split));
}

static int64_t apply_s32d(const ts_rq_plan *plan, uint32_t c, int64_t acc) {
    return clip(two_steps(plan, c, acc) >> plan->channel_shift[c], plan->low, plan->high);
}

static int64_t apply_s32r(const ts_rq_plan *plan, uint32_t c, int64_t acc) {
    int32_t h = two_steps(plan, c, acc) >> plan->shift;
    return clip((h - (h < plan->middle[c])) >> plan->channel_shift[c], plan->low, plan->high);
}

int64_t ts__rq_plan_apply(const ts_rq_plan *plan, const ts_requant *requant, uint32_t channel, int64_t acc) {
    switch (plan->class_) {
        case TS_RQC_S32:
            return apply_s32(plan, channel, acc);
        case TS_RQC_S32C:
            return apply_s32(plan, channel, clip(acc, plan->acc_low, plan->acc_high));
        case TS_RQC_S32D:
            return apply_s32d(plan, channel, acc);
        case TS_RQC_S32DC:
            return apply_s32d(plan, channel, clip(acc, plan->acc_low, plan->acc_high));
        case TS_RQC_S32R:
            return apply_s32r(plan, channel, acc);
        case TS_RQC_S32RC:
            return apply_s32r(plan, channel, clip(acc, plan->acc_low, plan->acc_high));
        case TS_RQC_S64:
            return clip(floor_div((wide)acc * plan->k[channel] + plan->l[channel], plan->div), plan->low,
                        plan->high);
        case TS_RQC_TFLITE:
            return ts_requant_apply(requant, channel, acc + plan->l[channel]);
        default:
            return acc + plan->l[channel];
    }
}

const char *ts_rq_class_name(ts_rq_class class_) {
    static const char *const names[] = {"none", "s32",   "s32c", "s64",  "tflite",
                                        "s32d", "s32dc", "s32r", "s32rc"};
    return names[class_];
}
