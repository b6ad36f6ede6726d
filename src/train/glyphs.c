#include "train/glyphs.h"

#include <math.h>
#include <string.h>

#include "base/random.h"

/* A line from (a, b) to (c, d), or an arc around (a, b) with radii c, d from angle `from` to `to` in degrees,
 * clockwise from the right. Hundredths of the square; y grows downwards. */
typedef struct stroke {
    uint8_t label;
    bool arc;
    int16_t a, b, c, d, from, to;
} stroke;

#define LINE(label, a, b, c, d) \
    { label, false, a, b, c, d, 0, 0 }
#define ARC(label, a, b, c, d, from, to) \
    { label, true, a, b, c, d, from, to }

static const stroke strokes[] = {
    ARC(0, 50, 50, 28, 45, 0, 360),
    LINE(1, 34, 25, 54, 5),
    LINE(1, 54, 5, 54, 95),
    ARC(2, 50, 32, 30, 27, 180, 395),
    LINE(2, 75, 48, 20, 95),
    LINE(2, 20, 95, 82, 95),
    ARC(3, 48, 28, 28, 23, 190, 450),
    ARC(3, 48, 73, 31, 22, 270, 530),
    LINE(4, 62, 5, 16, 65),
    LINE(4, 16, 65, 86, 65),
    LINE(4, 65, 35, 65, 95),
    LINE(5, 76, 5, 28, 5),
    LINE(5, 28, 5, 25, 48),
    ARC(5, 48, 67, 30, 27, 220, 500),
    ARC(6, 50, 68, 29, 26, 0, 360),
    ARC(6, 78, 66, 57, 61, 180, 270),
    LINE(7, 18, 6, 82, 6),
    LINE(7, 82, 6, 42, 95),
    ARC(8, 50, 27, 25, 22, 0, 360),
    ARC(8, 50, 72, 30, 23, 0, 360),
    ARC(9, 50, 32, 29, 26, 0, 360),
    ARC(9, 22, 34, 57, 61, 0, 90),
    ARC(10, 50, 50, 44, 44, 0, 360),
    LINE(11, 10, 10, 90, 10),
    LINE(11, 90, 10, 90, 90),
    LINE(11, 90, 90, 10, 90),
    LINE(11, 10, 90, 10, 10),
    LINE(12, 50, 8, 92, 88),
    LINE(12, 92, 88, 8, 88),
    LINE(12, 8, 88, 50, 8),
    LINE(13, 50, 8, 50, 92),
    LINE(13, 8, 50, 92, 50),
    LINE(14, 50, 5, 76, 90),
    LINE(14, 76, 90, 6, 36),
    LINE(14, 6, 36, 94, 36),
    LINE(14, 94, 36, 24, 90),
    LINE(14, 24, 90, 50, 5),
    LINE(15, 8, 50, 92, 50),
    LINE(15, 92, 50, 62, 22),
    LINE(15, 92, 50, 62, 78),
};

static const char *const names[TS_GLYPH_CLASSES] = {"0",        "1",    "2",    "3",    "4",      "5",
                                                    "6",        "7",    "8",    "9",    "circle", "square",
                                                    "triangle", "plus", "star", "arrow"};

const char *ts_glyph_name(uint32_t label) { return names[label]; }

typedef struct point {
    double x, y;
} point;

/* How a picture is made: the square's place on it, and what the pen and the ground are like. */
typedef struct style {
    double m[2][2], bend[2], phase[2];
    point centre;
    double radius, blur; /* of the pen, in pixels */
    double ink, ground, slope[2], noise;
} style;

static double uniform(ts_random *r, double low, double high) {
    return low + (high - low) * (double)(ts_random_next(r) >> 11) * 0x1p-53;
}

static style choose_style(ts_random *r, double side) {
    double angle = uniform(r, -0.3, 0.3), shear = uniform(r, -0.25, 0.25);
    double w = side * uniform(r, 0.5, 0.78), h = side * uniform(r, 0.5, 0.78);
    style s = {.centre = {side * uniform(r, 0.42, 0.58), side * uniform(r, 0.42, 0.58)}};
    s.m[0][0] = cos(angle) * w;
    s.m[0][1] = (-sin(angle) + shear) * h;
    s.m[1][0] = sin(angle) * w;
    s.m[1][1] = cos(angle) * h;
    for (uint32_t k = 0; k < 2; k++) {
        s.bend[k] = uniform(r, -0.07, 0.07);
        s.phase[k] = uniform(r, 0, 6.28);
        s.slope[k] = uniform(r, -40, 40);
    }
    s.radius = side * uniform(r, 0.022, 0.06);
    s.blur = uniform(r, 0.6, 1.4);
    s.ground = uniform(r, 10, 90);
    s.ink = uniform(r, 60, 150);
    s.noise = uniform(r, 5, 28);
    return s;
}

/* A place of the unit square on the picture. */
static point place(const style *s, double x, double y) {
    double u = x - 0.5 + s->bend[0] * sin(5 * y + s->phase[0]),
           v = y - 0.5 + s->bend[1] * sin(5 * x + s->phase[1]);
    return (point){s->centre.x + s->m[0][0] * u + s->m[0][1] * v,
                   s->centre.y + s->m[1][0] * u + s->m[1][1] * v};
}

static double distance(point p, point a, point b) {
    double dx = b.x - a.x, dy = b.y - a.y, square = dx * dx + dy * dy;
    double t = square <= 0 ? 0 : ((p.x - a.x) * dx + (p.y - a.y) * dy) / square;
    t = t < 0 ? 0 : t > 1 ? 1 : t;
    return hypot(p.x - a.x - t * dx, p.y - a.y - t * dy);
}

