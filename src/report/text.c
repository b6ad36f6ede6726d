#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "report/internal.h"

/* Control characters, and those that turn the direction of text, would let a name say something else than it
 * is: they become the replacement character. */
static size_t hidden_length(const unsigned char *c) {
    if ((*c < 0x20 && *c != '\t') || *c == 0x7f) {
        return 1;
    }
    bool general =
        c[0] == 0xe2 && c[1] == 0x80 && (c[2] == 0x8e || c[2] == 0x8f || (c[2] >= 0xaa && c[2] <= 0xae));
    bool isolates = c[0] == 0xe2 && c[1] == 0x81 && c[2] >= 0xa6 && c[2] <= 0xa9;
    return general || isolates ? 3 : 0;
}

const char *ts__html_escape(ts_arena *arena, const char *text) {
    ts_text out = {.arena = arena};
    ts_text_add(&out, "");
    for (const unsigned char *c = (const unsigned char *)text; *c != 0;) {
        size_t hidden = hidden_length(c);
        const char *entity = *c == '&'    ? "&amp;"
                             : *c == '<'  ? "&lt;"
                             : *c == '>'  ? "&gt;"
                             : *c == '"'  ? "&quot;"
                             : *c == '\'' ? "&#39;"
                             : hidden > 0 ? "&#xfffd;"
                                          : NULL;
        if (entity != NULL) {
            ts_text_add(&out, entity);
        } else {
            ts_text_add_bytes(&out, c, 1);
        }
        c += hidden > 0 ? hidden : 1;
    }
    return out.data;
}

/* '<', '>' and '&' are written as escapes, so that no text can end the script element. */
void ts__json_text(ts_text *out, const char *raw) {
    ts_text_add(out, "\"");
    for (const unsigned char *c = (const unsigned char *)raw; *c != 0; c++) {
        size_t hidden = hidden_length(c);
        if (hidden > 0) {
            ts_text_add(out, "\\ufffd");
            c += hidden - 1;
        } else if (*c < 0x20 || *c == '"' || *c == '\\' || *c == '<' || *c == '>' || *c == '&' ||
                   *c == 0x7f) {
            ts_text_printf(out, "\\u%04x", *c);
        } else {
            ts_text_add_bytes(out, c, 1);
        }
    }
    ts_text_add(out, "\"");
}

const char *ts__count(ts_arena *arena, uint64_t value) {
    char digits[24], grouped[32];
    int length = snprintf(digits, sizeof digits, "%" PRIu64, value);
    size_t n = 0;
    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0) {
            grouped[n++] = ',';
        }
        grouped[n++] = digits[i];
    }
    grouped[n] = 0;
    return ts_arena_strdup(arena, grouped);
}

const char *ts__bytes_text(ts_arena *arena, uint64_t bytes) {
    if (bytes < 1024) {
        return ts_arena_printf(arena, "%" PRIu64 " B", bytes);
    }
    double kib = (double)bytes / 1024;
    return kib < 1024 ? ts_arena_printf(arena, "%.1f KiB", kib)
                      : ts_arena_printf(arena, "%.2f MiB", kib / 1024);
}

/* Three significant digits. */
static const char *scaled(ts_arena *arena, double value, const char *unit) {
    int digits = value >= 100 ? 0 : value >= 10 ? 1 : 2;
    return ts_arena_printf(arena, "%.*f %s", digits, value, unit);
}

const char *ts__seconds_text(ts_arena *arena, double seconds) {
    return seconds >= 1      ? scaled(arena, seconds, "s")
           : seconds >= 1e-3 ? scaled(arena, seconds * 1e3, "ms")
                             : scaled(arena, seconds * 1e6, "µs");
}

const char *ts__joule_text(ts_arena *arena, double microjoules) {
    return microjoules >= 1e6   ? scaled(arena, microjoules * 1e-6, "J")
           : microjoules >= 1e3 ? scaled(arena, microjoules * 1e-3, "mJ")
                                : scaled(arena, microjoules, "µJ");
}

double ts__mac_per_cycle(uint64_t macs, uint64_t cycles) {
    return cycles == 0 ? 0 : (double)macs / (double)cycles;
}

const char *ts__cycles_kind(const ts_report_run *run) {
    return run->measured ? "" : run->estimated ? "estimated" : "modelled";
}

