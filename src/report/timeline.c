/* The timeline: a lane a row. All spans of a lane and kind are one path, so that 50,000 of them open at once;
 * report.js finds the span under the pointer in the list that goes with it. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "report/internal.h"

enum { LANE = 16, LANE_LAYERS = 24, LANE_CAUSES = 54, LANE_GAP = 4, TICKS = 8 };

typedef struct lane {
    const char *name;
    uint32_t row; /* of the run's rows */
    double top, height;
    uint32_t first, last; /* spans, sorted */
} lane;

typedef struct timeline {
    const ts__page *page;
    const ts_report_run *run;
    uint64_t begin, total; /* the first layer's first cycle; cycles of all layers */
    double height;         /* of all lanes */
    double causes_top;
    lane lanes[TS__MAX_ROWS];
    uint32_t lane_count;
    ts__span *spans; /* by row, then by time */
} timeline;

static int by_row_and_time(const void *a, const void *b) {
    const ts__span *x = a, *y = b;
    if (x->row != y->row) {
        return x->row < y->row ? -1 : 1;
    }
    return x->begin < y->begin ? -1 : x->begin > y->begin;
}

/* Layers, tiles, cores, fabric controller, engines. */
static int rank_of(const char *name) {
    return strcmp(name, "layers") == 0              ? 0
           : strcmp(name, "tiles") == 0             ? 1
           : strncmp(name, "core ", 5) == 0         ? 2 + atoi(name + 5) % 1000
           : strcmp(name, "fabric controller") == 0 ? 1010
           : strncmp(name, "DMA L2", 6) == 0        ? 1011
           : strncmp(name, "DMA", 3) == 0           ? 1012
                                                    : 1013;
}

static int by_rank(const void *a, const void *b) {
    return rank_of(((const lane *)a)->name) - rank_of(((const lane *)b)->name);
}

static void find_lanes(timeline *t) {
    const ts_report_run *run = t->run;
    t->spans = TS_NEW_ARRAY(run->arena, ts__span, run->span_count);
    for (uint32_t i = 0; i < run->span_count; i++) {
        t->spans[i] = run->spans[i];
    }
    if (run->span_count > 0) {
        qsort(t->spans, run->span_count, sizeof *t->spans, by_row_and_time);
    }
    for (uint32_t i = 0; i < run->span_count;) {
        uint32_t last = i;
        while (last < run->span_count && t->spans[last].row == t->spans[i].row) {
            last++;
        }
        t->lanes[t->lane_count++] =
            (lane){.name = run->rows[t->spans[i].row], .row = t->spans[i].row, .first = i, .last = last};
        i = last;
    }
    qsort(t->lanes, t->lane_count, sizeof t->lanes[0], by_rank);
}

/* Without a recorded timeline the layers follow each other. */
static void make_layers(timeline *t) {
    const ts_report_run *run = t->run;
    t->spans = TS_NEW_ARRAY(run->arena, ts__span, run->layer_count);
    uint64_t at = 0;
    for (uint32_t i = 0; i < run->layer_count; i++) {
        t->spans[i] = (ts__span){.begin = at, .cycles = run->layers[i].cycles, .merged = 1};
        at += run->layers[i].cycles;
    }
    t->lanes[0] = (lane){.name = "layers", .last = run->layer_count};
    t->lane_count = 1;
}

static void place_lanes(timeline *t) {
    double top = 0;
    for (uint32_t i = 0; i < t->lane_count; i++) {
        bool layers = strcmp(t->lanes[i].name, "layers") == 0;
        t->lanes[i].top = top;
        t->lanes[i].height = layers ? LANE_LAYERS : LANE;
        top += t->lanes[i].height + LANE_GAP;
        if (layers && t->run->cause_count > 0 && t->run->measured) {
            t->causes_top = top;
            top += LANE_CAUSES + LANE_GAP;
        }
        for (uint32_t k = t->lanes[i].first; layers && k < t->lanes[i].last; k++) {
            uint64_t end = t->spans[k].begin + t->spans[k].cycles;
            t->begin = k == t->lanes[i].first ? t->spans[k].begin : t->begin;
            t->total = end - t->begin > t->total ? end - t->begin : t->total;
        }
    }
    t->height = top;
    t->total = t->total > 0 ? t->total : 1;
}

