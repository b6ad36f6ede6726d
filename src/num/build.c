#include "num/build.h"

#include <math.h>
#include <string.h>

#include "ir/program.h"

enum { KAPPA_MOST = 2047, M_MOST = 255 };

ts__builder ts__builder_new(ts_arena *arena, const char *name, uint64_t seed, ts_diags *diags) {
    return (ts__builder){
        .arena = arena, .graph = ts_graph_new(arena, name), .random = ts_random_seed(seed), .diags = diags};
}

static ts_tensor *tensor_of(ts__builder *b, ts_tensor_id id) { return &b->graph->tensors.data[id]; }

static ts_tensor_id add_tensor(ts__builder *b, const ts_tensor *tensor, int32_t *values) {
    ts_tensor_id id = ts_graph_add_tensor(b->graph, tensor);
    TS_PUSH(b->arena, &b->values, values);
    return id;
}

ts_tensor_id ts__build_activation(ts__builder *b, const char *name, ts_type type, uint32_t h, uint32_t w,
                                  uint32_t c) {
    ts_tensor t = {.name = ts_arena_strdup(b->arena, name), .type = type, .rank = 4, .dims = {1, h, w, c}};
    return add_tensor(b, &t, TS_NEW_ARRAY(b->arena, int32_t, ts_tensor_elements(&t)));
}

ts_tensor_id ts__build_input(ts__builder *b, const char *name, ts_type type, uint32_t h, uint32_t w,
                             uint32_t c) {
    ts_tensor_id id = ts__build_activation(b, name, type, h, w, c);
    uint64_t count = ts_tensor_elements(tensor_of(b, id));
    for (uint64_t i = 0; i < count; i++) {
        b->values.data[id][i] = (int32_t)ts_random_range(&b->random, ts_type_low(type), ts_type_high(type));
    }
    TS_PUSH(b->arena, &b->graph->inputs, id);
    return id;
}

/* ---- parameters ---- */

static int64_t draw_weight(ts_random *random, ts__weights how, int64_t low, int64_t high) {
    if (how == TS__WEIGHTS_EXTREME) {
        return ts_random_next(random) & 1 ? high : low;
    }
    if (how == TS__WEIGHTS_UNIFORM || high - low < 16) {
        return ts_random_range(random, low, high);
    }
    /* Mean of four bytes: bell-shaped, standard deviation about a seventh of the range. */
    uint64_t bits = ts_random_next(random);
    int64_t sum = (int64_t)((bits & 255) + (bits >> 8 & 255) + (bits >> 16 & 255) + (bits >> 24 & 255));
    return low + sum * (high - low + 1) / 1021;
}

/* Element `i` of weights that are being made. */
static void put_weight(const ts_tensor *weights, uint64_t i, int64_t value) {
    if (weights->type == TS_S16) {
        ((int16_t *)(uintptr_t)weights->data)[i] = (int16_t)value;
    } else {
        ((int8_t *)(uintptr_t)weights->data)[i] = (int8_t)value;
    }
}

static ts_tensor_id add_weights(ts__builder *b, const char *name, const ts__layer_spec *spec, uint32_t rank,
                                const uint32_t *dims) {
    ts_tensor t = {
        .name = ts_arena_printf(b->arena, "%s.weight", name), .type = spec->weight_type, .rank = rank};
    memcpy(t.dims, dims, rank * sizeof *dims);
    uint64_t count = ts_tensor_elements(&t);
    int64_t low = ts_type_low(t.type), high = ts_type_high(t.type);
    t.data = ts_arena_array(b->arena, (size_t)count, ts_type_slot_bytes(t.type));
    for (uint64_t i = 0; i < count; i++) {
        put_weight(&t, i, draw_weight(&b->random, spec->weights, low, high));
    }
    if (spec->weights_zero != 0) {
        double *scale = TS_NEW(b->arena, double);
        int32_t *zero = TS_NEW(b->arena, int32_t);
        *scale = 1;
        *zero = spec->weights_zero;
        t.quantum = (ts_quantum){.channels = 1, .scale = scale, .zero = zero};
    }
    return add_tensor(b, &t, NULL);
}

static ts_tensor_id add_bias(ts__builder *b, const char *name, uint32_t channels, int64_t most) {
    ts_tensor t = {
        .name = ts_arena_printf(b->arena, "%s.bias", name), .type = TS_S32, .rank = 1, .dims = {channels}};
    int32_t *data = TS_NEW_ARRAY(b->arena, int32_t, channels);
    for (uint32_t i = 0; i < channels; i++) {
        data[i] = (int32_t)ts_random_range(&b->random, -most, most);
    }
    t.data = data;
    return add_tensor(b, &t, NULL);
}

