/* Maps of the memories: bytes upwards, layers to the right, a box a buffer. */
#include <inttypes.h>
#include <string.h>

#include "report/internal.h"

enum { LEFT = 76, TOP = 12, BOTTOM = 26, WIDTH = 1000, MAP_H = 300 };

/* Pairs of buffers that are looked at, and those of them that are drawn. */
enum { MOST_PAIRS = 4000000, MOST_SHARED = 4096 };

/* Bytes that two buffers have in common in the layers in which both live: one follows the other there. */
typedef struct shared {
    uint32_t a, b;
    uint64_t first_layer, last_layer, offset, bytes;
} shared;

typedef TS_VEC(shared) shared_list;

typedef struct map {
    const ts__page *page;
    const ts_report_run *run;
    const char *name;
    double column; /* width of a layer */
    double bytes;  /* of the whole height */
} map;

static double y_of(const map *m, uint64_t offset) {
    double y = TOP + MAP_H * (1 - (double)offset / m->bytes);
    return y < TOP ? TOP : y;
}

static double x_of(const map *m, uint64_t layer) { return LEFT + (double)layer * m->column; }

static map open_map(const ts__page *page, const char *name, const char *title, uint64_t bytes) {
    const ts_report_run *run = page->run;
    double column = (double)(WIDTH - LEFT) / run->layer_count;
    map m = {page, run, name, column < 16 ? 16 : column, bytes > 0 ? (double)bytes : 1};
    ts__chart(page, name, title,
              "Bytes upwards, layers to the right in the order in which they run; a box is a "
              "buffer. The table below lists the buffers.",
              LEFT + m.column * run->layer_count + 10, TOP + MAP_H + BOTTOM);
    for (uint32_t i = 0; i <= 4; i++) {
        uint64_t at = (uint64_t)(m.bytes * i / 4);
        ts_text_printf(page->out,
                       "<path class=\"grid\" d=\"M%d %.1fH%.1f\"/><text class=\"tick\" x=\"%d\" y=\"%.1f\" "
                       "text-anchor=\"end\">%s</text>\n",
                       LEFT, y_of(&m, at), LEFT + m.column * run->layer_count, LEFT - 6, y_of(&m, at) + 4,
                       ts__bytes_text(run->arena, at));
    }
    ts_text_printf(
        page->out,
        "<defs><pattern id=\"%s%s-hatch\" width=\"7\" height=\"7\" patternUnits=\"userSpaceOnUse\" "
        "patternTransform=\"rotate(45)\"><path class=\"hatch\" d=\"M1 0V7\"/></pattern></defs>\n",
        page->id, name);
    uint32_t each = m.column < 22 ? 2 : 1;
    for (uint32_t i = 0; i < run->layer_count; i += each) {
        ts_text_printf(page->out,
                       "<text class=\"tick\" x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%u</text>\n",
                       x_of(&m, i) + m.column / 2, TOP + MAP_H + 16, i);
    }
    return m;
}

/* What the map shows: all that the memory offers, or a little more than what is used where that is less than
 * half. */
static uint64_t height_of(uint64_t used, uint64_t budget) {
    return used > budget ? used : used > 0 && used < budget / 2 ? used + used / 8 : budget;
}

static void write_offer(const ts__page *page, uint64_t used, uint64_t budget) {
    if (height_of(used, budget) < budget) {
        ts_text_printf(page->out,
                       "<p class=\"note\">The map shows the used part: %s of %s that are offered.</p>\n",
                       ts__bytes_text(page->run->arena, used), ts__bytes_text(page->run->arena, budget));
    }
}

static void write_limit(const map *m, uint64_t bytes, const char *text) {
    if (bytes > 0 && (double)bytes <= m->bytes) {
        ts_text_printf(m->page->out,
                       "<path class=\"limit\" d=\"M%d %.1fH%.1f\"><title>%s: %s bytes</title></path>\n", LEFT,
                       y_of(m, bytes), LEFT + m->column * m->run->layer_count, text,
                       ts__count(m->run->arena, bytes));
    }
}

/* A box with its title, and its name inside where there is room. */
static void write_box(const map *m, const char *class_, uint64_t first, uint64_t last, uint64_t offset,
                      uint64_t bytes, const char *name, const char *title) {
    double x = x_of(m, first), w = m->column * (double)(last - first + 1);
    double y = y_of(m, offset + bytes), h = y_of(m, offset) - y;
    ts_text_printf(m->page->out,
                   "<g class=\"buffer b-%s\"><title>%s</title><rect x=\"%.1f\" y=\"%.2f\" width=\"%.1f\" "
                   "height=\"%.2f\"/>",
                   class_, title, x + 0.5, y, w - 1, h < 0.5 ? 0.5 : h);
    if (h > 13 && w > 34) {
        ts_text_printf(m->page->out,
                       "<svg x=\"%.1f\" y=\"%.2f\" width=\"%.1f\" height=\"%.2f\"><text x=\"4\" y=\"%.1f\">%s"
                       "</text></svg>",
                       x + 1, y, w - 4, h, h / 2 + 4, name);
    }
    ts_text_add(m->page->out, "</g>\n");
}

