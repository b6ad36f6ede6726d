#include "base/diag.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

typedef struct code_row {
    const char *name;
    ts_status status;
} code_row;

static const code_row codes[] = {
#define ROW(id, name, status) {name, status},
    TS_DIAG_CODES(ROW)
#undef ROW
};
_Static_assert(sizeof codes / sizeof codes[0] == TS_DIAG_COUNT, "one row a diagnostic code");

const char *ts_diag_name(ts_diag_code code) { return codes[code].name; }

ts_status ts_diag_status(ts_diag_code code) { return codes[code].status; }

static void add(ts_diags *diags, ts_severity severity, ts_diag_code code, const char *node, const char *op,
                const char *format, va_list arguments) {
    va_list again;
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    size_t size = length < 0 ? 1 : (size_t)length + 1;
    char *text = ts_arena_alloc(diags->arena, size);
    vsnprintf(text, size, format, again);
    va_end(again);
    ts_diag diag = {
        .severity = severity,
        .code = code,
        .file = diags->file,
        .node = node == NULL ? NULL : ts_arena_strdup(diags->arena, node),
        .op = op == NULL ? NULL : ts_arena_strdup(diags->arena, op),
        .text = text,
    };
    TS_PUSH(diags->arena, &diags->list, diag);
}

ts_status ts_error(ts_diags *diags, ts_diag_code code, const char *node, const char *op, const char *format,
                   ...) {
    va_list arguments;
    va_start(arguments, format);
    add(diags, TS_ERROR, code, node, op, format, arguments);
    va_end(arguments);
    return codes[code].status;
}

void ts_warn(ts_diags *diags, ts_diag_code code, const char *node, const char *op, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    add(diags, TS_WARNING, code, node, op, format, arguments);
    va_end(arguments);
}

void ts_note(ts_diags *diags, ts_diag_code code, const char *node, const char *op, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    add(diags, TS_NOTE, code, node, op, format, arguments);
    va_end(arguments);
}

uint32_t ts_diags_errors(const ts_diags *diags) {
    uint32_t errors = 0;
    for (uint32_t i = 0; i < diags->list.count; i++) {
        errors += diags->list.data[i].severity == TS_ERROR;
    }
    return errors;
}

/* Names come from model files: a control character in one must not reach the terminal. */
static void print_clean(FILE *out, const char *text) {
    for (const unsigned char *c = (const unsigned char *)text; *c != '\0'; c++) {
        fputc(*c < 0x20 || *c == 0x7f ? '?' : *c, out);
    }
}

void ts_diag_print(FILE *out, const ts_diag *diag) { ts_diag_print_on(out, (ts_screen){0}, diag); }

void ts_diag_print_on(FILE *out, ts_screen screen, const ts_diag *diag) {
    static const char *const severities[] = {"note", "warning", "error"};
    static const ts_style styles[] = {TS_STYLE_HEADING, TS_STYLE_DOUBTFUL, TS_STYLE_BAD};
    ts_style style = styles[diag->severity];
    fprintf(out, "tessera: %s%s:%s ", ts_style_begin(screen, style), severities[diag->severity],
            ts_style_end(screen, style));
    if (diag->file != NULL) {
        print_clean(out, diag->file);
        fputs(": ", out);
    }
    if (diag->node != NULL) {
        fputs("node '", out);
        print_clean(out, diag->node);
        fputs("'", out);
        if (diag->op != NULL) {
            fputs(" (", out);
            print_clean(out, diag->op);
            fputs(")", out);
        }
        fputs(": ", out);
    }
    print_clean(out, diag->text);
    fputc('\n', out);
}

_Noreturn void ts__assert_failed(const char *condition, const char *where, const char *file, int line) {
    fprintf(stderr, "tessera: internal error in %s: %s is false (%s:%d)\n", where, condition, file, line);
    abort();
}
