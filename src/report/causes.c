/* Where the cycles went: a bar a layer, and the same as a table. */
#include <inttypes.h>

#include "report/internal.h"

enum { NAME_W = 190, BAR_W = 700, BAR_H = 15, PITCH = 20 };

static uint64_t sum_of(const ts_report_run *run, const ts__layer *l) {
    uint64_t sum = 0;
    for (uint32_t c = 0; c < run->cause_count; c++) {
        sum += l->by_cause[c];
    }
    return sum;
}

static void write_bar(const ts__page *page, uint32_t index, double y, double scale) {
    const ts_report_run *run = page->run;
    const ts__layer *l = &run->layers[index];
    double x = NAME_W, sum = (double)sum_of(run, l);
    ts_text_printf(
        page->out,
        "<svg y=\"%.0f\" width=\"%d\" height=\"%d\"><text class=\"label\" x=\"10\" y=\"12\">%u %s</text>"
        "</svg>",
        y, NAME_W - 8, BAR_H + 2, index, l->name);
    for (uint32_t c = 0; c < run->cause_count; c++) {
        double width = (double)l->by_cause[c] * scale;
        if (l->by_cause[c] > 0) {
            ts_text_printf(
                page->out,
                "<rect class=\"c-%s\" x=\"%.2f\" y=\"%.0f\" width=\"%.2f\" height=\"%d\"><title>%u "
                "%s: %s, %s core cycles (%.1f %%)</title></rect>\n",
                ts__cause_class(run->causes[c]), x, y, width, BAR_H, index, l->name,
                ts__cause_label(run->causes[c]), ts__count(run->arena, l->by_cause[c]),
                100.0 * (double)l->by_cause[c] / sum);
        }
        x += width;
    }
}

static void write_row(const ts__page *page, const char *head, const uint64_t *by_cause) {
    const ts_report_run *run = page->run;
    uint64_t sum = 0;
    for (uint32_t c = 0; c < run->cause_count; c++) {
        sum += by_cause[c];
    }
    ts_text_printf(page->out, "<tr><th scope=\"row\">%s</th><td class=\"n\">%s</td>", head,
                   ts__count(run->arena, sum));
    for (uint32_t c = 0; c < run->cause_count; c++) {
        ts_text_printf(page->out, "<td class=\"n\">%s <small>%.1f %%</small></td>",
                       ts__count(run->arena, by_cause[c]),
                       sum == 0 ? 0 : 100.0 * (double)by_cause[c] / (double)sum);
    }
    ts_text_add(page->out, "</tr>\n");
}

static void open_table(const ts__page *page, const char *caption, const char *first) {
    ts_text_printf(page->out,
                   "<details><summary>%s</summary><div class=\"wide\"><table>\n<caption>%s</caption><thead>"
                   "<tr><th scope=\"col\">%s</th><th scope=\"col\" class=\"n\">Core cycles</th>",
                   caption, caption, first);
    for (uint32_t c = 0; c < page->run->cause_count; c++) {
        ts_text_printf(page->out, "<th scope=\"col\" class=\"n\">%s</th>",
                       ts__cause_label(page->run->causes[c]));
    }
    ts_text_add(page->out, "</tr></thead>\n<tbody>\n");
}

static void write_tables(const ts__page *page) {
    const ts_report_run *run = page->run;
    uint64_t total[TS__MAX_CAUSES] = {0};
    open_table(page, "Table: core cycles by layer and cause", "Layer");
    for (uint32_t i = 0; i < run->layer_count; i++) {
        write_row(page, ts_arena_printf(run->arena, "%u %s", i, run->layers[i].name),
                  run->layers[i].by_cause);
        for (uint32_t c = 0; c < run->cause_count; c++) {
            total[c] += run->layers[i].by_cause[c];
        }
    }
    write_row(page, "All layers", total);
    ts_text_add(page->out, "</tbody></table></div></details>\n");
    open_table(page, "Table: core cycles by core and cause", "Core");
    for (uint64_t core = 0; core < run->cores; core++) {
        uint64_t sum[TS__MAX_CAUSES] = {0};
        for (uint32_t i = 0; i < run->layer_count && run->layers[i].by_core != NULL; i++) {
            for (uint32_t c = 0; c < run->cause_count; c++) {
                sum[c] += run->layers[i].by_core[core * run->cause_count + c];
            }
        }
        write_row(page, ts_arena_printf(run->arena, "core %" PRIu64, core), sum);
    }
    ts_text_add(page->out, "</tbody></table></div></details>\n");
}

void ts__write_causes(const ts__page *page) {
    const ts_report_run *run = page->run;
    if (!run->measured || run->cause_count == 0) {
        return;
    }
    uint64_t most = 1;
    for (uint32_t i = 0; i < run->layer_count; i++) {
        uint64_t sum = sum_of(run, &run->layers[i]);
        most = sum > most ? sum : most;
    }
    ts__section(
        page, "causes", "Where the cycles went",
        "Every cycle of every core has one cause, and the causes add up to the elapsed cycles. Bars are "
        "core cycles: elapsed cycles times cores.");
    ts__cause_legend(page);
    ts__chart(page, "causes", "Core cycles by layer and cause",
              "One bar a layer; the table below has the figures.", NAME_W + BAR_W + 10,
              run->layer_count * PITCH + 6);
    for (uint32_t i = 0; i < run->layer_count; i++) {
        write_bar(page, i, 3 + i * (double)PITCH, BAR_W / (double)most);
    }
    ts__chart_end(page);
    write_tables(page);
    ts__section_end(page);
}
