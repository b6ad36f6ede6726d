#include <string.h>

#include "base/embed.h"
#include "report/internal.h"

extern const ts_embedded ts__embedded_report[];

static void write_file(ts_text *out, const char *name) {
    const ts_embedded *file = ts_embedded_find(ts__embedded_report, name);
    TS_ASSERT(file != NULL, name);
    ts_text_add_bytes(out, file->data, file->size);
}

static void write_head(ts_text *out, const ts_report_run *run, const ts_report_run *other) {
    ts_text_printf(
        out,
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" "
        "content=\"width=device-width,initial-scale=1\">\n<meta name=\"color-scheme\" content=\"light "
        "dark\">\n<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
        "'unsafe-inline'; script-src 'unsafe-inline'; img-src data:\">\n<link rel=\"icon\" "
        "href=\"data:,\">\n<title>%s on %s%s - Tessera report</title>\n<style>\n",
        run->model, run->target, other != NULL ? ", compared" : "");
    write_file(out, "report.css");
    ts_text_add(out, "</style>\n</head>\n<body>\n<a class=\"skip\" href=\"#main\">Skip to the content</a>\n");
}

static void write_links(ts_text *out, const ts_report_run *run, const char *id) {
    static const char *const sections[][2] = {
        {"summary", "Summary"}, {"network", "Network"}, {"timeline", "Timeline"},
        {"causes", "Cycles"},   {"memory", "Memory"},   {"roofline", "Roofline"},
        {"layers", "Layers"},   {"tiles", "Tiles"},     {"quantised", "Quantisation"}};
    for (uint32_t i = 0; i < sizeof sections / sizeof sections[0]; i++) {
        bool causes = strcmp(sections[i][0], "causes") == 0, bits = strcmp(sections[i][0], "quantised") == 0;
        if ((!causes || (run->measured && run->cause_count > 0)) && (!bits || run->quantised_as != NULL)) {
            ts_text_printf(out, "<li><a href=\"#%s%s\">%s</a></li>", id, sections[i][0], sections[i][1]);
        }
    }
}

static void write_title(ts_text *out, const ts_report_run *run, const ts_report_run *other) {
    ts_text_printf(out, "<header>\n<p class=\"brand\">Tessera report</p>\n<h1>%s <span>on %s</span></h1>\n",
                   run->model, run->target);
    if (run->chip[0] != 0) {
        ts_text_printf(out, "<p class=\"chip\">%s</p>\n", run->chip);
    }
    ts_text_add(out, "<nav aria-label=\"Sections\"><ul>");
    if (other != NULL) {
        ts_text_add(out, "<li><a href=\"#a-comparison\">What changed</a></li>");
        ts_text_printf(out, "</ul><ul aria-label=\"Run A\"><li class=\"which\">A: %s</li>", run->label);
        write_links(out, run, "a-");
        ts_text_printf(out, "</ul><ul aria-label=\"Run B\"><li class=\"which\">B: %s</li>", other->label);
        write_links(out, other, "b-");
    } else {
        write_links(out, run, "");
    }
    ts_text_add(out, "</ul></nav>\n</header>\n<main id=\"main\">\n");
}

static void write_run(ts_text *out, const ts_report_run *run, const char *id) {
    ts__page page = {out, run, id};
    ts__write_summary(&page);
    ts__write_network(&page);
    ts__write_timeline(&page);
    ts__write_causes(&page);
    ts__write_memory(&page);
    ts__write_roofline(&page);
    ts__write_tables(&page);
    ts__write_quantised(&page);
}

static void write_foot(ts_text *out, const ts_report_run *run) {
    ts_text_add(out, "</main>\n<footer><p>");
    if (run->command[0] != 0) {
        ts_text_printf(out, "Made from <code>tessera %s</code>, version %s. ", run->command, run->version);
    }
    ts_text_add(
        out,
        "Cycles are those of a simulator, energy is estimated from activity. This page stands alone: it "
        "asks for nothing from anywhere.</p></footer>\n<div id=\"tip\" role=\"tooltip\" hidden></div>\n"
        "<script>\n");
    write_file(out, "report.js");
    ts_text_add(out, "</script>\n</body>\n</html>\n");
}

void ts_report_html(ts_text *out, const ts_report_run *run, const ts_report_run *other) {
    write_head(out, run, other);
    write_title(out, run, other);
    if (other == NULL) {
        write_run(out, run, "");
    } else {
        ts__page page = {out, run, "a-"};
        ts__write_comparison(&page, other);
        ts_text_printf(out, "<div class=\"part\"><h2 class=\"which\">Run A: %s</h2>\n", run->label);
        write_run(out, run, "a-");
        ts_text_printf(out, "</div>\n<div class=\"part\"><h2 class=\"which\">Run B: %s</h2>\n", other->label);
        write_run(out, other, "b-");
        ts_text_add(out, "</div>\n");
    }
    write_foot(out, run);
}
