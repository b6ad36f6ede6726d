/* Roofline and distance to the ceilings. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "report/internal.h"

enum { LEFT = 60, TOP = 14, WIDTH = 660, HEIGHT = 380, NAME_W = 190, BAR_W = 640, PITCH = 20, BAR_H = 14 };

/* Logarithmic axes. */
typedef struct axes {
    double x_low, x_high, y_low, y_high;
} axes;

static double x_of(const axes *a, double x) {
    double t = log(x / a->x_low) / log(a->x_high / a->x_low);
    return LEFT + WIDTH * (t < 0 ? 0 : t > 1 ? 1 : t);
}

static double y_of(const axes *a, double y) {
    double t = log(y / a->y_low) / log(a->y_high / a->y_low);
    return TOP + HEIGHT * (1 - (t < 0 ? 0 : t > 1 ? 1 : t));
}

/* The two directions of the DMA work at the same time: the busier one counts. */
static double dma_intensity(const ts__layer *l) {
    uint64_t bytes = l->dma_in_bytes > l->dma_out_bytes ? l->dma_in_bytes : l->dma_out_bytes;
    return bytes == 0 ? 0 : (double)l->macs / (double)bytes;
}

/* By what the layer itself needs, whenever it was loaded. */
static double l3_intensity(const ts__layer *l) {
    uint64_t bytes = l->own_l3_bytes;
    return bytes == 0 ? 0 : (double)l->macs / (double)bytes;
}

static axes find_axes(const ts_report_run *run) {
    axes a = {0.25, 64, 0.125, 64};
    for (uint32_t i = 0; i < run->layer_count; i++) {
        double x[] = {dma_intensity(&run->layers[i]), l3_intensity(&run->layers[i])};
        double y = ts__mac_per_cycle(run->layers[i].macs, run->layers[i].cycles);
        for (uint32_t k = 0; k < 2; k++) {
            a.x_low = x[k] > 0 && x[k] < a.x_low ? x[k] / 1.5 : a.x_low;
            a.x_high = x[k] > a.x_high ? x[k] * 1.5 : a.x_high;
        }
        a.y_low = y > 0 && y < a.y_low ? y / 1.5 : a.y_low;
        a.y_high = y > a.y_high ? y * 1.5 : a.y_high;
    }
    return a;
}

static void write_grid(const ts__page *page, const axes *a) {
    for (double x = pow(2, ceil(log2(a->x_low))); x <= a->x_high; x *= 4) {
        ts_text_printf(page->out,
                       "<path class=\"grid\" d=\"M%.1f %dv%d\"/><text class=\"tick\" x=\"%.1f\" y=\"%d\" "
                       "text-anchor=\"middle\">%g</text>\n",
                       x_of(a, x), TOP, HEIGHT, x_of(a, x), TOP + HEIGHT + 16, x);
    }
    for (double y = pow(2, ceil(log2(a->y_low))); y <= a->y_high; y *= 2) {
        ts_text_printf(page->out,
                       "<path class=\"grid\" d=\"M%d %.1fh%d\"/><text class=\"tick\" x=\"%d\" y=\"%.1f\" "
                       "text-anchor=\"end\">%g</text>\n",
                       LEFT, y_of(a, y), WIDTH, LEFT - 6, y_of(a, y) + 4, y);
    }
    ts_text_printf(
        page->out,
        "<text class=\"tick\" x=\"%d\" y=\"%d\" text-anchor=\"middle\">MAC per byte moved</text><text "
        "class=\"tick\" transform=\"translate(14 %d) rotate(-90)\" text-anchor=\"middle\">MAC per "
        "cycle</text>\n",
        LEFT + WIDTH / 2, TOP + HEIGHT + 34, TOP + HEIGHT / 2);
}

static void write_roof(const ts__page *page, const axes *a, double rate, double ceiling, const char *class_,
                       const char *name) {
    if (rate <= 0 || ceiling <= 0) {
        return;
    }
    double left = a->x_low, right = ceiling / rate;
    left = left * rate < a->y_low ? a->y_low / rate : left;
    if (right > left) {
        ts_text_printf(page->out,
                       "<path class=\"roof %s\" d=\"M%.1f %.1fL%.1f %.1f\"><title>%s: %.2f bytes a "
                       "cycle</title></path><text class=\"tick\" x=\"%.1f\" y=\"%.1f\">%s</text>\n",
                       class_, x_of(a, left), y_of(a, left * rate), x_of(a, right), y_of(a, ceiling), name,
                       rate, x_of(a, left) + 6, y_of(a, left * rate) - 14, name);
    }
}

static void write_ceiling(const ts__page *page, const axes *a, double ceiling, const char *name) {
    if (ceiling > 0) {
        ts_text_printf(page->out,
                       "<path class=\"roof\" d=\"M%d %.1fh%d\"><title>%s: %.1f MAC/cycle</title></path><text "
                       "class=\"tick\" x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%s, %.1f</text>\n",
                       LEFT, y_of(a, ceiling), WIDTH, name, ceiling, LEFT + WIDTH - 4, y_of(a, ceiling) - 5,
                       name, ceiling);
    }
}

