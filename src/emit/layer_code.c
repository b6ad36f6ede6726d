#include "emit/layer_code.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

const ts_l1_plan *ts__l1_of(const code *k) { return &k->lp->l1; }

static void add_tile(axis *a, uint32_t at, uint32_t count) {
    int64_t begin = (int64_t)at * a->stride - a->pad_begin,
            end = begin + (int64_t)(count - 1) * a->stride + a->reach;
    int64_t first = begin < 0 ? 0 : begin, last = end > a->in ? a->in : end;
    int64_t used = last > first ? last - first : 0;
    a->border |= count != a->tile;
    a->clips_begin |= begin < 0;
    a->clips_end |= end > a->in;
    a->outside |= last <= first;
    a->most_in = used > a->most_in ? (uint32_t)used : a->most_in;
    a->pad_end = end > a->in ? (uint32_t)(end - a->in) : 0;
    if (at == 0) {
        a->first_in = (uint32_t)used;
        a->first_pad_begin = (uint32_t)(begin < 0 ? -begin : 0);
        a->first_pad_end = a->pad_end;
    }
}

/* Tiles never reach over the end of a segment (stripe) of the output. */
static axis make_axis(uint32_t in, uint32_t out, uint32_t segment, uint32_t tile, uint32_t stride,
                      uint32_t reach, uint32_t pad) {
    axis a = {.in = in, .out = out, .tile = tile, .stride = stride, .reach = reach, .pad_begin = pad};
    a.loops = tile < out || segment < out;
    for (uint32_t from = 0; from < out; from += segment) {
        uint32_t end = out - from < segment ? out : from + segment;
        for (uint32_t at = from; at < end; at += tile) {
            add_tile(&a, at, end - at < tile ? end - at : tile);
        }
    }
    return a;
}

bool ts__padded(const code *k) { return k->lp->kernel->padded_x; }

bool ts__strips(const code *k) { return k->lp->kernel->x_strips; }

static void set_axes(code *k) {
    const ts_layer *layer = k->layer;
    const ts_tile *tile = &ts__l1_of(k)->tile;
    ts_window one = {
        .kernel_h = 1, .kernel_w = 1, .stride_h = 1, .stride_w = 1, .dilation_h = 1, .dilation_w = 1};
    bool windowless = ts_layer_is_elementwise(layer) || layer->kind == TS_LAYER_LINEAR;
    const ts_window *v = windowless ? &one : &layer->window;
    k->h = make_axis(layer->x.h, layer->y.h, k->stripe_h, tile->y_h, v->stride_h,
                     v->dilation_h * (v->kernel_h - 1) + 1, v->pad_top);
    k->w = make_axis(layer->x.w, layer->y.w, layer->y.w, tile->y_w, v->stride_w,
                     v->dilation_w * (v->kernel_w - 1) + 1, v->pad_left);
}

static uint32_t ceil_div(uint32_t a, uint32_t b) { return (a + b - 1) / b; }

static void set_channels(code *k) {
    uint32_t c = k->layer->y.c;
    k->tile_c = ts__l1_of(k)->tile.y_c;
    uint32_t chunks = k->lp->l3.chunks > 1 ? k->lp->l3.chunks : 1;
    k->chunk_c = chunks > 1 ? k->lp->l3.chunk_c : c;
    k->loops_c = k->tile_c < k->chunk_c;
    uint32_t last_chunk = c - (chunks - 1) * k->chunk_c;
    k->border_c = k->chunk_c % k->tile_c != 0 || (chunks > 1 && last_chunk % k->tile_c != 0);
    k->chunks = k->passes ? 1 : chunks;
    k->pass_chunks = k->passes ? chunks : 1;
    k->channels_inner = ts__l1_of(k)->order == TS_LOOP_CHANNELS_INNER && k->loops_c;
    k->x_follows =
        ts_layer_is_channelwise(k->layer) || (k->layer->kind == TS_LAYER_CONV && k->layer->groups > 1);
    k->tiles = 0;
    for (uint32_t i = 0; i < chunks; i++) {
        k->tiles += ceil_div(i + 1 < chunks ? k->chunk_c : last_chunk, k->tile_c);
    }
    uint32_t rows = 0;
    for (uint32_t from = 0; from < k->h.out; from += k->stripe_h) {
        rows += ceil_div(k->h.out - from < k->stripe_h ? k->h.out - from : k->stripe_h, k->h.tile);
    }
    k->tiles *= rows * ceil_div(k->w.out, k->w.tile);
}

bool ts__loops(const code *k) { return k->tiles > 1 || k->passes; }

bool ts__many_channels(const code *k) { return k->loops_c || k->chunks > 1 || k->pass_chunks > 1; }

/* When an operand that follows the pixels (and the channels), or the channels alone, changes: always when
 * the innermost loop is one of its own; otherwise when the loops inside its own begin anew. */
