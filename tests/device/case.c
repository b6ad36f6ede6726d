#include "case.h"

#include <math.h>
#include <string.h>

#include "call.h"
#include "hal/team.h"
#include "kernels/xpulp/strips.h"
#include "plan/kernel_pack.h"
#include "plan/strips.h"

static uint32_t pick(ts_random *random, uint32_t wanted, uint32_t low, uint32_t high) {
    return wanted != 0 ? wanted : (uint32_t)ts_random_range(random, low, high);
}

static int32_t element(ts_random *random, ts_type type, bool extreme) {
    if (extreme) {
        return (int32_t)(ts_random_next(random) & 1u ? ts_type_low(type) : ts_type_high(type));
    }
    return (int32_t)ts_random_range(random, ts_type_low(type), ts_type_high(type));
}

static const int32_t *elements(ts_arena *arena, ts_random *random, const ts_map_shape *shape,
                               const ts_case_limits *limits) {
    uint32_t count = shape->h * shape->w * shape->c, wide_in = limits->wide_in;
    int32_t *values = TS_NEW_ARRAY(arena, int32_t, count), end = element(random, shape->type, true);
    bool all_at_end = limits->extreme && ts_random_range(random, 0, 2) == 0;
    for (uint32_t i = 0; i < count; i++) {
        values[i] = all_at_end ? end : element(random, shape->type, limits->extreme);
        if (wide_in > 0 && ts_random_range(random, 1, wide_in) > 1) {
            values[i] &= 255;
        }
    }
    return values;
}

static ts_map_shape shape(ts_type type, uint32_t h, uint32_t w, uint32_t c) {
    return (ts_map_shape){
        .type = type, .h = h, .w = w, .c = c, .pixel_bytes = (c * ts_type_bits(type) + 7) / 8};
}

static const ts_tensor *weights(ts_arena *arena, ts_random *random, ts_type type, uint32_t count,
                                bool extreme) {
    int8_t *bytes = TS_NEW_ARRAY(arena, int8_t, count);
    int16_t *halves = TS_NEW_ARRAY(arena, int16_t, count);
    ts_tensor *tensor = TS_NEW(arena, ts_tensor);
    for (uint32_t i = 0; i < count; i++) {
        halves[i] = (int16_t)element(random, type, extreme);
        bytes[i] = (int8_t)halves[i];
    }
    *tensor = (ts_tensor){.name = "w", .type = type, .rank = 1, .dims = {count}};
    tensor->data = type == TS_S16 ? (const void *)halves : bytes;
    return tensor;
}

/* A zero point for the weights; in half of the cases few weights pass 8 bits without it. */
static void give_zero(ts_arena *arena, ts_random *random, ts_layer *layer) {
    ts_tensor *tensor = TS_NEW(arena, ts_tensor);
    int32_t *zero = TS_NEW(arena, int32_t);
    double *scale = TS_NEW(arena, double);
    uint32_t count = layer->weights->dims[0];
    int8_t *data = ts_arena_copy(arena, layer->weights->data, count);
    *zero = (int32_t)ts_random_range(random, 1, 127) * (ts_random_range(random, 0, 1) == 0 ? 1 : -1);
    *scale = 1;
    bool few = ts_random_range(random, 0, 1) == 0;
    for (uint32_t i = 0; few && i < count; i++) {
        bool far = ts_random_range(random, 0, 60) == 0;
        int32_t near = *zero + data[i] / 8;
        near = near < -128 ? -128 : near > 127 ? 127 : near;
        data[i] = (int8_t)(!far ? near : *zero > 0 ? -128 : 127);
    }
    *tensor = *layer->weights;
    tensor->data = data;
    tensor->quantum = (ts_quantum){1, scale, zero};
    layer->weights = tensor;
    ts__layer_find_excess(arena, layer);
}

/* Parameters that spread accumulators of standard deviation `sigma`, at most `bound` in magnitude, over the
 * output's range and somewhat beyond. */
