#include <inttypes.h>
#include <string.h>

#include "report/internal.h"

static double share(uint64_t part, uint64_t whole) {
    return whole == 0 ? 0 : 100.0 * (double)part / (double)whole;
}

static uint32_t verified_layers(const ts_report_run *run) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < run->layer_count; i++) {
        count += run->layers[i].verified;
    }
    return count;
}

static void write_verdict(const ts__page *page) {
    const ts_report_run *run = page->run;
    if (!run->has_run) {
        ts_text_add(page->out,
                    "<p class=\"verdict open\"><strong>Fits.</strong> A plan that has not been run: all "
                    "cycles are modelled, nothing has been verified.</p>\n");
        return;
    }
    if (run->verified) {
        uint32_t golden = 0;
        for (uint32_t i = 0; i < run->layer_count; i++) {
            golden += run->layers[i].golden[0] == 'e';
        }
        ts_text_printf(page->out,
                       "<p class=\"verdict good\"><strong>&#10003; Fits and verified.</strong> All %u layers "
                       "equal the integer reference bit for bit in %" PRIu64 " sample%s",
                       run->layer_count, run->samples, run->samples == 1 ? "" : "s");
        if (golden > 0) {
            ts_text_printf(page->out, "; %u also equal the golden files", golden);
        }
        ts_text_add(page->out, ".</p>\n");
        return;
    }
    ts_text_printf(page->out,
                   "<p class=\"verdict bad\"><strong>&#10007; Not verified.</strong> %u of %u layers "
                   "differ from the reference or the golden; do not ship this program.</p>\n",
                   run->layer_count - verified_layers(run), run->layer_count);
}

static void card(const ts__page *page, const char *what, const char *value, const char *detail) {
    ts_text_printf(page->out,
                   "<div class=\"card\"><dt>%s</dt><dd><span class=\"value\">%s</span><span "
                   "class=\"detail\">%s</span></dd></div>\n",
                   what, value, detail);
}

/* Measured on the integers by eval, or by quantize as it evaluated its last stage. */
static void write_accuracy(const ts__page *page) {
    const ts_report_run *run = page->run;
    const ts__accuracy *a = &run->accuracy;
    const ts__accuracy *last = run->stage_count > 0 ? &run->stages[run->stage_count - 1] : NULL;
    bool integers = last != NULL && strcmp(last->kind, "id") == 0;
    if (a->kind != NULL) {
        const char *where =
            ts_arena_printf(run->arena, "%s network, %s samples", a->kind, ts__count(run->arena, a->samples));
        if (a->top1 >= 0) {
            card(page, "Accuracy, top-1", ts_arena_printf(run->arena, "%.2f %%", 100 * a->top1), where);
        } else if (a->auc >= 0) {
            card(page, "Area under the curve", ts_arena_printf(run->arena, "%.4f", a->auc), where);
        } else if (a->mean_square >= 0) {
            card(page, "Mean square error", ts_arena_printf(run->arena, "%.6g", a->mean_square), where);
        }
    } else if (integers) {
        card(page, "Accuracy, top-1", ts_arena_printf(run->arena, "%.2f %%", 100 * last->top1),
             run->stages[0].kind[1] == 'p'
                 ? ts_arena_printf(run->arena, "float: %.2f %%", 100 * run->stages[0].top1)
                 : "");
    }
}

/* What is known of a program that QEMU executed. */
static void write_counted(const ts__page *page) {
    const ts_report_run *run = page->run;
    ts_arena *a = run->arena;
    if (run->estimated && run->clock_hz > 0) {
        double seconds = (double)run->cycles / run->clock_hz;
        const char *how =
            ts_arena_printf(a, "an estimate by class of instruction, at %.0f MHz", run->clock_hz * 1e-6);
        card(page, "Time of an inference", ts__seconds_text(a, seconds), how);
        card(page, "Frames a second", ts_arena_printf(a, "%.1f", seconds > 0 ? 1 / seconds : 0), "estimated");
    }
    card(page, "Instructions", ts_arena_printf(a, "%.2f M", (double)run->instructions * 1e-6),
         ts_arena_printf(a, "%s, counted one by one; %.2f a MAC", ts__count(a, run->instructions),
                         run->macs > 0 ? (double)run->instructions / (double)run->macs : 0));
    if (run->program_flash_bytes > 0) {
        card(page, "RAM of the program", ts__bytes_text(a, run->program_ram_bytes),
             ts_arena_printf(a, "stack included; with code and weights it takes %s of flash",
                             ts__bytes_text(a, run->program_flash_bytes)));
    }
}

