#include "quant/border.h"

#include <math.h>
#include <string.h>

void ts__count_uses(ts_qnet *net) {
    for (uint32_t i = 0; i < net->layers.count; i++) {
        net->layers.data[i].uses = net->layers.data[i].is_output;
    }
    for (uint32_t i = 0; i < net->layers.count; i++) {
        const ts_qlayer *l = &net->layers.data[i];
        for (uint32_t k = 0; k < l->input_count; k++) {
            if (l->inputs[k] != 0) {
                net->layers.data[l->inputs[k] - 1].uses++;
            }
        }
    }
}

/* One axis of a window. */
typedef struct axis {
    uint32_t size, out, kernel, stride, dilation, pad;
} axis;

static axis axis_of(const ts_qnet *net, const ts_qlayer *l, bool columns) {
    const ts_window *n = &l->window;
    uint32_t h, w, c;
    ts_qnet_shape(net, l->inputs[0], &h, &w, &c);
    return columns ? (axis){w, l->w, n->kernel_w, n->stride_w, n->dilation_w, n->pad_left}
                   : (axis){h, l->h, n->kernel_h, n->stride_h, n->dilation_h, n->pad_top};
}

/* Window elements at output `o` that lie inside the input; *first is where the first of them is. */
static uint32_t inside(const axis *a, uint32_t o, uint32_t *first) {
    uint32_t count = 0;
    for (uint32_t k = 0; k < a->kernel; k++) {
        int64_t at = (int64_t)o * a->stride + (int64_t)k * a->dilation - a->pad;
        bool in = at >= 0 && at < a->size;
        if (in && count == 0) {
            *first = (uint32_t)at;
        }
        count += in;
    }
    return count;
}

/* ---- linear readers ---- */

static bool only_linear_readers(const ts_qnet *net, uint32_t value) {
    for (uint32_t i = 0; i < net->layers.count; i++) {
        const ts_qlayer *l = &net->layers.data[i];
        for (uint32_t k = 0; k < l->input_count; k++) {
            if (l->inputs[k] == value && l->kind != TS_QUANT_LINEAR) {
                return false;
            }
        }
    }
    return !net->layers.data[value - 1].is_output;
}

/* An integer average pool divides every window by its size: the readers' weights take the rest. */
static void move_divisor(ts_qnet *net, uint32_t value) {
    ts_qlayer *pool = &net->layers.data[value - 1];
    axis rows = axis_of(net, pool, false), columns = axis_of(net, pool, true);
    float whole = (float)(rows.kernel * columns.kernel);
    uint32_t first;
    pool->count_pad = true;
    for (uint32_t i = 0; i < net->layers.count; i++) {
        ts_qlayer *l = &net->layers.data[i];
        for (uint32_t k = 0; l->inputs[0] == value && k < l->inner; k++) {
            uint32_t part = inside(&rows, k / pool->c / pool->w, &first) *
                            inside(&columns, k / pool->c % pool->w, &first);
            for (uint32_t o = 0; o < l->c; o++) {
                l->weights[(size_t)o * l->inner + k] *= whole / (float)(part == 0 ? 1 : part);
            }
        }
    }
}

/* ---- pieces ---- */

enum { MOST_PIECES = TS_MAX_INPUTS }; /* along one axis: what one CONCAT joins */

/* Outputs side by side whose windows have as many elements inside: one of them, or all whole ones. */
typedef struct piece {
    uint32_t first, kernel, out; /* first input element, elements of a window, outputs */
} piece;

/* The pieces of one axis; 0: too many, or a window all outside. */
static uint32_t cut_axis(const axis *a, piece *pieces) {
    uint32_t count = 0;
    for (uint32_t o = 0; o < a->out; o++) {
        uint32_t first = 0, kernel = inside(a, o, &first);
        bool joins = count != 0 && kernel == a->kernel && pieces[count - 1].kernel == kernel;
        if (joins) {
            pieces[count - 1].out++;
            continue;
        }
        if (count == MOST_PIECES || kernel == 0) {
            return 0;
        }
        pieces[count++] = (piece){first, kernel, 1};
    }
    return count;
}

static uint32_t add(ts_qnet *net, const ts_qlayer *like, const ts_qlayer *layer, const char *part) {
    ts_qlayer l = *layer;
    l.name = ts_arena_printf(net->arena, "%s%s", like->name, part);
    l.file_index = like->file_index;
    l.groups = 1;
    l.c = like->c;
    l.low = -INFINITY;
    l.high = INFINITY;
    TS_PUSH(net->arena, &net->layers, l);
    return net->layers.count;
}

/* Elements that a piece reads along its axis. */
static uint32_t reach(const axis *a, const piece *p) {
    return (p->out - 1) * a->stride + (p->kernel - 1) * a->dilation + 1;
}