static void requantisation(ts_arena *arena, ts_random *random, ts_layer *layer, ts_rq_class class_,
                           double bound, double sigma) {
    ts_rq_plan *rq = &layer->rq;
    uint32_t channels = layer->y.c;
    double range = (double)(ts_type_high(layer->y.type) - ts_type_low(layer->y.type)) / 4;
    *rq = (ts_rq_plan){.class_ = class_, .channels = channels};
    rq->low = (int32_t)ts_type_low(layer->y.type);
    rq->high = (int32_t)ts_type_high(layer->y.type);
    if (ts_random_range(random, 0, 3) == 0 && class_ != TS_RQC_S32C) {
        rq->high -= rq->high / 5;
    }
    rq->k = TS_NEW_ARRAY(arena, int64_t, channels);
    rq->l = TS_NEW_ARRAY(arena, int64_t, channels);
    rq->tflite_shift = TS_NEW_ARRAY(arena, int32_t, channels);
    double reach = class_ == TS_RQC_S32C || class_ == TS_RQC_S32DC || class_ == TS_RQC_S32RC
                       ? fmin(bound, 3 * sigma)
                       : bound;
    rq->acc_low = -(int32_t)reach - 1;
    rq->acc_high = (int32_t)reach;
    double most = floor(1.0e9 / reach);
    rq->shift = (uint32_t)fmax(0, fmin(30, floor(log2(fmax(1, sigma * most / range)))));
    rq->div =
        class_ == TS_RQC_S64 && ts_random_range(random, 0, 1) ? ((int64_t)1 << 22) - 1 : (int64_t)1 << 22;
    if (class_ == TS_RQC_S64) {
        rq->shift = 22;
        most = (double)rq->div * range / sigma;
    }
    bool splits =
        class_ == TS_RQC_S32D || class_ == TS_RQC_S32DC || class_ == TS_RQC_S32R || class_ == TS_RQC_S32RC;
    if (splits) {
        /* The lower part of k below 2^split, its product and the sum below 2^30. */
        reach = fmin(reach, 2e7);
        rq->split = (uint32_t)fmax(5, fmin(12, floor(log2(9e8 / reach))));
        rq->acc_low = -(int32_t)reach - 1;
        rq->acc_high = (int32_t)reach;
        most = 9e8 / reach * exp2(rq->split);
        rq->channel_shift = TS_NEW_ARRAY(arena, uint8_t, channels);
        rq->middle = TS_NEW_ARRAY(arena, int32_t, channels);
        rq->shift = class_ == TS_RQC_S32R || class_ == TS_RQC_S32RC ? (uint32_t)ts_random_range(random, 0, 6)
                                                                    : rq->shift;
    }
    for (uint32_t c = 0; c < channels; c++) {
        bool odd = ts_random_range(random, 0, 9) == 0;
        rq->k[c] = odd ? ts_random_range(random, -1, 1)
                       : (int64_t)(most * (double)ts_random_range(random, 50, 100) / 100);
        rq->l[c] = (int64_t)(most * sigma * (double)ts_random_range(random, -100, 100) / 100);
        if (splits) {
            /* The low bits of l hold the shift. Where kernels move l by a zero point, it must not matter what
             * they are, as the planner proves: all of k a + l are then multiples of the run. */
            bool moves = odd || layer->x.zero != 0;
            if (moves) {
                rq->k[c] = odd ? rq->k[c] * TS_RQ_RUN : rq->k[c] / TS_RQ_RUN * TS_RQ_RUN;
            }
            rq->l[c] -= rq->l[c] & (TS_RQ_RUN - 1);
            double sum = fabs((double)rq->k[c]) * sigma * exp2(-(double)rq->split) / range;
            double both = fmax(0, fmin(31, floor(log2(fmax(1, sum)))));
            bool twice = class_ == TS_RQC_S32R || class_ == TS_RQC_S32RC;
            rq->channel_shift[c] = (uint8_t)(twice ? fmax(0, both - rq->shift) : both);
            rq->l[c] += moves ? 0 : rq->channel_shift[c];
            rq->middle[c] = twice ? (int32_t)(range * exp2(rq->channel_shift[c]) *
                                              (double)ts_random_range(random, -100, 100) / 100)
                                  : 0;
        }
        if (class_ == TS_RQC_NONE || class_ == TS_RQC_TFLITE) {
            rq->l[c] = ts_random_range(random, -100000, 100000);
            rq->k[c] = ts_random_range(random, 1 << 30, INT32_MAX);
            rq->tflite_shift[c] = -(int32_t)fmax(0, floor(log2(fmax(1, sigma / range))));
        }
    }
}

