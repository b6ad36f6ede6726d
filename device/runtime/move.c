#include "runtime/move.h"

#include "hal/team.h"

/* How much of a copy goes through a block at once: bytes of a line, lines, planes of lines. */
struct part {
    uint32_t bytes, lines, planes;
};

struct mover {
    const struct ts_run *run;
    const struct ts_move *move;
    const struct ts_copy *copy;
    uint32_t slot;       /* the block that is filled next */
    uint32_t pending[2]; /* blocks that are being emptied */
    ts_ticket out[2];
};

static uint32_t least(uint32_t a, uint32_t b) { return a < b ? a : b; }

/* The largest part that fits a block and, at the border to L3, is one stretch of bytes there. */
static struct part part_of(const struct ts_move *m, const struct ts_copy *c) {
    struct part p = {c->bytes, 1, 1};
    int borders = m->y_in_l3 || c->source == TS_COPY_L3;
    uint32_t most = borders ? least(m->block_bytes, m->border_bytes) : m->block_bytes;
    if (p.bytes > most) {
        p.bytes = most;
        return p;
    }
    p.lines = least(c->count[0], most / c->bytes);
    if (c->source == TS_COPY_L3 && c->x_step[0] > 0) {
        p.lines = least(p.lines, 1u + (m->border_bytes - c->bytes) / c->x_step[0]);
    }
    if (m->y_in_l3 && c->y_step[0] != c->bytes) {
        p.lines = 1;
    }
    if (p.lines == c->count[0] && !borders) {
        p.planes = least(c->count[1], most / (c->bytes * c->count[0]));
    }
    return p;
}

static void release(struct mover *v, uint32_t slot) {
    if (v->pending[slot]) {
        ts_dma_wait(v->out[slot]);
        v->pending[slot] = 0;
    }
}

static void load(const struct mover *v, uint8_t *block, uint32_t from, const struct part *p) {
    const struct ts_copy *c = v->copy;
    const uint8_t *x = v->run->l2 + from;
    if (c->source == TS_COPY_FILL) {
        return; /* both blocks are full of it */
    }
    if (c->source == TS_COPY_L3) {
        uint32_t span = (p->lines - 1u) * c->x_step[0] + p->bytes;
        uint8_t *border = v->run->l2 + v->move->x_block;
        ts_l3_wait(ts_l3_read(border, v->run->l3 + from, span));
        x = border;
    }
    ts_dma_wait(ts_dma_in_3d(block, x, p->lines, p->bytes, c->x_step[0], p->planes, c->x_step[1]));
}

static void store(struct mover *v, uint8_t *block, uint32_t to, const struct part *p) {
    const struct ts_copy *c = v->copy;
    if (v->move->y_in_l3) {
        uint8_t *border = v->run->l2 + v->move->y_block;
        ts_dma_wait(ts_dma_out_1d(border, block, p->lines * p->bytes));
        ts_l3_wait(ts_l3_write(v->run->l3 + to, border, p->lines * p->bytes));
        return;
    }
    uint8_t *y = v->run->l2 + to;
    v->out[v->slot] = ts_dma_out_3d(y, block, p->lines, p->bytes, c->y_step[0], p->planes, c->y_step[1]);
    v->pending[v->slot] = 1;
}

static void pass_on(struct mover *v, uint32_t from, uint32_t to, const struct part *p) {
    uint8_t *block = v->run->l1 + v->slot * v->move->block_bytes;
    release(v, v->slot);
    load(v, block, from, p);
    store(v, block, to, p);
    v->slot ^= 1u;
}

/* The planes of one repetition of the outermost axis. */
static void copy_planes(struct mover *v, uint32_t from, uint32_t to, const struct part *whole) {
    const struct ts_copy *c = v->copy;
    struct part p;
    for (uint32_t plane = 0; plane < c->count[1]; plane += p.planes) {
        p.planes = least(whole->planes, c->count[1] - plane);
        for (uint32_t line = 0; line < c->count[0]; line += p.lines) {
            p.lines = least(whole->lines, c->count[0] - line);
            for (uint32_t at = 0; at < c->bytes; at += p.bytes) {
                p.bytes = least(whole->bytes, c->bytes - at);
                pass_on(v, from + plane * c->x_step[1] + line * c->x_step[0] + at,
                        to + plane * c->y_step[1] + line * c->y_step[0] + at, &p);
            }
        }
    }
}

static void fill_blocks(struct mover *v) {
    uint32_t *words = (uint32_t *)(void *)v->run->l1;
    release(v, 0);
    release(v, 1);
    for (uint32_t i = 0; i < v->move->block_bytes / 2u; i++) {
        words[i] = v->move->fill; /* two blocks of whole words */
    }
}

static void copy_all(struct mover *v) {
    for (uint32_t i = 0; i < v->move->copy_count; i++) {
        const struct ts_copy *c = v->copy = &v->move->copies[i];
        const struct part whole = part_of(v->move, c);
        if (c->source == TS_COPY_FILL) {
            fill_blocks(v);
        }
        for (uint32_t n = 0; n < c->count[2]; n++) {
            copy_planes(v, c->from + n * c->x_step[2], c->to + n * c->y_step[2], &whole);
        }
    }
    release(v, 0);
    release(v, 1);
}

void ts_move_all(struct ts_run *run, const struct ts_move *move) {
    if (ts_core() == 0) {
        struct mover v = {.run = run, .move = move};
        copy_all(&v);
    }
    ts_barrier();
}
