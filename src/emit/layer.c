#include <inttypes.h>
#include <string.h>

#include "emit/layer_code.h"

static const char *parameters(const code *k, const char *prefix) {
    return ts__text(k, "%s%s%s%s%s%s", k->h.loops ? prefix : "", k->h.loops ? "h" : "",
                    k->w.loops ? prefix : "", k->w.loops ? "w" : "", ts__many_channels(k) ? prefix : "",
                    ts__many_channels(k) ? "c" : "");
}

/* What place() takes addresses from. */
static const char *source(const code *k) { return k->passes ? "p" : "run"; }

static bool chunk_border(const code *k) { return k->chunks > 1 && k->chunk_c % k->tile_c != 0; }

/* The geometry of one axis as local constants: rows, first_row, end_row, top, bottom. */
static void emit_axis(const code *k, const axis *a, char letter) {
    bool rows = letter == 'H';
    const char *count = rows ? "rows" : "columns", *var = rows ? "h" : "w";
    const char *begin = rows ? "top" : "left", *end = rows ? "bottom" : "right";
    const char *first = rows ? "first_row" : "first_column", *last = rows ? "end_row" : "end_column";
    if (!a->loops) {
        return;
    }
    if (a->border) {
        ts__line(k->out, 1, "const int %s = ts_min(TILE_%c, %s - %s);", count, letter,
                 rows ? ts__end_h(k) : "Y_W", var);
    } else {
        ts__line(k->out, 1, "const int %s = TILE_%c;", count, letter);
    }
    if (k->adds) {
        return;
    }
    ts__line(k->out, 1, "const int %s = %s * STRIDE_%c%s;", begin, var, letter,
             a->clips_begin ? ts__text(k, " - PAD_%c", letter) : "");
    ts__line(k->out, 1, "const int %s = %s + (%s - 1) * STRIDE_%c + REACH_%c;", end, begin, count, letter,
             letter);
    ts__line(k->out, 1, a->clips_begin ? "const int %s = ts_max(%s, 0);" : "const int %s = %s;", first,
             begin);
    if (ts__padded(k) && !a->clips_end) {
        return;
    }
    if (a->outside) {
        ts__line(k->out, 1, "const int %s = ts_max(ts_min(%s, X_%c), %s);", last, end, letter, first);
    } else {
        ts__line(k->out, 1, a->clips_end ? "const int %s = ts_min(%s, X_%c);" : "const int %s = %s;", last,
                 end, letter);
    }
}

static void emit_axis_fields(const code *k, const axis *a, char letter) {
    bool rows = letter == 'H';
    if (!a->loops || k->adds) {
        return;
    }
    char low = rows ? 'h' : 'w';
    if (a->border) {
        ts__line(k->out, 1, "t->y_%c = %s;", low, rows ? "rows" : "columns");
    }
    bool padded = ts__padded(k);
    if (padded) {
        ts__line(k->out, 1, "t->x_%c = %s;", low, rows ? "bottom - top" : "right - left");
    } else {
        ts__line(k->out, 1, "t->x_%c = %s - %s;", low, rows ? "end_row" : "end_column",
                 rows ? "first_row" : "first_column");
    }
    const char *pad = padded ? "s->border." : "t->pad_";
    if (a->clips_begin) {
        ts__line(k->out, 1, "%s%s = %s - %s;", pad, rows ? "top" : "left",
                 rows ? "first_row" : "first_column", rows ? "top" : "left");
    }
    if (a->clips_end) {
        ts__line(k->out, 1, "%s%s = %s - %s;", pad, rows ? "bottom" : "right", rows ? "bottom" : "right",
                 rows ? "end_row" : "end_column");
    }
}

static void emit_channel_fields(const code *k) {
    const ts_layer *l = k->layer;
    if (!ts__varying_c(k)) {
        return;
    }
    if (k->adds) {
        ts__line(k->out, 1, "t->channels = channels;");
        return;
    }
    ts__line(k->out, 1, "t->y_c = channels;");
    if (!k->lp->y_stays) {
        ts__line(k->out, 1, "t->y_pixel_bytes = %s;", ts__bytes_of(k, "channels", l->y.type, true));
    }
    if (k->x_follows) {
        ts__line(k->out, 1, "t->x_c = %s;", ts__x_channel(k, "channels"));
        ts__line(k->out, 1, "t->groups = %s;",
                 l->kind == TS_LAYER_CONV ? ts__text(k, "channels * %u / Y_C", l->groups)
                                          : ts__x_channel(k, "channels"));
    }
}

static void emit_row_bytes(const code *k) {
    const ts_layer *l = k->layer;
    bool y_row = (k->w.border || ts__varying_c(k)) && !k->lp->y_stays;
    bool x_row = (k->w.loops && !ts__strips(k) && (k->w.border || k->w.clips_begin || k->w.clips_end)) ||
                 (ts__varying_c(k) && k->x_follows);
    if (k->adds) {
        const char *rows = k->h.loops ? "rows" : ts__text(k, "%u", k->h.tile);
        const char *columns = k->w.loops ? "columns" : ts__text(k, "%u", k->w.tile);
        const char *channels = ts__varying_c(k) ? "channels" : ts__text(k, "%u", k->tile_c);
        if (k->h.border || k->w.border || ts__varying_c(k)) {
            ts__line(k->out, 1, "t->count = %s * %s * %s;", rows, columns, channels);
        }
        return;
    }
    if (y_row) {
        ts__line(k->out, 1, "t->y_row_bytes = t->y_w * t->y_pixel_bytes;");
    }
    if (k->multiplies && ts__varying_c(k) && !ts_layer_shares_x2(l)) {
        ts__line(k->out, 1, "t->x2_row_bytes = channels * X2_PIXEL;");
    }
    if (x_row) {
        uint64_t pixel = ts__bytes_for(ts__x_channels_of(k, k->tile_c), l->x.type);
        ts__line(k->out, 1, "t->x_row_bytes = t->x_w * %s;",
                 ts__varying_c(k) && k->x_follows
                     ? ts__text(k, "(%s)", ts__bytes_of(k, "t->x_c", l->x.type, true))
                     : ts__text(k, "%" PRIu64, pixel));
    }
}

/* One of the maps that tiles are cut from. */
typedef struct map {
    const char *prefix; /* of its constants */
    const char *name;   /* in struct step and struct pass */
    const ts_map_shape *shape;
    int32_t buffer;
    bool of_y, in_l3;
} map;

static map map_x(const code *k) {
    return (map){"X", "x", &k->layer->x, k->lp->x_buffer, false, k->lp->l3.x_in_l3};
}

