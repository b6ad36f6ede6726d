#include <inttypes.h>

#include "emit/layer_code.h"

/* An activation that lives in L3: its stripes in L2, and how its rows follow from the output's. */
typedef struct striped {
    const char *name, *prefix; /* "x", "X" */
    int32_t whole;             /* buffer in L3 */
    const int32_t *stripe;     /* buffers in L2 */
} striped;

static uint32_t striped_inputs(const code *k, striped out[2]) {
    const ts_l3_plan *l3 = &k->lp->l3;
    uint32_t n = 0;
    if (l3->x_in_l3) {
        out[n++] = (striped){"x", "X", k->lp->x_buffer, l3->x_stripe};
    }
    if (l3->x2_in_l3) {
        out[n++] = (striped){"x2", "X2", k->lp->x2_buffer, l3->x2_stripe};
    }
    return n;
}

void ts__emit_pass_struct(const code *k) {
    ts__line(k->out, 0, "/* One pass: its part of the output, and where its data lie in L2. */");
    ts__line(k->out, 0, "struct pass {");
    if (k->stripes > 1) {
        ts__line(k->out, 1, "int h, h_end;");
        if (k->lp->l3.x_in_l3 || k->lp->l3.x2_in_l3) {
            ts__line(k->out, 1, "int x_row; /* with which x begins */");
        }
    }
    if (k->pass_chunks > 1) {
        ts__line(k->out, 1, "int c, c_end;");
    }
    ts__line(k->out, 1, "const uint8_t *x%s%s;", k->x2.used ? ", *x2" : "", k->w_operand.used ? ", *w" : "");
    ts__line(k->out, 1, "uint8_t *y;");
    ts__line(k->out, 0, "};\n");
}

static const char *stripe_place(const code *k, const int32_t *stripe) {
    return k->stripes == 1 ? ts__text(k, "run->l2 + %s", ts__buffer_name(k->e, stripe[0]))
                           : ts__text(k, "run->l2 + (stripe %% 2 == 0 ? %s : %s)",
                                      ts__buffer_name(k->e, stripe[0]), ts__buffer_name(k->e, stripe[1]));
}

/* Which rows of x a stripe reads. */
static void emit_row_functions(const code *k) {
    if (k->stripes == 1 || !(k->lp->l3.x_in_l3 || k->lp->l3.x2_in_l3)) {
        return;
    }
    ts__line(k->out, 0, "/* The rows of x that a stripe reads: the first, and the one behind the last. */");
    ts__line(k->out, 0, "static int x_begin(int stripe) {");
    if (k->adds) {
        ts__line(k->out, 1, "return stripe * STRIPE_H;");
    } else {
        const char *top = ts__text(k, "stripe * STRIPE_H * STRIDE_H%s", k->h.clips_begin ? " - PAD_H" : "");
        ts__line(k->out, 1, "return ts_max(ts_min(%s, X_H), 0);", top);
    }
    ts__line(k->out, 0, "}\n");
    ts__line(k->out, 0, "static int x_end(int stripe) {");
    ts__line(k->out, 1, "const int h_end = ts_min((stripe + 1) * STRIPE_H, Y_H);");
    if (k->adds) {
        ts__line(k->out, 1, "return h_end;");
    } else {
        const char *bottom =
            ts__text(k, "(h_end - 1) * STRIDE_H%s + REACH_H", k->h.clips_begin ? " - PAD_H" : "");
        ts__line(k->out, 1, "return ts_max(ts_min(%s, X_H), x_begin(stripe));", bottom);
    }
    ts__line(k->out, 0, "}\n");
}