/* Hatched: the box lies over two others. */
static void write_shared(const map *m, uint64_t first, uint64_t last, uint64_t offset, uint64_t bytes,
                         const char *title) {
    double x = x_of(m, first), w = m->column * (double)(last - first + 1);
    double y = y_of(m, offset + bytes), h = y_of(m, offset) - y;
    ts_text_printf(m->page->out,
                   "<g class=\"shared\"><title>%s</title><rect x=\"%.1f\" y=\"%.2f\" width=\"%.1f\" "
                   "height=\"%.2f\" fill=\"url(#%s%s-hatch)\"/></g>\n",
                   title, x + 0.5, y, w - 1, h < 0.5 ? 0.5 : h, m->page->id, m->name);
}

static const char *life_text(const ts_report_run *run, const ts__buffer *b) {
    return b->first_layer == b->last_layer
               ? ts_arena_printf(run->arena, "layer %" PRIu64, b->first_layer)
               : ts_arena_printf(run->arena, "layers %" PRIu64 " to %" PRIu64, b->first_layer, b->last_layer);
}

static const char *buffer_name(const ts_report_run *run, const ts__buffer *b) {
    if (b->tensor[0] != 0) {
        return b->tensor;
    }
    const char *layer = b->layer < run->layer_count ? run->layers[b->layer].name : "";
    return ts_arena_printf(run->arena, "%s of %s", b->role, layer);
}

static const char *buffer_title(const ts_report_run *run, const ts__buffer *b) {
    return ts_arena_printf(run->arena, "%s (%s): %s bytes at %s, alive in %s", buffer_name(run, b), b->role,
                           ts__count(run->arena, b->bytes), ts__count(run->arena, b->offset),
                           life_text(run, b));
}

static uint64_t greater(uint64_t a, uint64_t b) { return a > b ? a : b; }
static uint64_t lesser(uint64_t a, uint64_t b) { return a < b ? a : b; }

/* What buffers of a memory have in common: outputs that lie over the inputs that they are made of, and chunks
 * of weights that come when others have been used. */
static shared_list find_shared(const ts_report_run *run, bool l3) {
    shared_list list = {0};
    uint32_t pairs = 0;
    for (uint32_t i = 0; i < run->buffer_count; i++) {
        const ts__buffer *a = &run->buffers[i];
        for (uint32_t k = 0; a->in_l3 == l3 && k < i && pairs < MOST_PAIRS && list.count < MOST_SHARED; k++) {
            const ts__buffer *b = &run->buffers[k];
            uint64_t offset = greater(a->offset, b->offset),
                     end = lesser(a->offset + a->bytes, b->offset + b->bytes);
            shared s = {k,
                        i,
                        greater(a->first_layer, b->first_layer),
                        lesser(a->last_layer, b->last_layer),
                        offset,
                        end > offset ? end - offset : 0};
            pairs++;
            if (b->in_l3 == l3 && s.bytes > 0 && s.first_layer <= s.last_layer) {
                TS_PUSH(run->arena, &list, s);
            }
        }
    }
    return list;
}

static void write_all_shared(const map *m, const shared_list *list) {
    const ts_report_run *run = m->run;
    for (uint32_t i = 0; i < list->count; i++) {
        const shared *s = &list->data[i];
        const char *title =
            ts_arena_printf(run->arena, "%s bytes that %s and %s use one after the other in layer %" PRIu64,
                            ts__count(run->arena, s->bytes), buffer_name(run, &run->buffers[s->a]),
                            buffer_name(run, &run->buffers[s->b]), s->first_layer);
        write_shared(m, s->first_layer, s->last_layer, s->offset, s->bytes, title);
    }
}

/* "1,024 bytes with NAME" of a buffer, "" where it has its bytes alone. */
static const char *shared_text(const ts_report_run *run, const shared_list *list, uint32_t buffer) {
    ts_text text = {.arena = run->arena};
    ts_text_add(&text, "");
    for (uint32_t i = 0; i < list->count; i++) {
        const shared *s = &list->data[i];
        if (s->a == buffer || s->b == buffer) {
            ts_text_printf(&text, "%s%s bytes with %s", text.size > 0 ? "; " : "",
                           ts__count(run->arena, s->bytes),
                           buffer_name(run, &run->buffers[s->a == buffer ? s->b : s->a]));
        }
    }
    return text.data;
}

