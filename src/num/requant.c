/* Requantisation and the other scalar rules of docs/arithmetic.md. */
#include "num/integer.h"

__extension__ typedef __int128 wide;

int64_t ts_floor_div(int64_t n, int64_t d) {
    int64_t q = n / d;
    return n % d < 0 ? q - 1 : q;
}

static wide wide_floor_div(wide n, int64_t d) {
    wide q = n / d;
    return n % d < 0 ? q - 1 : q;
}

static int32_t clip(wide v, int32_t low, int32_t high) {
    return v < low ? low : v > high ? high : (int32_t)v;
}

/* floor((kappa acc + lambda) m / d): in 64 bits where every step fits them, else in 128. */
static wide nemo(const ts_requant *requant, uint32_t c, int64_t acc) {
    int64_t t, u;
    if (!__builtin_mul_overflow(requant->kappa[c], acc, &t) &&
        !__builtin_add_overflow(t, requant->lambda[c], &t) && !__builtin_mul_overflow(t, requant->m, &u)) {
        return ts_floor_div(u, requant->d);
    }
    wide exact = ((wide)requant->kappa[c] * acc + requant->lambda[c]) * requant->m;
    return wide_floor_div(exact, requant->d);
}

/* gemmlowp's SaturatingRoundingDoublingHighMul: round(a b / 2^31), halves upward. */
static int32_t rounding_doubling_high_mul(int32_t a, int32_t b) {
    if (a == INT32_MIN && b == INT32_MIN) {
        return INT32_MAX;
    }
    int64_t product = (int64_t)a * b;
    int64_t nudge = product >= 0 ? INT64_C(1) << 30 : 1 - (INT64_C(1) << 30);
    return (int32_t)((product + nudge) / (INT64_C(1) << 31));
}

/* gemmlowp's RoundingDivideByPOT: round(x / 2^exponent), halves away from zero. */
static int32_t rounding_divide_by_power(int32_t x, int32_t exponent) {
    int64_t mask = (INT64_C(1) << exponent) - 1;
    int64_t remainder = x & mask;
    int64_t threshold = (mask >> 1) + (x < 0);
    return (x >> exponent) + (remainder > threshold);
}

static wide tflite(const ts_requant *requant, uint32_t c, int64_t acc) {
    int32_t left = requant->shift[c] > 0 ? requant->shift[c] : 0;
    int32_t right = requant->shift[c] > 0 ? 0 : -requant->shift[c];
    int32_t shifted = clip((wide)acc * ((wide)1 << left), INT32_MIN, INT32_MAX);
    int32_t scaled = rounding_doubling_high_mul(shifted, requant->multiplier[c]);
    return (wide)rounding_divide_by_power(scaled, right) + requant->zero;
}

int32_t ts_requant_apply(const ts_requant *requant, uint32_t channel, int64_t acc) {
    uint32_t c = requant->channels == 1 ? 0 : channel;
    switch (requant->kind) {
        case TS_REQUANT_NEMO:
            return clip(nemo(requant, c, acc), requant->low, requant->high);
        case TS_REQUANT_TFLITE:
            return clip(tflite(requant, c, acc), requant->low, requant->high);
        default:
            return clip(acc, INT32_MIN, INT32_MAX);
    }
}

int32_t ts_add_step_apply(const ts_add_step *step, int64_t v) {
    return clip(wide_floor_div((wide)v * step->mul + step->add, step->div), step->low, step->high);
}

static uint32_t signed_bits(wide v) {
    uint32_t bits = 1;
    for (v = v < 0 ? -(v + 1) : v; v > 0; v >>= 1) {
        bits++;
    }
    return bits;
}

void ts_requant_widths(const ts_graph *graph, const ts_node *node, uint32_t *t_bits, uint32_t *u_bits) {
    const ts_requant *r = &node->requant;
    *t_bits = *u_bits = 0;
    if (r->kind != TS_REQUANT_NEMO) {
        return;
    }
    uint32_t channels = ts_c(&graph->tensors.data[node->output]);
    for (uint32_t channel = 0; channel < channels; channel++) {
        uint32_t c = r->channels == 1 ? 0 : channel;
        int64_t ends[2];
        ts_node_acc_range(graph, node, channel, &ends[0], &ends[1]);
        for (int i = 0; i < 2; i++) {
            wide t = (wide)r->kappa[c] * ends[i] + r->lambda[c];
            uint32_t t_needs = signed_bits(t), u_needs = signed_bits(t * r->m);
            *t_bits = t_needs > *t_bits ? t_needs : *t_bits;
            *u_bits = u_needs > *u_bits ? u_needs : *u_bits;
        }
    }
}
