#include <inttypes.h>
#include <string.h>

#include "report/internal.h"

static const char *shape(const ts_report_run *run, const ts__map *m) {
    return ts_arena_printf(run->arena, "%" PRIu64 "&#215;%" PRIu64 "&#215;%" PRIu64, m->h, m->w, m->c);
}

static void open_table(const ts__page *page, const char *caption, const char *const *heads) {
    ts_text_printf(page->out, "<div class=\"wide\"><table>\n<caption>%s</caption><thead><tr>", caption);
    for (; *heads != NULL; heads++) {
        bool number = **heads == '#';
        ts_text_printf(page->out, "<th scope=\"col\"%s>%s</th>", number ? " class=\"n\"" : "",
                       *heads + (number ? 1 : 0));
    }
    ts_text_add(page->out, "</tr></thead>\n<tbody>\n");
}

static void close_table(const ts__page *page) { ts_text_add(page->out, "</tbody></table></div>\n"); }

static void cell(const ts__page *page, const char *text) { ts_text_printf(page->out, "<td>%s</td>", text); }

static void number(const ts__page *page, uint64_t value) {
    ts_text_printf(page->out, "<td class=\"n\">%s</td>", ts__count(page->run->arena, value));
}

static void decimal(const ts__page *page, bool known, double value, int digits, const char *unit) {
    if (known) {
        ts_text_printf(page->out, "<td class=\"n\">%.*f%s</td>", digits, value, unit);
    } else {
        ts_text_add(page->out, "<td class=\"n\">-</td>");
    }
}

static void head_cell(const ts__page *page, uint32_t index) {
    ts_text_printf(page->out, "<th scope=\"row\">%u %s</th>", index, page->run->layers[index].name);
}

static const char *verdict(const ts_report_run *run, const ts__layer *l) {
    if (!l->judged) {
        return "-";
    }
    if (!l->verified) {
        return ts_arena_printf(run->arena, "<strong class=\"bad\">DIFFERS in %s</strong>",
                               ts__count(run->arena, l->differing));
    }
    return strcmp(l->golden, "equal") == 0 ? "golden" : "yes";
}

static void write_layers(const ts__page *page) {
    static const char *const heads[] = {"Layer",        "Op",       "Kernel",    "Requant.",     "Input",
                                        "Output",       "#MACs",    "#Cycles",   "#Share",       "#MAC/cycle",
                                        "#of kernel",   "#of ISA",  "#Modelled", "#Model error", "#Bound",
                                        "#above bound", "Verified", NULL};
    const ts_report_run *run = page->run;
    double kernel = ts__kernel_ceiling(run), isa = ts__isa_ceiling(run);
    open_table(page, "Layers: speed and distance to the ceilings", heads);
    for (uint32_t i = 0; i < run->layer_count; i++) {
        const ts__layer *l = &run->layers[i];
        double speed = ts__mac_per_cycle(l->macs, l->cycles), cycles = (double)l->cycles;
        ts_text_printf(page->out, "<tr id=\"%slayer-%u\"%s>", page->id, i,
                       l->judged && !l->verified ? " class=\"differs\"" : "");
        head_cell(page, i);
        cell(page, l->op);
        ts_text_printf(page->out, "<td><code>%s</code></td>", l->kernel);
        cell(page, l->requant);
        cell(page, shape(run, &l->x));
        cell(page, shape(run, &l->y));
        number(page, l->macs);
        number(page, l->cycles);
        decimal(page, run->cycles > 0, 100 * cycles / (double)(run->cycles > 0 ? run->cycles : 1), 1, " %");
        decimal(page, l->macs > 0, speed, 2, "");
        decimal(page, l->macs > 0 && kernel > 0, 100 * speed / kernel, 0, " %");
        decimal(page, l->macs > 0 && isa > 0, 100 * speed / isa, 0, " %");
        number(page, (uint64_t)l->modelled_cycles);
        decimal(page, l->measured && l->cycles > 0,
                100 * (l->modelled_cycles - cycles) / (cycles > 0 ? cycles : 1), 1, " %");
        number(page, (uint64_t)l->bound_cycles);
        decimal(page, l->bound_cycles > 0, 100 * (cycles / l->bound_cycles - 1), 0, " %");
        cell(page, verdict(run, l));
        ts_text_add(page->out, "</tr>\n");
    }
    close_table(page);
}