static map map_x2(const code *k) {
    return (map){"X2", "x2", &k->layer->x2, k->lp->x2_buffer, false, k->lp->l3.x2_in_l3};
}

static map map_y(const code *k) {
    return (map){"Y", "y", &k->layer->y, k->lp->y_buffer, true, k->lp->l3.y_in_l3};
}

/* Does the whole map lie in L1? */
static bool stays(const code *k, const map *m) { return m->of_y ? k->lp->y_stays : k->lp->x_stays; }

/* The second matrices: their rows go with the channels of y. */
static bool is_matrices(const code *k, const map *m) { return k->multiplies && m->shape == &k->layer->x2; }

/* Address of a tile: in the whole map, or in the stripe of the pass. */
static const char *place_of(const code *k, const map *m) {
    bool by_output = m->of_y || k->adds, cut = m->in_l3 && k->stripes > 1;
    bool matrices = is_matrices(k, m), shared = matrices && ts_layer_shares_x2(k->layer);
    const char *row = by_output ? "h" : "first_row";
    const char *at = k->passes     ? ts__text(k, "p->%s", m->name)
                     : stays(k, m) ? ts__text(k, "l1->%s", m->name)
                                   : ts__text(k, "run->l2 + %s", ts__buffer_name(k->e, m->buffer));
    if (k->h.loops && !shared) {
        at = cut ? ts__text(k, "%s + (%s - p->%s) * %s_ROW", at, row, m->of_y ? "h" : "x_row", m->prefix)
                 : ts__text(k, "%s + %s * %s_ROW", at, row, m->prefix);
    }
    if (k->w.loops && !matrices) {
        at = ts__text(k, "%s + %s * %s_PIXEL", at, by_output ? "w" : "first_column", m->prefix);
    }
    if (ts__many_channels(k) && matrices) {
        at = ts__text(k, "%s + c * %s_PIXEL", at, m->prefix);
    }
    if (ts__many_channels(k) && (m->of_y || k->x_follows)) {
        const char *channel = m->of_y ? "c" : ts__x_channel(k, "c");
        at = ts__text(k, "%s + %s", at, ts__bytes_of(k, channel, m->shape->type, false));
    }
    return at;
}

static const char *w_base(const code *k) {
    if (k->passes) {
        return "p->w";
    }
    if (ts_target_levels(k->e->plan->target) < 3) {
        return ts__flash_weights(k);
    }
    return ts__text(k, "run->l2 + %s", ts__buffer_name(k->e, k->lp->l3.w_buffer));
}

/* Where the weights of a tile lie in L2, and how many bytes they have. `from` is the base in L2. */
static void emit_w_slice(const code *k, int depth, const char *step, const char *from) {
    const char *at = k->chunks > 1 ? "(c - chunk_begin)" : k->pass_chunks > 1 ? "(c - p->c)" : "c";
    const char *channels = !ts__varying_c(k) ? "TILE_C"
                           : k->adds         ? ts__text(k, "%s->tile.channels", step)
                                             : ts__text(k, "%s->tile.y_c", step);
    switch (ts__slices_of(k)) {
        case W_WHOLE:
            return;
        case W_BY_CHANNEL:
            ts__line(k->out, depth, "%s->w = %s + %s * W_CHANNEL;", step, from, at);
            ts__line(k->out, depth, "%s->w_bytes = %s * W_CHANNEL;", step, channels);
            return;
        case W_BY_TILE:
            ts__line(k->out, depth, "%s->w = %s + %s / TILE_C * W_TILE;", step, from, at);
            ts__line(k->out, depth, "%s->w_bytes = ts_min(W_TILE, W_BYTES - c / TILE_C * W_TILE);", step);
            return;
        case W_TABLE:
            ts__line(k->out, depth, "%s->w = %s + w_first[c / TILE_C]%s;", step, from,
                     k->chunks > 1        ? " - w_first[chunk_begin / TILE_C]"
                     : k->pass_chunks > 1 ? " - w_first[p->c / TILE_C]"
                                          : "");
            ts__line(k->out, depth, "%s->w_bytes = w_first[c / TILE_C + 1] - w_first[c / TILE_C];", step);
            return;
    }
}

static void emit_place(const code *k) {
    ts__line(k->out, 0, "/* Sets up the tile that begins at%s%s%s of the output. */",
             k->h.loops ? " row h" : "", k->w.loops ? (k->h.loops ? ", column w" : " column w") : "",
             ts__many_channels(k) ? (k->h.loops || k->w.loops ? ", channel c" : " channel c") : "");
    ts__line(k->out, 0, "static void place(struct step *s, %s%s%s) {",
             k->passes ? "const struct pass *p" : "const struct ts_run *run", parameters(k, ", int "),
             chunk_border(k) ? ", int chunk_end" : "");
    bool tile_used = !k->adds ? (k->h.loops || k->w.loops || ts__varying_c(k))
                              : (k->h.border || k->w.border || ts__varying_c(k));
    if (k->lp->x_stays || k->lp->y_stays) {
        ts__line(k->out, 1, "struct l1 *const l1 = (struct l1 *)run->l1;");
    }
    if (tile_used) {
        ts__line(k->out, 1, "struct %s *t = &s->tile;", k->tile_type);
    }
    if (!k->adds || tile_used) {
        emit_axis(k, &k->h, 'H');
        emit_axis(k, &k->w, 'W');
    }
    if (ts__varying_c(k)) {
        ts__line(k->out, 1, "const int channels = ts_min(TILE_C, %s - c);",
                 chunk_border(k) ? "chunk_end" : ts__end_c(k));
    }
    emit_axis_fields(k, &k->h, 'H');
    emit_axis_fields(k, &k->w, 'W');
    emit_channel_fields(k);
    emit_row_bytes(k);
    if (k->adds && k->h.border) {
        ts__line(k->out, 1, "s->rows = rows;");
    }
    if (k->adds && k->w.border) {
        ts__line(k->out, 1, "s->columns = columns;");
    }
    const map x = map_x(k), x2 = map_x2(k), y = map_y(k);
    ts__line(k->out, 1, "s->%s = %s;", stays(k, &x) ? "tile.x" : "x", place_of(k, &x));
    if (k->x2.used) {
        ts__line(k->out, 1, "s->x2 = %s;", place_of(k, &x2));
    }
    ts__line(k->out, 1, "s->%s = %s;", stays(k, &y) ? "tile.y" : "y", place_of(k, &y));
    if (k->chunks == 1 && k->w_sliced) {
        emit_w_slice(k, 1, "s", w_base(k));
    }
    ts__line(k->out, 0, "}\n");
}

