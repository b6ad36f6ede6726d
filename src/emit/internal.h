/* What the files of the emit room share. */
#ifndef TS_EMIT_INTERNAL_H
#define TS_EMIT_INTERNAL_H

#include "emit/emit.h"

typedef struct ts__emit {
    ts_arena *arena;
    ts_diags *diags;
    const ts_plan *plan;
    const ts_emit_options *options;
    const char *prefix;     /* lower case, a C identifier */
    const char *macro;      /* upper case */
    const char **functions; /* of the layers */
} ts__emit;

/* Appends formatted text at an indentation of 4 * `depth` spaces, with a newline. */
void ts__line(ts_text *out, int depth, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Appends a comment of one or more lines, wrapped at 110 columns. */
void ts__comment(ts_text *out, int depth, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* The head of a file: what it is, and what made it. */
void ts__head(const ts__emit *e, ts_text *out, const char *what);

/* NAME_L2_... of the buffer `index` of the plan, as memory.h defines it. */
const char *ts__buffer_name(const ts__emit *e, int32_t index);

/* "output of layer 3, u8 8x8x64": what a buffer holds. */
const char *ts__buffer_meaning(const ts__emit *e, const ts_buffer *buffer);

/* A C string literal. */
const char *ts__c_string(const ts__emit *e, const char *text);

/* Where weights.bin begins: with the rest of the network's L3, or in a memory of its own. */
static inline const char *ts__weights_base(const ts__emit *e) {
    return ts_target_weights_apart(e->plan->target) ? "run->weights" : "run->l3";
}

/* Was the plan made for a program that checks its memory? */
static inline bool ts__is_checked(const ts_plan *plan) { return plan->options.guard_bytes > 0; }

/* The function that the program calls for a layer: the layer's own, or the one that also checks. */
const char *ts__called_function(const ts__emit *e, uint32_t layer);

/* Tables for runtime/check.c, and for each layer a function that calls it between filling and looking. */
void ts__emit_check(const ts__emit *e, ts_text *out);

/* Does some fetch of weights start with one of the steps first to last? */
bool ts__starts_fetches(const ts__emit *e, uint32_t first, uint32_t last);

/* May a fetch of weights have been left for later while this layer computes? */
bool ts__l3_busy(const ts__emit *e, uint32_t layer);

/* The C file of a layer that moves elements: its table of copies. */
void ts__emit_move(const ts__emit *e, uint32_t index, ts_text *out);

/* The beginning of a layer's first step: starts the fetches of weights that the plan puts there. */
void ts__emit_first_step(const ts__emit *e, uint32_t index, int depth, ts_text *out);

/* The C file of a layer. */
ts_status ts__emit_layer(const ts__emit *e, uint32_t index, ts_text *out);

/* weights.bin with the layers' packed weights at their places. */
uint8_t *ts__weight_image(const ts__emit *e, size_t *size);

/* Adds device sources and what they include. Paths are those below device/. */
void ts__add_device(ts_app *app, const char *path);

/* "1x2x3" of a map; words for what a layer computes. */
const char *ts__layer_kind_name(ts_layer_kind kind);

#endif