/* Halves the weights, less their zero point, until no input takes an accumulator past 31 bits. */
static void bound_weights(ts__builder *b, const ts_node *node) {
    const ts_tensor *weights = tensor_of(b, node->weights);
    int32_t zero = ts_weights_zero(weights);
    uint64_t taps = ts_tensor_elements(weights) / weights->dims[0];
    for (uint32_t c = 0; c < weights->dims[0];) {
        int64_t low, high;
        ts_node_acc_range(b->graph, node, c, &low, &high);
        if (low >= INT32_MIN / 2 && high <= INT32_MAX / 2) {
            c++;
            continue;
        }
        for (uint64_t i = 0; i < taps; i++) {
            put_weight(weights, c * taps + i, zero + (ts_tensor_int(weights, c * taps + i) - zero) / 2);
        }
    }
}

/* ---- requantisation ---- */

typedef struct channel_statistics {
    double mean, deviation;
} channel_statistics;

/* Mean and deviation of each channel. A channel that hardly varies on this input is given a quarter of
 * the layer's deviation, so that another input does not saturate it. */
static channel_statistics *measure(ts_arena *arena, const int32_t *acc, uint64_t count, uint32_t channels) {
    channel_statistics *s = TS_NEW_ARRAY(arena, channel_statistics, channels);
    double *squares = TS_NEW_ARRAY(arena, double, channels);
    double pixels = (double)(count / channels), layer = 0;
    for (uint64_t i = 0; i < count; i++) {
        s[i % channels].mean += acc[i] / pixels;
    }
    for (uint64_t i = 0; i < count; i++) {
        double distance = acc[i] - s[i % channels].mean;
        squares[i % channels] += distance * distance / pixels;
    }
    for (uint32_t c = 0; c < channels; c++) {
        /* Where there is one pixel only, its distance from zero says how large values are. */
        layer += (pixels > 1 ? squares[c] : s[c].mean * s[c].mean) / channels;
    }
    for (uint32_t c = 0; c < channels; c++) {
        s[c].deviation = fmax(fmax(sqrt(squares[c]), sqrt(layer) / 4), 1);
    }
    return s;
}

static channel_statistics *measure_together(ts_arena *arena, const int32_t *acc, uint64_t count,
                                            uint32_t channels) {
    const channel_statistics *all = measure(arena, acc, count, 1);
    channel_statistics *s = TS_NEW_ARRAY(arena, channel_statistics, channels);
    for (uint32_t c = 0; c < channels; c++) {
        s[c] = all[0];
    }
    return s;
}

/* y = slope acc + offset, as wanted for one channel. */
typedef struct line {
    double slope, offset;
} line;

static line wanted_line(ts_random *random, const channel_statistics *s, const ts__layer_spec *spec) {
    double low = (double)ts_type_low(spec->out_type), high = (double)ts_type_high(spec->out_type);
    bool relu = spec->centre == TS__CENTRE_RELU && low == 0;
    double centre = low + (high - low) * (relu ? 0.22 : 0.5);
    double spread = (high - low) * (relu ? 0.33 : 0.18);
    double gain = (double)ts_random_range(random, 80, 125) / 100;
    double slope = gain * spread / s->deviation;
    slope = ts_random_range(random, 0, 15) == 0 && !spec->by_tensor ? -slope : slope;
    return (line){.slope = slope, .offset = centre - slope * s->mean};
}

/* kappa of 12 bits, m of 8, D a power of two (or one less) as NEMO's; lambda a whole number that float32
 * holds, as its files need. */
static void fit_nemo(ts_arena *arena, const line *lines, uint32_t channels, bool d_less_one, ts_requant *r) {
    int64_t *kappa = TS_NEW_ARRAY(arena, int64_t, channels);
    int64_t *lambda = TS_NEW_ARRAY(arena, int64_t, channels);
    double steepest = 0;
    for (uint32_t c = 0; c < channels; c++) {
        steepest = fmax(steepest, fabs(lines[c].slope));
    }
    double unit = steepest / KAPPA_MOST;
    int exponent = (int)fmax(1, floor(log2(M_MOST / unit)));
    r->d = (INT64_C(1) << exponent) - d_less_one;
    r->m = llround(unit * ldexp(1, exponent));
    for (uint32_t c = 0; c < channels; c++) {
        kappa[c] = llround(lines[c].slope / unit);
        lambda[c] = llroundf((float)(lines[c].offset * (double)r->d / (double)r->m));
    }
    if (channels == 1 && lambda[0] == 0 && kappa[0] > 0) {
        r->m *= kappa[0]; /* a factor alone is m, as the importer reads it */
        kappa[0] = 1;
    }
    r->kappa = kappa;
    r->lambda = lambda;
}

