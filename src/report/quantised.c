/* What quantisation cost: accuracy by stage, and what each layer lost. */
#include <inttypes.h>
#include <string.h>

#include "report/internal.h"

enum { NAME_W = 250, BAR_W = 640, PITCH = 20, BAR_H = 14, WORST = 3 };

static const char *stage_meaning(const char *kind) {
    static const char *const names[][2] = {{"fp", "the float network"},
                                           {"fq", "fake-quantised: weights and activations on their grids"},
                                           {"qd", "quantised, deployable: every rounding, in real numbers"},
                                           {"id", "integer, deployable: what the chip computes"}};
    for (uint32_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(kind, names[i][0]) == 0) {
            return names[i][1];
        }
    }
    return "";
}

static void write_stages(const ts__page *page) {
    const ts_report_run *run = page->run;
    if (run->stage_count == 0) {
        return;
    }
    ts_text_add(
        page->out,
        "<div class=\"wide\"><table>\n<caption>Accuracy by stage</caption><thead><tr><th "
        "scope=\"col\">Stage</th><th scope=\"col\" class=\"n\">top-1</th><th scope=\"col\" "
        "class=\"n\">points lost</th><th scope=\"col\">What it computes</th></tr></thead>\n<tbody>\n");
    for (uint32_t i = 0; i < run->stage_count; i++) {
        const ts__accuracy *s = &run->stages[i];
        ts_text_printf(page->out,
                       "<tr><th scope=\"row\">%s</th><td class=\"n\">%.2f %%</td><td class=\"n\">%.2f</td>"
                       "<td>%s</td></tr>\n",
                       s->kind, 100 * s->top1, 100 * (run->stages[0].top1 - s->top1), stage_meaning(s->kind));
    }
    ts_text_add(page->out, "</tbody></table></div>\n");
}

/* Whether `a` lost more than `b`: points of accuracy where these were measured, noise elsewhere. */
static bool is_worse(const ts__quantised *a, const ts__quantised *b) {
    return a->blamed && b->blamed ? a->points_lost > b->points_lost : a->output_db < b->output_db;
}

static void write_worst(const ts__page *page) {
    const ts_report_run *run = page->run;
    uint32_t chosen[WORST], wanted = run->quantised_count < WORST ? run->quantised_count : WORST;
    ts_text_add(page->out, "<h3>What lost most</h3>\n<ol class=\"top\">\n");
    for (uint32_t n = 0; n < wanted; n++) {
        chosen[n] = UINT32_MAX;
        for (uint32_t i = 0; i < run->quantised_count; i++) {
            bool taken = false;
            for (uint32_t k = 0; k < n; k++) {
                taken = taken || chosen[k] == i;
            }
            if (!taken &&
                (chosen[n] == UINT32_MAX || is_worse(&run->quantised[i], &run->quantised[chosen[n]]))) {
                chosen[n] = i;
            }
        }
        const ts__quantised *q = &run->quantised[chosen[n]];
        ts_text_printf(page->out, "<li>%s (%s): %.1f dB", q->name, q->op, q->output_db);
        if (q->blamed) {
            ts_text_printf(page->out, ", %.2f points where it alone is quantised", q->points_lost);
        }
        ts_text_add(page->out, "</li>\n");
    }
    ts_text_add(page->out, "</ol>\n");
}

