#include "cli/progress.h"

#include <stdio.h>
#include <unistd.h>

enum { WIDTH = 30 };

void ts_cli_progress(void *label, uint32_t done, uint32_t total) {
    if (!isatty(STDERR_FILENO) || total == 0) {
        return;
    }
    uint32_t step = total / 200 + 1, filled = (uint32_t)((uint64_t)done * WIDTH / total);
    if (done == total) {
        fprintf(stderr, "\r\033[K");
        return;
    }
    if (done % step != 0) {
        return;
    }
    fprintf(stderr, "\r%-12s [", (const char *)label);
    for (uint32_t i = 0; i < WIDTH; i++) {
        fputc(i < filled ? '#' : '.', stderr);
    }
    fprintf(stderr, "] %u/%u", done, total);
}