/* Clips a span to the layers; false where nothing is left. */
static bool clipped(const timeline *t, const ts__span *span, uint64_t *begin, uint64_t *cycles) {
    uint64_t from = span->begin, to = span->begin + span->cycles, end = t->begin + t->total;
    from = from < t->begin ? t->begin : from;
    to = to > end ? end : to;
    if (from >= to) {
        return false;
    }
    *begin = from - t->begin;
    *cycles = to - from;
    return true;
}

static const char *kind_class(const timeline *t, const lane *l, uint32_t kind) {
    return strcmp(l->name, "layers") == 0 || t->run->kind_count == 0 ? "layer"
                                                                     : ts__cause_class(t->run->kinds[kind]);
}

/* The path of a lane's spans of one kind; of layers and tiles, every second one. */
static void write_path(const timeline *t, const lane *l, uint32_t kind, uint32_t parity) {
    ts_text *out = t->page->out;
    bool open = false;
    const char *class_ = kind_class(t, l, kind);
    bool striped = strcmp(class_, "layer") == 0 || strcmp(class_, "tile") == 0;
    for (uint32_t i = l->first; i < l->last; i++) {
        uint64_t begin, cycles;
        bool wanted = t->spans[i].kind == kind && (!striped || (i - l->first) % 2 == parity);
        if (!wanted || (parity > 0 && !striped) || !clipped(t, &t->spans[i], &begin, &cycles)) {
            continue;
        }
        if (!open) {
            ts_text_printf(out, "<path class=\"c-%s%s\" d=\"", class_, parity > 0 ? " second" : "");
            open = true;
        }
        ts_text_printf(out, "M%" PRIu64 " %.0fh%" PRIu64 "v%.0fh-%" PRIu64 "z", begin, l->top, cycles,
                       l->height, cycles);
    }
    if (open) {
        ts_text_add(out, "\"/>\n");
    }
}

/* Paths, since browsers keep the place of a rect in numbers that end at 2^25. */
static void write_causes_band(const timeline *t, const lane *l) {
    const ts_report_run *run = t->run;
    for (uint32_t i = l->first; i < l->last && i - l->first < run->layer_count; i++) {
        const ts__layer *layer = &run->layers[i - l->first];
        uint64_t sum = 0, begin, cycles;
        for (uint32_t c = 0; c < run->cause_count; c++) {
            sum += layer->by_cause[c];
        }
        if (sum == 0 || !clipped(t, &t->spans[i], &begin, &cycles)) {
            continue;
        }
        double top = t->causes_top;
        for (uint32_t c = 0; c < run->cause_count; c++) {
            double height = LANE_CAUSES * (double)layer->by_cause[c] / (double)sum;
            if (layer->by_cause[c] > 0) {
                ts_text_printf(t->page->out,
                               "<path class=\"c-%s\" d=\"M%" PRIu64 " %.2fh%" PRIu64 "v%.2fh-%" PRIu64
                               "z\"><title>%s: %.1f %% of layer %u %s</title></path>\n",
                               ts__cause_class(run->causes[c]), begin, top, cycles, height, cycles,
                               ts__cause_label(run->causes[c]),
                               100.0 * (double)layer->by_cause[c] / (double)sum, i - l->first, layer->name);
            }
            top += height;
        }
    }
}

static void write_lanes(const timeline *t) {
    for (uint32_t i = 0; i < t->lane_count; i++) {
        const lane *l = &t->lanes[i];
        uint32_t kinds = t->run->kind_count > 0 ? t->run->kind_count : 1;
        for (uint32_t kind = 0; kind < kinds; kind++) {
            write_path(t, l, kind, 0);
            write_path(t, l, kind, 1);
        }
        if (t->causes_top > 0 && strcmp(l->name, "layers") == 0) {
            write_causes_band(t, l);
        }
    }
}