static ts_rq_class rq_class(ts_random *random, const ts_case_limits *limits) {
    return limits->rq_class >= 0 ? (ts_rq_class)limits->rq_class
                                 : (ts_rq_class)ts_random_range(random, 0, TS_RQ_CLASS_COUNT - 1);
}

static double sigma_of(ts_type type) { return (double)(ts_type_high(type) - ts_type_low(type)) / 2; }

static void make_window(ts_random *random, const ts_case_limits *limits, ts_layer *layer) {
    ts_window *w = &layer->window;
    *w = (ts_window){.kernel_h = pick(random, limits->kernel_h, 1, 4),
                     .kernel_w = pick(random, limits->kernel_w, 1, 4),
                     .stride_h = pick(random, limits->stride, 1, 3),
                     .stride_w = pick(random, limits->stride, 1, 3),
                     .dilation_h = 1,
                     .dilation_w = 1};
    if (limits->dilation != 1 && ts_random_range(random, 0, 3) == 0) {
        w->dilation_h = pick(random, limits->dilation, 1, 3);
        w->dilation_w = pick(random, limits->dilation, 1, 3);
    }
    uint32_t *pads[] = {&w->pad_top, &w->pad_left, &w->pad_bottom, &w->pad_right};
    for (uint32_t i = 0; i < 4; i++) {
        uint32_t most = i % 2 == 0 ? w->kernel_h : w->kernel_w;
        *pads[i] = limits->pad >= 0 ? (uint32_t)limits->pad : (uint32_t)ts_random_range(random, 0, most - 1);
    }
}

static uint32_t window_in(uint32_t wanted, uint32_t kernel, uint32_t dilation, uint32_t pads) {
    uint32_t least = (kernel - 1) * dilation + 1;
    return wanted + pads >= least ? wanted : least - pads;
}

static void make_maps(ts_random *random, const ts_case_limits *limits, ts_layer *layer) {
    ts_window *w = &layer->window;
    bool depthwise = layer->kind != TS_LAYER_CONV;
    uint32_t h =
        window_in(pick(random, limits->h, 1, 9), w->kernel_h, w->dilation_h, w->pad_top + w->pad_bottom);
    uint32_t v =
        window_in(pick(random, limits->w, 1, 9), w->kernel_w, w->dilation_w, w->pad_left + w->pad_right);
    uint32_t c_in = pick(random, limits->c_in, 1, 21);
    uint32_t c_out = depthwise ? c_in : pick(random, limits->c_out, 1, 21);
    uint32_t out_h = ts_window_out(h, w->kernel_h, w->stride_h, w->dilation_h, w->pad_top, w->pad_bottom);
    uint32_t out_w = ts_window_out(v, w->kernel_w, w->stride_w, w->dilation_w, w->pad_left, w->pad_right);
    layer->x = shape(limits->x_type, h, v, c_in);
    layer->y = shape(limits->y_type, out_h, out_w, c_out);
    layer->groups = layer->kind == TS_LAYER_DWCONV ? c_in : 1;
}

static void make_linear(ts_random *random, const ts_case_limits *limits, ts_layer *layer) {
    layer->window = (ts_window){1, 1, 1, 1, 1, 1, 0, 0, 0, 0};
    layer->groups = 1;
    layer->x = shape(limits->x_type, 1, 1, pick(random, limits->c_in, 1, 300));
    layer->y = shape(limits->y_type, 1, 1, pick(random, limits->c_out, 1, 40));
}

