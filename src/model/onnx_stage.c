#include "model/onnx.h"

static ts_status too_large(ts_onnx *net, const ts_onnx_node *node) {
    return ts_error(net->diags, TS_DIAG_VALUE, node->name, node->op,
                    "its constants make a product that passes 63 bits");
}

static bool multiply(int64_t *x, int64_t by) { return !__builtin_mul_overflow(*x, by, x); }

static bool add(int64_t *x, int64_t term) { return !__builtin_add_overflow(*x, term, x); }

static int64_t floor_div(int64_t n, int64_t d) { return n / d - (n % d != 0 && (n < 0) != (d < 0)); }

static bool bounded(const ts_stage *s) { return s->low != INT64_MIN || s->high != INT64_MAX; }

static bool closed(const ts_stage *s) { return s->floored || bounded(s); }

/* Nothing is left behind the point: m is a factor only, so a divisor of 1 decides. */
bool ts__stage_whole(const ts_stage *s) { return s->floored || (s->d == 1 && s->mean == 1); }

bool ts__stage_identity(const ts_stage *s) {
    if (bounded(s) || s->m != 1 || s->d != 1 || s->mean != 1) {
        return false;
    }
    for (uint32_t i = 0; i < s->channels; i++) {
        if (s->a[i] != 1 || s->b[i] != 0) {
            return false;
        }
    }
    return true;
}

/* The node has changed the stage: its value names the stage's result. */
static void touch(const ts_onnx *net, const ts_onnx_node *node, ts_stage *s) {
    if (node->output_count > 0 && node->outputs[0] != TS_NONE) {
        s->name = net->values.data[node->outputs[0]].name;
    }
}

ts_stage *ts__stage_push(ts_onnx *net, const ts_onnx_node *node, ts_meaning *x) {
    ts_stage s = {
        .channels = 1,
        .a = TS_NEW(net->scratch, int64_t),
        .b = TS_NEW(net->scratch, int64_t),
        .m = 1,
        .d = 1,
        .mean = 1,
        .low = INT64_MIN,
        .high = INT64_MAX,
        .node_name = node->name,
        .file_index = node->file_index,
    };
    s.a[0] = 1;
    touch(net, node, &s);
    TS_PUSH(net->scratch, &x->stages, s);
    return &x->stages.data[x->stages.count - 1];
}

static ts_stage *last_stage(ts_onnx *net, const ts_onnx_node *node, ts_meaning *x) {
    return x->stages.count > 0 ? &x->stages.data[x->stages.count - 1] : ts__stage_push(net, node, x);
}

/* Gives the stage `channels` coefficients where it has one. */
static ts_status widen(ts_onnx *net, const ts_onnx_node *node, ts_stage *s, uint32_t channels) {
    if (s->channels >= channels) {
        return TS_OK;
    }
    TS_TRY(ts__onnx_work(net, node, channels));
    int64_t *a = TS_NEW_ARRAY(net->scratch, int64_t, channels);
    int64_t *b = TS_NEW_ARRAY(net->scratch, int64_t, channels);
    for (uint32_t i = 0; i < channels; i++) {
        a[i] = s->a[0];
        b[i] = s->b[0];
    }
    s->a = a;
    s->b = b;
    s->channels = channels;
    return TS_OK;
}

/* Moves m into the coefficients. */
static bool fold_m(ts_stage *s) {
    for (uint32_t i = 0; s->m != 1 && i < s->channels; i++) {
        if (!multiply(&s->a[i], s->m) || !multiply(&s->b[i], s->m)) {
            return false;
        }
    }
    s->m = 1;
    return true;
}

static int64_t at(ts_operand v, uint32_t i) { return v.values[v.count == 1 ? 0 : i]; }

static bool all_equal(ts_operand v, int64_t value) {
    for (uint32_t i = 0; i < v.count; i++) {
        if (v.values[i] != value) {
            return false;
        }
    }
    return true;
}