static operand make_operand(const code *k, const char *name, const char *field, bool used, bool pixels,
                            bool channels, uint32_t count) {
    operand o = {.name = name, .field = field, .used = used, .twin = count == 2};
    bool pixel_loops = k->h.loops || k->w.loops;
    bool turns_p = pixels && pixel_loops, turns_c = channels && (k->loops_c || k->chunks > 1);
    o.loads_again = used && (turns_p || turns_c || (pixels && pixel_loops && k->chunks > 1));
    if (!o.loads_again) {
        return o;
    }
    if (k->channels_inner) {
        bool inner = turns_c && k->loops_c;
        o.when = inner ? NULL : k->chunks > 1 ? "c == chunk_begin" : ts__text(k, "c == %s", ts__begin_c(k));
    } else if (!turns_p && pixel_loops) {
        o.when = !k->h.loops  ? "w == 0"
                 : k->w.loops ? ts__text(k, "h == %s && w == 0", ts__begin_h(k))
                              : ts__text(k, "h == %s", ts__begin_h(k));
    }
    return o;
}

const char *ts__begin_h(const code *k) { return k->stripes > 1 ? "p->h" : "0"; }
const char *ts__end_h(const code *k) { return k->stripes > 1 ? "p->h_end" : "Y_H"; }
const char *ts__begin_c(const code *k) { return k->pass_chunks > 1 ? "p->c" : "0"; }
const char *ts__end_c(const code *k) { return k->pass_chunks > 1 ? "p->c_end" : "Y_C"; }

uint64_t ts__w_bytes(const code *k, uint32_t channels) {
    return k->lp->kernel->weight_bytes(k->layer, channels);
}

static void set_operands(code *k) {
    const ts_l1_plan *l1 = ts__l1_of(k);
    bool weights = k->lp->l3.weights_bytes > 0;
    k->x = make_operand(k, "x", k->adds ? "a" : "x", true, true, k->x_follows, l1->x_count);
    if (k->lp->x_stays) {
        k->x = (operand){.name = "x", .field = "x", .used = true, .there = true};
    }
    bool matrices = k->layer->kind == TS_LAYER_MATMUL, shared = ts_layer_shares_x2(k->layer);
    k->x2 =
        make_operand(k, "x2", matrices ? "x2" : "b", ts_layer_has_x2(k->layer), !shared, true, l1->x2_count);
    bool sliced =
        weights && ts__many_channels(k) && ts__w_bytes(k, k->tile_c) != ts__w_bytes(k, k->layer->y.c);
    k->w_sliced = sliced;
    k->w_operand = make_operand(k, "w", k->adds ? "rq_params" : "w", weights, false, sliced, l1->w_count);
    k->w_operand.there = k->lp->w_early;
    k->y_twin = l1->y_count == 2;
    bool last = k->layer->index + 1 == k->e->plan->layer_count;
    k->early = !last && k->lp[1].w_early ? k->lp + 1 : NULL;
}

static ts_status too_big(const code *k, const char *what, uint64_t value, uint64_t most) {
    return ts_error(k->e->diags, TS_DIAG_LIMIT, k->layer->name, NULL,
                    "%s is %" PRIu64 "; a tile holds at most %" PRIu64, what, value, most);
}

/* The tile structs have 16 bits for sizes and 8 for strides. */
static ts_status check_sizes(const code *k) {
    const ts_layer *l = k->layer;
    const struct {
        const char *what;
        uint64_t value, most;
    } rows[] = {
        {"the height of a tile's input", k->h.most_in, UINT16_MAX},
        {"the width of a tile's input", k->w.most_in, UINT16_MAX},
        {"the number of input channels", l->x.c, UINT16_MAX},
        {"the height of a tile", k->h.tile, UINT16_MAX},
        {"the width of a tile", k->w.tile, UINT16_MAX},
        {"the number of output channels of a tile", k->tile_c, UINT16_MAX},
        {"the kernel's height", l->window.kernel_h, UINT16_MAX},
        {"the kernel's width", l->window.kernel_w, UINT16_MAX},
        {"the dilation",
         l->window.dilation_h > l->window.dilation_w ? l->window.dilation_h : l->window.dilation_w,
         UINT16_MAX},
        {"the stride", l->window.stride_h > l->window.stride_w ? l->window.stride_h : l->window.stride_w,
         UINT8_MAX},
        {"the padding", l->window.pad_top > l->window.pad_left ? l->window.pad_top : l->window.pad_left,
         UINT16_MAX},
    };
    for (uint32_t i = 0; i < sizeof rows / sizeof rows[0] && !k->adds; i++) {
        if (rows[i].value > rows[i].most) {
            return too_big(k, rows[i].what, rows[i].value, rows[i].most);
        }
    }
    return TS_OK;
}

