/* The plot of a sweep: one figure over one axis, a line for each combination of the others. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "report/internal.h"
#include "report/sweep.h"

enum {
    LEFT = 84,
    TOP = 46,
    WIDTH = 620,
    HEIGHT = 360,
    LEGEND = 230,
    BOTTOM = 62,
    LABEL_GAP = 30,
    MAX_LINES = 24
};

static const char *const colours[] = {"#1b6ca8", "#d1495b", "#2e8b57", "#b8860b",
                                      "#6a4c93", "#00798c", "#8d5524", "#5c5c5c"};
enum { COLOURS = sizeof colours / sizeof colours[0] };

typedef struct plot {
    ts_text *out;
    const json_t *axes, *points;
    const char *x_key, *y_key;
    const json_t *x_values;
    bool by_place; /* values that are no numbers stand side by side */
    bool logarithmic;
    double x_low, x_high, y_low, y_high, y_step;
} plot;

static const char *escaped(const plot *p, const char *text) { return ts__html_escape(p->out->arena, text); }

static const char *value_text(const plot *p, const char *key, const json_t *value) {
    json_int_t bytes = json_integer_value(value);
    bool size = strcmp(key, "l1") == 0 || strcmp(key, "l2") == 0 || strstr(key, "_bytes") != NULL;
    if (json_is_integer(value) && size && bytes > 0 && bytes % 1024 == 0) {
        return ts_arena_printf(p->out->arena, "%lld KiB", (long long)bytes / 1024);
    }
    if (json_is_number(value)) {
        return ts_arena_printf(p->out->arena, "%.10g", json_number_value(value));
    }
    if (json_is_string(value)) {
        return escaped(p, json_string_value(value));
    }
    return json_is_boolean(value) ? (json_is_true(value) ? "yes" : "no") : "";
}

/* Position of a value on the x axis before scaling. */
static double x_number(const plot *p, const json_t *value) {
    if (p->by_place) {
        for (size_t i = 0; i < json_array_size(p->x_values); i++) {
            if (json_equal(json_array_get(p->x_values, i), value)) {
                return (double)i;
            }
        }
    }
    double number = json_number_value(value);
    return p->logarithmic ? log2(number) : number;
}

static double x_at(const plot *p, double number) {
    double span = p->x_high - p->x_low;
    return LEFT + 12 + (span > 0 ? (number - p->x_low) / span : 0.5) * (WIDTH - 24);
}

static double y_at(const plot *p, double value) {
    return TOP + HEIGHT * (1 - (value - p->y_low) / (p->y_high - p->y_low));
}

static void find_x_range(plot *p) {
    double least = INFINITY, most = -INFINITY;
    for (size_t i = 0; i < json_array_size(p->x_values); i++) {
        const json_t *value = json_array_get(p->x_values, i);
        p->by_place |= !json_is_number(value);
        least = fmin(least, json_number_value(value));
        most = fmax(most, json_number_value(value));
    }
    p->logarithmic = !p->by_place && least > 0 && most >= 4 * least;
    p->x_low = p->by_place ? 0 : p->logarithmic ? log2(least) : least;
    p->x_high = p->by_place ? (double)json_array_size(p->x_values) - 1 : p->logarithmic ? log2(most) : most;
}

/* A step of 1, 2 or 5 times a power of ten gives four to nine lines; zero is shown where it is near. */
static void find_y_range(plot *p) {
    double least = INFINITY, most = -INFINITY;
    for (size_t i = 0; i < json_array_size(p->points); i++) {
        const json_t *y = json_object_get(json_array_get(p->points, i), p->y_key);
        if (json_is_number(y)) {
            least = fmin(least, json_number_value(y));
            most = fmax(most, json_number_value(y));
        }
    }
    least = least <= most ? least : 0;
    most = most > least ? most : least + 1;
    least = least > 0 && least < most / 2 ? 0 : least;
    double step = pow(10, floor(log10(most - least)));
    step = (most - least) / step < 2 ? step / 5 : (most - least) / step < 5 ? step / 2 : step;
    p->y_step = step;
    p->y_low = floor(least / step) * step;
    p->y_high = ceil(most / step) * step;
}