/* The pool of a row piece and a column piece of value `from`. */
static uint32_t add_piece(ts_qnet *net, const ts_qlayer *pool, const axis *a, const piece *p, uint32_t from,
                          const char *part) {
    const ts_window *n = &pool->window;
    uint32_t h, w, c, tall = reach(&a[0], &p[0]), wide = reach(&a[1], &p[1]);
    ts_window window = {p[0].kernel,   p[1].kernel, n->stride_h, n->stride_w, n->dilation_h,
                        n->dilation_w, 0,           0,           0,           0};
    ts_qnet_shape(net, from, &h, &w, &c);
    bool all = p[0].first == 0 && p[1].first == 0 &&
               ts_window_out(h, window.kernel_h, window.stride_h, window.dilation_h, 0, 0) == p[0].out &&
               ts_window_out(w, window.kernel_w, window.stride_w, window.dilation_w, 0, 0) == p[1].out;
    if (!all) {
        ts_qlayer slice = {.kind = TS_QUANT_SLICE, .input_count = 1, .inputs = {from}, .h = tall, .w = wide};
        slice.move = (ts_move){.begin = {p[0].first, p[1].first, 0}, .step = {1, 1, 1}};
        from = add(net, pool, &slice, ts_arena_printf(net->arena, "%s.slice", part));
    }
    ts_qlayer l = {.kind = TS_QUANT_AVG_POOL, .input_count = 1, .inputs = {from}};
    l.h = p[0].out;
    l.w = p[1].out;
    l.window = window;
    l.count_pad = true;
    return add(net, pool, &l, part);
}

static uint32_t join(ts_qnet *net, const ts_qlayer *pool, uint32_t count, const uint32_t *values,
                     uint32_t along, const char *part) {
    if (count == 1) {
        return values[0];
    }
    ts_qlayer l = {.kind = TS_QUANT_CONCAT, .input_count = count, .move = {.axis = along}};
    for (uint32_t k = 0; k < count; k++) {
        uint32_t h, w, c;
        ts_qnet_shape(net, values[k], &h, &w, &c);
        l.inputs[k] = values[k];
        l.h = along == 0 ? l.h + h : h;
        l.w = along == 1 ? l.w + w : w;
    }
    return add(net, pool, &l, part);
}

/* Adds the pieces of a pool and what joins them; returns the value, or 0 where it takes too many. */
static uint32_t add_pieces(ts_qnet *net, const ts_qlayer *pool, uint32_t from) {
    axis a[2] = {axis_of(net, pool, false), axis_of(net, pool, true)};
    piece pieces[2][MOST_PIECES];
    uint32_t counts[2] = {cut_axis(&a[0], pieces[0]), cut_axis(&a[1], pieces[1])}, rows[MOST_PIECES];
    if (counts[0] == 0 || counts[1] == 0) {
        return 0;
    }
    for (uint32_t y = 0; y < counts[0]; y++) {
        uint32_t row[MOST_PIECES];
        for (uint32_t x = 0; x < counts[1]; x++) {
            piece p[2] = {pieces[0][y], pieces[1][x]};
            row[x] = add_piece(net, pool, a, p, from, ts_arena_printf(net->arena, ".%u.%u", y, x));
        }
        rows[y] = join(net, pool, counts[1], row, 1, ts_arena_printf(net->arena, ".%u", y));
    }
    uint32_t all = join(net, pool, counts[0], rows, 0, "");
    ts_qlayer *last = &net->layers.data[all - 1];
    last->name = pool->name;
    last->is_output = pool->is_output;
    return all;
}

static bool leaves_padding_out(const ts_qlayer *l) {
    const ts_window *n = &l->window;
    return l->kind == TS_QUANT_AVG_POOL && !l->count_pad &&
           n->pad_top + n->pad_left + n->pad_bottom + n->pad_right != 0;
}

/* Copies the layers into a new list, pools cut to pieces; values get new numbers. */
static void cut_pools(ts_qnet *net, bool cut, ts_diags *diags) {
    uint32_t count = net->layers.count;
    const ts_qlayer *old = net->layers.data;
    uint32_t *values = TS_NEW_ARRAY(net->arena, uint32_t, count + 1);
    memset(&net->layers, 0, sizeof net->layers);
    for (uint32_t i = 0; i < count; i++) {
        ts_qlayer l = old[i];
        for (uint32_t k = 0; k < l.input_count; k++) {
            l.inputs[k] = values[l.inputs[k]];
        }
        bool clipped = l.low != -INFINITY || l.high != INFINITY;
        uint32_t made = cut && leaves_padding_out(&l) && !clipped ? add_pieces(net, &l, l.inputs[0]) : 0;
        if (made == 0 && leaves_padding_out(&l)) {
            ts_warn(diags, TS_DIAG_UNSUPPORTED, l.name, "avg_pool",
                    "leaves padding out of its divisor, which the integer network counts: border results are "
                    "smaller");
        }
        if (made == 0) {
            l.count_pad = true;
            TS_PUSH(net->arena, &net->layers, l);
            made = net->layers.count;
        }
        values[i + 1] = made;
    }
    for (uint32_t i = 0; i < net->outputs.count; i++) {
        net->outputs.data[i] = values[net->outputs.data[i]];
    }
}

void ts__settle_divisors(ts_qnet *net, bool cut, ts_diags *diags) {
    bool pieces = false;
    for (uint32_t i = 0; i < net->layers.count; i++) {
        ts_qlayer *l = &net->layers.data[i];
        if (leaves_padding_out(l) && only_linear_readers(net, i + 1)) {
            move_divisor(net, i + 1);
        }
        pieces = pieces || leaves_padding_out(l);
        l->count_pad = l->count_pad || !leaves_padding_out(l);
    }
    if (pieces) {
        cut_pools(net, cut, diags);
        ts__count_uses(net);
    }
}