static ts_status multiply_open(ts_onnx *net, const ts_onnx_node *node, ts_stage *s, ts_operand k,
                               bool integer) {
    int64_t scalar = k.values[0];
    if (k.count == 1 && s->mean > 1 && scalar % s->mean == 0) {
        scalar /= s->mean;
        s->mean = 1;
        if (scalar == 1) {
            return TS_OK;
        }
        k.values = &scalar;
    }
    if (k.count == 1 && (s->scaled || integer)) {
        return multiply(&s->m, scalar) ? TS_OK : too_large(net, node);
    }
    TS_TRY(widen(net, node, s, k.count));
    TS_TRY(ts__onnx_work(net, node, s->channels));
    s->scaled = true;
    for (uint32_t i = 0; i < s->channels; i++) {
        if (!multiply(&s->a[i], at(k, i)) || !multiply(&s->b[i], at(k, i))) {
            return too_large(net, node);
        }
    }
    return TS_OK;
}

/* k clip(v, low, high) = clip(k v, k low, k high) for k > 0, where all channels agree on the bounds. */
static bool push_factor(ts_stage *s, ts_operand k) {
    if (s->low != INT64_MIN && s->high != INT64_MAX && s->high / 2 - s->low / 2 < INT16_MAX) {
        return false; /* an activation: what follows belongs to another layer */
    }
    for (uint32_t i = 0; i < k.count; i++) {
        if (k.values[i] <= 0) {
            return false;
        }
    }
    int64_t low = s->low, high = s->high;
    bool zero_low = low == INT64_MIN || low == 0, zero_high = high == INT64_MAX || high == 0;
    if (!(zero_low && zero_high) && !all_equal(k, k.values[0])) {
        return false;
    }
    if ((!zero_low && !multiply(&low, k.values[0])) || (!zero_high && !multiply(&high, k.values[0]))) {
        return false;
    }
    s->low = low;
    s->high = high;
    return true;
}

ts_status ts__stage_multiply(ts_onnx *net, const ts_onnx_node *node, ts_meaning *x, ts_operand k) {
    if (all_equal(k, 1)) {
        return TS_OK;
    }
    ts_stage *s = last_stage(net, node, x);
    if (closed(s) && (s->floored || s->d != 1 || s->mean != 1 || !push_factor(s, k))) {
        s = ts__stage_push(net, node, x);
    }
    touch(net, node, s);
    return multiply_open(net, node, s, k, x->integer);
}

ts_status ts__stage_add(ts_onnx *net, const ts_onnx_node *node, ts_meaning *x, ts_operand k) {
    ts_stage *s = last_stage(net, node, x);
    if (bounded(s) && (!ts__stage_whole(s) || !all_equal(k, k.values[0]))) {
        s = ts__stage_push(net, node, x);
    }
    if (bounded(s)) {
        if ((s->low != INT64_MIN && !add(&s->low, k.values[0])) ||
            (s->high != INT64_MAX && !add(&s->high, k.values[0]))) {
            return too_large(net, node);
        }
    }
    touch(net, node, s);
    TS_TRY(widen(net, node, s, k.count));
    TS_TRY(ts__onnx_work(net, node, s->channels));
    s->scaled = true;
    int64_t scale = s->d;
    if (!fold_m(s) || !multiply(&scale, s->mean)) {
        return too_large(net, node);
    }
    for (uint32_t i = 0; i < s->channels; i++) {
        int64_t term = at(k, i);
        if (!multiply(&term, scale) || !add(&s->b[i], term)) {
            return too_large(net, node);
        }
    }
    return TS_OK;
}

ts_status ts__stage_half(ts_onnx *net, const ts_onnx_node *node, ts_meaning *x) {
    ts_stage *s = last_stage(net, node, x);
    int64_t scale = s->d;
    bool fits = fold_m(s) && multiply(&scale, s->mean);
    for (uint32_t i = 0; fits && scale % 2 != 0 && i < s->channels; i++) {
        fits = multiply(&s->a[i], 2) && multiply(&s->b[i], 2);
    }
    if (scale % 2 != 0) {
        fits = fits && multiply(&s->d, 2) && multiply(&scale, 2);
    }
    for (uint32_t i = 0; fits && i < s->channels; i++) {
        fits = add(&s->b[i], scale / 2);
    }
    return fits ? ts__onnx_work(net, node, s->channels) : too_large(net, node);
}

