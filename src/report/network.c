/* The network as a graph: layers in the order in which they run, line by line as one reads, with an edge for
 * each tensor. Edges to the next layer are straight; branches are arcs above the line. */
#include <inttypes.h>
#include <string.h>

#include "report/internal.h"

enum { BOX_W = 150, BOX_H = 74, GAP_X = 34, GAP_Y = 62, MARGIN = 30, COLUMNS = 6 };

typedef struct spot {
    double x, y;
} spot;

/* The layer that makes the content of a buffer which layer `before` reads; -1: the network's input. */
static int64_t producer_of(const ts_report_run *run, int64_t buffer, uint32_t before) {
    for (int64_t i = (int64_t)before - 1; i >= 0; i--) {
        if (run->layers[i].y.buffer == buffer) {
            return i;
        }
    }
    return -1;
}

/* Cell 0 is the input. */
static spot spot_of(int64_t layer) {
    int64_t cell = layer + 1;
    return (spot){MARGIN + (double)(cell % COLUMNS) * (BOX_W + GAP_X),
                  MARGIN + (double)(cell / COLUMNS) * (BOX_H + GAP_Y)};
}

static void write_edge(const ts__page *page, int64_t from, int64_t to, const ts__map *map) {
    spot a = spot_of(from), b = spot_of(to);
    ts_arena *arena = page->run->arena;
    const char *title =
        ts_arena_printf(arena, "%s: %" PRIu64 "&#215;%" PRIu64 "&#215;%" PRIu64 " %s, %s", map->tensor,
                        map->h, map->w, map->c, map->type, ts__bytes_text(arena, map->bytes));
    const char *path;
    const char *kind = to == from + 1 ? "edge" : "edge branch";
    if (to == from + 1 && a.y == b.y) {
        path = ts_arena_printf(arena, "M%.0f %.0fH%.0f", a.x + BOX_W, a.y + BOX_H / 2, b.x - 2);
    } else if (to == from + 1) {
        double turn = a.y + BOX_H + GAP_Y / 2;
        path = ts_arena_printf(arena, "M%.0f %.0fh14V%.0fH%.0fV%.0fH%.0f", a.x + BOX_W, a.y + BOX_H / 2, turn,
                               b.x - 16, b.y + BOX_H / 2, b.x - 2);
    } else if (a.y == b.y) {
        double top = a.y - (to - from == 2 ? 20 : 26);
        path = ts_arena_printf(arena, "M%.0f %.0fC%.0f %.0f %.0f %.0f %.0f %.0f", a.x + BOX_W * 0.75, a.y,
                               a.x + BOX_W, top, b.x, top, b.x + BOX_W * 0.25, b.y - 2);
    } else {
        path = ts_arena_printf(arena, "M%.0f %.0fv%dH%.0fV%.0f", a.x + BOX_W * 0.5, a.y + BOX_H, GAP_Y / 4,
                               b.x + BOX_W * 0.4, b.y - 2);
    }
    ts_text_printf(page->out,
                   "<path class=\"%s\" d=\"%s\" marker-end=\"url(#%sarrow)\"><title>%s</title></path>\n",
                   kind, path, page->id, title);
}

static void write_box_text(const ts__page *page, const ts__layer *l, uint32_t index, spot at) {
    ts_text_printf(page->out,
                   "<svg x=\"%.0f\" y=\"%.0f\" width=\"%d\" height=\"%d\"><text class=\"name\" x=\"8\" "
                   "y=\"17\">%u %s</text>",
                   at.x, at.y, BOX_W - 4, BOX_H, index, l->name);
    if (l->kernel_h > 0 && strcmp(l->op, "add") != 0 && strcmp(l->op, "linear") != 0) {
        ts_text_printf(page->out, "<text x=\"8\" y=\"33\">%s %" PRIu64 "&#215;%" PRIu64 "%s</text>", l->op,
                       l->kernel_h, l->kernel_w,
                       l->stride_h > 1 || l->stride_w > 1
                           ? ts_arena_printf(page->run->arena, " /%" PRIu64, l->stride_h)
                           : "");
    } else {
        ts_text_printf(page->out, "<text x=\"8\" y=\"33\">%s</text>", l->op);
    }
    ts_text_printf(page->out,
                   "<text class=\"dim\" x=\"8\" y=\"48\">%" PRIu64 "&#215;%" PRIu64 "&#215;%" PRIu64
                   " %s</text></svg>\n",
                   l->y.h, l->y.w, l->y.c, l->y.type);
}