/* A shift, the nearest to the steepest channel's slope, and lambda. */
static void fit_shift(ts_arena *arena, const line *lines, uint32_t channels, ts_requant *r) {
    int64_t *kappa = TS_NEW_ARRAY(arena, int64_t, channels);
    int64_t *lambda = TS_NEW_ARRAY(arena, int64_t, channels);
    double steepest = 1e-9;
    for (uint32_t c = 0; c < channels; c++) {
        steepest = fmax(steepest, fabs(lines[c].slope));
    }
    r->m = 1;
    r->d = INT64_C(1) << (uint32_t)fmax(0, floor(-log2(steepest)));
    for (uint32_t c = 0; c < channels; c++) {
        kappa[c] = 1;
        lambda[c] = llroundf((float)(lines[c].offset * (double)r->d));
    }
    r->kappa = kappa;
    r->lambda = lambda;
}

/* TFLite's Q31 multipliers; the offset can only be the zero point, one for the layer. */
static void fit_tflite(ts_arena *arena, const line *lines, uint32_t channels, ts_requant *r) {
    int32_t *multiplier = TS_NEW_ARRAY(arena, int32_t, channels);
    int32_t *shift = TS_NEW_ARRAY(arena, int32_t, channels);
    for (uint32_t c = 0; c < channels; c++) {
        int exponent;
        int64_t mantissa = llround(frexp(fabs(lines[c].slope), &exponent) * ldexp(1, 31));
        if (mantissa == INT64_C(1) << 31) {
            mantissa /= 2;
            exponent++;
        }
        multiplier[c] = exponent < -31 ? 0 : (int32_t)mantissa;
        shift[c] = exponent < -31 ? 0 : exponent;
    }
    r->multiplier = multiplier;
    r->shift = shift;
}

/* A scale of 1 and a zero point. */
static void give_zero(ts__builder *b, ts_tensor *tensor, int32_t zero) {
    double *scale = TS_NEW(b->arena, double);
    int32_t *own = TS_NEW(b->arena, int32_t);
    *scale = 1;
    *own = zero;
    tensor->quantum = (ts_quantum){.channels = 1, .scale = scale, .zero = own};
}

static void choose_requant(ts__builder *b, const ts__layer_spec *spec, const int32_t *acc,
                           const ts_tensor *out, ts_requant *r) {
    uint64_t count = ts_tensor_elements(out);
    uint32_t channels = ts_c(out);
    uint32_t rows = spec->by_tensor ? 1 : channels;
    *r = (ts_requant){.kind = spec->requant,
                      .channels = rows,
                      .low = (int32_t)ts_type_low(spec->out_type),
                      .high = (int32_t)ts_type_high(spec->out_type)};
    channel_statistics *s = spec->by_tensor ? measure_together(b->arena, acc, count, channels)
                                            : measure(b->arena, acc, count, channels);
    line *lines = TS_NEW_ARRAY(b->arena, line, rows);
    for (uint32_t c = 0; c < rows; c++) {
        lines[c] = wanted_line(&b->random, &s[c], spec);
    }
    if (spec->requant == TS_REQUANT_NEMO && spec->by_shift) {
        fit_shift(b->arena, lines, rows, r);
    } else if (spec->requant == TS_REQUANT_NEMO) {
        fit_nemo(b->arena, lines, rows, spec->d_less_one, r);
    } else {
        fit_tflite(b->arena, lines, rows, r);
        r->zero = r->low < 0 ? (int32_t)ts_random_range(&b->random, r->low, r->high) : spec->zero;
    }
}

/* sum m / D with m / D close to 1 / n: 7 to 8 bits of m, as NEMO's. */
static void average_requant(ts__builder *b, const ts__layer_spec *spec, ts_requant *r) {
    int64_t n = (int64_t)spec->window.kernel_h * spec->window.kernel_w, d = 64;
    while (d / n < 64) {
        d *= 2;
    }
    int64_t *kappa = TS_NEW(b->arena, int64_t), *lambda = TS_NEW(b->arena, int64_t);
    *kappa = 1;
    *lambda = spec->to_nearest ? n / 2 : 0;
    *r = (ts_requant){.kind = TS_REQUANT_NEMO,
                      .channels = 1,
                      .kappa = kappa,
                      .lambda = lambda,
                      .m = (d + n / 2) / n * (spec->to_nearest ? 2 : 1),
                      .d = d,
                      .low = (int32_t)ts_type_low(spec->out_type),
                      .high = (int32_t)ts_type_high(spec->out_type)};
}

/* ---- layers ---- */

