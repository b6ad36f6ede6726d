#include "quant/ranges.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "num/float.h"
#include "quant/stage.h"

enum { KEPT = 1 << 15, RANGE_STEPS = 80 };

/* What a value was on the calibration set: its exact ends and a fair choice of its elements. */
typedef struct seen {
    double low, high;
    float *kept;
    uint32_t count;
} seen;

static void look(seen *s, const float *x, uint64_t elements, uint32_t sample, uint32_t samples) {
    uint32_t quota = KEPT / samples + 1;
    uint64_t stride = elements / quota + 1;
    for (uint64_t i = 0; i < elements; i++) {
        s->low = fmin(s->low, (double)x[i]);
        s->high = fmax(s->high, (double)x[i]);
    }
    for (uint64_t i = sample % stride; i < elements && s->count < KEPT; i += stride) {
        s->kept[s->count++] = x[i];
    }
}

static ts_status watch(ts_arena *scratch, const ts_quant *quant, const ts_data *data,
                       const ts_progress *progress, seen *all, ts_diags *diags) {
    const ts_qnet *net = quant->net;
    ts_fgraph *graph = ts_fgraph_new(scratch, net->name);
    ts_tensor_id *values = TS_NEW_ARRAY(scratch, ts_tensor_id, net->layers.count + 1);
    ts_tensor_id *sums = TS_NEW_ARRAY(scratch, ts_tensor_id, net->layers.count);
    TS_TRY(ts__stage_network(graph, net, NULL, TS_STAGE_FP, values, sums, diags));
    const ts_ftensor *tensors = graph->tensors.data;
    TS_TRY(ts_data_check(data, &tensors[values[0]], diags));
    ts_fsession *session = ts_fsession_new(scratch, graph);
    float *x = TS_NEW_ARRAY(scratch, float, ts_ftensor_elements(&tensors[values[0]]));
    float *room = TS_NEW_ARRAY(scratch, float, ts_data_scratch(data));
    for (uint32_t v = 0; v <= net->layers.count; v++) {
        all[v] = (seen){.low = INFINITY, .high = -INFINITY, .kept = TS_NEW_ARRAY(scratch, float, KEPT)};
    }
    for (uint32_t i = 0; i < data->count; i++) {
        ts_data_sample(data, i, &tensors[values[0]], room, x);
        ts_fsession_run(session, (const float *const[]){x});
        for (uint32_t v = 0; v <= net->layers.count; v++) {
            look(&all[v], ts_fsession_value(session, values[v]), ts_ftensor_elements(&tensors[values[v]]), i,
                 data->count);
        }
        if (progress != NULL && progress->report != NULL) {
            progress->report(progress->object, i + 1, data->count);
        }
    }
    return TS_OK;
}

static double grid_error(const seen *s, double scale, double low, double high) {
    double error = 0;
    for (uint32_t i = 0; i < s->count; i++) {
        double q = floor((double)s->kept[i] / scale + 0.5);
        q = q < low ? low : q > high ? high : q;
        double e = (double)s->kept[i] - q * scale;
        error += e * e;
    }
    return error;
}

