#include <inttypes.h>
#include <string.h>

#include "emit/layer_code.h"

static const char *map_text(const code *k, const ts_map_shape *map) {
    return ts__text(k, "%s %ux%ux%u%s", ts_type_name(map->type), map->h, map->w, map->c,
                    map->quads ? " in quads" : "");
}

static const char *window_text(const code *k) {
    const ts_window *v = &k->layer->window;
    if (ts_layer_is_elementwise(k->layer) || k->layer->kind == TS_LAYER_LINEAR || k->multiplies) {
        return "";
    }
    const char *dilation = v->dilation_h == 1 && v->dilation_w == 1
                               ? ""
                               : ts__text(k, ", dilation %ux%u", v->dilation_h, v->dilation_w);
    const char *groups = k->layer->kind == TS_LAYER_CONV && k->layer->groups > 1
                             ? ts__text(k, ", %u groups", k->layer->groups)
                             : "";
    return ts__text(k, ", window %ux%u, stride %ux%u%s, pads %u %u %u %u%s", v->kernel_h, v->kernel_w,
                    v->stride_h, v->stride_w, dilation, v->pad_top, v->pad_left, v->pad_bottom, v->pad_right,
                    groups);
}

void ts__emit_layer_comment(const code *k) {
    const ts_layer *l = k->layer;
    const char *second = ts_layer_has_x2(l) ? ts__text(k, " %s %s",
                                                       l->kind == TS_LAYER_MUL      ? "*"
                                                       : l->kind == TS_LAYER_MATMUL ? "by rows of"
                                                       : l->kind == TS_LAYER_FLOAT  ? "and"
                                                                                    : "+",
                                                       map_text(k, &l->x2))
                                            : "";
    const char *tiling =
        k->flat ? k->tiles == 1 ? "One call" : ts__text(k, "%u calls, a block of weights each", k->tiles)
        : k->tiles == 1
            ? "One tile"
            : ts__text(k, "%u tiles of up to %ux%ux%u outputs, %s", k->tiles, k->h.tile, k->w.tile, k->tile_c,
                       k->channels_inner ? "channels innermost" : "pixels innermost");
    uint32_t count = k->chunks > 1 ? k->chunks : k->pass_chunks;
    const char *chunks =
        count > 1 ? ts__text(k, "; weights come from L3 in %u chunks of %u channels", count, k->chunk_c) : "";
    ts__head(
        k->e, k->out,
        ts__text(k, "Layer %u, %s (%s): %s%s -> %s%s.\n%s; kernel %s%s.\n%.0f cycles modelled, %.0f at best.",
                 l->index, l->name, ts__layer_kind_name(l->kind), map_text(k, &l->x), second,
                 map_text(k, &l->y), window_text(k), tiling, k->lp->kernel->name, chunks,
                 k->lp->modelled_cycles, k->lp->bound_cycles));
    ts__line(k->out, 0, "#include \"../memory.h\"");
    ts__line(k->out, 0, "#include \"../network.h\"");
    ts__line(k->out, 0, "#include \"../weights.h\"");
    if (!k->flat || k->lp->l1.w_count > 0) {
        ts__line(k->out, 0, "#include \"hal/dma.h\"");
    }
    if (!k->flat) {
        ts__line(k->out, 0, "#include \"hal/team.h\"");
    }
    if (ts__padded(k)) {
        ts__line(k->out, 0, "#include \"kernels/border.h\"");
    }
    ts__line(k->out, 0, "#include \"kernels/kernels.h\"%s", ts__strips(k) ? "" : "\n");
    if (ts__strips(k)) {
        ts__line(k->out, 0, "#include \"kernels/xpulp/strips.h\"\n");
    }
}

static void emit_axis_constants(const code *k, const axis *a, char letter) {
    ts_text_printf(k->out, "    Y_%c = %u, X_%c = %u,", letter, a->out, letter, a->in);
    if (a->loops) {
        ts_text_printf(k->out, " TILE_%c = %u,", letter, a->tile);
    }
    if (a->loops && !k->adds) {
        ts_text_printf(k->out, " STRIDE_%c = %u, REACH_%c = %u,", letter, a->stride, letter, a->reach);
    }
    if (a->loops && a->clips_begin) {
        ts_text_printf(k->out, " PAD_%c = %u,", letter, a->pad_begin);
    }
    ts_text_add(k->out, "\n");
}