/* Darkens the pixels near a segment: `cover` keeps the largest cover of each. */
static void draw_segment(const style *s, uint32_t side, point a, point b, float *cover) {
    for (uint32_t i = 0; i < side * side; i++) {
        point p = {i % side + 0.5, i / side + 0.5};
        double c = 0.5 + (s->radius - distance(p, a, b)) / s->blur;
        c = c < 0 ? 0 : c > 1 ? 1 : c;
        cover[i] = fmaxf(cover[i], (float)c);
    }
}

static void draw_stroke(const style *s, uint32_t side, const stroke *k, float *cover) {
    enum { PIECES = 12 };
    point last = {0, 0};
    for (uint32_t i = 0; i <= PIECES; i++) {
        double t = (double)i / PIECES, angle = (k->from + (k->to - k->from) * t) * 0.017453292519943295;
        double x = k->arc ? k->a + k->c * cos(angle) : k->a + (k->c - k->a) * t;
        double y = k->arc ? k->b + k->d * sin(angle) : k->b + (k->d - k->b) * t;
        point p = place(s, x / 100, y / 100);
        if (i > 0) {
            draw_segment(s, side, last, p, cover);
        }
        last = p;
    }
}

/* One short stroke across the picture that belongs to nothing. */
static void draw_stray(ts_random *r, const style *s, uint32_t side, float *cover) {
    style thin = *s;
    point a = {uniform(r, 0, side), uniform(r, 0, side)};
    point b = {a.x + uniform(r, -0.3, 0.3) * side, a.y + uniform(r, -0.3, 0.3) * side};
    thin.radius = 0.5;
    draw_segment(&thin, side, a, b, cover);
}

uint32_t ts_glyph_draw(uint64_t seed, uint32_t number, uint32_t side, uint8_t *pixels) {
    ts_random r = ts_random_seed(seed * 0x9e3779b97f4a7c15u + number);
    uint32_t label = number % TS_GLYPH_CLASSES;
    style s = choose_style(&r, side);
    ts_arena *scratch = ts_arena_new("glyph", 0);
    float *cover = TS_NEW_ARRAY(scratch, float, (size_t)side *side);
    for (size_t i = 0; i < sizeof strokes / sizeof strokes[0]; i++) {
        if (strokes[i].label == label) {
            draw_stroke(&s, side, &strokes[i], cover);
        }
    }
    for (int64_t k = ts_random_range(&r, 0, 2); k > 0; k--) {
        draw_stray(&r, &s, side, cover);
    }
    for (uint32_t i = 0; i < side * side; i++) {
        double x = (double)(i % side) / side - 0.5, y = (double)(i / side) / side - 0.5;
        double v = s.ground + s.slope[0] * x + s.slope[1] * y + s.ink * (double)cover[i];
        v += s.noise * ts_random_normal(&r);
        pixels[i] = (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v + 0.5);
    }
    ts_arena_free(scratch);
    return label;
}

static void big_endian(uint8_t *to, uint32_t v) {
    for (uint32_t i = 0; i < 4; i++) {
        to[i] = (uint8_t)(v >> (24 - 8 * i));
    }
}

static ts_status write_part(const char *folder, const char *part, uint64_t seed, uint32_t side,
                            uint32_t count, ts_diags *diags) {
    ts_arena *a = ts_arena_new("glyphs", 0);
    size_t area = (size_t)side * side;
    uint8_t *images = ts_arena_alloc(a, 16 + area * count), *labels = ts_arena_alloc(a, 8 + (size_t)count);
    big_endian(images, 0x00000803); /* bytes, three dimensions */
    big_endian(images + 4, count);
    big_endian(images + 8, side);
    big_endian(images + 12, side);
    big_endian(labels, 0x00000801);
    big_endian(labels + 4, count);
    for (uint32_t i = 0; i < count; i++) {
        labels[8 + i] = (uint8_t)ts_glyph_draw(seed, i, side, images + 16 + area * i);
    }
    const char *x = ts_arena_printf(a, "%s-images-idx3-ubyte", part),
               *y = ts_arena_printf(a, "%s-labels-idx1-ubyte", part);
    const char *json =
        ts_arena_printf(a, "{\"x\": \"%s\", \"y\": \"%s\", \"scale\": 0.00392156862745098}\n", x, y);
    ts_status status = ts_file_write(ts_path_join(a, folder, x), images, 16 + area * count, diags);
    status = status != TS_OK ? status
                             : ts_file_write(ts_path_join(a, folder, y), labels, 8 + (size_t)count, diags);
    const char *path = ts_path_join(a, folder, ts_arena_printf(a, "%s.json", part));
    status = status != TS_OK ? status : ts_file_write(path, json, strlen(json), diags);
    ts_arena_free(a);
    return status;
}

ts_status ts_glyphs_write(const char *folder, uint64_t seed, uint32_t side, uint32_t train, uint32_t test,
                          ts_diags *diags) {
    if (side < 12 || side > 128 || train == 0 || test == 0 || train > 1000000 || test > 1000000) {
        return ts_error(diags, TS_DIAG_USAGE, NULL, NULL,
                        "pictures have 12 to 128 rows, and each part 1 to 1000000 of them");
    }
    TS_TRY(ts_dir_create(folder, diags));
    TS_TRY(write_part(folder, "train", 2 * seed, side, train, diags));
    return write_part(folder, "test", 2 * seed + 1, side, test, diags);
}