/* Size of a tile as it is transferred. */
typedef struct extent {
    const char *rows, *columns, *pixel; /* pixel in bytes */
    bool cut_columns, cut_channels;     /* smaller than what lies in L2 */
} extent;

/* How many rows or columns: the whole map, a tile, or what the tile struct says. */
static const char *count_text(const code *k, const axis *a, const map *m, char letter, const char *field) {
    if (!a->loops) {
        bool whole = m->of_y || a->first_in == a->in;
        return whole ? ts__text(k, "%c_%c", m->of_y || k->adds ? 'Y' : 'X', letter)
                     : ts__number(k, a->first_in);
    }
    bool constant = (m->of_y || k->adds) && !a->border;
    return constant ? ts__text(k, "TILE_%c", letter) : ts__text(k, "s->%s", field);
}

/* Rows of the second matrices: those of the tile's channels, of one matrix a row of the tile. */
static extent matrices_extent(const code *k, const map *m) {
    extent e = {.cut_columns = ts__many_channels(k)};
    e.rows = ts_layer_shares_x2(k->layer) ? "1" : count_text(k, &k->h, m, 'H', "tile.x_h");
    e.columns = ts__varying_c(k) ? "s->tile.y_c" : ts__many_channels(k) ? "TILE_C" : "X2_W";
    e.pixel = "X2_PIXEL";
    return e;
}

static extent extent_of(const code *k, const map *m) {
    if (is_matrices(k, m)) {
        return matrices_extent(k, m);
    }
    extent e = {.cut_columns = k->w.loops || (!m->of_y && k->w.first_in < k->w.in)};
    e.cut_channels = m->of_y ? ts__many_channels(k) : ts__x_cut(k);
    e.rows = count_text(k, &k->h, m, 'H', k->adds ? "rows" : m->of_y ? "tile.y_h" : "tile.x_h");
    e.columns = count_text(k, &k->w, m, 'W', k->adds ? "columns" : m->of_y ? "tile.y_w" : "tile.x_w");
    bool varies = ts__varying_c(k) && (m->of_y || k->x_follows);
    const char *channels = k->adds ? "s->tile.channels" : m->of_y ? "s->tile.y_c" : "s->tile.x_c";
    if (!varies) {
        channels = m->of_y || k->layer->x.c == k->layer->y.c ? "TILE_C" : "TILE_X_C";
    }
    e.pixel = ts__bytes_of(k, channels, m->shape->type, true);
    return e;
}

/* The first tile's, in numbers: no tile struct is needed yet. */
static extent first_extent(const code *k, const map *m) {
    extent e = extent_of(k, m);
    if (is_matrices(k, m)) {
        e.rows = ts__number(k, ts_layer_x2_rows(k->layer, k->h.first_in));
        e.columns = ts__number(k, k->tile_c);
        return e;
    }
    e.rows = k->h.loops ? ts__number(k, k->h.first_in) : e.rows;
    e.columns = k->w.loops ? ts__number(k, k->w.first_in) : e.columns;
    e.pixel = ts__number(k, ts__bytes_for(ts__x_channels_of(k, k->tile_c), m->shape->type));
    return e;
}

/* The transfer of one tile: contiguous, lines, or planes of lines. */
static const char *transfer_of(const code *k, const map *m, extent e, const char *to, const char *from) {
    const char *direction = m->of_y ? "out" : "in", *p = m->prefix;
    if (is_matrices(k, m) && ts_layer_shares_x2(k->layer)) {
        return e.cut_columns ? ts__text(k, "ts_dma_in_1d(%s, %s, %s * X2_PIXEL)", to, from, e.columns)
                             : ts__text(k, "ts_dma_in_1d(%s, %s, X2_BYTES)", to, from);
    }
    if (!e.cut_channels && !e.cut_columns && !k->h.loops && (m->of_y || k->h.first_in == k->h.in)) {
        return ts__text(k, "ts_dma_%s_1d(%s, %s, %s_BYTES)", direction, to, from, p);
    }
    if (!e.cut_channels && !e.cut_columns) {
        return ts__text(k, "ts_dma_%s_1d(%s, %s, %s * %s_ROW)", direction, to, from, e.rows, p);
    }
    if (!e.cut_channels) {
        return ts__text(k, "ts_dma_%s_2d(%s, %s, %s, %s * %s_PIXEL, %s_ROW)", direction, to, from, e.rows,
                        e.columns, p, p);
    }
    if (!e.cut_columns) {
        return ts__text(k, "ts_dma_%s_2d(%s, %s, %s * %s, %s, %s_PIXEL)", direction, to, from, e.rows,
                        e.columns, e.pixel, p);
    }
    return ts__text(k, "ts_dma_%s_3d(%s, %s, %s, %s, %s_PIXEL, %s, %s_ROW)", direction, to, from, e.columns,
                    e.pixel, p, e.rows, p);
}

static const char *transfer(const code *k, const map *m, const char *to, const char *from) {
    return transfer_of(k, m, extent_of(k, m), to, from);
}

/* The transfer of a tile's x into the inside of its padded rows. `tile`, `border`: expressions of the
 * structs. */
static const char *padded_transfer(const code *k, const char *tile, const char *border, const char *from) {
    uint64_t pixel = ts__bytes_for(ts__x_channels_of(k, k->tile_c), k->layer->x.type);
    const char *inside = ts__text(k, "ts_inside(&%s, &%s, %" PRIu64 ")", tile, border, pixel);
    return ts__text(k,
                    "ts_dma_in_rows(%s, %s.x_row_bytes, %s, %s.x_h - %s.top - %s.bottom,\n"
                    "                          (%s.x_w - %s.left - %s.right) * %" PRIu64 ", X_ROW)",
                    inside, tile, from, tile, border, border, tile, border, border, pixel);
}

static const char *first_padded_transfer(const code *k, const char *to, const char *from) {
    uint64_t pixel = ts__bytes_for(ts__x_channels_of(k, k->tile_c), k->layer->x.type);
    uint64_t row = (k->w.first_in + k->w.first_pad_begin + k->w.first_pad_end) * pixel;
    uint64_t inside = k->h.first_pad_begin * row + k->w.first_pad_begin * pixel;
    return ts__text(k, "ts_dma_in_rows(%s + %" PRIu64 ", %" PRIu64 ", %s, %u, %" PRIu64 ", X_ROW)", to,
                    inside, row, from, k->h.first_in, k->w.first_in * pixel);
}