static void emit_w_constants(const code *k) {
    if (!k->w_operand.used) {
        return;
    }
    uint64_t all = k->lp->l3.weights_bytes, tile = ts__w_bytes(k, k->tile_c);
    switch (ts__slices_of(k)) {
        case W_WHOLE:
            ts__line(k->out, 1, "W_BYTES = %" PRIu64 ",", all);
            break;
        case W_BY_CHANNEL:
            ts__line(k->out, 1, "W_CHANNEL = %" PRIu64 ", /* bytes */", tile / k->tile_c);
            break;
        case W_BY_TILE:
            ts__line(k->out, 1, "W_TILE = %" PRIu64 ", W_BYTES = %" PRIu64 ",", tile, all);
            break;
        case W_TABLE:
            break;
    }
}

static void emit_w_table(const code *k) {
    if (ts__slices_of(k) != W_TABLE) {
        return;
    }
    ts__line(k->out, 0, "/* First byte of the packed weights of every tile of channels, and their end. */");
    ts_text_printf(k->out, "static const uint32_t w_first[] = {");
    uint32_t n = 0;
    for (uint32_t at = 0; at < k->layer->y.c; at += k->tile_c) {
        ts_text_printf(k->out, "%s%" PRIu64, n++ % 10 == 0 ? "\n    " : " ", ts__w_bytes(k, at));
        ts_text_add(k->out, ",");
    }
    ts_text_printf(k->out, " %" PRIu64 "};\n\n", ts__w_bytes(k, k->layer->y.c));
}

/* Bytes in L2. */
static void emit_map_constants(const code *k, const ts_map_shape *map, const char *prefix) {
    uint64_t row = (uint64_t)map->pixel_bytes * map->w;
    ts__line(k->out, 1, "%s_PIXEL = %u, %s_ROW = %" PRIu64 ", %s_BYTES = %" PRIu64 ",", prefix,
             map->pixel_bytes, prefix, row, prefix, row * map->h);
}

static void emit_constants(const code *k) {
    const ts_layer *l = k->layer;
    ts__line(k->out, 0, "enum {");
    emit_axis_constants(k, &k->h, 'H');
    emit_axis_constants(k, &k->w, 'W');
    if (ts__many_channels(k)) {
        ts__line(k->out, 1, "Y_C = %u, TILE_C = %u,", l->y.c, k->tile_c);
    }
    if (k->x_follows && ts__many_channels(k) && l->x.c != l->y.c) {
        ts__line(k->out, 1, "TILE_X_C = %u,", ts__x_channels_of(k, k->tile_c));
    }
    if (k->chunks > 1) {
        ts__line(k->out, 1, "CHUNK_C = %u,", k->chunk_c);
    }
    emit_map_constants(k, &l->x, "X");
    if (ts_layer_has_x2(l)) {
        emit_map_constants(k, &l->x2, "X2");
    }
    emit_map_constants(k, &l->y, "Y");
    emit_w_constants(k);
    if (k->chunks > 1 || k->pass_chunks > 1) {
        ts__line(k->out, 1, "FIRST_FETCH = %u, FIRST_STEP = %u, /* of the network's */",
                 k->lp->l3.first_fetch, k->lp->l3.first_step);
    }
    if (k->stripes > 1) {
        ts__line(k->out, 1, "STRIPES = %u, STRIPE_H = %u,", k->stripes, k->stripe_h);
        if (k->lp->l3.keeps_halo) {
            ts__line(k->out, 1, "KEEP_PART = %u, /* what the tile of x holds */",
                     (unsigned)(k->lp->l1.x_bytes / 4 * 4));
        }
    }
    if (k->pass_chunks > 1) {
        ts__line(k->out, 1, "CHUNKS = %u, CHUNK_C = %u,", k->pass_chunks, k->chunk_c);
    }
    if (k->tiles > 1 && !k->passes) {
        ts__line(k->out, 1, "TILES = %u", k->tiles);
    }
    ts__line(k->out, 0, "};\n");
}

typedef struct l1_part {
    uint64_t offset, bytes;
    const char *name, *what;
} l1_part;

static void add_part(const code *k, l1_part *parts, uint32_t *n, const char *name, uint32_t count,
                     const uint64_t offset[2], uint64_t bytes, const char *what) {
    for (uint32_t i = 0; i < count && bytes > 0; i++) {
        parts[(*n)++] = (l1_part){offset[i], bytes,
                                  count == 1 ? name : ts__text(k, "%s_%c", name, i == 0 ? 'a' : 'b'), what};
    }
    for (uint32_t i = *n; i-- > 1;) {
        for (uint32_t j = 0; j < i; j++) {
            if (parts[j].offset > parts[j + 1].offset) {
                l1_part kept = parts[j];
                parts[j] = parts[j + 1];
                parts[j + 1] = kept;
            }
        }
    }
}

