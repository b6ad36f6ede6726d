#include "cli/progress.h"

#include <unistd.h>

#include "cli/terminal.h"

enum { WIDEST = 30, LABEL = 12, NUMBERS = 26 };

/* Characters of the bar: what the label, the brackets and two numbers leave of a line, since a longer line
 * would not be overwritten but scroll. */
static uint32_t bar_width(void) {
    uint32_t width = ts_cli_screen(stderr).width, taken = LABEL + NUMBERS;
    return width == 0 || width >= taken + WIDEST ? WIDEST : width > taken ? width - taken : 0;
}

void ts_cli_progress(void *label, uint32_t done, uint32_t total) {
    if (!isatty(STDERR_FILENO) || ts_cli_terminal_is_dumb() || total == 0) {
        return;
    }
    uint32_t step = total / 200 + 1, width = bar_width();
    uint32_t filled = (uint32_t)((uint64_t)done * width / total);
    if (done == total) {
        fprintf(stderr, "\r\033[K");
        return;
    }
    if (done % step != 0) {
        return;
    }
    fprintf(stderr, "\r%-*s [", LABEL, (const char *)label);
    for (uint32_t i = 0; i < width; i++) {
        fputc(i < filled ? '#' : '.', stderr);
    }
    fprintf(stderr, "] %u/%u", done, total);
}
