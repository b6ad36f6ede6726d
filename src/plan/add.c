#include "plan/add.h"

#include <math.h>

#include "num/integer.h"

enum {
    LEVELS = 256,
    MAX_SHIFT = 27,
    SHIFTS = 4, /* tried, from the largest one that fits */
    STEPS = 40  /* of the search for slopes */
};

/* What the addition gives for each pair of operands. */
typedef struct sums {
    ts_acc_range a, b, a_type, b_type; /* what the operands hold, and what their types do */
    int32_t low, high;                 /* of the result */
    int16_t y[LEVELS][LEVELS];
} sums;

/* y = clip((ka a + kb b + l) >> shift). */
typedef struct add_line {
    int64_t ka, kb, l;
    uint32_t shift;
} add_line;

static bool is_byte(ts_type type) { return type == TS_U8 || type == TS_S8; }

static bool same_in_all_channels(const ts_requant *rq) {
    for (uint32_t c = 1; c < rq->channels; c++) {
        bool same = rq->kind == TS_REQUANT_TFLITE
                        ? rq->multiplier[c] == rq->multiplier[0] && rq->shift[c] == rq->shift[0]
                        : rq->kappa[c] == rq->kappa[0] && rq->lambda[c] == rq->lambda[0];
        if (!same) {
            return false;
        }
    }
    return true;
}

static void tabulate(const ts_node *node, sums *s) {
    const ts_requant *rq = &node->requant;
    for (int64_t a = s->a.low; a <= s->a.high; a++) {
        int64_t first = ts_add_step_apply(&node->in1, a);
        for (int64_t b = s->b.low; b <= s->b.high; b++) {
            int32_t sum = ts_add_step_apply(&node->sum, first + ts_add_step_apply(&node->in2, b));
            int32_t y = rq->kind == TS_REQUANT_NONE ? sum : ts_requant_apply(rq, 0, sum);
            s->y[a - s->a.low][b - s->b.low] = (int16_t)y;
        }
    }
}

/* Results a unit of the sum of both steps. */
static double slope_behind(const ts_node *node) {
    const ts_requant *rq = &node->requant;
    double slope = (double)node->sum.mul / (double)node->sum.div;
    if (rq->kind == TS_REQUANT_NEMO) {
        return slope * (double)rq->kappa[0] * (double)rq->m / (double)rq->d;
    }
    return rq->kind == TS_REQUANT_TFLITE ? slope * ldexp(rq->multiplier[0], rq->shift[0] - 31) : slope;
}

/* The values of l for which a line meets every pair, and how the room that they leave changes with the
 * slopes: of the pairs that bound l, the difference. */
typedef struct offsets {
    int64_t low, high;
    int64_t by_ka, by_kb;
} offsets;

static offsets offsets_for(const sums *s, const add_line *line) {
    int64_t unit = INT64_C(1) << line->shift, from_a = 0, from_b = 0, to_a = 0, to_b = 0;
    offsets o = {.low = INT32_MIN, .high = INT32_MAX};
    for (int64_t a = s->a.low; a <= s->a.high; a++) {
        int64_t t = line->ka * a + line->kb * s->b.low;
        const int16_t *y = s->y[a - s->a.low];
        for (int64_t b = s->b.low; b <= s->b.high; b++, y++, t += line->kb) {
            int64_t from = *y * unit - t, to = from + unit - 1;
            if (*y > s->low && from > o.low) {
                o.low = from;
                from_a = a;
                from_b = b;
            }
            if (*y < s->high && to < o.high) {
                o.high = to;
                to_a = a;
                to_b = b;
            }
        }
    }
    o.by_ka = from_a - to_a;
    o.by_kb = from_b - to_b;
    return o;
}

/* The share of l that goes with the first operand: it keeps both shares small. */
static int64_t first_offset(const sums *s, const add_line *line) {
    return -line->ka * ((s->a.low + s->a.high) / 2);
}

/* Do both shares and their sum stay in 32 bits, whatever bytes the operands are? */
static bool line_fits(const sums *s, const add_line *line) {
    int64_t l = first_offset(s, line), low = 0, high = 0;
    int64_t ends[2][2] = {{line->ka * s->a_type.low + l, line->ka * s->a_type.high + l},
                          {line->kb * s->b_type.low + line->l - l, line->kb * s->b_type.high + line->l - l}};
    for (int i = 0; i < 2; i++) {
        int64_t least = ends[i][0] < ends[i][1] ? ends[i][0] : ends[i][1];
        int64_t most = ends[i][0] < ends[i][1] ? ends[i][1] : ends[i][0];
        if (least < INT32_MIN || most > INT32_MAX) {
            return false;
        }
        low += least;
        high += most;
    }
    return low >= INT32_MIN && high <= INT32_MAX;
}