/* The transfers of a tile's x into strips. `tile`: expression of the struct. */
static const char *strips_transfer(const code *k, const char *tile, const char *to, const char *from) {
    return ts__text(k, "ts_load_strips(&%s, %s, %s, X_ROW)", tile, to, from);
}

/* All cores fill the border of the tile that is loaded. */
static void emit_fill(const code *k, int depth, const char *step) {
    if (ts__padded(k)) {
        uint64_t pixel = ts__bytes_for(ts__x_channels_of(k, k->tile_c), k->layer->x.type);
        ts__line(k->out, depth, "ts_fill_border(&%stile, &%sborder, %" PRIu64 ");", step, step, pixel);
    }
}

static void emit_step(const code *k) {
    ts__line(k->out, 0, "/* One tile: what the kernel is told, and where its data lie in L2. */");
    ts__line(k->out, 0, "struct step {");
    ts__line(k->out, 1, "struct %s tile;", k->tile_type);
    if (ts__padded(k)) {
        ts__line(k->out, 1, "struct ts_border border; /* the part of x that is padding */");
    }
    if (k->adds && (k->h.border || k->w.border)) {
        ts__line(k->out, 1, "int %s%s%s;", k->h.border ? "rows" : "", k->h.border && k->w.border ? ", " : "",
                 k->w.border ? "columns" : "");
    }
    if (!k->lp->x_stays) {
        ts__line(k->out, 1, "const uint8_t *x%s%s;", k->x2.used ? ", *x2" : "", k->w_sliced ? ", *w" : "");
    } else if (k->w_sliced) {
        ts__line(k->out, 1, "const uint8_t *w;");
    }
    if (k->w_sliced) {
        ts__line(k->out, 1, "uint32_t w_bytes;");
    }
    if (!k->lp->y_stays) {
        ts__line(k->out, 1, "uint8_t *y;");
    }
    ts__line(k->out, 0, "};\n");
}

/* Function that loads x or x2 of a step. */
static void emit_loader(const code *k, const operand *o, const map *m) {
    if (!o->used || !(o->loads_again || k->passes)) {
        return; /* the first tile is loaded without it */
    }
    ts__line(k->out, 0, "static ts_ticket load_%s(const struct step *s) {", o->name);
    const char *from = ts__text(k, "s->%s", o->name);
    ts__line(k->out, 1, "return %s;",
             o == &k->x && ts__padded(k) ? padded_transfer(k, "s->tile", "s->border", from)
             : o == &k->x && ts__strips(k)
                 ? strips_transfer(k, "s->tile", "(uint8_t *)(uintptr_t)s->tile.x", from)
                 : transfer(k, m, ts__text(k, "(void *)s->tile.%s", o->field), from));
    ts__line(k->out, 0, "}\n");
}

static void emit_storer(const code *k) {
    const map y = map_y(k);
    ts__line(k->out, 0, "static ts_ticket store_y(const struct step *s) {");
    ts__line(k->out, 1, "return %s;", transfer(k, &y, "s->y", "s->tile.y"));
    ts__line(k->out, 0, "}\n");
}

/* Where a chunk of the weights lies in L2. */
static void emit_chunk_place(const code *k) {
    if (k->chunks > 1) {
        ts__line(k->out, 0, "static uint8_t *chunk_place(const struct ts_run *run, int chunk) {");
        ts__line(k->out, 1, "return run->l2 + %s_fetches[FIRST_FETCH + chunk].to;", k->e->prefix);
        ts__line(k->out, 0, "}\n");
    }
}

/* The first layer's weights set out before all else: they have the longest way. */
static void emit_fetch_begin(const ts__emit *e, uint32_t index, int depth, ts_text *out) {
    if (index == 0 && e->plan->fetches.count > 0) {
        ts__line(out, depth, "ts_fetch_begin(run, %s_fetches, %s_FETCHES, %s);", e->prefix, e->macro,
                 ts__weights_base(e));
    }
}

/* The wait for the layer's weights, or their first chunk. */
static void emit_arrival(const ts__emit *e, uint32_t index, int depth, ts_text *out) {
    if (e->plan->layer_plans[index].l3.weights_bytes > 0) {
        ts__line(out, depth, "ts_fetch_wait(run);");
    }
}

/* What may start with the layer: behind its own transfers, which somebody waits for. */
static void emit_step_begin(const ts__emit *e, uint32_t index, int depth, ts_text *out) {
    const ts_layer_plan *lp = &e->plan->layer_plans[index];
    if (lp->l3.chunks > 1) {
        ts__line(out, depth, "ts_fetch_step(run, FIRST_STEP);");
    } else if (ts__starts_fetches(e, lp->l3.first_step, lp->l3.first_step) || ts__l3_busy(e, index)) {
        ts__line(out, depth, "ts_fetch_step(run, %u);", lp->l3.first_step);
    }
}

void ts__emit_first_step(const ts__emit *e, uint32_t index, int depth, ts_text *out) {
    emit_fetch_begin(e, index, depth, out);
    emit_arrival(e, index, depth, out);
    emit_step_begin(e, index, depth, out);
}

static bool fetches(const code *k) { return ts_target_levels(k->e->plan->target) == 3 && !k->passes; }

/* Name of a buffer in struct l1; `twin` selects by an expression. */
static const char *buffer_expression(const code *k, const char *name, uint32_t count, const char *twin) {
    return count == 1 ? ts__text(k, "l1->%s", name)
                      : ts__text(k, "%s ? l1->%s_b : l1->%s_a", twin, name, name);
}

static const char *buffer_a(const code *k, const char *name, uint32_t count) {
    return ts__text(k, "l1->%s%s", name, count == 2 ? "_a" : "");
}

/* Where a map lies in L2, or what lies there of it. */
static const char *home_of(const code *k, const map *m) {
    return k->passes ? ts__text(k, "p->%s", m->name)
                     : ts__text(k, "run->l2 + %s", ts__buffer_name(k->e, m->buffer));
}

/* Operands whose first tile is loaded: first_NAME is the ticket. */
static void emit_first_tickets(const code *k) {
    const operand *operands[] = {&k->x, &k->x2, &k->w_operand};
    const char *list = NULL;
    for (uint32_t i = 0; i < 3; i++) {
        if (operands[i]->used && !operands[i]->there) {
            list = list == NULL ? ts__text(k, "first_%s = 0", operands[i]->name)
                                : ts__text(k, "%s, first_%s = 0", list, operands[i]->name);
        }
    }
    if (k->early != NULL) {
        list = list == NULL ? "next_w = 0" : ts__text(k, "%s, next_w = 0", list);
    }
    if (list != NULL) {
        ts__line(k->out, 1, "ts_ticket %s;", list);
    }
}