static void make_weighted(ts_arena *arena, ts_random *random, const ts_case_limits *limits, ts_layer *layer) {
    uint32_t taps = layer->window.kernel_h * layer->window.kernel_w * (layer->x.c / layer->groups);
    ts_rq_class class_ = rq_class(random, limits);
    if (class_ == TS_RQC_NONE) {
        layer->y = shape(TS_S32, layer->y.h, layer->y.w, layer->y.c);
    } else if (class_ != TS_RQC_S32C && class_ != TS_RQC_S32DC && class_ != TS_RQC_S32RC &&
               ts_random_range(random, 0, 2) == 0) {
        layer->x.zero =
            (int32_t)ts_random_range(random, ts_type_low(layer->x.type), ts_type_high(layer->x.type));
        layer->x.zero = layer->x.type == TS_S16 ? 0 : layer->x.zero;
    }
    layer->weights = weights(arena, random, limits->w_type, layer->y.c * taps, limits->extreme);
    if (limits->weights_zero) {
        give_zero(arena, random, layer);
    }
    double x_most = (double)ts_type_high(layer->x.type) - (double)ts_type_low(layer->x.type);
    double bound = taps * x_most * -(double)ts_type_low(limits->w_type) + 1;
    double sigma = sqrt(taps) * sigma_of(layer->x.type) * sigma_of(limits->w_type) + 1;
    requantisation(arena, random, layer, class_, bound,
                   fmin(sigma, bound) / (limits->steep > 0 ? limits->steep : 1));
}

static void make_pool(ts_arena *arena, ts_random *random, const ts_case_limits *limits, ts_layer *layer) {
    if (layer->kind == TS_LAYER_AVG_POOL) {
        double taps = (double)layer->window.kernel_h * layer->window.kernel_w;
        double bound = taps * sigma_of(layer->x.type) * 2;
        if (ts_random_range(random, 0, 1) == 0) {
            layer->x.zero =
                (int32_t)ts_random_range(random, ts_type_low(layer->x.type), ts_type_high(layer->x.type));
        }
        requantisation(arena, random, layer, rq_class(random, limits), bound, bound / 4);
        layer->y =
            layer->rq.class_ == TS_RQC_NONE ? shape(TS_S32, layer->y.h, layer->y.w, layer->y.c) : layer->y;
    } else {
        layer->rq = (ts_rq_plan){.class_ = TS_RQC_NONE};
        layer->y = shape(layer->x.type, layer->y.h, layer->y.w, layer->y.c);
    }
}

static ts_add_step plain_step(void) {
    return (ts_add_step){.mul = 1, .add = 0, .div = 1, .low = INT32_MIN, .high = INT32_MAX};
}

/* Slopes of some 20 bits that spread the sum over the output's range and somewhat beyond. */
static void make_line(ts_random *random, ts_layer *layer) {
    ts_add_step *steps[2] = {&layer->in1, &layer->in2};
    for (uint32_t i = 0; i < 2; i++) {
        steps[i]->mul = ts_random_range(random, -100000, 2000000);
        steps[i]->add = ts_random_range(random, -100000000, 100000000);
    }
    layer->sum.div = (int64_t)1 << ts_random_range(random, 19, 23);
    layer->sum.low = (int32_t)ts_type_low(layer->y.type) + (int32_t)ts_random_range(random, 0, 2);
    layer->sum.high = (int32_t)ts_type_high(layer->y.type) - (int32_t)ts_random_range(random, 0, 2);
    if (ts_random_range(random, 0, 1) == 0) {
        layer->sum.low = (int32_t)ts_type_low(layer->y.type);
        layer->sum.high = (int32_t)ts_type_high(layer->y.type);
    }
}

/* The same requantisation in all channels, as the graph has it. */
static void make_uniform(ts_layer *layer) {
    ts_rq_plan *rq = &layer->rq;
    for (uint32_t c = 1; c < rq->channels; c++) {
        rq->k[c] = rq->k[0];
        rq->l[c] = rq->l[0];
        rq->tflite_shift[c] = rq->tflite_shift[0];
        if (rq->channel_shift != NULL) {
            rq->channel_shift[c] = rq->channel_shift[0];
            rq->middle[c] = rq->middle[0];
        }
    }
    layer->rq_own = *rq;
}