static void write_names(const timeline *t) {
    ts_text *out = t->page->out;
    ts_text_add(out, "<div class=\"lane-names\" aria-hidden=\"true\">");
    for (uint32_t i = 0; i < t->lane_count; i++) {
        const lane *l = &t->lanes[i];
        ts_text_printf(out, "<span style=\"top:%.0fpx;height:%.0fpx\">%s</span>", l->top, l->height, l->name);
        if (t->causes_top > 0 && strcmp(l->name, "layers") == 0) {
            ts_text_printf(out, "<span style=\"top:%.0fpx;height:%dpx\">causes, all cores</span>",
                           t->causes_top, LANE_CAUSES);
        }
    }
    ts_text_add(out, "</div>\n");
}

/* Numbers of the layers in their lane, and the scale; drawn again by report.js when the view changes. */
static void write_scale(const timeline *t) {
    ts_text *out = t->page->out;
    ts_text_printf(out, "<svg class=\"scale\" aria-hidden=\"true\" width=\"100%%\" height=\"%.0f\"><g>",
                   t->height + 22);
    for (uint32_t i = 0; i < TICKS; i++) {
        ts_text_printf(out, "<text x=\"%.2f%%\" y=\"%.0f\">%s</text>", 100.0 * i / TICKS, t->height + 14,
                       ts__count(t->run->arena, t->total * i / TICKS));
    }
    const lane *l = &t->lanes[0];
    for (uint32_t i = l->first; i < l->last && strcmp(l->name, "layers") == 0; i++) {
        uint64_t begin, cycles;
        if (clipped(t, &t->spans[i], &begin, &cycles) && cycles * 50 > t->total) {
            ts_text_printf(out, "<text class=\"on\" x=\"%.3f%%\" y=\"%.0f\" text-anchor=\"middle\">%u</text>",
                           100.0 * ((double)begin + (double)cycles / 2) / (double)t->total,
                           l->top + l->height - 7, i - l->first);
        }
    }
    ts_text_add(out, "</g></svg>\n");
}

/* {"total", "ms": milliseconds a cycle, "lanes": [{"name", "top", "height", "spans": [[begin, cycles, label,
 * merged, text]...]}], "labels", "layers"}; labels are shared. */
static void write_data(const timeline *t) {
    ts_text *out = t->page->out;
    const ts_report_run *run = t->run;
    double hz = run->point_count > 0 ? run->points[0].hz : 0;
    ts_text_printf(out,
                   "<script type=\"application/json\" class=\"tl-data\">{\"total\":%" PRIu64 ",\"us\":%.9g,",
                   t->total, hz > 0 ? 1e6 / hz : 0.0);
    ts_text_add(out, "\"labels\":[");
    for (uint32_t i = 0; i < run->kind_count; i++) {
        ts_text_add(out, i > 0 ? "," : "");
        ts__json_text(out, ts__cause_label(run->kinds[i]));
    }
    ts_text_add(out, "],\"lanes\":[");
    for (uint32_t i = 0; i < t->lane_count; i++) {
        const lane *l = &t->lanes[i];
        bool layers = strcmp(l->name, "layers") == 0, some = false;
        ts_text_printf(out, "%s{\"name\":", i > 0 ? "," : "");
        ts__json_text(out, l->name);
        ts_text_printf(out, ",\"top\":%.0f,\"height\":%.0f,\"layers\":%s,\"spans\":[", l->top, l->height,
                       layers ? "true" : "false");
        for (uint32_t k = l->first; k < l->last; k++) {
            uint64_t begin, cycles;
            if (!clipped(t, &t->spans[k], &begin, &cycles)) {
                continue;
            }
            ts_text_printf(out, "%s[%" PRIu64 ",%" PRIu64 ",%u,%" PRIu64, some ? "," : "", begin, cycles,
                           t->spans[k].kind, t->spans[k].merged);
            some = true;
            if (t->spans[k].raw != NULL) {
                ts_text_add(out, ",");
                ts__json_text(out, t->spans[k].raw);
            }
            ts_text_add(out, "]");
        }
        ts_text_add(out, "]}");
    }
    ts_text_add(out, "]}</script>\n");
}