/* The first weights of the next layer come while this one runs. */
static void emit_early_weights(const code *k, int depth) {
    const ts_layer_plan *lp = k->early;
    const ts_l3_plan *l3 = &lp->l3;
    uint32_t tile_c = lp->l1.tile.y_c < lp->layer->y.c ? lp->l1.tile.y_c : lp->layer->y.c;
    uint64_t bytes = lp->kernel->weight_bytes(lp->layer, tile_c);
    ts__line(k->out, depth, "ts_fetch_wait(run);");
    ts__line(k->out, depth, "next_w = ts_dma_in_1d(run->l1 + %" PRIu64 ", run->l2 + %s, %" PRIu64 ");",
             lp->l1.w_offset[0], ts__buffer_name(k->e, l3->w_buffer), bytes);
}

/* Does every core load its share and wait for it? Core 0 alone does else. */
static bool by_team(const code *k, const operand *o) { return o == &k->x && ts__strips(k); }

/* Ends a block of core 0 that began at `before` and whose lines begin at `opened`; without lines it goes. */
static void close_lead(const code *k, size_t before, size_t opened) {
    if (k->out->size == opened) {
        k->out->size = before;
    } else {
        ts__line(k->out, 1, "}");
    }
}

/* Core 0 starts the loads of the first tile: before anything else, while the cores set up their arguments.
 * The tickets are first_x, first_x2, first_w. */
static void emit_first_loads(const code *k) {
    const ts_l1_plan *l1 = ts__l1_of(k);
    const map x = map_x(k), x2 = map_x2(k);
    const char *to_x = buffer_a(k, "x", l1->x_count);
    emit_first_tickets(k);
    size_t before = k->out->size;
    ts__line(k->out, 1, "if (lead) {");
    size_t opened = k->out->size;
    if (fetches(k)) {
        emit_fetch_begin(k->e, k->layer->index, 2, k->out);
    }
    if (by_team(k, &k->x)) {
        close_lead(k, before, opened);
        ts__line(k->out, 1, "first_x = %s;", strips_transfer(k, "shape", to_x, home_of(k, &x)));
        before = k->out->size;
        ts__line(k->out, 1, "if (lead) {");
        opened = k->out->size;
    }
    if (!k->lp->x_stays && !by_team(k, &k->x)) {
        ts__line(k->out, 2, "first_x = %s;",
                 ts__padded(k) ? first_padded_transfer(k, to_x, home_of(k, &x))
                               : transfer_of(k, &x, first_extent(k, &x), to_x, home_of(k, &x)));
    }
    if (k->x2.used) {
        ts__line(k->out, 2, "first_x2 = %s;",
                 transfer_of(k, &x2, first_extent(k, &x2), buffer_a(k, "x2", l1->x2_count), home_of(k, &x2)));
    }
    if (fetches(k) && !k->lp->w_early) {
        emit_arrival(k->e, k->layer->index, 2, k->out);
    }
    if (k->w_operand.used && !k->lp->w_early) {
        const char *bytes = k->w_sliced ? ts__number(k, ts__w_bytes(k, k->tile_c)) : "W_BYTES";
        ts__line(k->out, 2, "first_w = ts_dma_in_1d(%s, %s, %s);", buffer_a(k, "w", l1->w_count),
                 k->chunks > 1 ? "chunk_place(run, 0)" : w_base(k), bytes);
    }
    if (fetches(k)) {
        emit_step_begin(k->e, k->layer->index, 2, k->out);
    }
    if (k->early != NULL && !k->early->w_early_last) {
        emit_early_weights(k, 2);
    }
    close_lead(k, before, opened);
}

/* Does the layer begin with a load? */
static bool first_loads(const code *k) {
    return !k->x.there || k->x2.used || (k->w_operand.used && !k->w_operand.there);
}

static void emit_first_waits(const code *k) {
    const operand *operands[] = {&k->x, &k->x2, &k->w_operand};
    if (first_loads(k)) {
        if (by_team(k, &k->x)) {
            ts__line(k->out, 1, "ts_dma_wait(first_x);");
        }
        size_t before = k->out->size;
        ts__line(k->out, 1, "if (lead) {");
        size_t opened = k->out->size;
        for (uint32_t i = 0; i < 3; i++) {
            if (operands[i]->used && !operands[i]->there && !by_team(k, operands[i])) {
                ts__line(k->out, 2, "ts_dma_wait(first_%s);", operands[i]->name);
            }
        }
        close_lead(k, before, opened);
        ts__line(k->out, 1, "ts_barrier();");
    }
    if (ts__loops(k)) {
        ts_text_add(k->out, "\n");
    }
}

/* `tile`: copied out of slow memory, which takes about as long as a transfer needs to begin. */
static void emit_single_tile(const code *k) {
    const ts_l1_plan *l1 = ts__l1_of(k);
    const operand *operands[] = {&k->x, &k->x2, &k->w_operand};
    const uint32_t counts[] = {l1->x_count, l1->x2_count, l1->w_count};
    ts__line(k->out, 1, "struct %s tile = shape;", k->tile_type);
    if (ts__padded(k)) {
        ts__line(k->out, 1, "const struct ts_border border = edge;");
    }
    for (uint32_t i = 0; i < 3; i++) {
        if (operands[i]->used) {
            ts__line(k->out, 1, "tile.%s = %s;", operands[i]->field,
                     buffer_a(k, operands[i]->name, counts[i]));
        }
    }
    ts__line(k->out, 1, "tile.y = %s;", buffer_a(k, "y", l1->y_count));
    if (l1->scratch_bytes > 0) {
        ts__line(k->out, 1, "tile.scratch = l1->scratch;");
    }
}

/* Do fetches start beside the last tile, when all that it reads lies in L1? */
static bool starts_in_tail(const code *k) {
    uint32_t step = k->lp->l3.tail_step;
    return step > 0 && ts__starts_fetches(k->e, step, step);
}

static void emit_tail_step(const code *k, int depth) {
    if (starts_in_tail(k)) {
        ts__line(k->out, depth, "ts_fetch_step(run, %u);", k->lp->l3.tail_step);
    }
}