static void emit_stripe_load(const code *k, const striped *s) {
    bool cut = k->stripes > 1;
    ts__line(k->out, 0, "static ts_ticket load_%s_stripe(const struct ts_run *run%s) {", s->name,
             cut ? ", int stripe" : "");
    const char *place = stripe_place(k, s->stripe), *whole = ts__buffer_name(k->e, s->whole);
    if (cut && s->stripe == k->lp->l3.x2_stripe && ts_layer_shares_x2(k->layer)) {
        ts__line(k->out, 1, "uint8_t *const to = %s;", place);
        ts__line(k->out, 1, "return ts_l3_read(to, run->l3 + %s, X2_BYTES);", whole);
    } else if (cut && k->lp->l3.keeps_halo) {
        ts__line(k->out, 1, "const int begin = x_begin(stripe);");
        ts__line(k->out, 1,
                 "const int first = stripe == 0 ? begin : ts_max(begin, x_end(stripe - 1)); /* the rest is "
                 "kept */");
        ts__line(k->out, 1, "uint8_t *const to = %s;", place);
        ts__line(k->out, 1, "return ts_l3_read(to + (first - begin) * %s_ROW, run->l3 + %s + first * %s_ROW,",
                 s->prefix, whole, s->prefix);
        ts__line(k->out, 1, "                  (x_end(stripe) - first) * %s_ROW);", s->prefix);
    } else if (cut) {
        ts__line(k->out, 1, "const int first = x_begin(stripe), rows = x_end(stripe) - first;");
        ts__line(k->out, 1, "uint8_t *const to = %s;", place);
        ts__line(k->out, 1, "return ts_l3_read(to, run->l3 + %s + first * %s_ROW, rows * %s_ROW);", whole,
                 s->prefix, s->prefix);
    } else {
        ts__line(k->out, 1, "return ts_l3_read(%s, run->l3 + %s, %s_BYTES);", place, whole, s->prefix);
    }
    ts__line(k->out, 0, "}\n");
}

/* Copies the rows that the next stripe reads too, through L1, which is free between passes. */
static void emit_keep(const code *k, const striped *s) {
    const char *next = ts__text(k, "run->l2 + (stripe %% 2 == 0 ? %s : %s)",
                                ts__buffer_name(k->e, s->stripe[1]), ts__buffer_name(k->e, s->stripe[0]));
    ts__line(
        k->out, 0,
        "/* Copies the rows that the next stripe reads too, through L1, which is free between passes. */");
    ts__line(k->out, 0, "static void keep_%s_rows(const struct ts_run *run, int stripe) {", s->name);
    ts__line(k->out, 1, "const int begin = x_begin(stripe + 1), bytes = (x_end(stripe) - begin) * %s_ROW;",
             s->prefix);
    ts__line(k->out, 1, "const uint8_t *const from = %s + (begin - x_begin(stripe)) * %s_ROW;",
             stripe_place(k, s->stripe), s->prefix);
    ts__line(k->out, 1, "uint8_t *const to = %s;", next);
    ts__line(k->out, 1, "for (int done = 0, part; done < bytes; done += part) {");
    ts__line(k->out, 2, "part = ts_min(bytes - done, KEEP_PART);");
    ts__line(k->out, 2, "ts_dma_wait(ts_dma_in_1d(run->l1, from + done, part));");
    ts__line(k->out, 2, "ts_dma_wait(ts_dma_out_1d(to + done, run->l1, part));");
    ts__line(k->out, 1, "}");
    ts__line(k->out, 0, "}\n");
}

static void emit_stripe_store(const code *k) {
    if (!k->lp->l3.y_in_l3) {
        return;
    }
    const char *place = stripe_place(k, k->lp->l3.y_stripe), *whole = ts__buffer_name(k->e, k->lp->y_buffer);
    bool cut = k->stripes > 1;
    ts__line(k->out, 0, "static ts_ticket store_y_stripe(const struct ts_run *run%s) {",
             cut ? ", int stripe" : "");
    if (cut) {
        ts__line(k->out, 1, "const int first = stripe * STRIPE_H, rows = ts_min(STRIPE_H, Y_H - first);");
        ts__line(k->out, 1, "uint8_t *const from = %s;", place);
        ts__line(k->out, 1, "return ts_l3_write(run->l3 + %s + first * Y_ROW, from, rows * Y_ROW);", whole);
    } else {
        ts__line(k->out, 1, "return ts_l3_write(run->l3 + %s, %s, Y_BYTES);", whole, place);
    }
    ts__line(k->out, 0, "}\n");
}

static bool chunks_outer(const code *k) {
    return k->pass_chunks > 1 && (k->lp->l3.chunks_outer || k->stripes == 1);
}

/* Chunks that are loaded in all: each again for every stripe where the stripes are the outer loop. */
static uint32_t chunk_loads(const code *k) { return k->pass_chunks * (chunks_outer(k) ? 1 : k->stripes); }

static void emit_chunk_place(const code *k) {
    if (k->pass_chunks == 1) {
        return;
    }
    ts__line(k->out, 0, "/* Where chunk number n%s lies in L2. */",
             chunk_loads(k) > k->pass_chunks ? ", counted over all stripes," : "");
    ts__line(k->out, 0, "static uint8_t *chunk_place(const struct ts_run *run, int n) {");
    ts__line(k->out, 1, "return run->l2 + %s_fetches[FIRST_FETCH + n].to;", k->e->prefix);
    ts__line(k->out, 0, "}\n");
}

