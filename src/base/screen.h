/* What is written for a person to look at: how wide the terminal is, and whether it shows colours.
 *
 * Whoever prints says so by value; nothing here asks the system (src/cli/terminal.h does). */
#ifndef TS_BASE_SCREEN_H
#define TS_BASE_SCREEN_H

#include <stdbool.h>

#include "base/text.h"

typedef struct ts_screen {
    uint32_t width; /* characters; 0: no limit */
    bool colour;
} ts_screen;

/* How a word stands out, by what it means. */
typedef enum ts_style {
    TS_STYLE_PLAIN,
    TS_STYLE_HEADING,
    TS_STYLE_GOOD,
    TS_STYLE_DOUBTFUL,
    TS_STYLE_BAD
} ts_style;

/* The characters (ECMA-48, SGR) that begin and end a style: "" without colour, and for TS_STYLE_PLAIN. */
const char *ts_style_begin(ts_screen screen, ts_style style);
const char *ts_style_end(ts_screen screen, ts_style style);

/* `text` in a style. */
const char *ts_styled(ts_arena *arena, ts_screen screen, ts_style style, const char *text);

#endif