static void write_notes(const timeline *t) {
    const ts_report_run *run = t->run;
    ts_text *out = t->page->out;
    if (run->span_count == 0) {
        ts_text_printf(
            out, "<p class=\"note\">%s</p>\n",
            run->measured    ? "This run recorded no timeline of its cores and transfers: <code>tessera "
                               "run --report</code> or <code>--timeline</code> does."
            : run->estimated ? "Estimated cycles: the layers one after the other, by their instructions."
                             : "Modelled cycles: the layers as the plan foresees them.");
        return;
    }
    ts_text_printf(out, "<p class=\"note\">%s spans.", ts__count(run->arena, run->span_count));
    if (run->resolution_cycles > 0) {
        ts_text_printf(out,
                       " Neighbours that together last at most %s cycles are drawn as one, in the colour of "
                       "what fills most of it.",
                       ts__count(run->arena, run->resolution_cycles));
    }
    if (run->left_out > 0) {
        ts_text_printf(out, " %s further spans were left out.", ts__count(run->arena, run->left_out));
    }
    ts_text_add(out, " The figures behind it are in the table of <a href=\"#");
    ts_text_printf(out, "%scauses\">cycles by cause</a>.</p>\n", t->page->id);
}

static void write_legend(const timeline *t) {
    if (t->run->measured) {
        ts__cause_legend(t->page);
    }
    if (t->run->span_count == 0) {
        return;
    }
    ts_text_add(t->page->out,
                "<ul class=\"legend\"><li><span class=\"key c-transfer\"></span>transfer</li><li><span "
                "class=\"key c-tile\"></span>tile: from a kernel's call to the next</li></ul>\n");
}

void ts__write_timeline(const ts__page *page) {
    timeline *t = TS_NEW(page->run->arena, timeline);
    t->page = page;
    t->run = page->run;
    if (page->run->span_count > 0) {
        find_lanes(t);
    }
    if (t->lane_count == 0 || strcmp(t->lanes[0].name, "layers") != 0) {
        t->lane_count = 0;
        make_layers(t);
    }
    place_lanes(t);
    ts_text *out = page->out;
    ts__section(
        page, "timeline", "Timeline",
        ts_arena_printf(page->run->arena,
                        "%s. Focus the chart, then zoom with the wheel or + and -, move with the arrow "
                        "keys or by dragging; 0 shows all.",
                        page->run->measured
                            ? "What cores, transfers and layers did when, in cycles of the cluster"
                            : "Which layer runs when, in cycles that were not measured"));
    ts_text_printf(out,
                   "<figure class=\"chart timeline\">\n<div class=\"tools\" role=\"group\" "
                   "aria-label=\"Zoom: timeline\"><button type=\"button\" data-zoom=\"in\" aria-label=\"Zoom "
                   "in\">+</button><button type=\"button\" data-zoom=\"out\" aria-label=\"Zoom out\">&#8722;"
                   "</button><button type=\"button\" data-zoom=\"all\">All</button></div>\n<div class=\"tl\" "
                   "style=\"height:%.0fpx\">\n",
                   t->height + 22);
    write_names(t);
    ts_text_printf(out,
                   "<div class=\"plot\"><svg class=\"tl-svg\" id=\"%stimeline-chart\" role=\"img\" "
                   "tabindex=\"0\" aria-label=\"Timeline of %u lanes over %s cycles\" viewBox=\"0 0 "
                   "%" PRIu64 " %.0f\" preserveAspectRatio=\"none\" style=\"height:%.0fpx\">\n",
                   page->id, t->lane_count, ts__count(page->run->arena, t->total), t->total, t->height,
                   t->height);
    write_lanes(t);
    ts_text_add(out, "</svg>\n");
    write_scale(t);
    ts_text_add(out, "</div>\n</div>\n");
    write_data(t);
    ts_text_add(out, "</figure>\n");
    write_legend(t);
    write_notes(t);
    ts__section_end(page);
}