static void write_traffic(const ts__page *page) {
    static const char *const heads[] = {"Layer",     "#Instructions", "#DMA to L1", "#DMA to L2", "#L3 read",
                                        "#L3 write", "#Energy",       "#cores",     "#idle",      "#L1",
                                        "#L2",       "#L3",           "#DMA",       "#static",    NULL};
    const ts_report_run *run = page->run;
    ts_arena *a = run->arena;
    open_table(page,
               run->measured ? "Layers: bytes moved, and energy at the first operating point by what uses it"
                             : "Layers: bytes that the plan moves",
               heads);
    for (uint32_t i = 0; i < run->layer_count; i++) {
        const ts__layer *l = &run->layers[i];
        ts_text_add(page->out, "<tr>");
        head_cell(page, i);
        ts_text_printf(page->out, "<td class=\"n\">%s</td>",
                       l->measured || run->counted ? ts__count(a, l->instructions) : "-");
        number(page, l->dma_in_bytes);
        number(page, l->dma_out_bytes);
        number(page, l->l3_read_bytes);
        number(page, l->l3_write_bytes);
        ts_text_printf(page->out, "<td class=\"n\">%s</td>",
                       l->measured ? ts__joule_text(a, l->energy_uj) : "-");
        for (uint32_t k = 0; k < TS__ENERGY_PARTS; k++) {
            decimal(page, l->measured && l->energy_uj > 0,
                    100 * l->energy_parts_uj[k] / (l->energy_uj > 0 ? l->energy_uj : 1), 0, " %");
        }
        ts_text_add(page->out, "</tr>\n");
    }
    close_table(page);
}

static void write_buffer(const ts__page *page, const ts__l1_buffer *b) {
    if (b->count == 0 || b->bytes == 0) {
        ts_text_add(page->out, "<td class=\"n\">-</td>");
    } else {
        ts_text_printf(page->out, "<td class=\"n\">%s%s</td>", b->count > 1 ? "2 &#215; " : "",
                       ts__count(page->run->arena, b->bytes));
    }
}

static void write_tiles(const ts__page *page) {
    static const char *const heads[] = {
        "Layer", "Tile of output", "Tile of input", "Tiles",     "Runs fastest", "#x", "#x2", "#weights",
        "#y",    "#scratch",       "#L1",           "#L2 alive", "L3",           NULL};
    const ts_report_run *run = page->run;
    ts_arena *a = run->arena;
    open_table(page, "Tiles: sizes are rows &#215; columns &#215; channels; 2 &#215; is a double buffer",
               heads);
    for (uint32_t i = 0; i < run->layer_count; i++) {
        const ts__layer *l = &run->layers[i];
        ts_text_add(page->out, "<tr>");
        head_cell(page, i);
        ts_text_printf(
            page->out,
            "<td>%" PRIu64 "&#215;%" PRIu64 "&#215;%" PRIu64 "</td><td>%" PRIu64 "&#215;%" PRIu64
            "&#215;%" PRIu64 "</td><td>%" PRIu64 "&#215;%" PRIu64 "&#215;%" PRIu64 "</td><td>%s</td>",
            l->tile_h, l->tile_w, l->tile_c, l->tile_x_h, l->tile_x_w, l->tile_x_c, l->tiles[0], l->tiles[1],
            l->tiles[2], strcmp(l->order, "channels-inner") == 0 ? "channels" : "pixels");
        for (uint32_t k = 0; k < 5; k++) {
            write_buffer(page, &l->l1[k]);
        }
        number(page, l->l1_bytes);
        number(page, l->l2_bytes);
        ts_text_add(page->out, "<td>");
        if (l->chunks > 1) {
            ts_text_printf(page->out, "%" PRIu64 " chunks of %" PRIu64 " channels ", l->chunks, l->chunk_c);
        }
        if (l->stripes > 1) {
            ts_text_printf(page->out, "%" PRIu64 " stripes of %" PRIu64 " rows ", l->stripes, l->stripe_h);
        }
        if (l->weights_bytes > 0 && l->chunks <= 1) {
            ts_text_printf(page->out, "weights (%s) from layer %" PRIu64, ts__bytes_text(a, l->weights_bytes),
                           l->load_at);
        }
        ts_text_add(page->out, "</td></tr>\n");
    }
    close_table(page);
}

void ts__write_tables(const ts__page *page) {
    ts__section(page, "layers", "Layers", NULL);
    write_layers(page);
    write_traffic(page);
    ts__section_end(page);
    ts__section(page, "tiles", "Tiles",
                "How each layer is cut, so that a tile with its buffers fits L1, and what waits in L3.");
    write_tiles(page);
    ts__section_end(page);
}