static void write_head(const plot *p, const char *title, int height) {
    ts_text_printf(
        p->out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\" "
        "role=\"img\" font-family=\"sans-serif\" font-size=\"12\">\n<title>%s</title>\n<rect width=\"%d\" "
        "height=\"%d\" fill=\"#fff\"/>\n<text x=\"%d\" y=\"24\" font-size=\"15\" "
        "font-weight=\"bold\">%s</text>\n",
        LEFT + WIDTH + LEGEND, height, LEFT + WIDTH + LEGEND, height, title, LEFT + WIDTH + LEGEND, height,
        LEFT, title);
}

static void write_y_axis(const plot *p) {
    for (double y = p->y_low; y <= p->y_high + p->y_step / 2; y += p->y_step) {
        ts_text_printf(p->out,
                       "<path d=\"M%d %.1fh%d\" stroke=\"#ddd\"/><text x=\"%d\" y=\"%.1f\" "
                       "text-anchor=\"end\">%.6g</text>\n",
                       LEFT, y_at(p, y), WIDTH, LEFT - 8, y_at(p, y) + 4, fabs(y) < p->y_step / 2 ? 0.0 : y);
    }
    ts_text_printf(p->out,
                   "<text transform=\"translate(16 %d) rotate(-90)\" text-anchor=\"middle\">%s</text>\n",
                   TOP + HEIGHT / 2, escaped(p, p->y_key));
}

/* Labels that would run into one another are left out; their ticks stay. */
static void write_x_axis(const plot *p) {
    double last = -1e9;
    for (size_t i = 0; i < json_array_size(p->x_values); i++) {
        const json_t *value = json_array_get(p->x_values, i);
        const char *text = value_text(p, p->x_key, value);
        double x = x_at(p, x_number(p, value)), gap = 7.0 * (double)strlen(text) + 8;
        ts_text_printf(p->out, "<path d=\"M%.1f %dv5\" stroke=\"#444\"/>", x, TOP + HEIGHT);
        if (x - last >= (gap > LABEL_GAP ? gap : LABEL_GAP)) {
            ts_text_printf(p->out, "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%s</text>", x,
                           TOP + HEIGHT + 19, text);
            last = x;
        }
        ts_text_add(p->out, "\n");
    }
    ts_text_printf(p->out,
                   "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">%s%s</text>\n<path d=\"M%d %dv%dh%d\" "
                   "fill=\"none\" stroke=\"#444\"/>\n",
                   LEFT + WIDTH / 2, TOP + HEIGHT + 42, escaped(p, p->x_key),
                   p->logarithmic ? " (log scale)" : "", LEFT, TOP, HEIGHT, WIDTH);
}

/* What tells the lines apart: the place of a point without x. */
static const char *line_name(const plot *p, const json_t *point) {
    ts_text name = {.arena = p->out->arena};
    ts_text_add(&name, "");
    for (size_t a = 0; a < json_array_size(p->axes); a++) {
        const char *key = json_string_value(json_object_get(json_array_get(p->axes, a), "key"));
        if (strcmp(key, p->x_key) != 0) {
            ts_text_printf(&name, "%s%s %s", name.size > 0 ? ", " : "", escaped(p, key),
                           value_text(p, key, json_object_get(json_object_get(point, "at"), key)));
        }
    }
    return name.data;
}

static void write_point(const plot *p, const json_t *point, const char *name, const char *colour) {
    const json_t *x = json_object_get(json_object_get(point, "at"), p->x_key),
                 *y = json_object_get(point, p->y_key);
    const char *status = json_string_value(json_object_get(point, "status"));
    double at = x_at(p, x_number(p, x));
    const char *where = value_text(p, p->x_key, x);
    if (!json_is_number(y)) {
        ts_text_printf(p->out,
                       "<path d=\"M%.1f %dl8 8m0 -8l-8 8\" stroke=\"%s\" stroke-width=\"1.5\"><title>%s, %s: "
                       "%s</title></path>\n",
                       at - 4, TOP + HEIGHT - 12, colour, name, where, escaped(p, status));
        return;
    }
    bool good = strcmp(status, "verified") == 0;
    ts_text_printf(p->out,
                   "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"4\" fill=\"%s\" stroke=\"%s\"><title>%s, %s: %.6g "
                   "(%s)</title></circle>\n",
                   at, y_at(p, json_number_value(y)), good ? colour : "#fff", colour, name, where,
                   json_number_value(y), escaped(p, status));
}