static const char *life_of(const operand *o) {
    return !o->loads_again ? (o->there ? "the layer before left it here" : "loaded once")
           : !o->twin      ? "loaded between tiles"
                           : "one is computed on while the other is loaded";
}

/* struct l1: the buffers in the order of their offsets, gaps made visible. */
static void emit_l1_map(const code *k) {
    const ts_l1_plan *l1 = ts__l1_of(k);
    l1_part parts[12];
    uint32_t n = 0;
    uint64_t scratch[2] = {l1->scratch_offset, 0};
    add_part(k, parts, &n, "x", l1->x_count, l1->x_offset, l1->x_bytes,
             ts__text(k, "%s; %s",
                      k->lp->x_stays  ? "the input"
                      : ts__strips(k) ? "input tile in strips"
                                      : "input tile",
                      life_of(&k->x)));
    if (k->x2.used) {
        add_part(k, parts, &n, "x2", l1->x2_count, l1->x2_offset, l1->x2_bytes,
                 ts__text(k, "second input; %s", life_of(&k->x2)));
    }
    if (k->w_operand.used) {
        add_part(k, parts, &n, "w", l1->w_count, l1->w_offset, l1->w_bytes,
                 ts__text(k, "weights and requantisation; %s", life_of(&k->w_operand)));
    }
    add_part(k, parts, &n, "y", l1->y_count, l1->y_offset, l1->y_bytes,
             k->lp->y_stays ? "the output; the next layer reads it here"
             : k->y_twin    ? "output tile; one is computed while the other is stored"
                            : "output tile");
    add_part(k, parts, &n, "scratch", 1, scratch, l1->scratch_bytes, "of the kernel");
    ts__line(k->out, 0, "/* L1: %" PRIu64 " of %" PRIu64 " bytes. */", l1->used_bytes,
             k->e->plan->options.l1_bytes);
    ts__line(k->out, 0, "struct l1 {");
    uint64_t at = 0;
    for (uint32_t i = 0; i < n; i++) {
        TS_ASSERT(parts[i].offset >= at, "emit: L1 buffers overlap");
        if (parts[i].offset > at) {
            ts__line(k->out, 1, "uint8_t gap_%u[%" PRIu64 "];", i, parts[i].offset - at);
        }
        const char *declaration = ts__text(k, "uint8_t %s[%" PRIu64 "];", parts[i].name, parts[i].bytes);
        ts__line(k->out, 1, "%-24s /* from %5" PRIu64 ": %s */", declaration, parts[i].offset, parts[i].what);
        at = parts[i].offset + parts[i].bytes;
    }
    ts__line(k->out, 0, "};\n");
}

static bool is_power_of_two(int64_t value) { return value > 0 && (value & (value - 1)) == 0; }

