/* runtime/move.h where there is no L3 and copies are the core's: straight from input to output. */
#include "hal/dma.h"
#include "runtime/move.h"

/* The pattern begins anew with every run of bytes: runs begin where elements do. */
static void fill(uint8_t *to, uint32_t pattern, uint32_t bytes) {
    for (uint32_t i = 0; i < bytes; i++) {
        to[i] = (uint8_t)(pattern >> (8 * (i % 4)));
    }
}

static void copy_lines(const struct ts_run *run, const struct ts_move *move, const struct ts_copy *c,
                       uint32_t from, uint32_t to) {
    for (uint32_t line = 0; line < c->count[0]; line++) {
        uint8_t *y = run->l2 + to + line * c->y_step[0];
        if (c->source == TS_COPY_FILL) {
            fill(y, move->fill, c->bytes);
        } else {
            memcpy(y, run->l2 + from + line * c->x_step[0], c->bytes);
        }
    }
}

void ts_move_all(struct ts_run *run, const struct ts_move *move) {
    for (uint32_t i = 0; i < move->copy_count; i++) {
        const struct ts_copy *c = &move->copies[i];
        for (uint32_t n = 0; n < c->count[2]; n++) {
            for (uint32_t plane = 0; plane < c->count[1]; plane++) {
                copy_lines(run, move, c, c->from + n * c->x_step[2] + plane * c->x_step[1],
                           c->to + n * c->y_step[2] + plane * c->y_step[1]);
            }
        }
    }
}