static ts_status output_size(ts__builder *b, const char *name, const ts__layer_spec *spec,
                             const ts_tensor *in, uint32_t *h, uint32_t *w) {
    const ts_window *win = &spec->window;
    *h = ts_h(in);
    *w = ts_w(in);
    if (spec->op == TS_OP_LINEAR) {
        *h = *w = 1;
    } else if (spec->op != TS_OP_REQUANT) {
        *h = ts_window_out(*h, win->kernel_h, win->stride_h, win->dilation_h, win->pad_top, win->pad_bottom);
        *w = ts_window_out(*w, win->kernel_w, win->stride_w, win->dilation_w, win->pad_left, win->pad_right);
    }
    if (*h == 0 || *w == 0) {
        return ts_error(b->diags, TS_DIAG_SHAPE, name, ts_op_name(spec->op),
                        "a window of %u x %u does not fit its input of %u x %u", (unsigned)win->kernel_h,
                        (unsigned)win->kernel_w, (unsigned)ts_h(in), (unsigned)ts_w(in));
    }
    if ((uint64_t)*h * *w > TS_MAX_ELEMENTS / spec->out_c) {
        return ts_error(b->diags, TS_DIAG_LIMIT, name, ts_op_name(spec->op), "makes too large an output");
    }
    return TS_OK;
}

static ts_status add_parameters(ts__builder *b, const char *name, const ts__layer_spec *spec,
                                const ts_tensor *in, ts_node *node) {
    if (spec->op == TS_OP_CONV) {
        if (spec->groups == 0 || ts_c(in) % spec->groups != 0 || spec->out_c % spec->groups != 0) {
            return ts_error(b->diags, TS_DIAG_SHAPE, name, "conv",
                            "%u groups do not divide %u input and %u output channels", (unsigned)spec->groups,
                            (unsigned)ts_c(in), (unsigned)spec->out_c);
        }
        uint32_t dims[] = {spec->out_c, spec->window.kernel_h, spec->window.kernel_w,
                           ts_c(in) / spec->groups};
        node->weights = add_weights(b, name, spec, 4, dims);
    } else {
        node->weights =
            add_weights(b, name, spec, 2, (uint32_t[]){spec->out_c, (uint32_t)ts_tensor_elements(in)});
    }
    if (spec->bias) {
        node->bias = add_bias(b, name, spec->out_c, 2000);
    }
    return TS_OK;
}

static void finish_values(ts__builder *b, const ts_node *node, int32_t *values) {
    const ts_tensor *out = tensor_of(b, node->output);
    uint64_t count = ts_tensor_elements(out);
    for (uint64_t i = 0; i < count; i++) {
        values[i] = ts_requant_apply(&node->requant, (uint32_t)(i % ts_c(out)), values[i]);
    }
}

static ts_status compute_node(ts__builder *b, ts_node_id id) {
    const ts_node *node = &b->graph->nodes.data[id];
    const int32_t *inputs[TS_MAX_INPUTS] = {NULL};
    for (uint32_t i = 0; i < node->input_count; i++) {
        inputs[i] = b->values.data[node->inputs[i]];
    }
    return ts_integer_node(b->graph, id, inputs, b->values.data[node->output], b->diags);
}

/* A shift to the left of TFLite's form takes no accumulator past 32 bits. */
static void bound_shifts(const ts__builder *b, const ts_node *node, uint32_t channels, ts_requant *r) {
    int32_t *shift = ts_arena_copy(b->arena, r->shift, r->channels * sizeof *shift);
    for (uint32_t channel = 0; channel < channels; channel++) {
        uint32_t c = r->channels == 1 ? 0 : channel;
        int64_t low, high;
        ts_node_acc_range(b->graph, node, channel, &low, &high);
        while (shift[c] > 0 && (low < INT32_MIN >> shift[c] || high > INT32_MAX >> shift[c])) {
            shift[c]--;
        }
    }
    r->shift = shift;
}