static void emit_rq(const code *k) {
    static const char *const kinds[] = {
        [TS_RQC_NONE] = "TS_RQ_NONE",   [TS_RQC_S32] = "TS_RQ_S32",       [TS_RQC_S32C] = "TS_RQ_S32C",
        [TS_RQC_S64] = "TS_RQ_S64",     [TS_RQC_TFLITE] = "TS_RQ_TFLITE", [TS_RQC_S32D] = "TS_RQ_S32D",
        [TS_RQC_S32DC] = "TS_RQ_S32DC", [TS_RQC_S32R] = "TS_RQ_S32R",     [TS_RQC_S32RC] = "TS_RQ_S32RC",
    };
    _Static_assert(sizeof kinds / sizeof kinds[0] == TS_RQ_CLASS_COUNT, "a name for every class");
    const ts_rq_plan *rq = &k->layer->rq;
    ts_text_printf(k->out, "    .rq = {.kind = %s", kinds[rq->class_]);
    if (rq->class_ != TS_RQC_NONE) {
        ts_text_printf(k->out, ", .low = %s, .high = %s", ts__i32_text(k, rq->low),
                       ts__i32_text(k, rq->high));
    }
    bool rounds_twice = rq->class_ == TS_RQC_S32R || rq->class_ == TS_RQC_S32RC;
    if (rq->class_ == TS_RQC_S32 || rq->class_ == TS_RQC_S32C || rounds_twice) {
        ts_text_printf(k->out, ", .shift = %u", rq->shift);
    }
    if (rq->class_ == TS_RQC_S32D || rq->class_ == TS_RQC_S32DC || rounds_twice) {
        ts_text_printf(k->out, ", .split = %u", rq->split);
    }
    if (rq->class_ == TS_RQC_S32C || rq->class_ == TS_RQC_S32DC || rq->class_ == TS_RQC_S32RC) {
        ts_text_printf(k->out, ", .acc_low = %s, .acc_high = %s", ts__i32_text(k, rq->acc_low),
                       ts__i32_text(k, rq->acc_high));
    }
    if (rq->class_ == TS_RQC_S64) {
        uint32_t log2 = 0;
        while (log2 < 62 && ((int64_t)1 << log2) < rq->div) {
            log2++;
        }
        bool shifts = is_power_of_two(rq->div);
        ts_text_printf(k->out, ", .div = %s", ts__i64_text(k, rq->div));
        if (shifts) {
            ts_text_printf(k->out, ", .div_is_pow2 = 1, .shift = %u", log2);
        }
    }
    if (rq->class_ == TS_RQC_TFLITE) {
        ts_text_printf(k->out, ", .zero = %d", k->layer->rq.zero);
    }
    ts_text_add(k->out, "},\n");
}

static void emit_step_args(const code *k, const char *name, const ts_add_step *s) {
    ts__line(k->out, 1, ".%s = {.mul = %s, .add = %s, .div = %s, .low = %s, .high = %s},", name,
             ts__i64_text(k, s->mul), ts__i64_text(k, s->add), ts__i64_text(k, s->div),
             ts__i32_text(k, s->low), ts__i32_text(k, s->high));
}

static void emit_add_shape(const code *k) {
    const ts_layer *l = k->layer;
    bool has_rq = l->rq.class_ != TS_RQC_NONE;
    ts__line(k->out, 1, ".count = %u, .channels = %u,", k->h.tile * k->w.tile * k->tile_c, k->tile_c);
    ts__line(k->out, 1, ".a_type = %s, .b_type = %s, .y_type = %s,", ts__elem_name(l->x.type),
             ts__elem_name(ts_layer_has_x2(l) ? l->x2.type : l->x.type), ts__elem_name(l->y.type));
    if (ts_layer_has_x2(l)) {
        emit_step_args(k, "in1", &l->in1);
        emit_step_args(k, "in2", &l->in2);
        emit_step_args(k, "sum", &l->sum);
    }
    if (has_rq) {
        ts__line(k->out, 1, ".rq_channels = %u,", l->rq.channels);
    }
    emit_rq(k);
}