static void make_lut(ts_arena *arena, ts_random *random, const ts_case_limits *limits, ts_layer *layer) {
    int8_t *data = TS_NEW_ARRAY(arena, int8_t, 256);
    ts_tensor *table = TS_NEW(arena, ts_tensor);
    for (uint32_t i = 0; i < 256; i++) {
        data[i] = (int8_t)element(random, TS_S8, limits->extreme);
    }
    *table = (ts_tensor){.name = "table", .type = limits->y_type, .rank = 1, .dims = {256}, .data = data};
    layer->weights = table;
    layer->window = (ts_window){1, 1, 1, 1, 1, 1, 0, 0, 0, 0};
    layer->x = shape(limits->x_type, pick(random, limits->h, 1, 9), pick(random, limits->w, 1, 9),
                     pick(random, limits->c_in, 1, 21));
    layer->y = shape(limits->y_type, layer->x.h, layer->x.w, layer->x.c);
    layer->groups = layer->x.c;
    layer->rq = (ts_rq_plan){.class_ = TS_RQC_NONE};
}

/* Matrices of x_type by those of w_type, one for each row of x or one for all. */
static void make_matmul(ts_arena *arena, ts_random *random, const ts_case_limits *limits, ts_layer *layer) {
    uint32_t rows = pick(random, limits->h, 1, 4), inner = pick(random, limits->c_in, 1, 40);
    bool shared = rows == 1 || (limits->h == 0 && ts_random_range(random, 0, 2) == 0);
    uint32_t columns = pick(random, limits->w, 1, 13);
    layer->window = (ts_window){1, 1, 1, 1, 1, 1, 0, 0, 0, 0};
    layer->groups = 1;
    layer->x = shape(limits->x_type, shared ? rows * columns : rows, shared ? 1 : columns, inner);
    layer->x2 = shape(limits->w_type, shared ? 1 : rows, pick(random, limits->c_out, 1, 21), inner);
    ts_rq_class class_ = rq_class(random, limits);
    layer->y = shape(class_ == TS_RQC_NONE ? TS_S32 : limits->y_type, layer->x.h, layer->x.w, layer->x2.w);
    for (uint32_t i = 0; i < 2; i++) {
        ts_map_shape *map = i == 0 ? &layer->x : &layer->x2;
        bool zero = ts_random_range(random, 0, 1) == 0;
        map->zero = zero ? element(random, map->type, limits->extreme) : 0;
    }
    double bound = inner * 65025.0 + 1,
           sigma = sqrt(inner) * sigma_of(layer->x.type) * sigma_of(layer->x2.type) + 1;
    requantisation(arena, random, layer, class_, bound, fmin(sigma, bound));
}

static void make_add(ts_arena *arena, ts_random *random, const ts_case_limits *limits, ts_layer *layer) {
    ts_map_shape s = shape(limits->x_type, pick(random, limits->h, 1, 9), pick(random, limits->w, 1, 9),
                           pick(random, limits->c_in, 1, 21));
    layer->x = s;
    layer->x2 = layer->kind != TS_LAYER_REQUANT ? s : (ts_map_shape){.type = TS_TYPE_COUNT};
    if ((limits->line || layer->kind == TS_LAYER_MUL) && ts_random_range(random, 0, 3) == 0) {
        layer->x2 = shape(limits->x_type == TS_U8 ? TS_S8 : TS_U8, s.h, s.w, s.c);
    }
    layer->y = shape(limits->y_type, s.h, s.w, s.c);
    layer->in1 = layer->in2 = layer->sum = plain_step();
    layer->rq = (ts_rq_plan){.class_ = TS_RQC_NONE};
    ts_rq_class class_ = rq_class(random, limits);
    if (layer->kind == TS_LAYER_REQUANT || class_ != TS_RQC_NONE) {
        class_ = class_ == TS_RQC_NONE ? TS_RQC_S32 : class_;
        double sigma = sigma_of(s.type) * (layer->kind == TS_LAYER_MUL ? sigma_of(s.type) : 1);
        requantisation(arena, random, layer, class_, sigma * (layer->kind == TS_LAYER_MUL ? 16 : 4), sigma);
    }
    if (layer->kind != TS_LAYER_ADD) {
        make_uniform(layer);
    }
    if (limits->line) {
        make_line(random, layer);
    } else if (layer->kind == TS_LAYER_MUL) {
        layer->in1.add = -ts_random_range(random, ts_type_low(s.type), ts_type_high(s.type));
        layer->in2.add = -ts_random_range(random, ts_type_low(s.type), ts_type_high(s.type));
    } else if (layer->kind == TS_LAYER_ADD) {
        bool plain = ts_random_range(random, 0, 2) == 0;
        layer->in1.mul = plain ? 1 : ts_random_range(random, 1, 127);
        layer->in2.mul = plain ? 1 : ts_random_range(random, 1, 127);
        layer->sum.add = plain ? 0 : ts_random_range(random, 0, 64);
        layer->sum.div = plain ? 2 : 128;
        layer->sum.low = (int32_t)ts_type_low(limits->y_type);
        layer->sum.high = (int32_t)ts_type_high(limits->y_type);
    }
}

