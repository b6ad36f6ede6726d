/* The trace of a relaxation as SVG: accuracy over rounds, and under it a row of bits for each layer. */
#include <math.h>
#include <string.h>

#include "train/relax.h"

enum { LEFT = 190, TOP = 30, PLOT = 150, CELL_W = 44, CELL_H = 16, GAP = 34 };

typedef struct picture {
    ts_text *out;
    const ts_relax_trace *trace;
    double low, high; /* of the accuracy's axis */
} picture;

/* Centre of a round's column. */
static double column(uint32_t round) { return LEFT + (round + 0.5) * CELL_W; }

static double level(const picture *p, double share) {
    double part = (share - p->low) / (p->high - p->low);
    return TOP + PLOT * (1 - (part < 0 ? 0 : part));
}

static void add_label(const picture *p, double x, double y, const char *anchor, const char *text) {
    ts_text_printf(p->out, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">", x, y, anchor);
    for (const char *c = text; *c != '\0'; c++) {
        const char *plain = *c == '<' ? "&lt;" : *c == '>' ? "&gt;" : *c == '&' ? "&amp;" : NULL;
        if (plain != NULL) {
            ts_text_add(p->out, plain);
        } else {
            ts_text_add_bytes(p->out, c, 1);
        }
    }
    ts_text_add(p->out, "</text>\n");
}

static void add_level(const picture *p, double share, const char *colour, const char *what) {
    char text[64];
    double y = level(p, share), right = LEFT + (double)CELL_W * p->trace->rounds.count;
    ts_text_printf(
        p->out,
        "<line x1=\"%d\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"%s\" stroke-dasharray=\"4 3\"/>\n",
        LEFT, y, right, y, colour);
    snprintf(text, sizeof text, "%s %.2f %%", what, 100 * share);
    add_label(p, LEFT - 6, y + 4, "end", text);
}

static void add_rounds(const picture *p) {
    for (uint32_t i = 0; i < p->trace->rounds.count; i++) {
        const ts_relax_round *r = &p->trace->rounds.data[i];
        char text[64];
        double x = column(i), before = level(p, r->before), after = level(p, r->after);
        ts_text_printf(p->out,
                       "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"#999\"/>\n"
                       "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3\" fill=\"none\" stroke=\"#999\"/>\n"
                       "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"4\" fill=\"%s\"/>\n",
                       x, before, x, after, x, before, x, after, r->kept ? "#27762b" : "#b3261e");
        snprintf(text, sizeof text, "%.2f", 100 * r->after);
        add_label(p, x, TOP - 8, "middle", text);
    }
}

/* Darker is narrower. */
static const char *shade(uint8_t bits) {
    static const char *const shades[] = {"#08306b", "#08519c", "#2171b5", "#4292c6",
                                         "#9ecae1", "#deebf7", "#f7fbff"};
    return shades[bits < 2 ? 0 : bits > 8 ? 6 : bits - 2];
}

static void add_cell(const picture *p, uint32_t round, double y, uint8_t bits, double x_part) {
    double x = LEFT + (round + x_part) * CELL_W;
    ts_text_printf(p->out,
                   "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%d\" fill=\"%s\" stroke=\"#fff\"/>"
                   "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\" fill=\"%s\">%u</text>\n",
                   x, y, CELL_W / 2.0, CELL_H, shade(bits), x + CELL_W / 4.0, y + 12,
                   bits < 6 ? "#fff" : "#000", bits);
}

static void add_layers(const picture *p) {
    const ts_qnet *net = p->trace->net;
    for (uint32_t i = 0; i < net->layers.count; i++) {
        double y = TOP + PLOT + GAP + (double)i * CELL_H;
        bool linear =
            net->layers.data[i].kind == TS_QUANT_CONV || net->layers.data[i].kind == TS_QUANT_LINEAR;
        char name[28];
        snprintf(name, sizeof name, "%s", net->layers.data[i].name);
        add_label(p, LEFT - 6, y + 12, "end", name);
        for (uint32_t k = 0; k < p->trace->rounds.count; k++) {
            const ts_widths *w = &p->trace->rounds.data[k].widths[i];
            if (linear) {
                add_cell(p, k, y, w->weights, 0);
            }
            add_cell(p, k, y, w->activations, 0.5);
        }
    }
}

void ts_relax_picture(ts_text *out, const ts_relax_trace *trace) {
    picture p = {.out = out, .trace = trace, .low = trace->floor, .high = trace->exact};
    uint32_t rounds = trace->rounds.count;
    for (uint32_t i = 0; i < rounds; i++) {
        p.low = fmin(p.low, trace->rounds.data[i].after);
        p.high = fmax(p.high, trace->rounds.data[i].after);
    }
    p.low -= 0.2 * (p.high - p.low) + 0.001; /* untrained values below end at the axis */
    uint32_t width = LEFT + CELL_W * rounds + 10,
             height = TOP + PLOT + GAP + CELL_H * trace->net->layers.count + 10;
    ts_text_printf(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%u\" height=\"%u\" font-family=\"sans-serif\" "
        "font-size=\"11\">\n<title>Precision relaxation</title>\n",
        width, height);
    add_level(&p, trace->exact, "#27762b", "float");
    add_level(&p, trace->floor, "#b3261e", "bound");
    add_rounds(&p);
    add_label(&p, LEFT - 6, TOP + PLOT + GAP - 8, "end", "bits: weights | results");
    add_layers(&p);
    ts_text_add(out, "</svg>\n");
}