static void write_line(const plot *p, const char *name, uint32_t index) {
    const char *colour = colours[index % COLOURS],
               *dash = index >= COLOURS ? " stroke-dasharray=\"5 3\"" : "";
    bool open = false;
    ts_text_printf(p->out, "<path fill=\"none\" stroke=\"%s\" stroke-width=\"2\"%s d=\"", colour, dash);
    for (size_t i = 0; i < json_array_size(p->points); i++) {
        const json_t *point = json_array_get(p->points, i), *y = json_object_get(point, p->y_key);
        if (strcmp(line_name(p, point), name) == 0 && json_is_number(y)) {
            double x = x_number(p, json_object_get(json_object_get(point, "at"), p->x_key));
            ts_text_printf(p->out, "%c%.1f %.1f", open ? 'L' : 'M', x_at(p, x),
                           y_at(p, json_number_value(y)));
            open = true;
        }
    }
    ts_text_add(p->out, open ? "\"/>\n" : "M0 0\"/>\n");
    for (size_t i = 0; i < json_array_size(p->points); i++) {
        const json_t *point = json_array_get(p->points, i);
        if (strcmp(line_name(p, point), name) == 0) {
            write_point(p, point, name, colour);
        }
    }
    ts_text_printf(
        p->out,
        "<path d=\"M%d %dh22\" stroke=\"%s\" stroke-width=\"2\"%s/><text x=\"%d\" y=\"%d\">%s</text>\n",
        LEFT + WIDTH + 14, TOP + 8 + (int)index * 20, colour, dash, LEFT + WIDTH + 42,
        TOP + 12 + (int)index * 20, name);
}

static void choose_keys(plot *p, const json_t *results) {
    const json_t *wanted = json_object_get(results, "plot");
    const char *x = json_string_value(json_object_get(wanted, "x")),
               *y = json_string_value(json_object_get(wanted, "y"));
    p->axes = json_object_get(results, "axes");
    p->points = json_object_get(results, "points");
    p->x_values = json_object_get(json_array_get(p->axes, 0), "values");
    p->x_key = json_string_value(json_object_get(json_array_get(p->axes, 0), "key"));
    p->x_key = p->x_key != NULL ? p->x_key : "";
    p->y_key = y != NULL ? y : "mac_per_cycle";
    for (size_t a = 0; a < json_array_size(p->axes) && x != NULL; a++) {
        const json_t *axis = json_array_get(p->axes, a);
        if (strcmp(json_string_value(json_object_get(axis, "key")), x) == 0) {
            p->x_key = x;
            p->x_values = json_object_get(axis, "values");
        }
    }
}

void ts_sweep_print_svg(ts_text *out, const json_t *results) {
    plot p = {.out = out};
    const char *names[MAX_LINES];
    uint32_t count = 0, more = 0;
    choose_keys(&p, results);
    find_x_range(&p);
    find_y_range(&p);
    for (size_t i = 0; i < json_array_size(p.points); i++) {
        const char *name = line_name(&p, json_array_get(p.points, i));
        uint32_t n = 0;
        while (n < count && strcmp(names[n], name) != 0) {
            n++;
        }
        if (n == count && count < MAX_LINES) {
            names[count++] = name;
        } else if (n == count) {
            more++;
        }
    }
    int height = TOP + HEIGHT + BOTTOM, legend = TOP + 40 + (int)count * 20;
    const char *title = json_string_value(json_object_get(results, "sweep"));
    write_head(&p, escaped(&p, title != NULL ? title : "sweep"), height > legend ? height : legend);
    write_y_axis(&p);
    write_x_axis(&p);
    for (uint32_t n = 0; n < count; n++) {
        write_line(&p, names[n], n);
    }
    if (more > 0) {
        ts_text_printf(out, "<text x=\"%d\" y=\"%d\">%u points more, not drawn</text>\n", LEFT + WIDTH + 14,
                       TOP + 12 + (int)count * 20, more);
    }
    ts_text_add(out, "</svg>\n");
}