/* A layer of one tile: load, compute, store. */
static void emit_single(const code *k) {
    const map y = map_y(k);
    ts__line(k->out, 1, "struct l1 *const l1 = (struct l1 *)run->l1;");
    ts__line(k->out, 1, "const int lead = ts_core() == 0;");
    emit_first_loads(k);
    emit_single_tile(k);
    emit_fill(k, 1, "");
    emit_first_waits(k);
    if (starts_in_tail(k)) {
        ts__line(k->out, 1, "if (lead) {");
        emit_tail_step(k, 2);
        ts__line(k->out, 1, "}");
    }
    ts__line(k->out, 1, "%s(&tile);", k->lp->kernel->name);
    if (k->early != NULL) {
        ts__line(k->out, 1, "if (lead) {");
        ts__line(k->out, 2, "ts_dma_wait(next_w);");
        ts__line(k->out, 1, "}");
    }
    ts__line(k->out, 1, "ts_barrier();");
    if (k->lp->y_stays) {
        return;
    }
    ts__line(k->out, 1, "if (lead) {");
    ts__line(k->out, 2, "ts_dma_wait(%s);",
             transfer(k, &y, place_of(k, &y), buffer_a(k, "y", ts__l1_of(k)->y_count)));
    ts__line(k->out, 1, "}");
    ts__line(k->out, 1, "ts_barrier();");
}

/* Tiles of a pass: its rows, columns and channels, each divided by the tile's and rounded up. */
static void emit_pass_tiles(const code *k) {
    const char *rows = ts__text(k, "%u", (k->stripe_h + k->h.tile - 1) / k->h.tile);
    const char *channels = ts__text(k, "%u", (k->chunk_c + k->tile_c - 1) / k->tile_c);
    if (k->stripes > 1) {
        rows = "((p->h_end - p->h + TILE_H - 1) / TILE_H)";
    }
    if (k->pass_chunks > 1) {
        channels = "((p->c_end - p->c + TILE_C - 1) / TILE_C)";
    }
    ts__line(k->out, 1, "const int tiles = %s * %u * %s;", rows, (k->w.out + k->w.tile - 1) / k->w.tile,
             channels);
}

static void emit_origin(const code *k) {
    const char *list = "";
    if (k->h.loops) {
        list = ts__text(k, "%s, h = %s", list, ts__begin_h(k));
    }
    if (k->w.loops) {
        list = ts__text(k, "%s, w = 0", list);
    }
    if (ts__many_channels(k)) {
        list = ts__text(k, "%s, c = %s", list, ts__begin_c(k));
    }
    if (*list != '\0') {
        ts__line(k->out, 1, "int %s; /* origin of the tile that is loaded */", list + strlen(", "));
    }
}

static void emit_locals(const code *k) {
    ts__line(k->out, 1, "struct l1 *const l1 = (struct l1 *)run->l1;");
    ts__line(k->out, 1, "const int lead = ts_core() == 0;");
    ts__line(k->out, 1, "struct step steps[2], *now = &steps[0], *next = &steps[1];");
    emit_origin(k);
    if (k->chunks > 1) {
        ts__line(k->out, 1, "int chunk = 0, chunk_begin = 0, chunk_end = CHUNK_C;");
    }
    const operand *operands[] = {&k->x, &k->x2, &k->w_operand};
    for (uint32_t i = 0; i < 3; i++) {
        if (operands[i]->loads_again && operands[i]->twin && operands[i]->when != NULL) {
            ts__line(k->out, 1, "int %s_turn = 0;", operands[i]->name);
        }
    }
    ts_text_add(k->out, k->lp->y_stays ? "\n" : "    ts_ticket y_out = 0;\n\n");
}

static const char *loader_call(const code *k, const operand *o, const char *step) {
    return o == &k->w_operand ? ts__text(k, "ts_dma_in_1d((void *)%s->tile.%s, %s->w, %s->w_bytes)", step,
                                         o->field, step, step)
                              : ts__text(k, "load_%s(%s)", o->name, step);
}

/* A stripe's first tile has its own border and place: loaded as the others are. */
static void emit_pass_loads(const code *k) {
    const operand *operands[] = {&k->x, &k->x2, &k->w_operand};
    emit_first_tickets(k);
    if (by_team(k, &k->x)) {
        ts__line(k->out, 1, "ts_barrier(); /* core 0 has seen the stripe arrive */");
        ts__line(k->out, 1, "first_x = %s;", loader_call(k, &k->x, "now"));
    }
    ts__line(k->out, 1, "if (lead) {");
    for (uint32_t i = 0; i < 3; i++) {
        const operand *o = operands[i];
        if (o->used && !by_team(k, o)) {
            ts__line(k->out, 2, "first_%s = %s;", o->name,
                     o == &k->w_operand && !k->w_sliced
                         ? ts__text(k, "ts_dma_in_1d(%s, %s, W_BYTES)",
                                    buffer_a(k, "w", ts__l1_of(k)->w_count), w_base(k))
                         : loader_call(k, o, "now"));
        }
    }
    ts__line(k->out, 1, "}");
}

/* The arguments of both steps, and the loads of the first tile. */
static void emit_prologue(const code *k) {
    const ts_l1_plan *l1 = ts__l1_of(k);
    const operand *operands[] = {&k->x, &k->x2, &k->w_operand};
    const uint32_t counts[] = {l1->x_count, l1->x2_count, l1->w_count};
    if (!k->passes) {
        emit_first_loads(k);
    }
    ts__line(k->out, 1, "now->tile = shape;");
    if (ts__padded(k)) {
        ts__line(k->out, 1, "now->border = edge;");
    }
    for (uint32_t i = 0; i < 3; i++) {
        if (operands[i]->used) {
            ts__line(k->out, 1, "now->tile.%s = %s;", operands[i]->field,
                     buffer_a(k, operands[i]->name, counts[i]));
        }
    }
    ts__line(k->out, 1, "now->tile.y = %s;", buffer_a(k, "y", l1->y_count));
    if (l1->scratch_bytes > 0) {
        ts__line(k->out, 1, "now->tile.scratch = l1->scratch;");
    }
    ts__line(k->out, 1, "place(now, %s%s%s);", source(k), parameters(k, ", "),
             chunk_border(k) ? ", chunk_end" : "");
    if (k->passes) {
        emit_pass_loads(k);
    }
    ts__line(k->out, 1, "*next = *now; /* from L1: shape lies in L2 */");
    if (k->y_twin) {
        ts__line(k->out, 1, "next->tile.y = l1->y_b;");
    }
    emit_fill(k, 1, "now->");
    emit_first_waits(k);
}