/* A line near the slopes `a` and `b` at this shift. Each pair of operands bounds slopes and offset by a
 * plane: a step goes behind the plane that is violated most. */
static bool find_at(const sums *s, double a, double b, uint32_t shift, add_line *out) {
    double ka = ldexp(a, (int)shift), kb = ldexp(b, (int)shift);
    for (uint32_t i = 0; i < STEPS; i++) {
        add_line line = {.ka = llrint(ka), .kb = llrint(kb), .shift = shift};
        offsets o = offsets_for(s, &line);
        line.l = o.low + (o.high - o.low) / 2;
        if (o.low <= o.high) {
            *out = line;
            return line_fits(s, &line);
        }
        double square = (double)(o.by_ka * o.by_ka + o.by_kb * o.by_kb);
        if (square == 0) {
            return false;
        }
        double step = (double)(o.low - o.high) / square;
        ka += step * (double)o.by_ka;
        kb += step * (double)o.by_kb;
    }
    return false;
}

/* Tries the largest shifts at which results, unclipped, may stay in 32 bits. */
static bool find_line(const sums *s, double a, double b, add_line *out) {
    double span = (fabs(a) + fabs(b)) * (LEVELS - 1) + 1;
    uint32_t shift = MAX_SHIFT;
    while (shift > 0 && ldexp(span, (int)shift) > 0x1p32) {
        shift--;
    }
    bool found = false;
    for (uint32_t i = 0; i < SHIFTS && shift > i && !found; i++) {
        found = find_at(s, a, b, shift - i, out);
    }
    return found;
}

static void take_line(const add_line *line, const sums *s, ts_layer *layer) {
    int64_t l = first_offset(s, line);
    layer->in1 = (ts_add_step){line->ka, l, 1, INT32_MIN, INT32_MAX};
    layer->in2 = (ts_add_step){line->kb, line->l - l, 1, INT32_MIN, INT32_MAX};
    layer->sum = (ts_add_step){1, 0, INT64_C(1) << line->shift, s->low, s->high};
    layer->rq.class_ = layer->rq_own.class_ = TS_RQC_NONE;
}

/* Multipliers of a byte alone: two pairs are dot products of bytes already. */
static bool is_plain(const ts_node *node) {
    const ts_add_step *a = &node->in1, *b = &node->in2, *sum = &node->sum;
    return node->requant.kind == TS_REQUANT_NONE && a->mul >= 0 && a->mul < LEVELS && b->mul >= 0 &&
           b->mul < LEVELS && a->div == 1 && b->div == 1 && a->add == 0 && b->add == 0 && sum->mul == 1 &&
           sum->add == 0;
}

static void free_arena(void *arena) { ts_arena_free(arena); }

void ts__add_line(const ts_node *node, ts_acc_range a, ts_acc_range b, ts_layer *layer) {
    const ts_requant *rq = &node->requant;
    if (!is_byte(layer->x.type) || !is_byte(layer->x2.type) || !is_byte(layer->y.type) || is_plain(node) ||
        !same_in_all_channels(rq)) {
        return;
    }
    ts_arena *scratch = ts_arena_new("addition proof", 0);
    ts_guard_defer(free_arena, scratch);
    sums *s = TS_NEW(scratch, sums);
    int32_t low = rq->kind == TS_REQUANT_NONE ? node->sum.low : rq->low;
    int32_t high = rq->kind == TS_REQUANT_NONE ? node->sum.high : rq->high;
    int32_t least = (int32_t)ts_type_low(layer->y.type), most = (int32_t)ts_type_high(layer->y.type);
    s->a = a;
    s->b = b;
    s->a_type = (ts_acc_range){ts_type_low(layer->x.type), ts_type_high(layer->x.type)};
    s->b_type = (ts_acc_range){ts_type_low(layer->x2.type), ts_type_high(layer->x2.type)};
    s->low = low > least ? low : least;
    s->high = high < most ? high : most;
    tabulate(node, s);
    double behind = slope_behind(node);
    add_line line;
    if (find_line(s, behind * (double)node->in1.mul / (double)node->in1.div,
                  behind * (double)node->in2.mul / (double)node->in2.div, &line)) {
        take_line(&line, s, layer);
    }
    ts_guard_undefer(scratch);
    ts_arena_free(scratch);
}