static void emit_conv_shape(const code *k) {
    const ts_layer *l = k->layer;
    bool linear = l->kind == TS_LAYER_LINEAR;
    ts_window one = {
        .kernel_h = 1, .kernel_w = 1, .stride_h = 1, .stride_w = 1, .dilation_h = 1, .dilation_w = 1};
    const ts_window *v = linear ? &one : &l->window;
    uint32_t x_c = ts__x_channels_of(k, k->tile_c), groups = l->groups == 0 ? 1 : l->groups;
    if (l->kind != TS_LAYER_CONV && !linear) {
        groups = x_c;
    } else if (ts__x_cut(k)) {
        groups = (uint32_t)((uint64_t)groups * k->tile_c / l->y.c);
    }
    bool whole_pixels = k->flat || k->lp->y_stays;
    uint64_t y_pixel = whole_pixels ? l->y.pixel_bytes : ts__bytes_for(k->tile_c, l->y.type);
    bool padded = ts__padded(k);
    uint32_t x_h = k->h.first_in + (padded ? k->h.first_pad_begin + k->h.first_pad_end : 0);
    uint32_t x_w = k->w.first_in + (padded ? k->w.first_pad_begin + k->w.first_pad_end : 0);
    if (k->flat) { /* the tensor, whatever the window leaves unread */
        x_h = l->x.h;
        x_w = l->x.w;
    }
    uint64_t x_row = k->lp->x_stays ? l->x.w : ts__strips(k) ? v->kernel_w : x_w;
    ts__line(k->out, 1,
             ".x_row_bytes = %" PRIu64 ", .y_row_bytes = %" PRIu64 ", .y_pixel_bytes = %" PRIu64 ",",
             x_row * ts__bytes_for(x_c, l->x.type), k->w.tile * y_pixel, y_pixel);
    ts__line(k->out, 1, ".x_h = %u, .x_w = %u, .x_c = %u,", x_h, x_w, x_c);
    ts__line(k->out, 1, ".y_h = %u, .y_w = %u, .y_c = %u,", k->h.tile, k->w.tile, k->tile_c);
    ts__line(k->out, 1,
             ".k_h = %u, .k_w = %u, .stride_h = %u, .stride_w = %u, .dilation_h = %u, .dilation_w = %u,",
             v->kernel_h, v->kernel_w, v->stride_h, v->stride_w, v->dilation_h, v->dilation_w);
    ts__line(k->out, 1, ".pad_top = %u, .pad_left = %u, .pad_bottom = %u, .pad_right = %u, .groups = %u,",
             padded ? 0 : k->h.first_pad_begin, padded ? 0 : k->w.first_pad_begin,
             padded ? 0 : k->h.first_pad_end, padded ? 0 : k->w.first_pad_end, groups);
    ts__line(k->out, 1, ".x_type = %s, .w_type = %s, .y_type = %s, .x_zero = %d,", ts__elem_name(l->x.type),
             ts__elem_name(l->weights == NULL ? TS_S8 : l->weights->type), ts__elem_name(l->y.type),
             l->x.zero);
    if (k->lp->kernel->rewrites_x) {
        ts__line(k->out, 1, ".x_is_new = 1,");
    }
    if (l->weights != NULL && ts_weights_zero(l->weights) != 0) {
        ts__line(k->out, 1, ".w_zero = %d,", ts_weights_zero(l->weights));
    }
    emit_rq(k);
}

static void emit_matmul_shape(const code *k) {
    const ts_layer *l = k->layer;
    bool whole_pixels = k->flat || k->lp->y_stays;
    uint64_t y_pixel = whole_pixels ? l->y.pixel_bytes : ts__bytes_for(k->tile_c, l->y.type);
    uint64_t matrix = (uint64_t)(k->flat ? l->x2.w : k->tile_c) * l->x2.pixel_bytes;
    ts__line(k->out, 1, ".x_row_bytes = %" PRIu64 ", .x2_row_bytes = %" PRIu64 ",",
             (uint64_t)k->w.tile * l->x.pixel_bytes, ts_layer_shares_x2(l) ? 0 : matrix);
    ts__line(k->out, 1, ".y_row_bytes = %" PRIu64 ", .y_pixel_bytes = %" PRIu64 ",", k->w.tile * y_pixel,
             y_pixel);
    ts__line(k->out, 1, ".x_h = %u, .x_w = %u, .x_c = %u,", k->h.tile, k->w.tile, l->x.c);
    ts__line(k->out, 1, ".y_h = %u, .y_w = %u, .y_c = %u,", k->h.tile, k->w.tile, k->tile_c);
    ts__line(k->out, 1, ".x_type = %s, .x2_type = %s, .y_type = %s,", ts__elem_name(l->x.type),
             ts__elem_name(l->x2.type), ts__elem_name(l->y.type));
    ts__line(k->out, 1, ".x_zero = %d, .x2_zero = %d,", l->x.zero, l->x2.zero);
    emit_rq(k);
}

void ts__emit_shape(const code *k) {
    ts__line(k->out, 0, "/* What every call of the kernel is told%s. */",
             ts__loops(k) && !k->flat ? "; place() sets the rest" : "");
    ts__line(k->out, 0, "static const struct %s shape = {", k->tile_type);
    if (k->adds) {
        emit_add_shape(k);
    } else if (k->multiplies) {
        emit_matmul_shape(k);
    } else {
        emit_conv_shape(k);
    }
    ts__line(k->out, 0, "};\n");
    if (ts__padded(k)) {
        ts__line(k->out, 0, "/* The padding of the first tile, in rows and columns. */");
        ts__line(k->out, 0,
                 "static const struct ts_border edge = {.top = %u, .left = %u, .bottom = %u, .right = %u};\n",
                 k->h.first_pad_begin, k->w.first_pad_begin, k->h.first_pad_end, k->w.first_pad_end);
    }
}

void ts__emit_layer_head(const code *k) {
    ts__emit_layer_comment(k);
    emit_constants(k);
    emit_w_table(k);
    emit_l1_map(k);
    ts__emit_shape(k);
}