static void write_cards(const ts__page *page) {
    const ts_report_run *run = page->run;
    ts_arena *a = run->arena;
    const char *kind = ts__cycles_kind(run);
    ts_text_add(page->out, "<dl class=\"cards\">\n");
    if (run->point_count > 0) {
        const ts__point *p = &run->points[0], *q = &run->points[run->point_count - 1];
        bool two = run->point_count > 1;
        card(page, "Time of an inference", ts__seconds_text(a, p->seconds),
             two ? ts_arena_printf(a, "%s at %s", ts__seconds_text(a, q->seconds), q->name) : p->name);
        card(page, "Frames a second", ts_arena_printf(a, "%.1f", p->seconds > 0 ? 1 / p->seconds : 0),
             two ? ts_arena_printf(a, "%.1f at %s", q->seconds > 0 ? 1 / q->seconds : 0, q->name) : p->name);
        card(page, "Energy of an inference", ts__joule_text(a, p->energy_uj),
             two ? ts_arena_printf(a, "%s at %s (estimates)", ts__joule_text(a, q->energy_uj), q->name)
                 : "estimate");
    }
    if (run->counted && !run->measured) {
        write_counted(page);
    }
    write_accuracy(page);
    double speed = ts__mac_per_cycle(run->macs, run->cycles), ceiling = ts__kernel_ceiling(run);
    card(page, *kind == '\0' ? "MACs a cycle" : ts_arena_printf(a, "MACs a cycle (%s)", kind),
         ts_arena_printf(a, "%.2f", speed),
         ceiling > 0
             ? ts_arena_printf(a, "%.0f %% of the kernel ceiling of %.1f", 100 * speed / ceiling, ceiling)
             : "");
    card(page, "Work", ts_arena_printf(a, "%.1f M MAC", (double)run->macs * 1e-6),
         ts_arena_printf(a, "%s cycles%s%s", ts__count(a, run->cycles), *kind == '\0' ? "" : ", ", kind));
    ts_text_add(page->out, "</dl>\n");
}

static void meter(const ts__page *page, const char *name, uint64_t used, uint64_t of, const char *what) {
    ts_arena *a = page->run->arena;
    double percent = share(used, of);
    ts_text_printf(page->out,
                   "<tr><th scope=\"row\">%s</th><td class=\"n\">%s</td><td class=\"n\">%s</td><td "
                   "class=\"bar\"><span class=\"track\"><span class=\"fill%s\" style=\"width:%.1f%%\"></span>"
                   "</span></td><td class=\"n\">%.0f %%</td><td>%s</td></tr>\n",
                   name, ts__bytes_text(a, used), of > 0 ? ts__bytes_text(a, of) : "-",
                   percent > 100 ? " over" : "", percent > 100 ? 100 : percent, percent, what);
}

static void write_memories(const ts__page *page) {
    const ts_report_run *run = page->run;
    ts_text_add(page->out,
                "<h3>Memory</h3>\n<div class=\"wide\"><table>\n<caption class=\"hidden\">Memory: used and "
                "available</caption><thead><tr><th scope=\"col\">Memory</th><th "
                "scope=\"col\" "
                "class=\"n\">Used</th><th scope=\"col\" class=\"n\">Available</th><th scope=\"col\">"
                "<span class=\"hidden\">Bar</span></th><th scope=\"col\" class=\"n\">Share</th><th "
                "scope=\"col\">What is in it</th></tr></thead>\n<tbody>\n");
    bool flat = ts__one_memory(run), flash = ts__store_name(run)[0] == 'F';
    if (!flat) {
        meter(page, "L1", run->l1_used, run->l1_budget, "tiles of the layer that runs; stacks are apart");
    }
    meter(page, ts__home_name(run), run->l2_used, run->l2_budget,
          flat    ? "activations, and what kernels need beside them; the stack is apart"
          : flash ? "activations"
                  : "activations, and weights as early as there is room; code and stacks are apart");
    meter(page, ts__store_name(run), run->l3_used, run->l3_budget > 0 ? run->l3_budget : run->l3_size,
          flash ? "weights of all layers; code is apart"
                : "weights of all layers, and activations that do not fit L2");
    ts_text_add(page->out, "</tbody></table></div>\n");
}