/* The border of the next tile, where its x is loaded. */
static void emit_next_fill(const code *k, int depth) {
    if (!ts__padded(k) || !k->x.loads_again) {
        return;
    }
    if (k->x.when != NULL) {
        ts__line(k->out, depth, "if (%s) {", k->x.when);
    }
    emit_fill(k, depth + (k->x.when != NULL), "next->");
    if (k->x.when != NULL) {
        ts__line(k->out, depth, "}");
    }
}

static void emit_next_chunk(const code *k, int depth) {
    ts__line(k->out, depth, "chunk++;");
    ts__line(k->out, depth, "c = chunk_begin = chunk_end;");
    ts__line(k->out, depth, "chunk_end = ts_min(chunk_end + CHUNK_C, Y_C);");
}

typedef enum loop { LOOP_H, LOOP_W, LOOP_C } loop;

/* One step of the loops, the innermost first: counts up, and where it wraps the next one counts. */
static void emit_advance(const code *k, const loop *order, uint32_t count, int depth) {
    static const char letters[] = {'H', 'W', 'C'}, names[] = {'h', 'w', 'c'};
    if (count == 0) {
        return;
    }
    char letter = letters[order[0]], name = names[order[0]];
    bool chunked = order[0] == LOOP_C && k->chunks > 1;
    bool chunk_last = k->chunks > 1 && count == 1;
    ts__line(k->out, depth, "%c += TILE_%c;", name, letter);
    if (count == 1 && !chunk_last) {
        return;
    }
    const char *begin = order[0] == LOOP_H ? ts__begin_h(k) : order[0] == LOOP_C ? ts__begin_c(k) : "0";
    const char *end = order[0] == LOOP_H ? ts__end_h(k) : order[0] == LOOP_C ? ts__end_c(k) : "Y_W";
    ts__line(k->out, depth, "if (%c >= %s) {", name, chunked ? "chunk_end" : end);
    if (chunked && count == 1) {
        emit_next_chunk(k, depth + 1);
    } else {
        ts__line(k->out, depth + 1, "%c = %s;", name, chunked ? "chunk_begin" : begin);
        if (count == 1) {
            emit_next_chunk(k, depth + 1);
        }
        emit_advance(k, order + 1, count - 1, depth + 1);
    }
    ts__line(k->out, depth, "}");
}

static void emit_step_on(const code *k, int depth) {
    loop order[3];
    uint32_t n = 0;
    if (k->channels_inner) {
        order[n++] = LOOP_C;
    }
    if (k->w.loops) {
        order[n++] = LOOP_W;
    }
    if (k->h.loops) {
        order[n++] = LOOP_H;
    }
    if (!k->channels_inner && ts__many_channels(k)) {
        order[n++] = LOOP_C;
    }
    emit_advance(k, order, n, depth);
}

/* Within `if (more)`: which buffers the next tile uses. */
static void emit_next_buffers(const code *k, int depth) {
    const operand *operands[] = {&k->x, &k->x2, &k->w_operand};
    for (uint32_t i = 0; i < 3; i++) {
        const operand *o = operands[i];
        if (!o->loads_again || !o->twin) {
            continue;
        }
        if (o->when != NULL) {
            ts__line(k->out, depth, "%s_turn ^= %s;", o->name, o->when);
        }
        const char *turn = o->when != NULL ? ts__text(k, "%s_turn", o->name) : "i % 2 == 0";
        ts__line(k->out, depth, "next->tile.%s = %s;", o->field, buffer_expression(k, o->name, 2, turn));
    }
}

/* Within `if (more)`: whether the kernel meets the next tile's x for the first time, where it rewrites it. */
static void emit_new_x(const code *k, int depth) {
    bool always = k->x.loads_again && k->x.when == NULL;
    if (k->lp->kernel->rewrites_x && !always) {
        ts__line(k->out, depth, "next->tile.x_is_new = %s;", k->x.loads_again ? k->x.when : "0");
    }
}

/* Starts the loads of the next tile: core 0's, or the whole team's; those into twin buffers, or the others,
 * which come between tiles. */
static void emit_start_loads(const code *k, bool team, bool twins, int depth) {
    const operand *operands[] = {&k->x, &k->x2, &k->w_operand};
    for (uint32_t i = 0; i < 3; i++) {
        const operand *o = operands[i];
        if (!o->loads_again || o->twin != twins || by_team(k, o) != team) {
            continue;
        }
        if (o->when != NULL) {
            ts__line(k->out, depth, "if (%s) {", o->when);
        }
        int inner = depth + (o->when != NULL);
        const char *call = loader_call(k, o, "next");
        if (twins) {
            ts__line(k->out, inner, "%s_in = %s;", o->name, call);
        } else {
            ts__line(k->out, inner, "ts_dma_wait(%s);", call);
        }
        if (o->when != NULL) {
            ts__line(k->out, depth, "}");
        }
    }
}

static void emit_await_loads(const code *k, bool team, int depth) {
    const operand *operands[] = {&k->x, &k->x2, &k->w_operand};
    for (uint32_t i = 0; i < 3; i++) {
        const operand *o = operands[i];
        if (!o->loads_again || !o->twin || by_team(k, o) != team) {
            continue;
        }
        if (o->when != NULL) {
            ts__line(k->out, depth, "if (%s) {", o->when);
        }
        ts__line(k->out, depth + (o->when != NULL), "ts_dma_wait(%s_in);", o->name);
        if (o->when != NULL) {
            ts__line(k->out, depth, "}");
        }
    }
}

static bool some_loads(const code *k, bool team, bool twins) {
    const operand *operands[] = {&k->x, &k->x2, &k->w_operand};
    bool any = false;
    for (uint32_t i = 0; i < 3; i++) {
        any |= operands[i]->loads_again && operands[i]->twin == twins && by_team(k, operands[i]) == team;
    }
    return any;
}

static void emit_ticket_locals(const code *k, int depth) {
    const operand *operands[] = {&k->x, &k->x2, &k->w_operand};
    const char *list = NULL;
    for (uint32_t i = 0; i < 3; i++) {
        if (operands[i]->loads_again && operands[i]->twin) {
            list = list == NULL ? ts__text(k, "%s_in = 0", operands[i]->name)
                                : ts__text(k, "%s, %s_in = 0", list, operands[i]->name);
        }
    }
    if (list != NULL) {
        ts__line(k->out, depth, "ts_ticket %s;", list);
    }
}

static void emit_chunk_change(const code *k, int depth) {
    if (k->chunks == 1) {
        return;
    }
    ts__line(k->out, depth, "if (c == chunk_begin%s%s) {", k->h.loops ? " && h == 0" : "",
             k->w.loops ? " && w == 0" : "");
    ts__line(k->out, depth + 1, "ts_fetch_step(run, FIRST_STEP + chunk);");
    ts__line(k->out, depth + 1, "ts_fetch_wait(run);");
    ts__line(k->out, depth, "}");
}