w_slices ts__slices_of(const code *k) {
    uint32_t c = k->layer->y.c, tile = k->tile_c;
    if (!k->w_sliced) {
        return W_WHOLE;
    }
    uint64_t step = ts__w_bytes(k, tile);
    bool by_tile = true, by_channel = step % tile == 0;
    for (uint32_t at = tile; at <= c; at += tile) {
        by_tile &= ts__w_bytes(k, at) == at / tile * step;
        by_channel &= ts__w_bytes(k, at) == at * (step / tile);
    }
    by_channel &= ts__w_bytes(k, c) == c * (step / tile);
    bool aligned_chunks = k->chunk_c == c || k->chunk_c % tile == 0;
    return by_channel ? W_BY_CHANNEL : by_tile && aligned_chunks ? W_BY_TILE : W_TABLE;
}

bool ts__varying_c(const code *k) { return k->border_c; }

const char *ts__text(const code *k, const char *format, ...) {
    char buffer[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(buffer, sizeof buffer, format, arguments);
    va_end(arguments);
    return ts_arena_strdup(k->e->arena, buffer);
}

/* Bytes of `count` elements, count being an expression that needs no parentheses in a product. */
const char *ts__bytes_of(const code *k, const char *count, ts_type type, bool rounds_up) {
    uint32_t bits = ts_type_bits(type);
    if (bits == 8) {
        return count;
    }
    if (bits > 8) {
        return ts__text(k, "%s * %u", count, bits / 8);
    }
    uint32_t per_byte = 8 / bits;
    return rounds_up ? ts__text(k, "(%s + %u) / %u", count, per_byte - 1, per_byte)
                     : ts__text(k, "%s / %u", count, per_byte);
}

uint64_t ts__bytes_for(uint64_t count, ts_type type) { return (count * ts_type_bits(type) + 7) / 8; }

/* Channel of x under channel `c` of y. */
const char *ts__x_channel(const code *k, const char *c) {
    uint32_t xc = k->layer->x.c, yc = k->layer->y.c;
    if (xc == yc) {
        return c;
    }
    return yc % xc == 0   ? ts__text(k, "%s / %u", c, yc / xc)
           : xc % yc == 0 ? ts__text(k, "%s * %u", c, xc / yc)
                          : ts__text(k, "%s * %u / %u", c, xc, yc);
}

uint32_t ts__x_channels_of(const code *k, uint32_t c) {
    return k->x_follows && ts__many_channels(k) ? (uint32_t)((uint64_t)c * k->layer->x.c / k->layer->y.c)
                                                : k->layer->x.c;
}

bool ts__x_cut(const code *k) { return k->x_follows && ts__many_channels(k); }

const char *ts__elem_name(ts_type type) {
    static const char *const names[TS_TYPE_COUNT] = {
        [TS_S32] = "TS_ELEM_S32", [TS_S16] = "TS_ELEM_S16", [TS_U8] = "TS_ELEM_U8",
        [TS_S8] = "TS_ELEM_S8",   [TS_U4] = "TS_ELEM_U4",   [TS_S4] = "TS_ELEM_S4",
        [TS_U2] = "TS_ELEM_U2",   [TS_S2] = "TS_ELEM_S2",   [TS_F32] = "TS_ELEM_F32"};
    TS_ASSERT(names[type] != NULL, "emit: element type");
    return names[type];
}

const char *ts__i32_text(const code *k, int64_t value) {
    return value == INT32_MIN ? "INT32_MIN" : ts__text(k, "%" PRId64, value);
}

const char *ts__i64_text(const code *k, int64_t value) {
    if (value == INT64_MIN) {
        return "INT64_MIN";
    }
    return value >= -INT32_MAX && value <= INT32_MAX ? ts__text(k, "%" PRId64, value)
                                                     : ts__text(k, "INT64_C(%" PRId64 ")", value);
}

const char *ts__number(const code *k, uint64_t value) { return ts__text(k, "%" PRIu64, value); }

ts_status ts__code_init(code *k, const ts__emit *e, uint32_t index, ts_text *out) {
    const ts_layer_plan *lp = &e->plan->layer_plans[index];
    *k = (code){.e = e, .lp = lp, .layer = lp->layer, .out = out};
    k->passes = lp->l3.x_in_l3 || lp->l3.x2_in_l3 || lp->l3.y_in_l3;
    k->stripes = lp->l3.stripes > 1 ? lp->l3.stripes : 1;
    k->stripe_h = k->stripes > 1 ? lp->l3.stripe_h : lp->layer->y.h;
    TS_ASSERT(k->passes || k->stripes == 1, lp->layer->name);
    k->flat = ts_target_levels(e->plan->target) == 1;
    k->adds = ts_layer_is_elementwise(lp->layer);
    k->multiplies = lp->layer->kind == TS_LAYER_MATMUL;
    k->tile_type = k->adds ? "ts_add_tile" : k->multiplies ? "ts_matmul_tile" : "ts_conv_tile";
    k->l3_busy = ts__l3_busy(e, index);
    set_axes(k);
    set_channels(k);
    set_operands(k);
    return check_sizes(k);
}