static void write_points(const ts__page *page) {
    const ts_report_run *run = page->run;
    ts_arena *a = run->arena;
    if (run->point_count == 0) {
        return;
    }
    ts_text_add(
        page->out,
        "<h3>Operating points</h3>\n<div class=\"wide\"><table>\n<caption class=\"hidden\">Speed and energy "
        "at each operating point</caption><thead><tr><th scope=\"col\">Point</th><th "
        "scope=\"col\" class=\"n\">Clock</th><th scope=\"col\" class=\"n\">Time</th><th scope=\"col\" "
        "class=\"n\">Frames/s</th><th scope=\"col\" class=\"n\">Energy</th><th scope=\"col\" "
        "class=\"n\">Power</th><th scope=\"col\" class=\"n\">GMAC/s</th><th scope=\"col\" "
        "class=\"n\">GMAC/s/W</th></tr></thead>\n<tbody>\n");
    for (uint32_t i = 0; i < run->point_count; i++) {
        const ts__point *p = &run->points[i];
        double seconds = p->seconds > 0 ? p->seconds : 1, rate = (double)run->macs / seconds * 1e-9;
        double watts = p->energy_uj * 1e-6 / seconds;
        ts_text_printf(page->out,
                       "<tr><th scope=\"row\">%s</th><td class=\"n\">%.0f MHz</td><td class=\"n\">%s</td><td "
                       "class=\"n\">%.1f</td><td class=\"n\">%s</td><td class=\"n\">%.1f mW</td><td "
                       "class=\"n\">%.2f</td><td class=\"n\">%.1f</td></tr>\n",
                       p->name, p->hz * 1e-6, ts__seconds_text(a, p->seconds), 1 / seconds,
                       ts__joule_text(a, p->energy_uj), watts * 1e3, rate, watts > 0 ? rate / watts : 0);
    }
    ts_text_add(
        page->out,
        "</tbody></table></div>\n<p class=\"note\">Cycles were simulated at the default clocks and are taken "
        "to be the same at each point; energy is estimated from activity.</p>\n");
}

/* Index of the layer with most cycles among those below `below` cycles (or equal with a higher index). */
static void heaviest(const ts_report_run *run, uint32_t *top, uint32_t wanted) {
    for (uint32_t n = 0; n < wanted; n++) {
        top[n] = UINT32_MAX;
        for (uint32_t i = 0; i < run->layer_count; i++) {
            bool taken = false;
            for (uint32_t k = 0; k < n; k++) {
                taken = taken || top[k] == i;
            }
            if (!taken && (top[n] == UINT32_MAX || run->layers[i].cycles > run->layers[top[n]].cycles)) {
                top[n] = i;
            }
        }
    }
}

static void write_heaviest(const ts__page *page) {
    const ts_report_run *run = page->run;
    uint32_t top[3], wanted = run->layer_count < 3 ? run->layer_count : 3;
    heaviest(run, top, wanted);
    ts_text_add(page->out, "<h3>Where the time goes</h3>\n<ol class=\"top\">\n");
    for (uint32_t n = 0; n < wanted; n++) {
        const ts__layer *l = &run->layers[top[n]];
        ts_text_printf(
            page->out,
            "<li><a href=\"#%slayer-%u\">%u %s</a> (%s): %.1f %% of the cycles, %.1f %% of the MACs",
            page->id, top[n], top[n], l->name, l->op, share(l->cycles, run->cycles),
            share(l->macs, run->macs));
        if (l->macs > 0) {
            ts_text_printf(page->out, ", %.2f MAC/cycle", ts__mac_per_cycle(l->macs, l->cycles));
        }
        ts_text_add(page->out, "</li>\n");
    }
    ts_text_add(page->out, "</ol>\n");
}

static void write_fallbacks(const ts__page *page) {
    const ts_report_run *run = page->run;
    uint32_t count = 0;
    for (uint32_t i = 0; i < run->layer_count; i++) {
        const char *ref = strstr(run->layers[i].kernel, "_ref");
        count += ref != NULL && (ref[4] == '\0' || ref[4] == '_');
    }
    if (count > 0 && ts__isa_ceiling(run) > 0) {
        ts_text_printf(page->out,
                       "<p class=\"note\">%u of %u layers run on portable <code>ref</code> kernels, since no "
                       "optimised one serves them.</p>\n",
                       count, run->layer_count);
    }
}

void ts__write_summary(const ts__page *page) {
    ts__section(page, "summary", "Summary", NULL);
    write_verdict(page);
    write_cards(page);
    write_memories(page);
    write_points(page);
    write_heaviest(page);
    write_fallbacks(page);
    ts__section_end(page);
}