/* floor((v + b) / d) of an integer v = floor(n / D) is floor((n + b D) / (d D)): the two roundings are one.
 * Clips of v move behind it. False where the factor of `s` is not 1 or the bounds differ by channel. */
static ts_status merge(ts_onnx *net, const ts_onnx_node *node, ts_stage *p, const ts_stage *s, bool *merged) {
    *merged = false;
    if (!ts__stage_whole(p) || s->channels != 1 || s->a[0] != 1 || s->m != 1 || s->mean != 1) {
        return TS_OK;
    }
    int64_t divisor = p->d, term = s->b[0], low = p->low, high = p->high;
    bool fits = multiply(&divisor, p->mean) && multiply(&term, divisor) && multiply(&divisor, s->d) &&
                (low == INT64_MIN || add(&low, s->b[0])) && (high == INT64_MAX || add(&high, s->b[0])) &&
                (term == 0 || fold_m(p));
    TS_TRY(ts__onnx_work(net, node, p->channels));
    for (uint32_t i = 0; fits && i < p->channels; i++) {
        fits = add(&p->b[i], term);
    }
    if (!fits) {
        return too_large(net, node);
    }
    p->d = divisor;
    p->mean = 1;
    p->name = s->name;
    p->floored = true;
    p->low = low == INT64_MIN ? low : floor_div(low, s->d);
    p->high = high == INT64_MAX ? high : floor_div(high, s->d);
    *merged = true;
    return TS_OK;
}

ts_status ts__stage_floor(ts_onnx *net, const ts_onnx_node *node, ts_meaning *x) {
    if (x->stages.count == 0) {
        x->name = x->pending != NULL ? net->values.data[node->outputs[0]].name : x->name;
        return TS_OK;
    }
    ts_stage *s = &x->stages.data[x->stages.count - 1];
    if (ts__stage_whole(s)) {
        touch(net, node, s);
        return TS_OK;
    }
    s->floored = true;
    touch(net, node, s);
    bool merged = false;
    if (x->stages.count >= 2 && !bounded(s)) {
        TS_TRY(merge(net, node, s - 1, s, &merged));
        x->stages.count -= merged;
    }
    return TS_OK;
}

ts_status ts__stage_divide(ts_onnx *net, const ts_onnx_node *node, ts_meaning *x, int64_t divisor,
                           bool integer) {
    if (divisor <= 0) {
        return ts_error(net->diags, TS_DIAG_VALUE, node->name, node->op,
                        "division by %lld; the divisor must be positive", (long long)divisor);
    }
    if (divisor == 1) {
        return TS_OK;
    }
    ts_stage *s = last_stage(net, node, x);
    if (closed(s)) {
        s = ts__stage_push(net, node, x);
    }
    if (!multiply(&s->d, divisor)) {
        return too_large(net, node);
    }
    touch(net, node, s);
    return integer ? ts__stage_floor(net, node, x) : TS_OK;
}

static int64_t clamp(int64_t v, int64_t low, int64_t high) { return v < low ? low : v > high ? high : v; }

ts_status ts__stage_clip(ts_onnx *net, const ts_onnx_node *node, ts_meaning *x, int64_t low, int64_t high) {
    if (low > high) {
        return ts_error(net->diags, TS_DIAG_VALUE, node->name, node->op,
                        "its lower bound %lld is above its upper bound %lld", (long long)low,
                        (long long)high);
    }
    if (low == INT64_MIN && high == INT64_MAX) {
        return TS_OK;
    }
    ts_stage *s = last_stage(net, node, x);
    s->low = clamp(s->low, low, high);
    s->high = clamp(s->high, low, high);
    touch(net, node, s);
    return TS_OK;
}