void case_make(ts_arena *arena, ts_random *random, const ts_case_limits *limits, ts_case *out) {
    ts_layer *layer = &out->layer;
    *out = (ts_case){.roomy = ts_random_range(random, 0, 3) == 0};
    layer->name = "case";
    layer->kind = limits->kind;
    switch (limits->kind) {
        case TS_LAYER_ADD:
        case TS_LAYER_MUL:
        case TS_LAYER_REQUANT:
            make_add(arena, random, limits, layer);
            break;
        case TS_LAYER_MATMUL:
            make_matmul(arena, random, limits, layer);
            break;
        case TS_LAYER_LUT:
            make_lut(arena, random, limits, layer);
            break;
        case TS_LAYER_LINEAR:
            make_linear(random, limits, layer);
            make_weighted(arena, random, limits, layer);
            break;
        case TS_LAYER_MAX_POOL:
        case TS_LAYER_AVG_POOL:
            make_window(random, limits, layer);
            make_maps(random, limits, layer);
            make_pool(arena, random, limits, layer);
            break;
        default:
            make_window(random, limits, layer);
            make_maps(random, limits, layer);
            make_weighted(arena, random, limits, layer);
    }
    out->x = elements(arena, random, &layer->x, limits);
    out->x2 = layer->x2.type == TS_TYPE_COUNT || layer->x2.c == 0
                  ? NULL
                  : elements(arena, random, &layer->x2, limits);
}

static void pack_map(const ts_map_shape *s, const int32_t *values, uint32_t row_bytes, uint8_t *out) {
    uint32_t bits = ts_type_bits(s->type);
    for (uint32_t i = 0; i < s->h * s->w; i++) {
        uint8_t *pixel = out + i / s->w * row_bytes + i % s->w * s->pixel_bytes;
        memset(pixel, 0, s->pixel_bytes);
        for (uint32_t c = 0; c < s->c; c++) {
            ts__pack_bits(pixel, c, bits, values[i * s->c + c]);
        }
    }
}

void case_turn_quads(uint8_t *map, uint32_t h, uint32_t w, uint32_t c, uint32_t row_bytes,
                     uint32_t pixel_bytes) {
    for (uint32_t i = 0; i < h * w * c; i++) {
        uint32_t row = i / (w * c), column = i / c % w, channel = i % c;
        if (column % 4 < channel % 4) {
            uint8_t *corner = map + row * row_bytes + column / 4 * 4 * pixel_bytes + channel / 4 * 4;
            uint8_t *a = corner + column % 4 * pixel_bytes + channel % 4,
                    *b = corner + channel % 4 * pixel_bytes + column % 4, kept = *a;
            *a = *b;
            *b = kept;
        }
    }
}

static uint32_t elem(ts_type type) {
    static const uint8_t codes[TS_TYPE_COUNT] = {
        [TS_U8] = 0, [TS_S8] = 1,  [TS_U4] = 2,  [TS_S4] = 3, [TS_U2] = 4,
        [TS_S2] = 5, [TS_S16] = 6, [TS_S32] = 7, [TS_F32] = 8};
    return codes[type];
}

static void split(int32_t *words, int64_t value) {
    words[0] = (int32_t)(uint32_t)(uint64_t)value;
    words[1] = (int32_t)(uint32_t)((uint64_t)value >> 32);
}