/* As settle() of accumulators that may pass 32 bits: they are shifted into them to be looked at. */
static ts_status settle_wide(ts__builder *b, ts_node_id id, const ts__layer_spec *spec) {
    static const int64_t one = 1, nothing = 0;
    ts_node *node = &b->graph->nodes.data[id];
    int64_t most = 1;
    for (uint32_t c = 0; c < spec->out_c; c++) {
        int64_t low, high;
        ts_node_acc_range(b->graph, node, c, &low, &high);
        most = high > most ? high : -low > most ? -low : most;
    }
    uint32_t shift = 0;
    while (most >> shift >= INT32_MAX) {
        shift++;
    }
    node->requant = (ts_requant){.kind = TS_REQUANT_NEMO,
                                 .channels = 1,
                                 .kappa = &one,
                                 .lambda = &nothing,
                                 .m = 1,
                                 .d = INT64_C(1) << shift,
                                 .low = INT32_MIN,
                                 .high = INT32_MAX};
    TS_TRY(compute_node(b, id));
    ts_requant *r = &node->requant;
    choose_requant(b, spec, b->values.data[node->output], tensor_of(b, node->output), r);
    int64_t *lambda = TS_NEW_ARRAY(b->arena, int64_t, r->channels);
    for (uint32_t c = 0; c < r->channels; c++) {
        lambda[c] = r->lambda[c] * (INT64_C(1) << shift);
    }
    r->lambda = lambda;
    r->d <<= shift;
    tensor_of(b, node->output)->type = spec->out_type;
    return compute_node(b, id);
}

/* Computes the bare accumulators first (32 bits), chooses the requantisation, then applies it. */
static ts_status settle(ts__builder *b, ts_node_id id, const ts__layer_spec *spec) {
    ts_node *node = &b->graph->nodes.data[id];
    int32_t *values = b->values.data[node->output];
    if (spec->wide) {
        return settle_wide(b, id, spec);
    }
    TS_TRY(compute_node(b, id));
    if (spec->requant == TS_REQUANT_NONE) {
        return TS_OK;
    }
    if (spec->op == TS_OP_AVG_POOL && spec->requant == TS_REQUANT_NEMO) {
        average_requant(b, spec, &node->requant);
    } else {
        choose_requant(b, spec, values, tensor_of(b, node->output), &node->requant);
    }
    ts_tensor *out = tensor_of(b, node->output);
    out->type = spec->out_type;
    if (spec->requant == TS_REQUANT_TFLITE) {
        bound_shifts(b, node, ts_c(out), &node->requant);
        give_zero(b, out, node->requant.zero);
    }
    finish_values(b, node, values);
    return TS_OK;
}

ts_status ts__build_layer(ts__builder *b, const char *name, const ts__layer_spec *spec, ts_tensor_id in,
                          ts_tensor_id *out) {
    ts__layer_spec s = *spec;
    const ts_tensor input = *tensor_of(b, in);
    ts_node node = {.name = ts_arena_strdup(b->arena, name),
                    .file_index = b->graph->nodes.count,
                    .op = s.op,
                    .input_count = 1,
                    .inputs = {in},
                    .weights = TS_NONE,
                    .bias = TS_NONE,
                    .groups = s.op == TS_OP_CONV ? s.groups : 0,
                    .window = s.window};
    bool weighted = s.op == TS_OP_CONV || s.op == TS_OP_LINEAR;
    s.out_c = weighted ? s.out_c : ts_c(&input);
    uint32_t h, w;
    TS_TRY(output_size(b, name, &s, &input, &h, &w));
    if (weighted) {
        TS_TRY(add_parameters(b, name, &s, &input, &node));
    }
    if (weighted && !s.wide) {
        bound_weights(b, &node);
    }
    ts_type type = s.requant == TS_REQUANT_NONE && s.op == TS_OP_MAX_POOL ? input.type : TS_S32;
    node.output = *out =
        ts__build_activation(b, ts_arena_printf(b->arena, "%s.out", name), type, h, w, s.out_c);
    if (s.op == TS_OP_MAX_POOL && s.requant == TS_REQUANT_NONE) {
        tensor_of(b, *out)->quantum = input.quantum;
    }
    return settle(b, ts_graph_add_node(b->graph, &node), &s);
}

/* ---- additions ---- */

static ts_add_step plain_step(int64_t mul, int64_t div) {
    return (ts_add_step){.mul = mul, .div = div, .low = INT32_MIN, .high = INT32_MAX};
}

/* y = floor(s m / D), a factor alone as in NEMO's activation behind an addition: what two deviations
 * above the mean reach becomes the highest value. */
static void activation_requant(ts__builder *b, const int32_t *sums, uint64_t count, ts_type type,
                               ts_requant *r) {
    const channel_statistics *s = measure(b->arena, sums, count, 1);
    double top = fmax(fabs(s->mean) + 2 * s->deviation, 1), slope = (double)ts_type_high(type) / top;
    int64_t *kappa = TS_NEW(b->arena, int64_t), *lambda = TS_NEW(b->arena, int64_t);
    int exponent = (int)fmax(0, floor(log2(M_MOST / slope)));
    *kappa = 1;
    *r = (ts_requant){.kind = TS_REQUANT_NEMO,
                      .channels = 1,
                      .kappa = kappa,
                      .lambda = lambda,
                      .m = llround(slope * ldexp(1, exponent)),
                      .d = INT64_C(1) << exponent,
                      .low = (int32_t)ts_type_low(type),
                      .high = (int32_t)ts_type_high(type)};
}

