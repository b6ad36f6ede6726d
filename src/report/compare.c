/* Two runs: what changed from the first to the second. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "report/internal.h"

enum { NAME_W = 190, HALF = 320, PITCH = 20, BAR_H = 14 };

typedef struct comparison {
    const ts__page *page;
    const ts_report_run *a, *b;
    int64_t *partner; /* for each layer of b: the layer of a, or -1 */
    bool *kept;       /* layers of a that have a partner */
} comparison;

/* Layers belong together by name; where a name is not alone, by their order. */
static void match(comparison *c) {
    ts_arena *arena = c->b->arena;
    c->partner = TS_NEW_ARRAY(arena, int64_t, c->b->layer_count);
    c->kept = TS_NEW_ARRAY(arena, bool, c->a->layer_count);
    for (uint32_t i = 0; i < c->b->layer_count; i++) {
        c->partner[i] = -1;
        bool here =
            i < c->a->layer_count && !c->kept[i] && strcmp(c->a->layers[i].name, c->b->layers[i].name) == 0;
        for (uint32_t k = here ? i : 0; k < c->a->layer_count && c->partner[i] < 0; k++) {
            if (!c->kept[k] && strcmp(c->a->layers[k].name, c->b->layers[i].name) == 0) {
                c->partner[i] = k;
                c->kept[k] = true;
            }
        }
    }
}

/* A cell with the change in percent; `better`: -1 where less is better, 1 where more is, 0 where neither. */
static void change_cell(ts_text *out, double before, double after, int better) {
    if (before <= 0) {
        ts_text_add(out, "<td class=\"n\">-</td>");
        return;
    }
    double percent = 100 * (after / before - 1);
    if (before == after) {
        ts_text_add(out, "<td class=\"n\">the same</td>");
        return;
    }
    const char *class_ = fabs(percent) < 0.05 || better == 0 ? ""
                         : (percent > 0) == (better > 0)     ? " better"
                                                             : " worse";
    const char *mark = *class_ == 0 ? "" : class_[1] == 'b' ? " &#10003;" : " &#9888;";
    ts_text_printf(out, "<td class=\"n%s\">%+.1f %%%s</td>", class_, percent, mark);
}

static void figure(const comparison *c, const char *name, const char *before, const char *after, double x,
                   double y, int better) {
    ts_text *out = c->page->out;
    ts_text_printf(out, "<tr><th scope=\"row\">%s</th><td class=\"n\">%s</td><td class=\"n\">%s</td>", name,
                   before, after);
    change_cell(out, x, y, better);
    ts_text_add(out, "</tr>\n");
}

static void count_figure(const comparison *c, const char *name, uint64_t x, uint64_t y, int better) {
    ts_arena *arena = c->b->arena;
    figure(c, name, ts__count(arena, x), ts__count(arena, y), (double)x, (double)y, better);
}

static void text_figure(const comparison *c, const char *name, const char *x, const char *y) {
    ts_text_printf(c->page->out, "<tr><th scope=\"row\">%s</th><td>%s</td><td>%s</td><td>%s</td></tr>\n",
                   name, x, y, strcmp(x, y) == 0 ? "the same" : "<strong>changed</strong>");
}

static const char *verdict(const ts_report_run *run) {
    return !run->has_run ? "not run" : run->verified ? "verified" : "NOT VERIFIED";
}

static void write_figures(const comparison *c) {
    const ts_report_run *a = c->a, *b = c->b;
    ts_arena *arena = b->arena;
    ts_text_printf(c->page->out,
                   "<div class=\"wide\"><table>\n<caption>Figures of both runs</caption><thead><tr><th "
                   "scope=\"col\">Figure</th><th scope=\"col\" class=\"n\">A: %s</th><th scope=\"col\" "
                   "class=\"n\">B: %s</th><th scope=\"col\" class=\"n\">Change</th></tr></thead>\n<tbody>\n",
                   a->label, b->label);
    text_figure(c, "Model", a->model, b->model);
    text_figure(c, "Target", a->target, b->target);
    text_figure(c, "Objective", a->objective, b->objective);
    text_figure(c, "Verdict", verdict(a), verdict(b));
    const char *kind = ts__cycles_kind(a);
    bool alike = strcmp(kind, ts__cycles_kind(b)) == 0;
    count_figure(c,
                 !alike          ? "Cycles (modelled or estimated where not measured)"
                 : *kind == '\0' ? "Cycles"
                                 : ts_arena_printf(arena, "Cycles (%s)", kind),
                 a->cycles, b->cycles, -1);
    if (a->counted && b->counted) {
        count_figure(c, "Instructions", a->instructions, b->instructions, -1);
    }
    double x = ts__mac_per_cycle(a->macs, a->cycles), y = ts__mac_per_cycle(b->macs, b->cycles);
    figure(c, "MAC/cycle", ts_arena_printf(arena, "%.2f", x), ts_arena_printf(arena, "%.2f", y), x, y, 1);
    for (uint32_t i = 0; i < a->point_count && i < b->point_count; i++) {
        const ts__point *p = &a->points[i], *q = &b->points[i];
        figure(c, ts_arena_printf(arena, "Time at %s", q->name), ts__seconds_text(arena, p->seconds),
               ts__seconds_text(arena, q->seconds), p->seconds, q->seconds, -1);
        figure(c, ts_arena_printf(arena, "Energy at %s", q->name), ts__joule_text(arena, p->energy_uj),
               ts__joule_text(arena, q->energy_uj), p->energy_uj, q->energy_uj, -1);
    }
    count_figure(c, "MACs", a->macs, b->macs, 0);
    count_figure(c, "L1 bytes used", a->l1_used, b->l1_used, 0);
    count_figure(c, "L2 bytes used", a->l2_used, b->l2_used, -1);
    count_figure(c, "L3 bytes used", a->l3_used, b->l3_used, -1);
    count_figure(c, "L1 bytes offered", a->l1_budget, b->l1_budget, 0);
    count_figure(c, "L2 bytes offered", a->l2_budget, b->l2_budget, 0);
    count_figure(c, "Cores", a->cores, b->cores, 0);
    ts_text_add(c->page->out, "</tbody></table></div>\n");
}