bool ts__one_memory(const ts_report_run *run) { return run->l1_budget == 0 && run->l2_budget > 0; }

const char *ts__home_name(const ts_report_run *run) { return ts__one_memory(run) ? "RAM" : "L2"; }

const char *ts__store_name(const ts_report_run *run) {
    return ts__one_memory(run) || (run->l1_size > 0 && run->l3_size == 0) ? "Flash" : "L3";
}

double ts__isa_ceiling(const ts_report_run *run) {
    return strstr(run->isa, "xpulp") != NULL ? 4.0 * (double)run->cores : 0;
}

double ts__kernel_ceiling(const ts_report_run *run) { return ts__isa_ceiling(run) * 2 / 3; }

/* Name in the JSON, label for people, class of the colour. */
typedef struct naming {
    const char *name, *label, *class_;
} naming;

static const naming namings[] = {
    {"issued", "instructions issued", "issued"},
    {"load_use", "waits for a load's result", "load-use"},
    {"branch", "taken branches and jumps", "branch"},
    {"multi_cycle", "multi-cycle instructions", "multi"},
    {"tcdm_conflict", "L1 bank conflicts", "tcdm"},
    {"icache", "instruction cache refills", "icache"},
    {"memory", "L2, L3 and peripheral access", "memory"},
    {"dma_wait", "waits for the DMA", "dma-wait"},
    {"barrier_wait", "waits for other cores", "barrier"},
    {"idle", "idle", "idle"},
    {"runs", "core runs", "issued"},
    {"transfer", "transfer", "transfer"},
    {"tile", "tile", "tile"},
    {"layer", "layer", "layer"},
    {NULL, NULL, "other"},
};

static const naming *naming_of(const char *name) {
    const naming *n = namings;
    while (n->name != NULL && strcmp(n->name, name) != 0) {
        n++;
    }
    return n;
}

const char *ts__cause_class(const char *cause) { return naming_of(cause)->class_; }

const char *ts__cause_label(const char *cause) {
    const naming *n = naming_of(cause);
    return n->label != NULL ? n->label : cause;
}

void ts__section(const ts__page *page, const char *name, const char *title, const char *lead) {
    ts_text_printf(page->out,
                   "<section id=\"%s%s\" aria-labelledby=\"%s%s-title\">\n<h2 id=\"%s%s-title\">%s</h2>\n",
                   page->id, name, page->id, name, page->id, name, title);
    if (lead != NULL) {
        ts_text_printf(page->out, "<p class=\"lead\">%s</p>\n", lead);
    }
}

void ts__section_end(const ts__page *page) { ts_text_add(page->out, "</section>\n"); }

void ts__chart(const ts__page *page, const char *name, const char *title, const char *description,
               double width, double height) {
    ts_text_printf(page->out,
                   "<figure class=\"chart\">\n<div class=\"tools\" role=\"group\" aria-label=\"Zoom: %s\">"
                   "<button type=\"button\" data-zoom=\"in\" aria-label=\"Zoom in\">+</button>"
                   "<button type=\"button\" data-zoom=\"out\" aria-label=\"Zoom out\">&#8722;</button>"
                   "<button type=\"button\" data-zoom=\"all\">All</button></div>\n",
                   title);
    ts_text_printf(page->out,
                   "<svg class=\"zoom\" id=\"%s%s-chart\" role=\"group\" tabindex=\"0\" "
                   "aria-labelledby=\"%s%s-ct %s%s-cd\" viewBox=\"0 0 %.0f %.0f\" "
                   "style=\"max-width:%.0fpx\">\n<title id=\"%s%s-ct\">%s</title>\n<desc "
                   "id=\"%s%s-cd\">%s</desc>\n",
                   page->id, name, page->id, name, page->id, name, width, height, width * 1.15, page->id,
                   name, title, page->id, name, description);
}

void ts__chart_end(const ts__page *page) { ts_text_add(page->out, "</svg>\n</figure>\n"); }

void ts__cause_legend(const ts__page *page) {
    ts_text_add(page->out, "<ul class=\"legend\">");
    for (uint32_t i = 0; i < page->run->cause_count; i++) {
        ts_text_printf(page->out, "<li><span class=\"key c-%s\"></span>%s</li>",
                       ts__cause_class(page->run->causes[i]), ts__cause_label(page->run->causes[i]));
    }
    ts_text_add(page->out, "</ul>\n");
}