/* The type of a sum that nothing follows: holds every result, and no narrower than its operands. */
static ts_type sum_type(ts_type a, ts_type b, int64_t low, int64_t high) {
    static const ts_type types[][2] = {{TS_U2, TS_S2}, {TS_U4, TS_S4}, {TS_U8, TS_S8}};
    uint32_t bits = ts_type_bits(a) > ts_type_bits(b) ? ts_type_bits(a) : ts_type_bits(b);
    for (size_t i = 0; i < 3; i++) {
        ts_type t = types[i][low < 0];
        if (ts_type_bits(t) >= bits && ts_type_low(t) <= low && ts_type_high(t) >= high) {
            return t;
        }
    }
    return low >= INT16_MIN && high <= INT16_MAX ? TS_S16 : TS_S32;
}

/* (x - zero) 2^19: half of twenty bits more, as TensorFlow Lite's multiplier and shift say it. */
static ts_add_step tflite_step(int32_t zero) {
    ts_add_step step = plain_step(INT64_C(1) << 30, 1 << 11);
    step.add = -(int64_t)zero * step.mul;
    return step;
}

static ts_status build_tflite_add(ts__builder *b, const char *name, const ts__add_spec *spec, ts_tensor_id a,
                                  ts_tensor_id other, ts_tensor_id *out) {
    const ts_tensor first = *tensor_of(b, a), second = *tensor_of(b, other);
    int32_t *multiplier = TS_NEW(b->arena, int32_t), *shift = TS_NEW(b->arena, int32_t);
    *multiplier = 1181116006; /* 1.1 / 2 */
    *shift = -19;
    ts_node node = {.name = ts_arena_strdup(b->arena, name),
                    .file_index = b->graph->nodes.count,
                    .op = TS_OP_ADD,
                    .input_count = 2,
                    .inputs = {a, other},
                    .in1 = tflite_step(ts_tensor_zero(&first)),
                    .in2 = tflite_step(ts_tensor_zero(&second)),
                    .sum = plain_step(1, 1)};
    node.requant = (ts_requant){.kind = TS_REQUANT_TFLITE,
                                .channels = 1,
                                .multiplier = multiplier,
                                .shift = shift,
                                .zero = spec->zero,
                                .low = (int32_t)ts_type_low(spec->out_type),
                                .high = (int32_t)ts_type_high(spec->out_type)};
    node.output = *out = ts__build_activation(b, ts_arena_printf(b->arena, "%s.out", name), spec->out_type,
                                              ts_h(&first), ts_w(&first), ts_c(&first));
    give_zero(b, tensor_of(b, *out), spec->zero);
    return compute_node(b, ts_graph_add_node(b->graph, &node));
}

ts_status ts__build_add(ts__builder *b, const char *name, const ts__add_spec *spec, ts_tensor_id a,
                        ts_tensor_id other, ts_tensor_id *out) {
    if (spec->then == TS_REQUANT_TFLITE) {
        return build_tflite_add(b, name, spec, a, other, out);
    }
    const ts_tensor first = *tensor_of(b, a), second = *tensor_of(b, other);
    ts_node node = {.name = ts_arena_strdup(b->arena, name),
                    .file_index = b->graph->nodes.count,
                    .op = TS_OP_ADD,
                    .input_count = 2,
                    .inputs = {a, other},
                    .in1 = plain_step(spec->m1, 1),
                    .in2 = plain_step(spec->m2, 1),
                    .sum = plain_step(1, spec->d)};
    int64_t low, high;
    ts_node_acc_range(b->graph, &node, 0, &low, &high);
    ts_type type = sum_type(first.type, second.type, low, high);
    if (spec->then == TS_REQUANT_NONE) {
        node.sum.low = (int32_t)ts_type_low(type);
        node.sum.high = (int32_t)ts_type_high(type);
    } else {
        type = TS_S32;
    }
    node.output = *out = ts__build_activation(b, ts_arena_printf(b->arena, "%s.out", name), type,
                                              ts_h(&first), ts_w(&first), ts_c(&first));
    ts_node_id id = ts_graph_add_node(b->graph, &node);
    const int32_t *inputs[] = {b->values.data[a], b->values.data[other]};
    int32_t *values = b->values.data[*out];
    TS_TRY(ts_integer_node(b->graph, id, inputs, values, b->diags));
    if (spec->then != TS_REQUANT_NONE) {
        ts_node *added = &b->graph->nodes.data[id];
        activation_requant(b, values, ts_tensor_elements(&first), spec->out_type, &added->requant);
        tensor_of(b, *out)->type = spec->out_type;
        finish_values(b, added, values);
    }
    return TS_OK;
}