static void add_part(const comparison *c, ts_text *out, bool changed, const char *what, const char *from,
                     const char *to) {
    if (changed) {
        ts_text_printf(out, "%s%s %s &#8594; %s", out->size > 0 ? "; " : "", what, from, to);
    }
    (void)c;
}

static const char *tile(ts_arena *arena, const ts__layer *l) {
    return ts_arena_printf(arena, "%" PRIu64 "&#215;%" PRIu64 "&#215;%" PRIu64, l->tile_h, l->tile_w,
                           l->tile_c);
}

static const char *counts(ts_arena *arena, const ts__layer *l) {
    return ts_arena_printf(arena, "%" PRIu64 "/%" PRIu64 "/%" PRIu64, l->l1[0].count, l->l1[2].count,
                           l->l1[3].count);
}

/* What the planner decided otherwise. */
static const char *changes(const comparison *c, const ts__layer *x, const ts__layer *y) {
    ts_arena *arena = c->b->arena;
    ts_text out = {.arena = arena};
    add_part(c, &out, strcmp(x->kernel, y->kernel) != 0, "kernel", x->kernel, y->kernel);
    add_part(c, &out, strcmp(x->requant, y->requant) != 0, "requantisation", x->requant, y->requant);
    add_part(c, &out, x->tile_h != y->tile_h || x->tile_w != y->tile_w || x->tile_c != y->tile_c, "tile",
             tile(arena, x), tile(arena, y));
    add_part(c, &out, strcmp(x->order, y->order) != 0, "order", x->order, y->order);
    add_part(c, &out, strcmp(counts(arena, x), counts(arena, y)) != 0, "buffers x/w/y", counts(arena, x),
             counts(arena, y));
    add_part(c, &out, x->chunks != y->chunks, "chunks", ts__count(arena, x->chunks),
             ts__count(arena, y->chunks));
    add_part(c, &out, x->stripes != y->stripes, "stripes", ts__count(arena, x->stripes),
             ts__count(arena, y->stripes));
    add_part(c, &out, x->load_at != y->load_at, "weights loaded from layer", ts__count(arena, x->load_at),
             ts__count(arena, y->load_at));
    add_part(c, &out, x->macs != y->macs, "MACs", ts__count(arena, x->macs), ts__count(arena, y->macs));
    return out.size > 0 ? out.data : "";
}

/* The cause whose cycles changed most. */
static const char *mover(const comparison *c, const ts__layer *x, const ts__layer *y) {
    uint32_t best = 0;
    double most = 0;
    for (uint32_t i = 0; i < c->b->cause_count && i < c->a->cause_count; i++) {
        double change = (double)y->by_cause[i] - (double)x->by_cause[i];
        if (fabs(change) > fabs(most)) {
            most = change;
            best = i;
        }
    }
    if (most == 0 || c->b->cores == 0) {
        return "";
    }
    return ts_arena_printf(c->b->arena, "%s %+.0f a core", ts__cause_label(c->b->causes[best]),
                           most / (double)c->b->cores);
}

static void write_layer_row(const comparison *c, uint32_t i) {
    ts_text *out = c->page->out;
    ts_arena *arena = c->b->arena;
    const ts__layer *y = &c->b->layers[i];
    if (c->partner[i] < 0) {
        ts_text_printf(out,
                       "<tr><th scope=\"row\">%u %s</th><td class=\"n\">-</td><td class=\"n\">%s</td><td "
                       "class=\"n\">-</td><td></td><td>only in B</td></tr>\n",
                       i, y->name, ts__count(arena, y->cycles));
        return;
    }
    const ts__layer *x = &c->a->layers[c->partner[i]];
    ts_text_printf(out, "<tr><th scope=\"row\">%u %s</th><td class=\"n\">%s</td><td class=\"n\">%s</td>", i,
                   y->name, ts__count(arena, x->cycles), ts__count(arena, y->cycles));
    change_cell(out, (double)x->cycles, (double)y->cycles, -1);
    ts_text_printf(out, "<td>%s</td><td>%s</td></tr>\n", mover(c, x, y), changes(c, x, y));
}