/* Start of a stripe: its rows are awaited, those of the next one are started, and the y buffer is free again.
 */
static void emit_stripe_begin(const code *k, int depth) {
    striped inputs[2];
    uint32_t n = striped_inputs(k, inputs);
    bool outer = chunks_outer(k), odd = k->stripes % 2 == 1;
    if (k->stripes == 1 || (n == 0 && !k->lp->l3.y_in_l3)) {
        return;
    }
    ts__line(k->out, depth, "if (lead) {");
    for (uint32_t i = 0; i < n; i++) {
        const char *name = inputs[i].name;
        if (outer && odd) {
            ts__line(k->out, depth + 1, "if (stripe == 0 && chunk > 0) {");
            ts__line(k->out, depth + 2,
                     "%s_in = load_%s_stripe(run, 0); /* its buffer was in use until now */", name, name);
            ts__line(k->out, depth + 1, "}");
        }
        ts__line(k->out, depth + 1, "ts_l3_wait(%s_in);", name);
        ts__line(k->out, depth + 1,
                 outer && !odd ? "if (stripe + 1 < STRIPES || chunk + 1 < CHUNKS) {"
                               : "if (stripe + 1 < STRIPES) {");
        ts__line(k->out, depth + 2,
                 outer && !odd ? "%s_in = load_%s_stripe(run, (stripe + 1) %% STRIPES);"
                               : "%s_in = load_%s_stripe(run, stripe + 1);",
                 name, name);
        if (k->lp->l3.keeps_halo) {
            ts__line(k->out, depth + 2, "keep_%s_rows(run, stripe);", name);
        }
        ts__line(k->out, depth + 1, "}");
    }
    if (k->lp->l3.y_in_l3 && k->stripes > 2) {
        ts__line(k->out, depth + 1, "if (stripe >= 2) {");
        ts__line(k->out, depth + 2, "ts_l3_wait(y_out[stripe %% 2]);");
        ts__line(k->out, depth + 1, "}");
    }
    ts__line(k->out, depth, "}");
    ts__line(k->out, depth, "pass.h = stripe * STRIPE_H;");
    ts__line(k->out, depth, "pass.h_end = ts_min(pass.h + STRIPE_H, Y_H);");
    if (n > 0) {
        ts__line(k->out, depth, "pass.x_row = x_begin(stripe);");
    }
    for (uint32_t i = 0; i < n; i++) {
        ts__line(k->out, depth, "pass.%s = %s;", inputs[i].name, stripe_place(k, inputs[i].stripe));
    }
    if (k->lp->l3.y_in_l3) {
        ts__line(k->out, depth, "pass.y = %s;", stripe_place(k, k->lp->l3.y_stripe));
    }
}

static void emit_chunk_begin(const code *k, int depth) {
    if (k->pass_chunks == 1) {
        return;
    }
    const char *n = chunk_loads(k) > k->pass_chunks ? "n" : "chunk";
    ts__line(k->out, depth, "if (lead && %s > 0) {", n);
    ts__line(k->out, depth + 1, "ts_fetch_step(run, FIRST_STEP + %s);", n);
    ts__line(k->out, depth + 1, "ts_fetch_wait(run);");
    ts__line(k->out, depth, "}");
    ts__line(k->out, depth, "pass.c = chunk * CHUNK_C;");
    ts__line(k->out, depth, "pass.c_end = ts_min(pass.c + CHUNK_C, Y_C);");
    ts__line(k->out, depth, "pass.w = chunk_place(run, %s);", n);
}

static void emit_stripe_end(const code *k, int depth) {
    if (!k->lp->l3.y_in_l3) {
        return;
    }
    ts__line(k->out, depth, "if (lead) {");
    if (k->stripes > 1) {
        ts__line(k->out, depth + 1, "y_out[stripe %% 2] = store_y_stripe(run, stripe);");
    } else {
        ts__line(k->out, depth + 1, "ts_l3_wait(store_y_stripe(run));");
    }
    ts__line(k->out, depth, "}");
}

static void open_loop(const code *k, int depth, bool stripes) {
    ts__line(k->out, depth,
             stripes ? "for (int stripe = 0; stripe < STRIPES; stripe++) {"
                     : "for (int chunk = 0; chunk < CHUNKS; chunk++) {");
}

