#include "base/screen.h"

const char *ts_style_begin(ts_screen screen, ts_style style) {
    static const char *const begins[] = {[TS_STYLE_PLAIN] = "",
                                         [TS_STYLE_HEADING] = "\033[1m",
                                         [TS_STYLE_GOOD] = "\033[32m",
                                         [TS_STYLE_DOUBTFUL] = "\033[33m",
                                         [TS_STYLE_BAD] = "\033[31m"};
    return screen.colour ? begins[style] : "";
}

const char *ts_style_end(ts_screen screen, ts_style style) {
    return screen.colour && style != TS_STYLE_PLAIN ? "\033[0m" : "";
}

const char *ts_styled(ts_arena *arena, ts_screen screen, ts_style style, const char *text) {
    return ts_arena_printf(arena, "%s%s%s", ts_style_begin(screen, style), text, ts_style_end(screen, style));
}