static void write_box(const ts__page *page, uint32_t index, uint64_t most_cycles) {
    const ts_report_run *run = page->run;
    const ts__layer *l = &run->layers[index];
    spot at = spot_of(index);
    double width = most_cycles == 0 ? 0 : (BOX_W - 16) * (double)l->cycles / (double)most_cycles;
    double percent = run->cycles == 0 ? 0 : 100.0 * (double)l->cycles / (double)run->cycles;
    ts_text_printf(page->out,
                   "<a href=\"#%slayer-%u\" class=\"node op-%s%s\" aria-label=\"Layer %u, %s, %s\">"
                   "<title>%u %s: %s, kernel %s; %s MACs, %s cycles (%.1f %%)%s</title>\n",
                   page->id, index, l->op, l->judged && !l->verified ? " differs" : "", index, l->name, l->op,
                   index, l->name, l->op, l->kernel, ts__count(run->arena, l->macs),
                   ts__count(run->arena, l->cycles), percent,
                   l->judged && !l->verified ? "; DIFFERS from the reference" : "");
    ts_text_printf(page->out,
                   "<rect class=\"box\" x=\"%.0f\" y=\"%.0f\" width=\"%d\" height=\"%d\" rx=\"6\"/>\n", at.x,
                   at.y, BOX_W, BOX_H);
    ts_text_printf(page->out,
                   "<rect class=\"stripe\" x=\"%.0f\" y=\"%.0f\" width=\"4\" height=\"%d\" rx=\"2\"/>\n",
                   at.x, at.y + 6, BOX_H - 12);
    write_box_text(page, l, index, at);
    ts_text_printf(page->out,
                   "<rect class=\"track\" x=\"%.0f\" y=\"%.0f\" width=\"%d\" height=\"6\" rx=\"3\"/><rect "
                   "class=\"load\" x=\"%.0f\" y=\"%.0f\" width=\"%.1f\" height=\"6\" rx=\"3\"/></a>\n",
                   at.x + 8, at.y + BOX_H - 16, BOX_W - 16, at.x + 8, at.y + BOX_H - 16, width);
}

static void write_edges(const ts__page *page) {
    const ts_report_run *run = page->run;
    for (uint32_t i = 0; i < run->layer_count; i++) {
        const ts__layer *l = &run->layers[i];
        write_edge(page, producer_of(run, l->x.buffer, i), i, &l->x);
        if (l->x2.buffer >= 0) {
            write_edge(page, producer_of(run, l->x2.buffer, i), i, &l->x2);
        }
    }
}

void ts__write_network(const ts__page *page) {
    const ts_report_run *run = page->run;
    uint32_t cells = run->layer_count + 1, rows = (cells + COLUMNS - 1) / COLUMNS;
    uint32_t columns = cells < COLUMNS ? cells : COLUMNS;
    uint64_t most = 0;
    for (uint32_t i = 0; i < run->layer_count; i++) {
        most = run->layers[i].cycles > most ? run->layers[i].cycles : most;
    }
    ts__section(page, "network", "Network",
                "Layers in the order in which they run. The bar in a box is its share of the cycles; a "
                "dashed arc is a branch. A box leads to its row in the table.");
    ts__chart(page, "network", "Graph of the network", "Boxes are layers, arrows are tensors.",
              2 * MARGIN + columns * (BOX_W + GAP_X) - GAP_X, 2 * MARGIN + rows * (BOX_H + GAP_Y) - GAP_Y);
    ts_text_printf(page->out,
                   "<defs><marker id=\"%sarrow\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"7\" "
                   "markerHeight=\"7\" orient=\"auto\"><path class=\"head\" d=\"M0 0L8 4L0 8z\"/></marker>"
                   "</defs>\n",
                   page->id);
    write_edges(page);
    spot in = spot_of(-1);
    const ts__map *x = &run->layers[0].x;
    ts_text_printf(
        page->out,
        "<rect class=\"box end\" x=\"%.0f\" y=\"%.0f\" width=\"%d\" height=\"%d\" rx=\"37\"/><text "
        "class=\"name\" x=\"%.0f\" y=\"%.0f\" text-anchor=\"middle\">input</text><text "
        "class=\"dim\" x=\"%.0f\" y=\"%.0f\" text-anchor=\"middle\">%" PRIu64 "&#215;%" PRIu64
        "&#215;%" PRIu64 " %s</text>\n",
        in.x, in.y, BOX_W, BOX_H, in.x + BOX_W / 2, in.y + 34, in.x + BOX_W / 2, in.y + 51, x->h, x->w, x->c,
        x->type);
    for (uint32_t i = 0; i < run->layer_count; i++) {
        write_box(page, i, most);
    }
    ts__chart_end(page);
    ts__section_end(page);
}
