/* Words of the text forms: what src/ir/text_form.c and float_text.c read and write alike. */
#ifndef TS_IR_WORDS_H
#define TS_IR_WORDS_H

#include "base/diag.h"
#include "base/text.h"
#include "ir/graph.h"

enum { TS__WORD_MOST = 63, TS__NAME_MOST = 4096, TS__VALUES_A_LINE = 32 };

/* A text being read (untrusted). */
typedef struct ts__words {
    ts_arena *arena;
    const uint8_t *at, *end;
    uint32_t line;
    char word[TS__WORD_MOST + 1]; /* the current word; empty at a string and at the end of the text */
    ts_diags *diags;
} ts__words;

#define TS__WORDS_FAIL(p, ...)                                                           \
    ts_error((p)->diags, TS_DIAG_SYNTAX, NULL, NULL, "line %u: %s", (unsigned)(p)->line, \
             ts_arena_printf((p)->diags->arena, __VA_ARGS__))

/* A name in quotation marks, with escapes. */
void ts__words_print_string(ts_text *out, const char *text);

/* Skips blanks and comments (# to the end of the line). */
void ts__words_skip(ts__words *p);

/* Takes the next word into p->word. */
ts_status ts__words_next(ts__words *p);

/* True, and the word is taken, when the next word is `word`; else nothing is taken. */
bool ts__words_accept(ts__words *p, const char *word);
ts_status ts__words_expect(ts__words *p, const char *word);

/* A decimal integer in [low, high], written as it would be printed. */
ts_status ts__words_integer(ts__words *p, int64_t low, int64_t high, int64_t *out);
ts_status ts__words_integer32(ts__words *p, int32_t *out);
ts_status ts__words_unsigned32(ts__words *p, uint32_t *out);
ts_status ts__words_real(ts__words *p, double *out);

/* "%N". */
ts_status ts__words_tensor(ts__words *p, ts_tensor_id *out);

/* A name in quotation marks, copied into the arena. */
ts_status ts__words_string(ts__words *p, const char **out);

/* "1x8x8x16" or "scalar". */
ts_status ts__words_shape(ts__words *p, uint32_t *rank, uint32_t *dims);

/* A list of `count` items takes at least two bytes an item: longer lists than the text are not allocated. */
ts_status ts__words_room(ts__words *p, uint64_t count);

#endif