/* ---- tables, products, and what moves elements ---- */

ts_status ts__build_plain(ts__builder *b, const char *name, const ts_node *node, ts_type type,
                          const uint32_t dims[3], ts_tensor_id *out) {
    ts_node added = *node;
    const ts_quantum quantum = tensor_of(b, node->inputs[0])->quantum;
    added.name = ts_arena_strdup(b->arena, name);
    added.file_index = b->graph->nodes.count;
    added.output = *out =
        ts__build_activation(b, ts_arena_printf(b->arena, "%s.out", name), type, dims[0], dims[1], dims[2]);
    if (ts_op_moves(node->op)) {
        tensor_of(b, *out)->quantum = quantum;
    }
    return compute_node(b, ts_graph_add_node(b->graph, &added));
}

static ts_status build_product(ts__builder *b, const char *name, const ts__layer_spec *spec, ts_op op,
                               ts_tensor_id a, ts_tensor_id other, ts_tensor_id *out) {
    const ts_tensor first = *tensor_of(b, a), second = *tensor_of(b, other);
    ts_node node = {.name = ts_arena_strdup(b->arena, name),
                    .file_index = b->graph->nodes.count,
                    .op = op,
                    .input_count = 2,
                    .inputs = {a, other},
                    .weights = TS_NONE,
                    .bias = TS_NONE};
    uint32_t channels = op == TS_OP_MATMUL ? ts_w(&second) : ts_c(&first);
    node.output = *out = ts__build_activation(b, ts_arena_printf(b->arena, "%s.out", name), TS_S32,
                                              ts_h(&first), ts_w(&first), channels);
    return settle(b, ts_graph_add_node(b->graph, &node), spec);
}

ts_status ts__build_mul(ts__builder *b, const char *name, const ts__layer_spec *spec, ts_tensor_id a,
                        ts_tensor_id other, ts_tensor_id *out) {
    return build_product(b, name, spec, TS_OP_MUL, a, other, out);
}

ts_status ts__build_matmul(ts__builder *b, const char *name, const ts__layer_spec *spec, ts_tensor_id a,
                           ts_tensor_id other, ts_tensor_id *out) {
    return build_product(b, name, spec, TS_OP_MATMUL, a, other, out);
}

ts_tensor_id ts__build_table(ts__builder *b, const char *name, ts_type in_type, ts_type type) {
    ts_tensor t = {.name = ts_arena_printf(b->arena, "%s.table", name),
                   .type = type,
                   .rank = 1,
                   .dims = {1u << ts_type_bits(in_type)}};
    uint8_t *data = TS_NEW_ARRAY(b->arena, uint8_t, t.dims[0]);
    for (uint32_t i = 0; i < t.dims[0]; i++) {
        data[i] = (uint8_t)ts_random_range(&b->random, ts_type_low(type), ts_type_high(type));
    }
    t.data = data;
    return add_tensor(b, &t, NULL);
}

ts_tensor_id ts__build_indices(ts__builder *b, const char *name, uint32_t size, uint32_t count) {
    int32_t *list = TS_NEW_ARRAY(b->arena, int32_t, count);
    const ts_tensor t = {.name = ts_arena_printf(b->arena, "%s.indices", name),
                         .type = TS_S32,
                         .rank = 1,
                         .dims = {count},
                         .data = list};
    bool back = count == size && ts_random_range(&b->random, 0, 1) == 0;
    int64_t mixed = ts_random_range(&b->random, 0, 1);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t index = back ? size - 1 - i : i * size / count;
        bool any = !back && mixed && ts_random_range(&b->random, 0, 2) == 0;
        list[i] = (int32_t)(any ? ts_random_range(&b->random, 0, size - 1) : index);
    }
    return add_tensor(b, &t, NULL);
}

ts_tensor_id ts__build_words(ts__builder *b, const char *name, uint32_t count, int64_t most) {
    int32_t *list = TS_NEW_ARRAY(b->arena, int32_t, count);
    const ts_tensor t = {.name = name, .type = TS_S32, .rank = 1, .dims = {count}, .data = list};
    for (uint32_t i = 0; i < count; i++) {
        int64_t end = ts_random_range(&b->random, 0, 5);
        list[i] = (int32_t)(end == 0 ? -most : end == 1 ? most : ts_random_range(&b->random, -most, most));
    }
    return add_tensor(b, &t, NULL);
}