static void write_points(const ts__page *page, const axes *a) {
    const ts_report_run *run = page->run;
    for (uint32_t i = 0; i < run->layer_count; i++) {
        const ts__layer *l = &run->layers[i];
        double y = ts__mac_per_cycle(l->macs, l->cycles), x = dma_intensity(l), x3 = l3_intensity(l);
        if (y > 0 && x > 0) {
            ts_text_printf(
                page->out,
                "<circle class=\"dot op-%s\" cx=\"%.1f\" cy=\"%.1f\" r=\"5\"><title>%u %s (%s): %.2f "
                "MAC/cycle at %.2f MAC a byte of the DMA</title></circle>\n",
                l->op, x_of(a, x), y_of(a, y), i, l->name, l->op, y, x);
        }
        if (y > 0 && x3 > 0) {
            ts_text_printf(
                page->out,
                "<rect class=\"square\" x=\"%.1f\" y=\"%.1f\" width=\"7\" height=\"7\"><title>%u %s "
                "(%s): %.2f MAC/cycle at %.2f MAC a byte of L3</title></rect>\n",
                x_of(a, x3) - 3.5, y_of(a, y) - 3.5, i, l->name, l->op, y, x3);
        }
    }
}

static void write_plot(const ts__page *page) {
    const ts_report_run *run = page->run;
    axes a = find_axes(run);
    double isa = ts__isa_ceiling(run);
    ts__chart(page, "roofline", "Roofline",
              "Speed of each layer against the work that it does for each byte; the "
              "table below has the figures.",
              LEFT + WIDTH + 10, TOP + HEIGHT + 42);
    write_grid(page, &a);
    write_roof(page, &a, (double)run->dma_bytes_per_cycle, isa > 0 ? isa : a.y_high, "dma", "DMA");
    write_roof(page, &a, run->l3_bytes_per_cycle, isa > 0 ? isa : a.y_high, "l3", "L3");
    write_ceiling(page, &a, isa, "instruction set");
    write_ceiling(page, &a, ts__kernel_ceiling(run), "kernel");
    write_points(page, &a);
    ts__chart_end(page);
    ts_text_add(
        page->out,
        "<ul class=\"legend\"><li><span class=\"key round op-conv\"></span>convolution</li><li><span "
        "class=\"key round op-dwconv\"></span>depthwise</li><li><span class=\"key round "
        "op-linear\"></span>linear</li><li><span class=\"key round op-add\"></span>others, by bytes of the "
        "DMA</li><li><span class=\"key k-square\"></span>the same layer, by bytes of L3</li></ul>\n<p "
        "class=\"note\">A square above "
        "the roof of L3 is a layer whose weights came while earlier layers ran.</p>\n");
}

static void write_line(const ts__page *page, double scale, double at, double height, const char *text) {
    if (at > 0) {
        ts_text_printf(page->out,
                       "<path class=\"limit\" d=\"M%.1f 16V%.0f\"/><text class=\"tick\" x=\"%.1f\" y=\"11\" "
                       "text-anchor=\"middle\">%s %.1f</text>\n",
                       NAME_W + at * scale, height, NAME_W + at * scale, text, at);
    }
}

static void write_distance(const ts__page *page) {
    const ts_report_run *run = page->run;
    double kernel = ts__kernel_ceiling(run), isa = ts__isa_ceiling(run), most = isa > 0 ? isa : 1;
    for (uint32_t i = 0; i < run->layer_count; i++) {
        double speed = ts__mac_per_cycle(run->layers[i].macs, run->layers[i].cycles);
        most = speed > most ? speed : most;
    }
    double scale = BAR_W / most, height = 20 + run->layer_count * PITCH;
    ts_text_add(page->out, "<h3>Distance to the ceilings</h3>\n");
    ts__chart(page, "distance", "Speed of each layer and the ceilings", "One bar a layer, in MAC/cycle.",
              NAME_W + BAR_W + 70, height + 6);
    for (uint32_t i = 0; i < run->layer_count; i++) {
        const ts__layer *l = &run->layers[i];
        double speed = ts__mac_per_cycle(l->macs, l->cycles), y = 20 + i * (double)PITCH;
        ts_text_printf(
            page->out,
            "<svg y=\"%.0f\" width=\"%d\" height=\"%d\"><text class=\"label\" x=\"10\" y=\"12\">%u %s"
            "</text></svg><g class=\"op-%s\"><title>%u %s: %.2f MAC/cycle",
            y, NAME_W - 8, PITCH, i, l->name, l->op, i, l->name, speed);
        if (kernel > 0) {
            ts_text_printf(page->out, ", %.0f %% of the kernel ceiling", 100 * speed / kernel);
        }
        ts_text_printf(
            page->out,
            "</title><rect class=\"load\" x=\"%d\" y=\"%.0f\" width=\"%.1f\" height=\"%d\"/></g><text "
            "class=\"tick\" x=\"%.1f\" y=\"%.0f\">%s</text>\n",
            NAME_W, y, speed * scale, BAR_H, NAME_W + speed * scale + 5, y + 11,
            l->macs > 0 ? ts_arena_printf(run->arena, "%.1f", speed) : "no MACs");
    }
    write_line(page, scale, kernel, height, "kernel");
    write_line(page, scale, isa, height, "instruction set");
    ts__chart_end(page);
}

void ts__write_roofline(const ts__page *page) {
    ts__section(
        page, "roofline", "Roofline",
        ts__isa_ceiling(page->run) > 0
            ? "How far each layer is from what the chip can do: the ceiling of the instruction set is four "
              "MACs a cycle and core (one SIMD dot product), that of the best inner loop two thirds of it, "
              "since sixteen dot products need eight loads."
            : "How far each layer is from what the memories allow. No ceiling of the cores is known for "
              "this target.");
    write_plot(page);
    write_distance(page);
    ts__section_end(page);
}