static void emit_pass_loops(const code *k) {
    bool outer = chunks_outer(k), two = k->stripes > 1 && k->pass_chunks > 1;
    int depth = 1;
    if (outer) {
        open_loop(k, depth++, false);
        emit_chunk_begin(k, depth);
    }
    if (k->stripes > 1) {
        open_loop(k, depth++, true);
        emit_stripe_begin(k, depth);
    }
    if (!outer && k->pass_chunks > 1) {
        open_loop(k, depth++, false);
        if (two) {
            ts__line(k->out, depth, "const int n = stripe * CHUNKS + chunk;");
        }
        emit_chunk_begin(k, depth);
    }
    ts__line(k->out, depth, "compute_pass(run, &pass);");
    if (!outer && k->pass_chunks > 1) {
        ts__line(k->out, --depth, "}");
    }
    if (k->stripes > 1) {
        emit_stripe_end(k, depth);
        ts__line(k->out, --depth, "}");
    }
    if (outer) {
        ts__line(k->out, --depth, "}");
    }
    if (k->stripes == 1) {
        emit_stripe_end(k, depth);
    }
}

/* What lies in L2 whole, or in a single stripe. */
static void emit_fixed_places(const code *k) {
    const ts_l3_plan *l3 = &k->lp->l3;
    const struct {
        bool used, in_l3;
        const char *name;
        int32_t whole;
        const int32_t *stripe;
    } rows[] = {
        {true, l3->x_in_l3, "x", k->lp->x_buffer, l3->x_stripe},
        {k->x2.used, l3->x2_in_l3, "x2", k->lp->x2_buffer, l3->x2_stripe},
        {true, l3->y_in_l3, "y", k->lp->y_buffer, l3->y_stripe},
        {k->w_operand.used && k->pass_chunks == 1, false, "w", l3->w_buffer, &l3->w_buffer},
    };
    for (uint32_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (rows[i].used && (!rows[i].in_l3 || k->stripes == 1)) {
            ts__line(k->out, 1, "pass.%s = run->l2 + %s;", rows[i].name,
                     ts__buffer_name(k->e, rows[i].in_l3 ? rows[i].stripe[0] : rows[i].whole));
        }
    }
}

static void emit_final_waits(const code *k) {
    if (k->lp->l3.y_in_l3 && k->stripes > 1) {
        ts__line(k->out, 1, "if (lead) {");
        ts__line(k->out, 2, "ts_l3_wait(y_out[STRIPES %% 2]);");
        ts__line(k->out, 2, "ts_l3_wait(y_out[(STRIPES - 1) %% 2]);");
        ts__line(k->out, 1, "}");
    }
    ts__line(k->out, 1, "ts_barrier();");
}

void ts__emit_pass_driver(const code *k) {
    striped inputs[2];
    uint32_t n = striped_inputs(k, inputs);
    emit_row_functions(k);
    for (uint32_t i = 0; i < n; i++) {
        emit_stripe_load(k, &inputs[i]);
        if (k->lp->l3.keeps_halo) {
            emit_keep(k, &inputs[i]);
        }
    }
    emit_chunk_place(k);
    emit_stripe_store(k);
    ts__line(k->out, 0, "void %s(struct ts_run *run) {", k->e->functions[k->layer->index]);
    ts__line(k->out, 1, "const int lead = ts_core() == 0;");
    ts__line(k->out, 1, "struct pass pass = {0};");
    for (uint32_t i = 0; i < n; i++) {
        ts__line(k->out, 1, "ts_ticket %s_in = 0;", inputs[i].name);
    }
    if (k->lp->l3.y_in_l3 && k->stripes > 1) {
        ts__line(k->out, 1, "ts_ticket y_out[2] = {0, 0};");
    }
    emit_fixed_places(k);
    ts__line(k->out, 1, "if (lead) {");
    for (uint32_t i = 0; i < n; i++) {
        ts__line(k->out, 2, "%s_in = load_%s_stripe(run%s);", inputs[i].name, inputs[i].name,
                 k->stripes > 1 ? ", 0" : "");
    }
    ts__emit_first_step(k->e, k->layer->index, 2, k->out);
    for (uint32_t i = 0; i < n && k->stripes == 1; i++) {
        ts__line(k->out, 2, "ts_l3_wait(%s_in);", inputs[i].name);
    }
    ts__line(k->out, 1, "}");
    emit_pass_loops(k);
    emit_final_waits(k);
    ts__line(k->out, 0, "}");
}