/* A float in words: mostly small, some far out. */
static int32_t random_real(ts__builder *b) {
    float real = (float)ts_random_range(&b->random, -4000, 4000) / 1000;
    real = ts_random_range(&b->random, 0, 40) == 0 ? real * 1e30f : real;
    int32_t bits;
    memcpy(&bits, &real, sizeof bits);
    return bits;
}

ts_tensor_id ts__build_reals(ts__builder *b, const char *name, uint32_t rank, const uint32_t *dims) {
    ts_tensor t = {.name = ts_arena_strdup(b->arena, name), .type = TS_F32, .rank = rank};
    memcpy(t.dims, dims, rank * sizeof *dims);
    uint64_t count = ts_tensor_elements(&t);
    float *data = TS_NEW_ARRAY(b->arena, float, count);
    for (uint64_t i = 0; i < count; i++) {
        data[i] = (float)ts_random_range(&b->random, -100000, 100000) / 100000;
    }
    t.data = data;
    return add_tensor(b, &t, NULL);
}

/* Words of a program that is being made: its data come behind the steps. */
typedef struct program {
    ts__builder *b;
    int32_t words[TS_PROGRAM_HEAD + TS_PROGRAM_STEP * TS_PROGRAM_STEPS];
    uint32_t steps, data;
} program;

static void add_step(program *p, ts_float_step step, uint32_t first, uint32_t second) {
    int32_t *word = p->words + TS_PROGRAM_HEAD + (size_t)TS_PROGRAM_STEP * p->steps++;
    word[0] = (int32_t)step;
    word[1] = (int32_t)first;
    word[2] = (int32_t)second;
}

static void add_read(program *p, const ts_type *operands, uint32_t count, uint32_t channels) {
    uint32_t operand = (uint32_t)ts_random_range(&p->b->random, 0, (int64_t)count - 1);
    bool bytes = ts_type_bits(operands[operand]) == 8;
    switch (ts_random_range(&p->b->random, 0, 3)) {
        case 0:
            add_step(p, TS_STEP_CODE, operand, 0);
            return;
        case 1: {
            bool by_channel = ts_random_range(&p->b->random, 0, 1) == 1;
            add_step(p, TS_STEP_CONST, p->data, by_channel);
            p->data += by_channel ? channels : 1;
            return;
        }
        default:
            add_step(p, bytes ? TS_STEP_TABLE : TS_STEP_CODE, operand, bytes ? p->data : 0);
            p->data += bytes ? TS_PROGRAM_TABLE : 0;
    }
}

ts_tensor_id ts__build_program(ts__builder *b, const char *name, const ts_type *operands, uint32_t count,
                               uint32_t channels, ts_type type) {
    program p = {.b = b};
    uint32_t wanted = (uint32_t)ts_random_range(&b->random, 2, 14);
    while (p.steps < wanted) {
        if (p.steps < 2 || ts_random_range(&b->random, 0, 5) == 0) {
            add_read(&p, operands, count, channels);
            continue;
        }
        int64_t last = (int64_t)p.steps - 1, from = last < 3 ? 0 : last - 3;
        add_step(&p, (ts_float_step)ts_random_range(&b->random, TS_STEP_ADD, TS_STEP_COUNT - 1),
                 (uint32_t)ts_random_range(&b->random, from, last),
                 (uint32_t)ts_random_range(&b->random, 0, last));
    }
    float scale = (float)ts_random_range(&b->random, 1, 200) / 1000;
    bool codes = type != TS_F32;
    scale = codes ? scale : 1;
    p.words[TS_PROGRAM_COUNT] = (int32_t)p.steps;
    memcpy(&p.words[TS_PROGRAM_SCALE], &scale, sizeof scale);
    p.words[TS_PROGRAM_ZERO] = (int32_t)ts_random_range(&b->random, ts_type_low(type), ts_type_high(type));
    p.words[TS_PROGRAM_LOW] = (int32_t)ts_type_low(type);
    p.words[TS_PROGRAM_HIGH] =
        (int32_t)ts_type_high(type) - (codes ? (int32_t)ts_random_range(&b->random, 0, 9) : 0);
    uint32_t head = TS_PROGRAM_HEAD + TS_PROGRAM_STEP * p.steps;
    int32_t *words = TS_NEW_ARRAY(b->arena, int32_t, (uint64_t)head + p.data);
    memcpy(words, p.words, head * sizeof *words);
    for (uint32_t i = 0; i < p.data; i++) {
        words[head + i] = random_real(b);
    }
    ts_tensor t = {.name = ts_arena_printf(b->arena, "%s.program", name),
                   .type = TS_S32,
                   .rank = 1,
                   .dims = {head + p.data},
                   .data = words};
    return add_tensor(b, &t, NULL);
}