static void write_layers(const comparison *c) {
    ts_text *out = c->page->out;
    ts_text_add(
        out,
        "<div class=\"wide\"><table>\n<caption>Layers: cycles, and what changed</caption><thead><tr><th "
        "scope=\"col\">Layer</th><th scope=\"col\" class=\"n\">Cycles A</th><th scope=\"col\" "
        "class=\"n\">Cycles B</th><th scope=\"col\" class=\"n\">Change</th><th scope=\"col\">Cause that "
        "moved "
        "most</th><th scope=\"col\">Decided otherwise</th></tr></thead>\n<tbody>\n");
    for (uint32_t i = 0; i < c->b->layer_count; i++) {
        write_layer_row(c, i);
    }
    for (uint32_t i = 0; i < c->a->layer_count; i++) {
        if (!c->kept[i]) {
            ts_text_printf(out,
                           "<tr><th scope=\"row\">%u %s</th><td class=\"n\">%s</td><td class=\"n\">-</td><td "
                           "class=\"n\">-</td><td></td><td>only in A</td></tr>\n",
                           i, c->a->layers[i].name, ts__count(c->b->arena, c->a->layers[i].cycles));
        }
    }
    ts_text_add(out, "</tbody></table></div>\n");
}

static double difference(const comparison *c, uint32_t i) {
    double before = c->partner[i] < 0 ? 0 : (double)c->a->layers[c->partner[i]].cycles;
    return (double)c->b->layers[i].cycles - before;
}

static void write_chart(const comparison *c) {
    ts_text *out = c->page->out;
    double most = 1, middle = NAME_W + HALF;
    for (uint32_t i = 0; i < c->b->layer_count; i++) {
        most = fabs(difference(c, i)) > most ? fabs(difference(c, i)) : most;
    }
    ts_text_add(out, "<h3>Cycles gained and lost, layer by layer</h3>\n");
    ts__chart(
        c->page, "change", "Change of cycles by layer",
        "Bars to the left are cycles saved, bars to the right cycles added; the table below has the figures.",
        NAME_W + 2 * HALF + 90, c->b->layer_count * PITCH + 8);
    ts_text_printf(out, "<path class=\"grid\" d=\"M%.0f 0V%u\"/>\n", middle, c->b->layer_count * PITCH + 8);
    for (uint32_t i = 0; i < c->b->layer_count; i++) {
        double d = difference(c, i), w = (HALF - 70) * fabs(d) / most, y = 4 + i * (double)PITCH;
        ts_text_printf(
            out,
            "<svg y=\"%.0f\" width=\"%d\" height=\"%d\"><text class=\"label\" x=\"10\" y=\"12\">%u "
            "%s</text></svg><rect class=\"%s\" x=\"%.1f\" y=\"%.0f\" width=\"%.1f\" height=\"%d\"><title>%u "
            "%s: %+.0f cycles</title></rect><text class=\"tick\" x=\"%.1f\" y=\"%.0f\" "
            "text-anchor=\"%s\">%+.0f</text>\n",
            y, NAME_W - 8, PITCH, i, c->b->layers[i].name, d > 0 ? "lost" : "gained",
            d > 0 ? middle : middle - w, y, w, BAR_H, i, c->b->layers[i].name, d,
            d > 0 ? middle + w + 5 : middle - w - 5, y + 11, d > 0 ? "start" : "end", d);
    }
    ts__chart_end(c->page);
}

void ts__write_comparison(const ts__page *page, const ts_report_run *other) {
    comparison c = {.page = page, .a = page->run, .b = other};
    match(&c);
    ts_text *out = page->out;
    double before = (double)page->run->cycles, after = (double)other->cycles;
    ts__section(page, "comparison", "What changed", NULL);
    ts_text_printf(out, "<p class=\"verdict %s\"><strong>From A (%s) to B (%s): %s.</strong> %s to %s cycles",
                   after > before * 1.0005 ? "open" : "good", page->run->label, other->label,
                   fabs(after - before) <= before * 0.0005 ? "as fast"
                   : after < before                        ? "faster"
                                                           : "slower",
                   ts__count(other->arena, page->run->cycles), ts__count(other->arena, other->cycles));
    if (before > 0) {
        ts_text_printf(out, " (%+.1f %%)", 100 * (after / before - 1));
    }
    ts_text_add(out, ".</p>\n");
    write_figures(&c);
    write_chart(&c);
    write_layers(&c);
    ts__section_end(page);
}
