/* Diagnostics: what went wrong, where, and what would be right.
 *
 * A user's error is a value. Functions that can fail return a ts_status and add one or more
 * diagnostics to the list that they were given; only src/cli prints them. */
#ifndef TS_BASE_DIAG_H
#define TS_BASE_DIAG_H

#include <stdint.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/screen.h"
#include "base/status.h"

typedef enum ts_severity { TS_NOTE, TS_WARNING, TS_ERROR } ts_severity;

/* One row a code: identifier, stable name printed with --json, the status that it causes. */
#define TS_DIAG_CODES(X)                        \
    X(USAGE, "usage", TS_BAD_INPUT)             \
    X(FILE, "file", TS_SYSTEM)                  \
    X(SYNTAX, "syntax", TS_BAD_INPUT)           \
    X(LIMIT, "limit", TS_BAD_INPUT)             \
    X(UNSUPPORTED, "unsupported", TS_BAD_INPUT) \
    X(MALFORMED, "malformed", TS_BAD_INPUT)     \
    X(SHAPE, "shape", TS_BAD_INPUT)             \
    X(VALUE, "value", TS_BAD_INPUT)             \
    X(GRAPH, "graph", TS_BAD_INPUT)             \
    X(NO_FIT, "no-fit", TS_NO_FIT)              \
    X(MISMATCH, "mismatch", TS_MISMATCH)        \
    X(TOOL, "tool", TS_SYSTEM)                  \
    X(SIM, "simulation", TS_SYSTEM)             \
    X(MEMORY, "memory", TS_SYSTEM)

typedef enum ts_diag_code {
#define TS_DIAG_ENUM(id, name, status) TS_DIAG_##id,
    TS_DIAG_CODES(TS_DIAG_ENUM)
#undef TS_DIAG_ENUM
        TS_DIAG_COUNT
} ts_diag_code;

typedef struct ts_diag {
    ts_severity severity;
    ts_diag_code code;
    const char *file; /* NULL where no file is concerned */
    const char *node; /* node name, NULL where no node is concerned */
    const char *op;   /* operator of that node or NULL */
    const char *text; /* "what is wrong; what would be right" */
} ts_diag;

typedef struct ts_diags {
    ts_arena *arena;  /* owns the texts */
    const char *file; /* default for ts_diag.file */
    TS_VEC(ts_diag) list;
} ts_diags;

/* Adds an error and returns the status that its code causes. `node` and `op` may be NULL. */
ts_status ts_error(ts_diags *diags, ts_diag_code code, const char *node, const char *op, const char *format,
                   ...) __attribute__((format(printf, 5, 6)));

/* Adds a warning or a note. */
void ts_warn(ts_diags *diags, ts_diag_code code, const char *node, const char *op, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
void ts_note(ts_diags *diags, ts_diag_code code, const char *node, const char *op, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/* Number of errors in the list. */
uint32_t ts_diags_errors(const ts_diags *diags);

/* Writes one diagnostic as `tessera: error: FILE: node 'NAME' (Op): text`, and a newline. */
void ts_diag_print(FILE *out, const ts_diag *diag);

/* The same, the severity in its colour where `screen` has any. */
void ts_diag_print_on(FILE *out, ts_screen screen, const ts_diag *diag);

/* Stable name and status of a code. */
const char *ts_diag_name(ts_diag_code code);
ts_status ts_diag_status(ts_diag_code code);

/* Our own error, not the user's: stops at once, naming pass and node. Never reachable from input. */
#define TS_ASSERT(condition, where)                                     \
    do {                                                                \
        if (!(condition)) {                                             \
            ts__assert_failed(#condition, (where), __FILE__, __LINE__); \
        }                                                               \
    } while (0)
_Noreturn void ts__assert_failed(const char *condition, const char *where, const char *file, int line);

#endif