static int by_size(const void *a, const void *b) {
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

/* The magnitude that a share of the kept elements stays within. */
static double quantile(seen *s, double share) {
    for (uint32_t i = 0; i < s->count; i++) {
        s->kept[i] = fabsf(s->kept[i]);
    }
    qsort(s->kept, s->count, sizeof *s->kept, by_size);
    uint32_t at = s->count == 0 ? 0 : (uint32_t)(share * (s->count - 1));
    return s->count == 0 ? 0 : (double)s->kept[at];
}

static double choose_scale(const ts_quant_options *o, seen *s, double low, double high) {
    double top = fmax(s->high, -s->low), best = top / high, least = INFINITY;
    bool searches = o->ranges == TS_RANGE_MSE || o->ranges == TS_RANGE_BEST;
    if (o->ranges == TS_RANGE_PERCENTILE) {
        double inner = quantile(s, o->percentile);
        best = inner > 0 ? inner / high : best;
    }
    for (uint32_t i = 0; i < RANGE_STEPS && searches; i++) {
        double scale = top / high * (1.0 - 0.9 * i / RANGE_STEPS), error = grid_error(s, scale, low, high);
        if (error < least) {
            least = error;
            best = scale;
        }
    }
    return best > 0 ? best : 1.0;
}

static ts_type type_of(uint32_t bits, bool is_signed) {
    static const ts_type types[3][2] = {{TS_U2, TS_S2}, {TS_U4, TS_S4}, {TS_U8, TS_S8}};
    return types[bits <= 2 ? 0 : bits <= 4 ? 1 : 2][is_signed];
}

/* Bytes that are only scaled keep their own grid: their quantisation costs nothing. */
static double byte_grid(const ts_data *data) {
    const ts_preprocess *p = &data->preprocess;
    for (uint32_t c = 0; c < p->count; c++) {
        if (p->mean[c] != 0 || p->scale[c] != p->scale[0] || p->scale[c] <= 0) {
            return 0;
        }
    }
    return data->type == TS_DATA_U8 ? p->scale[0] : 0;
}

static double clipped_share(const seen *s, const ts_qvalue *v) {
    uint32_t beyond = 0;
    for (uint32_t i = 0; i < s->count; i++) {
        double x = fabs((double)s->kept[i]) / v->scale;
        beyond += x > v->top + 0.5;
    }
    return s->count == 0 ? 0 : (double)beyond / s->count;
}

void ts__settle_clip(const ts_quant *quant, uint32_t value) {
    const ts_qlayer *l = value == 0 ? NULL : &quant->net->layers.data[value - 1];
    ts_qvalue *v = &quant->values[value];
    v->low = v->bottom;
    v->high = v->top;
    if (l != NULL && (double)l->high / v->scale < v->top) {
        v->high = (int32_t)floor((double)l->high / v->scale + 0.5);
    }
    if (l != NULL && (double)l->low / v->scale > v->bottom) {
        v->low = (int32_t)floor((double)l->low / v->scale + 0.5);
    }
}

void ts__share_grid(const ts_quant *quant, uint32_t value) {
    quant->values[value] = quant->values[quant->roots[value]];
    quant->values[value].raw = false;
    ts__settle_clip(quant, value);
}

/* A bound at zero from below holds for all that share the grid of `value`. */
static bool stays_positive(const ts_quant *quant, uint32_t value) {
    for (uint32_t v = value; v <= quant->net->layers.count; v++) {
        const ts_qlayer *l = v == 0 ? NULL : &quant->net->layers.data[v - 1];
        bool bounded = l != NULL && (ts_qkind_moves(l->kind) || l->low >= 0);
        if (quant->roots[v] == value && !bounded) {
            return false;
        }
    }
    return true;
}

/* Width of a grid: the widest that a value with it asks for; eight bits where the input has it. */
static uint32_t bits_of(const ts_quant *quant, uint32_t value) {
    uint32_t bits = value == 0 ? 8 : quant->widths[value - 1].activations;
    for (uint32_t v = value + 1; v <= quant->net->layers.count; v++) {
        bool own = quant->roots[v] == value && !ts_qkind_moves(quant->net->layers.data[v - 1].kind);
        if (own && quant->widths[v - 1].activations > bits) {
            bits = quant->widths[v - 1].activations;
        }
    }
    return bits;
}

/* Whether a layer moves whole bytes, `per_byte` elements each: a pixel's channels, and those that it begins
 * with. */
static bool moves_bytes(const ts_qnet *net, const ts_qlayer *l, uint32_t per_byte) {
    bool whole = l->c % per_byte == 0, begins = l->kind == TS_QUANT_PAD || l->kind == TS_QUANT_SLICE;
    for (uint32_t k = 0; k < l->input_count; k++) {
        uint32_t h, w, c;
        ts_qnet_shape(net, l->inputs[k], &h, &w, &c);
        whole = whole && c % per_byte == 0;
    }
    return whole && (!begins || l->move.begin[2] % per_byte == 0) &&
           (l->kind != TS_QUANT_SLICE || l->move.step[2] == 1) &&
           (l->kind != TS_QUANT_TRANSPOSE || l->move.order[2] == 2);
}

/* Bits that an element with the grid of `value` is stored in: those of its own where layers that move
 * elements leave bytes whole, else more, which cost memory but change no number. */
static uint32_t stored_bits(const ts_quant *quant, uint32_t value, uint32_t bits) {
    uint32_t stored = bits <= 2 ? 2 : bits <= 4 ? 4 : 8;
    for (uint32_t v = value + 1; v <= quant->net->layers.count; v++) {
        const ts_qlayer *l = &quant->net->layers.data[v - 1];
        bool moves = ts_qkind_moves(l->kind) && l->kind != TS_QUANT_MAX_POOL;
        while (quant->roots[v] == value && moves && stored < 8 && !moves_bytes(quant->net, l, 8 / stored)) {
            stored *= 2;
        }
    }
    return stored;
}

static void set_grid(const ts_quant *quant, uint32_t value, seen *s, double given_scale) {
    ts_qvalue *v = &quant->values[value];
    uint32_t bits = bits_of(quant, value);
    bool is_signed = s->low < 0 && !stays_positive(quant, value);
    int32_t high = is_signed ? (1 << (bits - 1)) - 1 : (1 << bits) - 1, low = is_signed ? -high - 1 : 0;
    *v = (ts_qvalue){.type = type_of(stored_bits(quant, value, bits), is_signed),
                     .bottom = low,
                     .top = high,
                     .seen_low = s->low,
                     .seen_high = s->high};
    v->scale = given_scale > 0 ? given_scale : choose_scale(&quant->options, s, low, high);
    v->exact = given_scale > 0;
    v->clipped = clipped_share(s, v);
    ts__settle_clip(quant, value);
}

/* The accumulators of a last linear layer that nobody else reads stay as they are. */
static bool stays_raw(const ts_qlayer *l) {
    return l->is_output && l->uses == 1 && (l->kind == TS_QUANT_CONV || l->kind == TS_QUANT_LINEAR) &&
           l->low == -INFINITY && l->high == INFINITY;
}

void ts__find_roots(const ts_quant *quant) {
    const ts_qnet *net = quant->net;
    for (uint32_t v = 0; v <= net->layers.count; v++) {
        quant->roots[v] = v;
    }
    for (uint32_t v = 1; v <= net->layers.count; v++) {
        const ts_qlayer *l = &net->layers.data[v - 1];
        for (uint32_t k = 0; ts_qkind_moves(l->kind) && k < l->input_count; k++) {
            uint32_t a = quant->roots[v], b = quant->roots[l->inputs[k]], low = a < b ? a : b;
            for (uint32_t other = 0; other <= v; other++) {
                bool joins = quant->roots[other] == a || quant->roots[other] == b;
                quant->roots[other] = joins ? low : quant->roots[other];
            }
        }
    }
}

/* Adds what a value was to what its root was: a grid serves both. */
static void join(seen *root, const seen *other) {
    root->low = fmin(root->low, other->low);
    root->high = fmax(root->high, other->high);
    if (root->count + other->count <= KEPT) {
        memcpy(root->kept + root->count, other->kept, other->count * sizeof *root->kept);
        root->count += other->count;
        return;
    }
    for (uint32_t i = 0; i < other->count; i += 2) { /* every second one makes room for one of the other's */
        root->kept[i] = other->kept[i];
    }
}

static void join_all(const ts_quant *quant, seen *all) {
    for (uint32_t v = 0; v <= quant->net->layers.count; v++) {
        if (quant->roots[v] != v) {
            join(&all[quant->roots[v]], &all[v]);
        }
    }
}

ts_status ts__choose_grids(ts_quant *quant, const ts_data *data, const ts_progress *progress,
                           ts_diags *diags) {
    const ts_qnet *net = quant->net;
    ts_arena *scratch = ts_arena_new("ranges", 0);
    seen *all = TS_NEW_ARRAY(scratch, seen, net->layers.count + 1);
    ts_status status = watch(scratch, quant, data, progress, all, diags);
    ts__find_roots(quant);
    if (status == TS_OK) {
        join_all(quant, all);
    }
    for (uint32_t v = 0; status == TS_OK && v <= net->layers.count; v++) {
        const ts_qlayer *l = v == 0 ? NULL : &net->layers.data[v - 1];
        if (!isfinite(all[v].low) || !isfinite(all[v].high)) {
            status = ts_error(diags, TS_DIAG_VALUE, l == NULL ? NULL : l->name, NULL,
                              "computes infinite or undefined numbers on the calibration data");
        } else if (quant->roots[v] != v) {
            ts__share_grid(quant, v);
        } else {
            double bytes = v == 0 ? byte_grid(data) : 0;
            set_grid(quant, v, &all[v], all[v].high <= 255 * bytes && all[v].low >= 0 ? bytes : 0);
            quant->values[v].raw = l != NULL && stays_raw(l);
        }
    }
    ts_arena_free(scratch);
    return status;
}