/* While tile i is computed, tile i + 1 is loaded. */
static void emit_look_ahead(const code *k) {
    ts__line(k->out, 2, "if (more) {");
    emit_step_on(k, 3);
    ts__line(k->out, 3, "place(next, %s%s%s);", source(k), parameters(k, ", "),
             chunk_border(k) ? ", chunk_end" : "");
    emit_next_buffers(k, 3);
    emit_new_x(k, 3);
    emit_start_loads(k, true, true, 3);
    if (some_loads(k, false, true) || k->chunks > 1) {
        ts__line(k->out, 3, "if (lead) {");
        if (k->chunks > 1) {
            emit_w_slice(k, 4, "next", "chunk_place(run, chunk)");
        }
        emit_chunk_change(k, 4);
        emit_start_loads(k, false, true, 4);
        ts__line(k->out, 3, "}");
    }
    if (k->x.twin) {
        emit_next_fill(k, 3);
    }
    bool early = k->early != NULL && k->early->w_early_last;
    if (early || starts_in_tail(k)) {
        ts__line(k->out, 2, "} else if (lead) {");
    }
    if (early) {
        emit_early_weights(k, 3);
    }
    emit_tail_step(k, 3);
    ts__line(k->out, 2, "}");
}

/* Between two tiles: what has one buffer only is stored and loaded while nobody computes. */
static void emit_between(const code *k) {
    bool lead_loads = some_loads(k, false, false), team_loads = some_loads(k, true, false);
    bool loads = lead_loads || team_loads, stores = !k->lp->y_stays, waits = stores && !k->y_twin;
    ts__line(k->out, 2, "ts_barrier();");
    if (stores || lead_loads) {
        ts__line(k->out, 2, "if (lead) {");
    }
    if (stores) {
        ts__line(k->out, 3, "y_out = store_y(now);");
    }
    if (lead_loads) {
        ts__line(k->out, 3, "if (more) {");
        emit_start_loads(k, false, false, 4);
        ts__line(k->out, 3, "}");
    }
    if (waits) {
        ts__line(k->out, 3, "ts_dma_wait(y_out);");
    }
    if (stores || lead_loads) {
        ts__line(k->out, 2, "}");
    }
    if (team_loads) {
        ts__line(k->out, 2, "if (more) {");
        emit_start_loads(k, true, false, 3);
        ts__line(k->out, 2, "}");
    }
    if (loads && !k->x.twin && k->x.loads_again && ts__padded(k)) {
        ts__line(k->out, 2, "if (more) {");
        emit_next_fill(k, 3);
        ts__line(k->out, 2, "}");
    }
    if (loads || waits) {
        ts__line(k->out, 2, "ts_barrier();");
    }
    ts__line(k->out, 2, "struct step *const done = now;");
    ts__line(k->out, 2, "now = next;");
    ts__line(k->out, 2, "next = done;");
}

static void emit_tile_loop(const code *k) {
    bool twins = some_loads(k, false, true);
    const char *tiles = k->passes ? "tiles" : "TILES";
    ts__line(k->out, 1, "for (int i = 0; i < %s; i++) {", tiles);
    ts__line(k->out, 2, "const int more = i + 1 < %s;", tiles);
    emit_ticket_locals(k, 2);
    emit_look_ahead(k);
    ts__line(k->out, 2, "%s(&now->tile);", k->lp->kernel->name);
    if (some_loads(k, true, true)) {
        ts__line(k->out, 2, "if (more) {");
        emit_await_loads(k, true, 3);
        ts__line(k->out, 2, "}");
    }
    if (twins || k->y_twin || k->l3_busy || k->early != NULL) {
        ts__line(k->out, 2, "if (lead) {");
        if (k->l3_busy) {
            ts__line(k->out, 3, "ts_fetch_poll(run);");
        }
        if (k->early != NULL) {
            ts__line(k->out, 3, "if (!more) {");
            ts__line(k->out, 4, "ts_dma_wait(next_w);");
            ts__line(k->out, 3, "}");
        }
        if (twins) {
            ts__line(k->out, 3, "if (more) {");
            emit_await_loads(k, false, 4);
            ts__line(k->out, 3, "}");
        }
        if (k->y_twin) {
            ts__line(k->out, 3, "if (i > 0) {");
            ts__line(k->out, 4, "ts_dma_wait(y_out);");
            ts__line(k->out, 3, "}");
        }
        ts__line(k->out, 2, "}");
    }
    emit_between(k);
    ts__line(k->out, 1, "}");
    if (k->y_twin) {
        ts__line(k->out, 1, "if (lead) {");
        ts__line(k->out, 2, "ts_dma_wait(y_out);");
        ts__line(k->out, 1, "}");
        ts__line(k->out, 1, "ts_barrier();");
    }
}

static void emit_function(const code *k) {
    if (k->passes) {
        ts__line(k->out, 0, "static void compute_pass(struct ts_run *run, const struct pass *p) {");
        emit_pass_tiles(k);
    } else {
        ts__line(k->out, 0, "void %s(struct ts_run *run) {", k->e->functions[k->layer->index]);
    }
    if (ts__loops(k)) {
        emit_locals(k);
        emit_prologue(k);
        emit_tile_loop(k);
    } else {
        emit_single(k);
    }
    ts__line(k->out, 0, k->passes ? "}\n" : "}");
    if (k->passes) {
        ts__emit_pass_driver(k);
    }
}

ts_status ts__emit_layer(const ts__emit *e, uint32_t index, ts_text *out) {
    code k;
    if (e->plan->layers[index].kind == TS_LAYER_MOVE) {
        ts__emit_move(e, index, out);
        return TS_OK;
    }
    TS_TRY(ts__code_init(&k, e, index, out));
    if (k.flat) {
        ts__emit_flat_layer(&k);
        return TS_OK;
    }
    ts__emit_layer_head(&k);
    if (ts__loops(&k)) {
        if (k.passes) {
            ts__emit_pass_struct(&k);
        }
        emit_step(&k);
        emit_place(&k);
        const map x = map_x(&k), x2 = map_x2(&k);
        emit_loader(&k, &k.x, &x);
        emit_loader(&k, &k.x2, &x2);
        emit_chunk_place(&k);
        if (!k.lp->y_stays) {
            emit_storer(&k);
        }
    }
    emit_function(&k);
    return TS_OK;
}