static void write_buffer_table(const ts__page *page, bool l3, const shared_list *list) {
    const ts_report_run *run = page->run;
    const char *name = l3 ? ts__store_name(run) : ts__home_name(run);
    ts_text_printf(
        page->out,
        "<details><summary>Table: buffers of %s</summary><div class=\"wide\"><table>\n<caption>Buffers "
        "of %s</caption><thead><tr><th scope=\"col\">Buffer</th><th scope=\"col\">Holds</th><th "
        "scope=\"col\" class=\"n\">Offset</th><th scope=\"col\" class=\"n\">Bytes</th><th "
        "scope=\"col\">Alive</th><th scope=\"col\">Shares</th></tr></thead>\n<tbody>\n",
        name, name);
    for (uint32_t i = 0; i < run->buffer_count; i++) {
        const ts__buffer *b = &run->buffers[i];
        if (b->in_l3 == l3) {
            ts_text_printf(page->out,
                           "<tr><th scope=\"row\">%s</th><td>%s</td><td class=\"n\">%s</td><td "
                           "class=\"n\">%s</td><td>%s</td><td>%s</td></tr>\n",
                           buffer_name(run, b), b->role, ts__count(run->arena, b->offset),
                           ts__count(run->arena, b->bytes), life_text(run, b), shared_text(run, list, i));
        }
    }
    for (uint32_t i = 0; l3 && i < run->layer_count; i++) {
        const ts__layer *l = &run->layers[i];
        if (l->weights_bytes > 0) {
            ts_text_printf(page->out,
                           "<tr><th scope=\"row\">image of %s</th><td>weights</td><td class=\"n\">%s</td><td "
                           "class=\"n\">%s</td><td>always; read from layer %" PRIu64
                           " on</td><td></td></tr>\n",
                           l->name, ts__count(run->arena, l->weights_offset),
                           ts__count(run->arena, l->weights_bytes), l->load_at);
        }
    }
    ts_text_add(page->out, "</tbody></table></div></details>\n");
}

static const struct {
    const char *name, *class_, *what;
} l1_parts[] = {{"x", "activation", "input"},
                {"x2", "second", "second input"},
                {"w", "weights", "weights"},
                {"y", "output", "output"},
                {"scratch", "stripe", "scratch of the kernel"}};

static void write_l1(const ts__page *page) {
    const ts_report_run *run = page->run;
    uint64_t all = height_of(run->l1_used, run->l1_budget);
    if (ts__one_memory(run)) {
        return;
    }
    ts_text_add(page->out, "<h3>L1: tiles</h3>\n");
    map m = open_map(page, "l1", "Map of L1", all);
    for (uint32_t i = 0; i < run->layer_count; i++) {
        for (uint32_t k = 0; k < 5; k++) {
            const ts__l1_buffer *b = &run->layers[i].l1[k];
            for (uint32_t copy = 0; copy < 2 && copy < b->count && b->bytes > 0; copy++) {
                const char *title = ts_arena_printf(
                    run->arena, "%u %s: %s%s, %s bytes at %s", i, run->layers[i].name, l1_parts[k].what,
                    b->count > 1 ? (copy == 0 ? ", first of two" : ", second of two") : "",
                    ts__count(run->arena, b->bytes), ts__count(run->arena, b->offsets[copy]));
                write_box(&m, l1_parts[k].class_, i, i, b->offsets[copy], b->bytes, l1_parts[k].name, title);
            }
        }
    }
    write_limit(&m, run->l1_budget, "L1 for tiles");
    ts__chart_end(page);
    write_offer(page, run->l1_used, run->l1_budget);
    ts_text_add(page->out, "<ul class=\"legend\">");
    for (uint32_t k = 0; k < 5; k++) {
        ts_text_printf(page->out, "<li><span class=\"key b-%s\"></span>%s</li>", l1_parts[k].class_,
                       l1_parts[k].what);
    }
    ts_text_add(page->out, "</ul>\n");
}

static void write_buffers(const map *m, bool l3) {
    for (uint32_t i = 0; i < m->run->buffer_count; i++) {
        const ts__buffer *b = &m->run->buffers[i];
        if (b->in_l3 == l3) {
            const char *class_ = strcmp(b->role, "weights") == 0  ? "weights"
                                 : strcmp(b->role, "stripe") == 0 ? "stripe"
                                                                  : "activation";
            write_box(m, class_, b->first_layer, b->last_layer, b->offset, b->bytes, buffer_name(m->run, b),
                      buffer_title(m->run, b));
        }
    }
}