static void fill_step(int32_t *words, const ts_add_step *step) {
    split(words, step->mul);
    split(words + 2, step->add);
    split(words + 4, step->div);
    words[6] = step->low;
    words[7] = step->high;
}

static void fill_rq(ts_case_call *call, const ts_rq_plan *rq) {
    call->rq_kind = rq->class_;
    call->rq_shift = rq->shift;
    call->rq_split = rq->split;
    call->rq_div_is_pow2 = (rq->div & (rq->div - 1)) == 0;
    call->rq_low = rq->low;
    call->rq_high = rq->high;
    call->rq_acc_low = rq->acc_low;
    call->rq_acc_high = rq->acc_high;
    call->rq_zero = rq->zero;
    split(call->rq_div, rq->div);
}

static void fill_call(const ts_layer *layer, ts_case_call *call) {
    const ts_window *w = &layer->window;
    call->is_add = ts_layer_is_elementwise(layer);
    call->x_h = layer->x.h, call->x_w = layer->x.w, call->x_c = layer->x.c;
    call->y_h = layer->y.h, call->y_w = layer->y.w, call->y_c = layer->y.c;
    call->k_h = w->kernel_h, call->k_w = w->kernel_w;
    call->stride_h = w->stride_h, call->stride_w = w->stride_w;
    call->dilation_h = w->dilation_h, call->dilation_w = w->dilation_w;
    call->pad_top = w->pad_top, call->pad_left = w->pad_left;
    call->pad_bottom = w->pad_bottom, call->pad_right = w->pad_right;
    call->groups = layer->groups;
    call->x_type = elem(layer->x.type);
    call->x2_type = ts_layer_has_x2(layer) ? elem(layer->x2.type) : call->x_type;
    call->w_type = layer->weights != NULL ? elem(layer->weights->type) : 1;
    call->y_type = elem(layer->y.type);
    call->x_zero = layer->x.zero;
    call->x2_zero = layer->x2.zero;
    call->w_zero = layer->weights != NULL ? ts_weights_zero(layer->weights) : 0;
    call->count = layer->y.h * layer->y.w * layer->y.c;
    call->channels = call->rq_channels = layer->y.c;
    fill_step(call->steps[0], &layer->in1);
    fill_step(call->steps[1], &layer->in2);
    fill_step(call->steps[2], &layer->sum);
    fill_rq(call, &layer->rq);
}

/* A kernel that wants padded tiles gets x with its padding around it. */
static void pad_x(const ts_layer *layer, ts_case_call *call, bool roomy) {
    call->x_h += call->pad_top + call->pad_bottom;
    call->x_w += call->pad_left + call->pad_right;
    call->pad_top = call->pad_left = call->pad_bottom = call->pad_right = 0;
    call->x_row_bytes = call->x_w * layer->x.pixel_bytes + (roomy ? 8u : 0u);
}

/* A kernel that wants strips gets x as transfers lay it out, nothing in the padding. Returns their bytes;
 * `area` is NULL where nothing but those is asked for. */
static uint32_t lay_strips(ts_arena *arena, const ts_case *c, ts_case_call *call, uint8_t *area) {
    uint8_t none = 0;
    struct ts_conv_tile tile = call_conv(call, area != NULL ? area : &none);
    const struct ts_strips s = ts_strips_of(&tile);
    uint32_t reached = s.lines - call->pad_top, row = c->layer.x.w * c->layer.x.pixel_bytes;
    const ts_tile planned = {.y_h = call->y_h, .y_w = call->y_w};
    TS_ASSERT(ts_x_strips_of(&c->layer, &planned).bytes == call->y_w * s.copies * s.strip_bytes, "strips");
    call->x_h = call->x_h < reached ? call->x_h : reached;
    if (area != NULL) {
        uint8_t *map = TS_NEW_ARRAY(arena, uint8_t, c->layer.x.h * row);
        pack_map(&c->layer.x, c->x, row, map);
        tile.x_h = (uint16_t)call->x_h;
        for (ts_test_core = 0; ts_test_core < ts_test_cores; ts_test_core++) {
            (void)ts_load_strips(&tile, area + call->x_at, map, row);
        }
        ts_test_core = 0;
    }
    return call->y_w * s.copies * s.strip_bytes;
}

