#include "kernels/xpulp/strips.h"

#include "hal/dma.h"
#include "hal/team.h"

uint32_t ts_load_strips(const struct ts_conv_tile *t, uint8_t *to, const uint8_t *x, uint32_t x_row_bytes) {
    const struct ts_strips s = ts_strips_of(t);
    ts_ticket ticket = ts_dma_in_begin();
    int32_t last = (int32_t)t->x_w - t->k_w;
    uint32_t strips = (uint32_t)t->y_w << s.copies_log2;
    for (uint32_t strip = ts_core(); strip < strips; strip += ts_cores()) {
        uint32_t column = strip >> s.copies_log2, copy = strip & (s.copies - 1u);
        int32_t left = (int32_t)(column * t->stride_w) - t->pad_left;
        int32_t from = left < 0 ? 0 : left > last ? last : left;
        uint8_t *line = to + ts_strip_at(&s, column, copy) + t->pad_top * s.line_bytes;
        ts_dma_in_more(line + (from - left) * t->x_c, x + from * t->x_c, t->x_h, s.line_bytes, x_row_bytes);
    }
    return ticket;
}