static void write_bars(const ts__page *page) {
    const ts_report_run *run = page->run;
    double most = 1;
    for (uint32_t i = 0; i < run->quantised_count; i++) {
        most = run->quantised[i].output_db > most ? run->quantised[i].output_db : most;
    }
    ts__chart(page, "noise", "Signal to noise of each layer's output",
              "One bar a layer, in dB: longer is better.", NAME_W + BAR_W + 70,
              run->quantised_count * (double)PITCH + 30);
    for (uint32_t i = 0; i < run->quantised_count; i++) {
        const ts__quantised *q = &run->quantised[i];
        double y = 10 + i * (double)PITCH, width = q->output_db > 0 ? q->output_db / most * BAR_W : 0;
        ts_text_printf(
            page->out,
            "<svg y=\"%.0f\" width=\"%d\" height=\"%d\"><text class=\"label\" x=\"10\" y=\"12\">%u "
            "%s</text></svg><g class=\"op-%s\"><title>%u %s: %.1f dB</title><rect class=\"load\" "
            "x=\"%d\" y=\"%.0f\" width=\"%.1f\" height=\"%d\"/></g><text class=\"tick\" x=\"%.1f\" "
            "y=\"%.0f\">%.1f</text>\n",
            y, NAME_W - 8, PITCH, i, q->name, q->op, i, q->name, q->output_db, NAME_W, y, width, BAR_H,
            NAME_W + width + 5, y + 11, q->output_db);
    }
    ts__chart_end(page);
}

static void write_row(const ts__page *page, uint32_t index, const ts__quantised *q) {
    ts_text_printf(page->out, "<tr><th scope=\"row\">%u %s</th><td>%s</td>", index, q->name, q->op);
    if (q->weight_bits > 0) {
        ts_text_printf(page->out, "<td class=\"n\">%" PRIu64 "</td>", q->weight_bits);
    } else {
        ts_text_add(page->out, "<td class=\"n\">-</td>");
    }
    ts_text_printf(
        page->out,
        "<td>%s</td><td class=\"n\">%.4g</td><td class=\"n\">%.4g</td><td class=\"n\">%.4g</td><td "
        "class=\"n\">%.3f %%</td>",
        q->type, q->quantum, q->low, q->high, 100 * q->clipped);
    if (q->weight_bits > 0) {
        ts_text_printf(page->out, "<td class=\"n\">%.1f dB</td>", q->weights_db);
    } else {
        ts_text_add(page->out, "<td class=\"n\">-</td>");
    }
    ts_text_printf(page->out, "<td class=\"n\">%.1f dB</td>", q->output_db);
    if (q->blamed) {
        ts_text_printf(page->out, "<td class=\"n\">%.2f</td>", q->points_lost);
    } else {
        ts_text_add(page->out, "<td class=\"n\">-</td>");
    }
    ts_text_printf(page->out, "<td>%s</td></tr>\n",
                   strcmp(q->type, "s32") == 0 ? "-"
                   : q->wide                   ? "64 bits"
                                               : "32 bits");
}

static void write_table(const ts__page *page) {
    static const char *const heads[] = {
        "Layer",    "Op",       "#Weight bits",    "Output",         "#Quantum",           "#Lowest",
        "#Highest", "#Clipped", "#S/N of weights", "#S/N of output", "#Points lost alone", "Requantised in",
        NULL};
    const ts_report_run *run = page->run;
    ts_text_printf(page->out,
                   "<div class=\"wide\"><table>\n<caption>Layers of the quantiser, %s</caption><thead><tr>",
                   run->quantised_as);
    for (uint32_t i = 0; heads[i] != NULL; i++) {
        bool number = *heads[i] == '#';
        ts_text_printf(page->out, "<th scope=\"col\"%s>%s</th>", number ? " class=\"n\"" : "",
                       heads[i] + number);
    }
    ts_text_add(page->out, "</tr></thead>\n<tbody>\n");
    for (uint32_t i = 0; i < run->quantised_count; i++) {
        write_row(page, i, &run->quantised[i]);
    }
    ts_text_add(page->out, "</tbody></table></div>\n");
}

void ts__write_quantised(const ts__page *page) {
    if (page->run->quantised_as == NULL) {
        return;
    }
    ts__section(page, "quantised", "Quantisation",
                "What each layer lost against the float network, on the calibration samples: signal to noise "
                "of its weights and of its output, both quantised; and the points of accuracy that are lost "
                "where this layer alone is quantised, if they were measured.");
    write_stages(page);
    if (page->run->quantised_count > 0) {
        write_worst(page);
        write_bars(page);
        write_table(page);
    }
    ts__section_end(page);
}