static uint32_t claim(uint32_t *bytes, uint64_t size) {
    uint32_t at = *bytes;
    *bytes = (uint32_t)(at + size + 19) / 4 * 4;
    return at;
}

uint32_t case_y_bytes(const ts_case_call *call) { return call->y_h * call->y_row_bytes; }

bool case_inputs_kept(const ts_kernel *kernel, const ts_case_call *call, const uint8_t *area,
                      const uint8_t *before) {
    uint32_t begin = call->x_at, end = begin;
    if (kernel->x_strips) { /* whose padding the kernel fills */
        struct ts_conv_tile tile = call_conv(call, (uint8_t *)(uintptr_t)area);
        const struct ts_strips s = ts_strips_of(&tile);
        end += call->y_w * s.copies * s.strip_bytes;
    }
    for (uint32_t row = 0; kernel->rewrites_x && row < call->x_h; row++) {
        uint32_t at = call->x_at + row * call->x_row_bytes;
        if (memcmp(before + end, area + end, at - end) != 0) {
            return false;
        }
        end = at + call->x_w * call->x_c * 2u;
    }
    return memcmp(before, area, begin) == 0 && memcmp(before + end, area + end, call->y_at - end) == 0;
}

uint32_t case_lay_out(ts_arena *arena, const ts_case *c, const ts_kernel *kernel, uint32_t cores,
                      ts_case_call *call, uint8_t **area) {
    const ts_layer *layer = &c->layer;
    ts_tile tile = {layer->y.h, layer->y.w, layer->y.c, layer->x.h, layer->x.w, layer->x.c};
    *call = (ts_case_call){0};
    fill_call(layer, call);
    bool roomy = c->roomy && !call->is_add;
    call->x_row_bytes = layer->x.w * layer->x.pixel_bytes + (roomy ? 8u : 0u);
    uint32_t x2_row_bytes = layer->x2.w * layer->x2.pixel_bytes;
    call->x2_row_bytes = ts_layer_shares_x2(layer) ? 0 : x2_row_bytes;
    call->y_pixel_bytes = layer->y.pixel_bytes + (roomy ? 12u : 0u);
    call->y_row_bytes = layer->y.w * call->y_pixel_bytes + (roomy ? 4u : 0u);
    uint32_t bytes = 16, inside = 0;
    if (kernel->padded_x) {
        pad_x(layer, call, roomy);
        inside = layer->window.pad_top * call->x_row_bytes + layer->window.pad_left * layer->x.pixel_bytes;
    }
    call->x_at = claim(&bytes, kernel->x_strips ? lay_strips(arena, c, call, NULL)
                                                : (uint64_t)call->x_h * call->x_row_bytes);
    call->x2_at = c->x2 != NULL ? claim(&bytes, (uint64_t)layer->x2.h * x2_row_bytes) : 0;
    call->w_at = claim(&bytes, kernel->weight_bytes(layer, layer->y.c));
    call->y_at = claim(&bytes, case_y_bytes(call));
    call->scratch_at = claim(&bytes, kernel->scratch_bytes(layer, &tile, cores));
    *area = TS_NEW_ARRAY(arena, uint8_t, bytes + 64);
    memset(*area, CASE_GUARD, bytes + 64);
    if (kernel->padded_x) {
        memset(*area + call->x_at, layer->x.zero, (size_t)call->x_h * call->x_row_bytes);
    }
    if (kernel->x_strips) {
        lay_strips(arena, c, call, *area);
    } else {
        pack_map(&layer->x, c->x, call->x_row_bytes, *area + call->x_at + inside);
    }
    if (kernel->x_quads) {
        case_turn_quads(*area + call->x_at, layer->x.h, layer->x.w, layer->x.c, call->x_row_bytes,
                        layer->x.pixel_bytes);
    }
    if (c->x2 != NULL) {
        pack_map(&layer->x2, c->x2, x2_row_bytes, *area + call->x2_at);
    }
    kernel->pack(layer, *area + call->w_at);
    return bytes;
}