/* Bytes that are alive while each layer runs. */
static void write_live(const map *m) {
    ts_text_add(m->page->out, "<path class=\"live\" d=\"");
    for (uint32_t i = 0; i < m->run->layer_count; i++) {
        double y = y_of(m, m->run->layers[i].l2_bytes);
        ts_text_printf(m->page->out, "%c%.1f %.1fH%.1f", i == 0 ? 'M' : 'L', x_of(m, i), y, x_of(m, i + 1));
    }
    ts_text_add(m->page->out, "\"><title>bytes that are alive</title></path>\n");
}

static void write_l2(const ts__page *page) {
    const ts_report_run *run = page->run;
    ts_arena *a = run->arena;
    uint64_t all = height_of(run->l2_used, run->l2_budget);
    const char *name = ts__home_name(run);
    ts_text_printf(page->out, "<h3>%s: activations%s</h3>\n", name,
                   ts__store_name(run)[0] == 'L' ? " and weights" : "");
    const shared_list list = find_shared(run, false);
    map m = open_map(page, "l2", ts_arena_printf(a, "Map of %s", name), all);
    write_buffers(&m, false);
    write_all_shared(&m, &list);
    write_live(&m);
    write_limit(&m, run->l2_budget, ts_arena_printf(a, "%s for buffers", name));
    ts__chart_end(page);
    write_offer(page, run->l2_used, run->l2_budget);
    ts_text_printf(
        page->out,
        "<ul class=\"legend\"><li><span class=\"key b-activation\"></span>activations</li>%s<li><span "
        "class=\"key k-shared\"></span>bytes that two buffers use one after the other within a "
        "layer</li><li><span class=\"key k-live\"></span>bytes alive</li></ul>\n<p class=\"note\">Used %s "
        "bytes. Bidirectional stack %s, search %s, lower bound (most bytes alive at once) %s.</p>\n",
        ts__store_name(run)[0] == 'L' ? "<li><span class=\"key b-weights\"></span>weights</li><li><span "
                                        "class=\"key b-stripe\"></span>stripes of what lives in L3</li>"
                                      : "",
        ts__count(a, run->l2_used), ts__count(a, run->l2_stack_bytes), ts__count(a, run->l2_search_bytes),
        ts__count(a, run->l2_bound_bytes));
    write_buffer_table(page, false, &list);
}

static void write_l3(const ts__page *page) {
    const ts_report_run *run = page->run;
    const char *store = ts__store_name(run);
    ts_text_printf(page->out, "<h3>%s: weights of all layers</h3>\n", store);
    if (run->l3_used == 0) {
        ts_text_printf(page->out, "<p class=\"note\">Nothing lives in %s.</p>\n", store);
        return;
    }
    const shared_list list = find_shared(run, true);
    map m = open_map(page, "l3", ts_arena_printf(run->arena, "Map of %s", store), run->l3_used);
    for (uint32_t i = 0; i < run->layer_count; i++) {
        const ts__layer *l = &run->layers[i];
        if (l->weights_bytes == 0) {
            continue;
        }
        const char *name = ts_arena_printf(run->arena, "weights of %u %s", i, l->name);
        const char *title = ts_arena_printf(
            run->arena, "%s: %s bytes at %s; loaded while layers %" PRIu64 " to %u run", name,
            ts__count(run->arena, l->weights_bytes), ts__count(run->arena, l->weights_offset), l->load_at, i);
        write_box(&m, "image", 0, run->layer_count - 1, l->weights_offset, l->weights_bytes, name, title);
        if (l->load_at <= i) {
            write_box(&m, "weights", l->load_at, i, l->weights_offset, l->weights_bytes, "", title);
        }
    }
    write_buffers(&m, true);
    write_all_shared(&m, &list);
    ts__chart_end(page);
    ts_text_printf(
        page->out,
        "<ul class=\"legend\"><li><span class=\"key b-image\"></span>weights, at rest</li><li><span "
        "class=\"key b-weights\"></span>weights, %s</li>%s</ul>\n",
        *store == 'L' ? "from when they are loaded until their layer" : "while their layer runs",
        *store == 'L' ? "<li><span class=\"key b-activation\"></span>activations</li>" : "");
    write_buffer_table(page, true, &list);
}

void ts__write_memory(const ts__page *page) {
    ts__section(
        page, "memory", "Memory over time",
        "Each box is a buffer: its bytes upwards, its life to the right. Hatched: bytes that two buffers use "
        "one after the other within a layer (an output over its input, weights that come in chunks). The "
        "dashed line is what the memory offers.");
    write_l1(page);
    write_l2(page);
    write_l3(page);
    ts__section_end(page);
}
