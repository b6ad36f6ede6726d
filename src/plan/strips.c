#include "plan/strips.h"

ts_x_strips ts_x_strips_of(const ts_layer *layer, const ts_tile *tile) {
    const ts_window *w = &layer->window;
    uint32_t line = w->kernel_w * layer->x.c, step = w->stride_h * line, front = (line + 3) / 4 * 4;
    uint64_t lines = (uint64_t)(tile->y_h - 1) * w->stride_h + w->kernel_h;
    ts_x_strips s = {.copies = step % 4 == 0 ? 1 : step % 2 == 0 ? 2 : 4, .line_bytes = line};
    s.strips = tile->y_w * s.copies;
    s.bytes = s.strips * (2 * (uint64_t)front + (lines * line + 3) / 4 * 4 + 8);
    return s;
}
