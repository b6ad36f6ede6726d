#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "emit/internal.h"

enum { LINE_WIDTH = 110 };

static char *format_text(ts_arena *arena, const char *format, va_list arguments) {
    va_list again;
    va_copy(again, arguments);
    int size = vsnprintf(NULL, 0, format, again);
    va_end(again);
    TS_ASSERT(size >= 0, "emit: format");
    char *text = ts_arena_alloc(arena, (size_t)size + 1);
    vsnprintf(text, (size_t)size + 1, format, arguments);
    return text;
}

void ts__line(ts_text *out, int depth, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    char *text = format_text(out->arena, format, arguments);
    va_end(arguments);
    ts_text_printf(out, "%*s%s\n", 4 * depth, "", text);
}

/* Text of a model inside a comment must not end it, and must be one line. */
static void make_harmless(char *text) {
    for (char *c = text; *c != '\0'; c++) {
        if ((*c == '*' && c[1] == '/') || (*c == '/' && c[1] == '*')) {
            *c = '_';
        } else if ((unsigned char)*c < ' ' && *c != '\n') {
            *c = ' ';
        }
    }
}

/* Adds one paragraph, broken at spaces, each line after " * ". */
static void add_paragraph(ts_text *out, int depth, const char *text, const char *first) {
    const char *lead = first;
    size_t room = (size_t)(LINE_WIDTH - 3 - 4 * depth);
    while (*text == ' ') {
        text++;
    }
    do {
        size_t length = strlen(text), cut = length;
        if (length > room) {
            for (cut = room; cut > 0 && text[cut] != ' '; cut--) {
            }
            cut = cut == 0 ? length : cut;
        }
        ts_text_printf(out, "%s%.*s", lead, (int)cut, text);
        lead = ts_arena_printf(out->arena, "\n%*s * ", 4 * depth, "");
        text += cut;
        while (*text == ' ') {
            text++;
        }
    } while (*text != '\0');
}

void ts__comment(ts_text *out, int depth, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    char *text = format_text(out->arena, format, arguments);
    va_end(arguments);
    make_harmless(text);
    const char *lead = ts_arena_printf(out->arena, "%*s/* ", 4 * depth, "");
    for (char *end; text != NULL; text = end) {
        end = strchr(text, '\n');
        if (end != NULL) {
            *end++ = '\0';
        }
        add_paragraph(out, depth, text, lead);
        lead = ts_arena_printf(out->arena, "\n%*s * ", 4 * depth, "");
    }
    ts_text_add(out, " */\n");
}

void ts__head(const ts__emit *e, ts_text *out, const char *what) {
    const char *command = e->options->command == NULL ? "" : e->options->command;
    ts__comment(out, 0, "%s\nWritten by tessera %s%s%s for %s.", what, TESSERA_VERSION,
                *command != '\0' ? ": " : "", command, e->plan->target->name);
}

const char *ts__layer_kind_name(ts_layer_kind kind) {
    static const char *const names[TS_LAYER_KIND_COUNT] = {[TS_LAYER_CONV] = "convolution",
                                                           [TS_LAYER_DWCONV] = "depthwise convolution",
                                                           [TS_LAYER_LINEAR] = "linear",
                                                           [TS_LAYER_ADD] = "addition",
                                                           [TS_LAYER_MAX_POOL] = "max pooling",
                                                           [TS_LAYER_AVG_POOL] = "average pooling",
                                                           [TS_LAYER_REQUANT] = "requantisation",
                                                           [TS_LAYER_MUL] = "multiplication",
                                                           [TS_LAYER_MATMUL] = "product of matrices",
                                                           [TS_LAYER_LUT] = "table",
                                                           [TS_LAYER_SOFTMAX] = "softmax",
                                                           [TS_LAYER_NORM] = "normalisation",
                                                           [TS_LAYER_FLOAT] = "floats",
                                                           [TS_LAYER_MOVE] = "moves elements"};
    return names[kind];
}

uint64_t ts_emit_map_bytes(const ts_tensor *tensor) {
    uint64_t pixel_bytes = ((uint64_t)ts_c(tensor) * ts_type_bits(tensor->type) + 7) / 8;
    return (uint64_t)ts_h(tensor) * ts_w(tensor) * pixel_bytes;
}

uint32_t ts_emit_sum(const uint8_t *data, size_t size) {
    uint32_t sum = 0;
    for (size_t i = 0; i < size; i++) {
        sum += data[i];
    }
    return sum;
}
